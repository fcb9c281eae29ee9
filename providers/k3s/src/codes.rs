//! The stable codes of everything that this source reports, and their manual entries.

use tune_core::problem::{Code, Explanation};

pub(crate) const NOBODY: Code = Code("tune::k3s::nobody");
pub(crate) const NO_NODES: Code = Code("tune::k3s::no_nodes");
pub(crate) const NOT_METRICS: Code = Code("tune::k3s::not_metrics");

/// The manual entry of each code.
pub(crate) const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        code: NOBODY,
        title: "no server of K3s answered",
        text: "None of the hosts ran `k3s` with an answer; the reasons follow. Name servers, not agents: an agent has no \
               `kubectl` that knows the cluster. The commands need root, because `/etc/rancher/k3s/k3s.yaml` is \
               readable for root only: log in as root, or give the hosts `become = \"sudo\"`.",
    },
    Explanation {
        code: NO_NODES,
        title: "no server tells of the nodes",
        text: "Servers answered, and none of them could list the nodes, so it is not known who votes. That is so while \
               their API servers start, and when etcd has lost its majority: look at `journalctl -u k3s`.",
    },
    Explanation {
        code: NOT_METRICS,
        title: "a server does not show the metrics of etcd",
        text: "K3s serves the metrics of its etcd at `http://127.0.0.1:2381/metrics` on every server, unless the cluster \
               keeps its state in another database. Check that K3s runs there, and `metrics_port`.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_explained_once() {
        let codes: std::collections::BTreeSet<_> = EXPLANATIONS.iter().map(|entry| entry.code).collect();
        assert_eq!(codes, [NOBODY, NO_NODES, NOT_METRICS].into());
    }
}
