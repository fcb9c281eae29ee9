//! The simulated cluster as a client of its API sees it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it is surprised")]

mod client;
mod machines;
mod refusals;
mod requests;
mod rights;
mod sturdy;
