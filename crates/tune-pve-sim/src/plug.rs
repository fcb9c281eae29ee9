//! Taking over changes while the machine runs: what can be plugged, what is committed at once, and what goes on waiting.

use std::collections::{BTreeMap, BTreeSet};

use crate::conf::{Conf, current_memory};
use crate::disks::Act;
use crate::drive::{Drive, boot_disks, is_drive_key};
use crate::errors::Failure;
use crate::guest::controller_of;
use crate::hotplug::Features;
use crate::net;
use crate::options_check::windows_version;
use crate::pending;
use crate::schema::formats::split_volume_id;
use crate::schema::options::CLOUDINIT;
use crate::schema::property::{Parsed, parse_property_string};
use crate::schema::{options, split_list, truthy};
use crate::start_check::{STATIC_MEMORY, check_usb_device, machine_version, most_memory, static_memory};
use crate::world::World;

/// Options that mean something to the host only, or are read when they are used.
const AT_ONCE: [&str; 12] = [
    "description",
    "hookscript",
    "lock",
    "migrate_downtime",
    "migrate_speed",
    "name",
    "onboot",
    "protection",
    "shares",
    "startup",
    "tags",
    "vmstatestorage",
];

/// The differences in a drive that wait for a power cycle.
const DRIVE_WAITS: [&str; 9] = ["aio", "discard", "iothread", "queues", "product", "cache", "ssd", "vendor", "ro"];

/// Why a change was not taken over.
enum Not {
    /// It waits for the next power cycle.
    Waits,
    /// It was tried, and failed; the text ends with a line feed.
    Failed(String),
}

impl From<String> for Not {
    fn from(text: String) -> Self {
        Not::Failed(text)
    }
}

impl From<Failure> for Not {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Error { message, .. } => Not::Failed(message),
            Failure::Locked(_) => Not::Waits,
        }
    }
}

fn at_once(key: &str) -> bool {
    AT_ONCE.contains(&key) || CLOUDINIT.contains(&key) || key.starts_with("ipconfig")
}

impl World {
    /// Takes over what can be while the machine runs; of the keys that need its devices, only those in `selection`. What was
    /// tried and failed is returned by key and goes on waiting.
    pub(crate) fn hotplug_pending(
        &mut self,
        act: &Act<'_>,
        conf: &mut Conf,
        selection: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let quick: Vec<String> = conf.pending.keys().filter(|key| at_once(key)).cloned().collect();
        for key in &quick {
            if let Some(value) = conf.pending.remove(key) {
                let old = conf.main.insert(key.clone(), value.clone());
                record_cloudinit(conf, key, old.as_deref(), Some(&value));
            }
        }
        if !quick.is_empty() {
            self.save(act.node, act.vmid, conf)?;
        }
        let features = Features::of(conf.main.get("hotplug"));
        let mut errors = BTreeMap::new();
        let mut error = |key: &str, text: String| {
            errors.insert(key.to_owned(), format!("hotplug problem - {text}"));
        };
        for (key, force) in pending::deletes(conf).into_iter().filter(|(key, _)| selection.contains(key)) {
            match self.unplug_key(act, conf, &key, force, features) {
                Ok(()) => {
                    let old = conf.main.remove(&key);
                    record_cloudinit(conf, &key, old.as_deref(), None);
                    pending::drop_delete(conf, &key);
                }
                Err(Not::Waits) => {}
                Err(Not::Failed(text)) => error(&key, text),
            }
        }
        let mut keys: Vec<String> =
            conf.pending.keys().filter(|key| *key != "delete" && selection.contains(*key)).cloned().collect();
        self.random.shuffle(&mut keys);
        for key in keys {
            let value = conf.pending[&key].clone();
            match self.plug_key(act, conf, &key, &value, features) {
                Ok(()) => {
                    let value = if key == "memory" { plugged_memory(conf, value) } else { value };
                    let old = conf.main.insert(key.clone(), value.clone());
                    record_cloudinit(conf, &key, old.as_deref(), Some(&value));
                    conf.pending.remove(&key);
                }
                Err(Not::Waits) => {}
                Err(Not::Failed(text)) => error(&key, text),
            }
        }
        self.save(act.node, act.vmid, conf)?;
        if features.cloudinit && conf.special.contains_key("cloudinit") {
            conf.special.remove("cloudinit");
            self.save(act.node, act.vmid, conf)?;
        }
        Ok(errors)
    }

    fn unplug_key(
        &mut self,
        act: &Act<'_>,
        conf: &mut Conf,
        key: &str,
        force: bool,
        features: Features,
    ) -> Result<(), Not> {
        let needs = |on: bool| if on { Ok(()) } else { Err(Not::Waits) };
        match key {
            "hotplug" => {
                let value = conf.main.get("hotplug").map_or("", String::as_str);
                needs(!value.contains("cpu") && !value.contains("memory"))
            }
            "tablet" => {
                needs(features.usb)?;
                self.plug(act, conf, "tablet")
            }
            "vcpus" => {
                needs(features.cpu)?;
                self.plug_cpus(act, conf, None)
            }
            "balloon" => needs(conf.main.get("balloon").is_none_or(|balloon| balloon != "0")),
            "cpuunits" | "cpulimit" => Ok(()),
            "memory" => {
                needs(features.memory)?;
                plug_memory(conf, None)
            }
            key if at_once(key) => Ok(()),
            key if key.starts_with("net") => {
                needs(features.network)?;
                self.unplug(act, conf, key)
            }
            key if key.starts_with("usb") => {
                needs(self.usb_can_be_plugged(act, conf, features))?;
                self.unplug(act, conf, key)
            }
            key if is_drive_key(key) => {
                let fixed = ["efidisk", "ide", "sata", "tpmstate"].iter().any(|bus| key.starts_with(bus));
                needs(features.disk && !fixed)?;
                self.unplug(act, conf, key)?;
                let value = conf.main.get(key).cloned().unwrap_or_default();
                Ok(self.detach(act, conf, key, &value, force)?)
            }
            _ => Err(Not::Waits),
        }
    }

    fn plug_key(
        &mut self,
        act: &Act<'_>,
        conf: &mut Conf,
        key: &str,
        value: &str,
        features: Features,
    ) -> Result<(), Not> {
        let needs = |on: bool| if on { Ok(()) } else { Err(Not::Waits) };
        match key {
            "hotplug" => {
                let old = conf.main.get("hotplug").map_or("", String::as_str);
                needs(![old, value].iter().any(|text| text.contains("cpu") || text.contains("memory")))
            }
            "tablet" => {
                needs(features.usb)?;
                if value == "1" { self.plug(act, conf, "tablet") } else { self.unplug(act, conf, "tablet") }
            }
            "vcpus" => {
                needs(features.cpu)?;
                self.plug_cpus(act, conf, value.parse().ok())
            }
            "balloon" => {
                let on = |value: Option<&String>| value.is_none_or(|value| value != "0");
                needs(on(conf.main.get("balloon")) == on(conf.pending.get("balloon")))
            }
            "cpuunits" | "cpulimit" => Ok(()),
            "memory" => {
                needs(features.memory)?;
                plug_memory(conf, Some(value))
            }
            "agent" => needs(agent_changes_quietly(conf.main.get("agent"), value)),
            key if key.starts_with("usb") => {
                needs(self.usb_can_be_plugged(act, conf, features))?;
                self.unplug(act, conf, key)?;
                let device = parse_property_string(&options::usb(), value, "").unwrap_or_default();
                if !device.get("host").is_some_and(|host| host.eq_ignore_ascii_case("spice")) {
                    check_usb_device(&device)?;
                }
                self.plug(act, conf, key)
            }
            key if key.starts_with("net") => self.plug_net(act, conf, key, value, features.network),
            key if is_drive_key(key) => {
                needs(key != "efidisk0" && key != "tpmstate0")?;
                self.plug_drive(act, conf, key, value, features.disk)
            }
            _ => Err(Not::Waits),
        }
    }

    fn plug_net(&mut self, act: &Act<'_>, conf: &Conf, key: &str, value: &str, hotplug: bool) -> Result<(), Not> {
        let new = net::parse(value).unwrap_or_default();
        if let Some(old) = conf.truthy(key).and_then(net::parse) {
            let set = |net: &Parsed, key: &str| net.get(key).filter(|value| !value.is_empty()).cloned();
            let hardware = ["model", "macaddr", "queues", "mtu"].iter().any(|key| old.get(*key) != new.get(*key));
            let bridged = set(&old, "bridge").is_some() && set(&new, "bridge").is_some();
            if !hardware && bridged {
                let moved = ["bridge", "tag", "trunks", "firewall"].iter().any(|key| old.get(*key) != new.get(*key));
                return if moved { self.require_bridge(&new) } else { Ok(()) };
            }
            if !hotplug {
                return Err(Not::Waits);
            }
            self.unplug(act, conf, key)?;
        }
        if !hotplug {
            return Err(Not::Waits);
        }
        self.check_card(key, &new)?;
        self.plug(act, conf, key)
    }

    /// Whether USB devices can be plugged: it takes a machine type and a system with a modern controller.
    fn usb_can_be_plugged(&self, act: &Act<'_>, conf: &Conf, features: Features) -> bool {
        let ostype = conf.main.get("ostype").map_or("", String::as_str);
        let machine = self.machine_type(act, conf, None).unwrap_or_default();
        features.usb && machine_version(&machine) >= (7, 1, 0) && (ostype == "l26" || windows_version(ostype) > 7)
    }

    fn require_bridge(&self, net: &Parsed) -> Result<(), Not> {
        match net.get("bridge") {
            Some(bridge) if !self.bridges.contains(bridge) => {
                Err(Not::Failed(format!("bridge '{bridge}' does not exist\n")))
            }
            _ => Ok(()),
        }
    }

    fn plug_drive(&mut self, act: &Act<'_>, conf: &mut Conf, key: &str, value: &str, hotplug: bool) -> Result<(), Not> {
        let Some(drive) = Drive::parse(key, value) else { return Err(Not::Waits) };
        if let Some(old) = conf.truthy(key).and_then(|old| Drive::parse(key, old)) {
            let media = |drive: &Drive| drive.get("media").unwrap_or("disk").to_owned();
            if media(&drive) != media(&old) {
                return Err(Not::Failed("unable to change media type\n".to_owned()));
            }
            if old.is_cdrom() {
                if drive.file() == "none" && old.is_cloudinit() {
                    self.register_unused(act, conf, &old)?;
                }
                return Ok(());
            }
            if drive.file() == old.file() {
                let waits = DRIVE_WAITS.iter().any(|option| drive.get(option) != old.get(option));
                return if waits { Err(Not::Waits) } else { Ok(()) };
            }
            if !hotplug {
                return Err(Not::Waits);
            }
            self.unplug(act, conf, key)?;
            self.register_unused(act, conf, &old)?;
        }
        if !hotplug || key.starts_with("ide") || key.starts_with("sata") {
            return Err(Not::Waits);
        }
        // A new drive is activated first, and only a volume or a device can be.
        if !drive.file().starts_with("/dev/") {
            if split_volume_id(drive.file()).is_none() {
                return Err(Not::Failed(format!("unable to parse volume ID '{}'\n", drive.file())));
            }
            self.storages.size(drive.file())?;
        }
        self.plug(act, conf, key)
    }

    /// Adds a device to the running machine; one that it has already is left alone.
    fn plug(&mut self, act: &Act<'_>, conf: &Conf, device: &str) -> Result<(), Not> {
        let controller = device.starts_with("scsi").then(|| controller_of(conf, device)).flatten();
        let Some(vm) = self.vm(act.node, act.vmid) else { return Err(Not::Waits) };
        let ignored = vm.flags.plug_fails;
        let Some(guest) = vm.guest.as_mut() else { return Err(Not::Waits) };
        if guest.devices.contains(device) {
            return Ok(());
        }
        let verified = device.starts_with("virtio") || device.starts_with("net");
        let missing = controller.filter(|controller| !guest.devices.contains(controller));
        if ignored {
            let failed = missing.or_else(|| verified.then(|| device.to_owned()));
            return match failed {
                Some(device) => {
                    self.busy_for(act, 6);
                    Err(Not::Failed(format!("error on hotplug device '{device}'\n")))
                }
                None => Ok(()),
            };
        }
        guest.devices.extend(missing);
        guest.devices.insert(device.to_owned());
        Ok(())
    }

    /// Takes a device from the running machine; one that it does not have is no error.
    fn unplug(&mut self, act: &Act<'_>, conf: &Conf, device: &str) -> Result<(), Not> {
        let boots = boot_disks(&conf.main);
        let single = conf.main.get("scsihw").is_some_and(|model| model == "virtio-scsi-single");
        let controller = controller_of(conf, device).filter(|_| single && device.starts_with("scsi"));
        let Some(vm) = self.vm(act.node, act.vmid) else { return Err(Not::Waits) };
        let busy = vm.flags.unplug_busy && device != "tablet";
        let Some(guest) = vm.guest.as_mut() else { return Err(Not::Waits) };
        if !guest.devices.contains(device) {
            return Ok(());
        }
        if boots.iter().any(|disk| disk == device) {
            return Err(Not::Failed(format!("can't unplug bootdisk '{device}'\n")));
        }
        if busy {
            self.busy_for(act, 6);
            return Err(Not::Failed(format!("error on hot-unplugging device '{device}'\n")));
        }
        guest.devices.remove(device);
        if let Some(controller) = controller {
            guest.devices.remove(&controller);
        }
        Ok(())
    }

    /// The acting call or task waits for the guest, and keeps the lock meanwhile.
    fn busy_for(&mut self, act: &Act<'_>, seconds: u64) {
        self.busy.push((act.vmid, act.task, std::time::Duration::from_secs(seconds)));
    }

    fn plug_cpus(&mut self, act: &Act<'_>, conf: &mut Conf, wanted: Option<u64>) -> Result<(), Not> {
        let most = conf.number("sockets").unwrap_or(1).max(1) * conf.number("cores").unwrap_or(1).max(1);
        let wanted = wanted.filter(|count| *count > 0).unwrap_or(most);
        if wanted > most {
            return Err(Not::Failed("you can't add more vcpus than maxcpus\n".to_owned()));
        }
        let current = conf.number("vcpus").filter(|count| *count > 0).unwrap_or(most);
        let Some(guest) = self.vm(act.node, act.vmid).and_then(|vm| vm.guest.as_mut()) else {
            return Err(Not::Waits);
        };
        if wanted > current && guest.vcpus != current {
            return Err(Not::Failed("vcpus in running vm does not match its configuration\n".to_owned()));
        }
        guest.vcpus = wanted;
        Ok(())
    }
}

fn plug_memory(conf: &Conf, value: Option<&str>) -> Result<(), Not> {
    let wanted = current_memory(value);
    if wanted == conf.memory() {
        return Ok(());
    }
    let (least, most) = (static_memory(conf), most_memory(conf));
    if wanted < least {
        return Err(Not::Failed(format!("memory can't be lower than {least} MB\n")));
    }
    if wanted > most {
        return Err(Not::Failed(format!("you cannot add more memory than max mem {most} MB!\n")));
    }
    Ok(())
}

/// What `memory` says after modules were plugged or unplugged until the wanted size was reached or passed.
fn plugged_memory(conf: &Conf, value: String) -> String {
    let (old, wanted) = (conf.memory(), current_memory(Some(&value)));
    let first = static_memory(conf);
    if !Features::of(conf.main.get("hotplug")).memory || wanted == old {
        return value;
    }
    let mut size = if first > STATIC_MEMORY { 1024 } else { 512 };
    let mut sizes = vec![first];
    while sizes.last().is_some_and(|last| *last < old.max(wanted)) && sizes.len() < 256 {
        let last = sizes[sizes.len() - 1];
        sizes.push(last + size);
        if (sizes.len() - 1).is_multiple_of(32) {
            size *= 2;
        }
    }
    let reached = if wanted > old {
        sizes.iter().find(|size| **size >= wanted)
    } else {
        sizes.iter().rev().find(|size| **size <= wanted)
    };
    reached.map_or(value, u64::to_string)
}

/// Whether two values of `agent` differ in nothing that the emulator was started with; of a disabled agent nothing counts.
fn agent_changes_quietly(old: Option<&String>, new: &str) -> bool {
    let parse = |text: &str| {
        let mut parsed = parse_property_string(&options::agent(), text, "").unwrap_or_default();
        if parsed.get("enabled").is_none_or(|enabled| enabled != "1") {
            return Parsed::new();
        }
        parsed.remove("fstrim_cloned_disks");
        parsed
    };
    old.is_some_and(|old| truthy(old) && parse(old) == parse(new))
}

/// Remembers how cloud-init options differ from what the guest's drive was made of.
fn record_cloudinit(conf: &mut Conf, key: &str, old: Option<&str>, new: Option<&str>) {
    let of_interest =
        CLOUDINIT.contains(&key) || key.starts_with("ipconfig") || key == "name" || key.starts_with("net");
    if !of_interest {
        return;
    }
    let section = conf.special.entry("cloudinit".to_owned()).or_default();
    let recorded = section.get(key).cloned();
    let mut added: BTreeSet<String> =
        split_list(&section.remove("added").unwrap_or_default()).into_iter().map(str::to_owned).collect();
    match (old, new, recorded) {
        (_, Some(new), Some(recorded)) if new == recorded => {
            section.remove(key);
            added.remove(key);
        }
        (Some(old), Some(_), None) if !added.contains(key) => {
            section.insert(key.to_owned(), old.to_owned());
        }
        (None, Some(_), None) => {
            added.insert(key.to_owned());
        }
        (Some(old), None, None) if !added.remove(key) => {
            section.insert(key.to_owned(), old.to_owned());
        }
        _ => {}
    }
    if !added.is_empty() {
        section.insert("added".to_owned(), added.into_iter().collect::<Vec<_>>().join(","));
    }
}
