//! What a person needs to know after a run: what is done, what was put back and why, what was not started and because
//! of what, what is stuck, and what is not known.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::Address;
use tune_core::activation::Activation;
use tune_core::item::{HostId, ItemId, Raw};
use tune_core::plan::Owed;
use tune_core::rollout::Verdict;
use tune_core::state::RunResult;

use crate::stop::Urgency;

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The run's number; `None` if there was nothing to do, so that no run was recorded.
    pub number: Option<u64>,
    /// How it ended. A run whose outcomes are not all known counts as stuck until it is settled.
    pub result: RunResult,
    /// Every resource that had work.
    pub resources: BTreeMap<Address, ResourceOutcome>,
    /// The members that the plan takes, in its order.
    pub members: Vec<MemberReport>,
    /// Why the run stopped before its end, where no member failed: facts changed, or gates did not pass.
    pub halted: Option<Halted>,
    /// Rollouts that rest before their next batch: until when, in RFC 3339.
    pub resting: BTreeMap<Address, String>,
    /// Machines that were interrupted and were not seen to be back, each with what was waited for.
    pub away: BTreeMap<Address, String>,
    /// Reverts that were not made, because somebody else changed the value.
    pub conflicts: Vec<Conflict>,
    /// Recorded items that were not put back, because they could not be read.
    pub unread: Vec<Unread>,
    /// Reverts that wait for a host that is away.
    pub owed: Vec<Owed>,
    /// Hosts to which nothing was sent, because another run holds them.
    pub held: BTreeSet<HostId>,
    /// Whether somebody asked to stop.
    pub stopped: Urgency,
    /// Whether the run stays open in the journal, because outcomes are not known; the next apply settles it.
    pub open: bool,
    /// What went wrong without harm to the result, as whole sentences: an export that could not be written, a ledger
    /// that could not be tidied.
    pub warnings: Vec<String>,
}

/// What became of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberReport {
    /// The host.
    pub host: Address,
    /// Its rollout; `None` for a host of none.
    pub rollout: Option<Address>,
    /// What became of it.
    pub outcome: MemberOutcome,
}

/// What became of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberOutcome {
    /// It uses its new values and passed its gates.
    Done {
        /// What was activated, in order.
        activations: Vec<Took>,
    },
    /// It failed, or the run did, and it is as it was before.
    PutBack {
        /// Why.
        trouble: Trouble,
        /// Whether its gates pass again; `true` where it has none.
        is_green: bool,
    },
    /// It failed, and is not as it was before.
    Failed {
        /// Why.
        trouble: Trouble,
        /// Why it was not put back.
        left: Left,
    },
    /// It was interrupted and has not been seen to be back.
    Down {
        /// What was waited for.
        trouble: Trouble,
    },
    /// It was not begun.
    Untouched,
}

/// One activation of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Took {
    /// What was done.
    pub activation: Activation,
    /// How long until it was back, in seconds.
    pub seconds: u64,
}

/// Why a member that failed is not as it was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// The rollout says `halt`, or somebody asked to stop at once.
    AsItIs,
    /// It could not be put back: why, without a full stop.
    NotUndone(String),
}

/// What went wrong with a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What, without a full stop.
    pub reason: String,
    /// The gates that did not pass, where that is what went wrong.
    pub gates: Vec<GateReport>,
}

/// A gate that did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateReport {
    /// The check.
    pub check: Address,
    /// What it said last.
    pub verdict: Verdict,
    /// For how many seconds it has not passed, as far as it was looked at.
    pub seconds: u64,
}

/// Why a run stopped before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halted {
    /// The members that would have been next.
    pub hosts: Vec<Address>,
    /// Why they were not begun.
    pub trouble: Trouble,
}

impl Trouble {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), gates: Vec::new() }
    }
}

/// What became of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResourceOutcome {
    /// It is as wanted, read back from the running system.
    Done {
        /// Items that were written.
        written: usize,
        /// Items of which only the record changed.
        recorded: usize,
    },
    /// An item failed; the resource is as it was before the run.
    PutBack {
        /// What failed first.
        failures: Vec<Failure>,
        /// Items that had been written and are undone.
        undone: usize,
    },
    /// It was not begun.
    NotStarted(NotStarted),
    /// Items are neither as wanted nor as before: a person must look.
    Stuck {
        /// These items.
        items: Vec<StuckItem>,
        /// Items that had been written and are undone.
        undone: usize,
    },
    /// The host's answer did not arrive, and no fence was to be had.
    Unknown {
        /// The host.
        host: Address,
        /// These items.
        items: Vec<ItemId>,
        /// Why nothing is known, without a full stop.
        reason: String,
        /// What to do, as one imperative sentence.
        help: Option<String>,
    },
}

/// Why a resource was not begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotStarted {
    /// What it waits for was not settled.
    Dependency(Address),
    /// It is not known what became of something sent to its host before.
    HostInDoubt(Address),
    /// Somebody asked to stop.
    Stopped,
    /// A member failed before, or something changed since the plan was made, so the run stopped.
    Halted,
    /// Its rollout rests until then, in RFC 3339.
    Resting(String),
    /// One of its items could not be read.
    Unreadable(Failure),
    /// The run was interrupted before.
    Interrupted,
}

/// Why one item was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The item.
    pub item: ItemId,
    /// Why, without a full stop.
    pub message: String,
}

/// An item that only a person can bring in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckItem {
    /// The item.
    pub item: ItemId,
    /// What was there before the run.
    pub before: Raw,
    /// What the run wanted there.
    pub ours: Raw,
    /// What is there now, where that is known.
    pub now: Option<Raw>,
    /// Why it is stuck, without a full stop.
    pub message: String,
}

/// A revert that was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The resource.
    pub address: Address,
    /// The item.
    pub item: ItemId,
    /// What would have been put back.
    pub original: Raw,
    /// What was last applied.
    pub applied: Option<Raw>,
    /// What somebody else put there.
    pub live: Option<Raw>,
}

/// A recorded item that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The resource.
    pub address: Address,
    /// The item and why.
    pub failure: Failure,
}

/// What settling an interrupted run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The interrupted run's command.
    pub command: String,
    /// Who ran it: `user@machine`.
    pub by: String,
    /// When it began, in RFC 3339.
    pub started: String,
    /// What became of it. While `report.open`, a host is missing and nothing new may start.
    pub report: Report,
}
