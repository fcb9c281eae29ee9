//! Who may see and do what beside tuning.

use std::collections::BTreeSet;

use crate::client::{Client, TOKEN, small};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const VM: &str = "/nodes/pve1/qemu/100";

/// Each privilege alone, given to a user of its own.
const ALONE: [&str; 7] =
    ["VM.Audit", "VM.Console", "VM.Snapshot", "VM.Snapshot.Rollback", "VM.Config.Disk", "VM.Allocate", "VM.Migrate"];

/// Calls, what they are sent with, and the privileges of which any opens them.
const CALLS: [(&str, &str, &str, &[&str]); 12] = [
    ("GET", "/feature?feature=snapshot", "", &["VM.Audit"]),
    ("GET", "/rrddata?timeframe=hour", "", &["VM.Audit"]),
    ("GET", "/cloudinit/dump?type=user", "", &["VM.Audit"]),
    ("PUT", "/sendkey", "key=a", &["VM.Console"]),
    ("POST", "/vncproxy", "", &["VM.Console"]),
    ("POST", "/termproxy", "", &["VM.Console"]),
    ("POST", "/move_disk", "disk=scsi0&storage=imgs", &["VM.Config.Disk"]),
    ("POST", "/template", "", &["VM.Allocate"]),
    ("POST", "/snapshot", "snapname=before", &["VM.Snapshot"]),
    ("DELETE", "/snapshot/before", "", &["VM.Snapshot"]),
    ("POST", "/snapshot/before/rollback", "", &["VM.Snapshot", "VM.Snapshot.Rollback"]),
    ("GET", "/config", "", &["VM.Audit"]),
];

fn secret(number: usize) -> String {
    format!("00000000-0000-0000-0000-{number:012}")
}

#[tokio::test]
async fn a_call_is_open_to_those_with_its_privilege_alone() {
    let mut cluster = small();
    for (number, privilege) in ALONE.iter().enumerate() {
        let user = format!("u{number}@pve");
        cluster = cluster.token(&format!("{user}!t1"), &secret(number)).role(privilege, &[privilege]);
        cluster = cluster.grant("/vms/100", &user, privilege);
    }
    let cluster = cluster.start().await.unwrap();
    for (method, path, form, privileges) in CALLS {
        let mut open = BTreeSet::new();
        for (number, privilege) in ALONE.iter().enumerate() {
            let client = Client::with(&cluster, &format!("u{number}@pve!t1={}", secret(number)));
            let answer = client.send(method, &format!("{VM}{path}"), form).await;
            assert_ne!(answer.status, 401);
            let refused = answer.status == 403 && answer.reason.starts_with("Permission check failed (/vms/100, ");
            open.extend((!refused).then_some(*privilege));
        }
        assert_eq!(open, privileges.iter().copied().collect(), "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_not_simulated_says_so_and_changes_nothing() {
    let cluster = small().start().await.unwrap();
    let client = Client::new(&cluster);
    let before = cluster.control().config(100);
    for (path, form) in [("/snapshot", "snapname=before"), ("/template", ""), ("/vncproxy", "")] {
        let answer = client.post(&format!("{VM}{path}"), form).await;
        let expected = format!("the simulator has no 'POST {VM}{path}'");
        assert_eq!((answer.status, answer.reason), (501, expected));
    }
    let reserved = client.post(&format!("{VM}/snapshot"), "snapname=current").await;
    assert_eq!(reserved.reason, "unable to use snapshot name 'current' (reserved name)");
    assert_eq!(cluster.control().config(100), before);
}

#[tokio::test]
async fn users_and_grants_are_shown_to_those_who_may_see_them() {
    let cluster = small()
        .token("ann@pve!t1", &secret(1))
        .token("bob@pve!t1", &secret(2))
        .role("Eyes", &["VM.Audit"])
        .role("Hands", &["VM.Allocate"])
        .grant("/vms/100", "ann@pve", "Eyes")
        .grant("/vms/100", "bob@pve", "Hands")
        .start()
        .await
        .unwrap();
    let ann = Client::with(&cluster, &format!("ann@pve!t1={}", secret(1)));
    let bob = Client::with(&cluster, &format!("bob@pve!t1={}", secret(2)));
    assert_eq!(ann.get("/access/acl").await.data(), json!([]));
    let seen = bob.get("/access/acl").await.data();
    let roles: BTreeSet<&str> = seen.as_array().unwrap().iter().map(|row| row["roleid"].as_str().unwrap()).collect();
    assert_eq!(roles, BTreeSet::from(["Eyes", "Hands"]));
    // A token is not its user, and sees nobody.
    assert_eq!(ann.get("/access/users").await.data(), json!([]));
    assert_eq!(ann.get("/access/users/bob@pve").await.status, 403);
    let root = Client::new(&cluster);
    let users = root.get("/access/users?full=1").await.data();
    let bob = users.as_array().unwrap().iter().find(|row| row["userid"] == "bob@pve").unwrap().clone();
    assert_eq!(bob["tokens"][0]["tokenid"], "t1");
    assert_eq!(root.get("/access/users/bob@pve/token").await.data(), bob["tokens"]);
    assert_eq!(ann.get("/access/users/ann@pve/token").await.reason, "Permission check failed");
    let mine = ann.get("/access/permissions").await.data();
    assert_eq!(mine, json!({ "/vms/100": { "VM.Audit": 1 } }));
}

#[tokio::test]
async fn a_ticket_may_stand_in_either_header_and_wins_over_a_token() {
    let cluster = small().user("ann@pve", "secret-1").start().await.unwrap();
    let client = Client::new(&cluster);
    let login = client.post("/access/ticket", "username=ann@pve&password=secret-1").await;
    assert_eq!(
        login.reason,
        "Permission check failed (URI '/access/ticket' not available with API token, need proper ticket."
    );
    let status = async |headers: &str, path: &str, form: &str| {
        let mut stream = TcpStream::connect(cluster.url().strip_prefix("http://").unwrap()).await.unwrap();
        let method = if form.is_empty() { "GET" } else { "POST" };
        let length = form.len();
        let request = format!(
            "{method} /api2/json{path} HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{form}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = status("", "/access/ticket", "username=ann@pve&password=secret-1").await;
    let body: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let ticket = body["data"]["ticket"].as_str().unwrap().replace('+', "%2B");
    for (headers, line) in [
        (format!("Cookie: PVEAuthCookie={ticket}\r\n"), "HTTP/1.1 200 OK"),
        (format!("Cookie: a=b; PVEAuthCookie={ticket}; c=d\r\n"), "HTTP/1.1 200 OK"),
        (format!("Authorization: PVEAuthCookie={ticket}\r\n"), "HTTP/1.1 200 OK"),
        (format!("Cookie: XPVEAuthCookie={ticket}\r\n"), "HTTP/1.1 401 No ticket"),
        (
            format!("Cookie: PVEAuthCookie=bad\r\nAuthorization: PVEAPIToken={TOKEN}\r\n"),
            "HTTP/1.1 401 Authentication failed!",
        ),
    ] {
        assert!(status(&headers, "/version", "").await.starts_with(line), "{headers}");
    }
}
