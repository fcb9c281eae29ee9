//! `undo.sh`, as a person runs it on the host when there is nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use tune_core::contract::Outcome;
use tune_core::item::Raw;

use crate::ground::{Ground, Shell, batch, each, file, text};

const SWAPPINESS: &str = "value:/proc/sys/vm/swappiness";
const DROP_IN: &str = "file:/etc/sysctl.d/99-zz-tune.conf";

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn it_shows_first_and_then_puts_everything_back() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        ground.write("/proc/sys/vm/ratio", "0\n");
        ground.write("/proc/sys/vm/bytes", "4096\n");
        ground.write("/etc/other", "old\n");
        fs::set_permissions(ground.path("/etc/other"), fs::Permissions::from_mode(0o600)).unwrap();
        let world = ground.snapshot();
        let change = batch(
            1,
            1,
            &[
                (SWAPPINESS, text("60"), text("10")),
                ("either:/proc/sys/vm/ratio:/proc/sys/vm/bytes", text("other=4096"), text("other=8192")),
                (DROP_IN, Raw::Absent, file("x\n", 0o644)),
                ("file:/etc/other", file("old\n", 0o600), file("new\n", 0o644)),
                ("file:/made/for/us", Raw::Absent, file("x", 0o644)),
                ("value:/proc/sys/kernel/hostname", text("pve"), text("pve")),
            ],
        );
        assert_eq!(ground.apply(&change).unwrap(), vec![Outcome::Done; 6]);
        // What a power cut left of a file that was not finished.
        ground.write("/etc/sysctl.d/.tune.AbC123", "half of it");
        let tuned = ground.snapshot();

        let dry = ground.undo(&["-n"]);
        assert_eq!(dry.status.code(), Some(0), "{}", said(&dry));
        assert!(
            said(&dry).contains("would     put back value:/proc/sys/vm/swappiness (plain.test): `10` -> `60`"),
            "{}",
            said(&dry)
        );
        assert!(said(&dry).contains("5 to put back, 1 already as before"), "{}", said(&dry));
        assert_eq!(ground.snapshot(), tuned, "{shell:?}: a dry run changes nothing");

        let done = ground.undo(&[]);
        assert_eq!(done.status.code(), Some(0), "{shell:?} {}", said(&done));
        assert!(said(&done).contains("5 put back, 1 already as before, 0 changed by others"), "{}", said(&done));
        assert_eq!(ground.snapshot(), world, "{shell:?}");
    }
}

#[test]
fn what_is_not_ours_is_left_alone_and_named() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let change =
            batch(1, 1, &[(SWAPPINESS, text("60"), text("10")), (DROP_IN, Raw::Absent, file("ours\n", 0o644))]);
        ground.apply(&change).unwrap();
        ground.write("/proc/sys/vm/swappiness", "30\u{1b}[2J\n");
        let conflict = ground.undo(&[]);
        assert_eq!(conflict.status.code(), Some(5), "{}", said(&conflict));
        let text_of = said(&conflict);
        assert!(text_of.contains("conflict") && text_of.contains("was `60` before tune, is `30?[2J` now"), "{text_of}");
        assert!(!text_of.contains('\u{1b}'));
        assert!(!ground.exists("/etc/sysctl.d/99-zz-tune.conf"), "the rest is put back");
        assert!(ground.exists("/var/lib/tune/3f1c-test/undo.sh"), "the record stays until everything is back");

        // Once the person has decided, it finishes.
        ground.write("/proc/sys/vm/swappiness", "60\n");
        let done = ground.undo(&[]);
        assert_eq!(done.status.code(), Some(0), "{}", said(&done));
        assert!(!ground.exists("/var/lib/tune"), "{shell:?}");
    }
}

#[test]
fn an_unknown_original_is_named() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let mut change = batch(1, 1, &[(SWAPPINESS, text("60"), text("10"))]);
        each(&mut change.ledger, |entry| entry.original = None);
        change.ledger_after = Some(change.ledger.clone());
        ground.apply(&change).unwrap();
        let output = ground.undo(&[]);
        assert_eq!(output.status.code(), Some(5));
        assert!(said(&output).contains("not known"), "{}", said(&output));
        assert_eq!(ground.text("/proc/sys/vm/swappiness"), "10\n");
    }
}

#[test]
fn what_cannot_be_put_back_is_a_failure() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        // The value appeared after the ledger was written: it was absent, and no value can be removed.
        let change = batch(1, 1, &[(SWAPPINESS, text("60"), text("10"))]);
        let mut ledger = change.ledger.clone();
        each(&mut ledger, |entry| entry.original = Some(Raw::Absent));
        let change = tune_core::contract::Batch { ledger_after: Some(ledger.clone()), ledger, ..change };
        ground.apply(&change).unwrap();
        let output = ground.undo(&[]);
        assert_eq!(output.status.code(), Some(4), "{}", said(&output));
        assert!(said(&output).contains("failed") && said(&output).contains("cannot be removed"), "{}", said(&output));
        assert!(ground.exists("/var/lib/tune/3f1c-test/ledger.json"));
    }
}

#[test]
fn it_wants_no_other_arguments() {
    let ground = Ground::new(Shell::all()[0]);
    ground.apply(&batch(1, 1, &[(SWAPPINESS, text("60"), text("10"))])).unwrap();
    let output = ground.undo(&["--force"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(said(&output).contains("usage: sh undo.sh [-n]"));
    assert_eq!(ground.text("/proc/sys/vm/swappiness"), "10\n");
}
