//! The source as a whole, without any network. Real members are in `tests/real`.

mod block;
mod together;
