//! One member, over the JSON form of the client API. etcd writes 64-bit numbers as texts there, and leaves out what is
//! zero, false or empty.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value as Json;
use tune_core::reading::Unreadable;
use tune_core::text::visible;
use tune_source::http::{Ask, Link, Method, Reply};
use tune_source::{unreadable, within};

use crate::codes::{NO_GATEWAY, NOT_ETCD, REFUSED};
use crate::judge::{Found, Leader, Listed};

/// More than any answer of a member has.
const LIMIT: usize = 1 << 20;

/// Asks for the status, the members, and the member's own health. A health check that takes too long is part of what is
/// found: without a majority it waits, while the rest is known at once.
pub(crate) async fn ask(link: &mut Link, at: &str, timeout: Duration) -> Result<Found, Unreadable> {
    let mut found = within(timeout, at, async {
        let status = json(&send(link, Method::POST, "/v3/maintenance/status").await?, at)?;
        let mut found = status_of(&status, at)?;
        // A learner refuses this one.
        found.members = match json(&send(link, Method::POST, "/v3/cluster/member/list").await?, at) {
            Ok(list) => Some(members_of(&list)),
            Err(error) if error.code == REFUSED && found.is_learner => None,
            Err(error) => return Err(error),
        };
        Ok(found)
    })
    .await?;
    found.health = health(link, at, timeout).await;
    Ok(found)
}

/// Returns what a member says of itself at `/health`, and where it has it, at `/readyz`.
pub(crate) async fn health(link: &mut Link, at: &str, timeout: Duration) -> Result<(), String> {
    let what = format!("the health check of {at}");
    let asked = within(timeout, &what, async {
        let health = health_of(&send(link, Method::GET, "/health").await?);
        if health.is_err() {
            return Ok(health);
        }
        Ok(readiness_of(&send(link, Method::GET, "/readyz?verbose").await?))
    });
    asked.await.map_err(|error| error.message)?
}

/// Asks one thing.
pub(crate) async fn send(link: &mut Link, method: Method, path: &str) -> Result<Reply, Unreadable> {
    let body: &[u8] = if method == Method::POST { b"{}" } else { b"" };
    let headers = BTreeMap::new();
    link.ask(Ask { method, path, headers: &headers, body, limit: LIMIT }).await
}

fn json(reply: &Reply, at: &str) -> Result<Json, Unreadable> {
    let not_etcd = |what: &str| {
        let help = "Check that the port is the one for clients, and `http` or `https`.";
        unreadable(NOT_ETCD, format!("what answers as {at} is not etcd: {what}"), help)
    };
    if reply.truncated {
        return Err(not_etcd("its answer has no end"));
    }
    let text = String::from_utf8_lossy(&reply.body);
    if reply.status == 404 && !text.trim_start().starts_with('<') {
        let message = format!("{at} does not serve the JSON form of the client API");
        let help = "Start etcd with `--enable-grpc-gateway`, or ask its metrics with `metrics_port`.";
        return Err(unreadable(NO_GATEWAY, message, help));
    }
    if text.contains("HTTP request to an HTTPS server") {
        return Err(not_etcd("it wants TLS, so `https` or `ca_file`"));
    }
    let Ok(json @ Json::Object(_)) = serde_json::from_str::<Json>(&text) else {
        return Err(not_etcd(&format!("status {}, and no JSON", reply.status)));
    };
    if reply.status == 200 {
        return Ok(json);
    }
    let reason = json["message"].as_str().or_else(|| json["error"].as_str()).unwrap_or("no reason given");
    let message = format!("{at} refuses to answer: {}", visible(reason, 200));
    Err(unreadable(REFUSED, message, "See the log of that member."))
}

/// Returns a number that was written as a text or as a number.
fn number(json: &Json) -> Option<u64> {
    json.as_u64().or_else(|| json.as_str()?.parse().ok())
}

/// Reads the answer to `/v3/maintenance/status`.
pub(crate) fn status_of(json: &Json, at: &str) -> Result<Found, Unreadable> {
    let header = &json["header"];
    let (Some(cluster), Some(member)) = (number(&header["cluster_id"]), number(&header["member_id"])) else {
        let message = format!("what answers as {at} is not etcd: its status names no member");
        return Err(unreadable(NOT_ETCD, message, "Check that the port is the one for clients."));
    };
    let leader = number(&json["leader"]).filter(|leader| *leader != 0);
    let notes: Vec<&str> = json["errors"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let index = number(&json["raftIndex"]);
    Ok(Found {
        cluster: Some(cluster),
        member,
        leader: leader.map_or(Leader::None, Leader::Is),
        term: number(&json["raftTerm"]),
        index,
        // etcd 3.3 knows no applied index.
        applied: number(&json["raftAppliedIndex"]).or(index),
        is_learner: json["isLearner"] == true,
        db_size: number(&json["dbSize"]),
        db_size_in_use: number(&json["dbSizeInUse"]),
        version: json["version"].as_str().map(str::to_owned),
        alarms: notes.iter().filter_map(|note| alarm_of(note)).collect(),
        health: Ok(()),
        members: None,
        peers: Vec::new(),
    })
}

/// Reads `memberID:185828541645115251 alarm:NOSPACE `.
fn alarm_of(note: &str) -> Option<(u64, String)> {
    let mut words = note.split_whitespace();
    let (first, second) = (words.next()?, words.next());
    // The member 0 is left out, as every zero is.
    let (member, alarm) = match first.strip_prefix("memberID:") {
        Some(member) => (member.parse().ok()?, second?.strip_prefix("alarm:")?),
        None => (0, first.strip_prefix("alarm:")?),
    };
    Some((member, alarm.to_owned()))
}

/// Reads the answer to `/v3/cluster/member/list`.
pub(crate) fn members_of(json: &Json) -> Vec<Listed> {
    let members = json["members"].as_array().into_iter().flatten();
    members
        .filter_map(|member| {
            let urls = member["clientURLs"].as_array().into_iter().flatten().filter_map(Json::as_str);
            Some(Listed {
                id: Some(number(&member["ID"])?),
                name: member["name"].as_str().unwrap_or_default().to_owned(),
                is_learner: member["isLearner"] == true,
                client_urls: urls.map(str::to_owned).collect(),
            })
        })
        .collect()
}

/// Reads the answer to `/health`: `{"health":"true","reason":""}`.
fn health_of(reply: &Reply) -> Result<(), String> {
    let json: Json = serde_json::from_slice(&reply.body).unwrap_or_default();
    if reply.status == 200 && (json["health"] == "true" || json["health"] == true) {
        return Ok(());
    }
    let reason = json["reason"].as_str().unwrap_or_default();
    if reason.is_empty() {
        return Err(format!("it reports itself unhealthy (status {})", reply.status));
    }
    Err(format!("it reports itself unhealthy: {}", visible(reason, 200)))
}

/// Reads the answer to `/readyz?verbose`: lines `[+]NAME ok` and `[-]NAME failed: REASON`. Members before 3.4.29 and
/// 3.5.11 do not have it.
fn readiness_of(reply: &Reply) -> Result<(), String> {
    if reply.status == 200 || reply.status == 404 {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&reply.body);
    let failed: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("[-]")?.split_whitespace().next())
        // A learner is never ready, and that is no fault of it.
        .filter(|name| *name != "non_learner")
        .collect();
    match failed.as_slice() {
        [] if text.contains("[-]non_learner") => Ok(()),
        [] => Err(format!("it is not ready (status {})", reply.status)),
        failed => Err(format!("it is not ready: {}", visible(&failed.join(", "), 200))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, headers: BTreeMap::new(), body: body.as_bytes().to_vec(), truncated: false }
    }

    /// Answers of etcd 3.4.23.
    #[test]
    fn a_status_is_read_whole() {
        let text = r#"{"header":{"cluster_id":"17300438976491492131","member_id":"13668033151171901709","revision":"10",
            "raft_term":"2"},"version":"3.4.23","dbSize":"356352","leader":"185828541645115251","raftIndex":"19",
            "raftTerm":"2","raftAppliedIndex":"18","errors":["memberID:185828541645115251 alarm:NOSPACE "],
            "dbSizeInUse":"274432"}"#;
        let found = status_of(&json(&reply(200, text), "x").unwrap(), "x").unwrap();
        assert_eq!((found.cluster, found.member), (Some(17_300_438_976_491_492_131), 13_668_033_151_171_901_709));
        assert_eq!((found.leader, found.term), (Leader::Is(185_828_541_645_115_251), Some(2)));
        assert_eq!((found.index, found.applied, found.is_learner), (Some(19), Some(18), false));
        assert_eq!((found.db_size, found.db_size_in_use), (Some(356_352), Some(274_432)));
        assert_eq!(found.alarms, [(185_828_541_645_115_251, "NOSPACE".to_owned())]);
    }

    #[test]
    fn without_a_majority_there_is_no_leader() {
        let text = r#"{"header":{"cluster_id":"1","member_id":"2","raft_term":"2"},"raftIndex":"20","raftTerm":"2",
            "raftAppliedIndex":"20","errors":["etcdserver: no leader"],"isLearner":true}"#;
        let found = status_of(&json(&reply(200, text), "x").unwrap(), "x").unwrap();
        assert_eq!((found.leader, found.alarms.len(), found.is_learner), (Leader::None, 0, true));
    }

    #[test]
    fn members_may_lack_everything_but_an_id() {
        let text = r#"{"members":[{"ID":"5","peerURLs":["http://h:2380"]},{"ID":6,"name":"a\"b","isLearner":true,
            "clientURLs":["http://h:2379"]},{"name":"no id"}]}"#;
        let members = members_of(&serde_json::from_str(text).unwrap());
        let unstarted = Listed { id: Some(5), name: String::new(), is_learner: false, client_urls: vec![] };
        let urls = vec!["http://h:2379".to_owned()];
        assert_eq!(
            members,
            [unstarted, Listed { id: Some(6), name: "a\"b".into(), is_learner: true, client_urls: urls }]
        );
    }

    #[test]
    fn what_is_not_etcd_is_told_apart() {
        let code = |status, body| json(&reply(status, body), "x").unwrap_err().code;
        assert_eq!(code(404, "404 page not found\n"), NO_GATEWAY);
        assert_eq!(code(404, "<html>no</html>"), NOT_ETCD);
        assert_eq!(code(200, "<html><body>Welcome</body></html>"), NOT_ETCD);
        assert_eq!(code(400, "Client sent an HTTP request to an HTTPS server.\n"), NOT_ETCD);
        assert_eq!([code(200, ""), code(200, "[]"), code(200, "{\"header\":")], [NOT_ETCD; 3]);
        assert_eq!(code(401, r#"{"error":"etcdserver: user name is empty","code":16}"#), REFUSED);
        assert_eq!(json(&Reply { truncated: true, ..reply(200, "{}") }, "x").unwrap_err().code, NOT_ETCD);
        assert_eq!(status_of(&serde_json::json!({"header": 5}), "x").unwrap_err().code, NOT_ETCD);
    }

    #[test]
    fn a_member_says_itself_whether_it_is_healthy() {
        let health = |status, body| health_of(&reply(status, body));
        assert_eq!(health(200, r#"{"health":"true","reason":""}"#), Ok(()));
        assert_eq!(health(200, r#"{"health":"true"}"#), Ok(()));
        let reason = Err("it reports itself unhealthy: ALARM NOSPACE".to_owned());
        assert_eq!(health(503, r#"{"health":"false","reason":"ALARM NOSPACE"}"#), reason);
        assert!(health(503, r#"{"health":"false"}"#).is_err() && health(200, "ok").is_err());
        let ready = |status, body| readiness_of(&reply(status, body));
        assert_eq!([ready(200, "[+]data_corruption ok\nok\n"), ready(404, "404 page not found")], [Ok(()), Ok(())]);
        assert_eq!(ready(503, "[+]serializable_read ok\n[-]non_learner failed: not supported\n"), Ok(()));
        let corrupt = Err("it is not ready: data_corruption".to_owned());
        assert_eq!(ready(503, "[-]data_corruption failed: alarm activated: CORRUPT\n[-]non_learner failed\n"), corrupt);
        assert_eq!(ready(503, "gone"), Err("it is not ready (status 503)".to_owned()));
    }
}
