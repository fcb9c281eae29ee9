//! One guest: a host of the lab that goes up and down with its virtual machine, and K3s on it, which follows.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime;
use tune_pve_sim::Power;
use tune_testkit::lab::{Host, Lab};

use super::serve::{Answers, Servers, serve};
use super::{Moment, lock};

/// How long a guest takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// From its power to its sshd.
    pub(super) boot: Duration,
    /// From its sshd to K3s.
    pub(super) k3s: Duration,
}

/// What happens to a guest.
#[derive(Debug)]
enum Event {
    Power(Power),
    /// Its VM runs, and now the guest may boot too.
    Boot,
    End,
}

/// What is wrong with a guest from its next boot on.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// It does not boot, although its VM runs.
    pub(super) hangs: bool,
    /// It boots, and is reached at another address, which has this name.
    pub(super) moves: Option<String>,
}

/// The handle to a guest; its thread ends with it.
#[derive(Debug)]
pub(super) struct Guest {
    events: Sender<Event>,
    pub(super) trouble: Arc<Mutex<Trouble>>,
    thread: Option<JoinHandle<()>>,
}

/// What a guest's thread works with.
pub(super) struct Life {
    pub(super) lab: Arc<Lab>,
    pub(super) answers: Answers,
    pub(super) times: Times,
    pub(super) runtime: runtime::Handle,
    pub(super) moments: Arc<Mutex<Vec<Moment>>>,
}

/// Reports what happens to the VM.
#[derive(Debug, Clone)]
pub(super) struct Wire(Sender<Event>);

impl Wire {
    /// The VM went up or down.
    pub(super) fn power(&self, power: Power) {
        // A guest that has ended does not mind.
        let _ = self.0.send(Event::Power(power));
    }
}

impl Guest {
    /// Takes over a host that is up, with K3s on it.
    pub(super) fn new(life: Life, servers: Servers) -> Guest {
        let (events, inbox) = channel();
        let trouble = Arc::new(Mutex::new(Trouble::default()));
        let known = Arc::clone(&trouble);
        let thread = thread::spawn(move || live(&life, servers, &known, &inbox));
        Guest { events, trouble, thread: Some(thread) }
    }

    pub(super) fn wire(&self) -> Wire {
        Wire(self.events.clone())
    }

    /// Lets a guest whose VM runs boot, although it did not by itself.
    pub(super) fn boot(&self) {
        let _ = self.events.send(Event::Boot);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.events.send(Event::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How far a guest has come, and when it goes on by itself.
enum Phase {
    Off,
    Booting(Instant),
    /// Its sshd answers, and K3s starts.
    Starting(Instant),
    Up(#[expect(dead_code, reason = "held, so that they answer")] Servers),
}

impl Phase {
    fn next(&self) -> Option<Instant> {
        match self {
            Phase::Booting(when) | Phase::Starting(when) => Some(*when),
            Phase::Off | Phase::Up(_) => None,
        }
    }
}

fn live(life: &Life, servers: Servers, trouble: &Mutex<Trouble>, inbox: &Receiver<Event>) {
    let host = life.lab.host(&life.answers.server);
    let mut phase = Phase::Up(servers);
    loop {
        let event = match phase.next() {
            Some(when) => inbox.recv_timeout(when.saturating_duration_since(Instant::now())),
            None => inbox.recv().map_err(RecvTimeoutError::from),
        };
        phase = match (event, phase) {
            (Ok(Event::End) | Err(RecvTimeoutError::Disconnected), _) => return,
            (Ok(Event::Power(Power::Down)), phase) => {
                if matches!(phase, Phase::Up(_)) {
                    life.moment(false);
                }
                // Nobody may listen in a network that is to end.
                drop(phase);
                host.power_off();
                Phase::Off
            }
            (Ok(Event::Power(Power::Up)), Phase::Off) if lock(trouble).hangs => Phase::Off,
            (Ok(Event::Power(Power::Up) | Event::Boot), Phase::Off) => Phase::Booting(Instant::now() + life.times.boot),
            (Err(RecvTimeoutError::Timeout), Phase::Booting(_)) => {
                if let Some(alias) = lock(trouble).moves.take() {
                    host.move_ssh(&alias);
                }
                host.power_on();
                Phase::Starting(Instant::now() + life.times.k3s)
            }
            (Err(RecvTimeoutError::Timeout), Phase::Starting(_)) => life.start_k3s(host),
            (_, phase) => phase,
        };
    }
}

impl Life {
    /// Begins to answer for the programs of the guest.
    fn start_k3s(&self, host: &Host) -> Phase {
        let _inside = self.runtime.enter();
        match serve(host, &self.answers) {
            Ok(servers) => {
                self.moment(true);
                Phase::Up(servers)
            }
            // As a unit that failed is started again.
            Err(_) => Phase::Starting(Instant::now() + self.times.k3s),
        }
    }

    fn moment(&self, is_up: bool) {
        let (server, now) = (&self.answers.server, self.answers.clock.now());
        let mut k3s = lock(&self.answers.k3s);
        let leader = k3s.leader(now);
        if is_up {
            k3s.start(server, now);
        } else {
            k3s.stop(server, now);
        }
        let healthy = k3s.healthy(now);
        lock(&self.moments).push(Moment { guest: server.clone(), is_up, leader, healthy });
    }
}

/// Begins to answer for the programs of a guest that is up from the start.
pub(super) fn first(life: &Life) -> std::io::Result<Servers> {
    let _inside = life.runtime.enter();
    serve(life.lab.host(&life.answers.server), &life.answers)
}
