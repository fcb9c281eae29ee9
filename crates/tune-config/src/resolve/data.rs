//! `data` blocks: what is asked, what was answered, and what must be read next.

use std::collections::BTreeMap;

use tune_core::resource::{Host, Provider};
use tune_core::rollout::Query;
use tune_core::{Address, Value as CoreValue};

use super::content::{Expected, hosts_in, to_core};
use super::instance::Instance;
use super::{Dependencies, Resolution};
use crate::code;
use crate::convert::convert;
use crate::diagnostic::{Diagnostic, shown};
use crate::module::InstanceBlock;
use crate::source::Span;
use crate::types::Type;
use crate::value::{Entries, Value};

/// What must be read before the evaluation can go on.
#[derive(Debug, Default)]
pub struct Needs {
    /// The questions of which every part is known and which have no answer yet, sorted by address. For a source that
    /// lives in an API, the attribute `provider` holds the address of the provider.
    pub queries: Vec<Query>,
    /// Every host that is known so far; those that the questions name are among them.
    pub hosts: BTreeMap<Address, Host>,
    /// Every provider that is known so far; those that the questions name are among them.
    pub providers: BTreeMap<Address, Provider>,
}

impl Resolution<'_> {
    /// Evaluates one instance of a `data` block and returns its answer. Without an address it is only checked.
    pub(super) fn data(
        &mut self,
        kind: &str,
        address: Option<Address>,
        block: &InstanceBlock,
        instance: &Instance,
        all: &mut Dependencies,
    ) -> Value {
        let module = self.module;
        let source = module.vocabulary.source(kind);
        let attributes = source.map(|source| &source.schema.attributes);
        let mut dependencies = Dependencies::default();
        let expected = Expected { attributes, what: &format!("`{kind}`"), header: block.header };
        let entries = self.content(&block.content, expected, instance, &mut dependencies);
        if let Some(attribute) = block.depends_on {
            self.depends_on(attribute, instance, &mut dependencies);
        }
        let provider = source.and_then(|source| source.schema.provider).map(|default| {
            let named = block.provider.as_ref();
            self.provider_address(kind, default, named, block.header)
        });
        let shown = address.as_ref().map_or_else(|| kind.to_owned(), ToString::to_string);
        let name = format!("`data.{}`", crate::diagnostic::shown(&shown));
        let subject = address.as_ref().map(|address| format!("data.{kind}.{}", address.name)).unwrap_or_default();
        let (surroundings, before) = (instance.surroundings(), &block.lifecycle.preconditions);
        let may_be_read =
            self.conditions((&name, "precondition"), &subject, before, None, surroundings, &mut dependencies);
        let waits = may_be_read.is_none() || dependencies.data.iter().any(|address| !self.is_answered(address));
        all.merge(dependencies);
        let (Some(address), Some(source)) = (address, source) else { return Value::POISON };
        if provider == Some(None) || may_be_read == Some(false) || entries.values().any(Value::has_poison) {
            return Value::POISON;
        }
        all.data.insert(address.clone());
        let unknown = Value::unknown(source.answer_type());
        let query = if waits { None } else { self.query(address.clone(), &entries, attributes, provider.flatten()) };
        let answer = match query {
            None => {
                self.waiting.insert(address, block.header);
                unknown
            }
            Some(query) => {
                self.queries.insert(address.clone(), query);
                self.answered(address, &source.answer_type(), block.header)
            }
        };
        let after = &block.lifecycle.postconditions;
        let holds = self.conditions((&name, "postcondition"), &subject, after, Some(&answer), surroundings, all);
        if holds == Some(false) { Value::POISON } else { answer }
    }

    /// Returns what is known of the answer to a question.
    fn answered(&mut self, address: Address, of_type: &Type, header: Span) -> Value {
        let unknown = Value::unknown(of_type.clone());
        let Some(answers) = self.answers else { return unknown };
        match answers.get(&address) {
            None => {
                self.unanswered.insert(address);
                unknown
            }
            Some(Ok(answer)) => self.answer(&address, answer, of_type, header),
            Some(Err(unreadable)) => {
                let message = format!("`data.{}` cannot be read: {}", shown(&address.to_string()), unreadable.message);
                self.diagnostics.push(
                    Diagnostic::error(unreadable.code, header, message, "no answer")
                        .maybe_help(unreadable.help.clone()),
                );
                Value::POISON
            }
        }
    }

    /// Returns the question that evaluated attributes ask; `None` while a part of it, or the way to it, is not known.
    pub(super) fn query(
        &self,
        address: Address,
        entries: &Entries,
        attributes: Option<&BTreeMap<String, tune_core::schema::Attribute>>,
        provider: Option<Address>,
    ) -> Option<Query> {
        if entries.values().any(|value| value.has_poison() || value.has_unknown()) {
            return None;
        }
        let mut hosts = Vec::new();
        for value in entries.values() {
            hosts_in(value, &mut hosts);
        }
        let configuration = &self.configuration;
        let is_known = hosts.iter().all(|host| configuration.hosts.contains_key(host))
            && provider.iter().all(|provider| configuration.providers.contains_key(provider));
        let mut attributes = to_core(entries, attributes);
        attributes.extend(provider.map(|provider| ("provider".to_owned(), CoreValue::String(provider.to_string()))));
        is_known.then_some(Query { address, attributes })
    }

    /// Returns what must be read next; `None` if everything was.
    pub(super) fn needs(&self) -> Option<Needs> {
        let queries: Vec<Query> =
            self.unanswered.iter().filter_map(|address| self.queries.get(address)).cloned().collect();
        (!queries.is_empty()).then(|| Needs {
            queries,
            hosts: self.configuration.hosts.clone(),
            providers: self.configuration.providers.clone(),
        })
    }

    fn is_answered(&self, address: &Address) -> bool {
        self.answers.is_some_and(|answers| answers.contains_key(address))
    }

    fn answer(&mut self, address: &Address, answer: &CoreValue, of_type: &Type, header: Span) -> Value {
        match convert(&Value::from(answer), of_type) {
            Ok(answer) => answer,
            Err(mismatches) => {
                let what = mismatches.first().map_or_else(String::new, |mismatch| {
                    let path = tune_core::AttributePath(mismatch.path.clone());
                    format!("{path}: {}", mismatch.reason)
                });
                let message =
                    format!("the answer to `data.{}` is not what its source promises", shown(&address.to_string()));
                let label = if what.is_empty() { "asked here".to_owned() } else { shown(&what) };
                self.diagnostics.push(Diagnostic::error(code::ANSWER, header, message, label));
                Value::POISON
            }
        }
    }
}
