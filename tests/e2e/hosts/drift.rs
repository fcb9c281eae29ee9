//! Somebody else changes what is managed: never overwritten silently, in apply or in revert.

use super::*;

#[test]
fn a_destroy_leaves_what_somebody_else_changed() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    host.set_sysctl("vm.swappiness", "33");
    project
        .run("plan -destroy")
        .code(0)
        .says("! vm.swappiness = before 60, ours 10, now 33")
        .says("1 conflict is skipped.");
    project.destroy().code(5).says("vm.swappiness").says("33").says("-overwrite-drift");
    // Everything else is back; what was changed by somebody else is not, and is still remembered.
    assert_value(host, "vm.swappiness", "33");
    assert_value(host, "vm.dirty_ratio", "20");
    assert_eq!(host.read_file(DROP_IN), None);
    assert_eq!(project.run("state list").code(0).stdout, "sysctl.etcd\n");
    project.destroy().code(5).says("vm.swappiness");
    assert_value(host, "vm.swappiness", "33");
    // They put our value back: now it can go.
    host.set_sysctl("vm.swappiness", "10");
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn drift_is_overwritten_where_the_user_says_so() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    host.set_sysctl("vm.swappiness", "33");
    host.write_file(DROP_IN, "# mine now\n");
    project.destroy().code(5);
    assert_eq!(host.text(DROP_IN), "# mine now\n");
    project.run("destroy -auto-approve -overwrite-drift=sysctl.other").code(1).says("sysctl.other");
    project.run("destroy -auto-approve -overwrite-drift=sysctl.etcd").code(0);
    host.assert_as(&before);
}

#[test]
fn what_is_there_can_be_accepted_but_never_becomes_the_original() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    host.set_sysctl("vm.swappiness", "33");
    let drifted = host.snapshot();
    project.run("plan -refresh-only -detailed-exitcode").code(2).says("vm.swappiness = 10 -> 33");
    project.run("apply -refresh-only -auto-approve").code(0);
    assert_untouched(host, &drifted);
    project.run("plan -refresh-only -detailed-exitcode").code(0);
    // The configuration still wants 10.
    project.plan().code(2).says("vm.swappiness = 33 -> 10").never_says("changed by somebody else");
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn a_revert_can_be_forbidden() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let guarded = |more: &str| hosts(&["fawn"]) + &sysctl("etcd", "fawn", RUNBOOK, more);
    let project = Project::new(&lab, &guarded("lifecycle { prevent_revert = true }"));
    project.apply().code(0);
    let applied = host.snapshot();
    project.destroy().code(1).says("tune::plan::prevent_revert");
    // It still holds when the block is gone.
    project.edit("");
    project.apply().code(1).says("tune::plan::prevent_revert");
    project.destroy().code(1).says("tune::plan::prevent_revert");
    host.assert_as(&applied);
    project.run("destroy -auto-approve -exclude=sysctl.etcd").code(0);
    host.assert_as(&applied);
    project.edit(&guarded(""));
    project.apply().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn a_file_that_somebody_touched_is_drift_in_every_way() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    let applied = host.snapshot();
    for change in [
        format!("echo '# mine' >>{DROP_IN}"),
        format!("rm {DROP_IN}"),
        format!("chmod 600 {DROP_IN}"),
        format!("chown 1000 {DROP_IN}"),
    ] {
        let _ = host.exec(&change).success();
        project.plan().code(2).says(DROP_IN);
        project.apply().code(0);
        assert_untouched(host, &applied);
        project.plan().code(0);
    }
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn a_later_file_is_told_and_shows_after_the_next_boot() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    host.write_file("/etc/sysctl.d/zz-late.conf", "# later\nvm.swappiness = 30\n");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    for _ in 0..2 {
        project.run("plan").code(0).says("tune::sysctl::overridden").says("/etc/sysctl.d/zz-late.conf:2");
        project.apply().code(0);
    }
    host.reboot();
    assert_value(host, "vm.swappiness", "30");
    project.plan().code(2).says("vm.swappiness = 30 -> 10").says("last applied 10, now 30");
    project.apply().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}
