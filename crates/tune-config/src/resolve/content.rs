//! What stands in a block that has a schema: every attribute evaluated and converted, blocks put together to values.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::schema::{Attribute as Declared, Type as SchemaType};
use tune_core::{AttributePath, Value as CoreValue};

use super::instance::Instance;
use super::{Dependencies, Resolution};
use crate::module::{Content, NestedBlock};
use crate::source::Span;
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
        let mut block = |path: AttributePath, of_type: &SchemaType, block: &NestedBlock| {
            let what = format!("`{path}`");
            let attributes = if let SchemaType::Object(attributes) = of_type { Some(attributes) } else { None };
            let expected = Expected { attributes, what: &what, header: block.header };
            let mut entries = self.content_at(&path, &block.content, expected, instance, dependencies);
            complete(&mut entries, attributes);
            Value::map(entries)
        };
        match of_type {
            SchemaType::Map(of) => {
                let labelled = blocks.iter().filter_map(|it| it.label.as_ref().map(|(label, _)| (label, it)));
                let entries =
                    labelled.map(|(label, it)| (label.clone(), block(path.clone().key(label), of, it))).collect();
                Value::map(entries)
            }
            SchemaType::List(of) => {
                let items = blocks.iter().enumerate().map(|(at, it)| block(path.clone().index(at), of, it)).collect();
                Value::list(items)
            }
            of => blocks.first().map_or(Value::NULL, |it| block(path.clone(), of, it)),
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
