//! The path of an attribute inside one block. Providers report paths, never positions in a file: the configuration
//! turns a path into the exact text.

use std::fmt;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathStep {
    /// `.name`: an attribute or a block type.
    Name(String),
    /// `["key"]`: a map key or a block label.
    Key(String),
    /// `[0]`: a position in a list.
    Index(usize),
}

/// Where inside a block, for example `settings["vm.swappiness"]`; empty for the block itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct AttributePath(pub Vec<PathStep>);

impl AttributePath {
    /// Returns the path of an attribute of the block.
    pub fn attribute(name: &str) -> Self {
        Self(vec![PathStep::Name(name.to_owned())])
    }

    /// Returns this path with one more map key at its end.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.0.push(PathStep::Key(key.to_owned()));
        self
    }

    /// Returns this path with one more list position at its end.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.0.push(PathStep::Index(index));
        self
    }

    /// Returns this path with one more attribute name at its end.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.0.push(PathStep::Name(name.to_owned()));
        self
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                PathStep::Name(name) => write!(f, "{}{name}", if index == 0 { "" } else { "." })?,
                PathStep::Key(key) => write!(f, "[{}]", crate::text::quoted(key))?,
                PathStep::Index(position) => write!(f, "[{position}]")?,
            }
        }
        Ok(())
    }
}
