//! Broken configurations, and exactly what is said about each: code, marked text, message. Each module has a table of them.

mod block;
mod expression;
mod nested;
mod rolling;
mod syntax;
mod variable;

use super::{mistakes, shown};

/// Texts of configurations, each with the mistakes in it.
type Broken = &'static [(&'static str, &'static [&'static str])];

fn all() -> impl Iterator<Item = &'static (&'static str, &'static [&'static str])> {
    let areas = [syntax::BROKEN, expression::BROKEN, block::BROKEN, nested::BROKEN, variable::BROKEN, rolling::BROKEN];
    areas.into_iter().flatten()
}

#[test]
fn every_mistake_is_named_on_its_exact_text() {
    for (hcl, expect) in all() {
        assert_eq!(shown(&mistakes(hcl)).lines().collect::<Vec<_>>(), *expect, "in:\n{hcl}");
    }
}

#[test]
fn every_code_is_given_by_some_configuration() {
    // The codes that need more than one file, or none, have tests of their own.
    let elsewhere = ["no_files", "unknown_variable", "answer", "check", "module", "assertion", "test"];
    for explanation in crate::EXPLANATIONS {
        let code = explanation.code.0.trim_start_matches("tune::config::");
        let given = all().flat_map(|(_, lines)| *lines).any(|line| line.split(' ').next() == Some(code));
        assert!(given || elsewhere.contains(&code), "nothing gives `{code}`");
    }
}

#[test]
fn messages_are_in_the_house_style() {
    for (hcl, _) in all() {
        for diagnostic in &mistakes(hcl).list {
            let message = &diagnostic.message;
            let starts_lower = message.starts_with(|c: char| c.is_lowercase() || c == '`');
            assert!(starts_lower && !message.ends_with('.'), "{message}");
            assert_eq!(diagnostic.labels.iter().filter(|label| label.primary).count(), 1, "{message}");
            assert!(
                diagnostic.labels.iter().all(|label| !label.text.is_empty() && !label.text.ends_with('.')),
                "{message}"
            );
        }
    }
}

#[test]
fn a_broken_file_hides_no_mistake_of_another_and_adds_none() {
    let files = [
        ("a.tune.hcl", "locals {\n  a = \n}\nhost \"h\" {\n  connection = \"local\"\n}\nvariable \"v\" {}\n"),
        ("b.tune.hcl", "locals {\n  b = [local.a, var.v, host.h.name, hots.h, nope(1), 1 + \"x\"]\n}\n"),
        ("c.tune.hcl", "output \"o\" {\n  value = local.b\n  valeu = 1\n}\n"),
        ("tune.vars.hcl", "v = 1\n"),
    ];
    let mistakes = super::resolve_files(&files, &crate::Inputs::default()).expect_err("three of them are broken");
    assert_eq!(
        shown(&mistakes).lines().collect::<Vec<_>>(),
        [
            "syntax «=» a value is missing",
            "unknown_name «hots.h» `hots.h` stands for nothing",
            "unknown_function «nope» unknown function `nope`",
            "expression «\"x\"» `+` takes numbers",
            "unknown_attribute «valeu» unknown attribute `valeu`",
        ]
    );
}

#[test]
fn one_expression_for_many_instances_is_one_mistake() {
    let hcl =
        "host \"h\" {\n  for_each = toset([\"a\", \"b\", \"c\"])\n  address  = each.key\n  port     = each.key\n}\n";
    assert_eq!(shown(&mistakes(hcl)), "type «each.key» `port` has the wrong type");
}

#[test]
fn an_escape_in_a_name_reaches_no_terminal() {
    let hcl =
        "host \"a\\u001b]52;c;x\" {\n}\nlocals {\n  a = { x = 1 }[\"\\u001b[31m\"]\n  b = \"\\u001b[2J\" + 1\n}\n";
    for mistake in &mistakes(hcl).list {
        let texts = mistake.labels.iter().map(|label| &label.text).chain([&mistake.message]).chain(&mistake.help);
        for text in texts {
            assert!(!text.contains(char::is_control), "{text:?}");
        }
    }
}

#[test]
fn a_host_is_asked_for_as_it_is_written() {
    let hcl = "host \"h\" {\n  for_each   = toset([\"a\"])\n  connection = \"local\"\n}\nresource \"sysctl\" \"a\" {\n  host     = host.h\n  settings = {}\n}\nresource \"sysctl\" \"b\" {\n  host     = \"host.h\"\n  settings = {}\n}\n";
    let mistakes = mistakes(hcl);
    let help: Vec<&str> = mistakes.list.iter().filter_map(|mistake| mistake.help.as_deref()).collect();
    assert_eq!(
        help,
        [
            "pick one of the hosts, for example with `[each.key]`",
            "write a reference such as `host.NAME`, without quotes around it",
        ]
    );
}
