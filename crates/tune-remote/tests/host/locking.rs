//! The host's lock, and hosts where something is in the way: permissions, full disks, read-only file systems.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tune_core::contract::{Outcome, Sent};
use tune_core::item::Raw;
use tune_remote::{Evidence, Options};

use crate::fence::wait_until;
use crate::ground::{Ground, Recorder, Shell, batch, file, text};

const SWAPPINESS: &str = "value:/proc/sys/vm/swappiness";

#[test]
fn another_run_is_named() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        assert!(Command::new("mkfifo").arg(ground.path("/proc/sys/vm/slow")).status().unwrap().success());
        let slow = batch(4, 1, &[("value:/proc/sys/vm/slow", text("1"), text("1"))]);
        let mut script = Recorder::new(&ground, &slow).start();
        wait_until(|| ground.exists("/run/tune/epoch.3f1c-test"));
        let mut other = batch(1, 1, &[(SWAPPINESS, text("60"), text("10"))]);
        other.lineage = "another-state".to_owned();
        let begun = Instant::now();
        let error = ground.apply(&other).unwrap_err();
        assert_eq!((error.code.0, error.sent, error.transient), ("tune::remote::busy", Sent::No, true), "{error:?}");
        assert!(error.message.contains("ada@desk, run 4 of state 3f1c-test"), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), "60\n");
        fs::write(ground.path("/proc/sys/vm/slow"), "1\n").unwrap();
        script.wait().unwrap();
        assert_eq!(ground.apply(&other).unwrap(), [Outcome::Done], "{shell:?}");
    }
}

#[test]
fn two_states_keep_two_ledgers() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let world = ground.snapshot();
        let one = batch(1, 1, &[(SWAPPINESS, text("60"), text("10"))]);
        let mut other = batch(1, 1, &[("value:/proc/sys/kernel/hostname", text("pve"), text("ceph"))]);
        other.lineage = "another-state".to_owned();
        other.ledger.lineage = "another-state".to_owned();
        other.ledger_after = Some(other.ledger.clone());
        ground.apply(&one).unwrap();
        ground.apply(&other).unwrap();
        let mut ledgers = ground.read(&[]).facts.ledgers.unwrap();
        ledgers.sort_by(|a, b| a.lineage.cmp(&b.lineage));
        assert_eq!(ledgers, [one.ledger.clone(), other.ledger.clone()], "{shell:?}");
        ground.apply(&crate::ground::inverse(&one, 2)).unwrap();
        assert!(ground.exists("/var/lib/tune/another-state/ledger.json"));
        ground.apply(&crate::ground::inverse(&other, 2)).unwrap();
        assert_eq!(ground.snapshot(), world, "{shell:?}");
    }
}

/// Many runs at once: each waits for its turn, and no write is lost. This is also what breaks a lock without `flock`.
#[test]
fn the_lock_lets_one_in_at_a_time() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        // The lock of a process that is no more, for the shells without `flock`.
        fs::create_dir_all(ground.path("/run/tune")).unwrap();
        symlink("999999999.1.a-boot-long-ago", ground.path("/run/tune/lock.owner")).unwrap();
        let scripts: Vec<_> = (0..4)
            .map(|number| {
                // Each turns one into the other and back; two at a time would see each other's half.
                let mut change =
                    batch(1, 1, &[(SWAPPINESS, text("60"), text("10")), (SWAPPINESS, text("10"), text("60"))]);
                change.lineage = format!("state-{number}");
                Recorder::new(&ground, &change).start()
            })
            .collect();
        for mut script in scripts {
            assert!(script.wait().unwrap().success());
        }
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), "60\n");
        for number in 0..4 {
            assert!(ground.exists(&format!("/var/lib/tune/state-{number}/ledger.json")), "{shell:?} {number}");
        }
        assert!(shell != Shell::Busybox || !ground.exists("/run/tune/lock.owner"));
    }
}

/// The shell that runs as nobody, if the test runs as root; the user that runs the test otherwise.
fn as_nobody(options: &mut Options) {
    if !is_root() {
        return;
    }
    let ground = options.ground.as_mut().unwrap();
    fs::set_permissions(&ground.root, fs::Permissions::from_mode(0o755)).unwrap();
    let mut words: Vec<String> =
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"].iter().map(|&word| word.to_owned()).collect();
    words.extend(ground.shell.take().unwrap());
    ground.shell = Some(words);
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}

#[test]
fn what_is_closed_is_told_from_what_is_missing() {
    for shell in [Shell::Dash, Shell::Bash].into_iter().filter(|shell| Shell::all().contains(shell)) {
        let ground = Ground::with(shell, as_nobody);
        fs::create_dir(ground.path("/closed")).unwrap();
        ground.write("/closed/a.conf", "secret");
        ground.write("/proc/sys/vm/trigger", "");
        ground.write("/proc/sys/vm/readable", "1\n");
        ground.write("/etc/sysctl.d/closed.conf", "secret");
        fs::create_dir_all(ground.path("/var/lib/tune/other")).unwrap();
        for (path, mode) in [
            ("/closed", 0o000),
            ("/proc/sys/vm/trigger", 0o222),
            ("/proc/sys/vm/readable", 0o444),
            ("/etc/sysctl.d/closed.conf", 0o000),
            ("/var/lib/tune", 0o000),
        ] {
            fs::set_permissions(ground.path(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        for (key, code) in [
            ("file:/closed/a.conf", "not_permitted"),
            ("file:/closed/missing", "not_permitted"),
            ("value:/proc/sys/vm/trigger", "write_only"),
            ("file:/etc/sysctl.d/closed.conf", "not_permitted"),
        ] {
            assert_eq!(ground.item(key).unwrap_err().code.0, format!("tune::remote::{code}"), "{key}");
        }
        let item = ground.item("value:/proc/sys/vm/readable").unwrap();
        assert_eq!((item.raw, item.writable), (text("1"), false));
        let reading = ground.read(&[SWAPPINESS]);
        let evidence = Evidence::from_texts(&reading.readings[0].evidence);
        let closed: Vec<&str> = evidence.unreadable.keys().map(String::as_str).collect();
        assert_eq!(closed, ["/closed/*.conf", "/etc/sysctl.d/closed.conf"]);
        assert_eq!(reading.facts.ledgers, None);

        if is_root() {
            // Root owns /run and /var/lib; nobody may take the lock or leave a record.
            let error = ground.apply(&batch(1, 1, &[(SWAPPINESS, text("60"), text("10"))])).unwrap_err();
            assert_eq!((error.code.0, error.sent), ("tune::remote::not_permitted", Sent::No), "{error:?}");
            assert_eq!(ground.fence(1, 2).unwrap_err().code.0, "tune::remote::not_permitted");
        }
        // The directory must be removable.
        fs::set_permissions(ground.path("/closed"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(ground.path("/var/lib/tune"), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// A host whose directory is a small or read-only file system of its own, in a mount namespace that only the script sees.
fn mounted(directory: &'static str, mount: &'static str) -> Option<Ground> {
    let possible =
        is_root() && Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success());
    if !possible {
        eprintln!("skipped: mounting needs root and unshare");
        return None;
    }
    Some(Ground::with(Shell::Dash, |options| {
        let ground = options.ground.as_mut().unwrap();
        let script =
            format!("mount -t tmpfs -o {mount} none '{}{directory}' && exec dash \"$@\"", ground.root.display());
        ground.shell = Some(["unshare", "-m", "sh", "-c", &script, "sh"].iter().map(|&word| word.to_owned()).collect());
    }))
}

#[test]
fn a_full_disk_refuses_the_file_and_leaves_no_part_of_it() {
    let Some(ground) = mounted("/etc/sysctl.d", "size=16k") else { return };
    let change = batch(
        1,
        1,
        &[
            ("file:/etc/sysctl.d/large", Raw::Absent, file(vec![b'x'; 100_000], 0o644)),
            // There is room for it only if the part of the large one is gone.
            ("file:/etc/sysctl.d/small", Raw::Absent, file(vec![b'x'; 12_000], 0o644)),
        ],
    );
    let outcomes = ground.apply(&change).unwrap();
    assert_eq!(outcomes, [Outcome::Refused { message: "the disk is full".into() }, Outcome::Done]);
}

#[test]
fn a_read_only_file_system_is_said_so() {
    let Some(ground) = mounted("/etc/sysctl.d", "ro") else { return };
    let change = batch(1, 1, &[("file:/etc/sysctl.d/a.conf", Raw::Absent, file("x", 0o644))]);
    assert!(!ground.item("file:/etc/sysctl.d/a.conf").unwrap().writable);
    let outcomes = ground.apply(&change).unwrap();
    assert_eq!(outcomes, [Outcome::Refused { message: "the file system is read-only".into() }]);
}

#[test]
fn without_room_for_the_ledger_nothing_happens() {
    for (mount, code) in [("size=4k,nr_inodes=4", "disk_full"), ("ro", "read_only")] {
        let Some(ground) = mounted("/var/lib", mount) else { return };
        let large = file(vec![b'x'; 20_000], 0o644);
        let change = batch(1, 1, &[(SWAPPINESS, text("60"), text("10")), ("file:/etc/a", Raw::Absent, large)]);
        let error = ground.apply(&change).unwrap_err();
        assert_eq!((error.code.0, error.sent), (format!("tune::remote::{code}").as_str(), Sent::No), "{error:?}");
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), "60\n");
        assert!(!ground.exists("/etc/a"));
    }
}

/// Whoever waits gets the lock as soon as it is free, within its patience.
#[test]
fn a_wait_within_patience_succeeds() {
    let ground = Ground::with(Shell::all()[0], |options| options.lock_patience = Duration::from_secs(20));
    assert!(Command::new("mkfifo").arg(ground.path("/proc/sys/vm/slow")).status().unwrap().success());
    let slow = batch(1, 1, &[("value:/proc/sys/vm/slow", text("1"), text("1"))]);
    let mut script = Recorder::new(&ground, &slow).start();
    wait_until(|| ground.exists("/run/tune/epoch.3f1c-test"));
    let pipe = ground.path("/proc/sys/vm/slow");
    let writer = thread::spawn(move || {
        thread::sleep(Duration::from_millis(700));
        fs::write(pipe, "1\n").unwrap();
    });
    let change = batch(1, 2, &[(SWAPPINESS, text("60"), text("10"))]);
    assert_eq!(ground.apply(&change).unwrap(), [Outcome::Done]);
    writer.join().unwrap();
    script.wait().unwrap();
}

/// A tool that fails or lies is found out before anything is touched, and leaves no trace.
#[test]
fn tools_that_lie_are_not_believed() {
    let liars = tempfile::tempdir().unwrap();
    for (tool, script) in [("sync", "exit 1"), ("base64", "cat >/dev/null; echo Zm9v"), ("mv", "exit 1")] {
        let directory = liars.path().join(tool);
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join(tool), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(directory.join(tool), fs::Permissions::from_mode(0o755)).unwrap();
        let ground = Ground::with(Shell::Dash, |options| {
            options.ground.as_mut().unwrap().tools = Some(format!("{}:/usr/bin:/bin", directory.display()));
        });
        let world = ground.snapshot();
        let error = ground.apply(&batch(1, 1, &[(SWAPPINESS, text("60"), text("10"))])).unwrap_err();
        assert_eq!((error.code.0, error.sent), ("tune::remote::record", Sent::No), "{tool} {error:?}");
        assert_eq!(ground.snapshot(), world, "{tool}");
    }
}
