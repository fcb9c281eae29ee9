//! The export is an interface: its format is pinned by a golden file per version and by a schema. `TUNE_REGENERATE=1`
//! writes the current ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::values::{item, run_record, with_items};
use tune_core::activation::{Activation, Verb};
use tune_core::item::{FileState, Raw};
use tune_core::state::Original;
use tune_engine::local::{Export, OpenRun, parse_export, print_export, schema};

pub(crate) fn example() -> Export {
    let mut state = with_items(7, 3);
    let records: Vec<_> = state.items.values_mut().collect();
    let [first, second, third] = records.try_into().unwrap();
    first.original = Original::Unknown;
    first.rolled_back_in = Some(6);
    first.owes = BTreeSet::from([Activation::machine(Verb::Reboot), Activation::of(Verb::Restart, "etcd.service")]);
    second.applied = Raw::File(FileState { content: b"vm.x = 1\n".to_vec(), mode: 0o640, uid: 0, gid: 4 });
    second.original =
        Original::Known { raw: Raw::Absent, next_boot: None, run: 2, time: "2026-11-20T17:00:00Z".to_owned() };
    third.applied = Raw::File(FileState::public(vec![0xff, 0x00]));
    third.original = Original::Known {
        raw: Raw::Text("\u{1b}[31m4096\t131072".to_owned()),
        next_boot: Some("4096 131072 (/etc/sysctl.d/a.conf:3)".to_owned()),
        run: 3,
        time: "2026-11-20T17:00:00Z".to_owned(),
    };
    let open_run = OpenRun {
        number: 8,
        command: "destroy".to_owned(),
        by: "tester@desk".to_owned(),
        started: "2026-11-20T18:00:00Z".to_owned(),
        lineage: state.lineage.clone(),
    };
    Export { state, runs: vec![run_record(7)], open_run: Some(open_run) }
}

/// Compares a file with what it should be, or writes it.
pub(crate) fn check(path: &Path, wanted: &str) {
    if std::env::var_os("TUNE_REGENERATE").is_some() {
        fs::write(path, wanted).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == wanted, "`{}` is out of date; run the tests with TUNE_REGENERATE=1", path.display());
}

pub(crate) fn in_this_crate(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn version_1_is_written_and_read_as_ever() {
    let path = in_this_crate("tests/local/golden/state.v1.json");
    check(&path, &print_export(&example()));
    assert_eq!(parse_export(&path, &fs::read_to_string(&path).unwrap()).unwrap(), example());
}

#[test]
fn the_schema_is_current() {
    let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    check(&in_this_crate("../../schema/state.json"), &schema);
}

#[test]
fn an_edited_export_is_taken_only_without_its_checksum() {
    let path = Path::new("edited.json");
    let edited = print_export(&example()).replace("7 1", "7 9");
    assert!(parse_export(path, &edited).unwrap_err().to_string().contains("checksum"));
    let lines: Vec<&str> = edited.lines().filter(|line| !line.contains("\"head\"")).collect();
    let taken = parse_export(path, &lines.join("\n")).unwrap();
    assert_eq!(taken.state.items[&item(1)].applied, Raw::Text("7 9".to_owned()));
}

#[test]
fn what_does_not_hold_together_is_refused() {
    let mut export = example();
    export.state.hosts.clear();
    let refused = parse_export(Path::new("x.json"), &print_export(&export)).unwrap_err();
    assert_eq!(refused.to_string(), "`x.json` is damaged: `vm.key1` is on a host that it does not name, `machine`");
    let mut export = example();
    export.state.resources.clear();
    let refused = parse_export(Path::new("x.json"), &print_export(&export)).unwrap_err();
    assert!(refused.to_string().contains("belongs to a resource that it does not name"), "{refused}");
    for text in ["", "{", "[]", "{\"version\": 1}", "{\"version\": \"1\"}"] {
        assert!(parse_export(Path::new("x.json"), text).is_err(), "{text}");
    }
}
