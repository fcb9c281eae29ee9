//! Orders, and which part of everything an option selects.

use super::*;

fn order(plan: &Plan) -> Vec<Address> {
    plan.waves().flat_map(|wave| wave.batches.values().flatten().cloned()).collect()
}

fn chain() -> Fleet {
    let mut fleet = Fleet::of(&["a", "b"]);
    fleet.want("first", "a", &[("x", "1")]);
    fleet.want("second", "b", &[("x", "1")]).depends_on = BTreeSet::from([toy("first")]);
    fleet
}

fn target(name: &str) -> Selection {
    Selection { target: vec![toy(name)], ..Selection::default() }
}

#[test]
fn waves_follow_dependencies_and_reverts_go_against_them() {
    let mut fleet = chain();
    let plan = fleet.apply();
    assert_eq!((plan.waves().count(), order(&plan)), (2, vec![toy("first"), toy("second")]));
    let plan = fleet.execute(&Operation::Destroy, &Selection::default());
    assert_eq!((plan.waves().count(), order(&plan)), (2, vec![toy("second"), toy("first")]));
}

#[test]
fn a_target_brings_its_dependencies_along_and_a_revert_its_dependents() {
    let mut fleet = chain();
    assert_eq!(order(&fleet.plan(&Operation::Apply, &target("second"))), [toy("first"), toy("second")]);
    assert_eq!(order(&fleet.plan(&Operation::Apply, &target("first"))), [toy("first")]);
    fleet.apply();
    assert_eq!(order(&fleet.plan(&Operation::Destroy, &target("first"))), [toy("second"), toy("first")]);
    assert_eq!(order(&fleet.plan(&Operation::Destroy, &target("second"))), [toy("second")]);
}

#[test]
fn an_exclusion_takes_its_dependents_along() {
    let fleet = chain();
    let without = |name: &str| Selection { exclude: vec![toy(name)], ..Selection::default() };
    assert_eq!(order(&fleet.plan(&Operation::Apply, &without("first"))), []);
    assert_eq!(order(&fleet.plan(&Operation::Apply, &without("second"))), [toy("first")]);
}

#[test]
fn a_name_that_selects_nothing_is_a_mistake() {
    let mistakes = chain().try_plan(&Operation::Apply, &target("third")).unwrap_err();
    assert_eq!(mistakes[0].problem.code, NO_SUCH_ADDRESS);
}

#[test]
fn what_moved_to_a_resource_that_is_not_selected_is_not_put_back() {
    let mut fleet = a_fleet();
    fleet.apply();
    fleet.resources.clear();
    fleet.want("u", "a", &[("x", "10")]);
    assert_eq!(steps(&fleet.plan(&Operation::Apply, &target("t"))), []);
}
