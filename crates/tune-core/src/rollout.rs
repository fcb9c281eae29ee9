//! How hosts are taken one after another, and what is asked of the world meanwhile: rollouts, checks, and the questions
//! that `data` and `probe` blocks ask.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use crate::address::Address;
use crate::resource::Consent;
use crate::value::Value;

/// One question to the world: a `data` or a `probe` block with every expression evaluated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Query {
    /// Its name in the configuration; the kind of source is part of it: `etcd.home` for `data "etcd" "home"`. The name
    /// of a probe is unique within its check only.
    pub address: Address,
    /// The attributes that were written, converted to the types of the source's schema.
    pub attributes: BTreeMap<String, Value>,
}

/// What sources answered, by the address of the query.
pub type Answers = BTreeMap<Address, Value>;

/// An assertion over probes; a rollout that names it waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name: `check.etcd`.
    pub address: Address,
    /// What is looked at, in the order of the file.
    pub probes: Vec<Query>,
}

/// What a check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every condition holds.
    Pass,
    /// Conditions do not hold.
    Fail {
        /// The `error_message` of each, with what was found where that is known.
        messages: Vec<String>,
    },
    /// Nothing can be said: a probe got no answer, or a condition could not be evaluated.
    Unknown {
        /// Why, without a full stop.
        reason: String,
    },
}

/// The expressions of a configuration that are evaluated again while a plan runs, because they are about what is live.
pub trait Live: Debug + Send + Sync {
    /// Returns what a check says of the answers to its probes.
    fn judge(&self, check: &Address, answers: &Answers) -> Verdict;

    /// Returns which members of a rollout go last, given new answers to [`Rollout::last_depends_on`].
    fn last(&self, rollout: &Address, answers: &Answers) -> Result<BTreeSet<Address>, String>;
}

/// How many members may be down at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    /// So many.
    Count(usize),
    /// So many of a hundred, rounded down but at least one.
    Percent(u8),
}

impl Cap {
    /// Returns the number among `members`.
    pub fn of(self, members: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (members * usize::from(percent) / 100).max(1),
        }
    }
}

/// What is done when a member fails, rule 20.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// The member is put back through its gates, and the run stops. Earlier members keep what passed its gate.
    #[default]
    RevertMember,
    /// Everything that the run did is put back.
    RevertRun,
    /// The run stops, and everything stays as it is.
    Halt,
}

/// A group of hosts that are taken one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Its name: `rollout.k3s`.
    pub address: Address,
    /// The hosts, in the order in which they are taken.
    pub members: Vec<Address>,
    /// Members that are moved to the end, as the plan knows them.
    pub last: BTreeSet<Address>,
    /// The data that decides `last`; it is read again before each member.
    pub last_depends_on: Vec<Query>,
    /// A cap on the members that are down at a time; quorum may allow less.
    pub max_unavailable: Cap,
    /// How many members are taken first and alone, before batches of `max_unavailable`.
    pub canary: Option<usize>,
    /// Checks that must pass before the first member and after each.
    pub gates: Vec<Address>,
    /// How long the gates must hold without a break.
    pub settle: Duration,
    /// How long a member may take from its activation until its gates hold.
    pub timeout: Duration,
    /// How long the run rests after each batch; longer than the run may wait, it is paused.
    pub soak: Duration,
    /// What is done when a member fails.
    pub on_failure: OnFailure,
    /// Dangers that the user accepted for the group: `outage`, `foreign_pending`.
    pub accept: BTreeSet<Consent>,
}

/// What a `rollout` block means where it says nothing.
impl Rollout {
    /// How long the gates must hold.
    pub const SETTLE: Duration = Duration::from_secs(10);
    /// How long a member may take.
    pub const TIMEOUT: Duration = Duration::from_mins(10);

    /// Returns the group `address` with the meaning of an empty block.
    pub fn new(address: Address, members: Vec<Address>) -> Self {
        Self {
            address,
            members,
            last: BTreeSet::new(),
            last_depends_on: Vec::new(),
            max_unavailable: Cap::Count(1),
            canary: None,
            gates: Vec::new(),
            settle: Self::SETTLE,
            timeout: Self::TIMEOUT,
            soak: Duration::ZERO,
            on_failure: OnFailure::default(),
            accept: BTreeSet::new(),
        }
    }

    /// Returns the members in the order in which they are taken, with those of `last` moved to the end.
    pub fn order(&self) -> Vec<&Address> {
        let (last, first): (Vec<_>, Vec<_>) = self.members.iter().partition(|member| self.last.contains(*member));
        first.into_iter().chain(last).collect()
    }
}

/// The voters of a group that must agree, as one look found them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quorum {
    /// All members that vote.
    pub voters: usize,
    /// Those that answer and keep up.
    pub healthy: usize,
    /// What the hosts of those that do not are called, by [`Host::name`](crate::resource::Host::name), as far as that is
    /// known: there may be fewer of them than voters that are not healthy.
    pub unwell: BTreeSet<String>,
}

impl Quorum {
    /// Returns a quorum of which it is not known where those run that are not healthy.
    pub fn of(voters: usize, healthy: usize) -> Self {
        Self { voters, healthy, unwell: BTreeSet::new() }
    }

    /// Returns how many healthy members may be taken down now without losing the majority, rule 39.
    pub fn allows_down(&self) -> usize {
        self.healthy.saturating_sub(self.voters / 2 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_of_voters_stays() {
        let allowed = |voters, healthy| Quorum::of(voters, healthy).allows_down();
        assert_eq!([allowed(1, 1), allowed(2, 2), allowed(3, 3), allowed(5, 5)], [0, 0, 1, 2]);
        assert_eq!([allowed(3, 2), allowed(5, 4), allowed(5, 2), allowed(0, 0)], [0, 1, 0, 0]);
    }

    #[test]
    fn a_percentage_rounds_down_and_is_never_none() {
        assert_eq!([Cap::Percent(25).of(10), Cap::Percent(1).of(10), Cap::Percent(100).of(3)], [2, 1, 3]);
        assert_eq!(Cap::Count(2).of(10), 2);
    }

    #[test]
    fn the_last_go_last_and_keep_their_order() {
        let host = |name: &str| Address::new("host", name);
        let mut rollout = Rollout::new(Address::new("rollout", "r"), ["a", "b", "c", "d"].map(host).to_vec());
        rollout.last = [host("a"), host("c")].into();
        assert_eq!(rollout.order(), [&host("b"), &host("d"), &host("a"), &host("c")]);
    }
}
