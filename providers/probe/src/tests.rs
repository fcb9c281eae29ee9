//! The sources against this machine's own programs and ports, and against pretended hosts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tune_core::address::Address;
use tune_core::contract::Connection;
use tune_core::reading::{Facts, Unreadable};
use tune_core::rollout::Query;
use tune_core::schema::Type;
use tune_core::source::{CommandOutput, Source, Use};
use tune_core::value::Value;
use tune_source::testing::{AWAY, Here, Known, Pretended};

type Block<'a> = &'a [(&'a str, Value)];

fn source(kind: &str) -> Arc<dyn Source> {
    crate::sources(Path::new(".")).into_iter().find(|source| source.schema().kind == kind).unwrap()
}

fn attributes(block: Block<'_>) -> BTreeMap<String, Value> {
    block.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn list(items: &[&str]) -> Value {
    Value::List(items.iter().map(|item| Value::from(*item)).collect())
}

/// Asks once, with `host.a` and `host.b` as hosts.
async fn look(kind: &str, block: Block<'_>, hosts: &[Arc<dyn Connection>]) -> Result<Value, Unreadable> {
    let source = source(kind);
    let attributes = attributes(block);
    assert_eq!(source.check(&attributes), []);
    let names = ["a", "b"].map(|name| Address::new("host", name));
    let known = Known(names.into_iter().zip(hosts.iter().cloned()).collect());
    source.look(&Query { address: Address::new(kind, "x"), attributes }, &known).await
}

fn here() -> Vec<Arc<dyn Connection>> {
    vec![Arc::new(Here)]
}

fn at<'a>(answer: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(answer, |value, step| match value {
        Value::Map(entries) => &entries[step],
        Value::List(items) => &items[step.parse::<usize>().unwrap()],
        other => panic!("no `{step}` in {other}"),
    })
}

/// Checks a block and compares the paths of its mistakes.
fn check(kind: &str, block: Block<'_>, expect: &[&str]) {
    let problems = source(kind).check(&attributes(block));
    let paths: Vec<String> = problems.iter().map(|problem| problem.path.to_string()).collect();
    assert_eq!(paths, expect, "{kind}");
}

#[test]
fn every_attribute_has_a_manual_and_only_harmless_sources_are_data() {
    let sources = crate::sources(Path::new("."));
    let shown: Vec<(&str, Use)> = sources.iter().map(|source| (source.schema().kind, source.usable())).collect();
    let probes = [("ssh", Use::Probe), ("tcp", Use::Probe), ("http", Use::Probe)];
    assert_eq!(shown, [probes.as_slice(), &[("systemd_unit", Use::Anywhere), ("host_facts", Use::Anywhere)]].concat());
    for source in &sources {
        tune_source::testing::check_schema(&**source);
        for schema in [source.schema(), source.answer()] {
            assert!(!schema.doc.is_empty());
            assert!(schema.attributes.values().all(|attribute| !attribute.doc.is_empty()), "{}", schema.kind);
        }
        assert!(!source.knows_quorum() && source.quorum(&Value::Null).is_none());
    }
    let unit = source("systemd_unit");
    assert_eq!(unit.schema().attributes["hosts"].of_type, Type::List(Box::new(Type::Host)));
    assert_eq!(unit.schema().attributes["host"].of_type, Type::Host);
}

#[test]
fn every_mistake_is_told() {
    let host = ("host", Value::from("host.a"));
    check("ssh", &[host.clone(), ("command", list(&["true"]))], &[]);
    check("ssh", &[host.clone(), ("command", list(&[]))], &["command"]);
    check("ssh", &[host.clone(), ("command", list(&["-x"]))], &["command"]);
    let wrong = [("command", list(&["a", "b\0"])), ("timeout", Value::from("2h")), ("limit", Value::from(1 << 21))];
    check("ssh", &wrong, &["timeout", "limit", "command[1]"]);
    check("tcp", &[("address", Value::from("fe80::1")), ("port", Value::from(22))], &[]);
    check("tcp", &[("address", Value::from("a b")), ("port", Value::from(0))], &["port", "address"]);
    check("tcp", &[("address", Value::from("a/../b")), ("port", Value::from(1))], &["address"]);
    let status = |status: i64| ("status", Value::List(vec![Value::from(200), Value::from(status)]));
    check("http", &[("url", Value::from("https://a/b")), status(503), ("method", Value::from("HEAD"))], &[]);
    let header =
        |name: &str, value: &str| ("headers", Value::Map(BTreeMap::from([(name.to_owned(), Value::from(value))])));
    check(
        "http",
        &[("url", Value::from("a")), status(99), header("x", "a\r\nb: c")],
        &["url", "status[1]", "headers[\"x\"]"],
    );
    check("http", &[("url", Value::from("http://a")), ("method", Value::from("POST"))], &["method"]);
    check("http", &[("url", Value::from("http://a")), header("Content-Length", "5")], &["headers[\"Content-Length\"]"]);
    check("systemd_unit", &[host.clone(), ("unit", Value::from("etcd"))], &[]);
    check("systemd_unit", &[("unit", Value::from("--help"))], &["", "unit"]);
    check("host_facts", &[host, ("timeout", Value::from("x"))], &["timeout"]);
}

#[tokio::test]
async fn a_program_gets_its_words_as_they_are() {
    let words = ["printf", "%s|", "a b", "$(id)", "'\"", "*"];
    let answer = look("ssh", &[("host", Value::from("host.a")), ("command", list(&words))], &here()).await.unwrap();
    assert_eq!(at(&answer, "output"), &Value::from("a b|$(id)|'\"|*|"));
    assert_eq!(at(&answer, "status"), &Value::from(0));
    let words = ["sh", "-c", "echo out; echo err >&2; echo; exit 3"];
    let answer = look("ssh", &[("host", Value::from("host.a")), ("command", list(&words))], &here()).await.unwrap();
    assert_eq!((at(&answer, "status"), at(&answer, "output")), (&Value::from(3), &Value::from("out")));
    assert_eq!(at(&answer, "error_output"), &Value::from("err"));
}

#[tokio::test]
async fn the_limits_of_a_program_reach_its_host() {
    let host = Pretended::with_programs(|command| {
        let shown = format!("{:?} {} {}\n\u{fffd}\n\n", command.deadline, command.output_limit, command.input.len());
        Ok(CommandOutput { status: 0, output: [shown.as_bytes(), b"\xff\n"].concat(), complaint: Vec::new() })
    });
    let block = [
        ("host", Value::from("host.a")),
        ("command", list(&["x"])),
        ("timeout", Value::from("500ms")),
        ("limit", Value::from(100)),
        ("input", Value::from("abc")),
    ];
    let answer = look("ssh", &block, &[host]).await.unwrap();
    assert_eq!(at(&answer, "output"), &Value::from("500ms 100 3\n\u{fffd}\n\n\u{fffd}"));
    let away = Pretended::with_programs(|_| Err("it is away".to_owned()));
    let error = look("ssh", &[("host", Value::from("host.a")), ("command", list(&["x"]))], &[away]).await.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (AWAY, "it is away"));
    let error = look("ssh", &[("host", Value::from("host.none")), ("command", list(&["x"]))], &[]).await.unwrap_err();
    assert_eq!(error.code.0, "tune::source::no_host");
}

#[tokio::test]
async fn a_port_is_open_or_closed_from_here_and_from_a_host() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = Value::from(i64::from(listener.local_addr().unwrap().port()));
    let from = |host: bool| {
        let mut block = vec![("address", Value::from("127.0.0.1")), ("port", port.clone())];
        block.push(("timeout", Value::from("60s")));
        if host {
            block.push(("host", Value::from("host.a")));
        }
        block
    };
    for host in [false, true] {
        let answer = look("tcp", &from(host), &here()).await.unwrap();
        assert_eq!((at(&answer, "open"), at(&answer, "error")), (&Value::from(true), &Value::Null), "{host}");
        assert!(matches!(at(&answer, "connect_ms"), Value::Number(_)), "{answer}");
    }
    drop(listener);
    for host in [false, true] {
        let answer = look("tcp", &from(host), &here()).await.unwrap();
        assert_eq!((at(&answer, "open"), at(&answer, "connect_ms")), (&Value::from(false), &Value::Null), "{host}");
        assert!(at(&answer, "error").as_str().unwrap().starts_with("Connection refused"), "{answer}");
    }
    let block = from(true);
    let status = |status| {
        Pretended::with_programs(move |_| Ok(CommandOutput { status, output: Vec::new(), complaint: Vec::new() }))
    };
    let answer = look("tcp", &block, &[status(124)]).await.unwrap();
    assert_eq!(at(&answer, "error"), &Value::from("no answer in time"));
    assert_eq!(look("tcp", &block, &[status(127)]).await.unwrap_err().code.0, "tune::tcp::no_bash");
    assert_eq!(at(&look("tcp", &block, &[status(0)]).await.unwrap(), "connect_ms"), &Value::Null);
}

/// Serves one answer after another, one connection each; gives the port.
async fn serves(answers: Vec<String>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let count = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..count]).to_ascii_lowercase();
            let _ = stream.write_all(answer.replace("REQUEST", &request).as_bytes()).await;
        }
    });
    port
}

#[tokio::test]
async fn a_url_answers_from_here_and_through_a_host() {
    let answers = vec!["HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nREQUEST".to_owned(); 2];
    let port = serves(answers).await;
    let headers = Value::Map(BTreeMap::from([("accept".to_owned(), Value::from("text/plain"))]));
    let mut block = vec![("url", Value::String(format!("http://127.0.0.1:{port}/x?y=1"))), ("headers", headers)];
    for host in [false, true] {
        if host {
            block.push(("host", Value::from("host.a")));
        }
        let answer = look("http", &block, &here()).await.unwrap();
        assert_eq!((at(&answer, "status"), at(&answer, "ok")), (&Value::from(200), &Value::from(true)));
        assert_eq!(at(&answer, "headers.x-a"), &Value::from("b"));
        let body = at(&answer, "body").as_str().unwrap();
        assert!(body.starts_with("get /x?y=1 http/1.1\r\n") && body.contains("accept: text/plain"), "{body}");
    }
}

#[tokio::test]
async fn answers_send_on_within_one_service_only() {
    let to = |location: &str| format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    let done = "HTTP/1.1 204 No Content\r\n\r\n".to_owned();
    let ask = async |answers: Vec<String>| {
        let port = serves(answers).await;
        let block = [("url", Value::String(format!("http://127.0.0.1:{port}/")))];
        let answer = look("http", &block, &[]).await.unwrap();
        let url = at(&answer, "url").as_str().unwrap().replace(&format!(":{port}"), "");
        (at(&answer, "status").to_string(), at(&answer, "ok").to_string(), url)
    };
    let expect = |status: &str, ok: &str, url: &str| (status.to_owned(), ok.to_owned(), url.to_owned());
    assert_eq!(ask(vec![to("/next?a=b"), done.clone()]).await, expect("204", "true", "http://127.0.0.1/next?a=b"));
    assert_eq!(ask(vec![to("http://127.0.0.1:9/")]).await, expect("302", "false", "http://127.0.0.1/"));
    assert_eq!(ask(vec![to("//elsewhere/")]).await, expect("302", "false", "http://127.0.0.1/"));
    assert_eq!(ask(vec![to("/loop"); 9]).await, expect("302", "false", "http://127.0.0.1/loop"));
}

#[tokio::test]
async fn content_is_cut_and_statuses_are_judged() {
    let port = serves(vec![format!("HTTP/1.1 503 Busy\r\nContent-Length: 5000\r\n\r\n{}", "x".repeat(5000)); 2]).await;
    let mut block = vec![("url", Value::String(format!("http://127.0.0.1:{port}/"))), ("limit", Value::from(10))];
    let answer = look("http", &block, &[]).await.unwrap();
    assert_eq!((at(&answer, "ok"), at(&answer, "truncated")), (&Value::from(false), &Value::from(true)));
    assert_eq!(at(&answer, "body"), &Value::from("xxxxxxxxxx"));
    block.push(("status", Value::List(vec![Value::from(503)])));
    assert_eq!(at(&look("http", &block, &[]).await.unwrap(), "ok"), &Value::from(true));
}

#[tokio::test]
async fn a_unit_is_looked_at_on_every_host() {
    let unit = |state: &'static str| {
        Pretended::with_programs(move |command| {
            assert_eq!(command.words[..5], ["env", "LC_ALL=C", "TZ=UTC", "systemctl", "show"]);
            assert_eq!(command.words[6..], ["--", "etcd.service"]);
            let output = format!("LoadState=loaded\nActiveState={state}\nSubState=x\n").into_bytes();
            Ok(CommandOutput { status: 0, output, complaint: Vec::new() })
        })
    };
    let away = || Pretended::with_programs(|_| Err("it is away".to_owned()));
    let block = [("hosts", list(&["host.a", "host.b"])), ("unit", Value::from("etcd.service"))];
    let answer = look("systemd_unit", &block, &[unit("active"), unit("active")]).await.unwrap();
    assert_eq!((at(&answer, "active"), at(&answer, "units.1.host")), (&Value::from(true), &Value::from("b")));
    let answer = look("systemd_unit", &block, &[unit("active"), unit("failed")]).await.unwrap();
    assert_eq!(at(&answer, "active"), &Value::from(false));
    assert_eq!(at(&answer, "units.1.active_state"), &Value::from("failed"));
    let answer = look("systemd_unit", &block, &[away(), unit("active")]).await.unwrap();
    assert_eq!(
        (at(&answer, "active"), at(&answer, "units.0.error")),
        (&Value::from(false), &Value::from("it is away"))
    );
    assert_eq!(look("systemd_unit", &block, &[away(), away()]).await.unwrap_err().code, AWAY);
    let dead = Pretended::with_programs(|_| {
        let complaint = b"System has not been booted with systemd as init system\n".to_vec();
        Ok(CommandOutput { status: 1, output: Vec::new(), complaint })
    });
    let block = [("host", Value::from("host.a")), ("unit", Value::from("etcd.service"))];
    let error = look("systemd_unit", &block, &[dead]).await.unwrap_err();
    assert_eq!(error.code.0, "tune::systemd_unit::no_systemd");
    assert!(error.message.ends_with("System has not been booted with systemd as init system"), "{}", error.message);
}

#[tokio::test]
async fn facts_come_from_the_reading_and_from_files() {
    let answering = |command: &tune_core::source::Command| {
        let output = std::process::Command::new(&command.words[0]).args(&command.words[1..]).output().unwrap();
        Ok(CommandOutput { status: output.status.code().unwrap_or(1), output: output.stdout, complaint: Vec::new() })
    };
    let facts = Facts {
        hostname: "nas".to_owned(),
        boot_id: Some("b".to_owned()),
        memory_kib: Some(1024),
        swap_active: Some(false),
        waits_for_boot: vec!["the newer kernel 6.1.0-30-amd64".to_owned()],
        ..Facts::default()
    };
    let host: Arc<dyn Connection> =
        Arc::new(Pretended { facts, doors: BTreeMap::new(), answering: Box::new(answering) });
    let answer = look("host_facts", &[("host", Value::from("host.a"))], &[host]).await.unwrap();
    assert_eq!((at(&answer, "hostname"), at(&answer, "memory_kib")), (&Value::from("nas"), &Value::from(1024)));
    assert!(matches!(at(&answer, "uptime_seconds"), Value::Number(_)), "{answer}");
    assert!(matches!(at(&answer, "cpus"), Value::Number(_)), "{answer}");
    assert_eq!(at(&answer, "machine_id"), &Value::Null);
    assert_eq!(at(&answer, "waits_for_boot.0"), &Value::from("the newer kernel 6.1.0-30-amd64"));
}
