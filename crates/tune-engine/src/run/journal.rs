//! The journal of the run in progress: what is known in memory, and what of it is durable. What every wave asks for is
//! kept as an index, so that a wave costs what it does and not what the run did before it.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::Address;
use tune_core::activation::Activation;
use tune_core::item::{HostId, ItemId};
use tune_core::journal::{Event, Header, Intent, Progress, StepNumber, StepOutcome, StepStatus};
use tune_core::ledger::Entries;
use tune_core::state::State;

use super::ledger::{Assume, recorded, refresh};
use crate::report::ResourceOutcome;
use crate::store::{Store, StoreError};
use crate::watch::RunEvent;

/// The journal could not be written: nothing more may be sent.
#[derive(Debug)]
pub(crate) struct Broken;

/// Why nothing is known of a host.
#[derive(Debug, Clone)]
pub(crate) struct Doubt {
    pub(crate) reason: String,
    pub(crate) help: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Journal<'a> {
    pub(crate) store: &'a mut dyn Store,
    pub(crate) progress: Progress,
    pub(crate) broken: Option<StoreError>,
    pub(crate) doubts: BTreeMap<HostId, Doubt>,
    pub(crate) warnings: Vec<String>,
    /// Hosts that refused because another run holds them.
    pub(crate) held: BTreeSet<HostId>,
    /// Hosts whose ledger covers more than is managed there, because something failed.
    pub(crate) untidy: BTreeSet<HostId>,
    /// Resources that are to be undone although nothing of them failed.
    pub(crate) condemned: BTreeSet<Address>,
    /// What was last said of each resource, so that it is not said again with every wave on its host.
    pub(crate) told: BTreeMap<Address, RunEvent>,
    /// Taken in, but not durable yet.
    waiting: Vec<Event>,
    hosts: BTreeMap<HostId, OnHost>,
    by_owner: BTreeMap<Address, Vec<StepNumber>>,
    by_item: BTreeMap<ItemId, Vec<StepNumber>>,
    /// Resources of which some step was not done, or is to be undone.
    amiss: BTreeSet<Address>,
}

/// What a run did on one host.
#[derive(Debug)]
struct OnHost {
    /// Its steps, in order.
    steps: Vec<StepNumber>,
    /// Those of which it is not known what became of them.
    open: BTreeSet<StepNumber>,
    /// Resources that moved on since it was last told what became of them.
    untold: BTreeSet<Address>,
    /// What its ledger must say now.
    ledger: Entries,
}

impl<'a> Journal<'a> {
    /// Returns the journal of a run of which only the beginning is written.
    pub(crate) fn begun(store: &'a mut dyn Store, header: Header) -> Self {
        Self::resumed(store, Progress::begun(header))
    }

    /// Returns the journal of a run that was interrupted.
    pub(crate) fn resumed(store: &'a mut dyn Store, progress: Progress) -> Self {
        let mut journal = Self {
            store,
            progress,
            broken: None,
            doubts: BTreeMap::new(),
            warnings: Vec::new(),
            held: BTreeSet::new(),
            untidy: BTreeSet::new(),
            condemned: BTreeSet::new(),
            told: BTreeMap::new(),
            waiting: Vec::new(),
            hosts: BTreeMap::new(),
            by_owner: BTreeMap::new(),
            by_item: BTreeMap::new(),
            amiss: BTreeSet::new(),
        };
        let steps: Vec<StepNumber> = journal.progress.steps.keys().copied().collect();
        for step in steps {
            journal.index(step);
            journal.follow(step);
        }
        journal
    }

    /// Takes in that a step is about to be sent, and returns its number.
    pub(crate) fn intend(&mut self, intent: Intent) -> StepNumber {
        let step = self.progress.steps.last_key_value().map_or(0, |(last, _)| *last) + 1;
        self.note(Event::Intend { step, intent: Box::new(intent) });
        step
    }

    /// Takes in that an activation is about to be ordered, and returns its number.
    pub(crate) fn order(
        &mut self,
        host: HostId,
        activation: Activation,
        mark: String,
        resources: BTreeSet<Address>,
    ) -> u64 {
        let number = self.progress.activations.len() as u64 + 1;
        self.note(Event::Activate { number, host, activation, mark, resources });
        number
    }

    /// Takes an event in; it becomes durable with the next flush.
    pub(crate) fn note(&mut self, event: Event) {
        self.progress.take(&event).expect("the run writes only what its own journal allows");
        match &event {
            Event::Intend { step, .. } => {
                self.index(*step);
                self.follow(*step);
            }
            Event::Settle { step, .. } | Event::Undo { step } => self.follow(*step),
            _ => {}
        }
        self.waiting.push(event);
    }

    /// Makes everything durable that was taken in.
    pub(crate) fn flush(&mut self) -> Result<(), Broken> {
        if self.broken.is_some() {
            return Err(Broken);
        }
        if !self.waiting.is_empty() {
            if let Err(error) = self.store.append(&self.waiting) {
                self.broken = Some(error);
                return Err(Broken);
            }
            self.waiting.clear();
        }
        Ok(())
    }

    pub(crate) fn step(&self, step: StepNumber) -> &(Intent, StepStatus) {
        &self.progress.steps[&step]
    }

    /// Returns the steps of one host, in order.
    pub(crate) fn on(&self, host: &HostId) -> impl DoubleEndedIterator<Item = (StepNumber, &(Intent, StepStatus))> {
        self.hosts.get(host).into_iter().flat_map(|host| &host.steps).map(|step| (*step, self.step(*step)))
    }

    /// Returns whether it is not known of some step of a host what became of it.
    pub(crate) fn is_in_doubt(&self, host: &HostId) -> bool {
        self.hosts.get(host).is_some_and(|host| !host.open.is_empty())
    }

    /// Returns whether it is not known of something what became of it, so that the run cannot end.
    pub(crate) fn is_open(&self) -> bool {
        self.progress.unsettled().next().is_some() || self.progress.activating().next().is_some()
    }

    /// Returns the steps of one resource, in order.
    pub(crate) fn of(&self, owner: &Address) -> impl DoubleEndedIterator<Item = (StepNumber, &(Intent, StepStatus))> {
        self.by_owner.get(owner).into_iter().flatten().map(|step| (*step, self.step(*step)))
    }

    /// Returns every host with steps.
    pub(crate) fn hosts(&self) -> Vec<HostId> {
        self.hosts.keys().cloned().collect()
    }

    /// Returns what became of a resource so far; `None` if it has no steps.
    pub(crate) fn outcome(&self, owner: &Address) -> Option<ResourceOutcome> {
        let steps: Vec<&(Intent, StepStatus)> = self.of(owner).map(|(_, step)| step).collect();
        let (first, _) = steps.first()?;
        let host = &first.id.host;
        let address = self.progress.header.hosts.get(host).map(|record| record.address.clone());
        Some(super::finish::outcome(&steps, address.as_ref(), self.doubts.get(host)))
    }

    /// Returns the resources of which some step was not done or is to be undone, and those that are to be undone as a
    /// whole.
    pub(crate) fn amiss(&self) -> impl Iterator<Item = &Address> {
        self.amiss.union(&self.condemned)
    }

    /// Returns whether some step of a resource was not done or is to be undone.
    pub(crate) fn is_amiss(&self, owner: &Address) -> bool {
        self.amiss.contains(owner)
    }

    /// Returns the resources on a host that moved on since this was last asked.
    pub(crate) fn take_untold(&mut self, host: &HostId) -> BTreeSet<Address> {
        self.hosts.get_mut(host).map(|host| std::mem::take(&mut host.untold)).unwrap_or_default()
    }

    /// Returns what a host's ledger must say now, while steps are under way, and what it may say once these are done.
    /// What is sent in a later batch may still go either way.
    pub(crate) fn ledgers(&self, host: &HostId, steps: &[StepNumber]) -> (Entries, Entries) {
        let now = self.hosts.get(host).map_or_else(|| recorded(self.store.state(), host), |host| host.ledger.clone());
        let mut after = now.clone();
        let done: BTreeSet<&StepNumber> = steps.iter().collect();
        let assume = |step| if done.contains(step) { Assume::Success } else { Assume::Either };
        for step in steps {
            let id = &self.step(*step).0.id;
            let of_item = self.by_item[id].iter().map(|step| (self.step(*step), assume(step)));
            refresh(&mut after, self.store.state(), id, of_item);
        }
        (now, after)
    }

    fn index(&mut self, step: StepNumber) {
        let (intent, _) = &self.progress.steps[&step];
        let host = &intent.id.host;
        let on_host = self.hosts.entry(host.clone()).or_insert_with(|| OnHost::before(self.store.state(), host));
        on_host.steps.push(step);
        self.by_owner.entry(intent.owner.clone()).or_default().push(step);
        self.by_item.entry(intent.id.clone()).or_default().push(step);
    }

    /// Takes in how a step stands now.
    fn follow(&mut self, step: StepNumber) {
        let steps = &self.progress.steps;
        let (intent, status) = &steps[&step];
        let host = self.hosts.get_mut(&intent.id.host).expect("every step is indexed");
        if matches!(status, StepStatus::Settled(_)) {
            host.open.remove(&step);
        } else {
            host.open.insert(step);
        }
        if !matches!(status, StepStatus::Started | StepStatus::Settled(StepOutcome::Done)) {
            self.amiss.insert(intent.owner.clone());
        }
        host.untold.insert(intent.owner.clone());
        let of_item = self.by_item[&intent.id].iter().map(|step| (&steps[step], Assume::Either));
        refresh(&mut host.ledger, self.store.state(), &intent.id, of_item);
    }
}

impl OnHost {
    fn before(base: &State, host: &HostId) -> Self {
        Self { steps: Vec::new(), open: BTreeSet::new(), untold: BTreeSet::new(), ledger: recorded(base, host) }
    }
}

#[cfg(test)]
mod tests;
