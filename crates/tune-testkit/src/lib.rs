//! The test kit: an in-memory fleet with fault injection, the contract that every provider passes, the sweep that fails
//! every step in turn, random programs, and real OpenSSH hosts.
//!
//! It is never linked into the binary. Whatever breaks one of its own invariants panics, because that is a broken test.

pub mod audit;
pub mod contract;
pub mod etcd;
pub mod faults;
pub mod fleet;
pub mod lab;
pub mod laws;
pub mod param;
pub mod random;
pub mod setting;
pub mod store;
pub mod votes;
pub mod world;
