//! `format` and `formatlist`: values put into a text by verbs such as `%s` and `%05d`.

mod verb;

use super::{Call, Failure, MAX_BYTES, MAX_ITEMS};
use crate::value::Value;

pub(super) fn format(call: &mut Call<'_>) -> Result<Value, Failure> {
    let values: Vec<&Value> = call.arguments[1..].iter().collect();
    text(call.text(0), &values).map(Value::string)
}

/// Lists among the values are gone through side by side; everything else is the same for each element.
pub(super) fn formatlist(call: &mut Call<'_>) -> Result<Value, Failure> {
    let values = &call.arguments[1..];
    let mut length = None;
    for (at, list) in values.iter().enumerate().filter_map(|(at, value)| Some((at, value.as_items()?))) {
        match length {
            Some(length) if length != list.len() => {
                return Err(Failure::of(
                    at + 1,
                    format!("this list has {} elements, the first has {length}", list.len()),
                ));
            }
            _ => length = Some(list.len()),
        }
    }
    let length = length.unwrap_or(1);
    if length.saturating_mul(values.len()) > MAX_ITEMS {
        return Err(Failure::too_large());
    }
    let mut bytes = 0_usize;
    let mut texts = Vec::with_capacity(length);
    for at in 0..length {
        let row: Vec<&Value> = values.iter().map(|value| value.as_items().map_or(value, |items| &items[at])).collect();
        let text = text(call.text(0), &row)?;
        bytes = bytes.saturating_add(text.len());
        if bytes > MAX_BYTES {
            return Err(Failure::too_large());
        }
        texts.push(Value::string(text));
    }
    Ok(Value::list(texts))
}

/// Returns the format with values in place of its verbs. The position of a value is one less than that of its argument.
fn text(format: &str, values: &[&Value]) -> Result<String, Failure> {
    let mut text = String::new();
    let (mut next, mut used) = (0, 0);
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        let (verb, length) = verb::read(&rest[at + 1..]).map_err(|reason| Failure::of(0, reason))?;
        rest = &rest[at + 1 + length..];
        if verb.letter == '%' {
            text.push('%');
            continue;
        }
        let position = verb.argument.unwrap_or(next);
        let Some(value) = values.get(position) else {
            return Err(Failure::of(0, "there are more verbs than values"));
        };
        text.push_str(&verb.show(value).map_err(|reason| Failure::of(position + 1, reason))?);
        if text.len() > MAX_BYTES {
            return Err(Failure::too_large());
        }
        next = position + 1;
        used = used.max(next);
    }
    text.push_str(rest);
    if used < values.len() {
        return Err(Failure::of(used + 1, "there is no verb for this value"));
    }
    Ok(text)
}
