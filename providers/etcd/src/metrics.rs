//! One member, over its metrics. They tell neither names nor the term; the other members are known by their ids.

use std::time::Duration;

use tune_core::reading::Unreadable;
use tune_source::http::{Ask, Link, Method};
use tune_source::metrics::Metrics;
use tune_source::{unreadable, within};

use crate::client;
use crate::codes::NOT_ETCD;
use crate::judge::{Found, Leader};

/// More than the metrics of a member have.
const LIMIT: usize = 8 << 20;

/// Asks for the metrics and for the member's own health, which is served beside them.
pub(crate) async fn ask(link: &mut Link, at: &str, timeout: Duration) -> Result<Found, Unreadable> {
    let headers = std::collections::BTreeMap::new();
    let ask = Ask { method: Method::GET, path: "/metrics", headers: &headers, body: b"", limit: LIMIT };
    let reply = within(timeout, at, link.ask(ask)).await?;
    let metrics = Metrics::parse(&String::from_utf8_lossy(&reply.body));
    let found = (reply.status == 200 && !reply.truncated).then(|| found_in(&metrics)).flatten();
    let mut found = found.ok_or_else(|| {
        let message = format!("what answers as {at} does not serve the metrics of etcd");
        unreadable(NOT_ETCD, message, "Check the port; etcd listens where `--listen-metrics-urls` says.")
    })?;
    found.health = client::health(link, at, timeout).await;
    Ok(found)
}

fn found_in(metrics: &Metrics) -> Option<Found> {
    let id = |text: &str| u64::from_str_radix(text, 16).ok();
    let member = id(metrics.label("etcd_server_id", "server_id")?)?;
    let has_leader = metrics.flag("etcd_server_has_leader")?;
    let leader = match (metrics.flag("etcd_server_is_leader")?, has_leader) {
        (true, true) => Leader::Is(member),
        (false, true) => Leader::Other,
        (_, false) => Leader::None,
    };
    let peers = metrics.0.get("etcd_network_active_peers").into_iter().flatten();
    Some(Found {
        cluster: None,
        member,
        leader,
        term: None,
        index: metrics.count("etcd_server_proposals_committed_total"),
        applied: metrics.count("etcd_server_proposals_applied_total"),
        is_learner: metrics.flag("etcd_server_is_learner").unwrap_or(false),
        db_size: metrics.count("etcd_mvcc_db_total_size_in_bytes"),
        db_size_in_use: metrics.count("etcd_mvcc_db_total_size_in_use_in_bytes"),
        version: metrics.label("etcd_server_version", "server_version").map(str::to_owned),
        alarms: Vec::new(),
        health: Ok(()),
        members: None,
        // A peer that is down is listed as well, with 0.
        peers: peers.filter_map(|peer| id(peer.labels.get("Remote")?)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Metrics of etcd 3.4.23 whose two peers are down.
    const TEXT: &str = "etcd_network_active_peers{Local=\"bdae9bbc11dd390d\",Remote=\"2943212f5e2cf73\"} 0\n\
        etcd_network_active_peers{Local=\"bdae9bbc11dd390d\",Remote=\"3760a4ec3b84f7fa\"} 0\n\
        etcd_server_has_leader 0\netcd_server_id{server_id=\"bdae9bbc11dd390d\"} 1\netcd_server_is_leader 0\n\
        etcd_server_is_learner 0\netcd_server_proposals_applied_total 20\netcd_server_proposals_committed_total 21\n\
        etcd_server_version{server_version=\"3.4.23\"} 1\netcd_mvcc_db_total_size_in_bytes 2.147483648e+09\n";

    #[test]
    fn a_member_is_known_by_its_metrics() {
        let found = found_in(&Metrics::parse(TEXT)).unwrap();
        assert_eq!((found.member, found.leader), (0xbdae_9bbc_11dd_390d, Leader::None));
        assert_eq!((found.index, found.applied, found.db_size), (Some(21), Some(20), Some(2_147_483_648)));
        assert_eq!(found.peers, [0x0294_3212_f5e2_cf73, 0x3760_a4ec_3b84_f7fa]);
        assert_eq!(found.version.as_deref(), Some("3.4.23"));
    }

    #[test]
    fn metrics_of_something_else_are_refused() {
        assert_eq!(found_in(&Metrics::parse("node_load1 0.5\n")), None);
        assert_eq!(
            found_in(&Metrics::parse(&TEXT.replace("etcd_server_has_leader 0", "etcd_server_has_leader NaN"))),
            None
        );
    }
}
