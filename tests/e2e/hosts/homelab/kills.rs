//! The controller is killed while a machine is on its way down or up. The next apply finds out what became of it.

use super::*;

/// What a run says while a machine is being power-cycled, in order.
const STEPS: [&str; 4] =
    ["power cycle ordered", "waiting for the VM to start", "back from its power cycle", "its gates pass"];

#[test]
fn a_controller_killed_while_a_machine_reboots_loses_nothing() {
    require_tier!(Tier::Sshd);
    let (homelab, project) = homelab(&[]);
    let before = Before::of(&homelab);
    let guest = r#"-target=proxmox_vm.k3s["still-fawn"] -target=sysctl.etcd["still-fawn"]"#;
    for step in STEPS {
        let run = project.start(&format!("apply -auto-approve {guest}"));
        run.wait_for(step);
        run.kill();
        project.run(&format!("apply -auto-approve {guest}")).code(0).says("was interrupted");
        project.run(&format!("plan -detailed-exitcode {guest}")).code(0);
        assert!(assert_one_at_a_time(&homelab.moments()).iter().all(|guest| *guest == GUESTS[2]));
        project.destroy().code(0);
        before.assert_restored(&homelab);
        println!("killed at `{step}`");
    }
}
