//! Functions about numbers, and the arithmetic that the decimal library leaves to us.

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, RoundingMode};
use tune_core::Number;

use super::{Call, Failure, Function, Shape, row, takes};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    row("abs", &[takes("number", Shape::Number)], Shape::Number, "The number without its sign.", |call| {
        exact(&call.number(0).as_decimal().abs())
    }),
    row("ceil", &[takes("number", Shape::Number)], Shape::Number, "The next whole number upwards.", |call| {
        exact(&call.number(0).as_decimal().with_scale_round(0, RoundingMode::Ceiling))
    }),
    row("floor", &[takes("number", Shape::Number)], Shape::Number, "The next whole number downwards.", |call| {
        exact(&call.number(0).as_decimal().with_scale_round(0, RoundingMode::Floor))
    }),
    row("max", &[takes("number", Shape::Number)], Shape::Number, "The largest of the numbers.", |call| {
        Ok(call.arguments.iter().max_by(|a, b| a.order(b)).cloned().unwrap_or(Value::NULL))
    })
    .rest(takes("number", Shape::Number)),
    row("min", &[takes("number", Shape::Number)], Shape::Number, "The smallest of the numbers.", |call| {
        Ok(call.arguments.iter().min_by(|a, b| a.order(b)).cloned().unwrap_or(Value::NULL))
    })
    .rest(takes("number", Shape::Number)),
    row(
        "parseint",
        &[takes("text", Shape::Text), takes("base", Shape::Integer)],
        Shape::Number,
        "The whole number that a text holds in a base from 2 to 36.",
        parseint,
    ),
    row("signum", &[takes("number", Shape::Number)], Shape::Number, "-1, 0 or 1, after the number's sign.", |call| {
        let zero = Number::from(0_i64);
        Ok(Value::integer(match call.number(0).cmp(&zero) {
            std::cmp::Ordering::Less => -1,
            std::cmp::Ordering::Equal => 0,
            std::cmp::Ordering::Greater => 1,
        }))
    }),
];

/// Returns the quotient, rounded to the precision of [`Number`]; `None` if it is out of range. `b` is not zero.
pub(crate) fn divide(a: &Number, b: &Number) -> Option<Number> {
    /// A few digits more than a number keeps, so that the last one is rounded and not cut.
    const DIGITS: u64 = 160;
    let (a_digits, a_scale) = a.as_decimal().as_bigint_and_exponent();
    let (b_digits, b_scale) = b.as_decimal().as_bigint_and_exponent();
    let missing = (DIGITS + b.as_decimal().digits()).saturating_sub(a.as_decimal().digits());
    let shift = u32::try_from(missing).ok()?;
    let quotient = a_digits * BigInt::from(10).pow(shift) / b_digits;
    let scale = a_scale - b_scale + i64::from(shift);
    Number::from_decimal(&BigDecimal::new(quotient, scale)).ok()
}

/// Returns what is left after division, with the sign of `a`, as Terraform has it. `b` is not zero.
pub(crate) fn modulo(a: &Number, b: &Number) -> Option<Number> {
    Number::from_decimal(&(a.as_decimal() % b.as_decimal())).ok()
}

fn exact(decimal: &BigDecimal) -> Result<Value, Failure> {
    Number::from_decimal(decimal).map(Value::number).map_err(|error| Failure::new(error.to_string()))
}

fn parseint(call: &mut Call<'_>) -> Result<Value, Failure> {
    let base = u32::try_from(call.integer(1)).ok().filter(|base| (2..=36).contains(base));
    let base = base.ok_or_else(|| Failure::of(1, "a base is between 2 and 36"))?;
    let text = call.text(0);
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.len() <= 1_000 && digits.chars().all(|c| c.is_digit(base));
    let parsed = if is_number { BigInt::parse_bytes(text.as_bytes(), base) } else { None };
    let parsed = parsed.ok_or_else(|| Failure::of(0, format!("the text is no whole number in base {base}")))?;
    exact(&BigDecimal::from(parsed))
}
