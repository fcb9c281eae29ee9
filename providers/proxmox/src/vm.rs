//! One machine as it was read: every option with what runs and what is pending, and how it is doing. It travels from the
//! connection to the planner as text, among a reading's evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tune_core::item::{ItemKey, Raw};
use tune_core::reading::{ItemReading, Layer, Reading, Unreadable};
use tune_core::text::visible;

use crate::codes::{NO_DEVICE, NOT_AN_OPTION};
use crate::key::{Key, Place};
use crate::property::PropertyString;

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Vm {
    /// The node that it lives on now.
    pub(crate) node: String,
    /// Its name.
    pub(crate) name: String,
    /// Whether QEMU runs.
    pub(crate) running: bool,
    /// Its lock, for example `backup`.
    pub(crate) lock: Option<String>,
    /// Whether the cluster's high availability may move and restart it.
    pub(crate) ha: bool,
    /// Every option.
    pub(crate) options: BTreeMap<String, Entry>,
}

/// One option of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// What the running machine was given, so far as the API knows.
    pub(crate) current: Option<String>,
    /// What it is given at its next start instead.
    pub(crate) pending: Option<String>,
    /// Whether its next start takes the option away.
    pub(crate) delete: bool,
}

impl Entry {
    /// Returns what is configured: what is pending, else what is current.
    pub(crate) fn configured(&self) -> Option<&str> {
        if self.delete { None } else { self.pending.as_deref().or(self.current.as_deref()) }
    }

    /// Returns whether anything is pending.
    pub(crate) fn is_pending(&self) -> bool {
        self.delete || self.pending.is_some()
    }
}

/// What is known of the cluster as a whole, for the planner.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Cluster {
    /// The user or the token that asks.
    pub(crate) user: String,
    /// The host block of each node, as the provider block says.
    pub(crate) node_hosts: BTreeMap<String, String>,
    /// The processors of each node, where the user may see them.
    pub(crate) processors: BTreeMap<String, u64>,
    /// The privileges by path, each with whether it holds below as well; `None` where they could not be asked.
    pub(crate) permissions: Option<BTreeMap<String, BTreeMap<String, bool>>>,
}

/// A machine as the cluster lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Listed {
    /// Its number.
    pub(crate) vmid: u32,
    /// Its name.
    pub(crate) name: String,
    /// The node that it lives on now.
    pub(crate) node: String,
    /// The pool that it is in.
    pub(crate) pool: Option<String>,
    /// Its tags.
    pub(crate) tags: BTreeSet<String>,
}

/// The name under which the cluster stands among the evidence.
const CLUSTER: &str = "cluster";
/// The name under which the cluster's machines stand among the evidence.
const LISTING: &str = "listing";

/// Returns the cluster's machines as evidence.
pub(crate) fn listing_to_evidence(machines: &[Listed]) -> BTreeMap<String, String> {
    let text = serde_json::to_string(machines).expect("texts and numbers can always be written");
    [(LISTING.to_owned(), text)].into()
}

/// Returns the cluster's machines from the evidence.
pub(crate) fn listing_of(reading: &Reading) -> BTreeMap<u32, Listed> {
    let text = reading.evidence.get(LISTING);
    let machines: Vec<Listed> = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    machines.into_iter().map(|machine| (machine.vmid, machine)).collect()
}

/// Returns machines and cluster as evidence.
pub(crate) fn to_evidence<'a>(
    vms: impl IntoIterator<Item = (u32, &'a Vm)>,
    cluster: &Cluster,
) -> BTreeMap<String, String> {
    let text = |result: Result<String, serde_json::Error>| result.expect("texts and maps can always be written");
    let vms = vms.into_iter().map(|(vmid, vm)| (format!("vm/{vmid}"), text(serde_json::to_string(vm))));
    vms.chain([(CLUSTER.to_owned(), text(serde_json::to_string(cluster)))]).collect()
}

/// Returns a machine from the evidence.
pub(crate) fn vm_of(reading: &Reading, vmid: u32) -> Option<Vm> {
    serde_json::from_str(reading.evidence.get(&format!("vm/{vmid}"))?).ok()
}

/// The cluster of the evidence that was asked about last. All readings of one answer share theirs, and to take it apart
/// anew for each of a thousand machines costs as much as everything else that is done with them.
#[derive(Debug, Default)]
pub(crate) struct LastCluster(Mutex<(Weak<Evidence>, Arc<Cluster>)>);

type Evidence = BTreeMap<String, String>;

impl LastCluster {
    /// Returns the cluster from the evidence.
    pub(crate) fn of(&self, reading: &Reading) -> Arc<Cluster> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // As long as it is remembered, no other evidence can be in its place.
        if last.0.as_ptr() != Arc::as_ptr(&reading.evidence) {
            let text = reading.evidence.get(CLUSTER);
            let cluster = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            *last = (Arc::downgrade(&reading.evidence), Arc::new(cluster));
        }
        Arc::clone(&last.1)
    }
}

/// Returns the bare value of an item in an option's text, which may be absent.
pub(crate) fn bare(key: &Key, text: Option<&str>) -> Raw {
    let value = match (&key.sub, Place::of(&key.option).and_then(Place::string), text) {
        (Some(sub), Some((grammar, _)), Some(text)) => PropertyString::parse(grammar, text).get(sub).map(str::to_owned),
        // What is left of a deleted list is one blank.
        (None, _, Some(text)) => Some(text.to_owned()).filter(|text| !text.trim().is_empty()),
        _ => None,
    };
    value.map_or(Raw::Absent, Raw::Text)
}

/// Returns an option's text with one item changed, and everything else as it was; `None` if nothing is left.
pub(crate) fn with_item(key: &Key, text: Option<&str>, want: &Raw) -> Option<String> {
    let Some((sub, (grammar, _))) = key.sub.as_ref().zip(Place::of(&key.option).and_then(Place::string)) else {
        return match want {
            Raw::Text(value) => Some(value.clone()),
            _ => None,
        };
    };
    let mut string = PropertyString::parse(grammar, text.unwrap_or_default());
    match want {
        Raw::Text(value) => string.set(sub, value),
        _ => string.remove(sub),
    }
    (!string.is_empty()).then(|| string.to_string())
}

/// Returns the reading of one item of a machine.
pub(crate) fn item(vm: &Vm, key: &Key, item: &ItemKey) -> Result<ItemReading, Unreadable> {
    let entry = vm.options.get(&key.option);
    let configured = entry.and_then(Entry::configured);
    if configured.is_none() && matches!(Place::of(&key.option), Some(Place::Disk(_) | Place::Net)) {
        let is_leaving = entry.is_some_and(|entry| entry.delete);
        let why = if is_leaving { "is about to lose" } else { "has no" };
        return Err(Unreadable {
            code: NO_DEVICE,
            message: format!("VM {} {why} `{}`", key.vmid, key.option),
            help: Some(devices(vm, &key.option)),
        });
    }
    // What is absent and has no default says nothing.
    let show = |raw: &Raw| match crate::canonical(item, raw) {
        Raw::Absent if key.sub.as_deref() != Some("cache") => None,
        _ => Some(crate::show(item, raw)),
    };
    let raw = bare(key, configured);
    let layer = |raw: &Raw| Layer { value: show(raw), source: None };
    let running = bare(key, entry.and_then(|entry| entry.current.as_deref()));
    Ok(ItemReading {
        running: if vm.running { layer(&running) } else { Layer::default() },
        configured: layer(&raw),
        next_start: layer(&raw),
        writable: true,
        raw,
    })
}

/// Returns the answer about a name that is no item's.
pub(crate) fn not_an_item(item: &ItemKey) -> Unreadable {
    Unreadable {
        code: NOT_AN_OPTION,
        message: format!("`{}` is no option of a virtual machine", visible(&item.0, 120)),
        help: Some("check the spelling".to_owned()),
    }
}

fn devices(vm: &Vm, like: &str) -> String {
    let is_net = crate::table::is_net(like);
    let same = |name: &&String| match Place::of(name) {
        Some(Place::Net) => is_net,
        Some(Place::Disk(_)) => !is_net,
        _ => false,
    };
    let there: Vec<String> = vm.options.keys().filter(same).map(|name| format!("`{name}`")).collect();
    if there.is_empty() { "it has none at all".to_owned() } else { format!("it has {}", there.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_comes_back_as_it_was() {
        let entry = Entry { current: Some("2".to_owned()), pending: Some("4".to_owned()), delete: false };
        let vm = Vm {
            node: "pve".to_owned(),
            running: true,
            options: [("cores".to_owned(), entry)].into(),
            ..Vm::default()
        };
        let cluster = Cluster { user: "tune@pve!tok".to_owned(), ..Cluster::default() };
        let evidence = to_evidence([(107, &vm)], &cluster);
        let reading = Reading { evidence: evidence.into(), ..Reading::default() };
        assert_eq!(vm_of(&reading, 107), Some(vm));
        assert_eq!(vm_of(&reading, 108), None);
        let last = LastCluster::default();
        assert_eq!(*last.of(&reading), cluster);
        assert_eq!(*last.of(&reading), cluster);
        let another = Reading { evidence: to_evidence([], &Cluster::default()).into(), ..Reading::default() };
        assert_eq!(*last.of(&another), Cluster::default());
        assert_eq!(*last.of(&reading), cluster);
    }

    #[test]
    fn one_item_changes_and_the_rest_stays() {
        let key = |name: &str| Key::parse(&ItemKey::from(name)).unwrap();
        let on = Raw::Text("1".to_owned());
        let disk = Some("zfs:vm-107-disk-0,x-new=1,size=32G");
        assert_eq!(
            with_item(&key("107/scsi0/iothread"), disk, &on).as_deref(),
            Some("zfs:vm-107-disk-0,x-new=1,size=32G,iothread=1")
        );
        assert_eq!(with_item(&key("107/agent/enabled"), None, &on).as_deref(), Some("1"));
        assert_eq!(with_item(&key("107/agent/enabled"), Some("1"), &Raw::Absent), None);
        assert_eq!(with_item(&key("107/cores"), Some("2"), &Raw::Absent), None);
        assert_eq!(bare(&key("107/tags"), Some(" ")), Raw::Absent);
    }
}
