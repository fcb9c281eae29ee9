//! Templates: escapes, `~`, and the indentation of `<<-` heredocs. All of it is done on the source text, because the
//! parser's own work is wrong in places: it dedents neither around directives nor after `~`, and leaves the escapes in
//! a directive's body alone.
//!
//! A template is first flattened into a row of tokens, on which trimming and dedenting are defined, and then built up
//! again into nested [`Part`]s.

use std::collections::HashMap;
use std::sync::Arc;

use hcl_edit::template::{Directive, Element, Strip, Template};
use hcl_edit::{Decorated, Ident, Span as _};

use super::ir::{Binding, Expr, ExprId, Part, Root};
use super::lower::{Lowering, Output};
use super::mistake;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::function::Run;
use crate::source::FileId;

/// Larger templates are refused.
const MAX_BYTES: usize = 4 << 20;

/// Where a template stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Quoted,
    Heredoc,
    /// `<<-`
    Dedented,
}

enum Token<'a> {
    Text(String),
    Value(&'a hcl_edit::expr::Expression),
    If(&'a hcl_edit::expr::Expression),
    Else,
    For(&'a hcl_edit::template::ForTemplateExpr),
    End,
}

/// Lowers a text that is a template as a whole, such as a file. Only `names` mean anything in it; their values are bound
/// in this order when it is evaluated. The answer is the first mistake if there is one.
pub(crate) fn lower_whole(
    file: FileId,
    text: &str,
    names: &[Arc<str>],
    output: &mut Output,
) -> Result<Root, Diagnostic> {
    if text.len() > MAX_BYTES {
        return Err(mistake::too_long(file, MAX_BYTES));
    }
    let template = hcl_edit::parser::parse_template(text)
        .map_err(|error| mistake::explain(file, text, error.location().offset(), error.message()))?;
    let nothing_repeated = HashMap::new();
    let mut lowering = Lowering::new(file, text, &nothing_repeated, output);
    for name in names {
        lowering.bind(None, &Decorated::new(Ident::new(name.as_ref())));
    }
    let first = lowering.arena.next();
    let expr = lowering.template(&template, Form::Heredoc, 0..text.len());
    let root = Root::new(first, expr);
    if let Some(mistake) = output.diagnostics.drain(..).next() {
        return Err(mistake);
    }
    if let Some((reference, span)) = output.arena.references(root).next() {
        let message = format!("`{reference}` has no value in a template");
        return Err(Diagnostic::error(code::UNKNOWN_NAME, span, message, "only the given variables have"));
    }
    let nested = output.arena.within(root).find_map(|(_, expr, span)| match expr {
        Expr::Call { function, .. } if matches!(function.run, Run::Template(_)) => Some((function.name, span)),
        _ => None,
    });
    match nested {
        Some((name, span)) => {
            let message = format!("a template cannot use `{name}`");
            Err(Diagnostic::error(code::MISPLACED, span, message, "not available here"))
        }
        None => Ok(root),
    }
}

impl Lowering<'_> {
    pub(super) fn template(&mut self, template: &Template, form: Form, whole: std::ops::Range<usize>) -> ExprId {
        let mut flat = Flat { tokens: Vec::new(), trim_next: false, form };
        self.flatten(template, &mut flat);
        if form == Form::Dedented {
            dedent(&mut flat.tokens);
        }
        // `"${x}"` is `x` itself, whatever its type.
        if let [Token::Value(expression)] = flat.tokens.as_slice() {
            return self.expression(expression);
        }
        let mut tokens = flat.tokens.into_iter();
        let parts = self.parts(&mut tokens).0;
        let span = self.span(whole);
        let expr = match parts.as_slice() {
            [] => Expr::Literal(crate::value::Value::string("")),
            [Part::Text(text)] => Expr::Literal(crate::value::Value::string(text.clone())),
            _ => Expr::Template(parts),
        };
        self.arena.add(expr, span)
    }

    fn flatten<'a>(&mut self, template: &'a Template, flat: &mut Flat<'a>) {
        for element in template {
            match element {
                Element::Literal(literal) => self.literal(literal.span().unwrap_or_default(), flat),
                Element::Interpolation(interpolation) => {
                    flat.marker(interpolation.strip, Token::Value(&interpolation.expr));
                }
                Element::Directive(directive) => match directive.as_ref() {
                    Directive::If(directive) => {
                        let start = &directive.if_expr;
                        flat.marker(start.strip, Token::If(&start.cond_expr));
                        self.flatten(&start.template, flat);
                        if let Some(otherwise) = &directive.else_expr {
                            flat.marker(otherwise.strip, Token::Else);
                            self.flatten(&otherwise.template, flat);
                        }
                        flat.marker(directive.endif_expr.strip, Token::End);
                    }
                    Directive::For(directive) => {
                        flat.marker(directive.for_expr.strip, Token::For(&directive.for_expr));
                        self.flatten(&directive.for_expr.template, flat);
                        flat.marker(directive.endfor_expr.strip, Token::End);
                    }
                },
            }
        }
    }

    /// Takes a literal from the source: a quoted text is one token, a heredoc one per line.
    fn literal(&mut self, range: std::ops::Range<usize>, flat: &mut Flat<'_>) {
        let raw = &self.text[range.clone()];
        if flat.form == Form::Quoted {
            let text = self.unescape(range);
            flat.text(text);
            return;
        }
        for line in raw.split_inclusive('\n') {
            flat.text(line.replace("$${", "${").replace("%%{", "%{"));
        }
    }

    /// Returns the content of a quoted text, and reports what may not stand in one.
    pub(super) fn unescape(&mut self, range: std::ops::Range<usize>) -> String {
        let raw = &self.text[range.clone()];
        let mut text = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(c) = rest.chars().next() {
            let length = if rest.starts_with("$${") || rest.starts_with("%%{") {
                text.push_str(&rest[1..3]);
                3
            } else if c == '\\' {
                let (escaped, length) = unescape_one(rest);
                if escaped.is_none() {
                    let at = range.end - rest.len();
                    let span = self.span(at..at + length);
                    self.report(
                        Diagnostic::error(code::SYNTAX, span, "unknown escape in a text", "not an escape")
                            .help("write `\\\\` for a backslash"),
                    );
                }
                text.extend(escaped);
                length
            } else {
                if matches!(c, '\n' | '"') {
                    self.report_unquotable(c, range.end - rest.len());
                }
                text.push(c);
                c.len_utf8()
            };
            rest = &rest[length..];
        }
        text
    }

    fn report_unquotable(&mut self, c: char, at: usize) {
        let diagnostic = if c == '\n' {
            // A line break cannot be marked, so what stands before it is.
            let before = self.text[..at].char_indices().next_back().map_or(at, |(start, _)| start);
            Diagnostic::error(
                code::SYNTAX,
                self.span(before..at),
                "a line break in a quoted text",
                "the line ends here",
            )
            .help("write `\\n`, or use a heredoc")
        } else {
            Diagnostic::error(
                code::SYNTAX,
                self.span(at..at + 1),
                "a quote in a quoted text",
                "this would end the text",
            )
            .help("write `\\\"`")
        };
        self.report(diagnostic);
    }

    /// Builds nested parts up to the end of the tokens, an `else` or an end; says whether it was an `else`.
    fn parts<'a>(&mut self, tokens: &mut impl Iterator<Item = Token<'a>>) -> (Vec<Part>, bool) {
        let mut parts = Vec::new();
        while let Some(token) = tokens.next() {
            match token {
                Token::Text(text) if text.is_empty() => {}
                Token::Text(text) => parts.push(Part::Text(text.into())),
                Token::Value(expression) => parts.push(Part::Value(self.expression(expression))),
                Token::If(condition) => {
                    let condition = self.expression(condition);
                    let (then, has_else) = self.parts(tokens);
                    let otherwise = if has_else { self.parts(tokens).0 } else { Vec::new() };
                    parts.push(Part::If { condition, then, otherwise });
                }
                Token::For(intro) => {
                    let collection = self.expression(&intro.collection_expr);
                    let names = self.bind(intro.key_var.as_ref(), &intro.value_var);
                    let (body, _) = self.parts(tokens);
                    self.unbind(names);
                    let binding = Binding { has_key: intro.key_var.is_some(), collection };
                    parts.push(Part::For { binding, body });
                }
                Token::Else => return (parts, true),
                Token::End => break,
            }
        }
        (parts, false)
    }
}

struct Flat<'a> {
    tokens: Vec<Token<'a>>,
    trim_next: bool,
    form: Form,
}

impl<'a> Flat<'a> {
    fn text(&mut self, mut text: String) {
        if std::mem::take(&mut self.trim_next) {
            text.drain(..text.len() - text.trim_start().len());
        }
        self.tokens.push(Token::Text(text));
    }

    /// Adds what is no text. A `~` takes the space of one neighbouring token only, which in a heredoc is one line.
    fn marker(&mut self, strip: Strip, token: Token<'a>) {
        if strip.strip_start()
            && let Some(Token::Text(before)) = self.tokens.last_mut()
        {
            before.truncate(before.trim_end().len());
        }
        self.tokens.push(token);
        self.trim_next = strip.strip_end();
    }
}

/// Takes away the indentation that all lines share. A line that consists of space counts for nothing and keeps it.
fn dedent(tokens: &mut [Token<'_>]) {
    let mut shared = usize::MAX;
    let mut starts = Vec::new();
    let mut at_line_start = true;
    for (index, token) in tokens.iter().enumerate() {
        let Token::Text(text) = token else {
            if std::mem::take(&mut at_line_start) {
                shared = 0;
            }
            continue;
        };
        let blank = text.trim_start().is_empty() && text.ends_with('\n');
        if std::mem::take(&mut at_line_start) && !blank {
            shared = shared.min(text.chars().take_while(|c| c.is_whitespace()).count());
            starts.push(index);
        }
        at_line_start = text.ends_with('\n');
    }
    for index in starts {
        if let Token::Text(text) = &mut tokens[index] {
            let cut: usize = text.chars().take(shared).map(char::len_utf8).sum();
            text.drain(..cut);
        }
    }
}

/// Returns the character behind the escape that `rest` starts with, and the escape's length.
fn unescape_one(rest: &str) -> (Option<char>, usize) {
    let Some(kind) = rest[1..].chars().next() else { return (None, 1) };
    let simple = match kind {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '\\' | '"' => kind,
        'u' | 'U' => {
            let end = if kind == 'u' { 6 } else { 10 };
            let digits = rest.get(2..end);
            let c = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
            return (c, if c.is_some() { end } else { 2 });
        }
        _ => return (None, 1 + kind.len_utf8()),
    };
    (Some(simple), 2)
}
