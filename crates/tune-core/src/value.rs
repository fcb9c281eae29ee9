//! Plain values, as a resource's attributes hold them once every expression has been evaluated. There is no unknown
//! value here: nothing in a plan is unknown.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::number::{Number, NumberError};

/// A fully evaluated value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Value {
    /// Known to be absent.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An exact decimal number.
    Number(Number),
    /// A Unicode text.
    String(String),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name; objects and maps alike.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// Returns the word that messages use for this value's type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// Returns the text of a string value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(Number::from(value))
    }
}

/// Prints the value as HCL would write it on one line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::String(text) => f.write_str(&crate::text::quoted(text)),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Map(entries) if entries.is_empty() => f.write_str("{}"),
            Self::Map(entries) => {
                f.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma} {} = {value}", crate::text::quoted(key))?;
                }
                f.write_str(" }")
            }
        }
    }
}

/// Integers that fit become JSON numbers; every other number keeps its exact digits as a JSON string.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(integer), _) => serializer.serialize_i64(integer),
                (None, Some(integer)) => serializer.serialize_u64(integer),
                (None, None) if !number.is_integer() && exact_in_f64(number) => {
                    serializer.serialize_f64(number.to_f64())
                }
                (None, None) => serializer.serialize_str(&number.to_string()),
            },
            Self::String(text) => serializer.serialize_str(text),
            Self::List(items) => items.serialize(serializer),
            Self::Map(entries) => entries.serialize(serializer),
        }
    }
}

/// Takes JSON as it is: a number that was written as a text stays one.
impl TryFrom<serde_json::Value> for Value {
    type Error = NumberError;

    fn try_from(json: serde_json::Value) -> Result<Self, NumberError> {
        use serde_json::Value as Json;
        Ok(match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => Self::Number(number.to_string().parse()?),
            Json::String(text) => Self::String(text),
            Json::Array(items) => Self::List(items.into_iter().map(Self::try_from).collect::<Result<_, _>>()?),
            Json::Object(entries) => {
                let entries = entries.into_iter().map(|(name, value)| Ok((name, Self::try_from(value)?)));
                Self::Map(entries.collect::<Result<_, NumberError>>()?)
            }
        })
    }
}

fn exact_in_f64(number: &Number) -> bool {
    number.to_f64().to_string().parse::<Number>().is_ok_and(|back| back == *number)
}

/// A text, number or bool where a setting takes any of the three; written the way the user wrote it, without quotes.
///
/// Kernel parameters are the typical case: `10` and `"10"` mean the same there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number or a bool")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(if value { "1" } else { "0" }.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl schemars::JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "number", "boolean"], "x-tune-type": "scalar" })
    }
}

/// Decodes the attributes of one resource into its kind's Rust struct.
///
/// The error's text names what is wrong, without a path: the configuration has checked types against the schema
/// before, so only a kind's own visitor can fail here.
pub fn decode<'de, T: Deserialize<'de>>(attributes: &BTreeMap<String, Value>) -> Result<T, serde_json::Error> {
    let object: serde_json::Map<String, serde_json::Value> = attributes
        .iter()
        .filter(|(_, value)| **value != Value::Null)
        .map(|(name, value)| Ok((name.clone(), serde_json::to_value(value)?)))
        .collect::<Result<_, serde_json::Error>>()?;
    T::deserialize(serde_json::Value::Object(object).into_deserializer())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_hcl() {
        let value = Value::Map(BTreeMap::from([
            ("a".to_owned(), Value::from(1)),
            ("b".to_owned(), Value::List(vec![Value::from("x\"y"), Value::Null])),
        ]));
        assert_eq!(value.to_string(), r#"{ "a" = 1, "b" = ["x\"y", null] }"#);
    }

    #[test]
    fn a_scalar_takes_text_number_and_bool_alike() {
        #[derive(Deserialize)]
        struct Three {
            a: Scalar,
            b: Scalar,
            c: Scalar,
        }
        let attributes = BTreeMap::from([
            ("a".to_owned(), Value::from("4096 16384")),
            ("b".to_owned(), Value::from(10)),
            ("c".to_owned(), Value::from(true)),
        ]);
        let three: Three = decode(&attributes).unwrap();
        assert_eq!((three.a.0.as_str(), three.b.0.as_str(), three.c.0.as_str()), ("4096 16384", "10", "1"));
    }
}
