//! The time that the cluster lives in: real, faster, or moved by hand.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How the cluster's time passes.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Speed {
    /// As everywhere else: as tokio's clock goes, which a test can pause.
    #[default]
    Real,
    /// So many times as fast; all durations that are told to the cluster are in its own time.
    Times(f64),
    /// Only when it is told to.
    Manual,
}

/// The cluster's clock, which starts at 0.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    rate: f64,
    manual: Option<watch::Sender<Duration>>,
}

impl Clock {
    pub(crate) fn new(speed: Speed) -> Self {
        let (rate, manual) = match speed {
            Speed::Real => (1.0, None),
            Speed::Times(rate) => (rate.max(0.001), None),
            Speed::Manual => (1.0, Some(watch::Sender::new(Duration::ZERO))),
        };
        Clock { start: Instant::now(), rate, manual }
    }

    /// Time since the start.
    pub(crate) fn now(&self) -> Duration {
        match &self.manual {
            Some(time) => *time.borrow(),
            None => self.start.elapsed().mul_f64(self.rate),
        }
    }

    /// Moves a clock that is moved by hand; the others move by themselves.
    pub(crate) fn advance(&self, by: Duration) {
        if let Some(time) = &self.manual {
            time.send_modify(|now| *now += by);
        }
    }

    /// Waits until a time.
    pub(crate) async fn sleep_until(&self, time: Duration) {
        if let Some(manual) = &self.manual {
            // The sender is part of this clock, so the channel cannot be closed.
            let _ = manual.subscribe().wait_for(|now| *now >= time).await;
            return;
        }
        let left = time.saturating_sub(self.now());
        tokio::time::sleep(left.div_f64(self.rate)).await;
    }

    /// Waits for a while.
    pub(crate) async fn sleep(&self, time: Duration) {
        self.sleep_until(self.now() + time).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_moved_by_hand_stands_still_otherwise() {
        let clock = Clock::new(Speed::Manual);
        assert_eq!(clock.now(), Duration::ZERO);
        clock.advance(Duration::from_secs(5));
        assert_eq!(clock.now(), Duration::from_secs(5));
    }

    #[tokio::test]
    async fn sleepers_wake_when_the_time_is_moved() {
        let clock = Clock::new(Speed::Manual);
        let sleep = clock.sleep(Duration::from_mins(1));
        tokio::pin!(sleep);
        let early = tokio::time::timeout(Duration::from_millis(1), &mut sleep).await;
        assert!(early.is_err());
        clock.advance(Duration::from_secs(61));
        sleep.await;
    }
}
