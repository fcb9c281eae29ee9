//! Blocks and attributes after lowering, whatever they mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::expr::{Expression, ObjectKey, TraversalOperator};
use hcl_edit::structure::{Block as SourceBlock, BlockLabel, Body as SourceBody, Structure};

use super::ir::Root;
use super::lower::Lowering;
use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean, shown};
use crate::source::Span;
use crate::types::Type;

/// The content of a block or of a file.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub attributes: BTreeMap<Arc<str>, Attribute>,
    pub blocks: Vec<Block>,
    /// The attribute `type`, where it is a type constraint.
    pub of_type: Option<(Type, Span)>,
    /// The attribute `provider`, where it names a provider.
    pub provider: Option<ProviderAttribute>,
    /// The attribute `providers`, where it names what each provider of a module is here.
    pub providers: Vec<(ProviderName, ProviderName)>,
    /// Attributes of a test that are names as they stand there, one or a list: `command = plan`.
    pub words: BTreeMap<Arc<str>, Vec<(String, Span)>>,
}

/// `provider = proxmox.lab`: names, not a value.
#[derive(Debug, Clone)]
pub(crate) struct ProviderAttribute {
    pub name: Span,
    /// `None` after a mistake.
    pub value: Option<ProviderName>,
}

/// The name of a provider with its alias, as it was written.
#[derive(Debug, Clone)]
pub(crate) struct ProviderName {
    pub name: Arc<str>,
    pub alias: Option<Arc<str>>,
    pub span: Span,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Attribute {
    pub name: Span,
    pub value: Root,
}

#[derive(Debug)]
pub(crate) struct Block {
    pub kind: String,
    pub labels: Vec<(String, Span)>,
    /// From the first word to the last label.
    pub header: Span,
    pub body: Body,
    /// What makes it up, for a `dynamic` block; `body` is that of its `content`.
    pub dynamic: Option<(String, Dynamic)>,
}

/// `dynamic "disk" { for_each = … }`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dynamic {
    /// `None` after a mistake.
    pub for_each: Option<Attribute>,
    pub labels: Option<Attribute>,
}

/// Which attribute of a block is no expression, though it looks like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Special {
    Nothing,
    /// `type` is a type constraint.
    Type,
    /// `provider` names a provider.
    Provider,
    /// `providers` names what each provider of a module is here.
    Providers,
    /// These attributes of a test are names.
    Words(&'static [&'static str]),
}

impl Lowering<'_> {
    /// Lowers a file. The parser's tree is several times as large as what becomes of it, so each part is dropped as soon
    /// as it is lowered.
    pub(crate) fn file(&mut self, source: SourceBody) -> Body {
        let mut body = Body::default();
        for structure in source {
            self.structure(&structure, Special::Nothing, &mut body, &mut None);
        }
        body
    }

    fn body(&mut self, source: &SourceBody, special: Special) -> Body {
        let mut body = Body::default();
        let mut of_type_name = None;
        for structure in source {
            self.structure(structure, special, &mut body, &mut of_type_name);
        }
        body
    }

    /// Lowers one attribute or block into the body that it stands in.
    fn structure(&mut self, structure: &Structure, special: Special, body: &mut Body, of_type_name: &mut Option<Span>) {
        let attribute = match structure {
            Structure::Attribute(attribute) => attribute,
            Structure::Block(block) => {
                let block = self.block(block);
                body.blocks.push(block);
                return;
            }
        };
        let name = self.span_of(&attribute.key);
        if let Some(original) = self.repeated.get(&name.range().start) {
            let mut mistake = Diagnostic::error(
                code::DUPLICATE,
                name,
                format!("the attribute `{}` is written twice", shown(original)),
                "written again here",
            );
            let first = body.attributes.get(original.as_str()).map(|first| first.name).or(*of_type_name);
            if let Some(first) = first {
                mistake = mistake.label(first, "first written here");
            }
            self.report(mistake);
            return;
        }
        if special == Special::Provider && attribute.key.as_str() == "provider" {
            let value = self.provider_name(&attribute.value);
            body.provider = Some(ProviderAttribute { name, value });
            return;
        }
        if special == Special::Providers && attribute.key.as_str() == "providers" {
            body.providers = self.provider_names(&attribute.value);
            return;
        }
        if let Special::Words(names) = special
            && names.contains(&attribute.key.as_str())
        {
            let items = self.words(&attribute.value);
            body.words.insert(attribute.key.as_str().into(), items);
            return;
        }
        if special == Special::Type && attribute.key.as_str() == "type" {
            *of_type_name = Some(name);
            let span = self.span_of(&attribute.value);
            body.of_type = Some((self.type_constraint(&attribute.value), span));
            return;
        }
        let value = self.root(&attribute.value);
        body.attributes.insert(attribute.key.as_str().into(), Attribute { name, value });
    }

    fn block(&mut self, block: &SourceBlock) -> Block {
        if block.ident.as_str() == "dynamic" && block.labels.len() == 1 {
            return self.dynamic(block);
        }
        let kind = block.ident.as_str().to_owned();
        let mut header = self.span_of(&block.ident);
        let mut labels = Vec::new();
        for label in &block.labels {
            let span = self.span_of(label);
            let text = match label {
                BlockLabel::Ident(name) => name.as_str().to_owned(),
                BlockLabel::String(_) => self.quoted(span),
            };
            header = header.to(span);
            labels.push((text, span));
        }
        let special = match kind.as_str() {
            "variable" => Special::Type,
            "resource" | "data" | "probe" => Special::Provider,
            "module" => Special::Providers,
            "run" => Special::Words(&["command", "expect_failures"]),
            "plan_options" => Special::Words(&["mode", "target", "exclude"]),
            _ => Special::Nothing,
        };
        let body = self.body(&block.body, special);
        Block { kind, labels, header, body, dynamic: None }
    }

    /// Lowers a `dynamic` block. Its content is lowered with a variable for the element, which is named after the block
    /// unless `iterator` says otherwise.
    fn dynamic(&mut self, block: &SourceBlock) -> Block {
        let label = self.span_of(&block.labels[0]);
        let kind = match &block.labels[0] {
            BlockLabel::Ident(name) => name.as_str().to_owned(),
            BlockLabel::String(_) => self.quoted(label),
        };
        let header = self.span_of(&block.ident).to(label);
        let mut iterator = kind.clone();
        let mut dynamic = Dynamic { for_each: None, labels: None };
        let (mut labels, mut content) = (None, None);
        for structure in &block.body {
            match structure {
                Structure::Attribute(attribute) => {
                    let name = self.span_of(&attribute.key);
                    match (attribute.key.as_str(), &attribute.value) {
                        ("for_each", value) => {
                            let value = self.root(value);
                            dynamic.for_each = Some(Attribute { name, value });
                        }
                        ("labels", value) => labels = Some((name, value)),
                        ("iterator", Expression::Variable(named)) => named.as_str().clone_into(&mut iterator),
                        ("iterator", value) => {
                            let span = self.span_of(value);
                            let message = "`iterator` takes a name";
                            let diagnostic = Diagnostic::error(code::NAME, span, message, "this is none");
                            self.report(diagnostic.help("write it without quotes: `iterator = disk`"));
                        }
                        (other, _) => {
                            let message = format!("unknown attribute `{}`", shown(other));
                            let label = "not an attribute of `dynamic`";
                            let diagnostic = Diagnostic::error(code::UNKNOWN_ATTRIBUTE, name, message, label);
                            let known = ["for_each", "iterator", "labels", "content"];
                            let help = did_you_mean(other, known)
                                .unwrap_or_else(|| "put it into the block `content`".to_owned());
                            self.report(diagnostic.help(help));
                        }
                    }
                }
                Structure::Block(inner) if inner.ident.as_str() == "content" && inner.labels.is_empty() => {
                    let span = self.span_of(&inner.ident);
                    if let Some((first, _)) = content.replace((span, inner)) {
                        let message = "the block `content` is declared twice";
                        let diagnostic = Diagnostic::error(code::DUPLICATE, span, message, "declared again here");
                        self.report(diagnostic.label(first, "first declared here"));
                    }
                }
                Structure::Block(inner) => {
                    let span = self.span_of(&inner.ident);
                    let message = format!("unknown block `{}` in `dynamic`", shown(inner.ident.as_str()));
                    let diagnostic =
                        Diagnostic::error(code::BLOCK, span, message, "`dynamic` has no block of this name");
                    self.report(diagnostic.help("put it into the block `content`"));
                }
            }
        }
        for (name, is_there) in [("for_each", dynamic.for_each.is_some()), ("content", content.is_some())] {
            if !is_there {
                let what = if name == "content" { "block" } else { "attribute" };
                let message = format!("`dynamic` needs the {what} `{name}`");
                let label = format!("`{name}` is missing here");
                self.report(Diagnostic::error(code::MISSING_ATTRIBUTE, header, message, label));
            }
        }
        let names = self.bind_name(&iterator);
        dynamic.labels = labels.map(|(name, value)| Attribute { name, value: self.root(value) });
        let body = content.map_or_else(Body::default, |(_, inner)| self.body(&inner.body, Special::Nothing));
        self.unbind(names);
        Block { kind: "dynamic".to_owned(), labels: Vec::new(), header, body, dynamic: Some((kind, dynamic)) }
    }

    /// Returns names as they were written; a name in quotes means the same.
    fn words(&mut self, expression: &Expression) -> Vec<(String, Span)> {
        match expression {
            Expression::Array(items) => items.iter().map(|item| self.word(item)).collect(),
            one => vec![self.word(one)],
        }
    }

    fn word(&mut self, expression: &Expression) -> (String, Span) {
        let span = self.span_of(expression);
        let text = match expression {
            Expression::String(text) => text.as_str().to_owned(),
            _ => self.text[span.range()].to_owned(),
        };
        (text, span)
    }

    fn provider_name(&mut self, expression: &Expression) -> Option<ProviderName> {
        let span = self.span_of(expression);
        match expression {
            Expression::Variable(name) => Some(ProviderName { name: name.as_str().into(), alias: None, span }),
            Expression::Traversal(traversal) => match (&traversal.expr, traversal.operators.as_slice()) {
                (Expression::Variable(name), [operator]) => match operator.value() {
                    TraversalOperator::GetAttr(alias) => {
                        Some(ProviderName { name: name.as_str().into(), alias: Some(alias.as_str().into()), span })
                    }
                    _ => self.not_a_provider(span),
                },
                _ => self.not_a_provider(span),
            },
            _ => self.not_a_provider(span),
        }
    }

    fn provider_names(&mut self, expression: &Expression) -> Vec<(ProviderName, ProviderName)> {
        let Expression::Object(items) = expression else {
            let span = self.span_of(expression);
            let message = "`providers` says which provider each one of the module is";
            let diagnostic = Diagnostic::error(code::PROVIDER, span, message, "this is none");
            self.report(diagnostic.help("write `{ NAME = NAME.ALIAS }`, without quotes"));
            return Vec::new();
        };
        let mut names = Vec::new();
        for (key, value) in items {
            let span = self.span_of(key);
            let key = match key {
                ObjectKey::Ident(name) => Some(ProviderName { name: name.as_str().into(), alias: None, span }),
                ObjectKey::Expression(expression) => self.provider_name(expression),
            };
            let value = self.provider_name(value.expr());
            names.extend(key.zip(value));
        }
        names
    }

    fn not_a_provider(&mut self, span: Span) -> Option<ProviderName> {
        let diagnostic =
            Diagnostic::error(code::PROVIDER, span, "`provider` takes the name of a provider", "this is none");
        self.report(diagnostic.help("write `NAME` or `NAME.ALIAS`, without quotes around it"));
        None
    }
}
