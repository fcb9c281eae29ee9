//! The sources that need no system of their own: a program on a host (`ssh`), a port (`tcp`), a URL (`http`), a service
//! (`systemd_unit`), and what a machine is (`host_facts`).
//!
//! The first three are for probes only, because they do what a person wrote: run a program, or knock somewhere. The other
//! two run fixed programs that change nothing, so they may be asked while planning.

mod host_facts;
mod http;
mod ssh;
mod systemd_unit;
mod tcp;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tune_core::contract::{Connection, ConnectionError};
use tune_core::source::{Command, CommandOutput, Source};

/// Returns every source of this crate; certificates and keys are read from files below `folder`, the configuration's.
pub fn sources(folder: &Path) -> Vec<Arc<dyn Source>> {
    vec![
        Arc::new(ssh::Ssh::new()),
        Arc::new(tcp::Tcp::new()),
        Arc::new(http::Http::new(folder)),
        Arc::new(systemd_unit::SystemdUnit::new()),
        Arc::new(host_facts::HostFacts::new()),
    ]
}

/// How much a fixed program may print.
const OUTPUT: usize = 64 * 1024;

/// Runs a fixed program with arguments that were checked.
async fn run(
    connection: &dyn Connection,
    words: &[&str],
    deadline: Duration,
) -> Result<CommandOutput, ConnectionError> {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    let command = Command { words, input: Vec::new(), deadline, output_limit: OUTPUT };
    connection.command(&command).await
}

/// Returns the time since a moment, in whole milliseconds.
fn millis(since: std::time::Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
