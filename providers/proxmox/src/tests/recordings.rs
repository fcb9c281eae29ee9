//! The recordings of the real API: every string in them is taken, refused and stored as there.
//!
//! They are not part of this repository. Where `TUNE_PVE_RECORDINGS` names their folder they are all tried.

use std::path::PathBuf;

use serde_json::Value as Json;

use crate::property::PropertyString;
use crate::stored::stored;
use crate::table::{DRIVE, NET};

/// Says aloud that the comparison did not take place; the file that the variable names is counted at the end.
fn skipped() {
    use std::io::Write as _;
    if let Some(path) = std::env::var_os("TUNE_SKIPS") {
        let line = "proxmox: TUNE_PVE_RECORDINGS names no folder with recordings of the real API\n";
        let file = std::fs::OpenOptions::new().append(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the file of skips can be written");
    }
}

fn records(file: &str) -> Option<Vec<Json>> {
    let Some(folder) = std::env::var_os("TUNE_PVE_RECORDINGS") else {
        skipped();
        return None;
    };
    let text = std::fs::read_to_string(PathBuf::from(folder).join(file)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    Some(lines.filter(|record: &Json| record["_meta"] != true).collect())
}

#[test]
fn every_recorded_drive_is_taken_as_by_the_real_api() {
    let Some(records) = records("drives.jsonl") else { return };
    assert!(records.len() > 100);
    for record in records {
        let (key, input) = (record["key"].as_str().unwrap(), record["input"].as_str().unwrap());
        assert_eq!(PropertyString::parse(DRIVE, input).to_string(), input);
        let printed = stored(key, input);
        assert_eq!(printed.is_ok(), record["ok"] == true, "{key} {input}: {printed:?}");
        if let Some(expected) = record["printed"].as_str().filter(|_| record["ok"] == true) {
            assert_eq!(printed.as_deref(), Ok(expected), "{key} {input}");
        }
    }
}

#[test]
fn every_recorded_network_device_is_taken_as_by_the_real_api() {
    let Some(records) = records("nets.jsonl") else { return };
    assert!(records.len() > 20);
    for record in records {
        let input = record["input"].as_str().unwrap();
        assert_eq!(PropertyString::parse(NET, input).to_string(), input);
        let printed = stored("net0", input);
        assert_eq!(printed.is_ok(), record["status"] == 200, "{input}: {printed:?}");
        let line = record["stored_lines"][0].as_str().and_then(|line| line.strip_prefix("net0: "));
        if let (Ok(printed), Some(expected)) = (printed, line) {
            let expected =
                if expected.contains("<mac") { expected.replace("=<mac:1>", "") } else { expected.to_owned() };
            assert_eq!(printed, expected, "{input}");
        }
    }
}
