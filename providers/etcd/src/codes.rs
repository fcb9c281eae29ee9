//! The stable codes of everything that this source reports, and their manual entries.

use tune_core::problem::{Code, Explanation};

pub(crate) const NO_ENDPOINT: Code = Code("tune::etcd::no_endpoint");
pub(crate) const BAD_ENDPOINT: Code = Code("tune::etcd::bad_endpoint");
pub(crate) const TWO_WAYS: Code = Code("tune::etcd::two_ways");
pub(crate) const NO_GATEWAY: Code = Code("tune::etcd::no_gateway");
pub(crate) const NOT_ETCD: Code = Code("tune::etcd::not_etcd");
pub(crate) const REFUSED: Code = Code("tune::etcd::refused");
pub(crate) const NOBODY: Code = Code("tune::etcd::nobody");
pub(crate) const TWO_CLUSTERS: Code = Code("tune::etcd::two_clusters");
pub(crate) const NO_VOTER: Code = Code("tune::etcd::no_voter");

/// The manual entry of each code.
pub(crate) const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        code: NO_ENDPOINT,
        title: "a block `etcd` names no member",
        text: "Write `hosts`, the hosts that the members run on, or `endpoints`, URLs that are reached from this \
               machine. Name all members: one that is not asked counts as unhealthy, because nothing is known of it.",
    },
    Explanation {
        code: BAD_ENDPOINT,
        title: "an endpoint of etcd is not a URL that can be used",
        text: "An endpoint is `http://` or `https://`, a name or an address, and a port, without a path: \
               `https://10.0.0.5:2379`. `etcdctl member list` shows the client URLs of all members.",
    },
    Explanation {
        code: TWO_WAYS,
        title: "a block `etcd` asks for the client API and for metrics at once",
        text: "A block asks either the client API (`endpoints`, or `hosts` with `port`) or the metrics \
               (`metrics_endpoints`, or `hosts` with `metrics_port`). The client API tells more: names, the term, and \
               members that are not asked. Metrics need no certificate.",
    },
    Explanation {
        code: NO_GATEWAY,
        title: "a member does not serve the JSON form of the client API",
        text: "etcd serves its API as JSON below `/v3` unless it was started with `--enable-grpc-gateway=false`, or from \
               a configuration file that does not say `enable-grpc-gateway: true`. Turn it on, or ask the metrics \
               instead, with `metrics_port`.",
    },
    Explanation {
        code: NOT_ETCD,
        title: "what answers is not etcd",
        text: "The answer is not what etcd would say: a page of HTML, broken JSON, or more than a member ever says. \
               Check the port: 2379 is for clients, 2380 for the members among themselves, 2381 often for metrics. A \
               proxy or a login page between may answer too.",
    },
    Explanation {
        code: REFUSED,
        title: "a member refuses to answer",
        text: "The member answered with an error. Where the client API asks for a user (`etcdctl auth status`), the \
               metrics can be asked instead, with `metrics_port`.",
    },
    Explanation {
        code: NOBODY,
        title: "no member of etcd answered",
        text: "None of the endpoints gave an answer; the reasons follow. So nothing is known of the cluster, which is \
               different from a cluster of which all members are unhealthy.",
    },
    Explanation {
        code: TWO_CLUSTERS,
        title: "the endpoints belong to different clusters",
        text: "As many endpoints belong to one cluster as to another one, so it cannot be told which is meant. It happens \
               when a member was started anew with an initial cluster of its own, and after a restore from a snapshot. \
               Compare the cluster ids of `etcdctl endpoint status --write-out=fields`.",
    },
    Explanation {
        code: NO_VOTER,
        title: "only learners answered",
        text: "A learner does not know the list of members, so the voters cannot be counted. Name the voters too.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_explained_once() {
        let codes: std::collections::BTreeSet<_> = EXPLANATIONS.iter().map(|entry| entry.code).collect();
        assert_eq!(codes.len(), EXPLANATIONS.len());
        assert!(codes.iter().all(|code| code.0.starts_with("tune::etcd::")));
    }
}
