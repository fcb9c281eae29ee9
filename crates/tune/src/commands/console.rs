//! `tune console`.

use clap::Args;

use crate::args::{Global, VariableOptions};
use crate::exit::{Exit, Failure};
use crate::project;
use crate::render::diagnostic;
use crate::terminal;

/// Evaluates expressions in the configuration, one in each line of standard input.
///
/// Variables, local values, hosts and resources have the values that a plan gives them. No host is looked at, so what
/// comes from `data` is not known. `exit` ends it, and so does the end of the input; the exit code is 1 when a line could
/// not be evaluated.
#[derive(Debug, Args)]
pub(crate) struct Console {
    #[command(flatten)]
    variables: VariableOptions,
}

impl Console {
    pub(crate) fn run(&self, global: &Global) -> Result<Exit, Failure> {
        let prompt = if terminal::can_ask() { "> " } else { "" };
        project::console(global, &self.variables, |console| {
            let mut exit = Exit::Done;
            while let Some(line) = terminal::ask(prompt)? {
                let line = line.trim();
                match line {
                    "exit" | "quit" => break,
                    "" => continue,
                    _ if line.starts_with('#') || line.starts_with("//") => continue,
                    _ => {}
                }
                match console.evaluate(line) {
                    Ok(value) => terminal::print(&format!("{value}\n"))?,
                    Err(mistakes) => {
                        let failure = Failure::from(mistakes);
                        terminal::complain(&diagnostic::text(&failure.notices, terminal::width()));
                        exit = Exit::Error;
                    }
                }
            }
            Ok(exit)
        })
    }
}
