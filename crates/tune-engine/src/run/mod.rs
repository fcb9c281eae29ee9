//! A run: the stages of a plan one after another, the hosts of a wave and the members of a turn side by side, every
//! intent durable before it is sent. Settling an interrupted run uses the same parts.

mod activation;
mod batch;
mod course;
mod facts;
mod finish;
mod gate;
mod journal;
mod ledger;
mod look;
mod member;
mod policy;
mod recover;
mod revert;
mod soak;
mod spare;
mod steps;
mod turn;
mod undo;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use tune_core::Address;
use tune_core::contract::Kind;
use tune_core::graph;
use tune_core::item::{HostId, ItemId};
use tune_core::journal::{Event, Header, Intent, StepNumber, StepOutcome, StepStatus};
use tune_core::plan::{Plan, ResourcePlan, Step};
use tune_core::resource::Host;
use tune_core::state::State;

pub(crate) use self::finish::{Gathered, chain};
pub(crate) use self::journal::{Broken, Journal};
pub(crate) use self::ledger::{ledger, recorded};

use self::course::Course;
use crate::conduct::Conduct;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::report::{Conflict, Failure, NotStarted, Report, Unread};
use crate::stop::Stop;
use crate::store::Store;
use crate::watch::{RunEvent, Watch};

/// One run in progress.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) watch: &'a dyn Watch,
    /// The state before the run.
    pub(crate) base: State,
    pub(crate) header: Header,
    /// Items of which a write may cut the connection; `None` when the plan is gone, so that each of them might.
    pub(crate) cutting: Option<BTreeSet<ItemId>>,
    journal: Mutex<Journal<'a>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        watch: &'a dyn Watch,
        base: State,
        cutting: Option<BTreeSet<ItemId>>,
        journal: Journal<'a>,
    ) -> Self {
        let header = journal.progress.header.clone();
        Self { engine, watch, base, header, cutting, journal: Mutex::new(journal) }
    }

    /// Never held while waiting: everything runs in one task.
    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal<'a>> {
        self.journal.lock().expect("no holder of this lock panics")
    }

    pub(crate) fn into_journal(self) -> Journal<'a> {
        self.journal.into_inner().expect("no holder of this lock panics")
    }

    pub(crate) fn kind(&self, kind: &str) -> Option<&dyn Kind> {
        self.engine.kinds.get(kind).map(|kind| &**kind)
    }

    /// Returns how a machine of this run is reached.
    pub(crate) fn host(&self, id: &HostId) -> Host {
        let record = self.header.hosts.get(id).or_else(|| self.base.hosts.get(id));
        let record = record.expect("every step's machine is in the header");
        Host {
            name: record.address.own_name(),
            address: record.address.clone(),
            transport: record.transport.clone(),
            become_: record.become_,
        }
    }

    /// Sends steps of one host and brings each of their resources to an end: as wanted, as before, or named as stuck.
    async fn settle_host(&self, host: &HostId, steps: &[StepNumber]) -> Result<(), Broken> {
        if self.journal().broken.is_some() {
            return Err(Broken);
        }
        for part in self.parts(steps) {
            let part = self.still_wanted(part);
            if part.is_empty() {
                continue;
            }
            if let Some(doubt) = self.send(host, &part).await {
                return self.bring_to_an_end(host, Some(doubt)).await;
            }
        }
        self.bring_to_an_end(host, None).await
    }

    /// Splits steps after those that may cut the connection: what makes their value outlive a boot is only sent once it
    /// is confirmed that the host can still be reached.
    fn parts<'b>(&self, steps: &'b [StepNumber]) -> Vec<&'b [StepNumber]> {
        let journal = self.journal();
        let cuts = |step: &StepNumber| {
            self.cutting.as_ref().is_some_and(|cutting| cutting.contains(&journal.step(*step).0.id))
        };
        steps.chunk_by(|step, next| !cuts(step) || cuts(next)).collect()
    }

    /// Leaves out the steps of a resource of which an earlier part failed.
    fn still_wanted(&self, part: &[StepNumber]) -> Vec<StepNumber> {
        let mut journal = self.journal();
        let mut wanted = Vec::new();
        for step in part {
            let owner = &journal.step(*step).0.owner;
            let failed = |(_, (_, status)): (StepNumber, &(Intent, StepStatus))| {
                !matches!(status, StepStatus::Started | StepStatus::Settled(StepOutcome::Done))
            };
            if journal.is_amiss(owner) && journal.of(owner).any(failed) {
                let outcome = StepOutcome::NotDone { message: batch::NOT_TRIED.to_owned() };
                journal.note(Event::Settle { step: *step, outcome });
            } else {
                wanted.push(*step);
            }
        }
        wanted
    }
}

impl Engine {
    pub(crate) async fn execute(
        &self,
        store: &mut dyn Store,
        plan: &Plan,
        conduct: &Conduct<'_>,
        (command, by): (&str, &str),
        watch: &dyn Watch,
        stop: &Stop,
    ) -> Result<Report, EngineError> {
        refuse(store, plan)?;
        let gathered = gathered(plan);
        if !plan.has_work() {
            return Ok(gathered.nothing_to_do());
        }
        let header = self.header(store.state(), plan, command, by);
        let (steps, cutting) = steps::steps(plan, &header);
        let base = store.state().clone();
        self.gates_pass_before_all(plan, conduct, &base).await?;
        store.append(&[Event::Begin(header.clone())])?;
        watch.event(RunEvent::Begun { number: header.run, waves: plan.waves().count() });
        let run = Run::new(self, watch, base, Some(cutting), Journal::begun(store, header));
        let gathered = Course::new(&run, plan, conduct, stop, steps, gathered).follow().await;
        run.finish(gathered)
    }
}

/// What must be settled before each resource: what it depends on, or what depends on it where it is put back.
pub(super) type WaitsFor = BTreeMap<Address, BTreeSet<Address>>;

pub(super) fn waits_for(plan: &Plan) -> WaitsFor {
    let edges = |configured: bool| -> WaitsFor {
        let resources = plan.resources.iter().filter(|(_, resource)| resource.configured == configured);
        resources.map(|(address, resource)| (address.clone(), resource.depends_on.clone())).collect()
    };
    let mut waits_for = graph::reversed(&edges(false));
    waits_for.extend(edges(true));
    waits_for
}

fn unreadable(resource: &ResourcePlan) -> impl Iterator<Item = Failure> {
    resource.items.iter().filter_map(|item| match &item.step {
        Step::Unreadable(why) => Some(Failure { item: item.id.clone(), message: why.message.clone() }),
        _ => None,
    })
}

/// What must hold before a plan may be executed.
fn refuse(store: &dyn Store, plan: &Plan) -> Result<(), EngineError> {
    if let Some(Event::Begin(header)) = store.open_run().and_then(|events| events.first()) {
        return Err(EngineError::OpenRun { number: header.run });
    }
    let state = store.state();
    if (&plan.lineage, plan.serial) != (&state.lineage, state.serial) {
        return Err(EngineError::Stale { planned: plan.serial, now: state.serial });
    }
    if !plan.problems.is_empty() {
        return Err(EngineError::Mistakes(plan.problems.clone()));
    }
    let working = plan.resources.values().filter(|resource| resource.has_work());
    let powerless = working.filter_map(|resource| plan.hosts.get(&resource.host)).find(|host| host.uid != 0);
    match powerless {
        Some(host) => Err(EngineError::NotRoot { host: host.host.address.clone(), uid: host.uid }),
        None => Ok(()),
    }
}

/// What the plan says that the report repeats.
fn gathered(plan: &Plan) -> Gathered {
    let mut gathered = Gathered { owed: plan.owed.clone(), members: turn::untouched(plan), ..Gathered::default() };
    for (address, resource) in &plan.resources {
        if resource.has_work() {
            gathered.planned.insert(address.clone());
        } else if resource.configured && unreadable(resource).next().is_some() {
            let why = unreadable(resource).next().map(NotStarted::Unreadable);
            gathered.planned.insert(address.clone());
            gathered.not_started.extend(why.map(|why| (address.clone(), why)));
        }
        for item in &resource.items {
            if let Step::Conflict { original } = &item.step {
                gathered.conflicts.push(Conflict {
                    address: address.clone(),
                    item: item.id.clone(),
                    original: original.clone(),
                    applied: item.applied.clone(),
                    live: item.live.clone(),
                });
            }
        }
        if !resource.configured {
            let unread = unreadable(resource).map(|failure| Unread { address: address.clone(), failure });
            gathered.unread.extend(unread);
        }
    }
    gathered
}
