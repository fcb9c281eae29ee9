//! What must still be true before members are begun: who goes last, what their machines are like, whom they take down.
//! A plan is never changed silently: what no longer fits it stops the run.

use std::collections::{BTreeSet, VecDeque};

use tune_core::Address;
use tune_core::plan::{Judgement, Member, Side, Turn};
use tune_core::rollout::{Answers, Rollout};

use super::course::Course;
use crate::report::Trouble;
use crate::watch::{RunEvent, Silent};

/// What keeps members from being begun.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// Waiting may help.
    Passing(Trouble),
    /// It does not fit the plan.
    Firm(Trouble),
}

impl Obstacle {
    pub(super) fn passing(reason: impl Into<String>) -> Self {
        Self::Passing(Trouble::new(reason))
    }

    pub(super) fn firm(reason: impl Into<String>) -> Self {
        Self::Firm(Trouble::new(reason))
    }
}

/// What goes down, where it is known of everybody who may.
fn all_placed(judgement: Judgement) -> Result<BTreeSet<Address>, Obstacle> {
    match judgement.perhaps_down.first_key_value() {
        Some((guest, why)) => {
            Err(Obstacle::passing(format!("`{guest}` may go down too: what it runs on is not known: {why}")))
        }
        None => Ok(judgement.down),
    }
}

impl<'c> Course<'c, '_> {
    /// Asks again who goes last, and moves members that are not begun yet. Returns the next ones.
    pub(super) async fn in_order(&self, turn: &'c Turn, rules: &Rollout) -> Result<Vec<&'c Member>, Obstacle> {
        let Some(rollout) = turn.rollout.as_ref().filter(|_| !rules.last_depends_on.is_empty()) else {
            return Ok(self.next_members(turn));
        };
        let conduct = self.conduct;
        let queries = &rules.last_depends_on;
        let looked = self.run.engine.look(conduct.sources, queries, conduct.hosts, &Silent).await;
        let mut answers = Answers::new();
        for (name, answer) in looked {
            let answer = answer.map_err(|error| {
                Obstacle::passing(format!("who goes last is not known: `{name}` gave no answer: {}", error.message))
            })?;
            answers.insert(name, answer);
        }
        let last = conduct.live.last(rollout, &answers);
        let last = last.map_err(|reason| Obstacle::passing(format!("who goes last is not known: {reason}")))?;
        self.reorder(rollout, &last)?;
        Ok(self.next_members(turn))
    }

    fn reorder(&self, rollout: &Address, last: &BTreeSet<Address>) -> Result<(), Obstacle> {
        let before = self.sheet().ahead.get(rollout).cloned().unwrap_or_default();
        let (at_the_end, first): (Vec<&Member>, Vec<&Member>) =
            before.iter().copied().partition(|member| last.contains(&member.host));
        let after: VecDeque<&Member> = first.into_iter().chain(at_the_end).collect();
        let hosts = |queue: &VecDeque<&Member>| queue.iter().map(|it| it.host.clone()).collect::<Vec<_>>();
        let order = hosts(&after);
        if order == hosts(&before) {
            return Ok(());
        }
        if let Some((early, late)) = self.contradiction(&after) {
            return Err(Obstacle::firm(format!(
                "`{}` goes last now, but `{}`, which would go before it, has a resource that waits for one of it",
                late.host, early.host
            )));
        }
        self.sheet().ahead.insert(rollout.clone(), after);
        self.run.watch.event(RunEvent::Moved { rollout: rollout.clone(), order });
        Ok(())
    }

    /// Returns a member with a resource that waits for one of a member behind it.
    fn contradiction<'m>(&self, queue: &VecDeque<&'m Member>) -> Option<(&'m Member, &'m Member)> {
        let own = |member: &'m Member| member.waves.iter().flat_map(|wave| wave.batches.values()).flatten();
        let behind = |index: usize| queue.iter().skip(index + 1).copied();
        queue.iter().enumerate().find_map(|(index, member)| {
            let waits_for: BTreeSet<&Address> = own(member).flat_map(|address| self.waits_for(address)).collect();
            let other = behind(index).find(|other| own(other).any(|address| waits_for.contains(address)))?;
            Some((*member, other))
        })
    }

    /// Reads a member again. Returns what it would take down, as the facts are now.
    pub(super) async fn facts(&self, member: &Member) -> Result<BTreeSet<Address>, Obstacle> {
        let answers = self.read_member(member).await;
        if let Some(reason) = answers.values().find_map(|answer| answer.as_ref().err()) {
            return Err(Obstacle::passing(reason.clone()));
        }
        let judgement = self.judge(member, answers, Side::Before);
        if let Some((item, live)) = judgement.differing.first() {
            let differs = self.differs(item, live, Side::Before);
            return Err(Obstacle::firm(format!("somebody else changed something since the plan was made: {differs}")));
        }
        if let Some(foreign) = judgement.foreign.first() {
            let host = &member.host;
            return Err(Obstacle::firm(format!(
                "the turn of `{host}` would also activate what somebody else left pending since the plan was made: \
                 {foreign}"
            )));
        }
        all_placed(judgement)
    }

    /// Returns what a member takes down, as the facts are now, while it is put back.
    pub(super) async fn down_now(&self, member: &Member) -> Result<BTreeSet<Address>, Obstacle> {
        let answers = self.read_member(member).await;
        all_placed(self.judge(member, answers, Side::Before))
    }
}
