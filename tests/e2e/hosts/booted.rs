//! Booted Debian hosts with systemd: what a boot does is done by a real boot. They are made once and shared; whoever
//! uses them leaves them as they were.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use super::*;

const NAMES: [&str; 3] = ["k3s-vm-pve", "k3s-vm-pumped-piglet", "k3s-vm-still-fawn"];

/// The three hosts, for one test at a time.
fn herd() -> (&'static Lab, MutexGuard<'static, ()>) {
    static LAB: OnceLock<Lab> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    (LAB.get_or_init(|| Lab::create(Tier::Nspawn, &NAMES)), turn)
}

fn reboot(lab: &Lab) {
    thread::scope(|scope| {
        for host in lab.hosts() {
            scope.spawn(|| host.reboot());
        }
    });
}

/// The configuration of the example, with the user whom these hosts let in.
fn k3s_guests() -> String {
    let example = include_str!("../../../examples/k3s-guests/k3s-guests.tune.hcl");
    let adapted = example.replace("become   = \"sudo\"", "become   = \"sudo\"\n  user     = \"operator\"");
    assert_ne!(adapted, example);
    adapted
}

#[test]
fn three_booted_hosts_go_there_and_back() {
    require_tier!(Tier::Nspawn);
    let (lab, _turn) = herd();
    let before: Vec<_> = lab.hosts().map(Host::snapshot).collect();
    let project = Project::new(lab, &k3s_guests());
    project
        .plan()
        .code(2)
        .says("× 3")
        .says("vm.swappiness = 60 -> 10")
        .says("Plan: 3 to import, 0 to add, 3 to change, 0 to revert.");
    project.apply().code(0).says("tuned =");
    project.plan().code(0);
    for host in lab.hosts() {
        assert_value(host, "vm.swappiness", "10");
        assert_value(host, "vm.dirty_ratio", "5");
    }

    reboot(lab);
    for host in lab.hosts() {
        // The real boot has set them.
        assert_value(host, "vm.swappiness", "10");
        assert_value(host, "vm.dirty_ratio", "5");
    }
    project.plan().code(0);

    let fawn = lab.host("k3s-vm-still-fawn");
    fawn.set_sysctl("vm.swappiness", "33");
    project
        .plan()
        .code(2)
        .says(r#"host.k3s["still-fawn"]"#)
        .says("vm.swappiness = 33 -> 10")
        .says("last applied 10, now 33, wanted 10")
        .says("Plan: 0 to add, 1 to change, 0 to revert.");
    project.apply().code(0);
    assert_value(fawn, "vm.swappiness", "10");

    project.destroy().code(0);
    for (host, before) in lab.hosts().zip(&before) {
        host.assert_as(before);
    }
    reboot(lab);
    for (host, before) in lab.hosts().zip(&before) {
        host.assert_as(before);
    }
    project.plan().code(2).says("Plan: 3 to import");
}

#[test]
fn a_later_file_wins_at_a_real_boot() {
    require_tier!(Tier::Nspawn);
    let (lab, _turn) = herd();
    let host = lab.host("k3s-vm-pve");
    let clean = host.snapshot();
    host.write_file("/etc/sysctl.d/zz-late.conf", "# later\nvm.swappiness = 30\n");
    let before = host.snapshot();
    let project = Project::new(lab, &(hosts(&["k3s-vm-pve"]) + &sysctl("etcd", "k3s-vm-pve", RUNBOOK, "")));
    project.plan().code(2).says("tune::sysctl::overridden").says("/etc/sysctl.d/zz-late.conf:2");
    project.apply().code(0);
    host.reboot();
    assert_value(host, "vm.swappiness", "30");
    assert_value(host, "vm.dirty_ratio", "5");
    project.plan().code(2).says("vm.swappiness = 30 -> 10").says("last applied 10, now 30");
    project.apply().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
    host.remove("/etc/sysctl.d/zz-late.conf");
    host.assert_as(&clean);
}

#[test]
fn a_reboot_during_an_apply_is_survived() {
    require_tier!(Tier::Nspawn);
    let (lab, _turn) = herd();
    let host = lab.host("k3s-vm-pumped-piglet");
    let before = host.snapshot();
    let project =
        Project::new(lab, &(hosts(&["k3s-vm-pumped-piglet"]) + &sysctl("etcd", "k3s-vm-pumped-piglet", RUNBOOK, "")));
    let hold = host.hold_sysctl("vm.swappiness");
    let run = project.start("apply -auto-approve");
    assert!(hold.wait_for_writer(SOON));
    run.kill();
    drop(hold);
    host.reboot();
    project.apply().code(0);
    project.plan().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
    host.reboot();
    host.assert_as(&before);
}
