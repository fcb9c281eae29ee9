//! HCL text to resolved resources, or every mistake of every file at once.
//!
//! [`load`] reads a folder into a [`Module`], [`resolve`] evaluates it into a [`Configuration`]. In between the caller can
//! ask a person for the variables that [`Module::missing`] names. Everything here is pure: files are read through
//! [`Files`], and there is no clock, no environment and no network. Nothing else in `tune` knows HCL.
//!
//! The way of a text: `syntax::parse` (the parser of `hcl-edit`, with better messages) → `syntax::lower` (an arena of
//! expressions with spans) → `module` (what blocks declare) → `reference` (names, order, circles) → `resolve` (values,
//! by `evaluate`, `convert` and the table in `function`) → `configuration`.

mod code;
mod configuration;
mod convert;
mod diagnostic;
mod duration;
mod evaluate;
mod format;
mod function;
mod live;
mod manual;
mod module;
mod order;
mod place;
mod reference;
mod resolve;
mod source;
mod syntax;
mod types;
mod value;
mod variable;
mod version;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use code::EXPLANATIONS;
pub use configuration::{Configuration, Output, VariableValue};
pub use diagnostic::{Diagnostic, Diagnostics, Label, Severity};
pub use format::format;
pub use function::functions;
pub use manual::{BlockManual, LANGUAGE, LIFECYCLE, Word};
pub use module::{Module, TestFile, TestMode, TestRun, Variable, load};
pub use resolve::{Complaint, Console, Needs, Resolved, Scene, check, rehearse, resolve};
pub use source::{FileError, FileId, Files, Source, Sources, Span};
pub use variable::{Argument, Inputs};
pub use vocabulary::{SourceSchema, Vocabulary};

/// The code of what is wrong with a test itself, for callers that find it out.
pub const TEST: tune_core::problem::Code = code::TEST;
