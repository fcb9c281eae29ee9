//! The manual page of all functions, made from the tables. Every example is evaluated while the page is made, so none
//! can be wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::absent::ABSENT;
use super::tests::differences;
use super::{Function, TABLES};
use crate::{Inputs, Vocabulary, check, load};

/// What the examples read.
const FOLDER: &[(&str, &str)] = &[
    ("motd.txt", "Welcome!\n"),
    ("greeting.tftpl", "This is ${name}.\n%{ for disk in disks ~}\n* ${disk}\n%{ endfor ~}\n"),
    ("files/app.conf", "threads = 4\n"),
    ("files/db.conf", "cache = 1G\n"),
];

const START: &str = "\
# Functions

This page is generated from the functions themselves; every example was evaluated.

The functions are those of Terraform 1.11, with the same names, conversions and errors. They are pure: the same arguments
give the same result, everywhere and every time, and nothing outside the configuration's folder is read. What is made of a
secret is a secret; what is made of a value that is not known yet is not known yet; and no result may be so large that the
machine suffers. Characters are counted as a reader counts them, and numbers are decimal with 154 digits.

In a signature `name?` can be left out, and `name…` can be repeated. A list can be spread over arguments with `...`:
`max([1, 2, 3]...)`.
";

const REGEX: &str = "\
A pattern is what Terraform takes, the language RE2: `.` `[a-z]` `[^a-z]` `[[:alpha:]]` `\\d` `\\w` `\\s` `\\b` (ASCII only),
`\\pL` `\\p{Greek}`, `x*` `x+` `x?` `x{2,5}` and the same followed by `?` for as little as possible, `(…)` `(?:…)`
`(?P<name>…)`, `a|b`, `^` `$` `\\A` `\\z`, and the flags `i`, `m`, `s` and `U` as in `(?i)`. There are no references back and
nothing looks ahead or behind, so matching never takes longer than the text is long. In a quoted text a backslash is
written twice: `\"\\\\d+\"`.
";

const FILES: &str = "\
Paths are relative to the configuration's folder. In the examples it holds `motd.txt` with the line `Welcome!`,
`greeting.tftpl`, and the folder `files` with `app.conf` and `db.conf`.
";

const TEMPLATES: &str = "\
In a template only the given variables have names. `greeting.tftpl` is

```
This is ${name}.
%{ for disk in disks ~}
* ${disk}
%{ endfor ~}
```
";

/// Returns the page in Markdown.
pub(crate) fn reference() -> String {
    let mut page = START.to_owned();
    for (title, functions) in TABLES {
        let _ = write!(page, "\n## {title}\n");
        let words = match *title {
            "Regular expressions" => REGEX,
            "Files and paths" => FILES,
            "Templates" => TEMPLATES,
            _ => "",
        };
        if !words.is_empty() {
            let _ = write!(page, "\n{words}");
        }
        let mut functions: Vec<&Function> = functions.iter().collect();
        functions.sort_unstable_by_key(|function| function.name);
        for function in functions {
            let _ = write!(
                page,
                "\n### {}\n\n`{}`: {}\n\n```hcl\n",
                function.name,
                function.signature(),
                decapitalised(function.doc)
            );
            for example in function.example.lines() {
                let _ = writeln!(page, "{example}\n# {}", value_of(example));
            }
            page.push_str("```\n");
        }
    }
    page.push_str(
        "\n## Where a value differs\n\nOtherwise expressions have the values that they have in Terraform.\n\n",
    );
    page.push_str("| why | expression | here | in Terraform |\n|---|---|---|---|\n");
    for (expression, ours, theirs, why) in shortest_of_each_reason() {
        let shown = |value: &str| match value {
            "<error>" => "a mistake".to_owned(),
            value => format!("`{}`", tune_core::text::visible(value, 40)),
        };
        let _ = writeln!(page, "| {why} | `{expression}` | {} | {} |", shown(ours), shown(theirs));
    }
    page.push_str("\n## Not offered\n\nTerraform has these functions, and `tune` does not.\n\n");
    page.push_str("| function | why not | what to do instead |\n|---|---|---|\n");
    for absent in ABSENT {
        let _ = writeln!(page, "| `{}` | {} | {} |", absent.name, absent.why, absent.instead);
    }
    page
}

/// Returns one example for each way in which values differ from Terraform's.
fn shortest_of_each_reason() -> Vec<(&'static str, &'static str, &'static str, &'static str)> {
    let mut rows: BTreeMap<&str, (&str, &str, &str, &str)> = BTreeMap::new();
    for row in differences() {
        let shortest = rows.entry(row.3).or_insert(*row);
        if row.0.len() < shortest.0.len() {
            *shortest = *row;
        }
    }
    rows.into_values().collect()
}

/// Returns the doc line as it stands behind a colon.
fn decapitalised(doc: &str) -> String {
    let (first, rest) = doc.split_at(doc.chars().next().map_or(0, char::len_utf8));
    let is_word = rest.starts_with(|c: char| c.is_lowercase() || c == ' ');
    if is_word { first.to_lowercase() + rest } else { doc.to_owned() }
}

/// Returns the value of an example, as the language writes it.
fn value_of(example: &str) -> String {
    let hcl = format!("output \"example\" {{\n  value = {example}\n}}\n");
    let files = FOLDER.iter().copied().chain([("main.tune.hcl", hcl.as_str())]);
    let files: BTreeMap<String, String> = files.map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    match check(&load(&files, &Vocabulary::default(), "0.1.0"), &Inputs::default()) {
        Ok(configuration) => configuration.outputs["example"].value.to_string(),
        Err(mistakes) => format!("{:?}", mistakes.list),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set this variable to write the file anew.
    const REGENERATE: &str = "TUNE_REGENERATE";

    #[test]
    fn the_published_page_is_current() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/functions.md");
        let current = reference();
        if std::env::var_os(REGENERATE).is_some() {
            std::fs::write(&file, &current).unwrap();
        }
        let published = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(published == current, "docs/reference/functions.md is stale: run the tests once with {REGENERATE}=1");
    }

    #[test]
    fn every_example_has_a_value() {
        let examples = super::super::all().flat_map(|function| function.example.lines());
        let wrong: Vec<&str> = examples.filter(|example| value_of(example).contains("Diagnostic")).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
