//! HTTP/1.1 over TCP, through a door, and encrypted. One [`Link`] is one connection; it asks one thing after another.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
pub use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_rustls::TlsConnector;
use tune_core::reading::Unreadable;
use tune_core::source::DoorAddress;
use tune_core::text::visible;

use crate::codes::{BROKEN_OFF, CONNECT, NOT_HTTP};
use crate::tls::{self, Tls};
use crate::unreadable;
use crate::url::Place;

/// A connection to a service.
#[derive(Debug)]
pub struct Link {
    sender: SendRequest<Full<Bytes>>,
    driver: Driver,
    /// What the service is called in requests: `NAME:PORT`.
    authority: String,
    /// What it is called in messages.
    at: String,
    is_encrypted: bool,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// `GET`, `HEAD` or `POST`.
    pub method: Method,
    /// The path with the query; begins with `/`.
    pub path: &'a str,
    /// Headers beside those that every request has.
    pub headers: &'a BTreeMap<String, String>,
    /// What is sent; JSON where it is not empty.
    pub body: &'a [u8],
    /// How much of the answer is read, in bytes.
    pub limit: usize,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers, by name in lower case; one that was sent twice joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// The content, as far as the limit went.
    pub body: Vec<u8>,
    /// Whether there was more. The link cannot be used any more then.
    pub truncated: bool,
}

/// Carries the connection; ends with the link.
#[derive(Debug)]
struct Driver {
    /// How it ended; taken by the first who asks.
    end: Option<JoinHandle<Result<(), hyper::Error>>>,
    task: AbortHandle,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Link {
    /// Opens a connection to a place that is reached from this machine.
    pub async fn open(place: &Place, tls: Option<&Tls>) -> Result<Self, Unreadable> {
        let at = format!("`{}`", visible(&place.to_string(), 200));
        let stream = TcpStream::connect((place.host.as_str(), place.port));
        let stream = stream.await.map_err(|error| cannot_connect(&at, &error))?;
        Self::over(Box::new(stream), place, tls, at).await
    }

    /// Opens a connection through a door to what `place` is on the other side; `at` names it for messages.
    pub async fn through(door: &DoorAddress, place: &Place, tls: Option<&Tls>, at: String) -> Result<Self, Unreadable> {
        let stream: Box<dyn Stream> = match door {
            DoorAddress::Unix(path) => {
                Box::new(UnixStream::connect(path).await.map_err(|error| cannot_connect(&at, &error))?)
            }
            DoorAddress::Tcp(address) => {
                Box::new(TcpStream::connect(address).await.map_err(|error| cannot_connect(&at, &error))?)
            }
        };
        Self::over(stream, place, tls, at).await
    }

    async fn over(stream: Box<dyn Stream>, place: &Place, tls: Option<&Tls>, at: String) -> Result<Self, Unreadable> {
        let stream = match tls {
            None => stream,
            Some(tls) => {
                let name = tls.name_for(&place.host)?;
                let connected = TlsConnector::from(tls.config.clone()).connect(name, stream).await;
                Box::new(connected.map_err(|error| of_io(&at, &error))?)
            }
        };
        let handshake = http1::Builder::new().max_headers(100).handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.map_err(|error| of_hyper(&at, &error))?;
        let end = tokio::spawn(connection);
        let driver = Driver { task: end.abort_handle(), end: Some(end) };
        Ok(Self { sender, driver, authority: place.to_string(), at, is_encrypted: tls.is_some() })
    }

    /// Asks once, and reads the answer up to the limit.
    pub async fn ask(&mut self, ask: Ask<'_>) -> Result<Reply, Unreadable> {
        let bad = |_| {
            unreadable(NOT_HTTP, format!("no request can be made for {}", self.at), "Check the path and the headers.")
        };
        let mut request = hyper::Request::builder().method(ask.method).uri(ask.path);
        request = request.header(HOST, &self.authority).header(USER_AGENT, "tune");
        if !ask.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let mut request = request.body(Full::new(Bytes::copy_from_slice(ask.body))).map_err(bad)?;
        for (name, value) in ask.headers {
            let name = HeaderName::try_from(name).map_err(|error| bad(error.into()))?;
            let value = HeaderValue::try_from(value).map_err(|error| bad(error.into()))?;
            request.headers_mut().insert(name, value);
        }
        if let Err(error) = self.sender.ready().await {
            return Err(self.why(error).await);
        }
        let response = match self.sender.send_request(request).await {
            Ok(response) => response,
            Err(error) => return Err(self.why(error).await),
        };
        let status = response.status().as_u16();
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in response.headers() {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let entry = headers.entry(name.as_str().to_owned());
            entry.and_modify(|all| *all = format!("{all}, {value}")).or_insert(value);
        }
        let mut content = response.into_body();
        let mut body = Vec::new();
        while let Some(frame) = content.frame().await {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => return Err(self.why(error).await),
            };
            let Some(data) = frame.data_ref() else { continue };
            let room = ask.limit - body.len();
            body.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                return Ok(Reply { status, headers, body, truncated: true });
            }
        }
        Ok(Reply { status, headers, body, truncated: false })
    }

    /// Returns why the connection failed: what the task that carries it knows, where the request itself knows nothing.
    async fn why(&mut self, error: hyper::Error) -> Unreadable {
        let knows_nothing = error.is_closed() || error.is_canceled();
        let mut why = of_hyper(&self.at, &error);
        if knows_nothing
            && let Some(end) = self.driver.end.take()
            && let Ok(Err(cause)) = end.await
        {
            why = of_hyper(&self.at, &cause);
        }
        // Whoever refuses a certificate says so and hangs up; when we were just talking, only the latter is heard.
        if self.is_encrypted && why.code == BROKEN_OFF {
            let help =
                "Check that it accepts the certificate in `cert_file`, or wants none, and that this is its port.";
            why.help = Some(help.to_owned());
        }
        why
    }
}

fn cannot_connect(at: &str, error: &io::Error) -> Unreadable {
    let message = match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("{at} refuses connections"),
        io::ErrorKind::TimedOut => format!("connecting to {at} timed out"),
        _ => format!("no connection to {at}: {}", visible(&error.to_string(), 200)),
    };
    unreadable(CONNECT, message, "Check that the service runs there, and the port.")
}

fn of_io(at: &str, error: &io::Error) -> Unreadable {
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return tls::explain(at, error);
    }
    let message = format!("the connection to {at} ended too early");
    unreadable(BROKEN_OFF, message, "Check that the service runs and that this is its port.")
}

fn of_hyper(at: &str, error: &hyper::Error) -> Unreadable {
    if let Some(error) = error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        return of_io(at, error);
    }
    if error.is_parse() {
        let message = format!("{at} does not speak HTTP/1.1");
        return unreadable(NOT_HTTP, message, "Check the port, and whether the service is encrypted.");
    }
    let message = format!("{at} closed the connection before it had answered");
    unreadable(BROKEN_OFF, message, "Check that a service listens there, and that this is its port.")
}

#[cfg(test)]
mod tests;
