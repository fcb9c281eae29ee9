//! What a run writes down, and what its journal means. Intent is durable before the effect, the outcome follows it;
//! after a crash the journal and a fenced look at the target together say what happened. Nothing is assumed.
//!
//! The state after a run is a fold over its journal ([`conclude`]), whether the run ended by itself or was settled by
//! a later one. So a crash needs no other code than an ordinary end.

use std::collections::{BTreeMap, BTreeSet};

use crate::activation::Activation;
use crate::address::Address;
use crate::contract::Kind;
use crate::item::{Change, HostId, ItemId, Raw};
use crate::plan::{ItemPlan, Operation, Step};
use crate::state::{HostRecord, Original, Record, ResourceRecord, RunActivation, RunChange, RunResult, State};

/// Numbers the steps of one run, in the order in which they were intended.
pub type StepNumber = u64;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The run begins. Durable before anything else.
    Begin(Header),
    /// A step is about to be sent. Durable before it is.
    Intend {
        /// The step.
        step: StepNumber,
        /// What it does.
        intent: Box<Intent>,
    },
    /// What became of a step.
    Settle {
        /// The step.
        step: StepNumber,
        /// Its outcome.
        outcome: StepOutcome,
    },
    /// A step that had an effect is about to be undone. Durable before the undo is sent.
    Undo {
        /// The step.
        step: StepNumber,
    },
    /// An activation is about to be ordered. Durable before it is.
    Activate {
        /// Its number, counted from 1 in the run.
        number: u64,
        /// The machine or API that does it.
        host: HostId,
        /// What is done.
        activation: Activation,
        /// What the start before it was called ([`crate::contract::Sight::mark`]).
        mark: String,
        /// The resources whose values it puts into effect.
        resources: BTreeSet<Address>,
    },
    /// What became of an activation.
    Activated {
        /// The activation.
        number: u64,
        /// Its outcome.
        outcome: ActivationOutcome,
    },
    /// A rollout rests before its next batch.
    Soak {
        /// The rollout.
        rollout: Address,
        /// Until when, in RFC 3339; `None` when it goes on.
        until: Option<String>,
    },
    /// The run ended.
    End(RunResult),
}

/// What became of an activation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActivationOutcome {
    /// It was seen to be back, so many seconds after it was ordered.
    Back(u64),
    /// It was not seen to be back, or the system refused.
    Failed {
        /// Why, without a full stop.
        message: String,
    },
}

/// One activation as the journal tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activating {
    /// The machine or API that does it.
    pub host: HostId,
    /// What is done.
    pub activation: Activation,
    /// What the start before it was called.
    pub mark: String,
    /// The resources whose values it puts into effect.
    pub resources: BTreeSet<Address>,
    /// What became of it, where that is known.
    pub outcome: Option<ActivationOutcome>,
}

/// What is known when a run begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The run's number.
    pub run: u64,
    /// `apply`, `destroy`, `rollback 3`, …
    pub command: String,
    /// Who runs it: `user@machine`.
    pub by: String,
    /// When it began, in RFC 3339.
    pub started: String,
    /// The state that it works on; a new one for the first run.
    pub lineage: String,
    /// The machines that it may touch, as they were reached.
    pub hosts: BTreeMap<HostId, HostRecord>,
    /// The resources that it settles, as they are to be remembered.
    pub resources: BTreeMap<Address, ResourceRecord>,
}

/// What one step does to one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The item.
    pub id: ItemId,
    /// The resource that owns it from now on.
    pub owner: Address,
    /// From what to what. Equal halves mean that only the record changes.
    pub change: Change,
    /// What its record becomes when it is done.
    pub purpose: Purpose,
    /// What must be activated before the running system uses it.
    pub needs: BTreeSet<Activation>,
}

impl Intent {
    /// Returns what a run intends for an item as planned; `None` where nothing is done.
    pub fn of(operation: &Operation, header: &Header, owner: &Address, item: &ItemPlan) -> Option<Self> {
        let adopt = item.adopt.clone().map(|adopted| adopted.into_original(header.run, &header.started));
        let purpose = match &item.step {
            Step::Keep | Step::Conflict { .. } | Step::Unreadable(_) => return None,
            Step::Record | Step::Write(_) => Purpose::Manage { adopt },
            Step::Revert(_) if matches!(operation, Operation::Rollback { .. }) => Purpose::RollBack,
            Step::Revert(_) | Step::Forget => Purpose::Release,
        };
        let as_it_is = || item.live.clone().map(|live| Change { before: live.clone(), after: live });
        let change = item.step.change().cloned().or_else(as_it_is)?;
        let needs = item.activations.clone();
        Some(Self { id: item.id.clone(), owner: owner.clone(), change, purpose, needs })
    }
}

/// What the record of an item becomes when its step is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// The item stays managed; `after` is last applied.
    Manage {
        /// The original, for an item that was not recorded before.
        adopt: Option<Original>,
    },
    /// The item was rolled back; it stays managed.
    RollBack,
    /// The record is dropped.
    Release,
}

/// How a step stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    /// The item is `after`, read back from the running system.
    Done,
    /// It had no effect, or its effect was put back at once: the item is as it was.
    NotDone {
        /// Why, without a full stop.
        message: String,
    },
    /// An undo put `before` back.
    Undone,
    /// Neither `before` nor `after` is there, or an undo failed: a person must look.
    Stuck {
        /// What is there now, where that is known.
        live: Option<Raw>,
        /// Why, without a full stop.
        message: String,
    },
}

/// What a journal says of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepStatus {
    /// It may or may not have had its effect.
    Started,
    /// It is being undone: the undo may or may not have had its effect.
    Undoing,
    /// It is settled; a step that is `Done` may still be undone.
    Settled(StepOutcome),
}

/// A journal that no run of this program writes: it was damaged or edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the journal of run {run} is not in order at entry {entry}")]
pub struct Disorder {
    /// The run, 0 where not even that is known.
    pub run: u64,
    /// The position of the first entry that cannot stand where it does, counted from 0.
    pub entry: usize,
}

/// One run as its journal tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What was known at the beginning.
    pub header: Header,
    /// Every step that was intended, with how it stands.
    pub steps: BTreeMap<StepNumber, (Intent, StepStatus)>,
    /// Every activation, in order.
    pub activations: Vec<Activating>,
    /// How many activations had been ordered when each step was last settled.
    pub settled_after: BTreeMap<StepNumber, usize>,
    /// The rollouts that were told to rest, or to go on.
    pub soaks: BTreeMap<Address, Option<String>>,
    /// How the run ended, if it did.
    pub end: Option<RunResult>,
}

/// Returns what a journal tells, or where it stops making sense. Any prefix of a legal journal is legal.
pub fn replay(events: &[Event]) -> Result<Progress, Disorder> {
    let Some((Event::Begin(header), rest)) = events.split_first() else {
        return Err(Disorder { run: 0, entry: 0 });
    };
    let mut progress = Progress::begun(header.clone());
    for (index, event) in rest.iter().enumerate() {
        progress.take(event).ok_or(Disorder { run: header.run, entry: index + 1 })?;
    }
    Ok(progress)
}

impl Progress {
    /// Returns the progress of a run that has just begun.
    pub fn begun(header: Header) -> Self {
        Self {
            header,
            steps: BTreeMap::new(),
            activations: Vec::new(),
            settled_after: BTreeMap::new(),
            soaks: BTreeMap::new(),
            end: None,
        }
    }

    /// Takes one more event in, or returns `None` if it cannot follow.
    ///
    /// This is the table of legal transitions: Started → settled; Done → Undoing → Undone or Stuck, or Done again
    /// when a look shows that the undo never took effect. Activations are numbered from 1 without gaps, and each is
    /// settled once.
    pub fn take(&mut self, event: &Event) -> Option<()> {
        if self.end.is_some() {
            return None;
        }
        match event {
            Event::Begin(_) => None,
            Event::End(result) => {
                self.end = Some(*result);
                Some(())
            }
            Event::Intend { step, intent } => {
                // Steps count from 1.
                let is_next = self.steps.last_key_value().map_or(0, |(last, _)| *last) < *step;
                is_next.then(|| {
                    self.steps.insert(*step, ((**intent).clone(), StepStatus::Started));
                })
            }
            Event::Undo { step } => {
                let (_, status) = self.steps.get_mut(step)?;
                matches!(status, StepStatus::Settled(StepOutcome::Done)).then(|| *status = StepStatus::Undoing)
            }
            Event::Settle { step, outcome } => {
                let (_, status) = self.steps.get_mut(step)?;
                // An undo either took effect or did not; a step that was never undone cannot be undone.
                let legal = match &*status {
                    StepStatus::Started => *outcome != StepOutcome::Undone,
                    StepStatus::Undoing => !matches!(outcome, StepOutcome::NotDone { .. }),
                    StepStatus::Settled(_) => false,
                };
                legal.then(|| {
                    *status = StepStatus::Settled(outcome.clone());
                    self.settled_after.insert(*step, self.activations.len());
                })
            }
            Event::Activate { number, host, activation, mark, resources } => {
                (*number == self.activations.len() as u64 + 1).then(|| {
                    self.activations.push(Activating {
                        host: host.clone(),
                        activation: activation.clone(),
                        mark: mark.clone(),
                        resources: resources.clone(),
                        outcome: None,
                    });
                })
            }
            Event::Activated { number, outcome } => {
                let index = usize::try_from(number.checked_sub(1)?).ok()?;
                let activating = self.activations.get_mut(index)?;
                activating.outcome.is_none().then(|| activating.outcome = Some(outcome.clone()))
            }
            Event::Soak { rollout, until } => {
                self.soaks.insert(rollout.clone(), until.clone());
                Some(())
            }
        }
    }

    /// Returns the steps whose outcome is not known: only a fenced look can tell.
    pub fn unsettled(&self) -> impl Iterator<Item = (StepNumber, &Intent)> {
        self.steps.iter().filter_map(|(step, (intent, status))| {
            matches!(status, StepStatus::Started | StepStatus::Undoing).then_some((*step, intent))
        })
    }

    /// Returns the steps that had their effect and kept it.
    pub fn done(&self) -> impl DoubleEndedIterator<Item = (StepNumber, &Intent)> {
        self.steps.iter().filter_map(|(step, (intent, status))| {
            matches!(status, StepStatus::Settled(StepOutcome::Done)).then_some((*step, intent))
        })
    }

    /// Returns the activations of which it is not known whether they are complete.
    pub fn activating(&self) -> impl Iterator<Item = (u64, &Activating)> {
        (1..).zip(&self.activations).filter(|(_, activating)| activating.outcome.is_none())
    }

    /// Returns whether the running system uses what a done step left there, as far as the run saw: nothing had to be
    /// activated, or all of it was and came back.
    fn is_in_effect(&self, step: StepNumber, intent: &Intent) -> bool {
        self.owes(step, intent).is_empty()
    }

    /// Returns what a step still needs before it is in effect, as far as the run saw.
    fn owes(&self, step: StepNumber, intent: &Intent) -> BTreeSet<Activation> {
        let took_place = |need: &&Activation| self.back_since(step, intent).any(|activation| activation.covers(need));
        intent.needs.iter().filter(|need| !took_place(need)).cloned().collect()
    }

    /// Returns what an undone step still needs before what it had made of the running system is gone, as far as the run saw:
    /// what was ordered for it, and not seen to take place since the undo.
    fn owes_undone(&self, step: StepNumber, intent: &Intent) -> BTreeSet<Activation> {
        let until = self.settled_after.get(&step).copied().unwrap_or(0);
        let before = self.activations.iter().take(until).filter(|it| it.resources.contains(&intent.owner));
        let ordered: Vec<&Activation> = before.map(|activating| &activating.activation).collect();
        let was_ordered = |need: &Activation| ordered.iter().any(|activation| activation.covers(need));
        self.owes(step, intent).into_iter().filter(was_ordered).collect()
    }

    /// Returns what was activated for a step, and came back, since it was last settled.
    fn back_since(&self, step: StepNumber, intent: &Intent) -> impl Iterator<Item = &Activation> {
        let since = self.settled_after.get(&step).copied().unwrap_or(0);
        let came_back = |activating: &&Activating| {
            activating.resources.contains(&intent.owner)
                && matches!(activating.outcome, Some(ActivationOutcome::Back(_)))
        };
        self.activations.iter().skip(since).filter(came_back).map(|activating| &activating.activation)
    }

    /// Returns what the run activated.
    pub fn activated(&self) -> Vec<RunActivation> {
        let run = |activating: &Activating| RunActivation {
            host: activating.host.clone(),
            activation: activating.activation.clone(),
            seconds: match activating.outcome {
                Some(ActivationOutcome::Back(seconds)) => Some(seconds),
                _ => None,
            },
        };
        self.activations.iter().map(run).collect()
    }

    /// Returns what the run changed and left changed.
    pub fn changes(&self) -> BTreeMap<ItemId, RunChange> {
        self.done()
            .filter(|(_, intent)| intent.change.before != intent.change.after)
            .map(|(_, intent)| {
                (intent.id.clone(), RunChange { owner: intent.owner.clone(), change: intent.change.clone() })
            })
            .collect()
    }
}

/// Returns what a fenced look says of a step that is not settled. Rule 16 as a table:
///
/// | journal | live = after | live = before | neither |
/// |---|---|---|---|
/// | started | it took effect | it never happened | somebody else's, or half of ours: stuck |
/// | undoing | the undo never took effect | the undo took effect | stuck |
///
/// A step that only changes the record writes nothing, so it can be neither half done nor stuck.
pub fn judge(kind: &dyn Kind, intent: &Intent, status: &StepStatus, live: &Raw) -> Option<StepOutcome> {
    let same = |raw: &Raw| live == raw || kind.canonical(&intent.id.key, live) == kind.canonical(&intent.id.key, raw);
    let stuck = || StepOutcome::Stuck {
        live: Some(live.clone()),
        message: "what is there now is neither the value from before nor ours".to_owned(),
    };
    let records_only = intent.change.before == intent.change.after;
    match status {
        StepStatus::Settled(_) => None,
        StepStatus::Undoing if records_only => Some(StepOutcome::Undone),
        StepStatus::Started if records_only && !same(&intent.change.after) => {
            Some(StepOutcome::NotDone { message: "somebody else changed the value since the plan was made".to_owned() })
        }
        StepStatus::Started if same(&intent.change.after) => Some(StepOutcome::Done),
        StepStatus::Started if same(&intent.change.before) => {
            Some(StepOutcome::NotDone { message: "it never took effect".to_owned() })
        }
        StepStatus::Undoing if same(&intent.change.before) => Some(StepOutcome::Undone),
        StepStatus::Undoing if same(&intent.change.after) => Some(StepOutcome::Done),
        StepStatus::Started | StepStatus::Undoing => Some(stuck()),
    }
}

/// Returns the state after a run: what was done is recorded, what was undone or never happened leaves no trace.
///
/// What was put back, and is not in effect yet because the run ended before its activation, stays recorded: otherwise
/// nobody would know that the running system still uses the other value.
///
/// A stuck item stays recorded with its original, and with ours as last applied unless the value from before is there:
/// the next plan then shows what became of it, and a destroy never overwrites somebody else's value silently.
pub fn conclude(before: &State, progress: &Progress) -> State {
    let mut state = before.clone();
    let header = &progress.header;
    state.lineage.clone_from(&header.lineage);
    state.last_run = state.last_run.max(header.run);
    state.serial += 1;
    for (step, (intent, status)) in &progress.steps {
        match status {
            StepStatus::Settled(StepOutcome::Done)
                if intent.purpose == Purpose::Release && !progress.is_in_effect(*step, intent) =>
            {
                if let Some(record) = state.items.get_mut(&intent.id) {
                    record.applied.clone_from(&intent.change.after);
                    record.owes = progress.owes(*step, intent);
                }
            }
            StepStatus::Settled(StepOutcome::Undone) => {
                let owes = progress.owes_undone(*step, intent);
                if !owes.is_empty() {
                    keep_undone(&mut state, intent, owes);
                }
            }
            StepStatus::Settled(StepOutcome::Done) => {
                record(&mut state, intent, progress.owes(*step, intent), header.run);
            }
            StepStatus::Settled(StepOutcome::Stuck { live, .. }) => keep(&mut state, intent, live.as_ref()),
            StepStatus::Settled(StepOutcome::NotDone { .. }) | StepStatus::Started | StepStatus::Undoing => {}
        }
    }
    for (address, resource) in &header.resources {
        state.resources.insert(address.clone(), resource.clone());
    }
    for (id, host) in &header.hosts {
        state.hosts.insert(id.clone(), host.clone());
    }
    for (rollout, until) in &progress.soaks {
        match until {
            Some(until) => state.soaks.insert(rollout.clone(), until.clone()),
            None => state.soaks.remove(rollout),
        };
    }
    forget_what_owns_nothing(&mut state);
    state
}

/// Drops resources without items and machines without resources.
pub fn forget_what_owns_nothing(state: &mut State) {
    let owners: BTreeSet<&Address> = state.items.values().map(|record| &record.owner).collect();
    state.resources.retain(|address, _| owners.contains(address));
    let machines: BTreeSet<&HostId> = state.items.keys().map(|id| &id.host).collect();
    state.hosts.retain(|id, _| machines.contains(id));
}

fn record(state: &mut State, intent: &Intent, owes: BTreeSet<Activation>, run: u64) {
    match &intent.purpose {
        Purpose::Release => {
            state.items.remove(&intent.id);
        }
        Purpose::RollBack => {
            if let Some(record) = state.items.get_mut(&intent.id) {
                record.applied.clone_from(&intent.change.after);
                record.rolled_back_in = Some(run);
                record.owes = owes;
            }
        }
        Purpose::Manage { adopt } => {
            let recorded = state.items.get(&intent.id).map(|record| record.original.clone());
            let original = recorded.or_else(|| adopt.clone()).unwrap_or(Original::Unknown);
            let record = Record {
                owner: intent.owner.clone(),
                original,
                applied: intent.change.after.clone(),
                rolled_back_in: None,
                // What is wanted and not in effect shows in every reading.
                owes: BTreeSet::new(),
            };
            state.items.insert(intent.id.clone(), record);
        }
    }
}

/// Remembers an item that is as it was before, while the running system may still use what the run had made of it.
fn keep_undone(state: &mut State, intent: &Intent, owes: BTreeSet<Activation>) {
    let Purpose::Manage { adopt: Some(original) } = &intent.purpose else { return };
    let record = Record {
        owner: intent.owner.clone(),
        original: original.clone(),
        applied: intent.change.before.clone(),
        rolled_back_in: None,
        owes,
    };
    state.items.entry(intent.id.clone()).or_insert(record);
}

fn keep(state: &mut State, intent: &Intent, live: Option<&Raw>) {
    let adopted = match &intent.purpose {
        Purpose::Manage { adopt } => adopt.clone(),
        Purpose::RollBack => None,
        Purpose::Release => return,
    };
    match (state.items.get_mut(&intent.id), adopted) {
        (Some(record), _) if live != Some(&intent.change.before) => record.applied.clone_from(&intent.change.after),
        (None, Some(original)) => {
            let record = Record {
                owner: intent.owner.clone(),
                original,
                applied: intent.change.after.clone(),
                rolled_back_in: None,
                owes: BTreeSet::new(),
            };
            state.items.insert(intent.id.clone(), record);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
