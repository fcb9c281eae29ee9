//! A configuration after reading: every block that was declared, not yet evaluated. Reading never fails as a whole; the
//! mistakes that were found are kept with what could be understood, and come out together with those of evaluation.

mod declare;
mod read;
mod test_file;
mod tree;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::source::{Files, Sources, Span};
use crate::syntax::body::{Attribute, Dynamic, ProviderName};
use crate::syntax::ir::{Arena, Reference, Root};
use crate::types::Type;
use crate::vocabulary::Vocabulary;

#[cfg(test)]
pub(crate) use declare::{known_words, lifecycle_words};
pub use read::load;
pub(crate) use read::{Assignments, assignments_of, hexadecimal_digest, lower_expression, lower_question};
pub use test_file::{TestFile, TestMode, TestRun};

/// A configuration that was read.
pub struct Module<'a> {
    pub(crate) files: &'a dyn Files,
    pub(crate) vocabulary: Vocabulary<'a>,
    pub(crate) sources: Sources,
    pub(crate) arena: Arc<Arena>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// SHA-256 of every file that was read, by name.
    pub(crate) digests: BTreeMap<String, String>,
    /// What each folder declares; first the configuration itself.
    pub(crate) folders: Vec<Declared>,
    /// Every module that some `module` block calls, first the configuration itself; each after the one that calls it.
    pub(crate) tree: Vec<TreeNode>,
    /// Files of variable values in the folder, in the order in which later ones win.
    pub(crate) assignments: Vec<Assignments>,
}

/// What one folder declares.
#[derive(Default)]
pub(crate) struct Declared {
    /// The folder, relative to that of the configuration; empty for that one.
    pub path: String,
    /// Whether a file could not be read to its end, so that nobody knows what else is declared.
    pub broken: bool,
    pub required_version: Option<String>,
    pub variables: BTreeMap<Arc<str>, VariableBlock>,
    pub locals: BTreeMap<Arc<str>, Attribute>,
    pub outputs: BTreeMap<Arc<str>, OutputBlock>,
    /// Hosts and resources, by `Reference::Block`; data and providers, by what they are called.
    pub blocks: BTreeMap<Reference, InstanceBlock>,
    pub checks: BTreeMap<Arc<str>, CheckBlock>,
    pub rollouts: BTreeMap<Arc<str>, RolloutBlock>,
    pub calls: BTreeMap<Arc<str>, CallBlock>,
}

/// A folder in the place where a `module` block puts it.
pub(crate) struct TreeNode {
    /// Which of the folders.
    pub folder: usize,
    /// Who calls it, and the name of the `module` block; `None` for the configuration itself.
    pub parent: Option<(usize, Arc<str>)>,
    /// What its own `module` blocks lead to.
    pub children: BTreeMap<Arc<str>, usize>,
}

/// A `module` block.
pub(crate) struct CallBlock {
    /// How it is repeated, what it waits for, and the values of the module's variables.
    pub block: InstanceBlock,
    /// The folder as it was written, with its place; `None` after a mistake.
    pub source: Option<(String, Span)>,
    /// What each provider of the module is here.
    pub providers: Vec<(ProviderName, ProviderName)>,
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

#[derive(Debug)]
pub(crate) struct Validation {
    pub condition: Root,
    pub error_message: Root,
}

pub(crate) struct OutputBlock {
    pub value: Root,
    pub description: Option<String>,
    pub sensitive: bool,
    pub preconditions: Vec<Validation>,
}

/// A `host`, `resource` or `data` block, of which there may be many instances, or a `provider` block.
pub(crate) struct InstanceBlock {
    pub header: Span,
    pub repetition: Repetition,
    pub content: Content,
    pub provider: Option<ProviderName>,
    pub depends_on: Option<Attribute>,
    pub lifecycle: LifecycleBlock,
}

/// A `lifecycle` block.
#[derive(Default)]
pub(crate) struct LifecycleBlock {
    pub prevent_revert: Option<Attribute>,
    pub accept: Option<Attribute>,
    pub preconditions: Vec<Validation>,
    pub postconditions: Vec<Validation>,
}

/// What is written in a block beside the attributes that every block of its sort takes. What exists nowhere is left
/// out.
#[derive(Default)]
pub(crate) struct Content {
    pub attributes: BTreeMap<Arc<str>, Attribute>,
    /// Blocks in the block, by the attribute that they make up, in the order of the file.
    pub blocks: BTreeMap<Arc<str>, Vec<NestedBlock>>,
}

/// `disk "scsi0" { … }` in a resource.
pub(crate) struct NestedBlock {
    pub header: Span,
    pub label: Option<(Arc<str>, Span)>,
    pub content: Content,
    pub dynamic: Option<Dynamic>,
    /// Whether it has no place in the whole, because of a mistake that was reported. Other mistakes in it are still
    /// looked for.
    pub is_stray: bool,
}

/// A `check` block.
pub(crate) struct CheckBlock {
    pub header: Span,
    pub probes: Vec<ProbeBlock>,
    pub assertions: Vec<Validation>,
}

/// A `probe` block in a check.
pub(crate) struct ProbeBlock {
    pub header: Span,
    pub kind: Arc<str>,
    pub name: Arc<str>,
    pub content: Content,
    pub provider: Option<ProviderName>,
}

/// A `rollout` block.
pub(crate) struct RolloutBlock {
    pub header: Span,
    pub attributes: BTreeMap<Arc<str>, Attribute>,
}

/// Where an expression stands, which decides what it may refer to.
#[derive(Clone, Copy)]
pub(crate) enum Context<'m> {
    /// Anywhere else.
    Plain,
    /// In a block with this way of being repeated.
    Instance(Repetition),
    /// In what must hold after such a block.
    Postcondition(Repetition),
    /// In an assertion of this check.
    Assertion(&'m CheckBlock),
    /// The gates of a rollout.
    Gates,
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
    /// Returns what the configuration itself declares.
    pub(crate) fn root(&self) -> &Declared {
        &self.folders[0]
    }

    /// Returns how many modules are around a place of the tree, itself among them.
    pub(crate) fn depth(&self, node: usize) -> usize {
        self.tree[node].parent.as_ref().map_or(0, |(parent, _)| 1 + self.depth(*parent))
    }

    /// Returns what the folder of a module declares.
    pub(crate) fn declared(&self, node: usize) -> &Declared {
        &self.folders[self.tree[node].folder]
    }

    /// Returns every text, for showing where something stands.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Returns every variable, sorted by name.
    pub fn variables(&self) -> Vec<Variable> {
        let variables = self.root().variables.iter().map(|(name, block)| Variable {
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
}

impl Declared {
    /// Returns every expression, with the block it stands in.
    pub(crate) fn roots(&self) -> Vec<(Root, Context<'_>)> {
        let mut roots = Vec::new();
        for variable in self.variables.values() {
            for validation in &variable.validations {
                roots.extend(validation.roots().map(|root| (root, Context::Plain)));
            }
        }
        roots.extend(self.locals.values().map(|local| (local.value, Context::Plain)));
        for output in self.outputs.values() {
            let conditions = output.preconditions.iter().flat_map(Validation::roots);
            roots.extend([output.value].into_iter().chain(conditions).map(|root| (root, Context::Plain)));
        }
        for block in self.blocks.values() {
            roots.extend(block.repetition.root().map(|root| (root, Context::Plain)));
            roots.extend(block.body().into_iter().map(|root| (root, Context::Instance(block.repetition))));
            let after = block.lifecycle.postconditions.iter().flat_map(Validation::roots);
            roots.extend(after.map(|root| (root, Context::Postcondition(block.repetition))));
        }
        for call in self.calls.values() {
            roots.extend(call.block.repetition.root().map(|root| (root, Context::Plain)));
            roots.extend(call.block.body().into_iter().map(|root| (root, Context::Instance(call.block.repetition))));
        }
        for check in self.checks.values() {
            let probes = check.probes.iter().flat_map(|probe| probe.content.roots());
            roots.extend(probes.map(|root| (root, Context::Plain)));
            let assertions = check.assertions.iter().flat_map(Validation::roots);
            roots.extend(assertions.map(|root| (root, Context::Assertion(check))));
        }
        for (name, attribute) in self.rollouts.values().flat_map(|rollout| &rollout.attributes) {
            let context = if name.as_ref() == "gates" { Context::Gates } else { Context::Plain };
            roots.push((attribute.value, context));
        }
        roots
    }
}

impl InstanceBlock {
    /// Returns every expression that is evaluated once for each instance, without those of its postconditions.
    pub(crate) fn body(&self) -> Vec<Root> {
        let extra = [self.depends_on, self.lifecycle.prevent_revert, self.lifecycle.accept];
        let mut roots = self.content.roots();
        roots.extend(extra.into_iter().flatten().map(|attribute| attribute.value));
        roots.extend(self.lifecycle.preconditions.iter().flat_map(Validation::roots));
        roots
    }
}

impl Content {
    /// Returns every expression, in all depth.
    pub(crate) fn roots(&self) -> Vec<Root> {
        let mut roots: Vec<Root> = self.attributes.values().map(|attribute| attribute.value).collect();
        for block in self.blocks.values().flatten() {
            roots.extend(block.content.roots());
            let dynamic = block.dynamic.map(|dynamic| [dynamic.for_each, dynamic.labels]);
            roots.extend(dynamic.into_iter().flatten().flatten().map(|attribute| attribute.value));
        }
        roots
    }
}

impl Validation {
    pub(crate) fn roots(&self) -> impl Iterator<Item = Root> {
        [self.condition, self.error_message].into_iter()
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
            .field("variables", &self.root().variables.keys())
            .field("blocks", &self.root().blocks.keys())
            .finish_non_exhaustive()
    }
}
