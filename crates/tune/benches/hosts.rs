//! What planning many hosts costs, beside plain `ssh HOST sh -s` with the same reads.
//!
//! `cargo bench -p tune --bench hosts` makes real OpenSSH hosts in namespaces of its own (root is needed), measures both
//! in turn, several times, and prints one table. CPU is that of the whole client side: `tune`, every `ssh` that it
//! starts and the connection masters that outlive it. `TUNE_BENCH_HOSTS` and `TUNE_BENCH_ROUNDS` change the size.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use tune_testkit::lab::{Lab, Tier, require};

/// The parameters of the first runbook and what they are weighed with: what a plan of one host reads.
const KEYS: [&str; 3] = ["vm.swappiness", "vm.dirty_ratio", "vm.dirty_background_ratio"];

fn main() {
    // `cargo test` starts benchmark programs with this flag only to see that they run.
    if env::args().any(|argument| argument == "--test") {
        return;
    }
    if let Err(skip) = require(Tier::Sshd) {
        println!("not run: {skip}");
        return;
    }
    let hosts = from_environment("TUNE_BENCH_HOSTS", 50);
    let rounds = from_environment("TUNE_BENCH_ROUNDS", 5);
    let names: Vec<String> = (1..=hosts).map(|number| format!("host{number:03}")).collect();
    let lab = Lab::create(Tier::Sshd, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    write_configuration(folder.path(), &names);
    let ssh_config = as_users_have_it(folder.path(), lab.ssh_config());
    let baseline = write_baseline(folder.path(), &ssh_config, &names);

    println!("planning {hosts} hosts, {} parameters each, {rounds} rounds, both in turn\n", KEYS.len());
    let plan = format!("{} -chdir={} plan -no-color", env!("CARGO_BIN_EXE_tune"), folder.path().display());
    let mut ratios = Vec::new();
    println!(
        "{:>6} {:>12} {:>12} {:>8} {:>12} {:>12} {:>10}",
        "round", "tune CPU", "ssh CPU", "ratio", "tune wall", "ssh wall", "tune RSS"
    );
    for round in 1..=rounds {
        let ours = measure(&plan, &ssh_config);
        let theirs = measure(&format!("sh {}", baseline.display()), &ssh_config);
        let ratio = ours.cpu / theirs.cpu;
        println!(
            "{round:>6} {:>10.2} s {:>10.2} s {ratio:>8.2} {:>10.2} s {:>10.2} s {:>7} MB",
            ours.cpu,
            theirs.cpu,
            ours.wall.as_secs_f64(),
            theirs.wall.as_secs_f64(),
            ours.peak_kib / 1024,
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!("\nmedian ratio of CPU: {:.2} (the aim is at most 1.3)", ratios[ratios.len() / 2]);
}

fn from_environment(name: &str, default: usize) -> usize {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The lab spares tests OpenSSH's default key exchange, which is most of what a login costs; users have it.
fn as_users_have_it(folder: &Path, lab: &Path) -> std::path::PathBuf {
    let text = fs::read_to_string(lab).expect("the lab wrote it");
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("KexAlgorithms"));
    let path = folder.join("ssh_config");
    fs::write(&path, lines.map(|line| format!("{line}\n")).collect::<Vec<_>>().concat()).expect("the folder is ours");
    path
}

fn write_configuration(folder: &Path, names: &[String]) {
    let mut text = String::from("locals {\n  names = [");
    for name in names {
        let _ = write!(text, "\"{name}\", ");
    }
    text.push_str("]\n}\n\nhost \"fleet\" {\n  for_each = toset(local.names)\n  address  = each.key\n  user     = \"root\"\n}\n\n");
    text.push_str("resource \"sysctl\" \"etcd\" {\n  for_each = host.fleet\n  host     = each.value\n  settings = {\n");
    for (key, value) in KEYS.iter().zip(["10", "5", "3"]) {
        let _ = writeln!(text, "    \"{key}\" = {value}");
    }
    text.push_str("  }\n}\n");
    fs::write(folder.join("fleet.tune.hcl"), text).expect("the folder is ours");
}

/// The same reads by hand: the parameters, the files that decide the next boot, and who the machine is, 32 at a time.
fn write_baseline(folder: &Path, ssh_config: &Path, names: &[String]) -> std::path::PathBuf {
    let mut reads = String::new();
    for key in KEYS {
        let _ = writeln!(reads, "cat /proc/sys/{}", key.replace('.', "/"));
    }
    reads.push_str("cat /etc/machine-id /proc/sys/kernel/random/boot_id /proc/swaps /proc/meminfo\n");
    reads.push_str("cat /etc/sysctl.d/*.conf /run/sysctl.d/*.conf /usr/lib/sysctl.d/*.conf 2>/dev/null; true\n");
    fs::write(folder.join("reads.sh"), reads).expect("the folder is ours");
    let mut script = format!("cd {}\n", folder.display());
    for (index, name) in names.iter().enumerate() {
        let _ = writeln!(
            script,
            "ssh -F {} -o BatchMode=yes -o StrictHostKeyChecking=yes root@{name} sh -s < reads.sh > /dev/null &",
            ssh_config.display()
        );
        if index % 32 == 31 {
            script.push_str("wait\n");
        }
    }
    script.push_str("wait\n");
    let path = folder.join("baseline.sh");
    fs::write(&path, script).expect("the folder is ours");
    path
}

struct Cost {
    cpu: f64,
    wall: Duration,
    peak_kib: u64,
}

/// Runs a command in a process namespace of its own. Connection masters detach from `tune`; there they fall to the
/// namespace's first process, so that their time is counted when the namespace ends.
fn measure(command: &str, ssh_config: &Path) -> Cost {
    let script = format!(
        "unshare --pid --fork --mount-proc --kill-child sh -c '{command}; while wait; do exit; done' > /dev/null; times"
    );
    let started = Instant::now();
    let child = Command::new("bash")
        .args(["-c", &script])
        .env("TUNE_SSH_CONFIG", ssh_config)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("bash is there");
    let finished = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let watcher = thread::spawn({
        let finished = finished.clone();
        move || peak_memory(&finished)
    });
    let output = child.wait_with_output().expect("the command ends");
    let wall = started.elapsed();
    finished.store(true, std::sync::atomic::Ordering::Relaxed);
    let peak_kib = watcher.join().unwrap_or(0);
    let shown = String::from_utf8_lossy(&output.stdout);
    let children = shown.lines().last().unwrap_or_default();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    Cost { cpu: children.split_whitespace().map(seconds).sum(), wall, peak_kib }
}

/// `0m1.250s` as `times` prints it.
fn seconds(text: &str) -> f64 {
    let (minutes, rest) = text.split_once('m').unwrap_or(("0", text));
    minutes.parse::<f64>().unwrap_or(0.0) * 60.0 + rest.trim_end_matches('s').parse::<f64>().unwrap_or(0.0)
}

/// The highest resident memory that any process named `tune` reached.
fn peak_memory(finished: &std::sync::atomic::AtomicBool) -> u64 {
    let mut peak = 0;
    while !finished.load(std::sync::atomic::Ordering::Relaxed) {
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Ok(status) = fs::read_to_string(entry.path().join("status")) else { continue };
            if !status.starts_with("Name:\ttune\n") {
                continue;
            }
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
            peak = peak.max(kib.unwrap_or(0));
        }
        thread::sleep(Duration::from_millis(20));
    }
    peak
}
