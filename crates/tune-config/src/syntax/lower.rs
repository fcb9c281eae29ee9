//! From the parser's tree to the arena. Names of functions and bound variables are resolved here, names of blocks
//! later, when every file has been read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hcl_edit::expr::{
    BinaryOperator, Expression, ForExpr, FuncCall, Object, ObjectKey, Traversal, TraversalOperator, UnaryOperator,
};
use hcl_edit::{Decorated, Ident};
use tune_core::Number;

use super::ir::{Access, Arena, Binary, Binding, Expr, ExprId, For, Reference, Root, Step, Unary};
use super::template::Form;
use crate::code;
use crate::diagnostic::{Diagnostic, shown};
use crate::function;
use crate::source::{FileId, Span};
use crate::value::Value;

/// What lowering adds to.
#[derive(Default)]
pub(crate) struct Output {
    pub arena: Arena,
    pub diagnostics: Vec<Diagnostic>,
    pub secrets: Vec<Span>,
    pub names: HashSet<Arc<str>>,
}

/// Lowers the expressions of one file.
pub(crate) struct Lowering<'a> {
    pub file: FileId,
    pub text: &'a str,
    /// Names that the parser was not shown, by position; see [`super::parse::Parsed`].
    pub repeated: &'a HashMap<usize, String>,
    pub arena: &'a mut Arena,
    pub diagnostics: &'a mut Vec<Diagnostic>,
    /// Places whose text is a secret.
    pub secrets: &'a mut Vec<Span>,
    /// Names in references: most are written many times, and each is kept once.
    names: &'a mut HashSet<Arc<str>>,
    bound: Vec<Arc<str>>,
}

impl<'a> Lowering<'a> {
    pub(crate) fn new(
        file: FileId,
        text: &'a str,
        repeated: &'a HashMap<usize, String>,
        output: &'a mut Output,
    ) -> Self {
        let Output { arena, diagnostics, secrets, names } = output;
        Self { file, text, repeated, arena, diagnostics, secrets, names, bound: Vec::new() }
    }

    /// Lowers the value of one attribute.
    pub(crate) fn root(&mut self, expression: &Expression) -> Root {
        let first = self.arena.next();
        let expr = self.expression(expression);
        Root::new(first, expr)
    }

    pub(crate) fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span::new(self.file, range)
    }

    /// Returns where a node of the parser's tree stands.
    pub(crate) fn span_of(&self, node: &impl hcl_edit::Span) -> Span {
        self.span(node.span().unwrap_or_default())
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Returns the content of a quoted text that has no templates in it, such as a block's name.
    pub(crate) fn quoted(&mut self, span: Span) -> String {
        let range = span.range();
        match self.text[range.clone()].strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(content) => self.unescape(range.start + 1..range.start + 1 + content.len()),
            None => self.text[range].to_owned(),
        }
    }

    pub(super) fn expression(&mut self, expression: &Expression) -> ExprId {
        let span = self.span_of(expression);
        let expr = match expression {
            Expression::Null(_) => Expr::Literal(Value::NULL),
            Expression::Bool(value) => Expr::Literal(Value::bool(*value.value())),
            Expression::Number(_) => self.number(span),
            Expression::String(_) => Expr::Literal(Value::string(self.quoted(span))),
            Expression::StringTemplate(template) => {
                return self.template(template, Form::Quoted, span.range());
            }
            Expression::HeredocTemplate(heredoc) => {
                let dedented = self.text[span.range()].starts_with("<<-");
                let form = if dedented { Form::Dedented } else { Form::Heredoc };
                return self.template(&heredoc.template, form, span.range());
            }
            Expression::Array(array) => Expr::List(array.iter().map(|item| self.expression(item)).collect()),
            Expression::Object(object) => self.object(object),
            Expression::Parenthesis(inner) => return self.expression(inner.inner()),
            Expression::Variable(name) => self.variable(name, span),
            Expression::Conditional(conditional) => Expr::Conditional {
                condition: self.expression(&conditional.cond_expr),
                then: self.expression(&conditional.true_expr),
                otherwise: self.expression(&conditional.false_expr),
            },
            Expression::FuncCall(call) => self.call(call, span),
            Expression::Traversal(traversal) => return self.traversal(traversal, span),
            Expression::UnaryOp(operation) => Expr::Unary {
                operator: match operation.operator.value() {
                    UnaryOperator::Neg => Unary::Negate,
                    UnaryOperator::Not => Unary::Not,
                },
                operand: self.expression(&operation.expr),
            },
            Expression::BinaryOp(operation) => Expr::Binary {
                operator: binary(*operation.operator.value()),
                left: self.expression(&operation.lhs_expr),
                right: self.expression(&operation.rhs_expr),
            },
            Expression::ForExpr(for_expr) => self.for_expr(for_expr),
        };
        self.arena.add(expr, span)
    }

    /// Makes names available to what is lowered next; the answer is for [`Self::unbind`].
    pub(super) fn bind(&mut self, key: Option<&Decorated<Ident>>, value: &Decorated<Ident>) -> usize {
        let names = key.into_iter().chain([value]).map(|name| Arc::from(name.as_str()));
        let before = self.bound.len();
        self.bound.extend(names);
        self.bound.len() - before
    }

    /// Does what [`Self::bind`] does, for one name.
    pub(super) fn bind_name(&mut self, name: &str) -> usize {
        self.bound.push(name.into());
        1
    }

    pub(super) fn unbind(&mut self, names: usize) {
        self.bound.truncate(self.bound.len() - names);
    }

    /// Takes a number's digits from the source: the parser keeps only what fits 64 bits.
    fn number(&mut self, span: Span) -> Expr {
        let text = &self.text[span.range()];
        let start = text.rfind(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | 'e' | 'E' | '+' | '-'));
        let digits = text[start.map_or(0, |at| at + 1)..].trim_start_matches('-');
        let sign = if text.starts_with('-') { "-" } else { "" };
        match format!("{sign}{digits}").parse::<Number>() {
            Ok(number) => Expr::Literal(Value::number(number)),
            Err(error) => {
                self.report(Diagnostic::error(code::EXPRESSION, span, error.to_string(), "this number"));
                Expr::Mistake
            }
        }
    }

    fn object(&mut self, object: &Object) -> Expr {
        let mut items = Vec::new();
        let mut first: HashMap<String, Span> = HashMap::new();
        for (key, value) in object {
            let span = self.span_of(key);
            if let Some(name) = self.repeated.get(&span.range().start) {
                let mut mistake = Diagnostic::error(
                    code::DUPLICATE,
                    span,
                    format!("the key `{}` is written twice", shown(name)),
                    "written again here",
                );
                if let Some(first) = first.get(name) {
                    mistake = mistake.label(*first, "first written here");
                }
                self.report(mistake);
                continue;
            }
            let raw = &self.text[span.range()];
            first.entry(raw.trim_matches('"').to_owned()).or_insert(span);
            let key = match key {
                ObjectKey::Ident(name) => self.arena.add(Expr::Literal(Value::string(name.as_str())), span),
                ObjectKey::Expression(Expression::Traversal(_)) => {
                    self.report(
                        Diagnostic::error(code::SYNTAX, span, "a key may mean two things", "a reference, or a name?")
                            .help(format!("write `\"{0}\"` if it is a name, `({0})` if it is a reference", shown(raw))),
                    );
                    self.arena.add(Expr::Mistake, span)
                }
                ObjectKey::Expression(expression) => self.expression(expression),
            };
            items.push((key, self.expression(value.expr())));
        }
        Expr::Object(items)
    }

    fn call(&mut self, call: &FuncCall, span: Span) -> Expr {
        let arguments: Vec<ExprId> = call.args.iter().map(|argument| self.expression(argument)).collect();
        let name = call.name.name.as_str();
        let mut name_span = self.span_of(&call.name.name);
        if let Some(namespace) = call.name.namespace.first() {
            name_span = self.span_of(namespace).to(name_span);
        }
        let function = function::find(name).filter(|_| !call.name.is_namespaced());
        let Some(function) = function else {
            let written = shown(&self.text[name_span.range()]);
            let (why_not, help) = function::instead_of(name);
            let (message, label) = match why_not {
                Some(why) => (format!("the function `{written}` is not offered"), why),
                None => (format!("unknown function `{written}`"), "there is no function of this name"),
            };
            let mistake = Diagnostic::error(code::UNKNOWN_FUNCTION, name_span, message, label);
            self.report(mistake.maybe_help(help));
            return Expr::Mistake;
        };
        if name == "sensitive" {
            self.secrets.extend(arguments.iter().map(|argument| self.arena.span(*argument)));
        }
        let expand = call.args.expand_final();
        if let Some(wrong) = function.wrong_count(arguments.len()).filter(|_| !expand) {
            self.report(
                Diagnostic::error(code::ARGUMENT, span, wrong, format!("called with {}", arguments.len()))
                    .help(format!("write `{}`", function.signature())),
            );
            return Expr::Mistake;
        }
        Expr::Call { function, arguments, expand }
    }

    fn for_expr(&mut self, for_expr: &ForExpr) -> Expr {
        let collection = self.expression(&for_expr.intro.collection_expr);
        let key_var = for_expr.intro.key_var.as_ref();
        let names = self.bind(key_var, &for_expr.intro.value_var);
        let lowered = For {
            binding: Binding { has_key: key_var.is_some(), collection },
            key: for_expr.key_expr.as_ref().map(|key| self.expression(key)),
            value: self.expression(&for_expr.value_expr),
            condition: for_expr.cond.as_ref().map(|condition| self.expression(&condition.expr)),
            grouping: for_expr.grouping,
        };
        self.unbind(names);
        Expr::For(Box::new(lowered))
    }

    fn variable(&mut self, name: &str, span: Span) -> Expr {
        if let Some(position) = self.bound.iter().rposition(|bound| bound.as_ref() == name) {
            return Expr::Bound(position);
        }
        if name == "self" {
            return Expr::Reference(Reference::Itself);
        }
        let message = format!("`{}` stands for nothing", shown(name));
        let constant = ["true", "false", "null"].into_iter().find(|constant| name.eq_ignore_ascii_case(constant));
        let help = match constant {
            Some(constant) => format!("did you mean `{constant}`?"),
            None => {
                format!("put it in quotes if it is a text, or write `local.{name}` or `var.{name}` for a reference")
            }
        };
        self.report(Diagnostic::error(code::UNKNOWN_NAME, span, message, "not a reference").help(help));
        Expr::Mistake
    }

    fn traversal(&mut self, traversal: &Traversal, span: Span) -> ExprId {
        let mut steps = Vec::new();
        let mut base_span = self.span_of(&traversal.expr);
        let mut operators = traversal.operators.as_slice();
        let base = match &traversal.expr {
            Expression::Variable(name) if !self.bound.iter().any(|bound| bound.as_ref() == name.as_str()) => {
                let names: Vec<(&str, Span)> = operators
                    .iter()
                    .map_while(|operator| match operator.value() {
                        TraversalOperator::GetAttr(name) => Some((name.as_str(), self.span_of(operator))),
                        _ => None,
                    })
                    .take(match name.as_str() {
                        "self" => 0,
                        "data" | "probe" => 2,
                        _ => 1,
                    })
                    .collect();
                if let Some((_, last)) = names.last() {
                    base_span = base_span.to(*last);
                    operators = &operators[names.len()..];
                    let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
                    let expr = self.reference(name, &names, base_span);
                    self.arena.add(expr, base_span)
                } else {
                    self.expression(&traversal.expr)
                }
            }
            expression => self.expression(expression),
        };
        for operator in operators {
            let span = self.span_of(operator);
            let access = match operator.value() {
                TraversalOperator::GetAttr(name) => Access::Attribute(name.as_str().into()),
                TraversalOperator::Index(index) => Access::Index(self.expression(index)),
                TraversalOperator::LegacyIndex(position) => Access::Position(*position.value()),
                TraversalOperator::FullSplat(_) => Access::Splat,
                TraversalOperator::AttrSplat(_) => Access::AttributeSplat,
            };
            steps.push(Step { access, span });
        }
        if steps.is_empty() { base } else { self.arena.add(Expr::Access { base, steps }, span) }
    }

    /// Returns what `first` and the names after it mean: two of them after `data` and `probe`, else one.
    fn reference(&mut self, first: &str, names: &[&str], span: Span) -> Expr {
        let reference = match (first, names) {
            ("data", [kind, name]) => Reference::Data(self.name(kind), self.name(name)),
            ("probe", [kind, name]) => Reference::Probe(self.name(kind), self.name(name)),
            ("data" | "probe", _) => {
                let message = format!("`{first}` needs two names, a kind of source and a name");
                let help = format!("write `{first}.KIND.NAME`");
                self.report(Diagnostic::error(code::UNKNOWN_NAME, span, message, "there is only one here").help(help));
                return Expr::Mistake;
            }
            ("var", [name]) => Reference::Variable(self.name(name)),
            ("local", [name]) => Reference::Local(self.name(name)),
            ("module", [name]) => Reference::Module(self.name(name)),
            ("path", [name]) => Reference::Path(self.name(name)),
            ("each", ["key"]) => Reference::EachKey,
            ("each", ["value"]) => Reference::EachValue,
            ("count", ["index"]) => Reference::CountIndex,
            ("each" | "count", _) => {
                let known = if first == "each" { "`each.key` and `each.value`" } else { "`count.index`" };
                let message = format!("there is no `{first}.{}`", shown(&names.join(".")));
                self.report(Diagnostic::error(code::UNKNOWN_NAME, span, message, format!("there is only {known}")));
                return Expr::Mistake;
            }
            (kind, names) => Reference::Block(self.name(kind), self.name(&names.join("."))),
        };
        Expr::Reference(reference)
    }

    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.names.insert(name.clone());
        name
    }
}

fn binary(operator: BinaryOperator) -> Binary {
    match operator {
        BinaryOperator::Eq => Binary::Equal,
        BinaryOperator::NotEq => Binary::NotEqual,
        BinaryOperator::Less => Binary::Less,
        BinaryOperator::LessEq => Binary::LessEqual,
        BinaryOperator::Greater => Binary::Greater,
        BinaryOperator::GreaterEq => Binary::GreaterEqual,
        BinaryOperator::Plus => Binary::Add,
        BinaryOperator::Minus => Binary::Subtract,
        BinaryOperator::Mul => Binary::Multiply,
        BinaryOperator::Div => Binary::Divide,
        BinaryOperator::Mod => Binary::Modulo,
        BinaryOperator::And => Binary::And,
        BinaryOperator::Or => Binary::Or,
    }
}
