//! YAML, written and read as Terraform does it.

mod read;
mod write;

pub(super) use read::decode;
pub(super) use write::encode;
