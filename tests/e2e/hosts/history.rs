//! What is remembered: runs and their rollback, the state and what can be done with it.

use super::*;

#[test]
fn a_run_is_rolled_back() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let swappiness = |value: u32| one(&format!("\"vm.swappiness\" = {value}"));
    let project = Project::new(&lab, &swappiness(10));
    project.apply().code(0);
    project.edit(&swappiness(20));
    project.apply().code(0);
    project.edit(&one(r#""vm.swappiness" = 20, "vm.dirty_ratio" = 5"#));
    project.apply().code(0);

    // Run 2 changed one value; run 3 changed the file too.
    project.run("rollback 2 -auto-approve").code(1).says("tune::plan::later_runs").says("run 3");
    assert_value(host, "vm.swappiness", "20");
    project.run("rollback 3 -auto-approve").code(0);
    assert_value(host, "vm.dirty_ratio", "20");
    assert_value(host, "vm.swappiness", "20");
    assert!(!host.text(DROP_IN).contains("dirty_ratio"));
    project.plan().code(2).says("rolled back in run 4; an apply does it again");
    project.run("rollback 3 -auto-approve").code(0);
    project.run("rollback 2 -through -auto-approve").code(0);
    assert_value(host, "vm.swappiness", "10");
    assert_value(host, "vm.dirty_ratio", "20");
    project.run("rollback 99 -auto-approve").code(1).says("tune::plan::no_such_run");

    project.run("history").code(0).says("apply").says("rollback 3").says("rollback 2").says("tester@");
    project.destroy().code(0);
    host.assert_as(&before);
    project.run("history").code(0).says("destroy");
}

#[test]
fn a_rollback_leaves_what_somebody_else_changed() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    host.set_sysctl("vm.swappiness", "33");
    project.run("rollback 1 -auto-approve").code(5).says("vm.swappiness").says("33");
    assert_value(host, "vm.swappiness", "33");
    assert_value(host, "vm.dirty_ratio", "20");
    assert_eq!(host.read_file(DROP_IN), None);
    project.run("rollback 1 -auto-approve -overwrite-drift=sysctl.etcd").code(0);
    assert_value(host, "vm.swappiness", "60");
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn the_state_can_be_looked_at_exported_and_imported() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    // Before the first apply there is nothing, and looking makes nothing.
    let files = project.files();
    assert_eq!(project.run("state list").code(0).stdout, "");
    project.run("show").code(0);
    project.run("history").code(0);
    project.run("explain tune::plan::stale_state").code(0).says("older");
    project.run("explain tune::plan::stale_stat").code(1).says("tune::plan::stale_state");
    project.run("version").code(0);
    assert_eq!(project.files(), files);

    project.apply().code(0);
    assert_eq!(project.run("state list").code(0).stdout, "sysctl.etcd\n");
    project.run("show").code(0).says("sysctl.etcd on host.fawn").says("vm.swappiness = 10 before tune: 60 (run 1");
    project.run("state show sysctl.etcd").code(0).says("vm.swappiness");
    project.run("state show sysctl.nothing").code(1).says("sysctl.nothing");
    let export = project.run("state export").code(0).stdout;
    assert!(export.starts_with('{') && export.contains("\"vm.swappiness\""), "{export}");
    assert_eq!(export, project.run("state export").code(0).stdout);

    // Another folder takes it over.
    let other = Project::new(&lab, &one(RUNBOOK));
    other.write("export.json", &export);
    let export_file = other.path("export.json");
    other.run(&format!("state import {}", export_file.display())).code(0);
    other.plan().code(0);
    other.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn a_resource_can_be_forgotten_with_its_originals_printed() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let text = hosts(&["fawn"])
        + &sysctl("etcd", "fawn", r#""vm.swappiness" = 10"#, "")
        + &sysctl("other", "fawn", r#""vm.dirty_ratio" = 5"#, "");
    let project = Project::new(&lab, &text);
    project.apply().code(0);
    project.run("state rm sysctl.nothing").code(1).says("sysctl.nothing");
    let printed = project.run("state rm sysctl.etcd").code(0).says("vm.swappiness").stdout;
    assert!(printed.contains("60"), "{printed}");
    assert_eq!(project.run("state list").code(0).stdout, "sysctl.other\n");
    assert_value(host, "vm.swappiness", "10");
    project.destroy().code(0);
    assert_value(host, "vm.swappiness", "10");
    assert_value(host, "vm.dirty_ratio", "20");
    // What was forgotten is nobody's any more, so the host has no ledger left.
    assert_eq!(host.exec("ls /var/lib/tune 2>/dev/null").stdout, "");
    host.set_sysctl("vm.swappiness", "60");
    host.remove(DROP_IN);
    host.assert_as(&before);
}

#[test]
fn a_plan_is_shown_as_markdown() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let project = Project::new(&lab, &one(RUNBOOK));
    let markdown = project.run("plan -markdown").code(0).stdout;
    assert!(markdown.contains("| ~ |") && markdown.contains("swappiness"), "{markdown}");
}
