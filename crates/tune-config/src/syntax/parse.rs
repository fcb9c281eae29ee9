//! From text to the syntax tree of `hcl-edit`. That parser stops at the first mistake; the two that leave the shape of
//! the text intact, a name written twice in a block or in an object, are stepped over here, so that they hide no other.

use std::collections::HashMap;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Body;

use super::mistake;
use crate::diagnostic::Diagnostic;
use crate::source::FileId;

/// Larger texts are refused: nobody wrote them by hand, and positions are kept in 32 bits.
const MAX_BYTES: usize = 16 << 20;
/// How many repeated names are stepped over before the rest of a file is given up.
const MAX_REPEATED: usize = 64;

/// A file whose shape is right.
pub(crate) struct Parsed {
    pub body: Body,
    /// What was parsed: the file's text, with repeated names made distinct. Positions are those of the file.
    pub text: String,
    /// The repeated names as they were written, by position.
    pub repeated: HashMap<usize, String>,
}

/// Returns the syntax tree of one file, or its first mistake.
pub(crate) fn parse(file: FileId, text: &str) -> Result<Parsed, Diagnostic> {
    if text.len() > MAX_BYTES {
        return Err(mistake::too_long(file, MAX_BYTES));
    }
    // A byte order mark is no part of HCL, but some editors write one.
    let mut text = text.strip_prefix('\u{feff}').map_or_else(|| text.to_owned(), |rest| format!("   {rest}"));
    let mut repeated = HashMap::new();
    let mut attempt = 0;
    loop {
        let error = match hcl_edit::parser::parse_body(&text) {
            Ok(body) => return Ok(Parsed { body, text, repeated }),
            Err(error) => error,
        };
        let offset = text.floor_char_boundary(error.location().offset());
        let is_repeated = error.message().contains("found redefined") && attempt < MAX_REPEATED;
        if !is_repeated || !rename(&mut text, offset, attempt, &mut repeated) {
            return Err(mistake::explain(file, &text, offset, error.message()));
        }
        attempt += 1;
    }
}

/// Returns the expression that a text of its own holds.
pub(crate) fn parse_expression(file: FileId, text: &str) -> Result<Expression, Diagnostic> {
    hcl_edit::parser::parse_expr(text)
        .map_err(|error| mistake::explain(file, text, error.location().offset(), error.message()))
}

/// Replaces the name or the quoted text at `offset` by another of the same length.
fn rename(text: &mut String, offset: usize, attempt: usize, repeated: &mut HashMap<usize, String>) -> bool {
    let rest = &text[offset..];
    let (start, length) = if let Some(quoted) = rest.strip_prefix('"') {
        match quoted.find(['"', '\\', '$', '%', '\n']) {
            Some(end) if quoted[end..].starts_with('"') => (offset + 1, end),
            _ => return false,
        }
    } else {
        (offset, rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(rest.len()))
    };
    // The names are numbered in base 26. One that happens to exist is found repeated in turn, and numbered anew.
    let mut number = attempt;
    let mut name = vec![b'z'; length];
    for letter in name.iter_mut().rev() {
        *letter -= u8::try_from(number % 26).unwrap_or(0);
        number /= 26;
    }
    if number > 0 || length == 0 {
        return false;
    }
    let name = String::from_utf8(name).expect("letters are ASCII");
    let original = text[start..start + length].to_owned();
    text.replace_range(start..start + length, &name);
    repeated.entry(offset).or_insert(original);
    true
}
