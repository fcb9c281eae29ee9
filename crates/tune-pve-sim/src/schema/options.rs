//! The table of all options of a virtual machine: what a configuration file may hold and a call may set.

use std::sync::{Arc, OnceLock};

use super::formats::{
    address, any, boot_device, boot_disk, config_id, cpu_set, dns_name, hotplug_features, ipv4, ipv4_config, ipv6,
    ipv6_config, mac_addr, startup_order, storage_id, tag, urlencoded, volume_id,
};
use super::{Prop, Props, Table, cpu, drive};

/// Keeps a table for the life of the program; its patterns are compiled once.
macro_rules! kept {
    ($make:expr) => {{
        static PROPS: OnceLock<Arc<Props>> = OnceLock::new();
        Arc::clone(PROPS.get_or_init(|| $make))
    }};
}

/// The models of network cards.
pub(crate) const NET_MODELS: [&str; 14] = [
    "e1000",
    "e1000-82540em",
    "e1000-82544gc",
    "e1000-82545em",
    "e1000e",
    "i82551",
    "i82557b",
    "i82559er",
    "ne2k_isa",
    "ne2k_pci",
    "pcnet",
    "rtl8139",
    "virtio",
    "vmxnet3",
];

/// Options that a configuration file has but no call may set.
const INTERNAL: [&str; 7] =
    ["parent", "snaptime", "vmstate", "running-nets-host-mtu", "runningmachine", "runningcpu", "meta"];

/// The settings of cloud-init, besides `ipconfigN`.
pub(crate) const CLOUDINIT: [&str; 8] =
    ["cicustom", "cipassword", "citype", "ciuser", "ciupgrade", "nameserver", "searchdomain", "sshkeys"];

/// Everything that a configuration file may hold.
pub(crate) fn options() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Table::default();
        plain(&mut table);
        structured(&mut table);
        indexed(&mut table);
        drives(&mut table, false);
        table
    })
}

/// The options that create and update calls take, with the drive syntax that allocates volumes.
pub(crate) fn settable() -> Table {
    let mut table = Table::default();
    for (key, prop) in options().iter().filter(|(key, _)| !INTERNAL.contains(&key.as_str())) {
        table.insert(key.clone(), prop.clone());
    }
    drives(&mut table, true);
    table
}

fn drives(table: &mut Table, alloc: bool) {
    for (bus, count) in drive::BUSES.into_iter().chain([("unused", drive::UNUSED)]) {
        let props = drive::drive_props(bus, alloc).expect("every bus has a table");
        for index in 0..count {
            table.insert(format!("{bus}{index}"), Prop::string().props(Arc::clone(props)));
        }
    }
    let ide = drive::drive_props("ide", alloc).expect("every bus has a table");
    table.insert("cdrom", Prop::string().props(Arc::clone(ide)));
}

fn plain(table: &mut Table) {
    for key in [
        "onboot",
        "autostart",
        "reboot",
        "numa",
        "keephugepages",
        "acpi",
        "kvm",
        "tdf",
        "localtime",
        "freeze",
        "template",
        "tablet",
        "protection",
        "ciupgrade",
        "allow-ksm",
    ] {
        table.insert(key, Prop::boolean());
    }
    for key in ["smp", "sockets", "cores", "vcpus"] {
        table.insert(key, Prop::integer().min(1.0));
    }
    let locks = ["backup", "clone", "create", "migrate", "rollback", "snapshot", "snapshot-delete", "suspending"];
    let ostypes =
        ["other", "wxp", "w2k", "w2k3", "w2k8", "wvista", "win7", "win8", "win10", "win11", "l24", "l26", "solaris"];
    let rows: [(&str, Prop); 35] = [
        ("hotplug", Prop::string().check(hotplug_features)),
        ("lock", Prop::string().choices(&[locks.as_slice(), &["suspended"]].concat())),
        ("cpulimit", Prop::number().min(0.0).max(128.0)),
        ("cpuunits", Prop::integer().min(1.0).max(262_144.0)),
        ("balloon", Prop::integer().min(0.0)),
        ("shares", Prop::integer().min(0.0).max(50_000.0)),
        ("keyboard", Prop::string().choices(&KEYBOARDS)),
        ("name", Prop::string().check(dns_name)),
        ("scsihw", Prop::string().choices(&SCSI_CONTROLLERS)),
        ("description", Prop::string().longest(8192)),
        ("ostype", Prop::string().choices(&ostypes)),
        ("bootdisk", Prop::string().check(boot_disk).pattern(r"(ide|sata|scsi|virtio)\d+")),
        ("hugepages", Prop::string().choices(&["any", "2", "1024"])),
        ("startdate", Prop::string().pattern(r"(now|\d{4}-\d{1,2}-\d{1,2}(T\d{1,2}:\d{1,2}:\d{1,2})?)")),
        ("startup", Prop::string().check(startup_order)),
        ("args", Prop::string()),
        ("migrate_speed", Prop::integer().min(0.0)),
        ("migrate_downtime", Prop::number().min(0.0)),
        ("parent", Prop::string().check(config_id).longest(40)),
        ("snaptime", Prop::integer().min(0.0)),
        ("vmstate", Prop::string().check(volume_id)),
        ("vmstatestorage", Prop::string().check(storage_id)),
        ("runningcpu", Prop::string().pattern(r"([+-]?[\w\-._=]+,?)+")),
        ("running-nets-host-mtu", Prop::string().pattern(r"net\d+=\d+(,net\d+=\d+)*")),
        ("arch", Prop::string().choices(&["x86_64", "aarch64"])),
        ("bios", Prop::string().choices(&["seabios", "ovmf"])),
        ("vmgenid", Prop::string().pattern(r"(?:[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}|[01])")),
        ("hookscript", Prop::string().check(volume_id)),
        ("tags", Prop::string().list(tag)),
        ("affinity", Prop::string().check(cpu_set)),
        ("citype", Prop::string().choices(&["configdrive2", "nocloud", "opennebula"])),
        ("ciuser", Prop::string()),
        ("cipassword", Prop::string()),
        ("searchdomain", Prop::string()),
        ("nameserver", Prop::string().list(address)),
    ];
    for (key, prop) in rows {
        table.insert(key, prop);
    }
    table.insert("sshkeys", Prop::string().check(urlencoded));
}

/// The models of SCSI controllers.
const SCSI_CONTROLLERS: [&str; 6] = ["lsi", "lsi53c810", "virtio-scsi-pci", "virtio-scsi-single", "megasas", "pvscsi"];

const KEYBOARDS: [&str; 25] = [
    "da", "de", "de-ch", "en-gb", "en-us", "es", "fi", "fr", "fr-be", "fr-ca", "fr-ch", "hu", "is", "it", "ja", "lt",
    "mk", "nl", "no", "pl", "pt", "pt-br", "sl", "sv", "tr",
];

fn structured(table: &mut Table) {
    let volume = || Prop::string().check(volume_id);
    let rows = [
        ("memory", memory()),
        ("machine", machine()),
        ("runningmachine", machine()),
        ("cpu", cpu::cpu()),
        ("agent", agent()),
        ("vga", vga()),
        ("boot", boot()),
        (
            "watchdog",
            Props::new([
                ("model", Prop::string().default_key().choices(&["i6300esb", "ib700"])),
                ("action", Prop::string().choices(&["reset", "shutdown", "poweroff", "pause", "debug", "none"])),
            ]),
        ),
        (
            "ivshmem",
            Props::new([
                ("size", Prop::integer().required().min(1.0)),
                ("name", Prop::string().pattern(r"[a-zA-Z0-9\-]+")),
            ]),
        ),
        (
            "audio0",
            Props::new([
                ("device", Prop::string().required().choices(&["ich9-intel-hda", "intel-hda", "AC97"])),
                ("driver", Prop::string().choices(&["spice", "none"])),
            ]),
        ),
        (
            "spice_enhancements",
            Props::new([
                ("foldersharing", Prop::boolean()),
                ("videostreaming", Prop::string().choices(&["off", "all", "filter"])),
            ]),
        ),
        (
            "rng0",
            Props::new([
                (
                    "source",
                    Prop::string().required().default_key().choices(&["/dev/urandom", "/dev/random", "/dev/hwrng"]),
                ),
                ("max_bytes", Prop::integer()),
                ("period", Prop::integer()),
            ]),
        ),
        (
            "meta",
            Props::new([
                ("creation-qemu", Prop::string().pattern(r"\d+(\.\d+)+")),
                ("ctime", Prop::integer().min(0.0)),
            ]),
        ),
        (
            "amd-sev",
            Props::new([
                ("type", Prop::string().required().default_key().choices(&["std", "es", "snp"]).longest(3)),
                ("no-debug", Prop::boolean()),
                ("no-key-sharing", Prop::boolean()),
                ("allow-smt", Prop::boolean()),
                ("kernel-hashes", Prop::boolean()),
            ]),
        ),
        (
            "intel-tdx",
            Props::new([
                ("type", Prop::string().required().default_key().choices(&["tdx"])),
                ("attestation", Prop::boolean().required()),
                ("vsock-cid", Prop::integer().min(2.0)),
                ("vsock-port", Prop::integer().min(0.0)),
            ]),
        ),
        ("cicustom", Props::new([("meta", volume()), ("network", volume()), ("user", volume()), ("vendor", volume())])),
    ];
    for (key, props) in rows {
        table.insert(key, Prop::string().props(props));
    }
    table.insert("smbios1", Prop::string().props(smbios1()).longest(512));
}

/// The sub-options of `smbios1`.
pub(crate) fn smbios1() -> Arc<Props> {
    kept!(make_smbios1())
}

fn make_smbios1() -> Arc<Props> {
    let smbios = || Prop::string().pattern(r"[A-Za-z0-9+\/]+={0,2}");
    let uuid = r"[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}";
    Props::new([
        ("uuid", Prop::string().pattern(uuid)),
        ("version", smbios()),
        ("serial", smbios()),
        ("manufacturer", smbios()),
        ("product", smbios()),
        ("sku", smbios()),
        ("family", smbios()),
        ("base64", Prop::boolean()),
    ])
}

/// The sub-options of `memory`.
pub(crate) fn memory() -> Arc<Props> {
    kept!(make_memory())
}

fn make_memory() -> Arc<Props> {
    Props::new([("current", Prop::integer().required().default_key().min(16.0))])
}

/// The sub-options of `machine`.
pub(crate) fn machine() -> Arc<Props> {
    kept!(make_machine())
}

fn make_machine() -> Arc<Props> {
    let version = r"\d+(\.\d+)+(\+pve\d+)?(\.pxe)?";
    let types = format!(r"(pc|pc(-i440fx)?-{version}|q35|pc-q35-{version}|virt(?:-\d+(\.\d+)+)?(\+pve\d+)?)");
    Props::new([
        ("type", Prop::string().default_key().pattern(&types).longest(40)),
        ("viommu", Prop::string().choices(&["intel", "virtio"])),
        ("aw-bits", Prop::number().min(32.0).max(64.0)),
        ("enable-s3", Prop::boolean()),
        ("enable-s4", Prop::boolean()),
    ])
}

/// The sub-options of `agent`.
pub(crate) fn agent() -> Arc<Props> {
    kept!(make_agent())
}

fn make_agent() -> Arc<Props> {
    Props::new([
        ("enabled", Prop::boolean().required().default_key()),
        ("fstrim_cloned_disks", Prop::boolean()),
        ("freeze-fs", Prop::boolean()),
        ("freeze-fs-on-backup", Prop::alias("freeze-fs")),
        ("type", Prop::string().choices(&["virtio", "isa"])),
    ])
}

/// The sub-options of `vga`.
pub(crate) fn vga() -> Arc<Props> {
    kept!(make_vga())
}

fn make_vga() -> Arc<Props> {
    let types = [
        "cirrus",
        "qxl",
        "qxl2",
        "qxl3",
        "qxl4",
        "none",
        "serial0",
        "serial1",
        "serial2",
        "serial3",
        "std",
        "virtio",
        "virtio-gl",
        "vmware",
    ];
    Props::new([
        ("type", Prop::string().default_key().choices(&types)),
        ("memory", Prop::integer().min(4.0).max(512.0)),
        ("clipboard", Prop::string().choices(&["vnc"])),
    ])
}

/// The sub-options of `boot`.
pub(crate) fn boot() -> Arc<Props> {
    kept!(make_boot())
}

fn make_boot() -> Arc<Props> {
    Props::new([
        ("legacy", Prop::string().default_key().pattern("[acdn]{1,4}")),
        ("order", Prop::string().list(boot_device)),
    ])
}

/// The sub-options of `netN`.
pub(crate) fn net() -> Arc<Props> {
    kept!(make_net())
}

fn make_net() -> Arc<Props> {
    let mut table = std::collections::BTreeMap::from([
        ("macaddr", Prop::string().check(mac_addr)),
        ("model", Prop::string().required().default_key().choices(&NET_MODELS)),
        ("bridge", Prop::string().check(super::formats::bridge_id)),
        ("queues", Prop::integer().min(0.0).max(64.0)),
        ("rate", Prop::number().min(0.0)),
        ("tag", Prop::integer().min(1.0).max(4094.0)),
        ("trunks", Prop::string().pattern(r"\d+(?:-\d+)?(?:;\d+(?:-\d+)?)*")),
        ("firewall", Prop::boolean()),
        ("link_down", Prop::boolean()),
        ("mtu", Prop::integer().min(1.0).max(65_520.0)),
        ("host-tunnel", Prop::boolean()),
    ]);
    table.extend(NET_MODELS.map(|model| (model, Prop::key_alias("model", "macaddr"))));
    Arc::new(Props { table, validator: None })
}

fn indexed(table: &mut Table) {
    let span = r"\d+(?:-\d+)?(?:;\d+(?:-\d+)?)*";
    let numa = Props::new([
        ("cpus", Prop::string().required().pattern(span)),
        ("memory", Prop::number()),
        ("hostnodes", Prop::string().pattern(span)),
        ("policy", Prop::string().choices(&["preferred", "bind", "interleave"])),
    ]);
    let virtiofs = Props::new([
        ("dirid", Prop::string().required().default_key().check(config_id)),
        ("cache", Prop::string().choices(&["auto", "always", "metadata", "never"])),
        ("direct-io", Prop::boolean()),
        ("expose-xattr", Prop::boolean()),
        ("expose-acl", Prop::boolean()),
    ]);
    let ipconfig = Props::new([
        ("ip", Prop::string().check(ipv4_config)),
        ("gw", Prop::string().check(ipv4).requires("ip")),
        ("ip6", Prop::string().check(ipv6_config)),
        ("gw6", Prop::string().check(ipv6).requires("ip6")),
    ]);
    for (base, count, prop) in [
        ("numa", 8, Prop::string().props(numa)),
        ("virtiofs", 10, Prop::string().props(virtiofs)),
        ("net", 32, Prop::string().props(net())),
        ("ipconfig", 32, Prop::string().props(ipconfig)),
        ("serial", 4, Prop::string().pattern("(/dev/.+|socket)")),
        ("parallel", 3, Prop::string().pattern(r"/dev/parport\d+|/dev/usb/lp\d+")),
        ("usb", 14, Prop::string().props(usb())),
        ("hostpci", 16, Prop::string().props(hostpci())),
    ] {
        for index in 0..count {
            table.insert(format!("{base}{index}"), prop.clone());
        }
    }
}

/// The sub-options of `usbN`.
pub(crate) fn usb() -> Arc<Props> {
    kept!(make_usb())
}

fn make_usb() -> Arc<Props> {
    let id = r"(0x)?([0-9A-Fa-f]{4}):(0x)?([0-9A-Fa-f]{4})";
    let host = format!(r"(?:(?:{id})|(?:(\d+)\-(\d+(\.\d+)*))|[Ss][Pp][Ii][Cc][Ee])");
    Props::new([
        ("host", Prop::string().default_key().pattern(&host)),
        ("mapping", Prop::string().check(config_id)),
        ("usb3", Prop::boolean()),
    ])
}

/// The sub-options of `hostpciN`.
pub(crate) fn hostpci() -> Arc<Props> {
    kept!(make_hostpci())
}

fn make_hostpci() -> Arc<Props> {
    let address = r"(?:[a-f0-9]{4,}:)?[a-f0-9]{2}:[a-f0-9]{2}(?:\.[a-f0-9])?";
    let id = || Prop::string().pattern("0x[0-9a-fA-F]{4}");
    Props::new([
        ("host", Prop::string().default_key().pattern(&format!("{address}(;{address})*"))),
        ("mapping", Prop::string().check(config_id)),
        ("rombar", Prop::boolean()),
        ("romfile", Prop::string().pattern("[^,;]+")),
        ("pcie", Prop::boolean()),
        ("x-vga", Prop::boolean()),
        ("legacy-igd", Prop::boolean()),
        ("mdev", Prop::string().pattern(r"[^/.:]+")),
        ("vendor-id", id()),
        ("device-id", id()),
        ("sub-vendor-id", id()),
        ("sub-device-id", id()),
        ("driver", Prop::string().choices(&["vfio", "keep"])),
    ])
}

/// Any text; lists of plain strings have this check for their entries.
pub(crate) fn free_list() -> Prop {
    Prop::string().list(any)
}
