//! `tune-lab homelab`: the pretend homelab, for as long as a command runs, or until it is interrupted.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::process::Command;
use tokio::signal;
use tune_lab::homelab::{self, Homelab, Pace};

use crate::accompany::{self, accompany};

/// What is done with the homelab.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Run the command in a copy of this folder, so that nothing it writes there outlives the homelab.
    #[arg(long, value_name = "FOLDER", requires = "command")]
    copy_of: Option<PathBuf>,

    /// Run this with what leads to the homelab in its environment, and end the homelab with it. Programs beside this one are
    /// found by their names.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Why there is no homelab, or no command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}{hint}", hint = hint(.0))]
    Homelab(#[from] homelab::Error),
    #[error("the program cannot wait: {0}")]
    Runtime(io::Error),
    #[error("`{path}` cannot be copied: {source}", path = path.display())]
    Copy { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Command(#[from] accompany::Error),
    #[error("nobody can be told where the homelab is: {0}")]
    Output(io::Error),
}

fn hint(error: &homelab::Error) -> &'static str {
    match error {
        homelab::Error::Missing(_) => "; its hosts are namespaces of this machine, which only root can make",
        _ => "",
    }
}

/// Runs the command beside the homelab and returns how it ended; without one, waits to be interrupted.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Error> {
    let folder = options.copy_of.as_deref().map(copy).transpose()?;
    let homelab = Homelab::start(Pace::Watched)?;
    let runtime = tokio::runtime::Runtime::new().map_err(Error::Runtime)?;
    let Some((program, arguments)) = options.command.split_first() else {
        return runtime.block_on(wait(&homelab));
    };
    let mut command = Command::new(program);
    command.args(arguments).envs(homelab.variables()).env("PATH", path());
    if let Some(folder) = &folder {
        command.current_dir(folder.path());
    }
    Ok(runtime.block_on(accompany(command))?)
}

async fn wait(homelab: &Homelab) -> Result<ExitCode, Error> {
    let line = |(name, value): (&str, String)| format!("export {name}='{value}'\n");
    let variables: String = homelab.variables().into_iter().map(line).collect::<Vec<_>>().concat();
    let hosts: Vec<&str> = homelab.lab().hosts().map(tune_testkit::lab::Host::name).collect();
    let said = format!(
        "{variables}\nThe homelab is up: {}. Look at a guest with\n  ssh -F {} k3s-vm-pve k3s kubectl get --raw \
         '/readyz?verbose'\nIt ends with Ctrl-C.\n",
        hosts.join(", "),
        homelab.lab().ssh_config().display()
    );
    io::stdout().write_all(said.as_bytes()).map_err(Error::Output)?;
    signal::ctrl_c().await.map_err(Error::Runtime)?;
    Ok(ExitCode::SUCCESS)
}

/// Copies the files of a folder, without its state.
fn copy(folder: &Path) -> Result<tempfile::TempDir, Error> {
    let failed = |source| Error::Copy { path: folder.to_owned(), source };
    let copy = tempfile::tempdir().map_err(failed)?;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_file() {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).map_err(failed)?;
        }
    }
    Ok(copy)
}

/// The paths of programs, with the folder of this one before all others.
fn path() -> OsString {
    let here = env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
    let others = env::var_os("PATH").unwrap_or_default();
    // A path that cannot be joined holds a colon, and then it is left as it was.
    env::join_paths(here.into_iter().chain(env::split_paths(&others))).unwrap_or(others)
}
