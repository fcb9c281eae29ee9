//! The planner: readings against what is wanted and what is recorded, item by item.

mod configured;
mod guests;
mod recorded;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Adopted, CLAIMED, ItemPlan, Matching, Mistake, NOT_ROOT, Operation, Owed, Plan, PlannedHost, Request, ResourcePlan,
    STALE_STATE, Step, Wanted, schedule,
};
use crate::address::Address;
use crate::contract::Kind;
use crate::item::{HostId, ItemId, ItemKey, Raw};
use crate::path::AttributePath;
use crate::problem::Problem;
use crate::reading::{Facts, HostReading, ItemReading, Layer, Reading, Snapshot, Unreachable, Unreadable};
use crate::state::{Record, ResourceRecord};

/// Returns the plan for what is wanted, given who answered and what was read.
///
/// `snapshot` must hold an answer for every name in `matching`, read with `lookups`.
pub fn plan(request: &Request<'_>, wanted: &Wanted, matching: &Matching, snapshot: &Snapshot) -> Plan {
    let mut planning = Planning {
        request: *request,
        wanted,
        matching,
        snapshot,
        ids: host_ids(matching, snapshot),
        positions: positions(request, wanted, matching),
        plan: Plan {
            operation: request.operation.clone(),
            lineage: request.state.lineage.clone(),
            serial: request.state.serial,
            resources: BTreeMap::new(),
            hosts: BTreeMap::new(),
            guests: BTreeMap::new(),
            stages: Vec::new(),
            rollouts: BTreeMap::new(),
            checks: BTreeMap::new(),
            problems: matching.problems.clone(),
            advice: Vec::new(),
            owed: Vec::new(),
        },
    };
    planning.hosts();
    match request.operation {
        Operation::Apply => {
            planning.configured();
            planning.left_over();
        }
        Operation::Destroy => planning.left_over(),
        Operation::RefreshOnly => planning.refreshed(),
        Operation::Rollback { run, through } => planning.rolled_back(*run, *through),
    }
    planning.finish()
}

/// One planning in progress: what it starts from, and the plan so far.
struct Planning<'a> {
    request: Request<'a>,
    wanted: &'a Wanted,
    matching: &'a Matching,
    snapshot: &'a Snapshot,
    ids: BTreeMap<&'a Address, HostId>,
    /// Where in a host's answer the reading of a kind stands.
    positions: BTreeMap<(Address, String), usize>,
    plan: Plan,
}

fn positions(request: &Request<'_>, wanted: &Wanted, matching: &Matching) -> BTreeMap<(Address, String), usize> {
    let mut positions = BTreeMap::new();
    for (address, asked) in super::lookups(request, wanted, matching) {
        for (position, lookup) in asked.lookups.into_iter().enumerate() {
            positions.insert((address.clone(), lookup.kind), position);
        }
    }
    positions
}

/// Names every machine: as recorded, or for a new one after its machine id, its host key, or at last its address.
fn host_ids<'a>(matching: &'a Matching, snapshot: &Snapshot) -> BTreeMap<&'a Address, HostId> {
    let mut taken: BTreeSet<HostId> = matching.asked.values().filter_map(|asked| asked.record.clone()).collect();
    let mut ids = BTreeMap::new();
    for (address, asked) in &matching.asked {
        let id = asked.record.clone().unwrap_or_else(|| {
            let facts = snapshot.get(address).and_then(|answer| answer.as_ref().ok()).map(|answer| &answer.facts);
            let key = facts.and_then(|facts| facts.host_keys.first().cloned());
            let machine = facts.and_then(|facts| facts.machine_id.clone());
            // Clones share a machine id, and sometimes the host keys too.
            let names = [machine, key, Some(address.to_string())].into_iter().flatten();
            let free = names.map(HostId).find(|id| !taken.contains(id));
            free.unwrap_or_else(|| HostId(format!("{address} (new)")))
        });
        taken.insert(id.clone());
        ids.insert(address, id);
    }
    ids
}

impl<'a> Planning<'a> {
    fn hosts(&mut self) {
        for (address, asked) in &self.matching.asked {
            let Some(Ok(HostReading { facts, .. })) = self.snapshot.get(address) else { continue };
            let lineage = &self.request.state.lineage;
            let own = facts.ledgers.iter().flatten().find(|ledger| ledger.lineage == *lineage);
            let epoch = own.map_or(0, |ledger| ledger.epoch);
            if epoch > self.request.state.last_run && !asked.only_tells {
                self.problem(
                    address,
                    Problem::new(
                        STALE_STATE,
                        AttributePath::default(),
                        format!(
                            "`{address}` has seen run {epoch} of this state, which knows only {}",
                            self.request.state.last_run
                        ),
                        "an older copy of the state was put back",
                    )
                    .with_help("bring the newest copy of the state with `tune state import`"),
                );
            }
            let planned = PlannedHost {
                host: asked.host.clone(),
                machine_id: facts.machine_id.clone(),
                host_keys: facts.host_keys.clone(),
                hostname: facts.hostname.clone(),
                uid: facts.uid,
                boot_id: facts.boot_id.clone(),
                waits_for_boot: facts.waits_for_boot.clone(),
                epoch,
            };
            self.plan.hosts.insert(self.ids[address].clone(), planned);
        }
    }

    /// Drops resources of which nothing is to be said, and brings the rest in order.
    fn finish(mut self) -> Plan {
        let mut named = BTreeSet::new();
        for resource in self.plan.resources.values() {
            let Some(host) = self.plan.hosts.get(&resource.host) else { continue };
            if host.uid != 0 && resource.has_work() && named.insert(host.host.address.clone()) {
                let problem = Problem::new(
                    NOT_ROOT,
                    AttributePath::default(),
                    format!("commands on `{}` run as user {}", host.host.address, host.uid),
                    "only root can apply",
                )
                .with_help("apply as root, or set `become = \"sudo\"` for the host")
                .that_stops_applying();
                self.plan.problems.push(Mistake { address: host.host.address.clone(), problem, related: None });
            }
        }
        self.guests();
        schedule::schedule(&mut self.plan, &self.request);
        self.plan.advice.sort();
        self.plan.advice.dedup();
        self.plan
    }

    fn problem(&mut self, address: &Address, problem: Problem) {
        self.plan.problems.push(Mistake { address: address.clone(), problem, related: None });
    }

    fn kind(&self, kind: &str) -> Option<&'a dyn Kind> {
        self.request.kinds.get(kind).map(|kind| &**kind)
    }

    /// What was read for the items of one kind on one host.
    fn reading(&self, address: &Address, kind: &str) -> Result<(&'a Reading, &'a Facts), &'a Unreachable> {
        match self.snapshot.get(address) {
            Some(Ok(answer)) => {
                let position = self.positions.get(&(address.clone(), kind.to_owned()));
                let reading = position.and_then(|position| answer.readings.get(*position)).unwrap_or(&EMPTY);
                Ok((reading, &answer.facts))
            }
            Some(Err(unreachable)) => Err(unreachable),
            None => Ok((&EMPTY, &NO_FACTS)),
        }
    }

    fn item(&self, id: &ItemId, path: AttributePath, found: &ItemReading, step: Step) -> ItemPlan {
        ItemPlan {
            id: id.clone(),
            path,
            step,
            live: Some(found.raw.clone()),
            applied: self.request.state.items.get(id).map(|record| record.applied.clone()),
            adopt: None,
            running: found.running.clone(),
            next_start: found.next_start.clone(),
            effect: crate::contract::Effect::default(),
            activations: BTreeSet::new(),
            may_cut_connection: false,
            reversible: true,
            accepted: BTreeMap::new(),
        }
    }

    fn unreadable(&self, id: &ItemId, path: AttributePath, why: Unreadable) -> ItemPlan {
        ItemPlan {
            id: id.clone(),
            path,
            step: Step::Unreadable(why),
            live: None,
            applied: self.request.state.items.get(id).map(|record| record.applied.clone()),
            adopt: None,
            running: Layer::default(),
            next_start: Layer::default(),
            effect: crate::contract::Effect::default(),
            activations: BTreeSet::new(),
            may_cut_connection: false,
            reversible: true,
            accepted: BTreeMap::new(),
        }
    }

    /// Returns the original of an item that is not recorded yet: the ledger's, if this state wrote here before; not
    /// known, if the item carries our mark and nobody remembers; else what was read.
    fn adopt(&self, kind: &dyn Kind, id: &ItemId, reading: &Reading, facts: &Facts, found: &ItemReading) -> Adopted {
        let state = self.request.state;
        let own = facts.ledgers.iter().flatten().find(|ledger| ledger.lineage == state.lineage);
        if let Some(ledger) = own
            && let Some(entry) = ledger.entries.get(&(id.kind.clone(), id.key.clone()))
        {
            // A state that is as new as the ledger and does not know the item has let go of it, and the ledger was not
            // brought up to date. Then its original counts only while the value is still ours.
            let is_ours = entry.ours.iter().any(|ours| same(kind, &id.key, ours, &found.raw));
            if is_ours || ledger.epoch > state.last_run {
                return Adopted::Recovered(entry.original.clone());
            }
        }
        // A mark that is recorded itself tells nothing new: only the item was let go of.
        let lost = |mark: &ItemKey| !state.items.contains_key(&ItemId { key: mark.clone(), ..id.clone() });
        if kind.marked_by(&id.key, reading).is_some_and(|mark| lost(&mark)) {
            return Adopted::Recovered(None);
        }
        let next_boot = found.next_start.value.as_ref().map(|value| match &found.next_start.source {
            Some(source) => format!("{value} ({source})"),
            None => value.clone(),
        });
        Adopted::Read { raw: found.raw.clone(), next_boot }
    }

    /// Reports an item that another state manages.
    fn check_claims(&mut self, address: &Address, id: &ItemId, path: &AttributePath, facts: &Facts) {
        let foreign = facts.ledgers.iter().flatten().find(|ledger| {
            ledger.lineage != self.request.state.lineage
                && ledger.entries.contains_key(&(id.kind.clone(), id.key.clone()))
        });
        let Some(ledger) = foreign else { return };
        let label = self.kind(&id.kind).map_or_else(|| id.key.0.clone(), |kind| kind.label(&id.key));
        let owner = &ledger.entries[&(id.kind.clone(), id.key.clone())].address;
        self.problem(
            address,
            Problem::new(
                CLAIMED,
                path.clone(),
                format!("`{label}` is managed by another state, `{}`", ledger.lineage),
                format!("there it is `{owner}`, last written in run {} by {}", ledger.epoch, ledger.writer),
            )
            .with_help("revert it there first, or rebuild a lost state with `tune state import -from-hosts`"),
        );
    }

    fn resource(&mut self, address: &Address, host: &HostId) -> &mut ResourcePlan {
        let configured = self.request.resources.get(address);
        let recorded = self.request.state.resources.get(address);
        let depends_on = match (configured, recorded) {
            (Some(resource), _) => resource.depends_on.clone(),
            (None, Some(record)) => record.depends_on.clone(),
            (None, None) => BTreeSet::new(),
        };
        let is_configured = *self.plan_operation() == Operation::Apply && configured.is_some();
        let prevent_revert = match (configured, recorded) {
            (Some(resource), _) => resource.lifecycle.prevent_revert,
            (None, Some(record)) => record.prevent_revert,
            (None, None) => false,
        };
        let differs = |record: &ResourceRecord| {
            record.host != *host || record.depends_on != depends_on || record.prevent_revert != prevent_revert
        };
        let outdated = is_configured && recorded.is_some_and(differs);
        self.plan.resources.entry(address.clone()).or_insert_with(|| ResourcePlan {
            host: host.clone(),
            configured: is_configured,
            depends_on,
            prevent_revert,
            guest: recorded.and_then(|record| record.guest.clone()),
            accept: configured.map(|resource| resource.lifecycle.accept.clone()).unwrap_or_default(),
            outdated,
            renamed_from: BTreeSet::new(),
            items: Vec::new(),
        })
    }

    fn plan_operation(&self) -> &Operation {
        self.request.operation
    }

    fn owe(&mut self, owner: &Address, host: &Address, id: &ItemId, reason: &str) {
        if let Some(owed) = self.plan.owed.iter_mut().find(|owed| owed.address == *owner && owed.host == *host) {
            owed.items.push(id.clone());
            return;
        }
        self.plan.owed.push(Owed {
            address: owner.clone(),
            host: host.clone(),
            items: vec![id.clone()],
            reason: reason.to_owned(),
        });
    }

    /// Recorded items with the name under which their machine was asked, if it was.
    fn recorded_items(&self) -> Vec<(ItemId, Record, Option<Address>)> {
        let asked_as = |host: &HostId| {
            let asked = self.matching.asked.iter().find(|(_, asked)| asked.record.as_ref() == Some(host));
            asked.map(|(address, _)| address.clone())
        };
        let names: BTreeMap<&HostId, Option<Address>> =
            self.request.state.hosts.keys().map(|id| (id, asked_as(id))).collect();
        let items = self.request.state.items.iter();
        items.map(|(id, record)| (id.clone(), record.clone(), names.get(&id.host).cloned().flatten())).collect()
    }
}

/// Returns whether two forms mean the same to the kind.
fn same(kind: &dyn Kind, key: &ItemKey, a: &Raw, b: &Raw) -> bool {
    a == b || kind.canonical(key, a) == kind.canonical(key, b)
}

static EMPTY: std::sync::LazyLock<Reading> = std::sync::LazyLock::new(Reading::default);
static NO_FACTS: std::sync::LazyLock<Facts> = std::sync::LazyLock::new(Facts::default);
