//! Names that stand for one setting: the two halves of a pair, of which a write to one zeroes the other, and second
//! names for the same value.

use tune_core::item::{ItemKey, Raw};

/// One setting with two units. At most one half is not zero.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// The half in percent.
    pub(crate) first: &'static str,
    /// The half in bytes or kilobytes.
    pub(crate) second: &'static str,
    /// The least value other than zero that the kernel takes for the second half.
    pub(crate) second_least: u64,
}

/// Every pair.
pub(crate) const PAIRS: [Pair; 3] = [
    // Fewer than two pages are refused; pages are at least 4 KiB.
    Pair { first: "vm.dirty_ratio", second: "vm.dirty_bytes", second_least: 8192 },
    Pair { first: "vm.dirty_background_ratio", second: "vm.dirty_background_bytes", second_least: 1 },
    Pair { first: "vm.overcommit_ratio", second: "vm.overcommit_kbytes", second_least: 1 },
];

/// Second names, each with the name that is used for the value here.
const SECOND_NAMES: [(&str, &str); 3] = [
    ("net.ipv4.conf.all.forwarding", "net.ipv4.ip_forward"),
    ("net.nf_conntrack_max", "net.netfilter.nf_conntrack_max"),
    ("vm.nr_hugepages_mempolicy", "vm.nr_hugepages"),
];

impl Pair {
    /// Returns the item that stands for both halves.
    pub(crate) fn item(&self) -> ItemKey {
        ItemKey(format!("{}|{}", self.first, self.second))
    }
}

/// Returns the pair that a parameter is a half of.
pub(crate) fn pair_with(name: &str) -> Option<&'static Pair> {
    PAIRS.iter().find(|pair| pair.first == name || pair.second == name)
}

/// Returns the pair that an item stands for.
pub(crate) fn pair_of(item: &ItemKey) -> Option<&'static Pair> {
    let (first, second) = item.0.split_once('|')?;
    PAIRS.iter().find(|pair| pair.first == first && pair.second == second)
}

/// Returns the name that is used for the parameter's value.
pub(crate) fn first_name(name: &str) -> &str {
    SECOND_NAMES.iter().find(|(second, _)| *second == name).map_or(name, |(_, first)| first)
}

/// Returns every name of the one setting that an item stands for.
pub(crate) fn names_of(item: &ItemKey) -> Vec<&str> {
    if let Some(pair) = pair_of(item) {
        return vec![pair.first, pair.second];
    }
    let second = SECOND_NAMES.iter().filter(|(_, first)| *first == item.0).map(|(second, _)| *second);
    std::iter::once(item.0.as_str()).chain(second).collect()
}

/// Returns the half that a pair's restorable form names, with its value.
pub(crate) fn half(raw: &Raw) -> Option<(&str, &str)> {
    match raw {
        Raw::Text(text) => text.split_once('='),
        Raw::Absent | Raw::File(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_and_second_names_are_one_setting() {
        let pair = pair_with("vm.dirty_bytes").unwrap();
        assert_eq!(pair.item(), ItemKey::from("vm.dirty_ratio|vm.dirty_bytes"));
        assert_eq!(pair_of(&pair.item()), Some(pair));
        assert_eq!(names_of(&pair.item()), ["vm.dirty_ratio", "vm.dirty_bytes"]);
        assert_eq!(first_name("net.ipv4.conf.all.forwarding"), "net.ipv4.ip_forward");
        assert_eq!(
            names_of(&ItemKey::from("net.ipv4.ip_forward")),
            ["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"]
        );
        assert_eq!(names_of(&ItemKey::from("vm.swappiness")), ["vm.swappiness"]);
        assert_eq!(half(&Raw::Text("vm.dirty_bytes=4096".into())), Some(("vm.dirty_bytes", "4096")));
    }
}
