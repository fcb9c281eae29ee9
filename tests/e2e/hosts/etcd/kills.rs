//! The controller is killed at every step of a member, while it is changed and while it is put back. The next command
//! finds out what became of it, and goes on.

use super::writer::Writer;
use super::*;

/// What a run says at each of its steps, in order.
const STEPS: [&str; 6] = [
    "writing its changes",
    "reboot ordered",
    "reboot: waiting for",
    "back from its reboot",
    "verified",
    "its gates pass",
];

#[test]
fn a_controller_killed_at_any_step_of_a_member_loses_nothing() {
    require_tier!(Tier::Nspawn);
    let (cluster, _turn) = cluster();
    let before = Before::of(cluster);
    let host = cluster.host("etcd-2");
    let project = Project::new(cluster.lab(), "");
    let writer = Writer::start(cluster);
    for (value, step) in (8..).zip(STEPS) {
        project.edit(&only("etcd-2", value).replace(r#""3s""#, r#""1s""#));
        let mut run = project.start("apply -auto-approve");
        wait_for(&mut run, step);
        run.kill();
        project.apply().code(0).says("was interrupted");
        assert_parameter(host, &value.to_string());
        project.plan().code(0);

        let mut run = project.start("destroy -auto-approve");
        wait_for(&mut run, step);
        run.kill();
        project.destroy().code(0).says("was interrupted");
        assert_parameter(host, DEFAULT);
        assert_eq!(project.run("state list").code(0).stdout, "");
        println!("killed at `{step}`, on the way there and on the way back");
    }
    assert_eq!(before.rebooted(cluster), ["etcd-2"]);
    before.assert_restored(cluster);
    writer.finish();
}
