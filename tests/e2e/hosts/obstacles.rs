//! Things that stand in the way on a host: whatever fails, the host is as before, and the message says what it was.

use super::*;

#[test]
fn a_read_only_directory_undoes_the_values_too() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    host.make_read_only("/etc/sysctl.d");
    // Seen while planning already.
    project.plan().code(1).says("tune::sysctl::read_only").says(DROP_IN);
    project.apply().code(1);
    host.restore("/etc/sysctl.d");
    host.assert_as(&before);

    // It becomes so between the plan and the write.
    let mut asked = project.start_on_terminal("apply");
    asked.wait_for("yes");
    host.make_read_only("/etc/sysctl.d");
    asked.say("yes");
    asked.wait().code(3).says(DROP_IN).says("the file system is read-only");
    host.restore("/etc/sysctl.d");
    host.assert_as(&before);
    project.apply().code(0);

    // The same on the way back.
    host.make_read_only("/etc/sysctl.d");
    let applied = host.snapshot();
    project.destroy().one_of(&[1, 3, 5]).1.says(DROP_IN);
    host.restore("/etc/sysctl.d");
    assert_eq!(host.snapshot().of(DROP_IN), applied.of(DROP_IN));
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn a_full_disk_loses_nothing() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    // Where the ledger should be: nothing may be written before it is.
    host.make_full("/var/lib");
    project
        .apply()
        .code(3)
        .says("vm.dirty_background_ratio, vm.dirty_ratio, … × 4: cannot record")
        .says("the disk of `fawn` is full");
    host.assert_as(&before);
    host.restore("/var/lib");
    host.assert_as(&before);

    host.make_full("/etc/sysctl.d");
    project.apply().code(3).says(DROP_IN).says("full");
    host.assert_as(&before);
    host.restore("/etc/sysctl.d");
    project.apply().code(0);
    project.plan().code(0);

    // A full disk stops no destroy of the values, and forgets nothing that it could not do.
    host.make_full("/var/lib");
    project.destroy().one_of(&[0, 1, 3, 5]);
    host.restore("/var/lib");
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn what_is_in_our_place_is_never_replaced() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let clean = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    host.write_file("/root/elsewhere", "vm.swappiness = 7\n");
    for (make, code) in [
        (format!("echo 'vm.swappiness = 7' >{DROP_IN}"), "tune::sysctl::foreign_file"),
        (format!(": >{DROP_IN}"), "tune::sysctl::foreign_file"),
        (format!("ln -s /root/elsewhere {DROP_IN}"), DROP_IN),
        (format!("ln -s /dev/null {DROP_IN}"), DROP_IN),
        (format!("ln -s /nonexistent {DROP_IN}"), DROP_IN),
        (format!("mkdir {DROP_IN}"), DROP_IN),
        (format!("mkfifo {DROP_IN}"), DROP_IN),
    ] {
        let _ = host.exec(&make).success();
        let before = host.snapshot();
        println!("{make}");
        project.plan().one_of(&[1, 2]).1.says(code);
        project.apply().one_of(&[1, 3, 5]).1.says(DROP_IN);
        host.assert_as(&before);
        host.remove(DROP_IN);
    }
    host.assert_as(&clean);
    assert_eq!(host.text("/root/elsewhere"), "vm.swappiness = 7\n");

    // A file of the same name elsewhere would be hidden by ours.
    host.write_file("/run/sysctl.d/99-zz-tune-etcd.conf", "vm.max_map_count = 7\n");
    project.apply().code(1).says("tune::sysctl::hides_file");
    host.remove("/run/sysctl.d/99-zz-tune-etcd.conf");
    host.assert_as(&clean);
}

#[test]
fn something_else_comes_to_our_place_after_the_apply() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    project.apply().code(0);
    let ours = host.text(DROP_IN);
    for make in ["ln -s /root/elsewhere $p", "mkdir $p", "mkfifo $p"] {
        let _ = host.exec(&format!("p={DROP_IN}; rm -r $p; {make}")).success();
        let there = host.snapshot();
        project.destroy().code(5).says(DROP_IN);
        assert_eq!(host.snapshot().of(DROP_IN), there.of(DROP_IN), "{make}");
        assert_eq!(host.read_file("/root/elsewhere"), None);
        host.remove(DROP_IN);
        host.write_file(DROP_IN, &ours);
        project.apply().code(0);
    }
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn what_the_kernel_refuses_is_put_back() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, "");
    for (settings, key) in [
        (r#""net.ipv4.tcp_keepalive_time" = 60, "net.ipv4.tcp_min_snd_mss" = 1"#, "net.ipv4.tcp_min_snd_mss"),
        (r#""net.ipv4.tcp_early_retrans" = 9, "vm.swappiness" = 10"#, "net.ipv4.tcp_early_retrans"),
        (r#""net.ipv4.tcp_congestion_control" = "nosuch", "vm.swappiness" = 10"#, "net.ipv4.tcp_congestion_control"),
    ] {
        project.edit(&one(settings));
        project.plan().code(2);
        project.apply().code(3).says(key);
        host.assert_as(&before);
        assert_eq!(project.run("state list").code(0).stdout, "");
    }
}

#[test]
fn what_the_kernel_stores_differently_is_put_back() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    // The kernel takes an empty range and stores `1 0` for it.
    host.set_sysctl("net.ipv4.ping_group_range", "0 100");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(r#""net.ipv4.ping_group_range" = "5 1", "vm.swappiness" = 10"#));
    project.apply().code(3).says("net.ipv4.ping_group_range").says("stored");
    host.assert_as(&before);
    // Several numbers are compared as numbers, however they are written.
    project.edit(&one(r#""net.ipv4.ping_group_range" = "0   200""#));
    project.apply().code(0);
    assert_value(host, "net.ipv4.ping_group_range", "0\t200");
    project.plan().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn one_failed_resource_does_not_stop_another() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn", "doe"]);
    let before: Vec<_> = lab.hosts().map(Host::snapshot).collect();
    let text = hosts(&["fawn", "doe"])
        + &sysctl("bad", "fawn", r#""net.ipv4.tcp_early_retrans" = 9"#, "")
        + &sysctl("good", "fawn", r#""vm.swappiness" = 10"#, "")
        + &sysctl("also", "doe", r#""vm.swappiness" = 10"#, "")
        + &sysctl("after", "doe", r#""vm.dirty_ratio" = 5"#, "depends_on = [sysctl.bad]");
    let project = Project::new(&lab, &text);
    project.apply().code(5).says("sysctl.bad").says("sysctl.after").says("tcp_early_retrans");
    assert_value(lab.host("fawn"), "vm.swappiness", "10");
    assert_value(lab.host("doe"), "vm.swappiness", "10");
    assert_value(lab.host("doe"), "vm.dirty_ratio", "20");
    assert_eq!(project.run("state list").code(0).stdout, "sysctl.also\nsysctl.good\n");
    project.destroy().code(0);
    for (host, before) in lab.hosts().zip(&before) {
        host.assert_as(before);
    }
}

#[test]
fn a_change_that_may_cut_the_connection_is_confirmed_or_undone_by_the_host() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(r#""net.ipv4.tcp_mtu_probing" = 1, "vm.swappiness" = 10"#));
    project.plan().code(2).says("may cut the connection");
    let connections = host.connections();
    project.apply().code(0);
    // Confirmed over a new connection.
    assert_eq!(host.connections() - connections, 2);
    assert_value(host, "net.ipv4.tcp_mtu_probing", "1");
    host.wait_until(SOON, "the detached restore is gone", |host| host.processes().is_empty());
    project.plan().code(0);
    project.destroy().code(0);
    host.wait_until(SOON, "the detached restore is gone", |host| host.processes().is_empty());
    host.assert_as(&before);
}

#[test]
fn a_host_that_cut_itself_off_restores_itself() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(r#""net.ipv4.tcp_mtu_probing" = 1, "vm.swappiness" = 10"#));
    let mut run = project.start_on_terminal("apply");
    run.wait_for("yes");
    // The connection that is open stays; from here on nobody gets in any more.
    host.stop_ssh();
    run.say("yes");
    let probing = |host: &Host| host.sysctl("net.ipv4.tcp_mtu_probing");
    host.wait_until(SOON, "the value is written", |host| probing(host).as_deref() == Some("1"));
    host.wait_until(Duration::from_mins(2), "the host puts it back", |host| probing(host).as_deref() == Some("0"));
    // Nothing that would outlive a boot was sent before the host was known to be reachable.
    assert_eq!(host.read_file(DROP_IN), None);
    host.start_ssh();
    run.wait().code(3).says("sysctl.etcd");
    host.assert_as(&before);
    project.apply().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}
