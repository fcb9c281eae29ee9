//! What the parts of a condition were that does not hold. Whoever reads that it does not should not have to ask.

use std::collections::BTreeMap;

use crate::diagnostic::shown;
use crate::syntax::ir::{Access, Arena, Expr, ExprId, Root, Step};
use crate::value::{Data, Value};

/// A found value is cut after this many characters.
const LONGEST: usize = 200;
/// And after so many where there is little room.
const LONGEST_BRIEF: usize = 80;

/// Returns every part of a condition that a name stands for. Parts within a `for` are not among them, because they have
/// another value for each element.
pub(super) fn named_parts(arena: &Arena, condition: Root) -> Vec<ExprId> {
    let is_fixed = |step: &Step| match step.access {
        Access::Attribute(_) | Access::Position(_) => true,
        Access::Index(index) => matches!(arena.expr(index), Expr::Literal(_) | Expr::Template(_)),
        Access::Splat | Access::AttributeSplat => false,
    };
    let mut parts: Vec<ExprId> = Vec::new();
    for (id, expr, _) in arena.within(condition) {
        match expr {
            Expr::Reference(_) => parts.push(id),
            Expr::Access { base, steps } if parts.contains(base) && steps.iter().all(is_fixed) => {
                parts.retain(|part| part != base);
                parts.push(id);
            }
            _ => {}
        }
    }
    parts
}

/// Says that what is `written` has a value, which is not shown if it is a secret.
pub(super) fn finding(written: &str, value: &Value) -> String {
    let found = match &value.data {
        _ if value.has_secret() => "a secret".to_owned(),
        Data::Map(map) if map.host.is_some() => "a host".to_owned(),
        _ => tune_core::text::visible(&value.to_core().to_string(), LONGEST),
    };
    format!("{} is {found}", shown(written))
}

/// Says the same in few words: of what has many elements only how many.
pub(super) fn brief_finding(written: &str, value: &Value) -> String {
    let n_elements = value.as_items().map(<[Value]>::len).or_else(|| value.as_entries().map(BTreeMap::len));
    match n_elements.filter(|_| !value.has_secret() && value.as_host().is_none()) {
        Some(1) => format!("{} has one element", shown(written)),
        Some(n_elements) => format!("{} has {n_elements} elements", shown(written)),
        None => tune_core::text::visible(&finding(written, value), LONGEST_BRIEF),
    }
}
