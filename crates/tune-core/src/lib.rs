//! The words and the decisions of `tune`: what things are called, what a value is, what changes, in which order, and
//! what to do after a failure.
//!
//! Everything here is pure. There is no clock, no randomness, no file and no network in this crate, so every safety
//! rule is ordinary code with ordinary tests. It knows nothing of HCL (that is `tune-config`), nothing of a terminal
//! (that is the binary) and nothing of ssh or any API (those are the providers and `tune-remote`).
//!
//! Read in this order: [`resource`] (what a person asked for), [`reading`] (what was found), [`change`] (the
//! difference), [`plan`] (everything that will happen), [`journal`] (what to do when it did not).
//! How hosts are taken one after another is [`rollout`], [`activation`] and the stages of a plan.

pub mod activation;
pub mod address;
pub mod contract;
pub mod graph;
pub mod item;
pub mod journal;
pub mod ledger;
pub mod number;
pub mod path;
pub mod plan;
pub mod problem;
pub mod reading;
pub mod resource;
pub mod rollout;
pub mod schema;
pub mod source;
pub mod state;
pub mod text;
#[cfg(test)]
mod toy;
pub mod value;

pub use address::{Address, InstanceKey, ModuleStep};
pub use number::Number;
pub use path::AttributePath;
pub use value::Value;
