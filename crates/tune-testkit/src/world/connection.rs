//! The wire to one machine: what the contract promises, and what happens to the promise when a fault strikes.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{pending, ready};
use std::sync::Arc;

use tune_core::activation::Activation;
use tune_core::contract::{
    Batch, Connection, ConnectionError, Fence, Lookup, Order, Outcome, Pending, ReadRequest, Sent, Sight,
};
use tune_core::item::{ItemKey, Raw};
use tune_core::reading::{Facts, HostReading, Reading};
use tune_remote::{Evidence, Found, HostKind, Target};

use super::script::{HostKinds, Script};
use super::{AWAY, BUSY, Body, FENCED, HANGS, Inner, LOST, Late, Machine, World};
use crate::faults::{Call, Fate, Fault};

/// A connection to a machine of the world.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) world: World,
    pub(super) name: String,
}

/// What comes of a call, unless the caller is dead by then.
type Answer<T> = Result<T, ConnectionError>;

/// How many calls a fence waits for a script that holds the lock.
const PATIENCE: usize = 2;

impl Connection for Wire {
    fn read<'a>(&'a self, request: &'a ReadRequest) -> Pending<'a, Answer<HostReading>> {
        let call = match request.fence {
            None => Call::Read(self.name.clone()),
            Some(_) => Call::Fence(self.name.clone()),
        };
        self.answer(call, 0, |wire, fault, body, kinds| wire.look(request, fault, body, kinds))
    }

    fn apply<'a>(&'a self, batch: &'a Batch) -> Pending<'a, Answer<Vec<Outcome>>> {
        let call = Call::Apply(self.name.clone());
        self.answer(call, batch.items.len(), |wire, fault, body, kinds| wire.write(batch, fault, body, kinds))
    }

    fn confirm<'a>(&'a self, batch: &'a Batch) -> Pending<'a, Answer<()>> {
        let call = Call::Confirm(self.name.clone());
        self.answer(call, 0, |wire, fault, body, _| wire.disarm(batch, fault, body))
    }

    fn sight<'a>(&'a self, activation: &'a Activation) -> Pending<'a, Answer<Sight>> {
        Box::pin(self.see(activation))
    }

    fn activate<'a>(&'a self, order: &'a Order) -> Pending<'a, Answer<()>> {
        Box::pin(self.order(order))
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(ready(()))
    }
}

impl Wire {
    /// Does one call, at once and as a whole: only its answer is awaited, and it never comes to a caller who is dead.
    ///
    /// The work is done when the future is first polled, so that a request that is never sent has no effect.
    fn answer<'a, T: Send + 'a>(
        &'a self,
        call: Call,
        items: usize,
        work: impl FnOnce(&Self, Option<Fault>, &mut Body, &HostKinds) -> Answer<T> + Send + 'a,
    ) -> Pending<'a, Answer<T>> {
        Box::pin(async move {
            self.world.distance().await;
            if self.world.faults.is_killed() {
                return pending().await;
            }
            let answer = self.work(call, items, work);
            let hangs = matches!(&answer, Err(error) if error.code == HANGS);
            if hangs || self.world.faults.is_killed() {
                return pending().await;
            }
            answer
        })
    }

    fn work<T>(
        &self,
        call: Call,
        items: usize,
        work: impl FnOnce(&Self, Option<Fault>, &mut Body, &HostKinds) -> Answer<T>,
    ) -> Answer<T> {
        let fault = self.world.faults.strike(call, items);
        let mut inner = self.world.lock();
        inner.catch_up(&self.world.faults);
        let Inner { kinds, bodies, .. } = &mut *inner;
        let Some(body) = bodies.get_mut(&self.name) else {
            return Err(self.error(AWAY, Sent::No, "does not exist"));
        };
        body.tick(kinds, &self.world.faults);
        if fault == Some(Fault::Refused) || !body.machine.can_be_reached() {
            return Err(self.error(AWAY, Sent::No, "cannot be reached"));
        }
        work(self, fault, body, kinds)
    }

    fn look(
        &self,
        request: &ReadRequest,
        fault: Option<Fault>,
        body: &mut Body,
        kinds: &HostKinds,
    ) -> Answer<HostReading> {
        // A look is killed, lost or overtaken by a reboot either before it is sent or after it is answered.
        let (early, late) = match fault {
            Some(
                Fault::Killed { after: 0, .. }
                | Fault::Lost { after: 0, .. }
                | Fault::Reboot { after: 0 }
                | Fault::Hang { after: 0 },
            ) => (fault, None),
            fault => (None, fault),
        };
        self.befall(early, body, kinds)?;
        if let Some(fence) = &request.fence {
            self.fence(fence, body, kinds)?;
        }
        let readings = request.lookups.iter().map(|lookup| reading(&body.machine, &*kinds[&lookup.kind], lookup));
        let answer = HostReading { facts: facts(&self.name, &body.machine), readings: readings.collect() };
        self.befall(late, body, kinds)?;
        Ok(answer)
    }

    fn befall(&self, fault: Option<Fault>, body: &mut Body, kinds: &HostKinds) -> Answer<()> {
        match fault {
            None => Ok(()),
            Some(Fault::Killed { .. }) => {
                self.world.faults.kill();
                Ok(())
            }
            Some(Fault::Reboot { .. }) => {
                body.reboot(kinds, &self.world.faults);
                Err(self.lost())
            }
            Some(Fault::Hang { .. }) => Err(self.hangs()),
            Some(_) => Err(self.lost()),
        }
    }

    /// Takes the lock, raises the epoch, and makes sure that no restore fires later.
    fn fence(&self, fence: &Fence, body: &mut Body, kinds: &HostKinds) -> Answer<()> {
        if body.late.iter().any(|late| late.holds_lock && late.calls_left > PATIENCE) {
            self.world.faults.happened("a fence was not to be had");
            return Err(ConnectionError { transient: true, ..self.error(BUSY, Sent::Perhaps, "is held by a script") });
        }
        let (mut scene, waiting) = body.scene(kinds, &self.world.faults);
        for mut ending in waiting.extract_if(.., |late| late.holds_lock).collect::<Vec<_>>() {
            self.world.faults.happened("a fence waited for a script");
            ending.script.run_to_end(&mut scene);
        }
        if scene.machine.epochs.get(&fence.lineage).is_some_and(|seen| fence.epoch < *seen) {
            return Err(self.error(FENCED, Sent::No, "was fenced by a later run"));
        }
        // An armed restore was sent earlier too. It is not called off: nobody has shown that the machine can be reached
        // with what it would put back, this answer may be on its way over a connection from before.
        if let Some(restore) = scene.restore.take() {
            restore.fire(&mut scene);
            scene.truth.check_ledgers(scene.machine, kinds, &self.world.faults);
        }
        scene.machine.epochs.insert(fence.lineage.clone(), fence.epoch);
        Ok(())
    }

    fn write(&self, batch: &Batch, fault: Option<Fault>, body: &mut Body, kinds: &HostKinds) -> Answer<Vec<Outcome>> {
        if fault == Some(Fault::Drift) {
            drift(batch, body, kinds);
        }
        let (mut scene, waiting) = body.scene(kinds, &self.world.faults);
        // The machine's lock makes a new script wait for one that is still at work.
        for mut ending in waiting.extract_if(.., |late| late.holds_lock).collect::<Vec<_>>() {
            ending.script.run_to_end(&mut scene);
        }
        let script = Script::new(batch);
        let mut script = match fault {
            Some(Fault::Item { index, how }) => script.with_item_fault(index, how),
            Some(Fault::DiskFull) => script.with_disk_full(),
            _ => script,
        };
        let stop = match fault {
            Some(
                Fault::Lost { after, .. }
                | Fault::CutShort { after, .. }
                | Fault::Killed { after, .. }
                | Fault::Reboot { after },
            ) => after,
            Some(Fault::Hang { after: 0 }) => 0,
            _ => usize::MAX,
        };
        script.run_to(stop, &mut scene);
        let reply = script.reply();
        match fault {
            Some(Fault::Hang { .. }) => Err(self.hangs()),
            Some(Fault::Lost { then, .. }) => {
                body.outlive(script, then);
                Err(self.lost())
            }
            Some(Fault::CutShort { then, .. }) => {
                body.outlive(script, then);
                reply.and_then(|outcomes| {
                    let any = outcomes.iter().any(|outcome| *outcome != Outcome::Unknown);
                    if any { Ok(outcomes) } else { Err(self.lost()) }
                })
            }
            Some(Fault::Killed { then, .. }) => {
                self.world.faults.kill();
                body.outlive(script, then);
                reply
            }
            Some(Fault::Reboot { .. }) => {
                body.reboot(kinds, &self.world.faults);
                Err(self.lost())
            }
            // A batch that shut the machine off took effect, and cannot say so.
            _ if !body.machine.can_be_reached() => {
                self.world.faults.happened("a change cut the connection");
                Err(self.lost())
            }
            _ => reply,
        }
    }

    fn disarm(&self, batch: &Batch, fault: Option<Fault>, body: &mut Body) -> Answer<()> {
        match fault {
            Some(Fault::Killed { after: 0, .. }) => {
                self.world.faults.kill();
                return Ok(());
            }
            Some(Fault::Lost { after: 0, .. }) => return Err(self.lost()),
            _ => {}
        }
        let armed = body.restore.take_if(|restore| restore.batch.epoch == batch.epoch).is_some();
        match fault {
            Some(Fault::Killed { .. }) => self.world.faults.kill(),
            Some(Fault::Lost { .. }) => return Err(self.lost()),
            _ => {}
        }
        if armed { Ok(()) } else { Err(self.error(LOST, Sent::Perhaps, "has no restore that waits for this batch")) }
    }

    fn hangs(&self) -> ConnectionError {
        self.error(HANGS, Sent::Perhaps, "never answers")
    }

    pub(super) fn lost(&self) -> ConnectionError {
        ConnectionError { transient: true, ..self.error(LOST, Sent::Perhaps, "was lost during the request") }
    }

    pub(super) fn error(&self, code: tune_core::problem::Code, sent: Sent, what: &str) -> ConnectionError {
        let message = format!("`{}` {what}", self.name);
        ConnectionError { code, sent, transient: code == AWAY, message, help: None }
    }
}

impl Body {
    fn outlive(&mut self, script: Script, fate: Fate) {
        let (calls_left, holds_lock) = match fate {
            Fate::Dies => return,
            Fate::GoesOn { calls } => (calls, true),
            Fate::StartsLate { calls } => (calls, false),
        };
        self.late.push(Late { script, calls_left, holds_lock });
    }
}

/// A person changes everything that the batch is about to change, as far as the system takes it.
fn drift(batch: &Batch, body: &mut Body, kinds: &HostKinds) {
    for item in &batch.items {
        let Some(target) = kinds.get(&item.kind).and_then(|kind| kind.target(&item.key)) else { continue };
        let before = body.machine.read(&target);
        let other = foreign(&before);
        if body.machine.write(&target, &other).is_ok() && body.machine.read(&target) != before {
            let after = body.machine.read(&target);
            body.truth.by_hand(&body.machine, &item.kind, &item.key, (&before, &after));
        }
    }
}

/// Returns a form that nobody wants, but that may stand in this place.
fn foreign(raw: &Raw) -> Raw {
    match raw {
        Raw::Text(text) => match text.split_once('=') {
            Some((half, _)) => Raw::Text(format!("{half}=33")),
            None => Raw::Text("3".to_owned()),
        },
        Raw::File(file) => {
            let mut file = file.clone();
            file.content.extend_from_slice(b"# by hand\n");
            Raw::File(file)
        }
        Raw::Absent => Raw::File(tune_core::item::FileState::public("# by hand\n")),
    }
}

fn facts(name: &str, machine: &Machine) -> Facts {
    Facts {
        waits_for_boot: Vec::new(),
        machine_id: Some(machine.machine_id.clone()),
        boot_id: Some(machine.boot_id()),
        host_keys: machine.host_keys.clone(),
        hostname: name.to_owned(),
        kernel: "6.1.0-world".to_owned(),
        uid: 0,
        container: None,
        memory_kib: Some(16 << 20),
        swap_active: Some(true),
        ledgers: Some(machine.ledgers.values().cloned().collect()),
    }
}

fn reading(machine: &Machine, kind: &dyn HostKind, lookup: &Lookup) -> Reading {
    let evidence = evidence(machine, kind, &lookup.keys);
    let item = |key: &ItemKey| {
        let raw = kind.target(key).map_or(Raw::Absent, |target| machine.read(&target));
        let mode = match kind.target(key) {
            Some(Target::Value { .. } | Target::Either { .. } | Target::Reported { .. }) if raw != Raw::Absent => {
                Some(0o644)
            }
            _ => None,
        };
        kind.layers(key, &Found { raw, writable: true, mode }, &evidence)
    };
    let items: BTreeMap<_, _> = lookup.keys.iter().map(|key| (key.clone(), item(key))).collect();
    Reading { items, evidence: Arc::new(evidence.to_texts()) }
}

fn evidence(machine: &Machine, kind: &dyn HostKind, keys: &BTreeSet<ItemKey>) -> Evidence {
    let beside: BTreeSet<String> = keys.iter().flat_map(|key| kind.beside(key)).collect();
    let named = |path: &str| kind.evidence().iter().any(|glob| matches(glob.as_bytes(), path.as_bytes()));
    let wanted = |path: &str| named(path) || beside.contains(path);
    let text = |content: &[u8]| String::from_utf8_lossy(content).into_owned();
    let files = machine.files.iter().filter(|(path, _)| wanted(path));
    let mut evidence = Evidence {
        files: files.map(|(path, file)| (path.clone(), text(&file.content))).collect(),
        ..Evidence::default()
    };
    let values = machine.values.iter().filter(|(path, _)| wanted(path));
    evidence.files.extend(values.map(|(path, knob)| (path.clone(), format!("{}\n", knob.value))));
    evidence
}

/// Matches a path against a glob of which `*` is the only wildcard, within one component.
fn matches(glob: &[u8], path: &[u8]) -> bool {
    match (glob.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) if matches(rest, path) => true,
        (Some((b'*', _)), Some((c, after))) => *c != b'/' && matches(glob, after),
        (Some((a, glob)), Some((b, path))) => a == b && matches(glob, path),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stays_in_its_component() {
        let check = |glob: &str, path: &str| matches(glob.as_bytes(), path.as_bytes());
        assert!(check("/etc/x.d/*.conf", "/etc/x.d/a.conf") && check("/a", "/a") && check("/*", "/"));
        assert!(!check("/etc/x.d/*.conf", "/etc/x.d/b/a.conf") && !check("/etc/x.d/*.conf", "/etc/x.d/a.con"));
    }
}
