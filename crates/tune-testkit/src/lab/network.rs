//! A network that joins the booted hosts of one lab: a bridge in a network namespace of the lab's own, with an address for
//! each host that stays the same through reboots. Nothing else can reach it, and it reaches nothing else.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::process::CommandExt as _;
use std::process::{self, Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::cell;

const SCRIPT: &str = "
    set -e
    ip link set lo up
    ip link add br0 type bridge
    ip address add 10.77.0.1/24 dev br0
    ip link set br0 up
    echo ready
    exec cat >/dev/null";

/// The namespace with the bridge. It ends with this value, or with its process.
#[derive(Debug)]
pub(super) struct Network {
    holder: Option<Child>,
    namespace: File,
}

impl Network {
    /// Makes the namespace and its bridge.
    pub(super) fn create() -> io::Result<Network> {
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .process_group(0)
            .spawn()?;
        let output = holder.stdout.take().ok_or_else(|| io::Error::other("no pipe from the network"))?;
        let said = BufReader::new(output).lines().next().transpose()?;
        let namespace = File::open(format!("/proc/{}/ns/net", holder.id()));
        let network = Network { holder: Some(holder), namespace: namespace? };
        if said.as_deref() == Some("ready") { Ok(network) } else { Err(io::Error::other("no bridge can be made")) }
    }

    /// Returns a command that runs this machine's `program` with this machine's files in the network.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path())).args(["--", program]);
        command
    }

    /// Moves the calling thread into the network.
    pub(super) fn enter(&self) -> io::Result<()> {
        Ok(move_into_link_name_space(self.namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
    }

    /// Names the namespace for a child of this process.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.namespace.as_raw_fd())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(holder) = self.holder.take() {
            cell::end(holder);
        }
    }
}

/// Returns the address of the host that stands at a place in the list of names.
pub(super) fn address(place: usize) -> Ipv4Addr {
    let last = u8::try_from(place + 11).unwrap_or(u8::MAX);
    Ipv4Addr::new(10, 77, 0, last)
}
