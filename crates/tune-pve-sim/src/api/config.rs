//! Reading and changing a machine's options.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Call, Need, Reply, Route, route};
use crate::conf::{Conf, section_json, typed};
use crate::errors::Failure;
use crate::pending;
use crate::schema::methods as params;
use crate::schema::options::CLOUDINIT;
use crate::schema::{Params, Value, split_list, truthy};
use crate::tasks::Job;
use crate::update::Update;
use crate::world::{Holder, World};

const AUDIT: Need = Need::Vm(&["VM.Audit"]);
const CHANGE: Need = Need::AnyVm(&[
    "VM.Config.Disk",
    "VM.Config.CDROM",
    "VM.Config.CPU",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.HWType",
    "VM.Config.Options",
    "VM.Config.Cloudinit",
]);

const BASE: &str = "/nodes/{node}/qemu/{vmid}/config";

pub(super) static ROUTES: [Route; 10] = [
    route("GET", BASE, params::config_get, AUDIT, show),
    route("PUT", BASE, params::config_put, CHANGE, change),
    route("POST", BASE, params::config_post, CHANGE, change_in_task),
    route("GET", "/nodes/{node}/qemu/{vmid}/pending", params::none, AUDIT, show_pending),
    route("GET", "/nodes/{node}/qemu/{vmid}/cloudinit", params::none, AUDIT, show_cloudinit),
    route(
        "PUT",
        "/nodes/{node}/qemu/{vmid}/cloudinit",
        params::none,
        Need::Vm(&["VM.Config.Cloudinit"]),
        renew_cloudinit,
    ),
    route("PUT", "/nodes/{node}/qemu/{vmid}/unlink", params::unlink, Need::Vm(&["VM.Config.Disk"]), unlink),
    route("GET", "/nodes/{node}/qemu/{vmid}/snapshot", params::none, AUDIT, snapshots),
    route("GET", "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}", params::none, Need::Anyone, |_, _| {
        super::index("cmd", &["rollback", "config"])
    }),
    route(
        "GET",
        "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config",
        params::none,
        Need::AnyVm(&["VM.Snapshot", "VM.Snapshot.Rollback", "VM.Audit"]),
        snapshot,
    ),
];

const HIDDEN: &str = "**********";

fn snapshot_section<'a>(conf: &'a Conf, name: &str) -> Result<&'a crate::conf::Section, Failure> {
    conf.snapshots.get(name).ok_or_else(|| Failure::internal(format!("snapshot '{name}' does not exist")))
}

fn show(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.text("snapshot").filter(|name| truthy(name));
    if name.is_some() && call.flag("current") {
        let message = "cannot use 'snapshot' parameter with 'current'";
        let errors = ["snapshot", "current"].map(|key| (key.to_owned(), message.to_owned()));
        return Err(Failure::parameters(errors.into()));
    }
    let conf = world.load(call.node(), call.vmid())?;
    let section = match name {
        Some(name) => snapshot_section(&conf, name)?.clone(),
        None if call.flag("current") => conf.main.clone(),
        None => pending::merged(&conf),
    };
    let mut data = section_json(&section);
    if data.contains_key("cipassword") {
        data.insert("cipassword".to_owned(), Json::from(HIDDEN));
    }
    data.insert("digest".to_owned(), Json::from(conf.digest.clone()));
    Ok(Reply::Data(data.into()))
}

fn show_pending(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let conf = world.load(call.node(), call.vmid())?;
    let mut deletes = pending::deletes(&conf);
    let hidden = |key: &str| key == "cipassword";
    // The blank lets a client see that the hidden value is another one.
    let new_value = |key: &str, value: &str| {
        if hidden(key) { format!("{HIDDEN} ").into() } else { typed(key, value) }
    };
    let mut rows = vec![json!({ "key": "digest", "value": conf.digest })];
    for (key, value) in &conf.main {
        let mut row = json!({ "key": key, "value": if hidden(key) { HIDDEN.into() } else { typed(key, value) } });
        if let Some(value) = conf.pending.get(key) {
            row["pending"] = new_value(key, value);
        }
        if let Some(force) = deletes.remove(key) {
            row["delete"] = if force { 2 } else { 1 }.into();
        }
        rows.push(row);
    }
    let only_new = conf.pending.iter().filter(|(key, _)| *key != "delete" && !conf.main.contains_key(*key));
    rows.extend(only_new.map(|(key, value)| json!({ "key": key, "pending": new_value(key, value) })));
    // What is to be removed but is not there is always shown as forced.
    rows.extend(deletes.keys().map(|key| json!({ "key": key, "delete": 2 })));
    Ok(Reply::Data(rows.into()))
}

fn show_cloudinit(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let mut conf = world.load(call.node(), call.vmid())?;
    let mut made = conf.special.remove("cloudinit").unwrap_or_default();
    for section in [&mut conf.main, &mut made] {
        section.entry("cipassword".to_owned()).and_modify(|value| HIDDEN.clone_into(value));
    }
    let added = made.remove("added").unwrap_or_default();
    let value = |key: &str| conf.main.get(key).filter(|value| truthy(value)).map(|value| typed(key, value));
    let mut rows: Vec<Json> =
        split_list(&added).into_iter().map(|key| json!({ "key": key, "pending": value(key) })).collect();
    for key in CLOUDINIT.into_iter().filter(|key| !added.contains(key)) {
        let Some(now) = value(key) else { continue };
        rows.push(match made.get(key).filter(|old| truthy(old)) {
            Some(old) => json!({ "key": key, "value": typed(key, old), "pending": now }),
            None => json!({ "key": key, "value": now }),
        });
    }
    let gone = made.keys().filter(|key| value(key).is_none());
    rows.extend(gone.map(|key| json!({ "key": key, "delete": 1 })));
    Ok(Reply::Data(rows.into()))
}

fn renew_cloudinit(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let act = call.act();
    world.lock_for_now(act.vmid, None)?;
    let mut conf = world.load(act.node, act.vmid)?;
    crate::world::check_lock(&conf)?;
    if crate::drive::cloudinit_key(&conf.main, "").is_some() && conf.special.remove("cloudinit").is_some() {
        world.save(act.node, act.vmid, &mut conf)?;
    }
    Reply::NULL
}

fn change(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    change_now(world, call, call.own_params())
}

/// Changes options within the call. While devices take their time, the machine's lock stays taken.
fn change_now(world: &mut World, call: &Call, own: Params) -> Result<Reply, Failure> {
    let act = call.act();
    let mut update = Update::prepare(world, &act, own)?;
    update.check(world, &act, false)?;
    world.lock_for_now(act.vmid, None)?;
    world.busy.clear();
    let result = update.apply(world, &act);
    let busy: Duration = world.busy.iter().map(|(_, _, time)| *time).sum();
    if busy > Duration::ZERO {
        world.lock(act.vmid, Holder::Until(world.now + busy))?;
    }
    result.and(Reply::NULL)
}

fn change_in_task(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let act = call.act();
    let mut update = Update::prepare(world, &act, call.own_params())?;
    update.check(world, &act, false)?;
    let job = Job::Update { vmid: act.vmid, update: Box::new(update) };
    let upid = world.new_task(act.node, "qmconfig", &act.vmid.to_string(), act.who, job);
    match call.number("background_delay") {
        Some(seconds) => Ok(Reply::Wait { upid, vmid: act.vmid, time: Duration::from_secs(seconds) }),
        None => Ok(Reply::Data(upid.into())),
    }
}

fn unlink(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let mut own = Params::from([("delete".to_owned(), call.params["idlist"].clone())]);
    if let Some(force) = call.params.get("force") {
        own.insert("force".to_owned(), force.clone());
    }
    for key in split_list(call.text("idlist").unwrap_or_default()) {
        if !key.starts_with("unused") && !crate::drive::is_drive_key(key) {
            return Err(Failure::parameter("idlist", "not a disk"));
        }
    }
    own.retain(|_, value| *value != Value::Undef);
    change_now(world, call, own)
}

fn snapshots(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (node, vmid) = (call.node(), call.vmid());
    let conf = world.load(node, vmid)?;
    let running = i32::from(world.running(node, vmid)?);
    let mut rows = Vec::new();
    for (name, section) in &conf.snapshots {
        let mut row = json!({
            "name": name,
            "snaptime": section.get("snaptime").and_then(|time| time.parse::<u64>().ok()).unwrap_or(0),
            "vmstate": i32::from(section.contains_key("vmstate")),
            "description": section.get("description").map_or("", String::as_str),
        });
        for key in ["parent", "snapstate"] {
            if let Some(value) = section.get(key) {
                row[key] = value.as_str().into();
            }
        }
        rows.push(row);
    }
    let mut current =
        json!({ "name": "current", "digest": conf.digest, "running": running, "description": "You are here!" });
    if let Some(parent) = conf.main.get("parent") {
        current["parent"] = parent.as_str().into();
    }
    rows.push(current);
    Ok(Reply::Data(rows.into()))
}

fn snapshot(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let conf = world.load(call.node(), call.vmid())?;
    let mut data = section_json(snapshot_section(&conf, call.text("snapname").unwrap_or_default())?);
    data.entry("cipassword").and_modify(|value| *value = HIDDEN.into());
    Ok(Reply::Data(data.into()))
}
