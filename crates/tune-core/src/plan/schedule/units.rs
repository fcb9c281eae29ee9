//! What is scheduled as one, and what waits for what.

use std::collections::{BTreeMap, BTreeSet};

use crate::activation::Verb;
use crate::address::Address;
use crate::plan::member::{carried, taken_down};
use crate::plan::{Plan, PlannedHost, Request, ResourcePlan};
use crate::resource::Transport;
use crate::rollout::Rollout;

/// What is scheduled as one. Of those that wait for nothing, the lowest is the next.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    /// A resource of the configuration, on a host of no rollout on which nothing has to be activated.
    Quiet(Address),
    /// Everything that is done to one member, which is this much further from the first of all members.
    Member(usize, Address),
    /// A resource that is only put back, otherwise as a quiet one.
    Back(Address),
}

/// All units of a plan.
pub(super) struct Units<'a> {
    /// Which unit each resource belongs to.
    unit_of: BTreeMap<&'a Address, Unit>,
    /// The unit of each member that has work.
    members: BTreeMap<Address, Unit>,
    /// The resources of each member that has work.
    own: BTreeMap<Address, Vec<&'a Address>>,
    /// The rollout of each member that has one.
    rollout_of: BTreeMap<&'a Address, &'a Rollout>,
    /// The members of each rollout that have work, in their order.
    order_of: BTreeMap<&'a Address, Vec<&'a Address>>,
    /// The place of each of them in the order of its rollout.
    position_of: BTreeMap<&'a Address, usize>,
    /// The machine that each guest runs on.
    runs_on: BTreeMap<&'a Address, &'a Address>,
    /// What each unit waits for because a resource says so.
    waits_for: BTreeMap<Unit, BTreeSet<Unit>>,
}

impl<'a> Units<'a> {
    pub(super) fn of(plan: &'a Plan, rollouts: &'a BTreeMap<Address, Rollout>, request: &Request<'_>) -> Self {
        let mut rollout_of = BTreeMap::new();
        for rollout in rollouts.values() {
            for member in &rollout.members {
                rollout_of.entry(member).or_insert(rollout);
            }
        }
        let hosts: BTreeMap<&Address, Address> =
            plan.resources.iter().map(|(address, resource)| (address, host_of(plan, address, resource))).collect();
        // Only a turn activates anything, even what interrupts nothing.
        let activated: BTreeSet<&Address> = plan
            .resources
            .iter()
            .filter(|(_, resource)| resource.needs_activation())
            .map(|(address, _)| &hosts[address])
            .collect();
        let mut own: BTreeMap<Address, Vec<&Address>> = BTreeMap::new();
        for address in plan.resources.iter().filter(|(_, it)| it.has_work()).map(|(address, _)| address) {
            let host = &hosts[address];
            if rollout_of.contains_key(host) || activated.contains(host) {
                own.entry(host.clone()).or_default().push(address);
            }
        }
        let places: Vec<_> = plan.guests.values().map(|guest| (&guest.host, &guest.place)).collect();
        let runs_on = carried(&places);
        let order_of = rollouts.iter().map(|(address, rollout)| {
            let order = rollout.order().into_iter();
            (address, order.filter(|host| own.contains_key(*host)).collect())
        });
        let order_of: BTreeMap<&Address, Vec<&Address>> = order_of.collect();
        let positions = order_of.iter().flat_map(|(rollout, order)| {
            let own = order.iter().enumerate().filter(|(_, host)| rollout_of[*host].address == **rollout);
            own.map(|(position, host)| (*host, position))
        });
        let position_of: BTreeMap<&Address, usize> = positions.collect();
        let hypervisors: BTreeSet<&Address> = runs_on.values().copied().collect();
        let controller = controller(plan, request);
        // Machines come before their guests, one rollout after another, and the machine that runs `tune` is the last.
        let mut ranked: Vec<&Address> = own.keys().collect();
        ranked.sort_by_key(|host| {
            let rollout = rollout_of.get(*host).map(|rollout| &rollout.address);
            (controller.contains(*host), !hypervisors.contains(*host), rollout, position_of.get(*host), *host)
        });
        let ranked = ranked.into_iter().enumerate();
        let members: BTreeMap<Address, Unit> =
            ranked.map(|(rank, host)| (host.clone(), Unit::Member(rank, host.clone()))).collect();
        let unit_of = plan.resources.iter().map(|(address, resource)| {
            let unit = match members.get(&hosts[address]).filter(|_| resource.has_work()) {
                Some(member) => member.clone(),
                None if resource.configured => Unit::Quiet(address.clone()),
                None => Unit::Back(address.clone()),
            };
            (address, unit)
        });
        let unit_of: BTreeMap<&Address, Unit> = unit_of.collect();
        let mut waits_for: BTreeMap<Unit, BTreeSet<Unit>> =
            unit_of.values().map(|unit| (unit.clone(), BTreeSet::new())).collect();
        for (from, to) in dependencies(plan) {
            let (from, to) = (&unit_of[from], &unit_of[to]);
            if from != to {
                waits_for.entry(from.clone()).or_default().insert(to.clone());
            }
        }
        Self { unit_of, members, own, rollout_of, order_of, position_of, runs_on, waits_for }
    }

    /// Returns every member that has work.
    pub(super) fn members(&self) -> impl Iterator<Item = &Address> {
        self.own.keys()
    }

    /// Returns the resources of one member.
    pub(super) fn resources_of(&self, host: &Address) -> &[&'a Address] {
        self.own.get(host).map_or(&[], Vec::as_slice)
    }

    /// Returns the resources of one unit.
    pub(super) fn resources_in(&self, unit: &Unit) -> impl Iterator<Item = &'a Address> {
        self.unit_of.iter().filter(move |(_, other)| *other == unit).map(|(address, _)| *address)
    }

    pub(super) fn unit_of(&self, resource: &Address) -> Option<&Unit> {
        self.unit_of.get(resource)
    }

    pub(super) fn rollout_of(&self, host: &Address) -> Option<&'a Rollout> {
        self.rollout_of.get(host).copied()
    }

    /// Returns the members of a rollout that have work, in their order.
    pub(super) fn order_of(&self, rollout: &Rollout) -> &[&'a Address] {
        self.order_of.get(&rollout.address).map_or(&[], Vec::as_slice)
    }

    /// Returns the members of its rollout that come after a host.
    pub(super) fn after(&self, host: &Address) -> &[&'a Address] {
        match (self.rollout_of(host), self.position_of.get(host)) {
            (Some(rollout), Some(position)) => &self.order_of(rollout)[position + 1..],
            _ => &[],
        }
    }

    /// Returns whether a host is the first of its rollout.
    pub(super) fn is_first(&self, host: &Address) -> bool {
        self.position_of.get(host) == Some(&0)
    }

    /// Returns the unit of a member that has work.
    pub(super) fn unit(&self, host: &Address) -> &Unit {
        &self.members[host]
    }

    /// Returns every host that is down while one is interrupted by `verb`.
    pub(super) fn down(&self, host: &Address, verb: Option<Verb>) -> BTreeSet<Address> {
        taken_down(host, verb, &self.runs_on)
    }

    /// Returns what each unit waits for.
    pub(super) fn edges(&self) -> BTreeMap<Unit, BTreeSet<Unit>> {
        let mut edges = self.waits_for.clone();
        let mut wait = |host: &Address, on: &Address| {
            edges.entry(self.unit(host).clone()).or_default().insert(self.unit(on).clone());
        };
        for order in self.order_of.values() {
            order.windows(2).for_each(|pair| wait(pair[1], pair[0]));
        }
        for (guest, on) in &self.runs_on {
            if self.own.contains_key(*guest) && self.own.contains_key(*on) && guest != on {
                wait(guest, on);
            }
        }
        edges
    }

    /// Returns whether a resource of one member waits for one of another.
    pub(super) fn depends(&self, host: &Address, on: &Address) -> bool {
        self.waits_for.get(self.unit(host)).is_some_and(|units| units.contains(self.unit(on)))
    }
}

/// Returns pairs of resources of which the first waits for the second: along the dependencies of what the configuration
/// has, against those of what is put back.
pub(super) fn dependencies(plan: &Plan) -> impl Iterator<Item = (&Address, &Address)> {
    let resources = &plan.resources;
    resources.iter().flat_map(move |(address, resource)| {
        resource.depends_on.iter().filter_map(move |other| {
            let (other, on) = resources.get_key_value(other)?;
            match (resource.configured, on.configured) {
                (true, true) => Some((address, other)),
                (false, false) => Some((other, address)),
                // What is put back and what is made have nothing to wait for in each other.
                _ => None,
            }
        })
    })
}

/// The machine that runs `tune`, as far as it is known.
fn controller<'a>(plan: &'a Plan, request: &Request<'_>) -> BTreeSet<&'a Address> {
    let Some(boot) = request.rolling.controller else { return BTreeSet::new() };
    let is_it = |planned: &&PlannedHost| planned.boot_id.as_deref() == Some(boot);
    plan.hosts.values().filter(is_it).map(|planned| &planned.host.address).collect()
}

/// The member that a resource belongs to: its guest, or the machine that it is on. What lives in an API and names no
/// guest is taken by itself.
fn host_of(plan: &Plan, address: &Address, resource: &ResourcePlan) -> Address {
    if let Some(guest) = &resource.guest {
        return guest.clone();
    }
    match plan.hosts.get(&resource.host).map(|planned| &planned.host) {
        Some(host) if matches!(host.transport, Transport::Api(_)) => address.clone(),
        Some(host) => host.address.clone(),
        None => Address::new("host", &resource.host.0),
    }
}
