//! When a change takes effect: at once, or with the next power cycle. A property string waits or goes through as a whole,
//! so the forecast is about a whole option.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::item::Raw;

use crate::key::{Key, Place};
use crate::property::{Grammar, PropertyString};
use crate::table::{Row, When};
use crate::value::{self, bool_of, words};
use crate::vm::Vm;

/// What becomes of one changed item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Forecast {
    /// The running machine uses it as soon as it is written, or the machine is off.
    AtOnce,
    /// At once, but the device is away for a moment.
    Replugged,
    /// With the next power cycle; the API shows it as pending.
    Pending,
    /// With the next power cycle; the API shows it as done.
    Silent,
}

/// Returns what becomes of an item, when its option changes to `after` as a whole.
pub(crate) fn forecast(vm: &Vm, key: &Key, after: Option<&str>) -> Forecast {
    if !vm.running {
        return Forecast::AtOnce;
    }
    let (Some(place), Some(row)) = (Place::of(&key.option), key.row()) else { return Forecast::Pending };
    let current = vm.options.get(&key.option).and_then(|entry| entry.current.as_deref());
    let features = hotplug(vm);
    match place {
        Place::Disk(_) | Place::Net => {
            let Some((grammar, rows)) = place.string() else { return Forecast::Pending };
            let (Some(current), Some(after)) = (current, after) else { return Forecast::Pending };
            let changed = changed(grammar, current, after);
            let of_changed =
                |test: fn(When) -> bool| rows.iter().any(|row| test(row.when) && changed.contains(row.name));
            if of_changed(|when| when == When::Pending) {
                return Forecast::Pending;
            }
            if of_changed(|when| matches!(when, When::Replugged(_))) {
                return if features.contains(&"network".to_owned()) { Forecast::Replugged } else { Forecast::Pending };
            }
            match row.when {
                When::Silent => Forecast::Silent,
                _ => Forecast::AtOnce,
            }
        }
        Place::Option(_) if key.option == "balloon" => {
            // The device itself comes and goes with the step from or to 0.
            let is_off = |text: Option<&str>| text.is_some_and(|text| text.trim() == "0");
            if is_off(current) == is_off(after) { Forecast::AtOnce } else { Forecast::Pending }
        }
        Place::Option(_) if key.option == "hotplug" => {
            let heavy = |text: Option<&str>| {
                text.is_some_and(|text| words(text).iter().any(|word| ["cpu", "memory"].contains(word)))
            };
            if heavy(current) || heavy(after) { Forecast::Pending } else { Forecast::AtOnce }
        }
        Place::Option(option) => {
            let Some((grammar, rows)) = place.string() else { return by_row(&option.row, vm, &features) };
            let changed = changed(grammar, current.unwrap_or_default(), after.unwrap_or_default());
            let waits =
                rows.iter().any(|row| changed.contains(row.name) && by_row(row, vm, &features) == Forecast::Pending);
            if waits { Forecast::Pending } else { Forecast::AtOnce }
        }
    }
}

/// Returns the features that can change while the machine runs.
pub(crate) fn hotplug(vm: &Vm) -> Vec<String> {
    let written = vm.options.get("hotplug").and_then(|entry| entry.current.as_deref()).unwrap_or("1");
    let of = crate::table::option("hotplug").map(|option| option.row.of);
    let list = of.map_or_else(String::new, |of| value::canonical(of, written));
    words(&list).into_iter().filter(|word| *word != "0").map(str::to_owned).collect()
}

fn by_row(row: &Row, vm: &Vm, features: &[String]) -> Forecast {
    let has = |feature: &str| features.iter().any(|one| one == feature);
    let numa = || vm.options.get("numa").and_then(|entry| entry.current.as_deref()).and_then(bool_of) == Some(true);
    match row.when {
        When::Live => Forecast::AtOnce,
        When::LiveWith("memory") if !numa() => Forecast::Pending,
        When::LiveWith(feature) if has(feature) => Forecast::AtOnce,
        When::Replugged(feature) if has(feature) => Forecast::Replugged,
        When::LiveWith(_) | When::Replugged(_) | When::Pending => Forecast::Pending,
        When::Silent => Forecast::Silent,
    }
}

/// Returns the sub-options that differ, as the API compares them: what is absent differs from a default that is written.
fn changed(grammar: Grammar, before: &str, after: &str) -> BTreeSet<String> {
    let entries = |text: &str| -> BTreeMap<String, String> {
        let string = PropertyString::parse(grammar, text);
        let plain = |value: &str| match bool_of(value) {
            Some(on) if value.chars().any(char::is_alphabetic) => u8::from(on).to_string(),
            _ => value.to_owned(),
        };
        string.entries().into_iter().map(|(name, value)| (name.to_owned(), plain(value))).collect()
    };
    let (before, after) = (entries(before), entries(after));
    let names = before.keys().chain(after.keys());
    names.filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

/// Returns what would be configured in a machine after every one of the items is written: by option.
pub(crate) fn after<'a>(vm: &Vm, items: impl Iterator<Item = (&'a Key, &'a Raw)>) -> BTreeMap<String, Option<String>> {
    let mut options: BTreeMap<String, Option<String>> =
        vm.options.iter().map(|(name, entry)| (name.clone(), entry.configured().map(str::to_owned))).collect();
    for (key, want) in items {
        let option = options.entry(key.option.clone()).or_default();
        *option = crate::vm::with_item(key, option.as_deref(), want);
    }
    options
}

#[cfg(test)]
mod tests {
    use tune_core::item::ItemKey;

    use super::*;
    use crate::vm::Entry;

    fn vm(options: &[(&str, &str)]) -> Vm {
        let entry = |text: &str| Entry { current: Some(text.to_owned()), ..Entry::default() };
        let options = options.iter().map(|(name, text)| ((*name).to_owned(), entry(text))).collect();
        Vm { running: true, options, ..Vm::default() }
    }

    /// What becomes of each item when all are written together.
    fn check(vm: &Vm, items: &[(&str, &str)], expect: &[Forecast]) {
        let items: Vec<(Key, Raw)> = items
            .iter()
            .map(|(key, want)| (Key::parse(&ItemKey(format!("107/{key}"))).unwrap(), Raw::Text((*want).to_owned())))
            .collect();
        let after = after(vm, items.iter().map(|(key, want)| (key, want)));
        let got: Vec<Forecast> =
            items.iter().map(|(key, _)| forecast(vm, key, after[&key.option].as_deref())).collect();
        assert_eq!(got, expect, "{items:?}");
    }

    use Forecast::{AtOnce, Pending, Replugged, Silent};

    const DISK: &str = "zfs:vm-107-disk-0,cache=none,iothread=on,size=32G";

    #[test]
    fn nine_differences_make_a_whole_disk_wait() {
        let vm = vm(&[("scsi0", DISK)]);
        for (sub, value) in [
            ("aio", "native"),
            ("discard", "on"),
            ("iothread", "0"),
            ("queues", "4"),
            ("product", "P"),
            ("vendor", "V"),
            ("cache", "writeback"),
            ("ssd", "1"),
            ("ro", "1"),
        ] {
            check(&vm, &[(&format!("scsi0/{sub}"), value)], &[Pending]);
            check(&vm, &[(&format!("scsi0/{sub}"), value), ("scsi0/mbps", "10"), ("scsi0/serial", "S")], &[Pending; 3]);
        }
        check(&vm, &[("scsi0/ssd", "0")], &[Pending]);
        check(&vm, &[("scsi0/iothread", "1"), ("scsi0/mbps", "10")], &[AtOnce; 2]);
    }

    #[test]
    fn throttles_are_live_and_some_keys_are_silent() {
        let vm = vm(&[("scsi0", DISK), ("ide0", DISK)]);
        check(&vm, &[("scsi0/mbps", "10"), ("scsi0/iops_rd", "100"), ("scsi0/backup", "0")], &[AtOnce; 3]);
        for sub in ["serial", "werror", "rerror", "detect_zeroes", "wwn", "scsiblock", "snapshot"] {
            check(&vm, &[(&format!("scsi0/{sub}"), "1")], &[Silent]);
        }
        check(&vm, &[("ide0/model", "M")], &[Silent]);
    }

    #[test]
    fn options_wait_unless_hotplug_takes_them() {
        let plain = vm(&[("cores", "2")]);
        let all = vm(&[("cores", "2"), ("hotplug", "network,disk,usb,cpu,memory"), ("numa", "1")]);
        let none = vm(&[("hotplug", "0")]);
        let no_numa = vm(&[("hotplug", "memory")]);
        for vm in [&plain, &all, &none] {
            check(vm, &[("cores", "4"), ("cpu/cputype", "host"), ("scsihw", "virtio-scsi-single")], &[Pending; 3]);
            check(vm, &[("onboot", "1"), ("tags", "a"), ("cpulimit", "2"), ("startup/up", "5")], &[AtOnce; 4]);
        }
        check(&all, &[("vcpus", "2"), ("memory/current", "4096")], &[AtOnce; 2]);
        check(&plain, &[("vcpus", "2"), ("memory/current", "4096"), ("tablet", "0")], &[Pending, Pending, AtOnce]);
        check(&none, &[("tablet", "0")], &[Pending]);
        check(&no_numa, &[("memory/current", "4096")], &[Pending]);
        check(&plain, &[("hotplug", "disk")], &[AtOnce]);
        check(&plain, &[("hotplug", "cpu,disk")], &[Pending]);
        check(&all, &[("hotplug", "disk")], &[Pending]);
    }

    #[test]
    fn some_options_depend_on_the_step() {
        let vm = vm(&[("balloon", "1024"), ("agent", "1")]);
        check(&vm, &[("balloon", "2048")], &[AtOnce]);
        check(&vm, &[("balloon", "0")], &[Pending]);
        check(&vm, &[("agent/fstrim_cloned_disks", "1")], &[AtOnce]);
        check(&vm, &[("agent/fstrim_cloned_disks", "1"), ("agent/type", "isa")], &[Pending; 2]);
    }

    #[test]
    fn a_network_device_is_replugged_where_that_is_possible() {
        let with = vm(&[("net0", "virtio=BC:24:11:00:00:01,bridge=vmbr0")]);
        let without = vm(&[("net0", "virtio=BC:24:11:00:00:01,bridge=vmbr0"), ("hotplug", "disk")]);
        check(&with, &[("net0/queues", "4"), ("net0/tag", "5")], &[Replugged; 2]);
        check(&with, &[("net0/tag", "5")], &[AtOnce]);
        check(&without, &[("net0/mtu", "9000"), ("net0/tag", "5")], &[Pending; 2]);
        check(&without, &[("net0/link_down", "1")], &[AtOnce]);
    }

    #[test]
    fn a_machine_that_is_off_takes_everything_at_once() {
        let off = Vm { running: false, ..vm(&[("scsi0", DISK)]) };
        check(&off, &[("scsi0/cache", "writeback"), ("scsi0/serial", "S"), ("cores", "4")], &[AtOnce; 3]);
    }
}
