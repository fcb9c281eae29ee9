//! The bad days: members that do not come back, come back and lag, or break with the new value; gates that are red before
//! the start; and a cluster that cannot spare anybody.

use std::time::Instant;

use tune_testkit::etcd::put;

use super::observer::Observer;
use super::writer::Writer;
use super::*;

/// The line that says whom the gate of the example asks.
const PROBED: &str = "    hosts = values(host.etcd)\n";

/// What a drop-in of etcd's unit lies in.
const UNIT: &str = "/etc/systemd/system/etcd.service.d";

/// Adds to etcd's unit on a host, as its administrator would.
fn add_to_unit(host: &Host, text: &str) {
    host.write_file(&format!("{UNIT}/lab.conf"), format!("[Service]\n{text}\n"));
    let _ = host.exec("systemctl daemon-reload").success();
}

fn restore_unit(cluster: &Cluster) {
    for host in cluster.lab().hosts() {
        host.remove(UNIT);
        let _ = host.exec("systemctl daemon-reload").success();
    }
}

/// The members in the order in which they are taken: as written, and the leader last.
fn order(cluster: &Cluster) -> Vec<&'static str> {
    let leader = cluster.leader().unwrap().to_owned();
    let (last, mut order): (Vec<_>, Vec<_>) = NAMES.into_iter().partition(|name| *name == leader);
    order.extend(last);
    order
}

#[test]
fn a_member_that_breaks_with_the_new_value_is_put_back() {
    require_tier!(Tier::Nspawn);
    let (cluster, _turn) = cluster();
    let before = Before::of(cluster);
    let [first, second, third] = order(cluster)[..] else { unreachable!("three members") };
    // On the second one the new value keeps etcd from starting.
    add_to_unit(cluster.host(second), &format!("ExecStartPre=/bin/sh -c '! grep -qx 8 {PARAMETER}'"));
    let project = Project::new(cluster.lab(), &example_with(&[(r#""3m""#, r#""45s""#)]));
    let writer = Writer::start(cluster);
    let observer = Observer::start(cluster);
    project
        .apply()
        .code(5)
        .says(&format!(r#"host.etcd["{second}"] was put back"#))
        .says(&format!(r#"done host.etcd["{first}"]"#))
        .says(&format!(r#"put back host.etcd["{second}"] as it was before; its gates pass"#))
        .says(&format!(r#"untouched host.etcd["{third}"]"#));
    observer.finish(&sorted([first, second]));
    assert_eq!(before.rebooted(cluster), sorted([first, second]));
    assert_parameter(cluster.host(first), "8");
    assert_value(cluster.host(first), "net.core.somaxconn", "8192");
    assert_parameter(cluster.host(second), DEFAULT);
    assert_ne!(cluster.host(second).sysctl("net.core.somaxconn").as_deref(), Some("8192"));
    assert_parameter(cluster.host(third), DEFAULT);

    restore_unit(cluster);
    project.plan().code(2).says("2 to change, 0 to revert. 2 reboots.");
    project.destroy().code(0);
    before.assert_restored(cluster);
    writer.finish();
}

#[test]
fn a_member_that_comes_back_and_lags_is_put_back() {
    require_tier!(Tier::Nspawn);
    let (cluster, _turn) = cluster();
    let before = Before::of(cluster);
    let [first, ..] = order(cluster)[..] else { unreachable!("three members") };
    // Ready it is, and answers whoever asks; but with the new value it hears nothing of the others any more.
    let others = cluster.members().iter().filter(|(name, _)| *name != first);
    let cut: Vec<String> = others.map(|(_, at)| format!("ip route add unreachable {}", at.ip())).collect();
    let cut = cut.join(" && ");
    add_to_unit(cluster.host(first), &format!("ExecStartPost=/bin/sh -c '! grep -qx 8 {PARAMETER} || {{ {cut}; }}'"));
    // Within `settle` it either falls behind or calls for an election.
    let text = example_with(&[
        (r#""3m""#, r#""45s""#),
        (r#""3s""#, r#""12s""#),
        (PROBED, &format!("{PROBED}    max_lag = 200\n")),
    ]);
    let project = Project::new(cluster.lab(), &text);
    let writer = Writer::start(cluster);
    project
        .apply()
        .code(3)
        .says(&format!(r#"host.etcd["{first}"] was put back"#))
        .says(&format!("Not healthy: {first} (it "))
        .says(&format!(r#"put back host.etcd["{first}"] as it was before; its gates pass"#));
    assert_eq!(before.rebooted(cluster), [first]);
    assert_parameter(cluster.host(first), DEFAULT);
    restore_unit(cluster);
    project.destroy().code(0);
    before.assert_restored(cluster);
    writer.finish();
}

/// What thins a line out: `sch_htb` and `cls_u32`, on any device, for one address.
const THIN: &str = "thin() {
    tc qdisc add dev $1 root handle 1: htb &&
    tc class add dev $1 parent 1: classid 1:2 htb rate 64kbit &&
    tc qdisc add dev $1 parent 1:2 pfifo limit 5 &&
    tc filter add dev $1 parent 1: protocol ip u32 match ip dst $2/32 flowid 1:2
}";

/// Returns whether the kernel can thin out a line, or what it says: tried for a moment on a host's loopback, for an address
/// that nobody uses.
fn can_thin_out(host: &Host) -> Result<(), String> {
    let tried = host.exec(&format!("{THIN}\nthin lo 127.0.0.2 && tc qdisc del dev lo root"));
    if tried.code == Some(0) {
        return Ok(());
    }
    let _ = host.exec("tc qdisc del dev lo root 2>/dev/null");
    let said = tried.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    Err(format!("no `sch_htb` and `cls_u32` in this kernel: {said}"))
}

/// The others can send a member only so little from now on that it cannot catch up, and still hears who leads. Whoever asks
/// it anything comes another way.
fn thin_out(cluster: &Cluster, name: &str) {
    let to = cluster.members()[name].ip();
    for host in cluster.lab().hosts().filter(|host| host.name() != name) {
        let script = format!(
            "{THIN}
            set -e
            dev=$(ip -o route get {to} | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')
            thin $dev {to}
            echo $dev >/run/thin"
        );
        let _ = host.exec(&script).success();
    }
}

fn restore_network(cluster: &Cluster, name: &str) {
    for host in cluster.lab().hosts().filter(|host| host.name() != name) {
        let _ = host.exec("tc qdisc del dev $(cat /run/thin) root && rm /run/thin").success();
    }
}

/// Writes more than a member that cannot catch up may be behind.
fn write_much(cluster: &Cluster, not_to: &str) {
    let value = "x".repeat(1000);
    cluster.within(|| {
        let mut others = cluster.members().iter().filter(|(name, _)| *name != not_to).cycle();
        for number in 0..400 {
            let (_, at) = others.next().unwrap();
            put(*at, &format!("much/{number}"), &value, LONG).unwrap();
        }
    });
}

#[test]
fn a_member_that_comes_back_behind_the_others_is_waited_for() {
    require_tier!(Tier::Nspawn);
    let (cluster, _turn) = cluster();
    skip_unless!(can_thin_out(cluster.host("etcd-1")));
    let before = Before::of(cluster);
    let [first, ..] = order(cluster)[..] else { unreachable!("three members") };
    let text = only(first, 8).replace(r#""3s""#, r#""20s""#);
    let project = Project::new(cluster.lab(), &text.replace(PROBED, &format!("{PROBED}    max_lag = 200\n")));
    let writer = Writer::start(cluster);
    let mut run = project.start("apply -auto-approve");
    wait_for(&mut run, "back from its reboot");
    thin_out(cluster, first);
    write_much(cluster, first);
    wait_for(&mut run, "entries behind)");
    assert!(cluster.statuses().contains_key(first), "it is up, and answers");
    restore_network(cluster, first);
    run.wait().code(0).says("its gates pass");
    assert_eq!(before.rebooted(cluster), [first]);
    assert_parameter(cluster.host(first), "8");
    project.destroy().code(0);
    before.assert_restored(cluster);
    writer.finish();
}

#[test]
fn a_member_that_does_not_come_back_is_named_and_taken_up_again() {
    require_tier!(Tier::Nspawn);
    let (cluster, _turn) = cluster();
    let before = Before::of(cluster);
    let host = cluster.host("etcd-2");
    let project = Project::new(cluster.lab(), &only("etcd-2", 8).replace(r#""3m""#, r#""20s""#));
    let writer = Writer::start(cluster);
    let mut run = project.start("apply -auto-approve");
    wait_for(&mut run, "reboot ordered");
    host.power_off();
    let off = Instant::now();
    wait_for(&mut run, "cannot be reached");
    println!("given up after {:?}", off.elapsed());
    // A person who sees this does not wait for it.
    run.interrupt();
    wait_for(&mut run, "Ctrl-C again");
    run.interrupt();
    let said = run.wait().code(4).says(r#"host.etcd["etcd-2"] is down"#).says("When it is back: tune apply");
    // How often it was tried is nobody's business.
    assert!(said.stdout.matches("trying again").count() < 10, "{}", said.stdout);
    println!("stopped after {:?}", off.elapsed());
    // Two members of three go on, if need be with a new leader.
    let written = writer.acknowledged();
    cluster.host("etcd-1").wait_until(LONG, "writes are taken", |_| writer.acknowledged() > written);
    project.plan().code(1).says("refuses connections");

    host.power_on();
    cluster.wait_until_healthy();
    project.apply().code(0);
    assert_parameter(host, "8");
    project.plan().code(0);
    project.destroy().code(0);
    before.assert_restored(cluster);
    writer.finish();
}

#[test]
fn a_gate_that_is_red_before_the_start_lets_nothing_begin() {
    require_tier!(Tier::Nspawn);
    let (cluster, _turn) = cluster();
    let before = Before::of(cluster);
    let host = cluster.host("etcd-3");
    let project = Project::new(cluster.lab(), EXAMPLE);
    let _ = host.exec("systemctl stop etcd.service").success();
    project.apply().code(6).says("check.etcd: Not healthy: etcd-3");
    project.run("check").code(6).says("check.etcd");
    before.assert_untouched(cluster);

    // Who knows better may leave the gate out; this change interrupts nothing.
    project.edit(&example_with(&[("for_each   = host.etcd", "for_each   = {}")]));
    project.run("apply -auto-approve -skip-gate=check.etcd").code(0).says("does not wait for check.etcd");
    project.run("history").code(0).says("apply -skip-gate=check.etcd");
    for host in cluster.lab().hosts() {
        assert_value(host, "net.core.somaxconn", "8192");
    }
    let _ = host.exec("systemctl start etcd.service").success();
    cluster.wait_until_healthy();
    project.run("check").code(0);
    project.destroy().code(0);
    before.assert_restored(cluster);
    assert_eq!(before.rebooted(cluster), [""; 0]);
}

#[test]
fn a_cluster_of_two_can_spare_nobody() {
    require_tier!(Tier::Nspawn);
    let pair = Cluster::start(&["pair-1", "pair-2"]);
    let text = example_with(&[(r#""etcd-1", "etcd-2", "etcd-3""#, r#""pair-1", "pair-2""#)]);
    let project = Project::new(pair.lab(), &text);
    let before = Before::of(&pair);
    project.plan().code(1).says("outage");
    project.apply().code(1).says("outage");
    before.assert_untouched(&pair);

    let accepted =
        text.replace("max_unavailable = 1", "max_unavailable = 1\n  lifecycle {\n    accept = [\"outage\"]\n  }");
    project.edit(&accepted);
    project.apply().code(0);
    assert_eq!(before.rebooted(&pair), ["pair-1", "pair-2"]);
    project.plan().code(0);
}

fn sorted<const N: usize>(mut names: [&str; N]) -> [&str; N] {
    names.sort_unstable();
    names
}
