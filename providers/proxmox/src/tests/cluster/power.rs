//! Power cycles: what is looked at, what is begun, and everything that can go wrong between a shutdown and a start.

use std::time::Duration;

use tune_core::contract::Sent;
use tune_pve_sim::{Fault, FaultKind, TaskFault};

use super::lab::{Lab, VMID, cluster};

const LONG: Duration = Duration::from_mins(1);
/// So long that a guest that is told to ignore a shutdown is not given up while a slow machine runs these tests.
const VERY_LONG: Duration = Duration::from_hours(24);

/// Sets a pending change and cycles the machine; returns the new mark.
async fn cycle(lab: &Lab) -> String {
    lab.apply(&[("cores", "2", "4")]).await;
    let before = lab.sight().await.unwrap();
    assert_eq!(before.waits_for, None);
    lab.order(&before.mark, LONG).await.unwrap();
    lab.until_back(&before.mark).await.mark
}

fn runs_with_four(lab: &Lab) -> bool {
    lab.control.started_with(VMID).is_some_and(|options| options.get("cores").is_some_and(|cores| cores == "4"))
}

fn reboots(lab: &Lab) -> usize {
    lab.control.tasks().iter().filter(|task| task.kind == "qmreboot").count()
}

#[tokio::test(start_paused = true)]
async fn row_1_11_a_cycle_makes_what_is_pending_run() {
    let lab = Lab::start(cluster()).await;
    let pid = lab.control.pid(VMID);
    cycle(&lab).await;
    assert!(runs_with_four(&lab));
    assert_ne!(lab.control.pid(VMID), pid);
    assert_eq!(lab.item("cores").await.unwrap().running.value.as_deref(), Some("4"));
    assert_eq!(reboots(&lab), 1);
}

#[tokio::test(start_paused = true)]
async fn row_1_10_what_is_waited_for_is_said() {
    let lab = patient(cluster()).await;
    lab.control.set_flags(VMID, |flags| flags.guest_ignores_shutdown = true);
    let before = lab.sight().await.unwrap();
    lab.order(&before.mark, VERY_LONG).await.unwrap();
    let down = lab.until("its shutdown", |sight| sight.waits_for.is_some()).await;
    assert_eq!(
        (down.mark.as_str(), down.waits_for.as_deref()),
        (before.mark.as_str(), Some("its shutdown, which is under way"))
    );
    lab.control.guest_power_off(VMID);
    lab.until_back(&before.mark).await;
}

#[tokio::test(start_paused = true)]
async fn an_order_for_a_start_that_is_gone_does_nothing() {
    let lab = Lab::start(cluster()).await;
    lab.order("pid 1 on pve1", LONG).await.unwrap();
    assert_eq!(reboots(&lab), 0);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_somebody_switched_off_is_not_started_behind_their_back() {
    let lab = Lab::start(cluster()).await;
    lab.control.guest_power_off(VMID);
    lab.control.settle().await;
    let sight = lab.sight().await.unwrap();
    assert_eq!((sight.mark.as_str(), sight.waits_for.as_deref()), ("off", Some("the VM to start")));
    let error = lab.order(&sight.mark, LONG).await.unwrap_err();
    assert_eq!((error.code.0, error.sent), ("tune::proxmox::not_running", Sent::No));
    assert!(!lab.control.is_running(VMID));
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_nothing_starts_again_is_started() {
    let lab = Lab::start(cluster()).await;
    lab.control.set_flags(VMID, |flags| flags.no_restart_leg = true);
    cycle(&lab).await;
    assert!(runs_with_four(&lab));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_goes_down_late_is_started() {
    let lab = Lab::start(cluster()).await;
    lab.control.set_flags(VMID, |flags| flags.guest_shutdown_seconds = 60.0);
    lab.apply(&[("cores", "2", "4")]).await;
    let before = lab.sight().await.unwrap();
    // The task gives up after one of the cluster's seconds, and the guest goes down 59 later.
    lab.order(&before.mark, Duration::from_secs(1)).await.unwrap();
    lab.until_back(&before.mark).await;
    assert!(runs_with_four(&lab));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_ignores_the_shutdown_stays_and_is_named() {
    let lab = Lab::start(cluster()).await;
    lab.control.set_flags(VMID, |flags| flags.guest_ignores_shutdown = true);
    let before = lab.sight().await.unwrap();
    lab.order(&before.mark, Duration::from_secs(1)).await.unwrap();
    let stands = |waits_for: &Option<String>| waits_for.as_ref().is_some_and(|on| on.contains("its shutdown failed"));
    let sight = lab.until("the failure", |sight| stands(&sight.waits_for)).await;
    assert_eq!(sight.mark, before.mark);
    assert!(lab.control.is_running(VMID));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_ignores_the_shutdown_is_switched_off_where_that_is_wanted() {
    let lab = Lab::with(cluster(), |_, block| {
        block.insert("force_stop".to_owned(), true.into());
    })
    .await;
    lab.control.set_flags(VMID, |flags| flags.guest_ignores_shutdown = true);
    lab.apply(&[("cores", "2", "4")]).await;
    let before = lab.sight().await.unwrap();
    lab.order(&before.mark, Duration::from_secs(1)).await.unwrap();
    lab.until_back(&before.mark).await;
    assert!(runs_with_four(&lab));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_named_and_tried_again() {
    let lab = Lab::start(cluster()).await;
    lab.control.set_flags(VMID, |flags| flags.start_fails = true);
    let before = lab.sight().await.unwrap();
    lab.order(&before.mark, LONG).await.unwrap();
    let failed = |waits_for: &Option<String>| waits_for.as_ref().is_some_and(|on| on.contains("its start failed"));
    lab.until("the failure", |sight| failed(&sight.waits_for)).await;
    lab.control.set_flags(VMID, |flags| flags.start_fails = false);
    lab.until_back(&before.mark).await;
}

#[tokio::test(start_paused = true)]
async fn a_lock_in_the_way_is_waited_for() {
    let lab = Lab::start(cluster()).await;
    let before = lab.sight().await.unwrap();
    lab.control.set_lock(VMID, Some("backup"));
    lab.order(&before.mark, LONG).await.unwrap();
    let locked = |waits_for: &Option<String>| waits_for.as_deref() == Some("the lock `backup` to go");
    lab.until("the lock", |sight| locked(&sight.waits_for)).await;
    lab.control.set_lock(VMID, None);
    lab.until_back(&before.mark).await;
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_answer_is_lost_is_found_among_the_tasks() {
    for kind in [FaultKind::LostAfter, FaultKind::Proxy596 { later: Duration::from_secs(1) }] {
        let fault = Fault::new(kind.clone()).method("POST").path("/status/reboot").times(1);
        let lab = Lab::start(cluster().fault(fault)).await;
        cycle(&lab).await;
        assert_eq!(reboots(&lab), 1, "{kind:?}");
        assert!(runs_with_four(&lab), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_that_never_arrived_is_not_known() {
    let fault = Fault::new(FaultKind::LostBefore).method("POST").path("/status/reboot").times(1);
    let lab = Lab::start(cluster().fault(fault)).await;
    let before = lab.sight().await.unwrap();
    let error = lab.order(&before.mark, LONG).await.unwrap_err();
    assert_eq!(error.sent, Sent::Perhaps);
    assert_eq!(lab.sight().await.unwrap().mark, before.mark);
    lab.order(&before.mark, LONG).await.unwrap();
    lab.until_back(&before.mark).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_at_once_is_refused_and_nothing_goes_down() {
    let lab = Lab::start(cluster()).await;
    lab.control.add_task_fault(TaskFault::new("qmreboot", "VM is paused - cannot shutdown").times(1));
    let before = lab.sight().await.unwrap();
    let error = lab.order(&before.mark, LONG).await.unwrap_err();
    assert_eq!((error.code.0, error.sent), ("tune::proxmox::power_failed", Sent::No));
    assert!(error.message.contains("VM is paused - cannot shutdown"), "{}", error.message);
    assert_eq!(lab.sight().await.unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn high_availability_starts_it_again_and_keeps_its_state() {
    let lab = Lab::start(cluster().ha(VMID, "started")).await;
    cycle(&lab).await;
    assert!(runs_with_four(&lab));
    assert_eq!(lab.control.ha(VMID).as_deref(), Some("started"));
}

#[tokio::test(start_paused = true)]
async fn a_migration_is_no_power_cycle() {
    let lab = Lab::start(cluster()).await;
    lab.apply(&[("cores", "2", "4")]).await;
    let before = lab.sight().await.unwrap();
    lab.control.migrate(VMID, "pve2").unwrap();
    lab.control.settle().await;
    assert_eq!(lab.control.node_of(VMID).as_deref(), Some("pve2"));
    assert_eq!(lab.sight().await.unwrap().mark, before.mark, "what is pending still waits");
    lab.order(&before.mark, LONG).await.unwrap();
    lab.until_back(&before.mark).await;
    assert!(
        runs_with_four(&lab),
        "{:?} {:?} {:?}",
        lab.control.started_with(VMID),
        lab.control.config(VMID),
        lab.control.tasks()
    );
}

#[tokio::test(start_paused = true)]
async fn another_controller_finishes_what_a_killed_one_began() {
    let lab = Lab::start(cluster()).await;
    lab.control.set_flags(VMID, |flags| flags.no_restart_leg = true);
    lab.apply(&[("cores", "2", "4")]).await;
    let before = lab.sight().await.unwrap();
    // The first controller orders the reboot and dies: nothing of it is left but the task.
    let path = format!("/nodes/pve1/qemu/{VMID}/status/reboot");
    raw_post(&lab, &path).await;
    lab.control.settle().await;
    // Looking only looks, however often; the next controller's order is what starts it.
    for _ in 0..3 {
        let sight = lab.sight().await.unwrap();
        assert_eq!((sight.mark.as_str(), sight.is_stranded), ("off", true));
    }
    assert!(!lab.control.tasks().iter().any(|task| task.kind == "qmstart"));
    lab.order(&before.mark, LONG).await.unwrap();
    lab.until_back(&before.mark).await;
    assert!(runs_with_four(&lab));
    assert_eq!(reboots(&lab), 1);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_somebody_switched_off_is_not_started() {
    let lab = Lab::start(cluster()).await;
    lab.control.guest_power_off(VMID);
    lab.control.settle().await;
    let sight = lab.sight().await.unwrap();
    assert_eq!((sight.mark.as_str(), sight.is_stranded), ("off", false));
    let error = lab.order(&sight.mark, LONG).await.unwrap_err();
    assert_eq!((error.code.0, error.sent), ("tune::proxmox::not_running", Sent::No));
    assert_eq!(error.message, "VM 107 is off, so there is nothing to cycle");
    assert!(!lab.control.is_running(VMID));
}

#[tokio::test(start_paused = true)]
async fn a_fence_waits_for_the_task_of_a_killed_controller() {
    let lab = Lab::start(cluster()).await;
    lab.control.set_flags(VMID, |flags| flags.guest_ignores_shutdown = true);
    raw_post(&lab, &format!("/nodes/pve1/qemu/{VMID}/status/reboot?timeout=100000")).await;
    let keys = [format!("{VMID}/cores")];
    let error = lab.read_behind_fence(&keys, Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(error.code.0, "tune::proxmox::not_settled");
    assert!(error.message.contains("the task qmreboot of VM 107"), "{}", error.message);
    lab.control.guest_power_off(VMID);
    lab.read_behind_fence(&keys, LONG).await.unwrap();
    assert!(lab.control.tasks().iter().any(|task| task.kind == "qmreboot" && task.status.is_some()));
}

#[tokio::test(start_paused = true)]
async fn the_guest_agent_is_waited_for_after_a_start_and_not_for_ever() {
    let with_agent = || cluster().vm(VMID, "pve1", "agent: 1\ncores: 2\nname: k3s\n").running(VMID);
    let lab = patient(with_agent()).await;
    assert_eq!(lab.sight().await.unwrap().waits_for.as_deref(), Some("the guest agent"));
    lab.control.set_flags(VMID, |flags| flags.guest_agent = true);
    assert_eq!(lab.sight().await.unwrap().waits_for, None);
    let hasty = Lab::with(with_agent(), |_, block| {
        block.insert("agent_timeout".to_owned(), "1s".into());
    })
    .await;
    hasty.until("an end of the waiting", |sight| sight.waits_for.is_none()).await;
}

/// A lab whose provider waits for hours.
async fn patient(cluster: tune_pve_sim::Cluster) -> Lab {
    Lab::with(cluster, |_, block| {
        for name in ["shutdown_timeout", "agent_timeout"] {
            block.insert(name.to_owned(), "24h".into());
        }
    })
    .await
}

/// Sends a request as another client would, with the token of the tests.
async fn raw_post(lab: &Lab, path: &str) {
    let before = lab.control.tasks().len();
    super::access::post(lab, path).await;
    assert_eq!(lab.control.tasks().len(), before + 1);
}
