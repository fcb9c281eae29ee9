//! Forgetting resources without touching their live values: `state rm`. The hosts' ledgers forget with the state, as
//! far as the hosts can be reached; otherwise the items would stay claimed there.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::Address;
use tune_core::contract::{Batch, Epoch, Pending};
use tune_core::item::{HostId, ItemId};
use tune_core::journal::{Event, Header, StepOutcome, forget_what_owns_nothing, replay};
use tune_core::resource::Host;
use tune_core::state::{HostRecord, Record, RunRecord, RunResult, State};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::read::within;
use crate::report::NotStarted;
use crate::run::{Gathered, Journal, Run, chain, ledger, recorded};
use crate::store::Store;
use crate::together::side_by_side;
use crate::watch::{RunEvent, Watch};

/// What was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// The records, with the originals.
    pub items: BTreeMap<ItemId, Record>,
    /// The open run that ended with it, because it waited for nothing else.
    pub ended_run: Option<u64>,
    /// What could not be tidied, as whole sentences: hosts whose ledger still names the items.
    pub warnings: Vec<String>,
}

impl Engine {
    pub(crate) async fn forget_resources(
        &self,
        store: &mut dyn Store,
        addresses: &[Address],
        by: &str,
        watch: &dyn Watch,
    ) -> Result<Forgotten, EngineError> {
        self.settle_open_run(store, watch).await?;
        let ended_run = self.give_up_waiting(store, addresses, watch)?;
        let mut state = store.state().clone();
        let selected = |owner: &Address| addresses.iter().any(|wanted| wanted.selects(owner));
        let items: BTreeMap<ItemId, Record> = state.items.extract_if(.., |_, record| selected(&record.owner)).collect();
        if items.is_empty() {
            return Ok(Forgotten { ended_run, ..Forgotten::default() });
        }
        let header = self.forgetting(&state, &items, by);
        let hosts: BTreeSet<&HostId> = items.keys().map(|id| &id.host).collect();
        let hosts: Vec<(HostRecord, Batch)> = hosts
            .into_iter()
            .filter_map(|id| Some((state.hosts.get(id)?.clone(), self.shortened(store, &state, &header, id))))
            .collect();
        forget_what_owns_nothing(&mut state);
        state.serial += 1;
        state.last_run = header.run;
        store.append(&[Event::Begin(header.clone()), Event::End(RunResult::Done)])?;
        let committed = store.commit(state, self.record(header))?;
        let sent = hosts.iter().map(|(host, batch)| -> Pending<'_, _> { Box::pin(self.shorten(host, batch, watch)) });
        let sent = side_by_side(self.limits.parallelism, sent.collect()).await;
        let mut warnings: Vec<String> = sent.into_iter().flatten().collect();
        if let Err(error) = committed.export {
            warnings.push(format!("The export of the state could not be written: {}.", chain(&error)));
        }
        Ok(Forgotten { items, ended_run, warnings })
    }

    /// Forgetting is a run of its own: the history tells of it, and its number is above all that the hosts have seen.
    fn forgetting(&self, state: &State, items: &BTreeMap<ItemId, Record>, by: &str) -> Header {
        let owners: BTreeSet<String> = items.values().map(|record| record.owner.to_string()).collect();
        Header {
            run: state.last_run + 1,
            command: format!("state rm {}", owners.into_iter().collect::<Vec<_>>().join(" ")),
            by: by.to_owned(),
            started: self.clock.now(),
            lineage: state.lineage.clone(),
            hosts: BTreeMap::new(),
            resources: BTreeMap::new(),
        }
    }

    fn record(&self, header: Header) -> RunRecord {
        RunRecord {
            activations: Vec::new(),
            number: header.run,
            command: header.command,
            by: header.by,
            started: header.started,
            finished: self.clock.now(),
            result: RunResult::Done,
            changes: BTreeMap::new(),
        }
    }

    /// Ends an open run that waits for nothing but these resources. If it waits for others as well, it stays open.
    fn give_up_waiting(
        &self,
        store: &mut dyn Store,
        addresses: &[Address],
        watch: &dyn Watch,
    ) -> Result<Option<u64>, EngineError> {
        let Some(events) = store.open_run() else { return Ok(None) };
        let progress = replay(events)?;
        let Header { run: number, resources, .. } = progress.header.clone();
        let base = store.state().clone();
        let unsettled: Vec<_> = progress.unsettled().map(|(step, intent)| (step, intent.owner.clone())).collect();
        let run = Run::new(self, watch, base, None, Journal::resumed(store, progress));
        for (step, owner) in unsettled {
            if addresses.iter().any(|wanted| wanted.selects(&owner)) {
                let message = "it was forgotten before its outcome was known".to_owned();
                run.journal().note(Event::Settle { step, outcome: StepOutcome::Stuck { live: None, message } });
            }
        }
        let gathered = Gathered {
            not_started: resources.keys().map(|address| (address.clone(), NotStarted::Interrupted)).collect(),
            planned: resources.into_keys().collect(),
            interrupted: true,
            ..Gathered::default()
        };
        let report = run.finish(gathered)?;
        if report.open { Err(EngineError::OpenRun { number }) } else { Ok(Some(number)) }
    }

    /// Returns what brings a host's ledger in line with a state that forgot something.
    fn shortened(&self, store: &mut dyn Store, state: &State, header: &Header, host: &HostId) -> Batch {
        let left = ledger(header, host, recorded(state, host));
        Batch {
            lineage: header.lineage.clone(),
            epoch: Epoch { run: header.run, sequence: store.next_sequence() },
            items: Vec::new(),
            ledger: left.clone(),
            ledger_after: Some(left).filter(|left| !left.entries.is_empty()),
            deadline: self.limits.batch_deadline,
            restore_after: None,
        }
    }

    async fn shorten(&self, record: &HostRecord, batch: &Batch, watch: &dyn Watch) -> Option<String> {
        let host = Host {
            name: record.address.own_name(),
            address: record.address.clone(),
            transport: record.transport.clone(),
            become_: record.become_,
        };
        let connection = self.connection(&host).await;
        let sent = within(batch.deadline + self.limits.read_deadline, &host, connection.apply(batch)).await;
        let error = sent.err().map(|error| error.message);
        watch.event(RunEvent::HostRead { host: host.address.clone(), error: error.clone() });
        let error = error?;
        Some(format!(
            "The ledger on `{}` still names what was forgotten, so other states are refused there: {error}. To remove \
             it by hand, delete `/var/lib/tune/{}` on the host, unless more of this state is managed there.",
            host.address, batch.lineage
        ))
    }
}
