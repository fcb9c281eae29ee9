//! `tune validate`.

use clap::Args;

use crate::args::{Global, VariableOptions};
use crate::exit::{Exit, Failure};
use crate::paint;
use crate::project::{self, Project};
use crate::render::diagnostic;
use crate::render::validation;
use crate::terminal;

/// Checks the configuration without looking at any host.
///
/// Every mistake of every file, tests included, is reported in one run. Variables without a value are no mistake here: what depends on
/// them is checked as far as it can be.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// Prints JSON.
    #[arg(long)]
    json: bool,

    /// Does not look at files of tests.
    #[arg(long)]
    no_tests: bool,

    /// Looks at tests in this folder too; it is in the folder of the configuration.
    #[arg(long, value_name = "FOLDER", default_value = "tests")]
    test_directory: String,

    #[command(flatten)]
    variables: VariableOptions,
}

impl Validate {
    pub(crate) fn run(&self, global: &Global) -> Result<Exit, Failure> {
        let tests = (!self.no_tests).then_some(self.test_directory.as_str());
        let checked = project::check(global, &self.variables, tests).and_then(|project| check(&project));
        if !self.json {
            checked?;
            terminal::print(&format!("{}\n", paint::added("Success! The configuration is valid.")))?;
            return Ok(Exit::Done);
        }
        let (exit, notices) = match checked {
            Ok(()) => (Exit::Done, Vec::new()),
            Err(failure) => (failure.exit, failure.notices),
        };
        terminal::print(&validation::json(&notices))?;
        Ok(exit)
    }
}

/// Checks what only the kinds know: values, and things that two resources claim.
fn check(project: &Project) -> Result<(), Failure> {
    let desired = tune_core::plan::desired(&project.kinds, &project.configuration.resources);
    desired.map(drop).map_err(|mistakes| Failure {
        exit: Exit::Error,
        notices: diagnostic::of_mistakes(&mistakes, &project.configuration),
    })
}
