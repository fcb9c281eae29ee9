//! What was found: the readings of one moment, and the facts about each machine that planning needs.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::item::{ItemKey, Raw};
use crate::ledger::Ledger;
use crate::problem::Code;

/// One layer of an item, as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layer {
    /// The value in canonical form; `None` where the layer says nothing about the item.
    pub value: Option<String>,
    /// Where the value comes from, for example `/etc/sysctl.d/99-sysctl.conf:3`.
    pub source: Option<String>,
}

/// One item as found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemReading {
    /// The restorable form of what an apply would overwrite.
    pub raw: Raw,
    /// What the system uses now.
    pub running: Layer,
    /// What `tune` has set to be used.
    pub configured: Layer,
    /// What the next boot would yield if nothing is changed.
    pub next_start: Layer,
    /// Whether the user that commands run as may write it, as far as permissions and mounts tell.
    pub writable: bool,
}

/// Why one item could not be read, although its host answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The stable code.
    pub code: Code,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do, as one imperative sentence.
    pub help: Option<String>,
}

/// All items of one lookup as found, with what was read beside them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The items that were asked for.
    pub items: BTreeMap<ItemKey, Result<ItemReading, Unreadable>>,
    /// Texts that the kind needs to judge a change, by name: for example every file that decides the next boot.
    /// Shared, because all lookups of one kind on one host see the same.
    pub evidence: std::sync::Arc<BTreeMap<String, String>>,
}

/// What is true of a machine as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// `/etc/machine-id`, where there is one.
    pub machine_id: Option<String>,
    /// The kernel's id of this boot.
    pub boot_id: Option<String>,
    /// SHA-256 fingerprints of the machine's own ssh host keys.
    pub host_keys: BTreeSet<String>,
    /// The machine's name for itself.
    pub hostname: String,
    /// The kernel's release.
    pub kernel: String,
    /// The user that commands run as.
    pub uid: u32,
    /// The kind of container that the commands see, `None` on a machine or in a virtual machine.
    pub container: Option<String>,
    /// Memory in KiB.
    pub memory_kib: Option<u64>,
    /// Whether any swap is in use.
    pub swap_active: Option<bool>,
    /// What a reboot would activate that `tune` did not write, as phrases: `the newer kernel 6.1.0-30-amd64`.
    pub waits_for_boot: Vec<String>,
    /// Every ledger on the machine; `None` when the user may not look.
    pub ledgers: Option<Vec<Ledger>>,
}

/// Why nothing could be read from a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreachable {
    /// The stable code.
    pub code: Code,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do, as one imperative sentence.
    pub help: Option<String>,
}

/// What one host answered: its facts, and one reading per lookup in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostReading {
    /// The machine as a whole.
    pub facts: Facts,
    /// One per lookup.
    pub readings: Vec<Reading>,
}

/// All readings of one moment, by the name under which a host was asked.
pub type Snapshot = BTreeMap<Address, Result<HostReading, Unreachable>>;
