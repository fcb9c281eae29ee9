//! Resources that the configuration has: what it wants against what was found.

use std::collections::BTreeSet;

use super::{Planning, same};
use crate::address::Address;
use crate::contract::{Desired, DesiredItem, Impact, Kind, Question};
use crate::item::{Change, HostId, ItemId, ItemKey};
use crate::path::AttributePath;
use crate::plan::{CONSENT, ItemPlan, Step};
use crate::problem::Problem;
use crate::reading::{Facts, Reading};
use crate::resource::Consent;

impl Planning<'_> {
    /// Plans every wanted resource.
    pub(super) fn configured(&mut self) {
        let wanted = self.wanted;
        for (address, desired) in &wanted.desired {
            let Some(host) = self.ids.get(&desired.host).cloned() else { continue };
            let (reading, facts) = match self.reading(&desired.host, &address.kind) {
                Ok(found) => found,
                Err(unreachable) => {
                    let problem =
                        Problem::new(unreachable.code, AttributePath::default(), unreachable.message.clone(), "");
                    let problem = Problem { help: unreachable.help.clone(), ..problem };
                    // One host that is away is said once, however many resources live on it.
                    let known =
                        |mistake: &super::Mistake| mistake.address == desired.host && mistake.problem == problem;
                    if !self.plan.problems.iter().any(known) {
                        self.problem(&desired.host, problem);
                    }
                    continue;
                }
            };
            self.resource(address, &host);
            self.compare(address, desired, &host, reading, facts);
        }
    }

    fn compare(&mut self, address: &Address, desired: &Desired, host: &HostId, reading: &Reading, facts: &Facts) {
        let Some(kind) = self.request.kinds.get(address.kind.as_str()) else { return };
        let recorded = self.recorded_among(desired, host, &address.kind);
        let impact = kind.impact(&Question { desired, reading, facts, recorded: &recorded });
        let mut renamed_from = BTreeSet::new();
        let mut items = Vec::new();
        for item in &desired.items {
            let id = ItemId { host: host.clone(), kind: address.kind.clone(), key: item.key.clone() };
            self.check_claims(address, &id, &item.path, facts);
            if let Some(record) = self.request.state.items.get(&id).filter(|record| record.owner != *address) {
                renamed_from.insert(record.owner.clone());
            }
            items.push(self.compare_item(&**kind, address, item, &id, (reading, facts), &impact));
        }
        let accepted = &self.request.resources[address].lifecycle.accept;
        let refused: Vec<Problem> = items
            .iter()
            .filter(|item| item.step.change().is_some() || !item.activations.is_empty())
            .filter_map(|item| Some((item, impact.items.get(&item.id.key)?)))
            .flat_map(|(item, judged)| {
                judged.needs.iter().filter(|(consent, _)| !accepted.contains(consent)).map(|(consent, danger)| {
                    Problem::new(CONSENT, item.path.clone(), danger.clone(), "not done without your consent").with_help(
                        format!(
                            "to accept it, write `lifecycle {{ accept = [\"{}\"] }}` in the resource",
                            consent.word()
                        ),
                    )
                })
            })
            .collect();
        for problem in refused.into_iter().chain(impact.problems) {
            self.problem(address, problem);
        }
        self.plan.advice.extend(impact.advice.into_iter().map(|advice| (address.clone(), advice)));
        let resource = self.resource(address, host);
        resource.items.extend(items);
        resource.guest.clone_from(&desired.guest);
        resource.renamed_from = renamed_from;
    }

    fn recorded_among(&self, desired: &Desired, host: &HostId, kind: &str) -> BTreeSet<ItemKey> {
        let id = |key: &ItemKey| ItemId { host: host.clone(), kind: kind.to_owned(), key: key.clone() };
        let keys = desired.items.iter().map(|item| &item.key);
        keys.filter(|key| self.request.state.items.contains_key(&id(key))).cloned().collect()
    }

    fn compare_item(
        &self,
        kind: &dyn Kind,
        address: &Address,
        item: &DesiredItem,
        id: &ItemId,
        (reading, facts): (&Reading, &Facts),
        impact: &Impact,
    ) -> ItemPlan {
        let found = match reading.items.get(&item.key) {
            Some(Ok(found)) => found,
            Some(Err(why)) => return self.unreadable(id, item.path.clone(), why.clone()),
            None => return self.unreadable(id, item.path.clone(), super::recorded::not_read()),
        };
        let record = self.request.state.items.get(id);
        let is_so = same(kind, &id.key, &found.raw, &item.want);
        let up_to_date = record.is_some_and(|record| {
            record.owner == *address
                && record.rolled_back_in.is_none()
                && same(kind, &id.key, &record.applied, &item.want)
        });
        let step = match (is_so, up_to_date) {
            (true, true) => Step::Keep,
            (true, false) => Step::Record,
            (false, _) => Step::Write(Change { before: found.raw.clone(), after: item.want.clone() }),
        };
        let mut planned = self.item(id, item.path.clone(), found, step);
        if record.is_none() {
            planned.adopt = Some(self.adopt(kind, id, reading, facts, found));
        }
        if let Some(judged) = impact.items.get(&item.key) {
            planned.effect = judged.effect;
            planned.activations.clone_from(&judged.activations);
            planned.may_cut_connection = judged.may_cut_connection;
            planned.reversible = !judged.needs.contains_key(&Consent::Irreversible);
            if planned.step.change().is_some() || !planned.activations.is_empty() {
                let accepted = &self.request.resources[address].lifecycle.accept;
                planned.accepted = judged.needs.clone();
                planned.accepted.retain(|consent, _| accepted.contains(consent));
            }
        }
        planned
    }
}
