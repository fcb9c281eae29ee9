//! The good day: the first runbook from plan to destroy, and nobody who uses the cluster is the worse for it.

use super::*;

/// The README shows this very change. How long it takes is the machine's business.
#[track_caller]
fn assert_as_in_the_readme(said: &str) {
    let readme = include_str!("../../../../README.md");
    let excerpt = readme.split("```text\n").nth(1).unwrap().split("\n```").next().unwrap();
    let mut lines = said.lines().map(shape);
    for line in excerpt.lines().filter(|line| !line.is_empty() && line.trim() != "…") {
        assert!(lines.any(|said| said == shape(line)), "the README says, in this order, `{line}`, and not\n{said}");
    }
}

/// A line without numbers, times and spaces.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for word in line.split_whitespace() {
        let is_time = word.starts_with(|first: char| first.is_ascii_digit()) && word.contains(['h', 'm']);
        let word = if is_time { "0 s" } else { word };
        shape.extend(word.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }));
        shape.push(' ');
    }
    // Two digits are as good as one.
    while shape.contains("00") {
        shape = shape.replace("00", "0");
    }
    shape
}

#[test]
fn the_runbook_is_one_configuration_and_leaves_no_trace() {
    require_tier!(Tier::Sshd);
    let (homelab, project) = homelab(&[]);
    let before = Before::of(&homelab);
    let files = project.files();
    project
        .plan()
        .code(2)
        .says("needs a power cycle")
        .says("already so, set in")
        .says(r#"4 k3s["pve"] apply, power cycle, wait, check.etcd"#)
        .says("goes last, as `rollout.k3s` says")
        .says("~ scsi0.cache = none (default) -> writeback")
        .says("9 to import, 0 to add, 9 to change, 0 to revert. 3 power cycles.");
    before.assert_untouched(&homelab);
    assert_eq!(project.files(), files);

    let said = project.apply().code(0).says(r#"etcd_leader = "k3s-vm-pve""#).never_says("tune@pve!tune=").stdout;
    assert_as_in_the_readme(&said);
    let moments = homelab.moments();
    assert_eq!(assert_one_at_a_time(&moments), ["k3s-vm-pumped-piglet", "k3s-vm-still-fawn", "k3s-vm-pve"]);
    assert_eq!(moments[4].leader.as_deref(), Some("k3s-vm-pve"), "the leader went last");
    for (vmid, guest) in homelab.guests() {
        let size = if vmid == 108 { 700 } else { 200 };
        let disk = running_disk(&homelab, vmid);
        let (volume, options) = disk.split_once(',').unwrap();
        assert!(volume.ends_with(&format!(":{vmid}/vm-{vmid}-disk-0.raw")), "{disk}");
        assert_eq!(options, format!("cache=writeback,discard=on,iothread=1,size={size}G,ssd=1"));
        let host = homelab.lab().host(guest);
        for (key, value) in [("vm.swappiness", "10"), ("vm.dirty_ratio", "5"), ("vm.dirty_background_ratio", "3")] {
            assert_value(host, key, value);
        }
    }
    for host in homelab.hypervisors() {
        assert_eq!(host.text("/sys/module/zfs/parameters/zfs_txg_timeout").trim_end(), "3", "{}", host.name());
    }

    project.plan().code(0).says("No changes.");
    project.apply().code(0).never_says("power cycle ordered");
    assert_eq!(homelab.moments(), moments);

    let leader = homelab.leader().unwrap();
    project.destroy().code(0);
    let back = &homelab.moments()[moments.len()..];
    let order = assert_one_at_a_time(back);
    assert_eq!((order.len(), order[2], back[4].leader.as_ref()), (3, leader.as_str(), Some(&leader)));
    before.assert_restored(&homelab);
    assert_eq!(project.run("state list").code(0).stdout, "");
}
