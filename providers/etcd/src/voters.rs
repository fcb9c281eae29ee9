//! Who votes, as an answer tells it: how many, and on which hosts those run that are not healthy.

use std::collections::BTreeSet;

use serde::Deserialize;
use tune_core::rollout::Quorum;
use tune_core::value::{Value, decode};
use tune_source::Url;

/// What of an answer tells of voters.
#[derive(Deserialize)]
struct Told {
    voters: usize,
    healthy_voters: usize,
    members: Vec<Asked>,
    failures: Vec<Asked>,
}

/// A member that was found, or an endpoint that did not answer as one.
#[derive(Deserialize)]
struct Asked {
    host: Option<String>,
    endpoint: Option<String>,
    name: Option<String>,
    #[serde(default)]
    healthy: bool,
}

/// Returns the voters that an answer tells of.
pub(crate) fn quorum(answer: &Value) -> Option<Quorum> {
    let Value::Map(entries) = answer else { return None };
    let Told { voters, healthy_voters, members, failures } = decode(entries).ok()?;
    let unhealthy = members.iter().chain(&failures).filter(|asked| !asked.healthy);
    let unwell = unhealthy.flat_map(Asked::hosts).collect();
    Some(Quorum { voters, healthy: healthy_voters, unwell })
}

impl Asked {
    /// What the host of this member may be called: the one over which it was asked; otherwise that of its endpoint, which
    /// is often reached under the same name, and its own name, which is often that of its host. A member that nobody was
    /// asked for may be well.
    fn hosts(&self) -> BTreeSet<String> {
        match (&self.host, &self.endpoint) {
            (Some(host), _) => [host.clone()].into(),
            (None, Some(endpoint)) => {
                let place = Url::parse(endpoint).ok().map(|url| url.place.host);
                place.into_iter().chain(self.name.clone()).collect()
            }
            (None, None) => BTreeSet::new(),
        }
    }
}
