//! The lab itself: its hosts answer, its guard holds, its faults do what they say, and nothing is left behind.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use tune_testkit::lab::{ASKED, Host, Lab, OPERATOR, PLAIN, REQUIRE_VARIABLE, SKIPS_VARIABLE, STRANGER, Tier};
use tune_testkit::{require_tier, skip_unless};

const SOON: Duration = Duration::from_secs(20);

/// A host for the tests that leave it as it was.
fn shared() -> &'static Host {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| Lab::create(Tier::Sshd, &["shared"])).host("shared")
}

#[test]
fn a_host_answers_over_ssh_and_is_not_this_machine() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn", "doe"]);
    for host in lab.hosts() {
        let said = host.ssh("root", "hostname; id -u; cat /etc/machine-id").success();
        let machine_id = host.text("/etc/machine-id");
        assert_eq!(said, format!("{}\n0\n{machine_id}", host.name()));
        assert_ne!(machine_id, fs::read_to_string("/etc/machine-id").unwrap_or_default());
    }
    assert_ne!(lab.host("fawn").boot_id(), lab.host("doe").boot_id());
    assert!(!lab.host("fawn").text("/proc/mounts").contains(&*lab.ssh_config().to_string_lossy()));
}

#[test]
fn the_guard_holds() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn"]);
    check_guard(lab.host("fawn"));
    let host = lab.host("fawn");
    let created = host.ssh("root", "echo 1 >/proc/sys/vm/no_such_key");
    assert_ne!(created.code, Some(0));
    assert_eq!(host.sysctl("vm.no_such_key"), None);
    assert_ne!(host.ssh("root", "echo h >/proc/sysrq-trigger").code, Some(0));
    assert_ne!(host.ssh("root", "touch /usr/lib/here").code, Some(0));
    for node in ["vda", "sda", "kmsg", "mem"] {
        assert_eq!(host.exec(&format!("test ! -e /dev/{node}")).code, Some(0), "/dev/{node}");
    }
}

#[test]
fn everybody_becomes_root_or_fails_to_in_their_own_way() {
    require_tier!(Tier::Sshd);
    check_users(shared());
}

#[test]
fn a_snapshot_shows_every_change() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn"]);
    let host = lab.host("fawn");
    host.write_file("/etc/sysctl.d/10-own.conf", "vm.swappiness = 50\n");
    let before = host.snapshot();
    host.assert_as(&before);
    let changes: [(&str, &str, &str); 8] = [
        ("/etc/sysctl.d/10-own.conf", "echo >>$p", "echo 'vm.swappiness = 50' >$p"),
        ("/etc/sysctl.d/10-own.conf", "chmod 600 $p", "chmod 644 $p"),
        ("/etc/sysctl.d/10-own.conf", "chown 1000 $p", "chown 0 $p"),
        ("/etc/sysctl.d/10-own.conf", "mv $p /root/x; ln -s /root/x $p", "rm $p; mv /root/x $p"),
        ("/etc/sysctl.d/99-sysctl.conf", "ln -sfn /dev/null $p", "ln -sfn ../sysctl.conf $p"),
        ("/var/lib/tune", "mkdir -m 700 $p", "rmdir $p"),
        ("/proc/sys/vm/swappiness", "echo 10 >$p", "echo 60 >$p"),
        ("/proc/sys/net/ipv4/tcp_fin_timeout", "echo 30 >$p", "echo 60 >$p"),
    ];
    for (path, change, back) in changes {
        let _ = host.exec(&format!("p={path}; {change}")).success();
        let differences = before.differences(&host.snapshot());
        assert_eq!(differences.len(), 1, "{change}: {differences:?}");
        assert!(differences[0].starts_with(&format!("{path}: was ")), "{differences:?}");
        let _ = host.exec(&format!("p={path}; {back}")).success();
        host.assert_as(&before);
    }
    assert_eq!(before.of("/proc/sys/vm/swappiness"), Some("\"60\\n\""));
    assert_eq!(before.of("/etc/sysctl.d/10-own.conf"), Some("file 644 0:0 \"vm.swappiness = 50\\n\""));
}

#[test]
fn a_reboot_forgets_values_and_applies_files() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn"]);
    check_reboot(lab.host("fawn"));
}

#[test]
fn a_host_that_is_off_stopped_or_silent_shows_it_to_ssh() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn"]);
    let host = lab.host("fawn");
    host.write_file("/etc/sysctl.d/10-own.conf", "vm.swappiness = 50\n");
    host.power_off();
    let refused = host.ssh("root", "true");
    assert_eq!(refused.code, Some(255));
    assert!(refused.stderr.contains("Connection refused"), "{refused:?}");
    host.power_on();
    assert_eq!(host.sysctl("vm.swappiness").as_deref(), Some("50"));

    host.stop_ssh();
    assert!(host.ssh("root", "true").stderr.contains("Connection refused"));
    assert_eq!(host.exec("echo on").success(), "on\n");

    host.silence_ssh();
    let mut client = Command::new("ssh");
    client.arg("-F").arg(lab.ssh_config()).args(["-o", "ConnectTimeout=1", "fawn", "true"]);
    let output = client.stdin(Stdio::null()).output().expect("ssh can be run");
    assert!(String::from_utf8_lossy(&output.stderr).contains("timed out"), "{output:?}");
    host.start_ssh();
    assert_eq!(host.ssh("root", "echo again").success(), "again\n");
}

#[test]
fn a_cut_connection_leaves_what_it_started_running() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn"]);
    let host = lab.host("fawn");
    let (connections, sessions) = (host.connections(), host.sessions());
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            host.ssh("root", "touch /run/started; while [ ! -e /run/go ]; do sleep 0.01; done; touch /run/ended")
        });
        host.wait_until(SOON, "the script has started", |host| host.exec("test -e /run/started").code == Some(0));
        assert_eq!(host.open_connections(), 1);
        assert!(host.processes().iter().any(|process| process.command == "sh -s"), "{:?}", host.processes());
        host.cut_ssh();
        assert_eq!(client.join().expect("the client ends").code, Some(255));
    });
    assert_eq!((host.connections(), host.sessions()), (connections + 1, sessions + 1));
    let _ = host.exec("touch /run/go").success();
    host.wait_until(SOON, "the script went on", |host| host.exec("test -e /run/ended").code == Some(0));
    host.wait_until(SOON, "no process is left", |host| host.processes().is_empty());
}

#[test]
fn a_changed_host_key_is_refused() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn"]);
    lab.host("fawn").change_host_key();
    let refused = lab.host("fawn").ssh("root", "true");
    assert_eq!(refused.code, Some(255));
    assert!(refused.stderr.contains("REMOTE HOST IDENTIFICATION HAS CHANGED"), "{refused:?}");
}

#[test]
fn directories_can_be_read_only_or_full() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn"]);
    check_disks(lab.host("fawn"));
}

#[test]
fn a_held_write_arrives_when_it_is_released() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn"]);
    check_hold(&lab, lab.host("fawn"));
}

#[test]
fn a_busybox_host_has_nothing_else() {
    require_tier!(Tier::Sshd);
    let lab = Lab::busybox(&["fawn"]);
    let host = lab.host("fawn");
    let said = host.ssh("root", "for p in sh cat stat; do readlink -f /bin/$p; done").success();
    assert_eq!(said, "/usr/bin/busybox\n".repeat(3));
    for program in ["bash", "perl", "python3", "systemctl", "dash"] {
        assert_ne!(host.ssh("root", &format!("command -v {program}")).code, Some(0), "{program}");
    }
    check_guard(host);
    check_users(host);
    check_disks(host);
    check_reboot(host);
}

#[test]
fn a_program_of_this_machine_runs_on_a_host() {
    require_tier!(Tier::Sshd);
    let host = shared();
    host.install(Path::new("/usr/bin/id"), "/usr/local/bin/own-id");
    let output = host.command("own-id").arg("-u").output().expect("it can be run");
    assert_eq!(output.stdout, b"0\n");
}

#[test]
fn a_missing_tier_is_skipped_aloud_unless_it_is_required() {
    let skips = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let run = |required: &str| {
        // One of the tests above, where none of the tools can be found.
        Command::new(std::env::current_exe().expect("this program has a path"))
            .args(["--exact", "the_guard_holds"])
            .env("PATH", "/nonexistent")
            .env(REQUIRE_VARIABLE, required)
            .env(SKIPS_VARIABLE, skips.path())
            .output()
            .expect("the test binary can be run")
    };
    let skipped = run("nspawn");
    let said = String::from_utf8_lossy(&skipped.stderr);
    assert!(skipped.status.success(), "{skipped:?}");
    assert!(said.contains("SKIPPED lab::the_guard_holds: no `sshd` hosts here: "), "{said}");
    let noted = fs::read_to_string(skips.path()).expect("the file is there");
    assert_eq!(said.trim_end(), format!("SKIPPED {}", noted.trim_end()));

    let failed = run("nspawn, sshd");
    assert!(String::from_utf8_lossy(&failed.stdout).contains("TUNE_REQUIRE wants it"), "{failed:?}");
    assert!(!failed.status.success());
    assert_eq!(fs::read_to_string(skips.path()).expect("the file is there"), noted);
}

#[test]
fn what_a_test_lacks_beside_its_tier_is_said_aloud() {
    const LACKS: &str = "TUNE_TEST_LACKS";
    skip_unless!(std::env::var_os(LACKS).map_or(Ok(()), |_| Err("no `sch_htb` in this kernel")));
    let skipped = Command::new(std::env::current_exe().expect("this program has a path"))
        .args(["--exact", "what_a_test_lacks_beside_its_tier_is_said_aloud"])
        .env(LACKS, "1")
        .output()
        .expect("the test binary can be run");
    assert!(skipped.status.success(), "{skipped:?}");
    let said = String::from_utf8_lossy(&skipped.stderr);
    assert!(said.contains("SKIPPED lab::what_a_test_lacks_beside_its_tier_is_said_aloud: no `sch_htb` in"), "{said}");
}

#[test]
fn a_killed_test_leaves_nothing() {
    require_tier!(Tier::Sshd);
    check_killed(Tier::Sshd);
}

#[test]
fn a_killed_test_leaves_nothing_that_was_booted() {
    require_tier!(Tier::Nspawn);
    check_killed(Tier::Nspawn);
}

/// Names the tier whose hosts the test below makes.
const VICTIM: &str = "TUNE_LAB_VICTIM";

/// Not a test of its own: it does nothing unless one of the tests above runs it.
#[test]
fn a_victim_that_waits() {
    let Some(tier) = std::env::var_os(VICTIM) else { return };
    let tier = if tier == "nspawn" { Tier::Nspawn } else { Tier::Sshd };
    let lab = Lab::create(tier, &["fawn"]);
    let directory = lab.ssh_config().parent().expect("it lies in a directory");
    println!("lab: {}", directory.display());
    thread::sleep(Duration::from_mins(1));
}

#[test]
fn booted_hosts_do_all_of_that_too() {
    require_tier!(Tier::Nspawn);
    let lab = Lab::create(Tier::Nspawn, &["fawn", "doe", "stag"]);
    thread::scope(|scope| {
        for host in lab.hosts() {
            let lab = &lab;
            scope.spawn(move || {
                let said = host.ssh("root", "hostname; cat /proc/1/comm").success();
                assert_eq!(said, format!("{}\nsystemd\n", host.name()));
                check_guard(host);
                check_users(host);
                check_disks(host);
                check_hold(lab, host);
                check_reboot(host);
                host.power_off();
                assert!(host.ssh("root", "true").stderr.contains("Connection refused"));
                host.power_on();
                assert_eq!(host.sysctl("vm.swappiness").as_deref(), Some("50"));
                host.change_host_key();
                assert!(host.ssh("root", "true").stderr.contains("REMOTE HOST IDENTIFICATION HAS CHANGED"));
            });
        }
    });
}

#[test]
fn joined_hosts_reach_each_other_also_after_a_reboot() {
    require_tier!(Tier::Nspawn);
    let lab = Lab::joined(&["fawn", "doe"]);
    let (fawn, doe) = (lab.host("fawn"), lab.host("doe"));
    assert_eq!(doe.lan_address().map(|address| address.to_string()).as_deref(), Some("10.77.0.12"));
    let greets =
        |host: &Host, name: &str| host.exec(&format!("nc -w 5 {name} 22 </dev/null")).stdout.starts_with("SSH-2.0-");
    assert!(greets(fawn, "doe") && greets(doe, "fawn"));
    let before = doe.boot_id();
    let _ = doe.ssh("root", "systemctl reboot");
    doe.wait_for_reboot(&before);
    fawn.wait_until(SOON, "the other one is back", |fawn| greets(fawn, "doe"));
    doe.power_off();
    assert!(!doe.is_on() && !greets(fawn, "doe"));
    doe.power_on();
    fawn.wait_until(SOON, "the other one is back", |fawn| greets(fawn, "doe"));
    let mut outside = lab.network_command("nc");
    let output = outside.args(["-w", "5", "10.77.0.11", "22"]).stdin(Stdio::null()).output().expect("it can be run");
    assert!(output.stdout.starts_with(b"SSH-2.0-"), "{output:?}");
    assert!(fawn.exec("etcd --version").success().starts_with("etcd Version: 3."));
    assert!(fawn.exec("ETCDCTL_API=3 etcdctl version").success().contains("etcdctl version: 3."));
}

#[test]
fn a_module_of_a_booted_host_takes_its_parameters_from_modprobe_d() {
    require_tier!(Tier::Nspawn);
    let lab = Lab::create(Tier::Nspawn, &["fawn"]);
    let host = lab.host("fawn");
    host.set_module("demo", &[("timeout", 0o644, "5"), ("slots", 0o444, "16"), ("mode", 0o644, "auto")]);
    let parameters =
        |host: &Host| host.exec("cd /sys/module/demo/parameters && tail -n 1 mode slots timeout -q").success();
    assert_eq!(parameters(host), "auto\n16\n5\n");
    assert_eq!(host.exec("stat -c %a /sys/module/demo/parameters/slots").success(), "444\n");
    host.write_file("/etc/modprobe.d/a.conf", "options demo timeout=7 slots=32 unknown=1\n");
    host.write_file("/etc/modprobe.d/b.conf", "# none\noptions demo timeout=9\noptions other slots=1\n");
    let _ = host.ssh("root", "echo manual >/sys/module/demo/parameters/mode").success();
    assert_eq!(parameters(host), "manual\n16\n5\n");
    host.reboot();
    assert_eq!(parameters(host), "auto\n32\n9\n");
    assert_ne!(host.ssh("root", "echo 1 >/sys/module/demo/parameters/unknown").code, Some(0));
}

/// A test process that is killed while it has hosts leaves no process, no file and no control group.
fn check_killed(tier: Tier) {
    // The victim is this very test binary, running the test above until it is killed.
    let mut victim = Command::new(std::env::current_exe().expect("this program has a path"))
        .args(["--exact", "a_victim_that_waits", "--nocapture"])
        .env(VICTIM, tier.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test binary can be run");
    let stdout = victim.stdout.take().expect("its output is a pipe");
    let directory = BufReader::new(stdout)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("lab: ").map(|(_, path)| PathBuf::from(path)))
        .expect("the victim names its directory");
    assert!(!left_of(&directory).is_empty());
    victim.kill().expect("it can be killed");
    let _ = victim.wait();
    let start = Instant::now();
    while !left_of(&directory).is_empty() {
        assert!(start.elapsed() < SOON, "left: {:?}", left_of(&directory));
        thread::sleep(Duration::from_millis(10));
    }
}

/// Nothing but net.* and vm.* can be written, those are the host's own, and no session can change that.
fn check_guard(host: &Host) {
    for path in ["kernel/pid_max", "kernel/panic", "fs/file-max", "fs/inotify/max_user_watches"] {
        let path = format!("/proc/sys/{path}");
        let before = fs::read_to_string(&path).expect("this machine has the key");
        for output in [host.exec(&format!("echo 7 >{path}")), host.ssh("root", &format!("echo 7 >{path}"))] {
            assert!(output.stderr.contains("Read-only file system"), "{path}: {output:?}");
        }
        assert_eq!(fs::read_to_string(&path).expect("this machine has the key"), before);
    }
    for (key, value) in [("vm.swappiness", "17"), ("vm.dirty_ratio", "19"), ("net.core.somaxconn", "1717")] {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        let (machine, host_before) = (fs::read_to_string(&path).expect("a key"), host.sysctl(key).expect("a key"));
        assert_ne!(machine.trim_end(), value);
        let _ = host.ssh("root", &format!("echo {value} >{path}")).success();
        assert_eq!(host.sysctl(key).as_deref(), Some(value));
        assert_eq!(fs::read_to_string(&path).expect("a key"), machine);
        host.set_sysctl(key, &host_before);
    }
    for command in ["mount -o remount,rw /proc/sys", "mount -t proc proc /mnt", "umount /proc/sys/vm"] {
        for output in [host.exec(command), host.ssh("root", command)] {
            assert_ne!(output.code, Some(0), "{command}: {output:?}");
        }
    }
}

fn check_users(host: &Host) {
    assert_eq!(host.ssh(OPERATOR, "id -u; sudo -n id -u").success(), "1000\n0\n");
    let asked = host.ssh(ASKED, "sudo -n id -u");
    assert!(asked.code == Some(1) && asked.stderr.contains("a password is required"), "{asked:?}");
    let plain = host.ssh(PLAIN, "sudo -n id -u");
    assert!(plain.code == Some(1) && plain.stderr.contains("sudo"), "{plain:?}");
    let stranger = host.ssh(STRANGER, "id -u");
    assert!(stranger.code == Some(255) && stranger.stderr.contains("Permission denied (publickey)"), "{stranger:?}");
}

fn check_disks(host: &Host) {
    let before = host.snapshot();
    host.make_read_only("/etc/sysctl.d");
    let output = host.ssh("root", "echo >/etc/sysctl.d/new.conf");
    assert!(output.stderr.contains("Read-only file system"), "{output:?}");
    host.assert_as(&before);
    host.restore("/etc/sysctl.d");
    for directory in ["/etc/sysctl.d", "/var/lib"] {
        host.make_full(directory);
        let output = host.ssh("root", &format!("echo 1 >{directory}/new.conf"));
        assert!(output.stderr.contains("No space left on device"), "{output:?}");
        host.assert_as(&before);
        host.restore(directory);
        let _ = host.ssh("root", &format!("echo 1 >{directory}/new.conf && rm {directory}/new.conf")).success();
    }
    host.assert_as(&before);
}

fn check_hold(lab: &Lab, host: &Host) {
    host.set_sysctl("vm.swappiness", "60");
    let hold = host.hold_sysctl("vm.swappiness");
    assert_eq!(host.sysctl("vm.swappiness").as_deref(), Some("60"));
    let mut client = Command::new("ssh");
    client.arg("-F").arg(lab.ssh_config()).args([host.name(), "echo 33 >/proc/sys/vm/swappiness"]);
    let mut client = client.stdin(Stdio::null()).spawn().expect("ssh can be run");
    assert!(hold.wait_for_writer(SOON));
    client.kill().expect("the client can be killed");
    let _ = client.wait();
    assert_eq!(host.sysctl("vm.swappiness").as_deref(), Some("60"));
    hold.release();
    host.wait_until(SOON, "the late write arrives", |host| host.sysctl("vm.swappiness").as_deref() == Some("33"));
    host.set_sysctl("vm.swappiness", "60");
}

fn check_reboot(host: &Host) {
    host.write_file(
        "/etc/sysctl.d/10-own.conf",
        "vm.swappiness = 50\nvm.max_map_count = 7\nnet.ipv4.tcp_fin_timeout = 44\n",
    );
    host.write_file("/run/sysctl.d/20-gone.conf", "vm.swappiness = 40\n");
    host.set_sysctl("vm.dirty_ratio", "7");
    host.set_sysctl("net.core.somaxconn", "777");
    let before = host.boot_id();
    host.reboot();
    assert_ne!(host.boot_id(), before);
    assert_eq!(host.ssh("root", "cat /proc/sys/kernel/random/boot_id").success().trim_end(), host.boot_id());
    for (key, value) in [
        ("vm.swappiness", "50"),
        ("net.ipv4.tcp_fin_timeout", "44"),
        ("vm.dirty_ratio", "20"),
        ("net.core.somaxconn", "4096"),
    ] {
        assert_eq!(host.sysctl(key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(host.text("/proc/sys/vm/max_map_count"), "7\n");
    assert_eq!(host.read_file("/run/sysctl.d/20-gone.conf"), None);
    let once = host.snapshot();
    host.reboot();
    host.assert_as(&once);
}

/// Returns what there is of a lab on this machine: its directory, its control groups, and the processes that name it.
fn left_of(directory: &Path) -> Vec<String> {
    let name = directory.file_name().expect("a lab's directory has a name").to_string_lossy().into_owned();
    let groups = ["", "systemd", "unified"].map(|hierarchy| Path::new("/sys/fs/cgroup").join(hierarchy).join(&name));
    let paths = groups.iter().map(PathBuf::as_path).chain([directory]);
    let mut left: Vec<String> =
        paths.filter(|path| path.exists()).map(|path| path.to_string_lossy().into_owned()).collect();
    let entries = fs::read_dir("/proc").expect("this is Linux").filter_map(Result::ok);
    let commands = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    left.extend(
        commands.map(|words| String::from_utf8_lossy(&words).into_owned()).filter(|words| words.contains(&name)),
    );
    left
}
