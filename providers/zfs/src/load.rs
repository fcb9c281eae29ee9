//! What a module would be given when it is loaded the next time, computed from the texts of all files of modprobe.d and
//! the kernel's command line the way kmod and the kernel do it. This module reads no file and asks no program.

use std::collections::BTreeMap;

use crate::conf;
use crate::name::{Name, same_parameter};

/// The directories in which a file hides all files of the same name in the later ones.
const DIRECTORIES: [&str; 5] =
    ["/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"];

/// Where the kernel shows its command line.
pub(crate) const COMMAND_LINE: &str = "/proc/cmdline";

/// All options of all modules, in the order in which they are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Load {
    options: Vec<Given>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Given {
    module: String,
    options: String,
    place: Place,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    File {
        path: String,
        /// Counted from 1.
        line: usize,
    },
    CommandLine,
}

/// What a parameter would be set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Set {
    /// As it is written there.
    pub(crate) value: String,
    pub(crate) place: Place,
}

/// Prints the place as a person writes it: `/etc/modprobe.d/zfs.conf:2`.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::CommandLine => f.write_str("the kernel command line"),
        }
    }
}

impl Load {
    /// Returns what these files and this command line say. Files elsewhere, and those that kmod does not read, may be
    /// among them.
    pub(crate) fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>, command_line: &str) -> Self {
        let mut options = Vec::new();
        for (path, text) in in_order(files) {
            options.extend(conf::lines(text).into_iter().map(|line| Given {
                module: line.module,
                options: line.options,
                place: Place::File { path: path.to_owned(), line: line.number },
            }));
        }
        // kmod appends what the command line has for a module that is loaded from a file, so it comes last.
        options.extend(conf::command_line(command_line).into_iter().map(|line| Given {
            module: line.module,
            options: line.options,
            place: Place::CommandLine,
        }));
        Self { options }
    }

    /// Returns what a parameter would be set to; nothing, if the module chooses.
    pub(crate) fn outcome(&self, name: &Name) -> Option<Set> {
        // The kernel gets one text, so a quote that is not closed in one line goes on in the next.
        let mut joined = String::new();
        let mut starts: Vec<(usize, &Place)> = Vec::new();
        let mut length = 0;
        for given in self.options.iter().filter(|given| given.module == name.module) {
            starts.push((length, &given.place));
            joined.push_str(&given.options);
            joined.push(' ');
            length += given.options.chars().count() + 1;
        }
        let arguments = conf::arguments(&joined);
        let last = arguments.into_iter().rfind(|argument| same_parameter(&argument.parameter, &name.parameter))?;
        let (_, place) = starts.iter().rfind(|(start, _)| *start <= last.start)?;
        // A parameter without a value is a flag that is set.
        Some(Set { value: last.value.unwrap_or_else(|| "1".to_owned()), place: (*place).clone() })
    }
}

/// Returns whether kmod reads such a file.
pub(crate) fn counts(file: &str) -> bool {
    placed(file).is_some()
}

/// Returns the files of the same name that a file would hide.
pub(crate) fn hidden_by<'a>(file: &str, files: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let Some((rank, name)) = placed(file) else { return Vec::new() };
    let below = |other: &&str| placed(other).is_some_and(|(theirs, same)| same == name && theirs > rank);
    files.into_iter().filter(below).collect()
}

/// The files that count, in the order in which they are read: by the bytes of the name alone, whatever their directory.
fn in_order<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut by_name: BTreeMap<&str, (usize, &str, &str)> = BTreeMap::new();
    for (file, text) in files {
        let Some((rank, name)) = placed(file) else { continue };
        let known = by_name.get(name).is_some_and(|(other, ..)| *other <= rank);
        if !known {
            by_name.insert(name, (rank, file, text));
        }
    }
    by_name.into_values().map(|(_, file, text)| (file, text))
}

/// The rank of a file's directory, and its name, if kmod reads such files.
fn placed(file: &str) -> Option<(usize, &str)> {
    let (directory, name) = file.rsplit_once('/')?;
    let rank = DIRECTORIES.iter().position(|known| *known == directory)?;
    (name.strip_suffix(".conf").is_some() && !name.starts_with('.')).then_some((rank, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn outcome(files: &[(&str, &str)], command_line: &str) -> String {
        let name = Name::new("zfs", "zfs_txg_timeout").unwrap();
        match Load::of(files.iter().copied(), command_line).outcome(&name) {
            Some(set) => format!("{} {}", set.value, set.place),
            None => "the module chooses".to_owned(),
        }
    }

    fn check(files: &[(&str, &str)], expect: &str) {
        assert_eq!(outcome(files, ""), expect, "{files:?}");
    }

    #[test]
    fn the_last_name_wins_by_bytes() {
        // A hyphen sorts before a full stop, so the runbook's file loses against the installer's.
        check(
            &[
                ("/etc/modprobe.d/zfs-etcd.conf", "options zfs zfs_txg_timeout=3"),
                ("/etc/modprobe.d/zfs.conf", "# Proxmox\noptions zfs zfs_txg_timeout=10"),
            ],
            "10 /etc/modprobe.d/zfs.conf:2",
        );
        check(
            &[
                ("/etc/modprobe.d/zz-tune-txg.conf", "options zfs zfs_txg_timeout=3"),
                ("/etc/modprobe.d/zfs.conf", "options zfs zfs_txg_timeout=10"),
                ("/usr/lib/modprobe.d/zy.conf", "options zfs zfs_txg_timeout=7"),
            ],
            "3 /etc/modprobe.d/zz-tune-txg.conf:1",
        );
        check(
            &[("/etc/modprobe.d/a.conf", "options zfs zfs_txg_timeout=3 a=1 zfs-txg-timeout=4\noptions zfs b=1")],
            "4 /etc/modprobe.d/a.conf:1",
        );
    }

    #[test]
    fn a_higher_directory_hides_the_same_name() {
        let vendor = ("/lib/modprobe.d/zfs.conf", "options zfs zfs_txg_timeout=9");
        check(&[vendor], "9 /lib/modprobe.d/zfs.conf:1");
        for directory in ["/etc", "/run", "/usr/local/lib", "/usr/lib"] {
            check(&[vendor, (&format!("{directory}/modprobe.d/zfs.conf"), "")], "the module chooses");
        }
        let all = ["/usr/lib/modprobe.d/a.conf", "/etc/modprobe.d/a.conf", "/run/modprobe.d/b.conf"];
        assert_eq!(hidden_by("/etc/modprobe.d/a.conf", all), ["/usr/lib/modprobe.d/a.conf"]);
    }

    #[test]
    fn only_conf_files_of_the_directories_count() {
        for file in ["/etc/modprobe.conf", "/etc/modprobe.d/README", "/etc/modprobe.d/.a.conf", "/x/modprobe.d/a.conf"]
        {
            check(&[(file, "options zfs zfs_txg_timeout=1")], "the module chooses");
        }
    }

    #[test]
    fn the_command_line_beats_every_file() {
        let file = ("/etc/modprobe.d/zz.conf", "options zfs zfs_txg_timeout=3");
        assert_eq!(outcome(&[file], "quiet zfs.zfs_txg_timeout=7\n"), "7 the kernel command line");
        assert_eq!(outcome(&[file], "zfs.zfs_arc_max=7 spl.zfs_txg_timeout=8"), "3 /etc/modprobe.d/zz.conf:1");
        assert_eq!(outcome(&[file], "zfs.zfs_txg_timeout"), "1 the kernel command line");
    }

    #[test]
    fn what_spoils_the_joined_options_spoils_later_files_too() {
        let ours = ("/etc/modprobe.d/zz.conf", "options zfs zfs_txg_timeout=3");
        check(&[("/etc/modprobe.d/a.conf", "options zfs a=\"1"), ours], "the module chooses");
        check(&[("/etc/modprobe.d/a.conf", "options zfs --"), ours], "the module chooses");
        check(&[("/etc/modprobe.d/a.conf", "options spl --"), ours], "3 /etc/modprobe.d/zz.conf:1");
    }

    fn any_files() -> impl Strategy<Value = BTreeMap<String, String>> {
        let line = "(options (zfs|spl|z-s) (zfs_txg_timeout=[0-9] ?|a=\"? ?){0,2}\n){0,4}";
        proptest::collection::btree_map("(/etc|/run|/usr/lib|/lib)/modprobe\\.d/[0-2]\\.conf", line, 0..6)
    }

    proptest! {
        #[test]
        fn the_order_of_the_input_does_not_matter(files in any_files(), line in "(zfs\\.a=1 ?){0,2}") {
            let forward: Vec<(&str, &str)> = files.iter().map(|(file, text)| (&**file, &**text)).collect();
            let backward: Vec<(&str, &str)> = forward.iter().rev().copied().collect();
            prop_assert_eq!(Load::of(forward, &line), Load::of(backward, &line));
        }
    }
}
