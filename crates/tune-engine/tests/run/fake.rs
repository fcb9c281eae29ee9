//! A host made of a map, which answers the contract and does once what it is told to; and a store made of a list.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use schemars::JsonSchema;
use tune_core::contract::{
    Batch, Connection, ConnectionError, Connector, Desired, DesiredItem, Impact, ItemImpact, Kind, Kinds, Outcome,
    Pending, Question, ReadRequest, Sent,
};
use tune_core::item::{ItemKey, Raw};
use tune_core::journal::Event;
use tune_core::ledger::Ledger;
use tune_core::path::AttributePath;
use tune_core::plan::{Mistake, Operation, Plan, Request, Rolling, Selection};
use tune_core::problem::{Code, Explanation, Problem};
use tune_core::reading::{Facts, HostReading, ItemReading, Layer, Reading};
use tune_core::resource::{Become, Host, Lifecycle, Resource, Transport};
use tune_core::schema::KindSchema;
use tune_core::state::{RunRecord, State};
use tune_core::{Address, Value};
use tune_engine::{Clock, Committed, Conduct, Engine, EngineError, Limits, Report, Silent, Stop, Store, StoreError};

/// What a host does with one request, instead of answering at once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Happening {
    Answers,
    /// It cannot be reached; the request may have arrived.
    Away(Sent),
    /// It never answers.
    Hangs,
    Slow(Duration),
    /// It does everything, and its answer is lost.
    WritesAndIsSilent,
    /// It writes one item and dies; its answer is lost.
    WritesOneAndDies,
    /// It refuses every item.
    Refuses,
}

/// Hosts.
#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    machines: BTreeMap<String, Machine>,
    connections: usize,
    closed: usize,
}

#[derive(Default)]
struct Machine {
    id: String,
    items: BTreeMap<ItemKey, Raw>,
    ledgers: BTreeMap<String, Ledger>,
    is_away: bool,
    next: VecDeque<Happening>,
    log: Vec<String>,
    /// What an armed restore would put back.
    armed: BTreeMap<ItemKey, Raw>,
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake")
    }
}

pub(crate) fn host(name: &str) -> Address {
    Address::new("host", name)
}

pub(crate) fn text(value: &str) -> Raw {
    Raw::Text(value.to_owned())
}

pub(crate) fn setting(name: &str, on: &str, settings: &[(&str, &str)]) -> Resource {
    let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
    Resource {
        provider: None,
        address: Address::new("setting", name),
        attributes: BTreeMap::from([
            ("host".to_owned(), Value::String(host(on).to_string())),
            ("settings".to_owned(), Value::Map(settings)),
        ]),
        depends_on: BTreeSet::new(),
        lifecycle: Lifecycle::default(),
    }
}

impl Fake {
    pub(crate) fn of(names: &[&str]) -> Self {
        let fake = Self::default();
        for name in names {
            let machine = Machine { id: format!("id of {name}"), ..Machine::default() };
            fake.lock().machines.insert((*name).to_owned(), machine);
        }
        fake
    }

    pub(crate) fn hosts(&self) -> BTreeMap<Address, Host> {
        let host = |name: &String| Host {
            name: name.clone(),
            address: host(name),
            transport: Transport::Local,
            become_: Become::No,
        };
        self.lock().machines.keys().map(host).map(|host| (host.address.clone(), host)).collect()
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine::new(Arc::new(self.clone()), kinds(), Arc::new(Counter::default()), Limits::default())
    }

    pub(crate) async fn apply(&self, memory: &mut Memory, wants: &[Resource]) -> Result<Report, EngineError> {
        self.run(memory, wants, &Operation::Apply, &Stop::default()).await
    }

    pub(crate) async fn run(
        &self,
        memory: &mut Memory,
        wants: &[Resource],
        operation: &Operation,
        stop: &Stop,
    ) -> Result<Report, EngineError> {
        let engine = self.engine();
        let plan = self.plan_with(&engine, memory, wants, operation).await.map_err(EngineError::Mistakes)?;
        engine.run(memory, &plan, &Conduct::none(), "test", "me@here", &Silent, stop).await
    }

    pub(crate) async fn plan(
        &self,
        memory: &Memory,
        wants: &[Resource],
        operation: &Operation,
    ) -> Result<Plan, Vec<Mistake>> {
        self.plan_with(&self.engine(), memory, wants, operation).await
    }

    pub(crate) async fn plan_with(
        &self,
        engine: &Engine,
        memory: &Memory,
        wants: &[Resource],
        operation: &Operation,
    ) -> Result<Plan, Vec<Mistake>> {
        let resources = wants.iter().map(|resource| (resource.address.clone(), resource.clone())).collect();
        let request = Request {
            rolling: Rolling::none(),
            operation,
            kinds: &engine.kinds,
            hosts: &self.hosts(),
            resources: &resources,
            state: memory.state(),
            runs: memory.runs(),
            selection: &Selection::default(),
        };
        engine.plan(&request, &Silent).await
    }

    /// Says what a host does with its next request; in a row, with the ones after it.
    pub(crate) fn will(&self, name: &str, happening: Happening) {
        self.machine(name, |machine| machine.next.push_back(happening));
    }

    /// Makes a host unreachable for every request for which nothing else was said.
    pub(crate) fn is_away(&self, name: &str, is_away: bool) {
        self.machine(name, |machine| machine.is_away = is_away);
    }

    pub(crate) fn reinstall(&self, name: &str) {
        self.machine(name, |machine| "another one".clone_into(&mut machine.id));
    }

    pub(crate) fn set(&self, name: &str, key: &str, value: &str) {
        self.machine(name, |machine| machine.items.insert(key.into(), text(value)));
    }

    pub(crate) fn live(&self, name: &str, key: &str) -> Raw {
        self.machine(name, |machine| machine.live(&key.into()))
    }

    pub(crate) fn ledger(&self, name: &str) -> Option<Ledger> {
        self.machine(name, |machine| machine.ledgers.values().next().cloned())
    }

    pub(crate) fn log(&self, name: &str) -> Vec<String> {
        self.machine(name, |machine| machine.log.clone())
    }

    pub(crate) fn clear_log(&self, name: &str) {
        self.machine(name, |machine| machine.log.clear());
    }

    pub(crate) fn connections(&self) -> usize {
        self.lock().connections
    }

    pub(crate) fn closed(&self) -> usize {
        self.lock().closed
    }

    fn machine<T>(&self, name: &str, with: impl FnOnce(&mut Machine) -> T) -> T {
        with(self.lock().machines.get_mut(name).unwrap())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }
}

impl Connector for Fake {
    fn connect(&self, host: &Host) -> Arc<dyn Connection> {
        self.lock().connections += 1;
        Arc::new(Wire { fake: self.clone(), name: host.address.name.clone() })
    }
}

#[derive(Debug)]
struct Wire {
    fake: Fake,
    name: String,
}

impl Wire {
    /// Lets happen what was said about the next request, and notes it. Returns whether the answer is lost.
    async fn arrive(&self, what: String) -> Result<Option<Happening>, ConnectionError> {
        let happening = self.fake.machine(&self.name, |machine| {
            let otherwise = if machine.is_away { Happening::Away(Sent::No) } else { Happening::Answers };
            let happening = machine.next.pop_front().unwrap_or(otherwise);
            let verb = what.split(' ').next().unwrap_or_default().to_owned();
            machine.log.push(match happening {
                Happening::Away(_) => format!("{verb} away"),
                Happening::Hangs => format!("{verb} hangs"),
                _ => what,
            });
            happening
        });
        match happening {
            Happening::Answers => Ok(None),
            Happening::Away(sent) => Err(self.away(sent)),
            Happening::Hangs => std::future::pending().await,
            Happening::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(None)
            }
            other => Ok(Some(other)),
        }
    }

    fn away(&self, sent: Sent) -> ConnectionError {
        let message = format!("`{}` is away", self.name);
        ConnectionError { code: Code("fake::away"), sent, transient: true, message, help: None }
    }
}

impl Connection for Wire {
    fn read<'a>(&'a self, request: &'a ReadRequest) -> Pending<'a, Result<HostReading, ConnectionError>> {
        Box::pin(async move {
            let epoch = request.fence.as_ref().map(|fence| fence.epoch);
            self.arrive(epoch.map_or("read".to_owned(), |at| format!("fence {}.{}", at.run, at.sequence))).await?;
            Ok(self.fake.machine(&self.name, |machine| {
                if request.fence.is_some() {
                    machine.items.extend(std::mem::take(&mut machine.armed));
                }
                machine.read(request)
            }))
        })
    }

    fn apply<'a>(&'a self, batch: &'a Batch) -> Pending<'a, Result<Vec<Outcome>, ConnectionError>> {
        Box::pin(async move {
            let armed = if batch.restore_after.is_some() { " armed" } else { "" };
            let what = format!("apply {}.{}{armed}", batch.epoch.run, batch.epoch.sequence);
            let happening = self.arrive(what).await?;
            if matches!(happening, Some(Happening::Refuses)) {
                self.fake.machine(&self.name, |machine| machine.apply(batch, 0));
                let refused = Outcome::Refused { message: "the kernel says no".to_owned() };
                return Ok(vec![refused; batch.items.len()]);
            }
            let items = if matches!(happening, Some(Happening::WritesOneAndDies)) { 1 } else { usize::MAX };
            let outcomes = self.fake.machine(&self.name, |machine| machine.apply(batch, items));
            if happening.is_some() { Err(self.away(Sent::Perhaps)) } else { Ok(outcomes) }
        })
    }

    fn confirm<'a>(&'a self, _: &'a Batch) -> Pending<'a, Result<(), ConnectionError>> {
        Box::pin(async move {
            self.arrive("confirm".to_owned()).await?;
            self.fake.machine(&self.name, |machine| machine.armed.clear());
            Ok(())
        })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async move { self.fake.lock().closed += 1 })
    }
}

impl Machine {
    fn live(&self, key: &ItemKey) -> Raw {
        self.items.get(key).cloned().unwrap_or(Raw::Absent)
    }

    fn read(&self, request: &ReadRequest) -> HostReading {
        let item = |key: &ItemKey| {
            let (running, configured, next_start) = (Layer::default(), Layer::default(), Layer::default());
            (key.clone(), Ok(ItemReading { raw: self.live(key), running, configured, next_start, writable: true }))
        };
        let readings = request
            .lookups
            .iter()
            .map(|lookup| Reading { items: lookup.keys.iter().map(item).collect(), ..Reading::default() });
        let facts = Facts {
            machine_id: Some(self.id.clone()),
            boot_id: Some(self.id.clone()),
            ledgers: Some(self.ledgers.values().cloned().collect()),
            ..Facts::default()
        };
        HostReading { facts, readings: readings.collect() }
    }

    fn apply(&mut self, batch: &Batch, limit: usize) -> Vec<Outcome> {
        self.ledgers.insert(batch.lineage.clone(), batch.ledger.clone());
        let mut outcomes = Vec::new();
        for item in batch.items.iter().take(limit) {
            let live = self.live(&item.key);
            if live != item.change.before && live != item.change.after {
                outcomes.push(Outcome::Conflict { live });
                continue;
            }
            self.items.insert(item.key.clone(), item.change.after.clone());
            if batch.restore_after.is_some() {
                self.armed.insert(item.key.clone(), live);
            }
            outcomes.push(Outcome::Done);
        }
        if outcomes.len() == batch.items.len() && outcomes.iter().all(|outcome| *outcome == Outcome::Done) {
            match &batch.ledger_after {
                Some(after) => self.ledgers.insert(batch.lineage.clone(), after.clone()),
                None => self.ledgers.remove(&batch.lineage),
            };
        }
        outcomes
    }
}

/// A setting that is a text; writing `cut` may cut the connection.
#[derive(Debug)]
struct Setting(KindSchema);

#[derive(serde::Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Attributes {
    host: String,
    settings: BTreeMap<String, String>,
}

fn kinds() -> Kinds {
    let kind: Arc<dyn Kind> = Arc::new(Setting(KindSchema::of::<Attributes>("setting")));
    BTreeMap::from([("setting", kind)])
}

impl Kind for Setting {
    fn schema(&self) -> &KindSchema {
        &self.0
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn desired(&self, resource: &Resource) -> Result<Desired, Vec<Problem>> {
        let host = resource.attributes["host"].as_str().unwrap().parse().unwrap();
        let Value::Map(settings) = &resource.attributes["settings"] else { return Err(Vec::new()) };
        let item = |(key, value): (&String, &Value)| DesiredItem {
            key: ItemKey(key.clone()),
            path: AttributePath::attribute("settings").key(key),
            want: text(value.as_str().unwrap()),
        };
        Ok(Desired { host, guest: None, items: settings.iter().map(item).collect() })
    }

    fn canonical(&self, _: &ItemKey, raw: &Raw) -> Raw {
        raw.clone()
    }

    fn impact(&self, _: &Question<'_>) -> Impact {
        let cuts = ItemImpact { may_cut_connection: true, ..ItemImpact::default() };
        Impact { items: BTreeMap::from([("cut".into(), cuts)]), ..Impact::default() }
    }
}

#[derive(Debug, Default)]
struct Counter(AtomicU64);

/// The engines of all tests in one process name states apart.
static NAMES: AtomicU64 = AtomicU64::new(0);

impl Clock for Counter {
    fn now(&self) -> String {
        format!("2026-11-20T17:00:{:02}Z", self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn new_id(&self) -> String {
        format!("id-{}", NAMES.fetch_add(1, Ordering::Relaxed))
    }
}

/// A store that counts what is made durable.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    state: State,
    runs: Vec<RunRecord>,
    events: Vec<Event>,
    sequence: u64,
    flushes: usize,
    good: Option<usize>,
}

impl Memory {
    pub(crate) fn of(state: State) -> Self {
        Self { state, ..Self::default() }
    }

    pub(crate) fn flushes(&self) -> usize {
        self.flushes
    }

    /// Lets every append fail after so many more.
    pub(crate) fn fails_after(&mut self, appends: usize) {
        self.good = Some(appends);
    }

    pub(crate) fn works_again(&mut self) {
        self.good = None;
    }
}

impl Store for Memory {
    fn state(&self) -> &State {
        &self.state
    }

    fn runs(&self) -> &[RunRecord] {
        &self.runs
    }

    fn open_run(&self) -> Option<&[Event]> {
        Some(self.events.as_slice()).filter(|events| !events.is_empty())
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn append(&mut self, events: &[Event]) -> Result<(), StoreError> {
        if let Some(good) = &mut self.good {
            if *good == 0 {
                let source = io::Error::from(io::ErrorKind::StorageFull);
                return Err(StoreError::Io { what: "write", path: PathBuf::from("journal"), source });
            }
            *good -= 1;
        }
        self.flushes += 1;
        self.events.extend_from_slice(events);
        Ok(())
    }

    fn commit(&mut self, state: State, run: RunRecord) -> Result<Committed, StoreError> {
        self.state = state;
        self.runs.push(run);
        self.events.clear();
        Ok(Committed { export: Ok(()) })
    }

    fn replace(&mut self, state: State) -> Result<Committed, StoreError> {
        self.state = state;
        Ok(Committed { export: Ok(()) })
    }
}
