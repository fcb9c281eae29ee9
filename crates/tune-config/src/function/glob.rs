//! Patterns for paths: `*` and `?` within one name, `**` for any number of folders, `[a-z]`, `[^a-z]` and `{a,b}`.

/// Braces in a pattern stand for at most so many patterns.
const MAX_PATTERNS: usize = 256;
const MAX_LENGTH: usize = 1_000;

/// A pattern, as one row of parts for each of its alternatives.
pub(super) struct Pattern {
    alternatives: Vec<Vec<Part>>,
}

/// What one name of a path must be.
enum Part {
    /// `**`: any number of names.
    Any,
    Name(Vec<Piece>),
}

enum Piece {
    Literal(char),
    /// `*`
    Many,
    /// `?`
    One,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LENGTH {
            return Err(format!("a pattern has at most {MAX_LENGTH} characters"));
        }
        let mut alternatives = Vec::new();
        let mut waiting = vec![text.to_owned()];
        while let Some(text) = waiting.pop() {
            if alternatives.len() + waiting.len() > MAX_PATTERNS {
                return Err(format!("the braces stand for more than {MAX_PATTERNS} patterns"));
            }
            match braces(&text)? {
                Some((before, choices, after)) => {
                    waiting.extend(choices.iter().map(|choice| format!("{before}{choice}{after}")));
                }
                None => alternatives.push(parts(&text)?),
            }
        }
        Ok(Self { alternatives })
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').collect();
        self.alternatives.iter().any(|parts| reach(parts, &names)[parts.len()])
    }

    /// Returns whether anything below the folder could match, so that others need not be looked into.
    pub(super) fn may_match_below(&self, folder: &str) -> bool {
        let names: Vec<&str> = folder.split('/').collect();
        self.alternatives.iter().any(|parts| {
            let reached = reach(parts, &names);
            // Something must be left for what is below.
            (0..parts.len()).any(|at| reached[at])
        })
    }
}

/// Returns how many parts of the pattern may have been used up by exactly these names. Every name is looked at once for
/// every part, so no pattern is expensive.
fn reach(parts: &[Part], names: &[&str]) -> Vec<bool> {
    let skip_any = |mut reached: Vec<bool>| {
        for (at, part) in parts.iter().enumerate() {
            if reached[at] && matches!(part, Part::Any) {
                reached[at + 1] = true;
            }
        }
        reached
    };
    let mut reached = vec![false; parts.len() + 1];
    reached[0] = true;
    reached = skip_any(reached);
    for name in names {
        let mut next = vec![false; parts.len() + 1];
        for (at, part) in parts.iter().enumerate().filter(|(at, _)| reached[*at]) {
            match part {
                Part::Any => next[at] = true,
                Part::Name(pieces) => next[at + 1] |= is_name(pieces, name),
            }
        }
        reached = skip_any(next);
    }
    reached
}

fn is_name(pieces: &[Piece], name: &str) -> bool {
    let mut reached = vec![false; pieces.len() + 1];
    reached[0] = true;
    let skip_many = |reached: &mut Vec<bool>| {
        for (at, piece) in pieces.iter().enumerate() {
            if reached[at] && matches!(piece, Piece::Many) {
                reached[at + 1] = true;
            }
        }
    };
    skip_many(&mut reached);
    for c in name.chars() {
        let mut next = vec![false; pieces.len() + 1];
        for (at, piece) in pieces.iter().enumerate().filter(|(at, _)| reached[*at]) {
            match piece {
                Piece::Many => next[at] = true,
                Piece::One => next[at + 1] = true,
                Piece::Literal(wanted) => next[at + 1] |= *wanted == c,
                Piece::Class { negated, ranges } => {
                    next[at + 1] |= ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated;
                }
            }
        }
        skip_many(&mut next);
        reached = next;
    }
    reached[pieces.len()]
}

/// What stands before, in and behind braces.
type Braces<'a> = (&'a str, Vec<&'a str>, &'a str);

/// Returns the first braces in a pattern.
fn braces(text: &str) -> Result<Option<Braces<'_>>, String> {
    let mut characters = text.char_indices();
    let (mut start, mut depth, mut choices, mut from) = (0, 0_u32, Vec::new(), 0);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => _ = characters.next(),
            '{' => {
                if depth == 0 {
                    (start, from) = (at, at + 1);
                }
                depth += 1;
            }
            ',' if depth == 1 => {
                choices.push(&text[from..at]);
                from = at + 1;
            }
            '}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    choices.push(&text[from..at]);
                    return Ok(Some((&text[..start], choices, &text[at + 1..])));
                }
            }
            _ => {}
        }
    }
    if depth > 0 { Err("a `{` has no `}`".to_owned()) } else { Ok(None) }
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    let names = text.split('/').filter(|name| *name != ".");
    names
        .map(|name| match name {
            "**" => Ok(Part::Any),
            ".." => Err("a pattern cannot lead out of the folder".to_owned()),
            name => pieces(name).map(Part::Name),
        })
        .collect()
}

fn pieces(name: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut characters = name.chars().peekable();
    while let Some(c) = characters.next() {
        pieces.push(match c {
            '*' => Piece::Many,
            '?' => Piece::One,
            '\\' => Piece::Literal(characters.next().ok_or("the pattern ends with a backslash")?),
            '[' => {
                let negated = characters.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                let mut next = || {
                    match characters.next() {
                        Some('\\') => characters.next(),
                        Some(']') => None,
                        c => c,
                    }
                    .ok_or_else(|| "a `[` has no `]`, or nothing in it".to_owned())
                };
                let mut low = next()?;
                loop {
                    let mut high = low;
                    if characters.next_if_eq(&'-').is_some() {
                        high = characters.next().filter(|c| *c != ']').ok_or("a range has no end")?;
                    }
                    ranges.push((low, high));
                    match characters.next() {
                        Some(']') => break,
                        Some('\\') => low = characters.next().ok_or("a `[` has no `]`")?,
                        Some(c) => low = c,
                        None => return Err("a `[` has no `]`".to_owned()),
                    }
                }
                Piece::Class { negated, ranges }
            }
            c => Piece::Literal(c),
        });
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let parsed = Pattern::parse(pattern).expect("a pattern");
        for path in yes {
            assert!(parsed.matches(path), "{pattern} {path}");
            let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
            assert!(folders.into_iter().all(|folder| parsed.may_match_below(folder)), "{pattern} {path}");
        }
        for path in no {
            assert!(!parsed.matches(path), "{pattern} {path}");
        }
    }

    #[test]
    fn patterns_match_paths() {
        check("*", &["a", ".b"], &["a/b"]);
        check("**", &["a", "a/b/c"], &[]);
        check("**/*.txt", &["a.txt", "a/b.txt"], &["a/b"]);
        check("a/**/b", &["a/b", "a/x/y/b"], &["b", "x/b"]);
        check("**b", &["ab"], &["a/b"]);
        check("{a,b/{c,d}}.x", &["a.x", "b/d.x"], &["a", "b/e.x"]);
        check("[a-c]?[^x]", &["bzz"], &["dzz", "bzx", "bz"]);
        check("./a\\*", &["a*"], &["ab"]);
        assert!(!Pattern::parse("a/*").expect("a pattern").may_match_below("b"));
        for wrong in ["[", "[]", "{a", "../x", "\\", "[a-]", "[a"] {
            assert!(Pattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
