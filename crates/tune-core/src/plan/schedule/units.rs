//! What is scheduled as one, and what waits for what.

use std::collections::{BTreeMap, BTreeSet};

use crate::activation::Verb;
use crate::address::Address;
use crate::plan::member::{carried, taken_down};
use crate::plan::{Plan, Request, ResourcePlan};
use crate::resource::Transport;
use crate::rollout::Rollout;

/// What is scheduled as one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    /// A resource on a host of no rollout on which nothing has to be activated.
    Quiet(Address),
    /// Everything that is done to one member.
    Member(Address),
}

/// All units of a plan.
pub(super) struct Units<'a> {
    resources: &'a BTreeMap<Address, ResourcePlan>,
    rollouts: &'a BTreeMap<Address, Rollout>,
    /// Which unit each resource belongs to.
    unit_of: BTreeMap<&'a Address, Unit>,
    /// The resources of each member that has work.
    own: BTreeMap<Address, Vec<&'a Address>>,
    /// The rollout of each member that has one.
    rollout_of: BTreeMap<&'a Address, &'a Rollout>,
    /// The machine that each guest runs on.
    runs_on: BTreeMap<&'a Address, &'a Address>,
    /// The machine that runs `tune`.
    controller: BTreeSet<Address>,
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
        let unit_of = plan.resources.iter().map(|(address, resource)| {
            let host = &hosts[address];
            let is_member = rollout_of.contains_key(host) || activated.contains(host);
            let unit = if is_member && resource.has_work() {
                Unit::Member(host.clone())
            } else {
                Unit::Quiet(address.clone())
            };
            (address, unit)
        });
        let unit_of: BTreeMap<&Address, Unit> = unit_of.collect();
        let mut own: BTreeMap<Address, Vec<&Address>> = BTreeMap::new();
        for (address, unit) in &unit_of {
            if let Unit::Member(host) = unit {
                own.entry(host.clone()).or_default().push(address);
            }
        }
        let places: Vec<_> = plan.guests.values().map(|guest| (&guest.host, &guest.place)).collect();
        let controller = plan.hosts.values().filter(|host| {
            request.rolling.controller.is_some() && host.boot_id.as_deref() == request.rolling.controller
        });
        Self {
            resources: &plan.resources,
            rollouts,
            unit_of,
            own,
            rollout_of,
            runs_on: carried(&places),
            controller: controller.map(|host| host.host.address.clone()).collect(),
        }
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
    pub(super) fn order_of(&self, rollout: &'a Rollout) -> Vec<&'a Address> {
        rollout.order().into_iter().filter(|host| self.own.contains_key(*host)).collect()
    }

    /// Returns whether a host is the first of its rollout.
    pub(super) fn is_first(&self, host: &Address) -> bool {
        self.rollout_of(host).is_some_and(|rollout| self.order_of(rollout).first() == Some(&host))
    }

    /// Returns every host that is down while one is interrupted by `verb`.
    pub(super) fn down(&self, host: &Address, verb: Option<Verb>) -> BTreeSet<Address> {
        taken_down(host, verb, &self.runs_on)
    }

    /// Returns what each unit waits for.
    pub(super) fn edges(&self) -> BTreeMap<Unit, BTreeSet<Unit>> {
        let mut edges: BTreeMap<Unit, BTreeSet<Unit>> =
            self.unit_of.values().map(|unit| (unit.clone(), BTreeSet::new())).collect();
        for (from, to) in self.dependencies() {
            let (from, to) = (&self.unit_of[from], &self.unit_of[to]);
            if from != to {
                edges.entry(from.clone()).or_default().insert(to.clone());
            }
        }
        for rollout in self.rollouts.values() {
            let order = self.order_of(rollout);
            for pair in order.windows(2) {
                edges.entry(Unit::Member(pair[1].clone())).or_default().insert(Unit::Member(pair[0].clone()));
            }
        }
        for (guest, on) in &self.runs_on {
            if self.own.contains_key(*guest) && self.own.contains_key(*on) && guest != on {
                edges.entry(Unit::Member((*guest).clone())).or_default().insert(Unit::Member((*on).clone()));
            }
        }
        edges
    }

    /// Returns pairs of resources of which the first waits for the second: along the dependencies of what the
    /// configuration has, against those of what is put back.
    pub(super) fn dependencies(&self) -> impl Iterator<Item = (&'a Address, &'a Address)> {
        let resources = self.resources;
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

    /// Returns whether a resource of one member waits for one of another.
    pub(super) fn depends(&self, host: &Address, on: &Address) -> bool {
        let of = |host: &Address| Unit::Member(host.clone());
        let (host, on) = (of(host), of(on));
        self.dependencies().any(|(from, to)| self.unit_of[from] == host && self.unit_of[to] == on)
    }

    /// Chooses the member that is taken next among the units that wait for nothing: machines before their guests, one
    /// rollout after another, the machine that runs `tune` last.
    pub(super) fn first_turn<'u>(&self, ready: &'u BTreeSet<Unit>) -> Option<&'u Address> {
        let hypervisors: BTreeSet<&Address> = self.runs_on.values().copied().collect();
        let members = ready.iter().filter_map(|unit| match unit {
            Unit::Member(host) => Some(host),
            Unit::Quiet(_) => None,
        });
        members.min_by_key(|host| {
            let rollout = self.rollout_of(host);
            let position = rollout.and_then(|rollout| rollout.order().iter().position(|other| other == host));
            let is_controller = self.controller.contains(*host);
            (is_controller, !hypervisors.contains(*host), rollout.map(|it| &it.address), position, *host)
        })
    }
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
