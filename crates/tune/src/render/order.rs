//! The order of a plan on a terminal: what waits for what, who is taken when, what is down meanwhile, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use tune_core::address::Address;
use tune_core::plan::{Member, Plan, PlannedActivation, Stage, Turn, Wave};
use tune_core::rollout::{OnFailure, Rollout};
use tune_core::text;

use super::columns::{self, Row};
use super::group;
use crate::paint;

/// A plan with more turns than these shows the first ones and the last.
const MOST_TURNS: usize = 24;
/// Longer names stand out of their column.
const LONGEST_NAME: usize = 30;

/// Returns what happens in which order; where everything runs at once there is nothing to say.
pub(crate) fn order(plan: &Plan, screen: usize) -> Vec<Row> {
    if plan.stages.len() < 2 && plan.members().next().is_none() {
        return Vec::new();
    }
    let mut rows = vec![Row::new(2, paint::strong("Order"))];
    let turns = plan.stages.iter().filter_map(|stage| match stage {
        Stage::Turn(turn) => Some(columns::width(&names(turn))),
        Stage::Quiet(_) => None,
    });
    let longest = turns.max().unwrap_or(0).min(LONGEST_NAME);
    let mut earlier = BTreeSet::new();
    let digits = plan.stages.len().to_string().len();
    let left_out = MOST_TURNS / 2..plan.stages.len().saturating_sub(MOST_TURNS / 2).max(MOST_TURNS / 2);
    for (index, stage) in plan.stages.iter().enumerate() {
        if plan.stages.len() > MOST_TURNS && left_out.contains(&index) {
            if index == left_out.start {
                rows.push(Row::new(4, paint::faint(format!("{:digits$}  and {} more alike", "…", left_out.len()))));
            }
        } else {
            let number = format!("{:digits$}", index + 1);
            match stage {
                Stage::Quiet(wave) => rows.push(quiet(plan, wave, &number, &earlier)),
                Stage::Turn(turn) => rows.extend(turn_rows(plan, turn, &number, longest)),
            }
        }
        earlier.extend(stage.waves().flat_map(|wave| wave.batches.values()).flatten().cloned());
    }
    for rollout in plan.rollouts.values() {
        let lines = columns::wrap(&promise(rollout), screen.saturating_sub(6).min(110));
        rows.extend(lines.into_iter().map(|line| Row::new(4, line)));
    }
    rows.push(Row::blank());
    let has_turns = plan.members().next().is_some();
    rows.into_iter().map(|row| row.apart(has_turns)).collect()
}

/// Returns what a run interrupts, for the last line: `3 power cycles, 1 reboot`; empty for nothing.
pub(crate) fn interruptions(plan: &Plan) -> String {
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for planned in plan.members().flat_map(|member| &member.activations) {
        if planned.activation.verb.interrupts() {
            *counts.entry(std::cmp::Reverse(planned.activation.verb)).or_default() += 1;
        }
    }
    let one = |(verb, count): (std::cmp::Reverse<tune_core::activation::Verb>, usize)| {
        let name = verb.0.word().replace('_', " ");
        format!("{count} {name}{}", if count == 1 { "" } else { "s" })
    };
    counts.into_iter().map(one).collect::<Vec<_>>().join(", ")
}

fn quiet(plan: &Plan, wave: &Wave, number: &str, earlier: &BTreeSet<Address>) -> Row {
    let mut blocks: BTreeMap<Address, BTreeSet<&Address>> = BTreeMap::new();
    for address in wave.batches.values().flatten() {
        blocks.entry(address.block()).or_default().insert(address);
    }
    let names: Vec<String> = blocks
        .iter()
        .map(|(block, addresses)| match addresses.len() {
            1 => addresses.first().map(ToString::to_string).unwrap_or_default(),
            count => format!("{block} × {count}"),
        })
        .collect();
    let waits: BTreeSet<String> = wave
        .batches
        .values()
        .flatten()
        .filter_map(|address| plan.resources.get(address))
        .flat_map(|resource| &resource.depends_on)
        .filter(|dependency| earlier.contains(dependency))
        .map(|dependency| dependency.block().to_string())
        .collect();
    let mut remark = match wave.batches.len() {
        0 | 1 => String::new(),
        hosts => format!("{hosts} hosts side by side"),
    };
    if plan.members().next().is_some() {
        remark =
            if remark.is_empty() { "no interruption".to_owned() } else { "side by side, no interruption".to_owned() };
    }
    if !waits.is_empty() {
        let comma = if remark.is_empty() { "" } else { ", " };
        let _ = write!(remark, "{comma}after {}", group::many(waits.into_iter().collect(), 4));
    }
    Row::new(4, format!("{number}  {}", group::many(names, 4))).remark(remark)
}

/// Who is taken in a turn. All of them are hosts.
fn names(turn: &Turn) -> String {
    group::many(turn.members.iter().map(|member| member.host.short()).collect(), 3)
}

fn turn_rows(plan: &Plan, turn: &Turn, number: &str, longest: usize) -> Vec<Row> {
    let rollout = turn.rollout.as_ref().and_then(|name| plan.rollouts.get(name));
    let mut what = vec!["apply".to_owned()];
    let mut activations: Vec<String> = Vec::new();
    for planned in turn.members.iter().flat_map(|member| &member.activations) {
        let name = text::visible(&planned.activation.to_string(), 100);
        if !activations.contains(&name) {
            activations.push(name);
        }
    }
    what.extend(activations);
    if turn.members.iter().any(|member| !member.down.is_empty()) {
        what.push("wait".to_owned());
    }
    what.extend(rollout.iter().flat_map(|rollout| &rollout.gates).map(ToString::to_string));
    let names = paint::strong(columns::padded(&names(turn), longest));
    let title = format!("{number}  {names}  {}", what.join(", "));
    let mut rows = vec![Row::new(4, title).remark(down_time(turn, rollout))];
    let indent = 6 + number.len();
    let mut reasons: Vec<String> = turn.members.iter().flat_map(|member| reasons(member, turn)).collect();
    if turn.is_canary {
        reasons.insert(0, "goes first and alone, to see whether the change is good".to_owned());
    }
    rows.extend(reasons.into_iter().map(|reason| Row::new(indent, paint::faint(text::visible(&reason, 300)))));
    rows
}

/// Why a member stands where it does, with its name where others are taken with it.
fn reasons(member: &Member, turn: &Turn) -> Vec<String> {
    let whose = if turn.members.len() > 1 { format!("{} ", member.host) } else { String::new() };
    let down: Vec<String> =
        member.down.iter().filter(|other| **other != member.host).map(ToString::to_string).collect();
    let mut reasons: Vec<String> = member.reasons.iter().map(|reason| format!("{whose}{reason}")).collect();
    if !down.is_empty() {
        reasons.push(format!("{whose}down with it: {}", group::many(down, 4)));
    }
    reasons
}

/// A down time is foretold only from what was measured; otherwise only its limit is known.
fn down_time(turn: &Turn, rollout: Option<&Rollout>) -> String {
    let interrupting = |member: &Member| -> Vec<PlannedActivation> {
        member.activations.iter().filter(|planned| planned.activation.verb.interrupts()).cloned().collect()
    };
    let mut planned = turn.members.iter().flat_map(interrupting).peekable();
    if planned.peek().is_none() {
        return "no interruption".to_owned();
    }
    let forecasts: Option<Vec<_>> = planned.map(|planned| planned.forecast).collect();
    let Some(longest) = forecasts.as_deref().and_then(|all| all.iter().max_by_key(|forecast| forecast.seconds)) else {
        let limit = rollout.map_or(Rollout::TIMEOUT, |rollout| rollout.timeout);
        return format!("down time unknown, at most {}", duration(limit));
    };
    let runs = if longest.runs == 1 { "1 earlier run".to_owned() } else { format!("{} earlier runs", longest.runs) };
    format!("≈ {} down ({runs})", duration(Duration::from_secs(longest.seconds)))
}

/// What a rollout promises, in one sentence or two.
fn promise(rollout: &Rollout) -> String {
    let count = rollout.members.len();
    let together = rollout.max_unavailable.of(count);
    let pace = if together <= 1 { "one at a time".to_owned() } else { format!("at most {together} at a time") };
    let failure = match rollout.on_failure {
        OnFailure::RevertMember => "the member is put back and the run stops",
        OnFailure::RevertRun => "everything that the run did is put back",
        OnFailure::Halt => "the run stops, and everything stays as it is",
    };
    let gates = match rollout.gates.as_slice() {
        [] => "no gate is waited for".to_owned(),
        gates => {
            let names: Vec<String> = gates.iter().map(ToString::to_string).collect();
            format!("{} must hold for {} after each", names.join(" and "), duration(rollout.settle))
        }
    };
    format!("{}: {count} members, {pace}; {gates}. On failure: {failure}.", rollout.address)
}

/// Returns a duration as a person says it: `45 s`, `10m`, `1h30m`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes, rest) {
        (0, 0, _) => format!("{rest} s"),
        (0, _, 0) => format!("{minutes}m"),
        (0, _, _) => format!("{minutes}m{rest}s"),
        (_, 0, 0) => format!("{hours}h"),
        (_, _, 0) => format!("{hours}h{minutes}m"),
        (..) => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{Fixture, check, item, text as raw, write};
    use tune_core::activation::{Activation, Verb};
    use tune_core::item::{Change, HostId};
    use tune_core::plan::{Forecast, ItemPlan, Operation, Step};

    fn member(key: &str, forecast: Option<Forecast>) -> Member {
        let host = Address::new("host", "k3s").with_name(key);
        let address = Address::new("sysctl", "etcd").with_name(key);
        let id = HostId(host.to_string());
        Member {
            waves: vec![Wave { batches: BTreeMap::from([(id.clone(), vec![address.clone()])]) }],
            activations: vec![PlannedActivation {
                host: id,
                activation: Activation::machine(Verb::Reboot),
                resources: BTreeSet::from([address]),
                forecast,
            }],
            down: BTreeSet::from([host.clone()]),
            reasons: Vec::new(),
            host,
        }
    }

    fn load_time(key: &str, before: &str, after: &str) -> ItemPlan {
        ItemPlan {
            effect: tune_core::contract::Effect::Activation,
            activations: BTreeSet::from([Activation::machine(Verb::Reboot)]),
            ..write(key, before, after)
        }
    }

    #[test]
    fn members_are_taken_one_after_another_and_the_reasons_stand_beside_them() {
        let items = || vec![load_time("vm.x", "1", "2")];
        let mut fixture = Fixture::new(Operation::Apply);
        for key in ["fawn", "pig", "pve"] {
            fixture = fixture.on("etcd", key, items());
        }
        let rollout = Rollout {
            gates: vec![Address::new("check", "etcd")],
            ..Rollout::new(
                Address::new("rollout", "k3s"),
                ["fawn", "pig", "pve"].map(|key| Address::new("host", "k3s").with_name(key)).to_vec(),
            )
        };
        let turn = |key: &str, forecast| Turn {
            rollout: Some(rollout.address.clone()),
            is_canary: false,
            members: vec![member(key, forecast)],
        };
        let mut last = turn("pve", None);
        last.members[0].reasons = vec!["goes last, as `rollout.k3s` says".to_owned()];
        last.members[0].down.insert(Address::new("host", "guest"));
        let known = Some(Forecast { seconds: 45, runs: 6 });
        fixture.plan.stages = [turn("fawn", known), turn("pig", known), last].map(Stage::Turn).to_vec();
        fixture.plan.rollouts.insert(rollout.address.clone(), rollout);
        check(
            &crate::render::plan::text(fixture.context(), 120),
            r#"tune will perform the following actions:

  host.k3s["fawn"], host.k3s["pig"], host.k3s["pve"]    × 3, one at a time

  ~ sysctl.etcd                                         needs a reboot
      ~ vm.x = 1 -> 2

  Order
    1  k3s["fawn"]  apply, reboot, wait, check.etcd    ≈ 45 s down (6 earlier runs)
    2  k3s["pig"]   apply, reboot, wait, check.etcd    ≈ 45 s down (6 earlier runs)
    3  k3s["pve"]   apply, reboot, wait, check.etcd    down time unknown, at most 10m
       goes last, as `rollout.k3s` says
       down with it: host.guest
    rollout.k3s: 3 members, one at a time; check.etcd must hold for 10 s after each. On failure: the member is put
    back and the run stops.

Plan: 3 to import, 0 to add, 3 to change, 0 to revert. 3 reboots. All 3 writes can be undone.
An apply keeps what was there before: 3 values are recorded as they are now, for `tune destroy`.
"#,
        );
    }

    #[test]
    fn what_is_configured_and_not_in_effect_is_said() {
        let kept = ItemPlan {
            adopt: None,
            effect: tune_core::contract::Effect::Activation,
            activations: BTreeSet::from([Activation::of(Verb::Restart, "etcd.service")]),
            ..item("vm.x", raw("2"), Step::Keep)
        };
        let back = Step::Revert(Change { before: raw("2"), after: raw("1") });
        let back = ItemPlan { adopt: None, step: back, ..kept.clone() };
        let mut fixture = Fixture::new(Operation::Apply).on("etcd", "pve", vec![kept]).on("old", "pve", vec![back]);
        fixture.plan.stages.clear();
        check(
            &crate::render::plan::text(fixture.context(), 100),
            r#"tune will perform the following actions:

  host.k3s["pve"]

  ~ sysctl.etcd["pve"]    needs a restart of etcd.service
      ~ vm.x = 2          configured already, and not in effect

  - sysctl.old["pve"]     needs a restart of etcd.service
      - vm.x = 2 -> 1     put back

Plan: 0 to add, 0 to change, 1 to revert, 1 to activate. It can be undone.
"#,
        );
    }

    #[test]
    fn durations_are_short() {
        let shown = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!([shown(0), shown(45), shown(60), shown(90)], ["0 s", "45 s", "1m", "1m30s"]);
        assert_eq!([shown(3600), shown(5400), shown(86399)], ["1h", "1h30m", "23h59m59s"]);
    }
}
