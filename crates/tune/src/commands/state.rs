//! `tune state`: what is recorded, as a thing of its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use tune_core::Address;
use tune_core::state::State as Recorded;
use tune_engine::store::Holder;
use tune_engine::store::local::{self, Export};
use tune_engine::{Clock as _, SystemClock};

use crate::args::{Global, VariableOptions};
use crate::exit::{Exit, Failure};
use crate::kinds;
use crate::progress::Progress;
use crate::project::{self, Need};
use crate::render::diagnostic::{self, Notice};
use crate::render::{originals, recorded};
use crate::session;
use crate::terminal::{self, Stream};

/// Makes, lists, shows, exports, imports or forgets what is recorded.
#[derive(Debug, Subcommand)]
pub(crate) enum State {
    Init(Init),
    List(List),
    Show(Show),
    Export(ExportState),
    Import(Import),
    Rm(Remove),
}

/// Makes the state where there is none yet, and its key, so that a plan can be saved before the first apply.
#[derive(Debug, Args)]
pub(crate) struct Init {}

/// Lists the addresses of all managed resources.
#[derive(Debug, Args)]
pub(crate) struct List {}

/// Shows what is recorded for resources, with what was there before.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Resources; an address without a key means all instances.
    #[arg(required = true)]
    addresses: Vec<Address>,
}

/// Prints the whole state as JSON, in the form that `state import` takes.
#[derive(Debug, Args)]
pub(crate) struct ExportState {}

/// Replaces the state: by an export, or by what the hosts' own ledgers say after the state was lost.
#[derive(Debug, Args)]
#[group(id = "source", required = true)]
pub(crate) struct Import {
    /// A file that `state export` printed.
    #[arg(group = "source")]
    file: Option<PathBuf>,

    /// Rebuilds the state from the ledgers of the configuration's hosts.
    #[arg(long, group = "source")]
    from_hosts: bool,

    /// Which state to rebuild, where the hosts carry ledgers of several.
    #[arg(long, value_name = "ID", requires = "from_hosts")]
    lineage: Option<String>,

    #[command(flatten)]
    variables: VariableOptions,
}

/// Forgets resources without touching their live values; prints the originals as HCL first.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Resources; an address without a key means all instances.
    #[arg(required = true)]
    addresses: Vec<Address>,
}

impl State {
    pub(crate) fn run(&self, global: &Global) -> Result<Exit, Failure> {
        match self {
            Self::Init(_) => init(global),
            Self::List(_) => list(global),
            Self::Show(show) => show.run(global),
            Self::Export(_) => export(global),
            Self::Import(import) => import.run(global),
            Self::Rm(remove) => remove.run(global),
        }
    }
}

fn init(global: &Global) -> Result<Exit, Failure> {
    let folder = project::folder(global)?;
    drop(session::open_store(folder.path(), "state init", global)?);
    terminal::print("The state is there, with its key. Plans can be saved with `tune plan -out=FILE`.\n")?;
    Ok(Exit::Done)
}

fn list(global: &Global) -> Result<Exit, Failure> {
    let export = session::read_export(project::folder(global)?.path())?;
    let mut lines = String::new();
    for address in export.state.resources.keys() {
        lines.push_str(&address.to_string());
        lines.push('\n');
    }
    terminal::print(&lines)?;
    Ok(Exit::Done)
}

fn export(global: &Global) -> Result<Exit, Failure> {
    let export = session::read_export(project::folder(global)?.path())?;
    terminal::print(&local::print_export(&export))?;
    Ok(Exit::Done)
}

impl Show {
    fn run(&self, global: &Global) -> Result<Exit, Failure> {
        let mut state = session::read_export(project::folder(global)?.path())?.state;
        let chosen: BTreeSet<Address> = chosen(&state, &self.addresses)?.into_iter().collect();
        state.items.retain(|_, record| chosen.contains(&record.owner));
        terminal::print(&recorded::text(&state, &kinds::all(), terminal::width()))?;
        Ok(Exit::Done)
    }
}

impl Import {
    fn run(&self, global: &Global) -> Result<Exit, Failure> {
        let (path, export) = match &self.file {
            Some(file) => {
                let text = fs::read_to_string(file).map_err(|error| {
                    let message = format!("cannot read `{}`", file.display());
                    Failure::new(Notice { causes: vec![error.kind().to_string()], ..Notice::error(message) })
                })?;
                (project::folder(global)?.path().to_owned(), local::parse_export(file, &text)?)
            }
            None => self.rebuild(global)?,
        };
        let holder = Holder::this_process("state import", SystemClock.now());
        let warnings = local::import(&path, &holder, global.lock_timeout, &export)?;
        let warnings: Vec<Notice> = warnings.into_iter().map(Notice::warning).collect();
        terminal::complain(&diagnostic::text(&warnings, terminal::width()));
        let (resources, items) = (export.state.resources.len(), export.state.items.len());
        terminal::print(&format!("Imported: {resources} resources with {items} recorded values.\n"))?;
        Ok(Exit::Done)
    }

    fn rebuild(&self, global: &Global) -> Result<(PathBuf, Export), Failure> {
        let session = session::begin(global);
        let progress = Progress::on(Stream::Error);
        session::block_on(async {
            let result = async {
                let project = project::load(&session, global, &self.variables, Need::Values, &progress).await?;
                let hosts = &project.configuration.hosts;
                let rebuilt = session.engine.rebuild(hosts, self.lineage.as_deref(), &progress).await?;
                Ok((project.path, Export { state: rebuilt, runs: Vec::new(), open_run: None }))
            };
            let result = result.await;
            progress.clear();
            session::close(&session.engine).await;
            result
        })
    }
}

impl Remove {
    fn run(&self, global: &Global) -> Result<Exit, Failure> {
        let path = project::folder(global)?.path().to_owned();
        let state = session::read_export(&path)?.state;
        let addresses = chosen(&state, &self.addresses)?;
        let kinds = kinds::all();
        // What cannot be got back any more must be on the screen before it is forgotten.
        terminal::print(&originals::hcl(&state, &addresses, &kinds))?;
        let mut store = session::open_store(&path, "state rm", global)?;
        let session = session::begin(global);
        let progress = Progress::on(Stream::Error);
        let forgotten = session::block_on(async {
            let forgotten = session.engine.forget(&mut store, &addresses, &session::by(), &progress).await;
            progress.clear();
            session::close(&session.engine).await;
            Ok(forgotten?)
        })?;
        let warnings: Vec<Notice> = forgotten.warnings.into_iter().map(Notice::warning).collect();
        terminal::complain(&diagnostic::text(&warnings, terminal::width()));
        let ended = forgotten.ended_run.map(|run| format!(" Run {run} waited for nothing else and is ended."));
        let count = forgotten.items.len();
        let values = if count == 1 { "value is" } else { "values are" };
        let ended = ended.unwrap_or_default();
        terminal::print(&format!(
            "\nForgotten: {count} recorded {values} not managed any more; nothing was changed.{ended}\n"
        ))?;
        Ok(Exit::Done)
    }
}

/// Returns the recorded resources that the addresses select, or the first address that selects none.
fn chosen(state: &Recorded, addresses: &[Address]) -> Result<Vec<Address>, Failure> {
    let mut chosen = BTreeSet::new();
    for wanted in addresses {
        let selected: Vec<&Address> = state.resources.keys().filter(|address| wanted.selects(address)).collect();
        if selected.is_empty() {
            let notice = Notice::error(format!("`{wanted}` is not in the state"));
            return Err(Failure::new(notice.help("`tune state list` prints what is")));
        }
        chosen.extend(selected.into_iter().cloned());
    }
    Ok(chosen.into_iter().collect())
}
