//! How the program ends: one table of exit codes for all commands, and the one place where errors become one of them.

use std::io;
use std::process::ExitCode;

use tune_config::Diagnostics;
use tune_core::state::RunResult;
use tune_engine::rebuild::RebuildError;
use tune_engine::report::GateReport;
use tune_engine::{EngineError, Report, ResourceOutcome, StoreError, Urgency};

use crate::render::diagnostic::Notice;
use crate::render::members;

/// What an exit code tells a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// An error; nothing changed.
    Error = 1,
    /// Changes are pending; only with `-detailed-exitcode`.
    Pending = 2,
    /// The run failed, and everything that it did is undone.
    Undone = 3,
    /// Stuck or unknown; a person is needed.
    Stuck = 4,
    /// Stopped part-way; consistent, and can go on.
    Partial = 5,
    /// A check does not pass.
    Check = 6,
    /// The state or a target is locked.
    Locked = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked, and how the program ends therefore.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What to tell the person.
    pub(crate) notices: Vec<Notice>,
}

impl Failure {
    /// Returns a failure that changed nothing.
    pub(crate) fn new(notice: Notice) -> Self {
        Self { exit: Exit::Error, notices: vec![notice] }
    }
}

impl Exit {
    /// Returns how the program ends after a run.
    pub(crate) fn of_report(report: &Report) -> Self {
        let waits = |outcome: &ResourceOutcome| matches!(outcome, ResourceOutcome::NotStarted(_));
        let unfinished = report.resources.values().any(waits)
            || !report.conflicts.is_empty()
            || !report.unread.is_empty()
            || !report.owed.is_empty();
        match report.result {
            _ if report.open => Self::Stuck,
            RunResult::Stuck => Self::Stuck,
            // Facts changed, or gates did not pass, before anything was done.
            RunResult::Undone if report.halted.is_some() && report.is_untouched() => Self::Error,
            RunResult::Undone if !report.held.is_empty() && report.is_untouched() => Self::Locked,
            RunResult::Undone => Self::Undone,
            RunResult::Partial | RunResult::Paused => Self::Partial,
            RunResult::Done if unfinished || report.stopped == Urgency::Now => Self::Partial,
            RunResult::Done => Self::Done,
        }
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        let notices = diagnostics.list.iter().map(|diagnostic| Notice::of(diagnostic, &diagnostics.sources));
        Self { exit: Exit::Error, notices: notices.collect() }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let notice = Notice::caused(&error);
        match &error {
            StoreError::Locked { .. } => Self {
                exit: Exit::Locked,
                notices: vec![notice.help(
                    "wait for it, for example with `-lock-timeout=5m`; if nobody works there any more, `tune unlock`",
                )],
            },
            StoreError::Newer { .. } => Self::new(notice.help("use a newer tune; this one leaves the state alone")),
            StoreError::Older { .. } => Self::new(
                notice.help("put the newest copy back, or take this one deliberately with `tune state import FILE`"),
            ),
            StoreError::Damaged { .. } => Self::new(notice.help(
                "bring a copy of the export with `tune state import FILE`, or rebuild the state from the hosts with \
                 `tune state import -from-hosts`",
            )),
            StoreError::OpenRun { .. } => Self::new(notice.help("settle it first with `tune apply`")),
            StoreError::Io { .. } => Self::new(notice),
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let notice = Notice::caused(&error);
        match error {
            EngineError::Store(error) => error.into(),
            EngineError::Mistakes(mistakes) => Self {
                exit: Exit::Error,
                notices: mistakes.iter().map(|mistake| Notice::of_mistake(mistake, None)).collect(),
            },
            EngineError::NotRoot { .. } => {
                Self::new(notice.help("log in as root, or set `become = \"sudo\"` for the host"))
            }
            EngineError::Stale { .. } => Self::new(notice.help("plan again")),
            EngineError::Gates { gates } => Self {
                exit: Exit::Check,
                notices: vec![
                    Notice { causes: gates.iter().flat_map(reasons).collect(), ..notice }
                        .help("mend what the checks look at, or leave one out of this run with `-skip-gate`"),
                ],
            },
            EngineError::OpenRun { .. } => Self {
                exit: Exit::Stuck,
                notices: vec![notice.help("bring the host back and run `tune apply`, which settles it first")],
            },
            EngineError::Interrupted { .. } => Self {
                exit: Exit::Stuck,
                notices: vec![notice.help(
                    "make room or mend the disk that holds `.tune`, then run `tune apply`, which settles the run first",
                )],
            },
            EngineError::Journal(_) => Self::new(notice.help(
                "bring a copy of the export with `tune state import FILE`, or rebuild the state from the hosts with \
                 `tune state import -from-hosts`",
            )),
        }
    }
}

/// Why a gate does not pass, with its name.
fn reasons(gate: &GateReport) -> Vec<String> {
    members::reasons(gate).into_iter().map(|said| format!("{}: {said}", gate.check)).collect()
}

impl From<RebuildError> for Failure {
    fn from(error: RebuildError) -> Self {
        let notice = Notice::caused(&error);
        Self::new(match &error {
            RebuildError::Nothing => {
                notice.help("without ledgers there is nothing to rebuild; `tune apply` begins anew")
            }
            RebuildError::SeveralLineages { lineages } => {
                let list = lineages.iter().map(|(lineage, hosts)| {
                    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
                    format!("`-lineage={lineage}` ({})", hosts.join(", "))
                });
                notice.help(format!("choose one: {}", list.collect::<Vec<_>>().join(", ")))
            }
            RebuildError::Unreachable { .. } => {
                notice.help("bring the host back, or take it out of the configuration for now")
            }
            RebuildError::NotRoot { .. } => notice.help("log in as root, or set `become = \"sudo\"` for the host"),
            RebuildError::Copies { .. } => {
                notice.help("take the copy out of the configuration, or remove its ledger from `/var/lib/tune` by hand")
            }
        })
    }
}

/// Writing the output or asking a question failed.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(Notice { causes: vec![error.kind().to_string()], ..Notice::error("reading or writing failed") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::PathBuf;
    use tune_core::Address;
    use tune_core::item::HostId;
    use tune_core::plan::Owed;
    use tune_engine::report::{Halted, NotStarted, Trouble};

    fn report(result: RunResult) -> Report {
        Report {
            number: Some(1),
            result,
            resources: BTreeMap::new(),
            conflicts: Vec::new(),
            unread: Vec::new(),
            owed: Vec::new(),
            held: BTreeSet::new(),
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
    fn check(report: &Report, code: u8) {
        assert_eq!(Exit::of_report(report) as u8, code, "{report:?}");
    }

    #[test]
    fn every_end_of_a_run_has_its_code() {
        check(&report(RunResult::Done), 0);
        check(&report(RunResult::Undone), 3);
        check(&report(RunResult::Stuck), 4);
        check(&report(RunResult::Partial), 5);
        check(&Report { open: true, ..report(RunResult::Done) }, 4);
        check(&Report { stopped: Urgency::AfterWave, ..report(RunResult::Done) }, 0);
        let waits = ResourceOutcome::NotStarted(NotStarted::Stopped);
        let resources = BTreeMap::from([(Address::new("sysctl", "a"), waits)]);
        check(&Report { resources, ..report(RunResult::Done) }, 5);
        let owed = Owed {
            address: Address::new("sysctl", "a"),
            host: Address::new("host", "a"),
            items: Vec::new(),
            reason: String::new(),
        };
        check(&Report { owed: vec![owed], ..report(RunResult::Done) }, 5);
        let halted = Some(Halted { hosts: Vec::new(), trouble: Trouble { reason: String::new(), gates: Vec::new() } });
        check(&Report { halted: halted.clone(), ..report(RunResult::Undone) }, 1);
        check(&Report { halted, ..report(RunResult::Partial) }, 5);
        check(&report(RunResult::Paused), 5);
        let put_back = |undone| {
            let outcome = ResourceOutcome::PutBack { failures: Vec::new(), undone };
            BTreeMap::from([(Address::new("sysctl", "a"), outcome)])
        };
        let held = BTreeSet::from([HostId("a".to_owned())]);
        check(&Report { held: held.clone(), resources: put_back(0), ..report(RunResult::Undone) }, 7);
        check(&Report { held, resources: put_back(1), ..report(RunResult::Undone) }, 3);
    }

    #[test]
    fn every_failure_has_its_code() {
        let code = |error: EngineError| Failure::from(error).exit as u8;
        let locked = || StoreError::Locked { holder: "ann@pve".to_owned() };
        assert_eq!(Failure::from(locked()).exit as u8, 7);
        assert_eq!(code(locked().into()), 7);
        let damaged = StoreError::Damaged { path: PathBuf::from("x"), what: "y".to_owned() };
        assert_eq!(code(damaged.into()), 1);
        assert_eq!(code(EngineError::NotRoot { host: Address::new("host", "a"), uid: 1000 }), 1);
        assert_eq!(code(EngineError::OpenRun { number: 3 }), 4);
        assert_eq!(code(EngineError::Gates { gates: Vec::new() }), 6);
        assert_eq!(code(EngineError::Stale { planned: 1, now: 2 }), 1);
        let source = StoreError::Damaged { path: PathBuf::from("x"), what: "y".to_owned() };
        assert_eq!(code(EngineError::Interrupted { report: Box::new(report(RunResult::Stuck)), source }), 4);
    }
}
