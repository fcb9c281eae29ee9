//! How runs of `tune test` ended: line by line for a person, and as one JSON document.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;
use tune_core::contract::Kinds;
use tune_core::plan::Plan;
use tune_core::text;
use tune_engine::store::local::Export;

use super::diagnostic::Notice;
use super::item::Context;
use super::{plan, validation};
use crate::paint;
use crate::terminal;

/// The version of the JSON document. A higher second number only adds fields.
const FORMAT: &str = "1.0";

/// How a test ended; of several, the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Everything is as expected.
    Pass,
    /// Something is not as expected.
    Fail,
    /// There is no plan that could be looked at, or an assertion has no value.
    Error,
}

/// The runs of one file.
#[derive(Debug)]
pub(crate) struct File {
    /// Its name.
    pub(crate) name: String,
    /// How its runs ended, in the order of the file.
    pub(crate) runs: Vec<Ended>,
}

/// How one run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    name: String,
    status: Status,
    /// What is not as expected, and what is probably not meant so.
    pub(crate) notices: Vec<Notice>,
    /// The plan for a person.
    pub(crate) text: Option<String>,
    /// The plan as JSON.
    pub(crate) document: Option<Json>,
}

impl Ended {
    /// Returns a run that found nothing wrong so far.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), status: Status::Pass, notices: Vec::new(), text: None, document: None }
    }

    /// Returns the run as one that found something else than it expects, if it did.
    #[must_use]
    pub(crate) fn fail_if_any(self, notices: Vec<Notice>) -> Self {
        if notices.is_empty() { self } else { self.with(Status::Fail, notices) }
    }

    /// Returns the run as one that could not be made.
    #[must_use]
    pub(crate) fn error(self, notices: Vec<Notice>) -> Self {
        self.with(Status::Error, notices)
    }

    fn with(mut self, status: Status, notices: Vec<Notice>) -> Self {
        self.status = self.status.max(status);
        self.notices.extend(notices);
        self
    }
}

/// Returns the worst of all runs.
pub(crate) fn status(files: &[File]) -> Status {
    files.iter().map(File::status).max().unwrap_or(Status::Pass)
}

impl File {
    fn status(&self) -> Status {
        self.runs.iter().map(|run| run.status).max().unwrap_or(Status::Pass)
    }
}

/// Returns the plan of a run as `plan` shows it.
pub(crate) fn plan(planned: &Plan, kinds: &Kinds, state: &Export) -> String {
    plan::text(Context { plan: planned, kinds, state: &state.state }, terminal::width())
}

/// Returns what to say of a file: a line for each run, each with what is to be complained of after it.
pub(crate) fn text(file: &File, verbose: bool) -> Vec<(String, &[Notice])> {
    let head = format!("{}... {}\n", text::visible(&file.name, 200), word(file.status()));
    let mut said = vec![(head, &[] as &[Notice])];
    for run in &file.runs {
        let mut line = format!("  run {}... {}\n", text::visible(&text::quoted(&run.name), 200), word(run.status));
        if let Some(plan) = run.text.as_ref().filter(|_| verbose) {
            line.push('\n');
            line.push_str(plan);
            line.push('\n');
        }
        if !run.notices.is_empty() {
            line.push('\n');
        }
        said.push((line, &run.notices));
    }
    said
}

fn word(status: Status) -> String {
    match status {
        Status::Pass => paint::added("pass"),
        Status::Fail => paint::removed("fail"),
        Status::Error => paint::removed("error"),
    }
}

/// Returns the last line.
pub(crate) fn summary(files: &[File]) -> String {
    let [passed, failed, errored] = counts(files);
    let errored = if errored > 0 { format!(", {errored} could not be run") } else { String::new() };
    let verdict = match status(files) {
        Status::Pass => paint::added("Success!"),
        Status::Fail | Status::Error => paint::removed("Failure!"),
    };
    format!("\n{verdict} {passed} passed, {failed} failed{errored}.\n")
}

fn counts(files: &[File]) -> [usize; 3] {
    let runs = || files.iter().flat_map(|file| &file.runs);
    [Status::Pass, Status::Fail, Status::Error].map(|status| runs().filter(|run| run.status == status).count())
}

/// What `tune test -json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "The tests of a configuration of tune")]
struct Document {
    /// The version of this format: `1.x` for all documents that a reader of `1.0` understands.
    format_version: &'static str,
    /// The worst that happened.
    status: Status,
    /// How many runs passed.
    passed: usize,
    /// How many found something else than they expect.
    failed: usize,
    /// How many could not be made.
    errored: usize,
    /// The files of tests.
    files: Vec<FileText>,
    /// What is wrong in the configuration or in the files of tests, so that nothing was run; as in `validate -json`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnostics: Vec<Json>,
}

/// One file.
#[derive(Debug, Serialize, JsonSchema)]
struct FileText {
    /// Its name, relative to the configuration's folder.
    path: String,
    /// The worst that happened in it.
    status: Status,
    /// Its runs, in order.
    runs: Vec<RunText>,
}

/// One run.
#[derive(Debug, Serialize, JsonSchema)]
struct RunText {
    /// Its name.
    name: String,
    /// How it ended.
    status: Status,
    /// What is not as expected, and warnings; as in `validate -json`. What the parts of a condition were stands in
    /// `tune.causes`.
    diagnostics: Vec<Json>,
    /// The plan, as `plan -json` prints it; only with `-verbose`.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Json>,
}

/// Returns the document.
pub(crate) fn json(files: &[File], verbose: bool) -> String {
    let [passed, failed, errored] = counts(files);
    let run = |run: &Ended| RunText {
        name: run.name.clone(),
        status: run.status,
        diagnostics: run.notices.iter().map(validation::diagnostic).collect(),
        plan: run.document.clone().filter(|_| verbose),
    };
    let file = |file: &File| FileText {
        path: file.name.clone(),
        status: file.status(),
        runs: file.runs.iter().map(run).collect(),
    };
    print(&Document {
        format_version: FORMAT,
        status: status(files),
        passed,
        failed,
        errored,
        files: files.iter().map(file).collect(),
        diagnostics: Vec::new(),
    })
}

/// Returns the document that says why nothing was run.
pub(crate) fn refused(notices: &[Notice]) -> String {
    print(&Document {
        format_version: FORMAT,
        status: Status::Error,
        passed: 0,
        failed: 0,
        errored: 0,
        files: Vec::new(),
        diagnostics: notices.iter().map(validation::diagnostic).collect(),
    })
}

fn print(document: &Document) -> String {
    serde_json::to_string_pretty(document).expect("a document has string keys and no failing parts") + "\n"
}

#[cfg(test)]
mod checks {
    use super::*;

    #[test]
    fn the_schema_is_current() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/test.json");
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(Document)).unwrap() + "\n";
        if std::env::var_os("TUNE_REGENERATE").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == schema, "schema/test.json is out of date; run the tests with TUNE_REGENERATE=1");
    }

    #[test]
    fn the_worst_run_counts() {
        let runs = vec![Ended::new("a"), Ended::new("b").fail_if_any(vec![Notice::error("x")]), Ended::new("c")];
        let file = File { name: "x.tunetest.hcl".to_owned(), runs };
        let files = [file];
        assert_eq!(status(&files), Status::Fail);
        let said = anstream::adapter::strip_str(&summary(&files)).to_string();
        assert_eq!(said, "\nFailure! 2 passed, 1 failed.\n");
        let lines: String = text(&files[0], false).into_iter().map(|(line, _)| line).collect();
        let lines = anstream::adapter::strip_str(&lines).to_string();
        assert_eq!(lines, "x.tunetest.hcl... fail\n  run \"a\"... pass\n  run \"b\"... fail\n\n  run \"c\"... pass\n");
        assert_eq!(Ended::new("a").error(Vec::new()).fail_if_any(vec![Notice::error("x")]).status, Status::Error);
    }
}
