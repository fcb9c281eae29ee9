//! Activations, commands and doors on real hosts: a real systemd, a real sshd, a real reboot.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tune_core::activation::{Activation, Verb};
use tune_core::contract::{Connection, ConnectionError, Connector, Epoch, Fence, Order, ReadRequest, Sent, Sight};
use tune_core::resource::{Become, Host as Block, SshDestination, Transport};
use tune_core::source::{Command, CommandOutput, DoorAddress};
use tune_remote::{HostKinds, Options, SshConnector};
use tune_testkit::fleet::host_address;
use tune_testkit::lab::{Host, Lab, OPERATOR, Tier};
use tune_testkit::require_tier;

/// How long anything may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(2);

const LINEAGE: &str = "lab-state";

/// A connection of the product to a host of the lab.
struct Client {
    runtime: Runtime,
    connection: Arc<dyn Connection>,
    _sockets: tempfile::TempDir,
}

impl Client {
    fn new(lab: &Lab, name: &str) -> Self {
        Self::of(lab, name, None)
    }

    fn of(lab: &Lab, name: &str, user: Option<&str>) -> Self {
        let sockets = tempfile::Builder::new().prefix("b").tempdir_in("/tmp").expect("a directory can be made");
        let options = Options {
            ssh_config: Some(lab.ssh_config().to_owned()),
            connect_timeout: Duration::from_mins(1),
            ..Options::new(sockets.path(), "ada@desk")
        };
        let destination =
            SshDestination { address: name.to_owned(), user: user.map(str::to_owned), port: None, config: None };
        let become_ = if user.is_some() { Become::Sudo } else { Become::No };
        let host = Block {
            name: name.to_owned(),
            address: host_address(name),
            transport: Transport::Ssh(destination),
            become_,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Self {
            runtime: runtime.expect("a runtime can be made"),
            connection: SshConnector::new(HostKinds::new(), options).connect(&host),
            _sockets: sockets,
        }
    }

    fn sight(&self, activation: &Activation) -> Result<Sight, ConnectionError> {
        self.runtime.block_on(self.connection.sight(activation))
    }

    fn activate(&self, order: &Order) -> Result<(), ConnectionError> {
        self.runtime.block_on(self.connection.activate(order))
    }

    fn command(&self, words: &[&str], input: &[u8], deadline: Duration) -> Result<CommandOutput, ConnectionError> {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        let command = Command { words, input: input.to_vec(), deadline, output_limit: 1024 * 1024 };
        self.runtime.block_on(self.connection.command(&command))
    }

    /// Shuts out what was sent before, and looks.
    fn fence(&self, sequence: u64) -> Vec<String> {
        let fence = Fence { lineage: LINEAGE.to_owned(), epoch: Epoch { run: 1, sequence }, patience: PATIENCE };
        let request = ReadRequest { lookups: Vec::new(), fence: Some(fence) };
        let reading = self.runtime.block_on(self.connection.read(&request));
        reading.expect("the host answers").facts.waits_for_boot
    }

    /// Looks until the target is up with another mark than `before`, as a run does.
    fn wait_until_up(&self, activation: &Activation, before: &str) -> Sight {
        let start = Instant::now();
        let mut last = None;
        while start.elapsed() < PATIENCE {
            match self.sight(activation) {
                Ok(sight) if sight.mark != before && sight.waits_for.is_none() => return sight,
                seen => last = Some(seen),
            }
            thread::sleep(Duration::from_millis(20));
        }
        unreachable!("{activation} is not over within {PATIENCE:?}: {last:?}")
    }
}

fn order(sequence: u64, activation: &Activation, mark: &str) -> Order {
    Order {
        lineage: LINEAGE.to_owned(),
        epoch: Epoch { run: 1, sequence },
        activation: activation.clone(),
        mark: mark.to_owned(),
        deadline: PATIENCE,
    }
}

/// A service that starts unless its configuration is bad, and says what it uses.
fn write_service(host: &Host) {
    host.write_file(
        "/etc/systemd/system/demo.service",
        "[Service]\nType=notify\nNotifyAccess=all\nTimeoutStartSec=300\n\
         ExecStart=/bin/sh /usr/local/bin/demo\nExecReload=/bin/cp /etc/demo /run/demo-uses\n",
    );
    host.write_file(
        "/usr/local/bin/demo",
        "if grep -q bad /etc/demo; then echo \"demo: bad value: $(cat /etc/demo)\"; exit 1; fi\n\
         while grep -q slow /etc/demo && [ ! -e /run/demo-go ]; do sleep 0.02; done\n\
         cp /etc/demo /run/demo-uses\nsystemd-notify --ready\nexec sleep infinity\n",
    );
    host.write_file("/etc/demo", "one\n");
    let _ = host.exec("systemctl daemon-reload && systemctl start demo.service").success();
}

#[test]
fn a_reboot_ends_when_another_boot_is_up() {
    require_tier!(Tier::Nspawn);
    let lab = Lab::create(Tier::Nspawn, &["fawn"]);
    let host = lab.host("fawn");
    let client = Client::new(&lab, "fawn");
    let reboot = Activation::machine(Verb::Reboot);
    let before = client.wait_until_up(&reboot, "").mark;
    assert_eq!(before, host.boot_id());

    // What was sent before the fence is refused behind it.
    assert_eq!(client.fence(3), Vec::<String>::new());
    let stale = client.activate(&order(2, &reboot, &before)).expect_err("it is shut out");
    assert_eq!((stale.code.0, stale.sent), ("tune::remote::stale", Sent::No));

    client.activate(&order(4, &reboot, &before)).expect("the answer comes before the connection goes");
    let after = client.wait_until_up(&reboot, &before);
    host.wait_for_reboot(&before);
    assert_eq!(after.mark, host.boot_id());

    // Once more for the boot that is over: nothing is done.
    client.activate(&order(5, &reboot, &before)).expect("it has happened already");
    assert_eq!(client.wait_until_up(&reboot, "").mark, after.mark);
    assert_eq!(host.boot_id(), after.mark);
}

/// The way to the host breaks with the order, whatever of it has arrived: looking tells.
#[test]
fn a_reboot_whose_answer_is_lost_is_seen_all_the_same() {
    require_tier!(Tier::Nspawn);
    let lab = Lab::create(Tier::Nspawn, &["fawn"]);
    let host = lab.host("fawn");
    let client = Client::of(&lab, "fawn", Some(OPERATOR));
    let reboot = Activation::machine(Verb::Reboot);
    let before = client.wait_until_up(&reboot, "").mark;
    // systemctl has told systemd, and its own answer does not come.
    host.write_file(
        "/usr/local/sbin/systemctl",
        "#!/bin/sh\n/usr/bin/systemctl \"$@\"\ncode=$?\n[ \"$1\" != --no-wall ] || { touch /run/ordered; sleep 300; }\nexit $code\n",
    );
    let _ = host.exec("chmod 755 /usr/local/sbin/systemctl").success();
    thread::scope(|scope| {
        let answer = scope.spawn(|| client.activate(&order(1, &reboot, &before)));
        let start = Instant::now();
        while host.is_on() && host.boot_id_now().as_deref() == Some(&before) && !answer.is_finished() {
            assert!(start.elapsed() < PATIENCE, "it does not go down");
            thread::sleep(Duration::from_millis(10));
        }
        host.cut_ssh();
        let error = answer.join().expect("it ends").expect_err("the answer is lost");
        assert_eq!((error.code.0, error.sent, error.transient), ("tune::remote::lost", Sent::Perhaps, true));
    });
    let after = client.wait_until_up(&reboot, &before);
    host.wait_for_reboot(&before);
    assert_eq!(after.mark, host.boot_id());
}

#[test]
fn a_host_that_switched_itself_off_stays_away_until_it_is_switched_on() {
    require_tier!(Tier::Nspawn);
    let lab = Lab::create(Tier::Nspawn, &["fawn"]);
    let host = lab.host("fawn");
    let client = Client::new(&lab, "fawn");
    let reboot = Activation::machine(Verb::Reboot);
    let before = client.wait_until_up(&reboot, "").mark;
    let _ = host.exec("systemctl poweroff");
    let start = Instant::now();
    while host.is_on() {
        assert!(start.elapsed() < PATIENCE, "it does not go down");
        thread::sleep(Duration::from_millis(10));
    }
    let away = client.sight(&reboot).expect_err("it is off");
    assert_eq!(away.sent, Sent::No, "{away:?}");
    host.power_on();
    assert_ne!(client.wait_until_up(&reboot, "").mark, before);
}

#[test]
fn units_restart_reload_and_fail() {
    require_tier!(Tier::Nspawn);
    let lab = Lab::create(Tier::Nspawn, &["fawn"]);
    let host = lab.host("fawn");
    write_service(host);
    let client = Client::of(&lab, "fawn", Some(OPERATOR));
    let restart = Activation::of(Verb::Restart, "demo.service");
    let reload = Activation::of(Verb::Reload, "demo.service");

    let first = client.wait_until_up(&restart, "");
    host.write_file("/etc/demo", "two\n");
    client.activate(&order(1, &reload, &first.mark)).expect("it reloads");
    assert_eq!(host.text("/run/demo-uses"), "two\n");
    assert_eq!(client.sight(&reload), Ok(first.clone()), "a reload is no new start");

    host.write_file("/etc/demo", "three\n");
    // A drop-in that systemd has not read yet is part of what is configured.
    host.write_file(
        "/etc/systemd/system/demo.service.d/own.conf",
        "[Service]\nExecStartPre=/bin/touch /run/demo-own\n",
    );
    client.activate(&order(2, &restart, &first.mark)).expect("it restarts");
    let second = client.wait_until_up(&restart, &first.mark);
    assert_eq!(
        (host.text("/run/demo-uses"), host.read_file("/run/demo-own")),
        ("three\n".to_owned(), Some(Vec::new()))
    );
    // Its start is not the one that this was meant for.
    client.activate(&order(3, &restart, &first.mark)).expect("it has happened already");
    assert_eq!(client.sight(&restart), Ok(second.clone()));

    host.write_file("/etc/demo", "bad \u{1b}[31m\n");
    let failed = client.activate(&order(4, &restart, &second.mark)).expect_err("it does not start");
    assert_eq!((failed.code.0, failed.sent, failed.transient), ("tune::remote::activation", Sent::Perhaps, false));
    assert!(failed.message.contains("demo: bad value: bad ␛[31m"), "{failed:?}");
    let seen = client.sight(&restart).expect_err("it has failed");
    assert_eq!((seen.code.0, seen.sent, seen.transient), ("tune::remote::unit_failed", Sent::No, false));
    assert!(seen.message.contains("demo: bad value: bad ␛[31m"), "{seen:?}");

    // What failed is started again whatever start it was.
    host.write_file("/etc/demo", "four\n");
    client.activate(&order(5, &restart, "")).expect("it restarts");
    client.wait_until_up(&restart, &second.mark);
    assert_eq!(host.text("/run/demo-uses"), "four\n");

    let missing = Activation::of(Verb::Restart, "no-such.service");
    assert_eq!(client.sight(&missing).expect_err("there is none").code.0, "tune::remote::no_unit");
    let stuck = Activation::of(Verb::Reload, "systemd-journald.service");
    let refused = client.activate(&order(6, &stuck, "")).expect_err("it cannot be reloaded");
    assert_eq!(refused.code.0, "tune::remote::activation", "{refused:?}");
}

/// A restart goes on without its client; the fence waits for it, and what is seen then stays so.
#[test]
fn a_restart_survives_the_connection() {
    require_tier!(Tier::Nspawn);
    let lab = Lab::create(Tier::Nspawn, &["fawn"]);
    let host = lab.host("fawn");
    write_service(host);
    let client = Client::new(&lab, "fawn");
    let restart = Activation::of(Verb::Restart, "demo.service");
    let first = client.wait_until_up(&restart, "");
    host.write_file("/etc/demo", "slow\n");
    thread::scope(|scope| {
        let answer = scope.spawn(|| client.activate(&order(1, &restart, &first.mark)));
        host.wait_until(PATIENCE, "the service is starting", |host| {
            host.exec("systemctl is-active demo.service").stdout == "activating\n"
        });
        let other = Client::new(&lab, "fawn");
        let seen = other.sight(&restart).expect("it can be looked at");
        assert_eq!(seen.waits_for.as_deref(), Some("demo.service to start (start)"));
        assert_ne!(seen.mark, first.mark);
        host.cut_ssh();
        let error = answer.join().expect("it ends").expect_err("the answer is lost");
        assert_eq!((error.code.0, error.sent), ("tune::remote::lost", Sent::Perhaps));
        host.write_file("/run/demo-go", "");
    });
    client.fence(2);
    let second = client.sight(&restart).expect("it can be looked at");
    assert_eq!(second.waits_for, None, "behind the fence it is over");
    assert_ne!(second.mark, first.mark);
    assert_eq!(host.text("/run/demo-uses"), "slow\n");
}

#[test]
fn commands_run_as_they_are_over_ssh_and_sudo() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn"]);
    let host = lab.host("fawn");
    let nasty =
        ["", "'", "\"", "$(id) `id` $HOME", "* ?", "; & | > <", "\\", "a\nb", "\t\u{1b}[31m", "é 🦀", "-n", "--", "!!"];
    for user in [None, Some(OPERATOR)] {
        let client = Client::of(&lab, "fawn", user);
        let words: Vec<&str> = ["printf", "%s\\0"].into_iter().chain(nasty).collect();
        let output = client.command(&words, b"", PATIENCE).expect("it runs");
        assert_eq!(String::from_utf8_lossy(&output.output), nasty.map(|word| format!("{word}\0")).concat());
        let all: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let output = client.command(&["cat"], &all, PATIENCE).expect("it runs");
        assert!(output.output == all && output.complaint.is_empty() && output.status == 0);
        let output = client.command(&["sh", "-c", "id -u; echo no >&2; exit 7"], b"", PATIENCE).expect("it runs");
        assert_eq!((output.status, output.output, output.complaint), (7, b"0\n".to_vec(), b"no\n".to_vec()));
        let error = client.command(&["sleep", "3600"], b"", Duration::from_secs(1)).expect_err("it is ended");
        assert_eq!(error.code.0, "tune::remote::command_deadline", "{error:?}");
        host.wait_until(PATIENCE, "the program is gone", |host| {
            !host.processes().iter().any(|process| process.command.contains("sleep 3600"))
        });
    }
}

/// The connection goes, and the program that nobody hears any more ends with its deadline.
#[test]
fn a_command_without_a_client_ends_with_its_deadline() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn"]);
    let host = lab.host("fawn");
    let client = Client::new(&lab, "fawn");
    let runs = |host: &Host| host.processes().iter().any(|process| process.command.contains("sleep 3601"));
    thread::scope(|scope| {
        let answer = scope.spawn(|| client.command(&["sleep", "3601"], b"", Duration::from_secs(5)));
        host.wait_until(PATIENCE, "the program runs", runs);
        host.cut_ssh();
        let error = answer.join().expect("it ends").expect_err("the answer is lost");
        assert_eq!(error.sent, Sent::Perhaps, "{error:?}");
    });
    host.wait_until(PATIENCE, "the program is gone", |host| !runs(host));
    host.wait_until(PATIENCE, "nothing is left", |host| host.processes().is_empty());
}

#[test]
fn a_door_leads_to_the_hosts_own_loopback() {
    require_tier!(Tier::Nspawn);
    let lab = Lab::create(Tier::Nspawn, &["fawn"]);
    let client = Client::new(&lab, "fawn");
    // This machine has nothing there; the host's sshd listens on the host's loopback.
    let door = client.runtime.block_on(client.connection.door("127.0.0.1:22")).expect("the way can be opened");
    let DoorAddress::Unix(path) = door.at.clone() else { unreachable!("over ssh it is a socket: {:?}", door.at) };
    for _ in 0..2 {
        let mut stream = UnixStream::connect(&path).expect("the door is open");
        let mut banner = [0; 8];
        stream.read_exact(&mut banner).expect("sshd greets");
        assert_eq!(&banner, b"SSH-2.0-");
        stream.write_all(b"bye\r\n").expect("it can be written to");
    }
    // Two doors at once are two ways.
    let closed = client.runtime.block_on(client.connection.door("localhost:1")).expect("the way can be opened");
    let DoorAddress::Unix(other) = closed.at.clone() else { unreachable!("over ssh it is a socket") };
    assert_ne!(path, other);
    let mut nobody = Vec::new();
    let _ = UnixStream::connect(&other).expect("the door is open").read_to_end(&mut nobody);
    assert!(nobody.is_empty());
    drop(door);
    assert!(!Path::new(&path).exists());
    UnixStream::connect(&path).expect_err("the door is closed");
    // The connection itself goes on, and lets go of the last door when it is closed.
    client.command(&["true"], b"", PATIENCE).expect("it runs");
    drop(closed);
    client.runtime.block_on(client.connection.close());
    client.command(&["true"], b"", PATIENCE).expect("it runs over a new connection");
}
