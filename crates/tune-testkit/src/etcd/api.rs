//! The client interface of one etcd member, in its JSON form: what a test writes, reads and looks at. One connection for
//! each question, so that an answer is never an earlier boot's.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A member that is up accepts at once, however slow it is to answer.
const CONNECT: Duration = Duration::from_millis(500);

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The member's id.
    pub id: String,
    /// The id of the member that it takes for the leader, if it knows one.
    pub leader: Option<String>,
    /// The last entry that it has applied.
    pub applied: u64,
}

/// Asks a member about itself, and no other member.
pub fn status(member: SocketAddr, within: Duration) -> io::Result<Status> {
    let answer = ask(member, "/v3/maintenance/status", &json!({}), within)?;
    let id = text(&answer, "/header/member_id").ok_or_else(|| strange(&answer))?;
    let leader = text(&answer, "/leader").filter(|leader| leader != "0");
    let applied = text(&answer, "/raftAppliedIndex").or_else(|| text(&answer, "/raftIndex"));
    let applied = applied.and_then(|applied| applied.parse().ok()).ok_or_else(|| strange(&answer))?;
    Ok(Status { id, leader, applied })
}

/// Writes a key. Once this has returned `Ok`, the cluster has acknowledged the write.
pub fn put(member: SocketAddr, key: &str, value: &str, within: Duration) -> io::Result<()> {
    let body = json!({ "key": STANDARD.encode(key), "value": STANDARD.encode(value) });
    let answer = ask(member, "/v3/kv/put", &body, within)?;
    // The answer of a write that was not acknowledged has no header.
    text(&answer, "/header/revision").map(drop).ok_or_else(|| strange(&answer))
}

/// Returns up to `limit` keys from `from` on that are below `end`, with their values, in order. The answer is the
/// member's own if `own`, and otherwise one that a majority stands for.
pub fn range(member: SocketAddr, from: &str, end: &str, limit: usize, own: bool) -> io::Result<Vec<(String, String)>> {
    let body = json!({
        "key": STANDARD.encode(from), "range_end": STANDARD.encode(end), "limit": limit.to_string(), "serializable": own,
    });
    let answer = ask(member, "/v3/kv/range", &body, Duration::from_mins(1))?;
    text(&answer, "/header/revision").ok_or_else(|| strange(&answer))?;
    let entries = answer.get("kvs").and_then(Value::as_array).cloned().unwrap_or_default();
    entries
        .iter()
        .map(|entry| decoded(entry, "/key").zip(decoded(entry, "/value")).ok_or_else(|| strange(entry)))
        .collect()
}

/// Sends one question and returns the answer.
pub fn ask(member: SocketAddr, path: &str, body: &Value, within: Duration) -> io::Result<Value> {
    let body = body.to_string();
    let mut stream = TcpStream::connect_timeout(&member, CONNECT)?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    // The old version of the protocol: the answer comes in one piece and ends with the connection.
    write!(stream, "POST {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, content) = answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("no answer"))?;
    if head.split(' ').nth(1) != Some("200") {
        return Err(io::Error::other(format!("{}: {}", head.lines().next().unwrap_or_default(), content.trim_end())));
    }
    serde_json::from_str(content).map_err(io::Error::other)
}

/// Numbers of 64 bits are texts in this form of the interface.
fn text(answer: &Value, pointer: &str) -> Option<String> {
    answer.pointer(pointer)?.as_str().map(str::to_owned)
}

fn decoded(entry: &Value, pointer: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text(entry, pointer)?).ok()?).ok()
}

fn strange(answer: &Value) -> io::Error {
    io::Error::other(format!("nobody understands the answer {answer}"))
}
