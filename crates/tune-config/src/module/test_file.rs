//! Files of tests: what a person expects of the plans of a configuration.

use std::collections::BTreeSet;
use std::sync::Arc;

use tune_core::Address;

use super::read::{lower, read};
use super::{Module, Validation};
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::body::Attribute;
use crate::syntax::ir::Root;
use crate::syntax::lower::Output;
use crate::variable::Inputs;

/// One file of tests.
#[derive(Debug)]
pub struct TestFile {
    /// Its name, relative to the configuration's folder.
    pub name: String,
    /// Its runs, in the order of the file.
    pub runs: Vec<TestRun>,
}

/// One plan, and what must be true of it.
#[derive(Debug)]
pub struct TestRun {
    /// What it is called.
    pub name: String,
    /// `run "name"`.
    pub header: Span,
    /// What is planned.
    pub mode: TestMode,
    /// Only these; empty means all.
    pub target: Vec<Address>,
    /// Not these.
    pub exclude: Vec<Address>,
    /// The file that the readings are in, relative to the configuration's folder.
    pub recording: Option<(String, Span)>,
    pub(crate) variables: Vec<(Arc<str>, Attribute)>,
    /// What must be refused by a rule of the configuration, as references name it.
    pub(crate) expected: Vec<(String, Span)>,
    pub(crate) assertions: Vec<Validation>,
}

/// What a test plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TestMode {
    /// What an apply would do.
    #[default]
    Normal,
    /// What a destroy would do.
    Destroy,
    /// What `plan -refresh-only` would do.
    RefreshOnly,
}

impl TestRun {
    /// Returns the values of variables with which this run plans, over those that hold for all.
    #[must_use]
    pub fn inputs(&self, base: &Inputs) -> Inputs {
        Inputs { chosen: self.variables.clone(), ..base.clone() }
    }

    /// Returns what the run expects to fail, of which this is a part.
    pub fn expects(&self, address: &Address) -> Option<&str> {
        let block = format!("{}.{}", address.kind, address.name);
        let is_it = |name: &&(String, Span)| address.module.is_empty() && name.0 == block;
        self.expected.iter().find(is_it).map(|(name, _)| name.as_str())
    }

    /// Takes out what the run expects to fail, and says what that is.
    pub fn take_expected(&self, mistakes: &mut Vec<Diagnostic>) -> BTreeSet<String> {
        let mut met = BTreeSet::new();
        mistakes.retain(|mistake| {
            let subject = mistake.subject.as_ref().filter(|subject| self.expected.iter().any(|(it, _)| it == *subject));
            met.extend(subject.cloned());
            subject.is_none()
        });
        met
    }

    /// Says what should have failed and did not.
    pub fn unmet(&self, met: &BTreeSet<String>) -> Vec<Diagnostic> {
        let missing = self.expected.iter().filter(|(name, _)| !met.contains(name));
        let mistakes = missing.map(|(name, span)| {
            let message = format!("`{}` should have been refused, and was not", crate::diagnostic::shown(name));
            Diagnostic::error(code::ASSERTION, *span, message, "nothing was wrong with it")
        });
        mistakes.collect()
    }

    /// Returns whether anything is expected to fail.
    pub fn expects_failure(&self) -> bool {
        !self.expected.is_empty()
    }
}

impl Module<'_> {
    /// Reads files of tests. What is wrong in them is kept with what is wrong in the configuration, and comes out with
    /// it.
    pub fn add_tests(&mut self, names: &[String]) -> Vec<TestFile> {
        let arena = Arc::get_mut(&mut self.arena).expect("nobody evaluates anything yet");
        let mut output = Output { arena: std::mem::take(arena), ..Output::default() };
        let mut tests = Vec::new();
        for name in names {
            let file = read(self.files, name.clone(), &mut self.sources, &mut self.digests, &mut output);
            let Some(body) = file.and_then(|file| lower(file, &self.sources, &mut output)) else { continue };
            let runs = super::declare::runs(&self.folders[0], body, &output.arena, &mut output.diagnostics);
            tests.push(TestFile { name: name.clone(), runs });
        }
        for (name, attribute) in tests.iter().flat_map(|file| &file.runs).flat_map(|run| &run.variables) {
            if self.root().variables.get(name).is_some_and(|variable| variable.sensitive) {
                output.secrets.push(output.arena.span(attribute.value.expr));
            }
        }
        output.secrets.sort_unstable();
        output.secrets.dedup();
        output.secrets.drain(..).for_each(|span| self.sources.mask(span));
        *Arc::get_mut(&mut self.arena).expect("nobody evaluates anything yet") = output.arena;
        self.diagnostics.extend(output.diagnostics);
        let given = tests.iter().flat_map(|file| &file.runs).flat_map(|run| &run.variables);
        let given: Vec<Root> = given.map(|(_, attribute)| attribute.value).collect();
        for root in given {
            let mistake = crate::reference::reference_in_value_of_test(self, root);
            self.diagnostics.extend(mistake);
        }
        let unknown = tests.iter().flat_map(|file| &file.runs).flat_map(|run| &run.assertions);
        let roots: Vec<_> = unknown.flat_map(Validation::roots).collect();
        for root in roots {
            let mistakes = crate::reference::unknown_names_in_test(self, root);
            self.diagnostics.extend(mistakes);
        }
        tests
    }
}
