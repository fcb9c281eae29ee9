//! Parameters out of query strings and bodies, with the peculiarities of the API server.

use serde_json::Value as Json;

use crate::conf::percent_decode;
use crate::numbers::print_number;
use crate::schema::{Params, Value};

/// A percent-encoded text; `+` is a blank.
fn decode(text: &str) -> String {
    let bytes = text.replace('+', " ").into_bytes();
    String::from_utf8_lossy(&percent_decode(&bytes)).into_owned()
}

/// Decodes a form. Only what is between the first two `=` counts as value, and a repeated key becomes a list.
pub(super) fn form(text: &str) -> Params {
    let mut params = Params::new();
    let mut pieces: Vec<&str> = text.split(['&', ';']).collect();
    while pieces.last().is_some_and(|piece| piece.is_empty()) {
        pieces.pop();
    }
    for piece in pieces {
        let mut parts = piece.split('=');
        let key = decode(parts.next().unwrap_or_default());
        let value = match parts.next() {
            Some(value) => Value::Text(decode(value)),
            None => Value::Undef,
        };
        match params.remove(&key) {
            None => params.insert(key, value),
            Some(Value::Array(mut list)) => {
                list.push(value);
                params.insert(key, Value::Array(list))
            }
            Some(first) => params.insert(key, Value::Array(vec![first, value])),
        };
    }
    params
}

/// Decodes a JSON body. The error is the server's text, as its language words it.
pub(super) fn json(body: &[u8]) -> Result<Params, String> {
    let place = "at AnyEvent.pm line 1036.\n";
    match serde_json::from_slice(body) {
        Ok(Json::Object(map)) => Ok(map.iter().map(|(key, value)| (key.clone(), from_json(value))).collect()),
        Ok(Json::Array(_)) => Err(format!("Not a HASH reference {place}")),
        Ok(scalar) => {
            let text = scalar.as_str().map_or_else(|| scalar.to_string(), str::to_owned);
            Err(format!("Can't use string (\"{text}\") as a HASH ref while \"strict refs\" in use {place}"))
        }
        Err(error) => Err(format!("{} {place}", malformed(&String::from_utf8_lossy(body), &error))),
    }
}

/// What the server's JSON parser says about a text, and where.
fn malformed(text: &str, error: &serde_json::Error) -> String {
    let blank = text.len() - text.trim_start().len();
    let inner = text[blank..].strip_prefix('{').map(|rest| text.len() - rest.trim_start().len());
    let (what, offset) = match inner {
        Some(at) if !text[at..].starts_with(['"', '}']) => ("'\"' expected", at),
        _ if error.is_eof() && text.matches('"').count() % 2 == 1 => {
            ("unexpected end of string while parsing JSON string", text.len())
        }
        Some(_) if error.is_eof() && !text.trim_end().ends_with([':', ',', '{']) => {
            (", or } expected while parsing object/hash", text.len())
        }
        _ if error.is_eof() => (NO_VALUE, text.len()),
        _ if error.to_string().starts_with("trailing characters") => {
            ("garbage after JSON object", error.column().saturating_sub(1).min(text.len()))
        }
        _ => (NO_VALUE, blank.max(error.column().saturating_sub(1)).min(text.len())),
    };
    let rest: String = text.get(offset..).unwrap_or_default().chars().take(20).collect();
    let rest = if rest.is_empty() { "(end of string)" } else { &rest };
    format!("{what}, at character offset {offset} (before \"{rest}\")")
}

const NO_VALUE: &str = "malformed JSON string, neither tag, array, object, number, string or atom";

fn from_json(value: &Json) -> Value {
    match value {
        Json::Null => Value::Undef,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::String(text) => Value::Text(text.clone()),
        Json::Number(number) => Value::Text(match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), _, _) => whole.to_string(),
            (None, Some(whole), _) => whole.to_string(),
            (None, None, Some(number)) => print_number(number),
            _ => number.to_string(),
        }),
        Json::Array(items) => Value::Array(items.iter().map(from_json).collect()),
        Json::Object(_) => Value::Object,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    #[test]
    fn only_the_second_piece_of_a_parameter_is_its_value() {
        let params = form("scsi0=vol,cache=writeback&a=b;c=d+e%2Bf&g");
        assert_eq!(params["scsi0"], text("vol,cache"));
        assert_eq!(params["c"], text("d e+f"));
        assert_eq!(params["g"], Value::Undef);
    }

    #[test]
    fn repeated_keys_become_a_list() {
        assert_eq!(form("a=1&a=2&a=3")["a"], Value::Array(vec![text("1"), text("2"), text("3")]));
    }

    #[test]
    fn numbers_in_json_become_their_text_and_booleans_stay() {
        let params = json(br#"{"a":1,"b":1.50,"c":true,"d":null,"e":{}}"#).unwrap();
        assert_eq!(params["a"], text("1"));
        assert_eq!(params["b"], text("1.5"));
        assert_eq!(params["c"], Value::Bool(true));
        assert_eq!(params["d"], Value::Undef);
        assert_eq!(params["e"], Value::Object);
    }

    #[test]
    fn broken_json_is_refused_in_the_servers_words() {
        let refused = |body: &str| json(body.as_bytes()).unwrap_err();
        let place = "at AnyEvent.pm line 1036.\n";
        assert_eq!(refused("x"), format!("{NO_VALUE}, at character offset 0 (before \"x\") {place}"));
        assert_eq!(refused("{a:1}"), format!("'\"' expected, at character offset 1 (before \"a:1}}\") {place}"));
        let open = ", or } expected while parsing object/hash, at character offset 6 (before \"(end of string)\")";
        assert_eq!(refused("{\"a\":1"), format!("{open} {place}"));
        assert_eq!(refused("{} x"), format!("garbage after JSON object, at character offset 3 (before \"x\") {place}"));
        assert_eq!(refused("[1]"), format!("Not a HASH reference {place}"));
        assert!(refused("5").starts_with("Can't use string (\"5\") as a HASH ref"));
    }
}
