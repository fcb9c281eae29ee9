//! Soak: a rollout rests after each batch. A short rest is sat through; for a longer one the run pauses, and a later one
//! goes on when it is due.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{self, Instant};
use tune_core::Address;
use tune_core::journal::Event;
use tune_core::rollout::Rollout;

use super::Broken;
use super::course::{Course, Next};
use crate::watch::RunEvent;

/// Returns a time from its text; one that cannot be read is long past.
pub(super) fn time(text: &str) -> Timestamp {
    text.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Returns how long a rest still lasts.
pub(super) fn left(until: Option<&String>, now: Timestamp) -> Duration {
    let left = until.map(|until| time(until).duration_since(now));
    left.and_then(|left| Duration::try_from(left).ok()).unwrap_or_default()
}

impl Course<'_, '_> {
    /// Before a turn of a rollout that rests since an earlier run: waits or ends the run.
    pub(super) async fn rest_before(&self, rollout: Option<&Address>) -> Result<Next, Broken> {
        let Some(rollout) = rollout else { return Ok(Next::Stage) };
        let earlier = self.run.base.soaks.get(rollout);
        let is_known = self.run.journal().progress.soaks.contains_key(rollout);
        let Some(until) = earlier.filter(|_| !is_known) else { return Ok(Next::Stage) };
        let left = left(Some(until), time(&self.run.engine.clock.now()));
        if self.rests(rollout, left, until).await == Next::End {
            return Ok(Next::End);
        }
        let mut journal = self.run.journal();
        journal.note(Event::Soak { rollout: rollout.clone(), until: None });
        journal.flush()?;
        Ok(Next::Stage)
    }

    /// After a turn of a rollout that has more to come.
    pub(super) async fn rest_after(&self, rollout: Option<&Address>, rules: &Rollout) -> Result<Next, Broken> {
        let Some(rollout) = rollout.filter(|_| !rules.soak.is_zero()) else { return Ok(Next::Stage) };
        if self.sheet().ahead.get(rollout).is_none_or(std::collections::VecDeque::is_empty) {
            return Ok(Next::Stage);
        }
        let soak = SignedDuration::try_from(rules.soak).unwrap_or(SignedDuration::MAX);
        let until = time(&self.run.engine.clock.now()).saturating_add(soak);
        let until = until.unwrap_or(Timestamp::MAX).to_string();
        // Durable before the rest begins, so that a run that is killed meanwhile rests all the same.
        {
            let mut journal = self.run.journal();
            journal.note(Event::Soak { rollout: rollout.clone(), until: Some(until.clone()) });
            journal.flush()?;
        }
        if self.rests(rollout, rules.soak, &until).await == Next::End {
            return Ok(Next::End);
        }
        self.run.journal().note(Event::Soak { rollout: rollout.clone(), until: None });
        Ok(Next::Stage)
    }

    async fn rests(&self, rollout: &Address, left: Duration, until: &str) -> Next {
        let pauses = || {
            self.run.watch.event(RunEvent::Paused { rollout: rollout.clone(), until: until.to_owned() });
            self.sheet().gathered.resting.insert(rollout.clone(), until.to_owned());
            Next::End
        };
        if left.is_zero() {
            return Next::Stage;
        }
        if left > self.conduct.wait {
            return pauses();
        }
        let event = RunEvent::Soaking { rollout: rollout.clone(), seconds: left.as_secs(), until: until.to_owned() };
        self.run.watch.event(event);
        tokio::select! {
            () = time::sleep_until(Instant::now() + left) => Next::Stage,
            () = self.stop.asked() => pauses(),
        }
    }
}
