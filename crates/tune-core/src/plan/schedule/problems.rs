//! What forbids an order: groups that would lose too many, units that wait for each other, the machine that runs `tune`,
//! somebody else's pending changes.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::Groups;
use super::mistake;
use super::units::{Unit, Units, dependencies};
use crate::address::Address;
use crate::path::AttributePath;
use crate::plan::member::perhaps_down;
use crate::plan::{
    FOREIGN_PENDING, Member, Mistake, NO_SUCH_ADDRESS, OUTAGE, OWN_MACHINE, Plan, ROLLING_CYCLE, Related, Request,
    Stage, TWO_ROLLOUTS, UNKNOWN_PLACE,
};
use crate::problem::Problem;
use crate::resource::Consent;
use crate::rollout::Rollout;

/// Returns the rollouts with the gates that count in this run, and what is wrong with them.
pub(super) fn rollouts(request: &Request<'_>) -> (BTreeMap<Address, Rollout>, Vec<Mistake>) {
    let skipped = &request.selection.skip_gates;
    let mut mistakes = Vec::new();
    for gate in skipped.iter().filter(|gate| !request.rolling.checks.contains_key(*gate)) {
        let message = format!("`{gate}` is not a check of the configuration");
        let problem = Problem::new(NO_SUCH_ADDRESS, AttributePath::default(), message, "");
        mistakes.push(mistake(gate, problem.with_help("`-skip-gate` takes a name such as `check.etcd`")));
    }
    let mut first: BTreeMap<&Address, &Address> = BTreeMap::new();
    for (name, rollout) in request.rolling.rollouts {
        for member in &rollout.members {
            let Some(other) = first.insert(member, name).filter(|other| *other != name) else { continue };
            let message = format!("`{member}` is a member of two rollouts, `{other}` and `{name}`");
            let path = AttributePath::attribute("members");
            let problem = Problem::new(TWO_ROLLOUTS, path.clone(), message, "it is a member here as well");
            let label = "it is a member here".to_owned();
            mistakes.push(Mistake {
                address: name.clone(),
                problem: problem.with_help("let each host be a member of one rollout"),
                related: Some(Related { address: other.clone(), path, label }),
            });
        }
    }
    let counting = request.rolling.rollouts.iter().map(|(name, rollout)| {
        let mut rollout = rollout.clone();
        rollout.gates.retain(|gate| !skipped.contains(gate));
        (name.clone(), rollout)
    });
    (counting.collect(), mistakes)
}

/// Returns what forbids these stages.
pub(super) fn of_stages(
    plan: &Plan,
    stages: &[Stage],
    groups: &Groups,
    rollouts: &BTreeMap<Address, Rollout>,
    request: &Request<'_>,
) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    mistakes.extend(unknown_place(plan, stages, rollouts));
    for (index, stage) in stages.iter().enumerate() {
        let Stage::Turn(turn) = stage else { continue };
        let rollout = turn.rollout.as_ref().and_then(|name| rollouts.get(name));
        for member in &turn.members {
            mistakes.extend(outage(plan, groups, member));
            mistakes.extend(foreign(plan, rollout, member, request));
            let is_last = stages[index + 1..].iter().all(|stage| matches!(stage, Stage::Quiet(_)));
            mistakes.extend(own_machine(plan, member, is_last && turn.members.len() == 1, request));
        }
    }
    mistakes
}

fn outage(plan: &Plan, groups: &Groups, member: &Member) -> Option<Mistake> {
    let (name, group, lost) = groups.broken_by(&member.down).next()?;
    let what = interruption(member);
    let count = group.members.len();
    let message = match (group.votes, lost) {
        (true, 1) => {
            format!("the {what} of `{}` would cost `{name}` its quorum: {count} members can spare none", member.host)
        }
        (true, _) => format!(
            "the {what} of `{}` would take down {lost} of the {count} members of `{name}`, which can spare {}",
            member.host, group.spare
        ),
        (false, _) => format!(
            "the {what} of `{}` would take down {lost} members of `{name}`, more than its `max_unavailable` of {}",
            member.host, group.spare
        ),
    };
    let problem = Problem::new(OUTAGE, AttributePath::default(), message, "not done without your consent")
        .with_help("to accept it, write `lifecycle { accept = [\"outage\"] }` in the rollout");
    let related = first_cause(plan, member).map(|address| Related {
        address,
        path: AttributePath::default(),
        label: "this needs the interruption".to_owned(),
    });
    Some(Mistake { address: name.clone(), problem, related })
}

/// A guest that may run anywhere may go down with any machine. The first machine is named, and what holds for it holds
/// for all.
fn unknown_place(plan: &Plan, stages: &[Stage], rollouts: &BTreeMap<Address, Rollout>) -> Option<Mistake> {
    let turns = stages.iter().filter_map(|stage| match stage {
        Stage::Turn(turn) => Some(turn),
        Stage::Quiet(_) => None,
    });
    let places: Vec<_> = plan.guests.values().map(|guest| (&guest.host, &guest.place)).collect();
    let is_said = |why: &String| plan.problems.iter().any(|mistake| mistake.problem.message == *why);
    let (member, perhaps) =
        turns.flat_map(|turn| &turn.members).filter(|member| member.is_machine()).find_map(|it| {
            let mut perhaps = perhaps_down(rollouts, &it.down, &places);
            perhaps.retain(|_, why| !is_said(why));
            (!perhaps.is_empty()).then_some((it, perhaps))
        })?;
    let (guest, why) = perhaps.first_key_value()?;
    let others = match perhaps.len() - 1 {
        0 => String::new(),
        1 => " and another guest".to_owned(),
        more => format!(" and {more} other guests"),
    };
    let message = format!(
        "the {} of `{}` may take down `{guest}`{others}: what they run on is not known",
        interruption(member),
        member.host
    );
    let problem = Problem::new(UNKNOWN_PLACE, AttributePath::default(), message, why.clone()).with_help(
        "mend what keeps it from being read, or accept that their groups may be out for a while with \
         `lifecycle { accept = [\"outage\"] }` in the rollout",
    );
    Some(mistake(&first_cause(plan, member).unwrap_or_else(|| member.host.clone()), problem))
}

/// Before a machine boots, everything that the boot would activate must be ours or accepted, rule 42.
fn foreign(plan: &Plan, rollout: Option<&Rollout>, member: &Member, request: &Request<'_>) -> Option<Mistake> {
    if !member.is_machine() {
        return None;
    }
    let (_, machine) = plan.hosts.iter().find(|(_, planned)| planned.host.address == member.host)?;
    let accepts = |address: &Address| {
        let configured = request.resources.get(address);
        configured.is_some_and(|resource| resource.lifecycle.accept.contains(&Consent::ForeignPending))
    };
    let is_accepted = rollout.is_some_and(|rollout| rollout.accept.contains(&Consent::ForeignPending))
        || member.activations.iter().flat_map(|planned| &planned.resources).all(accepts);
    if machine.waits_for_boot.is_empty() || is_accepted {
        return None;
    }
    let what = interruption(member);
    let message = format!("the {what} of `{}` would also activate {}", member.host, machine.waits_for_boot.join(", "));
    let problem = Problem::new(FOREIGN_PENDING, AttributePath::default(), message, "not done without your consent")
        .with_help("activate it by hand first, or accept it with `lifecycle { accept = [\"foreign_pending\"] }`");
    Some(mistake(&first_cause(plan, member).unwrap_or_else(|| member.host.clone()), problem))
}

/// The machine that runs `tune` cannot watch its own interruption, rule 47.
fn own_machine(plan: &Plan, member: &Member, is_last: bool, request: &Request<'_>) -> Option<Mistake> {
    let controller = request.rolling.controller?;
    let machines = plan.hosts.values().filter(|machine| member.down.contains(&machine.host.address));
    let own = machines.into_iter().find(|machine| machine.boot_id.as_deref() == Some(controller))?;
    if request.selection.allow_self && is_last {
        return None;
    }
    let message = format!(
        "the {} of `{}` would interrupt `{}`, the machine that runs tune",
        interruption(member),
        member.host,
        own.host.address
    );
    let help = if request.selection.allow_self {
        "run tune from another machine: this one cannot be the last to go"
    } else {
        "run tune from another machine, or give `-allow-self` to let it go last"
    };
    let problem = Problem::new(OWN_MACHINE, AttributePath::default(), message, "").with_help(help);
    Some(mistake(&own.host.address, problem.that_stops_applying()))
}

/// Names two resources that make units wait for each other.
pub(super) fn cycle(plan: &Plan, units: &Units<'_>, stuck: &BTreeSet<Unit>) -> Mistake {
    let is_stuck = |resource: &Address| units.unit_of(resource).is_some_and(|unit| stuck.contains(unit));
    let names: Vec<String> = stuck
        .iter()
        .map(|unit| match unit {
            Unit::Quiet(address) | Unit::Member(_, address) | Unit::Back(address) => format!("`{address}`"),
        })
        .collect();
    let across = dependencies(plan)
        .find(|(from, to)| is_stuck(from) && is_stuck(to) && units.unit_of(from) != units.unit_of(to));
    let first = stuck.iter().find_map(|unit| units.resources_in(unit).next());
    let place = across.map(|(from, _)| from).or(first);
    let address =
        place.or_else(|| plan.resources.keys().next()).cloned().unwrap_or_else(|| Address::new("tune", "plan"));
    let message =
        format!("the order of the hosts and the order of the resources contradict each other: {}", names.join(", "));
    let problem = Problem::new(ROLLING_CYCLE, AttributePath::default(), message, "this waits for another member")
        .with_help(
            "everything of one member is done in one turn: remove the dependency, or change the order of members",
        );
    let related = across.map(|(_, to)| Related {
        address: to.clone(),
        path: AttributePath::default(),
        label: "which belongs to a member that has to wait for this one".to_owned(),
    });
    Mistake { address, problem, related }
}

fn interruption(member: &Member) -> String {
    let strongest = member.activations.iter().map(|planned| &planned.activation).max();
    strongest.map_or_else(|| "change".to_owned(), ToString::to_string)
}

fn first_cause(plan: &Plan, member: &Member) -> Option<Address> {
    let resources = member.activations.iter().flat_map(|planned| &planned.resources);
    resources.into_iter().find(|address| plan.resources.contains_key(*address)).cloned()
}
