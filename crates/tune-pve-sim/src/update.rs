//! Changing a machine's options: the checks before, the writing key by key, and taking over what can be taken over at once.

use std::collections::BTreeSet;

use crate::access::ROOT;
use crate::conf::{Conf, current_memory};
use crate::disks::{Act, check_drive_privileges};
use crate::drive::is_drive_key;
use crate::errors::Failure;
use crate::net;
use crate::options_check::{self, print_boot_order};
use crate::pending;
use crate::schema::property::parse_property_string;
use crate::schema::{Params, Value, options, split_list, truthy};
use crate::world::{World, check_lock};

/// A checked request to change options.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    /// The new values; a value that was not given at all is refused when it is written.
    params: Params,
    delete: Vec<String>,
    revert: BTreeSet<String>,
    digest: Option<String>,
    skip_lock: bool,
    force: bool,
    /// What the task's log says about it.
    line: String,
}

impl Update {
    /// Takes the parameters of a call apart and checks them as far as that goes without the configuration.
    pub(crate) fn prepare(world: &mut World, act: &Act<'_>, mut params: Params) -> Result<Self, Failure> {
        let digest = take_text(&mut params, "digest");
        params.remove("background_delay");
        params.remove("import-working-storage");
        let line = log_line(&params);
        let skip_lock = params.remove("skiplock").is_some_and(|value| value.is_true());
        if skip_lock && act.who != ROOT {
            return Err(Failure::parameter("skiplock", "Only root may use this option."));
        }
        let delete_list = take_list(&mut params, "delete");
        let revert_list = take_list(&mut params, "revert");
        let force = params.remove("force").is_some_and(|value| value.is_true());
        options_check::check_ssh_keys(&params)?;
        clamp_cpu_units(&mut params);
        if !truthy(&delete_list) && !truthy(&revert_list) && params.is_empty() {
            return Err(Failure::internal("no options specified"));
        }
        resolve_cdrom(&mut params);
        let (revert, delete) = lists(&params, &revert_list, &delete_list)?;
        options_check::check_drives(world, &mut params)?;
        options_check::complete(world, &mut params)?;
        options_check::check_privileges(world, act, delete.iter().map(String::as_str))?;
        options_check::check_privileges(world, act, params.keys().map(String::as_str))?;
        options_check::check_storage_access(world, act, &params)?;
        options_check::check_bridges(world, act, &params)?;
        Ok(Update { params, delete, revert, digest, skip_lock, force, line })
    }

    /// Loads the configuration and checks what depends on it.
    pub(crate) fn check(&mut self, world: &mut World, act: &Act<'_>, last: bool) -> Result<Conf, Failure> {
        let conf = world.load(act.node, act.vmid)?;
        if self.digest.as_ref().is_some_and(|digest| truthy(digest) && *digest != conf.digest) {
            return Err(Failure::internal("checksum mismatch (file change by other user?)"));
        }
        let mut judged = conf.clone();
        if self.delete.iter().any(|key| key == "vmstate") {
            if conf.main.get("lock").is_some_and(|lock| lock == "suspended") {
                judged.main.remove("lock");
                if last {
                    self.delete.push("lock".to_owned());
                }
            }
            if last {
                let left_over = ["runningmachine", "runningcpu", "running-nets-host-mtu"];
                self.delete
                    .extend(left_over.iter().filter(|key| conf.truthy(key).is_some()).map(|key| (*key).to_owned()));
            }
        }
        if !self.skip_lock {
            check_lock(&judged)?;
        }
        for key in self.revert.clone() {
            if let Some(value) = conf.main.get(&key) {
                self.params.insert(key, Value::Text(value.clone()));
            } else if conf.pending.contains_key(&key) && last {
                self.delete.push(key);
            }
        }
        self.check_balloon(&conf)?;
        Ok(conf)
    }

    fn check_balloon(&self, conf: &Conf) -> Result<(), Failure> {
        let given = |key: &str| self.params.get(key).and_then(Value::text);
        let memory = given("memory").filter(|memory| truthy(memory));
        let balloon = given("balloon");
        if memory.is_none() && balloon.is_none() {
            return Ok(());
        }
        let stored = |key: &str| {
            let waiting = conf.pending.get(key).filter(|value| truthy(value));
            waiting.or_else(|| conf.main.get(key)).map(String::as_str)
        };
        let most = current_memory(memory.or_else(|| stored("memory")));
        let wanted = balloon.or_else(|| stored("balloon")).map_or(0.0, crate::numbers::leading_number);
        #[expect(clippy::cast_precision_loss)]
        if wanted > most as f64 {
            let message = "balloon value too large (must be smaller than assigned memory)";
            return Err(Failure::internal(message));
        }
        Ok(())
    }

    /// Does all of it, under the machine's lock: writes each key by itself into what waits, then takes over what can be.
    pub(crate) fn apply(&mut self, world: &mut World, act: &Act<'_>) -> Result<(), Failure> {
        let conf = self.check(world, act, true)?;
        let line = format!("update VM {}: {}", act.vmid, self.line);
        world.say(act, &line);
        let mut order = boot_order(&conf);
        let mut modified = BTreeSet::new();
        for key in self.delete.clone() {
            self.delete_one(world, act, &key, &mut order, &mut modified)?;
        }
        let mut keys: Vec<String> = self.params.keys().cloned().collect();
        world.random.shuffle(&mut keys);
        for key in keys {
            self.set_one(world, act, &key, &mut order, &mut modified)?;
        }
        let mut conf = world.load(act.node, act.vmid)?;
        if pending::clean_up(&mut conf) {
            world.save(act.node, act.vmid, &mut conf)?;
        }
        if conf.pending.is_empty() {
            return Ok(());
        }
        let running = world.running(act.node, act.vmid)?;
        let mut conf = world.load(act.node, act.vmid)?;
        let errors = if running {
            world.hotplug_pending(act, &mut conf, &modified)?
        } else {
            world.apply_pending(act, &mut conf)?
        };
        if errors.is_empty() { Ok(()) } else { Err(Failure::parameters(errors)) }
    }

    fn delete_one(
        &self,
        world: &mut World,
        act: &Act<'_>,
        key: &str,
        order: &mut Vec<String>,
        modified: &mut BTreeSet<String>,
    ) -> Result<(), Failure> {
        let mut conf = world.load(act.node, act.vmid)?;
        let Some(value) = conf.main.get(key).or_else(|| conf.pending.get(key)).cloned() else { return Ok(()) };
        modified.insert(key.to_owned());
        let was_pending = conf.pending.remove(key);
        if order.iter().any(|device| device == key) {
            order.retain(|device| device != key);
            conf.pending.insert("boot".to_owned(), print_boot_order(order));
            modified.insert("boot".to_owned());
        }
        let protection = conf.truthy("protection").is_some();
        let protected = |what: String| {
            if protection { Err(Failure::internal(format!("{what} - protection mode enabled"))) } else { Ok(()) }
        };
        if key.starts_with("unused") || key == "vmstate" {
            let force = key == "vmstate";
            let file = if force { value.clone() } else { unused_file(key, &value) };
            let what = if force { "vmstate" } else { "unused disk" };
            protected(format!("can't remove {what} '{file}'"))?;
            if !force {
                world.access.check_vm(act.who, act.vmid, &["VM.Config.Disk"])?;
            }
            let options = [("file".to_owned(), file)].into();
            let drive = crate::drive::Drive { bus: "unused", index: 0, options };
            if world.free_drive(act, &conf, key, &drive, force)? {
                conf.main.remove(key);
                world.save(act.node, act.vmid, &mut conf)?;
            }
            return Ok(());
        }
        if is_drive_key(key) {
            protected(format!("can't remove drive '{key}'"))?;
            check_drive_privileges(&world.access, act.who, act.vmid, key, &value)?;
            if was_pending.is_some()
                && let Some(drive) = crate::drive::Drive::parse(key, &value)
            {
                world.register_unused(act, &mut conf, &drive)?;
            }
        } else if key == "tags" {
            world.check_tags(act.who, act.vmid, &value, "")?;
            conf.main.remove(key);
            return world.save(act.node, act.vmid, &mut conf);
        } else {
            options_check::check_value_privileges(world, act, key, &value, "delete")?;
            if key.starts_with("net")
                && let Some(current) = conf.main.get(key)
            {
                options_check::check_bridge(world, act, current)?;
            }
        }
        pending::add_delete(&mut conf, key, self.force);
        world.save(act.node, act.vmid, &mut conf)
    }

    fn set_one(
        &self,
        world: &mut World,
        act: &Act<'_>,
        key: &str,
        order: &mut Vec<String>,
        modified: &mut BTreeSet<String>,
    ) -> Result<(), Failure> {
        modified.insert(key.to_owned());
        let mut conf = world.load(act.node, act.vmid)?;
        let Some(value) = self.params[key].text().map(str::to_owned) else {
            let refused = crate::conf::check_type(key, None).err().unwrap_or_default();
            return Err(Failure::internal(format!("unable to parse value of '{key}' - {refused}")));
        };
        if conf.pending.get(key) == Some(&value) {
            return Ok(());
        }
        if is_drive_key(key) {
            Update::set_drive(world, act, &mut conf, (key, &value), order, modified)?;
        } else if key == "cipassword" {
            let hashed = options_check::hash_password(world, &conf, &value);
            conf.main.insert(key.to_owned(), hashed);
        } else {
            if let Some(old) = conf.main.get(key).cloned() {
                // Of a serial port both values count at once: with a real device on either side it is root's.
                if !(key.starts_with("serial") && value != "socket") {
                    options_check::check_value_privileges(world, act, key, &old, "modify")?;
                }
                if key.starts_with("net") {
                    options_check::check_bridge(world, act, &old)?;
                }
            }
            options_check::check_value_privileges(world, act, key, &value, "modify")?;
            let value = self.stored(world, act, &mut conf, key, value, modified)?;
            conf.pending.insert(key.to_owned(), value);
        }
        pending::drop_delete(&mut conf, key);
        world.save(act.node, act.vmid, &mut conf)
    }

    fn set_drive(
        world: &mut World,
        act: &Act<'_>,
        conf: &mut Conf,
        (key, value): (&str, &str),
        order: &mut Vec<String>,
        modified: &mut BTreeSet<String>,
    ) -> Result<(), Failure> {
        if let Some(old) = conf.truthy(key).map(str::to_owned) {
            check_drive_privileges(&world.access, act.who, act.vmid, key, &old)?;
            options_check::check_tpm_version(key, &old, value)?;
        }
        check_drive_privileges(&world.access, act.who, act.vmid, key, value)?;
        if let Some(drive) = conf.pending.get(key).and_then(|value| crate::drive::Drive::parse(key, value)) {
            world.register_unused(act, conf, &drive)?;
        }
        let Some(stored) = world.create_disk(act, conf, key, value)? else { return Ok(()) };
        conf.pending.insert(key.to_owned(), stored);
        let cdrom =
            crate::drive::Drive::parse_new(key, value).is_some_and(|drive| drive.is_cdrom() && !drive.is_cloudinit());
        if !order.is_empty() && cdrom && !order.iter().any(|device| device == key) {
            order.push(key.to_owned());
            conf.pending.insert("boot".to_owned(), print_boot_order(order));
            modified.insert("boot".to_owned());
        }
        Ok(())
    }

    /// The text under which a value is stored, with what else changes because of it.
    fn stored(
        &self,
        world: &mut World,
        act: &Act<'_>,
        conf: &mut Conf,
        key: &str,
        value: String,
        modified: &BTreeSet<String>,
    ) -> Result<String, Failure> {
        match key {
            "tags" => {
                let old = conf.main.get("tags").cloned().unwrap_or_default();
                world.check_tags(act.who, act.vmid, &old, &value)?;
                return Ok(world.unique_tags(&value));
            }
            "vga" => options_check::check_clipboard(&value)?,
            "machine" => options_check::check_machine(&value)?,
            "ostype" => {
                let explicit = self.params.contains_key("machine") || modified.contains("machine");
                if !explicit && !conf.pending.contains_key("machine") {
                    let old = conf.main.get("machine").cloned().unwrap_or_default();
                    if let Some((machine, pinned)) = options_check::pin_machine(&old, &value, &world.qemu_version) {
                        if pinned {
                            let line = format!("pinning machine type to '{machine}' for Windows guest OS");
                            world.say(act, &line);
                        }
                        if truthy(&machine) {
                            conf.pending.insert("machine".to_owned(), machine);
                        }
                    }
                }
            }
            "boot" => {
                let parsed = parse_property_string(&options::boot(), &value, "").map_err(Failure::internal)?;
                if let Some(order) = parsed.get("order").filter(|order| truthy(order)) {
                    let devices: Vec<String> = split_list(order).into_iter().map(str::to_owned).collect();
                    for device in &devices {
                        let here = |value: Option<&String>| value.is_some_and(|value| truthy(value));
                        let exists = here(conf.main.get(device))
                            || here(conf.pending.get(device))
                            || self.params.get(device).is_some_and(Value::is_true);
                        if !exists || self.delete.contains(device) {
                            let message = format!("invalid bootorder: device '{device}' does not exist'");
                            return Err(Failure::internal(message));
                        }
                    }
                    if conf.truthy("bootdisk").is_some() {
                        pending::add_delete(conf, "bootdisk", false);
                    }
                    return Ok(print_boot_order(&devices));
                }
            }
            _ => {}
        }
        Ok(value)
    }
}

/// Brings the CPU weight into the range of the host's control groups.
pub(crate) fn clamp_cpu_units(params: &mut Params) {
    if let Some(units) = params.get_mut("cpuunits")
        && let Some(number) = units.text().map(crate::numbers::leading_number)
    {
        *units = Value::Text(crate::numbers::print_number(number.clamp(1.0, 10_000.0)));
    }
}

/// Puts the CD drive's old name into today's.
pub(crate) fn resolve_cdrom(params: &mut Params) {
    if let Some(cdrom) = params.remove("cdrom") {
        let text = cdrom.text().unwrap_or_default();
        let text = if text.contains("media=") { text.to_owned() } else { format!("{text},media=cdrom") };
        params.insert("ide2".to_owned(), Value::Text(text));
    }
}

fn take_text(params: &mut Params, key: &str) -> Option<String> {
    params.remove(key).and_then(|value| value.text().map(str::to_owned))
}

fn take_list(params: &mut Params, key: &str) -> String {
    take_text(params, key).unwrap_or_default()
}

fn log_line(params: &Params) -> String {
    let words = params.iter().flat_map(|(key, value)| {
        let value = if key == "cipassword" { "<hidden>" } else { value.text().unwrap_or_default() };
        [format!("-{key}"), value.to_owned()]
    });
    words.collect::<Vec<_>>().join(" ")
}

fn lists(params: &Params, revert: &str, delete: &str) -> Result<(BTreeSet<String>, Vec<String>), Failure> {
    let defined = |key: &str| params.get(key).is_some_and(|value| *value != Value::Undef);
    let mut reverted = BTreeSet::new();
    for key in split_list(revert) {
        if !options::options().contains(key) {
            return Err(Failure::parameter("revert", format!("unknown option '{key}'")));
        }
        if defined(key) {
            let message = format!("you can't use '-{key}' and -revert {key}' at the same time");
            return Err(Failure::parameter("delete", message));
        }
        reverted.insert(key.to_owned());
    }
    let mut deleted = Vec::new();
    for key in split_list(delete) {
        let key = if key == "cdrom" { "ide2" } else { key };
        if defined(key) {
            let message = format!("you can't use '-{key}' and -delete {key}' at the same time");
            return Err(Failure::parameter("delete", message));
        }
        if reverted.contains(key) {
            let message = format!("you can't use '-delete {key}' and -revert {key}' at the same time");
            return Err(Failure::parameter("revert", message));
        }
        if !options::options().contains(key) {
            return Err(Failure::parameter("delete", format!("unknown option '{key}'")));
        }
        deleted.push(key.to_owned());
    }
    Ok((reverted, deleted))
}

fn boot_order(conf: &Conf) -> Vec<String> {
    let boot = conf.truthy("boot").and_then(|boot| parse_property_string(&options::boot(), boot, "").ok());
    let order = boot.and_then(|boot| boot.get("order").cloned()).unwrap_or_default();
    split_list(&order).into_iter().map(str::to_owned).collect()
}

fn unused_file(key: &str, value: &str) -> String {
    crate::drive::Drive::parse(key, value).map_or_else(|| value.to_owned(), |drive| drive.file().to_owned())
}

/// Makes a card's value complete with an address.
pub(crate) fn complete_net(world: &World, value: &str) -> Option<String> {
    let parsed = net::parse(value)?;
    Some(net::print(&net::with_mac(parsed, &world.random, world.datacenter.mac_prefix.as_deref())))
}
