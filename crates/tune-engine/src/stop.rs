//! Ctrl-C. The first one lets what is running come to its end, the second one does not wait.

use std::sync::Arc;

use tokio::sync::watch;

/// How much a person is in a hurry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Urgency {
    /// Not at all.
    #[default]
    None,
    /// The running wave is finished, the rest is not started.
    AfterWave,
    /// Nothing more is sent or waited for.
    Now,
}

/// A handle by which a run is stopped; clones are the same handle.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<Urgency>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Urgency::None)))
    }
}

impl Stop {
    /// Asks to stop: the first time after the running wave, the second time at once. Returns what is in force now.
    pub fn ask(&self) -> Urgency {
        self.0.send_modify(|urgency| {
            *urgency = match urgency {
                Urgency::None => Urgency::AfterWave,
                Urgency::AfterWave | Urgency::Now => Urgency::Now,
            }
        });
        self.urgency()
    }

    /// Returns what was asked so far.
    pub fn urgency(&self) -> Urgency {
        *self.0.borrow()
    }

    /// Waits until a stop at once is asked for, for ever if need be.
    pub(crate) async fn now(&self) {
        self.reaches(Urgency::Now).await;
    }

    /// Waits until any stop is asked for, for ever if need be.
    pub(crate) async fn asked(&self) {
        self.reaches(Urgency::AfterWave).await;
    }

    async fn reaches(&self, least: Urgency) {
        let mut receiver = self.0.subscribe();
        if receiver.wait_for(|urgency| *urgency >= least).await.is_err() {
            // The sender lives as long as `self`, so this cannot happen; if it did, nobody could ask any more.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_time_is_at_once() {
        let stop = Stop::default();
        assert_eq!(stop.urgency(), Urgency::None);
        assert_eq!(stop.clone().ask(), Urgency::AfterWave);
        assert_eq!(stop.ask(), Urgency::Now);
        assert_eq!(stop.ask(), Urgency::Now);
        stop.now().await;
    }
}
