//! The contract that every provider passes, on a simulated cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tune_core::contract::{Connection, Kind};
use tune_core::item::{ItemKey, Raw};
use tune_testkit::contract::{Fixture, Sample};

use super::lab::{Lab, VMID, cluster};

/// A cluster that lives in a runtime of its own, because each clause of the contract makes one for its requests.
struct OnCluster {
    lab: Lab,
    _runtime: Runtime,
    kind: Arc<dyn Kind>,
}

fn on_cluster() -> OnCluster {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let lab = runtime.block_on(Lab::start(cluster()));
    OnCluster { lab, _runtime: runtime, kind: crate::kind() }
}

impl Fixture for OnCluster {
    fn kind(&self) -> Arc<dyn Kind> {
        Arc::clone(&self.kind)
    }

    fn connection(&self) -> Arc<dyn Connection> {
        self.lab.connection()
    }

    fn samples(&self) -> Vec<Sample> {
        let text = |text: &str| Raw::Text(text.to_owned());
        let sample = |key: &str, after: &str, foreign: &str, spellings: &[&str]| Sample {
            key: ItemKey(format!("{VMID}/{key}")),
            after: text(after),
            foreign: text(foreign),
            spellings: spellings.iter().map(|spelling| text(spelling)).collect(),
        };
        vec![
            sample("scsi0/cache", "writeback", "unsafe", &[]),
            sample("scsi0/queues", "4", "8", &["04"]),
            sample("cores", "4", "8", &["04"]),
            sample("tags", "etcd;k3s", "other", &["K3S,etcd", "k3s etcd"]),
            sample("net0/rate", "10", "20", &["10.0"]),
        ]
    }

    fn write_by_hand(&self, key: &ItemKey, raw: &Raw) {
        let Raw::Text(value) = raw else { panic!("samples are texts") };
        let config = self.lab.control.config(VMID).unwrap();
        let (_, rest) = key.0.split_once('/').unwrap();
        let changed: Vec<String> = config
            .lines()
            .map(|line| match (line.split_once(": "), rest.split_once('/')) {
                (Some((name, text)), Some((option, sub))) if name == option => {
                    let kept = text.split(',').filter(|part| !part.starts_with(&format!("{sub}=")));
                    let parts: Vec<String> = kept.map(str::to_owned).chain([format!("{sub}={value}")]).collect();
                    format!("{name}: {}", parts.join(","))
                }
                (Some((name, _)), None) if name == rest => format!("{name}: {value}"),
                _ => line.to_owned(),
            })
            .collect();
        self.lab.control.write_config(VMID, &format!("{}\n", changed.join("\n")));
    }

    fn everything(&self) -> BTreeMap<String, String> {
        [("config".to_owned(), self.lab.control.config(VMID).unwrap())].into()
    }
}

tune_testkit::contract!(on_cluster());
