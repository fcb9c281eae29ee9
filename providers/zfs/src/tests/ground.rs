//! The kind over the scripts that really run, on a directory that stands in for a host.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tune_core::address::Address;
use tune_core::contract::{Batch, BatchItem, Connection, Connector, Desired, Epoch, Impact, Kind, Lookup, Outcome};
use tune_core::contract::{Question, ReadRequest};
use tune_core::item::{Change, ItemKey};
use tune_core::ledger::{Ledger, LedgerEntry};
use tune_core::reading::HostReading;
use tune_core::resource::{Become, Host, Transport};
use tune_remote::{HostKind, HostKinds, Options, SshConnector, TestGround};

use super::{FILE, wanted};
use crate::known::ARCSTATS;

/// A host with ZFS, root on it, and a boot image that was made long ago.
struct Ground {
    root: TempDir,
    runtime: tokio::runtime::Runtime,
    connection: Arc<dyn Connection>,
}

impl Ground {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut options = Options::new(std::env::temp_dir(), "ada@desk");
        options.ground = Some(TestGround { root: root.path().to_owned(), tools: None, shell: None });
        let kinds: HostKinds = BTreeMap::from([("zfs_module", crate::kind() as Arc<dyn HostKind>)]);
        let address = Address::new("host", "test");
        let host = Host { name: address.own_name(), address, transport: Transport::Local, become_: Become::No };
        let connection = SshConnector::new(kinds, options).connect(&host);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ground = Self { root, runtime, connection };
        for directory in ["/run", "/var/lib"] {
            fs::create_dir_all(ground.path(directory)).unwrap();
        }
        ground.write("/proc/sys/kernel/osrelease", "6.8.12-1-pve\n", 0o444);
        ground.write("/proc/cmdline", "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n", 0o444);
        ground.write(ARCSTATS, "name type data\nc_min 4 1073741824\nc_max 4 17179869184\n", 0o444);
        ground.write("/sys/module/zfs/initstate", "live\n", 0o444);
        ground.write("/sys/module/zfs/parameters/zfs_txg_timeout", "5\n", 0o644);
        ground.write("/sys/module/zfs/parameters/zfs_arc_max", "0\n", 0o644);
        ground.write("/sys/module/zfs/parameters/zvol_threads", "0\n", 0o444);
        ground.write("/etc/modprobe.d/zfs.conf", "options zfs zfs_arc_max=17179869184\n", 0o644);
        ground.write("/boot/initrd.img-6.8.12-1-pve", "not looked into", 0o600);
        ground.touch("/boot/initrd.img-6.8.12-1-pve", "@1000000000");
        ground
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str, mode: u32) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn touch(&self, path: &str, time: &str) {
        assert!(Command::new("touch").args(["-d", time]).arg(self.path(path)).status().unwrap().success());
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    fn read(&self, desired: &Desired) -> HostReading {
        let keys: BTreeSet<ItemKey> = desired.items.iter().map(|item| item.key.clone()).collect();
        let lookups = vec![Lookup { kind: "zfs_module".to_owned(), keys }];
        self.runtime.block_on(self.connection.read(&ReadRequest { lookups, fence: None })).unwrap()
    }

    fn judge(&self, desired: &Desired) -> Impact {
        let read = self.read(desired);
        let recorded = BTreeSet::new();
        let question = Question { desired, reading: &read.readings[0], facts: &read.facts, recorded: &recorded };
        crate::kind().impact(&question)
    }

    /// Applies what is wanted, or with `back` takes every item back to what is in it.
    fn apply(&self, sequence: u64, changes: &[(ItemKey, Change)]) -> Vec<Outcome> {
        let ledger = Ledger {
            lineage: "zfs-test".to_owned(),
            writer: "ada@desk".to_owned(),
            host_id: "test".to_owned(),
            epoch: 1,
            entries: changes
                .iter()
                .map(|(key, change)| {
                    let entry = LedgerEntry {
                        address: "zfs_module.txg".to_owned(),
                        original: Some(change.before.clone()),
                        ours: vec![change.before.clone(), change.after.clone()],
                    };
                    (("zfs_module".to_owned(), key.clone()), entry)
                })
                .collect(),
        };
        let items = changes.iter().map(|(key, change)| BatchItem {
            kind: "zfs_module".to_owned(),
            key: key.clone(),
            change: change.clone(),
            group: 0,
        });
        let batch = Batch {
            lineage: "zfs-test".to_owned(),
            epoch: Epoch { run: 1, sequence },
            items: items.collect(),
            ledger_after: Some(ledger.clone()),
            ledger,
            deadline: Duration::from_mins(2),
            restore_after: None,
        };
        self.runtime.block_on(self.connection.apply(&batch)).unwrap()
    }

    fn changes(&self, desired: &Desired) -> Vec<(ItemKey, Change)> {
        let mut read = self.read(desired).readings.remove(0);
        let items = desired.items.iter();
        items
            .map(|item| {
                let before = read.items.remove(&item.key).unwrap().unwrap().raw;
                (item.key.clone(), Change { before, after: item.want.clone() })
            })
            .collect()
    }
}

fn activations(impact: &Impact) -> BTreeMap<&str, Vec<String>> {
    let wanted = impact.items.iter().filter(|(_, item)| !item.activations.is_empty());
    wanted
        .map(|(key, item)| {
            (key.0.rsplit('/').next().unwrap(), item.activations.iter().map(ToString::to_string).collect())
        })
        .collect()
}

const SINGLE: &str = "zz-tune.zfs.zvol_threads.conf";

#[test]
fn a_change_is_judged_made_and_put_back() {
    let ground = Ground::new();
    let desired = wanted(&[("zfs_txg_timeout", "3"), ("zvol_threads", "8")]);
    let image = "rebuild of the boot image".to_owned();
    let before = ground.judge(&desired);
    assert_eq!(before.problems, []);
    let both =
        BTreeMap::from([("zz-tune-txg.conf", vec![image.clone()]), (SINGLE, vec![image.clone(), "reboot".to_owned()])]);
    assert_eq!(activations(&before), both);

    let changes = ground.changes(&desired);
    assert_eq!(ground.apply(1, &changes), vec![Outcome::Done; 3]);
    assert_eq!(ground.text("/sys/module/zfs/parameters/zfs_txg_timeout"), "3\n");
    assert!(ground.text(FILE).ends_with("options zfs zfs_txg_timeout=3\n"));
    // The image is older than the files now, and still is after another look.
    assert_eq!(activations(&ground.judge(&desired)), both);
    ground.touch("/boot/initrd.img-6.8.12-1-pve", "now");
    assert_eq!(activations(&ground.judge(&desired)), BTreeMap::from([(SINGLE, vec!["reboot".to_owned()])]));
    ground.write("/sys/module/zfs/parameters/zvol_threads", "8\n", 0o444);
    assert!(activations(&ground.judge(&desired)).is_empty());

    let back: Vec<_> = changes.iter().map(|(key, change)| (key.clone(), change.clone().inverse())).collect();
    let mut revert = desired.clone();
    for (item, (_, change)) in revert.items.iter_mut().zip(&back) {
        item.want = change.after.clone();
    }
    assert_eq!(activations(&ground.judge(&revert)), both);
    assert_eq!(ground.apply(2, &back), vec![Outcome::Done; 3]);
    assert_eq!(ground.text("/sys/module/zfs/parameters/zfs_txg_timeout"), "5\n");
    assert!(!ground.path(FILE).exists());
}

#[test]
fn row_0_16_what_was_there_comes_back_and_not_the_default() {
    let ground = Ground::new();
    ground.write("/sys/module/zfs/parameters/zfs_txg_timeout", "17\n", 0o644);
    let changes = ground.changes(&wanted(&[("zfs_txg_timeout", "3")]));
    assert_eq!(ground.apply(1, &changes), vec![Outcome::Done; 2]);
    assert_eq!(ground.text("/sys/module/zfs/parameters/zfs_txg_timeout"), "3\n");
    let back: Vec<_> = changes.into_iter().map(|(key, change)| (key, change.inverse())).collect();
    assert_eq!(ground.apply(2, &back), vec![Outcome::Done; 2]);
    assert_eq!(ground.text("/sys/module/zfs/parameters/zfs_txg_timeout"), "17\n");
}

#[test]
fn a_size_that_the_cache_ignores_is_refused_and_leaves_no_trace() {
    let ground = Ground::new();
    let desired = wanted(&[("zfs_arc_max", "8GiB")]);
    // Nothing moves the statistics here, as on a host whose cache does not take the value.
    let said = ground.apply(1, &ground.changes(&desired));
    assert!(
        matches!(&said[..], [Outcome::Refused { message }, Outcome::NotTried] if message.contains("17179869184")),
        "{said:?}"
    );
    assert_eq!(
        (ground.text("/sys/module/zfs/parameters/zfs_arc_max").as_str(), ground.path(FILE).exists()),
        ("0\n", false)
    );
}

#[test]
fn a_mode_tells_what_can_be_set() {
    let ground = Ground::new();
    let impact = ground.judge(&wanted(&[("zvol_threads", "8"), ("@load_time", "")]));
    assert_eq!(impact.problems.iter().map(|problem| problem.code.0).collect::<Vec<_>>(), ["tune::zfs::load_time"]);
    let impact = ground.judge(&wanted(&[("zfs_txg_timeout", "3"), ("@load_time", "zfs_txg_timeout")]));
    let codes: Vec<&str> = impact.advice.iter().map(|advice| advice.code.0).collect();
    assert_eq!(codes, ["tune::zfs::needs_reboot", "tune::zfs::no_reboot_needed"]);
}
