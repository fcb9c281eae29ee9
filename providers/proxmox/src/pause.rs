//! Pauses between looks at something that the API does in its own time: growing, and never beyond a limit.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);
/// How many looks there are at least, however slow this machine is.
const LEAST: u32 = 8;

/// Growing pauses until a limit.
#[derive(Debug)]
pub(crate) struct Pauses {
    next: Duration,
    until: Instant,
    left: u32,
}

impl Pauses {
    /// Returns pauses that end after a time.
    pub(crate) fn within(limit: Duration) -> Self {
        Self { next: FIRST, until: Instant::now() + limit, left: LEAST }
    }

    /// Pauses; returns whether there is time for another look.
    pub(crate) async fn pause(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.until && self.left == 0 {
            return false;
        }
        self.left = self.left.saturating_sub(1);
        sleep_until(now + self.next).await;
        self.next = (self.next * 3 / 2).min(LONGEST);
        true
    }
}
