//! Functions about texts. Characters are Unicode code points.

use super::{Call, Failure, Function, Shape, format, row, takes};
use crate::value::Value;

/// Longer results are refused before they are built.
const MAX_BYTES: usize = 32 << 20;

pub(super) const FUNCTIONS: &[Function] = &[
    row(
        "endswith",
        &[takes("text", Shape::Text), takes("suffix", Shape::Text)],
        Shape::Bool,
        "Whether the text ends with the suffix.",
        |call| Ok(Value::bool(call.text(0).ends_with(call.text(1)))),
    ),
    row(
        "format",
        &[takes("format", Shape::Text)],
        Shape::Text,
        "A text with values put in place of `%s`, `%d`, `%v`, `%q`, `%t`, `%f`, `%b`, `%o` and `%x`.",
        format::format,
    )
    .rest(takes("value", Shape::Any).or_null()),
    row(
        "join",
        &[takes("separator", Shape::Text)],
        Shape::Text,
        "All texts of the lists, with the separator between them.",
        join,
    )
    .rest(takes("list", Shape::Texts)),
    row("lower", &[takes("text", Shape::Text)], Shape::Text, "The text in lower case.", |call| {
        Ok(Value::string(call.text(0).to_lowercase()))
    }),
    row(
        "replace",
        &[takes("text", Shape::Text), takes("part", Shape::Text), takes("replacement", Shape::Text)],
        Shape::Text,
        "The text with every occurrence of the part replaced.",
        replace,
    ),
    row(
        "split",
        &[takes("separator", Shape::Text), takes("text", Shape::Text)],
        Shape::Texts,
        "The parts of the text between the separators.",
        |call| Ok(split(call)),
    ),
    row(
        "startswith",
        &[takes("text", Shape::Text), takes("prefix", Shape::Text)],
        Shape::Bool,
        "Whether the text starts with the prefix.",
        |call| Ok(Value::bool(call.text(0).starts_with(call.text(1)))),
    ),
    row(
        "substr",
        &[takes("text", Shape::Text), takes("offset", Shape::Integer), takes("length", Shape::Integer)],
        Shape::Text,
        "A part of the text; a negative offset counts from the end, a negative length means all the rest.",
        |call| Ok(substr(call)),
    ),
    row(
        "trim",
        &[takes("text", Shape::Text), takes("characters", Shape::Text)],
        Shape::Text,
        "The text without any of the characters at both ends.",
        |call| {
            let characters: Vec<char> = call.text(1).chars().collect();
            Ok(Value::string(call.text(0).trim_matches(characters.as_slice())))
        },
    ),
    row(
        "trimprefix",
        &[takes("text", Shape::Text), takes("prefix", Shape::Text)],
        Shape::Text,
        "The text without the prefix, if it has it.",
        |call| Ok(Value::string(call.text(0).strip_prefix(call.text(1)).unwrap_or(call.text(0)))),
    ),
    row("trimspace", &[takes("text", Shape::Text)], Shape::Text, "The text without space at both ends.", |call| {
        Ok(Value::string(call.text(0).trim()))
    }),
    row(
        "trimsuffix",
        &[takes("text", Shape::Text), takes("suffix", Shape::Text)],
        Shape::Text,
        "The text without the suffix, if it has it.",
        |call| Ok(Value::string(call.text(0).strip_suffix(call.text(1)).unwrap_or(call.text(0)))),
    ),
    row("upper", &[takes("text", Shape::Text)], Shape::Text, "The text in upper case.", |call| {
        Ok(Value::string(call.text(0).to_uppercase()))
    }),
];

fn join(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut texts = Vec::new();
    for position in 1..call.arguments.len() {
        texts.extend(call.texts(position)?);
    }
    let separator = call.text(0);
    let length: usize = texts.iter().map(|text| text.len() + separator.len()).sum();
    if length > MAX_BYTES {
        return Err(Failure::too_large());
    }
    Ok(Value::string(texts.join(separator)))
}

fn split(call: &Call<'_>) -> Value {
    let (separator, text) = (call.text(0), call.text(1));
    let parts = match (separator, text) {
        ("", text) => text.chars().map(|c| Value::string(c.to_string())).collect(),
        (separator, text) => text.split(separator).map(Value::string).collect(),
    };
    Value::list(parts)
}

fn replace(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (text, part, replacement) = (call.text(0), call.text(1), call.text(2));
    // Terraform takes this for a regular expression; doing something else in silence would be worse than refusing.
    if part.len() > 1 && part.starts_with('/') && part.ends_with('/') {
        return Err(Failure::of(1, "a part between slashes would be a regular expression, which is not supported"));
    }
    let occurrences = if part.is_empty() { text.len() + 1 } else { text.matches(part).count() };
    if occurrences.saturating_mul(replacement.len()).saturating_add(text.len()) > MAX_BYTES {
        return Err(Failure::too_large());
    }
    Ok(Value::string(text.replace(part, replacement)))
}

fn substr(call: &Call<'_>) -> Value {
    let text = call.text(0);
    let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let (offset, length) = (call.integer(1), call.integer(2));
    let start = if offset < 0 { count.saturating_add(offset).max(0) } else { offset.min(count) };
    let kept = if length < 0 { count - start } else { length.min(count - start) };
    let position = |value: i64| usize::try_from(value).unwrap_or(0);
    let part: String = text.chars().skip(position(start)).take(position(kept)).collect();
    Value::string(part)
}
