//! What can go wrong on the way to the API, and the TLS in front of it.

use std::time::Duration;

use crate::client::{Client, TOKEN, exchange, small, until};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tune_pve_sim::{Cluster, Fault, FaultKind, Speed};

const CONFIG: &str = "/nodes/pve1/qemu/100/config";

fn has(client: &Client<'_>, line: &str) -> bool {
    client.control().config(100).unwrap().lines().any(|found| found == line)
}

#[tokio::test]
async fn a_connection_that_breaks_before_leaves_nothing_and_after_leaves_all() {
    let cluster = small().start().await.unwrap();
    let client = Client::new(&cluster);
    client.control().add_fault(Fault::new(FaultKind::LostBefore).method("PUT").times(1));
    client.control().add_fault(Fault::new(FaultKind::LostAfter).method("PUT").times(1));
    assert!(client.try_send("PUT", CONFIG, "cores=3").await.is_none());
    assert!(has(&client, "cores: 2"));
    assert!(client.try_send("PUT", CONFIG, "cores=4").await.is_none());
    assert!(has(&client, "cores: 4"));
    assert_eq!(client.put(CONFIG, "cores=5").await.status, 200);
}

#[tokio::test]
async fn a_proxy_that_lost_patience_does_not_stop_the_work() {
    let cluster = small().start().await.unwrap();
    let client = Client::new(&cluster);
    let later = Duration::from_millis(20);
    client.control().add_fault(Fault::new(FaultKind::Proxy596 { later }).path("/config").times(1));
    assert_eq!(client.put(CONFIG, "cores=3").await.status, 596);
    until("the work is done", || has(&client, "cores: 3")).await;
}

#[tokio::test]
async fn other_answers_have_no_effect() {
    let cluster = small().start().await.unwrap();
    let client = Client::new(&cluster);
    let refused = FaultKind::Status { code: 599, reason: "Too many redirections".to_owned() };
    client.control().add_fault(Fault::new(refused).times(1));
    client.control().add_fault(Fault::new(FaultKind::Html).when(|request| request.number == 1));
    let answer = client.put(CONFIG, "cores=3").await;
    assert_eq!((answer.status, answer.reason.as_str(), answer.body.as_str()), (599, "Too many redirections", ""));
    let page = client.put(CONFIG, "cores=3").await;
    assert!(page.status == 502 && page.body.starts_with("<html>"), "{page:?}");
    assert!(has(&client, "cores: 2"));
    let requests = client.control().requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].vmid(), Some(100));
}

#[tokio::test]
async fn latency_is_in_the_time_of_the_cluster() {
    let cluster = small().speed(Speed::Times(1000.0)).latency(Duration::from_secs(30)).start().await.unwrap();
    let client = Client::new(&cluster);
    let before = client.control().now();
    assert_eq!(client.get(CONFIG).await.status, 200);
    assert!(client.control().now() >= before + Duration::from_secs(30));
}

#[tokio::test]
async fn what_the_server_itself_refuses() {
    let cluster = small().start().await.unwrap();
    let client = Client::new(&cluster);
    let stranger = Client::with(&cluster, "root@pam!adm=0");
    let refused = stranger.get(CONFIG).await;
    assert_eq!((refused.status, refused.reason.as_str(), refused.body.as_str()), (401, "Authentication failed!", ""));
    let patch = client.send("PATCH", CONFIG, "").await;
    assert_eq!((patch.status, patch.reason.as_str()), (501, "method 'PATCH' not available"));
    let body = client.send("DELETE", "/nodes/pve1/qemu/100", "purge=1").await;
    assert_eq!((body.status, body.reason.as_str()), (501, "Unexpected content for method 'DELETE'"));
    let nope = client.get("/nope").await;
    assert_eq!((nope.status, nope.reason.as_str()), (501, "Method 'GET /nope' not implemented"));
    let stray = client.get("/nodes/zz/qemu").await;
    assert!(stray.status == 500 && stray.reason.starts_with("hostname lookup 'zz' failed"), "{stray:?}");
    let unescaped = client.put(CONFIG, "scsi0=imgs:100/vm-100-disk-0.raw,cache=writeback").await;
    assert!(unescaped.errors()["scsi0"].as_str().unwrap().contains("duplicate key"), "{unescaped:?}");
}

#[tokio::test]
async fn a_node_that_is_down_does_not_answer_and_the_others_say_so() {
    let cluster = small().node("pve2").start().await.unwrap();
    let client = Client::new(&cluster);
    client.control().set_online("pve2", false);
    assert_eq!(client.get("/nodes/pve2/qemu").await.status, 595);
    let address = cluster.urls()["pve2"].strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert!(exchange(&mut stream, "GET", "/version", "", TOKEN).await.is_none());
}

#[tokio::test]
async fn each_node_has_a_certificate_of_the_cluster() {
    let cluster = Cluster::builder()
        .node("pve2")
        .token("root@pam!adm", "11111111-2222-3333-4444-555555555555")
        .start()
        .await
        .unwrap();
    assert_ne!(cluster.fingerprints()["pve1"], cluster.fingerprints()["pve2"]);
    let pem = cluster.ca_pem().unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(der.into()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(std::sync::Arc::new(config));
    for (node, url) in cluster.urls() {
        let address = url.strip_prefix("https://").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = node.clone().try_into().unwrap();
        let mut stream = connector.connect(name, stream).await.unwrap();
        let answer = exchange(&mut stream, "GET", "/nodes", "", TOKEN).await.unwrap();
        let fingerprints: Vec<String> =
            answer.data().as_array().unwrap().iter().map(|row| row["ssl_fingerprint"].to_string()).collect();
        assert!(fingerprints[0].contains(&cluster.fingerprints()["pve1"]));
    }
}
