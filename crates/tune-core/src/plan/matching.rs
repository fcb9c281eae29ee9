//! Which recorded machine answers under which name, and what to ask each one. A machine is recognised by what it is
//! (machine id, ssh host keys); its name and its address are only where to look first.

use std::collections::{BTreeMap, BTreeSet};

use super::{Mistake, OTHER_MACHINE, Related, Request, SAME_MACHINE, Wanted};
use crate::address::Address;
use crate::contract::{Lookup, ReadRequest};
use crate::item::{HostId, ItemKey};
use crate::path::AttributePath;
use crate::problem::Problem;
use crate::reading::{Facts, HostReading, Snapshot};
use crate::resource::{Host, Transport};
use crate::state::{HostRecord, State};

/// A machine that is asked, under the name by which the snapshot holds its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// How it is reached.
    pub host: Host,
    /// The recorded machine that it is, or is expected to be.
    pub record: Option<HostId>,
    /// Whether the configuration has it; otherwise only the state remembers it.
    pub configured: bool,
    /// Whether it is asked only where guests run that are no part of the plan, or who it is. Then nothing that is wrong
    /// with it forbids the plan; it only leaves that unknown.
    pub only_tells: bool,
}

/// Who is who.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matching {
    /// By the name that is asked.
    pub asked: BTreeMap<Address, Asked>,
    /// Machines that are not who they should be.
    pub problems: Vec<Mistake>,
}

/// Returns which recorded machine each host is: as names and addresses suggest while nothing was read, and as the
/// machines' own facts say where the snapshot has them.
pub fn matching(request: &Request<'_>, wanted: &Wanted, snapshot: &Snapshot) -> Matching {
    let mut records = Records::of(request.state);
    let mut found: BTreeMap<&Address, HostId> = BTreeMap::new();
    for pass in [Records::by_facts, Records::by_name, Records::by_transport] {
        for (address, host) in request.hosts {
            if !found.contains_key(address)
                && let Some(id) = pass(&records, host, facts_of(snapshot, address))
            {
                records.free.remove(&id);
                found.insert(address, id);
            }
        }
    }
    let with_records = records_of(request, |owner| wanted.selected.contains(owner));
    let wanted_on: BTreeSet<&Address> = wanted.desired.values().map(|desired| &desired.host).collect();
    let telling: BTreeSet<&Address> =
        wanted.asked_bystanders().filter_map(|(_, desired)| Some(&desired?.host)).collect();
    let telling_records = records_of(request, |owner| wanted.asks_recorded(owner));
    let mut matching = Matching::default();
    for (address, host) in request.hosts {
        let record = found.remove(address);
        let concerned = wanted_on.contains(address) || record.as_ref().is_some_and(|id| with_records.contains(id));
        let is_stranger = wanted.strangers.contains(address);
        let tells =
            is_stranger || telling.contains(address) || record.as_ref().is_some_and(|id| telling_records.contains(id));
        if concerned || tells {
            let asked = Asked { host: host.clone(), record, configured: true, only_tells: !concerned };
            matching.asked.insert(address.clone(), asked);
        }
    }
    for id in records.free.iter().copied().filter(|id| telling_records.contains(id)) {
        let record = &request.state.hosts[id];
        let host = Host {
            name: record.address.own_name(),
            address: record.address.clone(),
            transport: record.transport.clone(),
            become_: record.become_,
        };
        let only_tells = !with_records.contains(id);
        let asked = Asked { host, record: Some(id.clone()), configured: false, only_tells };
        // A configured host of that name that turned out to be another recorded machine keeps the name.
        let mut name = record.address.clone();
        while matching.asked.contains_key(&name) {
            name.name.push_str("-as-recorded");
        }
        matching.asked.insert(name, asked);
    }
    matching.problems = problems(&matching, request.state, snapshot);
    matching
}

/// Returns what to ask each machine: every item that is wanted on it or recorded for it, and those that tell where guests
/// run, one lookup per kind.
pub fn lookups(request: &Request<'_>, wanted: &Wanted, matching: &Matching) -> BTreeMap<Address, ReadRequest> {
    let asked_as: BTreeMap<&HostId, &Address> =
        matching.asked.iter().filter_map(|(address, asked)| Some((asked.record.as_ref()?, address))).collect();
    let mut keys: BTreeMap<&Address, BTreeMap<&str, BTreeSet<ItemKey>>> =
        matching.asked.keys().map(|address| (address, BTreeMap::new())).collect();
    let bystanders = wanted.asked_bystanders().filter_map(|(resource, desired)| Some((resource, desired?)));
    for (resource, desired) in wanted.desired.iter().chain(bystanders) {
        if let Some(kinds) = keys.get_mut(&desired.host) {
            kinds.entry(&resource.kind).or_default().extend(desired.items.iter().map(|item| item.key.clone()));
        }
    }
    for (item, record) in &request.state.items {
        let kinds = asked_as.get(&item.host).and_then(|address| keys.get_mut(address));
        if let Some(kinds) = kinds.filter(|_| wanted.asks_recorded(&record.owner)) {
            kinds.entry(&item.kind).or_default().insert(item.key.clone());
        }
    }
    let lookup = |(kind, keys): (&str, BTreeSet<ItemKey>)| Lookup { kind: kind.to_owned(), keys };
    keys.into_iter()
        .map(|(address, kinds)| {
            let lookups = kinds.into_iter().map(lookup).collect();
            (address.clone(), ReadRequest { lookups, fence: None })
        })
        .collect()
}

/// Recorded machines that no host was matched with yet, and every sign by which one can be found.
struct Records<'a> {
    state: &'a State,
    free: BTreeSet<&'a HostId>,
    by_sign: BTreeMap<&'a str, Vec<&'a HostId>>,
    by_name: BTreeMap<&'a Address, &'a HostId>,
    by_transport: BTreeMap<&'a Transport, &'a HostId>,
}

impl<'a> Records<'a> {
    fn of(state: &'a State) -> Self {
        let mut records = Self {
            state,
            free: state.hosts.keys().collect(),
            by_sign: BTreeMap::new(),
            by_name: BTreeMap::new(),
            by_transport: BTreeMap::new(),
        };
        for (id, host) in &state.hosts {
            for sign in host.machine_id.iter().chain(&host.host_keys) {
                records.by_sign.entry(sign).or_default().push(id);
            }
            records.by_name.insert(&host.address, id);
            records.by_transport.insert(&host.transport, id);
        }
        records
    }

    /// The machine with the most signs in common; between two alike nothing is decided here.
    fn by_facts(&self, _: &Host, facts: Option<&Facts>) -> Option<HostId> {
        let facts = facts?;
        let signs = facts.machine_id.iter().chain(&facts.host_keys);
        let alike: BTreeSet<&HostId> =
            signs.filter_map(|sign| self.by_sign.get(sign.as_str())).flatten().copied().collect();
        let mut ranked: Vec<(usize, &HostId)> = alike
            .into_iter()
            .filter(|id| self.free.contains(id))
            .map(|id| (likeness(facts, &self.state.hosts[id]), id))
            .collect();
        ranked.sort();
        match ranked.as_slice() {
            [.., (second, _), (best, _)] if second == best => None,
            [.., (_, id)] => Some((*id).clone()),
            [] => None,
        }
    }

    fn by_name(&self, host: &Host, _: Option<&Facts>) -> Option<HostId> {
        self.by_name.get(&host.address).copied().filter(|id| self.free.contains(id)).cloned()
    }

    fn by_transport(&self, host: &Host, _: Option<&Facts>) -> Option<HostId> {
        self.by_transport.get(&host.transport).copied().filter(|id| self.free.contains(id)).cloned()
    }
}

/// Two signs are better than one: clones may share either.
fn likeness(facts: &Facts, record: &HostRecord) -> usize {
    usize::from(facts.machine_id.is_some() && facts.machine_id == record.machine_id)
        + usize::from(!facts.host_keys.is_disjoint(&record.host_keys))
}

/// Machines on which an item of such a resource is recorded.
fn records_of<'a>(request: &Request<'a>, is_meant: impl Fn(&Address) -> bool) -> BTreeSet<&'a HostId> {
    let items = request.state.items.iter();
    items.filter(|(_, record)| is_meant(&record.owner)).map(|(item, _)| &item.host).collect()
}

fn facts_of<'a>(snapshot: &'a Snapshot, address: &Address) -> Option<&'a Facts> {
    snapshot.get(address)?.as_ref().ok().map(|HostReading { facts, .. }| facts)
}

fn problems(matching: &Matching, state: &State, snapshot: &Snapshot) -> Vec<Mistake> {
    let mut problems = Vec::new();
    let mut machines: BTreeMap<(&str, &str), &Address> = BTreeMap::new();
    for (address, asked) in matching.asked.iter().filter(|(_, asked)| !asked.only_tells) {
        let Some(facts) = facts_of(snapshot, address) else { continue };
        if let Some(record) = asked.record.as_ref().map(|id| &state.hosts[id]) {
            problems.extend(another_machine(address, facts, record));
        }
        let (Some(machine), Some(boot)) = (&facts.machine_id, &facts.boot_id) else { continue };
        let Some(first) = machines.insert((machine, boot), address) else { continue };
        problems.push(Mistake {
            address: address.clone(),
            problem: Problem::new(
                SAME_MACHINE,
                AttributePath::default(),
                format!("`{first}` and `{address}` are the same machine"),
                "the same machine id and boot id answer here",
            )
            .with_help("keep one of the two host blocks"),
            related: Some(Related {
                address: first.clone(),
                path: AttributePath::default(),
                label: "first written here".to_owned(),
            }),
        });
    }
    problems
}

fn another_machine(address: &Address, facts: &Facts, record: &HostRecord) -> Option<Mistake> {
    record.is_another(facts).then(|| Mistake {
        address: address.clone(),
        problem: Problem::new(
            OTHER_MACHINE,
            AttributePath::default(),
            format!("another machine answers as `{address}`"),
            "neither its machine id nor its ssh host keys are those recorded",
        )
        .with_help(
            "point the host at the right machine, or forget what was recorded for the old one with `tune state rm`",
        ),
        related: None,
    })
}
