//! How many members each group can spare at a time, rule 39.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::plan::Request;
use crate::resource::Consent;
use crate::rollout::{Quorum, Rollout};

/// Every rollout of the configuration as a group that must not lose too many.
pub(super) struct Groups {
    groups: BTreeMap<Address, Group>,
}

/// One group.
pub(super) struct Group {
    pub(super) members: BTreeSet<Address>,
    /// How many may be down together.
    pub(super) spare: usize,
    /// Whether its members vote, as a gate of it can tell.
    pub(super) votes: bool,
    /// Whether the user accepted that the group is out for a while.
    pub(super) accepts_outage: bool,
}

impl Groups {
    pub(super) fn of(rollouts: &BTreeMap<Address, Rollout>, request: &Request<'_>) -> Self {
        let groups = rollouts.iter().map(|(name, rollout)| (name.clone(), group(rollout, request)));
        Self { groups: groups.collect() }
    }

    /// Returns how many members of a rollout are taken together.
    pub(super) fn batch_size(&self, rollout: &Rollout, is_first: bool) -> usize {
        let spare = self.groups.get(&rollout.address).map_or(1, |group| group.spare).max(1);
        match rollout.canary {
            Some(canary) if is_first => canary.clamp(1, spare),
            _ => spare,
        }
    }

    /// Returns whether no group loses more than it can spare.
    pub(super) fn can_spare(&self, down: &BTreeSet<Address>) -> bool {
        self.broken_by(down).next().is_none()
    }

    /// Returns the groups that would lose too many, each with how many it would lose.
    pub(super) fn broken_by(&self, down: &BTreeSet<Address>) -> impl Iterator<Item = (&Address, &Group, usize)> {
        let groups = self.groups.iter();
        groups.filter_map(|(name, group)| {
            let lost = group.members.intersection(down).count();
            (lost > group.spare && !group.accepts_outage).then_some((name, group, lost))
        })
    }
}

fn group(rollout: &Rollout, request: &Request<'_>) -> Group {
    let count = rollout.members.len();
    let votes = knows_quorum(rollout, request);
    let cap = rollout.max_unavailable.of(count);
    let majority = Quorum::of(count, count).allows_down();
    let accepts_outage = rollout.accept.contains(&Consent::Outage);
    let spare = match (votes, accepts_outage) {
        (true, false) => cap.min(majority),
        // An outage was accepted, and still the members go one after another.
        (true, true) => cap.min(majority.max(1)),
        (false, _) => cap,
    };
    Group { members: rollout.members.iter().cloned().collect(), spare, votes, accepts_outage }
}

/// Whether a gate of the rollout asks somebody who knows the voters. A gate that is skipped in this run does not make
/// the members less of a quorum.
fn knows_quorum(rollout: &Rollout, request: &Request<'_>) -> bool {
    let configured = request.rolling.rollouts.get(&rollout.address).unwrap_or(rollout);
    let checks = configured.gates.iter().filter_map(|gate| request.rolling.checks.get(gate));
    let mut sources = checks.flat_map(|check| &check.probes).map(|probe| probe.address.kind.as_str());
    sources.any(|kind| request.rolling.sources.get(kind).is_some_and(|source| source.knows_quorum()))
}
