//! Reading: one listing of the cluster, where it is not known yet on which nodes the machines live, and two requests for
//! each machine that is asked about, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::{join, join_all, join3};
use tune_core::contract::{ConnectionError, Lookup};
use tune_core::item::ItemKey;
use tune_core::reading::{Facts, HostReading, Reading, Unreadable};
use tune_core::text::visible;

use crate::api::{Api, Node, Place};
use crate::codes::{IS_CONTAINER, IS_TEMPLATE, NO_VM, UNKNOWN_KIND};
use crate::failure::Failure;
use crate::key::Key;
use crate::settings::Settings;
use crate::vm::{self, Cluster, Listed, Vm};

/// The kind whose items live here.
pub(crate) const KIND: &str = "proxmox_vm";
/// The lookup that asks for every machine that the user may see, as evidence.
pub(crate) const LISTING: &str = "proxmox_vms";

/// Reads everything that the lookups ask for.
pub(crate) async fn read(api: &Api, settings: &Settings, lookups: &[Lookup]) -> Result<HostReading, ConnectionError> {
    let keys: BTreeSet<&ItemKey> =
        lookups.iter().filter(|lookup| lookup.kind == KIND).flat_map(|lookup| &lookup.keys).collect();
    if !lookups.is_empty() && lookups.iter().all(|lookup| lookup.kind == LISTING) {
        let places = api.listing().await.map_err(|failure| failure.into_error(&api.name))?;
        let readings = lookups.iter().map(|_| listing(&places)).collect();
        return Ok(HostReading { facts: facts(api, &[]), readings });
    }
    let vmids: BTreeSet<u32> = keys.iter().filter_map(|key| Key::parse(key)).map(|key| key.vmid).collect();
    let (places, nodes, permissions) = join3(api.places(&vmids), api.nodes(), api.permissions()).await;
    let places = places.map_err(|failure| failure.into_error(&api.name))?;
    let nodes = nodes.map_err(|failure| failure.into_error(&api.name))?;
    // A preflight that cannot be made is none; whatever is missing shows itself.
    let permissions = permissions.ok();
    let user = settings.login.user();
    let machines = join_all(vmids.iter().map(|vmid| {
        let place = places.get(vmid);
        async move { (*vmid, machine(api, *vmid, place, user).await) }
    }));
    let machines: BTreeMap<u32, Result<Vm, Unreadable>> = machines.await.into_iter().collect();
    let cluster = Cluster {
        user: user.to_owned(),
        node_hosts: settings.node_hosts.clone(),
        processors: nodes.iter().filter_map(|node| Some((node.name.clone(), node.processors?))).collect(),
        permissions: permissions.cloned(),
    };
    let found = machines.iter().filter_map(|(vmid, vm)| Some((*vmid, vm.as_ref().ok()?)));
    let evidence = Arc::new(vm::to_evidence(found, &cluster));
    let readings = lookups.iter().map(|lookup| {
        let items = lookup.keys.iter().map(|key| (key.clone(), item(&lookup.kind, key, &machines))).collect();
        Reading { items, evidence: Arc::clone(&evidence) }
    });
    Ok(HostReading { facts: facts(api, &nodes), readings: readings.collect() })
}

fn listing(places: &BTreeMap<u32, Place>) -> Reading {
    let machines: Vec<Listed> = places
        .iter()
        .filter(|(_, place)| !place.is_container && !place.is_template)
        .map(|(vmid, place)| Listed {
            vmid: *vmid,
            name: place.name.clone(),
            node: place.node.clone(),
            pool: place.pool.clone(),
            tags: place.tags.clone(),
        })
        .collect();
    Reading { items: BTreeMap::new(), evidence: vm::listing_to_evidence(&machines).into() }
}

fn item(
    kind: &str,
    item: &ItemKey,
    machines: &BTreeMap<u32, Result<Vm, Unreadable>>,
) -> Result<tune_core::reading::ItemReading, Unreadable> {
    if kind != KIND {
        return Err(Unreadable {
            code: UNKNOWN_KIND,
            message: format!("no kind `{}` lives in a Proxmox cluster", visible(kind, 80)),
            help: None,
        });
    }
    let Some(key) = Key::parse(item) else { return Err(vm::not_an_item(item)) };
    let Some(machine) = machines.get(&key.vmid) else { return Err(vm::not_an_item(item)) };
    vm::item(machine.as_ref().map_err(Clone::clone)?, &key, item)
}

async fn machine(api: &Api, vmid: u32, place: Option<&Place>, user: &str) -> Result<Vm, Unreadable> {
    let Some(place) = place else { return Err(no_vm(vmid, user)) };
    let name = visible(&place.name, 80);
    if place.is_container {
        return Err(Unreadable {
            code: IS_CONTAINER,
            message: format!("{vmid} (`{name}`) is a container, not a virtual machine"),
            help: Some("give the number of a virtual machine, as `qm list` shows them".to_owned()),
        });
    }
    if place.is_template {
        return Err(Unreadable {
            code: IS_TEMPLATE,
            message: format!("VM {vmid} (`{name}`) is a template, which nothing runs"),
            help: Some("tune the machines that were made from it".to_owned()),
        });
    }
    let unreadable = |failure: Failure| {
        if failure.is_elsewhere() { no_vm(vmid, user) } else { failure.into_unreadable(&api.name) }
    };
    let (options, status) = join(api.options(vmid), api.status(vmid)).await;
    let (options, (status, _)) = (options.map_err(unreadable)?, status.map_err(unreadable)?);
    Ok(Vm {
        node: status.node,
        name: status.name,
        running: status.running,
        lock: status.lock,
        ha: status.ha,
        options: options.options,
    })
}

fn no_vm(vmid: u32, user: &str) -> Unreadable {
    Unreadable {
        code: NO_VM,
        message: format!("the cluster has no VM {vmid} that `{}` may see", visible(user, 80)),
        help: Some(format!("check the number, and that the user has VM.Audit on /vms/{vmid}")),
    }
}

/// The cluster is known by its nodes and by their certificates: either may change, and it stays the same.
fn facts(api: &Api, nodes: &[Node]) -> Facts {
    let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    Facts {
        machine_id: (!names.is_empty()).then(|| format!("proxmox:{}", names.join(","))),
        host_keys: nodes.iter().filter_map(|node| node.fingerprint.clone()).collect(),
        hostname: api.name.clone(),
        // No login of the machine is used, so there is none that lacks root's rights.
        uid: 0,
        ledgers: Some(Vec::new()),
        ..Facts::default()
    }
}
