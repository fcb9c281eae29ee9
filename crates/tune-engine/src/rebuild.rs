//! Rebuilding a lost state from the ledgers that every host carries: `state import -from-hosts`. What ledgers do not
//! hold is lost: the history of runs, dependencies among resources, and `prevent_revert`.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::Address;
use tune_core::contract::ReadRequest;
use tune_core::item::{HostId, ItemId, Raw};
use tune_core::ledger::{Ledger, LedgerEntry};
use tune_core::reading::{Facts, Snapshot};
use tune_core::resource::Host;
use tune_core::state::{HostRecord, Original, Record, ResourceRecord, State};

use crate::engine::Engine;
use crate::watch::Watch;

/// Why no state could be rebuilt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RebuildError {
    /// No host carries a ledger.
    #[error("no host carries a ledger")]
    Nothing,
    /// Hosts carry ledgers of several states.
    #[error("the hosts carry ledgers of {} states", lineages.len())]
    SeveralLineages {
        /// Each with the hosts that carry it.
        lineages: BTreeMap<String, Vec<Address>>,
    },
    /// A state rebuilt from a part of the hosts would forget the others.
    #[error("`{host}` could not be read: {message}")]
    Unreachable {
        /// The host.
        host: Address,
        /// Why, without a full stop.
        message: String,
    },
    /// Only root may read ledgers.
    #[error("the ledgers on `{host}` can only be read by root")]
    NotRoot {
        /// The host.
        host: Address,
    },
    /// Two machines say that they are the same one.
    #[error("`{first}` and `{second}` carry the ledger of the same machine: one is a copy of the other")]
    Copies {
        /// One of them.
        first: Box<Address>,
        /// The other one.
        second: Box<Address>,
    },
}

impl Engine {
    pub(crate) async fn rebuild_from(
        &self,
        hosts: &BTreeMap<Address, Host>,
        lineage: Option<&str>,
        watch: &dyn Watch,
    ) -> Result<State, RebuildError> {
        let questions =
            hosts.iter().map(|(name, host)| (name.clone(), (host.clone(), ReadRequest::default()))).collect();
        let snapshot = self.read_all(&questions, watch).await;
        from_ledgers(hosts, &snapshot, lineage, &self.clock.now())
    }
}

/// Returns the state that these hosts' ledgers tell of; `lineage` chooses among several, `time` is noted as the moment
/// when the originals were recorded, because the ledgers do not say it.
pub fn from_ledgers(
    hosts: &BTreeMap<Address, Host>,
    snapshot: &Snapshot,
    lineage: Option<&str>,
    time: &str,
) -> Result<State, RebuildError> {
    let mut found: BTreeMap<&str, Vec<(&Host, &Facts, &Ledger)>> = BTreeMap::new();
    for (name, host) in hosts {
        let facts = match snapshot.get(name) {
            Some(Ok(answer)) => &answer.facts,
            Some(Err(why)) => {
                return Err(RebuildError::Unreachable { host: name.clone(), message: why.message.clone() });
            }
            None => {
                return Err(RebuildError::Unreachable { host: name.clone(), message: "it was not asked".to_owned() });
            }
        };
        let ledgers = facts.ledgers.as_ref().ok_or_else(|| RebuildError::NotRoot { host: name.clone() })?;
        for ledger in ledgers.iter().filter(|ledger| lineage.is_none_or(|wanted| ledger.lineage == wanted)) {
            found.entry(&ledger.lineage).or_default().push((host, facts, ledger));
        }
    }
    if found.len() > 1 {
        let names = |carriers: &Vec<(&Host, _, _)>| carriers.iter().map(|(host, _, _)| host.address.clone()).collect();
        let lineages = found.iter().map(|(lineage, carriers)| ((*lineage).to_owned(), names(carriers))).collect();
        return Err(RebuildError::SeveralLineages { lineages });
    }
    let (lineage, carriers) = found.pop_first().ok_or(RebuildError::Nothing)?;
    let mut state = State { lineage: lineage.to_owned(), ..State::default() };
    for (host, facts, ledger) in carriers {
        take_in(&mut state, host, facts, ledger, time)?;
    }
    state.last_run += UNSEEN_RUNS;
    state.serial = state.last_run;
    Ok(state)
}

/// A host whose ledger went away again may have been fenced by later runs than any ledger tells, and would refuse every
/// run up to those. The next run is numbered past them.
const UNSEEN_RUNS: u64 = 100;

fn take_in(state: &mut State, host: &Host, facts: &Facts, ledger: &Ledger, time: &str) -> Result<(), RebuildError> {
    let id = HostId(ledger.host_id.clone());
    if let Some(first) = state.hosts.get(&id) {
        return Err(RebuildError::Copies {
            first: Box::new(first.address.clone()),
            second: Box::new(host.address.clone()),
        });
    }
    state.last_run = state.last_run.max(ledger.epoch);
    for ((kind, key), entry) in &ledger.entries {
        let owner = entry.address.parse().unwrap_or_else(|_| Address::new(kind, "unnamed"));
        let item = ItemId { host: id.clone(), kind: kind.clone(), key: key.clone() };
        state.items.insert(item, record(entry, &owner, ledger.epoch, time));
        state.resources.entry(owner).or_insert_with(|| ResourceRecord {
            host: id.clone(),
            depends_on: std::collections::BTreeSet::new(),
            prevent_revert: false,
            guest: None,
        });
    }
    let record = HostRecord {
        address: host.address.clone(),
        transport: host.transport.clone(),
        become_: host.become_,
        machine_id: facts.machine_id.clone(),
        host_keys: facts.host_keys.clone(),
    };
    state.hosts.insert(id, record);
    Ok(())
}

fn record(entry: &LedgerEntry, owner: &Address, run: u64, time: &str) -> Record {
    let original = match &entry.original {
        Some(raw) => Original::Known { raw: raw.clone(), next_boot: None, run, time: time.to_owned() },
        None => Original::Unknown,
    };
    let applied = entry.ours.last().or(entry.original.as_ref()).cloned().unwrap_or(Raw::Absent);
    Record { owner: owner.clone(), original, applied, rolled_back_in: None, owes: BTreeSet::new() }
}
