//! The language of regular expressions that Terraform has (RE2, as Go reads it), translated into that of the `regex` crate.
//!
//! They are close relatives, but not the same: there `\d`, `\w`, `\s` and `\b` mean ASCII only, `[a[b]` and `[a&&b]` are
//! plain sets of characters, `a{,5}` is text, `\Q…\E` quotes, and the flag `x` does not exist. A pattern that means
//! something else, or is an error, in the one must not be taken as it is by the other.

use std::fmt::Write as _;

/// Longer patterns are refused.
const MAX_LENGTH: usize = 10_000;
/// How often something may be repeated, counted repetitions within each other multiplied.
const MAX_REPEAT: u32 = 1_000;

pub(super) struct Translated {
    pub pattern: String,
    /// The name of each group that captures.
    pub names: Vec<Option<String>>,
}

/// Returns the pattern in the language of the `regex` crate, or what is wrong with it.
pub(super) fn translate(source: &str) -> Result<Translated, String> {
    if source.len() > MAX_LENGTH {
        return Err(format!("a pattern has at most {MAX_LENGTH} characters"));
    }
    let mut translation = Translation {
        rest: source,
        pattern: String::with_capacity(2 * source.len()),
        names: Vec::new(),
        groups: Vec::new(),
        heaviest: 1,
        atom: Atom::None,
    };
    translation.run()?;
    Ok(Translated { pattern: translation.pattern, names: translation.names })
}

struct Translation<'a> {
    rest: &'a str,
    pattern: String,
    names: Vec<Option<String>>,
    /// For each open group, the weight that was around it.
    groups: Vec<u32>,
    /// How often the most repeated part of the current group is repeated.
    heaviest: u32,
    atom: Atom,
}

/// What stands before the current place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Atom {
    /// Nothing that could be repeated.
    None,
    /// Something that is repeated this often already.
    Repeatable(u32),
    Repeated,
}

impl Translation<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.next() {
            match c {
                '(' => self.open()?,
                ')' => {
                    let around = self.groups.pop().ok_or("a `)` has no `(`")?;
                    self.pattern.push(')');
                    let inside = std::mem::replace(&mut self.heaviest, around);
                    self.heaviest = self.heaviest.max(inside);
                    self.atom = Atom::Repeatable(inside);
                }
                '|' => {
                    self.pattern.push('|');
                    self.atom = Atom::None;
                }
                '*' | '+' | '?' => self.repeat(&c.to_string(), 1)?,
                '{' => match counted(self.rest) {
                    Some((least, most, length)) => {
                        let count = format!("{{{}", &self.rest[..length]);
                        self.rest = &self.rest[length..];
                        if least > MAX_REPEAT || most.is_some_and(|most| most > MAX_REPEAT || most < least) {
                            return Err(format!("a repetition counts up to {MAX_REPEAT}, the smaller number first"));
                        }
                        self.repeat(&count, most.unwrap_or(least))?;
                    }
                    None => self.literal('{'),
                },
                '.' | '^' | '$' => self.push(&c.to_string()),
                '[' => self.class()?,
                '\\' => self.escape()?,
                c => self.literal(c),
            }
        }
        if self.groups.is_empty() { Ok(()) } else { Err("a `(` has no `)`".to_owned()) }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// Appends something that may be repeated.
    fn push(&mut self, piece: &str) {
        self.pattern.push_str(piece);
        self.atom = Atom::Repeatable(1);
    }

    fn literal(&mut self, c: char) {
        self.push(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    fn repeat(&mut self, operator: &str, times: u32) -> Result<(), String> {
        let weight = match self.atom {
            Atom::Repeatable(weight) => weight.saturating_mul(times.max(1)),
            Atom::Repeated => return Err("a repetition cannot be repeated; put it in `(?:…)`".to_owned()),
            Atom::None => return Err("there is nothing to repeat".to_owned()),
        };
        if weight > MAX_REPEAT {
            return Err(format!("repetitions within each other count up to {MAX_REPEAT}"));
        }
        self.heaviest = self.heaviest.max(weight);
        self.pattern.push_str(operator);
        if let Some(rest) = self.rest.strip_prefix('?') {
            self.rest = rest;
            self.pattern.push('?');
        }
        self.atom = Atom::Repeated;
        Ok(())
    }

    fn open(&mut self) -> Result<(), String> {
        let named = self.rest.strip_prefix("?P<").or_else(|| self.rest.strip_prefix("?<"));
        if let Some(named) = named {
            let (name, rest) = named.split_once('>').ok_or("the name of a group ends with `>`")?;
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err("the name of a group consists of letters, digits and underscores".to_owned());
            }
            self.rest = rest;
            self.names.push(Some(name.to_owned()));
            self.pattern.push('(');
        } else if self.rest.starts_with('?') {
            return self.flags();
        } else {
            self.names.push(None);
            self.pattern.push('(');
        }
        self.enter();
        Ok(())
    }

    fn enter(&mut self) {
        self.groups.push(std::mem::replace(&mut self.heaviest, 1));
        self.atom = Atom::None;
    }

    /// `(?flags)` for the rest of the group, or `(?flags:…)` for a group of its own.
    fn flags(&mut self) -> Result<(), String> {
        let unknown = "the flags `i`, `m`, `s` and `U` can stand here, as in `(?i)`, and nothing else";
        let end = self.rest.find([':', ')']).ok_or(unknown)?;
        let (flags, closing) = (&self.rest[1..end], &self.rest[end..=end]);
        let (on, off) = flags.split_once('-').unwrap_or((flags, ""));
        let are_known = [on, off].iter().all(|flags| flags.chars().all(|flag| "imsU".contains(flag)));
        if !are_known || (flags.contains('-') && off.is_empty()) {
            return Err(unknown.to_owned());
        }
        self.rest = &self.rest[end + 1..];
        // The crate takes each flag once; the last one counts.
        let on: String = "imsU".chars().filter(|flag| on.contains(*flag) && !off.contains(*flag)).collect();
        let off: String = "imsU".chars().filter(|flag| off.contains(*flag)).collect();
        let minus = if off.is_empty() { "" } else { "-" };
        if closing == ":" {
            let _ = write!(self.pattern, "(?{on}{minus}{off}:");
            self.enter();
        } else {
            if !flags.is_empty() {
                let _ = write!(self.pattern, "(?{on}{minus}{off})");
            }
            self.atom = Atom::None;
        }
        Ok(())
    }

    /// What a backslash outside of brackets means.
    fn escape(&mut self) -> Result<(), String> {
        let mut ahead = self.rest.chars();
        let kind = ahead.next().ok_or("the pattern ends with a backslash")?;
        match kind {
            'A' | 'z' => self.push(&format!("\\{kind}")),
            'b' | 'B' => self.push(&format!("(?-u:\\{kind})")),
            'Q' => {
                let quoted = &self.rest[1..];
                let (text, rest) = quoted.split_once("\\E").unwrap_or((quoted, ""));
                self.rest = rest;
                text.chars().for_each(|c| self.literal(c));
                return Ok(());
            }
            _ => {
                let piece = match self.escaped_class()? {
                    Some(class) => format!("[{class}]"),
                    None => hexadecimal(self.escaped_character()?),
                };
                self.push(&piece);
                return Ok(());
            }
        }
        self.rest = ahead.as_str();
        Ok(())
    }

    /// `\d`, `\pL` and the like behind their backslash, as they are written between brackets.
    fn escaped_class(&mut self) -> Result<Option<String>, String> {
        let Some(kind) = self.rest.chars().next() else { return Ok(None) };
        let class = match kind {
            'd' => "0-9",
            'D' => "[^0-9]",
            's' => "\\t\\n\\x0C\\r\\x20",
            'S' => "[^\\t\\n\\x0C\\r\\x20]",
            'w' => "0-9A-Za-z_",
            'W' => "[^0-9A-Za-z_]",
            'p' | 'P' => {
                self.rest = &self.rest[1..];
                return self.unicode_class(kind == 'P').map(Some);
            }
            _ => return Ok(None),
        };
        self.rest = &self.rest[1..];
        Ok(Some(class.to_owned()))
    }

    /// `L`, `{Greek}` or `{^Greek}`.
    fn unicode_class(&mut self, mut negated: bool) -> Result<String, String> {
        const CATEGORIES: &str = " C Cc Cf Co L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm \
                                  So Z Zl Zp Zs ";
        let (name, rest) = if let Some(braced) = self.rest.strip_prefix('{') {
            braced.split_once('}').ok_or("the name of a class ends with `}`")?
        } else {
            self.rest.split_at(self.rest.chars().next().map_or(0, char::len_utf8))
        };
        self.rest = rest;
        let name = name.strip_prefix('^').map_or(name, |name| {
            negated = !negated;
            name
        });
        let sign = if negated { "P" } else { "p" };
        if name == "Any" {
            return Ok(if negated { "[^\\x{0}-\\x{10FFFF}]".to_owned() } else { "\\x{0}-\\x{10FFFF}".to_owned() });
        }
        let is_word = name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if !is_word {
            return Err("there is no such class of characters; `\\p{Greek}` and `\\p{Lu}` are two".to_owned());
        }
        let is_category = CATEGORIES.contains(&format!(" {name} "));
        Ok(if is_category { format!("\\{sign}{{{name}}}") } else { format!("\\{sign}{{sc={name}}}") })
    }

    /// One character behind a backslash.
    fn escaped_character(&mut self) -> Result<char, String> {
        let kind = self.next().ok_or("the pattern ends with a backslash")?;
        let octal = |c: char| c.is_digit(8);
        let c = match kind {
            'a' => '\u{7}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => {
                let digits = if let Some(braced) = self.rest.strip_prefix('{') {
                    let (digits, rest) = braced.split_once('}').ok_or("`\\x{` ends with `}`")?;
                    self.rest = rest;
                    digits
                } else {
                    let digits = self.rest.get(..2).ok_or("`\\x` takes two hexadecimal digits")?;
                    self.rest = &self.rest[2..];
                    digits
                };
                let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let code = u32::from_str_radix(digits, 16).ok().filter(|_| is_hexadecimal);
                code.and_then(char::from_u32).ok_or("`\\x` names no character")?
            }
            '0' | '1'..='7' if kind == '0' || self.rest.starts_with(octal) => {
                let length = self.rest.chars().take(2).take_while(|c| octal(*c)).count();
                let (digits, rest) = self.rest.split_at(length);
                self.rest = rest;
                let code = u32::from_str_radix(&format!("{kind}{digits}"), 8).unwrap_or(0);
                char::from_u32(code).unwrap_or('\0')
            }
            '1'..='7' => return Err("a pattern cannot refer back to a group".to_owned()),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
            c => return Err(format!("`\\{}` means nothing", tune_core::text::visible(&c.to_string(), 8))),
        };
        Ok(c)
    }

    /// A set of characters, behind its opening bracket.
    fn class(&mut self) -> Result<(), String> {
        let mut class = String::from("[");
        if let Some(rest) = self.rest.strip_prefix('^') {
            self.rest = rest;
            class.push('^');
        }
        let mut is_first = true;
        loop {
            let c = self.rest.chars().next().ok_or("a `[` has no `]`")?;
            if c == ']' && !is_first {
                self.rest = &self.rest[1..];
                break;
            }
            is_first = false;
            if let Some((name, rest)) = self.rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) {
                class.push_str(posix(name)?);
                self.rest = rest;
                continue;
            }
            if c == '\\' {
                let before = self.rest;
                self.rest = &self.rest[1..];
                if let Some(escaped) = self.escaped_class()? {
                    class.push_str(&escaped);
                    continue;
                }
                self.rest = before;
            }
            let low = self.class_character()?;
            let is_range = self.rest.starts_with('-') && !self.rest[1..].starts_with(']') && self.rest.len() > 1;
            class.push_str(&hexadecimal(low));
            if is_range {
                self.rest = &self.rest[1..];
                let high = self.class_character()?;
                if high < low {
                    return Err("a range of characters ends before it starts".to_owned());
                }
                class.push('-');
                class.push_str(&hexadecimal(high));
            }
        }
        class.push(']');
        self.push(&class);
        Ok(())
    }

    fn class_character(&mut self) -> Result<char, String> {
        match self.next() {
            Some('\\') => self.escaped_character(),
            Some(c) => Ok(c),
            None => Err("a `[` has no `]`".to_owned()),
        }
    }
}

fn hexadecimal(c: char) -> String {
    format!("\\x{{{:x}}}", u32::from(c))
}

fn posix(name: &str) -> Result<&'static str, String> {
    Ok(match name {
        "alnum" => "[:alnum:]",
        "alpha" => "[:alpha:]",
        "ascii" => "[:ascii:]",
        "blank" => "[:blank:]",
        "cntrl" => "[:cntrl:]",
        "digit" => "[:digit:]",
        "graph" => "[:graph:]",
        "lower" => "[:lower:]",
        "print" => "[:print:]",
        "punct" => "[:punct:]",
        "space" => "[:space:]",
        "upper" => "[:upper:]",
        "word" => "[:word:]",
        "xdigit" => "[:xdigit:]",
        "^alnum" => "[:^alnum:]",
        "^alpha" => "[:^alpha:]",
        "^ascii" => "[:^ascii:]",
        "^blank" => "[:^blank:]",
        "^cntrl" => "[:^cntrl:]",
        "^digit" => "[:^digit:]",
        "^graph" => "[:^graph:]",
        "^lower" => "[:^lower:]",
        "^print" => "[:^print:]",
        "^punct" => "[:^punct:]",
        "^space" => "[:^space:]",
        "^upper" => "[:^upper:]",
        "^word" => "[:^word:]",
        "^xdigit" => "[:^xdigit:]",
        _ => return Err("there is no such class of characters; `[[:alpha:]]` is one".to_owned()),
    })
}

/// Reads `3}`, `3,}` or `3,5}` and says how long it is; anything else behind a brace is plain text.
fn counted(text: &str) -> Option<(u32, Option<u32>, usize)> {
    let (inside, _) = text.split_once('}')?;
    let number = |digits: &str| {
        let is_plain = !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits.len() == 1 || !digits.starts_with('0'));
        // One that does not fit is far above the limit.
        is_plain.then(|| digits.parse().unwrap_or(u32::MAX))
    };
    let (least, most) = match inside.split_once(',') {
        None => (number(inside)?, Some(number(inside)?)),
        Some((least, "")) => (number(least)?, None),
        Some((least, most)) => (number(least)?, Some(number(most)?)),
    };
    Some((least, most, inside.len() + 1))
}
