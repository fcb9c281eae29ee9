//! The order of evaluation: each thing after all it refers to, in whichever module; and circles.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::code;
use crate::diagnostic::{Diagnostic, shown};
use crate::module::{Module, Repetition, Validation};
use crate::source::Span;
use crate::syntax::ir::{Access, Arena, Expr, ExprId, Reference, Root, Step};

/// Something that is evaluated, in one place of the tree of modules.
pub(crate) type Node = (usize, Reference);

/// An order in which everything can be evaluated, and what cannot.
pub(crate) struct Order {
    /// Local values, blocks, calls of modules, and variables and outputs of called ones, each after all it refers to.
    pub sorted: Vec<Node>,
    pub cycles: Vec<Diagnostic>,
    /// What is part of a circle.
    pub cyclic: Vec<Node>,
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

/// Returns where the provider stands that a name means in a place of the tree.
pub(crate) fn provider(module: &Module<'_>, at: usize, name: &str, alias: Option<&Arc<str>>) -> Option<Node> {
    let reference = Reference::Provider(name.into(), alias.cloned());
    if module.declared(at).blocks.contains_key(&reference) {
        return Some((at, reference));
    }
    let (parent, call) = module.tree[at].parent.as_ref()?;
    let given = &module.declared(*parent).calls[call].providers;
    match given.iter().find(|(inner, _)| *inner.name == *name && inner.alias.as_ref() == alias) {
        Some((_, outer)) => provider(module, *parent, &outer.name, outer.alias.as_ref()),
        // Without a word, a module uses the providers of who calls it.
        None if alias.is_none() => provider(module, *parent, name, None),
        None => None,
    }
}

/// Returns the provider that answers a `data` block, with the place that says so. A resource does not wait for its
/// provider: nothing of it goes into a value.
fn provider_of(module: &Module<'_>, (at, node): (usize, &Reference)) -> Option<(Node, Span)> {
    let Reference::Data(kind, _) = node else { return None };
    let block = module.declared(at).blocks.get(node)?;
    let default = module.vocabulary.source(kind)?.schema.provider?;
    let named = block.provider.as_ref();
    let alias = named.and_then(|named| named.alias.as_ref());
    Some((provider(module, at, default, alias)?, named.map_or(block.header, |named| named.span)))
}

struct Graph<'m> {
    module: &'m Module<'m>,
    nodes: Vec<Node>,
    /// What each node refers to, with the place of the first reference.
    edges: Vec<Vec<(usize, Span)>>,
}

/// An expression with the place of the tree in which its names are looked up, and whether it is a `depends_on`.
type Placed = (usize, Root, bool);

impl<'m> Graph<'m> {
    fn of(module: &'m Module<'m>) -> Self {
        let mut nodes: Vec<(Node, Vec<Placed>)> = Vec::new();
        for at in 0..module.tree.len() {
            nodes.extend(nodes_of(module, at));
        }
        let (nodes, roots): (Vec<Node>, Vec<Vec<Placed>>) = nodes.into_iter().unzip();
        let numbers: HashMap<&Node, usize> = nodes.iter().enumerate().map(|(at, node)| (node, at)).collect();
        let edges = nodes.iter().zip(&roots).map(|(node, roots)| {
            let mut edges: BTreeMap<usize, Span> = BTreeMap::new();
            let mut add = |to: &Node, span: Span| {
                if let Some(to) = numbers.get(to) {
                    edges.entry(*to).or_insert(span);
                }
            };
            for (at, root, depends_on) in roots {
                for (reference, span) in module.arena.references(*root) {
                    add(&(*at, reference.clone()), span);
                    let child = match reference {
                        Reference::Module(name) if *depends_on => module.tree[*at].children.get(name),
                        _ => None,
                    };
                    for to in child.map(|child| blocks_below(module, *child)).unwrap_or_default() {
                        add(&to, span);
                    }
                }
                for (to, span) in outputs_used(module, *at, *root) {
                    add(&to, span);
                }
            }
            if let Some((provider, span)) = provider_of(module, (node.0, &node.1)) {
                add(&provider, span);
            }
            // How many instances there are of a module must be known before anything in it can be evaluated.
            if let Some((parent, call)) = &module.tree[node.0].parent {
                let span = module.declared(*parent).calls[call].block.header;
                add(&(*parent, Reference::Module(call.clone())), span);
            }
            edges.into_iter().collect()
        });
        let edges = edges.collect();
        Self { module, nodes, edges }
    }

    /// Returns what a node is called: `module.x.local.a`.
    fn name(&self, node: usize) -> String {
        let (at, reference) = &self.nodes[node];
        let mut names = vec![reference.to_string()];
        let mut above = self.module.tree[*at].parent.as_ref();
        while let Some((parent, call)) = above {
            names.push(format!("module.{call}"));
            above = self.module.tree[*parent].parent.as_ref();
        }
        names.reverse();
        shown(&names.join("."))
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
        let names: Vec<String> = edges.iter().map(|(from, ..)| format!("`{}`", self.name(*from))).collect();
        let message = match names.as_slice() {
            [name] => format!("{name} depends on itself"),
            names => format!("{} depend on each other in a circle", names.join(", ")),
        };
        let label = |from: usize, to: usize| format!("`{}` depends on `{}` here", self.name(from), self.name(to));
        let mut edges = edges.into_iter();
        let (from, to, span) = edges.next().expect("a component with an edge has a circle");
        let first = Diagnostic::error(code::CYCLE, span, message, label(from, to));
        edges.fold(first, |diagnostic, (from, to, span)| diagnostic.label(span, label(from, to)))
    }
}

/// Returns everything that is evaluated in one place of the tree, with its expressions.
fn nodes_of(module: &Module<'_>, at: usize) -> Vec<(Node, Vec<Placed>)> {
    let declared = module.declared(at);
    let mut nodes: Vec<(Reference, Vec<Placed>)> = Vec::new();
    for (name, local) in &declared.locals {
        nodes.push((Reference::Local(name.clone()), vec![(at, local.value, false)]));
    }
    for (reference, block) in &declared.blocks {
        let after = block.lifecycle.postconditions.iter().flat_map(Validation::roots);
        let roots = block.repetition.root().into_iter().chain(block.body()).chain(after);
        let roots = roots.map(|root| (at, root, false)).chain(block.depends_on.map(|it| (at, it.value, true)));
        nodes.push((reference.clone(), roots.collect()));
    }
    for (name, call) in &declared.calls {
        let roots = call.block.repetition.root().map(|root| (at, root, false)).into_iter();
        let roots = roots.chain(call.block.depends_on.map(|it| (at, it.value, true)));
        nodes.push((Reference::Module(name.clone()), roots.collect()));
    }
    if let Some((parent, call)) = &module.tree[at].parent {
        let call = &module.declared(*parent).calls[call];
        for name in declared.variables.keys() {
            let argument = call.block.content.attributes.get(name);
            let roots = argument.map(|argument| (*parent, argument.value, false)).into_iter().collect();
            nodes.push((Reference::Variable(name.clone()), roots));
        }
        for (name, output) in &declared.outputs {
            let conditions = output.preconditions.iter().flat_map(Validation::roots);
            let roots = [output.value].into_iter().chain(conditions).map(|root| (at, root, false)).collect();
            nodes.push((Reference::Output(name.clone()), roots));
        }
    }
    nodes.into_iter().map(|(reference, roots)| ((at, reference), roots)).collect()
}

/// Returns every block in a module and in all that it calls.
fn blocks_below(module: &Module<'_>, node: usize) -> Vec<Node> {
    let mut blocks: Vec<Node> = module.declared(node).blocks.keys().map(|block| (node, block.clone())).collect();
    for child in module.tree[node].children.values() {
        blocks.extend(blocks_below(module, *child));
    }
    blocks
}

/// Returns the outputs of modules that an expression uses: the one that it names, or all where it names none.
fn outputs_used(module: &Module<'_>, at: usize, root: Root) -> Vec<(Node, Span)> {
    let arena = &module.arena;
    let mut bases: BTreeSet<ExprId> = BTreeSet::new();
    let mut named: Vec<(&Arc<str>, &[Step], Span)> = Vec::new();
    for (id, expr, span) in arena.within(root) {
        match expr {
            Expr::Access { base, steps } => {
                if let Expr::Reference(Reference::Module(name)) = arena.expr(*base) {
                    bases.insert(*base);
                    named.push((name, steps, span));
                }
            }
            Expr::Reference(Reference::Module(_)) => _ = bases.insert(id),
            _ => {}
        }
    }
    if bases.is_empty() {
        return Vec::new();
    }
    let accessed: BTreeSet<ExprId> = accessed(arena, root);
    let alone = bases.iter().filter(|base| !accessed.contains(*base)).filter_map(|base| match arena.expr(*base) {
        Expr::Reference(Reference::Module(name)) => Some((name, [].as_slice(), arena.span(*base))),
        _ => None,
    });
    let places: Vec<_> = alone.chain(named).collect();
    let mut used = Vec::new();
    for (name, steps, span) in places {
        let Some(child) = module.tree[at].children.get(name) else { continue };
        let call = &module.declared(at).calls[name];
        let outputs = &module.declared(*child).outputs;
        let after = usize::from(!matches!(call.block.repetition, Repetition::Once));
        let output = match steps.get(after).map(|step| &step.access) {
            Some(Access::Attribute(output)) => Some(output.clone()),
            Some(Access::Index(index)) => match arena.expr(*index) {
                Expr::Literal(value) => value.as_str().map(Arc::from),
                _ => None,
            },
            _ => None,
        };
        match output.filter(|output| outputs.contains_key(output)) {
            Some(output) => used.push(((*child, Reference::Output(output)), span)),
            None => used.extend(outputs.keys().map(|output| ((*child, Reference::Output(output.clone())), span))),
        }
    }
    used
}

/// Returns the bases of everything from which a part is taken.
fn accessed(arena: &Arena, root: Root) -> BTreeSet<ExprId> {
    let bases = arena.within(root).filter_map(|(_, expr, _)| match expr {
        Expr::Access { base, .. } => Some(*base),
        _ => None,
    });
    bases.collect()
}
