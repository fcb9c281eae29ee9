//! The good day: three members are changed and rebooted, one after another, and nobody who uses the cluster notices.

use super::observer::Observer;
use super::writer::Writer;
use super::*;

#[test]
fn a_rolling_change_and_its_way_back_lose_no_write() {
    require_tier!(Tier::Nspawn);
    let (cluster, _turn) = cluster();
    let project = Project::new(cluster.lab(), EXAMPLE);
    let before = Before::of(cluster);
    let writer = Writer::start(cluster);

    let leader = cluster.leader().unwrap();
    project
        .plan()
        .code(2)
        .says("zz-tune.zfs.zvol_threads.conf = 32 -> 8")
        .says("zfs takes zvol_threads only when it is loaded: 32 is in use until a reboot, then 8.")
        .says(&format!(r#"3 etcd["{leader}"] apply, reboot, wait, check.etcd"#))
        .says("goes last, as `rollout.etcd` says")
        .says("3 to change, 0 to revert. 3 reboots.");
    before.assert_untouched(cluster);

    let observer = Observer::start(cluster);
    let written = writer.acknowledged();
    project.apply().code(0);
    assert!(writer.acknowledged() > written, "nothing could be written while members were taken");
    let order = observer.finish(&NAMES);
    println!("`{leader}` led before; the order was {order:?}");
    assert_eq!(before.rebooted(cluster), NAMES);
    for host in cluster.lab().hosts() {
        assert_parameter(host, "8");
        assert_value(host, "net.core.somaxconn", "8192");
    }
    project.plan().code(0);
    assert_eq!(before.rebooted(cluster), NAMES);

    let tuned = Before::of(cluster);
    let observer = Observer::start(cluster);
    project.destroy().code(0);
    observer.finish(&NAMES);
    assert_eq!(tuned.rebooted(cluster), NAMES);
    before.assert_restored(cluster);
    for host in cluster.lab().hosts() {
        assert_parameter(host, DEFAULT);
    }
    project.plan().code(2).says("3 to import").says("3 reboots");
    assert_eq!(project.run("state list").code(0).stdout, "");
    writer.finish();
}
