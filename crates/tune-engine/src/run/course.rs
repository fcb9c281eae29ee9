//! The way of a run through its plan: stages one after another, and the wave, which is what a stage on hosts of no
//! rollout and the changes of a member have in common.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::OwnedMutexGuard;
use tune_core::Address;
use tune_core::contract::Pending;
use tune_core::item::HostId;
use tune_core::journal::StepNumber;
use tune_core::plan::{Member, Plan, Stage, Wave};

use super::steps::Steps;
use super::turn::Underway;
use super::{Broken, Gathered, Run, WaitsFor, unreadable, waits_for};
use crate::conduct::Conduct;
use crate::report::{NotStarted, ResourceOutcome};
use crate::stop::{Stop, Urgency};
use crate::together::side_by_side;
use crate::watch::RunEvent;

/// A run on its way through a plan.
#[derive(Debug)]
pub(super) struct Course<'c, 'r> {
    pub(super) run: &'c Run<'r>,
    pub(super) plan: &'c Plan,
    pub(super) conduct: &'c Conduct<'c>,
    pub(super) stop: &'c Stop,
    waits_for: WaitsFor,
    sheet: Mutex<Sheet<'c>>,
    /// Who sends to a machine or an API waits until nobody else does: what is sent must arrive in the order of its
    /// epochs.
    lanes: Mutex<BTreeMap<HostId, Arc<tokio::sync::Mutex<()>>>>,
}

/// What is known so far.
#[derive(Debug)]
pub(super) struct Sheet<'c> {
    steps: Steps,
    waves: usize,
    pub(super) gathered: Gathered,
    /// The members of each rollout that are not begun yet, in order.
    pub(super) ahead: BTreeMap<Address, VecDeque<&'c Member>>,
    /// The members that are begun and not settled.
    pub(super) underway: BTreeMap<Address, Underway>,
    /// The stages that are done, for a run that is put back as a whole.
    pub(super) done: Vec<Passed<'c>>,
    /// Rollouts of which nothing more is begun, because one of their members could not be.
    pub(super) closed: BTreeSet<Address>,
}

/// A stage that is done.
#[derive(Debug, Clone, Copy)]
pub(super) enum Passed<'c> {
    Quiet(&'c Wave),
    Member(Option<&'c Address>, &'c Member),
}

/// Whether a run goes on after a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Stage,
    End,
}

impl<'c, 'r> Course<'c, 'r> {
    pub(super) fn new(
        run: &'c Run<'r>,
        plan: &'c Plan,
        conduct: &'c Conduct<'c>,
        stop: &'c Stop,
        steps: Steps,
        gathered: Gathered,
    ) -> Self {
        let mut ahead: BTreeMap<Address, VecDeque<&Member>> = BTreeMap::new();
        for stage in &plan.stages {
            if let Stage::Turn(turn) = stage
                && let Some(rollout) = &turn.rollout
            {
                ahead.entry(rollout.clone()).or_default().extend(&turn.members);
            }
        }
        let sheet = Sheet {
            steps,
            waves: 0,
            gathered,
            ahead,
            underway: BTreeMap::new(),
            done: Vec::new(),
            closed: BTreeSet::new(),
        };
        let waits_for = waits_for(plan);
        Self { run, plan, conduct, stop, waits_for, sheet: Mutex::new(sheet), lanes: Mutex::default() }
    }

    /// Never held while waiting: everything runs in one task.
    pub(super) fn sheet(&self) -> MutexGuard<'_, Sheet<'c>> {
        self.sheet.lock().expect("no holder of this lock panics")
    }

    /// Goes through the stages, until all are done, something fails or somebody asks to stop.
    pub(super) async fn follow(self) -> Gathered {
        tokio::select! {
            biased;
            // A broken journal shows at the end, where everything is reported.
            _ = self.stages() => {}
            () = self.stop.now() => {}
        }
        self.account_for_what_is_underway();
        let stopped = self.stop.urgency();
        let mut gathered = self.sheet.into_inner().expect("no holder of this lock panics").gathered;
        gathered.stopped = stopped;
        gathered
    }

    async fn stages(&self) -> Result<(), Broken> {
        for stage in &self.plan.stages {
            if self.stop.urgency() > Urgency::None {
                break;
            }
            let next = match stage {
                Stage::Quiet(wave) => {
                    self.quiet(wave).await?;
                    Next::Stage
                }
                Stage::Turn(turn) => self.turn(turn).await?,
            };
            if next == Next::End {
                break;
            }
        }
        Ok(())
    }

    async fn quiet(&self, wave: &'c Wave) -> Result<(), Broken> {
        self.wave(wave).await?;
        let hosts = self.run.journal().hosts();
        self.run.unwind_across_hosts(&hosts).await?;
        self.sheet().done.push(Passed::Quiet(wave));
        Ok(())
    }

    /// Settles one wave: as wanted, as before, or named as stuck.
    pub(super) async fn wave(&self, wave: &Wave) -> Result<(), Broken> {
        let machines = self.machines(wave);
        let _lanes = self.lanes(&machines).await;
        let mut begun = Vec::new();
        for address in wave.batches.values().flatten() {
            match self.held_up(address) {
                Some(why) => {
                    self.sheet().gathered.not_started.insert(address.clone(), why);
                }
                None => begun.push((self.run.host(&self.plan.resources[address].host).address, address.clone())),
            }
        }
        // Only now, because a host with an intent that is not settled yet looks like one in doubt.
        let (batches, number) = self.intend(&begun);
        self.run.journal().flush()?;
        self.run.watch.event(RunEvent::WaveBegun { wave: number, resources: begun });
        let hosts =
            batches.iter().map(|(host, steps)| -> Pending<'_, _> { Box::pin(self.run.settle_host(host, steps)) });
        let settled = side_by_side(self.run.engine.limits.parallelism, hosts.collect()).await;
        settled.into_iter().collect::<Result<(), Broken>>()?;
        self.run.unwind_across_hosts(&machines.into_iter().collect::<Vec<_>>()).await
    }

    fn intend(&self, begun: &[(Address, Address)]) -> (BTreeMap<HostId, Vec<StepNumber>>, usize) {
        let mut sheet = self.sheet();
        let mut journal = self.run.journal();
        let mut batches: BTreeMap<HostId, Vec<StepNumber>> = BTreeMap::new();
        for (_, address) in begun {
            for intent in sheet.steps.remove(address).unwrap_or_default() {
                // A resource that moved to another host is put back on the one that it came from.
                let host = intent.id.host.clone();
                batches.entry(host).or_default().push(journal.intend(intent));
            }
        }
        sheet.gathered.begun.extend(begun.iter().map(|(_, address)| address.clone()));
        sheet.waves += 1;
        (batches, sheet.waves)
    }

    /// The machines that a wave sends to.
    pub(super) fn machines(&self, wave: &Wave) -> BTreeSet<HostId> {
        let resources = wave.batches.values().flatten().map(|address| &self.plan.resources[address]);
        resources.flat_map(|resource| resource.items.iter().map(|item| item.id.host.clone())).collect()
    }

    /// Keeps everybody else from sending to these machines.
    pub(super) async fn lanes(&self, machines: &BTreeSet<HostId>) -> Vec<OwnedMutexGuard<()>> {
        let mut guards = Vec::new();
        // In their own order, so that two who need several never wait for each other.
        for machine in machines {
            let lane = {
                let mut lanes = self.lanes.lock().expect("no holder of this lock panics");
                Arc::clone(lanes.entry(machine.clone()).or_default())
            };
            guards.push(lane.lock_owned().await);
        }
        guards
    }

    /// Returns why a resource cannot be begun.
    pub(super) fn held_up(&self, address: &Address) -> Option<NotStarted> {
        let resource = &self.plan.resources[address];
        // An item that cannot be read cannot be brought to the wanted value, so the resource would stay half done. A
        // revert puts back what it can.
        if resource.configured
            && let Some(failure) = unreadable(resource).next()
        {
            return Some(NotStarted::Unreadable(failure));
        }
        if let Some(other) = self.waits_for(address).find(|other| self.has_failed(other)) {
            return Some(NotStarted::Dependency(other.clone()));
        }
        let journal = self.run.journal();
        let mut hosts = resource.items.iter().map(|item| &item.id.host);
        let doubtful = hosts.find(|host| journal.is_in_doubt(host));
        doubtful.map(|host| NotStarted::HostInDoubt(self.run.host(host).address))
    }

    /// Returns what must be settled before a resource.
    pub(super) fn waits_for(&self, address: &Address) -> impl Iterator<Item = &Address> {
        self.waits_for.get(address).into_iter().flatten()
    }

    fn has_failed(&self, address: &Address) -> bool {
        let outcome = self.run.journal().outcome(address);
        self.sheet().gathered.not_started.contains_key(address)
            || outcome.is_some_and(|outcome| !matches!(outcome, ResourceOutcome::Done { .. }))
    }
}
