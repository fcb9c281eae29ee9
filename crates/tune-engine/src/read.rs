//! Reading hosts: side by side, with a deadline, and again where trying again can help. A read has no effect, so it may
//! always be repeated.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time;
use tune_core::Address;
use tune_core::contract::{Connection, ConnectionError, Pending, ReadRequest, Sent};
use tune_core::plan::{self, Mistake, Plan, Request};
use tune_core::reading::{HostReading, Snapshot, Unreachable};
use tune_core::resource::Host;

use crate::engine::Engine;
use crate::error::{NO_ANSWER, RESTLESS};
use crate::together::side_by_side;
use crate::watch::{RunEvent, Watch};

/// How often the hosts are asked until it is clear which recorded machine each of them is. Two rounds are enough for
/// machines that do not change places meanwhile.
const ROUNDS: usize = 4;

impl Engine {
    pub(crate) async fn read_and_plan(&self, request: &Request<'_>, watch: &dyn Watch) -> Result<Plan, Vec<Mistake>> {
        let mut wanted = plan::wanted(request)?;
        let mut snapshot = Snapshot::new();
        let mut asked: BTreeMap<Address, (Host, ReadRequest)> = BTreeMap::new();
        let mut rounds = 0;
        loop {
            let matching = plan::matching(request, &wanted, &snapshot);
            let mut lookups = plan::lookups(request, &wanted, &matching);
            let missing: BTreeMap<Address, (Host, ReadRequest)> = matching
                .asked
                .iter()
                .filter_map(|(name, who)| Some((name.clone(), (who.host.clone(), lookups.remove(name)?))))
                .filter(|(name, question)| asked.get(name) != Some(question))
                .collect();
            if !missing.is_empty() && rounds < ROUNDS {
                rounds += 1;
                snapshot.extend(self.read_all(&missing, watch).await);
                asked.extend(missing);
                continue;
            }
            snapshot.extend(missing.into_keys().map(|name| (name, Err(restless()))));
            let plan = plan::plan(request, &wanted, &matching, &snapshot);
            // Only now it is known that guests which nobody asked for may go down too.
            if wanted.ask_more(request, &plan) {
                rounds = 0;
            } else {
                return Ok(plan);
            }
        }
    }

    /// Reads hosts side by side.
    pub(crate) async fn read_all(
        &self,
        questions: &BTreeMap<Address, (Host, ReadRequest)>,
        watch: &dyn Watch,
    ) -> Snapshot {
        watch.event(RunEvent::Reading { hosts: questions.keys().cloned().collect() });
        let reads = questions.iter().map(|(name, (host, request))| -> Pending<'_, _> {
            Box::pin(async move {
                let answer = self.read_one(host, request, watch).await;
                let error = answer.as_ref().err().map(|error| error.message.clone());
                watch.event(RunEvent::HostRead { host: name.clone(), error });
                (name.clone(), answer.map_err(unreachable))
            })
        });
        side_by_side(self.limits.reads, reads.collect()).await.into_iter().collect()
    }

    /// Reads one host, again where that can help.
    pub(crate) async fn read_one(
        &self,
        host: &Host,
        request: &ReadRequest,
        watch: &dyn Watch,
    ) -> Result<HostReading, ConnectionError> {
        let connection = self.connection(host).await;
        let mut attempt = 1;
        loop {
            match self.ask(&*connection, host, request, self.limits.read_deadline).await {
                Err(error) if error.transient && attempt < self.limits.attempts => {
                    attempt += 1;
                    watch.event(RunEvent::Retrying { host: host.address.clone(), reason: error.message });
                    time::sleep(self.limits.pause(attempt, &host.address.to_string())).await;
                }
                answer => return answer,
            }
        }
    }

    /// Asks once, and no longer than `deadline`.
    pub(crate) async fn ask(
        &self,
        connection: &dyn Connection,
        host: &Host,
        request: &ReadRequest,
        deadline: Duration,
    ) -> Result<HostReading, ConnectionError> {
        within(deadline, host, connection.read(request)).await
    }

    /// Returns the connection to a host, the same one each time.
    pub(crate) async fn connection(&self, host: &Host) -> Arc<dyn Connection> {
        let key = (host.address.clone(), host.transport.clone(), host.become_);
        let mut connections = self.connections.lock().await;
        Arc::clone(connections.entry(key).or_insert_with(|| self.connector.connect(host)))
    }
}

/// Gives up after a deadline; then it is not known whether the request had an effect.
pub(crate) async fn within<T>(
    deadline: Duration,
    host: &Host,
    request: Pending<'_, Result<T, ConnectionError>>,
) -> Result<T, ConnectionError> {
    time::timeout(deadline, request).await.unwrap_or_else(|_| {
        Err(ConnectionError {
            code: NO_ANSWER,
            sent: Sent::Perhaps,
            transient: false,
            message: format!("`{}` did not answer within {} seconds", host.address, deadline.as_secs()),
            help: Some("look whether the host is overloaded or hangs, then try again".to_owned()),
        })
    })
}

fn unreachable(error: ConnectionError) -> Unreachable {
    Unreachable { code: error.code, message: error.message, help: error.help }
}

fn restless() -> Unreachable {
    Unreachable {
        code: RESTLESS,
        message: "another machine answered each time that this host was asked".to_owned(),
        help: Some("look which machines share this address".to_owned()),
    }
}
