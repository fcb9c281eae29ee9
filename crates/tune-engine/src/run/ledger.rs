//! What a host's ledger says at one point of a run: the state's part for that host, with the run's steps laid over it.

use tune_core::item::{HostId, ItemId, ItemKey, Raw};
use tune_core::journal::{Header, Intent, Purpose, StepOutcome, StepStatus};
use tune_core::ledger::{Entries, Ledger, LedgerEntry};
use tune_core::state::{Original, Record, State};

/// How steps that are under way are regarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assume {
    /// They may or may not have their effect: both values could be ours.
    Either,
    /// They have it; what is being undone is undone.
    Success,
}

/// Returns the ledger of one host that says this.
pub(crate) fn ledger(header: &Header, host: &HostId, entries: Entries) -> Ledger {
    Ledger {
        lineage: header.lineage.clone(),
        epoch: header.run,
        writer: header.by.clone(),
        host_id: host.0.clone(),
        entries,
    }
}

/// Returns what a state says of one host.
pub(crate) fn recorded(base: &State, host: &HostId) -> Entries {
    let first = ItemId { host: host.clone(), kind: String::new(), key: ItemKey(String::new()) };
    let items = base.items.range(first..).take_while(|(id, _)| id.host == *host);
    items.map(|(id, record)| (key(id), as_recorded(record))).collect()
}

/// Brings one item of a ledger up to date: as the state has it, with each step of the item laid over that.
pub(crate) fn refresh<'a>(
    entries: &mut Entries,
    base: &State,
    id: &ItemId,
    steps: impl Iterator<Item = (&'a (Intent, StepStatus), Assume)>,
) {
    let mut entry = base.items.get(id).map(as_recorded);
    for ((intent, status), assume) in steps {
        lay_over(&mut entry, intent, status, assume);
    }
    match entry {
        Some(entry) => entries.insert_mut(key(id), entry),
        None => {
            entries.remove_mut(&key(id));
        }
    }
}

fn key(id: &ItemId) -> (String, ItemKey) {
    (id.kind.clone(), id.key.clone())
}

fn as_recorded(record: &Record) -> LedgerEntry {
    LedgerEntry {
        address: record.owner.to_string(),
        original: known(&record.original),
        ours: vec![record.applied.clone()],
    }
}

fn lay_over(entry: &mut Option<LedgerEntry>, intent: &Intent, status: &StepStatus, assume: Assume) {
    match (status, assume) {
        (StepStatus::Settled(StepOutcome::NotDone { .. } | StepOutcome::Undone), _)
        | (StepStatus::Undoing, Assume::Success) => {}
        (StepStatus::Settled(StepOutcome::Done), _) | (StepStatus::Started, Assume::Success) => match intent.purpose {
            Purpose::Release => *entry = None,
            Purpose::Manage { .. } | Purpose::RollBack => {
                if let Some(entry) = managed(entry, intent) {
                    entry.address = intent.owner.to_string();
                    entry.ours = vec![intent.change.after.clone()];
                }
            }
        },
        (StepStatus::Settled(StepOutcome::Stuck { .. }) | StepStatus::Started | StepStatus::Undoing, _) => {
            let Some(entry) = managed(entry, intent) else { return };
            let Intent { change, purpose, .. } = intent;
            // The last one is what a rebuilt state takes for last applied: for a release that is what is there before.
            let values = match purpose {
                Purpose::Release => [&change.after, &change.before],
                Purpose::Manage { .. } | Purpose::RollBack => [&change.before, &change.after],
            };
            for value in values {
                entry.ours.retain(|ours| ours != value);
                entry.ours.push(value.clone());
            }
        }
    }
}

/// An item without an entry gets one when it is adopted; a release or a rollback of something unknown has none.
fn managed<'a>(entry: &'a mut Option<LedgerEntry>, intent: &Intent) -> Option<&'a mut LedgerEntry> {
    if let Purpose::Manage { adopt } = &intent.purpose {
        let original = || adopt.as_ref().and_then(known);
        let adopted = || LedgerEntry { address: intent.owner.to_string(), original: original(), ours: Vec::new() };
        return Some(entry.get_or_insert_with(adopted));
    }
    entry.as_mut()
}

fn known(original: &Original) -> Option<Raw> {
    match original {
        Original::Known { raw, .. } => Some(raw.clone()),
        Original::Unknown => None,
    }
}
