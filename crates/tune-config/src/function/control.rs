//! Functions that decide whether their arguments are evaluated, and functions about secrets.

use super::{Function, Marks, Run, Shape, row, takes};
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::evaluate::Evaluator;
use crate::source::Span;
use crate::syntax::ir::ExprId;
use crate::types::Type;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "can",
        parameters: &[takes("expression", Shape::Any)],
        rest: None,
        gives: Shape::Bool,
        marks: Marks::Own,
        doc: "Whether the expression can be evaluated.",
        example: "can(tonumber(\"x\"))",
        run: Run::Lazy(can),
    },
    row(
        "issensitive",
        &[takes("value", Shape::Any).or_null()],
        Shape::Bool,
        "Whether the value is marked as a secret.",
        |call| Ok(Value::bool(call.value(0).sensitive)),
    )
    .marks(Marks::Own)
    .example("issensitive(sensitive(\"hunter2\"))"),
    row(
        "nonsensitive",
        &[takes("value", Shape::Any).or_null()],
        Shape::Any,
        "The value without its mark as a secret.",
        |call| Ok(Value { sensitive: false, ..call.value(0).clone() }),
    )
    .marks(Marks::Own)
    .example("nonsensitive(length(sensitive(\"hunter2\")))"),
    row("sensitive", &[takes("value", Shape::Any).or_null()], Shape::Any, "The value marked as a secret.", |call| {
        Ok(call.value(0).clone().mark(true))
    })
    .marks(Marks::Own)
    .example("issensitive(sensitive(\"hunter2\"))"),
    Function {
        name: "try",
        parameters: &[takes("expression", Shape::Any)],
        rest: Some(takes("expression", Shape::Any)),
        gives: Shape::Any,
        marks: Marks::Own,
        doc: "The first of the expressions that can be evaluated.",
        example: "try(tonumber(\"x\"), 7)",
        run: Run::Lazy(first_that_works),
    },
];

/// Evaluates without reporting. An error is a mistake in this very expression, the first of them; poison from a mistake
/// that was reported elsewhere is a value like any other.
fn attempt(evaluator: &mut Evaluator<'_>, id: ExprId) -> Result<Value, Box<Diagnostic>> {
    let before = evaluator.diagnostics.len();
    let value = evaluator.evaluate(id);
    // A spent budget is no failure of the expression: nothing at all can be evaluated after it.
    let over = evaluator.diagnostics[before..].iter().any(|mistake| mistake.code == code::BUDGET);
    if over {
        return Ok(Value::POISON);
    }
    let first = evaluator.diagnostics.drain(before..).next();
    first.map_or(Ok(value), |mistake| Err(Box::new(mistake)))
}

fn first_that_works(evaluator: &mut Evaluator<'_>, ids: &[ExprId], id: ExprId) -> Value {
    let mut failed = Vec::new();
    for argument in ids {
        match attempt(evaluator, *argument) {
            // What is not known yet may still turn out to be a mistake, so no later expression can be ruled out.
            Ok(value) if value.has_unknown() => return Value::unknown(Type::Any).mark(value.has_secret()),
            Ok(value) => return value,
            Err(mistake) => failed.push((evaluator.arena.span(*argument), mistake.message)),
        }
    }
    let call = evaluator.arena.span(id);
    let name = Span { end: call.start + 3, ..call };
    let mistake = Diagnostic::error(code::EXPRESSION, name, "`try` found nothing that works", "none can be evaluated");
    let mistake = failed.into_iter().fold(mistake, |mistake, (span, why)| mistake.label(span, why));
    evaluator.report(mistake)
}

fn can(evaluator: &mut Evaluator<'_>, ids: &[ExprId], _: ExprId) -> Value {
    match ids.first().map(|argument| attempt(evaluator, *argument)) {
        Some(Ok(value)) if value.has_poison() => Value::POISON,
        Some(Ok(value)) if value.has_unknown() => Value::unknown(Type::Bool),
        Some(outcome) => Value::bool(outcome.is_ok()),
        None => Value::POISON,
    }
}
