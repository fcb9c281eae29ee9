//! The store in a folder on this machine: its format, and what damage does to it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a broken test ends and says why")]

mod damage;
mod export;
mod recording;
mod values;
