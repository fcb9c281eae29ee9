//! Resources: the attributes of one instance, checked against the schema of its kind.

use std::collections::BTreeSet;

use tune_core::resource::{Consent, Lifecycle, Resource};
use tune_core::{Address, AttributePath};

use super::content::{Expected, complete, hosts_in, to_core};
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
use crate::value::{Data, Value};

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
        let schema = self.module.vocabulary.kind(kind);
        let attributes = schema.map(|schema| &schema.attributes);
        let expected = Expected { attributes, what: &format!("`{kind}`"), header: block.header };
        let entries = self.content(&block.content, expected, instance, &mut dependencies);
        if let Some(attribute) = block.depends_on {
            self.depends_on(attribute, instance, &mut dependencies);
        }
        let lifecycle = self.lifecycle(block, instance);
        let shown = address.as_ref().map_or_else(|| kind.to_owned(), ToString::to_string);
        let name = format!("`{}`", crate::diagnostic::shown(&shown));
        let subject = address.as_ref().map(|address| format!("{kind}.{}", address.name)).unwrap_or_default();
        let (surroundings, before) = (instance.surroundings(), &block.lifecycle.preconditions);
        self.conditions((&name, "precondition"), &subject, before, None, surroundings, &mut dependencies);
        let mut itself = entries.clone();
        complete(&mut itself, attributes);
        let itself = Value::map(itself);
        let after = &block.lifecycle.postconditions;
        self.conditions((&name, "postcondition"), &subject, after, Some(&itself), surroundings, &mut dependencies);
        let provider = schema.and_then(|schema| schema.provider).map(|default| {
            let named = block.provider.as_ref();
            self.provider_address(kind, default, named, block.header)
        });
        let (Some(address), Some(_)) = (address, schema) else { return Value::POISON };
        let incomplete = entries.values().any(|value| value.has_poison() || value.has_unknown());
        if let Some(lifecycle) = lifecycle.filter(|_| !incomplete && provider != Some(None)) {
            let depends_on: BTreeSet<Address> = dependencies.resources.keys().cloned().collect();
            let mut edges = dependencies.resources;
            for (name, value) in &entries {
                let (mut hosts, attribute) = (Vec::new(), block.content.attributes.get(name));
                hosts_in(value, &mut hosts);
                let span = attribute.map_or(block.header, |attribute| self.module.arena.span(attribute.value.expr));
                for host in hosts {
                    edges.entry(host).or_insert(span);
                }
            }
            self.configuration.places.edges.insert(address.clone(), edges);
            let resource = Resource {
                address: address.clone(),
                attributes: to_core(&entries, attributes),
                provider: provider.flatten(),
                depends_on,
                lifecycle,
            };
            self.configuration.resources.insert(address, resource);
        }
        itself
    }

    /// Adds what `depends_on` names. Its elements are references, not values.
    pub(super) fn depends_on(&mut self, attribute: Attribute, instance: &Instance, dependencies: &mut Dependencies) {
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
            if !self.names().contains_key(reference) && !matches!(reference, Reference::EachKey | Reference::EachValue)
            {
                // That there is no such thing was said when the names were checked.
                continue;
            }
            let is_resource = match reference {
                Reference::Block(kind, _) => kind.as_ref() != "host",
                reference => matches!(reference, Reference::Data(..) | Reference::Module(_)),
            };
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
            if let Reference::Module(name) = reference {
                self.add_module(name, picked.as_deref(), span, dependencies);
                continue;
            }
            self.add_dependencies(reference, picked.as_deref(), span, dependencies);
        }
    }

    /// Reports an instance that does not exist; a block whose value is not known may have it.
    fn check_picked(&mut self, reference: &Reference, picked: Option<&Value>, span: Span) {
        let (Some(picked), Some(block)) = (picked, self.names().get(reference)) else { return };
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
        let mut unused = Dependencies::default();
        if let Some(attribute) = block.lifecycle.prevent_revert {
            let name = AttributePath::attribute("prevent_revert");
            let value = self.attribute(&name, attribute, (&Type::Bool, false), instance, &mut unused);
            lifecycle.prevent_revert = value.as_bool().unwrap_or(false);
            complete &= !value.has_poison() && !value.has_unknown();
        }
        if let Some(attribute) = block.lifecycle.accept {
            let accept = self.accept(attribute, &Consent::ALL, instance);
            complete &= accept.is_some();
            lifecycle.accept = accept.unwrap_or_default();
        }
        complete.then_some(lifecycle)
    }

    /// Returns the dangers that `accept` names, or `None` after a mistake.
    pub(super) fn accept(
        &mut self,
        attribute: Attribute,
        known: &[(Consent, &str)],
        instance: &Instance,
    ) -> Option<BTreeSet<Consent>> {
        let name = AttributePath::attribute("accept");
        let of_type = Type::list(Type::String);
        let value = self.attribute(&name, attribute, (&of_type, false), instance, &mut Dependencies::default());
        let mut accept = BTreeSet::new();
        let mut complete = !value.has_poison() && !value.has_unknown();
        for (position, item) in value.as_items().unwrap_or_default().iter().enumerate() {
            let word = item.as_str().unwrap_or_default();
            let consent = known.iter().find(|(_, known)| *known == word);
            accept.extend(consent.map(|(consent, _)| *consent));
            if consent.is_none() && !item.is_unknown() && !item.is_poison() {
                complete = false;
                self.unknown_consent(attribute, position, word, known);
            }
        }
        complete.then_some(accept)
    }

    fn unknown_consent(&mut self, attribute: Attribute, position: usize, word: &str, known: &[(Consent, &str)]) {
        let span = self.place(attribute, &[tune_core::path::PathStep::Index(position)]);
        let words = || known.iter().map(|(_, word)| *word);
        let help = did_you_mean(word, words()).unwrap_or_else(|| {
            format!("write one of {}", words().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", "))
        });
        let message = format!("there is nothing called `{}` to accept", shown(word));
        self.diagnostics.push(Diagnostic::error(code::INVALID, span, message, "not a word for a danger").help(help));
    }
}
