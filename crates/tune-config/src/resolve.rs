//! From a [`Module`] to a [`Configuration`]: every expression is evaluated, in an order in which each comes after all it
//! refers to.

mod block;
mod condition;
mod content;
mod data;
mod host;
mod instance;
mod output;
mod provider;
mod resource;
mod rolling;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tune_core::reading::Unreadable;
use tune_core::rollout::Query;
use tune_core::{Address, Value as CoreValue};

pub use data::Needs;

use crate::code;
use crate::configuration::{BlockPlaces, Configuration, ContentPlaces, NestedLabel, Places, VariableValue};
use crate::diagnostic::{Diagnostic, Diagnostics, shown};
use crate::evaluate::{Budget, Evaluator, Scope};
use crate::live::Evaluations;
use crate::module::{Content, Module};
use crate::reference;
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
    names: HashMap<Reference, Value>,
    /// Local values and blocks, each after all it refers to.
    sorted: Vec<Reference>,
    /// What was read; `None` while a configuration is only checked.
    answers: Option<&'a Answers>,
    /// Every question of which all is known.
    queries: BTreeMap<Address, Query>,
    /// Those of them that have no answer.
    unanswered: BTreeSet<Address>,
    live: Evaluations,
    /// What local values and blocks depend on in turn; those that depend on nothing are left out.
    dependencies: HashMap<Reference, Arc<Dependencies>>,
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
        let mut sources = module.sources.clone();
        let mut digests = module.digests.clone();
        let given = GivenValues::collect(module, inputs, &mut sources, &mut digests);
        let configuration = Configuration {
            required_version: module.required_version.clone(),
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
            places: places(module),
        };
        let mut resolution = Self {
            module,
            files: Reading { files: module.files, read: std::cell::RefCell::default() },
            names: HashMap::new(),
            sorted: Vec::new(),
            answers,
            queries: BTreeMap::new(),
            unanswered: BTreeSet::new(),
            live: Evaluations::default(),
            dependencies: HashMap::new(),
            diagnostics: module.diagnostics.clone(),
            budget: Budget::default(),
            configuration,
        };
        resolution.variables(&given, missing);
        resolution.diagnostics.extend(given.into_diagnostics());
        let order = reference::order(module);
        resolution.diagnostics.extend(order.cycles);
        resolution.names.extend(order.cyclic.into_iter().map(|reference| (reference, Value::POISON)));
        resolution.sorted = order.sorted;
        for at in 0..resolution.sorted.len() {
            let reference = resolution.sorted[at].clone();
            resolution.node(&reference);
        }
        resolution.validations();
        resolution.outputs();
        resolution.checks();
        resolution.rollouts();
        resolution.finish()
    }

    fn finish(self) -> Result<(Configuration, Option<Needs>), Diagnostics> {
        let needs = self.needs();
        let mut configuration = self.configuration;
        let read = self.files.read.into_inner();
        let digests = read.iter().map(|(name, text)| (name.clone(), crate::module::hexadecimal_digest(text)));
        configuration.files.extend(digests);
        configuration.live = Arc::new(Evaluations { arena: self.module.arena.clone(), files: read, ..self.live });
        let sources = configuration.sources.clone();
        // An expression that is evaluated for every instance of a block is still one mistake.
        let mut diagnostics = self.diagnostics;
        let mut evaluated = diagnostics.split_off(self.module.diagnostics.len());
        let mut seen = HashSet::new();
        evaluated.retain(|mistake| mistake.span().is_none() || seen.insert((mistake.code, mistake.span())));
        diagnostics.append(&mut evaluated);
        let diagnostics = Diagnostics::new(diagnostics, sources);
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        configuration.warnings = diagnostics;
        Ok((configuration, needs))
    }

    fn variables(&mut self, given: &GivenValues, missing: Missing) {
        for (name, variable) in &self.module.variables {
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
            self.names.insert(Reference::Variable(name.clone()), value);
        }
    }

    fn node(&mut self, reference: &Reference) {
        if self.names.contains_key(reference) {
            // A part of a circle: it has no value, but what else is wrong in it is still looked for.
            if let Some(block) = self.module.blocks.get(reference) {
                self.block(reference, block);
                self.names.insert(reference.clone(), Value::POISON);
            }
            return;
        }
        let value = if let Reference::Local(name) = reference {
            let Some(local) = self.module.locals.get(name) else { return };
            let (value, dependencies) = self.evaluate(local.value, Surroundings::default());
            self.depend(reference, dependencies);
            value
        } else {
            let Some(block) = self.module.blocks.get(reference) else { return };
            self.block(reference, block)
        };
        self.names.insert(reference.clone(), value);
    }

    fn depend(&mut self, reference: &Reference, dependencies: Dependencies) {
        if !dependencies.resources.is_empty() || !dependencies.data.is_empty() {
            self.dependencies.insert(reference.clone(), Arc::new(dependencies));
        }
    }

    /// Evaluates an expression and says which resources its value was made from.
    fn evaluate(&mut self, root: Root, surroundings: Surroundings<'_>) -> (Value, Dependencies) {
        let scope = Scope { names: &self.names, each: surroundings.each, index: surroundings.index };
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
        if let Some(indirect) = self.dependencies.get(reference) {
            for address in indirect.resources.keys() {
                dependencies.resources.entry(address.clone()).or_insert(span);
            }
            // Of a `data` block only what was picked counts, and what it was made from.
            let own = |address: &Address| match reference {
                Reference::Data(kind, name) => address.kind == **kind && address.name == **name,
                _ => false,
            };
            dependencies.data.extend(indirect.data.iter().filter(|address| !own(address)).cloned());
        }
        match reference {
            Reference::Block(kind, name) => {
                for address in Self::instances(&self.configuration.resources, (kind, name), picked) {
                    dependencies.resources.entry(address).or_insert(span);
                }
            }
            Reference::Data(kind, name) => {
                dependencies.data.extend(Self::instances(&self.queries, (kind, name), picked));
            }
            _ => {}
        }
    }
}

impl Dependencies {
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
    read: std::cell::RefCell<BTreeMap<String, String>>,
}

impl Files for Reading<'_> {
    fn list(&self) -> Result<Vec<String>, FileError> {
        self.files.list()
    }

    fn read(&self, path: &str) -> Result<String, FileError> {
        let text = self.files.read(path)?;
        self.read.borrow_mut().insert(path.to_owned(), text.clone());
        Ok(text)
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let bytes = self.files.bytes(path)?;
        let digest = crate::function::hexadecimal(&Sha256::digest(&bytes));
        self.read.borrow_mut().insert(path.to_owned(), digest);
        Ok(bytes)
    }

    fn entries(&self, folder: &str) -> Result<Vec<String>, FileError> {
        self.files.entries(folder)
    }
}

fn places(module: &Module<'_>) -> Places {
    let mut blocks: BTreeMap<Reference, BlockPlaces> = BTreeMap::new();
    for (reference, block) in &module.blocks {
        let mut content = content_places(&block.content);
        let lifecycle = block.lifecycle.prevent_revert.or(block.lifecycle.accept);
        let extra = [("depends_on", block.depends_on), ("lifecycle", lifecycle)];
        let extra = extra.into_iter().filter_map(|(name, it)| it.map(|it| (Arc::from(name), (it.name, it.value))));
        content.attributes.extend(extra);
        blocks.insert(reference.clone(), BlockPlaces { header: block.header, content });
    }
    for (name, rollout) in &module.rollouts {
        let attributes = rollout.attributes.iter().map(|(name, it)| (name.clone(), (it.name, it.value))).collect();
        let content = ContentPlaces { attributes, ..ContentPlaces::default() };
        blocks
            .insert(Reference::Block("rollout".into(), name.clone()), BlockPlaces { header: rollout.header, content });
    }
    let mut probes = BTreeMap::new();
    for (name, check) in &module.checks {
        let content = ContentPlaces::default();
        blocks.insert(Reference::Block("check".into(), name.clone()), BlockPlaces { header: check.header, content });
        let places = check.probes.iter().map(|probe| {
            let places = BlockPlaces { header: probe.header, content: content_places(&probe.content) };
            (Address::new(&probe.kind, &probe.name), places)
        });
        probes.insert(Address::new("check", name), places.collect());
    }
    Places { arena: module.arena.clone(), blocks, probes, edges: BTreeMap::new() }
}

fn content_places(content: &Content) -> ContentPlaces {
    let attributes = content.attributes.iter().map(|(name, it)| (name.clone(), (it.name, it.value))).collect();
    let blocks = content.blocks.iter().map(|(name, blocks)| {
        let places = blocks.iter().map(|block| {
            let label = block.label.as_ref().map(|(label, _)| label.clone());
            let label = if block.dynamic.is_some() {
                NestedLabel::Any
            } else {
                label.map_or(NestedLabel::None, NestedLabel::Is)
            };
            (label, BlockPlaces { header: block.header, content: content_places(&block.content) })
        });
        (name.clone(), places.collect())
    });
    ContentPlaces { attributes, blocks: blocks.collect() }
}
