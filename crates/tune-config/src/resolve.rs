//! From a [`Module`] to a [`Configuration`]: every expression is evaluated, in an order in which each comes after all it
//! refers to.

mod assertion;
mod block;
mod condition;
mod console;
mod content;
mod data;
mod finding;
mod host;
mod instance;
mod module;
mod output;
mod places;
mod provider;
mod resource;
mod rolling;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tune_core::problem::Code;
use tune_core::reading::Unreadable;
use tune_core::rollout::Query;
use tune_core::{Address, Value as CoreValue};

pub use assertion::{Complaint, Scene, rehearse};
pub use console::Console;
pub use data::Needs;
use module::ModuleScope;

use crate::code;
use crate::configuration::{Configuration, VariableValue};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, shown};
use crate::evaluate::{Budget, Evaluator, Scope};
use crate::live::{Evaluations, Kept};
use crate::module::{Declared, Module};
use crate::order::{self, Node};
use crate::source::{FileError, Files, Span};
use crate::syntax::ir::{Reference, Root};
use crate::value::Value;
use crate::variable::{GivenValues, Inputs};

/// How far [`resolve`] came.
#[derive(Debug)]
pub enum Resolved {
    /// Something must be read before it can go on.
    Needs(Needs),
    /// Everything has a value.
    Ready(Box<Configuration>),
}

/// What was read, by the address of the question; why not, where it could not be.
type Answers = BTreeMap<Address, Result<CoreValue, Unreadable>>;

/// Returns what the configuration asks for, or every mistake in it. A variable without a value is a mistake.
///
/// `answers` holds what was read for `data` blocks so far. As long as one that could be read is missing, the answer is
/// [`Resolved::Needs`]: it names all that can be read next, and the caller comes again with the answers to these beside
/// the ones from before. A question that could not be answered is a mistake of its block.
pub fn resolve(module: &Module<'_>, inputs: &Inputs, answers: &Answers) -> Result<Resolved, Diagnostics> {
    let (configuration, needs) = Resolution::run(module, inputs, Missing::Refused, Some(answers))?;
    Ok(needs.map_or_else(|| Resolved::Ready(Box::new(configuration)), Resolved::Needs))
}

/// Does what [`resolve`] does for as far as that is possible without values for all variables and without reading
/// anything. What depends on a missing value is checked, and left out of the answer.
pub fn check(module: &Module<'_>, inputs: &Inputs) -> Result<Configuration, Diagnostics> {
    Resolution::run(module, inputs, Missing::Unknown, None).map(|(configuration, _)| configuration)
}

/// What a variable without a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Refused,
    Unknown,
}

/// What something depends on.
#[derive(Debug, Clone, Default)]
struct Dependencies {
    /// Resource instances, with the reference that says so.
    resources: BTreeMap<Address, Span>,
    /// Instances of `data` blocks.
    data: BTreeSet<Address>,
}

struct Resolution<'a> {
    module: &'a Module<'a>,
    /// Notes which files are read.
    files: Reading<'a>,
    /// Every instance of every module, first the configuration itself.
    scopes: Vec<ModuleScope>,
    /// By place in the tree of modules, its instances.
    instances: Vec<Vec<usize>>,
    /// The instance that is evaluated now.
    at: usize,
    /// Everything in the order of evaluation.
    sorted: Vec<Node>,
    /// What was read; `None` while a configuration is only checked.
    answers: Option<&'a Answers>,
    /// Every question of which all is known.
    queries: BTreeMap<Address, Query>,
    /// Those of them that have no answer.
    unanswered: BTreeSet<Address>,
    /// Questions of which something is not known yet, with the headers of their blocks.
    waiting: BTreeMap<Address, Span>,
    live: Evaluations,
    diagnostics: Vec<Diagnostic>,
    budget: Budget,
    configuration: Configuration,
}

/// Everything around one expression.
#[derive(Clone, Copy, Default)]
struct Surroundings<'v> {
    each: Option<&'v (Value, Value)>,
    index: Option<&'v Value>,
    bound: &'v [Value],
}

impl<'a> Resolution<'a> {
    fn run(
        module: &'a Module<'a>,
        inputs: &Inputs,
        missing: Missing,
        answers: Option<&'a Answers>,
    ) -> Result<(Configuration, Option<Needs>), Diagnostics> {
        Self::evaluated(module, inputs, missing, answers).finish()
    }

    /// Evaluates everything, and keeps what is needed to evaluate more.
    fn evaluated(module: &'a Module<'a>, inputs: &Inputs, missing: Missing, answers: Option<&'a Answers>) -> Self {
        let mut sources = module.sources.clone();
        let mut digests = module.digests.clone();
        let given = GivenValues::collect(module, inputs, &mut sources, &mut digests);
        let configuration = Configuration {
            required_version: module.root().required_version.clone(),
            hosts: BTreeMap::new(),
            providers: BTreeMap::new(),
            resources: BTreeMap::new(),
            checks: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            live: Arc::new(Evaluations::default()),
            outputs: BTreeMap::new(),
            variables: BTreeMap::new(),
            files: digests,
            warnings: Diagnostics::default(),
            sources,
            places: places::places(module),
        };
        let mut resolution = Self {
            module,
            files: Reading { files: module.files, read: std::cell::RefCell::default() },
            scopes: vec![ModuleScope::root(module)],
            instances: vec![Vec::new(); module.tree.len()],
            at: 0,
            sorted: Vec::new(),
            answers,
            queries: BTreeMap::new(),
            unanswered: BTreeSet::new(),
            waiting: BTreeMap::new(),
            live: Evaluations::default(),
            diagnostics: module.diagnostics.clone(),
            budget: Budget::default(),
            configuration,
        };
        resolution.variables(&given, missing);
        resolution.diagnostics.extend(given.into_diagnostics());
        let order = order::order(module);
        resolution.instances[0].push(0);
        resolution.diagnostics.extend(order.cycles);
        let cyclic: HashSet<Node> = order.cyclic.into_iter().collect();
        resolution.sorted = order.sorted;
        for number in 0..resolution.sorted.len() {
            let node = resolution.sorted[number].clone();
            let is_cyclic = cyclic.contains(&node);
            for scope in resolution.instances[node.0].clone() {
                resolution.at = scope;
                resolution.node(&node.1, is_cyclic);
            }
            resolution.refresh(&node);
        }
        for scope in 0..resolution.scopes.len() {
            resolution.at = scope;
            resolution.validations();
            resolution.checks();
            resolution.rollouts();
        }
        resolution.at = 0;
        resolution.outputs();
        resolution
    }

    fn finish(self) -> Result<(Configuration, Option<Needs>), Diagnostics> {
        let needs = self.needs();
        let mut configuration = self.configuration;
        let read = self.files.read.into_inner();
        let digest = |bytes: &Vec<u8>| crate::function::hexadecimal(&Sha256::digest(bytes));
        configuration.files.extend(read.files.iter().map(|(name, bytes)| (name.clone(), digest(bytes))));
        configuration.live = Arc::new(Evaluations { arena: self.module.arena.clone(), files: read, ..self.live });
        let sources = configuration.sources.clone();
        let mut diagnostics = self.diagnostics;
        let evaluated = diagnostics.split_off(self.module.diagnostics.len());
        diagnostics.extend(each_once(evaluated));
        let is_wrong = diagnostics.iter().any(|mistake| mistake.severity == Severity::Error);
        if needs.is_none() && self.answers.is_some() && !is_wrong {
            // Nothing may be left out in silence, so what can never be asked is a mistake.
            diagnostics.extend(self.waiting.into_iter().map(|(address, header)| {
                let message = format!("`data.{}` cannot be asked", shown(&address.to_string()));
                Diagnostic::error(code::ANSWER, header, message, "something that it needs is never known")
            }));
        }
        let diagnostics = Diagnostics::new(diagnostics, sources);
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        configuration.warnings = diagnostics;
        Ok((configuration, needs))
    }

    fn variables(&mut self, given: &GivenValues, missing: Missing) {
        for (name, variable) in &self.module.root().variables {
            let value = match given.value(self.module, name, variable, &mut self.diagnostics) {
                Some(value) => value,
                None if missing == Missing::Unknown => {
                    Value::unknown(variable.of_type.clone()).mark(variable.sensitive)
                }
                None => {
                    let message = format!("the variable `{}` has no value", shown(name));
                    let label = "it has no default, and no value was given";
                    self.diagnostics.push(
                        Diagnostic::error(code::MISSING_VARIABLE, variable.header, message, label)
                            .help(format!("give one with `-var '{name}=…'`, or in `tune.vars.hcl`")),
                    );
                    Value::POISON
                }
            };
            if !value.has_poison() && !value.has_unknown() {
                let known = VariableValue { value: value.to_core(), sensitive: value.has_secret() };
                self.configuration.variables.insert(name.to_string(), known);
            }
            self.scopes[0].names.insert(Reference::Variable(name.clone()), value);
        }
    }

    /// Evaluates one thing in the instance of a module that is evaluated now. A part of a circle has no value, but what
    /// else is wrong in it is still looked for.
    fn node(&mut self, reference: &Reference, is_cyclic: bool) {
        if is_cyclic {
            self.names_mut().insert(reference.clone(), Value::POISON);
        }
        let value = match reference {
            Reference::Local(name) if !is_cyclic => {
                let Some(local) = self.declared().locals.get(name) else { return };
                let (value, dependencies) = self.evaluate(local.value, Surroundings::default());
                self.depend(reference, dependencies);
                value
            }
            Reference::Variable(name) if !is_cyclic => self.argument(name),
            Reference::Output(name) => return self.module_output(name, is_cyclic),
            Reference::Module(name) => return self.call(name, is_cyclic),
            _ => {
                let Some(block) = self.declared().blocks.get(reference) else { return };
                self.block(reference, block)
            }
        };
        let value = if is_cyclic { Value::POISON } else { value };
        self.names_mut().insert(reference.clone(), value);
    }

    /// Returns what the folder declares that is evaluated now.
    fn declared(&self) -> &'a Declared {
        self.module.declared(self.scope().node)
    }

    fn scope(&self) -> &ModuleScope {
        &self.scopes[self.at]
    }

    fn names(&self) -> &HashMap<Reference, Value> {
        &self.scope().names
    }

    fn names_mut(&mut self) -> &mut HashMap<Reference, Value> {
        &mut self.scopes[self.at].names
    }

    /// Returns the address of something in the instance of a module that is evaluated now.
    fn address(&self, kind: &str, name: &str) -> Address {
        Address::new(kind, name).within(&self.scope().path)
    }

    fn depend(&mut self, reference: &Reference, dependencies: Dependencies) {
        if !dependencies.is_empty() {
            self.scopes[self.at].dependencies.insert(reference.clone(), Arc::new(dependencies));
        }
    }

    /// Evaluates an expression and says which resources its value was made from.
    fn evaluate(&mut self, root: Root, surroundings: Surroundings<'_>) -> (Value, Dependencies) {
        let names = &self.scopes[self.at].names;
        let scope = Scope { names, each: surroundings.each, index: surroundings.index };
        let mut evaluator =
            Evaluator::new(&self.module.arena, &self.files, scope, &mut self.budget, &mut self.diagnostics);
        evaluator.bound = surroundings.bound.to_vec();
        let value = evaluator.evaluate(root.expr);
        let uses = std::mem::take(&mut evaluator.uses);
        let mut dependencies = Dependencies::default();
        for ((reference, picked), span) in uses {
            self.add_dependencies(&reference, picked.as_deref(), span, &mut dependencies);
        }
        (value, dependencies)
    }

    /// Adds the resources and the data that a reference means, and those that what it means was made from.
    fn add_dependencies(
        &self,
        reference: &Reference,
        picked: Option<&str>,
        span: Span,
        dependencies: &mut Dependencies,
    ) {
        if let Reference::Module(name) = reference {
            self.scope().add_outputs(name, picked, span, dependencies);
        }
        if let Some(indirect) = self.scope().dependencies.get(reference) {
            for address in indirect.resources.keys() {
                dependencies.resources.entry(address.clone()).or_insert(span);
            }
            // Of a `data` block only what was picked counts, and what it was made from.
            let own = |address: &Address| match reference {
                Reference::Data(kind, name) => self.address(kind, name).selects(address),
                _ => false,
            };
            dependencies.data.extend(indirect.data.iter().filter(|address| !own(address)).cloned());
        }
        match reference {
            Reference::Block(kind, name) => {
                let block = self.address(kind, name);
                for address in Self::instances_of(&self.configuration.resources, &block, picked) {
                    dependencies.resources.entry(address).or_insert(span);
                }
            }
            Reference::Data(kind, name) => {
                let block = self.address(kind, name);
                dependencies.data.extend(Self::instances_of(&self.queries, &block, picked));
            }
            _ => {}
        }
    }
}

/// How many mistakes one expression may have in different instances before the rest is only counted.
const MOST_OF_AN_EXPRESSION: usize = 8;

/// An expression that is evaluated for every instance of a block is still one mistake, unless what is said about it
/// differs: then each says what only one instance has to do with it.
fn each_once(evaluated: Vec<Diagnostic>) -> Vec<Diagnostic> {
    #[derive(Default)]
    struct Said {
        messages: HashSet<String>,
        last: usize,
    }
    let mut said: HashMap<(Code, Span), Said> = HashMap::new();
    let mut once: Vec<Diagnostic> = Vec::new();
    for mistake in evaluated {
        if let Some(span) = mistake.span() {
            let said = said.entry((mistake.code, span)).or_default();
            if !said.messages.insert(mistake.message.clone()) || said.messages.len() > MOST_OF_AN_EXPRESSION {
                continue;
            }
            said.last = once.len();
        }
        once.push(mistake);
    }
    for said in said.into_values().filter(|said| said.messages.len() > MOST_OF_AN_EXPRESSION) {
        let more = said.messages.len() - MOST_OF_AN_EXPRESSION;
        let label = &mut once[said.last].labels[0].text;
        *label = format!("{label}; {more} more are like it");
    }
    once
}

impl Dependencies {
    fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.data.is_empty()
    }

    fn merge(&mut self, other: Self) {
        for (address, span) in other.resources {
            self.resources.entry(address).or_insert(span);
        }
        self.data.extend(other.data);
    }
}

/// A folder that remembers what was read from it.
struct Reading<'a> {
    files: &'a dyn Files,
    read: std::cell::RefCell<Kept>,
}

impl Files for Reading<'_> {
    fn list(&self) -> Result<Vec<String>, FileError> {
        self.files.list()
    }

    fn read(&self, path: &str) -> Result<String, FileError> {
        let text = self.files.read(path)?;
        self.read.borrow_mut().files.insert(path.to_owned(), text.clone().into_bytes());
        Ok(text)
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let bytes = self.files.bytes(path)?;
        self.read.borrow_mut().files.insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }

    fn entries(&self, folder: &str) -> Result<Vec<String>, FileError> {
        let entries = self.files.entries(folder)?;
        self.read.borrow_mut().folders.insert(folder.to_owned(), entries.clone());
        Ok(entries)
    }
}
