//! How much the engine does at once, and for how long.

use std::time::Duration;

/// Bounds on what the engine does; providers have none of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Hosts that are written to side by side.
    pub parallelism: usize,
    /// Hosts that are read side by side.
    pub reads: usize,
    /// How long one read may take.
    pub read_deadline: Duration,
    /// How long a host may work on one batch before it must stop by itself.
    pub batch_deadline: Duration,
    /// How long a fence waits on the host for what was sent earlier. Invariant: longer than [`Limits::batch_deadline`]
    /// and [`Limits::restore_after`], because until then an earlier script may be running.
    pub fence_patience: Duration,
    /// How long a fenced look is tried again while a host cannot be reached.
    pub look_within: Duration,
    /// How long a host waits for confirmation of a change that may have cut the connection.
    pub restore_after: Duration,
    /// How often a request that was certainly not sent, or a plain read, is tried in all.
    pub attempts: u32,
    /// The first pause between two attempts; each further one is twice as long.
    pub back_off: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            parallelism: 10,
            reads: 32,
            read_deadline: Duration::from_mins(1),
            batch_deadline: Duration::from_mins(1),
            fence_patience: Duration::from_secs(90),
            look_within: Duration::from_mins(2),
            restore_after: Duration::from_secs(45),
            attempts: 3,
            back_off: Duration::from_millis(500),
        }
    }
}

impl Limits {
    /// Returns the pause before attempt `attempt` (the second one is 2). Hosts that fail together try again a little
    /// apart: `name` decides by how much.
    pub(crate) fn pause(&self, attempt: u32, name: &str) -> Duration {
        const LONGEST: Duration = Duration::from_secs(10);
        let doubled = self.back_off.saturating_mul(1 << attempt.saturating_sub(2).min(16)).min(LONGEST);
        let share = crc32fast::hash(name.as_bytes()) % 256;
        doubled + doubled.saturating_mul(share) / 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let limits = Limits::default();
        assert!(limits.pause(3, "a") > limits.pause(2, "a"));
        assert!(limits.pause(2, "a") >= limits.back_off);
        assert!(limits.pause(99, "a") < Duration::from_secs(13));
        assert_ne!(limits.pause(2, "host.a"), limits.pause(2, "host.b"));
    }

    #[test]
    fn a_fence_outlasts_what_it_waits_for() {
        let limits = Limits::default();
        assert!(limits.fence_patience > limits.batch_deadline && limits.fence_patience > limits.restore_after);
    }
}
