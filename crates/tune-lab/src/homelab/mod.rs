//! A pretend homelab on this machine: a Proxmox VE cluster of three nodes in memory, and on each node a virtual machine with
//! a server of K3s, which is a host with an sshd of its own. Hypervisors are hosts too. It is what
//! `examples/k3s-etcd` is about.
//!
//! A virtual machine that stops takes its guest with it: ssh, K3s and the member of etcd go, and come back with another boot
//! id and the values that a boot sets. Voters, leader and health follow. Nothing here knows what `tune` is.
//!
//! Nothing outlives the process, and nothing is reached from outside of it: see [`tune_testkit::lab`] for the hosts.

mod etcd;
mod guest;
mod k3s;
mod proxmox;
mod serve;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tune_pve_sim::{Control, Flags, Running};
use tune_testkit::lab::{Host, Lab, SSH_CONFIG_VARIABLE, Skip, Tier, require};

use guest::{Guest, Life, Times};
use k3s::K3s;
use serve::Answers;

/// Who leads etcd at first.
const LEADER: &str = "k3s-vm-pve";
/// The parameters of ZFS on the hypervisors: name, mode and default.
const ZFS: [(&str, u32, &str); 2] = [("zfs_arc_max", 0o644, "0"), ("zfs_txg_timeout", 0o644, "5")];
/// The hypervisor on which somebody has set the runbook's value already.
const TUNED: &str = "still-fawn.maas";

/// The homelab. It ends with this value.
#[derive(Debug)]
pub struct Homelab {
    // The guests' threads use the hosts, and the cluster tells the guests what happens: each goes before what it needs.
    cluster: Running,
    guests: Vec<(u32, String, Guest)>,
    k3s: Arc<Mutex<K3s>>,
    clock: Clock,
    moments: Arc<Mutex<Vec<Moment>>>,
    settle: &'static str,
    lab: Arc<Lab>,
    _runtime: Runtime,
}

/// How long what happens in the homelab takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Long enough to watch: some ten seconds from a VM's shutdown to a healthy cluster.
    Watched,
    /// As short as can be, for tests.
    Tests,
}

/// A server of K3s went or came, as seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The host.
    pub guest: String,
    /// Whether it came.
    pub is_up: bool,
    /// Who led etcd just before.
    pub leader: Option<String>,
    /// Whose etcd keeps up just afterwards.
    pub healthy: Vec<String>,
}

/// Why there is no homelab.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This machine cannot run the hosts.
    #[error("{0}")]
    Missing(Skip),
    /// The program cannot wait.
    #[error("the program cannot wait: {0}")]
    Runtime(io::Error),
    /// The cluster did not start.
    #[error(transparent)]
    Cluster(#[from] tune_pve_sim::Error),
    /// Nothing can listen on a guest.
    #[error("nothing can stand in for K3s on a guest: {0}")]
    K3s(io::Error),
}

/// The time since the homelab began.
#[derive(Debug, Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn now(self) -> Duration {
        self.0.elapsed()
    }
}

impl Homelab {
    /// Makes the hosts and starts the cluster. It needs root, for namespaces.
    pub fn start(pace: Pace) -> Result<Homelab, Error> {
        require(Tier::Sshd).map_err(Error::Missing)?;
        let runtime = Runtime::new().map_err(Error::Runtime)?;
        let (guests, hypervisors) = (guests(), hypervisors());
        let names: Vec<&str> = guests.iter().map(|(_, name)| name).chain(&hypervisors).map(String::as_str).collect();
        let lab = Arc::new(Lab::create(Tier::Sshd, &names));
        thread::scope(|scope| {
            for name in &hypervisors {
                scope.spawn(|| furnish_hypervisor(lab.host(name)));
            }
            for (_, name) in &guests {
                scope.spawn(|| furnish_guest(lab.host(name)));
            }
        });

        let servers: Vec<&str> = guests.iter().map(|(_, name)| name.as_str()).collect();
        let k3s = Arc::new(Mutex::new(K3s::new(&servers, LEADER, pace.catch_up())));
        let (clock, moments) = (Clock(Instant::now()), Arc::default());
        let take_over = |(vmid, name): &(u32, String)| {
            let answers = Answers { server: name.clone(), k3s: Arc::clone(&k3s), clock };
            let (lab, runtime, moments) = (Arc::clone(&lab), runtime.handle().clone(), Arc::clone(&moments));
            let life = Life { lab, answers, times: pace.guest(), runtime, moments };
            let servers = guest::first(&life).map_err(Error::K3s)?;
            Ok((*vmid, name.clone(), Guest::new(life, servers)))
        };
        let guests: Vec<(u32, String, Guest)> = guests.iter().map(take_over).collect::<Result<_, Error>>()?;

        let wires: Vec<_> = guests.iter().map(|(vmid, _, guest)| (*vmid, guest.wire())).collect();
        let cluster = proxmox::cluster(&pace.flags()).on_power(move |vmid, power| {
            for (_, wire) in wires.iter().filter(|(id, _)| *id == vmid) {
                wire.power(power);
            }
        });
        let cluster = runtime.block_on(cluster.start())?;
        let settle = pace.settle();
        Ok(Homelab { cluster, guests, k3s, clock, moments, settle, lab, _runtime: runtime })
    }

    /// The hosts: `k3s-vm-NODE` and `NODE.maas` for each node `pve`, `pumped-piglet` and `still-fawn`.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Looks behind the API of the cluster.
    pub fn proxmox(&self) -> Control {
        self.cluster.control()
    }

    /// The guests, with the numbers of their virtual machines.
    pub fn guests(&self) -> impl Iterator<Item = (u32, &str)> {
        self.guests.iter().map(|(vmid, name, _)| (*vmid, name.as_str()))
    }

    /// The hypervisors.
    pub fn hypervisors(&self) -> impl Iterator<Item = &Host> {
        hypervisors().into_iter().map(|name| self.lab.host(&name))
    }

    /// What a program needs in its environment so that `examples/k3s-etcd` is about this homelab.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let fingerprint = self.cluster.fingerprint().unwrap_or_default();
        vec![
            (SSH_CONFIG_VARIABLE, self.lab.ssh_config().to_string_lossy().into_owned()),
            ("TUNE_VAR_proxmox_endpoint", self.cluster.url().to_owned()),
            ("TUNE_VAR_proxmox_fingerprint", fingerprint.to_owned()),
            ("TUNE_VAR_proxmox_token", proxmox::token()),
            // Here nothing is heavy enough to fall ill late.
            ("TUNE_VAR_settle", self.settle.to_owned()),
        ]
    }

    /// Who leads etcd now.
    pub fn leader(&self) -> Option<String> {
        lock(&self.k3s).leader(self.clock.now())
    }

    /// The guests whose etcd keeps up now.
    pub fn healthy(&self) -> Vec<String> {
        lock(&self.k3s).healthy(self.clock.now())
    }

    /// Every going and coming of a server so far, in its order.
    pub fn moments(&self) -> Vec<Moment> {
        lock(&self.moments).clone()
    }

    /// Lets a guest not come back from its next power cycle: its machine runs, and it does not boot.
    #[track_caller]
    pub fn hang(&self, guest: &str) {
        lock(&self.guest(guest).trouble).hangs = true;
    }

    /// Lets a guest that did not come back boot after all, as somebody at its console would.
    #[track_caller]
    pub fn boot(&self, guest: &str) {
        let guest = self.guest(guest);
        lock(&guest.trouble).hangs = false;
        guest.boot();
    }

    /// Lets a guest come back from its next power cycle at another address. The ssh configuration calls that one `alias`, and
    /// goes on to lead to the old one under the guest's own name.
    #[track_caller]
    pub fn move_at_next_boot(&self, guest: &str, alias: &str) {
        lock(&self.guest(guest).trouble).moves = Some(alias.to_owned());
    }

    #[track_caller]
    fn guest(&self, name: &str) -> &Guest {
        let found = self.guests.iter().find(|(_, guest, _)| guest == name);
        assert!(found.is_some(), "the homelab has no guest `{name}`");
        &found.expect("it was just seen that there is one").2
    }
}

impl Pace {
    fn guest(self) -> Times {
        match self {
            Pace::Watched => Times { boot: Duration::from_secs(2), k3s: Duration::from_millis(1500) },
            Pace::Tests => Times { boot: Duration::from_millis(100), k3s: Duration::from_millis(100) },
        }
    }

    fn catch_up(self) -> Duration {
        match self {
            Pace::Watched => Duration::from_secs(2),
            Pace::Tests => Duration::from_millis(200),
        }
    }

    fn settle(self) -> &'static str {
        match self {
            Pace::Watched => "2s",
            Pace::Tests => "200ms",
        }
    }

    fn flags(self) -> Flags {
        let (down, up) = match self {
            Pace::Watched => (1.5, 0.5),
            Pace::Tests => (0.2, 0.1),
        };
        Flags { guest_agent: true, guest_shutdown_seconds: down, restart_delay_seconds: up, ..Flags::default() }
    }
}

/// The number and the name of each guest.
fn guests() -> Vec<(u32, String)> {
    proxmox::NODES.iter().map(|(node, vmid, ..)| (*vmid, format!("k3s-vm-{node}"))).collect()
}

/// The name of each hypervisor.
fn hypervisors() -> [String; 3] {
    proxmox::NODES.map(|(node, ..)| format!("{node}.maas"))
}

/// Gives a host what makes it a hypervisor.
fn furnish_hypervisor(host: &Host) {
    let timeout = if host.name() == TUNED { " zfs_txg_timeout=3" } else { "" };
    host.write_file("/etc/modprobe.d/zfs.conf", format!("options zfs zfs_arc_max=1073741824{timeout}\n"));
    host.set_module("zfs", &ZFS);
}

/// Gives a host what makes it a guest.
fn furnish_guest(host: &Host) {
    let script = include_str!("k3s.sh").replace("\"$VERSION\"", k3s::VERSION);
    host.write_file("/usr/local/bin/k3s", script);
    let _ = host.exec("chmod 755 /usr/local/bin/k3s").success();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
