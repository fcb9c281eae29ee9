//! The inside of a running host: its namespaces and its root, held open, and commands that run in them.
//!
//! Invariant: commands enter by open descriptors and never by a process id. A process id may be another process's by the
//! time it is used, and a script meant for a host would then run on the machine itself; a descriptor of a host that has
//! ended leads nowhere.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::PathBuf;
use std::process::{self, Command};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

const NAMESPACES: [(&str, &str); 5] =
    [("mount", "mnt"), ("net", "net"), ("pid", "pid"), ("uts", "uts"), ("ipc", "ipc")];

/// What a session on a host may not do even as root: with these, it could get round the guard of /proc/sys.
const DROPPED: &str = "-sys_admin,-sys_module,-sys_rawio,-sys_boot,-sys_time,-mknod";

#[derive(Debug)]
pub(super) struct Inside {
    namespaces: Vec<(&'static str, File)>,
    root: File,
    /// The directory of process 1, which stays its own whatever becomes of the number.
    process: File,
}

impl Inside {
    /// Opens the namespaces and the root of the host whose process 1 is `leader` on this machine.
    pub(super) fn open(leader: u32) -> io::Result<Inside> {
        let process = PathBuf::from(format!("/proc/{leader}"));
        let namespaces = NAMESPACES
            .iter()
            .map(|(flag, file)| Ok((*flag, File::open(process.join("ns").join(file))?)))
            .collect::<io::Result<_>>()?;
        Ok(Inside { namespaces, root: File::open(process.join("root"))?, process: File::open(process)? })
    }

    /// Returns whether this boot of the host has not ended yet.
    pub(super) fn is_running(&self) -> bool {
        let status = std::fs::read_to_string(format!("{}/status", descriptor(&self.process)));
        status.is_ok_and(|status| !status.contains("\nState:\tZ"))
    }

    /// Returns the path of a file of the host as this process can open it. Whoever uses it must not follow absolute
    /// symlinks: they lead out of the host.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("{}/{}", descriptor(&self.root), path.trim_start_matches('/')))
    }

    /// Returns a command that runs `program` on the host as a session would: as root, without the power to mount.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = self.enter();
        command.args(["setpriv", "--bounding-set", DROPPED, "--", program]);
        command
    }

    /// Returns a command that runs `program` on the host with every power: for the lab's own faults, never for a test's script.
    pub(super) fn privileged(&self, program: &str) -> Command {
        let mut command = self.enter();
        command.arg(program);
        command
    }

    /// Returns a command that runs this machine's `program` with this machine's files in the host's network.
    pub(super) fn in_network(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(self.namespaces.iter().filter(|(flag, _)| *flag == "net").map(flag_of)).args(["--", program]);
        command
    }

    /// Listens on the loopback of the host's network. What listens is this process, so it must stop before the host does.
    pub(super) fn listen(&self, port: u16) -> io::Result<TcpListener> {
        let network = self.namespaces.iter().find(|(flag, _)| *flag == "net");
        let (_, network) = network.ok_or_else(|| io::Error::other("the host has no network"))?;
        let listen = || {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        };
        // A thread that was moved stays where it is, so this is one that does nothing else.
        thread::scope(|scope| scope.spawn(listen).join())
            .unwrap_or_else(|_| Err(io::Error::other("a thread of the lab panicked")))
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(self.namespaces.iter().map(flag_of));
        let root = descriptor(&self.root);
        command.args([format!("--root={root}"), format!("--wd={root}"), "--".to_owned()]);
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOME", "/root").env("LC_ALL", "C.UTF-8");
        command
    }
}

fn flag_of((flag, file): &(&'static str, File)) -> String {
    format!("--{flag}={}", descriptor(file))
}

/// Names a descriptor of this process for a child, to which it is not handed down.
fn descriptor(file: &File) -> String {
    format!("/proc/{}/fd/{}", process::id(), file.as_raw_fd())
}
