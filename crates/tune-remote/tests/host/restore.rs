//! The detached restore: a batch that may cut the connection is put back unless somebody confirms in time.

use std::time::Duration;
use std::{fs, thread};

use tune_core::contract::{Batch, Outcome};
use tune_core::item::Raw;

use crate::fence::wait_until;
use crate::ground::{Ground, Shell, batch, file, text};

const SWAPPINESS: &str = "value:/proc/sys/vm/swappiness";
const DROP_IN: &str = "file:/etc/sysctl.d/99-zz-tune.conf";

fn risky(seconds: u64) -> Batch {
    let mut change = batch(1, 1, &[(SWAPPINESS, text("60"), text("10")), (DROP_IN, Raw::Absent, file("x\n", 0o644))]);
    change.restore_after = Some(Duration::from_secs(seconds));
    change
}

#[test]
fn without_confirmation_everything_comes_back() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let change = risky(1);
        assert_eq!(ground.apply(&change).unwrap(), [Outcome::Done, Outcome::Done]);
        wait_until(|| {
            ground.exists("/var/lib/tune/3f1c-test/restore.log") && ground.text("/proc/sys/vm/swappiness") == "60\n"
        });
        wait_until(|| ground.text("/var/lib/tune/3f1c-test/restore.log").lines().count() == 2);
        assert!(!ground.exists("/etc/sysctl.d/99-zz-tune.conf"), "{shell:?}");
        let log = ground.text("/var/lib/tune/3f1c-test/restore.log");
        assert!(log.lines().all(|line| line.starts_with("put back: ")), "{log}");
        let error = ground.confirm(&change).unwrap_err();
        assert_eq!(error.code.0, "tune::remote::restored");
    }
}

#[test]
fn a_confirmed_batch_stays() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let change = risky(2);
        ground.apply(&change).unwrap();
        ground.confirm(&change).unwrap();
        assert!(!ground.exists("/run/tune/restore.3f1c-test"));
        thread::sleep(Duration::from_millis(2500));
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), "10\n", "{shell:?}");
        assert!(ground.exists("/etc/sysctl.d/99-zz-tune.conf"));
    }
}

/// Looking is no confirmation: it may have come over the connection that was open before. What is seen behind the
/// fence stays, so the restore acts before it or never.
#[test]
fn a_fence_lets_it_act_at_once() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let change = risky(2);
        ground.apply(&change).unwrap();
        let reading = ground.fence_and_read(1, 2, &[SWAPPINESS, DROP_IN]).unwrap();
        let seen = |key: &str| reading.readings[0].items[&key.into()].as_ref().unwrap().raw.clone();
        assert_eq!((seen(SWAPPINESS), seen(DROP_IN)), (text("60"), Raw::Absent), "{shell:?}");
        ground.write("/proc/sys/vm/swappiness", "10\n");
        thread::sleep(Duration::from_millis(2500));
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), "10\n", "{shell:?}: nothing acts behind a fence");
        assert_eq!(ground.confirm(&change).unwrap_err().code.0, "tune::remote::restored");
    }
}

/// A confirmed batch is not touched by a fence.
#[test]
fn after_a_confirmation_a_fence_changes_nothing() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let change = risky(30);
        ground.apply(&change).unwrap();
        ground.confirm(&change).unwrap();
        ground.fence(1, 2).unwrap();
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), "10\n", "{shell:?}");
    }
}

#[test]
fn what_somebody_changed_meanwhile_is_left_alone() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        ground.apply(&risky(1)).unwrap();
        ground.write("/proc/sys/vm/swappiness", "33\n");
        wait_until(|| !ground.exists("/etc/sysctl.d/99-zz-tune.conf"));
        wait_until(|| {
            fs::read_to_string(ground.path("/var/lib/tune/3f1c-test/restore.log"))
                .is_ok_and(|log| log.contains("left alone, because somebody else changed it"))
        });
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), "33\n", "{shell:?}");
    }
}
