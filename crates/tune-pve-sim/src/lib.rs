//! A Proxmox VE cluster in memory: its state, its rules and its HTTP API, for the tests of whatever talks to one, and for
//! trying things out without a cluster. It is never part of the `tune` program.
//!
//! The behaviour follows recordings of the real API code: the texts of errors, what is stored as it came and what is brought
//! into another form, which changes wait for a restart, what a failed call leaves behind, and what a task does after its call
//! has long been answered. Guests, devices and other nodes behave as they are told to.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tune_pve_sim::Error> {
//! use tune_pve_sim::Cluster;
//!
//! let cluster = Cluster::builder()
//!     .storage("imgs", "images")
//!     .volume("imgs:100/vm-100-disk-0.raw", 32 << 30)
//!     .token("root@pam!tune", "0f1e2d3c-0000-4000-8000-000000000000")
//!     .vm(100, "pve1", "cores: 2\nscsi0: imgs:100/vm-100-disk-0.raw,size=32G\n")
//!     .running(100)
//!     .start()
//!     .await?;
//! assert!(cluster.url().starts_with("https://127.0.0.1:"));
//! assert!(cluster.control().is_running(100));
//! # Ok(()) }
//! ```

#![expect(clippy::format_push_string, clippy::format_collect, reason = "the texts are short")]

mod access;
#[expect(clippy::unnecessary_wraps, reason = "all calls have the same shape, whether they can fail or not")]
mod api;
mod builder;
mod clock;
mod conf;
mod control;
mod create;
mod disks;
mod drive;
mod errors;
mod faults;
mod guest;
mod hotplug;
mod net;
mod numbers;
mod options_check;
mod pending;
mod plug;
mod protocol;
mod random;
mod schema;
mod serve;
mod shared;
mod start_check;
mod state;
mod storage;
mod tags;
mod tasks;
mod tls;
mod update;
mod world;

pub use builder::{Cluster, Error, Running};
pub use clock::Speed;
pub use control::{Control, TaskInfo};
pub use faults::{Fault, FaultKind, RequestInfo, TaskFault};
pub use guest::Flags;
pub use world::{Power, Timing};
