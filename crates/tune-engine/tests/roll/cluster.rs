//! Machines that form a cluster: each has settings in a file that a boot reads, and goes away for a while when it boots.
//! Whoever asks the cluster learns who leads it and how many of its members keep up.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{self, Instant};
use tune_core::Address;
use tune_core::activation::Activation;
use tune_core::activation::Verb;
use tune_core::contract::{
    Batch, Connection, ConnectionError, Connector, Order, Outcome, Pending, ReadRequest, Sent, Sight,
};
use tune_core::item::{ItemKey, Raw};
use tune_core::ledger::Ledger;
use tune_core::problem::Code;
use tune_core::reading::{Facts, HostReading, ItemReading, Layer, Reading};
use tune_core::resource::{Become, Host, Transport};

/// What a boot is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boot {
    Takes(Duration),
    Never,
    /// It comes back without having read the file.
    Forgets(Duration),
    /// The order is lost on its way, once.
    OrderLost,
    /// It takes so long, once.
    LateOnce(Duration),
    /// It goes down, once, and only another order brings it up, which takes so long.
    Stranded(Duration),
}

/// Who votes, as far as the cluster tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Votes {
    /// Whoever is well; without a majority of them nobody leads.
    #[default]
    Well,
    /// Members that do not keep up vote all the same.
    Laggards,
    /// Nobody tells anything.
    Untold,
}

/// What happens at one call or one write of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    Before(usize),
    After(usize),
}

#[derive(Clone, Default)]
pub(crate) struct Cluster(Arc<Mutex<Inner>>, Arc<Notify>);

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) nodes: BTreeMap<String, Node>,
    pub(crate) leader: String,
    /// Becomes the leader once so many boots have been ordered.
    pub(crate) next_leader: Option<(usize, String)>,
    pub(crate) orders: Vec<String>,
    pub(crate) most_down: usize,
    /// How often the cluster was asked, and at which times it says that it is not well.
    pub(crate) asked: usize,
    pub(crate) red: Vec<(Duration, Duration)>,
    pub(crate) image_fails: bool,
    pub(crate) votes: Votes,
    pub(crate) log: Vec<String>,
    pub(crate) death: Option<Death>,
    pub(crate) moments: usize,
    pub(crate) is_dead: bool,
    pub(crate) began: Option<Instant>,
}

pub(crate) struct Node {
    pub(crate) file: BTreeMap<ItemKey, Raw>,
    pub(crate) running: BTreeMap<ItemKey, Raw>,
    pub(crate) boots: u64,
    pub(crate) back_at: Option<Instant>,
    pub(crate) well_at: Option<Instant>,
    /// It takes so long after a boot until it keeps up.
    pub(crate) lag: Duration,
    pub(crate) boot: Boot,
    pub(crate) is_sick: bool,
    pub(crate) ledgers: BTreeMap<String, Ledger>,
    pub(crate) refuses: bool,
    /// Whether it never answers while it is down, not even with an error.
    pub(crate) swallows: bool,
    highest: (u64, u64),
}

pub(crate) fn host(name: &str) -> Address {
    Address::new("host", name)
}

pub(crate) fn text(value: &str) -> Raw {
    Raw::Text(value.to_owned())
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cluster")
    }
}

impl Cluster {
    pub(crate) fn of(names: &[&str]) -> Self {
        let cluster = Self::default();
        for name in names {
            let settings = BTreeMap::from([("x".into(), text("old"))]);
            let node = Node {
                file: settings.clone(),
                running: settings,
                boots: 1,
                back_at: None,
                well_at: None,
                lag: Duration::from_secs(3),
                boot: Boot::Takes(Duration::from_secs(40)),
                is_sick: false,
                ledgers: BTreeMap::new(),
                refuses: false,
                swallows: false,
                highest: (0, 0),
            };
            cluster.lock().nodes.insert((*name).to_owned(), node);
        }
        names[0].clone_into(&mut cluster.lock().leader);
        cluster
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub(crate) fn node<T>(&self, name: &str, with: impl FnOnce(&mut Node) -> T) -> T {
        with(self.lock().nodes.get_mut(name).unwrap())
    }

    pub(crate) fn hosts(&self) -> BTreeMap<Address, Host> {
        let host = |name: &String| Host {
            name: name.clone(),
            address: host(name),
            transport: Transport::Local,
            become_: Become::No,
        };
        self.lock().nodes.keys().map(host).map(|host| (host.address.clone(), host)).collect()
    }

    /// The machines that were told to boot, in order.
    pub(crate) fn orders(&self) -> Vec<String> {
        self.lock().orders.clone()
    }

    /// How many members were not well at a time, at most.
    pub(crate) fn most_down(&self) -> usize {
        self.lock().most_down
    }

    /// What runs on each machine.
    pub(crate) fn running(&self) -> Vec<String> {
        let value = |node: &Node| match node.running.get(&"x".into()) {
            Some(Raw::Text(text)) => text.clone(),
            _ => "absent".to_owned(),
        };
        self.lock().nodes.values().map(value).collect()
    }

    pub(crate) fn configured(&self) -> Vec<String> {
        let value = |node: &Node| match node.file.get(&"x".into()) {
            Some(Raw::Text(text)) => text.clone(),
            _ => "absent".to_owned(),
        };
        self.lock().nodes.values().map(value).collect()
    }

    /// One moment at which the process may die. Returns whether it is alive.
    pub(crate) fn moment(&self, when: fn(usize) -> Death, counts: bool) -> bool {
        let mut inner = self.lock();
        inner.moments += usize::from(counts);
        let moment = when(inner.moments);
        if inner.death == Some(moment) {
            inner.is_dead = true;
            self.1.notify_one();
        }
        !inner.is_dead
    }

    /// Waits until the process dies.
    pub(crate) async fn death(&self) {
        self.1.notified().await;
    }

    /// Another process begins.
    pub(crate) fn lives(&self) {
        let mut inner = self.lock();
        inner.is_dead = false;
        inner.death = None;
    }
}

impl Inner {
    fn pass_time(&mut self) {
        let now = Instant::now();
        for node in self.nodes.values_mut() {
            if node.back_at.is_some_and(|at| at <= now) {
                node.back_at = None;
                node.boots += 1;
                if !matches!(node.boot, Boot::Forgets(_)) {
                    node.running.clone_from(&node.file);
                }
                node.well_at = Some(now + node.lag);
            }
        }
    }

    pub(crate) fn is_well(node: &Node) -> bool {
        node.back_at.is_none()
            && node.well_at.is_none_or(|at| at <= Instant::now())
            && !node.is_sick
            && node.running.get(&"x".into()) != Some(&text("bad"))
    }

    pub(crate) fn healthy(&mut self) -> usize {
        self.pass_time();
        self.nodes.values().filter(|node| Self::is_well(node)).count()
    }

    /// Whether the cluster says at the moment that something else is wrong.
    pub(crate) fn is_red(&mut self) -> bool {
        let since = Instant::now().duration_since(*self.began.get_or_insert_with(Instant::now));
        self.red.iter().any(|(from, to)| *from <= since && since < *to)
    }
}

impl Connector for Cluster {
    fn connect(&self, host: &Host) -> Arc<dyn Connection> {
        Arc::new(Wire { cluster: self.clone(), name: host.address.name.clone() })
    }
}

#[derive(Debug)]
struct Wire {
    cluster: Cluster,
    name: String,
}

impl Wire {
    fn away(&self, sent: Sent) -> ConnectionError {
        let message = format!("`{}` does not answer", self.name);
        ConnectionError { code: Code("fake::away"), sent, transient: true, message, help: None }
    }

    /// Carries one call out, unless the machine is down or the process dies before or after it.
    async fn call<T>(&self, what: &str, act: impl FnOnce(&mut Inner) -> T) -> Result<T, ConnectionError> {
        time::sleep(Duration::from_millis(20)).await;
        if !self.cluster.moment(Death::Before, true) {
            std::future::pending::<()>().await;
        }
        let done = {
            let mut inner = self.cluster.lock();
            inner.pass_time();
            let node = &inner.nodes[&self.name];
            // Of one that is stranded an API tells, as of a virtual machine.
            let is_down =
                node.back_at.is_some() && !(node.is_stranded() && ["sight", "reboot", "fence"].contains(&what));
            inner.log.push(format!("{} {what}{}", self.name, if is_down { " (down)" } else { "" }));
            (!is_down).then(|| act(&mut inner))
        };
        let is_swallowed = done.is_none() && self.cluster.node(&self.name, |node| node.swallows);
        if is_swallowed || !self.cluster.moment(Death::After, false) {
            std::future::pending::<()>().await;
        }
        done.ok_or_else(|| self.away(Sent::No))
    }
}

impl Connection for Wire {
    fn read<'a>(&'a self, request: &'a ReadRequest) -> Pending<'a, Result<HostReading, ConnectionError>> {
        Box::pin(async move {
            let what = if request.fence.is_some() { "fence" } else { "read" };
            self.call(what, |inner| inner.nodes.get_mut(&self.name).unwrap().read(&self.name, request)).await
        })
    }

    fn apply<'a>(&'a self, batch: &'a Batch) -> Pending<'a, Result<Vec<Outcome>, ConnectionError>> {
        Box::pin(async move { self.call("apply", |inner| inner.nodes.get_mut(&self.name).unwrap().apply(batch)).await })
    }

    fn confirm<'a>(&'a self, _: &'a Batch) -> Pending<'a, Result<(), ConnectionError>> {
        Box::pin(async { Ok(()) })
    }

    fn sight<'a>(&'a self, activation: &'a Activation) -> Pending<'a, Result<Sight, ConnectionError>> {
        Box::pin(async move {
            assert!(matches!(activation.verb, Verb::Reboot | Verb::BootImage), "{activation}");
            self.call("sight", |inner| {
                let node = &inner.nodes[&self.name];
                if node.is_stranded() {
                    let waits_for = Some("somebody to start it".to_owned());
                    return Sight { mark: "off".to_owned(), waits_for, is_stranded: true };
                }
                // The last units start two seconds after ssh.
                let starts = node
                    .well_at
                    .is_some_and(|at| at > Instant::now() + node.lag.saturating_sub(Duration::from_secs(2)));
                let waits_for = starts.then(|| "units to start".to_owned());
                Sight { mark: format!("boot {}", node.boots), waits_for, is_stranded: false }
            })
            .await
        })
    }

    fn activate<'a>(&'a self, order: &'a Order) -> Pending<'a, Result<(), ConnectionError>> {
        Box::pin(async move {
            let done = self.call(&order.activation.to_string(), |inner| inner.activate(&self.name, order)).await?;
            match done {
                Ok(()) if order.activation.verb == Verb::Reboot => Err(self.away(Sent::Perhaps)),
                Ok(()) => Ok(()),
                Err(message) => Err(ConnectionError {
                    code: Code("fake::refused"),
                    sent: Sent::Perhaps,
                    transient: false,
                    message,
                    help: None,
                }),
            }
        })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {})
    }
}

impl Inner {
    fn activate(&mut self, name: &str, order: &Order) -> Result<(), String> {
        let node = self.nodes.get_mut(name).unwrap();
        node.admit((order.epoch.run, order.epoch.sequence))?;
        if order.activation.verb == Verb::BootImage {
            return if self.image_fails { Err("no space left".to_owned()) } else { Ok(()) };
        }
        // The start that is to end is over for one that is stranded, and the order goes on from there.
        if order.mark != format!("boot {}", node.boots) && !node.is_stranded() {
            return Ok(());
        }
        self.orders.push(name.to_owned());
        if let (true, Boot::Stranded(takes)) = (node.is_stranded(), node.boot) {
            node.boot = Boot::Takes(takes);
            node.back_at = Some(Instant::now() + takes);
            return Ok(());
        }
        if node.boot == Boot::OrderLost {
            node.boot = Boot::Takes(Duration::from_secs(40));
            return Ok(());
        }
        let takes = match node.boot {
            Boot::Takes(takes) | Boot::Forgets(takes) => takes,
            Boot::LateOnce(takes) => {
                node.boot = Boot::Takes(Duration::from_secs(40));
                takes
            }
            Boot::Never | Boot::OrderLost | Boot::Stranded(_) => Duration::from_hours(10_000),
        };
        node.back_at = Some(Instant::now() + takes);
        let down = self.nodes.values().filter(|node| !Self::is_well(node)).count();
        self.most_down = self.most_down.max(down);
        let orders = self.orders.len();
        if let Some((_, next)) = self.next_leader.take_if(|(after, _)| *after <= orders) {
            self.leader = next;
        }
        Ok(())
    }
}

impl Node {
    fn is_stranded(&self) -> bool {
        self.back_at.is_some() && matches!(self.boot, Boot::Stranded(_))
    }

    fn admit(&mut self, epoch: (u64, u64)) -> Result<(), String> {
        if epoch <= self.highest {
            return Err(format!("{epoch:?} comes after {:?}", self.highest));
        }
        self.highest = epoch;
        Ok(())
    }

    fn read(&mut self, name: &str, request: &ReadRequest) -> HostReading {
        if let Some(fence) = &request.fence {
            self.highest = self.highest.max((fence.epoch.run, fence.epoch.sequence));
        }
        let layer = |raw: Option<&Raw>| match raw {
            Some(Raw::Text(text)) => Layer { value: Some(text.clone()), source: None },
            _ => Layer::default(),
        };
        let item = |key: &ItemKey| {
            let reading = ItemReading {
                raw: self.file.get(key).cloned().unwrap_or(Raw::Absent),
                running: layer(self.running.get(key)),
                configured: layer(self.file.get(key)),
                next_start: layer(self.file.get(key)),
                writable: true,
            };
            (key.clone(), Ok(reading))
        };
        let readings = request
            .lookups
            .iter()
            .map(|lookup| Reading { items: lookup.keys.iter().map(item).collect(), ..Reading::default() });
        let facts = Facts {
            machine_id: Some(format!("id of {name}")),
            boot_id: Some(format!("{name} boot {}", self.boots)),
            ledgers: Some(self.ledgers.values().cloned().collect()),
            ..Facts::default()
        };
        HostReading { facts, readings: readings.collect() }
    }

    fn apply(&mut self, batch: &Batch) -> Vec<Outcome> {
        self.admit((batch.epoch.run, batch.epoch.sequence)).unwrap();
        self.ledgers.insert(batch.lineage.clone(), batch.ledger.clone());
        let mut outcomes = Vec::new();
        for item in &batch.items {
            let live = self.file.get(&item.key).cloned().unwrap_or(Raw::Absent);
            if self.refuses && item.change.after == text("new") {
                outcomes.push(Outcome::Refused { message: "the disk says no".to_owned() });
            } else if live != item.change.before && live != item.change.after {
                outcomes.push(Outcome::Conflict { live });
            } else {
                self.file.insert(item.key.clone(), item.change.after.clone());
                outcomes.push(Outcome::Done);
            }
        }
        if outcomes.iter().all(|outcome| *outcome == Outcome::Done) {
            match &batch.ledger_after {
                Some(after) => self.ledgers.insert(batch.lineage.clone(), after.clone()),
                None => self.ledgers.remove(&batch.lineage),
            };
        }
        outcomes
    }
}
