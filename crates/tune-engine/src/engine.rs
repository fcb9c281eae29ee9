//! The engine as its callers see it: plan, settle, run, forget, rebuild.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use tune_core::Address;
use tune_core::contract::{Connection, Connector, Kinds};
use tune_core::plan::{Mistake, Plan, Request};
use tune_core::resource::{Become, Host, Transport};
use tune_core::state::State;

use crate::clock::Clock;
use crate::conduct::Conduct;
use crate::error::EngineError;
use crate::forget::Forgotten;
use crate::limits::Limits;
use crate::rebuild::RebuildError;
use crate::report::{Report, Settled};
use crate::stop::Stop;
use crate::store::Store;
use crate::watch::Watch;

/// Everything that the engine works with.
#[derive(Debug)]
pub struct Engine {
    /// Opens connections.
    pub connector: Arc<dyn Connector>,
    /// The kinds that are known.
    pub kinds: Kinds,
    /// Times and fresh names.
    pub clock: Arc<dyn Clock>,
    /// How much at once, and for how long.
    pub limits: Limits,
    /// Open connections, so that a plan and its run share one per host.
    pub(crate) connections: Mutex<Connections>,
}

/// Connections by everything that makes two of them different.
pub(crate) type Connections = BTreeMap<(Address, Transport, Become), Arc<dyn Connection>>;

impl Engine {
    /// Returns an engine; nothing is opened yet.
    pub fn new(connector: Arc<dyn Connector>, kinds: Kinds, clock: Arc<dyn Clock>, limits: Limits) -> Self {
        Self { connector, kinds, clock, limits, connections: Mutex::default() }
    }

    /// Reads everything that the request concerns and returns the plan, or every mistake that shows before anything is
    /// read. Writes nothing anywhere.
    pub async fn plan(&self, request: &Request<'_>, watch: &dyn Watch) -> Result<Plan, Vec<Mistake>> {
        self.read_and_plan(request, watch).await
    }

    /// Settles the open run of an interrupted process, if there is one: looks behind the fence at what is not known,
    /// finishes or undoes, and records it. While a host is missing the run stays open.
    pub async fn settle(&self, store: &mut dyn Store, watch: &dyn Watch) -> Result<Option<Settled>, EngineError> {
        self.settle_open_run(store, watch).await
    }

    /// Executes a plan exactly. `command` is how the run is called in the history (`apply`), `by` who runs it
    /// (`user@machine`).
    #[expect(clippy::too_many_arguments, reason = "each is another thing, and all are needed")]
    pub async fn run(
        &self,
        store: &mut dyn Store,
        plan: &Plan,
        conduct: &Conduct<'_>,
        command: &str,
        by: &str,
        watch: &dyn Watch,
        stop: &Stop,
    ) -> Result<Report, EngineError> {
        self.execute(store, plan, conduct, (command, by), watch, stop).await
    }

    /// Forgets everything that is recorded for these resources, here and in the ledgers of the hosts that can be
    /// reached. Live values stay as they are. A run that waits for a host that never comes back ends this way too.
    pub async fn forget(
        &self,
        store: &mut dyn Store,
        addresses: &[Address],
        by: &str,
        watch: &dyn Watch,
    ) -> Result<Forgotten, EngineError> {
        self.forget_resources(store, addresses, by, watch).await
    }

    /// Rebuilds a lost state from the ledgers of these hosts; `lineage` chooses among several. It is not stored yet.
    pub async fn rebuild(
        &self,
        hosts: &BTreeMap<Address, Host>,
        lineage: Option<&str>,
        watch: &dyn Watch,
    ) -> Result<State, RebuildError> {
        self.rebuild_from(hosts, lineage, watch).await
    }

    /// Closes every connection.
    pub async fn close(&self) {
        let connections = std::mem::take(&mut *self.connections.lock().await);
        for connection in connections.into_values() {
            connection.close().await;
        }
    }
}
