//! A simulated cluster with a connector to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{fmt, io};

use crate::{Dial, ProxmoxConnector, Stream, connector_through};
use tune_core::activation::{Activation, Verb};
use tune_core::address::Address;
use tune_core::contract::{
    Batch, BatchItem, Connection, ConnectionError, Connector, Epoch, Fence, Kind, Lookup, Order, Outcome, Pending,
    ReadRequest, Sight,
};
use tune_core::item::{Change, ItemKey, Raw};
use tune_core::ledger::{Entries, Ledger};
use tune_core::reading::{HostReading, ItemReading, Unreadable};
use tune_core::resource::{Api, Become, Host, Provider, Transport};
use tune_core::value::Value;
use tune_pve_sim::{Cluster, Control, Running, Timing};

/// The token that most tests use.
pub(crate) const TOKEN: &str = "tune@pve!tok";
pub(crate) const SECRET: &str = "11111111-2222-3333-4444-000000000002";
/// The machine that most tests are about.
pub(crate) const VMID: u32 = 107;

const CONFIG: &str = "agent: 0\nboot: order=scsi0;net0\ncores: 2\nmemory: 2048\nname: k3s-vm-pve\nnet0: \
                      virtio=BC:24:11:00:01:07,bridge=vmbr0\nscsi0: \
                      imgs:107/vm-107-disk-0.raw,discard=on,size=32G,ssd=1\nscsihw: virtio-scsi-single\ntags: k3s\n";

/// A cluster of three nodes with one running machine.
pub(crate) fn cluster() -> Cluster {
    Cluster::builder()
        .in_process()
        .timing(Timing { ha: Some(Duration::from_secs(15)), ..Timing::default() })
        .node("pve1")
        .node("pve2")
        .node("pve3")
        .storage("imgs", "images")
        .volume("imgs:107/vm-107-disk-0.raw", 32 << 30)
        .token(TOKEN, SECRET)
        .grant("/", "tune@pve", "Administrator")
        .vm(VMID, "pve1", CONFIG)
        .running(VMID)
}

/// The way to a cluster that listens nowhere, so that its time and the provider's pass in no time.
struct Way(Arc<Running>);

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Way")
    }
}

impl Dial for Way {
    fn dial<'a>(&'a self, _: &'a str, port: u16) -> Pending<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move { Ok(Box::new(self.0.open(port)?) as Box<dyn Stream>) })
    }
}

/// The attributes of a provider block, as texts.
pub(crate) type Block = BTreeMap<String, Value>;

/// A running cluster, reached as `provider.proxmox`.
pub(crate) struct Lab {
    pub(crate) running: Arc<Running>,
    pub(crate) control: Control,
    pub(crate) connector: Arc<ProxmoxConnector>,
    pub(crate) kind: Arc<dyn Kind>,
    sequence: AtomicU64,
}

impl Lab {
    pub(crate) async fn start(cluster: Cluster) -> Self {
        Self::with(cluster, |_, _| {}).await
    }

    /// Starts a cluster and changes the provider block that leads to it.
    pub(crate) async fn with(cluster: Cluster, change: impl FnOnce(&Running, &mut Block)) -> Self {
        let running = Arc::new(cluster.start().await.unwrap());
        let mut block = Block::from([
            ("endpoint".to_owned(), Value::from(running.url())),
            ("api_token".to_owned(), Value::from(format!("{TOKEN}={SECRET}").as_str())),
        ]);
        if let Some(ca) = running.ca_pem() {
            block.insert("ca_file".to_owned(), Value::from(ca));
        }
        change(&running, &mut block);
        // Tests give the certificates themselves; a block names the file.
        let folder = tempfile::tempdir().unwrap();
        if let Some(Value::String(pem)) = block.get_mut("ca_file") {
            std::fs::write(folder.path().join("ca.pem"), std::mem::replace(pem, "ca.pem".to_owned())).unwrap();
        }
        let provider = Provider { address: address(), attributes: block };
        let way: Arc<dyn Dial> = Arc::new(Way(Arc::clone(&running)));
        let connector = connector_through(&[(address(), provider)].into(), folder.path(), &way).unwrap();
        Self {
            control: running.control(),
            running,
            connector: Arc::new(connector),
            kind: crate::kind(),
            sequence: AtomicU64::new(1),
        }
    }

    pub(crate) fn connection(&self) -> Arc<dyn Connection> {
        self.connector.connect(&host())
    }

    fn epoch(&self) -> Epoch {
        Epoch { run: 1, sequence: self.sequence.fetch_add(1, Ordering::Relaxed) }
    }

    pub(crate) async fn read(&self, keys: &[String]) -> Result<HostReading, ConnectionError> {
        self.connection().read(&request(keys, None)).await
    }

    pub(crate) async fn read_behind_fence(
        &self,
        keys: &[String],
        patience: Duration,
    ) -> Result<HostReading, ConnectionError> {
        let fence = Fence { lineage: "lab".to_owned(), epoch: self.epoch(), patience };
        self.connection().read(&request(keys, Some(fence))).await
    }

    /// Reads one item of the machine.
    pub(crate) async fn item(&self, key: &str) -> Result<ItemReading, Unreadable> {
        let key = format!("{VMID}/{key}");
        let reading = self.read(std::slice::from_ref(&key)).await.unwrap();
        reading.readings[0].items[&ItemKey(key)].clone()
    }

    /// Returns the text of an item of the machine as it is configured; absence is an empty one.
    pub(crate) async fn value(&self, key: &str) -> String {
        match self.item(key).await.unwrap().raw {
            Raw::Text(text) => text,
            _ => String::new(),
        }
    }

    /// Applies changes of the machine's items, all of one resource: `(item, before, after)`, absence as an empty text.
    pub(crate) async fn apply(&self, changes: &[(&str, &str, &str)]) -> Vec<Outcome> {
        self.send(changes, Duration::from_mins(2)).await.unwrap()
    }

    pub(crate) async fn send(
        &self,
        changes: &[(&str, &str, &str)],
        deadline: Duration,
    ) -> Result<Vec<Outcome>, ConnectionError> {
        self.connection().apply(&self.batch(changes, deadline)).await
    }

    pub(crate) fn batch(&self, changes: &[(&str, &str, &str)], deadline: Duration) -> Batch {
        let raw = |text: &str| if text.is_empty() { Raw::Absent } else { Raw::Text(text.to_owned()) };
        let item = |(key, before, after): &(&str, &str, &str)| BatchItem {
            kind: "proxmox_vm".to_owned(),
            key: ItemKey(if key.contains(':') { key.replace(':', "/") } else { format!("{VMID}/{key}") }),
            change: Change { before: raw(before), after: raw(after) },
            group: 0,
        };
        Batch {
            lineage: "lab".to_owned(),
            epoch: self.epoch(),
            items: changes.iter().map(item).collect(),
            ledger: Ledger {
                lineage: "lab".to_owned(),
                epoch: 1,
                writer: "me@here".to_owned(),
                host_id: "cluster".to_owned(),
                entries: Entries::default(),
            },
            ledger_after: None,
            deadline,
            restore_after: None,
        }
    }

    pub(crate) async fn sight(&self) -> Result<Sight, ConnectionError> {
        self.connection().sight(&cycle()).await
    }

    pub(crate) async fn order(&self, mark: &str, deadline: Duration) -> Result<(), ConnectionError> {
        let order = Order {
            lineage: "lab".to_owned(),
            epoch: self.epoch(),
            activation: cycle(),
            mark: mark.to_owned(),
            deadline,
        };
        self.connection().activate(&order).await
    }

    /// Looks until a look shows what is wanted.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Sight) -> bool) -> Sight {
        let mut last = None;
        for _ in 0..6000 {
            if let Ok(sight) = self.sight().await {
                if is_so(&sight) {
                    return sight;
                }
                last = Some(sight);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{what} never came; at last: {last:?}; {:?}", self.control.tasks());
    }

    /// Looks until the machine is back as another process.
    pub(crate) async fn until_back(&self, mark: &str) -> Sight {
        self.until("the machine", |sight| sight.mark != mark && sight.waits_for.is_none()).await
    }
}

pub(crate) fn address() -> Address {
    Address::new("provider", "proxmox")
}

pub(crate) fn host() -> Host {
    let api = Api { provider: "proxmox".to_owned(), endpoint: "https://pve".to_owned() };
    Host { name: address().own_name(), address: address(), transport: Transport::Api(api), become_: Become::No }
}

pub(crate) fn cycle() -> Activation {
    Activation::of(Verb::PowerCycle, VMID.to_string())
}

pub(crate) fn request(keys: &[String], fence: Option<Fence>) -> ReadRequest {
    let keys: BTreeSet<ItemKey> = keys.iter().map(|key| ItemKey(key.clone())).collect();
    ReadRequest { lookups: vec![Lookup { kind: "proxmox_vm".to_owned(), keys }], fence }
}

/// Returns the line of an option in a configuration file.
pub(crate) fn line(config: &str, option: &str) -> String {
    let head = format!("{option}: ");
    config.lines().find_map(|line| line.strip_prefix(&head)).unwrap_or_default().to_owned()
}
