//! Saved plans as commands see them: saving what was planned, reading it again, and refusing what moved since.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tune_config::Configuration;
use tune_core::Value;
use tune_core::plan::{Plan, Selection};
use tune_engine::error::{SAVED_PLAN_FOREIGN, SAVED_PLAN_STALE};
use tune_engine::saved_plan::{self, Origin, Promise, SavedPlan, SavedPlanError, Shown};
use tune_engine::store::local::{self, OpenRun};
use tune_engine::{Engine, Key};

use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::project::{self, Project};
use crate::render::diagnostic::Notice;

/// So many differences are listed; whoever reads the first few knows enough.
const LISTED: usize = 20;

/// Where a plan is to be saved.
#[derive(Debug)]
pub(crate) struct Destination {
    /// As it was typed.
    name: PathBuf,
    path: PathBuf,
    key: Key,
}

/// A saved plan that is to be applied.
#[derive(Debug)]
pub(crate) struct Saved {
    /// As it was typed.
    name: PathBuf,
    /// What the file says.
    pub(crate) plan: SavedPlan,
    key: Key,
}

impl Destination {
    /// Makes sure that a plan can be saved there, before anything is read from any host.
    pub(crate) fn of(global: &Global, name: &Path) -> Result<Self, Failure> {
        let path = global.chdir.join(name);
        saved_plan::check(&path).map_err(|error| refused("save the plan in", name, &error))?;
        Ok(Self { name: name.to_owned(), path, key: key(global)? })
    }

    /// Saves a plan, and returns what to say about it.
    pub(crate) fn save(
        &self,
        engine: &Engine,
        project: &Project,
        selection: &Selection,
        plan: &Plan,
        shown: Shown,
    ) -> Result<String, Failure> {
        let promise = promise(engine, project, selection, plan, &self.key);
        let saved = SavedPlan { promise, shown };
        saved_plan::write(&self.path, &saved, &self.key)
            .map_err(|error| refused("save the plan in", &self.name, &error))?;
        let name = tune_core::text::visible(&self.name.to_string_lossy(), 500);
        let word = tune_core::text::shell_word(&name);
        Ok(format!(
            "\nSaved the plan to: {name}\n\nTo do exactly this, and nothing if anything has moved by then, run:\n    tune apply {word}\n"
        ))
    }
}

impl Saved {
    /// Reads a saved plan.
    pub(crate) fn read(global: &Global, name: &Path) -> Result<Self, Failure> {
        let key = key(global)?;
        let plan = saved_plan::read(&global.chdir.join(name), &key);
        let plan = plan.map_err(|error| refused("use the saved plan", name, &error))?;
        Ok(Self { name: name.to_owned(), plan, key })
    }

    /// Refuses a plan that is not the promised one.
    pub(crate) fn holds(
        &self,
        engine: &Engine,
        project: &Project,
        selection: &Selection,
        plan: &Plan,
    ) -> Result<(), Failure> {
        let now = promise(engine, project, selection, plan, &self.key);
        let mut causes = self.plan.promise.differences(&now);
        if causes.is_empty() {
            return Ok(());
        }
        if causes.len() > LISTED {
            let more = causes.len() - LISTED;
            causes.truncate(LISTED);
            causes.push(format!("and {more} more"));
        }
        Err(self.stale(causes))
    }

    /// Refuses to go on where a run must be settled first, because that moves the state.
    pub(crate) fn refuse_open_run(&self, number: u64) -> Failure {
        self.stale(vec![format!("run {number} was interrupted, and must be settled first: `tune apply` does")])
    }

    fn stale(&self, causes: Vec<String>) -> Failure {
        let name = self.name.display();
        let notice = Notice::error(format!("the plan in `{name}` is not what would be done now; nothing was changed"));
        Failure::new(
            Notice { code: Some(SAVED_PLAN_STALE), causes, ..notice }
                .help("look at it with `tune plan`, and save it again if it is right"),
        )
    }
}

/// Refuses to save a plan that no apply could keep: settling the run moves the state.
pub(crate) fn refuse_open_run(run: &OpenRun) -> Failure {
    let message = format!("the plan is not saved: run {} is under way or was interrupted", run.number);
    Failure::new(Notice::error(message).help("wait for it, or settle it with `tune apply`; then plan again"))
}

fn promise(engine: &Engine, project: &Project, selection: &Selection, plan: &Plan, key: &Key) -> Promise {
    let Configuration { files, variables, providers, .. } = &project.configuration;
    let variables: BTreeMap<&str, &Value> =
        variables.iter().map(|(name, variable)| (name.as_str(), &variable.value)).collect();
    let tune = env!("CARGO_PKG_VERSION");
    engine.promise(plan, &Origin { tune, selection, files, variables: &variables, providers }, key)
}

/// Returns the key of the state beside the configuration.
fn key(global: &Global) -> Result<Key, Failure> {
    let folder = project::folder(global)?;
    local::read_key(folder.path())?.ok_or_else(|| {
        let notice = Notice::error("there is no key here to seal a plan with, or to tell that one is genuine");
        Failure::new(Notice { code: Some(SAVED_PLAN_FOREIGN), ..notice }.help(
            "save and apply plans beside their state, in `.tune`; before the first apply, `tune state init` makes both",
        ))
    })
}

fn refused(what: &str, name: &Path, error: &SavedPlanError) -> Failure {
    let notice = Notice::caused(error);
    let causes = [notice.message].into_iter().chain(notice.causes).collect();
    let notice = Notice { causes, code: error.code(), ..Notice::error(format!("cannot {what} `{}`", name.display())) };
    Failure {
        exit: Exit::Error,
        notices: vec![match error {
            SavedPlanError::Store(_) => notice,
            SavedPlanError::InTheWay => notice.help("choose another name, or remove that file"),
            _ => notice.help("make it anew with `tune plan -out=FILE`"),
        }],
    }
}
