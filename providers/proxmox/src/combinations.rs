//! Options that do not go together: what the API refuses, what it stores and then ignores, and what it stores although the
//! machine would not start with it. Found before anything is sent.

use std::collections::BTreeMap;

use tune_core::contract::DesiredItem;
use tune_core::problem::{Code, Problem};

use crate::codes::{
    AIO_CACHE, BALLOON, BOOT_ORDER, IOTHREAD, MEMORY_HOTPLUG, THROTTLE, TOO_MANY_PROCESSORS, VIRTIO_ONLY,
};
use crate::key::{Key, Place};
use crate::property::PropertyString;
use crate::stored;
use crate::table::Bus;
use crate::value::{bool_of, words};

/// Every option of a machine as it would be afterwards.
type Options = BTreeMap<String, Option<String>>;

/// Returns every combination that the items make, each on the item of the resource that it is about.
///
/// One that stands there already and that the resource has no part in is somebody else's business.
pub(crate) fn problems(items: &[(Key, &DesiredItem)], after: &Options, processors: Option<u64>) -> Vec<Problem> {
    let mut found = Vec::new();
    for (option, text) in after {
        let Some(text) = text else { continue };
        match Place::of(option) {
            Some(Place::Disk(bus)) => found.extend(disk(option, bus, text, after)),
            Some(Place::Net) => found.extend(net(option, text)),
            _ => {}
        }
    }
    found.extend(machine(after, processors));
    found.extend(boot(after));
    found.into_iter().filter_map(|conflict| conflict.on(items)).collect()
}

/// Two or more options that do not go together.
struct Conflict {
    code: Code,
    message: String,
    label: &'static str,
    help: String,
    /// The options that it is about, the most telling first: `(option, sub-option)`.
    about: Vec<(String, &'static str)>,
}

impl Conflict {
    /// Returns the problem on the first item that has a part in it.
    fn on(self, items: &[(Key, &DesiredItem)]) -> Option<Problem> {
        let is_about = |key: &Key, (option, sub): &(String, &str)| {
            key.option == *option && (sub.is_empty() || key.sub.as_deref() == Some(sub))
        };
        let item = self.about.iter().find_map(|about| items.iter().find(|(key, _)| is_about(key, about)))?.1;
        Some(Problem::new(self.code, item.path.clone(), self.message, self.label).with_help(self.help))
    }
}

fn disk(option: &str, bus: Bus, text: &str, after: &Options) -> Vec<Conflict> {
    let grammar = crate::table::DRIVE;
    let string = PropertyString::parse(grammar, text);
    let is_on = |sub: &str| string.get(sub).and_then(bool_of) == Some(true);
    let scsihw = bare(after, "scsihw").unwrap_or("lsi");
    let is_single = scsihw == "virtio-scsi-single";
    let mut found = Vec::new();
    for sub in ["iothread", "queues"] {
        let is_set = if sub == "queues" { string.get(sub).is_some() } else { is_on(sub) };
        if bus == Bus::Scsi && is_set && !is_single {
            found.push(Conflict {
                code: IOTHREAD,
                message: format!("`{sub}` of `{option}` has no effect with the controller `{scsihw}`"),
                label: "it needs `virtio-scsi-single`",
                help: "set `scsihw = \"virtio-scsi-single\"`, which every `scsi` disk of the machine then uses"
                    .to_owned(),
                about: vec![(option.to_owned(), sub), ("scsihw".to_owned(), "")],
            });
        }
    }
    let cache = string.get("cache").unwrap_or("none");
    if string.get("aio") == Some("native") && ["writeback", "writethrough", "unsafe"].contains(&cache) {
        found.push(Conflict {
            code: AIO_CACHE,
            message: format!(
                "the machine would not start with `aio = \"native\"` and `cache = \"{cache}\"` on `{option}`"
            ),
            label: "`native` needs a disk that the host does not cache",
            help: "set `aio = \"io_uring\"`, or `cache` to `none` or `directsync`".to_owned(),
            about: vec![(option.to_owned(), "cache"), (option.to_owned(), "aio")],
        });
    }
    let subs = string.entries().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if let Some(why) = stored::conflict(&subs) {
        found.push(Conflict {
            code: THROTTLE,
            message: format!("the limits of `{option}` do not go together: {why}"),
            label: "the API refuses the disk as a whole",
            help: "write limits for both directions together, or for each, and a burst only beside its limit"
                .to_owned(),
            about: crate::table::DRIVE_SUBS
                .iter()
                .filter(|row| ["mbps", "iops", "bps"].iter().any(|unit| row.name.starts_with(unit)))
                .map(|row| (option.to_owned(), row.name))
                .collect(),
        });
    }
    found
}

fn net(option: &str, text: &str) -> Vec<Conflict> {
    let string = PropertyString::parse(crate::table::NET, text);
    let model = string.get("model").unwrap_or_default();
    let wrong = ["queues", "mtu"]
        .into_iter()
        .filter(|sub| model != "virtio" && string.get(sub).is_some_and(|value| value != "0"));
    wrong
        .map(|sub| Conflict {
            code: VIRTIO_ONLY,
            message: format!("`{sub}` of `{option}` has no effect with the model `{model}`"),
            label: "only `virtio` devices have it",
            help: "remove it, or set `model = \"virtio\"`, for which the guest needs a driver".to_owned(),
            about: vec![(option.to_owned(), sub), (option.to_owned(), "model")],
        })
        .collect()
}

fn machine(after: &Options, processors: Option<u64>) -> Vec<Conflict> {
    let mut found = Vec::new();
    let number = |option: &str| bare(after, option).and_then(|text| text.parse::<u64>().ok());
    let memory = after.get("memory").and_then(Option::as_deref).map_or(Some(512), |text| {
        PropertyString::parse(crate::table::grammar("current"), text).get("current").and_then(|text| text.parse().ok())
    });
    if let (Some(balloon), Some(memory)) = (number("balloon"), memory)
        && balloon > memory
    {
        found.push(Conflict {
            code: BALLOON,
            message: format!("`balloon` is {balloon} MiB, and the machine has {memory} MiB"),
            label: "it cannot keep more than it has",
            help: format!("write {memory} at most"),
            about: vec![("balloon".to_owned(), ""), ("memory".to_owned(), "current")],
        });
    }
    let total = number("sockets").unwrap_or(1).saturating_mul(number("cores").unwrap_or(1));
    let about = |first: &str| [first, "cores", "sockets", "vcpus"].map(|name| (name.to_owned(), "")).to_vec();
    if let Some(vcpus) = number("vcpus")
        && vcpus > total
    {
        found.push(Conflict {
            code: TOO_MANY_PROCESSORS,
            message: format!("`vcpus` is {vcpus}, and `sockets` times `cores` is {total}"),
            label: "no more can be plugged in than there are sockets for",
            help: format!("write {total} at most, or raise `cores`"),
            about: about("vcpus"),
        });
    }
    if let Some(processors) = processors
        && total > processors
    {
        found.push(Conflict {
            code: TOO_MANY_PROCESSORS,
            message: format!("the machine would have {total} processors, and its node has {processors}"),
            label: "it would not start there",
            help: format!("write {processors} at most"),
            about: about("cores"),
        });
    }
    let plugs_memory = bare(after, "hotplug").is_some_and(|list| words(list).contains(&"memory"));
    if plugs_memory {
        let about = ["hotplug", "numa"].map(|name| (name.to_owned(), "")).into_iter();
        let about: Vec<(String, &'static str)> = about.chain([("memory".to_owned(), "current")]).collect();
        if bare(after, "numa").and_then(bool_of) != Some(true) {
            found.push(Conflict {
                code: MEMORY_HOTPLUG,
                message: "the machine would not start with `memory` in `hotplug` and without `numa`".to_owned(),
                label: "memory is plugged in by socket",
                help: "set `numa = true`".to_owned(),
                about: about.clone(),
            });
        }
        if memory.is_some_and(|memory| memory < 1024) {
            found.push(Conflict {
                code: MEMORY_HOTPLUG,
                message: "with `memory` in `hotplug`, a machine has 1024 MiB at least".to_owned(),
                label: "less cannot be plugged in",
                help: "write 1024 or more for `memory`".to_owned(),
                about: about.into_iter().rev().collect(),
            });
        }
    }
    found
}

/// The API takes a boot order only of devices that are there.
fn boot(after: &Options) -> Option<Conflict> {
    let order = PropertyString::parse(crate::table::grammar("legacy"), bare(after, "boot")?);
    let is_away = |device: &&str| bare(after, device).is_none();
    let away = order.get("order")?.split(';').filter(|device| !device.is_empty()).find(is_away)?;
    let has = after
        .iter()
        .filter(|(option, text)| text.is_some() && matches!(Place::of(option), Some(Place::Disk(_) | Place::Net)));
    let has: Vec<String> = has.map(|(option, _)| format!("`{option}`")).collect();
    Some(Conflict {
        code: BOOT_ORDER,
        message: format!("`boot` names `{away}`, which the machine does not have"),
        label: "the API refuses it",
        help: format!("it has {}", has.join(", ")),
        about: vec![("boot".to_owned(), "order")],
    })
}

fn bare<'a>(after: &'a Options, option: &str) -> Option<&'a str> {
    after.get(option).and_then(Option::as_deref)
}
