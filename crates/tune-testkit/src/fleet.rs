//! A person with a configuration, a state and a fleet: everything that a test does between two looks at the world. Each
//! command is a process of its own, with an engine of its own, so that a kill leaves nothing behind but what is durable.
//! The clock goes on from one command to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use tune_core::contract::{Connector, Kinds};
use tune_core::plan::{Mistake, Operation, Plan, Request, Rolling, Selection};
use tune_core::resource::{Become, Host, Lifecycle, Resource, SshDestination, Transport};
use tune_core::rollout::{Check, Live as _, Rollout};
use tune_core::source::Sources;
use tune_core::state::{RunRecord, State};
use tune_core::{Address, Value};
use tune_engine::store::{Holder, LocalStore, Store};
use tune_engine::{Clock, Conduct, Engine, EngineError, Limits, Report, RunEvent, Settled, Silent, Stop, Watch};

use crate::faults::Faults;
use crate::store::{Disk, Mirror, Watched};
use crate::votes::{self, Judge};
use crate::world::World;

/// A configuration, a state and a world.
#[derive(Debug)]
pub struct Fleet {
    /// The world.
    pub world: World,
    /// Where the state lives.
    pub home: Home,
    /// The configuration's hosts.
    pub hosts: BTreeMap<Address, Host>,
    /// The configuration's resources.
    pub resources: BTreeMap<Address, Resource>,
    /// The configuration's rollouts.
    pub rollouts: BTreeMap<Address, Rollout>,
    /// The configuration's checks.
    pub checks: BTreeMap<Address, Check>,
    /// The configuration's expressions over what is live.
    pub judge: Judge,
    /// How long a run sits through a soak.
    pub wait: Duration,
    /// When somebody presses Ctrl-C, counted from the beginning of a command's run.
    pub stops: Vec<Duration>,
    kinds: Kinds,
    mirror: Mirror,
    clock: Arc<Counter>,
    runtime: Runtime,
}

/// Where a state lives.
#[derive(Debug, Clone)]
pub enum Home {
    /// In memory.
    Memory(Disk),
    /// In a folder, with the real store.
    Folder(Arc<TempDir>),
}

/// What became of one command.
#[derive(Debug)]
pub struct Ended {
    /// What an earlier interrupted run came to, if there was one and the process lived to tell.
    pub settled: Option<Box<Settled>>,
    /// What became of the command itself.
    pub outcome: Outcome,
}

/// What became of a command itself.
pub enum Outcome {
    /// Its process was killed.
    Killed,
    /// An earlier run could not be settled, so nothing new was begun.
    Open,
    /// There was no plan.
    NoPlan(Vec<Mistake>),
    /// The engine did not begin, or broke off.
    Failed(EngineError),
    /// It ran.
    Ran {
        /// What was planned.
        plan: Box<Plan>,
        /// What became of it.
        report: Box<Report>,
    },
}

/// Leaves the plan out: it says a hundred times what the report says once.
impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed => f.write_str("Killed"),
            Self::Open => f.write_str("Open"),
            Self::NoPlan(mistakes) => f.debug_tuple("NoPlan").field(mistakes).finish(),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            Self::Ran { report, .. } => f.debug_tuple("Ran").field(report).finish(),
        }
    }
}

impl Ended {
    /// Returns the report of a run that came to its end.
    pub fn report(&self) -> Option<&Report> {
        match &self.outcome {
            Outcome::Ran { report, .. } => Some(report),
            _ => None,
        }
    }
}

/// The world's clock, with names from a counter.
#[derive(Debug)]
struct Counter {
    world: World,
    names: AtomicU64,
}

impl Clock for Counter {
    fn now(&self) -> String {
        let seconds = self.world.time().as_secs();
        let (days, hours, minutes) = (1 + seconds / 86400 % 28, seconds / 3600 % 24, seconds / 60 % 60);
        format!("2026-01-{days:02}T{hours:02}:{minutes:02}:{:02}Z", seconds % 60)
    }

    fn new_id(&self) -> String {
        format!("lineage-{}", self.names.fetch_add(1, Ordering::Relaxed))
    }
}

/// Tells the world what the engine says.
#[derive(Debug)]
struct Ear(World);

impl Watch for Ear {
    fn event(&self, event: RunEvent) {
        self.0.hear(&event);
    }
}

impl Fleet {
    /// Returns a fleet with an empty configuration.
    pub fn new(world: World, home: Home) -> Self {
        let mirror = Mirror::default();
        let witness = mirror.clone();
        world.witness(move || witness.durable());
        let kinds = world.kinds();
        let clock = Arc::new(Counter { world: world.clone(), names: AtomicU64::new(0) });
        Self {
            world,
            home,
            hosts: BTreeMap::new(),
            resources: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            checks: BTreeMap::new(),
            judge: Judge::default(),
            wait: Duration::ZERO,
            stops: Vec::new(),
            kinds,
            mirror,
            clock,
            runtime: runtime(),
        }
    }

    /// Returns the faults of its world.
    pub fn faults(&self) -> &Faults {
        self.world.faults()
    }

    /// Writes a host into the configuration; the machine of that name answers.
    pub fn host(&mut self, name: &str) {
        let address = host_address(name);
        self.hosts.insert(address.clone(), host(address, name));
    }

    /// Writes a resource of the toy kind into the configuration, in place of one of the same name.
    pub fn setting(&mut self, name: &str, host: &str, settings: &[(&str, &str)], depends_on: &[&str]) {
        let values = settings.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value)));
        let attributes = [
            ("host", Value::String(host_address(host).to_string())),
            ("settings", Value::Map(values.collect())),
            ("file", Value::from(name)),
        ];
        let address = Address::new("setting", name);
        let resource = Resource {
            provider: None,
            address: address.clone(),
            attributes: attributes.map(|(name, value)| (name.to_owned(), value)).into(),
            depends_on: depends_on.iter().map(|name| Address::new("setting", name)).collect(),
            lifecycle: Lifecycle::default(),
        };
        self.resources.insert(address, resource);
    }

    /// Returns what a plan says now.
    pub fn plan(&self, operation: &Operation, selection: &Selection) -> Result<Plan, Vec<Mistake>> {
        let (state, runs) = self.remembered();
        self.process(async {
            let (engine, sources) = (self.engine(), votes::sources(&self.world));
            let rollouts = self.ordered(&engine, &sources).await;
            let rolling = self.rolling(&rollouts, &sources);
            engine.plan(&self.request(operation, selection, (&state, &runs), rolling), &Silent).await
        })
        .expect("nobody kills a plan")
    }

    /// Runs a command as the binary does: settles what an earlier run left open, plans, and runs the plan.
    pub fn run(&self, operation: &Operation, selection: &Selection) -> Ended {
        self.run_with(operation, selection, || {})
    }

    /// As [`Fleet::run`], with something that happens between the plan and its run.
    pub fn run_with(&self, operation: &Operation, selection: &Selection, between: impl FnOnce()) -> Ended {
        let ended = self.process(async {
            let (engine, sources, ear) = (self.engine(), votes::sources(&self.world), Ear(self.world.clone()));
            let mut store = self.open();
            let settled = match engine.settle(&mut *store, &ear).await {
                Ok(settled) => settled.map(Box::new),
                Err(error) => return Ended { settled: None, outcome: Outcome::Failed(error) },
            };
            if settled.as_ref().is_some_and(|settled| settled.report.open) {
                return Ended { settled, outcome: Outcome::Open };
            }
            let (state, runs) = (store.state().clone(), store.runs().to_vec());
            let rollouts = self.ordered(&engine, &sources).await;
            let request = self.request(operation, selection, (&state, &runs), self.rolling(&rollouts, &sources));
            let plan = match engine.plan(&request, &Silent).await {
                Ok(plan) => plan,
                Err(mistakes) => return Ended { settled, outcome: Outcome::NoPlan(mistakes) },
            };
            between();
            let stop = Stop::default();
            let conduct = Conduct { live: &self.judge, sources: &sources, hosts: &self.hosts, wait: self.wait };
            let run = engine.run(&mut *store, &plan, &conduct, command(operation), "me@here", &ear, &stop);
            let ended = tokio::select! {
                biased;
                ended = run => ended,
                () = self.press(&stop) => unreachable!("whoever presses Ctrl-C waits for ever then"),
            };
            let outcome = match ended {
                Ok(report) => Outcome::Ran { plan: Box::new(plan), report: Box::new(report) },
                Err(error) => Outcome::Failed(error),
            };
            Ended { settled, outcome }
        });
        ended.unwrap_or(Ended { settled: None, outcome: Outcome::Killed })
    }

    /// Settles what an earlier run left open; `None` if the process was killed.
    pub fn settle(&self) -> Option<Result<Option<Settled>, EngineError>> {
        self.process(async {
            let mut store = self.open();
            self.engine().settle(&mut *store, &Ear(self.world.clone())).await
        })
    }

    /// Lets time pass.
    pub fn sleep(&self, time: Duration) {
        self.runtime.block_on(async {
            tokio::time::sleep(time).await;
            self.world.catch_up();
        });
    }

    /// Throws the state away and rebuilds it from the hosts' ledgers, as far as they answer.
    pub fn rebuild(&self) -> Result<State, tune_engine::rebuild::RebuildError> {
        self.process(async { self.engine().rebuild(&self.hosts, None, &Silent).await }).expect("nobody kills a rebuild")
    }

    /// Returns what is remembered, as a plan sees it.
    pub fn remembered(&self) -> (State, Vec<RunRecord>) {
        let store = self.open();
        (store.state().clone(), store.runs().to_vec())
    }

    /// Opens the state, as a process does when it starts.
    pub fn open(&self) -> Box<dyn Store> {
        match &self.home {
            Home::Memory(disk) => Box::new(Watched::new(disk.open(), self.faults(), &self.mirror)),
            Home::Folder(folder) => {
                let store =
                    LocalStore::open(folder.path(), &holder(), Duration::ZERO).expect("the folder can be opened");
                self.mirror.expect(&store);
                Box::new(Watched::new(store, self.faults(), &self.mirror))
            }
        }
    }

    fn engine(&self) -> Engine {
        let connector: Arc<dyn Connector> = Arc::new(self.world.clone());
        Engine::new(connector, self.kinds.clone(), self.clock.clone(), Limits::default())
    }

    fn request<'a>(
        &'a self,
        operation: &'a Operation,
        selection: &'a Selection,
        (state, runs): (&'a State, &'a [RunRecord]),
        rolling: Rolling<'a>,
    ) -> Request<'a> {
        let Self { kinds, hosts, resources, .. } = self;
        Request { operation, kinds, hosts, resources, state, runs, selection, rolling }
    }

    fn rolling<'a>(&'a self, rollouts: &'a BTreeMap<Address, Rollout>, sources: &'a Sources) -> Rolling<'a> {
        Rolling { rollouts, checks: &self.checks, sources, controller: None }
    }

    /// Returns the rollouts as the data says who goes last. Where it says nothing, nobody is moved.
    async fn ordered(&self, engine: &Engine, sources: &Sources) -> BTreeMap<Address, Rollout> {
        let mut rollouts = self.rollouts.clone();
        for rollout in rollouts.values_mut().filter(|rollout| !rollout.last_depends_on.is_empty()) {
            let looked = engine.look(sources, &rollout.last_depends_on, &self.hosts, &Silent).await;
            let answers = looked.into_iter().filter_map(|(name, answer)| Some((name, answer.ok()?))).collect();
            rollout.last = self.judge.last(&rollout.address, &answers).unwrap_or_default();
        }
        rollouts
    }

    /// Presses Ctrl-C whenever it is time to, and then waits for ever.
    async fn press(&self, stop: &Stop) {
        let began = Instant::now();
        for time in &self.stops {
            tokio::time::sleep_until(began + *time).await;
            self.faults().happened("somebody pressed Ctrl-C");
            stop.ask();
        }
        pending::<()>().await;
    }

    /// Runs one process to its end, or to the moment at which it is killed.
    fn process<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let done = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.faults().killed() => None,
                done = work => Some(done),
            }
        });
        // A process that was killed by its last write has nothing to say either.
        done.filter(|_| !self.faults().is_killed())
    }
}

/// A runtime of one thread whose clock goes on only when everybody waits.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime can be built")
}

/// Returns the address of a host block.
pub fn host_address(name: &str) -> Address {
    Address::new("host", name)
}

fn host(address: Address, name: &str) -> Host {
    let destination = SshDestination { address: name.to_owned(), user: None, port: None, config: None };
    Host { name: address.own_name(), address, transport: Transport::Ssh(destination), become_: Become::No }
}

fn holder() -> Holder {
    Holder {
        user: "me".to_owned(),
        host: "here".to_owned(),
        pid: 1,
        command: "test".to_owned(),
        since: "2026-01-01T00:00:00Z".to_owned(),
    }
}

fn command(operation: &Operation) -> &'static str {
    match operation {
        Operation::Apply => "apply",
        Operation::Destroy => "destroy",
        Operation::RefreshOnly => "refresh",
        Operation::Rollback { .. } => "rollback",
    }
}

/// Returns addresses of toy resources.
pub fn settings(names: &[&str]) -> Vec<Address> {
    let names: BTreeSet<&str> = names.iter().copied().collect();
    names.into_iter().map(|name| Address::new("setting", name)).collect()
}
