//! Expressions that a person types, evaluated in the scope of a configuration.

use tune_core::text;

use super::{Missing, Resolution};
use crate::diagnostic::Diagnostics;
use crate::evaluate::{Budget, Evaluator, Scope};
use crate::module::{Module, lower_expression};
use crate::reference;
use crate::syntax::lower::Output;
use crate::value::{Data, Value};
use crate::variable::Inputs;

/// How a value is shown that is a secret.
const SECRET: &str = "(sensitive)";
/// How a value is shown that has not been given or read.
const UNKNOWN: &str = "(not known)";

/// A configuration in which expressions are evaluated. Nothing is read: what comes from `data`, or from a variable
/// without a value, is not known.
pub struct Console<'a>(Resolution<'a>);

impl<'a> Console<'a> {
    /// Evaluates the configuration as far as [`crate::check`] does; every mistake in it is an error.
    pub fn new(module: &'a Module<'a>, inputs: &Inputs) -> Result<Self, Diagnostics> {
        let resolution = Resolution::evaluated(module, inputs, Missing::Unknown, None);
        let sources = resolution.configuration.sources.clone();
        let diagnostics = Diagnostics::new(resolution.diagnostics.clone(), sources);
        if diagnostics.has_errors() { Err(diagnostics) } else { Ok(Self(resolution)) }
    }

    /// Returns the value of an expression as the language writes it, over several lines where it has parts. Secrets are
    /// not shown.
    pub fn evaluate(&self, expression: &str) -> Result<String, Diagnostics> {
        let resolution = &self.0;
        let mut sources = resolution.configuration.sources.clone();
        let file = sources.add("console".to_owned(), expression.to_owned());
        let mut output = Output::default();
        let root = lower_expression(file, &sources, &mut output);
        let Output { arena, mut diagnostics, .. } = output;
        let mut shown = String::new();
        if let Some(root) = root {
            diagnostics.extend(reference::unknown_names_in(resolution.module, &arena, root));
            if diagnostics.is_empty() {
                let scope = Scope { names: &resolution.scopes[0].names, each: None, index: None };
                let mut budget = Budget::default();
                let mut evaluator = Evaluator::new(&arena, &resolution.files, scope, &mut budget, &mut diagnostics);
                let value = evaluator.evaluate(root.expr);
                show(&value, 0, &mut shown);
            }
        }
        if diagnostics.is_empty() { Ok(shown) } else { Err(Diagnostics::new(diagnostics, sources)) }
    }
}

/// Names nothing of what it holds: any of it may be a secret.
impl std::fmt::Debug for Console<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").finish_non_exhaustive()
    }
}

fn show(value: &Value, depth: usize, shown: &mut String) {
    if value.sensitive {
        return shown.push_str(SECRET);
    }
    match &value.data {
        Data::List(items) => sequence("[", &items.items, "]", depth, shown),
        Data::Set(items) => sequence("toset([", &items.items, "])", depth, shown),
        Data::Map(map) if map.entries.is_empty() => shown.push_str("{}"),
        Data::Map(map) => {
            shown.push_str("{\n");
            for (key, value) in &map.entries {
                indent(depth + 1, shown);
                shown.push_str(&text::quoted(key));
                shown.push_str(" = ");
                show(value, depth + 1, shown);
                shown.push('\n');
            }
            indent(depth, shown);
            shown.push('}');
        }
        _ if value.is_unknown() || value.is_poison() => shown.push_str(UNKNOWN),
        _ => shown.push_str(&value.to_core().to_string()),
    }
}

fn sequence(start: &str, items: &[Value], end: &str, depth: usize, shown: &mut String) {
    shown.push_str(start);
    for item in items {
        shown.push('\n');
        indent(depth + 1, shown);
        show(item, depth + 1, shown);
        shown.push(',');
    }
    if !items.is_empty() {
        shown.push('\n');
        indent(depth, shown);
    }
    shown.push_str(end);
}

fn indent(depth: usize, shown: &mut String) {
    shown.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Vocabulary, load};
    use std::collections::BTreeMap;

    const TEXT: &str = "\
variable \"name\" { default = \"elk\" }
variable \"given\" {}
variable \"pw\" {
  default   = \"hunter2\"
  sensitive = true
}
locals { sizes = { small = 1, large = [10, 20] } }
host \"a\" {
  for_each = toset([\"x\"])
  address  = each.key
}
";

    #[track_caller]
    fn check(expression: &str, expect: &str) {
        let files = BTreeMap::from([("main.tune.hcl".to_owned(), TEXT.to_owned())]);
        let module = load(&files, &Vocabulary::default(), "0.1.0");
        let console = Console::new(&module, &Inputs::default()).unwrap();
        let said = match console.evaluate(expression) {
            Ok(shown) => shown,
            Err(mistakes) => {
                let shown = mistakes.list.iter().map(|mistake| {
                    let marked = mistake.span().map(|span| mistakes.sources.marked(span).to_owned());
                    format!("{}: {} <{}>", mistake.code, mistake.message, marked.unwrap_or_default())
                });
                shown.collect::<Vec<_>>().join("\n")
            }
        };
        assert_eq!(said, expect, "{expression}");
    }

    #[test]
    fn expressions_have_the_values_of_the_configuration() {
        check("1 + 2", "3");
        check("upper(var.name)", "\"ELK\"");
        check("local.sizes", "{\n  \"large\" = [\n    10,\n    20,\n  ]\n  \"small\" = 1\n}");
        check("[]", "[]");
        check("toset([\"b\", \"a\"])", "toset([\n  \"a\",\n  \"b\",\n])");
        check("host.a[\"x\"].address", "\"x\"");
        check("[for k, h in host.a : k]", "[\n  \"x\",\n]");
        check("null", "null");
    }

    #[test]
    fn what_is_not_known_or_a_secret_is_not_shown() {
        check("var.given", "(not known)");
        check("var.pw", "(sensitive)");
        check("{ a = var.pw }", "{\n  \"a\" = (sensitive)\n}");
        check("\"${var.pw}!\"", "(sensitive)");
    }

    #[test]
    fn mistakes_are_reported_on_what_was_typed() {
        check("var.nmae", "tune::config::unknown_name: there is no variable `nmae` <var.nmae>");
        check("1 / 0", "tune::config::expression: a division by zero <0>");
        check("each.key", "tune::config::misplaced: `each` is used outside of a block with `for_each` <each.key>");
        check("nope(1)", "tune::config::unknown_function: unknown function `nope` <nope>");
    }

    #[test]
    fn a_configuration_with_mistakes_has_no_console() {
        let files = BTreeMap::from([("main.tune.hcl".to_owned(), "locals { a = local.b }\n".to_owned())]);
        let module = load(&files, &Vocabulary::default(), "0.1.0");
        assert_eq!(Console::new(&module, &Inputs::default()).unwrap_err().list.len(), 1);
    }
}
