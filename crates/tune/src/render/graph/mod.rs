//! What a configuration consists of and what waits for what, as something to look at: rollouts, the hosts that they
//! take, the resources on these, and the order of the resources. One node stands for one block with all its instances,
//! because that is what a person wrote; an edge that follows from others is left out.

mod dot;
mod layout;
mod page;
mod svg;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use tune_config::Configuration;
use tune_core::Address;
use tune_core::contract::Kinds;
use tune_core::resource::{Become, Host, Resource, Transport};
use tune_core::rollout::{Cap, Rollout};
use tune_core::schema::Type;
use tune_core::value::Value;

pub(crate) use dot::dot;
pub(crate) use page::page;
pub(crate) use svg::svg;

/// The blocks of a configuration, and the edges between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Graph {
    /// Every block.
    pub(crate) nodes: BTreeMap<Address, Node>,
    /// From what waits, stands on or takes, to what it waits for, stands on or takes.
    pub(crate) edges: BTreeMap<(Address, Address), Edge>,
}

/// One block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// What it is.
    pub(crate) role: Role,
    /// Its instances, in order; the block itself where it has no others.
    pub(crate) instances: Vec<Address>,
    /// What else is to be said about it, one line each.
    pub(crate) notes: Vec<String>,
}

/// What a node stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Rollout,
    Check,
    Host,
    Provider,
    Resource,
}

/// Why an edge is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Edge {
    /// A resource waits for another one.
    Waits,
    /// A resource stands on a host or in an API.
    On,
    /// A rollout takes a host.
    Takes,
    /// A rollout waits for a check.
    Gate,
}

/// Returns the graph of a configuration.
pub(crate) fn graph(configuration: &Configuration, kinds: &Kinds) -> Graph {
    let mut graph = Graph::default();
    for (address, host) in &configuration.hosts {
        graph.add(Role::Host, address).notes = vec![reached(host)];
    }
    for address in configuration.providers.keys() {
        graph.add(Role::Provider, address);
    }
    for address in configuration.checks.keys() {
        graph.add(Role::Check, address);
    }
    for (address, rollout) in &configuration.rollouts {
        graph.add(Role::Rollout, address).notes = order(rollout);
    }
    for address in configuration.resources.keys() {
        graph.add(Role::Resource, address);
    }
    for (address, resource) in &configuration.resources {
        for place in places(resource, kinds) {
            graph.connect(address, &place, Edge::On);
        }
        for other in &resource.depends_on {
            graph.connect(address, other, Edge::Waits);
        }
    }
    for (address, rollout) in &configuration.rollouts {
        for member in &rollout.members {
            graph.connect(address, member, Edge::Takes);
        }
        for gate in &rollout.gates {
            graph.connect(address, gate, Edge::Gate);
        }
    }
    // Each instance is reached in its own way, and there is no room to say them all.
    for node in graph.nodes.values_mut().filter(|node| node.role == Role::Host && node.instances.len() > 1) {
        node.notes.clear();
    }
    graph.reduce();
    graph
}

impl Graph {
    fn add(&mut self, role: Role, address: &Address) -> &mut Node {
        // The key of a provider is its alias and no instance.
        let block = if role == Role::Provider { address.clone() } else { address.block() };
        let empty = Node { role, instances: Vec::new(), notes: Vec::new() };
        let node = self.nodes.entry(block).or_insert(empty);
        node.instances.push(address.clone());
        node
    }

    /// Adds an edge between two blocks; what the configuration does not say where it depends on something that is not
    /// known has no node and no edge.
    fn connect(&mut self, from: &Address, to: &Address, edge: Edge) {
        let block = |address: &Address| if address.kind == "provider" { address.clone() } else { address.block() };
        let (from, to) = (block(from), block(to));
        if from != to && self.nodes.contains_key(&from) && self.nodes.contains_key(&to) {
            self.edges.entry((from, to)).or_insert(edge);
        }
    }

    /// Takes out every wait that follows from other waits.
    fn reduce(&mut self) {
        let mut next: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
        for ((from, to), edge) in &self.edges {
            if *edge == Edge::Waits {
                next.entry(from).or_default().push(to);
            }
        }
        let mut needless = BTreeSet::new();
        for (from, direct) in &next {
            let mut beyond: BTreeSet<&Address> = BTreeSet::new();
            let mut waiting: Vec<&Address> = direct.iter().filter_map(|to| next.get(to)).flatten().copied().collect();
            while let Some(address) = waiting.pop() {
                if beyond.insert(address) {
                    waiting.extend(next.get(address).into_iter().flatten().copied());
                }
            }
            needless.extend(direct.iter().filter(|to| beyond.contains(*to)).map(|to| ((*from).clone(), (*to).clone())));
        }
        self.edges.retain(|edge, _| !needless.contains(edge));
    }
}

/// Returns the hosts and the provider that a resource belongs to.
fn places(resource: &Resource, kinds: &Kinds) -> Vec<Address> {
    let mut places: Vec<Address> = resource.provider.iter().cloned().collect();
    let Some(kind) = kinds.get(resource.address.kind.as_str()) else { return places };
    for (name, attribute) in &kind.schema().attributes {
        let hosts = match (&attribute.of_type, resource.attributes.get(name)) {
            (Type::Host, Some(value)) => std::slice::from_ref(value),
            (Type::List(of), Some(Value::List(values))) if **of == Type::Host => values,
            _ => continue,
        };
        places.extend(hosts.iter().filter_map(|host| host.as_str()?.parse().ok()));
    }
    places
}

/// Says how a host is reached.
fn reached(host: &Host) -> String {
    let sudo = if host.become_ == Become::Sudo { ", sudo" } else { "" };
    match &host.transport {
        Transport::Ssh(to) => {
            let user = to.user.as_deref().map(|user| format!("{user}@")).unwrap_or_default();
            let port = to.port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("ssh {user}{}{port}{sudo}", to.address)
        }
        Transport::Local => format!("this machine{sudo}"),
        Transport::Api(api) => api.endpoint.clone(),
    }
}

/// Says how a rollout goes, and in which order it takes its members.
fn order(rollout: &Rollout) -> Vec<String> {
    let cap = match rollout.max_unavailable {
        Cap::Count(count) => count.to_string(),
        Cap::Percent(percent) => format!("{percent} %"),
    };
    let mut notes = vec![format!("at most {cap} down")];
    if let Some(canary) = rollout.canary {
        notes.push(format!("{canary} first, alone"));
    }
    notes.extend(rollout.gates.iter().map(|gate| format!("waits for {gate}")));
    let members = rollout.order().into_iter().enumerate();
    notes.extend(members.map(|(number, member)| format!("{}. {}", number + 1, member.short())));
    notes
}
