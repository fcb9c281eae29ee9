//! Making, copying, moving, growing and removing machines.

use serde_json::json;

use super::{Call, Need, Reply, Route, given, route};
use crate::access::ROOT;
use crate::create::{self, Clone, Destroy, Migrate, Resize};
use crate::errors::Failure;
use crate::schema::methods as params;
use crate::tasks::Job;
use crate::world::{World, check_lock};

const BASE: &str = "/nodes/{node}/qemu/{vmid}";

pub(super) static ROUTES: [Route; 6] = [
    route("POST", "/nodes/{node}/qemu", params::create, Need::Anyone, create),
    route("DELETE", BASE, params::destroy, Need::Vm(&["VM.Allocate"]), destroy),
    route("PUT", "/nodes/{node}/qemu/{vmid}/resize", params::resize, Need::Vm(&["VM.Config.Disk"]), resize),
    route("POST", "/nodes/{node}/qemu/{vmid}/clone", params::clone, Need::Vm(&["VM.Clone"]), clone),
    route("GET", "/nodes/{node}/qemu/{vmid}/migrate", params::none, Need::Vm(&["VM.Migrate"]), migrate_check),
    route("POST", "/nodes/{node}/qemu/{vmid}/migrate", params::migrate, Need::Vm(&["VM.Migrate"]), migrate),
];

fn task(world: &mut World, call: &Call, kind: &str, vmid: u32, job: Job) -> Result<Reply, Failure> {
    let upid = world.new_task(call.node(), kind, &vmid.to_string(), &call.who, job);
    Ok(Reply::Data(upid.into()))
}

fn skip_lock(call: &Call) -> Result<bool, Failure> {
    match call.flag("skiplock") {
        true if call.who != ROOT => Err(Failure::parameter("skiplock", "Only root may use this option.")),
        skip => Ok(skip),
    }
}

fn create(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let act = call.act();
    let mut own = call.params.clone();
    own.remove("node");
    let job = create::prepare(world, &act, own)?;
    create::reserve(world, act.node, act.vmid, "create")?;
    task(world, call, "qmcreate", act.vmid, Job::Create(Box::new(job)))
}

fn destroy(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let skip_lock = skip_lock(call)?;
    let job = Destroy {
        vmid: call.vmid(),
        purge: call.flag("purge"),
        skip_lock,
        unreferenced: call.flag("destroy-unreferenced-disks"),
    };
    job.check(world, call.node())?;
    task(world, call, "qmdestroy", job.vmid, Job::Destroy(job))
}

fn resize(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let skip_lock = skip_lock(call)?;
    let text = |key: &str| call.text(key).unwrap_or_default().to_owned();
    let (vmid, digest) = (call.vmid(), call.text("digest").map(str::to_owned));
    let job = Resize { vmid, disk: text("disk"), size: text("size"), digest, skip_lock };
    task(world, call, "resize", vmid, Job::Resize(job))
}

fn clone(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (node, vmid) = (call.node(), call.vmid());
    let new = call.number("newid").and_then(|new| new.try_into().ok()).unwrap_or_default();
    let pool = given(call.text("pool"));
    let allows = |path: String| world.access.allows(&call.who, &path, &["VM.Allocate"]);
    if !(allows(format!("/vms/{new}")) || pool.is_some_and(|pool| allows(format!("/pool/{pool}")))) {
        let message = "Permission check failed\n".to_owned();
        return Err(Failure::Error { code: 403, message, errors: [].into() });
    }
    world.running(node, vmid)?;
    if let Some(pool) = pool.filter(|pool| !world.access.pools.contains_key(*pool)) {
        return Err(Failure::permission(&format!("pool '{pool}' does not exist")));
    }
    let conf = world.load(node, vmid)?;
    check_lock(&conf)?;
    let full = if call.text("full").is_some() { call.flag("full") } else { !conf.is_template() };
    if let Some(key) = ["storage", "format"].into_iter().find(|key| !full && call.text(key).is_some()) {
        return Err(Failure::internal(format!("parameter '{key}' not allowed for linked clones")));
    }
    if let Some(name) = given(call.text("snapname")).filter(|name| !conf.snapshots.contains_key(*name)) {
        return Err(Failure::internal(format!("snapshot '{name}' does not exist")));
    }
    if world.vms.get(&new).is_some_and(|other| other.node == node) {
        return Err(Failure::internal(format!("unable to create VM {new}: config file already exists")));
    }
    let job = Clone {
        vmid,
        new,
        name: given(call.text("name")).map(str::to_owned),
        description: given(call.text("description")).map(str::to_owned),
        pool: pool.map(str::to_owned),
        full,
    };
    job.check(world, &conf)?;
    create::reserve(world, node, new, "clone")?;
    task(world, call, "qmclone", vmid, Job::Clone(job))
}

fn migrate_check(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    check_lock(&world.load(call.node(), call.vmid())?)?;
    let running = world.running(call.node(), call.vmid())?;
    let targets: Vec<&String> = world.nodes.keys().filter(|node| *node != call.node()).collect();
    Ok(Reply::Data(json!({
        "running": i32::from(running),
        "allowed_nodes": targets,
        "not_allowed_nodes": {},
        "local_disks": [],
        "local_resources": [],
        "mapped-resources": [],
    })))
}

fn migrate(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (node, vmid) = (call.node(), call.vmid());
    let target = call.text("target").unwrap_or_default().to_owned();
    if target == node {
        return Err(Failure::parameter("target", "target is local node."));
    }
    if !world.nodes.contains_key(&target) {
        return Err(Failure::internal(format!("no such cluster node '{target}'")));
    }
    super::power::only_root(call, &["force", "migration_type", "migration_network"])?;
    let conf = world.load(node, vmid)?;
    check_lock(&conf)?;
    if world.running(node, vmid)? && !call.flag("online") {
        return Err(Failure::internal("can't migrate running VM without --online"));
    }
    let managed = world.ha_managed(vmid);
    if managed {
        return task(world, call, "hamigrate", vmid, Job::HaMigrate { vmid, target });
    }
    task(world, call, "qmigrate", vmid, Job::Migrate(Migrate::new(vmid, &target)))
}
