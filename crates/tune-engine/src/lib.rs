//! Reads, runs, fences, unwinds, recovers and records. This crate owns tokio, deadlines, retries and the state store;
//! every decision is a pure function of `tune-core`. It knows nothing of HCL, of a terminal or of any provider.
//!
//! Read in this order: [`engine`] (what can be asked), [`report`] (what comes back), [`store`] (what is remembered).
//! A run is `run/mod.rs`: stages one after another (`run/course.rs`). A quiet stage is a wave, its hosts side by side,
//! and for each host send, look where an answer is missing, undo what failed in part, bring the ledger up to date. A
//! turn takes members (`run/turn.rs`): facts and gates before it, its waves, its activations, a look at what runs, the
//! gates, and where it fails the way back.
//!
//! What it leaves beside the configuration, in `.tune/`, which only its owner may enter:
//!
//! | file | what it is |
//! |---|---|
//! | `lock` | locked while a process works with the state; names that process |
//! | `db/` | the state, the history and the journal of an open run; private, and may be rebuilt from the export |
//! | `key` | the secret that plans are sealed with; made when the state is opened for the first time |
//! | `state.json` | the export: the state after the latest run, written when a run begins and when it ends |
//! | `state.SERIAL.json` | the last five exports |
//! | `damaged-N/` | a copy of a database that was damaged, made before it was mended |
//! | `.unfinished-…` | an export that is being written; one that a killed process left is removed |
//!
//! A recording for `tune test` and a saved plan are written where the user says, atomically (`file.rs`).
//!
//! On hosts it writes nothing itself: it asks a connection to, with every batch. What that leaves there (the ledger
//! with its `undo.sh`, the epoch, the lock) is listed in `tune-remote`, and so is the folder for ssh's sockets.

pub mod clock;
pub mod conduct;
pub mod engine;
pub mod error;
pub mod file;
pub mod forget;
pub mod limits;
pub mod look;
mod read;
pub mod rebuild;
pub mod recording;
pub mod report;
mod run;
pub mod saved_plan;
mod settle;
pub mod stop;
pub mod store;
mod together;
pub mod watch;

pub use clock::{Clock, SystemClock};
pub use conduct::Conduct;
pub use engine::Engine;
pub use error::{EXPLANATIONS, EngineError};
pub use limits::Limits;
pub use look::{Checked, Looked};
pub use recording::{Recorder, Recording, Replay};
pub use report::{MemberOutcome, MemberReport, Report, ResourceOutcome, Settled};
pub use saved_plan::{SavedPlan, SavedPlanError};
pub use stop::{Stop, Urgency};
pub use store::{Committed, Key, LocalStore, Store, StoreError, local};
pub use watch::{Phase, RunEvent, Silent, Watch};
