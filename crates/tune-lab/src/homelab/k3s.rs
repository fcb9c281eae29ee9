//! What the servers of the pretend K3s cluster answer: `kubectl`, as their API servers do, and the metrics of their etcd.
//! Pure; times come from the caller.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::etcd::Etcd;

/// What the servers run.
pub(super) const VERSION: &str = "v1.33.4+k3s1";
/// How long a node may be silent until the cluster takes it for gone.
const GRACE: Duration = Duration::from_secs(40);

/// The servers of one cluster.
#[derive(Debug)]
pub(super) struct K3s {
    etcd: Etcd,
    /// Since when each server that does not run has been gone.
    gone: BTreeMap<String, Option<Duration>>,
    /// Who runs K3s's own controllers, and how often that has changed. It need not be etcd's leader.
    lease: (String, u64),
}

/// How a command ended, and what it said: on standard output if it succeeded, otherwise on standard error.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) status: u8,
    pub(super) text: String,
}

impl K3s {
    /// Servers that have been there for long. One that comes back needs `catch_up` until its etcd keeps up again.
    pub(super) fn new(servers: &[&str], leader: &str, catch_up: Duration) -> K3s {
        let holder = servers.iter().find(|name| **name != leader).copied().unwrap_or(leader);
        K3s {
            etcd: Etcd::new(servers, leader, catch_up),
            gone: servers.iter().map(|name| ((*name).to_owned(), None)).collect(),
            lease: (holder.to_owned(), 4),
        }
    }

    /// K3s starts on a server.
    pub(super) fn start(&mut self, server: &str, now: Duration) {
        self.etcd.start(server, now);
        self.gone.insert(server.to_owned(), None);
    }

    /// A server goes.
    pub(super) fn stop(&mut self, server: &str, now: Duration) {
        self.etcd.stop(server, now);
        let since = self.gone.get(server).copied().flatten().unwrap_or(now);
        self.gone.insert(server.to_owned(), Some(since));
        if self.lease.0 == server
            && let Some(next) = self.etcd.running().next()
        {
            self.lease = (next.to_owned(), self.lease.1 + 1);
        }
    }

    /// Who leads etcd.
    pub(super) fn leader(&mut self, now: Duration) -> Option<String> {
        self.etcd.leader(now)
    }

    /// The servers whose etcd keeps up.
    pub(super) fn healthy(&mut self, now: Duration) -> Vec<String> {
        let names: Vec<String> = self.gone.keys().cloned().collect();
        names.into_iter().filter(|name| self.etcd.keeps_up(name, now)).collect()
    }

    /// Answers `kubectl` with these words on a server.
    pub(super) fn kubectl(&mut self, server: &str, words: &[&str], now: Duration) -> Said {
        let words: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with("--request-timeout=")).collect();
        match words.as_slice() {
            ["get", "--raw", "/readyz?verbose" | "/readyz"] => self.readyz(server, now),
            ["get", "nodes", "-o", "json"] => self.stored(now, |k3s| k3s.nodes(now)),
            ["get", "lease", "k3s", "-n", "kube-system", "-o", "json"] => self.stored(now, K3s::lease),
            other => fails(&format!(
                "error: this stands in for kubectl and does not know `{}`; it knows `get --raw /readyz?verbose`, `get \
                 nodes -o json` and `get lease k3s -n kube-system -o json`\n",
                other.join(" ")
            )),
        }
    }

    /// What `/metrics` of a server's etcd says, if it runs.
    pub(super) fn metrics(&mut self, server: &str, now: Duration) -> Option<String> {
        let member = self.etcd.member(server, now)?;
        let flag = u8::from;
        let values = [
            ("etcd_server_has_leader", "gauge", flag(member.has_leader).to_string()),
            ("etcd_server_is_leader", "gauge", flag(member.is_leader).to_string()),
            ("etcd_server_is_learner", "gauge", "0".to_owned()),
            ("etcd_server_leader_changes_seen_total", "counter", member.leader_changes.to_string()),
            ("etcd_server_proposals_applied_total", "gauge", member.applied.to_string()),
            ("etcd_server_proposals_committed_total", "gauge", member.committed.to_string()),
            ("etcd_server_proposals_pending", "gauge", "0".to_owned()),
            ("process_start_time_seconds", "gauge", format!("{:.2}", member.started)),
        ];
        let line = |(name, kind, value): (&str, &str, String)| format!("# TYPE {name} {kind}\n{name} {value}\n");
        Some(values.map(line).concat())
    }

    /// What `/health` of a server's etcd says, with the status of HTTP, if it runs.
    pub(super) fn health(&mut self, server: &str, now: Duration) -> Option<(u16, &'static str)> {
        let member = self.etcd.member(server, now)?;
        Some(if member.has_leader {
            (200, "{\"health\":\"true\",\"reason\":\"\"}")
        } else {
            (503, "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}")
        })
    }

    fn readyz(&mut self, server: &str, now: Duration) -> Said {
        let has_leader = self.etcd.member(server, now).is_some_and(|member| member.has_leader);
        let keeps_up = has_leader && self.etcd.keeps_up(server, now);
        let checks = [
            ("ping", true),
            ("log", true),
            ("etcd", has_leader),
            ("etcd-readiness", keeps_up),
            ("informer-sync", has_leader),
            ("poststarthook/start-apiextensions-controllers", true),
            ("poststarthook/rbac/bootstrap-roles", has_leader),
            ("shutdown", true),
        ];
        let line = |(name, passes): &(&str, bool)| {
            if *passes { format!("[+]{name} ok\n") } else { format!("[-]{name} failed: reason withheld\n") }
        };
        let lines: String = checks.iter().map(line).collect::<Vec<_>>().concat();
        if checks.iter().all(|(_, passes)| *passes) {
            return Said { status: 0, text: lines + "readyz check passed\n" };
        }
        let lines = lines.trim_end().replace('\n', "\\n");
        fails(&format!(
            "Error from server (InternalError): an error on the server (\"{lines}\\nreadyz check failed\") has prevented \
             the request from succeeding\n"
        ))
    }

    /// Answers with what is kept in etcd, which takes a leader.
    fn stored(&mut self, now: Duration, answer: impl FnOnce(&Self) -> Json) -> Said {
        if self.etcd.leader(now).is_none() {
            return fails("Error from server: etcdserver: no leader\n");
        }
        Said { status: 0, text: format!("{:#}\n", answer(self)) }
    }

    fn nodes(&self, now: Duration) -> Json {
        let nodes: Vec<Json> = self.gone.iter().map(|(name, gone)| node(name, *gone, now)).collect();
        json!({ "apiVersion": "v1", "kind": "List", "items": nodes })
    }

    fn lease(&self) -> Json {
        let (holder, transitions) = &self.lease;
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": { "name": "k3s", "namespace": "kube-system" },
            "spec": { "holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": transitions },
        })
    }
}

fn node(name: &str, gone: Option<Duration>, now: Duration) -> Json {
    let ready = if gone.is_some_and(|since| now > since + GRACE) { "Unknown" } else { "True" };
    json!({
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "node-role.kubernetes.io/control-plane": "true",
                "node-role.kubernetes.io/etcd": "true",
                "node-role.kubernetes.io/master": "true",
            },
        },
        "spec": {},
        "status": {
            "conditions": [
                { "type": "EtcdIsVoter", "status": "True", "reason": "MemberNotLearner" },
                { "type": "Ready", "status": ready, "reason": "KubeletReady" },
            ],
            "nodeInfo": { "kubeletVersion": VERSION },
        },
    })
}

fn fails(text: &str) -> Said {
    Said { status: 1, text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const READYZ: [&str; 4] = ["--request-timeout=20s", "get", "--raw", "/readyz?verbose"];

    fn cluster() -> K3s {
        K3s::new(&["a", "b", "c"], "b", SECOND)
    }

    #[test]
    fn a_server_is_ready_when_its_etcd_keeps_up() {
        let mut k3s = cluster();
        assert!(k3s.kubectl("a", &READYZ, SECOND).text.ends_with("readyz check passed\n"));
        k3s.stop("a", SECOND);
        assert_eq!((k3s.metrics("a", SECOND), k3s.health("a", SECOND)), (None, None));
        k3s.start("a", SECOND * 2);
        let said = k3s.kubectl("a", &READYZ, SECOND * 2);
        assert!(said.status == 1 && said.text.contains("\\n[-]etcd-readiness failed: reason withheld\\n"), "{said:?}");
        assert_eq!(k3s.healthy(SECOND * 2), ["b", "c"]);
        assert_eq!(k3s.kubectl("a", &READYZ, SECOND * 3).status, 0);
        assert_eq!(k3s.healthy(SECOND * 3), ["a", "b", "c"]);
    }

    #[test]
    fn without_a_leader_only_the_metrics_are_told() {
        let mut k3s = cluster();
        k3s.stop("a", SECOND);
        k3s.stop("b", SECOND);
        let nodes = ["get", "nodes", "-o", "json"];
        assert_eq!(k3s.kubectl("c", &nodes, SECOND).status, 1);
        assert_eq!(k3s.health("c", SECOND).map(|(status, _)| status), Some(503));
        assert!(k3s.metrics("c", SECOND).unwrap().contains("\netcd_server_has_leader 0\n"));
    }

    #[test]
    fn a_node_is_missed_after_a_while_and_votes_all_the_same() {
        let mut k3s = cluster();
        k3s.stop("a", SECOND);
        let mut nodes = |now| -> Json {
            serde_json::from_str(&k3s.kubectl("c", &["get", "nodes", "-o", "json"], now).text).unwrap()
        };
        let conditions = |nodes: &Json| nodes["items"][0]["status"]["conditions"].clone();
        let soon = conditions(&nodes(SECOND * 9));
        assert_eq!((&soon[0]["status"], &soon[1]["status"]), (&json!("True"), &json!("True")));
        let later = conditions(&nodes(SECOND * 99));
        assert_eq!((&later[0]["status"], &later[1]["status"]), (&json!("True"), &json!("Unknown")));
    }
}
