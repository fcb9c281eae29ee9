//! The good day: three members are changed and rebooted, one after another, and nobody who uses the cluster notices.

use super::observer::Observer;
use super::writer::Writer;
use super::*;

/// The README shows this very change. Which member goes when, and how long it takes, is the cluster's business.
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
        .says("zfs takes zvol_threads only when it is loaded: 32 is in use until a reboot, then 8.")
        .says(&format!(r#"3 host.etcd["{leader}"] apply, reboot, wait, check.etcd"#))
        .says("goes last, as `rollout.etcd` says")
        .says("3 to change, 0 to revert. 3 reboots.");
    before.assert_untouched(cluster);

    let observer = Observer::start(cluster);
    let written = writer.acknowledged();
    let said = project.apply().code(0).stdout;
    assert_as_in_the_readme(&said);
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
