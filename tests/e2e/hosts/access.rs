//! Getting in, and becoming root: each way in which that fails is said, and nothing is written.

use super::*;
use tune_testkit::lab::{ASKED, OPERATOR, PLAIN, STRANGER};

/// A configuration for the host `fawn` with more in its `host` block.
fn fawn_with(more: &str) -> String {
    format!("host \"fawn\" {{\n  address = \"fawn\"\n  {more}\n}}\n\n") + &sysctl("etcd", "fawn", RUNBOOK, "")
}

#[test]
fn an_operator_becomes_root_by_sudo() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &fawn_with(&format!("user = \"{OPERATOR}\"\n  become = \"sudo\"")));
    project.plan().code(2);
    host.assert_as(&before);
    project.apply().code(0);
    assert_value(host, "vm.swappiness", "10");
    assert_eq!(host.exec(&format!("stat -c '%a %u:%g' {DROP_IN}")).success(), "644 0:0\n");
    project.plan().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn sudo_that_asks_or_refuses_never_hangs() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    for user in [ASKED, PLAIN] {
        let project = Project::new(&lab, &fawn_with(&format!("user = \"{user}\"\n  become = \"sudo\"")));
        project.plan().code(1).says("fawn").says("sudo");
        project.apply().code(1).says("sudo");
        host.assert_as(&before);
    }
}

#[test]
fn an_ordinary_user_can_plan_and_not_apply() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &fawn_with(&format!("user = \"{PLAIN}\"")));
    project.plan().code(2).says("vm.swappiness = 60 -> 10").says("tune::plan::not_root");
    project.apply().code(1).says("root");
    host.assert_as(&before);
    assert_eq!(host.exec("ls -d /var/lib/tune").code, Some(2));
}

#[test]
fn whoever_cannot_log_in_is_told_why() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let refused = Project::new(&lab, &fawn_with(&format!("user = \"{STRANGER}\"")));
    refused.plan().code(1).says("fawn").says("Permission denied");
    refused.apply().code(1);

    let project = Project::new(&lab, &one(RUNBOOK));
    host.stop_ssh();
    project.plan().code(1).says("fawn").says("refused");
    project.apply().code(1).says("fawn");
    host.start_ssh();

    let known = lab.ssh_config().with_file_name("known_hosts");
    let keys = std::fs::read_to_string(&known).unwrap();
    std::fs::write(&known, "").unwrap();
    project.plan().code(1).says("fawn").says("tune::remote::host_key_unknown");
    project.apply().code(1);
    std::fs::write(&known, keys).unwrap();

    host.change_host_key();
    project.plan().code(1).says("tune::remote::host_key_changed");
    project.apply().code(1);
    host.assert_as(&before);
    // Nothing was remembered either.
    assert_eq!(project.run("state list").code(0).stdout, "");
}

#[test]
fn a_host_that_is_away_owes_its_revert_and_the_rest_goes_on() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn", "doe"]);
    let before: Vec<_> = lab.hosts().map(Host::snapshot).collect();
    let text = hosts(&["fawn", "doe"]) + &sysctl("a", "fawn", RUNBOOK, "") + &sysctl("b", "doe", RUNBOOK, "");
    let project = Project::new(&lab, &text);
    project.apply().code(0);
    let fawn = lab.host("fawn");
    fawn.stop_ssh();
    project.run("plan -destroy").code(0).says("Owed, until the host is back").says("sysctl.a").says("1 revert is owed");
    project.destroy().code(5).says("owed").says("sysctl.a");
    assert_value(fawn, "vm.swappiness", "10");
    assert_value(lab.host("doe"), "vm.swappiness", "60");
    assert_eq!(project.run("state list").code(0).stdout, "sysctl.a\n");
    // It is said again with every plan, also when the blocks are gone.
    project.edit("");
    project.plan().one_of(&[0, 2]).1.says("owed").says("sysctl.a");
    project.destroy().code(5).says("owed");
    fawn.start_ssh();
    project.destroy().code(0);
    for (host, before) in lab.hosts().zip(&before) {
        host.assert_as(before);
    }
}

#[test]
fn a_host_that_is_away_for_good_can_be_forgotten() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    lab.host("fawn").power_off();
    project.destroy().code(5);
    let printed = project.run("state rm sysctl.etcd").code(0).stdout;
    assert!(printed.contains("vm.swappiness") && printed.contains("60"), "{printed}");
    project.destroy().code(0);
}
