//! The one place where a text becomes a word of shell.

/// Returns the text as one single-quoted word of POSIX shell. A NUL, which no word can hold, becomes U+FFFD.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\0', "\u{fffd}").replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    /// Every shell at hand is asked what it makes of the word.
    fn read_back(text: &str) {
        for shell in [&["dash", "-c"][..], &["bash", "--posix", "-c"], &["busybox", "sh", "-c"], &["sh", "-c"]] {
            let Ok(output) =
                Command::new(shell[0]).args(&shell[1..]).arg(format!("printf %s {}", quote(text))).output()
            else {
                continue;
            };
            assert_eq!(String::from_utf8_lossy(&output.stdout), text, "{shell:?}");
        }
    }

    #[test]
    fn metacharacters_mean_nothing() {
        read_back("");
        read_back("'");
        read_back("'; rm -rf / #$(id)`id`\\\n\t\u{1b}]0;x\u{7}*?[a]~!{a,b}&|<>\"");
        assert_eq!(quote("a\0b"), "'a\u{fffd}b'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_shell_reads_back_what_was_quoted(text in "([^\\x00]|['\"\\\\$`!*\\n;&| -]){0,24}") {
            read_back(&text);
        }
    }
}
