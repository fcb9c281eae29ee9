//! Functions about lists, sets and maps.

use std::cmp::Ordering;
use std::sync::Arc;

use tune_core::Number;

use super::{Call, Failure, Function, MAX_ITEMS, Marks, Shape, row, string, takes};
use crate::convert::unify;
use crate::value::{Data, Entries, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    row(
        "coalesce",
        &[takes("value", Shape::Any).or_null()],
        Shape::Any,
        "The first value that is neither `null` nor an empty text.",
        coalesce,
    )
    .rest(takes("value", Shape::Any).or_null())
    .example("coalesce(\"\", null, \"a\")"),
    row(
        "compact",
        &[takes("list", Shape::Texts)],
        Shape::Texts,
        "The texts of the list that are neither `null` nor empty.",
        |call| {
            let kept = call.items(0).iter().filter(|item| item.as_str().is_some_and(|text| !text.is_empty()));
            Ok(Value::list(kept.cloned().collect()))
        },
    )
    .example("compact([\"a\", \"\", null, \"b\"])"),
    row("concat", &[takes("list", Shape::List)], Shape::List, "One list of all elements of the lists.", |call| {
        let mut items = Vec::new();
        for position in 0..call.arguments.len() {
            items.extend_from_slice(call.ordered(position)?);
        }
        Ok(Value::list(items))
    })
    .rest(takes("list", Shape::List))
    .marks(Marks::Parts)
    .example("concat([\"a\"], [\"b\", \"c\"])"),
    row(
        "contains",
        &[takes("list", Shape::List), takes("value", Shape::Any)],
        Shape::Bool,
        "Whether the value is in the list.",
        |call| Ok(Value::bool(call.items(0).iter().any(|item| item.order(call.value(1)) == Ordering::Equal))),
    )
    .example("contains([\"a\", \"b\"], \"b\")"),
    row(
        "distinct",
        &[takes("list", Shape::List)],
        Shape::List,
        "The list without elements that occurred before.",
        distinct,
    )
    .example("distinct([\"a\", \"b\", \"a\"])"),
    row(
        "element",
        &[takes("list", Shape::List), takes("position", Shape::Integer)],
        Shape::Any,
        "The element at the position, counted round and round.",
        element,
    )
    .marks(Marks::Parts)
    .example("element([\"a\", \"b\", \"c\"], 4)"),
    row("flatten", &[takes("list", Shape::List)], Shape::List, "The list with lists in it dissolved.", |call| {
        Ok(flatten(call))
    })
    .marks(Marks::Parts)
    .example("flatten([[\"a\"], [], [\"b\", [\"c\"]]])"),
    row(
        "index",
        &[takes("list", Shape::List), takes("value", Shape::Any)],
        Shape::Number,
        "The position of the value in the list.",
        |call| {
            let position = call.ordered(0)?.iter().position(|item| item.order(call.value(1)) == Ordering::Equal);
            position.map(Value::integer).ok_or_else(|| Failure::of(1, "the list has no such element"))
        },
    )
    .example("index([\"a\", \"b\"], \"b\")"),
    row("keys", &[takes("map", Shape::Map)], Shape::Texts, "The keys of the map, sorted.", |call| {
        Ok(Value::list(call.entries(0).keys().map(|key| Value::string(key.clone())).collect()))
    })
    .marks(Marks::Parts)
    .example("keys({ b = 1, a = 2 })"),
    row(
        "length",
        &[takes("value", Shape::Any)],
        Shape::Number,
        "The number of elements, or of characters of a text.",
        length,
    )
    .marks(Marks::Parts)
    .example("length([\"a\", \"b\"])\nlength(\"hello\")"),
    row(
        "lookup",
        &[takes("map", Shape::Map), takes("key", Shape::Text), takes("default", Shape::Any).or_null().optional()],
        Shape::Any,
        "The value of the key, or the default.",
        |call| {
            let found = call.entries(0).get(call.text(1));
            let default = call.given(2).then(|| call.value(2));
            found.or(default).cloned().ok_or_else(|| Failure::of(1, "the map has no such key, and there is no default"))
        },
    )
    .marks(Marks::Parts)
    .example("lookup({ a = 1 }, \"b\", 0)"),
    row("merge", &[], Shape::Map, "One map of all entries; later ones win.", |call| {
        let maps = call.arguments.iter().filter_map(Value::as_entries);
        Ok(Value::map(maps.flatten().map(|(key, value)| (key.clone(), value.clone())).collect()))
    })
    .rest(takes("map", Shape::Map).or_null())
    .marks(Marks::Parts)
    .example("merge({ a = 1, b = 2 }, { a = 3 })"),
    row(
        "range",
        &[
            takes("start_or_end", Shape::Number),
            takes("end", Shape::Number).optional(),
            takes("step", Shape::Number).optional(),
        ],
        Shape::List,
        "Numbers in order: `range(3)` is 0, 1, 2.",
        range,
    )
    .example("range(3)\nrange(1, 8, 2)"),
    row("reverse", &[takes("list", Shape::List)], Shape::List, "The list from its end to its start.", |call| {
        Ok(Value::list(call.items(0).iter().rev().cloned().collect()))
    })
    .marks(Marks::Parts)
    .example("reverse([\"a\", \"b\"])"),
    row(
        "slice",
        &[takes("list", Shape::List), takes("start", Shape::Integer), takes("end", Shape::Integer)],
        Shape::List,
        "The elements from the start on, up to but without the end.",
        slice,
    )
    .marks(Marks::Parts)
    .example("slice([\"a\", \"b\", \"c\", \"d\"], 1, 3)"),
    row("sort", &[takes("list", Shape::Texts)], Shape::Texts, "The texts in the order of their code points.", |call| {
        let mut texts = call.texts(0)?;
        texts.sort_unstable();
        Ok(Value::list(texts.into_iter().map(Value::string).collect()))
    })
    .example("sort([\"b\", \"a\"])"),
    row(
        "values",
        &[takes("map", Shape::Map)],
        Shape::List,
        "The values of the map, in the order of its keys.",
        |call| Ok(Value::list(call.entries(0).values().cloned().collect())),
    )
    .marks(Marks::Parts)
    .example("values({ b = 1, a = 2 })"),
    row(
        "zipmap",
        &[takes("keys", Shape::Texts), takes("values", Shape::List)],
        Shape::Map,
        "A map of the keys to the values at the same positions.",
        zipmap,
    )
    .marks(Marks::Parts)
    .example("zipmap([\"a\", \"b\"], [1, 2])"),
];

fn coalesce(call: &mut Call<'_>) -> Result<Value, Failure> {
    let unified = unify(call.arguments.iter())
        .ok_or_else(|| Failure::new("all values must be of one type, but these have none in common"))?;
    let is_something = |value: &Value| !value.is_null() && value.as_str() != Some("");
    unified.into_iter().find(is_something).ok_or_else(|| Failure::new("all values are `null` or empty"))
}

fn distinct(call: &mut Call<'_>) -> Result<Value, Failure> {
    let items = unify(call.items(0).iter())
        .ok_or_else(|| Failure::of(0, "all elements must be of one type, but these have none in common"))?;
    // Sorting finds the repeated ones; the order that the list had is then put back.
    let mut numbered: Vec<(usize, &Value)> = items.iter().enumerate().collect();
    numbered.sort_by(|(a_at, a), (b_at, b)| a.order(b).then(a_at.cmp(b_at)));
    numbered.dedup_by(|(_, later), (_, first)| later.order(first) == Ordering::Equal);
    numbered.sort_unstable_by_key(|(at, _)| *at);
    Ok(Value::list(numbered.into_iter().map(|(_, item)| item.clone()).collect()))
}

fn element(call: &mut Call<'_>) -> Result<Value, Failure> {
    let items = call.ordered(0)?;
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if length == 0 {
        return Err(Failure::of(0, "the list has no elements"));
    }
    let position = call.integer(1);
    if position < 0 {
        return Err(Failure::of(1, "a position is not negative"));
    }
    Ok(items[usize::try_from(position % length).unwrap_or(0)].clone())
}

fn flatten(call: &Call<'_>) -> Value {
    fn add(items: &[Value], sensitive: bool, flat: &mut Vec<Value>) {
        for item in items {
            match item.as_items() {
                Some(nested) => add(nested, sensitive || item.sensitive, flat),
                None => flat.push(item.clone().mark(sensitive)),
            }
        }
    }
    let mut flat = Vec::new();
    add(call.items(0), false, &mut flat);
    Value::list(flat)
}

fn length(call: &mut Call<'_>) -> Result<Value, Failure> {
    let length = match &call.value(0).data {
        Data::String(text) => string::characters(text),
        Data::List(list) | Data::Set(list) => list.items.len(),
        Data::Map(map) => map.entries.len(),
        _ => return Err(Failure::of(0, format!("{} has no length", call.value(0).described()))),
    };
    Ok(Value::integer(length))
}

fn range(call: &mut Call<'_>) -> Result<Value, Failure> {
    let zero = Number::from(0_i64);
    let one = Number::from(1_i64);
    let (start, end) = if call.given(1) { (call.number(0), call.number(1)) } else { (&zero, call.number(0)) };
    let downwards = end < start;
    let minus_one = Number::from(-1_i64);
    let step = if call.given(2) {
        call.number(2)
    } else if downwards {
        &minus_one
    } else {
        &one
    };
    if start == end {
        return Ok(Value::list(Vec::new()));
    }
    if *step == zero {
        return Err(Failure::of(2, "the step is zero"));
    }
    if (*step < zero) != downwards {
        return Err(Failure::of(2, "the step leads away from the end"));
    }
    let mut numbers = Vec::new();
    let mut next = start.clone();
    while if downwards { next > *end } else { next < *end } {
        if numbers.len() >= MAX_ITEMS {
            return Err(Failure::too_large());
        }
        numbers.push(Value::number(next.clone()));
        next = Number::from_decimal(&(next.as_decimal() + step.as_decimal()))
            .map_err(|error| Failure::new(error.to_string()))?;
    }
    Ok(Value::list(numbers))
}

fn slice(call: &mut Call<'_>) -> Result<Value, Failure> {
    let items = call.ordered(0)?;
    let position = |at: usize| usize::try_from(call.integer(at)).ok().filter(|position| *position <= items.len());
    let start = position(1).ok_or_else(|| Failure::of(1, "the list has no such position"))?;
    let end = position(2).ok_or_else(|| Failure::of(2, "the list has no such position"))?;
    let part = items.get(start..end).ok_or_else(|| Failure::of(2, "the end is before the start"))?;
    Ok(Value::list(part.to_vec()))
}

fn zipmap(call: &mut Call<'_>) -> Result<Value, Failure> {
    let keys = call.texts(0)?;
    let values = call.ordered(1)?;
    if keys.len() != values.len() {
        return Err(Failure::new(format!("there are {} keys and {} values", keys.len(), values.len())));
    }
    let sensitive = call.items(0).iter().any(Value::has_secret);
    let entries: Entries = keys.into_iter().map(Arc::from).zip(values.iter().cloned()).collect();
    Ok(Value::map(entries).mark(sensitive))
}
