//! Asks every server side by side.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join, join_all};
use tune_core::reading::Unreadable;
use tune_core::schema::HostReference;
use tune_core::source::{Command, CommandOutput, Reach};
use tune_core::text::visible;
use tune_source::http::{Ask, Link, Method};
use tune_source::metrics::Metrics;
use tune_source::{Asked, Place, connection, host_name, of_connection, unreadable, within};

use crate::answer::Node;
use crate::codes::NOT_METRICS;
use crate::parse::{self, Readiness};

/// More than a cluster of hundreds of nodes prints.
const OUTPUT: usize = 8 << 20;
/// More than the metrics of a member have.
const METRICS: usize = 8 << 20;
/// sudo leaves out where K3s installs itself on some systems.
const PATH: &str =
    "PATH=/usr/local/bin:/opt/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/run/current-system/sw/bin";

/// What is asked.
#[derive(Debug)]
pub(crate) struct Asking<'a> {
    /// The servers.
    pub hosts: &'a [HostReference],
    /// The port of etcd's metrics on each.
    pub metrics_port: u16,
    /// How long each answer may take.
    pub timeout: Duration,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The name of each host, and what it said, or why it could not be asked.
    pub servers: Vec<(String, Result<Said, Unreadable>)>,
    /// The nodes, from the first server that listed them.
    pub nodes: Option<Vec<Node>>,
    /// The holder of the lease `k3s` and how often it changed, from the same server.
    pub lease: (Option<String>, Option<u64>),
}

/// What one server said.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// The machine's name for itself.
    pub node: Option<String>,
    /// Whether its API server is ready.
    pub readiness: Readiness,
    /// The version that is installed.
    pub version: Option<String>,
    /// The metrics of its etcd and whether it finds itself healthy.
    pub etcd: Result<(Metrics, Result<(), String>), Unreadable>,
}

/// Asks all servers, and the first that answers for what is true of the whole cluster.
pub(crate) async fn everyone(asking: &Asking<'_>, reach: &dyn Reach) -> Seen {
    let asked = join_all(asking.hosts.iter().map(|host| async {
        let name = host_name(reach, host).0;
        let at = format!("`{}`", visible(&name, 200));
        let said = async {
            let asked = within(asking.timeout, &at, connection(reach, host)).await?;
            let (said, etcd) = join(server(asking, &asked), etcd(asking, &asked)).await;
            Ok((Said { etcd, ..said? }, asked))
        };
        (name, said.await)
    }))
    .await;
    let mut seen = Seen { servers: Vec::new(), nodes: None, lease: (None, None) };
    for (name, said) in asked {
        let said = match said {
            Ok((said, asked)) => {
                // A server whose API server is silent would only take its time again.
                let may_know = !matches!(said.readiness, Readiness::Silent(_));
                if seen.nodes.is_none() && may_know {
                    (seen.nodes, seen.lease) = cluster(asking, &asked).await;
                }
                Ok(said)
            }
            Err(error) => Err(error),
        };
        seen.servers.push((name, said));
    }
    seen
}

/// Asks a server for itself; its etcd comes from elsewhere.
async fn server(asking: &Asking<'_>, asked: &Asked) -> Result<Said, Unreadable> {
    let readyz = kubectl(asking, asked, &["get", "--raw", "/readyz?verbose"]).await?;
    let readiness = parse::readiness(readyz.status, &text(&readyz.output), &text(&readyz.complaint));
    let version = run(asking, asked, &["env", PATH, "k3s", "--version"]).await?;
    let node = run(asking, asked, &["uname", "-n"]).await?;
    let node = text(&node.output).trim().to_ascii_lowercase();
    Ok(Said {
        node: (!node.is_empty()).then_some(node),
        readiness,
        version: parse::version(&text(&version.output)),
        etcd: Err(unreadable(NOT_METRICS, "it was not asked", "Ask it.")),
    })
}

/// Asks a server for what is true of the whole cluster.
async fn cluster(asking: &Asking<'_>, asked: &Asked) -> (Option<Vec<Node>>, (Option<String>, Option<u64>)) {
    let nodes = kubectl(asking, asked, &["get", "nodes", "-o", "json"]).await;
    let nodes = nodes.ok().filter(|output| output.status == 0).and_then(|output| parse::nodes(&text(&output.output)));
    if nodes.is_none() {
        return (None, (None, None));
    }
    let lease = kubectl(asking, asked, &["get", "lease", "k3s", "-n", "kube-system", "-o", "json"]).await;
    let lease = lease.ok().filter(|output| output.status == 0).map(|output| parse::lease(&text(&output.output)));
    (nodes, lease.unwrap_or_default())
}

/// Asks the member of etcd that a server holds, on the server's own loopback.
async fn etcd(asking: &Asking<'_>, asked: &Asked) -> Result<(Metrics, Result<(), String>), Unreadable> {
    let place = Place { host: "127.0.0.1".to_owned(), port: asking.metrics_port };
    let at = format!("etcd on `{}`", visible(&asked.name.0, 200));
    let headers = BTreeMap::new();
    let ask = |path| Ask { method: Method::GET, path, headers: &headers, body: b"", limit: METRICS };
    let scrape = async {
        let door = asked.connection.door(&place.to_string()).await.map_err(of_connection)?;
        let mut link = Link::through(&door.at, &place, None, at.clone()).await?;
        let reply = link.ask(ask("/metrics")).await?;
        let metrics = Metrics::parse(&text(&reply.body));
        if reply.status != 200 || reply.truncated || metrics.flag("etcd_server_has_leader").is_none() {
            let message = format!("what answers as {at} does not serve the metrics of etcd");
            return Err(unreadable(NOT_METRICS, message, "Check that K3s runs there, and `metrics_port`."));
        }
        Ok((metrics, link, door))
    };
    let (metrics, mut link, _door) = within(asking.timeout, &at, scrape).await?;
    // Without a majority this one waits, while the metrics are known at once.
    let what = format!("the health check of {at}");
    let health = within(asking.timeout, &what, link.ask(ask("/health"))).await;
    let health = match health {
        Ok(reply) if reply.status == 200 => Ok(()),
        Ok(reply) => Err(format!("it reports itself unhealthy (status {})", reply.status)),
        Err(error) => Err(error.message),
    };
    Ok((metrics, health))
}

async fn kubectl(asking: &Asking<'_>, asked: &Asked, words: &[&str]) -> Result<CommandOutput, Unreadable> {
    let patience = format!("--request-timeout={}s", asking.timeout.as_secs().max(1));
    let all: Vec<&str> = ["env", PATH, "k3s", "kubectl", &patience].into_iter().chain(words.iter().copied()).collect();
    run(asking, asked, &all).await
}

async fn run(asking: &Asking<'_>, asked: &Asked, words: &[&str]) -> Result<CommandOutput, Unreadable> {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    let command = Command { words, input: Vec::new(), deadline: asking.timeout, output_limit: OUTPUT };
    let at = format!("`{}`", visible(&asked.name.0, 200));
    let answer = async { asked.connection.command(&command).await.map_err(of_connection) };
    within(asking.timeout, &at, answer).await
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
