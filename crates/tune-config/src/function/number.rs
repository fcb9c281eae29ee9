//! Functions about numbers, and the arithmetic that the decimal library leaves to us.

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, RoundingMode};
use tune_core::Number;

use super::{Call, Failure, Function, Shape, row, takes};
use crate::convert::number_of;
use crate::value::Value;

/// Longer texts are no numbers that anybody wrote.
const MAX_DIGITS: usize = 1_000;

pub(super) const FUNCTIONS: &[Function] = &[
    row("abs", &[takes("number", Shape::Number)], Shape::Number, "The number without its sign.", |call| {
        exact(&call.number(0).as_decimal().abs())
    })
    .example("abs(-1.5)"),
    row("ceil", &[takes("number", Shape::Number)], Shape::Number, "The next whole number upwards.", |call| {
        exact(&call.number(0).as_decimal().with_scale_round(0, RoundingMode::Ceiling))
    })
    .example("ceil(1.1)"),
    row("floor", &[takes("number", Shape::Number)], Shape::Number, "The next whole number downwards.", |call| {
        exact(&call.number(0).as_decimal().with_scale_round(0, RoundingMode::Floor))
    })
    .example("floor(-1.1)"),
    row(
        "log",
        &[takes("number", Shape::Number), takes("base", Shape::Number)],
        Shape::Number,
        "The logarithm in a base, to about 15 digits.",
        |call| {
            let logarithm = libm::log(call.number(0).to_f64()) / libm::log(call.number(1).to_f64());
            float(logarithm)
        },
    )
    .example("log(16, 2)"),
    row("max", &[takes("number", Shape::Number)], Shape::Number, "The largest of the numbers.", |call| {
        Ok(call.arguments.iter().max_by(|a, b| a.order(b)).cloned().unwrap_or(Value::NULL))
    })
    .rest(takes("number", Shape::Number))
    .example("max(1, 3, 2)\nmax([1, 3, 2]...)"),
    row("min", &[takes("number", Shape::Number)], Shape::Number, "The smallest of the numbers.", |call| {
        Ok(call.arguments.iter().min_by(|a, b| a.order(b)).cloned().unwrap_or(Value::NULL))
    })
    .rest(takes("number", Shape::Number))
    .example("min(3, 1, 2)"),
    row(
        "parseint",
        &[takes("text", Shape::Any), takes("base", Shape::Integer)],
        Shape::Number,
        "The whole number that a text holds in a base from 2 to 62.",
        parseint,
    )
    .example("parseint(\"ff\", 16)"),
    row(
        "pow",
        &[takes("number", Shape::Number), takes("power", Shape::Number)],
        Shape::Number,
        "The number raised to a power, to about 15 digits.",
        |call| float(power(call.number(0).to_f64(), call.number(1).to_f64())),
    )
    .example("pow(2, 10)\npow(2, 0.5)"),
    row("signum", &[takes("number", Shape::Integer)], Shape::Number, "-1, 0 or 1, after the number's sign.", |call| {
        let zero = Number::from(0_i64);
        Ok(Value::integer(match call.number(0).cmp(&zero) {
            std::cmp::Ordering::Less => -1,
            std::cmp::Ordering::Equal => 0,
            std::cmp::Ordering::Greater => 1,
        }))
    })
    .example("signum(-3)"),
    row("sum", &[takes("numbers", Shape::List)], Shape::Number, "All numbers of the list added up.", sum)
        .example("sum([10, 13, 6, 4.5])"),
];

/// Returns the quotient, rounded to the precision of [`Number`]; `None` if it is out of range. `b` is not zero.
pub(crate) fn divide(a: &Number, b: &Number) -> Option<Number> {
    /// A few digits more than a number keeps, so that the last one is rounded and not cut.
    const DIGITS: u64 = 166;
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

/// Returns what a computation in binary floating point gave, as the shortest decimal that stands for it.
fn float(result: f64) -> Result<Value, Failure> {
    if result.is_nan() {
        return Err(Failure::new("there is no such number"));
    }
    if result.is_infinite() {
        return Err(Failure::new("the result is infinite, or too large"));
    }
    result.to_string().parse().map(Value::number).map_err(|_| Failure::new("the result is out of range"))
}

/// Raises `x` to `y`. The platform's own function may differ in the last digit from machine to machine, so this one
/// multiplies for the whole part of the power, in the order in which Go does, and takes logarithms for the rest only.
#[expect(clippy::float_cmp, reason = "the special cases are exact")]
fn power(x: f64, y: f64) -> f64 {
    /// From here on a float has no odd numbers, and every result is 0, 1 or infinite.
    const HUGE: f64 = 9e18;
    if y == 0.0 || x == 1.0 {
        return 1.0;
    }
    if y.abs() == 0.5 {
        return if y > 0.0 { libm::sqrt(x) } else { 1.0 / libm::sqrt(x) };
    }
    let (mut whole, mut part) = (libm::trunc(y.abs()), y.abs() - libm::trunc(y.abs()));
    if part != 0.0 && x < 0.0 {
        return f64::NAN;
    }
    if whole >= HUGE {
        return match x.abs() {
            1.0 => 1.0,
            size if (size < 1.0) == (y > 0.0) => 0.0,
            _ => f64::INFINITY,
        };
    }
    let mut result = 1.0;
    if part != 0.0 {
        if part > 0.5 {
            part -= 1.0;
            whole += 1.0;
        }
        result = libm::exp(part * libm::log(x));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole, positive and below 9e18")]
    let mut bits = whole as u64;
    let mut square = x;
    while bits != 0 {
        if bits & 1 == 1 {
            result *= square;
        }
        bits >>= 1;
        square *= square;
    }
    if y < 0.0 { 1.0 / result } else { result }
}

fn parseint(call: &mut Call<'_>) -> Result<Value, Failure> {
    let text = call.value(0).as_str().ok_or_else(|| Failure::of(0, "a string is needed here"))?;
    let base = u32::try_from(call.integer(1)).ok().filter(|base| (2..=62).contains(base));
    let base = base.ok_or_else(|| Failure::of(1, "a base is between 2 and 62"))?;
    let no_number = || Failure::of(0, format!("the text is no whole number in base {base}"));
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return Err(no_number());
    }
    let mut number = BigInt::ZERO;
    for c in digits.bytes() {
        let digit = match c {
            b'0'..=b'9' => c - b'0',
            b'a'..=b'z' => c - b'a' + 10,
            // Only bases that need more digits than there are letters tell the cases apart.
            b'A'..=b'Z' if base > 36 => c - b'A' + 36,
            b'A'..=b'Z' => c - b'A' + 10,
            _ => return Err(no_number()),
        };
        if u32::from(digit) >= base {
            return Err(no_number());
        }
        number = number * base + digit;
    }
    exact(&BigDecimal::from(if text.starts_with('-') { -number } else { number }))
}

fn sum(call: &mut Call<'_>) -> Result<Value, Failure> {
    let items = call.items(0);
    if items.is_empty() {
        return Err(Failure::of(0, "there is nothing to add up"));
    }
    let mut sum = BigDecimal::from(0);
    for item in items {
        let number = number_of(item).ok_or_else(|| Failure::of(0, "all elements must be numbers"))?;
        sum += number.as_decimal();
    }
    exact(&sum)
}
