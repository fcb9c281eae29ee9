//! One configuration, ready to be planned: the folder, the values of its variables, every expression evaluated.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use tune_config::{Argument, Configuration, Files, Inputs, Module, Resolved, Variable, Vocabulary};
use tune_core::contract::Kinds;
use tune_core::resource::Transport;
use tune_core::schema::KindSchema;

use crate::args::{Given, Global, VariableOptions};
use crate::exit::{Exit, Failure};
use crate::files::Folder;
use crate::kinds;
use crate::render::diagnostic::{self, Notice};
use crate::terminal;

/// How the environment names a variable of the configuration.
const VARIABLE: &str = "TUNE_VAR_";

/// A configuration without mistakes.
#[derive(Debug)]
pub(crate) struct Project {
    /// Where it lies; the state lies below it.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) configuration: Configuration,
    /// The kinds that it was read with.
    pub(crate) kinds: Kinds,
}

/// What must be known for a command to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Everything: a variable without a value is asked for, or is a mistake.
    Values,
    /// As far as it can be told without values.
    Check,
    /// As [`Need::Values`], but there may be no configuration any more: what is recorded is enough.
    Record,
}

/// Opens the folder that a command works in.
pub(crate) fn folder(global: &Global) -> Result<Folder, Failure> {
    Folder::open(&global.chdir).map_err(|error| {
        let message = format!("cannot work in `{}`", global.chdir.display());
        Failure::new(Notice { causes: vec![error.kind().to_string()], ..Notice::error(message) })
    })
}

/// Reads the configuration and evaluates it. Warnings go to standard error.
pub(crate) fn load(global: &Global, variables: &VariableOptions, need: Need) -> Result<Project, Failure> {
    let folder = folder(global)?;
    let kinds = kinds::all();
    let schemas: Vec<&KindSchema> = kinds.values().map(|kind| kind.schema()).collect();
    let empty = BTreeMap::from([("empty.tune.hcl".to_owned(), String::new())]);
    let is_configuration = |name: &String| name.ends_with(".tune.hcl");
    let is_gone = need == Need::Record && folder.list().is_ok_and(|names| !names.iter().any(is_configuration));
    let files: &dyn Files = if is_gone { &empty } else { &folder };
    let vocabulary = Vocabulary { kinds: schemas, ..Vocabulary::default() };
    let module = tune_config::load(files, &vocabulary, env!("CARGO_PKG_VERSION"));
    let mut inputs = inputs(variables)?;
    let configuration = if need == Need::Check {
        tune_config::check(&module, &inputs)?
    } else {
        if !module.has_errors() {
            ask_for_missing(&module, &mut inputs, variables.input)?;
        }
        match tune_config::resolve(&module, &inputs, &BTreeMap::new())? {
            Resolved::Ready(configuration) => *configuration,
            Resolved::Needs(needs) => {
                let names: Vec<String> = needs.queries.iter().map(|query| format!("`data.{}`", query.address)).collect();
                return Err(Failure::new(Notice::error(format!("{} cannot be read", names.join(", ")))));
            }
        }
    };
    drop(module);
    let configuration = rooted(configuration, &folder);
    let sources = &configuration.warnings.sources;
    let warnings: Vec<Notice> =
        configuration.warnings.list.iter().map(|warning| Notice::of(warning, sources)).collect();
    terminal::complain(&diagnostic::text(&warnings, terminal::width()));
    Ok(Project { path: folder.path().to_owned(), configuration, kinds })
}

/// A configuration names files relative to its own folder; ssh runs elsewhere and needs the whole path.
fn rooted(mut configuration: Configuration, folder: &Folder) -> Configuration {
    for host in configuration.hosts.values_mut() {
        if let Transport::Ssh(destination) = &mut host.transport
            && let Some(config) = &mut destination.config
        {
            *config = folder.path().join(&*config).to_string_lossy().into_owned();
        }
    }
    configuration
}

/// Collects what was given on the command line and in the environment.
fn inputs(variables: &VariableOptions) -> Result<Inputs, Failure> {
    let mut inputs = Inputs::default();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str().and_then(|name| name.strip_prefix(VARIABLE)) else { continue };
        let Ok(value) = value.into_string() else {
            return Err(Failure::new(Notice::error(format!(
                "`{VARIABLE}{name}` in the environment is not UTF-8 text"
            ))));
        };
        inputs.environment.insert(name.to_owned(), value);
    }
    let mut notices = Vec::new();
    for given in &variables.given {
        match given {
            Given::Variable(text) => match text.split_once('=') {
                Some((name, text)) => {
                    let (name, text) = (name.trim().to_owned(), text.to_owned());
                    inputs.arguments.push(Argument::Variable { name, text });
                }
                None => {
                    notices.push(Notice::error("`-var` takes a name and a value").help("write `-var 'name=value'`"));
                }
            },
            Given::File(path) => match fs::read_to_string(path) {
                Ok(text) => {
                    inputs.arguments.push(Argument::File { name: path.to_string_lossy().into_owned(), text });
                }
                Err(error) => notices.push(Notice {
                    causes: vec![error.kind().to_string()],
                    ..Notice::error(format!("cannot read the file of variables `{}`", path.display()))
                }),
            },
        }
    }
    if notices.is_empty() { Ok(inputs) } else { Err(Failure { exit: Exit::Error, notices }) }
}

/// Asks for every value that is missing, where somebody can be asked. Otherwise evaluation reports them all.
fn ask_for_missing(module: &Module<'_>, inputs: &mut Inputs, may_ask: bool) -> Result<(), Failure> {
    if !may_ask || !terminal::can_ask() {
        return Ok(());
    }
    for variable in module.missing(inputs) {
        let question = question(&variable);
        let answer = if variable.sensitive { terminal::ask_secretly(&question) } else { terminal::ask(&question) }?;
        let Some(answer) = answer else {
            let message = format!("no value was given for `{}`", variable.name);
            return Err(Failure::new(Notice::error(message)));
        };
        inputs.answers.insert(variable.name, answer);
    }
    Ok(())
}

fn question(variable: &Variable) -> String {
    let safe = |text: &str| tune_core::text::visible(text, 500);
    let description = variable.description.as_deref().map(|text| format!("  {}\n", safe(text))).unwrap_or_default();
    let hidden = if variable.sensitive { ", not shown while you type" } else { "" };
    format!("var.{} ({}{hidden})\n{description}  Value: ", safe(&variable.name), safe(&variable.of_type))
}
