//! The options of a machine as a whole.

use super::{Grammar, OptionRow, ROOT, Row, Shape, Type, When, grammar};
use crate::permissions::{CLOUD, POWER};

const CPU: &str = "VM.Config.CPU";
const MEMORY: &str = "VM.Config.Memory";
const HARDWARE: &str = "VM.Config.HWType";
const OPTIONS_: &str = "VM.Config.Options";
const DISK: &str = "VM.Config.Disk";

use When::{Live, LiveWith, Pending};

/// Every option that can be tuned, by name.
pub(crate) const OPTIONS: &[OptionRow] = &[
    value("acpi", Type::Bool, Some("1"), Pending, HARDWARE, "Whether the machine has ACPI."),
    string(
        "agent",
        "enabled",
        AGENT,
        Type::Bool,
        Some("0"),
        Pending,
        OPTIONS_,
        "Whether and how the guest agent is used.",
    ),
    value(
        "affinity",
        Type::Text(cpu_list, "processor numbers such as `0,5-8`"),
        None,
        Pending,
        ROOT,
        "The host's processors that the machine may run on.",
    ),
    value(
        "allow-ksm",
        Type::Bool,
        Some("1"),
        Pending,
        MEMORY,
        "Whether equal pages are merged with those of other machines.",
    ),
    value("args", Type::Text(any_line, "one line of text"), None, Pending, ROOT, "More arguments for QEMU."),
    string("audio0", "device", AUDIO, Type::Word(AUDIO_DEVICES), None, Pending, HARDWARE, "The sound card."),
    value("autostart", Type::Bool, Some("0"), Pending, OPTIONS_, "Start again after a crash; the API ignores it."),
    value(
        "balloon",
        Type::Mebibytes(0),
        None,
        Live,
        MEMORY,
        "The memory in MiB that the machine keeps when the host needs some back; 0 takes the device away.",
    ),
    value("bios", Type::Word(&["seabios", "ovmf"]), Some("seabios"), Pending, OPTIONS_, "The firmware."),
    string(
        "boot",
        "legacy",
        BOOT,
        Type::Text(legacy_boot, "letters of `acdn`"),
        None,
        Pending,
        DISK,
        "The devices that are booted from.",
    ),
    value(
        "bootdisk",
        Type::Text(device, "a disk such as `scsi0`"),
        None,
        Pending,
        DISK,
        "The disk that is booted from, in the old notation.",
    ),
    value(
        "cicustom",
        Type::Text(any_line, "one line of text"),
        None,
        Live,
        CLOUD,
        "Files that replace what cloud-init is given.",
    ),
    value(
        "citype",
        Type::Word(&["configdrive2", "nocloud", "opennebula"]),
        None,
        Live,
        CLOUD,
        "The format in which cloud-init is given its data.",
    ),
    value("ciupgrade", Type::Bool, Some("1"), Live, CLOUD, "Whether the first boot upgrades packages."),
    value("ciuser", Type::Text(any_line, "one line of text"), None, Live, CLOUD, "The user that cloud-init makes."),
    value("cores", Type::Int(1, 8192), Some("1"), Pending, CPU, "Processor cores per socket."),
    string(
        "cpu",
        "cputype",
        CPU_SUBS,
        Type::Text(word, "the name of a processor, such as `host`"),
        Some("kvm64"),
        Pending,
        CPU,
        "The processor that the guest sees.",
    ),
    value("cpulimit", Type::Number(0.0, 128.0), Some("0"), Live, CPU, "Most processors' worth of time, 0 for any."),
    value(
        "cpuunits",
        Type::Int(1, 262_144),
        None,
        Live,
        CPU,
        "The machine's weight against others when processors are short.",
    ),
    value("description", Type::Text(description, "at most 8192 characters"), None, Live, OPTIONS_, "A note."),
    value("freeze", Type::Bool, Some("0"), Pending, POWER, "Whether the processors stand still at start."),
    value("hookscript", Type::Text(any_line, "a volume"), None, Live, ROOT, "A script that runs on the node."),
    value(
        "hotplug",
        Type::Set(',', hotplug, "`network`, `disk`, `usb`, `memory`, `cpu`, `cloudinit`, or 0 or 1 alone"),
        Some("disk,network,usb"),
        Live,
        HARDWARE,
        "What can be changed while the machine runs.",
    ),
    value(
        "hugepages",
        Type::Word(&["any", "2", "1024"]),
        None,
        Pending,
        ROOT,
        "The size of the memory's pages on the host.",
    ),
    string_to(
        "ipconfig",
        31,
        "ip",
        IPCONFIG,
        Type::Text(word, "an address or `dhcp`"),
        None,
        Live,
        CLOUD,
        "A network device's addresses, for cloud-init.",
    ),
    value(
        "keephugepages",
        Type::Bool,
        Some("0"),
        Pending,
        ROOT,
        "Whether huge pages are kept after the machine stops.",
    ),
    value(
        "keyboard",
        Type::Text(word, "a layout such as `de`"),
        None,
        Pending,
        OPTIONS_,
        "The keyboard of the console.",
    ),
    value("kvm", Type::Bool, Some("1"), Pending, HARDWARE, "Whether the hardware's virtualisation is used."),
    value("localtime", Type::Bool, None, Pending, OPTIONS_, "Whether the clock is in local time."),
    string(
        "machine",
        "type",
        MACHINE,
        Type::Text(machine, "a machine type such as `q35` or `pc-q35-9.2`"),
        None,
        Pending,
        HARDWARE,
        "The chipset that the guest sees.",
    ),
    string(
        "memory",
        "current",
        MEMORY_SUBS,
        Type::Mebibytes(16),
        Some("512"),
        LiveWith("memory"),
        MEMORY,
        "The memory in MiB.",
    ),
    value(
        "migrate_downtime",
        Type::Number(0.0, 1e6),
        Some("0.1"),
        Live,
        OPTIONS_,
        "The longest pause at the end of a migration, in seconds.",
    ),
    value(
        "migrate_speed",
        Type::Int(0, i64::MAX),
        Some("0"),
        Live,
        OPTIONS_,
        "Most megabytes per second for migrations, 0 for any number.",
    ),
    value("name", Type::Text(dns_name, "a DNS name"), None, Live, OPTIONS_, "The machine's name."),
    value("nameserver", Type::Text(any_line, "addresses"), None, Live, CLOUD, "Name servers, for cloud-init."),
    value("numa", Type::Bool, Some("0"), Pending, CPU, "Whether the guest sees memory by socket."),
    string_to(
        "numa",
        7,
        "cpus",
        NUMA,
        Type::Text(semicolon_list, "processor numbers such as `0-3`"),
        None,
        Pending,
        CPU,
        "One socket's processors and memory.",
    ),
    value("onboot", Type::Bool, Some("0"), Live, OPTIONS_, "Whether the machine is started when its node boots."),
    value("ostype", Type::Word(OSTYPES), Some("other"), Pending, OPTIONS_, "The guest's operating system."),
    value(
        "protection",
        Type::Bool,
        Some("0"),
        Live,
        OPTIONS_,
        "Whether the machine and its disks are protected from removal.",
    ),
    value("reboot", Type::Bool, Some("1"), Pending, OPTIONS_, "Whether the machine may reboot; if not, it stops."),
    string(
        "rng0",
        "source",
        RNG,
        Type::Word(&["/dev/urandom", "/dev/random", "/dev/hwrng"]),
        None,
        Pending,
        HARDWARE,
        "The source of random numbers.",
    ),
    value(
        "scsihw",
        Type::Word(SCSIHW),
        Some("lsi"),
        Pending,
        HARDWARE,
        "The controller of the `scsi` disks; `virtio-scsi-single` gives each disk its own.",
    ),
    value("searchdomain", Type::Text(any_line, "a domain"), None, Live, CLOUD, "The search domain, for cloud-init."),
    value_to(
        "serial",
        3,
        Type::Text(serial, "`socket`, or for root a device such as `/dev/ttyS0`"),
        None,
        Pending,
        HARDWARE,
        "A serial port.",
    ),
    value(
        "shares",
        Type::Int(0, 50_000),
        Some("1000"),
        Live,
        MEMORY,
        "The machine's weight when memory is taken back.",
    ),
    value(
        "smbios1",
        Type::Text(any_line, "one line of text"),
        None,
        Pending,
        HARDWARE,
        "What the machine says of itself.",
    ),
    value("sockets", Type::Int(1, 8192), Some("1"), Pending, CPU, "Processor sockets."),
    value(
        "sshkeys",
        Type::Text(any_line, "url-encoded keys"),
        None,
        Live,
        CLOUD,
        "Keys for cloud-init's user, url-encoded.",
    ),
    value(
        "startdate",
        Type::Text(word, "`now` or a date"),
        Some("now"),
        Pending,
        OPTIONS_,
        "What the clock starts at.",
    ),
    string(
        "startup",
        "order",
        STARTUP,
        Type::Int(0, i64::MAX),
        None,
        Live,
        OPTIONS_,
        "The machine's turn when its node starts and stops.",
    ),
    value(
        "tablet",
        Type::Bool,
        Some("1"),
        LiveWith("usb"),
        HARDWARE,
        "Whether the pointer is an absolute one; without it the machine wakes up less.",
    ),
    value("tags", Type::Set(';', tag, "tags of letters, digits and `-_+.`"), None, Live, OPTIONS_, "Tags."),
    value("tdf", Type::Bool, Some("0"), Pending, OPTIONS_, "Whether time drift is corrected."),
    value(
        "vcpus",
        Type::Int(1, 8192),
        None,
        LiveWith("cpu"),
        CPU,
        "Processors that are plugged in, of `sockets` times `cores`.",
    ),
    string("vga", "type", VGA, Type::Word(VGA_TYPES), None, Pending, HARDWARE, "The graphics card."),
    value(
        "vmstatestorage",
        Type::Text(word, "a storage"),
        None,
        Live,
        DISK,
        "Where the memory goes when the machine is suspended.",
    ),
    string(
        "watchdog",
        "model",
        WATCHDOG,
        Type::Word(&["i6300esb", "ib700"]),
        Some("i6300esb"),
        Pending,
        HARDWARE,
        "The watchdog.",
    ),
];

const AGENT: &[Row] = &[
    row("enabled", Type::Bool, Some("0"), Pending, "Whether the guest agent is used."),
    row("freeze-fs", Type::Bool, Some("1"), Pending, "Whether file systems are frozen for backups."),
    row(
        "fstrim_cloned_disks",
        Type::Bool,
        Some("0"),
        Live,
        "Whether disks are trimmed after they were moved or cloned.",
    ),
    row("type", Type::Word(&["virtio", "isa"]), Some("virtio"), Pending, "The port that the agent listens on."),
];

const AUDIO_DEVICES: &[&str] = &["ich9-intel-hda", "intel-hda", "AC97"];
const AUDIO: &[Row] = &[
    row("device", Type::Word(AUDIO_DEVICES), None, Pending, "The card."),
    row("driver", Type::Word(&["spice", "none"]), Some("spice"), Pending, "Where the sound goes."),
];

const BOOT: &[Row] = &[
    row("legacy", Type::Text(legacy_boot, "letters of `acdn`"), None, Pending, "The old notation."),
    row("order", Type::List(';', device, "devices such as `scsi0`"), None, Pending, "The devices in their order."),
];

const CPU_SUBS: &[Row] = &[
    row(
        "cputype",
        Type::Text(word, "the name of a processor, such as `host`"),
        Some("kvm64"),
        Pending,
        "The processor.",
    ),
    row(
        "flags",
        Type::Set(';', cpu_flag, "flags such as `+aes`"),
        None,
        Pending,
        "Features that are added or taken away.",
    ),
    row("guest-phys-bits", Type::Int(32, 64), None, Pending, "Address bits that the guest may use."),
    row("hidden", Type::Bool, Some("0"), Pending, "Whether KVM hides from the guest."),
    row("hv-vendor-id", Type::Text(word, "letters and digits"), None, Pending, "The vendor that Windows sees."),
    row(
        "phys-bits",
        Type::Text(phys_bits, "8 to 64, or `host`"),
        None,
        Pending,
        "Address bits that the processor reports.",
    ),
];

const IPCONFIG: &[Row] = &[
    row("gw", Type::Text(word, "an address"), None, Live, "The router."),
    row("gw6", Type::Text(word, "an address"), None, Live, "The IPv6 router."),
    row("ip", Type::Text(word, "an address or `dhcp`"), None, Live, "The address."),
    row("ip6", Type::Text(word, "an address, `auto` or `dhcp`"), None, Live, "The IPv6 address."),
];

const MACHINE: &[Row] = &[
    row("aw-bits", Type::Int(32, 64), None, Pending, "Address bits of the guest's IOMMU."),
    row("enable-s3", Type::Bool, None, Pending, "Whether the machine can suspend to memory."),
    row("enable-s4", Type::Bool, None, Pending, "Whether the machine can suspend to disk."),
    row("type", Type::Text(machine, "a machine type such as `q35` or `pc-q35-9.2`"), None, Pending, "The chipset."),
    row("viommu", Type::Word(&["intel", "virtio"]), None, Pending, "The guest's IOMMU."),
];

const MEMORY_SUBS: &[Row] =
    &[row("current", Type::Mebibytes(16), Some("512"), LiveWith("memory"), "The memory in MiB.")];

const NUMA: &[Row] = &[
    row(
        "cpus",
        Type::Text(semicolon_list, "processor numbers such as `0-3`"),
        None,
        Pending,
        "The socket's processors.",
    ),
    row("hostnodes", Type::Text(semicolon_list, "node numbers such as `0`"), None, Pending, "The host's memory nodes."),
    row("memory", Type::Mebibytes(1), None, Pending, "The socket's memory in MiB."),
    row(
        "policy",
        Type::Word(&["preferred", "bind", "interleave"]),
        None,
        Pending,
        "How strictly the nodes are kept to.",
    ),
];

const OSTYPES: &[&str] =
    &["other", "wxp", "w2k", "w2k3", "w2k8", "wvista", "win7", "win8", "win10", "win11", "l24", "l26", "solaris"];

const RNG: &[Row] = &[
    row("max_bytes", Type::Int(0, i64::MAX), Some("1024"), Pending, "Most bytes per period."),
    row("period", Type::Int(1, i64::MAX), Some("1000"), Pending, "The period in milliseconds."),
    row("source", Type::Word(&["/dev/urandom", "/dev/random", "/dev/hwrng"]), None, Pending, "The host's file."),
];

const SCSIHW: &[&str] = &["lsi", "lsi53c810", "virtio-scsi-pci", "virtio-scsi-single", "megasas", "pvscsi"];

const STARTUP: &[Row] = &[
    row("down", Type::Int(0, i64::MAX), None, Live, "How many seconds a shutdown may take."),
    row("order", Type::Int(0, i64::MAX), None, Live, "The turn; the least starts first and stops last."),
    row("up", Type::Int(0, i64::MAX), None, Live, "How many seconds to wait before the next one starts."),
];

const VGA_TYPES: &[&str] = &[
    "cirrus",
    "none",
    "qxl",
    "qxl2",
    "qxl3",
    "qxl4",
    "serial0",
    "serial1",
    "serial2",
    "serial3",
    "std",
    "virtio",
    "virtio-gl",
    "vmware",
];
const VGA: &[Row] = &[
    row("clipboard", Type::Word(&["vnc"]), None, Pending, "The clipboard."),
    row("memory", Type::Int(4, 512), None, Pending, "The card's memory in MiB."),
    row("type", Type::Word(VGA_TYPES), None, Pending, "The card."),
];

const WATCHDOG: &[Row] = &[
    row(
        "action",
        Type::Word(&["reset", "shutdown", "poweroff", "pause", "debug", "none"]),
        None,
        Pending,
        "What it does.",
    ),
    row("model", Type::Word(&["i6300esb", "ib700"]), Some("i6300esb"), Pending, "The device."),
];

const fn row(name: &'static str, of: Type, default: Option<&'static str>, when: When, doc: &'static str) -> Row {
    Row { name, of, default, when, doc }
}

const fn value(
    name: &'static str,
    of: Type,
    default: Option<&'static str>,
    when: When,
    privilege: &'static str,
    doc: &'static str,
) -> OptionRow {
    OptionRow { row: row(name, of, default, when, doc), shape: Shape::Value, last: None, privilege }
}

const fn value_to(
    name: &'static str,
    last: u32,
    of: Type,
    default: Option<&'static str>,
    when: When,
    privilege: &'static str,
    doc: &'static str,
) -> OptionRow {
    OptionRow { last: Some(last), ..value(name, of, default, when, privilege, doc) }
}

#[expect(clippy::too_many_arguments, reason = "a row of a table, not a call")]
const fn string(
    name: &'static str,
    default_key: &'static str,
    subs: &'static [Row],
    of: Type,
    default: Option<&'static str>,
    when: When,
    privilege: &'static str,
    doc: &'static str,
) -> OptionRow {
    OptionRow {
        shape: Shape::String(string_grammar(default_key), subs),
        ..value(name, of, default, when, privilege, doc)
    }
}

#[expect(clippy::too_many_arguments, reason = "a row of a table, not a call")]
const fn string_to(
    name: &'static str,
    last: u32,
    default_key: &'static str,
    subs: &'static [Row],
    of: Type,
    default: Option<&'static str>,
    when: When,
    privilege: &'static str,
    doc: &'static str,
) -> OptionRow {
    OptionRow { last: Some(last), ..string(name, default_key, subs, of, default, when, privilege, doc) }
}

/// Only one of these strings has a second name for a sub-option.
const fn string_grammar(default_key: &'static str) -> Grammar {
    Grammar { aliases: &[("freeze-fs-on-backup", "freeze-fs")], ..grammar(default_key) }
}

fn word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && c != ',' && c != '=')
}

fn any_line(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

fn description(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= 8192 && text.trim_end() == text && !text.contains('\0')
}

fn cpu_list(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == ',' || c == '-')
}

fn semicolon_list(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == ';' || c == '-')
}

fn legacy_boot(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| "acdn".contains(c))
}

fn device(text: &str) -> bool {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_lowercase());
    digits != text && super::index(digits).is_some()
}

fn cpu_flag(text: &str) -> bool {
    text.strip_prefix(['+', '-']).is_some_and(|flag| !flag.is_empty() && word(flag))
}

fn phys_bits(text: &str) -> bool {
    text == "host" || super::index(text).is_some_and(|bits| (8..=64).contains(&bits))
}

fn machine(text: &str) -> bool {
    let version = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || ".+-".contains(c));
    ["pc", "q35", "virt"].contains(&text)
        || ["pc-i440fx-", "pc-q35-", "virt-"].iter().any(|family| {
            text.strip_prefix(family)
                .is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()) && version(number))
        })
}

fn hotplug(text: &str) -> bool {
    ["network", "disk", "usb", "memory", "cpu", "cloudinit", "0", "1"].contains(&text)
}

fn dns_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.split('.').all(label)
}

fn serial(text: &str) -> bool {
    text == "socket" || text.strip_prefix("/dev/").is_some_and(word)
}

fn tag(text: &str) -> bool {
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    first && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_+.".contains(c))
}
