//! Modules: the instances of a call, the values that go in, and the values that come out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tune_core::{Address, InstanceKey, ModuleStep};

use super::instance::{Instance, Instances};
use super::{Dependencies, Resolution, Surroundings};
use crate::code;
use crate::convert::convert;
use crate::diagnostic::{Diagnostic, shown};
use crate::module::{Module, VariableBlock};
use crate::order::Node;
use crate::source::Span;
use crate::syntax::body::Attribute;
use crate::syntax::ir::Reference;
use crate::value::{Entries, Value};

/// More instances of modules than this are taken for a mistake.
const MAX_SCOPES: usize = 100_000;

/// One instance of a module, or the configuration itself.
pub(super) struct ModuleScope {
    /// Its place in the tree of modules.
    pub node: usize,
    /// Its address.
    pub path: Vec<ModuleStep>,
    /// Whether it is known that there is such an instance.
    pub is_certain: bool,
    parent: usize,
    /// What `each` and `count` are in the block that calls it.
    instance: Instance,
    /// What everything in it depends on.
    pub inherited: Dependencies,
    pub names: HashMap<Reference, Value>,
    /// What local values, blocks and variables depend on in turn; those that depend on nothing are left out.
    pub dependencies: HashMap<Reference, Arc<Dependencies>>,
    outputs: Entries,
    output_dependencies: BTreeMap<Arc<str>, Dependencies>,
    calls: BTreeMap<Arc<str>, Called>,
}

/// The instances of one call.
struct Called {
    shape: Shape,
    scopes: Vec<usize>,
    /// By the first name after the module, an output or an instance, what it depends on.
    dependencies: BTreeMap<Arc<str>, Dependencies>,
}

enum Shape {
    Once,
    List,
    Map,
    /// How many there are is not known.
    Uncertain(Value),
}

impl ModuleScope {
    pub(super) fn root(module: &Module<'_>) -> Self {
        Self::new(module, 0, 0, (Instance::single(), Vec::new(), true), Dependencies::default())
    }

    fn new(
        module: &Module<'_>,
        node: usize,
        parent: usize,
        (instance, path, is_certain): (Instance, Vec<ModuleStep>, bool),
        inherited: Dependencies,
    ) -> Self {
        let folder = |path: &str| Value::string(if path.is_empty() { "." } else { path });
        let paths = [("module", folder(&module.declared(node).path)), ("root", folder(""))];
        Self {
            node,
            path,
            is_certain,
            parent,
            instance,
            inherited,
            names: paths.into_iter().map(|(name, value)| (Reference::Path(name.into()), value)).collect(),
            dependencies: HashMap::new(),
            outputs: Entries::new(),
            output_dependencies: BTreeMap::new(),
            calls: BTreeMap::new(),
        }
    }

    /// Adds what the outputs of a module were made from: of the one that was picked, or of all.
    pub(super) fn add_outputs(&self, call: &str, picked: Option<&str>, span: Span, to: &mut Dependencies) {
        let Some(called) = self.calls.get(call) else { return };
        let picked = picked.and_then(|picked| called.dependencies.get(picked));
        let all = called.dependencies.values().filter(|_| picked.is_none());
        for dependencies in picked.into_iter().chain(all) {
            for address in dependencies.resources.keys() {
                to.resources.entry(address.clone()).or_insert(span);
            }
            to.data.extend(dependencies.data.iter().cloned());
        }
    }
}

impl Resolution<'_> {
    /// Makes the instances of a module that a block calls.
    pub(super) fn call(&mut self, name: &Arc<str>, is_cyclic: bool) {
        let module = self.module;
        let (at, node) = (self.at, self.scope().node);
        let Some(call) = self.declared().calls.get(name) else { return };
        let (instances, mut inherited) = self.expand(&call.block);
        if let Some(attribute) = call.block.depends_on {
            self.depends_on(attribute, &Instance::single(), &mut inherited);
        }
        inherited.merge(self.scope().inherited.clone());
        let child = module.tree[node].children.get(name).copied();
        let (shape, instances) = match instances {
            _ if is_cyclic || child.is_none() => (Shape::Uncertain(Value::POISON), Vec::new()),
            Instances::Once(instance) => (Shape::Once, vec![instance]),
            Instances::List(instances) => (Shape::List, instances),
            Instances::Map(instances) => (Shape::Map, instances),
            Instances::Uncertain(instance, value) => (Shape::Uncertain(value), vec![instance]),
        };
        let is_certain = self.scope().is_certain && !matches!(shape, Shape::Uncertain(_));
        let mut scopes = Vec::new();
        for instance in instances {
            if self.scopes.len() >= MAX_SCOPES {
                let label = format!("there would be more than {MAX_SCOPES}");
                let message = "there are too many instances of modules";
                self.diagnostics.push(Diagnostic::error(code::BUDGET, call.block.header, message, label));
                break;
            }
            let step = ModuleStep { name: name.to_string(), key: instance.key.clone() };
            let path = self.scope().path.iter().cloned().chain([step]).collect();
            let Some(child) = child else { continue };
            let number = self.scopes.len();
            self.scopes.push(ModuleScope::new(module, child, at, (instance, path, is_certain), inherited.clone()));
            self.instances[child].push(number);
            scopes.push(number);
        }
        self.scopes[at].calls.insert(name.clone(), Called { shape, scopes, dependencies: BTreeMap::new() });
        self.put_together(at, name);
    }

    /// Adds everything in a module, or in one of its instances.
    pub(super) fn add_module(&self, call: &str, picked: Option<&str>, span: Span, to: &mut Dependencies) {
        let path = &self.scope().path;
        let is_in = |address: &Address| {
            let step = address.module.get(path.len());
            address.module.starts_with(path)
                && step.is_some_and(|step| {
                    let is_picked = |picked: &str| match &step.key {
                        InstanceKey::Single => false,
                        InstanceKey::Index(index) => index.to_string() == picked,
                        InstanceKey::Name(key) => key == picked,
                    };
                    step.name == call && picked.is_none_or(is_picked)
                })
        };
        for address in self.configuration.resources.keys().filter(|address| is_in(address)) {
            to.resources.entry(address.clone()).or_insert(span);
        }
        to.data.extend(self.queries.keys().filter(|address| is_in(address)).cloned());
    }

    /// Returns the value of a variable of the module that is evaluated now, which the block that calls it gives.
    pub(super) fn argument(&mut self, name: &Arc<str>) -> Value {
        let module = self.module;
        let at = self.at;
        let Some(variable) = self.declared().variables.get(name) else { return Value::POISON };
        let (parent, instance) = (self.scope().parent, self.scope().instance.clone());
        let Some((_, call)) = &module.tree[self.scope().node].parent else { return Value::POISON };
        let call = &module.declared(self.scopes[parent].node).calls[call];
        let given = call.block.content.attributes.get(name).copied();
        let mut value = Value::NULL;
        if let Some(attribute) = given {
            self.at = parent;
            let (given, dependencies) = self.evaluate(attribute.value, instance.surroundings());
            self.at = at;
            self.depend(&Reference::Variable(name.clone()), dependencies);
            value = given;
        }
        let is_absent = given.is_none() || (value.is_null() && !variable.nullable);
        if let Some(default) = variable.default.filter(|_| is_absent) {
            // Whatever is wrong with a default was said when it was read.
            value = crate::evaluate::constant(&module.arena, default.value, &mut Vec::new());
            return self.argument_value(name, variable, default, value);
        }
        match given {
            Some(attribute) if is_absent => {
                let message = format!("the variable `{}` may not be `null`", shown(name));
                let span = self.place(attribute, &[]);
                let diagnostic = Diagnostic::error(code::TYPE, span, message, "this is `null`");
                self.diagnostics.push(diagnostic.label(variable.header, "it is declared here"));
                Value::POISON
            }
            Some(attribute) => self.argument_value(name, variable, attribute, value),
            // That it is missing was said when the module was read.
            None => Value::POISON,
        }
    }

    fn argument_value(&mut self, name: &str, variable: &VariableBlock, at: Attribute, value: Value) -> Value {
        match convert(&value.mark(variable.sensitive), &variable.of_type) {
            Ok(value) => value,
            Err(mismatches) => {
                for mismatch in mismatches {
                    let message = format!("the variable `{}` cannot have this value", shown(name));
                    let span = self.place(at, &mismatch.path);
                    let mut mistake = Diagnostic::error(code::TYPE, span, message, mismatch.reason);
                    if let Some(span) = variable.type_span {
                        mistake = mistake.label(span, "its type is declared here");
                    }
                    self.diagnostics.push(mistake.maybe_help(mismatch.help));
                }
                Value::POISON
            }
        }
    }

    /// Evaluates an output of the module that is evaluated now.
    pub(super) fn module_output(&mut self, name: &Arc<str>, is_cyclic: bool) {
        let Some(output) = self.declared().outputs.get(name) else { return };
        let what = format!("the output `{}`", shown(name));
        let (plain, mut dependencies) = (Surroundings::default(), Dependencies::default());
        self.conditions((&what, "precondition"), "", &output.preconditions, None, plain, &mut dependencies);
        let (value, used) = self.evaluate(output.value, plain);
        dependencies.merge(used);
        let value = if is_cyclic { Value::POISON } else { value.mark(output.sensitive) };
        let scope = &mut self.scopes[self.at];
        scope.outputs.insert(name.clone(), value);
        if !dependencies.is_empty() {
            scope.output_dependencies.insert(name.clone(), dependencies);
        }
    }

    /// Puts the value of a call together anew when one of its outputs was evaluated.
    pub(super) fn refresh(&mut self, (node, reference): &Node) {
        let Reference::Output(_) = reference else { return };
        let Some((_, call)) = &self.module.tree[*node].parent else { return };
        let mut parents: Vec<usize> = self.instances[*node].iter().map(|scope| self.scopes[*scope].parent).collect();
        parents.dedup();
        for parent in parents {
            self.put_together(parent, call);
        }
    }

    /// Sets what a reference to a module gives in one of the instances that call it.
    fn put_together(&mut self, at: usize, call: &Arc<str>) {
        let module = self.module;
        let Some(called) = self.scopes[at].calls.get(call) else { return };
        let is_broken = |scope: &usize| module.declared(self.scopes[*scope].node).broken;
        let of = |scope: &usize| {
            // What a file that could not be read would have declared nobody knows.
            if is_broken(scope) { Value::POISON } else { Value::map(self.scopes[*scope].outputs.clone()) }
        };
        let value = match &called.shape {
            Shape::Once => called.scopes.first().map_or(Value::POISON, of),
            Shape::List => Value::list(called.scopes.iter().map(of).collect()),
            Shape::Map => {
                let key = |scope: &usize| match self.scopes[*scope].path.last().map(|step| &step.key) {
                    Some(InstanceKey::Name(key)) => Some(Arc::from(key.as_str())),
                    _ => None,
                };
                Value::map(called.scopes.iter().filter_map(|scope| Some((key(scope)?, of(scope)))).collect())
            }
            Shape::Uncertain(value) => value.clone(),
        };
        let mut dependencies: BTreeMap<Arc<str>, Dependencies> = BTreeMap::new();
        for scope in &called.scopes {
            let scope = &self.scopes[*scope];
            let instance = match scope.path.last().map(|step| &step.key) {
                Some(InstanceKey::Name(key)) => Some(Arc::from(key.as_str())),
                Some(InstanceKey::Index(index)) => Some(Arc::from(index.to_string())),
                _ => None,
            };
            for (output, used) in &scope.output_dependencies {
                let first = instance.clone().unwrap_or_else(|| output.clone());
                dependencies.entry(first).or_default().merge(used.clone());
            }
        }
        let scope = &mut self.scopes[at];
        if let Some(called) = scope.calls.get_mut(call) {
            called.dependencies = dependencies;
        }
        scope.names.insert(Reference::Module(call.clone()), value);
    }
}
