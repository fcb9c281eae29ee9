//! Commands and files on a host, over the system's OpenSSH or locally.
//!
//! A plan reads a whole host with one script over one connection; a batch of writes is one more. The scripts are POSIX
//! sh with coreutils or busybox and stand in `src/script/sh`, each with its reasons. This crate knows nothing of any
//! kind's meaning: a provider implements [`HostKind`] and contains no shell.
//!
//! What it leaves on a host:
//!
//! | file | what it is | until |
//! |---|---|---|
//! | `/var/lib/tune/LINEAGE/ledger.json` | what one state manages there, with the originals | the last item is put back |
//! | `/var/lib/tune/LINEAGE/undo.sh` | puts everything back without `tune` | the same |
//! | `/var/lib/tune/LINEAGE/epoch` | the latest run that was seen | the same |
//! | `/var/lib/tune/LINEAGE/made` | directories that were made for files | the same |
//! | `/var/lib/tune/LINEAGE/restore.log` | what a detached restore did | the same |
//! | `/var/lib/tune/.made` | that `/var/lib/tune` is ours to remove | the last ledger goes |
//! | `/run/tune/` | the lock, its holder, the epochs since boot, an armed restore | the next boot |
//!
//! On the machine that runs `tune` it makes one directory for ssh's sockets, and removes it.

mod activation;
mod boot;
mod command;
mod connect_error;
mod connection;
mod connector;
mod door;
mod error;
mod explain;
mod facts;
mod judge;
pub mod kind;
mod ledger;
pub mod options;
mod outcome;
mod protocol;
mod script;
mod survey;
mod transport;

pub use connector::SshConnector;
pub use explain::EXPLANATIONS;
pub use kind::{Evidence, Found, HostKind, HostKinds, Target};
pub use options::{Options, TestGround};
