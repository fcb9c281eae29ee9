//! The stable codes of everything that this provider reports about machines and their options, and their manual entries.

use tune_core::problem::{Code, Explanation};

pub(crate) const BAD_VMID: Code = Code("tune::proxmox::bad_vmid");
pub(crate) const BAD_VALUE: Code = Code("tune::proxmox::bad_value");
pub(crate) const NO_SETTINGS: Code = Code("tune::proxmox::no_settings");
pub(crate) const NOT_TUNABLE: Code = Code("tune::proxmox::not_tunable");
pub(crate) const UNKNOWN_DEVICE: Code = Code("tune::proxmox::unknown_device");
pub(crate) const UNKNOWN_OPTION: Code = Code("tune::proxmox::unknown_option");
pub(crate) const WRONG_BUS: Code = Code("tune::proxmox::wrong_bus");
pub(crate) const NO_DEVICE: Code = Code("tune::proxmox::no_device");
pub(crate) const NOT_AN_OPTION: Code = Code("tune::proxmox::not_an_option");
pub(crate) const IOTHREAD: Code = Code("tune::proxmox::iothread_ignored");
pub(crate) const AIO_CACHE: Code = Code("tune::proxmox::aio_cache");
pub(crate) const THROTTLE: Code = Code("tune::proxmox::throttle");
pub(crate) const OLD_LIMIT: Code = Code("tune::proxmox::old_limit");
pub(crate) const VIRTIO_ONLY: Code = Code("tune::proxmox::virtio_only");
pub(crate) const BALLOON: Code = Code("tune::proxmox::balloon");
pub(crate) const TOO_MANY_PROCESSORS: Code = Code("tune::proxmox::too_many_processors");
pub(crate) const MEMORY_HOTPLUG: Code = Code("tune::proxmox::memory_hotplug");
pub(crate) const BOOT_ORDER: Code = Code("tune::proxmox::boot_order");
pub(crate) const NOT_ALLOWED: Code = Code("tune::proxmox::not_allowed");
pub(crate) const ROOT_ONLY: Code = Code("tune::proxmox::root_only");
pub(crate) const WRITEBACK: Code = Code("tune::proxmox::writeback");
pub(crate) const IOTHREAD_LOAD: Code = Code("tune::proxmox::iothread");
pub(crate) const GUEST_DRIVER: Code = Code("tune::proxmox::guest_driver");
pub(crate) const SILENT: Code = Code("tune::proxmox::silent");
pub(crate) const REPLUGGED: Code = Code("tune::proxmox::replugged");
pub(crate) const OSTYPE: Code = Code("tune::proxmox::ostype");
pub(crate) const LOCKED: Code = Code("tune::proxmox::locked");
pub(crate) const POWER_CYCLE: Code = Code("tune::proxmox::power_cycle");
pub(crate) const HA_MANAGED: Code = Code("tune::proxmox::ha_managed");
pub(crate) const NO_AGENT: Code = Code("tune::proxmox::no_agent");
pub(crate) const NO_GUEST: Code = Code("tune::proxmox::no_guest");

/// The manual entry of each code.
pub(super) const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        code: BAD_VMID,
        title: "`vmid` is not the number of a virtual machine",
        text: "Proxmox numbers its virtual machines from 100 on; `qm list` shows them. The number is what the machine is \
               to `tune`: its node and its name may change.",
    },
    Explanation {
        code: BAD_VALUE,
        title: "an option does not take this value",
        text: "The message says what it takes. A bool is `true` or `false`; memory is in MiB, or a text with a unit such \
               as `\"8GiB\"`. `null` is no value: to stop managing an option, remove it, and what was there before is put \
               back.",
    },
    Explanation {
        code: NO_SETTINGS,
        title: "a machine or a device of which nothing is managed",
        text: "Only what is written is managed, so an empty block does nothing. Write an option, or remove it.",
    },
    Explanation {
        code: NOT_TUNABLE,
        title: "an option that names or describes a thing",
        text: "The volume of a disk, its size and format, the hardware address of a network device and the password of \
               cloud-init are not tuned: replacing them makes another disk or another machine, or what was there before \
               cannot be read. Everything of that kind is kept as it is.",
    },
    Explanation {
        code: UNKNOWN_DEVICE,
        title: "no disk or network device can have this key",
        text: "Disks are `ide0` to `ide3`, `sata0` to `sata5`, `scsi0` to `scsi30` and `virtio0` to `virtio15`; network \
               devices are `net0` to `net31`.",
    },
    Explanation {
        code: UNKNOWN_OPTION,
        title: "there is no such option",
        text: "The reference of `proxmox_vm` lists every option and every option of a disk or a network device. Options \
               that `tune` does not know are kept as they are.",
    },
    Explanation {
        code: WRONG_BUS,
        title: "a disk on this bus has no such option",
        text: "`iothread` and `ro` are for `scsi` and `virtio`, `queues`, `product` and `vendor` for `scsi`, `ssd` for \
               everything but `virtio`, `model` for `ide`. The API refuses them elsewhere.",
    },
    Explanation {
        code: NO_DEVICE,
        title: "the machine has no such disk or network device",
        text: "`tune` changes options of what is there and attaches nothing. The message lists the keys that the machine \
               has. A disk that is about to be detached, with the removal pending, counts as gone.",
    },
    Explanation {
        code: NOT_AN_OPTION,
        title: "a recorded name is no option of a virtual machine",
        text: "A state or a ledger names something that this version does not know. It may come from a newer version.",
    },
    Explanation {
        code: IOTHREAD,
        title: "an option of a `scsi` disk has no effect with this controller",
        text: "`iothread` and `queues` of a `scsi` disk work only with `scsihw = \"virtio-scsi-single\"`. With any other \
               controller Proxmox stores them, warns at the next start, and ignores them. Changing `scsihw` from \
               `virtio-scsi-pci` keeps the guest's driver; from `lsi` it changes it, and a guest without the virtio driver \
               does not boot.",
    },
    Explanation {
        code: AIO_CACHE,
        title: "`aio = \"native\"` with a cache of the host",
        text: "Native asynchronous I/O needs a disk that is opened past the host's page cache. Proxmox takes the \
               combination with `writeback`, `writethrough` or `unsafe`, and the machine does not start with it.",
    },
    Explanation {
        code: THROTTLE,
        title: "limits of a disk that do not go together",
        text: "A limit for both directions excludes those for one direction; a burst needs its limit, and the length of a \
               burst needs the burst. The API refuses the disk's line as a whole.",
    },
    Explanation {
        code: OLD_LIMIT,
        title: "a limit of a disk in a notation that Proxmox no longer keeps",
        text: "`bps`, `bps_rd` and `bps_wr` are limits in bytes from very old configurations. Proxmox still reads them, and \
               writes `mbps=0.000` in their place, which is no limit, whenever anything of the disk is changed. So the disk \
               is left alone until the limit is written in megabytes.",
    },
    Explanation {
        code: VIRTIO_ONLY,
        title: "an option of a network device that only `virtio` has",
        text: "Several queues and another packet size exist for the model `virtio` only.",
    },
    Explanation {
        code: BALLOON,
        title: "`balloon` is more than `memory`",
        text: "`balloon` is what the machine keeps when the host takes memory back, so it cannot be more than there is.",
    },
    Explanation {
        code: TOO_MANY_PROCESSORS,
        title: "more processors than there are",
        text: "`vcpus` is at most `sockets` times `cores`, and that at most what the node has. Proxmox stores more than \
               that, and refuses to start the machine.",
    },
    Explanation {
        code: MEMORY_HOTPLUG,
        title: "memory that is plugged in needs `numa`, and 1024 MiB",
        text: "With `memory` in `hotplug` and without `numa = true` the machine does not start. Below 1024 MiB there is \
               nothing that could be plugged in.",
    },
    Explanation {
        code: BOOT_ORDER,
        title: "the boot order names a device that is not there",
        text: "Proxmox refuses a boot order with a disk or a network device that the machine does not have, and with it \
               everything else that the same request would have written. The message lists the devices that there are.",
    },
    Explanation {
        code: NOT_ALLOWED,
        title: "the token or the user lacks a privilege",
        text: "Before anything is sent, the privileges that this plan needs are compared with those that the API reports. \
               A token with separated privileges, which is the default, needs rights of its own beside those of its user. \
               For disks and power cycles `VM.Audit`, `VM.Config.Disk` and `VM.PowerMgmt` are enough.",
    },
    Explanation {
        code: ROOT_ONLY,
        title: "an option that only root@pam may change",
        text: "A few options could be used to break out of a machine, so the API leaves them to `root@pam` with a \
               password; a token of root is not enough.",
    },
    Explanation {
        code: WRITEBACK,
        title: "what `cache = \"writeback\"` does and does not",
        text: "The default of Proxmox is `none`, which goes past the host's page cache; it is not `writethrough`. With \
               `writeback` the host acknowledges writes from its page cache, and honours every flush of the guest: what a \
               database has synced is on the disk. So etcd's sync is as slow as before, unless something else was in its \
               way. Only `unsafe` drops flushes, and loses acknowledged data when the host crashes.",
    },
    Explanation {
        code: IOTHREAD_LOAD,
        title: "what an iothread does",
        text: "It moves the disk's work from QEMU's main loop to a thread of its own. That helps a machine whose main loop \
               is busy; a single write takes as long as before.",
    },
    Explanation {
        code: GUEST_DRIVER,
        title: "the guest will see other hardware",
        text: "Another controller, firmware, chipset or network card needs a driver in the guest, and sometimes another \
               boot entry. Have a console at hand, and try one machine first.",
    },
    Explanation {
        code: SILENT,
        title: "a change that Proxmox does not show as pending",
        text: "Some options of a disk (`serial`, `wwn`, `model`, `werror`, `rerror`, `detect_zeroes`, `scsiblock`, \
               `snapshot`) are written to the configuration at once, while the running machine keeps what it was started \
               with. `qm pending` does not list them. `tune` plans the power cycle together with the change.",
    },
    Explanation {
        code: REPLUGGED,
        title: "a network device is unplugged and plugged in again",
        text: "Model, queues and packet size cannot change in place. Where hot-plugging is on, Proxmox takes the device \
               out and puts it in again: connections of the guest stand still, and some guests give it a new name.",
    },
    Explanation {
        code: OSTYPE,
        title: "a Windows type pins the machine type",
        text: "So that Windows does not see new hardware, Proxmox writes the present version of the machine type when \
               `ostype` becomes a Windows. It stays when `ostype` is put back.",
    },
    Explanation {
        code: LOCKED,
        title: "the machine is locked",
        text: "A backup, a migration, a snapshot or a clone locks a machine against changes. Locks go by themselves; one \
               that was left behind is removed with `qm unlock` on the node.",
    },
    Explanation {
        code: POWER_CYCLE,
        title: "pending changes need a power cycle",
        text: "QEMU has to end and to be started anew. `tune` shuts the guest down through the API, sees to it that the \
               machine comes back as a new process, and then verifies what runs. A reboot inside the guest and a reset keep \
               the process, and with it the old options.",
    },
    Explanation {
        code: HA_MANAGED,
        title: "the machine is under high availability",
        text: "The cluster then decides where and when it is started, which takes 10 to 20 seconds longer. `tune` never \
               changes the state that high availability keeps it in.",
    },
    Explanation {
        code: NO_AGENT,
        title: "the machine has no guest agent",
        text: "Without the agent a shutdown is a press of the power button. A guest that ignores it does not go down: the \
               activation then fails after its time, and the machine is left running. Install `qemu-guest-agent` and set \
               `agent = true`.",
    },
    Explanation {
        code: NO_GUEST,
        title: "a power cycle of a machine whose guest is not named",
        text: "With `guest = host.NAME` the power cycle is that host's down time: rollouts, gates and quorum count it. \
               Without, the machine is cycled alone, one at a time.",
    },
];
