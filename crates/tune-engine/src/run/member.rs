//! One member: its changes, what makes them run, and a look at whether the running system uses them.

use std::collections::BTreeMap;

use tokio::time::{self, Instant};
use tune_core::Address;
use tune_core::contract::Pending;
use tune_core::item::{HostId, ItemId, Raw};
use tune_core::plan::{Judgement, Member, PlannedActivation, Side, Wave, judge_member, member_lookups};
use tune_core::reading::HostReading;
use tune_core::rollout::Rollout;

use super::Broken;
use super::activation::Pause;
use super::course::Course;
use crate::report::{NotStarted, ResourceOutcome, Trouble};
use crate::together::side_by_side;
use crate::watch::Phase;

/// A member failed.
#[derive(Debug, Clone)]
pub(super) struct Mishap {
    pub(super) trouble: Trouble,
    /// What is waited for, where the member went down and was not seen to be back.
    pub(super) away: Option<String>,
}

/// Why the way of a member ends before its end.
#[derive(Debug)]
pub(super) enum Setback {
    Broken,
    Mishap(Mishap),
}

impl From<Broken> for Setback {
    fn from(_: Broken) -> Self {
        Self::Broken
    }
}

impl From<Mishap> for Setback {
    fn from(mishap: Mishap) -> Self {
        Self::Mishap(mishap)
    }
}

impl Mishap {
    pub(super) fn of(trouble: Trouble) -> Self {
        Self { trouble, away: None }
    }

    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self::of(Trouble::new(reason))
    }

    pub(super) fn away(reason: impl Into<String>, waits_for: &str) -> Self {
        Self { trouble: Trouble::new(reason), away: Some(waits_for.to_owned()) }
    }
}

fn mishap(end: Result<(), Setback>) -> Result<Option<Mishap>, Broken> {
    match end {
        Ok(()) => Ok(None),
        Err(Setback::Broken) => Err(Broken),
        Err(Setback::Mishap(mishap)) => Ok(Some(mishap)),
    }
}

/// The activations of a member that interrupt something, or those before them that do not.
fn activations(member: &Member, interrupt: bool) -> impl Iterator<Item = &PlannedActivation> {
    member.activations.iter().filter(move |planned| planned.activation.verb.interrupts() == interrupt)
}

/// What the machines of a member answered, each with why it did not.
pub(super) type Answers = BTreeMap<HostId, Result<HostReading, String>>;

impl Course<'_, '_> {
    /// Makes a member's changes, and what follows them without interrupting anything; returns what went wrong.
    pub(super) async fn change(&self, rules: &Rollout, member: &Member) -> Result<Option<Mishap>, Broken> {
        mishap(self.try_to_change(rules, member).await)
    }

    async fn try_to_change(&self, rules: &Rollout, member: &Member) -> Result<(), Setback> {
        for wave in &member.waves {
            self.phase(&member.host, Phase::Journal);
            self.wave(wave).await?;
            if let Some(reason) = self.unfinished(wave) {
                return Err(Mishap::refused(reason).into());
            }
        }
        for planned in activations(member, false) {
            self.activate(member, &planned.host, &planned.activation, rules.timeout).await?;
        }
        Ok(())
    }

    /// Interrupts a member that is changed, and takes it as far as its gates; returns what went wrong.
    pub(super) async fn interrupt(&self, rules: &Rollout, member: &Member) -> Result<Option<Mishap>, Broken> {
        mishap(self.try_to_interrupt(rules, member).await)
    }

    async fn try_to_interrupt(&self, rules: &Rollout, member: &Member) -> Result<(), Setback> {
        self.note(&member.host, |underway| underway.until = Instant::now() + rules.timeout);
        for planned in activations(member, true) {
            self.activate(member, &planned.host, &planned.activation, rules.timeout).await?;
        }
        self.verify(member, Side::After).await?;
        Ok(())
    }

    /// Returns why a wave is not done, if it is not.
    fn unfinished(&self, wave: &Wave) -> Option<String> {
        wave.batches.values().flatten().find_map(|address| self.failure_of(address))
    }

    fn failure_of(&self, address: &Address) -> Option<String> {
        if let Some(why) = self.sheet().gathered.not_started.get(address) {
            return Some(match why {
                NotStarted::Dependency(other) => format!("`{address}` waits for `{other}`, which failed"),
                NotStarted::HostInDoubt(host) => {
                    format!("what became of something sent to `{host}` before is not known")
                }
                NotStarted::Unreadable(failure) => format!("`{}` cannot be read: {}", address, failure.message),
                _ => format!("`{address}` was not begun"),
            });
        }
        match self.run.journal().outcome(address)? {
            ResourceOutcome::Done { .. } => None,
            ResourceOutcome::PutBack { failures, .. } => {
                let why = failures.first().map(|failure| failure.message.clone());
                Some(format!("`{address}` failed: {}", why.unwrap_or_else(|| "it was put back".to_owned())))
            }
            ResourceOutcome::Stuck { items, .. } => {
                let why = items.first().map(|item| item.message.clone()).unwrap_or_default();
                Some(format!("`{address}` is stuck: {why}"))
            }
            ResourceOutcome::Unknown { reason, .. } => {
                Some(format!("what became of `{address}` is not known: {reason}"))
            }
            ResourceOutcome::NotStarted(_) => Some(format!("`{address}` was not begun")),
        }
    }

    /// Returns which of a member's resources only a person can bring in order, and why.
    pub(super) fn stuck(&self, member: &Member) -> Option<String> {
        let owners = member.waves.iter().flat_map(|wave| wave.batches.values()).flatten();
        let is_bad = |address: &&Address| {
            let outcome = self.run.journal().outcome(address);
            matches!(outcome, Some(ResourceOutcome::Stuck { .. } | ResourceOutcome::Unknown { .. }))
        };
        owners.into_iter().filter(is_bad).find_map(|address| self.failure_of(address))
    }

    /// Reads whether the running system uses one side of the plan, as soon as everything answers.
    pub(super) async fn verify(&self, member: &Member, side: Side) -> Result<(), Mishap> {
        self.phase(&member.host, Phase::Verifying);
        let until = self.sheet().underway.get(&member.host).map_or_else(Instant::now, |underway| underway.until);
        let mut pause = Pause::default();
        loop {
            let answers = self.read_member(member).await;
            let away = answers.values().find_map(|answer| answer.as_ref().err());
            let unread = || self.unread(member, &answers);
            let lacking = match away {
                Some(reason) => Some(Mishap::away(
                    format!("it cannot be read afterwards: {reason}"),
                    &format!("an answer ({reason})"),
                )),
                None => unread().map(Mishap::refused),
            };
            match lacking {
                None => {
                    self.judged(member, answers, side).map_err(Mishap::refused)?;
                    self.phase(&member.host, Phase::Verified);
                    return Ok(());
                }
                Some(mishap) if Instant::now() >= until => return Err(mishap),
                Some(_) => time::sleep(pause.next()).await,
            }
        }
    }

    fn judged(&self, member: &Member, answers: Answers, side: Side) -> Result<(), String> {
        let judgement = self.judge(member, answers, side);
        // Whoever runs there now went down with it, or came since and is up.
        self.note(&member.host, |underway| underway.down.extend(judgement.down.iter().cloned()));
        if let Some((item, live)) = judgement.differing.first() {
            return Err(self.differs(item, live, side));
        }
        let left = judgement.activations.iter().find_map(|(host, left)| Some((host, left.iter().next()?)));
        match left {
            Some((host, activation)) => {
                let host = self.run.host(host).address;
                let state = if side == Side::After { "the new values are" } else { "what was there before is" };
                Err(format!("{state} still not in effect: `{host}` still needs a {activation}"))
            }
            None => Ok(()),
        }
    }

    pub(super) fn judge(&self, member: &Member, answers: Answers, side: Side) -> Judgement {
        let readings = answers.into_iter().filter_map(|(host, answer)| Some((host, answer.ok()?))).collect();
        judge_member(&self.run.engine.kinds, self.plan, member, &readings, side)
    }

    /// Says of an item what it is and what it should be.
    pub(super) fn differs(&self, item: &ItemId, live: &Raw, side: Side) -> String {
        let kind = self.run.kind(&item.kind);
        let label = kind.map_or_else(|| item.key.to_string(), |kind| kind.label(&item.key));
        let show = |raw: &Raw| kind.map_or_else(|| "something else".to_owned(), |kind| kind.show(&item.key, raw));
        let planned = self.plan.resources.values().flat_map(|resource| &resource.items).find(|known| known.id == *item);
        let wanted = planned.and_then(|planned| match (planned.step.change(), side) {
            (Some(change), Side::Before) => Some(&change.before),
            (Some(change), Side::After) => Some(&change.after),
            (None, _) => planned.live.as_ref(),
        });
        let instead = wanted.map(|wanted| format!(" and not {}", show(wanted))).unwrap_or_default();
        format!("`{label}` on `{}` is {}{instead}", self.run.host(&item.host).address, show(live))
    }

    /// Returns an item that the run writes and that cannot be read now.
    fn unread(&self, member: &Member, answers: &Answers) -> Option<String> {
        let owners = member.waves.iter().flat_map(|wave| wave.batches.values()).flatten();
        let written = owners
            .flat_map(|address| &self.plan.resources[address].items)
            .filter(|item| item.step.change().is_some() || !item.activations.is_empty());
        let lookups = member_lookups(self.plan, member);
        for item in written {
            let Some(Ok(answer)) = answers.get(&item.id.host) else { continue };
            let readings = lookups.get(&item.id.host)?.lookups.iter().zip(&answer.readings);
            let mut found = readings.filter(|(lookup, _)| lookup.kind == item.id.kind);
            let error = found.find_map(|(_, reading)| reading.items.get(&item.id.key)?.as_ref().err());
            if let Some(error) = error {
                return Some(format!("`{}` cannot be read: {}", item.id.key, error.message));
            }
        }
        None
    }

    /// Reads everything that concerns a member, as far as it is not known to be silent.
    pub(super) async fn read_member(&self, member: &Member) -> Answers {
        let lookups = member_lookups(self.plan, member);
        let silent = self.sheet().underway.get(&member.host).map(|it| it.silent.clone()).unwrap_or_default();
        let silent = &silent;
        let reads = lookups.iter().map(|(id, request)| -> Pending<'_, _> {
            Box::pin(async move {
                if let Some(reason) = silent.get(id) {
                    return (id.clone(), Err(reason.clone()));
                }
                let host = self.run.host(id);
                let answer = self.run.engine.read_one(&host, request, self.run.watch).await;
                let record = self.run.header.hosts.get(id);
                let answer = match answer {
                    Ok(answer) if record.is_some_and(|record| record.is_another(&answer.facts)) => {
                        Err(format!("another machine answers as `{}`", host.address))
                    }
                    Ok(answer) => Ok(answer),
                    Err(error) => Err(error.message),
                };
                (id.clone(), answer)
            })
        });
        side_by_side(self.run.engine.limits.reads, reads.collect()).await.into_iter().collect()
    }
}
