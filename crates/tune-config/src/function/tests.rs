//! Every row of the table against Terraform itself, and what holds for all rows.

mod folder;
mod golden;
mod property;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use folder::FOLDER;
use golden::{different, golden};

use super::{Run, all};
use crate::tests::resolve_files;
use crate::{Inputs, Vocabulary, functions};

/// Returns what differs from Terraform, for the manual.
pub(super) fn differences() -> &'static [(&'static str, &'static str, &'static str, &'static str)] {
    different()
}

/// Evaluates an expression and returns its value in JSON, or `<error>`.
fn evaluate(expression: &str) -> String {
    let hcl = format!("output \"x\" {{\n  value = jsonencode({expression})\n}}\n");
    let files: Vec<(&str, &str)> = FOLDER.iter().copied().chain([("main.tune.hcl", hcl.as_str())]).collect();
    match resolve_files(&files, &Inputs::default()) {
        Ok(configuration) => configuration.outputs["x"].value.as_str().unwrap_or("<no text>").to_owned(),
        Err(_) => "<error>".to_owned(),
    }
}

fn check(expected: impl Iterator<Item = (&'static str, &'static str)>) {
    let wrong: Vec<String> = expected
        .map(|(expression, expect)| (expression, evaluate(expression), expect))
        .filter(|(_, value, expect)| value != expect)
        .map(|(expression, value, expect)| format!("{expression}: {value} instead of {expect}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn expressions_are_what_terraform_makes_of_them() {
    check(golden());
}

#[test]
fn where_the_language_differs_it_does_so_on_purpose() {
    check(different().iter().map(|(expression, ours, ..)| (*expression, *ours)));
    assert!(different().iter().all(|(_, ours, theirs, why)| ours != theirs && !why.is_empty()));
}

#[test]
fn every_function_is_compared_with_terraform() {
    let compared: Vec<&str> = golden()
        .map(|(expression, _)| expression)
        .chain(different().iter().map(|(expression, ..)| *expression))
        .collect();
    let called = |name: &str| compared.iter().any(|expression| expression.contains(&format!("{name}(")));
    let missing: Vec<&str> = all().map(|function| function.name).filter(|name| !called(name)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn rows_are_distinct_and_described() {
    let names: BTreeSet<&str> = all().map(|function| function.name).collect();
    assert_eq!(names.len(), all().count());
    assert_eq!(all().find(|function| !function.example.contains(function.name)).map(|function| function.name), None);
    for (signature, doc) in functions() {
        assert!(
            doc.ends_with('.') && doc.starts_with(char::is_uppercase) || doc.starts_with('-'),
            "{signature}: {doc}"
        );
    }
}

#[test]
fn no_function_trusts_its_arguments() {
    // Whatever stands in every place of every function: an answer or a mistake, never a panic.
    let arguments =
        ["null", "true", "-1", "0.5", "1e999", "\"\"", "\"é%5d\"", "[]", "[null, 1, \"a\"]", "{}", "{ a = [null] }"];
    for function in all().filter(|function| !matches!(function.run, Run::Lazy(_))) {
        let most = if function.rest.is_some() { function.parameters.len() + 1 } else { function.parameters.len() };
        let mut hcl = String::new();
        for (first_at, first) in arguments.iter().enumerate() {
            for (other_at, other) in arguments.iter().enumerate() {
                let list: Vec<&str> = (0..most).map(|at| if at == 0 { *first } else { *other }).collect();
                let call = format!("{}({})", function.name, list.join(", "));
                let _ = writeln!(hcl, "output \"o{first_at}-{other_at}\" {{\n  value = {call}\n}}");
            }
        }
        let files: Vec<(&str, &str)> = FOLDER.iter().copied().chain([("main.tune.hcl", hcl.as_str())]).collect();
        resolve_files(&files, &Inputs::default()).ok();
    }
}

#[test]
fn what_is_not_known_yet_is_no_mistake() {
    // Neither an argument that is unknown, nor one that holds something unknown, nor all of them.
    for function in all() {
        let least = function.parameters.iter().filter(|parameter| !parameter.optional).count();
        let unknown = vec!["var.u"; least];
        let spread = format!("{}(var.u...)", function.name);
        for call in [format!("{}({})", function.name, unknown.join(", ")), spread] {
            if call.contains("var.u...") && function.rest.is_none() {
                continue;
            }
            let hcl = format!("variable \"u\" {{}}\noutput \"o\" {{\n  value = {call}\n}}\n");
            let files = BTreeMap::from([("main.tune.hcl".to_owned(), hcl)]);
            let checked = crate::check(&crate::load(&files, &Vocabulary::default(), "0.1.0"), &Inputs::default());
            assert!(checked.is_ok(), "{call}: {:?}", checked.err().map(|mistakes| mistakes.list));
        }
    }
}
