//! Bad days: guests that do not come back as they went, and somebody else on the same cluster.

use super::*;

const FIRST: &str = GUESTS[0];

/// Not much longer than a guest of these tests needs.
const IMPATIENT: (&str, &str) = (r#""10m""#, r#""6s""#);

#[test]
fn a_guest_that_does_not_come_back() {
    require_tier!(Tier::Sshd);
    let (homelab, project) = homelab(&[IMPATIENT]);
    let before = Before::of(&homelab);
    homelab.hang(FIRST);
    project
        .apply()
        .code(4)
        .says(r#"down host.k3s["pumped-piglet"]"#)
        .says(r#"untouched host.k3s["still-fawn"], host.k3s["pve"]"#)
        .says("When it is back: tune apply");
    // Its machine was put back by way of the API, and nobody else went while it was down.
    let vmid = vmid(&homelab, FIRST);
    assert_eq!(config(&homelab, vmid), before.configs[&vmid]);
    assert_eq!(homelab.healthy(), [GUESTS[1], GUESTS[2]]);
    assert_eq!(homelab.moments().len(), 1);
    // Nothing is begun as long as it is away.
    project.apply().code(1).says("refuses connections");
    assert_eq!(homelab.moments().len(), 1);

    homelab.boot(FIRST);
    homelab.lab().host(FIRST).wait_until(SOON, "etcd is whole", |_| homelab.healthy().len() == 3);
    project.apply().code(0);
    assert_eq!(assert_one_at_a_time(&homelab.moments()), [FIRST, FIRST, "k3s-vm-still-fawn", "k3s-vm-pve"]);
    project.plan().code(0);
    project.destroy().code(0);
    before.assert_restored(&homelab);
}

#[test]
fn a_guest_that_comes_back_at_another_address() {
    require_tier!(Tier::Sshd);
    let (homelab, project) = homelab(&[IMPATIENT, ("revert_member", "halt")]);
    let before = Before::of(&homelab);
    homelab.move_at_next_boot(FIRST, "k3s-vm-moved");
    project.apply().code(4).says("refuses connections").says("When it is back: tune apply");
    let address = r#"each.key == "pumped-piglet" ? "k3s-vm-moved" : "k3s-vm-${each.key}""#;
    project.edit(&example_with(&[(r#""k3s-vm-${each.key}""#, address)]));
    project.apply().code(0);
    // Its machine ran with the new values already, so it was not taken again.
    assert_eq!(assert_one_at_a_time(&homelab.moments()), [FIRST, "k3s-vm-still-fawn", "k3s-vm-pve"]);
    project.plan().code(0);
    project.destroy().code(0);
    before.assert_restored(&homelab);
}

#[test]
fn a_second_tune_on_the_same_cluster() {
    require_tier!(Tier::Sshd);
    let (homelab, first) = homelab(&[]);
    let second = project(&homelab, &[]);
    let before = Before::of(&homelab);
    homelab.hang(FIRST);
    let run = first.start("apply -auto-approve");
    run.wait_for("trying again");
    // While a member is down, nobody else takes one.
    second.run("apply -auto-approve -target=proxmox_vm.k3s").code(6).says("check.etcd");
    assert_eq!(homelab.moments().len(), 1);
    homelab.boot(FIRST);
    run.wait().code(0);
    assert_eq!(assert_one_at_a_time(&homelab.moments()).len(), 3);
    // What is there is the first one's, and stays so.
    second.apply().code(1).says("is managed by another state");
    first.plan().code(0);
    first.destroy().code(0);
    before.assert_restored(&homelab);
}
