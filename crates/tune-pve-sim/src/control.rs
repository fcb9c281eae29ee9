//! Looking behind the API of a running cluster, and doing to it what no client can: guests that power themselves off, machines
//! that move, locks of backups, faults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

use crate::access::ROOT;
use crate::create::Migrate;
use crate::disks::Act;
use crate::errors::Failure;
use crate::faults::{Fault, RequestInfo, TaskFault};
use crate::guest::Flags;
use crate::shared::Shared;
use crate::tasks::Job;
use crate::world::{Holder, Vm, World};

/// A task as a test sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskInfo {
    /// Its name.
    pub upid: String,
    /// Its type, such as `qmstart`.
    pub kind: String,
    /// What it is about, mostly the number of a machine.
    pub id: String,
    /// The user or token that it runs for.
    pub user: String,
    /// How it ended; absent while it runs.
    pub status: Option<String>,
    /// The lines that it wrote.
    pub log: Vec<String>,
}

/// A handle to a running cluster; copies of it are handles to the same one.
#[derive(Clone, Debug)]
pub struct Control {
    shared: Arc<Shared>,
}

impl Control {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Control { shared }
    }

    fn vm<T>(&self, vmid: u32, act: impl FnOnce(&mut Vm) -> T) -> Option<T> {
        self.shared.with(|world| world.vms.get_mut(&vmid).map(act))
    }

    /// Forgets everything and starts from a state in the form of the recordings. The error says what is wrong with it.
    pub fn load_state(&self, state: &Json) -> Result<(), String> {
        self.shared.with(|world| world.load_state(state))
    }

    /// The text of a machine's configuration file; bytes that are not UTF-8 are lost.
    pub fn config(&self, vmid: u32) -> Option<String> {
        self.vm(vmid, |vm| String::from_utf8_lossy(&vm.raw).into_owned())
    }

    /// The digest of a machine's configuration file, as the API gives it.
    pub fn digest(&self, vmid: u32) -> Option<String> {
        self.vm(vmid, |vm| vm.conf().digest.clone())
    }

    /// Overwrites a machine's configuration file, as an administrator with an editor does.
    pub fn write_config(&self, vmid: u32, text: &str) {
        self.vm(vmid, |vm| vm.set_raw(text.as_bytes().to_vec()));
    }

    /// Sets or removes the lock in a machine's configuration, such as `backup`.
    pub fn set_lock(&self, vmid: u32, lock: Option<&str>) {
        self.shared.with(|world| {
            let Some(node) = world.vms.get(&vmid).map(|vm| vm.node.clone()) else { return };
            let Ok(mut conf) = world.load(&node, vmid) else { return };
            match lock {
                Some(lock) => conf.main.insert("lock".to_owned(), lock.to_owned()),
                None => conf.main.remove("lock"),
            };
            // A configuration that cannot be printed is left as it is.
            let _ = world.save(&node, vmid, &mut conf);
        });
    }

    /// Adds a machine, or replaces it.
    pub fn add_vm(&self, vmid: u32, node: &str, config: &str) {
        self.shared.with(|world| world.vms.insert(vmid, Vm::new(node, config.as_bytes().to_vec())));
    }

    /// Removes a machine, and its guest with it.
    pub fn remove_vm(&self, vmid: u32) {
        self.shared.with(|world| {
            world.power_off(vmid);
            world.vms.remove(&vmid);
        });
    }

    /// The numbers of all machines.
    pub fn vmids(&self) -> Vec<u32> {
        self.shared.with(|world| world.vms.keys().copied().collect())
    }

    /// The node that a machine is on.
    pub fn node_of(&self, vmid: u32) -> Option<String> {
        self.vm(vmid, |vm| vm.node.clone())
    }

    /// Whether a machine runs.
    pub fn is_running(&self, vmid: u32) -> bool {
        self.vm(vmid, |vm| vm.guest.is_some()).unwrap_or(false)
    }

    /// The process number of a machine's emulator, which is another one after each start.
    pub fn pid(&self, vmid: u32) -> Option<u64> {
        self.vm(vmid, |vm| vm.guest.as_ref().map(|guest| guest.pid)).flatten()
    }

    /// The options with which a running machine's emulator was started.
    pub fn started_with(&self, vmid: u32) -> Option<BTreeMap<String, String>> {
        self.vm(vmid, |vm| vm.guest.as_ref().map(|guest| guest.conf.main.clone())).flatten()
    }

    /// Changes how the guest of a machine behaves.
    pub fn set_flags(&self, vmid: u32, change: impl FnOnce(&mut Flags)) {
        self.vm(vmid, |vm| change(&mut vm.flags));
    }

    /// The guest powers itself off.
    pub fn guest_power_off(&self, vmid: u32) {
        self.shared.with(|world| world.power_off(vmid));
    }

    /// Somebody at the node starts a machine. The error is the text that the task would end with.
    pub fn start(&self, vmid: u32) -> Result<(), String> {
        self.as_root(vmid, |world, act| world.start_vm(act, None))
    }

    /// The emulator dies.
    pub fn kill(&self, vmid: u32) {
        self.guest_power_off(vmid);
    }

    fn as_root(&self, vmid: u32, act: impl FnOnce(&mut World, &Act<'_>) -> Result<(), Failure>) -> Result<(), String> {
        self.shared.with(|world| {
            let Some(node) = world.vms.get(&vmid).map(|vm| vm.node.clone()) else {
                return Err(format!("there is no machine {vmid}"));
            };
            let who = Act { node: &node, vmid, who: ROOT, task: None };
            act(world, &who).map_err(|failure| failure.task_text())
        })
    }

    /// The machine's configuration file moves to another node, and a running guest with it, in no time.
    pub fn move_vm(&self, vmid: u32, node: &str) {
        self.vm(vmid, |vm| node.clone_into(&mut vm.node));
    }

    /// Starts a migration as the HA manager does; it takes [`Timing::migration`](crate::Timing::migration). Returns the
    /// task's name.
    pub fn migrate(&self, vmid: u32, target: &str) -> Option<String> {
        self.shared.with(|world| {
            let node = world.vms.get(&vmid)?.node.clone();
            let job = Job::Migrate(Migrate::new(vmid, target));
            Some(world.new_task(&node, "qmigrate", &vmid.to_string(), ROOT, job))
        })
    }

    /// Something else holds the lock of a machine's configuration for a while.
    pub fn hold_lock(&self, vmid: u32, time: Duration) {
        self.shared.with(|world| {
            world.unlock(vmid);
            let end = world.now + time;
            // The lock was just freed, so taking it cannot fail.
            let _ = world.lock(vmid, Holder::Until(end));
        });
    }

    /// The lock is free again.
    pub fn release_lock(&self, vmid: u32) {
        self.shared.with(|world| world.unlock(vmid));
    }

    /// Puts a machine under the HA manager with a requested state, or takes it away from it.
    pub fn set_ha(&self, vmid: u32, state: Option<&str>) {
        self.shared.with(|world| match state {
            Some(state) => world.ha.insert(vmid, state.to_owned()),
            None => world.ha.remove(&vmid),
        });
    }

    /// The requested HA state of a machine.
    pub fn ha(&self, vmid: u32) -> Option<String> {
        self.shared.with(|world| world.ha.get(&vmid).cloned())
    }

    /// A node can be reached, or not; its own server then drops all connections.
    pub fn set_online(&self, node: &str, online: bool) {
        self.shared.with(|world| world.nodes.insert(node.to_owned(), online));
    }

    /// Adds a fault; earlier ones are asked first.
    pub fn add_fault(&self, fault: Fault) {
        self.shared.traffic().faults.push(fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.traffic().faults.clear();
    }

    /// Lets tasks fail; earlier rules are asked first.
    pub fn add_task_fault(&self, fault: TaskFault) {
        self.shared.with(|world| world.task_faults.push(fault));
    }

    /// Lets no more tasks fail.
    pub fn clear_task_faults(&self) {
        self.shared.with(|world| world.task_faults.clear());
    }

    /// Lets each request take this much longer, in the cluster's time.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.traffic().latency = latency;
    }

    /// The requests so far, oldest first.
    pub fn requests(&self) -> Vec<RequestInfo> {
        self.shared.traffic().requests.clone()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.traffic().requests.clear();
    }

    /// Moves a clock that is moved by hand, and lets everything happen that is due.
    pub fn advance(&self, time: Duration) {
        self.shared.clock.advance(time);
        self.shared.with(|_| ());
    }

    /// The time since the start, in the cluster's time.
    pub fn now(&self) -> Duration {
        self.shared.clock.now()
    }

    /// All tasks, oldest first.
    pub fn tasks(&self) -> Vec<TaskInfo> {
        self.shared.with(|world| {
            let mut tasks: Vec<TaskInfo> = world
                .tasks
                .newest()
                .map(|(_, task)| TaskInfo {
                    upid: task.upid.print(),
                    kind: task.upid.kind.clone(),
                    id: task.upid.id.clone(),
                    user: task.upid.user.clone(),
                    status: task.end.as_ref().map(|(status, _)| status.clone()),
                    log: task.log.clone(),
                })
                .collect();
            tasks.reverse();
            tasks
        })
    }

    /// Waits until no task runs and nothing is about to happen.
    pub async fn settle(&self) {
        while self.shared.with(|world| world.next_due().is_some()) {
            self.shared.clock.sleep(Duration::from_millis(20)).await;
        }
    }
}
