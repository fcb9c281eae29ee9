//! Tasks: their names, their logs, and the work that goes on behind them step by step.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::create::{Clone as CloneJob, Create, Destroy, Migrate, Resize};
use crate::disks::Act;
use crate::errors::{Failure, lock_timeout};
use crate::guest::{agent_enabled, seconds};
use crate::schema::formats::{parse_startup, pattern};
use crate::update::Update;
use crate::world::{Event, Holder, World, check_lock};

/// The number of a task within the simulation.
pub(crate) type TaskId = u64;

/// What a task is called: its parts, in the form that the API gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upid {
    pub(crate) node: String,
    pub(crate) pid: u64,
    pub(crate) pstart: u64,
    pub(crate) start: u64,
    pub(crate) kind: String,
    pub(crate) id: String,
    /// The user or the token's full name.
    pub(crate) user: String,
}

impl Upid {
    /// The name of the task.
    pub(crate) fn print(&self) -> String {
        let Upid { node, pid, pstart, start, kind, id, user } = self;
        format!("UPID:{node}:{pid:08X}:{pstart:08X}:{start:08X}:{kind}:{id}:{user}:")
    }

    /// Takes a name apart.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        static CELL: std::sync::OnceLock<regex::Regex> = std::sync::OnceLock::new();
        let shape = CELL.get_or_init(|| {
            let hex = "([0-9A-Fa-f]{8})";
            let node = "([a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)";
            let shape = format!(r"^UPID:{node}:{hex}:([0-9A-Fa-f]{{8,9}}):{hex}:([^:\s]+):([^:\s]*):([^:\s]+):$");
            regex::Regex::new(&shape).expect("the pattern is constant and valid")
        });
        let parts = shape.captures(text)?;
        let number = |at: usize| u64::from_str_radix(&parts[at], 16).ok();
        let text = |at: usize| parts[at].to_owned();
        let (pid, pstart, start) = (number(2)?, number(3)?, number(4)?);
        Some(Upid { node: text(1), pid, pstart, start, kind: text(5), id: text(6), user: text(7) })
    }
}

/// One task.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) upid: Upid,
    pub(crate) log: Vec<String>,
    warnings: u32,
    /// How it ended and when; running while absent.
    pub(crate) end: Option<(String, u64)>,
    job: Option<Job>,
    lock_deadline: Option<Duration>,
    /// An end that is certain but not reached yet.
    outcome: Option<Failure>,
}

/// All tasks, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks {
    list: BTreeMap<TaskId, Task>,
    by_name: BTreeMap<String, TaskId>,
    /// Those that have not done anything yet but will take the lock of a machine.
    starting: BTreeMap<TaskId, u32>,
}

impl Tasks {
    pub(crate) fn get(&self, name: &str) -> Option<&Task> {
        self.list.get(self.by_name.get(name)?)
    }

    pub(crate) fn id(&self, name: &str) -> Option<TaskId> {
        self.by_name.get(name).copied()
    }

    /// Whether a task is about to take a machine's lock. On a real node it is faster than the next call.
    pub(crate) fn about_to_lock(&self, vmid: u32) -> bool {
        self.starting.values().any(|starting| *starting == vmid)
    }

    /// Newest first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = (&TaskId, &Task)> {
        self.list.iter().rev()
    }

    /// Adds a line to a task's log.
    pub(crate) fn log(&mut self, id: TaskId, line: &str) {
        if let Some(task) = self.list.get_mut(&id) {
            task.log.extend(line.split('\n').map(str::to_owned));
        }
    }

    /// Adds a warning to a task's log, which shows in how the task ends.
    pub(crate) fn warn(&mut self, id: TaskId, text: &str) {
        self.log(id, &format!("WARN: {text}"));
        if let Some(task) = self.list.get_mut(&id) {
            task.warnings += 1;
        }
    }
}

/// The work behind a task.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    Update { vmid: u32, update: Box<Update> },
    Start { vmid: u32, machine: Option<String> },
    Stop { vmid: u32, stop: Stop },
    Reset { vmid: u32 },
    Suspend { vmid: u32, storage: Option<String> },
    Resume { vmid: u32, from_disk: bool },
    Resize(Resize),
    Create(Box<Create>),
    Destroy(Destroy),
    Clone(CloneJob),
    Migrate(Migrate),
    Ha { vmid: u32, up: bool, timeout: u64 },
    HaMigrate { vmid: u32, target: String },
}

impl Job {
    pub(crate) fn vmid(&self) -> u32 {
        match self {
            Job::Update { vmid, .. }
            | Job::Start { vmid, .. }
            | Job::Stop { vmid, .. }
            | Job::Reset { vmid }
            | Job::Suspend { vmid, .. }
            | Job::Resume { vmid, .. }
            | Job::Ha { vmid, .. }
            | Job::HaMigrate { vmid, .. } => *vmid,
            Job::Resize(job) => job.vmid,
            Job::Create(job) => job.vmid,
            Job::Destroy(job) => job.vmid,
            Job::Clone(job) => job.vmid,
            Job::Migrate(job) => job.vmid,
        }
    }
}

/// Stopping a machine in one of the ways there are.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one parameter of the call")]
pub(crate) struct Stop {
    /// Ask the guest first.
    shutdown: bool,
    /// Kill the emulator if it does not go in time.
    force: bool,
    timeout: Option<u64>,
    /// Start it again after the clean-up.
    reboot: bool,
    /// End running shutdown tasks first.
    overrule: bool,
    phase: Phase,
}

#[derive(Clone, Debug)]
enum Phase {
    Begin,
    /// The guest agent was asked, and did not answer in time.
    NoAgent {
        limit: u64,
    },
    Wait {
        count: u64,
        limit: u64,
    },
}

impl Stop {
    /// The hard way.
    pub(crate) fn hard(timeout: Option<u64>, overrule: bool) -> Self {
        Stop { shutdown: false, force: true, timeout, reboot: false, overrule, phase: Phase::Begin }
    }

    /// The gentle way, with force at the end if that is wanted.
    pub(crate) fn shutdown(timeout: Option<u64>, force: bool) -> Self {
        Stop { shutdown: true, force, timeout, reboot: false, overrule: false, phase: Phase::Begin }
    }

    /// A gentle stop that is followed by a start.
    pub(crate) fn reboot(timeout: Option<u64>) -> Self {
        Stop { reboot: true, ..Stop::shutdown(timeout, false) }
    }
}

/// How far a step of a job has come.
pub(crate) enum Progress {
    Done,
    /// Go on after a while.
    After(Duration),
}

impl World {
    /// Makes a task and returns its name; its work begins a little later.
    pub(crate) fn new_task(&mut self, node: &str, kind: &str, id: &str, user: &str, job: Job) -> String {
        let number = self.unique();
        let upid = Upid {
            node: node.to_owned(),
            pid: 0x2400 + number,
            pstart: u64::try_from(self.now.as_millis() / 10).unwrap_or(0) + 0x1_0000,
            start: u64::try_from(self.unix()).unwrap_or(0),
            kind: kind.to_owned(),
            id: id.to_owned(),
            user: user.to_owned(),
        };
        let name = upid.print();
        if !matches!(job, Job::Ha { .. } | Job::HaMigrate { .. } | Job::Clone(_)) {
            self.tasks.starting.insert(number, job.vmid());
        }
        let job = Some(job);
        let task = Task { upid, log: Vec::new(), warnings: 0, end: None, job, lock_deadline: None, outcome: None };
        self.tasks.list.insert(number, task);
        self.tasks.by_name.insert(name.clone(), number);
        self.schedule(self.timing.task_start, Event::Task(number));
        name
    }

    /// Does the next step of a task.
    pub(crate) fn step_task(&mut self, id: TaskId) {
        self.tasks.starting.remove(&id);
        let Some(task) = self.tasks.list.get_mut(&id).filter(|task| task.end.is_none()) else { return };
        if let Some(failure) = task.outcome.take() {
            return self.end_task(id, Err(failure));
        }
        let Some(mut job) = task.job.take() else { return };
        let (node, user, kind) = (task.upid.node.clone(), task.upid.user.clone(), task.upid.kind.clone());
        let act = Act { node: &node, vmid: job.vmid(), who: &user, task: Some(id) };
        if let Some(message) = self.injected_failure(&kind, act.vmid) {
            return self.end_task(id, Err(Failure::internal(message)));
        }
        if self.tasks.list[&id].lock_deadline.is_some() && self.lock_for_now(act.vmid, act.task).is_ok() {
            if let Some(task) = self.tasks.list.get_mut(&id) {
                task.lock_deadline = None;
            }
            self.tasks.log(id, " OK");
        }
        let step = self.step_job(&act, &mut job);
        let busy: Duration = std::mem::take(&mut self.busy).iter().map(|(_, _, time)| *time).sum();
        match step {
            Err(Failure::Locked(vmid)) => self.wait_for_lock(id, vmid, job),
            Ok(Progress::After(time)) => {
                if let Some(task) = self.tasks.list.get_mut(&id) {
                    task.job = Some(job);
                }
                self.schedule(time, Event::Task(id));
            }
            Ok(Progress::Done) => self.end_task(id, Ok(())),
            Err(failure) if busy > Duration::ZERO => {
                let _ = self.lock(act.vmid, Holder::Task(id));
                if let Some(task) = self.tasks.list.get_mut(&id) {
                    task.outcome = Some(failure);
                }
                self.schedule(busy, Event::Task(id));
            }
            Err(failure) => self.end_task(id, Err(failure)),
        }
    }

    fn wait_for_lock(&mut self, id: TaskId, vmid: u32, job: Job) {
        let (now, most) = (self.now, self.timing.lock);
        let Some(task) = self.tasks.list.get_mut(&id) else { return };
        let first = task.lock_deadline.is_none();
        let deadline = *task.lock_deadline.get_or_insert(now + most);
        task.job = Some(job);
        if first {
            self.tasks.log(id, "trying to acquire lock...");
        }
        if now >= deadline {
            self.end_task(id, Err(Failure::internal(lock_timeout(vmid))));
        } else {
            self.schedule(Duration::from_millis(50).min(deadline.saturating_sub(now)), Event::Task(id));
        }
    }

    fn end_task(&mut self, id: TaskId, result: Result<(), Failure>) {
        self.tasks.starting.remove(&id);
        self.unlock_task(id);
        let unix = u64::try_from(self.unix()).unwrap_or(0);
        let Some(task) = self.tasks.list.get_mut(&id) else { return };
        let (line, status) = match result {
            Ok(()) if task.warnings > 0 => {
                (format!("TASK WARNINGS: {}", task.warnings), format!("WARNINGS: {}", task.warnings))
            }
            Ok(()) => ("TASK OK".to_owned(), "OK".to_owned()),
            Err(failure) => {
                let text = failure.task_text();
                (format!("TASK ERROR: {text}"), text)
            }
        };
        task.log.push(line);
        task.end = Some((status, unix));
        task.job = None;
    }

    /// Ends a running task as an interrupt does.
    pub(crate) fn abort_task(&mut self, id: TaskId) {
        if self.tasks.list.get(&id).is_some_and(|task| task.end.is_none()) {
            if let Some(Job::Stop { vmid, stop }) = self.tasks.list.get(&id).and_then(|task| task.job.clone())
                && stop.reboot
                && let Some(vm) = self.vms.get_mut(&vmid)
            {
                vm.reboot_requested = false;
            }
            self.end_task(id, Err(Failure::internal("received interrupt")));
        }
    }

    fn step_job(&mut self, act: &Act<'_>, job: &mut Job) -> Result<Progress, Failure> {
        let locked = |world: &mut World| world.lock_for_now(act.vmid, act.task);
        match job {
            Job::Update { update, .. } => {
                locked(self)?;
                update.apply(self, act)?;
            }
            Job::Start { machine, .. } => {
                locked(self)?;
                self.start_vm(act, machine.as_deref())?;
            }
            Job::Stop { stop, .. } => return self.step_stop(act, stop),
            Job::Reset { .. } => {
                locked(self)?;
                check_lock(&self.load(act.node, act.vmid)?)?;
            }
            Job::Suspend { storage, .. } => {
                locked(self)?;
                self.suspend_vm(act, storage.as_deref())?;
            }
            Job::Resume { from_disk, .. } => {
                locked(self)?;
                if *from_disk { self.start_vm(act, None)? } else { self.resume_vm(act)? }
            }
            Job::Resize(resize) => {
                locked(self)?;
                resize.run(self, act)?;
            }
            Job::Create(create) => {
                locked(self)?;
                create.run(self, act)?;
            }
            Job::Destroy(destroy) => {
                locked(self)?;
                destroy.run(self, act)?;
            }
            Job::Clone(clone) => clone.run(self, act)?,
            Job::Migrate(migrate) => return migrate.step(self, act),
            Job::Ha { vmid, up, timeout } => {
                let verb = if *up { "start" } else { "stop" };
                self.say(act, &format!("Requesting HA {verb} for VM {vmid}"));
                if *up {
                    self.ha.insert(*vmid, "started".to_owned());
                }
                if let Some(delay) = self.timing.ha {
                    if !*up {
                        self.ha.insert(*vmid, "stopped".to_owned());
                    }
                    self.schedule(delay, Event::Ha { vmid: *vmid, up: *up, timeout: *timeout });
                }
            }
            Job::HaMigrate { vmid, target } => {
                self.say(act, &format!("Requesting HA migration for VM {vmid} to node {target}"));
                if self.timing.ha.is_some() {
                    let job = Job::Migrate(Migrate::new(*vmid, target));
                    self.new_task(act.node, "qmigrate", &vmid.to_string(), crate::access::ROOT, job);
                }
            }
        }
        Ok(Progress::Done)
    }

    fn step_stop(&mut self, act: &Act<'_>, stop: &mut Stop) -> Result<Progress, Failure> {
        let task = act.task.unwrap_or_default();
        match stop.phase {
            Phase::Begin => {
                if std::mem::take(&mut stop.overrule) {
                    self.overrule_shutdowns(act);
                }
                self.lock_for_now(act.vmid, act.task)?;
                if !self.running(act.node, act.vmid)? {
                    return Ok(Progress::Done);
                }
                let conf = self.load(act.node, act.vmid)?;
                if stop.reboot
                    && let Some(vm) = self.vm(act.node, act.vmid)
                {
                    vm.reboot_requested = true;
                }
                if let Err(locked) = check_lock(&conf) {
                    self.forget_reboot(act);
                    return Err(locked);
                }
                self.lock(act.vmid, Holder::Task(task))?;
                let down = conf.truthy("startup").and_then(parse_startup).and_then(|(_, _, down)| down);
                let down = down.filter(|down| stop.shutdown && *down > 0);
                let limit = stop.timeout.or(down).unwrap_or(60);
                if !stop.shutdown {
                    self.power_off(act.vmid);
                } else if agent_enabled(&conf) && !self.vms[&act.vmid].flags.guest_agent {
                    stop.phase = Phase::NoAgent { limit };
                    return Ok(Progress::After(self.timing.agent_ping));
                } else {
                    self.request_shutdown(act.vmid);
                }
                stop.phase = Phase::Wait { count: 0, limit };
                self.wait_for_stop(act, stop)
            }
            Phase::NoAgent { limit } => {
                let vmid = act.vmid;
                let line = format!(
                    "QEMU Guest Agent is not running - VM {vmid} qga command 'guest-ping' failed - got timeout"
                );
                self.say(act, &line);
                self.request_shutdown(act.vmid);
                stop.phase = Phase::Wait { count: 0, limit };
                self.wait_for_stop(act, stop)
            }
            Phase::Wait { .. } => self.wait_for_stop(act, stop),
        }
    }

    fn wait_for_stop(&mut self, act: &Act<'_>, stop: &mut Stop) -> Result<Progress, Failure> {
        let Phase::Wait { count, limit } = stop.phase else { return Ok(Progress::Done) };
        let running = self.running(act.node, act.vmid)?;
        if count < limit && running {
            stop.phase = Phase::Wait { count: count + 1, limit };
            return Ok(Progress::After(seconds(1.0)));
        }
        if count >= limit {
            if !stop.force {
                self.forget_reboot(act);
                return Err(Failure::internal("VM quit/powerdown failed - got timeout"));
            }
            self.say(act, "VM still running - terminating now with SIGTERM");
            self.power_off(act.vmid);
        }
        let mut conf = self.load(act.node, act.vmid)?;
        let _ = self.apply_pending(act, &mut conf);
        Ok(Progress::Done)
    }

    fn forget_reboot(&mut self, act: &Act<'_>) {
        if let Some(vm) = self.vm(act.node, act.vmid) {
            vm.reboot_requested = false;
        }
    }

    fn overrule_shutdowns(&mut self, act: &Act<'_>) {
        let auditor = self.access.allows(act.who, &format!("/nodes/{}", act.node), &["Sys.Modify"]);
        let id = act.vmid.to_string();
        let victims: Vec<(TaskId, String)> = self
            .tasks
            .list
            .iter()
            .filter(|(_, task)| task.end.is_none() && task.upid.kind == "qmshutdown" && task.upid.id == id)
            .filter(|(_, task)| auditor || task.upid.user == act.who)
            .map(|(id, task)| (*id, task.upid.print()))
            .collect();
        for (victim, _) in &victims {
            self.abort_task(*victim);
        }
        if !victims.is_empty() {
            let names: Vec<&str> = victims.iter().map(|(_, name)| name.as_str()).collect();
            self.say(act, &format!("overruled qmshutdown tasks: {}", names.join(", ")));
        }
    }

    fn suspend_vm(&mut self, act: &Act<'_>, storage: Option<&str>) -> Result<(), Failure> {
        let mut conf = self.load(act.node, act.vmid)?;
        let backup = conf.main.get("lock").is_some_and(|lock| lock == "backup");
        if !backup {
            check_lock(&conf)?;
        }
        let Some(storage) = storage else {
            if let Some(guest) = self.vm(act.node, act.vmid).and_then(|vm| vm.guest.as_mut()) {
                guest.paused = true;
            }
            return Ok(());
        };
        if backup {
            return Err(Failure::internal("cannot suspend to disk during backup"));
        }
        let bytes = (conf.memory() * 2 + 500) * 1024 * 1024;
        let volume = format!("{}/vm-{}-state-suspend.raw", act.vmid, act.vmid);
        self.storages.add(storage, &volume, bytes)?;
        let machine = self.vm(act.node, act.vmid).and_then(|vm| vm.guest.as_ref()).map(|guest| guest.machine.clone());
        conf.main.insert("vmstate".to_owned(), format!("{storage}:{volume}"));
        conf.main.insert("runningmachine".to_owned(), machine.unwrap_or_default());
        conf.main.insert("lock".to_owned(), "suspended".to_owned());
        self.save(act.node, act.vmid, &mut conf)?;
        self.say(act, "State saved, quitting");
        self.power_off(act.vmid);
        Ok(())
    }
}

/// Whether a task's end counts as an error.
pub(crate) fn is_error(status: &str) -> bool {
    !pattern!(r"^(?:OK|WARNINGS: \d+)$").is_match(status)
}
