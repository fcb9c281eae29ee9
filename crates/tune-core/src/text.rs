//! Makes text that came from elsewhere safe to show. A live value, a host's error message or a key from a
//! configuration may hold terminal escapes; nothing reaches a person before it went through here.

use std::fmt::Write as _;

/// Returns the text on one line with every control character made visible, and cut after `limit` characters.
///
/// `ESC` becomes `␛`, other control characters and the Unicode direction overrides become `\u{…}`.
pub fn visible(text: &str, limit: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(limit));
    for (index, c) in text.chars().enumerate() {
        if index == limit {
            shown.push('…');
            break;
        }
        push_visible(&mut shown, c);
    }
    shown
}

/// Returns the text as [`visible`] does, but keeps its line breaks.
pub fn visible_lines(text: &str, limit: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(limit));
    for (index, c) in text.chars().enumerate() {
        if index == limit {
            shown.push('…');
            break;
        }
        if c == '\n' { shown.push(c) } else { push_visible(&mut shown, c) }
    }
    shown
}

/// Returns the text as a quoted HCL string, with control characters, quotes, backslashes and template markers escaped.
pub fn quoted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 2);
    shown.push('"');
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' => shown.push_str("\\\""),
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            '$' | '%' if characters.peek() == Some(&'{') => {
                shown.push(c);
                shown.push(c);
            }
            c if is_unsafe(c) => {
                let _ = write!(shown, "\\u{:04x}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    shown.push('"');
    shown
}

fn push_visible(shown: &mut String, c: char) {
    match c {
        '\u{1b}' => shown.push('␛'),
        '\n' => shown.push_str("\\n"),
        '\t' => shown.push_str("\\t"),
        '\r' => shown.push_str("\\r"),
        c if is_unsafe(c) => {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        }
        c => shown.push(c),
    }
}

/// Control characters, and the format characters that reorder or hide text on a terminal.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Returns a text as one word of a shell, for commands that a person copies.
pub fn shell_word(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/,".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_shell_is_quoted_where_it_must_be() {
        assert_eq!(shell_word("sysctl.a"), "sysctl.a");
        assert_eq!(shell_word("sysctl.a[\"it's\"]"), "'sysctl.a[\"it'\\''s\"]'");
        assert_eq!(shell_word("$(x) `y`; z"), "'$(x) `y`; z'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn escapes_become_visible() {
        assert_eq!(visible("a\u{1b}]52;c;x\u{7}b\nc", 99), "a␛]52;c;x\\u{7}b\\nc");
        assert_eq!(visible("\u{202e}evil", 99), "\\u{202e}evil");
        assert_eq!(visible("abcdef", 3), "abc…");
    }

    #[test]
    fn quoting_is_hcl() {
        assert_eq!(quoted("a\"b\\${x}\n"), r#""a\"b\\$${x}\n""#);
    }
}
