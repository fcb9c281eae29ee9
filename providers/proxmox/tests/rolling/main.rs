//! Many machines are rolled, five at a time, by the real engine through the real provider, on a simulated cluster on which
//! anything may break at any moment: connections are lost before and after their effect, 596 comes while the operation goes
//! on, locks are held, guests shut down late or not at all, tasks fail, restarts lose their second half, machines migrate.
//! Time is tokio's, paused, so a run of hours takes as long as its requests.
//!
//! Whatever happens, never more than five are down, and every machine is at its new value, as it was, or named. When the
//! cluster has healed, the same command comes to a good end, and an empty plan follows.
//!
//! `TUNE_SEEDS=n` plays n stories of twelve machines in place of the usual ones, `TUNE_SEED=n` one, `TUNE_LARGE=n` n of a
//! hundred machines.
#![expect(clippy::unwrap_used, reason = "a broken test ends and says why")]

mod lab;
mod play;

use std::env;

use play::{Tally, play};

/// Stories of twelve machines in the ordinary test.
const SEEDS: u64 = 200;
/// Stories of a hundred machines.
const LARGE: u64 = 8;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn whatever_breaks_never_too_many_are_down_and_every_machine_is_accounted_for() {
    let seeds = number("TUNE_SEED").map_or(0..number("TUNE_SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1);
    let mut tally = Tally::default();
    for seed in seeds {
        tally.add(play(seed, 12));
    }
    eprintln!("{tally}");
}

#[test]
fn it_is_so_with_many_machines() {
    let mut tally = Tally::default();
    for seed in 0..number("TUNE_LARGE").unwrap_or(LARGE) {
        tally.add(play(seed, 100));
    }
    eprintln!("{tally}");
}
