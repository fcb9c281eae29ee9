//! What is checked of new option values beyond their form: privileges, volumes, combinations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::access::ROOT;
use crate::conf::{Conf, percent_decode};
use crate::disks::Act;
use crate::drive::{Drive, is_drive_key};
use crate::errors::Failure;
use crate::net;
use crate::schema::formats::{pattern, split_volume_id};
use crate::schema::options::{self, CLOUDINIT};
use crate::schema::property::{Parsed, parse_property_string, print_property_string};
use crate::schema::{Params, Value, truthy};
use crate::update::complete_net;
use crate::world::World;

/// The privilege that an option takes by its name alone; `None` where its value decides.
enum Needs {
    One(&'static str),
    Startup,
    CloudInit,
    State,
    ByValue,
    RootOnly,
}

fn needs(key: &str) -> Needs {
    let indexed = |base: &str| {
        key.strip_prefix(base).is_some_and(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
    };
    if is_drive_key(key) || ["unused", "serial", "usb", "hostpci", "virtiofs"].iter().any(|base| indexed(base)) {
        return Needs::ByValue;
    }
    match key {
        "tags" | "cdrom" => Needs::ByValue,
        "cores" | "cpu" | "runningcpu" | "cpulimit" | "cpuunits" | "numa" | "smp" | "sockets" | "vcpus" => {
            Needs::One("VM.Config.CPU")
        }
        "memory" | "balloon" | "shares" | "allow-ksm" => Needs::One("VM.Config.Memory"),
        "acpi" | "hotplug" | "kvm" | "machine" | "runningmachine" | "scsihw" | "smbios1" | "tablet" | "vga"
        | "watchdog" | "audio0" | "rng0" => Needs::One("VM.Config.HWType"),
        "agent" | "autostart" | "bios" | "description" | "keyboard" | "localtime" | "migrate_downtime"
        | "migrate_speed" | "name" | "onboot" | "ostype" | "protection" | "reboot" | "startdate" | "tdf"
        | "template" => Needs::One("VM.Config.Options"),
        "startup" => Needs::Startup,
        "freeze" => Needs::One("VM.PowerMgmt"),
        "boot" | "bootdisk" | "vmstatestorage" => Needs::One("VM.Config.Disk"),
        "running-nets-host-mtu" => Needs::One("VM.Config.Network"),
        "vmstate" => Needs::State,
        key if CLOUDINIT.contains(&key) || indexed("ipconfig") => Needs::CloudInit,
        _ if indexed("numa") => Needs::One("VM.Config.CPU"),
        _ if indexed("net") => Needs::One("VM.Config.Network"),
        _ => Needs::RootOnly,
    }
}

/// Requires the privileges that options take by their names.
pub(crate) fn check_privileges<'a>(
    world: &World,
    act: &Act<'_>,
    keys: impl Iterator<Item = &'a str>,
) -> Result<(), Failure> {
    if act.who == ROOT {
        return Ok(());
    }
    let check = |wanted: &[&str]| world.access.check_vm(act.who, act.vmid, wanted);
    for key in keys {
        match needs(key) {
            Needs::One(privilege) => check(&[privilege])?,
            Needs::Startup => {
                check(&["VM.Config.Options"])?;
                world.access.check(act.who, "/", &["Sys.Modify"])?;
            }
            Needs::CloudInit => {
                let path = format!("/vms/{}", act.vmid);
                world.access.check_any(act.who, &path, &["VM.Config.Cloudinit", "VM.Config.Network"])?;
            }
            Needs::State => check(&["VM.Config.Disk", "VM.PowerMgmt"])?,
            Needs::ByValue => {}
            Needs::RootOnly => return Err(Failure::internal(format!("only root can set '{key}' config"))),
        }
    }
    Ok(())
}

/// Requires the privileges that passed-through devices take, which depend on the value. `verb` is what root alone may do.
pub(crate) fn check_value_privileges(
    world: &World,
    act: &Act<'_>,
    key: &str,
    value: &str,
    verb: &str,
) -> Result<(), Failure> {
    if act.who == ROOT {
        return Ok(());
    }
    let base = key.trim_end_matches(|c: char| c.is_ascii_digit());
    let hardware = || world.access.check_vm(act.who, act.vmid, &["VM.Config.HWType"]);
    let mapping =
        |kind: &str, name: &str| world.access.check(act.who, &format!("/mapping/{kind}{name}"), &["Mapping.Use"]);
    let parsed = || -> Result<Parsed, Failure> {
        match &options::options().get(key).map(|prop| &prop.format) {
            Some(crate::schema::Format::Props(props)) => {
                parse_property_string(props, value, "").map_err(Failure::internal)
            }
            _ => Ok(Parsed::new()),
        }
    };
    match base {
        "serial" if value == "socket" => hardware(),
        "serial" => Err(Failure::internal(format!("only root can {verb} '{key}' config for real devices"))),
        "usb" => {
            hardware()?;
            let device = parsed()?;
            match (device.get("host"), device.get("mapping")) {
                (Some(host), _) if host.eq_ignore_ascii_case("spice") => Ok(()),
                (Some(_), _) => Err(Failure::internal(format!("only root can set '{key}' config for real devices"))),
                (None, Some(name)) => mapping("usb", &format!("/{name}")),
                (None, None) => Err(Failure::internal("either 'host' or 'mapping' must be set.")),
            }
        }
        "hostpci" => {
            let device = parsed()?;
            match (device.get("host"), device.get("mapping")) {
                (Some(_), _) => {
                    Err(Failure::internal(format!("only root can set '{key}' config for non-mapped devices")))
                }
                (None, Some(name)) => {
                    mapping("pci", &format!("/{name}"))?;
                    hardware()
                }
                (None, None) => Err(Failure::internal("either 'host' or 'mapping' must be set.")),
            }?;
            if device.contains_key("romfile") {
                return Err(Failure::parameter(key, "only root@pam can set 'romfile' option"));
            }
            Ok(())
        }
        "rng" => {
            hardware()?;
            if parsed()?.get("source").is_some_and(|source| source == "/dev/hwrng") {
                mapping("hwrng", "")?;
            }
            Ok(())
        }
        "virtiofs" => {
            world.access.check_vm(act.who, act.vmid, &["VM.Config.Disk"])?;
            mapping("dir", &format!("/{}", parsed()?.get("dirid").map_or("", String::as_str)))
        }
        _ => Ok(()),
    }
}

/// Parses and prints the drive parameters, and refuses those that cannot be meant.
pub(crate) fn check_drives(world: &World, params: &mut Params) -> Result<(), Failure> {
    for (key, value) in params.iter_mut().filter(|(key, _)| is_drive_key(key)) {
        let parsed = value.text().and_then(|text| Drive::parse_new(key, text));
        let mut drive = parsed.ok_or_else(|| Failure::parameter(key, "unable to parse drive options"))?;
        if drive.get("import-from").is_some() {
            check_import(key, &drive)?;
        }
        volume_of_path(world, key, &mut drive)?;
        drive.imply_media();
        if let Some((_, name)) = split_volume_id(drive.file())
            && drive.new_volume().is_none()
            && name != "cloudinit"
            && world.storages.parse(drive.file())?.kind == "iso"
            && !drive.is_cdrom()
        {
            return Err(Failure::parameter(key, "explicit 'media=cdrom' is required for iso images"));
        }
        *value = Value::Text(drive.print());
    }
    Ok(())
}

fn check_import(key: &str, drive: &Drive) -> Result<(), Failure> {
    let empty = drive.new_volume().is_some_and(|(_, size)| size == 0.0);
    if !empty {
        let message = "'import-from' requires special syntax - use <storage ID>:0,import-from=<source>";
        return Err(Failure::parameter(key, message));
    }
    let required: &[&str] = match key {
        "efidisk0" => &["efitype", "pre-enrolled-keys"],
        "tpmstate0" => &["version"],
        _ => &[],
    };
    match required.iter().find(|option| drive.get(option).is_none()) {
        Some(missing) => Err(Failure::parameter(key, format!("need to specify '{missing}' when using 'import-from'"))),
        None => Ok(()),
    }
}

fn volume_of_path(world: &World, key: &str, drive: &mut Drive) -> Result<(), Failure> {
    let file = drive.file().to_owned();
    let number = !file.is_empty() && file.chars().all(|c| c.is_ascii_digit());
    let device = file.len() > "/dev/".len() && file.starts_with("/dev/");
    let volume = file.split_once(':').is_some_and(|(storage, rest)| !storage.is_empty() && !rest.is_empty());
    if matches!(file.as_str(), "cdrom" | "none") || device || volume || number {
        return Ok(());
    }
    let Some((kind, volid)) = world.storages.volume_of_path(&file) else {
        return Err(Failure::parameter(key, format!("unable to associate path '{file}' to any storage")));
    };
    if drive.get("media").is_none() && kind == "iso" {
        drive.set("media", "cdrom");
    }
    let expected = drive.get("media").map(|media| if media == "disk" { "images" } else { "iso" });
    if let Some(expected) = expected.filter(|expected| *expected != kind) {
        return Err(Failure::parameter(key, format!("unexpected media type ({kind} != {expected})")));
    }
    drive.set("file", volid);
    Ok(())
}

/// Makes cards, generation ids and hook scripts complete.
pub(crate) fn complete(world: &World, params: &mut Params) -> Result<(), Failure> {
    for (key, value) in params.iter_mut() {
        let Some(text) = value.text().map(str::to_owned) else { continue };
        if key.starts_with("net") && key[3..].parse::<u32>().is_ok() {
            if let Some(net) = complete_net(world, &text) {
                *value = Value::Text(net);
            }
        } else if key == "vmgenid" && text == "1" {
            *value = Value::Text(world.random.uuid());
        } else if key == "hookscript" {
            let volume = world.storages.parse(&text)?;
            if volume.kind != "snippets" {
                return Err(Failure::parameter(key, format!("'{text}' is not in the snippets directory\n")));
            }
            if world.storages.size(&text).is_err() {
                return Err(Failure::parameter(key, format!("script '{text}' does not exist\n")));
            }
        }
    }
    Ok(())
}

/// Requires access to the storages and volumes that parameters name.
pub(crate) fn check_storage_access(world: &World, act: &Act<'_>, params: &Params) -> Result<(), Failure> {
    let (access, storages) = (&world.access, &world.storages);
    for (key, value) in params.iter().filter(|(key, _)| is_drive_key(key)) {
        let Some(drive) = value.text().and_then(|text| Drive::parse_new(key, text)) else { continue };
        let file = drive.file();
        let name = split_volume_id(file).map(|(_, name)| name);
        if matches!(file, "none" | "cloudinit") || name == Some("cloudinit") {
            // Nothing is attached yet.
        } else if drive.is_cdrom() && file == "cdrom" {
            access.check(act.who, "/", &["Sys.Console"])?;
        } else if let Some((storage, _)) = drive.new_volume().filter(|_| !drive.is_cdrom()) {
            let storage =
                storage.ok_or_else(|| Failure::internal("no storage ID specified (and no default storage)"))?;
            access.check(act.who, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
            if !storages.get(storage)?.content.iter().any(|content| content == "images") {
                let message = format!("storage '{storage}' does not support vm images");
                return Err(Failure::parameter("storage", message));
            }
        } else {
            storages.check_access(access, act.who, act.vmid, file, None)?;
            if name.is_some() && !matches!(storages.parse(file)?.kind, "images" | "iso") {
                return Err(Failure::parameter(key, "content type needs to be 'images' or 'iso'"));
            }
        }
        if let Some(source) = drive.get("import-from") {
            match storages.parse(source).ok().and_then(|volume| volume.owner) {
                Some(owner) => access.check_vm(act.who, owner, &["VM.Clone"])?,
                None => storages.check_access(access, act.who, act.vmid, source, None)?,
            }
        }
    }
    for (key, value) in params.iter().filter(|(key, _)| key.starts_with("unused")) {
        let text = value.text().unwrap_or_default();
        let drive = Drive::parse(key, text)
            .ok_or_else(|| Failure::parameter(key, format!("failed to parse value '{text}'")))?;
        storages.check_access(access, act.who, act.vmid, drive.file(), Some("images"))?;
    }
    if let Some(storage) = params.get("vmstatestorage").and_then(Value::text) {
        access.check(act.who, &format!("/storage/{storage}"), &["Datastore.AllocateSpace"])?;
    }
    if let Some(custom) = params.get("cicustom").and_then(Value::text) {
        for part in custom.split(',').filter_map(|part| part.split_once('=')) {
            storages.check_access(access, act.who, act.vmid, part.1, Some("snippets"))?;
        }
    }
    Ok(())
}

/// Requires the use of the bridges that new cards are on.
pub(crate) fn check_bridges(world: &World, act: &Act<'_>, params: &Params) -> Result<(), Failure> {
    let cards = params.iter().filter(|(key, _)| key.starts_with("net") && key[3..].parse::<u32>().is_ok());
    cards.filter_map(|(_, value)| value.text()).try_for_each(|value| check_bridge(world, act, value))
}

/// Requires the use of the bridge that a card is on.
pub(crate) fn check_bridge(world: &World, act: &Act<'_>, value: &str) -> Result<(), Failure> {
    let Some(net) = net::parse(value).filter(|_| act.who != ROOT) else { return Ok(()) };
    let get = |key: &str| net.get(key).map(String::as_str);
    match get("bridge") {
        Some(bridge) => world.access.check_bridge(act.who, bridge, get("tag"), get("trunks")),
        None => Ok(()),
    }
}

/// A TPM's version stays what it was made with.
pub(crate) fn check_tpm_version(key: &str, old: &str, new: &str) -> Result<(), Failure> {
    let (Some(old), Some(new)) = (Drive::parse(key, old), Drive::parse_new(key, new)) else { return Ok(()) };
    let version = |drive: &Drive| drive.get("version").unwrap_or("v1.2").to_owned();
    if key == "tpmstate0" && old.file() == new.file() && version(&old) != version(&new) {
        return Err(Failure::internal("cannot change TPM state version after creation"));
    }
    Ok(())
}

/// The clipboard works with some displays only.
pub(crate) fn check_clipboard(vga: &str) -> Result<(), Failure> {
    let parsed = parse_property_string(&options::vga(), vga, "").unwrap_or_default();
    let (Some(_), Some(kind)) = (parsed.get("clipboard"), parsed.get("type")) else { return Ok(()) };
    if ["std", "cirrus", "vmware", "virtio", "qxl"].iter().any(|good| kind.starts_with(good)) {
        return Ok(());
    }
    Err(Failure::internal(format!("vga type {kind} is not compatible with VNC clipboard")))
}

/// The rules between the sub-options of `machine`.
pub(crate) fn check_machine(machine: &str) -> Result<(), Failure> {
    let parsed = parse_property_string(&options::machine(), machine, "").map_err(Failure::internal)?;
    let width = parsed.get("aw-bits").map(|bits| crate::numbers::leading_number(bits)).filter(|bits| *bits != 0.0);
    let viommu = parsed.get("viommu").map(String::as_str);
    if viommu == Some("intel") {
        if !parsed.get("type").is_some_and(|kind| kind.contains("q35")) {
            return Err(Failure::internal("to use Intel vIOMMU please set the machine type to q35"));
        }
        if width.is_some_and(|bits| [39.0, 48.0].iter().all(|wanted: &f64| (bits - wanted).abs() > f64::EPSILON)) {
            return Err(Failure::internal("Intel vIOMMU supports only 39 or 48 bits as address width"));
        }
    }
    if width.is_some() && viommu.is_none() {
        return Err(Failure::internal("cannot set aw-bits if no vIOMMU is configured"));
    }
    Ok(())
}

/// Whether an operating system is Windows.
pub(crate) fn is_windows(ostype: &str) -> bool {
    windows_version(ostype) > 0
}

/// The version of Windows as the API server counts it; 0 for other systems.
pub(crate) fn windows_version(ostype: &str) -> u32 {
    match ostype {
        "wxp" | "w2k3" | "w2k" => 5,
        "w2k8" | "wvista" => 6,
        other => other.strip_prefix("win").and_then(|number| number.parse().ok()).unwrap_or(0),
    }
}

/// The machine type that a change of the operating system leads to, and whether it was pinned by it. `None` where the old
/// value is not a good one.
pub(crate) fn pin_machine(old: &str, ostype: &str, qemu: &str) -> Option<(String, bool)> {
    let mut parsed = parse_property_string(&options::machine(), old, "").ok()?;
    let kind = parsed.get("type").cloned().unwrap_or_default();
    let pin = is_windows(ostype) && matches!(kind.as_str(), "" | "pc" | "q35" | "virt");
    if pin {
        let version = qemu.rsplit_once('.').map_or(qemu, |(version, _)| version);
        let base = match kind.as_str() {
            "q35" => "pc-q35",
            "virt" => "virt",
            _ => "pc-i440fx",
        };
        parsed.insert("type".to_owned(), format!("{base}-{version}"));
    }
    let machine = print_property_string(&options::machine(), &parsed);
    check_machine(&machine).ok()?;
    Some((machine, pin))
}

/// The form in which a cloud-init password is stored. It has the form of a crypt hash without being one that any system
/// accepts.
pub(crate) fn hash_password(world: &World, conf: &Conf, password: &str) -> String {
    let hashed = pattern!(r"^\$(?:[156]|2[ay])(\$.+){2}").is_match(password);
    if hashed || conf.main.get("ostype").is_some_and(|ostype| is_windows(ostype)) {
        return password.to_owned();
    }
    let salt = world.random.hex(8);
    let digest = STANDARD.encode(Sha256::digest(format!("{salt}{password}"))).replace('+', ".");
    format!("$5${salt}${}", &digest[..43])
}

/// The boot order of some devices.
pub(crate) fn print_boot_order(devices: &[String]) -> String {
    if devices.is_empty() { String::new() } else { format!("order={}", devices.join(";")) }
}

/// Refuses public keys that ssh would not read.
pub(crate) fn check_ssh_keys(params: &Params) -> Result<(), Failure> {
    let Some(keys) = params.get("sshkeys").and_then(Value::text) else { return Ok(()) };
    let text = String::from_utf8_lossy(&percent_decode(keys.as_bytes())).into_owned();
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    if !lines.is_empty() && lines.into_iter().all(is_public_key) {
        Ok(())
    } else {
        Err(Failure::internal("SSH public key validation error"))
    }
}

fn is_public_key(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let pair = words.windows(2).find(|pair| pair[0].starts_with("ssh-") || pair[0].contains("sha2-"));
    let Some([kind, data]) = pair.map(|pair| [pair[0], pair[1]]) else { return false };
    let Ok(bytes) = STANDARD.decode(data) else { return false };
    let mut rest = bytes.as_slice();
    let mut fields = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some(field) = after.get(..length) else { return false };
        fields.push(field);
        rest = &after[length..];
    }
    let complete = rest.is_empty() && fields.len() >= 2 && fields[0] == kind.as_bytes();
    complete && (kind != "ssh-ed25519" || fields[1].len() == 32)
}

/// Whether a text counts as set.
pub(crate) fn is_set(value: Option<&String>) -> bool {
    value.is_some_and(|value| truthy(value))
}
