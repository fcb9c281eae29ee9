//! What machines are doing: one by one and as lists.

use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::{Call, Need, Reply, Route, index, route};
use crate::conf::Conf;
use crate::errors::Failure;
use crate::guest::{Guest, agent_enabled};
use crate::schema::methods as params;
use crate::schema::property::parse_property_string;
use crate::schema::{options, truthy};
use crate::world::{Vm, World};

const AUDIT: Need = Need::Vm(&["VM.Audit"]);

pub(super) static ROUTES: [Route; 4] = [
    route("GET", "/nodes/{node}/qemu", params::list, Need::Anyone, list),
    route("GET", "/nodes/{node}/qemu/{vmid}", params::none, Need::Anyone, |_, _| index("subdir", &BELOW)),
    route("GET", "/nodes/{node}/qemu/{vmid}/status", params::none, Need::Anyone, |world, call| {
        world.load(call.node(), call.vmid())?;
        index("subdir", &STATUS)
    }),
    route("GET", "/nodes/{node}/qemu/{vmid}/status/current", params::none, AUDIT, current),
];

const BELOW: [&str; 20] = [
    "agent",
    "cloudinit",
    "config",
    "firewall",
    "migrate",
    "monitor",
    "move",
    "mtunnel",
    "pending",
    "remote_migrate",
    "resize",
    "rrd",
    "rrddata",
    "sendkey",
    "snapshot",
    "spiceproxy",
    "status",
    "termproxy",
    "unlink",
    "vncproxy",
];

const STATUS: [&str; 7] = ["current", "reboot", "reset", "shutdown", "start", "stop", "suspend"];

const PRESSURE: [&str; 6] = [
    "pressurecpufull",
    "pressurecpusome",
    "pressureiofull",
    "pressureiosome",
    "pressurememoryfull",
    "pressurememorysome",
];

fn list(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let mut rows = Vec::new();
    let (now, cpus) = (world.now, world.cpus);
    for (vmid, vm) in &mut world.vms {
        let here = vm.node == call.node() && !vm.container;
        if here && world.access.allows(&call.who, &format!("/vms/{vmid}"), &["VM.Audit"]) {
            let mut row = row(*vmid, vm, now, cpus);
            if call.flag("full") {
                details(&mut row, vm);
            }
            rows.push(row.into());
        }
    }
    Ok(Reply::Data(Json::Array(rows)))
}

/// What every listing says about a machine.
pub(super) fn row(vmid: u32, vm: &mut Vm, now: Duration, host_cpus: u64) -> Map<String, Json> {
    let (conf, disk) = (vm.conf(), vm.boot_disk_size());
    let name = conf.truthy("name").map_or_else(|| format!("VM {vmid}"), str::to_owned);
    let cpus = conf.number("sockets").unwrap_or(1).max(1) * conf.number("cores").unwrap_or(1).max(1);
    let cpus = conf.number("vcpus").filter(|count| *count > 0).unwrap_or_else(|| cpus.min(host_cpus));
    let uptime = vm.guest.as_ref().map_or(0, |guest| now.saturating_sub(guest.started).as_secs());
    let used = if vm.guest.is_some() { memory(&conf) / 4 } else { 0 };
    let row = json!({
        "vmid": vmid,
        "name": name,
        "status": if vm.guest.is_some() { "running" } else { "stopped" },
        "cpus": cpus,
        "cpu": 0,
        "maxmem": memory(&conf),
        "mem": used,
        "memhost": used,
        "maxdisk": disk,
        "disk": 0,
        "netin": 0,
        "netout": 0,
        "uptime": uptime,
    });
    let Json::Object(mut row) = row else { return Map::new() };
    if let Some(tags) = conf.main.get("tags") {
        row.insert("tags".to_owned(), tags.as_str().into());
    }
    if let Some(lock) = conf.truthy("lock") {
        row.insert("lock".to_owned(), lock.into());
    }
    if let Some(balloon) = conf.number("balloon").filter(|balloon| *balloon > 0) {
        row.insert("balloon_min".to_owned(), balloon.saturating_mul(1024 * 1024).into());
        row.insert("shares".to_owned(), conf.number("shares").unwrap_or(1000).into());
    }
    if conf.is_template() {
        row.insert("template".to_owned(), 1.into());
    }
    if (0..4).any(|number| conf.truthy(&format!("serial{number}")).is_some()) {
        row.insert("serial".to_owned(), 1.into());
    }
    if let Some(guest) = &vm.guest {
        row.insert("pid".to_owned(), guest.pid.into());
        row.extend(PRESSURE.map(|key| (key.to_owned(), 0.into())));
    }
    row
}

fn memory(conf: &Conf) -> u64 {
    conf.memory().saturating_mul(1024 * 1024)
}

/// What only the emulator knows.
fn details(row: &mut Map<String, Json>, vm: &Vm) {
    let state = vm.guest.as_ref().map_or("stopped", |guest| if guest.paused { "paused" } else { "running" });
    row.insert("qmpstatus".to_owned(), state.into());
    let Some(guest) = &vm.guest else { return };
    running_details(row, guest);
}

fn running_details(row: &mut Map<String, Json>, guest: &Guest) {
    row.insert("diskread".to_owned(), 0.into());
    row.insert("diskwrite".to_owned(), 0.into());
    row.insert("running-machine".to_owned(), guest.machine.clone().into());
    row.insert("running-qemu".to_owned(), "10.2.0".into());
    let support = json!({ "pbs-dirty-bitmap": true, "pbs-library-version": "1.5.2", "query-bitmap-info": true });
    row.insert("proxmox-support".to_owned(), support);
    if guest.balloon {
        let bytes = memory(&guest.conf);
        row.insert("balloon".to_owned(), bytes.into());
        row.insert("ballooninfo".to_owned(), json!({ "actual": bytes, "max_mem": bytes }));
    }
}

fn current(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (node, vmid) = (call.node(), call.vmid());
    let conf = world.load(node, vmid)?;
    let (now, cpus) = (world.now, world.cpus);
    let ha = match world.ha.get(&vmid).filter(|state| *state != "ignored") {
        Some(state) => json!({ "managed": 1, "state": world.timing.ha.map(|_| state.clone()) }),
        None => json!({ "managed": 0 }),
    };
    let Some(vm) = world.vm(node, vmid) else { return Reply::NULL };
    let mut row = row(vmid, vm, now, cpus);
    details(&mut row, vm);
    row.insert("ha".to_owned(), ha);
    if agent_enabled(&conf) {
        row.insert("agent".to_owned(), 1.into());
    }
    if let Some(vga) = conf.truthy("vga") {
        let parsed = parse_property_string(&options::vga(), vga, "").unwrap_or_default();
        if parsed.get("type").is_some_and(|kind| kind.starts_with("qxl") || kind.starts_with("virtio")) {
            row.insert("spice".to_owned(), 1.into());
        }
        let clipboard = parsed.get("clipboard").filter(|clipboard| truthy(clipboard));
        row.insert("clipboard".to_owned(), clipboard.map_or(Json::Null, |clipboard| clipboard.as_str().into()));
    }
    Ok(Reply::Data(row.into()))
}
