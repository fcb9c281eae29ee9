//! Brings a plan's resources together: the same change on many hosts is one entry, and entries on the same hosts stand
//! under one heading. Whoever differs stands alone.

use std::collections::BTreeMap;

use tune_core::address::{Address, InstanceKey};

use super::item::{self, Context, View};

/// Entries that concern the same hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// The hosts, sorted.
    pub(crate) hosts: Vec<Address>,
    /// What happens on each of them.
    pub(crate) entries: Vec<Entry>,
}

/// One change on one or many hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The resources, sorted; instances of one block.
    pub(crate) addresses: Vec<Address>,
    /// What happens to each of them.
    pub(crate) view: View,
}

/// Returns what there is to show, in the order of the first address of each entry.
pub(crate) fn sections(context: Context<'_>) -> Vec<Section> {
    let mut entries: BTreeMap<(Address, View), (Vec<Address>, Vec<Address>)> = BTreeMap::new();
    for (address, resource) in &context.plan.resources {
        let Some(view) = item::view(context, resource) else { continue };
        let host = context.plan.hosts.get(&resource.host).map(|planned| planned.host.address.clone());
        // What lives in an API is looked for where it is felt.
        let host = resource.guest.clone().or(host);
        let (addresses, hosts) = entries.entry((address.block(), view)).or_default();
        addresses.push(address.clone());
        hosts.extend(host);
    }
    let mut sections: Vec<Section> = Vec::new();
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_by(|(_, (a, _)), (_, (b, _))| a.cmp(b));
    for ((_, view), (addresses, mut hosts)) in entries {
        hosts.sort();
        hosts.dedup();
        let entry = Entry { addresses, view };
        match sections.iter_mut().find(|section| section.hosts == hosts) {
            Some(section) => section.entries.push(entry),
            None => sections.push(Section { hosts, entries: vec![entry] }),
        }
    }
    sections
}

/// Returns what an entry is called under a heading that names its hosts already: one resource by its address, many by
/// their block when their keys are those of the hosts, else by block and keys.
pub(crate) fn title(addresses: &[Address], hosts: &[Address]) -> String {
    let Some(first) = addresses.first() else { return String::new() };
    let keys = |of: &[Address]| of.iter().map(|address| address.key.clone()).collect::<Vec<InstanceKey>>();
    if addresses.len() == 1 {
        first.to_string()
    } else if keys(addresses) == keys(hosts) {
        first.block().to_string()
    } else {
        format!("{}{}", first.block(), many(addresses.iter().map(|address| address.key.to_string()).collect(), 3))
    }
}

/// Returns names of which three or more instances of one block are one: `sysctl.etcd × 3`.
pub(crate) fn by_block(names: Vec<String>) -> Vec<String> {
    let block = |name: &str| name.split_once('[').map(|(block, _)| block.to_owned());
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for block in names.iter().filter_map(|name| block(name)) {
        *counts.entry(block).or_default() += 1;
    }
    let mut short: Vec<String> = Vec::new();
    for name in names {
        let counted = block(&name).and_then(|block| Some((counts.get(&block).copied()?, block)));
        let name = match counted {
            Some((count @ 3.., block)) => format!("{block} × {count}"),
            _ => name,
        };
        if short.last() != Some(&name) {
            short.push(name);
        }
    }
    short
}

/// Returns a list of names that stays short: the first ones, and how many there are when some are left out.
pub(crate) fn many(names: Vec<String>, shown: usize) -> String {
    let all = names.len();
    if all <= shown {
        return names.join(", ");
    }
    let first: Vec<String> = names.into_iter().take(shown - 1).collect();
    format!("{}, … × {all}", first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instances(name: &str, keys: &[&str]) -> Vec<Address> {
        keys.iter().map(|key| Address::new("sysctl", name).with_name(key)).collect()
    }

    #[test]
    fn a_title_says_no_more_than_the_heading_leaves_open() {
        let hosts = instances("k3s", &["a", "b"]);
        assert_eq!(title(&instances("etcd", &["a"]), &hosts[..1]), "sysctl.etcd[\"a\"]");
        assert_eq!(title(&instances("etcd", &["a", "b"]), &hosts), "sysctl.etcd");
        assert_eq!(title(&instances("etcd", &["x", "y"]), &hosts), "sysctl.etcd[\"x\"], [\"y\"]");
        let many = instances("etcd", &["v", "w", "x", "y", "z"]);
        assert_eq!(title(&many, &hosts[..1]), "sysctl.etcd[\"v\"], [\"w\"], … × 5");
    }
}
