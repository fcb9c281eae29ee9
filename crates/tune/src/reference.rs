//! The generated part of the manual, `docs/reference`: one page per kind of resource and of source, the command line,
//! and every code. The tests here keep the published pages equal to the program.

mod language;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, CommandFactory as _};
use serde_json::Value as Json;
use tune_core::source::{Source, Use};

use crate::args::Arguments;
use crate::kinds;

/// Set this variable to write the pages anew.
const REGENERATE: &str = "TUNE_REGENERATE";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference")
}

/// Fails unless a published page is this one.
fn current(name: &str, page: &str) {
    let file = folder().join(name);
    if std::env::var_os(REGENERATE).is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, page).unwrap();
    }
    let published = fs::read_to_string(&file).unwrap_or_default();
    assert!(published == page, "docs/reference/{name} is stale: run the tests once with {REGENERATE}=1");
}

/// Fails if a folder has a page that nothing makes any more.
fn nothing_else(below: &str, names: &BTreeSet<String>) {
    let found: BTreeSet<String> = fs::read_dir(folder().join(below))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(&found, names);
}

#[test]
fn the_pages_of_kinds_are_current() {
    let mut names = BTreeSet::new();
    for (name, kind) in kinds::all() {
        let schema = kind.schema();
        let mut page = format!("# Resource `{name}`\n\n{}\n\n", generated());
        let _ = write!(page, "{}\n\n## Attributes\n", schema.doc);
        attributes(&schema.json, 3, &mut page);
        page.push_str(
            "\nEvery resource also takes `for_each`, `count`, `depends_on` and a block `lifecycle` with \
             `prevent_revert`, `accept`,\n`precondition` and `postcondition`.\n",
        );
        let codes: Vec<_> = kind.explanations().iter().collect();
        page.push_str(&codes_of(&codes));
        current(&format!("resources/{name}.md"), &page);
        names.insert(format!("{name}.md"));
    }
    nothing_else("resources", &names);
}

#[test]
fn the_pages_of_providers_are_current() {
    let mut names = BTreeSet::new();
    for schema in kinds::providers() {
        let name = schema.kind;
        let mut page = format!("# Provider `{name}`\n\n{}\n\n{}\n\n## Attributes\n", generated(), schema.doc);
        attributes(&schema.json, 3, &mut page);
        current(&format!("providers/{name}.md"), &page);
        names.insert(format!("{name}.md"));
    }
    nothing_else("providers", &names);
}

#[test]
fn the_pages_of_sources_are_current() {
    let mut names = BTreeSet::new();
    for (name, source) in kinds::sources(Path::new(".")) {
        current(&format!("sources/{name}.md"), &source_page(name, &*source));
        names.insert(format!("{name}.md"));
    }
    nothing_else("sources", &names);
}

fn source_page(name: &str, source: &dyn Source) -> String {
    let mut page = format!("# Source `{name}`\n\n{}\n\n{}\n\n", generated(), source.schema().doc);
    page.push_str(match source.usable() {
        Use::Anywhere => {
            "It may stand in a `data` block, which is read while planning, and in a `probe` block of a check.\n"
        }
        Use::Probe => "It may stand in a `probe` block of a check only.\n",
    });
    if source.knows_quorum() {
        page.push_str(
            "\nIt tells who votes: a rollout with a gate that asks it never takes down more members than the majority \
             can spare.\n",
        );
    }
    page.push_str("\n## Attributes\n");
    attributes(&source.schema().json, 3, &mut page);
    let _ = write!(page, "\n## Answer\n\n{}\n", source.answer().doc);
    answers(&source.answer().json, 3, &mut page);
    page.push_str(&codes_of(&source.explanations().iter().collect::<Vec<_>>()));
    page
}

#[test]
fn the_page_of_the_command_line_is_current() {
    let mut command = Arguments::command();
    command.build();
    let mut page = format!("# Command line\n\n{}\n\n", generated());
    let _ = writeln!(page, "{}", about(&command, false));
    page.push_str("\n## Options of every command\n\n");
    options(command.get_arguments().filter(|argument| is_shown(argument)), &mut page);
    for sub in command.get_subcommands() {
        command_section(sub, &["tune"], &mut page);
    }
    page.push_str(
        "\n## How it ends\n\n| exit code | meaning |\n|---|---|\n| 0 | done, or nothing to do |\n| 1 | an error; nothing \
         changed |\n| 2 | changes are pending, only with `-detailed-exitcode` |\n| 3 | the run failed, and everything \
         that it did is undone; with `fmt -check`, a file would be changed |\n| 4 | stuck or unknown; a person is \
         needed |\n| 5 | stopped part-way; consistent, and can go on |\n| 6 | a check does not pass |\n| 7 | the state or \
         a target is locked |\n",
    );
    current("cli.md", &page);
}

#[test]
fn the_page_of_codes_is_current() {
    let mut page = format!(
        "# Codes\n\n{}\n\nEvery message about a mistake or a failure carries one of these codes, and they stay the same \
         from version to version.\n`tune explain CODE` prints the same text.\n",
        generated()
    );
    let mut last = String::new();
    for explanation in kinds::explanations() {
        let area = explanation.code.0.rsplit_once("::").map_or("", |(area, _)| area).to_owned();
        if area != last {
            let _ = write!(page, "\n## {area}\n");
            last = area;
        }
        let _ = write!(page, "\n### {}\n\n**{}**\n\n{}\n", explanation.code, explanation.title, explanation.text);
    }
    current("diagnostics.md", &page);
}

fn generated() -> &'static str {
    "This page is generated from the program itself."
}

fn codes_of(codes: &[&tune_core::problem::Explanation]) -> String {
    if codes.is_empty() {
        return String::new();
    }
    let mut text = "\n## Codes\n\n".to_owned();
    for explanation in codes {
        let anchor = explanation.code.0.replace("::", "");
        let _ = writeln!(text, "* [`{}`](../diagnostics.md#{anchor}): {}", explanation.code, explanation.title);
    }
    text
}

/// Writes a section for each attribute that a block takes.
fn attributes(schema: &Json, level: usize, page: &mut String) {
    fields(schema, level, page, |name, field, required| {
        let mut facts = vec![type_of(field)];
        facts.push(if required.contains(&name) { "required".to_owned() } else { "optional".to_owned() });
        if field["x-tune-block"] == true {
            facts.push("written as a block".to_owned());
        }
        if field["x-tune-secret"] == true {
            facts.push("a secret".to_owned());
        }
        facts.join(", ")
    });
}

/// Writes a section for each attribute of an answer.
fn answers(schema: &Json, level: usize, page: &mut String) {
    fields(schema, level, page, |_, field, _| {
        let nullable = field["type"].as_array().is_some_and(|types| types.iter().any(|name| name == "null"));
        format!("{}{}", type_of(field), if nullable { ", or `null`" } else { "" })
    });
}

fn fields(schema: &Json, level: usize, page: &mut String, facts: impl Fn(&str, &Json, &[&str]) -> String + Copy) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let doc = field["description"].as_str().unwrap_or_default();
        let _ = write!(page, "\n{} `{name}`\n\n*{}*\n", "#".repeat(level), facts(name, field, &required));
        if !doc.is_empty() {
            let _ = write!(page, "\n{doc}\n");
        }
        let either = field["anyOf"].as_array().into_iter().flatten();
        for inner in [field, &field["items"], &field["additionalProperties"]].into_iter().chain(either) {
            if inner["properties"].is_object() {
                fields(inner, level + 1, page, facts);
            }
        }
    }
}

/// Says what type a field has, as a configuration names it.
fn type_of(field: &Json) -> String {
    match field["x-tune-type"].as_str() {
        Some("host") => return "host".to_owned(),
        Some("scalar") => return "string, number or bool".to_owned(),
        _ => {}
    }
    if let Some(either) = field["anyOf"].as_array() {
        return either.iter().filter(|of| of["type"] != "null").map(type_of).collect::<Vec<_>>().join(" or ");
    }
    if let Some(values) = field["enum"].as_array() {
        let values = values.iter().filter(|value| !value.is_null());
        return format!("one of {}", values.map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", "));
    }
    let name = match &field["type"] {
        Json::String(name) => name.as_str(),
        Json::Array(names) => names.iter().filter_map(Json::as_str).find(|name| *name != "null").unwrap_or_default(),
        _ => "",
    };
    match name {
        "boolean" => "bool".to_owned(),
        "integer" => "whole number".to_owned(),
        "array" => format!("list of {}", type_of(&field["items"])),
        "object" if field["properties"].is_object() => "object".to_owned(),
        "object" => format!("map of {}", type_of(&field["additionalProperties"])),
        "" => "any value".to_owned(),
        name => name.to_owned(),
    }
}

fn about(command: &Command, short: bool) -> String {
    let long = command.get_long_about().filter(|_| !short).or(command.get_about());
    long.map(ToString::to_string).unwrap_or_default()
}

fn is_shown(argument: &Arg) -> bool {
    !argument.is_hide_set() && argument.get_id() != "help" && argument.get_id() != "version"
}

fn command_section(command: &Command, above: &[&str], page: &mut String) {
    if command.get_name() == "help" {
        return;
    }
    let name = [above, &[command.get_name()]].concat();
    let _ = write!(page, "\n{} {}\n\n{}\n", "#".repeat(name.len()), name.join(" "), about(command, false));
    let own: Vec<&Arg> =
        command.get_arguments().filter(|argument| is_shown(argument) && !argument.is_global_set()).collect();
    if command.get_subcommands().next().is_none() {
        let places = own.iter().filter(|argument| argument.is_positional());
        let mut usage = name.join(" ");
        if own.iter().any(|argument| !argument.is_positional()) {
            usage.push_str(" [OPTIONS]");
        }
        for place in places {
            let word = word_of(place);
            let word = if place.is_required_set() { word } else { format!("[{word}]") };
            let more = place.get_num_args().is_some_and(|range| range.max_values() > 1);
            let word = if more { format!("{word}…") } else { word };
            let _ = write!(usage, " {word}");
        }
        let _ = write!(page, "\n```\n{usage}\n```\n");
    }
    if !own.is_empty() {
        page.push('\n');
        options(own.into_iter(), page);
    }
    for sub in command.get_subcommands() {
        command_section(sub, &name, page);
    }
}

fn options<'a>(arguments: impl Iterator<Item = &'a Arg>, page: &mut String) {
    page.push_str("| option | meaning |\n|---|---|\n");
    for argument in arguments {
        let takes = argument.get_action().takes_values();
        let written = match argument.get_long() {
            Some(long) if takes => format!("-{long}={}", word_of(argument)),
            Some(long) => format!("-{long}"),
            None => word_of(argument),
        };
        let mut text = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
        // clap takes the full stop of a doc comment away.
        if !text.ends_with('.') {
            text.push('.');
        }
        let values: Vec<String> = argument
            .get_possible_values()
            .iter()
            .filter(|_| takes)
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        if !values.is_empty() && !values.contains(&"`true`".to_owned()) {
            let _ = write!(text, " One of {}.", values.join(", "));
        }
        let defaults: Vec<String> =
            argument.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
        if takes && !defaults.is_empty() && !argument.is_hide_default_value_set() {
            let _ = write!(text, " By default {}.", defaults.join(", "));
        }
        let _ = writeln!(page, "| `{written}` | {} |", text.replace('\n', " ").replace('|', "\\|"));
    }
}

fn word_of(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    names.first().map_or_else(|| argument.get_id().to_string().to_uppercase(), ToString::to_string)
}
