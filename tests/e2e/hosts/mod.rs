//! The real binary over real OpenSSH against real hosts. Each test has hosts of its own, and looks at them directly, not
//! through the binary: what the binary says and what is true are compared.

mod access;
mod booted;
mod cycle;
mod drift;
mod edits;
mod etcd;
mod history;
mod homelab;
mod kills;
mod loss;
mod obstacles;
mod project;
mod reach;
mod saved_plan;
mod sharing;
mod texts;
mod undo;

use std::time::Duration;

use project::{Ended, Project};
use tune_testkit::lab::{Host, Lab, Snapshot, Tier};
use tune_testkit::{require_tier, skip_unless};

/// How long something may take that a loaded machine does in a second or two.
const SOON: Duration = Duration::from_secs(40);

/// The parameters of the first runbook.
const RUNBOOK: &str = r#""vm.swappiness" = 10, "vm.dirty_ratio" = 5, "vm.dirty_background_ratio" = 3"#;

/// The file of the resource `sysctl.etcd`.
const DROP_IN: &str = "/etc/sysctl.d/99-zz-tune-etcd.conf";

/// A `host` block for each name, which is its address too.
fn hosts(names: &[&str]) -> String {
    names.iter().map(|name| format!("host \"{name}\" {{\n  address = \"{name}\"\n}}\n\n")).collect::<Vec<_>>().concat()
}

/// A `sysctl` resource on a host that [`hosts`] wrote. `settings` are entries with commas between them, `more` is more
/// text for the block.
fn sysctl(name: &str, host: &str, settings: &str, more: &str) -> String {
    format!(
        "resource \"sysctl\" \"{name}\" {{\n  host     = host.{host}\n  settings = {{ {settings} }}\n  {more}\n}}\n\n"
    )
}

/// A configuration with one host and the resource `sysctl.etcd` on it.
fn one(settings: &str) -> String {
    hosts(&["fawn"]) + &sysctl("etcd", "fawn", settings, "")
}

/// A lab with the one host `fawn`.
fn fawn() -> Lab {
    Lab::create(Tier::Sshd, &["fawn"])
}

/// Fails unless a running value is as expected.
#[track_caller]
fn assert_value(host: &Host, key: &str, value: &str) {
    assert_eq!(host.sysctl(key).as_deref(), Some(value), "{key} on `{}`", host.name());
}

/// Fails unless everything is as in `before`, except what `tune` notes about itself: which run was the last one.
#[track_caller]
fn assert_untouched(host: &Host, before: &Snapshot) {
    let mut differences = before.differences(&host.snapshot());
    differences.retain(|line| !line.starts_with("/var/lib/tune/"));
    assert!(differences.is_empty(), "`{}` was touched: {differences:#?}", host.name());
}

/// Returns the only ledger directory that a host carries.
#[track_caller]
fn ledger(host: &Host) -> String {
    let listed = host.exec("ls -d /var/lib/tune/*/").success();
    assert_eq!(listed.lines().count(), 1, "{listed}");
    listed.trim_end().trim_end_matches('/').to_owned()
}
