//! The hosts of the `nspawn` tier: a booted Debian in a container, with files of its own over the shared image. A reboot is
//! systemd's; a power cycle ends the container at once.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::cell::{self, end};
use super::inside::Inside;
use super::network::Network;
use super::users;

/// How long a boot may take, on a machine that does much else.
const BOOT: Duration = Duration::from_secs(90);

/// One host of this tier.
#[derive(Debug)]
pub(super) struct Machine {
    directory: PathBuf,
    name: String,
    holder: Option<Child>,
    boot_id: String,
    network: Option<Arc<Network>>,
}

/// Where a host stands in the network of its lab.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) network: Arc<Network>,
    pub(super) address: Ipv4Addr,
    /// The names and addresses of all hosts, for /etc/hosts.
    pub(super) names: String,
}

impl Machine {
    /// Lays out what a host has for itself below `directory`.
    pub(super) fn create(
        directory: PathBuf,
        name: &str,
        public_key: &str,
        image: &Path,
        place: Option<Place>,
    ) -> io::Result<Machine> {
        let upper = directory.join("upper");
        fs::create_dir_all(&upper)?;
        symlink(image, directory.join("image"))?;
        cell::write(&upper.join("etc/hostname"), 0o644, &format!("{name}\n"))?;
        cell::write(&upper.join("etc/machine-id"), 0o444, &format!("{}\n", cell::fresh_id()?))?;
        users::homes(&upper, public_key)?;
        cell::host_key(&upper)?;
        if let Some(place) = &place {
            cell::write(&directory.join("bridge"), 0o644, "br0\n")?;
            cell::write(&upper.join("etc/tune-lab/address"), 0o644, &format!("{}/24\n", place.address))?;
            cell::write(&upper.join("etc/hosts"), 0o644, &format!("127.0.0.1 localhost\n{}", place.names))?;
        }
        let network = place.map(|place| place.network);
        Ok(Machine { directory, name: name.to_owned(), holder: None, boot_id: String::new(), network })
    }

    /// Switches the host on and returns its inside, once its boot has come as far as its own values.
    pub(super) fn power_on(&mut self) -> io::Result<Inside> {
        let script = self.directory.join("machine.sh");
        fs::write(&script, include_str!("machine.sh"))?;
        let log = File::create(self.log())?;
        let mut command = match &self.network {
            None => Command::new("unshare"),
            Some(network) => network.command("unshare"),
        };
        let holder = command
            .args(["--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "/bin/sh"])
            .arg(&script)
            .arg(&self.directory)
            .arg(&self.name)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A Ctrl-C on the terminal is for the program that is tried, and not for its hosts.
            .process_group(0)
            .spawn()?;
        self.holder = Some(holder);
        self.booted()
    }

    /// Ends the host at once, as pulling its plug would.
    pub(super) fn power_off(&mut self) {
        if let Some(holder) = self.holder.take() {
            end(holder);
        }
    }

    /// Returns the process that starts the host again when it has rebooted.
    pub(super) fn supervisor(&self) -> Option<u32> {
        self.holder.as_ref().map(Child::id)
    }

    /// Has the host's systemd reboot and returns the inside of the host as it came back.
    pub(super) fn reboot(&mut self, inside: &Inside) -> io::Result<Inside> {
        // It may have rebooted by itself since it was switched on.
        self.boot_id = fs::read_to_string(inside.path("/proc/sys/kernel/random/boot_id"))?;
        cell::run(inside.command("systemctl").arg("reboot"))?;
        self.booted()
    }

    /// Waits for a boot that was not seen yet.
    fn booted(&mut self) -> io::Result<Inside> {
        let start = Instant::now();
        while start.elapsed() < BOOT {
            if let Some(supervisor) = self.supervisor()
                && let Some(inside) = inside_of(supervisor)?
                && has_booted(&inside)
                && let Ok(boot_id) = fs::read_to_string(inside.path("/proc/sys/kernel/random/boot_id"))
                && boot_id != self.boot_id
            {
                self.boot_id = boot_id;
                return Ok(inside);
            }
            thread::sleep(Duration::from_millis(20));
        }
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        Err(io::Error::other(format!("host `{}` did not boot within {BOOT:?}:\n{}", self.name, log.trim_end())))
    }

    fn log(&self) -> PathBuf {
        self.directory.join("console.log")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.power_off();
    }
}

/// Returns the inside of the container that a supervisor runs, if there is one now.
pub(super) fn inside_of(supervisor: u32) -> io::Result<Option<Inside>> {
    let processes = processes()?;
    let parent = |id: u32| processes.get(&id).map(|process| process.parent);
    let ours = |id: u32| std::iter::successors(Some(id), |id| parent(*id)).take(16).any(|id| id == supervisor);
    let depth = processes.get(&supervisor).map_or(0, |process| process.depth);
    let leader = processes.iter().find(|(id, process)| {
        // One level is the supervisor's, the next the container's.
        process.first && process.depth == depth + 2 && ours(**id)
    });
    Ok(leader.and_then(|(leader, _)| Inside::open(*leader).ok()))
}

/// Returns whether a boot has come as far as the host's own values.
pub(super) fn has_booted(inside: &Inside) -> bool {
    inside.path("/run/tune-lab").exists()
}

/// Answers one ssh connection: hands it on to the host's own sshd.
pub(super) fn answer(inside: &Inside) -> Command {
    let mut command = inside.in_network("nc");
    command.args(["-N", "127.0.0.1", "22"]);
    command
}

struct Ancestry {
    parent: u32,
    /// How many nested process namespaces the process is in.
    depth: usize,
    /// Whether it is process 1 of the innermost.
    first: bool,
}

fn processes() -> io::Result<BTreeMap<u32, Ancestry>> {
    let entries = fs::read_dir("/proc")?.filter_map(Result::ok);
    Ok(entries
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
            let ids: Vec<&str> = field("NSpid:")?.split_whitespace().collect();
            let parent = field("PPid:")?.trim().parse().ok()?;
            Some((id, Ancestry { parent, depth: ids.len(), first: ids.last() == Some(&"1") }))
        })
        .collect())
}
