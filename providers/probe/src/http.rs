//! The source `http`: what a URL answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tune_core::contract::Pending;
use tune_core::path::AttributePath;
use tune_core::problem::{Explanation, Problem};
use tune_core::reading::Unreadable;
use tune_core::rollout::Query;
use tune_core::schema::{HostReference, KindSchema};
use tune_core::source::{Reach, Source, Use};
use tune_core::value::Value;
use tune_source::http::{Ask, Link, Method, Reply};
use tune_source::{
    Asked, Folder, Scheme, TimeLimit, Tls, TlsFiles, Url, attribute, bad_block, check_number, connection,
    of_connection, within,
};

const TIMEOUT: Duration = Duration::from_secs(10);
const LIMIT: u64 = 64 * 1024;
const GREATEST_LIMIT: u64 = 1024 * 1024;

/// How many times an answer may send on to another path.
const REDIRECTS: usize = 5;

/// What belongs to the connection and not to the request.
const RESERVED: [&str; 5] = ["connection", "content-length", "transfer-encoding", "upgrade", "te"];

/// A URL: what it answers. Nothing but the request is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(title = "http")]
#[serde(deny_unknown_fields)]
struct Attributes {
    /// The URL: `https://nas.lan:8443/health`.
    url: String,
    /// The host from which it is asked, so that `http://127.0.0.1:8080/` is that host's own loopback; this machine if it
    /// is left out.
    host: Option<HostReference>,
    /// `GET` or `HEAD`; `GET` if it is left out.
    method: Option<String>,
    /// Headers to send.
    headers: Option<BTreeMap<String, String>>,
    /// The statuses that make `ok` true; 200 to 299 if they are left out.
    status: Option<Vec<u16>>,
    /// How much of the content is read, in bytes; the rest is cut off. 65536 if it is left out, and at most 1048576.
    limit: Option<usize>,
    /// The file of the certificates that are trusted, below the configuration's folder; those of this system if it is
    /// left out.
    ca_file: Option<String>,
    /// The file of the certificate that is shown to the service, below the configuration's folder.
    cert_file: Option<String>,
    /// The file of the certificate's key, below the configuration's folder.
    key_file: Option<String>,
    /// The name that the service's certificate is for, where it is not the name in the URL.
    server_name: Option<String>,
    /// How long the answer may take, to its end; `10s` if it is left out.
    timeout: Option<String>,
}

/// What a URL answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "http")]
struct Answer {
    /// The status.
    status: u16,
    /// Whether the status is one of those that are expected.
    ok: bool,
    /// The headers, by their names in lower case.
    headers: BTreeMap<String, String>,
    /// The content, as far as `limit` went. Bytes that are not UTF-8 are replaced by `�`.
    body: String,
    /// Whether there was more than `limit`.
    truncated: bool,
    /// The URL that answered, after it was sent on within the same service. What leads to another service is not
    /// followed.
    url: String,
    /// How long it took, in milliseconds.
    duration_ms: u64,
}

#[derive(Debug)]
pub(crate) struct Http {
    schema: KindSchema,
    answer: KindSchema,
    folder: Folder,
}

impl Http {
    pub(crate) fn new(folder: &Path) -> Self {
        let (schema, answer) = (KindSchema::of::<Attributes>("http"), KindSchema::of::<Answer>("http"));
        Self { schema, answer, folder: Folder::new(folder) }
    }
}

impl Source for Http {
    fn schema(&self) -> &KindSchema {
        &self.schema
    }

    fn answer(&self) -> &KindSchema {
        &self.answer
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn usable(&self) -> Use {
        Use::Probe
    }

    fn check(&self, attributes: &BTreeMap<String, Value>) -> Vec<Problem> {
        let mut problems = TlsFiles::check(attributes);
        problems.extend(TimeLimit::check(attributes, "timeout"));
        problems.extend(check_number(attributes, "limit", 1..=GREATEST_LIMIT));
        if let Some(Err(reason)) = attribute(attributes, "url").map(Url::parse) {
            let message = format!("`url` cannot be used: {reason}");
            let help = "write it like `https://nas.lan/health`";
            problems.push(bad_block(AttributePath::attribute("url"), &message, reason, help));
        }
        if let Some(method) = attribute(attributes, "method")
            && !["GET", "HEAD"].contains(&method)
        {
            let message = "`method` is neither `GET` nor `HEAD`";
            let label = "a probe changes nothing";
            problems.push(bad_block(AttributePath::attribute("method"), message, label, "write `GET` or `HEAD`"));
        }
        if let Some(Value::List(statuses)) = attributes.get("status") {
            let path = AttributePath::attribute("status");
            let is_status = |value: &Value| match value {
                Value::Number(number) => number.as_u64().is_some_and(|status| (100..=599).contains(&status)),
                _ => false,
            };
            if let Some(at) = statuses.iter().position(|value| !is_status(value)) {
                let message = "a status is a number from 100 to 599";
                problems.push(bad_block(path.index(at), message, "not a status", "write it like `200`"));
            }
        }
        if let Some(Value::Map(headers)) = attributes.get("headers") {
            for (name, value) in headers {
                if !is_header(name, value.as_str().unwrap_or_default()) {
                    let path = AttributePath::attribute("headers").key(name);
                    let message = "a header cannot be sent";
                    let label = "not a header, or one that belongs to the connection";
                    problems.push(bad_block(path, message, label, "write a header such as `accept`"));
                }
            }
        }
        problems
    }

    fn look<'a>(&'a self, query: &'a Query, reach: &'a dyn Reach) -> Pending<'a, Result<Value, Unreadable>> {
        Box::pin(async move {
            let block: Attributes = tune_source::block(&query.attributes)?;
            let timeout = TimeLimit::of(block.timeout.as_deref(), TIMEOUT);
            let what = format!("`{}`", tune_core::text::visible(&block.url, 200));
            let begin = Instant::now();
            let (url, reply) = within(timeout, &what, ask(&block, &self.folder, reach)).await?;
            let is_expected = match &block.status {
                None => (200..=299).contains(&reply.status),
                Some(statuses) => statuses.contains(&reply.status),
            };
            Ok(tune_source::answer(&Answer {
                status: reply.status,
                ok: is_expected,
                headers: reply.headers,
                body: String::from_utf8_lossy(&reply.body).into_owned(),
                truncated: reply.truncated,
                url: url.to_string(),
                duration_ms: crate::millis(begin),
            }))
        })
    }
}

/// A visible name, and a value without line breaks.
fn is_header(name: &str, value: &str) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let named = !name.is_empty() && name.chars().all(token);
    let lower = name.to_ascii_lowercase();
    named && !RESERVED.contains(&lower.as_str()) && value.chars().all(|c| c == '\t' || (' '..='~').contains(&c))
}

/// Asks, and asks again where the same service sends on to.
async fn ask(block: &Attributes, folder: &Folder, reach: &dyn Reach) -> Result<(Url, Reply), Unreadable> {
    let mut url = Url::read(&block.url)?;
    let files = TlsFiles {
        ca_file: block.ca_file.clone(),
        cert_file: block.cert_file.clone(),
        key_file: block.key_file.clone(),
        server_name: block.server_name.clone(),
    };
    let tls = if url.scheme == Scheme::Https { Some(files.load(folder)?) } else { None };
    let asked = match &block.host {
        Some(host) => Some(connection(reach, host).await?),
        None => None,
    };
    let headers = block.headers.clone().unwrap_or_default();
    let limit = block.limit.unwrap_or(usize::try_from(LIMIT).unwrap_or(usize::MAX));
    let mut redirects = 0;
    loop {
        let method = if block.method.as_deref() == Some("HEAD") { Method::HEAD } else { Method::GET };
        let ask = Ask { method, path: &url.path, headers: &headers, body: b"", limit };
        let reply = send(&url, asked.as_ref(), tls.as_ref(), ask).await?;
        match next(&url, &reply).filter(|_| redirects < REDIRECTS) {
            Some(next) => url = next,
            None => return Ok((url, reply)),
        }
        redirects += 1;
    }
}

async fn send(url: &Url, asked: Option<&Asked>, tls: Option<&Tls>, ask: Ask<'_>) -> Result<Reply, Unreadable> {
    let Some(asked) = asked else { return Link::open(&url.place, tls).await?.ask(ask).await };
    let door = asked.connection.door(&url.place.to_string()).await.map_err(of_connection)?;
    let at = format!("`{}` on `{}`", url.place, tune_core::text::visible(&asked.name.0, 200));
    Link::through(&door.at, &url.place, tls, at).await?.ask(ask).await
}

/// Returns where an answer sends on to, if that is the same service.
fn next(url: &Url, reply: &Reply) -> Option<Url> {
    if !matches!(reply.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = reply.headers.get("location")?;
    let next = if location.starts_with('/') && !location.starts_with("//") {
        let base = Url { path: String::new(), ..url.clone() };
        Url::parse(&format!("{base}{location}")).ok()?
    } else {
        Url::parse(location).ok()?
    };
    next.same_origin(url).then_some(next)
}
