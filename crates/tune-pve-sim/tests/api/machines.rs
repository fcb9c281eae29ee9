//! What the simulator does with the options and the power of machines, seen through its API.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::client::{Client, small, until};
use serde_json::json;
use tune_pve_sim::{Power, Speed, TaskFault, Timing};

const CONFIG: &str = "/nodes/pve1/qemu/100/config";
const STATUS: &str = "/nodes/pve1/qemu/100/status";

#[tokio::test]
async fn a_stopped_machine_takes_over_at_once_and_prints_drives_in_their_order() {
    let cluster = small().start().await.unwrap();
    let client = Client::new(&cluster);
    let form = "cores=4&scsi0=imgs%3A100%2Fvm-100-disk-0.raw%2Cdiscard%3Don%2Ccache%3Dwriteback";
    assert_eq!(client.put(CONFIG, form).await.status, 200);
    assert_eq!(client.pending(100).await, Vec::<serde_json::Value>::new());
    let config = cluster.control().config(100).unwrap();
    assert!(config.contains("cores: 4\n"), "{config}");
    assert!(config.contains("scsi0: imgs:100/vm-100-disk-0.raw,cache=writeback,discard=on,size=8G\n"), "{config}");
}

#[tokio::test]
async fn on_a_running_machine_a_cache_waits_and_a_throttle_does_not() {
    let cluster = small().running(100).start().await.unwrap();
    let client = Client::new(&cluster);
    let throttled = "scsi0=imgs%3A100%2Fvm-100-disk-0.raw%2Cmbps%3D10";
    assert_eq!(client.put(CONFIG, throttled).await.status, 200);
    assert!(client.pending(100).await.is_empty());
    let cached = "scsi0=imgs%3A100%2Fvm-100-disk-0.raw%2Ccache%3Dnone%2Cmbps%3D10";
    assert_eq!(client.put(CONFIG, cached).await.status, 200);
    let waiting = client.pending(100).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0]["pending"], "imgs:100/vm-100-disk-0.raw,cache=none,mbps=10,size=8G");
    assert_eq!(waiting[0]["value"], "imgs:100/vm-100-disk-0.raw,mbps=10,size=8G");
    assert_eq!(client.put(CONFIG, "revert=scsi0").await.status, 200);
    assert!(client.pending(100).await.is_empty());
}

#[tokio::test]
async fn a_call_that_fails_half_way_leaves_what_it_had_written() {
    let cluster = small().running(100).seed(1).start().await.unwrap();
    let client = Client::new(&cluster);
    let clean = cluster.control().config(100).unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..40 {
        cluster.control().write_config(100, &clean);
        let answer = client.put(CONFIG, "cores=3&numa=1&bios=ovmf&boot=order%3Dnet7").await;
        assert_eq!(answer.status, 500);
        assert_eq!(answer.reason, "invalid bootorder: device 'net7' does not exist'");
        seen.insert(client.pending(100).await.len());
    }
    assert!(seen.len() > 1 && *seen.last().unwrap() <= 3, "always the same order: {seen:?}");
}

#[tokio::test]
async fn a_digest_and_a_lock_stop_a_call() {
    let cluster = small().start().await.unwrap();
    let client = Client::new(&cluster);
    let digest = client.get(CONFIG).await.data()["digest"].as_str().unwrap().to_owned();
    assert_eq!(client.put(CONFIG, &format!("cores=3&digest={digest}")).await.status, 200);
    let late = client.put(CONFIG, &format!("cores=5&digest={digest}")).await;
    assert_eq!((late.status, late.reason.as_str()), (500, "checksum mismatch (file change by other user?)"));
    cluster.control().set_lock(100, Some("backup"));
    let locked = client.put(CONFIG, "cores=5").await;
    assert_eq!((locked.status, locked.reason.as_str()), (500, "VM is locked (backup)"));
    cluster.control().set_lock(100, None);
    assert_eq!(client.put(CONFIG, "cores=5").await.status, 200);
}

#[tokio::test]
async fn a_reboot_ends_while_the_machine_is_down_and_takes_over_what_waited() {
    let history = Arc::new(Mutex::new(Vec::new()));
    let writer = Arc::clone(&history);
    let cluster = small()
        .running(100)
        .speed(Speed::Manual)
        .on_power(move |vmid, power| writer.lock().unwrap().push((vmid, power)))
        .start()
        .await
        .unwrap();
    let client = Client::new(&cluster);
    let control = cluster.control();
    let before = control.pid(100);
    assert_eq!(client.put(CONFIG, "cores=4").await.status, 200);
    assert_eq!(client.pending(100).await.len(), 1);
    let upid = client.post(&format!("{STATUS}/reboot"), "").await.data();
    assert_eq!(client.ended(&upid).await, "OK");
    assert!(!control.is_running(100));
    assert!(client.pending(100).await.is_empty());
    assert_eq!(client.get(&format!("{STATUS}/current")).await.data()["status"], "stopped");
    control.advance(Duration::from_secs(2));
    assert!(control.is_running(100));
    assert_ne!(control.pid(100), before);
    assert_eq!(control.started_with(100).unwrap()["cores"], "4");
    let started = control.tasks().pop().unwrap();
    assert_eq!((started.kind.as_str(), started.user.as_str()), ("qmstart", "root@pam"));
    let expected = vec![(100, Power::Up), (100, Power::Down), (100, Power::Up)];
    until("the hooks are called", || *history.lock().unwrap() == expected).await;
}

#[tokio::test]
async fn a_guest_that_shuts_down_late_stays_off_after_a_failed_reboot() {
    let cluster = small().running(100).speed(Speed::Manual).start().await.unwrap();
    let client = Client::new(&cluster);
    let control = cluster.control();
    control.set_flags(100, |flags| flags.guest_shutdown_seconds = 70.0);
    assert_eq!(client.put(CONFIG, "cores=4").await.status, 200);
    let upid = client.post(&format!("{STATUS}/reboot"), "").await.data();
    assert_eq!(client.ended(&upid).await, "VM quit/powerdown failed - got timeout");
    assert!(control.is_running(100));
    control.advance(Duration::from_secs(30));
    assert!(!control.is_running(100));
    assert_eq!(client.pending(100).await.len(), 1);
    let upid = client.post(&format!("{STATUS}/start"), "").await.data();
    assert_eq!(client.ended(&upid).await, "OK");
    assert!(client.pending(100).await.is_empty());
}

#[tokio::test]
async fn tasks_fail_as_they_are_told_to() {
    let cluster = small().speed(Speed::Manual).start().await.unwrap();
    let client = Client::new(&cluster);
    cluster.control().add_task_fault(TaskFault::new("qmstart", "no such luck").vmid(100).times(1));
    let first = client.post(&format!("{STATUS}/start"), "").await.data();
    assert_eq!(client.ended(&first).await, "no such luck");
    let second = client.post(&format!("{STATUS}/start"), "").await.data();
    assert_eq!(client.ended(&second).await, "OK");
}

#[tokio::test]
async fn a_machine_that_moves_is_gone_from_its_old_node() {
    let cluster = small().node("pve2").running(100).speed(Speed::Manual).start().await.unwrap();
    let client = Client::new(&cluster);
    let control = cluster.control();
    let upid = control.migrate(100, "pve2").unwrap();
    control.advance(Duration::from_secs(1));
    let locked = client.put(CONFIG, "cores=4").await;
    assert_eq!(locked.reason, "VM is locked (migrate)");
    assert_eq!(client.ended(&json!(upid)).await, "OK");
    let gone = client.put(CONFIG, "cores=4").await;
    assert_eq!(gone.reason, "Configuration file 'nodes/pve1/qemu-server/100.conf' does not exist");
    let rows = client.get("/cluster/resources?type=vm").await.data();
    assert_eq!(rows[0]["node"], "pve2");
    assert!(control.is_running(100));
    assert_eq!(client.put("/nodes/pve2/qemu/100/config", "onboot=1").await.status, 200);
}

#[tokio::test]
async fn the_listing_of_the_cluster_is_behind() {
    let cluster = small().running(100).speed(Speed::Manual).start().await.unwrap();
    let client = Client::new(&cluster);
    let control = cluster.control();
    control.advance(Duration::from_mins(1));
    control.guest_power_off(100);
    assert_eq!(client.get(&format!("{STATUS}/current")).await.data()["status"], "stopped");
    assert_eq!(client.get("/cluster/resources?type=vm").await.data()[0]["status"], "running");
    control.advance(Duration::from_secs(11));
    assert_eq!(client.get("/cluster/resources?type=vm").await.data()[0]["status"], "stopped");
}

#[tokio::test]
async fn the_ha_manager_does_what_it_is_asked_for_later() {
    let timing = Timing { ha: Some(Duration::from_secs(10)), ..Timing::default() };
    let cluster = small().ha(100, "started").speed(Speed::Manual).timing(timing).start().await.unwrap();
    let client = Client::new(&cluster);
    let control = cluster.control();
    let upid = client.post(&format!("{STATUS}/start"), "").await.data();
    assert_eq!(client.ended(&upid).await, "OK");
    assert!(!control.is_running(100));
    control.advance(Duration::from_secs(11));
    assert!(control.is_running(100));
    let upid = client.post(&format!("{STATUS}/shutdown"), "").await.data();
    assert!(upid.as_str().unwrap().contains(":hastop:100:"));
    assert_eq!(client.ended(&upid).await, "OK");
    control.advance(Duration::from_secs(30));
    assert!(!control.is_running(100));
    assert_eq!(control.ha(100).as_deref(), Some("stopped"));
}

#[tokio::test]
async fn a_lock_that_stays_taken_ends_the_waiting_after_ten_seconds() {
    let cluster = small().speed(Speed::Manual).start().await.unwrap();
    let client = Client::new(&cluster);
    let control = cluster.control();
    control.hold_lock(100, Duration::from_hours(10));
    let waiting = client.put(CONFIG, "cores=4");
    tokio::pin!(waiting);
    let answer = loop {
        tokio::select! {
            answer = &mut waiting => break answer,
            () = tokio::time::sleep(Duration::from_millis(1)) => control.advance(Duration::from_millis(100)),
        }
    };
    assert_eq!(answer.reason, "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout");
    assert!(control.now() >= Duration::from_secs(10));
    control.release_lock(100);
    assert_eq!(client.put(CONFIG, "cores=4").await.status, 200);
}

#[tokio::test]
async fn bad_values_are_named_each_by_its_key() {
    let cluster = small().start().await.unwrap();
    let client = Client::new(&cluster);
    let answer = client.put(CONFIG, "cores=x&scsi0=imgs%3A1%2Ccache%3Dbogus&nope=1&onboot=yes").await;
    assert_eq!((answer.status, answer.reason.as_str()), (400, "Parameter verification failed."));
    let errors = answer.errors();
    assert_eq!(errors["cores"], "type check ('integer') failed - got 'x'");
    assert_eq!(errors["onboot"], "type check ('boolean') failed - got 'yes'");
    assert_eq!(errors["nope"], "property is not defined in schema and the schema does not allow additional properties");
    assert_eq!(
        errors["scsi0"],
        "invalid format - format error\nscsi0.cache: value 'bogus' does not have a value in the enumeration \
         'none, writethrough, writeback, unsafe, directsync'\n"
    );
}

#[tokio::test]
async fn a_token_may_do_what_its_roles_say_and_no_more() {
    let cluster = small()
        .separated_token("ann@pve!ci", "22222222-2222-3333-4444-555555555555")
        .role("Disks", &["VM.Audit", "VM.Config.Disk"])
        .grant("/vms/100", "ann@pve", "PVEVMAdmin")
        .grant("/vms/100", "ann@pve!ci", "Disks")
        .start()
        .await
        .unwrap();
    let client = Client::with(&cluster, "ann@pve!ci=22222222-2222-3333-4444-555555555555");
    let answer = client.put(CONFIG, "cores=4").await;
    assert_eq!((answer.status, answer.reason.as_str()), (403, "Permission check failed (/vms/100, VM.Config.CPU)"));
    assert_eq!(client.put(CONFIG, "scsi0=imgs%3A100%2Fvm-100-disk-0.raw%2Cssd%3D1").await.status, 200);
    let power = client.post(&format!("{STATUS}/start"), "").await;
    assert_eq!(power.reason, "Permission check failed (/vms/100, VM.PowerMgmt)");
    assert_eq!(client.get("/nodes/pve1/qemu/101/config").await.status, 403);
}

#[tokio::test]
async fn a_thousand_machines_are_listed_and_read() {
    let mut cluster = small();
    for vmid in 1000..2000 {
        cluster = cluster.vm(vmid, "pve1", "cores: 1\nmemory: 512\nscsi0: imgs:1/x.raw,size=1G\n");
    }
    let cluster = cluster.start().await.unwrap();
    let client = Client::new(&cluster);
    assert_eq!(client.get("/cluster/resources?type=vm").await.data().as_array().unwrap().len(), 1001);
    for vmid in (1000..2000).step_by(7) {
        assert_eq!(client.get(&format!("/nodes/pve1/qemu/{vmid}/config")).await.data()["cores"], 1);
    }
}
