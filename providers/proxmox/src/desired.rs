//! From attributes to items, or to every mistake in them. Nothing here depends on a machine.

use std::collections::BTreeMap;

use tune_core::address::Address;
use tune_core::contract::{Desired, DesiredItem};
use tune_core::item::Raw;
use tune_core::path::AttributePath;
use tune_core::problem::Problem;
use tune_core::resource::Resource;
use tune_core::text::visible;
use tune_core::value::Value;

use crate::codes::{BAD_VALUE, BAD_VMID, NO_SETTINGS, NOT_TUNABLE, UNKNOWN_DEVICE, UNKNOWN_OPTION, WRONG_BUS};
use crate::key::{Key, Place, VMIDS};
use crate::table::{self, Bus, OptionRow, Row, Shape};
use crate::value;

/// Attributes that are no option of the machine.
const FIXED: [&str; 4] = ["vmid", "guest", "disk", "network"];

/// Sub-options that name or describe a thing, so that changing them is no tuning.
const NOT_TUNED: [&str; 9] =
    ["file", "volume", "size", "format", "media", "import-from", "macaddr", "bps", "cipassword"];

/// Returns what a resource wants, or all its mistakes.
pub(crate) fn desired(resource: &Resource) -> Result<Desired, Vec<Problem>> {
    let mut wanted = Wanted { vmid: 0, items: Vec::new(), problems: Vec::new() };
    let attributes = &resource.attributes;
    match vmid(attributes) {
        Ok(vmid) => wanted.vmid = vmid,
        Err(problem) => wanted.problems.push(problem),
    }
    let guest = match attributes.get("guest").and_then(Value::as_str).map(str::parse::<Address>) {
        Some(Err(error)) => {
            wanted.problem(BAD_VALUE, AttributePath::attribute("guest"), error.to_string(), "not a host");
            None
        }
        other => other.and_then(Result::ok),
    };
    for block in ["disk", "network"] {
        wanted.devices(block, attributes.get(block));
    }
    for (name, value) in attributes.iter().filter(|(name, _)| !FIXED.contains(&name.as_str())) {
        wanted.option(name, value);
    }
    if wanted.items.is_empty() && wanted.problems.is_empty() {
        let problem =
            Problem::new(NO_SETTINGS, AttributePath::default(), "nothing of the machine is managed", "nothing to set");
        wanted.problems.push(problem.with_help("write at least one option, or remove the resource"));
    }
    if !wanted.problems.is_empty() {
        return Err(wanted.problems);
    }
    let host = resource.provider.clone().unwrap_or_else(|| Address::new("provider", "proxmox"));
    Ok(Desired { host, guest, items: wanted.items })
}

fn vmid(attributes: &BTreeMap<String, Value>) -> Result<u32, Problem> {
    let written = attributes.get("vmid").cloned().unwrap_or_default();
    let number = match &written {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => table::index(text).map(u64::from),
        _ => None,
    };
    number.and_then(|number| u32::try_from(number).ok()).filter(|number| VMIDS.contains(number)).ok_or_else(|| {
        let message = format!("{written} is not the number of a virtual machine");
        let label = format!("it is a whole number from {} to {}", VMIDS.start(), VMIDS.end());
        Problem::new(BAD_VMID, AttributePath::attribute("vmid"), message, label)
    })
}

struct Wanted {
    vmid: u32,
    items: Vec<DesiredItem>,
    problems: Vec<Problem>,
}

impl Wanted {
    fn problem(
        &mut self,
        code: tune_core::problem::Code,
        path: AttributePath,
        message: impl Into<String>,
        label: &str,
    ) {
        self.problems.push(Problem::new(code, path, message, label));
    }

    fn devices(&mut self, block: &str, value: Option<&Value>) {
        let Some(Value::Map(devices)) = value else { return };
        for (key, subs) in devices {
            let path = AttributePath::attribute(block).key(key);
            let shown = visible(key, 40);
            let (is_one, what, known) = match block {
                "disk" => (
                    Bus::of(key).is_some(),
                    "disk",
                    "`ide0` to `ide3`, `sata0` to `sata5`, `scsi0` to `scsi30`, `virtio0` to `virtio15`",
                ),
                _ => (table::is_net(key), "network device", "`net0` to `net31`"),
            };
            let Value::Map(subs) = subs else { continue };
            if !is_one {
                let problem =
                    Problem::new(UNKNOWN_DEVICE, path, format!("no {what} has the key `{shown}`"), "no such key");
                self.problems.push(problem.with_help(format!("write one of {known}")));
                continue;
            }
            if subs.is_empty() {
                let problem =
                    Problem::new(NO_SETTINGS, path, format!("nothing of `{shown}` is managed"), "nothing to set");
                self.problems.push(problem.with_help("write at least one option, or remove the block"));
                continue;
            }
            for (sub, value) in subs {
                self.sub(key, sub, value, path.clone().name(sub));
            }
        }
    }

    fn option(&mut self, name: &str, value: &Value) {
        let path = AttributePath::attribute(name);
        let Some(option) = table::option(name) else {
            let shown = visible(name, 40);
            if NOT_TUNED.contains(&name) {
                let problem = Problem::new(NOT_TUNABLE, path, format!("`{shown}` is not tuned"), "not managed here");
                self.problems.push(problem.with_help("set it in Proxmox itself"));
                return;
            }
            return self.problem(UNKNOWN_OPTION, path, format!("a machine has no option `{shown}`"), "no such option");
        };
        match (option, value) {
            (OptionRow { shape: Shape::String(..), .. }, Value::Map(subs)) => {
                for (sub, value) in subs {
                    self.sub(name, sub, value, path.clone().name(sub));
                }
            }
            (OptionRow { shape: Shape::String(grammar, _), .. }, value) => {
                self.sub(name, grammar.default_key, value, path);
            }
            (OptionRow { shape: Shape::Value, row, .. }, value) => self.item(name, None, row, value, path),
        }
    }

    fn sub(&mut self, option: &str, sub: &str, value: &Value, path: AttributePath) {
        let Some(place) = Place::of(option) else { return };
        let (_, rows) = place.string().expect("only property strings have sub-options");
        let shown = visible(sub, 40);
        let Some(row) = rows.iter().find(|row| row.name == sub) else {
            if NOT_TUNED.contains(&sub) {
                let problem = Problem::new(
                    NOT_TUNABLE,
                    path,
                    format!("`{shown}` of `{option}` is not tuned"),
                    "not managed here",
                );
                self.problems.push(problem.with_help("set it in Proxmox itself"));
                return;
            }
            return self.problem(UNKNOWN_OPTION, path, format!("`{option}` has no option `{shown}`"), "no such option");
        };
        if let Place::Disk(bus) = place
            && !table::buses_of(sub).contains(&bus)
        {
            let buses: Vec<String> = table::buses_of(sub).iter().map(|bus| format!("`{}`", bus.name())).collect();
            let label = format!("only disks on {} have it", buses.join(", "));
            let message = format!("a disk on `{}` has no `{shown}`", bus.name());
            let problem = Problem::new(WRONG_BUS, path, message, label);
            return self.problems.push(problem.with_help("remove it, or attach the disk to another bus first"));
        }
        self.item(option, Some(sub), row, value, path);
    }

    fn item(&mut self, option: &str, sub: Option<&str>, row: &Row, value: &Value, path: AttributePath) {
        let key = Key { vmid: self.vmid, option: option.to_owned(), sub: sub.map(str::to_owned) };
        if *value == Value::Null {
            let problem =
                Problem::new(BAD_VALUE, path, format!("`{}` has no value", key.label()), "`null` is not a value");
            return self
                .problems
                .push(problem.with_help("to stop managing it, remove it: what was there before is put back then"));
        }
        match value::from_value(row.of, value) {
            Ok(text) => self.items.push(DesiredItem { key: key.item(), path, want: Raw::Text(text) }),
            Err(takes) => {
                let message = format!("`{}` cannot be {}", key.label(), visible(&value.to_string(), 80));
                self.problem(BAD_VALUE, path, message, &format!("it takes {takes}"));
            }
        }
    }
}
