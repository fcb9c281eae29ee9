//! What a host's ledger says at one point of a run: the state's part for that host, with the run's steps laid over it.

use std::collections::BTreeMap;

use tune_core::item::{HostId, ItemId, ItemKey, Raw};
use tune_core::journal::{Header, Intent, Purpose, StepOutcome, StepStatus};
use tune_core::ledger::{Ledger, LedgerEntry};
use tune_core::state::{Original, State};

/// How steps that are under way are regarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assume {
    /// They may or may not have their effect: both values could be ours.
    Either,
    /// They have it; what is being undone is undone.
    Success,
}

/// Returns the ledger of one host, given all of its steps with how each is regarded.
pub(crate) fn ledger<'a>(
    base: &State,
    header: &Header,
    host: &HostId,
    steps: impl Iterator<Item = (&'a (Intent, StepStatus), Assume)>,
) -> Ledger {
    let mut entries = recorded(base, host);
    for ((intent, status), assume) in steps {
        lay_over(&mut entries, intent, status, assume);
    }
    Ledger {
        lineage: header.lineage.clone(),
        epoch: header.run,
        writer: header.by.clone(),
        host_id: host.0.clone(),
        entries,
    }
}

type Entries = BTreeMap<(String, ItemKey), LedgerEntry>;

fn recorded(base: &State, host: &HostId) -> Entries {
    let first = ItemId { host: host.clone(), kind: String::new(), key: ItemKey(String::new()) };
    let items = base.items.range(first..).take_while(|(id, _)| id.host == *host);
    items
        .map(|(id, record)| {
            let entry = LedgerEntry {
                address: record.owner.to_string(),
                original: known(&record.original),
                ours: vec![record.applied.clone()],
            };
            ((id.kind.clone(), id.key.clone()), entry)
        })
        .collect()
}

fn lay_over(entries: &mut Entries, intent: &Intent, status: &StepStatus, assume: Assume) {
    let key = (intent.id.kind.clone(), intent.id.key.clone());
    match (status, assume) {
        (StepStatus::Settled(StepOutcome::NotDone { .. } | StepOutcome::Undone), _)
        | (StepStatus::Undoing, Assume::Success) => {}
        (StepStatus::Settled(StepOutcome::Done), _) | (StepStatus::Started, Assume::Success) => match intent.purpose {
            Purpose::Release => {
                entries.remove(&key);
            }
            Purpose::Manage { .. } | Purpose::RollBack => {
                if let Some(entry) = entry(entries, key, intent) {
                    entry.address = intent.owner.to_string();
                    entry.ours = vec![intent.change.after.clone()];
                }
            }
        },
        (StepStatus::Settled(StepOutcome::Stuck { .. }) | StepStatus::Started | StepStatus::Undoing, _) => {
            let Some(entry) = entry(entries, key, intent) else { return };
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
fn entry<'a>(entries: &'a mut Entries, key: (String, ItemKey), intent: &Intent) -> Option<&'a mut LedgerEntry> {
    if let Purpose::Manage { adopt } = &intent.purpose {
        let original: Option<Raw> = adopt.as_ref().and_then(known);
        let owner = intent.owner.to_string();
        return Some(entries.entry(key).or_insert(LedgerEntry { address: owner, original, ours: Vec::new() }));
    }
    entries.get_mut(&key)
}

fn known(original: &Original) -> Option<Raw> {
    match original {
        Original::Known { raw, .. } => Some(raw.clone()),
        Original::Unknown => None,
    }
}
