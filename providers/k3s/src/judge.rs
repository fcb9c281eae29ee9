//! What the servers said, put together. Pure.

use std::collections::BTreeSet;

use tune_core::reading::Unreadable;
use tune_core::text::visible;
use tune_source::metrics::Metrics;
use tune_source::unreadable;

use crate::answer::{Answer, Node, Server};
use crate::ask::{Said, Seen};
use crate::codes::{NO_NODES, NOBODY};
use crate::parse::Readiness;

/// Returns what is known of the cluster.
pub(crate) fn judge(seen: Seen, max_lag: u64) -> Result<Answer, Unreadable> {
    let nodes = nodes(&seen)?;
    let metrics = || seen.servers.iter().filter_map(|(_, said)| Some(&said.as_ref().ok()?.etcd.as_ref().ok()?.0));
    let newest = metrics().filter_map(committed).max();
    let has_leader = metrics().any(|metrics| metrics.flag("etcd_server_has_leader") == Some(true));
    // A leader that was voted out keeps believing in itself for a moment, and has fewer entries.
    let leads = |metrics: &Metrics| metrics.flag("etcd_server_is_leader") == Some(true);
    let highest = metrics().filter(|metrics| leads(metrics)).filter_map(committed).max();
    let servers: Vec<Server> = seen
        .servers
        .iter()
        .map(|(host, said)| match said {
            Ok(said) => {
                let mut server = server(host, said, newest, max_lag);
                server.is_leader = said
                    .etcd
                    .as_ref()
                    .is_ok_and(|(metrics, _)| leads(metrics) && highest.is_some() && committed(metrics) == highest);
                server
            }
            Err(error) => Server {
                host: host.clone(),
                error: Some(error.message.clone()),
                etcd_error: Some(error.message.clone()),
                ..Server::default()
            },
        })
        .collect();

    let member = |server: &&Server| server.raft_index.is_some() && !server.is_learner;
    let voting_nodes = nodes.iter().filter(|node| node.is_voter).count();
    let voting_servers = servers.iter().filter(member).count();
    let versions: BTreeSet<&String> = nodes
        .iter()
        .map(|node| &node.version)
        .chain(servers.iter().filter_map(|server| server.version.as_ref()))
        .collect();
    let failed: BTreeSet<&String> = servers.iter().flat_map(|server| &server.failed_checks).collect();
    Ok(Answer {
        ready: servers.iter().all(|server| server.ready),
        failed_checks: failed.into_iter().cloned().collect(),
        nodes_ready: nodes.iter().all(|node| node.ready),
        // A server that has just joined may not be marked as a voter yet: too many voters are safe, too few are not.
        voters: voting_nodes.max(voting_servers) as u64,
        healthy_voters: servers.iter().filter(member).filter(|server| server.etcd_healthy).count() as u64,
        has_leader,
        etcd_leader: servers.iter().find(|server| server.is_leader).map(|server| server.host.clone()),
        max_lag: servers.iter().filter_map(|server| server.lag).max(),
        versions: versions.into_iter().filter(|version| !version.is_empty()).cloned().collect(),
        lease_holder: seen.lease.0,
        lease_transitions: seen.lease.1,
        servers,
        nodes,
    })
}

/// Returns the nodes, or why nothing can be said of the cluster.
fn nodes(seen: &Seen) -> Result<Vec<Node>, Unreadable> {
    if let Some(nodes) = &seen.nodes {
        return Ok(nodes.clone());
    }
    let reasons = |(host, said): &(String, Result<Said, Unreadable>)| match said {
        Err(error) => error.message.clone(),
        Ok(Said { readiness: Readiness::Silent(reason), .. }) => format!("`{}`: {reason}", visible(host, 200)),
        Ok(Said { readiness: Readiness::Fails(checks), .. }) => {
            format!("`{}` is not ready: {}", visible(host, 200), checks.join(", "))
        }
        Ok(_) => format!("`{}` lists no nodes", visible(host, 200)),
    };
    let reasons: Vec<String> = seen.servers.iter().map(reasons).collect();
    let reasons = visible(&reasons.join("; "), 1000);
    let is_silent = |said: &Result<Said, Unreadable>| {
        said.as_ref().map_or(true, |said| matches!(said.readiness, Readiness::Silent(_)))
    };
    if seen.servers.iter().all(|(_, said)| is_silent(said)) {
        let message = format!("no server of K3s answered: {reasons}");
        return Err(unreadable(NOBODY, message, "Check that K3s runs there, and that the commands run as root."));
    }
    let message = format!("no server of K3s lists the nodes: {reasons}");
    Err(unreadable(NO_NODES, message, "See `journalctl -u k3s` on a server."))
}

fn server(host: &str, said: &Said, newest: Option<u64>, max_lag: u64) -> Server {
    let (failed_checks, error) = match &said.readiness {
        Readiness::Ready => (Vec::new(), None),
        Readiness::Fails(checks) => {
            (checks.clone(), Some(format!("its API server is not ready: {}", checks.join(", "))))
        }
        Readiness::Silent(reason) => (Vec::new(), Some(visible(reason, 300))),
    };
    let server = Server {
        host: host.to_owned(),
        node: said.node.clone(),
        ready: error.is_none(),
        failed_checks,
        error,
        version: said.version.clone(),
        ..Server::default()
    };
    let (metrics, health) = match &said.etcd {
        Ok(etcd) => etcd,
        Err(error) => return Server { etcd_error: Some(error.message.clone()), ..server },
    };
    let applied = metrics.count("etcd_server_proposals_applied_total");
    let lag = newest.zip(applied).map(|(newest, applied)| newest.saturating_sub(applied));
    let etcd_error = match (health, lag) {
        (Err(reason), _) => Some(reason.clone()),
        _ if metrics.flag("etcd_server_has_leader") != Some(true) => Some("it knows no leader".to_owned()),
        (_, None) => Some("it does not tell how far it is".to_owned()),
        (_, Some(lag)) if lag > max_lag => Some(format!("it is {lag} entries behind")),
        _ => None,
    };
    Server {
        etcd_healthy: etcd_error.is_none(),
        etcd_error,
        is_learner: metrics.flag("etcd_server_is_learner").unwrap_or(false),
        raft_index: committed(metrics),
        lag,
        ..server
    }
}

fn committed(metrics: &Metrics) -> Option<u64> {
    metrics.count("etcd_server_proposals_committed_total")
}
