//! Activations: what a machine or an API does when it is told to reload, restart, boot or power-cycle something.

use std::future::pending;
use std::time::Duration;

use tune_core::activation::{Activation, Verb};
use tune_core::contract::{ConnectionError, Order, Sent, Sight};
use tune_core::item::{HostId, Raw};
use tune_core::state::HostRecord;

use super::connection::Wire;
use super::power::{Cause, Happening};
use super::{AWAY, FENCED, Inner};
use crate::faults::{Call, Fate, Fault, Faults};
use crate::param;

/// How long a service is away while it restarts.
const RESTART: Duration = Duration::from_secs(3);

impl Wire {
    pub(super) async fn see(&self, activation: &Activation) -> Result<Sight, ConnectionError> {
        self.world.distance().await;
        if self.world.faults.is_killed() {
            return pending().await;
        }
        let fault = self.world.faults.strike(Call::Sight(self.name.clone()), 0);
        let sight = {
            let mut inner = self.world.lock();
            inner.catch_up(&self.world.faults);
            inner.sight(&self.name, activation)
        };
        match fault {
            None => {}
            Some(Fault::Killed { .. }) => self.world.faults.kill(),
            Some(Fault::Hang { .. }) => return pending().await,
            Some(Fault::Refused) => return Err(self.error(AWAY, Sent::No, "cannot be reached")),
            Some(_) => return Err(self.lost()),
        }
        if self.world.faults.is_killed() {
            return pending().await;
        }
        sight.ok_or_else(|| self.error(AWAY, Sent::No, "cannot be reached"))
    }

    pub(super) async fn order(&self, order: &Order) -> Result<(), ConnectionError> {
        self.world.distance().await;
        if self.world.faults.is_killed() {
            return pending().await;
        }
        let fault = self.world.faults.strike(Call::Activate(self.name.clone()), 0);
        let (is_obeyed, hangs, is_lost) = match fault {
            Some(Fault::Refused) => return Err(self.error(AWAY, Sent::No, "cannot be reached")),
            Some(Fault::Killed { after, .. }) => (after > 0, false, false),
            Some(Fault::Hang { after }) => (after > 0, true, false),
            Some(Fault::Lost { after, .. }) => (after > 0, false, true),
            _ => (true, false, false),
        };
        let obeyed = {
            let mut inner = self.world.lock();
            inner.catch_up(&self.world.faults);
            if !inner.bodies[&self.name].machine.can_be_reached() {
                return Err(self.error(AWAY, Sent::No, "cannot be reached"));
            }
            if let Some(Fault::Lost { then: Fate::StartsLate { calls }, .. }) = fault {
                let at = inner.site.time + Duration::from_secs(u64::try_from(calls).unwrap_or(1));
                let happening = Happening::Arrives { name: self.name.clone(), order: Box::new(order.clone()) };
                inner.site.at(at, happening);
            }
            if is_obeyed { inner.obey(&self.name, order, &self.world.faults) } else { Ok(Duration::ZERO) }
        };
        if matches!(fault, Some(Fault::Killed { .. })) {
            self.world.faults.kill();
        }
        if hangs || self.world.faults.is_killed() {
            return pending().await;
        }
        let takes = obeyed.map_err(|what| self.error(FENCED, Sent::No, what))?;
        tokio::time::sleep(takes).await;
        if self.world.faults.is_killed() {
            return pending().await;
        }
        if is_lost { Err(self.lost()) } else { Ok(()) }
    }
}

impl Inner {
    fn sight(&self, name: &str, activation: &Activation) -> Option<Sight> {
        if !self.bodies[name].machine.can_be_reached() {
            return None;
        }
        let time = self.site.time;
        let target = self.target(name, activation)?;
        let node = &self.site.nodes[&target];
        let (mark, waits_for) = match activation.verb {
            Verb::PowerCycle => {
                let is_up = node.up && node.ready_at <= time;
                (self.process_of(&target), (!is_up).then_some("its agent"))
            }
            Verb::Reboot | Verb::BootImage => {
                let waits = (node.ready_at > time).then_some("units to start");
                (self.bodies[name].machine.boot_id(), waits)
            }
            Verb::Restart | Verb::Reload => {
                let waits = (node.service_until > time).then_some("the service");
                (format!("service {}", node.service), waits)
            }
        };
        Some(Sight { mark, waits_for: waits_for.map(str::to_owned), is_stranded: false })
    }

    /// A process of a virtual machine is another one after a cold start, not after a reboot inside of it.
    fn process_of(&self, guest: &str) -> String {
        format!("process {}", self.site.nodes[guest].process)
    }

    /// Returns the machine that an activation is about.
    fn target(&self, name: &str, activation: &Activation) -> Option<String> {
        if activation.verb == Verb::PowerCycle {
            return self.site.guest_of(&activation.subject);
        }
        self.site.nodes.contains_key(name).then(|| name.to_owned())
    }

    /// Does what an order says; returns how long it takes until that is complete, where the answer waits for it.
    pub(super) fn obey(&mut self, name: &str, order: &Order, faults: &Faults) -> Result<Duration, &'static str> {
        let machine = &self.bodies[name].machine;
        if !machine.can_be_reached() {
            return Err("cannot be reached");
        }
        if machine.epochs.get(&order.lineage).is_some_and(|seen| order.epoch <= *seen) {
            faults.happened("an order was shut out by its epoch");
            return Err("has been fenced against this order");
        }
        let activation = &order.activation;
        let Some(target) = self.target(name, activation) else { return Err("has no such thing") };
        let is_same = self.sight(name, activation).is_some_and(|sight| sight.mark == order.mark);
        let body = self.bodies.get_mut(name).expect("it was just looked at");
        body.machine.epochs.insert(order.lineage.clone(), order.epoch);
        if !is_same {
            faults.happened("an order was about a start that is gone");
            return Ok(Duration::ZERO);
        }
        self.check_intended(name, order, faults);
        match activation.verb {
            Verb::BootImage => {
                faults.happened("a boot image was built");
                let machine = &mut self.bodies.get_mut(name).expect("it was just looked at").machine;
                machine.image = Some(configured(machine, "image.a"));
                return Ok(Duration::from_secs(2));
            }
            Verb::Reload => {
                faults.happened("a service was reloaded");
                self.take_over(name, "reload.a");
                return Ok(Duration::from_millis(300));
            }
            Verb::Restart => {
                faults.happened("a service was restarted");
                self.check_spared(&target, &[target.clone()].into(), faults);
                self.unwell(&target, Cause::Ours);
                let until = self.site.time + RESTART;
                let node = self.node(&target);
                node.service += 1;
                node.service_until = until;
                self.take_over(name, "restart.a");
                self.take_over(name, "reload.a");
                return Ok(RESTART);
            }
            Verb::Reboot => faults.happened("a machine was told to reboot"),
            Verb::PowerCycle => faults.happened("a virtual machine was told to start anew"),
        }
        let taken = self.site.carried_by(&target);
        self.check_spared(&target, &taken, faults);
        self.go_down(&target, Cause::Ours, activation.verb == Verb::PowerCycle);
        self.boots(&target, faults);
        Ok(Duration::ZERO)
    }

    fn take_over(&mut self, name: &str, key: &str) {
        let machine = &mut self.bodies.get_mut(name).expect("the machine is in the world").machine;
        let value = configured(machine, key);
        if let Some(knob) = machine.values.get_mut(&param::used(key)) {
            knob.value = value;
        }
    }

    /// Nothing is ordered before it is durable that it will be.
    fn check_intended(&self, name: &str, order: &Order, faults: &Faults) {
        let body = &self.bodies[name];
        if body.truth.witness.is_none() {
            return;
        }
        let durable = body.truth.durable();
        let Some(run) = &durable.run else {
            faults.violated(format!("{name} was ordered a {} while no run was durable", order.activation));
            return;
        };
        let is_it = |record: &HostRecord| record.machine_id.as_ref() == Some(&body.machine.machine_id);
        let hosts: Vec<&HostId> = run.header.hosts.iter().filter(|(_, it)| is_it(it)).map(|(id, _)| id).collect();
        let is_written = run
            .activations
            .iter()
            .any(|it| hosts.contains(&&it.host) && it.activation == order.activation && it.mark == order.mark);
        if !is_written {
            faults.violated(format!("{name} was ordered a {} that was not durable before", order.activation));
        }
    }
}

/// Returns the value that a parameter's file gives it.
fn configured(machine: &super::Machine, key: &str) -> String {
    let file = machine.files.get(&param::path(key)).map(|file| Raw::File(file.clone()));
    file.and_then(|file| param::value_of(&file)).unwrap_or_else(|| "old".to_owned())
}
