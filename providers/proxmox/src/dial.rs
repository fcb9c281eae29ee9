//! How a connection to an endpoint is opened.

use std::fmt::Debug;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tune_core::contract::Pending;

/// A connection to an endpoint, before TLS.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Opens connections. A program uses the network; a test has a cluster of its own.
pub trait Dial: Debug + Send + Sync {
    /// Opens a connection to a port of a host.
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> Pending<'a, io::Result<Box<dyn Stream>>>;
}

/// TCP.
#[derive(Debug)]
pub(crate) struct Network;

impl Dial for Network {
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> Pending<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = TcpStream::connect((host, port)).await?;
            // A call is one small packet that somebody waits for.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}
