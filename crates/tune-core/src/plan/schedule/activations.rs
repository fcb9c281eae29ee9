//! The activations of one member: each once, whichever resources ask for it (rule 41), with how long it took before.

use std::collections::{BTreeMap, BTreeSet};

use crate::activation::{Activation, Verb, coalesced};
use crate::address::Address;
use crate::item::HostId;
use crate::plan::{Forecast, Plan, PlannedActivation, Request};
use crate::state::{RunActivation, RunRecord};

/// Who does an activation, and for whom.
type Asked<'a> = BTreeMap<Activation, BTreeMap<&'a HostId, BTreeSet<Address>>>;

/// Returns what makes the changes of a member run, in order. A member is one machine, whoever does what to it: the power
/// cycle of a virtual machine is also the reboot of its guest.
pub(super) fn of_member(plan: &Plan, resources: &[&Address], request: &Request<'_>) -> Vec<PlannedActivation> {
    let mut asked = Asked::new();
    for address in resources {
        for item in &plan.resources[*address].items {
            for activation in &item.activations {
                let by = asked.entry(activation.clone()).or_default();
                by.entry(&item.id.host).or_default().insert((*address).clone());
            }
        }
    }
    let mut planned = Vec::new();
    for activation in coalesced(&asked.keys().cloned().collect()) {
        // Those whose own wish is covered by a stronger one are served by it too.
        let served: BTreeSet<Address> = asked
            .iter()
            .filter(|(other, _)| activation.covers(other))
            .flat_map(|(_, by)| by.values().flatten().cloned())
            .collect();
        for host in asked[&activation].keys() {
            planned.push(PlannedActivation {
                host: (*host).clone(),
                activation: activation.clone(),
                resources: served.clone(),
                forecast: forecast(request.runs, host, &activation),
            });
        }
    }
    planned
}

/// Returns what a boot of the member would activate that is not ours, as phrases.
pub(super) fn foreign(plan: &Plan, host: &Address, activations: &[PlannedActivation]) -> Vec<String> {
    if activations.iter().all(|planned| planned.activation.verb < Verb::Reboot) {
        return Vec::new();
    }
    let machine = plan.hosts.values().find(|planned| planned.host.address == *host);
    let phrases = machine.map(|machine| machine.waits_for_boot.iter()).into_iter().flatten();
    phrases.map(|phrase| format!("also activates {phrase}")).collect()
}

/// Returns how long the same took before: on the same machine, or where it was never done there, on any.
fn forecast(runs: &[RunRecord], host: &HostId, activation: &Activation) -> Option<Forecast> {
    // Of what a killed run ordered, a later one saw only that it was over: no time is known of it.
    let is_known = |it: &&RunActivation| it.activation.verb == activation.verb && it.seconds != Some(0);
    let done = || runs.iter().flat_map(|run| &run.activations).filter(is_known);
    let here = done().filter(|it| it.host == *host && it.activation.subject == activation.subject);
    let median = |mut seconds: Vec<u64>| {
        seconds.sort_unstable();
        let runs = seconds.len();
        seconds.get(runs / 2).map(|median| Forecast { seconds: *median, runs })
    };
    median(here.filter_map(|it| it.seconds).collect()).or_else(|| median(done().filter_map(|it| it.seconds).collect()))
}
