//! The order among resources: which ones may be settled together, and which cycle prevents any order.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

/// Nodes that depend on each other in a ring, each one on the next and the last on the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle<N>(pub Vec<N>);

/// Returns the nodes in levels: each node stands in a later level than everything that it depends on, and as early as
/// that allows. Dependencies on nodes that are not among the keys are ignored. Nodes within a level are sorted.
pub fn levels<N: Ord + Clone>(depends_on: &BTreeMap<N, BTreeSet<N>>) -> Result<Vec<Vec<N>>, Cycle<N>> {
    let nodes: Vec<&N> = depends_on.keys().collect();
    let number: BTreeMap<&N, usize> = nodes.iter().enumerate().map(|(index, node)| (*node, index)).collect();
    let mut graph = DiGraphMap::<usize, ()>::with_capacity(nodes.len(), nodes.len());
    for (index, (_, dependencies)) in depends_on.iter().enumerate() {
        graph.add_node(index);
        for dependency in dependencies.iter().filter_map(|node| number.get(node)) {
            graph.add_edge(index, *dependency, ());
        }
    }
    let mut level_of = vec![0; nodes.len()];
    // Components come dependencies first, so every dependency's level is known when it is needed.
    for component in tarjan_scc(&graph) {
        let index = component[0];
        if component.len() > 1 || graph.contains_edge(index, index) {
            return Err(Cycle(ring(&graph, &component).into_iter().map(|index| nodes[index].clone()).collect()));
        }
        level_of[index] = graph.neighbors(index).map(|dependency| level_of[dependency] + 1).max().unwrap_or(0);
    }
    let mut levels = vec![Vec::new(); level_of.iter().max().map_or(0, |highest| highest + 1)];
    for (index, level) in level_of.into_iter().enumerate() {
        levels[level].push(nodes[index].clone());
    }
    Ok(levels)
}

/// Returns the nodes and everything that they depend on, however far.
pub fn with_dependencies<N: Ord + Clone>(
    start: impl IntoIterator<Item = N>,
    depends_on: &BTreeMap<N, BTreeSet<N>>,
) -> BTreeSet<N> {
    let mut found = BTreeSet::new();
    let mut waiting: Vec<N> = start.into_iter().collect();
    while let Some(node) = waiting.pop() {
        if found.insert(node.clone()) {
            waiting.extend(depends_on.get(&node).into_iter().flatten().cloned());
        }
    }
    found
}

/// Returns the same edges turned round, with the same nodes.
pub fn reversed<N: Ord + Clone>(depends_on: &BTreeMap<N, BTreeSet<N>>) -> BTreeMap<N, BTreeSet<N>> {
    let mut dependents: BTreeMap<N, BTreeSet<N>> =
        depends_on.keys().map(|node| (node.clone(), BTreeSet::new())).collect();
    for (node, dependencies) in depends_on {
        for dependency in dependencies {
            dependents.entry(dependency.clone()).or_default().insert(node.clone());
        }
    }
    dependents
}

/// Walks along dependencies inside one strongly connected component until a node comes up again.
fn ring(graph: &DiGraphMap<usize, ()>, component: &[usize]) -> Vec<usize> {
    let members: BTreeSet<usize> = component.iter().copied().collect();
    let mut path = vec![*members.first().expect("a component has a node")];
    loop {
        let last = path[path.len() - 1];
        let next = graph
            .neighbors(last)
            .filter(|node| members.contains(node))
            .min()
            .expect("every node of a strongly connected component has a successor in it");
        if let Some(start) = path.iter().position(|node| *node == next) {
            return path.split_off(start);
        }
        path.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edges(pairs: &[(u32, &[u32])]) -> BTreeMap<u32, BTreeSet<u32>> {
        pairs.iter().map(|(node, dependencies)| (*node, dependencies.iter().copied().collect())).collect()
    }

    #[test]
    fn levels_are_as_early_as_possible() {
        let graph = edges(&[(1, &[]), (2, &[1]), (3, &[1, 2]), (4, &[99])]);
        assert_eq!(levels(&graph).unwrap(), [vec![1, 4], vec![2], vec![3]]);
    }

    #[test]
    fn a_cycle_is_named_in_order() {
        let graph = edges(&[(1, &[2]), (2, &[3]), (3, &[2]), (4, &[])]);
        assert_eq!(levels(&graph), Err(Cycle(vec![2, 3])));
        assert_eq!(levels(&edges(&[(7, &[7])])), Err(Cycle(vec![7])));
    }

    proptest! {
        #[test]
        fn levels_respect_every_edge(pairs in proptest::collection::vec((0u32..30, 0u32..30), 0..80)) {
            let mut graph: BTreeMap<u32, BTreeSet<u32>> = (0..30).map(|node| (node, BTreeSet::new())).collect();
            // Edges only point to smaller numbers, so there is no cycle.
            for (a, b) in pairs.iter().filter(|(a, b)| a != b) {
                graph.get_mut(a.max(b)).unwrap().insert(*a.min(b));
            }
            let levels = levels(&graph).unwrap();
            let level_of = |node: u32| levels.iter().position(|level| level.contains(&node)).unwrap();
            prop_assert_eq!(levels.iter().map(Vec::len).sum::<usize>(), 30);
            for (node, dependencies) in &graph {
                for dependency in dependencies {
                    prop_assert!(level_of(*dependency) < level_of(*node));
                }
            }
        }
    }
}
