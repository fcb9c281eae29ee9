//! What a block may write.

use std::path::Path;

use tune_core::Number;
use tune_core::rollout::Quorum;
use tune_core::schema::Type;
use tune_core::value::Value;

use crate::codes;

fn list(items: &[&str]) -> Value {
    Value::List(items.iter().map(|item| Value::from(*item)).collect())
}

/// Checks a block and compares the mistakes as `PATH CODE`.
fn check(attributes: &[(&str, Value)], expect: &[&str]) {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let problems = crate::source(Path::new(".")).check(&attributes);
    let shown: Vec<String> = problems.iter().map(|problem| format!("{} {}", problem.path, problem.code)).collect();
    assert_eq!(shown, expect);
    assert!(problems.iter().all(|problem| !problem.message.ends_with('.')));
}

#[test]
fn good_blocks_have_no_mistakes() {
    let hosts = || ("hosts", list(&["host.etcd[\"a\"]"]));
    check(&[("endpoints", list(&["https://10.0.0.5:2379", "http://[fe80::1]:2379/"]))], &[]);
    check(&[hosts(), ("port", Value::from(12379)), ("timeout", Value::from("2s"))], &[]);
    check(&[hosts(), ("metrics_port", Value::from(2381)), ("metrics_endpoints", list(&["http://a:2381"]))], &[]);
    check(&[hosts(), ("ca_file", Value::from("ca.pem")), ("max_lag", Value::from(0))], &[]);
}

#[test]
fn every_mistake_is_told() {
    check(&[], &[" tune::etcd::no_endpoint"]);
    check(&[("hosts", list(&[]))], &["hosts tune::etcd::no_endpoint"]);
    check(
        &[("endpoints", list(&["10.0.0.5:2379", "https://a/v3", "https://u:p@a", "http://a"]))],
        &[
            "endpoints[0] tune::etcd::bad_endpoint",
            "endpoints[1] tune::etcd::bad_endpoint",
            "endpoints[2] tune::etcd::bad_endpoint",
        ],
    );
    check(
        &[
            ("endpoints", list(&["http://a:2379"])),
            ("hosts", list(&["host.a"])),
            ("port", Value::from(0)),
            ("metrics_port", Value::from(70000)),
            ("max_lag", Value::from(-1)),
            ("timeout", Value::from("soon")),
            ("cert_file", Value::from("../c.pem")),
        ],
        &[
            "cert_file tune::source::bad_path",
            "cert_file tune::source::bad_file",
            "timeout tune::source::bad_time",
            "metrics_port tune::etcd::two_ways",
            "metrics_port tune::etcd::two_ways",
            "port tune::source::bad_number",
            "metrics_port tune::source::bad_number",
            "max_lag tune::source::bad_number",
        ],
    );
    check(
        &[("metrics_endpoints", list(&["http://a:2381"])), ("hosts", list(&["host.a"]))],
        &["metrics_endpoints tune::etcd::two_ways"],
    );
}

#[test]
fn the_schema_has_lists_of_hosts_and_a_manual() {
    let source = crate::source(Path::new("."));
    tune_source::testing::check_schema(&*source);
    let attributes = &source.schema().attributes;
    assert_eq!(attributes["hosts"].of_type, Type::List(Box::new(Type::Host)));
    assert_eq!(attributes["endpoints"].of_type, Type::List(Box::new(Type::String)));
    assert!(attributes.values().all(|attribute| !attribute.required && !attribute.doc.is_empty()));
    let answer = &source.answer().attributes;
    assert_eq!(answer["voters"].of_type, Type::Integer);
    assert_eq!(answer["leader_host"].of_type, Type::String);
    assert!(matches!(answer["members"].of_type, Type::List(_)));
    assert!(answer.values().all(|attribute| !attribute.doc.is_empty()));
    let codes: Vec<_> = source.explanations().iter().map(|explanation| explanation.code).collect();
    assert!(codes.contains(&codes::NOBODY));
}

#[test]
fn an_answer_tells_who_votes() {
    let source = crate::source(Path::new("."));
    let number = |number: i64| Value::Number(Number::from(number));
    let map = |pairs: &[(&str, Value)]| {
        Value::Map(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    };
    assert!(source.knows_quorum());
    let none = || Value::List(Vec::new());
    let counts = |voters: i64, healthy: i64| [("voters", number(voters)), ("healthy_voters", number(healthy))];
    for broken in [Value::Null, map(&counts(3, 2)), map(&[("voters", number(3)), ("members", none())])] {
        assert_eq!(source.quorum(&broken), None);
    }
    let negative = [&counts(-1, 1)[..], &[("members", none()), ("failures", none())]].concat();
    assert_eq!(source.quorum(&map(&negative)), None);

    let member = |healthy: bool, host: Option<&str>, endpoint: Option<&str>| {
        let text = |text: Option<&str>| text.map_or(Value::Null, Value::from);
        let entries = [("name", Value::from("etcd-1")), ("healthy", Value::Bool(healthy))];
        map(&[&entries[..], &[("host", text(host)), ("endpoint", text(endpoint))]].concat())
    };
    let check = |members: Vec<Value>, failures: Vec<Value>, expect: &[&str]| {
        let lists = [("members", Value::List(members)), ("failures", Value::List(failures))];
        let answer = map(&[&counts(3, 2)[..], &lists].concat());
        let unwell = expect.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(source.quorum(&answer), Some(Quorum { voters: 3, healthy: 2, unwell }));
    };
    check(vec![member(true, Some("a"), None), member(false, Some("b"), Some("http://127.0.0.1:2379"))], vec![], &["b"]);
    // An endpoint that does not answer as a member is no healthy one, whatever the member there is called.
    check(vec![member(true, Some("a"), None)], vec![map(&[("host", Value::from("c"))])], &["c"]);
    check(vec![member(false, None, Some("https://[fe80::1]:2379"))], vec![], &["etcd-1", "fe80::1"]);
    // Whether one that nobody was asked for is well is not known.
    check(vec![member(false, None, None)], vec![], &[]);
}
