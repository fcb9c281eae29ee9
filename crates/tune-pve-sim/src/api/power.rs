//! Switching machines on and off. Most of what can go wrong shows in the task and not in the call.

use super::{Call, Need, Reply, Route, given, route};
use crate::access::ROOT;
use crate::errors::Failure;
use crate::schema::methods as params;
use crate::schema::{Value, truthy};
use crate::tasks::{Job, Stop};
use crate::world::World;

const POWER: Need = Need::Vm(&["VM.PowerMgmt"]);

pub(super) static ROUTES: [Route; 7] = [
    route("POST", "/nodes/{node}/qemu/{vmid}/status/start", params::start, POWER, start),
    route("POST", "/nodes/{node}/qemu/{vmid}/status/stop", params::stop, POWER, stop),
    route("POST", "/nodes/{node}/qemu/{vmid}/status/shutdown", params::shutdown, POWER, shutdown),
    route("POST", "/nodes/{node}/qemu/{vmid}/status/reboot", params::reboot, POWER, reboot),
    route("POST", "/nodes/{node}/qemu/{vmid}/status/reset", params::reset, POWER, reset),
    route("POST", "/nodes/{node}/qemu/{vmid}/status/suspend", params::suspend, POWER, suspend),
    route("POST", "/nodes/{node}/qemu/{vmid}/status/resume", params::resume, POWER, resume),
];

/// Refuses options that only root may use.
pub(super) fn only_root(call: &Call, keys: &[&str]) -> Result<(), Failure> {
    let used = |key: &&&str| call.params.get(**key).is_some_and(Value::is_true);
    match keys.iter().find(used).filter(|_| call.who != ROOT) {
        Some(key) => Err(Failure::parameter(key, "Only root may use this option.")),
        None => Ok(()),
    }
}

fn task(world: &mut World, call: &Call, kind: &str, job: Job) -> Result<Reply, Failure> {
    let upid = world.new_task(call.node(), kind, &call.vmid().to_string(), &call.who, job);
    Ok(Reply::Data(upid.into()))
}

fn start(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let keys = [
        "stateuri",
        "skiplock",
        "migratedfrom",
        "migration_type",
        "migration_network",
        "targetstorage",
        "force-cpu",
        "with-conntrack-state",
        "nets-host-mtu",
    ];
    only_root(call, &keys)?;
    let vmid = call.vmid();
    if world.ha_managed(vmid) {
        return task(world, call, "hastart", Job::Ha { vmid, up: true, timeout: 0 });
    }
    let machine = given(call.text("machine")).map(str::to_owned);
    task(world, call, "qmstart", Job::Start { vmid, machine })
}

fn stop(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    only_root(call, &["skiplock", "keepActive", "migratedfrom"])?;
    let vmid = call.vmid();
    let overrule = call.flag("overrule-shutdown");
    if world.ha_managed(vmid) && call.text("migratedfrom").is_none() {
        if overrule {
            return Err(Failure::parameter("overrule-shutdown", "Not applicable for HA resources."));
        }
        return task(world, call, "hastop", Job::Ha { vmid, up: false, timeout: 0 });
    }
    task(world, call, "qmstop", Job::Stop { vmid, stop: Stop::hard(call.number("timeout"), overrule) })
}

fn shutdown(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    only_root(call, &["skiplock", "keepActive"])?;
    let (vmid, force) = (call.vmid(), call.flag("forceStop"));
    let timeout = call.number("timeout");
    let paused = world.vm(call.node(), vmid).and_then(|vm| vm.guest.as_ref()).is_some_and(|guest| guest.paused);
    if paused && !force {
        return Err(Failure::internal("VM is paused - cannot shutdown"));
    }
    if world.ha_managed(vmid) {
        return task(world, call, "hastop", Job::Ha { vmid, up: false, timeout: timeout.unwrap_or(60) });
    }
    let stop = if paused { Stop::hard(timeout, false) } else { Stop::shutdown(timeout, force) };
    task(world, call, "qmshutdown", Job::Stop { vmid, stop })
}

/// Requires that a machine runs.
pub(super) fn running(world: &mut World, call: &Call) -> Result<(), Failure> {
    if world.running(call.node(), call.vmid())? {
        Ok(())
    } else {
        Err(Failure::internal(format!("VM {} not running", call.vmid())))
    }
}

fn reboot(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let vmid = call.vmid();
    if world.vm(call.node(), vmid).and_then(|vm| vm.guest.as_ref()).is_some_and(|guest| guest.paused) {
        return Err(Failure::internal("VM is paused - cannot shutdown"));
    }
    running(world, call)?;
    task(world, call, "qmreboot", Job::Stop { vmid, stop: Stop::reboot(call.number("timeout")) })
}

fn reset(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    only_root(call, &["skiplock"])?;
    running(world, call)?;
    task(world, call, "qmreset", Job::Reset { vmid: call.vmid() })
}

fn suspend(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let vmid = call.vmid();
    let to_disk = call.flag("todisk");
    only_root(call, &["skiplock"])?;
    running(world, call)?;
    if !to_disk {
        return task(world, call, "qmpause", Job::Suspend { vmid, storage: None });
    }
    if world.ha_managed(vmid) {
        return Err(Failure::internal("Cannot suspend HA managed VM to disk"));
    }
    world.access.check_vm(&call.who, vmid, &["VM.Config.Disk"])?;
    let conf = world.load(call.node(), vmid)?;
    let storage = given(call.text("statestorage")).map(str::to_owned);
    let storage = storage.or_else(|| conf.truthy("vmstatestorage").map(str::to_owned));
    let storage = storage.unwrap_or_else(|| state_storage(world, &conf));
    world.access.check(&call.who, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
    task(world, call, "qmsuspend", Job::Suspend { vmid, storage: Some(storage) })
}

/// Where the state goes if nobody says: next to the first disk.
fn state_storage(world: &World, conf: &crate::conf::Conf) -> String {
    let disks = crate::schema::drive::drive_keys().filter_map(|key| {
        let drive = crate::drive::Drive::parse(&key, conf.main.get(&key)?)?;
        let (storage, _) = crate::schema::formats::split_volume_id(drive.file())?;
        (!drive.is_cdrom()).then(|| storage.to_owned())
    });
    let mut usable = disks.filter(|name| world.storages.enabled(name).is_ok() && truthy(name));
    usable.next().unwrap_or_else(|| "local".to_owned())
}

fn resume(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    only_root(call, &["skiplock", "nocheck"])?;
    let vmid = call.vmid();
    let conf = world.load(call.node(), vmid);
    let from_disk = conf.is_ok_and(|conf| conf.main.get("lock").is_some_and(|lock| lock == "suspended"));
    if !from_disk {
        running(world, call)?;
    }
    task(world, call, "qmresume", Job::Resume { vmid, from_disk })
}
