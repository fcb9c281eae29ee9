//! Where everything stands in a picture of the graph: columns from what takes over what carries to what waits longest,
//! so that the order of a run is read from left to right. Edges that pass a column get a lane of their own in it, and
//! run behind nothing.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::Address;
use unicode_width::UnicodeWidthStr as _;

use super::{Edge, Graph, Node, Role};

/// A node with its place, in pixels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// What is written in the box, the title first.
    pub(crate) lines: Vec<String>,
}

/// An edge as the points that it goes through, from left to right, in pixels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) edge: Edge,
}

/// A picture before it is drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Layout {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) boxes: BTreeMap<Address, Placed>,
    pub(crate) lines: Vec<Line>,
}

/// The distance of two lines of text.
pub(crate) const LINE: f64 = 17.0;
/// The space between a box and its text.
pub(crate) const PADDING: f64 = 10.0;
/// The width of one column of text at the size that is drawn.
const LETTER: f64 = 7.3;
const COLUMN_GAP: f64 = 90.0;
const ROW_GAP: f64 = 18.0;
const LANE: f64 = 14.0;
const MARGIN: f64 = 24.0;
/// How many lines about instances or members a box has at most.
const MOST_LINES: usize = 8;
/// A line of text is cut after so many columns.
const MOST_LETTERS: usize = 48;
/// How often the columns are sorted by their neighbours.
const SWEEPS: usize = 6;

/// One place in a column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Slot<'g> {
    Node(&'g Address),
    /// The lane of an edge, by the edge's number.
    Lane(usize),
}

/// Returns where everything stands.
pub(crate) fn layout(graph: &Graph) -> Layout {
    let column_of = columns(graph);
    let edges = drawn(graph, &column_of);
    let mut columns: Vec<Vec<Slot<'_>>> = vec![Vec::new(); column_of.values().max().map_or(0, |last| last + 1)];
    for (address, column) in &column_of {
        columns[*column].push(Slot::Node(address));
    }
    for (number, (from, to, _)) in edges.iter().enumerate() {
        for column in &mut columns[column_of[from] + 1..column_of[to]] {
            column.push(Slot::Lane(number));
        }
    }
    for sweep in 0..SWEEPS {
        let order: Vec<usize> =
            if sweep % 2 == 0 { (0..columns.len()).collect() } else { (0..columns.len()).rev().collect() };
        for column in order {
            sort(&mut columns, column, &column_of, &edges);
        }
    }
    place(graph, &columns, &edges)
}

/// Returns the column of every node: rollouts and checks, then hosts and APIs, then resources by how long they wait.
fn columns(graph: &Graph) -> BTreeMap<&Address, usize> {
    let mut waits: BTreeMap<&Address, Vec<&Address>> = BTreeMap::new();
    for ((from, to), edge) in &graph.edges {
        if *edge == Edge::Waits {
            waits.entry(from).or_default().push(to);
        }
    }
    let mut column_of: BTreeMap<&Address, usize> = BTreeMap::new();
    let has = |roles: &[Role]| graph.nodes.values().any(|node| roles.contains(&node.role));
    let carriers = usize::from(has(&[Role::Rollout, Role::Check]));
    let first = carriers + usize::from(has(&[Role::Host, Role::Provider]));
    let mut left: BTreeSet<&Address> = BTreeSet::new();
    for (address, node) in &graph.nodes {
        match node.role {
            Role::Rollout | Role::Check => _ = column_of.insert(address, 0),
            Role::Host | Role::Provider => _ = column_of.insert(address, carriers),
            Role::Resource => _ = left.insert(address),
        }
    }
    // Every round settles what waits for nothing that is left. A circle, which a configuration cannot have, would end in
    // one column of its own.
    let mut column = first;
    while !left.is_empty() {
        let waiting = |address: &&Address| waits.get(*address).into_iter().flatten().any(|other| left.contains(other));
        let mut ready: Vec<&Address> = left.iter().copied().filter(|address| !waiting(address)).collect();
        if ready.is_empty() {
            ready = left.iter().copied().collect();
        }
        for address in ready {
            left.remove(address);
            column_of.insert(address, column);
        }
        column += 1;
    }
    column_of
}

/// Returns every edge from left to right. Gates are said in the rollout's box and are not drawn.
fn drawn<'g>(graph: &'g Graph, column_of: &BTreeMap<&Address, usize>) -> Vec<(&'g Address, &'g Address, Edge)> {
    let edges = graph.edges.iter().filter_map(|((from, to), edge)| match edge {
        Edge::Gate => None,
        // A resource that waits stands on the right of what it waits for, and of what carries it.
        Edge::Waits | Edge::On => Some((to, from, *edge)),
        Edge::Takes => Some((from, to, *edge)),
    });
    edges.filter(|(from, to, _)| column_of[from] < column_of[to]).collect()
}

/// Sorts one column by the middle of the neighbours of each slot, which keeps edges from crossing.
fn sort(
    columns: &mut [Vec<Slot<'_>>],
    column: usize,
    column_of: &BTreeMap<&Address, usize>,
    edges: &[(&Address, &Address, Edge)],
) {
    let mut rank: BTreeMap<Slot<'_>, f64> = BTreeMap::new();
    let mut rank_of_lane: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for (number, slots) in columns.iter().enumerate() {
        for (index, slot) in slots.iter().enumerate() {
            let place = ratio(index, slots.len());
            match slot {
                Slot::Lane(edge) => _ = rank_of_lane.insert((number, *edge), place),
                Slot::Node(_) => _ = rank.insert(slot.clone(), place),
            }
        }
    }
    // An edge's point in a column is its lane there, or the node at its end.
    let point = |number: usize, edge: usize| {
        let (from, to, _) = edges[edge];
        let node = if column_of[from] == number { from } else { to };
        rank_of_lane.get(&(number, edge)).or_else(|| rank.get(&Slot::Node(node))).copied()
    };
    let mut middle: BTreeMap<Slot<'_>, (f64, f64)> = BTreeMap::new();
    for (number, (from, to, _)) in edges.iter().enumerate() {
        let (start, end) = (column_of[from], column_of[to]);
        if column < start || column > end {
            continue;
        }
        let slot = match column {
            _ if column == start => Slot::Node(from),
            _ if column == end => Slot::Node(to),
            _ => Slot::Lane(number),
        };
        let neighbours = [(column > start).then(|| column - 1), (column < end).then_some(column + 1)];
        for found in neighbours.into_iter().flatten().filter_map(|neighbour| point(neighbour, number)) {
            let (sum, count) = middle.entry(slot.clone()).or_default();
            *sum += found;
            *count += 1.0;
        }
    }
    let n_slots = columns[column].len();
    let mut slots: Vec<(f64, usize, Slot<'_>)> = Vec::new();
    for (index, slot) in std::mem::take(&mut columns[column]).into_iter().enumerate() {
        let key = middle.get(&slot).map_or_else(|| ratio(index, n_slots), |(sum, count)| sum / count);
        slots.push((key, index, slot));
    }
    slots.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    columns[column] = slots.into_iter().map(|(_, _, slot)| slot).collect();
}

fn place(graph: &Graph, columns: &[Vec<Slot<'_>>], edges: &[(&Address, &Address, Edge)]) -> Layout {
    let mut picture = Layout::default();
    let mut passes: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
    let lines_of = |address: &Address| lines(address, &graph.nodes[address]);
    let height_of = |slot: &Slot<'_>| match slot {
        Slot::Node(address) => pixels(lines_of(address).len()) * LINE + 2.0 * PADDING,
        Slot::Lane(_) => LANE,
    };
    let total = |slots: &[Slot<'_>]| slots.iter().map(|slot| height_of(slot) + ROW_GAP).sum::<f64>() - ROW_GAP;
    let tallest = columns.iter().map(|slots| total(slots)).fold(0.0, f64::max);
    let mut left = MARGIN;
    for slots in columns {
        let widths = slots.iter().filter_map(|slot| match slot {
            Slot::Node(address) => lines_of(address).iter().map(|line| line.width()).max(),
            Slot::Lane(_) => None,
        });
        let width = pixels(widths.max().unwrap_or(0)) * LETTER + 2.0 * PADDING;
        let mut top = MARGIN + (tallest - total(slots)) / 2.0;
        for slot in slots {
            let height = height_of(slot);
            match slot {
                Slot::Node(address) => {
                    let lines = lines_of(address);
                    picture.boxes.insert((*address).clone(), Placed { left, top, width, height, lines });
                }
                Slot::Lane(edge) => {
                    let middle = top + height / 2.0;
                    passes.entry(*edge).or_default().extend([(left, middle), (left + width, middle)]);
                }
            }
            top += height + ROW_GAP;
        }
        left += width + COLUMN_GAP;
    }
    for (number, (from, to, edge)) in edges.iter().enumerate() {
        let (start, end) = (&picture.boxes[*from], &picture.boxes[*to]);
        let mut points = vec![(start.left + start.width, start.top + start.height / 2.0)];
        points.extend(passes.remove(&number).unwrap_or_default());
        points.push((end.left, end.top + end.height / 2.0));
        picture.lines.push(Line { points, edge: *edge });
    }
    picture.width = (left - COLUMN_GAP + MARGIN).max(2.0 * MARGIN);
    picture.height = tallest.max(0.0) + 2.0 * MARGIN;
    picture
}

/// Returns what is written in a box: the name of the block, its instances, and what else is to be said.
fn lines(address: &Address, node: &Node) -> Vec<String> {
    let mut rest: Vec<String> = Vec::new();
    if node.instances.len() > 1 {
        rest.extend(node.instances.iter().map(|instance| instance.key.to_string()));
    }
    rest.extend(node.notes.iter().cloned());
    if rest.len() > MOST_LINES {
        let more = rest.len() + 1 - MOST_LINES;
        rest.truncate(MOST_LINES - 1);
        rest.push(format!("… and {more} more"));
    }
    rest.insert(0, address.to_string());
    rest.iter().map(|line| tune_core::text::visible(line, MOST_LETTERS)).collect()
}

fn ratio(index: usize, of: usize) -> f64 {
    (pixels(index) + 0.5) / pixels(of.max(1))
}

/// A count as a length; no picture has so many of anything that this is not exact.
fn pixels(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
