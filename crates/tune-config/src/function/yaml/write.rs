//! Writes YAML: every text in quotes, so that none is taken for a number, unless it has several lines.

use std::fmt::Write as _;

use crate::value::{Data, Value};

/// Longer lines are broken where a text has a space.
const WIDTH: usize = 80;
/// A longer key is written with a question mark.
const LONGEST_KEY: usize = 128;

/// Returns the value as one document.
pub(in crate::function) fn encode(value: &Value) -> String {
    let mut text = String::new();
    match &value.data {
        Data::List(_) | Data::Set(_) | Data::Map(_) => node(value, None, &mut text),
        _ => {
            node(value, None, &mut text);
            let is_text = matches!(value.data, Data::String(_));
            // A document that is one plain word says where it ends.
            if !is_text {
                text.push_str("\n...");
            }
        }
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Appends a value. `indent` is that of the list or map around it; the cursor is behind a dash, a colon, or at the start.
fn node(value: &Value, indent: Option<usize>, text: &mut String) {
    let inner = indent.map_or(0, |indent| indent + 2);
    match &value.data {
        Data::Null | Data::Unknown(_) | Data::Poison => text.push_str("null"),
        Data::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Data::Number(number) => text.push_str(&number.to_string()),
        Data::String(content) => scalar(content, indent.unwrap_or(0) + 2, Breaks::Allowed, text),
        Data::List(list) | Data::Set(list) if list.items.is_empty() => text.push_str("[]"),
        Data::Map(map) if map.entries.is_empty() => text.push_str("{}"),
        Data::List(list) | Data::Set(list) => {
            for (at, item) in list.items.iter().enumerate() {
                if at > 0 {
                    new_line(inner, text);
                }
                text.push_str("- ");
                node(item, Some(inner), text);
            }
        }
        Data::Map(map) => {
            for (at, (key, value)) in map.entries.iter().enumerate() {
                if at > 0 {
                    new_line(inner, text);
                }
                if key.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) || key.len() > LONGEST_KEY {
                    text.push_str("? ");
                    scalar(key, inner + 2, Breaks::Allowed, text);
                    new_line(inner, text);
                    text.push_str(": ");
                    node(value, Some(inner), text);
                } else {
                    scalar(key, inner, Breaks::Refused, text);
                    text.push(':');
                    entry(value, inner, text);
                }
            }
        }
    }
}

/// Appends the value of a key: lists stand below it on the same column, maps two columns further.
fn entry(value: &Value, indent: usize, text: &mut String) {
    match &value.data {
        Data::List(list) | Data::Set(list) if !list.items.is_empty() => {
            for item in &list.items {
                new_line(indent, text);
                text.push_str("- ");
                node(item, Some(indent), text);
            }
        }
        Data::Map(map) if !map.entries.is_empty() => {
            new_line(indent + 2, text);
            node(value, Some(indent), text);
        }
        _ => {
            text.push(' ');
            node(value, Some(indent), text);
        }
    }
}

fn new_line(indent: usize, text: &mut String) {
    // A text in a block has ended its last line itself.
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.extend(std::iter::repeat_n(' ', indent));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Breaks {
    Allowed,
    Refused,
}

fn scalar(content: &str, indent: usize, breaks: Breaks, text: &mut String) {
    if breaks == Breaks::Allowed && content.contains('\n') && is_printable_block(content) {
        block(content, indent, text);
    } else {
        quoted(content, indent, breaks, text);
    }
}

/// Returns whether the text can stand as it is, line by line.
fn is_printable_block(content: &str) -> bool {
    content.chars().all(|c| c == '\n' || is_printable(c)) && !content.contains(" \n") && !content.ends_with(' ')
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{fffd}') && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn block(content: &str, indent: usize, text: &mut String) {
    text.push('|');
    if content.starts_with([' ', '\n']) {
        text.push('2');
    }
    if !content.ends_with('\n') {
        text.push('-');
    } else if content == "\n" || content.ends_with("\n\n") {
        text.push('+');
    }
    text.push('\n');
    for line in content.split_inclusive('\n') {
        if line != "\n" {
            text.extend(std::iter::repeat_n(' ', indent));
        }
        text.push_str(line);
    }
    if !content.ends_with('\n') {
        text.push('\n');
    }
}

fn quoted(content: &str, indent: usize, breaks: Breaks, text: &mut String) {
    let start = text.rfind('\n').map_or(0, |at| at + 1);
    let mut column = text[start..].chars().count() + 1;
    let mut after_space = false;
    text.push('"');
    let mut characters = content.chars().enumerate().peekable();
    while let Some((at, c)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        if c == ' ' && breaks == Breaks::Allowed && !after_space && column > WIDTH && at > 0 && next.is_some() {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent));
            column = indent;
            // The line break stands for one space; another one would be lost at the start of a line.
            if next == Some(' ') {
                text.push('\\');
                column += 1;
            }
            after_space = true;
            continue;
        }
        let before = text.len();
        escape(c, text);
        column += text[before..].chars().count();
        after_space = c == ' ';
    }
    text.push('"');
}

fn escape(c: char, text: &mut String) {
    let short = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c if is_printable(c) => return text.push(c),
        c => {
            let code = u32::from(c);
            let _ = match code {
                0..=0xff => write!(text, "\\x{code:02X}"),
                0x100..=0xffff => write!(text, "\\u{code:04X}"),
                _ => write!(text, "\\U{code:08X}"),
            };
            return;
        }
    };
    text.push('\\');
    text.push(short);
}
