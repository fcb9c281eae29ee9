//! What can happen in a story. Actions are plain data, chosen before anything runs, so that a story can be cut shorter and
//! still means the same.

use std::time::Duration;

use tune_testkit::faults::{Call, Fate, Fault, ItemFault, Moment};
use tune_testkit::param::{self, KEYS, OPTIONS};
use tune_testkit::random::Random;
use tune_testkit::world::{self, Happening};

use crate::build::{API, Blueprint, GROUPS, Size};

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// A parameter gets a value in the configuration, on these machines.
    Want { machines: Vec<String>, key: &'static str, value: &'static str },
    /// An option gets a value in the configuration, for these guests.
    Option { guests: Vec<String>, option: &'static str, value: &'static str },
    /// A parameter leaves the configuration.
    Unwant { machines: Vec<String>, key: &'static str },
    /// `tune apply`, with `-target` where only these machines are meant.
    Apply(Vec<String>),
    /// `tune destroy`, with `-target` where only these machines are meant.
    Destroy(Vec<String>),
    /// `tune rollback` of the run that is so many before the latest one.
    RollBack(u64),
    /// A fault waits for the next command.
    Fault(Moment, Fault),
    /// Something happens by itself, so long after the next command begins.
    Happens(Duration, Happening),
    /// Ctrl-C is pressed so often while the next command runs.
    Stop(Vec<Duration>),
    /// Time passes.
    Sleep(Duration),
    /// Somebody looks after the machines.
    Heal,
}

impl Action {
    pub(crate) fn is_command(&self) -> bool {
        matches!(self, Self::Apply(_) | Self::Destroy(_) | Self::RollBack(_))
    }

    /// Returns a story.
    pub(crate) fn story(blueprint: &Blueprint, size: Size) -> Vec<Self> {
        let random = &mut Random::new(blueprint.seed);
        let rounds = if size == Size::Small { 2 + random.below(3) } else { 1 };
        let mut story = Vec::new();
        for _ in 0..rounds {
            for _ in 0..=random.below(2) {
                story.push(Self::edit(blueprint, random));
            }
            for _ in 0..random.below(5) {
                story.push(Self::trouble(blueprint, random));
            }
            story.push(match random.below(10) {
                0 => Self::Destroy(Vec::new()),
                1 => Self::Destroy(Self::part(blueprint, random)),
                2 => Self::Apply(Self::part(blueprint, random)),
                3 => Self::RollBack(random.number() % 2),
                _ => Self::Apply(Vec::new()),
            });
            match random.below(3) {
                0 => story.push(Self::Heal),
                1 => story.push(Self::Sleep(Duration::from_secs(random.number() % 900))),
                _ => {}
            }
        }
        story
    }

    /// Some machines: often the hypervisors alone.
    fn part(blueprint: &Blueprint, random: &mut Random) -> Vec<String> {
        match random.below(3) {
            0 => blueprint.hypervisors.clone(),
            1 => vec![random.pick(&blueprint.hypervisors).clone()],
            _ => vec![random.pick(&blueprint.machines()).clone(), random.pick(&blueprint.machines()).clone()],
        }
    }

    fn edit(blueprint: &Blueprint, random: &mut Random) -> Self {
        let machines = match random.below(8) {
            0 => vec![random.pick(&blueprint.machines()).clone()],
            1 => blueprint.hypervisors.clone(),
            2 => blueprint.guests.keys().cloned().collect(),
            _ => blueprint.groups.get(*random.pick(&GROUPS)).unwrap_or(&blueprint.groups[GROUPS[0]]).clone(),
        };
        let value = *random.pick(&["v1", "v2", "v3"]);
        let key = *random.pick(&["boot.a", "boot.a", "image.a", "restart.a", "reload.a", "live.a"]);
        match random.below(10) {
            0 => Self::Unwant { machines, key },
            1 | 2 => {
                let guests = machines.into_iter().filter(|name| blueprint.guests.contains_key(name)).collect();
                Self::Option { guests, option: random.pick::<&str>(&OPTIONS), value }
            }
            3 => Self::Want { machines: vec![random.pick(&machines).clone()], key: "boot.a", value: "bad" },
            _ => Self::Want { machines, key, value },
        }
    }

    fn trouble(blueprint: &Blueprint, random: &mut Random) -> Self {
        let delay = Duration::from_millis(random.number() % 600_000);
        let machines = blueprint.machines();
        match random.below(16) {
            0..7 => Self::fault(&machines, random),
            7 => {
                let second = delay + Duration::from_millis(1 + random.number() % 60_000);
                Self::Stop(if random.below(2) == 0 { vec![delay] } else { vec![delay, second] })
            }
            _ => Self::Happens(delay, happening(blueprint, &machines, random)),
        }
    }

    fn fault(machines: &[String], random: &mut Random) -> Self {
        let name = if random.below(6) == 0 { API.to_owned() } else { random.pick(machines).clone() };
        let nth = random.below(4);
        let dies = Fate::Dies;
        let (call, nth) = match random.below(12) {
            0 => (Call::Read(name), 2 + nth),
            1 => (Call::Fence(name), nth / 2),
            2 | 3 => (Call::Sight(name), random.below(12)),
            4..7 => (Call::Activate(name), nth / 2),
            7 | 8 => (Call::Journal, random.below(30)),
            9 => (Call::Commit, 0),
            _ => (Call::Apply(name), nth / 2),
        };
        let after = random.below(2);
        let is_batch = matches!(call, Call::Apply(_));
        let is_order = matches!(call, Call::Activate(_));
        let is_store = matches!(call, Call::Journal | Call::Commit);
        let fault = match random.below(10) {
            0 => Fault::Refused,
            1 | 2 if !is_store => Fault::Hang { after },
            3 if is_order || is_batch => {
                Fault::Lost { after: 0, then: Fate::StartsLate { calls: *random.pick(&[1, 20, 60]) } }
            }
            4 if is_batch => Fault::Item { index: 0, how: *random.pick(&[ItemFault::Refused, ItemFault::Half]) },
            5 if is_batch => Fault::Drift,
            6 | 7 => Fault::Lost { after: after * 9, then: dies },
            _ => Fault::Killed { after: after * 9, then: dies },
        };
        Self::Fault(Moment { call, nth }, fault)
    }
}

fn happening(blueprint: &Blueprint, machines: &[String], random: &mut Random) -> Happening {
    let name = random.pick(machines).clone();
    let guests: Vec<&String> = blueprint.guests.keys().collect();
    let guest = (*random.pick(&guests)).clone();
    match random.below(12) {
        0 | 1 => {
            let back = (random.below(3) > 0).then(|| Duration::from_secs(30 + random.number() % 900));
            Happening::Crash { name, back }
        }
        2 => Happening::Sick(guest),
        3 => Happening::Cured(guest),
        4 | 5 => Happening::Moves { guest, to: random.pick(&blueprint.hypervisors).clone() },
        6 => {
            let key = *random.pick(&KEYS);
            let raw = param::file(key, "theirs");
            Happening::Drifts { name: guest, kind: "param", key: key.into(), raw }
        }
        _ => {
            let fate = match random.below(6) {
                0 | 1 => world::Fate::Takes(Duration::from_secs(100 + random.number() % 900)),
                2 | 3 => world::Fate::Never,
                4 => world::Fate::KeepsOld,
                _ => world::Fate::LosesValues,
            };
            Happening::Meets(name, fate)
        }
    }
}
