//! The database: sled, as a fast index that may be thrown away. Its own `flush` does not reach the disk on Linux, it
//! may not open after a crash, and it reads a damaged page only when asked for it; each of the three is guarded
//! against here.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sled::transaction::{ConflictableTransactionError, TransactionError, Transactional as _};
use sled::{Batch, Db, Tree};
use tune_core::Address;
use tune_core::item::HostId;
use tune_core::journal::{Event, replay};
use tune_core::state::{RunRecord, State};

use super::StoreError;
use super::events::{self, FIRST, Link};
use super::export::{head, read_soaks, soaks};
use super::mirror::{HostText, ItemText, Nonsense, ResourceText, RunText, address};
use super::record::{self, Unusable};

/// Memory for pages, in bytes.
const CACHE: u64 = 64 << 20;

/// What the database holds.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) state: State,
    pub(super) runs: Vec<RunRecord>,
    /// The journal of the open run; empty if there is none.
    pub(super) events: Vec<Event>,
}

/// Why the database cannot be used.
#[derive(Debug)]
pub(super) enum Fault {
    /// What it holds is not what was written.
    Damaged(String),
    /// A newer program wrote it.
    Newer(u8),
    /// The disk refused.
    Io(io::Error),
}

#[derive(Debug)]
pub(super) struct Database {
    folder: PathBuf,
    db: Db,
    /// What the state is called; how often the database was opened.
    meta: Tree,
    hosts: Tree,
    resources: Tree,
    items: Tree,
    runs: Tree,
    journal: Tree,
    /// The journal's last entry.
    entries: u64,
    link: Link,
    /// Where sled writes, once it and its folder have reached the disk.
    log: Option<File>,
    /// Blobs that have reached the disk.
    synced: BTreeSet<OsString>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Title {
    lineage: String,
    serial: u64,
    last_run: u64,
    head: String,
    #[serde(default)]
    soaks: BTreeMap<String, String>,
}

/// How often a database that is not let go yet is tried again.
const PATIENCE: usize = 200;

const TITLE: &[u8] = b"title";
const OPENED: &[u8] = b"opened";

impl Database {
    /// Opens the database in a folder and reads all of it, so that damage shows now; `None` if it is new.
    pub(super) fn open(folder: &Path) -> Result<(Self, Option<Content>), Fault> {
        // Some damage makes sled panic where it should complain.
        catch_unwind(AssertUnwindSafe(|| {
            let mut database = Self::connect(folder)?;
            let content = database.read()?;
            Ok((database, content))
        }))
        .unwrap_or_else(|_| Err(Fault::Damaged("the database gave up while it was read".to_owned())))
    }

    fn connect(folder: &Path) -> Result<Self, Fault> {
        let path = place(folder);
        let config =
            sled::Config::new().path(&path).mode(sled::Mode::LowSpace).flush_every_ms(None).cache_capacity(CACHE);
        let db = open_when_free(&config)?;
        Ok(Self {
            meta: db.open_tree("meta")?,
            hosts: db.open_tree("hosts")?,
            resources: db.open_tree("resources")?,
            items: db.open_tree("items")?,
            runs: db.open_tree("runs")?,
            journal: db.open_tree("journal")?,
            folder: path,
            db,
            entries: 0,
            link: FIRST,
            log: None,
            synced: BTreeSet::new(),
        })
    }

    fn read(&mut self) -> Result<Option<Content>, Fault> {
        let Some(title) = self.meta.get(TITLE)? else { return Ok(None) };
        let title: Title = record::open(&title)?;
        let mut state =
            State { lineage: title.lineage, serial: title.serial, last_run: title.last_run, ..State::default() };
        state.soaks = read_soaks(title.soaks)?;
        for (id, host) in values::<(String, HostText)>(&self.hosts)? {
            state.hosts.insert(HostId(id), host.try_into()?);
        }
        for (name, resource) in values::<(String, ResourceText)>(&self.resources)? {
            state.resources.insert(address(&name)?, resource.try_into()?);
        }
        for item in values::<ItemText>(&self.items)? {
            let (id, record) = item.try_into()?;
            state.items.insert(id, record);
        }
        let mut runs = Vec::new();
        for run in values::<RunText>(&self.runs)? {
            runs.push(run.try_into()?);
        }
        if head(&state, &runs) != title.head {
            return Err(Fault::Damaged("records are missing".to_owned()));
        }
        let events = self.read_journal()?;
        Ok(Some(Content { state, runs, events }))
    }

    fn read_journal(&mut self) -> Result<Vec<Event>, Fault> {
        let mut read = Vec::new();
        for (position, entry) in self.journal.iter().enumerate() {
            let (key, value) = entry?;
            if key.as_ref() != (position as u64).to_be_bytes() {
                return Err(Fault::Damaged("an entry of the journal is missing".to_owned()));
            }
            let (event, link) = events::event(&value, &self.link)?;
            read.push(event);
            self.link = link;
            self.entries = position as u64 + 1;
        }
        if !read.is_empty() {
            replay(&read).map_err(|disorder| Fault::Damaged(disorder.to_string()))?;
        }
        Ok(read)
    }

    /// Counts one more opening and returns how many there were.
    pub(super) fn count_opening(&mut self) -> Result<u64, Fault> {
        let before: u64 = match self.meta.get(OPENED)? {
            Some(bytes) => record::open(&bytes)?,
            None => 0,
        };
        self.meta.insert(OPENED, record::seal(&(before + 1)))?;
        self.durable()?;
        Ok(before + 1)
    }

    /// Appends to the journal; durable when it returns.
    pub(super) fn append(&mut self, events: &[Event]) -> Result<(), Fault> {
        let (mut entries, mut link) = (self.entries, self.link);
        let mut batch = Batch::default();
        for event in events {
            let (bytes, next) = events::entry(event, &link);
            batch.insert(&entries.to_be_bytes(), bytes);
            link = next;
            entries += 1;
        }
        self.journal.apply_batch(batch)?;
        self.durable()?;
        (self.entries, self.link) = (entries, link);
        Ok(())
    }

    /// Replaces `old` by `new` and empties the journal, in one transaction; durable when it returns. Finished runs never
    /// change: of `runs`, all that there are, those up to `known` are in the database already.
    pub(super) fn replace(&mut self, old: &State, new: &State, runs: &[RunRecord], known: usize) -> Result<(), Fault> {
        let title = Title {
            lineage: new.lineage.clone(),
            serial: new.serial,
            last_run: new.last_run,
            head: head(new, runs),
            soaks: soaks(new),
        };
        let (hosts, resources, items) = (hosts(old, new), resources(old, new), items(old, new));
        let runs = self::runs(&runs[known..]);
        let mut journal = Batch::default();
        for entry in 0..self.entries {
            journal.remove(&entry.to_be_bytes());
        }
        let trees = (&self.meta, &self.hosts, &self.resources, &self.items, &self.runs, &self.journal);
        trees
            .transaction(|(in_meta, in_hosts, in_resources, in_items, in_runs, in_journal)| {
                in_meta.insert(TITLE, record::seal(&title))?;
                in_hosts.apply_batch(&hosts)?;
                in_resources.apply_batch(&resources)?;
                in_items.apply_batch(&items)?;
                in_runs.apply_batch(&runs)?;
                in_journal.apply_batch(&journal)?;
                Ok::<(), ConflictableTransactionError<()>>(())
            })
            .map_err(|error| match error {
                TransactionError::Storage(error) => Fault::from(error),
                TransactionError::Abort(()) => Fault::Damaged("a transaction was given up".to_owned()),
            })?;
        self.durable()?;
        (self.entries, self.link) = (0, FIRST);
        Ok(())
    }

    /// What sled calls flushed is in the page cache only, so its files are synced here.
    fn durable(&mut self) -> Result<(), Fault> {
        self.db.flush()?;
        self.sync().map_err(Fault::Io)
    }

    /// The log is one file, made when the database is opened. A blob is written once, whole, under a name that is never
    /// used again.
    fn sync(&mut self) -> io::Result<()> {
        if let Some(log) = &self.log {
            log.sync_data()?;
        } else {
            let log = File::open(self.folder.join("db"))?;
            log.sync_all()?;
            File::open(&self.folder)?.sync_all()?;
            self.log = Some(log);
        }
        let blobs = self.folder.join("blobs");
        if blobs.is_dir() {
            let mut found = BTreeSet::new();
            for blob in fs::read_dir(&blobs)? {
                found.insert(blob?.file_name());
            }
            for name in found.difference(&self.synced) {
                File::open(blobs.join(name))?.sync_all()?;
            }
            if found != self.synced {
                File::open(&blobs)?.sync_all()?;
                self.synced = found;
            }
        }
        Ok(())
    }
}

/// A database that this process has just closed is let go a moment later; nobody else opens it, because our own lock is
/// held.
fn open_when_free(config: &sled::Config) -> Result<Db, Fault> {
    for _ in 0..PATIENCE {
        match config.open() {
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            opened => return Ok(opened?),
        }
    }
    Ok(config.open()?)
}

pub(super) fn place(folder: &Path) -> PathBuf {
    folder.join("db")
}

/// Copies the database aside, as evidence; returns where to.
pub(super) fn copy_aside(folder: &Path) -> Result<PathBuf, StoreError> {
    let mut number = 1;
    while folder.join(format!("damaged-{number}")).exists() {
        number += 1;
    }
    let aside = folder.join(format!("damaged-{number}"));
    copy(&place(folder), &aside).map_err(|source| StoreError::Io {
        what: "copy the damaged database to",
        path: aside.clone(),
        source,
    })?;
    Ok(aside)
}

/// Removes sled's snapshots: an unfinished one keeps the database from opening, and they are rebuilt from its log.
pub(super) fn remove_snapshots(folder: &Path) -> Result<(), StoreError> {
    let path = place(folder);
    let remove = || {
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("snap.") {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    remove().map_err(|source| StoreError::Io { what: "mend", path: path.clone(), source })
}

/// Removes the database.
pub(super) fn remove(folder: &Path) -> Result<(), StoreError> {
    let path = place(folder);
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::Io { what: "remove", path, source: error })
        }
        _ => Ok(()),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn values<T: serde::de::DeserializeOwned>(tree: &Tree) -> Result<Vec<T>, Fault> {
    tree.iter().map(|entry| Ok(record::open(&entry?.1)?)).collect()
}

fn hosts(old: &State, new: &State) -> Batch {
    let mut batch = Batch::default();
    for id in old.hosts.keys().filter(|id| !new.hosts.contains_key(id)) {
        batch.remove(id.0.as_bytes());
    }
    for (id, host) in new.hosts.iter().filter(|(id, host)| old.hosts.get(id) != Some(host)) {
        batch.insert(id.0.as_bytes(), record::seal(&(&id.0, HostText::from(host))));
    }
    batch
}

fn resources(old: &State, new: &State) -> Batch {
    let key = |name: &Address| name.to_string().into_bytes();
    let mut batch = Batch::default();
    for name in old.resources.keys().filter(|name| !new.resources.contains_key(name)) {
        batch.remove(key(name));
    }
    for (name, record) in new.resources.iter().filter(|(name, record)| old.resources.get(name) != Some(record)) {
        batch.insert(key(name), record::seal(&(name.to_string(), ResourceText::from(record))));
    }
    batch
}

fn items(old: &State, new: &State) -> Batch {
    let key = |id: &tune_core::item::ItemId| {
        serde_json::to_vec(&(&id.host.0, &id.kind, &id.key.0)).expect("three texts are always JSON")
    };
    let mut batch = Batch::default();
    for id in old.items.keys().filter(|id| !new.items.contains_key(id)) {
        batch.remove(key(id));
    }
    for (id, record) in new.items.iter().filter(|(id, record)| old.items.get(id) != Some(record)) {
        batch.insert(key(id), record::seal(&ItemText::from((id, record))));
    }
    batch
}

fn runs(added: &[RunRecord]) -> Batch {
    let mut batch = Batch::default();
    for run in added {
        batch.insert(&run.number.to_be_bytes(), record::seal(&RunText::from(run)));
    }
    batch
}

impl From<sled::Error> for Fault {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => Self::Io(error),
            damage => Self::Damaged(damage.to_string()),
        }
    }
}

impl From<Unusable> for Fault {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Damaged(what) => Self::Damaged(format!("{what} is not as it was written")),
            Unusable::Newer(version) => Self::Newer(version),
        }
    }
}

impl From<Nonsense> for Fault {
    fn from(Nonsense(what): Nonsense) -> Self {
        Self::Damaged(what)
    }
}
