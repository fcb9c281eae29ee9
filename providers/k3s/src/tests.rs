//! The source against pretended servers: they answer the commands as K3s does, and serve the metrics that K3s serves.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tune_core::address::Address;
use tune_core::contract::Connection;
use tune_core::reading::{Facts, Unreadable};
use tune_core::rollout::{Query, Quorum};
use tune_core::schema::Type;
use tune_core::source::{Command, CommandOutput, DoorAddress};
use tune_core::value::Value;
use tune_source::testing::{Known, Pretended};

/// One pretended server.
#[derive(Clone)]
struct Server {
    name: &'static str,
    /// Whether the machine answers at all.
    is_up: bool,
    /// What its API server says to `/readyz?verbose`.
    readyz: (i32, String, String),
    /// Its etcd's metrics, and the status of its health check; `None` if the port is closed.
    etcd: Option<(String, u16)>,
    /// What its node looks like in the list.
    node: String,
}

fn metrics(has_leader: u8, is_leader: u8, committed: u64, applied: u64) -> String {
    format!(
        "# HELP etcd_server_has_leader Whether or not a leader exists. 1 is existence, 0 is not.\n\
         # TYPE etcd_server_has_leader gauge\netcd_server_has_leader {has_leader}\netcd_server_is_leader {is_leader}\n\
         etcd_server_is_learner 0\netcd_server_proposals_committed_total {committed}\n\
         etcd_server_proposals_applied_total {applied}\n"
    )
}

fn node(name: &str, ready: &str, voter: (&str, &str)) -> String {
    let json = serde_json::json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {
            "node-role.kubernetes.io/control-plane": "true", "node-role.kubernetes.io/etcd": "true",
            "node-role.kubernetes.io/master": "true"}},
        "spec": {},
        "status": {
            "conditions": [
                {"type": "EtcdIsVoter", "status": voter.0, "reason": voter.1},
                {"type": "Ready", "status": ready, "reason": "KubeletReady"}],
            "nodeInfo": {"kubeletVersion": "v1.33.4+k3s1"}},
    });
    json.to_string()
}

fn server(name: &'static str) -> Server {
    let readyz = "[+]ping ok\n[+]log ok\n[+]etcd ok\nreadyz check passed\n".to_owned();
    let is_leader = u8::from(name == "still-fawn");
    Server {
        name,
        is_up: true,
        readyz: (0, readyz, String::new()),
        etcd: Some((metrics(1, is_leader, 5000, 5000), 200)),
        node: node(name, "True", ("True", "MemberNotLearner")),
    }
}

fn three() -> [Server; 3] {
    [server("pve"), server("pumped-piglet"), server("still-fawn")]
}

/// Answers a command as a server of K3s does.
fn programs(server: &Server, nodes: &str, command: &Command) -> Result<CommandOutput, String> {
    if !server.is_up {
        return Err(format!("`{}` cannot be reached", server.name));
    }
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let said = |status: i32, output: &str, complaint: &str| {
        Ok(CommandOutput { status, output: output.into(), complaint: complaint.into() })
    };
    let silent = server.readyz.0 != 0 && !server.readyz.2.contains("[-]");
    match words.as_slice() {
        ["uname", "-n"] => said(0, &format!("{}\n", server.name.to_uppercase()), ""),
        ["env", _, "k3s", "--version"] => said(0, "k3s version v1.33.5+k3s1 (148243c4)\ngo version go1.24.5\n", ""),
        ["env", _, "k3s", "kubectl", patience, "get", rest @ ..] if patience.starts_with("--request-timeout=") => {
            match rest {
                ["--raw", "/readyz?verbose"] => said(server.readyz.0, &server.readyz.1, &server.readyz.2),
                _ if silent => said(1, "", &server.readyz.2),
                ["nodes", "-o", "json"] => said(0, nodes, ""),
                ["lease", "k3s", "-n", "kube-system", "-o", "json"] => {
                    said(0, r#"{"kind":"Lease","spec":{"holderIdentity":"pve","leaseTransitions":12}}"#, "")
                }
                other => panic!("no such question: {other:?}"),
            }
        }
        other => panic!("no such program: {other:?}"),
    }
}

/// Serves metrics and health until the test ends; gives the address.
async fn serves(metrics: String, health: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let metrics = metrics.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut request).await {
                    let is_metrics = request[..count].starts_with(b"GET /metrics ");
                    let (status, body) =
                        if is_metrics { (200, metrics.as_str()) } else { (health, "{\"health\":\"?\"}") };
                    let length = body.len();
                    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

async fn look(servers: &[Server], more: &[(&str, Value)]) -> Result<Value, Unreadable> {
    let mut nodes = String::from(r#"{"apiVersion":"v1","kind":"List","items":["#);
    for (at, server) in servers.iter().enumerate() {
        let _ = write!(nodes, "{}{}", if at == 0 { "" } else { "," }, server.node);
    }
    nodes.push_str("]}");
    let mut known = Known::default();
    let mut hosts = Vec::new();
    for server in servers {
        let mut doors = BTreeMap::new();
        if let Some((metrics, health)) = server.etcd.clone().filter(|_| server.is_up) {
            let at = DoorAddress::Tcp(serves(metrics, health).await);
            doors.insert("127.0.0.1:2381".to_owned(), at);
        }
        let (server, nodes) = (server.clone(), nodes.clone());
        let address = Address::new("host", "k3s").with_name(server.name);
        hosts.push(Value::String(address.to_string()));
        let answering = Box::new(move |command: &Command| programs(&server, &nodes, command));
        let host: Arc<dyn Connection> = Arc::new(Pretended { facts: Facts::default(), doors, answering });
        known.0.insert(address, host);
    }
    let mut attributes: BTreeMap<String, Value> = BTreeMap::from([("hosts".to_owned(), Value::List(hosts))]);
    attributes.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    if attributes.contains_key("host") {
        attributes.remove("hosts");
    }
    let source = crate::source();
    assert_eq!(source.check(&attributes), []);
    source.look(&Query { address: Address::new("k3s_cluster", "home"), attributes }, &known).await
}

fn at<'a>(answer: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(answer, |value, step| match value {
        Value::Map(entries) => entries.get(step).unwrap_or_else(|| panic!("no `{step}` in {value}")),
        Value::List(items) => &items[step.parse::<usize>().unwrap()],
        other => panic!("no `{step}` in {other}"),
    })
}

/// Asks, and compares some parts of the answer, by their paths.
async fn check(servers: &[Server], expect: &[(&str, Value)]) -> Value {
    let answer = look(servers, &[]).await.unwrap();
    for (path, value) in expect {
        assert_eq!(at(&answer, path), value, "{path} in {answer}");
    }
    answer
}

fn number(number: i64) -> Value {
    Value::from(number)
}

#[tokio::test]
async fn row_0_13_health_is_readyz_and_ready_nodes_and_every_voter() {
    let expect = [
        ("ready", Value::from(true)),
        ("nodes_ready", Value::from(true)),
        ("failed_checks", Value::List(Vec::new())),
        ("voters", number(3)),
        ("healthy_voters", number(3)),
        ("has_leader", Value::from(true)),
        ("etcd_leader", Value::from("still-fawn")),
        ("max_lag", number(0)),
        ("versions", Value::List(vec![Value::from("v1.33.4+k3s1"), Value::from("v1.33.5+k3s1")])),
        ("servers.0.host", Value::from("pve")),
        ("servers.0.node", Value::from("pve")),
        ("servers.2.is_leader", Value::from(true)),
        ("nodes.0.name", Value::from("pumped-piglet")),
        ("nodes.0.is_voter", Value::from(true)),
    ];
    let answer = check(&three(), &expect).await;
    assert_eq!(crate::source().quorum(&answer), Some(Quorum::of(3, 3)));
}

#[tokio::test]
async fn row_0_11_the_lease_is_reported_and_is_not_the_raft_leader() {
    let lease = [("lease_holder", Value::from("pve")), ("lease_transitions", number(12))];
    let answer = check(&three(), &lease).await;
    assert_eq!(at(&answer, "etcd_leader"), &Value::from("still-fawn"));
    // The lease stays where it is when raft loses its leader.
    let mut servers = three();
    for server in &mut servers {
        server.etcd = Some((metrics(0, 0, 5000, 5000), 200));
    }
    let answer = check(&servers, &lease).await;
    assert_eq!((at(&answer, "has_leader"), at(&answer, "etcd_leader")), (&Value::from(false), &Value::Null));
}

#[tokio::test]
async fn a_server_that_is_away_still_votes() {
    let mut servers = three();
    servers[0].is_up = false;
    servers[0].node = node("pve", "Unknown", ("False", "Unhealthy"));
    let expect = [
        ("voters", number(3)),
        ("healthy_voters", number(2)),
        ("ready", Value::from(false)),
        ("nodes_ready", Value::from(false)),
        ("etcd_leader", Value::from("still-fawn")),
        ("servers.0.error", Value::from("`pve` cannot be reached")),
        ("servers.0.version", Value::Null),
    ];
    let answer = check(&servers, &expect).await;
    let unwell = ["pve".to_owned()].into();
    assert_eq!(crate::source().quorum(&answer), Some(Quorum { voters: 3, healthy: 2, unwell }));
}

#[tokio::test]
async fn an_api_server_that_is_not_ready_names_its_checks() {
    let mut servers = three();
    let complaint = "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n\
                     Error from server (InternalError): an error on the server (\"[+]ping ok\\n[-]etcd failed: reason \
                     withheld\\nreadyz check failed\") has prevented the request from succeeding\n";
    servers[1].readyz = (1, String::new(), complaint.to_owned());
    let checks = Value::List(vec![Value::from("etcd")]);
    let expect = [
        ("ready", Value::from(false)),
        ("failed_checks", checks.clone()),
        ("servers.1.failed_checks", checks),
        ("servers.1.error", Value::from("its API server is not ready: etcd")),
        // Its etcd is fine all the same.
        ("healthy_voters", number(3)),
    ];
    check(&servers, &expect).await;
}

#[tokio::test]
async fn a_member_is_healthy_when_it_follows_and_keeps_up() {
    let fault = async |etcd: Option<(String, u16)>| {
        let mut servers = three();
        servers[0].etcd = etcd;
        let answer = check(&servers, &[("voters", number(3)), ("healthy_voters", number(2))]).await;
        at(&answer, "servers.0.etcd_error").as_str().unwrap().to_owned()
    };
    assert_eq!(fault(Some((metrics(1, 0, 5000, 3000), 200))).await, "it is 2000 entries behind");
    assert_eq!(fault(Some((metrics(1, 0, 3000, 3000), 200))).await, "it is 2000 entries behind");
    assert_eq!(fault(Some((metrics(0, 0, 5000, 5000), 200))).await, "it knows no leader");
    assert_eq!(fault(Some((metrics(1, 0, 5000, 5000), 503))).await, "it reports itself unhealthy (status 503)");
    assert_eq!(fault(None).await, "no way to `127.0.0.1:2381`");
    let html = "<html>Sign in</html>".to_owned();
    let message = "what answers as etcd on `pve` does not serve the metrics of etcd";
    assert_eq!(fault(Some((html, 200))).await, message);
    let many = metrics(1, 0, 5000, 5000).repeat(2);
    assert_eq!(fault(Some((many, 200))).await, message);
}

#[tokio::test]
async fn a_leader_that_was_voted_out_is_none() {
    let mut servers = three();
    servers[0].etcd = Some((metrics(1, 1, 4990, 4990), 200));
    let expect = [("etcd_leader", Value::from("still-fawn")), ("servers.0.is_leader", Value::from(false))];
    check(&servers, &expect).await;
}

#[tokio::test]
async fn learners_do_not_vote_and_other_databases_have_no_voters() {
    let mut servers = three();
    servers[0].node = node("pve", "True", ("False", "MemberIsLearner"));
    servers[0].etcd =
        servers[0].etcd.take().map(|(text, health)| (text.replace("is_learner 0", "is_learner 1"), health));
    check(
        &servers,
        &[("voters", number(2)), ("healthy_voters", number(2)), ("servers.0.is_learner", Value::from(true))],
    )
    .await;
    let mut single = server("pve");
    (single.node, single.etcd) = (single.node.replace("role.kubernetes.io/etcd", "role.kubernetes.io/x"), None);
    let expect = [("voters", number(0)), ("has_leader", Value::from(false)), ("etcd_leader", Value::Null)];
    let answer = check(&[single], &expect).await;
    assert_eq!(crate::source().quorum(&answer), None);
}

#[tokio::test]
async fn one_server_alone_does_not_hide_the_others() {
    let answer = look(&three(), &[("host", Value::from("host.k3s[\"pve\"]"))]).await.unwrap();
    assert_eq!((at(&answer, "voters"), at(&answer, "healthy_voters")), (&number(3), &number(1)));
    assert_eq!((at(&answer, "has_leader"), at(&answer, "etcd_leader")), (&Value::from(true), &Value::Null));
}

#[tokio::test]
async fn row_0_10_silence_is_not_health() {
    let mut servers = three();
    for server in &mut servers {
        server.is_up = false;
    }
    let error = look(&servers, &[]).await.unwrap_err();
    assert_eq!(error.code, crate::codes::NOBODY);
    assert!(error.message.contains("`pve` cannot be reached; `pumped-piglet`"), "{}", error.message);

    let mut servers = three();
    for server in &mut servers {
        let refused =
            "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?\n";
        server.readyz = (1, String::new(), refused.to_owned());
    }
    let error = look(&servers, &[]).await.unwrap_err();
    assert_eq!(error.code, crate::codes::NOBODY);
    assert!(error.message.contains("127.0.0.1:6443 was refused"), "{}", error.message);

    let mut servers = three();
    servers[0].node = "\u{1b}[31mnot json".to_owned();
    let error = look(&servers, &[]).await.unwrap_err();
    assert_eq!(error.code, crate::codes::NO_NODES);
    assert!(!error.message.contains('\u{1b}'));
}

#[test]
fn the_schema_takes_one_host_or_many() {
    let source = crate::source();
    tune_source::testing::check_schema(&*source);
    let attributes = &source.schema().attributes;
    assert_eq!(attributes["hosts"].of_type, Type::List(Box::new(Type::Host)));
    assert_eq!(attributes["host"].of_type, Type::Host);
    for schema in [source.schema(), source.answer()] {
        assert!(!schema.doc.is_empty() && schema.attributes.values().all(|attribute| !attribute.doc.is_empty()));
    }
    let wrong = BTreeMap::from([
        ("metrics_port".to_owned(), Value::from(0)),
        ("max_lag".to_owned(), Value::from(-1)),
        ("timeout".to_owned(), Value::from("x")),
    ]);
    let paths: Vec<String> = source.check(&wrong).iter().map(|problem| problem.path.to_string()).collect();
    assert_eq!(paths, ["", "metrics_port", "max_lag", "timeout"]);
    assert!(source.knows_quorum() && source.quorum(&Value::Null).is_none());
}
