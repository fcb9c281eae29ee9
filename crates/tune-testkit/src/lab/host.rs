//! One host of the lab, of whichever tier: what a test does to it behind the back of the product, and what it looks at.
//!
//! Every method that can fail because the lab itself is broken panics at its caller, as an assertion would.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Tier;
use super::cell::{self, Cell};
use super::door::{Answer, Door};
use super::entrance::Entrance;
use super::hold::Hold;
use super::inside::Inside;
use super::machine::{self, Machine};
use super::snapshot::Snapshot;

/// After this many seconds a script of a test that hangs on a host is given up.
const SCRIPT_SECONDS: &str = "60";

/// The process that holds a host of the `sshd` tier up, besides its process 1.
const KEEPER: &str = "cat -u -";

/// A Linux host with OpenSSH.
#[derive(Debug)]
pub struct Host {
    name: String,
    tier: Tier,
    ssh_config: PathBuf,
    pub(super) door: Mutex<Door>,
    pub(super) body: Mutex<Body>,
    pub(super) entrance: Arc<Entrance>,
    address_in_lab: Option<Ipv4Addr>,
}

/// What a host is made of.
#[derive(Debug)]
pub(super) enum Body {
    Cell(Cell),
    Machine(Machine),
}

/// How a script ended and what it printed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a script may have failed"]
pub struct Output {
    /// The exit status; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A process of a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its id on the host.
    pub id: u32,
    /// Its arguments, with spaces between them.
    pub command: String,
}

impl Output {
    /// Returns standard output, when the script succeeded.
    #[track_caller]
    pub fn success(self) -> String {
        assert!(self.code == Some(0), "a script on a host failed: {self:?}");
        self.stdout
    }
}

impl From<std::process::Output> for Output {
    fn from(output: std::process::Output) -> Output {
        Output {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Host {
    /// Switches a host on and opens its door. The configuration by which ssh finds it need not be there yet.
    pub(super) fn start(
        name: &str,
        mut body: Body,
        ssh_config: PathBuf,
        address_in_lab: Option<Ipv4Addr>,
    ) -> io::Result<Host> {
        let entrance = Arc::new(Entrance::default());
        entrance.open(body.power_on()?, body.supervisor());
        let tier = match &body {
            Body::Cell(_) => Tier::Sshd,
            Body::Machine(_) => Tier::Nspawn,
        };
        let door = Mutex::new(open_door(&entrance, tier)?);
        let (name, body) = (name.to_owned(), Mutex::new(body));
        Ok(Host { name, tier, ssh_config, door, body, entrance, address_in_lab })
    }

    /// The name by which ssh reaches it, with the lab's configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which kind of host it is.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The address under which the other hosts of its lab reach it, where they are joined by a network.
    pub fn lan_address(&self) -> Option<Ipv4Addr> {
        self.address_in_lab
    }

    pub(super) fn address(&self) -> std::net::SocketAddrV4 {
        lock(&self.door).address()
    }

    /// Runs a shell script on the host as root, directly and not through ssh.
    #[track_caller]
    pub fn exec(&self, script: &str) -> Output {
        run(&self.command("sh"), &[script], b"")
    }

    /// Returns a command that runs a program of the host on the host, as root, with nothing of this process's environment.
    #[track_caller]
    pub fn command(&self, program: &str) -> Command {
        self.inside().command(program)
    }

    /// Returns the bytes of a file, if there is one.
    #[track_caller]
    pub fn read_file(&self, path: &str) -> Option<Vec<u8>> {
        let script = "[ -e \"$1\" ] || exit 66; exec cat \"$1\"";
        let mut command = self.command("sh");
        let output = must(command.args(["-c", script, "sh", path]).output(), "the host cannot be entered");
        match output.status.code() {
            Some(0) => Some(output.stdout),
            Some(66) => None,
            _ => {
                let output = Output::from(output);
                assert!(output.code == Some(0), "`{path}` cannot be read: {output:?}");
                None
            }
        }
    }

    /// Returns the text of a file that must be there.
    #[track_caller]
    pub fn text(&self, path: &str) -> String {
        let bytes = self.read_file(path);
        assert!(bytes.is_some(), "there is no `{path}` on `{}`", self.name);
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    }

    /// Writes a file in place (a symlink is followed), with its directory if need be; a new one gets mode 0644.
    #[track_caller]
    pub fn write_file(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let script = "umask 022; mkdir -p \"${1%/*}/\" && cat >\"$1\"";
        let _ = run(&self.command("sh"), &[script, path], bytes.as_ref()).success();
    }

    /// Copies a program of this machine to the host, for a test that runs it there.
    #[track_caller]
    pub fn install(&self, program: &Path, path: &str) {
        self.write_file(path, must(fs::read(program), "the program cannot be read"));
        let _ = run(&self.command("sh"), &["chmod 755 \"$1\"", path], b"").success();
    }

    /// Removes a file or a whole directory, if there is one.
    #[track_caller]
    pub fn remove(&self, path: &str) {
        let _ = run(&self.command("sh"), &["rm -rf \"$1\"", path], b"").success();
    }

    /// Returns the running value of a sysctl with its dots as separators, if the key exists.
    #[track_caller]
    pub fn sysctl(&self, key: &str) -> Option<String> {
        let bytes = self.read_file(&sysctl_path(key))?;
        Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    }

    /// Sets the running value of a sysctl. It fails for a key that is not the host's own.
    #[track_caller]
    pub fn set_sysctl(&self, key: &str, value: &str) {
        let path = sysctl_path(key);
        let _ = run(&self.command("sh"), &["printf '%s\\n' \"$2\" >\"$1\"", &path, value], b"").success();
    }

    /// Takes the picture that a test compares with a later one.
    #[track_caller]
    pub fn snapshot(&self) -> Snapshot {
        must(Snapshot::take(&self.inside()), "the host cannot be looked at")
    }

    /// Fails with a line for each difference, unless everything is as in `before`.
    #[track_caller]
    pub fn assert_as(&self, before: &Snapshot) {
        let differences = before.differences(&self.snapshot());
        assert!(differences.is_empty(), "`{}` is not as before:\n{}", self.name, differences.join("\n"));
    }

    /// Returns the boot id: another one after each reboot.
    #[track_caller]
    pub fn boot_id(&self) -> String {
        self.text("/proc/sys/kernel/random/boot_id").trim_end().to_owned()
    }

    /// Runs a script on the host over ssh, as `user` and through sshd as the product does.
    #[track_caller]
    pub fn ssh(&self, user: &str, script: &str) -> Output {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=1", SCRIPT_SECONDS, "ssh", "-F"]).arg(&self.ssh_config);
        command.args(["-o", "BatchMode=yes", "-l", user, &self.name, "sh", "-s"]);
        must(feed(&mut command, script.as_bytes()), "ssh cannot be run")
    }

    /// Refuses ssh connections from now on; those that are open stay.
    pub fn stop_ssh(&self) {
        lock(&self.door).close();
    }

    /// Answers ssh connections again, after [`stop_ssh`](Host::stop_ssh) or [`silence_ssh`](Host::silence_ssh).
    #[track_caller]
    pub fn start_ssh(&self) {
        must(lock(&self.door).open(), "the address of the host is taken");
    }

    /// Accepts ssh connections from now on without ever saying a word, as an overloaded host does.
    #[track_caller]
    pub fn silence_ssh(&self) {
        must(lock(&self.door).silence(), "the address of the host is taken");
    }

    /// Breaks every open ssh connection; what they started on the host goes on.
    pub fn cut_ssh(&self) {
        lock(&self.door).cut();
    }

    /// Answers ssh at another address from now on, and no longer at the present one, as a host does whose lease ran out: the
    /// lab's ssh configuration goes on to lead to the old one, and leads to the new one under the name `alias`.
    #[track_caller]
    pub fn move_ssh(&self, alias: &str) {
        let mut door = lock(&self.door);
        let (is_open, old) = (door.is_open(), door.address());
        door.close();
        door.cut();
        *door = must(open_door(&self.entrance, self.tier), "no other address can be had");
        let (ip, port) = (door.address().ip().to_owned(), door.address().port());
        if !is_open {
            door.close();
        }
        drop(door);
        let name = &self.name;
        let block = format!("Host {alias}\n  HostName {ip}\n  Port {port}\n  HostKeyAlias {name}\n\n");
        let config = must(fs::read_to_string(&self.ssh_config), "the ssh configuration cannot be read");
        must(fs::write(&self.ssh_config, block + &config), "the ssh configuration cannot be written");
        assert!(old != lock(&self.door).address(), "`{name}` has not moved");
    }

    /// Listens on a port of the host's loopback, in this process: for what stands in for a program of the host. It must be
    /// dropped when the host is switched off, because a network lives as long as somebody listens in it.
    pub fn listen(&self, port: u16) -> io::Result<TcpListener> {
        let inside = self.entrance.inside().ok_or_else(|| io::Error::other(format!("`{}` is off", self.name)))?;
        inside.listen(port)
    }

    /// Returns how many ssh connections were accepted so far.
    pub fn connections(&self) -> usize {
        lock(&self.door).accepted()
    }

    /// Returns how many ssh connections are open.
    pub fn open_connections(&self) -> usize {
        lock(&self.door).connected()
    }

    /// Returns how many sessions sshd has started: one for each command that somebody ran over ssh.
    #[track_caller]
    pub fn sessions(&self) -> usize {
        let log = self.read_file("/var/log/sshd.log").unwrap_or_default();
        String::from_utf8_lossy(&log).lines().filter(|line| line.contains("Starting session: ")).count()
    }

    /// Returns the processes of the host, without the lab's own.
    #[track_caller]
    pub fn processes(&self) -> Vec<Process> {
        let directory = self.inside().path("/proc");
        let entries = must(fs::read_dir(directory), "the host's /proc cannot be read");
        let mut processes: Vec<Process> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let id = entry.file_name().to_str()?.parse().ok()?;
                // A process that ended meanwhile, and a thread of the kernel, have no arguments.
                let command = fs::read(entry.path().join("cmdline")).ok().filter(|bytes| !bytes.is_empty())?;
                let command = String::from_utf8_lossy(&command).replace('\0', " ").trim_end().to_owned();
                Some(Process { id, command })
            })
            .filter(|process| self.tier == Tier::Nspawn || !(process.id == 1 || process.command == KEEPER))
            .collect();
        processes.sort();
        processes
    }

    /// Waits until `condition` holds, and fails when it does not within the deadline.
    #[track_caller]
    pub fn wait_until(&self, deadline: Duration, what: &str, condition: impl Fn(&Host) -> bool) {
        let start = Instant::now();
        while !condition(self) {
            assert!(
                start.elapsed() < deadline,
                "`{}`: not within {deadline:?}: {what}; it runs {:#?}",
                self.name,
                self.processes()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Makes the host show another host key than the one that the lab's known_hosts file knows.
    #[track_caller]
    pub fn change_host_key(&self) {
        let directory = must(tempfile::tempdir(), "no temporary directory");
        must(cell::host_key(directory.path()), "no host key can be made");
        for file in ["etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key.pub"] {
            self.write_file(&format!("/{file}"), must(fs::read(directory.path().join(file)), "no host key was made"));
        }
        if self.tier == Tier::Nspawn {
            let _ = self.exec("systemctl restart ssh.service").success();
        }
    }

    /// Makes a directory and what is below it read-only, until [`restore`](Host::restore).
    #[track_caller]
    pub fn make_read_only(&self, path: &str) {
        self.fault("mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\"", path);
    }

    /// Puts a directory on a file system of its own on which there is no room left, until [`restore`](Host::restore): what
    /// is in it stays, new files cannot be made. What is written there meanwhile is lost with it.
    #[track_caller]
    pub fn make_full(&self, path: &str) {
        let script = "
            set -e
            new=$(mktemp -d /run/full.XXXXXX)
            mount -t tmpfs -o size=64m,mode=$(stat -c %a \"$1\") tmpfs \"$new\"
            cp -a \"$1/.\" \"$new/\"
            set -- \"$1\" \"$(find \"$new\" | wc -l)\" $(df -k \"$new\" | tail -n 1)
            size=$5
            [ \"$size\" -gt 0 ] || size=4
            mount -o \"remount,nr_inodes=$2,size=${size}k\" \"$new\"
            mount --bind \"$new\" \"$1\"
            umount \"$new\"
            rmdir \"$new\"";
        self.fault(script, path);
    }

    /// Ends what [`make_read_only`](Host::make_read_only) or [`make_full`](Host::make_full) did to a directory.
    #[track_caller]
    pub fn restore(&self, path: &str) {
        self.fault("umount \"$1\"", path);
    }

    /// Makes whoever writes to a file wait until the returned value is dropped.
    #[track_caller]
    pub fn hold_writes(&self, path: &str) -> Hold {
        must(Hold::on(&self.inside(), path), "writes cannot be held")
    }

    /// Makes whoever writes to a sysctl wait until the returned value is dropped. Only `vm.*` keys can be held.
    #[track_caller]
    pub fn hold_sysctl(&self, key: &str) -> Hold {
        self.hold_writes(&sysctl_path(key))
    }

    #[track_caller]
    fn fault(&self, script: &str, path: &str) {
        let _ = run(&self.inside().privileged("sh"), &[script, path], b"").success();
    }

    #[track_caller]
    pub(super) fn inside(&self) -> Arc<Inside> {
        let inside = self.entrance.inside();
        assert!(inside.is_some(), "`{}` is off", self.name);
        inside.expect("it was just seen that the host is on")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The namespaces must be let go before their host can end.
        self.entrance.close();
    }
}

impl Body {
    pub(super) fn power_on(&mut self) -> io::Result<Inside> {
        match self {
            Body::Cell(cell) => cell.power_on(),
            Body::Machine(machine) => machine.power_on(),
        }
    }

    pub(super) fn power_off(&mut self) {
        match self {
            Body::Cell(cell) => cell.power_off(),
            Body::Machine(machine) => machine.power_off(),
        }
    }

    /// Returns the process that starts the host again when it has rebooted by itself.
    pub(super) fn supervisor(&self) -> Option<u32> {
        match self {
            Body::Cell(_) => None,
            Body::Machine(machine) => machine.supervisor(),
        }
    }

    pub(super) fn reboot(&mut self, inside: &Inside) -> io::Result<Inside> {
        match self {
            Body::Cell(cell) => {
                cell.power_off();
                cell.power_on()
            }
            Body::Machine(machine) => machine.reboot(inside),
        }
    }
}

/// Opens a door to a host at an address that nobody else uses.
fn open_door(entrance: &Arc<Entrance>, tier: Tier) -> io::Result<Door> {
    let answer: fn(&Inside) -> Command = match tier {
        Tier::Sshd => cell::answer,
        Tier::Nspawn => machine::answer,
    };
    let now = Arc::clone(entrance);
    let answer: Answer = Arc::new(move || now.inside().as_deref().map(answer));
    Door::open_anywhere(&answer, || {
        let id = cell::fresh_id()?;
        let byte = |at| u8::from_str_radix(&id[at..at + 2], 16).map_err(io::Error::other);
        Ok([byte(0)?, byte(2)?, byte(4)?])
    })
}

/// Runs `shell -c SCRIPT sh ARGUMENTS` within the time that scripts have.
#[track_caller]
pub(super) fn run(shell: &Command, script: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=1", SCRIPT_SECONDS]).arg(shell.get_program()).args(shell.get_args());
    command.args(["-c", script[0], "sh"]).args(&script[1..]);
    command.env_clear().envs(shell.get_envs().filter_map(|(name, value)| Some((name, value?))));
    must(feed(&mut command, input), "the host cannot be entered")
}

/// Runs a command with `input` on its standard input.
pub(super) fn feed(command: &mut Command, input: &[u8]) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut pipe = child.stdin.take().ok_or_else(|| io::Error::other("no pipe to the command"))?;
    std::thread::scope(|scope| {
        // A command that ends without reading its input says so by how it ends.
        scope.spawn(move || pipe.write_all(input));
        child.wait_with_output().map(Output::from)
    })
}

fn sysctl_path(key: &str) -> String {
    format!("/proc/sys/{}", key.replace('.', "/"))
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
pub(super) fn must<T, E: Display>(result: Result<T, E>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => {
            #[expect(clippy::panic, reason = "a broken lab fails the test that uses it")]
            {
                panic!("{what}: {error}")
            }
        }
    }
}
