//! The source `k3s_cluster`: the servers and nodes of a K3s cluster, and the etcd that its servers hold.
//!
//! Each server is asked over its own host: whether its API server is ready, and what the metrics of its etcd say, which
//! K3s serves on the loopback. The first server that answers tells of the nodes. Fixed programs are run, which change
//! nothing. The lease `k3s` is reported and means nothing for etcd: it names the server that runs K3s's own controllers.

mod answer;
mod ask;
mod codes;
mod judge;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tune_core::contract::Pending;
use tune_core::problem::{Explanation, Problem};
use tune_core::reading::Unreadable;
use tune_core::rollout::{Query, Quorum};
use tune_core::schema::{HostReference, KindSchema};
use tune_core::source::{Reach, Source};
use tune_core::value::{Value, decode};
use tune_source::{TimeLimit, check_hosts, check_number};

use crate::answer::Answer;

const TIMEOUT: Duration = Duration::from_secs(20);
const METRICS_PORT: u16 = 2381;
const MAX_LAG: u64 = 1000;

/// A K3s cluster: which servers are ready, which nodes are, and who votes and leads in its etcd.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(title = "k3s_cluster")]
#[serde(deny_unknown_fields)]
struct Attributes {
    /// The only server. Not together with `hosts`.
    host: Option<HostReference>,
    /// The hosts of all servers. A server that is left out is counted as a voter, and as one that is not healthy; and if
    /// it leads, the leader is not known.
    hosts: Option<Vec<HostReference>>,
    /// The port of etcd's metrics on the loopback of each server; 2381 if it is left out.
    metrics_port: Option<u16>,
    /// How many entries a healthy member of etcd may be behind; 1000 if it is left out.
    max_lag: Option<u64>,
    /// How long a server may take for each of its answers; `20s` if it is left out.
    timeout: Option<String>,
}

/// The source `k3s_cluster`.
#[derive(Debug)]
pub struct K3sCluster {
    schema: KindSchema,
    answer: KindSchema,
}

/// What of an answer tells of voters.
#[derive(Deserialize)]
struct Told {
    voters: usize,
    healthy_voters: usize,
    servers: Vec<Voter>,
}

/// A server that was asked, as a voter of etcd.
#[derive(Deserialize)]
struct Voter {
    host: String,
    etcd_healthy: bool,
}

/// Returns the source.
pub fn source() -> Arc<dyn Source> {
    let (schema, answer) = (KindSchema::of::<Attributes>("k3s_cluster"), KindSchema::of::<Answer>("k3s_cluster"));
    Arc::new(K3sCluster { schema, answer })
}

/// Returns every source of this crate.
pub fn sources() -> Vec<Arc<dyn Source>> {
    vec![source()]
}

impl Source for K3sCluster {
    fn schema(&self) -> &KindSchema {
        &self.schema
    }

    fn answer(&self) -> &KindSchema {
        &self.answer
    }

    fn explanations(&self) -> &'static [Explanation] {
        codes::EXPLANATIONS
    }

    fn check(&self, attributes: &BTreeMap<String, Value>) -> Vec<Problem> {
        let mut problems: Vec<Problem> = check_hosts(attributes).into_iter().collect();
        problems.extend(check_number(attributes, "metrics_port", 1..=65_535));
        problems.extend(check_number(attributes, "max_lag", 0..=i64::MAX.unsigned_abs()));
        problems.extend(TimeLimit::check(attributes, "timeout"));
        problems
    }

    fn look<'a>(&'a self, query: &'a Query, reach: &'a dyn Reach) -> Pending<'a, Result<Value, Unreadable>> {
        Box::pin(async move {
            let block: Attributes = tune_source::block(&query.attributes)?;
            let hosts: Vec<HostReference> = block.host.into_iter().chain(block.hosts.unwrap_or_default()).collect();
            let asking = ask::Asking {
                hosts: &hosts,
                metrics_port: block.metrics_port.unwrap_or(METRICS_PORT),
                timeout: TimeLimit::of(block.timeout.as_deref(), TIMEOUT),
            };
            let seen = ask::everyone(&asking, reach).await;
            judge::judge(seen, block.max_lag.unwrap_or(MAX_LAG)).map(|answer| tune_source::answer(&answer))
        })
    }

    fn knows_quorum(&self) -> bool {
        true
    }

    /// A cluster without voters keeps its state in another database; there is no majority to keep.
    fn quorum(&self, answer: &Value) -> Option<Quorum> {
        let Value::Map(entries) = answer else { return None };
        let Told { voters, healthy_voters, servers } = decode(entries).ok()?;
        let unhealthy = servers.into_iter().filter(|server| !server.etcd_healthy);
        let unwell = unhealthy.map(|server| server.host).collect();
        (voters > 0).then_some(Quorum { voters, healthy: healthy_voters, unwell })
    }
}
