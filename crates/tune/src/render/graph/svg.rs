//! The graph as a drawing that needs nothing else: no scripts, no fonts, nothing from elsewhere.

use std::fmt::Write as _;

use super::layout::{self, LINE, Line, PADDING, Placed};
use super::{Edge, Graph, Node, Role};

/// The colours, those of a light page first. A program that knows no media queries draws the light ones.
const STYLE: &str = "\
    .page { fill: #ffffff }\n\
    text { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; font-size: 12px; fill: #263238 }\n\
    .name { font-weight: bold }\n\
    .box { stroke-width: 1.5; fill: #eceff1; stroke: #455a64 }\n\
    .resource .box { fill: #e8f5e9; stroke: #2e7d32 }\n\
    .rollout .box, .check .box { fill: #fff3e0; stroke: #ef6c00 }\n\
    .edge { fill: none; stroke: #455a64; stroke-width: 1.5 }\n\
    .on { stroke: #90a4ae; stroke-dasharray: 2 4 }\n\
    .takes { stroke: #ef6c00; stroke-dasharray: 6 4 }\n\
    .tip { fill: #455a64 }\n\
    @media (prefers-color-scheme: dark) {\n\
      .page { fill: #15191c }\n\
      text { fill: #e3e8ea }\n\
      .box { fill: #263238; stroke: #90a4ae }\n\
      .resource .box { fill: #17301a; stroke: #66bb6a }\n\
      .rollout .box, .check .box { fill: #33230f; stroke: #ffa726 }\n\
      .edge { stroke: #b0bec5 }\n\
      .on { stroke: #607d8b }\n\
      .takes { stroke: #ffa726 }\n\
      .tip { fill: #b0bec5 }\n\
    }\n";

/// Returns the drawing as a whole SVG document.
pub(crate) fn svg(graph: &Graph) -> String {
    let picture = layout::layout(graph);
    let (width, height) = (picture.width, picture.height);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>What waits for what</title>\n\
         <style>\n{STYLE}</style>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path class=\"tip\" d=\"M0 0L10 5L0 10z\"/></marker></defs>\n\
         <rect class=\"page\" width=\"{width:.0}\" height=\"{height:.0}\"/>\n"
    );
    for line in &picture.lines {
        draw(line, &mut text);
    }
    for (address, placed) in &picture.boxes {
        write(&graph.nodes[address], placed, &mut text);
    }
    text.push_str("</svg>\n");
    text
}

fn draw(line: &Line, text: &mut String) {
    let (class, tip) = match line.edge {
        Edge::Waits => ("edge", " marker-end=\"url(#tip)\""),
        Edge::On => ("edge on", ""),
        Edge::Takes | Edge::Gate => ("edge takes", ""),
    };
    let mut path = String::new();
    for (number, (x, y)) in line.points.iter().enumerate() {
        let _ = match number.checked_sub(1).map(|last| line.points[last]) {
            None => write!(path, "M{x:.1} {y:.1}"),
            // Through a lane straight on, between columns with a bend.
            Some((_, last)) if (last - y).abs() < 0.05 => write!(path, "H{x:.1}"),
            Some((start, last)) => {
                let middle = f64::midpoint(start, *x);
                write!(path, "C{middle:.1} {last:.1} {middle:.1} {y:.1} {x:.1} {y:.1}")
            }
        };
    }
    let _ = writeln!(text, "<path class=\"{class}\" d=\"{path}\"{tip}/>");
}

fn write(node: &Node, placed: &Placed, text: &mut String) {
    let class = match node.role {
        Role::Rollout => "rollout",
        Role::Check => "check",
        Role::Host => "host",
        Role::Provider => "provider",
        Role::Resource => "resource",
    };
    let Placed { left, top, width, height, lines } = placed;
    let round = if matches!(node.role, Role::Rollout | Role::Check) { 14 } else { 4 };
    let instances: Vec<String> = node.instances.iter().map(ToString::to_string).collect();
    let _ = writeln!(
        text,
        "<g class=\"{class}\"><title>{}</title><rect class=\"box\" x=\"{left:.1}\" y=\"{top:.1}\" \
         width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round}\"/>",
        escaped(&instances.join("\n"))
    );
    let mut base = top + PADDING + LINE * 0.75;
    for (number, line) in lines.iter().enumerate() {
        let class = if number == 0 { " class=\"name\"" } else { "" };
        let _ = writeln!(text, "<text{class} x=\"{:.1}\" y=\"{base:.1}\">{}</text>", left + PADDING, escaped(line));
        base += LINE;
    }
    text.push_str("</g>\n");
}

/// Returns a text that is only text in XML and in HTML, with characters made visible that XML does not allow.
pub(crate) fn escaped(text: &str) -> String {
    let safe = tune_core::text::visible_lines(text, 4000);
    safe.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
