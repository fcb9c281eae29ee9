//! `POST /_control`: what a recording's replayer asks for behind the API, one JSON object for each request.

use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use crate::drive::{Drive, Refused};
use crate::guest::Flags;
use crate::schema::drive::drive_props;
use crate::schema::property::Parsed;
use crate::schema::{Kind, Prop};
use crate::shared::Shared;
use crate::world::{Holder, World};

/// Longest time to wait for a machine to settle, in the cluster's time.
const SETTLE: Duration = Duration::from_mins(1);

/// Does what a request asks for; a failure is an object with `error`.
pub(crate) async fn control(shared: &Shared, body: &[u8]) -> Json {
    let message: Json = match serde_json::from_slice(body) {
        Ok(message) => message,
        Err(error) => return json!({ "error": format!("the request is not JSON: {error}") }),
    };
    if message["op"] == "settle" {
        return settle(shared, &message).await;
    }
    shared.with(|world| act(world, &message)).unwrap_or_else(|error| json!({ "error": error }))
}

async fn settle(shared: &Shared, message: &Json) -> Json {
    let Ok(vmid) = vmid(message) else { return json!({ "error": "there is no `vmid`" }) };
    let end = shared.clock.now() + SETTLE;
    while shared.with(|world| world.vms.get(&vmid).is_some_and(|vm| vm.cleanups > 0)) {
        if shared.clock.now() > end {
            return json!({ "error": "the machine does not settle" });
        }
        shared.clock.sleep(Duration::from_millis(10)).await;
    }
    json!({})
}

fn act(world: &mut World, message: &Json) -> Result<Json, String> {
    let text = |key: &str| message[key].as_str().ok_or_else(|| format!("there is no `{key}`"));
    match text("op")? {
        "load_state" => world.load_state(&message["state"])?,
        "get_configs" => return Ok(configs(world)),
        "write_config" | "restore_config" => {
            let config = text("config")?.as_bytes().to_vec();
            let vmid = vmid(message)?;
            if let Some(vm) = world.vms.get_mut(&vmid) {
                vm.set_raw(config);
            } else {
                let vm = crate::world::Vm::new(&world.local, config);
                world.vms.insert(vmid, vm);
            }
        }
        "flags" => machine(world, message)?.flags = Flags::from_json(&message["flags"]),
        "guest_poweroff" => world.power_off(vmid(message)?),
        "move_vm" => text("to")?.clone_into(&mut machine(world, message)?.node),
        "hold_lock" => {
            let seconds = message["seconds"].as_f64().unwrap_or(0.0);
            let end = world.now + crate::guest::seconds(seconds);
            let vmid = vmid(message)?;
            world.unlock(vmid);
            world.lock(vmid, Holder::Until(end)).map_err(|failure| failure.task_text())?;
        }
        "release_lock" => world.unlock(vmid(message)?),
        "parse_drive" => return Ok(parse_drive(text("key")?, text("input")?)),
        other => return Err(format!("there is no `{other}`")),
    }
    Ok(json!({}))
}

fn vmid(message: &Json) -> Result<u32, String> {
    let vmid = &message["vmid"];
    let text = vmid.as_str().map_or_else(|| vmid.to_string(), str::to_owned);
    let number = text.split('@').next().unwrap_or_default();
    number.parse().map_err(|_| format!("`{text}` is not the number of a machine"))
}

fn machine<'a>(world: &'a mut World, message: &Json) -> Result<&'a mut crate::world::Vm, String> {
    let vmid = vmid(message)?;
    world.vms.get_mut(&vmid).ok_or_else(|| format!("there is no machine {vmid}"))
}

/// All configuration files; those of other nodes have the node in their key, and bytes that are not UTF-8 are escaped.
fn configs(world: &World) -> Json {
    let files = world.vms.iter().filter(|(_, vm)| !vm.container).map(|(vmid, vm)| {
        let key = if vm.node == world.local { vmid.to_string() } else { format!("{vmid}@{}", vm.node) };
        (key, Json::from(escaped(&vm.raw)))
    });
    Json::Object(files.collect())
}

fn escaped(raw: &[u8]) -> String {
    let mut text = String::new();
    for chunk in raw.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// A drive parameter through the parser and the printer.
fn parse_drive(key: &str, input: &str) -> Json {
    match Drive::try_parse(key, input, true) {
        Ok(drive) => json!({ "ok": true, "parsed": typed(&drive), "printed": drive.print(), "errors": {} }),
        Err(Refused::Key) => json!({ "ok": false, "invalid_key": true, "errors": {} }),
        Err(Refused::Schema(error)) => json!({ "ok": false, "errors": { key: format!("invalid format - {error}") } }),
        Err(Refused::Together) => {
            json!({ "ok": false, "errors": {}, "semantic_error": "unable to parse drive options" })
        }
    }
}

/// The sub-options with numbers where the parser leaves numbers: booleans and the size.
fn typed(drive: &Drive) -> Json {
    let props = drive_props(drive.bus, true);
    let number = |key: &str, prop: Option<&Prop>| key == "size" || prop.is_some_and(|prop| prop.kind == Kind::Boolean);
    let options: &Parsed = &drive.options;
    let typed: Map<String, Json> = options
        .iter()
        .map(|(key, value)| {
            let prop = props.and_then(|props| props.table.get(key.as_str()));
            let parsed = number(key, prop).then(|| value.parse::<u64>().ok()).flatten();
            (key.clone(), parsed.map_or_else(|| Json::from(value.as_str()), Json::from))
        })
        .collect();
    Json::Object(typed)
}
