//! HTTP as the API speaks it: version 1.1, forms, arguments in the query where there is no body, and messages in the
//! reason phrase. At most [`IN_FLIGHT`] requests are under way at a time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::ext::ReasonPhrase;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, DATE, HOST, HeaderMap};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value as Json;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::dial::Dial;
use crate::failure::{Failure, Unreached};
use crate::login::Session;
use crate::settings::{Endpoint, Settings};
use crate::tls;

/// How many requests are under way at most.
const IN_FLIGHT: usize = 32;
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a connection stays usable; the server closes an idle one a little later.
const IDLE: Duration = Duration::from_secs(3);
/// How often a read is tried, because it has no effect; fewer times where another node does not answer.
const READS: u32 = 4;
const READS_FROM_AWAY: u32 = 2;
/// A read that took so long without an answer is not made again: the next one would take as long.
const SLOW: Duration = Duration::from_secs(5);
/// How much of an answer is taken: a listing of ten thousand machines has a few megabytes.
const LARGEST: usize = 64 << 20;

/// One call of the API.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Below `/api2/json`, with every part encoded.
    pub(crate) path: String,
    pub(crate) arguments: Vec<(String, String)>,
}

impl Call {
    /// Returns a call that reads.
    pub(crate) fn get(parts: &[impl AsRef<str>]) -> Self {
        Self::new(Method::GET, parts)
    }

    /// Returns a call that begins something.
    pub(crate) fn post(parts: &[impl AsRef<str>]) -> Self {
        Self::new(Method::POST, parts)
    }

    /// Returns a call that writes.
    pub(crate) fn put(parts: &[impl AsRef<str>]) -> Self {
        Self::new(Method::PUT, parts)
    }

    fn new(method: Method, parts: &[impl AsRef<str>]) -> Self {
        let path = parts.iter().fold(String::new(), |path, part| format!("{path}/{}", encoded(part.as_ref())));
        Self { method, path, arguments: Vec::new() }
    }

    /// Returns the call with one more argument.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.arguments.push((name.to_owned(), value.into()));
        self
    }
}

/// What the API answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) data: Json,
    /// The server's clock, where it tells it.
    pub(crate) date: Option<String>,
}

/// The way to one cluster.
#[derive(Debug)]
pub(crate) struct Client {
    endpoints: Vec<Endpoint>,
    dial: Arc<dyn Dial>,
    tls: Result<TlsConnectorHolder, String>,
    session: Session,
    limit: Duration,
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
    /// The endpoint that answered last.
    preferred: AtomicUsize,
}

/// A connection that nobody uses at the moment.
#[derive(Debug)]
struct Idle {
    endpoint: usize,
    sender: SendRequest<Full<Bytes>>,
    since: Instant,
}

/// Holds what `tokio_rustls` does not show.
struct TlsConnectorHolder(TlsConnector);

impl std::fmt::Debug for TlsConnectorHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsConnector")
    }
}

impl Client {
    /// Returns the client; nothing is sent yet.
    pub(crate) fn new(settings: &Settings, dial: Arc<dyn Dial>) -> Self {
        Self {
            endpoints: settings.endpoints.clone(),
            dial,
            tls: tls::config(&settings.trust).map(|config| TlsConnectorHolder(TlsConnector::from(Arc::new(config)))),
            session: Session::new(settings.login.clone()),
            limit: settings.limits.request,
            permits: Semaphore::new(IN_FLIGHT),
            idle: Mutex::new(Vec::new()),
            preferred: AtomicUsize::new(0),
        }
    }

    /// Makes a call. One that only reads is made again where its answer was lost; any other is sent once.
    pub(crate) async fn call(&self, call: &Call) -> Result<Answer, Failure> {
        let _permit = self.permits.acquire().await.map_err(|_| Failure::lost("the connection was closed"))?;
        let reads = call.method == Method::GET;
        let mut pause = Duration::from_millis(50);
        let mut attempt = 1;
        loop {
            let began = Instant::now();
            let failure = match self.with_login(call).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let most = if matches!(failure, Failure::NodeAway { .. }) { READS_FROM_AWAY } else { READS };
            if !reads || attempt >= most || !failure.may_pass() || began.elapsed() >= SLOW {
                return Err(failure);
            }
            attempt += 1;
            sleep(pause).await;
            pause *= 3;
        }
    }

    /// Returns the user or the token that asks.
    pub(crate) fn user(&self) -> &str {
        self.session.user()
    }

    /// Closes what is open.
    pub(crate) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn with_login(&self, call: &Call) -> Result<Answer, Failure> {
        let mut renewed = false;
        loop {
            let Some(headers) = self.session.headers(&call.method) else {
                let ticket = self.send(&self.session.login_call(), &HeaderMap::new()).await?;
                self.session.accept(&ticket.data)?;
                renewed = true;
                continue;
            };
            match self.send(call, &headers).await {
                // A ticket lasts two hours, and less if the cluster's key changed.
                Err(Failure::NotLoggedIn { .. }) if !renewed && self.session.forget() => {}
                answer => return answer,
            }
        }
    }

    async fn send(&self, call: &Call, headers: &HeaderMap) -> Result<Answer, Failure> {
        let (endpoint, mut sender) = self.connection().await?;
        let request = request(&self.endpoints[endpoint], call, headers)?;
        let exchange = async {
            let answer = sender.send_request(request).await.map_err(|error| {
                // Nothing of a cancelled request was written.
                if error.is_canceled() { Failure::not_sent(&error) } else { Failure::lost(error) }
            })?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, LARGEST).collect().await.map_err(Failure::lost)?.to_bytes();
            Ok((head, body))
        };
        let (head, body) = match timeout(self.limit, exchange).await {
            Ok(exchange) => exchange?,
            Err(_) => return Err(Failure::lost(format!("no answer within {} s", self.limit.as_secs()))),
        };
        self.preferred.store(endpoint, Ordering::Relaxed);
        if !sender.is_closed() {
            let idle = Idle { endpoint, sender, since: Instant::now() };
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
        }
        let reason = head.extensions.get::<ReasonPhrase>().map_or_else(
            || head.status.canonical_reason().unwrap_or_default().to_owned(),
            |reason| String::from_utf8_lossy(reason.as_bytes()).into_owned(),
        );
        let date = head.headers.get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
        understood(head.status, &reason, &body).map(|data| Answer { data, date })
    }

    /// Returns a connection to the endpoint that answered last, or to the first one that can be reached.
    async fn connection(&self) -> Result<(usize, SendRequest<Full<Bytes>>), Failure> {
        while let Some(mut idle) = self.take_idle() {
            if idle.since.elapsed() < IDLE && idle.sender.ready().await.is_ok() {
                return Ok((idle.endpoint, idle.sender));
            }
        }
        let first = self.preferred.load(Ordering::Relaxed);
        let mut failures = Vec::new();
        for step in 0..self.endpoints.len() {
            let index = (first + step) % self.endpoints.len();
            match self.connect(&self.endpoints[index]).await {
                Ok(sender) => return Ok((index, sender)),
                Err(failure @ Failure::Unreached(Unreached::Distrusted { .. })) => return Err(failure),
                Err(failure) => failures.push(failure),
            }
        }
        Err(failures.into_iter().next().unwrap_or_else(|| Failure::not_sent("there is no endpoint")))
    }

    fn take_idle(&self) -> Option<Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<SendRequest<Full<Bytes>>, Failure> {
        match timeout(CONNECT, self.reach(endpoint)).await {
            Ok(sender) => sender,
            Err(_) => Err(Failure::unreached(endpoint, format!("no answer within {} s", CONNECT.as_secs()))),
        }
    }

    async fn reach(&self, endpoint: &Endpoint) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let stream = self.dial.dial(&endpoint.host, endpoint.port).await;
        let stream = stream.map_err(|error| Failure::unreached(endpoint, error))?;
        if !endpoint.tls {
            return shake_hands(endpoint, TokioIo::new(stream)).await;
        }
        let connector = self.tls.as_ref().map_err(|why| Failure::unreached(endpoint, why))?;
        let name = ServerName::try_from(endpoint.host.clone()).map_err(|error| Failure::unreached(endpoint, error))?;
        let stream = connector.0.connect(name, stream).await.map_err(|error| match tls::distrust(&error) {
            Some(distrust) => Failure::Unreached(Unreached::Distrusted { endpoint: endpoint.to_string(), distrust }),
            None => Failure::unreached(endpoint, error),
        })?;
        shake_hands(endpoint, TokioIo::new(stream)).await
    }
}

async fn shake_hands<S>(endpoint: &Endpoint, stream: S) -> Result<SendRequest<Full<Bytes>>, Failure>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(stream).await.map_err(|error| Failure::unreached(endpoint, error))?;
    // It ends with the sender, and its errors are those of the requests.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

fn request(endpoint: &Endpoint, call: &Call, headers: &HeaderMap) -> Result<Request<Full<Bytes>>, Failure> {
    let form = form(&call.arguments);
    let has_body = call.method == Method::POST || call.method == Method::PUT;
    let query = if has_body || form.is_empty() { String::new() } else { format!("?{form}") };
    let (open, close) = if endpoint.host.contains(':') { ("[", "]") } else { ("", "") };
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(format!("/api2/json{}{query}", call.path))
        .header(HOST, format!("{open}{}{close}:{}", endpoint.host, endpoint.port));
    for name in [AUTHORIZATION, COOKIE] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value);
        }
    }
    if let Some(value) = headers.get("CSRFPreventionToken") {
        request = request.header("CSRFPreventionToken", value);
    }
    if has_body {
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    // The length of a body that is there as a whole is always sent, also when it is 0.
    let body = Full::new(Bytes::from(if has_body { form } else { String::new() }));
    request.body(body).map_err(Failure::not_sent)
}

/// Returns the data of an answer, or what the API says in its place.
fn understood(status: StatusCode, reason: &str, body: &[u8]) -> Result<Json, Failure> {
    let json: Option<Json> = serde_json::from_slice(body).ok().filter(Json::is_object);
    let message = || {
        let text = json.as_ref().and_then(|json| json["message"].as_str()).unwrap_or(reason);
        text.trim_end().to_owned()
    };
    match status.as_u16() {
        401 => Err(Failure::NotLoggedIn { reason: message() }),
        // Made up by the node that was asked: the other one could not be reached at all.
        595 => Err(Failure::NodeAway { reason: reason.to_owned() }),
        590..=599 => Err(Failure::lost(format!("{} {reason}", status.as_u16()))),
        200..=299 => match json {
            Some(mut json) if json.get("data").is_some() => Ok(json["data"].take()),
            _ => Err(Failure::NotApi { what: sample(body) }),
        },
        code if json.is_none() && !body.is_empty() => {
            Err(Failure::NotApi { what: format!("{code} {reason}: {}", sample(body)) })
        }
        code @ 300..=399 => Err(Failure::NotApi { what: format!("a redirection, {code} {reason}") }),
        code => {
            let errors: BTreeMap<String, String> = json
                .as_ref()
                .and_then(|json| json["errors"].as_object())
                .map(|errors| {
                    let text = |value: &Json| value.as_str().unwrap_or_default().trim_end().to_owned();
                    errors.iter().map(|(name, value)| (name.clone(), text(value))).collect()
                })
                .unwrap_or_default();
            Err(Failure::Refused { code, message: message(), errors })
        }
    }
}

fn sample(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(200)]).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns arguments as a form: the server splits at `&` and `;`, and at every `=`, so all of these are encoded.
fn form(arguments: &[(String, String)]) -> String {
    let pairs: Vec<String> =
        arguments.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    pairs.join("&")
}

/// Returns a text with every byte encoded that is not a letter, a digit or one of `-_.~`.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, reason: &str, body: &str) -> String {
        match understood(StatusCode::from_u16(status).unwrap(), reason, body.as_bytes()) {
            Ok(data) => data.to_string(),
            Err(failure) => format!("{failure:?}"),
        }
    }

    #[test]
    fn every_value_is_encoded() {
        let call = Call::put(&["nodes", "pve", "qemu", "107", "config"])
            .with("scsi0", "local:vm-107-disk-0,cache=writeback")
            .with("tags", "a;b&c+d é");
        assert_eq!(
            form(&call.arguments),
            "scsi0=local%3Avm-107-disk-0%2Ccache%3Dwriteback&tags=a%3Bb%26c%2Bd%20%C3%A9"
        );
        assert_eq!(Call::get(&["nodes", "UPID:pve:1:u@realm!t:"]).path, "/nodes/UPID%3Apve%3A1%3Au%40realm%21t%3A");
    }

    #[test]
    fn messages_come_from_the_body_or_the_reason_phrase() {
        assert_eq!(said(200, "OK", r#"{"data":null}"#), "null");
        let old = said(500, "VM is locked (backup)", r#"{"data":null}"#);
        let new = said(500, "VM is locked (backup)", r#"{"data":null,"message":"VM is locked (backup)\n"}"#);
        assert_eq!(old, new);
        assert!(old.contains("VM is locked (backup)"), "{old}");
        let errors = said(400, "Parameter verification failed.", r#"{"data":null,"errors":{"cores":"type check\n"}}"#);
        assert!(errors.contains("\"cores\": \"type check\""), "{errors}");
    }

    #[test]
    fn answers_of_others_are_recognised() {
        assert!(said(200, "OK", "<html>Welcome</html>").starts_with("NotApi"));
        assert!(said(502, "Bad Gateway", "<html>nginx</html>").starts_with("NotApi"));
        assert!(said(301, "Moved Permanently", "").starts_with("NotApi"));
        assert!(said(200, "OK", "[]").starts_with("NotApi"));
        assert!(said(401, "No ticket", "").starts_with("NotLoggedIn"));
        assert!(said(595, "No route to host", "").starts_with("NodeAway"));
        assert!(said(596, "Connection timed out", "").starts_with("Lost"));
    }
}
