//! Functions that read files of the configuration's folder, and functions about paths. Nothing outside that folder can be
//! seen, see [`Files`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Call, Failure, Function, Shape, glob, row, takes};
use crate::source::{FileError, Files, confined};
use crate::value::Value;

/// How much of a folder `fileset` looks at.
const MAX_ENTRIES: usize = 100_000;
/// How deep it goes; a link to a folder around it would lead on without end.
const MAX_DEPTH: usize = 64;

pub(super) const FUNCTIONS: &[Function] = &[
    row("basename", &[takes("path", Shape::Text)], Shape::Text, "The last part of a path.", |call| {
        let path = call.text(0).trim_end_matches('/');
        Ok(Value::string(match (call.text(0), path) {
            ("", _) => ".",
            (_, "") => "/",
            (_, path) => path.rsplit('/').next().unwrap_or(path),
        }))
    })
    .example(r#"basename("files/motd.txt")"#),
    row("dirname", &[takes("path", Shape::Text)], Shape::Text, "A path without its last part.", |call| {
        let path = call.text(0);
        Ok(Value::string(clean(path.rfind('/').map_or("", |at| &path[..=at]))))
    })
    .example(r#"dirname("files/motd.txt")"#),
    row(
        "file",
        &[takes("path", Shape::Text)],
        Shape::Text,
        "The text of a file in the configuration's folder.",
        |call| text(call).map(Value::string),
    )
    .example(r#"file("motd.txt")"#),
    row(
        "filebase64",
        &[takes("path", Shape::Text)],
        Shape::Text,
        "The bytes of a file in Base64; they need not be text.",
        |call| Ok(Value::string(STANDARD.encode(bytes(call)?))),
    )
    .example(r#"filebase64("motd.txt")"#),
    row(
        "fileexists",
        &[takes("path", Shape::Text)],
        Shape::Bool,
        "Whether there is such a file in the configuration's folder.",
        exists,
    )
    .example(r#"fileexists("motd.txt")"#),
    row(
        "fileset",
        &[takes("path", Shape::Text), takes("pattern", Shape::Text)],
        Shape::Set,
        "The files below a folder whose paths match: `*` within a name, `**` over folders, `?`, `[a-z]` and `{a,b}`.",
        fileset,
    )
    .example(r#"fileset(".", "files/*.conf")"#),
];

fn exists(call: &mut Call<'_>) -> Result<Value, Failure> {
    let path = path(call).map_err(|error| Failure::of_file(0, &error))?;
    match call.files.bytes(&path) {
        Ok(_) => Ok(Value::bool(true)),
        // Whoever asks about a folder means something else, so no answer is the better one.
        Err(_) if call.files.entries(&path).is_ok() => Err(Failure::of(0, "this is a folder, not a file")),
        Err(FileError::NotFound) => Ok(Value::bool(false)),
        Err(error) => Err(Failure::of_file(0, &error)),
    }
}

/// Returns the bytes of the file that the first argument names.
pub(super) fn bytes(call: &Call<'_>) -> Result<Vec<u8>, Failure> {
    path(call).and_then(|path| call.files.bytes(&path)).map_err(|error| Failure::of_file(0, &error))
}

/// Returns the text of the file that the first argument names.
pub(super) fn text(call: &Call<'_>) -> Result<String, Failure> {
    path(call).and_then(|path| call.files.read(&path)).map_err(|error| Failure::of_file(0, &error))
}

/// Returns the path that the first argument is, which may go up again where it came from, but not out of the folder.
fn path(call: &Call<'_>) -> Result<String, FileError> {
    let path = call.text(0);
    if path.contains("/../") && !path.starts_with('/') { confined(&clean(path)) } else { confined(path) }
}

fn fileset(call: &mut Call<'_>) -> Result<Value, Failure> {
    let pattern = glob::Pattern::parse(call.text(1)).map_err(|reason| Failure::of(1, reason))?;
    let start = match clean(call.text(0)).as_str() {
        "." => String::new(),
        path => confined(path).map_err(|error| Failure::of_file(0, &error))?,
    };
    let mut found = Vec::new();
    let mut waiting = vec![(String::new(), 0)];
    let mut seen = 0;
    while let Some((below, depth)) = waiting.pop() {
        for entry in entries(call.files, &start, &below)? {
            seen += 1;
            if seen > MAX_ENTRIES {
                return Err(Failure::too_large());
            }
            let path = if below.is_empty() { entry } else { format!("{below}/{entry}") };
            match path.strip_suffix('/') {
                Some(folder) if depth < MAX_DEPTH && pattern.may_match_below(folder) => {
                    waiting.push((folder.to_owned(), depth + 1));
                }
                None if pattern.matches(&path) => found.push(Value::string(path)),
                _ => {}
            }
        }
    }
    call.cost = call.cost.saturating_add(seen as u64);
    Ok(Value::set(found))
}

/// Returns what is in a folder; a folder that does not exist holds nothing.
fn entries(files: &dyn Files, start: &str, below: &str) -> Result<Vec<String>, Failure> {
    let folder = match (start, below) {
        ("", below) => below.to_owned(),
        (start, "") => start.to_owned(),
        (start, below) => format!("{start}/{below}"),
    };
    match files.entries(&folder) {
        Ok(entries) => Ok(entries),
        Err(FileError::NotFound) => Ok(Vec::new()),
        // What is no folder holds nothing either; the reason is the operating system's, so it is not told apart.
        Err(FileError::Unreadable(_)) if files.bytes(&folder).is_ok() => Ok(Vec::new()),
        Err(error) => Err(Failure::of_file(0, &error)),
    }
}

/// Returns the shortest path that says the same: without `.`, doubled slashes, and `..` behind a name.
fn clean(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => _ = parts.pop(),
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    match (is_absolute, parts.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}
