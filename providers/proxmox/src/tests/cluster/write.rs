//! Writing: one request for a machine, everything else kept, and whatever goes wrong half-way put back.

use std::time::Duration;

use tune_core::contract::Outcome;
use tune_core::item::Raw;
use tune_pve_sim::{Fault, FaultKind};

use super::lab::{Lab, SECRET, VMID, cluster, line};

const RUNBOOK: [(&str, &str, &str); 2] = [("scsi0/cache", "", "writeback"), ("scsi0/iothread", "", "1")];

fn puts(lab: &Lab) -> usize {
    lab.control.requests().iter().filter(|request| request.method == "PUT").count()
}

#[tokio::test(start_paused = true)]
async fn row_0_3_the_rest_of_the_disk_is_kept() {
    let lab = Lab::start(cluster()).await;
    assert_eq!(lab.apply(&RUNBOOK).await, [Outcome::Done, Outcome::Done]);
    let config = lab.control.config(VMID).unwrap();
    let (current, pending) = config.split_once("[PENDING]").unwrap();
    assert_eq!(line(current, "scsi0"), "imgs:107/vm-107-disk-0.raw,discard=on,size=32G,ssd=1");
    assert_eq!(
        line(pending, "scsi0"),
        "imgs:107/vm-107-disk-0.raw,cache=writeback,discard=on,iothread=1,size=32G,ssd=1"
    );
    assert_eq!(puts(&lab), 1);
}

#[tokio::test(start_paused = true)]
async fn row_0_14_putting_back_leaves_the_exact_bytes() {
    let lab = Lab::start(cluster()).await;
    let before = lab.control.config(VMID).unwrap();
    lab.apply(&RUNBOOK).await;
    assert_ne!(lab.control.config(VMID).unwrap(), before);
    let back = RUNBOOK.map(|(item, before, after)| (item, after, before));
    assert_eq!(lab.apply(&back).await, [Outcome::Done, Outcome::Done]);
    assert_eq!(lab.control.config(VMID).unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn a_change_in_the_web_interface_meanwhile_is_no_conflict_unless_it_is_ours() {
    let lab = Lab::start(cluster()).await;
    let config = lab.control.config(VMID).unwrap();
    lab.control.write_config(VMID, &config.replace("cores: 2", "cores: 6").replace("tags: k3s", "tags: web"));
    assert_eq!(lab.apply(&[("scsi0/cache", "", "writeback")]).await, [Outcome::Done]);
    let outcomes = lab.apply(&[("cores", "2", "4"), ("onboot", "", "1")]).await;
    assert_eq!(outcomes, [Outcome::Conflict { live: Raw::Text("6".to_owned()) }, Outcome::NotTried]);
    assert_eq!(lab.value("cores").await, "6");
    assert_eq!(lab.value("onboot").await, "");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_looked_for_and_nothing_happens_twice() {
    for kind in [
        FaultKind::LostBefore,
        FaultKind::LostAfter,
        FaultKind::Html,
        FaultKind::Proxy596 { later: Duration::from_secs(4) },
        FaultKind::Status { code: 599, reason: "Too many redirections".to_owned() },
    ] {
        let lab = Lab::start(cluster().fault(Fault::new(kind.clone()).method("PUT").times(1))).await;
        assert_eq!(lab.apply(&RUNBOOK).await, [Outcome::Done, Outcome::Done], "{kind:?}");
        lab.control.settle().await;
        let config = lab.control.config(VMID).unwrap();
        let (_, pending) = config.split_once("[PENDING]").unwrap();
        assert!(line(pending, "scsi0").contains("cache=writeback,discard=on,iothread=1"), "{kind:?}: {config}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_never_gets_an_answer_is_unknown_and_shuts_the_fence() {
    let keys = [format!("{VMID}/cores")];
    let lab = Lab::start(cluster().fault(Fault::new(FaultKind::LostBefore).method("PUT"))).await;
    let outcomes = lab.send(&RUNBOOK, Duration::from_millis(50)).await.unwrap();
    assert_eq!(outcomes, [Outcome::Unknown, Outcome::Unknown]);
    // What was sent may still arrive, so a look behind the fence waits for the end of that.
    let error = lab.read_behind_fence(&keys, Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(error.code.0, "tune::proxmox::not_settled");
    assert!(error.message.ends_with("it waits for a lost write to VM 107"), "{}", error.message);
    lab.read_behind_fence(&keys, Duration::from_mins(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_goes_is_waited_for() {
    let lab = Lab::start(cluster()).await;
    lab.control.set_lock(VMID, Some("backup"));
    let control = lab.control.clone();
    let release = async {
        while !control.requests().iter().any(|request| request.method == "PUT") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        control.set_lock(VMID, None);
    };
    let (outcomes, ()) = tokio::join!(lab.apply(&RUNBOOK), release);
    assert_eq!(outcomes, [Outcome::Done, Outcome::Done]);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_stays_is_named_and_nothing_is_written() {
    let lab = Lab::start(cluster()).await;
    lab.control.set_lock(VMID, Some("backup"));
    let before = lab.control.config(VMID).unwrap();
    let outcomes = lab.send(&RUNBOOK, Duration::from_secs(2)).await.unwrap();
    let is_told = |outcome: &Outcome| {
        matches!(outcome, Outcome::Refused { message } if message.starts_with("VM is locked (backup): ")
            && message.contains(&format!("`qm unlock {VMID}`")))
    };
    assert!(outcomes.len() == 2 && outcomes.iter().all(is_told), "{outcomes:?}");
    assert_eq!(lab.control.config(VMID).unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn a_lock_file_that_is_held_is_waited_for() {
    let lab = Lab::start(cluster()).await;
    lab.control.hold_lock(VMID, Duration::from_secs(25));
    assert_eq!(lab.apply(&RUNBOOK).await, [Outcome::Done, Outcome::Done]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_storage_is_named_and_nothing_is_written() {
    let config = "cores: 2\nmemory: 2048\nscsi0: nowhere:108/vm-108-disk-0.raw,size=32G\nscsihw: virtio-scsi-single\n";
    let lab = Lab::start(cluster().vm(108, "pve2", config)).await;
    let before = lab.control.config(108).unwrap();
    let outcomes = lab.apply(&[("108:scsi0/cache", "", "writeback"), ("108:scsi0/iothread", "", "1")]).await;
    let is_told = |outcome: &Outcome| {
        matches!(outcome, Outcome::Refused { message } if message.starts_with("storage 'nowhere' does not exist: ")
            && message.contains("`pvesm status`"))
    };
    assert!(outcomes.len() == 2 && outcomes.iter().all(is_told), "{outcomes:?}");
    assert_eq!(lab.control.config(108).unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_half_way_is_put_back() {
    // The keys are written in a random order: with every seed some of them are there when the last one fails.
    for seed in 0..12 {
        let lab = Lab::with(
            cluster()
                .seed(seed)
                .token("half@pve!tok", SECRET)
                .role("Half", &["VM.Audit", "VM.Config.CPU", "VM.Config.Options", "VM.Config.HWType"])
                .grant("/", "half@pve", "Half"),
            |_, block| {
                block.insert("api_token".to_owned(), format!("half@pve!tok={SECRET}").as_str().into());
            },
        )
        .await;
        let before = lab.control.config(VMID).unwrap();
        let outcomes = lab
            .apply(&[
                ("cores", "2", "4"),
                ("onboot", "", "1"),
                ("serial0", "", "/dev/ttyS0"),
                ("bios", "seabios", "ovmf"),
            ])
            .await;
        assert!(
            outcomes
                .iter()
                .all(|outcome| matches!(outcome, Outcome::Refused { message } if message.contains("serial0"))),
            "seed {seed}: {outcomes:?}"
        );
        assert_eq!(lab.control.config(VMID).unwrap(), before, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_the_guest_keeps_busy_leaves_nothing_pending() {
    let lab = Lab::start(cluster()).await;
    lab.control.set_flags(VMID, |flags| flags.unplug_busy = true);
    let before = lab.control.config(VMID).unwrap();
    let outcomes = lab.apply(&[("net0/queues", "", "2")]).await;
    assert!(
        matches!(&outcomes[0], Outcome::Refused { message } if message.contains("hotplug problem")),
        "{outcomes:?}"
    );
    assert_eq!(lab.control.config(VMID).unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_stored_otherwise_is_refused() {
    // On cgroups of the second version the weight is clamped.
    let lab = Lab::start(cluster()).await;
    let outcomes = lab.apply(&[("cpuunits", "", "20000")]).await;
    assert_eq!(
        outcomes,
        [Outcome::Refused { message: "Proxmox stored 10000 for `cpuunits` in place of 20000".to_owned() }]
    );
    assert_eq!(lab.value("cpuunits").await, "");
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_off_takes_everything_at_once() {
    let lab = Lab::start(cluster()).await;
    lab.control.guest_power_off(VMID);
    lab.control.settle().await;
    assert_eq!(lab.apply(&RUNBOOK).await, [Outcome::Done, Outcome::Done]);
    let config = lab.control.config(VMID).unwrap();
    assert!(!config.contains("[PENDING]"), "{config}");
    assert!(line(&config, "scsi0").contains("cache=writeback"));
}

#[tokio::test(start_paused = true)]
async fn machines_are_written_side_by_side_and_one_by_one_each() {
    let lab = Lab::start(cluster().vm(300, "pve2", "cores: 1\n").vm(301, "pve3", "cores: 1\n")).await;
    let mut batch = lab.batch(
        &[("300:cores", "1", "2"), ("301:cores", "3", "2"), ("cores", "2", "4"), ("404:cores", "", "1")],
        Duration::from_mins(1),
    );
    for (group, item) in batch.items.iter_mut().enumerate() {
        item.group = group;
    }
    let outcomes = lab.connection().apply(&batch).await.unwrap();
    assert_eq!(outcomes[0], Outcome::Done);
    assert_eq!(outcomes[1], Outcome::Conflict { live: Raw::Text("1".to_owned()) });
    assert_eq!(outcomes[2], Outcome::Done);
    assert!(matches!(&outcomes[3], Outcome::Refused { message } if message.contains("404")), "{outcomes:?}");
}
