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
/// comes from `data` is not known. `type(…)` around an expression tells its type. An open bracket or heredoc goes on in
/// the next line. `exit` ends it, and so does the end of the input; the exit code is 1 when an
/// expression could not be evaluated.
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
            while let Some(typed) = expression(prompt)? {
                let line = typed.trim();
                match line {
                    "exit" | "quit" => break,
                    "" => continue,
                    _ if line.starts_with('#') || line.starts_with("//") => continue,
                    _ => {}
                }
                match console.evaluate(&typed) {
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

/// Asks for lines until nothing is open any more. Where a person types, an empty line ends an expression too, so that
/// nobody is caught in a bracket that was opened by mistake.
fn expression(prompt: &str) -> Result<Option<String>, Failure> {
    let Some(mut typed) = terminal::ask(prompt)? else { return Ok(None) };
    let is_typed = !prompt.is_empty();
    while tune_config::Console::goes_on(&typed) {
        let Some(line) = terminal::ask(if is_typed { ": " } else { "" })? else { break };
        if is_typed && line.trim().is_empty() {
            break;
        }
        typed.push('\n');
        typed.push_str(&line);
    }
    Ok(Some(typed))
}
