//! What a test says of a configuration that was evaluated, and of its plan.

use std::collections::HashMap;

use tune_core::Value as CoreValue;

use super::finding::{finding, named_parts};
use super::{Answers, Missing, Resolution, Resolved};
use crate::code;
use crate::configuration::Configuration;
use crate::convert::{bool_of, given, text_of};
use crate::diagnostic::{Diagnostic, Diagnostics, shown};
use crate::evaluate::{Budget, Evaluator, Scope};
use crate::module::{Module, TestRun};
use crate::syntax::ir::{Binary, Expr, ExprId, Reference, Root};
use crate::value::{Data, Value};
use crate::variable::Inputs;

/// What names mean in the assertions of a test: everything that the configuration itself declares.
pub struct Scene {
    names: HashMap<Reference, Value>,
}

/// Something that a test did not find as it expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What is wrong, on the text of the test.
    pub mistake: Diagnostic,
    /// What the parts of the condition were.
    pub findings: Vec<String>,
    /// Whether the condition does not hold; otherwise it could not be evaluated.
    pub is_failure: bool,
}

/// Does what [`crate::resolve`] does, and keeps what the assertions of a test may name.
pub fn rehearse(module: &Module<'_>, inputs: &Inputs, answers: &Answers) -> Result<(Resolved, Scene), Diagnostics> {
    let mut resolution = Resolution::evaluated(module, inputs, Missing::Refused, Some(answers));
    let names = std::mem::take(&mut resolution.scopes[0].names);
    let (configuration, needs) = resolution.finish()?;
    let resolved = needs.map_or_else(|| Resolved::Ready(Box::new(configuration)), Resolved::Needs);
    Ok((resolved, Scene { names }))
}

impl Scene {
    /// Says which assertions of a run do not hold. `plan` is what `plan` stands for in them.
    pub fn judge(
        mut self,
        module: &Module<'_>,
        run: &TestRun,
        configuration: &Configuration,
        plan: &CoreValue,
    ) -> Vec<Complaint> {
        if let CoreValue::Map(parts) = plan {
            let parts = parts.iter().map(|(name, part)| (Reference::Block("plan".into(), name.as_str().into()), part));
            self.names.extend(parts.map(|(name, part)| (name, Value::from(part))));
        }
        for (name, output) in &configuration.outputs {
            let value = Value::from(&output.value).mark(output.sensitive);
            self.names.insert(Reference::Block("output".into(), name.as_str().into()), value);
        }
        let judge = Judge { module, names: &self.names };
        let assertions = run.assertions.iter();
        assertions.filter_map(|assertion| judge.assertion(assertion.condition, assertion.error_message)).collect()
    }
}

struct Judge<'a> {
    module: &'a Module<'a>,
    names: &'a HashMap<Reference, Value>,
}

impl Judge<'_> {
    fn assertion(&self, condition: Root, error_message: Root) -> Option<Complaint> {
        let span = self.module.arena.span(condition.expr);
        let error = |mistake: Diagnostic| Some(Complaint { mistake, findings: Vec::new(), is_failure: false });
        let holds = match self.evaluate(condition.expr) {
            Ok(holds) => holds,
            Err(mistake) => return error(mistake),
        };
        let Some(is_true) = bool_of(&holds) else {
            let label = format!("a bool is needed, but this is {}", given(&holds));
            return error(Diagnostic::error(code::TYPE, span, "a condition must be a bool", label));
        };
        if is_true {
            return None;
        }
        let message = match self.evaluate(error_message.expr) {
            Ok(message) if !message.has_secret() => text_of(&message).map(|text| tune_core::text::visible(&text, 500)),
            Ok(_) => None,
            Err(mistake) => return error(mistake),
        };
        let message = message.unwrap_or_else(|| "an assertion does not hold".to_owned());
        let mistake = Diagnostic::error(code::ASSERTION, span, message, "this does not hold");
        Some(Complaint { mistake, findings: self.findings(condition), is_failure: true })
    }

    fn evaluate(&self, expr: ExprId) -> Result<Value, Diagnostic> {
        let scope = Scope { names: self.names, each: None, index: None };
        let (mut budget, mut mistakes) = (Budget::default(), Vec::new());
        let module = self.module;
        let value = Evaluator::new(&module.arena, module.files, scope, &mut budget, &mut mistakes).evaluate(expr);
        match mistakes.into_iter().next() {
            Some(mistake) => Err(mistake),
            None if value.has_poison() || value.has_unknown() => {
                let span = module.arena.span(expr);
                Err(Diagnostic::error(code::EXPRESSION, span, "the assertion has no value", "this is not known"))
            }
            None => Ok(value),
        }
    }

    /// Says which comparisons are false because of the types on both sides alone: what was read is a text.
    fn never_equal(&self, condition: Root) -> Vec<String> {
        let arena = &self.module.arena;
        let mut said = Vec::new();
        for (_, expr, span) in arena.within(condition) {
            let Expr::Binary { operator: Binary::Equal, left, right } = expr else { continue };
            let (Ok(left), Ok(right)) = (self.evaluate(*left), self.evaluate(*right)) else { continue };
            let is_scalar = |value: &Value| matches!(value.data, Data::Bool(_) | Data::Number(_) | Data::String(_));
            let differ = std::mem::discriminant(&left.data) != std::mem::discriminant(&right.data);
            if is_scalar(&left) && is_scalar(&right) && differ {
                let text = shown(self.module.sources.marked(span));
                said.push(format!("{text}: {} never equals {}", left.described(), right.described()));
            }
        }
        said
    }

    /// Returns what everything was that the condition names.
    fn findings(&self, condition: Root) -> Vec<String> {
        let arena = &self.module.arena;
        let mut findings = self.never_equal(condition);
        for part in named_parts(arena, condition) {
            let Ok(value) = self.evaluate(part) else { continue };
            let finding = finding(self.module.sources.marked(arena.span(part)), &value);
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        findings
    }
}

/// Names nothing of what it holds: any of it may be a secret.
impl std::fmt::Debug for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").finish_non_exhaustive()
    }
}
