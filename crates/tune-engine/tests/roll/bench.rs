//! What a test of rolling needs around the cluster: a kind whose values a boot puts in use, a source that knows the
//! cluster, a store that outlives its process, and a configuration of one rollout.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use tokio::time::Instant;
use tune_core::activation::{Activation, Verb};
use tune_core::contract::{Desired, DesiredItem, Effect, Impact, ItemImpact, Kind, Kinds, Pending, Question};
use tune_core::item::{ItemKey, Raw};
use tune_core::journal::Event;
use tune_core::path::AttributePath;
use tune_core::plan::{Mistake, Operation, Plan, Request, Rolling, Selection};
use tune_core::problem::{Explanation, Problem};
use tune_core::reading::Unreadable;
use tune_core::resource::{Lifecycle, Resource};
use tune_core::rollout::{Answers, Check, Live, Query, Quorum, Rollout, Verdict};
use tune_core::schema::KindSchema;
use tune_core::source::{Reach, Source, Sources};
use tune_core::state::{RunRecord, State};
use tune_core::{Address, Number, Value};
use tune_engine::watch::RunEvent;
use tune_engine::{
    Clock, Committed, Conduct, Engine, EngineError, Limits, MemberOutcome, Report, Settled, Silent, Stop, Store,
    StoreError, Watch,
};

use crate::cluster::{Cluster, Death, Inner, Votes, host, text};

/// A configuration of one rollout, its cluster and what is remembered.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    pub(crate) cluster: Cluster,
    pub(crate) rollouts: BTreeMap<Address, Rollout>,
    pub(crate) checks: BTreeMap<Address, Check>,
    pub(crate) resources: BTreeMap<Address, Resource>,
    pub(crate) disk: Disk,
    pub(crate) events: Events,
    pub(crate) wait: Duration,
    clock: Arc<Ticking>,
}

pub(crate) fn rollout() -> Address {
    Address::new("rollout", "r")
}

fn check() -> Address {
    Address::new("check", "etcd")
}

fn query(name: &str) -> Query {
    Query { address: Address::new("etcd", name), attributes: BTreeMap::new() }
}

impl Bench {
    /// Machines that vote, taken one after another, the leader last; each gets a new value that a boot puts in use.
    pub(crate) fn voting(names: &[&str]) -> Self {
        let mut rule = Rollout::new(rollout(), names.iter().map(|name| host(name)).collect());
        rule.gates = vec![check()];
        rule.last_depends_on = vec![query("home")];
        let checks = BTreeMap::from([(check(), Check { address: check(), probes: vec![query("now")] })]);
        Self::with(names, rule, checks)
    }

    /// Machines that are a group and do not vote.
    pub(crate) fn plain(names: &[&str], max_unavailable: usize) -> Self {
        let mut rule = Rollout::new(rollout(), names.iter().map(|name| host(name)).collect());
        rule.max_unavailable = tune_core::rollout::Cap::Count(max_unavailable);
        Self::with(names, rule, BTreeMap::new())
    }

    fn with(names: &[&str], rule: Rollout, checks: BTreeMap<Address, Check>) -> Self {
        let bench = Self {
            cluster: Cluster::of(names),
            rollouts: BTreeMap::from([(rollout(), rule)]),
            checks,
            resources: BTreeMap::new(),
            disk: Disk::default(),
            events: Events::default(),
            wait: Duration::ZERO,
            clock: Arc::new(Ticking(Instant::now())),
        };
        names.iter().fold(bench, |bench, name| bench.wants(name, "new"))
    }

    pub(crate) fn wants(mut self, name: &str, value: &str) -> Self {
        let address = Address::new("param", name);
        let attributes = BTreeMap::from([
            ("host".to_owned(), Value::String(host(name).to_string())),
            ("x".to_owned(), Value::from(value)),
        ]);
        let lifecycle = Lifecycle::default();
        let resource =
            Resource { address: address.clone(), attributes, provider: None, depends_on: BTreeSet::new(), lifecycle };
        self.resources.insert(address, resource);
        self
    }

    pub(crate) fn rules(&mut self) -> &mut Rollout {
        self.rollouts.get_mut(&rollout()).unwrap()
    }

    fn engine(&self) -> Engine {
        let limits = Limits::default();
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Engine::new(Arc::new(self.cluster.clone()), kinds(), clock, limits)
    }

    fn sources(&self) -> Sources {
        let schema = KindSchema::of::<Nothing>("etcd");
        let source: Arc<dyn Source> = Arc::new(Etcd { cluster: self.cluster.clone(), schema });
        BTreeMap::from([("etcd", source)])
    }

    /// Plans as the binary does: who goes last is read first.
    pub(crate) async fn plan(&self, operation: &Operation) -> Result<Plan, Vec<Mistake>> {
        let engine = self.engine();
        let (sources, hosts) = (self.sources(), self.cluster.hosts());
        let mut rollouts = self.rollouts.clone();
        for rollout in rollouts.values_mut().filter(|rollout| !rollout.last_depends_on.is_empty()) {
            let looked = engine.look(&sources, &rollout.last_depends_on, &hosts, &Silent).await;
            let answers = looked.into_iter().map(|(name, answer)| (name, answer.unwrap())).collect();
            rollout.last = Alive.last(&rollout.address, &answers).unwrap();
        }
        let content = self.disk.0.lock().unwrap().clone();
        let request = Request {
            rolling: Rolling { rollouts: &rollouts, checks: &self.checks, sources: &sources, controller: None },
            operation,
            kinds: &engine.kinds,
            hosts: &hosts,
            resources: &self.resources,
            state: &content.state,
            runs: &content.runs,
            selection: &Selection::default(),
        };
        engine.plan(&request, &Silent).await
    }

    pub(crate) async fn execute(&self, plan: &Plan, stop: &Stop) -> Result<Report, EngineError> {
        let (sources, hosts) = (self.sources(), self.cluster.hosts());
        let conduct = Conduct { live: &Alive, sources: &sources, hosts: &hosts, wait: self.wait };
        let mut store = self.open();
        self.engine().run(&mut store, plan, &conduct, "apply", "me@here", &self.events, stop).await
    }

    pub(crate) async fn apply(&self) -> Result<Report, EngineError> {
        self.apply_with(&Stop::default()).await
    }

    pub(crate) async fn apply_with(&self, stop: &Stop) -> Result<Report, EngineError> {
        let plan = self.plan(&Operation::Apply).await.map_err(EngineError::Mistakes)?;
        self.execute(&plan, stop).await
    }

    /// Waits until every member keeps up, as a person does before trying again.
    pub(crate) async fn until_well(&self) {
        let all = self.cluster.hosts().len();
        while self.cluster.lock().healthy() < all {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    pub(crate) async fn settle(&self) -> Option<Settled> {
        self.engine().settle(&mut self.open(), &self.events).await.unwrap()
    }

    pub(crate) fn open(&self) -> Shelf {
        let seen = self.disk.0.lock().unwrap().clone();
        Shelf { disk: self.disk.clone(), seen, cluster: self.cluster.clone() }
    }

    /// What became of the members, in words.
    pub(crate) fn outcomes(report: &Report) -> Vec<String> {
        let word = |outcome: &MemberOutcome| match outcome {
            MemberOutcome::Done { .. } => "done",
            MemberOutcome::PutBack { is_green: true, .. } => "put back",
            MemberOutcome::PutBack { is_green: false, .. } => "put back, not green",
            MemberOutcome::Failed { .. } => "failed",
            MemberOutcome::Down { .. } => "down",
            MemberOutcome::Untouched => "untouched",
        };
        report.members.iter().map(|member| format!("{} {}", member.host.name, word(&member.outcome))).collect()
    }
}

/// What was said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Events(Arc<Mutex<Vec<RunEvent>>>);

impl Events {
    pub(crate) fn all(&self) -> Vec<RunEvent> {
        self.0.lock().unwrap().clone()
    }
}

impl Watch for Events {
    fn event(&self, event: RunEvent) {
        self.0.lock().unwrap().push(event);
    }
}

/// A clock that goes as the tests' time does.
#[derive(Debug)]
struct Ticking(Instant);

impl Clock for Ticking {
    fn now(&self) -> String {
        let base: Timestamp = "2026-11-20T17:00:00Z".parse().unwrap();
        let seconds = i64::try_from(self.0.elapsed().as_secs()).unwrap();
        (base + SignedDuration::from_secs(seconds)).to_string()
    }

    fn new_id(&self) -> String {
        "lineage".to_owned()
    }
}

/// What survives a process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(pub(crate) Arc<Mutex<Content>>);

#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) state: State,
    pub(crate) runs: Vec<RunRecord>,
    pub(crate) events: Vec<Event>,
    sequence: u64,
}

#[derive(Debug)]
pub(crate) struct Shelf {
    disk: Disk,
    seen: Content,
    cluster: Cluster,
}

impl Shelf {
    /// Whether nothing was ever written.
    pub(crate) fn seen_nothing(&self) -> bool {
        self.seen.events.is_empty() && self.seen.runs.is_empty()
    }

    /// Whether no run is open.
    pub(crate) fn is_settled(&self) -> bool {
        self.seen.events.is_empty()
    }

    fn write(&mut self, write: impl FnOnce(&mut Content)) {
        // A dead process writes nothing, even if it does not know yet that it is dead.
        if !self.cluster.moment(Death::Before, true) {
            return;
        }
        let mut content = self.disk.0.lock().unwrap();
        write(&mut content);
        self.seen = content.clone();
        drop(content);
        self.cluster.moment(Death::After, false);
    }
}

impl Store for Shelf {
    fn state(&self) -> &State {
        &self.seen.state
    }

    fn runs(&self) -> &[RunRecord] {
        &self.seen.runs
    }

    fn open_run(&self) -> Option<&[Event]> {
        Some(self.seen.events.as_slice()).filter(|events| !events.is_empty())
    }

    fn next_sequence(&mut self) -> u64 {
        let mut content = self.disk.0.lock().unwrap();
        content.sequence += 1;
        content.sequence
    }

    fn append(&mut self, events: &[Event]) -> Result<(), StoreError> {
        self.write(|content| content.events.extend_from_slice(events));
        Ok(())
    }

    fn commit(&mut self, state: State, run: RunRecord) -> Result<Committed, StoreError> {
        self.write(|content| {
            content.state = state;
            content.runs.push(run);
            content.events.clear();
        });
        Ok(Committed { export: Ok(()) })
    }

    fn replace(&mut self, state: State) -> Result<Committed, StoreError> {
        self.write(|content| content.state = state);
        Ok(Committed { export: Ok(()) })
    }
}

/// A setting in a file that a boot reads.
#[derive(Debug)]
struct Param(KindSchema);

#[derive(serde::Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Attributes {
    host: String,
    x: String,
}

#[derive(serde::Deserialize, JsonSchema)]
struct Nothing {}

fn kinds() -> Kinds {
    let kind: Arc<dyn Kind> = Arc::new(Param(KindSchema::of::<Attributes>("param")));
    BTreeMap::from([("param", kind)])
}

impl Kind for Param {
    fn schema(&self) -> &KindSchema {
        &self.0
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn desired(&self, resource: &Resource) -> Result<Desired, Vec<Problem>> {
        let host = resource.attributes["host"].as_str().unwrap().parse().unwrap();
        let want = text(resource.attributes["x"].as_str().unwrap());
        let item = DesiredItem { key: "x".into(), path: AttributePath::attribute("x"), want };
        Ok(Desired { host, guest: None, items: vec![item] })
    }

    fn canonical(&self, _: &ItemKey, raw: &Raw) -> Raw {
        raw.clone()
    }

    /// A value that is not the running one needs a boot, and the files that a boot reads built anew.
    fn impact(&self, question: &Question<'_>) -> Impact {
        let items = question.desired.items.iter().map(|item| {
            let running = question.reading.items.get(&item.key).and_then(|found| found.as_ref().ok());
            let running = running.and_then(|found| found.running.value.clone());
            let wanted = match &item.want {
                Raw::Text(text) => Some(text.clone()),
                _ => None,
            };
            let boot = [Activation::machine(Verb::BootImage), Activation::machine(Verb::Reboot)];
            let activations = if running == wanted { BTreeSet::new() } else { boot.into() };
            (item.key.clone(), ItemImpact { effect: Effect::Activation, activations, ..ItemImpact::default() })
        });
        Impact { items: items.collect(), ..Impact::default() }
    }
}

/// Knows the cluster.
#[derive(Debug)]
struct Etcd {
    cluster: Cluster,
    schema: KindSchema,
}

impl Source for Etcd {
    fn schema(&self) -> &KindSchema {
        &self.schema
    }

    fn answer(&self) -> &KindSchema {
        &self.schema
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn look<'a>(&'a self, _: &'a Query, _: &'a dyn Reach) -> Pending<'a, Result<Value, Unreadable>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let mut inner = self.cluster.lock();
            inner.asked += 1;
            let (healthy, voters, is_red) = (inner.healthy(), inner.nodes.len(), inner.is_red());
            if inner.votes == Votes::Untold {
                let message = "nobody leads".to_owned();
                return Err(Unreadable { code: tune_core::problem::Code("fake::mute"), message, help: None });
            }
            // Without a majority nobody follows a leader, unless those that lag still vote.
            let leads = healthy * 2 > voters || inner.votes == Votes::Laggards;
            let healthy = if leads { healthy } else { 0 };
            let unwell = inner.nodes.iter().filter(|(_, node)| !(leads && Inner::is_well(node)));
            let unwell = unwell.map(|(name, _)| Value::from(name.as_str())).collect();
            let number = |count: usize| Value::Number(Number::from(i64::try_from(count).unwrap()));
            Ok(Value::Map(BTreeMap::from([
                ("voters".to_owned(), number(voters)),
                ("healthy".to_owned(), number(healthy)),
                ("unwell".to_owned(), Value::List(unwell)),
                ("red".to_owned(), Value::Bool(is_red)),
                ("leader".to_owned(), Value::from(inner.leader.as_str())),
            ])))
        })
    }

    fn knows_quorum(&self) -> bool {
        true
    }

    fn quorum(&self, answer: &Value) -> Option<Quorum> {
        let Value::List(unwell) = field(answer, "unwell") else { unreachable!("it is a list") };
        let unwell = unwell.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Some(Quorum { voters: count(answer, "voters"), healthy: count(answer, "healthy"), unwell })
    }
}

fn field<'v>(answer: &'v Value, name: &str) -> &'v Value {
    let Value::Map(map) = answer else { unreachable!("the answer is a map") };
    &map[name]
}

fn count(answer: &Value, name: &str) -> usize {
    field(answer, name).to_string().parse().unwrap()
}

/// The expressions of the configuration.
#[derive(Debug)]
struct Alive;

impl Live for Alive {
    fn judge(&self, _: &Address, answers: &Answers) -> Verdict {
        let answer = answers.values().next().unwrap();
        let (healthy, voters) = (count(answer, "healthy"), count(answer, "voters"));
        match field(answer, "red") {
            Value::Bool(false) if healthy == voters => Verdict::Pass,
            _ => Verdict::Fail { messages: vec![format!("healthy = {healthy}, needed {voters}")] },
        }
    }

    fn last(&self, _: &Address, answers: &Answers) -> Result<BTreeSet<Address>, String> {
        let answer = answers.values().next().unwrap();
        Ok(BTreeSet::from([host(field(answer, "leader").as_str().unwrap())]))
    }
}
