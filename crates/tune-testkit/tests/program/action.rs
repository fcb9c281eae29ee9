//! What can happen in a random program. Actions are plain data, chosen before anything runs, so that a program can be cut
//! shorter and still means the same.

use tune_testkit::faults::{Call, Fate, Fault, ItemFault, Moment};
use tune_testkit::random::Random;

/// The hosts of every program.
pub(crate) const HOSTS: [&str; 3] = ["doe", "elk", "fawn"];
/// The resources that a configuration may have. Later ones may depend on earlier ones.
pub(crate) const RESOURCES: [&str; 4] = ["r0", "r1", "r2", "r3"];

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// A resource is written, in place of one of the same name.
    Write {
        resource: usize,
        host: usize,
        settings: Vec<(&'static str, &'static str)>,
        depends_on: Option<usize>,
    },
    /// A resource is taken out of the configuration.
    Remove {
        resource: usize,
    },
    /// A resource gets another name.
    Rename {
        from: usize,
        to: usize,
    },
    /// `tune apply`, of one resource or of all.
    Apply {
        target: Option<usize>,
    },
    /// `tune destroy`, of one resource or of all.
    Destroy {
        target: Option<usize>,
    },
    /// `tune rollback` of the run that is so many before the latest one.
    RollBack {
        back: u64,
        through: bool,
    },
    /// `tune apply -refresh-only`.
    Refresh,
    /// A person changes a value.
    Drift {
        host: usize,
        key: &'static str,
        value: &'static str,
    },
    /// A person edits the file of a resource, or deletes it.
    Edit {
        host: usize,
        resource: usize,
        delete: bool,
    },
    /// A machine reboots.
    Reboot {
        host: usize,
    },
    /// A machine goes away, or comes back.
    Away {
        host: usize,
    },
    Back {
        host: usize,
    },
    /// A clone with other keys answers for one command.
    Impostor {
        host: usize,
    },
    /// Time passes.
    Pass,
    /// A fault waits for the next command.
    Fault(Moment, Fault),
    /// The state is lost, and rebuilt from the hosts.
    LoseState,
}

impl Action {
    /// Returns a program.
    pub(crate) fn program(random: &mut Random) -> Vec<Self> {
        let length = 4 + random.below(14);
        let mut program: Vec<Self> = (0..2).map(|resource| Self::write(random, resource)).collect();
        for _ in 0..length {
            program.push(Self::any(random));
            // Most faults would wait for a command that never comes.
            if matches!(program.last(), Some(Self::Fault(..))) {
                program.push(Self::command(random));
            }
        }
        program
    }

    fn any(random: &mut Random) -> Self {
        let host = random.below(HOSTS.len());
        match random.below(40) {
            0..8 => {
                let resource = random.below(RESOURCES.len());
                Self::write(random, resource)
            }
            8..10 => Self::Remove { resource: random.below(RESOURCES.len()) },
            10 => Self::Rename { from: random.below(RESOURCES.len()), to: random.below(RESOURCES.len()) },
            11..17 => Self::command(random),
            17..20 => {
                let (key, values) = *random.pick(KEYS);
                Self::Drift { host, key, value: random.pick::<&str>(values) }
            }
            20 => Self::Edit { host, resource: random.below(RESOURCES.len()), delete: random.below(2) == 0 },
            21..23 => Self::Reboot { host },
            23 => Self::Away { host },
            24 => Self::Back { host },
            25 => Self::Impostor { host },
            26 => Self::Pass,
            27 => Self::LoseState,
            _ => {
                let (moment, fault) = fault(random);
                Self::Fault(moment, fault)
            }
        }
    }

    fn write(random: &mut Random, resource: usize) -> Self {
        let keys = 1 + random.below(3);
        // Resources with numbers of one parity may claim the same item; then the plan is refused.
        let mine: Vec<_> = KEYS.iter().enumerate().filter(|(place, _)| place % 2 == resource % 2).collect();
        let settings = (0..keys).map(|_| {
            let (_, (key, values)) = *random.pick(&mine);
            (*key, *random.pick(values))
        });
        let mut settings: Vec<_> = settings.collect();
        settings.sort_unstable();
        settings.dedup_by_key(|(key, _)| *key);
        let depends_on = (resource > 0 && random.below(2) == 0).then(|| random.below(resource));
        Self::Write { resource, host: random.below(HOSTS.len()), settings, depends_on }
    }

    fn command(random: &mut Random) -> Self {
        let target = (random.below(4) == 0).then(|| random.below(RESOURCES.len()));
        match random.below(12) {
            0 => Self::Destroy { target },
            1 | 2 => Self::RollBack { back: random.number() % 3, through: random.below(2) == 0 },
            3 => Self::Refresh,
            _ => Self::Apply { target },
        }
    }
}

/// Keys with values that somebody may want: some are clamped or refused, some need a consent.
const KEYS: &[(&str, &[&str])] = &[
    ("plain.a", &["10", "11", "012", "60"]),
    ("plain.b", &["1 2 3", "4 5 6", "4096 87380"]),
    ("clamp.a", &["5", "50", "150"]),
    ("strict.a", &["5", "50", "500"]),
    ("pair.ratio", &["5", "7", "20"]),
    ("pair.bytes", &["4096", "8192"]),
    ("size.a", &["500", "2000", "3000"]),
    ("plain.c", &["on", "off", "auto"]),
    ("net.door", &["ajar", "open", "wide", "shut"]),
];

fn fault(random: &mut Random) -> (Moment, Fault) {
    let name = (*random.pick(&HOSTS)).to_owned();
    let (after, index, nth) = (random.below(8), random.below(4), random.below(3));
    let calls = *random.pick(&[1, 3, 60]);
    let call = match random.below(12) {
        0 => Call::Read(name),
        1 | 2 => Call::Fence(name),
        3 => Call::Confirm(name),
        4 | 5 => Call::Journal,
        6 => Call::Commit,
        7 => Call::Export,
        _ => Call::Apply(name),
    };
    let batch = matches!(call, Call::Apply(_));
    let then = match random.below(4) {
        0 if batch => Fate::GoesOn { calls },
        1 if batch => Fate::StartsLate { calls },
        _ => Fate::Dies,
    };
    // What has not begun has done nothing.
    let after = if matches!(then, Fate::StartsLate { .. }) { 0 } else { after };
    let fault = match random.below(12) {
        0 => Fault::Refused,
        1 | 2 => Fault::Lost { after, then },
        3 if batch => Fault::CutShort { after, then },
        4 => Fault::Reboot { after },
        5..8 if batch => {
            let how = [ItemFault::Refused, ItemFault::FailsAfterEffect, ItemFault::Half, ItemFault::Mute];
            Fault::Item { index, how: *random.pick(&how) }
        }
        8 if batch => Fault::DiskFull,
        9 if batch => Fault::Drift,
        _ => Fault::Killed { after, then },
    };
    (Moment { call, nth: if batch { nth.saturating_sub(1) } else { nth } }, fault)
}
