//! Resources: the attributes of one instance, checked against the schema of its kind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tune_core::resource::{Consent, Lifecycle, Resource};
use tune_core::schema::KindSchema;
use tune_core::{Address, Value as CoreValue};

use super::instance::Instance;
use super::{Dependencies, Resolution};
use crate::code;
use crate::convert::{number_of, text_of};
use crate::diagnostic::{Diagnostic, did_you_mean, shown};
use crate::module::InstanceBlock;
use crate::source::Span;
use crate::syntax::body::Attribute;
use crate::syntax::ir::{Access, Expr, ExprId, Reference, Root, Step};
use crate::types::Type;
use crate::value::{Data, Entries, Value};

impl Resolution<'_> {
    /// Evaluates one resource and returns the object that a reference to it gives. Without an address it is only
    /// checked.
    pub(super) fn resource(
        &mut self,
        kind: &str,
        address: Option<Address>,
        block: &InstanceBlock,
        instance: &Instance,
        mut dependencies: Dependencies,
    ) -> Value {
        let schema = self.module.kinds.get(kind).copied();
        let mut entries = Entries::new();
        for (name, attribute) in &block.attributes {
            let declared = schema.and_then(|schema| schema.attributes.get(name.as_ref()));
            let of_type = declared.map_or(Type::Any, |declared| Type::from(&declared.of_type));
            let mut value = self.attribute(name, *attribute, &of_type, instance, &mut dependencies);
            if value.is_null() && declared.is_some_and(|declared| declared.required) {
                self.missing(name, &format!("`{kind}`"), block, Some(*attribute));
                value = Value::POISON;
            }
            entries.insert(name.clone(), value);
        }
        if let Some(attribute) = block.depends_on {
            self.depends_on(attribute, instance, &mut dependencies);
        }
        let lifecycle = self.lifecycle(block, instance);
        let (Some(address), Some(schema)) = (address, schema) else { return Value::POISON };
        let incomplete = entries.values().any(|value| value.has_poison() || value.has_unknown());
        if let Some(lifecycle) = lifecycle.filter(|_| !incomplete) {
            for (to, span) in &dependencies {
                self.configuration.places.edges.insert((address.clone(), to.clone()), *span);
            }
            let depends_on: BTreeSet<Address> = dependencies.into_keys().collect();
            let resource = Resource {
                address: address.clone(),
                attributes: attributes(&entries),
                provider: None,
                depends_on,
                lifecycle,
            };
            self.configuration.resources.insert(address, resource);
        }
        object(schema, entries)
    }

    /// Adds what `depends_on` names. Its elements are references, not values.
    fn depends_on(&mut self, attribute: Attribute, instance: &Instance, dependencies: &mut Dependencies) {
        let module = self.module;
        let Expr::List(items) = module.arena.expr(attribute.value.expr) else {
            self.wrong_dependency(attribute.value.expr, "`depends_on` must be a list of resources", "this is no list");
            return;
        };
        for item in items {
            let (base, steps) = match module.arena.expr(*item) {
                Expr::Access { base, steps } => (*base, steps.as_slice()),
                _ => (*item, [].as_slice()),
            };
            let reference = match module.arena.expr(base) {
                Expr::Reference(reference) => reference,
                Expr::Mistake => continue,
                _ => {
                    self.not_a_resource(*item);
                    continue;
                }
            };
            if !self.names.contains_key(reference) && !matches!(reference, Reference::EachKey | Reference::EachValue) {
                // That there is no such thing was said when the names were checked.
                continue;
            }
            let is_resource = matches!(reference, Reference::Block(kind, _) if kind.as_ref() != "host");
            let picked = match steps {
                _ if !is_resource => None,
                [] => Some(None),
                [Step { access: Access::Index(index), .. }] => {
                    let (value, _) = self.evaluate(Root::new(*index, *index), instance.surroundings());
                    Some(Some(value))
                }
                [Step { access: Access::Position(position), .. }] => Some(Some(Value::integer(*position))),
                _ => None,
            };
            let Some(picked) = picked else {
                self.not_a_resource(*item);
                continue;
            };
            let span = module.arena.span(*item);
            self.check_picked(reference, picked.as_ref(), span);
            let picked = picked.as_ref().and_then(text_of);
            self.add_dependencies(reference, picked.as_deref(), span, dependencies);
        }
    }

    /// Reports an instance that does not exist; a block whose value is not known may have it.
    fn check_picked(&mut self, reference: &Reference, picked: Option<&Value>, span: Span) {
        let (Some(picked), Some(block)) = (picked, self.names.get(reference)) else { return };
        let exists = match &block.data {
            Data::Map(map) => text_of(picked).is_some_and(|key| map.entries.contains_key(&key)),
            Data::List(list) => {
                number_of(picked).and_then(|at| at.as_u64()).is_some_and(|at| at < list.items.len() as u64)
            }
            _ => true,
        };
        if !exists && !picked.is_poison() && !picked.is_unknown() {
            let message = format!("`{reference}` has no such instance");
            self.diagnostics.push(Diagnostic::error(code::INDEX, span, message, "there is no such instance"));
        }
    }

    fn not_a_resource(&mut self, item: ExprId) {
        self.wrong_dependency(item, "`depends_on` takes references to resources", "this is none");
    }

    fn wrong_dependency(&mut self, item: ExprId, message: &str, label: &str) {
        let span = self.module.arena.span(item);
        self.diagnostics.push(
            Diagnostic::error(code::TYPE, span, message, label)
                .help("write references such as `[sysctl.a, sysctl.b[\"x\"]]`, without quotes around them"),
        );
    }

    /// Returns the promises and consents of a resource, or `None` after a mistake.
    fn lifecycle(&mut self, block: &InstanceBlock, instance: &Instance) -> Option<Lifecycle> {
        let mut lifecycle = Lifecycle::default();
        let mut complete = true;
        let mut unused = Dependencies::new();
        if let Some(attribute) = block.prevent_revert {
            let value = self.attribute("prevent_revert", attribute, &Type::Bool, instance, &mut unused);
            lifecycle.prevent_revert = value.as_bool().unwrap_or(false);
            complete &= !value.has_poison() && !value.has_unknown();
        }
        if let Some(attribute) = block.accept {
            let value = self.attribute("accept", attribute, &Type::list(Type::String), instance, &mut unused);
            complete &= !value.has_poison() && !value.has_unknown();
            for (position, item) in value.as_items().unwrap_or_default().iter().enumerate() {
                let word = item.as_str().unwrap_or_default();
                let consent = Consent::ALL.iter().find(|(_, known)| *known == word);
                lifecycle.accept.extend(consent.map(|(consent, _)| *consent));
                if consent.is_none() && !item.is_unknown() && !item.is_poison() {
                    complete = false;
                    self.unknown_consent(attribute, position, word);
                }
            }
        }
        complete.then_some(lifecycle)
    }

    fn unknown_consent(&mut self, attribute: Attribute, position: usize, word: &str) {
        let span = self.place(attribute, &[tune_core::path::PathStep::Index(position)]);
        let words = Consent::ALL.map(|(_, word)| word);
        let help = did_you_mean(word, words)
            .unwrap_or_else(|| format!("write one of {}", words.map(|word| format!("`\"{word}\"`")).join(", ")));
        let message = format!("there is nothing called `{}` to accept", shown(word));
        self.diagnostics.push(Diagnostic::error(code::INVALID, span, message, "not a word for a danger").help(help));
    }
}

/// Returns the attributes as the engine takes them: hosts by their addresses, without what is `null`.
fn attributes(entries: &Entries) -> BTreeMap<String, CoreValue> {
    let written = entries.iter().filter(|(_, value)| !value.is_null());
    written.map(|(name, value)| (name.to_string(), with_host_addresses(value))).collect()
}

fn with_host_addresses(value: &Value) -> CoreValue {
    match &value.data {
        Data::Map(map) => match &map.host {
            Some(address) => CoreValue::String(address.to_string()),
            None => CoreValue::Map(
                map.entries.iter().map(|(key, value)| (key.to_string(), with_host_addresses(value))).collect(),
            ),
        },
        Data::List(list) | Data::Set(list) => CoreValue::List(list.items.iter().map(with_host_addresses).collect()),
        _ => value.to_core(),
    }
}

/// Returns the object that a reference gives: every attribute of the kind, `null` where nothing was written.
fn object(schema: &KindSchema, mut entries: Entries) -> Value {
    for name in schema.attributes.keys() {
        entries.entry(Arc::from(name.as_str())).or_insert(Value::NULL);
    }
    Value::map(entries)
}
