//! Groups of machines that must not lose too many: what the world holds `tune` to whenever something goes down.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::Address;

use super::Inner;
use super::power::Cause;
use crate::faults::Faults;

/// A group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its members.
    pub members: BTreeSet<String>,
    /// How many may be down together because of `tune`.
    pub cap: usize,
    /// Whether more than half of them must be well.
    pub votes: bool,
    /// How many of those that vote may be away while its gate passes.
    pub spares: usize,
    /// Whether the user accepted an outage.
    pub accepts_outage: bool,
    /// Who leads it.
    pub leader: String,
    /// The most members that were ever down because of `tune`.
    pub most: usize,
}

/// What a group says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Votes {
    /// All members.
    pub voters: usize,
    /// Those that are well.
    pub healthy: usize,
    /// Who the others are.
    pub unwell: BTreeSet<String>,
    /// Who leads; nobody without a majority.
    pub leader: Option<String>,
}

impl Inner {
    /// Holds an order of `tune` against the laws, just before it takes `taken` down.
    pub(super) fn check_spared(&mut self, target: &str, taken: &BTreeSet<String>, faults: &Faults) {
        self.site.taken.entry(target.to_owned()).or_default().extend(taken.iter().cloned());
        let mut broken = Vec::new();
        let mut most = BTreeMap::new();
        for (name, group) in &self.site.groups {
            let lost: BTreeSet<&String> = group.members.intersection(taken).collect();
            if lost.is_empty() {
                continue;
            }
            let cause = |member: &String| self.cause(member);
            let is_away = |member: &&String| group.votes || !self.site.nodes[*member].up;
            let ours: BTreeSet<&String> =
                group.members.iter().filter(|it| cause(it) == Some(Cause::Ours)).filter(is_away).collect();
            let ours = ours.union(&lost).count();
            let healthy = group.members.iter().filter(|it| cause(it).is_none() && !lost.contains(it)).count();
            let takes_a_well_one = lost.iter().any(|it| cause(it).is_none());
            most.insert(name.clone(), ours);
            let needed = group.members.len() / 2 + 1;
            if group.accepts_outage {
                continue;
            }
            if ours > group.cap {
                broken.push(format!("{ours} members of {name} are down because of us, and {} may be", group.cap));
            }
            if group.votes && takes_a_well_one && healthy < needed {
                broken.push(format!("{name} is left with {healthy} well members, and needs {needed}"));
            }
        }
        for (name, ours) in most {
            if let Some(group) = self.site.groups.get_mut(&name) {
                group.most = group.most.max(ours);
            }
        }
        for what in broken {
            let causes: Vec<String> =
                self.site.nodes.keys().filter_map(|name| Some(format!("{name}: {:?}", self.cause(name)?))).collect();
            faults.violated(format!(
                "at {:?}, with the order to {target} that takes down {taken:?}: {what}; unwell are {causes:?}",
                self.site.time
            ));
        }
    }

    /// Returns what a group says of itself; its leader moves when it is not well.
    pub(super) fn votes(&mut self, name: &str) -> Option<Votes> {
        let group = self.site.groups.get(name)?;
        let well: Vec<String> = group.members.iter().filter(|it| self.is_well(it)).cloned().collect();
        let unwell = group.members.iter().filter(|it| !well.contains(it)).cloned().collect();
        let (voters, leader) = (group.members.len(), group.leader.clone());
        if well.len() * 2 <= voters {
            return Some(Votes { voters, healthy: well.len(), unwell, leader: None });
        }
        if !well.contains(&leader) {
            let next = self.site.random.pick(&well).clone();
            self.site.groups.get_mut(name)?.leader = next;
        }
        let leader = self.site.groups.get(name)?.leader.clone();
        Some(Votes { voters, healthy: well.len(), unwell, leader: Some(leader) })
    }

    /// Takes in what the engine says of its members: whoever went down with one is waited for before it is done, as far as
    /// gates tell.
    pub(super) fn hear_done(&mut self, member: &Address, faults: &Faults) {
        self.catch_up(faults);
        let taken = self.site.taken.remove(&member.name).unwrap_or_default();
        for (name, group) in self.site.groups.iter().filter(|(_, group)| group.votes && !group.accepts_outage) {
            let is_missing = |it: &&String| self.cause(it) == Some(Cause::Ours);
            let missing: Vec<&String> = group.members.intersection(&taken).filter(is_missing).collect();
            let unwell = group.members.iter().filter(|it| !self.is_well(it)).count();
            if !missing.is_empty() && unwell > group.spares {
                faults.violated(format!("{member} is said to be done while {missing:?} of {name} are not back"));
            }
        }
    }
}
