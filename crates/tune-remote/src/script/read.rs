//! The script that looks: one survey of every path, behind a fence or without one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tune_core::contract::{Epoch, Fence, Lookup};

use crate::boot;
use crate::kind::{HostKind, HostKinds, Target};
use crate::script::quote::quote;
use crate::script::{ANSWER, COMMON, FENCE, Ground, HOME, Header, ITEM, LOCK, SURVEY, whole};

/// Every file that says something about the machine as a whole.
pub(crate) const FACTS: &[&str] = &[
    "/etc/machine-id",
    "/var/lib/dbus/machine-id",
    "/proc/sys/kernel/random/boot_id",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/osrelease",
    "/proc/meminfo",
    "/proc/swaps",
    "/run/systemd/container",
    "/.dockerenv",
    "/run/.containerenv",
    "/proc/1/environ",
    "/var/lib/tune",
    "/var/lib/tune/*/ledger.json",
    "/etc/ssh/ssh_host_*_key.pub",
    boot::KERNELS,
    boot::REQUIRED,
    boot::PACKAGES,
];

/// The status of the reading process itself, which says whose it is; outside of any test's root.
pub(crate) const STATUS: &str = "/proc/self/status";

/// Returns the script for a request. Every file of [`FACTS`], every target and every glob is surveyed; before a glob
/// stands a mark with its text.
pub(crate) fn script(
    ground: &Ground,
    nonce: &str,
    holder: &str,
    fence: Option<&Fence>,
    lookups: &[Lookup],
    kinds: &HostKinds,
) -> String {
    let targets: Vec<Target> = targets(lookups, kinds);
    let mut main = String::from("say begin\n");
    if let Some(fence) = fence {
        let _ = write!(main, "fence {} {}", epoch(fence.epoch), fence.patience.as_secs());
        for directory in directories(&targets) {
            let _ = write!(main, " {}", quote(&format!("{}{directory}", ground.root)));
        }
        main.push_str("\nset +f\n");
    }
    for glob in times(lookups, kinds) {
        let _ = writeln!(main, "dates {} {}", quote(glob), word_of_glob(ground, glob));
    }
    main.push_str("survey");
    let beside: Vec<String> = beside(lookups, kinds);
    let paths: BTreeSet<&str> = targets.iter().flat_map(paths).chain(beside.iter().map(String::as_str)).collect();
    for path in paths {
        let _ = write!(main, " {}", quote(&format!("{}{path}", ground.root)));
    }
    for glob in FACTS.iter().copied().chain(globs(lookups, kinds)) {
        let _ = write!(main, " mark:{} {}", quote(glob), word_of_glob(ground, glob));
    }
    let _ = writeln!(main, " mark:status {STATUS}");
    let lineage = fence.map_or("", |fence| fence.lineage.as_str());
    let header = Header { ground, lineage, holder }.text();
    let parts: &[&str] =
        if fence.is_some() { &[COMMON, ANSWER, LOCK, ITEM, HOME, FENCE, SURVEY] } else { &[COMMON, ANSWER, SURVEY] };
    whole(&header, nonce, parts, "", &main)
}

/// Returns the script that disarms a detached restore.
pub(crate) fn confirm(
    ground: &Ground,
    nonce: &str,
    holder: &str,
    lineage: &str,
    epoch: Epoch,
    patience: u64,
) -> String {
    let header = Header { ground, lineage, holder }.text();
    let main = format!("say begin\nconfirm {} {patience}\nfinish\n", quote(&restore_name(epoch)));
    whole(&header, nonce, &[COMMON, ANSWER, LOCK, FENCE], "", &main)
}

/// Returns the epoch as the word that scripts compare.
pub(crate) fn epoch(epoch: Epoch) -> String {
    format!("'{} {}'", epoch.run, epoch.sequence)
}

/// Returns what a batch's detached restore is called.
pub(crate) fn restore_name(epoch: Epoch) -> String {
    format!("restore of run {} batch {}", epoch.run, epoch.sequence)
}

/// Returns the evidence globs of the kinds that are asked for, each once.
pub(crate) fn globs(lookups: &[Lookup], kinds: &HostKinds) -> BTreeSet<&'static str> {
    lookups
        .iter()
        .filter_map(|lookup| kinds.get(lookup.kind.as_str()))
        .flat_map(|kind| kind.evidence())
        .copied()
        .collect()
}

/// Returns the globs of the kinds that are asked for of which only times are read, each once.
fn times(lookups: &[Lookup], kinds: &HostKinds) -> BTreeSet<&'static str> {
    let kinds = lookups.iter().filter_map(|lookup| kinds.get(lookup.kind.as_str()));
    kinds.flat_map(|kind| kind.times()).copied().collect()
}

/// Returns the files that are read because of single items.
fn beside(lookups: &[Lookup], kinds: &HostKinds) -> Vec<String> {
    let of = |lookup: &Lookup| {
        let kind = kinds.get(lookup.kind.as_str())?;
        Some(lookup.keys.iter().flat_map(|key| beside_item(kind.as_ref(), key)).collect::<Vec<_>>())
    };
    lookups.iter().filter_map(of).flatten().collect()
}

/// Returns the files that are read because of one item, as far as a script can name them.
pub(crate) fn beside_item(kind: &dyn HostKind, key: &tune_core::item::ItemKey) -> Vec<String> {
    kind.beside(key).into_iter().filter(|path| is_path(path)).collect()
}

/// Returns the directories in which a killed run may have left a file.
pub(crate) fn directories<'a>(targets: impl IntoIterator<Item = &'a Target>) -> BTreeSet<&'a str> {
    targets
        .into_iter()
        .filter_map(|target| match target {
            Target::File { path } => path.rsplit_once('/').map(|(directory, _)| directory),
            Target::Value { .. } | Target::Either { .. } | Target::Reported { .. } => None,
        })
        .collect()
}

/// Returns the target of an item, if it is one that a script can name.
pub(crate) fn target(kind: &dyn HostKind, key: &tune_core::item::ItemKey) -> Option<Target> {
    kind.target(key).filter(|target| paths(target).into_iter().all(is_path))
}

/// Returns the files of a target.
pub(crate) fn paths(target: &Target) -> Vec<&str> {
    match target {
        Target::Value { path } | Target::File { path } => vec![path],
        Target::Either { first, second } => vec![&first.1, &second.1],
        Target::Reported { path, table, .. } => vec![path, table],
    }
}

fn targets(lookups: &[Lookup], kinds: &HostKinds) -> Vec<Target> {
    let of = |lookup: &Lookup| {
        let kind = kinds.get(lookup.kind.as_str())?;
        Some(lookup.keys.iter().filter_map(|key| target(kind.as_ref(), key)).collect::<Vec<_>>())
    };
    lookups.iter().filter_map(of).flatten().collect()
}

fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && path.len() > 1
        && path[1..].split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !path.chars().any(char::is_control)
}

/// The glob stays outside of quotes, because the shell is to expand it; whatever is no plain glob is quoted and so
/// matches at most itself.
fn word_of_glob(ground: &Ground, glob: &str) -> String {
    if glob.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '*' | '-')) {
        format!("{}{glob}", if ground.root.is_empty() { String::new() } else { quote(&ground.root) })
    } else {
        quote(&format!("{}{glob}", ground.root))
    }
}
