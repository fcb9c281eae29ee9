//! What holds for every text: it is read without a panic and with bounded work, to the same outcome every time.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tune_core::Value;

use super::{resolve_files, resolve_text, shown};
use crate::Inputs;

/// Pieces that a configuration is made of.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "host", "resource", "variable", "locals", "output", "tune", "\"sysctl\"", "\"a\"", "a", "b", "\"b\"", "lifecycle",
    "validation", "for_each", "count", "depends_on", "settings", "value", "default", "type", "condition", "address",
    "connection", "sensitive", "required_version", "error_message", "= ", "=", "{", "}", "{\n", "}\n", "\n", "[", "]", "(",
    ")", ",", ".", "...", "?", ":", "=>", "for x in ", "for k, v in ", "if", "local.a", "var.a", "host.a", "sysctl.a",
    "each.key", "each.value", "count.index", "x", "k", "v", "[*]", ".*", ".0", "[0]", "\"", "${", "%{ if ", "%{ else }",
    "%{ endif }", "%{ for x in ", "%{ endfor }", "~}", "~", "<<EOT\n", "<<-EOT\n", "EOT\n", "\\", "\\n", "\\u00e9", "$${",
    "%%{", "1", "-1", "0.5", "1e9", "1e999", "99999999999999999999", "true", "false", "null", "+", "-", "*", "/", "%", "==",
    "!=", "<", ">=", "&&", "||", "!", "range(", "try(", "can(", "merge(", "format(", "jsondecode(", "sensitive(", "keys(",
    "toset(", "string", "list(", "object(", "optional(", "#", "//", "/*", "*/", "é", "\u{1b}", "\r\n", "\t", "::", "'",
    "\u{feff}", "data", "\"etcd\"", "check", "probe", "assert", "rollout", "provider", "\"cloud\"", "alias", "module", "dynamic",
    "content", "iterator", "labels", "\"disk\"", "\"vm\"", "precondition", "postcondition", "hosts", "members", "gates", "last",
    "settle", "max_unavailable", "source", "\"./m\"", "providers", "self", "self.a", "data.etcd.a", "probe.etcd.a", "check.a",
    "module.a", "path.module", "disk", "cloud", "cloud.a", "\"30s\"",
];

/// Blocks with holes, so that what is put into them gets as far as evaluation.
const AROUND: &[&str] = &[
    "provider \"cloud\" {\n  endpoint = \"e\"\n}\nresource \"vm\" \"a\" {\n  number = 1\n  HOLE\n  disk \"x\" {\n    HOLE\n  }\n}\n",
    "host \"a\" {\n  address = \"a\"\n}\ndata \"etcd\" \"a\" {\n  hosts = [host.a]\n  HOLE\n}\n",
    "host \"a\" {\n  address = \"a\"\n}\ncheck \"a\" {\n  probe \"etcd\" \"a\" {\n    hosts = [host.a]\n  }\n  assert {\n    HOLE\n  }\n}\n",
    "host \"a\" {\n  address = \"a\"\n}\nrollout \"a\" {\n  members = [host.a]\n  HOLE\n}\n",
    "module \"a\" {\n  source = \"./m\"\n  HOLE\n}\noutput \"o\" {\n  value = module.a.x\n}\n",
    "dynamic \"disk\" {\n  for_each = [1]\n  HOLE\n  content {\n    HOLE\n  }\n}\n",
];

/// Those pieces in any order.
fn soup() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(WORDS), 0..60).prop_map(|words| words.join(" "))
}

/// An expression of a random shape, most of them well formed.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "1", "-2.5", "0", "\"x\"", "\"\"", "true", "null", "[]", "{}", "local.a", "local.l", "local.m", "local.s",
        "each.key", "\"7\"",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(5, 40, 4, |inner| {
        let operator = prop::sample::select(vec!["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||"]);
        let function = prop::sample::select(vec![
            "length",
            "keys",
            "values",
            "flatten",
            "jsonencode",
            "jsondecode",
            "toset",
            "tolist",
            "tomap",
            "tostring",
            "try",
            "can",
            "merge",
            "concat",
            "max",
            "upper",
            "sensitive",
            "nonsensitive",
            "range",
            "distinct",
            "sort",
            "reverse",
        ]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (function, inner.clone()).prop_map(|(name, a)| format!("{name}({a})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{ k = {a}, \"l\" = {b} }}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
            inner.clone().prop_map(|a| format!("({a}).k")),
            inner.clone().prop_map(|a| format!("({a})[*].k")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[for x in {a} : [x, {b}]]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{ for k, v in {a} : k => {b} if v != 1 }}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("\"a${{{a}}} %{{ for x in {b} ~}} ${{x}}%{{ endfor }}\"")),
        ]
    })
}

pub(crate) fn core_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        "-?[1-9][0-9]{0,30}(\\.[0-9]{0,20}[1-9])?".prop_map(|text| Value::Number(text.parse().expect("a number"))),
        "\\PC{0,8}|[\"\\\\$%{}~\\n\\t\\r\\u{1b}a]{0,8}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::btree_map("\\PC{0,4}|[\"\\\\$%{}\\n]{0,4}", inner, 0..4).prop_map(Value::Map),
        ]
    })
}

fn outcome(hcl: &str) -> String {
    match resolve_text(hcl) {
        Ok(configuration) => format!("{configuration:?}"),
        Err(mistakes) => format!("{mistakes:?}"),
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(hcl in soup()) {
        outcome(&hcl);
        outcome(&format!("locals {{\n  a = {hcl}\n}}\n"));
        outcome(&format!("locals {{\n  a = \"{hcl}\"\n}}\n"));
        resolve_files(&[("main.tune.hcl", "variable \"a\" {}"), ("tune.vars.hcl", &hcl)], &Inputs::default()).ok();
    }

    #[test]
    fn no_text_in_a_block_makes_it_panic(words in soup(), expression in expression(), around in prop::sample::select(AROUND)) {
        let module = format!("variable \"x\" {{\n  default = 1\n}}\noutput \"x\" {{\n  value = {expression}\n}}\n{words}\n");
        for hole in [words.clone(), format!("x = {expression}\n"), format!("condition = {expression}\nerror_message = \"x\"\n")] {
            let hcl = around.replace("HOLE", &hole);
            let files = [("main.tune.hcl", hcl.as_str()), ("m/x.tune.hcl", module.as_str())];
            let once = super::first_level(&files);
            prop_assert_eq!(once, super::first_level(&files));
        }
    }

    #[test]
    fn no_characters_make_it_panic(hcl in "\\PC{0,40}|[\"\\\\$%{}~<>EOT\\n =a1.\\[\\]()]{0,40}") {
        outcome(&hcl);
        outcome(&format!("a {{\n{hcl}\n}}"));
    }

    #[test]
    fn an_expression_has_the_same_outcome_every_time(expression in expression()) {
        let hcl = format!(
            "locals {{\n  a = \"x\"\n  l = [1, \"b\", {{ k = 2 }}]\n  m = {{ x = 1, k = [3] }}\n  s = sensitive(\"q\")\n}}\n\
             output \"o\" {{\n  sensitive = true\n  value = {expression}\n}}\n\
             host \"h\" {{\n  for_each = {{ a = 1 }}\n  address = {expression}\n}}\n"
        );
        prop_assert_eq!(outcome(&hcl), outcome(&hcl));
    }

    #[test]
    fn a_mistake_always_has_a_place(hcl in soup()) {
        if let Err(mistakes) = resolve_text(&hcl) {
            prop_assert!(!mistakes.list.is_empty());
            for mistake in &mistakes.list {
                prop_assert!(mistake.span().is_some(), "{}", shown(&mistakes));
            }
        }
    }

    #[test]
    fn a_value_printed_as_hcl_is_the_same_value(value in core_value()) {
        let hcl = format!("output \"o\" {{\n  value = {value}\n}}\n");
        let back = resolve_text(&hcl).map(|configuration| configuration.outputs["o"].value.clone());
        prop_assert_eq!(back.map_err(|mistakes| shown(&mistakes)), Ok(value));
    }

    #[test]
    fn the_order_of_files_does_not_matter(texts in prop::collection::btree_map("[a-c]\\.tune\\.hcl", soup(), 1..3)) {
        let forwards: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let backwards: BTreeMap<_, _> = forwards.iter().rev().copied().collect();
        let shown = |files: &[(&str, &str)]| {
            resolve_files(files, &Inputs::default()).map(|it| format!("{:?}", it.resources)).map_err(|it| shown(&it))
        };
        prop_assert_eq!(shown(&forwards), shown(&backwards.into_iter().collect::<Vec<_>>()));
    }
}
