//! What a command costs.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

/// What one command took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// CPU seconds, user and system.
    pub(crate) cpu: f64,
    /// The highest resident memory, in KiB, as it was seen from outside.
    pub(crate) peak_kib: u64,
}

/// Runs a command to its end, which must be a good one, and says what it and its children took, and how long on the wall.
/// No other child of this process may end meanwhile.
pub(crate) fn measure(command: &mut Command) -> (Cost, Duration) {
    let before = children();
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program is there");
    let id = child.id().to_string();
    let watcher = thread::spawn(move || {
        let mut peak = 0;
        while let Some(kib) = peak_kib(&id) {
            peak = peak.max(kib);
            thread::sleep(Duration::from_millis(5));
        }
        peak
    });
    let complaints = io::read_to_string(child.stderr.take().expect("it is piped")).unwrap_or_default();
    let status = child.wait().expect("the command ends");
    let wall = started.elapsed();
    assert!(status.success(), "{command:?}: {complaints}");
    let peak_kib = watcher.join().expect("it only reads");
    (Cost { cpu: children() - before, peak_kib }, wall)
}

/// Returns the highest resident memory that a process reached so far; `None` once it is gone.
pub(crate) fn peak_kib(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// The CPU seconds of all children that have ended.
fn children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: u32 = after_name.split(' ').skip(13).take(2).filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    // The kernel counts in hundredths of a second for programs.
    f64::from(ticks) / 100.0
}
