//! A plan as Markdown, for a comment on a pull request: short enough for every forge, valid however much had to be left
//! out, and with nothing from a live system or a configuration that Markdown or HTML could obey.

use std::fmt::Write as _;

use tune_core::text;

use super::group::{self, Entry, Section};
use super::item::{Context, Symbol};
use super::plan;

/// Below the 65 536 characters that GitHub takes, with room for what a caller adds.
const LIMIT: usize = 65_000;
/// Where a later comment finds an earlier one to replace it.
const MARKER: &str = "<!-- tune plan -->";

/// Returns the comment: as much as fits, from everything down to the counts.
pub(crate) fn text(context: Context<'_>) -> String {
    let whole = plain(&plan::text(context, 100));
    let sections = group::sections(context);
    let table = table(&sections);
    let head = head(context);
    let advice = advice(context);
    let left_out = |what: &str| format!("_{what} left out here, because this would be too long for a comment._\n");
    let stages = [
        format!("{head}{table}{advice}{}", details(&whole)),
        format!("{head}{table}{advice}{}", left_out("The full plan is")),
        format!("{head}{table}{}", left_out("The full plan and what is worth knowing are")),
        format!("{head}{}", left_out("Everything but the summary is")),
    ];
    stages.into_iter().find(|stage| stage.len() <= LIMIT).unwrap_or_else(|| format!("{MARKER}\n### tune plan\n"))
}

fn head(context: Context<'_>) -> String {
    let summary = plain(&plan::summary(context.plan));
    let summary = summary.lines().next().unwrap_or_default();
    let mut head = format!("{MARKER}\n### tune plan\n\n**{}**\n\n", escaped(summary));
    for (address, resource) in &context.plan.resources {
        for (consent, danger) in resource.items.iter().flat_map(|item| &item.accepted) {
            let _ = writeln!(
                head,
                "* with consent `{}`: {} — {}",
                consent.word(),
                code(&address.to_string()),
                escaped(danger)
            );
        }
    }
    for mistake in context.plan.problems.iter().take(20) {
        let (address, message) = (code(&mistake.address.to_string()), escaped(&mistake.problem.message));
        let _ = writeln!(head, "* **cannot be applied**: {address} — {message} ({})", code(mistake.problem.code.0));
    }
    if !head.ends_with("\n\n") {
        head.push('\n');
    }
    head
}

fn table(sections: &[Section]) -> String {
    if sections.is_empty() {
        return String::new();
    }
    let mut table = "| | what | where | takes effect |\n|---|---|---|---|\n".to_owned();
    for section in sections {
        for entry in &section.entries {
            let _ = writeln!(table, "{}", row(entry, section));
        }
    }
    table.push('\n');
    table
}

fn row(entry: &Entry, section: &Section) -> String {
    let view = &entry.view;
    let shown = view.lines.iter().filter(|line| line.symbol != Symbol::Same).map(|line| {
        let remark = match line.symbol {
            Symbol::Conflict | Symbol::Unreadable => format!(" ({})", line.remark),
            _ => String::new(),
        };
        let value = if line.value.is_empty() { String::new() } else { format!(" {}", line.value.replace("->", "→")) };
        format!("{}{}", code(&line.label), escaped(&format!("{value}{remark}")))
    });
    let mut what: Vec<String> = shown.collect();
    if what.is_empty() {
        let remark = view.lines.first().map_or(&view.remark, |line| &line.remark);
        what.push(escaped(if remark.is_empty() { &view.remark } else { remark }));
    }
    let hosts = section.hosts.iter().map(ToString::to_string).collect();
    let mut effects: Vec<&str> = std::iter::once(view.remark.as_str())
        .chain(view.lines.iter().filter(|line| line.symbol != Symbol::Same).map(|line| line.remark.as_str()))
        .filter(|remark| !remark.is_empty())
        .collect();
    effects.dedup();
    format!(
        "| {} | {}: {} | {} | {} |",
        match view.symbol {
            Symbol::Same => ' ',
            symbol => symbol.sign(),
        },
        code(&group::title(&entry.addresses, &section.hosts)),
        what.join(", "),
        escaped(&group::many(hosts, 3)),
        escaped(&effects.join("; ")),
    )
}

fn advice(context: Context<'_>) -> String {
    let mut seen = std::collections::BTreeSet::new();
    let mut shown = String::new();
    for (address, advice) in &context.plan.advice {
        if seen.insert((advice.code, &advice.text)) {
            let (address, text) = (code(&address.to_string()), escaped(&advice.text));
            let _ = writeln!(shown, "**Worth knowing** — {address} {text} ({})\n", code(advice.code.0));
        }
    }
    shown
}

/// The plan as the terminal shows it, folded away. The fence is longer than any run of backticks in it.
fn details(plan: &str) -> String {
    let longest = plan.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("<details><summary>Full plan</summary>\n\n{fence}text\n{}\n{fence}\n\n</details>\n", plan.trim_end())
}

fn plain(painted: &str) -> String {
    anstream::adapter::strip_str(painted).to_string()
}

/// Returns a text as inline code that cannot end early, inside a table or out of it.
fn code(shown: &str) -> String {
    let shown = text::visible(shown, 300).replace('|', "\\|");
    let longest = shown.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if shown.starts_with('`') || shown.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{shown}{space}{fence}")
}

/// Returns a text in which nothing means anything to Markdown, HTML or the forge (`@name` would notify a person).
fn escaped(shown: &str) -> String {
    let mut safe = String::new();
    for c in text::visible(shown, 2000).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '@' => safe.push_str("&#64;"),
            '#' => safe.push_str("&#35;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '!' | '|' | '~' | '$' => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
    }
    // A bare address of a page would become a link.
    safe.replace("://", ":&#47;&#47;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{Fixture, new_file, write};
    use tune_core::plan::Operation;

    #[test]
    fn a_table_first_and_the_whole_plan_folded_away() {
        let items = || vec![write("vm.swappiness", "60", "10"), new_file("/etc/x.conf")];
        let fixture = Fixture::new(Operation::Apply).on("etcd", "pig", items()).on("etcd", "pve", items());
        let shown = text(fixture.context());
        let table = "\
<!-- tune plan -->
### tune plan

**Plan: 2 to import, 0 to add, 2 to change, 0 to revert. All 4 writes can be undone.**

| | what | where | takes effect |
|---|---|---|---|
| ~ | `sysctl.etcd`: `vm.swappiness` 60 → 10, `/etc/x.conf` | host.k3s\\[\"pig\"\\], host.k3s\\[\"pve\"\\] | takes effect at once; used at the next boot |

<details><summary>Full plan</summary>

```text
tune will perform the following actions:
";
        assert!(shown.starts_with(table), "{shown}");
        assert!(shown.ends_with("```\n\n</details>\n"), "{shown}");
    }

    #[test]
    fn nothing_from_outside_is_obeyed() {
        let hostile = "```\n</details><script>@admin [x](http://y) | ` $1";
        let fixture = Fixture::new(Operation::Apply).on("etcd", "pve", vec![write("vm.`a|b`", hostile, "10")]);
        let shown = text(fixture.context());
        let (before, folded) = shown.split_once("<details>").unwrap();
        for word in ["<script>", "</details>", "@admin", "http://", "](", "\n```"] {
            assert!(!before.contains(word), "{word} in {before}");
        }
        assert_eq!(folded.matches("\n````").count(), 2, "{folded}");
    }

    #[test]
    fn it_always_fits() {
        let mut fixture = Fixture::new(Operation::Apply);
        let mut lengths = Vec::new();
        for number in 0..600 {
            if number % 100 == 0 {
                lengths.push(text(fixture.context()).len());
            }
            // Every host differs, so nothing can be brought together.
            let item = write("vm.swappiness", &"9".repeat(90), &number.to_string());
            fixture = fixture.on("etcd", &format!("host-{number}"), vec![item]);
        }
        let shown = text(fixture.context());
        assert!(lengths.iter().all(|length| *length <= LIMIT) && shown.len() <= LIMIT, "{lengths:?}");
        assert!(shown.starts_with(MARKER) && shown.contains("600 to change"), "{shown}");
    }
}
