//! One file per command: its options, whose doc comments are its help, and what it does. Commands are thin: they load,
//! call the engine or a pure function, and print what `render` makes of the answer.

pub(crate) mod absent;
pub(crate) mod apply;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod console;
pub(crate) mod destroy;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod graph;
pub(crate) mod history;
pub(crate) mod plan;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod state;
pub(crate) mod test;
pub(crate) mod unlock;
pub(crate) mod validate;
pub(crate) mod version;
