//! What became of a run: how it ended, what is done, put back, untouched or stuck, and what to type next.

use std::collections::BTreeMap;

use tune_core::Address;
use tune_core::contract::Kinds;
use tune_core::item::{ItemId, Raw};
use tune_core::state::RunResult;
use tune_core::text;
use tune_engine::report::{Failure, Left, MemberOutcome, NotStarted, StuckItem};
use tune_engine::{Report, ResourceOutcome, Settled, Urgency};

use super::columns::{self, Row};
use super::group;
use super::members;
use crate::paint;

/// Messages from hosts are cut after this many characters.
const LONGEST_MESSAGE: usize = 600;

/// A run in the words of its command.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    /// `Apply`, `Destroy`, `Rollback`.
    pub(crate) name: &'static str,
    /// What goes on with it: `tune apply`.
    pub(crate) again: String,
    /// Whether what it did may be offered to be rolled back. What was reverted is not managed any more.
    pub(crate) offers_rollback: bool,
}

/// Returns the summary of a run.
pub(crate) fn text(report: &Report, kinds: &Kinds, words: &Words, screen: usize) -> String {
    let mut rows = vec![Row::new(0, headline(report, words)), Row::blank()];
    members::rows(report, &mut rows);
    for (label, mut lines) in outcomes(report, kinds) {
        lines.sort();
        for (number, (remark, addresses)) in by_remark(lines).into_iter().enumerate() {
            let shown = if number == 0 { label } else { "" };
            let each = if addresses.len() > 1 && label == "done" { " each" } else { "" };
            let left = format!("{} {}", columns::padded(shown, 11), group::many(group::by_block(addresses), 3));
            rows.push(Row::new(2, left).remark(format!("{remark}{each}")));
        }
    }
    stuck(report, kinds, &mut rows);
    for warning in &report.warnings {
        rows.push(Row::new(2, paint::notable(format!("Note: {}", text::visible(warning, LONGEST_MESSAGE)))));
    }
    if rows.last().is_some_and(|row| !row.left.is_empty()) {
        rows.push(Row::blank());
    }
    for (what, command) in next(report, words) {
        rows.push(Row::new(2, format!("{} {command}", columns::padded(what, 18))));
    }
    let mut text = columns::lay_out(&rows, screen);
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// Returns what settling an interrupted run came to.
pub(crate) fn settled(settled: &Settled, kinds: &Kinds, screen: usize) -> String {
    let number = settled.report.number.map(|number| format!("Run {number}")).unwrap_or_default();
    let safe = |shown: &str| text::visible(shown, 200);
    let intro = format!(
        "{number} ({} by {}, begun {}) was interrupted. ",
        safe(&settled.command),
        safe(&settled.by),
        safe(&settled.started)
    );
    let outcome = if settled.report.open { "It cannot be settled yet." } else { "It is settled now:" };
    let words = Words { name: "That run", again: "tune apply".to_owned(), offers_rollback: false };
    format!("{}{outcome}\n\n{}\n", intro, text(&settled.report, kinds, &words, screen))
}

fn headline(report: &Report, words: &Words) -> String {
    let name = words.name;
    let run = report.number.map(|number| format!(" Run {number}")).unwrap_or_default();
    let count = |is: fn(&ResourceOutcome) -> usize| report.resources.values().map(is).sum::<usize>();
    let written = count(|outcome| match outcome {
        ResourceOutcome::Done { written, .. } => *written,
        _ => 0,
    });
    let recorded = count(|outcome| match outcome {
        ResourceOutcome::Done { recorded, .. } => *recorded,
        _ => 0,
    });
    let sums = match recorded {
        0 => format!("{written} written and read back"),
        _ => format!("{written} written and read back, {recorded} only recorded"),
    };
    let failed = |outcome: &ResourceOutcome| matches!(outcome, ResourceOutcome::PutBack { .. });
    if report.open {
        return paint::removed(format!("✘ {name} broke off, and what became of it is not known.{run} stays open."));
    }
    match report.result {
        RunResult::Done if report.stopped > Urgency::None => {
            paint::changed(format!("✔ {name} was stopped; what was begun is finished.{run}: {sums}."))
        }
        RunResult::Done | RunResult::Partial if !is_whole(report) && !report.resources.values().any(failed) => {
            paint::changed(format!("◐ {name} did what could be done.{run}: {sums}."))
        }
        RunResult::Paused => paint::changed(format!("◐ {name} is paused between two batches.{run}: {sums}.")),
        RunResult::Done => paint::added(format!("✔ {name} complete!{run}: {sums}.")),
        RunResult::Undone => paint::removed(format!("✘ {name} failed, and everything that it did is undone.{run}")),
        RunResult::Partial => paint::removed(format!(
            "✘ {name} failed in part: what failed was put back, the rest is done.{run}: {sums}."
        )),
        RunResult::Stuck => {
            paint::removed(format!("✘ {name} is stuck: a person must look at what is named below.{run}"))
        }
    }
}

fn is_whole(report: &Report) -> bool {
    let done = |outcome: &ResourceOutcome| matches!(outcome, ResourceOutcome::Done { .. });
    report.resources.values().all(done)
        && report.conflicts.is_empty()
        && report.unread.is_empty()
        && report.owed.is_empty()
}

type Lines = Vec<(String, String)>;

/// Returns every resource with a remark, by what became of it, in the order in which it is shown.
fn outcomes(report: &Report, kinds: &Kinds) -> Vec<(&'static str, Lines)> {
    let (mut done, mut put_back, mut untouched, mut stuck, mut unknown) =
        (Lines::new(), Lines::new(), Lines::new(), Lines::new(), Lines::new());
    for (address, outcome) in &report.resources {
        let name = address.to_string();
        match outcome {
            ResourceOutcome::Done { written, recorded } => done.push((amounts(*written, *recorded), name)),
            ResourceOutcome::PutBack { failures, undone } => {
                put_back.push((with_undone(&reasons(failures, kinds), *undone), name));
            }
            ResourceOutcome::NotStarted(why) => untouched.push((not_started(why, kinds), name)),
            ResourceOutcome::Stuck { undone, .. } => stuck.push((with_undone("see below", *undone), name)),
            ResourceOutcome::Unknown { host, reason, .. } => {
                unknown.push((format!("{host}: {}", safe(reason)), name));
            }
        }
    }
    let conflicts = report.conflicts.iter().map(|conflict| {
        let shown = |raw: Option<&Raw>| raw.map_or("unknown".to_owned(), |raw| show(kinds, &conflict.item, raw));
        let text = format!(
            "{}: before {}, ours {}, now {}; changed by somebody else",
            label(kinds, &conflict.item),
            show(kinds, &conflict.item, &conflict.original),
            shown(conflict.applied.as_ref()),
            shown(conflict.live.as_ref()),
        );
        (text, conflict.address.to_string())
    });
    let unread = report.unread.iter().map(|unread| {
        let text = format!("{}: {}", label(kinds, &unread.failure.item), safe(&unread.failure.message));
        (text, unread.address.to_string())
    });
    let owed =
        report.owed.iter().map(|owed| (format!("{}: {}", owed.host, safe(&owed.reason)), owed.address.to_string()));
    vec![
        ("done", done),
        ("put back", put_back),
        ("untouched", untouched),
        ("skipped", conflicts.collect()),
        ("unread", unread.collect()),
        ("owed", owed.collect()),
        ("unknown", unknown),
        ("stuck", stuck),
    ]
}

/// Items that failed for one reason share it.
fn reasons(failures: &[Failure], kinds: &Kinds) -> String {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for failure in failures {
        let item = label(kinds, &failure.item);
        match reasons.iter_mut().find(|(message, _)| *message == failure.message) {
            Some((_, items)) => items.push(item),
            None => reasons.push((&failure.message, vec![item])),
        }
    }
    let said = reasons.into_iter().map(|(message, items)| format!("{}: {}", group::many(items, 3), safe(message)));
    said.collect::<Vec<_>>().join("; ")
}

/// Many resources with one remark share a line.
fn by_remark(lines: Lines) -> Vec<(String, Vec<String>)> {
    let mut grouped: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (remark, address) in lines {
        grouped.entry(remark).or_default().push(address);
    }
    grouped.into_iter().collect()
}

fn stuck(report: &Report, kinds: &Kinds, rows: &mut Vec<Row>) {
    for (address, outcome) in &report.resources {
        match outcome {
            ResourceOutcome::Stuck { items, .. } => {
                for item in items {
                    stuck_item(address, item, kinds, rows);
                }
            }
            ResourceOutcome::Unknown { help: Some(help), items, .. } => {
                let items = items.iter().map(|id| label(kinds, id)).collect();
                rows.push(Row::new(4, format!("{address}  {}", group::many(items, 4))));
                rows.push(Row::new(6, safe(help)));
            }
            _ => {}
        }
    }
}

fn stuck_item(address: &Address, item: &StuckItem, kinds: &Kinds, rows: &mut Vec<Row>) {
    let now = item.now.as_ref().map_or("not known".to_owned(), |raw| show(kinds, &item.item, raw));
    rows.push(Row::blank());
    rows.push(Row::new(4, format!("{}  {}", paint::strong(address), label(kinds, &item.item))));
    rows.push(Row::new(6, format!("before  {}", show(kinds, &item.item, &item.before))));
    rows.push(Row::new(6, format!("ours    {}", show(kinds, &item.item, &item.ours))));
    rows.push(Row::new(6, format!("now     {now}")));
    rows.push(Row::new(6, safe(&item.message)));
    let quoted = text::shell_word(&address.to_string());
    rows.push(Row::new(6, format!("to have ours:               tune apply -target={quoted}")));
    let back = format!("to have it as before tune:  tune destroy -target={quoted} -overwrite-drift={quoted}");
    rows.push(Row::new(6, back));
}

fn next(report: &Report, words: &Words) -> Vec<(&'static str, String)> {
    let mut next = Vec::new();
    let changed =
        report.resources.values().any(|outcome| matches!(outcome, ResourceOutcome::Done { written: 1.., .. }));
    let whole = report.result == RunResult::Done && is_whole(report);
    if report.open {
        next.push(("Find out with:", "tune apply".to_owned()));
    } else if !report.away.is_empty() {
        next.push(("When it is back:", words.again.clone()));
    } else if report.members.iter().any(|member| is_left(&member.outcome)) {
        next.push(("When that is mended:", words.again.clone()));
    } else if report.result != RunResult::Stuck && !whole {
        next.push(("Go on with:", words.again.clone()));
    }
    if let (Some(conflict), false) = (report.conflicts.first(), report.open) {
        let address = text::shell_word(&conflict.address.to_string());
        next.push(("Revert anyway:", format!("{} -overwrite-drift={address}", words.again)));
    }
    let offered = words.offers_rollback && changed && !whole && !report.open;
    if let (Some(number), true) = (report.number, offered) {
        next.push(("Undo it all:", format!("tune rollback {number}")));
    }
    next
}

fn is_left(outcome: &MemberOutcome) -> bool {
    matches!(outcome, MemberOutcome::Failed { left: Left::NotUndone(_), .. })
}

fn not_started(why: &NotStarted, kinds: &Kinds) -> String {
    match why {
        NotStarted::Dependency(address) => format!("waits for {address}"),
        NotStarted::HostInDoubt(host) => format!("what became of earlier steps on {host} is not known"),
        NotStarted::Stopped => "not begun, because you asked to stop".to_owned(),
        NotStarted::Halted => "not begun, because the run stopped before".to_owned(),
        NotStarted::Resting(until) => format!("not begun, because its rollout rests until {}", safe(until)),
        NotStarted::Unreadable(failure) => format!("{}: {}", label(kinds, &failure.item), safe(&failure.message)),
        NotStarted::Interrupted => "not begun before the run was interrupted".to_owned(),
    }
}

fn amounts(written: usize, recorded: usize) -> String {
    match (written, recorded) {
        (written, 0) => format!("{written} written"),
        (0, recorded) => format!("{recorded} recorded"),
        (written, recorded) => format!("{written} written, {recorded} recorded"),
    }
}

fn with_undone(what: &str, undone: usize) -> String {
    let sum = match undone {
        0 => return what.to_owned(),
        1 => "1 write is undone".to_owned(),
        _ => format!("{undone} writes are undone"),
    };
    // What was put back with its member did not fail by itself.
    if what.is_empty() { sum } else { format!("{what}; {sum}") }
}

fn label(kinds: &Kinds, id: &ItemId) -> String {
    safe(&kinds.get(id.kind.as_str()).map_or_else(|| id.key.0.clone(), |kind| kind.label(&id.key)))
}

fn show(kinds: &Kinds, id: &ItemId, raw: &Raw) -> String {
    safe(&kinds.get(id.kind.as_str()).map_or_else(|| format!("{raw:?}"), |kind| kind.show(&id.key, raw)))
}

fn safe(shown: &str) -> String {
    text::visible(shown, LONGEST_MESSAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{Fixture, check, text as raw};
    use tune_core::item::{HostId, ItemKey};
    use tune_core::plan::Operation;
    use tune_engine::report::Failure;

    fn apply() -> Words {
        Words { name: "Apply", again: "tune apply".to_owned(), offers_rollback: true }
    }

    fn id(key: &str) -> ItemId {
        ItemId { host: HostId("h".to_owned()), kind: "sysctl".to_owned(), key: ItemKey::from(key) }
    }

    fn report(result: RunResult, outcomes: Vec<(&str, ResourceOutcome)>) -> Report {
        let address = |key: &str| Address::new("sysctl", "etcd").with_name(key);
        Report {
            number: Some(12),
            result,
            resources: outcomes.into_iter().map(|(key, outcome)| (address(key), outcome)).collect(),
            conflicts: Vec::new(),
            unread: Vec::new(),
            owed: Vec::new(),
            held: std::collections::BTreeSet::new(),
            stopped: Urgency::None,
            open: false,
            warnings: Vec::new(),
            members: Vec::new(),
            halted: None,
            resting: BTreeMap::new(),
            away: BTreeMap::new(),
        }
    }

    #[track_caller]
    fn shows(report: &Report, expect: &str) {
        let fixture = Fixture::new(Operation::Apply);
        check(&text(report, fixture.context().kinds, &apply(), 100), expect);
    }

    #[test]
    fn success_is_short() {
        let done = || ResourceOutcome::Done { written: 3, recorded: 0 };
        shows(
            &report(RunResult::Done, vec![("a", done()), ("b", done())]),
            r#"✔ Apply complete! Run 12: 6 written and read back.

  done        sysctl.etcd["a"], sysctl.etcd["b"]    3 written each
"#,
        );
    }

    #[test]
    fn a_failure_says_what_stands_and_what_to_type() {
        let failure = Failure { item: id("vm.dirty_ratio"), message: "invalid argument".to_owned() };
        let outcomes = vec![
            ("a", ResourceOutcome::Done { written: 3, recorded: 1 }),
            ("b", ResourceOutcome::PutBack { failures: vec![failure], undone: 2 }),
            ("c", ResourceOutcome::NotStarted(NotStarted::Dependency(Address::new("sysctl", "base")))),
        ];
        shows(
            &report(RunResult::Partial, outcomes),
            r#"✘ Apply failed in part: what failed was put back, the rest is done. Run 12: 3 written and read back, 1 only recorded.

  done        sysctl.etcd["a"]    3 written, 1 recorded
  put back    sysctl.etcd["b"]    vm.dirty_ratio: invalid argument; 2 writes are undone
  untouched   sysctl.etcd["c"]    waits for sysctl.base

  Go on with:        tune apply
  Undo it all:       tune rollback 12
"#,
        );
    }

    #[test]
    fn what_is_stuck_shows_three_values_and_two_ways_out() {
        let item = StuckItem {
            item: id("vm.swappiness"),
            before: raw("60"),
            ours: raw("10"),
            now: Some(raw("33\u{1b}[31m")),
            message: "somebody else changed it".to_owned(),
        };
        let outcomes = vec![("a", ResourceOutcome::Stuck { items: vec![item], undone: 1 })];
        shows(
            &report(RunResult::Stuck, outcomes),
            r#"✘ Apply is stuck: a person must look at what is named below. Run 12

  stuck       sysctl.etcd["a"]    see below; 1 write is undone

    sysctl.etcd["a"]  vm.swappiness
      before  60
      ours    10
      now     33␛[31m
      somebody else changed it
      to have ours:               tune apply -target='sysctl.etcd["a"]'
      to have it as before tune:  tune destroy -target='sysctl.etcd["a"]' -overwrite-drift='sysctl.etcd["a"]'
"#,
        );
    }

    #[test]
    fn what_is_not_known_stays_open() {
        let unknown = ResourceOutcome::Unknown {
            host: Address::new("host", "a"),
            items: vec![id("vm.swappiness")],
            reason: "no answer".to_owned(),
            help: Some("look whether the host is up".to_owned()),
        };
        let open = Report { open: true, ..report(RunResult::Stuck, vec![("a", unknown)]) };
        shows(
            &open,
            r#"✘ Apply broke off, and what became of it is not known. Run 12 stays open.

  unknown     sysctl.etcd["a"]    host.a: no answer
    sysctl.etcd["a"]  vm.swappiness
      look whether the host is up

  Find out with:     tune apply
"#,
        );
    }
}
