//! The attributes that a kind takes, derived from its Rust struct: doc comments become the manual, field types become
//! the types that a configuration is checked against. Validation of values beyond their type is the kind's own task.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value as Json;

/// The type of one attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Any value.
    Any,
    /// `true` or `false`.
    Bool,
    /// Any number.
    Number,
    /// A whole number.
    Integer,
    /// A text.
    String,
    /// A text, number or bool.
    Scalar,
    /// A `host` block.
    Host,
    /// Values of one type in order.
    List(Box<Type>),
    /// Values of one type by name.
    Map(Box<Type>),
    /// Named attributes, each of its own type.
    Object(BTreeMap<String, Attribute>),
}

/// One attribute of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// What it takes.
    pub of_type: Type,
    /// Whether it must be written.
    pub required: bool,
    /// What it means, from the field's doc comment.
    pub doc: String,
    /// Whether a configuration writes it as blocks: `disk "scsi0" { … }` for a map of objects, `assert { … }` for a list
    /// of them.
    pub is_block: bool,
    /// Whether its value is a secret.
    pub is_secret: bool,
}

/// Everything a configuration may write in a resource of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindSchema {
    /// The kind's name in the configuration.
    pub kind: &'static str,
    /// The provider whose API it lives in; `None` for kinds on hosts.
    pub provider: Option<&'static str>,
    /// What the kind is for, from the struct's doc comment.
    pub doc: String,
    /// Its attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// The complete JSON Schema, as `schema/` holds it.
    pub json: Json,
}

/// A reference to a `host` block, for kinds that live on a host. Decodes to the host's address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(transparent)]
pub struct HostReference(pub String);

impl JsonSchema for HostReference {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HostReference".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "x-tune-type": "host" })
    }
}

impl KindSchema {
    /// Returns the schema of the kind `kind`, whose attributes are the fields of `T`.
    pub fn of<T: JsonSchema>(kind: &'static str) -> Self {
        let settings = schemars::generate::SchemaSettings::draft2020_12().with(|settings| {
            settings.inline_subschemas = true;
        });
        let json = settings.into_generator().into_root_schema_for::<T>().to_value();
        let attributes = attributes_of(&json);
        Self { kind, provider: None, doc: text_of(&json), attributes, json }
    }
}

/// Returns what an object is made of.
fn attributes_of(object: &Json) -> BTreeMap<String, Attribute> {
    let required: Vec<&str> = object["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let attribute = |(name, field): (&String, &Json)| {
        let attribute = Attribute {
            of_type: type_of(field),
            required: required.contains(&name.as_str()),
            doc: text_of(field),
            is_block: field["x-tune-block"] == true,
            is_secret: field["x-tune-secret"] == true,
        };
        (name.clone(), attribute)
    };
    object["properties"].as_object().into_iter().flatten().map(attribute).collect()
}

fn text_of(schema: &Json) -> String {
    schema["description"].as_str().unwrap_or_default().to_owned()
}

fn type_of(schema: &Json) -> Type {
    match schema["x-tune-type"].as_str() {
        Some("host") => return Type::Host,
        Some("scalar") => return Type::Scalar,
        _ => {}
    }
    // `Option<T>` is written as the type's name beside "null".
    let name = match &schema["type"] {
        Json::String(name) => name.as_str(),
        Json::Array(names) => names.iter().filter_map(Json::as_str).find(|name| *name != "null").unwrap_or_default(),
        _ => "",
    };
    match name {
        "boolean" => Type::Bool,
        "integer" => Type::Integer,
        "number" => Type::Number,
        "string" => Type::String,
        "array" => Type::List(Box::new(type_of(&schema["items"]))),
        "object" if schema["properties"].is_object() => Type::Object(attributes_of(schema)),
        "object" => Type::Map(Box::new(type_of(&schema["additionalProperties"]))),
        _ => Type::Any,
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any value"),
            Self::Bool => f.write_str("a bool"),
            Self::Number => f.write_str("a number"),
            Self::Integer => f.write_str("a whole number"),
            Self::String => f.write_str("a string"),
            Self::Scalar => f.write_str("a string, a number or a bool"),
            Self::Host => f.write_str("a host"),
            Self::List(of) => write!(f, "a list of which each element is {of}"),
            Self::Map(of) => write!(f, "a map of which each value is {of}"),
            Self::Object(_) => f.write_str("an object"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Scalar;

    /// A thing on a host.
    #[derive(serde::Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Thing {
        /// Where it lives.
        host: HostReference,
        /// What it is set to.
        settings: BTreeMap<String, Scalar>,
        /// How often.
        #[serde(default)]
        count: Option<u32>,
        tags: Option<Vec<String>>,
        parts: Vec<Part>,
    }

    /// A part of a thing.
    #[derive(serde::Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Part {
        name: String,
        marks: Option<Vec<u32>>,
    }

    fn type_shown(of: &Type) -> String {
        match of {
            Type::List(of) => format!("List({})", type_shown(of)),
            Type::Object(fields) => {
                let field = |(name, field): (&String, &Attribute)| {
                    format!("{name}: {} {}", type_shown(&field.of_type), field.required)
                };
                format!("Object([{}])", fields.iter().map(field).collect::<Vec<_>>().join(", "))
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_struct_becomes_a_schema() {
        let schema = KindSchema::of::<Thing>("thing");
        assert_eq!(schema.doc, "A thing on a host.");
        let shown: Vec<String> = schema
            .attributes
            .iter()
            .map(|(name, attribute)| {
                format!("{name}: {} {} {}", type_shown(&attribute.of_type), attribute.required, attribute.doc)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "count: Integer false How often.",
                "host: Host true Where it lives.",
                "parts: List(Object([marks: List(Integer) false, name: String true])) true ",
                "settings: Map(Scalar) true What it is set to.",
                "tags: List(String) false ",
            ]
        );
    }
}
