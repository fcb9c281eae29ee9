//! A recording as it is written down: versioned JSON that a person can read, and change where a test needs another world.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tune_core::item::{ItemKey, Raw};
use tune_core::ledger::{Entries, Ledger, LedgerEntry};
use tune_core::problem::Code;
use tune_core::reading::{Facts, ItemReading, Layer, Reading, Unreachable, Unreadable};
use tune_core::{Address, Value};

use super::{Answered, Datum, HostRecording, Recording};
use crate::error::RECORDED;
use crate::store::StoreError;
use crate::store::export;
use crate::store::local::Export;
use crate::store::mirror::{Nonsense, RawText};

/// The version of the format that this program writes, and the newest that it reads.
const VERSION: u32 = 1;

/// Everything that one plan of tune looked at: what `tune test` plans against.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "A recording of tune")]
struct Document {
    /// The version of this format.
    version: u32,
    /// The boot id of the machine that ran tune.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    controller: Option<String>,
    /// What hosts and APIs answered, by name: `host.k3s["pve"]`.
    #[serde(default)]
    hosts: BTreeMap<String, HostText>,
    /// What `data` blocks asked and were answered, by name, without `data.`: `etcd.home`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    data: BTreeMap<String, DatumText>,
    /// The state that the plan was made for, as `state export` prints it; missing before the first apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<export::Document>,
}

/// One host or API.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
struct HostText {
    /// Why it could not be read; then there is nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorText>,
    /// What is true of it as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facts: Option<FactsText>,
    /// What was read, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    kinds: BTreeMap<String, ReadingText>,
}

/// What is true of a machine as a whole.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct FactsText {
    /// `/etc/machine-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    machine_id: Option<String>,
    /// The kernel's id of that boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot_id: Option<String>,
    /// SHA-256 fingerprints of its ssh host keys.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    host_keys: BTreeSet<String>,
    /// Its name for itself.
    #[serde(default)]
    hostname: String,
    /// The kernel's release.
    #[serde(default)]
    kernel: String,
    /// The user that commands ran as; 0 is root.
    #[serde(default)]
    uid: u32,
    /// The kind of container, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    container: Option<String>,
    /// Memory in KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory_kib: Option<u64>,
    /// Whether any swap was in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    swap_active: Option<bool>,
    /// What a reboot would activate that tune did not write.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    waits_for_boot: Vec<String>,
    /// What the machine carries of earlier applies; missing where the user could not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ledgers: Option<Vec<LedgerText>>,
}

/// What a host carries about itself.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct LedgerText {
    /// The state that it belongs to.
    lineage: String,
    /// The highest run that wrote it.
    epoch: u64,
    /// Who ran that.
    writer: String,
    /// The host's id in that state.
    host_id: String,
    /// What is managed.
    entries: Vec<EntryText>,
}

/// One item in a ledger.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct EntryText {
    /// The kind.
    kind: String,
    /// The item.
    key: String,
    /// The resource that owned it.
    address: String,
    /// What was there first; missing where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    original: Option<RawText>,
    /// Every value that could be tune's own.
    ours: Vec<RawText>,
}

/// All items of one kind on one host.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct ReadingText {
    /// The items.
    items: BTreeMap<String, FoundText>,
    /// Texts that the kind needs to judge a change, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    evidence: BTreeMap<String, String>,
}

/// One item.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
struct FoundText {
    /// Why it could not be read; then there is nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorText>,
    /// What an apply would overwrite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw: Option<RawText>,
    /// What the system used.
    #[serde(default, skip_serializing_if = "LayerText::is_empty")]
    running: LayerText,
    /// What tune had set to be used.
    #[serde(default, skip_serializing_if = "LayerText::is_empty")]
    configured: LayerText,
    /// What the next boot would have yielded.
    #[serde(default, skip_serializing_if = "LayerText::is_empty")]
    next_start: LayerText,
    /// Whether the user could have written it.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    writable: bool,
}

/// One layer of an item.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
struct LayerText {
    /// The value; missing where the layer says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

/// A question with its answer.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct DatumText {
    /// The attributes of the question, without secrets.
    #[serde(default)]
    asked: BTreeMap<String, Json>,
    /// The answer, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Json>,
    /// Why there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorText>,
}

/// Why something could not be read.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct ErrorText {
    /// The stable code.
    code: String,
    /// What was wrong.
    message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

/// Only what every version of the format has.
#[derive(Debug, Deserialize)]
struct Versioned {
    version: u32,
}

fn yes() -> bool {
    true
}

/// Returns the JSON Schema of a recording.
pub fn schema() -> Json {
    schemars::schema_for!(Document).to_value()
}

/// Returns a recording as text.
pub fn print(recording: &Recording) -> String {
    let document = Document {
        version: VERSION,
        controller: recording.controller.clone(),
        hosts: recording.hosts.iter().map(|(name, host)| (name.to_string(), host.into())).collect(),
        data: recording.data.iter().map(|(name, datum)| (name.to_string(), datum.into())).collect(),
        state: (recording.state != Export::default()).then(|| export::document(&recording.state)),
    };
    serde_json::to_string_pretty(&document).expect("a recording has string keys and no failing parts") + "\n"
}

/// Writes a recording: as a whole, or not at all.
pub fn write(path: &Path, recording: &Recording) -> Result<(), StoreError> {
    crate::file::write(path, print(recording).as_bytes())
}

/// Reads a recording. `known` are the codes of this program; another one, from a newer or an older program, is told
/// apart no more.
pub fn parse(path: &Path, text: &str, known: &[Code]) -> Result<Recording, StoreError> {
    let damaged = |what: String| StoreError::Damaged { path: path.to_owned(), what };
    let Versioned { version } = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    if version > VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found: version, known: VERSION });
    }
    let document: Document = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    let reading = Reader { known };
    let hosts = document.hosts.into_iter().map(|(name, host)| Ok((address(&name)?, reading.host(host)?)));
    let data = document.data.into_iter().map(|(name, datum)| Ok((address(&name)?, reading.datum(datum)?)));
    let nonsense = |Nonsense(what)| damaged(what);
    Ok(Recording {
        controller: document.controller,
        hosts: hosts.collect::<Result<_, _>>().map_err(nonsense)?,
        data: data.collect::<Result<_, _>>().map_err(nonsense)?,
        state: match document.state {
            Some(state) => export::parse_document(path, state)?,
            None => Export::default(),
        },
    })
}

fn address(name: &str) -> Result<Address, Nonsense> {
    crate::store::mirror::address(name)
}

impl From<&Answered> for HostText {
    fn from(answered: &Answered) -> Self {
        match answered {
            Ok(host) => {
                let kinds = host.kinds.iter().map(|(kind, reading)| (kind.clone(), reading.into())).collect();
                Self { facts: Some((&host.facts).into()), kinds, error: None }
            }
            Err(Unreachable { code, message, help }) => {
                Self { error: Some(ErrorText::new(*code, message, help.as_deref())), ..Self::default() }
            }
        }
    }
}

impl From<&Facts> for FactsText {
    fn from(facts: &Facts) -> Self {
        Self {
            machine_id: facts.machine_id.clone(),
            boot_id: facts.boot_id.clone(),
            host_keys: facts.host_keys.clone(),
            hostname: facts.hostname.clone(),
            kernel: facts.kernel.clone(),
            uid: facts.uid,
            container: facts.container.clone(),
            memory_kib: facts.memory_kib,
            swap_active: facts.swap_active,
            waits_for_boot: facts.waits_for_boot.clone(),
            ledgers: facts.ledgers.as_ref().map(|ledgers| ledgers.iter().map(Into::into).collect()),
        }
    }
}

impl TryFrom<FactsText> for Facts {
    type Error = Nonsense;

    fn try_from(text: FactsText) -> Result<Self, Nonsense> {
        let ledgers = |ledgers: Vec<LedgerText>| ledgers.into_iter().map(TryInto::try_into).collect();
        Ok(Self {
            machine_id: text.machine_id,
            boot_id: text.boot_id,
            host_keys: text.host_keys,
            hostname: text.hostname,
            kernel: text.kernel,
            uid: text.uid,
            container: text.container,
            memory_kib: text.memory_kib,
            swap_active: text.swap_active,
            waits_for_boot: text.waits_for_boot,
            ledgers: text.ledgers.map(ledgers).transpose()?,
        })
    }
}

impl From<&Ledger> for LedgerText {
    fn from(ledger: &Ledger) -> Self {
        let entries = ledger.entries.iter().map(|((kind, key), entry)| EntryText {
            kind: kind.clone(),
            key: key.0.clone(),
            address: entry.address.clone(),
            original: entry.original.as_ref().map(Into::into),
            ours: entry.ours.iter().map(Into::into).collect(),
        });
        Self {
            lineage: ledger.lineage.clone(),
            epoch: ledger.epoch,
            writer: ledger.writer.clone(),
            host_id: ledger.host_id.clone(),
            entries: entries.collect(),
        }
    }
}

impl TryFrom<LedgerText> for Ledger {
    type Error = Nonsense;

    fn try_from(text: LedgerText) -> Result<Self, Nonsense> {
        let mut entries = Entries::default();
        for EntryText { kind, key, address, original, ours } in text.entries {
            let original = original.map(Raw::try_from).transpose()?;
            let ours = ours.into_iter().map(Raw::try_from).collect::<Result<_, _>>()?;
            entries.insert_mut((kind, ItemKey(key)), LedgerEntry { address, original, ours });
        }
        let LedgerText { lineage, epoch, writer, host_id, .. } = text;
        Ok(Self { lineage, epoch, writer, host_id, entries })
    }
}

impl From<&Reading> for ReadingText {
    fn from(reading: &Reading) -> Self {
        let item = |item: &Result<ItemReading, Unreadable>| match item {
            Ok(found) => FoundText {
                error: None,
                raw: Some((&found.raw).into()),
                running: (&found.running).into(),
                configured: (&found.configured).into(),
                next_start: (&found.next_start).into(),
                writable: found.writable,
            },
            Err(error) => FoundText { error: Some(error.into()), writable: true, ..FoundText::default() },
        };
        Self {
            items: reading.items.iter().map(|(key, found)| (key.0.clone(), item(found))).collect(),
            evidence: BTreeMap::clone(&reading.evidence),
        }
    }
}

impl LayerText {
    fn is_empty(&self) -> bool {
        self.value.is_none() && self.source.is_none()
    }
}

impl From<&Layer> for LayerText {
    fn from(Layer { value, source }: &Layer) -> Self {
        Self { value: value.clone(), source: source.clone() }
    }
}

impl From<LayerText> for Layer {
    fn from(LayerText { value, source }: LayerText) -> Self {
        Self { value, source }
    }
}

impl From<&Datum> for DatumText {
    fn from(datum: &Datum) -> Self {
        Self {
            asked: datum.asked.iter().map(|(name, value)| (name.clone(), to_json(value))).collect(),
            answer: datum.answer.as_ref().ok().map(to_json),
            error: datum.answer.as_ref().err().map(Into::into),
        }
    }
}

impl ErrorText {
    fn new(code: Code, message: &str, help: Option<&str>) -> Self {
        Self { code: code.to_string(), message: message.to_owned(), help: help.map(str::to_owned) }
    }
}

impl From<&Unreadable> for ErrorText {
    fn from(error: &Unreadable) -> Self {
        Self::new(error.code, &error.message, error.help.as_deref())
    }
}

/// Turns what was written into what was read.
struct Reader<'a> {
    known: &'a [Code],
}

impl Reader<'_> {
    fn host(&self, host: HostText) -> Result<Answered, Nonsense> {
        if let Some(error) = host.error {
            let Unreadable { code, message, help } = self.error(error);
            return Ok(Err(Unreachable { code, message, help }));
        }
        let facts = host.facts.ok_or_else(|| Nonsense("a host has neither `facts` nor an `error`".to_owned()))?;
        let kinds = host.kinds.into_iter().map(|(kind, reading)| Ok((kind, self.reading(reading)?)));
        Ok(Ok(HostRecording { facts: facts.try_into()?, kinds: kinds.collect::<Result<_, _>>()? }))
    }

    fn reading(&self, reading: ReadingText) -> Result<Reading, Nonsense> {
        let mut items = BTreeMap::new();
        for (key, item) in reading.items {
            let found = match (item.error, item.raw) {
                (Some(error), _) => Err(self.error(error)),
                (None, Some(raw)) => Ok(ItemReading {
                    raw: raw.try_into()?,
                    running: item.running.into(),
                    configured: item.configured.into(),
                    next_start: item.next_start.into(),
                    writable: item.writable,
                }),
                (None, None) => return Err(Nonsense(format!("`{key}` has neither `raw` nor an `error`"))),
            };
            items.insert(ItemKey(key), found);
        }
        Ok(Reading { items, evidence: Arc::new(reading.evidence) })
    }

    fn datum(&self, datum: DatumText) -> Result<Datum, Nonsense> {
        let asked = datum.asked.into_iter().map(|(name, value)| Ok((name, from_json(value)?)));
        let answer = match (datum.answer, datum.error) {
            (_, Some(error)) => Err(self.error(error)),
            (answer, None) => Ok(from_json(answer.unwrap_or_default())?),
        };
        Ok(Datum { asked: asked.collect::<Result<_, _>>()?, answer })
    }

    fn error(&self, ErrorText { code, message, help }: ErrorText) -> Unreadable {
        let code = self.known.iter().copied().find(|known| known.0 == code).unwrap_or(RECORDED);
        Unreadable { code, message, help }
    }
}

/// Returns whether two questions are written down alike. A number with more digits than JSON keeps becomes a text there.
pub(super) fn is_alike(left: &BTreeMap<String, Value>, right: &BTreeMap<String, Value>) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|((a, left), (b, right))| a == b && to_json(left) == to_json(right))
}

pub(crate) fn to_json(value: &Value) -> Json {
    serde_json::to_value(value).expect("values have string keys and no failing parts")
}

fn from_json(json: Json) -> Result<Value, Nonsense> {
    Value::try_from(json).map_err(|error| Nonsense(error.to_string()))
}
