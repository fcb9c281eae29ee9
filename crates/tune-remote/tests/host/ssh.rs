//! Over real OpenSSH: an sshd of the test's own on a loopback port, whose sessions see a directory as their root.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use tempfile::TempDir;
use tune_core::contract::{Connection, ConnectionError, Outcome, Sent};
use tune_core::resource::{Become, SshDestination, Transport};

use crate::ground::{Ground, Shell, batch, connect, lookups, text};

const SSHD: &str = "/usr/sbin/sshd";
const SWAPPINESS: &str = "value:/proc/sys/vm/swappiness";

struct Server {
    directory: TempDir,
    process: Child,
    port: u16,
}

impl Server {
    /// Starts an sshd, or says aloud why not.
    fn start() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).display().to_string();
        for key in ["host_key", "other_key", "user_key", "stranger"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &at(key)]).status();
            if !made.is_ok_and(|status| status.success()) {
                eprintln!("skipped: this machine has no ssh-keygen");
                return None;
            }
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile none\nAuthorizedKeysFile {}\nStrictModes no\n\
             PasswordAuthentication no\nUsePAM no\nPermitRootLogin yes\nSetEnv PATH={}:/usr/bin:/bin\n",
            at("host_key"),
            at("user_key.pub"),
            at("bin")
        );
        fs::write(directory.path().join("sshd_config"), config).unwrap();
        let process = Command::new(SSHD).args(["-D", "-e", "-f", &at("sshd_config")]).stderr(Stdio::null()).spawn();
        let Ok(mut process) = process else {
            eprintln!("skipped: this machine has no {SSHD}");
            return None;
        };
        for _ in 0..100 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(Self { directory, process, port });
            }
            if let Ok(Some(status)) = process.try_wait() {
                eprintln!("skipped: sshd does not start here ({status})");
                return None;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("sshd did not listen");
    }

    /// A client's configuration that knows a key of the host, if any, and offers a key of the user.
    fn client(&self, name: &str, known: Option<&str>, user: &str) -> String {
        let at = |name: &str| self.directory.path().join(name).display().to_string();
        let known_hosts = at(&format!("{name}-known"));
        let line = known.map(|key| {
            let key = fs::read_to_string(at(&format!("{key}.pub"))).unwrap();
            format!("# one\n[127.0.0.1]:{} {key}", self.port)
        });
        fs::write(&known_hosts, line.unwrap_or_default()).unwrap();
        let config = at(&format!("{name}-config"));
        let text = format!(
            "Host *\n  IdentityFile {}\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {known_hosts}\n  \
             GlobalKnownHostsFile /dev/null\n",
            at(user)
        );
        fs::write(&config, text).unwrap();
        config
    }

    fn destination(&self, config: String) -> Transport {
        Transport::Ssh(SshDestination {
            address: "127.0.0.1".to_owned(),
            user: None,
            port: Some(self.port),
            config: Some(config),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn refusal(ground: &Ground, destination: Transport) -> ConnectionError {
    let connection = connect(ground.root.path(), ground.shell, destination, Become::No, |options| {
        options.connect_timeout = Duration::from_secs(3);
    });
    let error = runtime().block_on(connection.read(&lookups(&[], None))).unwrap_err();
    assert_eq!(error.sent, Sent::No);
    error
}

#[test]
fn one_connection_reads_writes_confirms_and_leaves_nothing() {
    let Some(server) = Server::start() else { return };
    let ground = Ground::new(Shell::all()[0]);
    fs::set_permissions(ground.root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let sockets = tempfile::Builder::new().prefix("s").tempdir_in("/tmp").unwrap();
    let config = server.client("good", Some("host_key"), "user_key");
    let connection = connect(ground.root.path(), ground.shell, server.destination(config), Become::No, |options| {
        options.runtime_dir = sockets.path().to_owned();
    });
    let entries = |directory: &Path| fs::read_dir(directory).unwrap().count();
    assert_eq!(entries(sockets.path()), 0, "nothing is made before the first request");
    runtime().block_on(async {
        let reading = connection.read(&lookups(&[SWAPPINESS], None)).await.unwrap();
        assert_eq!(reading.readings[0].items[&SWAPPINESS.into()].as_ref().unwrap().raw, text("60"));
        let own = fs::read_dir(sockets.path()).unwrap().next().unwrap().unwrap();
        assert_eq!(own.metadata().unwrap().permissions().mode() & 0o777, 0o700);

        let mut change = batch(1, 1, &[(SWAPPINESS, text("60"), text("10"))]);
        change.restore_after = Some(Duration::from_mins(1));
        assert_eq!(connection.apply(&change).await.unwrap(), [Outcome::Done]);
        connection.confirm(&change).await.unwrap();
        connection.close().await;
        // A closed connection opens again.
        connection.read(&lookups(&[SWAPPINESS], None)).await.unwrap();
        connection.close().await;
    });
    assert_eq!(ground.text("/proc/sys/vm/swappiness"), "10\n");
    drop(connection);
    assert_eq!(entries(sockets.path()), 0, "the sockets go with the connector");
}

#[test]
fn every_refusal_has_its_code() {
    let Some(server) = Server::start() else { return };
    let ground = Ground::new(Shell::all()[0]);
    let reach = |name: &str, known: Option<&str>, user: &str| {
        refusal(&ground, server.destination(server.client(name, known, user)))
    };
    let unknown = reach("unknown", None, "user_key");
    assert_eq!(unknown.code.0, "tune::remote::host_key_unknown", "{unknown:?}");

    let changed = reach("changed", Some("other_key"), "user_key");
    assert_eq!(changed.code.0, "tune::remote::host_key_changed", "{changed:?}");
    let known_hosts = server.directory.path().join("changed-known");
    assert!(changed.message.contains(&format!("{}:2", known_hosts.display())), "{changed:?}");
    assert!(changed.message.contains("SHA256:"), "{changed:?}");
    assert!(changed.help.unwrap().contains("ssh-keygen"));

    let stranger = reach("stranger", Some("host_key"), "stranger");
    assert_eq!(stranger.code.0, "tune::remote::wrong_key", "{stranger:?}");

    let config = server.client("elsewhere", Some("host_key"), "user_key");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let to = |address: &str, port| {
        Transport::Ssh(SshDestination {
            address: address.to_owned(),
            user: None,
            port: Some(port),
            config: Some(config.clone()),
        })
    };
    let refused = refusal(&ground, to("127.0.0.1", closed));
    assert_eq!((refused.code.0, refused.transient), ("tune::remote::refused", true), "{refused:?}");
    for address in ["", "-oProxyCommand=touch${IFS}/tmp/owned", "a b", "a\nb"] {
        assert_eq!(refusal(&ground, to(address, closed)).code.0, "tune::remote::address");
    }
    let lost = refusal(&ground, to("no-such-host.invalid", closed));
    assert_eq!(lost.code.0, "tune::remote::unresolvable", "{lost:?}");
}

#[test]
fn sudo_is_never_asked_in_a_way_that_could_hang() {
    let Some(server) = Server::start() else { return };
    let ground = Ground::new(Shell::all()[0]);
    let sudo = |text: &str| {
        let bin = server.directory.path().join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("sudo"), format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(bin.join("sudo"), fs::Permissions::from_mode(0o755)).unwrap();
        let config = server.client("sudo", Some("host_key"), "user_key");
        let destination = server.destination(config);
        let connection = connect(ground.root.path(), ground.shell, destination, Become::Sudo, |_| {});
        let outcome = runtime().block_on(connection.read(&lookups(&[SWAPPINESS], None)));
        outcome.map(|reading| reading.readings[0].items[&SWAPPINESS.into()].as_ref().unwrap().raw.clone())
    };
    assert_eq!(sudo("[ \"$*\" = '-n sh -s' ] && shift && exec \"$@\""), Ok(text("60")));
    for (says, code) in [
        ("echo 'sudo: a password is required' >&2; exit 1", "sudo_password"),
        ("echo 'ada is not allowed to execute /bin/sh as root on pve.' >&2; exit 1", "sudo_denied"),
        ("echo 'sh: 1: sudo: not found' >&2; exit 127", "missing_tool"),
    ] {
        let error = sudo(says).unwrap_err();
        assert_eq!((error.code.0, error.sent), (format!("tune::remote::{code}").as_str(), Sent::No), "{error:?}");
    }
}

/// A port that takes connections and never says a word.
#[test]
fn a_silent_port_times_out() {
    let Some(server) = Server::start() else { return };
    let ground = Ground::new(Shell::all()[0]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = server.client("silent", Some("host_key"), "user_key");
    let destination = Transport::Ssh(SshDestination {
        address: "127.0.0.1".to_owned(),
        user: None,
        port: Some(silent.local_addr().unwrap().port()),
        config: Some(config),
    });
    let error = refusal(&ground, destination);
    assert_eq!((error.code.0, error.transient), ("tune::remote::timeout", true), "{error:?}");
}

/// The server ends in the middle of a batch: what became of it is not known, and nothing is assumed.
#[test]
fn a_connection_that_breaks_leaves_the_outcome_open() {
    let Some(mut server) = Server::start() else { return };
    let ground = Ground::new(Shell::all()[0]);
    assert!(Command::new("mkfifo").arg(ground.path("/proc/sys/vm/slow")).status().unwrap().success());
    let config = server.client("good", Some("host_key"), "user_key");
    let connection = connect(ground.root.path(), ground.shell, server.destination(config), Become::No, |_| {});
    let change =
        batch(1, 1, &[("value:/proc/sys/vm/slow", text("1"), text("1")), (SWAPPINESS, text("60"), text("10"))]);
    let runtime = runtime();
    let apply = runtime.spawn({
        let connection: std::sync::Arc<dyn Connection> = connection.clone();
        async move { connection.apply(&change).await }
    });
    crate::fence::wait_until(|| ground.exists("/run/tune/epoch.3f1c-test"));
    end_sessions(&server);
    let error = runtime.block_on(apply).unwrap().unwrap_err();
    assert_eq!((error.code.0, error.sent), ("tune::remote::lost", Sent::Perhaps), "{error:?}");
    // The script goes on without its connection, to its end.
    fs::write(ground.path("/proc/sys/vm/slow"), "1\n").unwrap();
    crate::fence::wait_until(|| ground.text("/proc/sys/vm/swappiness") == "10\n");
    let _ = server.process.kill();
}

/// Ends the processes that the sshd of this test forked for its sessions, found by their parent.
fn end_sessions(server: &Server) {
    let mut family = vec![server.process.id()];
    loop {
        let before = family.len();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            let is_sshd = stat.contains("(sshd");
            let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse::<u32>().ok());
            if is_sshd && !family.contains(&pid) && parent.is_some_and(|parent| family.contains(&parent)) {
                family.push(pid);
            }
        }
        if family.len() == before {
            break;
        }
    }
    for pid in &family[1..] {
        let _ = Command::new("sh").args(["-c", &format!("kill -KILL {pid}")]).status();
    }
}
