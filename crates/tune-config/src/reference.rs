//! What refers to what: references to nothing, the order of evaluation, and circles.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::code;
use crate::diagnostic::{Diagnostic, did_you_mean, shown};
use crate::module::{Context, Module, Repetition, Validation};
use crate::source::Span;
use crate::syntax::ir::{Reference, Root};

/// An order in which everything can be evaluated, and what cannot.
pub(crate) struct Order {
    /// Local values and blocks, each after all it refers to.
    pub sorted: Vec<Reference>,
    pub cycles: Vec<Diagnostic>,
    /// What is part of a circle.
    pub cyclic: Vec<Reference>,
}

/// Returns every reference to something that is not declared, or not available where it stands.
pub(crate) fn unknown_names(module: &Module<'_>) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for (root, context) in module.roots() {
        for (reference, span) in module.arena.references(root) {
            diagnostics.extend(unknown_name(module, reference, span, context));
        }
    }
    diagnostics
}

fn unknown_name(module: &Module<'_>, reference: &Reference, span: Span, context: Context<'_>) -> Option<Diagnostic> {
    let repetition = match context {
        Context::Instance(repetition) | Context::Postcondition(repetition) => Some(repetition),
        _ => None,
    };
    // What is declared nowhere may be declared in the file that could not be read.
    let declared = |is_declared: bool| is_declared || module.broken;
    let nothing = |what: &str, name: &str, help: Option<String>| Some(nothing(span, what, name, help));
    match reference {
        Reference::Variable(name) if !declared(module.variables.contains_key(name)) => {
            nothing("variable", name, did_you_mean(name, module.variables.keys().map(AsRef::as_ref)))
        }
        Reference::Local(name) if !declared(module.locals.contains_key(name)) => {
            nothing("local value", name, did_you_mean(name, module.locals.keys().map(AsRef::as_ref)))
        }
        Reference::Block(kind, name) if matches!(kind.as_ref(), "check" | "rollout") => {
            without_value(module, (kind, name), span, context)
        }
        Reference::Data(kind, name) if !module.blocks.contains_key(reference) => {
            if module.broken {
                return None;
            }
            if module.vocabulary.source(kind).is_none() {
                let message = format!("unknown source `{}`", shown(kind));
                let help = did_you_mean(kind, module.vocabulary.source_names());
                let diagnostic = Diagnostic::error(code::UNKNOWN_NAME, span, message, "there is no such source");
                return Some(diagnostic.maybe_help(help));
            }
            let names = module.blocks.keys().filter_map(|block| match block {
                Reference::Data(of, name) if of == kind => Some(name.as_ref()),
                _ => None,
            });
            nothing(&format!("data of `{kind}`"), name, did_you_mean(name, names))
        }
        Reference::Probe(kind, name) => unknown_probe((kind, name), span, context),
        Reference::Block(kind, name) if !module.blocks.contains_key(reference) => {
            unknown_block(module, (kind, name), span)
        }
        Reference::Itself if !matches!(context, Context::Postcondition(_)) => {
            let message = "`self` is used outside of a postcondition";
            let help = "write the name of the block instead";
            Some(Diagnostic::error(code::MISPLACED, span, message, "not available here").help(help))
        }
        Reference::EachKey | Reference::EachValue
            if !matches!(repetition, Some(Repetition::ForEach(_) | Repetition::Unclear)) =>
        {
            let message = "`each` is used outside of a block with `for_each`";
            Some(
                Diagnostic::error(code::MISPLACED, span, message, "not available here")
                    .help("add `for_each` to the block"),
            )
        }
        Reference::CountIndex if !matches!(repetition, Some(Repetition::Count(_) | Repetition::Unclear)) => {
            let message = "`count.index` is used outside of a block with `count`";
            Some(
                Diagnostic::error(code::MISPLACED, span, message, "not available here")
                    .help("add `count` to the block"),
            )
        }
        _ => None,
    }
}

fn nothing(span: Span, what: &str, name: &str, help: Option<String>) -> Diagnostic {
    let message = format!("there is no {what} `{}`", shown(name));
    Diagnostic::error(code::UNKNOWN_NAME, span, message, "declared nowhere").maybe_help(help)
}

/// Says what is wrong with a reference to a block that has no value.
fn without_value(
    module: &Module<'_>,
    (kind, name): (&Arc<str>, &Arc<str>),
    span: Span,
    context: Context<'_>,
) -> Option<Diagnostic> {
    let (is_declared, names): (bool, Vec<&str>) = match kind.as_ref() {
        "check" => (module.checks.contains_key(name), module.checks.keys().map(AsRef::as_ref).collect()),
        _ => (module.rollouts.contains_key(name), module.rollouts.keys().map(AsRef::as_ref).collect()),
    };
    if !is_declared {
        return (!module.broken).then(|| nothing(span, kind, name, did_you_mean(name, names)));
    }
    if matches!(context, Context::Gates) && kind.as_ref() == "check" {
        return None;
    }
    let message = format!("a {kind} has no value");
    let help = match kind.as_ref() {
        "check" => "name it in `gates` of a `rollout`",
        _ => "remove the reference",
    };
    Some(Diagnostic::error(code::MISPLACED, span, message, "not available here").help(help))
}

fn unknown_probe((kind, name): (&Arc<str>, &Arc<str>), span: Span, context: Context<'_>) -> Option<Diagnostic> {
    let Context::Assertion(check) = context else {
        let message = "`probe` is used outside of the assertions of a check";
        let help = "use `data` for what is read while planning";
        return Some(Diagnostic::error(code::MISPLACED, span, message, "not available here").help(help));
    };
    if check.probes.iter().any(|probe| probe.kind == *kind && probe.name == *name) {
        return None;
    }
    let known: Vec<String> = check.probes.iter().map(|probe| format!("probe.{}.{}", probe.kind, probe.name)).collect();
    let written = format!("probe.{kind}.{name}");
    let message = format!("the check has no probe `{}`", shown(&format!("{kind}.{name}")));
    let diagnostic = Diagnostic::error(code::UNKNOWN_NAME, span, message, "declared nowhere in this check");
    Some(diagnostic.maybe_help(did_you_mean(&written, known.iter().map(String::as_str))))
}

/// Says what is wrong with a reference to a host or a resource that is not declared.
fn unknown_block(module: &Module<'_>, (kind, name): (&Arc<str>, &Arc<str>), span: Span) -> Option<Diagnostic> {
    let is_kind = kind.as_ref() == "host" || module.vocabulary.kind(kind).is_some();
    if is_kind && module.broken {
        return None;
    }
    if !is_kind {
        let message = format!("`{}` stands for nothing", shown(&format!("{kind}.{name}")));
        let roots = ["var", "local", "host", "data", "each", "count"].into_iter();
        let roots = roots.chain(module.vocabulary.kind_names());
        let help = did_you_mean(kind, roots).unwrap_or_else(|| {
            "put it in quotes if it is a text; references start with `var`, `local`, `host`, `data`, `each`, \
             `count` or the kind of a resource"
                .to_owned()
        });
        let diagnostic = Diagnostic::error(code::UNKNOWN_NAME, span, message, "not a reference");
        return Some(diagnostic.help(help));
    }
    let names = module.blocks.keys().filter_map(|block| match block {
        Reference::Block(of, name) if of == kind => Some(name.as_ref()),
        _ => None,
    });
    let what = if kind.as_ref() == "host" { "host".to_owned() } else { format!("resource of kind `{kind}`") };
    Some(nothing(span, &what, name, did_you_mean(name, names)))
}

/// Returns an order of evaluation, and every circle with all its references.
pub(crate) fn order(module: &Module<'_>) -> Order {
    let graph = Graph::of(module);
    let mut order = Order { sorted: Vec::with_capacity(graph.nodes.len()), cycles: Vec::new(), cyclic: Vec::new() };
    for component in graph.components() {
        if component.len() > 1 || graph.edges[component[0]].iter().any(|(to, _)| *to == component[0]) {
            order.cycles.push(graph.explain(&component));
            order.cyclic.extend(component.iter().map(|node| graph.nodes[*node].clone()));
        }
        order.sorted.extend(component.into_iter().map(|node| graph.nodes[node].clone()));
    }
    order
}

/// Returns the provider that answers a `data` block, with the place that says so. A resource does not wait for its
/// provider: nothing of it goes into a value.
fn provider_of(module: &Module<'_>, node: &Reference) -> Option<(Reference, Span)> {
    let Reference::Data(kind, _) = node else { return None };
    let block = module.blocks.get(node)?;
    let default = module.vocabulary.source(kind)?.schema.provider?;
    let (name, alias, span) = match &block.provider {
        Some(named) => (named.name.clone(), named.alias.clone(), named.span),
        None => (default.into(), None, block.header),
    };
    Some((Reference::Provider(name, alias), span))
}

struct Graph {
    nodes: Vec<Reference>,
    /// What each node refers to, with the place of the first reference.
    edges: Vec<Vec<(usize, Span)>>,
}

impl Graph {
    fn of(module: &Module<'_>) -> Self {
        let locals = module.locals.iter().map(|(name, local)| (Reference::Local(name.clone()), vec![local.value]));
        let blocks = module.blocks.iter().map(|(reference, block)| {
            let after = block.lifecycle.postconditions.iter().flat_map(Validation::roots);
            let roots: Vec<Root> = block.repetition.root().into_iter().chain(block.body()).chain(after).collect();
            (reference.clone(), roots)
        });
        let (nodes, roots): (Vec<Reference>, Vec<Vec<Root>>) = locals.chain(blocks).unzip();
        let provider_of = |node: &Reference| provider_of(module, node);
        let numbers: HashMap<&Reference, usize> = nodes.iter().enumerate().map(|(at, node)| (node, at)).collect();
        let edges = nodes
            .iter()
            .zip(&roots)
            .map(|(node, roots)| {
                let mut edges = BTreeMap::new();
                for (reference, span) in roots.iter().flat_map(|root| module.arena.references(*root)) {
                    if let Some(to) = numbers.get(reference) {
                        edges.entry(*to).or_insert(span);
                    }
                }
                if let Some((provider, span)) = provider_of(node)
                    && let Some(to) = numbers.get(&provider)
                {
                    edges.entry(*to).or_insert(span);
                }
                edges.into_iter().collect()
            })
            .collect();
        Self { nodes, edges }
    }

    /// Tarjan's strongly connected components, each after all it refers to. Written with a stack of its own, because a
    /// chain of references may be as long as the configuration.
    fn components(&self) -> Vec<Vec<usize>> {
        const UNSEEN: usize = usize::MAX;
        let mut index = vec![UNSEEN; self.nodes.len()];
        let mut low = vec![0; self.nodes.len()];
        let mut on_stack = vec![false; self.nodes.len()];
        let (mut stack, mut components, mut next) = (Vec::new(), Vec::new(), 0);
        for start in 0..self.nodes.len() {
            let mut visiting = Vec::new();
            if index[start] == UNSEEN {
                visiting.push((start, 0));
            }
            while let Some((node, edge)) = visiting.pop() {
                if edge == 0 {
                    (index[node], low[node], on_stack[node]) = (next, next, true);
                    next += 1;
                    stack.push(node);
                }
                if let Some((to, _)) = self.edges[node].get(edge) {
                    visiting.push((node, edge + 1));
                    if index[*to] == UNSEEN {
                        visiting.push((*to, 0));
                    } else if on_stack[*to] {
                        low[node] = low[node].min(index[*to]);
                    }
                    continue;
                }
                if let Some((parent, _)) = visiting.last() {
                    low[*parent] = low[*parent].min(low[node]);
                }
                if low[node] == index[node] {
                    let at = stack.iter().rposition(|member| *member == node).unwrap_or_default();
                    let mut component = stack.split_off(at);
                    for member in &component {
                        on_stack[*member] = false;
                    }
                    component.sort_unstable();
                    components.push(component);
                }
            }
        }
        components
    }

    /// Describes the shortest circle through the first member of a component.
    fn explain(&self, component: &[usize]) -> Diagnostic {
        let start = component[0];
        let mut reached: HashMap<usize, (usize, Span)> = HashMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for (to, span) in &self.edges[node] {
                if component.binary_search(to).is_ok() && !reached.contains_key(to) {
                    reached.insert(*to, (node, *span));
                    queue.push_back(*to);
                }
            }
            if reached.contains_key(&start) {
                break;
            }
        }
        let mut edges = Vec::new();
        let mut at = start;
        while let Some((from, span)) = reached.get(&at) {
            edges.push((*from, at, *span));
            at = *from;
            if at == start {
                break;
            }
        }
        edges.reverse();
        let names: Vec<String> = edges.iter().map(|(from, ..)| format!("`{}`", self.nodes[*from])).collect();
        let message = match names.as_slice() {
            [name] => format!("{name} depends on itself"),
            names => format!("{} depend on each other in a circle", names.join(", ")),
        };
        let label = |from: usize, to: usize| format!("`{}` depends on `{}` here", self.nodes[from], self.nodes[to]);
        let mut edges = edges.into_iter();
        let (from, to, span) = edges.next().expect("a component with an edge has a circle");
        let first = Diagnostic::error(code::CYCLE, span, message, label(from, to));
        edges.fold(first, |diagnostic, (from, to, span)| diagnostic.label(span, label(from, to)))
    }
}
