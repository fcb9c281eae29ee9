//! What the runbooks' rollback leaves, and what ours does: the values that were there, at once, whatever they were.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tune_core::contract::{Batch, BatchItem, Connector, Epoch, Lookup, Outcome, ReadRequest};
use tune_core::item::{Change, ItemKey, Raw};
use tune_core::ledger::{Ledger, LedgerEntry};
use tune_core::resource::{Become, Host, Transport};
use tune_remote::HostKind;
use tune_testkit::faults::Faults;
use tune_testkit::fleet::host_address;
use tune_testkit::world::{Knob, Machine, Rule, World};

use super::{FILE, wanted};

const RUNBOOK: &[(&str, &str)] =
    &[("vm.swappiness", "10"), ("vm.dirty_ratio", "5"), ("vm.dirty_background_ratio", "3")];

/// A machine whose parameters are not what the runbook takes them for.
struct Bench {
    world: World,
    runtime: tokio::runtime::Runtime,
    sequence: u64,
}

impl Bench {
    fn new() -> Self {
        let world = World::new([crate::kind() as Arc<dyn HostKind>], &Faults::default());
        let mut machine = Machine::new("local");
        let zeroes = |name: &str| Rule::Zeroes(format!("/proc/sys/vm/{name}"));
        for (name, value, rule) in [
            ("swappiness", "1", Rule::Number(0, 200)),
            ("dirty_ratio", "0", zeroes("dirty_bytes")),
            ("dirty_bytes", "268435456", zeroes("dirty_ratio")),
            ("dirty_background_ratio", "7", zeroes("dirty_background_bytes")),
            ("dirty_background_bytes", "0", zeroes("dirty_background_ratio")),
        ] {
            machine.values.insert(format!("/proc/sys/vm/{name}"), Knob::new(value, rule));
        }
        world.add("local", machine);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { world, runtime, sequence: 0 }
    }

    fn connection(&self) -> Arc<dyn tune_core::contract::Connection> {
        self.world.connect(&Host {
            name: "local".to_owned(),
            address: host_address("local"),
            transport: Transport::Local,
            become_: Become::No,
        })
    }

    /// What the kernel has, by the last word of each name.
    fn values(&self) -> BTreeMap<String, String> {
        let values = self.world.machine("local").values.into_iter();
        values.map(|(path, knob)| (path.rsplit('/').next().unwrap().to_owned(), knob.value)).collect()
    }

    /// Returns what would be changed, with what is there now.
    fn changes(&self) -> Vec<(ItemKey, Change)> {
        let desired = wanted(RUNBOOK);
        let keys = desired.items.iter().map(|item| item.key.clone()).collect();
        let request = ReadRequest { lookups: vec![Lookup { kind: "sysctl".to_owned(), keys }], fence: None };
        let mut read = self.runtime.block_on(self.connection().read(&request)).unwrap().readings.remove(0);
        let changes = desired.items.into_iter().map(|item| {
            let before = read.items.remove(&item.key).unwrap().unwrap().raw;
            (item.key, Change { before, after: item.want })
        });
        changes.collect()
    }

    fn apply(&mut self, changes: &[(ItemKey, Change)]) {
        self.sequence += 1;
        let entry = |change: &Change| LedgerEntry {
            address: "sysctl.etcd".to_owned(),
            original: Some(change.before.clone()),
            ours: vec![change.before.clone(), change.after.clone()],
        };
        let entries = changes.iter().map(|(key, change)| (("sysctl".to_owned(), key.clone()), entry(change)));
        let ledger = Ledger {
            lineage: "bench".to_owned(),
            writer: "ada@desk".to_owned(),
            host_id: "local".to_owned(),
            epoch: 1,
            entries: entries.collect(),
        };
        let items = changes.iter().map(|(key, change)| BatchItem {
            kind: "sysctl".to_owned(),
            key: key.clone(),
            change: change.clone(),
            group: 0,
        });
        let batch = Batch {
            lineage: "bench".to_owned(),
            epoch: Epoch { run: 1, sequence: self.sequence },
            items: items.collect(),
            ledger_after: Some(ledger.clone()),
            ledger,
            deadline: Duration::from_mins(2),
            restore_after: None,
        };
        let outcomes = self.runtime.block_on(self.connection().apply(&batch)).unwrap();
        assert_eq!(outcomes, vec![Outcome::Done; changes.len()]);
    }
}

fn inverse(changes: Vec<(ItemKey, Change)>) -> Vec<(ItemKey, Change)> {
    changes.into_iter().map(|(key, change)| (key, change.inverse())).collect()
}

#[test]
fn row_0_15_putting_back_writes_the_values_and_not_only_the_file() {
    let mut bench = Bench::new();
    let before = bench.values();
    let changes = bench.changes();
    bench.apply(&changes);
    assert_eq!(bench.values()["swappiness"], "10");
    assert!(bench.world.machine("local").files.contains_key(FILE));
    bench.apply(&inverse(changes));
    assert!(!bench.world.machine("local").files.contains_key(FILE));
    assert_eq!(bench.values(), before);
}

#[test]
fn row_1_7_what_is_recorded_is_what_was_there_and_not_60_20_10() {
    let changes = Bench::new().changes();
    let recorded: BTreeMap<&str, &Raw> = changes.iter().map(|(key, change)| (key.0.as_str(), &change.before)).collect();
    let text = |text: &str| Raw::Text(text.to_owned());
    assert_eq!(*recorded["vm.swappiness"], text("1"));
    // The half that was in force, also where it is not the one that is written.
    assert_eq!(*recorded["vm.dirty_ratio|vm.dirty_bytes"], text("vm.dirty_bytes=268435456"));
    assert_eq!(*recorded["vm.dirty_background_ratio|vm.dirty_background_bytes"], text("vm.dirty_background_ratio=7"));
    assert_eq!(*recorded[FILE], Raw::Absent);
}
