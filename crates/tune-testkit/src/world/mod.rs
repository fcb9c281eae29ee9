//! A fleet in memory: machines with kernels, files and ledgers, which the engine reaches through the same contract as real
//! hosts, and on which everything can go wrong at any call.
//!
//! Invariant: the world is deterministic. Late scripts and detached restores wait for a number of calls that reach their
//! machine, or for [`World::pass`]. Only machines with a switch ([`World::switch`]) know time, the paused one of the test,
//! and their randomness is that of [`World::seed`].
//!
//! Invariant: the world checks the laws itself, at every write of every batch. [`crate::faults::Faults::violations`] tells
//! what was broken; a test that uses the world must look there.

mod connection;
mod group;
mod machine;
mod order;
mod power;
mod script;
mod truth;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tune_core::contract::{Connection, Connector, Kinds};
use tune_core::item::{ItemKey, Raw};
use tune_core::problem::Code;
use tune_core::resource::{Host, Transport};
use tune_engine::RunEvent;
use tune_engine::watch::Phase;
use tune_remote::HostKind;

pub use group::{Group, Votes};
pub use machine::{Knob, Machine, Rule};
pub use power::{Cause, Fate, Happening, Node};
pub use truth::{Durable, Origin, Writer};

use crate::faults::Faults;
use crate::random::Random;
use power::Site;
use script::{HostKinds, Restore, Scene, Script};
use truth::Truth;

/// A machine refused a batch of an earlier epoch.
pub const FENCED: Code = Code("tune::world::fenced");
/// A machine's disk is full.
pub const DISK_FULL: Code = Code("tune::world::disk_full");
/// A machine cannot be reached.
pub const AWAY: Code = Code("tune::world::away");
/// A connection was lost.
pub const LOST: Code = Code("tune::world::lost");
/// A request to which no answer ever comes. The engine never sees this code.
const HANGS: Code = Code("tune::world::hangs");
/// A machine is held by a script that does not end.
pub const BUSY: Code = Code("tune::world::busy");

/// The machines of one test. Clones are the same world.
#[derive(Debug, Clone)]
pub struct World {
    inner: Arc<Mutex<Inner>>,
    faults: Faults,
}

#[derive(Debug)]
struct Inner {
    kinds: HostKinds,
    bodies: BTreeMap<String, Body>,
    /// Which machine answers under an address, where that is not the machine of that name.
    addresses: BTreeMap<String, String>,
    site: Site,
}

/// A machine with what is going on there.
#[derive(Debug)]
struct Body {
    machine: Machine,
    truth: Truth,
    late: Vec<Late>,
    restore: Option<Restore>,
}

/// A script that nobody listens to any more.
#[derive(Debug)]
struct Late {
    script: Script,
    calls_left: usize,
    /// Whether it holds the lock, or has not even begun.
    holds_lock: bool,
}

impl World {
    /// Returns a world without machines, in which items of these kinds live.
    pub fn new(kinds: impl IntoIterator<Item = Arc<dyn HostKind>>, faults: &Faults) -> Self {
        let kinds = kinds.into_iter().map(|kind| (kind.schema().kind.to_owned(), kind)).collect();
        let inner = Inner { kinds, bodies: BTreeMap::new(), addresses: BTreeMap::new(), site: Site::default() };
        Self { inner: Arc::new(Mutex::new(inner)), faults: faults.clone() }
    }

    /// Puts a machine into the world; it answers under its name.
    pub fn add(&self, name: &str, machine: Machine) {
        let body = Body { machine, truth: Truth::default(), late: Vec::new(), restore: None };
        self.lock().bodies.insert(name.to_owned(), body);
    }

    /// Takes a machine out of the world.
    pub fn remove(&self, name: &str) {
        self.lock().bodies.remove(name);
    }

    /// Checks from now on, at every write, what this says is durable.
    pub fn witness(&self, witness: impl Fn() -> Arc<Durable> + Send + Sync + 'static) {
        let witness: truth::Witness = Arc::new(witness);
        for body in self.lock().bodies.values_mut() {
            body.truth.witness = Some(witness.clone());
        }
    }

    /// Says whether reverts may overwrite what a person wrote.
    pub fn may_overwrite(&self, may: bool) {
        for body in self.lock().bodies.values_mut() {
            body.truth.may_overwrite = may;
        }
    }

    /// Returns the kinds as the engine takes them.
    pub fn kinds(&self) -> Kinds {
        let kinds = self.lock().kinds.clone();
        kinds.into_values().map(|kind| (kind.schema().kind, kind as Arc<dyn tune_core::contract::Kind>)).collect()
    }

    /// Returns the faults of this world.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Returns a machine as it is now.
    pub fn machine(&self, name: &str) -> Machine {
        self.lock().body(name).machine.clone()
    }

    /// Returns all machines as they are now.
    pub fn machines(&self) -> BTreeMap<String, Machine> {
        self.lock().bodies.iter().map(|(name, body)| (name.clone(), body.machine.clone())).collect()
    }

    /// Returns what the world knows of a machine's items.
    pub fn origins(&self, name: &str) -> BTreeMap<(String, ItemKey), Origin> {
        self.lock().body(name).truth.items.clone()
    }

    /// Returns what an item is now.
    pub fn live(&self, name: &str, kind: &str, key: &ItemKey) -> Raw {
        let inner = self.lock();
        let target = inner.kinds[kind].target(key).expect("the key is an item of the kind");
        inner.bodies[name].machine.read(&target)
    }

    /// Returns whether two forms of an item mean the same.
    pub fn same(&self, kind: &str, key: &ItemKey, a: &Raw, b: &Raw) -> bool {
        let inner = self.lock();
        inner.kinds[kind].canonical(key, a) == inner.kinds[kind].canonical(key, b)
    }

    /// Changes a machine in a way that concerns no item: its identity, its defaults, whether it is away.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Machine)) {
        change(&mut self.lock().body_mut(name).machine);
    }

    /// Changes an item by hand.
    pub fn drift(&self, name: &str, kind: &str, key: &ItemKey, raw: &Raw) {
        self.lock().by_hand(name, kind, key, raw);
    }

    /// Gives a machine a switch: from now on it can be told to boot, and takes its guests with it.
    pub fn switch(&self, name: &str, node: Node) {
        self.lock().site.nodes.insert(name.to_owned(), node);
    }

    /// Says which machine stands for the API that knows the virtual machines.
    pub fn api(&self, name: &str) {
        self.lock().site.api = Some(name.to_owned());
    }

    /// Holds `tune` to the laws of a group from now on.
    pub fn group(&self, name: &str, group: Group) {
        self.lock().site.groups.insert(name.to_owned(), group);
    }

    /// Changes a group.
    pub fn change_group(&self, name: &str, change: impl FnOnce(&mut Group)) {
        change(self.lock().site.groups.get_mut(name).expect("the group is in the world"));
    }

    /// Returns the groups as they are now.
    pub fn groups(&self) -> BTreeMap<String, Group> {
        self.lock().site.groups.clone()
    }

    /// Makes times that nobody decides depend on this number.
    pub fn seed(&self, seed: u64) {
        self.lock().site.random = Random::new(seed);
    }

    /// Lets something happen after a while.
    pub fn after(&self, delay: Duration, happening: Happening) {
        let mut inner = self.lock();
        let at = inner.site.time + delay;
        inner.site.at(at, happening);
    }

    /// Returns how long the world has existed, as far as somebody looked.
    pub fn time(&self) -> Duration {
        self.lock().site.time
    }

    /// Brings the world to the present of the test's clock.
    pub fn catch_up(&self) {
        self.lock().catch_up(&self.faults);
    }

    /// Nothing more goes wrong from now on, and somebody switches on what is down.
    pub fn heal(&self) {
        let mut inner = self.lock();
        inner.site.calm();
        inner.switch_on();
    }

    /// Returns what a group says of itself.
    pub fn votes(&self, group: &str) -> Option<Votes> {
        let mut inner = self.lock();
        inner.catch_up(&self.faults);
        inner.votes(group)
    }

    /// Returns whether a machine is up and keeps up.
    pub fn is_well(&self, name: &str) -> bool {
        self.lock().is_well(name)
    }

    /// Returns whether a machine runs with a value that it cannot be well with.
    pub fn is_badly_set(&self, name: &str) -> bool {
        self.lock().is_badly_set(name)
    }

    /// Returns the machines to which something happened since the last time that this was asked, and that was not `tune`.
    pub fn touched(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.lock().site.touched)
    }

    /// Takes in what the engine says of its members.
    pub fn hear(&self, event: &RunEvent) {
        let mut inner = self.lock();
        match event {
            RunEvent::Begun { .. } | RunEvent::Settling { .. } => inner.site.taken.clear(),
            RunEvent::MemberDone { member } => inner.hear_done(member, &self.faults),
            RunEvent::Member { phase: Phase::Held { .. }, .. } => {
                self.faults.happened("a failed member was not taken down");
            }
            _ => {}
        }
    }

    /// Waits as long as a request takes on its way.
    pub(crate) async fn distance(&self) {
        // Lets the other members of a wave begin, so that calls to several machines are under way together.
        tokio::task::yield_now().await;
        let distance = {
            let mut inner = self.lock();
            if inner.site.nodes.is_empty() {
                return;
            }
            Duration::from_millis(3 + inner.site.random.number() % 40)
        };
        tokio::time::sleep(distance).await;
    }

    /// Reboots a machine: scripts and armed restores die, and only files are kept.
    pub fn reboot(&self, name: &str) {
        let mut inner = self.lock();
        let Inner { kinds, bodies, .. } = &mut *inner;
        bodies.get_mut(name).expect("the machine is in the world").reboot(kinds, &self.faults);
    }

    /// Lets so much time pass that every late script and every armed restore has had its effect.
    pub fn pass(&self) {
        let mut inner = self.lock();
        let Inner { kinds, bodies, .. } = &mut *inner;
        for body in bodies.values_mut() {
            for _ in 0..LONG {
                body.tick(kinds, &self.faults);
            }
        }
    }

    /// Makes the machine `name` answer under an address.
    pub fn route(&self, address: &str, name: &str) {
        self.lock().addresses.insert(address.to_owned(), name.to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// More calls than any script or restore waits for.
const LONG: usize = 100;

impl Connector for World {
    fn connect(&self, host: &Host) -> Arc<dyn Connection> {
        let address = match &host.transport {
            Transport::Ssh(destination) => destination.address.clone(),
            Transport::Local => "local".to_owned(),
            Transport::Api(api) => api.endpoint.clone(),
        };
        let name = self.lock().addresses.get(&address).cloned().unwrap_or(address);
        Arc::new(connection::Wire { world: self.clone(), name })
    }
}

impl Inner {
    fn body(&self, name: &str) -> &Body {
        self.bodies.get(name).expect("the machine is in the world")
    }

    fn body_mut(&mut self, name: &str) -> &mut Body {
        self.bodies.get_mut(name).expect("the machine is in the world")
    }
}

impl Inner {
    fn by_hand(&mut self, name: &str, kind: &str, key: &ItemKey, raw: &Raw) {
        let Self { kinds, bodies, .. } = self;
        let body = bodies.get_mut(name).expect("the machine is in the world");
        let target = kinds[kind].target(key).expect("the key is an item of the kind");
        let before = body.machine.read(&target);
        body.machine.write(&target, raw).expect("a person writes what the system takes");
        let after = body.machine.read(&target);
        if after != before {
            body.truth.by_hand(&body.machine, kind, key, (&before, &after));
        }
    }
}

impl Body {
    fn scene<'a>(&'a mut self, kinds: &'a HostKinds, faults: &'a Faults) -> (Scene<'a>, &'a mut Vec<Late>) {
        let Self { machine, truth, late, restore } = self;
        (Scene { machine, truth, restore, kinds, faults }, late)
    }

    /// One more call reaches the machine: what waits for calls comes nearer.
    fn tick(&mut self, kinds: &HostKinds, faults: &Faults) {
        for late in &mut self.late {
            late.calls_left = late.calls_left.saturating_sub(1);
        }
        let (mut scene, waiting) = self.scene(kinds, faults);
        for mut due in waiting.extract_if(.., |late| late.calls_left == 0).collect::<Vec<_>>() {
            faults.happened(if due.holds_lock { "a script ended late" } else { "a script began late" });
            due.script.run_to_end(&mut scene);
        }
        // The restore needs the lock as well.
        let is_held = waiting.iter().any(|late| late.holds_lock);
        let Some(restore) = scene.restore.as_mut() else { return };
        restore.calls_left = restore.calls_left.saturating_sub(1);
        if restore.calls_left == 0 && !is_held {
            let restore = scene.restore.take().expect("it was just seen");
            restore.fire(&mut scene);
            scene.truth.check_ledgers(scene.machine, kinds, faults);
        }
    }

    fn reboot(&mut self, kinds: &HostKinds, faults: &Faults) {
        self.reboot_with(kinds, faults, Machine::boot);
    }

    fn reboot_with(&mut self, kinds: &HostKinds, faults: &Faults, boot: impl FnOnce(&mut Machine)) {
        faults.happened("a machine rebooted");
        self.late.clear();
        self.restore = None;
        let read = |machine: &Machine, (kind, key): &(String, ItemKey)| {
            kinds.get(kind).and_then(|kind| kind.target(key)).map(|target| machine.read(&target))
        };
        let slots = self.truth.slots(&self.machine);
        let before: Vec<Option<Raw>> = slots.iter().map(|slot| read(&self.machine, slot)).collect();
        boot(&mut self.machine);
        for (slot, before) in slots.iter().zip(before) {
            let (Some(before), Some(after)) = (before, read(&self.machine, slot)) else { continue };
            if before != after {
                self.truth.by_hand(&self.machine, &slot.0, &slot.1, (&before, &after));
            }
        }
    }
}
