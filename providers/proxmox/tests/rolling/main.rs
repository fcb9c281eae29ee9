//! Many machines are rolled, five at a time, by the real engine through the real provider, on a simulated cluster on which
//! anything may break at any moment: connections are lost before and after their effect, 596 comes while the operation goes
//! on, locks are held, guests shut down late or not at all, tasks fail, restarts lose their second half, machines migrate.
//! Time is tokio's, paused, so a run of hours takes as long as its requests.
//!
//! Whatever happens, never more than five are down, and every machine is at its new value, as it was, or named. When the
//! cluster has healed, the same command comes to a good end, and an empty plan follows.
//!
//! `TUNE_SEEDS=n` plays n stories of twelve machines in place of the usual ones and `TUNE_LARGE=n` n of a hundred;
//! `TUNE_SEED=n` and `TUNE_LARGE_SEED=n` play a single one again.
#![expect(clippy::unwrap_used, reason = "a broken test ends and says why")]

mod lab;
mod play;

use std::env;
use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use play::{Tally, play};

/// Stories of each kind in the ordinary tests.
const SEEDS: u64 = 200;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Plays the stories of some seeds, as many at a time as there are processors.
fn play_all(seeds: Range<u64>, machines: u32) -> Tally {
    let next = AtomicU64::new(seeds.start);
    let players = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let player = || {
            let mut tally = Tally::default();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return tally;
                }
                tally = tally.and(play(seed, machines));
            }
        };
        let players: Vec<_> = (0..players).map(|_| scope.spawn(player)).collect();
        players.into_iter().map(|player| player.join().unwrap()).fold(Tally::default(), Tally::and)
    })
}

#[test]
fn whatever_breaks_never_too_many_are_down_and_every_machine_is_accounted_for() {
    let seeds = number("TUNE_SEED").map_or(0..number("TUNE_SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1);
    eprintln!("{}", play_all(seeds, 12));
}

#[test]
fn it_is_so_with_a_hundred_machines() {
    let seeds = number("TUNE_LARGE_SEED").map_or(0..number("TUNE_LARGE").unwrap_or(SEEDS), |seed| seed..seed + 1);
    eprintln!("{}", play_all(seeds, 100));
}
