//! Power: machines that go down and come up, guests that go with the machine that they run on, services, and everything
//! that happens at a time of its own. Times are those of the test's clock, counted from its beginning.
//!
//! Invariant: what is due happens in the order of its times, each at its own time, however seldom somebody looks. So the
//! laws of a group hold at every instant and not only at those that the engine sees.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use tune_core::contract::Order;
use tune_core::item::{ItemKey, Raw};

use super::group::Group;
use super::{Body, Inner, Machine};
use crate::faults::Faults;
use crate::param;
use crate::random::Random;

/// Who made a machine unwell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// `tune`, by an activation.
    Ours,
    /// Anybody else.
    Theirs,
}

/// What the next boot of a machine is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It takes so long.
    Takes(Duration),
    /// It does not come back until somebody switches it on.
    Never,
    /// What it used before is still in use afterwards.
    KeepsOld,
    /// No file is read: everything is as the factory made it.
    LosesValues,
}

/// Something that happens at a time of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// A machine goes down by itself, and comes back after a while or not.
    Crash {
        /// The machine.
        name: String,
        /// After how long somebody switches it on.
        back: Option<Duration>,
    },
    /// A machine that works does not keep up any more.
    Sick(String),
    /// It does again.
    Cured(String),
    /// A guest moves to another machine without being interrupted.
    Moves {
        /// The guest.
        guest: String,
        /// Where to.
        to: String,
    },
    /// The next boot of a machine will be special.
    Meets(String, Fate),
    /// A person changes an item.
    Drifts {
        /// The machine.
        name: String,
        /// The kind.
        kind: &'static str,
        /// The item.
        key: ItemKey,
        /// What it is from now on.
        raw: Raw,
    },
    /// A machine comes up, unless it went down again meanwhile.
    Up {
        /// The machine.
        name: String,
        /// Which of its starts.
        start: u64,
    },
    /// An order arrives that was thought lost.
    Arrives {
        /// The machine or API.
        name: String,
        /// The order.
        order: Box<Order>,
    },
}

/// A machine as a thing with a switch.
#[derive(Debug, Clone)]
pub struct Node {
    /// The machine that it runs on.
    pub runs_on: Option<String>,
    /// Its name for the API.
    pub vm: Option<String>,
    /// How long it takes to boot.
    pub takes: Duration,
    /// How long its units take after that.
    pub units: Duration,
    /// How long it lags behind its group after that.
    pub lag: Duration,
    /// What its next boots are like.
    pub fates: VecDeque<Fate>,
    pub(super) up: bool,
    pub(super) start: u64,
    pub(super) is_cold: bool,
    pub(super) ready_at: Duration,
    well_at: Duration,
    is_sick: bool,
    cause: Cause,
    pub(super) service: u64,
    pub(super) service_until: Duration,
    /// Counts its cold starts.
    pub(super) process: u64,
}

impl Node {
    /// Returns a machine that has been up for ever.
    pub fn new(takes: Duration, units: Duration, lag: Duration) -> Self {
        Self {
            runs_on: None,
            vm: None,
            takes,
            units,
            lag,
            fates: VecDeque::new(),
            up: true,
            start: 1,
            is_cold: false,
            ready_at: Duration::ZERO,
            well_at: Duration::ZERO,
            is_sick: false,
            cause: Cause::Theirs,
            service: 1,
            service_until: Duration::ZERO,
            process: 1,
        }
    }
}

/// Everything of a world that has to do with power and time.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) time: Duration,
    origin: Option<Instant>,
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) api: Option<String>,
    pub(super) groups: BTreeMap<String, Group>,
    events: BTreeMap<(Duration, u64), Happening>,
    sequence: u64,
    pub(super) random: Random,
    /// Machines to which something happened that was not `tune`.
    pub(super) touched: BTreeSet<String>,
    /// By machine: everything that its interruptions took down since the run began, or since it was done.
    pub(super) taken: BTreeMap<String, BTreeSet<String>>,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            time: Duration::ZERO,
            origin: None,
            nodes: BTreeMap::new(),
            api: None,
            groups: BTreeMap::new(),
            events: BTreeMap::new(),
            sequence: 0,
            random: Random::new(0),
            touched: BTreeSet::new(),
            taken: BTreeMap::new(),
        }
    }
}

impl Site {
    pub(super) fn at(&mut self, time: Duration, happening: Happening) {
        self.sequence += 1;
        self.events.insert((time, self.sequence), happening);
    }

    /// Forgets everything that was going to go wrong.
    pub(super) fn calm(&mut self) {
        self.events.retain(|_, happening| matches!(happening, Happening::Up { .. }));
        for node in self.nodes.values_mut() {
            node.fates.clear();
            node.is_sick = false;
        }
    }

    /// Returns a machine and everything that runs on it, however deep.
    pub(super) fn carried_by(&self, name: &str) -> BTreeSet<String> {
        let mut carried = BTreeSet::from([name.to_owned()]);
        loop {
            let more: Vec<String> = self
                .nodes
                .iter()
                .filter(|(guest, node)| {
                    !carried.contains(*guest) && node.runs_on.as_ref().is_some_and(|on| carried.contains(on))
                })
                .map(|(guest, _)| guest.clone())
                .collect();
            if more.is_empty() {
                return carried;
            }
            carried.extend(more);
        }
    }

    pub(super) fn guest_of(&self, vm: &str) -> Option<String> {
        self.nodes.iter().find(|(_, node)| node.vm.as_deref() == Some(vm)).map(|(name, _)| name.clone())
    }
}

impl Inner {
    /// Brings the world to the present.
    pub(super) fn catch_up(&mut self, faults: &Faults) {
        let now = Instant::now();
        let origin = *self.site.origin.get_or_insert(now);
        let present = now.saturating_duration_since(origin);
        while let Some(((time, _), _)) = self.site.events.first_key_value() {
            if *time > present {
                break;
            }
            let Some(((time, _), happening)) = self.site.events.pop_first() else { break };
            self.site.time = self.site.time.max(time);
            self.happens(happening, faults);
        }
        self.site.time = self.site.time.max(present);
    }

    fn happens(&mut self, happening: Happening, faults: &Faults) {
        match happening {
            Happening::Up { name, start } => self.comes_up(&name, start, faults),
            Happening::Crash { name, back } => {
                if !self.site.nodes[&name].up {
                    return;
                }
                faults.happened("a machine crashed");
                let carried = self.site.carried_by(&name);
                self.site.touched.extend(carried);
                self.go_down(&name, Cause::Theirs, false);
                if let Some(back) = back {
                    self.starts(&name, back);
                }
            }
            Happening::Sick(name) => {
                faults.happened("a machine fell behind");
                self.unwell(&name, Cause::Theirs);
                self.node(&name).is_sick = true;
            }
            Happening::Cured(name) => self.node(&name).is_sick = false,
            Happening::Moves { guest, to } => self.moves(&guest, &to, faults),
            Happening::Meets(name, fate) => self.node(&name).fates.push_back(fate),
            Happening::Drifts { name, kind, key, raw } => {
                if self.bodies[&name].machine.can_be_reached() {
                    faults.happened("a person changed something");
                    self.site.touched.insert(name.clone());
                    self.by_hand(&name, kind, &key, &raw);
                }
            }
            Happening::Arrives { name, order } => {
                faults.happened("an order arrived late");
                // Whoever sent it does not listen any more.
                let _ = self.obey(&name, &order, faults);
            }
        }
    }

    pub(super) fn node(&mut self, name: &str) -> &mut Node {
        self.site.nodes.get_mut(name).expect("the machine has a switch")
    }

    fn moves(&mut self, guest: &str, to: &str, faults: &Faults) {
        let here = self.site.nodes[guest].runs_on.clone();
        let ups = self.site.nodes[to].up && self.site.nodes[guest].up;
        if here.as_deref() == Some(to) || !ups || self.site.carried_by(guest).contains(to) {
            return;
        }
        faults.happened("a guest moved");
        self.node(guest).runs_on = Some(to.to_owned());
        let (api, vm) = (self.site.api.clone(), self.site.nodes[guest].vm.clone());
        let knob = api.zip(vm).and_then(|(api, vm)| {
            let path = format!("/node/{vm}");
            self.bodies.get_mut(&api)?.machine.values.get_mut(&path)
        });
        if let Some(knob) = knob {
            to.clone_into(&mut knob.value);
        }
    }

    /// Takes a machine down, with everything that runs on it. What `tune` may not take down is said by the groups.
    pub(super) fn go_down(&mut self, name: &str, cause: Cause, cold: bool) {
        for carried in self.site.carried_by(name) {
            if !self.site.nodes[&carried].up {
                // It was on its way up, and starts anew when what carries it is there again.
                self.node(&carried).start += 1;
                continue;
            }
            self.unwell(&carried, cause);
            let node = self.node(&carried);
            node.up = false;
            node.start += 1;
            // A guest that is not only told to reboot starts as a new process.
            node.is_cold = cold || carried != *name;
            let body = self.bodies.get_mut(&carried).expect("the machine is in the world");
            body.machine.down = true;
            body.late.clear();
            body.restore = None;
        }
    }

    /// Lets a machine that is down begin to start.
    pub(super) fn starts(&mut self, name: &str, takes: Duration) {
        let start = self.site.nodes[name].start;
        let at = self.site.time + takes;
        self.site.at(at, Happening::Up { name: name.to_owned(), start });
    }

    /// Begins the boot that follows an order; how long it takes is its fate.
    pub(super) fn boots(&mut self, name: &str, faults: &Faults) {
        let takes = match self.site.nodes[name].fates.front() {
            Some(Fate::Takes(takes)) => {
                faults.happened("a boot came late");
                *takes
            }
            Some(Fate::Never) => {
                faults.happened("a boot never ended");
                self.site.touched.insert(name.to_owned());
                self.node(name).fates.pop_front();
                return;
            }
            _ => self.site.nodes[name].takes,
        };
        self.starts(name, takes);
    }

    fn comes_up(&mut self, name: &str, start: u64, faults: &Faults) {
        let node = &self.site.nodes[name];
        let is_carried = node.runs_on.as_ref().is_none_or(|on| self.site.nodes[on].up);
        if node.up || node.start != start || !is_carried {
            return;
        }
        let fate = self.node(name).fates.pop_front();
        if fate.is_some() {
            self.site.touched.insert(name.to_owned());
        }
        let (time, is_cold) = (self.site.time, self.site.nodes[name].is_cold);
        if is_cold {
            self.node(name).process += 1;
        }
        if let (true, Some(vm), Some(api)) = (is_cold, self.site.nodes[name].vm.clone(), self.site.api.clone()) {
            param::start_vm(&mut self.bodies.get_mut(&api).expect("the API is in the world").machine, &vm);
        }
        let node = self.node(name);
        node.up = true;
        node.is_cold = false;
        node.service += 1;
        node.ready_at = time + node.units;
        node.well_at = time + node.units + node.lag;
        self.rises(name, fate, faults);
        let guests: Vec<String> = self
            .site
            .nodes
            .iter()
            .filter(|(_, guest)| guest.runs_on.as_deref() == Some(name) && !guest.up)
            .map(|(guest, _)| guest.clone())
            .collect();
        for guest in guests {
            self.boots(&guest, faults);
        }
    }

    fn rises(&mut self, name: &str, fate: Option<Fate>, faults: &Faults) {
        let Self { kinds, bodies, .. } = self;
        let body = bodies.get_mut(name).expect("the machine is in the world");
        let before = body.machine.values.clone();
        let files = body.machine.files.clone();
        body.machine.down = false;
        if fate == Some(Fate::LosesValues) {
            faults.happened("a boot lost values");
            body.machine.files.clear();
        }
        body.boot(kinds, faults, |machine| {
            machine.files = files;
            if fate == Some(Fate::LosesValues) {
                return;
            }
            if fate == Some(Fate::KeepsOld) {
                faults.happened("a boot kept the old value");
                for (path, knob) in before.into_iter().filter(|(path, _)| path.starts_with(param::USED)) {
                    machine.values.insert(path, knob);
                }
                return;
            }
            let image = machine.image.clone().unwrap_or_else(|| "old".to_owned());
            if let Some(knob) = machine.values.get_mut(&param::used("image.a")) {
                knob.value = image;
            }
        });
    }

    /// Notes that a machine is not well from now on, and because of whom; whoever was first stays the cause.
    pub(super) fn unwell(&mut self, name: &str, cause: Cause) {
        if self.is_well(name) {
            self.node(name).cause = cause;
        }
    }

    /// Returns whether a machine is up and keeps up with its group.
    pub(super) fn is_well(&self, name: &str) -> bool {
        let Some(node) = self.site.nodes.get(name) else { return true };
        let time = self.site.time;
        node.up && node.well_at <= time && node.service_until <= time && !node.is_sick && !self.is_badly_set(name)
    }

    pub(super) fn is_badly_set(&self, name: &str) -> bool {
        let is_bad = |machine: &Machine, root: &str| {
            let values = machine.values.range(root.to_owned()..);
            values.take_while(|(path, _)| path.starts_with(root)).any(|(_, knob)| knob.value == "bad")
        };
        let node = &self.site.nodes[name];
        let vm = node.vm.as_ref().zip(self.site.api.as_ref());
        is_bad(&self.bodies[name].machine, param::USED)
            || vm.is_some_and(|(vm, api)| is_bad(&self.bodies[api].machine, &format!("/run/vm/{vm}/")))
    }

    /// Returns why a machine is not well; `None` if it is.
    pub(super) fn cause(&self, name: &str) -> Option<Cause> {
        (!self.is_well(name)).then(|| self.site.nodes[name].cause)
    }

    /// Switches every machine on that is down and not about to start.
    pub(super) fn switch_on(&mut self) {
        let waits: BTreeSet<String> = self
            .site
            .events
            .values()
            .filter_map(|happening| match happening {
                Happening::Up { name, start } if self.site.nodes[name].start == *start => Some(name.clone()),
                _ => None,
            })
            .collect();
        let carried = |node: &Node| node.runs_on.as_ref().is_none_or(|on| self.site.nodes[on].up);
        let down = self.site.nodes.iter().filter(|(name, node)| !node.up && carried(node) && !waits.contains(*name));
        for name in down.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            let takes = self.site.nodes[&name].takes;
            self.starts(&name, takes);
        }
    }
}

impl Body {
    /// Ends a boot: what was only in the kernel is gone, and `then` says what this boot does besides.
    fn boot(&mut self, kinds: &super::HostKinds, faults: &Faults, then: impl FnOnce(&mut Machine)) {
        self.reboot_with(kinds, faults, |machine| {
            machine.boot();
            then(machine);
        });
    }
}
