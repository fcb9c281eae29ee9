//! The etcd of the pretend K3s cluster: who is there, who leads, how far everybody is. Pure; times come from the caller.
//!
//! It follows what real members do as far as it can be seen from outside: a leader that goes is replaced after a while by a
//! member that keeps up, as long as a majority is there; a member that returns must first catch up; without a majority
//! nothing is committed.

use std::collections::BTreeMap;
use std::time::Duration;

/// From the loss of a leader until another one is elected.
const ELECTION: Duration = Duration::from_millis(700);
/// Entries that the cluster commits in a second.
const RATE: f64 = 40.0;
/// Entries that a member which returns is behind: more than a healthy one may be.
const BACKLOG: f64 = 4000.0;
/// The last entry at the start.
const FIRST: f64 = 184_000.0;

/// The members of one cluster.
#[derive(Debug)]
pub(super) struct Etcd {
    members: BTreeMap<String, Option<Since>>,
    leader: Option<String>,
    /// Since when nobody leads.
    lost: Duration,
    /// How many times the leader has changed.
    changes: u64,
    committed: f64,
    counted_until: Duration,
    catch_up: Duration,
}

/// Since when a member runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Since(Duration);

/// What one member says of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Member {
    pub(super) has_leader: bool,
    pub(super) is_leader: bool,
    pub(super) committed: u64,
    pub(super) applied: u64,
    pub(super) leader_changes: u64,
    /// Seconds from the cluster's start to its own.
    pub(super) started: f64,
}

impl Etcd {
    /// A cluster whose members have been there for long. One that comes back later needs `catch_up` to keep up again.
    pub(super) fn new(names: &[&str], leader: &str, catch_up: Duration) -> Etcd {
        let since = |name: &&str| ((*name).to_owned(), Some(Since(Duration::ZERO)));
        Etcd {
            members: names.iter().map(since).collect(),
            leader: Some(leader.to_owned()),
            lost: Duration::ZERO,
            changes: 1,
            committed: FIRST,
            counted_until: Duration::ZERO,
            catch_up,
        }
    }

    /// A member starts.
    pub(super) fn start(&mut self, name: &str, now: Duration) {
        self.advance(now);
        if let Some(member) = self.members.get_mut(name) {
            *member = member.or(Some(Since(now)));
        }
    }

    /// A member goes.
    pub(super) fn stop(&mut self, name: &str, now: Duration) {
        self.advance(now);
        if let Some(member) = self.members.get_mut(name) {
            *member = None;
        }
        if self.leader.as_deref() == Some(name) || !self.has_majority() {
            self.leader = None;
            self.lost = now;
        }
    }

    /// Who leads.
    pub(super) fn leader(&mut self, now: Duration) -> Option<String> {
        self.advance(now);
        self.leader.clone()
    }

    /// Who runs.
    pub(super) fn running(&self) -> impl Iterator<Item = &str> {
        self.members.iter().filter(|(_, since)| since.is_some()).map(|(name, _)| name.as_str())
    }

    /// What a member says of itself, if it runs.
    pub(super) fn member(&mut self, name: &str, now: Duration) -> Option<Member> {
        self.advance(now);
        let since = (*self.members.get(name)?)?;
        let committed = self.committed.floor();
        let applied = (committed - self.behind(since, now)).floor();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and never negative")]
        let count = |number: f64| number as u64;
        Some(Member {
            has_leader: self.leader.is_some(),
            is_leader: self.leader.as_deref() == Some(name),
            committed: count(committed),
            applied: count(applied),
            leader_changes: self.changes,
            started: since.0.as_secs_f64(),
        })
    }

    /// Whether a member runs and has caught up.
    pub(super) fn keeps_up(&mut self, name: &str, now: Duration) -> bool {
        self.advance(now);
        self.members.get(name).copied().flatten().is_some_and(|since| self.behind(since, now) < 1.0)
    }

    fn has_majority(&self) -> bool {
        self.running().count() > self.members.len() / 2
    }

    /// Entries that a member has still to apply.
    fn behind(&self, since: Since, now: Duration) -> f64 {
        if since.0 == Duration::ZERO {
            return 0.0;
        }
        let left = (since.0 + self.catch_up).saturating_sub(now);
        if left.is_zero() { 0.0 } else { BACKLOG * left.div_duration_f64(self.catch_up) }
    }

    fn advance(&mut self, now: Duration) {
        let elected = self.lost + ELECTION;
        if self.leader.is_none() && now >= elected && self.has_majority() {
            // Who has been there longest has everything.
            let longest = self.members.iter().filter_map(|(name, since)| Some(((*since)?, name))).min();
            self.leader = longest.map(|(_, name)| name.clone());
            self.changes += 1;
            self.counted_until = elected.max(self.counted_until);
        }
        if self.leader.is_some() {
            self.committed += RATE * now.saturating_sub(self.counted_until).as_secs_f64();
        }
        self.counted_until = now.max(self.counted_until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn cluster() -> Etcd {
        Etcd::new(&["a", "b", "c"], "b", SECOND * 2)
    }

    #[test]
    fn a_leader_that_goes_is_replaced_and_one_that_returns_must_catch_up() {
        let mut etcd = cluster();
        assert_eq!(etcd.leader(SECOND).as_deref(), Some("b"));
        etcd.stop("b", SECOND);
        assert_eq!(etcd.leader(SECOND), None);
        assert!(!etcd.member("a", SECOND).unwrap().has_leader && etcd.member("b", SECOND).is_none());
        assert_eq!(etcd.leader(SECOND * 2).as_deref(), Some("a"));
        etcd.start("b", SECOND * 3);
        let back = etcd.member("b", SECOND * 4).unwrap();
        assert!(back.has_leader && !back.is_leader && back.committed - back.applied == 2000, "{back:?}");
        assert!(!etcd.keeps_up("b", SECOND * 4) && etcd.keeps_up("b", SECOND * 5) && etcd.keeps_up("a", SECOND * 5));
        assert_eq!(etcd.leader(SECOND * 9).as_deref(), Some("a"));
    }

    #[test]
    fn without_a_majority_nothing_is_committed() {
        let mut etcd = cluster();
        etcd.stop("a", SECOND);
        let before = etcd.member("c", SECOND).unwrap();
        assert!(before.has_leader);
        etcd.stop("b", SECOND);
        assert_eq!(etcd.leader(SECOND * 60), None);
        let after = etcd.member("c", SECOND * 60).unwrap();
        assert_eq!((after.has_leader, after.committed), (false, before.committed));
        etcd.start("a", SECOND * 61);
        assert_eq!(etcd.leader(SECOND * 62).as_deref(), Some("c"), "who stayed has everything");
        assert!(etcd.member("c", SECOND * 63).unwrap().committed > before.committed);
    }
}
