//! A recording is an interface too: its format is pinned by a golden file per version and by a schema, and what is read
//! back is what was written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::export::{check, example as state, in_this_crate};
use tune_core::contract::{Connector as _, Lookup, ReadRequest};
use tune_core::item::{FileState, ItemKey, Raw};
use tune_core::ledger::{Entries, Ledger, LedgerEntry};
use tune_core::problem::Code;
use tune_core::reading::{Facts, ItemReading, Layer, Reading, Unreachable, Unreadable};
use tune_core::resource::{Become, Host, Transport};
use tune_core::{Address, Value};
use tune_engine::recording::{Datum, HostRecording, Recording, Replay, parse, print, schema, write};

const KNOWN: &[Code] = &[Code("tune::remote::refused"), Code("tune::sysctl::none")];

fn layer(value: &str, source: Option<&str>) -> Layer {
    Layer { value: Some(value.to_owned()), source: source.map(str::to_owned) }
}

fn example() -> Recording {
    let ledger = Ledger {
        lineage: "lineage".to_owned(),
        epoch: 7,
        writer: "tester@desk".to_owned(),
        host_id: "machine".to_owned(),
        entries: Entries::from_iter([(
            ("sysctl".to_owned(), ItemKey::from("vm.swappiness")),
            LedgerEntry {
                address: "sysctl.a".to_owned(),
                original: Some(Raw::Text("60".to_owned())),
                ours: vec![Raw::Text("10".to_owned())],
            },
        )]),
    };
    let facts = Facts {
        machine_id: Some("machine".to_owned()),
        boot_id: Some("boot".to_owned()),
        host_keys: BTreeSet::from(["SHA256:abc".to_owned()]),
        hostname: "db-1".to_owned(),
        kernel: "6.1.0-30-amd64".to_owned(),
        uid: 0,
        container: None,
        memory_kib: Some(4_096_000),
        swap_active: Some(true),
        waits_for_boot: vec!["the newer kernel 6.1.0-31-amd64".to_owned()],
        ledgers: Some(vec![ledger]),
    };
    let found = |raw: Raw| ItemReading {
        raw,
        running: layer("10", None),
        configured: Layer::default(),
        next_start: layer("60", Some("/etc/sysctl.d/a.conf:3")),
        writable: false,
    };
    let none = Unreadable { code: KNOWN[1], message: "there is no such parameter".to_owned(), help: None };
    let items = BTreeMap::from([
        (ItemKey::from("vm.swappiness"), Ok(found(Raw::Text("10".to_owned())))),
        (ItemKey::from("/etc/x"), Ok(found(Raw::File(FileState::public(vec![0xff, 0x00]))))),
        (ItemKey::from("vm.none"), Err(none.clone())),
    ]);
    let evidence = Arc::new(BTreeMap::from([("/etc/sysctl.d/a.conf".to_owned(), "vm.x = 1\n".to_owned())]));
    let kinds = BTreeMap::from([("sysctl".to_owned(), Reading { items, evidence })]);
    let refused = Unreachable {
        code: KNOWN[0],
        message: "`host.b` refused the connection".to_owned(),
        help: Some("look whether sshd runs".to_owned()),
    };
    let answer = Value::Map(BTreeMap::from([
        ("leader".to_owned(), Value::Null),
        ("voters".to_owned(), Value::from(3)),
        ("members".to_owned(), Value::List(vec![Value::from("a"), Value::from(true)])),
    ]));
    let asked = BTreeMap::from([("port".to_owned(), Value::from(2379))]);
    Recording {
        controller: Some("boot-of-desk".to_owned()),
        state: state(),
        hosts: BTreeMap::from([
            (Address::new("host", "a").with_name("x"), Ok(HostRecording { facts, kinds })),
            (Address::new("host", "b"), Err(refused)),
        ]),
        data: BTreeMap::from([
            (Address::new("etcd", "home"), Datum { asked, answer: Ok(answer) }),
            (Address::new("etcd", "away"), Datum { asked: BTreeMap::new(), answer: Err(none) }),
        ]),
    }
}

#[test]
fn version_1_is_written_and_read_as_ever() {
    let path = in_this_crate("tests/local/golden/recording.v1.json");
    check(&path, &print(&example()));
    assert_eq!(parse(&path, &fs::read_to_string(&path).unwrap(), KNOWN).unwrap(), example());
    let empty = Recording::default();
    assert_eq!(parse(&path, &print(&empty), KNOWN).unwrap(), empty);
}

#[test]
fn the_schema_is_current() {
    let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    check(&in_this_crate("../../schema/recording.json"), &schema);
}

#[test]
fn what_is_no_recording_is_refused() {
    let said = |text: &str| parse(Path::new("r.json"), text, KNOWN).unwrap_err().to_string();
    assert!(said("{\"version\": 2}").contains("version 2 of its format"));
    for text in ["", "{", "[]", "{}", "{\"version\": \"1\"}", "{\"version\": 1, \"hosts\": []}"] {
        assert!(said(text).starts_with("`r.json` is damaged: "), "{text}: {}", said(text));
    }
    let nothing = "{\"version\": 1, \"hosts\": {\"host.a\": {}}}";
    assert_eq!(said(nothing), "`r.json` is damaged: a host has neither `facts` nor an `error`");
    let item =
        "{\"version\": 1, \"hosts\": {\"host.a\": {\"facts\": {}, \"kinds\": {\"x\": {\"items\": {\"k\": {}}}}}}}";
    assert_eq!(said(item), "`r.json` is damaged: `k` has neither `raw` nor an `error`");
}

#[test]
fn an_error_of_another_version_keeps_its_words() {
    let other = parse(Path::new("r.json"), &print(&example()), &[]).unwrap();
    let Err(refused) = &other.hosts[&Address::new("host", "b")] else { panic!("it was refused") };
    assert_eq!(
        (refused.code.0, refused.message.as_str()),
        ("tune::engine::recorded", "`host.b` refused the connection")
    );
}

#[test]
fn a_recording_is_written_as_a_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json");
    write(&path, &example()).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), print(&example()));
    assert!(write(&folder.path().join("none/r.json"), &example()).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn what_was_recorded_is_answered_and_nothing_else() {
    let replay = Replay::new(Arc::new(example()));
    let host =
        |address: Address| Host { name: address.own_name(), address, transport: Transport::Local, become_: Become::No };
    let keys = ["vm.swappiness", "vm.none", "vm.other"].map(ItemKey::from);
    let lookup = Lookup { kind: "sysctl".to_owned(), keys: BTreeSet::from(keys) };
    let request = ReadRequest { lookups: vec![lookup], fence: None };
    let read = replay.connect(&host(Address::new("host", "a").with_name("x"))).read(&request).await.unwrap();
    let items = &read.readings[0].items;
    assert_eq!(items[&ItemKey::from("vm.swappiness")].as_ref().unwrap().raw, Raw::Text("10".to_owned()));
    assert_eq!(items[&ItemKey::from("vm.none")].as_ref().unwrap_err().code, KNOWN[1]);
    let missing = items[&ItemKey::from("vm.other")].as_ref().unwrap_err();
    assert_eq!(missing.code.0, "tune::engine::not_recorded");
    assert_eq!(missing.message, "the recording does not hold `vm.other` of kind `sysctl` on `host.a[\"x\"]`");
    assert_eq!(read.readings[0].evidence.len(), 1);
    let refused = replay.connect(&host(Address::new("host", "b"))).read(&request).await.unwrap_err();
    assert_eq!(refused.code, KNOWN[0]);
    let unknown = replay.connect(&host(Address::new("host", "c"))).read(&request).await.unwrap_err();
    assert_eq!(unknown.message, "the recording holds nothing of `host.c`");
}
