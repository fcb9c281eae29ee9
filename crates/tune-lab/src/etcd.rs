//! `tune-lab etcd`: a real etcd cluster on booted hosts, for as long as a command runs, or until it is interrupted.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use tokio::process::Command;
use tokio::signal;
use tune_testkit::etcd::Cluster;
use tune_testkit::lab::{SSH_CONFIG_VARIABLE, Skip, Tier, require};

use crate::accompany::{self, accompany};

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
    #[error(transparent)]
    Command(#[from] accompany::Error),
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
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).env(SSH_CONFIG_VARIABLE, config);
            Ok(runtime.block_on(accompany(command))?)
        }
        None => runtime.block_on(wait(&names, config)),
    }
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
