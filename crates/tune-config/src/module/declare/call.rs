//! `module` blocks: which folder is called, and with which values.

use std::collections::BTreeMap;

use super::super::{CallBlock, Content, InstanceBlock};
use super::Declarations;
use super::instance::META;
use super::rest::{Rest, constant_text};
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::syntax::body::Block;
use crate::syntax::ir::Arena;

impl Declarations<'_> {
    pub(super) fn module(&mut self, mut block: Block, arena: &Arena, diagnostics: &mut Vec<Diagnostic>) {
        let name = block.labels[0].0.clone();
        let header = block.header;
        let known = self.is_first(&format!("module.{name}"), &format!("the module `{name}`"), header, diagnostics);
        let providers = std::mem::take(&mut block.body.providers);
        let mut rest = Rest::new(block, "a module", diagnostics);
        let repetition = rest.repetition(diagnostics);
        let depends_on = rest.take("depends_on");
        let source = rest.required("source", diagnostics).and_then(|attribute| {
            let source = constant_text(arena, attribute, diagnostics)?;
            let span = arena.span(attribute.value.expr);
            if !source.starts_with("./") && !source.starts_with("../") {
                let message = "`source` of a module must be a folder of the configuration";
                diagnostics.push(
                    Diagnostic::error(code::MODULE, span, message, "it starts with neither `./` nor `../`")
                        .help("copy the module into a folder beside this file, and write `./FOLDER`"),
                );
                return None;
            }
            Some((source, span))
        });
        if let Some(version) = rest.take("version") {
            let message = "a module has no version";
            let label = "a folder of the configuration is as it is";
            diagnostics.push(Diagnostic::error(code::MODULE, version.name, message, label).help("remove it"));
        }
        if known {
            let content = Content { attributes: rest.attributes, blocks: BTreeMap::new() };
            let block = InstanceBlock { repetition, depends_on, ..InstanceBlock::new(header, content) };
            self.declared.calls.insert(name.into(), CallBlock { block, source, providers });
        }
    }
}

/// What a `module` block takes beside the values of the module's variables.
pub(in crate::module) fn meta() -> Vec<&'static str> {
    META.into_iter().chain(["depends_on", "providers", "source"]).collect()
}
