//! What the members said, put together. Pure.

use std::collections::BTreeMap;

use tune_core::reading::Unreadable;
use tune_core::text::visible;
use tune_source::{Url, unreadable};

use crate::answer::{Alarm, Answer, Failure, Member};
use crate::codes::{NO_VOTER, NOBODY, TWO_CLUSTERS};

/// One endpoint and what came of asking it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The endpoint as a URL.
    pub endpoint: String,
    /// The name of the host by which it was asked.
    pub host: Option<String>,
    /// What it said, or why it did not.
    pub found: Result<Found, Unreadable>,
}

/// What one member said of itself and of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The cluster; `None` over metrics.
    pub cluster: Option<u64>,
    /// The member itself.
    pub member: u64,
    /// Whom it follows.
    pub leader: Leader,
    /// The number of the election; `None` over metrics.
    pub term: Option<u64>,
    /// The last entry that it has.
    pub index: Option<u64>,
    /// The last entry that it has applied.
    pub applied: Option<u64>,
    /// Whether it only learns.
    pub is_learner: bool,
    /// The size of its database in bytes.
    pub db_size: Option<u64>,
    /// How much of that is in use, in bytes.
    pub db_size_in_use: Option<u64>,
    /// Its version.
    pub version: Option<String>,
    /// Members and what they are alarmed about.
    pub alarms: Vec<(u64, String)>,
    /// Whether it finds itself healthy, or why not.
    pub health: Result<(), String>,
    /// The members that it knows; `None` over metrics and from a learner.
    pub members: Option<Vec<Listed>>,
    /// The ids of the other members; over metrics only.
    pub peers: Vec<u64>,
}

/// Whom a member follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leader {
    /// This one, which may be itself.
    Is(u64),
    /// One that it does not name.
    Other,
    /// Nobody.
    None,
}

/// A member as the cluster lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its id; `None` where only an endpoint that failed tells of it.
    pub id: Option<u64>,
    /// Its name; empty until it has started once.
    pub name: String,
    /// Whether it only learns.
    pub is_learner: bool,
    /// Where it says that clients reach it.
    pub client_urls: Vec<String>,
}

/// Returns what is known of the cluster.
pub(crate) fn judge(seen: &[Seen], max_lag: u64) -> Result<Answer, Unreadable> {
    let cluster = cluster(seen)?;
    let of_cluster = |found: &&Found| found.cluster == cluster;
    let found: Vec<&Found> = seen.iter().filter_map(|seen| seen.found.as_ref().ok()).filter(of_cluster).collect();
    let listed = members(seen, &found)?;
    let leader = leader(&found).filter(|leader| listed.iter().any(|listed| listed.id == Some(*leader)));
    let newest = found.iter().filter_map(|found| found.index).max();
    let bar = Bar { leader, newest, max_lag };

    let mut members: Vec<Member> = listed.iter().map(|listed| member(listed, seen, cluster, &bar)).collect();
    members.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    let name_of =
        |id: u64| members.iter().find(|member| member.id == Some(hex(id))).map_or_else(|| hex(id), |m| m.name.clone());
    let mut alarms: Vec<Alarm> = found
        .iter()
        .flat_map(|found| &found.alarms)
        .map(|(id, alarm)| Alarm { member: name_of(*id), alarm: alarm.clone() })
        .collect();
    alarms.sort();
    alarms.dedup();
    let failures = seen.iter().filter_map(|seen| {
        let error = match &seen.found {
            Err(error) => error.message.clone(),
            Ok(found) if found.cluster != cluster => "it belongs to another cluster".to_owned(),
            Ok(_) => return None,
        };
        Some(Failure { endpoint: seen.endpoint.clone(), host: seen.host.clone(), error })
    });
    let count = |test: fn(&&Member) -> bool| members.iter().filter(test).count() as u64;
    let leading = members.iter().find(|member| member.is_leader);
    Ok(Answer {
        voters: count(|member| !member.is_learner),
        healthy_voters: count(|member| !member.is_learner && member.healthy),
        learners: count(|member| member.is_learner),
        // Over metrics a follower tells that there is a leader, and not which.
        has_leader: leader.is_some() || found.iter().any(|found| found.leader == Leader::Other),
        leader: leading.map(|member| member.name.clone()),
        leader_host: leading.and_then(|member| member.host.clone()),
        term: found.iter().filter_map(|found| found.term).max(),
        max_lag: members.iter().filter_map(|member| member.lag).max(),
        alarms,
        failures: failures.collect(),
        cluster_id: cluster.map(hex),
        members,
    })
}

/// Returns the cluster that most endpoints belong to; `None` inside over metrics, which do not tell.
fn cluster(seen: &[Seen]) -> Result<Option<u64>, Unreadable> {
    let mut counts: BTreeMap<Option<u64>, usize> = BTreeMap::new();
    for found in seen.iter().filter_map(|seen| seen.found.as_ref().ok()) {
        *counts.entry(found.cluster).or_default() += 1;
    }
    let Some(most) = counts.values().max().copied() else {
        let reasons: Vec<&str> =
            seen.iter().filter_map(|seen| Some(seen.found.as_ref().err()?.message.as_str())).collect();
        let message = format!("no member of etcd answered: {}", visible(&reasons.join("; "), 1000));
        let first = seen.iter().find_map(|seen| seen.found.as_ref().err()?.help.clone());
        return Err(Unreadable { code: NOBODY, message, help: first });
    };
    let mut largest = counts.iter().filter(|(_, count)| **count == most).map(|(cluster, _)| *cluster);
    if let (Some(cluster), None) = (largest.next(), largest.next()) {
        return Ok(cluster);
    }
    let message = format!("the endpoints belong to {} different clusters", counts.len());
    Err(unreadable(TWO_CLUSTERS, message, "Name endpoints of one cluster only."))
}

/// Returns all members, as the one that has applied most lists them; over metrics those that were asked and the peers
/// that they tell of.
fn members(seen: &[Seen], found: &[&Found]) -> Result<Vec<Listed>, Unreadable> {
    let lists = found.iter().filter_map(|found| Some((found.applied, found.members.as_ref()?)));
    // A list without members is no list: a member knows at least itself.
    if let Some((_, list)) = lists.filter(|(_, list)| !list.is_empty()).max_by_key(|(applied, _)| *applied) {
        return Ok(list.clone());
    }
    if found.iter().any(|found| found.cluster.is_some()) {
        let message = "only learners answered, and they do not know who votes";
        return Err(unreadable(NO_VOTER, message, "Name the voters too."));
    }
    let mut listed: BTreeMap<u64, Listed> = BTreeMap::new();
    for (seen, found) in seen.iter().filter_map(|seen| Some((seen, seen.found.as_ref().ok()?))) {
        let name = seen.host.clone().unwrap_or_else(|| seen.endpoint.clone());
        let (id, is_learner) = (found.member, found.is_learner);
        listed.insert(id, Listed { id: Some(id), name, is_learner, client_urls: Vec::new() });
    }
    // Whether a peer that did not answer votes is not known; it counts, because too many voters are safe and too few
    // are not. An endpoint that failed is one of them, and where exactly one is missing it is known which.
    let peers: Vec<u64> = found.iter().flat_map(|found| &found.peers).copied().collect();
    let unseen: Vec<u64> = peers.into_iter().filter(|peer| !listed.contains_key(peer)).collect();
    let missing: std::collections::BTreeSet<u64> = unseen.into_iter().collect();
    let failed: Vec<&Seen> = seen.iter().filter(|seen| seen.found.is_err()).collect();
    for id in &missing {
        let name = match failed.as_slice() {
            [only] if missing.len() == 1 => only.host.clone().unwrap_or_else(|| only.endpoint.clone()),
            _ => hex(*id),
        };
        listed.insert(*id, Listed { id: Some(*id), name, is_learner: false, client_urls: Vec::new() });
    }
    // An endpoint that failed while no peer tells of its member is a member all the same.
    let nameless = failed.iter().skip(missing.len()).map(|seen| {
        let name = seen.host.clone().unwrap_or_else(|| seen.endpoint.clone());
        Listed { id: None, name, is_learner: false, client_urls: Vec::new() }
    });
    Ok(listed.into_values().chain(nameless).collect())
}

/// Returns the leader that most members of the latest term follow.
fn leader(found: &[&Found]) -> Option<u64> {
    let named = found.iter().filter_map(|found| match found.leader {
        Leader::Is(leader) => Some((found.term, leader)),
        Leader::Other | Leader::None => None,
    });
    let mut counts: BTreeMap<(Option<u64>, u64), (usize, Option<u64>)> = BTreeMap::new();
    for (term, leader) in named {
        let index = found.iter().filter(|found| found.member == leader).filter_map(|found| found.index).max();
        let entry = counts.entry((term, leader)).or_default();
        *entry = (entry.0 + 1, index);
    }
    // A leader that was voted out keeps believing in itself for a moment: the later term counts, then the number of
    // those that follow, then who has the later entries.
    counts.into_iter().max_by_key(|((term, leader), count)| (*term, *count, *leader)).map(|((_, leader), _)| leader)
}

/// What a healthy member must come up to.
struct Bar {
    leader: Option<u64>,
    newest: Option<u64>,
    max_lag: u64,
}

fn member(listed: &Listed, seen: &[Seen], cluster: Option<u64>, bar: &Bar) -> Member {
    let id = listed.id.map(hex);
    let asked = answer_of(listed, seen, cluster);
    let found = asked.and_then(|seen| seen.found.as_ref().ok());
    let lag = found.and_then(|found| Some(bar.newest?.saturating_sub(found.applied?)));
    let error = match (asked.map(|seen| &seen.found), found) {
        (_, Some(found)) => fault(found, lag, bar),
        (Some(Err(error)), None) => Some(error.message.clone()),
        _ => Some("none of the endpoints that were asked is this member".to_owned()),
    };
    Member {
        name: if listed.name.is_empty() { id.clone().unwrap_or_default() } else { listed.name.clone() },
        id,
        is_learner: listed.is_learner,
        is_leader: bar.leader.is_some() && bar.leader == listed.id,
        healthy: error.is_none(),
        error,
        host: asked.and_then(|seen| seen.host.clone()),
        endpoint: asked.map(|seen| seen.endpoint.clone()),
        raft_index: found.and_then(|found| found.index),
        applied_index: found.and_then(|found| found.applied),
        lag,
        db_size: found.and_then(|found| found.db_size),
        db_size_in_use: found.and_then(|found| found.db_size_in_use),
        version: found.and_then(|found| found.version.clone()),
    }
}

/// Returns the endpoint that answered as the member, preferring one with a host; otherwise the one that should have: the
/// one it calls its own, or the one on the host of its name.
fn answer_of<'a>(listed: &Listed, seen: &'a [Seen], cluster: Option<u64>) -> Option<&'a Seen> {
    let is_it = |seen: &&Seen| {
        seen.found.as_ref().is_ok_and(|found| Some(found.member) == listed.id && found.cluster == cluster)
    };
    let same = |endpoint: &str| {
        let Ok(endpoint) = Url::parse(endpoint) else { return false };
        listed.client_urls.iter().any(|url| Url::parse(url).is_ok_and(|url| url.same_origin(&endpoint)))
    };
    // On a host the endpoint is its loopback, which every member may call its own.
    let should = |seen: &&Seen| match &seen.host {
        Some(host) => *host == listed.name,
        None => same(&seen.endpoint) || seen.endpoint == listed.name,
    };
    let answered = seen.iter().filter(is_it);
    answered
        .min_by_key(|seen| seen.host.is_none())
        .or_else(|| seen.iter().filter(|seen| seen.found.is_err()).find(should))
}

fn fault(found: &Found, lag: Option<u64>, bar: &Bar) -> Option<String> {
    let astray = match (found.leader, bar.leader) {
        (Leader::None, _) => Some("it knows no leader".to_owned()),
        (Leader::Is(leader), other) if Some(leader) != other => {
            Some("it follows another leader than the others".to_owned())
        }
        _ => None,
    };
    let behind = match lag {
        None => Some("it does not tell how far it is".to_owned()),
        Some(lag) if lag > bar.max_lag => Some(format!("it is {lag} entries behind")),
        Some(_) => None,
    };
    // One that follows and is behind fails its own health check for that alone: it answers no read before it has caught up.
    match &found.health {
        Err(reason) if astray.is_some() || behind.is_none() || lag.is_none() => Some(reason.clone()),
        _ => astray.or(behind),
    }
}

fn hex(id: u64) -> String {
    format!("{id:x}")
}
