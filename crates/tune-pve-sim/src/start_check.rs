//! What is refused before the emulator runs, in the order in which the command for it is put together, and what is only
//! warned about.

use std::collections::BTreeMap;

use crate::conf::Conf;
use crate::disks::Act;
use crate::drive::Drive;
use crate::errors::Failure;
use crate::guest::drives;
use crate::hotplug::Features;
use crate::net;
use crate::options_check::{check_clipboard, check_machine, windows_version};
use crate::schema::formats::{pattern, split_volume_id};
use crate::schema::property::{Parsed, parse_property_string};
use crate::schema::{Format, options};
use crate::world::World;

/// The memory in MiB that a machine with pluggable memory starts with.
pub(crate) const STATIC_MEMORY: u64 = 1024;

/// The most memory in MiB that any machine can have.
const MOST_MEMORY: u64 = 4_194_304;

/// The width of the host's physical addresses in bits.
const HOST_BITS: u64 = 46;

/// Processor types of 32 bits, with which UEFI does not start.
const NARROW: [&str; 8] = ["486", "pentium", "pentium2", "pentium3", "athlon", "coreduo", "kvm32", "qemu32"];

/// Devices from this one on need a machine type that has ports for them.
const FIRST_NEW_USB: u32 = 5;

fn refused(text: impl Into<String>) -> Result<(), Failure> {
    Err(Failure::internal(text))
}

/// The value of an option that is a property string, taken apart; empty where it is not set.
fn parts(conf: &Conf, key: &str) -> Parsed {
    let prop = options::options().get(key);
    let value = conf.truthy(key).unwrap_or_default();
    match prop.map(|prop| &prop.format) {
        Some(Format::Props(props)) => parse_property_string(props, value, "").unwrap_or_default(),
        _ => Parsed::new(),
    }
}

/// The numbered options of a kind that are set.
fn numbered<'a>(conf: &'a Conf, base: &'static str, count: u32) -> impl Iterator<Item = (u32, String)> + 'a {
    (0..count).map(move |index| (index, format!("{base}{index}"))).filter(|(_, key)| conf.truthy(key).is_some())
}

impl World {
    /// The volumes of a machine have to be there and of a kind that its storage is for.
    pub(crate) fn check_volumes(&self, conf: &Conf) -> Result<(), Failure> {
        let files = || drives(conf).filter(|(_, drive)| split_volume_id(drive.file()).is_some());
        for (_, drive) in files() {
            let (name, _) = split_volume_id(drive.file()).unwrap_or_default();
            let kind = self.storages.parse(drive.file())?.kind;
            if !self.storages.get(name)?.content.iter().any(|content| content == kind) {
                return refused(format!("storage '{name}' does not support content-type '{kind}'"));
            }
        }
        for (_, drive) in files() {
            self.storages.enabled(split_volume_id(drive.file()).unwrap_or_default().0)?;
        }
        files().try_for_each(|(_, drive)| self.storages.size(drive.file()).map(|_| ()))
    }

    /// What is refused before the emulator runs, and the machine type that it gets.
    pub(crate) fn check_command(
        &mut self,
        act: &Act<'_>,
        conf: &Conf,
        forced: Option<&str>,
    ) -> Result<String, Failure> {
        let machine = self.machine_type(act, conf, forced)?;
        let version = machine_version(&machine);
        self.check_firmware(act, conf)?;
        check_usb(conf, version)?;
        check_pci(conf)?;
        check_host_devices(conf)?;
        let cpus = conf.number("sockets").unwrap_or(1).max(1) * conf.number("cores").unwrap_or(1).max(1);
        if self.cpus < cpus {
            return Err(Failure::internal(format!("MAX {} vcpus allowed per VM on this node", self.cpus)));
        }
        check_memory(conf)?;
        check_clipboard(conf.main.get("vga").map_or("", String::as_str))?;
        let mut warned = false;
        for (key, drive) in drives(conf).filter(|(key, _)| key != "efidisk0" && key != "tpmstate0") {
            // The simulated host has no CD drive of its own, which is said once.
            if drive.file() == "cdrom" && !std::mem::replace(&mut warned, true) {
                self.warn(act, "no physical CD-ROM available, ignoring");
            }
            self.check_drive(act, conf, &key, &drive, version)?;
        }
        self.check_nets(act, conf)?;
        let kind = conf.main.get("machine").map_or("", String::as_str);
        check_machine(kind)?;
        if let Some(bits) = parts(conf, "machine").get("aw-bits").filter(|bits| crate::schema::truthy(bits)) {
            let line = format!(
                "vIOMMU 'aw-bits' set to {bits}. Sometimes it is necessary to set the CPU's 'guest-phys-bits' to the same \
                 value."
            );
            self.say(act, &line);
        }
        if let Some((_, key)) = numbered(conf, "virtiofs", 10).next() {
            let name = parts(conf, &key).get("dirid").cloned().unwrap_or_default();
            return Err(Failure::internal(format!("Directory ID {name} does not exist.")));
        }
        Ok(machine)
    }

    /// The full name of the machine type that a configuration, or somebody who starts it, asks for.
    pub(crate) fn machine_type(&self, act: &Act<'_>, conf: &Conf, forced: Option<&str>) -> Result<String, Failure> {
        let value = forced.or(conf.main.get("machine").map(String::as_str)).unwrap_or_default();
        let parsed = parse_property_string(&options::machine(), value, "").unwrap_or_default();
        let kind = parsed.get("type").map_or("pc", String::as_str);
        let number = |version: &str| {
            let mut parts = version.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
            (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
        };
        let Some(found) = pattern!(r"-(\d+)\.(\d+)(?:\.\d+)*(?:\+pve(\d+))?").captures(kind) else {
            let version = self.qemu_version.rsplit_once('.').map_or("", |(version, _)| version);
            return Ok(match kind {
                "q35" => format!("pc-q35-{version}+pve0"),
                "virt" => format!("virt-{version}+pve0"),
                _ => format!("pc-i440fx-{version}+pve0"),
            });
        };
        let wanted = (found[1].parse().unwrap_or(0), found[2].parse().unwrap_or(0));
        let full = match kind.strip_suffix(".pxe") {
            _ if kind.contains("+pve") => kind.to_owned(),
            Some(base) => format!("{base}+pve0.pxe"),
            None => format!("{kind}+pve0"),
        };
        if number(&self.qemu_version) < wanted {
            return Err(Failure::internal(format!(
                "Installed QEMU version '{}' is too old to run machine type '{full}', please upgrade node '{}'",
                self.qemu_version, act.node
            )));
        }
        let highest = match wanted {
            (4, 1) => 2,
            (9, 2) | (10, 0) => 1,
            _ => 0,
        };
        if found.get(3).is_some_and(|revision| revision.as_str().parse::<u64>().unwrap_or(0) > highest) {
            let (major, minor) = wanted;
            return Err(Failure::internal(format!(
                "Installed qemu-server (max feature level for {major}.{minor} is pve{highest}) is too old to run machine \
                 type '{full}', please upgrade node '{}'",
                act.node
            )));
        }
        Ok(full)
    }

    fn check_firmware(&mut self, act: &Act<'_>, conf: &Conf) -> Result<(), Failure> {
        if conf.main.get("bios").is_none_or(|bios| bios != "ovmf") {
            return Ok(());
        }
        if parts(conf, "cpu").get("cputype").is_some_and(|model| NARROW.contains(&model.as_str())) {
            return refused("OVMF (UEFI) BIOS is not supported on 32-bit CPU types");
        }
        if !conf.main.contains_key("efidisk0") {
            self.warn(act, "no efidisk configured! Using temporary efivars disk.");
        }
        Ok(())
    }

    fn check_drive(
        &mut self,
        act: &Act<'_>,
        conf: &Conf,
        key: &str,
        drive: &Drive,
        version: (u64, u64, u64),
    ) -> Result<(), Failure> {
        if drive.bus == "scsi" {
            let single = conf.main.get("scsihw").is_some_and(|model| model == "virtio-scsi-single");
            if drive.index > 13 && version < (4, 1, 2) {
                return refused(format!(
                    "{key}: machine version 4.1~pve2 or higher is required to use more than 14 SCSI disks"
                ));
            }
            if drive.get("iothread") == Some("1") && !single {
                let line = "iothread is only valid with virtio disk or virtio-scsi-single controller, ignoring";
                self.warn(act, line);
            }
        }
        let Ok(volume) = self.storages.parse(drive.file()) else { return Ok(()) };
        if let Some(format) = drive.get("format").filter(|format| *format != volume.format) {
            return refused(format!(
                "drive '{key}' - volume '{}' - 'format={format}' option different from storage format '{}'",
                drive.file(),
                volume.format
            ));
        }
        if volume.kind == "iso" && drive.get("media").is_none() {
            return refused(format!("{key}: explicit media parameter is required for iso images"));
        }
        Ok(())
    }

    fn check_nets(&mut self, act: &Act<'_>, conf: &Conf) -> Result<(), Failure> {
        for (_, key) in numbered(conf, "net", 32) {
            let Some(net) = conf.main.get(&key).and_then(|value| net::parse(value)) else { continue };
            if let Some(bridge) = net.get("bridge").filter(|bridge| !self.bridges.contains(*bridge)) {
                return refused(format!("bridge '{bridge}' does not exist"));
            }
            if let Some(line) = self.check_card(&key, &net)? {
                self.warn(act, &line);
            }
        }
        Ok(())
    }

    /// A paravirtual card needs a bridge that is there and carries packets of its size; what is ignored on others is returned.
    pub(crate) fn check_card(&self, key: &str, net: &Parsed) -> Result<Option<String>, Failure> {
        let mtu = net.get("mtu").and_then(|mtu| mtu.parse::<u64>().ok());
        let bridge = net.get("bridge");
        let fails = |text: String| Err(Failure::internal(text));
        match (mtu, bridge.filter(|_| net.get("model").is_some_and(|model| model == "virtio"))) {
            (_, Some(bridge)) if !self.bridges.contains(bridge) => fails(format!("bridge '{bridge}' does not exist")),
            (Some(mtu), Some(_)) if mtu != 1 && mtu < 576 => {
                fails(format!("netdev {key}: MTU '{mtu}' is smaller than the IP minimum MTU '576'"))
            }
            (Some(mtu), Some(_)) if mtu > 1500 => fails(format!(
                "netdev {key}: MTU '{mtu}' is bigger than the bridge MTU '1500' - adjust the MTU for the network device \
                 in the VM configuration, while ensuring that the bridge is configured as desired."
            )),
            (Some(mtu), None) => {
                let why = if bridge.is_none() { "no bridge configured" } else { "not using VirtIO" };
                Ok(Some(format!("netdev {key}: ignoring MTU '{mtu}', {why}")))
            }
            _ => Ok(None),
        }
    }
}

/// Major and minor number and the revision of a full machine type.
pub(crate) fn machine_version(machine: &str) -> (u64, u64, u64) {
    let found = pattern!(r"-(\d+)\.(\d+)(?:\.\d+)*(?:\+pve(\d+))?").captures(machine);
    let number = |at: usize| found.as_ref().and_then(|found| found.get(at)?.as_str().parse().ok()).unwrap_or(0);
    (number(1), number(2), number(3))
}

fn check_usb(conf: &Conf, version: (u64, u64, u64)) -> Result<(), Failure> {
    let ostype = conf.main.get("ostype").map_or("", String::as_str);
    let many = version >= (7, 1, 0) && (ostype == "l26" || windows_version(ostype) > 7);
    for (index, key) in numbered(conf, "usb", 14) {
        if index >= FIRST_NEW_USB && !many {
            return refused(format!(
                "using {key} is only possible with machine type >= 7.1 and ostype l26 or windows > 7"
            ));
        }
    }
    numbered(conf, "usb", 14).try_for_each(|(_, key)| check_usb_device(&parts(conf, &key)))
}

/// Mapped devices are not known to the simulated cluster.
pub(crate) fn check_usb_device(device: &Parsed) -> Result<(), Failure> {
    match (device.get("host").map(String::as_str), device.get("mapping")) {
        (Some("spice"), _) => Ok(()),
        (Some(host), None) if !host.eq_ignore_ascii_case("spice") => Ok(()),
        (None, Some(name)) => refused(format!("USB device mapping not found for '{name}'")),
        _ => refused("no usb id or path given"),
    }
}

fn check_pci(conf: &Conf) -> Result<(), Failure> {
    numbered(conf, "hostpci", 16).try_for_each(|(_, key)| {
        let device = parts(conf, &key);
        match (device.get("host"), device.get("mapping")) {
            (Some(_), Some(_)) => refused("Cannot set both 'host' and 'mapping'."),
            (None, Some(name)) => refused(format!("PCI device mapping not found for '{name}'")),
            (Some(host), None) => {
                refused(format!("no PCI device found for '{}'", host.split(';').next().unwrap_or_default()))
            }
            (None, None) => refused("Either 'host' or 'mapping' must be set."),
        }
    })
}

/// The simulated host has no ports of its own.
fn check_host_devices(conf: &Conf) -> Result<(), Failure> {
    if numbered(conf, "serial", 4).any(|(_, key)| conf.truthy(&key) != Some("socket")) {
        return refused("no such serial device");
    }
    if numbered(conf, "parallel", 3).next().is_some() {
        return refused("no such parallel device");
    }
    Ok(())
}

/// The most memory in MiB that a machine with pluggable memory can grow to, which its processor's addresses limit.
pub(crate) fn most_memory(conf: &Conf) -> u64 {
    let cpu = parts(conf, "cpu");
    let bits = match cpu.get("phys-bits").map(String::as_str) {
        Some("host") => Some(HOST_BITS),
        Some(bits) => bits.parse().ok(),
        None => None,
    };
    let wide = cpu.get("cputype").is_some_and(|model| model == "host" || model == "max");
    let bits = bits.unwrap_or(if wide { HOST_BITS } else { HOST_BITS.min(40) }) & !1;
    if bits < 21 { 0 } else { MOST_MEMORY.min(1 << (bits - 21).min(40)) }
}

/// The memory in MiB that cannot be unplugged.
pub(crate) fn static_memory(conf: &Conf) -> u64 {
    let large = conf.main.get("hugepages").is_some_and(|size| size == "1024");
    if large { STATIC_MEMORY * conf.number("sockets").unwrap_or(1).max(1) } else { STATIC_MEMORY }
}

fn check_memory(conf: &Conf) -> Result<(), Failure> {
    let memory = conf.memory();
    let pluggable = Features::of(conf.main.get("hotplug")).memory;
    let numa = conf.truthy("numa").is_some();
    let nodes: BTreeMap<u32, Parsed> = numbered(conf, "numa", 8).map(|(node, key)| (node, parts(conf, &key))).collect();
    let first = static_memory(conf);
    if pluggable {
        if !numa {
            return refused("NUMA needs to be enabled for memory hotplug");
        }
        let most = most_memory(conf);
        if memory > most {
            return refused(format!("Total memory is bigger than {most}MB"));
        }
        if !nodes.is_empty() {
            return refused("cannot enable memory hotplugging with custom NUMA topology");
        }
        if memory < first {
            return refused(format!("minimum memory must be {first}MB"));
        }
    }
    if conf.truthy("hugepages").is_some() && !numa {
        return refused("numa needs to be enabled to use hugepages");
    }
    if pluggable && numbered(conf, "virtiofs", 10).next().is_some() {
        return refused("Memory hotplug does not work in combination with virtio-fs.");
    }
    if numa {
        check_nodes(conf, memory, &nodes)?;
    }
    if pluggable { check_dimms(memory, first, first > STATIC_MEMORY) } else { Ok(()) }
}

fn check_nodes(conf: &Conf, memory: u64, nodes: &BTreeMap<u32, Parsed>) -> Result<(), Failure> {
    let mut total = 0.0;
    for (node, numa) in nodes {
        let size = numa.get("memory").map_or(0.0, |memory| crate::numbers::leading_number(memory));
        if size == 0.0 {
            return refused(format!("missing NUMA node{node} memory value"));
        }
        total += size;
        match numa.get("hostnodes") {
            Some(spans) => check_host_nodes(spans, numa.contains_key("policy"))?,
            None if conf.truthy("hugepages").is_some() => {
                return refused("numa hostnodes need to be defined to use hugepages");
            }
            None => {}
        }
    }
    #[expect(clippy::cast_precision_loss)]
    let differs = total != 0.0 && (total - memory as f64).abs() > f64::EPSILON;
    if differs { refused("total memory for NUMA nodes must be equal to vm static memory") } else { Ok(()) }
}

/// The simulated host has one node of memory, number 0.
fn check_host_nodes(spans: &str, policy: bool) -> Result<(), Failure> {
    let mut printed = Vec::new();
    for span in spans.split(';') {
        let (first, last) = span.split_once('-').unwrap_or((span, span));
        let numbers = first.parse::<u64>().unwrap_or(0)..=last.parse::<u64>().unwrap_or(0);
        if let Some(missing) = numbers.into_iter().find(|number| *number > 0) {
            return refused(format!("host NUMA node{missing} doesn't exist"));
        }
        printed.push(span);
    }
    if policy { Ok(()) } else { refused(format!("you need to define a policy for hostnode {}", printed.join(","))) }
}

fn check_dimms(memory: u64, first: u64, large: bool) -> Result<(), Failure> {
    let mut size = if large { 1024 } else { 512 };
    let mut current = first;
    while current < memory {
        for _ in 0..32 {
            if current >= memory {
                return Ok(());
            }
            current += size;
            if current > memory {
                return refused(format!("memory size ({memory}) must be aligned to {size} for hotplugging"));
            }
        }
        size *= 2;
    }
    Ok(())
}
