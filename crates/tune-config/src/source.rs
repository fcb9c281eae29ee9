//! The texts of a configuration and places in them. This module reads no file: the caller hands in a [`Files`] that is
//! confined to the configuration's folder.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// One text of a [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A range of bytes in one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Which text.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A named text: a file of the configuration, or a value that was given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file's path relative to the configuration's folder, or what else the text is.
    pub name: String,
    /// The text as it may be shown: every byte of a secret is a `*`, so all positions are kept.
    pub text: String,
    /// The first byte of every line. Looked up for every mistake, of which a file may have as many as it has lines.
    lines: Vec<usize>,
}

impl Source {
    /// Returns a text with its name.
    pub fn new(name: String, text: String) -> Self {
        let after_newlines = text.match_indices('\n').map(|(newline, _)| newline + 1);
        let lines = std::iter::once(0).chain(after_newlines).collect();
        Self { name, text, lines }
    }

    /// Returns the line that a byte is in; the first is 0.
    pub fn line(&self, byte: usize) -> usize {
        self.lines.partition_point(|start| *start <= byte) - 1
    }

    /// Returns the bytes of the lines from `first` to `last`, their newlines included; those that do not exist are left out.
    pub fn lines(&self, first: usize, last: usize) -> Range<usize> {
        let start = |line: usize| self.lines.get(line).copied().unwrap_or(self.text.len());
        start(first)..start(last.saturating_add(1))
    }

    /// Returns the line and the column of a byte; both count from one, columns count characters.
    pub fn position(&self, byte: usize) -> (usize, usize) {
        let line = self.line(byte);
        let before = self.text.get(self.lines[line]..byte).unwrap_or_default();
        (line + 1, before.chars().count() + 1)
    }
}

/// Every text that was read, for showing where a mistake is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    list: Vec<Arc<Source>>,
    /// What is hidden.
    masked: Vec<Span>,
}

impl Sources {
    /// Returns the text that `file` stands for.
    pub fn get(&self, file: FileId) -> &Source {
        &self.list[file.0 as usize]
    }

    /// Returns the text that `file` stands for, to be kept.
    pub fn shared(&self, file: FileId) -> Arc<Source> {
        self.list[file.0 as usize].clone()
    }

    /// Returns the marked text.
    pub fn marked(&self, span: Span) -> &str {
        self.get(span.file).text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Returns the line and the column of the span's start; both count from one, columns count characters.
    pub fn position(&self, span: Span) -> (usize, usize) {
        self.get(span.file).position(span.start as usize)
    }

    /// Returns every text in the order in which it was read.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        (0..).map(FileId).zip(self.list.iter().map(AsRef::as_ref))
    }

    pub(crate) fn add(&mut self, name: String, text: String) -> FileId {
        let file = FileId(u32::try_from(self.list.len()).expect("a configuration has fewer than 2³² files"));
        self.list.push(Arc::new(Source::new(name, text)));
        file
    }

    /// Hides the marked text for good. Called once it has been lowered, so nothing needs the real bytes any more.
    pub(crate) fn mask(&mut self, span: Span) {
        let range = span.start as usize..span.end as usize;
        let source = Arc::make_mut(&mut self.list[span.file.0 as usize]);
        let stars: String =
            source.text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect();
        source.text.replace_range(range, &stars);
        self.masked.push(span);
    }

    /// Returns whether the place is in a text that is hidden.
    pub(crate) fn is_masked(&self, span: Span) -> bool {
        self.masked
            .iter()
            .any(|masked| masked.file == span.file && masked.start <= span.start && span.end <= masked.end)
    }
}

impl Span {
    pub(crate) fn new(file: FileId, range: Range<usize>) -> Self {
        let offset = |byte: usize| u32::try_from(byte).expect("texts are limited to less than 4 GiB");
        Self { file, start: offset(range.start), end: offset(range.end) }
    }

    /// Returns the span from the start of `self` to the end of `end`, which is in the same text.
    pub(crate) fn to(self, end: Self) -> Self {
        Self { end: end.end, ..self }
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Why a file could not be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// There is no such file.
    #[error("there is no such file")]
    NotFound,
    /// The file holds bytes that are no UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// The path leads out of the configuration's folder.
    #[error("it is outside the folder of the configuration")]
    Outside,
    /// The operating system refused, with its reason.
    #[error("{0}")]
    Unreadable(String),
}

/// Read-only access to one folder: all that a configuration can see of the file system.
///
/// `read` is only called with paths that are relative, use `/`, and hold no `..`. What such a path *leads to* is the
/// implementor's duty: a symbolic link that leaves the folder must be answered with [`FileError::Outside`], because
/// `file("…")` in an untrusted configuration reads through this.
pub trait Files {
    /// Returns the names of the files directly in the folder.
    fn list(&self) -> Result<Vec<String>, FileError>;

    /// Returns the text of one file in the folder or below it.
    fn read(&self, path: &str) -> Result<String, FileError>;

    /// Returns the bytes of one file in the folder or below it, which may be no text.
    fn bytes(&self, path: &str) -> Result<Vec<u8>, FileError> {
        self.read(path).map(String::into_bytes)
    }

    /// Returns what is directly in a folder, sorted; folders have a `/` at the end of their names, the folder of the
    /// configuration itself is `""`. What leads out of that folder is left out, and so is `.tune`, which no
    /// configuration may depend on because every run changes it.
    fn entries(&self, folder: &str) -> Result<Vec<String>, FileError>;
}

/// A folder in memory, by path.
impl Files for BTreeMap<String, String> {
    fn list(&self) -> Result<Vec<String>, FileError> {
        Ok(self.keys().filter(|name| !name.contains('/')).cloned().collect())
    }

    fn read(&self, path: &str) -> Result<String, FileError> {
        self.get(path).cloned().ok_or(FileError::NotFound)
    }

    fn entries(&self, folder: &str) -> Result<Vec<String>, FileError> {
        let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let below = self.keys().filter_map(|path| path.strip_prefix(&start));
        let names: BTreeSet<String> = below
            .map(|path| path.split_once('/').map_or_else(|| path.to_owned(), |(folder, _)| format!("{folder}/")))
            .filter(|name| !(folder.is_empty() && name == ".tune/"))
            .collect();
        if names.is_empty() && !folder.is_empty() { Err(FileError::NotFound) } else { Ok(names.into_iter().collect()) }
    }
}

/// Returns the path in the form that [`Files::read`] takes, or refuses one that could leave the folder.
pub(crate) fn confined(path: &str) -> Result<String, FileError> {
    if path.is_empty() || path.starts_with('/') || path.contains(['\\', '\0']) {
        return Err(FileError::Outside);
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err(FileError::Outside),
            part => parts.push(part),
        }
    }
    if parts.is_empty() { Err(FileError::Outside) } else { Ok(parts.join("/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_the_folder() {
        assert_eq!(confined("a/./b").as_deref(), Ok("a/b"));
        for path in ["", ".", "/etc/passwd", "../x", "a/../../x", "a\\..\\b", "a\0b"] {
            assert_eq!(confined(path), Err(FileError::Outside), "{path:?}");
        }
    }

    #[test]
    fn masking_keeps_every_position() {
        let mut sources = Sources::default();
        let file = sources.add("a".to_owned(), "x = \"pä\nss\"\ny".to_owned());
        sources.mask(Span::new(file, 4..12));
        assert_eq!(sources.get(file).text, "x = ****\n***\ny");
        assert_eq!(sources.position(Span::new(file, 13..14)), (3, 1));
    }
}
