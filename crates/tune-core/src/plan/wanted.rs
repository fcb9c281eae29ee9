//! What the configuration claims: every resource's desired items, with overlaps found before anything is read.

use std::collections::{BTreeMap, BTreeSet};

use super::{CLAIMED_TWICE, Mistake, NO_SUCH_ADDRESS, Operation, Plan, Related, Request};
use crate::address::Address;
use crate::contract::{Desired, Kinds};
use crate::graph;
use crate::item::ItemKey;
use crate::path::AttributePath;
use crate::problem::Problem;
use crate::resource::Resource;

/// What the selected part of a configuration wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Desired items by resource; empty when desired values come from the record.
    pub desired: BTreeMap<Address, Desired>,
    /// Every resource that the selection covers, those of the state included.
    pub selected: BTreeSet<Address>,
    /// Every item that any resource of the configuration wants, selected or not: none of these is put back.
    pub claimed: BTreeSet<(Address, String, ItemKey)>,
    /// Resources that stand for a guest and that are no part of the plan. Where a machine goes down, it counts all the
    /// same which of them run on it. One that only the state remembers has no desired items here.
    pub bystanders: BTreeMap<Address, Option<Desired>>,
    /// Whether the bystanders are asked where they run.
    pub asks_bystanders: bool,
    /// Hosts that go down with a machine, and of which nothing is wanted but who they are: one may run `tune`.
    pub strangers: BTreeSet<Address>,
}

impl Wanted {
    /// Has those asked from now on that a plan shows to matter too: where a machine goes down, the bystanders, and then
    /// who runs on it. Returns whether that makes a difference.
    pub fn ask_more(&mut self, request: &Request<'_>, plan: &Plan) -> bool {
        if !plan.takes_machines_down() {
            return false;
        }
        if !std::mem::replace(&mut self.asks_bystanders, true) && !self.bystanders.is_empty() {
            return true;
        }
        let known: BTreeSet<&Address> = plan.hosts.values().map(|planned| &planned.host.address).collect();
        let down = plan.members().flat_map(|member| &member.down).filter(|host| request.hosts.contains_key(*host));
        let strangers: Vec<&Address> = down.filter(|host| !known.contains(*host)).collect();
        let before = self.strangers.len();
        if request.rolling.controller.is_some() {
            self.strangers.extend(strangers.into_iter().cloned());
        }
        self.strangers.len() > before
    }

    /// Returns the bystanders that are asked.
    pub(super) fn asked_bystanders(&self) -> impl Iterator<Item = (&Address, Option<&Desired>)> {
        let asked = self.bystanders.iter().filter(|_| self.asks_bystanders);
        asked.map(|(address, desired)| (address, desired.as_ref()))
    }

    /// Returns whether what is recorded for a resource is asked for.
    pub(super) fn asks_recorded(&self, owner: &Address) -> bool {
        self.selected.contains(owner) || (self.asks_bystanders && self.bystanders.get(owner) == Some(&None))
    }
}

/// Returns what is wanted, or every mistake in the resources' attributes and every item that two resources claim.
pub fn wanted(request: &Request<'_>) -> Result<Wanted, Vec<Mistake>> {
    let all = desired(request.kinds, request.resources)?;
    let selected = selected(request)?;
    let is_wanted = |address: &Address| *request.operation == Operation::Apply && selected.contains(address);
    let bystanders = bystanders(request, &all, is_wanted);
    if *request.operation != Operation::Apply {
        return Ok(Wanted { selected, bystanders, ..Wanted::default() });
    }
    let claim = |(address, desired): (&Address, &Desired)| -> Vec<(Address, String, ItemKey)> {
        let claims = desired.items.iter().map(|item| (desired.host.clone(), address.kind.clone(), item.key.clone()));
        claims.collect()
    };
    let claimed = all.iter().flat_map(claim).collect();
    let desired = all.into_iter().filter(|(address, _)| selected.contains(address)).collect();
    Ok(Wanted { desired, selected, claimed, bystanders, ..Wanted::default() })
}

/// Guests whose resources are not planned from the configuration. One that left it is asked by what is recorded.
fn bystanders(
    request: &Request<'_>,
    all: &BTreeMap<Address, Desired>,
    is_wanted: impl Fn(&Address) -> bool,
) -> BTreeMap<Address, Option<Desired>> {
    let configured = all.iter().filter(|(address, desired)| desired.guest.is_some() && !is_wanted(address));
    let recorded = request.state.resources.iter();
    let recorded = recorded.filter(|(address, record)| record.guest.is_some() && !all.contains_key(*address));
    let recorded = recorded.map(|(address, _)| (address.clone(), None));
    configured.map(|(address, desired)| (address.clone(), Some(desired.clone()))).chain(recorded).collect()
}

/// Returns every resource's desired items, or all mistakes; this is what `validate` checks as well.
pub fn desired(
    kinds: &Kinds,
    resources: &BTreeMap<Address, Resource>,
) -> Result<BTreeMap<Address, Desired>, Vec<Mistake>> {
    let mut desired = BTreeMap::new();
    let mut mistakes = Vec::new();
    for (address, resource) in resources {
        let kind = kinds.get(address.kind.as_str()).expect("the configuration was checked against these kinds");
        match kind.desired(resource) {
            Ok(items) => {
                desired.insert(address.clone(), items);
            }
            Err(problems) => {
                let mistake = |problem| Mistake { address: address.clone(), problem, related: None };
                mistakes.extend(problems.into_iter().map(mistake));
            }
        }
    }
    mistakes.extend(overlaps(kinds, &desired));
    if mistakes.is_empty() { Ok(desired) } else { Err(mistakes) }
}

fn overlaps(kinds: &Kinds, desired: &BTreeMap<Address, Desired>) -> Vec<Mistake> {
    let mut owners: BTreeMap<(&Address, &str, &ItemKey), (&Address, &AttributePath)> = BTreeMap::new();
    let mut mistakes = Vec::new();
    for (address, resource) in desired {
        for item in &resource.items {
            let claim = (&resource.host, address.kind.as_str(), &item.key);
            let Some((first, path)) = owners.get(&claim) else {
                owners.insert(claim, (address, &item.path));
                continue;
            };
            let label =
                kinds.get(address.kind.as_str()).map_or_else(|| item.key.0.clone(), |kind| kind.label(&item.key));
            mistakes.push(Mistake {
                address: address.clone(),
                problem: Problem::new(
                    CLAIMED_TWICE,
                    item.path.clone(),
                    format!("`{label}` on `{}` is managed by two resources, `{first}` and `{address}`", resource.host),
                    "managed here as well",
                )
                .with_help(if address.block() == first.block() {
                    "let each instance manage something else, or write one resource without `count` and `for_each`"
                } else {
                    "manage it in one resource only"
                }),
                related: Some(Related {
                    address: (*first).clone(),
                    path: (*path).clone(),
                    label: "first managed here".to_owned(),
                }),
            });
        }
    }
    mistakes
}

/// Terraform's rules: `-target` brings along what its resources depend on, `-exclude` what depends on them.
fn selected(request: &Request<'_>) -> Result<BTreeSet<Address>, Vec<Mistake>> {
    let mut depends_on: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
    for (address, record) in &request.state.resources {
        depends_on.insert(address.clone(), record.depends_on.clone());
    }
    for (address, resource) in request.resources {
        depends_on.insert(address.clone(), resource.depends_on.clone());
    }
    let selection = request.selection;
    let mistakes: Vec<Mistake> = [&selection.target, &selection.exclude, &selection.overwrite_drift]
        .into_iter()
        .flatten()
        .filter(|wanted| !depends_on.keys().any(|address| wanted.selects(address)))
        .map(|wanted| Mistake {
            address: wanted.clone(),
            problem: Problem::new(
                NO_SUCH_ADDRESS,
                AttributePath::default(),
                format!("`{wanted}` is neither in the configuration nor in the state"),
                "",
            ),
            related: None,
        })
        .collect();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let matching = |wanted: &[Address]| -> Vec<Address> {
        depends_on.keys().filter(|address| wanted.iter().any(|wanted| wanted.selects(address))).cloned().collect()
    };
    let dependents = graph::reversed(&depends_on);
    // A revert goes the other way round: what depends on a resource is put back before it.
    let brought_along = if *request.operation == Operation::Destroy { &dependents } else { &depends_on };
    let mut chosen = if selection.target.is_empty() {
        depends_on.keys().cloned().collect()
    } else {
        graph::with_dependencies(matching(&selection.target), brought_along)
    };
    let left_out = if *request.operation == Operation::Destroy { &depends_on } else { &dependents };
    for address in graph::with_dependencies(matching(&selection.exclude), left_out) {
        chosen.remove(&address);
    }
    chosen.retain(|address| depends_on.contains_key(address));
    Ok(chosen)
}
