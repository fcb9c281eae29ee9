//! The graph in the language of Graphviz.

use std::fmt::Write as _;

use super::{Edge, Graph, Role};

/// Returns the graph in the language DOT, for `dot -Tsvg` and for other programs.
pub(crate) fn dot(graph: &Graph) -> String {
    let mut text =
        "digraph tune {\n  rankdir = \"LR\";\n  node [shape = \"box\", fontname = \"Helvetica\"];\n".to_owned();
    for (address, node) in &graph.nodes {
        let count = node.instances.len();
        let label = if count > 1 { format!("{address} × {count}") } else { address.to_string() };
        let style = match node.role {
            Role::Resource => "solid",
            Role::Host | Role::Provider => "filled",
            Role::Rollout | Role::Check => "rounded",
        };
        let _ = writeln!(text, "  {} [label = {}, style = \"{style}\"];", quoted(&address.to_string()), quoted(&label));
    }
    for ((from, to), edge) in &graph.edges {
        let style = match edge {
            Edge::Waits => "solid",
            Edge::On => "dotted",
            Edge::Takes | Edge::Gate => "dashed",
        };
        let (from, to) = (quoted(&from.to_string()), quoted(&to.to_string()));
        let _ = writeln!(text, "  {from} -> {to} [style = \"{style}\"];");
    }
    text.push_str("}\n");
    text
}

/// Returns a text in quotes. A backslash begins an escape in a label, so it is written twice.
fn quoted(text: &str) -> String {
    format!("\"{}\"", tune_core::text::visible(text, 500).replace('\\', "\\\\").replace('"', "\\\""))
}
