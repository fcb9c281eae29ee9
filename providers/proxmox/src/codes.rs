//! The stable codes of everything that this provider reports.

mod api;
mod vm;

use std::sync::LazyLock;

use tune_core::problem::Explanation;

pub(crate) use self::api::*;
pub(crate) use self::vm::*;

/// The manual entry of each code.
pub(crate) static EXPLANATIONS: LazyLock<Vec<Explanation>> =
    LazyLock::new(|| vm::EXPLANATIONS.iter().chain(api::EXPLANATIONS).copied().collect());
