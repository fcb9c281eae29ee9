//! Calls of functions: what is the same for all of them, so that a function itself is only what it computes.

use std::collections::HashMap;

use super::{Evaluator, Scope};
use crate::code;
use crate::convert::{convert, given, text_of};
use crate::diagnostic::{Diagnostic, shown};
use crate::function::{Call, Failure, Function, Marks, Parameter, Run, Shape, Template};
use crate::source::Sources;
use crate::syntax::ir::ExprId;
use crate::syntax::lower::Output;
use crate::syntax::template::lower_whole;
use crate::types::Type;
use crate::value::{Data, Entries, Value};

impl Evaluator<'_> {
    pub(super) fn call(&mut self, function: &'static Function, ids: &[ExprId], expand: bool, id: ExprId) -> Value {
        if let Run::Lazy(run) = function.run {
            return run(self, ids, id);
        }
        let Some((arguments, ids)) = self.arguments(function, ids, expand, id) else { return Value::POISON };
        // Who moves elements as they are does not look into them.
        let work = |value: &Value| if function.marks == Marks::Parts { length(value) } else { value.weight() };
        if !self.spend(arguments.iter().map(work).fold(0, u64::saturating_add), id) {
            return Value::POISON;
        }
        let mut converted = Vec::with_capacity(arguments.len());
        let (mut wrong, mut unknown, mut sensitive) = (false, false, false);
        for (position, (argument, argument_id)) in arguments.iter().zip(&ids).enumerate() {
            let parameter = function.parameter(position);
            unknown |= argument.is_unknown() || (argument.has_unknown() && function.marks == Marks::Whole);
            sensitive |= match function.marks {
                Marks::Whole => argument.has_secret(),
                Marks::Parts => argument.sensitive,
                Marks::Own => false,
            };
            match self.argument(function, parameter, argument, *argument_id) {
                Some(value) => converted.push(value),
                None => wrong = true,
            }
        }
        if wrong {
            return Value::POISON;
        }
        if unknown {
            return Value::unknown(function.gives.as_type()).mark(sensitive);
        }
        let secret = arguments.iter().any(Value::has_secret);
        let mut call = Call { arguments: converted, files: self.files, secret, cost: 0 };
        let outcome = match function.run {
            Run::Eager(run) => run(&mut call),
            Run::Template(run) => run(&mut call).and_then(|template| self.whole_template(&template)),
            Run::Lazy(run) => return run(self, &ids, id),
        };
        if !self.spend(call.cost, id) {
            return Value::POISON;
        }
        let outcome = outcome.map(|value| if function.gives == Shape::Text { as_text(value) } else { value });
        match outcome {
            Ok(value) if self.spend(length(&value), id) => value.mark(sensitive),
            Ok(_) => Value::POISON,
            Err(failure) => {
                let at = failure.argument.and_then(|position| ids.get(position).copied()).unwrap_or(id);
                let message = format!("`{}` cannot be computed", function.name);
                self.fail(failure.code, at, message, failure.reason)
            }
        }
    }

    /// Evaluates all arguments, the last one element by element if it is followed by `...`.
    fn arguments(
        &mut self,
        function: &Function,
        ids: &[ExprId],
        expand: bool,
        id: ExprId,
    ) -> Option<(Vec<Value>, Vec<ExprId>)> {
        let mut arguments: Vec<Value> = ids.iter().map(|argument| self.evaluate(*argument)).collect();
        let mut ids = ids.to_vec();
        if expand && let (Some(last), Some(last_id)) = (arguments.pop(), ids.pop()) {
            match &last.data {
                Data::List(list) | Data::Set(list) => {
                    ids.extend(std::iter::repeat_n(last_id, list.items.len()));
                    arguments.extend(list.items.iter().map(|item| item.clone().mark(last.sensitive)));
                }
                Data::Unknown(_) => {
                    arguments.push(last);
                    ids.push(last_id);
                    // How many there will be is not known, so there is nothing to count.
                    return Some((arguments, ids));
                }
                Data::Poison => return None,
                _ => {
                    let label = format!("a list is needed before `...`, but this is {}", given(&last));
                    self.fail(code::ARGUMENT, last_id, format!("`{}` cannot be called", function.name), label);
                    return None;
                }
            }
            if let Some(wrong) = function.wrong_count(arguments.len()) {
                let span = self.arena.span(id);
                let label = format!("called with {}", arguments.len());
                let help = format!("write `{}`", function.signature());
                self.report(Diagnostic::error(code::ARGUMENT, span, wrong, label).help(help));
                return None;
            }
        }
        let poison = arguments.iter().any(|argument| match function.marks {
            Marks::Parts => argument.is_poison(),
            Marks::Whole | Marks::Own => argument.has_poison(),
        });
        (!poison).then_some((arguments, ids))
    }

    /// Evaluates a text that only its own variables have a meaning in. It stands in no file of the configuration, so a
    /// mistake in it is told at the call, with its position.
    fn whole_template(&mut self, template: &Template) -> Result<Value, Failure> {
        let mut sources = Sources::default();
        let file = sources.add(template.name.clone(), template.text.clone());
        let mut output = Output::default();
        let names: Vec<_> = template.variables.keys().cloned().collect();
        let mut diagnostics = Vec::new();
        let root = match lower_whole(file, &template.text, &names, &mut output) {
            Ok(root) => root,
            Err(mistake) => return Err(within_template(template, &sources, &mistake)),
        };
        let no_names = HashMap::new();
        let scope = Scope { names: &no_names, each: None, index: None };
        let mut inner = Evaluator::new(&output.arena, self.files, scope, self.budget, &mut diagnostics);
        inner.bound = template.variables.values().cloned().collect();
        let value = inner.evaluate(root.expr);
        match diagnostics.first() {
            Some(mistake) => Err(within_template(template, &sources, mistake)),
            None => Ok(value.mark(template.secret)),
        }
    }

    fn argument(&mut self, function: &Function, parameter: &Parameter, value: &Value, id: ExprId) -> Option<Value> {
        let message = || format!("`{}` cannot use its argument `{}`", function.name, parameter.name);
        if value.is_null() && parameter.nullable {
            return Some(value.clone());
        }
        if value.is_null() {
            self.fail(
                code::ARGUMENT,
                id,
                message(),
                format!("{} is needed, but this is `null`", parameter.takes.described()),
            );
            return None;
        }
        // Elements of lists and maps are looked at by the function itself, unless it wants them all of one type.
        let fits = match parameter.takes {
            Shape::Any => return Some(value.clone()),
            Shape::List => value.as_items().is_some() || may_be(value, is_list),
            Shape::Map => value.as_entries().is_some() || may_be(value, is_map),
            wanted => match convert(value, &wanted.as_type()) {
                Ok(converted) => return Some(converted),
                Err(mismatches) => {
                    let reason = mismatches.into_iter().next().map_or_else(String::new, |mismatch| mismatch.reason);
                    self.fail(code::ARGUMENT, id, message(), reason);
                    return None;
                }
            },
        };
        if fits {
            return Some(value.clone());
        }
        let label = format!("{} is needed, but this is {}", parameter.takes.described(), given(value));
        self.fail(code::ARGUMENT, id, message(), label);
        None
    }
}

fn within_template(template: &Template, sources: &Sources, mistake: &Diagnostic) -> Failure {
    let reason = match mistake.span().map(|span| sources.position(span)) {
        _ if template.secret => {
            "the template has a mistake, which is not shown because the template is a secret".to_owned()
        }
        Some((line, column)) => {
            let name = shown(&template.name);
            format!("line {line}, column {column} of {name}: {}", mistake.message)
        }
        None => mistake.message.clone(),
    };
    Failure { argument: Some(0), code: mistake.code, reason }
}

/// Returns a string, number or bool as text.
fn as_text(value: Value) -> Value {
    match text_of(&value) {
        Some(text) => Value::string(text).mark(value.sensitive),
        None => value,
    }
}

/// How many elements there are, without looking into them.
fn length(value: &Value) -> u64 {
    let items = value.as_items().map(<[Value]>::len);
    items.or(value.as_entries().map(Entries::len)).unwrap_or(0) as u64
}

fn may_be(value: &Value, fits: fn(&Type) -> bool) -> bool {
    matches!(&value.data, Data::Unknown(of) if matches!(**of, Type::Any) || fits(of))
}

fn is_list(of: &Type) -> bool {
    matches!(of, Type::List(_) | Type::Set(_) | Type::Tuple(_))
}

fn is_map(of: &Type) -> bool {
    matches!(of, Type::Map(_) | Type::Object(_) | Type::Host)
}
