//! The main job: plan, apply, drift, apply, destroy; and what each of them costs in connections.

use super::*;

#[test]
fn values_go_there_and_back() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let project = Project::new(&lab, &one(RUNBOOK));
    there_and_back(host, &project);
}

#[test]
fn a_host_with_only_busybox_is_a_host_too() {
    require_tier!(Tier::Sshd);
    let lab = Lab::busybox(&["fawn"]);
    let host = lab.host("fawn");
    let project = Project::new(&lab, &one(RUNBOOK));
    there_and_back(host, &project);
}

fn there_and_back(host: &Host, project: &Project) {
    let before = host.snapshot();
    let files = project.files();

    project.run("validate").code(0);
    project
        .plan()
        .code(2)
        .says("~ sysctl.etcd takes effect at once")
        .says("~ vm.swappiness = 60 -> 10")
        .says("~ vm.dirty_ratio = 20 -> 5")
        .says("~ vm.dirty_background_ratio = 10 -> 3")
        .says(&format!("+ {DROP_IN} used at the next boot"))
        .says("Plan: 1 to import, 0 to add, 1 to change, 0 to revert. All 4 writes can be undone.");
    project.run("plan").code(0);
    // Planning writes nothing, here or there.
    assert_eq!(project.files(), files);
    assert!(project.left_behind().is_empty(), "{:?}", project.left_behind());
    host.assert_as(&before);

    project.apply().code(0);
    for (key, value) in [("vm.swappiness", "10"), ("vm.dirty_ratio", "5"), ("vm.dirty_background_ratio", "3")] {
        assert_value(host, key, value);
    }
    let drop_in = "vm.dirty_background_ratio = 3\nvm.dirty_ratio = 5\nvm.swappiness = 10\n";
    assert!(host.text(DROP_IN).ends_with(drop_in), "{}", host.text(DROP_IN));
    let ledger = ledger(host);
    assert_eq!(host.exec(&format!("stat -c '%a %u' {ledger}")).success(), "700 0\n");

    project.plan().code(0).says("No changes.");
    let applied = host.snapshot();
    project.apply().code(0);
    host.assert_as(&applied);

    host.set_sysctl("vm.swappiness", "33");
    project
        .plan()
        .code(2)
        .says("~ vm.swappiness = 33 -> 10")
        .says("changed by somebody else: last applied 10, now 33, wanted 10")
        .says("Plan: 0 to add, 1 to change, 0 to revert.");
    project.apply().code(0);
    assert_untouched(host, &applied);

    project
        .run("plan -destroy -detailed-exitcode")
        .code(2)
        .says("- vm.swappiness = 10 -> 60")
        .says("Plan: 0 to add, 0 to change, 1 to revert.");
    project.destroy().code(0);
    host.assert_as(&before);
    let listed = project.run("state list").code(0);
    assert_eq!(listed.stdout, "");
    project.destroy().code(0);
    host.assert_as(&before);
    assert!(project.left_behind().is_empty(), "{:?}", project.left_behind());
}

#[test]
fn values_survive_a_reboot_and_destroy_does_too() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    host.write_file("/etc/sysctl.d/50-own.conf", "vm.swappiness = 40\n");
    // So that it is in effect.
    host.reboot();
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    host.reboot();
    assert_value(host, "vm.swappiness", "10");
    assert_value(host, "vm.dirty_ratio", "5");
    project.plan().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn each_command_costs_one_connection_and_few_sessions() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let project = Project::new(&lab, &one(RUNBOOK));
    let cost = |arguments: &str, code: i32| {
        let (connections, sessions) = (host.connections(), host.sessions());
        project.run(arguments).code(code);
        (host.connections() - connections, host.sessions() - sessions)
    };
    assert_eq!(cost("validate", 0), (0, 0));
    assert_eq!(cost("plan", 0), (1, 1));
    // Read, then write.
    assert_eq!(cost("apply -auto-approve", 0), (1, 2));
    assert_eq!(cost("apply -auto-approve", 0), (1, 1));
    assert_eq!(cost("show", 0), (0, 0));
    assert_eq!(cost("history", 0), (0, 0));
    assert_eq!(cost("destroy -auto-approve", 0), (1, 2));
}

#[test]
fn an_apply_asks_and_takes_only_yes() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    // Nobody is there to ask.
    project.run("apply").code(1).says("-auto-approve");
    host.assert_as(&before);
    for answer in ["no", "y", ""] {
        let mut asked = project.start_on_terminal("apply");
        asked.wait_for("yes");
        asked.say(answer);
        asked.wait().code(1);
        host.assert_as(&before);
    }
    let mut asked = project.start_on_terminal("apply");
    asked.wait_for("yes");
    asked.say("yes");
    asked.wait().code(0);
    assert_value(host, "vm.swappiness", "10");
    let mut asked = project.start_on_terminal("destroy");
    asked.wait_for("yes");
    asked.say("yes");
    asked.wait().code(0);
    host.assert_as(&before);
}

#[test]
fn what_changes_while_a_person_thinks_is_not_overwritten() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    let mut asked = project.start_on_terminal("apply");
    asked.wait_for("yes");
    host.set_sysctl("vm.dirty_ratio", "44");
    asked.say("yes");
    // The plan showed 20, so its consent was for 20.
    asked.wait().code(3).says("vm.dirty_ratio").says("44");
    assert_value(host, "vm.dirty_ratio", "44");
    host.set_sysctl("vm.dirty_ratio", "20");
    host.assert_as(&before);

    let mut asked = project.start_on_terminal("apply");
    asked.wait_for("yes");
    host.write_file(DROP_IN, "vm.swappiness = 1\n");
    asked.say("yes");
    asked.wait().code(3).says(DROP_IN);
    assert_eq!(host.text(DROP_IN), "vm.swappiness = 1\n");
    host.remove(DROP_IN);
    host.assert_as(&before);
}

#[test]
fn a_host_that_nothing_is_wanted_of_is_left_alone() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn", "doe"]);
    let project = Project::new(&lab, &(hosts(&["fawn", "doe"]) + &sysctl("etcd", "fawn", RUNBOOK, "")));
    let doe = lab.host("doe").snapshot();
    project.apply().code(0);
    assert_eq!(lab.host("doe").connections(), 0);
    lab.host("doe").assert_as(&doe);
    project.destroy().code(0);
}

#[test]
fn three_hosts_are_one_entry_and_who_differs_stands_alone() {
    require_tier!(Tier::Sshd);
    let names = ["fawn", "doe", "stag"];
    let lab = Lab::create(Tier::Sshd, &names);
    let before: Vec<_> = lab.hosts().map(Host::snapshot).collect();
    let text = r#"
        host "deer" {
          for_each = toset(["fawn", "doe", "stag"])
          address  = each.key
        }
        resource "sysctl" "etcd" {
          for_each = host.deer
          host     = each.value
          settings = { "vm.swappiness" = 10 }
        }
        resource "sysctl" "counted" {
          count    = 2
          host     = host.deer["doe"]
          settings = { "net.ipv4.tcp_keepalive_${count.index == 0 ? "time" : "intvl"}" = 60 + count.index }
          drop_in  = "99-zz-${count.index}.conf"
        }"#;
    let project = Project::new(&lab, text);
    lab.host("stag").set_sysctl("vm.swappiness", "20");
    project
        .plan()
        .code(2)
        .says(r#"host.deer["doe"], host.deer["fawn"] × 2"#)
        .says("vm.swappiness = 60 -> 10")
        .says(r#"host.deer["stag"]"#)
        .says("vm.swappiness = 20 -> 10")
        .says("Plan: 5 to import, 0 to add, 5 to change, 0 to revert.");
    lab.host("stag").set_sysctl("vm.swappiness", "60");
    project.apply().code(0);
    for name in names {
        assert_value(lab.host(name), "vm.swappiness", "10");
    }
    assert_value(lab.host("doe"), "net.ipv4.tcp_keepalive_time", "60");
    assert_value(lab.host("doe"), "net.ipv4.tcp_keepalive_intvl", "61");
    project.plan().code(0);

    project.run("destroy -auto-approve -target=sysctl.counted[1]").code(0);
    assert_value(lab.host("doe"), "net.ipv4.tcp_keepalive_intvl", "75");
    assert_value(lab.host("doe"), "net.ipv4.tcp_keepalive_time", "60");
    project.run("apply -auto-approve -exclude=sysctl.counted").code(0);
    assert_value(lab.host("doe"), "net.ipv4.tcp_keepalive_intvl", "75");
    project.apply().code(0);
    assert_value(lab.host("doe"), "net.ipv4.tcp_keepalive_intvl", "61");
    project.destroy().code(0);
    for (host, before) in lab.hosts().zip(&before) {
        host.assert_as(before);
    }
}
