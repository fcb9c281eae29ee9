//! Functions with regular expressions. The language of patterns is that of Terraform, see `syntax`; matching takes time in
//! step with the text, whatever the pattern, and both the pattern and the work are limited.

mod syntax;

use std::cell::RefCell;
use std::rc::Rc;

use regex::{Captures, Regex, RegexBuilder};

use super::{Call, Failure, Function, MAX_BYTES, MAX_ITEMS, Shape, row, takes};
use crate::value::{Entries, Value};

/// Sizes in bytes that a compiled pattern may have; the smallest that is enough says how expensive matching is.
const SIZES: [usize; 5] = [1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22];
/// The most that the size of a pattern times the length of a text may be: some seconds of the worst kind of work.
const MAX_WORK: u64 = 1 << 34;
/// What is worth one step of the budget.
const WORK_PER_STEP: u64 = 1 << 13;
/// How many compiled patterns are kept.
const KEPT: usize = 16;

pub(super) const FUNCTIONS: &[Function] = &[
    row(
        "regex",
        &[takes("pattern", Shape::Text), takes("text", Shape::Text)],
        Shape::Any,
        "The first match: a text, a list of the pattern's groups, or an object if the groups have names.",
        first,
    )
    .example(concat!(
        r#"regex("[a-z]+", "53abc12")"#,
        "\n",
        r#"regex("(\\d+)-(\\d+)", "2026-11")"#,
        "\n",
        r#"regex("(?P<major>\\d+)\\.(?P<minor>\\d+)", "v6.12")"#
    )),
    row(
        "regexall",
        &[takes("pattern", Shape::Text), takes("text", Shape::Text)],
        Shape::List,
        "Every match, each as `regex` gives it.",
        every,
    )
    .example(concat!(r#"regexall("[a-z]+", "12ab34cd")"#, "\n", r#"length(regexall("^6\\.", "6.12.1")) > 0"#)),
];

/// A pattern that is ready to be used.
struct Pattern {
    regex: Regex,
    groups: Groups,
    /// The entry of [`SIZES`] that it fits in.
    size: usize,
    /// The name of each group, for replacements.
    names: Vec<Option<String>>,
}

enum Groups {
    None,
    Numbered,
    Named(Vec<String>),
}

/// `replace` with a pattern between slashes, in which `$1` and `${name}` stand for groups.
pub(super) fn replace(call: &mut Call<'_>) -> Result<Value, Failure> {
    let part = call.text(1).to_owned();
    let pattern = ready(call, 1, &part[1..part.len() - 1], 0)?;
    let (text, replacement) = (call.text(0), call.text(2));
    let mut result = String::new();
    let mut end = 0;
    for captures in pattern.regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        result.push_str(&text[end..whole.start()]);
        expand(replacement, &captures, &pattern.names, &mut result);
        end = whole.end();
        if result.len() > MAX_BYTES {
            return Err(Failure::too_large());
        }
    }
    result.push_str(&text[end..]);
    Ok(Value::string(result))
}

fn first(call: &mut Call<'_>) -> Result<Value, Failure> {
    let source = call.text(0).to_owned();
    let pattern = ready(call, 0, &source, 1)?;
    let captures = pattern.regex.captures(call.text(1));
    let captures = captures.ok_or_else(|| Failure::of(1, "the pattern does not match anything in the text"))?;
    pattern.value(&captures)
}

fn every(call: &mut Call<'_>) -> Result<Value, Failure> {
    let source = call.text(0).to_owned();
    let pattern = ready(call, 0, &source, 1)?;
    let mut matches = Vec::new();
    for captures in pattern.regex.captures_iter(call.text(1)) {
        matches.push(pattern.value(&captures)?);
        if matches.len().saturating_mul(pattern.regex.captures_len()) > MAX_ITEMS {
            return Err(Failure::too_large());
        }
    }
    // A pattern with mixed groups is a mistake even where it matches nothing.
    pattern.check_groups()?;
    Ok(Value::list(matches))
}

/// Returns the pattern ready for the text at `text`, and counts the work that this will be.
fn ready(call: &mut Call<'_>, position: usize, source: &str, text: usize) -> Result<Rc<Pattern>, Failure> {
    thread_local! {
        /// The patterns that were used last. A configuration uses few, but each for every instance of a block. What is
        /// kept makes no difference to any result or cost.
        static READY: RefCell<Vec<(String, Rc<Pattern>)>> = const { RefCell::new(Vec::new()) };
    }
    let kept = READY
        .with_borrow(|ready| ready.iter().find(|(known, _)| known == source).map(|(_, pattern)| Rc::clone(pattern)));
    let pattern = if let Some(pattern) = kept {
        pattern
    } else {
        let pattern = Rc::new(Pattern::new(source).map_err(|reason| Failure::of(position, reason))?);
        READY.with_borrow_mut(|ready| {
            if ready.len() == KEPT {
                ready.remove(0);
            }
            ready.push((source.to_owned(), Rc::clone(&pattern)));
        });
        pattern
    };
    let work = (pattern.size as u64).saturating_mul(1 + call.text(text).len() as u64);
    if work > MAX_WORK {
        return Err(Failure::too_large());
    }
    call.cost = call.cost.saturating_add(work / WORK_PER_STEP);
    Ok(pattern)
}

impl Pattern {
    fn new(source: &str) -> Result<Self, String> {
        let syntax::Translated { pattern, names } = syntax::translate(source)?;
        let named: Vec<String> = names.iter().flatten().cloned().collect();
        let groups = match (names.len(), named.len()) {
            (0, _) => Groups::None,
            (_, 0) => Groups::Numbered,
            _ => Groups::Named(named),
        };
        for size in SIZES {
            match RegexBuilder::new(&pattern).size_limit(size).dfa_size_limit(1 << 20).build() {
                Ok(regex) => return Ok(Self { regex, groups, size, names }),
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(_) => return Err("this is no regular expression".to_owned()),
            }
        }
        Err("the pattern is too large".to_owned())
    }

    fn check_groups(&self) -> Result<(), Failure> {
        match &self.groups {
            Groups::Named(names) if names.len() != self.names.len() => {
                Err(Failure::of(0, "either all groups have names, or none has; `(?:…)` is no group"))
            }
            _ => Ok(()),
        }
    }

    fn value(&self, captures: &Captures<'_>) -> Result<Value, Failure> {
        self.check_groups()?;
        let group = |at: usize| captures.get(at).map_or(Value::NULL, |part| Value::string(part.as_str()));
        Ok(match &self.groups {
            Groups::None => group(0),
            Groups::Numbered => Value::list((1..captures.len()).map(group).collect()),
            Groups::Named(names) => {
                let entries: Entries =
                    names.iter().enumerate().map(|(at, name)| (name.as_str().into(), group(at + 1))).collect();
                Value::map(entries)
            }
        })
    }
}

/// Appends the replacement for one match. `$$` is a dollar sign, `$name` and `${name}` are groups by name or number; a
/// group that does not exist or took no part in the match is empty. Any other dollar sign stands for itself.
fn expand(replacement: &str, captures: &Captures<'_>, names: &[Option<String>], result: &mut String) {
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
            continue;
        }
        let (name, length) = match rest.strip_prefix('{') {
            Some(inner) => {
                let name = word(inner);
                (name, if inner[name.len()..].starts_with('}') { name.len() + 2 } else { 0 })
            }
            None => (word(rest), word(rest).len()),
        };
        if name.is_empty() || length == 0 {
            result.push('$');
            continue;
        }
        rest = &rest[length..];
        let number = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
        let group = if number {
            name.parse().ok()
        } else {
            names.iter().position(|group| group.as_deref() == Some(name)).map(|at| at + 1)
        };
        result.push_str(group.and_then(|group| captures.get(group)).map_or("", |part| part.as_str()));
    }
    result.push_str(rest);
}

/// Returns the letters, digits and underscores that a text starts with.
fn word(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())]
}
