//! The few styles that the output uses. Everything is always painted; the stream that it is written to strips the
//! colours where the one decision in [`crate::terminal`] says so. Colour never carries meaning alone.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// What is added.
pub(crate) fn added(text: impl Display) -> String {
    painted(AnsiColor::Green.on_default(), text)
}

/// What is changed.
pub(crate) fn changed(text: impl Display) -> String {
    painted(AnsiColor::Yellow.on_default(), text)
}

/// What is taken away, or has failed.
pub(crate) fn removed(text: impl Display) -> String {
    painted(AnsiColor::Red.on_default(), text)
}

/// What needs a look.
pub(crate) fn notable(text: impl Display) -> String {
    painted(AnsiColor::Magenta.on_default(), text)
}

/// Names and headings.
pub(crate) fn strong(text: impl Display) -> String {
    painted(Style::new().bold(), text)
}

/// What can be skipped at first reading.
pub(crate) fn faint(text: impl Display) -> String {
    painted(Style::new().dimmed(), text)
}

/// An empty text stays empty, so that nobody mistakes its escapes for content.
fn painted(style: Style, text: impl Display) -> String {
    let text = text.to_string();
    if text.is_empty() { text } else { format!("{style}{text}{style:#}") }
}
