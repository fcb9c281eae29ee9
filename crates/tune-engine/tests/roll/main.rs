//! Rolling through a cluster in memory: members that come back late, never, or without the new value; gates that are red
//! or flap; leaders that move; a process that dies at any moment. Time is tokio's, paused, so nothing here waits.
#![expect(clippy::unwrap_used, reason = "a broken test ends and says why")]

mod bad_days;
mod bench;
mod cluster;
mod crashes;
mod good_days;
mod stops;
