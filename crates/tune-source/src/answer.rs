//! Answers from plain structs, and the attributes of a block as plain structs.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tune_core::number::Number;
use tune_core::path::AttributePath;
use tune_core::problem::Problem;
use tune_core::reading::Unreadable;
use tune_core::text::visible;
use tune_core::value::{Value, decode};

use crate::codes::{BAD_BLOCK, BAD_NUMBER};
use crate::unreadable;

/// Returns the answer as a value: the way back of [`tune_core::value::decode`]. Every field is there, one without a value
/// as `null`, so that an answer always has the shape of its schema.
pub fn answer<T: Serialize>(answer: &T) -> Value {
    // Answers are structs of texts, numbers, bools, lists and maps by text; those always have a JSON form.
    serde_json::to_value(answer).map_or(Value::Null, |json| value(&json))
}

fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => number.to_string().parse::<Number>().map_or(Value::Null, Value::Number),
        serde_json::Value::String(text) => Value::String(text.clone()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(value).collect()),
        serde_json::Value::Object(entries) => {
            Value::Map(entries.iter().map(|(name, entry)| (name.clone(), value(entry))).collect())
        }
    }
}

/// Returns the attributes of a block as a struct. They were checked before, so an error is a rare thing.
pub fn block<T: DeserializeOwned>(attributes: &BTreeMap<String, Value>) -> Result<T, Unreadable> {
    decode(attributes).map_err(|error| {
        let message = format!("the attributes cannot be read: {}", visible(&error.to_string(), 200));
        unreadable(BAD_BLOCK, message, "Correct the block.")
    })
}

/// Returns the problem of attributes that do not fit together.
pub fn bad_block(path: AttributePath, message: &str, label: &str, help: &str) -> Problem {
    Problem::new(BAD_BLOCK, path, message, label).with_help(help)
}

/// Returns what is wrong with the number in the attribute `name`.
pub fn check_number(attributes: &BTreeMap<String, Value>, name: &str, range: RangeInclusive<u64>) -> Option<Problem> {
    let Some(Value::Number(number)) = attributes.get(name) else { return None };
    if number.as_u64().is_some_and(|number| range.contains(&number)) {
        return None;
    }
    let message = format!("`{name}` cannot be {number}");
    let label = format!("not from {} to {}", range.start(), range.end());
    Some(Problem::new(BAD_NUMBER, AttributePath::attribute(name), message, label))
}

/// Returns the text of an attribute that was written as one.
pub fn attribute<'a>(attributes: &'a BTreeMap<String, Value>, name: &str) -> Option<&'a str> {
    attributes.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Sample {
        text: String,
        count: u64,
        below: i64,
        flag: bool,
        names: Vec<String>,
        more: BTreeMap<String, u64>,
    }

    fn samples() -> impl Strategy<Value = Sample> {
        let names = proptest::collection::vec(".{0,4}", 0..3);
        let more = proptest::collection::btree_map(".{0,4}", any::<u64>(), 0..3);
        (".{0,8}", any::<u64>(), any::<i64>(), any::<bool>(), names, more)
            .prop_map(|(text, count, below, flag, names, more)| Sample { text, count, below, flag, names, more })
    }

    proptest! {
        #[test]
        fn an_answer_decodes_to_what_it_was(sample in samples()) {
            let Value::Map(entries) = answer(&sample) else { panic!("not a map") };
            prop_assert_eq!(tune_core::value::decode::<Sample>(&entries).unwrap(), sample);
        }
    }

    #[test]
    fn what_is_not_known_is_null_and_there() {
        #[derive(Serialize)]
        struct Known {
            leader: Option<String>,
        }
        assert_eq!(answer(&Known { leader: None }), Value::Map(BTreeMap::from([("leader".to_owned(), Value::Null)])));
    }
}
