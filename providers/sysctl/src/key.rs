//! The names of kernel parameters and the files below `/proc/sys` that they stand for. This module only translates;
//! which keys may be managed is the business of [`crate::known`].

use std::fmt;

/// A kernel parameter.
///
/// Invariant: a relative path below `/proc/sys` of at least two parts, none of them empty, `.` or `..`. The first has
/// no dot, because in either spelling it ends at the first separator; so name and path can be turned into each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    path: String,
}

/// A text that does not name a kernel parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    /// Nothing at all.
    #[error("the name is empty")]
    Empty,
    /// A path instead of a name.
    #[error("a name has no slash in front; `/proc/sys/vm/swappiness` is written `vm.swappiness`")]
    Absolute,
    /// A part that leads out of `/proc/sys`, or none between two separators.
    #[error("a part of the name is empty, `.` or `..`")]
    Part,
    /// Only one part.
    #[error("a name has at least two parts, as in `vm.swappiness`")]
    Single,
    /// A pattern.
    #[error("patterns are not taken, because only explicit names have a value to put back; write each name")]
    Glob,
    /// The spelling of sysctl.d for "ignore failures".
    #[error("a minus in front belongs to sysctl.d files; a failure is never ignored here")]
    Minus,
    /// Any other character that cannot stand in a name.
    #[error("{0:?} cannot stand in a name")]
    Character(char),
}

impl Key {
    /// Returns the parameter that a text names in either spelling: `net.ipv4.conf.eth0/100.forwarding` or
    /// `net/ipv4/conf/eth0.100/forwarding`.
    pub(crate) fn parse(text: &str) -> Result<Self, KeyError> {
        match text.chars().next() {
            None => return Err(KeyError::Empty),
            Some('/') => return Err(KeyError::Absolute),
            Some('-') => return Err(KeyError::Minus),
            Some(_) => {}
        }
        if let Some(wrong) = text.chars().find(|c| !may_stand_in_a_name(*c)) {
            return Err(if matches!(wrong, '*' | '?' | '[' | ']' | '{' | '}') {
                KeyError::Glob
            } else {
                KeyError::Character(wrong)
            });
        }
        let path = swapped(text);
        let parts: Vec<&str> = path.split('/').collect();
        if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
            return Err(KeyError::Part);
        }
        if parts.len() < 2 {
            return Err(KeyError::Single);
        }
        Ok(Self { path })
    }

    /// Returns the name as `sysctl` prints it: parts separated by dots, a dot inside a part written as a slash.
    pub(crate) fn name(&self) -> String {
        exchanged(&self.path)
    }

    /// Returns the path below `/proc/sys`.
    pub(crate) fn relative_path(&self) -> &str {
        &self.path
    }

    /// Returns the file that holds the live value.
    pub(crate) fn proc_path(&self) -> String {
        format!("/proc/sys/{}", self.path)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Returns the relative path that a line of a sysctl.d file means, patterns included, as systemd-sysctl reads it.
pub(crate) fn normalized(text: &str) -> String {
    let path = swapped(text);
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.collect::<Vec<_>>().join("/")
}

/// The first separator decides: after a dot the two separators change places, after a slash the text is a path.
fn swapped(text: &str) -> String {
    match text.find(['.', '/']) {
        Some(first) if text[first..].starts_with('.') => exchanged(text),
        _ => text.to_owned(),
    }
}

fn exchanged(text: &str) -> String {
    let other = |c| match c {
        '.' => '/',
        '/' => '.',
        c => c,
    };
    text.chars().map(other).collect()
}

/// Interface names may hold almost anything; what a shell, a sysctl.d file or a pair's name could misread is left out.
fn may_stand_in_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_' | ':' | '@' | '+' | ',' | '%' | '~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expect: &str) {
        let shown = match Key::parse(text) {
            Ok(key) => format!("{key} {}", key.proc_path()),
            Err(error) => error.to_string(),
        };
        assert!(shown.starts_with(expect), "{text}: {shown}");
    }

    #[test]
    fn both_spellings_name_the_same_file() {
        check("vm.swappiness", "vm.swappiness /proc/sys/vm/swappiness");
        check("vm/swappiness", "vm.swappiness /proc/sys/vm/swappiness");
        let vlan = "net.ipv4.conf.eth0/100.forwarding /proc/sys/net/ipv4/conf/eth0.100/forwarding";
        check("net.ipv4.conf.eth0/100.forwarding", vlan);
        check("net/ipv4/conf/eth0.100/forwarding", vlan);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        check("", "the name is empty");
        check("/proc/sys/vm/swappiness", "a name has no slash in front");
        check("swappiness", "a name has at least two parts");
        check("vm..swappiness", "a part of the name is empty");
        check("vm/../kernel/panic", "a part of the name is empty, `.` or `..`");
        check("vm.//.kernel", "a part of the name is empty, `.` or `..`");
        check("vm.swappiness.", "a part of the name is empty");
        check("net.ipv4.conf.*.rp_filter", "patterns are not taken");
        check("-vm.swappiness", "a minus in front");
        check("vm swappiness", "' ' cannot stand in a name");
        check("vm.swappiness=10", "'=' cannot stand");
        check("vm.$(reboot)", "'$' cannot stand");
        check("vm.swap\u{1b}piness", "'\\u{1b}' cannot stand");
        check("vm.dirty_ratio|vm.dirty_bytes", "'|' cannot stand");
    }

    #[test]
    fn lines_of_files_are_read_as_systemd_does() {
        for (text, expect) in [
            ("net.ipv4.conf.*.rp_filter", "net/ipv4/conf/*/rp_filter"),
            ("net/ipv4/conf/eth0.1/rp_filter", "net/ipv4/conf/eth0.1/rp_filter"),
            ("/vm/swappiness", "vm/swappiness"),
            ("vm//swappiness", "vm/swappiness"),
            ("vm..swappiness", "vm/swappiness"),
            ("swappiness", "swappiness"),
        ] {
            assert_eq!(normalized(text), expect);
        }
    }

    proptest! {
        #[test]
        fn names_and_paths_turn_into_each_other(
            first in "[a-z_]{1,6}",
            rest in proptest::collection::vec("[a-z0-9_.:-]{1,6}", 1..4),
        ) {
            prop_assume!(rest.iter().all(|part| part != "." && part != ".."));
            let path = format!("{first}/{}", rest.join("/"));
            let key = Key::parse(&path).unwrap();
            prop_assert_eq!(key.relative_path(), path.as_str());
            prop_assert_eq!(&Key::parse(&key.name()).unwrap(), &key);
            prop_assert_eq!(normalized(&key.name()), path);
        }

        #[test]
        fn any_text_is_a_key_or_an_error(text in "\\PC{0,20}|[./a*-]{0,10}") {
            if let Ok(key) = Key::parse(&text) {
                prop_assert!(!key.proc_path().contains("/../"));
                prop_assert_eq!(Key::parse(&key.name()), Ok(key));
            }
        }
    }
}
