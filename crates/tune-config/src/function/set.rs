//! Functions about sets. Lists are taken as sets, and elements of different types become texts where they can.

use super::{Call, Failure, Function, MAX_ITEMS, Marks, Shape, row, takes};
use crate::convert::unify;
use crate::value::{Data, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    row(
        "setintersection",
        &[takes("set", Shape::Set)],
        Shape::Set,
        "The elements that are in all of the sets.",
        |call| {
            let mut sets = unified(call)?.into_iter();
            let first = sets.next().unwrap_or_default();
            let rest: Vec<Vec<Value>> = sets.map(sorted).collect();
            Ok(Value::set(first.into_iter().filter(|item| rest.iter().all(|set| holds(set, item))).collect()))
        },
    )
    .rest(takes("set", Shape::Set))
    .example(r#"setintersection(["a", "b"], ["b", "c"])"#),
    row(
        "setproduct",
        &[takes("set", Shape::List), takes("set", Shape::List)],
        Shape::List,
        "Every combination of one element of each list or set; in order if all are lists.",
        product,
    )
    .rest(takes("set", Shape::List))
    .marks(Marks::Parts)
    .example(r#"setproduct(["dev", "live"], ["a", "b"])"#),
    row(
        "setsubtract",
        &[takes("set", Shape::Set), takes("other", Shape::Set)],
        Shape::Set,
        "The elements of the first set that are not in the other.",
        |call| {
            let mut sets = unified(call)?.into_iter();
            let first = sets.next().unwrap_or_default();
            let other = sorted(sets.next().unwrap_or_default());
            Ok(Value::set(first.into_iter().filter(|item| !holds(&other, item)).collect()))
        },
    )
    .example(r#"setsubtract(["a", "b", "c"], ["a", "c"])"#),
    row("setunion", &[takes("set", Shape::Set)], Shape::Set, "The elements that are in any of the sets.", |call| {
        Ok(Value::set(unified(call)?.into_iter().flatten().collect()))
    })
    .rest(takes("set", Shape::Set))
    .example(r#"setunion(["a", "b"], ["b", "c"])"#),
];

/// Returns the elements of every argument, all of one type.
fn unified(call: &Call<'_>) -> Result<Vec<Vec<Value>>, Failure> {
    let lengths: Vec<usize> = (0..call.arguments.len()).map(|at| call.items(at).len()).collect();
    let items: Vec<&Value> = call.arguments.iter().filter_map(Value::as_items).flatten().collect();
    let unified = unify(items.into_iter())
        .ok_or_else(|| Failure::new("all elements must be of one type, but these have none in common"))?;
    let mut unified = unified.into_iter();
    Ok(lengths.into_iter().map(|length| unified.by_ref().take(length).collect()).collect())
}

fn sorted(mut items: Vec<Value>) -> Vec<Value> {
    items.sort_unstable_by(Value::order);
    items
}

fn holds(sorted: &[Value], item: &Value) -> bool {
    sorted.binary_search_by(|other| other.order(item)).is_ok()
}

fn product(call: &mut Call<'_>) -> Result<Value, Failure> {
    let lists: Vec<&[Value]> = (0..call.arguments.len()).map(|at| call.items(at)).collect();
    let count = lists.iter().try_fold(1_usize, |count, list| count.checked_mul(list.len()));
    let count = count.filter(|count| count.saturating_mul(lists.len()) <= MAX_ITEMS).ok_or_else(Failure::too_large)?;
    // The elements of each list become of one type, because the combinations must be.
    let lists: Vec<Vec<Value>> =
        lists.into_iter().map(|list| unify(list.iter()).unwrap_or_else(|| list.to_vec())).collect();
    let mut combinations = Vec::with_capacity(count);
    for number in 0..count {
        // The last list turns fastest.
        let mut left = number;
        let mut combination: Vec<Value> = lists
            .iter()
            .rev()
            .map(|list| {
                let item = list[left % list.len()].clone();
                left /= list.len();
                item
            })
            .collect();
        combination.reverse();
        combinations.push(Value::list(combination));
    }
    let any_set = call.arguments.iter().any(|argument| matches!(argument.data, Data::Set(_)));
    Ok(if any_set { Value::set(combinations) } else { Value::list(combinations) })
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_looked_up_is_what_is_there(numbers in prop::collection::vec(0_i64..20, 0..20), wanted in 0_i64..20) {
            let set = sorted(numbers.iter().map(|number| Value::integer(*number)).collect());
            let item = Value::integer(wanted);
            prop_assert_eq!(holds(&set, &item), numbers.contains(&wanted));
            prop_assert!(set.windows(2).all(|pair| pair[0].order(&pair[1]) != Ordering::Greater));
        }
    }
}
