//! A plan on a terminal. A tired person sees in five seconds what will happen and in twenty why: consents first, then
//! changes by host, then the order, then what is worth knowing; the summary is last, where it does not scroll away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tune_core::address::Address;
use tune_core::plan::{Adopted, Mistake, Operation, Plan, Step};
use tune_core::problem::Code;
use tune_core::text;
use tune_engine::store::local::OpenRun;

use super::columns::{self, Row};
use super::group::{self, Entry, Section};
use super::item::{Context, Line, Symbol};
use super::order;
use crate::paint;

/// Advice and reasons come from elsewhere and are cut after this many characters.
const LONGEST_TEXT: usize = 2000;

/// Returns the whole plan, summary included.
pub(crate) fn text(context: Context<'_>, screen: usize) -> String {
    let plan = context.plan;
    let sections = group::sections(context);
    let mut rows = Vec::new();
    if !sections.is_empty() {
        rows.push(Row::new(0, heading(plan)));
        rows.push(Row::blank());
    }
    consents(plan, &mut rows);
    for section in &sections {
        show_section(plan, section, screen, &mut rows);
    }
    rows.extend(order::order(plan, screen));
    owed(context, &mut rows);
    obstacles(plan, screen, &mut rows);
    advice(plan, screen, &mut rows);
    let mut text = columns::lay_out(&rows, screen);
    text.push_str(&summary(plan));
    text
}

/// Returns what to say about a run that had begun when the plan was made.
pub(crate) fn running(run: &OpenRun) -> String {
    let safe = |shown: &str| text::visible(shown, 100);
    let (command, by, started) = (safe(&run.command), safe(&run.by), safe(&run.started));
    let text = format!(
        "{by} began run {} ({command}) at {started}. It is under way, or was interrupted; an apply settles it first.",
        run.number
    );
    paint::notable(text) + "\n\n"
}

/// Returns what a plan's actions are introduced with.
fn heading(plan: &Plan) -> String {
    if !plan.has_work() {
        return "tune found the following, and can do nothing about it now:".to_owned();
    }
    match &plan.operation {
        Operation::Apply => "tune will perform the following actions:".to_owned(),
        Operation::Destroy => "tune will revert the following, back to what was there before:".to_owned(),
        Operation::RefreshOnly => "tune will accept what it found as last applied, and change no setting:".to_owned(),
        Operation::Rollback { run, through: false } => format!("tune will undo run {run}:"),
        Operation::Rollback { run, through: true } => format!("tune will undo run {run} and what came after it:"),
    }
}

fn consents(plan: &Plan, rows: &mut Vec<Row>) {
    let mut used: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for (address, resource) in &plan.resources {
        for item in &resource.items {
            for (consent, danger) in &item.accepted {
                used.entry((consent.word(), danger)).or_default().push(address.to_string());
            }
        }
    }
    if used.is_empty() {
        return;
    }
    rows.push(Row::new(2, paint::strong("With your consent")));
    for ((word, danger), mut addresses) in used {
        addresses.dedup();
        let left = format!("{} {}", paint::notable(word), group::many(addresses, 2));
        rows.push(Row::new(4, left).remark(text::visible(danger, LONGEST_TEXT)));
    }
    rows.push(Row::blank());
}

fn show_section(plan: &Plan, section: &Section, screen: usize, rows: &mut Vec<Row>) {
    let names: Vec<String> = section.hosts.iter().map(ToString::to_string).collect();
    let all = names.len();
    let mut lines = columns::wrap(&names.join(", "), screen * 2 / 3);
    if lines.len() > 3 {
        lines.truncate(2);
        lines.push(format!("… {all} hosts in all"));
    }
    for (number, line) in lines.iter().enumerate() {
        let count = if number == 0 && all > 1 { format!("× {all}{}", pace(plan, section)) } else { String::new() };
        rows.push(Row::new(2, paint::strong(line)).remark(paint::strong(count)));
    }
    rows.push(Row::blank());
    for entry in &section.entries {
        show_entry(entry, &section.hosts, rows);
        rows.push(Row::blank());
    }
}

/// How the hosts of a section are taken, where they are the members of one rollout or interrupted.
fn pace(plan: &Plan, section: &Section) -> String {
    let rollout =
        plan.rollouts.values().find(|rollout| section.hosts.iter().all(|host| rollout.members.contains(host)));
    let is_taken = |host: &Address| plan.members().any(|member| member.host == *host);
    match rollout.map(|rollout| rollout.max_unavailable.of(rollout.members.len())) {
        Some(count) if count > 1 => format!(", at most {count} at a time"),
        Some(_) => ", one at a time".to_owned(),
        None if section.hosts.iter().all(is_taken) => ", one at a time".to_owned(),
        None => String::new(),
    }
}

fn show_entry(entry: &Entry, hosts: &[Address], rows: &mut Vec<Row>) {
    let view = &entry.view;
    let title = format!("{} {}", sign(view.symbol), paint::strong(group::title(&entry.addresses, hosts)));
    rows.push(Row::new(2, title).remark(view.remark.clone()));
    let label = view.lines.iter().filter(|line| !line.value.is_empty()).map(|line| columns::width(&line.label)).max();
    for line in &view.lines {
        show_line(line, label.unwrap_or(0), rows);
    }
    for note in &view.notes {
        rows.push(Row::new(6, paint::faint(format!("# {note}"))));
    }
}

fn show_line(line: &Line, label: usize, rows: &mut Vec<Row>) {
    let named = if line.value.is_empty() {
        line.label.clone()
    } else {
        format!("{} = {}", columns::padded(&line.label, label), line.value)
    };
    let named = if line.symbol == Symbol::Same { paint::faint(named) } else { named };
    rows.push(Row::new(6, format!("{} {named}", sign(line.symbol))).remark(line.remark.clone()));
    for note in &line.notes {
        rows.push(Row::new(10, paint::notable(note)));
    }
    for patched in &line.patch {
        let painted = match patched.chars().next() {
            Some('+') => paint::added(patched),
            Some('-') => paint::removed(patched),
            _ => paint::faint(patched),
        };
        rows.push(Row::new(10, painted));
    }
}

fn sign(symbol: Symbol) -> String {
    let sign = symbol.sign();
    match symbol {
        Symbol::Same => sign.to_string(),
        Symbol::Add => paint::added(sign),
        Symbol::Change => paint::changed(sign),
        Symbol::Revert => paint::removed(sign),
        Symbol::Unreadable | Symbol::Conflict => paint::notable(sign),
    }
}

fn owed(context: Context<'_>, rows: &mut Vec<Row>) {
    if context.plan.owed.is_empty() {
        return;
    }
    rows.push(Row::new(2, paint::strong("Owed, until the host is back")));
    for owed in &context.plan.owed {
        let labels: Vec<String> = owed
            .items
            .iter()
            .map(|id| {
                let kind = context.kinds.get(id.kind.as_str());
                text::visible(&kind.map_or_else(|| id.key.0.clone(), |kind| kind.label(&id.key)), 80)
            })
            .collect();
        let left = format!("{} {} on {}", sign(Symbol::Revert), owed.address, owed.host);
        rows.push(Row::new(4, left).remark(group::many(labels, 4)));
        rows.push(Row::new(8, paint::faint(text::visible(&owed.reason, LONGEST_TEXT))));
    }
    rows.push(Row::blank());
}

/// Says what an apply would be refused for, although the plan is good: what has one cause and one way out stands
/// together.
fn obstacles(plan: &Plan, screen: usize, rows: &mut Vec<Row>) {
    let mut causes: BTreeMap<_, Vec<&Mistake>> = BTreeMap::new();
    for mistake in plan.obstacles() {
        let problem = &mistake.problem;
        causes.entry((problem.code, &problem.label, &problem.help)).or_default().push(mistake);
    }
    let texts = causes.into_iter().map(|((code, label, help), mistakes)| {
        let addresses: BTreeSet<String> = mistakes.iter().map(|mistake| mistake.address.to_string()).collect();
        let messages: BTreeSet<&str> = mistakes.iter().map(|mistake| mistake.problem.message.as_str()).collect();
        let messages = group::many(messages.into_iter().map(str::to_owned).collect(), 3);
        let help = help.as_ref().map_or_else(String::new, |help| format!(" To apply it, {help}."));
        (code, addresses.into_iter().collect(), format!("{messages}: {label}.{help}"))
    });
    remarks("An apply is refused here", texts, screen, rows);
}

fn advice(plan: &Plan, screen: usize, rows: &mut Vec<Row>) {
    let mut grouped: BTreeMap<(Code, &str), Vec<String>> = BTreeMap::new();
    for (address, advice) in &plan.advice {
        grouped.entry((advice.code, &advice.text)).or_default().push(address.to_string());
    }
    let texts = grouped.into_iter().map(|((code, text), addresses)| (code, addresses, text.to_owned()));
    remarks("Worth knowing", texts, screen, rows);
}

/// Shows what was said of some resources under a title.
fn remarks(title: &str, said: impl Iterator<Item = (Code, Vec<String>, String)>, screen: usize, rows: &mut Vec<Row>) {
    let before = rows.len();
    for (code, addresses, said) in said {
        rows.push(Row::new(4, group::many(addresses, 2)).remark(paint::faint(code)));
        for line in columns::wrap(&text::visible(&said, LONGEST_TEXT), screen.saturating_sub(8).min(100)) {
            rows.push(Row::new(6, line));
        }
    }
    if rows.len() > before {
        rows.insert(before, Row::new(2, paint::strong(title)));
        rows.push(Row::blank());
    }
}

/// Returns the last line of a plan, in Terraform's shape, with what matters here added to it.
pub(crate) fn summary(plan: &Plan) -> String {
    let counts = plan.summary();
    let unreadable = count(plan, |step| matches!(step, Step::Unreadable(_)));
    let all_held = plan.resources.values().all(|resource| !resource.has_changes() || resource.is_held());
    let mut text = if plan.has_changes() && !all_held {
        let import = if counts.import > 0 { format!("{} to import, ", counts.import) } else { String::new() };
        let activate = if counts.activate > 0 { format!(", {} to activate", counts.activate) } else { String::new() };
        let mut text = paint::strong(format!(
            "Plan: {import}{} to add, {} to change, {} to revert{activate}.",
            counts.add, counts.change, counts.revert
        ));
        let interruptions = order::interruptions(plan);
        if !interruptions.is_empty() {
            let _ = write!(text, " {}.", paint::notable(interruptions));
        }
        let writes = plan.resources.values().filter(|resource| !resource.is_held());
        let writes = writes.flat_map(|resource| &resource.items).filter(|item| item.step.change().is_some()).count();
        text.push_str(&undo(writes, counts.irreversible));
        text
    } else if plan.has_work() && !plan.has_changes() {
        paint::strong("No changes to any host.") + " An apply only brings the record up to date."
    } else if unreadable + counts.conflicts > 0 || !plan.owed.is_empty() || !plan.problems.is_empty() {
        paint::strong("Nothing can be done now.")
    } else {
        paint::strong("No changes.") + nothing_to_do(&plan.operation)
    };
    if counts.conflicts > 0 {
        let _ = write!(text, " {}.", plural(counts.conflicts, "conflict is skipped", "conflicts are skipped"));
    }
    if unreadable > 0 {
        let _ = write!(text, " {}.", plural(unreadable, "value could not be read", "values could not be read"));
    }
    if !plan.owed.is_empty() {
        let _ = write!(text, " {}.", plural(plan.owed.len(), "revert is owed", "reverts are owed"));
    }
    text.push('\n');
    let originals = plan.resources.values().filter(|resource| !resource.is_held());
    let originals = originals
        .flat_map(|resource| &resource.items)
        .filter(|item| matches!(item.adopt, Some(Adopted::Read { .. })))
        .count();
    if originals > 0 {
        let what = plural(originals, "value is recorded as it is now", "values are recorded as they are now");
        text.push_str(&paint::faint(format!("An apply keeps what was there before: {what}, for `tune destroy`.")));
        text.push('\n');
    }
    text
}

/// Returns how many items have such a step.
fn count(plan: &Plan, is: impl Fn(&Step) -> bool) -> usize {
    plan.resources.values().flat_map(|resource| &resource.items).filter(|item| is(&item.step)).count()
}

fn undo(writes: usize, irreversible: usize) -> String {
    match (writes, irreversible) {
        (0, _) => String::new(),
        (1, 0) => " It can be undone.".to_owned(),
        (_, 0) => format!(" All {writes} writes can be undone."),
        (_, irreversible) => paint::removed(format!(" {irreversible} of {writes} writes cannot be undone.")),
    }
}

fn nothing_to_do(operation: &Operation) -> &'static str {
    match operation {
        Operation::Apply => " Your infrastructure matches the configuration.",
        Operation::Destroy => " Nothing is recorded that could be reverted.",
        Operation::RefreshOnly => " Everything is as it was last applied.",
        Operation::Rollback { .. } => " What was there before that run is there already.",
    }
}

fn plural(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

#[cfg(test)]
mod tests;
