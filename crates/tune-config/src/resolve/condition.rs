//! Conditions that a configuration sets itself: rules for variables, what must hold before and after a resource or a
//! question, and the assertions of checks.

use super::finding::{brief_finding, named_parts};
use super::{Dependencies, Resolution, Surroundings};
use crate::code;
use crate::convert::{bool_of, given, text_of};
use crate::diagnostic::Diagnostic;
use crate::evaluate::{Budget, Evaluator, Scope};
use crate::module::Validation;
use crate::syntax::ir::{Reference, Root};
use crate::types::Type;
use crate::value::{Data, Value};

/// What a condition says.
pub(super) enum Outcome {
    Holds,
    Fails(Failure),
    /// Something it needs is not known yet.
    Unknown,
    /// It was reported.
    Mistake,
}

/// Why a condition does not hold.
pub(super) struct Failure {
    /// The `error_message`, as it may stand within a message of ours.
    pub reason: String,
    /// What to say of the condition itself: that it does not hold, and what its parts are.
    pub label: String,
}

/// This many parts of a condition are told.
const MOST_FINDINGS: usize = 4;

impl Resolution<'_> {
    /// Evaluates a condition and its message. A mistake in either is reported, whatever the condition says.
    pub(super) fn condition(
        &mut self,
        condition: &Validation,
        surroundings: Surroundings<'_>,
        dependencies: &mut Dependencies,
    ) -> Outcome {
        let (holds, used) = self.evaluate(condition.condition, surroundings);
        dependencies.merge(used);
        let (message, used) = self.evaluate(condition.error_message, surroundings);
        dependencies.merge(used);
        let arena = self.module.arena.clone();
        if !may_be(&message, &Type::String) && !message.has_poison() {
            let span = arena.span(condition.error_message.expr);
            let label = format!("a string is needed, but this is {}", described(&message));
            self.diagnostics.push(Diagnostic::error(code::TYPE, span, "an error message must be a string", label));
        }
        match bool_of(&holds) {
            Some(true) => Outcome::Holds,
            Some(false) => {
                let reason = match text_of(&message) {
                    Some(text) if !message.has_secret() => shown_message(&text),
                    _ => "its rule is not met".to_owned(),
                };
                Outcome::Fails(Failure { reason, label: self.does_not_hold(condition.condition, surroundings) })
            }
            None if holds.has_poison() => Outcome::Mistake,
            None if may_be(&holds, &Type::Bool) => Outcome::Unknown,
            None => {
                let span = arena.span(condition.condition.expr);
                let label = format!("a bool is needed, but this is {}", described(&holds));
                self.diagnostics.push(Diagnostic::error(code::TYPE, span, "a condition must be a bool", label));
                Outcome::Mistake
            }
        }
    }

    fn does_not_hold(&self, condition: Root, surroundings: Surroundings<'_>) -> String {
        let arena = &self.module.arena;
        let mut findings: Vec<String> = Vec::new();
        for part in named_parts(arena, condition) {
            let scope = Scope { names: self.names(), each: surroundings.each, index: surroundings.index };
            let (mut budget, mut mistakes) = (Budget::default(), Vec::new());
            let value = Evaluator::new(arena, &self.files, scope, &mut budget, &mut mistakes).evaluate(part);
            let finding = brief_finding(self.configuration.sources.marked(arena.span(part)), &value);
            if !value.has_poison() && !value.has_unknown() && !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        findings.truncate(MOST_FINDINGS);
        if findings.is_empty() {
            return "this does not hold".to_owned();
        }
        format!("this does not hold: {}", findings.join("; "))
    }

    /// Returns how a test of the configuration names something: only what stands in its own folder has such a name.
    pub(super) fn subject(&self, name: &str) -> Option<String> {
        (self.at == 0).then(|| name.to_owned())
    }

    /// Looks at what must hold before or after something, and says whether all of it does; `None` if that is not known.
    /// `itself` is what `self` stands for, `subject` how the configuration refers to what has the conditions.
    pub(super) fn conditions(
        &mut self,
        what: (&str, &str),
        subject: &str,
        conditions: &[Validation],
        itself: Option<&Value>,
        surroundings: Surroundings<'_>,
        dependencies: &mut Dependencies,
    ) -> Option<bool> {
        if let Some(itself) = itself {
            self.names_mut().insert(Reference::Itself, itself.clone());
        }
        let mut all = Some(true);
        for condition in conditions {
            match self.condition(condition, surroundings, dependencies) {
                Outcome::Holds => {}
                Outcome::Fails(failure) => {
                    all = Some(false);
                    let (name, which) = what;
                    let message = format!("{name} does not meet its {which}: {}", failure.reason);
                    let span = self.module.arena.span(condition.condition.expr);
                    let mistake = Diagnostic::error(code::CONDITION, span, message, failure.label);
                    let subject = self.subject(subject);
                    self.diagnostics.push(mistake.subject(subject));
                }
                Outcome::Unknown => all = all.filter(|all| !all),
                Outcome::Mistake => all = Some(false),
            }
        }
        self.names_mut().remove(&Reference::Itself);
        all
    }
}

/// Returns whether a value is of a type, or may turn out to be.
fn may_be(value: &Value, of_type: &Type) -> bool {
    crate::convert::convert(value, of_type).is_ok() && !value.is_null()
}

fn described(value: &Value) -> String {
    match &value.data {
        Data::Unknown(of) => of.described(),
        _ => given(value),
    }
}

/// Returns a message that a configuration gives, as it may stand within ours.
fn shown_message(text: &str) -> String {
    tune_core::text::visible(text.trim_end_matches('.'), 500)
}
