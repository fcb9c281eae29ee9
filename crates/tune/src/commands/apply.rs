//! `tune apply`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tune_core::plan::{Operation, Selection};

use super::destroy;
use super::run::{self, Order};
use crate::args::{Global, PatienceOptions, SelectionOptions, VariableOptions};
use crate::exit::{Exit, Failure};
use crate::project::Need;
use crate::render::report::Words;
use crate::saved::Saved;
use crate::session;

/// Makes the hosts what the configuration says, and proves it.
///
/// Settles an interrupted run first, shows the plan, and asks before anything is changed. What was there before is
/// recorded before it is overwritten.
///
/// With a plan that `tune plan -out` saved, it does exactly what that plan says, without asking; if anything has moved
/// since, it names it and does nothing.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// A saved plan. Give the values for variables again that `tune plan` was given.
    #[arg(value_name = "FILE", conflicts_with_all = ["refresh_only", "target", "exclude", "skip_gate", "allow_self"])]
    plan: Option<PathBuf>,

    /// Goes on without asking.
    #[arg(long)]
    auto_approve: bool,

    /// Only accepts what is live as last applied; changes no setting.
    #[arg(long)]
    refresh_only: bool,

    #[command(flatten)]
    patience: PatienceOptions,

    #[command(flatten)]
    selection: SelectionOptions,

    #[command(flatten)]
    variables: VariableOptions,
}

impl Apply {
    pub(crate) fn run(&self, global: &Global) -> Result<Exit, Failure> {
        let saved = self.plan.as_deref().map(|path| Saved::read(global, path)).transpose()?;
        let (operation, selection) = match &saved {
            Some(saved) => (saved.plan.promise.operation(), saved.plan.promise.selection()),
            None if self.refresh_only => (Operation::RefreshOnly, session::selection(&self.selection)),
            None => (Operation::Apply, session::selection(&self.selection)),
        };
        let need = if operation == Operation::Apply { Need::Values } else { Need::Record };
        let wait = self.patience.wait;
        let order = match operation {
            Operation::Destroy => destroy::order(selection, self.auto_approve, wait),
            operation => order(operation, selection, self.auto_approve, wait),
        };
        run::carry_out(global, &self.variables, need, &Order { promised: saved, ..order })
    }
}

fn order(operation: Operation, selection: Selection, approved: bool, wait: Duration) -> Order {
    let command = if operation == Operation::RefreshOnly { "apply -refresh-only" } else { "apply" };
    Order {
        operation,
        selection,
        command: command.to_owned(),
        words: Words { name: "Apply", again: "tune apply".to_owned(), offers_rollback: true },
        question: "Do you want to perform these actions?",
        approved,
        wait,
        promised: None,
    }
}
