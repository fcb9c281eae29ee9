//! `tune test`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use tune_config::{Configuration, Files as _, Inputs, Module, Resolved, TestFile, TestMode, TestRun};
use tune_core::plan::{Operation, Plan, Selection, Step};
use tune_engine::error::NOT_RECORDED;
use tune_engine::{Engine, Limits, Recording, Replay, Silent, SystemClock};

use crate::args::{Global, VariableOptions};
use crate::exit::{Exit, Failure};
use crate::files::Folder;
use crate::kinds;
use crate::project::{self, Project, TEST_ENDING as ENDING, Words};
use crate::render::diagnostic::{self, Notice, Place};
use crate::render::trial::{self, Ended, File, Status};
use crate::render::{json, tested};
use crate::router;
use crate::session;
use crate::terminal;

/// What to do where a run names no recording and needs one.
const WITHOUT: &str = "record what a plan looks at with `tune plan -record=tests/readings.json`, and name the file: \
                       `test { recording = \"tests/readings.json\" }`";

/// Plans the configuration against recorded readings, and says whether the plans are as the tests expect.
///
/// Reads `*.tunetest.hcl` beside the configuration and in `tests`. No host is reached, no state is read, nothing is
/// written. A recording is made with `tune plan -record=FILE`. Exits with 6 when a test fails, and with 1 when one
/// could not be run.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Only this file of tests, for example `tests/memory.tunetest.hcl`; may be repeated.
    #[arg(long, value_name = "FILE")]
    filter: Vec<String>,

    /// Reads tests in this folder too; it is in the folder of the configuration.
    #[arg(long = "test-directory", value_name = "FOLDER", default_value = "tests")]
    directory: String,

    /// Prints JSON.
    #[arg(long)]
    json: bool,

    /// Shows the plan of every run.
    #[arg(long)]
    verbose: bool,

    #[command(flatten)]
    variables: VariableOptions,
}

impl Test {
    pub(crate) fn run(&self, global: &Global) -> Result<Exit, Failure> {
        let folder = project::folder(global)?;
        let words = Words::of(&folder);
        let mut module = tune_config::load(&folder, &words.vocabulary(), env!("CARGO_PKG_VERSION"));
        let names = self.names(&folder)?;
        let files = module.add_tests(&names);
        let inputs = project::inputs(&self.variables)?;
        if module.has_errors() {
            let failure = tune_config::check(&module, &inputs).err().map(Failure::from);
            return self.refuse(failure.unwrap_or_else(|| Failure { exit: Exit::Error, notices: Vec::new() }));
        }
        let mut stage = Stage { folder: &folder, words: &words, recordings: BTreeMap::new() };
        let mut ended: Vec<File> = Vec::new();
        let mut warned: Vec<Notice> = Vec::new();
        for file in &files {
            let file = stage.file(&module, file, &inputs);
            if !self.json {
                for (text, complaints) in trial::text(&file, self.verbose) {
                    // What is odd about the configuration is odd in every run of it.
                    let mut new = complaints.to_vec();
                    new.retain(|notice| !warned.contains(notice));
                    warned.extend(new.iter().filter(|notice| notice.warning).cloned());
                    terminal::print(&text)?;
                    terminal::complain(&diagnostic::text(&new, terminal::width()));
                }
            }
            ended.push(file);
        }
        terminal::print(&if self.json { trial::json(&ended, self.verbose) } else { trial::summary(&ended) })?;
        Ok(match trial::status(&ended) {
            Status::Pass => Exit::Done,
            Status::Fail => Exit::Check,
            Status::Error => Exit::Error,
        })
    }

    /// Says that no test could be run.
    fn refuse(&self, failure: Failure) -> Result<Exit, Failure> {
        if !self.json {
            return Err(failure);
        }
        terminal::print(&trial::refused(&failure.notices))?;
        Ok(failure.exit)
    }

    /// Returns the files of tests that are meant, sorted.
    fn names(&self, folder: &Folder) -> Result<Vec<String>, Failure> {
        let mut names = project::tests(folder, &self.directory);
        let mut unknown = Vec::new();
        for filter in &self.filter {
            if !names.iter().any(|name| name == filter.trim_start_matches("./")) {
                unknown.push(
                    Notice::error(format!("there is no file of tests `{filter}`"))
                        .help(format!("name one of {}", listed(&names))),
                );
            }
        }
        if !unknown.is_empty() {
            return Err(Failure { exit: Exit::Error, notices: unknown });
        }
        if names.is_empty() {
            let notice =
                Notice::error(format!("there are no tests beside the configuration or in `{}`", self.directory));
            return Err(Failure::new(notice.help(format!("write a file whose name ends in `{ENDING}`"))));
        }
        names.retain(|name| self.filter.is_empty() || self.filter.iter().any(|it| it.trim_start_matches("./") == name));
        Ok(names)
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return format!("a file whose name ends in `{ENDING}`");
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Where the runs of tests are planned.
struct Stage<'a> {
    folder: &'a Folder,
    words: &'a Words,
    /// By path, what was read.
    recordings: BTreeMap<String, Result<Arc<Recording>, Notice>>,
}

impl Stage<'_> {
    fn file(&mut self, module: &Module<'_>, file: &TestFile, inputs: &Inputs) -> File {
        let runs = file.runs.iter().map(|run| self.run(module, run, inputs)).collect();
        File { name: file.name.clone(), runs }
    }

    fn run(&mut self, module: &Module<'_>, run: &TestRun, inputs: &Inputs) -> Ended {
        let mut ended = Ended::new(&run.name);
        let recording = match self.recording(module, run) {
            Ok(recording) => recording,
            Err(notice) => return ended.error(vec![notice]),
        };
        let inputs = run.inputs(inputs);
        let mut answers = BTreeMap::new();
        let (configuration, scene) = loop {
            match tune_config::rehearse(module, &inputs, &answers) {
                Ok((Resolved::Ready(configuration), scene)) => break (*configuration, scene),
                Ok((Resolved::Needs(needs), _)) => answers.extend(recording.look(&self.words.sources, &needs.queries)),
                Err(mut mistakes) => {
                    let met = run.take_expected(&mut mistakes.list);
                    if mistakes.has_errors() || met.is_empty() {
                        return ended.error(Failure::from(mistakes).notices);
                    }
                    let unmet = run.unmet(&met);
                    let notices = unmet.iter().map(|mistake| Notice::of(mistake, &mistakes.sources)).collect();
                    return ended.fail_if_any(notices);
                }
            }
        };
        let mut project = match self.words.clone().quietly(configuration, self.folder) {
            Ok(project) => project,
            Err(failure) => return ended.error(failure.notices),
        };
        let mut met = run.take_expected(&mut project.configuration.warnings.list);
        ended.notices.extend(project.warnings());
        let plan = match plan(&mut project, run, &recording) {
            Ok(plan) => plan,
            Err(failure) => return ended.error(failure.notices),
        };
        ended.text = Some(trial::plan(&plan, &project.kinds, &recording.state));
        ended.document = Some(serde_json::to_value(json::document(&plan, &project.kinds, None)).unwrap_or_default());
        let missing = not_recorded(&plan, &project);
        if !missing.is_empty() {
            return ended.error(missing);
        }
        let (expected, others): (Vec<_>, Vec<_>) =
            plan.failures().partition(|mistake| run.expects(&mistake.address).is_some());
        met.extend(expected.iter().filter_map(|mistake| run.expects(&mistake.address)).map(str::to_owned));
        if !others.is_empty() {
            let mut notices = diagnostic::of_mistakes(others, &project.configuration);
            if run.recording.is_none() {
                for notice in notices.iter_mut().filter(|notice| notice.code == Some(NOT_RECORDED)) {
                    notice.help = Some(WITHOUT.to_owned());
                }
            }
            return ended.error(notices);
        }
        let Configuration { sources, .. } = &project.configuration;
        let unmet = run.unmet(&met);
        ended = ended.fail_if_any(unmet.iter().map(|mistake| Notice::of(mistake, sources)).collect());
        let seen = tested::value(&plan, &project.kinds);
        for complaint in scene.judge(module, run, &project.configuration, &seen) {
            let notice = Notice { causes: complaint.findings, ..Notice::of(&complaint.mistake, sources) };
            ended = if complaint.is_failure { ended.fail_if_any(vec![notice]) } else { ended.error(vec![notice]) };
        }
        ended
    }

    /// Returns what a run plans against; nothing, where it names no recording.
    fn recording(&mut self, module: &Module<'_>, run: &TestRun) -> Result<Arc<Recording>, Notice> {
        let Some((path, span)) = &run.recording else { return Ok(Arc::default()) };
        let (folder, known) = (self.folder, kinds::explanations);
        let read = self.recordings.entry(path.clone()).or_insert_with(|| {
            let text = folder.read(path).map_err(|error| {
                let notice = Notice::error(format!("the recording `{path}` cannot be read: {error}"));
                notice.help(format!("make it with `tune plan -record={path}`"))
            })?;
            let codes: Vec<_> = known().into_iter().map(|explanation| explanation.code).collect();
            let recording = tune_engine::recording::parse(Path::new(path), &text, &codes);
            recording
                .map(Arc::new)
                .map_err(|error| Notice::caused(&error).help(format!("make it anew with `tune plan -record={path}`")))
        });
        let place = || vec![Place::of(module.sources(), *span, "named here")];
        read.clone().map_err(|notice| Notice { places: place(), code: Some(tune_config::TEST), ..notice })
    }
}

/// Returns what the plan asks for and the recording does not hold. A plan only names what cannot be read; a test that
/// looks at half of everything proves nothing.
fn not_recorded(plan: &Plan, project: &Project) -> Vec<Notice> {
    let configuration = &project.configuration;
    let items = plan.resources.iter().flat_map(|(address, planned)| planned.items.iter().map(move |it| (address, it)));
    let missing = items.filter_map(|(address, item)| match &item.step {
        Step::Unreadable(why) if why.code == NOT_RECORDED => {
            let span = configuration.span_of(address, &item.path);
            let place = span.map(|span| Place::of(&configuration.sources, span, "asked for here"));
            let notice =
                Notice { code: Some(why.code), places: place.into_iter().collect(), ..Notice::error(&why.message) };
            Some(Notice { help: why.help.clone(), ..notice })
        }
        _ => None,
    });
    missing.collect()
}

/// Plans against what was recorded. Nothing leaves this process.
fn plan(project: &mut Project, run: &TestRun, recording: &Arc<Recording>) -> Result<Plan, Failure> {
    let apis = router::apis(&project.configuration.providers);
    project.configuration.hosts.extend(apis);
    let replay = Arc::new(Replay::new(Arc::clone(recording)));
    let engine = Engine::new(replay, project.kinds.clone(), Arc::new(SystemClock), Limits::default());
    let operation = match run.mode {
        TestMode::Normal => Operation::Apply,
        TestMode::Destroy => Operation::Destroy,
        TestMode::RefreshOnly => Operation::RefreshOnly,
    };
    let selection = Selection { target: run.target.clone(), exclude: run.exclude.clone(), ..Selection::default() };
    let state = recording.state.seen();
    let recorded = (&state, &*recording.state.runs);
    let request = session::request(project, (&operation, &selection), recorded, recording.controller.as_deref());
    let planned = session::block_on(async { Ok(engine.plan(&request, &Silent).await) })?;
    planned.map_err(|mistakes| Failure {
        exit: Exit::Error,
        notices: diagnostic::of_mistakes(&mistakes, &project.configuration),
    })
}
