//! The sub-options of a disk that can be tuned. What names the disk or describes its volume (`file`, `size`, `format`,
//! `media`, `import-from`) is not among them: changing it is no tuning.

use super::{Bus, Row, Type, When};

const THROTTLE: f64 = 1e15;
const LONG: i64 = i64::MAX;

/// Sub-options by name.
pub(crate) const SUBS: &[Row] = &[
    pending(
        "aio",
        Type::Word(&["io_uring", "native", "threads"]),
        None,
        "How the host submits the disk's reads and writes: `io_uring`, `native` or `threads`.",
    ),
    live("backup", Type::Bool, Some("1"), "Whether backups include the disk."),
    pending(
        "cache",
        Type::Word(&["none", "writethrough", "writeback", "unsafe", "directsync"]),
        None,
        "How the host caches the disk: `none` (what absence means nearly everywhere), `writethrough`, `writeback`, \
         `directsync`, or `unsafe`, which drops what the guest flushes.",
    ),
    silent("detect_zeroes", Type::Bool, Some("1"), "Whether writes of zeroes become holes."),
    pending(
        "discard",
        Type::Word(&["ignore", "on"]),
        Some("ignore"),
        "Whether blocks that the guest discards are freed on the storage: `on` or `ignore`.",
    ),
    throttle_int("iops", "Most operations per second, 0 for any number."),
    throttle_int("iops_max", "Most operations per second in a burst."),
    length("iops_max_length", "How many seconds a burst of operations may last."),
    throttle_int("iops_rd", "Most reads per second."),
    throttle_int("iops_rd_max", "Most reads per second in a burst."),
    length("iops_rd_max_length", "How many seconds a burst of reads may last."),
    throttle_int("iops_wr", "Most writes per second."),
    throttle_int("iops_wr_max", "Most writes per second in a burst."),
    length("iops_wr_max_length", "How many seconds a burst of writes may last."),
    length("bps_max_length", "How many seconds a burst of bytes may last."),
    length("bps_rd_max_length", "How many seconds a burst of read bytes may last."),
    length("bps_wr_max_length", "How many seconds a burst of written bytes may last."),
    pending(
        "iothread",
        Type::Bool,
        Some("0"),
        "Whether the disk has a thread of its own on the host. On `scsi` it needs `scsihw = \"virtio-scsi-single\"`.",
    ),
    throttle("mbps", "Most megabytes per second, 0 for any number."),
    throttle("mbps_max", "Most megabytes per second in a burst."),
    throttle("mbps_rd", "Most megabytes read per second."),
    throttle("mbps_rd_max", "Most megabytes read per second in a burst."),
    throttle("mbps_wr", "Most megabytes written per second."),
    throttle("mbps_wr_max", "Most megabytes written per second in a burst."),
    silent(
        "model",
        Type::Text(encoded_120, "at most 120 url-encoded characters"),
        None,
        "The disk's model as the guest sees it.",
    ),
    pending(
        "product",
        Type::Text(product, "at most 16 letters, digits, blanks, `-` or `_`"),
        None,
        "The product that the disk reports.",
    ),
    pending(
        "queues",
        Type::Int(2, LONG),
        None,
        "How many queues the disk has. It needs `scsihw = \"virtio-scsi-single\"`.",
    ),
    live("replicate", Type::Bool, Some("1"), "Whether replication jobs include the disk."),
    silent("rerror", Type::Word(&["ignore", "report", "stop"]), None, "What is done when a read fails."),
    pending("ro", Type::Bool, Some("0"), "Whether the disk is read-only."),
    silent("scsiblock", Type::Bool, Some("0"), "Whether a real device is passed through as a whole."),
    silent(
        "serial",
        Type::Text(encoded_60, "at most 60 url-encoded characters"),
        None,
        "The disk's serial number as the guest sees it.",
    ),
    live("shared", Type::Bool, Some("0"), "Whether the volume is there on every node."),
    silent("snapshot", Type::Bool, Some("0"), "Whether everything written is thrown away when the machine stops."),
    pending("ssd", Type::Bool, Some("0"), "Whether the disk shows itself as one without moving parts."),
    pending(
        "vendor",
        Type::Text(vendor, "at most 8 letters, digits, blanks, `-` or `_`"),
        None,
        "The vendor that the disk reports.",
    ),
    silent(
        "werror",
        Type::Word(&["enospc", "ignore", "report", "stop"]),
        Some("enospc"),
        "What is done when a write fails.",
    ),
    silent("wwn", Type::Text(wwn, "`0x` and 16 hexadecimal digits"), None, "The disk's world wide name."),
];

/// Returns the buses on which a sub-option exists.
pub(crate) fn buses_of(sub: &str) -> &'static [Bus] {
    match sub {
        "iothread" | "ro" => &[Bus::Scsi, Bus::Virtio],
        "queues" | "product" | "vendor" | "scsiblock" => &[Bus::Scsi],
        "ssd" | "wwn" => &[Bus::Ide, Bus::Sata, Bus::Scsi],
        "model" => &[Bus::Ide],
        _ => &[Bus::Ide, Bus::Sata, Bus::Scsi, Bus::Virtio],
    }
}

const fn row(name: &'static str, of: Type, default: Option<&'static str>, when: When, doc: &'static str) -> Row {
    Row { name, of, default, when, doc }
}

const fn pending(name: &'static str, of: Type, default: Option<&'static str>, doc: &'static str) -> Row {
    row(name, of, default, When::Pending, doc)
}

const fn silent(name: &'static str, of: Type, default: Option<&'static str>, doc: &'static str) -> Row {
    row(name, of, default, When::Silent, doc)
}

const fn live(name: &'static str, of: Type, default: Option<&'static str>, doc: &'static str) -> Row {
    row(name, of, default, When::Live, doc)
}

const fn throttle(name: &'static str, doc: &'static str) -> Row {
    live(name, Type::Number(0.0, THROTTLE), Some("0"), doc)
}

const fn throttle_int(name: &'static str, doc: &'static str) -> Row {
    live(name, Type::Int(0, LONG), Some("0"), doc)
}

const fn length(name: &'static str, doc: &'static str) -> Row {
    live(name, Type::Int(1, LONG), Some("1"), doc)
}

fn encoded(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "-%_.!~*'()".contains(c))
}

fn encoded_60(text: &str) -> bool {
    encoded(text, 60)
}

fn encoded_120(text: &str) -> bool {
    encoded(text, 120)
}

fn inquiry(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_ ".contains(c))
}

fn vendor(text: &str) -> bool {
    inquiry(text, 8)
}

fn product(text: &str) -> bool {
    inquiry(text, 16)
}

fn wwn(text: &str) -> bool {
    text.strip_prefix("0x").is_some_and(|digits| digits.len() == 16 && digits.chars().all(|c| c.is_ascii_hexdigit()))
}
