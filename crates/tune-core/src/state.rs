//! What `tune` remembers: for every managed item its original and what was last applied, and how each host was
//! reached. These are plain values; storing them is the engine's task.

use std::collections::{BTreeMap, BTreeSet};

use crate::activation::Activation;
use crate::address::Address;
use crate::item::{Change, HostId, ItemId, Raw};
use crate::reading::Facts;
use crate::resource::{Become, Transport};

/// Everything that is remembered between runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Names this state among all states; empty before the first apply.
    pub lineage: String,
    /// Grows by one with every change of the state.
    pub serial: u64,
    /// The number of the latest run.
    pub last_run: u64,
    /// Adopted machines.
    pub hosts: BTreeMap<HostId, HostRecord>,
    /// Managed items.
    pub items: BTreeMap<ItemId, Record>,
    /// Resources that own items.
    pub resources: BTreeMap<Address, ResourceRecord>,
    /// Rollouts that are paused: until when each one rests before its next batch, in RFC 3339.
    pub soaks: BTreeMap<Address, String>,
}

/// How a machine was reached and recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRecord {
    /// Its name in the configuration when it was last seen.
    pub address: Address,
    /// How it was reached; never a credential.
    pub transport: Transport,
    /// How commands got their privileges.
    pub become_: Become,
    /// Its `/etc/machine-id`.
    pub machine_id: Option<String>,
    /// Fingerprints of its ssh host keys.
    pub host_keys: BTreeSet<String>,
}

impl HostRecord {
    /// Returns whether these are the facts of another machine: of what is known on both sides, machine id and ssh host
    /// keys, everything differs.
    pub fn is_another(&self, facts: &Facts) -> bool {
        let same_id = match (&facts.machine_id, &self.machine_id) {
            (Some(now), Some(then)) => Some(now == then),
            _ => None,
        };
        let same_keys = if facts.host_keys.is_empty() || self.host_keys.is_empty() {
            None
        } else {
            Some(!facts.host_keys.is_disjoint(&self.host_keys))
        };
        matches!((same_id, same_keys), (Some(false), Some(false) | None) | (None, Some(false)))
    }
}

/// One managed item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The resource that owns it.
    pub owner: Address,
    /// What was there before `tune` first managed it.
    pub original: Original,
    /// What `tune` last wrote or accepted.
    pub applied: Raw,
    /// The run that rolled the item back to a value from before an earlier run, until it is applied again.
    pub rolled_back_in: Option<u64>,
    /// What was not seen to take place since `applied` was put back: until then the running system may use what `tune`
    /// had made of it, and a reading need not show that, because a file that is gone names no value.
    pub owes: BTreeSet<Activation>,
}

/// What was there first.
///
/// Invariant: while the item stays managed this is never overwritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Original {
    /// Read before the first apply that managed the item.
    Known {
        /// The restorable form.
        raw: Raw,
        /// What the next boot would have yielded, with its source, for people.
        next_boot: Option<String>,
        /// The run that recorded it.
        run: u64,
        /// When, in RFC 3339.
        time: String,
    },
    /// Lost: `tune` wrote here before, but no record of what was there survived.
    Unknown,
}

/// What must be known of a resource when its block is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRecord {
    /// The machine that it lives on.
    pub host: HostId,
    /// Resources that it depended on, so that it is reverted before them.
    pub depends_on: BTreeSet<Address>,
    /// Whether reverting it is refused.
    pub prevent_revert: bool,
    /// The host that is down while it is activated, where that is another one than `host`.
    pub guest: Option<Address>,
}

/// What one finished run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// Its number, counted from 1.
    pub number: u64,
    /// `apply`, `destroy`, `rollback 3`, …
    pub command: String,
    /// Who ran it: `user@machine`.
    pub by: String,
    /// When it began, in RFC 3339.
    pub started: String,
    /// When it ended, in RFC 3339.
    pub finished: String,
    /// How it ended.
    pub result: RunResult,
    /// What it changed and left changed.
    pub changes: BTreeMap<ItemId, RunChange>,
    /// What it activated, in order.
    pub activations: Vec<RunActivation>,
}

/// One activation of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunActivation {
    /// The machine or API that did it.
    pub host: HostId,
    /// What was done.
    pub activation: Activation,
    /// How long it took until it was back, in seconds; `None` if it was never seen to be back.
    pub seconds: Option<u64>,
}

/// One item that a run changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunChange {
    /// The resource that owned it.
    pub owner: Address,
    /// From what to what.
    pub change: Change,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunResult {
    /// Everything that was planned is done.
    Done,
    /// Something failed; everything that the run did is undone.
    Undone,
    /// Something failed and was put back; the rest is done.
    Partial,
    /// It rests between two batches of a rollout; the next apply goes on.
    Paused,
    /// An undo could not be completed, or an outcome is not known.
    Stuck,
}
