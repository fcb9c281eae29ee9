//! What is left when every expression has been evaluated: what a person asked for, and where in the text.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tune_core::path::{AttributePath, PathStep};
use tune_core::resource::{Host, Provider, Resource};
use tune_core::rollout::{Check, Live, Rollout};
use tune_core::{Address, InstanceKey, Value};

use crate::diagnostic::Diagnostics;
use crate::place;
use crate::source::{Sources, Span};
use crate::syntax::ir::{Arena, Reference, Root};

/// A configuration without mistakes.
#[derive(Debug)]
pub struct Configuration {
    /// `required_version` of the `tune` block.
    pub required_version: Option<String>,
    /// Every host.
    pub hosts: BTreeMap<Address, Host>,
    /// Every provider; one that needs nothing and has no block is among them when something belongs to it.
    pub providers: BTreeMap<Address, Provider>,
    /// Every resource.
    pub resources: BTreeMap<Address, Resource>,
    /// Every check.
    pub checks: BTreeMap<Address, Check>,
    /// Every rollout.
    pub rollouts: BTreeMap<Address, Rollout>,
    /// Evaluates checks, and what goes last in a rollout, again.
    pub live: Arc<dyn Live>,
    /// Every output.
    pub outputs: BTreeMap<String, Output>,
    /// The value of every variable, for the digest of what a plan was made from.
    pub variables: BTreeMap<String, VariableValue>,
    /// SHA-256 in hexadecimal of every file that was read, by name; files that `file(…)` read are among them.
    pub files: BTreeMap<String, String>,
    /// What is probably not meant so, though it can be done.
    pub warnings: Diagnostics,
    /// Every text, for showing where something stands.
    pub sources: Sources,
    pub(crate) places: Places,
}

/// A value that is printed after a run.
#[derive(Clone, PartialEq, Eq)]
pub struct Output {
    /// The value.
    pub value: Value,
    /// Whether it is a secret.
    pub sensitive: bool,
    /// What it is.
    pub description: Option<String>,
}

/// The value that a variable has.
#[derive(Clone, PartialEq, Eq)]
pub struct VariableValue {
    /// The value.
    pub value: Value,
    /// Whether it is a secret.
    pub sensitive: bool,
}

/// Where everything was written.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub arena: Arc<Arena>,
    /// By the names of the modules on the way, the number of the folder.
    pub modules: BTreeMap<Vec<String>, usize>,
    /// By folder and by what a block is called there.
    pub blocks: BTreeMap<(usize, Reference), BlockPlaces>,
    /// By folder and check, then by probe.
    pub probes: BTreeMap<(usize, Arc<str>), BTreeMap<Address, BlockPlaces>>,
    /// From each block to others, the reference that makes one resource wait for another, that puts a resource on a
    /// host, a host into a rollout, or a check into its gates.
    pub edges: BTreeMap<Address, BTreeMap<Address, Span>>,
}

/// Where one block was written.
#[derive(Debug)]
pub(crate) struct BlockPlaces {
    pub header: Span,
    pub content: ContentPlaces,
}

/// Where everything in a block was written.
#[derive(Debug, Default)]
pub(crate) struct ContentPlaces {
    /// The name and the value of every attribute.
    pub attributes: BTreeMap<Arc<str>, (Span, Root)>,
    /// The blocks in it, by the attribute that they make up: each with its label and its header.
    pub blocks: BTreeMap<Arc<str>, Vec<NestedPlaces>>,
}

/// A block in a block, with its label.
pub(crate) type NestedPlaces = (NestedLabel, BlockPlaces);

/// What a block in a block is called.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NestedLabel {
    None,
    Is(Arc<str>),
    /// A `dynamic` block makes blocks of any name, and any number of them.
    Any,
}

impl Configuration {
    /// Returns the place of an attribute or of a part of one, such as `settings["vm.swappiness"]`.
    ///
    /// It is the smallest part around `path` that was written out, and the header of the block if that is none of its
    /// attributes. `None` means that the configuration has no such block. A part that fills several lines is
    /// represented by its name.
    pub fn span_of(&self, address: &Address, path: &AttributePath) -> Option<Span> {
        Some(self.span_within(self.places.block(address)?, &path.0))
    }

    /// Returns the place of an attribute of a `data` block, as [`Self::span_of`] does for everything else.
    pub fn data_span(&self, query: &Address, path: &AttributePath) -> Option<Span> {
        let reference = Reference::Data(query.kind.as_str().into(), query.name.as_str().into());
        Some(self.span_within(self.places.blocks.get(&(self.places.folder(query)?, reference))?, &path.0))
    }

    /// Returns the place of an attribute of a probe in a check, as [`Self::span_of`] does for everything else.
    pub fn probe_span(&self, check: &Address, query: &Address, path: &AttributePath) -> Option<Span> {
        let probes = self.places.probes.get(&(self.places.folder(check)?, check.name.as_str().into()))?;
        Some(self.span_within(probes.get(query)?, &path.0))
    }

    fn span_within(&self, block: &BlockPlaces, path: &[PathStep]) -> Span {
        let Some((PathStep::Name(name) | PathStep::Key(name), rest)) = path.split_first() else { return block.header };
        if let Some(blocks) = block.content.blocks.get(name.as_str()) {
            let any = blocks.iter().position(|(label, _)| *label == NestedLabel::Any);
            let dynamic = any.map(|at| &blocks[at]);
            let (inner, rest) = match rest.split_first() {
                Some((PathStep::Index(position), rest)) if any.is_none_or(|any| *position < any) => {
                    (blocks.get(*position), rest)
                }
                Some((PathStep::Index(_), rest)) => (dynamic, rest),
                Some((PathStep::Key(key), rest)) => {
                    let named = |label: &NestedLabel| matches!(label, NestedLabel::Is(label) if **label == **key);
                    (blocks.iter().find(|(label, _)| named(label)).or(dynamic), rest)
                }
                _ => (blocks.first(), rest),
            };
            return inner.map_or(block.header, |(_, inner)| self.span_within(inner, rest));
        }
        let Some((name, root)) = block.content.attributes.get(name.as_str()) else { return block.header };
        let place = place::find(&self.places.arena, root.expr, rest);
        let is_short = |span: Span| !self.sources.marked(span).contains('\n');
        match place.key {
            Some(key) if is_short(key.to(place.value)) => key.to(place.value),
            Some(key) => key,
            None if is_short(place.value) => place.value,
            None => *name,
        }
    }

    /// Returns the header of the block that declares a host, a resource, a provider, a rollout or a check:
    /// `resource "sysctl" "etcd"`.
    pub fn block_span(&self, address: &Address) -> Option<Span> {
        self.places.block(address).map(|block| block.header)
    }

    /// Returns the reference, explicit or not, that makes `from` wait for `to`. Beside resources that wait for each
    /// other, `from` may be a resource and `to` its host, or `from` a rollout and `to` a member or a gate.
    pub fn edge_span(&self, from: &Address, to: &Address) -> Option<Span> {
        self.places.edges.get(from)?.get(to).copied()
    }
}

impl Places {
    /// Returns the folder that something stands in.
    fn folder(&self, address: &Address) -> Option<usize> {
        let path: Vec<String> = address.module.iter().map(|step| step.name.clone()).collect();
        self.modules.get(&path).copied()
    }

    fn block(&self, address: &Address) -> Option<&BlockPlaces> {
        let (kind, name) = (address.kind.as_str().into(), address.name.as_str().into());
        let alias = if let InstanceKey::Name(key) = &address.key { Some(key.as_str().into()) } else { None };
        let reference = match address.kind.as_str() {
            "provider" => Reference::Provider(name, alias),
            _ => Reference::Block(kind, name),
        };
        self.blocks.get(&(self.folder(address)?, reference))
    }
}

/// Prints the value unless it is a secret.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sensitive { f.write_str("(sensitive)") } else { write!(f, "{}", self.value) }
    }
}

/// Prints the value unless it is a secret.
impl fmt::Debug for VariableValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sensitive { f.write_str("(sensitive)") } else { write!(f, "{}", self.value) }
    }
}
