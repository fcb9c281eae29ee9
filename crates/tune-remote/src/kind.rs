//! What a provider of kinds on hosts implements. It says where an item lives and judges what was found there; how a
//! host is reached, and every line of shell, are this crate's business.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::contract::Kind;
use tune_core::item::{ItemKey, Raw};
use tune_core::reading::{ItemReading, Unreadable};

/// A kind whose items live on hosts.
pub trait HostKind: Kind {
    /// Returns where an item lives on its host, or `None` for a key that cannot be an item of this kind.
    fn target(&self, key: &ItemKey) -> Option<Target>;

    /// Returns the files that are read as evidence, as shell globs: fixed texts of the provider, absolute, made of
    /// letters, digits and `_./*-` only, for example `/etc/sysctl.d/*.conf`.
    fn evidence(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns what only the modification times are evidence of, as shell globs like those of [`evidence`]: nothing is
    /// read of these, so they may be large. Directories count.
    ///
    /// [`evidence`]: HostKind::evidence
    fn times(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns the files that are read as evidence because of one item, as absolute paths, for what no fixed list can
    /// name. Their permission bits are evidence too.
    fn beside(&self, key: &ItemKey) -> Vec<String> {
        let _ = key;
        Vec::new()
    }

    /// Judges one item as found: its three layers.
    fn layers(&self, key: &ItemKey, found: &Found, evidence: &Evidence) -> Result<ItemReading, Unreadable>;
}

/// The kinds whose items live on hosts, by name.
pub type HostKinds = BTreeMap<&'static str, Arc<dyn HostKind>>;

/// Where an item lives on a host.
///
/// Every path is absolute, without `..`, and names one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A value of one line in a file of `/proc` or `/sys`. Its restorable form is [`Raw::Text`] without the final line
    /// break; a missing file is [`Raw::Absent`].
    Value {
        /// The file.
        path: String,
    },
    /// Two values of one line each, of which writing one zeroes the other, such as `vm.dirty_ratio` and
    /// `vm.dirty_bytes`. Its restorable form is [`Raw::Text`] with `NAME=VALUE` of the one that is not zero, the first
    /// if both are. Writing writes only that one: a zero is never written.
    Either {
        /// Name and file of the first value.
        first: (String, String),
        /// Name and file of the second value.
        second: (String, String),
    },
    /// A value that is written to one file and judged by another, because the system takes what is written without a word
    /// and then uses something else: a table with lines of `FIELD TYPE VALUE`, such as the statistics of ZFS. Its
    /// restorable form is [`Raw::Text`] with the field's value; a missing file is [`Raw::Absent`].
    Reported {
        /// The file that is written.
        path: String,
        /// The table that says what is in use.
        table: String,
        /// The first word of the line.
        field: String,
    },
    /// A regular file, [`Raw::File`] or [`Raw::Absent`], always replaced as a whole.
    File {
        /// The file.
        path: String,
    },
}

/// One item as it was found on its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its restorable form.
    pub raw: Raw,
    /// Whether the user that commands run as may write it, as far as permissions and mounts tell. For a missing file:
    /// whether it could be created.
    pub writable: bool,
    /// The permission bits of a value's file; `None` for a file item (its form has them) and for what is absent.
    pub mode: Option<u32>,
}

/// What a kind's [`evidence`](HostKind::evidence), [`times`](HostKind::times) and [`beside`](HostKind::beside) name, as it
/// was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Path to text, through symbolic links. What is not UTF-8 in it is replaced, because other people's comments must
    /// not stop a plan.
    pub files: BTreeMap<String, String>,
    /// For each path that is a symbolic link, where it points, as written in the link. A link to nothing, or
    /// to what is no regular file such as `/dev/null`, is here only.
    pub links: BTreeMap<String, String>,
    /// Files (or whole globs) that are there but could not be read, with the reason.
    pub unreadable: BTreeMap<String, String>,
    /// When a path of [`times`](HostKind::times) was last changed, in seconds since 1970.
    pub times: BTreeMap<String, i64>,
    /// The permission bits of a path of [`beside`](HostKind::beside).
    pub modes: BTreeMap<String, u32>,
}

const LINK: &str = "link:";
const UNREADABLE: &str = "unreadable:";
const TIME: &str = "time:";
const MODE: &str = "mode:";

impl Evidence {
    /// Returns the evidence as the texts of a [`Reading`](tune_core::reading::Reading). A file is under its path; a
    /// link and a reason have a prefix, which no path can be mistaken for because paths are absolute.
    pub fn to_texts(&self) -> BTreeMap<String, String> {
        let mut texts = self.files.clone();
        texts.extend(self.links.iter().map(|(path, to)| (format!("{LINK}{path}"), to.clone())));
        texts.extend(self.unreadable.iter().map(|(path, why)| (format!("{UNREADABLE}{path}"), why.clone())));
        texts.extend(self.times.iter().map(|(path, time)| (format!("{TIME}{path}"), time.to_string())));
        texts.extend(self.modes.iter().map(|(path, mode)| (format!("{MODE}{path}"), format!("{mode:o}"))));
        texts
    }

    /// Returns the evidence that [`Evidence::to_texts`] wrote.
    pub fn from_texts(texts: &BTreeMap<String, String>) -> Self {
        let mut evidence = Self::default();
        for (name, text) in texts {
            if let Some(path) = name.strip_prefix(TIME) {
                evidence.times.extend(text.parse().ok().map(|time| (path.to_owned(), time)));
                continue;
            }
            if let Some(path) = name.strip_prefix(MODE) {
                evidence.modes.extend(u32::from_str_radix(text, 8).ok().map(|mode| (path.to_owned(), mode)));
                continue;
            }
            let (map, path) = if let Some(path) = name.strip_prefix(LINK) {
                (&mut evidence.links, path)
            } else if let Some(path) = name.strip_prefix(UNREADABLE) {
                (&mut evidence.unreadable, path)
            } else {
                (&mut evidence.files, name.as_str())
            };
            map.insert(path.to_owned(), text.clone());
        }
        evidence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts() -> impl Strategy<Value = BTreeMap<String, String>> {
        proptest::collection::btree_map("/[a-z:/]{0,8}", "\\PC{0,8}", 0..4)
    }

    proptest! {
        #[test]
        fn evidence_survives_the_reading(
            files in texts(),
            links in texts(),
            unreadable in texts(),
            times in proptest::collection::btree_map("/[a-z:/]{0,8}", any::<i64>(), 0..4),
            modes in proptest::collection::btree_map("/[a-z:/]{0,8}", any::<u32>(), 0..4),
        ) {
            let evidence = Evidence { files, links, unreadable, times, modes };
            prop_assert_eq!(Evidence::from_texts(&evidence.to_texts()), evidence);
        }
    }
}
