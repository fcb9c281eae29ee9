//! The command line as a whole: what can be said before every command, and the commands. Each command's own options
//! stand in its own file; their doc comments are the help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand};
use tune_core::Address;

use crate::commands;

/// Tunes infrastructure that already exists, proves that the change took effect, and puts back what was there before.
///
/// Reads `*.tune.hcl` in the current folder, compares it with the live hosts, shows a plan, applies it, and records the
/// prior value of everything it touches. `tune destroy` puts it all back.
///
/// Every long option may be written with one dash or two.
#[derive(Debug, Parser)]
#[command(
    name = "tune",
    version,
    propagate_version = false,
    disable_help_subcommand = true,
    infer_long_args = false,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Works in this folder instead of the current one.
    #[arg(long, global = true, value_name = "DIR", default_value = ".", hide_default_value = true)]
    pub(crate) chdir: PathBuf,

    /// Works on at most this many hosts side by side.
    #[arg(long, global = true, value_name = "N", default_value_t = 10, value_parser = parse_parallelism)]
    pub(crate) parallelism: usize,

    /// Waits this long for a state that somebody else has locked, for example `30s` or `5m`.
    #[arg(long, global = true, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    pub(crate) lock_timeout: Duration,

    /// Prints without colours, as `NO_COLOR` does.
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(commands::check::Check),
    Fmt(commands::fmt::Fmt),
    Validate(commands::validate::Validate),
    Test(commands::test::Test),
    Graph(commands::graph::Graph),
    Console(commands::console::Console),
    Plan(commands::plan::Plan),
    Apply(commands::apply::Apply),
    Destroy(commands::destroy::Destroy),
    Rollback(commands::rollback::Rollback),
    History(commands::history::History),
    Show(commands::show::Show),
    #[command(subcommand)]
    State(commands::state::State),
    Unlock(commands::unlock::Unlock),
    Schema(commands::schema::Schema),
    Explain(commands::explain::Explain),
    Completions(commands::completions::Completions),
    Version(commands::version::Version),
}

impl Command {
    /// Returns whether the command may write to a host or to the state.
    pub(crate) fn writes(&self) -> bool {
        matches!(self, Self::Apply(_) | Self::Destroy(_) | Self::Rollback(_) | Self::State(_))
    }
}

/// Values for the configuration's variables, in the order of the command line.
#[derive(Debug)]
pub(crate) struct VariableOptions {
    /// Every `-var` and `-var-file`.
    pub(crate) given: Vec<Given>,
    /// Whether a person may be asked for what is missing.
    pub(crate) input: bool,
}

/// One `-var` or `-var-file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Given {
    /// `-var NAME=VALUE`.
    Variable(String),
    /// `-var-file FILE`.
    File(PathBuf),
}

/// The options as clap knows them: it keeps values by name, and their order has to be put together again.
#[derive(Debug, Args)]
#[command(next_help_heading = "Variables")]
struct TypedVariables {
    /// Gives a variable a value; may be repeated, and the last one wins.
    #[arg(long, value_name = "NAME=VALUE", action = ArgAction::Append)]
    var: Vec<String>,

    /// Takes values from a file; may be repeated.
    #[arg(long, value_name = "FILE", action = ArgAction::Append)]
    var_file: Vec<PathBuf>,

    /// Whether a person may be asked for missing values; `TUNE_INPUT=0` says no as well.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    input: bool,
}

impl FromArgMatches for VariableOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let typed = TypedVariables::from_arg_matches(matches)?;
        let places = |name: &str| matches.indices_of(name).into_iter().flatten();
        let variables = places("var").zip(typed.var.into_iter().map(Given::Variable));
        let files = places("var_file").zip(typed.var_file.into_iter().map(Given::File));
        let mut given: Vec<(usize, Given)> = variables.chain(files).collect();
        given.sort_by_key(|(place, _)| *place);
        let asks = std::env::var_os("TUNE_INPUT").is_none_or(|value| value != "0" && value != "false");
        Ok(Self { given: given.into_iter().map(|(_, given)| given).collect(), input: typed.input && asks })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for VariableOptions {
    fn augment_args(command: clap::Command) -> clap::Command {
        TypedVariables::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        TypedVariables::augment_args_for_update(command)
    }
}

/// Which part of everything is meant.
#[derive(Debug, Args, Default)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectionOptions {
    /// Only this resource and what it depends on; may be repeated. An address without a key means all instances.
    #[arg(long, value_name = "ADDRESS", action = ArgAction::Append)]
    pub(crate) target: Vec<Address>,

    /// Not this resource, nor what depends on it; may be repeated.
    #[arg(long, value_name = "ADDRESS", action = ArgAction::Append)]
    pub(crate) exclude: Vec<Address>,

    /// No rollout waits for this check, for example `check.etcd`; may be repeated.
    #[arg(long, value_name = "CHECK", action = ArgAction::Append)]
    pub(crate) skip_gate: Vec<Address>,

    /// Lets the machine that runs tune be interrupted, last of all.
    #[arg(long)]
    pub(crate) allow_self: bool,
}

/// How patient a run is.
#[derive(Debug, Args)]
pub(crate) struct PatienceOptions {
    /// Sits through a rest between two batches that is no longer than this; for a longer one the run is paused, and the
    /// next apply goes on.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = parse_duration)]
    pub(crate) wait: Duration,
}

fn parse_parallelism(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("nothing could be done with 0; the least is 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("write a whole number, for example 10".to_owned()),
    }
}

/// Reads `30s`, `5m`, `1h30m` or a plain number of seconds.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a time such as `30s`, `5m` or `1h30m`".to_owned();
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut seconds = 0_u64;
    let mut rest = text;
    while let Some(end) = rest.find(|c: char| !c.is_ascii_digit()) {
        let number: u64 = rest[..end].parse().map_err(|_| wrong())?;
        let unit = match rest[end..].chars().next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            _ => return Err(wrong()),
        };
        seconds = number.checked_mul(unit).and_then(|more| seconds.checked_add(more)).ok_or_else(wrong)?;
        rest = &rest[end + 1..];
    }
    if rest.is_empty() && !text.is_empty() { Ok(Duration::from_secs(seconds)) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn variables_keep_the_order_of_the_command_line() {
        let typed = ["tune", "plan", "--var", "a=1", "--var-file=f", "--var=a=2", "--input=false"];
        let arguments = Arguments::try_parse_from(typed).unwrap();
        let Command::Plan(plan) = arguments.command else { panic!("another command") };
        let text = |value: &str| Given::Variable(value.to_owned());
        assert_eq!(plan.variables.given, [text("a=1"), Given::File("f".into()), text("a=2")]);
        assert!(!plan.variables.input);
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(parse_duration(text).ok(), expect.map(Duration::from_secs), "{text}");
        };
        check("0s", Some(0));
        check("45", Some(45));
        check("1h30m", Some(5400));
        check("5m", Some(300));
        for wrong in ["", "s", "5x", "1m30", "-5s", "99999999999999999999h"] {
            check(wrong, None);
        }
    }
}
