//! The provider against a simulated cluster: what it reads, what it writes and puts back, and how it sees power cycles
//! through.

mod access;
mod chaos;
mod contract;
mod lab;
mod power;
mod read;
mod sources;
mod write;
