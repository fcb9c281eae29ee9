//! The unit of everything that `tune` records, writes and puts back: one *item*, such as a kernel parameter or a file.
//! A resource in the configuration owns one or more items; originals belong to items, so an item keeps its original
//! when it moves from one resource to another.

use std::fmt;

/// The name of an item within its kind on one connection: `vm.swappiness`, `/etc/sysctl.d/99-zz-tune-etcd.conf`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey(pub String);

impl From<&str> for ItemKey {
    fn from(key: &str) -> Self {
        Self(key.to_owned())
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What names a machine in the state; opaque, chosen when the host is adopted and never changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub String);

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identity of an item: what it is in the world, whatever the configuration calls it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId {
    /// The machine.
    pub host: HostId,
    /// The kind that knows how to read and write it.
    pub kind: String,
    /// The item among all of its kind there.
    pub key: ItemKey,
}

/// An item's restorable form: writing it back gives exactly what was found, absence included.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Raw {
    /// Known not to exist.
    Absent,
    /// A value, byte for byte as the system printed it, without the final line break.
    Text(String),
    /// A regular file.
    File(FileState),
}

/// Everything about a regular file that an undo must restore.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileState {
    /// All bytes.
    pub content: Vec<u8>,
    /// Permission bits, for example `0o644`.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
}

impl FileState {
    /// Returns a file that root owns and everybody may read.
    pub fn public(content: impl Into<Vec<u8>>) -> Self {
        Self { content: content.into(), mode: 0o644, uid: 0, gid: 0 }
    }
}

/// Shows the content as text, because a list of byte values helps nobody.
impl fmt::Debug for FileState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileState")
            .field("content", &String::from_utf8_lossy(&self.content))
            .field("mode", &format_args!("{:04o}", self.mode))
            .field("uid", &self.uid)
            .field("gid", &self.gid)
            .finish()
    }
}

/// The difference between two restorable forms of one item. Undo is the same change turned round.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// What must be there for the change to be made.
    pub before: Raw,
    /// What is there afterwards.
    pub after: Raw,
}

impl Change {
    /// Returns the change that undoes this one.
    #[must_use]
    pub fn inverse(self) -> Self {
        Self { before: self.after, after: self.before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_raw() -> impl Strategy<Value = Raw> {
        prop_oneof![
            Just(Raw::Absent),
            "\\PC{0,8}".prop_map(Raw::Text),
            (proptest::collection::vec(any::<u8>(), 0..8), 0u32..0o7777)
                .prop_map(|(content, mode)| Raw::File(FileState { content, mode, uid: 0, gid: 0 })),
        ]
    }

    proptest! {
        #[test]
        fn turning_a_change_round_twice_gives_it_back(before in any_raw(), after in any_raw()) {
            let change = Change { before, after };
            prop_assert_eq!(change.clone().inverse().inverse(), change);
        }
    }
}
