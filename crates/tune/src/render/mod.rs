//! Turns what happened into text: for a terminal, as JSON, as Markdown. Nothing here writes anything anywhere.

pub(crate) mod columns;
pub(crate) mod diagnostic;
pub(crate) mod diff;
pub(crate) mod graph;
pub(crate) mod group;
pub(crate) mod item;
pub(crate) mod json;
pub(crate) mod markdown;
pub(crate) mod members;
pub(crate) mod order;
pub(crate) mod originals;
pub(crate) mod output;
pub(crate) mod plan;
pub(crate) mod recorded;
pub(crate) mod report;
pub(crate) mod tested;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod trial;
pub(crate) mod validation;
