//! The guest agent.

use serde_json::{Value as Json, json};

use super::{Call, Need, Reply, Route, index, route};
use crate::errors::Failure;
use crate::guest::{Guest, agent_enabled};
use crate::schema::Value;
use crate::schema::methods as params;
use crate::world::World;

/// Commands that take nothing.
pub(crate) const SIMPLE_COMMANDS: [&str; 20] = [
    "fsfreeze-freeze",
    "fsfreeze-status",
    "fsfreeze-thaw",
    "fstrim",
    "get-fsinfo",
    "get-host-name",
    "get-memory-block-info",
    "get-memory-blocks",
    "get-osinfo",
    "get-time",
    "get-timezone",
    "get-users",
    "get-vcpus",
    "info",
    "network-get-interfaces",
    "ping",
    "shutdown",
    "suspend-disk",
    "suspend-hybrid",
    "suspend-ram",
];

const NAMES: [&str; 25] = [
    "exec",
    "exec-status",
    "file-read",
    "file-write",
    "fsfreeze-freeze",
    "fsfreeze-status",
    "fsfreeze-thaw",
    "fstrim",
    "get-fsinfo",
    "get-host-name",
    "get-memory-block-info",
    "get-memory-blocks",
    "get-osinfo",
    "get-time",
    "get-timezone",
    "get-users",
    "get-vcpus",
    "info",
    "network-get-interfaces",
    "ping",
    "set-user-password",
    "shutdown",
    "suspend-disk",
    "suspend-hybrid",
    "suspend-ram",
];

const AUDIT: Need = Need::AnyVm(&["VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted"]);
const FILES: Need = Need::AnyVm(&["VM.GuestAgent.FileSystemMgmt", "VM.GuestAgent.Unrestricted"]);
const READ: Need = Need::AnyVm(&["VM.GuestAgent.FileRead", "VM.GuestAgent.Unrestricted"]);
const WRITE: Need = Need::AnyVm(&["VM.GuestAgent.FileWrite", "VM.GuestAgent.Unrestricted"]);
const ALL: Need = Need::Vm(&["VM.GuestAgent.Unrestricted"]);
const SWITCH: Need = Need::AnyVm(&["VM.PowerMgmt", "VM.GuestAgent.Unrestricted"]);

macro_rules! simple {
    ($method:literal, $name:literal, $need:expr) => {
        route($method, concat!("/nodes/{node}/qemu/{vmid}/agent/", $name), params::none, $need, |world, call| {
            simple(world, call, $name)
        })
    };
}

pub(super) static ROUTES: [Route; 27] = [
    route("GET", "/nodes/{node}/qemu/{vmid}/agent", params::none, Need::Anyone, |_, _| index("name", &NAMES)),
    route("POST", "/nodes/{node}/qemu/{vmid}/agent", params::agent, ALL, |world, call| {
        simple(world, call, call.text("command").unwrap_or_default())
    }),
    simple!("POST", "fsfreeze-freeze", FILES),
    simple!("POST", "fsfreeze-status", FILES),
    simple!("POST", "fsfreeze-thaw", FILES),
    simple!("POST", "fstrim", FILES),
    simple!("GET", "get-fsinfo", AUDIT),
    simple!("GET", "get-host-name", AUDIT),
    simple!("GET", "get-memory-block-info", AUDIT),
    simple!("GET", "get-memory-blocks", AUDIT),
    simple!("GET", "get-osinfo", AUDIT),
    simple!("GET", "get-time", AUDIT),
    simple!("GET", "get-timezone", AUDIT),
    simple!("GET", "get-users", AUDIT),
    simple!("GET", "get-vcpus", AUDIT),
    simple!("GET", "info", AUDIT),
    simple!("GET", "network-get-interfaces", AUDIT),
    simple!("POST", "ping", AUDIT),
    simple!("POST", "shutdown", SWITCH),
    simple!("POST", "suspend-disk", SWITCH),
    simple!("POST", "suspend-hybrid", SWITCH),
    simple!("POST", "suspend-ram", SWITCH),
    route("POST", "/nodes/{node}/qemu/{vmid}/agent/exec", params::agent_exec, ALL, exec),
    route("GET", "/nodes/{node}/qemu/{vmid}/agent/exec-status", params::agent_exec_status, ALL, exec_status),
    route("GET", "/nodes/{node}/qemu/{vmid}/agent/file-read", params::agent_file_read, READ, file_read),
    route("POST", "/nodes/{node}/qemu/{vmid}/agent/file-write", params::agent_file_write, WRITE, |world, call| {
        agent(world, call)?;
        Reply::NULL
    }),
    route("POST", "/nodes/{node}/qemu/{vmid}/agent/set-user-password", params::agent_password, ALL, |world, call| {
        agent(world, call)?;
        Ok(Reply::Data(json!({ "result": {} })))
    }),
];

/// The guest whose agent answers.
fn agent<'a>(world: &'a mut World, call: &Call) -> Result<&'a mut Guest, Failure> {
    let (node, vmid) = (call.node(), call.vmid());
    let conf = world.load(node, vmid)?;
    if !agent_enabled(&conf) {
        return Err(Failure::internal("No QEMU guest agent configured"));
    }
    if !world.running(node, vmid)? {
        return Err(Failure::internal(format!("VM {vmid} is not running")));
    }
    let answers = world.vm(node, vmid).filter(|vm| vm.flags.guest_agent);
    let guest = answers.and_then(|vm| vm.guest.as_mut()).filter(|guest| !guest.paused);
    guest.ok_or_else(|| Failure::internal("QEMU guest agent is not running"))
}

fn simple(world: &mut World, call: &Call, command: &str) -> Result<Reply, Failure> {
    let unix = world.unix();
    let name = world.load(call.node(), call.vmid())?.truthy("name").unwrap_or("guest").to_owned();
    let guest = agent(world, call)?;
    let mut off = false;
    let result = match command {
        "fsfreeze-freeze" | "fsfreeze-thaw" => {
            guest.frozen = command == "fsfreeze-freeze";
            json!(1)
        }
        "fsfreeze-status" => json!(if guest.frozen { "frozen" } else { "thawed" }),
        "fstrim" => json!({ "paths": [] }),
        "get-fsinfo" => json!([{ "name": "sda1", "mountpoint": "/", "type": "ext4", "disk": [] }]),
        "get-host-name" => json!({ "host-name": name }),
        "get-memory-block-info" => json!({ "size": 134_217_728 }),
        "get-memory-blocks" | "get-users" => json!([]),
        "get-osinfo" => json!({ "id": "debian", "name": "Debian GNU/Linux", "version-id": "12" }),
        "get-time" => json!(unix.saturating_mul(1_000_000_000)),
        "get-timezone" => json!({ "zone": "UTC", "offset": 0 }),
        "get-vcpus" => (0..guest.vcpus)
            .map(|cpu| json!({ "logical-id": cpu, "online": true, "can-offline": cpu > 0 }))
            .collect::<Json>(),
        "info" => json!({ "version": "10.2.0", "supported_commands": [] }),
        "network-get-interfaces" => json!([{ "name": "lo", "hardware-address": "00:00:00:00:00:00" }]),
        "shutdown" => {
            off = true;
            json!({})
        }
        _ => json!({}),
    };
    if off {
        world.request_shutdown(call.vmid());
    }
    Ok(Reply::Data(json!({ "result": result })))
}

/// Runs a command; `false` and `sh -c 'exit N'` fail as they would, everything else succeeds without output.
fn exec(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let number = world.unique();
    let Some(Value::Array(words)) = call.params.get("command").cloned() else { return Reply::NULL };
    let words: Vec<&str> = words.iter().filter_map(Value::text).collect();
    let exit = words.last().and_then(|word| word.trim().strip_prefix("exit ")?.parse().ok());
    let code = exit.unwrap_or(u64::from(words.first().is_some_and(|word| word.ends_with("false"))));
    let guest = agent(world, call)?;
    guest.commands.insert(number, code);
    Ok(Reply::Data(json!({ "pid": number })))
}

fn exec_status(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let number = call.number("pid").unwrap_or_default();
    let guest = agent(world, call)?;
    match guest.commands.remove(&number) {
        Some(code) => Ok(Reply::Data(json!({ "exited": 1, "exitcode": code }))),
        None => Err(Failure::internal(format!("Agent error: PID {number} does not exist"))),
    }
}

fn file_read(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let file = call.text("file").unwrap_or_default().to_owned();
    let name = world.load(call.node(), call.vmid())?.truthy("name").unwrap_or("guest").to_owned();
    agent(world, call)?;
    if file != "/etc/hostname" {
        let message = format!("Agent error: failed to open file '{file}' (mode: 'r'): No such file or directory");
        return Err(Failure::internal(message));
    }
    Ok(Reply::Data(json!({ "content": format!("{name}\n"), "bytes-read": name.len() + 1 })))
}
