//! The store of a test: plain memory that outlives the engine's process, and a wrapper that counts every write, lets
//! faults strike it, and tells the world what is durable at each moment.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tune_core::journal::{Event, replay};
use tune_core::state::{RunRecord, State};
use tune_engine::store::{Committed, Store, StoreError};

use crate::faults::{Call, Fault, Faults};
use crate::world::Durable;

/// Memory that stands for a disk: what is written to it survives its process. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    inner: Arc<Mutex<Content>>,
}

/// What a disk holds.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// The state.
    pub state: State,
    /// Finished runs, oldest first.
    pub runs: Vec<RunRecord>,
    /// The journal of the run that has not ended.
    pub journal: Vec<Event>,
    /// The latest number given by [`Store::next_sequence`].
    pub sequence: u64,
}

impl Disk {
    /// Returns everything on it.
    pub fn content(&self) -> Content {
        self.lock().clone()
    }

    /// Replaces everything on it, as losing a state or putting back an old one does.
    pub fn put(&self, content: Content) {
        *self.lock() = content;
    }

    /// Opens the store for one process.
    pub fn open(&self) -> MemoryStore {
        MemoryStore { disk: self.clone(), seen: self.content() }
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A store on a [`Disk`].
#[derive(Debug)]
pub struct MemoryStore {
    disk: Disk,
    /// What this process sees, for those who borrow it.
    seen: Content,
}

impl MemoryStore {
    fn write(&mut self, write: impl FnOnce(&mut Content)) {
        let mut content = self.disk.lock();
        write(&mut content);
        self.seen = content.clone();
    }
}

impl Store for MemoryStore {
    fn state(&self) -> &State {
        &self.seen.state
    }

    fn runs(&self) -> &[RunRecord] {
        &self.seen.runs
    }

    fn open_run(&self) -> Option<&[Event]> {
        (!self.seen.journal.is_empty()).then_some(&self.seen.journal)
    }

    fn next_sequence(&mut self) -> u64 {
        let mut content = self.disk.lock();
        content.sequence += 1;
        self.seen.sequence = content.sequence;
        content.sequence
    }

    fn append(&mut self, events: &[Event]) -> Result<(), StoreError> {
        self.disk.lock().journal.extend_from_slice(events);
        self.seen.journal.extend_from_slice(events);
        Ok(())
    }

    fn commit(&mut self, state: State, run: RunRecord) -> Result<Committed, StoreError> {
        self.write(|content| {
            content.state = state;
            content.runs.push(run);
            content.journal.clear();
        });
        Ok(Committed { export: Ok(()) })
    }

    fn replace(&mut self, state: State) -> Result<Committed, StoreError> {
        self.write(|content| content.state = state);
        Ok(Committed { export: Ok(()) })
    }
}

/// What is durable, as the wrapper of a store sees it. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Mirror(Arc<Mutex<Arc<Durable>>>);

impl Mirror {
    /// Returns what is durable now.
    pub fn durable(&self) -> Arc<Durable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Checks that a store that was opened anew holds what was durable before.
    pub(crate) fn expect(&self, store: &dyn Store) {
        let durable = self.durable();
        assert_eq!(*store.state(), durable.state, "the store lost a state that was durable");
        let run = store.open_run().map(|events| replay(events).expect("the journal is in order"));
        assert_eq!(run, durable.run, "the store lost a journal that was durable");
    }

    fn take(&self, store: &dyn Store) {
        let run = store.open_run().map(|events| replay(events).expect("the engine writes a journal that is in order"));
        let durable = Durable { state: store.state().clone(), run };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(durable);
    }

    /// As [`Mirror::take`], where only these events are new.
    fn follow(&self, store: &dyn Store, events: &[Event]) {
        let mut durable = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(run) = Arc::make_mut(&mut durable).run.as_mut() {
            for event in events {
                run.take(event).expect("the engine writes a journal that is in order");
            }
        } else {
            drop(durable);
            self.take(store);
        }
    }
}

/// A store whose writes are counted and can fail.
#[derive(Debug)]
pub struct Watched<S> {
    store: S,
    faults: Faults,
    mirror: Mirror,
}

impl<S: Store> Watched<S> {
    /// Returns the store, watched from now on.
    pub fn new(store: S, faults: &Faults, mirror: &Mirror) -> Self {
        mirror.take(&store);
        Self { store, faults: faults.clone(), mirror: mirror.clone() }
    }

    /// Does one write unless a fault forbids it. A process that is killed learns nothing, whatever became of its write;
    /// an error after the write is what a failed fsync looks like.
    fn write<T>(
        &mut self,
        call: Call,
        write: impl FnOnce(&mut S) -> Result<T, StoreError>,
        mirror: impl FnOnce(&Mirror, &dyn Store),
    ) -> Result<T, StoreError> {
        if self.faults.is_killed() {
            return Err(failed());
        }
        let (kills, after) = match self.faults.strike(call, 0) {
            None => {
                let written = write(&mut self.store)?;
                mirror(&self.mirror, &self.store);
                return Ok(written);
            }
            Some(Fault::Killed { after, .. }) => (true, after),
            Some(Fault::Lost { after, .. }) => (false, after),
            Some(_) => (false, 0),
        };
        if after > 0 {
            let _ = write(&mut self.store)?;
            mirror(&self.mirror, &self.store);
        }
        if kills {
            self.faults.kill();
        }
        Err(failed())
    }

    fn exported(&self, committed: Committed) -> Committed {
        match self.faults.strike(Call::Export, 0) {
            None => committed,
            Some(fault) => {
                if matches!(fault, Fault::Killed { .. }) {
                    self.faults.kill();
                }
                Committed { export: Err(failed()) }
            }
        }
    }
}

impl<S: Store> Store for Watched<S> {
    fn state(&self) -> &State {
        self.store.state()
    }

    fn runs(&self) -> &[RunRecord] {
        self.store.runs()
    }

    fn open_run(&self) -> Option<&[Event]> {
        self.store.open_run()
    }

    fn next_sequence(&mut self) -> u64 {
        self.store.next_sequence()
    }

    fn append(&mut self, events: &[Event]) -> Result<(), StoreError> {
        self.write(Call::Journal, |store| store.append(events), |mirror, store| mirror.follow(store, events))
    }

    fn commit(&mut self, state: State, run: RunRecord) -> Result<Committed, StoreError> {
        let committed = self.write(Call::Commit, |store| store.commit(state, run), Mirror::take)?;
        Ok(self.exported(committed))
    }

    fn replace(&mut self, state: State) -> Result<Committed, StoreError> {
        let committed = self.write(Call::Commit, |store| store.replace(state), Mirror::take)?;
        Ok(self.exported(committed))
    }
}

fn failed() -> StoreError {
    StoreError::Io { what: "write", path: PathBuf::from("journal"), source: io::Error::other("the disk is full") }
}
