//! From the path of an attribute to its place in the text: as fine as what was written allows.

use tune_core::path::PathStep;

use crate::source::Span;
use crate::syntax::ir::{Arena, Expr, ExprId};

/// A part of an attribute's value as it was written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The key, for an item of an object.
    pub key: Option<Span>,
    pub value: Span,
}

/// Returns the place of the part at `path` in the expression, or of the smallest part around it that was written out.
pub(crate) fn find(arena: &Arena, expr: ExprId, path: &[PathStep]) -> Place {
    let mut expr = expr;
    let mut key = None;
    for step in path {
        let next = match (arena.expr(expr), step) {
            (Expr::Object(items), PathStep::Key(name) | PathStep::Name(name)) => {
                let is_key = |id: ExprId| matches!(arena.expr(id), Expr::Literal(key) if key.as_str() == Some(name));
                items.iter().find(|(key, _)| is_key(*key)).map(|(key, value)| (Some(arena.span(*key)), *value))
            }
            (Expr::List(items), PathStep::Index(position)) => items.get(*position).map(|item| (None, *item)),
            _ => None,
        };
        match next {
            Some((next_key, next)) => (key, expr) = (next_key, next),
            None => break,
        }
    }
    Place { key, value: arena.span(expr) }
}
