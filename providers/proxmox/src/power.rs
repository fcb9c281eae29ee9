//! Power cycles. Proxmox restarts a machine in two steps: a task shuts it down, and when that is complete something else
//! starts it. Either step can fail, the first one can succeed late, and nothing tells. So a cycle that was ordered is seen
//! through here, in the background, while [`sight`] says how far it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tune_core::contract::{ConnectionError, Order, Sent, Sight};
use tune_core::text::visible;

use crate::api::{Api, Status, Task};
use crate::codes::{NOT_RUNNING, POWER_FAILED};
use crate::failure::{Failure, locked_by};
use crate::pause::Pauses;
use crate::settings::Settings;
use crate::vm::Entry;

/// How long after its shutdown failed a guest may still go down.
const LATE: Duration = Duration::from_mins(2);
/// How long a machine may be off before it is started from here; under high availability that takes longer.
const GRACE: Duration = Duration::from_secs(10);
const GRACE_HA: Duration = Duration::from_secs(45);
/// How long starting is tried.
const START: Duration = Duration::from_mins(5);
/// How long an order is watched for failing at once.
const FIRST_STEP: Duration = Duration::from_millis(1500);
/// How long an order whose answer was lost is looked for among the tasks.
const SEARCH: Duration = Duration::from_secs(15);
/// What the mark of a machine is that does not run.
const OFF: &str = "off";

/// What is under way.
#[derive(Debug, Default)]
pub(crate) struct Cycles {
    state: Mutex<BTreeMap<u32, Cycle>>,
}

/// One machine's power cycle.
#[derive(Debug, Clone, Default)]
struct Cycle {
    /// Whether somebody sees it through.
    watched: bool,
    /// What is in the way.
    trouble: Option<String>,
    /// The start that is to end, and the node that it was seen on.
    origin: Option<(String, String)>,
}

impl Cycles {
    fn change<T>(&self, vmid: u32, change: impl FnOnce(&mut Cycle) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(state.entry(vmid).or_default())
    }

    fn trouble(&self, vmid: u32, what: impl Into<String>) {
        let what = what.into();
        self.change(vmid, |cycle| cycle.trouble = Some(what));
    }

    /// Returns the machines whose cycles are under way.
    pub(crate) fn under_way(&self) -> BTreeSet<u32> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.iter().filter(|(_, cycle)| cycle.watched).map(|(vmid, _)| *vmid).collect()
    }
}

/// Everything that a power cycle needs.
#[derive(Debug)]
pub(crate) struct Power {
    pub(crate) api: Arc<Api>,
    pub(crate) settings: Settings,
    pub(crate) cycles: Cycles,
}

/// Looks at a machine: which start of it this is, and what it still waits for. Nothing is begun here.
pub(crate) async fn sight(power: &Arc<Power>, vmid: u32) -> Result<Sight, ConnectionError> {
    let api = &power.api;
    let failed = |failure: Failure| failure.into_error(&api.name);
    let (status, date) = api.status(vmid).await.map_err(failed)?;
    let tasks = api.tasks(vmid, false).await.map_err(failed)?;
    let latest = tasks.iter().find(|task| is_power(task));
    let (watched, trouble) = power.cycles.change(vmid, |cycle| (cycle.watched, cycle.trouble.clone()));
    if !status.running {
        let waits_for =
            trouble.map_or_else(|| "the VM to start".to_owned(), |trouble| format!("the VM to start: {trouble}"));
        let is_stranded = !watched && lies_half_way(&tasks);
        return Ok(Sight { mark: OFF.to_owned(), waits_for: Some(waits_for), is_stranded });
    }
    let (mark, status) = settled_mark(power, vmid, status).await.map_err(failed)?;
    let waits_for = match latest {
        _ if !status.running => Some("the VM to start".to_owned()),
        Some(task) if task.result.is_none() && task.kind != "qmstart" && task.kind != "hastart" => {
            Some(trouble.unwrap_or_else(|| "its shutdown, which is under way".to_owned()))
        }
        Some(task) if task.result.is_none() => Some("the VM to start".to_owned()),
        _ if trouble.is_some() => trouble,
        Some(task) if may_still_go_down(task, date) => {
            Some("its guest, which was asked to shut down and may still do so".to_owned())
        }
        _ if status.qmp != "running" => Some(format!("the VM to run; it is {}", visible(&status.qmp, 40))),
        _ => agent(power, vmid, &status).await,
    };
    Ok(Sight { mark, waits_for, is_stranded: false })
}

/// Returns whether a machine that is off was to be restarted, and nothing does it any more: the last that was begun is the
/// first half of a reboot or a start that failed, and no task is at it.
fn lies_half_way(tasks: &[Task]) -> bool {
    let mut power = tasks.iter().filter(|task| is_power(task));
    let is_start = |task: &&Task| ["qmstart", "hastart"].contains(&task.kind.as_str());
    if power.clone().any(|task| task.result.is_none()) {
        return false;
    }
    power.find(|task| !is_start(task) || task.result == Some(Ok(()))).is_some_and(|task| task.kind == "qmreboot")
}

/// Waits for the guest agent only for a while after the start: one that is not installed never answers.
async fn agent(power: &Power, vmid: u32, status: &Status) -> Option<String> {
    if !status.agent || status.uptime >= power.settings.limits.agent.as_secs() {
        return None;
    }
    match power.api.ping(vmid).await {
        Err(Failure::Refused { code: 500, message, .. }) if message.contains("agent is not running") => {
            Some("the guest agent".to_owned())
        }
        // Who may not ask cannot wait for the answer.
        Ok(()) | Err(_) => None,
    }
}

/// Returns what this start of the machine is called, as far as a power cycle is about it. A migration starts another
/// process for the same run: what was pending stays pending.
async fn settled_mark(power: &Power, vmid: u32, status: Status) -> Result<(String, Status), Failure> {
    let seen = mark(&status);
    let origin = power
        .cycles
        .change(vmid, |cycle| cycle.origin.get_or_insert_with(|| (seen.clone(), status.node.clone())).clone());
    if origin.0 == seen || origin.1 == status.node {
        return Ok((seen, status));
    }
    // In this order: a process that runs after nothing was pending any more was started without it.
    let options = power.api.options(vmid).await?.options;
    let (status, _) = power.api.status(vmid).await?;
    let seen = if options.values().any(Entry::is_pending) { origin.0 } else { mark(&status) };
    Ok((seen, status))
}

fn mark(status: &Status) -> String {
    if status.running { format!("pid {} on {}", status.pid, status.node) } else { OFF.to_owned() }
}

fn is_power(task: &Task) -> bool {
    ["qmreboot", "qmshutdown", "qmstop", "qmstart", "hastart", "hastop"].contains(&task.kind.as_str())
}

fn may_still_go_down(task: &Task, now: Option<u64>) -> bool {
    let failed = matches!(task.result, Some(Err(_))) && ["qmreboot", "qmshutdown"].contains(&task.kind.as_str());
    let is_late = now.zip(task.end).is_none_or(|(now, end)| now.saturating_sub(end) < LATE.as_secs());
    failed && is_late && matches!(&task.result, Some(Err(message)) if message.contains("got timeout"))
}

/// Begins a power cycle. It is under way when this returns.
pub(crate) async fn activate(power: &Arc<Power>, vmid: u32, order: &Order) -> Result<(), ConnectionError> {
    let api = &power.api;
    let failed = |failure: Failure| failure.into_error(&api.name);
    let (status, _) = api.status(vmid).await.map_err(failed)?;
    if power.cycles.change(vmid, |cycle| cycle.watched) {
        return Ok(());
    }
    if !status.running {
        if order.mark == OFF && !lies_half_way(&api.tasks(vmid, false).await.map_err(failed)?) {
            return Err(refused(
                NOT_RUNNING,
                format!("VM {vmid} is off, so there is nothing to cycle"),
                "start it, or plan again",
            ));
        }
        see_to_it(power, vmid, Step::Start { pid: 0 });
        return Ok(());
    }
    let (seen, status) = settled_mark(power, vmid, status).await.map_err(failed)?;
    if seen != order.mark {
        return Ok(());
    }
    let limit = order.deadline.min(power.settings.limits.shutdown).max(Duration::from_secs(1));
    let upid = reboot(power, vmid, limit).await.map_err(failed)?;
    // What fails at once is said at once.
    let mut pauses = Pauses::within(FIRST_STEP);
    while pauses.pause().await {
        match api.task(&upid).await {
            Ok(Task { result: Some(Err(message)), .. }) if !is_patient(&message) => {
                let message = format!("VM {vmid} could not be cycled: {}", visible(&message, 200));
                return Err(refused(POWER_FAILED, message, "see the task's log on the node"));
            }
            Ok(Task { result: Some(_), .. }) | Err(_) => break,
            Ok(_) => {}
        }
    }
    see_to_it(power, vmid, Step::Shutdown { upid, pid: status.pid, limit });
    Ok(())
}

fn refused(code: tune_core::problem::Code, message: String, help: &str) -> ConnectionError {
    ConnectionError { code, sent: Sent::No, transient: false, message, help: Some(help.to_owned()) }
}

/// A lock goes by itself, and a shutdown that took too long may still succeed.
fn is_patient(message: &str) -> bool {
    locked_by(message).is_some() || message.contains("got timeout")
}

/// Orders a reboot and returns its task. An order whose answer was lost is looked for among the machine's tasks.
async fn reboot(power: &Power, vmid: u32, limit: Duration) -> Result<String, Failure> {
    let api = &power.api;
    let known: BTreeSet<String> = api.tasks(vmid, false).await?.into_iter().map(|task| task.upid).collect();
    let arguments = [("timeout", limit.as_secs().to_string())];
    let failure = match api.power(vmid, "reboot", &arguments).await {
        Ok(upid) => return Ok(upid),
        Err(failure) if failure.is_unknown() => failure,
        Err(failure) => return Err(failure),
    };
    let mut pauses = Pauses::within(SEARCH);
    while pauses.pause().await {
        let Ok(tasks) = api.tasks(vmid, false).await else { continue };
        if let Some(task) = tasks.into_iter().find(|task| task.kind == "qmreboot" && !known.contains(&task.upid)) {
            return Ok(task.upid);
        }
    }
    Err(failure)
}

/// How far a cycle is.
#[derive(Debug)]
enum Step {
    /// A task shuts the machine down; `pid` is the process that is to end.
    Shutdown { upid: String, pid: u64, limit: Duration },
    /// It went down, or goes down; it must come back as another process.
    Start { pid: u64 },
}

/// Sees a cycle through in the background, once for each machine.
fn see_to_it(power: &Arc<Power>, vmid: u32, step: Step) {
    let is_first = power.cycles.change(vmid, |cycle| {
        cycle.trouble = None;
        !std::mem::replace(&mut cycle.watched, true)
    });
    if !is_first {
        return;
    }
    let power = Arc::clone(power);
    tokio::spawn(async move {
        let went_well = match step {
            Step::Shutdown { upid, pid, limit } => shut_down(&power, vmid, upid, pid, limit).await,
            Step::Start { pid } => start(&power, vmid, pid).await,
        };
        power.cycles.change(vmid, |cycle| {
            cycle.watched = false;
            cycle.origin = None;
            if went_well {
                cycle.trouble = None;
            }
        });
    });
}

/// Waits for the shutdown; orders it again when only a lock was in the way.
async fn shut_down(power: &Power, vmid: u32, mut upid: String, pid: u64, limit: Duration) -> bool {
    let mut locks = Pauses::within(power.settings.limits.lock);
    loop {
        let message = match ended(power, &upid, limit + LATE).await {
            Some(Ok(())) => return start(power, vmid, pid).await,
            Some(Err(message)) => message,
            None => "its task cannot be read any more".to_owned(),
        };
        let Some(lock) = locked_by(&message) else {
            power.cycles.trouble(vmid, format!("its shutdown failed: {}", visible(&message, 200)));
            return late(power, vmid, pid).await;
        };
        power.cycles.trouble(vmid, format!("the lock `{}` to go", visible(lock, 40)));
        if !locks.pause().await {
            return false;
        }
        match reboot(power, vmid, limit).await {
            Ok(next) => upid = next,
            Err(failure) if failure.may_pass() => {}
            Err(failure) => {
                power.cycles.trouble(vmid, failure.text());
                return false;
            }
        }
    }
}

/// Watches a machine whose shutdown failed: it may still go down, and nothing else would start it then.
async fn late(power: &Power, vmid: u32, pid: u64) -> bool {
    let mut pauses = Pauses::within(LATE);
    let mut forced = !power.settings.force_stop;
    loop {
        if let Ok((status, _)) = power.api.status(vmid).await {
            if !status.running || status.pid != pid {
                return start(power, vmid, pid).await;
            }
            // Under high availability a stop would be for good.
            if !std::mem::replace(&mut forced, true) && !status.ha {
                let _ = power.api.power(vmid, "stop", &[]).await;
            }
        }
        if !pauses.pause().await {
            return false;
        }
    }
}

/// Waits until the machine runs as another process, and starts it where nothing else does.
async fn start(power: &Power, vmid: u32, pid: u64) -> bool {
    let mut pauses = Pauses::within(START);
    let mut off: Option<Instant> = None;
    loop {
        if let Ok((status, _)) = power.api.status(vmid).await {
            if status.running && status.pid != pid {
                return true;
            }
            let since = *off.get_or_insert_with(Instant::now);
            let grace = if status.ha { GRACE_HA } else { GRACE };
            let is_due = !status.running && since.elapsed() >= grace;
            if is_due
                && let Ok(active) = power.api.tasks(vmid, true).await
                && !active.iter().any(is_power)
                && let Some(why) = start_now(power, vmid).await
            {
                power.cycles.trouble(vmid, format!("its start failed: {why}"));
                // The next try has a grace of its own.
                off = None;
            }
        }
        if !pauses.pause().await {
            return false;
        }
    }
}

/// Starts a machine and waits for the task; returns why it failed.
async fn start_now(power: &Power, vmid: u32) -> Option<String> {
    let message = match power.api.power(vmid, "start", &[]).await {
        Ok(upid) => ended(power, &upid, START).await?.err()?,
        Err(failure) if failure.is_unknown() => return None,
        Err(failure) => failure.text(),
    };
    // Whoever was quicker did the same.
    (!message.contains("already running")).then(|| visible(&message, 200))
}

/// Waits for the end of a task; `None` if it could not be seen.
async fn ended(power: &Power, upid: &str, limit: Duration) -> Option<Result<(), String>> {
    let mut pauses = Pauses::within(limit);
    loop {
        match power.api.task(upid).await {
            Ok(Task { result: Some(result), .. }) => return Some(result),
            Err(failure) if !failure.may_pass() => return None,
            Ok(_) | Err(_) => {}
        }
        if !pauses.pause().await {
            return None;
        }
    }
}
