//! Functions that evaluate a text as a template. Nothing from outside has a name in it but the variables that are given
//! along, so what a template means can be seen where it is used.

use super::{Call, Failure, Function, Marks, Parameter, Run, Shape, file, takes};
use crate::value::{Entries, Value};

const VARIABLES: Parameter = takes("variables", Shape::Map);

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "templatefile",
        parameters: &[takes("path", Shape::Text), VARIABLES],
        rest: None,
        gives: Shape::Any,
        marks: Marks::Parts,
        doc: "A file of the configuration's folder evaluated as a template with the variables.",
        example: r#"templatefile("greeting.tftpl", { name = "pve", disks = ["sda", "sdb"] })"#,
        run: Run::Template(|call| {
            let name = call.text(0).to_owned();
            Ok(Template { name, text: file::text(call)?, secret: false, variables: variables(call)? })
        }),
    },
    Function {
        name: "templatestring",
        parameters: &[takes("template", Shape::Text), VARIABLES],
        rest: None,
        gives: Shape::Text,
        marks: Marks::Parts,
        doc: "A text evaluated as a template with the variables.",
        example: r#"templatestring("Hello, $${name}!", { name = "pve" })"#,
        run: Run::Template(|call| {
            let (name, text) = ("the template".to_owned(), call.text(0).to_owned());
            Ok(Template { name, text, secret: call.value(0).sensitive, variables: variables(call)? })
        }),
    },
];

/// A template before it is evaluated.
pub(crate) struct Template {
    pub name: String,
    pub text: String,
    /// Whether nothing may be said about the text.
    pub secret: bool,
    pub variables: Entries,
}

fn variables(call: &Call<'_>) -> Result<Entries, Failure> {
    let sensitive = call.value(1).sensitive;
    let entries = call.entries(1);
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
    };
    if !entries.keys().all(|name| is_name(name)) {
        return Err(Failure::of(1, "a key is no name that a template could refer to"));
    }
    let marked = |value: &Value| value.clone().mark(sensitive);
    Ok(entries.iter().map(|(name, value)| (name.clone(), marked(value))).collect())
}
