//! One configuration, ready to be planned: the folder, the values of its variables, every expression evaluated.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use tune_config::{
    Argument, Configuration, Console, Files, Inputs, Module, Resolved, SourceSchema, Variable, Vocabulary,
};
use tune_core::Address;
use tune_core::contract::Kinds;
use tune_core::resource::{Host, Transport};
use tune_core::source::{Source, Sources};
use tune_engine::Watch;

use crate::args::{Given, Global, VariableOptions};
use crate::exit::{Exit, Failure};
use crate::files::Folder;
use crate::kinds;
use crate::render::diagnostic::{self, Notice};
use crate::router;
use crate::session::{self, Session};
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
    /// The sources that it was read with.
    pub(crate) sources: Sources,
}

/// What must be known for a command to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Everything: a variable without a value is asked for, or is a mistake.
    Values,
    /// The same, but there may be no configuration any more: what is recorded is enough.
    Record,
}

/// How the names of files of tests end.
pub(crate) const TEST_ENDING: &str = ".tunetest.hcl";

/// Returns the names of the files of tests beside the configuration and in a folder below it, sorted.
pub(crate) fn tests(folder: &Folder, directory: &str) -> Vec<String> {
    let is_test = |name: &String| name.ends_with(TEST_ENDING) && !name.starts_with('.');
    let below = directory.trim_end_matches('/').trim_start_matches("./");
    let beside = folder.list().unwrap_or_default().into_iter().filter(is_test);
    let inside = folder.entries(below).unwrap_or_default().into_iter().filter(is_test);
    let mut names: Vec<String> = beside.chain(inside.map(|name| format!("{below}/{name}"))).collect();
    names.sort();
    names.dedup();
    names
}

/// Opens the folder that a command works in.
pub(crate) fn folder(global: &Global) -> Result<Folder, Failure> {
    Folder::open(&global.chdir).map_err(|error| {
        let message = format!("cannot work in `{}`", global.chdir.display());
        Failure::new(Notice { causes: vec![error.kind().to_string()], ..Notice::error(message) })
    })
}

/// Reads the configuration and evaluates it, without looking at any host and without values for all variables. Warnings
/// go to standard error.
///
/// Files of tests beside it and in this folder are checked with it.
pub(crate) fn check(global: &Global, variables: &VariableOptions, tests_in: Option<&str>) -> Result<Project, Failure> {
    let folder = folder(global)?;
    let words = Words::of(&folder);
    let mut module = tune_config::load(&folder, &words.vocabulary(), env!("CARGO_PKG_VERSION"));
    if let Some(directory) = tests_in {
        module.add_tests(&tests(&folder, directory));
    }
    let configuration = tune_config::check(&module, &inputs(variables)?)?;
    drop(module);
    words.project(configuration, &folder)
}

/// Reads the configuration, evaluates it as [`check`] does, and lets `work` evaluate more in it.
pub(crate) fn console(
    global: &Global,
    variables: &VariableOptions,
    work: impl FnOnce(&Console<'_>) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let folder = folder(global)?;
    let words = Words::of(&folder);
    let module = tune_config::load(&folder, &words.vocabulary(), env!("CARGO_PKG_VERSION"));
    let console = Console::new(&module, &inputs(variables)?)?;
    work(&console)
}

/// Reads the configuration and evaluates it, with what its `data` blocks ask. Warnings go to standard error.
pub(crate) async fn load(
    session: &Session,
    global: &Global,
    variables: &VariableOptions,
    need: Need,
    watch: &dyn Watch,
) -> Result<Project, Failure> {
    let folder = folder(global)?;
    let words = Words::of(&folder);
    let empty = BTreeMap::from([("empty.tune.hcl".to_owned(), String::new())]);
    let is_configuration = |name: &String| name.ends_with(".tune.hcl");
    let is_gone = need == Need::Record && folder.list().is_ok_and(|names| !names.iter().any(is_configuration));
    let files: &dyn Files = if is_gone { &empty } else { &folder };
    let module = tune_config::load(files, &words.vocabulary(), env!("CARGO_PKG_VERSION"));
    let mut inputs = inputs(variables)?;
    if !module.has_errors() {
        ask_for_missing(&module, &mut inputs, variables.input)?;
    }
    let mut answers = BTreeMap::new();
    let configuration = loop {
        let needs = match tune_config::resolve(&module, &inputs, &answers)? {
            Resolved::Ready(configuration) => break *configuration,
            Resolved::Needs(needs) => needs,
        };
        let mut hosts = needs.hosts;
        root(&mut hosts, &folder);
        hosts.extend(router::apis(&needs.providers));
        // Where its block stands is said when everything has a value.
        let _ = session.router.configure(&needs.providers, folder.path());
        let looked = session::look(&session.engine, &words.sources, &needs.queries, &hosts, watch).await?;
        if let Some(recorder) = &session.recorder {
            recorder.note(&words.sources, &needs.queries, &looked);
        }
        answers.extend(looked);
    };
    drop(module);
    let mut project = words.project(configuration, &folder)?;
    let providers = &project.configuration.providers;
    if let Err(mistakes) = session.router.configure(providers, folder.path()) {
        let notices = diagnostic::of_mistakes(&mistakes, &project.configuration);
        return Err(Failure { exit: Exit::Error, notices });
    }
    let apis = router::apis(providers);
    project.configuration.hosts.extend(apis);
    Ok(project)
}

impl Project {
    /// Returns what is probably not meant so.
    pub(crate) fn warnings(&self) -> Vec<Notice> {
        let warnings = &self.configuration.warnings;
        warnings.list.iter().map(|warning| Notice::of(warning, &warnings.sources)).collect()
    }
}

/// What a configuration in a folder may name.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    pub(crate) kinds: Kinds,
    pub(crate) sources: Sources,
}

impl Words {
    pub(crate) fn of(folder: &Folder) -> Self {
        Self { kinds: kinds::all(), sources: kinds::sources(folder.path()) }
    }

    pub(crate) fn vocabulary(&self) -> Vocabulary<'_> {
        Vocabulary {
            kinds: self.kinds.values().map(|kind| kind.schema()).collect(),
            sources: self.sources.values().map(|source| source_schema(&**source)).collect(),
            providers: kinds::providers(),
        }
    }

    /// Checks what only the sources know, and says what is probably not meant so.
    fn project(self, configuration: Configuration, folder: &Folder) -> Result<Project, Failure> {
        let project = self.quietly(configuration, folder)?;
        terminal::complain(&diagnostic::text(&project.warnings(), terminal::width()));
        Ok(project)
    }

    /// Checks what only the sources know.
    pub(crate) fn quietly(self, mut configuration: Configuration, folder: &Folder) -> Result<Project, Failure> {
        root(&mut configuration.hosts, folder);
        let notices = self.mistakes(&configuration);
        if !notices.is_empty() {
            return Err(Failure { exit: Exit::Error, notices });
        }
        let path = folder.path().to_owned();
        Ok(Project { path, configuration, kinds: self.kinds, sources: self.sources })
    }

    /// What is wrong in the attributes of probes.
    fn mistakes(&self, configuration: &Configuration) -> Vec<Notice> {
        let mut notices = Vec::new();
        for check in configuration.checks.values() {
            for probe in &check.probes {
                let Some(source) = self.sources.get(probe.address.kind.as_str()) else { continue };
                let problems = source.check(&probe.attributes).into_iter();
                notices.extend(problems.map(|problem| {
                    let span = configuration.probe_span(&check.address, &probe.address, &problem.path);
                    Notice::of_problem(&problem, span, configuration)
                }));
            }
        }
        notices
    }
}

pub(crate) fn source_schema(source: &dyn Source) -> SourceSchema<'_> {
    SourceSchema { schema: source.schema(), answer: source.answer(), usable: source.usable() }
}

/// A configuration names files relative to its own folder; ssh runs elsewhere and needs the whole path.
fn root(hosts: &mut BTreeMap<Address, Host>, folder: &Folder) {
    for host in hosts.values_mut() {
        if let Transport::Ssh(destination) = &mut host.transport
            && let Some(config) = &mut destination.config
        {
            *config = folder.path().join(&*config).to_string_lossy().into_owned();
        }
    }
}

/// Collects what was given on the command line and in the environment.
pub(crate) fn inputs(variables: &VariableOptions) -> Result<Inputs, Failure> {
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
