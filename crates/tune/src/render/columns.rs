//! Lays text out in columns, by the width that it takes on a screen: escapes take none, and some characters take two
//! cells. It knows nothing of what the text says.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Where the right-hand column begins at the latest, as a share of the screen in percent.
const LEFT_SHARE: usize = 66;
/// How far the right-hand column stands from the longest text.
const GAP: usize = 4;

/// One line with a text on the left and, perhaps, a remark on the right.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Row {
    /// How far it is indented.
    pub(crate) indent: usize,
    /// The text.
    pub(crate) left: String,
    /// The remark; empty for none.
    pub(crate) right: String,
    /// Whether it belongs to a table of its own within the text, whose remarks have another column.
    pub(crate) is_apart: bool,
}

impl Row {
    /// Returns a line without a remark.
    pub(crate) fn new(indent: usize, left: impl Into<String>) -> Self {
        Self { indent, left: left.into(), ..Self::default() }
    }

    /// Returns an empty line.
    pub(crate) fn blank() -> Self {
        Self::default()
    }

    /// Returns the line with a remark.
    #[must_use]
    pub(crate) fn remark(mut self, right: impl Into<String>) -> Self {
        self.right = right.into();
        self
    }

    /// Returns the line as one of a table of its own.
    #[must_use]
    pub(crate) fn apart(mut self, is_apart: bool) -> Self {
        self.is_apart = is_apart;
        self
    }
}

/// Returns the lines with all remarks in one column.
///
/// A remark that does not fit into what is left of the screen is wrapped within its column; a text that reaches into
/// the column pushes only its own remark aside, or below it where that leaves too little room.
pub(crate) fn lay_out(rows: &[Row], screen: usize) -> String {
    let reach = |row: &Row| row.indent + width(&row.left);
    let limit = screen * LEFT_SHARE / 100;
    let column = |is_apart: bool| {
        let with_remark = rows.iter().filter(|row| row.is_apart == is_apart && !row.right.is_empty());
        with_remark.map(reach).filter(|reach| *reach <= limit).max().unwrap_or(0) + GAP
    };
    let columns = [column(false), column(true)];
    let mut text = String::new();
    for row in rows {
        let mut line = format!("{}{}", " ".repeat(row.indent), row.left);
        if !row.right.is_empty() {
            let column = columns[usize::from(row.is_apart)];
            let room = |start: usize| screen.saturating_sub(start).max(20);
            let beside = column.max(reach(row) + 2);
            let below = beside > column && beside + width(&row.right) > screen && room(column) > room(beside);
            let start = if below { column } else { beside };
            line.push_str(if below { "\n" } else { "" });
            line.push_str(&" ".repeat(if below { start } else { start - reach(row) }));
            line.push_str(&wrap(&row.right, room(start)).join(&format!("\n{}", " ".repeat(start))));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Returns the text broken between words into lines of at most `room` cells; a word that is longer stands alone.
pub(crate) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if width(line) + 1 + width(word) <= room {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Returns the text with spaces at its end, so that it takes at least `cells`.
pub(crate) fn padded(text: &str, cells: usize) -> String {
    format!("{text}{}", " ".repeat(cells.saturating_sub(width(text))))
}

/// Returns how many cells the text takes on a screen.
pub(crate) fn width(text: &str) -> usize {
    if text.contains('\u{1b}') { anstream::adapter::strip_str(text).to_string().width() } else { text.width() }
}

/// Returns as much of the text as fits into `cells`, with `…` where something was left out. The text holds no escapes.
pub(crate) fn shortened(text: &str, cells: usize) -> String {
    if text.width() <= cells {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > cells {
            break;
        }
        shown.push(c);
    }
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_stand_in_one_column() {
        let rows = [
            Row::new(2, "ab").remark("one"),
            Row::blank(),
            Row::new(4, crate::paint::added("漢字")).remark("two"),
            Row::new(0, "no remark, and far too long to matter for the column of the others"),
        ];
        let text = anstream::adapter::strip_str(&lay_out(&rows, 60)).to_string();
        assert_eq!(
            text,
            "  ab        one\n\n    漢字    two\nno remark, and far too long to matter for the column of the others\n"
        );
    }

    #[test]
    fn a_long_text_pushes_only_its_own_remark_aside() {
        let rows = [Row::new(0, "short").remark("a"), Row::new(0, "x".repeat(45)).remark("b")];
        assert_eq!(lay_out(&rows, 60), format!("short    a\n{}  b\n", "x".repeat(45)));
    }

    #[test]
    fn a_table_apart_has_a_column_of_its_own() {
        let rows = [Row::new(0, "abc").remark("a"), Row::new(0, "longer").remark("b").apart(true)];
        assert_eq!(lay_out(&rows, 60), "abc    a\nlonger    b\n");
    }

    #[test]
    fn a_remark_without_room_beside_a_long_text_stands_below_it() {
        let rows = [Row::new(0, "short").remark("a"), Row::new(0, "x".repeat(45)).remark("one two three four")];
        assert_eq!(lay_out(&rows, 60), format!("short    a\n{}\n         one two three four\n", "x".repeat(45)));
    }

    #[test]
    fn a_long_remark_is_wrapped_in_its_column() {
        let rows = [Row::new(0, "k").remark("one two three four five six")];
        assert_eq!(lay_out(&rows, 25), "k    one two three four\n     five six\n");
    }

    #[test]
    fn words_are_never_cut() {
        assert_eq!(wrap("a bb ccc verylongword d", 6), ["a bb", "ccc", "verylongword", "d"]);
        assert_eq!(wrap("", 6), [""]);
    }

    #[test]
    fn shortening_counts_cells() {
        assert_eq!(shortened("漢字漢字", 6), "漢字…");
        assert_eq!(shortened("abc", 3), "abc");
    }
}
