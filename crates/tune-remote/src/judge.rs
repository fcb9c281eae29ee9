//! Turns a survey into readings: each item in its restorable form, judged by its kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::contract::{ConnectionError, Lookup};
use tune_core::item::{FileState, ItemKey, Raw};
use tune_core::reading::{HostReading, ItemReading, Reading, Unreadable};
use tune_core::text::visible;

use crate::error::{
    DIRECTORY, NO_PLACE, NOT_A_FILE, NOT_PERMITTED, NOT_TEXT, SYMLINK, UNREADABLE, WRITE_ONLY, unreadable,
};
use crate::facts;
use crate::kind::{Evidence, Found, HostKind, HostKinds, Target};
use crate::script::read::{beside_item, target};
use crate::survey::{Seen, Survey, Type};

/// Evidence as readings carry it.
type Texts = Arc<BTreeMap<String, String>>;

/// Returns everything that a request asked of a host.
pub(crate) fn host_reading(
    host: &str,
    survey: &Survey,
    lookups: &[Lookup],
    kinds: &HostKinds,
) -> Result<HostReading, ConnectionError> {
    let facts = facts::facts(host, survey)?;
    let mut seen: BTreeMap<&str, (Evidence, Texts)> = BTreeMap::new();
    let mut readings = Vec::with_capacity(lookups.len());
    for lookup in lookups {
        let Some(kind) = kinds.get(lookup.kind.as_str()) else {
            readings.push(unknown_kind(lookup));
            continue;
        };
        let (evidence, shared) = seen.entry(&lookup.kind).or_insert_with(|| {
            let same_kind = lookups.iter().filter(|other| other.kind == lookup.kind);
            let keys = same_kind.flat_map(|lookup| &lookup.keys);
            let evidence = evidence(survey, kind.as_ref(), keys);
            let shared = Arc::new(evidence.to_texts());
            (evidence, shared)
        });
        let items = lookup.keys.iter().map(|key| (key.clone(), item(survey, kind.as_ref(), key, evidence))).collect();
        readings.push(Reading { items, evidence: Arc::clone(shared) });
    }
    Ok(HostReading { facts, readings })
}

fn unknown_kind(lookup: &Lookup) -> Reading {
    let why = || no_place(&lookup.kind, "no kind of that name lives on hosts");
    Reading { items: lookup.keys.iter().map(|key| (key.clone(), Err(why()))).collect(), ..Reading::default() }
}

fn no_place(name: &str, why: &str) -> Unreadable {
    unreadable(NO_PLACE, format!("`{}`: {why}", visible(name, 120)), "Check the spelling.")
}

fn item(survey: &Survey, kind: &dyn HostKind, key: &ItemKey, evidence: &Evidence) -> Result<ItemReading, Unreadable> {
    let target = target(kind, key).ok_or_else(|| no_place(&key.0, "no place on a host has this name"))?;
    kind.layers(key, &found(survey, &target)?, evidence)
}

/// Returns an item's restorable form as it was seen.
fn found(survey: &Survey, target: &Target) -> Result<Found, Unreadable> {
    match target {
        Target::Value { path } => {
            let seen = seen(survey, path)?;
            let raw = value(path, seen)?.map_or(Raw::Absent, Raw::Text);
            Ok(Found { raw, writable: seen.writable, mode: seen.mode })
        }
        Target::Either { first, second } => {
            let (one, two) = (seen(survey, &first.1)?, seen(survey, &second.1)?);
            let writable = one.writable && two.writable;
            let (raw, mode) = match (value(&first.1, one)?, value(&second.1, two)?) {
                (Some(value), Some(other)) if value == "0" && other != "0" => {
                    (format!("{}={other}", second.0), two.mode)
                }
                (Some(value), Some(_)) => (format!("{}={value}", first.0), one.mode),
                _ => return Ok(Found { raw: Raw::Absent, writable, mode: None }),
            };
            Ok(Found { raw: Raw::Text(raw), writable, mode })
        }
        Target::Reported { path, table, field } => {
            let written = seen(survey, path)?;
            let (writable, mode) = (written.writable, written.mode);
            if value(path, written)?.is_none() {
                return Ok(Found { raw: Raw::Absent, writable, mode: None });
            }
            let used = content(table, seen(survey, table)?)?.and_then(|bytes| reported(bytes, field));
            let raw = Raw::Text(used.ok_or_else(|| no_line(table, field))?);
            Ok(Found { raw, writable, mode })
        }
        Target::File { path } => {
            let seen = seen(survey, path)?;
            if let Some(to) = &seen.link {
                return Err(unreadable(
                    SYMLINK,
                    format!("`{path}` is a symbolic link to `{}`, and tune replaces no links", visible(to, 200)),
                    "Choose another file name, or remove the link.",
                ));
            }
            let raw = file(path, seen)?.map_or(Raw::Absent, Raw::File);
            Ok(Found { raw, writable: seen.writable, mode: None })
        }
    }
}

/// A path that no record speaks of was not looked at, because nothing can have its name.
fn seen<'a>(survey: &'a Survey, path: &str) -> Result<&'a Seen, Unreadable> {
    survey.paths.get(path).ok_or_else(|| no_place(path, "the host could not look there"))
}

/// Returns the one line of a value's file, `None` if there is no such file.
fn value(path: &str, seen: &Seen) -> Result<Option<String>, Unreadable> {
    let Some(bytes) = content(path, seen)? else { return Ok(None) };
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let text = std::str::from_utf8(line).ok().filter(|text| !text.contains(['\n', '\0'])).ok_or_else(|| {
        unreadable(
            NOT_TEXT,
            format!("`{path}` holds something else than one line of text"),
            "It cannot be managed as a value; leave it out.",
        )
    })?;
    Ok(Some(text.to_owned()))
}

/// Returns the value of the line `FIELD TYPE VALUE`.
fn reported(table: &[u8], field: &str) -> Option<String> {
    let text = String::from_utf8_lossy(table);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    words.windows(3).find(|words| words[0] == field).map(|words| words[2].to_owned())
}

fn no_line(table: &str, field: &str) -> Unreadable {
    unreadable(UNREADABLE, format!("`{table}` does not say what `{field}` is"), "See what stands there.")
}

fn file(path: &str, seen: &Seen) -> Result<Option<FileState>, Unreadable> {
    let Some(bytes) = content(path, seen)? else { return Ok(None) };
    let (Some(mode), Some((uid, gid))) = (seen.mode, seen.owner) else { return Err(vanished(path)) };
    Ok(Some(FileState { content: bytes.to_vec(), mode, uid, gid }))
}

/// Returns a file's content, `None` if there is no such file.
fn content<'a>(path: &str, seen: &'a Seen) -> Result<Option<&'a [u8]>, Unreadable> {
    let refuse = |code, what: &str, help: &str| Err(unreadable(code, format!("`{path}` {what}"), help));
    let elsewhere = "Choose another file name, or see what stands there.";
    match seen.kind {
        Type::Absent => Ok(None),
        Type::Hidden => refuse(
            NOT_PERMITTED,
            "is behind a directory that the user may not enter",
            "Connect as root, or set `become = \"sudo\"` for this host.",
        ),
        Type::Directory => refuse(DIRECTORY, "is a directory", elsewhere),
        Type::Special => refuse(NOT_A_FILE, "is no regular file", elsewhere),
        Type::File if !seen.readable && seen.writable => refuse(
            WRITE_ONLY,
            "can be written but not read: it triggers something and holds no value",
            "It has no value to put back, so it cannot be managed; leave it out.",
        ),
        Type::File if !seen.readable => refuse(
            NOT_PERMITTED,
            "may not be read by the user",
            "Connect as root, or set `become = \"sudo\"` for this host.",
        ),
        Type::File => match &seen.content {
            Some(Ok(bytes)) => Ok(Some(bytes)),
            Some(Err(why)) => {
                refuse(UNREADABLE, &format!("cannot be read: {why}"), "See what the host's kernel log says about it.")
            }
            None => Err(vanished(path)),
        },
    }
}

fn vanished(path: &str) -> Unreadable {
    unreadable(UNREADABLE, format!("`{path}` went away while it was read"), "Run the same command again.")
}

fn evidence<'a>(survey: &Survey, kind: &dyn HostKind, keys: impl Iterator<Item = &'a ItemKey>) -> Evidence {
    let mut evidence = Evidence::default();
    for glob in kind.evidence() {
        for path in survey.marks.get(&format!("mark:{glob}")).into_iter().flatten() {
            add(&mut evidence, survey, path);
        }
    }
    for path in keys.flat_map(|key| beside_item(kind, key)) {
        add(&mut evidence, survey, &path);
        let mode = survey.paths.get(&path).and_then(|seen| seen.mode);
        evidence.modes.extend(mode.map(|mode| (path, mode)));
    }
    evidence.times = kind.times().iter().filter_map(|glob| survey.times.get(*glob)).flatten().cloned().collect();
    evidence
}

/// Adds one path to the evidence, as it was seen.
fn add(evidence: &mut Evidence, survey: &Survey, path: &str) {
    let Some(seen) = survey.paths.get(path) else { return };
    if let Some(to) = &seen.link {
        evidence.links.insert(path.to_owned(), to.clone());
    }
    match (&seen.kind, &seen.content) {
        (Type::File, Some(Ok(bytes))) => {
            evidence.files.insert(path.to_owned(), String::from_utf8_lossy(bytes).into_owned());
        }
        (Type::File, Some(Err(why))) => {
            evidence.unreadable.insert(path.to_owned(), why.clone());
        }
        (Type::File | Type::Hidden, None) => {
            evidence.unreadable.insert(path.to_owned(), "permission denied".to_owned());
        }
        // An empty glob stands for itself and is not there; directories and devices decide nothing.
        _ => {}
    }
}
