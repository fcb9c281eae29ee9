//! The order of a plan: what interrupts nothing runs side by side, everything else host by host, so that no group loses
//! more members than it can spare. All of it is decided here, before anything is touched.
//!
//! Work falls into *units*: a quiet resource is one, and everything that concerns one member is one (rule 37). Units
//! wait for one another by their resources' dependencies, by the order of their rollout, and guests wait for the machine
//! that they run on (rule 45).

mod activations;
mod groups;
mod problems;
mod units;

use std::collections::{BTreeMap, BTreeSet};

use self::groups::Groups;
use self::units::{Unit, Units};
use super::{Member, Mistake, Plan, Request, Stage, Turn, Wave, order};
use crate::address::Address;
use crate::graph;
use crate::rollout::{Check, Rollout};

/// Decides the stages of a plan whose resources are complete, and adds what forbids them.
pub(super) fn schedule(plan: &mut Plan, request: &Request<'_>) {
    let (rollouts, mut mistakes) = problems::rollouts(request);
    let units = Units::of(plan, &rollouts, request);
    let groups = Groups::of(&rollouts, request);
    let members: BTreeMap<Address, Member> =
        units.members().map(|host| (host.clone(), member(plan, &units, host, request))).collect();
    let stages = match arrange(plan, &units, &groups, &members) {
        Ok(stages) => stages,
        Err(stuck) => {
            mistakes.push(problems::cycle(plan, &units, &stuck));
            Vec::new()
        }
    };
    let taking_part: BTreeMap<Address, Rollout> =
        rollouts.iter().filter(|(_, rollout)| takes_part(plan, rollout, &stages)).map(own).collect();
    mistakes.extend(problems::of_stages(plan, &stages, &groups, &rollouts, request));
    plan.checks = checks(&taking_part, request);
    plan.rollouts = taking_part;
    plan.stages = stages;
    plan.problems.extend(mistakes);
}

/// Whether a rollout has a say: it has turns itself, or its members go down with another's turn, or may by then because
/// they are guests, which move.
fn takes_part(plan: &Plan, rollout: &Rollout, stages: &[Stage]) -> bool {
    let mut turns = stages.iter().filter_map(|stage| match stage {
        Stage::Turn(turn) => Some(turn),
        Stage::Quiet(_) => None,
    });
    let has_guests = || plan.guests.values().any(|guest| rollout.members.contains(&guest.host));
    let goes_down = |member: &Member| {
        member.down.iter().any(|host| rollout.members.contains(host)) || (member.is_machine() && has_guests())
    };
    turns.any(|turn| turn.rollout.as_ref() == Some(&rollout.address) || turn.members.iter().any(goes_down))
}

fn own<'a>((name, rollout): (&'a Address, &'a Rollout)) -> (Address, Rollout) {
    (name.clone(), rollout.clone())
}

/// The checks that the rollouts of a plan wait for.
fn checks(rollouts: &BTreeMap<Address, Rollout>, request: &Request<'_>) -> BTreeMap<Address, Check> {
    let gates: BTreeSet<&Address> = rollouts.values().flat_map(|rollout| &rollout.gates).collect();
    let known = gates.into_iter().filter_map(|gate| request.rolling.checks.get_key_value(gate));
    known.map(|(name, check)| (name.clone(), check.clone())).collect()
}

fn member(plan: &Plan, units: &Units<'_>, host: &Address, request: &Request<'_>) -> Member {
    let own = units.resources_of(host);
    let subset = own.iter().map(|address| ((*address).clone(), &plan.resources[*address])).collect();
    let activations = activations::of_member(plan, own, request);
    let down = units.down(host, activations.iter().map(|planned| planned.activation.verb).max());
    let mut reasons = Vec::new();
    if let Some(rollout) = units.rollout_of(host).filter(|rollout| rollout.last.contains(host)) {
        reasons.push(format!("goes last, as `{}` says", rollout.address));
    }
    let guests = down.iter().filter(|other| *other != host).count();
    if guests > 0 {
        reasons.push(format!("takes {guests} {} down with it", if guests == 1 { "guest" } else { "guests" }));
    }
    reasons.extend(perhaps_own(plan, &down, request));
    reasons.extend(activations::foreign(plan, host, &activations));
    Member { host: host.clone(), waves: order::waves(&subset), activations, down, reasons }
}

/// Says which hosts may be the machine that runs `tune` for all that is known, rule 47: one of which nobody knows who it
/// is, where `tune` runs on none of those that are known.
fn perhaps_own(plan: &Plan, down: &BTreeSet<Address>, request: &Request<'_>) -> Option<String> {
    let controller = request.rolling.controller?;
    let is_read = |host: &Address| plan.hosts.values().any(|planned| planned.host.address == *host);
    let mut silent = down.iter().filter(|host| request.hosts.contains_key(*host) && !is_read(host));
    if plan.hosts.values().any(|planned| planned.boot_id.as_deref() == Some(controller)) {
        return None;
    }
    let first = silent.next()?;
    let others = match silent.count() {
        0 => String::new(),
        1 => " or another guest".to_owned(),
        more => format!(" or one of {more} other guests"),
    };
    Some(format!("interrupts this run if `{first}`{others} is the machine that runs tune: it did not say who it is"))
}

/// Puts units one after another: quiet changes as early as they can be, then one turn at a time, and what only puts back
/// quietly at the end. Returns the units that wait for each other if that cannot be done.
fn arrange(
    plan: &Plan,
    units: &Units<'_>,
    groups: &Groups,
    members: &BTreeMap<Address, Member>,
) -> Result<Vec<Stage>, BTreeSet<Unit>> {
    let mut queue = Queue::of(units.edges());
    let mut stages = Vec::new();
    while let Some(first) = queue.ready.first() {
        let done = match first {
            Unit::Quiet(_) => {
                let quiet = queue.ready.iter().take_while(|unit| matches!(unit, Unit::Quiet(_)));
                let quiet: Vec<Unit> = quiet.cloned().collect();
                stages.extend(wave(plan, &quiet));
                quiet
            }
            Unit::Member(_, host) => {
                let batch = batch(units, groups, members, &queue, host);
                stages.push(Stage::Turn(turn(units, members, &batch)));
                batch.iter().map(|host| units.unit(host).clone()).collect()
            }
            Unit::Back(_) => {
                let back: Vec<Unit> = queue.ready.iter().cloned().collect();
                stages.extend(wave(plan, &back));
                back
            }
        };
        queue.finish(&done);
    }
    if queue.waits_for.is_empty() { Ok(stages) } else { Err(queue.waits_for.into_keys().collect()) }
}

/// What is not scheduled yet.
struct Queue {
    /// What each unit still waits for.
    waits_for: BTreeMap<Unit, BTreeSet<Unit>>,
    /// Who waits for each unit.
    waited_for_by: BTreeMap<Unit, BTreeSet<Unit>>,
    /// Those that wait for nothing.
    ready: BTreeSet<Unit>,
}

impl Queue {
    fn of(waits_for: BTreeMap<Unit, BTreeSet<Unit>>) -> Self {
        let ready = waits_for.iter().filter(|(_, on)| on.is_empty()).map(|(unit, _)| unit.clone()).collect();
        Self { waited_for_by: graph::reversed(&waits_for), waits_for, ready }
    }

    fn finish(&mut self, done: &[Unit]) {
        for unit in done {
            self.waits_for.remove(unit);
            self.ready.remove(unit);
            for other in self.waited_for_by.remove(unit).into_iter().flatten() {
                let Some(on) = self.waits_for.get_mut(&other) else { continue };
                on.remove(unit);
                if on.is_empty() {
                    self.ready.insert(other);
                }
            }
        }
    }
}

/// The quiet resources that have work, as one stage; those without only order others.
fn wave(plan: &Plan, quiet: &[Unit]) -> Option<Stage> {
    let mut wave = Wave::default();
    for unit in quiet {
        let (Unit::Quiet(address) | Unit::Back(address)) = unit else { continue };
        if plan.resources[address].has_work() {
            wave.batches.entry(plan.resources[address].host.clone()).or_default().push(address.clone());
        }
    }
    (!wave.batches.is_empty()).then_some(Stage::Quiet(wave))
}

/// The members that are taken together with `first`: those after it in its rollout, as far as every group can spare them
/// at once.
fn batch(
    units: &Units<'_>,
    groups: &Groups,
    members: &BTreeMap<Address, Member>,
    queue: &Queue,
    first: &Address,
) -> Vec<Address> {
    let mut batch = vec![first.clone()];
    let Some(rollout) = units.rollout_of(first) else { return batch };
    let size = groups.batch_size(rollout, units.is_first(first));
    let mut down = members[first].down.clone();
    for host in units.after(first).iter().copied() {
        if batch.len() >= size {
            break;
        }
        // Waiting for a member of the same batch is only the order of the rollout, unless a resource says so too.
        let may_go = queue.waits_for[units.unit(host)].iter().all(|unit| match unit {
            Unit::Member(_, other) => batch.contains(other) && !units.depends(host, other),
            Unit::Quiet(_) | Unit::Back(_) => false,
        });
        let together: BTreeSet<Address> = down.union(&members[host].down).cloned().collect();
        if !may_go || !groups.can_spare(&together) {
            break;
        }
        down = together;
        batch.push(host.clone());
    }
    batch
}

fn turn(units: &Units<'_>, members: &BTreeMap<Address, Member>, batch: &[Address]) -> Turn {
    let rollout = units.rollout_of(&batch[0]);
    Turn {
        rollout: rollout.map(|rollout| rollout.address.clone()),
        is_canary: rollout.is_some_and(|rollout| rollout.canary.is_some()) && units.is_first(&batch[0]),
        members: batch.iter().map(|host| members[host].clone()).collect(),
    }
}

/// A mistake about the order that belongs to a rollout or a host.
fn mistake(address: &Address, problem: crate::problem::Problem) -> Mistake {
    Mistake { address: address.clone(), problem, related: None }
}

#[cfg(test)]
mod tests;
