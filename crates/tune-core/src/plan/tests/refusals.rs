//! What planning refuses, and by which signs it knows a machine.

use super::*;
use crate::problem::Code;
use crate::resource::Consent;
use crate::toy::Signs;

fn codes(plan: &Plan) -> Vec<Code> {
    plan.problems.iter().map(|mistake| mistake.problem.code).collect()
}

fn apply_plan(fleet: &Fleet) -> Plan {
    fleet.plan(&Operation::Apply, &Selection::default())
}

fn destroy_plan(fleet: &Fleet) -> Plan {
    fleet.plan(&Operation::Destroy, &Selection::default())
}

fn give_signs(fleet: &mut Fleet, name: &str, signs: Signs) {
    fleet.machines.get_mut(&host(name)).unwrap().signs = Some(signs);
}

const ONE: Signs = Signs { machine: "m1", boot: "b1", key: "k1" };

#[test]
fn another_machine_is_refused_only_when_every_sign_differs() {
    let mut fleet = a_fleet();
    give_signs(&mut fleet, "a", ONE);
    fleet.apply();
    give_signs(&mut fleet, "a", Signs { machine: "m2", ..ONE });
    assert_eq!(codes(&apply_plan(&fleet)), [], "its ssh host key is the same");
    give_signs(&mut fleet, "a", Signs { key: "k2", ..ONE });
    assert_eq!(codes(&apply_plan(&fleet)), [], "its machine id is the same");
    give_signs(&mut fleet, "a", Signs { machine: "m2", key: "k2", ..ONE });
    assert_eq!(codes(&apply_plan(&fleet)), [OTHER_MACHINE]);
}

#[test]
fn two_hosts_that_are_one_machine_are_refused_and_clones_are_not() {
    let mut fleet = Fleet::of(&["a", "b"]);
    fleet.want("t", "a", &[("x", "1")]);
    fleet.want("u", "b", &[("x", "2")]);
    give_signs(&mut fleet, "a", ONE);
    give_signs(&mut fleet, "b", ONE);
    assert_eq!(codes(&apply_plan(&fleet)), [SAME_MACHINE]);
    give_signs(&mut fleet, "b", Signs { boot: "b2", ..ONE });
    let plan = apply_plan(&fleet);
    assert_eq!((codes(&plan), plan.hosts.len()), (vec![], 2), "clones that booted by themselves are two machines");
}

#[test]
fn a_machine_is_known_under_a_new_name_and_address() {
    let mut fleet = a_fleet();
    give_signs(&mut fleet, "a", ONE);
    fleet.apply();
    let moved = fleet.machines.remove(&host("a")).unwrap();
    let mut reached = fleet.hosts.remove(&host("a")).unwrap();
    reached.address = host("b");
    reached.transport = crate::resource::Transport::Ssh(crate::resource::SshDestination {
        address: "10.0.0.2".to_owned(),
        user: None,
        port: None,
        config: None,
    });
    fleet.hosts.insert(host("b"), reached);
    fleet.machines.insert(host("b"), moved);
    fleet.want("t", "b", &[("x", "10")]);
    let plan = apply_plan(&fleet);
    assert_eq!(steps(&plan), [("toy.t x".to_owned(), "Keep".to_owned())]);
    assert_eq!(plan.owed, []);
}

#[test]
fn two_owners_of_one_item_are_a_mistake_with_both_places() {
    let mut fleet = a_fleet();
    fleet.want("u", "a", &[("x", "20")]);
    let mistakes = fleet.try_plan(&Operation::Apply, &Selection::default()).unwrap_err();
    let [mistake] = mistakes.as_slice() else { panic!("one mistake, and not {mistakes:?}") };
    assert_eq!((mistake.problem.code, &mistake.address), (CLAIMED_TWICE, &toy("u")));
    assert_eq!(mistake.related.as_ref().map(|related| &related.address), Some(&toy("t")));
}

#[test]
fn a_mark_without_a_record_makes_the_original_unknown() {
    let mut fleet = a_fleet();
    fleet.set("a", "x", "10");
    fleet.machines.get_mut(&host("a")).unwrap().is_marked = true;
    fleet.apply();
    assert_eq!(record(&fleet, "x").original, Original::Unknown);
    assert_eq!(codes(&destroy_plan(&fleet)), [UNKNOWN_ORIGINAL]);
    let keep = Selection { keep_unknown: true, ..Selection::default() };
    assert_eq!(steps(&fleet.execute(&Operation::Destroy, &keep)), [("toy.t x".to_owned(), "Forget".to_owned())]);
    assert_eq!(fleet.live("a", "x"), text("10"));
}

#[test]
fn a_mark_that_is_recorded_itself_says_nothing_of_other_items() {
    let mut fleet = a_fleet();
    fleet.want("t", "a", &[("mark", "1")]);
    fleet.apply();
    fleet.machines.get_mut(&host("a")).unwrap().is_marked = true;
    fleet.want("t", "a", &[("mark", "1"), ("x", "10")]);
    fleet.apply();
    assert!(matches!(&record(&fleet, "x").original, Original::Known { raw, .. } if *raw == text("60")));
}

#[test]
fn prevent_revert_outlives_its_block() {
    let mut fleet = a_fleet();
    fleet.resources.get_mut(&toy("t")).unwrap().lifecycle.prevent_revert = true;
    fleet.apply();
    assert_eq!(codes(&destroy_plan(&fleet)), [PREVENTED]);
    let block = fleet.resources.remove(&toy("t")).unwrap();
    assert_eq!(codes(&apply_plan(&fleet)), [PREVENTED], "removing the block is a revert too");
    fleet.resources.insert(toy("t"), block);
    fleet.resources.get_mut(&toy("t")).unwrap().lifecycle.prevent_revert = false;
    fleet.apply();
    assert_eq!(codes(&destroy_plan(&fleet)), []);
}

#[test]
fn a_danger_needs_consent_and_the_consent_is_shown() {
    let mut fleet = a_fleet();
    fleet.want("t", "a", &[("x", "danger")]);
    let plan = apply_plan(&fleet);
    assert_eq!(codes(&plan), [CONSENT]);
    assert_eq!(plan.problems[0].problem.path.to_string(), "settings[\"x\"]");
    fleet.resources.get_mut(&toy("t")).unwrap().lifecycle.accept.insert(Consent::DataLoss);
    let plan = apply_plan(&fleet);
    assert_eq!(codes(&plan), []);
    let accepted: Vec<Consent> = plan.resources[&toy("t")].items[0].accepted.keys().copied().collect();
    assert_eq!(accepted, [Consent::DataLoss]);
    fleet.apply();
    fleet.resources.get_mut(&toy("t")).unwrap().lifecycle.accept.clear();
    assert_eq!(codes(&apply_plan(&fleet)), [], "what is so already needs no consent");
}
