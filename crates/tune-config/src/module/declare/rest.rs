//! Taking a block apart: each attribute that is known is taken, and what is left over is a mistake.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{Repetition, Validation};
use crate::code;
use crate::convert::given;
use crate::diagnostic::{Diagnostic, did_you_mean, shown};
use crate::evaluate::constant;
use crate::source::Span;
use crate::syntax::body::{Attribute, Block};
use crate::syntax::ir::Arena;
use crate::value::Value;

/// One block while its attributes are taken from it.
pub(super) struct Rest<'a> {
    pub attributes: BTreeMap<Arc<str>, Attribute>,
    pub header: Span,
    /// What messages call the block.
    pub what: &'a str,
}

impl<'a> Rest<'a> {
    /// Starts with all attributes of a block that has no blocks in it.
    pub(super) fn new(block: Block, what: &'a str, diagnostics: &mut Vec<Diagnostic>) -> Self {
        for inner in &block.body.blocks {
            unknown_block(inner, what, &[], diagnostics);
        }
        Self { attributes: block.body.attributes, header: block.header, what }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Attribute> {
        self.attributes.remove(name)
    }

    pub(super) fn required(&mut self, name: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<Attribute> {
        let attribute = self.take(name);
        if attribute.is_none() {
            let message = format!("{} needs the attribute `{}`", self.what, shown(name));
            let label = format!("`{}` is missing here", shown(name));
            diagnostics.push(Diagnostic::error(code::MISSING_ATTRIBUTE, self.header, message, label));
        }
        attribute
    }

    pub(super) fn repetition(&mut self, diagnostics: &mut Vec<Diagnostic>) -> Repetition {
        match (self.take("count"), self.take("for_each")) {
            (None, None) => Repetition::Once,
            (Some(count), None) => Repetition::Count(count.value),
            (None, Some(for_each)) => Repetition::ForEach(for_each.value),
            (Some(count), Some(for_each)) => {
                let message = "a block takes either `count` or `for_each`";
                diagnostics.push(
                    Diagnostic::error(code::INSTANCES, for_each.name, message, "this is the second way to repeat it")
                        .label(count.name, "this is the first"),
                );
                Repetition::Unclear
            }
        }
    }

    /// Reports every attribute that was not taken. What Terraform has there says what to do instead.
    pub(super) fn finish(self, known: &[&str], diagnostics: &mut Vec<Diagnostic>) {
        for (name, attribute) in &self.attributes {
            let message = format!("unknown attribute `{}`", shown(name));
            let label = format!("not an attribute of {}", self.what);
            diagnostics.push(
                Diagnostic::error(code::UNKNOWN_ATTRIBUTE, attribute.name, message, label)
                    .label(self.header, "in this block")
                    .maybe_help(elsewhere(&ATTRIBUTES_ELSEWHERE, name))
                    .maybe_help(did_you_mean(name, known.iter().copied())),
            );
        }
    }
}

/// Attributes of Terraform's variables and outputs, and what to do here instead.
const ATTRIBUTES_ELSEWHERE: [(&str, &str); 3] = [
    ("depends_on", "remove it: what the value refers to comes first"),
    ("deprecated", "say so in `description`"),
    ("ephemeral", "write `sensitive = true`: no secret is kept in the state or in a plan"),
];

/// Blocks of Terraform's resources, and what to do here instead.
const BLOCKS_ELSEWHERE: [(&str, &str); 2] = [
    ("connection", "write `host = host.NAME`: a `host` block says how a machine is reached"),
    ("provisioner", "remove it: a plan runs no command that you wrote; a probe `ssh` runs one, in a `check`"),
];

/// Returns what to do instead of something that Terraform has.
pub(super) fn elsewhere(known: &[(&str, &str)], word: &str) -> Option<String> {
    known.iter().find(|(known, _)| *known == word).map(|(_, help)| (*help).to_owned())
}

pub(super) fn validation(block: Block, what: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<Validation> {
    let mut rest = Rest::new(block, what, diagnostics);
    let condition = rest.required("condition", diagnostics);
    let error_message = rest.required("error_message", diagnostics);
    rest.finish(&["condition", "error_message"], diagnostics);
    // A condition without a message is looked at nevertheless: other mistakes in it are not hidden.
    let condition = condition?.value;
    Some(Validation { condition, error_message: error_message.map_or(condition, |message| message.value) })
}

pub(super) fn names_are_right(block: &Block, wanted: usize, diagnostics: &mut Vec<Diagnostic>) -> bool {
    if block.labels.len() != wanted {
        let takes = match wanted {
            0 => "takes no name".to_owned(),
            1 => "takes one name".to_owned(),
            names => format!("takes {names} names, a kind and a name"),
        };
        let message = format!("`{}` {takes}", block.kind);
        let found = match block.labels.len() {
            0 => "there is none here".to_owned(),
            1 => "there is one here".to_owned(),
            found => format!("there are {found} here"),
        };
        diagnostics.push(Diagnostic::error(code::NAME, block.header, message, found));
        return false;
    }
    let wrong = block.labels.iter().filter(|(name, _)| !is_name(name));
    let mut right = true;
    for (name, span) in wrong {
        right = false;
        let message = format!("`{}` is not a valid name", shown(name));
        let label = "a name is made of letters, digits, `_` and `-`, and starts with a letter or `_`";
        diagnostics.push(Diagnostic::error(code::NAME, *span, message, label));
    }
    right
}

pub(super) fn is_name(name: &str) -> bool {
    let is_start = |c: char| c.is_alphabetic() || c == '_';
    name.starts_with(is_start) && name.chars().all(|c| is_start(c) || c.is_numeric() || c == '-')
}

pub(super) fn twice(what: &str, span: Span, first: Span) -> Diagnostic {
    let message = format!("{what} is declared twice");
    Diagnostic::error(code::DUPLICATE, span, message, "declared again here").label(first, "first declared here")
}

pub(super) fn unknown_block(block: &Block, what: &str, known: &[&str], diagnostics: &mut Vec<Diagnostic>) {
    let message = format!("unknown block `{}` in {what}", shown(&block.kind));
    let help = if known.contains(&block.kind.as_str()) {
        Some(format!("write `{} = …`, it is an attribute", block.kind))
    } else {
        elsewhere(&BLOCKS_ELSEWHERE, &block.kind).or_else(|| did_you_mean(&block.kind, known.iter().copied()))
    };
    let label = format!("{what} has no block of this name");
    diagnostics.push(Diagnostic::error(code::BLOCK, block.header, message, label).maybe_help(help));
}

pub(super) fn constant_text(arena: &Arena, attribute: Attribute, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    let value = constant(arena, attribute.value, diagnostics);
    let text = value.as_str().map(str::to_owned);
    if text.is_none() {
        wrong_constant(arena, attribute, &value, "a string", diagnostics);
    }
    text
}

pub(super) fn constant_bool(arena: &Arena, attribute: Attribute, diagnostics: &mut Vec<Diagnostic>) -> Option<bool> {
    let value = constant(arena, attribute.value, diagnostics);
    let flag = crate::convert::bool_of(&value);
    if flag.is_none() {
        wrong_constant(arena, attribute, &value, "a bool", diagnostics);
    }
    flag
}

pub(super) fn wrong_constant(
    arena: &Arena,
    at: Attribute,
    value: &Value,
    wanted: &str,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if !value.is_poison() {
        let span = arena.span(at.value.expr);
        let label = format!("{wanted} is needed, but this is {}", given(value));
        diagnostics.push(Diagnostic::error(code::TYPE, span, "a value of the wrong type", label));
    }
}
