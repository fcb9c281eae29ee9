//! A shell on the machine that runs `tune`.

use std::process::Stdio;

use tokio::process::Command;
use tokio::time::timeout;
use tune_core::contract::{ConnectionError, Pending};
use tune_core::source::{Door, DoorAddress};

use crate::door::Port;
use crate::error::{MISSING_TOOL, not_sent};
use crate::transport::{Cut, Exec, Output, Transport, talk, too_late, too_long};

/// Runs scripts with a shell of this machine.
#[derive(Debug)]
pub(crate) struct Local {
    /// The shell and its first arguments.
    pub(crate) shell: Vec<String>,
}

impl Transport for Local {
    fn exec<'a>(&'a self, request: &'a Exec<'a>) -> Pending<'a, Result<Output, ConnectionError>> {
        Box::pin(self.run(request))
    }

    fn door<'a>(&'a self, to: &'a Port) -> Pending<'a, Result<Door, ConnectionError>> {
        Box::pin(async { Ok(Door { at: DoorAddress::Tcp(to.to_string()), guard: Box::new(()) }) })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {})
    }
}

impl Local {
    async fn run(&self, request: &Exec<'_>) -> Result<Output, ConnectionError> {
        let sudo: &[&str] = if request.sudo { &["sudo", "-n"] } else { &[] };
        let words: Vec<&str> = sudo.iter().copied().chain(self.shell.iter().map(String::as_str)).collect();
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .arg("-s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C at the terminal is for us; a script must be able to finish what it has begun.
            .process_group(0)
            .kill_on_drop(!request.writes)
            .spawn()
            .map_err(|error| {
                let message = format!("cannot start `{}` on this machine: {error}", words[0]);
                not_sent(MISSING_TOOL, message, "Install it, or remove `become` if it is sudo.")
            })?;
        let stdin = child.stdin.take().expect("the standard input is a pipe");
        let stdout = child.stdout.take().expect("the standard output is a pipe");
        let stderr = child.stderr.take().expect("the standard error is a pipe");
        let exchange = async {
            let (answer, complaints) = talk(request.script, stdin, stdout, stderr).await;
            let stdout = match answer {
                Ok(stdout) => stdout,
                Err(Cut::TooLong) => return Err(too_long("this machine", request)),
                Err(Cut::Broken) => Vec::new(),
            };
            let status = child.wait().await.ok().and_then(|status| status.code());
            Ok(Output { stdout, stderr: complaints, status })
        };
        timeout(request.deadline, exchange).await.unwrap_or_else(|_| Err(too_late("this machine", request)))
    }
}
