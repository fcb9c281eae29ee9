//! What every host carries: its own undo, which needs no controller, no network and no `tune`.

use tune_testkit::lab::Output as HostOutput;

use super::*;

/// Runs the undo script that the host carries, with next to nothing in its environment.
fn undo(host: &Host, arguments: &str) -> HostOutput {
    host.exec(&format!("env -i PATH=/usr/bin:/bin sh /var/lib/tune/*/undo.sh {arguments}"))
}

#[test]
fn a_host_undoes_everything_by_itself() {
    require_tier!(Tier::Sshd);
    for lab in [fawn(), Lab::busybox(&["fawn"])] {
        let host = lab.host("fawn");
        host.write_file("/etc/sysctl.d/50-own.conf", "vm.swappiness = 60\n");
        let before = host.snapshot();
        let project = Project::new(&lab, &one(RUNBOOK));
        project.apply().code(0);
        project.edit(&one(r#""vm.swappiness" = 11, "net.ipv4.tcp_keepalive_time" = 60"#));
        project.apply().code(0);
        let applied = host.snapshot();

        let tried = undo(host, "-n").success();
        for what in ["vm.swappiness", "net.ipv4.tcp_keepalive_time", DROP_IN] {
            assert!(tried.contains(what), "{tried}");
        }
        host.assert_as(&applied);

        let said = undo(host, "").success();
        assert!(said.contains("vm.swappiness"), "{said}");
        // Nothing of ours is left, the script included.
        host.assert_as(&before);

        // The controller sees what happened, and has nothing left to put back.
        project.plan().code(2);
        project.destroy().code(0);
        host.assert_as(&before);
    }
}

#[test]
fn an_undo_leaves_what_somebody_else_changed() {
    require_tier!(Tier::Sshd);
    for lab in [fawn(), Lab::busybox(&["fawn"])] {
        let host = lab.host("fawn");
        let before = host.snapshot();
        let project = Project::new(&lab, &one(RUNBOOK));
        project.apply().code(0);
        host.set_sysctl("vm.swappiness", "33");
        host.write_file(DROP_IN, "vm.swappiness = 33\n");
        let output = undo(host, "");
        assert_eq!(output.code, Some(5), "{output:?}");
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(said.contains("vm.swappiness") && said.contains("33") && said.contains(DROP_IN), "{said}");
        // Twice is once, and the ledger stays as long as something is left.
        let left = host.snapshot();
        assert_eq!(undo(host, "").code, Some(5));
        host.assert_as(&left);
        assert_value(host, "vm.swappiness", "33");
        assert_eq!(host.text(DROP_IN), "vm.swappiness = 33\n");
        assert_value(host, "vm.dirty_ratio", "20");
        project.run("destroy -auto-approve -overwrite-drift=sysctl.etcd").code(0);
        host.assert_as(&before);
    }
}

#[test]
fn a_host_undoes_what_a_killed_run_left_half_done() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    for key in ["vm.dirty_background_ratio", "vm.dirty_ratio", "vm.swappiness"] {
        let project = Project::new(&lab, &one(RUNBOOK));
        let hold = host.hold_sysctl(key);
        let run = project.start("apply -auto-approve");
        assert!(hold.wait_for_writer(SOON));
        run.kill();
        // The script that was sent is still at work; the undo waits for its end.
        hold.release();
        let said = undo(host, "").success();
        assert!(said.contains("vm."), "{said}");
        host.assert_as(&before);
        // And the controller finds its way from there.
        project.apply().code(0);
        project.destroy().code(0);
        host.assert_as(&before);
    }
}

#[test]
fn a_host_undoes_what_a_power_cut_left_half_done() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    project.edit(&one(r#""vm.swappiness" = 12, "vm.dirty_ratio" = 6"#));
    let hold = host.hold_sysctl("vm.swappiness");
    let run = project.start("apply -auto-approve");
    assert!(hold.wait_for_writer(SOON));
    run.kill();
    drop(hold);
    host.power_off();
    host.power_on();
    let output = undo(host, "").success();
    assert!(output.contains("vm."), "{output}");
    host.assert_as(&before);
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn only_root_can_undo() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    let applied = host.snapshot();
    let script = format!("{}/undo.sh", ledger(host));
    host.write_file("/tmp/undo.sh", host.text(&script));
    let output = host.ssh(tune_testkit::lab::PLAIN, "sh /tmp/undo.sh");
    assert_ne!(output.code, Some(0), "{output:?}");
    host.assert_as(&applied);
    project.destroy().code(0);
    host.assert_as(&before);
}
