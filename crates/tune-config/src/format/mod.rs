//! The layout of configurations, `tune fmt`. The rules are those of `terraform fmt`, so that a file that looks right to
//! the one looks right to the other. Comments, heredocs and blank lines are never touched.

mod layout;
mod lexer;
mod simplify;

use crate::diagnostic::Diagnostics;
use crate::source::Sources;
use crate::syntax::parse;

/// Returns a file's text in the layout that every configuration should have, or what makes it no HCL. Formatting twice is
/// formatting once.
pub fn format(name: &str, text: &str) -> Result<String, Diagnostics> {
    let mut sources = Sources::default();
    let file = sources.add(name.to_owned(), text.to_owned());
    match parse::parse(file, text) {
        Ok(_) => Ok(layout::lay_out(simplify::simplified(lexer::tokens(text)))),
        Err(mistake) => Err(Diagnostics::new(vec![mistake], sources)),
    }
}

#[cfg(test)]
mod tests;
