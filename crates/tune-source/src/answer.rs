//! Answers from plain structs, and the attributes of a block as plain structs.

use std::collections::BTreeMap;

use serde::Serialize;
use tune_core::number::Number;
use tune_core::value::Value;

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
