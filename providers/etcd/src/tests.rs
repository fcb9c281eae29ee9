//! The source as a whole: what it makes of pretended members, and of real ones.

mod block;
mod cluster;
mod real;
mod together;
