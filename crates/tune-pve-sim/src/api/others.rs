//! Calls beside the ones that tuning needs. Who may make them and what they take is as it is everywhere; most of them do
//! nothing here and say so.

use serde_json::json;

use super::{Call, Need, Reply, Route, route};
use crate::conf::Conf;
use crate::errors::Failure;
use crate::guest::drives;
use crate::schema::formats::split_volume_id;
use crate::schema::methods as params;
use crate::world::{World, check_lock};

const AUDIT: Need = Need::Vm(&["VM.Audit"]);
const CONSOLE: Need = Need::Vm(&["VM.Console"]);
const SNAPSHOT: Need = Need::Vm(&["VM.Snapshot"]);

macro_rules! vm {
    ($path:literal) => {
        concat!("/nodes/{node}/qemu/{vmid}/", $path)
    };
}

pub(super) static ROUTES: [Route; 18] = [
    route("GET", vm!("feature"), params::feature, AUDIT, feature),
    route("GET", vm!("rrddata"), params::rrd_data, AUDIT, |_, _| Ok(Reply::Data(json!([])))),
    route("GET", vm!("rrd"), params::rrd, AUDIT, not_simulated),
    route("GET", vm!("cloudinit/dump"), params::cloudinit_dump, AUDIT, not_simulated),
    route("PUT", vm!("sendkey"), params::send_key, CONSOLE, send_key),
    route("POST", vm!("monitor"), params::monitor, Need::AnyVm(&["Sys.Audit", "Sys.Modify"]), not_simulated),
    route("POST", vm!("vncproxy"), params::vnc_proxy, CONSOLE, not_simulated),
    route("POST", vm!("termproxy"), params::term_proxy, CONSOLE, not_simulated),
    route("POST", vm!("spiceproxy"), params::spice_proxy, CONSOLE, not_simulated),
    route("GET", vm!("vncwebsocket"), params::vnc_websocket, CONSOLE, not_simulated),
    route("POST", vm!("move_disk"), params::move_disk, Need::Vm(&["VM.Config.Disk"]), move_disk),
    route("POST", vm!("template"), params::template, Need::Vm(&["VM.Allocate"]), template),
    route("POST", vm!("snapshot"), params::snapshot, SNAPSHOT, snapshot),
    route("DELETE", vm!("snapshot/{snapname}"), params::snapshot_delete, SNAPSHOT, not_simulated),
    route("PUT", vm!("snapshot/{snapname}/config"), params::snapshot_config, SNAPSHOT, describe_snapshot),
    route(
        "POST",
        vm!("snapshot/{snapname}/rollback"),
        params::rollback,
        Need::AnyVm(&["VM.Snapshot", "VM.Snapshot.Rollback"]),
        rollback,
    ),
    route("POST", vm!("remote_migrate"), params::remote_migrate, Need::Vm(&["VM.Migrate"]), not_simulated),
    route("GET", vm!("firewall"), params::none, Need::Anyone, |_, _| {
        super::index("name", &["rules", "aliases", "ipset", "refs", "options", "log"])
    }),
];

fn not_simulated(_: &mut World, call: &Call) -> Result<Reply, Failure> {
    let message = format!("the simulator has no '{} {}'", call.method, call.path);
    Err(Failure::Error { code: 501, message, errors: [].into() })
}

/// What the volumes of a machine can do, as images in directories can: raw ones cannot be frozen in a snapshot, and only
/// those of a template can be linked to.
fn feature(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    world.running(call.node(), call.vmid())?;
    let mut conf = world.load(call.node(), call.vmid())?;
    let snapshot = call.text("snapname").filter(|name| !name.is_empty());
    if let Some(name) = snapshot {
        let section = conf.snapshots.get(name).cloned();
        let missing = || Failure::internal(format!("snapshot '{name}' does not exist"));
        conf.main = section.ok_or_else(missing)?;
    }
    let wanted = call.text("feature").unwrap_or_default();
    let able = volumes(&conf).all(|volid| match (wanted, world.storages.parse(&volid)) {
        (_, Err(_)) => false,
        ("copy", Ok(volume)) => snapshot.is_none() || volume.format == "qcow2",
        ("clone", Ok(volume)) => volume.base || (snapshot.is_some() && volume.format == "qcow2"),
        (_, Ok(volume)) => volume.format == "qcow2",
    });
    Ok(Reply::Data(json!({ "hasFeature": i32::from(able), "nodes": [call.node()] })))
}

/// The volumes of a machine's disks.
fn volumes(conf: &Conf) -> impl Iterator<Item = String> + '_ {
    let disks = drives(conf).filter(|(_, drive)| !drive.is_cdrom() && split_volume_id(drive.file()).is_some());
    disks.map(|(_, drive)| drive.file().to_owned())
}

fn send_key(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    super::power::only_root(call, &["skiplock"])?;
    world.load(call.node(), call.vmid())?;
    super::power::running(world, call)?;
    Reply::NULL
}

fn move_disk(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    match (call.text("target-vmid"), call.text("storage")) {
        (Some(_), Some(_)) => both("either set 'storage' or 'target-vmid', but not both"),
        (None, None) => both("both 'storage' and 'target-vmid' missing, either needs to be set"),
        (Some(other), None) => {
            world.access.check(&call.who, &format!("/vms/{other}"), &["VM.Config.Disk"])?;
            not_simulated(world, call)
        }
        (None, Some(storage)) => {
            world.access.check(&call.who, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
            let conf = world.load(call.node(), call.vmid())?;
            check_lock(&conf)?;
            let disk = call.text("disk").unwrap_or_default();
            if conf.truthy(disk).is_none() {
                return Err(Failure::internal(format!("disk '{disk}' does not exist")));
            }
            not_simulated(world, call)
        }
    }
}

fn both(message: &str) -> Result<Reply, Failure> {
    Err(Failure::parameters(["target-vmid", "storage"].map(|key| (key.to_owned(), message.to_owned())).into()))
}

fn template(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let conf = world.load(call.node(), call.vmid())?;
    check_lock(&conf)?;
    if !conf.snapshots.is_empty() {
        return Err(Failure::internal("unable to create template, because VM contains snapshots"));
    }
    if conf.is_template() && call.text("disk").is_none() {
        return Err(Failure::internal("you can't convert a template to a template"));
    }
    if world.running(call.node(), call.vmid())? {
        return Err(Failure::internal("you can't convert a VM to template if VM is running"));
    }
    not_simulated(world, call)
}

fn snapshot(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.text("snapname").unwrap_or_default();
    if name == "current" || name.eq_ignore_ascii_case("pending") {
        let reserved = name.to_lowercase();
        return Err(Failure::internal(format!("unable to use snapshot name '{reserved}' (reserved name)")));
    }
    world.load(call.node(), call.vmid())?;
    not_simulated(world, call)
}

fn describe_snapshot(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let Some(text) = call.text("description").map(str::to_owned) else { return Reply::NULL };
    world.lock_for_now(call.vmid(), None)?;
    let mut conf = world.load(call.node(), call.vmid())?;
    check_lock(&conf)?;
    let name = call.text("snapname").unwrap_or_default();
    let section = conf.snapshots.get_mut(name);
    let section = section.ok_or_else(|| Failure::internal(format!("snapshot '{name}' does not exist")))?;
    section.insert("description".to_owned(), text);
    world.save(call.node(), call.vmid(), &mut conf)?;
    Reply::NULL
}

fn rollback(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    if call.flag("start") {
        world.access.check_vm(&call.who, call.vmid(), &["VM.PowerMgmt"])?;
    }
    not_simulated(world, call)
}
