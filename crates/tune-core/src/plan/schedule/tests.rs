//! What is taken when: the laws of rolling, rules 36 to 47, on fleets of toys.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::activation::{Activation, Verb};
use crate::address::Address;
use crate::item::{HostId, Raw};
use crate::plan::{Forecast, Member, Operation, Plan, Selection, Side, Stage, judge_member, member_lookups};
use crate::reading::HostReading;
use crate::resource::Consent;
use crate::rollout::Cap;
use crate::state::{RunActivation, RunRecord, RunResult};
use crate::toy::{Fleet, host, kinds, toy};

/// Shows a plan's stages: quiet resources in brackets, members with what is done to them.
fn stages(plan: &Plan) -> Vec<String> {
    let names = |wave: &crate::plan::Wave| -> Vec<String> {
        wave.batches.values().flatten().map(|address| address.name.clone()).collect()
    };
    let member = |member: &Member| {
        let own: Vec<String> = member.waves.iter().flat_map(&names).collect();
        let done: Vec<String> = member.activations.iter().map(|planned| planned.activation.to_string()).collect();
        format!("{}({}{}{})", member.host.name, own.join(","), if done.is_empty() { "" } else { "; " }, done.join(", "))
    };
    plan.stages
        .iter()
        .map(|stage| match stage {
            Stage::Quiet(wave) => format!("[{}]", names(wave).join(" ")),
            Stage::Turn(turn) => turn.members.iter().map(member).collect::<Vec<_>>().join(" + "),
        })
        .collect()
}

/// Machines where every key is 60, and one resource per machine that wants these keys to be 10.
fn fleet(names: &[&str], keys: &[&str]) -> Fleet {
    let mut fleet = Fleet::of(names);
    for name in names {
        for key in keys {
            fleet.set(name, key, "60");
        }
        fleet.want(name, name, &keys.iter().map(|key| (*key, "10")).collect::<Vec<_>>());
    }
    fleet
}

fn apply(fleet: &Fleet) -> Plan {
    fleet.plan(&Operation::Apply, &Selection::default())
}

fn codes(plan: &Plan) -> Vec<(String, &'static str)> {
    plan.problems.iter().map(|mistake| (mistake.address.to_string(), mistake.problem.code.0)).collect()
}

#[test]
fn what_interrupts_nothing_is_done_at_once_and_the_rest_host_by_host() {
    let mut fleet = fleet(&["a", "b", "c"], &["x"]);
    fleet.set("b", "reboot.y", "60");
    fleet.set("c", "reload.y", "60");
    fleet.set("c", "boot_image.y", "60");
    fleet.want("more", "b", &[("reboot.y", "10")]);
    fleet.want("image", "c", &[("reload.y", "10"), ("boot_image.y", "10")]);
    assert_eq!(
        stages(&apply(&fleet)),
        [
            "[a]",
            "b(b,more; reboot)",
            // Neither reload nor boot image takes anything away, but only a turn activates anything.
            "c(c,image; rebuild of the boot image, reload of )",
        ]
    );
}

#[test]
fn everything_of_a_member_is_done_in_its_turn_in_the_written_order() {
    let mut fleet = fleet(&["a", "b", "c", "d"], &["x", "restart.y"]);
    fleet.roll("r", &["c", "a", "b"], false).last = [host("c")].into();
    assert_eq!(
        stages(&apply(&fleet)),
        ["d(d; restart of unit)", "a(a; restart of unit)", "b(b; restart of unit)", "c(c; restart of unit)"]
    );
    let plan = apply(&fleet);
    let Stage::Turn(turn) = &plan.stages[3] else { panic!("a turn") };
    assert_eq!(turn.members[0].reasons, ["goes last, as `rollout.r` says"]);
    assert_eq!(plan.rollouts.keys().collect::<Vec<_>>(), [&Address::new("rollout", "r")]);
}

#[test]
fn a_group_that_votes_keeps_its_majority_whatever_the_cap_says() {
    let names = ["a", "b", "c", "d", "e"];
    let mut fleet = fleet(&names, &["reboot.y"]);
    fleet.roll("r", &names, true).max_unavailable = Cap::Count(4);
    assert_eq!(stages(&apply(&fleet)), ["a(a; reboot) + b(b; reboot)", "c(c; reboot) + d(d; reboot)", "e(e; reboot)"]);
    fleet.roll("r", &names, true).canary = Some(1);
    fleet.rollouts.values_mut().next().unwrap().max_unavailable = Cap::Percent(50);
    let plan = apply(&fleet);
    assert_eq!(stages(&plan), ["a(a; reboot)", "b(b; reboot) + c(c; reboot)", "d(d; reboot) + e(e; reboot)"]);
    let canaries = plan.stages.iter().filter(|stage| matches!(stage, Stage::Turn(turn) if turn.is_canary));
    assert_eq!(canaries.count(), 1);
}

#[test]
fn a_quorum_of_two_or_one_can_spare_nobody_without_consent() {
    for names in [&["a"][..], &["a", "b"]] {
        let mut fleet = fleet(names, &["reboot.y"]);
        fleet.roll("r", names, true);
        let found = codes(&apply(&fleet));
        assert_eq!(found, vec![("rollout.r".to_owned(), "tune::plan::outage"); names.len()]);
        fleet.rollouts.values_mut().next().unwrap().accept.insert(Consent::Outage);
        let plan = apply(&fleet);
        assert_eq!((codes(&plan), plan.stages.len()), (Vec::new(), names.len()), "still one after another");
    }
    // Whoever does not vote may be taken as the cap says.
    let mut fleet = fleet(&["a", "b"], &["reboot.y"]);
    fleet.roll("r", &["a", "b"], false);
    assert_eq!(codes(&apply(&fleet)), []);
    // Nor does a skipped gate make two voters three.
    let skip = Selection { skip_gates: [Address::new("check", "r")].into(), ..Selection::default() };
    fleet.roll("r", &["a", "b"], true);
    assert_eq!(fleet.plan(&Operation::Apply, &skip).problems.len(), 2);
}

#[test]
fn a_gate_can_be_left_out_and_an_unknown_one_is_named() {
    let mut fleet = fleet(&["a", "b", "c"], &["x"]);
    fleet.roll("r", &["a", "b", "c"], true);
    assert_eq!(apply(&fleet).checks.len(), 1);
    let skip = |name: &str| Selection { skip_gates: [Address::new("check", name)].into(), ..Selection::default() };
    let skipped = fleet.plan(&Operation::Apply, &skip("r"));
    assert_eq!((skipped.checks.len(), codes(&skipped)), (0, Vec::new()));
    assert!(skipped.rollouts.values().all(|rollout| rollout.gates.is_empty()));
    let unknown = fleet.plan(&Operation::Apply, &skip("other"));
    assert_eq!(codes(&unknown), [("check.other".to_owned(), "tune::plan::no_such_address")]);
}

/// Guests `a`, `b`, `c` on hypervisors: `a` and `b` on `h1`, `c` on `h2`. A key on a guest says where it runs.
fn nested() -> Fleet {
    let mut fleet = fleet(&["h1", "h2", "a", "b", "c"], &["reboot.y"]);
    for (guest, on) in [("a", "h1"), ("b", "h1"), ("c", "h2")] {
        fleet.machines.get_mut(&host(guest)).unwrap().runs_on = Some(host(on));
        let name = host(guest).to_string();
        let resource = fleet.resources.get_mut(&toy(guest)).unwrap();
        resource.attributes.insert("guest".to_owned(), crate::value::Value::String(name));
    }
    fleet
}

#[test]
fn hypervisors_go_before_their_guests_and_take_them_down() {
    let fleet = nested();
    let plan = apply(&fleet);
    assert_eq!(stages(&plan), ["h1(h1; reboot)", "h2(h2; reboot)", "a(a; reboot)", "b(b; reboot)", "c(c; reboot)"]);
    let down: Vec<usize> = plan.members().map(|member| member.down.len()).collect();
    assert_eq!(down, [3, 2, 1, 1, 1]);
}

#[test]
fn hypervisors_take_their_guests_down_when_everything_is_put_back_too() {
    let mut fleet = nested();
    fleet.apply();
    let down = |plan: &Plan| plan.members().map(|member| member.down.len()).collect::<Vec<_>>();
    assert_eq!(down(&fleet.plan(&Operation::Destroy, &Selection::default())), [3, 2, 1, 1, 1]);
}

#[test]
fn where_guests_run_is_looked_at_again_before_a_turn_whatever_is_to_be_done_with_them() {
    let mut fleet = nested();
    fleet.apply();
    fleet.want("h1", "h1", &[("reboot.y", "30")]);
    let plan = apply(&fleet);
    let member = plan.members().next().unwrap().clone();
    let down = |fleet: &Fleet| {
        let readings = read(fleet, &plan, &member);
        judge_member(&kinds(), &plan, &member, &readings, Side::Before).down.len()
    };
    assert_eq!((plan.members().count(), down(&fleet)), (1, 3));
    fleet.machines.get_mut(&host("c")).unwrap().runs_on = Some(host("h1"));
    assert_eq!(down(&fleet), 4);
}

#[test]
fn only_the_guests_that_a_machine_can_carry_are_asked_where_they_run() {
    let mut fleet = nested();
    let mut carried_by = |guest: &str, carriers: &[&str]| {
        fleet.machines.get_mut(&host(guest)).unwrap().carriers = carriers.iter().map(|name| host(name)).collect();
    };
    carried_by("a", &["h1", "h2"]);
    carried_by("b", &["h1", "h2"]);
    carried_by("c", &["b"]);
    let plan = apply(&fleet);
    let asked = |name: &str| {
        let member = plan.members().find(|member| member.host == host(name)).unwrap();
        let asked = member_lookups(&plan, member).into_keys();
        asked.map(|id| plan.hosts[&id].host.address.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(asked("h1"), "host.a host.b host.c host.h1", "with what its guests can carry");
    assert_eq!(asked("h2"), "host.a host.b host.c host.h2");
    assert_eq!(asked("b"), "host.b host.c");
    assert_eq!(asked("a"), "host.a", "a guest that carries nobody asks nobody");
    // What can run anywhere is asked for always.
    fleet.machines.get_mut(&host("c")).unwrap().carriers.clear();
    let plan = apply(&fleet);
    let member = plan.members().find(|member| member.host == host("a")).unwrap();
    assert_eq!(member_lookups(&plan, member).len(), 2);
}

/// The same, applied, with a group of the guests and a new value for the first hypervisor.
fn nested_and_applied(votes: bool) -> Fleet {
    let mut fleet = nested();
    fleet.apply();
    fleet.roll("r", &["a", "b", "c"], votes);
    fleet.want("h1", "h1", &[("reboot.y", "30")]);
    fleet
}

fn only(name: &str) -> Selection {
    Selection { target: vec![toy(name)], ..Selection::default() }
}

#[test]
fn guests_outside_of_a_plan_go_down_with_their_machine_all_the_same() {
    let fleet = nested_and_applied(true);
    let outage = vec![("rollout.r".to_owned(), "tune::plan::outage")];
    let check = |fleet: &Fleet, operation: &Operation, what: &str| {
        let plan = fleet.plan(operation, &only("h1"));
        let down: Vec<usize> = plan.members().map(|member| member.down.len()).collect();
        assert_eq!((down, codes(&plan), plan.resources.len()), (vec![3], outage.clone(), 1), "{what}");
        assert!(plan.rollouts.contains_key(&Address::new("rollout", "r")), "{what}");
    };
    check(&fleet, &Operation::Apply, "a target");
    check(&fleet, &Operation::Destroy, "a destroy of one");
    check(&fleet, &Operation::Rollback { run: 1, through: false }, "a rollback of one");
    let mut fleet = fleet;
    fleet.state.items.retain(|_, record| record.owner == toy("h1"));
    fleet.state.resources.retain(|address, _| *address == toy("h1"));
    check(&fleet, &Operation::Destroy, "nothing else is recorded");
    let mut fleet = nested_and_applied(true);
    fleet.resources.retain(|address, _| *address == toy("h1"));
    check(&fleet, &Operation::Apply, "nothing else is configured");
}

#[test]
fn where_nothing_goes_down_nobody_else_is_asked() {
    let mut fleet = nested_and_applied(true);
    fleet.want("h1", "h1", &[("reboot.y", "10"), ("x", "1")]);
    fleet.machines.get_mut(&host("c")).unwrap().is_away = true;
    let plan = fleet.plan(&Operation::Apply, &only("h1"));
    assert_eq!((codes(&plan), plan.hosts.len()), (Vec::new(), 1));
}

#[test]
fn a_guest_that_may_run_anywhere_forbids_the_turn_of_a_machine_if_its_group_counts() {
    let mut fleet = nested_and_applied(true);
    fleet.machines.get_mut(&host("a")).unwrap().runs_on = None;
    fleet.machines.get_mut(&host("b")).unwrap().is_away = true;
    let plan = fleet.plan(&Operation::Apply, &only("h1"));
    assert_eq!(codes(&plan), [("toy.h1".to_owned(), "tune::plan::unknown_place")]);
    let problem = &plan.problems[0].problem;
    assert_eq!(problem.message, "the reboot of `host.h1` may take down `host.b`: what they run on is not known");
    assert_eq!(problem.label, "away");
    // What runs on it may go down too.
    fleet.rollouts.values_mut().for_each(|rollout| rollout.members = vec![host("a"), host("c")]);
    assert_eq!(codes(&fleet.plan(&Operation::Apply, &only("h1"))), []);
    fleet.machines.get_mut(&host("c")).unwrap().runs_on = Some(host("b"));
    assert_eq!(codes(&fleet.plan(&Operation::Apply, &only("h1"))).len(), 1);
    // Another machine under that name tells nothing, and is no reason not to plan.
    let b = fleet.machines.get_mut(&host("b")).unwrap();
    (b.is_away, b.signs) = (false, Some(crate::toy::Signs { machine: "other", boot: "other", key: "other" }));
    assert_eq!(
        codes(&fleet.plan(&Operation::Apply, &only("h1"))),
        [("toy.h1".to_owned(), "tune::plan::unknown_place")]
    );
    fleet.rollouts.values_mut().for_each(|rollout| _ = rollout.accept.insert(Consent::Outage));
    assert_eq!(codes(&fleet.plan(&Operation::Apply, &only("h1"))), []);
}

#[test]
fn a_guest_of_which_nobody_tells_any_more_where_it_runs_is_missed_before_a_turn() {
    let mut fleet = nested_and_applied(true);
    fleet.machines.get_mut(&host("b")).unwrap().runs_on = Some(host("h2"));
    let plan = fleet.plan(&Operation::Apply, &only("h1"));
    let member = plan.members().next().unwrap().clone();
    fleet.machines.get_mut(&host("c")).unwrap().is_away = true;
    let judged = judge_member(&kinds(), &plan, &member, &read(&fleet, &plan, &member), Side::Before);
    assert_eq!(judged.down, [host("a"), host("h1")].into());
    assert_eq!(judged.perhaps_down.keys().collect::<Vec<_>>(), [&host("c")]);
}

#[test]
fn a_group_has_a_say_when_a_machine_of_no_rollout_takes_its_members_down() {
    let mut fleet = nested();
    fleet.roll("r", &["a", "c"], true).max_unavailable = Cap::Count(1);
    fleet.roll("s", &["h2"], true);
    fleet.apply();
    fleet.want("h1", "h1", &[("reboot.y", "30")]);
    let plan = apply(&fleet);
    assert_eq!(stages(&plan), ["h1(h1; reboot)"]);
    assert_eq!(plan.rollouts.keys().collect::<Vec<_>>(), [&Address::new("rollout", "r")]);
    assert_eq!(plan.checks.len(), 1);
}

#[test]
fn a_hypervisor_that_carries_too_many_of_a_group_is_refused() {
    let mut fleet = nested();
    fleet.roll("r", &["a", "b", "c"], true);
    let plan = apply(&fleet);
    assert_eq!(codes(&plan), [("rollout.r".to_owned(), "tune::plan::outage")]);
    assert!(plan.problems[0].problem.message.contains("take down 2 of the 3 members"), "{:?}", plan.problems);
    // A guest that moved away makes room.
    fleet.machines.get_mut(&host("b")).unwrap().runs_on = Some(host("h3"));
    assert_eq!(codes(&apply(&fleet)), []);
}

#[test]
fn the_order_of_members_and_of_resources_may_not_contradict_each_other() {
    let mut fleet = fleet(&["a", "b", "q"], &["x"]);
    fleet.roll("r", &["a", "b"], false);
    fleet.resources.get_mut(&toy("b")).unwrap().depends_on = [toy("a"), toy("q")].into();
    assert_eq!(stages(&apply(&fleet)), ["[q]", "a(a)", "b(b)"]);
    fleet.resources.get_mut(&toy("a")).unwrap().depends_on = [toy("b")].into();
    fleet.resources.get_mut(&toy("b")).unwrap().depends_on.clear();
    let plan = apply(&fleet);
    assert_eq!(codes(&plan), [("toy.a".to_owned(), "tune::plan::rolling_cycle")]);
    assert_eq!(plan.problems[0].related.as_ref().unwrap().address, toy("b"));
}

#[test]
fn members_that_depend_on_each_other_are_not_taken_together() {
    let mut fleet = fleet(&["a", "b", "c"], &["x"]);
    fleet.roll("r", &["a", "b", "c"], false).max_unavailable = Cap::Count(3);
    assert_eq!(stages(&apply(&fleet)), ["a(a) + b(b) + c(c)"]);
    fleet.resources.get_mut(&toy("b")).unwrap().depends_on = [toy("a")].into();
    assert_eq!(stages(&apply(&fleet)), ["a(a)", "b(b) + c(c)"]);
}

#[test]
fn what_is_configured_and_not_in_effect_is_activated() {
    let mut fleet = fleet(&["a"], &["reboot.y"]);
    fleet.apply();
    assert!(!apply(&fleet).has_work(), "in effect");
    let machine = fleet.machines.get_mut(&host("a")).unwrap();
    machine.running.insert("reboot.y".into(), Raw::Text("60".to_owned()));
    let plan = apply(&fleet);
    assert!(plan.has_changes());
    assert_eq!(stages(&plan), ["a(a; reboot)"]);
}

#[test]
fn what_is_back_and_not_in_effect_is_activated_before_it_is_forgotten() {
    let mut fleet = fleet(&["a"], &["reboot.y"]);
    fleet.apply();
    // A run that put it back was killed before the reboot.
    fleet.set("a", "reboot.y", "60");
    let text = |text: &str| Raw::Text(text.to_owned());
    fleet.machines.get_mut(&host("a")).unwrap().running.insert("reboot.y".into(), text("10"));
    fleet.state.items.values_mut().for_each(|record| record.applied = text("60"));
    let destroy = |fleet: &Fleet| fleet.plan(&Operation::Destroy, &Selection::default());
    assert_eq!(stages(&destroy(&fleet)), ["a(a; reboot)"]);
    let plan = destroy(&fleet);
    let member = plan.members().next().unwrap();
    let judged = |fleet: &Fleet| judge_member(&kinds(), &plan, member, &read(fleet, &plan, member), Side::After);
    assert_eq!(judged(&fleet).activations.len(), 1);
    fleet.machines.get_mut(&host("a")).unwrap().running.clear();
    assert_eq!(judged(&fleet).activations.len(), 0);
    assert_eq!(stages(&destroy(&fleet)), ["[a]"], "in effect: only the record goes");
}

/// A kind that has only a file to go by cannot tell what runs once the file is gone, so the record says it.
#[test]
fn what_a_record_owes_takes_place_before_it_is_forgotten() {
    let mut fleet = fleet(&["a"], &["x"]);
    fleet.apply();
    fleet.set("a", "x", "60");
    let record = fleet.state.items.values_mut().next().unwrap();
    record.applied = Raw::Text("60".to_owned());
    record.owes = BTreeSet::from([Activation::machine(Verb::BootImage), Activation::machine(Verb::Reboot)]);
    let destroy = |fleet: &Fleet| fleet.plan(&Operation::Destroy, &Selection::default());
    assert_eq!(stages(&destroy(&fleet)), ["a(a; rebuild of the boot image, reboot)"]);
    fleet.apply();
    assert_eq!(stages(&destroy(&fleet)), ["[a]"], "wanted again, so that nothing is owed any more");
}

#[test]
fn somebody_elses_pending_change_needs_consent() {
    let mut fleet = fleet(&["a"], &["reboot.y"]);
    fleet.machines.get_mut(&host("a")).unwrap().waits_for_boot = vec!["the newer kernel 7.0".to_owned()];
    let plan = apply(&fleet);
    assert_eq!(codes(&plan), [("toy.a".to_owned(), "tune::plan::foreign_pending")]);
    fleet.resources.get_mut(&toy("a")).unwrap().lifecycle.accept.insert(Consent::ForeignPending);
    let plan = apply(&fleet);
    assert_eq!(codes(&plan), []);
    assert_eq!(plan.members().next().unwrap().reasons, ["also activates the newer kernel 7.0"]);
}

#[test]
fn the_machine_that_runs_tune_goes_last_or_not_at_all() {
    let mut fleet = fleet(&["a", "b"], &["reboot.y"]);
    fleet.controller = Some("boot of host.a".to_owned());
    assert_eq!(codes(&apply(&fleet)), [("host.a".to_owned(), "tune::plan::own_machine")]);
    let selection = Selection { allow_self: true, ..Selection::default() };
    let plan = fleet.plan(&Operation::Apply, &selection);
    assert_eq!((codes(&plan), stages(&plan)), (Vec::new(), vec!["b(b; reboot)".to_owned(), "a(a; reboot)".to_owned()]));
    fleet.roll("r", &["a", "b"], false);
    assert_eq!(codes(&fleet.plan(&Operation::Apply, &selection)).len(), 1, "a rollout puts it before another");
}

/// An API tells of a guest, `c`, that it runs on `h1`; nothing else of `c` is managed.
fn with_an_api() -> Fleet {
    let mut fleet = fleet(&["h1", "api", "c"], &["reboot.y"]);
    fleet.resources.remove(&toy("c"));
    fleet.machines.get_mut(&host("api")).unwrap().runs_on = Some(host("h1"));
    let guest = crate::value::Value::String(host("c").to_string());
    fleet.resources.get_mut(&toy("api")).unwrap().attributes.insert("guest".to_owned(), guest);
    fleet.apply();
    fleet.want("h1", "h1", &[("reboot.y", "30")]);
    fleet
}

#[test]
fn a_guest_that_runs_tune_is_recognised_although_the_plan_does_not_concern_it() {
    let mut fleet = with_an_api();
    let plan = fleet.plan(&Operation::Apply, &only("h1"));
    assert_eq!((codes(&plan), plan.hosts.len()), (Vec::new(), 2), "who it is matters only to a known controller");
    fleet.controller = Some("boot of host.c".to_owned());
    for operation in [Operation::Apply, Operation::Destroy, Operation::Rollback { run: 1, through: false }] {
        let plan = fleet.plan(&operation, &only("h1"));
        assert_eq!(codes(&plan), [("host.c".to_owned(), "tune::plan::own_machine")]);
        let message = "the reboot of `host.h1` would interrupt `host.c`, the machine that runs tune";
        assert_eq!(plan.problems[0].problem.message, message);
    }
    let selection = Selection { allow_self: true, ..only("h1") };
    assert_eq!(codes(&fleet.plan(&Operation::Apply, &selection)), []);
}

#[test]
fn a_guest_that_does_not_say_who_it_is_may_run_tune() {
    let mut fleet = with_an_api();
    fleet.controller = Some("boot of nobody".to_owned());
    let reasons = |fleet: &Fleet| {
        let plan = fleet.plan(&Operation::Apply, &only("h1"));
        assert_eq!(codes(&plan), []);
        plan.members().next().unwrap().reasons.clone()
    };
    assert_eq!(reasons(&fleet), ["takes 1 guest down with it"]);
    fleet.machines.get_mut(&host("c")).unwrap().is_away = true;
    let doubt = "interrupts this run if `host.c` is the machine that runs tune: it did not say who it is";
    assert_eq!(reasons(&fleet), ["takes 1 guest down with it", doubt]);
    fleet.controller = Some("boot of host.api".to_owned());
    assert_eq!(reasons(&fleet), ["takes 1 guest down with it"], "tune runs elsewhere");
}

#[test]
fn reverts_roll_too() {
    let mut fleet = fleet(&["a", "b"], &["x", "reboot.y"]);
    fleet.roll("r", &["b", "a"], false);
    fleet.apply();
    let plan = fleet.plan(&Operation::Destroy, &Selection::default());
    assert_eq!(stages(&plan), ["b(b; reboot)", "a(a; reboot)"]);
}

#[test]
fn a_host_belongs_to_one_rollout() {
    let mut fleet = fleet(&["a", "b"], &["x"]);
    fleet.roll("r", &["a"], false);
    fleet.roll("s", &["a", "b"], false);
    assert_eq!(codes(&apply(&fleet)), [("rollout.s".to_owned(), "tune::plan::two_rollouts")]);
}

#[test]
fn how_long_it_took_before_is_a_median_of_the_same() {
    let mut fleet = fleet(&["a"], &["reboot.y"]);
    let forecast = |fleet: &Fleet| apply(fleet).members().next().unwrap().activations[0].forecast;
    assert_eq!(forecast(&fleet), None);
    let mut run = |host: &str, verb: Verb, seconds: &[u64]| {
        let activation = crate::activation::Activation::machine(verb);
        let one = |seconds: &u64| RunActivation {
            host: HostId(host.to_owned()),
            activation: activation.clone(),
            seconds: Some(*seconds),
        };
        fleet.runs.push(RunRecord {
            number: 1,
            command: String::new(),
            by: String::new(),
            started: String::new(),
            finished: String::new(),
            result: RunResult::Done,
            changes: std::collections::BTreeMap::new(),
            activations: seconds.iter().map(one).collect(),
        });
    };
    run("elsewhere", Verb::Reboot, &[100, 20, 30, 0]);
    run("elsewhere", Verb::PowerCycle, &[1]);
    assert_eq!(forecast(&fleet), Some(Forecast { seconds: 30, runs: 3 }));
    let mut run = |seconds: u64| {
        fleet.runs[0].activations.push(RunActivation {
            host: HostId("id of host.a".to_owned()),
            activation: crate::activation::Activation::machine(Verb::Reboot),
            seconds: Some(seconds),
        });
    };
    run(45);
    assert_eq!(forecast(&fleet), Some(Forecast { seconds: 45, runs: 1 }));
}

#[test]
fn a_member_is_judged_before_and_after() {
    let mut fleet = fleet(&["a"], &["x", "reboot.y"]);
    let plan = apply(&fleet);
    let member = plan.members().next().unwrap().clone();
    let judge = |fleet: &Fleet, side: Side| {
        let readings = read(fleet, &plan, &member);
        let judged = judge_member(&kinds(), &plan, &member, &readings, side);
        let activations: Vec<String> = judged.activations.values().flatten().map(ToString::to_string).collect();
        (judged.differing.len(), activations.join(", "))
    };
    let text = |text: &str| Raw::Text(text.to_owned());
    assert_eq!(judge(&fleet, Side::After), (2, "reboot".to_owned()));
    assert_eq!(judge(&fleet, Side::Before), (0, String::new()), "nothing happened, so nothing is to be activated");
    fleet.set("a", "x", "10");
    fleet.set("a", "reboot.y", "10");
    fleet.machines.get_mut(&host("a")).unwrap().running.insert("reboot.y".into(), text("60"));
    assert_eq!(judge(&fleet, Side::After), (0, "reboot".to_owned()));
    fleet.set("a", "reboot.y", "60");
    fleet.set("a", "x", "60");
    fleet.machines.get_mut(&host("a")).unwrap().running.insert("reboot.y".into(), text("10"));
    assert_eq!(judge(&fleet, Side::Before), (0, "reboot".to_owned()), "what runs is not what ran");
}

/// What a member's machines answer.
fn read(fleet: &Fleet, plan: &Plan, member: &Member) -> std::collections::BTreeMap<HostId, HostReading> {
    fleet.answers(member_lookups(plan, member).into_iter().map(|(id, request)| {
        let name = plan.hosts[&id].host.address.clone();
        (id, name, request)
    }))
}

proptest! {
    /// Whatever depends on whatever: a plan either names a circle, or every resource with work stands exactly once, after
    /// everything that it waits for, and no turn takes more than its groups can spare.
    #[test]
    fn stages_respect_everything(
        edges in proptest::collection::vec((0..8_usize, 0..8_usize), 0..10),
        order in Just(vec![0_usize, 1, 2, 3, 4]).prop_shuffle(),
        cap in 1..4_usize,
        votes in any::<bool>(),
        disruptive in proptest::collection::vec(any::<bool>(), 8),
    ) {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let mut fleet = Fleet::of(&names);
        for (name, disruptive) in names.iter().zip(&disruptive) {
            let key = if *disruptive { "reboot.y" } else { "x" };
            fleet.set(name, key, "60");
            fleet.want(name, name, &[(key, "10")]);
        }
        for (from, to) in edges.iter().filter(|(from, to)| from > to) {
            fleet.resources.get_mut(&toy(names[*from])).unwrap().depends_on.insert(toy(names[*to]));
        }
        let members: Vec<&str> = order.iter().map(|index| names[*index]).collect();
        fleet.roll("r", &members, votes).max_unavailable = Cap::Count(cap);
        let plan = apply(&fleet);
        if plan.stages.is_empty() {
            prop_assert_eq!(codes(&plan)[0].1, "tune::plan::rolling_cycle");
            return Ok(());
        }
        prop_assert_eq!(codes(&plan), []);
        let mut settled: BTreeSet<Address> = BTreeSet::new();
        for stage in &plan.stages {
            if let Stage::Turn(turn) = stage {
                let down: BTreeSet<&Address> = turn.members.iter().flat_map(|member| &member.down).collect();
                let spare = if votes { cap.min(2) } else { cap };
                prop_assert!(down.len() <= spare);
                prop_assert!(turn.rollout.is_some() || turn.members.len() == 1);
            }
            for wave in stage.waves() {
                let now: Vec<Address> = wave.batches.values().flatten().cloned().collect();
                for address in &now {
                    let depends_on = &plan.resources[address].depends_on;
                    prop_assert!(depends_on.iter().all(|other| settled.contains(other)), "{address} in {:?}", stages(&plan));
                }
                for address in now {
                    prop_assert!(settled.insert(address), "twice");
                }
            }
        }
        prop_assert_eq!(settled.len(), names.len());
        let is_member = |host: &&Address| members.contains(&host.name.as_str());
        let taken: Vec<&Address> = plan.members().map(|member| &member.host).filter(is_member).collect();
        prop_assert_eq!(taken, fleet.rollouts.values().flat_map(|rollout| &rollout.members).collect::<Vec<_>>());
    }
}
