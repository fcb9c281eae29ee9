//! How a script reaches a shell: over ssh or on this machine. A transport moves bytes under a deadline and a limit; what
//! they mean is none of its business.

mod forward;
pub(crate) mod local;
pub(crate) mod ssh;

use std::borrow::Cow;
use std::fmt::Debug;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tune_core::contract::{ConnectionError, NOT_A_HOST, Pending, Sent};
use tune_core::source::Door;

use crate::door::Port;
use crate::error::{TIMEOUT, TOO_LONG, not_sent, transient};

/// The most that a host may answer.
pub(crate) const LIMIT: usize = 16 * 1024 * 1024;
/// The most that is kept of what it complains.
const COMPLAINT_LIMIT: usize = 64 * 1024;

/// Runs scripts on one host.
pub(crate) trait Transport: Debug + Send + Sync {
    /// Runs one script.
    fn exec<'a>(&'a self, request: &'a Exec<'a>) -> Pending<'a, Result<Output, ConnectionError>>;

    /// Opens a way to a port as the host sees it.
    fn door<'a>(&'a self, to: &'a Port) -> Pending<'a, Result<Door, ConnectionError>>;

    /// Closes the connection; the next request opens a new one.
    fn close(&self) -> Pending<'_, ()>;
}

/// What a script meets that is sent to an API. Each provider of an API has connections of its own.
#[derive(Debug)]
pub(crate) struct Nowhere(pub(crate) String);

impl Transport for Nowhere {
    fn exec<'a>(&'a self, _: &'a Exec<'a>) -> Pending<'a, Result<Output, ConnectionError>> {
        Box::pin(async {
            let message = format!("`{}` is an API, and no shell answers there", self.0);
            Err(not_sent(NOT_A_HOST, message, "Give the resource a host."))
        })
    }

    fn door<'a>(&'a self, _: &'a Port) -> Pending<'a, Result<Door, ConnectionError>> {
        Box::pin(async {
            let message = format!("`{}` is an API, and leads to no port of a host", self.0);
            Err(not_sent(NOT_A_HOST, message, "Name a host."))
        })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {})
    }
}

/// One script to run.
#[derive(Debug)]
pub(crate) struct Exec<'a> {
    /// The script, for the standard input of a shell.
    pub(crate) script: &'a str,
    /// Whether to run it through sudo.
    pub(crate) sudo: bool,
    /// When to give up, counted from when the connection stands.
    pub(crate) deadline: Duration,
    /// Whether it can change anything. If so it must never be ended from here: it keeps its own time and tidies up.
    pub(crate) writes: bool,
}

/// What a script printed.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// `None` if the connection ended before the script did.
    pub(crate) status: Option<i32>,
}

impl Output {
    /// Returns what it complained, as text.
    pub(crate) fn complaint(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }
}

/// Why an exchange with a shell ended early.
enum Cut {
    TooLong,
    Broken,
}

/// Writes a script and reads what comes back, side by side: a shell may answer before it has read everything.
async fn talk(
    script: &str,
    mut stdin: impl AsyncWrite + Unpin,
    stdout: impl AsyncRead + Unpin,
    stderr: impl AsyncRead + Unpin,
) -> (Result<Vec<u8>, Cut>, Vec<u8>) {
    let send = async {
        // A shell that ends early closes its input; its answer says why.
        let _ = stdin.write_all(script.as_bytes()).await;
        let _ = stdin.shutdown().await;
        drop(stdin);
    };
    let answer = async {
        let mut bytes = Vec::new();
        let mut limited = stdout.take(LIMIT as u64 + 1);
        match limited.read_to_end(&mut bytes).await {
            Ok(_) if bytes.len() > LIMIT => Err(Cut::TooLong),
            Ok(_) => Ok(bytes),
            Err(_) => Err(Cut::Broken),
        }
    };
    let complaints = async {
        let mut bytes = Vec::new();
        let mut stderr = stderr;
        let _ = (&mut stderr).take(COMPLAINT_LIMIT as u64).read_to_end(&mut bytes).await;
        // What is too much is read all the same, or the host would wait for ever.
        let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
        bytes
    };
    let both = async {
        tokio::pin!(complaints);
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => match answer {
                // Whoever floods us is not listened to any longer.
                Err(Cut::TooLong) => (Err(Cut::TooLong), Vec::new()),
                answer => (answer, complaints.await),
            },
            complaints = &mut complaints => (answer.await, complaints),
        }
    };
    // A flood ends the exchange even while the script is still being sent.
    tokio::pin!(send);
    tokio::pin!(both);
    tokio::select! {
        () = &mut send => both.await,
        answer = &mut both => answer,
    }
}

/// Returns the error of a script that took too long.
fn too_late(host: &str, request: &Exec<'_>) -> ConnectionError {
    let error = transient(not_sent(
        TIMEOUT,
        format!("`{host}` did not answer within {} s", request.deadline.as_secs()),
        "See whether the host hangs; tune looks at it again before it does anything else there.",
    ));
    ConnectionError { sent: sent(request), ..error }
}

/// Returns the error of a host that answered without end.
fn too_long(host: &str, request: &Exec<'_>) -> ConnectionError {
    let error = not_sent(
        TOO_LONG,
        format!("`{host}` answered with more than {} MiB", LIMIT / 1024 / 1024),
        "See what is so large there: a file among those that decide the next boot, or a login shell without end.",
    );
    ConnectionError { sent: sent(request), ..error }
}

fn sent(request: &Exec<'_>) -> Sent {
    if request.writes { Sent::Perhaps } else { Sent::No }
}
