//! Putting the cluster into a state that is given as JSON, in the form of the recordings.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use crate::access::{Access, Pool, Rule, Token, User, built_in_roles};
use crate::guest::Flags;
use crate::schema::formats::parse_size;
use crate::schema::split_list;
use crate::storage::Storage;
use crate::world::{Datacenter, Vm, World};

/// A number that may be written as a text, or a JSON boolean.
fn number(value: &Json) -> Option<f64> {
    match value {
        Json::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Json::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    }
}

fn truthy(value: &Json) -> bool {
    number(value).is_some_and(|number| number != 0.0)
}

fn seconds_since_1970(value: &Json) -> i64 {
    value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}

fn text(value: &Json, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn rows<'a>(state: &'a Json, key: &str) -> Result<&'a [Json], String> {
    match &state[key] {
        Json::Null => Ok(&[]),
        Json::Array(rows) => Ok(rows),
        _ => Err(format!("`{key}` is not a list")),
    }
}

fn object<'a>(state: &'a Json, key: &str) -> Result<Option<&'a Map<String, Json>>, String> {
    match &state[key] {
        Json::Null => Ok(None),
        Json::Object(map) => Ok(Some(map)),
        _ => Err(format!("`{key}` is not an object")),
    }
}

impl Flags {
    /// Reads the flags of a machine's guest; what is missing has its default.
    pub(crate) fn from_json(json: &Json) -> Self {
        let mut flags = Flags::default();
        let seconds = |key: &str, default: f64| number(&json[key]).unwrap_or(default);
        flags.guest_shutdown_seconds = seconds("guest_shutdown_seconds", flags.guest_shutdown_seconds);
        flags.restart_delay_seconds = seconds("restart_delay_seconds", flags.restart_delay_seconds);
        flags.guest_agent = truthy(&json["guest_agent"]);
        flags.guest_ignores_shutdown = truthy(&json["guest_ignores_shutdown"]);
        flags.start_fails = truthy(&json["start_fails"]);
        flags.unplug_busy = truthy(&json["unplug_busy"]);
        flags.plug_fails = truthy(&json["plug_fails"]);
        flags.no_restart_leg = truthy(&json["no_restart_leg"]);
        flags
    }
}

impl Datacenter {
    /// Reads the file `datacenter.cfg`.
    pub(crate) fn parse(file: &str) -> Self {
        let mut datacenter = Datacenter::default();
        for (key, value) in file.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            let options = || value.split(',').filter_map(|part| part.split_once('='));
            match key.trim() {
                "registered-tags" => datacenter.registered_tags = list(value),
                "mac_prefix" => datacenter.mac_prefix = Some(value.to_owned()),
                "tag-style" => {
                    for (option, setting) in options() {
                        match option {
                            "case-sensitive" => {
                                datacenter.case_sensitive_tags = matches!(setting, "1" | "on" | "yes" | "true");
                            }
                            "ordering" => datacenter.tags_in_order = setting == "config",
                            _ => {}
                        }
                    }
                }
                "user-tag-access" => {
                    for (option, setting) in options() {
                        match option {
                            "user-allow" => datacenter.user_tags = Some(setting.to_owned()),
                            "user-allow-list" => datacenter.user_tag_list = list(setting),
                            _ => {}
                        }
                    }
                }
                "next-id" => {
                    let bound = |name: &str, default: u32| {
                        let found = options().find(|(option, _)| *option == name);
                        found.and_then(|(_, setting)| setting.parse().ok()).unwrap_or(default)
                    };
                    datacenter.next_id = Some((bound("lower", 100), bound("upper", 1_000_000)));
                }
                _ => {}
            }
        }
        datacenter
    }
}

fn list(text: &str) -> BTreeSet<String> {
    split_list(text).into_iter().map(str::to_owned).collect()
}

impl World {
    /// Forgets everything and starts from a state.
    pub(crate) fn load_state(&mut self, state: &Json) -> Result<(), String> {
        let mut next = World::new(self.random.next(), self.epoch);
        next.now = self.now;
        next.timing = self.timing.clone();
        next.secret.clone_from(&self.secret);
        next.fingerprints.clone_from(&self.fingerprints);
        next.fill(state)?;
        *self = next;
        Ok(())
    }

    fn fill(&mut self, state: &Json) -> Result<(), String> {
        if let Some(node) = state["node"].as_str() {
            node.clone_into(&mut self.local);
        }
        self.nodes =
            rows(state, "nodes")?.iter().filter_map(Json::as_str).map(|node| (node.to_owned(), true)).collect();
        self.nodes.insert(self.local.clone(), true);
        self.datacenter = Datacenter::parse(state["datacenter_cfg"].as_str().unwrap_or_default());
        self.fill_access(state)?;
        self.fill_storages(state)?;
        let host = &state["host"];
        if let Some(cpus) = host["cpus"].as_u64() {
            self.cpus = cpus;
        }
        if let Some(bridges) = host["bridges"].as_array() {
            self.bridges = bridges.iter().filter_map(Json::as_str).map(str::to_owned).collect();
        }
        if let Some(version) = host["qemu_version"].as_str() {
            version.clone_into(&mut self.qemu_version);
        }
        for (name, resource) in object(state, "ha_resources")?.into_iter().flatten() {
            let vmid = name.strip_prefix("vm:").and_then(|vmid| vmid.parse().ok());
            let vmid = vmid.ok_or_else(|| format!("`{name}` is not a HA resource"))?;
            self.ha.insert(vmid, resource["state"].as_str().unwrap_or("started").to_owned());
        }
        for (name, vm) in object(state, "vms")?.into_iter().flatten() {
            let vmid: u32 = name.parse().map_err(|_| format!("`{name}` is not the number of a machine"))?;
            self.fill_vm(vmid, vm);
        }
        Ok(())
    }

    fn fill_vm(&mut self, vmid: u32, state: &Json) {
        let node = state["node"].as_str().unwrap_or(&self.local).to_owned();
        let mut vm = Vm::new(&node, text(state, "config").into_bytes());
        vm.container = state["type"].as_str() == Some("lxc");
        vm.flags = Flags::from_json(state);
        self.vms.insert(vmid, vm);
        if truthy(&state["running"]) {
            self.was_running(&node, vmid);
        }
    }

    fn fill_access(&mut self, state: &Json) -> Result<(), String> {
        let mut access = Access::new();
        for user in rows(state, "users")? {
            let enabled = user.get("enable").is_none_or(truthy);
            let password = user["password"].as_str().map(str::to_owned);
            let user_state = User { enabled, expire: seconds_since_1970(&user["expire"]), password };
            access.users.insert(text(user, "userid"), user_state);
        }
        for token in rows(state, "tokens")? {
            let separated = token.get("privsep").is_none_or(truthy);
            let expire = seconds_since_1970(&token["expire"]);
            let token_state = Token { separated, expire, secret: text(token, "secret") };
            access.tokens.insert(text(token, "tokenid"), token_state);
        }
        access.roles = built_in_roles();
        for (role, privileges) in object(state, "roles")?.into_iter().flatten() {
            access.roles.insert(role.clone(), list(privileges.as_str().unwrap_or_default()));
        }
        for row in rows(state, "acl")? {
            let propagate = row.get("propagate").is_none_or(truthy);
            let kind = row["type"].as_str().unwrap_or("user").to_owned();
            access.add_rule(Rule {
                path: text(row, "path"),
                kind,
                who: text(row, "ugid"),
                role: text(row, "role"),
                propagate,
            });
        }
        let names = |value: &Json| -> BTreeSet<String> {
            value.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
        };
        for group in rows(state, "groups")? {
            access.groups.insert(text(group, "groupid"), names(&group["members"]));
        }
        for pool in rows(state, "pools")? {
            let members = pool["vms"].as_array().into_iter().flatten().filter_map(number);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "machine numbers are small")]
            let vms = members.map(|vmid| vmid as u32).collect();
            access.pools.insert(text(pool, "poolid"), Pool { vms, storages: names(&pool["storages"]) });
        }
        self.access = access;
        Ok(())
    }

    fn fill_storages(&mut self, state: &Json) -> Result<(), String> {
        for storage in rows(state, "storages")? {
            let row = Storage {
                kind: text(storage, "type"),
                path: text(storage, "path"),
                content: split_list(storage["content"].as_str().unwrap_or_default())
                    .into_iter()
                    .map(str::to_owned)
                    .collect(),
                disabled: truthy(&storage["disable"]),
                volumes: std::collections::BTreeMap::new(),
            };
            self.storages.0.insert(text(storage, "storage"), row);
        }
        for (storage, volumes) in object(state, "volumes")?.into_iter().flatten() {
            let Some(row) = self.storages.0.get_mut(storage) else {
                return Err(format!("there are volumes on `{storage}`, which is no storage"));
            };
            for volume in volumes.as_array().into_iter().flatten().filter_map(Json::as_str) {
                let parsed = volume.rsplit_once(':').and_then(|(name, size)| Some((name, parse_size(size)?)));
                let (name, bytes) = parsed.ok_or_else(|| format!("`{volume}` is not a volume with its size"))?;
                row.volumes.insert(name.to_owned(), bytes);
            }
        }
        Ok(())
    }
}
