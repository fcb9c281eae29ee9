//! Everything at once: writes and power cycles on a cluster on which anything may break at any moment. Whatever happens, a
//! machine is as it was, as it is wanted, or named.

use std::time::Duration;

use tune_core::contract::Outcome;
use tune_core::item::Raw;
use tune_pve_sim::{Fault, FaultKind, TaskFault};
use tune_testkit::random::Random;

use super::lab::{Lab, VMID, cluster};

const CHANGES: [(&str, &str, &str); 4] =
    [("scsi0/cache", "", "writeback"), ("scsi0/iothread", "", "1"), ("cores", "2", "4"), ("onboot", "", "1")];

/// How likely each sort of fault hits a request.
const CHANCE: f64 = 0.04;
/// How many clusters are tried.
const SEEDS: u64 = 32;

async fn restless(seed: u64) -> Lab {
    let status = |code: u16, reason: &str| FaultKind::Status { code, reason: reason.to_owned() };
    let kinds = [
        FaultKind::LostBefore,
        FaultKind::LostAfter,
        FaultKind::Proxy596 { later: Duration::from_secs(2) },
        status(595, "No route to host"),
        status(599, "Too many redirections"),
        FaultKind::Html,
        FaultKind::Delay(Duration::from_secs(1)),
    ];
    let lab = Lab::start(
        kinds.into_iter().fold(cluster().seed(seed), |cluster, kind| cluster.fault(Fault::new(kind).chance(CHANCE))),
    )
    .await;
    let mut random = Random::new(seed);
    let (no_start, seconds) = (random.below(3) == 0, [1.0, 5.0, 90.0][random.below(3)]);
    lab.control.set_flags(VMID, |flags| {
        flags.no_restart_leg = no_start;
        flags.guest_shutdown_seconds = seconds;
    });
    if random.below(3) == 0 {
        lab.control.add_task_fault(TaskFault::new("qmstart", "start failed: QEMU exited with code 1").times(1));
    }
    if random.below(4) == 0 {
        lab.control.hold_lock(VMID, Duration::from_secs(15));
    }
    lab
}

/// Applies, and looks behind the fence where the outcome is not known, as the engine does.
async fn settled(lab: &Lab, changes: &[(&str, &str, &str)], seed: u64) -> bool {
    let outcomes = lab.apply(changes).await;
    assert!(!outcomes.iter().any(|outcome| matches!(outcome, Outcome::Broken { .. })), "seed {seed}: {outcomes:?}");
    let keys: Vec<String> = changes.iter().map(|(key, _, _)| format!("{VMID}/{key}")).collect();
    for _ in 0..50 {
        let Ok(reading) = lab.read_behind_fence(&keys, Duration::from_mins(1)).await else { continue };
        let items = &reading.readings[0].items;
        if items.values().any(Result::is_err) {
            continue;
        }
        let canonical = |key: &str, raw: &Raw| lab.kind.canonical(&key.into(), raw);
        let mut after = 0;
        for ((key, _, to), name) in changes.iter().zip(&keys) {
            let live = items[&name.as_str().into()].as_ref().unwrap().raw.clone();
            let want = if to.is_empty() { Raw::Absent } else { Raw::Text((*to).to_owned()) };
            let is_after = canonical(name, &live) == canonical(name, &want);
            after += usize::from(is_after);
            let outcome = &outcomes[changes.iter().position(|(other, _, _)| other == key).unwrap()];
            match outcome {
                Outcome::Done => assert!(is_after, "seed {seed}: {key} is {live:?} although it was done"),
                Outcome::Refused { message } => assert!(!is_after, "seed {seed}: {key} was refused: {message}"),
                Outcome::Unknown => {}
                other => panic!("seed {seed}: {other:?}"),
            }
        }
        return after == changes.len();
    }
    panic!("seed {seed}: the cluster never came to rest");
}

/// Applies, cycles and puts back; returns whether the machine was cycled.
async fn there_and_back(seed: u64) -> bool {
    let lab = restless(seed).await;
    let first = lab.control.config(VMID).unwrap();
    if !settled(&lab, &CHANGES, seed).await {
        assert_eq!(lab.control.config(VMID).unwrap(), first, "seed {seed}");
        return false;
    }
    let before = lab.until("a look", |_| true).await;
    for _ in 0..20 {
        match lab.order(&before.mark, Duration::from_mins(5)).await {
            Ok(()) => break,
            Err(error) => assert!(error.transient || error.code.0.ends_with("lost"), "seed {seed}: {error:?}"),
        }
    }
    lab.until_back(&before.mark).await;
    let runs = lab.control.started_with(VMID).unwrap();
    assert_eq!(runs["cores"], "4", "seed {seed}");
    assert!(runs["scsi0"].contains("cache=writeback"), "seed {seed}");
    let back = CHANGES.map(|(key, before, after)| (key, after, before));
    if settled(&lab, &back, seed).await {
        lab.control.clear_faults();
        lab.control.guest_power_off(VMID);
        lab.control.settle().await;
        if !lab.control.is_running(VMID) {
            lab.control.start(VMID).unwrap();
        }
        assert_eq!(lab.control.config(VMID).unwrap(), first, "seed {seed}");
    }
    true
}

#[tokio::test(start_paused = true)]
async fn whatever_breaks_a_machine_is_as_it_was_as_it_is_wanted_or_named() {
    let cycled = futures_util::future::join_all((0..SEEDS).map(there_and_back)).await;
    let cycled = cycled.into_iter().filter(|cycled| *cycled).count();
    assert!(cycled > 20, "{cycled} machines were cycled");
}
