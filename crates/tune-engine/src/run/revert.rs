//! Putting a member back: what it wrote is undone, the last first; what took effect is activated back, and nothing
//! else is; then it is read, and goes through its gates again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{self, Instant};
use tune_core::Address;
use tune_core::activation::{Activation, Verb, coalesced};
use tune_core::contract::{Pending, ReadRequest};
use tune_core::item::HostId;
use tune_core::journal::ActivationOutcome;
use tune_core::plan::{Member, Side, Wave};
use tune_core::rollout::Rollout;

use super::activation::{GLANCE, Pause};
use super::course::Course;
use super::facts::Obstacle;
use super::member::{Mishap, Setback};
use super::turn::Underway;
use super::{Broken, journal::Doubt};
use crate::report::{Left, MemberOutcome, Took};
use crate::stop::Urgency;
use crate::together::side_by_side;
use crate::watch::{Phase, RunEvent};

/// How much longer a machine is waited for whose time is over: who comes a moment too late is still put back.
const LATECOMER: Duration = Duration::from_secs(15);

/// Why a member is put back, and so what must be spared while it is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Because {
    /// It failed: whatever of it and of its guests works all the same must be spared.
    ItFailed,
    /// The run failed: it works, so its gates must pass, and its group must be able to spare it.
    TheRunFailed,
}

/// The machines that do not answer, each with why.
pub(super) type Away = BTreeMap<HostId, String>;

impl Course<'_, '_> {
    /// Puts a member back; returns whether it is as before, in effect, and its gates are no worse for it.
    pub(super) async fn put_back(
        &self,
        rules: &Rollout,
        member: &Member,
        mishap: Mishap,
        because: Because,
    ) -> Result<bool, Broken> {
        let took = self.reopen(rules, member);
        // All of its time is over.
        let in_vain = mishap.away.is_some();
        if in_vain {
            self.look_once_more(member).await;
        }
        let down = match because {
            // What it wrote is undone at once, and only then it is asked whether it may go down.
            Because::ItFailed => self.down_now(member).await.ok(),
            Because::TheRunFailed => match self.wait_until_spared(rules, member, because).await {
                Ok(down) => Some(down),
                Err(why) => {
                    self.leave(member, mishap, Left::NotUndone(why));
                    return Ok(false);
                }
            },
        };
        // What went down with it before is waited for too.
        self.note(&member.host, |underway| underway.down.extend(down.into_iter().flatten()));
        let before = self.look_at(&self.gates_of(rules, &self.down_with(&[member]))).await;
        let trouble = mishap.trouble.clone();
        self.run.watch.event(RunEvent::MemberPuttingBack { member: member.host.clone(), trouble: trouble.clone() });
        match self.undo(rules, member, &took, because, in_vain).await {
            Ok(()) => {}
            Err(Setback::Broken) => return Err(Broken),
            Err(Setback::Mishap(second)) => {
                let left = Left::NotUndone(second.trouble.reason);
                self.leave(member, Mishap { trouble, away: second.away }, left);
                return Ok(false);
            }
        }
        let regained = self.regain(rules, member, &before).await;
        let is_green = matches!(regained, Ok(true));
        self.run.watch.event(RunEvent::MemberPutBack { member: member.host.clone(), is_green });
        self.ends(member, MemberOutcome::PutBack { trouble, is_green });
        Ok(regained.is_ok())
    }

    /// A member that was done is under way again. Returns what was activated for it.
    fn reopen(&self, rules: &Rollout, member: &Member) -> Vec<Took> {
        let until = Instant::now() + rules.timeout;
        let mut sheet = self.sheet();
        let report = sheet.gathered.members.iter().find(|report| report.host == member.host);
        let took = match report.map(|report| &report.outcome) {
            Some(MemberOutcome::Done { activations }) => activations.clone(),
            _ => Vec::new(),
        };
        let new = Underway { took, waits_for: None, until, down: member.down.clone(), silent: Away::new() };
        let underway = sheet.underway.entry(member.host.clone()).or_insert(new);
        underway.until = until;
        underway.took.clone()
    }

    /// Waits until its group and those of its guests can spare a member; returns what it takes down.
    async fn wait_until_spared(
        &self,
        rules: &Rollout,
        member: &Member,
        because: Because,
    ) -> Result<BTreeSet<Address>, String> {
        let until = Instant::now() + rules.timeout;
        let (mut pause, mut said) = (Pause::default(), None);
        loop {
            let spared = match self.down_now(member).await {
                // Where nothing is interrupted, nobody is missed.
                Ok(down) if down.is_empty() => return Ok(down),
                Ok(down) => match because {
                    Because::ItFailed => self.can_lose(rules, member, &down).await,
                    Because::TheRunFailed => self.can_spare(rules, &down).await,
                }
                .map(|()| down),
                Err(obstacle) => Err(obstacle),
            };
            match spared {
                Ok(down) => return Ok(down),
                Err(Obstacle::Passing(trouble) | Obstacle::Firm(trouble)) => {
                    let now = Instant::now();
                    if now >= until {
                        return Err(trouble.reason);
                    }
                    if said.as_ref() != Some(&trouble.reason) {
                        self.phase(&member.host, Phase::Held { reason: trouble.reason.clone() });
                        said = Some(trouble.reason);
                    }
                    // The last look is the one at the very end of the time.
                    time::sleep_until((now + pause.next()).min(until)).await;
                }
            }
        }
    }

    /// Returns whether what a member that failed takes down can be spared at this moment.
    pub(super) async fn is_spared(&self, rules: &Rollout, failed: &Member) -> bool {
        match self.down_now(failed).await {
            Ok(down) => down.is_empty() || self.can_lose(rules, failed, &down).await.is_ok(),
            Err(_) => false,
        }
    }

    async fn undo(
        &self,
        rules: &Rollout,
        member: &Member,
        took: &[Took],
        because: Because,
        in_vain: bool,
    ) -> Result<(), Setback> {
        self.phase(&member.host, Phase::Undoing);
        let mut away = self.away_of(member).await;
        self.undo_waves(&member.waves, &away).await?;
        self.nothing_stuck(member)?;
        let has_begun_anew = self.activate_back(rules, member, took, because).await?;
        if !away.is_empty() {
            // What was undone elsewhere, in the configuration of a virtual machine for example, may have brought it back.
            self.wait_for(member, &mut away, in_vain && !has_begun_anew).await?;
            self.undo_waves(&member.waves, &Away::new()).await?;
            self.nothing_stuck(member)?;
            self.activate_back(rules, member, took, because).await?;
        }
        self.note(&member.host, |underway| underway.until = Instant::now() + rules.timeout);
        self.verify(member, Side::Before).await?;
        Ok(())
    }

    fn nothing_stuck(&self, member: &Member) -> Result<(), Mishap> {
        self.stuck(member).map_or(Ok(()), |reason| Err(Mishap::refused(reason)))
    }

    /// Activates what is needed before that is in effect again which was in effect before: nothing, if nothing took
    /// effect. Returns whether anything was interrupted for it.
    async fn activate_back(
        &self,
        rules: &Rollout,
        member: &Member,
        took: &[Took],
        because: Because,
    ) -> Result<bool, Setback> {
        let mut asked: BTreeMap<HostId, BTreeSet<Activation>> = BTreeMap::new();
        let answers = self.read_member(member).await;
        // A boot image that was built with the new files would bring them back.
        for planned in &member.activations {
            let is_image = planned.activation.verb == Verb::BootImage;
            let answers = answers.get(&planned.host).is_some_and(Result::is_ok);
            if is_image && answers && took.iter().any(|took| took.activation == planned.activation) {
                asked.entry(planned.host.clone()).or_default().insert(planned.activation.clone());
            }
        }
        for (host, activations) in self.judge(member, answers, Side::Before).activations {
            asked.entry(host).or_default().extend(activations);
        }
        for planned in &member.activations {
            if self.is_stranded(&planned.host, &planned.activation).await {
                asked.entry(planned.host.clone()).or_default().insert(planned.activation.clone());
            }
        }
        let mut has_begun_anew = false;
        for activation in coalesced(&asked.values().flatten().cloned().collect()) {
            if activation.verb.interrupts() {
                has_begun_anew = true;
                // However long the undo took: that it can be spared must be so now.
                let spared = self.wait_until_spared(rules, member, because).await;
                spared.map_err(|why| {
                    let left = format!("it is set as before, and a {activation} puts that in effect");
                    Mishap::refused(format!("{why}; {left}"))
                })?;
            }
            for host in asked.iter().filter(|(_, asked)| asked.contains(&activation)).map(|(host, _)| host) {
                self.activate(member, host, &activation, rules.timeout).await?;
            }
        }
        Ok(has_begun_anew)
    }

    /// Returns whether a machine lies where an order of this run left it.
    async fn is_stranded(&self, host: &HostId, activation: &Activation) -> bool {
        let was_lost = self.run.journal().progress.activations.iter().any(|known| {
            let failed = matches!(known.outcome, Some(ActivationOutcome::Failed { .. }));
            known.host == *host && known.activation == *activation && failed
        });
        if !was_lost {
            return false;
        }
        let reached = self.run.host(host);
        let connection = self.run.engine.connection(&reached).await;
        let sight = self.run.glance(&*connection, &reached, activation).await;
        sight.is_ok_and(|sight| sight.is_stranded)
    }

    /// Undoes what these waves did, the last first, except on machines that do not answer: there everything stays
    /// recorded as it is.
    pub(super) async fn undo_waves(&self, waves: &[Wave], away: &Away) -> Result<(), Broken> {
        for wave in waves.iter().rev() {
            let machines: BTreeSet<HostId> =
                self.machines(wave).into_iter().filter(|machine| !away.contains_key(machine)).collect();
            let _lanes = self.lanes(&machines).await;
            let is_here = |address: &&Address| {
                let items = &self.plan.resources[*address].items;
                items.iter().all(|item| machines.contains(&item.id.host))
            };
            let owners: Vec<Address> = wave.batches.values().flatten().filter(is_here).cloned().collect();
            self.run.journal().condemned.extend(owners.iter().cloned());
            self.sheet().gathered.unwound.extend(owners);
            let undone = machines.iter().map(|machine| -> Pending<'_, _> { Box::pin(self.undo_on(machine)) });
            let undone = side_by_side(self.run.engine.limits.parallelism, undone.collect()).await;
            undone.into_iter().collect::<Result<(), Broken>>()?;
        }
        Ok(())
    }

    async fn undo_on(&self, machine: &HostId) -> Result<(), Broken> {
        let doubt = {
            let journal = self.run.journal();
            let known = journal.doubts.get(machine).cloned();
            let unknown = || Doubt { reason: "it is not known what became of earlier steps".to_owned(), help: None };
            journal.is_in_doubt(machine).then(|| known.unwrap_or_else(unknown))
        };
        if doubt.is_none() && !self.run.has_to_undo(machine) {
            return Ok(());
        }
        self.run.journal().untidy.insert(machine.clone());
        self.run.bring_to_an_end(machine, doubt).await
    }

    async fn away_of(&self, member: &Member) -> Away {
        let answers = self.read_member(member).await;
        answers.into_iter().filter_map(|(host, answer)| Some((host, answer.err()?))).collect()
    }

    /// Returns which machines of a wave do not answer.
    pub(super) async fn away(&self, wave: &Wave) -> Away {
        let machines = self.machines(wave);
        let reads = machines.iter().map(|machine| -> Pending<'_, _> {
            Box::pin(async move {
                let host = self.run.host(machine);
                let answer = self.run.engine.read_one(&host, &ReadRequest::default(), self.run.watch).await;
                answer.err().map(|error| (machine.clone(), error.message))
            })
        });
        side_by_side(self.run.engine.limits.reads, reads.collect()).await.into_iter().flatten().collect()
    }

    /// Asks a machine that was waited for in vain once more, and not for long. While it is silent, nothing else is asked
    /// of it.
    async fn look_once_more(&self, member: &Member) {
        let machine = self.plan.hosts.iter().find(|(_, planned)| planned.host.address == member.host);
        let Some((id, _)) = machine else { return };
        let host = self.run.host(id);
        let connection = self.run.engine.connection(&host).await;
        let answer = self.run.engine.ask(&*connection, &host, &ReadRequest::default(), GLANCE).await;
        let silent = answer.err().map(|error| (id.clone(), error.message)).into_iter().collect();
        self.note(&member.host, |underway| underway.silent = silent);
    }

    /// Waits for machines that do not answer: for as long as an undo waits for a host, or only a moment for one that was
    /// waited for in vain already.
    async fn wait_for(&self, member: &Member, away: &mut Away, in_vain: bool) -> Result<(), Mishap> {
        let until = Instant::now() + if in_vain { LATECOMER } else { self.run.engine.limits.look_within };
        let mut pause = Pause::default();
        loop {
            if in_vain {
                self.look_once_more(member).await;
            } else {
                self.note(&member.host, |underway| underway.silent.clear());
            }
            *away = self.away_of(member).await;
            let Some((host, reason)) = away.first_key_value() else { return Ok(()) };
            self.phase(&member.host, Phase::Unreachable { reason: reason.clone() });
            let address = self.run.host(host).address;
            self.note(&member.host, |underway| underway.waits_for = Some(format!("an answer ({reason})")));
            if Instant::now() >= until || self.stop.urgency() == Urgency::Now {
                let what = format!("`{address}` cannot be reached, so what is in place there stays: {reason}");
                return Err(Mishap::away(what, &format!("an answer ({reason})")));
            }
            time::sleep(pause.next()).await;
            self.note(&member.host, |underway| underway.waits_for = None);
        }
    }
}
