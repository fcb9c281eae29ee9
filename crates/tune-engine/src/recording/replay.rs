//! Giving what was recorded, instead of asking anybody.

use std::sync::Arc;

use tune_core::Address;
use tune_core::contract::{Batch, Connection, ConnectionError, Connector, Lookup, Outcome, Pending, ReadRequest, Sent};
use tune_core::reading::{HostReading, Reading, Unreachable, Unreadable};
use tune_core::resource::Host;

use super::{HOW, HostRecording, Recording, missing};
use crate::error::NOT_RECORDED;

/// Answers from a recording. Nothing is ever sent, and nothing can be written.
#[derive(Debug)]
pub struct Replay(Arc<Recording>);

impl Replay {
    /// Returns a connector that answers from this recording.
    pub fn new(recording: Arc<Recording>) -> Self {
        Self(recording)
    }
}

impl Connector for Replay {
    fn connect(&self, host: &Host) -> Arc<dyn Connection> {
        Arc::new(Played { recording: Arc::clone(&self.0), name: host.address.clone() })
    }
}

#[derive(Debug)]
struct Played {
    recording: Arc<Recording>,
    name: Address,
}

impl Played {
    fn answer(&self, request: &ReadRequest) -> Result<HostReading, ConnectionError> {
        match self.recording.hosts.get(&self.name) {
            Some(Ok(host)) => Ok(HostReading {
                facts: host.facts.clone(),
                readings: request.lookups.iter().map(|lookup| reading(&self.name, host, lookup)).collect(),
            }),
            Some(Err(Unreachable { code, message, help })) => Err(ConnectionError {
                code: *code,
                sent: Sent::No,
                transient: false,
                message: message.clone(),
                help: help.clone(),
            }),
            None => Err(Self::refuse(format!("the recording holds nothing of `{}`", self.name))),
        }
    }

    fn refuse(message: String) -> ConnectionError {
        ConnectionError { code: NOT_RECORDED, sent: Sent::No, transient: false, message, help: Some(HOW.to_owned()) }
    }
}

/// Returns what was recorded of the items; one that was not recorded is unreadable.
fn reading(name: &Address, host: &HostRecording, lookup: &Lookup) -> Reading {
    let kind = host.kinds.get(&lookup.kind);
    let item = |key| kind.and_then(|kind| kind.items.get(key)).cloned();
    let items = lookup.keys.iter().map(|key| {
        let found = item(key).unwrap_or_else(|| Err(not_recorded(name, lookup, &key.0)));
        (key.clone(), found)
    });
    Reading { items: items.collect(), evidence: kind.map(|kind| Arc::clone(&kind.evidence)).unwrap_or_default() }
}

fn not_recorded(name: &Address, lookup: &Lookup, key: &str) -> Unreadable {
    let key = tune_core::text::visible(key, 100);
    missing(&format!("the recording does not hold `{key}` of kind `{}` on `{name}`", lookup.kind))
}

impl Connection for Played {
    fn read<'a>(&'a self, request: &'a ReadRequest) -> Pending<'a, Result<HostReading, ConnectionError>> {
        Box::pin(async move { self.answer(request) })
    }

    fn apply<'a>(&'a self, _: &'a Batch) -> Pending<'a, Result<Vec<Outcome>, ConnectionError>> {
        Box::pin(async move { Err(Self::refuse("nothing can be applied to a recording".to_owned())) })
    }

    fn confirm<'a>(&'a self, _: &'a Batch) -> Pending<'a, Result<(), ConnectionError>> {
        Box::pin(async move { Err(Self::refuse("nothing can be applied to a recording".to_owned())) })
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async {})
    }
}
