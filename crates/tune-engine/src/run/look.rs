//! Looking behind the fence: once nothing that was sent earlier can take effect any more, what is there is read and
//! judged. Without a fence nothing is assumed.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::{self, Instant};
use tune_core::contract::{Connection, ConnectionError, Epoch, Fence, Lookup, ReadRequest};
use tune_core::item::{HostId, ItemKey, Raw};
use tune_core::journal::{Event, StepNumber, StepOutcome, StepStatus, judge};
use tune_core::reading::HostReading;
use tune_core::resource::Host;

use super::Run;
use super::journal::Doubt;
use crate::watch::RunEvent;

impl Run<'_> {
    /// Settles every step of a host whose outcome is not known, as far as looking can. What stays open is doubted.
    pub(super) async fn look(&self, host: &HostId, doubt: Doubt) {
        let lookups = self.open_items(host);
        if lookups.is_empty() {
            return;
        }
        let reached = self.host(host);
        self.watch.event(RunEvent::Fencing { host: reached.address.clone(), reason: doubt.reason.clone() });
        let connection = self.engine.connection(&reached).await;
        match self.read_behind_fence(&*connection, &reached, &lookups).await {
            Ok(answer) if self.header.hosts.get(host).is_some_and(|record| record.is_another(&answer.facts)) => {
                let reason = format!("another machine answers as `{}`", reached.address);
                let help = Some("bring the machine back under its address, then apply again".to_owned());
                self.journal().doubts.insert(host.clone(), Doubt { reason, help });
            }
            Ok(answer) => self.judge_all(host, &lookups, &answer, &doubt),
            Err(error) => {
                let doubt = Doubt { reason: error.message, help: error.help };
                self.journal().doubts.insert(host.clone(), doubt);
            }
        }
    }

    /// Looks at what an interrupted run left open on a host.
    pub(crate) async fn look_again(&self, host: &HostId) {
        let reason = format!("run {} was interrupted before it took effect", self.header.run);
        self.look(host, Doubt { reason, help: None }).await;
    }

    /// Makes sure that nothing which was sent to a host earlier can still take effect; returns whether the host said so.
    pub(super) async fn shut_out(&self, host: &HostId) -> bool {
        let reached = self.host(host);
        let connection = self.engine.connection(&reached).await;
        self.read_behind_fence(&*connection, &reached, &[]).await.is_ok()
    }

    fn open_items(&self, host: &HostId) -> Vec<Lookup> {
        let journal = self.journal();
        let mut keys: BTreeMap<String, BTreeSet<ItemKey>> = BTreeMap::new();
        for (_, (intent, status)) in journal.on(host) {
            if !matches!(status, StepStatus::Settled(_)) {
                keys.entry(intent.id.kind.clone()).or_default().insert(intent.id.key.clone());
            }
        }
        keys.into_iter().map(|(kind, keys)| Lookup { kind, keys }).collect()
    }

    /// Asks until the host answers or the time is up: what cut the connection may heal, and the host may be restoring
    /// by itself.
    async fn read_behind_fence(
        &self,
        connection: &dyn Connection,
        host: &Host,
        lookups: &[Lookup],
    ) -> Result<HostReading, ConnectionError> {
        let limits = &self.engine.limits;
        let until = Instant::now() + limits.look_within;
        let deadline = limits.fence_patience + limits.read_deadline;
        let mut attempt = 1;
        loop {
            let epoch = Epoch { run: self.header.run, sequence: self.journal().store.next_sequence() };
            let lineage = self.header.lineage.clone();
            let fence = Some(Fence { lineage, epoch, patience: limits.fence_patience });
            let request = ReadRequest { lookups: lookups.to_vec(), fence };
            match self.engine.ask(connection, host, &request, deadline).await {
                Err(error) if error.transient && Instant::now() < until => {
                    attempt += 1;
                    self.watch.event(RunEvent::Retrying { host: host.address.clone(), reason: error.message });
                    time::sleep(limits.pause(attempt, &host.address.to_string())).await;
                }
                answer => return answer,
            }
        }
    }

    fn judge_all(&self, host: &HostId, lookups: &[Lookup], answer: &HostReading, doubt: &Doubt) {
        let mut found: BTreeMap<(&str, &ItemKey), &Raw> = BTreeMap::new();
        let mut unread = None;
        for (lookup, reading) in lookups.iter().zip(&answer.readings) {
            for (key, item) in &reading.items {
                match item {
                    Ok(item) => {
                        found.insert((&lookup.kind, key), &item.raw);
                    }
                    Err(why) => unread = Some(Doubt { reason: why.message.clone(), help: why.help.clone() }),
                }
            }
        }
        let mut journal = self.journal();
        let mut judged: Vec<(StepNumber, StepOutcome)> = Vec::new();
        let mut open = false;
        for (step, (intent, status)) in journal.on(host) {
            if matches!(status, StepStatus::Settled(_)) {
                continue;
            }
            let live = found.get(&(intent.id.kind.as_str(), &intent.id.key));
            let outcome =
                self.kind(&intent.id.kind).zip(live).and_then(|(kind, live)| judge(kind, intent, status, live));
            match outcome {
                Some(StepOutcome::NotDone { .. }) if intent.change.before != intent.change.after => {
                    judged.push((step, StepOutcome::NotDone { message: doubt.reason.clone() }));
                }
                Some(outcome) => judged.push((step, outcome)),
                None => open = true,
            }
        }
        for (step, outcome) in judged {
            journal.note(Event::Settle { step, outcome });
        }
        if open {
            let reason = format!("`{}` did not say what is there now", self.host(host).address);
            journal.doubts.insert(host.clone(), unread.unwrap_or(Doubt { reason, help: None }));
        } else {
            journal.doubts.remove(host);
        }
    }
}
