//! What every host carries about itself: originals, claims and the last values of ours. It is the third copy of the
//! state, and what `undo.sh` on the host is made from.

use crate::item::{ItemKey, Raw};

/// What is managed on one host, by kind and item. A copy shares everything with what it was copied from, because every
/// batch carries two ledgers of its host that differ in little.
pub type Entries = rpds::RedBlackTreeMapSync<(String, ItemKey), LedgerEntry>;

/// The part of one state that concerns one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// The state that this ledger belongs to.
    pub lineage: String,
    /// The highest run that wrote here; a script of an earlier run must not write any more.
    pub epoch: u64,
    /// Who ran that run: `user@machine`.
    pub writer: String,
    /// The host's id in that state.
    pub host_id: String,
    /// What is managed.
    pub entries: Entries,
}

/// One managed item on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The resource that owned the item when the ledger was written, as text.
    pub address: String,
    /// What was there before the first change; `None` if that is not known.
    pub original: Option<Raw>,
    /// Every value that could be ours: the last applied one, and what a run in progress changes from and to. An undo
    /// touches the item only while it holds one of these.
    pub ours: Vec<Raw>,
}
