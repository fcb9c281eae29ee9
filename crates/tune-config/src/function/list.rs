//! Functions that choose, group or judge elements.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Call, Failure, Function, Marks, Shape, row, takes};
use crate::convert::unify;
use crate::value::{Entries, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    row("alltrue", &[takes("list", Shape::Bools)], Shape::Bool, "Whether every element is true.", |call| {
        Ok(Value::bool(call.items(0).iter().all(|item| item.as_bool() == Some(true))))
    })
    .example(r#"alltrue([true, "true"])"#),
    row("anytrue", &[takes("list", Shape::Bools)], Shape::Bool, "Whether at least one element is true.", |call| {
        Ok(Value::bool(call.items(0).iter().any(|item| item.as_bool() == Some(true))))
    })
    .example("anytrue([false, true])"),
    row(
        "chunklist",
        &[takes("list", Shape::List), takes("size", Shape::Integer)],
        Shape::List,
        "Lists of at most so many elements, in order; a size of 0 means all in one.",
        chunklist,
    )
    .marks(Marks::Parts)
    .example(r#"chunklist(["a", "b", "c"], 2)"#),
    row(
        "coalescelist",
        &[takes("list", Shape::List)],
        Shape::List,
        "The first of the lists that is not empty.",
        |call| {
            for position in 0..call.arguments.len() {
                if !call.ordered(position)?.is_empty() {
                    return Ok(call.value(position).clone());
                }
            }
            Err(Failure::new("all lists are empty"))
        },
    )
    .rest(takes("list", Shape::List))
    .marks(Marks::Parts)
    .example(r#"coalescelist([], ["a"], ["b"])"#),
    row(
        "matchkeys",
        &[takes("values", Shape::List), takes("keys", Shape::List), takes("wanted", Shape::List)],
        Shape::List,
        "The values whose keys, at the same positions, are among the wanted ones.",
        matchkeys,
    )
    .example(r#"matchkeys(["a", "b", "c"], ["x", "y", "y"], ["y"])"#),
    row(
        "one",
        &[takes("list", Shape::List)],
        Shape::Any,
        "The only element of the list, or `null` if it has none.",
        |call| match call.items(0) {
            [] => Ok(Value::NULL),
            [item] => Ok(item.clone()),
            _ => Err(Failure::of(0, "the list has more than one element")),
        },
    )
    .marks(Marks::Parts)
    .example(r#"one(["a"])"#),
    row(
        "transpose",
        &[takes("map", Shape::Map)],
        Shape::Map,
        "A map of lists turned round: each element to the keys it was under.",
        transpose,
    )
    .example(r#"transpose({ a = ["1", "2"], b = ["2", "3"] })"#),
];

fn chunklist(call: &mut Call<'_>) -> Result<Value, Failure> {
    let items = call.items(0);
    let size = usize::try_from(call.integer(1)).map_err(|_| Failure::of(1, "a size is not negative"))?;
    let items = unify(items.iter()).ok_or_else(|| Failure::of(0, "all elements must be of one type"))?;
    let size = if size == 0 { items.len().max(1) } else { size };
    Ok(Value::list(items.chunks(size).map(|chunk| Value::list(chunk.to_vec())).collect()))
}

fn matchkeys(call: &mut Call<'_>) -> Result<Value, Failure> {
    let (values, keys, wanted) = (call.items(0), call.items(1), call.items(2));
    if values.len() != keys.len() {
        return Err(Failure::new(format!("there are {} values and {} keys", values.len(), keys.len())));
    }
    let unified = unify(keys.iter().chain(wanted))
        .ok_or_else(|| Failure::of(2, "these and the keys must be of one type, but have none in common"))?;
    let (keys, wanted) = unified.split_at(keys.len());
    let mut wanted: Vec<&Value> = wanted.iter().filter(|key| !key.is_null()).collect();
    wanted.sort_unstable_by(|a, b| a.order(b));
    let is_wanted = |key: &Value| wanted.binary_search_by(|other| other.order(key)).is_ok();
    let chosen = values.iter().zip(keys).filter(|(_, key)| is_wanted(key));
    Ok(Value::list(chosen.map(|(value, _)| value.clone()).collect()))
}

fn transpose(call: &mut Call<'_>) -> Result<Value, Failure> {
    let mut turned: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
    for (key, list) in call.entries(0) {
        let texts =
            list.as_items().ok_or_else(|| Failure::of(0, "every value of the map must be a list of strings"))?;
        for item in texts {
            let text = crate::convert::text_of(item);
            let text = text.ok_or_else(|| Failure::of(0, "every element of the lists must be a string"))?;
            turned.entry(text).or_default().push(Value::string(key.clone()));
        }
    }
    let entries: Entries = turned.into_iter().map(|(key, keys)| (key, Value::list(keys))).collect();
    Ok(Value::map(entries))
}
