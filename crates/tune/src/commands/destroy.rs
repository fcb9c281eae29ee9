//! `tune destroy`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use tune_core::Address;
use tune_core::plan::{Operation, Selection};

use super::run::{self, Order};
use crate::args::{Global, PatienceOptions, SelectionOptions, VariableOptions};
use crate::exit::{Exit, Failure};
use crate::project::Need;
use crate::render::report::Words;
use crate::session;

/// Reverts everything that is managed: puts back what was there before.
///
/// What somebody else changed since is left alone and named. Works from what is recorded, so it needs no resource in
/// the configuration any more.
#[derive(Debug, Args)]
pub(crate) struct Destroy {
    /// Goes on without asking.
    #[arg(long)]
    auto_approve: bool,

    /// Reverts this resource although somebody else changed it; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    overwrite_drift: Vec<Address>,

    /// What to do where it is not known what was there before: `keep` leaves the live value and forgets it.
    #[arg(long, value_name = "WHAT")]
    unknown: Option<Unknown>,

    #[command(flatten)]
    patience: PatienceOptions,

    #[command(flatten)]
    selection: SelectionOptions,

    #[command(flatten)]
    variables: VariableOptions,
}

/// What to do with an unknown original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Unknown {
    /// Leaves the live value and forgets the item.
    Keep,
}

impl Destroy {
    pub(crate) fn run(&self, global: &Global) -> Result<Exit, Failure> {
        let selection = Selection {
            overwrite_drift: self.overwrite_drift.clone(),
            keep_unknown: self.unknown == Some(Unknown::Keep),
            ..session::selection(&self.selection)
        };
        let order = order(selection, self.auto_approve, self.patience.wait);
        run::carry_out(global, &self.variables, Need::Record, &order)
    }
}

/// Returns what puts everything back that is selected.
pub(super) fn order(selection: Selection, approved: bool, wait: Duration) -> Order {
    Order {
        operation: Operation::Destroy,
        selection,
        command: "destroy".to_owned(),
        words: Words { name: "Destroy", again: "tune destroy".to_owned(), offers_rollback: false },
        question: "Do you want to revert all of this, back to what was there before?",
        approved,
        wait,
        promised: None,
    }
}
