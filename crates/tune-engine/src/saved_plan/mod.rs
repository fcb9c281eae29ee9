//! A saved plan: what a person reviewed, as a promise. `tune apply FILE` plans anew, from the configuration and the live
//! systems of that moment, and goes on only if that plan is the one that was promised. So nothing in the file is ever
//! carried out: it can only forbid.
//!
//! What a plan depends on is there as keyed digests, one per thing that may move, so that a refusal can name what moved.
//! There is no time, no run and no name of a machine that ran `tune` in it: the same plan saved twice is the same file.
//! Its first line seals the rest with the key of the state, so that no byte can be changed without that being noticed.

mod content;
mod difference;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tune_core::plan::{Operation, Plan, Selection};
use tune_core::resource::Provider;
use tune_core::{Address, Value};

pub use text::{LARGEST, SavedPlanError, check, parse, print, read, schema, seal, write};

use crate::engine::Engine;
use crate::store::Key;

/// A saved plan, whose seal was found to be unbroken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "A saved plan of tune, without its first line")]
pub struct SavedPlan {
    /// What is promised.
    pub promise: Promise,
    /// What the person saw.
    pub shown: Shown,
}

/// The plan as it was shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// As text, with colours.
    pub text: String,
    /// As `plan -json` prints it.
    pub json: Json,
}

/// Everything that must be as it was for a plan to be the same. Every digest is keyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Promise {
    /// The version of the program, and with it of every provider: all of them are in the program.
    tune: String,
    /// What was planned.
    order: Order,
    /// The state that the plan was made for.
    state: Made,
    /// The digest of every file that the configuration consists of or reads, by name.
    files: BTreeMap<String, String>,
    /// The digest of the value of every variable.
    variables: BTreeMap<String, String>,
    /// The digest of what every `provider` block says.
    providers: BTreeMap<String, String>,
    /// The machines, by their names in the state.
    hosts: BTreeMap<String, Machine>,
    /// What happens, by resource.
    resources: BTreeMap<String, Resource>,
    /// The digest of what runs when, which rollouts and checks hold, and what is owed.
    course: String,
}

/// What was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Order {
    /// Where desired values come from.
    operation: Verb,
    /// `-target`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    target: Vec<String>,
    /// `-exclude`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    exclude: Vec<String>,
    /// `-skip-gate`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    skip_gate: Vec<String>,
    /// `-allow-self`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    allow_self: bool,
}

/// The operations of which a plan can be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Verb {
    /// `tune plan`.
    Apply,
    /// `tune plan -destroy`.
    Destroy,
    /// `tune plan -refresh-only`.
    RefreshOnly,
}

/// A moment of a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Made {
    /// Names it among all states; empty before the first apply.
    lineage: String,
    /// Grows with every change.
    serial: u64,
}

/// One machine, or one API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Machine {
    /// Its name in the configuration.
    address: String,
    /// The digest of its machine id and its ssh host keys.
    identity: String,
    /// The digest of how it is reached, and as whom.
    reached: String,
    /// The digest of what its next boot would activate that is not ours.
    waits_for_boot: String,
}

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Resource {
    /// The machine that it lives on.
    host: String,
    /// The digest of what holds for all of it: dependencies, consents, promises.
    terms: String,
    /// Its items, in the order in which they are written.
    items: Vec<Item>,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Item {
    /// What it is, among all items of its kind there.
    key: String,
    /// What it is called.
    label: String,
    /// What is done with it: `write`, `revert`, `keep`, …
    step: String,
    /// What was read, as a person reads it; missing where it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    live: Option<String>,
    /// What is written, as a person reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// The digest of everything that was read.
    reading: String,
    /// The digest of everything that is done.
    change: String,
}

/// What a plan was made from, beside the live systems and the state.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The version of the program.
    pub tune: &'a str,
    /// Which part was meant.
    pub selection: &'a Selection,
    /// SHA-256 of every file that was read, by name.
    pub files: &'a BTreeMap<String, String>,
    /// The value of every variable.
    pub variables: &'a BTreeMap<&'a str, &'a Value>,
    /// Every `provider` block.
    pub providers: &'a BTreeMap<Address, Provider>,
}

impl Engine {
    /// Returns what a plan promises. Plans of a rollback cannot be promised.
    pub fn promise(&self, plan: &Plan, origin: &Origin<'_>, key: &Key) -> Promise {
        content::promise(&self.kinds, plan, origin, key)
    }
}

impl Promise {
    /// Returns what the plan was made to do.
    pub fn operation(&self) -> Operation {
        match self.order.operation {
            Verb::Apply => Operation::Apply,
            Verb::Destroy => Operation::Destroy,
            Verb::RefreshOnly => Operation::RefreshOnly,
        }
    }

    /// Returns which part was meant.
    pub fn selection(&self) -> Selection {
        let addresses = |list: &[String]| list.iter().filter_map(|text| text.parse().ok()).collect();
        Selection {
            target: addresses(&self.order.target),
            exclude: addresses(&self.order.exclude),
            skip_gates: self.order.skip_gate.iter().filter_map(|text| text.parse().ok()).collect(),
            allow_self: self.order.allow_self,
            ..Selection::default()
        }
    }

    /// Returns everything that is not as promised, what caused it first, as phrases. Empty exactly when `now` keeps the
    /// promise.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        difference::between(self, now)
    }
}
