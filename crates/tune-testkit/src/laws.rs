//! What must hold when faults are over: an interrupted run can be settled, nothing comes late, and a destroy gives back the
//! world as it was. Each law is a function that says what does not hold.

use tune_core::plan::{Operation, Selection};
use tune_core::state::RunResult;

use crate::audit::{self, Known, Named};
use crate::fleet::Fleet;
use crate::world::Writer;

/// No write of any batch broke a law.
pub fn lawful(fleet: &Fleet) -> Result<(), String> {
    let violations = fleet.faults().violations();
    ensure(violations.is_empty(), || format!("laws were broken: {violations:#?}"))
}

/// Returns an error where something does not hold.
pub fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Starts the engine again until nothing is open, and takes in what it says. What a script that does not end holds, time sets free.
pub fn recover(fleet: &Fleet, named: &mut Named) -> Result<(), String> {
    for _ in 0..3 {
        let settled = fleet.settle().ok_or("killed without a fault")?;
        match settled.map_err(|error| format!("cannot settle: {error:?}"))? {
            None => return lawful(fleet),
            Some(settled) => {
                named.hear_report(&settled.report);
                ensure(!settled.report.open || !named.stuck.is_empty(), || {
                    format!("a run stays open and names nothing: {settled:?}")
                })?;
                if settled.report.open {
                    fleet.world.pass();
                }
            }
        }
    }
    Err("a run stays open although every machine answers".to_owned())
}

/// Nothing that was sent before the recovery takes effect after it.
pub fn nothing_comes_late(fleet: &Fleet) -> Result<(), String> {
    // A ledger may: a later one never comes after an earlier one, and each is right for the run that it belongs to.
    let things =
        || -> Vec<_> { fleet.world.machines().into_values().map(|machine| (machine.values, machine.files)).collect() };
    let before = things();
    fleet.world.pass();
    ensure(things() == before, || format!("something took effect late: {before:?} became {:?}", things()))?;
    lawful(fleet)
}

/// A destroy gives the very first world back; a person who has looked at the conflicts may overwrite them. `named` is
/// what was said before.
pub fn destroy(fleet: &Fleet, named: &mut Named) -> Result<(), String> {
    let ended = fleet.run(&Operation::Destroy, &Selection::default());
    named.conflicts.clear();
    named.hear(&ended);
    lawful(fleet)?;
    for known in audit::items(fleet).iter().filter(|known| known.origin.writer == Writer::Tune) {
        let Known { key, origin, live, machine, .. } = known;
        let back = fleet.world.same(&known.kind, key, live, &origin.base);
        let waits = named.conflicts.iter().any(|id| id.key == *key);
        ensure(back || waits, || format!("{key} on {machine} is {live:?} after the destroy: {ended:?}"))?;
    }
    if !named.conflicts.is_empty() {
        let (state, _) = fleet.remembered();
        let overwrite_drift = state.resources.keys().cloned().collect();
        fleet.world.may_overwrite(true);
        let ended = fleet.run(&Operation::Destroy, &Selection { overwrite_drift, ..Selection::default() });
        let done = ended.report().is_some_and(|report| report.result == RunResult::Done);
        ensure(done, || format!("the second destroy failed: {ended:?}"))?;
    }
    fleet.world.pass();
    let remains = audit::remains(fleet, named);
    ensure(remains.is_empty(), || format!("after the destroy: {remains:#?}\n{ended:?}"))?;
    let (state, _) = fleet.remembered();
    ensure(state.items.is_empty() && state.resources.is_empty() && state.hosts.is_empty(), || {
        format!("the state still holds {state:?}")
    })?;
    lawful(fleet)
}
