//! A configuration after reading: every block that was declared, not yet evaluated. Reading never fails as a whole; the
//! mistakes that were found are kept with what could be understood, and come out together with those of evaluation.

mod declare;
mod read;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tune_core::schema::KindSchema;

use crate::diagnostic::Diagnostic;
use crate::source::{Files, Sources, Span};
use crate::syntax::body::Attribute;
use crate::syntax::ir::{Arena, Reference, Root};
use crate::types::Type;

pub use read::load;
pub(crate) use read::{Assignments, assignments_of, hexadecimal_digest, lower_expression};

/// A configuration that was read.
pub struct Module<'a> {
    pub(crate) files: &'a dyn Files,
    pub(crate) kinds: BTreeMap<&'a str, &'a KindSchema>,
    pub(crate) sources: Sources,
    pub(crate) arena: Arc<Arena>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// SHA-256 of every file that was read, by name.
    pub(crate) digests: BTreeMap<String, String>,
    /// Whether a file could not be read to its end, so that nobody knows what else is declared.
    pub(crate) broken: bool,
    pub(crate) required_version: Option<String>,
    pub(crate) variables: BTreeMap<Arc<str>, VariableBlock>,
    pub(crate) locals: BTreeMap<Arc<str>, Attribute>,
    pub(crate) outputs: BTreeMap<Arc<str>, OutputBlock>,
    /// Hosts and resources, by `Reference::Block`.
    pub(crate) blocks: BTreeMap<Reference, InstanceBlock>,
    /// Files of variable values in the folder, in the order in which later ones win.
    pub(crate) assignments: Vec<Assignments>,
}

/// A variable as the configuration declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its type, as the language writes it.
    pub of_type: String,
    /// Whether its value is a secret, which must not be shown while it is typed.
    pub sensitive: bool,
    /// Whether it must be given a value, because it has no default.
    pub required: bool,
}

pub(crate) struct VariableBlock {
    pub header: Span,
    pub of_type: Type,
    /// The place of the type, where one is written.
    pub type_span: Option<Span>,
    pub default: Option<Attribute>,
    pub description: Option<String>,
    pub sensitive: bool,
    pub nullable: bool,
    pub validations: Vec<Validation>,
}

pub(crate) struct Validation {
    pub condition: Root,
    pub error_message: Root,
}

pub(crate) struct OutputBlock {
    pub value: Root,
    pub description: Option<String>,
    pub sensitive: bool,
}

/// A `host` or a `resource` block, of which there may be many instances.
pub(crate) struct InstanceBlock {
    pub header: Span,
    pub repetition: Repetition,
    /// Attributes of the host or of the resource's kind; those that exist nowhere are left out.
    pub attributes: BTreeMap<Arc<str>, Attribute>,
    pub depends_on: Option<Attribute>,
    pub prevent_revert: Option<Attribute>,
    pub accept: Option<Attribute>,
}

/// How many instances a block has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Repetition {
    Once,
    Count(Root),
    ForEach(Root),
    /// `count` and `for_each` at once: a mistake, but the rest of the block is checked nevertheless.
    Unclear,
}

impl Module<'_> {
    /// Returns every variable, sorted by name.
    pub fn variables(&self) -> Vec<Variable> {
        let variables = self.variables.iter().map(|(name, block)| Variable {
            name: name.to_string(),
            description: block.description.clone(),
            of_type: block.of_type.to_string(),
            sensitive: block.sensitive,
            required: block.default.is_none(),
        });
        variables.collect()
    }

    /// Returns whether reading found a mistake. Then it makes no sense to ask a person for values.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == crate::Severity::Error)
    }

    /// Returns every expression, with the block it stands in.
    pub(crate) fn roots(&self) -> Vec<(Root, Option<&InstanceBlock>)> {
        let mut roots = Vec::new();
        for variable in self.variables.values() {
            for validation in &variable.validations {
                roots.extend([(validation.condition, None), (validation.error_message, None)]);
            }
        }
        roots.extend(self.locals.values().map(|local| (local.value, None)));
        roots.extend(self.outputs.values().map(|output| (output.value, None)));
        for block in self.blocks.values() {
            roots.extend(block.repetition.root().map(|root| (root, None)));
            roots.extend(block.body().map(|root| (root, Some(block))));
        }
        roots
    }
}

impl InstanceBlock {
    /// Returns every expression that is evaluated once for each instance.
    pub(crate) fn body(&self) -> impl Iterator<Item = Root> {
        let extra = [self.depends_on, self.prevent_revert, self.accept];
        self.attributes.values().copied().chain(extra.into_iter().flatten()).map(|attribute| attribute.value)
    }
}

impl Repetition {
    pub(crate) fn root(self) -> Option<Root> {
        match self {
            Self::Count(root) | Self::ForEach(root) => Some(root),
            Self::Once | Self::Unclear => None,
        }
    }
}

impl fmt::Debug for Module<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("files", &self.digests.keys())
            .field("variables", &self.variables.keys())
            .field("blocks", &self.blocks.keys())
            .finish_non_exhaustive()
    }
}
