//! One thing that a person must be told, and how it looks: the message, the marked text, what to do, the stable code.
//! Mistakes in a configuration, refusals of a plan and failures of the world all take this one form.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, Severity, SourceCode,
    SourceSpan, SpanContents,
};
use tune_config::{Configuration, Diagnostic, Source, Sources, Span};
use tune_core::address::{Address, InstanceKey};
use tune_core::path::AttributePath;
use tune_core::plan::Mistake;
use tune_core::problem::{Code, Problem};
use tune_core::text;

use super::columns;
use crate::paint;

/// Messages from hosts and systems are cut after this many characters.
const LONGEST_MESSAGE: usize = 1200;

/// Two marks are shown in one piece of text when at most so many lines would be left out between them.
const MOST_BETWEEN: usize = 4;

/// One thing to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// Whether it is only a warning.
    pub(crate) warning: bool,
    /// The stable code, where there is one.
    pub(crate) code: Option<Code>,
    /// What is wrong.
    pub(crate) message: String,
    /// Why, from the nearest cause to the deepest.
    pub(crate) causes: Vec<String>,
    /// What to do.
    pub(crate) help: Option<String>,
    /// The marked texts, the place of the mistake first.
    pub(crate) places: Vec<Place>,
}

/// A marked text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The text and its name.
    pub(crate) source: Arc<Source>,
    /// The marked bytes.
    pub(crate) range: Range<usize>,
    /// What to say about them.
    pub(crate) label: String,
}

impl Notice {
    /// Returns an error without a place.
    pub(crate) fn error(message: impl Into<String>) -> Self {
        Self { warning: false, code: None, message: message.into(), causes: Vec::new(), help: None, places: Vec::new() }
    }

    /// Returns a warning without a place.
    pub(crate) fn warning(message: impl Into<String>) -> Self {
        Self { warning: true, ..Self::error(message) }
    }

    /// Returns an error that says what caused it.
    pub(crate) fn caused(error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string).collect();
        Self { causes, ..Self::error(error.to_string()) }
    }

    /// Returns the notice with a sentence that says what to do.
    #[must_use]
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Returns the notice of a mistake in the configuration.
    pub(crate) fn of(diagnostic: &Diagnostic, sources: &Sources) -> Self {
        let places = diagnostic.labels.iter().map(|label| Place::of(sources, label.span, &label.text)).collect();
        Self {
            warning: diagnostic.severity == tune_config::Severity::Warning,
            code: Some(diagnostic.code),
            message: diagnostic.message.clone(),
            causes: Vec::new(),
            help: diagnostic.help.clone(),
            places,
        }
    }

    /// Returns the notice of something that forbids an apply, on its text where the configuration has it.
    pub(crate) fn of_problem(problem: &Problem, span: Option<Span>, configuration: &Configuration) -> Self {
        let place = span.map(|span| Place::of(&configuration.sources, span, &problem.label));
        Self {
            warning: false,
            code: Some(problem.code),
            message: problem.message.clone(),
            causes: Vec::new(),
            help: problem.help.clone(),
            places: place.into_iter().collect(),
        }
    }

    /// Returns the notice of something that forbids an apply.
    pub(crate) fn of_mistake(mistake: &Mistake, configuration: Option<&Configuration>) -> Self {
        let place = |address: &Address, path: &AttributePath, label: &str| {
            let configuration = configuration?;
            Some(Place::of(&configuration.sources, configuration.span_of(address, path)?, label))
        };
        let problem = &mistake.problem;
        let mut first = place(&mistake.address, &problem.path, &problem.label);
        let related = mistake.related.as_ref().filter(|_| first.is_some());
        let mut second = related.and_then(|related| place(&related.address, &related.path, &related.label));
        if let Some(first) = &mut first
            && second.take_if(|second| second.is_at(first)).is_some()
        {
            "both are instances of this block".clone_into(&mut first.label);
        }
        let mut message = problem.message.clone();
        let address = mistake.address.to_string();
        // The marked text stands for every instance of its block, so the message says which one is meant.
        if !message.contains(&address) && (first.is_none() || mistake.address.key != InstanceKey::Single) {
            message = format!("{message} (`{address}`)");
        }
        Self {
            warning: false,
            code: Some(problem.code),
            message,
            causes: Vec::new(),
            help: problem.help.clone(),
            places: first.into_iter().chain(second).collect(),
        }
    }
}

/// Returns the notices of everything that forbids an apply, in the order of the text that they are about.
pub(crate) fn of_mistakes<'a>(
    mistakes: impl IntoIterator<Item = &'a Mistake>,
    configuration: &Configuration,
) -> Vec<Notice> {
    let mistakes = mistakes.into_iter();
    let mut notices: Vec<Notice> = mistakes.map(|mistake| Notice::of_mistake(mistake, Some(configuration))).collect();
    let place = |notice: &Notice| notice.places.first().map(|place| (place.source.name.clone(), place.range.start));
    notices.sort_by_key(|notice| (place(notice), notice.message.clone()));
    notices.dedup();
    notices
}

impl Place {
    /// Returns the place that a span marks.
    pub(crate) fn of(sources: &Sources, span: Span, label: &str) -> Self {
        let range = span.start as usize..span.end as usize;
        Self { source: sources.shared(span.file), range, label: label.to_owned() }
    }

    /// Returns whether both mark the same.
    fn is_at(&self, other: &Self) -> bool {
        self.range == other.range && self.source.name == other.source.name
    }
}

/// Returns the notices as text, each followed by an empty line.
pub(crate) fn text(notices: &[Notice], screen: usize) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode())
        .with_width(screen)
        .with_links(false)
        .with_context_lines(1)
        .without_cause_chain();
    let mut texts = Texts::default();
    let mut shown = String::new();
    for notice in notices {
        let (here, elsewhere): (Vec<&Place>, Vec<&Place>) =
            notice.places.iter().partition(|place| place.source.name == notice.places[0].source.name);
        let first = Report::new(notice, &here, &mut texts);
        let others = elsewhere.into_iter().map(|place| Report::elsewhere(place, &mut texts));
        for report in std::iter::once(first).chain(others) {
            handler.render_report(&mut shown, &report).expect("writing to a string cannot fail");
        }
        footer(notice, screen, &mut shown);
        shown.push('\n');
    }
    shown
}

/// What to do and where to read more come last, where the eye ends up.
fn footer(notice: &Notice, screen: usize, shown: &mut String) {
    for paragraph in notice.help.iter().flat_map(|help| help.lines()) {
        let help = text::visible(paragraph, LONGEST_MESSAGE);
        for (number, line) in columns::wrap(&help, screen.saturating_sub(10)).into_iter().enumerate() {
            let lead = if number == 0 { paint::strong("    help: ") } else { " ".repeat(10) };
            let _ = writeln!(shown, "{lead}{line}");
        }
    }
    if let Some(code) = notice.code {
        let _ = writeln!(shown, "    {}", paint::faint(code));
    }
}

/// A message and the marks in one text, as miette takes them.
#[derive(Debug)]
struct Report {
    message: String,
    severity: Severity,
    source: Option<Rc<Text>>,
    labels: Vec<LabeledSpan>,
}

impl Report {
    fn new(notice: &Notice, places: &[&Place], texts: &mut Texts) -> Self {
        let mut message = text::visible_lines(&notice.message, LONGEST_MESSAGE);
        for cause in &notice.causes {
            message.push_str("\n└─ ");
            message.push_str(&text::visible_lines(cause, LONGEST_MESSAGE));
        }
        Self {
            message,
            severity: if notice.warning { Severity::Warning } else { Severity::Error },
            source: places.first().map(|place| texts.of(&place.source)),
            labels: places.iter().enumerate().map(|(index, place)| labelled(place, index == 0)).collect(),
        }
    }

    fn elsewhere(place: &Place, texts: &mut Texts) -> Self {
        Self {
            message: text::visible(&place.label, LONGEST_MESSAGE),
            severity: Severity::Advice,
            source: Some(texts.of(&place.source)),
            labels: vec![labelled(&Place { label: String::new(), ..place.clone() }, true)],
        }
    }
}

fn labelled(place: &Place, primary: bool) -> LabeledSpan {
    let label = (!place.label.is_empty()).then(|| text::visible(&place.label, LONGEST_MESSAGE));
    // An empty place at the end of a text still needs a cell to point at.
    let start = place.range.start.min(place.source.text.len());
    let end = place.range.end.clamp(start, place.source.text.len());
    if primary {
        LabeledSpan::new_primary_with_span(label, start..end)
    } else {
        LabeledSpan::new_with_span(label, start..end)
    }
}

/// Every text that something is shown of, made harmless once: a file may have as many mistakes as lines.
#[derive(Default)]
struct Texts {
    known: BTreeMap<*const Source, Rc<Text>>,
}

impl Texts {
    fn of(&mut self, source: &Arc<Source>) -> Rc<Text> {
        let new = || Text {
            source: source.clone(),
            name: text::visible(&source.name, 200),
            harmless: harmless(&source.text),
        };
        self.known.entry(Arc::as_ptr(source)).or_insert_with(|| Rc::new(new())).clone()
    }
}

/// A text as it is shown. It knows where its lines are, which miette would count from the start for every mark.
#[derive(Debug)]
struct Text {
    source: Arc<Source>,
    name: String,
    harmless: String,
}

impl SourceCode for Text {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let last_byte = span.offset() + span.len().saturating_sub(1);
        let first = self.source.line(span.offset()).saturating_sub(before);
        let last = self.source.line(last_byte) + after;
        let lines = self.source.lines(first, last);
        // Without lines before it, what is read starts with the mark itself.
        let (start, column) = match before {
            0 => (span.offset(), self.source.position(span.offset()).1 - 1),
            _ => (lines.start, 0),
        };
        let data = self.harmless.as_bytes().get(start..lines.end).ok_or(MietteError::OutOfBounds)?;
        let place = SourceSpan::from(start..lines.end);
        // This number only decides what is joined.
        let (name, n_lines) = (self.name.clone(), last - first + 1 + MOST_BETWEEN);
        Ok(Box::new(MietteSpanContents::new_named(name, data, place, first, column, n_lines)))
    }
}

/// Returns the text with everything that a terminal could obey replaced, byte for byte, so that places still fit.
fn harmless(text: &str) -> String {
    let is_plain = |c: char| matches!(c, '\n' | '\t' | ' '..='~');
    let keep = |c: char| is_plain(c) || text::visible(c.encode_utf8(&mut [0; 4]), 1) == c.to_string();
    let mut replaced = String::with_capacity(text.len());
    for c in text.chars() {
        if keep(c) {
            replaced.push(c);
        } else {
            replaced.extend(std::iter::repeat_n('?', c.len_utf8()));
        }
    }
    replaced
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report {}

impl miette::Diagnostic for Report {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_deref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty())
            .then(|| Box::new(self.labels.iter().cloned()) as Box<dyn Iterator<Item = LabeledSpan>>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::check;

    fn place(name: &str, source: &str, marked: &str, label: &str) -> Place {
        let start = source.find(marked).unwrap();
        let range = start..start + marked.len();
        Place { source: Arc::new(Source::new(name.to_owned(), source.to_owned())), range, label: label.to_owned() }
    }

    #[test]
    fn a_mistake_stands_on_its_text() {
        let source = "resource \"sysctl\" \"a\" {\n  hots = 1\n}\n";
        let notice = Notice {
            code: Some(Code("tune::config::unknown_attribute")),
            places: vec![place("main.tune.hcl", source, "hots", "`sysctl` has no such attribute")],
            ..Notice::error("unknown attribute `hots`").help("did you mean `host`?")
        };
        check(
            &text(&[notice], 100),
            r#"  × unknown attribute `hots`
   ╭─[main.tune.hcl:2:3]
 1 │ resource "sysctl" "a" {
 2 │   hots = 1
   ·   ──┬─
   ·     ╰── `sysctl` has no such attribute
 3 │ }
   ╰────
    help: did you mean `host`?
    tune::config::unknown_attribute

"#,
        );
    }

    #[test]
    fn a_cause_in_another_file_is_shown_too() {
        let notice = Notice {
            places: vec![
                place("b.tune.hcl", "x = 1\n", "x", "managed here as well"),
                place("a.tune.hcl", "y = 2\n", "y", "first managed here"),
            ],
            ..Notice::error("managed twice")
        };
        check(
            &text(&[notice], 100),
            r"  × managed twice
   ╭─[b.tune.hcl:1:1]
 1 │ x = 1
   · ┬
   · ╰── managed here as well
   ╰────
  ☞ first managed here
   ╭─[a.tune.hcl:1:1]
 1 │ y = 2
   · ─
   ╰────

",
        );
    }

    #[test]
    fn marks_that_are_far_apart_are_shown_apart() {
        let source = |between: usize| format!("ä = 1 # first\n{}ä = 2\n", "\n".repeat(between));
        let shown = |between| {
            let text_of_it = Arc::new(Source::new("m.tune.hcl".to_owned(), source(between)));
            let mark = |start, label: &str| Place {
                source: text_of_it.clone(),
                range: start..start + 1,
                label: label.to_owned(),
            };
            let places = vec![mark(source(between).rfind('2').unwrap(), "again"), mark(5, "written here")];
            text(&[Notice { places, ..Notice::error("twice") }], 100)
        };
        let near = anstream::adapter::strip_str(&shown(6)).to_string();
        assert!(near.contains("8 │ ä = 2") && near.matches("╭─").count() == 1, "{near}");
        check(
            &shown(1000),
            r"  × twice
   ╭─[m.tune.hcl:1:5]
 1 │ ä = 1 # first
   ·     ┬
   ·     ╰── written here
 2 │ 
   ╰────
      ╭─[m.tune.hcl:1002:5]
 1001 │ 
 1002 │ ä = 2
      ·     ┬
      ·     ╰── again
      ╰────

",
        );
    }

    #[test]
    fn causes_follow_and_nothing_escapes() {
        let notice = Notice {
            causes: vec!["first \u{1b}[31m".to_owned(), "second".to_owned()],
            places: vec![place("a\u{7}", "k = \u{1b}]0;x\u{202e}\n", "k", "")],
            ..Notice::warning("cannot \u{1b}[2J")
        };
        let shown = text(&[notice], 100);
        for escape in ["\u{1b}[31m", "\u{1b}]0;", "\u{1b}[2J", "\u{202e}", "\u{7}"] {
            let shown = anstream::adapter::strip_str(&shown).to_string();
            assert!(!shown.contains(escape), "{shown}");
        }
        assert!(shown.contains("└─ second"), "{shown}");
    }
}
