//! A real etcd cluster on booted hosts that really reboot, and what a rolling change does to it on good days and bad
//! ones. The cluster is made once and shared; whoever uses it leaves it as it was, and has it alone.

mod bad;
mod good;
mod kills;
mod observer;
mod writer;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use tune_testkit::etcd::Cluster;

use super::project::Running;
use super::*;

/// How long something may take that a loaded machine does in some ten seconds.
const LONG: Duration = Duration::from_mins(3);

const NAMES: [&str; 3] = ["etcd-1", "etcd-2", "etcd-3"];

/// The parameter that the module takes only when it is loaded, with its default.
const PARAMETER: &str = "/sys/module/zfs/parameters/zvol_threads";
const DEFAULT: &str = "32";

/// The configuration that people read, as it is.
const EXAMPLE: &str = include_str!("../../../../examples/etcd-rolling/etcd-rolling.tune.hcl");

/// The cluster, for one test at a time. What a failed test leaves behind is nobody else's business: it is replaced.
fn cluster() -> (&'static Cluster, MutexGuard<'static, Option<&'static Cluster>>) {
    static TURN: Mutex<Option<&'static Cluster>> = Mutex::new(None);
    let mut turn = TURN.lock().unwrap_or_else(|poisoned| {
        TURN.clear_poison();
        let mut turn = poisoned.into_inner();
        *turn = None;
        turn
    });
    // Its hosts are held by this process, and so end with it.
    let cluster = *turn.get_or_insert_with(|| Box::leak(Box::new(Cluster::start(&NAMES))));
    (cluster, turn)
}

/// What a test compares with a later picture.
struct Before {
    snapshots: BTreeMap<String, Snapshot>,
    boots: BTreeMap<String, String>,
}

impl Before {
    fn of(cluster: &Cluster) -> Before {
        let hosts = || cluster.lab().hosts();
        Before {
            snapshots: hosts().map(|host| (host.name().to_owned(), host.snapshot())).collect(),
            boots: hosts().map(|host| (host.name().to_owned(), host.boot_id())).collect(),
        }
    }

    /// Fails unless every value and file is as it was, and the cluster is healthy.
    #[track_caller]
    fn assert_restored(&self, cluster: &Cluster) {
        for (name, snapshot) in &self.snapshots {
            cluster.host(name).assert_as(snapshot);
        }
        cluster.wait_until_healthy();
    }

    /// Fails unless nothing was written on any host, except what `tune` notes about itself, and none has rebooted.
    #[track_caller]
    fn assert_untouched(&self, cluster: &Cluster) {
        for (name, snapshot) in &self.snapshots {
            assert_untouched(cluster.host(name), snapshot);
        }
        assert_eq!(self.rebooted(cluster), [""; 0]);
    }

    /// Returns who has rebooted since.
    fn rebooted(&self, cluster: &Cluster) -> Vec<&str> {
        let has = |(name, boot): &(&String, &String)| cluster.host(name).boot_id() != **boot;
        self.boots.iter().filter(has).map(|(name, _)| name.as_str()).collect()
    }
}

/// Fails unless the running module uses this value.
#[track_caller]
fn assert_parameter(host: &Host, value: &str) {
    assert_eq!(host.text(PARAMETER).trim_end(), value, "on `{}`", host.name());
}

/// The example with other words in place of some of its own, each of which must be there.
fn example_with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(EXAMPLE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the example no longer says `{from}`");
        text.replace(from, to)
    })
}

/// The example with changes on one host only, and a value of the parameter.
fn only(host: &str, value: u32) -> String {
    let one = format!("{{ for name, one in host.etcd : name => one if name == \"{host}\" }}");
    example_with(&[
        ("for_each = host.etcd", &format!("for_each = {one}")),
        ("for_each   = host.etcd", &format!("for_each   = {one}")),
        ("zvol_threads = 8", &format!("zvol_threads = {value}")),
    ])
}

/// Waits until a run has said something.
#[track_caller]
fn wait_for(run: &mut Running, text: &str) {
    let start = Instant::now();
    while !run.said().contains(text) {
        assert!(!run.has_ended(), "the run ended without having said `{text}`:\n{}", run.said());
        assert!(start.elapsed() < LONG, "`{text}` is not said within {LONG:?}:\n{}", run.said());
        std::thread::sleep(Duration::from_millis(5));
    }
}
