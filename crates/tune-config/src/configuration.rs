//! What is left when every expression has been evaluated: what a person asked for, and where in the text.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tune_core::path::{AttributePath, PathStep};
use tune_core::resource::{Host, Resource};
use tune_core::{Address, Value};

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
    /// Every resource.
    pub resources: BTreeMap<Address, Resource>,
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
    pub blocks: BTreeMap<Reference, BlockPlaces>,
    /// The reference that makes one resource wait for another.
    pub edges: BTreeMap<(Address, Address), Span>,
}

/// Where one block was written.
#[derive(Debug)]
pub(crate) struct BlockPlaces {
    pub header: Span,
    /// The name and the value of every attribute.
    pub attributes: BTreeMap<Arc<str>, (Span, Root)>,
}

impl Configuration {
    /// Returns the place of an attribute or of a part of one, such as `settings["vm.swappiness"]`.
    ///
    /// It is the smallest part around `path` that was written out, and the header of the block if that is none of its
    /// attributes. `None` means that the configuration has no such block. A part that fills several lines is
    /// represented by its name.
    pub fn span_of(&self, address: &Address, path: &AttributePath) -> Option<Span> {
        let block = self.places.block(address)?;
        let Some((PathStep::Name(name), rest)) = path.0.split_first() else { return Some(block.header) };
        let Some((name, root)) = block.attributes.get(name.as_str()) else { return Some(block.header) };
        let place = place::find(&self.places.arena, root.expr, rest);
        let is_short = |span: Span| !self.sources.marked(span).contains('\n');
        Some(match place.key {
            Some(key) if is_short(key.to(place.value)) => key.to(place.value),
            Some(key) => key,
            None if is_short(place.value) => place.value,
            None => *name,
        })
    }

    /// Returns the header of the block that declares a host or a resource: `resource "sysctl" "etcd"`.
    pub fn block_span(&self, address: &Address) -> Option<Span> {
        self.places.block(address).map(|block| block.header)
    }

    /// Returns the reference, explicit or not, that makes `from` wait for `to`.
    pub fn edge_span(&self, from: &Address, to: &Address) -> Option<Span> {
        self.places.edges.get(&(from.clone(), to.clone())).copied()
    }
}

impl Places {
    fn block(&self, address: &Address) -> Option<&BlockPlaces> {
        self.blocks.get(&Reference::Block(address.kind.as_str().into(), address.name.as_str().into()))
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
