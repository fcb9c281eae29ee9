//! `tune rollback`.

use clap::Args;
use tune_core::Address;
use tune_core::plan::{Operation, Selection};

use super::run::{self, Order};
use crate::args::{Global, PatienceOptions, SelectionOptions, VariableOptions};
use crate::exit::{Exit, Failure};
use crate::project::Need;
use crate::render::report::Words;
use crate::session;

/// Undoes one run: puts back what was there before it.
///
/// That is a new run; history is never rewritten. What somebody else changed since is left alone and named. The configuration still asks for what the run did, so the
/// next plan says so and the next apply would do it again.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The run; `tune history` lists them.
    run: u64,

    /// Undoes later runs that touched the same things with it.
    #[arg(long)]
    through: bool,

    /// Goes on without asking.
    #[arg(long)]
    auto_approve: bool,

    /// Puts this resource back although somebody else changed it; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    overwrite_drift: Vec<Address>,

    #[command(flatten)]
    patience: PatienceOptions,

    #[command(flatten)]
    selection: SelectionOptions,

    #[command(flatten)]
    variables: VariableOptions,
}

impl Rollback {
    pub(crate) fn run(&self, global: &Global) -> Result<Exit, Failure> {
        let order = Order {
            operation: Operation::Rollback { run: self.run, through: self.through },
            selection: Selection {
                overwrite_drift: self.overwrite_drift.clone(),
                ..session::selection(&self.selection)
            },
            command: format!("rollback {}", self.run),
            words: Words { name: "Rollback", again: format!("tune rollback {}", self.run), offers_rollback: true },
            question: "Do you want to undo this run?",
            approved: self.auto_approve,
            wait: self.patience.wait,
            promised: None,
        };
        run::carry_out(global, &self.variables, Need::Record, &order)
    }
}
