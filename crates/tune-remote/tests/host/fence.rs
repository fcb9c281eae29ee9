//! The fence: nothing that was sent earlier takes effect after it, and a look behind it is true.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tune_core::contract::{Outcome, Sent};
use tune_core::item::{ItemKey, Raw};

use crate::ground::{Ground, Recorder, Shell, batch, file, text};

const SWAPPINESS: &str = "value:/proc/sys/vm/swappiness";

#[test]
fn a_batch_of_an_earlier_epoch_is_refused_after_a_fence() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        ground.fence(3, 5).unwrap();
        // On a host without a ledger the fence leaves nothing on the disk.
        assert!(!ground.exists("/var/lib/tune"));
        for (run, sequence) in [(3, 5), (3, 4), (2, 9)] {
            let error = ground.apply(&batch(run, sequence, &[(SWAPPINESS, text("60"), text("10"))])).unwrap_err();
            assert_eq!((error.code.0, error.sent), ("tune::remote::stale", Sent::No), "{shell:?}");
        }
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), "60\n");
        for (run, sequence) in [(3, 6), (4, 0)] {
            let change = batch(run, sequence, &[(SWAPPINESS, text("60"), text("60"))]);
            assert_eq!(ground.apply(&change).unwrap(), [Outcome::Done]);
        }
        // The same fence may come twice, because its answer may have been lost; an older one may not.
        ground.fence(4, 1).unwrap();
        ground.fence(4, 1).unwrap();
        let error = ground.fence(3, 9).unwrap_err();
        assert_eq!(error.code.0, "tune::remote::stale");
        assert!(error.message.contains("run 4"), "{error:?}");
    }
}

#[test]
fn a_reboot_does_not_make_an_old_state_new() {
    let ground = Ground::new(Shell::all()[0]);
    ground.apply(&batch(7, 1, &[(SWAPPINESS, text("60"), text("10"))])).unwrap();
    fs::remove_dir_all(ground.path("/run/tune")).unwrap();
    let error = ground.apply(&batch(6, 3, &[(SWAPPINESS, text("10"), text("20"))])).unwrap_err();
    assert_eq!(error.code.0, "tune::remote::stale");
}

#[test]
fn the_same_script_twice_writes_once() {
    let ground = Ground::new(Shell::all()[0]);
    let change = batch(1, 1, &[(SWAPPINESS, text("60"), text("10"))]);
    assert_eq!(ground.apply(&change).unwrap(), [Outcome::Done]);
    assert_eq!(ground.apply(&change).unwrap_err().code.0, "tune::remote::stale");
}

/// A script that hangs in the middle of a batch, and the machine that sent it is gone: the fence waits for it, or shuts
/// it out, and what it then sees stays so.
#[test]
fn a_running_script_is_waited_for() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        assert!(Command::new("mkfifo").arg(ground.path("/proc/sys/vm/slow")).status().unwrap().success());
        let mut change =
            batch(1, 1, &[("value:/proc/sys/vm/slow", text("1"), text("1")), (SWAPPINESS, text("60"), text("10"))]);
        change.deadline = Duration::from_secs(20);
        let recorder = Recorder::new(&ground, &change);
        let mut script = recorder.start();
        // It holds the lock now and waits for the value.
        wait_until(|| ground.exists("/run/tune/holder"));
        thread::sleep(Duration::from_millis(200));
        let pipe = ground.path("/proc/sys/vm/slow");
        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(1500));
            fs::write(pipe, "1\n").unwrap();
        });
        let begun = Instant::now();
        let reading = ground.fence_and_read(1, 2, &[SWAPPINESS]).unwrap();
        assert!(begun.elapsed() > Duration::from_secs(1), "{shell:?}: the fence did not wait");
        let seen = reading.readings[0].items[&ItemKey::from(SWAPPINESS)].as_ref().unwrap().raw.clone();
        assert_eq!(seen, text("10"), "{shell:?}: what was seen is what stays");
        writer.join().unwrap();
        script.wait().unwrap();
        assert_eq!(ground.raw(SWAPPINESS), text("10"));
    }
}

/// The script is killed between any two items. Behind a fence every item is untouched or done, never anything else,
/// and `undo.sh` puts everything back.
#[test]
fn a_script_killed_anywhere_leaves_nothing_half_done() {
    for shell in Shell::all() {
        for position in 0..4 {
            let ground = Ground::new(shell);
            let world = ground.snapshot();
            let slow = "value:/proc/sys/vm/slow";
            let mut items = vec![
                (SWAPPINESS, text("60"), text("10")),
                ("file:/etc/sysctl.d/99-zz-tune.conf", Raw::Absent, file("x\n", 0o644)),
                ("value:/proc/sys/kernel/hostname", text("pve"), text("ceph")),
            ];
            items.insert(position, (slow, text("1"), text("1")));
            let change = batch(1, 1, &items);
            assert!(Command::new("mkfifo").arg(ground.path("/proc/sys/vm/slow")).status().unwrap().success());
            let mut script = Recorder::new(&ground, &change).start();
            wait_until(|| ground.exists("/run/tune/epoch.3f1c-test"));
            let outcomes_before = position;
            wait_until(|| items[..outcomes_before].iter().all(|(key, _, after)| ground.raw(key) == *after));
            thread::sleep(Duration::from_millis(100));
            kill_group(&mut script);
            let _ = fs::remove_file(ground.path("/proc/sys/vm/slow"));

            ground.fence(2, 0).unwrap();
            for (index, (key, before, after)) in items.iter().enumerate().filter(|(index, _)| *index != position) {
                let want = if index < position { after } else { before };
                assert_eq!(ground.raw(key), *want, "{shell:?} {position} {key}");
            }
            // The pipe is gone, as a value that went away; it holds nothing of ours.
            let undone = ground.undo(&[]);
            let said = String::from_utf8_lossy(&undone.stdout).into_owned();
            assert_eq!(undone.status.code(), Some(5), "{shell:?} {said}");
            assert!(said.contains(slow), "{said}");
            fs::write(ground.path("/proc/sys/vm/slow"), "1\n").unwrap();
            assert_eq!(ground.undo(&[]).status.code(), Some(0));
            fs::remove_file(ground.path("/proc/sys/vm/slow")).unwrap();
            assert_eq!(ground.snapshot(), world, "{shell:?} {position}");
        }
    }
}

/// A part of a script is no script.
#[test]
fn a_script_that_arrives_in_part_does_nothing() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let world = ground.snapshot();
        let recorder = Recorder::new(&ground, &batch(1, 1, &[(SWAPPINESS, text("60"), text("10"))]));
        let script = recorder.script();
        for part in 1..40 {
            let length = script.len() * part / 40;
            recorder.run(&script[..length]);
        }
        recorder.run(&script[..script.len() - "main </dev/null\nexit\n".len()]);
        assert_eq!(ground.snapshot(), world, "{shell:?}");
        recorder.run(&script);
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), "10\n");
    }
}

/// A script that starts when its sender has long given up and looked.
#[test]
fn a_script_that_starts_late_is_refused() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let recorder = Recorder::new(&ground, &batch(1, 1, &[(SWAPPINESS, text("60"), text("10"))]));
        ground.fence(1, 2).unwrap();
        recorder.run(&recorder.script());
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), "60\n", "{shell:?}");
        assert!(!ground.exists("/var/lib/tune"));
    }
}

/// What a killed run left in the directory of a file goes with the fence.
#[test]
fn leftovers_go_with_the_fence() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        ground.write("/etc/sysctl.d/.tune.AbC123", "half");
        ground.write("/etc/sysctl.d/.tune.conf", "somebody's");
        ground.fence_and_read(1, 0, &["file:/etc/sysctl.d/99-zz-tune.conf"]).unwrap();
        assert!(!ground.exists("/etc/sysctl.d/.tune.AbC123"), "{shell:?}");
        assert!(ground.exists("/etc/sysctl.d/.tune.conf"));
    }
}

/// A value that hangs the script does not hang the host: the time is over, the rest is not tried, the lock is free.
#[test]
fn a_script_ends_by_itself() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        assert!(Command::new("mkfifo").arg(ground.path("/proc/sys/vm/stuck")).status().unwrap().success());
        let mut change = batch(
            1,
            1,
            &[
                (SWAPPINESS, text("60"), text("10")),
                ("value:/proc/sys/vm/stuck", text("1"), text("2")),
                ("value:/proc/sys/kernel/hostname", text("pve"), text("ceph")),
            ],
        );
        change.deadline = Duration::from_secs(1);
        let outcomes = ground.apply(&change).unwrap();
        assert_eq!(outcomes[0], Outcome::Done, "{shell:?}");
        assert!(matches!(outcomes[1], Outcome::Refused { .. }), "{outcomes:?}");
        assert_eq!(outcomes[2], Outcome::NotTried);
        ground.fence(1, 2).unwrap();
        assert_eq!(ground.text("/proc/sys/kernel/hostname"), "pve\n");
    }
}

pub(crate) fn wait_until(mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !so() {
        assert!(Instant::now() < deadline, "it never came about");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Ends a script with everything that it started, as a crash of its machine would.
fn kill_group(script: &mut std::process::Child) {
    let mut kill = Command::new("sh").arg("-s").stdin(Stdio::piped()).spawn().unwrap();
    kill.stdin.take().unwrap().write_all(format!("kill -KILL -{}\n", script.id()).as_bytes()).unwrap();
    assert!(kill.wait().unwrap().success());
    script.wait().unwrap();
}
