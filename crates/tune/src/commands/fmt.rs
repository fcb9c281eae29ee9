//! `tune fmt`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};
use tune_core::text;

use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::paint;
use crate::project::TEST_ENDING;
use crate::render::diagnostic::Notice;
use crate::render::diff;
use crate::terminal;

/// Brings configurations into the one layout, that of `terraform fmt`.
///
/// Writes only files whose layout differs, and prints their names. Comments and heredocs are never touched, and a file
/// with a mistake in its syntax stays as it is.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own on the command line")]
pub(crate) struct Fmt {
    /// Files or folders; `-` reads standard input and prints the result. Without any, the current folder.
    paths: Vec<PathBuf>,

    /// Changes nothing, and exits with 3 when a file would be changed.
    #[arg(long)]
    check: bool,

    /// Shows what changes.
    #[arg(long)]
    diff: bool,

    /// Goes into folders below.
    #[arg(long)]
    recursive: bool,

    /// Whether the names of files with another layout are printed.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    list: bool,

    /// Whether files are written; never with `-check`.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    write: bool,
}

/// What ends with one of these is a configuration, values for one, or tests of one.
const ENDINGS: [&str; 3] = [".tune.hcl", ".vars.hcl", TEST_ENDING];

impl Fmt {
    pub(crate) fn run(&self, global: &Global) -> Result<Exit, Failure> {
        if self.paths == [PathBuf::from("-")] {
            return self.standard_input();
        }
        let mut files = Vec::new();
        let here = [PathBuf::from(".")];
        for path in if self.paths.is_empty() { &here[..] } else { &self.paths[..] } {
            let path = global.chdir.join(path);
            let about = fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
            if about.is_dir() {
                collect(&path, self.recursive, &mut files)?;
            } else {
                files.push(path);
            }
        }
        let (mut differs, mut notices) = (false, Vec::new());
        for path in files {
            match self.file(&path) {
                Ok(changed) => differs |= changed,
                Err(failure) => notices.extend(failure.notices),
            }
        }
        if !notices.is_empty() {
            return Err(Failure { exit: Exit::Error, notices });
        }
        Ok(if differs && self.check { Exit::Undone } else { Exit::Done })
    }

    fn standard_input(&self) -> Result<Exit, Failure> {
        let mut given = String::new();
        std::io::stdin().read_to_string(&mut given)?;
        let wanted = tune_config::format("standard input", &given)?;
        if self.diff {
            terminal::print(&patch(&given, &wanted))?;
        } else if !self.check {
            terminal::print(&wanted)?;
        }
        Ok(if self.check && wanted != given { Exit::Undone } else { Exit::Done })
    }

    /// Brings one file into the layout; returns whether it had another.
    fn file(&self, path: &Path) -> Result<bool, Failure> {
        let shown = shown(path);
        let found = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
        let wanted = tune_config::format(&shown, &found)?;
        if wanted == found {
            return Ok(false);
        }
        if self.list {
            terminal::print(&format!("{shown}\n"))?;
        }
        if self.diff {
            terminal::print(&patch(&found, &wanted))?;
        }
        if self.write && !self.check {
            replace(path, &wanted).map_err(|error| unwritable(path, &error))?;
        }
        Ok(true)
    }
}

/// A path as a person writes it.
fn shown(path: &Path) -> String {
    let path = path.strip_prefix(".").unwrap_or(path);
    text::visible(&path.strip_prefix(".").unwrap_or(path).to_string_lossy(), 500)
}

fn patch(found: &str, wanted: &str) -> String {
    let lines = diff::patch(found.as_bytes(), wanted.as_bytes());
    let painted = lines.into_iter().map(|line| {
        let line = match line.chars().next() {
            Some('+') => paint::added(line),
            Some('-') => paint::removed(line),
            _ => line,
        };
        format!("  {line}\n")
    });
    painted.collect()
}

/// The configurations of a folder, sorted. A folder that begins with a dot holds none.
fn collect(folder: &Path, recursive: bool, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<PathBuf> =
        entries.map_err(|error| unreadable(folder, &error))?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // A link to a folder could lead round in a circle.
        if path.is_dir() && !path.is_symlink() && recursive && !name.starts_with('.') {
            collect(&path, recursive, files)?;
        } else if path.is_file() && ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            files.push(path);
        }
    }
    Ok(())
}

/// Writes the whole file or nothing, with the mode that it had; through a link, what the link leads to.
fn replace(path: &Path, content: &str) -> std::io::Result<()> {
    let path = fs::canonicalize(path)?;
    let mode = fs::metadata(&path)?.permissions();
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".tune-fmt-").tempfile_in(folder)?;
    file.write_all(content.as_bytes())?;
    file.as_file().set_permissions(mode)?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("cannot read `{}`", shown(path));
    Failure::new(Notice { causes: vec![error.kind().to_string()], ..Notice::error(message) })
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("cannot write `{}`; it is as it was", shown(path));
    Failure::new(Notice { causes: vec![error.kind().to_string()], ..Notice::error(message) })
}
