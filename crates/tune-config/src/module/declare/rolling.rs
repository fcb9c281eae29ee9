//! `check` and `rollout` blocks.

use std::sync::Arc;

use super::super::{CheckBlock, LifecycleBlock, ProbeBlock, RolloutBlock};
use super::Declarations;
use super::content::Schema;
use super::instance::{provider_of, unchecked, unknown_kind};
use super::rest::{Rest, names_are_right, twice, unknown_block, validation};
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::syntax::body::Block;

pub(super) const CHECK: [&str; 2] = ["probe", "assert"];
const ROLLOUT: [&str; 9] =
    ["canary", "gates", "last", "max_unavailable", "members", "on_failure", "settle", "soak", "timeout"];

/// Returns everything that a rollout takes.
pub(super) fn words() -> Vec<&'static str> {
    [ROLLOUT.as_slice(), &["lifecycle"]].concat()
}

impl Declarations<'_> {
    pub(super) fn check(&mut self, mut block: Block, diagnostics: &mut Vec<Diagnostic>) {
        let name = block.labels[0].0.clone();
        let header = block.header;
        let known = self.is_first(&format!("check.{name}"), &format!("the check `{name}`"), header, diagnostics);
        let mut check = CheckBlock { header, probes: Vec::new(), assertions: Vec::new() };
        let mut asserted = false;
        for inner in std::mem::take(&mut block.body.blocks) {
            match inner.kind.as_str() {
                "probe" => {
                    if let Some(probe) = self.probe(inner, &check.probes, diagnostics) {
                        check.probes.push(probe);
                    }
                }
                "assert" => {
                    asserted = true;
                    check.assertions.extend(validation(inner, "`assert`", diagnostics));
                }
                "data" => {
                    let message = "unknown block `data` in a check";
                    let label = "a check reads with `probe` only";
                    diagnostics
                        .push(Diagnostic::error(code::BLOCK, inner.header, message, label).help(
                            "put it outside of the check, where it is read while planning, or make it a `probe`",
                        ));
                }
                _ => unknown_block(&inner, "a check", &CHECK, diagnostics),
            }
        }
        Rest::new(block, "a check", diagnostics).finish(&CHECK, diagnostics);
        if !asserted {
            let message = "a check needs at least one block `assert`";
            diagnostics.push(
                Diagnostic::error(code::MISSING_ATTRIBUTE, header, message, "`assert` is missing here")
                    .help("write `assert { condition = …, error_message = … }` with one attribute per line"),
            );
        }
        if known {
            self.declared.checks.insert(name.into(), check);
        }
    }

    fn probe(&self, mut block: Block, before: &[ProbeBlock], diagnostics: &mut Vec<Diagnostic>) -> Option<ProbeBlock> {
        if !names_are_right(&block, 2, diagnostics) {
            return None;
        }
        let [(kind, kind_span), (name, _)] = [0, 1].map(|at: usize| block.labels[at].clone());
        let header = block.header;
        let source = self.vocabulary.source(&kind).copied();
        if source.is_none() {
            diagnostics.push(unknown_kind(&kind, kind_span, "source", self.vocabulary.source_names()));
        }
        let provider = provider_of(source.map(|source| source.schema), &mut block.body, diagnostics);
        let content = match source {
            Some(source) => {
                let what = format!("`{kind}`");
                let attributes = &source.schema.attributes;
                Schema { attributes, also: &["provider"], what: &what, header }.content(block.body, diagnostics)
            }
            None => unchecked(block.body),
        };
        let probe = ProbeBlock { header, kind: kind.into(), name: name.into(), content, provider };
        if let Some(first) = before.iter().find(|other| other.kind == probe.kind && other.name == probe.name) {
            let what = format!("the probe `{}.{}`", probe.kind, probe.name);
            diagnostics.push(twice(&what, header, first.header));
            return None;
        }
        Some(probe)
    }

    pub(super) fn rollout(&mut self, mut block: Block, diagnostics: &mut Vec<Diagnostic>) {
        let name = block.labels[0].0.clone();
        let header = block.header;
        let known = self.is_first(&format!("rollout.{name}"), &format!("the rollout `{name}`"), header, diagnostics);
        let lifecycle = LifecycleBlock::take(&mut block.body, &["accept"], diagnostics);
        let mut rest = Rest::new(block, "a rollout", diagnostics);
        let members = rest.required("members", diagnostics).map(|members| (Arc::from("members"), members));
        let others = ROLLOUT.iter().filter_map(|name| Some((Arc::from(*name), rest.take(name)?)));
        let mut attributes: std::collections::BTreeMap<_, _> = others.chain(members).collect();
        attributes.extend(lifecycle.accept.map(|accept| (Arc::from("lifecycle"), accept)));
        rest.finish(&words(), diagnostics);
        if known {
            self.declared.rollouts.insert(name.into(), RolloutBlock { header, attributes });
        }
    }
}
