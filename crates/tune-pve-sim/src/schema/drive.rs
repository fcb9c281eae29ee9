//! The sub-options of drives, by the bus they are on.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::formats::{drive_file, urlencoded, volume_id, volume_id_or_path};
use super::{Prop, Props};

/// The buses and how many drives each takes, in the order in which a boot disk is looked for.
pub(crate) const BUSES: [(&str, u32); 6] =
    [("ide", 4), ("scsi", 31), ("virtio", 16), ("sata", 6), ("efidisk", 1), ("tpmstate", 1)];

/// How many `unusedN` there are.
pub(crate) const UNUSED: u32 = 256;

/// Whether `key` names a drive, `unusedN` not counted.
pub(crate) fn is_drive_key(key: &str) -> bool {
    split_key(key).is_some_and(|(bus, _)| bus != "unused")
}

/// The bus and the number in a drive's key, if there is such a drive.
pub(crate) fn split_key(key: &str) -> Option<(&'static str, u32)> {
    let at = key.find(|c: char| c.is_ascii_digit())?;
    let (name, number) = key.split_at(at);
    let limits = BUSES.iter().copied().chain([("unused", UNUSED)]);
    let (bus, count) = limits.into_iter().find(|(bus, _)| *bus == name)?;
    let index: u32 = number.parse().ok()?;
    (index < count && number == index.to_string()).then_some((bus, index))
}

/// All drive keys in the order in which a boot disk is looked for.
pub(crate) fn drive_keys() -> impl Iterator<Item = String> {
    BUSES.into_iter().flat_map(|(bus, count)| (0..count).map(move |index| format!("{bus}{index}")))
}

/// The sub-options of a drive on `bus`; with `alloc`, also those that make a new volume.
pub(crate) fn drive_props(bus: &str, alloc: bool) -> Option<&'static Arc<Props>> {
    static TABLES: OnceLock<BTreeMap<(&'static str, bool), Arc<Props>>> = OnceLock::new();
    TABLES.get_or_init(tables).get(&(*BUSES.iter().map(|(bus, _)| bus).chain(&["unused"]).find(|b| **b == bus)?, alloc))
}

/// Every sub-option that any drive has; what the printer knows.
pub(crate) fn all_drive_props() -> &'static Arc<Props> {
    static ALL: OnceLock<Arc<Props>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut table = BTreeMap::new();
        for (bus, _) in BUSES {
            let props = drive_props(bus, true).expect("every bus has a table");
            table.extend(props.table.iter().map(|(key, prop)| (*key, prop.clone())));
        }
        Arc::new(Props { table, validator: None })
    })
}

fn tables() -> BTreeMap<(&'static str, bool), Arc<Props>> {
    let mut tables = BTreeMap::new();
    for (bus, _) in BUSES.into_iter().chain([("unused", UNUSED)]) {
        for alloc in [false, true] {
            let mut table = sub_options(bus);
            if alloc && bus != "unused" {
                table.insert("import-from", Prop::string().check(volume_id_or_path));
            }
            tables.insert((bus, alloc), Arc::new(Props { table, validator: None }));
        }
    }
    tables
}

fn sub_options(bus: &str) -> BTreeMap<&'static str, Prop> {
    let file = |check| Prop::string().required().default_key().check(check);
    let format = || Prop::string().choices(&["raw", "qcow", "qed", "qcow2", "vmdk", "cloop"]);
    let mut table = BTreeMap::from([("volume", Prop::alias("file")), ("file", file(drive_file))]);
    match bus {
        "unused" => {
            table.insert("file", file(volume_id));
        }
        "efidisk" => table.extend([
            ("format", format()),
            ("size", Prop::string().size()),
            ("efitype", Prop::string().choices(&["2m", "4m"])),
            ("pre-enrolled-keys", Prop::boolean()),
            ("ms-cert", Prop::string().choices(&["2011", "2023", "2023w"])),
        ]),
        "tpmstate" => {
            table.extend([("size", Prop::string().size()), ("version", Prop::string().choices(&["v1.2", "v2.0"]))]);
        }
        _ => {
            common(&mut table, format());
            let on = |buses: &[&str]| buses.contains(&bus);
            if on(&["scsi", "virtio"]) {
                table.extend([("iothread", Prop::boolean()), ("ro", Prop::boolean())]);
            }
            if on(&["ide", "sata", "scsi"]) {
                table.extend([("ssd", Prop::boolean()), ("wwn", Prop::string().pattern("^(0x)[0-9a-fA-F]{16}"))]);
            }
            if on(&["scsi"]) {
                table.extend([
                    ("product", Prop::string().pattern(r"[A-Za-z0-9\-_\s]{0,16}")),
                    ("vendor", Prop::string().pattern(r"[A-Za-z0-9\-_\s]{0,8}")),
                    ("queues", Prop::integer().min(2.0)),
                    ("scsiblock", Prop::boolean()),
                ]);
            }
            if on(&["ide"]) {
                table.insert("model", Prop::string().check(urlencoded).longest(120));
            }
        }
    }
    table
}

fn common(table: &mut BTreeMap<&'static str, Prop>, format: Prop) {
    table.extend([
        ("media", Prop::string().choices(&["cdrom", "disk"])),
        ("snapshot", Prop::boolean()),
        ("cache", Prop::string().choices(&["none", "writethrough", "writeback", "unsafe", "directsync"])),
        ("format", format),
        ("size", Prop::string().size()),
        ("backup", Prop::boolean()),
        ("replicate", Prop::boolean()),
        ("rerror", Prop::string().choices(&["ignore", "report", "stop"])),
        ("werror", Prop::string().choices(&["enospc", "ignore", "report", "stop"])),
        ("aio", Prop::string().choices(&["native", "threads", "io_uring"])),
        ("discard", Prop::string().choices(&["ignore", "on"])),
        ("detect_zeroes", Prop::boolean()),
        ("serial", Prop::string().check(urlencoded).longest(60)),
        ("shared", Prop::boolean()),
    ]);
    for key in ["bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr", "iops_max", "iops_rd_max", "iops_wr_max"] {
        table.insert(key, Prop::integer());
    }
    for key in ["mbps", "mbps_rd", "mbps_wr", "mbps_max", "mbps_rd_max", "mbps_wr_max"] {
        table.insert(key, Prop::number());
    }
    for key in BURST_LENGTHS {
        table.insert(key, Prop::integer().min(1.0));
    }
    table.extend([
        ("bps_rd_length", Prop::alias("bps_rd_max_length")),
        ("bps_wr_length", Prop::alias("bps_wr_max_length")),
        ("iops_rd_length", Prop::alias("iops_rd_max_length")),
        ("iops_wr_length", Prop::alias("iops_wr_max_length")),
    ]);
}

const BURST_LENGTHS: [&str; 6] = [
    "bps_max_length",
    "bps_rd_max_length",
    "bps_wr_max_length",
    "iops_max_length",
    "iops_rd_max_length",
    "iops_wr_max_length",
];
