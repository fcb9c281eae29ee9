//! The scripts, run by every shell at hand on a directory that stands in for a host.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may fail, and says aloud what it skips"
)]

mod activation;
mod boot;
mod command;
mod fence;
mod ground;
mod laws;
mod locking;
mod reading;
mod restore;
mod ssh;
mod undo;
mod watch;
mod writing;
