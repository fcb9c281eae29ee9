//! Type constraints as `variable { type = … }` writes them, and types of values that are not known yet.

use std::collections::BTreeMap;
use std::fmt;

use crate::value::Value;

/// What a value must be, or what is known of a value that has no content yet.
#[derive(Debug, Clone)]
pub(crate) enum Type {
    Any,
    Bool,
    Number,
    /// A number without a fraction; kinds ask for it, the language has no word for it.
    Integer,
    String,
    /// A string, a number or a bool, kept as it was written.
    Scalar,
    Host,
    List(Box<Self>),
    Set(Box<Self>),
    Map(Box<Self>),
    Tuple(Vec<Self>),
    Object(BTreeMap<String, Field>),
}

/// One attribute of an object type.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub of_type: Type,
    pub optional: bool,
    /// What an optional attribute is when it was left out; `null` unless said otherwise.
    pub default: Value,
}

impl Type {
    pub(crate) fn list(of: Self) -> Self {
        Self::List(Box::new(of))
    }

    pub(crate) fn map(of: Self) -> Self {
        Self::Map(Box::new(of))
    }

    /// Returns the type of an object that has these attributes.
    pub(crate) fn object_of(attributes: &BTreeMap<String, tune_core::schema::Attribute>) -> Self {
        let field = |attribute: &tune_core::schema::Attribute| Field {
            of_type: Self::from(&attribute.of_type),
            optional: !attribute.required,
            default: Value::NULL,
        };
        Self::Object(attributes.iter().map(|(name, attribute)| (name.clone(), field(attribute))).collect())
    }

    /// Returns whether a text given on the command line is the value itself, and not an expression for it.
    pub(crate) fn takes_text(&self) -> bool {
        matches!(self, Self::Any | Self::Bool | Self::Number | Self::String)
    }

    /// Returns the phrase that messages use: `a list of which each element is a string`.
    pub(crate) fn described(&self) -> String {
        match self {
            Self::Any => "any value".to_owned(),
            Self::Bool => "a bool".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Integer => "a whole number".to_owned(),
            Self::String => "a string".to_owned(),
            Self::Scalar => "a string, a number or a bool".to_owned(),
            Self::Host => "a host".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Set(_) => "a set".to_owned(),
            Self::Map(_) => "a map".to_owned(),
            Self::Tuple(items) if items.len() == 1 => "a list of one element".to_owned(),
            Self::Tuple(items) => format!("a list of {} elements", items.len()),
            Self::Object(_) => "an object".to_owned(),
        }
    }
}

impl From<&tune_core::schema::Type> for Type {
    fn from(of_type: &tune_core::schema::Type) -> Self {
        use tune_core::schema::Type as Schema;
        match of_type {
            Schema::Any => Self::Any,
            Schema::Bool => Self::Bool,
            Schema::Number => Self::Number,
            Schema::Integer => Self::Integer,
            Schema::String => Self::String,
            Schema::Scalar => Self::Scalar,
            Schema::Host => Self::Host,
            Schema::List(of) => Self::list(Self::from(of.as_ref())),
            Schema::Map(of) => Self::map(Self::from(of.as_ref())),
            Schema::Object(attributes) => Self::object_of(attributes),
        }
    }
}

/// Prints the type as the language writes it: `map(list(string))`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Bool => f.write_str("bool"),
            Self::Number | Self::Integer => f.write_str("number"),
            Self::String | Self::Scalar => f.write_str("string"),
            Self::Host => f.write_str("host"),
            Self::List(of) => write!(f, "list({of})"),
            Self::Set(of) => write!(f, "set({of})"),
            Self::Map(of) => write!(f, "map({of})"),
            Self::Tuple(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "tuple([{}])", items.join(", "))
            }
            Self::Object(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, field)| {
                        let of = &field.of_type;
                        if field.optional { format!("{name} = optional({of})") } else { format!("{name} = {of}") }
                    })
                    .collect();
                write!(f, "object({{ {} }})", fields.join(", "))
            }
        }
    }
}
