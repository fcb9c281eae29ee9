//! The sweep: every call of every scripted run × every fault that can strike it. After each, the engine starts again,
//! settles what is open, and the world must be as before or as wanted, or the outcome names what is left.
//!
//! The ordinary test tries every fault of every call, and of faults in pairs one in a few; `TUNE_SWEEP=all` tries all.
//!
//! The world itself checks, at every write, that the intent and the right original are durable, that no value of somebody
//! else is overwritten, and that the machine's own ledger could put everything back.

mod case;
mod scenario;

use std::env;

use case::Case;
use scenario::{SCENARIOS, Scenario};
use tune_testkit::faults::Call;
use tune_testkit::faults::{Fate, Fault, ItemFault, Moment, Seen, every_fault};

/// Each call of each scenario fails once, in every way.
#[test]
fn every_step_fails_once() {
    let mut tally = case::Tally::of_one_in(1);
    for scenario in SCENARIOS {
        for seen in Case::new(scenario, &[], &[]).trace() {
            for fault in every_fault(&seen) {
                tally.run(&Case::new(scenario, &[(seen.moment.clone(), fault)], &[]));
            }
        }
    }
    tally.report("every step fails once");
}

/// Something fails, and while it is put back, every call of that fails too, in every way.
#[test]
fn the_undo_fails_as_well() {
    let mut tally = case::Tally::of_one_in(stride());
    for scenario in SCENARIOS {
        for first in failures(scenario) {
            let trace = Case::new(scenario, std::slice::from_ref(&first), &[]).trace();
            let struck = trace.iter().position(|seen| seen.moment == first.0).expect("the first fault strikes");
            for seen in &trace[struck + 1..] {
                for fault in every_fault(seen) {
                    tally.run(&Case::new(scenario, &[first.clone(), (seen.moment.clone(), fault)], &[]));
                }
            }
        }
    }
    tally.report("the undo fails as well");
}

/// The engine is killed, and while the next one settles that, every call of it fails too, in every way.
#[test]
fn the_recovery_fails_as_well() {
    let mut tally = case::Tally::of_one_in(stride());
    for scenario in SCENARIOS {
        for first in kills(scenario) {
            let first = std::slice::from_ref(&first);
            for seen in Case::new(scenario, first, &[]).second_trace() {
                for fault in every_fault(&seen) {
                    tally.run(&Case::new(scenario, first, &[(seen.moment.clone(), fault)]));
                }
            }
        }
    }
    tally.report("the recovery fails as well");
}

/// The same with the real store, for kills and for writes that fail: what was durable is there when it is opened again.
#[test]
fn the_real_store_keeps_what_was_durable() {
    let mut tally = case::Tally::of_one_in(2 * stride());
    for scenario in SCENARIOS {
        for seen in Case::new(scenario, &[], &[]).trace() {
            let of_store = matches!(seen.moment.call, Call::Journal | Call::Commit | Call::Export);
            for fault in every_fault(&seen) {
                if of_store || matches!(fault, Fault::Killed { .. }) {
                    tally.run(&Case::new(scenario, &[(seen.moment.clone(), fault)], &[]).in_folder());
                }
            }
        }
    }
    tally.report("the real store keeps what was durable");
}

/// Which pairs of faults are tried: a prime, so that every kind of fault meets every kind of call sooner or later.
fn stride() -> usize {
    if env::var("TUNE_SWEEP").is_ok_and(|sweep| sweep == "all") { 1 } else { 23 }
}

/// For every batch, its last item fails: cleanly, half done, after its effect; and the answer is lost.
fn failures(scenario: &'static Scenario) -> Vec<(Moment, Fault)> {
    let last = |seen: &Seen, how| (seen.moment.clone(), Fault::Item { index: seen.items - 1, how });
    let of_batch = |seen: Seen| {
        [
            last(&seen, ItemFault::Refused),
            last(&seen, ItemFault::Half),
            last(&seen, ItemFault::FailsAfterEffect),
            (seen.moment.clone(), Fault::Lost { after: seen.items + 1, then: Fate::Dies }),
        ]
    };
    batches(scenario).into_iter().flat_map(of_batch).collect()
}

/// For every batch: killed in its middle, with the script dead, at work, and not begun.
fn kills(scenario: &'static Scenario) -> Vec<(Moment, Fault)> {
    let of_batch = |seen: Seen| {
        let middle = 2 + seen.items / 2;
        [
            Fault::Killed { after: middle, then: Fate::Dies },
            Fault::Killed { after: middle, then: Fate::GoesOn { calls: 2 } },
            Fault::Killed { after: 0, then: Fate::StartsLate { calls: 4 } },
        ]
        .map(|fault| (seen.moment.clone(), fault))
    };
    batches(scenario).into_iter().flat_map(of_batch).collect()
}

fn batches(scenario: &'static Scenario) -> Vec<Seen> {
    let trace = Case::new(scenario, &[], &[]).trace();
    trace.into_iter().filter(|seen| matches!(seen.moment.call, Call::Apply(_)) && seen.items > 0).collect()
}
