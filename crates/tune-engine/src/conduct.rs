//! What a run of a plan with rollouts needs beside the plan: the configuration's live expressions, what answers
//! questions about the world, and how patient it may be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tune_core::Address;
use tune_core::resource::Host;
use tune_core::rollout::{Answers, Live, Verdict};
use tune_core::source::Sources;

/// How a run behaves between its steps.
#[derive(Debug, Clone, Copy)]
pub struct Conduct<'a> {
    /// Evaluates checks, and who goes last, over fresh answers.
    pub live: &'a dyn Live,
    /// The kinds of sources that are known.
    pub sources: &'a Sources,
    /// The configuration's hosts and APIs, for probes.
    pub hosts: &'a BTreeMap<Address, Host>,
    /// The longest soak to sit through; for a longer one the run pauses.
    pub wait: Duration,
}

impl Conduct<'static> {
    /// Returns what a plan without rollouts needs.
    pub fn none() -> Self {
        static SOURCES: Sources = Sources::new();
        static HOSTS: BTreeMap<Address, Host> = BTreeMap::new();
        Self { live: &Nothing, sources: &SOURCES, hosts: &HOSTS, wait: Duration::ZERO }
    }
}

/// A configuration without checks.
#[derive(Debug)]
struct Nothing;

impl Live for Nothing {
    fn judge(&self, check: &Address, _: &Answers) -> Verdict {
        Verdict::Unknown { reason: format!("there is no `{check}`") }
    }

    fn last(&self, _: &Address, _: &Answers) -> Result<BTreeSet<Address>, String> {
        Ok(BTreeSet::new())
    }
}
