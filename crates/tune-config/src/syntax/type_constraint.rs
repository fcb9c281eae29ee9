//! `type = …` of a variable: written like an expression, but a language of its own.

use std::collections::BTreeMap;

use hcl_edit::expr::{Expression, FuncCall, ObjectKey};

use super::lower::Lowering;
use crate::code;
use crate::diagnostic::{Diagnostic, closest, shown};
use crate::evaluate::constant;
use crate::source::Span;
use crate::types::{Field, Type};
use crate::value::Value;

const NAMES: [&str; 9] = ["any", "bool", "number", "string", "list", "set", "map", "object", "tuple"];

impl Lowering<'_> {
    /// Returns the type that is written; a mistake is reported and taken for any type.
    pub(super) fn type_constraint(&mut self, expression: &Expression) -> Type {
        let span = self.span_of(expression);
        match expression {
            Expression::Variable(name) => match name.as_str() {
                "any" => Type::Any,
                "bool" => Type::Bool,
                "number" => Type::Number,
                "string" => Type::String,
                name if NAMES.contains(&name) => {
                    let inner = if name == "object" { "{ … }" } else { "…" };
                    self.wrong_type(span, &format!("write what it consists of: `{name}({inner})`"))
                }
                name => self.unknown_type(name, span),
            },
            Expression::FuncCall(call) => self.compound(call, span),
            _ => self.wrong_type(span, "write a type such as `string` or `list(string)`, without quotes"),
        }
    }

    fn compound(&mut self, call: &FuncCall, span: Span) -> Type {
        let arguments: Vec<&Expression> = call.args.iter().collect();
        match (call.name.name.as_str(), arguments.as_slice()) {
            ("list", [of]) => Type::list(self.type_constraint(of)),
            ("set", [of]) => Type::Set(Box::new(self.type_constraint(of))),
            ("map", [of]) => Type::map(self.type_constraint(of)),
            ("tuple", [Expression::Array(items)]) => {
                Type::Tuple(items.iter().map(|item| self.type_constraint(item)).collect())
            }
            ("object", [Expression::Object(items)]) => {
                let mut fields = BTreeMap::new();
                for (key, value) in items {
                    let name = match key {
                        ObjectKey::Ident(name) => name.as_str().to_owned(),
                        ObjectKey::Expression(_) => {
                            let key = self.span_of(key);
                            self.quoted(key)
                        }
                    };
                    fields.insert(name, self.field(value.expr()));
                }
                Type::Object(fields)
            }
            ("list" | "set" | "map", _) => self.wrong_type(span, "name one type in the parentheses"),
            ("tuple", _) => self.wrong_type(span, "write a list of types: `tuple([string, number])`"),
            ("object", _) => self.wrong_type(span, "write the attributes' types: `object({ name = string })`"),
            ("optional", _) => self.wrong_type(span, "use `optional` for attributes of an `object` only"),
            ("any" | "bool" | "number" | "string", _) => self.wrong_type(span, "write the type without parentheses"),
            (name, _) => {
                let name_span = self.span_of(&call.name.name);
                self.unknown_type(name, name_span)
            }
        }
    }

    fn field(&mut self, expression: &Expression) -> Field {
        if let Expression::FuncCall(call) = expression
            && call.name.name.as_str() == "optional"
        {
            let arguments: Vec<&Expression> = call.args.iter().collect();
            return match arguments.as_slice() {
                [of] => Field { of_type: self.type_constraint(of), optional: true, default: Value::NULL },
                [of, default] => {
                    let of_type = self.type_constraint(of);
                    let root = self.root(default);
                    let default = constant(self.arena, root, self.diagnostics);
                    Field { of_type, optional: true, default }
                }
                _ => {
                    let span = self.span_of(expression);
                    let of_type = self.wrong_type(span, "write `optional(type)` or `optional(type, default)`");
                    Field { of_type, optional: true, default: Value::NULL }
                }
            };
        }
        Field { of_type: self.type_constraint(expression), optional: false, default: Value::NULL }
    }

    fn unknown_type(&mut self, name: &str, span: Span) -> Type {
        let help = match closest(name, NAMES) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("write one of {}", NAMES.map(|name| format!("`{name}`")).join(", ")),
        };
        let message = format!("unknown type `{}`", shown(name));
        self.report(Diagnostic::error(code::TYPE, span, message, "not a type").help(help));
        Type::Any
    }

    fn wrong_type(&mut self, span: Span, help: &str) -> Type {
        self.report(Diagnostic::error(code::TYPE, span, "this is not a type", "a type is needed here").help(help));
        Type::Any
    }
}
