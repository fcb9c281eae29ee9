//! What the programs of K3s print. Pure.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::answer::Node;

/// What a server says of its own readiness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Every check passes.
    Ready,
    /// These checks fail.
    Fails(Vec<String>),
    /// It did not say, and this is why.
    Silent(String),
}

/// Reads `kubectl get --raw /readyz?verbose`. When a check fails, kubectl puts the lines into an error message, as they
/// are or with `\n` for their breaks.
pub(crate) fn readiness(status: i32, output: &str, complaint: &str) -> Readiness {
    if status == 0 {
        return Readiness::Ready;
    }
    let all = format!("{output}\n{complaint}").replace("\\n", "\n");
    let name = |rest: &str| -> String {
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_./".contains(*c)).collect()
    };
    let failed: BTreeSet<String> = all.split("[-]").skip(1).map(name).filter(|name| !name.is_empty()).collect();
    if failed.is_empty() {
        let line = complaint.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
        return Readiness::Silent(line.trim().to_owned());
    }
    Readiness::Fails(failed.into_iter().collect())
}

/// Reads `k3s --version`: `k3s version v1.33.4+k3s1 (148243c4)`.
pub(crate) fn version(output: &str) -> Option<String> {
    let version = output.lines().next()?.strip_prefix("k3s version ")?.split_whitespace().next()?;
    Some(version.to_owned())
}

/// Reads `kubectl get nodes -o json`, sorted by name; `None` if it is no list of nodes.
pub(crate) fn nodes(output: &str) -> Option<Vec<Node>> {
    let json: Json = serde_json::from_str(output).ok()?;
    let mut nodes = json["items"].as_array()?.iter().map(node).collect::<Option<Vec<Node>>>()?;
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    Some(nodes)
}

fn node(json: &Json) -> Option<Node> {
    let metadata = &json["metadata"];
    let has_role = |role: &str| metadata["labels"][format!("node-role.kubernetes.io/{role}")] == "true";
    let condition = |kind: &str| {
        let conditions = json["status"]["conditions"].as_array();
        conditions.into_iter().flatten().find(|condition| condition["type"] == kind)
    };
    // A member that is down or ill still votes; only one that learns, or is none, does not.
    let never_votes = condition("EtcdIsVoter").is_some_and(|condition| {
        condition["status"] != "True"
            && (condition["reason"] == "MemberIsLearner" || condition["reason"] == "NotAMember")
    });
    Some(Node {
        name: metadata["name"].as_str()?.to_owned(),
        ready: condition("Ready").is_some_and(|condition| condition["status"] == "True"),
        schedulable: json["spec"]["unschedulable"] != true,
        is_server: has_role("control-plane") || has_role("master"),
        is_voter: has_role("etcd") && !never_votes,
        version: json["status"]["nodeInfo"]["kubeletVersion"].as_str().unwrap_or_default().to_owned(),
    })
}

/// Reads `kubectl get lease k3s -o json`: the holder, and how often it changed.
pub(crate) fn lease(output: &str) -> (Option<String>, Option<u64>) {
    let json: Json = serde_json::from_str(output).unwrap_or_default();
    let spec = &json["spec"];
    (spec["holderIdentity"].as_str().map(str::to_owned), spec["leaseTransitions"].as_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_checks_are_found_in_every_form() {
        assert_eq!(readiness(0, "[+]ping ok\n[+]etcd ok\nreadyz check passed\n", ""), Readiness::Ready);
        let fails = |names: &[&str]| Readiness::Fails(names.iter().map(|name| (*name).to_owned()).collect());
        let plain = "[+]ping ok\n[-]etcd failed: reason withheld\n[-]poststarthook/start-apiextensions-informers failed: \
                     not finished\nreadyz check failed\n";
        assert_eq!(readiness(1, plain, ""), fails(&["etcd", "poststarthook/start-apiextensions-informers"]));
        let quoted = "Error from server (InternalError): an error on the server (\"[+]ping ok\\n[-]etcd failed: reason \
                      withheld\\n[-]etcd-readiness failed: reason withheld\\nreadyz check failed\") has prevented the \
                      request from succeeding\n";
        assert_eq!(readiness(1, "", quoted), fails(&["etcd", "etcd-readiness"]));
    }

    #[test]
    fn a_server_that_says_nothing_is_silent() {
        let down = "E1120 20:21:51 memcache.go:265] couldn't get current server API group list\nThe connection to the \
                    server 127.0.0.1:6443 was refused - did you specify the right host or port?\n";
        let reason =
            "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?";
        assert_eq!(readiness(1, "", down), Readiness::Silent(reason.to_owned()));
        assert_eq!(readiness(127, "", ""), Readiness::Silent("it says nothing".to_owned()));
        assert_eq!(readiness(1, "", "[-]"), Readiness::Silent("[-]".to_owned()));
    }

    #[test]
    fn versions_are_read() {
        let text = "k3s version v1.33.4+k3s1 (148243c4)\ngo version go1.24.5\n";
        assert_eq!(version(text).as_deref(), Some("v1.33.4+k3s1"));
        assert_eq!([version(""), version("k3s version "), version("sh: k3s: not found")], [None, None, None]);
    }

    #[test]
    fn voters_are_those_that_are_members_even_when_they_are_ill() {
        let node = |name: &str, status: &str, reason: &str| {
            serde_json::json!({
                "metadata": {"name": name, "labels": {"node-role.kubernetes.io/etcd": "true", "node-role.kubernetes.io/control-plane": "true"}},
                "spec": {"unschedulable": name == "b"},
                "status": {"conditions": [{"type": "Ready", "status": "Unknown"}, {"type": "EtcdIsVoter", "status": status, "reason": reason}],
                           "nodeInfo": {"kubeletVersion": "v1.33.4+k3s1"}},
            })
        };
        let list = serde_json::json!({"kind": "List", "items": [
            node("d", "False", "NotAMember"), node("a", "True", "MemberNotLearner"), node("b", "False", "Unhealthy"),
            node("c", "False", "MemberIsLearner"), {"metadata": {"name": "agent"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        ]});
        let nodes = nodes(&list.to_string()).unwrap();
        let shown: Vec<String> = nodes
            .iter()
            .map(|node| {
                format!("{} {} {} {} {}", node.name, node.ready, node.schedulable, node.is_server, node.is_voter)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "a false true true true",
                "agent true true false false",
                "b false false true true",
                "c false true true false",
                "d false true true false"
            ]
        );
    }

    #[test]
    fn what_is_no_list_is_none() {
        for text in [
            "",
            "No resources found",
            "<html>",
            "{}",
            "{\"items\": 5}",
            "{\"items\": [{}]}",
            "{\"items\": [{\"metadata\": ",
        ] {
            assert_eq!(nodes(text), None, "{text}");
        }
        assert_eq!(nodes("{\"items\": []}"), Some(Vec::new()));
        assert_eq!(
            lease("{\"spec\":{\"holderIdentity\":\"pve_1\",\"leaseTransitions\":7}}"),
            (Some("pve_1".to_owned()), Some(7))
        );
        assert_eq!([lease(""), lease("{\"spec\":{}}")], [(None, None), (None, None)]);
    }
}
