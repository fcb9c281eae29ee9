//! The parameter schema of the API: what a value may be, and the exact text when it may not. Everything that arrives in a
//! request and everything that is read from or written to a configuration file passes through here.

pub(crate) mod check;
pub(crate) mod cpu;
pub(crate) mod drive;
pub(crate) mod formats;
pub(crate) mod methods;
pub(crate) mod options;
pub(crate) mod property;

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;

/// Error texts by parameter name.
pub(crate) type Errors = BTreeMap<String, String>;

/// One parameter value, with the distinctions that the API server's language makes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A key without a value: `cores` in a form, `null` in JSON.
    Undef,
    /// Any scalar; numbers arrive as their text.
    Text(String),
    /// A JSON boolean, which passes only where a boolean is wanted.
    Bool(bool),
    /// A key that was given more than once, or a JSON array.
    Array(Vec<Value>),
    /// A JSON object; no parameter of the simulated calls takes one.
    Object,
}

impl Value {
    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Bool(true) => Some("1"),
            Value::Bool(false) => Some("0"),
            _ => None,
        }
    }

    /// Whether the API server's language takes the value for true.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Value::Undef => false,
            Value::Array(_) | Value::Object => true,
            scalar => scalar.text().is_some_and(truthy),
        }
    }
}

/// Whether a text counts as true: neither empty nor `0`.
pub(crate) fn truthy(text: &str) -> bool {
    !text.is_empty() && text != "0"
}

/// The parameters of one call.
pub(crate) type Params = BTreeMap<String, Value>;

/// What kind of value a property takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    Integer,
    Number,
    Boolean,
    Array,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Integer => "integer",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
            Kind::Array => "array",
        }
    }
}

/// A check of one text; the error is the message with its line feed.
pub(crate) type Check = fn(&str) -> Result<(), String>;

/// A further rule on the text of a value.
#[derive(Clone, Debug)]
pub(crate) enum Format {
    None,
    One(Check),
    /// Each entry of a list that is separated by commas, semicolons or blanks.
    List(Check),
    /// A property string with sub-options of its own.
    Props(Arc<Props>),
}

/// A check of all sub-options together.
pub(crate) type Validator = fn(&BTreeMap<String, String>) -> Result<(), String>;

/// The sub-options of a property string.
#[derive(Clone, Debug)]
pub(crate) struct Props {
    pub(crate) table: BTreeMap<&'static str, Prop>,
    pub(crate) validator: Option<Validator>,
}

impl Props {
    pub(crate) fn new<const N: usize>(rows: [(&'static str, Prop); N]) -> Arc<Self> {
        Arc::new(Props { table: rows.into_iter().collect(), validator: None })
    }

    pub(crate) fn default_key(&self) -> Option<&'static str> {
        self.table.iter().find(|(_, prop)| prop.default_key).map(|(key, _)| *key)
    }
}

/// The rule for one parameter or sub-option.
#[derive(Clone, Debug)]
pub(crate) struct Prop {
    pub(crate) kind: Kind,
    pub(crate) optional: bool,
    pub(crate) format: Format,
    pub(crate) pattern: Option<Regex>,
    pub(crate) max_length: Option<usize>,
    pub(crate) min_length: Option<usize>,
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) choices: Vec<String>,
    pub(crate) default_key: bool,
    pub(crate) size: bool,
    pub(crate) alias: Option<&'static str>,
    pub(crate) key_alias: Option<&'static str>,
    pub(crate) requires: Option<&'static str>,
}

impl Prop {
    fn of(kind: Kind) -> Self {
        Prop {
            kind,
            optional: true,
            format: Format::None,
            pattern: None,
            max_length: None,
            min_length: None,
            minimum: None,
            maximum: None,
            choices: Vec::new(),
            default_key: false,
            size: false,
            alias: None,
            key_alias: None,
            requires: None,
        }
    }

    /// An optional text.
    pub(crate) fn string() -> Self {
        Prop::of(Kind::String)
    }

    /// An optional whole number.
    pub(crate) fn integer() -> Self {
        Prop::of(Kind::Integer)
    }

    /// An optional number.
    pub(crate) fn number() -> Self {
        Prop::of(Kind::Number)
    }

    /// An optional yes or no.
    pub(crate) fn boolean() -> Self {
        Prop::of(Kind::Boolean)
    }

    /// An optional list of texts.
    pub(crate) fn array() -> Self {
        Prop::of(Kind::Array)
    }

    /// Another name for the sub-option `target`.
    pub(crate) fn alias(target: &'static str) -> Self {
        Prop { alias: Some(target), ..Prop::string() }
    }

    /// A key that is itself the value of `key` while its value is that of `target`, such as `virtio=MAC`.
    pub(crate) fn key_alias(key: &'static str, target: &'static str) -> Self {
        Prop { alias: Some(target), key_alias: Some(key), ..Prop::string() }
    }

    pub(crate) fn required(mut self) -> Self {
        self.optional = false;
        self
    }

    pub(crate) fn default_key(mut self) -> Self {
        self.default_key = true;
        self
    }

    pub(crate) fn check(mut self, check: Check) -> Self {
        self.format = Format::One(check);
        self
    }

    pub(crate) fn list(mut self, check: Check) -> Self {
        self.format = Format::List(check);
        self
    }

    pub(crate) fn props(mut self, props: Arc<Props>) -> Self {
        self.format = Format::Props(props);
        self
    }

    /// A disk size, which is printed in the largest unit that fits.
    pub(crate) fn size(mut self) -> Self {
        self.size = true;
        self.check(formats::disk_size)
    }

    pub(crate) fn pattern(mut self, pattern: &str) -> Self {
        let anchored = format!("^{pattern}$");
        self.pattern = Some(Regex::new(&anchored).expect("the patterns of the schema are constant and valid"));
        self
    }

    pub(crate) fn choices(mut self, choices: &[&str]) -> Self {
        self.choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
        self
    }

    pub(crate) fn min(mut self, minimum: f64) -> Self {
        self.minimum = Some(minimum);
        self
    }

    pub(crate) fn max(mut self, maximum: f64) -> Self {
        self.maximum = Some(maximum);
        self
    }

    pub(crate) fn longest(mut self, length: usize) -> Self {
        self.max_length = Some(length);
        self
    }

    pub(crate) fn requires(mut self, other: &'static str) -> Self {
        self.requires = Some(other);
        self
    }
}

/// A set of parameters by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    rows: BTreeMap<String, Prop>,
    required: Vec<String>,
}

impl Table {
    pub(crate) fn insert(&mut self, key: impl Into<String>, prop: Prop) {
        let key = key.into();
        if !prop.optional {
            self.required.push(key.clone());
        }
        self.rows.insert(key, prop);
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Prop> {
        self.rows.get(key)
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.rows.contains_key(key)
    }

    pub(crate) fn required(&self) -> impl Iterator<Item = &String> {
        self.required.iter()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Prop)> {
        self.rows.iter()
    }
}

/// Whether `pattern` matches all of `text`; as in the API server's language, a last line feed does not count.
pub(crate) fn matches(pattern: &Regex, text: &str) -> bool {
    pattern.is_match(text) || text.strip_suffix('\n').is_some_and(|shorter| pattern.is_match(shorter))
}

/// Splits a list as the API does: by NUL if there is one, else by commas, semicolons and white space.
pub(crate) fn split_list(text: &str) -> Vec<&str> {
    if text.contains('\0') {
        let mut parts: Vec<&str> = text.split('\0').collect();
        while parts.last().is_some_and(|last| last.is_empty()) {
            parts.pop();
        }
        return parts;
    }
    text.split(|c: char| c == ',' || c == ';' || c.is_whitespace()).filter(|part| !part.is_empty()).collect()
}
