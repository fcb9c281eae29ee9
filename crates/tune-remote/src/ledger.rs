//! The ledger as a host stores it: `ledger.json`, versioned, written as types of its own so that the core's types can
//! change without changing what is on hosts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tune_core::item::{FileState, ItemKey, Raw};
use tune_core::ledger::{Entries, Ledger, LedgerEntry};

/// The version that this program writes.
const VERSION: u32 = 1;

/// Why a ledger on a host cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LedgerError {
    /// It is not what this program writes.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// A later program wrote it.
    #[error("it has version {0}, and this program knows version {VERSION} only")]
    Newer(u32),
}

#[derive(Serialize, Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    lineage: String,
    epoch: u64,
    writer: String,
    host_id: String,
    entries: Vec<StoredEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredEntry {
    kind: String,
    key: String,
    address: String,
    original: Option<StoredRaw>,
    ours: Vec<StoredRaw>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StoredRaw {
    Absent,
    Text(String),
    File { content: String, mode: String, uid: u32, gid: u32 },
}

/// Returns the text of `ledger.json`.
pub(crate) fn to_json(ledger: &Ledger) -> Vec<u8> {
    let stored = Stored {
        version: VERSION,
        lineage: ledger.lineage.clone(),
        epoch: ledger.epoch,
        writer: ledger.writer.clone(),
        host_id: ledger.host_id.clone(),
        entries: ledger
            .entries
            .iter()
            .map(|((kind, key), entry)| StoredEntry {
                kind: kind.clone(),
                key: key.0.clone(),
                address: entry.address.clone(),
                original: entry.original.as_ref().map(store),
                ours: entry.ours.iter().map(store).collect(),
            })
            .collect(),
    };
    let mut json = serde_json::to_vec_pretty(&stored).expect("strings and numbers always become JSON");
    json.push(b'\n');
    json
}

/// Returns the ledger that a host stores.
pub(crate) fn from_json(json: &[u8]) -> Result<Ledger, LedgerError> {
    let damaged = |error: serde_json::Error| LedgerError::Damaged(error.to_string());
    let Version { version } = serde_json::from_slice(json).map_err(damaged)?;
    if version > VERSION {
        return Err(LedgerError::Newer(version));
    }
    let stored: Stored = serde_json::from_slice(json).map_err(damaged)?;
    let mut entries = Entries::default();
    for entry in stored.entries {
        let loaded = LedgerEntry {
            address: entry.address,
            original: entry.original.map(load).transpose()?,
            ours: entry.ours.into_iter().map(load).collect::<Result<_, _>>()?,
        };
        entries.insert_mut((entry.kind, ItemKey(entry.key)), loaded);
    }
    Ok(Ledger { lineage: stored.lineage, epoch: stored.epoch, writer: stored.writer, host_id: stored.host_id, entries })
}

fn store(raw: &Raw) -> StoredRaw {
    match raw {
        Raw::Absent => StoredRaw::Absent,
        Raw::Text(text) => StoredRaw::Text(text.clone()),
        Raw::File(file) => StoredRaw::File {
            content: STANDARD.encode(&file.content),
            mode: format!("{:04o}", file.mode),
            uid: file.uid,
            gid: file.gid,
        },
    }
}

fn load(stored: StoredRaw) -> Result<Raw, LedgerError> {
    Ok(match stored {
        StoredRaw::Absent => Raw::Absent,
        StoredRaw::Text(text) => Raw::Text(text),
        StoredRaw::File { content, mode, uid, gid } => Raw::File(FileState {
            content: STANDARD.decode(content).map_err(|error| LedgerError::Damaged(error.to_string()))?,
            mode: u32::from_str_radix(&mode, 8).map_err(|error| LedgerError::Damaged(error.to_string()))?,
            uid,
            gid,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raw() -> impl Strategy<Value = Raw> {
        prop_oneof![
            Just(Raw::Absent),
            ".{0,12}".prop_map(Raw::Text),
            (proptest::collection::vec(any::<u8>(), 0..40), 0u32..0o10000, any::<u32>(), any::<u32>())
                .prop_map(|(content, mode, uid, gid)| Raw::File(FileState { content, mode, uid, gid })),
        ]
    }

    fn entry() -> impl Strategy<Value = LedgerEntry> {
        (".{0,12}", proptest::option::of(raw()), proptest::collection::vec(raw(), 0..3))
            .prop_map(|(address, original, ours)| LedgerEntry { address, original, ours })
    }

    proptest! {
        #[test]
        fn what_is_stored_is_loaded(
            entries in proptest::collection::btree_map(("[a-z]{1,4}", ".{0,8}".prop_map(ItemKey)), entry(), 0..4),
            epoch: u64,
            writer in ".{0,12}",
        ) {
            let entries = entries.into_iter().collect();
            let ledger = Ledger { lineage: "l".into(), epoch, writer, host_id: "h".into(), entries };
            prop_assert_eq!(from_json(&to_json(&ledger)), Ok(ledger));
        }
    }

    #[test]
    fn a_later_version_is_named_and_damage_is_noticed() {
        assert_eq!(from_json(br#"{"version": 7, "anything": []}"#), Err(LedgerError::Newer(7)));
        for damage in [&b""[..], b"{", b"[]", br#"{"version": 1}"#, b"\xff"] {
            assert!(matches!(from_json(damage), Err(LedgerError::Damaged(_))));
        }
    }

    /// The form of version 1 must stay readable for ever.
    #[test]
    fn version_1_is_readable() {
        let json = br#"{
          "version": 1, "lineage": "l", "epoch": 3, "writer": "a@b", "host_id": "h",
          "entries": [
            { "kind": "sysctl", "key": "vm.swappiness", "address": "sysctl.etcd",
              "original": { "text": "60" }, "ours": [{ "text": "10" }] },
            { "kind": "sysctl", "key": "/etc/sysctl.d/99-a.conf", "address": "sysctl.etcd",
              "original": "absent",
              "ours": [{ "file": { "content": "YQo=", "mode": "0644", "uid": 0, "gid": 0 } }] },
            { "kind": "sysctl", "key": "vm.laptop_mode", "address": "sysctl.etcd", "original": null, "ours": [] }
          ]
        }"#;
        let ledger = from_json(json).unwrap();
        assert_eq!(ledger.epoch, 3);
        let originals: Vec<_> = ledger.entries.values().map(|entry| entry.original.clone()).collect();
        assert_eq!(originals, [Some(Raw::Absent), None, Some(Raw::Text("60".into()))]);
    }
}
