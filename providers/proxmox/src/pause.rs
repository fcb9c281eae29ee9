//! Pauses between looks at something that the API does in its own time: growing, and never beyond a limit.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How much faster than a real cluster the one at the other end is. Everything that is waited for is that much shorter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace(pub(crate) f64);

impl Pace {
    /// The pace of a real cluster.
    pub(crate) const REAL: Self = Self(1.0);

    /// Returns a time at this pace.
    pub(crate) fn of(self, time: Duration) -> Duration {
        time.div_f64(self.0)
    }

    /// Returns pauses that end after `limit`, which is a real time already.
    pub(crate) fn pauses(self, limit: Duration) -> Pauses {
        Pauses { next: self.of(FIRST), longest: self.of(LONGEST), until: Instant::now() + limit, left: LEAST }
    }
}

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);
/// How many looks there are at least, however slow this machine is.
const LEAST: u32 = 8;

/// Growing pauses until a limit.
#[derive(Debug)]
pub(crate) struct Pauses {
    next: Duration,
    longest: Duration,
    until: Instant,
    left: u32,
}

impl Pauses {
    /// Pauses; returns whether there is time for another look.
    pub(crate) async fn pause(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.until && self.left == 0 {
            return false;
        }
        self.left = self.left.saturating_sub(1);
        sleep_until(now + self.next).await;
        self.next = (self.next * 3 / 2).min(self.longest);
        true
    }
}
