//! What `tune-lab` is made of, for tests that use the same stand-ins.

pub mod homelab;
