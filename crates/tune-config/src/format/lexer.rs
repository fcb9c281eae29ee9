//! Splits HCL text into tokens and loses nothing: the tokens and the spaces between them are the text. It judges no
//! grammar; what is not HCL has been refused by the parser before.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ident,
    Number,
    /// `"`, at the beginning of a template.
    OpenQuote,
    CloseQuote,
    /// Text inside quotes or a heredoc.
    Literal,
    /// `${` and `%{`, with their strip markers.
    OpenInterpolation,
    OpenDirective,
    /// `}` at the end of either.
    CloseTemplate,
    /// `<<EOT` with its line break.
    OpenHeredoc,
    /// The last line of a heredoc, without its line break.
    CloseHeredoc,
    Newline,
    /// With its line break, unless it stands between `/*` and `*/`.
    Comment,
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    OpenParen,
    CloseParen,
    Equal,
    Comma,
    Dot,
    Ellipsis,
    Colon,
    DoubleColon,
    Question,
    Bang,
    Minus,
    /// Any other operator.
    Operator,
    /// Whatever else there is; it is kept as it is.
    Other,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: std::borrow::Cow<'a, str>,
    /// How many spaces stand in front of it.
    pub(super) spaces: usize,
}

impl Token<'_> {
    /// Returns how many brackets it opens, or with a minus, closes.
    pub(super) fn depth(&self) -> isize {
        match self.kind {
            Kind::OpenBrace | Kind::OpenBracket | Kind::OpenParen | Kind::OpenInterpolation | Kind::OpenDirective => 1,
            Kind::CloseBrace | Kind::CloseBracket | Kind::CloseParen | Kind::CloseTemplate => -1,
            _ => 0,
        }
    }

    /// Returns whether a line ends with it.
    pub(super) fn ends_line(&self) -> bool {
        match self.kind {
            Kind::Newline => true,
            Kind::Comment => self.text.ends_with('\n'),
            _ => false,
        }
    }
}

/// What the text around a place is.
enum Mode<'a> {
    /// Expressions and bodies; ends with the brace that closes an interpolation when `in_template`.
    Code {
        in_template: bool,
        braces: usize,
    },
    Quoted,
    Heredoc {
        marker: &'a str,
    },
}

/// Returns the tokens of a text.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { text, at: 0, spaces: 0, tokens: Vec::new() };
    let mut modes = vec![Mode::Code { in_template: false, braces: 0 }];
    while lexer.at < text.len() {
        match modes.last_mut() {
            Some(Mode::Code { in_template, braces }) => {
                let (in_template, open) = (*in_template, *braces);
                match lexer.code(in_template && open == 0) {
                    Step::Stay => {}
                    Step::Brace(change) => *braces = braces.saturating_add_signed(change),
                    Step::Enter(mode) => modes.push(mode),
                    Step::Leave => drop(modes.pop()),
                }
            }
            Some(Mode::Quoted) => match lexer.quoted() {
                Step::Enter(mode) => modes.push(mode),
                Step::Leave => drop(modes.pop()),
                Step::Stay | Step::Brace(_) => {}
            },
            Some(Mode::Heredoc { marker }) => {
                let marker = *marker;
                match lexer.heredoc(marker) {
                    Step::Enter(mode) => modes.push(mode),
                    Step::Leave => drop(modes.pop()),
                    Step::Stay | Step::Brace(_) => {}
                }
            }
            None => modes.push(Mode::Code { in_template: false, braces: 0 }),
        }
    }
    lexer.tokens
}

/// What follows a token.
enum Step<'a> {
    Stay,
    Brace(isize),
    Enter(Mode<'a>),
    Leave,
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    spaces: usize,
    tokens: Vec<Token<'a>>,
}

/// Operators of two characters, and what they are.
const PAIRS: [(&str, Kind); 10] = [
    ("==", Kind::Operator),
    ("!=", Kind::Operator),
    ("<=", Kind::Operator),
    (">=", Kind::Operator),
    ("&&", Kind::Operator),
    ("||", Kind::Operator),
    ("=>", Kind::Operator),
    ("::", Kind::DoubleColon),
    ("\r\n", Kind::Newline),
    ("..", Kind::Other),
];

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let text = &self.text[self.at..self.at + length];
        self.tokens.push(Token { kind, text: text.into(), spaces: std::mem::take(&mut self.spaces) });
        self.at += length;
    }

    fn code(&mut self, closes_template: bool) -> Step<'a> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Step::Stay };
        if first == ' ' || first == '\t' || (first == '\r' && !closes_template && ends_blank(rest)) {
            self.spaces += 1;
            self.at += 1;
            return Step::Stay;
        }
        if closes_template && (first == '}' || rest.starts_with("~}")) {
            self.push(Kind::CloseTemplate, if first == '}' { 1 } else { 2 });
            return Step::Leave;
        }
        if first == '#' || rest.starts_with("//") {
            self.push(Kind::Comment, rest.find('\n').map_or(rest.len(), |end| end + 1));
            return Step::Stay;
        }
        if let Some(comment) = rest.strip_prefix("/*") {
            self.push(Kind::Comment, comment.find("*/").map_or(rest.len(), |end| end + 4));
            return Step::Stay;
        }
        if let Some(marker) = heredoc_marker(rest) {
            let length = rest.find('\n').map_or(rest.len(), |end| end + 1);
            self.push(Kind::OpenHeredoc, length);
            return Step::Enter(Mode::Heredoc { marker });
        }
        if rest.starts_with("...") {
            self.push(Kind::Ellipsis, 3);
            return Step::Stay;
        }
        if let Some((pair, kind)) = PAIRS.iter().find(|(pair, _)| rest.starts_with(pair)) {
            self.push(*kind, pair.len());
            return Step::Stay;
        }
        if begins_name(first) {
            let end = rest.find(|c| !continues_name(c)).unwrap_or(rest.len());
            self.push(Kind::Ident, end);
            return Step::Stay;
        }
        if first.is_ascii_digit() {
            self.push(Kind::Number, number_length(rest));
            return Step::Stay;
        }
        self.sign(first)
    }

    fn sign(&mut self, first: char) -> Step<'a> {
        let (kind, step) = match first {
            '\n' => (Kind::Newline, Step::Stay),
            '"' => (Kind::OpenQuote, Step::Enter(Mode::Quoted)),
            '{' => (Kind::OpenBrace, Step::Brace(1)),
            '}' => (Kind::CloseBrace, Step::Brace(-1)),
            '[' => (Kind::OpenBracket, Step::Stay),
            ']' => (Kind::CloseBracket, Step::Stay),
            '(' => (Kind::OpenParen, Step::Stay),
            ')' => (Kind::CloseParen, Step::Stay),
            '=' => (Kind::Equal, Step::Stay),
            ',' => (Kind::Comma, Step::Stay),
            '.' => (Kind::Dot, Step::Stay),
            ':' => (Kind::Colon, Step::Stay),
            '?' => (Kind::Question, Step::Stay),
            '!' => (Kind::Bang, Step::Stay),
            '-' => (Kind::Minus, Step::Stay),
            '+' | '*' | '/' | '%' | '<' | '>' => (Kind::Operator, Step::Stay),
            _ => (Kind::Other, Step::Stay),
        };
        self.push(kind, first.len_utf8());
        step
    }

    fn quoted(&mut self) -> Step<'a> {
        let rest = self.rest();
        let mut escaped = false;
        for (index, c) in rest.char_indices() {
            if escaped {
                escaped = false;
                continue;
            }
            let ends = c == '"' || is_template(&rest[index..]);
            if ends && index > 0 && !is_escaped_template(rest, index) {
                self.push(Kind::Literal, index);
                return Step::Stay;
            }
            match c {
                '"' => {
                    self.push(Kind::CloseQuote, 1);
                    return Step::Leave;
                }
                '\\' => escaped = true,
                _ if ends && !is_escaped_template(rest, index) => return self.open_template(),
                _ => {}
            }
        }
        self.push(Kind::Literal, rest.len());
        Step::Stay
    }

    fn heredoc(&mut self, marker: &'a str) -> Step<'a> {
        let rest = self.rest();
        let line = rest.split('\n').next().unwrap_or_default();
        let begins_line = self.at == 0 || self.text.as_bytes()[self.at - 1] == b'\n';
        if begins_line && line.trim() == marker {
            self.push(Kind::CloseHeredoc, line.trim_end_matches('\r').len());
            return Step::Leave;
        }
        let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
        let template = (0..end)
            .filter(|index| rest.is_char_boundary(*index))
            .find(|index| is_template(&rest[*index..]) && !is_escaped_template(rest, *index));
        match template {
            Some(0) => self.open_template(),
            Some(index) => {
                self.push(Kind::Literal, index);
                Step::Stay
            }
            None => {
                self.push(Kind::Literal, end);
                Step::Stay
            }
        }
    }

    fn open_template(&mut self) -> Step<'a> {
        let rest = self.rest();
        let kind = if rest.starts_with('$') { Kind::OpenInterpolation } else { Kind::OpenDirective };
        self.push(kind, if rest[2..].starts_with('~') { 3 } else { 2 });
        Step::Enter(Mode::Code { in_template: true, braces: 0 })
    }
}

/// Returns whether a carriage return is nothing but space at the end of its line. Kept, it would be taken for a part of the
/// line's end the next time.
fn ends_blank(rest: &str) -> bool {
    let after = rest.trim_start_matches(['\r', ' ', '\t']);
    !rest.starts_with("\r\n") && (after.is_empty() || after.starts_with('\n'))
}

fn is_template(text: &str) -> bool {
    text.starts_with("${") || text.starts_with("%{")
}

/// Returns whether the sign before makes a template opener plain text: `$${` and `%%{`, and so after any number of signs.
fn is_escaped_template(text: &str, index: usize) -> bool {
    is_template(&text[index..]) && text.as_bytes()[..index].last() == Some(&text.as_bytes()[index])
}

/// Whether a name may begin so. The parser's rule: a name that it takes must not be taken apart here.
fn begins_name(first: char) -> bool {
    unicode_ident::is_xid_start(first) || first == '_'
}

fn continues_name(next: char) -> bool {
    unicode_ident::is_xid_continue(next) || next == '-'
}

/// Returns the marker of a heredoc that begins here.
fn heredoc_marker(rest: &str) -> Option<&str> {
    let after = rest.strip_prefix("<<")?;
    let after = after.strip_prefix('-').unwrap_or(after);
    let line = after.split('\n').next()?.trim_end_matches('\r');
    let is_name = line.starts_with(begins_name) && line.chars().all(continues_name);
    (is_name && after.contains('\n')).then_some(line)
}

fn number_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if bytes.len() > end + 1 + sign && digits(end + 1 + sign) > 0 {
            end += 1 + sign + digits(end + 1 + sign);
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> Vec<String> {
        tokens(text).iter().map(|token| format!("{:?}:{}", token.kind, token.text)).collect()
    }

    #[test]
    fn templates_nest() {
        assert_eq!(
            shown("\"a${f(\"${x}\")}$${y\""),
            [
                "OpenQuote:\"",
                "Literal:a",
                "OpenInterpolation:${",
                "Ident:f",
                "OpenParen:(",
                "OpenQuote:\"",
                "OpenInterpolation:${",
                "Ident:x",
                "CloseTemplate:}",
                "CloseQuote:\"",
                "CloseParen:)",
                "CloseTemplate:}",
                "Literal:$${y",
                "CloseQuote:\""
            ]
        );
    }

    #[test]
    fn a_heredoc_ends_with_its_marker_alone() {
        assert_eq!(
            shown("a = <<-E\n  E x\n  ${ {} }\n  E\nb"),
            [
                "Ident:a",
                "Equal:=",
                "OpenHeredoc:<<-E\n",
                "Literal:  E x\n",
                "Literal:  ",
                "OpenInterpolation:${",
                "OpenBrace:{",
                "CloseBrace:}",
                "CloseTemplate:}",
                "Literal:\n",
                "CloseHeredoc:  E",
                "Newline:\n",
                "Ident:b"
            ]
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "([a-z =\\{\\}\\[\\]\"$%~#/*<E\n\\\\.0-9-]|\\PC){0,60}") {
            let tokens = tokens(&text);
            let without: String = text.chars().filter(|c| *c != ' ' && *c != '\t').collect();
            let kept: String = tokens.iter().flat_map(|token| token.text.chars()).filter(|c| *c != ' ' && *c != '\t').collect();
            prop_assert_eq!(kept, without);
        }
    }
}
