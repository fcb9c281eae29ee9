//! How many instances a block has, and what `each` and `count` are in each.

use std::collections::BTreeMap;
use std::ops::Bound;

use tune_core::{Address, InstanceKey, Number};

use super::{Dependencies, Resolution, Surroundings};
use crate::code;
use crate::convert::{given, number_of};
use crate::diagnostic::Diagnostic;
use crate::module::{InstanceBlock, Repetition};
use crate::syntax::ir::Root;
use crate::types::Type;
use crate::value::{Data, Value};

/// More instances of one block than this are taken for a mistake.
const MAX_INSTANCES: u64 = 100_000;

/// One instance of a block.
#[derive(Clone)]
pub(super) struct Instance {
    pub key: InstanceKey,
    pub each: Option<(Value, Value)>,
    pub index: Option<Value>,
    /// Elements that surrounding `dynamic` blocks are at, outermost first.
    pub bound: Vec<Value>,
}

/// The instances of a block, and how their values are put together when the whole block is referred to.
pub(super) enum Instances {
    Once(Instance),
    List(Vec<Instance>),
    Map(Vec<Instance>),
    /// How many there are is not known, so the block is only looked through once, with this in place of each instance.
    Uncertain(Instance, Value),
}

impl Instance {
    pub(super) fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { each: self.each.as_ref(), index: self.index.as_ref(), bound: &self.bound }
    }

    pub(super) fn single() -> Self {
        Self { key: InstanceKey::Single, each: None, index: None, bound: Vec::new() }
    }
}

impl Resolution<'_> {
    pub(super) fn expand(&mut self, block: &InstanceBlock) -> (Instances, Dependencies) {
        match block.repetition {
            Repetition::Once => (Instances::Once(Instance::single()), Dependencies::default()),
            Repetition::Unclear => (uncertain(Value::POISON), Dependencies::default()),
            Repetition::Count(root) => {
                let (value, dependencies) = self.evaluate(root, Surroundings::default());
                (self.count(root, &value), dependencies)
            }
            Repetition::ForEach(root) => {
                let (value, dependencies) = self.evaluate(root, Surroundings::default());
                (self.for_each(root, &value), dependencies)
            }
        }
    }

    /// Returns the instances among `existing` that a use of a block means: one, if one was picked, else all.
    pub(super) fn instances_of<T>(
        existing: &BTreeMap<Address, T>,
        block: &Address,
        picked: Option<&str>,
    ) -> Vec<Address> {
        let one = picked.and_then(|picked| {
            let by_name = block.clone().with_name(picked);
            let by_index = picked.parse().ok().map(|index| block.clone().with_index(index));
            [by_name].into_iter().chain(by_index).find(|address| existing.contains_key(address))
        });
        if let Some(one) = one {
            return vec![one];
        }
        let from_here = existing.range((Bound::Included(block), Bound::Unbounded)).map(|(address, _)| address);
        from_here.take_while(|address| block.selects(address)).cloned().collect()
    }

    fn count(&mut self, root: Root, value: &Value) -> Instances {
        let refused = |this: &mut Self, message: &str, label: String| {
            this.refuse_instances(root, message, label, None);
            uncertain(Value::POISON)
        };
        if value.is_poison() {
            return uncertain(Value::POISON);
        }
        if value.sensitive {
            return self.refuse_secret(root, "`count`");
        }
        if value.is_unknown() {
            return uncertain(Value::unknown(Type::Number));
        }
        let count = number_of(value).filter(Number::is_integer).and_then(|count| count.as_u64());
        let Some(count) = count else {
            let label = format!("a whole number is needed, but this is {}", given(value));
            return refused(self, "`count` must be a whole number that is not negative", label);
        };
        if count > MAX_INSTANCES {
            let label = format!("this is {}", given(value));
            return refused(self, "`count` is too large", label);
        }
        let instance = |index| Instance {
            key: InstanceKey::Index(index),
            each: None,
            index: Some(Value::integer(i64::try_from(index).unwrap_or(i64::MAX))),
            bound: Vec::new(),
        };
        Instances::List((0..count).map(instance).collect())
    }

    fn for_each(&mut self, root: Root, value: &Value) -> Instances {
        if value.is_poison() {
            return uncertain(Value::POISON);
        }
        if value.sensitive {
            return self.refuse_secret(root, "`for_each`");
        }
        let message = "`for_each` must be a map or a set of strings";
        let (label, help) = match &value.data {
            Data::Unknown(_) => return uncertain(Value::unknown(Type::Any)),
            Data::Map(map) if map.host.is_none() => {
                if map.entries.len() as u64 > MAX_INSTANCES {
                    self.refuse_instances(
                        root,
                        "`for_each` has too many elements",
                        "this is too large".to_owned(),
                        None,
                    );
                    return uncertain(Value::POISON);
                }
                let pairs = map.entries.iter().map(|(key, value)| (key.to_string(), value.clone()));
                return Instances::Map(pairs.map(|(key, value)| instance(key, value)).collect());
            }
            Data::Set(set) if set.items.iter().all(|item| item.as_str().is_some()) => {
                let keys = set.items.iter().filter_map(|item| Some((item.as_str()?.to_owned(), item.clone())));
                return Instances::Map(keys.map(|(key, value)| instance(key, value)).collect());
            }
            Data::Set(_) => ("this is a set of something else".to_owned(), None),
            Data::Map(_) => ("this is one host, not a block with instances".to_owned(), None),
            Data::List(list) if list.items.iter().all(|item| item.as_host().is_some()) && !list.items.is_empty() => {
                ("this is a list of hosts".to_owned(), Some("make a map of it: `{ for h in … : h.name => h }`"))
            }
            Data::List(_) => ("this is a list".to_owned(), Some("make a set of it with `toset(…)`")),
            _ => (format!("this is {}", given(value)), None),
        };
        self.refuse_instances(root, message, label, help);
        uncertain(Value::POISON)
    }

    fn refuse_secret(&mut self, root: Root, what: &str) -> Instances {
        let span = self.module.arena.span(root.expr);
        let message = format!("{what} is made from a secret");
        let label = "the names of instances are shown, so they cannot be secret";
        self.diagnostics.push(Diagnostic::error(code::SENSITIVE_VALUE, span, message, label));
        uncertain(Value::POISON)
    }

    fn refuse_instances(&mut self, root: Root, message: &str, label: String, help: Option<&str>) {
        let span = self.module.arena.span(root.expr);
        let diagnostic = Diagnostic::error(code::INSTANCES, span, message, label);
        self.diagnostics.push(diagnostic.maybe_help(help.map(str::to_owned)));
    }
}

fn instance(key: String, value: Value) -> Instance {
    let each = (Value::string(key.as_str()), value);
    Instance { key: InstanceKey::Name(key), each: Some(each), index: None, bound: Vec::new() }
}

/// Stands for instances of which neither the number nor the keys are known; `stand_in` is unknown or poison.
fn uncertain(stand_in: Value) -> Instances {
    let whole = if stand_in.is_poison() { Value::POISON } else { Value::unknown(Type::Any) };
    let each = Some((stand_in.clone(), stand_in.clone()));
    let instance = Instance { key: InstanceKey::Single, each, index: Some(stand_in), bound: Vec::new() };
    Instances::Uncertain(instance, whole)
}
