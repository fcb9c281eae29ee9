//! What the engine says while it works. Somebody else shows it; what must be known afterwards is in the report.

use std::fmt::Debug;

use tune_core::Address;
use tune_core::state::RunResult;

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
    /// A run ended.
    Ended {
        /// How; `None` while outcomes are not known.
        result: Option<RunResult>,
    },
}
