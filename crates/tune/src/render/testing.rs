//! Hand-made plans for the tests of this module.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tune_core::address::Address;
use tune_core::contract::{Desired, Effect, Impact, Kind, Kinds, Question};
use tune_core::item::{Change, FileState, HostId, ItemId, ItemKey, Raw};
use tune_core::path::AttributePath;
use tune_core::plan::{Adopted, ItemPlan, Operation, Plan, PlannedHost, ResourcePlan, Stage, Step, Wave};
use tune_core::problem::{Explanation, Problem};
use tune_core::reading::Layer;
use tune_core::resource::{Become, Host, Resource, Transport};
use tune_core::schema::KindSchema;
use tune_core::state::State;

use super::item::Context;

/// A kind that wants nothing and shows everything as it is.
#[derive(Debug)]
struct Plain(KindSchema);

impl Kind for Plain {
    fn schema(&self) -> &KindSchema {
        &self.0
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn desired(&self, _: &Resource) -> Result<Desired, Vec<Problem>> {
        Err(Vec::new())
    }

    fn canonical(&self, _: &ItemKey, raw: &Raw) -> Raw {
        raw.clone()
    }

    fn impact(&self, _: &Question<'_>) -> Impact {
        Impact::default()
    }
}

/// A plan that is put together piece by piece.
#[derive(Debug)]
pub(crate) struct Fixture {
    /// The plan.
    pub(crate) plan: Plan,
    /// What is remembered.
    pub(crate) state: State,
    kinds: Kinds,
}

impl Fixture {
    /// Returns a plan in which nothing happens.
    pub(crate) fn new(operation: Operation) -> Self {
        let schema = KindSchema {
            kind: "sysctl",
            doc: String::new(),
            provider: None,
            attributes: BTreeMap::new(),
            json: serde_json::Value::Null,
        };
        Self {
            plan: Plan {
                operation,
                lineage: String::new(),
                serial: 0,
                resources: BTreeMap::new(),
                hosts: BTreeMap::new(),
                guests: BTreeMap::new(),
                stages: Vec::new(),
                rollouts: BTreeMap::new(),
                checks: BTreeMap::new(),
                problems: Vec::new(),
                advice: Vec::new(),
                owed: Vec::new(),
            },
            state: State::default(),
            kinds: BTreeMap::from([("sysctl", Arc::new(Plain(schema)) as Arc<dyn Kind>)]),
        }
    }

    /// Adds a resource on a host, both with the same `for_each` key.
    pub(crate) fn on(mut self, name: &str, key: &str, items: Vec<ItemPlan>) -> Self {
        let host = Address::new("host", "k3s").with_name(key);
        let id = HostId(host.to_string());
        let planned = PlannedHost {
            host: Host { name: host.own_name(), address: host, transport: Transport::Local, become_: Become::No },
            machine_id: None,
            host_keys: BTreeSet::new(),
            hostname: key.to_owned(),
            uid: 0,
            boot_id: None,
            waits_for_boot: Vec::new(),
            epoch: 0,
        };
        self.plan.hosts.insert(id.clone(), planned);
        let items = items.into_iter().map(|item| ItemPlan { id: ItemId { host: id.clone(), ..item.id }, ..item });
        let resource = ResourcePlan {
            host: id.clone(),
            configured: true,
            depends_on: BTreeSet::new(),
            prevent_revert: false,
            renamed_from: BTreeSet::new(),
            outdated: false,
            guest: None,
            accept: BTreeSet::new(),
            items: items.collect(),
        };
        let address = Address::new("sysctl", name).with_name(key);
        self.plan.resources.insert(address.clone(), resource);
        if self.plan.stages.is_empty() {
            self.plan.stages.push(Stage::Quiet(Wave::default()));
        }
        if let Some(Stage::Quiet(wave)) = self.plan.stages.first_mut() {
            wave.batches.entry(id).or_default().push(address);
        }
        self
    }

    /// Returns what a view is made from.
    pub(crate) fn context(&self) -> Context<'_> {
        Context { plan: &self.plan, kinds: &self.kinds, state: &self.state }
    }
}

/// An item of which nothing was recorded before.
pub(crate) fn item(key: &str, live: Raw, step: Step) -> ItemPlan {
    let id = ItemId { host: HostId(String::new()), kind: "sysctl".to_owned(), key: ItemKey::from(key) };
    ItemPlan {
        id,
        path: AttributePath::default(),
        step,
        adopt: Some(Adopted::Read { raw: live.clone(), next_boot: None }),
        live: Some(live),
        applied: None,
        running: Layer::default(),
        next_start: Layer::default(),
        effect: Effect::AtOnce,
        activations: BTreeSet::new(),
        may_cut_connection: false,
        reversible: true,
        accepted: BTreeMap::new(),
    }
}

/// A value that becomes managed and is changed.
pub(crate) fn write(key: &str, before: &str, after: &str) -> ItemPlan {
    item(key, text(before), Step::Write(Change { before: text(before), after: text(after) }))
}

/// A file that is made for the next boot.
pub(crate) fn new_file(path: &str) -> ItemPlan {
    let step = Step::Write(Change { before: Raw::Absent, after: Raw::File(FileState::public("a = 1\n")) });
    ItemPlan { effect: Effect::NextBoot, ..item(path, Raw::Absent, step) }
}

/// A value's restorable form.
pub(crate) fn text(value: &str) -> Raw {
    Raw::Text(value.to_owned())
}

/// Compares what is shown, colours taken away, with what should be.
#[track_caller]
pub(crate) fn check(shown: &str, expect: &str) {
    let shown = anstream::adapter::strip_str(shown).to_string();
    assert!(shown == expect, "shown:\n{shown}\nexpected:\n{expect}");
}
