//! The hosts of the `sshd` tier: a file tree of their own on this machine's /usr, in fresh mount, network, process, host
//! name and IPC namespaces. A power cycle makes the namespaces anew, and with them /run, the boot id and every value.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::inside::Inside;
use super::kernel;
use super::users;

/// The script that gives a host modules of its own, where it has been told of any.
pub(super) const MODULES: &str = include_str!("modules.sh");

const SSHD_CONFIG: &str = "\
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized_keys/%u
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
LogLevel VERBOSE
";

/// Files of a small Debian, by path, mode and bytes.
const FILES: [(&str, u32, &str); 9] = [
    ("etc/ssh/sshd_config", 0o644, SSHD_CONFIG),
    ("etc/hosts", 0o644, "127.0.0.1 localhost\n"),
    ("etc/nsswitch.conf", 0o644, "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"),
    ("etc/os-release", 0o644, "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n"),
    ("etc/sysctl.conf", 0o644, "# Settings of the administrator.\n#net.ipv4.ip_forward=1\n"),
    ("etc/sysctl.d/README.sysctl", 0o644, "Files here are read at boot.\n"),
    ("etc/fstab", 0o644, ""),
    ("etc/debian_version", 0o644, "12.11\n"),
    ("etc/shells", 0o644, "/bin/sh\n"),
];

/// Directories besides those of [`FILES`], with their modes.
const DIRECTORIES: [(&str, u32); 16] = [
    ("dev", 0o755),
    ("etc/modprobe.d", 0o755),
    ("etc/ssh/authorized_keys", 0o755),
    ("etc/sudoers.d", 0o750),
    ("home", 0o755),
    ("mnt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("var/lib", 0o755),
    ("var/log", 0o755),
    ("var/tmp", 0o1777),
    ("var/cache", 0o755),
];

/// One host of this tier.
#[derive(Debug)]
pub(super) struct Cell {
    directory: PathBuf,
    name: String,
    holder: Option<Child>,
}

impl Cell {
    /// Lays out the files of a host below `directory`; `busybox` leaves it no other program than busybox and sudo.
    pub(super) fn create(directory: PathBuf, name: &str, public_key: &str, busybox: bool) -> io::Result<Cell> {
        let root = directory.join("root");
        for (path, mode) in DIRECTORIES {
            fs::create_dir_all(root.join(path))?;
            fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode))?;
        }
        for link in ["bin", "sbin", "lib", "lib64"] {
            symlink(format!("usr/{link}"), root.join(link))?;
        }
        for (path, mode, text) in FILES {
            write(&root.join(path), mode, text)?;
        }
        symlink("../sysctl.conf", root.join("etc/sysctl.d/99-sysctl.conf"))?;
        symlink("/run", root.join("var/run"))?;
        symlink("/run/lock", root.join("var/lock"))?;
        symlink("/proc/self/mounts", root.join("etc/mtab"))?;
        write(&root.join("etc/hostname"), 0o644, &format!("{name}\n"))?;
        write(&root.join("etc/machine-id"), 0o444, &format!("{}\n", fresh_id()?))?;
        users::write(&root, public_key)?;
        fs::copy("/etc/ld.so.cache", root.join("etc/ld.so.cache"))?;
        run(Command::new("cp").args(["-a", "/etc/alternatives"]).arg(root.join("etc")))?;
        host_key(&root)?;

        for part in ["bin", "etc", "lib/sysctl.d", "sbin", "share"] {
            fs::create_dir_all(directory.join("local").join(part))?;
        }
        run(Command::new("cp").args(["-rL", "/usr/lib/sysctl.d"]).arg(directory.join("vendor")))?;
        kernel::write_vm(&directory.join("vm"))?;
        if busybox {
            write_busybox(&directory)?;
        }
        Ok(Cell { directory, name: name.to_owned(), holder: None })
    }

    /// Switches the host on and returns its inside.
    pub(super) fn power_on(&mut self) -> io::Result<Inside> {
        let script = self.directory.join("cell.sh");
        fs::write(&script, include_str!("cell.sh"))?;
        let log = self.directory.join("cell.log");
        let mut holder = Command::new("unshare")
            .args(["--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child=KILL", "/bin/sh"])
            .arg(&script)
            .arg(&self.directory)
            .arg(&self.name)
            .arg(MODULES)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()?;
        let output = holder.stdout.take().ok_or_else(|| io::Error::other("no pipe from the host"))?;
        let mut lines = BufReader::new(output).lines();
        // Kept from here on, so that a host that failed to start is ended with the rest.
        self.holder = Some(holder);
        let leader = lines.next().transpose()?.and_then(|line| line.parse().ok());
        match (leader, lines.next().transpose()?.as_deref()) {
            (Some(leader), Some("ready")) => Inside::open(leader),
            _ => Err(io::Error::other(format!(
                "host `{}` did not start: {}",
                self.name,
                fs::read_to_string(&log).unwrap_or_default().trim_end()
            ))),
        }
    }

    /// Switches the host off at once, as pulling its plug would.
    pub(super) fn power_off(&mut self) {
        if let Some(holder) = self.holder.take() {
            end(holder);
        }
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        self.power_off();
    }
}

/// Ends the process that holds a host's namespaces by ending its standard input, and with it every process of the host.
pub(super) fn end(mut holder: Child) {
    drop(holder.stdin.take());
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        if !matches!(holder.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    let _ = holder.kill();
    let _ = holder.wait();
}

/// Answers one ssh connection inside a host of this tier.
pub(super) fn answer(inside: &Inside) -> Command {
    let mut command = inside.command("/usr/sbin/sshd");
    command.args(["-i", "-f", "/etc/ssh/sshd_config", "-E", "/var/log/sshd.log"]);
    command
}

/// Makes the host key of the host whose files are below `root`, instead of the one that it had.
pub(super) fn host_key(root: &Path) -> io::Result<()> {
    let key = root.join("etc/ssh/ssh_host_ed25519_key");
    fs::create_dir_all(root.join("etc/ssh"))?;
    for path in [key.clone(), key.with_extension("pub")] {
        if path.exists() {
            fs::remove_file(path)?;
        }
    }
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "host", "-f"]).arg(key))
}

/// Returns 32 random hexadecimal digits, the form of a machine id.
pub(super) fn fresh_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim().replace('-', ""))
}

/// Runs a command to its end and turns a failure into an error with its words.
pub(super) fn run(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{command:?} failed ({}): {}", output.status, words.trim_end())))
}

/// Writes a file with exactly this mode.
pub(super) fn write(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// Fills what is bound over /usr/bin and /usr/sbin of a host that has only busybox. The shell is busybox's own, whatever
/// the path by which it is called.
fn write_busybox(directory: &Path) -> io::Result<()> {
    let (bin, sbin) = (directory.join("bin"), directory.join("sbin"));
    fs::create_dir_all(&bin)?;
    fs::create_dir_all(&sbin)?;
    // `cp -p` keeps the set-user-id bit of sudo.
    let copy = r#"cp -pL "$(command -v busybox)" "$(command -v sudo)" "$1" && cp -pL "$(command -v sshd)" "$(command -v setpriv)" "$2""#;
    run(Command::new("sh").args(["-c", copy, "sh"]).args([&bin, &sbin]).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"))?;
    let applets = Command::new(bin.join("busybox")).arg("--list").output()?;
    for applet in String::from_utf8_lossy(&applets.stdout).lines().filter(|applet| *applet != "busybox") {
        symlink("busybox", bin.join(applet))?;
    }
    Ok(())
}
