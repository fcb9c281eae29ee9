//! From a plan to what the journal says of it: the header, and one step per item. A step gets its number when it is
//! begun, because members side by side begin theirs in no fixed order.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::Address;
use tune_core::item::ItemId;
use tune_core::journal::{Header, Intent};
use tune_core::plan::{Plan, PlannedHost};
use tune_core::state::{HostRecord, ResourceRecord, State};

use crate::engine::Engine;

/// The steps of each resource, in the order in which they are written.
pub(super) type Steps = BTreeMap<Address, Vec<Intent>>;

impl Engine {
    pub(super) fn header(&self, state: &State, plan: &Plan, command: &str, by: &str) -> Header {
        let seen = plan.hosts.values().map(|host| host.epoch).max().unwrap_or(0);
        let lineage = if state.lineage.is_empty() { self.clock.new_id() } else { state.lineage.clone() };
        let resources = plan.resources.iter().filter(|(_, resource)| resource.has_work()).map(|(address, resource)| {
            let record = ResourceRecord {
                host: resource.host.clone(),
                depends_on: resource.depends_on.clone(),
                prevent_revert: resource.prevent_revert,
                guest: resource.guest.clone(),
            };
            (address.clone(), record)
        });
        Header {
            run: state.last_run.max(seen) + 1,
            command: command.to_owned(),
            by: by.to_owned(),
            started: self.clock.now(),
            lineage,
            hosts: plan.hosts.iter().map(|(id, host)| (id.clone(), host_record(host))).collect(),
            resources: resources.collect(),
        }
    }
}

fn host_record(planned: &PlannedHost) -> HostRecord {
    HostRecord {
        address: planned.host.address.clone(),
        transport: planned.host.transport.clone(),
        become_: planned.host.become_,
        machine_id: planned.machine_id.clone(),
        host_keys: planned.host_keys.clone(),
    }
}

/// Returns every step of a plan, and the items of which a write may cut the connection.
pub(super) fn steps(plan: &Plan, header: &Header) -> (Steps, BTreeSet<ItemId>) {
    let mut steps = Steps::new();
    let mut cutting = BTreeSet::new();
    for address in plan.waves().flat_map(|wave| wave.batches.values()).flatten() {
        for item in &plan.resources[address].items {
            let Some(intent) = Intent::of(&plan.operation, header, address, item) else { continue };
            if item.may_cut_connection {
                cutting.insert(item.id.clone());
            }
            steps.entry(address.clone()).or_default().push(intent);
        }
    }
    (steps, cutting)
}
