//! `tune completions`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::args::Arguments;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Prints a script that lets a shell complete commands and options.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "tune", &mut script);
        terminal::print(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}
