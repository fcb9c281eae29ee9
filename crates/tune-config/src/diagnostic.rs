//! What a person is told about a configuration. Nothing here prints: the binary turns a [`Diagnostic`] into text.

mod closest;

use tune_core::problem::Code;

pub(crate) use closest::closest;

use crate::source::{Sources, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// The configuration can be used, but probably says something else than was meant.
    Warning,
}

/// A marked place and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is wrong here, or what this place has to do with it.
    pub text: String,
    /// Whether this is the place of the mistake itself; exactly one label of a diagnostic is.
    pub primary: bool,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The stable code, see [`crate::EXPLANATIONS`].
    pub code: Code,
    /// What is wrong: lower case, no full stop, names in backticks.
    pub message: String,
    /// The places, the primary one first; empty only when there is no text to point at.
    pub labels: Vec<Label>,
    /// What to do: one imperative sentence or a "did you mean".
    pub help: Option<String>,
    /// What a rule of the configuration itself refuses, as a reference names it: `var.x`, `output.x`, `sysctl.x`. Only
    /// for what the configuration's own folder declares.
    pub subject: Option<String>,
}

impl Diagnostic {
    pub(crate) fn error(code: Code, span: Span, message: impl Into<String>, label: impl Into<String>) -> Self {
        let labels = vec![Label { span, text: label.into(), primary: true }];
        Self { severity: Severity::Error, code, message: message.into(), labels, help: None, subject: None }
    }

    pub(crate) fn warning(code: Code, span: Span, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message, label) }
    }

    pub(crate) fn without_place(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, message: message.into(), labels: Vec::new(), help: None, subject: None }
    }

    #[must_use]
    pub(crate) fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into(), primary: false });
        self
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub(crate) fn subject(mut self, subject: Option<String>) -> Self {
        self.subject = subject;
        self
    }

    #[must_use]
    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = self.help.or(help);
        self
    }

    /// Says only that something is wrong: words about a secret's text would give it away.
    fn withhold(&mut self) {
        let is_syntax = self.code == crate::code::SYNTAX;
        let message = if is_syntax { "the text is not valid HCL" } else { "a secret value cannot be used" };
        message.clone_into(&mut self.message);
        self.help = None;
        for label in self.labels.iter_mut().filter(|label| label.primary) {
            "not shown, because it may be a secret".clone_into(&mut label.text);
        }
    }

    /// Returns the primary place.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }
}

/// Every mistake of a configuration, sorted by file and position, with the texts they point into.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics {
    /// The mistakes.
    pub list: Vec<Diagnostic>,
    /// The texts.
    pub sources: Sources,
}

impl Diagnostics {
    /// Sorts by file name and position.
    pub(crate) fn new(mut list: Vec<Diagnostic>, sources: Sources) -> Self {
        for diagnostic in &mut list {
            if diagnostic.span().is_some_and(|span| sources.is_masked(span)) {
                diagnostic.withhold();
            }
        }
        list.sort_by(|a, b| {
            let place = |diagnostic: &Diagnostic| {
                let span = diagnostic.span()?;
                Some((sources.get(span.file).name.as_str(), span.start, span.end))
            };
            (place(a), a.code).cmp(&(place(b), b.code))
        });
        list.dedup();
        Self { list, sources }
    }

    /// Returns whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Returns a "did you mean" for the closest candidate.
pub(crate) fn did_you_mean<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(written, candidates).map(|candidate| format!("did you mean `{}`?", shown(candidate)))
}

/// Returns a text from a configuration as it may stand in a message: short, on one line, without escapes.
pub(crate) fn shown(text: &str) -> String {
    tune_core::text::visible(text, 60)
}
