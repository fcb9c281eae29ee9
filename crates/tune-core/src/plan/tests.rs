//! What planning promises, tried on machines made of maps.

use proptest::prelude::*;

mod refusals;
mod selections;

use super::*;
use crate::item::ItemKey;
use crate::ledger::{Entries, Ledger, LedgerEntry};
use crate::state::Record;
use crate::toy::{Fleet, host, toy};

fn steps(plan: &Plan) -> Vec<(String, String)> {
    plan.resources
        .iter()
        .flat_map(|(address, resource)| {
            resource.items.iter().map(move |item| {
                let step = format!("{:?}", item.step);
                (format!("{address} {}", item.id.key), step.split([' ', '(']).next().unwrap().to_owned())
            })
        })
        .collect()
}

fn step_of(plan: &Plan, key: &str) -> Step {
    let mut items = plan.resources.values().flat_map(|resource| &resource.items);
    items.find(|item| item.id.key == ItemKey::from(key)).expect("the item is in the plan").step.clone()
}

fn text(value: &str) -> Raw {
    Raw::Text(value.to_owned())
}

fn record<'a>(fleet: &'a Fleet, key: &str) -> &'a Record {
    fleet.state.items.iter().find(|(id, _)| id.key == ItemKey::from(key)).expect("the item is recorded").1
}

fn a_fleet() -> Fleet {
    let mut fleet = Fleet::of(&["a"]);
    fleet.set("a", "x", "60");
    fleet.want("t", "a", &[("x", "10")]);
    fleet
}

#[test]
fn an_original_is_recorded_even_where_nothing_has_to_be_written() {
    let mut fleet = a_fleet();
    fleet.set("a", "x", " 10 ");
    let plan = fleet.apply();
    assert_eq!(steps(&plan), [("toy.t x".to_owned(), "Record".to_owned())]);
    assert!(matches!(&record(&fleet, "x").original, Original::Known { raw, run: 1, .. } if *raw == text(" 10 ")));
}

#[test]
fn drift_never_touches_an_original() {
    let mut fleet = a_fleet();
    fleet.apply();
    fleet.set("a", "x", "77");
    assert_eq!(
        step_of(&fleet.plan(&Operation::Apply, &Selection::default()), "x"),
        Step::Write(Change { before: text("77"), after: text("10") })
    );
    fleet.execute(&Operation::RefreshOnly, &Selection::default());
    assert_eq!(record(&fleet, "x").applied, text("77"));
    assert!(matches!(&record(&fleet, "x").original, Original::Known { raw, .. } if *raw == text("60")));
}

#[test]
fn a_revert_does_not_overwrite_what_somebody_else_wrote() {
    let mut fleet = a_fleet();
    fleet.apply();
    fleet.set("a", "x", "77");
    let conflict = Step::Conflict { original: text("60") };
    assert_eq!(step_of(&fleet.plan(&Operation::Destroy, &Selection::default()), "x"), conflict);
    let forced = Selection { overwrite_drift: vec![toy("t")], ..Selection::default() };
    let revert = Step::Revert(Change { before: text("77"), after: text("60") });
    assert_eq!(step_of(&fleet.plan(&Operation::Destroy, &forced), "x"), revert);
    fleet.execute(&Operation::Destroy, &forced);
    assert_eq!((fleet.live("a", "x"), fleet.state.items.len(), fleet.state.hosts.len()), (text("60"), 0, 0));
}

#[test]
fn an_attribute_that_left_is_put_back_alone() {
    let mut fleet = a_fleet();
    fleet.want("t", "a", &[("x", "10"), ("y", "1")]);
    fleet.apply();
    assert_eq!(fleet.live("a", "y"), text("1"));
    fleet.want("t", "a", &[("x", "10")]);
    let plan = fleet.apply();
    assert_eq!(step_of(&plan, "y"), Step::Revert(Change { before: text("1"), after: Raw::Absent }));
    assert_eq!(step_of(&plan, "x"), Step::Keep);
    assert_eq!((fleet.live("a", "y"), fleet.live("a", "x")), (Raw::Absent, text("10")));
    assert_eq!(fleet.state.items.len(), 1);
}

#[test]
fn a_rename_writes_nothing() {
    let mut fleet = a_fleet();
    fleet.apply();
    fleet.resources.clear();
    fleet.want("renamed", "a", &[("x", "10")]);
    let plan = fleet.apply();
    assert_eq!(steps(&plan), [("toy.renamed x".to_owned(), "Record".to_owned())]);
    assert_eq!(plan.resources[&toy("renamed")].renamed_from, BTreeSet::from([toy("t")]));
    assert_eq!(fleet.state.resources.keys().collect::<Vec<_>>(), [&toy("renamed")]);
    assert!(matches!(&record(&fleet, "x").original, Original::Known { raw, run: 1, .. } if *raw == text("60")));
}

#[test]
fn a_promise_that_changes_alone_is_work() {
    let mut fleet = a_fleet();
    fleet.apply();
    fleet.resources.get_mut(&toy("t")).unwrap().lifecycle.prevent_revert = true;
    let plan = fleet.apply();
    assert!(plan.has_work() && !plan.has_changes());
    assert!(fleet.state.resources[&toy("t")].prevent_revert);
    assert!(!fleet.plan(&Operation::Apply, &Selection::default()).has_work());
    fleet.resources.clear();
    let refused = fleet.plan(&Operation::Apply, &Selection::default());
    assert_eq!(refused.problems[0].problem.code, PREVENTED);
    assert!(!refused.has_work());
}

#[test]
fn what_depends_on_something_is_put_back_before_it() {
    let mut fleet = Fleet::of(&["a"]);
    fleet.want("base", "a", &[("x", "1")]);
    fleet.want("top", "a", &[("y", "1")]).depends_on.insert(toy("base"));
    let order = |plan: &Plan| -> Vec<Address> {
        plan.waves().flat_map(|wave| wave.batches.values()).flatten().cloned().collect()
    };
    assert_eq!(order(&fleet.apply()), [toy("base"), toy("top")]);
    assert_eq!(order(&fleet.plan(&Operation::Destroy, &Selection::default())), [toy("top"), toy("base")]);
    fleet.resources.clear();
    assert_eq!(order(&fleet.plan(&Operation::Apply, &Selection::default())), [toy("top"), toy("base")]);
}

#[test]
fn a_host_that_is_away_owes_its_reverts() {
    let mut fleet = Fleet::of(&["a", "b"]);
    fleet.want("on_a", "a", &[("x", "1")]);
    fleet.want("on_b", "b", &[("x", "1")]);
    fleet.apply();
    fleet.machines.get_mut(&host("b")).unwrap().is_away = true;
    let plan = fleet.execute(&Operation::Destroy, &Selection::default());
    assert_eq!(plan.owed.iter().map(|owed| &owed.address).collect::<Vec<_>>(), [&toy("on_b")]);
    assert_eq!(fleet.live("a", "x"), Raw::Absent);
    fleet.machines.get_mut(&host("b")).unwrap().is_away = false;
    fleet.execute(&Operation::Destroy, &Selection::default());
    assert_eq!((fleet.live("b", "x"), fleet.state.items.len()), (Raw::Absent, 0));
}

#[test]
fn a_rollback_puts_back_what_one_run_changed() {
    let mut fleet = a_fleet();
    fleet.apply();
    fleet.want("t", "a", &[("x", "20")]);
    fleet.apply();
    let refused = fleet.plan(&Operation::Rollback { run: 1, through: false }, &Selection::default());
    assert_eq!(refused.problems[0].problem.code, LATER_RUNS);
    // What is back already was brought back by somebody, and concerns no later run.
    fleet.set("a", "x", "60");
    let back = fleet.plan(&Operation::Rollback { run: 1, through: false }, &Selection::default());
    assert_eq!((back.problems.len(), step_of(&back, "x")), (0, Step::Keep));
    fleet.set("a", "x", "20");
    fleet.execute(&Operation::Rollback { run: 2, through: false }, &Selection::default());
    assert_eq!((fleet.live("a", "x"), record(&fleet, "x").rolled_back_in), (text("10"), Some(3)));
    let again = Step::Write(Change { before: text("10"), after: text("20") });
    assert_eq!(step_of(&fleet.plan(&Operation::Apply, &Selection::default()), "x"), again);
    fleet.execute(&Operation::Rollback { run: 1, through: true }, &Selection::default());
    assert_eq!(fleet.live("a", "x"), text("60"));
    fleet.execute(&Operation::Destroy, &Selection::default());
    assert_eq!((fleet.live("a", "x"), fleet.state.items.len()), (text("60"), 0));
}

fn ledger(lineage: &str, epoch: u64, original: Option<Raw>) -> Ledger {
    let entry = LedgerEntry { address: "toy.t".to_owned(), original, ours: vec![text("10")] };
    Ledger {
        lineage: lineage.to_owned(),
        epoch,
        writer: "ann@desk".to_owned(),
        host_id: "id".to_owned(),
        entries: Entries::from_iter([(("toy".to_owned(), ItemKey::from("x")), entry)]),
    }
}

#[test]
fn what_another_state_claims_is_refused() {
    let mut fleet = a_fleet();
    fleet.machines.get_mut(&host("a")).unwrap().ledgers.push(ledger("another", 3, None));
    let plan = fleet.plan(&Operation::Apply, &Selection::default());
    assert_eq!(plan.problems.iter().map(|mistake| mistake.problem.code).collect::<Vec<_>>(), [CLAIMED]);
}

#[test]
fn a_lost_record_takes_its_original_from_the_ledger() {
    let mut fleet = a_fleet();
    fleet.set("a", "x", "10");
    fleet.state.lineage = "toys".to_owned();
    fleet.state.last_run = 3;
    for (original, expected) in [(Some(text("60")), Some(text("60"))), (None, None)] {
        fleet.machines.get_mut(&host("a")).unwrap().ledgers = vec![ledger("toys", 3, original)];
        let plan = fleet.plan(&Operation::Apply, &Selection::default());
        assert_eq!(plan.resources[&toy("t")].items[0].adopt, Some(Adopted::Recovered(expected)));
        assert_eq!(plan.problems, []);
    }
    fleet.state.last_run = 2;
    let plan = fleet.plan(&Operation::Apply, &Selection::default());
    assert_eq!(plan.problems[0].problem.code, STALE_STATE);
}

/// One thing that happens to a fleet.
#[derive(Debug, Clone)]
enum Act {
    Want { name: u8, host: u8, settings: BTreeMap<u8, u8> },
    Leave { name: u8 },
    Apply,
    Destroy,
}

const HOSTS: [&str; 2] = ["a", "b"];
const KEYS: [&str; 4] = ["w", "x", "y", "z"];

fn any_act() -> impl Strategy<Value = Act> {
    let settings = proptest::collection::btree_map(0..4_u8, 0..3_u8, 0..4);
    prop_oneof![
        3 => (0..3_u8, 0..2_u8, settings).prop_map(|(name, host, settings)| Act::Want { name, host, settings }),
        1 => (0..3_u8).prop_map(|name| Act::Leave { name }),
        3 => Just(Act::Apply),
        1 => Just(Act::Destroy),
    ]
}

/// Does one thing; a wish for what another resource has is not made.
fn act(fleet: &mut Fleet, act: &Act) {
    match act {
        Act::Want { name, host: on, settings } => {
            let on = HOSTS[usize::from(*on)];
            let name = format!("t{name}");
            // Each resource has keys of its own, except that both `t0` and `t1` may want what the other one gave up.
            let taken = |key: &str| {
                let others = fleet.resources.values().filter(|other| other.address != toy(&name));
                others.into_iter().any(|other| {
                    let same_host = other.attributes["host"].as_str() == Some(&host(on).to_string());
                    matches!(&other.attributes["settings"], crate::Value::Map(had) if same_host && had.contains_key(key))
                })
            };
            let wanted: Vec<(&str, String)> = settings
                .iter()
                .map(|(key, value)| (KEYS[usize::from(*key)], value.to_string()))
                .filter(|(key, _)| !taken(key))
                .collect();
            let wanted: Vec<(&str, &str)> = wanted.iter().map(|(key, value)| (*key, value.as_str())).collect();
            fleet.want(&name, on, &wanted);
        }
        Act::Leave { name } => {
            fleet.resources.remove(&toy(&format!("t{name}")));
        }
        Act::Apply => {
            fleet.apply();
        }
        Act::Destroy => {
            fleet.execute(&Operation::Destroy, &Selection::default());
        }
    }
}

proptest! {
    #[test]
    fn a_plan_after_an_apply_is_empty_and_a_destroy_gives_everything_back(
        live in proptest::collection::btree_map((0..2_usize, 0..4_usize), 0..3_u8, 0..8),
        acts in proptest::collection::vec(any_act(), 0..12),
    ) {
        let mut fleet = Fleet::of(&HOSTS);
        for ((on, key), value) in live {
            fleet.set(HOSTS[on], KEYS[key], &value.to_string());
        }
        let before = fleet.machines.clone();
        for step in &acts {
            act(&mut fleet, step);
        }
        fleet.apply();
        let again = fleet.plan(&Operation::Apply, &Selection::default());
        prop_assert!(!again.has_work(), "{:?}", steps(&again));
        fleet.execute(&Operation::Destroy, &Selection::default());
        prop_assert_eq!(&fleet.machines, &before);
        prop_assert!(fleet.state.items.is_empty() && fleet.state.resources.is_empty() && fleet.state.hosts.is_empty());
    }

    #[test]
    fn the_same_input_gives_the_same_plan(acts in proptest::collection::vec(any_act(), 0..8)) {
        let mut fleet = Fleet::of(&HOSTS);
        for step in &acts {
            act(&mut fleet, step);
        }
        let plan = || fleet.plan(&Operation::Apply, &Selection::default());
        prop_assert_eq!(plan(), plan());
    }
}
