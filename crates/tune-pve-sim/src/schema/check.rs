//! Checks values against their properties and collects all errors, one text per parameter.

use super::property::parse_property_string;
use super::{Errors, Format, Kind, Params, Prop, Table, Value, matches, split_list};

/// Checks all parameters of a call.
pub(crate) fn check_params(table: &Table, params: &Params) -> Errors {
    let mut errors = Errors::new();
    for key in table.required() {
        if params.get(key).is_none_or(|value| *value == Value::Undef) {
            add_error(&mut errors, key, "property is missing and it is not optional");
        }
    }
    for (key, value) in params {
        let Some(prop) = table.get(key) else {
            add_error(&mut errors, key, NOT_IN_SCHEMA);
            continue;
        };
        check_value(value, prop, key, &mut errors);
        if let Some(other) = prop.requires
            && params.get(other).is_none_or(|value| *value == Value::Undef)
        {
            add_error(&mut errors, other, &format!("missing property required by '{key}'"));
        }
    }
    errors
}

/// The text for a key that the schema does not know.
pub(crate) const NOT_IN_SCHEMA: &str =
    "property is not defined in schema and the schema does not allow additional properties";

/// Adds an error for `path`; an empty path is the parameter object itself.
pub(crate) fn add_error(errors: &mut Errors, path: &str, message: &str) {
    let path = if path.is_empty() { "_root" } else { path };
    errors
        .entry(path.to_owned())
        .and_modify(|text| {
            text.push_str("\\n");
            text.push_str(message);
        })
        .or_insert_with(|| message.to_owned());
}

/// Checks one defined value; an undefined one passes, because whether it may be missing is judged elsewhere.
pub(crate) fn check_value(value: &Value, prop: &Prop, path: &str, errors: &mut Errors) {
    if *value == Value::Undef {
        return;
    }
    if let Err(message) = check_kind(value, prop.kind) {
        return add_error(errors, path, &message);
    }
    if let Some(text) = value.text()
        && !matches!(value, Value::Bool(_))
        && let Err(message) = check_text(text, prop, path)
    {
        add_error(errors, path, &message);
    }
}

fn check_kind(value: &Value, kind: Kind) -> Result<(), String> {
    let failed = |got: &str| Err(format!("type check ('{}') failed - got {got}", kind.name()));
    match (kind, value) {
        (Kind::Array, Value::Array(_)) | (Kind::Boolean, Value::Bool(_)) => Ok(()),
        (Kind::Array, _) => Err("type check ('array') failed".to_owned()),
        (_, Value::Array(_)) => failed("ARRAY"),
        (_, Value::Object) => failed("HASH"),
        (_, Value::Bool(_)) => failed("JSON::PP::Boolean"),
        (_, Value::Undef) => Ok(()),
        (kind, Value::Text(text)) => check_scalar_kind(text, kind),
    }
}

/// Checks that a text has the kind's form.
pub(crate) fn check_scalar_kind(text: &str, kind: Kind) -> Result<(), String> {
    let fits = match kind {
        Kind::String | Kind::Array => true,
        Kind::Boolean => text == "1" || text == "0",
        Kind::Integer => is_integer(text),
        Kind::Number => is_number(text),
    };
    if fits { Ok(()) } else { Err(format!("type check ('{}') failed - got '{text}'", kind.name())) }
}

/// Checks a text against everything but its kind.
pub(crate) fn check_text(text: &str, prop: &Prop, path: &str) -> Result<(), String> {
    check_format(&prop.format, text, path).map_err(|error| format!("invalid format - {error}"))?;
    if prop.pattern.as_ref().is_some_and(|pattern| !matches(pattern, text)) {
        return Err("value does not match the regex pattern".to_owned());
    }
    let length = text.chars().count();
    if let Some(most) = prop.max_length.filter(|most| length > *most) {
        return Err(format!("value may only be {most} characters long"));
    }
    if let Some(least) = prop.min_length.filter(|least| length < *least) {
        return Err(format!("value must be at least {least} characters long"));
    }
    if is_number(text) {
        let number = text.trim_end_matches('\n').parse::<f64>().unwrap_or(0.0);
        if let Some(maximum) = prop.maximum.filter(|maximum| number > *maximum) {
            return Err(format!("value must have a maximum value of {maximum}"));
        }
        if let Some(minimum) = prop.minimum.filter(|minimum| number < *minimum) {
            return Err(format!("value must have a minimum value of {minimum}"));
        }
    }
    if !prop.choices.is_empty() && !prop.choices.iter().any(|choice| choice == text) {
        let choices = prop.choices.join(", ");
        return Err(format!("value '{text}' does not have a value in the enumeration '{choices}'"));
    }
    Ok(())
}

/// Applies only the format, as the parser of configuration files does.
pub(crate) fn check_format(format: &Format, text: &str, path: &str) -> Result<(), String> {
    match format {
        Format::None => Ok(()),
        Format::One(check) => check(text),
        Format::List(check) => split_list(text).into_iter().try_for_each(check),
        Format::Props(props) => parse_property_string(props, text, path).map(|_| ()),
    }
}

/// A whole number with an optional sign; digits of any script, and a last line feed, are let through.
pub(crate) fn is_integer(text: &str) -> bool {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.chars().all(char::is_numeric)
}

/// A decimal number with optional sign, fraction and exponent.
pub(crate) fn is_number(text: &str) -> bool {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |text: &str| text.chars().all(char::is_numeric);
    let whole = match mantissa.split_once('.') {
        Some((left, right)) => digits(left) && digits(right) && !(left.is_empty() && right.is_empty()),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    whole
        && exponent.is_none_or(|power| {
            let power = power.strip_prefix(['+', '-']).unwrap_or(power);
            !power.is_empty() && digits(power)
        })
}
