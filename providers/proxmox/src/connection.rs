//! The connection to one cluster: reads, writes and power cycles, in the order of their epochs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use tune_core::activation::{Activation, Verb};
use tune_core::contract::{
    Batch, Connection, ConnectionError, Epoch, Fence, Order, Outcome, Pending, ReadRequest, Sent, Sight,
};
use tune_core::reading::HostReading;
use tune_core::text::visible;

use crate::api::Api;
use crate::codes::{CANNOT, NOT_SETTLED, STALE};
use crate::dial::Dial;
use crate::http::Client;
use crate::key::{Key, VMIDS};
use crate::pause::Pauses;
use crate::power::{self, Cycles, Power};
use crate::settings::Settings;
use crate::survey;
use crate::table;
use crate::write::{self, Item};

/// How long after it was sent a write whose answer was lost may still take effect: a node waits 30 seconds for another,
/// and that one 10 for the machine's lock.
const HORIZON: Duration = Duration::from_secs(45);

/// The connection to one cluster.
#[derive(Debug)]
pub(crate) struct ClusterConnection {
    api: Arc<Api>,
    settings: Settings,
    power: Arc<Power>,
    /// The highest epoch that was seen, by lineage.
    epochs: Mutex<BTreeMap<String, Epoch>>,
    /// Machines to which something was sent that may still take effect, and when.
    open: Mutex<BTreeMap<u32, Instant>>,
}

impl ClusterConnection {
    /// Returns the connection; nothing is sent yet.
    pub(crate) fn new(settings: Settings, dial: Arc<dyn Dial>) -> Self {
        let name = settings.endpoints.first().map(ToString::to_string).unwrap_or_default();
        let api = Arc::new(Api::new(Client::new(&settings, dial), name));
        let power = Power { api: Arc::clone(&api), settings: settings.clone(), cycles: Cycles::default() };
        Self {
            api,
            settings,
            power: Arc::new(power),
            epochs: Mutex::new(BTreeMap::new()),
            open: Mutex::new(BTreeMap::new()),
        }
    }
}

impl Connection for ClusterConnection {
    fn read<'a>(&'a self, request: &'a ReadRequest) -> Pending<'a, Result<HostReading, ConnectionError>> {
        Box::pin(async move {
            if let Some(fence) = &request.fence {
                self.settle(fence, request).await?;
            }
            survey::read(&self.api, &self.settings, &request.lookups).await
        })
    }

    fn apply<'a>(&'a self, batch: &'a Batch) -> Pending<'a, Result<Vec<Outcome>, ConnectionError>> {
        Box::pin(self.write(batch))
    }

    /// Nothing is armed: no change of a machine cuts the way to the cluster.
    fn confirm<'a>(&'a self, _: &'a Batch) -> Pending<'a, Result<(), ConnectionError>> {
        Box::pin(async { Ok(()) })
    }

    fn sight<'a>(&'a self, activation: &'a Activation) -> Pending<'a, Result<Sight, ConnectionError>> {
        Box::pin(async move { power::sight(&self.power, machine(activation)?).await })
    }

    fn activate<'a>(&'a self, order: &'a Order) -> Pending<'a, Result<(), ConnectionError>> {
        Box::pin(async move {
            let vmid = machine(&order.activation)?;
            self.enter(&order.lineage, order.epoch)?;
            power::activate(&self.power, vmid, order).await
        })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async { self.api.client.close() })
    }
}

impl ClusterConnection {
    async fn write(&self, batch: &Batch) -> Result<Vec<Outcome>, ConnectionError> {
        self.enter(&batch.lineage, batch.epoch)?;
        let mut outcomes = vec![Outcome::NotTried; batch.items.len()];
        let mut machines: BTreeMap<u32, BTreeMap<usize, Vec<Item<'_>>>> = BTreeMap::new();
        for (index, item) in batch.items.iter().enumerate() {
            let Some(key) = Key::parse(&item.key).filter(|_| item.kind == survey::KIND) else {
                let message = format!("`{}` is no option of a virtual machine", visible(&item.key.0, 120));
                outcomes[index] = Outcome::Refused { message };
                continue;
            };
            let groups = machines.entry(key.vmid).or_default();
            groups.entry(item.group).or_default().push(Item { index, key, wanted: item });
        }
        // One machine after another would wait for each other's locks for nothing.
        let limit = batch.deadline.min(self.settings.limits.lock);
        let written = join_all(machines.iter().map(|(vmid, groups)| async move {
            let mut written = Vec::new();
            for items in groups.values() {
                written.push(write::write(&self.api, *vmid, items, limit).await);
            }
            (*vmid, written)
        }));
        for (vmid, groups) in written.await {
            if groups.iter().any(|group| group.is_open) {
                self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(vmid, Instant::now());
            }
            for (index, outcome) in groups.into_iter().flat_map(|group| group.outcomes) {
                outcomes[index] = outcome;
            }
        }
        Ok(outcomes)
    }

    /// Takes what is sent in the order of its epochs: nothing goes out for one that is not above all before it.
    fn enter(&self, lineage: &str, epoch: Epoch) -> Result<(), ConnectionError> {
        let mut epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
        if epochs.get(lineage).is_some_and(|highest| epoch <= *highest) {
            return Err(ConnectionError {
                code: STALE,
                sent: Sent::No,
                transient: false,
                message: format!("`{}` has been looked at since this was made, so it is not sent", self.api.name),
                help: None,
            });
        }
        epochs.insert(lineage.to_owned(), epoch);
        Ok(())
    }

    /// Waits until nothing that was sent before can take effect any more.
    async fn settle(&self, fence: &Fence, request: &ReadRequest) -> Result<(), ConnectionError> {
        self.enter(&fence.lineage, fence.epoch)?;
        let asked = request.lookups.iter().flat_map(|lookup| &lookup.keys);
        let vmids: BTreeSet<u32> = asked.filter_map(Key::parse).map(|key| key.vmid).collect();
        let mut pauses = Pauses::within(fence.patience);
        loop {
            let waits_for = self.unsettled(&vmids).await;
            let Some(waits_for) = waits_for else { return Ok(()) };
            if !pauses.pause().await {
                return Err(ConnectionError {
                    code: NOT_SETTLED,
                    sent: Sent::No,
                    transient: true,
                    message: format!("`{}` has not come to rest: it waits for {waits_for}", self.api.name),
                    help: Some("wait until the task is over, and run the same command again".to_owned()),
                });
            }
        }
    }

    /// Returns what may still take effect.
    async fn unsettled(&self, vmids: &BTreeSet<u32>) -> Option<String> {
        let open = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.retain(|_, since| since.elapsed() < HORIZON);
            open.keys().next().copied()
        };
        if let Some(vmid) = open {
            return Some(format!("a lost write to VM {vmid}"));
        }
        let under_way = self.power.cycles.under_way();
        let looks = vmids.iter().filter(|vmid| !under_way.contains(vmid)).map(|vmid| async move {
            match self.api.tasks(*vmid, true).await {
                Ok(tasks) => tasks.first().map(|task| format!("the task {} of VM {vmid}", visible(&task.kind, 40))),
                // One that is gone is settled; the read after this names it.
                Err(failure) if failure.is_elsewhere() || !failure.may_pass() => None,
                Err(failure) => Some(format!("an answer about VM {vmid}: {}", failure.text())),
            }
        });
        join_all(looks).await.into_iter().flatten().next()
    }
}

/// Returns the machine that an activation is about.
fn machine(activation: &Activation) -> Result<u32, ConnectionError> {
    let vmid = table::index(&activation.subject).filter(|vmid| VMIDS.contains(vmid));
    vmid.filter(|_| activation.verb == Verb::PowerCycle).ok_or_else(|| ConnectionError {
        code: CANNOT,
        sent: Sent::No,
        transient: false,
        message: format!("a Proxmox cluster cannot do a {activation} of `{}`", visible(&activation.subject, 40)),
        help: None,
    })
}
