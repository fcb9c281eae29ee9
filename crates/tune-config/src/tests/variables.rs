//! Where values of variables come from, and what is wrong with them.

use std::collections::BTreeMap;

use super::{folder, kind, resolve_files, shown};
use crate::{Argument, Inputs, Vocabulary, check, load};

fn set(name: &str, text: &str) -> Argument {
    Argument::Variable { name: name.to_owned(), text: text.to_owned() }
}

fn file(name: &str, text: &str) -> Argument {
    Argument::File { name: name.to_owned(), text: text.to_owned() }
}

fn texts(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    folder(entries)
}

/// The value of `x` with these files beside its declaration, and these inputs; or what is wrong.
fn value(declaration: &str, files: &[(&str, &str)], inputs: &Inputs) -> String {
    let main = format!("variable \"x\" {{\n{declaration}\n}}\noutput \"x\" {{\n  value = nonsensitive(var.x)\n}}\n");
    let files = [&[("main.tune.hcl", main.as_str())], files].concat();
    match resolve_files(&files, inputs) {
        Ok(configuration) => configuration.outputs["x"].value.to_string(),
        Err(mistakes) => shown(&mistakes),
    }
}

#[test]
fn later_sources_win() {
    let mut inputs = Inputs::default();
    let mut files = vec![];
    let mut seen = vec![value("default = 0", &files, &inputs)];
    inputs.answers = texts(&[("x", "1")]);
    seen.push(value("default = 0", &files, &inputs));
    inputs.environment = texts(&[("x", "2"), ("nobody", "0")]);
    seen.push(value("default = 0", &files, &inputs));
    files.push(("tune.vars.hcl", "x = 3"));
    seen.push(value("default = 0", &files, &inputs));
    files.push(("b.auto.vars.hcl", "x = 5"));
    files.push(("a.auto.vars.hcl", "x = 4"));
    seen.push(value("default = 0", &files, &inputs));
    inputs.arguments = vec![set("x", "6"), file("some.hcl", "x = 7")];
    seen.push(value("default = 0", &files, &inputs));
    inputs.arguments.reverse();
    seen.push(value("default = 0", &files, &inputs));
    assert_eq!(seen, ["0", "\"1\"", "\"2\"", "3", "5", "7", "\"6\""]);
}

#[test]
fn a_text_is_read_as_the_type_says() {
    let given = |of_type: &str, text: &str| {
        let inputs = Inputs { arguments: vec![set("x", text)], ..Inputs::default() };
        value(&format!("type = {of_type}"), &[], &inputs)
    };
    assert_eq!(given("string", "[1]"), "\"[1]\"");
    assert_eq!(given("number", "1.50"), "1.5");
    assert_eq!(given("bool", "true"), "true");
    assert_eq!(given("any", "5"), "\"5\"");
    assert_eq!(given("list(string)", "[\"a\", 1]"), "[\"a\", \"1\"]");
    assert_eq!(given("map(number)", "{ a = \"1\" }"), "{ \"a\" = 1 }");
    assert_eq!(
        given("object({ a = string, b = optional(number), c = optional(bool, true) })", "{ a = 1, z = 2 }"),
        "{ \"a\" = \"1\", \"b\" = null, \"c\" = true }"
    );
    assert_eq!(given("tuple([string, number])", "[1, \"2\"]"), "[\"1\", 2]");
    assert_eq!(given("set(string)", "[\"b\", \"a\", \"b\"]"), "[\"a\", \"b\"]");
    assert_eq!(given("number", "ten"), "type «ten» the variable `x` cannot have this value");
    assert_eq!(given("list(number)", "[1, \"x\"]"), "type «\"x\"» the variable `x` cannot have this value");
    assert_eq!(given("list(number)", "[1"), "syntax «[» `[` is not closed");
    assert_eq!(
        given("list(number)", "[local.x]"),
        "misplaced «local.x» a reference where only a plain value can stand"
    );
}

#[test]
fn null_and_defaults() {
    let file = [("tune.vars.hcl", "x = null")];
    assert_eq!(value("default = 1", &file, &Inputs::default()), "null");
    assert_eq!(value("default = 1\n  nullable = false", &file, &Inputs::default()), "1");
    assert_eq!(value("nullable = false", &file, &Inputs::default()), "type «null» the variable `x` may not be `null`");
}

#[test]
fn values_for_nobody() {
    let inputs = Inputs { arguments: vec![set("xx", "1")], ..Inputs::default() };
    assert_eq!(
        value("default = 1", &[], &inputs),
        "unknown_variable «-» `-var` gives a value for `xx`, which is not declared"
    );
    let files = [("main.tune.hcl", "variable \"x\" {\n  default = 1\n}\n"), ("tune.vars.hcl", "xx = 1\nblock {}\n")];
    let mistakes = resolve_files(&files, &Inputs::default()).expect_err("a block has no place there");
    assert_eq!(
        shown(&mistakes),
        "unknown_variable «xx» a value for the variable `xx`, which is not declared\n\
         unknown_block «block» a block `block` in a file of variable values"
    );
    let configuration = resolve_files(&[files[0], ("tune.vars.hcl", "xx = 1\n")], &Inputs::default());
    let warnings = configuration.expect("a warning only").warnings;
    assert_eq!(shown(&warnings), "unknown_variable «xx» a value for the variable `xx`, which is not declared");
    assert_eq!(warnings.list[0].help.as_deref(), Some("did you mean `x`?"));
}

#[test]
fn a_folder_without_a_configuration() {
    let mistakes = resolve_files(&[("main.tf", "")], &Inputs::default()).expect_err("nothing is there");
    assert_eq!(shown(&mistakes), "no_files «-» there is no configuration in this folder");
}

#[test]
fn missing_values_are_asked_for() {
    let files = folder(&[
        (
            "main.tune.hcl",
            "variable \"a\" {\n  type = number\n  description = \"The a.\"\n}\nvariable \"b\" {\n  sensitive = true\n}\nvariable \"c\" {\n  default = 1\n}\nvariable \"d\" {}\n",
        ),
        ("tune.vars.hcl", "d = 1\n"),
    ]);
    let kind = kind();
    let module = load(&files, &Vocabulary { kinds: vec![&kind], ..Vocabulary::default() }, "0.1.0");
    let missing = module.missing(&Inputs { environment: texts(&[("b", "x")]), ..Inputs::default() });
    assert_eq!(missing.len(), 1);
    assert_eq!(
        (missing[0].name.as_str(), missing[0].of_type.as_str(), missing[0].description.as_deref()),
        ("a", "number", Some("The a."))
    );
    assert!(module.variables()[1].sensitive && !module.variables()[2].required);
}

#[test]
fn values_and_files_go_into_the_digest() {
    let files = [
        ("main.tune.hcl", "variable \"x\" {\n  type = number\n}\noutput \"o\" {\n  value = file(\"sub/note\")\n}\n"),
        ("tune.vars.hcl", "x = \"5\"\n"),
        ("sub/note", "hello"),
        ("unread", "x"),
    ];
    let inputs = Inputs { arguments: vec![file("../outside.hcl", "x = 6")], ..Inputs::default() };
    let configuration = resolve_files(&files, &inputs).expect("a good configuration");
    assert_eq!(configuration.variables["x"].value, tune_core::Value::from(6));
    assert_eq!(
        configuration.files.keys().collect::<Vec<_>>(),
        ["../outside.hcl", "main.tune.hcl", "sub/note", "tune.vars.hcl"]
    );
    assert_eq!(configuration.files["sub/note"], "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
}

/// What `check` says, and how many hosts and resources it could tell.
fn checked(hcl: &str) -> String {
    let (files, kind) = (folder(&[("main.tune.hcl", hcl)]), kind());
    match check(&load(&files, &Vocabulary { kinds: vec![&kind], ..Vocabulary::default() }, "0.1.0"), &Inputs::default())
    {
        Ok(configuration) => {
            format!("{} hosts, {} resources", configuration.hosts.len(), configuration.resources.len())
        }
        Err(mistakes) => shown(&mistakes),
    }
}

#[test]
fn a_check_needs_no_values() {
    let good = r#"
        variable "names" { type = set(string) }
        variable "level" { type = number }
        variable "any" {}
        host "h" { connection = "local" }
        host "many" {
          for_each = var.names
          address  = "${each.key}.example.org"
        }
        resource "sysctl" "known" {
          host     = host.h
          settings = { a = 1 }
        }
        resource "sysctl" "level" {
          host     = host.h
          settings = { a = var.level, b = var.any.x[0] }
          level    = var.level + 1
          tags     = [for name in var.names : upper(name)]
          drop_in  = var.level > 5 ? "a" : var.any
        }
        resource "sysctl" "many" {
          for_each = host.many
          host     = each.value
          settings = { "${each.key}" = each.value.address }
        }
    "#;
    assert_eq!(checked(good), "1 hosts, 1 resources");
}

#[test]
fn a_check_finds_what_no_value_could_mend() {
    let bad = r#"
        variable "names" { type = set(string) }
        host "h" { connection = "local" }
        resource "sysctl" "a" {
          for_each = var.names
          host     = host.h
          settings = var.names
          drop_in  = each.kee
          level    = "x${each.key}" + nope("y")
          tags     = ["a", [each.key]]
        }
        output "a" { value = var.names.x }
        output "b" { value = var.names ? 1 / 0 : 2 }
    "#;
    assert_eq!(
        checked(bad),
        "type «var.names» `settings` has the wrong type\n\
         unknown_name «each.kee» there is no `each.kee`\n\
         unknown_function «nope» unknown function `nope`\n\
         type «[each.key]» `tags[1]` has the wrong type\n\
         index «.x» there is no attribute `x`\n\
         expression «0» a division by zero"
    );
}

#[test]
fn a_broken_file_of_values_hides_no_other_mistake_and_adds_none() {
    let files = [
        ("main.tune.hcl", "variable \"a\" {}\noutput \"o\" {\n  value = nope(var.a)\n}\n"),
        ("tune.vars.hcl", "b = \na = 1\n"),
    ];
    let mistakes = resolve_files(&files, &Inputs::default()).expect_err("the file of values is broken");
    assert_eq!(
        shown(&mistakes),
        "unknown_function «nope» unknown function `nope`\nsyntax «*» the text is not valid HCL"
    );
}
