//! What there is to say about one resource of a plan, as plain data: safe text, no colour, no layout. Two resources
//! with equal views are shown as one entry, and the terminal and Markdown say the same things.

use std::collections::BTreeSet;

use tune_core::activation::coalesced;
use tune_core::contract::{Effect, Kind, Kinds};
use tune_core::item::{Change, Raw};
use tune_core::plan::{Adopted, ItemPlan, Operation, Plan, ResourcePlan, Step};
use tune_core::state::State;
use tune_core::text;

use super::diff;

/// A live value or a name is cut after this many characters.
const LONGEST_VALUE: usize = 300;

/// What a line is about, in order of how much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Symbol {
    /// Nothing is written.
    Same,
    /// Something is put back.
    Revert,
    /// Something is made that was not there.
    Add,
    /// Something is changed.
    Change,
    /// Something could not be read.
    Unreadable,
    /// Somebody else changed it.
    Conflict,
}

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct View {
    /// The strongest symbol of its lines.
    pub(crate) symbol: Symbol,
    /// What is true of most lines.
    pub(crate) remark: String,
    /// One per item that has something to say.
    pub(crate) lines: Vec<Line>,
    /// What is true of the resource as a whole.
    pub(crate) notes: Vec<String>,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// What happens to it.
    pub(crate) symbol: Symbol,
    /// What it is called.
    pub(crate) label: String,
    /// From what to what; empty where the label says it all.
    pub(crate) value: String,
    /// When it takes effect, or why nothing happens; empty where the resource's remark says it.
    pub(crate) remark: String,
    /// What else must be known.
    pub(crate) notes: Vec<String>,
    /// The lines of a patch.
    pub(crate) patch: Vec<String>,
}

impl Symbol {
    /// Returns the sign that stands in front of a line.
    pub(crate) fn sign(self) -> char {
        match self {
            Self::Same => ' ',
            Self::Revert => '-',
            Self::Add => '+',
            Self::Change => '~',
            Self::Unreadable => '?',
            Self::Conflict => '!',
        }
    }
}

/// What a view is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The plan.
    pub(crate) plan: &'a Plan,
    /// The kinds that know how to show their items.
    pub(crate) kinds: &'a Kinds,
    /// What is remembered.
    pub(crate) state: &'a State,
}

/// Returns what to say about a resource, or `None` if it is as it should be.
pub(crate) fn view(context: Context<'_>, resource: &ResourcePlan) -> Option<View> {
    let mut lines: Vec<Line> = resource.items.iter().filter_map(|item| line(context, item)).collect();
    let mut notes: Vec<String> = resource
        .renamed_from
        .iter()
        .map(|old| format!("was {} until now; nothing is done for that", old.block()))
        .collect();
    notes.dedup();
    if lines.is_empty() && notes.is_empty() {
        return None;
    }
    let kept = resource.items.len() - lines.len();
    if kept > 0 && !lines.is_empty() {
        notes.push(format!("{kept} more {} as applied", if kept == 1 { "is" } else { "are" }));
    }
    if resource.is_held() && resource.has_work() {
        notes.push("nothing is written here while one of its values cannot be read".to_owned());
    }
    let symbol = lines.iter().map(|line| line.symbol).max().unwrap_or(Symbol::Same);
    let added = lines.iter().all(|line| line.symbol == Symbol::Add);
    let symbol = if symbol == Symbol::Add && !added { Symbol::Change } else { symbol };
    let remark = match symbol {
        // A machine that is not there is one reason, however many of its values are wanted.
        Symbol::Unreadable if lines.len() > 1 && lines.iter().all(|line| line.remark == lines[0].remark) => {
            lines[0].remark.clone()
        }
        Symbol::Unreadable | Symbol::Conflict => String::new(),
        _ if resource.needs_activation() => needs(resource.items.iter()),
        _ => shared_remark(&lines),
    };
    notes.extend(take_shared_notes(&mut lines));
    for line in lines.iter_mut().filter(|line| line.remark == remark) {
        line.remark.clear();
    }
    Some(View { symbol, remark, lines, notes })
}

/// Returns the remark that at least half of the lines share, so that it need not be repeated. Where something is done,
/// what is so already has no say in it.
fn shared_remark(lines: &[Line]) -> String {
    let nothing_is_done = lines.iter().all(|line| line.symbol == Symbol::Same);
    let speaking: Vec<&Line> = lines.iter().filter(|line| nothing_is_done || line.symbol != Symbol::Same).collect();
    let uses = |remark: &str| speaking.iter().filter(|line| line.remark == remark).count();
    let first_of_most = speaking.iter().rev().max_by_key(|line| uses(&line.remark));
    let shared = first_of_most.filter(|line| uses(&line.remark) * 2 >= speaking.len());
    shared.map(|line| line.remark.clone()).unwrap_or_default()
}

/// Takes away the notes that every one of several lines has, and returns them.
fn take_shared_notes(lines: &mut [Line]) -> Vec<String> {
    let (Some(first), true) = (lines.first(), lines.len() > 1) else { return Vec::new() };
    let everywhere = |note: &&String| lines.iter().all(|line| line.notes.contains(note));
    let shared: Vec<String> = first.notes.iter().filter(everywhere).cloned().collect();
    for line in lines {
        line.notes.retain(|note| !shared.contains(note));
    }
    shared
}

fn line(context: Context<'_>, item: &ItemPlan) -> Option<Line> {
    let kind = context.kinds.get(item.id.kind.as_str())?;
    let shown = |raw: &Raw| text::visible(&kind.show(&item.id.key, raw), LONGEST_VALUE);
    let found = item.live.as_ref().map(shown).unwrap_or_default();
    let mut line = Line {
        symbol: Symbol::Same,
        label: text::visible(&kind.label(&item.id.key), LONGEST_VALUE),
        value: found.clone(),
        remark: String::new(),
        notes: Vec::new(),
        patch: Vec::new(),
    };
    match &item.step {
        Step::Keep if item.activations.is_empty() => return None,
        Step::Keep => {
            line.symbol = Symbol::Change;
            "configured already, and not in effect".clone_into(&mut line.remark);
        }
        Step::Record => recorded(context, item, &**kind, &mut line),
        Step::Write(change) => {
            line.symbol = if item.creates() { Symbol::Add } else { Symbol::Change };
            line.remark = effect(item);
            written(&**kind, item, change, &mut line);
            line.notes.extend(drift(&**kind, item, Some(&change.after)));
        }
        Step::Revert(change) => {
            line.symbol = Symbol::Revert;
            reverted(item, change).clone_into(&mut line.remark);
            written(&**kind, item, change, &mut line);
            line.notes.extend(drift(&**kind, item, None));
        }
        Step::Forget => "as it was before already; only forgotten".clone_into(&mut line.remark),
        Step::Conflict { original } => {
            let ours = item.applied.as_ref().map(shown).unwrap_or_default();
            line.symbol = Symbol::Conflict;
            line.value = format!("before {}, ours {ours}, now {found}", shown(original));
            "changed by somebody else; left alone".clone_into(&mut line.remark);
        }
        Step::Unreadable(why) => {
            line.symbol = Symbol::Unreadable;
            line.value.clear();
            line.remark = text::visible(&why.message, LONGEST_VALUE);
            line.notes.extend(why.help.iter().map(|help| text::visible(help, LONGEST_VALUE)));
        }
    }
    let rolled_back = context.state.items.get(&item.id).and_then(|record| record.rolled_back_in);
    if let (Some(run), Operation::Apply) = (rolled_back, &context.plan.operation) {
        line.notes.push(format!("rolled back in run {run}; an apply does it again"));
    }
    match &item.adopt {
        Some(Adopted::Recovered(Some(raw))) => {
            line.notes.push(format!("its original, {}, is taken from the host's ledger", shown(raw)));
        }
        Some(Adopted::Recovered(None)) => {
            line.notes.push("tune wrote this before, but what was there first is not known".to_owned());
        }
        Some(Adopted::Read { .. }) | None => {}
    }
    if !item.reversible {
        line.notes.push("cannot be undone".to_owned());
    }
    if item.may_cut_connection {
        line.notes.push("may cut the connection; the host puts it back by itself unless it can be reached".to_owned());
    }
    Some(line)
}

fn recorded(context: Context<'_>, item: &ItemPlan, kind: &dyn Kind, line: &mut Line) {
    if context.plan.operation == Operation::RefreshOnly {
        if let (Some(live), Some(applied)) = (&item.live, &item.applied) {
            let shown = |raw: &Raw| text::visible(&kind.show(&item.id.key, raw), LONGEST_VALUE);
            line.symbol = Symbol::Change;
            line.value = format!("{} -> {}", shown(applied), shown(live));
        }
        "accepted as it is; only the record changes".clone_into(&mut line.remark);
        return;
    }
    let source = item.next_start.source.as_ref().filter(|_| matches!(item.live, Some(Raw::Text(_))));
    line.remark = match source {
        Some(source) => format!("already so, set in {}", text::visible(source, LONGEST_VALUE)),
        None => "already so".to_owned(),
    };
}

fn written(kind: &dyn Kind, item: &ItemPlan, change: &Change, line: &mut Line) {
    let shown = |raw: &Raw| text::visible(&kind.show(&item.id.key, raw), LONGEST_VALUE);
    line.value = match (&change.before, &change.after) {
        // A file that speaks of one value says which one is in use until it takes effect.
        (Raw::Absent, Raw::File(_)) if item.effect == Effect::Activation => match &item.running.value {
            Some(now) => format!("{} -> {}", text::visible(now, LONGEST_VALUE), shown(&change.after)),
            None => String::new(),
        },
        (Raw::File(_), Raw::Absent) | (Raw::Absent, Raw::File(_)) => String::new(),
        (Raw::File(before), Raw::File(after)) => {
            line.patch = diff::patch(&before.content, &after.content);
            if before.mode != after.mode {
                line.notes.push(format!("mode {:04o} -> {:04o}", before.mode, after.mode));
            }
            if (before.uid, before.gid) != (after.uid, after.gid) {
                let (old, new) = ((before.uid, before.gid), (after.uid, after.gid));
                line.notes.push(format!("owner {}:{} -> {}:{}", old.0, old.1, new.0, new.1));
            }
            String::new()
        }
        (Raw::Absent, after) => match item.default_in_force() {
            Some(default) => format!("{} -> {}", text::visible(default, LONGEST_VALUE), shown(after)),
            None => shown(after),
        },
        (before, after) => format!("{} -> {}", shown(before), shown(after)),
    };
}

/// Says what somebody else did since the last apply.
fn drift(kind: &dyn Kind, item: &ItemPlan, wanted: Option<&Raw>) -> Option<String> {
    let (applied, live) = (item.applied.as_ref()?, item.live.as_ref()?);
    let canonical = |raw: &Raw| kind.canonical(&item.id.key, raw);
    // A value of ours that the configuration wants to change is no drift.
    if canonical(applied) == canonical(live) {
        return None;
    }
    let shown = |raw: &Raw| text::visible(&kind.show(&item.id.key, raw), LONGEST_VALUE);
    let wanted = wanted.map(|wanted| format!(", wanted {}", shown(wanted))).unwrap_or_default();
    Some(format!("changed by somebody else: last applied {}, now {}{wanted}", shown(applied), shown(live)))
}

fn effect(item: &ItemPlan) -> String {
    match item.effect {
        Effect::AtOnce => "takes effect at once".to_owned(),
        Effect::NextBoot => "used at the next boot".to_owned(),
        Effect::Activation => needs(std::iter::once(item)),
    }
}

/// What must be done before values are in effect: `needs a reboot`.
fn needs<'a>(items: impl Iterator<Item = &'a ItemPlan>) -> String {
    let activations: BTreeSet<_> = items.flat_map(|item| &item.activations).cloned().collect();
    let names: Vec<String> = coalesced(&activations).iter().map(|it| text::visible(&format!("a {it}"), 100)).collect();
    if names.is_empty() { "used after its activation".to_owned() } else { format!("needs {}", names.join(" and ")) }
}

fn reverted(item: &ItemPlan, change: &Change) -> &'static str {
    match (&change.after, item.effect) {
        (Raw::Absent, _) => "removed; it was not there before",
        (_, Effect::AtOnce) => "put back at once",
        (_, Effect::NextBoot) => "put back; used at the next boot",
        (_, Effect::Activation) => "put back",
    }
}
