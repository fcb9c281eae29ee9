//! One host: each request becomes one script, and its answer is taken apart. Activations, commands and doors stand in
//! modules of their own.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use tune_core::activation::Activation;
use tune_core::contract::{Batch, Connection, ConnectionError, Order, Outcome, Pending, ReadRequest, Sent, Sight};
use tune_core::reading::HostReading;
use tune_core::resource::Host;
use tune_core::source::{Command, CommandOutput, Door};
use tune_core::text::visible;

use crate::connector::{Shared, name, sudo};
use crate::error::{GARBLED, NO_PLACE, NOT_PERMITTED, Silence, no_answer, not_sent, script_failed};
use crate::judge;
use crate::outcome;
use crate::protocol::{self, Answer};
use crate::script::form::hex;
use crate::script::{apply, is_name, read};
use crate::survey;
use crate::transport::{Exec, Output, Transport};

/// What a script may need beyond its own deadline: to start, to be ended by its watchdog, to write its last ledger.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// The connection to one host.
#[derive(Debug)]
pub(crate) struct HostConnection {
    pub(crate) host: Host,
    pub(crate) shared: Arc<Shared>,
    pub(crate) transport: Box<dyn Transport>,
}

impl HostConnection {
    /// Returns the connection; nothing is sent yet.
    pub(crate) fn new(host: Host, shared: Arc<Shared>) -> Self {
        let transport = shared.transport(&host);
        Self { host, shared, transport }
    }
}

impl Connection for HostConnection {
    fn read<'a>(&'a self, request: &'a ReadRequest) -> Pending<'a, Result<HostReading, ConnectionError>> {
        Box::pin(self.look(request))
    }

    fn apply<'a>(&'a self, batch: &'a Batch) -> Pending<'a, Result<Vec<Outcome>, ConnectionError>> {
        Box::pin(self.write(batch))
    }

    fn confirm<'a>(&'a self, batch: &'a Batch) -> Pending<'a, Result<(), ConnectionError>> {
        Box::pin(self.disarm(batch))
    }

    fn sight<'a>(&'a self, activation: &'a Activation) -> Pending<'a, Result<Sight, ConnectionError>> {
        Box::pin(self.see(activation))
    }

    fn activate<'a>(&'a self, order: &'a Order) -> Pending<'a, Result<(), ConnectionError>> {
        Box::pin(self.begin(order))
    }

    fn command<'a>(&'a self, command: &'a Command) -> Pending<'a, Result<CommandOutput, ConnectionError>> {
        Box::pin(self.run(command))
    }

    fn door<'a>(&'a self, to: &'a str) -> Pending<'a, Result<Door, ConnectionError>> {
        Box::pin(self.open(to))
    }

    fn close(&self) -> Pending<'_, ()> {
        self.transport.close()
    }
}

impl HostConnection {
    async fn look(&self, request: &ReadRequest) -> Result<HostReading, ConnectionError> {
        let nonce = nonce()?;
        let shared = &*self.shared;
        if let Some(fence) = &request.fence {
            self.check_lineage(&fence.lineage)?;
        }
        let script = read::script(
            &shared.ground,
            &nonce,
            &shared.options.writer,
            request.fence.as_ref(),
            &request.lookups,
            &shared.kinds,
        );
        let patience = request.fence.as_ref().map_or(Duration::ZERO, |fence| fence.patience);
        let deadline = shared.options.read_timeout + patience;
        let output = self.exec(&*self.transport, &script, deadline, request.fence.is_some()).await?;
        let answer = self.answer(&output, &nonce, request.fence.is_some())?;
        if !answer.ended {
            return Err(self.silence(&output, true, request.fence.is_some()));
        }
        let survey = survey::parse(&answer, &output.complaint(), &shared.ground.root, &nonce)
            .ok_or_else(|| self.garbled(&output))?;
        judge::host_reading(name(&self.host), &survey, &request.lookups, &shared.kinds)
    }

    async fn write(&self, batch: &Batch) -> Result<Vec<Outcome>, ConnectionError> {
        let nonce = nonce()?;
        let shared = &*self.shared;
        self.check_lineage(&batch.lineage)?;
        let holder = format!("{}, run {} of state {}", batch.ledger.writer, batch.epoch.run, batch.lineage);
        let patience = shared.options.lock_patience.as_secs();
        let script = apply::script(&shared.ground, &nonce, &visible(&holder, 200), batch, &shared.kinds, patience);
        let deadline = batch.deadline + shared.options.lock_patience + GRACE;
        let output = self.exec(&*self.transport, &script, deadline, true).await?;
        let answer = self.answer(&output, &nonce, true)?;
        match outcome::outcomes(&answer, batch.items.len()) {
            Some(outcomes) => Ok(outcomes),
            None if answer.ended => Ok(Vec::new()),
            None => Err(self.silence(&output, true, true)),
        }
    }

    async fn disarm(&self, batch: &Batch) -> Result<(), ConnectionError> {
        let nonce = nonce()?;
        let shared = &self.shared;
        self.check_lineage(&batch.lineage)?;
        let patience = shared.options.lock_patience;
        let script = read::confirm(
            &shared.ground,
            &nonce,
            &shared.options.writer,
            &batch.lineage,
            batch.epoch,
            patience.as_secs(),
        );
        // That an old connection still stands says nothing about the next one.
        let transport = shared.transport(&self.host);
        let output = self.exec(&*transport, &script, shared.options.read_timeout + patience, true).await;
        transport.close().await;
        let output = output?;
        let answer = self.answer(&output, &nonce, true)?;
        if answer.records.iter().any(|record| record.text() == "confirmed") {
            return Ok(());
        }
        Err(self.silence(&output, true, true))
    }

    pub(crate) async fn exec(
        &self,
        transport: &dyn Transport,
        script: &str,
        deadline: Duration,
        writes: bool,
    ) -> Result<Output, ConnectionError> {
        transport.exec(&Exec { script, sudo: sudo(&self.host), deadline, writes }).await
    }

    /// Returns the answer in what a script printed, unless it says that nothing was done.
    pub(crate) fn answer<'a>(
        &self,
        output: &'a Output,
        nonce: &str,
        writes: bool,
    ) -> Result<Answer<'a>, ConnectionError> {
        let answer = protocol::parse(&output.stdout, nonce).ok_or_else(|| self.silence(output, false, writes))?;
        for record in &answer.records {
            if let Some(what) = record.text().strip_prefix("fail ") {
                return Err(script_failed(name(&self.host), what, &record.message()));
            }
        }
        Ok(answer)
    }

    pub(crate) fn silence(&self, output: &Output, began: bool, writes: bool) -> ConnectionError {
        no_answer(&Silence {
            host: name(&self.host),
            stdout: &output.stdout,
            stderr: &output.complaint(),
            status: output.status,
            began,
            writes,
        })
    }

    fn garbled(&self, output: &Output) -> ConnectionError {
        not_sent(
            GARBLED,
            format!(
                "`{}` gave an answer that is not whole{}",
                name(&self.host),
                crate::error::quoted(&output.complaint())
            ),
            "Log in by hand and run `cat`, `stat` and `env` there: each must be a plain tool.",
        )
    }

    pub(crate) fn check_lineage(&self, lineage: &str) -> Result<(), ConnectionError> {
        if is_name(lineage) {
            return Ok(());
        }
        let message = format!("`{}` cannot name a state on `{}`", visible(lineage, 80), name(&self.host));
        Err(not_sent(NO_PLACE, message, "Import the newest export of the state."))
    }
}

/// Returns a text that no host can guess: it tells our records from everything else that a host may print.
pub(crate) fn nonce() -> Result<String, ConnectionError> {
    let mut bytes = [0u8; 16];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).map_err(|error| ConnectionError {
        code: NOT_PERMITTED,
        sent: Sent::No,
        transient: false,
        message: format!("cannot read /dev/urandom on this machine: {error}"),
        help: None,
    })?;
    Ok(hex(&bytes))
}
