//! Expressions that the comparison with Terraform in `function` cannot hold: templates over several lines, what is
//! never evaluated, and limits.

use std::collections::{BTreeMap, HashMap};

use super::{good, mistakes, shown};
use crate::evaluate::{Budget, Evaluator, Scope};
use crate::source::Sources;
use crate::syntax::lower::{Lowering, Output};
use crate::syntax::parse::parse_expression;
use crate::value::Value;

/// Evaluates an expression with a budget and returns its value and what was reported.
fn evaluate(expression: &str, steps: u64) -> (Value, Vec<String>) {
    let mut sources = Sources::default();
    let file = sources.add("x".to_owned(), expression.to_owned());
    let mut output = Output::default();
    let parsed = parse_expression(file, expression).expect("the expression is well formed");
    let root = Lowering::new(file, expression, &HashMap::new(), &mut output).root(&parsed);
    let (names, files, mut budget) = (HashMap::new(), BTreeMap::<String, String>::new(), Budget::of(steps));
    let scope = Scope { names: &names, each: None, index: None };
    let value = Evaluator::new(&output.arena, &files, scope, &mut budget, &mut output.diagnostics).evaluate(root.expr);
    (value, output.diagnostics.into_iter().map(|mistake| mistake.message).collect())
}

/// The lines that `line` gives for every level.
fn levels(range: std::ops::Range<u32>, line: impl Fn(u32) -> String) -> String {
    range.map(line).collect::<Vec<_>>().concat()
}

/// The value of the output `x`.
fn check(hcl: &str, expect: &str) {
    assert_eq!(good(hcl).outputs["x"].value.to_string(), expect);
}

/// Templates and what Terraform 1.11 makes of them; `l` is `["a", "b"]`, `x` is `X` and `y` is ` Y `.
#[rustfmt::skip]
const TEMPLATES: &[(&str, &str)] = &[
    ("<<-EOT
    hi ${local.x}
    %{ for i in local.l }
        - ${i}
    %{ endfor }
  end
    EOT", "  hi X\n  \n      - a\n  \n      - b\n  \nend\n"),
    ("<<-EOT
    hi
    %{ for i in local.l ~}
      - ${i}
    %{ endfor ~}
    end
    EOT", "hi\n      - a\n      - b\n    end\n"),
    ("<<EOT
  a   ${~ local.x ~}   

     b
EOT", "  aX\n     b\n"),
    ("<<-EOT

      a
    ${local.x}
   
    b
    EOT", "\n  a\nX\n   \nb\n"),
    (r#""a  ${~ local.x ~}  \n\n  b""#, "aXb"),
    (r#""a $${x} %%{x} $$${local.x} $ % $$ {x} $$$${x} $""#, "a ${x} %{x} $${local.x} $ % $$ {x} $$${x} $"),
    (r#""%{ if true }a\tb\"c\"%{ else }z%{ endif }""#, "a\tb\"c\""),
    ("<<EOT
EOT", ""),
    (r#"<<EOT
a \n $${x} \"
EOT"#, "a \\n ${x} \\\"\n"),
    ("<<-EOT
  a
 	b
    EOT", "a\nb\n"),
    ("<<EOT
%{ if true ~}
  yes
%{ else ~}
  no
%{ endif ~}
tail
EOT", "  yes\ntail\n"),
    ("<<-EOT
      ${local.x} a
        b
      EOT", "X a\n  b\n"),
    ("<<-EOT
        a ${local.x}
          b
      c
  EOT", "  a X\n    b\nc\n"),
    ("<<EOT
  ~ ${local.y ~} ${~ local.y}

  q
EOT", "  ~  Y  Y \n\n  q\n"),
    (r#""${local.x ~}\n\n  b ${~ local.x}""#, "XbX"),
    ("<<-EOT
  a
    EOTX
  EOT", "a\n  EOTX\n"),
    (r#""${~ local.y ~}""#, " Y "),
    (r#""  ${~ "  z  " ~}  ""#, "  z  "),
    ("<<-EOT
  a

  b

  EOT", "a\n\nb\n\n"),
];

#[test]
fn templates_are_what_terraform_makes_of_them() {
    for (template, expect) in TEMPLATES {
        let hcl = format!(
            "locals {{\n  l = [\"a\", \"b\"]\n  x = \"X\"\n  y = \" Y \"\n}}\noutput \"x\" {{\n  value = {template}\n}}\n"
        );
        assert_eq!(good(&hcl).outputs["x"].value.as_str(), Some(*expect), "{template}");
    }
}

#[test]
fn a_windows_line_break_is_a_line_break() {
    check("output \"x\" {\r\n  value = <<-EOT\r\n    a\r\n      b\r\n    EOT\r\n}\r\n", "\"a\\r\\n  b\\r\\n\"");
}

#[test]
fn a_byte_order_mark_is_no_mistake() {
    check("\u{feff}output \"x\" {\n  value = 1\n}\n", "1");
}

#[test]
fn what_is_not_needed_is_not_evaluated() {
    check(
        "output \"x\" {\n  value = [false && 1 / 0 > 0, true || 1 / 0 > 0, true ? 1 : 1 / 0]\n}\n",
        "[false, true, 1]",
    );
}

#[test]
fn a_reference_gives_a_part_of_what_was_written() {
    check(
        r#"
        host "h" {
          for_each   = toset(["a", "b"])
          connection = "local"
        }
        resource "sysctl" "s" {
          count    = 2
          host     = host.h["a"]
          settings = { "vm.swappiness" = 10 + count.index }
        }
        output "x" {
          value = [sysctl.s[1].settings["vm.swappiness"], sysctl.s[*].host.name, sysctl.s[0].drop_in, keys(host.h), host.h.b.key]
        }
        "#,
        r#"[11, ["a", "a"], null, ["a", "b"], "b"]"#,
    );
}

#[test]
fn variables_of_nested_loops_do_not_mix() {
    check(
        r#"
        output "x" {
          value = [for a in ["x", "y"] : [for i, b in [a, "${a}z"] : "${i}${b}${join("", [for a in [b] : "<${a}>"])}${a}"]]
        }
        "#,
        r#"[["0x<x>x", "1xz<xz>x"], ["0y<y>y", "1yz<yz>y"]]"#,
    );
}

#[test]
fn work_is_limited() {
    let (value, messages) =
        evaluate("[for a in range(100) : [for b in range(100) : [for c in range(100) : a]]]", 10_000);
    assert!(value.has_poison());
    assert_eq!(messages, ["the configuration takes too many steps to evaluate"]);
    let (value, messages) = evaluate("[for a in range(100) : a + 1]", 10_000);
    assert!(!value.has_poison() && messages.is_empty());
}

#[test]
fn a_spent_budget_cannot_be_caught() {
    let (value, messages) = evaluate("try([for a in range(1000) : a], 5)", 1_500);
    assert!(value.is_poison());
    assert_eq!(messages.len(), 1);
}

#[test]
fn sharing_does_not_hide_how_large_a_value_is() {
    let levels = levels(1..40, |level| format!("  l{level} = [local.l{0}, local.l{0}]\n", level - 1));
    let hcl = format!("locals {{\n  l0 = [1]\n{levels}}}\noutput \"x\" {{\n  value = jsonencode(local.l39)\n}}\n");
    assert_eq!(shown(&mistakes(&hcl)), "budget «[local.l19, local.l19]» a value is too large");
}

#[test]
fn nesting_is_limited_across_local_values() {
    let levels = levels(1..300, |level| format!("  l{level:03} = [local.l{:03}]\n", level - 1));
    let hcl = format!("locals {{\n  l000 = [1]\n{levels}}}\n");
    assert_eq!(shown(&mistakes(&hcl)), "budget «[local.l099]» a value is nested too deeply");
}

#[test]
fn a_long_chain_of_references_needs_no_deep_stack() {
    let levels = levels(1..20_000, |level| format!("  l{level} = local.l{}\n", level - 1));
    check(&format!("locals {{\n  l0 = 1\n{levels}}}\noutput \"x\" {{\n  value = local.l19999\n}}\n"), "1");
}

#[test]
fn the_deepest_expressions_can_be_evaluated() {
    let nested = |open: &str, close: &str, depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    let deep = [
        nested("[", "]", 60),
        nested("max(", ")", 60),
        nested("try(", ")", 60),
        nested("{ a = ", " }", 60),
        nested("(true ? ", " : 2)", 30),
        nested("\"${", "}\"", 60),
        nested("[for x in [1] : ", "]", 60),
        nested("-(", ")", 30),
        format!("1{}", " + 1".repeat(128)),
    ];
    for expression in deep {
        let outcome = super::resolve_text(&format!("output \"x\" {{\n  value = {expression}\n}}\n"));
        assert_eq!(outcome.map_err(|mistakes| shown(&mistakes)).map(|_| ()), Ok(()), "{expression}");
    }
}

#[test]
fn what_is_nested_deeper_than_the_parser_goes_is_refused_with_reason() {
    let hcl = format!("output \"x\" {{\n  value = 1{}\n}}\n", " + 1".repeat(129));
    assert_eq!(shown(&mistakes(&hcl)), "budget «+» more than 128 operators in one expression");
}
