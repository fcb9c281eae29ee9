//! `tune check`.

use clap::Args;
use tune_core::Address;
use tune_core::rollout::Verdict;
use tune_core::text;
use tune_engine::{Checked, Conduct};

use crate::args::{Global, VariableOptions};
use crate::exit::{Exit, Failure};
use crate::paint;
use crate::progress::Progress;
use crate::project::{self, Need};
use crate::render::columns::{self, Row};
use crate::render::diagnostic::Notice;
use crate::session;
use crate::terminal::{self, Stream};

/// A message is cut after this many characters.
const LONGEST_MESSAGE: usize = 600;

/// Asks the live systems what the configuration's checks ask, once, and says which of them pass.
///
/// Exits with 6 when one does not. Changes nothing, except what a probe of kind `ssh` is told to run.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Only these checks, for example `check.etcd`.
    checks: Vec<Address>,

    #[command(flatten)]
    variables: VariableOptions,
}

impl Check {
    pub(crate) fn run(&self, global: &Global) -> Result<Exit, Failure> {
        let session = session::begin(global);
        let progress = Progress::on(Stream::Error);
        let checked = session::block_on(async {
            let result = async {
                let project = project::load(&session, global, &self.variables, Need::Values, &progress).await?;
                let mut checks = project.configuration.checks;
                if let Some(unknown) = self.checks.iter().find(|name| !checks.contains_key(*name)) {
                    let notice = Notice::error(format!("`{unknown}` is not a check of the configuration"));
                    return Err(Failure::new(notice.help("a check is named as in `check.etcd`")));
                }
                checks.retain(|name, _| self.checks.is_empty() || self.checks.contains(name));
                let conduct = Conduct {
                    live: &*project.configuration.live,
                    sources: &project.sources,
                    hosts: &project.configuration.hosts,
                    wait: std::time::Duration::ZERO,
                };
                Ok(session.engine.check(&checks, &conduct).await)
            };
            let result = result.await;
            progress.clear();
            session::close(&session.engine).await;
            result
        })?;
        let rows: Vec<Row> = checked.iter().flat_map(|(name, checked)| rows(name, checked)).collect();
        let text = if rows.is_empty() {
            "There is no check.\n".to_owned()
        } else {
            columns::lay_out(&rows, terminal::width())
        };
        terminal::print(&text)?;
        let passes = checked.values().all(|checked| checked.verdict == Verdict::Pass);
        Ok(if passes { Exit::Done } else { Exit::Check })
    }
}

fn rows(name: &Address, checked: &Checked) -> Vec<Row> {
    let quorum =
        checked.quorum.as_ref().map(|quorum| format!("{} of {} voters are healthy", quorum.healthy, quorum.voters));
    let row = |sign: String, said: &str| {
        let remark = [said.to_owned()].into_iter().chain(quorum.clone()).collect::<Vec<_>>().join("; ");
        Row::new(0, format!("{sign} {name}")).remark(remark)
    };
    let message = |message: &String| Row::new(4, text::visible(message, LONGEST_MESSAGE));
    match &checked.verdict {
        Verdict::Pass => vec![row(paint::added("✔"), "passes")],
        Verdict::Fail { messages } => {
            let first = row(paint::removed("✘"), "does not pass");
            std::iter::once(first).chain(messages.iter().map(message)).collect()
        }
        Verdict::Unknown { reason } => vec![row(paint::removed("?"), "not known"), message(reason)],
    }
}
