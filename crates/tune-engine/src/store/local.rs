//! The state in `.tune/` beside the configuration: a database, and the plain exports from which it can be rebuilt.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tune_core::journal::Event;
use tune_core::state::{RunRecord, State};

use super::database::{self, Content, Database};
use super::key::{self, Key};
use super::lock::{self, Lock};
use super::mend::{self, Copies};
use super::{Committed, Store, StoreError, export};

pub use super::export::{Export, OpenRun, parse_export, print_export, schema};
pub use super::lock::Holder;

/// The folder beside the configuration.
const FOLDER: &str = ".tune";

/// Sequence numbers that one opening of the store may give.
const PER_OPENING: u64 = 1_000_000;

/// The state in `.tune/`, locked by this process.
#[derive(Debug)]
pub struct LocalStore {
    folder: PathBuf,
    database: Database,
    content: Content,
    next_sequence: u64,
    warnings: Vec<String>,
    /// Let go at last.
    _lock: Lock,
}

impl LocalStore {
    /// Opens the store in `dir` (the configuration's folder; the state is in `.tune` below it), creates it where there
    /// is none, and holds its lock. Waits for another holder as long as `wait`. A damaged database is mended or rebuilt
    /// from the export, and [`LocalStore::warnings`] says so.
    pub fn open(dir: &Path, holder: &Holder, wait: Duration) -> Result<Self, StoreError> {
        let folder = create(dir)?;
        let lock = Lock::take(&folder, holder, wait)?;
        export::clear_unfinished(&folder)?;
        key::ensure(&folder)?;
        let mut warnings = Vec::new();
        let copies = Copies::find(&folder, &mut warnings)?;
        let mut mended = mend::open(&folder, &copies, &mut warnings)?;
        let openings = mended.database.count_opening().map_err(|fault| fault.at(&folder))?;
        let mut store = Self {
            folder,
            database: mended.database,
            content: mended.content,
            next_sequence: openings * PER_OPENING,
            warnings,
            _lock: lock,
        };
        if let Some(lost) = mended.lost {
            store.give_up(&lost)?;
        } else if !mended.exported {
            store.export()?;
        }
        Ok(store)
    }

    /// Returns what had to be mended when it was opened, as whole sentences.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns what the export of this moment holds.
    pub fn to_export(&self) -> Export {
        let open_run = match self.content.events.first() {
            Some(Event::Begin(header)) => Some(OpenRun::of(header)),
            _ => None,
        };
        Export { state: self.content.state.clone(), runs: self.content.runs.clone(), open_run }
    }

    fn export(&self) -> Result<(), StoreError> {
        export::write(&self.folder, &self.to_export())
    }

    /// Records a run whose journal is lost, so that its number is not given again.
    fn give_up(&mut self, lost: &OpenRun) -> Result<(), StoreError> {
        let mut state = self.content.state.clone();
        let run = mend::record_lost(&mut state, lost);
        self.replace_content(state, Some(run))?;
        self.export()
    }

    /// Puts a state in the place of the one that is there, and one more run into the history.
    fn replace_content(&mut self, state: State, run: Option<RunRecord>) -> Result<(), StoreError> {
        let Content { state: old, runs, events } = &mut self.content;
        let known = runs.len();
        runs.extend(run);
        if let Err(fault) = self.database.replace(old, &state, runs, known) {
            runs.truncate(known);
            return Err(fault.at(&self.folder));
        }
        *old = state;
        events.clear();
        Ok(())
    }
}

impl Store for LocalStore {
    fn state(&self) -> &State {
        &self.content.state
    }

    fn runs(&self) -> &[RunRecord] {
        &self.content.runs
    }

    fn open_run(&self) -> Option<&[Event]> {
        Some(self.content.events.as_slice()).filter(|events| !events.is_empty())
    }

    fn next_sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence
    }

    fn append(&mut self, events: &[Event]) -> Result<(), StoreError> {
        let begins = self.content.events.is_empty();
        self.database.append(events).map_err(|fault| fault.at(&self.folder))?;
        self.content.events.extend_from_slice(events);
        // Whoever plans meanwhile learns from the export that a run is open.
        if begins { self.export() } else { Ok(()) }
    }

    fn commit(&mut self, state: State, run: RunRecord) -> Result<Committed, StoreError> {
        self.replace_content(state, Some(run))?;
        Ok(Committed { export: self.export() })
    }

    fn replace(&mut self, state: State) -> Result<Committed, StoreError> {
        if let Some(Event::Begin(header)) = self.content.events.first() {
            return Err(StoreError::OpenRun { number: header.run });
        }
        self.replace_content(state, None)?;
        Ok(Committed { export: self.export() })
    }
}

/// Returns the last export, without a lock and without creating anything; `None` if there is no state yet.
pub fn read_export(dir: &Path) -> Result<Option<Export>, StoreError> {
    let folder = dir.join(FOLDER);
    let path = export::current(&folder);
    match export::read_file(&path)? {
        None if database::place(&folder).exists() => {
            let what = "the export is missing beside the database; `tune state export` writes it again".to_owned();
            Err(StoreError::Damaged { path, what })
        }
        found => Ok(found),
    }
}

/// Returns the key of the state in `dir`, without a lock and without creating anything; `None` if there is none.
pub fn read_key(dir: &Path) -> Result<Option<Key>, StoreError> {
    key::read(&dir.join(FOLDER))
}

/// Replaces everything in the store of `dir` by an export, whatever shape the database is in. Only a run that is open
/// in it forbids that. Returns what has to be said about it, as whole sentences.
pub fn import(dir: &Path, holder: &Holder, wait: Duration, export: &Export) -> Result<Vec<String>, StoreError> {
    let folder = create(dir)?;
    let _lock = Lock::take(&folder, holder, wait)?;
    export::clear_unfinished(&folder)?;
    key::ensure(&folder)?;
    let mut warnings = Vec::new();
    let mut content = Content { state: export.state.clone(), runs: export.runs.clone(), events: Vec::new() };
    let seen = mend::last_seen(&folder, &content.state.lineage)?;
    if let Some(seen) = seen {
        content.state.serial = content.state.serial.max(seen.serial) + 1;
        content.state.last_run = content.state.last_run.max(seen.last_run);
    }
    if let Some(lost) = export.open_run.as_ref().filter(|run| run.number > content.state.last_run) {
        content.runs.push(mend::record_lost(&mut content.state, lost));
        warnings.push(mend::lost_journal(lost));
    }
    mend::fresh(&folder, &content)?;
    export::write(&folder, &Export { state: content.state, runs: content.runs, open_run: None })?;
    Ok(warnings)
}

/// Removes the record that a dead holder left, and refuses while the holder lives. Returns the one that was removed.
pub fn unlock(dir: &Path) -> Result<Option<Holder>, StoreError> {
    lock::unlock(&dir.join(FOLDER))
}

/// Makes sure of the folder, which nobody else may read: it holds what was on the hosts.
fn create(dir: &Path) -> Result<PathBuf, StoreError> {
    let folder = dir.join(FOLDER);
    let create = || {
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => File::open(dir)?.sync_all()?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        if fs::metadata(&folder)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        }
        Ok(())
    };
    create().map_err(|source| StoreError::Io { what: "create", path: folder.clone(), source })?;
    Ok(folder)
}
