//! Items that are recorded: putting originals back, accepting what is live, and undoing a run.

use std::collections::{BTreeMap, BTreeSet};

use super::{Planning, same};
use crate::address::Address;
use crate::contract::{Desired, DesiredItem, Kind, Question};
use crate::item::{Change, ItemId, Raw};
use crate::path::AttributePath;
use crate::plan::{ItemPlan, LATER_RUNS, NO_SUCH_RUN, Operation, PREVENTED, Step, UNKNOWN_ORIGINAL};
use crate::problem::{Code, Problem};
use crate::reading::{ItemReading, Unreadable};
use crate::state::{Original, Record};

/// A host answered, but said nothing about an item.
pub(super) fn not_read() -> Unreadable {
    Unreadable {
        code: Code("tune::plan::not_read"),
        message: "the host gave no answer about this item".to_owned(),
        help: None,
    }
}

impl Planning<'_> {
    /// Plans the revert of every selected item that nothing wants any more.
    pub(super) fn left_over(&mut self) {
        for (id, record, asked) in self.recorded_items() {
            if !self.wanted.selected.contains(&record.owner) {
                continue;
            }
            let claim = |host: &Address| self.wanted.claimed.contains(&(host.clone(), id.kind.clone(), id.key.clone()));
            if asked.as_ref().is_some_and(claim) {
                continue;
            }
            if self.refuses_revert(&record.owner) {
                let label = self.label(&id);
                self.problem(
                    &record.owner,
                    Problem::new(
                        PREVENTED,
                        AttributePath::default(),
                        format!("`prevent_revert` forbids putting back `{label}` of `{}`", record.owner),
                        "",
                    )
                    .with_help("set `prevent_revert = false` and apply, or leave the resource out with `-exclude`"),
                );
                continue;
            }
            self.with_found(&id, &record, asked.as_ref(), |planning, kind, found| {
                planning.revert(kind, &id, &record, found)
            });
        }
        self.order_reverts();
    }

    /// Accepts what is live as last applied.
    pub(super) fn refreshed(&mut self) {
        for (id, record, asked) in self.recorded_items() {
            if !self.wanted.selected.contains(&record.owner) {
                continue;
            }
            self.with_found(&id, &record, asked.as_ref(), |planning, kind, found| {
                let step = if same(kind, &id.key, &found.raw, &record.applied) { Step::Keep } else { Step::Record };
                Some(planning.item(&id, AttributePath::default(), found, step))
            });
        }
    }

    /// Plans the undoing of a past run, for what is still as that run left it.
    pub(super) fn rolled_back(&mut self, number: u64, through: bool) {
        let place = Address::new("run", &number.to_string());
        let Some(run) = self.request.runs.iter().find(|run| run.number == number) else {
            self.problem(
                &place,
                Problem::new(NO_SUCH_RUN, AttributePath::default(), format!("there is no run {number}"), "")
                    .with_help("see `tune history` for the runs that are recorded"),
            );
            return;
        };
        let mut changes: BTreeMap<ItemId, Change> =
            run.changes.iter().map(|(id, change)| (id.clone(), change.change.clone())).collect();
        let mut changed_again: BTreeMap<ItemId, Vec<Problem>> = BTreeMap::new();
        for later in self.request.runs.iter().filter(|later| later.number > number) {
            for (id, change) in &mut changes {
                let Some(again) = later.changes.get(id) else { continue };
                if !through {
                    let label = self
                        .request
                        .kinds
                        .get(id.kind.as_str())
                        .map_or_else(|| id.key.0.clone(), |kind| kind.label(&id.key));
                    let message =
                        format!("run {} changed `{label}` of `{}` after run {number}", later.number, again.owner);
                    let problem = Problem::new(LATER_RUNS, AttributePath::default(), message, "")
                        .with_help(format!("roll run {} back first, or give `-through` to undo both", later.number));
                    changed_again.entry(id.clone()).or_default().push(problem);
                    continue;
                }
                change.after = again.change.after.clone();
            }
        }
        let recorded: BTreeMap<ItemId, (Record, Option<Address>)> =
            self.recorded_items().into_iter().map(|(id, record, asked)| (id, (record, asked))).collect();
        for (id, change) in changes {
            let Some((record, asked)) = recorded.get(&id) else {
                let message =
                    format!("`{}` is not managed any more, so run {number} cannot be undone for it", self.label(&id));
                let problem = Problem::new(NO_SUCH_RUN, AttributePath::default(), message, "");
                self.problem(&place, problem.with_help("apply the configuration to manage it again"));
                continue;
            };
            if !self.wanted.selected.contains(&record.owner) {
                continue;
            }
            let changed_again = changed_again.remove(&id).unwrap_or_default();
            self.with_found(&id, record, asked.as_ref(), |planning, kind, found| {
                // What is back already needs nothing, whoever brought it back.
                let is_back = same(kind, &id.key, &found.raw, &change.before);
                if !is_back && !changed_again.is_empty() {
                    for problem in changed_again {
                        planning.problem(&place, problem);
                    }
                    return None;
                }
                let step = if is_back {
                    Step::Keep
                } else if same(kind, &id.key, &found.raw, &change.after) || planning.overwrites(&record.owner) {
                    Step::Revert(Change { before: found.raw.clone(), after: change.before.clone() })
                } else {
                    Step::Conflict { original: change.before.clone() }
                };
                Some(planning.item(&id, AttributePath::default(), found, step))
            });
        }
        self.order_reverts();
    }

    /// Looks an item up in what was read and adds what `decide` says of it; an item whose machine is away is owed.
    fn with_found(
        &mut self,
        id: &ItemId,
        record: &Record,
        asked: Option<&Address>,
        decide: impl FnOnce(&mut Self, &dyn Kind, &ItemReading) -> Option<ItemPlan>,
    ) {
        let name = asked.cloned().unwrap_or_else(|| self.request.state.hosts[&id.host].address.clone());
        let kinds = self.request.kinds;
        let Some(kind) = kinds.get(id.kind.as_str()) else { return };
        let reading = match self.reading(&name, &id.kind) {
            Ok((reading, _)) => reading,
            Err(unreachable) => {
                let reason = unreachable.message.clone();
                self.owe(&record.owner, &name, id, &reason);
                return;
            }
        };
        let planned = match reading.items.get(&id.key) {
            Some(Ok(found)) => {
                let planned = decide(self, &**kind, found);
                planned.map(|planned| self.judged(&**kind, planned, &name))
            }
            Some(Err(why)) => Some(self.unreadable(id, AttributePath::default(), why.clone())),
            None => Some(self.unreadable(id, AttributePath::default(), not_read())),
        };
        if let Some(planned) = planned {
            self.resource(&record.owner, &id.host).items.push(planned);
        }
    }

    fn revert(&mut self, kind: &dyn Kind, id: &ItemId, record: &Record, found: &ItemReading) -> Option<ItemPlan> {
        let original = match &record.original {
            Original::Known { raw, .. } => raw,
            Original::Unknown if self.request.selection.keep_unknown => {
                return Some(self.item(id, AttributePath::default(), found, Step::Forget));
            }
            Original::Unknown => {
                let message = format!("what `{}` of `{}` was before is not known", self.label(id), record.owner);
                self.problem(
                    &record.owner,
                    Problem::new(UNKNOWN_ORIGINAL, AttributePath::default(), message, "")
                        .with_help("leave the live value and forget the item with `-unknown=keep`"),
                );
                return None;
            }
        };
        let is = |raw: &Raw| same(kind, &id.key, &found.raw, raw);
        let step = if is(original) {
            Step::Forget
        } else if is(&record.applied) || self.overwrites(&record.owner) {
            Step::Revert(Change { before: found.raw.clone(), after: original.clone() })
        } else {
            Step::Conflict { original: original.clone() }
        };
        let mut planned = self.item(id, AttributePath::default(), found, step);
        if matches!(planned.step, Step::Forget) {
            planned.activations.clone_from(&record.owes);
        }
        Some(planned)
    }

    /// A revert is judged like any other write: the original is what is wanted.
    fn judged(&self, kind: &dyn Kind, mut planned: ItemPlan, host: &Address) -> ItemPlan {
        let is_known = || {
            let record = self.request.state.items.get(&planned.id);
            record.is_some_and(|record| matches!(record.original, Original::Known { .. }))
        };
        // What is back already may not be in effect: its file is as it was, and what runs was loaded before.
        let want = match &planned.step {
            Step::Forget if is_known() => planned.live.clone(),
            step => step.change().map(|change| change.after.clone()),
        };
        let (Some(want), Ok((reading, facts))) = (want, self.reading(host, &planned.id.kind)) else {
            return planned;
        };
        let item = DesiredItem { key: planned.id.key.clone(), path: AttributePath::default(), want };
        let desired = Desired { host: host.clone(), guest: None, items: vec![item] };
        let recorded = BTreeSet::from([planned.id.key.clone()]);
        let question = Question { desired: &desired, reading, facts, recorded: &recorded };
        if let Some(judged) = kind.impact(&question).items.get(&planned.id.key) {
            planned.effect = judged.effect;
            planned.may_cut_connection = judged.may_cut_connection;
            planned.activations.extend(judged.activations.iter().cloned());
        }
        planned
    }

    /// Running values before files, whatever the order in which items are recorded.
    fn order_reverts(&mut self) {
        for resource in self.plan.resources.values_mut() {
            resource.items.sort_by_key(|item| match (&item.step, &item.live) {
                (Step::Revert(_) | Step::Forget | Step::Conflict { .. }, Some(Raw::File(_))) => 2,
                (Step::Revert(_) | Step::Forget | Step::Conflict { .. }, _) => 0,
                _ => 1,
            });
        }
    }

    fn refuses_revert(&self, owner: &Address) -> bool {
        let configured = self.request.resources.get(owner).map(|resource| resource.lifecycle.prevent_revert);
        let recorded = self.request.state.resources.get(owner).map(|record| record.prevent_revert);
        // For a resource that is still configured, what is written there now counts; a destroy asks both.
        match self.request.operation {
            Operation::Destroy => configured.unwrap_or(false) || recorded.unwrap_or(false),
            _ => configured.or(recorded).unwrap_or(false),
        }
    }

    fn overwrites(&self, owner: &Address) -> bool {
        self.request.selection.overwrite_drift.iter().any(|wanted| wanted.selects(owner))
    }

    fn label(&self, id: &ItemId) -> String {
        self.kind(&id.kind).map_or_else(|| id.key.0.clone(), |kind| kind.label(&id.key))
    }
}
