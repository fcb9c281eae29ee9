//! The end of a run: what became of each resource, how the run ended, and what is recorded of it.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::Address;
use tune_core::journal::{Event, Intent, StepOutcome, StepStatus, conclude};
use tune_core::plan::Owed;
use tune_core::state::{RunRecord, RunResult};

use super::Run;
use super::batch::NOT_TRIED;
use super::journal::{Doubt, Journal};
use crate::error::EngineError;
use crate::report::{
    Conflict, Failure, Halted, Left, MemberOutcome, MemberReport, NotStarted, Report, ResourceOutcome, StuckItem,
    Unread,
};
use crate::stop::Urgency;
use crate::watch::RunEvent;

/// What the report says beside what the journal knows.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// Every resource that the run was to settle.
    pub(crate) planned: BTreeSet<Address>,
    /// Those that were begun; one without steps is done with that.
    pub(crate) begun: BTreeSet<Address>,
    pub(crate) not_started: BTreeMap<Address, NotStarted>,
    pub(crate) conflicts: Vec<Conflict>,
    pub(crate) unread: Vec<Unread>,
    pub(crate) owed: Vec<Owed>,
    pub(crate) members: Vec<MemberReport>,
    pub(crate) halted: Option<Halted>,
    pub(crate) resting: BTreeMap<Address, String>,
    /// Machines that were not seen to be back, with what was waited for.
    pub(crate) away: BTreeMap<Address, String>,
    /// Resources that were put back although nothing of them may have been written: only activated.
    pub(crate) unwound: BTreeSet<Address>,
    pub(crate) stopped: Urgency,
    /// Whether an earlier process began the run.
    pub(crate) interrupted: bool,
}

impl Gathered {
    pub(super) fn nothing_to_do(self) -> Report {
        let mut report = self.report(None);
        report.result = if report.is_complete() { RunResult::Done } else { RunResult::Partial };
        report
    }

    fn report(self, journal: Option<&Journal<'_>>) -> Report {
        let absent = match (self.interrupted, self.resting.first_key_value()) {
            (true, _) => NotStarted::Interrupted,
            (false, _) if self.stopped > Urgency::None => NotStarted::Stopped,
            (false, Some((_, until))) => NotStarted::Resting(until.clone()),
            (false, None) => NotStarted::Halted,
        };
        let outcome = |address: &Address| {
            let known = journal.and_then(|journal| journal.outcome(address));
            let unwound = self.unwound.contains(address);
            let recorded = || match (self.begun.contains(address), unwound) {
                (true, false) => Some(ResourceOutcome::Done { written: 0, recorded: 0 }),
                (true, true) => Some(ResourceOutcome::PutBack { failures: Vec::new(), undone: 0 }),
                (false, _) => None,
            };
            known.or_else(recorded).unwrap_or_else(|| {
                ResourceOutcome::NotStarted(self.not_started.get(address).unwrap_or(&absent).clone())
            })
        };
        Report {
            number: journal.map(|journal| journal.progress.header.run),
            result: RunResult::Done,
            resources: self.planned.iter().map(|address| (address.clone(), outcome(address))).collect(),
            members: self.members,
            halted: self.halted,
            resting: self.resting,
            away: self.away,
            conflicts: self.conflicts,
            unread: self.unread,
            owed: self.owed,
            held: journal.map(|journal| journal.held.clone()).unwrap_or_default(),
            stopped: self.stopped,
            open: journal.is_some_and(Journal::is_open),
            warnings: journal.map(|journal| journal.warnings.clone()).unwrap_or_default(),
        }
    }
}

impl Run<'_> {
    /// Ends the run: its journal becomes state, unless outcomes are missing or the journal cannot be written.
    pub(crate) fn finish(self, gathered: Gathered) -> Result<Report, EngineError> {
        let watch = self.watch;
        let (engine, base) = (self.engine, self.base.clone());
        let mut journal = self.into_journal();
        let mut report = gathered.report(Some(&journal));
        report.result = report.judge();
        let result = journal.progress.end.unwrap_or(report.result);
        if !report.open && journal.progress.end.is_none() {
            journal.note(Event::End(result));
        }
        if journal.flush().is_err() {
            return Err(interrupted(journal, report));
        }
        watch.event(RunEvent::Ended { result: (!report.open).then_some(result) });
        if report.open {
            return Ok(report);
        }
        report.result = result;
        let header = journal.progress.header.clone();
        let record = RunRecord {
            number: header.run,
            command: header.command,
            by: header.by,
            started: header.started,
            finished: engine.clock.now(),
            result,
            changes: journal.progress.changes(),
            activations: journal.progress.activated(),
        };
        let state = conclude(&base, &journal.progress);
        match journal.store.commit(state, record) {
            Ok(committed) => {
                if let Err(error) = committed.export {
                    report.warnings.push(format!("The export of the state could not be written: {}.", chain(&error)));
                }
                Ok(report)
            }
            Err(error) => {
                journal.broken = Some(error);
                Err(interrupted(journal, report))
            }
        }
    }
}

fn interrupted(journal: Journal<'_>, mut report: Report) -> EngineError {
    report.open = true;
    report.result = RunResult::Stuck;
    let source = journal.broken.expect("the journal broke");
    EngineError::Interrupted { report: Box::new(report), source }
}

/// An error with everything behind it, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

impl Report {
    /// Returns whether everything is as wanted.
    pub fn is_complete(&self) -> bool {
        self.resources.values().all(|outcome| matches!(outcome, ResourceOutcome::Done { .. }))
            && self.conflicts.is_empty()
            && self.unread.is_empty()
            && self.owed.is_empty()
            && self.members.iter().all(|member| matches!(member.outcome, MemberOutcome::Done { .. }))
            && self.away.is_empty()
    }

    /// Returns whether nothing was written anywhere, not even something that was undone.
    pub fn is_untouched(&self) -> bool {
        self.resources.values().all(|outcome| {
            matches!(outcome, ResourceOutcome::NotStarted(_) | ResourceOutcome::PutBack { undone: 0, .. })
        })
    }

    fn judge(&self) -> RunResult {
        let any = |test: fn(&ResourceOutcome) -> bool| self.resources.values().any(test);
        if any(|outcome| matches!(outcome, ResourceOutcome::Stuck { .. } | ResourceOutcome::Unknown { .. }))
            || self.members.iter().any(|member| member.outcome.needs_a_person())
            || !self.away.is_empty()
        {
            return RunResult::Stuck;
        }
        if self.is_complete() {
            return RunResult::Done;
        }
        let nothing_left = !any(|outcome| matches!(outcome, ResourceOutcome::Done { .. }));
        let failed = any(|outcome| {
            matches!(
                outcome,
                ResourceOutcome::PutBack { .. }
                    | ResourceOutcome::NotStarted(NotStarted::Unreadable(_) | NotStarted::Interrupted)
            )
        });
        if (failed || self.halted.is_some()) && nothing_left {
            RunResult::Undone
        } else if !failed && !self.resting.is_empty() {
            RunResult::Paused
        } else {
            RunResult::Partial
        }
    }
}

impl MemberOutcome {
    /// Returns whether the member is neither as wanted nor as before, although it should be one of them.
    fn needs_a_person(&self) -> bool {
        matches!(self, Self::Down { .. } | Self::Failed { left: Left::NotUndone(_), .. })
    }
}

/// Returns what became of one resource, given all its steps.
pub(super) fn outcome(
    steps: &[&(Intent, StepStatus)],
    host: Option<&Address>,
    doubt: Option<&Doubt>,
) -> ResourceOutcome {
    let open: Vec<_> = steps
        .iter()
        .filter(|(_, status)| !matches!(status, StepStatus::Settled(_)))
        .map(|(intent, _)| intent.id.clone())
        .collect();
    if !open.is_empty() {
        return ResourceOutcome::Unknown {
            host: host.cloned().unwrap_or_else(|| Address::new("host", &steps[0].0.id.host.0)),
            items: open,
            reason: doubt.map_or_else(
                || "the run was stopped before the answer arrived".to_owned(),
                |doubt| doubt.reason.clone(),
            ),
            help: doubt.and_then(|doubt| doubt.help.clone()),
        };
    }
    let writes = |intent: &Intent| intent.change.before != intent.change.after;
    let with = |outcome: &StepOutcome| {
        let status = StepStatus::Settled(outcome.clone());
        steps.iter().filter(|(intent, found)| *found == status && writes(intent)).count()
    };
    let undone = with(&StepOutcome::Undone);
    let stuck: Vec<StuckItem> = steps.iter().filter_map(|(intent, status)| stuck(intent, status)).collect();
    if !stuck.is_empty() {
        return ResourceOutcome::Stuck { items: stuck, undone };
    }
    let failures = reasons(steps);
    let all_done = steps.iter().all(|(_, status)| *status == StepStatus::Settled(StepOutcome::Done));
    if all_done {
        let written = with(&StepOutcome::Done);
        return ResourceOutcome::Done { written, recorded: steps.len() - written };
    }
    ResourceOutcome::PutBack { failures, undone }
}

fn stuck(intent: &Intent, status: &StepStatus) -> Option<StuckItem> {
    let StepStatus::Settled(StepOutcome::Stuck { live, message }) = status else { return None };
    Some(StuckItem {
        item: intent.id.clone(),
        before: intent.change.before.clone(),
        ours: intent.change.after.clone(),
        now: live.clone(),
        message: message.clone(),
    })
}

/// Returns why steps were not done, without those that only followed from another.
pub(super) fn reasons(steps: &[&(Intent, StepStatus)]) -> Vec<Failure> {
    let all: Vec<Failure> = steps
        .iter()
        .filter_map(|(intent, status)| match status {
            StepStatus::Settled(StepOutcome::NotDone { message } | StepOutcome::Stuck { message, .. }) => {
                Some(Failure { item: intent.id.clone(), message: message.clone() })
            }
            _ => None,
        })
        .collect();
    let first_hand: Vec<Failure> = all.iter().filter(|failure| failure.message != NOT_TRIED).cloned().collect();
    if first_hand.is_empty() { all } else { first_hand }
}
