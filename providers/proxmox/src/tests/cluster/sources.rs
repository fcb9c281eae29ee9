//! What can be asked of a cluster.

use std::sync::Arc;

use tune_core::address::Address;
use tune_core::contract::{Connection, Pending};
use tune_core::reading::Unreadable;
use tune_core::rollout::Query;
use tune_core::source::{Reach, Source};
use tune_core::value::Value;

use super::lab::{Lab, VMID, cluster};

/// Reaches the one cluster.
#[derive(Debug)]
struct Only(Arc<dyn Connection>);

impl Reach for Only {
    fn connection<'a>(&'a self, address: &'a Address) -> Pending<'a, Option<Arc<dyn Connection>>> {
        Box::pin(async move { (address.to_string() == "provider.proxmox").then(|| Arc::clone(&self.0)) })
    }
}

async fn ask(lab: &Lab, kind: &str, attributes: &[(&str, Value)]) -> Result<Value, Unreadable> {
    let source = crate::sources().into_iter().find(|source| source.schema().kind == kind).unwrap();
    assert_eq!(source.schema().provider, Some("proxmox"));
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let query = Query { address: Address::new(kind, "q"), attributes };
    source.look(&query, &Only(lab.connection())).await
}

fn field(answer: &Value, path: &[&str]) -> String {
    let mut at = answer;
    for step in path {
        let Value::Map(entries) = at else { panic!("no `{step}` in {at}") };
        at = &entries[*step];
    }
    at.to_string()
}

async fn fleet() -> Lab {
    let fleet = cluster()
        .vm(105, "pve2", "name: k3s-vm-pumped-piglet\ntags: etcd;k3s\n")
        .vm(108, "pve3", "name: web\ntags: web\n")
        .vm(9000, "pve1", "name: k3s-base\ntags: k3s\ntemplate: 1\n")
        .container(200, "pve1");
    Lab::start(fleet).await
}

#[tokio::test(start_paused = true)]
async fn machines_are_found_by_what_they_are() {
    let lab = fleet().await;
    for (attributes, vmids) in [
        (vec![], "[105, 107, 108]"),
        (vec![("tag", Value::from("k3s"))], "[105, 107]"),
        (vec![("tags", Value::List(vec!["k3s".into(), "etcd".into()]))], "[105]"),
        (vec![("node", Value::from("pve3"))], "[108]"),
        (vec![("name", Value::from("k3s-*"))], "[105, 107]"),
        (vec![("tag", Value::from("none"))], "[]"),
        (vec![("provider", Value::from("provider.proxmox")), ("name", Value::from("web"))], "[108]"),
    ] {
        let answer = ask(&lab, "proxmox_vms", &attributes).await.unwrap();
        assert_eq!(field(&answer, &["vmids"]), vmids, "{attributes:?}");
    }
    let answer = ask(&lab, "proxmox_vms", &[("tag", "etcd".into())]).await.unwrap();
    assert_eq!(field(&answer, &["vms", "105", "name"]), "\"k3s-vm-pumped-piglet\"");
    assert_eq!(field(&answer, &["vms", "105", "node"]), "\"pve2\"");
}

#[tokio::test(start_paused = true)]
async fn one_machine_tells_how_it_is() {
    let lab = fleet().await;
    lab.apply(&[("cores", "2", "4")]).await;
    let vmid = i64::from(VMID);
    let answer = ask(&lab, "proxmox_vm", &[("vmid", vmid.into())]).await.unwrap();
    assert_eq!(field(&answer, &["running"]), "true");
    assert_eq!(field(&answer, &["pending"]), "[\"cores\"]");
    assert_eq!(field(&answer, &["lock"]), "null");
    let why = ask(&lab, "proxmox_vm", &[("vmid", 404.into())]).await.unwrap_err();
    assert_eq!(why.code.0, "tune::proxmox::no_vm");
    let why =
        ask(&lab, "proxmox_vm", &[("vmid", vmid.into()), ("provider", "provider.other".into())]).await.unwrap_err();
    assert_eq!(why.code.0, "tune::proxmox::not_configured");
}

#[test]
fn a_number_that_is_none_is_a_mistake() {
    let source: Arc<dyn Source> =
        crate::sources().into_iter().find(|source| source.schema().kind == "proxmox_vm").unwrap();
    let check = |vmid: i64| source.check(&[("vmid".to_owned(), Value::from(vmid))].into()).len();
    assert_eq!([check(107), check(99), check(-1)], [0, 1, 1]);
}
