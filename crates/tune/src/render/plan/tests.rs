use std::collections::{BTreeMap, BTreeSet};

use tune_core::address::Address;
use tune_core::item::{Change, FileState, HostId, Raw};
use tune_core::path::AttributePath;
use tune_core::plan::{ItemPlan, Operation, Owed, Stage, Step, Wave};
use tune_core::problem::{Advice, Code};
use tune_core::reading::{Layer, Unreadable};
use tune_core::resource::Consent;
use tune_core::state::{Original, Record};

use crate::render::testing::{Fixture, check, item, new_file, text as raw, write};

#[track_caller]
fn shows(fixture: &Fixture, expect: &str) {
    check(&super::text(fixture.context(), 100), expect);
}

#[test]
fn the_same_change_on_many_hosts_is_one_entry_and_whoever_differs_stands_alone() {
    let items =
        || vec![write("vm.swappiness", "60", "10"), write("vm.dirty_ratio", "20", "5"), new_file("/etc/x.conf")];
    let differs = vec![write("vm.swappiness", "30", "10"), item("vm.dirty_ratio", raw("5"), Step::Record)];
    let fixture = Fixture::new(Operation::Apply).on("etcd", "fawn", differs).on("etcd", "pig", items()).on(
        "etcd",
        "pve",
        items(),
    );
    shows(
        &fixture,
        r#"tune will perform the following actions:

  host.k3s["fawn"]

  ~ sysctl.etcd["fawn"]               takes effect at once
      ~ vm.swappiness  = 30 -> 10
        vm.dirty_ratio = 5            already so

  host.k3s["pig"], host.k3s["pve"]    × 2

  ~ sysctl.etcd                       takes effect at once
      ~ vm.swappiness  = 60 -> 10
      ~ vm.dirty_ratio = 20 -> 5
      + /etc/x.conf                   used at the next boot

Plan: 3 to import, 0 to add, 3 to change, 0 to revert. All 7 writes can be undone.
An apply keeps what was there before: 8 values are recorded as they are now, for `tune destroy`.
"#,
    );
}

#[test]
fn a_default_that_is_in_force_is_what_a_value_replaces() {
    let unset = |key: &str, default: Option<&str>| {
        let change = Change { before: Raw::Absent, after: raw("writeback") };
        let next_start = Layer { value: default.map(str::to_owned), source: None };
        ItemPlan { next_start, ..item(key, Raw::Absent, Step::Write(change)) }
    };
    let items = vec![unset("cache", Some("none (default)")), unset("serial", None)];
    shows(
        &Fixture::new(Operation::Apply).on("etcd", "pve", items),
        r#"tune will perform the following actions:

  host.k3s["pve"]

  ~ sysctl.etcd["pve"]    takes effect at once
      ~ cache  = none (default) -> writeback
      + serial = writeback

Plan: 1 to import, 0 to add, 1 to change, 0 to revert. All 2 writes can be undone.
An apply keeps what was there before: 2 values are recorded as they are now, for `tune destroy`.
"#,
    );
}

#[test]
fn nothing_to_do_is_one_sentence() {
    let kept = ItemPlan { adopt: None, ..item("vm.swappiness", raw("10"), Step::Keep) };
    let fixture = Fixture::new(Operation::Apply).on("etcd", "pve", vec![kept]);
    shows(&fixture, "No changes. Your infrastructure matches the configuration.\n");
    shows(&Fixture::new(Operation::Destroy), "No changes. Nothing is recorded that could be reverted.\n");
}

#[test]
fn drift_is_shown_as_three_values() {
    let drifted = ItemPlan { applied: Some(raw("10")), adopt: None, ..write("vm.swappiness", "30", "5") };
    let fixture = Fixture::new(Operation::Apply).on("etcd", "pve", vec![drifted]);
    shows(
        &fixture,
        r#"tune will perform the following actions:

  host.k3s["pve"]

  ~ sysctl.etcd["pve"]    takes effect at once
      ~ vm.swappiness = 30 -> 5
          changed by somebody else: last applied 10, now 30, wanted 5

Plan: 0 to add, 1 to change, 0 to revert. It can be undone.
"#,
    );
}

#[test]
fn a_revert_says_what_is_put_back_and_what_is_left_alone() {
    let revert = |key: &str, now: &str, then: &str| {
        let change = Change { before: raw(now), after: raw(then) };
        ItemPlan { applied: Some(raw(now)), adopt: None, ..item(key, raw(now), Step::Revert(change)) }
    };
    let file = Raw::File(FileState::public("x"));
    let removed = Step::Revert(Change { before: file.clone(), after: Raw::Absent });
    let removed = ItemPlan { applied: Some(file.clone()), adopt: None, ..item("/etc/x.conf", file, removed) };
    let conflict = Step::Conflict { original: raw("60") };
    let conflict = ItemPlan { applied: Some(raw("10")), adopt: None, ..item("vm.swappiness", raw("30"), conflict) };
    let forget = ItemPlan { adopt: None, ..item("vm.laptop_mode", raw("0"), Step::Forget) };
    let mut fixture = Fixture::new(Operation::Destroy).on(
        "etcd",
        "pve",
        vec![revert("vm.dirty_ratio", "5", "20"), removed, conflict, forget],
    );
    fixture.plan.owed.push(Owed {
        address: Address::new("sysctl", "old"),
        host: Address::new("host", "gone"),
        items: vec![fixture.plan.resources.values().next().unwrap().items[0].id.clone()],
        reason: "no route to host".to_owned(),
    });
    shows(
        &fixture,
        r#"tune will revert the following, back to what was there before:

  host.k3s["pve"]

  ! sysctl.etcd["pve"]
      - vm.dirty_ratio = 5 -> 20                       put back at once
      - /etc/x.conf                                    removed; it was not there before
      ! vm.swappiness  = before 60, ours 10, now 30    changed by somebody else; left alone
        vm.laptop_mode = 0                             as it was before already; only forgotten

  Owed, until the host is back
    - sysctl.old on host.gone                          vm.dirty_ratio
        no route to host

Plan: 0 to add, 0 to change, 1 to revert. All 2 writes can be undone. 1 conflict is skipped. 1 revert is owed.
"#,
    );
}

#[test]
fn consents_come_first_and_advice_comes_last() {
    let mut accepted = write("fs.file-max", "900", "800");
    accepted.accepted = BTreeMap::from([(Consent::Decrease, "lowers `fs.file-max`".to_owned())]);
    let mut fixture = Fixture::new(Operation::Apply).on("files", "pve", vec![accepted]);
    let text = "A sentence that says what is true, what follows from that and what to do about it, at such a length \
                that it has to be wrapped.";
    let advice =
        Advice { code: Code("tune::sysctl::overridden"), path: AttributePath::default(), text: text.to_owned() };
    for key in ["a", "b", "c"] {
        fixture.plan.advice.push((Address::new("sysctl", "files").with_name(key), advice.clone()));
    }
    shows(
        &fixture,
        r#"tune will perform the following actions:

  With your consent
    decrease sysctl.files["pve"]    lowers `fs.file-max`

  host.k3s["pve"]

  ~ sysctl.files["pve"]             takes effect at once
      ~ fs.file-max = 900 -> 800

  Worth knowing
    sysctl.files["a"], … × 3        tune::sysctl::overridden
      A sentence that says what is true, what follows from that and what to do about it, at such a
      length that it has to be wrapped.

Plan: 1 to import, 0 to add, 1 to change, 0 to revert. It can be undone.
An apply keeps what was there before: 1 value is recorded as it is now, for `tune destroy`.
"#,
    );
}

#[test]
fn the_order_is_shown_when_something_waits() {
    let mut fixture = Fixture::new(Operation::Apply).on("base", "a", vec![write("vm.swappiness", "60", "10")]).on(
        "base",
        "b",
        vec![write("vm.swappiness", "60", "10")],
    );
    let after = Address::new("sysctl", "top").with_name("a");
    fixture = fixture.on("top", "a", vec![write("vm.dirty_ratio", "20", "5")]);
    let base = Address::new("sysctl", "base").with_name("a");
    fixture.plan.resources.get_mut(&after).unwrap().depends_on = BTreeSet::from([base]);
    let host = HostId("host.k3s[\"a\"]".to_owned());
    let Stage::Quiet(first) = &mut fixture.plan.stages[0] else { panic!("the fixture has no turns") };
    first.batches.get_mut(&host).unwrap().retain(|address| *address != after);
    fixture.plan.stages.push(Stage::Quiet(Wave { batches: BTreeMap::from([(host, vec![after])]) }));
    let shown = super::text(fixture.context(), 100);
    let shown = anstream::adapter::strip_str(&shown).to_string();
    let order = r#"
  Order
    1  sysctl.base × 2            2 hosts side by side
    2  sysctl.top["a"]            after sysctl.base
"#;
    assert!(shown.contains(order), "{shown}");
}

#[test]
fn what_cannot_be_read_says_why_and_what_to_do() {
    let why = Unreadable {
        code: Code("tune::sysctl::permission"),
        message: "only root can read it".to_owned(),
        help: Some("set `become = \"sudo\"`".to_owned()),
    };
    let unreadable =
        |key: &str| ItemPlan { live: None, adopt: None, ..item(key, raw(""), Step::Unreadable(why.clone())) };
    let fixture = Fixture::new(Operation::Apply).on("a", "pve", vec![unreadable("kernel.x")]);
    shows(
        &fixture,
        r#"tune found the following, and can do nothing about it now:

  host.k3s["pve"]

  ? sysctl.a["pve"]
      ? kernel.x    only root can read it
          set `become = "sudo"`

Nothing can be done now. 1 value could not be read.
"#,
    );
    let several = Fixture::new(Operation::Apply).on("a", "pve", vec![unreadable("kernel.x"), unreadable("kernel.y")]);
    shows(
        &several,
        r#"tune found the following, and can do nothing about it now:

  host.k3s["pve"]

  ? sysctl.a["pve"]    only root can read it
      ? kernel.x
      ? kernel.y
      # set `become = "sudo"`

Nothing can be done now. 2 values could not be read.
"#,
    );
}

#[test]
fn what_is_held_is_not_counted_as_done() {
    let why = Unreadable { code: Code("tune::proxmox::no_device"), message: "no such disk".to_owned(), help: None };
    let held = || {
        let unreadable = ItemPlan { live: None, adopt: None, ..item("cache", raw(""), Step::Unreadable(why.clone())) };
        vec![unreadable, write("cores", "1", "2")]
    };
    let last = |fixture: &Fixture| {
        let shown = anstream::adapter::strip_str(&super::text(fixture.context(), 100)).to_string();
        assert!(shown.contains("# nothing is written here while one of its values cannot be read"), "{shown}");
        shown.rsplit_once("\n\n").unwrap().1.to_owned()
    };
    let alone = Fixture::new(Operation::Apply).on("a", "pve", held());
    assert_eq!(last(&alone), "Nothing can be done now. 1 value could not be read.\n");
    let beside = Fixture::new(Operation::Apply).on("a", "pve", held()).on("a", "pig", vec![write("cores", "1", "2")]);
    assert_eq!(
        last(&beside),
        "Plan: 1 to import, 0 to add, 1 to change, 0 to revert. It can be undone. 1 value could not be read.\nAn apply \
         keeps what was there before: 1 value is recorded as it is now, for `tune destroy`.\n"
    );
}

#[test]
fn an_edited_file_shows_a_patch_and_its_mode() {
    let before = Raw::File(FileState { mode: 0o600, ..FileState::public("a = 1\nb = 2\n") });
    let after = Raw::File(FileState::public("a = 1\nb = \u{1b}[31m3\n"));
    let change = Step::Write(Change { before: before.clone(), after });
    let fixture = Fixture::new(Operation::Apply).on("a", "pve", vec![item("/etc/x.conf", before, change)]);
    let shown = anstream::adapter::strip_str(&super::text(fixture.context(), 100)).to_string();
    let patch = "      ~ /etc/x.conf\n          mode 0600 -> 0644\n            a = 1\n          - b = 2\n          + b = \
                 ␛[31m3\n";
    assert!(shown.contains(patch), "{shown}");
}

#[test]
fn what_was_rolled_back_and_what_was_renamed_is_said() {
    let again = ItemPlan { applied: Some(raw("60")), adopt: None, ..write("vm.swappiness", "60", "10") };
    let mut fixture = Fixture::new(Operation::Apply).on("new", "pve", vec![again]);
    let (address, resource) = fixture.plan.resources.iter_mut().next().unwrap();
    resource.renamed_from = BTreeSet::from([Address::new("sysctl", "old").with_name("pve")]);
    let record = Record {
        owner: address.clone(),
        original: Original::Unknown,
        applied: raw("60"),
        rolled_back_in: Some(4),
        owes: BTreeSet::new(),
    };
    fixture.state.items.insert(resource.items[0].id.clone(), record);
    let shown = anstream::adapter::strip_str(&super::text(fixture.context(), 100)).to_string();
    assert!(shown.contains("rolled back in run 4; an apply does it again"), "{shown}");
    assert!(shown.contains("# was sysctl.old until now; nothing is done for that"), "{shown}");
}

#[test]
fn no_live_text_reaches_the_terminal_unescaped() {
    let hostile = "60\u{1b}[2J\u{202e}";
    let fixture = Fixture::new(Operation::Apply).on("a", "pve", vec![write("vm.swappiness", hostile, "10")]);
    let shown = super::text(fixture.context(), 100);
    assert!(shown.contains("60␛[2J\\u{202e} -> 10"), "{shown}");
    assert!(!shown.contains("\u{1b}[2J"), "{shown}");
}
