//! The stable codes of everything that this kind reports, and their manual entries.

use tune_core::problem::{Code, Explanation};

pub(crate) const BAD_KEY: Code = Code("tune::sysctl::bad_key");
pub(crate) const SAME_KEY: Code = Code("tune::sysctl::same_key");
pub(crate) const BOTH_HALVES: Code = Code("tune::sysctl::both_halves");
pub(crate) const BAD_VALUE: Code = Code("tune::sysctl::bad_value");
pub(crate) const OUT_OF_RANGE: Code = Code("tune::sysctl::out_of_range");
pub(crate) const OCTAL: Code = Code("tune::sysctl::octal");
pub(crate) const NO_SETTINGS: Code = Code("tune::sysctl::no_settings");
pub(crate) const BAD_DROP_IN: Code = Code("tune::sysctl::bad_drop_in");
pub(crate) const ONE_WAY: Code = Code("tune::sysctl::one_way");
pub(crate) const TRIGGER: Code = Code("tune::sysctl::trigger");
pub(crate) const NOT_A_SETTING: Code = Code("tune::sysctl::not_a_setting");
pub(crate) const UNKNOWN_KEY: Code = Code("tune::sysctl::unknown_key");
pub(crate) const READ_ONLY: Code = Code("tune::sysctl::read_only");
pub(crate) const HOST_GLOBAL: Code = Code("tune::sysctl::host_global");
pub(crate) const WRONG_SHAPE: Code = Code("tune::sysctl::wrong_shape");
pub(crate) const FOREIGN_FILE: Code = Code("tune::sysctl::foreign_file");
pub(crate) const HIDES_FILE: Code = Code("tune::sysctl::hides_file");
pub(crate) const GENERATED_ETC: Code = Code("tune::sysctl::generated_etc");
pub(crate) const OVERRIDDEN: Code = Code("tune::sysctl::overridden");
pub(crate) const RELOAD_BY_HAND: Code = Code("tune::sysctl::reload_by_hand");
pub(crate) const OTHER_INIT: Code = Code("tune::sysctl::other_init");
pub(crate) const NEXT_BOOT_UNKNOWN: Code = Code("tune::sysctl::next_boot_unknown");
pub(crate) const LATE_MODULE: Code = Code("tune::sysctl::late_module");
pub(crate) const INTERFACE: Code = Code("tune::sysctl::interface");
pub(crate) const SPREADS: Code = Code("tune::sysctl::spreads");
pub(crate) const DIRTY_NOT_SYNC: Code = Code("tune::sysctl::dirty_not_sync");
pub(crate) const BACKGROUND_NOT_BELOW: Code = Code("tune::sysctl::background_not_below");
pub(crate) const SWAP_OFF: Code = Code("tune::sysctl::swap_off");
pub(crate) const KEEPALIVE: Code = Code("tune::sysctl::keepalive");
pub(crate) const PODS: Code = Code("tune::sysctl::pods");
pub(crate) const KUBELET: Code = Code("tune::sysctl::kubelet");
pub(crate) const LIMIT_RAISED: Code = Code("tune::sysctl::limit_raised_at_boot");

/// The manual entry of each code.
pub(crate) const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        code: BAD_KEY,
        title: "a text in `settings` does not name a kernel parameter",
        text: "A key is written as `sysctl` prints it, such as `vm.swappiness`, or with slashes, such as \
               `vm/swappiness`. A dot inside a part, as in the VLAN interface `eth0.100`, changes places with the \
               slash: `net.ipv4.conf.eth0/100.forwarding`. Patterns are not taken: only an explicit key has one value \
               that can be put back, and at boot an explicit key beats a pattern anyway.",
    },
    Explanation {
        code: SAME_KEY,
        title: "one kernel parameter is set twice in a resource",
        text: "`vm.swappiness` and `vm/swappiness` are the same parameter, and so are a few pairs of names that the \
               kernel keeps for one value, such as `net.ipv4.ip_forward` and `net.ipv4.conf.all.forwarding`. Keep one \
               of the two.",
    },
    Explanation {
        code: BOTH_HALVES,
        title: "both halves of a pair are set",
        text: "`vm.dirty_ratio` and `vm.dirty_bytes` are one setting in two units: writing one makes the kernel clear \
               the other. The same holds for `vm.dirty_background_ratio` and `vm.dirty_background_bytes`, and for \
               `vm.overcommit_ratio` and `vm.overcommit_kbytes`. Keep the half that you mean. Whichever half was set \
               before is recorded, and put back by `tune destroy`.",
    },
    Explanation {
        code: BAD_VALUE,
        title: "a value cannot be written to a kernel parameter",
        text: "A value is one line of text, a number or a bool. `null` is not a value: to stop managing a parameter, \
               remove it from `settings`, and what was there before is put back. A half of a pair cannot be 0, because \
               0 means that the other half is in use: set the other half instead.",
    },
    Explanation {
        code: OUT_OF_RANGE,
        title: "the kernel refuses this value",
        text: "The kernel checks the range of this parameter and would refuse the value, or silently store another \
               one. The message names what it takes.",
    },
    Explanation {
        code: OCTAL,
        title: "the kernel would read this number as octal",
        text: "The kernel reads a number that begins with a zero as octal, so `010` would become 8. Write the number \
               without leading zeros.",
    },
    Explanation {
        code: NO_SETTINGS,
        title: "`settings` is empty",
        text: "A `sysctl` resource without settings would manage an empty file. Write at least one setting, or remove \
               the resource.",
    },
    Explanation {
        code: BAD_DROP_IN,
        title: "`drop_in` is not a usable file name",
        text: "`drop_in` names a file in `/etc/sysctl.d` that `tune` creates and owns. It must be a plain name that \
               ends in `.conf`, does not start with a dot, and is not the name of a file that a distribution ships: a \
               file in `/etc/sysctl.d` hides files of the same name elsewhere. Files are applied in the order of their \
               names, so a late name such as the default `99-zz-tune-NAME.conf` wins.",
    },
    Explanation {
        code: ONE_WAY,
        title: "this parameter cannot be put back",
        text: "Some parameters are locks: once set, the kernel takes no other value until the next boot. `tune` \
               promises that everything can be put back, so it does not set them. Set them where the machine is built, \
               for example on the kernel's command line or in a file of the image.",
    },
    Explanation {
        code: TRIGGER,
        title: "this parameter is a trigger, not a setting",
        text: "Writing to it makes the kernel do something once. There is no value to compare, to keep or to put back, \
               so it cannot be a resource.",
    },
    Explanation {
        code: NOT_A_SETTING,
        title: "the kernel reports this value and takes none",
        text: "The file exists to be read: a counter, a version, a random number. It does not keep what is written to \
               it, so it cannot be a resource.",
    },
    Explanation {
        code: UNKNOWN_KEY,
        title: "this kernel has no such parameter",
        text: "The file below `/proc/sys` does not exist. Either the name is misspelled, or the kernel is too old or \
               was built without it, or it belongs to a module that is not loaded. For a module, load it and list it \
               in \
               `/etc/modules-load.d`, so that the parameter exists when the boot sets parameters. In a container, \
               parameters of the machine as a whole may be missing. An interface name with a dot is written with a \
               slash: `net.ipv4.conf.eth0/100.forwarding`.",
    },
    Explanation {
        code: READ_ONLY,
        title: "this cannot be written, even by root",
        text: "The parameter's file has no write permission, or it is on a file system that is mounted read-only, as \
               `/proc/sys` is in most containers, or `/etc` on an image-based system. Set it on the machine that runs \
               the container, or in the image.",
    },
    Explanation {
        code: HOST_GLOBAL,
        title: "this parameter belongs to the machine under the container",
        text: "Only network, IPC and user-namespace parameters are a container's own. All others are those of the \
               kernel that it shares with the whole machine and every other container there. Even where a privileged \
               container may write them, that is not the place: make a `host` block for the machine itself, and set \
               them there.",
    },
    Explanation {
        code: WRONG_SHAPE,
        title: "the value does not have the form of what is there",
        text: "The kernel's value consists of a certain count of whole numbers. With fewer, the kernel would silently \
               keep the rest as it is; with more, or with text, it refuses. Write all numbers, separated by spaces, as \
               in `net.ipv4.tcp_rmem = \"4096 131072 6291456\"`.",
    },
    Explanation {
        code: FOREIGN_FILE,
        title: "somebody else's file stands where ours would be",
        text: "`tune` writes whole files, and only files that it created. A file of this name exists, does not carry \
               our first line, and no ledger on the host knows it. Overwriting it would change settings that this \
               resource does not manage. Choose another name with `drop_in`, or move what the file holds into \
               `settings` and remove the file yourself.",
    },
    Explanation {
        code: HIDES_FILE,
        title: "our file would hide another one",
        text: "A file in `/etc/sysctl.d` replaces files of the same name in `/run/sysctl.d` and `/usr/lib/sysctl.d` \
               completely: none of their lines would be applied at the next boot. Choose another name with `drop_in`.",
    },
    Explanation {
        code: GENERATED_ETC,
        title: "`/etc/sysctl.d` is generated from somewhere else",
        text: "The files of `/etc/sysctl.d` are links into a store, as on NixOS. A file of ours would be lost at the \
               next rebuild or could not be written at all. Set the parameters in the system's own configuration, for \
               example `boot.kernel.sysctl`.",
    },
    Explanation {
        code: OVERRIDDEN,
        title: "another file wins at the next boot",
        text: "At boot all sysctl.d files are applied in the order of their names, whatever their directory; for each \
               parameter the last assignment wins, and the halves of a pair count as one. The advice names the line \
               that wins over our file. Until it is removed, or our file gets a later name with `drop_in`, the running \
               value is as you want it only until the next boot.",
    },
    Explanation {
        code: RELOAD_BY_HAND,
        title: "`sysctl --system`, run by hand, would set another value",
        text: "systemd does not read `/etc/sysctl.conf` at boot unless a link in `/etc/sysctl.d` points to it, but the \
               `sysctl` command of procps reads it, and always last. So somebody who runs `sysctl --system` or \
               `sysctl -p` gets its value until the next boot. Remove the line to make both agree.",
    },
    Explanation {
        code: OTHER_INIT,
        title: "this machine does not boot with systemd",
        text: "What the next boot would set is computed the way `sysctl --system` does it: files by name, then \
               `/etc/sysctl.conf`. The boot scripts of this machine may leave out some directories or patterns. Reboot \
               it once and look at `tune plan`: it must be empty.",
    },
    Explanation {
        code: NEXT_BOOT_UNKNOWN,
        title: "what the next boot would set is not known",
        text: "A file that takes part cannot be read by the user that commands run as. The running values are true; \
               for \
               the next boot, read again as root (`become = \"sudo\"`).",
    },
    Explanation {
        code: LATE_MODULE,
        title: "the parameter may not exist yet when the boot sets parameters",
        text: "It belongs to a kernel module. Parameters are set once, early in the boot; what a module that is loaded \
               later brings keeps its defaults. List the module in a file of `/etc/modules-load.d`, which is handled \
               before. If the module is built into the kernel, there is nothing to do.",
    },
    Explanation {
        code: INTERFACE,
        title: "the parameter belongs to one network interface",
        text: "It exists while the interface does. On systemd machines, udev applies the files of sysctl.d again when \
               the interface appears. A network manager that sets the same parameter afterwards wins, so look for it \
               there as well. Interfaces that are to come take `net.ipv4.conf.default`.",
    },
    Explanation {
        code: SPREADS,
        title: "writing this changes every interface",
        text: "The kernel copies the value to every network interface at once, and an undo copies the old one the same \
               way. Interfaces that had a value of their own lose it, and it does not come back by itself. Manage such \
               an interface's own parameter in the same resource: it is written afterwards.",
    },
    Explanation {
        code: DIRTY_NOT_SYNC,
        title: "dirty thresholds do not make synchronous writes faster",
        text: "They decide when buffered writers are made to wait and when write-back starts. A program that waits for \
               its own `fdatasync`, such as etcd, waits for the disk. Lower thresholds help it only by leaving less \
               for a concurrent flush to drain; what helps most is a faster or quieter disk.",
    },
    Explanation {
        code: BACKGROUND_NOT_BELOW,
        title: "the background threshold is not below the foreground one",
        text: "Write-back in the background must begin before writers are made to wait. If the background threshold is \
               not lower, the kernel silently uses half of the foreground one; the value that it prints is not the \
               one that it uses.",
    },
    Explanation {
        code: SWAP_OFF,
        title: "`vm.swappiness` has no effect without swap",
        text: "It weighs swapping against dropping cached files. No swap is active on this machine (Kubernetes turns \
               it \
               off by default), so there is nothing to weigh.",
    },
    Explanation {
        code: KEEPALIVE,
        title: "keepalive times concern only sockets that ask for keepalive",
        text: "The kernel probes only connections whose program has set SO_KEEPALIVE. The kernel's own SMB client \
               never \
               does; it notices a dead server by its echo (`echo_interval`). NFS sets times of its own. Programs may \
               also override the times per socket.",
    },
    Explanation {
        code: PODS,
        title: "pods do not inherit this parameter",
        text: "It lives in each network namespace, and a new namespace starts with the kernel's own default, not with \
               the machine's value. On this machine it therefore reaches only processes outside pods and pods with \
               `hostNetwork`. For a pod, set it in `securityContext.sysctls`.",
    },
    Explanation {
        code: KUBELET,
        title: "the kubelet sets this parameter too",
        text: "At each start the kubelet writes values of its own to a few parameters, or refuses to start when they \
               differ (`protectKernelDefaults`). Another value than the kubelet's holds only until it starts again.",
    },
    Explanation {
        code: LIMIT_RAISED,
        title: "systemd raises this limit as far as it goes",
        text: "As process 1, systemd sets `fs.file-max` and `fs.nr_open` to the greatest possible value early in the \
               boot, because the limits that count are those per process and per service. Any value in a file is a \
               decrease on such a machine.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_is_explained_once() {
        let source = include_str!("codes.rs");
        let declared: BTreeSet<&str> = source
            .lines()
            .filter_map(|line| {
                line.strip_prefix("pub(crate) const ")?.split_once(": Code = Code(\"")?.1.split('"').next()
            })
            .collect();
        let explained: Vec<&str> = EXPLANATIONS.iter().map(|entry| entry.code.0).collect();
        assert_eq!(explained.iter().copied().collect::<BTreeSet<_>>(), declared);
        assert_eq!(explained.len(), declared.len());
        for entry in EXPLANATIONS {
            assert!(!entry.title.ends_with('.') && entry.text.ends_with('.'), "{}", entry.code);
        }
    }
}
