//! What the world itself knows and `tune` does not: what every item was without `tune`, and who wrote it last. With it the
//! world checks the laws at every single write, not only at the end of a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use tune_core::contract::{Batch, BatchItem};
use tune_core::item::{Change, HostId, ItemId, ItemKey, Raw};
use tune_core::journal::{Intent, Progress, Purpose, StepStatus};
use tune_core::state::{HostRecord, Original, State};

use super::Machine;
use super::script::HostKinds;
use crate::faults::Faults;

/// What a store holds for certain, whatever happens to its process.
#[derive(Debug, Clone, Default)]
pub struct Durable {
    /// The state.
    pub state: State,
    /// What the journal says of the run that has not ended.
    pub run: Option<Progress>,
}

/// Tells what is durable at this moment.
pub(super) type Witness = Arc<dyn Fn() -> Arc<Durable> + Send + Sync>;

/// Who wrote an item last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// A person, or a boot.
    Hand,
    /// `tune`.
    Tune,
    /// `tune`, in a write that stopped in its middle.
    Half,
}

/// One item as the world knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What it would be without `tune`.
    pub base: Raw,
    /// Who wrote it last.
    pub writer: Writer,
    /// What `tune` replaced when it wrote last, and whose that was: it is theirs again when it is put back.
    pub replaced: Option<(Raw, Writer)>,
}

/// What the world knows of one machine's items.
#[derive(Clone, Default)]
pub(super) struct Truth {
    pub(super) witness: Option<Witness>,
    pub(super) items: BTreeMap<(String, ItemKey), Origin>,
    /// Reverts of items that a person changed are asked for.
    pub(super) may_overwrite: bool,
}

impl fmt::Debug for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Truth").field("items", &self.items).finish_non_exhaustive()
    }
}

impl Truth {
    /// Notes that a person, or a boot, changed an item. While nobody manages it, that is what it is without `tune`.
    pub(super) fn by_hand(&mut self, machine: &Machine, kind: &str, key: &ItemKey, sides: (&Raw, &Raw)) {
        let (before, after) = sides;
        let managed = self.is_managed(machine, kind, key);
        let origin = Origin { base: before.clone(), writer: Writer::Hand, replaced: None };
        let origin = self.items.entry((kind.to_owned(), key.clone())).or_insert(origin);
        origin.writer = Writer::Hand;
        origin.replaced = None;
        if !managed {
            origin.base.clone_from(after);
        }
    }

    /// Returns every item of a machine that anybody ever changed, or that is recorded or intended to be.
    pub(super) fn slots(&self, machine: &Machine) -> BTreeSet<(String, ItemKey)> {
        let mut slots = self.managed(machine);
        slots.extend(self.items.keys().cloned());
        slots
    }

    fn is_managed(&self, machine: &Machine, kind: &str, key: &ItemKey) -> bool {
        self.managed(machine).contains(&(kind.to_owned(), key.clone()))
    }

    /// Returns every item of a machine that is recorded, or intended to be.
    fn managed(&self, machine: &Machine) -> BTreeSet<(String, ItemKey)> {
        let durable = self.durable();
        let Durable { state, run } = &*durable;
        let hosts = state.hosts.iter().chain(run.iter().flat_map(|run| &run.header.hosts));
        let is_it = |record: &HostRecord| record.machine_id.as_ref() == Some(&machine.machine_id);
        let ids: Vec<&HostId> = hosts.filter(|(_, record)| is_it(record)).map(|(id, _)| id).collect();
        let intended = run.iter().flat_map(|run| run.steps.values()).map(|(intent, _)| &intent.id);
        let all = intended.chain(state.items.keys()).filter(|id| ids.contains(&&id.host));
        all.map(|id| (id.kind.clone(), id.key.clone())).collect()
    }

    pub(super) fn written(&mut self, item: &BatchItem) {
        self.wrote(&slot(item), &item.change, Writer::Tune);
    }

    pub(super) fn broken(&mut self, item: &BatchItem) {
        self.wrote(&slot(item), &item.change, Writer::Half);
    }

    /// Notes an item of a batch that was as wanted already. Somebody who made it so since the plan did what `tune` would
    /// have done, and the value that the plan saw stays the one to go back to.
    pub(super) fn found_so(&mut self, batch: &Batch, item: &BatchItem, live: &Raw, kinds: &HostKinds) {
        let adopts = self.intent(&id(batch, item)).is_some_and(|(intent, status)| {
            status == StepStatus::Started && matches!(intent.purpose, Purpose::Manage { adopt: Some(_) })
        });
        let origin = Origin { base: live.clone(), writer: Writer::Hand, replaced: None };
        let origin = self.items.entry(slot(item)).or_insert(origin);
        if adopts && !same(kinds, item, &item.change.before, live) {
            origin.base.clone_from(&item.change.before);
        } else if adopts && origin.writer == Writer::Hand {
            origin.base.clone_from(live);
        }
    }

    /// Notes that a script or a detached restore put `before` back.
    pub(super) fn restored(&mut self, item: &BatchItem) {
        self.wrote(&slot(item), &item.change.clone().inverse(), Writer::Tune);
    }

    /// Checks, just before a write takes effect, that it may.
    pub(super) fn check_write(
        &mut self,
        batch: &Batch,
        item: &BatchItem,
        live: &Raw,
        kinds: &HostKinds,
        faults: &Faults,
    ) {
        if self.witness.is_none() {
            self.items.entry(slot(item)).or_insert(Origin { base: live.clone(), writer: Writer::Hand, replaced: None });
            return;
        }
        let id = id(batch, item);
        let Some((intent, status)) = self.intent(&id) else {
            faults.violated(format!("`{}` was written without a durable intent", item.key));
            return;
        };
        let inverse = intent.change.clone().inverse();
        let agrees = match status {
            StepStatus::Started => means(kinds, item, &item.change, &intent.change),
            StepStatus::Undoing => means(kinds, item, &item.change, &inverse),
            StepStatus::Settled(_) => false,
        };
        if !agrees {
            faults.violated(format!(
                "`{}` was written {:?}, but the durable intent is {:?}, {status:?}",
                item.key, item.change, intent.change
            ));
        }
        let base = self.base(&id, &intent, live, kinds);
        match original(&self.durable(), &id, &intent) {
            Some(Original::Known { raw, .. }) if same(kinds, item, &raw, &base) => {}
            Some(Original::Unknown) => faults.happened("an item with an unknown original was written"),
            other => faults
                .violated(format!("`{}` was written while {other:?} was durable, but it was {base:?} first", item.key)),
        }
        self.check_drift(&id, item, live, &intent, (kinds, faults));
        let writer = self.items.get(&slot(item)).map_or(Writer::Hand, |origin| origin.writer);
        let replaced = self.items.remove(&slot(item)).and_then(|origin| origin.replaced);
        self.items.insert(slot(item), Origin { base, writer, replaced });
    }

    /// Checks that the machine's own ledgers suffice to put back everything of ours that is on it now.
    pub(super) fn check_ledgers(&self, machine: &Machine, kinds: &HostKinds, faults: &Faults) {
        if self.witness.is_none() {
            return;
        }
        for (slot, origin) in &self.items {
            let Some(kind) = kinds.get(&slot.0) else { continue };
            let Some(target) = kind.target(&slot.1) else { continue };
            let live = machine.read(&target);
            let same = |a: &Raw, b: &Raw| kind.canonical(&slot.1, a) == kind.canonical(&slot.1, b);
            if origin.writer != Writer::Tune || same(&live, &origin.base) {
                continue;
            }
            let mut entries = machine.ledgers.values().filter_map(|ledger| ledger.entries.get(slot));
            let helps = entries.any(|entry| {
                entry.original.as_ref().is_none_or(|original| same(original, &origin.base))
                    && entry.ours.iter().any(|ours| same(ours, &live))
            });
            if !helps {
                faults.violated(format!(
                    "`{}` is {live:?}, was {:?} first, and no ledger on the machine can put it back: {:?}",
                    slot.1, origin.base, machine.ledgers
                ));
            }
        }
    }

    /// A value that a person wrote may only be replaced by an apply, which showed it before.
    fn check_drift(&self, id: &ItemId, item: &BatchItem, live: &Raw, intent: &Intent, at: (&HostKinds, &Faults)) {
        let (kinds, faults) = at;
        let by_hand = self.items.get(&slot(item)).is_some_and(|origin| origin.writer == Writer::Hand);
        if !by_hand || self.may_overwrite {
            return;
        }
        let durable = self.durable();
        let applied = durable.state.items.get(id).map(|record| &record.applied);
        let ours = match (&intent.purpose, intent.change.after == item.change.after) {
            // What this very run wrote, or what was last applied, is ours again if somebody put it back by hand.
            (Purpose::Manage { .. }, true) => return,
            (_, false) => same(kinds, item, live, &intent.change.after),
            (_, true) => applied.is_some_and(|applied| same(kinds, item, live, applied)),
        };
        // A rollback goes by what its run wrote, which may differ from what was applied last.
        if !ours && intent.purpose != Purpose::RollBack {
            faults.violated(format!("`{}` was put back over {live:?}, which somebody else wrote", item.key));
        }
    }

    /// What the item was before `tune` managed it: what it is now, if nothing was recorded and a person wrote it last.
    fn base(&self, id: &ItemId, intent: &Intent, live: &Raw, kinds: &HostKinds) -> Raw {
        let known = self.items.get(&(id.kind.clone(), id.key.clone()));
        let managed = self.durable().state.items.contains_key(id);
        let adopts = matches!(&intent.purpose, Purpose::Manage { adopt: Some(_) });
        match known {
            Some(origin) if managed || !adopts || origin.writer != Writer::Hand => origin.base.clone(),
            // An undo inside the run that adopted: the item is what this run wrote.
            Some(origin)
                if kinds.get(&id.kind).is_some_and(|kind| {
                    kind.canonical(&id.key, live) == kind.canonical(&id.key, &intent.change.after)
                }) =>
            {
                origin.base.clone()
            }
            _ => live.clone(),
        }
    }

    fn wrote(&mut self, slot: &(String, ItemKey), change: &Change, writer: Writer) {
        let origin = Origin { base: change.before.clone(), writer: Writer::Hand, replaced: None };
        let origin = self.items.entry(slot.clone()).or_insert(origin);
        match origin.replaced.take() {
            Some((raw, theirs)) if writer == Writer::Tune && raw == change.after => origin.writer = theirs,
            _ => {
                // Nobody puts half a write back on purpose.
                let replaced = (change.before.clone(), origin.writer);
                origin.replaced = (writer == Writer::Tune).then_some(replaced);
                origin.writer = writer;
            }
        }
    }

    /// Returns the latest durable intent for an item, with its status.
    fn intent(&self, id: &ItemId) -> Option<(Intent, StepStatus)> {
        self.durable().run.as_ref()?.steps.values().rev().find(|(intent, _)| intent.id == *id).cloned()
    }

    pub(super) fn durable(&self) -> Arc<Durable> {
        self.witness.as_ref().map(|witness| witness()).unwrap_or_default()
    }
}

fn slot(item: &BatchItem) -> (String, ItemKey) {
    (item.kind.clone(), item.key.clone())
}

fn id(batch: &Batch, item: &BatchItem) -> ItemId {
    let host = HostId(batch.ledger.host_id.clone());
    ItemId { host, kind: item.kind.clone(), key: item.key.clone() }
}

fn original(durable: &Durable, id: &ItemId, intent: &Intent) -> Option<Original> {
    let recorded = durable.state.items.get(id).map(|record| record.original.clone());
    recorded.or_else(|| match &intent.purpose {
        Purpose::Manage { adopt } => adopt.clone(),
        _ => None,
    })
}

fn same(kinds: &HostKinds, item: &BatchItem, a: &Raw, b: &Raw) -> bool {
    let canonical = |raw: &Raw| kinds.get(&item.kind).map(|kind| kind.canonical(&item.key, raw));
    canonical(a) == canonical(b)
}

fn means(kinds: &HostKinds, item: &BatchItem, a: &Change, b: &Change) -> bool {
    same(kinds, item, &a.before, &b.before) && same(kinds, item, &a.after, &b.after)
}
