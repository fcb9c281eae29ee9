//! What several members say, put together: tables without any network.

use proptest::prelude::*;
use tune_core::problem::Code;
use tune_core::reading::Unreadable;

use crate::answer::Answer;
use crate::codes::{NO_VOTER, NOBODY, TWO_CLUSTERS};
use crate::judge::{Found, Leader, Listed, Seen, judge};

/// Three members with the ids 1 to 3, of which 1 leads.
fn listed() -> Vec<Listed> {
    let member = |id: u64, name: &str| Listed {
        id: Some(id),
        name: name.to_owned(),
        is_learner: false,
        client_urls: vec![format!("http://10.0.0.{id}:2379")],
    };
    vec![member(1, "a"), member(2, "b"), member(3, "c")]
}

fn found(member: u64) -> Found {
    Found {
        cluster: Some(7),
        member,
        leader: Leader::Is(1),
        term: Some(5),
        index: Some(100),
        applied: Some(100),
        is_learner: false,
        db_size: Some(20480),
        db_size_in_use: Some(16384),
        version: Some("3.5.21".to_owned()),
        alarms: Vec::new(),
        health: Ok(()),
        members: Some(listed()),
        peers: Vec::new(),
    }
}

fn seen(found: Found) -> Seen {
    let member = found.member;
    Seen { endpoint: format!("http://10.0.0.{member}:2379"), host: None, found: Ok(found) }
}

fn away(member: u64) -> Seen {
    let error = Unreadable { code: Code("tune::source::connect"), message: "it is away".to_owned(), help: None };
    Seen { endpoint: format!("http://10.0.0.{member}:2379"), host: None, found: Err(error) }
}

fn three(change: impl Fn(&mut Found)) -> Vec<Seen> {
    [1, 2, 3]
        .map(|member| {
            let mut found = found(member);
            if member == 3 {
                change(&mut found);
            }
            seen(found)
        })
        .into()
}

/// Shows an answer in short: healthy of voters, the leader, and what each unhealthy member lacks.
fn shown(answer: &Answer) -> String {
    let faults =
        answer.members.iter().filter_map(|member| Some(format!("; {}: {}", member.name, member.error.as_ref()?)));
    let leader = answer.leader.as_deref().unwrap_or("nobody");
    let learners = if answer.learners > 0 { format!(" + {}", answer.learners) } else { String::new() };
    format!("{}/{}{learners} {leader}{}", answer.healthy_voters, answer.voters, faults.collect::<String>())
}

fn check(seen: &[Seen], expect: &str) {
    assert_eq!(judge(seen, 1000).map(|answer| shown(&answer)).map_err(|error| error.code.0), Ok(expect.to_owned()));
}

#[test]
fn a_member_is_healthy_when_everything_agrees() {
    check(&three(|_| {}), "3/3 a");
    check(&three(|found| found.applied = Some(0)), "3/3 a");
    check(
        &three(|found| (found.index, found.applied) = (Some(2000), Some(2000))),
        "1/3 a; a: it is 1900 entries behind; b: it is 1900 entries behind",
    );
    let lags = |found: &mut Found| found.applied = None;
    check(&three(lags), "2/3 a; c: it does not tell how far it is");
    check(&three(|found| found.leader = Leader::None), "2/3 a; c: it knows no leader");
    check(&three(|found| found.leader = Leader::Is(2)), "2/3 a; c: it follows another leader than the others");
    check(&three(|found| found.health = Err("ill".to_owned())), "2/3 a; c: ill");
    // Whoever is behind is ill for that alone, and whoever hears of no leader for that.
    let behind = |found: &mut Found| (found.applied, found.health) = (Some(9), Err("ill".to_owned()));
    let far = |found: &mut Found| found.index = Some(1050);
    let mut all = three(behind);
    all.iter_mut().flat_map(|seen| seen.found.as_mut()).for_each(far);
    all.iter_mut().take(2).flat_map(|seen| seen.found.as_mut()).for_each(|found| found.applied = Some(1050));
    check(&all, "2/3 a; c: it is 1041 entries behind");
}

#[test]
fn the_lag_counts_from_the_newest_entry_of_any_member() {
    let answer = judge(&three(|found| found.index = Some(1100)), 1000).unwrap();
    assert_eq!((answer.max_lag, answer.healthy_voters), (Some(1000), 3));
    let answer = judge(&three(|found| found.index = Some(1101)), 1000).unwrap();
    assert_eq!((answer.max_lag, answer.healthy_voters), (Some(1001), 0));
}

#[test]
fn a_member_that_is_away_counts_and_says_why() {
    let members = || vec![seen(found(1)), seen(found(2))];
    let mut one_away = members();
    one_away.push(away(3));
    check(&one_away, "2/3 a; c: it is away");
    let answer = judge(&one_away, 1000).unwrap();
    assert_eq!(answer.failures.len(), 1);
    assert_eq!(answer.members[2].endpoint.as_deref(), Some("http://10.0.0.3:2379"));
    check(&members(), "2/3 a; c: none of the endpoints that were asked is this member");
    let mut elsewhere = members();
    elsewhere.push(away(9));
    check(&elsewhere, "2/3 a; c: none of the endpoints that were asked is this member");
}

#[test]
fn a_host_is_the_member_of_its_name_when_it_is_away() {
    let on_host = |mut seen: Seen, host: &str| {
        (seen.host, seen.endpoint) = (Some(host.to_owned()), "http://127.0.0.1:2379".to_owned());
        seen
    };
    let all = [on_host(seen(found(1)), "h1"), on_host(seen(found(2)), "h2"), on_host(away(3), "c")];
    let answer = judge(&all, 1000).unwrap();
    assert_eq!((answer.leader.as_deref(), answer.leader_host.as_deref()), (Some("a"), Some("h1")));
    assert_eq!(answer.members[2].host.as_deref(), Some("c"));
    // One member reached in two ways is one member; the way with a host says more.
    let twice = [seen(found(1)), on_host(seen(found(1)), "h1"), seen(found(2)), seen(found(3))];
    let answer = judge(&twice, 1000).unwrap();
    assert_eq!((answer.voters, answer.leader_host.as_deref()), (3, Some("h1")));
}

#[test]
fn learners_and_members_that_never_started_are_told_apart() {
    let mut members = listed();
    members.push(Listed { id: Some(0xa), name: String::new(), is_learner: true, client_urls: Vec::new() });
    let all: Vec<Seen> = [1, 2, 3].map(|id| seen(Found { members: Some(members.clone()), ..found(id) })).into();
    check(&all, "3/3 + 1 a; a: none of the endpoints that were asked is this member");
    let learner = Found { is_learner: true, members: None, ..found(4) };
    assert_eq!(judge(&[seen(learner)], 1000).unwrap_err().code, NO_VOTER);
}

#[test]
fn without_a_majority_there_is_no_leader() {
    let mut alone = found(2);
    (alone.leader, alone.health) = (Leader::None, Err("it reports itself unhealthy (status 503)".to_owned()));
    let answer = judge(&[away(1), seen(alone), away(3)], 1000).unwrap();
    assert_eq!((answer.has_leader, answer.leader.as_deref()), (false, None));
    assert_eq!((answer.voters, answer.healthy_voters), (3, 0));
}

#[test]
fn the_latest_election_names_the_leader() {
    let mut old = found(1);
    old.term = Some(4);
    let new = |id| Found { term: Some(6), leader: Leader::Is(2), ..found(id) };
    check(&[seen(old), seen(new(2)), seen(new(3))], "2/3 b; a: it follows another leader than the others");
}

#[test]
fn an_endpoint_of_another_cluster_is_a_failure_and_half_of_them_are_an_error() {
    check(&three(|found| found.cluster = Some(8)), "2/3 a; c: none of the endpoints that were asked is this member");
    let answer = judge(&three(|found| found.cluster = Some(8)), 1000).unwrap();
    assert_eq!(answer.failures[0].error, "it belongs to another cluster");
    let halves = [seen(found(1)), seen(Found { cluster: Some(8), ..found(2) })];
    assert_eq!(judge(&halves, 1000).unwrap_err().code, TWO_CLUSTERS);
}

#[test]
fn nobody_is_not_a_sick_cluster() {
    let error = judge(&[away(1), away(2)], 1000).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (NOBODY, "no member of etcd answered: it is away; it is away"));
}

#[test]
fn alarms_are_told_once_with_the_name_of_the_member() {
    let alarmed = |id| Found { alarms: vec![(2, "NOSPACE".to_owned()), (9, "CORRUPT".to_owned())], ..found(id) };
    let answer = judge(&[1, 2, 3].map(|id| seen(alarmed(id))), 1000).unwrap();
    let shown: Vec<String> = answer.alarms.iter().map(|alarm| format!("{} {}", alarm.member, alarm.alarm)).collect();
    assert_eq!(shown, ["9 CORRUPT", "b NOSPACE"]);
}

/// What three members say over metrics.
fn over_metrics(id: u64, peers: &[u64]) -> Seen {
    let leader = if id == 1 { Leader::Is(1) } else { Leader::Other };
    let found = Found { cluster: None, term: None, members: None, leader, peers: peers.to_vec(), ..found(id) };
    Seen { endpoint: "http://127.0.0.1:2381".to_owned(), host: Some(format!("h{id}")), found: Ok(found) }
}

#[test]
fn metrics_tell_of_peers_that_were_not_asked() {
    let all = [over_metrics(1, &[2, 3]), over_metrics(2, &[1, 3]), over_metrics(3, &[1, 2])];
    check(&all, "3/3 h1");
    check(&all[..2], "2/3 h1; 3: none of the endpoints that were asked is this member");
    // Nobody that was asked leads, and still there is a leader.
    check(&all[1..], "2/3 nobody; 1: none of the endpoints that were asked is this member");
    assert!(judge(&all[1..], 1000).unwrap().has_leader);
    let on_host = |host: &str| Seen { host: Some(host.to_owned()), ..away(9) };
    let one_away = [all[0].clone(), all[1].clone(), on_host("h3")];
    check(&one_away, "2/3 h1; h3: it is away");
    let single = [over_metrics(1, &[]), on_host("h2"), on_host("h3")];
    check(&single, "1/3 h1; h2: it is away; h3: it is away");
}

proptest! {
    /// Whatever members say: never more are healthy than vote, and the leader is one of them.
    #[test]
    fn an_answer_holds_together(
        said in proptest::collection::vec((1..5_u64, 0..5_u64, 0..3_u64, 0..3000_u64, any::<bool>(), 0..3_u8), 1..5),
        max_lag in 0..2000_u64,
    ) {
        let all: Vec<Seen> = said
            .iter()
            .map(|(id, leader, term, applied, learner, mode)| {
                if *mode == 0 {
                    return away(*id);
                }
                let leader = if *leader == 0 { Leader::None } else { Leader::Is(*leader) };
                let members = (!learner).then(listed);
                let (term, applied) = (Some(*term), Some(*applied));
                seen(Found { leader, term, applied, index: applied, members, is_learner: *learner, ..found(*id) })
            })
            .collect();
        if let Ok(answer) = judge(&all, max_lag) {
            prop_assert!(answer.healthy_voters <= answer.voters);
            prop_assert_eq!(answer.members.len() as u64, answer.voters + answer.learners);
            prop_assert_eq!(answer.has_leader, answer.leader.is_some());
            prop_assert!(answer.members.iter().all(|member| member.healthy == member.error.is_none()));
            prop_assert!(answer.members.iter().filter(|member| member.healthy).all(|member| member.lag <= Some(max_lag)));
            prop_assert!(!answer.has_leader || answer.members.iter().any(|member| member.is_leader));
            prop_assert!(answer.has_leader || answer.healthy_voters == 0);
            let mut turned = all.clone();
            turned.reverse();
            prop_assert_eq!(judge(&turned, max_lag).unwrap().members.len(), answer.members.len());
        }
    }
}
