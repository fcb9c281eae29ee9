use std::collections::BTreeMap;

use tune_config::{Inputs, Vocabulary};

use super::layout::layout;
use super::*;
use crate::kinds;

const CLUSTER: &str = r#"
locals {
  members = toset(["a", "b"])
}
host "vm" {
  for_each = local.members
  address  = "vm-${each.key}"
  user     = "root"
}
host "db" {
  address = "db"
  become  = "sudo"
}
resource "sysctl" "first" {
  for_each = host.vm
  host     = each.value
  settings = { "vm.swappiness" = 7 }
}
resource "sysctl" "second" {
  host       = host.db
  settings   = { "vm.swappiness" = 7 }
  depends_on = [sysctl.first]
}
resource "sysctl" "a_third" {
  host       = host.vm["a"]
  settings   = { "vm.dirty_ratio" = 7 }
  depends_on = [sysctl.first, sysctl.second]
}
check "up" {
  probe "tcp" "ssh" {
    address = "db"
    port    = 22
  }
  assert {
    condition     = probe.tcp.ssh.open
    error_message = "no"
  }
}
rollout "vm" {
  members = values(host.vm)
  gates   = [check.up]
}
"#;

fn graph_of(text: &str) -> Graph {
    let files = BTreeMap::from([("main.tune.hcl".to_owned(), text.to_owned())]);
    let (kinds, sources) = (kinds::all(), kinds::sources(std::path::Path::new(".")));
    let vocabulary = Vocabulary {
        kinds: kinds.values().map(|kind| kind.schema()).collect(),
        sources: sources.values().map(|source| crate::project::source_schema(&**source)).collect(),
        providers: kinds::providers(),
    };
    let configuration = tune_config::check(&tune_config::load(&files, &vocabulary, "0.1.0"), &Inputs::default());
    graph(&configuration.unwrap(), &kinds)
}

#[test]
fn a_block_is_one_node_and_what_follows_from_other_edges_is_left_out() {
    let graph = graph_of(CLUSTER);
    let edges: Vec<String> = graph.edges.iter().map(|((from, to), edge)| format!("{from} {edge:?} {to}")).collect();
    assert_eq!(
        edges,
        [
            "rollout.vm Gate check.up",
            "rollout.vm Takes host.vm",
            "sysctl.a_third On host.vm",
            "sysctl.a_third Waits sysctl.second",
            "sysctl.first On host.vm",
            "sysctl.second On host.db",
            "sysctl.second Waits sysctl.first",
        ]
    );
    let first = &graph.nodes[&Address::new("sysctl", "first")];
    assert_eq!(first.instances.len(), 2);
    let note = |kind: &str, name: &str| graph.nodes[&Address::new(kind, name)].notes.join(", ");
    assert_eq!(note("host", "db"), "ssh db, sudo");
    assert_eq!(note("rollout", "vm"), "at most 1 down, waits for check.up, 1. vm[\"a\"], 2. vm[\"b\"]");
}

#[test]
fn the_picture_goes_from_left_to_right_and_nothing_overlaps() {
    let picture = layout(&graph_of(CLUSTER));
    let left = |kind: &str, name: &str| picture.boxes[&Address::new(kind, name)].left;
    let order = [left("rollout", "vm"), left("host", "vm"), left("sysctl", "first"), left("sysctl", "second")];
    assert!(order.is_sorted_by(|one, other| one < other), "{order:?}");
    for (address, one) in &picture.boxes {
        assert!(one.left + one.width < picture.width && one.top + one.height < picture.height, "{address}");
        for (other_address, other) in picture.boxes.iter().filter(|(other, _)| *other != address) {
            let apart = one.left + one.width <= other.left
                || other.left + other.width <= one.left
                || one.top + one.height <= other.top
                || other.top + other.height <= one.top;
            assert!(apart, "{address} and {other_address}");
        }
    }
    for line in &picture.lines {
        assert!(line.points.is_sorted_by(|one, other| one.0 <= other.0), "{line:?}");
    }
    // `sysctl.a_third` stands on a host that is three columns away: that line has lanes.
    assert!(picture.lines.iter().any(|line| line.points.len() > 2));
}

#[test]
fn nothing_at_all_can_be_drawn() {
    let empty = graph_of("");
    assert_eq!(empty, Graph::default());
    assert!(dot(&empty).ends_with("}\n") && svg(&empty).ends_with("</svg>\n") && page(&empty, "x").contains("<svg"));
}

#[test]
fn a_circle_still_has_a_picture() {
    let mut graph = Graph::default();
    let (a, b) = (Address::new("sysctl", "a"), Address::new("sysctl", "b"));
    graph.add(Role::Resource, &a);
    graph.add(Role::Resource, &b);
    graph.connect(&a, &b, Edge::Waits);
    graph.connect(&b, &a, Edge::Waits);
    assert_eq!(layout(&graph).boxes.len(), 2);
}

#[test]
fn what_a_configuration_says_is_text_in_every_form() {
    let graph =
        graph_of("host \"h\" {\n  for_each = toset([\"\\\"<script>&\\\\\\u0007\", \"b\"])\n  address = \"x\"\n}\n");
    for drawn in [svg(&graph), page(&graph, "</title><script>")] {
        assert!(!drawn.contains("<script") && !drawn.contains('\u{7}'), "{drawn}");
        assert!(drawn.contains("&lt;script&gt;&amp;"), "{drawn}");
    }
    let mut hostile = Graph::default();
    hostile.add(Role::Provider, &Address::new("provider", "x").with_name("a\"]; evil \\"));
    let drawn = dot(&hostile);
    // Between the first quote and the label's end no quote ends the text early.
    assert!(drawn.contains(r#"label = "provider.x[\"a\\\"]; evil \\\\\"]""#), "{drawn}");
}
