//! A recording: everything that one plan looked at, so that configurations can be tested later, with no host, no state
//! and no network.
//!
//! [`Recorder`] stands between the engine and the connections of a live plan and keeps what they answer; [`Replay`] stands
//! in their place and gives it again. A plan from a recording is the plan that it was made with, as long as the
//! configuration is the same. The file holds no secret, because neither readings nor the state hold one, and attributes
//! of questions and answers that their schema calls secret are left out.

mod record;
mod replay;
mod text;

use std::collections::BTreeMap;

pub use record::Recorder;
pub use replay::Replay;
pub(crate) use text::to_json;
pub use text::{parse, print, schema, write};
use tune_core::reading::{Facts, Reading, Unreachable, Unreadable};
use tune_core::rollout::Query;
use tune_core::schema::KindSchema;
use tune_core::source::Sources;
use tune_core::{Address, Value};

use crate::error::NOT_RECORDED;
use crate::look::Looked;
use crate::store::local::Export;

/// Everything that one plan looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recording {
    /// The boot id of the machine that ran `tune`, by which it is recognised among the hosts.
    pub controller: Option<String>,
    /// What was remembered; empty before the first apply.
    pub state: Export,
    /// What hosts and APIs answered, by their names.
    pub hosts: BTreeMap<Address, Answered>,
    /// What `data` blocks asked, and the answers.
    pub data: BTreeMap<Address, Datum>,
}

/// What one host or API answered, or why it did not.
pub type Answered = Result<HostRecording, Unreachable>;

/// Everything that was read from one host or API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostRecording {
    /// What is true of it as a whole.
    pub facts: Facts,
    /// What was read, by kind.
    pub kinds: BTreeMap<String, Reading>,
}

/// A question of a `data` block with its answer, both without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datum {
    /// The attributes of the question.
    pub asked: BTreeMap<String, Value>,
    /// The answer.
    pub answer: Result<Value, Unreadable>,
}

impl Recording {
    /// Keeps what `data` blocks were answered.
    pub fn note(&mut self, sources: &Sources, queries: &[Query], looked: &Looked) {
        for query in queries {
            let Some(answer) = looked.get(&query.address) else { continue };
            let source = sources.get(query.address.kind.as_str());
            let answer = answer.clone().map(|answer| match (answer, source) {
                (Value::Map(entries), Some(source)) => Value::Map(without_secrets(&entries, source.answer())),
                (answer, _) => answer,
            });
            self.data.insert(query.address.clone(), Datum { asked: asked(sources, query), answer });
        }
    }

    /// Answers the questions of `data` blocks from what was recorded.
    pub fn look(&self, sources: &Sources, queries: &[Query]) -> Looked {
        let answer = |query: &Query| {
            let name = format!("data.{}", query.address);
            match self.data.get(&query.address) {
                Some(datum) if text::is_alike(&datum.asked, &asked(sources, query)) => datum.answer.clone(),
                Some(_) => Err(missing(&format!("the recording holds the answer of `{name}` to another question"))),
                None => Err(missing(&format!("the recording holds no answer of `{name}`"))),
            }
        };
        queries.iter().map(|query| (query.address.clone(), answer(query))).collect()
    }
}

fn asked(sources: &Sources, query: &Query) -> BTreeMap<String, Value> {
    match sources.get(query.address.kind.as_str()) {
        Some(source) => without_secrets(&query.attributes, source.schema()),
        None => query.attributes.clone(),
    }
}

fn without_secrets(values: &BTreeMap<String, Value>, schema: &KindSchema) -> BTreeMap<String, Value> {
    let is_secret = |name: &String| schema.attributes.get(name).is_some_and(|attribute| attribute.is_secret);
    values.iter().filter(|(name, _)| !is_secret(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// How a person makes a recording that holds more.
const HOW: &str = "record again, with what the test needs in the configuration: `tune plan -record=FILE`";

fn missing(message: &str) -> Unreadable {
    Unreadable { code: NOT_RECORDED, message: message.to_owned(), help: Some(HOW.to_owned()) }
}
