//! Makes connections: what they share, and which transport each host gets.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;
use tokio::sync::Semaphore;
use tune_core::contract::{Connection, Connector};
use tune_core::resource::{Become, Host, Transport as Reach};

use crate::connection::HostConnection;
use crate::kind::HostKinds;
use crate::options::Options;
use crate::script::Ground;
use crate::transport::local::Local;
use crate::transport::ssh::Ssh;
use crate::transport::{Nowhere, Transport};

/// Opens connections to hosts, over ssh or locally.
#[derive(Debug)]
pub struct SshConnector {
    shared: Arc<Shared>,
}

/// What all connections have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) kinds: HostKinds,
    pub(crate) options: Options,
    pub(crate) ground: Ground,
    /// Limits how many handshakes run at the same time.
    pub(crate) connects: Semaphore,
    /// Where ssh keeps its sockets; made with the first connection, removed with the last.
    sockets: Mutex<Option<TempDir>>,
    /// How many doors were opened: each has a socket of its own.
    doors: AtomicU64,
}

impl SshConnector {
    /// Returns a connector for the given kinds.
    pub fn new(kinds: HostKinds, options: Options) -> Self {
        let ground = options.ground.as_ref().map_or_else(Ground::default, |ground| Ground {
            root: ground.root.to_string_lossy().into_owned(),
            tools: ground.tools.clone(),
        });
        let connects = Semaphore::new(options.max_connects.max(1));
        Self {
            shared: Arc::new(Shared {
                kinds,
                options,
                ground,
                connects,
                sockets: Mutex::new(None),
                doors: AtomicU64::new(0),
            }),
        }
    }
}

impl Connector for SshConnector {
    fn connect(&self, host: &Host) -> Arc<dyn Connection> {
        Arc::new(HostConnection::new(host.clone(), Arc::clone(&self.shared)))
    }
}

impl Shared {
    /// Returns a transport to a host that nobody else uses.
    pub(crate) fn transport(self: &Arc<Self>, host: &Host) -> Box<dyn Transport> {
        match &host.transport {
            Reach::Ssh(destination) => Box::new(Ssh::new(destination.clone(), Arc::clone(self))),
            Reach::Api(_) => Box::new(Nowhere(name(host).to_owned())),
            Reach::Local => {
                let shell = self.options.ground.as_ref().and_then(|ground| ground.shell.clone());
                Box::new(Local { shell: shell.unwrap_or_else(|| vec!["sh".to_owned()]) })
            }
        }
    }

    /// Returns a path for the socket of one more door.
    pub(crate) fn door(&self) -> io::Result<PathBuf> {
        Ok(self.sockets()?.join(format!("door{}", self.doors.fetch_add(1, Ordering::Relaxed))))
    }

    /// Returns the directory for ssh's sockets.
    pub(crate) fn sockets(&self) -> io::Result<PathBuf> {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = match sockets.take() {
            Some(directory) => directory,
            // Whoever can reach a socket has the connection.
            None => tempfile::Builder::new()
                .prefix("tune-")
                .rand_bytes(5)
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(&self.options.runtime_dir)?,
        };
        let path = Path::to_owned(directory.path());
        *sockets = Some(directory);
        Ok(path)
    }
}

/// Returns what a host is called in messages.
pub(crate) fn name(host: &Host) -> &str {
    match &host.transport {
        Reach::Ssh(destination) => &destination.address,
        Reach::Local => "this machine",
        Reach::Api(api) => &api.endpoint,
    }
}

/// Returns whether commands on a host run through sudo.
pub(crate) fn sudo(host: &Host) -> bool {
    host.become_ == Become::Sudo
}
