//! The cluster as a whole: its nodes, its resources, and what the HA manager is asked for.

use serde_json::{Value as Json, json};

use super::{Call, Need, Reply, Route, given, index, route};
use crate::errors::Failure;
use crate::schema::methods as params;
use crate::world::World;

pub(super) static ROUTES: [Route; 15] = [
    route("GET", "/", params::none, Need::Anyone, |_, _| {
        index("subdir", &["version", "cluster", "nodes", "storage", "access", "pools"])
    }),
    route("GET", "/version", params::none, Need::Anyone, version),
    route("GET", "/cluster", params::none, Need::Anyone, |_, _| {
        index("name", &["ha", "nextid", "options", "resources", "status", "tasks"])
    }),
    route("GET", "/cluster/resources", params::resources, Need::Anyone, resources),
    route("GET", "/cluster/nextid", params::next_id, Need::Anyone, next_id),
    route("GET", "/cluster/status", params::none, Need::Root(&["Sys.Audit"]), status),
    route("GET", "/cluster/ha/resources", params::none, Need::Root(&["Sys.Audit"]), ha_resources),
    route("GET", "/cluster/ha/resources/{sid}", params::none, Need::Root(&["Sys.Audit"]), ha_resource),
    route("GET", "/cluster/ha/status/current", params::none, Need::Root(&["Sys.Audit"]), ha_status),
    route("GET", "/nodes", params::none, Need::Anyone, nodes),
    route("GET", "/nodes/{node}", params::none, Need::Anyone, |_, _| {
        index("name", &["certificates", "qemu", "status", "storage", "tasks", "version"])
    }),
    route("GET", "/nodes/{node}/version", params::none, Need::Anyone, version),
    route("GET", "/nodes/{node}/status", params::none, Need::Node(&["Sys.Audit"]), node_status),
    route("GET", "/nodes/{node}/certificates/info", params::none, Need::Node(&["Sys.Audit"]), certificates),
    route("GET", "/nodes/{node}/storage", params::none, Need::Anyone, storages),
];

fn version(_: &mut World, _: &Call) -> Result<Reply, Failure> {
    Ok(Reply::Data(json!({ "version": "9.2.6", "release": "9.2", "repoid": "0000000000000000" })))
}

/// What the nodes have told each other. Where a machine is and what its file says is fresh; what it does is as old as the
/// last broadcast.
fn resources(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let kind = call.text("type");
    let mut rows = Vec::new();
    if kind.is_none_or(|kind| kind == "node") {
        let names = world.nodes.clone();
        rows.extend(names.iter().map(|(name, online)| {
            let status = if *online { "online" } else { "offline" };
            json!({ "id": format!("node/{name}"), "node": name, "type": "node", "status": status })
        }));
    }
    if kind.is_none_or(|kind| kind == "storage") {
        rows.extend(storage_rows(world, call));
    }
    if kind.is_none_or(|kind| kind == "vm") {
        rows.extend(vm_rows(world, call));
    }
    if kind.is_none() {
        let access = &world.access;
        let seen =
            access.pools.keys().filter(|pool| access.allows(&call.who, &format!("/pool/{pool}"), &["Pool.Audit"]));
        rows.extend(seen.map(|pool| json!({ "id": format!("/pool/{pool}"), "pool": pool, "type": "pool" })));
    }
    Ok(Reply::Data(rows.into()))
}

fn storage_rows(world: &World, call: &Call) -> Vec<Json> {
    let sees = |name: &str| world.access.allows(&call.who, &format!("/storage/{name}"), &["Datastore.Audit"]);
    let visible = world.storages.0.iter().filter(|(name, storage)| !storage.disabled && sees(name));
    let rows = visible.flat_map(|(name, storage)| {
        world.nodes.keys().map(move |node| {
            json!({
                "id": format!("storage/{node}/{name}"),
                "storage": name,
                "node": node,
                "type": "storage",
                "plugintype": storage.kind,
                "content": storage.content.join(","),
                "status": "available",
                "shared": 0,
            })
        })
    });
    rows.collect()
}

fn vm_rows(world: &mut World, call: &Call) -> Vec<Json> {
    let (now, cpus, stale) = (world.now, world.cpus, world.timing.broadcast);
    let mut rows = Vec::new();
    for (vmid, vm) in &mut world.vms {
        if !world.access.allows(&call.who, &format!("/vms/{vmid}"), &["VM.Audit"]) {
            continue;
        }
        let kind = if vm.container { "lxc" } else { "qemu" };
        let mut row = super::status::row(*vmid, vm, now, cpus);
        for key in ["pid", "serial", "balloon_min", "shares"] {
            row.remove(key);
        }
        if let Some(cpus) = row.remove("cpus") {
            row.insert("maxcpu".to_owned(), cpus);
        }
        let online = world.nodes.get(&vm.node).copied().unwrap_or(false);
        let late = vm.switched.is_some_and(|switched| now.saturating_sub(switched) < stale);
        let running = vm.guest.is_some() != late;
        let status = match (online, running) {
            (false, _) => "unknown",
            (true, true) => "running",
            (true, false) => "stopped",
        };
        row.insert("status".to_owned(), status.into());
        row.insert("id".to_owned(), format!("{kind}/{vmid}").into());
        row.insert("type".to_owned(), kind.into());
        row.insert("node".to_owned(), vm.node.as_str().into());
        if let Some(state) = world.ha.get(vmid) {
            row.insert("hastate".to_owned(), state.as_str().into());
        }
        if let Some(pool) = world.access.pool_of(*vmid)
            && world.access.allows(&call.who, &format!("/pool/{pool}"), &["Pool.Audit"])
        {
            row.insert("pool".to_owned(), pool.into());
        }
        rows.push(row.into());
    }
    rows
}

fn next_id(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    if let Some(wanted) = given(call.text("vmid")) {
        let taken = wanted.trim().parse().is_ok_and(|vmid: u32| world.vms.contains_key(&vmid));
        return if taken {
            Err(Failure::parameter("vmid", format!("VM {wanted} already exists")))
        } else {
            Ok(Reply::Data(wanted.into()))
        };
    }
    let (lower, upper) = world.datacenter.next_id.unwrap_or((100, 1_000_000));
    match (lower..upper).find(|vmid| !world.vms.contains_key(vmid)) {
        // Looked up as the key of a hash it has become a string, and so it is sent.
        Some(free) => Ok(Reply::Data(free.to_string().into())),
        None => Err(Failure::internal(format!("unable to get any free VMID in range [{lower}, {upper}]"))),
    }
}

fn status(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let online = world.nodes.values().filter(|online| **online).count();
    let quorate = i32::from(online * 2 > world.nodes.len());
    let cluster = json!({
        "type": "cluster", "id": "cluster", "name": "sim", "nodes": world.nodes.len(), "quorate": quorate, "version": 1,
    });
    let nodes = world.nodes.iter().enumerate().map(|(number, (name, online))| {
        json!({
            "type": "node",
            "id": format!("node/{name}"),
            "name": name,
            "nodeid": number + 1,
            "online": i32::from(*online),
            "local": i32::from(*name == world.local),
            "level": "",
        })
    });
    Ok(Reply::Data(std::iter::once(cluster).chain(nodes).collect()))
}

fn ha_row(vmid: u32, state: &str) -> Json {
    json!({ "sid": format!("vm:{vmid}"), "type": "vm", "state": state, "max_restart": 1, "max_relocate": 1 })
}

fn ha_resources(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    Ok(Reply::Data(world.ha.iter().map(|(vmid, state)| ha_row(*vmid, state)).collect()))
}

fn ha_resource(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let sid = call.text("sid").unwrap_or_default();
    let vmid = sid.strip_prefix("vm:").unwrap_or(sid).parse().unwrap_or(0);
    match world.ha.get(&vmid) {
        Some(state) => Ok(Reply::Data(ha_row(vmid, state))),
        None => Err(Failure::internal(format!("no such resource '{sid}'"))),
    }
}

fn ha_status(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let quorum = json!({ "id": "quorum", "type": "quorum", "node": world.local, "status": "OK", "quorate": 1 });
    let services = world.ha.iter().map(|(vmid, state)| {
        let node = world.vms.get(vmid).map_or("", |vm| vm.node.as_str());
        json!({
            "id": format!("service:vm:{vmid}"),
            "sid": format!("vm:{vmid}"),
            "type": "service",
            "node": node,
            "request_state": state,
            "state": state,
            "status": format!("vm:{vmid} ({node}, {state})"),
        })
    });
    Ok(Reply::Data(std::iter::once(quorum).chain(services).collect()))
}

fn nodes(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let rows = world.nodes.iter().map(|(name, online)| {
        let mut row = json!({
            "id": format!("node/{name}"),
            "node": name,
            "type": "node",
            "status": if *online { "online" } else { "offline" },
        });
        if let Some(fingerprint) = world.fingerprints.get(name) {
            row["ssl_fingerprint"] = fingerprint.as_str().into();
        }
        if *online && world.access.allows(&call.who, &format!("/nodes/{name}"), &["Sys.Audit"]) {
            row["maxcpu"] = world.cpus.into();
            row["cpu"] = 0.into();
            row["level"] = "".into();
        }
        row
    });
    Ok(Reply::Data(rows.collect()))
}

fn node_status(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    Ok(Reply::Data(json!({
        "uptime": world.now.as_secs(),
        "cpu": 0,
        "cpuinfo": { "cpus": world.cpus, "sockets": 1, "cores": world.cpus },
        "pveversion": "pve-manager/9.2.6/0000000000000000",
        "kversion": "Linux 6.17.2-1-pve",
    })))
}

fn certificates(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let fingerprint = world.fingerprints.get(call.node());
    let rows = fingerprint.map(|fingerprint| json!({ "filename": "pve-ssl.pem", "fingerprint": fingerprint }));
    Ok(Reply::Data(rows.into_iter().collect()))
}

fn storages(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let sees = |name: &str| {
        let wanted = ["Datastore.AllocateSpace", "Datastore.Audit"];
        world.access.check_any(&call.who, &format!("/storage/{name}"), &wanted).is_ok()
    };
    let visible = world.storages.0.iter().filter(|(name, _)| sees(name));
    let rows = visible.map(|(name, storage)| {
        json!({
            "storage": name,
            "type": storage.kind,
            "content": storage.content.join(","),
            "enabled": i32::from(!storage.disabled),
            "active": i32::from(!storage.disabled),
            "shared": 0,
        })
    });
    Ok(Reply::Data(rows.collect()))
}
