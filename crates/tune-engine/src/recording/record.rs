//! Keeping what connections answer.

use std::sync::{Arc, Mutex, PoisonError};

use tune_core::Address;
use tune_core::activation::Activation;
use tune_core::contract::{Batch, Connection, ConnectionError, Connector, Order, Outcome, Pending, ReadRequest, Sight};
use tune_core::reading::{HostReading, Unreachable};
use tune_core::resource::Host;
use tune_core::rollout::Query;
use tune_core::source::{Command, CommandOutput, Door, Sources};

use super::{HostRecording, Recording};
use crate::look::Looked;
use crate::store::local::Export;

/// Opens the connections of another connector, and keeps what they read.
#[derive(Debug)]
pub struct Recorder {
    inner: Arc<dyn Connector>,
    heard: Arc<Mutex<Recording>>,
}

impl Recorder {
    /// Returns a recorder that has heard nothing yet.
    pub fn new(inner: Arc<dyn Connector>) -> Self {
        Self { inner, heard: Arc::default() }
    }

    /// Keeps what `data` blocks were answered.
    pub fn note(&self, sources: &Sources, queries: &[Query], looked: &Looked) {
        lock(&self.heard).note(sources, queries, looked);
    }

    /// Returns everything that was heard so far, with what the plan knew besides.
    pub fn recording(&self, state: Export, controller: Option<String>) -> Recording {
        Recording { controller, state, ..lock(&self.heard).clone() }
    }
}

impl Connector for Recorder {
    fn connect(&self, host: &Host) -> Arc<dyn Connection> {
        let inner = self.inner.connect(host);
        Arc::new(Recorded { inner, name: host.address.clone(), heard: Arc::clone(&self.heard) })
    }
}

#[derive(Debug)]
struct Recorded {
    inner: Arc<dyn Connection>,
    name: Address,
    heard: Arc<Mutex<Recording>>,
}

impl Recorded {
    fn keep(&self, request: &ReadRequest, answer: &Result<HostReading, ConnectionError>) {
        let mut heard = lock(&self.heard);
        let kept = heard.hosts.entry(self.name.clone()).or_insert_with(|| Ok(HostRecording::default()));
        match answer {
            Ok(reading) => {
                let mut host = kept.as_ref().cloned().unwrap_or_default();
                host.facts = reading.facts.clone();
                for (lookup, read) in request.lookups.iter().zip(&reading.readings) {
                    let kind = host.kinds.entry(lookup.kind.clone()).or_default();
                    kind.items.extend(read.items.clone());
                    Arc::make_mut(&mut kind.evidence)
                        .extend(read.evidence.iter().map(|(name, text)| (name.clone(), text.clone())));
                }
                *kept = Ok(host);
            }
            Err(error) => {
                let ConnectionError { code, message, help, .. } = error.clone();
                *kept = Err(Unreachable { code, message, help });
            }
        }
    }
}

impl Connection for Recorded {
    fn read<'a>(&'a self, request: &'a ReadRequest) -> Pending<'a, Result<HostReading, ConnectionError>> {
        Box::pin(async move {
            let answer = self.inner.read(request).await;
            self.keep(request, &answer);
            answer
        })
    }

    fn apply<'a>(&'a self, batch: &'a Batch) -> Pending<'a, Result<Vec<Outcome>, ConnectionError>> {
        self.inner.apply(batch)
    }

    fn confirm<'a>(&'a self, batch: &'a Batch) -> Pending<'a, Result<(), ConnectionError>> {
        self.inner.confirm(batch)
    }

    fn sight<'a>(&'a self, activation: &'a Activation) -> Pending<'a, Result<Sight, ConnectionError>> {
        self.inner.sight(activation)
    }

    fn activate<'a>(&'a self, order: &'a Order) -> Pending<'a, Result<(), ConnectionError>> {
        self.inner.activate(order)
    }

    fn command<'a>(&'a self, command: &'a Command) -> Pending<'a, Result<CommandOutput, ConnectionError>> {
        self.inner.command(command)
    }

    fn door<'a>(&'a self, to: &'a str) -> Pending<'a, Result<Door, ConnectionError>> {
        self.inner.door(to)
    }

    fn close(&self) -> Pending<'_, ()> {
        self.inner.close()
    }
}

fn lock(heard: &Mutex<Recording>) -> std::sync::MutexGuard<'_, Recording> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
