//! `tune`: tunes infrastructure that already exists, proves that the change took effect, and can always put back what
//! was there before.
//!
//! This crate is the only one that prints. It reads the command line ([`argv`], [`args`]), loads a configuration
//! ([`project`]), asks the engine ([`session`]), shows the answer ([`render`]) and ends with the right code ([`exit`]).
//! Each command has one file in [`commands`].
//!
//! What it touches on disk: it reads the configuration's folder and the files named by `-var-file` and `state import`;
//! the engine keeps the state in `.tune/` there, and ssh's sockets live in a folder of their own in the runtime
//! directory while hosts are connected. `plan`, `validate` and every other command that only shows create nothing.

mod args;
mod argv;
mod commands;
mod exit;
mod files;
mod kinds;
mod paint;
mod progress;
mod project;
#[cfg(test)]
mod reference;
mod render;
mod router;
mod saved;
mod session;
mod signals;
mod terminal;

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::args::{Arguments, Command, Global};
use crate::exit::{Exit, Failure};
use crate::render::diagnostic;

/// Large configurations are many small values, which glibc's allocator gives back slowly and musl's gives out slowly.
/// Huge pages are left alone (`no_thp`): most commands are small, and would take a third more memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    panic::set_hook(Box::new(report_bug));
    let typed = argv::rewrite(std::env::args_os());
    // Even a mistake on the command line is printed in the right colours.
    terminal::decide_colour(typed.iter().any(|argument| argument == "--no-color"));
    let arguments = match Arguments::try_parse_from(typed) {
        Ok(arguments) => arguments,
        Err(error) => return answer(&error).into(),
    };
    let writes = arguments.command.writes();
    let result = panic::catch_unwind(AssertUnwindSafe(|| run(&arguments.command, &arguments.global)));
    let exit = match result {
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => {
            terminal::complain(&diagnostic::text(&failure.notices, terminal::width()));
            failure.exit
        }
        // The bug has been reported by the hook; what a run did until then is for the next one to find out.
        Err(_) if writes => Exit::Stuck,
        Err(_) => Exit::Error,
    };
    exit.into()
}

fn run(command: &Command, global: &Global) -> Result<Exit, Failure> {
    match command {
        Command::Check(command) => command.run(global),
        Command::Fmt(command) => command.run(global),
        Command::Validate(command) => command.run(global),
        Command::Test(command) => command.run(global),
        Command::Graph(command) => command.run(global),
        Command::Console(command) => command.run(global),
        Command::Plan(command) => command.run(global),
        Command::Apply(command) => command.run(global),
        Command::Destroy(command) => command.run(global),
        Command::Rollback(command) => command.run(global),
        Command::History(_) => commands::history::History::run(global),
        Command::Show(command) => command.run(global),
        Command::State(command) => command.run(global),
        Command::Unlock(_) => commands::unlock::Unlock::run(global),
        Command::Schema(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Completions(command) => command.run(),
        Command::Version(command) => command.run(),
    }
}

/// Prints what clap has to say: help and version are answers, everything else is a mistake on the command line.
fn answer(error: &clap::Error) -> Exit {
    let text = error.render().ansi().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match terminal::print(&text) {
            Ok(()) => Exit::Done,
            Err(_) => Exit::Error,
        },
        _ => {
            let absent = match error.get(ContextKind::InvalidSubcommand) {
                Some(ContextValue::String(typed)) => commands::absent::instead_of(typed),
                _ => None,
            };
            let text = absent.map_or(text, |notice| diagnostic::text(&[notice], terminal::width()));
            terminal::complain(&text);
            Exit::Error
        }
    }
}

fn report_bug(panic: &PanicHookInfo<'_>) {
    let what = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    terminal::complain(&format!(
        "\ntune has a bug and had to stop: {}\n  in version {}, at {place}\n  \
         A run that was under way is in its journal; the next `tune apply` settles it.\n  \
         Please report this with the configuration that shows it.\n",
        tune_core::text::visible(what, 1000),
        env!("CARGO_PKG_VERSION"),
    ));
}
