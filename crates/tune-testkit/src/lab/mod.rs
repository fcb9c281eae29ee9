//! The test lab: real Linux hosts with real OpenSSH, made in milliseconds or booted, for the tests that drive the binary.
//!
//! ```no_run
//! use tune_testkit::lab::{Lab, Tier};
//!
//! tune_testkit::require_tier!(Tier::Sshd); // leaves the test, as skipped, when this machine cannot run such hosts
//! let lab = Lab::create(Tier::Sshd, &["fawn", "doe"]);
//! let before = lab.host("fawn").snapshot();
//! // … run the product with `lab.variable()` in its environment …
//! lab.host("fawn").assert_as(&before);
//! ```
//!
//! Invariant: no test can write a sysctl of this machine. On a host /proc/sys is read-only, except net.*, which belongs to
//! the host's network namespace, and vm.*, where plain files stand in for the kernel; sessions lack the power to mount.
//!
//! Invariant: nothing outlives the test process, however it ends. Each host, and the directory that all of them share, is
//! kept by a process that waits for the end of a pipe which only the test process holds.
//!
//! Values of vm.* judge nothing that is written to them; what the kernel refuses or clamps is tried with net.* keys.
//! The lab does not know the product: it neither runs it nor reads its output.

#![expect(clippy::missing_panics_doc, reason = "said once, where `Host` is: a broken lab fails the test that uses it")]

mod cell;
mod door;
mod entrance;
mod hold;
mod host;
mod image;
mod inside;
mod kernel;
mod machine;
mod network;
mod power;
mod snapshot;
mod tier;
mod users;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

pub use hold::Hold;
pub use host::{Host, Output, Process};
pub use image::CACHE_VARIABLE;
pub use snapshot::Snapshot;
pub use tier::{REQUIRE_VARIABLE, SKIPS_VARIABLE, Skip, Tier, announce, available, require};
pub use users::{ASKED, OPERATOR, PLAIN, STRANGER};

use host::{Body, must};
use network::Network;

/// The variable by which the product is told the ssh configuration that reaches the hosts.
pub const SSH_CONFIG_VARIABLE: &str = "TUNE_SSH_CONFIG";

/// Hosts that belong together: one key opens them, one ssh configuration reaches them.
#[derive(Debug)]
pub struct Lab {
    hosts: BTreeMap<String, Host>,
    ssh_config: PathBuf,
    network: Option<Arc<Network>>,
    // Last, so that the directory goes when its hosts have gone.
    _directory: Directory,
}

impl Lab {
    /// Makes hosts with these names, side by side, and returns when all of them answer.
    #[track_caller]
    pub fn create(tier: Tier, names: &[&str]) -> Lab {
        must(Lab::try_create(tier, names, Extra::None), "the lab cannot be made")
    }

    /// Makes hosts of the [`Tier::Nspawn`] that reach each other by a private network, by name and by the address that
    /// [`Host::lan_address`] gives, which stays through reboots. Debian's `etcd` and `etcdctl` are installed on them.
    #[track_caller]
    pub fn joined(names: &[&str]) -> Lab {
        must(Lab::try_create(Tier::Nspawn, names, Extra::Network), "the lab cannot be made")
    }

    /// Makes hosts of the [`Tier::Sshd`] on which every program is busybox, except sudo and sshd.
    #[track_caller]
    pub fn busybox(names: &[&str]) -> Lab {
        must(Lab::try_create(Tier::Sshd, names, Extra::Busybox), "the lab cannot be made")
    }

    /// Returns the host with a name.
    #[track_caller]
    pub fn host(&self, name: &str) -> &Host {
        let host = self.hosts.get(name);
        assert!(host.is_some(), "the lab has no host `{name}`");
        host.expect("it was just seen that there is one")
    }

    /// Returns a command that runs a program of this machine, with this machine's files, in the network that joins the hosts;
    /// its own address there is 10.77.0.1.
    #[track_caller]
    pub fn network_command(&self, program: &str) -> Command {
        let network = self.network.as_ref();
        assert!(network.is_some(), "the hosts of this lab are not joined");
        network.expect("it was just seen that there is one").command(program)
    }

    /// Moves the calling thread into the network that joins the hosts, for good: its later connections begin at 10.77.0.1.
    /// Other threads stay where they are, so this is for a thread that does nothing else.
    #[track_caller]
    pub fn enter_network(&self) {
        let network = self.network.as_ref();
        assert!(network.is_some(), "the hosts of this lab are not joined");
        must(network.map_or(Ok(()), |network| network.enter()), "the network cannot be entered");
    }

    /// Returns all hosts, by name.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values()
    }

    /// The client configuration with which ssh reaches every host by its name, as root unless told otherwise, and trusts
    /// the host keys that they had when they were made.
    pub fn ssh_config(&self) -> &Path {
        &self.ssh_config
    }

    /// The variable that makes the product use that configuration, for [`Command::envs`].
    pub fn variable(&self) -> [(&'static str, &Path); 1] {
        [(SSH_CONFIG_VARIABLE, &self.ssh_config)]
    }

    fn try_create(tier: Tier, names: &[&str], extra: Extra) -> io::Result<Lab> {
        let image = match tier {
            Tier::Sshd => PathBuf::new(),
            Tier::Nspawn => image::image()?,
        };
        let directory = Directory::create()?;
        let ssh_config = directory.path.join("ssh_config");
        let public_key = client_key(&directory.path)?;
        let network = match extra {
            Extra::Network => Some(Arc::new(Network::create()?)),
            Extra::None | Extra::Busybox => None,
        };
        let etc_hosts: String = names
            .iter()
            .enumerate()
            .map(|(place, name)| format!("{} {name}\n", network::address(place)))
            .collect::<Vec<_>>()
            .concat();
        let make = |place: usize, name: &str| -> io::Result<Host> {
            let home = directory.path.join(name);
            let place = network.as_ref().map(|network| machine::Place {
                network: Arc::clone(network),
                address: network::address(place),
                names: etc_hosts.clone(),
            });
            let address = place.as_ref().map(|place| place.address);
            let body = match tier {
                Tier::Sshd => Body::Cell(cell::Cell::create(home, name, &public_key, extra == Extra::Busybox)?),
                Tier::Nspawn => Body::Machine(machine::Machine::create(home, name, &public_key, &image, place)?),
            };
            Host::start(name, body, ssh_config.clone(), address)
        };
        let hosts = thread::scope(|scope| {
            let make = &make;
            let mut threads = Vec::new();
            for (place, &name) in names.iter().enumerate() {
                threads.push((name, scope.spawn(move || make(place, name))));
            }
            let join = |(name, thread): (&str, thread::ScopedJoinHandle<'_, io::Result<Host>>)| {
                let host = thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread of the lab panicked")))?;
                Ok((name.to_owned(), host))
            };
            threads.into_iter().map(join).collect::<io::Result<BTreeMap<_, _>>>()
        })?;
        write_client_files(&directory.path, hosts.values())?;
        for host in hosts.values() {
            host.wait_for_ssh()?;
        }
        Ok(Lab { hosts, ssh_config, network, _directory: directory })
    }
}

/// What is special about the hosts of a lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extra {
    None,
    /// Every program is busybox.
    Busybox,
    /// A network joins them.
    Network,
}

/// Makes one host of a tier, to see whether this machine can.
fn probe(tier: Tier) -> io::Result<()> {
    Lab::try_create(tier, &["probe"], Extra::None).map(drop)
}

/// The directory of a lab, removed when this is dropped or its process dies.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    keeper: Child,
}

impl Directory {
    fn create() -> io::Result<Directory> {
        let path = std::env::temp_dir().join(format!("tune-lab-{}", cell::fresh_id()?));
        // Hosts have users who are not root here, and who must be able to reach their files.
        DirBuilder::new().mode(0o711).create(&path)?;
        let keeper = Command::new("sh")
            .args(["-c", include_str!("keeper.sh"), "keeper.sh"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Directory { path, keeper })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Makes the key with which every account of every host is opened, and returns its public half.
fn client_key(directory: &Path) -> io::Result<String> {
    let key = directory.join("id_ed25519");
    cell::run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f"]).arg(&key))?;
    fs::read_to_string(key.with_extension("pub"))
}

/// Writes the client's configuration and the keys of the hosts that it trusts.
fn write_client_files<'a>(directory: &Path, hosts: impl Iterator<Item = &'a Host>) -> io::Result<()> {
    let mut config = Vec::new();
    let mut known = Vec::new();
    for host in hosts {
        let (name, address) = (host.name(), host.address());
        let (ip, port) = (address.ip(), address.port());
        writeln!(config, "Host {name}\n  HostName {ip}\n  Port {port}\n  HostKeyAlias {name}\n")?;
        write!(known, "{name} {}", host.text("/etc/ssh/ssh_host_ed25519_key.pub"))?;
    }
    let path = directory.display();
    // A quick key exchange: the default one costs 65 ms of processor time for each connection.
    write!(
        config,
        "Host *\n  User root\n  IdentityFile {path}/id_ed25519\n  IdentitiesOnly yes\n  IdentityAgent none\n  \
         UserKnownHostsFile {path}/known_hosts\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  \
         UpdateHostKeys no\n  KexAlgorithms curve25519-sha256\n"
    )?;
    fs::write(directory.join("known_hosts"), known)?;
    fs::write(directory.join("ssh_config"), config)
}
