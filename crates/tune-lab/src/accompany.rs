//! A command that runs beside a stand-in, and knows from its environment where that is.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitCode;

use tokio::process::Command;
use tokio::signal;

/// The command could not be run.
#[derive(Debug, thiserror::Error)]
#[error("`{command}` cannot be run: {source}", command = program.display())]
pub(crate) struct Error {
    program: OsString,
    source: io::Error,
}

/// Runs a command to its end and returns how it ended. A Ctrl-C on the terminal reaches the command too, and what it means
/// is the command's business.
pub(crate) async fn accompany(mut command: Command) -> Result<ExitCode, Error> {
    let program = command.as_std().get_program().to_owned();
    let failed = |source| Error { program: program.clone(), source };
    let mut child = command.spawn().map_err(failed)?;
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
