//! The text of one sysctl.d file, as systemd-sysctl reads it. Which files count, and in which order, is
//! [`crate::boot`]'s business.

use crate::key;

/// One line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Counted from 1.
    pub(crate) number: usize,
    /// A path below `/proc/sys`, or a pattern of such paths.
    pub(crate) pattern: String,
    /// What it is set to; `None` for a line such as `-net.ipv4.conf.eth0.rp_filter`, which only excludes.
    pub(crate) value: Option<String>,
}

/// Returns the lines of a file that say something. What systemd-sysctl would skip with a message is left out.
pub(crate) fn lines(text: &str) -> Vec<Line> {
    split(text).enumerate().filter_map(|(index, line)| parsed(line, index + 1)).collect()
}

fn parsed(line: &str, number: usize) -> Option<Line> {
    let line = stripped(line);
    if line.is_empty() || line.starts_with(['#', ';']) {
        return None;
    }
    let (name, value) = match line.split_once('=') {
        // A minus in front means that a failure to write is ignored; the value counts all the same.
        Some((name, value)) => (name.strip_prefix('-').unwrap_or(name), Some(stripped(value).to_owned())),
        None => (line.strip_prefix('-')?, None),
    };
    let pattern = key::normalized(stripped(name));
    (!pattern.is_empty()).then_some(Line { number, pattern, value })
}

/// Splits like systemd: a line ends at a line feed, a carriage return, both together, or a zero byte.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\n', '\r', '\0']) else {
            rest = None;
            return Some(text);
        };
        let after = &text[end..];
        let length = if after.starts_with("\r\n") || after.starts_with("\n\r") { 2 } else { 1 };
        rest = Some(&after[length..]);
        Some(&text[..end])
    })
}

fn stripped(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_read_as_systemd_does() {
        let text = "# comment\n; too\n\n vm.swappiness =10 \n-net/ipv4/conf/eth0.1/x= 1\r\n-net.ipv4.conf.*.y\n\
                    nonsense\nkernel.core_pattern=|/bin/x a=b # %p\nvm.empty =\n=5\n - vm.spaced = 1";
        let shown: Vec<String> =
            lines(text).iter().map(|line| format!("{} {} {:?}", line.number, line.pattern, line.value)).collect();
        assert_eq!(
            shown,
            [
                r#"4 vm/swappiness Some("10")"#,
                r#"5 net/ipv4/conf/eth0.1/x Some("1")"#,
                "6 net/ipv4/conf/*/y None",
                r#"8 kernel/core_pattern Some("|/bin/x a=b # %p")"#,
                r#"9 vm/empty Some("")"#,
                r#"11 vm/spaced Some("1")"#,
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "[-a=#./*\\n\\r\\x00 ]{0,40}|\\PC{0,40}") {
            let n_lines = text.split(['\n', '\r', '\0']).count();
            prop_assert!(lines(&text).iter().all(|line| line.number <= n_lines && !line.pattern.is_empty()));
        }
    }
}
