//! The journal's events as they stand in the database, each one linked to the one before it: an entry that was changed,
//! dropped or moved breaks the chain.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tune_core::item::{Change, HostId, ItemId, ItemKey};
use tune_core::journal::{ActivationOutcome, Event, Header, Intent, Purpose, StepOutcome};

use super::mirror::{ActivationText, HostText, Nonsense, OriginalText, RawText, ResourceText, ResultText, address};
use super::record::{self, Unusable};

/// What links an entry to the one before it.
pub(super) type Link = [u8; 32];

/// The link before the first entry of a run.
pub(super) const FIRST: Link = [0; 32];

/// Returns an event as an entry that follows `last`, with its own link.
pub(super) fn entry(event: &Event, last: &Link) -> (Vec<u8>, Link) {
    let mut bytes = record::seal(&EventText::from(event));
    let link = link(last, &bytes);
    bytes.extend(link);
    (bytes, link)
}

/// Returns the event of an entry that follows `last`.
pub(super) fn event(bytes: &[u8], last: &Link) -> Result<(Event, Link), Unusable> {
    let (content, found) =
        bytes.split_last_chunk::<32>().ok_or(Unusable::Damaged("a journal entry that was cut off"))?;
    // The version is looked at first: a newer program may link its entries in another way.
    let text = record::open::<EventText>(content)?;
    if link(last, content) != *found {
        return Err(Unusable::Damaged("the order of the journal's entries"));
    }
    let event = text.try_into().map_err(|_| Unusable::Damaged("a journal entry's content"))?;
    Ok((event, *found))
}

fn link(last: &Link, content: &[u8]) -> Link {
    Sha256::new().chain_update(last).chain_update(content).finalize().into()
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EventText {
    Begin(HeaderText),
    Intend {
        step: u64,
        intent: Box<IntentText>,
    },
    Settle {
        step: u64,
        outcome: OutcomeText,
    },
    Undo {
        step: u64,
    },
    Activate {
        number: u64,
        host: String,
        activation: ActivationText,
        mark: String,
        #[serde(default)]
        resources: BTreeSet<String>,
    },
    Activated {
        number: u64,
        outcome: ActivationOutcomeText,
    },
    Soak {
        rollout: String,
        until: Option<String>,
    },
    End(ResultText),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActivationOutcomeText {
    Back(u64),
    Failed { message: String },
}

#[derive(Debug, Serialize, Deserialize)]
struct HeaderText {
    run: u64,
    command: String,
    by: String,
    started: String,
    lineage: String,
    hosts: BTreeMap<String, HostText>,
    resources: BTreeMap<String, ResourceText>,
}

#[derive(Debug, Serialize, Deserialize)]
struct IntentText {
    host: String,
    kind: String,
    key: String,
    owner: String,
    before: RawText,
    after: RawText,
    purpose: PurposeText,
    #[serde(default)]
    needs: Vec<ActivationText>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PurposeText {
    Manage { adopt: Option<OriginalText> },
    RollBack,
    Release,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeText {
    Done,
    NotDone { message: String },
    Undone,
    Stuck { live: Option<RawText>, message: String },
}

impl From<&Event> for EventText {
    fn from(event: &Event) -> Self {
        match event {
            Event::Begin(header) => Self::Begin(HeaderText {
                run: header.run,
                command: header.command.clone(),
                by: header.by.clone(),
                started: header.started.clone(),
                lineage: header.lineage.clone(),
                hosts: header.hosts.iter().map(|(id, host)| (id.0.clone(), host.into())).collect(),
                resources: header.resources.iter().map(|(name, record)| (name.to_string(), record.into())).collect(),
            }),
            Event::Intend { step, intent } => Self::Intend {
                step: *step,
                intent: Box::new(IntentText {
                    host: intent.id.host.0.clone(),
                    kind: intent.id.kind.clone(),
                    key: intent.id.key.0.clone(),
                    owner: intent.owner.to_string(),
                    before: (&intent.change.before).into(),
                    after: (&intent.change.after).into(),
                    purpose: match &intent.purpose {
                        Purpose::Manage { adopt } => PurposeText::Manage { adopt: adopt.as_ref().map(Into::into) },
                        Purpose::RollBack => PurposeText::RollBack,
                        Purpose::Release => PurposeText::Release,
                    },
                    needs: intent.needs.iter().map(Into::into).collect(),
                }),
            },
            Event::Settle { step, outcome } => Self::Settle {
                step: *step,
                outcome: match outcome {
                    StepOutcome::Done => OutcomeText::Done,
                    StepOutcome::NotDone { message } => OutcomeText::NotDone { message: message.clone() },
                    StepOutcome::Undone => OutcomeText::Undone,
                    StepOutcome::Stuck { live, message } => {
                        OutcomeText::Stuck { live: live.as_ref().map(Into::into), message: message.clone() }
                    }
                },
            },
            Event::Undo { step } => Self::Undo { step: *step },
            Event::Activate { number, host, activation, mark, resources } => Self::Activate {
                number: *number,
                host: host.0.clone(),
                activation: activation.into(),
                mark: mark.clone(),
                resources: resources.iter().map(ToString::to_string).collect(),
            },
            Event::Activated { number, outcome } => Self::Activated {
                number: *number,
                outcome: match outcome {
                    ActivationOutcome::Back(seconds) => ActivationOutcomeText::Back(*seconds),
                    ActivationOutcome::Failed { message } => ActivationOutcomeText::Failed { message: message.clone() },
                },
            },
            Event::Soak { rollout, until } => Self::Soak { rollout: rollout.to_string(), until: until.clone() },
            Event::End(result) => Self::End((*result).into()),
        }
    }
}

impl TryFrom<EventText> for Event {
    type Error = Nonsense;

    fn try_from(text: EventText) -> Result<Self, Nonsense> {
        Ok(match text {
            EventText::Begin(header) => Self::Begin(Header {
                run: header.run,
                command: header.command,
                by: header.by,
                started: header.started,
                lineage: header.lineage,
                hosts: header
                    .hosts
                    .into_iter()
                    .map(|(id, host)| Ok((HostId(id), host.try_into()?)))
                    .collect::<Result<_, _>>()?,
                resources: header
                    .resources
                    .into_iter()
                    .map(|(name, record)| Ok((address(&name)?, record.try_into()?)))
                    .collect::<Result<_, _>>()?,
            }),
            EventText::Intend { step, intent } => Self::Intend { step, intent: Box::new((*intent).try_into()?) },
            EventText::Settle { step, outcome } => Self::Settle {
                step,
                outcome: match outcome {
                    OutcomeText::Done => StepOutcome::Done,
                    OutcomeText::NotDone { message } => StepOutcome::NotDone { message },
                    OutcomeText::Undone => StepOutcome::Undone,
                    OutcomeText::Stuck { live, message } => {
                        StepOutcome::Stuck { live: live.map(TryInto::try_into).transpose()?, message }
                    }
                },
            },
            EventText::Undo { step } => Self::Undo { step },
            EventText::Activate { number, host, activation, mark, resources } => Self::Activate {
                number,
                host: HostId(host),
                activation: activation.try_into()?,
                mark,
                resources: resources.iter().map(|name| address(name)).collect::<Result<_, _>>()?,
            },
            EventText::Activated { number, outcome } => Self::Activated {
                number,
                outcome: match outcome {
                    ActivationOutcomeText::Back(seconds) => ActivationOutcome::Back(seconds),
                    ActivationOutcomeText::Failed { message } => ActivationOutcome::Failed { message },
                },
            },
            EventText::Soak { rollout, until } => Self::Soak { rollout: address(&rollout)?, until },
            EventText::End(result) => Self::End(result.into()),
        })
    }
}

impl TryFrom<IntentText> for Intent {
    type Error = Nonsense;

    fn try_from(text: IntentText) -> Result<Self, Nonsense> {
        Ok(Self {
            id: ItemId { host: HostId(text.host), kind: text.kind, key: ItemKey(text.key) },
            owner: address(&text.owner)?,
            change: Change { before: text.before.try_into()?, after: text.after.try_into()? },
            purpose: match text.purpose {
                PurposeText::Manage { adopt } => Purpose::Manage { adopt: adopt.map(TryInto::try_into).transpose()? },
                PurposeText::RollBack => Purpose::RollBack,
                PurposeText::Release => Purpose::Release,
            },
            needs: text.needs.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        })
    }
}
