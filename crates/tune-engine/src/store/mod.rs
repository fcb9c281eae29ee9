//! Where the state lives between runs. The interface is small, because remote stores will follow; the only one now is
//! [`local`].

mod database;
mod events;
pub(crate) mod export;
pub(crate) mod key;
pub mod local;
mod lock;
mod mend;
pub(crate) mod mirror;
mod record;

use std::fmt::Debug;
use std::path::PathBuf;

use tune_core::journal::Event;
use tune_core::state::{RunRecord, State};

pub use key::Key;
pub use local::{Holder, LocalStore};

/// The state, held by this process alone.
pub trait Store: Debug + Send {
    /// Returns the state after the latest finished run.
    fn state(&self) -> &State;

    /// Returns the finished runs, oldest first.
    fn runs(&self) -> &[RunRecord];

    /// Returns the journal of the run that is not finished, if there is one.
    fn open_run(&self) -> Option<&[Event]>;

    /// Returns a number above every one that this store ever gave, to this process or to an earlier one.
    fn next_sequence(&mut self) -> u64;

    /// Appends to the journal; durable when it returns. A `Begin` opens a run. After an error nothing more may be
    /// sent to any host.
    fn append(&mut self, events: &[Event]) -> Result<(), StoreError>;

    /// Ends the open run: its journal is dropped, state and record take its place, atomically and durably.
    fn commit(&mut self, state: State, run: RunRecord) -> Result<Committed, StoreError>;

    /// Replaces the state outside of a run.
    fn replace(&mut self, state: State) -> Result<Committed, StoreError>;
}

/// The state is durable.
#[derive(Debug)]
#[must_use = "the export may have failed"]
pub struct Committed {
    /// Whether the plain export was written too. If not, nothing is lost: it is written again when the store is opened
    /// the next time.
    pub export: Result<(), StoreError>,
}

/// Why the state could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else works with the state.
    #[error("the state is locked by {holder}")]
    Locked {
        /// Who.
        holder: String,
    },
    /// A newer program wrote it.
    #[error("`{path}` is in version {found} of its format, and this program knows versions up to {known}", path = path.display())]
    Newer {
        /// The file or folder.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// An older copy was put back.
    #[error(
        "`{path}` holds the state at serial {have}, but `{newest}` has serial {seen}: an older copy was put back",
        path = path.display(), newest = newest.display()
    )]
    Older {
        /// The store.
        path: PathBuf,
        /// What it holds.
        have: u64,
        /// What was there.
        seen: u64,
        /// The newest copy, which can be imported.
        newest: PathBuf,
    },
    /// Damaged beyond what the copies can mend.
    #[error("`{path}` is damaged: {what}", path = path.display())]
    Damaged {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, without a full stop.
        what: String,
    },
    /// A run is open, so the state cannot be replaced.
    #[error("run {number} is still open")]
    OpenRun {
        /// Its number.
        number: u64,
    },
    /// The disk refused.
    #[error("cannot {what} `{path}`", path = path.display())]
    Io {
        /// What was tried: `write`, `read`, …
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
