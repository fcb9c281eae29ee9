//! `tune show`.

use std::path::PathBuf;

use clap::Args;
use tune_core::plan::Operation;
use tune_engine::saved_plan::Shown;
use tune_engine::store::local;

use super::plan::{self, Form, Kept};
use crate::args::{Global, SelectionOptions, VariableOptions};
use crate::exit::{Exit, Failure};
use crate::kinds;
use crate::project;
use crate::render::recorded;
use crate::saved::Saved;
use crate::session;
use crate::terminal;

/// Shows what is recorded: every managed value, with what was there before. With a saved plan, shows that.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// A plan that `tune plan -out` saved.
    #[arg(value_name = "FILE", conflicts_with = "markdown")]
    plan: Option<PathBuf>,

    /// Prints the state's export, or the saved plan, as JSON.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// Plans, and prints the plan as Markdown for a comment on a pull request, as `plan -markdown` does.
    #[arg(long)]
    markdown: bool,

    #[command(flatten)]
    variables: VariableOptions,
}

impl Show {
    pub(crate) fn run(&self, global: &Global) -> Result<Exit, Failure> {
        if let Some(path) = &self.plan {
            let Shown { text, json } = Saved::read(global, path)?.plan.shown;
            terminal::print(&if self.json { format!("{json:#}\n") } else { text })?;
            return Ok(Exit::Done);
        }
        if self.markdown {
            let all = SelectionOptions::default();
            plan::show(global, &self.variables, &all, &Operation::Apply, Form::Markdown, &Kept::default())?;
            return Ok(Exit::Done);
        }
        let export = session::read_export(project::folder(global)?.path())?;
        let text = if self.json {
            local::print_export(&export)
        } else {
            recorded::text(&export.state, &kinds::all(), terminal::width())
        };
        terminal::print(&text)?;
        Ok(Exit::Done)
    }
}
