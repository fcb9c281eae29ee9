//! The contract that every provider keeps, over a machine in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::contract::{Connection, Connector, Kind};
use tune_core::item::{ItemKey, Raw};
use tune_core::resource::{Become, Host, Transport};
use tune_remote::HostKind;
use tune_testkit::contract::{Fixture, Sample};
use tune_testkit::faults::Faults;
use tune_testkit::fleet::host_address;
use tune_testkit::world::{Knob, Machine, Rule, World};

use super::{FILE, wanted};

const DIRTY: &str = "vm.dirty_ratio|vm.dirty_bytes";

struct InMemory(World);

impl InMemory {
    fn new() -> Self {
        let world = World::new([crate::kind() as Arc<dyn HostKind>], &Faults::default());
        let mut machine = Machine::new("local");
        let zeroes = |name: &str| Rule::Zeroes(format!("/proc/sys/vm/{name}"));
        for (path, default, rule) in [
            ("net/ipv4/tcp_rmem", "4096\t131072\t6291456", Rule::Any),
            ("vm/swappiness", "60", Rule::Number(0, 200)),
            ("vm/dirty_ratio", "20", zeroes("dirty_bytes")),
            ("vm/dirty_bytes", "0", zeroes("dirty_ratio")),
        ] {
            machine.values.insert(format!("/proc/sys/{path}"), Knob::new(default, rule));
        }
        world.add("local", machine);
        Self(world)
    }
}

impl Fixture for InMemory {
    fn kind(&self) -> Arc<dyn Kind> {
        crate::kind()
    }

    fn connection(&self) -> Arc<dyn Connection> {
        let host = Host {
            name: "local".to_owned(),
            address: host_address("local"),
            transport: Transport::Local,
            become_: Become::No,
        };
        self.0.connect(&host)
    }

    fn samples(&self) -> Vec<Sample> {
        let items = |settings: &[(&str, &str)]| wanted(settings).items.into_iter();
        let after = items(&[
            ("net.ipv4.tcp_rmem", "4096 131072 33554432"),
            ("vm.swappiness", "10"),
            ("vm.dirty_bytes", "1048576"),
        ]);
        let foreign =
            items(&[("net.ipv4.tcp_rmem", "4096 87380 6291456"), ("vm.swappiness", "1"), ("vm.dirty_ratio", "9")]);
        let foreign: BTreeMap<ItemKey, Raw> = foreign.map(|item| (item.key, item.want)).collect();
        let text = |text: &str| Raw::Text(text.to_owned());
        let spellings = |key: &ItemKey| match key.0.as_str() {
            "net.ipv4.tcp_rmem" => vec![text("4096\t131072\t33554432"), text(" 4096  131072 33554432")],
            "vm.swappiness" => vec![text("10 "), text("0xa")],
            DIRTY => vec![text("vm.dirty_bytes= 1048576")],
            _ => Vec::new(),
        };
        after
            .map(|item| Sample {
                spellings: spellings(&item.key),
                foreign: foreign[&item.key].clone(),
                key: item.key,
                after: item.want,
            })
            .collect()
    }

    fn write_by_hand(&self, key: &ItemKey, raw: &Raw) {
        self.0.drift("local", "sysctl", key, raw);
    }

    fn everything(&self) -> BTreeMap<String, String> {
        let machine = self.0.machine("local");
        let values = machine.values.into_iter().map(|(path, knob)| (path, knob.value));
        let files = machine.files.into_iter().map(|(path, file)| (path, format!("{file:?}")));
        let ledgers = machine.ledgers.into_iter().map(|(lineage, ledger)| (lineage, format!("{ledger:?}")));
        values.chain(files).chain(ledgers).collect()
    }
}

tune_testkit::contract!(InMemory::new());

#[test]
fn the_samples_cover_every_sort_of_item() {
    let keys: Vec<String> = InMemory::new().samples().into_iter().map(|sample| sample.key.0).collect();
    assert_eq!(keys, ["net.ipv4.tcp_rmem", DIRTY, "vm.swappiness", FILE]);
}
