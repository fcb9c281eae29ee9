//! Blocks that may have instances: `host`, `resource` and `data`; and `provider`, which has one.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::schema::KindSchema;
use tune_core::source::Use;

use super::super::{Content, InstanceBlock, LifecycleBlock, Repetition};
use super::Declarations;
use super::content::Schema;
use super::rest::{Rest, constant_text, is_name, twice, unknown_block, validation};
use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean, shown};
use crate::source::Span;
use crate::syntax::body::{Block, Body, ProviderName};
use crate::syntax::ir::{Arena, Reference};

/// What the `lifecycle` of a resource may hold.
pub(super) const LIFECYCLE: [&str; 2] = ["accept", "prevent_revert"];
/// What every `lifecycle` with conditions may hold.
pub(super) const CONDITIONS: [&str; 2] = ["postcondition", "precondition"];
/// What `lifecycle` holds in Terraform, and what to do here instead.
const ELSEWHERE: [(&str, &str); 4] = [
    ("create_before_destroy", "remove it: nothing is ever destroyed to be created anew"),
    ("ignore_changes", "leave the attribute out: only what is written is managed"),
    ("prevent_destroy", "write `prevent_revert`: it refuses to put back what was there first"),
    ("replace_triggered_by", "remove it: nothing is ever destroyed to be created anew"),
];
/// Attributes of every block that may have instances.
pub(super) const META: [&str; 2] = ["count", "for_each"];
/// Attributes of a resource or of data that do not depend on its kind.
pub(super) const INSTANCE: [&str; 3] = ["depends_on", "lifecycle", "provider"];
/// Attributes of a provider that do not depend on its kind.
pub(super) const PROVIDER: [&str; 1] = ["alias"];
pub(super) const HOST: [&str; 7] = ["address", "become", "connection", "name", "port", "ssh_config", "user"];

impl Declarations<'_> {
    pub(super) fn host(&mut self, block: Block, diagnostics: &mut Vec<Diagnostic>) {
        let name = block.labels[0].0.clone();
        let header = block.header;
        let known = self.is_first(&format!("host.{name}"), &format!("the host `{name}`"), header, diagnostics);
        let mut rest = Rest::new(block, "a host", diagnostics);
        let repetition = rest.repetition(diagnostics);
        let attributes = HOST.iter().filter_map(|name| Some((Arc::from(*name), rest.take(name)?))).collect();
        rest.finish(&[HOST.as_slice(), &META].concat(), diagnostics);
        if known {
            let content = Content { attributes, blocks: BTreeMap::new() };
            let block = InstanceBlock { repetition, ..InstanceBlock::new(header, content) };
            self.declared.blocks.insert(Reference::Block("host".into(), name.into()), block);
        }
    }

    pub(super) fn provider(&mut self, mut block: Block, arena: &Arena, diagnostics: &mut Vec<Diagnostic>) {
        let (name, name_span) = block.labels[0].clone();
        let header = block.header;
        let schema = self.vocabulary.provider(&name);
        if schema.is_none() {
            let known = self.vocabulary.provider_names();
            diagnostics.push(unknown_kind(&name, name_span, "provider", known));
        }
        let alias = block.body.attributes.remove("alias").map(|attribute| {
            let alias = constant_text(arena, attribute, diagnostics);
            if let Some(alias) = alias.as_ref().filter(|alias| !is_name(alias)) {
                let message = format!("`{}` is not a valid name", shown(alias));
                let label = "a name is made of letters, digits, `_` and `-`, and starts with a letter or `_`";
                let span = arena.span(attribute.value.expr);
                diagnostics.push(Diagnostic::error(code::NAME, span, message, label));
            }
            alias
        });
        // An alias that is none must not look like a provider without one.
        let usable = !matches!(alias, Some(None));
        let alias: Option<Arc<str>> = alias.flatten().map(Into::into);
        let what = alias.as_ref().map_or(format!("`{name}`"), |alias| format!("`{name}.{alias}`"));
        let key = format!("provider.{name}.{}", alias.as_deref().unwrap_or_default());
        let known = usable && self.is_first(&key, &format!("the provider {what}"), header, diagnostics);
        let content = match schema {
            Some(schema) => {
                let what = format!("the provider `{name}`");
                let schema = Schema { attributes: &schema.attributes, also: &PROVIDER, what: &what, header };
                schema.content(block.body, diagnostics)
            }
            None => unchecked(block.body),
        };
        if known {
            self.declared.blocks.insert(Reference::Provider(name.into(), alias), InstanceBlock::new(header, content));
        }
    }

    pub(super) fn resource(&mut self, mut block: Block, diagnostics: &mut Vec<Diagnostic>) {
        let [(kind, kind_span), (name, _)] = [0, 1].map(|at: usize| block.labels[at].clone());
        let header = block.header;
        let is_first =
            self.is_first(&format!("{kind}.{name}"), &format!("the resource `{kind}.{name}`"), header, diagnostics);
        let schema = self.vocabulary.kind(&kind);
        if schema.is_none() {
            diagnostics.push(unknown_kind(&kind, kind_span, "kind", self.vocabulary.kind_names()));
        }
        let known = [LIFECYCLE.as_slice(), &CONDITIONS].concat();
        let lifecycle = LifecycleBlock::take(&mut block.body, &known, diagnostics);
        let mut block = instance_block(&kind, block, schema, &INSTANCE, diagnostics);
        block.lifecycle = lifecycle;
        if is_first {
            self.declared.blocks.insert(Reference::Block(kind.into(), name.into()), block);
        }
    }

    pub(super) fn data(&mut self, mut block: Block, diagnostics: &mut Vec<Diagnostic>) {
        let [(kind, kind_span), (name, _)] = [0, 1].map(|at: usize| block.labels[at].clone());
        let what = format!("the data `{kind}.{name}`");
        let known = self.is_first(&format!("data.{kind}.{name}"), &what, block.header, diagnostics);
        let source = self.vocabulary.source(&kind).copied();
        match source {
            None => diagnostics.push(unknown_kind(&kind, kind_span, "source", self.vocabulary.source_names())),
            Some(source) if source.usable == Use::Probe => {
                let message = format!("`{}` can be asked in a `probe` only", shown(&kind));
                let label = "it runs what a person wrote, and planning does not";
                diagnostics.push(
                    Diagnostic::error(code::UNKNOWN_KIND, kind_span, message, label)
                        .help("put it as a `probe` block into a `check`"),
                );
            }
            Some(_) => {}
        }
        let schema = source.map(|source| source.schema);
        let lifecycle = LifecycleBlock::take(&mut block.body, &CONDITIONS, diagnostics);
        let mut block = instance_block(&kind, block, schema, &INSTANCE, diagnostics);
        block.lifecycle = lifecycle;
        if known {
            self.declared.blocks.insert(Reference::Data(kind.into(), name.into()), block);
        }
    }
}

impl InstanceBlock {
    pub(super) fn new(header: Span, content: Content) -> Self {
        Self {
            header,
            repetition: Repetition::Once,
            content,
            provider: None,
            depends_on: None,
            lifecycle: LifecycleBlock::default(),
        }
    }
}

impl LifecycleBlock {
    /// Takes the `lifecycle` block out of a body. `known` are the attributes and the blocks that it may hold.
    pub(super) fn take(body: &mut Body, known: &[&str], diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut lifecycle = Self::default();
        let mut first = None;
        let blocks = std::mem::take(&mut body.blocks);
        for inner in blocks {
            if inner.kind != "lifecycle" {
                body.blocks.push(inner);
            } else if let Some(first) = first {
                diagnostics.push(twice("the block `lifecycle`", inner.header, first));
            } else {
                first = Some(inner.header);
                lifecycle.fill(inner, known, diagnostics);
            }
        }
        lifecycle
    }

    fn fill(&mut self, mut block: Block, known: &[&str], diagnostics: &mut Vec<Diagnostic>) {
        for inner in std::mem::take(&mut block.body.blocks) {
            match inner.kind.as_str() {
                kind if !known.contains(&kind) => unknown_block(&inner, "`lifecycle`", known, diagnostics),
                "precondition" => self.preconditions.extend(validation(inner, "`precondition`", diagnostics)),
                "postcondition" => self.postconditions.extend(validation(inner, "`postcondition`", diagnostics)),
                _ => unknown_block(&inner, "`lifecycle`", known, diagnostics),
            }
        }
        let mut rest = Rest::new(block, "`lifecycle`", diagnostics);
        let mut take = |name: &str| if known.contains(&name) { rest.take(name) } else { None };
        self.prevent_revert = take("prevent_revert");
        self.accept = take("accept");
        for (name, help) in ELSEWHERE {
            if let Some(attribute) = rest.take(name) {
                let message = format!("unknown attribute `{name}`");
                let label = "not an attribute of `lifecycle`";
                diagnostics.push(Diagnostic::error(code::UNKNOWN_ATTRIBUTE, attribute.name, message, label).help(help));
            }
        }
        rest.finish(known, diagnostics);
    }
}

/// Takes apart a block whose kind has a schema, if it is known, and lives behind a provider, if it names one.
fn instance_block(
    kind: &str,
    mut block: Block,
    schema: Option<&KindSchema>,
    meta: &[&str],
    diagnostics: &mut Vec<Diagnostic>,
) -> InstanceBlock {
    let (header, what) = (block.header, format!("`{kind}`"));
    let mut rest = Rest { attributes: std::mem::take(&mut block.body.attributes), header, what: &what };
    let repetition = rest.repetition(diagnostics);
    let depends_on = rest.take("depends_on");
    block.body.attributes = rest.attributes;
    let provider = provider_of(schema, &mut block.body, diagnostics);
    let content = match schema {
        Some(schema) => {
            let also = [&META, meta].concat();
            let schema = Schema { attributes: &schema.attributes, also: &also, what: &what, header };
            schema.content(block.body, diagnostics)
        }
        None => unchecked(block.body),
    };
    InstanceBlock { repetition, provider, depends_on, ..InstanceBlock::new(header, content) }
}

/// Takes `provider = …` out of a body, and reports one that does not fit. Of an unknown kind nobody knows where it lives.
pub(super) fn provider_of(
    schema: Option<&KindSchema>,
    body: &mut Body,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<ProviderName> {
    let attribute = body.provider.take()?;
    let named = attribute.value?;
    let Some(schema) = schema else { return Some(named) };
    let Some(wanted) = schema.provider else {
        let message = format!("`{}` lives on hosts and takes no provider", schema.kind);
        diagnostics
            .push(Diagnostic::error(code::PROVIDER, attribute.name, message, "not for this kind").help("remove it"));
        return None;
    };
    if wanted != named.name.as_ref() {
        let message = format!("`{}` lives in the provider `{wanted}`", schema.kind);
        let label = format!("this is the provider `{}`", shown(&named.name));
        diagnostics.push(Diagnostic::error(code::PROVIDER, named.span, message, label));
        return None;
    }
    Some(named)
}

/// What the attributes should be is not known, but what they refer to can be checked.
pub(super) fn unchecked(body: Body) -> Content {
    Content { attributes: body.attributes, blocks: BTreeMap::new() }
}

pub(super) fn unknown_kind<'k>(
    kind: &str,
    span: Span,
    what: &str,
    known: impl Iterator<Item = &'k str> + Clone,
) -> Diagnostic {
    let message = format!("unknown {what} `{}`", shown(kind));
    let help = did_you_mean(kind, known.clone()).unwrap_or_else(|| {
        let known: Vec<String> = known.map(|kind| format!("`{kind}`")).collect();
        if known.is_empty() {
            format!("remove it: there is no {what} at all")
        } else {
            format!("use one of {}", known.join(", "))
        }
    });
    Diagnostic::error(code::UNKNOWN_KIND, span, message, format!("there is no such {what}")).help(help)
}
