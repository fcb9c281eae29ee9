//! What the source answers.

use schemars::JsonSchema;
use serde::Serialize;

/// An etcd cluster as its members describe it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(title = "etcd")]
pub(crate) struct Answer {
    /// The members, sorted by name: those that the cluster lists, whether or not they answered.
    pub members: Vec<Member>,
    /// How many members vote.
    pub voters: u64,
    /// How many members vote, answer, are healthy, and keep up.
    pub healthy_voters: u64,
    /// How many members only learn.
    pub learners: u64,
    /// Whether the members know a leader.
    pub has_leader: bool,
    /// The name of the member that leads.
    pub leader: Option<String>,
    /// The name of the host by which the leader was asked: `name` of that host in an expression.
    pub leader_host: Option<String>,
    /// The number of the election; `null` when only metrics were asked.
    pub term: Option<u64>,
    /// How many entries the slowest member that answered is behind.
    pub max_lag: Option<u64>,
    /// What the cluster is alarmed about, such as no space left.
    pub alarms: Vec<Alarm>,
    /// The endpoints that did not answer as a member.
    pub failures: Vec<Failure>,
    /// The cluster's id in hexadecimal; `null` when only metrics were asked.
    pub cluster_id: Option<String>,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Member {
    /// Its name; its id where it has not told the cluster a name yet. The name of its host when only metrics were asked.
    pub name: String,
    /// Its id in hexadecimal, as `etcdctl` shows it; `null` where only an endpoint that failed tells of it.
    pub id: Option<String>,
    /// Whether it only learns, and does not vote.
    pub is_learner: bool,
    /// Whether it leads.
    pub is_leader: bool,
    /// Whether it answers, reports itself healthy, follows the leader of the others, and keeps up.
    pub healthy: bool,
    /// Why it is not healthy.
    pub error: Option<String>,
    /// The name of the host by which it was asked.
    pub host: Option<String>,
    /// The endpoint at which it was asked.
    pub endpoint: Option<String>,
    /// The last entry that it has.
    pub raft_index: Option<u64>,
    /// The last entry that it has applied.
    pub applied_index: Option<u64>,
    /// How many entries what it has applied is behind the last one that any member has.
    pub lag: Option<u64>,
    /// The size of its database in bytes.
    pub db_size: Option<u64>,
    /// How much of that is in use, in bytes; the rest can be won back by defragmenting.
    pub db_size_in_use: Option<u64>,
    /// Its version.
    pub version: Option<String>,
}

/// One alarm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub(crate) struct Alarm {
    /// The name of the member that raised it.
    pub member: String,
    /// What it is: `NOSPACE`, `CORRUPT`.
    pub alarm: String,
}

/// One endpoint that did not answer as a member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub(crate) struct Failure {
    /// The endpoint.
    pub endpoint: String,
    /// The name of the host by which it was asked.
    pub host: Option<String>,
    /// Why.
    pub error: String,
}
