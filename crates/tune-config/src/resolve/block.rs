//! Blocks with instances: evaluates each instance, and puts together what a reference to the whole block gives.

use tune_core::path::{AttributePath, PathStep};
use tune_core::{Address, InstanceKey};

use super::instance::{Instance, Instances};
use super::{Dependencies, Resolution};
use crate::code;
use crate::convert::{Mismatch, convert_for_kind};
use crate::diagnostic::{Diagnostic, shown};
use crate::module::InstanceBlock;
use crate::place;
use crate::source::Span;
use crate::syntax::body::Attribute;
use crate::syntax::ir::Reference;
use crate::types::Type;
use crate::value::{Data, Entries, Value};

impl Resolution<'_> {
    /// Evaluates every instance of a block and returns the value of a reference to the block.
    pub(super) fn block(&mut self, reference: &Reference, block: &InstanceBlock) -> Value {
        let (kind, name) = match reference {
            Reference::Block(kind, name) | Reference::Data(kind, name) => (kind, name),
            Reference::Provider(name, alias) => return self.provider(name, alias.as_deref(), block),
            _ => return Value::POISON,
        };
        let is_data = matches!(reference, Reference::Data(..));
        let is_host = kind.as_ref() == "host" && !is_data;
        let (instances, mut dependencies) = self.expand(block);
        dependencies.merge(self.scope().inherited.clone());
        let mut all = dependencies.clone();
        let mut evaluate = |this: &mut Self, instance: &Instance, certain: bool| {
            let address = Address { key: instance.key.clone(), ..this.address(kind, name) };
            let address = Some(address).filter(|_| certain && this.scope().is_certain);
            if is_host {
                this.host(address, block, instance, &mut all)
            } else if is_data {
                this.data(kind, address, block, instance, &mut all)
            } else {
                this.resource(kind, address, block, instance, dependencies.clone())
            }
        };
        let value = match instances {
            Instances::Once(instance) => evaluate(self, &instance, true),
            Instances::List(instances) => {
                Value::list(instances.iter().map(|instance| evaluate(self, instance, true)).collect())
            }
            Instances::Map(instances) => {
                let mut entries = Entries::new();
                for instance in &instances {
                    let value = evaluate(self, instance, true);
                    if let InstanceKey::Name(key) = &instance.key {
                        entries.insert(key.as_str().into(), value);
                    }
                }
                Value::map(entries)
            }
            Instances::Uncertain(instance, value) => {
                evaluate(self, &instance, false);
                value
            }
        };
        if is_host || is_data {
            self.depend(reference, all);
        }
        value
    }

    /// Evaluates an attribute that ends in a host, a resource or the like, converts it, and refuses what cannot stand
    /// there; a secret can where the second half of `expected` says so. The answer is poison after a mistake.
    pub(super) fn attribute(
        &mut self,
        name: &AttributePath,
        attribute: Attribute,
        (of_type, may_be_secret): (&Type, bool),
        instance: &Instance,
        dependencies: &mut Dependencies,
    ) -> Value {
        let (value, used) = self.evaluate(attribute.value, instance.surroundings());
        dependencies.merge(used);
        if value.has_secret() && !may_be_secret {
            let path = secret_path(&value);
            let span = self.place(attribute, &path);
            let message = format!("a secret cannot be used in `{}`", path_name(name, &path));
            let label = "this is made from a sensitive value";
            self.diagnostics.push(
                Diagnostic::error(code::SENSITIVE_VALUE, span, message, label)
                    .help("use `nonsensitive(…)` if it really is no secret: it will be shown and recorded"),
            );
            return Value::POISON;
        }
        match convert_for_kind(&value, of_type) {
            Ok(value) => value,
            Err(mismatches) => {
                for mismatch in &mismatches {
                    self.mismatch(name, attribute, mismatch);
                }
                Value::POISON
            }
        }
    }

    pub(super) fn missing(&mut self, name: &str, what: &str, header: Span, attribute: Option<Attribute>) {
        let message = format!("{what} needs the attribute `{}`", shown(name));
        let (span, label) = match attribute {
            Some(attribute) => (self.place(attribute, &[]), "`null` is as good as nothing".to_owned()),
            None => (header, format!("`{}` is missing here", shown(name))),
        };
        self.diagnostics.push(Diagnostic::error(code::MISSING_ATTRIBUTE, span, message, label));
    }

    pub(super) fn place(&self, attribute: Attribute, path: &[PathStep]) -> Span {
        place::find(&self.module.arena, attribute.value.expr, path).value
    }

    fn mismatch(&mut self, name: &AttributePath, attribute: Attribute, mismatch: &Mismatch) {
        let span = self.place(attribute, &mismatch.path);
        let message = format!("`{}` has the wrong type", path_name(name, &mismatch.path));
        self.diagnostics.push(
            Diagnostic::error(code::TYPE, span, message, mismatch.reason.clone()).maybe_help(mismatch.help.clone()),
        );
    }
}

/// Returns how a part of an attribute is called: `settings["vm.swappiness"]`.
fn path_name(name: &AttributePath, path: &[PathStep]) -> String {
    shown(&AttributePath([name.0.as_slice(), path].concat()).to_string())
}

/// Returns where in a value the first secret is.
fn secret_path(value: &Value) -> Vec<PathStep> {
    let inner = match &value.data {
        _ if value.sensitive => None,
        Data::List(list) | Data::Set(list) => {
            let items = list.items.iter().enumerate();
            items.map(|(at, item)| (PathStep::Index(at), item)).find(|(_, item)| item.has_secret())
        }
        Data::Map(map) => {
            let entries = map.entries.iter();
            entries.map(|(key, value)| (PathStep::Key(key.to_string()), value)).find(|(_, value)| value.has_secret())
        }
        _ => None,
    };
    inner.map_or_else(Vec::new, |(step, value)| {
        let mut path = vec![step];
        path.extend(secret_path(value));
        path
    })
}
