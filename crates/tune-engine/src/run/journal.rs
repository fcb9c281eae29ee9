//! The journal of the run in progress: what is known in memory, and what of it is durable.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::Address;
use tune_core::activation::Activation;
use tune_core::item::HostId;
use tune_core::journal::{Event, Header, Intent, Progress, StepNumber, StepStatus};

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
    by_host: BTreeMap<HostId, Vec<StepNumber>>,
    by_owner: BTreeMap<Address, Vec<StepNumber>>,
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
            by_host: BTreeMap::new(),
            by_owner: BTreeMap::new(),
        };
        let intents: Vec<(StepNumber, Intent)> =
            journal.progress.steps.iter().map(|(step, (intent, _))| (*step, intent.clone())).collect();
        for (step, intent) in &intents {
            journal.index(*step, intent);
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
        if let Event::Intend { step, intent } = &event {
            self.index(*step, intent);
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
        self.by_host.get(host).into_iter().flatten().map(|step| (*step, self.step(*step)))
    }

    /// Returns whether it is not known of some step of a host what became of it.
    pub(crate) fn is_in_doubt(&self, host: &HostId) -> bool {
        self.on(host).any(|(_, (_, status))| !matches!(status, StepStatus::Settled(_)))
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
        self.by_host.keys().cloned().collect()
    }

    /// Returns what became of a resource so far; `None` if it has no steps.
    pub(crate) fn outcome(&self, owner: &Address) -> Option<ResourceOutcome> {
        let steps: Vec<&(Intent, StepStatus)> = self.of(owner).map(|(_, step)| step).collect();
        let (first, _) = steps.first()?;
        let host = &first.id.host;
        let address = self.progress.header.hosts.get(host).map(|record| record.address.clone());
        Some(super::finish::outcome(&steps, address.as_ref(), self.doubts.get(host)))
    }

    fn index(&mut self, step: StepNumber, intent: &Intent) {
        self.by_host.entry(intent.id.host.clone()).or_default().push(step);
        self.by_owner.entry(intent.owner.clone()).or_default().push(step);
    }
}
