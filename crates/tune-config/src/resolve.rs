//! From a [`Module`] to a [`Configuration`]: every expression is evaluated, in an order in which each comes after all it
//! refers to.

mod block;
mod host;
mod instance;
mod output;
mod resource;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tune_core::Address;

use crate::code;
use crate::configuration::{BlockPlaces, Configuration, Places, VariableValue};
use crate::diagnostic::{Diagnostic, Diagnostics, shown};
use crate::evaluate::{Budget, Evaluator, Scope};
use crate::module::Module;
use crate::reference;
use crate::source::{FileError, Files, Span};
use crate::syntax::ir::{Reference, Root};
use crate::value::Value;
use crate::variable::{GivenValues, Inputs};

/// Returns what the configuration asks for, or every mistake in it. A variable without a value is a mistake.
pub fn resolve(module: &Module<'_>, inputs: &Inputs) -> Result<Configuration, Diagnostics> {
    Resolution::run(module, inputs, Missing::Refused)
}

/// Does what [`resolve`] does for as far as that is possible without values for all variables. Hosts and resources that
/// depend on a missing value are checked, and left out of the answer.
pub fn check(module: &Module<'_>, inputs: &Inputs) -> Result<Configuration, Diagnostics> {
    Resolution::run(module, inputs, Missing::Unknown)
}

/// What a variable without a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Refused,
    Unknown,
}

/// Resource instances that something depends on, with the reference that says so.
type Dependencies = BTreeMap<Address, Span>;

struct Resolution<'a> {
    module: &'a Module<'a>,
    /// Notes which files are read.
    files: Reading<'a>,
    names: HashMap<Reference, Value>,
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
}

impl<'a> Resolution<'a> {
    fn run(module: &'a Module<'a>, inputs: &Inputs, missing: Missing) -> Result<Configuration, Diagnostics> {
        let mut sources = module.sources.clone();
        let mut digests = module.digests.clone();
        let given = GivenValues::collect(module, inputs, &mut sources, &mut digests);
        let configuration = Configuration {
            required_version: module.required_version.clone(),
            hosts: BTreeMap::new(),
            resources: BTreeMap::new(),
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
        for reference in order.sorted {
            resolution.node(&reference);
        }
        resolution.validations();
        resolution.outputs();
        resolution.finish()
    }

    fn finish(self) -> Result<Configuration, Diagnostics> {
        let mut configuration = self.configuration;
        configuration.files.extend(self.files.read.into_inner());
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
        Ok(configuration)
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
        if !dependencies.is_empty() {
            self.dependencies.insert(reference.clone(), Arc::new(dependencies));
        }
    }

    /// Evaluates an expression and says which resources its value was made from.
    fn evaluate(&mut self, root: Root, surroundings: Surroundings<'_>) -> (Value, Dependencies) {
        let scope = Scope { names: &self.names, each: surroundings.each, index: surroundings.index };
        let mut evaluator =
            Evaluator::new(&self.module.arena, &self.files, scope, &mut self.budget, &mut self.diagnostics);
        let value = evaluator.evaluate(root.expr);
        let uses = std::mem::take(&mut evaluator.uses);
        let mut dependencies = Dependencies::new();
        for ((reference, picked), span) in uses {
            self.add_dependencies(&reference, picked.as_deref(), span, &mut dependencies);
        }
        (value, dependencies)
    }

    /// Adds the resources that a reference means, and those that what it means was made from.
    fn add_dependencies(
        &self,
        reference: &Reference,
        picked: Option<&str>,
        span: Span,
        dependencies: &mut Dependencies,
    ) {
        if let Some(indirect) = self.dependencies.get(reference) {
            for address in indirect.keys() {
                dependencies.entry(address.clone()).or_insert(span);
            }
        }
        for address in self.instances(reference, picked) {
            dependencies.entry(address).or_insert(span);
        }
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
        let digest = crate::module::hexadecimal_digest(&text);
        self.read.borrow_mut().insert(path.to_owned(), digest);
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
    let blocks = module.blocks.iter().map(|(reference, block)| {
        let attributes = block.attributes.iter().map(|(name, it)| (name.clone(), (it.name, it.value)));
        let extra = [("depends_on", block.depends_on), ("lifecycle", block.prevent_revert.or(block.accept))];
        let extra = extra.into_iter().filter_map(|(name, it)| it.map(|it| (Arc::from(name), (it.name, it.value))));
        (reference.clone(), BlockPlaces { header: block.header, attributes: attributes.chain(extra).collect() })
    });
    Places { arena: module.arena.clone(), blocks: blocks.collect(), edges: BTreeMap::new() }
}
