//! Opening what may be damaged. The database and the exports are copies of each other; whichever is whole and newest
//! is taken, and whatever was lost is said. An older copy that was put back is refused.

use std::io;
use std::path::{Path, PathBuf};

use tune_core::journal::Event;
use tune_core::state::{RunRecord, RunResult, State};

use super::database::{self, Content, Database, Fault};
use super::export::{self, Export, OpenRun, head};
use super::{StoreError, record};

/// The exports that are there.
#[derive(Debug)]
pub(super) struct Copies {
    /// `state.json`, if it is whole.
    current: Option<Export>,
    /// The newest of those kept under their serial that is whole.
    kept: Option<(PathBuf, Export)>,
}

/// A store that can be worked with.
#[derive(Debug)]
pub(super) struct Mended {
    pub(super) database: Database,
    pub(super) content: Content,
    /// A run of which the journal is lost.
    pub(super) lost: Option<OpenRun>,
    /// Whether `state.json` says the same.
    pub(super) exported: bool,
}

/// What was there before an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) serial: u64,
    pub(super) last_run: u64,
}

impl Copies {
    /// Finds the exports in a folder. Damaged ones are named and passed over; newer ones are refused.
    pub(super) fn find(folder: &Path, warnings: &mut Vec<String>) -> Result<Self, StoreError> {
        let current = whole(&export::current(folder), warnings)?;
        let mut kept = None;
        for (_, path) in export::generations(folder)?.into_iter().rev() {
            if let Some(export) = whole(&path, warnings)? {
                kept = Some((path, export));
                break;
            }
        }
        Ok(Self { current, kept })
    }

    /// Returns the newest copy of a state; of any state, if the database does not say which.
    fn newest(&self, lineage: Option<&str>) -> Option<&Export> {
        let kept = self.kept.as_ref().map(|(_, export)| export);
        let same = |export: &&Export| lineage.is_none_or(|lineage| export.state.lineage == lineage);
        // The current one is preferred: of equal ones it alone knows of an open run.
        [kept, self.current.as_ref()].into_iter().flatten().filter(same).max_by_key(|export| export.state.serial)
    }
}

fn whole(path: &Path, warnings: &mut Vec<String>) -> Result<Option<Export>, StoreError> {
    match export::read_file(path) {
        Err(StoreError::Damaged { path, what }) => {
            warnings.push(format!("`{}` is damaged ({what}) and was not used.", path.display()));
            Ok(None)
        }
        found => found,
    }
}

/// Opens the database, mends or rebuilds it where it is damaged, and compares it with the exports.
pub(super) fn open(folder: &Path, copies: &Copies, warnings: &mut Vec<String>) -> Result<Mended, StoreError> {
    let (database, content) = open_database(folder, copies, warnings)?;
    let Some(content) = content else {
        return match copies.newest(None) {
            None => {
                let content = Content { state: State::default(), runs: Vec::new(), events: Vec::new() };
                drop(database);
                Ok(Mended { database: fresh(folder, &content)?, content, lost: None, exported: false })
            }
            Some(copy) => {
                if warnings.is_empty() {
                    warnings.push(format!(
                        "The database `{}` was missing; it was rebuilt from the export at serial {}.",
                        database::place(folder).display(),
                        copy.state.serial
                    ));
                }
                rebuild(folder, database, copy, warnings)
            }
        };
    };
    compare(folder, database, content, copies, warnings)
}

fn open_database(
    folder: &Path,
    copies: &Copies,
    warnings: &mut Vec<String>,
) -> Result<(Database, Option<Content>), StoreError> {
    let what = match Database::open(folder) {
        Ok(opened) => return Ok(opened),
        Err(fault @ Fault::Newer(_)) => return Err(fault.at(folder)),
        Err(Fault::Io(error)) if !is_damage(&error) => return Err(Fault::Io(error).at(folder)),
        Err(Fault::Io(error)) => error.to_string(),
        Err(Fault::Damaged(what)) => what,
    };
    let place = database::place(folder);
    let aside = database::copy_aside(folder)?;
    database::remove_snapshots(folder)?;
    let said =
        format!("The database `{}` was damaged ({what}); `{}` is a copy of it.", place.display(), aside.display());
    match Database::open(folder) {
        Ok((database, Some(content))) => {
            warnings.push(format!("{said} It was mended, and nothing is lost."));
            Ok((database, Some(content)))
        }
        opened => {
            drop(opened);
            let Some(copy) = copies.newest(None) else {
                let what = format!("{what}, and there is no export to rebuild it from");
                return Err(StoreError::Damaged { path: place, what });
            };
            warnings.push(format!("{said} It was rebuilt from the export at serial {}.", copy.state.serial));
            database::remove(folder)?;
            Database::open(folder).map_err(|fault| fault.at(folder))
        }
    }
}

/// A file that is shorter than it should be, or an answer that makes no sense; not a disk that is full or forbidden.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::NotFound
    ) || (error.kind() == io::ErrorKind::Other && !error.to_string().contains("could not acquire lock"))
}

fn compare(
    folder: &Path,
    database: Database,
    content: Content,
    copies: &Copies,
    warnings: &mut Vec<String>,
) -> Result<Mended, StoreError> {
    let place = database::place(folder);
    let state = &content.state;
    let lineage = Some(state.lineage.as_str()).filter(|lineage| !lineage.is_empty());
    if let (Some(lineage), Some(current)) = (lineage, &copies.current)
        && !current.state.lineage.is_empty()
        && current.state.lineage != lineage
    {
        let what =
            format!("it belongs to the state `{}`, and the database beside it to `{lineage}`", current.state.lineage);
        return Err(StoreError::Damaged { path: export::current(folder), what });
    }
    let newest = copies.newest(lineage);
    if let Some(current) = copies.current.as_ref().filter(|current| current.state.serial > state.serial) {
        // An export is written after its state is durable in the database, so the database lost something.
        if newest.is_some_and(|newest| newest.state.serial > current.state.serial) {
            return Err(put_back(copies, &place, current.state.serial));
        }
        warnings.push(format!(
            "The database `{}` had fallen behind, at serial {}; it was rebuilt from the export at serial {}.",
            place.display(),
            state.serial,
            current.state.serial
        ));
        return rebuild(folder, database, current, warnings);
    }
    if newest.is_some_and(|newest| newest.state.serial > state.serial) {
        return Err(put_back(copies, &place, state.serial));
    }
    if let Some(current) = copies.current.as_ref().filter(|current| current.state.serial == state.serial)
        && head(&current.state, &current.runs) != head(state, &content.runs)
    {
        let what = format!("it differs from the database at the same serial {}", state.serial);
        return Err(StoreError::Damaged { path: export::current(folder), what });
    }
    let open = match content.events.first() {
        Some(Event::Begin(header)) => Some(OpenRun::of(header)),
        _ => None,
    };
    let announced = copies.current.as_ref().and_then(|current| current.open_run.clone());
    let lost = announced.clone().filter(|run| open.is_none() && run.number > state.last_run);
    if let Some(lost) = &lost {
        warnings.push(lost_journal(lost));
    }
    let exported =
        copies.current.as_ref().is_some_and(|current| current.state.serial == state.serial && current.open_run == open);
    Ok(Mended { database, content, lost, exported })
}

fn put_back(copies: &Copies, place: &Path, have: u64) -> StoreError {
    let (path, seen) = match &copies.kept {
        Some((path, export)) => (path.clone(), export.state.serial),
        None => (place.to_owned(), have),
    };
    StoreError::Older { path: place.to_owned(), have, seen, newest: path }
}

fn rebuild(folder: &Path, database: Database, copy: &Export, warnings: &mut Vec<String>) -> Result<Mended, StoreError> {
    drop(database);
    let content = Content { state: copy.state.clone(), runs: copy.runs.clone(), events: Vec::new() };
    let lost = copy.open_run.clone().filter(|run| run.number > copy.state.last_run);
    if let Some(lost) = &lost {
        warnings.push(lost_journal(lost));
    }
    let database = fresh(folder, &content)?;
    Ok(Mended { database, content, lost, exported: false })
}

/// Puts a new database with this content in the place of whatever is there.
pub(super) fn fresh(folder: &Path, content: &Content) -> Result<Database, StoreError> {
    database::remove(folder)?;
    let (mut database, _) = Database::open(folder).map_err(|fault| fault.at(folder))?;
    database.replace(&State::default(), &content.state, &content.runs, 0).map_err(|fault| fault.at(folder))?;
    Ok(database)
}

/// Returns the latest that is known of a state, in whatever copy; refuses while a run is open.
pub(super) fn last_seen(folder: &Path, lineage: &str) -> Result<Option<Seen>, StoreError> {
    let mut seen: Option<Seen> = None;
    let mut take = |state: &State| {
        if state.lineage == lineage {
            let before = seen.unwrap_or(Seen { serial: 0, last_run: 0 });
            seen =
                Some(Seen { serial: before.serial.max(state.serial), last_run: before.last_run.max(state.last_run) });
        }
    };
    if database::place(folder).exists() {
        match Database::open(folder) {
            Ok((_, Some(content))) => {
                if let Some(Event::Begin(header)) = content.events.first() {
                    return Err(StoreError::OpenRun { number: header.run });
                }
                take(&content.state);
            }
            Err(fault @ Fault::Newer(_)) => return Err(fault.at(folder)),
            // A damaged database is what an import is for.
            Ok((_, None)) | Err(_) => {}
        }
    }
    let copies = Copies::find(folder, &mut Vec::new())?;
    for export in copies.current.iter().chain(copies.kept.as_ref().map(|(_, export)| export)) {
        take(&export.seen());
    }
    Ok(seen)
}

/// Takes into the state that a run was begun, and returns what the history says of it: nothing more is known.
pub(super) fn record_lost(state: &mut State, lost: &OpenRun) -> RunRecord {
    state.lineage.clone_from(&lost.lineage);
    state.last_run = state.last_run.max(lost.number);
    state.serial += 1;
    RunRecord {
        activations: Vec::new(),
        number: lost.number,
        command: lost.command.clone(),
        by: lost.by.clone(),
        started: lost.started.clone(),
        finished: lost.started.clone(),
        result: RunResult::Stuck,
        changes: std::collections::BTreeMap::new(),
    }
}

pub(super) fn lost_journal(lost: &OpenRun) -> String {
    format!(
        "The journal of run {} (`{}`, begun {} by {}) is lost, so it cannot be settled. What it changed shows in the \
         next plan; the originals of what it newly managed are in the hosts' ledgers, and the plan takes them from \
         there.",
        lost.number, lost.command, lost.started, lost.by
    )
}

impl Fault {
    /// Returns the fault as an error about the database in a folder.
    pub(super) fn at(self, folder: &Path) -> StoreError {
        let path = database::place(folder);
        match self {
            Self::Damaged(what) => StoreError::Damaged { path, what },
            Self::Newer(found) => StoreError::Newer { path, found: found.into(), known: record::VERSION.into() },
            Self::Io(source) => StoreError::Io { what: "use the database", path, source },
        }
    }
}
