//! An activation: what is there before is remembered and durable, then it is ordered, then it is looked for until it is
//! back. An order whose answer was lost is no failure: only looking tells. A machine that lies where the order left it is
//! ordered again, because a look changes nothing.

use std::time::Duration;

use tokio::time::{self, Instant};
use tune_core::activation::Activation;
use tune_core::contract::{Connection, ConnectionError, Epoch, Order, Pending, Sent, Sight};
use tune_core::item::HostId;
use tune_core::journal::{ActivationOutcome, Event};
use tune_core::plan::Member;
use tune_core::resource::Host;

use super::Run;
use super::course::Course;
use super::member::{Mishap, Setback};
use crate::read::within;
use crate::report::Took;
use crate::watch::{Phase, RunEvent};

/// How long one look may take; a machine that is booting may swallow what is sent to it.
pub(super) const GLANCE: Duration = Duration::from_secs(15);
/// After how long a machine that still stands there, although it was ordered to go down and the order's answer was lost,
/// is ordered again. Nothing happens to one that has gone down meanwhile: the order names the start that it is about.
pub(super) const STANDS: Duration = Duration::from_secs(15);

/// Pauses between looks, growing from a moment to two seconds.
#[derive(Debug)]
pub(super) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(200))
    }
}

impl Pause {
    pub(super) fn next(&mut self) -> Duration {
        const LONGEST: Duration = Duration::from_secs(2);
        let pause = self.0;
        self.0 = (pause + pause / 2).min(LONGEST);
        pause
    }
}

/// Returns what is still waited for after a look; `None` when it is back.
pub(super) fn waits_for(activation: &Activation, mark: &str, sight: &Result<Sight, ConnectionError>) -> Option<String> {
    match sight {
        Err(error) => Some(format!("an answer ({})", error.message)),
        // What stands in the way of going down is what a person must know.
        Ok(sight) if activation.verb.interrupts() && sight.mark == mark => Some(match &sight.waits_for {
            Some(why) => format!("it to go down ({why})"),
            None => "it to go down".to_owned(),
        }),
        Ok(sight) => sight.waits_for.clone(),
    }
}

impl Run<'_> {
    /// Looks once.
    pub(super) async fn glance(
        &self,
        connection: &dyn Connection,
        host: &Host,
        activation: &Activation,
    ) -> Result<Sight, ConnectionError> {
        within(GLANCE.min(self.engine.limits.read_deadline), host, connection.sight(activation)).await
    }
}

impl Course<'_, '_> {
    /// Does one activation for a member and waits until it is back.
    pub(super) async fn activate(
        &self,
        member: &Member,
        host: &HostId,
        activation: &Activation,
        timeout: Duration,
    ) -> Result<(), Setback> {
        let reached = self.run.host(host);
        let connection = self.run.engine.connection(&reached).await;
        let sight = self.first_sight(&*connection, &reached, activation).await.map_err(|error| {
            Mishap::refused(format!("the {activation} was not begun, because the way to it failed: {}", error.message))
        })?;
        let number = {
            let mut journal = self.run.journal();
            let resources = member.waves.iter().flat_map(|wave| wave.batches.values()).flatten().cloned().collect();
            let number = journal.order(host.clone(), activation.clone(), sight.mark.clone(), resources);
            journal.flush()?;
            number
        };
        let began = Instant::now();
        self.note(&member.host, |underway| {
            underway.waits_for = Some(format!("the {activation}"));
            underway.until = began + timeout;
        });
        self.phase(&member.host, Phase::Ordered { activation: activation.clone() });
        let order =
            Ordered { member, host, reached: &reached, connection: &*connection, activation, mark: &sight.mark };
        let end = self.see_through(&order, began + timeout).await;
        let seconds = began.elapsed().as_secs();
        let outcome = match &end {
            Ok(_) => ActivationOutcome::Back(seconds),
            Err(mishap) => ActivationOutcome::Failed { message: mishap.trouble.reason.clone() },
        };
        self.run.journal().note(Event::Activated { number, outcome });
        self.note(&member.host, |underway| underway.waits_for = None);
        let mark = end?;
        let took = Took { activation: activation.clone(), seconds };
        self.note(&member.host, |underway| underway.took.push(took));
        self.phase(&member.host, Phase::Back { activation: activation.clone(), seconds, mark });
        Ok(())
    }

    async fn first_sight(
        &self,
        connection: &dyn Connection,
        host: &Host,
        activation: &Activation,
    ) -> Result<Sight, ConnectionError> {
        let limits = &self.run.engine.limits;
        let mut attempt = 1;
        loop {
            match self.run.glance(connection, host, activation).await {
                Err(error) if attempt < limits.attempts && (error.transient || error.sent == Sent::Perhaps) => {
                    attempt += 1;
                    self.run.watch.event(RunEvent::Retrying { host: host.address.clone(), reason: error.message });
                    time::sleep(limits.pause(attempt, &host.address.to_string())).await;
                }
                answer => return answer,
            }
        }
    }

    /// Orders and looks at the same time: a machine that goes down may take the answer with it. Returns what the new
    /// start is called.
    async fn see_through(&self, order: &Ordered<'_>, until: Instant) -> Result<String, Mishap> {
        let activation = order.activation;
        // Where nothing goes away, the order's own answer says that it is complete, and it may be given again.
        let is_complete_when_answered = !activation.verb.interrupts();
        let mut sending: Option<Pending<'_, _>> = Some(Box::pin(self.send_order(order, until)));
        let mut lost: Option<Instant> = None;
        let mut is_stranded = false;
        let mut pause = Pause::default();
        let mut waiting = format!("the {activation}");
        loop {
            let sight = tokio::select! {
                biased;
                answer = answered(&mut sending) => {
                    sending = None;
                    match answer {
                        Ok(()) => {}
                        // It is down already; only time tells whether it comes up.
                        Err(_) if std::mem::take(&mut is_stranded) => {}
                        Err(error) if is_complete_when_answered || error.sent == Sent::No => {
                            return Err(Mishap::refused(format!("the {activation} failed: {}", error.message)));
                        }
                        Err(_) => lost = Some(Instant::now()),
                    }
                    continue;
                }
                sight = self.glance_after(order, pause.next()), if !is_complete_when_answered || sending.is_none() => sight,
                () = time::sleep_until(until) => return Err(order.given_up(&waiting, is_complete_when_answered)),
            };
            let Some(on) = waits_for(activation, order.mark, &sight) else {
                return sight.map(|sight| sight.mark).map_err(|error| Mishap::refused(error.message));
            };
            if waiting != on {
                waiting = on;
                self.say_waiting(order, &waiting);
            }
            is_stranded = sight.as_ref().is_ok_and(|sight| sight.is_stranded) && sending.is_none();
            let stands = sight.is_ok_and(|sight| sight.mark == order.mark);
            if is_stranded {
                sending = Some(Box::pin(self.send_order(order, until)));
            } else if stands && lost.is_some_and(|since| since.elapsed() >= STANDS) {
                lost = None;
                sending = Some(Box::pin(self.send_order(order, until)));
            }
        }
    }

    fn say_waiting(&self, order: &Ordered<'_>, on: &str) {
        let activation = order.activation.clone();
        self.note(&order.member.host, |underway| underway.waits_for = Some(on.to_owned()));
        self.phase(&order.member.host, Phase::Waiting { activation, on: on.to_owned() });
    }

    async fn glance_after(&self, order: &Ordered<'_>, pause: Duration) -> Result<Sight, ConnectionError> {
        time::sleep(pause).await;
        self.run.glance(order.connection, order.reached, order.activation).await
    }

    /// Sends the order, again where it certainly did not arrive or where doing it twice is harmless. Nothing else is
    /// sent to the same target meanwhile, because what is sent must arrive in the order of its epochs.
    async fn send_order(&self, order: &Ordered<'_>, until: Instant) -> Result<(), ConnectionError> {
        let limits = &self.run.engine.limits;
        let _lanes = self.lanes(&[order.host.clone()].into()).await;
        let may_repeat = |error: &ConnectionError| error.sent == Sent::No || !order.activation.verb.interrupts();
        let mut attempt = 1;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let sequence = self.run.journal().store.next_sequence();
            let sent = Order {
                lineage: self.run.header.lineage.clone(),
                epoch: Epoch { run: self.run.header.run, sequence },
                activation: order.activation.clone(),
                mark: order.mark.to_owned(),
                // Half of the time is for coming back.
                deadline: left / 2,
            };
            match within(left, order.reached, order.connection.activate(&sent)).await {
                Err(error) if error.transient && may_repeat(&error) && attempt < limits.attempts => {
                    attempt += 1;
                    let reason = error.message;
                    self.run.watch.event(RunEvent::Retrying { host: order.reached.address.clone(), reason });
                    time::sleep(limits.pause(attempt, &order.reached.address.to_string())).await;
                }
                answer => return answer,
            }
        }
    }
}

/// An activation that is being seen through.
struct Ordered<'o> {
    member: &'o Member,
    host: &'o HostId,
    reached: &'o Host,
    connection: &'o dyn Connection,
    activation: &'o Activation,
    mark: &'o str,
}

impl Ordered<'_> {
    fn given_up(&self, waiting: &str, stays_up: bool) -> Mishap {
        let name = &self.member.host;
        let reason = format!("`{name}` was not back from its {} in time; it waits for {waiting}", self.activation);
        // A boot image, for example, takes nothing down.
        if stays_up { Mishap::refused(reason) } else { Mishap::away(reason, waiting) }
    }
}

async fn answered(sending: &mut Option<Pending<'_, Result<(), ConnectionError>>>) -> Result<(), ConnectionError> {
    match sending {
        Some(sending) => sending.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use tune_core::activation::Verb;

    use super::*;

    #[test]
    fn what_keeps_a_machine_from_going_down_is_said() {
        let cycle = Activation::of(Verb::PowerCycle, "107");
        let said = |mark: &str, why: Option<&str>| {
            let sight = Sight { mark: mark.to_owned(), waits_for: why.map(str::to_owned), is_stranded: false };
            waits_for(&cycle, "pid 1", &Ok(sight)).unwrap_or_default()
        };
        assert_eq!(said("pid 1", None), "it to go down");
        assert_eq!(
            said("pid 1", Some("its shutdown failed: got timeout")),
            "it to go down (its shutdown failed: got timeout)"
        );
        assert_eq!(said("off", Some("the VM to start")), "the VM to start");
        assert_eq!(said("pid 2", None), "");
    }
}
