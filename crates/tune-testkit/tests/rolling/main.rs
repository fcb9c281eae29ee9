//! Random stories of rolling: fleets of up to two hundred members on hypervisors, in groups that vote; values that count
//! from the next boot; machines that come back late, never, or as they were; guests that move; a process that dies.
//! Whenever something goes down the world itself checks that no group loses more members than it can spare. After each
//! command what it says of its members is so, and at the end everything comes to its end and can be put back.
//!
//! `TUNE_SEEDS=n` plays n small stories instead of the usual ones (and one large one for thirty small ones),
//! `TUNE_SEEDS=m..n` those from m on, `TUNE_SEED=n` one small one aloud, `TUNE_LARGE=n` one large one aloud. A failure
//! prints its seed and the shortest story that still fails.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken test ends and says why")]
#![expect(clippy::print_stderr, reason = "a test says what it simulated")]

mod action;
mod build;
mod play;
mod sweep;

use std::collections::BTreeMap;
use std::env;
use std::ops::Range;
use std::time::Duration;

use action::Action;
use build::{Blueprint, Size};
use play::play;
use tune_testkit::faults::{Call, Fault, Moment};
use tune_testkit::world::Happening;

/// Stories of the ordinary test.
const SMALL: u64 = 200;
const LARGE: u64 = 8;

/// What was simulated.
#[derive(Default)]
struct Tally {
    stories: u64,
    commands: usize,
    steps: usize,
    activations: usize,
    members: usize,
    biggest: usize,
    time: Duration,
    counts: BTreeMap<&'static str, usize>,
}

impl Tally {
    fn play(&mut self, seed: u64, size: Size, aloud: bool) {
        let blueprint = Blueprint::new(seed, size);
        let story = Action::story(&blueprint, size);
        let played = play(&blueprint, &story, aloud);
        let name = if size == Size::Small { "TUNE_SEED" } else { "TUNE_LARGE" };
        if let Err(failure) = played.result {
            // Telling a large one again and again would take all night.
            let is_small = size == Size::Small;
            let story = if is_small { shortest(&blueprint, story) } else { story };
            let told = is_small.then(|| play(&blueprint, &story, false).result.err()).flatten().unwrap_or(failure);
            panic!(
                "story {seed} fails ({name}={seed}); the shortest one that does:\n{story:#?}\n{blueprint:#?}\n{told}"
            );
        }
        let members: usize = blueprint.groups.values().map(Vec::len).sum();
        self.stories += 1;
        self.commands += played.commands;
        self.steps += played.steps;
        self.activations += played.activations;
        self.members += members;
        self.biggest = self.biggest.max(members);
        self.time += played.time;
        for (event, count) in played.counts {
            *self.counts.entry(event).or_default() += count;
        }
    }

    fn print(&self, what: &str) {
        eprintln!(
            "{what}: {} stories, {} commands, {} items written, {} activations, {} members (at most {} together), {} days",
            self.stories,
            self.commands,
            self.steps,
            self.activations,
            self.members,
            self.biggest,
            self.time.as_secs() / 86400
        );
        for (event, count) in &self.counts {
            eprintln!("  {count:>8}  {event}");
        }
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Which stories to play, where it is said.
fn seeds() -> Option<Range<u64>> {
    let text = env::var("TUNE_SEEDS").ok()?;
    let (first, end) = text.split_once("..").unwrap_or(("0", &text));
    Some(first.parse().ok()?..end.parse().ok()?)
}

#[test]
fn no_small_group_is_ever_broken() {
    let mut tally = Tally::default();
    let one = number("TUNE_SEED");
    for seed in one.map_or_else(|| seeds().unwrap_or(0..SMALL), |seed| seed..seed + 1) {
        tally.play(seed, Size::Small, one.is_some());
    }
    tally.print("small fleets");
}

#[test]
fn no_large_group_is_ever_broken() {
    let mut tally = Tally::default();
    let one = number("TUNE_LARGE");
    let usual = || seeds().map_or(0..LARGE, |seeds| seeds.start / 30..seeds.end / 30);
    for seed in one.map_or_else(usual, |seed| seed..seed + 1) {
        tally.play(seed, Size::Large, one.is_some());
    }
    tally.print("large fleets");
}

/// What is put back concerns the hypervisors alone; their guests were never named, and vote.
#[test]
fn a_rollback_of_hypervisors_spares_the_groups_of_their_guests() {
    let blueprint = Blueprint::three();
    let story = [
        Action::Apply(Vec::new()),
        Action::Want { machines: blueprint.hypervisors.clone(), key: "boot.a", value: "v1" },
        Action::Apply(Vec::new()),
        Action::RollBack(0),
    ];
    play(&blueprint, &story, false).result.unwrap();
}

/// A guest moves to a hypervisor after the plan was made. It goes down with it, and the turn ends only when it is back.
#[test]
fn a_guest_that_moved_meanwhile_is_waited_for() {
    let mut blueprint = Blueprint::three();
    blueprint.hypervisors.push("h3".to_owned());
    for delay in 0..20 {
        let moves = Happening::Moves { guest: "m0".to_owned(), to: "h3".to_owned() };
        let story = [
            Action::Apply(Vec::new()),
            Action::Want { machines: vec!["h3".to_owned()], key: "image.a", value: "v1" },
            Action::Happens(Duration::from_millis(delay * 100), moves),
            Action::Apply(Vec::new()),
        ];
        play(&blueprint, &story, false).result.unwrap();
    }
}

/// Another member goes away while the changes of one are being made, which takes long: its gates passed before.
#[test]
fn nobody_goes_down_on_the_word_of_old_gates() {
    let blueprint = Blueprint::three();
    for delay in (0..240).step_by(20) {
        let machines = vec!["m0".to_owned()];
        let story = [
            Action::Want { machines, key: "boot.a", value: "v1" },
            Action::Happens(Duration::from_secs(delay), Happening::Crash { name: "m1".to_owned(), back: None }),
            Action::Fault(Moment { call: Call::Apply("m0".to_owned()), nth: 0 }, Fault::Hang { after: 1 }),
            Action::Apply(Vec::new()),
        ];
        play(&blueprint, &story, false).result.unwrap();
    }
}

/// A hypervisor comes back with its guests, and then its gate stays red, because somebody else went away: to put it back
/// would take down a member that works.
#[test]
fn a_failed_hypervisor_is_not_rebooted_back_under_a_group_that_needs_its_guests() {
    let mut held = 0;
    for delay in (60..240).step_by(20) {
        let blueprint = Blueprint::three();
        let story = [
            Action::Apply(Vec::new()),
            Action::Want { machines: vec!["h0".to_owned()], key: "boot.a", value: "v1" },
            Action::Happens(Duration::from_secs(delay), Happening::Crash { name: "m1".to_owned(), back: None }),
            Action::Apply(Vec::new()),
        ];
        let played = play(&blueprint, &story, false);
        played.result.unwrap();
        held += played.counts.get("a failed member was not taken down").copied().unwrap_or(0);
    }
    assert!(held > 0, "nobody was ever held");
}

/// The same story goes the same way: nothing depends on a clock, on an address or on an order by chance.
#[test]
fn a_story_always_goes_the_same_way() {
    for seed in 0..6 {
        let blueprint = Blueprint::new(seed, Size::Small);
        let story = Action::story(&blueprint, Size::Small);
        assert_eq!(play(&blueprint, &story, false).trace, play(&blueprint, &story, false).trace, "seed {seed}");
    }
}

/// Returns the shortest part of a failing story that still fails: first its beginning, then without single actions.
fn shortest(blueprint: &Blueprint, mut story: Vec<Action>) -> Vec<Action> {
    let fails = |story: &[Action]| play(blueprint, story, false).result.is_err();
    let commands = (0..story.len()).filter(|end| story[*end].is_command());
    let end = commands.map(|end| end + 1).find(|end| fails(&story[..*end])).unwrap_or(story.len());
    story.truncate(end);
    let mut place = 0;
    while place < story.len() {
        let mut without = story.clone();
        without.remove(place);
        if fails(&without) {
            story = without;
        } else {
            place += 1;
        }
    }
    story
}
