//! The plain export: the versioned interface of the state, its truth for disasters, and all that `plan` reads. Files
//! are written atomically; the last few are kept under their serial.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tune_core::Address;
use tune_core::item::{HostId, ItemId};
use tune_core::journal::Header;
use tune_core::state::{Record, RunRecord, State};

use super::StoreError;
use super::mirror::{HostText, ItemText, Nonsense, ResourceText, RunText, address};

/// The version of the format that this program writes, and the newest that it reads.
pub(super) const VERSION: u32 = 1;

/// How many exports are kept under their serial.
const GENERATIONS: usize = 5;

/// How files begin that are not finished yet.
const UNFINISHED: &str = ".unfinished-";

/// What the plain export holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Export {
    /// The state after the latest finished run.
    pub state: State,
    /// The finished runs, oldest first.
    pub runs: Vec<RunRecord>,
    /// The run that was under way when it was written.
    pub open_run: Option<OpenRun>,
}

/// A run that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenRun {
    /// Its number.
    pub number: u64,
    /// Its command.
    pub command: String,
    /// Who runs it: `user@machine`.
    pub by: String,
    /// When it began, in RFC 3339.
    pub started: String,
    /// The state that it works on. For the first run of all, nothing but the hosts' ledgers says it otherwise.
    pub lineage: String,
}

impl Export {
    /// Returns the state as a plan sees it: what an open run has left on the hosts so far is this state's own.
    pub fn seen(&self) -> State {
        let mut state = self.state.clone();
        if let Some(run) = &self.open_run {
            state.lineage.clone_from(&run.lineage);
            state.last_run = state.last_run.max(run.number);
        }
        state
    }
}

impl OpenRun {
    pub(super) fn of(header: &Header) -> Self {
        Self {
            number: header.run,
            command: header.command.clone(),
            by: header.by.clone(),
            started: header.started.clone(),
            lineage: header.lineage.clone(),
        }
    }
}

/// The state of tune: what every managed item was before, and what was last applied.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "tune state")]
pub(crate) struct Document {
    /// The version of this format.
    version: u32,
    /// SHA-256 of `state` as compact JSON. An edited file is refused; without this line it is taken as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    /// The run that was under way when this was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_run: Option<OpenRun>,
    /// The state after the latest finished run.
    state: Content,
}

/// Everything that is remembered between runs.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Content {
    /// Names this state among all states; empty before the first apply.
    lineage: String,
    /// Grows with every change of the state.
    serial: u64,
    /// The number of the latest run.
    last_run: u64,
    /// Adopted machines, by their id.
    hosts: BTreeMap<String, HostText>,
    /// Resources that own items, by address.
    resources: BTreeMap<String, ResourceText>,
    /// Managed items.
    items: Vec<ItemText>,
    /// Rollouts that are paused, with the time in RFC 3339 until which each one rests.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    soaks: BTreeMap<String, String>,
    /// Finished runs, oldest first.
    runs: Vec<RunText>,
}

/// Only what every version of the format has.
#[derive(Debug, Deserialize)]
struct Versioned {
    version: u32,
}

/// Returns the JSON Schema of the export.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Document).to_value()
}

/// Returns an export as text.
pub fn print_export(export: &Export) -> String {
    let document = document(export);
    let mut text = serde_json::to_string_pretty(&document).expect("an export has string keys and no failing parts");
    text.push('\n');
    text
}

/// Returns an export as it is written down, for a document that holds one.
pub(crate) fn document(export: &Export) -> Document {
    let content = content(&export.state, &export.runs);
    Document { version: VERSION, head: Some(digest(&content)), open_run: export.open_run.clone(), state: content }
}

/// Reads an export from a text, as `state import` and `state export` exchange it; `path` is for messages.
pub fn parse_export(path: &Path, text: &str) -> Result<Export, StoreError> {
    let damaged = |what: String| StoreError::Damaged { path: path.to_owned(), what };
    let Versioned { version } = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    if version > VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found: version, known: VERSION });
    }
    let document: Document = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    parse_document(path, document)
}

/// Returns what a document says, where it holds together.
pub(crate) fn parse_document(path: &Path, document: Document) -> Result<Export, StoreError> {
    let damaged = |what: String| StoreError::Damaged { path: path.to_owned(), what };
    if document.version > VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found: document.version, known: VERSION });
    }
    if document.head.is_some_and(|head| head != digest(&document.state)) {
        return Err(damaged("its content does not match its checksum `head`".to_owned()));
    }
    let (state, runs) = read(document.state).map_err(|Nonsense(what)| damaged(what))?;
    Ok(Export { state, runs, open_run: document.open_run })
}

/// Returns what tells two states with the same serial apart.
pub(super) fn head(state: &State, runs: &[RunRecord]) -> String {
    digest(&content(state, runs))
}

fn content(state: &State, runs: &[RunRecord]) -> Content {
    Content {
        lineage: state.lineage.clone(),
        serial: state.serial,
        last_run: state.last_run,
        hosts: state.hosts.iter().map(|(id, host)| (id.0.clone(), host.into())).collect(),
        resources: state.resources.iter().map(|(name, record)| (name.to_string(), record.into())).collect(),
        items: state.items.iter().map(ItemText::from).collect(),
        soaks: soaks(state),
        runs: runs.iter().map(RunText::from).collect(),
    }
}

/// Returns the paused rollouts as they are written.
pub(super) fn soaks(state: &State) -> BTreeMap<String, String> {
    state.soaks.iter().map(|(rollout, until)| (rollout.to_string(), until.clone())).collect()
}

/// Returns the paused rollouts that were written.
pub(super) fn read_soaks(soaks: BTreeMap<String, String>) -> Result<BTreeMap<Address, String>, Nonsense> {
    soaks.into_iter().map(|(rollout, until)| Ok((address(&rollout)?, until))).collect()
}

fn digest(content: &Content) -> String {
    let json = serde_json::to_vec(content).expect("an export has string keys and no failing parts");
    crate::clock::hexadecimal(&Sha256::digest(&json))
}

/// Reads the content and makes sure that it holds together: every item has its machine and its resource.
fn read(content: Content) -> Result<(State, Vec<RunRecord>), Nonsense> {
    let mut state =
        State { lineage: content.lineage, serial: content.serial, last_run: content.last_run, ..State::default() };
    state.soaks = read_soaks(content.soaks)?;
    for (id, host) in content.hosts {
        state.hosts.insert(HostId(id), host.try_into()?);
    }
    for (name, record) in content.resources {
        state.resources.insert(address(&name)?, record.try_into()?);
    }
    for item in content.items {
        let (id, record): (ItemId, Record) = item.try_into()?;
        if !state.hosts.contains_key(&id.host) {
            return Err(Nonsense(format!("`{}` is on a host that it does not name, `{}`", id.key, id.host)));
        }
        if !state.resources.contains_key(&record.owner) {
            return Err(Nonsense(format!(
                "`{}` belongs to a resource that it does not name, `{}`",
                id.key, record.owner
            )));
        }
        if let Some((_, twice)) = state.items.insert(id.clone(), record).map(|record| (id, record)) {
            return Err(Nonsense(format!("an item of `{}` is there twice", twice.owner)));
        }
    }
    let runs = content.runs.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
    Ok((state, runs))
}

/// Writes the export, and once more under its serial when a run or a command changed the state.
pub(super) fn write(folder: &Path, export: &Export) -> Result<(), StoreError> {
    let text = print_export(export);
    if export.open_run.is_none() && export.state.serial > 0 {
        write_atomically(&generation(folder, export.state.serial), text.as_bytes())?;
    }
    write_atomically(&current(folder), text.as_bytes())?;
    for (_, path) in generations(folder)?.into_iter().rev().skip(GENERATIONS) {
        fs::remove_file(&path).map_err(|source| StoreError::Io { what: "remove", path, source })?;
    }
    Ok(())
}

/// Reads one export file; `None` if there is none.
pub(super) fn read_file(path: &Path) -> Result<Option<Export>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes)
                .map_err(|error| StoreError::Damaged { path: path.to_owned(), what: error.utf8_error().to_string() })?;
            parse_export(path, &text).map(Some)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { what: "read", path: path.to_owned(), source }),
    }
}

pub(super) fn current(folder: &Path) -> PathBuf {
    folder.join("state.json")
}

fn generation(folder: &Path, serial: u64) -> PathBuf {
    folder.join(format!("state.{serial}.json"))
}

/// Returns the exports that are kept under their serial, oldest first.
pub(super) fn generations(folder: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    for path in entries(folder)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let serial = name.strip_prefix("state.").and_then(|rest| rest.strip_suffix(".json"));
        if let Some(serial) = serial.and_then(|serial| serial.parse().ok()) {
            found.push((serial, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Removes what a killed process did not finish writing.
pub(super) fn clear_unfinished(folder: &Path) -> Result<(), StoreError> {
    for path in entries(folder)? {
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED)) {
            fs::remove_file(&path).map_err(|source| StoreError::Io { what: "remove", path, source })?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>();
    read().map_err(|source| StoreError::Io { what: "read", path: folder.to_owned(), source })
}

/// The file is there as a whole or as it was before, even after a loss of power.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = path.parent().expect("an export is in a folder");
    let write = || {
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| StoreError::Io { what: "write", path: path.to_owned(), source })
}
