//! Asking sources about the live world, for `data` while planning, for probes, and for who goes last. An answer has no
//! effect on what is asked, so asking may always be repeated.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time;
use tune_core::contract::{Connection, Pending};
use tune_core::reading::Unreadable;
use tune_core::resource::Host;
use tune_core::rollout::{Answers, Check, Query, Quorum, Verdict};
use tune_core::source::{Reach, Source, Sources};
use tune_core::{Address, Value};

use crate::conduct::Conduct;
use crate::engine::Engine;
use crate::error::{NO_ANSWER, NO_SOURCE};
use crate::together::side_by_side;
use crate::watch::{RunEvent, Watch};

/// What queries gave, by their address.
pub type Looked = BTreeMap<Address, Result<Value, Unreadable>>;

/// What one look at a check gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// What the check says.
    pub verdict: Verdict,
    /// What its probes answered.
    pub answers: Looked,
    /// The voters of which a probe told; of several the ones that can spare least.
    pub quorum: Option<Quorum>,
}

/// Reaches hosts over the engine's own connections.
#[derive(Debug)]
struct Shared<'a> {
    engine: &'a Engine,
    hosts: &'a BTreeMap<Address, Host>,
}

impl Reach for Shared<'_> {
    fn connection<'a>(&'a self, address: &'a Address) -> Pending<'a, Option<Arc<dyn Connection>>> {
        Box::pin(async move {
            let host = self.hosts.get(address)?;
            Some(self.engine.connection(host).await)
        })
    }

    fn name(&self, address: &Address) -> String {
        self.hosts.get(address).map_or_else(|| address.own_name(), |host| host.name.clone())
    }
}

impl Engine {
    /// Asks every query, side by side, each within the deadline of a read and again where that can help. The addresses
    /// of the queries must differ.
    pub async fn look(
        &self,
        sources: &Sources,
        queries: &[Query],
        hosts: &BTreeMap<Address, Host>,
        watch: &dyn Watch,
    ) -> Looked {
        let names = queries.iter().map(|query| query.address.clone()).collect();
        watch.event(RunEvent::Asking { queries: names });
        let reach = Shared { engine: self, hosts };
        let reach = &reach;
        let asked = queries.iter().map(|query| -> Pending<'_, _> {
            Box::pin(async move {
                let answer = self.insist(sources, query, reach).await;
                let error = answer.as_ref().err().map(|error| error.message.clone());
                watch.event(RunEvent::Answered { query: query.address.clone(), error });
                (query.address.clone(), answer)
            })
        });
        side_by_side(self.limits.reads, asked.collect()).await.into_iter().collect()
    }

    /// Looks at every check once. A probe without an answer makes its check unknown.
    pub async fn check(&self, checks: &BTreeMap<Address, Check>, conduct: &Conduct<'_>) -> BTreeMap<Address, Checked> {
        let looks = checks.values().map(|check| -> Pending<'_, _> {
            Box::pin(async move { (check.address.clone(), self.check_one(check, conduct).await) })
        });
        side_by_side(self.limits.reads, looks.collect()).await.into_iter().collect()
    }

    async fn check_one(&self, check: &Check, conduct: &Conduct<'_>) -> Checked {
        let reach = Shared { engine: self, hosts: conduct.hosts };
        let reach = &reach;
        let probes = check.probes.iter().map(|probe| -> Pending<'_, _> {
            Box::pin(async move { (probe.address.clone(), self.ask_source(conduct.sources, probe, reach).await) })
        });
        let answers: Looked = side_by_side(self.limits.reads, probes.collect()).await.into_iter().collect();
        let known: Answers =
            answers.iter().filter_map(|(name, answer)| Some((name.clone(), answer.as_ref().ok()?.clone()))).collect();
        let quorums = known.iter().filter_map(|(name, answer)| source(conduct.sources, name)?.quorum(answer));
        let quorum = quorums.min_by_key(Quorum::allows_down);
        let silent = answers.iter().find_map(|(name, answer)| Some((name, answer.as_ref().err()?)));
        let verdict = match silent {
            Some((name, error)) => {
                Verdict::Unknown { reason: format!("`{}` gave no answer: {}", name.short(), error.message) }
            }
            None => conduct.live.judge(&check.address, &known),
        };
        Checked { verdict, answers, quorum }
    }

    /// Asks again where the first answers are errors: a source does not say which of them pass.
    async fn insist(&self, sources: &Sources, query: &Query, reach: &Shared<'_>) -> Result<Value, Unreadable> {
        let mut attempt = 1;
        loop {
            match self.ask_source(sources, query, reach).await {
                Err(error) if attempt < self.limits.attempts && error.code != NO_ANSWER && error.code != NO_SOURCE => {
                    attempt += 1;
                    time::sleep(self.limits.pause(attempt, &query.address.to_string())).await;
                }
                answer => return answer,
            }
        }
    }

    async fn ask_source(&self, sources: &Sources, query: &Query, reach: &Shared<'_>) -> Result<Value, Unreadable> {
        let Some(source) = source(sources, &query.address) else {
            return Err(Unreadable {
                code: NO_SOURCE,
                message: format!("nothing is known that answers `{}`", query.address.kind),
                help: None,
            });
        };
        let deadline = self.limits.read_deadline;
        time::timeout(deadline, source.look(query, reach)).await.unwrap_or_else(|_| {
            Err(Unreadable {
                code: NO_ANSWER,
                message: format!("`{}` gave no answer within {} seconds", query.address, deadline.as_secs()),
                help: Some("look whether what it asks is overloaded or hangs, then try again".to_owned()),
            })
        })
    }
}

fn source<'a>(sources: &'a Sources, query: &Address) -> Option<&'a Arc<dyn Source>> {
    sources.get(query.kind.as_str())
}
