//! Reading: how much is asked, what is found, and what is said of a machine that is not there.

use std::time::Duration;

use tune_core::contract::Sent;
use tune_core::item::{ItemKey, Raw};
use tune_pve_sim::{Cluster, Fault, FaultKind};

use super::lab::{Lab, SECRET, TOKEN, VMID, cluster};

#[tokio::test(start_paused = true)]
async fn a_thousand_machines_are_one_listing_and_two_requests_each() {
    let mut many = Cluster::builder().in_process().storage("imgs", "images").token(TOKEN, SECRET).grant(
        "/",
        "tune@pve",
        "Administrator",
    );
    for vmid in 1000..2000 {
        many = many.vm(vmid, "pve1", "cores: 2\nmemory: 512\n");
    }
    let lab = Lab::start(many).await;
    let keys: Vec<String> = (1000..2000).map(|vmid| format!("{vmid}/cores")).collect();
    let reading = lab.read(&keys).await.unwrap();
    assert!(reading.readings[0].items.values().all(|item| item.as_ref().unwrap().raw == Raw::Text("2".to_owned())));
    let paths: Vec<String> = lab.control.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths.iter().filter(|path| *path == "/cluster/resources").count(), 1);
    assert_eq!(paths.iter().filter(|path| path.ends_with("/pending")).count(), 1000);
    assert_eq!(paths.iter().filter(|path| path.ends_with("/status/current")).count(), 1000);
    assert_eq!(paths.len(), 2003, "beside them only the nodes and the permissions are asked");
}

#[tokio::test(start_paused = true)]
async fn the_three_layers_are_told_apart() {
    let lab = Lab::start(cluster()).await;
    let found = lab.item("scsi0/cache").await.unwrap();
    assert_eq!((found.raw.clone(), found.running.value.as_deref()), (Raw::Absent, Some("none (default)")));
    assert_eq!(lab.item("cores").await.unwrap().running.value.as_deref(), Some("2"));
    lab.apply(&[("cores", "2", "4")]).await;
    let found = lab.item("cores").await.unwrap();
    assert_eq!(found.raw, Raw::Text("4".to_owned()));
    assert_eq!((found.running.value.as_deref(), found.next_start.value.as_deref()), (Some("2"), Some("4")));
}

#[tokio::test(start_paused = true)]
async fn the_cluster_is_known_by_its_nodes_and_their_certificates() {
    let lab = Lab::start(cluster()).await;
    let facts = lab.read(&[format!("{VMID}/cores")]).await.unwrap().facts;
    assert_eq!(facts.machine_id.as_deref(), Some("proxmox:pve1,pve2,pve3"));
    assert_eq!(facts.host_keys, lab.running.fingerprints().values().cloned().collect());
    assert_eq!((facts.uid, facts.boot_id, facts.ledgers), (0, None, Some(vec![])));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_virtual_machine_is_named() {
    let lab = Lab::start(cluster().container(200, "pve2").vm(9000, "pve1", "name: base\ntemplate: 1\n").vm(
        300,
        "pve2",
        "cores: 1\n",
    ))
    .await;
    let keys = ["200/cores", "9000/cores", "300/cores", "404/cores"].map(str::to_owned);
    let reading = lab.read(&keys).await.unwrap();
    let said = |key: &str| match &reading.readings[0].items[&ItemKey::from(key)] {
        Ok(item) => format!("{:?}", item.raw),
        Err(why) => format!("{}: {}", why.code, why.message),
    };
    assert!(said("200/cores").starts_with("tune::proxmox::is_container: 200"), "{}", said("200/cores"));
    assert_eq!(said("9000/cores"), "tune::proxmox::is_template: VM 9000 (`base`) is a template, which nothing runs");
    assert_eq!(said("300/cores"), "Text(\"1\")", "another one's trouble is no reason to give up");
    assert_eq!(said("404/cores"), "tune::proxmox::no_vm: the cluster has no VM 404 that `tune@pve!tok` may see");
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_not_there_is_named_with_those_that_are() {
    let lab = Lab::start(cluster()).await;
    let why = lab.item("scsi5/cache").await.unwrap_err();
    assert_eq!((why.message.as_str(), why.help.as_deref()), ("VM 107 has no `scsi5`", Some("it has `scsi0`")));
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_moves_is_found_where_it_is() {
    let lab = Lab::start(cluster()).await;
    assert_eq!(lab.value("cores").await, "2");
    lab.control.move_vm(VMID, "pve3");
    assert_eq!(lab.value("cores").await, "2");
    lab.control.move_vm(VMID, "pve2");
    let outcomes = lab.apply(&[("onboot", "", "1")]).await;
    assert_eq!(outcomes, [tune_core::contract::Outcome::Done]);
}

#[tokio::test(start_paused = true)]
async fn a_machine_is_looked_for_once_and_again_when_it_or_its_node_is_gone() {
    let lab = Lab::start(cluster().vm(300, "pve2", "cores: 1\n")).await;
    let listings = || lab.control.requests().iter().filter(|request| request.path == "/cluster/resources").count();
    let cores = || async {
        let reading = lab.read(&["300/cores".to_owned()]).await.unwrap();
        reading.readings[0].items[&ItemKey::from("300/cores")].clone().map(|item| item.raw)
    };
    let one = Ok(Raw::Text("1".to_owned()));
    for _ in 0..3 {
        assert_eq!(cores().await, one);
    }
    assert_eq!(listings(), 1, "where it lives was known");
    // Its node dies, and the cluster brings it up on another one.
    lab.control.set_online("pve2", false);
    assert_eq!(cores().await.unwrap_err().code.0, "tune::proxmox::node_away");
    lab.control.move_vm(300, "pve3");
    assert_eq!(cores().await, one);
    lab.control.remove_vm(300);
    assert_eq!(cores().await.unwrap_err().code.0, "tune::proxmox::no_vm");
    assert_eq!(cores().await.unwrap_err().code.0, "tune::proxmox::no_vm");
}

#[tokio::test(start_paused = true)]
async fn reads_survive_what_breaks_and_passes() {
    for kind in [
        FaultKind::LostBefore,
        FaultKind::LostAfter,
        FaultKind::Html,
        FaultKind::Status { code: 596, reason: "Broken pipe".to_owned() },
    ] {
        let lab = Lab::start(cluster().fault(Fault::new(kind.clone()).times(2))).await;
        assert_eq!(lab.value("cores").await, "2", "{kind:?}");
    }
    let away = FaultKind::Status { code: 595, reason: "No route to host".to_owned() };
    let lab = Lab::start(cluster().fault(Fault::new(away).times(1))).await;
    assert_eq!(lab.value("cores").await, "2");
}

#[tokio::test(start_paused = true)]
async fn an_api_that_answers_html_is_named() {
    let lab = Lab::start(cluster().fault(Fault::new(FaultKind::Html))).await;
    let error = lab.read(&[format!("{VMID}/cores")]).await.unwrap_err();
    assert_eq!(error.code.0, "tune::proxmox::not_an_api");
    assert!(error.message.contains("an answer that is not the API's"), "{}", error.message);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_away_concerns_its_machines_only() {
    let lab = Lab::start(cluster().vm(300, "pve2", "cores: 1\n").vm(301, "pve1", "cores: 1\n")).await;
    lab.control.set_online("pve2", false);
    let reading = lab.read(&["300/cores".to_owned(), "301/cores".to_owned()]).await.unwrap();
    let items = &reading.readings[0].items;
    assert!(items[&ItemKey::from("301/cores")].is_ok());
    let why = items[&ItemKey::from("300/cores")].as_ref().unwrap_err();
    assert!(["tune::proxmox::node_away", "tune::proxmox::lost"].contains(&why.code.0), "{why:?}");
}

#[tokio::test(start_paused = true)]
async fn a_fence_shuts_out_what_was_made_before_it() {
    let lab = Lab::start(cluster()).await;
    let old = lab.batch(&[("cores", "2", "4")], Duration::from_mins(1));
    lab.read_behind_fence(&[format!("{VMID}/cores")], Duration::from_mins(1)).await.unwrap();
    let error = lab.connection().apply(&old).await.unwrap_err();
    assert_eq!((error.code.0, error.sent), ("tune::proxmox::stale", Sent::No));
    assert_eq!(lab.value("cores").await, "2");
}
