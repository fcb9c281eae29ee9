//! What the sweep runs: a fleet of three hosts, prepared without faults, and the one command in which they strike.

use std::sync::Arc;

use tune_core::item::Raw;
use tune_core::plan::{Operation, Selection};
use tune_testkit::faults::Faults;
use tune_testkit::fleet::{Fleet, Home};
use tune_testkit::setting::{self, Setting};
use tune_testkit::world::World;

/// One command, and what came before it.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    prepare: fn(&mut Fleet),
    pub(crate) operation: Operation,
}

/// Every scenario.
pub(crate) static SCENARIOS: &[Scenario] = &[
    Scenario { name: "first apply", prepare: write_all, operation: Operation::Apply },
    Scenario { name: "update", prepare: edit, operation: Operation::Apply },
    Scenario { name: "removal", prepare: remove, operation: Operation::Apply },
    Scenario { name: "change that may cut the connection", prepare: open_door, operation: Operation::Apply },
    Scenario { name: "change that cuts the connection", prepare: shut_door, operation: Operation::Apply },
    Scenario { name: "destroy", prepare: applied, operation: Operation::Destroy },
    Scenario { name: "destroy that may cut the connection", prepare: opened, operation: Operation::Destroy },
    Scenario { name: "rollback", prepare: updated, operation: Operation::Rollback { run: 2, through: false } },
];

impl Scenario {
    /// Returns the fleet just before the command.
    pub(crate) fn fleet(&self, home: Home) -> Fleet {
        let world = World::new([Arc::new(Setting) as Arc<_>], &Faults::default());
        for name in ["doe", "elk", "fawn"] {
            world.add(name, setting::machine(name));
        }
        // Not everything that runs is what the next boot yields, and not every file is ours.
        world.drift("doe", "setting", &"plain.c".into(), &Raw::Text("off".to_owned()));
        let file = Raw::File(tune_core::item::FileState::public("clamp.a = 44\n"));
        world.drift("elk", "setting", &setting::file_key("10-local"), &file);
        world.reboot("elk");
        let mut fleet = Fleet::new(world, home);
        for name in ["doe", "elk", "fawn"] {
            fleet.host(name);
        }
        (self.prepare)(&mut fleet);
        fleet
    }
}

/// Two resources on one host, and a chain over all three.
fn write_all(fleet: &mut Fleet) {
    fleet.setting("base", "doe", &[("plain.a", "10"), ("plain.c", "auto"), ("pair.bytes", "4096")], &[]);
    fleet.setting("side", "doe", &[("plain.b", "1 2 3")], &[]);
    fleet.setting("middle", "elk", &[("clamp.a", "50"), ("strict.a", "5")], &["base"]);
    fleet.setting("top", "fawn", &[("plain.a", "60"), ("plain.c", "off")], &["middle"]);
}

fn applied(fleet: &mut Fleet) {
    write_all(fleet);
    run(fleet, &Operation::Apply);
}

/// One value changes, one is added, one leaves.
fn edit(fleet: &mut Fleet) {
    applied(fleet);
    fleet.setting("base", "doe", &[("plain.a", "11"), ("pair.ratio", "7"), ("strict.a", "9")], &[]);
    fleet.setting("top", "fawn", &[("plain.a", "61"), ("plain.c", "off")], &["middle"]);
}

/// Values change and one is added; a run that lets go of an item cannot be rolled back for it.
fn updated(fleet: &mut Fleet) {
    edit(fleet);
    let base = [("plain.a", "11"), ("plain.c", "auto"), ("pair.ratio", "7"), ("strict.a", "9")];
    fleet.setting("base", "doe", &base, &[]);
    run(fleet, &Operation::Apply);
}

fn remove(fleet: &mut Fleet) {
    applied(fleet);
    fleet.resources.retain(|address, _| address.name == "side");
}

fn open_door(fleet: &mut Fleet) {
    fleet.setting("door", "doe", &[("net.door", "ajar"), ("plain.a", "10")], &[]);
    fleet.setting("after", "elk", &[("plain.a", "10")], &["door"]);
}

fn opened(fleet: &mut Fleet) {
    open_door(fleet);
    run(fleet, &Operation::Apply);
}

fn shut_door(fleet: &mut Fleet) {
    fleet.setting("door", "doe", &[("net.door", "shut"), ("plain.a", "10")], &[]);
    fleet.setting("after", "elk", &[("plain.a", "10")], &["door"]);
}

fn run(fleet: &Fleet, operation: &Operation) {
    let ended = fleet.run(operation, &Selection::default());
    assert!(ended.report().is_some(), "the preparation failed: {ended:?}");
}
