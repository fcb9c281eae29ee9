//! What the blocks of a file declare. Everything that can be said about a block without evaluating it is said here.

mod call;
mod content;
mod instance;
mod rest;
mod rolling;
mod test_file;

use std::collections::BTreeMap;

use super::{Declared, OutputBlock, VariableBlock};
use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean, shown};
use crate::evaluate::constant;
use crate::source::Span;
use crate::syntax::body::{Block, Body};
use crate::syntax::ir::Arena;
use crate::types::Type;
use crate::version;
use crate::vocabulary::Vocabulary;
pub(super) use call::meta;
use rest::{Rest, constant_bool, constant_text, elsewhere, names_are_right, twice, unknown_block, validation};
pub(super) use test_file::runs;

/// Every block type, with the number of names that follow it.
const BLOCKS: [(&str, usize); 11] = [
    ("tune", 0),
    ("variable", 1),
    ("locals", 0),
    ("output", 1),
    ("host", 1),
    ("module", 1),
    ("provider", 1),
    ("resource", 2),
    ("data", 2),
    ("check", 1),
    ("rollout", 1),
];

const TUNE: [&str; 1] = ["required_version"];
const VARIABLE: [&str; 6] = ["type", "default", "description", "sensitive", "nullable", "validation"];
const OUTPUT: [&str; 4] = ["value", "description", "sensitive", "precondition"];

/// Blocks of Terraform, and what to do here instead.
const ELSEWHERE: [(&str, &str); 5] = [
    ("terraform", "write `tune { … }` for `required_version`; providers and the state need no settings there"),
    ("moved", "remove it: what is recorded is found by what it is, whatever it is called"),
    ("removed", "remove it: `tune state rm` forgets without putting anything back"),
    ("import", "remove it: what exists is taken over by the first apply"),
    ("ephemeral", "write a `variable` with `sensitive = true`"),
];

/// Returns what each block takes, by its type, beside the attributes that depend on its kind.
#[cfg(test)]
pub(crate) fn known_words() -> BTreeMap<&'static str, std::collections::BTreeSet<&'static str>> {
    let words = |kind: &str| -> Vec<&'static str> {
        match kind {
            "tune" => TUNE.into(),
            "variable" => VARIABLE.into(),
            "output" => OUTPUT.into(),
            "host" => [instance::HOST.as_slice(), &instance::META].concat(),
            "provider" => instance::PROVIDER.into(),
            "resource" | "data" => [instance::INSTANCE.as_slice(), &instance::META].concat(),
            "module" => meta(),
            "check" => rolling::CHECK.into(),
            "rollout" => rolling::words(),
            _ => Vec::new(),
        }
    };
    BLOCKS.iter().map(|(kind, _)| (*kind, words(kind).into_iter().collect())).collect()
}

/// Returns what the `lifecycle` block of a resource takes.
#[cfg(test)]
pub(crate) fn lifecycle_words() -> std::collections::BTreeSet<&'static str> {
    instance::LIFECYCLE.into_iter().chain(instance::CONDITIONS).collect()
}

pub(super) struct Declarations<'a> {
    pub vocabulary: Vocabulary<'a>,
    version: String,
    pub declared: Declared,
    /// Where each thing was declared first, by how it is referred to.
    first: BTreeMap<String, Span>,
}

impl<'a> Declarations<'a> {
    pub(super) fn new(vocabulary: Vocabulary<'a>, version: &str) -> Self {
        Self { vocabulary, version: version.to_owned(), declared: Declared::default(), first: BTreeMap::new() }
    }

    pub(super) fn add_file(&mut self, body: Body, arena: &Arena, diagnostics: &mut Vec<Diagnostic>) {
        for (name, attribute) in &body.attributes {
            let message = format!("`{}` stands outside of any block", shown(name));
            let label = "an attribute belongs into a block";
            diagnostics.push(
                Diagnostic::error(code::UNKNOWN_ATTRIBUTE, attribute.name, message, label)
                    .help("put it into a `locals` block to give a value a name"),
            );
        }
        for block in body.blocks {
            self.add(block, arena, diagnostics);
        }
    }

    /// Says what only shows when everything was read.
    pub(super) fn complete(&mut self, arena: &Arena, diagnostics: &mut Vec<Diagnostic>) {
        for variable in self.declared.variables.values() {
            if let Some(default) = variable.default {
                let _ = constant(arena, default.value, diagnostics);
            }
        }
    }

    fn add(&mut self, block: Block, arena: &Arena, diagnostics: &mut Vec<Diagnostic>) {
        let Some((_, names)) = BLOCKS.into_iter().find(|(kind, _)| *kind == block.kind) else {
            let message = format!("unknown block type `{}`", shown(&block.kind));
            let known = BLOCKS.map(|(kind, _)| kind);
            let help = elsewhere(&ELSEWHERE, &block.kind)
                .or_else(|| did_you_mean(&block.kind, known))
                .unwrap_or_else(|| format!("write one of {}", known.map(|kind| format!("`{kind}`")).join(", ")));
            diagnostics.push(Diagnostic::error(code::BLOCK, block.header, message, "not a block type").help(help));
            return;
        };
        if !names_are_right(&block, names, diagnostics) {
            return;
        }
        match block.kind.as_str() {
            "tune" => self.tune(block, arena, diagnostics),
            "variable" => self.variable(block, arena, diagnostics),
            "locals" => self.locals(block, diagnostics),
            "output" => self.output(block, arena, diagnostics),
            "host" => self.host(block, diagnostics),
            "module" => self.module(block, arena, diagnostics),
            "provider" => self.provider(block, arena, diagnostics),
            "resource" => self.resource(block, diagnostics),
            "data" => self.data(block, diagnostics),
            "check" => self.check(block, diagnostics),
            _ => self.rollout(block, diagnostics),
        }
    }

    fn tune(&mut self, block: Block, arena: &Arena, diagnostics: &mut Vec<Diagnostic>) {
        if !self.is_first("tune", "the block `tune`", block.header, diagnostics) {
            return;
        }
        let mut rest = Rest::new(block, "the block `tune`", diagnostics);
        if let Some(attribute) = rest.take("required_version") {
            let wanted = constant_text(arena, attribute, diagnostics);
            if let Some(wanted) = wanted {
                let span = arena.span(attribute.value.expr);
                diagnostics.extend(version::check(&wanted, &self.version, span));
                self.declared.required_version = Some(wanted);
            }
        }
        rest.finish(&TUNE, diagnostics);
    }

    fn variable(&mut self, mut block: Block, arena: &Arena, diagnostics: &mut Vec<Diagnostic>) {
        let name = block.labels[0].0.clone();
        let header = block.header;
        let known = self.is_first(&format!("var.{name}"), &format!("the variable `{name}`"), header, diagnostics);
        let (of_type, type_span) = block.body.of_type.take().map_or((Type::Any, None), |(of, span)| (of, Some(span)));
        let validations = std::mem::take(&mut block.body.blocks)
            .into_iter()
            .filter_map(|inner| {
                if inner.kind == "validation" {
                    return validation(inner, "`validation`", diagnostics);
                }
                unknown_block(&inner, "a variable", &["validation"], diagnostics);
                None
            })
            .collect();
        let mut rest = Rest::new(block, "a variable", diagnostics);
        let default = rest.take("default");
        let description = rest.take("description").and_then(|text| constant_text(arena, text, diagnostics));
        let sensitive = rest.take("sensitive").and_then(|flag| constant_bool(arena, flag, diagnostics));
        let nullable = rest.take("nullable").and_then(|flag| constant_bool(arena, flag, diagnostics));
        rest.finish(&VARIABLE, diagnostics);
        let variable = VariableBlock {
            header,
            of_type,
            type_span,
            default,
            description,
            sensitive: sensitive.unwrap_or(false),
            nullable: nullable.unwrap_or(true),
            validations,
        };
        if known {
            self.declared.variables.insert(name.into(), variable);
        }
    }

    fn locals(&mut self, block: Block, diagnostics: &mut Vec<Diagnostic>) {
        for inner in &block.body.blocks {
            unknown_block(inner, "`locals`", &[], diagnostics);
        }
        for (name, attribute) in block.body.attributes {
            if self.is_first(
                &format!("local.{name}"),
                &format!("the local value `{name}`"),
                attribute.name,
                diagnostics,
            ) {
                self.declared.locals.insert(name, attribute);
            }
        }
    }

    fn output(&mut self, mut block: Block, arena: &Arena, diagnostics: &mut Vec<Diagnostic>) {
        let name = block.labels[0].0.clone();
        let known =
            self.is_first(&format!("output.{name}"), &format!("the output `{name}`"), block.header, diagnostics);
        let preconditions = std::mem::take(&mut block.body.blocks)
            .into_iter()
            .filter_map(|inner| {
                if inner.kind == "precondition" {
                    return validation(inner, "`precondition`", diagnostics);
                }
                unknown_block(&inner, "an output", &["precondition"], diagnostics);
                None
            })
            .collect();
        let mut rest = Rest::new(block, "an output", diagnostics);
        let value = rest.required("value", diagnostics);
        let description = rest.take("description").and_then(|text| constant_text(arena, text, diagnostics));
        let sensitive = rest.take("sensitive").and_then(|flag| constant_bool(arena, flag, diagnostics));
        rest.finish(&OUTPUT, diagnostics);
        if let Some(value) = value.filter(|_| known) {
            let sensitive = sensitive.unwrap_or(false);
            let output = OutputBlock { value: value.value, description, sensitive, preconditions };
            self.declared.outputs.insert(name.into(), output);
        }
    }

    /// Reports what was declared before, and says whether it was not.
    fn is_first(&mut self, key: &str, what: &str, span: Span, diagnostics: &mut Vec<Diagnostic>) -> bool {
        let first = *self.first.entry(key.to_owned()).or_insert(span);
        if first != span {
            diagnostics.push(twice(what, span, first));
        }
        first == span
    }
}
