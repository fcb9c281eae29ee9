//! The source `tcp`: whether a port takes connections.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tune_core::contract::{Connection, Pending};
use tune_core::path::AttributePath;
use tune_core::problem::{Code, Explanation, Problem};
use tune_core::reading::Unreadable;
use tune_core::rollout::Query;
use tune_core::schema::{HostReference, KindSchema};
use tune_core::source::{Reach, Source, Use};
use tune_core::text::visible;
use tune_core::value::Value;
use tune_source::{TimeLimit, attribute, bad_block, check_number, connection, of_connection, unreadable};

const TIMEOUT: Duration = Duration::from_secs(5);

/// How much longer than the attempt itself a host may take to tell of it.
const GRACE: Duration = Duration::from_secs(30);

const NO_BASH: Code = Code("tune::tcp::no_bash");

const EXPLANATIONS: &[Explanation] = &[Explanation {
    code: NO_BASH,
    title: "a host cannot try a port",
    text: "To learn whether a port takes connections from a host, `bash` and `timeout` are run there, which nearly every \
           Linux system has. A way through ssh would not do: it opens at once, and tells only later, and not always, \
           whether there is anything at its other end. Install bash, or try the port from another machine.",
}];

/// Opens a connection and prints how many microseconds that took. The address and the port are arguments, not text of
/// the script.
const SCRIPT: &str = r#"s=${EPOCHREALTIME-}
exec 3<>"/dev/tcp/$1/$2" || exit 1
e=${EPOCHREALTIME-}
[ -z "$s" ] || echo "$((${e/[.,]/} - ${s/[.,]/}))""#;

/// A port: whether it takes connections. Nothing is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(title = "tcp")]
#[serde(deny_unknown_fields)]
struct Attributes {
    /// The name or the address of the machine that is tried.
    address: String,
    /// The port.
    port: u16,
    /// The host from which it is tried; this machine if it is left out.
    host: Option<HostReference>,
    /// How long it may take until the connection is open; `5s` if it is left out.
    timeout: Option<String>,
}

/// Whether a port takes connections.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(title = "tcp")]
struct Answer {
    /// Whether a connection was opened.
    open: bool,
    /// How long that took, in milliseconds.
    connect_ms: Option<u64>,
    /// Why none was.
    error: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Tcp {
    schema: KindSchema,
    answer: KindSchema,
}

impl Tcp {
    pub(crate) fn new() -> Self {
        Self { schema: KindSchema::of::<Attributes>("tcp"), answer: KindSchema::of::<Answer>("tcp") }
    }
}

impl Source for Tcp {
    fn schema(&self) -> &KindSchema {
        &self.schema
    }

    fn answer(&self) -> &KindSchema {
        &self.answer
    }

    fn explanations(&self) -> &'static [Explanation] {
        EXPLANATIONS
    }

    fn usable(&self) -> Use {
        Use::Probe
    }

    fn check(&self, attributes: &BTreeMap<String, Value>) -> Vec<Problem> {
        let mut problems: Vec<Problem> = TimeLimit::check(attributes, "timeout").into_iter().collect();
        problems.extend(check_number(attributes, "port", 1..=65_535));
        if let Some(address) = attribute(attributes, "address")
            && !is_address(address)
        {
            let message = "`address` is neither a name nor an address";
            let help = "write a name such as `nas.lan`, or an address such as `10.0.0.5` or `fe80::1`";
            problems.push(bad_block(AttributePath::attribute("address"), message, "not a name, not an address", help));
        }
        problems
    }

    fn look<'a>(&'a self, query: &'a Query, reach: &'a dyn Reach) -> Pending<'a, Result<Value, Unreadable>> {
        Box::pin(async move {
            let block: Attributes = tune_source::block(&query.attributes)?;
            let timeout = TimeLimit::of(block.timeout.as_deref(), TIMEOUT);
            let answer = match &block.host {
                None => from_here(&block.address, block.port, timeout).await,
                Some(host) => {
                    let asked = connection(reach, host).await?;
                    from_host(&*asked.connection, &block.address, block.port, timeout).await?
                }
            };
            Ok(tune_source::answer(&answer))
        })
    }
}

fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_name = !text.is_empty() && text.len() <= 253 && !text.starts_with('-') && text.chars().all(plain);
    is_name || text.parse::<std::net::Ipv6Addr>().is_ok()
}

async fn from_here(address: &str, port: u16, timeout: Duration) -> Answer {
    let begin = Instant::now();
    match tokio::time::timeout(timeout, TcpStream::connect((address, port))).await {
        Ok(Ok(_)) => Answer { open: true, connect_ms: Some(crate::millis(begin)), error: None },
        Ok(Err(error)) => closed(&error.to_string()),
        Err(_) => closed("no answer in time"),
    }
}

async fn from_host(
    connection: &dyn Connection,
    address: &str,
    port: u16,
    timeout: Duration,
) -> Result<Answer, Unreadable> {
    // Not every `timeout` knows fractions of a second.
    let seconds = timeout.as_millis().div_ceil(1000).to_string();
    let words = ["timeout", &seconds, "bash", "-c", SCRIPT, "tcp", address, &port.to_string()];
    let output = crate::run(connection, &words, timeout + GRACE).await.map_err(of_connection)?;
    let complaint = String::from_utf8_lossy(&output.complaint);
    Ok(match output.status {
        0 => {
            let micros: Option<u64> = String::from_utf8_lossy(&output.output).trim().parse().ok();
            Answer { open: true, connect_ms: micros.map(|micros| micros / 1000), error: None }
        }
        1 => closed(complaint.lines().next().and_then(|line| line.rsplit(": ").next()).unwrap_or("refused")),
        // 143 is what some give in place of 124.
        124 | 143 => closed("no answer in time"),
        126 | 127 => {
            return Err(unreadable(NO_BASH, "the host has no `bash` or no `timeout`", "Install bash on the host."));
        }
        status => {
            let message = format!("the port could not be tried: status {status}, {}", visible(complaint.trim(), 200));
            return Err(unreadable(NO_BASH, message, "Try it by hand with `bash` on the host."));
        }
    })
}

fn closed(reason: &str) -> Answer {
    Answer { open: false, connect_ms: None, error: Some(visible(reason, 200)) }
}
