//! Unwinding inside a run: a resource of which one item failed is put back as it was, by the same changes turned
//! round.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use tune_core::Address;
use tune_core::item::HostId;
use tune_core::journal::{Event, Intent, StepNumber, StepOutcome, StepStatus};

use super::journal::Doubt;
use super::{Broken, Run};
use crate::report::ResourceOutcome;
use crate::watch::RunEvent;

/// How often an undo is sent that turns out to have had no effect.
const ATTEMPTS: usize = 3;

impl Run<'_> {
    /// After steps of a host were sent: looks where outcomes are missing, undoes what failed in part, and brings the
    /// host's ledger up to date.
    pub(crate) async fn bring_to_an_end(&self, host: &HostId, doubt: Option<Doubt>) -> Result<(), Broken> {
        if let Some(doubt) = doubt {
            self.look(host, doubt).await;
        }
        self.unwind(host).await?;
        if self.may_tidy(host) {
            self.journal().flush()?;
            if let Err(error) = self.tidy(host).await {
                self.journal().warnings.push(format!(
                    "The ledger on `{}` names more than is managed there, because it could not be brought up to date: \
                     {}. The next run on this host mends it.",
                    self.host(host).address,
                    error.message
                ));
            }
        }
        self.tell(host);
        Ok(())
    }

    /// Undoes the rest of resources that live on two hosts because they moved, where they failed on the other one.
    pub(crate) async fn unwind_across_hosts(&self, hosts: &[HostId]) -> Result<(), Broken> {
        for host in hosts {
            if self.has_to_undo(host) {
                self.journal().untidy.insert(host.clone());
                self.bring_to_an_end(host, None).await?;
            }
        }
        Ok(())
    }

    /// Returns whether something on a host is to be undone.
    pub(crate) fn has_to_undo(&self, host: &HostId) -> bool {
        let (written, recorded) = self.to_undo(host);
        !(written.is_empty() && recorded.is_empty())
    }

    fn may_tidy(&self, host: &HostId) -> bool {
        let journal = self.journal();
        journal.untidy.contains(host) && !journal.is_in_doubt(host)
    }

    /// Undoes the done steps of every resource on a host of which another step was not done, or that is to be undone as
    /// a whole.
    async fn unwind(&self, host: &HostId) -> Result<(), Broken> {
        for attempt in 0..ATTEMPTS {
            let (written, recorded) = self.to_undo(host);
            if attempt == 0 {
                self.tell_putting_back(&written);
            }
            self.intend_undo(&written, &recorded)?;
            if !recorded.is_empty() {
                // No batch undoes these, and a later batch than theirs may have left a ledger that names them.
                self.journal().untidy.insert(host.clone());
            }
            if written.is_empty() {
                return Ok(());
            }
            if let Some(doubt) = self.send(host, &written).await {
                self.look(host, doubt).await;
            }
        }
        let (written, _) = self.to_undo(host);
        let mut journal = self.journal();
        for step in written {
            let live = Some(journal.step(step).0.change.after.clone());
            journal.note(Event::Undo { step });
            let message = format!("it was put back {ATTEMPTS} times without effect");
            journal.note(Event::Settle { step, outcome: StepOutcome::Stuck { live, message } });
        }
        Ok(())
    }

    fn intend_undo(&self, written: &[StepNumber], recorded: &[StepNumber]) -> Result<(), Broken> {
        let mut journal = self.journal();
        for step in recorded {
            journal.note(Event::Undo { step: *step });
            journal.note(Event::Settle { step: *step, outcome: StepOutcome::Undone });
        }
        for step in written {
            journal.note(Event::Undo { step: *step });
        }
        if written.is_empty() { Ok(()) } else { journal.flush() }
    }

    /// Steps to undo, the last one first: those that wrote something, and those that only changed the record.
    fn to_undo(&self, host: &HostId) -> (Vec<StepNumber>, Vec<StepNumber>) {
        let journal = self.journal();
        let failed = |owner: &&Address| {
            let statuses: Vec<&StepStatus> = journal.of(owner).map(|(_, (_, status))| status).collect();
            // What is not known yet decides whether the resource is finished or undone.
            statuses.iter().all(|status| matches!(status, StepStatus::Settled(_)))
                && (journal.condemned.contains(*owner)
                    || statuses.iter().any(|status| **status != StepStatus::Settled(StepOutcome::Done)))
        };
        let of_failed = journal.amiss().filter(failed).flat_map(|owner| journal.of(owner));
        let is_done = |(_, (intent, status)): &(StepNumber, &(Intent, StepStatus))| {
            intent.id.host == *host && *status == StepStatus::Settled(StepOutcome::Done)
        };
        let mut done: Vec<(StepNumber, &(Intent, StepStatus))> = of_failed.filter(is_done).collect();
        done.sort_unstable_by_key(|(step, _)| Reverse(*step));
        let (written, recorded): (Vec<_>, Vec<_>) =
            done.into_iter().partition(|(_, (intent, _))| intent.change.before != intent.change.after);
        let written = written.into_iter().map(|(step, _)| step).collect();
        (written, recorded.into_iter().map(|(step, _)| step).collect())
    }

    fn tell_putting_back(&self, steps: &[StepNumber]) {
        let journal = self.journal();
        let owners: BTreeSet<&Address> = steps.iter().map(|step| &journal.step(*step).0.owner).collect();
        for owner in owners {
            let reason = super::finish::reasons(&journal.of(owner).map(|(_, step)| step).collect::<Vec<_>>());
            let reason = reason.into_iter().next().map(|failure| failure.message).unwrap_or_default();
            self.watch.event(RunEvent::PuttingBack { resource: owner.clone(), reason });
        }
    }

    fn tell(&self, host: &HostId) {
        let mut journal = self.journal();
        for owner in journal.take_untold(host) {
            let resource = owner.clone();
            let event = match journal.outcome(&owner) {
                Some(ResourceOutcome::Done { .. }) => RunEvent::Done { resource },
                Some(ResourceOutcome::PutBack { .. }) => RunEvent::PutBack { resource },
                Some(ResourceOutcome::Stuck { .. }) => RunEvent::Stuck { resource },
                Some(ResourceOutcome::Unknown { .. }) if journal.is_in_doubt(host) => RunEvent::Unknown { resource },
                // It is still under way on another host.
                Some(ResourceOutcome::Unknown { .. } | ResourceOutcome::NotStarted(_)) | None => continue,
            };
            if journal.told.insert(owner, event.clone()).as_ref() != Some(&event) {
                self.watch.event(event);
            }
        }
    }
}
