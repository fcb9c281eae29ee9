//! Attributes, indices and splats.

use super::Evaluator;
use crate::code;
use crate::convert::{given, number_of, text_of};
use crate::diagnostic::{Diagnostic, did_you_mean, shown};
use crate::source::Span;
use crate::syntax::ir::{Access, Expr, ExprId, Step};
use crate::types::Type;
use crate::value::{Data, Entries, Value};

impl Evaluator<'_> {
    pub(super) fn access(&mut self, base: ExprId, steps: &[Step]) -> Value {
        let Expr::Reference(reference) = self.arena.expr(base) else {
            let value = self.evaluate(base);
            return self.follow(value, steps);
        };
        // Which instance of a block is meant decides what has to be settled before, so it is noted with the use.
        let mut indices = Vec::new();
        let instance = match steps.first().map(|step| &step.access) {
            Some(Access::Attribute(name)) => Some(Value::string(name.clone())),
            Some(Access::Position(position)) => Some(Value::integer(*position)),
            Some(Access::Index(index)) => {
                let index = self.evaluate(*index);
                indices.push(index.clone());
                Some(index)
            }
            _ => None,
        };
        let value = self.reference(reference, instance.as_ref(), self.arena.span(base));
        match indices.pop() {
            Some(index) => {
                let value = self.element(&value, &index, &steps[0]);
                self.follow(value, &steps[1..])
            }
            None => self.follow(value, steps),
        }
    }

    fn follow(&mut self, mut value: Value, mut steps: &[Step]) -> Value {
        while let Some((step, rest)) = steps.split_first() {
            steps = rest;
            value = match &step.access {
                Access::Attribute(name) => self.attribute(&value, name, step.span),
                Access::Position(position) => self.element(&value, &Value::integer(*position), step),
                Access::Index(index) => {
                    let index = self.evaluate(*index);
                    self.element(&value, &index, step)
                }
                Access::Splat => return self.splat(&value, rest, step.span),
                Access::AttributeSplat => {
                    let attributes = rest.iter().take_while(|step| matches!(step.access, Access::Attribute(_))).count();
                    steps = &rest[attributes..];
                    self.splat(&value, &rest[..attributes], step.span)
                }
            };
            if value.is_poison() {
                return value;
            }
        }
        value
    }

    fn splat(&mut self, value: &Value, steps: &[Step], span: Span) -> Value {
        let items = match &value.data {
            Data::Poison => return Value::POISON,
            Data::Unknown(of) if matches!(**of, Type::List(_) | Type::Set(_) | Type::Tuple(_) | Type::Any) => {
                return Value::unknown(Type::list(Type::Any)).mark(value.sensitive);
            }
            Data::Null => Vec::new(),
            Data::List(list) | Data::Set(list) => list.items.clone(),
            _ => vec![value.clone()],
        };
        let mut results = Vec::with_capacity(items.len());
        for item in items {
            if !self.spend_at(1 + steps.len() as u64, span) {
                return Value::POISON;
            }
            results.push(self.follow(item, steps));
        }
        Value::list(results).mark(value.sensitive)
    }

    fn attribute(&mut self, value: &Value, name: &str, span: Span) -> Value {
        let found = match &value.data {
            Data::Poison => return Value::POISON,
            Data::Unknown(of) => return self.unknown_attribute(of, name, span).mark(value.sensitive),
            Data::Map(map) => map.entries.get(name).cloned(),
            _ => None,
        };
        if let Some(found) = found {
            return found.mark(value.sensitive);
        }
        let label = match &value.data {
            Data::Map(map) if map.host.is_some() => "a host has no such attribute".to_owned(),
            Data::Map(_) => "there is no such attribute".to_owned(),
            _ => format!("this is taken from {}, which has no attributes", value.described()),
        };
        let help = match &value.data {
            Data::Map(map) if !value.sensitive => {
                did_you_mean(name, map.entries.keys().map(AsRef::as_ref)).or_else(|| what_it_has(&map.entries))
            }
            Data::List(_) => Some(format!("write `[*].{name}` to take it from every element")),
            _ => None,
        };
        let message = format!("there is no attribute `{}`", shown(name));
        self.report(Diagnostic::error(code::INDEX, span, message, label).maybe_help(help))
    }

    fn unknown_attribute(&mut self, of: &Type, name: &str, span: Span) -> Value {
        match of {
            Type::Any | Type::Host => Value::unknown(Type::Any),
            Type::Map(of) => Value::unknown(of.as_ref().clone()),
            Type::Object(fields) if fields.contains_key(name) => Value::unknown(fields[name].of_type.clone()),
            _ => {
                let message = format!("there is no attribute `{}`", shown(name));
                let label = format!("this is taken from {}", of.described());
                let help = match of {
                    Type::Object(fields) => did_you_mean(name, fields.keys().map(String::as_str)),
                    Type::List(_) | Type::Tuple(_) => Some(format!("write `[*].{name}` to take it from every element")),
                    _ => None,
                };
                self.report(Diagnostic::error(code::INDEX, span, message, label).maybe_help(help))
            }
        }
    }

    fn element(&mut self, value: &Value, index: &Value, step: &Step) -> Value {
        if value.is_poison() || index.is_poison() {
            return Value::POISON;
        }
        let sensitive = value.sensitive || index.sensitive;
        if let Data::Unknown(of) = &value.data {
            return self.unknown_element(of, index, step).mark(sensitive);
        }
        if index.is_unknown() {
            return Value::unknown(Type::Any).mark(sensitive);
        }
        let found = match &value.data {
            Data::List(list) => match number_of(index).map(|number| number.as_u64()) {
                Some(Some(position)) => usize::try_from(position).ok().and_then(|at| list.items.get(at)).cloned(),
                Some(None) => None,
                None => return self.wrong_index("a position in a list is a number", index, step),
            },
            Data::Map(map) => match text_of(index) {
                Some(key) => map.entries.get(&key).cloned(),
                None => return self.wrong_index("a key of a map is a string", index, step),
            },
            _ => {
                let label = match &value.data {
                    Data::Set(_) => "the elements of a set have no order and no names".to_owned(),
                    _ => format!("this is taken from {}, which has no elements", value.described()),
                };
                let message = format!("{} cannot be indexed", value.described());
                let help = matches!(value.data, Data::Set(_)).then(|| "make a list of it with `tolist(…)`".to_owned());
                return self.report(Diagnostic::error(code::INDEX, step.span, message, label).maybe_help(help));
            }
        };
        if let Some(found) = found {
            return found.mark(sensitive);
        }
        let label = match &value.data {
            _ if sensitive => "there is no such element".to_owned(),
            Data::List(list) => match list.items.len() {
                1 => "the list has one element".to_owned(),
                length => format!("the list has {length} elements"),
            },
            _ => "there is no such key".to_owned(),
        };
        let help = match (&value.data, index.as_str()) {
            (Data::Map(map), Some(key)) if !sensitive => did_you_mean(key, map.entries.keys().map(AsRef::as_ref)),
            _ => None,
        };
        let what = if value.as_entries().is_some() { "key" } else { "element" };
        let message = match index.shown() {
            Some(index) => format!("there is no {what} `{index}`"),
            None => format!("there is no such {what}"),
        };
        self.report(Diagnostic::error(code::INDEX, step.span, message, label).maybe_help(help))
    }

    /// What can be said of an element of something of which only the type is known.
    fn unknown_element(&mut self, of: &Type, index: &Value, step: &Step) -> Value {
        match of {
            Type::List(_) | Type::Tuple(_) if number_of(index).is_none() && !index.is_unknown() => {
                self.wrong_index("a position in a list is a number", index, step)
            }
            Type::List(of) | Type::Map(of) => Value::unknown(of.as_ref().clone()),
            Type::Object(fields) => match text_of(index) {
                Some(name) if !fields.contains_key(name.as_ref()) => {
                    let message = format!("there is no key `{}`", shown(&name));
                    let help = did_you_mean(&name, fields.keys().map(String::as_str));
                    let diagnostic = Diagnostic::error(code::INDEX, step.span, message, "there is no such key");
                    self.report(diagnostic.maybe_help(help))
                }
                Some(name) => Value::unknown(fields[name.as_ref()].of_type.clone()),
                None => Value::unknown(Type::Any),
            },
            Type::Bool | Type::Number | Type::Integer | Type::String | Type::Set(_) => {
                let message = format!("{} cannot be indexed", of.described());
                self.report(Diagnostic::error(code::INDEX, step.span, message, "this is taken from it"))
            }
            _ => Value::unknown(Type::Any),
        }
    }

    fn wrong_index(&mut self, message: &str, index: &Value, step: &Step) -> Value {
        let label = format!("this is {}", given(index));
        self.report(Diagnostic::error(code::INDEX, step.span, message, label))
    }
}

/// Says which attributes there are, where these are few.
fn what_it_has(entries: &Entries) -> Option<String> {
    const MOST: usize = 12;
    if entries.is_empty() || entries.len() > MOST {
        return None;
    }
    let names: Vec<String> = entries.keys().map(|name| format!("`{}`", shown(name))).collect();
    Some(format!("it has {}", names.join(", ")))
}
