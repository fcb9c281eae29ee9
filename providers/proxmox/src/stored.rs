//! What the API makes of a drive or a network device: whether it takes the string, and how it then stores it. It prints
//! drives and network devices anew, in an order of its own; every other string it stores as it was sent.

use std::collections::BTreeMap;

use crate::property::{Grammar, PropertyString};
use crate::table::{Bus, DRIVE, MODELS, NET, buses_of, index};
use crate::value::bool_of;

/// Returns what is stored for the string, or why it is refused, in the API's words where it has some.
///
/// A network device without an address gets one, which is not foreseen here. The size of a volume is always replaced by
/// the real one.
pub(crate) fn stored(key: &str, text: &str) -> Result<String, String> {
    if crate::table::is_net(key) {
        let subs = taken_apart(NET, text, net_sub)?;
        let (Some(model), mac) = (subs.get("model"), subs.get("macaddr")) else {
            return Err(missing("model"));
        };
        let first = mac.map_or_else(|| model.clone(), |mac| format!("{model}={mac}"));
        return Ok(printed(first, &subs, &["model", "macaddr"]));
    }
    let family = family(key).ok_or_else(|| format!("no drive has the key `{key}`"))?;
    let subs = taken_apart(DRIVE, text, |name, value| drive_sub(family, name, value))?;
    let Some(file) = subs.get("file") else { return Err(missing("file")) };
    consistent(family, &subs)?;
    Ok(printed(file.clone(), &subs, &["file"]))
}

/// Returns whether a combination of throttles, or of a CD drive's sub-options, is one that the API takes.
pub(crate) fn conflict(subs: &BTreeMap<String, String>) -> Option<String> {
    // Perl takes the text `0` and nothing else for no.
    let is_set = |name: &str| subs.get(name).is_some_and(|value| value != "0");
    for unit in ["mbps", "iops"] {
        let halves = [format!("{unit}_rd"), format!("{unit}_wr")];
        if let Some(half) = halves.iter().find(|half| is_set(unit) && is_set(half)) {
            return Some(format!("`{unit}` and `{half}` exclude each other"));
        }
    }
    let direction = ["", "_rd", "_wr"];
    let bursts = direction.map(|d| (format!("mbps{d}_max"), format!("mbps{d}")));
    let bytes = direction.map(|d| (format!("bps{d}_max_length"), format!("mbps{d}_max")));
    let operations = direction.map(|d| (format!("iops{d}_max_length"), format!("iops{d}_max")));
    let mut needs = bursts.into_iter().chain(bytes).chain(operations);
    needs.find(|(one, other)| is_set(one) && !is_set(other)).map(|(one, other)| format!("`{one}` needs `{other}`"))
}

/// What decides which sub-options a drive takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Disk(Bus),
    Efi,
    Tpm,
    Unused,
}

fn family(key: &str) -> Option<Family> {
    let unused = || key.strip_prefix("unused").and_then(index).filter(|index| *index <= 255);
    match key {
        "efidisk0" => Some(Family::Efi),
        "tpmstate0" => Some(Family::Tpm),
        _ => Bus::of(key).map(Family::Disk).or_else(|| unused().map(|_| Family::Unused)),
    }
}

type Subs = BTreeMap<String, String>;

fn taken_apart(
    grammar: Grammar,
    text: &str,
    check: impl Fn(&str, &str) -> Result<String, String>,
) -> Result<Subs, String> {
    let mut subs = Subs::new();
    for part in text.split(',') {
        // A value ends before the line break that ends the text.
        let part = part.strip_suffix('\n').filter(|part| part.contains('=')).unwrap_or(part);
        if part.trim().is_empty() {
            continue;
        }
        if part.ends_with('=') || part.starts_with('=') {
            return Err("missing key in comma-separated list property".to_owned());
        }
        for (name, value) in PropertyString::parse(grammar, part).entries() {
            let value = check(name, value)?;
            if subs.insert(name.to_owned(), value).is_some() {
                return Err(format!("duplicate key in comma-separated list property: {name}"));
            }
        }
    }
    Ok(subs)
}

fn printed(first: String, subs: &Subs, left_out: &[&str]) -> String {
    let rest = subs.iter().filter(|(name, _)| !left_out.contains(&name.as_str()));
    rest.fold(first, |text, (name, value)| format!("{text},{name}={value}"))
}

fn missing(name: &str) -> String {
    format!("{name}: property is missing and it is not optional")
}

fn unknown(name: &str) -> String {
    format!("{name}: property is not defined in schema and the schema does not allow additional properties")
}

fn drive_sub(family: Family, name: &str, value: &str) -> Result<String, String> {
    let known = match family {
        _ if name == "file" => true,
        Family::Unused => false,
        _ if ["size", "format", "import-from"].contains(&name) => true,
        Family::Efi => ["efitype", "pre-enrolled-keys", "ms-cert"].contains(&name),
        Family::Tpm => name == "version",
        Family::Disk(_) if ["media", "bps", "bps_rd", "bps_wr"].contains(&name) => true,
        Family::Disk(bus) => {
            crate::table::DRIVE_SUBS.iter().any(|row| row.name == name) && buses_of(name).contains(&bus)
        }
    };
    if !known {
        return Err(unknown(name));
    }
    let one_of = |words: &[&str]| words.contains(&value);
    let is_good = match name {
        "file" => is_volume(value),
        "import-from" => value.starts_with('/') || is_volume_id(value),
        "size" => return size(value).ok_or_else(|| format!("{value} is no size")),
        "format" => one_of(&["raw", "qcow", "qed", "qcow2", "vmdk", "cloop"]),
        "media" => one_of(&["cdrom", "disk"]),
        "efitype" => one_of(&["2m", "4m"]),
        "version" => one_of(&["v1.2", "v2.0"]),
        "ms-cert" => !value.is_empty(),
        "cache" => one_of(&["none", "writethrough", "writeback", "unsafe", "directsync"]),
        "aio" => one_of(&["native", "threads", "io_uring"]),
        "discard" => one_of(&["ignore", "on"]),
        "rerror" => one_of(&["ignore", "report", "stop"]),
        "werror" => one_of(&["enospc", "ignore", "report", "stop"]),
        "serial" => is_encoded(value, 60),
        "model" => is_encoded(value, 120),
        "vendor" => is_inquiry(value, 8),
        "product" => is_inquiry(value, 16),
        "wwn" => {
            value.strip_prefix("0x").is_some_and(|hex| hex.len() == 16 && hex.chars().all(|c| c.is_ascii_hexdigit()))
        }
        "queues" => return at_least(value, 2),
        _ if name.ends_with("_length") => return at_least(value, 1),
        _ if name.starts_with("mbps") => is_number(value),
        _ if name.starts_with("iops") || name.starts_with("bps") => is_whole(value),
        _ => return bool_of(value).map(|on| u8::from(on).to_string()).ok_or_else(|| format!("{name}: not a bool")),
    };
    if is_good { Ok(value.to_owned()) } else { Err(format!("{name}: `{value}` is not taken")) }
}

fn net_sub(name: &str, value: &str) -> Result<String, String> {
    let bounded =
        |least: i128, most: i128| is_whole(value) && value.parse().is_ok_and(|n: i128| n >= least && n <= most);
    let is_good = match name {
        "model" => MODELS.contains(&value),
        "macaddr" => is_address(value),
        "bridge" => is_bridge(value),
        "firewall" | "link_down" | "host-tunnel" => {
            return bool_of(value).map(|on| u8::from(on).to_string()).ok_or_else(|| format!("{name}: not a bool"));
        }
        "rate" => is_number(value) && !value.starts_with('-'),
        "queues" => bounded(0, 64),
        "tag" => bounded(1, 4094),
        "mtu" => bounded(1, 65520),
        "trunks" => {
            let number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
            value.split(';').all(|part| part.split('-').count() <= 2 && part.split('-').all(number))
        }
        _ => return Err(unknown(name)),
    };
    if is_good { Ok(value.to_owned()) } else { Err(format!("{name}: `{value}` is not taken")) }
}

fn consistent(family: Family, subs: &Subs) -> Result<(), String> {
    let is_set = |name: &str| subs.get(name).is_some_and(|value| value != "0");
    let is_cdrom = subs.get("media").is_some_and(|media| media == "cdrom");
    let wrong_cdrom = is_cdrom && (is_set("snapshot") || is_set("format") || family == Family::Disk(Bus::Virtio));
    // A legacy rate becomes `0.000`, which counts as set.
    let legacy = ["", "_rd", "_wr"].iter().any(|d| is_set(&format!("bps{d}")) && subs.contains_key("mbps"));
    if wrong_cdrom || legacy || conflict(subs).is_some() {
        return Err("unable to parse drive options".to_owned());
    }
    Ok(())
}

fn is_volume(value: &str) -> bool {
    matches!(value, "none" | "cdrom") || value.starts_with('/') || is_volume_id(value)
}

fn is_volume_id(value: &str) -> bool {
    let Some((storage, rest)) = value.split_once(':') else { return false };
    !rest.is_empty()
        && storage.len() > 1
        && storage.starts_with(|c: char| c.is_ascii_alphabetic())
        && storage.ends_with(|c: char| c.is_ascii_alphanumeric())
        && storage.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Returns a size as it is printed: with the largest unit that divides it.
fn size(text: &str) -> Option<String> {
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    let unit = unit.strip_suffix("iB").unwrap_or(unit);
    let power = ["", "K", "M", "G", "T"].iter().position(|name| *name == unit)?;
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, fraction)| (whole, Some(fraction)));
    if whole.is_empty() || fraction.is_some_and(|digits| digits.is_empty() || digits.contains('.')) {
        return None;
    }
    let scale = 1024_u128.pow(u32::try_from(power).ok()?);
    let fraction = fraction.unwrap_or("0");
    let tenths = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = fraction.parse::<u128>().ok()?.checked_mul(scale)? / tenths;
    let mut bytes = whole.parse::<u128>().ok()?.checked_mul(scale)?.checked_add(part)?;
    let mut units = ["", "K", "M", "G", "T"].iter();
    let mut unit = units.next()?;
    while bytes > 0 && bytes.is_multiple_of(1024) {
        let Some(next) = units.next() else { break };
        (bytes, unit) = (bytes / 1024, next);
    }
    Some(format!("{bytes}{unit}"))
}

fn at_least(value: &str, least: i128) -> Result<String, String> {
    match value.parse::<i128>() {
        Ok(number) if is_whole(value) && number >= least => Ok(value.to_owned()),
        _ => Err(format!("value must have a minimum value of {least}")),
    }
}

/// Digits of any script count.
fn is_whole(value: &str) -> bool {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    !digits.is_empty() && digits.chars().all(char::is_numeric)
}

fn is_number(value: &str) -> bool {
    let mantissa = value.strip_prefix(['-', '+']).unwrap_or(value);
    let (mantissa, exponent) = mantissa.split_once(['e', 'E']).map_or((mantissa, "0"), |(m, e)| (m, e));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    !(whole.is_empty() && fraction.is_empty()) && digits(whole) && digits(fraction) && is_whole(exponent)
}

fn is_encoded(value: &str, most: usize) -> bool {
    value.chars().count() <= most && value.chars().all(|c| c.is_ascii_alphanumeric() || "-%_.!~*'()".contains(c))
}

fn is_inquiry(value: &str, most: usize) -> bool {
    value.len() <= most && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_ ".contains(c))
}

/// A hardware address of one device: the lowest bit of the first byte is zero.
fn is_address(value: &str) -> bool {
    let bytes: Vec<&str> = value.split(':').collect();
    bytes.len() == 6
        && bytes.iter().all(|byte| byte.len() == 2 && byte.chars().all(|c| c.is_ascii_hexdigit()))
        && u8::from_str_radix(bytes[0], 16).is_ok_and(|first| first % 2 == 0)
}

fn is_bridge(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drives_are_printed_in_an_order_of_their_own() {
        let input = "local-zfs:vm-1-disk-0,size=32768M,iothread=on,cache=writeback,discard=on,ssd=yes";
        let printed = "local-zfs:vm-1-disk-0,cache=writeback,discard=on,iothread=1,size=32G,ssd=1";
        assert_eq!(stored("scsi0", input).as_deref(), Ok(printed));
        assert_eq!(stored("scsi0", "cache=none,,volume=aa:b\n").as_deref(), Ok("aa:b,cache=none"));
        assert_eq!(
            stored("scsi4", "aa:b,bps_rd_length=3,mbps_rd=1,mbps_rd_max=2").as_deref(),
            Ok("aa:b,bps_rd_max_length=3,mbps_rd=1,mbps_rd_max=2")
        );
    }

    #[test]
    fn what_the_api_refuses_is_refused() {
        for (key, input) in [
            ("sata0", "aa:b,iothread=1"),
            ("virtio0", "aa:b,ssd=1"),
            ("scsi0", "aa:b, cache=none"),
            ("scsi0", "aa:b,cache="),
            ("scsi0", "aa:b,aa:c"),
            ("scsi0", "cache=none"),
            ("scsi0", "aa:b,mbps_max=5"),
            ("scsi0", "aa:b,mbps=1,mbps_rd=1"),
            ("scsi0", "aa:b,queues=1"),
            ("scsi31", "aa:b"),
            ("unused3", "aa:b,cache=none"),
            ("net0", "bridge=vmbr0"),
            ("net0", "virtio=01:00:00:00:00:01"),
            ("net0", "virtio,foo=1"),
        ] {
            assert!(stored(key, input).is_err(), "{key} {input}");
        }
    }

    #[test]
    fn network_devices_are_printed_with_the_address_first() {
        let input = "bridge=vmbr0,queues=2,macaddr=BC:24:11:AA:BB:CC,model=virtio,firewall=on";
        assert_eq!(stored("net0", input).as_deref(), Ok("virtio=BC:24:11:AA:BB:CC,bridge=vmbr0,firewall=1,queues=2"));
    }
}
