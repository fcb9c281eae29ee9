//! `tune-lab etcd`: a real etcd cluster on booted hosts, for as long as a command runs, or until it is interrupted.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitCode;

use tokio::process::Command;
use tokio::signal;
use tune_testkit::etcd::Cluster;
use tune_testkit::lab::{SSH_CONFIG_VARIABLE, Skip, Tier, require};

/// What the cluster is like, and what is done with it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many members it has; the hosts are called `etcd-1` and so on.
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    members: u8,

    /// Run this with the cluster's ssh configuration in its environment, and end the cluster with it.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Why there is no cluster, or no command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Missing(Skip),
    #[error("the program cannot wait: {0}")]
    Runtime(io::Error),
    #[error("`{command}` cannot be run: {source}", command = command.display())]
    Command { command: OsString, source: io::Error },
    #[error("nobody can be told where the cluster is: {0}")]
    Output(io::Error),
}

/// Runs the command beside the cluster and returns how it ended; without one, waits to be interrupted.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Error> {
    require(Tier::Nspawn).map_err(Error::Missing)?;
    let names: Vec<String> = (1..=options.members).map(|number| format!("etcd-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let cluster = Cluster::start(&names);
    let runtime = tokio::runtime::Runtime::new().map_err(Error::Runtime)?;
    let config = cluster.lab().ssh_config();
    match options.command.split_first() {
        Some((program, arguments)) => runtime.block_on(accompany(program, arguments, config)),
        None => runtime.block_on(wait(&names, config)),
    }
}

/// A Ctrl-C on the terminal reaches the command too, and what it means is the command's business.
async fn accompany(program: &OsString, arguments: &[OsString], config: &Path) -> Result<ExitCode, Error> {
    let failed = |source| Error::Command { command: program.clone(), source };
    let mut child = Command::new(program).args(arguments).env(SSH_CONFIG_VARIABLE, config).spawn().map_err(failed)?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.map_err(failed)?,
            _ = signal::ctrl_c() => {}
        }
    };
    // As a shell tells of a command that was ended by a signal.
    let code = status.code().or_else(|| Some(128 + status.signal()?)).and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

async fn wait(names: &[&str], config: &Path) -> Result<ExitCode, Error> {
    let (config, first) = (config.display(), names.first().copied().unwrap_or_default());
    let said = format!(
        "export {SSH_CONFIG_VARIABLE}={config}\n\n\
         The cluster is healthy: {}. Look at it with\n  ssh -F {config} {first} etcdctl member list\n\
         It ends with Ctrl-C.\n",
        names.join(", ")
    );
    io::stdout().write_all(said.as_bytes()).map_err(Error::Output)?;
    signal::ctrl_c().await.map_err(Error::Runtime)?;
    Ok(ExitCode::SUCCESS)
}
