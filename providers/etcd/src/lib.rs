//! The source `etcd`: who is a member of an etcd cluster, who votes, who leads, and who keeps up.
//!
//! Every endpoint is asked side by side, either over the JSON form of the client API or over the metrics. What they say
//! is put together by one pure function ([`judge`]); an endpoint that is away makes its member unhealthy and never hides
//! the others. Nothing is written: alarms are read from the status, because asking for them by the API of its own
//! proposes an entry to the cluster, and fails without a majority.

mod answer;
mod ask;
mod attributes;
mod client;
mod codes;
mod judge;
mod metrics;
#[cfg(test)]
mod tests;
mod voters;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tune_core::contract::Pending;
use tune_core::problem::{Explanation, Problem};
use tune_core::reading::Unreadable;
use tune_core::rollout::{Query, Quorum};
use tune_core::schema::KindSchema;
use tune_core::source::{Reach, Source};
use tune_core::value::Value;
use tune_source::Folder;

use crate::answer::Answer;
use crate::attributes::Attributes;

/// The source `etcd`.
#[derive(Debug)]
pub struct Etcd {
    schema: KindSchema,
    answer: KindSchema,
    folder: Folder,
}

/// Returns the source; certificates and keys are read from files below `folder`, the configuration's.
pub fn source(folder: &Path) -> Arc<dyn Source> {
    Arc::new(Etcd {
        schema: KindSchema::of::<Attributes>("etcd"),
        answer: KindSchema::of::<Answer>("etcd"),
        folder: Folder::new(folder),
    })
}

/// Returns every source of this crate.
pub fn sources(folder: &Path) -> Vec<Arc<dyn Source>> {
    vec![source(folder)]
}

impl Source for Etcd {
    fn schema(&self) -> &KindSchema {
        &self.schema
    }

    fn answer(&self) -> &KindSchema {
        &self.answer
    }

    fn explanations(&self) -> &'static [Explanation] {
        codes::EXPLANATIONS
    }

    fn check(&self, attributes: &BTreeMap<String, Value>) -> Vec<Problem> {
        attributes::check(attributes)
    }

    fn look<'a>(&'a self, query: &'a Query, reach: &'a dyn Reach) -> Pending<'a, Result<Value, Unreadable>> {
        Box::pin(async move {
            let asking = attributes::asking(&query.attributes, &self.folder)?;
            let seen = ask::everyone(&asking, reach).await;
            judge::judge(&seen, asking.max_lag).map(|answer| tune_source::answer(&answer))
        })
    }

    fn knows_quorum(&self) -> bool {
        true
    }

    fn quorum(&self, answer: &Value) -> Option<Quorum> {
        voters::quorum(answer)
    }
}
