//! The kind as its callers see it, on machines made of texts.

mod contract;
mod desired;
mod ground;
mod impact;
mod load_time;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use tune_core::address::Address;
use tune_core::contract::{Desired, Impact, Kind, Question};
use tune_core::item::{FileState, ItemKey, Raw};
use tune_core::problem::Problem;
use tune_core::reading::{Facts, ItemReading, Reading, Unreadable};
use tune_core::resource::{Lifecycle, Resource};
use tune_core::value::Value;
use tune_remote::{Evidence, Found, HostKind, Target};

use crate::known::ARCSTATS;

/// The file of the resource that all tests use.
const FILE: &str = "/etc/modprobe.d/zz-tune-txg.conf";
/// The first line of our files.
const MARK: &str = "# Managed by tune: edits are lost. Change the configuration instead.\n";
/// The boot image of the machine that all tests use.
const IMAGE: &str = "/boot/initrd.img-6.8.12-1-pve";

/// Returns `zfs_module.txg` with these parameters; values are text unless they are numbers or bools. A name that begins
/// with a `@` is another attribute.
fn resource(parameters: &[(&str, &str)]) -> Resource {
    let value = |text: &str| match (text, text.parse::<i64>()) {
        ("true", _) => Value::Bool(true),
        ("null", _) => Value::Null,
        (_, Ok(number)) if number.to_string() == text => Value::from(number),
        _ => Value::from(text),
    };
    let (others, parameters): (Vec<_>, Vec<_>) = parameters.iter().partition(|(key, _)| key.starts_with('@'));
    let parameters = parameters.iter().map(|(key, text)| ((*key).to_owned(), value(text))).collect();
    let mut attributes =
        BTreeMap::from([("host".to_owned(), Value::from("host.a")), ("parameters".to_owned(), Value::Map(parameters))]);
    for (name, text) in others {
        let value = match name {
            "@load_time" => Value::List(text.split_whitespace().map(Value::from).collect()),
            _ => value(text),
        };
        attributes.insert(name[1..].to_owned(), value);
    }
    Resource {
        provider: None,
        address: Address::new("zfs_module", "txg"),
        attributes,
        depends_on: BTreeSet::new(),
        lifecycle: Lifecycle::default(),
    }
}

fn wanted(parameters: &[(&str, &str)]) -> Desired {
    crate::kind().desired(&resource(parameters)).unwrap()
}

/// A machine as texts: what its parameters and files say, and what is true of it.
#[derive(Clone)]
struct World {
    /// Parameters and files by path; what is missing here does not exist.
    files: BTreeMap<String, FileState>,
    unreadable: BTreeSet<String>,
    read_only: BTreeSet<String>,
    times: BTreeMap<String, i64>,
    facts: Facts,
    recorded: BTreeSet<ItemKey>,
}

impl World {
    /// A Proxmox server with the ZFS module and root on ext4, seen by root, with these live parameters.
    fn new(parameters: &[(&str, &str)]) -> Self {
        let facts = Facts { kernel: "6.8.12-1-pve".to_owned(), memory_kib: Some(32 << 20), ..Facts::default() };
        let mut world = Self {
            files: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            read_only: BTreeSet::new(),
            times: BTreeMap::new(),
            facts,
            recorded: BTreeSet::new(),
        }
        .with("/proc/sys/kernel/osrelease", "6.8.12-1-pve\n")
        .with("/sys/module/zfs/initstate", "live\n")
        .with("/proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/mapper/pve-root ro quiet\n")
        .with(ARCSTATS, "13 1 0x01 147 39984 4 5\nname type data\nc_min 4 1073741824\nc_max 4 17179869184\n")
        .at(IMAGE, 100);
        for (name, value) in parameters {
            world = world.with(&format!("/sys/module/zfs/parameters/{name}"), &format!("{value}\n"));
        }
        world
    }

    /// A file, or a parameter with the mode that the kernel gives it.
    fn with(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), FileState::public(text));
        self
    }

    fn with_mode(mut self, path: &str, mode: u32) -> Self {
        self.files.get_mut(path).unwrap().mode = mode;
        self
    }

    fn without(mut self, path: &str) -> Self {
        self.files.remove(path);
        self
    }

    fn at(mut self, path: &str, time: i64) -> Self {
        self.times.insert(path.to_owned(), time);
        self
    }

    /// ZFS is loaded from the boot image.
    fn root_on_zfs(self) -> Self {
        self.with("/proc/self/mountinfo", "24 1 0:5 / / rw shared:1 - zfs rpool/ROOT/pve-1 rw\n")
    }

    fn text(&self, path: &str) -> Option<String> {
        self.files.get(path).map(|file| String::from_utf8_lossy(&file.content).into_owned())
    }

    fn evidence(&self, keys: &[ItemKey]) -> Evidence {
        let kind = crate::kind();
        let beside: BTreeSet<String> = keys.iter().flat_map(|key| kind.beside(key)).collect();
        let named = |path: &str| {
            kind.evidence().iter().any(|glob| match glob.split_once('*') {
                None => *glob == path,
                Some((before, after)) => path
                    .strip_prefix(before)
                    .and_then(|rest| rest.strip_suffix(after))
                    .is_some_and(|middle| !middle.contains('/')),
            })
        };
        let read = self.files.keys().filter(|path| named(path) || beside.contains(*path));
        let (closed, open): (Vec<&String>, Vec<&String>) = read.partition(|path| self.unreadable.contains(*path));
        Evidence {
            files: open.iter().map(|path| ((*path).clone(), self.text(path).unwrap())).collect(),
            unreadable: closed.iter().map(|path| ((*path).clone(), "permission denied".to_owned())).collect(),
            times: self.times.clone(),
            modes: beside.iter().filter_map(|path| Some((path.clone(), self.files.get(path)?.mode))).collect(),
            ..Evidence::default()
        }
    }

    fn item(&self, key: &ItemKey, evidence: &Evidence) -> Result<ItemReading, Unreadable> {
        let kind = crate::kind();
        let target = kind.target(key).unwrap();
        let value = |path: &str| self.text(path).map(|text| text.trim_end_matches('\n').to_owned());
        let (path, raw) = match &target {
            Target::File { path } => (path, self.files.get(path).cloned().map_or(Raw::Absent, Raw::File)),
            Target::Value { path } => (path, value(path).map_or(Raw::Absent, Raw::Text)),
            Target::Reported { path, table, field } => {
                let table = self.text(table).unwrap_or_default();
                let line = table.lines().find(|line| line.split(' ').next() == Some(field));
                let used = line.and_then(|line| line.rsplit(' ').next()).filter(|_| self.files.contains_key(path));
                (path, used.map_or(Raw::Absent, |used| Raw::Text(used.to_owned())))
            }
            Target::Either { .. } => panic!("this kind has no pairs"),
        };
        let found = Found { raw, writable: !self.read_only.contains(path), mode: None };
        kind.layers(key, &found, evidence)
    }

    fn reading(&self, desired: &Desired) -> Reading {
        let keys: Vec<ItemKey> = desired.items.iter().map(|item| item.key.clone()).collect();
        let evidence = self.evidence(&keys);
        let items = keys.iter().map(|key| (key.clone(), self.item(key, &evidence))).collect();
        Reading { items, evidence: evidence.to_texts().into() }
    }

    fn judge(&self, parameters: &[(&str, &str)]) -> Impact {
        self.judge_desired(&wanted(parameters))
    }

    fn judge_desired(&self, desired: &Desired) -> Impact {
        let reading = self.reading(desired);
        let question = Question { desired, reading: &reading, facts: &self.facts, recorded: &self.recorded };
        crate::kind().impact(&question)
    }

    /// Returns everything that is said, one line each: problems with `!`, dangers with `?`, advice with `#`.
    fn said(&self, parameters: &[(&str, &str)]) -> Vec<String> {
        let impact = self.judge(parameters);
        let problems = impact.problems.iter().map(|problem| format!("! {}", line(problem)));
        let dangers = impact.items.values().flat_map(|item| item.needs.iter());
        let dangers = dangers.map(|(consent, danger)| format!("? {}: {danger}", consent.word()));
        let advice =
            impact.advice.iter().map(|advice| format!("# {} {}: {}", short(advice.code.0), advice.path, advice.text));
        problems.chain(dangers).chain(advice).collect()
    }

    /// Returns what must be done for each file, by the end of its name.
    fn activations(&self, desired: &Desired) -> Vec<String> {
        let impact = self.judge_desired(desired);
        let shown = impact.items.iter().filter(|(_, item)| !item.activations.is_empty());
        shown
            .map(|(key, item)| {
                let verbs: Vec<String> = item.activations.iter().map(ToString::to_string).collect();
                format!("{}: {}", key.0.rsplit('/').next().unwrap(), verbs.join(", "))
            })
            .collect()
    }
}

fn line(problem: &Problem) -> String {
    let help = problem.help.as_ref().map(|help| format!(" -> {help}")).unwrap_or_default();
    format!("{} {}: {} ({}){help}", short(problem.code.0), problem.path, problem.message, problem.label)
}

fn short(code: &str) -> &str {
    code.strip_prefix("tune::zfs::").unwrap()
}
