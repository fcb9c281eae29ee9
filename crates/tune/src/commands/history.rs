//! `tune history`.

use clap::Args;
use tune_core::state::{RunRecord, RunResult};
use tune_core::text;

use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::paint;
use crate::project;
use crate::render::columns;
use crate::render::plan;
use crate::session;
use crate::terminal;

/// Lists the runs that are recorded: who did what, when, and how it ended.
#[derive(Debug, Args)]
pub(crate) struct History {}

impl History {
    pub(crate) fn run(global: &Global) -> Result<Exit, Failure> {
        let export = session::read_export(project::folder(global)?.path())?;
        let mut shown = table(&export.runs);
        if let Some(run) = &export.open_run {
            shown.push('\n');
            shown.push_str(&plan::running(run));
        }
        terminal::print(&shown)?;
        Ok(Exit::Done)
    }
}

fn table(runs: &[RunRecord]) -> String {
    if runs.is_empty() {
        return "No run is recorded yet.\n".to_owned();
    }
    let safe = |shown: &str| text::visible(shown, 60);
    let mut rows = vec![["run", "begun", "by", "command", "changes", "result"].map(str::to_owned)];
    for run in runs {
        let result = match run.result {
            RunResult::Done => "done",
            RunResult::Undone => "failed, undone",
            RunResult::Partial => "done in part",
            RunResult::Paused => "paused",
            RunResult::Stuck => "stuck",
        };
        rows.push([
            run.number.to_string(),
            safe(&run.started),
            safe(&run.by),
            safe(&run.command),
            run.changes.len().to_string(),
            result.to_owned(),
        ]);
    }
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| columns::width(&row[column])).max().unwrap_or(0))
        .collect();
    let mut shown = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| columns::padded(cell, *width));
        let line = cells.collect::<Vec<_>>().join("  ");
        let line = line.trim_end();
        shown.push_str(&if number == 0 { paint::strong(line) } else { line.to_owned() });
        shown.push('\n');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::check;
    use std::collections::BTreeMap;

    #[test]
    fn runs_stand_in_columns() {
        let run = |number, command: &str, result| RunRecord {
            activations: Vec::new(),
            number,
            command: command.to_owned(),
            by: "ann\u{1b}@pve".to_owned(),
            started: "2026-11-20T17:00:00Z".to_owned(),
            finished: "2026-11-20T17:00:09Z".to_owned(),
            result,
            changes: BTreeMap::new(),
        };
        let runs = [run(9, "apply", RunResult::Done), run(10, "rollback 9", RunResult::Undone)];
        check(
            &table(&runs),
            "\
run  begun                 by        command     changes  result
9    2026-11-20T17:00:00Z  ann␛@pve  apply       0        done
10   2026-11-20T17:00:00Z  ann␛@pve  rollback 9  0        failed, undone
",
        );
    }
}
