//! What apply, destroy and rollback have in common: settle what was interrupted, plan, ask, run, report.

use std::time::Duration;

use tune_config::Configuration;
use tune_core::journal::Event;
use tune_core::plan::{Operation, Plan, Selection};
use tune_engine::{Conduct, Engine, Report, Stop, Store, Urgency};

use crate::args::{Global, VariableOptions};
use crate::exit::{Exit, Failure};
use crate::paint;
use crate::progress::Progress;
use crate::project::{self, Need, Project};
use crate::render::diagnostic::{self, Notice};
use crate::render::item::Context;
use crate::render::report::Words;
use crate::render::{output, plan, report};
use crate::saved::Saved;
use crate::session;
use crate::signals::Signals;
use crate::terminal::{self, Stream};

/// How often lines that show a time are drawn again.
const TICK: Duration = Duration::from_secs(1);

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Order {
    /// Where desired values come from.
    pub(crate) operation: Operation,
    /// Which part is meant.
    pub(crate) selection: Selection,
    /// What the history calls it: `apply`, `rollback 3`.
    pub(crate) command: String,
    /// What it is called in sentences.
    pub(crate) words: Words,
    /// What a person is asked.
    pub(crate) question: &'static str,
    /// Whether to go on without asking.
    pub(crate) approved: bool,
    /// The longest rest between two batches to sit through.
    pub(crate) wait: Duration,
    /// What must be the plan; then nobody is asked, because it was reviewed.
    pub(crate) promised: Option<Saved>,
}

/// Carries an order out, from the lock to the last line.
pub(crate) fn carry_out(
    global: &Global,
    variables: &VariableOptions,
    need: Need,
    order: &Order,
) -> Result<Exit, Failure> {
    let session = session::begin(global);
    session::block_on(async {
        let result = async {
            let progress = Progress::on(Stream::Output);
            let project = project::load(&session, global, variables, need, &progress).await;
            progress.clear();
            let project = project?;
            let mut store = session::open_store(&project.path, &order.command, global)?;
            go(&session.engine, &project, &mut store, order).await
        };
        let result = result.await;
        session::close(&session.engine).await;
        result
    })
}

async fn go(engine: &Engine, project: &Project, store: &mut dyn Store, order: &Order) -> Result<Exit, Failure> {
    let progress = Progress::on(Stream::Output);
    if let (Some(saved), Some(Event::Begin(header))) = (&order.promised, store.open_run().and_then(<[Event]>::first)) {
        return Err(saved.refuse_open_run(header.run));
    }
    if settle(engine, project, store, &progress).await? {
        return Ok(Exit::Stuck);
    }
    let (state, runs) = (store.state().clone(), store.runs().to_vec());
    let wanted = (&order.operation, &order.selection);
    let planned = session::plan(engine, project, wanted, (&state, &runs), &progress).await;
    progress.clear();
    let planned = planned?;
    if let Some(saved) = &order.promised {
        saved.holds(engine, project, &order.selection, &planned)?;
    }
    let context = Context { plan: &planned, kinds: &project.kinds, state: &state };
    terminal::print(&plan::text(context, terminal::width()))?;
    if !planned.problems.is_empty() {
        let notices = diagnostic::of_mistakes(&planned.problems, &project.configuration);
        return Err(Failure { exit: Exit::Error, notices });
    }
    let skipped: Vec<String> = order.selection.skip_gates.iter().map(ToString::to_string).collect();
    if planned.has_work() && !skipped.is_empty() {
        let text =
            format!("\nThis run does not wait for {}, because you said so; its record tells.\n", skipped.join(", "));
        terminal::print(&paint::notable(text))?;
    }
    if planned.has_work() && !order.approved && order.promised.is_none() {
        approve(order.question).await?;
    }
    progress.expect(&planned);
    let report = execute(engine, project, store, &planned, order, &progress).await?;
    if planned.has_work() {
        let text = report::text(&report, &project.kinds, &order.words, terminal::width());
        terminal::print(&format!("\n{text}"))?;
    }
    let exit = Exit::of_report(&report);
    if order.operation == Operation::Apply && exit == Exit::Done {
        terminal::print(&outputs(&project.configuration))?;
    }
    Ok(exit)
}

/// Settles an interrupted run and says what came of it; returns whether it could not be settled.
async fn settle(
    engine: &Engine,
    project: &Project,
    store: &mut dyn Store,
    progress: &Progress,
) -> Result<bool, Failure> {
    let Some(Event::Begin(header)) = store.open_run().and_then(<[Event]>::first) else { return Ok(false) };
    let number = header.run;
    let mut signals = Signals::listen()?;
    let settled = tokio::select! {
        settled = engine.settle(store, progress) => settled,
        () = signals.next() => {
            progress.clear();
            let notice = Notice::error(format!("interrupted; run {number} is still open"));
            let notice = notice.help("the next `tune apply` finds out what became of it");
            return Err(Failure { exit: Exit::Stuck, notices: vec![notice] });
        }
    };
    progress.clear();
    let Some(settled) = settled? else { return Ok(false) };
    terminal::print(&report::settled(&settled, &project.kinds, terminal::width()))?;
    Ok(settled.report.open)
}

/// Asks for consent; anything but `yes` is a no.
async fn approve(question: &str) -> Result<(), Failure> {
    if !terminal::can_ask() {
        let notice = Notice::error("nobody can be asked whether to go on, and nothing was changed");
        return Err(Failure::new(notice.help("look at the plan, then give `-auto-approve`")));
    }
    let text = format!("\n{question}\n  Only `yes` is taken for a yes.\n\n  Your answer: ");
    let mut signals = Signals::listen()?;
    // Waiting for a line blocks, and Ctrl-C must still be heard.
    let asked = tokio::task::spawn_blocking(move || terminal::ask(&text));
    let answer = tokio::select! {
        answer = asked => answer.map_err(std::io::Error::from)??,
        () = signals.next() => None,
    };
    if answer.as_deref().is_some_and(is_yes) {
        return Ok(());
    }
    Err(Failure::new(Notice::error("you did not say `yes`, so nothing was changed")))
}

fn is_yes(answer: &str) -> bool {
    answer.trim() == "yes"
}

/// Runs the plan. The first Ctrl-C lets what is running come to its end, the second does not wait.
async fn execute(
    engine: &Engine,
    project: &Project,
    store: &mut dyn Store,
    planned: &Plan,
    order: &Order,
    progress: &Progress,
) -> Result<Report, Failure> {
    let stop = Stop::default();
    let by = session::by();
    let mut signals = Signals::listen()?;
    let mut ticks = tokio::time::interval(TICK);
    let conduct = Conduct {
        live: &*project.configuration.live,
        sources: &project.sources,
        hosts: &project.configuration.hosts,
        wait: order.wait,
    };
    let command = recorded(order);
    let run = engine.run(store, planned, &conduct, &command, &by, progress, &stop);
    tokio::pin!(run);
    let report = loop {
        tokio::select! {
            report = &mut run => break report,
            _ = ticks.tick() => progress.tick(),
            () = signals.next() => {
                let said = match stop.ask() {
                    Urgency::Now => "Stopping now. What became of what was sent is found out by the next `tune apply`.\n",
                    _ => "Stopping: what has begun is brought to its end. Ctrl-C again stops at once.\n",
                };
                progress.tell(said);
            }
        }
    };
    progress.clear();
    Ok(report?)
}

/// What the history calls a run: its command, and what it was told not to wait for.
fn recorded(order: &Order) -> String {
    let skipped = order.selection.skip_gates.iter().map(|gate| format!(" -skip-gate={gate}"));
    skipped.fold(order.command.clone(), |command, skipped| command + &skipped)
}

fn outputs(configuration: &Configuration) -> String {
    output::text(&configuration.outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_a_yes() {
        assert!(is_yes("yes") && is_yes(" yes "));
        for answer in ["", "y", "Yes", "YES", "no", "yes please", "ja"] {
            assert!(!is_yes(answer), "{answer}");
        }
    }
}
