//! Tasks: what became of them, what they wrote, and ending them.

use serde_json::{Map, Value as Json, json};

use super::{Call, Need, Reply, Route, given, index, route};
use crate::access::Access;
use crate::errors::Failure;
use crate::schema::methods as params;
use crate::schema::split_list;
use crate::tasks::{Task, Upid, is_error};
use crate::world::World;

pub(super) static ROUTES: [Route; 6] = [
    route("GET", "/nodes/{node}/tasks", params::tasks, Need::Anyone, list),
    route("GET", "/nodes/{node}/tasks/{upid}", params::none, Need::Anyone, |_, _| index("name", &["log", "status"])),
    route("GET", "/nodes/{node}/tasks/{upid}/status", params::none, Need::Anyone, status),
    route("GET", "/nodes/{node}/tasks/{upid}/log", params::task_log, Need::Anyone, log),
    route("DELETE", "/nodes/{node}/tasks/{upid}", params::none, Need::Anyone, abort),
    route("GET", "/cluster/tasks", params::none, Need::Anyone, recent),
];

/// Whether a task belongs to somebody: a token sees its own, a user those of all own tokens as well.
fn owns(who: &str, user: &str) -> bool {
    who == user || who == Access::owner(user)
}

fn upid(call: &Call) -> Result<Upid, Failure> {
    let parsed = call.text("upid").and_then(Upid::parse);
    parsed.ok_or_else(|| Failure::parameter("upid", "unable to parse worker upid"))
}

fn check_owner(world: &World, call: &Call, user: &str, privilege: &str) -> Result<(), Failure> {
    if owns(&call.who, user) {
        return Ok(());
    }
    world.access.check(&call.who, &format!("/nodes/{}", call.node()), &[privilege])
}

/// The task in the path, if this node ran it.
fn find<'a>(world: &'a World, call: &Call) -> Option<&'a Task> {
    world.tasks.get(call.text("upid")?).filter(|task| task.upid.node == call.node())
}

/// The parts of a task's name; the owner of a token's task is split into user and token.
fn parts(upid: &Upid, split: bool) -> Map<String, Json> {
    let (user, token) = match upid.user.split_once('!').filter(|_| split) {
        Some((user, token)) => (user, Some(token)),
        None => (upid.user.as_str(), None),
    };
    let row = json!({
        "upid": upid.print(),
        "node": upid.node,
        "pid": upid.pid,
        "pstart": upid.pstart,
        "starttime": upid.start,
        "type": upid.kind,
        "id": upid.id,
        "user": user,
    });
    let Json::Object(mut row) = row else { return Map::new() };
    if let Some(token) = token {
        row.insert("tokenid".to_owned(), token.into());
    }
    row
}

fn status(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let named = upid(call)?;
    let Some(task) = find(world, call) else { return Err(Failure::parameter("upid", "no such task")) };
    check_owner(world, call, &named.user, "Sys.Audit")?;
    let mut row = parts(&task.upid, true);
    row.insert("status".to_owned(), if task.end.is_some() { "stopped" } else { "running" }.into());
    if let Some((end, _)) = &task.end {
        row.insert("exitstatus".to_owned(), end.as_str().into());
    }
    Ok(Reply::Data(row.into()))
}

fn log(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let named = upid(call)?;
    check_owner(world, call, &named.user, "Sys.Audit")?;
    let lines: Vec<String> = match find(world, call) {
        None => vec!["unable to open file - No such file or directory".to_owned()],
        Some(task) if task.log.is_empty() => vec!["no content".to_owned()],
        Some(task) => task.log.clone(),
    };
    if call.flag("download") {
        return Ok(Reply::Text(lines.iter().map(|line| format!("{line}\n")).collect()));
    }
    let position = |key: &str, default: u64| usize::try_from(call.number(key).unwrap_or(default)).unwrap_or(usize::MAX);
    let most = match position("limit", 50) {
        0 => usize::MAX,
        most => most,
    };
    let numbered = lines.iter().enumerate().skip(position("start", 0)).take(most);
    let rows = numbered.map(|(at, line)| json!({ "n": at + 1, "t": line })).collect();
    Ok(Reply::Part(rows, Some(lines.len())))
}

fn abort(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let named = upid(call)?;
    check_owner(world, call, &named.user, "Sys.Modify")?;
    if let Some(id) = call.text("upid").and_then(|name| world.tasks.id(name)) {
        world.abort_task(id);
    }
    Reply::NULL
}

fn list(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let all = world.access.allows(&call.who, &format!("/nodes/{}", call.node()), &["Sys.Audit"]);
    let source = call.text("source").unwrap_or("archive");
    let wanted = |task: &Task| {
        let running = task.end.is_none();
        let of_source = match source {
            "active" => running,
            "archive" => !running,
            _ => true,
        };
        of_source && task.upid.node == call.node() && (all || owns(&call.who, &task.upid.user)) && passes(task, call)
    };
    let found: Vec<&Task> = world.tasks.newest().map(|(_, task)| task).filter(|task| wanted(task)).collect();
    let number = |key: &str, default: u64| usize::try_from(call.number(key).unwrap_or(default)).unwrap_or(usize::MAX);
    let page = found.iter().skip(number("start", 0)).take(number("limit", 50));
    let rows = page.map(|task| row(task).into()).collect();
    Ok(Reply::Part(rows, Some(found.len()).filter(|count| *count > 0)))
}

fn row(task: &Task) -> Map<String, Json> {
    let mut row = parts(&task.upid, task.end.is_some());
    if let Some((end, time)) = &task.end {
        row.insert("status".to_owned(), end.as_str().into());
        row.insert("endtime".to_owned(), (*time).into());
    } else {
        row.insert("status".to_owned(), "RUNNING".into());
        row.insert("saved".to_owned(), "0".into());
    }
    row
}

fn passes(task: &Task, call: &Call) -> bool {
    let upid = &task.upid;
    let status = task.end.as_ref().map(|(status, _)| status.as_str());
    let same = |key: &str, value: &str| given(call.text(key)).is_none_or(|wanted| wanted.trim() == value);
    let kind = match status {
        None | Some("unexpected status") => "unknown",
        Some("OK") => "ok",
        Some(status) if status.starts_with("WARNINGS: ") => "warning",
        Some(_) => "error",
    };
    let user = call.text("userfilter").unwrap_or_default().to_lowercase();
    let start = i64::try_from(upid.start).unwrap_or(i64::MAX);
    let time = |key: &str| call.text(key).and_then(|time| time.trim().parse::<i64>().ok());
    let wanted_kinds = split_list(call.text("statusfilter").unwrap_or_default());
    same("vmid", &upid.id)
        && same("typefilter", &upid.kind)
        && upid.user.to_lowercase().contains(&user)
        && (!call.flag("errors") || status.is_none_or(is_error))
        && (wanted_kinds.is_empty() || wanted_kinds.contains(&kind))
        && time("since").is_none_or(|since| start >= since)
        && time("until").is_none_or(|until| start <= until)
}

fn recent(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let all = world.access.allows(&call.who, "/", &["Sys.Audit"]);
    let tasks = world.tasks.newest().map(|(_, task)| task);
    let mine = tasks.filter(|task| all || owns(&call.who, &task.upid.user)).take(25);
    Ok(Reply::Data(mine.map(|task| Json::from(row(task))).collect()))
}
