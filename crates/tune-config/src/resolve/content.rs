//! What stands in a block that has a schema: every attribute evaluated and converted, blocks put together to values.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::path::PathStep;
use tune_core::schema::{Attribute as Declared, Type as SchemaType};
use tune_core::{AttributePath, Value as CoreValue};

use super::instance::Instance;
use super::{Dependencies, Resolution};
use crate::code;
use crate::convert::given;
use crate::diagnostic::{Diagnostic, shown};
use crate::module::{Content, NestedBlock};
use crate::source::Span;
use crate::syntax::body::{Attribute, Dynamic};
use crate::types::Type;
use crate::value::{Data, Entries, Value};

/// What a block is evaluated against.
#[derive(Clone, Copy)]
pub(super) struct Expected<'s> {
    /// `None` for a kind that is not known: then everything may have any value.
    pub attributes: Option<&'s BTreeMap<String, Declared>>,
    /// What messages call the block.
    pub what: &'s str,
    pub header: Span,
}

impl Resolution<'_> {
    /// Returns the value of every attribute that was written; poison after a mistake.
    pub(super) fn content(
        &mut self,
        content: &Content,
        expected: Expected<'_>,
        instance: &Instance,
        dependencies: &mut Dependencies,
    ) -> Entries {
        self.content_at(&AttributePath::default(), content, expected, instance, dependencies)
    }

    fn content_at(
        &mut self,
        path: &AttributePath,
        content: &Content,
        expected: Expected<'_>,
        instance: &Instance,
        dependencies: &mut Dependencies,
    ) -> Entries {
        let mut entries = Entries::new();
        for (name, attribute) in &content.attributes {
            let declared = expected.attributes.and_then(|attributes| attributes.get(name.as_ref()));
            let of_type = declared.map_or(Type::Any, |declared| Type::from(&declared.of_type));
            let path = path.clone().name(name);
            let may_be_secret = declared.is_some_and(|declared| declared.is_secret);
            let mut value = self.attribute(&path, *attribute, (&of_type, may_be_secret), instance, dependencies);
            if value.is_null() && declared.is_some_and(|declared| declared.required) {
                self.missing(name, expected.what, expected.header, Some(*attribute));
                value = Value::POISON;
            }
            entries.insert(name.clone(), value);
        }
        for (name, blocks) in &content.blocks {
            let Some(declared) = expected.attributes.and_then(|attributes| attributes.get(name.as_ref())) else {
                continue;
            };
            let value = self.blocks(&path.clone().name(name), &declared.of_type, blocks, instance, dependencies);
            entries.insert(name.clone(), value);
        }
        entries
    }

    /// Returns the value that blocks of one name make up.
    fn blocks(
        &mut self,
        path: &AttributePath,
        of_type: &SchemaType,
        blocks: &[NestedBlock],
        instance: &Instance,
        dependencies: &mut Dependencies,
    ) -> Value {
        let mut made = Made { path, of_type, items: Vec::new(), unknown: false, poison: false };
        for block in blocks {
            let mut unused = made.without_items();
            let made = if block.is_stray { &mut unused } else { &mut made };
            match block.dynamic {
                None => self.nested(block, block.label.as_ref(), instance, made, dependencies),
                Some(dynamic) => self.dynamic(block, dynamic, instance, made, dependencies),
            }
        }
        made.poison |= blocks.iter().any(|block| block.is_stray && block.dynamic.is_some());
        made.value()
    }

    /// Evaluates one block in a block.
    fn nested(
        &mut self,
        block: &NestedBlock,
        label: Option<&(Arc<str>, Span)>,
        instance: &Instance,
        made: &mut Made<'_>,
        dependencies: &mut Dependencies,
    ) {
        let name = label.map(|(label, _)| label.clone());
        if let Some((again, span)) = label
            && made.items.iter().any(|(other, _)| other.as_ref() == Some(again))
        {
            let what = shown(&format!("{} \"{again}\"", made.name()));
            let message = format!("the block `{what}` is made twice");
            self.diagnostics.push(Diagnostic::error(code::DUPLICATE, *span, message, "made again here"));
            made.poison = true;
            return;
        }
        let (path, of) = match made.of_type {
            SchemaType::Map(of) => {
                let path = made.path.clone();
                (name.as_deref().map_or_else(|| made.path.clone(), |name| path.key(name)), of.as_ref())
            }
            SchemaType::List(of) => (made.path.clone().index(made.items.len()), of.as_ref()),
            of if made.items.is_empty() => (made.path.clone(), of),
            _ => {
                let message = format!("the block `{}` is made twice", shown(made.name()));
                let label = "there can be one";
                self.diagnostics.push(Diagnostic::error(code::DUPLICATE, block.header, message, label));
                made.poison = true;
                return;
            }
        };
        let attributes = if let SchemaType::Object(attributes) = of { Some(attributes) } else { None };
        let what = format!("`{path}`");
        let expected = Expected { attributes, what: &what, header: block.header };
        let mut entries = self.content_at(&path, &block.content, expected, instance, dependencies);
        complete(&mut entries, attributes);
        made.items.push((name, Value::map(entries)));
    }

    /// Evaluates the content of a `dynamic` block for each of its elements.
    fn dynamic(
        &mut self,
        block: &NestedBlock,
        dynamic: Dynamic,
        instance: &Instance,
        made: &mut Made<'_>,
        dependencies: &mut Dependencies,
    ) {
        let within = |key: Value, value: Value| {
            let element = Entries::from([(Arc::from("key"), key), (Arc::from("value"), value)]);
            let mut instance = instance.clone();
            instance.bound.push(Value::map(element));
            instance
        };
        let pairs = dynamic.for_each.and_then(|attribute| self.pairs(attribute, instance, dependencies));
        let pairs = match pairs {
            Some(Some(pairs)) => pairs,
            // What is wrong in the content whatever the elements are is still looked for.
            without => {
                let stand_in = if without.is_none() { Value::POISON } else { Value::unknown(Type::Any) };
                made.poison |= without.is_none();
                made.unknown |= without.is_some();
                let instance = within(stand_in.clone(), stand_in);
                let mut unused = made.without_items();
                self.nested(block, None, &instance, &mut unused, dependencies);
                return;
            }
        };
        // How often a stray block is made says nothing.
        let often = if block.is_stray { 1 } else { usize::MAX };
        for (key, value) in pairs.into_iter().take(often) {
            let instance = within(key, value);
            let labels = dynamic.labels.filter(|_| !block.is_stray);
            let label = match labels.map(|labels| self.label(labels, &instance, dependencies)) {
                None => None,
                Some(Ok(label)) => Some(label),
                Some(Err(unknown)) => {
                    made.unknown |= unknown;
                    made.poison |= !unknown;
                    continue;
                }
            };
            self.nested(block, label.as_ref(), &instance, made, dependencies);
        }
    }

    /// Returns the elements that a `dynamic` block goes through; `None` after a mistake, and nothing in it where they are
    /// not known.
    #[expect(clippy::option_option, reason = "a mistake and what is not known yet are two things")]
    fn pairs(
        &mut self,
        attribute: Attribute,
        instance: &Instance,
        dependencies: &mut Dependencies,
    ) -> Option<Option<Vec<(Value, Value)>>> {
        let (value, used) = self.evaluate(attribute.value, instance.surroundings());
        dependencies.merge(used);
        let span = self.place(attribute, &[]);
        if value.sensitive {
            let message = "`for_each` is made from a secret";
            let label = "how many blocks there are is shown, so it cannot be secret";
            self.diagnostics.push(Diagnostic::error(code::SENSITIVE_VALUE, span, message, label));
            return None;
        }
        let pairs = match &value.data {
            Data::Poison => return None,
            Data::Unknown(_) => return Some(None),
            Data::List(list) => {
                list.items.iter().enumerate().map(|(at, item)| (Value::integer(at), item.clone())).collect()
            }
            Data::Set(list) => list.items.iter().map(|item| (item.clone(), item.clone())).collect(),
            Data::Map(map) if map.host.is_none() => {
                map.entries.iter().map(|(key, value)| (Value::string(key.clone()), value.clone())).collect()
            }
            _ => {
                let message = "`for_each` of a `dynamic` block must be a list, a set or a map";
                let label = format!("this is {}", given(&value));
                self.diagnostics.push(Diagnostic::error(code::INSTANCES, span, message, label));
                return None;
            }
        };
        Some(Some(pairs))
    }

    /// Returns the name of a block that a `dynamic` block makes; the error says whether it is only not known.
    fn label(
        &mut self,
        labels: Attribute,
        instance: &Instance,
        dependencies: &mut Dependencies,
    ) -> Result<(Arc<str>, Span), bool> {
        let path = AttributePath::attribute("labels");
        let of_type = Type::list(Type::String);
        let value = self.attribute(&path, labels, (&of_type, false), instance, dependencies);
        if value.has_poison() || value.has_unknown() {
            return Err(!value.has_poison());
        }
        let span = self.place(labels, &[]);
        match value.as_items() {
            Some([label]) if label.as_str().is_some() => Ok((label.as_str().unwrap_or_default().into(), span)),
            _ => {
                let message = "`labels` must be a list of one string";
                let label = format!("this is {}", given(&value));
                self.diagnostics.push(Diagnostic::error(code::INVALID, span, message, label));
                Err(false)
            }
        }
    }
}

/// The blocks of one name that a block holds, while they are put together.
struct Made<'m> {
    path: &'m AttributePath,
    of_type: &'m SchemaType,
    items: Vec<(Option<Arc<str>>, Value)>,
    unknown: bool,
    poison: bool,
}

impl Made<'_> {
    fn without_items(&self) -> Self {
        Self { items: Vec::new(), unknown: false, poison: false, ..*self }
    }

    fn name(&self) -> &str {
        match self.path.0.last() {
            Some(PathStep::Name(name) | PathStep::Key(name)) => name,
            _ => "",
        }
    }

    fn value(self) -> Value {
        if self.poison {
            return Value::POISON;
        }
        if self.unknown {
            return Value::unknown(Type::from(self.of_type));
        }
        let mut items = self.items.into_iter();
        match self.of_type {
            SchemaType::Map(_) => Value::map(items.filter_map(|(label, value)| Some((label?, value))).collect()),
            SchemaType::List(_) => Value::list(items.map(|(_, value)| value).collect()),
            _ => items.next().map_or(Value::NULL, |(_, value)| value),
        }
    }
}

/// Adds what was not written as `null`, so that it can be referred to.
pub(super) fn complete(entries: &mut Entries, attributes: Option<&BTreeMap<String, Declared>>) {
    for name in attributes.into_iter().flat_map(BTreeMap::keys) {
        entries.entry(Arc::from(name.as_str())).or_insert(Value::NULL);
    }
}

/// Returns the attributes as the engine takes them: hosts by their addresses, without what is `null`.
pub(super) fn to_core(
    entries: &Entries,
    attributes: Option<&BTreeMap<String, Declared>>,
) -> BTreeMap<String, CoreValue> {
    let declared = |name: &str| attributes.and_then(|attributes| attributes.get(name)).map(|it| &it.of_type);
    let written = entries.iter().filter(|(_, value)| !value.is_null());
    written.map(|(name, value)| (name.to_string(), value_to_core(value, declared(name)))).collect()
}

fn value_to_core(value: &Value, of_type: Option<&SchemaType>) -> CoreValue {
    match (&value.data, of_type) {
        (Data::Map(map), Some(SchemaType::Object(attributes))) if map.host.is_none() => {
            CoreValue::Map(to_core(&map.entries, Some(attributes)))
        }
        (Data::Map(map), of_type) => {
            if let Some(address) = &map.host {
                return CoreValue::String(address.to_string());
            }
            let of = if let Some(SchemaType::Map(of)) = of_type { Some(of.as_ref()) } else { None };
            let entries = map.entries.iter();
            CoreValue::Map(entries.map(|(key, value)| (key.to_string(), value_to_core(value, of))).collect())
        }
        (Data::List(list) | Data::Set(list), of_type) => {
            let of = if let Some(SchemaType::List(of)) = of_type { Some(of.as_ref()) } else { None };
            CoreValue::List(list.items.iter().map(|item| value_to_core(item, of)).collect())
        }
        _ => value.to_core(),
    }
}

/// Adds every host in a value, in all its depth.
pub(super) fn hosts_in(value: &Value, hosts: &mut Vec<tune_core::Address>) {
    match &value.data {
        Data::Map(map) => match &map.host {
            Some(address) => hosts.push(address.clone()),
            None => {
                for value in map.entries.values() {
                    hosts_in(value, hosts);
                }
            }
        },
        Data::List(list) | Data::Set(list) => {
            for item in &list.items {
                hosts_in(item, hosts);
            }
        }
        _ => {}
    }
}
