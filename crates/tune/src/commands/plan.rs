//! `tune plan`.

use std::path::{Path, PathBuf};

use clap::Args;
use tune_core::plan::{Operation, Plan as Planned};
use tune_engine::Recording;
use tune_engine::saved_plan::Shown;
use tune_engine::store::local::Export;

use crate::args::{Global, SelectionOptions, VariableOptions};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::project::{self, Need, Project};
use crate::render::item::Context;
use crate::render::{diagnostic, json, markdown, plan};
use crate::saved::{self, Destination};
use crate::session;
use crate::terminal::{self, Stream};

/// Shows what an apply would do; changes nothing anywhere, and creates no file but those that `-out` and `-record` name.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Plan {
    /// Plans to revert everything, back to what was there before.
    #[arg(long, conflicts_with = "refresh_only")]
    destroy: bool,

    /// Plans only to accept what is live as last applied; originals stay.
    #[arg(long)]
    refresh_only: bool,

    /// Exits with 2 when changes are pending, with 0 when there are none.
    #[arg(long)]
    detailed_exitcode: bool,

    /// Prints the plan as JSON.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// Prints the plan as Markdown, for a comment on a pull request.
    #[arg(long)]
    markdown: bool,

    /// Saves the plan in this file. `tune apply FILE` carries it out, and refuses if anything has moved by then.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Writes everything that the plan looked at into this file, for `tune test`.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,

    #[command(flatten)]
    selection: SelectionOptions,

    #[command(flatten)]
    pub(crate) variables: VariableOptions,
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
    Markdown,
}

impl Plan {
    pub(crate) fn run(&self, global: &Global) -> Result<Exit, Failure> {
        let operation = match (self.destroy, self.refresh_only) {
            (true, _) => Operation::Destroy,
            (_, true) => Operation::RefreshOnly,
            _ => Operation::Apply,
        };
        let form = match (self.json, self.markdown) {
            (true, _) => Form::Json,
            (_, true) => Form::Markdown,
            _ => Form::Text,
        };
        let kept = Kept {
            record: self.record.as_deref(),
            out: self.out.as_deref().map(|path| Destination::of(global, path)).transpose()?,
        };
        let planned = show(global, &self.variables, &self.selection, &operation, form, &kept)?;
        // What was changed by others and is to be accepted is a difference too, although no host is written to.
        let accepts = operation == Operation::RefreshOnly && planned.has_work();
        let pending = self.detailed_exitcode && (planned.has_changes() || accepts);
        Ok(if pending { Exit::Pending } else { Exit::Done })
    }
}

/// What is kept of a plan beyond what is printed.
#[derive(Debug, Default)]
pub(crate) struct Kept<'a> {
    /// Where everything is written that it looked at.
    record: Option<&'a Path>,
    /// Where it is saved.
    out: Option<Destination>,
}

/// Plans, prints the plan, and fails if something forbids to apply it.
pub(crate) fn show(
    global: &Global,
    variables: &VariableOptions,
    selection: &SelectionOptions,
    operation: &Operation,
    form: Form,
    kept: &Kept<'_>,
) -> Result<Planned, Failure> {
    let need = if *operation == Operation::Apply { Need::Values } else { Need::Record };
    let selection = session::selection(selection);
    let session = session::begin_with(global, kept.record.is_some());
    let progress = Progress::on(Stream::Error);
    let (project, export, planned) = session::block_on(async {
        let result = async {
            let project = project::load(&session, global, variables, need, &progress).await?;
            let export = session::read_export(&project.path)?;
            if let (Some(_), Some(run)) = (&kept.out, &export.open_run) {
                return Err(saved::refuse_open_run(run));
            }
            let state = export.seen();
            let recorded = (&state, &*export.runs);
            let planned =
                session::plan(&session.engine, &project, (operation, &selection), recorded, &progress).await?;
            Ok((project, export, planned))
        };
        let result = result.await;
        progress.clear();
        session::close(&session.engine).await;
        result
    })?;
    terminal::print(&text(&planned, &project, &export, form)?)?;
    let notices = diagnostic::of_mistakes(planned.failures(), &project.configuration);
    if !notices.is_empty() {
        return Err(Failure { exit: Exit::Error, notices });
    }
    if let Some(out) = &kept.out {
        let context = Context { plan: &planned, kinds: &project.kinds, state: &export.state };
        let document = json::document(&planned, &project.kinds, None);
        let shown = Shown {
            text: plan::text(context, terminal::WIDTH_OF_A_FILE),
            json: serde_json::to_value(document).map_err(std::io::Error::from)?,
        };
        let said = out.save(&session.engine, &project, &selection, &planned, shown)?;
        if form == Form::Text { terminal::print(&said)? } else { terminal::complain(&said) }
    }
    if let (Some(path), Some(recorder)) = (kept.record, &session.recorder) {
        write(&global.chdir.join(path), &recorder.recording(export, session::boot_id()))?;
    }
    Ok(planned)
}

/// Writes the recording, once the plan is known to be a good one.
fn write(path: &Path, recording: &Recording) -> Result<(), Failure> {
    tune_engine::recording::write(path, recording)?;
    terminal::complain(&format!("Recorded what the plan looked at: {}\n", path.display()));
    Ok(())
}

fn text(planned: &Planned, project: &Project, export: &Export, form: Form) -> Result<String, Failure> {
    let context = Context { plan: planned, kinds: &project.kinds, state: &export.state };
    Ok(match form {
        Form::Text => {
            let running = export.open_run.as_ref().map(plan::running).unwrap_or_default();
            running + &plan::text(context, terminal::width())
        }
        Form::Markdown => markdown::text(context),
        Form::Json => {
            let document = json::document(planned, &project.kinds, export.open_run.as_ref());
            serde_json::to_string_pretty(&document).map_err(std::io::Error::from)? + "\n"
        }
    })
}
