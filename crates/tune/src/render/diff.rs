//! The difference between two texts, line by line, as a patch shows it.

use similar::{ChangeTag, TextDiff};
use tune_core::text;

/// How many unchanged lines stand around a change.
const CONTEXT: usize = 2;
/// A line is cut after this many characters.
const LONGEST_LINE: usize = 200;
/// A file that is not text, or a patch longer than this, is described instead.
const MOST_LINES: usize = 60;

/// Returns the lines of a patch from one content to the other, each with its sign in front.
pub(crate) fn patch(before: &[u8], after: &[u8]) -> Vec<String> {
    let (Ok(before), Ok(after)) = (std::str::from_utf8(before), std::str::from_utf8(after)) else {
        return vec![format!("{} bytes -> {} bytes, not text", before.len(), after.len())];
    };
    let difference = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for (number, group) in difference.grouped_ops(CONTEXT).iter().enumerate() {
        if number > 0 {
            lines.push("…".to_owned());
        }
        for change in group.iter().flat_map(|operation| difference.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let shown = text::visible(change.value().trim_end_matches('\n'), LONGEST_LINE);
            lines.push(format!("{sign} {shown}"));
            if change.missing_newline() {
                lines.push("  (no line break at the end)".to_owned());
            }
        }
    }
    if lines.len() > MOST_LINES {
        let hidden = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push(format!("… and {hidden} lines more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_shows_what_changed_and_its_surroundings() {
        let before = "1\n2\n3\n4\nold\n6\n";
        let after = "1\n2\n3\n4\nnew\n6";
        assert_eq!(
            patch(before.as_bytes(), after.as_bytes()),
            ["  3", "  4", "- old", "- 6", "+ new", "+ 6", "  (no line break at the end)"]
        );
    }

    #[test]
    fn escapes_and_other_bytes_are_never_shown_raw() {
        assert_eq!(patch(b"", b"\x1b[31m\n"), ["+ ␛[31m"]);
        assert_eq!(patch(b"\xff", b"a"), ["1 bytes -> 1 bytes, not text"]);
    }

    #[test]
    fn a_long_patch_is_cut() {
        let lines = (0..100).map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
        let shown = patch(b"", lines.as_bytes());
        assert_eq!((shown.len(), shown.last().map(String::as_str)), (61, Some("… and 40 lines more")));
    }
}
