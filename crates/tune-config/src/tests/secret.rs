//! A secret is in no text that anybody sees.

use super::{resolve_files, shown};
use crate::{Argument, Configuration, Diagnostics, Inputs};

const SECRET: &str = "hunter2";

/// Returns everything that can be printed about the outcome.
fn everything(outcome: Result<Configuration, Diagnostics>) -> String {
    let (printed, sources) = match outcome {
        Ok(configuration) => (format!("{configuration:?}"), configuration.sources),
        Err(mistakes) => (format!("{}\n{mistakes:?}", shown(&mistakes)), mistakes.sources),
    };
    sources.iter().fold(printed, |all, (_, source)| all + &source.text)
}

#[test]
fn no_secret_shows_anywhere() {
    let sources = [
        "variable \"s\" {\n  sensitive = true\n  default = \"hunter2\"\n}\n",
        "variable \"s\" {\n  sensitive = true\n  type = number\n  default = \"hunter2\"\n}\n",
        "variable \"s\" {\n  sensitive = true\n  type = list(number)\n  default = [1, \"hunter2\"]\n}\n",
        "locals {\n  s = sensitive(\"hunter2\")\n}\nvariable \"s\" {\n  default = 1\n}\n",
    ];
    let uses = [
        "",
        "var.s + 1",
        "\"${var.s}\" + 1",
        "{ a = 1 }[var.s]",
        "[1][var.s]",
        "{ a = 1, (var.s) = 2 }.b",
        "{ for x in [var.s, var.s] : x => 1 }",
        "[for x in var.s : x]",
        "tonumber(var.s)",
        "jsondecode(var.s)",
        "parseint(var.s, 10)",
        "file(var.s)",
        "format(\"%d\", var.s)",
        "cidrhost(var.s, 1)",
        "var.s ? 1 : 2",
        "!var.s",
        "var.s && true",
        "var.s.x",
        "substr(var.s, 0, 9)",
        "toset([var.s])",
        "keys({ (var.s) = 1 })",
        "element(split(\"\", var.s), 0)",
        "try(var.s.x, var.s)",
        "regex(var.s, \"x\")",
        "regex(\"x\", var.s)",
        "replace(var.s, \"/h/\", \"\")",
        "yamldecode(var.s)",
        "csvdecode(var.s)",
        "formatdate(var.s, var.s)",
        "timeadd(var.s, var.s)",
        "uuidv5(var.s, \"x\")",
        "cidrsubnets(var.s, 1)",
        "templatestring(var.s, {})",
        "templatestring(\"$${s.x}\", { s = var.s })",
        "templatestring(\"$${s}\", { (var.s) = 1 })",
        "templatestring(\"$${nope(\\\"${var.s}\\\")}\", {})",
        "templatefile(var.s, {})",
        "fileset(var.s, var.s)",
        "setproduct([var.s], [1])",
        "setunion([var.s], [var.s])",
        "transpose({ (var.s) = [var.s] })",
        "matchkeys([1], [var.s], [var.s])",
        "formatlist(\"%d\", [var.s])",
        "one([var.s, var.s])",
        "sum([var.s])",
        "textdecodebase64(var.s, var.s)",
    ];
    for source in sources {
        for used in uses {
            let (what, name) = if source.contains("locals") {
                (used.replace("var.s", "local.s"), "local.s")
            } else {
                (used.to_owned(), "var.s")
            };
            let value = if what.is_empty() { "1".to_owned() } else { what };
            let hcl = format!(
                "{source}output \"open\" {{\n  value = {value}\n}}\noutput \"o\" {{\n  sensitive = true\n  value = {value}\n}}\nhost \"h\" {{\n  for_each = {{ a = {value} }}\n  address = each.value\n}}\nhost \"i\" {{\n  count = {name}\n  address = \"x\"\n}}\nresource \"sysctl\" \"a\" {{\n  for_each = toset([\"${{{value}}}\"])\n  host = host.h[\"a\"]\n  settings = {{ \"${{{name}}}\" = {value} }}\n}}\n"
            );
            let printed = everything(resolve_files(&[("main.tune.hcl", &hcl)], &Inputs::default()));
            assert!(!printed.contains(SECRET), "{hcl}\n=>\n{printed}");
        }
    }
}

#[test]
fn no_value_that_was_given_for_a_secret_shows() {
    let declarations = [
        "variable \"s\" {\n  sensitive = true\n}\n",
        "variable \"s\" {\n  sensitive = true\n  type = number\n}\n",
        "variable \"s\" {\n  sensitive = true\n  type = list(string)\n}\n",
        "variable \"s\" {\n  sensitive = true\n  validation {\n    condition = var.s == 1\n    error_message = \"not ${var.s}\"\n  }\n}\n",
    ];
    // Whatever a person may type, right or wrong.
    let texts = [
        "hunter2",
        "\"hunter2\"",
        "[hunter2",
        "[\"hunter2\"]",
        "hunter2(1)",
        "{ a = hunter2 }",
        "\"${hunter2}\"",
        "'hunter2'",
    ];
    for declaration in declarations {
        for text in texts {
            let main = [("main.tune.hcl", declaration)];
            let file = format!("s = {text}\n");
            let argument = Argument::Variable { name: "s".to_owned(), text: text.to_owned() };
            let outside = Argument::File { name: "v.hcl".to_owned(), text: file.clone() };
            let named = [("s".to_owned(), text.to_owned())];
            let outcomes = [
                resolve_files(&main, &Inputs { arguments: vec![argument], ..Inputs::default() }),
                resolve_files(&main, &Inputs { arguments: vec![outside], ..Inputs::default() }),
                resolve_files(&main, &Inputs { environment: named.clone().into(), ..Inputs::default() }),
                resolve_files(&main, &Inputs { answers: named.into(), ..Inputs::default() }),
                resolve_files(&[main[0], ("tune.vars.hcl", &file)], &Inputs::default()),
            ];
            for outcome in outcomes {
                let printed = everything(outcome);
                assert!(!printed.contains(SECRET), "{declaration}{text}\n=>\n{printed}");
            }
        }
    }
}

#[test]
fn a_mark_can_be_taken_off() {
    let hcl = "variable \"s\" {\n  default = \"abc\"\n  sensitive = true\n}\noutput \"o\" {\n  value = nonsensitive(length(var.s))\n}\n";
    let configuration = resolve_files(&[("main.tune.hcl", hcl)], &Inputs::default()).expect("a good configuration");
    assert_eq!(configuration.outputs["o"].value, tune_core::Value::from(3));
    assert!(configuration.variables["s"].sensitive);
}

#[test]
fn no_secret_shows_in_what_is_read_and_rolled() {
    let start =
        "variable \"s\" {\n  sensitive = true\n  default = \"hunter2\"\n}\nhost \"h\" {\n  address = \"h\"\n}\n";
    let texts = [
        "provider \"cloud\" {\n  endpoint = \"e\"\n  token = var.s\n}\nresource \"vm\" \"a\" {\n  number = 1\n}\n",
        "provider \"cloud\" {\n  endpoint = var.s\n}\n",
        "provider \"cloud\" {\n  endpoint = \"e\"\n  token = [var.s]\n}\n",
        "data \"etcd\" \"a\" {\n  hosts = [host.h]\n  port = var.s\n}\n",
        "provider \"cloud\" {\n  endpoint = \"e\"\n}\ndata \"nodes\" \"a\" {\n  pool = var.s\n}\n",
        "check \"c\" {\n  probe \"ssh\" \"p\" {\n    host = host.h\n    command = [var.s]\n  }\n  assert {\n    condition = probe.ssh.p.output == var.s\n    error_message = var.s\n  }\n}\n",
        "check \"c\" {\n  assert {\n    condition = var.s == \"x\"\n    error_message = \"not ${var.s}\"\n  }\n}\n",
        "rollout \"r\" {\n  members = [host.h]\n  settle = var.s\n  max_unavailable = var.s\n  on_failure = var.s\n  last = [var.s]\n}\n",
        "rollout \"r\" {\n  members = [var.s]\n}\n",
        "resource \"sysctl\" \"a\" {\n  host = host.h\n  settings = {}\n  lifecycle {\n    accept = [var.s]\n    precondition {\n      condition = var.s\n      error_message = var.s\n    }\n  }\n}\n",
        "provider \"cloud\" {\n  endpoint = \"e\"\n}\nresource \"vm\" \"a\" {\n  number = 1\n  dynamic \"disk\" {\n    for_each = [1]\n    labels = [var.s]\n    content {\n      cache = var.s\n    }\n  }\n}\n",
        "module \"m\" {\n  source = \"./m\"\n  a = var.s\n}\noutput \"o\" {\n  value = module.m.a\n}\nresource \"sysctl\" \"a\" {\n  host = host.h\n  settings = { a = module.m.a }\n}\n",
        "module \"m\" {\n  source = \"./m\"\n  a = 1\n  b = var.s\n  for_each = { (var.s) = 1 }\n}\n",
    ];
    let module = "variable \"a\" {}\nvariable \"b\" {\n  type = number\n  default = 1\n}\noutput \"a\" {\n  value = \"${var.a}!\"\n}\n";
    for text in texts {
        let main = format!("{start}{text}");
        let printed = super::first_level(&[("main.tune.hcl", &main), ("m/x.tune.hcl", module)]);
        assert!(!printed.contains(SECRET), "{text}\n=>\n{printed}");
    }
}
