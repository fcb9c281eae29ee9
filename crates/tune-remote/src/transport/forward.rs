//! Ways to ports of a host over its ssh connection: a Unix socket of ours that ssh forwards.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openssh::{ForwardType, Session, Socket};
use tokio::runtime::Handle;
use tune_core::contract::ConnectionError;
use tune_core::source::{Door, DoorAddress, DoorGuard};

use crate::connector::Shared;
use crate::door::Port;
use crate::error::{DOOR, not_sent};
use crate::transport::ssh::{Ssh, chain};

/// An open forwarding.
#[derive(Debug)]
struct Forward {
    session: Option<Arc<Session>>,
    path: PathBuf,
    to: Port,
    runtime: Handle,
    /// Keeps the directory of the socket.
    _shared: Arc<Shared>,
}

impl Ssh {
    /// Opens a Unix socket that leads to a port as the host sees it.
    pub(crate) async fn forward(&self, to: &Port) -> Result<Door, ConnectionError> {
        let (mut session, fresh) = self.session().await?;
        let path = self.shared.door().map_err(|error| {
            not_sent(DOOR, format!("cannot make a socket for ssh: {error}"), "Make the runtime directory writable.")
        })?;
        let mut opened = request(&session, &path, to).await;
        if opened.is_err() && !fresh {
            // The master may have gone away while it was idle.
            self.forget().await;
            session = self.session().await?.0;
            opened = request(&session, &path, to).await;
        }
        opened.map_err(|error| {
            let message = format!("ssh opens no way to `{to}` on `{}`: {}", self.address(), chain(&error));
            not_sent(DOOR, message, "See whether sshd there allows it (`AllowTcpForwarding`).")
        })?;
        let at = DoorAddress::Unix(path.to_string_lossy().into_owned());
        let (session, runtime, shared) = (Some(session), Handle::current(), Arc::clone(&self.shared));
        Ok(Door { at, guard: Box::new(Forward { session, path, to: to.clone(), runtime, _shared: shared }) })
    }
}

impl DoorGuard for Forward {}

impl Drop for Forward {
    fn drop(&mut self) {
        // From now on nobody finds the way in; ssh is told as soon as there is time.
        let _ = fs::remove_file(&self.path);
        if let Some(session) = self.session.take() {
            let (path, to) = (self.path.clone(), self.to.clone());
            self.runtime.spawn(async move {
                let (from, to) = sockets(&path, &to);
                let _ = session.close_port_forward(ForwardType::Local, from, to).await;
            });
        }
    }
}

async fn request(session: &Session, path: &Path, to: &Port) -> Result<(), openssh::Error> {
    let (from, to) = sockets(path, to);
    session.request_port_forward(ForwardType::Local, from, to).await
}

fn sockets<'a>(path: &'a Path, to: &'a Port) -> (Socket<'a>, Socket<'a>) {
    (
        Socket::UnixSocket { path: Cow::Borrowed(path) },
        Socket::TcpSocket { host: Cow::Borrowed(&to.name), port: to.number },
    )
}
