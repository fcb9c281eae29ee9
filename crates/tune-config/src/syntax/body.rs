//! Blocks and attributes after lowering, whatever they mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use hcl_edit::structure::{Block as SourceBlock, BlockLabel, Body as SourceBody, Structure};

use super::ir::Root;
use super::lower::Lowering;
use crate::code;
use crate::diagnostic::{Diagnostic, shown};
use crate::source::Span;
use crate::types::Type;

/// The content of a block or of a file.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub attributes: BTreeMap<Arc<str>, Attribute>,
    pub blocks: Vec<Block>,
    /// The attribute `type`, where it is a type constraint.
    pub of_type: Option<(Type, Span)>,
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
}

/// What the attribute `type` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TypeAttribute {
    Value,
    Constraint,
}

impl Lowering<'_> {
    /// Lowers a file.
    pub(crate) fn file(&mut self, body: &SourceBody) -> Body {
        self.body(body, TypeAttribute::Value)
    }

    fn body(&mut self, source: &SourceBody, type_attribute: TypeAttribute) -> Body {
        let mut body = Body::default();
        let mut of_type_name = None;
        for structure in source {
            let attribute = match structure {
                Structure::Attribute(attribute) => attribute,
                Structure::Block(block) => {
                    let block = self.block(block);
                    body.blocks.push(block);
                    continue;
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
                let first = body.attributes.get(original.as_str()).map(|first| first.name).or(of_type_name);
                if let Some(first) = first {
                    mistake = mistake.label(first, "first written here");
                }
                self.report(mistake);
                continue;
            }
            if type_attribute == TypeAttribute::Constraint && attribute.key.as_str() == "type" {
                of_type_name = Some(name);
                let span = self.span_of(&attribute.value);
                body.of_type = Some((self.type_constraint(&attribute.value), span));
                continue;
            }
            let value = self.root(&attribute.value);
            body.attributes.insert(attribute.key.as_str().into(), Attribute { name, value });
        }
        body
    }

    fn block(&mut self, block: &SourceBlock) -> Block {
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
        let constraint = kind == "variable";
        let body = self.body(&block.body, if constraint { TypeAttribute::Constraint } else { TypeAttribute::Value });
        Block { kind, labels, header, body }
    }
}
