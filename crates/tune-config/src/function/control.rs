//! Functions that decide whether their arguments are evaluated, and functions about secrets.

use super::{Function, Marks, Run, Shape, row, takes};
use crate::code;
use crate::evaluate::Evaluator;
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

/// Evaluates without reporting. `None` stands for a mistake in this very expression; poison from a mistake that was
/// reported elsewhere is a value like any other.
fn attempt(evaluator: &mut Evaluator<'_>, id: ExprId) -> Option<Value> {
    let before = evaluator.diagnostics.len();
    let value = evaluator.evaluate(id);
    let failed = evaluator.diagnostics.len() > before;
    // A spent budget is no failure of the expression: nothing at all can be evaluated after it.
    let over = evaluator.diagnostics[before..].iter().any(|mistake| mistake.code == code::BUDGET);
    if over {
        return Some(Value::POISON);
    }
    evaluator.diagnostics.truncate(before);
    if failed { None } else { Some(value) }
}

fn first_that_works(evaluator: &mut Evaluator<'_>, ids: &[ExprId], id: ExprId) -> Value {
    for argument in ids {
        match attempt(evaluator, *argument) {
            // What is not known yet may still turn out to be a mistake, so no later expression can be ruled out.
            Some(value) if value.has_unknown() => return Value::unknown(Type::Any).mark(value.has_secret()),
            Some(value) => return value,
            None => {}
        }
    }
    evaluator.fail(code::EXPRESSION, id, "`try` found nothing that works", "none of these can be evaluated")
}

fn can(evaluator: &mut Evaluator<'_>, ids: &[ExprId], _: ExprId) -> Value {
    match ids.first().map(|argument| attempt(evaluator, *argument)) {
        Some(Some(value)) if value.has_poison() => Value::POISON,
        Some(Some(value)) if value.has_unknown() => Value::unknown(Type::Bool),
        Some(outcome) => Value::bool(outcome.is_some()),
        None => Value::POISON,
    }
}
