//! `for`: a list or an object made from every element of another.

use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::Evaluator;
use crate::code;
use crate::convert::{given, text_of};
use crate::diagnostic::{Diagnostic, shown};
use crate::syntax::ir::{Binding, ExprId, For};
use crate::types::Type;
use crate::value::{Data, Entries, Value};

/// What a `for` goes through.
pub(super) enum Elements {
    Known { pairs: Vec<(Value, Value)>, sensitive: bool },
    Unknown,
    Poison,
}

/// What an object is made of while it grows.
#[derive(Default)]
struct Growing {
    entries: Entries,
    groups: std::collections::BTreeMap<Arc<str>, Vec<Value>>,
    sensitive: bool,
    unknown: bool,
    poison: bool,
}

impl Evaluator<'_> {
    pub(super) fn repeat(&mut self, repeat: &For, id: ExprId) -> Value {
        let (pairs, sensitive) = match self.elements(&repeat.binding) {
            Elements::Known { pairs, sensitive } => (pairs, sensitive),
            Elements::Unknown => {
                return Value::unknown(if repeat.key.is_some() { Type::map(Type::Any) } else { Type::list(Type::Any) });
            }
            Elements::Poison => return Value::POISON,
        };
        let mut growing = Growing { sensitive, ..Growing::default() };
        let mut items = Vec::new();
        for (key, value) in pairs {
            self.with_bound(&repeat.binding, key, value, |this| match repeat.key {
                _ if !this.is_wanted(repeat, &mut growing) => {}
                None => items.push(this.evaluate(repeat.value)),
                Some(key) => this.entry(repeat, key, &mut growing),
            });
            if !self.spend(1, id) {
                return Value::POISON;
            }
        }
        if growing.poison {
            return Value::POISON;
        }
        if growing.unknown {
            let of = if repeat.key.is_some() { Type::map(Type::Any) } else { Type::list(Type::Any) };
            return Value::unknown(of).mark(growing.sensitive);
        }
        let grouped = growing.groups.into_iter().map(|(key, values)| (key, Value::list(values)));
        match repeat.key {
            None => Value::list(items),
            Some(_) if repeat.grouping => Value::map(grouped.collect()),
            Some(_) => Value::map(growing.entries),
        }
        .mark(growing.sensitive)
    }

    /// Returns the key and the value of each element.
    pub(super) fn elements(&mut self, binding: &Binding) -> Elements {
        let collection = self.evaluate(binding.collection);
        let sensitive = collection.sensitive;
        let mark = |value: &Value| value.clone().mark(sensitive);
        let pairs = match &collection.data {
            Data::Poison => return Elements::Poison,
            Data::Unknown(_) => return Elements::Unknown,
            Data::List(list) => list
                .items
                .iter()
                .enumerate()
                .map(|(at, item)| (Value::integer(at).mark(sensitive), mark(item)))
                .collect(),
            Data::Set(list) => list.items.iter().map(|item| (mark(item), mark(item))).collect(),
            Data::Map(map) => map
                .entries
                .iter()
                .map(|(key, value)| (Value::string(key.clone()).mark(sensitive), mark(value)))
                .collect(),
            _ => {
                let label = format!("a list, a set or a map is needed, but this is {}", given(&collection));
                self.fail(code::EXPRESSION, binding.collection, "`for` has nothing to go through", label);
                return Elements::Poison;
            }
        };
        Elements::Known { pairs, sensitive }
    }

    pub(super) fn with_bound(&mut self, binding: &Binding, key: Value, value: Value, run: impl FnOnce(&mut Self)) {
        let before = self.bound.len();
        if binding.has_key {
            self.bound.push(key);
        }
        self.bound.push(value);
        run(self);
        self.bound.truncate(before);
    }

    fn is_wanted(&mut self, repeat: &For, growing: &mut Growing) -> bool {
        let Some(condition) = repeat.condition else { return true };
        let choice = self.evaluate(condition);
        growing.sensitive |= choice.sensitive;
        let wanted = self.as_bool(&choice, condition, "the condition of a `for`");
        if wanted.is_none() {
            growing.unknown |= choice.is_unknown();
            growing.poison |= !choice.is_unknown();
        }
        wanted == Some(true)
    }

    fn entry(&mut self, repeat: &For, key_id: ExprId, growing: &mut Growing) {
        let key = self.evaluate(key_id);
        let value = self.evaluate(repeat.value);
        growing.sensitive |= key.sensitive;
        let Some(text) = text_of(&key) else {
            growing.unknown |= key.is_unknown();
            growing.poison |= !key.is_unknown();
            if !key.is_unknown() && !key.is_poison() {
                let label = format!("a string is needed, but this is {}", given(&key));
                self.fail(code::EXPRESSION, key_id, "a key must be a string", label);
            }
            return;
        };
        if repeat.grouping {
            growing.groups.entry(text).or_default().push(value);
            return;
        }
        match growing.entries.entry(text) {
            Entry::Vacant(entry) => _ = entry.insert(value),
            Entry::Occupied(entry) => {
                growing.poison = true;
                let message = if growing.sensitive {
                    "two elements give the same key".to_owned()
                } else {
                    format!("two elements give the key `{}`", shown(entry.key()))
                };
                let span = self.arena.span(key_id);
                let help = "write `...` after the value to collect all values of one key in a list";
                self.report(
                    Diagnostic::error(code::DUPLICATE, span, message, "not different for every element").help(help),
                );
            }
        }
    }
}
