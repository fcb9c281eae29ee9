//! What a block of the source may write, and what it means.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tune_core::path::AttributePath;
use tune_core::problem::Problem;
use tune_core::reading::Unreadable;
use tune_core::schema::HostReference;
use tune_core::value::Value;
use tune_source::{Folder, Place, Scheme, TimeLimit, Tls, TlsFiles, Url, check_number};

use crate::codes::{BAD_ENDPOINT, NO_ENDPOINT, TWO_WAYS};

/// The port for clients.
const CLIENT_PORT: u16 = 2379;
/// How far a member may be behind.
const MAX_LAG: u64 = 1000;
/// How long each member has for its answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An etcd cluster: its members, who votes, who leads, and who keeps up.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(title = "etcd")]
#[serde(deny_unknown_fields)]
pub(crate) struct Attributes {
    /// Endpoints for clients that are reached from this machine: `["https://10.0.0.5:2379"]`. Name every member: one that
    /// is not asked counts as unhealthy.
    pub endpoints: Option<Vec<String>>,
    /// Hosts that a member runs on. Each is asked at its own loopback, through the connection to the host.
    pub hosts: Option<Vec<HostReference>>,
    /// The port for clients on every host of `hosts`; 2379 if it is left out.
    pub port: Option<u16>,
    /// The port of the metrics on every host of `hosts`, for example 2381. Then metrics are asked instead of the client
    /// API, without encryption; they tell neither the names of the members nor the term.
    pub metrics_port: Option<u16>,
    /// Endpoints of metrics that are reached from this machine: `["http://10.0.0.5:2381"]`. Not together with `endpoints`.
    pub metrics_endpoints: Option<Vec<String>>,
    /// The file of the certificates that are trusted, below the configuration's folder. With it the hosts of `hosts` are
    /// asked over TLS.
    pub ca_file: Option<String>,
    /// The file of the certificate that is shown to the members, below the configuration's folder.
    pub cert_file: Option<String>,
    /// The file of the certificate's key, below the configuration's folder.
    pub key_file: Option<String>,
    /// The name that the members' certificates are for, where they do not name the address that is asked.
    pub server_name: Option<String>,
    /// How many entries a healthy member may be behind; 1000 if it is left out.
    pub max_lag: Option<u64>,
    /// How long a member has for its answer, such as `5s`, which it is if it is left out.
    pub timeout: Option<String>,
}

/// What is asked, and how.
#[derive(Debug)]
pub(crate) struct Asking {
    /// Which interface is asked.
    pub over: Over,
    /// URLs reached from this machine.
    pub urls: Vec<Url>,
    /// Hosts that are asked at their own loopback.
    pub hosts: Vec<HostReference>,
    /// Where on each host.
    pub on_host: Place,
    /// Whether the hosts are asked over TLS.
    pub scheme: Scheme,
    /// What encryption needs; `None` where nothing is encrypted.
    pub tls: Option<Tls>,
    /// How far a healthy member may be behind, in entries.
    pub max_lag: u64,
    /// How long each answer may take.
    pub timeout: Duration,
}

/// An interface of etcd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The JSON form of the client API.
    Client,
    /// The metrics.
    Metrics,
}

/// Returns every mistake in a block.
pub(crate) fn check(attributes: &BTreeMap<String, Value>) -> Vec<Problem> {
    let mut problems = TlsFiles::check(attributes);
    problems.extend(TimeLimit::check(attributes, "timeout"));
    let written = |name: &str| attributes.get(name).is_some_and(|value| *value != Value::Null);
    let items = |name: &str| match attributes.get(name) {
        Some(Value::List(items)) => items.as_slice(),
        _ => &[],
    };
    let places = ["endpoints", "metrics_endpoints", "hosts"];
    if places.iter().all(|name| items(name).is_empty()) {
        let path = places.iter().find(|name| written(name)).map(|name| AttributePath::attribute(name));
        let problem =
            Problem::new(NO_ENDPOINT, path.unwrap_or_default(), "no member of etcd is named", "nothing to ask");
        problems.push(problem.with_help("write `hosts` or `endpoints`"));
    }
    for name in ["endpoints", "metrics_endpoints"] {
        for (at, item) in items(name).iter().enumerate() {
            let reason = match item.as_str().map(Url::parse) {
                Some(Ok(url)) if url.path == "/" => continue,
                Some(Ok(_)) => "it has a path",
                Some(Err(reason)) => reason,
                None => "it is not a text",
            };
            let path = AttributePath::attribute(name).index(at);
            let problem = Problem::new(BAD_ENDPOINT, path, format!("an endpoint cannot be used: {reason}"), reason);
            problems.push(problem.with_help("write it like `https://10.0.0.5:2379`"));
        }
    }
    for (one, other) in [("endpoints", "metrics_endpoints"), ("endpoints", "metrics_port"), ("port", "metrics_port")] {
        if written(one) && written(other) {
            let message = format!("`{one}` and `{other}` exclude each other");
            let path = AttributePath::attribute(other);
            let problem = Problem::new(TWO_WAYS, path, message, "asks for metrics, and the other for the client API");
            problems.push(problem.with_help(format!("keep one of `{one}` and `{other}`")));
        }
    }
    if written("metrics_endpoints") && written("hosts") && !written("metrics_port") {
        let message = "`metrics_endpoints` with `hosts` needs `metrics_port`";
        let path = AttributePath::attribute("metrics_endpoints");
        let problem = Problem::new(TWO_WAYS, path, message, "asks for metrics, and `hosts` for the client API");
        problems.push(problem.with_help("write `metrics_port` too"));
    }
    for name in ["port", "metrics_port"] {
        problems.extend(check_number(attributes, name, 1..=65_535));
    }
    problems.extend(check_number(attributes, "max_lag", 0..=i64::MAX.unsigned_abs()));
    problems
}

/// Returns what a block asks for, with its files read.
pub(crate) fn asking(attributes: &BTreeMap<String, Value>, folder: &Folder) -> Result<Asking, Unreadable> {
    let block: Attributes = tune_source::block(attributes)?;
    let is_metrics = block.metrics_port.is_some() || block.metrics_endpoints.is_some();
    let over = if is_metrics { Over::Metrics } else { Over::Client };
    let endpoints = block.endpoints.or(block.metrics_endpoints).unwrap_or_default();
    let urls = endpoints.iter().map(|text| Url::read(text)).collect::<Result<Vec<Url>, _>>()?;
    let files = TlsFiles {
        ca_file: block.ca_file,
        cert_file: block.cert_file,
        key_file: block.key_file,
        server_name: block.server_name,
    };
    let is_encrypted = over == Over::Client && (files.ca_file.is_some() || files.cert_file.is_some());
    let scheme = if is_encrypted { Scheme::Https } else { Scheme::Http };
    let hosts = block.hosts.unwrap_or_default();
    let needs_tls = urls.iter().any(|url| url.scheme == Scheme::Https) || (!hosts.is_empty() && is_encrypted);
    Ok(Asking {
        over,
        urls,
        hosts,
        on_host: Place { host: "127.0.0.1".to_owned(), port: block.metrics_port.or(block.port).unwrap_or(CLIENT_PORT) },
        scheme,
        tls: if needs_tls { Some(files.load(folder)?) } else { None },
        max_lag: block.max_lag.unwrap_or(MAX_LAG),
        timeout: TimeLimit::of(block.timeout.as_deref(), TIMEOUT),
    })
}
