//! What follows when members failed: the policy of their rollout, rule 20.

use tune_core::plan::{Member, Wave};
use tune_core::rollout::{OnFailure, Rollout};

use super::Broken;
use super::course::{Course, Passed};
use super::member::Mishap;
use super::revert::Because;
use crate::report::{Left, MemberOutcome, Trouble};
use crate::watch::RunEvent;

impl<'c> Course<'c, '_> {
    /// Ends the run after `failed` members of a turn did; `fine` are those of the same turn that wait for their gates.
    pub(super) async fn fail(
        &self,
        rules: &Rollout,
        mut failed: Vec<(&'c Member, Mishap)>,
        fine: Vec<&'c Member>,
    ) -> Result<(), Broken> {
        if rules.on_failure == OnFailure::Halt {
            for (member, mishap) in failed {
                self.leave(member, mishap, Left::AsItIs);
            }
            return self.keep(rules, &fine).await;
        }
        let names: Vec<String> = failed.iter().map(|(member, _)| format!("`{}`", member.host)).collect();
        let because = format!("{} failed, and everything that the run did is put back", names.join(", "));
        while !failed.is_empty() {
            let (member, mishap) = failed.remove(self.next_back(rules, &failed).await);
            if !self.put_back(rules, member, mishap, Because::ItFailed).await? {
                // While one is away, no other is interrupted.
                for (other, mishap) in failed {
                    let why = format!("`{}` could not be put back, so this one was not tried", member.host);
                    self.leave(other, mishap, Left::NotUndone(why));
                }
                return self.keep(rules, &fine).await;
            }
        }
        match rules.on_failure {
            OnFailure::RevertRun => self.put_the_run_back(&because).await,
            OnFailure::RevertMember | OnFailure::Halt => self.keep_or_put_back(rules, fine).await,
        }
    }

    /// Returns which of those that failed is put back next: the last one that can be spared now, because putting it back
    /// may be what the others wait for.
    async fn next_back(&self, rules: &Rollout, failed: &[(&'c Member, Mishap)]) -> usize {
        let last = failed.len() - 1;
        if last > 0 {
            for (index, (member, _)) in failed.iter().enumerate().rev() {
                if self.is_spared(rules, member).await {
                    return index;
                }
            }
        }
        last
    }

    /// What passes its gates stays, the rest is left as it is.
    async fn keep(&self, rules: &Rollout, fine: &[&'c Member]) -> Result<(), Broken> {
        if fine.is_empty() {
            return Ok(());
        }
        match self.pass(rules, fine).await {
            Ok(()) => fine.iter().for_each(|member| self.is_done(member)),
            Err(trouble) => {
                for member in fine {
                    self.leave(member, Mishap::of(trouble.clone()), Left::AsItIs);
                }
            }
        }
        Ok(())
    }

    /// What passes its gates stays, the rest is put back.
    async fn keep_or_put_back(&self, rules: &Rollout, fine: Vec<&'c Member>) -> Result<(), Broken> {
        if fine.is_empty() {
            return Ok(());
        }
        match self.pass(rules, &fine).await {
            Ok(()) => fine.iter().for_each(|member| self.is_done(member)),
            Err(trouble) => {
                for member in fine.into_iter().rev() {
                    self.put_back(rules, member, Mishap::of(trouble.clone()), Because::TheRunFailed).await?;
                }
            }
        }
        Ok(())
    }

    /// Everything that the run did and that is not put back yet, the last first.
    async fn put_the_run_back(&self, because: &str) -> Result<(), Broken> {
        let done = self.sheet().done.clone();
        for passed in done.into_iter().rev() {
            match passed {
                Passed::Quiet(wave) => self.put_wave_back(wave).await?,
                Passed::Member(rollout, member) => {
                    let mishap = Mishap::of(Trouble::new(because));
                    let rules = self.rules(rollout);
                    if !self.is_put_back(member)
                        && !self.put_back(&rules, member, mishap, Because::TheRunFailed).await?
                    {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn is_put_back(&self, member: &Member) -> bool {
        let sheet = self.sheet();
        let report = sheet.gathered.members.iter().find(|report| report.host == member.host);
        report.is_some_and(|report| matches!(report.outcome, MemberOutcome::PutBack { .. }))
    }

    async fn put_wave_back(&self, wave: &Wave) -> Result<(), Broken> {
        let away = self.away(wave).await;
        for (host, reason) in &away {
            let warning = format!("What was done on `{}` is not put back: {reason}.", self.run.host(host).address);
            self.run.journal().warnings.push(warning);
        }
        self.undo_waves(std::slice::from_ref(wave), &away).await
    }

    /// A member that failed stays as it is.
    pub(super) fn leave(&self, member: &Member, mishap: Mishap, left: Left) {
        let Mishap { trouble, away } = mishap;
        self.run.watch.event(RunEvent::MemberFailed { member: member.host.clone(), trouble: trouble.clone() });
        match away {
            Some(waits_for) => {
                self.sheet().gathered.away.insert(member.host.clone(), waits_for);
                self.ends(member, MemberOutcome::Down { trouble });
            }
            None => self.ends(member, MemberOutcome::Failed { trouble, left }),
        }
    }
}
