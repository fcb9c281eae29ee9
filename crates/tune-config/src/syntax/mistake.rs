//! Says what is wrong with a text that could not be parsed. The parser's own words are often about a place far from the
//! mistake, so the text is looked at once more, for what people usually get wrong.

use crate::code;
use crate::diagnostic::{Diagnostic, shown};
use crate::source::{FileId, Span};

/// Returns whether a text goes on in the next line: a bracket, a heredoc or a comment is still open.
pub(crate) fn goes_on(text: &str) -> bool {
    // A heredoc has begun once its first line has ended, which may be the last that was typed.
    let problem = find_imbalance(&format!("{text}\n")).map(|imbalance| imbalance.problem);
    matches!(problem, Some(Problem::Unclosed(_) | Problem::Heredoc(_) | Problem::Comment))
}

/// Returns the mistake behind the parser's `message` about `offset`.
pub(super) fn explain(file: FileId, text: &str, offset: usize, message: &str) -> Diagnostic {
    // At the end of the text the parser names the last byte, which may be in the middle of a character.
    let place = Place { file, text, offset: text.floor_char_boundary(offset) };
    // These two come from giving up on a whole attribute or block: they say where it starts, not where it is wrong.
    let vague = message == "unexpected token" || message.starts_with("invalid block body");
    match find_imbalance(text) {
        Some(imbalance) if vague || imbalance.at <= offset => place.imbalance(&imbalance),
        _ => place.local(message),
    }
}

pub(super) fn too_long(file: FileId, limit: usize) -> Diagnostic {
    let span = Span::new(file, 0..0);
    let message = format!("the file is larger than {} MiB", limit >> 20);
    Diagnostic::error(code::BUDGET, span, message, "this file").help("split the file")
}

struct Place<'a> {
    file: FileId,
    text: &'a str,
    offset: usize,
}

impl Place<'_> {
    fn error(&self, range: std::ops::Range<usize>, message: impl Into<String>, label: &str) -> Diagnostic {
        Diagnostic::error(code::SYNTAX, Span::new(self.file, range), message, label)
    }

    fn imbalance(&self, imbalance: &Imbalance) -> Diagnostic {
        let Imbalance { at, problem } = imbalance;
        let at = *at;
        match problem {
            Problem::Text => self
                .error(at..line_end(self.text, at), "a quoted text is not closed", "no `\"` ends it on this line")
                .help("end it with `\"`, or write `\\n` for a line break"),
            Problem::Heredoc(delimiter) => self.error(
                at..line_end(self.text, at),
                format!("the heredoc `{}` is not closed", shown(delimiter)),
                "no line consists of this word alone",
            ),
            Problem::Directive(word) => self
                .error(
                    at..line_end(self.text, at).min(at + 2),
                    format!("`%{{ {word} … }}` is not closed"),
                    "nothing ends this",
                )
                .help(format!("end it with `%{{ end{word} }}`")),
            Problem::StrayDirective => self
                .error(at..at + 2, "a directive that means nothing here", "neither starts nor ends anything")
                .help("write `%%{` if the text itself should hold `%{`"),
            Problem::Comment => self.error(at..at + 2, "a comment is not closed", "no `*/` ends it"),
            Problem::Unclosed(open) => {
                self.error(at..at + open.len(), format!("`{open}` is not closed"), "nothing closes this")
            }
            Problem::Stray(closer) => {
                self.error(at..at + 1, format!("unexpected `{closer}`"), "there is nothing open that this could close")
            }
            Problem::Mismatch(opener, open, closer) => self
                .error(at..at + 1, format!("unexpected `{closer}`"), "something else must be closed first")
                .label(Span::new(self.file, *opener..*opener + open.len()), "this is still open"),
        }
    }

    fn local(&self, message: &str) -> Diagnostic {
        let rest = &self.text[self.offset..];
        let next = rest.chars().next();
        let line_over = matches!(next, None | Some('\n' | '\r' | '#' | '}')) || rest.starts_with("//");
        let word = self.word();
        let here = self.text[word.clone()].to_owned();
        let here = shown(&here);
        let expected = |what: &str| message.contains(what);

        // The parser takes a number up to an exponent that it cannot hold.
        let is_exponent = here.starts_with(['e', 'E']) && here[1..].starts_with(is_digit);
        if is_exponent && self.text[..self.offset].ends_with(is_digit) {
            return self.error(word, "a number is out of range", "the exponent is too large");
        }
        if message.starts_with("invalid nesting depth") {
            return Diagnostic {
                code: code::BUDGET,
                ..self.error(word, "nested more than 64 levels deep", "this is one level too many")
            };
        }
        if expected("chained binary operators") {
            return Diagnostic {
                code: code::BUDGET,
                ..self.error(word, "more than 128 operators in one expression", "this is one too many")
            }
            .help("split the expression with a local value");
        }
        if expected("found redefined") {
            return Diagnostic {
                code: code::DUPLICATE,
                ..self.error(word, "a name is written twice", "written before in the same place")
            };
        }
        if message.starts_with("invalid escape") || message.starts_with("invalid unicode") {
            let backslash = self.text[..self.offset].rfind('\\').unwrap_or(self.offset);
            let kind = self.text[backslash..].chars().nth(1).map_or(0, char::len_utf8);
            return self
                .error(backslash..backslash + 1 + kind, "unknown escape in a text", "not an escape")
                .help("write `\\\\` for a backslash; the escapes are `\\n`, `\\t`, `\\r`, `\\\"`, `\\\\`, `\\uXXXX`");
        }
        if message == "unexpected token" && self.starts_attribute() {
            // The parser ran into the end of the text while it looked for a value.
            let end = Self { offset: self.text.len(), ..*self };
            return end.error(end.before(), "a value is missing", "nothing follows this");
        }
        if message.starts_with("invalid expression") {
            if next == Some('\'') {
                return self
                    .error(word, "a text starts with a single quote", "not a quote in HCL")
                    .help("write texts in double quotes");
            }
            if line_over {
                return self.error(self.before(), "a value is missing", "nothing follows this");
            }
            return self.error(word, format!("`{here}` is not a value"), "a value was expected here");
        }
        if message.starts_with("invalid structure") || message.starts_with("invalid block body") {
            if next == Some(':') {
                return self
                    .error(word, "unexpected `:`", "an attribute is written with `=`")
                    .help("write `=` instead of `:`");
            }
            if line_over {
                let brace_below = rest.trim_start().starts_with('{');
                return self
                    .error(
                        self.before_word(),
                        "a name alone is neither an attribute nor a block",
                        "`=` or `{` should follow",
                    )
                    .maybe_help(brace_below.then(|| "put the brace on the same line as the name".to_owned()));
            }
            return self.error(word, format!("unexpected `{here}`"), "an attribute or a block was expected here");
        }
        if message.starts_with("invalid object value assignment") {
            // The parser has read one character too many.
            let read = self.text[..self.offset].chars().next_back().map_or(0, char::len_utf8);
            let key = Self { offset: self.offset - read, ..*self };
            return self.error(key.before_word(), "a key has no value", "`=` and a value should follow");
        }
        if message.starts_with("invalid traversal operator") {
            return self.error(self.before(), "a name is missing", "the name of an attribute should follow");
        }
        // After a whole expression on its own, as the console takes it, the parser expects no newline but the end.
        if expected("expected newline") || message.ends_with("expected token") {
            return self.after_an_expression(word);
        }
        if expected("expected `]`") || expected("`,`") || message.ends_with("expected `)` or expression") {
            return self
                .error(word, format!("unexpected `{here}`"), "a comma or the closing bracket was expected here")
                .help("separate the elements with commas");
        }
        match message.split_once("expected ") {
            Some((_, expected)) if line_over => {
                self.error(self.before(), format!("expected {expected}"), "something is missing after this")
            }
            Some((_, expected)) => {
                self.error(word, format!("unexpected `{here}`"), "").relabel(&format!("expected {expected}"))
            }
            None => self.error(word, format!("unexpected `{here}`"), "an attribute or a block was expected here"),
        }
    }

    /// Says what is wrong with a `word` that stands where an expression has ended.
    fn after_an_expression(&self, word: std::ops::Range<usize>) -> Diagnostic {
        let (here, next) = (shown(&self.text[word.clone()]), self.text[self.offset..].chars().next());
        let before = self.text[..self.offset].trim_end();
        let follows_digit = self.text[..self.offset].ends_with(is_digit);
        if let Some(operator) = self.operator() {
            return self.error(operator, "a value is missing", "nothing follows this");
        }
        let help = match next {
            Some(',') => Some("write one attribute per line, without commas".to_owned()),
            Some(';') => Some("write one attribute per line".to_owned()),
            Some('}') => Some("put the closing brace on a line of its own".to_owned()),
            Some('x' | 'X' | 'b' | 'B' | 'o' | 'O' | '_') if follows_digit => {
                Some("write numbers with decimal digits alone; `parseint(\"1f\", 16)` reads others".to_owned())
            }
            _ if before.rsplit([' ', '\n', '(', '=']).next() == Some("if") => {
                Some("write `CONDITION ? VALUE : OTHER_VALUE`".to_owned())
            }
            _ => None,
        };
        self.error(word, format!("unexpected `{here}`"), "the line should have ended before this").maybe_help(help)
    }

    /// The word or the character at the offset; what stands before it, at the end of a line.
    fn word(&self) -> std::ops::Range<usize> {
        let rest = &self.text[self.offset..];
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        match rest.chars().next() {
            None | Some('\n' | '\r') => self.before(),
            Some(c) if is_word(c) => self.offset..self.offset + rest.find(|c: char| !is_word(c)).unwrap_or(rest.len()),
            Some(c) => self.offset..self.offset + c.len_utf8(),
        }
    }

    /// The last character before the offset that is no space.
    fn before(&self) -> std::ops::Range<usize> {
        let kept = self.text[..self.offset].trim_end();
        kept.len() - kept.chars().next_back().map_or(0, char::len_utf8)..kept.len()
    }

    fn before_word(&self) -> std::ops::Range<usize> {
        let kept = self.text[..self.offset].trim_end();
        let start = kept.rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').map_or(0, |at| at + 1);
        start..kept.len()
    }

    fn starts_attribute(&self) -> bool {
        let rest = self.text[self.offset..].trim_start();
        let name = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_' || c == '-');
        name.len() < rest.len() && !rest.starts_with(|c: char| c.is_numeric()) && name.trim_start().starts_with('=')
    }

    /// The operator at the offset, when nothing follows it.
    fn operator(&self) -> Option<std::ops::Range<usize>> {
        const OPERATORS: [&str; 14] = ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "?"];
        let start = self.text.len() - self.text[self.offset..].trim_start().len();
        let operator = OPERATORS.into_iter().find(|operator| self.text[start..].starts_with(operator))?;
        let end = start + operator.len();
        self.text[end..].trim().is_empty().then_some(start..end)
    }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

impl Diagnostic {
    fn relabel(mut self, text: &str) -> Self {
        if let Some(label) = self.labels.first_mut() {
            text.clone_into(&mut label.text);
        }
        self
    }
}

/// Something open that is never closed, or closed by the wrong sign.
struct Imbalance {
    at: usize,
    problem: Problem,
}

enum Problem {
    Text,
    Heredoc(String),
    Comment,
    /// `if` or `for`.
    Directive(&'static str),
    StrayDirective,
    Unclosed(&'static str),
    Stray(char),
    Mismatch(usize, &'static str, char),
}

enum Open {
    /// `{`, `[`, `(`, `${` or `%{`.
    Bracket(&'static str),
    Text,
    Heredoc(String),
    /// `%{ if … }` or `%{ for … }`, within the text or heredoc that it stands in.
    Directive(&'static str),
}

fn find_imbalance(text: &str) -> Option<Imbalance> {
    let mut open: Vec<(usize, Open)> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let found = |problem| Some(Imbalance { at, problem });
        let template = ["${", "%{"].into_iter().find(|marker| rest.starts_with(marker));
        let escaped = rest.starts_with("$${") || rest.starts_with("%%{");
        match open.iter().rev().find(|(_, open)| !matches!(open, Open::Directive(_))) {
            Some((start, Open::Text)) => match rest.as_bytes()[0] {
                b'\n' => return Some(unclosed_text(&open, *start)),
                b'"' => {
                    if let Some((at, Open::Directive(word))) = open.pop() {
                        return Some(Imbalance { at, problem: Problem::Directive(word) });
                    }
                    at += 1;
                    continue;
                }
                b'\\' => at += 1,
                _ => {}
            },
            Some((_, Open::Heredoc(delimiter))) => {
                let line = &text[at..line_end(text, at)];
                if text[..at].ends_with('\n') && line.trim() == delimiter {
                    if let Some((at, Open::Directive(word))) = open.pop() {
                        return Some(Imbalance { at, problem: Problem::Directive(word) });
                    }
                    at += line.len();
                    continue;
                }
            }
            _ => {
                if rest.starts_with('#') || rest.starts_with("//") {
                    at = line_end(text, at);
                    continue;
                }
                if rest.starts_with("/*") {
                    let Some(length) = rest.find("*/") else { return found(Problem::Comment) };
                    at += length + 2;
                    continue;
                }
                if let Some((delimiter, length)) = heredoc(rest) {
                    open.push((at, Open::Heredoc(delimiter)));
                    at += length;
                    continue;
                }
                let c = rest.as_bytes()[0] as char;
                match c {
                    '"' => open.push((at, Open::Text)),
                    '{' => open.push((at, Open::Bracket("{"))),
                    '[' => open.push((at, Open::Bracket("["))),
                    '(' => open.push((at, Open::Bracket("("))),
                    '}' | ']' | ')' => match open.pop() {
                        Some((start, Open::Bracket(bracket))) if closes(bracket, c) => {
                            if bracket == "%{" {
                                let content = &text[start + 2..at];
                                if let Some(problem) = directive(&mut open, start, content) {
                                    return Some(Imbalance { at: start, problem });
                                }
                            }
                        }
                        Some((opener, Open::Bracket(bracket))) => {
                            return found(Problem::Mismatch(opener, bracket, c));
                        }
                        _ => return found(Problem::Stray(c)),
                    },
                    _ => {}
                }
                at += rest.chars().next().map_or(1, char::len_utf8);
                continue;
            }
        }
        // Inside a text: an escaped marker is skipped whole, a real one opens an expression.
        if escaped {
            at += 3;
        } else if let Some(marker) = template {
            open.push((at, Open::Bracket(marker)));
            at += 2;
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    let (at, open) = open.pop()?;
    let problem = match open {
        Open::Bracket(bracket) => Problem::Unclosed(bracket),
        Open::Text => Problem::Text,
        Open::Heredoc(delimiter) => Problem::Heredoc(delimiter),
        Open::Directive(word) => Problem::Directive(word),
    };
    Some(Imbalance { at, problem })
}

/// A quote that opens no text but should have ended one belongs to a template that was not closed.
fn unclosed_text(open: &[(usize, Open)], start: usize) -> Imbalance {
    let around =
        open.iter().rev().skip_while(|(at, _)| *at >= start).find(|(_, open)| !matches!(open, Open::Directive(_)));
    match around {
        Some((at, Open::Bracket(marker @ ("${" | "%{")))) => Imbalance { at: *at, problem: Problem::Unclosed(marker) },
        _ => Imbalance { at: start, problem: Problem::Text },
    }
}

/// Notes what a complete `%{ … }` opens or closes.
fn directive(open: &mut Vec<(usize, Open)>, start: usize, content: &str) -> Option<Problem> {
    let content = content.trim_start_matches('~').trim_start();
    let word = content.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let inner = match open.last() {
        Some((_, Open::Directive(word))) => *word,
        _ => "",
    };
    match (word, inner) {
        ("if", _) => open.push((start, Open::Directive("if"))),
        ("for", _) => open.push((start, Open::Directive("for"))),
        ("endif", "if") | ("endfor", "for") => _ = open.pop(),
        ("else", "if") => {}
        _ => return Some(Problem::StrayDirective),
    }
    None
}

fn closes(bracket: &str, closer: char) -> bool {
    matches!((bracket, closer), ("{" | "${" | "%{", '}') | ("[", ']') | ("(", ')'))
}

/// Returns the delimiter of a heredoc that starts here, and the length up to its first line.
fn heredoc(rest: &str) -> Option<(String, usize)> {
    let after = rest.strip_prefix("<<")?;
    let after = after.strip_prefix('-').unwrap_or(after);
    let length = after.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')?;
    let line = &after[length..];
    let line_break = if line.starts_with('\n') {
        1
    } else if line.starts_with("\r\n") {
        2
    } else {
        return None;
    };
    (length > 0).then(|| (after[..length].to_owned(), rest.len() - line.len() + line_break))
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |length| at + length)
}
