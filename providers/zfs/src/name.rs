//! The name of one parameter of one module. Whether it exists is the host's business.

use tune_core::item::ItemKey;

/// A parameter, `zfs.zfs_txg_timeout`, as the kernel's command line writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// As in `/sys/module`: a hyphen in a module's name is an underscore there.
    pub(crate) module: String,
    pub(crate) parameter: String,
}

impl Name {
    /// Returns the name, or nothing if one of the two parts cannot be a name.
    pub(crate) fn new(module: &str, parameter: &str) -> Option<Self> {
        let name = Self { module: module.replace('-', "_"), parameter: parameter.to_owned() };
        (is_word(&name.module) && is_word(parameter)).then_some(name)
    }

    /// Returns the name that an item's key holds.
    pub(crate) fn of(key: &ItemKey) -> Option<Self> {
        let (module, parameter) = key.0.split_once('.')?;
        Self::new(module, parameter).filter(|name| name.key() == *key)
    }

    /// Returns the item of the running value.
    pub(crate) fn key(&self) -> ItemKey {
        ItemKey(format!("{}.{}", self.module, self.parameter))
    }

    /// Returns the file of the running value.
    pub(crate) fn path(&self) -> String {
        format!("/sys/module/{}/parameters/{}", self.module, self.parameter)
    }

    /// Returns the file that every loaded module has, and none that is built into the kernel.
    pub(crate) fn state_path(&self) -> String {
        format!("/sys/module/{}/initstate", self.module)
    }

    /// Returns what a person calls it: parameters of ZFS are known by their own names.
    pub(crate) fn shown(&self) -> String {
        if self.module == ZFS { self.parameter.clone() } else { self.key().0 }
    }
}

/// The module that is meant where none is named.
pub(crate) const ZFS: &str = "zfs";

/// Returns whether the kernel takes two parameters' names for one.
pub(crate) fn same_parameter(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).all(|(a, b)| plain(a) == plain(b))
}

fn plain(byte: u8) -> u8 {
    if byte == b'-' { b'_' } else { byte }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_two_words() {
        let key = |module: &str, parameter: &str| Name::new(module, parameter).map(|name| name.key().0);
        assert_eq!(key("zfs", "zfs_txg_timeout").unwrap(), "zfs.zfs_txg_timeout");
        assert_eq!(key("nvme-core", "io_timeout").unwrap(), "nvme_core.io_timeout");
        let long = "x".repeat(65);
        for (module, parameter) in [("", "x"), ("zfs", ""), ("../x", "y"), ("zfs", "a/b"), ("zfs", "a.b"), ("z", &long)]
        {
            assert_eq!(key(module, parameter), None, "{module} {parameter}");
        }
    }

    #[test]
    fn a_key_is_read_back_only_in_its_own_spelling() {
        let name = Name::new("nvme-core", "io_timeout").unwrap();
        assert_eq!(Name::of(&name.key()), Some(name));
        for key in ["nvme-core.io_timeout", "zfs", "zfs.a.b", "/etc/modprobe.d/a.conf", ".x", "zfs. x"] {
            assert_eq!(Name::of(&ItemKey::from(key)), None, "{key}");
        }
    }

    #[test]
    fn hyphens_are_underscores_to_the_kernel() {
        assert!(same_parameter("zfs-txg_timeout", "zfs_txg-timeout") && !same_parameter("a", "a_"));
    }
}
