//! What fails, and what follows from it.

use std::time::Duration;

use tokio::time::Instant;
use tune_core::activation::Verb;
use tune_core::item::Raw;
use tune_core::plan::Operation;
use tune_core::resource::Consent;
use tune_core::rollout::{OnFailure, Verdict};
use tune_core::state::RunResult;
use tune_engine::report::Left;
use tune_engine::watch::{Phase, RunEvent};
use tune_engine::{EngineError, MemberOutcome, Report, ResourceOutcome};

use crate::bench::Bench;
use crate::cluster::{Boot, Votes, host, text};

fn is(values: [&str; 3]) -> Vec<String> {
    values.map(str::to_owned).to_vec()
}

fn reason(report: &Report, name: &str) -> String {
    let member = report.members.iter().find(|member| member.host == host(name)).unwrap();
    match &member.outcome {
        MemberOutcome::PutBack { trouble, .. }
        | MemberOutcome::Failed { trouble, .. }
        | MemberOutcome::Down { trouble } => trouble.reason.clone(),
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_bad_for_the_cluster_is_put_back() {
    let bench = Bench::voting(&["a", "b", "c"]).wants("c", "bad");
    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Partial, "{report:?}");
    assert_eq!(Bench::outcomes(&report), ["b done", "c put back", "a untouched"]);
    assert_eq!(
        (bench.cluster.running(), bench.cluster.configured()),
        (is(["old", "new", "old"]), is(["old", "new", "old"]))
    );
    assert_eq!(bench.cluster.orders(), ["b", "c", "c"]);
    let MemberOutcome::PutBack { trouble, .. } = &report.members[1].outcome else { unreachable!("it is put back") };
    assert_eq!(trouble.reason, "it did not pass its gates in time");
    assert_eq!(trouble.gates[0].verdict, Verdict::Fail { messages: vec!["healthy = 2, needed 3".to_owned()] });
    assert!((500..=600).contains(&trouble.gates[0].seconds), "{trouble:?}");
    assert_eq!(bench.cluster.most_down(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_never_comes_back_is_down_and_nobody_else_is_touched() {
    let bench = Bench::voting(&["a", "b", "c"]);
    bench.cluster.node("b", |node| node.boot = Boot::Never);
    let began = Instant::now();
    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Stuck, "{report:?}");
    assert!(!report.open, "what is known is recorded");
    assert_eq!(Bench::outcomes(&report), ["b down", "c untouched", "a untouched"]);
    assert_eq!(report.away[&host("b")], "an answer (`b` does not answer)");
    assert!(reason(&report, "b").starts_with("`host.b` was not back from its reboot in time"), "{report:?}");
    assert_eq!(
        (bench.cluster.configured(), bench.disk.0.lock().unwrap().state.items.len()),
        (is(["old", "new", "old"]), 1)
    );
    let seconds = began.elapsed().as_secs();
    assert!((600..630).contains(&seconds), "its time, and one more moment: {seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_swallows_what_is_sent_to_it_is_reported_soon_after_its_time() {
    let bench = Bench::voting(&["a", "b", "c"]);
    bench.cluster.node("b", |node| (node.boot, node.swallows) = (Boot::Never, true));
    let began = Instant::now();
    let report = bench.apply().await.unwrap();
    assert_eq!(Bench::outcomes(&report), ["b down", "c untouched", "a untouched"], "{report:?}");
    let seconds = began.elapsed().as_secs();
    assert!((600..660).contains(&seconds), "no look at it takes long: {seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_comes_back_too_late_is_put_back() {
    let bench = Bench::voting(&["a", "b", "c"]);
    bench.cluster.node("b", |node| node.boot = Boot::LateOnce(Duration::from_secs(610)));
    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Undone, "{report:?}");
    assert_eq!(Bench::outcomes(&report), ["b put back", "c untouched", "a untouched"]);
    // It came back with the new value, so what was there before takes another boot.
    assert_eq!(bench.cluster.orders(), ["b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_boot_that_loses_the_new_value_is_noticed_and_nothing_is_booted_for_the_undo() {
    let bench = Bench::voting(&["a", "b", "c"]);
    bench.cluster.node("b", |node| node.boot = Boot::Forgets(Duration::from_secs(40)));
    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Undone, "{report:?}");
    assert_eq!(Bench::outcomes(&report), ["b put back", "c untouched", "a untouched"]);
    assert_eq!(
        reason(&report, "b"),
        "the new values are still not in effect: `host.b` still needs a rebuild of the boot image"
    );
    assert_eq!((bench.cluster.running(), bench.cluster.configured()), (is(["old"; 3]), is(["old"; 3])));
    assert_eq!(bench.cluster.orders(), ["b"], "what is in effect is what it was");
}

#[tokio::test(start_paused = true)]
async fn a_boot_image_that_fails_interrupts_nobody() {
    let bench = Bench::voting(&["a", "b", "c"]);
    bench.cluster.lock().image_fails = true;
    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Undone, "{report:?}");
    assert_eq!(Bench::outcomes(&report), ["b put back", "c untouched", "a untouched"]);
    assert_eq!(reason(&report, "b"), "the rebuild of the boot image failed: no space left");
    assert_eq!((bench.cluster.configured(), bench.cluster.orders().len()), (is(["old"; 3]), 0));
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_fails_fails_its_member_before_anything_is_interrupted() {
    let bench = Bench::voting(&["a", "b", "c"]);
    bench.cluster.node("c", |node| node.refuses = true);
    let report = bench.apply().await.unwrap();
    assert_eq!(Bench::outcomes(&report), ["b done", "c put back", "a untouched"]);
    assert_eq!(reason(&report, "c"), "`param.c` failed: the disk says no");
    assert_eq!((report.result, bench.cluster.orders()), (RunResult::Partial, vec!["b".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_is_red_before_the_start_stops_before_anything_is_changed() {
    let bench = Bench::voting(&["a", "b", "c"]);
    bench.cluster.node("c", |node| node.is_sick = true);
    let Err(EngineError::Gates { gates }) = bench.apply().await else { unreachable!("the gate is red") };
    assert_eq!(gates[0].verdict, Verdict::Fail { messages: vec!["healthy = 2, needed 3".to_owned()] });
    assert!(bench.open().seen_nothing());
    assert_eq!((bench.cluster.configured(), bench.cluster.orders().len()), (is(["old"; 3]), 0));
}

#[tokio::test(start_paused = true)]
async fn members_wait_for_a_cluster_that_lost_somebody_else() {
    let lost_after_the_first = |heals: bool| async move {
        let bench = Bench::voting(&["a", "b", "c"]);
        let other = bench.cluster.clone();
        let (report, ()) = tokio::join!(bench.apply(), async {
            // The first member settles at about 57 seconds; somebody else fails before the second is begun.
            while !bench.events.all().iter().any(|event| matches!(event, tune_engine::RunEvent::MemberDone { .. })) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            other.node("a", |node| node.is_sick = true);
            tokio::time::sleep(Duration::from_mins(5)).await;
            other.node("a", |node| node.is_sick = !heals);
        });
        (bench, report.unwrap())
    };
    let (bench, report) = lost_after_the_first(true).await;
    assert_eq!((report.result, bench.cluster.most_down()), (RunResult::Done, 1), "{report:?}");

    let (bench, report) = lost_after_the_first(false).await;
    assert_eq!((report.result, bench.cluster.most_down()), (RunResult::Partial, 1));
    assert_eq!(Bench::outcomes(&report), ["b done", "c untouched", "a untouched"]);
    let halted = report.halted.unwrap();
    assert_eq!((halted.hosts, halted.trouble.gates.len()), (vec![host("c")], 1));
}

#[tokio::test(start_paused = true)]
async fn two_voters_can_spare_none_unless_an_outage_is_accepted() {
    let mut bench = Bench::voting(&["a", "b"]);
    let Err(EngineError::Mistakes(_)) = bench.apply().await else { unreachable!("two voters can spare none") };
    bench.rules().accept.insert(Consent::Outage);
    let report = bench.apply().await.unwrap();
    assert_eq!((report.result, bench.cluster.most_down()), (RunResult::Done, 1), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn one_of_a_batch_that_fails_leaves_no_other_half_done() {
    let mut bench = Bench::plain(&["a", "b", "c", "d", "e", "f"], 3);
    bench.rules().canary = None;
    bench.cluster.node("b", |node| node.boot = Boot::Forgets(Duration::from_secs(10)));
    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Partial, "{report:?}");
    assert_eq!(
        Bench::outcomes(&report),
        ["a done", "b put back", "c done", "d untouched", "e untouched", "f untouched"]
    );
    assert_eq!(bench.cluster.running(), ["new", "old", "new", "old", "old", "old"]);
    assert_eq!(bench.cluster.configured(), bench.cluster.running());
}

#[tokio::test(start_paused = true)]
async fn halt_leaves_everything_as_it_is() {
    let mut bench = Bench::voting(&["a", "b", "c"]).wants("c", "bad");
    bench.rules().on_failure = OnFailure::Halt;
    let report = bench.apply().await.unwrap();
    assert_eq!(
        (report.result, bench.cluster.configured()),
        (RunResult::Partial, is(["old", "new", "bad"])),
        "{report:?}"
    );
    let MemberOutcome::Failed { left, .. } = &report.members[1].outcome else { unreachable!("{report:?}") };
    assert_eq!(*left, Left::AsItIs);
    assert_eq!(bench.disk.0.lock().unwrap().state.items.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn revert_run_puts_everybody_back_one_at_a_time() {
    let mut bench = Bench::voting(&["a", "b", "c", "d"]).wants("d", "bad");
    bench.rules().on_failure = OnFailure::RevertRun;
    bench.rules().last_depends_on.clear();
    let report = bench.apply().await.unwrap();
    assert_eq!(report.result, RunResult::Undone, "{report:?}");
    assert_eq!(Bench::outcomes(&report), ["a put back", "b put back", "c put back", "d put back"]);
    assert_eq!(
        (bench.cluster.running(), bench.cluster.configured()),
        (vec!["old".to_owned(); 4], vec!["old".to_owned(); 4])
    );
    assert_eq!(bench.cluster.orders(), ["a", "b", "c", "d", "d", "c", "b", "a"]);
    assert_eq!((bench.cluster.most_down(), bench.disk.0.lock().unwrap().state.items.len()), (1, 0));
    assert!(report.resources.values().all(|outcome| matches!(outcome, ResourceOutcome::PutBack { undone: 1, .. })));
}

/// Somebody falls sick while the first member waits for its gates, which stay red for another reason: the member itself
/// is well. After so many minutes the cluster is `then` something else.
async fn a_red_gate_and_another_sick(then: fn(&Bench)) -> (Bench, Report) {
    let bench = Bench::voting(&["a", "b", "c"]);
    let later = bench.clone();
    let (report, ()) = tokio::join!(bench.apply(), async {
        while !bench.events.all().iter().any(|event| matches!(event, RunEvent::Member { phase: Phase::Back { activation, .. }, .. } if activation.verb == Verb::Reboot)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        later.cluster.node("c", |node| node.is_sick = true);
        later.cluster.lock().red = vec![(Duration::ZERO, Duration::from_hours(10))];
        tokio::time::sleep(Duration::from_mins(15)).await;
        then(&later);
    });
    (bench, report.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_failed_member_that_works_is_put_back_only_while_its_group_can_spare_it() {
    let (bench, report) = a_red_gate_and_another_sick(|_| {}).await;
    assert_eq!(Bench::outcomes(&report), ["b failed", "c untouched", "a untouched"]);
    assert_eq!((bench.cluster.orders(), bench.cluster.most_down()), (vec!["b".to_owned()], 1), "{report:?}");
    let MemberOutcome::Failed { left: Left::NotUndone(why), .. } = &report.members[0].outcome else {
        unreachable!("{report:?}")
    };
    assert_eq!(
        why,
        "`rollout.r` has 2 of 3 voters and cannot spare `host.b`; it is set as before, and a reboot puts that in effect"
    );

    // The reboot that it owes is not forgotten.
    bench.cluster.node("c", |node| node.is_sick = false);
    bench.cluster.lock().red.clear();
    let plan = bench.plan(&Operation::Destroy).await.unwrap();
    let report = bench.execute(&plan, &tune_engine::Stop::default()).await.unwrap();
    assert_eq!((report.result, bench.cluster.running()), (RunResult::Done, is(["old"; 3])), "{report:?}");
    assert_eq!((bench.cluster.orders(), bench.cluster.most_down()), (["b", "b"].map(str::to_owned).to_vec(), 1));

    let heals = |bench: &Bench| bench.cluster.node("c", |node| node.is_sick = false);
    let (bench, report) = a_red_gate_and_another_sick(heals).await;
    assert_eq!(Bench::outcomes(&report), ["b put back, not green", "c untouched", "a untouched"]);
    assert_eq!(
        (bench.cluster.orders(), bench.cluster.most_down()),
        (["b", "b"].map(str::to_owned).to_vec(), 1),
        "{report:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_member_is_not_rebooted_back_while_nobody_tells_who_is_healthy() {
    let mute = |bench: &Bench| {
        bench.cluster.node("c", |node| node.is_sick = false);
        bench.cluster.lock().votes = Votes::Untold;
    };
    let (bench, report) = a_red_gate_and_another_sick(mute).await;
    assert_eq!(Bench::outcomes(&report), ["b failed", "c untouched", "a untouched"]);
    assert_eq!(bench.cluster.orders(), ["b"]);
    let MemberOutcome::Failed { left: Left::NotUndone(why), .. } = &report.members[0].outcome else {
        unreachable!("{report:?}")
    };
    assert!(why.starts_with("`check.etcd` cannot tell who of `rollout.r` is healthy: nobody leads;"), "{why}");
}

/// The first member gets a value with which it does not keep up, and meanwhile somebody else falls sick.
async fn a_bad_value_and_another_sick(then: fn(&Bench)) -> (Bench, Report) {
    let bench = Bench::voting(&["a", "b", "c"]).wants("b", "bad");
    let other = bench.clone();
    let (report, ()) = tokio::join!(bench.apply(), async {
        while other.cluster.orders().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        other.cluster.node("c", |node| node.is_sick = true);
        then(&other);
    });
    (bench, report.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_member_that_lags_and_whose_vote_is_needed_is_not_taken_down() {
    // One healthy voter of three follows a leader, so somebody votes who is not healthy.
    let (bench, report) = a_bad_value_and_another_sick(|bench| bench.cluster.lock().votes = Votes::Laggards).await;
    assert_eq!(Bench::outcomes(&report), ["b failed", "c untouched", "a untouched"], "{report:?}");
    assert_eq!((bench.cluster.orders(), bench.cluster.configured()), (vec!["b".to_owned()], is(["old"; 3])));
}

#[tokio::test(start_paused = true)]
async fn an_election_is_no_reason_to_take_anybody_down() {
    let (bench, report) = a_red_gate_and_another_sick(|bench| {
        // Nobody leads for a moment: those that are left elect.
        bench.cluster.node("a", |node| node.well_at = Some(Instant::now() + Duration::from_secs(5)));
    })
    .await;
    assert_eq!(Bench::outcomes(&report), ["b failed", "c untouched", "a untouched"], "{report:?}");
    assert_eq!(bench.cluster.orders(), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_no_use_to_its_group_is_put_back_although_another_is_away() {
    let (bench, report) = a_bad_value_and_another_sick(|_| {}).await;
    assert_eq!(Bench::outcomes(&report), ["b put back, not green", "c untouched", "a untouched"], "{report:?}");
    assert_eq!(bench.cluster.orders(), ["b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_changed_since_the_plan_stops_the_run() {
    let bench = Bench::voting(&["a", "b", "c"]);
    let plan = bench.plan(&Operation::Apply).await.unwrap();
    bench.cluster.node("c", |node| node.file.insert("x".into(), text("theirs")));
    let report = bench.execute(&plan, &tune_engine::Stop::default()).await.unwrap();
    assert_eq!(report.result, RunResult::Partial, "{report:?}");
    assert_eq!(Bench::outcomes(&report), ["b done", "c untouched", "a untouched"]);
    let reason = report.halted.unwrap().trouble.reason;
    assert!(reason.ends_with("`x` on `host.c` is theirs and not old"), "{reason}");
    assert_eq!(bench.cluster.node("c", |node| node.file[&"x".into()].clone()), text("theirs"));
}

#[tokio::test(start_paused = true)]
async fn a_destroy_rolls_back_through_the_same_gates() {
    let bench = Bench::voting(&["a", "b", "c"]);
    bench.apply().await.unwrap();
    let plan = bench.plan(&Operation::Destroy).await.unwrap();
    let report = bench.execute(&plan, &tune_engine::Stop::default()).await.unwrap();
    assert_eq!(report.result, RunResult::Done, "{report:?}");
    assert_eq!((bench.cluster.running(), bench.cluster.configured()), (is(["old"; 3]), is(["old"; 3])));
    assert_eq!((bench.cluster.orders().len(), bench.cluster.most_down()), (6, 1));
    assert!(bench.cluster.node("a", |node| node.ledgers.is_empty() && node.file[&"x".into()] != Raw::Absent));
}
