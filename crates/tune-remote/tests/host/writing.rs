//! Writing a batch: compare-and-set, read back, and what a failure leaves behind.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::time::{Duration, Instant};

use tune_core::contract::{Outcome, Sent};
use tune_core::item::Raw;

use crate::ground::{Ground, Shell, batch, each, file, inverse, text};

const SWAPPINESS: &str = "value:/proc/sys/vm/swappiness";
const DROP_IN: &str = "file:/etc/sysctl.d/99-zz-tune.conf";

#[test]
fn a_batch_is_applied_and_its_inverse_leaves_no_trace() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        ground.write("/proc/sys/vm/ratio", "20\n");
        ground.write("/proc/sys/vm/bytes", "0\n");
        ground.write("/etc/other", "old\0bytes");
        fs::set_permissions(ground.path("/etc/other"), fs::Permissions::from_mode(0o600)).unwrap();
        let world = ground.snapshot();
        let there = batch(
            1,
            1,
            &[
                (SWAPPINESS, text("60"), text("10")),
                ("either:/proc/sys/vm/ratio:/proc/sys/vm/bytes", text("one=20"), text("one=5")),
                (DROP_IN, Raw::Absent, file("vm.swappiness = 10\n", 0o644)),
                ("file:/etc/other", file(b"old\0bytes", 0o600), file("'new'\n$(id)", 0o640)),
                ("file:/made/deep/file", Raw::Absent, file("x", 0o644)),
            ],
        );
        assert_eq!(ground.apply(&there).unwrap(), vec![Outcome::Done; 5], "{shell:?}");
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), "10\n");
        assert_eq!(ground.text("/proc/sys/vm/ratio"), "5\n");
        assert_eq!(ground.text("/etc/other"), "'new'\n$(id)");
        assert_eq!(fs::metadata(ground.path("/etc/other")).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(fs::metadata(ground.path("/made/deep")).unwrap().mode() & 0o7777, 0o755);
        for item in &there.items {
            assert_eq!(ground.raw(&item.key.0), item.change.after);
        }
        assert_eq!(ground.read(&[]).facts.ledgers.unwrap(), std::slice::from_ref(&there.ledger));
        let home = fs::metadata(ground.path("/var/lib/tune/3f1c-test")).unwrap();
        assert_eq!(home.mode() & 0o7777, 0o700);
        for name in ["ledger.json", "undo.sh", "epoch"] {
            let path = ground.path(&format!("/var/lib/tune/3f1c-test/{name}"));
            assert_eq!(fs::metadata(path).unwrap().mode() & 0o7777, 0o600, "{name}");
        }

        // A second time nothing is left to do.
        let mut again = there.clone();
        again.epoch.sequence = 2;
        assert_eq!(ground.apply(&again).unwrap(), vec![Outcome::Done; 5]);

        assert_eq!(ground.apply(&inverse(&there, 3)).unwrap(), vec![Outcome::Done; 5]);
        assert_eq!(ground.snapshot(), world, "{shell:?}");
    }
}

#[test]
fn a_write_that_the_table_does_not_show_is_refused() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let key = "reported:/proc/sys/vm/max:/proc/stats:c_max";
        ground.write("/proc/sys/vm/max", "0\n");
        ground.write("/proc/stats", "name type data\nc_max 4 4096\n");
        let said = ground.apply(&batch(1, 1, &[(key, text("4096"), text("1"))])).unwrap();
        assert!(matches!(&said[..], [Outcome::Refused { message }] if message.contains("4096")), "{shell:?} {said:?}");
        // It was written and ignored, and it did not stay.
        assert_eq!(ground.text("/proc/sys/vm/max"), "0\n");
        let said = ground.apply(&batch(1, 2, &[(key, text("0"), text("4096"))])).unwrap();
        assert_eq!(said, [Outcome::Done], "{shell:?}");
        let said = ground.apply(&batch(1, 3, &[(key, text("0"), text("1"))])).unwrap();
        assert_eq!(said, [Outcome::Conflict { live: text("4096") }], "{shell:?}");
    }
}

#[test]
fn what_a_module_prints_in_other_words_is_the_same() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let key = "value:/proc/sys/vm/flag";
        let cases = [
            ("Y", "1", Outcome::Done),
            ("1", "Y", Outcome::Done),
            ("N", "0", Outcome::Done),
            ("Y", "0", Outcome::Conflict { live: text("Y") }),
            ("N", "1", Outcome::Conflict { live: text("N") }),
            ("Y", "YY", Outcome::Conflict { live: text("Y") }),
            ("cycle [fastest] original", "fastest", Outcome::Done),
            ("[fastest] original", "fastest", Outcome::Done),
            ("cycle [fastest]", "cycle", Outcome::Conflict { live: text("cycle [fastest]") }),
            ("cycle [fastest]", "f*", Outcome::Conflict { live: text("cycle [fastest]") }),
            ("cycle [fastest]", "", Outcome::Conflict { live: text("cycle [fastest]") }),
            ("a [b] [c]", "[b]", Outcome::Conflict { live: text("a [b] [c]") }),
        ];
        for (sequence, (live, other, outcome)) in (1..).zip(cases) {
            ground.write("/proc/sys/vm/flag", format!("{live}\n"));
            let said = ground.apply(&batch(1, sequence, &[(key, text(other), text(other))])).unwrap();
            assert_eq!(said, [outcome], "{shell:?} {live} {other}");
        }
    }
}

#[test]
fn a_batch_with_next_to_nothing_to_do_ends_at_once() {
    // Its watchdog is told to go before it has come to itself.
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let started = Instant::now();
        for sequence in 1..=10 {
            let batch = batch(1, sequence, &[(SWAPPINESS, text("60"), text("60"))]);
            assert_eq!(ground.apply(&batch).unwrap(), [Outcome::Done], "{shell:?}");
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{shell:?}: {:?}", started.elapsed());
    }
}

#[test]
fn what_somebody_else_changed_is_not_overwritten() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        ground.write("/proc/sys/vm/swappiness", "33\n");
        ground.write("/etc/sysctl.d/99-zz-tune.conf", "theirs\n");
        let outcomes = ground
            .apply(&batch(
                1,
                1,
                &[
                    (SWAPPINESS, text("60"), text("10")),
                    (DROP_IN, Raw::Absent, file("ours\n", 0o644)),
                    ("value:/proc/sys/kernel/hostname", text("pve"), text("pve")),
                ],
            ))
            .unwrap();
        assert_eq!(
            outcomes,
            [
                Outcome::Conflict { live: text("33") },
                Outcome::Conflict { live: file("theirs\n", 0o644) },
                Outcome::Done
            ],
            "{shell:?}"
        );
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), "33\n");
        assert_eq!(ground.text("/etc/sysctl.d/99-zz-tune.conf"), "theirs\n");
    }
}

#[test]
fn a_file_of_another_mode_is_another_file() {
    let ground = Ground::new(Shell::all()[0]);
    ground.write("/etc/x", "a");
    let change = batch(1, 1, &[("file:/etc/x", file("a", 0o600), file("b", 0o600))]);
    assert_eq!(ground.apply(&change).unwrap(), [Outcome::Conflict { live: file("a", 0o644) }]);
}

#[test]
fn white_space_of_a_value_is_no_difference() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        ground.write("/proc/sys/vm/v", "4096\t131072\t33554432\n");
        let key = "value:/proc/sys/vm/v";
        let change = batch(1, 1, &[(key, text("4096 131072 33554432"), text("* 1 2"))]);
        assert_eq!(ground.apply(&change).unwrap(), [Outcome::Done], "{shell:?}");
        assert_eq!(ground.text("/proc/sys/vm/v"), "* 1 2\n");
    }
}

#[test]
fn after_a_failure_the_rest_of_the_group_is_not_tried() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        symlink("nowhere", ground.path("/etc/sysctl.d/99-zz-tune.conf")).unwrap();
        let mut change = batch(
            1,
            1,
            &[
                (DROP_IN, Raw::Absent, file("x", 0o644)),
                (SWAPPINESS, text("60"), text("10")),
                ("value:/proc/sys/kernel/hostname", text("pve"), text("ceph")),
                ("value:/proc/sys/vm/none", text("1"), text("2")),
                ("nonsense", text("1"), text("2")),
                ("value:/proc/sys/kernel/hostname", text("ceph"), text("two\nlines")),
            ],
        );
        change.items[1].group = 0;
        let outcomes = ground.apply(&change).unwrap();
        assert_eq!(
            outcomes,
            [
                Outcome::Refused { message: "a symbolic link stands in its place".into() },
                Outcome::NotTried,
                Outcome::Done,
                Outcome::Conflict { live: Raw::Absent },
                Outcome::Refused { message: "the key names no place on a host".into() },
                Outcome::Refused { message: "a value is one line of text".into() },
            ],
            "{shell:?}"
        );
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), "60\n");
        // The ledger of the running batch stays, because not everything succeeded.
        assert_eq!(ground.read(&[]).facts.ledgers.unwrap(), [change.ledger]);
    }
}

#[test]
fn the_ledger_comes_first_or_nothing_happens() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        // A file where the directory of ledgers must be.
        ground.write("/var/lib/tune", "");
        let error = ground.apply(&batch(1, 1, &[(SWAPPINESS, text("60"), text("10"))])).unwrap_err();
        assert_eq!((error.code.0, error.sent), ("tune::remote::record", Sent::No), "{shell:?} {error:?}");
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), "60\n");
    }
}

#[test]
fn metacharacters_in_every_text_are_only_text() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let evil = "'\"; touch \"$HOME/owned\" $(touch /tmp/owned) `id` \\ | & * ~ # !";
        let path = "/etc/a 'quoted' $(name) \"and\" `more` \\ *.conf";
        let key = format!("file:{path}");
        let mut change =
            batch(1, 1, &[(SWAPPINESS, text("60"), text(evil)), (&key, Raw::Absent, file(format!("{evil}\n"), 0o644))]);
        change.ledger.writer = evil.to_owned();
        each(&mut change.ledger, |entry| entry.address = evil.to_owned());
        assert_eq!(ground.apply(&change).unwrap(), [Outcome::Done, Outcome::Done], "{shell:?}");
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), format!("{evil}\n"));
        assert_eq!(ground.text(path), format!("{evil}\n"));
        assert_eq!(ground.raw(&key), file(format!("{evil}\n"), 0o644));
        let undone = ground.undo(&[]);
        assert_eq!(undone.status.code(), Some(0), "{undone:?}");
        assert!(!ground.exists(path));
        assert!(!std::path::Path::new("/tmp/owned").exists());
    }
}
