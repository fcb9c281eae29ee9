//! The kind as its callers see it, on machines made of texts.

mod cluster;
mod desired;
mod impact;
mod recordings;
mod runbook;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use tune_core::address::Address;
use tune_core::contract::{Desired, Impact, Question};
use tune_core::item::{ItemKey, Raw};
use tune_core::problem::Problem;
use tune_core::reading::{Facts, ItemReading, Reading, Unreadable};
use tune_core::resource::{Lifecycle, Resource};
use tune_core::value::Value;

use crate::key::Key;
use crate::vm::{self, Cluster, Entry, Vm};

/// Returns `proxmox_vm.k3s`, machine 107, with these attributes; a key with a slash stands for a block or an object:
/// `disk/scsi0/cache`, `agent/enabled`.
fn resource(attributes: &[(&str, Value)]) -> Resource {
    let mut map = BTreeMap::from([("vmid".to_owned(), Value::from(107))]);
    for (path, value) in attributes {
        let mut steps: Vec<&str> = path.split('/').collect();
        let last = steps.pop().unwrap();
        let mut at = &mut map;
        for step in steps {
            let entry = at.entry(step.to_owned()).or_insert_with(|| Value::Map(BTreeMap::new()));
            let Value::Map(inner) = entry else { panic!("{path} is no map") };
            at = inner;
        }
        at.insert(last.to_owned(), value.clone());
    }
    Resource {
        address: Address::new("proxmox_vm", "k3s"),
        provider: Some(Address::new("provider", "proxmox")),
        attributes: map,
        depends_on: BTreeSet::new(),
        lifecycle: Lifecycle::default(),
    }
}

fn wanted(attributes: &[(&str, Value)]) -> Desired {
    crate::kind().desired(&resource(attributes)).unwrap()
}

/// A machine and its cluster, as they were read.
#[derive(Clone)]
struct World {
    vm: Vm,
    cluster: Cluster,
    recorded: BTreeSet<ItemKey>,
    /// Items that other resources manage.
    others: Vec<ItemKey>,
}

/// A usual machine: one disk, one network device, an agent.
fn running() -> World {
    let mut world = World {
        vm: Vm { node: "pve".to_owned(), name: "k3s-vm-pve".to_owned(), running: true, ..Vm::default() },
        cluster: Cluster { user: "tune@pve!tok".to_owned(), ..Cluster::default() },
        recorded: BTreeSet::new(),
        others: Vec::new(),
    };
    for (option, text) in [
        ("agent", "1"),
        ("cores", "4"),
        ("memory", "8192"),
        ("net0", "virtio=BC:24:11:00:01:07,bridge=vmbr0"),
        ("scsi0", "local-zfs:vm-107-disk-0,discard=on,size=64G"),
        ("scsihw", "virtio-scsi-single"),
    ] {
        world = world.with(option, text);
    }
    world
}

impl World {
    fn with(mut self, option: &str, text: &str) -> Self {
        let entry = Entry { current: Some(text.to_owned()), ..Entry::default() };
        self.vm.options.insert(option.to_owned(), entry);
        self
    }

    fn with_pending(mut self, option: &str, text: &str) -> Self {
        self.vm.options.entry(option.to_owned()).or_default().pending = Some(text.to_owned());
        self
    }

    fn stopped(mut self) -> Self {
        self.vm.running = false;
        self
    }

    fn item(&self, key: &ItemKey) -> Result<ItemReading, Unreadable> {
        vm::item(&self.vm, &Key::parse(key).unwrap(), key)
    }

    fn reading(&self, desired: &Desired) -> Reading {
        let keys = desired.items.iter().map(|item| &item.key).chain(&self.others);
        let items = keys.map(|key| (key.clone(), self.item(key))).collect();
        let evidence = vm::to_evidence([(107, &self.vm)], &self.cluster);
        Reading { items, evidence: evidence.into() }
    }

    fn judge(&self, attributes: &[(&str, Value)]) -> Impact {
        let desired = wanted(attributes);
        let reading = self.reading(&desired);
        let facts = Facts::default();
        crate::kind().impact(&Question {
            desired: &desired,
            reading: &reading,
            facts: &facts,
            recorded: &self.recorded,
        })
    }

    /// Returns everything that is said, one line each: problems with `!`, dangers with `?`, activations with `@`.
    fn said(&self, attributes: &[(&str, Value)]) -> Vec<String> {
        let impact = self.judge(attributes);
        let problems = impact.problems.iter().map(|problem| format!("! {}", line(problem)));
        let dangers = impact.items.iter().flat_map(|(key, item)| {
            item.needs.iter().map(move |(consent, danger)| format!("? {key} {}: {danger}", consent.word()))
        });
        let activations = impact.items.iter().flat_map(|(key, item)| {
            item.activations.iter().map(move |activation| format!("@ {key}: {activation} of {}", activation.subject))
        });
        problems.chain(dangers).chain(activations).collect()
    }

    /// Returns the codes of all advice.
    fn advised(&self, attributes: &[(&str, Value)]) -> Vec<String> {
        self.judge(attributes).advice.iter().map(|advice| short(advice.code.0).to_owned()).collect()
    }
}

fn line(problem: &Problem) -> String {
    let help = problem.help.as_ref().map(|help| format!(" -> {help}")).unwrap_or_default();
    format!("{} {}: {} ({}){help}", short(problem.code.0), problem.path, problem.message, problem.label)
}

fn short(code: &str) -> &str {
    code.strip_prefix("tune::proxmox::").unwrap()
}

fn text(text: &str) -> Raw {
    Raw::Text(text.to_owned())
}
