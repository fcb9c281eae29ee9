//! A saved plan as a file: a line with the version, the key that it was sealed with and the seal, then JSON. The seal is
//! looked at before anything else is, so what is read is what was written.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::Value as Json;
use tune_core::Address;
use tune_core::problem::Code;

use super::SavedPlan;
use crate::error::{SAVED_PLAN_DAMAGED, SAVED_PLAN_FOREIGN};
use crate::file;
use crate::store::{Key, StoreError, key};

/// The version of the format that this program writes, and the only one that it reads.
const VERSION: u32 = 1;

/// How every file begins, whatever its version.
const BEGINNING: &str = "tune-plan ";

/// A saved plan is never larger than this, in bytes; larger files are refused before they are read.
pub const LARGEST: u64 = 256 << 20;

/// What the seal is for.
const PURPOSE: &str = "saved plan";

/// Why a saved plan cannot be used. Nothing has been looked at, and nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum SavedPlanError {
    /// The disk refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is too large to be one, or to become one.
    #[error("a saved plan is never larger than {} MiB", LARGEST >> 20)]
    TooLarge,
    /// It is something else.
    #[error("it is no plan that `tune plan -out` saved")]
    Other,
    /// A file is there that no plan was saved in.
    #[error("a file is there that is no saved plan, and it is not overwritten")]
    InTheWay,
    /// The format is another one.
    #[error("it is in version {found} of its format, and this program knows version {VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// It was sealed with another key.
    #[error("it was saved with the key of another state")]
    OtherKey,
    /// The seal does not fit the content.
    #[error("it was changed or cut off after it was saved: its seal is broken")]
    Seal,
    /// The seal is unbroken, and the content is not what this program writes.
    #[error("what it says makes no sense: {0}")]
    Nonsense(String),
}

impl SavedPlanError {
    /// Returns the stable code; `None` where the disk refused.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Store(_) | Self::InTheWay => None,
            Self::Version { .. } | Self::OtherKey => Some(SAVED_PLAN_FOREIGN),
            Self::TooLarge | Self::Other | Self::Seal | Self::Nonsense(_) => Some(SAVED_PLAN_DAMAGED),
        }
    }
}

/// Returns the JSON Schema of a saved plan, without its first line.
pub fn schema() -> Json {
    schemars::schema_for!(SavedPlan).to_value()
}

/// Returns a plan as it is saved.
pub fn print(plan: &SavedPlan, key: &Key) -> Vec<u8> {
    let body = serde_json::to_string_pretty(plan).expect("a saved plan has string keys and no failing parts") + "\n";
    seal(body.as_bytes(), key)
}

/// Returns a text with the line before it that seals it.
pub fn seal(body: &[u8], key: &Key) -> Vec<u8> {
    let head = head(key);
    let seal = key.digest(PURPOSE, &[head.as_bytes(), body].concat());
    [head.as_bytes(), seal.as_bytes(), b"\n", body].concat()
}

/// Returns the first line up to the seal, which covers it too.
fn head(key: &Key) -> String {
    format!("{BEGINNING}{VERSION} key={} seal=", key.id())
}

/// Reads a saved plan. Takes no longer, and no more memory, than its size allows.
pub fn parse(bytes: &[u8], key: &Key) -> Result<SavedPlan, SavedPlanError> {
    let line = bytes.iter().take(200).position(|byte| *byte == b'\n').ok_or(SavedPlanError::Other)?;
    let first = std::str::from_utf8(&bytes[..line]).map_err(|_| SavedPlanError::Other)?;
    let rest = first.strip_prefix(BEGINNING).ok_or(SavedPlanError::Other)?;
    let (version, _) = rest.split_once(' ').ok_or(SavedPlanError::Other)?;
    if version != VERSION.to_string() {
        let found = version.parse().map_err(|_| SavedPlanError::Other)?;
        return Err(SavedPlanError::Version { found });
    }
    let head = head(key);
    let seal = first.strip_prefix(&head).ok_or(SavedPlanError::OtherKey)?;
    let seal = key::bytes(seal).ok_or(SavedPlanError::Seal)?;
    let body = &bytes[line + 1..];
    if !key.is_digest(&seal, PURPOSE, &[head.as_bytes(), body].concat()) {
        return Err(SavedPlanError::Seal);
    }
    let plan: SavedPlan = serde_json::from_slice(body).map_err(|error| SavedPlanError::Nonsense(error.to_string()))?;
    let order = &plan.promise.order;
    for text in order.target.iter().chain(&order.exclude).chain(&order.skip_gate) {
        let parsed: Result<Address, _> = text.parse();
        parsed.map_err(|_| SavedPlanError::Nonsense(format!("`{text}` is not an address")))?;
    }
    Ok(plan)
}

/// Reads a saved plan from a file, which is not waited for: a pipe or a device is none.
pub fn read(path: &Path, key: &Key) -> Result<SavedPlan, SavedPlanError> {
    let failed = |source| StoreError::Io { what: "read", path: path.to_owned(), source };
    let found = std::fs::metadata(path).map_err(failed)?;
    if found.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()).into());
    }
    if !found.is_file() {
        return Err(SavedPlanError::Other);
    }
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(failed)?.take(LARGEST + 1);
    if found.len() > LARGEST || file.read_to_end(&mut bytes).map_err(failed)? as u64 > LARGEST {
        return Err(SavedPlanError::TooLarge);
    }
    parse(&bytes, key)
}

/// Fails if a plan cannot be saved here: what is there is neither a saved plan nor an empty file.
pub fn check(path: &Path) -> Result<(), SavedPlanError> {
    let path = file::check(path)?;
    let mut beginning = Vec::new();
    match File::open(&path) {
        Ok(file) => {
            let read = file.take(BEGINNING.len() as u64).read_to_end(&mut beginning);
            read.map_err(|source| StoreError::Io { what: "read", path, source })?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(StoreError::Io { what: "write", path, source }.into()),
    }
    if beginning.is_empty() || beginning == BEGINNING.as_bytes() { Ok(()) } else { Err(SavedPlanError::InTheWay) }
}

/// Saves a plan in a file that only its owner may read, in the place of one that was saved there before.
pub fn write(path: &Path, plan: &SavedPlan, key: &Key) -> Result<(), SavedPlanError> {
    check(path)?;
    let bytes = print(plan, key);
    if bytes.len() as u64 > LARGEST {
        return Err(SavedPlanError::TooLarge);
    }
    Ok(file::write(path, &bytes)?)
}
