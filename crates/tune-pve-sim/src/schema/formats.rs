//! The named formats of single values, each with the text that the API gives when a value does not fit.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::matches;

/// Compiles a constant pattern once.
macro_rules! pattern {
    ($text:expr) => {{
        static CELL: std::sync::OnceLock<regex::Regex> = std::sync::OnceLock::new();
        CELL.get_or_init(|| regex::Regex::new($text).expect("the pattern is constant and valid"))
    }};
}
pub(crate) use pattern;

fn require(fits: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if fits { Ok(()) } else { Err(message()) }
}

/// Anything at all.
#[expect(clippy::unnecessary_wraps, reason = "it is one check among others")]
pub(crate) fn any(_: &str) -> Result<(), String> {
    Ok(())
}

/// Text that is already percent-encoded.
pub(crate) fn urlencoded(text: &str) -> Result<(), String> {
    let fits = matches(pattern!(r"^[-%a-zA-Z0-9_.!~*'()]*$"), text);
    require(fits, || format!("invalid urlencoded string: {text}\n"))
}

/// A name as it is used for options and snapshots.
pub(crate) fn config_id(text: &str) -> Result<(), String> {
    let fits = matches(pattern!(r"^(?i:[a-z][a-z0-9_-]+)$"), text);
    require(fits, || format!("invalid configuration ID '{text}'\n"))
}

/// The name of a storage.
pub(crate) fn storage_id(text: &str) -> Result<(), String> {
    let fits = matches(pattern!(r"^(?i:[a-z][a-z0-9\-_.]*[a-z0-9])$"), text);
    require(fits, || format!("storage ID '{text}' contains illegal characters\n"))
}

/// The name of a bridge; its length is not limited here.
pub(crate) fn bridge_id(text: &str) -> Result<(), String> {
    require(matches(pattern!(r"^[-_.\w\d]+$"), text), || format!("invalid bridge ID '{text}'\n"))
}

/// The name of a pool.
pub(crate) fn pool_id(text: &str) -> Result<(), String> {
    let fits = matches(pattern!(r"^[A-Za-z0-9._\-]+(?:/[A-Za-z0-9._\-]+){0,2}$"), text);
    require(fits, || "value does not look like a valid pool name\n".to_owned())
}

/// The number of a virtual machine.
pub(crate) fn vmid(text: &str) -> Result<(), String> {
    let fits = matches(pattern!(r"^[1-9][0-9]{2,8}$"), text);
    require(fits, || "value does not look like a valid VM ID\n".to_owned())
}

/// The name of a node.
pub(crate) fn node(text: &str) -> Result<(), String> {
    let fits = matches(pattern!(r"^[a-zA-Z0-9]([a-zA-Z0-9\-]*[a-zA-Z0-9])?$"), text);
    require(fits, || "value does not look like a valid node name\n".to_owned())
}

/// The name of a user with its realm.
pub(crate) fn user_id(text: &str) -> Result<(), String> {
    let length = text.chars().count();
    if length < 3 {
        return Err(format!("user name '{text}' is too short\n"));
    }
    if length > 64 {
        return Err(format!("user name '{text}' is too long ({length} > 64)\n"));
    }
    let fits = matches(pattern!(r"^[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+$"), text);
    require(fits, || format!("value '{text}' does not look like a valid user name\n"))
}

/// The name of a realm.
pub(crate) fn realm(text: &str) -> Result<(), String> {
    let fits = matches(pattern!(r"^[A-Za-z][A-Za-z0-9.\-_]+$"), text);
    require(fits, || "value does not look like a valid realm\n".to_owned())
}

/// The name of a role or a group.
fn plain_name(kind: &str, text: &str) -> Result<(), String> {
    let fits = matches(pattern!(r"^[A-Za-z0-9.\-_]+$"), text);
    require(fits, || format!("{kind} name '{text}' contains invalid characters\n"))
}

/// The name of a role.
pub(crate) fn role_id(text: &str) -> Result<(), String> {
    plain_name("role", text)
}

/// The name of a group of users.
pub(crate) fn group_id(text: &str) -> Result<(), String> {
    plain_name("group", text)
}

/// The name of a privilege.
pub(crate) fn privilege(text: &str) -> Result<(), String> {
    require(crate::access::is_privilege(text), || format!("invalid privilege '{text}'\n"))
}

/// A hardware address for one card.
pub(crate) fn mac_addr(text: &str) -> Result<(), String> {
    let fits = matches(pattern!(r"^(?i:[a-f0-9][02468ace](?::[a-f0-9]{2}){5})$"), text);
    require(fits, || "value does not look like a valid unicast MAC address\n".to_owned())
}

/// A name as in the domain name system; labels may be of any length.
pub(crate) fn dns_name(text: &str) -> Result<(), String> {
    let name = pattern!(r"^([a-zA-Z0-9]([a-zA-Z0-9\-]*[a-zA-Z0-9])?\.)*[a-zA-Z0-9]([a-zA-Z0-9\-]*[a-zA-Z0-9])?$");
    require(matches(name, text), || "value does not look like a valid DNS name\n".to_owned())
}

/// An IP address or a name.
pub(crate) fn address(text: &str) -> Result<(), String> {
    let fits = text.parse::<Ipv4Addr>().is_ok() || text.parse::<Ipv6Addr>().is_ok() || dns_name(text).is_ok();
    require(fits, || format!("value does not look like a valid address: {text}\n"))
}

/// An IPv4 address.
pub(crate) fn ipv4(text: &str) -> Result<(), String> {
    require(text.parse::<Ipv4Addr>().is_ok(), || "value does not look like a valid IPv4 address\n".to_owned())
}

/// An IPv6 address.
pub(crate) fn ipv6(text: &str) -> Result<(), String> {
    require(text.parse::<Ipv6Addr>().is_ok(), || "value does not look like a valid IPv6 address\n".to_owned())
}

fn prefix(text: &str, least: u32, most: u32) -> Option<&str> {
    let (address, length) = text.split_once('/')?;
    if !length.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let length: u32 = length.parse().ok()?;
    (length >= least && length <= most).then_some(address)
}

/// An IPv4 network, `dhcp` or `manual`.
pub(crate) fn ipv4_config(text: &str) -> Result<(), String> {
    let network = prefix(text, 8, 32).is_some_and(|address| address.parse::<Ipv4Addr>().is_ok());
    require(network || matches!(text, "dhcp" | "manual"), || {
        "value does not look like a valid ipv4 network configuration\n".to_owned()
    })
}

/// An IPv6 network, `auto`, `dhcp` or `manual`.
pub(crate) fn ipv6_config(text: &str) -> Result<(), String> {
    let network = prefix(text, 8, 128).is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    require(network || matches!(text, "auto" | "dhcp" | "manual"), || {
        "value does not look like a valid ipv6 network configuration\n".to_owned()
    })
}

/// A network in CIDR notation.
pub(crate) fn cidr(text: &str) -> Result<(), String> {
    let v4 = prefix(text, 8, 32).is_some_and(|address| address.parse::<Ipv4Addr>().is_ok());
    let v6 = prefix(text, 8, 128).is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    require(v4 || v6, || "value does not look like a valid CIDR network\n".to_owned())
}

/// One tag.
pub(crate) fn tag(text: &str) -> Result<(), String> {
    let fits = matches(pattern!(r"^(?i:[a-z0-9_][a-z0-9_\-+.]*)$"), text);
    require(fits, || "invalid characters in tag\n".to_owned())
}

/// `[order=]N,up=N,down=N`.
pub(crate) fn startup_order(text: &str) -> Result<(), String> {
    require(parse_startup(text).is_some(), || "unable to parse startup options\n".to_owned())
}

/// The numbers of a startup order: (order, up, down).
pub(crate) fn parse_startup(text: &str) -> Option<(Option<u64>, Option<u64>, Option<u64>)> {
    if !super::truthy(text) {
        return None;
    }
    let (mut order, mut up, mut down) = (None, None, None);
    let number = |text: &str| text.chars().all(|c| c.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    for part in text.split(',').filter(|part| !part.trim().is_empty()) {
        let part = part.strip_suffix('\n').unwrap_or(part);
        if let Some(value) = number(part.strip_prefix("order=").unwrap_or(part)) {
            order = Some(value);
        } else if let Some(value) = part.strip_prefix("up=").and_then(number) {
            up = Some(value);
        } else if let Some(value) = part.strip_prefix("down=").and_then(number) {
            down = Some(value);
        } else {
            return None;
        }
    }
    Some((order, up, down))
}

/// The features that can be plugged, or `0` or `1`.
pub(crate) fn hotplug_features(text: &str) -> Result<(), String> {
    crate::hotplug::Features::parse(text).map(|_| ())
}

/// A list of processors such as `0,5,8-11`.
pub(crate) fn cpu_set(text: &str) -> Result<(), String> {
    let span = |part: &str| {
        let found = pattern!(r"^\s*(\d+)(?:-(\d+))?\s*$").captures(part)?;
        let number = |at: usize| found.get(at).map(|text| text.as_str().parse::<u64>().unwrap_or(u64::MAX));
        number(1).zip(number(2).or(number(1))).filter(|(first, last)| first <= last)
    };
    let listed = text.trim_end_matches(',');
    let fits = listed.is_empty() || listed.split(',').all(|part| span(part).is_some());
    require(fits, || "unable to parse cpuset option\n".to_owned())
}

/// `STORAGE:rest`.
pub(crate) fn volume_id(text: &str) -> Result<(), String> {
    require(split_volume_id(text).is_some(), || format!("unable to parse volume ID '{text}'\n"))
}

/// Splits a volume id into storage and volume name.
pub(crate) fn split_volume_id(text: &str) -> Option<(&str, &str)> {
    let (storage, rest) = text.split_once(':')?;
    let rest_fits = !rest.trim_end_matches('\n').is_empty() && !rest.trim_end_matches('\n').contains('\n');
    (storage_id(storage).is_ok() && !storage.ends_with('\n') && rest_fits).then_some((storage, rest))
}

/// A volume id or an absolute path.
pub(crate) fn volume_id_or_path(text: &str) -> Result<(), String> {
    if text.starts_with('/') { Ok(()) } else { volume_id(text) }
}

/// What a drive's `file` may be: a volume id, an absolute path, `none` or `cdrom`.
pub(crate) fn drive_file(text: &str) -> Result<(), String> {
    if matches!(text, "none" | "cdrom") { Ok(()) } else { volume_id_or_path(text) }
}

/// A size such as `32G`, `1.5T` or plain bytes.
pub(crate) fn disk_size(text: &str) -> Result<(), String> {
    require(parse_size(text).is_some(), || format!("value does not look like a valid disk size: {text}\n"))
}

/// The bytes of a size.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let parts = pattern!(r"^(\d+(?:\.\d+)?)([KMGT])?(?:iB)?$").captures(text)?;
    if parts.get(2).is_none() && text.ends_with("iB") {
        return None;
    }
    let power = parts.get(2).map_or(0, |unit| "KMGT".find(unit.as_str()).map_or(0, |at| at + 1));
    let number = &parts[1];
    let factor = 1024_u64.checked_pow(u32::try_from(power).ok()?)?;
    match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(factor),
        Err(_) => scaled(number.parse::<f64>().ok()?, factor),
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn scaled(number: f64, factor: u64) -> Option<u64> {
    let bytes = number * factor as f64;
    (bytes < 9.0e18).then_some(bytes as u64)
}

/// Prints bytes in the largest unit that divides them.
pub(crate) fn format_size(bytes: u64) -> String {
    let mut value = bytes;
    for unit in ["", "K", "M", "G"] {
        if !value.is_multiple_of(1024) {
            return format!("{value}{unit}");
        }
        value /= 1024;
    }
    format!("{value}T")
}

/// A device that can be booted from.
pub(crate) fn boot_device(text: &str) -> Result<(), String> {
    let special = text.starts_with("efidisk") || text.starts_with("tpmstate");
    let drive = super::drive::is_drive_key(text) && !special;
    let other = ["net", "usb", "hostpci"].iter().any(|base| {
        text.strip_prefix(base).is_some_and(|number| number.chars().all(|c| c.is_ascii_digit()) && !number.is_empty())
            && super::options::options().contains(text)
    });
    require(drive || other, || format!("invalid boot device '{text}'\n"))
}

/// A drive that can be the old-style boot disk.
pub(crate) fn boot_disk(text: &str) -> Result<(), String> {
    require(super::drive::is_drive_key(text), || format!("invalid boot disk '{text}'\n"))
}

/// The state of a task in a filter.
pub(crate) fn task_status(text: &str) -> Result<(), String> {
    let fits = matches!(text.to_lowercase().as_str(), "ok" | "error" | "warning" | "unknown");
    require(fits, || format!("invalid status '{text}'\n"))
}
