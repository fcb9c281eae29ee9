//! Runs that are killed, cut off or interrupted, at any moment: the next command looks behind a fence, settles what was
//! left open and says so, and a destroy still restores everything.

use std::time::Instant;

use super::*;

#[test]
fn an_effect_that_arrives_after_the_kill_is_waited_for() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    let hold = host.hold_sysctl("vm.swappiness");
    let run = project.start("apply -auto-approve");
    assert!(hold.wait_for_writer(SOON));
    run.kill();
    // A plan touches nothing, and says that a run is open.
    project.plan().code(2).says("began run 1 (apply)").says("original, 60, is taken from the host's ledger");

    let sessions = host.sessions();
    let next = project.start("apply -auto-approve");
    host.wait_until(SOON, "the next run looks at the host", |host| host.sessions() > sessions);
    assert_value(host, "vm.swappiness", "60");
    hold.release();
    next.wait().code(0).says("Run 1 (apply by tester@");
    assert_value(host, "vm.swappiness", "10");
    project.plan().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn a_destroy_after_a_kill_knows_the_originals() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    for key in ["vm.dirty_background_ratio", "vm.swappiness"] {
        let project = Project::new(&lab, &one(RUNBOOK));
        let hold = host.hold_sysctl(key);
        let run = project.start("apply -auto-approve");
        assert!(hold.wait_for_writer(SOON));
        run.kill();
        hold.release();
        project.destroy().code(0);
        host.assert_as(&before);
    }
}

#[test]
fn a_killed_destroy_is_taken_up_again() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    for key in ["vm.dirty_background_ratio", "vm.swappiness"] {
        let project = Project::new(&lab, &one(RUNBOOK));
        project.apply().code(0);
        let hold = host.hold_sysctl(key);
        let run = project.start("destroy -auto-approve");
        assert!(hold.wait_for_writer(SOON));
        run.kill();
        hold.release();
        project.destroy().code(0);
        host.assert_as(&before);
        assert_eq!(project.run("state list").code(0).stdout, "");
    }
}

#[test]
fn a_configuration_that_changed_after_the_kill_keeps_the_first_original() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(r#""vm.swappiness" = 10"#));
    let hold = host.hold_sysctl("vm.swappiness");
    let run = project.start("apply -auto-approve");
    assert!(hold.wait_for_writer(SOON));
    run.kill();
    hold.release();
    project.edit(&one(r#""vm.swappiness" = 12"#));
    project.apply().code(0);
    assert_value(host, "vm.swappiness", "12");
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn a_host_that_is_gone_after_the_kill_keeps_its_run_open() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    let hold = host.hold_sysctl("vm.swappiness");
    let run = project.start("apply -auto-approve");
    assert!(hold.wait_for_writer(SOON));
    run.kill();
    drop(hold);
    host.power_off();
    // Nothing new starts while what became of the old run is not known.
    let mut stopped = project.start("apply -auto-approve");
    thread_sleep_until(|| stopped.said().contains("Run 1") || stopped.has_ended());
    stopped.interrupt();
    stopped.interrupt();
    stopped.wait().code(4);
    host.power_on();
    project.apply().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}

fn thread_sleep_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < SOON);
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn kills_at_any_moment_lose_nothing() {
    require_tier!(Tier::Sshd);
    let lab = Lab::create(Tier::Sshd, &["fawn", "doe", "stag"]);
    let before: Vec<_> = lab.hosts().map(Host::snapshot).collect();
    let seed = match std::env::var("TUNE_SEED") {
        Ok(seed) => seed.parse().expect("TUNE_SEED is a number"),
        Err(_) => u64::from(std::process::id()) * 1_000_003 + 1,
    };
    let rounds: u64 = std::env::var("TUNE_KILLS").map_or(8, |rounds| rounds.parse().expect("TUNE_KILLS is a number"));
    println!("TUNE_SEED={seed}");
    let mut random = Random(seed);
    let text = |settings: &str| {
        let names = ["fawn", "doe", "stag"];
        hosts(&names) + &names.map(|name| sysctl(name, name, settings, "")).concat()
    };
    let (first, second) = (text(RUNBOOK), text(r#""vm.swappiness" = 5, "vm.max_map_count" = 262144"#));
    let project = Project::new(&lab, &first);
    let start = Instant::now();
    project.apply().code(0);
    let whole = start.elapsed();
    project.destroy().code(0);
    for round in 0..rounds {
        for (arguments, text) in
            [("apply -auto-approve", &first), ("apply -auto-approve", &second), ("destroy -auto-approve", &second)]
        {
            project.edit(text);
            let run = project.start(arguments);
            // Any moment of a run: this is the fault and waits for nothing.
            let moment = whole.mul_f64(random.fraction());
            std::thread::sleep(moment);
            run.kill();
            println!("round {round}: {arguments} was killed after {moment:?}");
        }
        if round % 2 == 0 {
            project.apply().code(0);
            project.plan().code(0);
        }
        project.destroy().code(0);
        for (host, before) in lab.hosts().zip(&before) {
            host.assert_as(before);
        }
        assert_eq!(project.run("state list").code(0).stdout, "");
    }
}

/// A generator whose numbers are the same for the same seed.
struct Random(u64);

impl Random {
    fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

#[test]
fn a_cut_connection_is_looked_at_and_the_run_goes_on() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    for arguments in ["apply -auto-approve", "destroy -auto-approve"] {
        let hold = host.hold_sysctl("vm.swappiness");
        let run = project.start(arguments);
        assert!(hold.wait_for_writer(SOON));
        let sessions = host.sessions();
        host.cut_ssh();
        host.wait_until(SOON, "the run looks at the host again", |host| host.sessions() > sessions);
        hold.release();
        if run.wait().one_of(&[0, 3]).0 == 3 {
            project.run(arguments).code(0);
        }
    }
    host.assert_as(&before);
}

#[test]
fn a_reboot_in_the_middle_is_survived() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    let hold = host.hold_sysctl("vm.swappiness");
    let run = project.start("apply -auto-approve");
    assert!(hold.wait_for_writer(SOON));
    // What holds the file open ends with the host.
    drop(hold);
    host.reboot();
    run.wait().one_of(&[0, 3]);
    project.apply().code(0);
    project.plan().code(0);
    host.reboot();
    project.plan().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn ctrl_c_once_finishes_what_runs_and_starts_nothing_more() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let text = hosts(&["fawn"])
        + &sysctl("base", "fawn", r#""vm.swappiness" = 10"#, "")
        + &sysctl("upper", "fawn", r#""vm.dirty_ratio" = 5"#, "depends_on = [sysctl.base]");
    let project = Project::new(&lab, &text);
    let hold = host.hold_sysctl("vm.swappiness");
    let run = project.start("apply -auto-approve");
    assert!(hold.wait_for_writer(SOON));
    run.interrupt();
    hold.release();
    run.wait().code(5).says("sysctl.upper");
    assert_value(host, "vm.swappiness", "10");
    assert_value(host, "vm.dirty_ratio", "20");
    assert_eq!(project.run("state list").code(0).stdout, "sysctl.base\n");
    project.apply().code(0);
    assert_value(host, "vm.dirty_ratio", "5");
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn ctrl_c_twice_stops_at_once_and_the_next_run_settles() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    let hold = host.hold_sysctl("vm.swappiness");
    let mut run = project.start("apply -auto-approve");
    assert!(hold.wait_for_writer(SOON));
    run.interrupt();
    run.wait_for("Ctrl-C");
    run.interrupt();
    thread_sleep_until(|| run.has_ended());
    run.wait().code(4).says("sysctl.etcd");
    hold.release();
    project.apply().code(0).says("Run 1 (apply by tester@");
    project.plan().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
    assert!(project.left_behind().is_empty(), "{:?}", project.left_behind());
}

#[test]
fn ctrl_c_while_planning_ends_at_once() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    host.silence_ssh();
    for arguments in ["plan", "apply -auto-approve"] {
        let connections = host.connections();
        let mut run = project.start(arguments);
        host.wait_until(SOON, "the host is called", |host| host.connections() > connections);
        run.interrupt();
        thread_sleep_until(|| {
            run.interrupt();
            run.has_ended()
        });
        run.wait().code(1);
    }
    host.start_ssh();
    host.assert_as(&before);
    project.apply().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}
