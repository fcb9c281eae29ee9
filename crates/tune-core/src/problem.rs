//! What a person must be told: mistakes, refusals and advice. A problem names an attribute *path*; whoever knows the
//! configuration's text turns that into the exact place.

use std::fmt;

use crate::path::AttributePath;

/// A stable identifier such as `tune::sysctl::overridden`; `tune explain` says more about each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One entry of the manual behind `tune explain`: what a code means, why it matters and what to do.
#[derive(Debug, Clone, Copy)]
pub struct Explanation {
    /// The code that is explained.
    pub code: Code,
    /// Its meaning in one line, without a full stop.
    pub title: &'static str,
    /// Meaning, reason and way out, as Markdown paragraphs.
    pub text: &'static str,
}

/// Something wrong about one resource: a mistake in its attributes or a state of the world that forbids the change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where in the resource's block.
    pub path: AttributePath,
    /// The stable code.
    pub code: Code,
    /// What is wrong: lower case, no full stop, names in backticks.
    pub message: String,
    /// What is wrong at this very place; shown under the marked text.
    pub label: String,
    /// What to do, as one imperative sentence.
    pub help: Option<String>,
    /// What it stops.
    pub stops: Stops,
}

/// What a problem stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stops {
    /// Planning itself fails: the configuration is wrong, or wrong for this world.
    #[default]
    Planning,
    /// The plan is good, but this user, on this machine, cannot apply it.
    Applying,
}

impl Problem {
    /// Returns a problem without help.
    pub fn new(code: Code, path: AttributePath, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { path, code, message: message.into(), label: label.into(), help: None, stops: Stops::Planning }
    }

    /// Returns the problem with a sentence that says what to do.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Returns the problem as one that a plan shows and only an apply refuses.
    #[must_use]
    pub fn that_stops_applying(mut self) -> Self {
        self.stops = Stops::Applying;
        self
    }
}

/// Something true and useful that the user did not ask for; it never stops a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Advice {
    /// The stable code.
    pub code: Code,
    /// Where in the resource's block.
    pub path: AttributePath,
    /// Whole sentences: what is true, what follows, what to do.
    pub text: String,
}
