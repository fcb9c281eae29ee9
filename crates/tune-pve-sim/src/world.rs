//! Everything there is in the simulated cluster, and the passage of time in it. Nothing here waits or does I/O: time only
//! moves when [`World::advance`] is told to, and what is due then happens in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::access::Access;
use crate::conf::Conf;
use crate::drive::boot_disk_size;
use crate::errors::Failure;
use crate::guest::{Flags, Guest};
use crate::random::Random;
use crate::storage::Storages;
use crate::tasks::{TaskId, Tasks};

/// How long things take in the simulated cluster.
#[derive(Clone, Debug)]
pub struct Timing {
    /// From the answer with a task's name to the task's first step.
    pub task_start: Duration,
    /// How long the API waits for the guest agent to answer a ping.
    pub agent_ping: Duration,
    /// How long a call or task waits for the lock of a machine's configuration.
    pub lock: Duration,
    /// From a request to the HA manager to what it does; nothing follows where it is absent, as on a cluster whose manager
    /// does not run.
    pub ha: Option<Duration>,
    /// How long a migration takes.
    pub migration: Duration,
    /// How often the nodes tell each other the state of their machines; `/cluster/resources` is that much behind.
    pub broadcast: Duration,
    /// After which time a proxied call is answered with 596 while it goes on.
    pub proxy: Duration,
}

impl Default for Timing {
    /// The times of a real cluster, without a HA manager.
    fn default() -> Self {
        Timing {
            task_start: Duration::from_millis(40),
            agent_ping: Duration::from_secs(3),
            lock: Duration::from_secs(10),
            ha: None,
            migration: Duration::from_secs(5),
            broadcast: Duration::from_secs(10),
            proxy: Duration::from_secs(30),
        }
    }
}

/// A machine went up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Its emulator runs.
    Up,
    /// Its emulator has gone.
    Down,
}

/// A virtual machine, or the place of a container, which has no more than a row in the listing.
#[derive(Clone, Debug)]
pub(crate) struct Vm {
    pub(crate) node: String,
    pub(crate) container: bool,
    pub(crate) raw: Vec<u8>,
    parsed: Option<Arc<Conf>>,
    /// The size in bytes of the disk that it boots from, as that configuration has it.
    boot_disk: Option<u64>,
    pub(crate) guest: Option<Guest>,
    pub(crate) flags: Flags,
    /// Whether a start follows the next clean-up.
    pub(crate) reboot_requested: bool,
    /// Clean-ups that are still to come.
    pub(crate) cleanups: u32,
    /// When it last went up or down.
    pub(crate) switched: Option<Duration>,
}

impl Vm {
    pub(crate) fn new(node: &str, raw: Vec<u8>) -> Self {
        Vm {
            node: node.to_owned(),
            container: false,
            raw,
            parsed: None,
            boot_disk: None,
            guest: None,
            flags: Flags::default(),
            reboot_requested: false,
            cleanups: 0,
            switched: None,
        }
    }

    /// The parsed configuration.
    pub(crate) fn conf(&mut self) -> Arc<Conf> {
        let raw = &self.raw;
        Arc::clone(self.parsed.get_or_insert_with(|| Arc::new(Conf::parse(raw))))
    }

    /// Replaces the configuration file.
    pub(crate) fn set_raw(&mut self, raw: Vec<u8>) {
        self.raw = raw;
        self.parsed = None;
        self.boot_disk = None;
    }

    /// The size in bytes of the disk that the machine boots from, 0 where it is not known. Every listing asks for it.
    pub(crate) fn boot_disk_size(&mut self) -> u64 {
        let conf = self.conf();
        *self.boot_disk.get_or_insert_with(|| boot_disk_size(&conf.main).unwrap_or_default())
    }
}

/// Who holds the lock of a machine's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A task, until it lets go.
    Task(TaskId),
    /// Something else, until a time.
    Until(Duration),
}

/// Something that happens by itself at its time.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A task goes on.
    Task(TaskId),
    /// The guest has shut down, if it is still the same run of the guest.
    GuestOff { vmid: u32, boot: u64 },
    /// The host cleans up after the emulator has gone.
    CleanUp { vmid: u32 },
    /// The HA manager starts or stops a machine.
    Ha { vmid: u32, up: bool, timeout: u64 },
}

/// Settings of the whole cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Datacenter {
    pub(crate) case_sensitive_tags: bool,
    pub(crate) tags_in_order: bool,
    pub(crate) registered_tags: BTreeSet<String>,
    /// `free`, `existing`, `list` or `none`.
    pub(crate) user_tags: Option<String>,
    pub(crate) user_tag_list: BTreeSet<String>,
    pub(crate) next_id: Option<(u32, u32)>,
    pub(crate) mac_prefix: Option<String>,
}

/// The simulated cluster.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) timing: Timing,
    /// Time since the cluster was made.
    pub(crate) now: Duration,
    /// Seconds since 1970 at the beginning.
    pub(crate) epoch: i64,
    /// The node that answers.
    pub(crate) local: String,
    /// All nodes, and whether they can be reached.
    pub(crate) nodes: BTreeMap<String, bool>,
    pub(crate) vms: BTreeMap<u32, Vm>,
    pub(crate) storages: Storages,
    pub(crate) access: Access,
    /// The requested HA state of machines.
    pub(crate) ha: BTreeMap<u32, String>,
    pub(crate) datacenter: Datacenter,
    pub(crate) cpus: u64,
    pub(crate) bridges: BTreeSet<String>,
    pub(crate) qemu_version: String,
    pub(crate) tasks: Tasks,
    locks: BTreeMap<u32, Holder>,
    events: BTreeMap<(Duration, u64), Event>,
    counter: u64,
    pub(crate) random: Random,
    /// How long what was just done keeps its machine's lock.
    pub(crate) busy: Vec<(u32, Option<TaskId>, Duration)>,
    /// Tasks that are to fail, and how.
    pub(crate) task_faults: Vec<crate::faults::TaskFault>,
    /// Machines that went up or down since somebody last asked.
    pub(crate) power: Vec<(u32, Power)>,
    /// What tickets are signed with.
    pub(crate) secret: String,
    /// Fingerprints of the nodes' certificates.
    pub(crate) fingerprints: BTreeMap<String, String>,
}

impl World {
    /// An empty cluster of one node.
    pub(crate) fn new(seed: u64, epoch: i64) -> Self {
        let random = Random::new(seed);
        let secret = random.hex(32);
        World {
            timing: Timing::default(),
            now: Duration::ZERO,
            epoch,
            local: "pve1".to_owned(),
            nodes: BTreeMap::from([("pve1".to_owned(), true)]),
            vms: BTreeMap::new(),
            storages: Storages::default(),
            access: Access::new(),
            ha: BTreeMap::new(),
            datacenter: Datacenter::default(),
            cpus: 16,
            bridges: BTreeSet::from(["vmbr0".to_owned()]),
            qemu_version: "10.2.0".to_owned(),
            tasks: Tasks::default(),
            locks: BTreeMap::new(),
            events: BTreeMap::new(),
            counter: 0,
            random,
            busy: Vec::new(),
            task_faults: Vec::new(),
            power: Vec::new(),
            secret,
            fingerprints: BTreeMap::new(),
        }
    }

    /// Seconds since 1970.
    pub(crate) fn unix(&self) -> i64 {
        self.epoch + i64::try_from(self.now.as_secs()).unwrap_or(i64::MAX)
    }

    /// A number that was not given before.
    pub(crate) fn unique(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Lets something happen later.
    pub(crate) fn schedule(&mut self, after: Duration, event: Event) {
        let number = self.unique();
        self.events.insert((self.now + after, number), event);
    }

    /// When the next thing happens.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.events.keys().next().map(|(due, _)| *due)
    }

    /// Lets time pass until `to`, and everything happen that is due by then.
    pub(crate) fn advance(&mut self, to: Duration) {
        while let Some((due, number)) = self.events.keys().next().copied().filter(|(due, _)| *due <= to) {
            let event = self.events.remove(&(due, number)).expect("the key was just seen");
            self.now = self.now.max(due);
            match event {
                Event::Task(id) => self.step_task(id),
                Event::GuestOff { vmid, boot } => self.guest_off(vmid, boot),
                Event::CleanUp { vmid } => self.clean_up(vmid),
                Event::Ha { vmid, up, timeout } => self.ha_acts(vmid, up, timeout),
            }
        }
        self.now = self.now.max(to);
    }

    /// Who holds a machine's lock now.
    pub(crate) fn lock_holder(&self, vmid: u32) -> Option<Holder> {
        let holder = self.locks.get(&vmid).copied()?;
        match holder {
            Holder::Until(end) if end <= self.now => None,
            holder => Some(holder),
        }
    }

    /// Takes a machine's lock, which must be free or already the holder's.
    pub(crate) fn lock(&mut self, vmid: u32, holder: Holder) -> Result<(), Failure> {
        match self.lock_holder(vmid) {
            Some(other) if other != holder => Err(Failure::Locked(vmid)),
            _ => {
                self.locks.insert(vmid, holder);
                Ok(())
            }
        }
    }

    /// Requires that nobody else holds the lock; the work that follows takes no time.
    pub(crate) fn lock_for_now(&mut self, vmid: u32, task: Option<TaskId>) -> Result<(), Failure> {
        match self.lock_holder(vmid) {
            None if task.is_none() && self.tasks.about_to_lock(vmid) => Err(Failure::Locked(vmid)),
            None => Ok(()),
            Some(Holder::Task(id)) if Some(id) == task => Ok(()),
            Some(_) => Err(Failure::Locked(vmid)),
        }
    }

    /// Lets go of a machine's lock, whoever holds it.
    pub(crate) fn unlock(&mut self, vmid: u32) {
        self.locks.remove(&vmid);
    }

    /// Lets go of all locks that a task holds.
    pub(crate) fn unlock_task(&mut self, id: TaskId) {
        self.locks.retain(|_, holder| *holder != Holder::Task(id));
    }

    /// The machine on a node.
    pub(crate) fn vm(&mut self, node: &str, vmid: u32) -> Option<&mut Vm> {
        self.vms.get_mut(&vmid).filter(|vm| vm.node == node && !vm.container)
    }

    /// The configuration of a machine on a node.
    pub(crate) fn load(&mut self, node: &str, vmid: u32) -> Result<Conf, Failure> {
        match self.vm(node, vmid) {
            Some(vm) => Ok(Conf::clone(&vm.conf())),
            None => Err(Failure::internal(format!(
                "Configuration file 'nodes/{node}/qemu-server/{vmid}.conf' does not exist"
            ))),
        }
    }

    /// Writes a machine's configuration, and reads it back into `conf`.
    pub(crate) fn save(&mut self, node: &str, vmid: u32, conf: &mut Conf) -> Result<(), Failure> {
        let raw = conf.print().map_err(Failure::internal)?;
        if let Some(vm) = self.vm(node, vmid) {
            vm.set_raw(raw);
        }
        Ok(())
    }

    /// Whether a machine runs; it must exist on the node.
    pub(crate) fn running(&mut self, node: &str, vmid: u32) -> Result<bool, Failure> {
        match self.vm(node, vmid) {
            Some(vm) => Ok(vm.guest.is_some()),
            None => Err(Failure::internal(format!("unable to find configuration file for VM {vmid} on node '{node}'"))),
        }
    }

    /// Whether the HA manager is in charge of a machine.
    pub(crate) fn ha_managed(&self, vmid: u32) -> bool {
        self.ha.get(&vmid).is_some_and(|state| state != "ignored")
    }
}

/// Refuses while a configuration carries a lock.
pub(crate) fn check_lock(conf: &Conf) -> Result<(), Failure> {
    match conf.truthy("lock") {
        Some(lock) => Err(Failure::internal(format!("VM is locked ({lock})"))),
        None => Ok(()),
    }
}
