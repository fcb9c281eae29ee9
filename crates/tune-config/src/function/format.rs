//! `format`: values put into a text by verbs such as `%s` and `%05d`.

use bigdecimal::RoundingMode;
use bigdecimal::num_bigint::BigInt;

use super::{Call, Failure, json};
use crate::convert::{bool_of, number_of, text_of};
use crate::value::{Data, Value};

/// Wider fields than this are a mistake, or worse.
const MAX_WIDTH: usize = 10_000;

/// One verb: `%[flags][width][.precision]letter`.
#[derive(Default)]
struct Verb {
    /// Some of `-`, `+`, space, `0` and `#`.
    flags: String,
    width: usize,
    precision: Option<usize>,
    letter: char,
}

pub(super) fn format(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut text = String::new();
    let mut next = 1;
    let mut rest = call.text(0);
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        let (verb, length) = read(&rest[at + 1..])?;
        rest = &rest[at + 1 + length..];
        if verb.letter == '%' {
            text.push('%');
            continue;
        }
        let Some(value) = call.arguments.get(next) else {
            return Err(Failure::of(0, "there are more verbs than values"));
        };
        let shown = show(&verb, value).map_err(|reason| Failure::of(next, reason))?;
        text.push_str(&pad(&verb, shown));
        next += 1;
    }
    text.push_str(rest);
    if next < call.arguments.len() {
        return Err(Failure::of(next, "there is no verb for this value"));
    }
    Ok(Value::string(text))
}

/// Reads a verb behind its `%` and says how long it is.
fn read(text: &str) -> Result<(Verb, usize), Failure> {
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
        return Err(Failure::of(0, format!("a width is at most {MAX_WIDTH}")));
    }
    match text[at..].chars().next() {
        Some(letter) => Ok((Verb { letter, ..verb }, at + letter.len_utf8())),
        None => Err(Failure::of(0, "the text ends within a verb; write `%%` for a percent sign")),
    }
}

/// Reads a number, and says how long it is. One that is far too large is read as the largest.
fn digits(text: &str) -> (usize, usize) {
    let length = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number = if length == 0 { 0 } else { text[..length].parse().unwrap_or(usize::MAX) };
    (number, length)
}

fn show(verb: &Verb, value: &Value) -> Result<String, String> {
    let whole = |radix: u32| -> Result<String, String> {
        let number = number_of(value).filter(tune_core::Number::is_integer).ok_or("a whole number is needed here")?;
        let digits: BigInt = number.as_decimal().with_scale(0).as_bigint_and_exponent().0;
        Ok(signed(verb, digits.to_str_radix(radix)))
    };
    match verb.letter {
        'v' if verb.flags.contains('#') => Ok(json::encode(value)),
        'v' => Ok(text_of(value).map_or_else(|| json::encode(value), |text| text.to_string())),
        's' | 'q' => {
            let text = text_of(value).ok_or("a string is needed here")?;
            let text: String = match verb.precision {
                Some(precision) => text.chars().take(precision).collect(),
                None => text.to_string(),
            };
            Ok(if verb.letter == 'q' { json::encode(&Value::string(text)) } else { text })
        }
        't' => bool_of(value).map(|value| value.to_string()).ok_or_else(|| "a bool is needed here".to_owned()),
        'd' => whole(10),
        'b' => whole(2),
        'o' => whole(8),
        'x' | 'X' => {
            let digits = match &value.data {
                Data::String(text) if number_of(value).is_none() => super::encoding::hexadecimal(text.as_bytes()),
                _ => whole(16)?,
            };
            Ok(if verb.letter == 'X' { digits.to_uppercase() } else { digits })
        }
        'f' => {
            let number = number_of(value).ok_or("a number is needed here")?;
            let precision = i64::try_from(verb.precision.unwrap_or(6)).unwrap_or(0);
            let rounded = number.as_decimal().with_scale_round(precision, RoundingMode::HalfEven);
            Ok(signed(verb, rounded.to_plain_string()))
        }
        _ => Err("there is no such verb for it; `%v` takes any value".to_owned()),
    }
}

fn signed(verb: &Verb, digits: String) -> String {
    match digits {
        digits if digits.starts_with('-') => digits,
        digits if verb.flags.contains('+') => format!("+{digits}"),
        digits if verb.flags.contains(' ') => format!(" {digits}"),
        digits => digits,
    }
}

fn pad(verb: &Verb, shown: String) -> String {
    let missing = verb.width.saturating_sub(shown.chars().count());
    if verb.flags.contains('-') {
        return shown + &" ".repeat(missing);
    }
    if !verb.flags.contains('0') {
        return " ".repeat(missing) + &shown;
    }
    // Zeros stand between the sign and the digits.
    let sign = shown.len() - shown.trim_start_matches(['+', '-', ' ']).len();
    format!("{}{}{}", &shown[..sign], "0".repeat(missing), &shown[sign..])
}
