//! What a provider is. Its pure half is a [`Kind`]: schema, desired items, judgement. Its effectful half is reached
//! through a [`Connection`], which carries all kinds of one host at once so that a whole plan costs one round trip.
//!
//! A provider knows no HCL, no positions in files, no terminal; it neither sleeps nor retries. The engine owns
//! deadlines, back-off and concurrency.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::activation::Activation;
use crate::address::Address;
use crate::item::{Change, ItemKey, Raw};
use crate::ledger::Ledger;
use crate::path::AttributePath;
use crate::problem::{Advice, Code, Explanation, Problem};
use crate::reading::{Facts, HostReading, Reading};
use crate::resource::{Consent, Host, Resource};
use crate::schema::KindSchema;
use crate::source::{Command, CommandOutput, Door};

/// The pure half of a provider: one kind of resource.
pub trait Kind: Debug + Send + Sync {
    /// Returns the attributes that the configuration may write.
    fn schema(&self) -> &KindSchema;

    /// Returns the manual entries of every code that this kind reports.
    fn explanations(&self) -> &'static [Explanation];

    /// Returns the items that a resource wants, or every mistake in its attributes. No I/O: it must give the same
    /// answer on any machine.
    fn desired(&self, resource: &Resource) -> Result<Desired, Vec<Problem>>;

    /// Returns the canonical form of an item: two forms are equal in effect exactly when their canonical forms are
    /// equal. Applying it twice is applying it once.
    fn canonical(&self, key: &ItemKey, raw: &Raw) -> Raw;

    /// Judges what writing one resource's desired items over what was read would do. Asked about items that are
    /// already so as well, because advice is about them too.
    fn impact(&self, question: &Question<'_>) -> Impact;

    /// Returns the item by which the reading shows that `tune` wrote this item before: the file that carries its mark
    /// and concerns this item, or the item itself. Where that is not recorded either, the record was lost and the
    /// original is unknown: what is there now must not be taken for it.
    fn marked_by(&self, key: &ItemKey, reading: &Reading) -> Option<ItemKey> {
        let _ = (key, reading);
        None
    }

    /// Returns a restorable form as a person reads it, on one line. The caller escapes it.
    fn show(&self, key: &ItemKey, raw: &Raw) -> String {
        let _ = key;
        match raw {
            Raw::Absent => "absent".to_owned(),
            Raw::Text(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
            Raw::File(file) => format!("{} bytes, mode {:04o}", file.content.len(), file.mode),
        }
    }

    /// Returns what an item is called in a plan: `vm.swappiness`, or a file's path.
    fn label(&self, key: &ItemKey) -> String {
        key.0.clone()
    }
}

/// The kinds that a program knows, by name.
pub type Kinds = BTreeMap<&'static str, Arc<dyn Kind>>;

/// What one resource wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The host or the API that its items are read from and written to.
    pub host: Address,
    /// The host that is down while this resource is activated, where that is another one: the guest of a virtual
    /// machine.
    pub guest: Option<Address>,
    /// Its items, in the order in which they are written: running values before files, so that a value that hangs the
    /// host does not survive a reboot.
    pub items: Vec<DesiredItem>,
}

/// One item that a resource wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredItem {
    /// Which item. It is a claim too: two resources may not want the same item of one host.
    pub key: ItemKey,
    /// The attribute that asks for it.
    pub path: AttributePath,
    /// Its form after an apply.
    pub want: Raw,
}

/// What a kind is asked to judge: one resource, all of it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What the resource wants, or for a revert, what was there first.
    pub desired: &'a Desired,
    /// What was read; it may hold items of other resources of the kind on that host too.
    pub reading: &'a Reading,
    /// What is true of the host.
    pub facts: &'a Facts,
    /// The desired items that `tune` manages already. A file in the place of any other one is somebody else's.
    pub recorded: &'a BTreeSet<ItemKey>,
}

/// What a kind has to say about one resource's change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Impact {
    /// By item; an item without an entry has the default impact.
    pub items: BTreeMap<ItemKey, ItemImpact>,
    /// True and useful, and not asked for.
    pub advice: Vec<Advice>,
    /// Reasons why the change must not be made; they stop the apply.
    pub problems: Vec<Problem>,
    /// The host that the guest of this resource runs on now, as read: when that host is down, so is the guest.
    pub runs_on: Option<Address>,
    /// The hosts that can carry the guest of this resource, wherever it moves. Without an answer every host may.
    pub carriers: Option<BTreeSet<Address>>,
}

/// What writing one item does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ItemImpact {
    /// When it takes effect.
    pub effect: Effect,
    /// What must still be done, once the item is as desired, before the running system uses it. Also asked of items that
    /// are as desired already: something here means that what is configured is not in effect. Empty exactly when the
    /// running system uses the desired value, or when writing it is enough.
    pub activations: BTreeSet<Activation>,
    /// Whether the change may cut the connection, so that a detached restore must be armed first.
    pub may_cut_connection: bool,
    /// Dangers that need the user's consent, each with a sentence that says what would happen.
    pub needs: BTreeMap<Consent, String>,
}

/// When a written item takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Effect {
    /// As soon as it is written.
    #[default]
    AtOnce,
    /// When the machine boots the next time, which is soon enough: what runs now has its own item.
    NextBoot,
    /// When its activations are done.
    Activation,
}

/// Opens connections. Opening is lazy: nothing is sent before the first request.
pub trait Connector: Debug + Send + Sync {
    /// Returns the connection to a host or an API.
    fn connect(&self, host: &Host) -> Arc<dyn Connection>;
}

/// A boxed future, so that connections can be trait objects.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The effectful half: one host or one API. Each call is one round trip to a host.
pub trait Connection: Debug + Send + Sync {
    /// Reads facts and every lookup. With a fence it first takes the host's lock and raises its epoch, so that nothing
    /// that was sent earlier can take effect any more, and only then looks.
    fn read<'a>(&'a self, request: &'a ReadRequest) -> Pending<'a, Result<HostReading, ConnectionError>>;

    /// Writes the ledger, then every item in order, each by compare-and-set and read back. After a failed item the
    /// rest of the same group is not tried; other groups go on. Gives one outcome per item, in order. An answer that
    /// broke off leaves at least one outcome unknown, because the ledger that stays may not have been written.
    fn apply<'a>(&'a self, batch: &'a Batch) -> Pending<'a, Result<Vec<Outcome>, ConnectionError>>;

    /// Confirms, over a new connection, that the host can still be reached, and thereby disarms the detached restore
    /// that `batch` armed.
    fn confirm<'a>(&'a self, batch: &'a Batch) -> Pending<'a, Result<(), ConnectionError>>;

    /// Looks at what an activation is about: which start of it this is, and whether it is up. A failed look tells
    /// nothing but that it is not up yet.
    fn sight<'a>(&'a self, activation: &'a Activation) -> Pending<'a, Result<Sight, ConnectionError>> {
        Box::pin(async move { Err(cannot(activation)) })
    }

    /// Begins an activation, unless the start that `order` names is gone already. A reload, a restart and a boot image
    /// are complete when this returns; a reboot and a power cycle are only under way, and [`Connection::sight`] tells
    /// when they are back.
    fn activate<'a>(&'a self, order: &'a Order) -> Pending<'a, Result<(), ConnectionError>> {
        Box::pin(async move { Err(cannot(&order.activation)) })
    }

    /// Runs a program; for probes only. Fails with [`NOT_A_HOST`] on an API.
    fn command<'a>(&'a self, command: &'a Command) -> Pending<'a, Result<CommandOutput, ConnectionError>> {
        let _ = command;
        Box::pin(async { Err(not_a_host("a command")) })
    }

    /// Opens a way to a port as the host sees it, `NAME:PORT`. Fails with [`NOT_A_HOST`] on an API.
    fn door<'a>(&'a self, to: &'a str) -> Pending<'a, Result<Door, ConnectionError>> {
        let _ = to;
        Box::pin(async { Err(not_a_host("a way to a port")) })
    }

    /// Closes the connection; the next request opens a new one.
    fn close(&self) -> Pending<'_, ()>;
}

/// An activation that is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The state on whose behalf it is sent.
    pub lineage: String,
    /// Its place in the order of everything sent.
    pub epoch: Epoch,
    /// What is done.
    pub activation: Activation,
    /// The [`Sight::mark`] from before: another one there means that it has happened already.
    pub mark: String,
    /// After how long the target gives up by itself, for example a guest that does not shut down.
    pub deadline: Duration,
}

/// What one look at the target of an activation showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Names this start of it: the boot id, a unit's invocation id, the process id of a virtual machine. Another start has
    /// another mark.
    pub mark: String,
    /// What is still waited for before it counts as up, for example `units to start`; `None` when it is up.
    pub waits_for: Option<String>,
    /// Whether it lies where an order left it and nothing is under way that would bring it up: a look changes nothing, so
    /// only another order does.
    pub is_stranded: bool,
}

/// The code of the error of a connection that leads to an API and is asked for what only a host can do.
pub const NOT_A_HOST: Code = Code("tune::plan::not_a_host");

fn cannot(activation: &Activation) -> ConnectionError {
    ConnectionError {
        code: NOT_A_HOST,
        sent: Sent::No,
        transient: false,
        message: format!("this connection cannot do a {activation}"),
        help: None,
    }
}

fn not_a_host(what: &str) -> ConnectionError {
    ConnectionError {
        code: NOT_A_HOST,
        sent: Sent::No,
        transient: false,
        message: format!("{what} needs a host, and this connection leads to an API"),
        help: None,
    }
}

/// Everything asked of one host at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadRequest {
    /// What to read.
    pub lookups: Vec<Lookup>,
    /// Whether to make sure first that nothing sent earlier can still take effect.
    pub fence: Option<Fence>,
}

/// A set of items of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lookup {
    /// The kind.
    pub kind: String,
    /// The items.
    pub keys: BTreeSet<ItemKey>,
}

/// The barrier behind which a host may be looked at after something was sent to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The state whose scripts are shut out.
    pub lineage: String,
    /// The run that looks: scripts of earlier runs, and of this run sent before, refuse to write afterwards.
    pub epoch: Epoch,
    /// How long to wait for a running script to end.
    pub patience: Duration,
}

/// The order of everything that is sent to a host: run, then position in the run. The host refuses to write for an
/// epoch that is not above every fence and every batch that it has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch {
    /// The run's number.
    pub run: u64,
    /// Counts what was sent in this run.
    pub sequence: u64,
}

/// Writes for one host, sent as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The state on whose behalf it is sent.
    pub lineage: String,
    /// Its place in the order of everything sent.
    pub epoch: Epoch,
    /// What the items are, in order; items of one resource stand together.
    pub items: Vec<BatchItem>,
    /// The host's ledger while the batch runs: it must cover both `before` and `after` of every item.
    pub ledger: Ledger,
    /// The host's ledger once every item succeeded; `None` removes it. If any item failed, `ledger` stays.
    pub ledger_after: Option<Ledger>,
    /// How long the host may work on it before it must stop by itself.
    pub deadline: Duration,
    /// Set when an item may cut the connection: how long the host waits for [`Connection::confirm`] before it restores
    /// every `before` by itself. Then `ledger_after` covers `before` too.
    pub restore_after: Option<Duration>,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchItem {
    /// The kind.
    pub kind: String,
    /// The item.
    pub key: ItemKey,
    /// From what to what. `before == after` checks that the value is still so and records it in the ledger.
    pub change: Change,
    /// Items with the same number belong to one resource.
    pub group: usize,
}

/// What became of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Written and read back: it is `after`, or was so already.
    Done,
    /// Neither `before` nor `after` was there; nothing was written.
    Conflict {
        /// What was there.
        live: Raw,
    },
    /// The system refused; what was there before is still there, or was put back at once.
    Refused {
        /// What the system said or stored instead, without a full stop.
        message: String,
    },
    /// The write went wrong and what is there now is neither `before` nor `after`.
    Broken {
        /// What went wrong, without a full stop.
        message: String,
        /// What is there now, where that could be read.
        live: Option<Raw>,
    },
    /// An earlier item of the same group failed, or the batch ran out of time before this one.
    NotTried,
    /// No answer arrived for this item.
    Unknown,
}

/// The code of the error by which a host says that another run holds it. It has an exit code of its own, so the engine
/// must know it.
pub const BUSY: Code = Code("tune::remote::busy");

/// Whether a failed request can have had an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It was certainly not sent: it may be tried again.
    No,
    /// It may have been sent: only a fenced look can tell.
    Perhaps,
}

/// Why a host did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConnectionError {
    /// The stable code, for example `tune::remote::host_key_changed`.
    pub code: Code,
    /// Whether anything can have happened.
    pub sent: Sent,
    /// Whether trying again a little later can help.
    pub transient: bool,
    /// What is wrong: lower case, no full stop, names the host.
    pub message: String,
    /// What to do, as one imperative sentence.
    pub help: Option<String>,
}
