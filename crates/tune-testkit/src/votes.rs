//! A source that asks a group of the world who votes, how many of them are well and who leads; and the checks over it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use schemars::JsonSchema;
use serde::Deserialize;
use tune_core::contract::Pending;
use tune_core::problem::{Code, Explanation};
use tune_core::reading::Unreadable;
use tune_core::rollout::{Answers, Live, Query, Quorum, Verdict};
use tune_core::schema::KindSchema;
use tune_core::source::{Reach, Source, Sources};
use tune_core::{Address, Number, Value};

use crate::world::World;

/// Nobody leads the group.
pub const NO_LEADER: Code = Code("tune::votes::no_leader");

/// What a block of this kind takes.
#[derive(Debug, Deserialize, JsonSchema)]
struct Asked {
    /// The group.
    #[expect(dead_code, reason = "only its schema is looked at")]
    group: String,
}

/// The source `votes`.
#[derive(Debug)]
struct Voting(World);

/// Returns the sources that a world answers.
pub fn sources(world: &World) -> Sources {
    let source: Arc<dyn Source> = Arc::new(Voting(world.clone()));
    BTreeMap::from([("votes", source)])
}

/// Returns a question about a group.
pub fn query(name: &str, group: &str) -> Query {
    let attributes = BTreeMap::from([("group".to_owned(), Value::from(group))]);
    Query { address: Address::new("votes", name), attributes }
}

impl Source for Voting {
    fn schema(&self) -> &KindSchema {
        static SCHEMA: LazyLock<KindSchema> = LazyLock::new(|| KindSchema::of::<Asked>("votes"));
        &SCHEMA
    }

    fn answer(&self) -> &KindSchema {
        self.schema()
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn look<'a>(&'a self, query: &'a Query, _: &'a dyn Reach) -> Pending<'a, Result<Value, Unreadable>> {
        Box::pin(async move {
            self.0.distance().await;
            let group = query.attributes.get("group").and_then(Value::as_str).unwrap_or_default();
            let silent = |message: String| Unreadable { code: NO_LEADER, message, help: None };
            let votes = self.0.votes(group).ok_or_else(|| silent(format!("there is no group {group}")))?;
            let leader = votes.leader.ok_or_else(|| silent(format!("nobody leads {group}")))?;
            let unwell = votes.unwell.iter().map(|name| Value::from(name.as_str()));
            Ok(Value::Map(BTreeMap::from([
                ("voters".to_owned(), number(votes.voters)),
                ("healthy".to_owned(), number(votes.healthy)),
                ("unwell".to_owned(), Value::List(unwell.collect())),
                ("leader".to_owned(), Value::from(leader.as_str())),
            ])))
        })
    }

    fn knows_quorum(&self) -> bool {
        true
    }

    fn quorum(&self, answer: &Value) -> Option<Quorum> {
        let Value::Map(map) = answer else { return None };
        let Value::List(unwell) = map.get("unwell")? else { return None };
        let unwell = unwell.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Some(Quorum { voters: count(answer, "voters")?, healthy: count(answer, "healthy")?, unwell })
    }
}

fn number(count: usize) -> Value {
    Value::Number(Number::from(i64::try_from(count).expect("a group is small")))
}

fn count(answer: &Value, name: &str) -> Option<usize> {
    let Value::Map(map) = answer else { return None };
    map.get(name)?.to_string().parse().ok()
}

/// The expressions of a configuration: every check wants all voters but so many to be well, and leaders go last.
#[derive(Debug, Default)]
pub struct Judge {
    /// By check: how many voters may be away.
    pub spares: BTreeMap<Address, usize>,
}

impl Live for Judge {
    fn judge(&self, check: &Address, answers: &Answers) -> Verdict {
        for answer in answers.values() {
            let (Some(voters), Some(healthy)) = (count(answer, "voters"), count(answer, "healthy")) else {
                return Verdict::Unknown { reason: "the answer has no voters".to_owned() };
            };
            let needed = voters - self.spares.get(check).copied().unwrap_or(0).min(voters);
            if healthy < needed {
                return Verdict::Fail { messages: vec![format!("healthy = {healthy}, needed {needed}")] };
            }
        }
        Verdict::Pass
    }

    fn last(&self, _: &Address, answers: &Answers) -> Result<BTreeSet<Address>, String> {
        let leader = |answer: &Value| match answer {
            Value::Map(map) => map.get("leader").and_then(Value::as_str).map(|name| Address::new("host", name)),
            _ => None,
        };
        Ok(answers.values().filter_map(leader).collect())
    }
}
