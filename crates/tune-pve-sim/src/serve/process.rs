//! From a request to its answer: the refusals of the HTTP level, who it is, the call, and the time that it takes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

use super::answer::{Answer, render};
use super::http::{BODY_LIMIT, CONTROL, Request};
use super::{form, login};
use crate::api::{Call, Reply, dispatch};
use crate::conf::percent_decode;
use crate::errors::{Failure, lock_timeout};
use crate::faults::{FaultKind, RequestInfo, strike};
use crate::schema::Params;
use crate::schema::formats::pattern;
use crate::shared::Shared;
use crate::tasks::is_error;

/// How often a request looks again whether what it waits for is there.
const STEP: Duration = Duration::from_millis(20);

/// By how much a timer is late on average: tokio counts whole milliseconds and the kernel is asked for whole ones too, and
/// both round up. A request that is to take 20 ms would take nearly 22.
const ROUNDED_UP: Duration = Duration::from_millis(1);

/// Answers a request; nothing if the connection is to break.
pub(super) async fn process(shared: &Arc<Shared>, request: &Request) -> Option<Answer> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    if shared.control && path == CONTROL {
        let answer = if request.body.len() == request.length {
            crate::protocol::control(shared, &request.body).await
        } else {
            serde_json::json!({ "error": "the request is too large" })
        };
        return Some(Answer::json(200, "OK", &answer));
    }
    let arrived = shared.clock.now();
    let path = String::from_utf8_lossy(&percent_decode(path.as_bytes())).into_owned();
    let (format, call) = match prepare(shared, request, &path, query) {
        Ok(prepared) => prepared,
        Err(answer) => return Some(answer),
    };
    let (fault, latency) = {
        let mut traffic = shared.traffic();
        let number = traffic.requests.len() as u64;
        let info = RequestInfo { method: call.method.clone(), path: call.path.clone(), number };
        traffic.requests.push(info.clone());
        let latency = traffic.latency;
        let random = shared.with(|world| crate::random::Random::new(world.random.next()));
        (strike(&mut traffic.faults, &info, &random), latency)
    };
    shared.clock.sleep_until(arrived + latency.saturating_sub(ROUNDED_UP)).await;
    match fault {
        Some(FaultKind::LostBefore) => None,
        Some(FaultKind::LostAfter) => {
            run(shared, &call).await;
            None
        }
        Some(FaultKind::Proxy596 { later }) => {
            let shared = Arc::clone(shared);
            tokio::spawn(async move {
                shared.clock.sleep(later).await;
                run(&shared, &call).await;
            });
            Some(Answer::empty(596, "Connection timed out"))
        }
        Some(FaultKind::Status { code, reason }) => Some(Answer::empty(code, &reason)),
        Some(FaultKind::Html) => Some(Answer::html(502, "Bad Gateway")),
        Some(FaultKind::Delay(time)) => {
            shared.clock.sleep(time).await;
            finish(shared, &format, &call).await
        }
        None => finish(shared, &format, &call).await,
    }
}

async fn finish(shared: &Arc<Shared>, format: &str, call: &Call) -> Option<Answer> {
    if !matches!(format, "json" | "extjs" | "htmljs" | "png" | "spiceconfig") {
        return Some(Answer::text(501, &format!("no formatter for uri {}, {format}", call.path)));
    }
    match run(shared, call).await {
        Some(result) => render(format, result),
        None => Some(Answer::empty(596, "Connection timed out")),
    }
}

/// What is refused before a call is made, in the order in which the server looks at it.
fn prepare(shared: &Shared, request: &Request, path: &str, query: &str) -> Result<(String, Call), Answer> {
    let method = request.method.as_str();
    if !matches!(method, "GET" | "POST" | "PUT" | "DELETE") {
        return Err(Answer::empty(501, &format!("method '{method}' not available")));
    }
    if request.chunked {
        return Err(Answer::text(501, "chunked transfer encoding not supported"));
    }
    if !path.starts_with("/api2") {
        return Err(Answer::text(500, &format!("no such file '{path}'\n")));
    }
    let Some(found) = pattern!(r"^/api2/+([a-z][a-z0-9]+)(/(?s).*)?$").captures(path) else {
        return Err(Answer::text(501, "no such uri"));
    };
    let format = found[1].to_owned();
    let path = found.get(2).map_or("/", |rest| rest.as_str()).to_owned();
    let who = shared.with(|world| login::log_in(world, request, &path));
    let who = who.map_err(|reason| Answer::empty(401, reason))?;
    let kind = request.header("content-type").unwrap_or_default().trim_end();
    let plain_kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if request.length > 0 {
        if matches!(method, "GET" | "DELETE") {
            return Err(Answer::text(501, &format!("Unexpected content for method '{method}'")));
        }
        if !matches!(plain_kind.as_str(), "" | "application/x-www-form-urlencoded" | "application/json") {
            return Err(Answer::text(506, &format!("upload 'Content-Type '{kind}' not implemented")));
        }
        if request.length > BODY_LIMIT {
            return Err(Answer::text(501, "for data too large"));
        }
    }
    let failed = |message: String| {
        let failure = Failure::internal(message);
        render(&format, Err(failure)).unwrap_or_else(|| Answer::text(501, "no such uri"))
    };
    let mut params = match plain_kind.as_str() {
        "application/json" if request.length > 0 => form::json(&request.body).map_err(failed)?,
        _ => form::form(&String::from_utf8_lossy(&request.body)),
    };
    params.extend::<Params>(form::form(query));
    Ok((format, Call { method: method.to_owned(), path, params, who }))
}

/// Makes a call, waits for locks and slow devices, and gives what it gave; nothing if the proxy lost patience.
async fn run(shared: &Shared, call: &Call) -> Option<Result<Reply, Failure>> {
    let (lock, proxy) = shared.with(|world| (world.timing.lock, world.timing.proxy));
    let begin = shared.clock.now();
    loop {
        let (result, busy) = shared.with(|world| {
            world.busy.clear();
            let result = dispatch(world, call);
            let busy: Duration = std::mem::take(&mut world.busy).iter().map(|(_, _, time)| *time).sum();
            (result, busy)
        });
        match result {
            Err(Failure::Locked(_)) if shared.clock.now() < begin + lock => shared.clock.sleep(STEP).await,
            Err(Failure::Locked(vmid)) => return Some(Err(Failure::internal(lock_timeout(vmid)))),
            Ok(Reply::Wait { upid, vmid, time }) => return Some(wait(shared, upid, vmid, time).await),
            _ if busy > proxy => {
                shared.clock.sleep(proxy).await;
                return None;
            }
            result => {
                if busy > Duration::ZERO {
                    shared.clock.sleep(busy).await;
                }
                return Some(result);
            }
        }
    }
}

/// Waits for a task, but not longer than told.
async fn wait(shared: &Shared, upid: String, vmid: u32, time: Duration) -> Result<Reply, Failure> {
    let end = shared.clock.now() + time;
    loop {
        let status = shared.with(|world| Some(world.tasks.get(&upid)?.end.clone()?.0));
        match status {
            Some(status) if is_error(&status) => {
                return Err(Failure::internal(format!("failed to update VM {vmid}: {status}")));
            }
            Some(_) => return Ok(Reply::Data(Json::Null)),
            None if shared.clock.now() >= end => return Ok(Reply::Data(upid.into())),
            None => shared.clock.sleep(STEP).await,
        }
    }
}
