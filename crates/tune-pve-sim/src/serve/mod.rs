//! The servers of the nodes: connections, TLS, and what goes wrong on the way.

mod answer;
mod form;
mod http;
mod login;
mod process;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::shared::Shared;

/// After a failure to accept, how long to wait for the system to have room again.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers on one node's address until it is aborted.
pub(crate) async fn serve(listener: TcpListener, acceptor: Option<TlsAcceptor>, node: String, shared: Arc<Shared>) {
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = open.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        if !is_online(&shared, &node) {
            continue;
        }
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        // An error ends only this connection; the client sees it.
        open.spawn(async move {
            let _ = stream.set_nodelay(true);
            let _ = connection(stream, acceptor, &shared).await;
        });
    }
}

/// Whether a node's server takes connections.
pub(crate) fn is_online(shared: &Shared, node: &str) -> bool {
    shared.with(|world| world.nodes.get(node) != Some(&false))
}

/// Answers on one connection until it ends.
pub(crate) async fn connection<S>(stream: S, acceptor: Option<TlsAcceptor>, shared: &Arc<Shared>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match acceptor {
        Some(acceptor) => converse(acceptor.accept(stream).await?, shared).await,
        None => converse(stream, shared).await,
    }
}

/// Answers the requests of one connection, one after the other.
async fn converse<S>(mut stream: S, shared: &Arc<Shared>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = Vec::new();
    while let Some(request) = http::read(&mut stream, &mut buffer).await? {
        let Some(answer) = process::process(shared, &request).await else { return Ok(()) };
        let keep = request.keeps_connection() && answer.status < 400;
        stream.write_all(&answer.bytes(keep)).await?;
        stream.flush().await?;
        if !keep {
            stream.shutdown().await?;
            break;
        }
    }
    Ok(())
}
