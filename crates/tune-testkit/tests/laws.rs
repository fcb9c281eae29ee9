//! The laws of planning and applying that need no fault: over any configuration, on machines that somebody else changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use tune_core::item::Raw;
use tune_core::plan::{Operation, Plan, Selection, Step};
use tune_core::state::RunResult;
use tune_testkit::audit;
use tune_testkit::faults::Faults;
use tune_testkit::fleet::{Fleet, Home, Outcome};
use tune_testkit::laws::{destroy, lawful};
use tune_testkit::setting::{self, Setting};
use tune_testkit::store::Disk;
use tune_testkit::world::World;

const HOSTS: [&str; 2] = ["doe", "elk"];
const NAMES: [&str; 4] = ["r0", "r1", "r2", "r3"];
const VALUES: &[(&str, &str)] = &[
    ("plain.a", "10"),
    ("plain.a", "060"),
    ("plain.b", "1  2\t3"),
    ("plain.c", "on"),
    ("plain.c", "auto"),
    ("clamp.a", "50"),
    ("clamp.a", "150"),
    ("strict.a", "5"),
    ("strict.a", "500"),
    ("pair.ratio", "7"),
    ("pair.bytes", "4096"),
    ("size.a", "2000"),
];

/// One resource: host, settings, what it depends on.
type Resource = (usize, BTreeMap<&'static str, &'static str>, Option<usize>);

fn configuration() -> impl Strategy<Value = Vec<Resource>> {
    let settings = prop::collection::vec(select(VALUES), 1..4).prop_map(|pairs| pairs.into_iter().collect());
    prop::collection::vec((0..HOSTS.len(), settings, prop::option::of(0..NAMES.len())), 0..NAMES.len())
}

/// Changes by hand: host, key and value.
fn drifts() -> impl Strategy<Value = Vec<(usize, &'static str, &'static str)>> {
    let taken: Vec<_> = VALUES.iter().copied().filter(|(_, value)| *value != "500").collect();
    prop::collection::vec((0..HOSTS.len(), select(taken)), 0..4)
        .prop_map(|drifts| drifts.into_iter().map(|(host, (key, value))| (host, key, value)).collect())
}

fn fleet(configuration: &[Resource]) -> (Fleet, Disk) {
    let world = World::new([Arc::new(Setting) as Arc<_>], &Faults::default());
    for name in HOSTS {
        world.add(name, setting::machine(name));
    }
    let disk = Disk::default();
    let mut fleet = Fleet::new(world, Home::Memory(disk.clone()));
    for name in HOSTS {
        fleet.host(name);
    }
    configure(&mut fleet, configuration);
    (fleet, disk)
}

fn configure(fleet: &mut Fleet, configuration: &[Resource]) {
    fleet.resources.clear();
    let mut claimed: Vec<(usize, tune_core::item::ItemKey)> = Vec::new();
    for (number, (host, settings, depends_on)) in configuration.iter().enumerate() {
        let mut mine = Vec::new();
        for (key, value) in settings {
            let claim = (*host, setting::item_key(key));
            if !claimed.contains(&claim) {
                claimed.push(claim);
                mine.push((*key, *value));
            }
        }
        let depends_on: Vec<&str> =
            depends_on.filter(|other| other < &number).map(|other| NAMES[other]).into_iter().collect();
        fleet.setting(NAMES[number], HOSTS[*host], &mine, &depends_on);
    }
}

fn drift(fleet: &Fleet, drifts: &[(usize, &str, &str)]) {
    for (host, key, value) in drifts {
        let text = if key.starts_with("pair.") { format!("{key}={value}") } else { (*value).to_owned() };
        fleet.world.drift(HOSTS[*host], "setting", &setting::item_key(key), &Raw::Text(text));
    }
}

fn plan(fleet: &Fleet) -> Plan {
    fleet.plan(&Operation::Apply, &Selection::default()).expect("the configuration has no mistakes")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn a_plan_changes_nothing(before in configuration(), after in configuration(), drifts in drifts()) {
        let (mut fleet, disk) = fleet(&before);
        fleet.run(&Operation::Apply, &Selection::default());
        drift(&fleet, &drifts);
        configure(&mut fleet, &after);
        let (world, kept) = (fleet.world.machines(), format!("{:?}", disk.content()));
        let run = disk.content().runs.len() as u64;
        for operation in [
            Operation::Apply,
            Operation::Destroy,
            Operation::RefreshOnly,
            Operation::Rollback { run, through: true },
        ] {
            let _ = fleet.plan(&operation, &Selection::default());
            prop_assert_eq!(&fleet.world.machines(), &world, "after a plan for {:?}", operation);
            prop_assert_eq!(format!("{:?}", disk.content()), kept.clone());
        }
    }

    #[test]
    fn what_is_done_runs_and_is_done_once(configuration in configuration(), drifts in drifts()) {
        let (fleet, _) = fleet(&configuration);
        drift(&fleet, &drifts);
        let first = plan(&fleet);
        let ended = fleet.run(&Operation::Apply, &Selection::default());
        prop_assert_eq!(fleet.faults().violations(), Vec::<String>::new());
        prop_assert_eq!(audit::disagreements(&fleet), Vec::<String>::new());
        if ended.report().is_none_or(|report| report.result != RunResult::Done) {
            return Ok(());
        }
        for (address, resource) in &first.resources {
            for item in &resource.items {
                let Step::Write(change) = &item.step else { continue };
                let host = &first.hosts[&item.id.host].host.address.name;
                let live = fleet.world.live(host, "setting", &item.id.key);
                let is_so = fleet.world.same("setting", &item.id.key, &live, &change.after);
                prop_assert!(is_so, "{address} says done, but {:?} is {live:?}", item.id);
            }
        }
        prop_assert!(!plan(&fleet).has_work(), "{:?}", plan(&fleet));
        let world = fleet.world.machines();
        let again = fleet.run(&Operation::Apply, &Selection::default());
        prop_assert_eq!(again.report().map(|report| (report.number, report.result)), Some((None, RunResult::Done)));
        prop_assert_eq!(fleet.world.machines(), world);
    }

    #[test]
    fn what_changed_since_the_plan_is_left_alone(configuration in configuration(), since in drifts()) {
        let (fleet, _) = fleet(&configuration);
        for operation in [Operation::Apply, Operation::Destroy] {
            let mut theirs = BTreeMap::new();
            let ended = fleet.run_with(&operation, &Selection::default(), || {
                let before = fleet.world.machines();
                drift(&fleet, &since);
                for (host, key, _) in &since {
                    let item = setting::item_key(key);
                    let live = fleet.world.live(HOSTS[*host], "setting", &item);
                    let target = tune_remote::HostKind::target(&Setting, &item).expect("it is an item");
                    if before[HOSTS[*host]].read(&target) != live {
                        theirs.insert((*host, item), live);
                    }
                }
            });
            let Outcome::Ran { plan, .. } = &ended.outcome else { return Ok(()) };
            for ((host, item), raw) in theirs {
                let live = fleet.world.live(HOSTS[host], "setting", &item);
                let items = plan.resources.values().flat_map(|resource| &resource.items);
                let planned = items.clone().find(|planned| {
                    planned.id.key == item && plan.hosts[&planned.id.host].host.address.name == HOSTS[host]
                });
                // Somebody who wrote just what was planned made it ours.
                let ours = planned.and_then(|item| item.step.change()).is_some_and(|change| {
                    fleet.world.same("setting", &item, &change.after, &raw) || fleet.world.same("setting", &item, &change.before, &raw)
                });
                prop_assert!(ours || live == raw, "{item} was {raw:?}, and is {live:?}: {ended:?}");
            }
            prop_assert_eq!(fleet.faults().violations(), Vec::<String>::new());
        }
    }

    #[test]
    fn a_destroy_gives_everything_back(steps in prop::collection::vec((configuration(), drifts()), 1..4)) {
        let (mut fleet, _) = fleet(&[]);
        let mut named = audit::Named::default();
        for (configuration, drifts) in &steps {
            configure(&mut fleet, configuration);
            let ended = fleet.run(&Operation::Apply, &Selection::default());
            named.hear(&ended);
            drift(&fleet, drifts);
        }
        let result = lawful(&fleet).and_then(|()| destroy(&fleet, &mut named));
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }

    #[test]
    fn the_same_input_gives_the_same_output(configuration in configuration(), drifts in drifts()) {
        let story = || {
            let (fleet, disk) = fleet(&configuration);
            drift(&fleet, &drifts);
            let planned = plan(&fleet);
            let ended = fleet.run(&Operation::Apply, &Selection::default());
            let destroyed = fleet.run(&Operation::Destroy, &Selection::default());
            let (trace, machines) = (fleet.faults().trace(), fleet.world.machines());
            format!("{planned:?}\n{ended:?}\n{destroyed:?}\n{:?}\n{trace:?}\n{machines:?}", disk.content())
        };
        prop_assert_eq!(story(), story());
    }
}
