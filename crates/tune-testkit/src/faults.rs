//! What goes wrong, and when: every call that the engine makes is counted, and a fault waits for one of them. The world
//! and the store of one test share one list, because a killed process stops both.
//!
//! It only decides; what a fault does to a machine or to a store is theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// A call that the engine makes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// A plain look at a machine.
    Read(String),
    /// A look behind the fence.
    Fence(String),
    /// A batch of writes for a machine.
    Apply(String),
    /// The confirmation that a machine can still be reached.
    Confirm(String),
    /// A look at what an activation is about.
    Sight(String),
    /// An activation is ordered.
    Activate(String),
    /// The journal becomes durable.
    Journal,
    /// The export is written.
    Export,
    /// A finished run is moved from the journal into the state.
    Commit,
}

/// The moment at which a fault strikes: the `nth` call of one kind, counted from 0 since the last [`Faults::arm`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Which calls are counted.
    pub call: Call,
    /// How many of them pass before.
    pub nth: usize,
}

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection cannot be made; nothing is sent. For a store: the write fails and nothing is written.
    Refused,
    /// The connection is lost when the remote script has done so many stages; no answer arrives.
    Lost {
        /// Stages that are done by then.
        after: usize,
        /// What becomes of the script.
        then: Fate,
    },
    /// As [`Fault::Lost`], but the answers of the stages that were done arrive.
    CutShort {
        /// Stages that are done by then.
        after: usize,
        /// What becomes of the script.
        then: Fate,
    },
    /// The engine's process is killed when the remote script has done so many stages. For a store: before the write is
    /// durable (0) or right after it (1).
    Killed {
        /// Stages that are done by then.
        after: usize,
        /// What becomes of the script.
        then: Fate,
    },
    /// The machine reboots when the remote script has done so many stages.
    Reboot {
        /// Stages that are done by then.
        after: usize,
    },
    /// One item of a batch goes wrong.
    Item {
        /// Which one, by its place in the batch.
        index: usize,
        /// How.
        how: ItemFault,
    },
    /// The machine's disk is full while the call lasts.
    DiskFull,
    /// A person changes every item of the batch just before the script begins.
    Drift,
    /// No answer ever comes.
    Hang {
        /// Whether the request has its effect: 0 if not.
        after: usize,
    },
}

/// What becomes of a remote script that nobody listens to any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is killed with its connection.
    Dies,
    /// It goes on to its end, holding the machine's lock, once so many further calls reached the machine.
    GoesOn {
        /// Calls that find it still at work.
        calls: usize,
    },
    /// It has not even begun, and begins once so many further calls reached the machine.
    StartsLate {
        /// Calls that come before it.
        calls: usize,
    },
}

/// How one item of a batch goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemFault {
    /// The system refuses; nothing happens.
    Refused,
    /// The write takes effect, then its command fails and nothing can be read back.
    FailsAfterEffect,
    /// Half of it is written.
    Half,
    /// It is written, and the line that says so is lost.
    Mute,
}

/// The faults of one test, and what happened so far. Clones share everything.
#[derive(Debug, Clone)]
pub struct Faults {
    inner: Arc<Mutex<Inner>>,
    killed: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Inner {
    armed: Vec<(Moment, Fault)>,
    counts: BTreeMap<Call, usize>,
    trace: Vec<Seen>,
    events: BTreeMap<&'static str, usize>,
    violations: Vec<String>,
}

/// One call as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub moment: Moment,
    /// For a batch: how many items it had.
    pub items: usize,
}

impl Default for Faults {
    fn default() -> Self {
        Self { inner: Arc::default(), killed: watch::Sender::new(false) }
    }
}

impl Faults {
    /// Starts counting anew, with these faults ahead, for a process that is alive.
    pub fn arm(&self, faults: impl IntoIterator<Item = (Moment, Fault)>) {
        let mut inner = self.lock();
        inner.armed = faults.into_iter().collect();
        inner.counts.clear();
        inner.trace.clear();
        drop(inner);
        self.killed.send_replace(false);
    }

    /// Returns the calls since the last [`Faults::arm`].
    pub fn trace(&self) -> Vec<Seen> {
        self.lock().trace.clone()
    }

    /// Returns the faults that have not struck.
    pub fn waiting(&self) -> Vec<(Moment, Fault)> {
        self.lock().armed.clone()
    }

    /// Counts a call and returns the fault that strikes it.
    pub(crate) fn strike(&self, call: Call, items: usize) -> Option<Fault> {
        let mut inner = self.lock();
        let count = inner.counts.entry(call.clone()).or_default();
        let moment = Moment { call, nth: *count };
        *count += 1;
        inner.trace.push(Seen { moment: moment.clone(), items });
        let place = inner.armed.iter().position(|(armed, _)| *armed == moment)?;
        let (_, fault) = inner.armed.remove(place);
        *inner.events.entry(name(&fault)).or_default() += 1;
        Some(fault)
    }

    /// Kills the engine's process: nothing that it still does has an effect.
    pub(crate) fn kill(&self) {
        self.killed.send_replace(true);
    }

    /// Returns whether the engine's process is dead.
    pub fn is_killed(&self) -> bool {
        *self.killed.borrow()
    }

    /// Waits until the engine's process is killed.
    pub async fn killed(&self) {
        let mut killed = self.killed.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        let _ = killed.wait_for(|killed| *killed).await;
    }

    /// Notes that something worth reaching has happened.
    pub fn happened(&self, event: &'static str) {
        *self.lock().events.entry(event).or_default() += 1;
    }

    /// Returns everything noted so far, faults that struck included.
    pub fn events(&self) -> BTreeSet<&'static str> {
        self.lock().events.keys().copied().collect()
    }

    /// Returns how often everything noted so far happened.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        self.lock().events.clone()
    }

    /// Notes that a law was broken. The world cannot fail by itself: the engine would take that for a bad connection.
    pub(crate) fn violated(&self, law: String) {
        self.lock().violations.push(law);
    }

    /// Returns every broken law.
    pub fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the name under which a fault is noted when it strikes.
pub fn name(fault: &Fault) -> &'static str {
    match fault {
        Fault::Refused => "refused",
        Fault::Lost { then: Fate::Dies, .. } => "lost",
        Fault::Lost { then: Fate::GoesOn { .. }, .. } => "lost, script goes on",
        Fault::Lost { then: Fate::StartsLate { .. }, .. } => "lost, script starts late",
        Fault::CutShort { .. } => "cut short",
        Fault::Killed { then: Fate::Dies, .. } => "killed",
        Fault::Killed { then: Fate::GoesOn { .. }, .. } => "killed, script goes on",
        Fault::Killed { then: Fate::StartsLate { .. }, .. } => "killed, script starts late",
        Fault::Reboot { .. } => "reboot in the middle",
        Fault::Item { how: ItemFault::Refused, .. } => "item refused",
        Fault::Item { how: ItemFault::FailsAfterEffect, .. } => "item fails after its effect",
        Fault::Item { how: ItemFault::Half, .. } => "item half done",
        Fault::Item { how: ItemFault::Mute, .. } => "item's answer lost",
        Fault::DiskFull => "disk full",
        Fault::Drift => "drift between plan and write",
        Fault::Hang { .. } => "hung",
    }
}

/// Returns every fault that can strike a call, at every stage of it.
pub fn every_fault(seen: &Seen) -> Vec<Fault> {
    let dies = Fate::Dies;
    match seen.moment.call {
        Call::Read(_) | Call::Fence(_) | Call::Confirm(_) => vec![
            Fault::Refused,
            Fault::Lost { after: 0, then: dies },
            Fault::Lost { after: 1, then: dies },
            Fault::Killed { after: 0, then: dies },
            Fault::Killed { after: 1, then: dies },
            Fault::Reboot { after: 0 },
            Fault::Reboot { after: 1 },
        ],
        Call::Journal | Call::Commit => vec![
            Fault::Refused,
            Fault::Lost { after: 1, then: dies },
            Fault::Killed { after: 0, then: dies },
            Fault::Killed { after: 1, then: dies },
        ],
        Call::Sight(_) | Call::Activate(_) => vec![
            Fault::Refused,
            Fault::Lost { after: 0, then: dies },
            Fault::Lost { after: 1, then: dies },
            Fault::Killed { after: 0, then: dies },
            Fault::Killed { after: 1, then: dies },
            Fault::Hang { after: 0 },
            Fault::Hang { after: 1 },
        ],
        Call::Export => vec![Fault::Refused, Fault::Killed { after: 0, then: dies }],
        Call::Apply(_) => every_fault_of_a_batch(seen.items),
    }
}

/// Calls that a script outlives shortly, and for so long that no fence waits for it.
const CALLS: [usize; 2] = [1, 8];

fn every_fault_of_a_batch(items: usize) -> Vec<Fault> {
    let mut faults = vec![Fault::Refused, Fault::DiskFull, Fault::Drift];
    for calls in CALLS {
        faults.push(Fault::Lost { after: 0, then: Fate::StartsLate { calls } });
        faults.push(Fault::Killed { after: 0, then: Fate::StartsLate { calls } });
    }
    // One stage for the lock, one for each ledger, one per item; 0 is before all of them.
    for after in 0..=items + 3 {
        faults.push(Fault::Reboot { after });
        faults.push(Fault::CutShort { after, then: Fate::Dies });
        let fates = [Fate::Dies, Fate::GoesOn { calls: CALLS[0] }, Fate::GoesOn { calls: CALLS[1] }];
        // A script that has not begun holds no lock.
        for then in fates.into_iter().take(if after == 0 { 1 } else { 3 }) {
            faults.push(Fault::Lost { after, then });
            faults.push(Fault::Killed { after, then });
        }
    }
    let how = [ItemFault::Refused, ItemFault::FailsAfterEffect, ItemFault::Half, ItemFault::Mute];
    faults.extend((0..items).flat_map(|index| how.map(|how| Fault::Item { index, how })));
    faults
}
