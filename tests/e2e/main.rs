//! The whole program from outside: the real binary, run as a person or a script runs it. One binary for all of these
//! tests; a test of its own finds files that are forgotten here.

#![cfg(test)]

mod bad_input;
mod broken;
mod cli;
mod examples;
mod fmt;
mod fuzz;
mod hosts;
mod support;
mod testing;
mod tidy;
mod tools;
