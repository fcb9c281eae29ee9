//! The stable codes of everything that this kind reports, and their manual entries.

use tune_core::problem::{Code, Explanation};

pub(crate) const BAD_NAME: Code = Code("tune::zfs::bad_name");
pub(crate) const BAD_MODULE: Code = Code("tune::zfs::bad_module");
pub(crate) const BAD_VALUE: Code = Code("tune::zfs::bad_value");
pub(crate) const OCTAL: Code = Code("tune::zfs::octal");
pub(crate) const OUT_OF_RANGE: Code = Code("tune::zfs::out_of_range");
pub(crate) const NO_PARAMETERS: Code = Code("tune::zfs::no_parameters");
pub(crate) const NOT_AMONG: Code = Code("tune::zfs::not_among");
pub(crate) const BAD_DROP_IN: Code = Code("tune::zfs::bad_drop_in");
pub(crate) const NOT_LOADED: Code = Code("tune::zfs::not_loaded");
pub(crate) const UNKNOWN_PARAMETER: Code = Code("tune::zfs::unknown_parameter");
pub(crate) const LOAD_TIME: Code = Code("tune::zfs::load_time");
pub(crate) const READ_ONLY: Code = Code("tune::zfs::read_only");
pub(crate) const HOST_GLOBAL: Code = Code("tune::zfs::host_global");
pub(crate) const WRONG_SHAPE: Code = Code("tune::zfs::wrong_shape");
pub(crate) const IGNORED: Code = Code("tune::zfs::ignored");
pub(crate) const ABOVE_CAP: Code = Code("tune::zfs::above_cap");
pub(crate) const FOREIGN_FILE: Code = Code("tune::zfs::foreign_file");
pub(crate) const HIDES_FILE: Code = Code("tune::zfs::hides_file");
pub(crate) const GENERATED_ETC: Code = Code("tune::zfs::generated_etc");
pub(crate) const OVERRIDDEN: Code = Code("tune::zfs::overridden");
pub(crate) const BUILT_IN: Code = Code("tune::zfs::built_in");
pub(crate) const NEXT_LOAD_UNKNOWN: Code = Code("tune::zfs::next_load_unknown");
pub(crate) const STALE_IMAGE: Code = Code("tune::zfs::stale_image");
pub(crate) const NEEDS_REBOOT: Code = Code("tune::zfs::needs_reboot");
pub(crate) const NO_REBOOT_NEEDED: Code = Code("tune::zfs::no_reboot_needed");
pub(crate) const TXG_NOT_SYNC: Code = Code("tune::zfs::txg_not_sync");
pub(crate) const DECREASE: Code = Code("tune::zfs::decrease");
pub(crate) const ARC_SHRINKS_LATER: Code = Code("tune::zfs::arc_shrinks_later");

/// The manual entry of each code.
pub(crate) const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        code: BAD_NAME,
        title: "a text in `parameters` does not name a parameter of a module",
        text: "A name is written as `modinfo -p zfs` prints it, such as `zfs_txg_timeout`, without the module's name in \
               front. For the parameters of another module, set `module`.",
    },
    Explanation {
        code: BAD_MODULE,
        title: "`module` is not the name of a kernel module",
        text: "Write it as `lsmod` prints it, such as `nvme`. A hyphen and an underscore are the same in it.",
    },
    Explanation {
        code: BAD_VALUE,
        title: "a value cannot be written",
        text: "A value is a number, a bool or a text without white space, quotes and backslashes: modprobe.d and the \
               kernel split and unquote what stands there. Parameters of ZFS that count bytes take a binary unit, such \
               as `512MiB` or `8GiB`; `GB` is refused, because nobody can tell which of the two is meant. To stop \
               managing a parameter, remove it; `null` is not a value.",
    },
    Explanation {
        code: OCTAL,
        title: "a number with a leading zero would be read as octal",
        text: "The kernel reads `010` as 8. Write the number without leading zeros.",
    },
    Explanation {
        code: OUT_OF_RANGE,
        title: "the value is outside the sensible range",
        text: "ZFS checks few values: it would take a `zfs_txg_timeout` of 0 and never rest, and it silently ignores a \
               `zfs_arc_max` below 64 MiB. A 0 means automatic sizing for the limits of the cache only while the module \
               is loaded; at run time it changes nothing. To go back to what was there before, remove the parameter.",
    },
    Explanation {
        code: NO_PARAMETERS,
        title: "`parameters` is empty",
        text: "A resource without parameters does nothing. Write at least one, or remove the resource.",
    },
    Explanation {
        code: NOT_AMONG,
        title: "`load_time` lists a parameter that has no value",
        text: "`load_time` says which of the parameters are taken only when the module is loaded. Their values stand in \
               `parameters`, like all others.",
    },
    Explanation {
        code: BAD_DROP_IN,
        title: "the file's name cannot be used",
        text: "The file is always in `/etc/modprobe.d`. Its name must end in `.conf`, must not begin with a dot or with \
               `zz-tune.`, and must not be one that a distribution or a well-known program ships: such a file would be \
               hidden or replaced. Files are read in the order of the bytes of their names and the last one wins, so \
               choose a late name. `zfs-etcd.conf` comes before `zfs.conf`, because a hyphen sorts before a full stop.",
    },
    Explanation {
        code: NOT_LOADED,
        title: "the module is not loaded on this host",
        text: "The parameters of a module are in `/sys/module` only while it is loaded, and nothing can be verified \
               without it. Load it with `modprobe`, or leave the host out.",
    },
    Explanation {
        code: UNKNOWN_PARAMETER,
        title: "the module on this host has no such parameter",
        text: "Parameters come and go between versions of a module. `modinfo -p` lists those of the installed version. \
               Neither modprobe nor the kernel would complain about an unknown one: it would be ignored.",
    },
    Explanation {
        code: LOAD_TIME,
        title: "the parameter can only be set when the module is loaded",
        text: "The mode of its file in `/sys/module` is 0444, so nobody can change it while the module runs. List it in \
               `load_time`: then it gets a file of its own in modprobe.d, and the host is rebooted.",
    },
    Explanation {
        code: READ_ONLY,
        title: "root cannot write it",
        text: "The parameter's file, or `/etc`, is mounted read-only. Set the parameter where the image of the machine is \
               made.",
    },
    Explanation {
        code: HOST_GLOBAL,
        title: "modules belong to the machine under the container",
        text: "A container shares the kernel and its modules with its machine, so a change would concern everything on \
               it. Make a `host` block for that machine, and set the parameter there.",
    },
    Explanation {
        code: WRONG_SHAPE,
        title: "the parameter holds something else than the value",
        text: "What the module prints now is a number or a truth value, and it refuses any other text.",
    },
    Explanation {
        code: IGNORED,
        title: "ZFS would take the value without a word and not use it",
        text: "A write to `zfs_arc_max` always succeeds, but it has an effect only from 64 MiB on, below the memory of \
               the host, and above the least size of the cache (`zfs_arc_min`, by default 1/32 of the memory). \
               Therefore `tune` judges it by `c_max` in `/proc/spl/kstat/zfs/arcstats`, which is what ZFS uses, and \
               `zfs_arc_min` by `c_min`. A revert writes back the size that was in use.",
    },
    Explanation {
        code: ABOVE_CAP,
        title: "`zfs_dirty_data_max` is above `zfs_dirty_data_max_max`",
        text: "When ZFS is loaded, it cuts the first off at the second, which can only be set at that moment. So the \
               value would not survive a boot. Set both, or choose less.",
    },
    Explanation {
        code: FOREIGN_FILE,
        title: "the file in `/etc/modprobe.d` is somebody else's",
        text: "A file of that name is there, and `tune` did not write it. It is not taken over, because other people's \
               lines would go. Choose another name with `drop_in`.",
    },
    Explanation {
        code: HIDES_FILE,
        title: "the file would hide another one of its name",
        text: "A file in `/etc/modprobe.d` hides every file of the same name in `/run`, `/usr/local/lib`, `/usr/lib` and \
               `/lib`: no line of it would be used. Choose another name with `drop_in`.",
    },
    Explanation {
        code: GENERATED_ETC,
        title: "`/etc/modprobe.d` is generated",
        text: "Its files are links into a store, as on NixOS, and are replaced as a whole. Set the parameters in the \
               system's own configuration.",
    },
    Explanation {
        code: OVERRIDDEN,
        title: "something else wins when the module is loaded",
        text: "Files of modprobe.d are read in the order of the bytes of their names, whatever their directory, and of \
               several values for one parameter the last one counts. The kernel's command line beats every file. A \
               value that is set while the module runs holds until the next boot; one that the module takes only when it \
               is loaded would never come into effect.",
    },
    Explanation {
        code: BUILT_IN,
        title: "the module is part of the kernel",
        text: "What is built in is not loaded by modprobe, so no file of modprobe.d reaches it. Its parameters are set on \
               the kernel's command line.",
    },
    Explanation {
        code: NEXT_LOAD_UNKNOWN,
        title: "what the next load would use is not known",
        text: "A file that takes part cannot be read by this user. Connect as root, or set `become = \"sudo\"` for the \
               host.",
    },
    Explanation {
        code: STALE_IMAGE,
        title: "the boot image is older than a file that it should hold",
        text: "Where ZFS is loaded before the root file system is there, modprobe reads the copy of modprobe.d inside the \
               boot image (initramfs). A file that was changed or removed afterwards has no effect until the image is \
               built anew with `update-initramfs -u -k all` or `dracut -f --regenerate-all`. For its own files `tune` \
               does that, after an apply and after a revert.",
    },
    Explanation {
        code: NEEDS_REBOOT,
        title: "the parameter is taken only when the module is loaded",
        text: "A module that is in use cannot be loaded again, least of all the one that holds the root file system. So \
               the file is written, the boot image built anew where it holds a copy, and the host rebooted. \
               Afterwards the running value is read and compared.",
    },
    Explanation {
        code: NO_REBOOT_NEEDED,
        title: "the parameter can be set while the module runs",
        text: "Its file in `/sys/module` can be written on this host, whatever other versions of the module do. Leave it \
               out of `load_time`, or write `load_time = []`, and it is set at once.",
    },
    Explanation {
        code: TXG_NOT_SYNC,
        title: "`zfs_txg_timeout` does not make synchronous writes faster",
        text: "It is the longest time after which a transaction group is written, every 5 seconds by default. A \
               synchronous write is acknowledged earlier, as soon as the intent log (ZIL) is on stable storage, and does \
               not wait for its group. A shorter time makes smaller and more frequent groups, which may smooth bursts \
               and writes more metadata. What does shorten synchronous writes: a fast log device, disks with power loss \
               protection, `logbias`, and a record size that fits.",
    },
    Explanation {
        code: DECREASE,
        title: "the value is less than the one in use",
        text: "What raises a limit on one host may lower it on another, where more memory gave it a greater one.",
    },
    Explanation {
        code: ARC_SHRINKS_LATER,
        title: "the cache does not shrink at once",
        text: "`zfs_arc_max` limits what the cache may hold from now on. What it holds is given back as it evicts, so \
               memory becomes free only after a while.",
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
