//! Decimal numbers as a configuration writes them. This module does no arithmetic of its own; it bounds what the
//! decimal library would otherwise let grow without limit.

use std::fmt;
use std::str::FromStr;

use bigdecimal::{BigDecimal, ToPrimitive, Zero};

/// Significant decimal digits that are kept; Terraform's 512-bit floats hold about as many.
const PRECISION: u64 = 154;
/// Digits that are kept beside them and never printed, so that `10 / 3 * 3` is 10: a result that is a short number but for
/// these is that number.
const GUARD: u64 = 6;
/// Largest decimal exponent accepted, so that `1e1000000000` cannot ask for a gigabyte of zeros.
const MAX_EXPONENT: i64 = 1_000;

/// An exact decimal number with bounded precision.
///
/// Invariant: at most 160 significant digits, of which 154 are printed, and an exponent of at most ±1000, so printing one is
/// always cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(BigDecimal);

/// A text that is not a number, or a number outside the supported range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The text is not a decimal number.
    #[error("`{0}` is not a number")]
    Syntax(String),
    /// The result would need more than ±1000 as its exponent.
    #[error("the number is outside the supported range (exponent beyond ±{MAX_EXPONENT})")]
    Range,
}

impl Number {
    /// Returns the number for a decimal, rounded to the supported precision.
    pub fn from_decimal(decimal: &BigDecimal) -> Result<Self, NumberError> {
        if decimal.is_zero() {
            return Ok(Self(BigDecimal::zero()));
        }
        let (_, scale) = decimal.as_bigint_and_exponent();
        if scale.abs() > 2 * MAX_EXPONENT {
            return Err(NumberError::Range);
        }
        let digits = i64::try_from(decimal.digits()).unwrap_or(i64::MAX);
        if (digits - scale).abs() > MAX_EXPONENT {
            return Err(NumberError::Range);
        }
        if decimal.digits() <= PRECISION {
            return Ok(Self(decimal.normalized()));
        }
        let printed = decimal.with_prec(PRECISION).normalized();
        if printed.digits() + GUARD <= PRECISION {
            return Ok(Self(printed));
        }
        let kept =
            if decimal.digits() > PRECISION + GUARD { decimal.with_prec(PRECISION + GUARD) } else { decimal.clone() };
        Ok(Self(kept.normalized()))
    }

    /// Returns the exact decimal, for arithmetic.
    pub fn as_decimal(&self) -> &BigDecimal {
        &self.0
    }

    /// Returns the number as an integer, or `None` if it has a fraction or does not fit.
    pub fn as_i64(&self) -> Option<i64> {
        if self.0.is_integer() { self.0.to_i64() } else { None }
    }

    /// Returns the number as an unsigned integer, or `None` if it is negative, has a fraction or does not fit.
    pub fn as_u64(&self) -> Option<u64> {
        if self.0.is_integer() { self.0.to_u64() } else { None }
    }

    /// Returns the nearest binary floating-point number.
    pub fn to_f64(&self) -> f64 {
        self.0.to_f64().unwrap_or(f64::NAN)
    }

    /// Returns whether the number has no fraction.
    pub fn is_integer(&self) -> bool {
        self.0.is_integer()
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(BigDecimal::from(value).normalized())
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self(BigDecimal::from(value).normalized())
    }
}

impl FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        let plain = text.strip_prefix('-').unwrap_or(text);
        let starts_with_digit = plain.starts_with(|first: char| first.is_ascii_digit());
        let known = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
        if !starts_with_digit || !plain.chars().all(known) || text.len() > 4_096 {
            return Err(NumberError::Syntax(text.chars().take(64).collect()));
        }
        // The exponent is looked at before the library sees it, because parsing is where it would allocate.
        if let Some((_, exponent)) = plain.split_once(['e', 'E']) {
            match exponent.trim_start_matches('+').parse::<i64>() {
                Ok(exponent) if exponent.abs() <= MAX_EXPONENT => {}
                _ => return Err(NumberError::Range),
            }
        }
        let decimal = BigDecimal::from_str(text).map_err(|_| NumberError::Syntax(text.into()))?;
        Self::from_decimal(&decimal)
    }
}

/// Prints plain decimal digits, never an exponent: `1000000`, `0.25`.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.digits() > PRECISION {
            return f.write_str(&self.0.with_prec(PRECISION).normalized().to_plain_string());
        }
        f.write_str(&self.0.to_plain_string())
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<Number>().map_or_else(|error| error.to_string(), |number| number.to_string())
    }

    #[test]
    fn prints_plain_digits() {
        assert_eq!(shown("10"), "10");
        assert_eq!(shown("1e3"), "1000");
        assert_eq!(shown("0.250"), "0.25");
        assert_eq!(shown("-0"), "0");
        assert_eq!(shown("18446744073709551616"), "18446744073709551616");
    }

    #[test]
    fn refuses_what_is_not_a_number_or_too_large() {
        assert_eq!(shown("0x10"), "`0x10` is not a number");
        assert_eq!(shown(""), "`` is not a number");
        assert!(shown("1e999999999").contains("outside the supported range"));
    }
}
