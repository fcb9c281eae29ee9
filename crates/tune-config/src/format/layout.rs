//! Where tokens stand on their lines, by Terraform's rules: two spaces for each level of brackets, one space between
//! tokens that need it, `=` and trailing comments of lines that follow one another below each other.

use super::lexer::{Kind, Token};

/// One line in three cells.
#[derive(Debug, Default)]
struct Line<'a> {
    /// What is written, as far as the `=`.
    lead: Vec<Token<'a>>,
    /// From the `=` to the end, where the value does not go on in the next line.
    assign: Vec<Token<'a>>,
    /// A trailing comment.
    comment: Vec<Token<'a>>,
}

/// Returns the text of tokens, laid out.
pub(super) fn lay_out(tokens: Vec<Token<'_>>) -> String {
    let mut lines = lines(tokens);
    indent(&mut lines);
    for line in &mut lines {
        space(&mut line.lead);
        space(&mut line.assign);
        if let Some(sign) = line.assign.first_mut() {
            sign.spaces = 1;
        }
    }
    align(&mut lines, |line| !line.assign.is_empty(), |line| columns(&line.lead), |line| &mut line.assign);
    let before_comment = |line: &Line<'_>| columns(&line.lead) + columns(&line.assign);
    align(&mut lines, |line| !line.comment.is_empty(), before_comment, |line| &mut line.comment);
    let mut text = String::new();
    for token in lines.iter().flat_map(|line| line.lead.iter().chain(&line.assign).chain(&line.comment)) {
        text.extend(std::iter::repeat_n(' ', token.spaces));
        text.push_str(&token.text);
    }
    text
}

fn lines(tokens: Vec<Token<'_>>) -> Vec<Line<'_>> {
    let mut lines = vec![Line::default()];
    for token in tokens {
        let ends = token.ends_line();
        lines.last_mut().expect("there is always a line").lead.push(token);
        if ends {
            lines.push(Line::default());
        }
    }
    for line in &mut lines {
        if line.lead.len() > 1 && line.lead.last().is_some_and(|last| last.kind == Kind::Comment) {
            line.comment = line.lead.split_off(line.lead.len() - 1);
        }
        let sign = line.lead.iter().skip(1).position(|token| token.kind == Kind::Equal).map(|at| at + 1);
        // A value that goes on in the next line is not put into a column.
        if let Some(sign) = sign.filter(|sign| line.lead[*sign..].iter().map(Token::depth).sum::<isize>() == 0) {
            line.assign = line.lead.split_off(sign);
        }
    }
    lines
}

fn indent(lines: &mut [Line<'_>]) {
    // One entry per line that opened brackets, with how many of them are still open.
    let mut open: Vec<isize> = Vec::new();
    for line in lines {
        let Some(first) = line.lead.first() else { continue };
        if first.kind == Kind::Newline {
            line.lead[0].spaces = 0;
            continue;
        }
        let mut net = 0;
        for token in line.lead.iter().chain(&line.assign) {
            net += token.depth();
            if token.kind == Kind::OpenHeredoc {
                break;
            }
        }
        if net < 0 {
            close(&mut open, -net);
        }
        line.lead[0].spaces = 2 * open.len();
        if net > 0 {
            open.push(net);
        }
    }
}

fn close(open: &mut Vec<isize>, mut count: isize) {
    while count > 0 {
        let Some(last) = open.last_mut() else { return };
        if count < *last {
            *last -= count;
            return;
        }
        count -= *last;
        open.pop();
    }
}

fn space(tokens: &mut [Token<'_>]) {
    for index in 1..tokens.len() {
        let before = index.checked_sub(2).map(|before| tokens[before].kind);
        let wanted = needs_space(before, &tokens[index - 1], &tokens[index]);
        tokens[index].spaces = usize::from(wanted);
    }
}

/// Returns whether a space stands between two tokens; `before` is the kind of the one before them.
fn needs_space(before: Option<Kind>, token: &Token<'_>, after: &Token<'_>) -> bool {
    use Kind::{
        Bang, CloseBrace, CloseHeredoc, CloseQuote, Colon, Comma, Dot, DoubleColon, Ellipsis, Equal, Ident, Literal,
        Minus, Newline, Number, OpenBrace, OpenBracket, OpenHeredoc, OpenParen, OpenQuote, Operator, Question,
    };
    match (token.kind, after.kind) {
        (_, Newline | Comma | Ellipsis | Dot | DoubleColon) | (Dot | DoubleColon, _) | (Ident, OpenParen) => false,
        (Comma, _) => true,
        // Between the parts of a template a space would be text.
        (Literal | OpenQuote | OpenHeredoc | Kind::CloseTemplate, _)
        | (_, Literal | CloseQuote | CloseHeredoc | Kind::OpenInterpolation | Kind::OpenDirective) => false,
        (Ident, _) if token.text == "in" && before == Some(Ident) => true,
        (Ident | Number, OpenBracket) | (Bang, _) | (OpenBrace, CloseBrace) => false,
        (_, OpenBracket) if token.depth() < 0 => false,
        // A minus after what cannot end an expression is a sign.
        (Minus, _) => !matches!(
            before,
            None | Some(
                OpenParen | OpenBrace | OpenBracket | Equal | Colon | Comma | Question | Operator | Minus | Bang
            )
        ),
        (OpenBrace, _) | (_, CloseBrace) => true,
        _ => token.depth() <= 0 && after.depth() >= 0,
    }
}

fn columns(tokens: &[Token<'_>]) -> usize {
    tokens.iter().map(|token| token.spaces + unicode_columns(&token.text)).sum()
}

/// Counts user-perceived characters, as Terraform does.
fn unicode_columns(text: &str) -> usize {
    unicode_segmentation::UnicodeSegmentation::graphemes(text, true).count()
}

/// Puts the cells of lines that follow one another into one column.
fn align<'a>(
    lines: &mut [Line<'a>],
    has_cell: impl Fn(&Line<'a>) -> bool,
    width: impl Fn(&Line<'a>) -> usize,
    cell: impl for<'l> Fn(&'l mut Line<'a>) -> &'l mut Vec<Token<'a>>,
) {
    for chain in lines.chunk_by_mut(|line, next| has_cell(line) && has_cell(next)) {
        let Some(widest) = chain.iter().filter(|line| has_cell(line)).map(&width).max() else { continue };
        for line in chain {
            let spaces = widest - width(line) + 1;
            if let Some(first) = cell(line).first_mut() {
                first.spaces = spaces;
            }
        }
    }
}
