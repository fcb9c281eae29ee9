//! What happens when nothing fails: order, gates, canaries, soak.

use std::time::Duration;

use tokio::time::Instant;
use tune_core::activation::Verb;
use tune_core::plan::Operation;
use tune_core::state::RunResult;
use tune_engine::watch::{Phase, RunEvent};
use tune_engine::{MemberOutcome, Stop};

use crate::bench::{Bench, rollout};
use crate::cluster::{Boot, host};

#[tokio::test(start_paused = true)]
async fn row_0_9_members_go_one_after_another_and_the_leader_goes_last() {
    let bench = Bench::voting(&["a", "b", "c"]);
    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Done, "{report:?}");
    assert_eq!(Bench::outcomes(&report), ["b done", "c done", "a done"]);
    assert_eq!(bench.cluster.running(), ["new", "new", "new"]);
    let (orders, most_down) = (bench.cluster.orders(), bench.cluster.most_down());
    assert_eq!((orders, most_down), (["b", "c", "a"].map(str::to_owned).to_vec(), 1));
    let MemberOutcome::Done { activations } = &report.members[0].outcome else { unreachable!("it is done") };
    let took: Vec<(Verb, bool)> = activations.iter().map(|it| (it.activation.verb, it.seconds >= 40)).collect();
    assert_eq!(took, [(Verb::BootImage, false), (Verb::Reboot, true)]);
    assert!(!bench.plan(&Operation::Apply).await.unwrap().has_work(), "a plan right after an apply is empty");
    let run = bench.disk.0.lock().unwrap().runs[0].clone();
    assert_eq!(run.activations.iter().filter(|it| it.seconds.is_some()).count(), 6);
}

#[tokio::test(start_paused = true)]
async fn what_is_waited_for_is_said() {
    let bench = Bench::voting(&["a", "b", "c"]);
    bench.apply().await.unwrap();
    let of_b = bench.events.all().into_iter().filter_map(|event| match event {
        RunEvent::Member { member, phase } if member == host("b") => Some(phase),
        _ => None,
    });
    let words: Vec<String> = of_b
        .map(|phase| match phase {
            Phase::Journal => "journal".to_owned(),
            Phase::Ordered { activation } => format!("{activation}"),
            Phase::Waiting { on, .. } => format!("waits for {on}"),
            Phase::Back { activation, mark, .. } => format!("{activation} done, {mark}"),
            Phase::Verifying => "verify".to_owned(),
            Phase::Verified => "verified".to_owned(),
            Phase::Gate { failing } => format!("{} gates red", failing.len()),
            Phase::Settled => "settled".to_owned(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        words,
        [
            "journal",
            "rebuild of the boot image",
            "rebuild of the boot image done, boot 1",
            "reboot",
            "waits for an answer (`b` does not answer)",
            "waits for units to start",
            "reboot done, boot 2",
            "verify",
            "verified",
            "1 gates red",
            "0 gates red",
            "settled"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_boot_may_be_late_and_an_order_may_be_lost() {
    let bench = Bench::voting(&["a", "b", "c"]);
    bench.cluster.node("b", |node| node.boot = Boot::Takes(Duration::from_secs(500)));
    bench.cluster.node("c", |node| node.boot = Boot::OrderLost);
    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Done, "{report:?}");
    assert_eq!(bench.cluster.orders(), ["b", "c", "c", "a"]);
    assert_eq!((bench.cluster.running(), bench.cluster.most_down()), (vec!["new".to_owned(); 3], 1));
}

#[tokio::test(start_paused = true)]
async fn one_that_lies_where_its_order_left_it_is_ordered_again() {
    let bench = Bench::voting(&["a", "b", "c"]);
    bench.cluster.node("b", |node| node.boot = Boot::Stranded(Duration::from_secs(40)));
    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Done, "{report:?}");
    assert_eq!(bench.cluster.orders(), ["b", "b", "c", "a"]);
    assert_eq!((bench.cluster.running(), bench.cluster.most_down()), (vec!["new".to_owned(); 3], 1));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_moves_is_still_last() {
    let bench = Bench::voting(&["a", "b", "c", "d", "e"]);
    // Planned is b c d e a; c leads once b is taken.
    bench.cluster.lock().next_leader = Some((1, "c".to_owned()));
    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Done, "{report:?}");
    assert_eq!(bench.cluster.orders(), ["b", "d", "e", "a", "c"]);
    let moved = bench.events.all().into_iter().filter(|event| matches!(event, RunEvent::Moved { .. }));
    let order = ["d", "e", "a", "c"].map(host).to_vec();
    assert_eq!(moved.collect::<Vec<_>>(), [RunEvent::Moved { rollout: rollout(), order }]);
}

#[tokio::test(start_paused = true)]
async fn row_0_12_a_gate_must_hold_without_a_break() {
    let bench = Bench::voting(&["a", "b", "c"]);
    let began = Instant::now();
    bench.apply().await.unwrap();
    let undisturbed = began.elapsed();

    let bench = Bench::voting(&["a", "b", "c"]);
    // The first member is back and keeps up after some 45 seconds, and 10 more must be quiet.
    bench.cluster.lock().red =
        [(49, 52), (57, 60)].map(|(from, to)| (Duration::from_secs(from), Duration::from_secs(to))).to_vec();
    let began = Instant::now();
    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Done);
    let longer = began.elapsed().saturating_sub(undisturbed);
    assert!(longer > Duration::from_secs(8) && longer < Duration::from_secs(20), "{longer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_goes_side_by_side_after_a_canary() {
    let mut bench = Bench::plain(&["a", "b", "c", "d", "e"], 2);
    bench.rules().canary = Some(1);
    for name in ["a", "b", "c", "d", "e"] {
        bench.cluster.node(name, |node| node.lag = Duration::ZERO);
    }
    let began = Instant::now();
    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Done, "{report:?}");
    assert_eq!((bench.cluster.orders().len(), bench.cluster.most_down()), (5, 2));
    let seconds = began.elapsed().as_secs();
    assert!((3 * 40..4 * 40).contains(&seconds), "three turns: {seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_soak_is_sat_through_or_the_run_pauses() {
    let mut bench = Bench::voting(&["a", "b", "c"]);
    bench.rules().soak = Duration::from_hours(1);
    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Paused, "{report:?}");
    assert_eq!(Bench::outcomes(&report), ["b done", "c untouched", "a untouched"]);
    let until = report.resting[&rollout()].clone();
    assert!(until.starts_with("2026-11-20T18:0"), "{until}");
    assert_eq!(bench.disk.0.lock().unwrap().state.soaks[&rollout()], until);

    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Paused, "it is not due: {report:?}");
    assert_eq!(
        (bench.cluster.running(), &report.resting[&rollout()]),
        (["old", "new", "old"].map(str::to_owned).to_vec(), &until)
    );

    bench.wait = Duration::from_hours(2);
    let began = Instant::now();
    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Done, "{report:?}");
    assert!(began.elapsed() > Duration::from_mins(110), "two rests: {:?}", began.elapsed());
    assert_eq!(
        (bench.cluster.running(), bench.disk.0.lock().unwrap().state.soaks.len()),
        (vec!["new".to_owned(); 3], 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_soak_that_is_due_is_over() {
    let mut bench = Bench::voting(&["a", "b", "c"]);
    bench.rules().soak = Duration::from_mins(10);
    bench.apply().await.unwrap();
    tokio::time::sleep(Duration::from_mins(11)).await;
    let report = bench.apply().await.unwrap();
    assert_eq!(Bench::outcomes(&report), ["c done", "a untouched"], "{report:?}");
    let stop = Stop::default();
    bench.wait = Duration::from_mins(30);
    let (report, ()) = tokio::join!(bench.apply_with(&stop), async {
        tokio::time::sleep(Duration::from_mins(2)).await;
        stop.ask();
    });
    let report = report.unwrap();
    assert_eq!((report.result, bench.cluster.orders().len()), (RunResult::Paused, 2), "a rest may be interrupted");
}
