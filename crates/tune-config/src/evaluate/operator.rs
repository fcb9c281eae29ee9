//! Operators, with Terraform's conversions: arithmetic takes texts that hold numbers, logic texts that hold bools, and
//! equality converts nothing.

use std::cmp::Ordering;

use tune_core::Number;

use super::Evaluator;
use crate::code;
use crate::convert::{given, number_of};
use crate::function::number::{divide, modulo};
use crate::syntax::ir::{Binary, ExprId, Unary};
use crate::types::Type;
use crate::value::Value;

impl Evaluator<'_> {
    pub(super) fn unary(&mut self, operator: Unary, operand: ExprId) -> Value {
        let value = self.evaluate(operand);
        let result = match operator {
            _ if value.is_unknown() => {
                Some(Value::unknown(if operator == Unary::Not { Type::Bool } else { Type::Number }))
            }
            Unary::Not => self.as_bool(&value, operand, "the operand of `!`").map(|value| Value::bool(!value)),
            Unary::Negate => self
                .operand(&value, operand, "-")
                .and_then(|number| Number::from_decimal(&-number.as_decimal()).ok().map(Value::number)),
        };
        result.unwrap_or(Value::POISON).mark(value.sensitive)
    }

    pub(super) fn binary(&mut self, operator: Binary, left_id: ExprId, right_id: ExprId, id: ExprId) -> Value {
        if matches!(operator, Binary::And | Binary::Or) {
            return self.logic(operator, left_id, right_id);
        }
        let left = self.evaluate(left_id);
        let right = self.evaluate(right_id);
        let sensitive = left.has_secret() || right.has_secret();
        if matches!(operator, Binary::Equal | Binary::NotEqual) {
            return self.equality(operator, &left, &right, id).mark(sensitive);
        }
        let sign = sign(operator);
        let of_type = if is_comparison(operator) { Type::Bool } else { Type::Number };
        // Both operands are looked at before either ends it, so that the mistakes of both are reported.
        let numbers = (self.operand(&left, left_id, sign), self.operand(&right, right_id, sign));
        if left.is_poison() || right.is_poison() {
            return Value::POISON;
        }
        let (Some(a), Some(b)) = numbers else {
            let wrong = |value: &Value, number: &Option<Number>| number.is_none() && !value.is_unknown();
            let mistake = wrong(&left, &numbers.0) || wrong(&right, &numbers.1);
            return if mistake { Value::POISON } else { Value::unknown(of_type).mark(sensitive) };
        };
        let result = match operator {
            Binary::Less => return Value::bool(a < b).mark(sensitive),
            Binary::LessEqual => return Value::bool(a <= b).mark(sensitive),
            Binary::Greater => return Value::bool(a > b).mark(sensitive),
            Binary::GreaterEqual => return Value::bool(a >= b).mark(sensitive),
            Binary::Add => Number::from_decimal(&(a.as_decimal() + b.as_decimal())).ok(),
            Binary::Subtract => Number::from_decimal(&(a.as_decimal() - b.as_decimal())).ok(),
            Binary::Multiply => Number::from_decimal(&(a.as_decimal() * b.as_decimal())).ok(),
            Binary::Divide | Binary::Modulo if b == Number::from(0_i64) => {
                return self.fail(code::EXPRESSION, right_id, "a division by zero", "this is zero");
            }
            Binary::Divide => divide(&a, &b),
            _ => modulo(&a, &b),
        };
        match result {
            Some(number) => Value::number(number).mark(sensitive),
            None => self.fail(code::EXPRESSION, id, "a number is out of range", "the result is too large or too small"),
        }
    }

    /// The second operand is only looked at when the first does not decide.
    fn logic(&mut self, operator: Binary, left_id: ExprId, right_id: ExprId) -> Value {
        let what = if operator == Binary::And { "an operand of `&&`" } else { "an operand of `||`" };
        let left = self.evaluate(left_id);
        let decides = operator == Binary::Or;
        let known = self.as_bool(&left, left_id, what);
        if known == Some(decides) {
            return Value::bool(decides).mark(left.sensitive);
        }
        let right = self.evaluate(right_id);
        let sensitive = left.sensitive || right.sensitive;
        match (known, self.as_bool(&right, right_id, what)) {
            (Some(_), Some(right)) => Value::bool(right).mark(sensitive),
            (None, Some(right)) if left.is_unknown() && right == decides => Value::bool(decides).mark(sensitive),
            (None, Some(_)) if left.is_unknown() => Value::unknown(Type::Bool).mark(sensitive),
            (_, None) if right.is_unknown() && (known.is_some() || left.is_unknown()) => {
                Value::unknown(Type::Bool).mark(sensitive)
            }
            _ => Value::POISON,
        }
    }

    fn equality(&mut self, operator: Binary, left: &Value, right: &Value, id: ExprId) -> Value {
        if left.has_poison() || right.has_poison() || !self.spend(left.weight().min(right.weight()), id) {
            return Value::POISON;
        }
        if left.has_unknown() || right.has_unknown() {
            return Value::unknown(Type::Bool);
        }
        Value::bool((left.order(right) == Ordering::Equal) == (operator == Binary::Equal))
    }

    /// Returns an operand as a number, or reports that it is none; what is poison or unknown gives nothing either.
    fn operand(&mut self, value: &Value, id: ExprId, sign: &str) -> Option<Number> {
        let number = number_of(value);
        if number.is_none() && !value.is_poison() && !value.is_unknown() {
            let label = format!("a number is needed, but this is {}", given(value));
            self.fail(code::EXPRESSION, id, format!("`{sign}` takes numbers"), label);
        }
        number
    }
}

fn is_comparison(operator: Binary) -> bool {
    matches!(operator, Binary::Less | Binary::LessEqual | Binary::Greater | Binary::GreaterEqual)
}

fn sign(operator: Binary) -> &'static str {
    match operator {
        Binary::Equal => "==",
        Binary::NotEqual => "!=",
        Binary::Less => "<",
        Binary::LessEqual => "<=",
        Binary::Greater => ">",
        Binary::GreaterEqual => ">=",
        Binary::Add => "+",
        Binary::Subtract => "-",
        Binary::Multiply => "*",
        Binary::Divide => "/",
        Binary::Modulo => "%",
        Binary::And => "&&",
        Binary::Or => "||",
    }
}
