//! What the next boot would set, computed from the texts of all sysctl.d files the way the boot programs do it. This
//! module reads no file, and asks no program: their answers describe the last boot, not the next one.

use std::collections::BTreeMap;

use crate::conf;
use crate::glob;
use crate::key::Key;
use crate::pairs::PAIRS;
use crate::value;

/// The directories in which a file hides all files of the same name in the later ones.
const DIRECTORIES: [&str; 5] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];

/// The file that systemd reads only through a link in one of the directories.
const SYSCTL_CONF: &str = "/etc/sysctl.conf";

/// Which program sets kernel parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// systemd-sysctl, at boot.
    Systemd,
    /// `sysctl --system`, by hand or from another init system: `/etc/sysctl.conf` comes last.
    Procps,
}

/// Everything that a program would set, in the order in which it writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Boot {
    /// By place in the order.
    writes: BTreeMap<usize, Write>,
    /// Where each path or pattern stands. A path that is here is not touched by patterns.
    places: BTreeMap<String, usize>,
}

/// What becomes of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing sets it: it is what the kernel starts with.
    KernelDefault,
    /// A line such as `-vm.swappiness`, at this place, takes back what other lines set.
    Excluded(String),
    /// It is set.
    Set(Assignment),
}

/// One value that a program would set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// The parameter; of a pair, the half.
    pub(crate) name: String,
    /// The value in canonical form.
    pub(crate) value: String,
    /// The file.
    pub(crate) file: String,
    /// The line, counted from 1.
    pub(crate) line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Write {
    pattern: String,
    value: Option<String>,
    file: String,
    line: usize,
}

impl Assignment {
    /// Returns the place as a person writes it: `/etc/sysctl.d/99-sysctl.conf:3`.
    pub(crate) fn source(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

impl Boot {
    /// Returns what the program would do with these files. Files elsewhere, and those that it would not read, may be
    /// among them.
    pub(crate) fn of<'a>(program: Program, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut boot = Self { writes: BTreeMap::new(), places: BTreeMap::new() };
        for (file, text) in in_order(program, files) {
            for line in conf::lines(text) {
                boot.add(Write { pattern: line.pattern, value: line.value, file: file.to_owned(), line: line.number });
            }
        }
        boot
    }

    /// Returns what becomes of the setting with these names.
    pub(crate) fn outcome(&self, names: &[&str]) -> Outcome {
        let keys: Vec<(&str, Key)> = names.iter().filter_map(|name| Some((*name, Key::parse(name).ok()?))).collect();
        let mut outcome = Outcome::KernelDefault;
        for write in self.writes.values() {
            for (name, _) in keys.iter().filter(|(_, key)| self.touches(write, key)) {
                let source = || format!("{}:{}", write.file, write.line);
                match &write.value {
                    None if outcome == Outcome::KernelDefault => outcome = Outcome::Excluded(source()),
                    None => {}
                    Some(text) => {
                        let value = value::canonical_input(name, text);
                        if takes(name, &value) {
                            let (name, file) = ((*name).to_owned(), write.file.clone());
                            outcome = Outcome::Set(Assignment { name, value, file, line: write.line });
                        }
                    }
                }
            }
        }
        outcome
    }

    fn touches(&self, write: &Write, key: &Key) -> bool {
        if glob::is_pattern(&write.pattern) {
            glob::matches(&write.pattern, key.relative_path()) && !self.places.contains_key(key.relative_path())
        } else {
            write.pattern == key.relative_path()
        }
    }

    /// A line that repeats the value that its key already has is dropped and keeps the earlier place in the order; any
    /// other takes the place of the earlier one at the end. This matters for pairs and patterns, where several keys
    /// decide one value.
    fn add(&mut self, write: Write) {
        if let Some(place) = self.places.get(&write.pattern) {
            if let Some(earlier) = self.writes.get_mut(place).filter(|earlier| earlier.value == write.value) {
                // The later line is as good a reason as the earlier one, and the one that a person would find last.
                *earlier = write;
                return;
            }
            self.writes.remove(place);
        }
        let place = self.writes.last_key_value().map_or(0, |(last, _)| last + 1);
        self.places.insert(write.pattern.clone(), place);
        self.writes.insert(place, write);
    }
}

/// Returns whether the boot reads such a file.
pub(crate) fn counts(file: &str) -> bool {
    placed(file).is_some()
}

/// Returns whether the first file is read after the second.
pub(crate) fn is_after(file: &str, other: &str) -> bool {
    matches!((placed(file), placed(other)), (Some((_, name)), Some((_, other))) if name > other)
}

/// Returns the files of the same name that a file would hide.
pub(crate) fn hidden_by<'a>(file: &str, files: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let Some((rank, name)) = placed(file) else { return Vec::new() };
    let below = |other: &&str| placed(other).is_some_and(|(theirs, same)| same == name && theirs > rank);
    files.into_iter().filter(below).collect()
}

/// The files that count, in the order in which they are read: by name alone, whatever their directory.
fn in_order<'a>(
    program: Program,
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut by_name: BTreeMap<&str, (usize, &str, &str)> = BTreeMap::new();
    let mut last = None;
    for (file, text) in files {
        if file == SYSCTL_CONF && program == Program::Procps {
            last = Some((file, text));
        }
        let Some((rank, name)) = placed(file) else { continue };
        let known = by_name.get(name).is_some_and(|(other, ..)| *other <= rank);
        if !known {
            by_name.insert(name, (rank, file, text));
        }
    }
    by_name.into_values().map(|(_, file, text)| (file, text)).chain(last)
}

/// The rank of a file's directory, and its name, if the boot reads such files.
fn placed(file: &str) -> Option<(usize, &str)> {
    let (directory, name) = file.rsplit_once('/')?;
    let rank = DIRECTORIES.iter().position(|known| *known == directory)?;
    (name.strip_suffix(".conf").is_some() && !name.starts_with('.')).then_some((rank, name))
}

/// Whether a write has an effect: the kernel takes no 0 for the byte half of a dirty pair.
fn takes(name: &str, value: &str) -> bool {
    value != "0" || !PAIRS.iter().any(|pair| pair.second == name && name.ends_with("_bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(files: &[(&str, &str)], names: &[&str], expect: &str) {
        assert_eq!(shown(Program::Systemd, files, names), expect, "{files:?}");
    }

    fn shown(program: Program, files: &[(&str, &str)], names: &[&str]) -> String {
        match Boot::of(program, files.iter().copied()).outcome(names) {
            Outcome::Set(set) => format!("{} = {} {}", set.name, set.value, set.source()),
            Outcome::Excluded(source) => format!("excluded {source}"),
            Outcome::KernelDefault => "kernel default".to_owned(),
        }
    }

    const SWAPPINESS: &[&str] = &["vm.swappiness"];
    const DIRTY: &[&str] = &["vm.dirty_ratio", "vm.dirty_bytes"];

    #[test]
    fn the_last_name_wins_whatever_its_directory() {
        check(
            &[
                ("/etc/sysctl.d/99-etcd.conf", "vm.swappiness=10"),
                ("/usr/lib/sysctl.d/99-protect-links.conf", "vm.swappiness=20"),
            ],
            SWAPPINESS,
            "vm.swappiness = 20 /usr/lib/sysctl.d/99-protect-links.conf:1",
        );
        check(
            &[
                ("/etc/sysctl.d/99-etcd.conf", "vm.swappiness=10"),
                ("/etc/sysctl.d/99-sysctl.conf", "#\nvm.swappiness = 60"),
                ("/etc/sysctl.d/99-zz-tune.conf", "vm.swappiness=5"),
            ],
            SWAPPINESS,
            "vm.swappiness = 5 /etc/sysctl.d/99-zz-tune.conf:1",
        );
        check(
            &[("/run/sysctl.d/zz-late.conf", "vm.swappiness=1"), ("/etc/sysctl.d/99-zz-tune.conf", "vm.swappiness=5")],
            SWAPPINESS,
            "vm.swappiness = 1 /run/sysctl.d/zz-late.conf:1",
        );
        check(
            &[("/etc/sysctl.d/a.conf", "vm.swappiness=1\nvm/swappiness = 2\n")],
            SWAPPINESS,
            "vm.swappiness = 2 /etc/sysctl.d/a.conf:2",
        );
    }

    #[test]
    fn a_higher_directory_hides_the_same_name() {
        let vendor = ("/usr/lib/sysctl.d/50-x.conf", "vm.swappiness=1");
        check(&[vendor], SWAPPINESS, "vm.swappiness = 1 /usr/lib/sysctl.d/50-x.conf:1");
        for directory in ["/etc", "/run", "/usr/local/lib"] {
            // An empty file and a link to /dev/null read alike.
            check(&[vendor, (&format!("{directory}/sysctl.d/50-x.conf"), "")], SWAPPINESS, "kernel default");
        }
        check(
            &[vendor, ("/lib/sysctl.d/50-x.conf", "vm.swappiness=2")],
            SWAPPINESS,
            "vm.swappiness = 1 /usr/lib/sysctl.d/50-x.conf:1",
        );
        let all = ["/usr/lib/sysctl.d/50-x.conf", "/etc/sysctl.d/50-x.conf", "/run/sysctl.d/51-x.conf"];
        assert_eq!(hidden_by("/etc/sysctl.d/50-x.conf", all), ["/usr/lib/sysctl.d/50-x.conf"]);
    }

    #[test]
    fn only_conf_files_of_the_directories_count() {
        for file in
            ["/etc/sysctl.conf", "/etc/sysctl.d/README", "/etc/sysctl.d/.a.conf", "/etc/sysctl.d/a.conf~", "/x/a.conf"]
        {
            check(&[(file, "vm.swappiness=1")], SWAPPINESS, "kernel default");
        }
    }

    #[test]
    fn an_explicit_name_beats_a_pattern_wherever_it_stands() {
        let early = ("/etc/sysctl.d/10.conf", "net.ipv4.conf.eth0.rp_filter=2");
        let late = ("/etc/sysctl.d/90.conf", "net.ipv4.conf.*.rp_filter=1");
        let eth0: &[&str] = &["net.ipv4.conf.eth0.rp_filter"];
        check(&[early, late], eth0, "net.ipv4.conf.eth0.rp_filter = 2 /etc/sysctl.d/10.conf:1");
        check(
            &[early, late],
            &["net.ipv4.conf.lo.rp_filter"],
            "net.ipv4.conf.lo.rp_filter = 1 /etc/sysctl.d/90.conf:1",
        );
        check(
            &[("/etc/sysctl.d/95.conf", "-net.ipv4.conf.eth0.rp_filter"), late],
            eth0,
            "excluded /etc/sysctl.d/95.conf:1",
        );
        check(
            &[("/etc/sysctl.d/95.conf", "-net.ipv4.conf.eth0.rp_filter"), early],
            eth0,
            "excluded /etc/sysctl.d/95.conf:1",
        );
        check(
            &[("/etc/sysctl.d/05.conf", "-net.ipv4.conf.eth0.rp_filter"), early],
            eth0,
            "net.ipv4.conf.eth0.rp_filter = 2 /etc/sysctl.d/10.conf:1",
        );
        check(
            &[("/etc/sysctl.d/05.conf", "-net.ipv4.conf.eth0.rp_filter = 7")],
            eth0,
            "net.ipv4.conf.eth0.rp_filter = 7 /etc/sysctl.d/05.conf:1",
        );
    }

    #[test]
    fn the_halves_of_a_pair_are_one_key() {
        let ratio = ("/etc/sysctl.d/50.conf", "vm.dirty_ratio = 5");
        check(
            &[ratio, ("/etc/sysctl.d/40.conf", "vm.dirty_bytes=9999")],
            DIRTY,
            "vm.dirty_ratio = 5 /etc/sysctl.d/50.conf:1",
        );
        check(
            &[ratio, ("/etc/sysctl.d/60.conf", "vm.dirty_bytes=9999")],
            DIRTY,
            "vm.dirty_bytes = 9999 /etc/sysctl.d/60.conf:1",
        );
        check(
            &[ratio, ("/etc/sysctl.d/60.conf", "vm.dirty_bytes=0")],
            DIRTY,
            "vm.dirty_ratio = 5 /etc/sysctl.d/50.conf:1",
        );
        // The glob comes later and sets the half that has no line of its own.
        check(
            &[ratio, ("/etc/sysctl.d/60.conf", "vm.dirty_by*=9999")],
            DIRTY,
            "vm.dirty_bytes = 9999 /etc/sysctl.d/60.conf:1",
        );
    }

    #[test]
    fn a_repeated_value_keeps_its_early_place() {
        // systemd drops the repetition, so the other half is still the last one that is written.
        check(
            &[
                ("/etc/sysctl.d/10.conf", "vm.dirty_ratio=5"),
                ("/etc/sysctl.d/50.conf", "vm.dirty_bytes=9999"),
                ("/etc/sysctl.d/99.conf", "vm.dirty_ratio=5"),
            ],
            DIRTY,
            "vm.dirty_bytes = 9999 /etc/sysctl.d/50.conf:1",
        );
    }

    #[test]
    fn second_names_are_one_key() {
        check(
            &[
                ("/etc/sysctl.d/10.conf", "net.ipv4.ip_forward=0"),
                ("/etc/sysctl.d/20.conf", "net.ipv4.conf.all.forwarding=1"),
            ],
            &["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"],
            "net.ipv4.conf.all.forwarding = 1 /etc/sysctl.d/20.conf:1",
        );
    }

    #[test]
    fn values_are_compared_as_the_kernel_reads_them() {
        check(
            &[("/etc/sysctl.d/10.conf", "vm.swappiness = 012")],
            SWAPPINESS,
            "vm.swappiness = 10 /etc/sysctl.d/10.conf:1",
        );
    }

    #[test]
    fn procps_reads_sysctl_conf_last() {
        let files = [("/etc/sysctl.d/zz-late.conf", "vm.swappiness=5"), ("/etc/sysctl.conf", "vm.swappiness=60")];
        assert_eq!(shown(Program::Procps, &files, SWAPPINESS), "vm.swappiness = 60 /etc/sysctl.conf:1");
        check(&files, SWAPPINESS, "vm.swappiness = 5 /etc/sysctl.d/zz-late.conf:1");
    }

    fn any_files() -> impl Strategy<Value = BTreeMap<String, String>> {
        let line = "(-?(vm\\.(dirty_ratio|dirty_bytes|dirty_\\*|swappiness)|vm/swappiness)( ?= ?[0-3])?\n){0,4}";
        proptest::collection::btree_map(
            "(/etc|/run|/usr/lib|/lib)/sysctl\\.d/[0-2]\\.conf|/etc/sysctl\\.conf",
            line,
            0..6,
        )
    }

    proptest! {
        #[test]
        fn the_order_of_the_input_does_not_matter(files in any_files(), seed in any::<u64>()) {
            let forward: Vec<(&str, &str)> = files.iter().map(|(file, text)| (&**file, &**text)).collect();
            let mut mixed = forward.clone();
            mixed.sort_by_key(|(file, _)| crc(file, seed));
            for program in [Program::Systemd, Program::Procps] {
                prop_assert_eq!(Boot::of(program, forward.clone()), Boot::of(program, mixed.clone()));
            }
        }

        /// The same rules written down a second time, as plainly as possible.
        #[test]
        fn explicit_lines_of_one_key_follow_the_plain_rule(files in any_files()) {
            let mut names: Vec<(&str, &str)> = Vec::new();
            for (file, text) in &files {
                let (directory, name) = file.rsplit_once('/').unwrap();
                let hidden = DIRECTORIES
                    .iter()
                    .take_while(|other| **other != directory)
                    .any(|other| files.contains_key(&format!("{other}/{name}")));
                if directory != "/etc" && !hidden {
                    names.push((name, text));
                }
            }
            names.sort_unstable();
            let mut expect = None;
            for line in names.iter().flat_map(|(_, text)| text.lines()) {
                let (left, right) = line.split_once('=').map_or((line, None), |(left, right)| (left, Some(right)));
                let name = left.trim().trim_start_matches('-');
                if matches!(name, "vm.swappiness" | "vm/swappiness") && (right.is_some() || line.starts_with('-')) {
                    expect = right.map(|value| value.trim().to_owned());
                }
            }
            let boot = Boot::of(Program::Systemd, files.iter().map(|(file, text)| (&**file, &**text)));
            let found = match boot.outcome(SWAPPINESS) {
                Outcome::Set(set) => Some(set.value),
                Outcome::KernelDefault | Outcome::Excluded(_) => None,
            };
            prop_assert_eq!(found, expect);
        }
    }

    fn crc(file: &str, seed: u64) -> u64 {
        file.bytes().fold(seed, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)).rotate_left(7))
    }
}
