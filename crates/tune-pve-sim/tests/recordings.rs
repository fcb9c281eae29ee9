//! Recordings of the real API against the simulator, where there are any on this machine.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test ends where it is surprised, and skips aloud")]

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::Value;
use tune_pve_sim::Cluster;

/// The folder of recordings: `replay.py`, `scenarios` and files of strings.
const VARIABLE: &str = "TUNE_PVE_RECORDINGS";

/// The file to which each skip is appended, as one line `TEST: why`.
const SKIPS: &str = "TUNE_SKIPS";

/// The folder, or a skip that is said aloud.
fn recordings(test: &str) -> Option<PathBuf> {
    if let Some(folder) = env::var_os(VARIABLE) {
        return Some(folder.into());
    }
    let line = format!("{test}: {VARIABLE} names no folder of recordings");
    eprintln!("skipped: {line}");
    if let Some(path) = env::var_os(SKIPS) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        // One write, because tests that run side by side append to the same file.
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recorded_step_is_answered_as_it_was() {
    let Some(folder) = recordings("every_recorded_step_is_answered_as_it_was") else { return };
    let cluster = Cluster::builder().plain_http().control_endpoint().start().await.unwrap();
    let mut command = tokio::process::Command::new("python3");
    command.arg(folder.join("replay.py")).args(["--base", cluster.url(), "--headers"]);
    command.arg("--scenarios").arg(folder.join("scenarios"));
    for kind in ["drives", "nets", "others"] {
        command.args(["--strings", kind]).arg(folder.join(format!("{kind}.jsonl")));
    }
    let output = command.kill_on_drop(true).output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<&str> = text.lines().filter(|line| line.contains(": expected ")).collect();
    // In a sample of the strings, the image numbers of a later one may depend on one that is not in the sample.
    let known = |line: &&&str| line.contains("efidisk0") && line.contains("vm-107-disk-");
    assert_eq!(failed.len(), failed.iter().filter(known).count(), "{text}");
    assert!(text.contains("| steps passed |"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn every_recorded_file_has_its_digest() {
    let Some(folder) = recordings("every_recorded_file_has_its_digest") else { return };
    let cluster = Cluster::builder().plain_http().control_endpoint().start().await.unwrap();
    let lines = fs::read_to_string(folder.join("digests.jsonl")).unwrap();
    let mut count = 0;
    for line in lines.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let (Some(text), Some(digest)) = (record["config_file"].as_str(), record["digest"].as_str()) else { continue };
        if text.contains("\\x") {
            continue;
        }
        cluster.control().add_vm(100, "pve1", text);
        assert_eq!(cluster.control().digest(100).as_deref(), Some(digest), "{text}");
        count += 1;
    }
    assert!(count > 0, "there are no digests");
}
