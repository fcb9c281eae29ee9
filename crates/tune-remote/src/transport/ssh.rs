//! The system's OpenSSH: its configuration, keys, agents, jump hosts and known hosts are the user's, and are used as they
//! are. One master connection per host carries every script.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tune_core::contract::{ConnectionError, Pending};
use tune_core::resource::SshDestination;
use tune_core::source::Door;

use crate::connect_error;
use crate::connector::Shared;
use crate::door::Port;
use crate::error::{ADDRESS, CONNECT, NO_CLIENT, not_sent, transient};
use crate::transport::{Cut, Exec, Output, Transport, talk, too_late, too_long};

/// How long an idle master outlives us if we are killed, in seconds.
const LINGER: NonZeroUsize = NonZeroUsize::new(120).expect("it is not zero");

/// Runs scripts over one ssh connection.
#[derive(Debug)]
pub(crate) struct Ssh {
    destination: SshDestination,
    pub(super) shared: Arc<Shared>,
    session: Mutex<Option<Arc<Session>>>,
}

impl Transport for Ssh {
    fn exec<'a>(&'a self, request: &'a Exec<'a>) -> Pending<'a, Result<Output, ConnectionError>> {
        Box::pin(self.run(request))
    }

    fn door<'a>(&'a self, to: &'a Port) -> Pending<'a, Result<Door, ConnectionError>> {
        Box::pin(self.forward(to))
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {
            if let Some(session) = self.session.lock().await.take().and_then(Arc::into_inner) {
                let _ = session.close().await;
            }
        })
    }
}

impl Ssh {
    /// Returns the transport to a destination; nothing is connected yet.
    pub(crate) fn new(destination: SshDestination, shared: Arc<Shared>) -> Self {
        Self { destination, shared, session: Mutex::new(None) }
    }

    async fn run(&self, request: &Exec<'_>) -> Result<Output, ConnectionError> {
        let host = self.destination.address.as_str();
        let command = if request.sudo { "sudo -n sh -s" } else { "sh -s" };
        let spawn = |session: Arc<Session>| async move {
            session
                .arc_raw_command(command)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .await
        };
        let (session, fresh) = self.session().await?;
        let mut started = spawn(session).await;
        if started.is_err() && !fresh {
            // The master went away while it was idle; the script has not been sent.
            self.forget().await;
            started = spawn(self.session().await?.0).await;
        }
        let mut child = started.map_err(|error| {
            let message = format!("the ssh connection to `{host}` broke before anything was sent: {}", chain(&error));
            transient(not_sent(CONNECT, message, "Run the same command again."))
        })?;
        let exchange = async {
            let pipes = (child.stdin().take(), child.stdout().take(), child.stderr().take());
            let (Some(stdin), Some(stdout), Some(stderr)) = pipes else { return Ok(Output::default()) };
            let (answer, complaints) = talk(request.script, stdin, stdout, stderr).await;
            let stdout = match answer {
                Ok(stdout) => stdout,
                Err(Cut::TooLong) => return Err(too_long(host, request)),
                Err(Cut::Broken) => Vec::new(),
            };
            let status = match child.wait().await {
                Ok(status) => status.code(),
                // The crate reports exit code 127 as an error of its own.
                Err(openssh::Error::Remote(_)) => Some(127),
                Err(_) => None,
            };
            Ok(Output { stdout, stderr: complaints, status })
        };
        let output = timeout(request.deadline, exchange).await.unwrap_or_else(|_| Err(too_late(host, request)));
        if !matches!(&output, Ok(output) if output.status.is_some()) {
            self.forget().await;
        }
        output
    }

    /// Returns the open session, or a fresh one.
    pub(super) async fn session(&self) -> Result<(Arc<Session>, bool), ConnectionError> {
        let mut slot = self.session.lock().await;
        if let Some(session) = &*slot {
            return Ok((Arc::clone(session), false));
        }
        let session = Arc::new(self.connect().await?);
        *slot = Some(Arc::clone(&session));
        Ok((session, true))
    }

    /// Lets go of a session that broke.
    pub(super) async fn forget(&self) {
        self.session.lock().await.take();
    }

    /// Returns what the host is called.
    pub(super) fn address(&self) -> &str {
        &self.destination.address
    }

    async fn connect(&self) -> Result<Session, ConnectionError> {
        let options = &self.shared.options;
        let host = self.destination.address.as_str();
        if host.is_empty() || host.starts_with('-') || host.contains(|c: char| c.is_control() || c.is_whitespace()) {
            let message = format!("`{}` is no address for ssh", tune_core::text::visible(host, 80));
            return Err(not_sent(
                ADDRESS,
                message,
                "Write a host name, an address or an alias of the ssh configuration.",
            ));
        }
        let sockets = self.shared.sockets().map_err(|error| {
            let message = format!("cannot make a directory for ssh in `{}`: {error}", options.runtime_dir.display());
            not_sent(CONNECT, message, "Make that directory writable, or set XDG_RUNTIME_DIR to another.")
        })?;
        let mut builder = SessionBuilder::default();
        builder
            .known_hosts_check(KnownHosts::Strict)
            .connect_timeout(options.connect_timeout)
            .server_alive_interval(options.alive_interval)
            .control_directory(sockets)
            .control_persist(ControlPersist::IdleFor(LINGER));
        if let Some(user) = &self.destination.user {
            builder.user(user.clone());
        }
        if let Some(port) = self.destination.port {
            builder.port(port);
        }
        if let Some(config) = self.destination.config.as_ref().map(PathBuf::from).or_else(|| options.ssh_config.clone())
        {
            builder.config_file(config);
        }
        let _permit = self.shared.connects.acquire().await.expect("the semaphore is never closed");
        // ssh's own limit covers the first part of a handshake only.
        let limit = options.connect_timeout * 2;
        match timeout(limit, builder.connect_mux(host)).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => Err(failed(host, &error)),
            Err(_) => {
                let message = format!("`{host}` did not finish the ssh handshake within {} s", limit.as_secs());
                Err(connect_error::timed_out(host, &message))
            }
        }
    }
}

fn failed(host: &str, error: &openssh::Error) -> ConnectionError {
    match error {
        openssh::Error::Connect(error) if error.kind() == std::io::ErrorKind::NotFound => not_sent(
            NO_CLIENT,
            "there is no `ssh` on this machine",
            "Install the OpenSSH client; tune uses it with your configuration and keys.",
        ),
        openssh::Error::Connect(error) => connect_error::explain(host, &error.to_string()),
        error => connect_error::explain(host, &chain(error)),
    }
}

/// An error of the crate with its causes, which its own text leaves out.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    tune_core::text::visible(&text, 400)
}
