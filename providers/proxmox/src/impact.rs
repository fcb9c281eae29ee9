//! What a change of a machine would do: which options take effect at once and which wait for a power cycle, what else
//! that would activate, what the user must consent to, and what cannot work.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::activation::{Activation, Verb};
use tune_core::contract::{DesiredItem, Effect, Impact, ItemImpact, Question};
use tune_core::item::Raw;
use tune_core::path::AttributePath;
use tune_core::problem::Problem;
use tune_core::resource::Consent;
use tune_core::text::visible;

use crate::codes::{NOT_ALLOWED, OLD_LIMIT, ROOT_ONLY};
use crate::forecast::{self, Forecast};
use crate::key::{Key, Place};
use crate::permissions::{self, Need, POWER};
use crate::property::PropertyString;
use crate::table::{DRIVE, ROOT};
use crate::vm::{self, Cluster, Entry, LastCluster, Vm};
use crate::{advice, canonical, combinations};

/// One item with everything that is known of it.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) key: &'a Key,
    pub(crate) item: &'a DesiredItem,
    /// Whether it is as desired already.
    pub(crate) is_so: bool,
    /// What becomes of it when it is written.
    pub(crate) forecast: Forecast,
    /// Whether a power cycle is due for it.
    pub(crate) waits: bool,
}

/// Judges the items of one resource.
pub(crate) fn impact(question: &Question<'_>, clusters: &LastCluster) -> Impact {
    let mut impact = Impact::default();
    let items: Vec<(Key, &DesiredItem)> =
        question.desired.items.iter().filter_map(|item| Some((Key::parse(&item.key)?, item))).collect();
    let Some((first, _)) = items.first() else { return impact };
    let vmid = first.vmid;
    let Some(vm) = vm::vm_of(question.reading, vmid) else { return impact };
    let cluster = clusters.of(question.reading);
    let after = forecast::after(&vm, items.iter().map(|(key, item)| (key, &item.want)));
    let judged: Vec<Judged<'_>> = items
        .iter()
        .filter_map(|(key, item)| judge(question, &vm, key, item, after.get(&key.option)?.as_deref()))
        .collect();
    let foreign = foreign(question, vmid, &vm);
    for one in &judged {
        impact.items.insert(one.item.key.clone(), item_impact(question, &vm, one, &foreign));
    }
    let processors = cluster.processors.get(&vm.node).copied();
    impact.problems = combinations::problems(&items, &after, processors);
    impact.problems.extend(old_limits(&vm, &judged));
    impact.problems.extend(not_allowed(&cluster, vmid, &vm, &judged, &after));
    impact.advice = advice::advice(question, vmid, &vm, &judged, &after);
    impact.runs_on = cluster.node_hosts.get(&vm.node).and_then(|host| host.parse().ok());
    impact.carriers = cluster.node_hosts.values().map(|host| host.parse().ok()).collect();
    impact
}

fn judge<'a>(
    question: &Question<'_>,
    vm: &Vm,
    key: &'a Key,
    item: &'a DesiredItem,
    after: Option<&str>,
) -> Option<Judged<'a>> {
    let Some(Ok(found)) = question.reading.items.get(&item.key) else { return None };
    let same = |raw: &Raw| canonical(&item.key, raw) == canonical(&item.key, &item.want);
    let current = vm.options.get(&key.option).and_then(|entry| entry.current.as_deref());
    let runs = same(&vm::bare(key, current));
    let is_so = same(&found.raw);
    let forecast = forecast::forecast(vm, key, after);
    let waits = vm.running
        && match forecast {
            _ if is_so => !runs,
            Forecast::Silent => true,
            Forecast::Pending => !runs,
            Forecast::AtOnce | Forecast::Replugged => false,
        };
    Some(Judged { key, item, is_so, forecast, waits })
}

fn item_impact(question: &Question<'_>, vm: &Vm, one: &Judged<'_>, foreign: &[String]) -> ItemImpact {
    let vmid = one.key.vmid;
    let mut impact = ItemImpact::default();
    if one.waits {
        impact.effect = Effect::Activation;
        impact.activations = BTreeSet::from([Activation::of(Verb::PowerCycle, vmid.to_string())]);
        if !foreign.is_empty() {
            let danger = format!(
                "the power cycle of VM {vmid} would also activate what somebody else left pending: {}",
                foreign.join(", ")
            );
            impact.needs.insert(Consent::ForeignPending, danger);
        }
    }
    let entry = vm.options.get(&one.key.option);
    if let Some(text) = entry.filter(|_| !one.is_so && !question.recorded.contains(&one.item.key)).and_then(|entry| {
        let (current, configured) =
            (vm::bare(one.key, entry.current.as_deref()), vm::bare(one.key, entry.configured()));
        (entry.is_pending() && current != configured).then(|| crate::show(&one.item.key, &configured))
    }) {
        let danger =
            format!("somebody left `{}` of VM {vmid} pending as {text}, which would be replaced", one.key.label());
        impact.needs.entry(Consent::ForeignPending).or_insert(danger);
    }
    if let Some(danger) = data_loss(one) {
        impact.needs.insert(Consent::DataLoss, danger);
    }
    impact
}

fn data_loss(one: &Judged<'_>) -> Option<String> {
    let Raw::Text(want) = &one.item.want else { return None };
    let disk = &one.key.option;
    match (one.key.sub.as_deref()?, want.as_str()) {
        ("cache", "unsafe") => Some(format!(
            "with `cache = \"unsafe\"` what the guest flushes to `{disk}` is not flushed: a crash of the host loses \
             acknowledged writes"
        )),
        ("snapshot", "1") => Some(format!(
            "with `snapshot` everything that is written to `{disk}` is thrown away when the machine stops"
        )),
        _ => None,
    }
}

/// Returns the disks whose change would take a limit away that stands there in an old notation: Proxmox makes `mbps=0.000`
/// of it with any write of the disk.
fn old_limits(vm: &Vm, judged: &[Judged<'_>]) -> Vec<Problem> {
    let mut disks = BTreeSet::new();
    let changing = judged.iter().filter(|one| !one.is_so && matches!(Place::of(&one.key.option), Some(Place::Disk(_))));
    let old_limit = |one: &Judged<'_>| {
        let disk = &one.key.option;
        let string = PropertyString::parse(DRIVE, vm.options.get(disk)?.configured()?);
        let old = ["bps", "bps_rd", "bps_wr"].into_iter().find(|limit| string.get(limit).is_some())?;
        disks.insert(disk.clone()).then(|| {
            let value = visible(string.get(old).unwrap_or_default(), 40);
            let message =
                format!("`{disk}` has the old limit `{old}={value}`, which Proxmox drops with any change of the disk");
            let vmid = one.key.vmid;
            Problem::new(OLD_LIMIT, one.item.path.clone(), message, "the limit would be lost")
                .with_help(format!(
                    "write it as `m{old}`, in megabytes, on the node first: `qm config {vmid}` shows the disk"
                ))
                .that_stops_applying()
        })
    };
    changing.filter_map(old_limit).collect()
}

/// Returns what is pending in a machine and is nobody's here, as phrases.
fn foreign(question: &Question<'_>, vmid: u32, vm: &Vm) -> Vec<String> {
    let is_ours = |key: &Key| question.reading.items.contains_key(&key.item());
    let pending = vm.options.iter().filter(|(_, entry)| entry.is_pending());
    let mut phrases = Vec::new();
    for (option, entry) in pending {
        let key = |sub: Option<&str>| Key { vmid, option: option.clone(), sub: sub.map(str::to_owned) };
        match Place::of(option).and_then(Place::string) {
            Some((grammar, _)) if !entry.delete && entry.current.is_some() => {
                for (sub, before, after) in differences(grammar, entry) {
                    if !is_ours(&key(Some(&sub))) {
                        phrases.push(phrase(&format!("{option}.{sub}"), before.as_deref(), after.as_deref()));
                    }
                }
            }
            Some((_, rows)) if !entry.delete && rows.iter().any(|row| is_ours(&key(Some(row.name)))) => {}
            _ if is_ours(&key(None)) => {}
            _ => phrases.push(phrase(option, entry.current.as_deref(), entry.configured())),
        }
    }
    phrases
}

/// Returns the sub-options that are pending: `(name, before, after)`.
fn differences(grammar: crate::property::Grammar, entry: &Entry) -> Vec<(String, Option<String>, Option<String>)> {
    let entries = |text: Option<&str>| -> BTreeMap<String, String> {
        let string = PropertyString::parse(grammar, text.unwrap_or_default());
        string.entries().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let (before, after) = (entries(entry.current.as_deref()), entries(entry.configured()));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differing = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differing.map(|name| (name.clone(), before.get(name).cloned(), after.get(name).cloned())).collect()
}

fn phrase(name: &str, before: Option<&str>, after: Option<&str>) -> String {
    let shown = |text: Option<&str>| text.map_or_else(|| "absent".to_owned(), |text| visible(text, 80));
    format!("`{name}` {} -> {}", shown(before), shown(after))
}

/// Returns every privilege that the user lacks, each on the first item that needs it.
fn not_allowed(
    cluster: &Cluster,
    vmid: u32,
    vm: &Vm,
    judged: &[Judged<'_>],
    after: &BTreeMap<String, Option<String>>,
) -> Vec<Problem> {
    let mut needed: BTreeMap<Need, &AttributePath> = BTreeMap::new();
    for one in judged.iter().filter(|one| !one.is_so) {
        let option = &one.key.option;
        let before = vm.options.get(option).and_then(|entry| entry.current.as_deref());
        let after = after.get(option).and_then(Option::as_deref);
        for need in permissions::needs(one.key, before, after) {
            needed.entry(need).or_insert(&one.item.path);
        }
    }
    if let Some(one) = judged.iter().find(|one| one.waits) {
        needed.entry(Need::on_vm(vmid, POWER)).or_insert(&one.item.path);
    }
    let missing = permissions::missing(cluster, &needed.keys().cloned().collect());
    let user = visible(&cluster.user, 80);
    let problem = |need: &Need| {
        let path = needed[need].clone();
        if need.privilege == ROOT {
            return Problem::new(
                ROOT_ONLY,
                path,
                format!("`{user}` may not change this"),
                "only root@pam itself may, and no token",
            )
            .with_help("log in as root@pam with a password, or set it on the node with `qm set`")
            .that_stops_applying();
        }
        let or = need.or.map(|other| format!(" or {other}")).unwrap_or_default();
        let message = format!("`{user}` lacks the privilege {}{or} on {}", need.privilege, need.path);
        // One role for everything that is missing there: the lines are the same for each, and are run once.
        let here = missing.iter().filter(|other| other.path == need.path && other.privilege != ROOT);
        let lacking = here.map(|other| other.privilege).collect();
        Problem::new(NOT_ALLOWED, path, message, "the API would refuse")
            .with_help(permissions::grant(cluster, &need.path, &lacking))
            .that_stops_applying()
    };
    missing.iter().map(problem).collect()
}
