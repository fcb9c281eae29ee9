//! What the engine says while it works. Somebody else shows it; what must be known afterwards is in the report.

use std::fmt::Debug;

use tune_core::Address;
use tune_core::activation::Activation;
use tune_core::state::RunResult;

use crate::report::{GateReport, Trouble};

/// Is told what happens, as it happens.
pub trait Watch: Debug + Send + Sync {
    /// Takes one event. It must return at once.
    fn event(&self, event: RunEvent);
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Watch for Silent {
    fn event(&self, _: RunEvent) {}
}

/// Something that just happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEvent {
    /// Hosts are going to be read.
    Reading {
        /// All of them.
        hosts: Vec<Address>,
    },
    /// A host was read, or not.
    HostRead {
        /// The host.
        host: Address,
        /// Why it could not be read.
        error: Option<String>,
    },
    /// A host does not answer; it is asked again after a pause.
    Retrying {
        /// The host.
        host: Address,
        /// Why.
        reason: String,
    },
    /// A run begins.
    Begun {
        /// Its number.
        number: u64,
        /// How many waves it has.
        waves: usize,
    },
    /// A run that was interrupted is being settled.
    Settling {
        /// Its number.
        number: u64,
        /// Its command.
        command: String,
    },
    /// A wave begins.
    WaveBegun {
        /// Counted from 1.
        wave: usize,
        /// What it settles, by host.
        resources: Vec<(Address, Address)>,
    },
    /// A host's answer did not arrive: what was sent earlier is waited for and shut out, then the host is looked at.
    Fencing {
        /// The host.
        host: Address,
        /// Why.
        reason: String,
    },
    /// A resource is as wanted.
    Done {
        /// The resource.
        resource: Address,
    },
    /// A resource failed; what was done for it is being undone.
    PuttingBack {
        /// The resource.
        resource: Address,
        /// Why, without a full stop.
        reason: String,
    },
    /// A resource failed and is as it was before.
    PutBack {
        /// The resource.
        resource: Address,
    },
    /// A resource is neither as wanted nor as before.
    Stuck {
        /// The resource.
        resource: Address,
    },
    /// What became of a resource could not be found out.
    Unknown {
        /// The resource.
        resource: Address,
    },
    /// Sources are asked.
    Asking {
        /// The queries.
        queries: Vec<Address>,
    },
    /// A source answered, or not.
    Answered {
        /// The query.
        query: Address,
        /// Why there is no answer.
        error: Option<String>,
    },
    /// Members are taken to the end of their rollout, because the facts changed.
    Moved {
        /// The rollout.
        rollout: Address,
        /// Its members that are not begun yet, in their new order.
        order: Vec<Address>,
    },
    /// Members cannot be begun yet.
    Holding {
        /// The members.
        members: Vec<Address>,
        /// What is waited for, without a full stop.
        reason: String,
        /// The gates that do not pass.
        gates: Vec<GateReport>,
        /// After how many seconds the run gives up.
        within: u64,
    },
    /// A member is begun.
    MemberBegun {
        /// The host.
        member: Address,
        /// Its rollout.
        rollout: Option<Address>,
        /// What will be activated, in order.
        activations: Vec<Activation>,
        /// The checks that are waited for afterwards.
        gates: Vec<Address>,
        /// How many seconds it may take from its activation until its gates hold.
        within: u64,
    },
    /// A member came to another phase.
    Member {
        /// The host.
        member: Address,
        /// Which.
        phase: Phase,
    },
    /// A member is done: it uses its new values and passed its gates.
    MemberDone {
        /// The host.
        member: Address,
    },
    /// A member is being put back.
    MemberPuttingBack {
        /// The host.
        member: Address,
        /// Why.
        trouble: Trouble,
    },
    /// A member is as it was before.
    MemberPutBack {
        /// The host.
        member: Address,
        /// Whether its gates pass again.
        is_green: bool,
    },
    /// A member failed and stays as it is.
    MemberFailed {
        /// The host.
        member: Address,
        /// Why.
        trouble: Trouble,
    },
    /// A rollout rests before its next batch, and the run waits for it.
    Soaking {
        /// The rollout.
        rollout: Address,
        /// For so many seconds.
        seconds: u64,
        /// Until then, in RFC 3339.
        until: String,
    },
    /// A rollout rests for longer than the run may wait.
    Paused {
        /// The rollout.
        rollout: Address,
        /// Until then, in RFC 3339.
        until: String,
    },
    /// An interrupted run ordered this, and it is not known what became of it: it is looked for.
    Recovering {
        /// The host that was ordered.
        host: Address,
        /// What.
        activation: Activation,
    },
    /// A run ended.
    Ended {
        /// How; `None` while outcomes are not known.
        result: Option<RunResult>,
    },
}

/// How far a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// What is about to be written is in the journal. The resources themselves tell when they are done.
    Journal,
    /// An activation is ordered.
    Ordered {
        /// Which.
        activation: Activation,
    },
    /// An activation is waited for.
    Waiting {
        /// Which.
        activation: Activation,
        /// For what: `ssh`, `units to start`.
        on: String,
    },
    /// An activation is complete.
    Back {
        /// Which.
        activation: Activation,
        /// How long it took, in seconds.
        seconds: u64,
        /// What this start is called.
        mark: String,
    },
    /// It is read whether the running system uses the values.
    Verifying,
    /// It does.
    Verified,
    /// Its gates are waited for.
    Gate {
        /// Those that do not pass; empty while they pass and only have to go on doing so.
        failing: Vec<GateReport>,
    },
    /// Its gates held for as long as they must.
    Settled,
    /// What was written is being undone.
    Undoing,
    /// It has to go down to be put back, and must not before its groups can spare that.
    Held {
        /// Why they cannot yet, without a full stop.
        reason: String,
    },
    /// It cannot be reached and is waited for.
    Unreachable {
        /// Why.
        reason: String,
    },
}
