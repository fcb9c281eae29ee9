//! Ctrl-C while members are taken.

use std::time::Duration;

use tune_core::state::RunResult;
use tune_engine::watch::{Phase, RunEvent};
use tune_engine::{MemberOutcome, Stop};

use crate::bench::Bench;
use crate::cluster::host;

/// Asks to stop so many times as soon as somebody waits for the first member's boot.
async fn stopped(bench: &Bench, times: usize, at: fn(&RunEvent) -> bool) -> tune_engine::Report {
    let stop = Stop::default();
    let (report, ()) = tokio::join!(bench.apply_with(&stop), async {
        while !bench.events.all().iter().any(at) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for _ in 0..times {
            stop.ask();
        }
    });
    report.unwrap()
}

fn waits(event: &RunEvent) -> bool {
    matches!(event, RunEvent::Member { phase: Phase::Waiting { .. }, .. })
}

#[tokio::test(start_paused = true)]
async fn the_first_time_the_member_that_is_down_is_finished() {
    let bench = Bench::voting(&["a", "b", "c"]);
    let report = stopped(&bench, 1, waits).await;
    assert_eq!(report.result, RunResult::Partial, "{report:?}");
    assert_eq!(Bench::outcomes(&report), ["b done", "c untouched", "a untouched"]);
    assert!(bench.events.all().iter().any(|event| matches!(event, RunEvent::Member { phase: Phase::Settled, .. })));
}

#[tokio::test(start_paused = true)]
async fn the_second_time_what_is_down_is_named_and_looked_for_later() {
    let bench = Bench::voting(&["a", "b", "c"]);
    let report = stopped(&bench, 2, waits).await;
    assert!(report.open && report.result == RunResult::Stuck, "{report:?}");
    assert_eq!(Bench::outcomes(&report), ["b down", "c untouched", "a untouched"]);
    assert_eq!(report.away.keys().collect::<Vec<_>>(), [&host("b")]);

    let settled = bench.settle().await.unwrap();
    assert!(!settled.report.open && settled.report.away.is_empty(), "{settled:?}");
    assert_eq!(bench.cluster.running(), ["old", "new", "old"]);
    bench.until_well().await;
    let report = bench.apply().await.unwrap();
    assert_eq!((report.result, bench.cluster.most_down()), (RunResult::Done, 1), "{report:?}");
    assert_eq!(bench.cluster.orders(), ["b", "c", "a"]);
}

#[tokio::test(start_paused = true)]
async fn at_a_gate_the_second_time_leaves_the_member_as_it_is() {
    let bench = Bench::voting(&["a", "b", "c"]);
    let at = |event: &RunEvent| matches!(event, RunEvent::Member { phase: Phase::Gate { .. }, .. });
    let report = stopped(&bench, 2, at).await;
    assert_eq!((report.result, report.open), (RunResult::Partial, false), "{report:?}");
    assert!(matches!(report.members[0].outcome, MemberOutcome::Failed { .. }));
    bench.until_well().await;
    assert_eq!(bench.apply().await.unwrap().result, RunResult::Done);
}
