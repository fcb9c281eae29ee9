//! Conversions between types, as Terraform makes them: `"10"` is a number where one is wanted, `10` a string. Every
//! part that does not fit is reported, with its path.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::Number;
use tune_core::path::PathStep;

use crate::diagnostic::{did_you_mean, shown};
use crate::types::{Field, Type};
use crate::value::{Data, Entries, Value};

/// A part of a value that is not of the type that was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// Where in the value.
    pub path: Vec<PathStep>,
    /// What was wanted and what was found instead, as a phrase; never holds a secret.
    pub reason: String,
    /// What to write instead, where that is clear.
    pub help: Option<String>,
}

/// Returns the value as `wanted`, or every part of it that does not fit. `null` fits everywhere.
pub(crate) fn convert(value: &Value, wanted: &Type) -> Result<Value, Vec<Mismatch>> {
    Conversion { nulls: Nulls::Kept, path: Vec::new(), mismatches: Vec::new() }.run(value, wanted)
}

/// Does what [`convert`] does, but a `null` in a list or a map does not fit: a kind has no use for it there.
pub(crate) fn convert_for_kind(value: &Value, wanted: &Type) -> Result<Value, Vec<Mismatch>> {
    Conversion { nulls: Nulls::RefusedWithin, path: Vec::new(), mismatches: Vec::new() }.run(value, wanted)
}

/// Returns a string, number or bool as text; `None` for anything else.
pub(crate) fn text_of(value: &Value) -> Option<Arc<str>> {
    match &value.data {
        Data::String(text) => Some(text.clone()),
        Data::Number(number) => Some(number.to_string().into()),
        Data::Bool(value) => Some(if *value { "true" } else { "false" }.into()),
        _ => None,
    }
}

/// Returns a number, or a text that holds one, as a number.
pub(crate) fn number_of(value: &Value) -> Option<Number> {
    match &value.data {
        Data::Number(number) => Some(Number::clone(number)),
        Data::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Returns a bool, or a text that holds one, as a bool.
pub(crate) fn bool_of(value: &Value) -> Option<bool> {
    match &value.data {
        Data::Bool(value) => Some(*value),
        Data::String(text) => match text.as_ref() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the elements as values of one type: texts, if some are texts and the rest can become some.
pub(crate) fn unify<'a>(items: impl Iterator<Item = &'a Value> + Clone) -> Option<Vec<Value>> {
    let (mut texts, mut numbers, mut bools, mut others) = (false, false, false, [false; 2]);
    for item in items.clone() {
        match &item.data {
            Data::Null | Data::Unknown(_) | Data::Poison => {}
            Data::String(_) => texts = true,
            Data::Number(_) => numbers = true,
            Data::Bool(_) => bools = true,
            Data::List(_) | Data::Set(_) => others[0] = true,
            Data::Map(_) => others[1] = true,
        }
    }
    let scalars = texts || numbers || bools;
    if (scalars && others != [false; 2]) || others == [true; 2] || (numbers && bools && !texts) {
        return None;
    }
    let as_text = |item: &Value| match text_of(item) {
        Some(text) if texts => Value::string(text).mark(item.sensitive),
        _ => item.clone(),
    };
    Some(items.map(as_text).collect())
}

/// Returns how messages name a value: its type, and its content where that is short and no secret.
pub(crate) fn given(value: &Value) -> String {
    match (value.described().strip_prefix("a "), value.shown()) {
        (Some(word), Some(text)) => format!("the {word} `{text}`"),
        _ => value.described().to_owned(),
    }
}

struct Conversion {
    nulls: Nulls,
    path: Vec<PathStep>,
    mismatches: Vec<Mismatch>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Nulls {
    Kept,
    RefusedWithin,
}

impl Conversion {
    fn run(mut self, value: &Value, wanted: &Type) -> Result<Value, Vec<Mismatch>> {
        let converted = self.value(value, wanted);
        if self.mismatches.is_empty() { Ok(converted) } else { Err(self.mismatches) }
    }

    fn value(&mut self, value: &Value, wanted: &Type) -> Value {
        let refused = self.nulls == Nulls::RefusedWithin && !self.path.is_empty();
        let converted = match (&value.data, wanted) {
            (Data::Null, wanted) if refused && !matches!(wanted, Type::Any) => None,
            (Data::Null | Data::Poison, _)
            | (_, Type::Any)
            | (Data::Bool(_) | Data::Number(_) | Data::String(_), Type::Scalar) => return value.clone(),
            (_, Type::Host) if value.as_host().is_some() => return value.clone(),
            (Data::Unknown(of), wanted) if may_become(of, wanted) => Some(Value::unknown(wanted.clone())),
            (_, Type::String) => text_of(value).map(Value::string),
            (_, Type::Number) => number_of(value).map(Value::number),
            (_, Type::Integer) => number_of(value).filter(Number::is_integer).map(Value::number),
            (_, Type::Bool) => bool_of(value).map(Value::bool),
            (Data::List(list) | Data::Set(list), Type::List(of) | Type::Set(of)) => {
                let items = self.items(&list.items, of);
                Some(if matches!(wanted, Type::Set(_)) { Value::set(items) } else { Value::list(items) })
            }
            (Data::List(list) | Data::Set(list), Type::Tuple(types)) if list.items.len() == types.len() => {
                let pairs = list.items.iter().zip(types).enumerate();
                Some(Value::list(pairs.map(|(at, (item, of))| self.part(PathStep::Index(at), item, of)).collect()))
            }
            (Data::List(list) | Data::Set(list), Type::Tuple(_)) => {
                let found = list.items.len();
                self.mismatch(format!("{} is needed, but this one has {found}", wanted.described()));
                return Value::POISON;
            }
            (Data::Map(map), Type::Map(of)) => Some(Value::map(self.entries(&map.entries, of))),
            (Data::Map(map), Type::Object(fields)) => Some(Value::map(self.fields(&map.entries, fields))),
            _ => None,
        };
        let Some(converted) = converted else {
            let reason = format!("{} is needed, but this is {}", wanted.described(), given(value));
            let help = if matches!(wanted, Type::Host) { instead_of_host(value).map(str::to_owned) } else { None };
            self.mismatches.push(Mismatch { path: self.path.clone(), reason, help });
            return Value::POISON;
        };
        converted.mark(value.sensitive)
    }

    fn items(&mut self, items: &[Value], of: &Type) -> Vec<Value> {
        if matches!(of, Type::Any) {
            return unify(items.iter()).unwrap_or_else(|| {
                self.mismatch("all elements must be of one type, but these have none in common".to_owned());
                Vec::new()
            });
        }
        items.iter().enumerate().map(|(at, item)| self.part(PathStep::Index(at), item, of)).collect()
    }

    fn entries(&mut self, entries: &Entries, of: &Type) -> Entries {
        if matches!(of, Type::Any) {
            let Some(values) = unify(entries.values()) else {
                self.mismatch("all values must be of one type, but these have none in common".to_owned());
                return Entries::new();
            };
            return entries.keys().cloned().zip(values).collect();
        }
        let converted =
            entries.iter().map(|(key, value)| (key.clone(), self.part(PathStep::Key(key.to_string()), value, of)));
        converted.collect()
    }

    fn fields(&mut self, entries: &Entries, fields: &BTreeMap<String, Field>) -> Entries {
        let mut converted = Entries::new();
        let mut missing = Vec::new();
        if self.nulls == Nulls::RefusedWithin {
            // A kind has a use for every attribute, so one that it does not know is a mistake.
            for name in entries.keys().filter(|name| !fields.contains_key(name.as_ref())) {
                self.path.push(PathStep::Key(name.to_string()));
                let reason = format!("there is no attribute `{}` here", shown(name));
                let help = did_you_mean(name, fields.keys().map(String::as_str));
                self.mismatches.push(Mismatch { path: self.path.clone(), reason, help });
                self.path.pop();
            }
        }
        for (name, field) in fields {
            let given = entries.get(name.as_str()).filter(|value| !(field.optional && value.is_null()));
            let value = match given {
                Some(value) => self.part(PathStep::Key(name.clone()), value, &field.of_type),
                None if field.optional && field.default.is_null() => Value::NULL,
                None if field.optional => self.part(PathStep::Key(name.clone()), &field.default, &field.of_type),
                None => {
                    missing.push(format!("`{name}`"));
                    continue;
                }
            };
            converted.insert(name.as_str().into(), value);
        }
        match missing.as_slice() {
            [] => {}
            [one] => self.mismatch(format!("the attribute {one} is needed, but it is missing")),
            names => self.mismatch(format!("the attributes {} are needed, but they are missing", names.join(", "))),
        }
        converted
    }

    fn part(&mut self, step: PathStep, value: &Value, wanted: &Type) -> Value {
        self.path.push(step);
        let converted = self.value(value, wanted);
        self.path.pop();
        converted
    }

    fn mismatch(&mut self, reason: String) {
        self.mismatches.push(Mismatch { path: self.path.clone(), reason, help: None });
    }
}

/// Returns what a person who gave `value` for a host should write.
fn instead_of_host(value: &Value) -> Option<&'static str> {
    let is_host = |item: &Value| item.as_host().is_some();
    match &value.data {
        Data::String(_) => Some("write a reference such as `host.NAME`, without quotes around it"),
        Data::Map(map) if map.entries.values().all(is_host) => {
            Some("pick one of the hosts, for example with `[each.key]`")
        }
        Data::List(list) if list.items.iter().all(is_host) => Some("pick one of the hosts, for example with `[0]`"),
        _ => None,
    }
}

/// Returns whether a value of which only the type is known can turn out to fit.
fn may_become(known: &Type, wanted: &Type) -> bool {
    let scalar = |of: &Type| matches!(of, Type::Bool | Type::Number | Type::Integer | Type::String | Type::Scalar);
    match (known, wanted) {
        (Type::Bool, Type::Number | Type::Integer) | (Type::Number | Type::Integer, Type::Bool) => false,
        (Type::List(a) | Type::Set(a), Type::List(b) | Type::Set(b)) | (Type::Map(a), Type::Map(b)) => may_become(a, b),
        (Type::Any, _)
        | (_, Type::Any)
        | (Type::Tuple(_), Type::List(_) | Type::Set(_) | Type::Tuple(_))
        | (Type::List(_) | Type::Set(_), Type::Tuple(_))
        | (Type::Object(_) | Type::Map(_) | Type::Host, Type::Map(_) | Type::Object(_))
        | (Type::Host, Type::Host) => true,
        (known, wanted) => scalar(known) && scalar(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &Value, wanted: &Type, expect: &str) {
        let shown = match convert(value, wanted) {
            Ok(value) => format!("{value:?}"),
            Err(mismatches) => mismatches
                .iter()
                .map(|mismatch| format!("{}: {}", tune_core::AttributePath(mismatch.path.clone()), mismatch.reason))
                .collect::<Vec<_>>()
                .join("; "),
        };
        assert_eq!(shown, expect);
    }

    #[test]
    fn scalars_become_each_other_where_terraform_lets_them() {
        check(&Value::string("10"), &Type::Number, "10");
        check(&Value::string("1e3"), &Type::Integer, "1000");
        check(&Value::integer(10), &Type::String, "\"10\"");
        check(&Value::bool(true), &Type::String, "\"true\"");
        check(&Value::string("1"), &Type::Bool, "true");
        check(&Value::string(" 1"), &Type::Number, ": a number is needed, but this is the string `\" 1\"`");
        check(&Value::bool(true), &Type::Number, ": a number is needed, but this is the bool `true`");
        check(&Value::string("TRUE"), &Type::Bool, ": a bool is needed, but this is the string `\"TRUE\"`");
        check(&Value::string("0.5"), &Type::Integer, ": a whole number is needed, but this is the string `\"0.5\"`");
    }

    #[test]
    fn every_part_that_does_not_fit_is_named_and_no_secret_is() {
        let list = Value::list(vec![
            Value::integer(1),
            Value::string("x"),
            Value::string("hunter2").mark(true),
            Value::list(Vec::new()),
        ]);
        check(
            &list,
            &Type::list(Type::Number),
            "[1]: a number is needed, but this is the string `\"x\"`; [2]: a number is needed, but this is a string; \
             [3]: a number is needed, but this is a list",
        );
    }

    #[test]
    fn elements_of_any_type_become_one_type() {
        let mixed = Value::list(vec![Value::integer(1), Value::string("a"), Value::bool(true)]);
        check(&mixed, &Type::list(Type::Any), r#"["1", "a", "true"]"#);
        let odd = Value::list(vec![Value::integer(1), Value::bool(true)]);
        check(&odd, &Type::list(Type::Any), ": all elements must be of one type, but these have none in common");
    }
}
