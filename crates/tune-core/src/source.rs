//! What answers questions about the live world: the kinds of `data` and `probe` blocks. Reading has no side effect,
//! except where a person wrote a command into a probe.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use crate::address::Address;
use crate::contract::{Connection, Pending};
use crate::problem::{Explanation, Problem};
use crate::reading::Unreadable;
use crate::rollout::{Query, Quorum};
use crate::schema::KindSchema;
use crate::value::Value;

/// Where a kind of source may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// In `data` and in `probe` blocks.
    Anywhere,
    /// In `probe` blocks only, because it runs what a person wrote (rule 29).
    Probe,
}

/// One kind of source.
pub trait Source: Debug + Send + Sync {
    /// Returns the attributes that a block of this kind takes.
    fn schema(&self) -> &KindSchema;

    /// Returns the attributes of its answer.
    fn answer(&self) -> &KindSchema;

    /// Returns the manual entries of every code that this source reports.
    fn explanations(&self) -> &'static [Explanation];

    /// Returns where it may stand.
    fn usable(&self) -> Use {
        Use::Anywhere
    }

    /// Returns every mistake in the attributes of a block. Pure.
    fn check(&self, attributes: &BTreeMap<String, Value>) -> Vec<Problem> {
        let _ = attributes;
        Vec::new()
    }

    /// Asks once. It neither retries nor sleeps; the engine bounds the time.
    fn look<'a>(&'a self, query: &'a Query, reach: &'a dyn Reach) -> Pending<'a, Result<Value, Unreadable>>;

    /// Returns whether an answer tells who votes, so that a rollout whose gate asks this source keeps a majority.
    fn knows_quorum(&self) -> bool {
        false
    }

    /// Returns the voters that an answer tells of.
    fn quorum(&self, answer: &Value) -> Option<Quorum> {
        let _ = answer;
        None
    }
}

/// The kinds of sources that a program knows, by name.
pub type Sources = BTreeMap<&'static str, Arc<dyn Source>>;

/// How a source reaches hosts.
pub trait Reach: Debug + Send + Sync {
    /// Returns the connection to a host or an API of the configuration; `None` if there is none of that name.
    fn connection<'a>(&'a self, address: &'a Address) -> Pending<'a, Option<Arc<dyn Connection>>>;

    /// Returns what a host is called: `name` of it in an expression, so that an answer can be compared with that.
    fn name(&self, address: &Address) -> String {
        address.own_name()
    }
}

/// A program to be run on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments; each reaches the program as it is, whatever characters it is made of.
    pub words: Vec<String>,
    /// What it reads from standard input.
    pub input: Vec<u8>,
    /// After how long it is ended.
    pub deadline: Duration,
    /// How much of its output is kept, in bytes; more is an error.
    pub output_limit: usize,
}

/// What a program printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOutput {
    /// Its exit code; by a signal, 128 and the signal's number.
    pub status: i32,
    /// Standard output.
    pub output: Vec<u8>,
    /// Standard error.
    pub complaint: Vec<u8>,
}

/// A way to a port that a host can reach, for example one on its own loopback. It stays open until this is dropped.
#[derive(Debug)]
pub struct Door {
    /// Where a client on this machine connects to.
    pub at: DoorAddress,
    /// Keeps the way open.
    pub guard: Box<dyn DoorGuard>,
}

/// Where a [`Door`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DoorAddress {
    /// A Unix socket, as an absolute path.
    Unix(String),
    /// A TCP address, `NAME:PORT`.
    Tcp(String),
}

/// Whatever must be held for a [`Door`] to stay open.
pub trait DoorGuard: Debug + Send + Sync {}

impl DoorGuard for () {}
