//! Whether world, state and ledgers agree, once no command is running. What `tune` says is only ever compared with what
//! the world knows by itself.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::item::{ItemId, ItemKey, Raw};
use tune_core::plan::Step;
use tune_core::state::{Original, State};
use tune_engine::EngineError;
use tune_engine::report::{Report, ResourceOutcome};

use crate::fleet::{Ended, Fleet, Outcome};
use crate::world::{Machine, Origin, Writer};

/// One item of the world, with everything that is known of it.
#[derive(Debug, Clone)]
pub struct Known {
    /// The machine's name in the world.
    pub machine: String,
    /// The kind.
    pub kind: String,
    /// The item.
    pub key: ItemKey,
    /// What the world knows.
    pub origin: Origin,
    /// What it is now.
    pub live: Raw,
}

/// Returns every item that anybody ever changed.
pub fn items(fleet: &Fleet) -> Vec<Known> {
    let mut items = Vec::new();
    for machine in fleet.world.machines().into_keys() {
        for ((kind, key), origin) in fleet.world.origins(&machine) {
            let live = fleet.world.live(&machine, &kind, &key);
            items.push(Known { machine: machine.clone(), kind, key, origin, live });
        }
    }
    items
}

/// Returns everything in which state and world disagree while no run is open.
///
/// * A recorded item has the original that the world knows, and is as last applied unless a person or a half-done write
///   made it otherwise.
/// * An item that is not recorded is what it was without `tune`.
pub fn disagreements(fleet: &Fleet) -> Vec<String> {
    let (state, _) = fleet.remembered();
    let machines = fleet.world.machines();
    let mut found = Vec::new();
    for known in items(fleet) {
        let Known { machine, kind, key, origin, live } = &known;
        let same = |a: &Raw, b: &Raw| fleet.world.same(kind, key, a, b);
        let record = id(&state, &machines[machine], kind, key).and_then(|id| state.items.get(&id));
        let Some(record) = record else {
            if origin.writer == Writer::Tune && !same(live, &origin.base) {
                found.push(format!("`{key}` on {machine} is {live:?}, was {:?}, and is forgotten", origin.base));
            }
            if origin.writer == Writer::Half {
                found.push(format!("`{key}` on {machine} is half written and forgotten"));
            }
            continue;
        };
        match &record.original {
            Original::Known { raw, .. } if same(raw, &origin.base) => {}
            Original::Unknown => {}
            Original::Known { raw, .. } => {
                found.push(format!("`{key}` on {machine} has the original {raw:?}, but was {:?}", origin.base));
            }
        }
        if origin.writer == Writer::Tune && !same(live, &record.applied) {
            found.push(format!("`{key}` on {machine} is {live:?}, but recorded as {:?}", record.applied));
        }
    }
    found
}

/// Returns everything that keeps the machines from being what they were without `tune`, apart from what a person
/// changed since, from machines that are away, and from ledgers of which `told` says that they could not be tidied.
pub fn remains(fleet: &Fleet, told: &Named) -> Vec<String> {
    let mut found = Vec::new();
    let machines = fleet.world.machines();
    let is_told = |name: &str| told.warnings.iter().any(|warning| warning.contains(&format!("`host.{name}`")));
    for (name, machine) in machines.iter().filter(|(_, machine)| machine.can_be_reached()) {
        if !machine.ledgers.is_empty() && !is_told(name) {
            found.push(format!("{name} still carries a ledger: {:?}", machine.ledgers));
        }
    }
    for known in items(fleet) {
        let Known { machine, kind, key, origin, live } = &known;
        let back = fleet.world.same(kind, key, live, &origin.base);
        if origin.writer != Writer::Hand && !back && machines[machine].can_be_reached() {
            found.push(format!("`{key}` on {machine} is {live:?}, but was {:?} before tune", origin.base));
        }
    }
    found
}

/// Returns the identity of an item in a state, if its machine is known there.
pub fn id(state: &State, machine: &Machine, kind: &str, key: &ItemKey) -> Option<ItemId> {
    let is_it = |record: &tune_core::state::HostRecord| record.machine_id.as_ref() == Some(&machine.machine_id);
    let (host, _) = state.hosts.iter().find(|(_, record)| is_it(record))?;
    Some(ItemId { host: host.clone(), kind: kind.to_owned(), key: key.clone() })
}

/// What a command said about items that are neither as before nor as wanted.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// Stuck or unknown.
    pub stuck: BTreeSet<ItemId>,
    /// Left alone, because somebody else changed it.
    pub conflicts: BTreeSet<ItemId>,
    /// Waiting for a machine that is away.
    pub owed: BTreeSet<ItemId>,
    /// Failed and put back, with the reasons.
    pub put_back: BTreeMap<ItemId, String>,
    /// Everything else that a person was told, as whole sentences.
    pub warnings: Vec<String>,
}

impl Named {
    /// Takes in everything that a command said.
    pub fn hear(&mut self, ended: &Ended) {
        ended.settled.iter().for_each(|settled| self.hear_report(&settled.report));
        match &ended.outcome {
            Outcome::Ran { report, plan } => {
                self.hear_report(report);
                let conflict = |item: &&tune_core::plan::ItemPlan| matches!(item.step, Step::Conflict { .. });
                let items = plan.resources.values().flat_map(|resource| &resource.items);
                self.conflicts.extend(items.filter(conflict).map(|item| item.id.clone()));
            }
            Outcome::Failed(EngineError::Interrupted { report, .. }) => self.hear_report(report),
            Outcome::Failed(_) | Outcome::Killed | Outcome::Open | Outcome::NoPlan(_) => {}
        }
    }

    /// Takes in a report.
    pub fn hear_report(&mut self, report: &Report) {
        for outcome in report.resources.values() {
            match outcome {
                ResourceOutcome::Stuck { items, .. } => self.stuck.extend(items.iter().map(|item| item.item.clone())),
                ResourceOutcome::Unknown { items, .. } => self.stuck.extend(items.iter().cloned()),
                ResourceOutcome::PutBack { failures, .. } => {
                    let failures = failures.iter().map(|failure| (failure.item.clone(), failure.message.clone()));
                    self.put_back.extend(failures);
                }
                ResourceOutcome::Done { .. } | ResourceOutcome::NotStarted(_) => {}
            }
        }
        self.conflicts.extend(report.conflicts.iter().map(|conflict| conflict.item.clone()));
        self.warnings.extend(report.warnings.iter().cloned());
        self.owed.extend(report.owed.iter().flat_map(|owed| owed.items.iter().cloned()));
    }
}
