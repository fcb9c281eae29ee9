//! Activations of an interrupted run: whoever ordered them is gone, and the machine may be on its way down or up. It is
//! looked for before anything else is judged. One that lies where its order left it is ordered again, behind a fence and
//! with an intent of its own in the journal.

use tokio::time::{self, Instant};
use tune_core::contract::{Connection, Epoch, Order, Pending};
use tune_core::journal::{Activating, ActivationOutcome, Event};
use tune_core::rollout::Rollout;

use super::Run;
use super::activation::{Pause, STANDS, waits_for};
use crate::read::within;
use crate::together::side_by_side;
use crate::watch::RunEvent;

/// What became of something that was ordered.
enum Sought {
    /// It is back from it.
    Back,
    /// It stands there, for all that can be seen as before, and nothing that was sent can reach it any more. What was to
    /// come into effect is not said to be.
    Stands,
}

impl Run<'_> {
    /// Waits for everything that was ordered and not seen to be complete, and notes what became of it. Returns what is
    /// still away, with what is waited for.
    pub(crate) async fn recover_activations(&self) -> Vec<(tune_core::Address, String)> {
        let open: Vec<(u64, Activating)> =
            self.journal().progress.activating().map(|(number, activating)| (number, activating.clone())).collect();
        let waits = open.iter().map(|(number, activating)| -> Pending<'_, _> {
            Box::pin(async move {
                let (number, found) = self.seek(*number, activating).await;
                (number, self.host(&activating.host).address, found)
            })
        });
        let found = side_by_side(self.engine.limits.reads, waits.collect()).await;
        let mut away = Vec::new();
        let mut journal = self.journal();
        for (number, host, found) in found {
            let outcome = match found {
                // Nobody watched the clock, so no time is known.
                Ok(Sought::Back) => ActivationOutcome::Back(0),
                Ok(Sought::Stands) => ActivationOutcome::Failed { message: "nobody saw it take place".to_owned() },
                Err(on) => {
                    let message = format!("it was not seen to be back; it waits for {on}");
                    away.push((host, on));
                    ActivationOutcome::Failed { message }
                }
            };
            journal.note(Event::Activated { number, outcome });
        }
        away
    }

    /// Looks until the target is back, or stands there for so long that it never went down. Returns the number of the
    /// order that is open then.
    async fn seek(&self, mut number: u64, activating: &Activating) -> (u64, Result<Sought, String>) {
        let Activating { host, activation, mark, .. } = activating;
        let reached = self.host(host);
        self.watch.event(RunEvent::Recovering { host: reached.address.clone(), activation: activation.clone() });
        let connection = self.engine.connection(&reached).await;
        let until = Instant::now() + Rollout::TIMEOUT;
        let mut stands: Option<Instant> = None;
        let mut pause = Pause::default();
        loop {
            let sight = self.glance(&*connection, &reached, activation).await;
            let Some(on) = waits_for(activation, mark, &sight) else {
                // Where nothing goes away, a look does not tell whether it took place.
                let is_seen = activation.verb.interrupts();
                return (number, Ok(if is_seen { Sought::Back } else { Sought::Stands }));
            };
            if sight.as_ref().is_ok_and(|sight| sight.is_stranded) && self.shut_out(host).await {
                number = self.order_again(&*connection, number, activating).await;
            }
            let is_up = sight.is_ok_and(|sight| sight.mark == *mark && sight.waits_for.is_none());
            if is_up && stands.is_none() {
                // An order that is still on its way finds the door shut. Without an answer it is looked again.
                stands = self.shut_out(host).await.then(Instant::now);
            } else if !is_up {
                stands = None;
            }
            if stands.is_some_and(|since| since.elapsed() >= STANDS) {
                return (number, Ok(Sought::Stands));
            }
            if Instant::now() >= until {
                return (number, Err(on));
            }
            time::sleep(pause.next()).await;
        }
    }

    /// Finishes what an order began, by one that takes its place. It is about the same start of the target, so it is
    /// harmless where somebody else was quicker; whether it arrived the next look tells.
    async fn order_again(&self, connection: &dyn Connection, earlier: u64, activating: &Activating) -> u64 {
        let Activating { host, activation, mark, resources, .. } = activating;
        let (number, sequence) = {
            let mut journal = self.journal();
            let message = "it was left half-way, and ordered again".to_owned();
            journal.note(Event::Activated { number: earlier, outcome: ActivationOutcome::Failed { message } });
            let number = journal.order(host.clone(), activation.clone(), mark.clone(), resources.clone());
            if journal.flush().is_err() {
                return number;
            }
            (number, journal.store.next_sequence())
        };
        let order = Order {
            lineage: self.header.lineage.clone(),
            epoch: Epoch { run: self.header.run, sequence },
            activation: activation.clone(),
            mark: mark.clone(),
            deadline: Rollout::TIMEOUT / 2,
        };
        let _ = within(self.engine.limits.read_deadline, &self.host(host), connection.activate(&order)).await;
        number
    }
}
