//! `tune unlock`.

use clap::Args;
use tune_core::text;
use tune_engine::StoreError;
use tune_engine::store::local;

use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::project;
use crate::render::diagnostic::Notice;
use crate::terminal;

/// Takes away a lock that a run left behind.
///
/// The lock of a process that is still alive on this machine stays.
#[derive(Debug, Args)]
pub(crate) struct Unlock {}

impl Unlock {
    pub(crate) fn run(global: &Global) -> Result<Exit, Failure> {
        let unlocked = local::unlock(project::folder(global)?.path()).map_err(|error| match error {
            StoreError::Locked { .. } => Failure {
                exit: Exit::Locked,
                notices: vec![
                    Notice::caused(&error).help("it is still at work: wait for it, or end that process first"),
                ],
            },
            error => error.into(),
        })?;
        let said = match unlocked {
            None => "Nobody holds the lock.\n".to_owned(),
            Some(holder) => {
                let safe = |shown: &str| text::visible(shown, 100);
                let (by, command, since) = (safe(&holder.by()), safe(&holder.command), safe(&holder.since));
                format!("Unlocked. It was held by {by}, process {}, for `{command}` since {since}.\n", holder.pid)
            }
        };
        terminal::print(&said)?;
        Ok(Exit::Done)
    }
}
