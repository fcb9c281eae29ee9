//! Functions about texts. Where characters are counted, they are what a reader takes for one: `é` and `🇩🇪` are one
//! character each, however many code points they are written with.

use unicode_segmentation::UnicodeSegmentation as _;

use super::{Call, Failure, Function, MAX_BYTES, Shape, format, letter, pattern, row, takes};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    row("chomp", &[takes("text", Shape::Text)], Shape::Text, "The text without line breaks at its end.", |call| {
        Ok(Value::string(call.text(0).trim_end_matches(['\r', '\n'])))
    })
    .example(r#"chomp("hello\n")"#),
    row(
        "endswith",
        &[takes("text", Shape::Text), takes("suffix", Shape::Text)],
        Shape::Bool,
        "Whether the text ends with the suffix.",
        |call| Ok(Value::bool(call.text(0).ends_with(call.text(1)))),
    )
    .example(r#"endswith("hello", "lo")"#),
    row(
        "format",
        &[takes("format", Shape::Text)],
        Shape::Text,
        "A text with values put in place of verbs such as `%s`, `%d`, `%5.1f` and `%v`.",
        format::format,
    )
    .rest(takes("value", Shape::Any).or_null())
    .example(r#"format("%s has %03d at %.1f%%", "a", 7, 2.25)"#),
    row(
        "formatlist",
        &[takes("format", Shape::Text)],
        Shape::Texts,
        "What `format` makes of each element of lists of one length.",
        format::formatlist,
    )
    .rest(takes("value", Shape::Any).or_null())
    .example(r#"formatlist("%s-%d", ["a", "b"], 1)"#),
    row(
        "indent",
        &[takes("spaces", Shape::Integer), takes("text", Shape::Text)],
        Shape::Text,
        "The text with every line but the first moved to the right.",
        indent,
    )
    .example(r#"indent(2, "a:\n- b\n- c")"#),
    row(
        "join",
        &[takes("separator", Shape::Text), takes("list", Shape::Texts)],
        Shape::Text,
        "All texts of the lists, with the separator between them.",
        join,
    )
    .rest(takes("list", Shape::Texts))
    .example(r#"join(", ", ["a", "b"])"#),
    row("lower", &[takes("text", Shape::Text)], Shape::Text, "The text in lower case.", |call| {
        Ok(Value::string(letter::lower(call.text(0))))
    })
    .example(r#"lower("HELLO")"#),
    row(
        "replace",
        &[takes("text", Shape::Text), takes("part", Shape::Text), takes("replacement", Shape::Text)],
        Shape::Text,
        "The text with every occurrence of a part replaced; a part between slashes is a regular expression.",
        replace,
    )
    .example(concat!(r#"replace("a.b.c", ".", "-")"#, "\n", r#"replace("10.0.0.7", "/\\.(\\d+)$/", ".x$1")"#)),
    row(
        "split",
        &[takes("separator", Shape::Text), takes("text", Shape::Text)],
        Shape::Texts,
        "The parts of the text between the separators.",
        split,
    )
    .example(r#"split(",", "a,b,c")"#),
    row(
        "startswith",
        &[takes("text", Shape::Text), takes("prefix", Shape::Text)],
        Shape::Bool,
        "Whether the text starts with the prefix.",
        |call| Ok(Value::bool(call.text(0).starts_with(call.text(1)))),
    )
    .example(r#"startswith("hello", "he")"#),
    row(
        "strcontains",
        &[takes("text", Shape::Text), takes("part", Shape::Text)],
        Shape::Bool,
        "Whether the part is anywhere in the text.",
        |call| Ok(Value::bool(call.text(0).contains(call.text(1)))),
    )
    .example(r#"strcontains("hello", "ll")"#),
    row("strrev", &[takes("text", Shape::Text)], Shape::Text, "The characters from the last to the first.", |call| {
        Ok(Value::string(call.text(0).graphemes(true).rev().collect::<String>()))
    })
    .example(r#"strrev("hello")"#),
    row(
        "substr",
        &[takes("text", Shape::Text), takes("offset", Shape::Integer), takes("length", Shape::Integer)],
        Shape::Text,
        "A part of the text; a negative offset counts from the end, a negative length means all the rest.",
        |call| Ok(substr(call)),
    )
    .example(r#"substr("hello", 1, 3)"#),
    row(
        "title",
        &[takes("text", Shape::Text)],
        Shape::Text,
        "The text with the first letter of each word in upper case.",
        |call| Ok(Value::string(letter::title(call.text(0)))),
    )
    .example(r#"title("hello world")"#),
    row(
        "trim",
        &[takes("text", Shape::Text), takes("characters", Shape::Text)],
        Shape::Text,
        "The text without any of the characters at both ends.",
        |call| {
            let characters: Vec<char> = call.text(1).chars().collect();
            Ok(Value::string(call.text(0).trim_matches(characters.as_slice())))
        },
    )
    .example(r#"trim("?!hi!?", "!?")"#),
    row(
        "trimprefix",
        &[takes("text", Shape::Text), takes("prefix", Shape::Text)],
        Shape::Text,
        "The text without the prefix, if it has it.",
        |call| Ok(Value::string(call.text(0).strip_prefix(call.text(1)).unwrap_or(call.text(0)))),
    )
    .example(r#"trimprefix("hello", "he")"#),
    row("trimspace", &[takes("text", Shape::Text)], Shape::Text, "The text without space at both ends.", |call| {
        Ok(Value::string(call.text(0).trim()))
    })
    .example(r#"trimspace("  a b\n")"#),
    row(
        "trimsuffix",
        &[takes("text", Shape::Text), takes("suffix", Shape::Text)],
        Shape::Text,
        "The text without the suffix, if it has it.",
        |call| Ok(Value::string(call.text(0).strip_suffix(call.text(1)).unwrap_or(call.text(0)))),
    )
    .example(r#"trimsuffix("hello", "lo")"#),
    row("upper", &[takes("text", Shape::Text)], Shape::Text, "The text in upper case.", |call| {
        Ok(Value::string(letter::upper(call.text(0))))
    })
    .example(r#"upper("hello")"#),
];

/// Returns how many characters a reader sees.
pub(super) fn characters(text: &str) -> usize {
    if text.is_ascii() && !text.contains('\r') { text.len() } else { text.graphemes(true).count() }
}

fn indent(call: &mut Call<'_>) -> Result<Value, Failure> {
    let text = call.text(1);
    let spaces = usize::try_from(call.integer(0)).map_err(|_| Failure::of(0, "a number of spaces is not negative"))?;
    if text.matches('\n').count().saturating_mul(spaces).saturating_add(text.len()) > MAX_BYTES {
        return Err(Failure::too_large());
    }
    // Without line breaks nothing is written, so nothing may be made ready either.
    if !text.contains('\n') {
        return Ok(call.value(1).clone());
    }
    Ok(Value::string(text.replace('\n', &format!("\n{}", " ".repeat(spaces)))))
}

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

fn split(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (separator, text) = (call.text(0), call.text(1));
    let parts = if separator.is_empty() { text.chars().count() } else { text.matches(separator).count() };
    if parts > super::MAX_ITEMS {
        return Err(Failure::too_large());
    }
    Ok(Value::list(match separator {
        "" => text.chars().map(|c| Value::string(c.to_string())).collect(),
        separator => text.split(separator).map(Value::string).collect(),
    }))
}

fn replace(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (text, part, replacement) = (call.text(0), call.text(1), call.text(2));
    if part.len() > 1 && part.starts_with('/') && part.ends_with('/') {
        return pattern::replace(call);
    }
    let occurrences = if part.is_empty() { text.len() + 1 } else { text.matches(part).count() };
    if occurrences.saturating_mul(replacement.len()).saturating_add(text.len()) > MAX_BYTES {
        return Err(Failure::too_large());
    }
    Ok(Value::string(text.replace(part, replacement)))
}

fn substr(call: &Call<'_>) -> Value {
    let text = call.text(0);
    let count = i64::try_from(characters(text)).unwrap_or(i64::MAX);
    let (offset, length) = (call.integer(1), call.integer(2));
    let start = if offset < 0 { count.saturating_add(offset).max(0) } else { offset.min(count) };
    let kept = if length < 0 { count - start } else { length.min(count - start) };
    let position = |value: i64| usize::try_from(value).unwrap_or(0);
    let part: String = text.graphemes(true).skip(position(start)).take(position(kept)).collect();
    Value::string(part)
}
