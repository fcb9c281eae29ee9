//! Two who work on the same thing at once: one waits or is refused by name, and neither loses anything.

use super::*;

#[test]
fn two_runs_on_one_state_do_not_meet() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    project.edit(&one(r#""vm.swappiness" = 11"#));
    let hold = host.hold_sysctl("vm.swappiness");
    let first = project.start("apply -auto-approve");
    assert!(hold.wait_for_writer(SOON));
    project.apply().code(7).says("tester@").says("apply");
    project.destroy().code(7).says("tester@");
    project.run("unlock").code(7).says("tester@");
    // Looking is always possible.
    project.plan().code(2);
    project.run("state list").code(0);
    let patient = project.start("apply -auto-approve -lock-timeout=60s");
    hold.release();
    first.wait().code(0);
    patient.wait().code(0);
    assert_value(host, "vm.swappiness", "11");
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn a_lock_whose_holder_is_gone_stops_nobody() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    let hold = host.hold_sysctl("vm.swappiness");
    let run = project.start("apply -auto-approve");
    assert!(hold.wait_for_writer(SOON));
    run.kill();
    hold.release();
    project.run("unlock").code(0);
    project.apply().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn a_key_that_another_state_manages_is_refused_by_name() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let first = Project::new(&lab, &one(RUNBOOK));
    first.apply().code(0);
    let applied = host.snapshot();
    let mine = hosts(&["fawn"]) + &sysctl("mine", "fawn", r#""vm.swappiness" = 20"#, "");
    let second = Project::new(&lab, &mine);
    second.plan().code(1).says("tune::plan::claimed_by_another_state").says("sysctl.etcd").says("tester@");
    second.apply().code(1).says("tune::plan::claimed_by_another_state");
    host.assert_as(&applied);
    // Two states may share a host, if they manage different things there.
    second.edit(&(hosts(&["fawn"]) + &sysctl("mine", "fawn", r#""vm.max_map_count" = 262144"#, "")));
    second.apply().code(0);
    first.destroy().code(0);
    assert_value(host, "vm.max_map_count", "262144");
    second.plan().code(0);
    second.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn two_states_on_one_host_at_once_wait_for_each_other() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let first = Project::new(&lab, &one(r#""vm.swappiness" = 10"#));
    let second =
        Project::new(&lab, &(hosts(&["fawn"]) + &sysctl("mine", "fawn", r#""vm.max_map_count" = 262144"#, "")));
    let hold = host.hold_sysctl("vm.swappiness");
    let slow = first.start("apply -auto-approve");
    assert!(hold.wait_for_writer(SOON));
    let waiting = second.start("apply -auto-approve");
    host.wait_until(SOON, "the second one has asked to write", |host| host.sessions() >= 4);
    assert_value(host, "vm.max_map_count", "65530");
    hold.release();
    slow.wait().code(0);
    waiting.wait().code(0);
    assert_value(host, "vm.swappiness", "10");
    assert_value(host, "vm.max_map_count", "262144");
    first.destroy().code(0);
    second.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn two_states_that_want_one_key_at_once_do_not_both_get_it() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let first = Project::new(&lab, &one(r#""vm.swappiness" = 10"#));
    let second = Project::new(&lab, &(hosts(&["fawn"]) + &sysctl("mine", "fawn", r#""vm.swappiness" = 20"#, "")));
    // Both have planned, and neither has seen the other's claim.
    let mut one = first.start_on_terminal("apply");
    let mut two = second.start_on_terminal("apply");
    one.wait_for("yes");
    two.wait_for("yes");
    one.say("yes");
    one.wait().code(0);
    two.say("yes");
    two.wait().one_of(&[1, 3]);
    assert_value(host, "vm.swappiness", "10");
    first.plan().code(0);
    first.destroy().code(0);
    second.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn one_machine_written_twice_is_an_error() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn", "doe"]);
    let before: Vec<_> = lab.hosts().map(Host::snapshot).collect();
    let twice = "host \"a\" {\n  address = \"fawn\"\n}\nhost \"b\" {\n  address = \"root@fawn\"\n}\n".to_owned()
        + &sysctl("first", "a", r#""vm.swappiness" = 10"#, "")
        + &sysctl("second", "b", r#""vm.dirty_ratio" = 5"#, "");
    let project = Project::new(&lab, &twice);
    project.plan().code(1).says("tune::plan::same_machine").says("host.a").says("host.b");
    project.apply().code(1).says("tune::plan::same_machine");
    // Two clones with one machine id are two machines.
    let id = lab.host("fawn").text("/etc/machine-id");
    let _ = lab.host("doe").exec(&format!("chmod 644 /etc/machine-id; printf '%s' '{id}' >/etc/machine-id")).success();
    let clones = hosts(&["fawn", "doe"]) + &sysctl("a", "fawn", RUNBOOK, "") + &sysctl("b", "doe", RUNBOOK, "");
    project.edit(&clones);
    project.apply().code(0);
    project.plan().code(0);
    project.destroy().code(0);
    for (host, before) in lab.hosts().zip(&before) {
        host.assert_as(before);
    }
}

#[test]
fn another_machine_under_a_known_address_is_refused() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn", "doe"]);
    let before: Vec<_> = lab.hosts().map(Host::snapshot).collect();
    let at = |address: &str| {
        format!("host \"one\" {{\n  address = \"{address}\"\n}}\n") + &sysctl("etcd", "one", RUNBOOK, "")
    };
    let project = Project::new(&lab, &at("fawn"));
    project.apply().code(0);
    project.edit(&at("doe"));
    project.plan().code(1).says("tune::plan::other_machine");
    project.apply().code(1).says("tune::plan::other_machine");
    assert_value(lab.host("doe"), "vm.swappiness", "60");
    project.edit(&at("fawn"));
    project.destroy().code(0);
    for (host, before) in lab.hosts().zip(&before) {
        host.assert_as(before);
    }
}
