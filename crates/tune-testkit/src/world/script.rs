//! What runs on a machine on behalf of the engine: the script of one batch, stage by stage, so that it can be stopped,
//! left running, or begun late between any two of them.
//!
//! Stages: take the lock and check the epoch; write the ledger and arm the restore; one per item; write the ledger that
//! stays. Compare-and-set is done here, as on a real host, so a foreign value is safe even from a wrong engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tune_core::contract::{Batch, BatchItem, ConnectionError, Outcome, Sent};
use tune_core::item::{Change, Raw};
use tune_remote::{HostKind, Target};

use super::truth::Truth;
use super::{DISK_FULL, FENCED, Machine};
use crate::faults::{Faults, ItemFault};

/// The kinds that the world's machines can serve, by name.
pub(super) type HostKinds = BTreeMap<String, Arc<dyn HostKind>>;

/// Everything that a script needs besides itself.
pub(super) struct Scene<'a> {
    pub(super) machine: &'a mut Machine,
    pub(super) truth: &'a mut Truth,
    pub(super) restore: &'a mut Option<Restore>,
    pub(super) kinds: &'a HostKinds,
    pub(super) faults: &'a Faults,
}

/// A restore that waits on a machine until somebody disarms it.
#[derive(Debug, Clone)]
pub(super) struct Restore {
    pub(super) batch: Batch,
    /// Calls, successful or not, until it fires.
    pub(super) calls_left: usize,
}

/// How many calls an armed restore waits for its confirmation.
const RESTORE_CALLS: usize = 3;

/// The script of one batch.
#[derive(Debug, Clone)]
pub(super) struct Script {
    batch: Batch,
    stage: usize,
    refusal: Option<ConnectionError>,
    /// What became of each item, whether the line that says so arrives or not.
    outcomes: Vec<Outcome>,
    failed_groups: BTreeSet<usize>,
    wrong: Option<(usize, ItemFault)>,
    disk_full: bool,
}

impl Script {
    pub(super) fn new(batch: &Batch) -> Self {
        Self {
            batch: batch.clone(),
            stage: 0,
            refusal: None,
            outcomes: vec![Outcome::Unknown; batch.items.len()],
            failed_groups: BTreeSet::new(),
            wrong: None,
            disk_full: false,
        }
    }

    pub(super) fn with_item_fault(mut self, index: usize, how: ItemFault) -> Self {
        self.wrong = Some((index, how));
        self
    }

    pub(super) fn with_disk_full(mut self) -> Self {
        self.disk_full = true;
        self
    }

    /// Returns how many stages a batch of so many items has.
    pub(super) fn stages(items: usize) -> usize {
        items + 3
    }

    /// Goes on until so many stages are done.
    pub(super) fn run_to(&mut self, stage: usize, scene: &mut Scene<'_>) {
        let end = stage.min(Self::stages(self.batch.items.len()));
        while self.stage < end && self.refusal.is_none() {
            self.next_stage(scene);
            self.stage += 1;
            scene.truth.check_ledgers(scene.machine, scene.kinds, scene.faults);
        }
    }

    pub(super) fn run_to_end(&mut self, scene: &mut Scene<'_>) {
        self.run_to(usize::MAX, scene);
    }

    /// Returns what the script has said so far. Without its end, at least the last item is unknown.
    pub(super) fn reply(&self) -> Result<Vec<Outcome>, ConnectionError> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let mut outcomes = self.outcomes.clone();
        if let Some((index, ItemFault::Mute)) = self.wrong
            && let Some(outcome) = outcomes.get_mut(index)
        {
            *outcome = Outcome::Unknown;
        }
        if self.stage < Self::stages(self.batch.items.len())
            && let Some(last) = outcomes.last_mut()
        {
            *last = Outcome::Unknown;
        }
        Ok(outcomes)
    }

    fn next_stage(&mut self, scene: &mut Scene<'_>) {
        let items = self.batch.items.len();
        match self.stage {
            0 => self.begin(scene),
            1 => self.write_ledger(scene),
            stage if stage < items + 2 => {
                let index = stage - 2;
                self.outcomes[index] = self.item(index, scene);
            }
            _ => self.leave_ledger(scene),
        }
    }

    fn begin(&mut self, scene: &mut Scene<'_>) {
        let lineage = &self.batch.lineage;
        if scene.machine.epochs.get(lineage).is_some_and(|seen| self.batch.epoch <= *seen) {
            scene.faults.happened("a script was shut out by its epoch");
            self.refusal = Some(ConnectionError {
                code: FENCED,
                sent: Sent::No,
                transient: false,
                message: format!("`{}` has been fenced against this batch", scene.machine.machine_id),
                help: None,
            });
        }
    }

    fn write_ledger(&mut self, scene: &mut Scene<'_>) {
        if self.disk_full {
            self.refusal = Some(ConnectionError {
                code: DISK_FULL,
                sent: Sent::No,
                transient: false,
                message: format!("no space left on `{}`", scene.machine.machine_id),
                help: None,
            });
            return;
        }
        scene.machine.ledgers.insert(self.batch.lineage.clone(), self.batch.ledger.clone());
        scene.machine.epochs.insert(self.batch.lineage.clone(), self.batch.epoch);
        if self.batch.restore_after.is_some() {
            *scene.restore = Some(Restore { batch: self.batch.clone(), calls_left: RESTORE_CALLS });
        }
    }

    fn leave_ledger(&mut self, scene: &mut Scene<'_>) {
        if self.outcomes.iter().any(|outcome| *outcome != Outcome::Done) {
            return;
        }
        match &self.batch.ledger_after {
            Some(ledger) => scene.machine.ledgers.insert(self.batch.lineage.clone(), ledger.clone()),
            None => scene.machine.ledgers.remove(&self.batch.lineage),
        };
    }

    fn item(&mut self, index: usize, scene: &mut Scene<'_>) -> Outcome {
        let item = &self.batch.items[index];
        if self.failed_groups.contains(&item.group) {
            return Outcome::NotTried;
        }
        let how = self.wrong.filter(|(wrong, _)| *wrong == index).map(|(_, how)| how);
        let outcome = write_item(&self.batch, item, how, self.disk_full, scene);
        if outcome != Outcome::Done {
            self.failed_groups.insert(item.group);
        }
        outcome
    }
}

impl Restore {
    /// Puts back every `before` that is not there, unless something was sent since.
    pub(super) fn fire(self, scene: &mut Scene<'_>) {
        if scene.machine.epochs.get(&self.batch.lineage).is_some_and(|seen| *seen > self.batch.epoch) {
            return;
        }
        scene.faults.happened("a detached restore fired");
        for item in self.batch.items.iter().rev() {
            let Some((kind, target)) = place(scene.kinds, item) else { continue };
            let live = scene.machine.read(&target);
            let is = |raw: &Raw| kind.canonical(&item.key, &live) == kind.canonical(&item.key, raw);
            let ours = is(&item.change.after) && !is(&item.change.before);
            if ours && scene.machine.write(&target, &item.change.before).is_ok() {
                scene.truth.restored(item);
            }
        }
    }
}

fn place<'a>(kinds: &'a HostKinds, item: &BatchItem) -> Option<(&'a dyn HostKind, Target)> {
    let kind = kinds.get(&item.kind)?;
    Some((&**kind, kind.target(&item.key)?))
}

fn write_item(
    batch: &Batch,
    item: &BatchItem,
    how: Option<ItemFault>,
    disk_full: bool,
    scene: &mut Scene<'_>,
) -> Outcome {
    let refused = |message: &str| Outcome::Refused { message: message.to_owned() };
    let Some((kind, target)) = place(scene.kinds, item) else { return refused("there is no such item") };
    let same = |a: &Raw, b: &Raw| kind.canonical(&item.key, a) == kind.canonical(&item.key, b);
    let Change { before, after } = &item.change;
    let live = scene.machine.read(&target);
    if same(&live, after) {
        scene.truth.found_so(batch, item, &live, scene.kinds);
        return Outcome::Done;
    }
    if !same(&live, before) {
        scene.faults.happened("a foreign value was left alone");
        return Outcome::Conflict { live };
    }
    if how == Some(ItemFault::Refused) {
        return refused("operation not permitted");
    }
    if disk_full && matches!(target, Target::File { .. }) {
        return refused("no space left on device");
    }
    scene.truth.check_write(batch, item, &live, scene.kinds, scene.faults);
    if how == Some(ItemFault::Half) {
        scene.machine.write_half(&target, after);
        let live = scene.machine.read(&target);
        scene.truth.broken(item);
        return Outcome::Broken { message: "the write stopped in its middle".to_owned(), live: Some(live) };
    }
    if let Err(message) = scene.machine.write(&target, after) {
        return Outcome::Refused { message };
    }
    scene.truth.written(item);
    let stored = scene.machine.read(&target);
    if how == Some(ItemFault::FailsAfterEffect) {
        if !same(&stored, after) {
            scene.truth.broken(item);
        }
        return Outcome::Broken { message: "the write command failed".to_owned(), live: None };
    }
    if same(&stored, after) {
        return Outcome::Done;
    }
    scene.faults.happened("a value was clamped");
    let message = format!("the system stored {stored:?} instead");
    let put_back = scene.machine.write(&target, before);
    let live = scene.machine.read(&target);
    if put_back.is_ok() && same(&live, before) {
        scene.truth.restored(item);
        Outcome::Refused { message }
    } else {
        scene.truth.broken(item);
        Outcome::Broken { message, live: Some(live) }
    }
}
