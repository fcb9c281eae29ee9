//! `tune-lab proxmox`: the simulated Proxmox VE cluster, until it is interrupted.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use tune_pve_sim::{Cluster, Speed};

/// What the cluster is like.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where to listen; port 0 takes a free one, which is printed.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8006")]
    listen: SocketAddr,

    /// Serve HTTPS with a certificate of the cluster's own authority, and write that authority's certificate to this file.
    #[arg(long, value_name = "FILE")]
    tls: Option<PathBuf>,

    /// Start from this state, a JSON file in the form of the recordings.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Let time pass so many times as fast.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    speed: f64,

    /// The seed of everything random.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// Why the cluster did not come up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("`{path}`: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("`{path}` is not JSON: {source}")]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("the program cannot wait for requests: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Cluster(#[from] tune_pve_sim::Error),
}

/// Serves until interrupted.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let runtime = tokio::runtime::Runtime::new().map_err(Error::Runtime)?;
    runtime.block_on(serve(options))
}

async fn serve(options: &Options) -> Result<(), Error> {
    let speed = if (options.speed - 1.0).abs() < f64::EPSILON { Speed::Real } else { Speed::Times(options.speed) };
    let mut cluster = Cluster::builder().seed(options.seed).listen(options.listen).speed(speed).control_endpoint();
    if options.tls.is_none() {
        cluster = cluster.plain_http();
    }
    if let Some(path) = &options.state {
        let text = std::fs::read(path).map_err(|source| Error::File { path: path.clone(), source })?;
        let state = serde_json::from_slice(&text).map_err(|source| Error::Json { path: path.clone(), source })?;
        cluster = cluster.state(&state);
    }
    let running = cluster.start().await?;
    if let (Some(path), Some(pem)) = (&options.tls, running.ca_pem()) {
        std::fs::write(path, pem).map_err(|source| Error::File { path: path.clone(), source })?;
    }
    let mut out = io::stdout().lock();
    // A reader that has gone does not matter: the server is what was asked for.
    let _ = writeln!(out, "listening on {}", running.url()).and_then(|()| out.flush());
    drop(out);
    tokio::signal::ctrl_c().await.map_err(Error::Runtime)
}
