//! What the blocks of a file declare. Everything that can be said about a block without evaluating it is said here.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::schema::KindSchema;

use super::{InstanceBlock, OutputBlock, Repetition, Validation, VariableBlock};
use crate::code;
use crate::convert::given;
use crate::diagnostic::{Diagnostic, did_you_mean, shown};
use crate::evaluate::constant;
use crate::source::Span;
use crate::syntax::body::{Attribute, Block, Body};
use crate::syntax::ir::{Arena, Reference};
use crate::types::Type;
use crate::value::Value;
use crate::version;

/// Every block type, with the number of names that follow it.
const BLOCKS: [(&str, usize); 6] =
    [("tune", 0), ("variable", 1), ("locals", 0), ("output", 1), ("host", 1), ("resource", 2)];
/// Attributes of every block that may have instances.
const META: [&str; 2] = ["count", "for_each"];
const HOST: [&str; 6] = ["address", "user", "port", "connection", "become", "ssh_config"];

pub(super) struct Declarations<'a> {
    pub kinds: BTreeMap<&'a str, &'a KindSchema>,
    version: String,
    pub required_version: Option<String>,
    pub variables: BTreeMap<Arc<str>, VariableBlock>,
    pub locals: BTreeMap<Arc<str>, Attribute>,
    pub outputs: BTreeMap<Arc<str>, OutputBlock>,
    pub blocks: BTreeMap<Reference, InstanceBlock>,
    /// Where each thing was declared first, by how it is referred to.
    first: BTreeMap<String, Span>,
}

/// One block while its attributes are taken from it.
struct Rest<'a> {
    attributes: BTreeMap<Arc<str>, Attribute>,
    header: Span,
    /// What messages call the block.
    what: &'a str,
}

impl<'a> Declarations<'a> {
    pub(super) fn new(kinds: &[&'a KindSchema], version: &str) -> Self {
        Self {
            kinds: kinds.iter().map(|kind| (kind.kind, *kind)).collect(),
            version: version.to_owned(),
            required_version: None,
            variables: BTreeMap::new(),
            locals: BTreeMap::new(),
            outputs: BTreeMap::new(),
            blocks: BTreeMap::new(),
            first: BTreeMap::new(),
        }
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
        for variable in self.variables.values() {
            if let Some(default) = variable.default {
                let _ = constant(arena, default.value, diagnostics);
            }
        }
    }

    fn add(&mut self, block: Block, arena: &Arena, diagnostics: &mut Vec<Diagnostic>) {
        let Some((_, names)) = BLOCKS.into_iter().find(|(kind, _)| *kind == block.kind) else {
            let message = format!("unknown block type `{}`", shown(&block.kind));
            let known = BLOCKS.map(|(kind, _)| kind);
            let help = did_you_mean(&block.kind, known)
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
            _ => self.resource(block, diagnostics),
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
                self.required_version = Some(wanted);
            }
        }
        rest.finish(&["required_version"], diagnostics);
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
                    return validation(inner, diagnostics);
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
        rest.finish(&["type", "default", "description", "sensitive", "nullable", "validation"], diagnostics);
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
            self.variables.insert(name.into(), variable);
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
                self.locals.insert(name, attribute);
            }
        }
    }

    fn output(&mut self, block: Block, arena: &Arena, diagnostics: &mut Vec<Diagnostic>) {
        let name = block.labels[0].0.clone();
        let known =
            self.is_first(&format!("output.{name}"), &format!("the output `{name}`"), block.header, diagnostics);
        let mut rest = Rest::new(block, "an output", diagnostics);
        let value = rest.required("value", diagnostics);
        let description = rest.take("description").and_then(|text| constant_text(arena, text, diagnostics));
        let sensitive = rest.take("sensitive").and_then(|flag| constant_bool(arena, flag, diagnostics));
        rest.finish(&["value", "description", "sensitive"], diagnostics);
        if let Some(value) = value.filter(|_| known) {
            let output = OutputBlock { value: value.value, description, sensitive: sensitive.unwrap_or(false) };
            self.outputs.insert(name.into(), output);
        }
    }

    fn host(&mut self, block: Block, diagnostics: &mut Vec<Diagnostic>) {
        let name = block.labels[0].0.clone();
        let header = block.header;
        let known = self.is_first(&format!("host.{name}"), &format!("the host `{name}`"), header, diagnostics);
        let mut rest = Rest::new(block, "a host", diagnostics);
        let repetition = rest.repetition(diagnostics);
        let attributes = HOST.iter().filter_map(|name| Some((Arc::from(*name), rest.take(name)?))).collect();
        rest.finish(&[HOST.as_slice(), &META].concat(), diagnostics);
        if known {
            let block =
                InstanceBlock { header, repetition, attributes, depends_on: None, prevent_revert: None, accept: None };
            self.blocks.insert(Reference::Block("host".into(), name.into()), block);
        }
    }

    fn resource(&mut self, mut block: Block, diagnostics: &mut Vec<Diagnostic>) {
        let [kind, name] = [0, 1].map(|at: usize| block.labels[at].0.clone());
        let header = block.header;
        let known =
            self.is_first(&format!("{kind}.{name}"), &format!("the resource `{kind}.{name}`"), header, diagnostics);
        let schema = self.kinds.get(kind.as_str()).copied();
        if schema.is_none() {
            let message = format!("unknown kind `{kind}`");
            let help = did_you_mean(&kind, self.kinds.keys().copied()).unwrap_or_else(|| {
                let known: Vec<String> = self.kinds.keys().map(|kind| format!("`{kind}`")).collect();
                format!("use one of {}", known.join(", "))
            });
            diagnostics.push(
                Diagnostic::error(code::UNKNOWN_KIND, block.labels[0].1, message, "there is no such kind").help(help),
            );
        }
        let what = format!("`{kind}`");
        let mut lifecycle = None;
        for inner in std::mem::take(&mut block.body.blocks) {
            if inner.kind != "lifecycle" {
                let attributes: Vec<&str> =
                    schema.iter().flat_map(|s| s.attributes.keys()).map(String::as_str).collect();
                if schema.is_some() {
                    unknown_block(&inner, &what, &[&["lifecycle"], attributes.as_slice()].concat(), diagnostics);
                }
            } else if let Some(first) = lifecycle.replace(inner.header) {
                diagnostics.push(twice("the block `lifecycle`", inner.header, first));
            } else {
                let mut rest = Rest::new(inner, "`lifecycle`", diagnostics);
                block
                    .body
                    .attributes
                    .extend(rest.take("prevent_revert").map(|it| ("lifecycle.prevent_revert".into(), it)));
                block.body.attributes.extend(rest.take("accept").map(|it| ("lifecycle.accept".into(), it)));
                rest.finish(&["prevent_revert", "accept"], diagnostics);
            }
        }
        let mut rest = Rest::new(block, &what, diagnostics);
        let repetition = rest.repetition(diagnostics);
        let depends_on = rest.take("depends_on");
        let prevent_revert = rest.take("lifecycle.prevent_revert");
        let accept = rest.take("lifecycle.accept");
        let mut attributes = BTreeMap::new();
        if let Some(schema) = schema {
            for (name, attribute) in &schema.attributes {
                let written = if attribute.required { rest.required(name, diagnostics) } else { rest.take(name) };
                attributes.extend(written.map(|written| (Arc::from(name.as_str()), written)));
            }
            let names = schema.attributes.keys().map(String::as_str);
            let names: Vec<&str> = names.chain(META).chain(["depends_on", "lifecycle"]).collect();
            rest.finish(&names, diagnostics);
        } else {
            // What the attributes should be is not known, but what they refer to can be checked.
            attributes = rest.attributes;
        }
        if known {
            let block = InstanceBlock { header, repetition, attributes, depends_on, prevent_revert, accept };
            self.blocks.insert(Reference::Block(kind.into(), name.into()), block);
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

impl<'a> Rest<'a> {
    /// Starts with all attributes of a block that has no blocks in it.
    fn new(block: Block, what: &'a str, diagnostics: &mut Vec<Diagnostic>) -> Self {
        for inner in &block.body.blocks {
            unknown_block(inner, what, &[], diagnostics);
        }
        Self { attributes: block.body.attributes, header: block.header, what }
    }

    fn take(&mut self, name: &str) -> Option<Attribute> {
        self.attributes.remove(name)
    }

    fn required(&mut self, name: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<Attribute> {
        let attribute = self.take(name);
        if attribute.is_none() {
            let message = format!("{} needs the attribute `{}`", self.what, shown(name));
            let label = format!("`{}` is missing here", shown(name));
            diagnostics.push(Diagnostic::error(code::MISSING_ATTRIBUTE, self.header, message, label));
        }
        attribute
    }

    fn repetition(&mut self, diagnostics: &mut Vec<Diagnostic>) -> Repetition {
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

    /// Reports every attribute that was not taken.
    fn finish(self, known: &[&str], diagnostics: &mut Vec<Diagnostic>) {
        for (name, attribute) in &self.attributes {
            let message = format!("unknown attribute `{}`", shown(name));
            let label = format!("not an attribute of {}", self.what);
            diagnostics.push(
                Diagnostic::error(code::UNKNOWN_ATTRIBUTE, attribute.name, message, label)
                    .label(self.header, "in this block")
                    .maybe_help(did_you_mean(name, known.iter().copied())),
            );
        }
    }
}

fn validation(block: Block, diagnostics: &mut Vec<Diagnostic>) -> Option<Validation> {
    let mut rest = Rest::new(block, "`validation`", diagnostics);
    let condition = rest.required("condition", diagnostics);
    let error_message = rest.required("error_message", diagnostics);
    rest.finish(&["condition", "error_message"], diagnostics);
    Some(Validation { condition: condition?.value, error_message: error_message?.value })
}

fn names_are_right(block: &Block, wanted: usize, diagnostics: &mut Vec<Diagnostic>) -> bool {
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

fn is_name(name: &str) -> bool {
    let is_start = |c: char| c.is_alphabetic() || c == '_';
    name.starts_with(is_start) && name.chars().all(|c| is_start(c) || c.is_numeric() || c == '-')
}

fn twice(what: &str, span: Span, first: Span) -> Diagnostic {
    let message = format!("{what} is declared twice");
    Diagnostic::error(code::DUPLICATE, span, message, "declared again here").label(first, "first declared here")
}

fn unknown_block(block: &Block, what: &str, known: &[&str], diagnostics: &mut Vec<Diagnostic>) {
    let message = format!("unknown block `{}` in {what}", shown(&block.kind));
    let help = if known.contains(&block.kind.as_str()) {
        Some(format!("write `{} = …`, it is an attribute", block.kind))
    } else {
        did_you_mean(&block.kind, known.iter().copied())
    };
    let label = format!("{what} has no block of this name");
    diagnostics.push(Diagnostic::error(code::BLOCK, block.header, message, label).maybe_help(help));
}

fn constant_text(arena: &Arena, attribute: Attribute, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    let value = constant(arena, attribute.value, diagnostics);
    let text = value.as_str().map(str::to_owned);
    if text.is_none() {
        wrong_constant(arena, attribute, &value, "a string", diagnostics);
    }
    text
}

fn constant_bool(arena: &Arena, attribute: Attribute, diagnostics: &mut Vec<Diagnostic>) -> Option<bool> {
    let value = constant(arena, attribute.value, diagnostics);
    let flag = crate::convert::bool_of(&value);
    if flag.is_none() {
        wrong_constant(arena, attribute, &value, "a bool", diagnostics);
    }
    flag
}

fn wrong_constant(arena: &Arena, at: Attribute, value: &Value, wanted: &str, diagnostics: &mut Vec<Diagnostic>) {
    if !value.is_poison() {
        let span = arena.span(at.value.expr);
        let label = format!("{wanted} is needed, but this is {}", given(value));
        diagnostics.push(Diagnostic::error(code::TYPE, span, "a value of the wrong type", label));
    }
}
