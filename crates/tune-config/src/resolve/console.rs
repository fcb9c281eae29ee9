//! Expressions that a person types, evaluated in the scope of a configuration.

use tune_core::text;

use super::{Missing, Resolution};
use crate::diagnostic::Diagnostics;
use crate::evaluate::{Budget, Evaluator, Scope};
use crate::module::{Module, lower_question};
use crate::reference;
use crate::syntax::lower::Output;
use crate::types::{Field, Type};
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

    /// Returns whether an expression is not whole yet, because something in it is still open at its end.
    pub fn goes_on(expression: &str) -> bool {
        crate::syntax::goes_on(expression)
    }

    /// Returns the value of an expression as the language writes it, over several lines where it has parts. Secrets are
    /// not shown.
    ///
    /// `type(…)` around it gives the type instead, as a `variable` takes it.
    pub fn evaluate(&self, expression: &str) -> Result<String, Diagnostics> {
        let resolution = &self.0;
        let mut sources = resolution.configuration.sources.clone();
        let file = sources.add("console".to_owned(), expression.to_owned());
        let mut output = Output::default();
        let question = lower_question(file, &sources, &mut output);
        let Output { arena, mut diagnostics, .. } = output;
        let mut shown = String::new();
        if let Some((root, asks_type)) = question {
            diagnostics.extend(reference::unknown_names_in(resolution.module, &arena, root));
            if diagnostics.is_empty() {
                let scope = Scope { names: &resolution.scopes[0].names, each: None, index: None };
                let mut budget = Budget::default();
                let mut evaluator = Evaluator::new(&arena, &resolution.files, scope, &mut budget, &mut diagnostics);
                let value = evaluator.evaluate(root.expr);
                if asks_type {
                    shown = type_of(&value).map_or(SECRET.to_owned(), |of_type| of_type.to_string());
                } else {
                    show(&value, 0, &mut shown);
                }
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

/// Returns the type that a value has, as narrow as it can be; `None` for a secret, whose parts would be named by it.
fn type_of(value: &Value) -> Option<Type> {
    if value.has_secret() {
        return None;
    }
    let parts = |items: &[Value]| items.iter().map(type_of).collect::<Option<Vec<_>>>();
    Some(match &value.data {
        Data::Null | Data::Poison => Type::Any,
        Data::Bool(_) => Type::Bool,
        Data::Number(_) => Type::Number,
        Data::String(_) => Type::String,
        Data::List(list) => {
            let items = parts(&list.items)?;
            one_for_all(&items).map_or(Type::Tuple(items), Type::list)
        }
        Data::Set(set) => Type::Set(Box::new(one_for_all(&parts(&set.items)?).unwrap_or(Type::Any))),
        Data::Map(map) if map.host.is_some() => Type::Host,
        Data::Map(map) => {
            let field = |of_type| Field { of_type, optional: false, default: Value::NULL };
            let fields = map.entries.iter().map(|(name, value)| Some((name.to_string(), field(type_of(value)?))));
            Type::Object(fields.collect::<Option<_>>()?)
        }
        Data::Unknown(of_type) => of_type.as_ref().clone(),
    })
}

/// Returns the type that all of them are.
fn one_for_all(types: &[Type]) -> Option<Type> {
    let Some((first, others)) = types.split_first() else { return Some(Type::Any) };
    let name = first.to_string();
    others.iter().all(|other| other.to_string() == name).then(|| first.clone())
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
    fn a_type_is_told_as_a_variable_takes_it() {
        check("type(1)", "number");
        check("type([1, 2])", "list(number)");
        check("type([1, \"a\"])", "tuple([number, string])");
        check("type(toset([\"a\"]))", "set(string)");
        check("type(local.sizes)", "object({ large = list(number), small = number })");
        check("type(null)", "any");
        check("type([])", "list(any)");
        check("type(host.a[\"x\"])", "host");
        check("type(var.given)", "any");
        check("type({ a = var.pw })", "(sensitive)");
        check("[type(1)]", "tune::config::unknown_function: the function `type` is not offered <type>");
    }

    #[test]
    fn what_is_open_goes_on() {
        for open in ["[1,", "{", "f(", "<<EOT", "<<-E\nx", "\"${", "/* a"] {
            assert!(Console::goes_on(open), "{open}");
        }
        for whole in ["", "1", "[1]", "<<EOT\nx\nEOT", "\"a", "1 +", ")", "# (", "\"(\"", "/* a */"] {
            assert!(!Console::goes_on(whole), "{whole}");
        }
    }

    #[test]
    fn what_is_not_known_or_a_secret_is_not_shown() {
        check("var.given", "(not known)");
        check("var.pw", "(sensitive)");
        check("{ a = var.pw }", "{\n  \"a\" = (sensitive)\n}");
        check("\"${var.pw}!\"", "(sensitive)");
        check("tolist([1, sensitive(2)])", "[\n  1,\n  (sensitive),\n]");
    }

    #[test]
    fn mistakes_are_reported_on_what_was_typed() {
        check("var.nmae", "tune::config::unknown_name: there is no variable `nmae` <var.nmae>");
        check("1 / 0", "tune::config::expression: a division by zero <0>");
        check("each.key", "tune::config::misplaced: `each` is used outside of a block with `for_each` <each.key>");
        check("1 +", "tune::config::syntax: a value is missing <+>");
        check("1e400", "tune::config::syntax: a number is out of range <e400>");
        check("[1e400]", "tune::config::syntax: a number is out of range <e400>");
        check("nope(1)", "tune::config::unknown_function: unknown function `nope` <nope>");
    }

    #[test]
    fn a_configuration_with_mistakes_has_no_console() {
        let files = BTreeMap::from([("main.tune.hcl".to_owned(), "locals { a = local.b }\n".to_owned())]);
        let module = load(&files, &Vocabulary::default(), "0.1.0");
        assert_eq!(Console::new(&module, &Inputs::default()).unwrap_err().list.len(), 1);
    }
}
