//! Restorable forms and places as words of shell: what the scripts compare and write.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tune_core::item::Raw;

use crate::kind::Target;
use crate::script::quote::quote;

/// Contents that a script carries, by their SHA-256. They travel in base64, so that no byte of them is ever shell.
#[derive(Debug, Default)]
pub(crate) struct Contents(BTreeMap<String, Vec<u8>>);

impl Contents {
    /// Adds a content and returns its name, the digest that the host checks it against.
    pub(crate) fn add(&mut self, bytes: impl Into<Vec<u8>>) -> String {
        let bytes = bytes.into();
        let digest = hex(&Sha256::digest(&bytes));
        self.0.insert(digest.clone(), bytes);
        digest
    }

    /// Returns the shell function `content SHA256`, which prints a content in base64.
    pub(crate) fn function(&self) -> String {
        let mut text = String::from("content() {\n  case $1 in\n");
        for (name, bytes) in &self.0 {
            let _ = writeln!(text, "  {name}) printf '%s\\n' '{}' ;;", wrapped(bytes));
        }
        text.push_str("  *) return 1 ;;\n  esac\n}\n");
        text
    }
}

/// Returns the form as one quoted word, and adds the content of a file to `contents`.
pub(crate) fn form(raw: &Raw, contents: &mut Contents) -> String {
    match raw {
        Raw::Absent => "absent".to_owned(),
        Raw::Text(text) => quote(&format!("text {text}")),
        Raw::File(file) => {
            let digest = contents.add(file.content.clone());
            format!("'file {:o} {} {} {digest}'", file.mode, file.uid, file.gid)
        }
    }
}

/// Returns where an item lives as words of shell.
pub(crate) fn place(target: &Target, root: &str) -> String {
    let path = |path: &str| quote(&format!("{root}{path}"));
    match target {
        Target::Value { path: value } => format!("value {}", path(value)),
        Target::Either { first, second } => {
            format!("either {} {} {} {}", quote(&first.0), path(&first.1), quote(&second.0), path(&second.1))
        }
        Target::Reported { path: value, table, field } => {
            format!("reported {} {} {}", path(value), path(table), quote(field))
        }
        Target::File { path: file } => format!("file {}", path(file)),
    }
}

/// Returns why no script can write this form there, if so.
pub(crate) fn impossible(target: &Target, raw: &Raw) -> Option<&'static str> {
    match (target, raw) {
        (_, Raw::Absent) | (Target::File { .. }, Raw::File(_)) => None,
        (Target::File { .. }, Raw::Text(_)) => Some("a file cannot hold the form of a value"),
        (_, Raw::File(_)) => Some("a value cannot hold the form of a file"),
        (_, Raw::Text(text)) if text.contains(['\0', '\n']) => Some("a value is one line of text"),
        (Target::Either { first, second }, Raw::Text(text)) => {
            let named = |name: &str| text.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
            (!named(&first.0) && !named(&second.0)).then_some("the value names neither of its two files")
        }
        (Target::Value { .. } | Target::Reported { .. }, Raw::Text(_)) => None,
    }
}

/// Returns the form that a script printed; `content` is what it printed about a file's bytes. `None` for what no form
/// of ours can say, such as a symbolic link.
pub(crate) fn parse(text: &str, content: Option<Vec<u8>>) -> Option<Raw> {
    if text == "absent" {
        return Some(Raw::Absent);
    }
    if let Some(value) = text.strip_prefix("text ") {
        return Some(Raw::Text(value.to_owned()));
    }
    let mut words = text.strip_prefix("file ")?.split(' ');
    let mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let uid = words.next()?.parse().ok()?;
    let gid = words.next()?.parse().ok()?;
    Some(Raw::File(tune_core::item::FileState { content: content?, mode, uid, gid }))
}

/// Base64 in lines, because a script is also read by people.
fn wrapped(bytes: &[u8]) -> String {
    let encoded = STANDARD.encode(bytes);
    let mut text = String::with_capacity(encoded.len() + encoded.len() / 100);
    for (index, c) in encoded.chars().enumerate() {
        if index > 0 && index % 100 == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text
}

/// Returns the bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
