//! The few things that a layout changes besides spaces: `"${x}"` as a whole value is `x`, and the labels of blocks stand
//! in quotes.

use super::lexer::{Kind, Token};

/// Returns the tokens with what can be written more simply written so.
pub(super) fn simplified(tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    let mut body = Body { rest: tokens.into_iter().peekable(), out: Vec::new() };
    while body.rest.peek().is_some() {
        body.statement();
    }
    body.out
}

struct Body<'a> {
    rest: std::iter::Peekable<std::vec::IntoIter<Token<'a>>>,
    out: Vec<Token<'a>>,
}

impl<'a> Body<'a> {
    /// Takes one attribute, the head of a block, or whatever stands between them.
    fn statement(&mut self) {
        let Some(first) = self.rest.next() else { return };
        let is_name = first.kind == Kind::Ident;
        self.out.push(first);
        if !is_name {
            return;
        }
        loop {
            let Some(next) = self.rest.next() else { return };
            match next.kind {
                Kind::Equal => {
                    self.out.push(next);
                    let value = self.value();
                    self.out.extend(unwrapped(value));
                    return;
                }
                Kind::Ident => {
                    let text = format!("\"{}\"", next.text);
                    self.out.push(Token { kind: Kind::Other, text: text.into(), spaces: next.spaces });
                }
                Kind::OpenQuote | Kind::Literal | Kind::CloseQuote | Kind::Comment if !next.ends_line() => {
                    self.out.push(next);
                }
                _ => {
                    self.out.push(next);
                    return;
                }
            }
        }
    }

    /// Takes the tokens of one value.
    fn value(&mut self) -> Vec<Token<'a>> {
        let mut value = Vec::new();
        let mut depth = 0;
        while let Some(next) = self.rest.peek() {
            if depth == 0 && (next.ends_line() || next.kind == Kind::CloseBrace || next.kind == Kind::Comment) {
                break;
            }
            depth += next.depth();
            value.extend(self.rest.next());
        }
        value
    }
}

/// Returns what stands in `"${…}"` where that is the whole value and provably one expression.
fn unwrapped(value: Vec<Token<'_>>) -> Vec<Token<'_>> {
    let [quote, open, inside @ .., close, end] = value.as_slice() else { return value };
    let frames = quote.kind == Kind::OpenQuote
        && open.text == "${"
        && close.text == "}"
        && close.kind == Kind::CloseTemplate
        && end.kind == Kind::CloseQuote
        // Only inside of a template does the parser take one of these for a space.
        && !inside.iter().any(|token| token.text == "\r");
    if !frames || inside.is_empty() || inside.iter().any(Token::ends_line) {
        return value;
    }
    let mut quotes = 0_usize;
    for token in inside {
        match token.kind {
            Kind::OpenQuote => quotes += 1,
            Kind::CloseQuote => quotes = quotes.saturating_sub(1),
            Kind::OpenInterpolation | Kind::CloseTemplate | Kind::Literal if quotes == 0 => return value,
            _ => {}
        }
    }
    inside.to_vec()
}
