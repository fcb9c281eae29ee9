//! The state as it is written down: the export's format, which the database's records share. The core's own types are
//! not serialised, so that they may change without changing a file on anybody's disk.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tune_core::Address;
use tune_core::activation::{Activation, Verb};
use tune_core::item::{Change, FileState, HostId, ItemId, ItemKey, Raw};
use tune_core::resource::{Api, Become, SshDestination, Transport};
use tune_core::state::{HostRecord, Original, Record, ResourceRecord, RunActivation, RunChange, RunRecord, RunResult};

/// What is written cannot be a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Nonsense(pub(crate) String);

/// An item's restorable form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawText {
    /// Known not to exist.
    Absent,
    /// A value, as the system printed it.
    Text(String),
    /// A regular file.
    File(FileText),
}

/// A regular file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FileText {
    #[serde(flatten)]
    content: Content,
    /// Permission bits in octal.
    mode: String,
    /// Numeric owner.
    uid: u32,
    /// Numeric group.
    gid: u32,
}

/// All bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Content {
    /// As text.
    Text(String),
    /// In base64, where they are not UTF-8.
    Base64(String),
}

/// How a machine was reached and recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct HostText {
    /// Its name in the configuration when it was last seen.
    address: String,
    /// How it was reached.
    connection: TransportText,
    /// How commands got their privileges.
    #[serde(rename = "become", default, skip_serializing_if = "Option::is_none")]
    become_: Option<BecomeText>,
    /// Its `/etc/machine-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    machine_id: Option<String>,
    /// SHA-256 fingerprints of its ssh host keys.
    host_keys: BTreeSet<String>,
}

/// How commands reach a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum TransportText {
    /// A shell on the machine that runs `tune`.
    Local,
    /// The system's OpenSSH client.
    Ssh(SshText),
    /// An API.
    Api(ApiText),
}

/// An API, without any credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct ApiText {
    /// The provider that talks to it.
    provider: String,
    /// Where it answers.
    endpoint: String,
}

/// What is handed to OpenSSH.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct SshText {
    /// The destination.
    address: String,
    /// The remote user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The remote port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// An ssh configuration file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<String>,
}

/// How commands get their privileges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum BecomeText {
    /// Through `sudo -n`.
    Sudo,
}

/// What must be known of a resource when its block is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct ResourceText {
    /// The machine that it lives on.
    host: String,
    /// Resources that it depended on.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    depends_on: BTreeSet<String>,
    /// Whether reverting it is refused.
    #[serde(default, skip_serializing_if = "is_false")]
    prevent_revert: bool,
    /// The host that is down while it is activated, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guest: Option<String>,
}

/// A managed item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct ItemText {
    /// The machine.
    host: String,
    /// The kind.
    kind: String,
    /// The item among all of its kind there.
    key: String,
    /// The resource that owns it.
    owner: String,
    /// What was there before it was first managed.
    original: OriginalText,
    /// What was last applied.
    applied: RawText,
    /// The run that rolled it back, until it is applied again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rolled_back_in: Option<u64>,
    /// What was not seen to take place since it was put back: until then the running system may use what was there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    owes: Vec<ActivationText>,
}

/// What was there first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OriginalText {
    /// Read before the first apply that managed the item.
    Known {
        /// Its restorable form.
        value: RawText,
        /// What the next boot would have yielded, with its source.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_boot: Option<String>,
        /// The run that recorded it.
        run: u64,
        /// When, in RFC 3339.
        time: String,
    },
    /// Lost.
    Unknown,
}

/// What one finished run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct RunText {
    /// Its number, counted from 1.
    pub(super) number: u64,
    /// What was run.
    command: String,
    /// Who ran it.
    by: String,
    /// When it began, in RFC 3339.
    started: String,
    /// When it ended, in RFC 3339.
    finished: String,
    /// How it ended.
    result: ResultText,
    /// What it changed and left changed.
    changes: Vec<ChangeText>,
    /// What it activated, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    activations: Vec<RunActivationText>,
}

/// One activation of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct RunActivationText {
    /// The machine or API that did it.
    host: String,
    #[serde(flatten)]
    activation: ActivationText,
    /// How long it took until it was back, in seconds; missing where it was never seen to be back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
}

/// An activation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct ActivationText {
    /// What is done: `boot_image`, `reload`, `restart`, `reboot` or `power_cycle`.
    verb: String,
    /// To what, where that is not the whole machine.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    subject: String,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ResultText {
    /// Everything that was planned is done.
    Done,
    /// Something failed; everything that the run did is undone.
    Undone,
    /// Something failed and was put back; the rest is done.
    Partial,
    /// It rests between two batches of a rollout.
    Paused,
    /// An undo could not be completed, or an outcome is not known.
    Stuck,
}

/// One item that a run changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct ChangeText {
    /// The machine.
    host: String,
    /// The kind.
    kind: String,
    /// The item among all of its kind there.
    key: String,
    /// The resource that owned it.
    owner: String,
    /// What was there before the run.
    before: RawText,
    /// What the run left there.
    after: RawText,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

pub(crate) fn address(text: &str) -> Result<Address, Nonsense> {
    text.parse().map_err(|_| Nonsense(format!("`{text}` is not an address")))
}

impl From<&Raw> for RawText {
    fn from(raw: &Raw) -> Self {
        match raw {
            Raw::Absent => Self::Absent,
            Raw::Text(text) => Self::Text(text.clone()),
            Raw::File(file) => Self::File(FileText {
                content: match std::str::from_utf8(&file.content) {
                    Ok(text) => Content::Text(text.to_owned()),
                    Err(_) => Content::Base64(BASE64.encode(&file.content)),
                },
                mode: format!("{:04o}", file.mode),
                uid: file.uid,
                gid: file.gid,
            }),
        }
    }
}

impl TryFrom<RawText> for Raw {
    type Error = Nonsense;

    fn try_from(text: RawText) -> Result<Self, Nonsense> {
        Ok(match text {
            RawText::Absent => Self::Absent,
            RawText::Text(text) => Self::Text(text),
            RawText::File(FileText { content, mode, uid, gid }) => {
                let content = match content {
                    Content::Text(text) => text.into_bytes(),
                    Content::Base64(text) => {
                        BASE64.decode(&text).map_err(|_| Nonsense("a file's content is not base64".to_owned()))?
                    }
                };
                let mode = u32::from_str_radix(&mode, 8)
                    .map_err(|_| Nonsense(format!("`{mode}` is not a file mode in octal")))?;
                Self::File(FileState { content, mode, uid, gid })
            }
        })
    }
}

impl From<&HostRecord> for HostText {
    fn from(record: &HostRecord) -> Self {
        Self {
            address: record.address.to_string(),
            connection: match &record.transport {
                Transport::Local => TransportText::Local,
                Transport::Ssh(SshDestination { address, user, port, config }) => TransportText::Ssh(SshText {
                    address: address.clone(),
                    user: user.clone(),
                    port: *port,
                    config: config.clone(),
                }),
                Transport::Api(Api { provider, endpoint }) => {
                    TransportText::Api(ApiText { provider: provider.clone(), endpoint: endpoint.clone() })
                }
            },
            become_: match record.become_ {
                Become::No => None,
                Become::Sudo => Some(BecomeText::Sudo),
            },
            machine_id: record.machine_id.clone(),
            host_keys: record.host_keys.clone(),
        }
    }
}

impl TryFrom<HostText> for HostRecord {
    type Error = Nonsense;

    fn try_from(text: HostText) -> Result<Self, Nonsense> {
        Ok(Self {
            address: address(&text.address)?,
            transport: match text.connection {
                TransportText::Local => Transport::Local,
                TransportText::Ssh(SshText { address, user, port, config }) => {
                    Transport::Ssh(SshDestination { address, user, port, config })
                }
                TransportText::Api(ApiText { provider, endpoint }) => Transport::Api(Api { provider, endpoint }),
            },
            become_: match text.become_ {
                None => Become::No,
                Some(BecomeText::Sudo) => Become::Sudo,
            },
            machine_id: text.machine_id,
            host_keys: text.host_keys,
        })
    }
}

impl From<&ResourceRecord> for ResourceText {
    fn from(record: &ResourceRecord) -> Self {
        Self {
            host: record.host.0.clone(),
            depends_on: record.depends_on.iter().map(ToString::to_string).collect(),
            prevent_revert: record.prevent_revert,
            guest: record.guest.as_ref().map(ToString::to_string),
        }
    }
}

impl TryFrom<ResourceText> for ResourceRecord {
    type Error = Nonsense;

    fn try_from(text: ResourceText) -> Result<Self, Nonsense> {
        Ok(Self {
            host: HostId(text.host),
            depends_on: text.depends_on.iter().map(|text| address(text)).collect::<Result<_, _>>()?,
            prevent_revert: text.prevent_revert,
            guest: text.guest.as_deref().map(address).transpose()?,
        })
    }
}

impl From<&Original> for OriginalText {
    fn from(original: &Original) -> Self {
        match original {
            Original::Known { raw, next_boot, run, time } => {
                Self::Known { value: raw.into(), next_boot: next_boot.clone(), run: *run, time: time.clone() }
            }
            Original::Unknown => Self::Unknown,
        }
    }
}

impl TryFrom<OriginalText> for Original {
    type Error = Nonsense;

    fn try_from(text: OriginalText) -> Result<Self, Nonsense> {
        Ok(match text {
            OriginalText::Known { value, next_boot, run, time } => {
                Self::Known { raw: value.try_into()?, next_boot, run, time }
            }
            OriginalText::Unknown => Self::Unknown,
        })
    }
}

impl From<(&ItemId, &Record)> for ItemText {
    fn from((id, record): (&ItemId, &Record)) -> Self {
        Self {
            host: id.host.0.clone(),
            kind: id.kind.clone(),
            key: id.key.0.clone(),
            owner: record.owner.to_string(),
            original: (&record.original).into(),
            applied: (&record.applied).into(),
            rolled_back_in: record.rolled_back_in,
            owes: record.owes.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<ItemText> for (ItemId, Record) {
    type Error = Nonsense;

    fn try_from(text: ItemText) -> Result<Self, Nonsense> {
        let id = ItemId { host: HostId(text.host), kind: text.kind, key: ItemKey(text.key) };
        let record = Record {
            owner: address(&text.owner)?,
            original: text.original.try_into()?,
            applied: text.applied.try_into()?,
            rolled_back_in: text.rolled_back_in,
            owes: text.owes.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        };
        Ok((id, record))
    }
}

impl From<&RunRecord> for RunText {
    fn from(run: &RunRecord) -> Self {
        let change = |(id, RunChange { owner, change }): (&ItemId, &RunChange)| ChangeText {
            host: id.host.0.clone(),
            kind: id.kind.clone(),
            key: id.key.0.clone(),
            owner: owner.to_string(),
            before: (&change.before).into(),
            after: (&change.after).into(),
        };
        Self {
            number: run.number,
            command: run.command.clone(),
            by: run.by.clone(),
            started: run.started.clone(),
            finished: run.finished.clone(),
            result: run.result.into(),
            changes: run.changes.iter().map(change).collect(),
            activations: run.activations.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<RunText> for RunRecord {
    type Error = Nonsense;

    fn try_from(text: RunText) -> Result<Self, Nonsense> {
        let change = |text: ChangeText| -> Result<(ItemId, RunChange), Nonsense> {
            let id = ItemId { host: HostId(text.host), kind: text.kind, key: ItemKey(text.key) };
            let change = Change { before: text.before.try_into()?, after: text.after.try_into()? };
            Ok((id, RunChange { owner: address(&text.owner)?, change }))
        };
        Ok(Self {
            number: text.number,
            command: text.command,
            by: text.by,
            started: text.started,
            finished: text.finished,
            result: text.result.into(),
            changes: text.changes.into_iter().map(change).collect::<Result<BTreeMap<_, _>, _>>()?,
            activations: text.activations.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&Activation> for ActivationText {
    fn from(activation: &Activation) -> Self {
        Self { verb: activation.verb.word().to_owned(), subject: activation.subject.clone() }
    }
}

impl TryFrom<ActivationText> for Activation {
    type Error = Nonsense;

    fn try_from(text: ActivationText) -> Result<Self, Nonsense> {
        let verb = Verb::ALL.into_iter().find(|(_, word)| *word == text.verb);
        let (verb, _) = verb.ok_or_else(|| Nonsense(format!("`{}` is not an activation", text.verb)))?;
        Ok(Self { verb, subject: text.subject })
    }
}

impl From<&RunActivation> for RunActivationText {
    fn from(run: &RunActivation) -> Self {
        Self { host: run.host.0.clone(), activation: (&run.activation).into(), seconds: run.seconds }
    }
}

impl TryFrom<RunActivationText> for RunActivation {
    type Error = Nonsense;

    fn try_from(text: RunActivationText) -> Result<Self, Nonsense> {
        Ok(Self { host: HostId(text.host), activation: text.activation.try_into()?, seconds: text.seconds })
    }
}

impl From<RunResult> for ResultText {
    fn from(result: RunResult) -> Self {
        match result {
            RunResult::Done => Self::Done,
            RunResult::Undone => Self::Undone,
            RunResult::Partial => Self::Partial,
            RunResult::Paused => Self::Paused,
            RunResult::Stuck => Self::Stuck,
        }
    }
}

impl From<ResultText> for RunResult {
    fn from(text: ResultText) -> Self {
        match text {
            ResultText::Done => Self::Done,
            ResultText::Undone => Self::Undone,
            ResultText::Partial => Self::Partial,
            ResultText::Paused => Self::Paused,
            ResultText::Stuck => Self::Stuck,
        }
    }
}
