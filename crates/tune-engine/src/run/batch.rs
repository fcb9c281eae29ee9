//! One batch: built from steps whose intents are durable, sent once, and every outcome noted. What the host's answer
//! leaves open stays open, for a look behind the fence.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{self, Instant};
use tune_core::Address;
use tune_core::contract::{BUSY, Batch, BatchItem, Connection, ConnectionError, Epoch, Outcome, Sent};
use tune_core::item::{HostId, Raw};
use tune_core::journal::{Event, Intent, StepNumber, StepOutcome, StepStatus};
use tune_core::resource::Host;

use super::journal::Doubt;
use super::{Run, ledger};
use crate::read::within;
use crate::watch::RunEvent;

/// How a step stands after its host's answer.
enum Answer {
    Settled(StepOutcome),
    /// Only a look can tell.
    Open,
}

impl Run<'_> {
    /// Sends steps of one host, forward or as undo, each as it stands in the journal. Returns why outcomes are missing,
    /// if any are.
    pub(super) async fn send(&self, host: &HostId, steps: &[StepNumber]) -> Option<Doubt> {
        let batch = self.batch(host, steps);
        let reached = self.host(host);
        let connection = self.engine.connection(&reached).await;
        let covers_both = batch.restore_after.is_some();
        let outcomes = match self.apply(&*connection, &reached, batch).await {
            Ok(outcomes) => outcomes,
            Err(error) => return self.not_sent(host, steps, &error),
        };
        // Only then did the host replace the ledger that covers everything by the one for afterwards.
        let all_done = outcomes.len() == steps.len() && outcomes.iter().all(|outcome| *outcome == Outcome::Done);
        if all_done && !covers_both {
            self.journal().untidy.remove(host);
        } else {
            self.journal().untidy.insert(host.clone());
        }
        let mut missing = false;
        let mut outcomes = outcomes.into_iter();
        let mut journal = self.journal();
        for step in steps {
            let (intent, status) = journal.step(*step);
            match self.answer(intent, status, outcomes.next().unwrap_or(Outcome::Unknown)) {
                Answer::Settled(outcome) => journal.note(Event::Settle { step: *step, outcome }),
                Answer::Open => missing = true,
            }
        }
        missing.then(|| Doubt {
            reason: format!("`{}` gave no answer about some of what was sent to it", reached.address),
            help: None,
        })
    }

    /// Brings a host's ledger up to date without writing any item. That is harmless however often it is sent, so a lost
    /// answer is no reason to leave a ledger that claims what nobody manages.
    pub(super) async fn tidy(&self, host: &HostId) -> Result<(), ConnectionError> {
        let reached = self.host(host);
        let limits = &self.engine.limits;
        let mut attempt = 1;
        loop {
            let batch = self.batch(host, &[]);
            let connection = self.engine.connection(&reached).await;
            match self.apply(&*connection, &reached, batch).await {
                Ok(_) => break,
                Err(error) if error.transient && error.sent == Sent::Perhaps && attempt < limits.attempts => {
                    attempt += 1;
                    self.watch.event(RunEvent::Retrying { host: reached.address.clone(), reason: error.message });
                    time::sleep(limits.pause(attempt, &reached.address.to_string())).await;
                }
                Err(error) => return Err(error),
            }
        }
        self.journal().untidy.remove(host);
        Ok(())
    }

    fn batch(&self, host: &HostId, steps: &[StepNumber]) -> Batch {
        let mut journal = self.journal();
        let sequence = journal.store.next_sequence();
        let (now, after) = journal.ledgers(host, steps);
        let mut groups: BTreeMap<&Address, usize> = BTreeMap::new();
        let mut items = Vec::new();
        for (position, step) in steps.iter().enumerate() {
            let (intent, status) = journal.step(*step);
            let undoing = *status == StepStatus::Undoing;
            let change = if undoing { intent.change.clone().inverse() } else { intent.change.clone() };
            let next = groups.len() + 1;
            let of_owner = *groups.entry(&intent.owner).or_insert(next);
            // What can still be undone is undone, even after another undo of the same resource failed.
            let group = if undoing { position } else { of_owner };
            items.push(BatchItem { kind: intent.id.kind.clone(), key: intent.id.key.clone(), change, group });
        }
        let cuts =
            |step: &StepNumber| self.cutting.as_ref().is_none_or(|cutting| cutting.contains(&journal.step(*step).0.id));
        let restore_after = steps.iter().any(cuts).then_some(self.engine.limits.restore_after);
        // While a restore may still put everything back, the ledger must cover that too; it is tidied afterwards.
        let after = if restore_after.is_some() { now.clone() } else { after };
        Batch {
            lineage: self.header.lineage.clone(),
            epoch: Epoch { run: self.header.run, sequence },
            items,
            ledger: ledger(&self.header, host, now),
            ledger_after: Some(after).filter(|after| !after.is_empty()).map(|after| ledger(&self.header, host, after)),
            deadline: self.engine.limits.batch_deadline,
            restore_after,
        }
    }

    /// Sends a batch, again only if it certainly did not leave, and confirms it where it may have cut the connection.
    async fn apply(
        &self,
        connection: &dyn Connection,
        host: &Host,
        mut batch: Batch,
    ) -> Result<Vec<Outcome>, ConnectionError> {
        let limits = &self.engine.limits;
        let mut attempt = 1;
        // The host stops by itself at the batch's deadline; its answer may take a little longer.
        let deadline = batch.deadline + limits.read_deadline;
        let outcomes = loop {
            match within(deadline, host, connection.apply(&batch)).await {
                Err(error) if error.sent == Sent::No && error.transient && attempt < limits.attempts => {
                    attempt += 1;
                    self.watch.event(RunEvent::Retrying { host: host.address.clone(), reason: error.message });
                    time::sleep(limits.pause(attempt, &host.address.to_string())).await;
                    batch.epoch.sequence = self.journal().store.next_sequence();
                }
                answer => break answer?,
            }
        };
        if let Some(restore_after) = batch.restore_after {
            self.confirm(connection, host, &batch, restore_after).await?;
        }
        Ok(outcomes)
    }

    /// Confirms over a new connection, again and again until the host restores by itself. After that nothing that the
    /// batch answered counts any more.
    async fn confirm(
        &self,
        connection: &dyn Connection,
        host: &Host,
        batch: &Batch,
        restore_after: Duration,
    ) -> Result<(), ConnectionError> {
        let limits = &self.engine.limits;
        let until = Instant::now() + restore_after;
        for attempt in 2.. {
            let left = until.saturating_duration_since(Instant::now());
            match within(left, host, connection.confirm(batch)).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let pause = limits.pause(attempt, &host.address.to_string());
                    if !error.transient || Instant::now() + pause >= until {
                        return Err(ConnectionError { sent: Sent::Perhaps, ..error });
                    }
                    self.watch.event(RunEvent::Retrying { host: host.address.clone(), reason: error.message });
                    time::sleep(pause).await;
                }
            }
        }
        unreachable!("the loop ends with the time that is left")
    }

    /// Nothing arrived at the host, or nobody knows.
    fn not_sent(&self, host: &HostId, steps: &[StepNumber], error: &ConnectionError) -> Option<Doubt> {
        let doubt = Doubt { reason: error.message.clone(), help: error.help.clone() };
        let mut journal = self.journal();
        if error.code == BUSY {
            journal.held.insert(host.clone());
        }
        let undoing = steps.iter().any(|step| journal.step(*step).1 == StepStatus::Undoing);
        if error.sent == Sent::Perhaps {
            journal.untidy.insert(host.clone());
        }
        // A host that is away while something has to be undone there is waited for, by looking at it.
        if error.sent == Sent::Perhaps || undoing {
            return Some(doubt);
        }
        for step in steps {
            let outcome = StepOutcome::NotDone { message: error.message.clone() };
            journal.note(Event::Settle { step: *step, outcome });
        }
        None
    }

    fn answer(&self, intent: &Intent, status: &StepStatus, outcome: Outcome) -> Answer {
        let stuck = |live, message| StepOutcome::Stuck { live, message };
        let shown = |live: &Raw| match self.kind(&intent.id.kind) {
            Some(kind) => kind.show(&intent.id.key, live),
            None => "something else".to_owned(),
        };
        let settled = if *status == StepStatus::Undoing {
            match outcome {
                Outcome::Done => StepOutcome::Undone,
                Outcome::Conflict { live } => {
                    stuck(Some(live), "somebody else changed it before it could be put back".to_owned())
                }
                Outcome::Refused { message } => {
                    stuck(Some(intent.change.after.clone()), format!("it could not be put back: {message}"))
                }
                // What could not be read back there may be read from here.
                Outcome::Unknown | Outcome::Broken { live: None, .. } => return Answer::Open,
                Outcome::Broken { message, live } => stuck(live, format!("it could not be put back: {message}")),
                // The undo had no effect, so the step is still done.
                Outcome::NotTried => StepOutcome::Done,
            }
        } else {
            match outcome {
                Outcome::Done => StepOutcome::Done,
                Outcome::Conflict { live } => StepOutcome::NotDone {
                    message: format!("somebody else changed it since the plan was made: it is {} now", shown(&live)),
                },
                Outcome::Refused { message } => StepOutcome::NotDone { message },
                Outcome::Unknown | Outcome::Broken { live: None, .. } => return Answer::Open,
                Outcome::Broken { message, live } => stuck(live, message),
                Outcome::NotTried => StepOutcome::NotDone { message: NOT_TRIED.to_owned() },
            }
        };
        Answer::Settled(settled)
    }
}

/// Why an item was not done that came after one that failed; the other one's reason is the one to show.
pub(super) const NOT_TRIED: &str = "it was not tried, because something before it failed or the time was up";
