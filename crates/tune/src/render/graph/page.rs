//! The graph as a page that can be opened, kept and sent: the drawing, and the same in words for whoever cannot see it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::svg::{escaped, svg};
use super::{Edge, Graph};

const STYLE: &str = "\
    :root { color-scheme: light dark }\n\
    body { font-family: system-ui, Helvetica, Arial, sans-serif; margin: 1.5rem; background: #ffffff; color: #263238 }\n\
    .drawing { overflow-x: auto }\n\
    code { font-family: ui-monospace, Menlo, Consolas, monospace }\n\
    td, th { text-align: left; vertical-align: top; padding: 0.2rem 1rem 0.2rem 0 }\n\
    @media (prefers-color-scheme: dark) { body { background: #15191c; color: #e3e8ea } }\n";

/// Returns the page in HTML. It needs no scripts and nothing from elsewhere, and allows none.
pub(crate) fn page(graph: &Graph, title: &str) -> String {
    let title = escaped(title);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <p>From left to right: rollouts and checks, the hosts and APIs, and the resources in the order in which they are \
         applied. A solid arrow leads to what waits, a dotted line to what stands on a host, a dashed line to a host \
         that a rollout takes.</p>\n<div class=\"drawing\">\n{}</div>\n",
        svg(graph)
    );
    text.push_str("<h2>In words</h2>\n<table>\n<tr><th>block</th><th>instances</th><th></th></tr>\n");
    let mut said: BTreeMap<_, BTreeMap<Edge, Vec<String>>> = BTreeMap::new();
    for ((from, to), edge) in &graph.edges {
        let code = format!("<code>{}</code>", escaped(&to.to_string()));
        said.entry(from).or_default().entry(*edge).or_default().push(code);
    }
    for (address, node) in &graph.nodes {
        let mut words: Vec<String> = node.notes.iter().map(|note| escaped(note)).collect();
        for (edge, others) in said.get(address).into_iter().flatten() {
            let verb = match edge {
                Edge::Waits => "waits for",
                Edge::On => "on",
                Edge::Takes => "takes",
                Edge::Gate => "its gates:",
            };
            words.push(format!("{verb} {}", others.join(", ")));
        }
        let _ = writeln!(
            text,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            escaped(&address.to_string()),
            node.instances.len(),
            words.join("; ")
        );
    }
    text.push_str("</table>\n</body>\n</html>\n");
    text
}
