//! What stands in a block that has a schema: attributes, and blocks that make up attributes.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::schema::{Attribute as Declared, Type as SchemaType};

use super::super::{Content, NestedBlock};
use super::rest::{Rest, twice, unknown_block};
use crate::code;
use crate::diagnostic::{Diagnostic, shown};
use crate::source::Span;
use crate::syntax::body::{Attribute, Block, Body, Dynamic};

/// What may stand in a block.
pub(super) struct Schema<'s> {
    pub attributes: &'s BTreeMap<String, Declared>,
    /// What every block of this sort takes beside them, for "did you mean".
    pub also: &'s [&'s str],
    /// What messages call the block.
    pub what: &'s str,
    pub header: Span,
}

impl Schema<'_> {
    /// Takes a body apart, and reports what is missing, unknown, or written in the wrong way.
    pub(super) fn content(&self, body: Body, diagnostics: &mut Vec<Diagnostic>) -> Content {
        let mut content = Content::default();
        let mut rest = Rest { attributes: body.attributes, header: self.header, what: self.what };
        for block in body.blocks {
            self.block(block, &mut content, diagnostics);
        }
        for (name, declared) in self.attributes {
            if declared.is_block {
                match rest.take(name) {
                    Some(attribute) => self.not_an_attribute(name, declared, attribute, diagnostics),
                    None if declared.required && !content.blocks.contains_key(name.as_str()) => {
                        self.missing_block(name, diagnostics);
                    }
                    None => {}
                }
            } else {
                let written = if declared.required { rest.required(name, diagnostics) } else { rest.take(name) };
                content.attributes.extend(written.map(|written| (Arc::from(name.as_str()), written)));
            }
        }
        rest.finish(&self.names(), diagnostics);
        content
    }

    fn names(&self) -> Vec<&str> {
        self.attributes.keys().map(String::as_str).chain(self.also.iter().copied()).collect()
    }

    fn block(&self, mut block: Block, content: &mut Content, diagnostics: &mut Vec<Diagnostic>) {
        let dynamic = block.dynamic.take().map(|(kind, dynamic)| {
            block.kind = kind;
            dynamic
        });
        let Some(declared) = self.attributes.get(&block.kind).filter(|declared| declared.is_block) else {
            unknown_block(&block, self.what, &self.names(), diagnostics);
            return;
        };
        let labelled = matches!(declared.of_type, SchemaType::Map(_));
        let mut is_stray = false;
        if let Some(dynamic) = dynamic {
            is_stray = !labels_fit(&block, dynamic, labelled, diagnostics);
        } else if block.labels.len() != usize::from(labelled) {
            let message = format!("`{}` takes {}", shown(&block.kind), if labelled { "one name" } else { "no name" });
            let label = match block.labels.len() {
                0 => "there is none here".to_owned(),
                1 => "there is one here".to_owned(),
                found => format!("there are {found} here"),
            };
            let help = labelled.then(|| format!("write `{} \"NAME\" {{ … }}`", block.kind));
            diagnostics.push(Diagnostic::error(code::NAME, block.header, message, label).maybe_help(help));
            is_stray = true;
        }
        let before = content.blocks.entry(block.kind.as_str().into()).or_default();
        let label = block.labels.first().map(|(label, span)| (Arc::from(label.as_str()), *span));
        let same = before.iter().filter(|other| !other.is_stray).find(|other| match (&other.label, &label) {
            (Some((other, _)), Some((label, _))) => other == label,
            // What a dynamic block makes is known only when it is evaluated.
            _ if dynamic.is_some() || other.dynamic.is_some() => false,
            _ => !matches!(declared.of_type, SchemaType::List(_)),
        });
        if let Some(same) = same.filter(|_| !is_stray) {
            let name = label.as_ref().map_or(String::new(), |(label, _)| format!(" \"{label}\""));
            let what = format!("the block `{}`", shown(&format!("{}{name}", block.kind)));
            diagnostics.push(twice(&what, block.header, same.header));
            is_stray = true;
        }
        let inner = match &declared.of_type {
            SchemaType::Map(of) | SchemaType::List(of) => of,
            of => of,
        };
        let what = format!("`{}`", shown(&block.kind));
        let header = block.header;
        let inner = match inner {
            SchemaType::Object(attributes) => {
                Schema { attributes, also: &[], what: &what, header }.content(block.body, diagnostics)
            }
            // Whatever is written in it is a part of it.
            _ => Content { attributes: Rest::new(block, &what, diagnostics).attributes, blocks: BTreeMap::new() },
        };
        before.push(NestedBlock { header, label, content: inner, dynamic, is_stray });
    }

    fn not_an_attribute(&self, name: &str, of: &Declared, attribute: Attribute, diagnostics: &mut Vec<Diagnostic>) {
        let label = if matches!(of.of_type, SchemaType::Map(_)) { " \"NAME\"" } else { "" };
        let message = format!("`{}` is a block of {}, not an attribute", shown(name), self.what);
        diagnostics.push(
            Diagnostic::error(code::BLOCK, attribute.name, message, "written as an attribute")
                .help(format!("write `{name}{label} {{ … }}`, without an equals sign")),
        );
    }

    fn missing_block(&self, name: &str, diagnostics: &mut Vec<Diagnostic>) {
        let message = format!("{} needs the block `{}`", self.what, shown(name));
        let label = format!("`{}` is missing here", shown(name));
        diagnostics.push(Diagnostic::error(code::MISSING_ATTRIBUTE, self.header, message, label));
    }
}

/// Says whether a `dynamic` block names what it makes exactly if that takes a name.
fn labels_fit(block: &Block, dynamic: Dynamic, labelled: bool, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let (span, message, label, help) = match dynamic.labels {
        None if labelled => {
            let help = "write `labels = [NAME]` in the `dynamic` block";
            (block.header, format!("`{}` takes one name", shown(&block.kind)), "`labels` is missing here", help)
        }
        Some(labels) if !labelled => {
            (labels.name, format!("`{}` takes no name", shown(&block.kind)), "it has none", "remove `labels`")
        }
        _ => return true,
    };
    diagnostics.push(Diagnostic::error(code::NAME, span, message, label).help(help));
    false
}
