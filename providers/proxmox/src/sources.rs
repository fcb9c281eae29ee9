//! What can be asked of a cluster: `proxmox_vms`, the machines that answer a description, and `proxmox_vm`, one of them as
//! it is now. Both only read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tune_core::address::Address;
use tune_core::contract::{Lookup, Pending, ReadRequest};
use tune_core::item::ItemKey;
use tune_core::path::AttributePath;
use tune_core::problem::{Explanation, Problem};
use tune_core::reading::{Reading, Unreadable};
use tune_core::rollout::Query;
use tune_core::schema::KindSchema;
use tune_core::source::{Reach, Source};
use tune_core::text::visible;
use tune_core::value::{Value, decode};

use crate::codes::{BAD_QUESTION, BAD_VMID, NOT_CONFIGURED};
use crate::key::VMIDS;
use crate::survey::{KIND, LISTING};
use crate::vm::{self, Listed};

/// Returns every source of this provider.
pub fn sources() -> Vec<Arc<dyn Source>> {
    vec![Arc::new(Machines::new()), Arc::new(Machine::new())]
}

/// The virtual machines of a cluster that answer a description, for `for_each`. Containers, templates and machines that
/// the user may not see are left out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(title = "proxmox_vms")]
#[serde(deny_unknown_fields)]
struct Description {
    /// A tag that each of them has.
    #[serde(default)]
    tag: Option<String>,
    /// Tags that each of them has, all of them.
    #[serde(default)]
    tags: Option<Vec<String>>,
    /// The pool that they are in.
    #[serde(default)]
    pool: Option<String>,
    /// The node that they live on now.
    #[serde(default)]
    node: Option<String>,
    /// Their name, where `*` stands for anything: `k3s-*`.
    #[serde(default)]
    name: Option<String>,
}

/// The machines that were found.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "proxmox_vms")]
struct Found {
    /// The machines by their numbers, each with `vmid`, `name`, `node`, `pool` and `tags`.
    vms: BTreeMap<String, Listed>,
    /// Their numbers, in order.
    vmids: Vec<u32>,
}

/// The source `proxmox_vms`.
#[derive(Debug)]
struct Machines {
    schema: KindSchema,
    answer: KindSchema,
}

/// One virtual machine as it is now.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(title = "proxmox_vm")]
#[serde(deny_unknown_fields)]
struct Which {
    /// The machine's number.
    vmid: u64,
}

/// A machine as it is now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "proxmox_vm")]
struct Now {
    /// Its number.
    vmid: u32,
    /// Its name.
    name: String,
    /// The node that it lives on.
    node: String,
    /// Whether it runs.
    running: bool,
    /// Its lock, `null` without one.
    lock: Option<String>,
    /// Whether it is under high availability.
    ha: bool,
    /// The options that wait for its next start.
    pending: Vec<String>,
}

/// The source `proxmox_vm`.
#[derive(Debug)]
struct Machine {
    schema: KindSchema,
    answer: KindSchema,
}

impl Machines {
    fn new() -> Self {
        Self { schema: asked::<Description>("proxmox_vms"), answer: KindSchema::of::<Found>("proxmox_vms") }
    }
}

impl Machine {
    fn new() -> Self {
        Self { schema: asked::<Which>(KIND), answer: KindSchema::of::<Now>(KIND) }
    }
}

fn asked<T: JsonSchema>(kind: &'static str) -> KindSchema {
    KindSchema { provider: Some("proxmox"), ..KindSchema::of::<T>(kind) }
}

impl Source for Machines {
    fn schema(&self) -> &KindSchema {
        &self.schema
    }

    fn answer(&self) -> &KindSchema {
        &self.answer
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn look<'a>(&'a self, query: &'a Query, reach: &'a dyn Reach) -> Pending<'a, Result<Value, Unreadable>> {
        Box::pin(async move {
            let description: Description = block(&query.attributes)?;
            let reading = ask(query, reach, LISTING, BTreeSet::new()).await?;
            let found: BTreeMap<u32, Listed> =
                vm::listing_of(&reading).into_iter().filter(|(_, machine)| description.is_of(machine)).collect();
            let vmids = found.keys().copied().collect();
            let vms = found.into_iter().map(|(vmid, machine)| (vmid.to_string(), machine)).collect();
            Ok(tune_source::answer(&Found { vms, vmids }))
        })
    }
}

impl Source for Machine {
    fn schema(&self) -> &KindSchema {
        &self.schema
    }

    fn answer(&self) -> &KindSchema {
        &self.answer
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn check(&self, attributes: &BTreeMap<String, Value>) -> Vec<Problem> {
        let number = match attributes.get("vmid") {
            Some(Value::Number(number)) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
            _ => None,
        };
        if number.is_some_and(|number| VMIDS.contains(&number)) {
            return Vec::new();
        }
        let message = "this is not the number of a virtual machine";
        let label = format!("it is a whole number from {} to {}", VMIDS.start(), VMIDS.end());
        vec![Problem::new(BAD_VMID, AttributePath::attribute("vmid"), message, label)]
    }

    fn look<'a>(&'a self, query: &'a Query, reach: &'a dyn Reach) -> Pending<'a, Result<Value, Unreadable>> {
        Box::pin(async move {
            let which: Which = block(&query.attributes)?;
            // Any item of a machine brings the whole machine along.
            let key = ItemKey(format!("{}/name", which.vmid));
            let reading = ask(query, reach, KIND, [key.clone()].into()).await?;
            if let Some(Err(why)) = reading.items.get(&key) {
                return Err(why.clone());
            }
            let vmid = u32::try_from(which.vmid).unwrap_or_default();
            let vm = vm::vm_of(&reading, vmid).ok_or_else(|| bad_question("the cluster said nothing about it"))?;
            let pending = vm.options.iter().filter(|(_, entry)| entry.is_pending());
            let pending = pending.map(|(name, _)| name.clone()).collect();
            let now =
                Now { vmid, name: vm.name, node: vm.node, running: vm.running, lock: vm.lock, ha: vm.ha, pending };
            Ok(tune_source::answer(&now))
        })
    }
}

impl Description {
    fn is_of(&self, machine: &Listed) -> bool {
        let is = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        let mut tags = self.tag.iter().chain(self.tags.iter().flatten());
        tags.all(|tag| machine.tags.iter().any(|has| has.eq_ignore_ascii_case(tag)))
            && is(&self.pool, machine.pool.as_deref().unwrap_or_default())
            && is(&self.node, &machine.node)
            && self.name.as_ref().is_none_or(|pattern| matches(pattern, &machine.name))
    }
}

/// Returns whether a name is of a pattern in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(tail) = name.strip_prefix(head) else { return false };
    (0..=tail.len()).filter(|at| tail.is_char_boundary(*at)).any(|at| matches(rest, &tail[at..]))
}

async fn ask(query: &Query, reach: &dyn Reach, kind: &str, keys: BTreeSet<ItemKey>) -> Result<Reading, Unreadable> {
    let provider = query.attributes.get("provider").and_then(Value::as_str).unwrap_or("provider.proxmox");
    let address: Address = provider.parse().map_err(|_| not_configured(provider))?;
    let connection = reach.connection(&address).await.ok_or_else(|| not_configured(provider))?;
    let request = ReadRequest { lookups: vec![Lookup { kind: kind.to_owned(), keys }], fence: None };
    let answer = connection.read(&request).await.map_err(tune_source::of_connection)?;
    answer.readings.into_iter().next().ok_or_else(|| bad_question("the cluster gave no answer"))
}

/// The attribute `provider` says where to ask, and is none of the block's own.
fn block<T: serde::de::DeserializeOwned>(attributes: &BTreeMap<String, Value>) -> Result<T, Unreadable> {
    let own = attributes.iter().filter(|(name, _)| *name != "provider");
    let own = own.map(|(name, value)| (name.clone(), value.clone())).collect();
    decode(&own).map_err(|error| bad_question(&visible(&error.to_string(), 200)))
}

fn bad_question(why: &str) -> Unreadable {
    Unreadable { code: BAD_QUESTION, message: format!("this cannot be asked: {why}"), help: None }
}

fn not_configured(provider: &str) -> Unreadable {
    Unreadable {
        code: NOT_CONFIGURED,
        message: format!("no block `{}` says how to log in", visible(provider, 80)),
        help: Some("add the provider block".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, is_one) in [
            ("k3s-*", "k3s-vm-pve", true),
            ("k3s-*", "old-k3s-1", false),
            ("*-pve", "k3s-vm-pve", true),
            ("k*v*e", "k3s-vm-pve", true),
            ("*", "", true),
            ("k3s", "k3s-1", false),
            ("*é*", "aéb", true),
        ] {
            assert_eq!(matches(pattern, name), is_one, "{pattern} {name}");
        }
    }

    #[test]
    fn a_description_is_everything_that_it_says() {
        let machine = Listed {
            vmid: 107,
            name: "k3s-vm-pve".to_owned(),
            node: "pve".to_owned(),
            pool: Some("lab".to_owned()),
            tags: ["k3s", "etcd"].map(str::to_owned).into(),
        };
        let is = |description: Description| description.is_of(&machine);
        let some = |text: &str| Some(text.to_owned());
        assert!(is(Description::default()));
        assert!(is(Description { tag: some("K3s"), pool: some("lab"), ..Description::default() }));
        assert!(!is(Description { tags: Some(vec!["k3s".to_owned(), "web".to_owned()]), ..Description::default() }));
        assert!(!is(Description { node: some("fawn"), ..Description::default() }));
        assert!(!is(Description { pool: some("prod"), ..Description::default() }));
    }
}
