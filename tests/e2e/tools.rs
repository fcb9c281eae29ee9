//! What helps to write a configuration: `graph`, `schema` and `console`.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value as Json;

use crate::support::{Project, THIS};

const TWO: &str = "resource \"sysctl\" \"first\" {\n  host     = host.this\n  settings = { \"vm.swappiness\" = 7 }\n}\n\
                   resource \"sysctl\" \"second\" {\n  host       = host.this\n  settings   = { \"vm.dirty_ratio\" = 7 }\n  \
                   depends_on = [sysctl.first]\n}\n";

fn two() -> Project {
    Project::new(&format!("{THIS}{TWO}"))
}

#[test]
fn a_graph_is_printed_for_graphviz() {
    let project = two();
    let before = project.listing();
    let graph = project.run(&["graph"]).code(0).stdout;
    assert!(graph.starts_with("digraph tune {\n") && graph.ends_with("}\n"), "{graph}");
    assert!(graph.contains("  \"sysctl.second\" -> \"sysctl.first\" [style = \"solid\"];\n"), "{graph}");
    assert!(graph.contains("  \"sysctl.first\" -> \"host.this\" [style = \"dotted\"];\n"), "{graph}");
    assert_eq!(project.listing(), before);
    let broken = Project::new("locals { a = local.b }\n").run(&["graph"]).code(1);
    assert!(broken.stdout.is_empty() && broken.stderr.contains("unknown_name"), "{}", broken.stderr);
}

#[test]
fn a_graph_is_a_page_or_a_drawing_that_needs_nothing_else() {
    let project = two();
    let drawing = project.run(&["graph", "-svg=-"]).code(0).stdout;
    assert!(drawing.starts_with("<svg xmlns=") && drawing.contains("sysctl.second"), "{drawing}");
    assert_eq!(project.run(&["graph", "-html=order.html"]).code(0).stdout, "order.html\n");
    let page = std::fs::read_to_string(project.path().join("order.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains(&drawing), "{page}");
    for needs in ["<script", "src=", "href=", "url(http", "@import"] {
        assert!(!page.contains(needs), "{needs} in {page}");
    }
    let lost = project.run(&["graph", "-svg", "nowhere/x.svg"]).code(1).stderr;
    assert!(lost.contains("cannot write `nowhere/x.svg`"), "{lost}");
    let _ = project.run(&["graph", "-svg=a", "-html=b"]).code(1);
    assert_eq!(project.listing().len(), 2, "{:?}", project.listing().keys());
}

#[test]
fn a_schema_is_printed_for_programs() {
    let project = Project::empty();
    let all: Json = serde_json::from_str(&project.run(&["schema"]).code(0).stdout).unwrap();
    assert!(all["resources"]["sysctl"]["attributes"]["properties"]["settings"].is_object(), "{all}");
    assert!(all["sources"]["tcp"]["answer"]["properties"]["open"].is_object(), "{all}");
    let one: Json = serde_json::from_str(&project.run(&["schema", "sysctl"]).code(0).stdout).unwrap();
    assert_eq!(one["resources"]["sysctl"], all["resources"]["sysctl"]);
    assert_eq!((one["resources"].as_object().unwrap().len(), &one["sources"]), (1, &serde_json::json!({})));
    let wrong = project.run(&["schema", "sysctk"]).code(1).stderr;
    assert!(wrong.contains("did you mean `sysctl`?"), "{wrong}");
}

#[test]
fn a_console_evaluates_what_it_reads() {
    let check = |typed: &str, code: i32, stdout: &str, stderr: &str| {
        let project = Project::new("variable \"a\" { default = \"elk\" }\nvariable \"b\" {}\nlocals { c = [1, 2] }\n");
        let mut command = project.command();
        let command = command.arg("console").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Whoever says `exit` may be gone before everything was typed.
        let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
        let output = child.wait_with_output().unwrap();
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!((output.status.code(), said.as_ref()), (Some(code), stdout), "{typed}: {complained}");
        assert!(complained.contains(stderr) && complained.is_empty() == stderr.is_empty(), "{typed}: {complained}");
    };
    check("upper(var.a)\n\n# a comment\nlocal.c\n", 0, "\"ELK\"\n[\n  1,\n  2,\n]\n", "");
    check("1 + 1", 0, "2\n", "");
    check("var.b\nexit\n1 / 0\n", 0, "(not known)\n", "");
    check("var.x\n1\n", 1, "1\n", "there is no variable `x`");
    check("1 +\n", 1, "", "console:1");
    check("[1,\n\n2]\ntype(local.c)\n", 0, "[\n  1,\n  2,\n]\nlist(number)\n", "");
    check("<<-EOT\n  ${var.a}\n    x\n  EOT\n1\n", 0, "\"elk\\n  x\\n\"\n1\n", "");
    check("1\n[2,\n", 1, "1\n", "`[` is not closed");
    check("", 0, "", "");
}
