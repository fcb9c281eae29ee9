//! Evaluates expressions. An expression always has a value: where it has none, the mistake is reported and the value is
//! poison, which spreads in silence.
//!
//! This module knows no blocks and no order among them; whoever calls it has put the values of all names it needs into
//! the [`Scope`].

mod access;
mod budget;
mod call;
mod operator;
mod repeat;
mod template;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tune_core::problem::Code;

pub(crate) use budget::Budget;

use crate::code;
use crate::convert::{bool_of, given, text_of};
use crate::diagnostic::Diagnostic;
use crate::source::{Files, Span};
use crate::syntax::ir::{Arena, Expr, ExprId, Reference, Root};
use crate::types::Type;
use crate::value::{Data, Entries, Value};

/// What names mean where an expression stands.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub names: &'a HashMap<Reference, Value>,
    /// `each.key` and `each.value`.
    pub each: Option<&'a (Value, Value)>,
    /// `count.index`.
    pub index: Option<&'a Value>,
}

/// Names that were used while evaluating, each with the instance where one was picked, and where that was written.
pub(crate) type Uses = BTreeMap<(Reference, Option<Arc<str>>), Span>;

pub(crate) struct Evaluator<'a> {
    pub arena: &'a Arena,
    pub files: &'a dyn Files,
    pub scope: Scope<'a>,
    pub budget: &'a mut Budget,
    pub diagnostics: &'a mut Vec<Diagnostic>,
    /// Every block and local value that was looked at.
    pub uses: Uses,
    /// Values of the variables of all surrounding `dynamic` blocks and `for`s, outermost first.
    pub bound: Vec<Value>,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(
        arena: &'a Arena,
        files: &'a dyn Files,
        scope: Scope<'a>,
        budget: &'a mut Budget,
        diagnostics: &'a mut Vec<Diagnostic>,
    ) -> Self {
        Self { arena, files, scope, budget, diagnostics, uses: Uses::new(), bound: Vec::new() }
    }

    pub(crate) fn evaluate(&mut self, id: ExprId) -> Value {
        if !self.spend(1, id) {
            return Value::POISON;
        }
        let value = match self.arena.expr(id) {
            Expr::Literal(value) => return value.clone(),
            Expr::Mistake => return Value::POISON,
            Expr::Bound(position) => return self.bound.get(*position).cloned().unwrap_or(Value::POISON),
            Expr::Reference(reference) => return self.reference(reference, None, self.arena.span(id)),
            Expr::Access { base, steps } => self.access(*base, steps),
            Expr::Template(parts) => self.template(parts, id),
            Expr::List(items) => Value::list(items.iter().map(|item| self.evaluate(*item)).collect()),
            Expr::Object(items) => self.object(items),
            Expr::Unary { operator, operand } => self.unary(*operator, *operand),
            Expr::Binary { operator, left, right } => self.binary(*operator, *left, *right, id),
            Expr::Conditional { condition, then, otherwise } => self.conditional(*condition, *then, *otherwise),
            Expr::Call { function, arguments, expand } => self.call(function, arguments, *expand, id),
            Expr::For(repeat) => self.repeat(repeat, id),
        };
        self.within_limits(value, id)
    }

    pub(super) fn fail(
        &mut self,
        code: Code,
        id: ExprId,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Value {
        self.report(Diagnostic::error(code, self.arena.span(id), message, label))
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) -> Value {
        self.diagnostics.push(diagnostic);
        Value::POISON
    }

    /// Counts work against the budget; once it is spent, nothing is evaluated any more.
    pub(super) fn spend(&mut self, steps: u64, id: ExprId) -> bool {
        self.spend_at(steps, self.arena.span(id))
    }

    pub(super) fn spend_at(&mut self, steps: u64, span: Span) -> bool {
        match self.budget.spend(steps) {
            budget::Spent::Fine => true,
            budget::Spent::Over => false,
            budget::Spent::JustNow => {
                let message = "the configuration takes too many steps to evaluate";
                self.report(Diagnostic::error(code::BUDGET, span, message, "evaluation stopped here"));
                false
            }
        }
    }

    fn within_limits(&mut self, value: Value, id: ExprId) -> Value {
        let fits = value.weight() <= budget::MAX_WEIGHT && value.depth() <= budget::MAX_DEPTH;
        if !fits && value.has_poison() {
            // Something in it was a mistake, so this may well be a consequence of it.
            Value::POISON
        } else if value.weight() > budget::MAX_WEIGHT {
            self.fail(code::BUDGET, id, "a value is too large", "this would be too large")
        } else if value.depth() > budget::MAX_DEPTH {
            self.fail(code::BUDGET, id, "a value is nested too deeply", "this adds one level too many")
        } else {
            value
        }
    }

    pub(super) fn reference(&mut self, reference: &Reference, instance: Option<&Value>, span: Span) -> Value {
        let value = match reference {
            Reference::EachKey => self.scope.each.map(|(key, _)| key),
            Reference::EachValue => self.scope.each.map(|(_, value)| value),
            Reference::CountIndex => self.scope.index,
            named => {
                let instance = instance.and_then(text_of);
                self.uses.entry((named.clone(), instance)).or_insert(span);
                self.scope.names.get(named)
            }
        };
        // A name without a value was reported when the names were checked.
        value.cloned().unwrap_or(Value::POISON)
    }

    fn object(&mut self, items: &[(ExprId, ExprId)]) -> Value {
        let mut entries = Entries::new();
        let (mut sensitive, mut unknown, mut poison) = (false, false, false);
        for (key_id, value_id) in items {
            let key = self.evaluate(*key_id);
            let value = self.evaluate(*value_id);
            match text_of(&key) {
                Some(text) => {
                    sensitive |= key.sensitive;
                    if entries.insert(text, value).is_some() {
                        self.fail(
                            code::DUPLICATE,
                            *key_id,
                            "two items of an object have the same key",
                            "this key exists already",
                        );
                    }
                }
                None if key.is_poison() => poison = true,
                None if key.is_unknown() => unknown = true,
                None => {
                    poison = true;
                    let label = format!("a string is needed, but this is {}", given(&key));
                    self.fail(code::EXPRESSION, *key_id, "a key must be a string", label);
                }
            }
        }
        if poison {
            Value::POISON
        } else if unknown {
            Value::unknown(Type::map(Type::Any))
        } else {
            Value::map(entries).mark(sensitive)
        }
    }

    fn conditional(&mut self, condition: ExprId, then: ExprId, otherwise: ExprId) -> Value {
        let choice = self.evaluate(condition);
        if choice.is_unknown() {
            // Both sides may come to be used, so the mistakes of both are looked for.
            let (then, otherwise) = (self.evaluate(then), self.evaluate(otherwise));
            let poison = then.is_poison() || otherwise.is_poison();
            return if poison { Value::POISON } else { Value::unknown(Type::Any) };
        }
        match self.as_bool(&choice, condition, "a condition") {
            Some(true) => self.evaluate(then).mark(choice.sensitive),
            Some(false) => self.evaluate(otherwise).mark(choice.sensitive),
            None => Value::POISON,
        }
    }

    /// Returns a known value as a bool, or reports that it is none; what is poison has been reported.
    pub(super) fn as_bool(&mut self, value: &Value, id: ExprId, what: &str) -> Option<bool> {
        let converted = bool_of(value);
        if converted.is_none() && !matches!(value.data, Data::Poison | Data::Unknown(_)) {
            let label = format!("a bool is needed, but this is {}", given(value));
            self.fail(code::EXPRESSION, id, format!("{what} must be a bool"), label);
        }
        converted
    }
}

/// Evaluates what must be a plain value, without references and without reading files.
pub(crate) fn constant(arena: &Arena, root: Root, diagnostics: &mut Vec<Diagnostic>) -> Value {
    if let Some((_, span)) = arena.references(root).next() {
        diagnostics.push(crate::reference::no_plain_value(span));
        return Value::POISON;
    }
    let no_names = HashMap::new();
    let no_files = BTreeMap::<String, String>::new();
    let scope = Scope { names: &no_names, each: None, index: None };
    let mut budget = Budget::default();
    Evaluator::new(arena, &no_files, scope, &mut budget, diagnostics).evaluate(root.expr)
}
