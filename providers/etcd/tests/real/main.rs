//! Three real etcd processes: healthy, one killed, one behind, a learner, an alarm, certificates.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what goes wrong in here is a failed test")]

mod cluster;

use std::time::{Duration, Instant};

use tune_core::address::Address;
use tune_core::problem::Code;
use tune_core::reading::Unreadable;
use tune_core::rollout::Query;
use tune_core::source::DoorAddress;
use tune_core::value::Value;
use tune_source::testing::{Known, Pretended};

use crate::cluster::{Cluster, is_installed};

const NOBODY: Code = Code("tune::etcd::nobody");

/// Asks once.
async fn look(cluster: &Cluster, attributes: &[(&str, Value)], reach: &Known) -> Result<Value, Unreadable> {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let source = tune_etcd::source(cluster.folder.path());
    assert_eq!(source.check(&attributes), []);
    let query = Query { address: Address::new("etcd", "home"), attributes };
    source.look(&query, reach).await
}

/// Returns a part of an answer, by a path such as `members.0.name`.
fn at<'a>(answer: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(answer, |value, step| match value {
        Value::Map(entries) => entries.get(step).unwrap_or_else(|| panic!("no `{step}` in {value}")),
        Value::List(items) => &items[step.parse::<usize>().unwrap()],
        other => panic!("no `{step}` in {other}"),
    })
}

/// Asks until the parts named are so; the wait is by looking.
async fn becomes(cluster: &Cluster, attributes: &[(&str, Value)], reach: &Known, expect: &[(&str, Value)]) -> Value {
    let begin = Instant::now();
    loop {
        let answer = look(cluster, attributes, reach).await;
        if let Ok(answer) = &answer
            && expect.iter().all(|(path, value)| at(answer, path) == value)
        {
            return answer.clone();
        }
        let shown = answer.map(|answer| answer.to_string());
        assert!(begin.elapsed() < Duration::from_mins(2), "never {expect:?}: {shown:?}\n{}", cluster.logs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn three() -> [(&'static str, Value); 4] {
    [
        ("voters", Value::from(3)),
        ("healthy_voters", Value::from(3)),
        ("has_leader", Value::from(true)),
        ("failures", Value::List(Vec::new())),
    ]
}

/// Hosts with a door to each member, by the names that a configuration may give them.
fn hosts(cluster: &Cluster, metrics: bool) -> (Known, Value) {
    let mut known = Known::default();
    let mut references = Vec::new();
    for (at, name) in ["pve", "still-fawn", "it's \"odd\""].into_iter().enumerate() {
        let address = Address::new("host", "etcd").with_name(name);
        references.push(Value::String(address.to_string()));
        let (to, port) = if metrics {
            ("127.0.0.1:2381", cluster.ports(at).metrics)
        } else {
            ("127.0.0.1:2379", cluster.ports(at).client)
        };
        let door = DoorAddress::Tcp(format!("127.0.0.1:{port}"));
        known.0.insert(address, Pretended::with_doors([(to, door)]));
    }
    (known, Value::List(references))
}

#[tokio::test]
async fn a_killed_member_is_missed_and_comes_back() {
    if !is_installed("a_killed_member_is_missed_and_comes_back") {
        return;
    }
    let mut cluster = Cluster::start(3, false, &[]);
    let block = [("endpoints", cluster.endpoints()), ("timeout", Value::from("20s"))];
    let none = Known::default();
    let answer = becomes(&cluster, &block, &none, &three()).await;
    assert_eq!(at(&answer, "members.0.name"), &Value::from("m0"));
    assert_eq!(at(&answer, "members.2.healthy"), &Value::from(true));
    assert_eq!(at(&answer, "alarms"), &Value::List(Vec::new()));
    assert_eq!(at(&answer, "leader_host"), &Value::Null);

    cluster.kill(1);
    let expect = [("voters", Value::from(3)), ("healthy_voters", Value::from(2)), ("has_leader", Value::from(true))];
    let answer = becomes(&cluster, &block, &none, &expect).await;
    assert_eq!(at(&answer, "members.1.healthy"), &Value::from(false));
    let error = at(&answer, "members.1.error").as_str().unwrap();
    assert!(error.ends_with("refuses connections"), "{error}");

    cluster.run(1, "existing");
    becomes(&cluster, &block, &none, &three()).await;

    // Without a majority nothing can be agreed on, and still it is known who votes.
    cluster.kill(0);
    cluster.kill(2);
    let expect = [("voters", Value::from(3)), ("healthy_voters", Value::from(0)), ("has_leader", Value::from(false))];
    let answer = becomes(&cluster, &block, &none, &expect).await;
    assert_eq!(at(&answer, "leader"), &Value::Null);
    cluster.kill(1);
    assert_eq!(look(&cluster, &block, &none).await.unwrap_err().code, NOBODY);
}

#[tokio::test]
async fn hosts_are_asked_at_their_own_loopback_and_named_in_the_answer() {
    if !is_installed("hosts_are_asked_at_their_own_loopback_and_named_in_the_answer") {
        return;
    }
    let cluster = Cluster::start(3, false, &[]);
    let (known, references) = hosts(&cluster, false);
    let answer = becomes(&cluster, &[("hosts", references.clone())], &known, &three()).await;
    let leader = at(&answer, "leader").as_str().unwrap().to_owned();
    let names = ["pve", "still-fawn", "it's \"odd\""];
    let expected = names[leader.trim_start_matches('m').parse::<usize>().unwrap()];
    assert_eq!(at(&answer, "leader_host").as_str(), Some(expected));

    // The metrics know no names, and agree on the rest.
    let (known, references) = hosts(&cluster, true);
    let block = [("hosts", references), ("metrics_port", Value::from(2381))];
    let answer = becomes(&cluster, &block, &known, &three()).await;
    assert_eq!(at(&answer, "leader_host").as_str(), Some(expected));
    assert_eq!((at(&answer, "leader").as_str(), at(&answer, "term")), (Some(expected), &Value::Null));

    // A way that leads nowhere makes one member unhealthy.
    let mut broken = Known(known.0.clone());
    broken.0.insert(Address::new("host", "etcd").with_name("pve"), Pretended::with_doors([]));
    let expect = [("voters", Value::from(3)), ("healthy_voters", Value::from(2))];
    let answer = becomes(&cluster, &block, &broken, &expect).await;
    assert_eq!(at(&answer, "failures.0.host"), &Value::from("pve"));
    assert_eq!(at(&answer, "failures.0.error"), &Value::from("no way to `127.0.0.1:2381`"));
    let unknown = [("hosts", Value::List(vec![Value::from("host.none")])), ("port", Value::from(1))];
    assert_eq!(look(&cluster, &unknown, &known).await.unwrap_err().code, NOBODY);
}

#[tokio::test]
async fn a_member_that_falls_behind_is_not_healthy_until_it_has_caught_up() {
    if !is_installed("a_member_that_falls_behind_is_not_healthy_until_it_has_caught_up") {
        return;
    }
    let mut cluster = Cluster::start(3, false, &[]);
    let block = |timeout: &str| {
        [("endpoints", cluster.endpoints()), ("timeout", Value::from(timeout)), ("max_lag", Value::from(10))]
    };
    let (patient, hasty) = (block("20s"), block("500ms"));
    let none = Known::default();
    let answer = becomes(&cluster, &patient, &none, &three()).await;
    let leader = at(&answer, "leader").as_str().unwrap().to_owned();
    let behind = if leader == "m2" { 1 } else { 2 };
    // It hangs: the port is open, nobody answers, and the others go on.
    cluster.signal(behind, "-STOP");
    for key in 0..30 {
        cluster.until("a key is put", |cluster| cluster.ctl(&["put", &format!("k{key}"), "v"])).await;
    }
    let answer = becomes(&cluster, &hasty, &none, &[("healthy_voters", Value::from(2))]).await;
    let error = at(&answer, &format!("members.{behind}.error")).as_str().unwrap().to_owned();
    assert!(error.ends_with("did not answer within 500ms"), "{error}");
    cluster.signal(behind, "-CONT");
    becomes(&cluster, &patient, &none, &three()).await;
    cluster.kill(behind);
}

#[tokio::test]
async fn learners_do_not_vote_and_alarms_are_told() {
    if !is_installed("learners_do_not_vote_and_alarms_are_told") {
        return;
    }
    let mut cluster = Cluster::start(1, false, &["--quota-backend-bytes", "200000"]);
    let none = Known::default();
    cluster.until("the first member answers", |cluster| cluster.ctl(&["get", "x"])).await;
    cluster.add_learner().await;
    let block = [("endpoints", cluster.endpoints()), ("timeout", Value::from("20s"))];
    let expect = [
        ("voters", Value::from(1)),
        ("healthy_voters", Value::from(1)),
        ("learners", Value::from(1)),
        ("members.1.name", Value::from("m1")),
        ("members.1.is_learner", Value::from(true)),
    ];
    let answer = becomes(&cluster, &block, &none, &expect).await;
    assert_eq!(at(&answer, "leader"), &Value::from("m0"));

    // One put after another until the space is used up; which of them is refused does not matter.
    let large = "x".repeat(50_000);
    let begin = Instant::now();
    while !look(&cluster, &block, &none).await.is_ok_and(|answer| *at(&answer, "alarms") != Value::List(Vec::new())) {
        cluster.ctl(&["put", "key", &large]);
        assert!(begin.elapsed() < Duration::from_mins(2), "no alarm\n{}", cluster.logs());
    }
    let expect = [("healthy_voters", Value::from(0)), ("alarms.0.alarm", Value::from("NOSPACE"))];
    let answer = becomes(&cluster, &block, &none, &expect).await;
    // Whichever notices first raises it.
    assert!(["m0", "m1"].contains(&at(&answer, "alarms.0.member").as_str().unwrap()));
    assert_eq!(at(&answer, "has_leader"), &Value::from(true));
}

#[tokio::test]
async fn certificates_are_verified_on_both_sides() {
    if !is_installed("certificates_are_verified_on_both_sides") {
        return;
    }
    let cluster = Cluster::start(3, true, &[]);
    let files = |ca: &str, cert: Option<&str>| {
        let mut block = vec![("endpoints", cluster.endpoints()), ("ca_file", Value::from(ca))];
        block.push(("timeout", Value::from("20s")));
        if let Some(cert) = cert {
            block.push(("cert_file", Value::String(format!("{cert}.pem"))));
            block.push(("key_file", Value::String(format!("{cert}.key"))));
        }
        block
    };
    let none = Known::default();
    let good = files("ca.pem", Some("client"));
    becomes(&cluster, &good, &none, &three()).await;

    let message = async |block: &[(&str, Value)]| {
        let error = look(&cluster, block, &none).await.unwrap_err();
        assert_eq!(error.code, NOBODY);
        assert!(!error.message.contains("PRIVATE KEY"));
        error.message
    };
    let shown = message(&files("other-ca.pem", Some("client"))).await;
    assert!(shown.contains("is not trusted: its issuer is not known"), "{shown}");
    // The refusal itself may be lost when the member hangs up at the same time; what to do is said in both cases.
    for cert in [None, Some("stranger")] {
        let error = look(&cluster, &files("ca.pem", cert), &none).await.unwrap_err();
        let is_known = ["refuses the connection", "closed the connection before it had answered"]
            .iter()
            .any(|words| error.message.contains(words));
        assert!(is_known && error.help.as_ref().is_some_and(|help| help.contains("`cert_file`")), "{error:?}");
    }
    let mut named = good.clone();
    named.push(("server_name", Value::from("other.test")));
    let shown = message(&named).await;
    assert!(shown.contains("it is for another name"), "{shown}");
    named.pop();
    named.push(("server_name", Value::from("etcd.test")));
    becomes(&cluster, &named, &none, &three()).await;
    // Plain text to an encrypted port, and encrypted to a plain one.
    let http = Value::String(cluster.client_url(0).replace("https", "http"));
    let shown = message(&[("endpoints", Value::List(vec![http]))]).await;
    assert!(shown.contains("TLS") || shown.contains("HTTP") || shown.contains("closed the connection"), "{shown}");
    let metrics = Value::String(format!("https://127.0.0.1:{}", cluster.ports(0).metrics));
    let mut block = files("ca.pem", None);
    block[0].1 = Value::List(vec![metrics]);
    let shown = message(&block).await;
    assert!(shown.contains("does not speak TLS"), "{shown}");

    // Through doors, over TLS.
    let (known, references) = hosts(&cluster, false);
    let mut block = good;
    block[0] = ("hosts", references);
    becomes(&cluster, &block, &known, &three()).await;
}

#[tokio::test]
async fn what_is_not_the_client_port_is_told() {
    if !is_installed("what_is_not_the_client_port_is_told") {
        return;
    }
    let cluster = Cluster::start(1, false, &["--enable-grpc-gateway=false"]);
    let none = Known::default();
    cluster.until("the member answers", |cluster| cluster.ctl(&["get", "x"])).await;
    let message = async |url: String| {
        let block = [("endpoints", Value::List(vec![Value::String(url)]))];
        look(&cluster, &block, &none).await.unwrap_err().message
    };
    let shown = message(cluster.client_url(0)).await;
    assert!(shown.contains("does not serve the JSON form of the client API"), "{shown}");
    let shown = message(format!("http://127.0.0.1:{}", cluster.ports(0).metrics)).await;
    assert!(shown.contains("does not serve the JSON form") || shown.contains("is not etcd"), "{shown}");
    let metrics = Value::String(format!("http://127.0.0.1:{}", cluster.ports(0).metrics));
    let block = [("metrics_endpoints", Value::List(vec![metrics]))];
    becomes(&cluster, &block, &none, &[("healthy_voters", Value::from(1)), ("voters", Value::from(1))]).await;
}
