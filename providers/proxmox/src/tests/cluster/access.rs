//! The way to the API: certificates, logins, several endpoints, and what the user may do.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use tune_core::contract::{ConnectionError, Question, Sent};
use tune_core::resource::{Lifecycle, Resource};
use tune_core::value::Value;

use super::lab::{Lab, SECRET, TOKEN, VMID, address, cluster};

async fn refused(lab: &Lab) -> ConnectionError {
    lab.read(&[format!("{VMID}/cores")]).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_pinned_certificate_is_enough() {
    let lab = Lab::with(cluster().self_signed(), |running, block| {
        block.insert("tls_fingerprint".to_owned(), running.fingerprint().unwrap().to_lowercase().as_str().into());
    })
    .await;
    assert_eq!(lab.value("cores").await, "2");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_pin_is_refused_and_the_right_one_is_shown() {
    let lab = Lab::with(cluster(), |_, block| {
        block.insert("tls_fingerprint".to_owned(), "8F".repeat(32).as_str().into());
    })
    .await;
    let error = refused(&lab).await;
    assert_eq!((error.code.0, error.sent, error.transient), ("tune::proxmox::wrong_fingerprint", Sent::No, false));
    assert!(error.message.contains(lab.running.fingerprint().unwrap()), "{}", error.message);
    assert_eq!(lab.control.requests().len(), 0, "not even the token was sent");
}

#[tokio::test(start_paused = true)]
async fn a_renewed_certificate_is_refused_under_the_old_pin_and_good_under_the_ca() {
    let first = Lab::start(cluster()).await;
    let old = first.running.fingerprint().unwrap().to_owned();
    let renewed = Lab::with(cluster(), |_, block| {
        block.insert("tls_fingerprint".to_owned(), old.as_str().into());
    })
    .await;
    assert_eq!(refused(&renewed).await.code.0, "tune::proxmox::wrong_fingerprint");
    let both = Lab::with(cluster(), |running, block| {
        let pins = [old.as_str(), running.fingerprint().unwrap()].map(Value::from).to_vec();
        block.insert("tls_fingerprints".to_owned(), Value::List(pins));
    })
    .await;
    assert_eq!(both.value("cores").await, "2");
}

#[tokio::test(start_paused = true)]
async fn a_self_signed_certificate_without_a_pin_is_refused_and_shown() {
    let other = Lab::start(cluster()).await;
    let ca = other.running.ca_pem().unwrap().to_owned();
    let lab = Lab::with(cluster().self_signed(), |_, block| {
        block.insert("ca_file".to_owned(), ca.as_str().into());
    })
    .await;
    let error = refused(&lab).await;
    assert_eq!((error.code.0, error.sent), ("tune::proxmox::distrusted", Sent::No));
    assert!(error.message.contains(lab.running.fingerprint().unwrap()), "{}", error.message);
    assert_eq!(lab.control.requests().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_token_is_refused_without_being_shown() {
    let lab = Lab::with(cluster(), |_, block| {
        block.insert("api_token".to_owned(), format!("{TOKEN}=99999999-9999-9999-9999-999999999999").as_str().into());
    })
    .await;
    let error = refused(&lab).await;
    assert_eq!((error.code.0, error.transient), ("tune::proxmox::not_logged_in", false));
    assert!(!error.message.contains("99999999"), "{}", error.message);
}

#[tokio::test(start_paused = true)]
async fn a_password_is_changed_for_a_ticket() {
    let lab = Lab::with(cluster().user("op@pve", "s3cret; &=").grant("/", "op@pve", "Administrator"), |_, block| {
        block.remove("api_token");
        block.insert("username".to_owned(), "op@pve".into());
        block.insert("password".to_owned(), "s3cret; &=".into());
    })
    .await;
    assert_eq!(lab.apply(&[("onboot", "", "1")]).await, [tune_core::contract::Outcome::Done]);
    assert_eq!(lab.value("onboot").await, "1");
}

#[tokio::test(start_paused = true)]
async fn the_next_endpoint_is_asked_when_one_is_away() {
    let lab = Lab::with(cluster(), |running, block| {
        block.remove("endpoint");
        // Nobody listens at the discard port.
        let second = running.urls()["pve2"].as_str();
        block.insert("endpoints".to_owned(), Value::List(vec!["https://127.0.0.1:9".into(), second.into()]));
    })
    .await;
    assert_eq!(lab.value("cores").await, "2");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_nobody_listens_at_is_named() {
    let lab = Lab::with(cluster(), |_, block| {
        block.insert("endpoint".to_owned(), "https://127.0.0.1:9".into());
    })
    .await;
    let error = refused(&lab).await;
    assert_eq!((error.code.0, error.sent, error.transient), ("tune::proxmox::unreachable", Sent::No, true));
    assert!(error.message.starts_with("`https://127.0.0.1:9` cannot be reached"), "{}", error.message);
}

/// The preflight of the runbook's change, with a token that has one role at `/vms` and perhaps another at its machine.
async fn preflight(at_machine: &[&str]) -> Vec<(String, String)> {
    let mut cluster = cluster()
        .separated_token("tune@pve!least", SECRET)
        .role("Least", &["VM.Audit", "VM.Config.Disk"])
        .grant("/vms", "tune@pve!least", "Least");
    if !at_machine.is_empty() {
        cluster = cluster.role("More", at_machine).grant(&format!("/vms/{VMID}"), "tune@pve!least", "More");
    }
    let lab = Lab::with(cluster, |_, block| {
        block.insert("api_token".to_owned(), format!("tune@pve!least={SECRET}").as_str().into());
    })
    .await;
    let disk = Value::Map([("scsi0".to_owned(), Value::Map([("cache".to_owned(), "writeback".into())].into()))].into());
    let resource = Resource {
        address: tune_core::address::Address::new("proxmox_vm", "k3s"),
        provider: Some(address()),
        attributes: [("vmid".to_owned(), Value::from(i64::from(VMID))), ("disk".to_owned(), disk)].into(),
        depends_on: BTreeSet::new(),
        lifecycle: Lifecycle::default(),
    };
    let desired = lab.kind.desired(&resource).unwrap();
    let reading = lab.read(&[format!("{VMID}/scsi0/cache")]).await.unwrap();
    assert!(reading.readings[0].items.values().all(Result::is_ok), "{:?}", reading.readings[0].items);
    let question = Question {
        desired: &desired,
        reading: &reading.readings[0],
        facts: &reading.facts,
        recorded: &BTreeSet::new(),
    };
    let problems = lab.kind.impact(&question).problems;
    problems.into_iter().map(|problem| (problem.message, problem.help.unwrap_or_default())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_missing_privilege_is_known_before_anything_is_sent() {
    let said = preflight(&[]).await;
    let messages: Vec<&str> = said.iter().map(|(message, _)| message.as_str()).collect();
    assert_eq!(messages, ["`tune@pve!least` lacks the privilege VM.PowerMgmt on /vms/107"]);
    assert!(said[0].1.contains("--tokens 'tune@pve!least'"), "{}", said[0].1);
}

#[tokio::test(start_paused = true)]
async fn the_lines_that_grant_a_privilege_take_none_away() {
    // What a machine's own path gives hides what `/vms` gives: the privilege alone would hide the machine itself.
    let help = preflight(&[]).await.remove(0).1;
    let (_, rest) = help.split_once("--privs ").unwrap();
    let granted: Vec<&str> = rest.split_once('`').unwrap().0.split(',').collect();
    assert!(help.contains("`pveum acl modify /vms/107 --tokens"), "{help}");
    assert_eq!(preflight(&granted).await, []);
}

/// Sends a POST with the token of the tests and nothing of the provider's.
pub(crate) async fn post(lab: &Lab, path: &str) {
    let authority = lab.running.url().trim_start_matches("https://").to_owned();
    let port = authority.rsplit(':').next().unwrap().parse().unwrap();
    let mut roots = rustls::RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(lab.running.ca_pem().unwrap().as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = lab.running.open(port).unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let request = format!(
        "POST /api2/json{path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: PVEAPIToken={TOKEN}={SECRET}\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}
