//! The functions of the language. Each is one row of a table: its name, what it takes and gives, what it is for, and the
//! code that computes it. Evaluating and converting arguments, secrets and values that are not known yet are the same
//! for all and happen before, in `evaluate::call`.

mod absent;
mod collection;
mod control;
mod conversion;
mod csv;
mod date;
mod digest;
mod encoding;
mod file;
mod format;
mod glob;
mod json;
mod letter;
mod list;
mod network;
pub(crate) mod number;
mod pattern;
#[cfg(test)]
mod reference;
mod set;
mod string;
mod template;
mod yaml;

pub(crate) use absent::instead_of;
pub(crate) use digest::hexadecimal;
pub(crate) use template::Template;

use std::fmt;

use tune_core::Number;
use tune_core::problem::Code;

use crate::code;
use crate::evaluate::Evaluator;
use crate::source::{FileError, Files};
use crate::syntax::ir::ExprId;
use crate::types::Type;
use crate::value::{Data, Entries, Value};

/// Longer lists are refused before they are built.
const MAX_ITEMS: usize = 1 << 20;
/// Longer texts are refused before they are built.
const MAX_BYTES: usize = 32 << 20;

/// One row of the table.
pub(crate) struct Function {
    pub name: &'static str,
    pub parameters: &'static [Parameter],
    /// What any number of further arguments are.
    pub rest: Option<Parameter>,
    pub gives: Shape,
    pub marks: Marks,
    pub doc: &'static str,
    /// A call as the manual shows it, with its value; several are separated by line breaks.
    pub example: &'static str,
    pub run: Run,
}

pub(crate) struct Parameter {
    pub name: &'static str,
    pub takes: Shape,
    pub nullable: bool,
    pub optional: bool,
}

/// What is converted, and to what, before a function sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Any,
    Bool,
    Number,
    Integer,
    Text,
    /// A list or a set of whatever.
    List,
    /// A list of strings.
    Texts,
    /// A list of bools.
    Bools,
    Set,
    Map,
}

/// How secrets among the arguments show in the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    /// Any secret, however deep, makes the result one.
    Whole,
    /// The function moves parts of its arguments as they are, so secrets in them stay where they are.
    Parts,
    /// The function is about secrets.
    Own,
}

#[derive(Clone, Copy)]
pub(crate) enum Run {
    Eager(fn(&mut Call<'_>) -> Result<Value, Failure>),
    /// Evaluates its own arguments, or does not.
    Lazy(fn(&mut Evaluator<'_>, &[ExprId], ExprId) -> Value),
    /// Gives a text that is evaluated in turn.
    Template(fn(&mut Call<'_>) -> Result<Template, Failure>),
}

/// Converted arguments on their way into a function.
pub(crate) struct Call<'a> {
    pub arguments: Vec<Value>,
    pub files: &'a dyn Files,
    /// Whether an argument is a secret or holds one, so that no reason may name it.
    pub secret: bool,
    /// Steps that the call takes beyond those for looking at its arguments and its result.
    pub cost: u64,
}

/// Why a function has no result. The reason holds nothing of an argument that is a secret, of which
/// [`Call::secret`] tells; most hold nothing of any.
pub(crate) struct Failure {
    pub argument: Option<usize>,
    pub code: Code,
    pub reason: String,
}

/// Returns the function of this name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    all().find(|function| function.name == name)
}

/// Returns the name of every function.
fn names() -> impl Iterator<Item = &'static str> {
    all().map(|function| function.name)
}

/// Returns how every function is called and what it is for, sorted by name.
pub fn functions() -> Vec<(String, &'static str)> {
    let mut functions: Vec<&Function> = all().collect();
    functions.sort_unstable_by_key(|function| function.name);
    functions.into_iter().map(|function| (function.signature(), function.doc)).collect()
}

/// Every table with the heading that the manual gives it.
const TABLES: &[(&str, &[Function])] = &[
    ("Numbers", number::FUNCTIONS),
    ("Texts", string::FUNCTIONS),
    ("Regular expressions", pattern::FUNCTIONS),
    ("Lists and maps", collection::FUNCTIONS),
    ("More about lists", list::FUNCTIONS),
    ("Sets", set::FUNCTIONS),
    ("Types", conversion::FUNCTIONS),
    ("Mistakes and secrets", control::FUNCTIONS),
    ("Encodings", encoding::FUNCTIONS),
    ("Digests", digest::FUNCTIONS),
    ("Dates", date::FUNCTIONS),
    ("Network addresses", network::FUNCTIONS),
    ("Files and paths", file::FUNCTIONS),
    ("Templates", template::FUNCTIONS),
];

fn all() -> impl Iterator<Item = &'static Function> {
    TABLES.iter().flat_map(|(_, functions)| *functions)
}

/// Starts a row.
const fn row(
    name: &'static str,
    parameters: &'static [Parameter],
    gives: Shape,
    doc: &'static str,
    run: fn(&mut Call<'_>) -> Result<Value, Failure>,
) -> Function {
    Function { name, parameters, rest: None, gives, marks: Marks::Whole, doc, example: "", run: Run::Eager(run) }
}

const fn takes(name: &'static str, takes: Shape) -> Parameter {
    Parameter { name, takes, nullable: false, optional: false }
}

impl Function {
    const fn rest(mut self, parameter: Parameter) -> Self {
        self.rest = Some(parameter);
        self
    }

    const fn marks(mut self, marks: Marks) -> Self {
        self.marks = marks;
        self
    }

    const fn example(mut self, example: &'static str) -> Self {
        self.example = example;
        self
    }

    /// Returns what the argument at `position` is for.
    pub(crate) fn parameter(&self, position: usize) -> &Parameter {
        self.parameters
            .get(position)
            .or(self.rest.as_ref())
            .or(self.parameters.last())
            .expect("the number of arguments was checked, so there is a parameter for each")
    }

    /// Returns what is wrong with calling it with `count` arguments.
    pub(crate) fn wrong_count(&self, count: usize) -> Option<String> {
        let least = self.parameters.iter().filter(|parameter| !parameter.optional).count();
        let most = if self.rest.is_some() { usize::MAX } else { self.parameters.len() };
        let takes = match (least, most) {
            _ if (least..=most).contains(&count) => return None,
            (least, usize::MAX) => format!("at least {}", counted(least)),
            (least, most) if least == most => counted(least),
            (least, most) => format!("{least} to {}", counted(most)),
        };
        Some(format!("`{}` takes {takes}", self.name))
    }

    /// Returns how a call is written: `lookup(map, key, default?)`.
    pub(crate) fn signature(&self) -> String {
        let named = self.parameters.iter().map(|parameter| {
            if parameter.optional { format!("{}?", parameter.name) } else { parameter.name.to_owned() }
        });
        let rest = self.rest.iter().map(|parameter| format!("{}…", parameter.name));
        format!("{}({})", self.name, named.chain(rest).collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.signature())
    }
}

impl Parameter {
    /// Takes `null` as well.
    const fn or_null(mut self) -> Self {
        self.nullable = true;
        self
    }

    const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

impl Shape {
    pub(crate) fn as_type(self) -> Type {
        match self {
            Self::Any => Type::Any,
            Self::Bool => Type::Bool,
            Self::Number => Type::Number,
            Self::Integer => Type::Integer,
            Self::Text => Type::String,
            Self::List => Type::list(Type::Any),
            Self::Texts => Type::list(Type::String),
            Self::Bools => Type::list(Type::Bool),
            Self::Set => Type::Set(Box::new(Type::Any)),
            Self::Map => Type::map(Type::Any),
        }
    }

    pub(crate) fn described(self) -> String {
        match self {
            Self::Any => "a value".to_owned(),
            Self::List | Self::Texts | Self::Bools | Self::Set => "a list or a set".to_owned(),
            shape => shape.as_type().described(),
        }
    }
}

/// Access to converted arguments. A position that was checked to be there and of the right shape is simply used; the
/// table test calls every function, so a row that disagrees with its code does not get far.
impl Call<'_> {
    fn value(&self, position: usize) -> &Value {
        &self.arguments[position]
    }

    fn given(&self, position: usize) -> bool {
        self.arguments.len() > position
    }

    fn text(&self, position: usize) -> &str {
        self.arguments[position].as_str().expect("the table says this is a text")
    }

    fn number(&self, position: usize) -> &Number {
        self.arguments[position].as_number().expect("the table says this is a number")
    }

    /// Returns a whole number; one beyond 64 bits is beyond every length and every position anyway.
    fn integer(&self, position: usize) -> i64 {
        let number = self.number(position);
        let saturated = if *number < Number::from(0_i64) { i64::MIN } else { i64::MAX };
        number.as_i64().unwrap_or(saturated)
    }

    fn items(&self, position: usize) -> &[Value] {
        self.arguments[position].as_items().expect("the table says this is a list")
    }

    /// Returns the elements of a list; a set has no order, so it is a failure where positions matter.
    fn ordered(&self, position: usize) -> Result<&[Value], Failure> {
        if matches!(self.arguments[position].data, Data::Set(_)) {
            return Err(Failure::of(position, "a list is needed, but this is a set, which has no order"));
        }
        Ok(self.items(position))
    }

    fn entries(&self, position: usize) -> &Entries {
        self.arguments[position].as_entries().expect("the table says this is a map")
    }

    /// Returns the texts of a list of strings; a `null` among them is a failure.
    fn texts(&self, position: usize) -> Result<Vec<&str>, Failure> {
        let texts = self.items(position).iter().map(Value::as_str).collect::<Option<Vec<_>>>();
        texts.ok_or_else(|| Failure::of(position, "the list holds a `null`"))
    }
}

impl Failure {
    /// A failure that one argument is to blame for.
    fn of(argument: usize, reason: impl Into<String>) -> Self {
        Self { argument: Some(argument), code: code::ARGUMENT, reason: reason.into() }
    }

    /// A failure of the whole call.
    fn new(reason: impl Into<String>) -> Self {
        Self { argument: None, code: code::ARGUMENT, reason: reason.into() }
    }

    /// A failure to read a file.
    fn of_file(argument: usize, error: &FileError) -> Self {
        Self { argument: Some(argument), code: code::FILE, reason: error.to_string() }
    }

    fn too_large() -> Self {
        Self { argument: None, code: code::BUDGET, reason: "the result would be too large".to_owned() }
    }
}

fn counted(count: usize) -> String {
    match count {
        0 => "no arguments".to_owned(),
        1 => "one argument".to_owned(),
        count => format!("{count} arguments"),
    }
}

#[cfg(test)]
mod tests;
