//! The kind as its callers see it, on machines made of texts.

mod contract;
mod desired;
mod impact;
mod oracle;
mod putting_back;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use tune_core::address::Address;
use tune_core::contract::{Desired, Impact, Kind, Question};
use tune_core::item::{FileState, ItemKey, Raw};
use tune_core::problem::Problem;
use tune_core::reading::{Facts, ItemReading, Reading, Unreadable};
use tune_core::resource::{Lifecycle, Resource};
use tune_core::value::Value;
use tune_remote::{Evidence, Found, HostKind};

/// The file of the resource that all tests use.
const FILE: &str = "/etc/sysctl.d/99-zz-tune-etcd.conf";

/// Returns `sysctl.etcd` with these settings; values are text unless they are numbers or bools.
fn resource(settings: &[(&str, &str)]) -> Resource {
    let value = |text: &str| match (text, text.parse::<i64>()) {
        ("true", _) => Value::Bool(true),
        ("null", _) => Value::Null,
        (_, Ok(number)) if number.to_string() == text => Value::from(number),
        _ => Value::from(text),
    };
    let settings = settings.iter().map(|(key, text)| ((*key).to_owned(), value(text))).collect();
    Resource {
        provider: None,
        address: Address::new("sysctl", "etcd"),
        attributes: BTreeMap::from([
            ("host".to_owned(), Value::from("host.a")),
            ("settings".to_owned(), Value::Map(settings)),
        ]),
        depends_on: BTreeSet::new(),
        lifecycle: Lifecycle::default(),
    }
}

fn wanted(settings: &[(&str, &str)]) -> Desired {
    super::kind().desired(&resource(settings)).unwrap()
}

/// A machine as texts: what its parameters and files say, and what is true of it.
#[derive(Clone)]
struct World {
    /// Restorable forms by item; what is missing here does not exist.
    live: BTreeMap<String, Raw>,
    read_only: BTreeSet<String>,
    evidence: Evidence,
    facts: Facts,
    recorded: BTreeSet<ItemKey>,
}

impl World {
    /// A Debian server, seen by root, with these live values.
    fn new(live: &[(&str, &str)]) -> Self {
        let live = live.iter().map(|(key, text)| ((*key).to_owned(), Raw::Text((*text).to_owned()))).collect();
        let files = BTreeMap::from([("/proc/1/comm".to_owned(), "systemd\n".to_owned())]);
        let facts = Facts { kernel: "6.1.0-42-amd64".to_owned(), ..Facts::default() };
        Self {
            live,
            read_only: BTreeSet::new(),
            evidence: Evidence { files, ..Evidence::default() },
            facts,
            recorded: BTreeSet::new(),
        }
    }

    fn with(mut self, path: &str, text: &str) -> Self {
        self.evidence.files.insert(path.to_owned(), text.to_owned());
        if path == FILE {
            self.live.insert(path.to_owned(), Raw::File(FileState::public(text)));
        }
        self
    }

    fn item(&self, key: &ItemKey) -> Result<ItemReading, Unreadable> {
        let raw = self.live.get(&key.0).cloned().unwrap_or(Raw::Absent);
        let found = Found { raw, writable: !self.read_only.contains(&key.0), mode: None };
        super::kind().layers(key, &found, &self.evidence)
    }

    fn reading(&self, desired: &Desired) -> Reading {
        let items = desired.items.iter().map(|item| (item.key.clone(), self.item(&item.key))).collect();
        Reading { items, evidence: self.evidence.to_texts().into() }
    }

    fn judge(&self, settings: &[(&str, &str)]) -> Impact {
        self.judge_desired(&wanted(settings))
    }

    fn judge_desired(&self, desired: &Desired) -> Impact {
        let reading = self.reading(desired);
        let question = Question { desired, reading: &reading, facts: &self.facts, recorded: &self.recorded };
        super::kind().impact(&question)
    }

    /// Returns everything that is said, one line each: problems with `!`, dangers with `?`, advice with `#`.
    fn said(&self, settings: &[(&str, &str)]) -> Vec<String> {
        let impact = self.judge(settings);
        let problems = impact.problems.iter().map(|problem| format!("! {}", line(problem)));
        let dangers = impact.items.values().flat_map(|item| item.needs.iter());
        let dangers = dangers.map(|(consent, danger)| format!("? {}: {danger}", consent.word()));
        let advice =
            impact.advice.iter().map(|advice| format!("# {} {}: {}", short(advice.code.0), advice.path, advice.text));
        problems.chain(dangers).chain(advice).collect()
    }
}

fn line(problem: &Problem) -> String {
    let help = problem.help.as_ref().map(|help| format!(" -> {help}")).unwrap_or_default();
    format!("{} {}: {} ({}){help}", short(problem.code.0), problem.path, problem.message, problem.label)
}

fn short(code: &str) -> &str {
    code.strip_prefix("tune::sysctl::").unwrap()
}
