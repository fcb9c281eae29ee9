//! `provider` blocks, and which of them a resource or a question belongs to.

use std::collections::BTreeMap;

use tune_core::Address;
use tune_core::resource::Provider;

use super::content::{Expected, to_core};
use super::instance::Instance;
use super::{Dependencies, Resolution};
use crate::code;
use crate::diagnostic::{Diagnostic, shown};
use crate::module::InstanceBlock;
use crate::order;
use crate::source::Span;
use crate::syntax::body::ProviderName;
use crate::syntax::ir::Reference;
use crate::value::Value;

impl Resolution<'_> {
    /// Evaluates a `provider` block. Nothing can refer to its value, so there is none.
    pub(super) fn provider(&mut self, name: &str, alias: Option<&str>, block: &InstanceBlock) -> Value {
        let attributes = self.module.vocabulary.provider(name).map(|schema| &schema.attributes);
        let what = format!("the provider `{name}`");
        let expected = Expected { attributes, what: &what, header: block.header };
        let entries = self.content(&block.content, expected, &Instance::single(), &mut Dependencies::default());
        let incomplete = entries.values().any(|value| value.has_poison() || value.has_unknown());
        if !incomplete && attributes.is_some() && self.scope().is_certain {
            let address = address(name, alias).within(&self.scope().path);
            let provider = Provider { address: address.clone(), attributes: to_core(&entries, attributes) };
            self.configuration.providers.insert(address, provider);
        }
        Value::POISON
    }

    /// Returns the provider that something of the kind `kind` belongs to, or `None` after a mistake.
    ///
    /// A provider that needs nothing needs no block: it is there when something belongs to it.
    pub(super) fn provider_address(
        &mut self,
        kind: &str,
        default: &str,
        named: Option<&ProviderName>,
        header: Span,
    ) -> Option<Address> {
        let alias = named.and_then(|named| named.alias.clone());
        if let Some((node, Reference::Provider(name, alias))) =
            order::provider(self.module, self.scope().node, default, alias.as_ref())
        {
            // It is declared here, or in a module around this one.
            let depth = self.module.depth(node);
            return Some(address(&name, alias.as_deref()).within(&self.scope().path[..depth]));
        }
        let address = address(default, alias.as_deref());
        let needs_nothing = self
            .module
            .vocabulary
            .provider(default)
            .is_some_and(|schema| schema.attributes.values().all(|attribute| !attribute.required));
        if alias.is_none() && needs_nothing {
            let provider = Provider { address: address.clone(), attributes: BTreeMap::new() };
            self.configuration.providers.entry(address.clone()).or_insert(provider);
            return Some(address);
        }
        if self.module.folders.iter().any(|folder| folder.broken) {
            return None;
        }
        let span = named.map_or(header, |named| named.span);
        let (message, label) = if let Some(alias) = &alias {
            let name = format!("{default}.{alias}");
            (format!("there is no provider `{}`", shown(&name)), "declared nowhere")
        } else {
            (format!("`{}` needs a provider `{default}`", shown(kind)), "no block says where the API is")
        };
        let help = match alias {
            Some(alias) => format!("add `provider \"{default}\" {{ … }}` with `alias = \"{alias}\"`"),
            None => format!("add `provider \"{default}\" {{ … }}`"),
        };
        self.diagnostics.push(Diagnostic::error(code::PROVIDER, span, message, label).help(help));
        None
    }
}

fn address(name: &str, alias: Option<&str>) -> Address {
    let address = Address::new("provider", name);
    match alias {
        Some(alias) => address.with_name(alias),
        None => address,
    }
}
