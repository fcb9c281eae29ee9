//! The process dies at every moment of a run: before and after each call to a machine and each write of the journal.
//! The next one settles what was left, and an apply then comes to the same end, without ever taking two members down.

use std::time::Duration;

use tune_core::plan::Operation;
use tune_core::state::RunResult;
use tune_engine::{EngineError, Report, Stop};

use crate::bench::Bench;
use crate::cluster::{Boot, Death};

/// Runs until the end or the death of the process.
async fn live(bench: &Bench) -> Option<Result<Report, EngineError>> {
    let done = tokio::select! {
        biased;
        () = bench.cluster.death() => None,
        report = bench.apply() => Some(report),
    };
    done.filter(|_| !bench.cluster.lock().is_dead)
}

/// The next process, some time later.
async fn next(bench: &Bench, later: Duration) -> Report {
    bench.cluster.lives();
    tokio::time::sleep(later).await;
    if let Some(settled) = bench.settle().await {
        assert!(!settled.report.open, "{settled:?}");
    }
    assert!(bench.open().is_settled());
    // What the crash left pending is waited for by the gates.
    loop {
        match bench.apply().await {
            Err(EngineError::Gates { .. }) => tokio::time::sleep(Duration::from_secs(5)).await,
            ended => return ended.unwrap(),
        }
    }
}

async fn moments_of(bench: &Bench) -> usize {
    live(bench).await.unwrap().unwrap();
    bench.cluster.lock().moments
}

#[tokio::test(start_paused = true)]
async fn wherever_the_process_dies_the_next_one_comes_to_the_same_end() {
    let moments = moments_of(&Bench::voting(&["a", "b", "c"])).await;
    assert!(moments > 100, "{moments}");
    for moment in 1..=moments {
        for death in [Death::Before(moment), Death::After(moment)] {
            let bench = Bench::voting(&["a", "b", "c"]);
            bench.cluster.lock().death = Some(death);
            assert!(live(&bench).await.is_none(), "{death:?}");
            let later = if moment % 2 == 0 { Duration::ZERO } else { Duration::from_mins(5) };
            let report = next(&bench, later).await;
            assert_eq!(report.result, RunResult::Done, "{death:?}: {report:?}");
            assert_eq!(bench.cluster.running(), ["new", "new", "new"], "{death:?}");
            assert_eq!(bench.cluster.most_down(), 1, "{death:?}");
            assert!(!bench.plan(&Operation::Apply).await.unwrap().has_work(), "{death:?}");
        }
    }
}

/// What the dead process ordered has no second half: the next one orders it, behind a fence and in the journal.
#[tokio::test(start_paused = true)]
async fn wherever_the_process_dies_nobody_stays_stranded() {
    let stranded = || {
        let bench = Bench::voting(&["a", "b", "c"]);
        bench.cluster.node("b", |node| node.boot = Boot::Stranded(Duration::from_secs(40)));
        bench
    };
    let moments = moments_of(&stranded()).await;
    for moment in 1..=moments {
        let bench = stranded();
        bench.cluster.lock().death = Some(Death::After(moment));
        assert!(live(&bench).await.is_none(), "{moment}");
        let report = next(&bench, Duration::from_mins(5)).await;
        assert_eq!(report.result, RunResult::Done, "{moment}: {report:?}");
        assert_eq!(bench.cluster.running(), ["new", "new", "new"], "{moment}");
        assert_eq!(bench.cluster.most_down(), 1, "{moment}");
    }
}

#[tokio::test(start_paused = true)]
async fn wherever_the_process_dies_while_it_puts_back_everything_can_be_put_back() {
    let bad = || Bench::voting(&["a", "b", "c"]).wants("b", "bad");
    let moments = moments_of(&bad()).await;
    for moment in 1..=moments {
        for death in [Death::Before(moment), Death::After(moment)] {
            let bench = bad();
            bench.cluster.lock().death = Some(death);
            assert!(live(&bench).await.is_none(), "{death:?}");
            bench.cluster.lives();
            if let Some(settled) = bench.settle().await {
                assert!(!settled.report.open, "{death:?}: {settled:?}");
            }
            // The plan knows what is not in effect: with the good value everything comes to a good end.
            let bench = bench.wants("b", "new");
            skip_gates_until_well(&bench, death).await;
            assert_eq!(bench.cluster.running(), ["new", "new", "new"], "{death:?}");
            bench.until_well().await;
            let plan = bench.plan(&Operation::Destroy).await.unwrap();
            let report = bench.execute(&plan, &Stop::default()).await.unwrap();
            assert_eq!(report.result, RunResult::Done, "{death:?}: {report:?}");
            assert_eq!(
                (bench.cluster.running(), bench.cluster.configured()),
                (vec!["old".to_owned(); 3], vec!["old".to_owned(); 3])
            );
            assert_eq!(bench.cluster.most_down(), 1, "{death:?}");
        }
    }
}

/// Of two orders on their way one may arrive and the other not: what is back in the files is in use in the end, on both.
#[tokio::test(start_paused = true)]
async fn wherever_the_process_dies_while_two_are_put_back_together_neither_is_forgotten() {
    for moment in 1..500 {
        let bench = Bench::plain(&["a", "b"], 2);
        bench.apply().await.unwrap();
        let plan = bench.plan(&Operation::Destroy).await.unwrap();
        let moments = bench.cluster.lock().moments;
        bench.cluster.lock().death = Some(Death::Before(moments + moment));
        let stop = Stop::default();
        let is_dead = tokio::select! {
            biased;
            () = bench.cluster.death() => true,
            ended = bench.execute(&plan, &stop) => ended.is_err(),
        };
        bench.cluster.lives();
        let _ = bench.settle().await;
        tokio::time::sleep(Duration::from_mins(5)).await;
        let plan = bench.plan(&Operation::Destroy).await.unwrap();
        let report = bench.execute(&plan, &Stop::default()).await.unwrap();
        assert_eq!(report.result, RunResult::Done, "before {moment}: {report:?}");
        assert_eq!(bench.cluster.running(), ["old", "old"], "before {moment}");
        if !is_dead {
            assert!(moment > 20, "there were only {moment} moments");
            return;
        }
    }
}

/// A member with the bad value in effect keeps the gate red, so a person leaves the gate out until it is cured.
async fn skip_gates_until_well(bench: &Bench, death: Death) {
    for _ in 0..200 {
        match bench.apply().await {
            Ok(report) => return assert_eq!(report.result, RunResult::Done, "{death:?}: {report:?}"),
            Err(EngineError::Gates { .. }) if bench.cluster.running().contains(&"bad".to_owned()) => {
                let mut without = bench.clone();
                without.rules().gates.clear();
                without.resources.retain(|address, _| address.name == "b");
                let report = without.apply().await.unwrap();
                assert_eq!(report.result, RunResult::Done, "{death:?}: {report:?}");
            }
            Err(EngineError::Gates { .. }) => tokio::time::sleep(Duration::from_secs(5)).await,
            Err(error) => unreachable!("{death:?}: {error:?}"),
        }
    }
    unreachable!("{death:?}: the cluster never got well");
}
