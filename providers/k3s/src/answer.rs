//! What the source answers.

use schemars::JsonSchema;
use serde::Serialize;

/// A K3s cluster as its servers describe it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(title = "k3s_cluster")]
pub(crate) struct Answer {
    /// Whether the API server of every server that was asked is ready.
    pub ready: bool,
    /// The checks of the API servers that fail, without repetition: `etcd`.
    pub failed_checks: Vec<String>,
    /// The servers that were asked, in the order of the block.
    pub servers: Vec<Server>,
    /// All nodes, sorted by name.
    pub nodes: Vec<Node>,
    /// Whether every node is ready.
    pub nodes_ready: bool,
    /// How many servers vote in etcd; 0 if the cluster keeps its state in another database.
    pub voters: u64,
    /// How many of those were asked, know a leader, are healthy, and keep up.
    pub healthy_voters: u64,
    /// Whether etcd has a leader, as far as the servers that were asked know.
    pub has_leader: bool,
    /// The name of the host that leads etcd: `name` of that host in an expression; `null` if it was not asked.
    pub etcd_leader: Option<String>,
    /// How many entries the slowest member of etcd that answered is behind.
    pub max_lag: Option<u64>,
    /// The versions of K3s that the nodes and servers run, sorted, without repetition.
    pub versions: Vec<String>,
    /// The server that runs K3s's own controllers, by the lease `k3s`. It has nothing to do with the leader of etcd.
    pub lease_holder: Option<String>,
    /// How many times that lease has changed hands.
    pub lease_transitions: Option<u64>,
}

/// One server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
pub(crate) struct Server {
    /// The name of the host.
    pub host: String,
    /// The name of the machine for itself, which K3s takes for the node unless it is told another one.
    pub node: Option<String>,
    /// Whether its API server is ready.
    pub ready: bool,
    /// The checks of its API server that fail.
    pub failed_checks: Vec<String>,
    /// Why it could not be asked, or is not ready.
    pub error: Option<String>,
    /// The version of K3s that is installed; a server that was not restarted since runs an older one.
    pub version: Option<String>,
    /// Whether its member of etcd knows a leader, is healthy, and keeps up.
    pub etcd_healthy: bool,
    /// Why it is not.
    pub etcd_error: Option<String>,
    /// Whether it leads etcd.
    pub is_leader: bool,
    /// Whether its member of etcd only learns.
    pub is_learner: bool,
    /// The last entry that its member has committed.
    pub raft_index: Option<u64>,
    /// How many entries what it has applied is behind the last one that any member has.
    pub lag: Option<u64>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
pub(crate) struct Node {
    /// Its name.
    pub name: String,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether pods may be placed on it.
    pub schedulable: bool,
    /// Whether it is a server.
    pub is_server: bool,
    /// Whether it votes in etcd.
    pub is_voter: bool,
    /// The version of its kubelet: `v1.33.4+k3s1`.
    pub version: String,
}
