//! One verb of a format: `%[flags][width][.precision][[argument]]letter`.

use std::num::NonZeroU64;

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, RoundingMode, Zero as _};
use tune_core::Number;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::convert::{bool_of, number_of, text_of};
use crate::function::{json, string};
use crate::value::{Data, Value};

/// Wider fields than this are a mistake, or worse.
const MAX_WIDTH: usize = 10_000;

#[derive(Default)]
pub(super) struct Verb {
    /// Some of `-`, `+`, space, `0` and `#`.
    flags: String,
    width: usize,
    precision: Option<usize>,
    /// The position of the value, where the verb names one.
    pub argument: Option<usize>,
    pub letter: char,
}

/// Reads a verb behind its `%` and says how long it is.
pub(super) fn read(text: &str) -> Result<(Verb, usize), String> {
    let flags = text.len() - text.trim_start_matches(['-', '+', ' ', '0', '#']).len();
    let (width, width_length) = digits(&text[flags..]);
    let mut at = flags + width_length;
    let mut verb = Verb { flags: text[..flags].to_owned(), width, ..Verb::default() };
    if text[at..].starts_with('.') {
        let (precision, length) = digits(&text[at + 1..]);
        verb.precision = Some(precision);
        at += 1 + length;
    }
    if verb.width > MAX_WIDTH || verb.precision.is_some_and(|precision| precision > MAX_WIDTH) {
        return Err(format!("a width is at most {MAX_WIDTH}"));
    }
    if text[at..].starts_with('[') {
        let (number, length) = digits(&text[at + 1..]);
        if length == 0 || number == 0 || !text[at + 1 + length..].starts_with(']') {
            return Err("a value is named by its number, as in `%[1]s`".to_owned());
        }
        verb.argument = Some(number - 1);
        at += length + 2;
    }
    match text[at..].chars().next() {
        Some('%') if at > 0 => Err("a percent sign is written `%%`, with nothing between".to_owned()),
        Some(letter) => Ok((Verb { letter, ..verb }, at + letter.len_utf8())),
        None => Err("the text ends within a verb; write `%%` for a percent sign".to_owned()),
    }
}

/// Reads a number, and says how long it is. One that is far too large is read as the largest.
fn digits(text: &str) -> (usize, usize) {
    let length = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number = if length == 0 { 0 } else { text[..length].parse().unwrap_or(usize::MAX) };
    (number, length)
}

impl Verb {
    /// Returns the value as the verb wants it, or what is needed instead.
    pub(super) fn show(&self, value: &Value) -> Result<String, String> {
        if value.is_null() && self.letter != 'v' {
            return Err("a value is needed here, but this is `null`".to_owned());
        }
        match self.letter {
            'v' => Ok(self.any(value)),
            's' | 'q' => {
                let text = text_of(value).ok_or("a string is needed here")?;
                let text = match self.precision {
                    Some(precision) => text.graphemes(true).take(precision).collect(),
                    None => text.to_string(),
                };
                Ok(self.pad(if self.letter == 'q' { json::encode(&Value::string(text)) } else { text }))
            }
            't' => bool_of(value).map(|value| value.to_string()).ok_or_else(|| "a bool is needed here".to_owned()),
            'd' => self.whole(value, 10, ""),
            'b' => self.whole(value, 2, "0b"),
            'o' => self.whole(value, 8, "0"),
            'x' => self.whole(value, 16, "0x"),
            'X' => self.whole(value, 16, "0x").map(|text| text.to_uppercase()),
            'e' | 'E' | 'f' | 'g' | 'G' => {
                let number = number_of(value).ok_or("a number is needed here")?;
                let text = self.float(&number);
                Ok(self.pad_number(&if self.letter.is_uppercase() { text.to_uppercase() } else { text }))
            }
            _ => Err("there is no such verb for it; `%v` takes any value".to_owned()),
        }
    }

    fn any(&self, value: &Value) -> String {
        match &value.data {
            _ if self.flags.contains('#') => self.pad(json::encode(value)),
            Data::Bool(value) => value.to_string(),
            Data::String(text) => self.pad(text.to_string()),
            Data::Number(number) => {
                let shown = shortest(number.as_decimal());
                let plain =
                    Self { flags: self.flags.replace(['+', ' '], ""), ..Self { width: self.width, ..Self::default() } };
                plain.pad_number(&shown)
            }
            _ => self.pad(json::encode(value)),
        }
    }

    fn whole(&self, value: &Value, radix: u32, prefix: &str) -> Result<String, String> {
        let number = number_of(value).filter(Number::is_integer).ok_or("a whole number is needed here")?;
        let whole: BigInt = number.as_decimal().with_scale(0).as_bigint_and_exponent().0;
        let digits = whole.magnitude().to_str_radix(radix);
        let zeros = "0".repeat(self.precision.unwrap_or(0).saturating_sub(digits.len()));
        let prefix = if self.flags.contains('#') { prefix } else { "" };
        let sign = if whole < BigInt::zero() { "-" } else { "" };
        Ok(self.pad_number(&format!("{sign}{prefix}{zeros}{digits}")))
    }

    fn float(&self, number: &Number) -> String {
        let decimal = number.as_decimal();
        match self.letter {
            'f' => {
                let places = i64::try_from(self.precision.unwrap_or(6)).unwrap_or(0);
                decimal.with_scale_round(places, RoundingMode::HalfEven).to_plain_string()
            }
            'e' | 'E' => scientific(decimal, self.precision.unwrap_or(6) + 1),
            _ => match self.precision {
                Some(precision) => general(&rounded(decimal, precision.max(1)), precision.max(1)),
                None => shortest(decimal),
            },
        }
    }

    fn pad_number(&self, shown: &str) -> String {
        let shown = match shown {
            shown if shown.starts_with('-') => shown.to_owned(),
            shown if self.flags.contains('+') => format!("+{shown}"),
            shown if self.flags.contains(' ') => format!(" {shown}"),
            shown => shown.to_owned(),
        };
        self.pad(shown)
    }

    fn pad(&self, shown: String) -> String {
        let missing = self.width.saturating_sub(string::characters(&shown));
        if self.flags.contains('-') {
            return shown + &" ".repeat(missing);
        }
        if !self.flags.contains('0') {
            return " ".repeat(missing) + &shown;
        }
        // Zeros stand between the sign and the digits.
        let sign = if matches!(self.letter, 's' | 'q') {
            0
        } else {
            shown.len() - shown.trim_start_matches(['+', '-', ' ']).len()
        };
        format!("{}{}{}", &shown[..sign], "0".repeat(missing), &shown[sign..])
    }
}

fn rounded(decimal: &BigDecimal, digits: usize) -> BigDecimal {
    let digits = NonZeroU64::new(digits as u64).unwrap_or(NonZeroU64::MIN);
    if decimal.digits() <= digits.get() {
        decimal.clone()
    } else {
        decimal.with_precision_round(digits, RoundingMode::HalfEven)
    }
}

/// Returns a number with as many digits as it has: without an exponent if it is neither small nor large.
fn shortest(decimal: &BigDecimal) -> String {
    general(decimal, 6)
}

/// Returns all digits, with an exponent if there were more of them before the point than `places`, or many zeros behind.
fn general(decimal: &BigDecimal, places: usize) -> String {
    let (digits, exponent) = parts(decimal);
    let places = i64::try_from(places).unwrap_or(i64::MAX);
    if exponent < -4 || exponent >= places {
        scientific(decimal, digits.len())
    } else {
        decimal.normalized().to_plain_string()
    }
}

/// Returns a number with so many digits and an exponent: `1.5e+03`.
fn scientific(decimal: &BigDecimal, digits: usize) -> String {
    let rounded = rounded(decimal, digits);
    let (shown, exponent) = parts(&rounded);
    let sign = if *decimal < BigDecimal::zero() { "-" } else { "" };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    let (first, rest) = shown.split_at(1);
    let rest = format!("{rest:0<width$}", width = digits - 1);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{first}{point}{rest}e{exponent_sign}{:02}", exponent.abs())
}

/// Returns the digits without zeros around them, and the power of ten that the first of them stands for.
fn parts(decimal: &BigDecimal) -> (String, i64) {
    if decimal.is_zero() {
        return ("0".to_owned(), 0);
    }
    let (digits, scale) = decimal.normalized().into_bigint_and_exponent();
    let digits = digits.magnitude().to_string();
    let exponent = i64::try_from(digits.len()).unwrap_or(0) - 1 - scale;
    (digits, exponent)
}
