//! What the program decides about connections; everything about a single host comes with the host.

use std::path::PathBuf;
use std::time::Duration;

/// How connections are made.
#[derive(Debug, Clone)]
pub struct Options {
    /// A directory for short-lived sockets, for example `/run/user/1000` or `/tmp`. A directory of our own is made in it
    /// with the first ssh connection, mode 0700, and removed when the connector and its connections are dropped. It must
    /// be short: a socket's path has at most 108 bytes.
    pub runtime_dir: PathBuf,
    /// Who is named to others that find a host's lock taken: `user@machine`.
    pub writer: String,
    /// The ssh configuration for hosts that name none; `None` leaves it to ssh.
    pub ssh_config: Option<PathBuf>,
    /// How many connections are opened at the same time.
    pub max_connects: usize,
    /// How long one connect may take.
    pub connect_timeout: Duration,
    /// How often a silent connection is probed.
    pub alive_interval: Duration,
    /// How long a read may take, besides waiting for a lock.
    pub read_timeout: Duration,
    /// How long an apply or a confirmation waits for another run on the same host.
    pub lock_patience: Duration,
    /// Another ground for scripts than the host's own root; for tests.
    pub ground: Option<TestGround>,
}

/// A directory that scripts take for the root of a host, so that a test can run them without touching the machine.
///
/// Every path that a script reads or writes gets the directory in front, plain files standing in for those of `/proc`
/// and `/sys`. Only what a script asks about itself (its processes and the boot id in its lock) stays real.
#[derive(Debug, Clone)]
pub struct TestGround {
    /// The directory; absolute, without a slash at its end.
    pub root: PathBuf,
    /// The only directories where scripts look for tools, as in `PATH`; `None` for the usual ones.
    pub tools: Option<String>,
    /// The shell and its arguments that stand in for `sh`; `None` for `sh`.
    pub shell: Option<Vec<String>>,
}

impl Options {
    /// Returns the usual options.
    pub fn new(runtime_dir: impl Into<PathBuf>, writer: impl Into<String>) -> Self {
        Self {
            runtime_dir: runtime_dir.into(),
            writer: writer.into(),
            ssh_config: None,
            max_connects: 32,
            connect_timeout: Duration::from_secs(15),
            alive_interval: Duration::from_secs(15),
            read_timeout: Duration::from_mins(1),
            lock_patience: Duration::from_secs(20),
            ground: None,
        }
    }
}
