//! Random programs: any sequence of edits, applies, drifts, faults, kills, reboots, lost states, rollbacks and destroys
//! over an in-memory fleet ends, after a final destroy, with every reachable host as it was; what somebody else changed is
//! intact and named.
//!
//! `TUNE_SEEDS=n` runs n programs instead of the usual ones, `TUNE_SEED=n` one, with its story. A failure prints its seed
//! and the shortest program that still fails.

mod action;
mod play;

use std::collections::BTreeSet;
use std::env;

use action::Action;
use play::play;
use tune_testkit::random::Random;

/// Seeds of the ordinary test.
const SEEDS: u64 = 1000;

/// What must have happened at least once over the ordinary seeds, or the programs try less than they seem to.
const SOMETIMES: &[&str] = &[
    "refused",
    "lost",
    "lost, script goes on",
    "lost, script starts late",
    "cut short",
    "killed",
    "killed, script goes on",
    "killed, script starts late",
    "reboot in the middle",
    "item refused",
    "item fails after its effect",
    "item half done",
    "item's answer lost",
    "disk full",
    "drift between plan and write",
    "a script ended late",
    "a script was shut out by its epoch",
    "a fence waited for a script",
    "a fence was not to be had",
    "a foreign value was left alone",
    "a value was clamped",
    "a detached restore fired",
    "a machine rebooted",
    "a run was done",
    "a run was undone",
    "a run was partly done",
    "a run was stuck",
    "a resource was stuck",
    "an open run was settled",
    "an open run could not be settled yet",
    "a conflict was named",
    "a revert was owed",
    "a plan was refused",
    "another machine was refused",
    "a state was rebuilt from hosts",
    "a rollback was done",
];

#[test]
fn any_program_can_be_undone() {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let one = number("TUNE_SEED");
    let seeds = one.map_or_else(|| 0..number("TUNE_SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1);
    let mut events = BTreeSet::new();
    let mut actions = 0;
    let mut commands = 0;
    for seed in seeds.clone() {
        let program = Action::program(&mut Random::new(seed));
        actions += program.len();
        let played = play(&program, one.is_some());
        commands += played.commands;
        if let Err(failure) = played.result {
            let program = shortest(program);
            let story = play(&program, true).result.err().unwrap_or(failure);
            panic!("seed {seed} fails (TUNE_SEED={seed}); the shortest program that does:\n{program:#?}\n{story}");
        }
        events.extend(played.events);
    }
    let number = seeds.end - seeds.start;
    eprintln!("{number} programs, {actions} actions, {commands} commands, {} kinds of event", events.len());
    if number >= SEEDS {
        let never: Vec<_> = SOMETIMES.iter().filter(|event| !events.contains(*event)).collect();
        assert!(never.is_empty(), "these never happened, so they were not tried: {never:?}\nof {events:?}");
    }
}

/// The same program gives the same story: nothing depends on a clock, on an address or on an order by chance.
#[test]
fn a_program_always_plays_the_same() {
    for seed in 0..10 {
        let program = Action::program(&mut Random::new(seed));
        assert_eq!(play(&program, false).trace, play(&program, false).trace, "seed {seed}");
    }
}

/// Returns the shortest part of a failing program that still fails: first its beginning, then without single actions.
fn shortest(mut program: Vec<Action>) -> Vec<Action> {
    let fails = |program: &[Action]| play(program, false).result.is_err();
    let end = (0..program.len()).find(|end| fails(&program[..*end])).unwrap_or(program.len());
    program.truncate(end);
    let mut place = 0;
    while place < program.len() {
        let mut without = program.clone();
        without.remove(place);
        if fails(&without) {
            program = without;
        } else {
            place += 1;
        }
    }
    program
}
