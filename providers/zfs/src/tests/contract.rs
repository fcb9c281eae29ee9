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
use crate::known::ARCSTATS;

const SINGLE: &str = "/etc/modprobe.d/zz-tune.zfs.zvol_threads.conf";

struct InMemory(World);

impl InMemory {
    fn new() -> Self {
        let world = World::new([crate::kind() as Arc<dyn HostKind>], &Faults::default());
        let mut machine = Machine::new("local");
        let parameters = "/sys/module/zfs/parameters";
        for (path, default, rule) in [
            (format!("{parameters}/zfs_txg_timeout"), "5", Rule::Number(1, 60)),
            (format!("{parameters}/zfs_prefetch_disable"), "N", Rule::Any),
            (format!("{parameters}/zfs_vdev_raidz_impl"), "cycle [fastest] original", Rule::Any),
            (format!("{parameters}/zvol_threads"), "0", Rule::Any),
            (format!("{parameters}/zfs_arc_max"), "0", Rule::Any),
            // What the cache uses follows what is written, from 64 MiB on.
            (format!("{ARCSTATS}:c_max"), "17179869184", Rule::Number(64 << 20, i64::MAX)),
            ("/sys/module/zfs/initstate".to_owned(), "live", Rule::Any),
        ] {
            machine.values.insert(path, Knob::new(default, rule));
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
        let after = wanted(&[
            ("zfs_arc_max", "8GiB"),
            ("zfs_prefetch_disable", "Y"),
            ("zfs_txg_timeout", "3"),
            ("zfs_vdev_raidz_impl", "original"),
            ("zvol_threads", "4"),
        ]);
        let foreign = wanted(&[
            ("zfs_arc_max", "4GiB"),
            ("zfs_prefetch_disable", "2"),
            ("zfs_txg_timeout", "9"),
            ("zfs_vdev_raidz_impl", "scalar"),
            ("zvol_threads", "7"),
        ]);
        let foreign: BTreeMap<ItemKey, Raw> = foreign.items.into_iter().map(|item| (item.key, item.want)).collect();
        let text = |text: &str| Raw::Text(text.to_owned());
        let spellings = |key: &ItemKey| match key.0.as_str() {
            "zfs.zfs_txg_timeout" => vec![text(" 3"), text("0x3"), text("03")],
            "zfs.zfs_prefetch_disable" => vec![text("1"), text("y")],
            "zfs.zfs_vdev_raidz_impl" => vec![text("fastest [original] scalar")],
            _ => Vec::new(),
        };
        after
            .items
            .into_iter()
            .map(|item| Sample {
                spellings: spellings(&item.key),
                foreign: foreign[&item.key].clone(),
                key: item.key,
                after: item.want,
            })
            .collect()
    }

    fn write_by_hand(&self, key: &ItemKey, raw: &Raw) {
        self.0.drift("local", "zfs_module", key, raw);
    }

    fn everything(&self) -> BTreeMap<String, String> {
        let machine = self.0.machine("local");
        // What is asked of the cache stays as it was asked, while what it uses is put back.
        let used = |path: &String| !path.ends_with("/zfs_arc_max");
        let values = machine.values.into_iter().filter(|(path, _)| used(path)).map(|(path, knob)| {
            let value = crate::value::canonical(&knob.value);
            (path, value)
        });
        let files = machine.files.into_iter().map(|(path, file)| (path, format!("{file:?}")));
        let ledgers = machine.ledgers.into_iter().map(|(lineage, ledger)| (lineage, format!("{ledger:?}")));
        values.chain(files).chain(ledgers).collect()
    }
}

tune_testkit::contract!(InMemory::new());

#[test]
fn the_samples_cover_every_sort_of_item() {
    let keys: Vec<String> = InMemory::new().samples().into_iter().map(|sample| sample.key.0).collect();
    assert_eq!(
        keys,
        ["zfs.zfs_arc_max", "zfs.zfs_prefetch_disable", "zfs.zfs_txg_timeout", "zfs.zfs_vdev_raidz_impl", SINGLE, FILE]
    );
}
