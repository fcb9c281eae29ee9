//! What became of the members of a rolling run: done, put back, failed, down, untouched, and why it stopped.

use tune_core::Address;
use tune_core::rollout::Verdict;
use tune_core::text;
use tune_engine::Report;
use tune_engine::report::{GateReport, Left, MemberOutcome, MemberReport, Took, Trouble};

use super::columns::Row;
use super::group;
use super::order::duration;
use crate::paint;

/// Messages from hosts and checks are cut after this many characters.
const LONGEST_MESSAGE: usize = 600;

/// Adds what became of members, the reason first; nothing where the plan took none.
pub(crate) fn rows(report: &Report, rows: &mut Vec<Row>) {
    let before = rows.len();
    for member in &report.members {
        if let Some((what, trouble)) = trouble(&member.outcome) {
            rows.push(Row::new(0, paint::removed(format!("{} {what}: {}", member.host, safe(&trouble.reason)))));
            gates(trouble, rows);
        }
    }
    if let Some(halted) = &report.halted {
        let names = group::many(halted.hosts.iter().map(Address::to_string).collect(), 3);
        rows.push(Row::new(0, paint::removed(format!("Stopped before {names}: {}", safe(&halted.trouble.reason)))));
        gates(&halted.trouble, rows);
    }
    for (rollout, until) in &report.resting {
        rows.push(Row::new(0, format!("{rollout} rests until {}; the next apply goes on from there", safe(until))));
    }
    if rows.len() > before {
        rows.push(Row::blank());
    }
    let lists = [
        ("done", of(report, |outcome| matches!(outcome, MemberOutcome::Done { .. }))),
        ("put back", of(report, |outcome| matches!(outcome, MemberOutcome::PutBack { .. }))),
        ("failed", of(report, |outcome| matches!(outcome, MemberOutcome::Failed { .. }))),
        ("down", of(report, |outcome| matches!(outcome, MemberOutcome::Down { .. }))),
        ("untouched", of(report, |outcome| *outcome == MemberOutcome::Untouched)),
    ];
    for (label, members) in lists {
        for (remark, names) in by_remark(&members) {
            let each = if names.len() > 1 && remark.contains("; ") { " each" } else { "" };
            let left = format!("{label:<11} {}", group::many(group::by_block(names), 3));
            rows.push(Row::new(2, left).remark(format!("{remark}{each}")));
        }
    }
    for (host, waited_for) in &report.away {
        rows.push(Row::new(2, format!("{:<11} {host}", "not back")).remark(format!("waited for {}", safe(waited_for))));
    }
    if !report.members.is_empty() {
        rows.push(Row::blank());
    }
}

fn of(report: &Report, is: impl Fn(&MemberOutcome) -> bool) -> Vec<&MemberReport> {
    report.members.iter().filter(|member| is(&member.outcome)).collect()
}

/// Members with the same remark stand together, in the order of the run.
fn by_remark(members: &[&MemberReport]) -> Vec<(String, Vec<String>)> {
    let mut grouped: Vec<(String, Vec<String>)> = Vec::new();
    for member in members {
        let (remark, name) = (remark(&member.outcome), member.host.to_string());
        match grouped.iter_mut().find(|(other, _)| *other == remark) {
            Some((_, names)) => names.push(name),
            None => grouped.push((remark, vec![name])),
        }
    }
    grouped
}

fn remark(outcome: &MemberOutcome) -> String {
    match outcome {
        MemberOutcome::Done { activations } if activations.is_empty() => "as planned, and read back".to_owned(),
        MemberOutcome::Done { activations } => format!("as planned, and read back; {}", took(activations)),
        MemberOutcome::PutBack { is_green: true, .. } => "as it was before; its gates pass".to_owned(),
        MemberOutcome::PutBack { is_green: false, .. } => "as it was before; its gates do not pass yet".to_owned(),
        MemberOutcome::Failed { left: Left::AsItIs, .. } => "keeps its new values".to_owned(),
        MemberOutcome::Failed { left: Left::NotUndone(why), .. } => format!("was not put back: {}", safe(why)),
        MemberOutcome::Down { trouble } => safe(&trouble.reason),
        MemberOutcome::Untouched => String::new(),
    }
}

/// What was activated, and how long it took: `reboot 41 s`.
pub(crate) fn took(activations: &[Took]) -> String {
    let one = |took: &Took| {
        let name = text::visible(&took.activation.to_string(), 100);
        format!("{name} {}", duration(std::time::Duration::from_secs(took.seconds)))
    };
    activations.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn trouble(outcome: &MemberOutcome) -> Option<(&'static str, &Trouble)> {
    match outcome {
        MemberOutcome::PutBack { trouble, .. } => Some(("was put back", trouble)),
        MemberOutcome::Failed { trouble, .. } => Some(("failed", trouble)),
        MemberOutcome::Down { trouble } => Some(("is down", trouble)),
        MemberOutcome::Done { .. } | MemberOutcome::Untouched => None,
    }
}

fn gates(trouble: &Trouble, rows: &mut Vec<Row>) {
    for gate in &trouble.gates {
        let seconds = match gate.seconds {
            0 => String::new(),
            seconds => format!("  for {}", duration(std::time::Duration::from_secs(seconds))),
        };
        rows.push(Row::new(2, format!("{}{seconds}", gate.check)));
        rows.extend(reasons(gate).into_iter().map(|reason| Row::new(4, reason)));
    }
}

/// Why a gate does not pass.
pub(crate) fn reasons(gate: &GateReport) -> Vec<String> {
    match &gate.verdict {
        Verdict::Pass => Vec::new(),
        Verdict::Fail { messages } => messages.iter().map(|message| safe(message)).collect(),
        Verdict::Unknown { reason } => vec![format!("not known: {}", safe(reason))],
    }
}

fn safe(shown: &str) -> String {
    text::visible(shown, LONGEST_MESSAGE)
}
