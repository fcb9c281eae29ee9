//! One turn: members that are taken together. Before them the facts and the gates are looked at again, then each goes
//! its own way side by side, and together they wait for their gates.

use std::collections::BTreeSet;

use tokio::time::{self, Instant};
use tune_core::Address;
use tune_core::contract::Pending;
use tune_core::plan::{Member, Plan, Stage, Turn};
use tune_core::rollout::Rollout;

use super::Broken;
use super::activation::Pause;
use super::course::{Course, Next, Passed};
use super::facts::Obstacle;
use super::member::Mishap;
use super::revert::Away;
use crate::report::{Halted, Left, MemberOutcome, MemberReport, Took, Trouble};
use crate::stop::Urgency;
use crate::together::side_by_side;
use crate::watch::{Phase, RunEvent};

/// A member that is begun and not settled.
#[derive(Debug)]
pub(super) struct Underway {
    /// What was activated so far.
    pub(super) took: Vec<Took>,
    /// What is waited for while an activation is not known to be complete.
    pub(super) waits_for: Option<String>,
    /// Until when its gates must hold.
    pub(super) until: Instant,
    /// Everything that is down meanwhile, as the facts were when it began.
    pub(super) down: BTreeSet<Address>,
    /// Machines that were waited for in vain: nothing more is asked of them.
    pub(super) silent: Away,
}

/// Somebody is held off.
#[derive(Debug, Default)]
struct Holding {
    pause: Pause,
    said: Option<Trouble>,
}

/// Returns every member of a plan as not begun.
pub(super) fn untouched(plan: &Plan) -> Vec<MemberReport> {
    let turns = plan.stages.iter().filter_map(|stage| match stage {
        Stage::Turn(turn) => Some(turn),
        Stage::Quiet(_) => None,
    });
    let report = |turn: &Turn, member: &Member| MemberReport {
        host: member.host.clone(),
        rollout: turn.rollout.clone(),
        outcome: MemberOutcome::Untouched,
    };
    turns.flat_map(|turn| turn.members.iter().map(move |member| report(turn, member))).collect()
}

impl<'c> Course<'c, '_> {
    pub(super) async fn turn(&self, turn: &'c Turn) -> Result<Next, Broken> {
        if turn.rollout.as_ref().is_some_and(|rollout| self.sheet().closed.contains(rollout)) {
            return Ok(Next::Stage);
        }
        if self.rest_before(turn.rollout.as_ref()).await? == Next::End {
            return Ok(Next::End);
        }
        if self.is_held_up(turn) {
            return Ok(Next::Stage);
        }
        let rules = self.rules(turn.rollout.as_ref());
        let Some(members) = self.prepare(turn, &rules).await else { return Ok(Next::End) };
        if let Some(rollout) = &turn.rollout
            && let Some(queue) = self.sheet().ahead.get_mut(rollout)
        {
            queue.drain(..members.len());
        }
        self.take(turn, &rules, members).await
    }

    /// Returns what holds for the members of a rollout, or for a host of none.
    pub(super) fn rules(&self, rollout: Option<&Address>) -> Rollout {
        let known = rollout.and_then(|rollout| self.plan.rollouts.get(rollout));
        known.cloned().unwrap_or_else(|| Rollout::new(Address::new("rollout", ""), Vec::new()))
    }

    /// A member of which one resource cannot be begun is not begun at all, and nothing of its rollout after it.
    fn is_held_up(&self, turn: &'c Turn) -> bool {
        let resources = self.next_members(turn).into_iter().flat_map(|member| &member.waves);
        let resources: Vec<&Address> = resources.flat_map(|wave| wave.batches.values()).flatten().collect();
        // One that waits for another of the same member is held up by that one only.
        let reasons: Vec<_> =
            resources.iter().filter_map(|address| Some(((*address).clone(), self.held_up(address)?))).collect();
        if reasons.is_empty() {
            return false;
        }
        let mut sheet = self.sheet();
        sheet.closed.extend(turn.rollout.clone());
        sheet.gathered.not_started.extend(reasons);
        true
    }

    pub(super) fn next_members(&self, turn: &'c Turn) -> Vec<&'c Member> {
        let sheet = self.sheet();
        match turn.rollout.as_ref().and_then(|rollout| sheet.ahead.get(rollout)) {
            Some(queue) => queue.iter().take(turn.members.len()).copied().collect(),
            None => turn.members.iter().collect(),
        }
    }

    /// Waits until facts and gates allow the next members, and returns them, each with what it takes down; `None` if the
    /// run ends here.
    async fn prepare(&self, turn: &'c Turn, rules: &Rollout) -> Option<Vec<(&'c Member, BTreeSet<Address>)>> {
        let until = Instant::now() + rules.timeout;
        let mut holding = Holding::default();
        loop {
            if self.stop.urgency() > Urgency::None {
                return None;
            }
            let obstacle = match self.ready(turn, rules).await {
                Ok(members) => return Some(members),
                Err(obstacle) => obstacle,
            };
            let hosts: Vec<Address> = self.next_members(turn).iter().map(|member| member.host.clone()).collect();
            match obstacle {
                Obstacle::Passing(trouble) if Instant::now() < until => {
                    self.hold_off(&mut holding, hosts, trouble, rules).await;
                }
                Obstacle::Passing(trouble) | Obstacle::Firm(trouble) => {
                    self.sheet().gathered.halted = Some(Halted { hosts, trouble });
                    return None;
                }
            }
        }
    }

    /// Says what is waited for where that is new, and pauses until it is looked again.
    async fn hold_off(&self, holding: &mut Holding, members: Vec<Address>, trouble: Trouble, rules: &Rollout) {
        if holding.said.as_ref() != Some(&trouble) {
            holding.said = Some(trouble.clone());
            let within = rules.timeout.as_secs();
            let Trouble { reason, gates } = trouble;
            self.run.watch.event(RunEvent::Holding { members, reason, gates, within });
        }
        tokio::select! {
            () = time::sleep(holding.pause.next()) => {}
            () = self.stop.asked() => {}
        }
    }

    async fn ready(&self, turn: &'c Turn, rules: &Rollout) -> Result<Vec<(&'c Member, BTreeSet<Address>)>, Obstacle> {
        let mut members = Vec::new();
        for member in self.in_order(turn, rules).await? {
            members.push((member, self.facts(member).await?));
        }
        let down = members.iter().flat_map(|(_, down)| down.iter().cloned()).collect();
        self.can_spare(rules, &down).await?;
        Ok(members)
    }

    async fn take(
        &self,
        turn: &'c Turn,
        rules: &Rollout,
        members: Vec<(&'c Member, BTreeSet<Address>)>,
    ) -> Result<Next, Broken> {
        for (member, down) in &members {
            self.begin(turn.rollout.as_ref(), rules, member, down);
            self.sheet().done.push(Passed::Member(turn.rollout.as_ref(), member));
        }
        let members: Vec<&Member> = members.into_iter().map(|(member, _)| member).collect();
        let mut failed: Vec<(&Member, Mishap)> = Vec::new();
        let ways = members
            .iter()
            .map(|member| -> Pending<'_, _> { Box::pin(async move { self.change(rules, member).await }) });
        let ends = side_by_side(self.run.engine.limits.parallelism, ways.collect()).await;
        let changed = well(members, ends, &mut failed)?;
        let mut fine = Vec::new();
        match self.may_still_go(rules, &changed).await {
            Ok(()) => {
                let ways: Vec<_> = changed
                    .iter()
                    .map(|member| -> Pending<'_, _> { Box::pin(async move { self.interrupt(rules, member).await }) })
                    .collect();
                // All at once: one that waited for its turn would go down on the word of gates from before the others did.
                let ends = side_by_side(ways.len(), ways).await;
                fine = well(changed, ends, &mut failed)?;
            }
            Err(trouble) => failed.extend(changed.into_iter().map(|member| (member, Mishap::of(trouble.clone())))),
        }
        if failed.is_empty() {
            match self.pass(rules, &fine).await {
                Ok(()) => fine.iter().for_each(|member| self.is_done(member)),
                Err(trouble) => {
                    failed = fine.drain(..).map(|member| (member, Mishap::of(trouble.clone()))).collect();
                }
            }
        }
        if !failed.is_empty() {
            self.fail(rules, failed, fine).await?;
            return Ok(Next::End);
        }
        self.run.journal().flush()?;
        self.rest_after(turn.rollout.as_ref(), rules).await
    }

    /// Making the changes may have taken long, and building a boot image too: before anybody goes down, gates and facts are
    /// looked at once more, and they are waited for.
    async fn may_still_go(&self, rules: &Rollout, members: &[&Member]) -> Result<(), Trouble> {
        let until = Instant::now() + rules.timeout;
        let mut holding = Holding::default();
        loop {
            let trouble = match self.are_spared(rules, members).await {
                Ok(()) => return Ok(()),
                Err(Obstacle::Firm(trouble)) => return Err(trouble),
                Err(Obstacle::Passing(trouble)) => trouble,
            };
            if Instant::now() >= until || self.stop.urgency() > Urgency::None {
                return Err(trouble);
            }
            let hosts = members.iter().map(|member| member.host.clone()).collect();
            self.hold_off(&mut holding, hosts, trouble, rules).await;
        }
    }

    /// Notes what members take down, as the facts are now, and returns whether that can be spared.
    async fn are_spared(&self, rules: &Rollout, members: &[&Member]) -> Result<(), Obstacle> {
        let mut down = BTreeSet::new();
        for member in members.iter().filter(|member| !member.down.is_empty()) {
            let with = self.down_now(member).await?;
            self.note(&member.host, |underway| underway.down.clone_from(&with));
            down.extend(with);
        }
        if down.is_empty() { Ok(()) } else { self.can_spare(rules, &down).await }
    }

    fn begin(&self, rollout: Option<&Address>, rules: &Rollout, member: &Member, down: &BTreeSet<Address>) {
        let until = Instant::now() + rules.timeout;
        let underway = Underway { took: Vec::new(), waits_for: None, until, down: down.clone(), silent: Away::new() };
        self.sheet().underway.insert(member.host.clone(), underway);
        self.run.watch.event(RunEvent::MemberBegun {
            member: member.host.clone(),
            rollout: rollout.cloned(),
            activations: member.activations.iter().map(|planned| planned.activation.clone()).collect(),
            gates: self.gates_of(rules, down).into_keys().collect(),
            within: rules.timeout.as_secs(),
        });
    }

    pub(super) fn phase(&self, member: &Address, phase: Phase) {
        self.run.watch.event(RunEvent::Member { member: member.clone(), phase });
    }

    /// Notes something about a member that is under way.
    pub(super) fn note(&self, member: &Address, note: impl FnOnce(&mut Underway)) {
        if let Some(underway) = self.sheet().underway.get_mut(member) {
            note(underway);
        }
    }

    pub(super) fn is_done(&self, member: &Member) {
        let took = self.sheet().underway.get(&member.host).map(|underway| underway.took.clone());
        self.ends(member, MemberOutcome::Done { activations: took.unwrap_or_default() });
        self.run.watch.event(RunEvent::MemberDone { member: member.host.clone() });
    }

    pub(super) fn ends(&self, member: &Member, outcome: MemberOutcome) {
        let mut sheet = self.sheet();
        sheet.underway.remove(&member.host);
        set(&mut sheet.gathered.members, &member.host, outcome);
    }

    /// After the run stopped at once: what is down and what is half done is named.
    pub(super) fn account_for_what_is_underway(&self) {
        let mut sheet = self.sheet();
        for (host, underway) in std::mem::take(&mut sheet.underway) {
            let outcome = match underway.waits_for {
                Some(waits_for) => {
                    sheet.gathered.away.insert(host.clone(), waits_for.clone());
                    Down { trouble: Trouble::new(format!("the run was stopped while it waited for {waits_for}")) }
                }
                None => {
                    Failed { trouble: Trouble::new("the run was stopped before its gates held"), left: Left::AsItIs }
                }
            };
            set(&mut sheet.gathered.members, &host, outcome);
        }
    }
}

/// Returns the members that went well, and adds the others to those that failed.
fn well<'c>(
    members: Vec<&'c Member>,
    ends: Vec<Result<Option<Mishap>, Broken>>,
    failed: &mut Vec<(&'c Member, Mishap)>,
) -> Result<Vec<&'c Member>, Broken> {
    let mut well = Vec::new();
    for (member, end) in members.into_iter().zip(ends) {
        match end? {
            None => well.push(member),
            Some(mishap) => failed.push((member, mishap)),
        }
    }
    Ok(well)
}

use MemberOutcome::{Down, Failed};

fn set(members: &mut [MemberReport], host: &Address, outcome: MemberOutcome) {
    if let Some(report) = members.iter_mut().find(|report| report.host == *host) {
        report.outcome = outcome;
    }
}
