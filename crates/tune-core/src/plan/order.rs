//! The order within one member: what the configuration has goes along its dependencies, what left it goes back against
//! them.

use std::collections::{BTreeMap, BTreeSet};

use super::{ResourcePlan, Wave};
use crate::address::Address;
use crate::graph;

/// Returns the waves: configured resources, dependencies first, then the others, dependents first.
///
/// A resource without work takes no place in a wave, but orders those around it.
pub(super) fn waves(resources: &BTreeMap<Address, &ResourcePlan>) -> Vec<Wave> {
    let edges = |configured: bool| -> BTreeMap<Address, BTreeSet<Address>> {
        resources
            .iter()
            .filter(|(_, resource)| resource.configured == configured)
            .map(|(address, resource)| (address.clone(), resource.depends_on.clone()))
            .collect()
    };
    let forward = edges(true);
    let gone = edges(false);
    let mut backward = graph::reversed(&gone);
    backward.retain(|address, _| gone.contains_key(address));
    let levels = [forward, backward]
        .iter()
        .flat_map(|edges| {
            // The configuration was checked for cycles. Records of different runs together may hold one; then no
            // order is right for all of them, and one by one is as good as any.
            graph::levels(edges).unwrap_or_else(|_| edges.keys().map(|address| vec![address.clone()]).collect())
        })
        .collect::<Vec<_>>();
    levels
        .into_iter()
        .map(|level| {
            let mut wave = Wave::default();
            for address in level.into_iter().filter(|address| resources[address].has_work()) {
                wave.batches.entry(resources[&address].host.clone()).or_default().push(address);
            }
            wave
        })
        .filter(|wave| !wave.batches.is_empty())
        .collect()
}
