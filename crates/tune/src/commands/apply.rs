//! `tune apply`.

use clap::Args;
use tune_core::plan::Operation;

use super::run::{self, Order};
use crate::args::{Global, PatienceOptions, SelectionOptions, VariableOptions};
use crate::exit::{Exit, Failure};
use crate::project::Need;
use crate::render::report::Words;
use crate::session;

/// Makes the hosts what the configuration says, and proves it.
///
/// Settles an interrupted run first, shows the plan, and asks before anything is changed. What was there before is
/// recorded before it is overwritten.
#[derive(Debug, Args)]
pub(crate) struct Apply {
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
        let (operation, command) = if self.refresh_only {
            (Operation::RefreshOnly, "apply -refresh-only")
        } else {
            (Operation::Apply, "apply")
        };
        let need = if self.refresh_only { Need::Record } else { Need::Values };
        let order = Order {
            operation,
            selection: session::selection(&self.selection),
            command: command.to_owned(),
            words: Words { name: "Apply", again: "tune apply".to_owned(), offers_rollback: true },
            question: "Do you want to perform these actions?",
            approved: self.auto_approve,
            wait: self.patience.wait,
        };
        run::carry_out(global, &self.variables, need, &order)
    }
}
