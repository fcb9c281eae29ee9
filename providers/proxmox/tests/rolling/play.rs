//! One story: what goes wrong is drawn from its seed, then the runbook is applied, looked at, healed and applied again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;
use tune_core::plan::Operation;
use tune_core::state::RunResult;
use tune_engine::{MemberOutcome, Report, ResourceOutcome};
use tune_pve_sim::{Control, Fault, FaultKind, TaskFault};
use tune_testkit::random::Random;

use crate::lab::{Ended, Failed, Lab, NODES, TOGETHER, guest};

/// What was simulated.
#[derive(Default)]
pub(crate) struct Tally {
    stories: usize,
    machines: usize,
    cycles: usize,
    requests: usize,
    commands: usize,
    time: Duration,
    /// How the first commands ended.
    ends: BTreeMap<String, usize>,
}

impl Tally {
    /// Returns what both simulated.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.stories += other.stories;
        self.machines += other.machines;
        self.cycles += other.cycles;
        self.requests += other.requests;
        self.commands += other.commands;
        self.time += other.time;
        other.ends.into_iter().for_each(|(end, count)| *self.ends.entry(end).or_default() += count);
        self
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} stories of {} machines: {} commands, {} machines went down, {} requests, {} minutes",
            self.stories,
            self.machines,
            self.commands,
            self.cycles,
            self.requests,
            self.time.as_secs() / 60
        )?;
        self.ends.iter().try_for_each(|(end, count)| writeln!(f, "  {count:>6}  the first command: {end}"))
    }
}

/// Plays the story of a seed; panics where a law is broken.
pub(crate) fn play(seed: u64, count: u32) -> Tally {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(story(seed, count))
}

async fn story(seed: u64, count: u32) -> Tally {
    let began = Instant::now();
    let mut random = Random::new(seed);
    let mut lab = Lab::start(count, |cluster| cluster.seed(seed)).await;
    lab.configure();
    let first: BTreeMap<u32, String> =
        lab.vmids.iter().map(|vmid| (*vmid, lab.control.config(*vmid).unwrap())).collect();
    disturb(&lab, &mut random);
    let happens = tokio::spawn(happenings(lab.control.clone(), lab.vmids.clone(), random.number()));
    let ended = lab.run(&Operation::Apply).await;
    let end = accounted(&lab, &ended, &first, seed);
    happens.abort();
    heal(&lab).await;
    let commands = finish(&lab, seed).await;
    let watched = lab.watched.lock().unwrap();
    Tally {
        stories: 1,
        machines: lab.vmids.len(),
        cycles: watched.cycles,
        requests: lab.control.requests().len(),
        commands: commands + 1,
        time: began.elapsed(),
        ends: [(end, 1)].into(),
    }
}

/// Makes the cluster one on which things go wrong.
fn disturb(lab: &Lab, random: &mut Random) {
    let status = |code: u16, reason: &str| FaultKind::Status { code, reason: reason.to_owned() };
    let kinds = [
        FaultKind::LostBefore,
        FaultKind::LostAfter,
        FaultKind::Proxy596 { later: Duration::from_secs(2) },
        FaultKind::Proxy596 { later: Duration::from_secs(35) },
        status(595, "No route to host"),
        status(599, "Too many redirections"),
        FaultKind::Html,
        FaultKind::Delay(Duration::from_secs(3)),
    ];
    let chance = [0.0, 0.002, 0.01, 0.03][random.below(4)];
    for kind in kinds {
        if chance > 0.0 && random.below(3) > 0 {
            lab.control.add_fault(Fault::new(kind).chance(chance));
        }
    }
    for vmid in &lab.vmids {
        let seconds = [1.0, 2.0, 5.0, 20.0, 100.0, 250.0][random.below(6).min(random.below(6))];
        let (no_second_half, delay) = (random.below(8) == 0, [0.5, 1.0, 6.0][random.below(3)]);
        lab.control.set_flags(*vmid, |flags| {
            flags.guest_shutdown_seconds = seconds;
            flags.restart_delay_seconds = delay;
            flags.no_restart_leg = no_second_half;
        });
        match random.below(40) {
            0 => lab.control.hold_lock(*vmid, Duration::from_secs(25)),
            1 => lab.control.set_lock(*vmid, Some("backup")),
            2 => lab.control.set_flags(*vmid, |flags| flags.guest_ignores_shutdown = true),
            3 => lab.control.set_flags(*vmid, |flags| flags.start_fails = true),
            _ => {}
        }
        let fault = match random.below(20) {
            0 => TaskFault::new("qmstart", "start failed: QEMU exited with code 1"),
            1 => TaskFault::new("qmreboot", "VM quit/powerdown failed"),
            _ => continue,
        };
        lab.control.add_task_fault(fault.vmid(*vmid).times(1));
    }
}

/// What others do meanwhile: backups end and begin, machines migrate.
async fn happenings(control: Control, vmids: Vec<u32>, seed: u64) {
    let mut random = Random::new(seed);
    loop {
        tokio::time::sleep(Duration::from_secs(5 + random.below(60) as u64)).await;
        let vmid = *random.pick(&vmids);
        match random.below(4) {
            0 => vmids.iter().for_each(|vmid| control.set_lock(*vmid, None)),
            1 => control.hold_lock(vmid, Duration::from_secs(random.below(20) as u64)),
            _ => {
                let to = NODES[random.below(NODES.len())];
                if control.node_of(vmid).as_deref() != Some(to) {
                    control.migrate(vmid, to);
                }
            }
        }
    }
}

async fn heal(lab: &Lab) {
    lab.control.clear_faults();
    lab.control.clear_task_faults();
    for vmid in &lab.vmids {
        lab.control.set_lock(*vmid, None);
        lab.control.release_lock(*vmid);
        lab.control.set_flags(*vmid, |flags| *flags = tune_pve_sim::Flags::default());
    }
    tokio::time::sleep(Duration::from_mins(10)).await;
    // Whoever is named as down is started by a person.
    for vmid in &lab.vmids {
        if !lab.control.is_running(*vmid) {
            let _ = lab.control.start(*vmid);
        }
    }
    tokio::time::sleep(Duration::from_mins(1)).await;
}

/// What a machine has and runs, without the order of anything.
fn spot(control: &Control, vmid: u32) -> (BTreeSet<String>, Option<BTreeSet<String>>) {
    let lines = |text: &str| -> BTreeSet<String> {
        let section = text.lines().filter(|line| !line.is_empty() && !line.starts_with("lock:"));
        section.map(str::to_owned).collect()
    };
    let runs = control.started_with(vmid).map(|options| {
        options.iter().filter(|(key, _)| *key != "lock").map(|(key, value)| format!("{key}: {value}")).collect()
    });
    (lines(&control.config(vmid).unwrap()), runs)
}

fn has_new(lines: &BTreeSet<String>) -> bool {
    let disk = lines.iter().find(|line| line.starts_with("scsi0: "));
    lines.contains("cores: 4")
        && lines.contains("onboot: 1")
        && disk.is_some_and(|disk| disk.contains("cache=writeback") && disk.contains("iothread=1"))
}

/// Checks the laws after the first command; returns how it ended.
fn accounted(lab: &Lab, ended: &Ended, first: &BTreeMap<u32, String>, seed: u64) -> String {
    let most = lab.watched.lock().unwrap().most;
    assert!(most <= TOGETHER, "seed {seed}: {most} were down at a time");
    let report = match &ended.outcome {
        Ok(report) => report,
        // Nothing was begun, so everything is as it was.
        Err(failed) => {
            for vmid in &lab.vmids {
                assert!(is_old(lab, first, *vmid), "seed {seed}: VM {vmid} changed although {failed:?}");
            }
            return match failed {
                Failed::Plan(_) => "no plan".to_owned(),
                Failed::Run(_) => "not begun".to_owned(),
            };
        }
    };
    for vmid in &lab.vmids {
        let is_so = is_old(lab, first, *vmid) || is_new(lab, *vmid);
        assert!(
            is_so || is_named(report, *vmid),
            "seed {seed}: VM {vmid} is neither as before nor as wanted, and nobody says so: {:?} {:?}\n{:?}",
            spot(&lab.control, *vmid),
            member(report, *vmid),
            report.result
        );
        if matches!(member(report, *vmid), Some(MemberOutcome::Done { .. })) {
            assert!(is_new(lab, *vmid), "seed {seed}: VM {vmid} is said to be done: {:?}", spot(&lab.control, *vmid));
        }
        if matches!(member(report, *vmid), Some(MemberOutcome::PutBack { .. } | MemberOutcome::Untouched))
            && !is_named(report, *vmid)
        {
            assert!(
                is_old(lab, first, *vmid),
                "seed {seed}: VM {vmid} is said to be as before: {:?}",
                spot(&lab.control, *vmid)
            );
        }
    }
    format!("{:?}{}", report.result, if report.open { ", open" } else { "" })
}

fn is_old(lab: &Lab, first: &BTreeMap<u32, String>, vmid: u32) -> bool {
    let (config, runs) = spot(&lab.control, vmid);
    let was: BTreeSet<String> = first[&vmid].lines().map(str::to_owned).collect();
    config == was && runs == Some(was)
}

fn is_new(lab: &Lab, vmid: u32) -> bool {
    let (config, runs) = spot(&lab.control, vmid);
    has_new(&config) && !config.contains("[PENDING]") && runs.is_some_and(|runs| has_new(&runs))
}

fn member(report: &Report, vmid: u32) -> Option<&MemberOutcome> {
    report.members.iter().find(|member| member.host == guest(vmid)).map(|member| &member.outcome)
}

/// Whether the report says of a machine that it is neither as before nor as wanted.
fn is_named(report: &Report, vmid: u32) -> bool {
    let address = tune_core::Address::new("proxmox_vm", format!("vm{vmid}").as_str());
    report.away.contains_key(&guest(vmid))
        || matches!(member(report, vmid), Some(MemberOutcome::Failed { .. } | MemberOutcome::Down { .. }))
        || matches!(
            report.resources.get(&address),
            Some(ResourceOutcome::Stuck { .. } | ResourceOutcome::Unknown { .. })
        )
}

/// On a cluster that has healed, the same command comes to a good end; returns how often it was given.
async fn finish(lab: &Lab, seed: u64) -> usize {
    for command in 1..=4 {
        let ended = lab.run(&Operation::Apply).await;
        let most = lab.watched.lock().unwrap().most;
        assert!(most <= TOGETHER, "seed {seed}: {most} were down at a time");
        if ended.outcome.as_ref().is_ok_and(|report| report.result == RunResult::Done && !report.open) {
            for vmid in &lab.vmids {
                assert!(is_new(lab, *vmid), "seed {seed}: VM {vmid} after all: {:?}", spot(&lab.control, *vmid));
            }
            let plan = lab.plan(&Operation::Apply).await.unwrap();
            assert!(!plan.has_work(), "seed {seed}: there is still something to do");
            return command;
        }
        assert!(command < 4, "seed {seed}: it never came to a good end: {ended:?}");
    }
    unreachable!("the last one returns or fails")
}
