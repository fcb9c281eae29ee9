//! Settling a run whose process died: the journal says what was intended, a look behind the fence says what became of
//! it. What is whole is finished, what is in part is undone.

use tune_core::contract::Pending;
use tune_core::item::HostId;
use tune_core::journal::replay;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::report::Settled;
use crate::run::{Broken, Gathered, Journal, Run};
use crate::store::Store;
use crate::together::side_by_side;
use crate::watch::{RunEvent, Watch};

impl Engine {
    pub(crate) async fn settle_open_run(
        &self,
        store: &mut dyn Store,
        watch: &dyn Watch,
    ) -> Result<Option<Settled>, EngineError> {
        let Some(events) = store.open_run() else { return Ok(None) };
        let progress = replay(events)?;
        let header = progress.header.clone();
        watch.event(RunEvent::Settling { number: header.run, command: header.command.clone() });
        let base = store.state().clone();
        let ended = progress.end.is_some();
        let run = Run::new(self, watch, base, None, Journal::resumed(store, progress));
        let mut gathered =
            Gathered { planned: header.resources.keys().cloned().collect(), interrupted: true, ..Gathered::default() };
        // What was ordered comes first: while a machine boots it answers nothing.
        gathered.away = run.recover_activations().await.into_iter().collect();
        let hosts = run.journal().hosts();
        let recoveries = hosts.iter().map(|host| -> Pending<'_, Result<(), Broken>> { Box::pin(run.recover(host)) });
        // A broken journal shows at the end, where everything is reported.
        let _ = side_by_side(self.limits.parallelism, recoveries.collect()).await;
        if !ended {
            let _ = run.unwind_across_hosts(&hosts).await;
        }
        let report = run.finish(gathered)?;
        Ok(Some(Settled { command: header.command, by: header.by, started: header.started, report }))
    }
}

impl Run<'_> {
    /// Looks where outcomes are not known, undoes what is in part, and tidies the ledger. Where every outcome was
    /// written down as done, the host's script had ended, so there is nothing to look at; but the process may have died
    /// before it tidied, or before it could say that the host was away.
    async fn recover(&self, host: &HostId) -> Result<(), Broken> {
        self.journal().untidy.insert(host.clone());
        self.look_again(host).await;
        self.bring_to_an_end(host, None).await
    }
}
