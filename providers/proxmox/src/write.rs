//! Writing: the items of one resource become one request, guarded by the digest of what was read for it. The API writes
//! one option after another, in an order of its own, and may stop half-way; so after a failure what is there is read
//! again and put back.
//!
//! A request that is guarded by a digest may be sent again when its answer was lost: whichever arrives first changes the
//! digest, and the other one is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tune_core::contract::{BatchItem, Outcome};
use tune_core::item::Raw;
use tune_core::text::visible;

use crate::api::{Api, Options, Write};
use crate::canonical;
use crate::failure::Failure;
use crate::key::{Key, Place};
use crate::pause::Pauses;
use crate::stored::stored;
use crate::vm::{self, Entry};

/// One item of a group, with its place in the batch.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    pub(crate) index: usize,
    pub(crate) key: Key,
    pub(crate) wanted: &'a BatchItem,
}

/// What became of one group.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) outcomes: Vec<(usize, Outcome)>,
    /// Whether something was sent that may still take effect.
    pub(crate) is_open: bool,
}

/// Writes the items of one resource, within a time.
pub(crate) async fn write(api: &Api, vmid: u32, items: &[Item<'_>], limit: Duration) -> Written {
    let mut pauses = Pauses::within(limit);
    let mut open: Option<Failure> = None;
    loop {
        let failure = match attempt(api, vmid, items).await {
            Attempt::Over(outcomes) => return Written { outcomes, is_open: false },
            Attempt::Again(failure) => failure,
        };
        if failure.is_unknown() {
            open = Some(failure.clone());
        }
        if !pauses.pause().await {
            let outcome = match open {
                Some(_) => Outcome::Unknown,
                None => Outcome::Refused { message: failure.advice(vmid, api.client.user()) },
            };
            let is_open = open.is_some();
            return Written { outcomes: items.iter().map(|item| (item.index, outcome.clone())).collect(), is_open };
        }
    }
}

enum Attempt {
    Over(Vec<(usize, Outcome)>),
    /// Not yet: somebody holds the machine, or nobody knows what happened.
    Again(Failure),
}

async fn attempt(api: &Api, vmid: u32, items: &[Item<'_>]) -> Attempt {
    let before = match api.options(vmid).await {
        Ok(found) => found,
        Err(failure) if failure.may_pass() => return Attempt::Again(failure),
        Err(failure) => {
            return Attempt::Over(all(items, &Outcome::Refused { message: failure.advice(vmid, api.client.user()) }));
        }
    };
    let (due, mut outcomes) = judge(items, &before);
    if due.is_empty() {
        return Attempt::Over(outcomes);
    }
    let write = changes(&before, &due);
    if write.is_empty() {
        outcomes.extend(due.iter().map(|item| (item.index, Outcome::Done)));
        return Attempt::Over(outcomes);
    }
    let said = match api.write(vmid, &before.digest, &write).await {
        Ok(()) => None,
        Err(failure) if failure.is_outdated() || failure.may_pass() => return Attempt::Again(failure),
        Err(failure) => Some(failure.advice(vmid, api.client.user())),
    };
    let after = match api.options(vmid).await {
        Ok(after) => after,
        Err(failure) => return Attempt::Again(unread(&failure)),
    };
    let is_so = |item: &&Item<'_>| same(&item.key, item.wanted, &bare(&item.key, &after), &item.wanted.change.after);
    if due.iter().all(is_so) {
        // A hot-plug that failed leaves the value pending, and counts as refused.
        if said.is_none() {
            outcomes.extend(due.iter().map(|item| (item.index, Outcome::Done)));
            return Attempt::Over(outcomes);
        }
    }
    let message = said.unwrap_or_else(|| stored_otherwise(&due, &after));
    let now = restore(api, vmid, &before, after, &write).await;
    for item in due {
        let live = bare(&item.key, &now);
        let outcome = if same(&item.key, item.wanted, &live, &item.wanted.change.before) {
            Outcome::Refused { message: message.clone() }
        } else {
            Outcome::Broken { message: message.clone(), live: Some(live) }
        };
        outcomes.push((item.index, outcome));
    }
    Attempt::Over(outcomes)
}

/// After a write that was answered, everything may be half-way as long as nothing can be read.
fn unread(failure: &Failure) -> Failure {
    Failure::lost(failure.text())
}

fn all(items: &[Item<'_>], outcome: &Outcome) -> Vec<(usize, Outcome)> {
    items.iter().map(|item| (item.index, outcome.clone())).collect()
}

/// Returns the items that must be written, and the outcome of every other one. After the first that is neither as before
/// nor as after, none is tried.
fn judge<'a, 'b>(items: &'a [Item<'b>], found: &Options) -> (Vec<&'a Item<'b>>, Vec<(usize, Outcome)>) {
    let mut due = Vec::new();
    let mut outcomes = Vec::new();
    let mut failed = false;
    for item in items {
        let change = &item.wanted.change;
        let live = bare(&item.key, found);
        let is = |raw: &Raw| same(&item.key, item.wanted, &live, raw);
        let is_device = matches!(Place::of(&item.key.option), Some(Place::Disk(_) | Place::Net));
        let is_there = found.options.get(&item.key.option).and_then(Entry::configured).is_some();
        let outcome = if failed {
            Outcome::NotTried
        } else if is_device && !is_there {
            let message = format!("VM {} has no `{}`", item.key.vmid, item.key.option);
            Outcome::Refused { message }
        } else if is(&change.after) {
            Outcome::Done
        } else if is(&change.before) {
            due.push(item);
            continue;
        } else {
            Outcome::Conflict { live }
        };
        failed |= outcome != Outcome::Done;
        outcomes.push((item.index, outcome));
    }
    (due, outcomes)
}

/// Returns the one write that makes every item so and leaves everything else as it is.
fn changes(found: &Options, due: &[&Item<'_>]) -> Write {
    let mut texts: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for item in due {
        let option = item.key.option.as_str();
        let entry = found.options.get(option);
        let text = texts.entry(option).or_insert_with(|| entry.and_then(Entry::configured).map(str::to_owned));
        *text = vm::with_item(&item.key, text.as_deref(), &item.wanted.change.after);
    }
    let mut write = Write::default();
    for (option, text) in texts {
        let entry = found.options.get(option).cloned().unwrap_or_default();
        add(&mut write, option, &entry, text.as_deref());
    }
    write
}

/// Adds what brings an option from what it is to a text.
fn add(write: &mut Write, option: &str, now: &Entry, want: Option<&str>) {
    let plain = |text: Option<&str>| text.map(|text| stored(option, text).unwrap_or_else(|_| text.to_owned()));
    if plain(now.configured()) == plain(want) {
        return;
    }
    // What is pending goes without a trace; setting the same text could leave another spelling of it.
    if now.is_pending() && plain(now.current.as_deref()) == plain(want) {
        write.revert.insert(option.to_owned());
        return;
    }
    match want {
        Some(text) => {
            write.set.insert(option.to_owned(), text.to_owned());
        }
        None => {
            write.delete.insert(option.to_owned());
        }
    }
}

/// Puts back what a failed write may have left, and returns what is there then.
async fn restore(api: &Api, vmid: u32, before: &Options, mut now: Options, write: &Write) -> Options {
    // Some changes bring others with them.
    let companions = ["boot", "machine"].map(str::to_owned);
    let touched: BTreeSet<String> = write.touched().into_iter().chain(companions).collect();
    let mut pauses = Pauses::within(RESTORE);
    loop {
        let mut back = Write::default();
        for option in &touched {
            let entry = |options: &Options| options.options.get(option).cloned().unwrap_or_default();
            let (was, is) = (entry(before), entry(&now));
            if was != is {
                add(&mut back, option, &is, was.configured());
            }
        }
        if back.is_empty() {
            return now;
        }
        // The answer does not matter: what is there is read again.
        let _ = api.write(vmid, &now.digest, &back).await;
        if let Ok(found) = api.options(vmid).await {
            now = found;
        }
        if !pauses.pause().await {
            return now;
        }
    }
}

/// How long putting back is tried.
const RESTORE: Duration = Duration::from_secs(30);

fn stored_otherwise(due: &[&Item<'_>], after: &Options) -> String {
    let differing =
        due.iter().find(|item| !same(&item.key, item.wanted, &bare(&item.key, after), &item.wanted.change.after));
    let Some(item) = differing else { return "Proxmox stored something else".to_owned() };
    let shown = |raw: &Raw| visible(&crate::show(&item.wanted.key, raw), 80);
    format!(
        "Proxmox stored {} for `{}` in place of {}",
        shown(&bare(&item.key, after)),
        item.key.label(),
        shown(&item.wanted.change.after)
    )
}

fn bare(key: &Key, found: &Options) -> Raw {
    vm::bare(key, found.options.get(&key.option).and_then(Entry::configured))
}

fn same(key: &Key, item: &BatchItem, a: &Raw, b: &Raw) -> bool {
    debug_assert_eq!(key.item(), item.key);
    canonical(&item.key, a) == canonical(&item.key, b)
}

#[cfg(test)]
mod tests {
    use tune_core::item::{Change, ItemKey};

    use super::*;

    fn found(options: &[(&str, Option<&str>, Option<&str>)]) -> Options {
        let entry = |current: Option<&str>, pending: Option<&str>| Entry {
            current: current.map(str::to_owned),
            pending: pending.map(str::to_owned),
            delete: false,
        };
        let options =
            options.iter().map(|(name, current, pending)| ((*name).to_owned(), entry(*current, *pending))).collect();
        Options { options, digest: "d".to_owned() }
    }

    fn items(changes: &[(&str, Raw, Raw)]) -> Vec<BatchItem> {
        let item = |(key, before, after): &(&str, Raw, Raw)| BatchItem {
            kind: "proxmox_vm".to_owned(),
            key: ItemKey(format!("107/{key}")),
            change: Change { before: before.clone(), after: after.clone() },
            group: 0,
        };
        changes.iter().map(item).collect()
    }

    fn with_keys(items: &[BatchItem]) -> Vec<Item<'_>> {
        let with_key =
            |(index, wanted)| Item { index, key: Key::parse(&BatchItem::clone(wanted).key).unwrap(), wanted };
        items.iter().enumerate().map(with_key).collect()
    }

    fn text(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    const DISK: &str = "zfs:vm-107-disk-0,discard=on,size=32G,x-new=1";

    #[test]
    fn items_of_one_disk_are_one_text_and_the_rest_stays() {
        let items = items(&[
            ("scsi0/cache", Raw::Absent, text("writeback")),
            ("scsi0/iothread", Raw::Absent, text("1")),
            ("cores", text("2"), text("4")),
            ("onboot", text("1"), Raw::Absent),
        ]);
        let items = with_keys(&items);
        let found = found(&[("scsi0", Some(DISK), None), ("cores", Some("2"), None), ("onboot", Some("1"), None)]);
        let (due, outcomes) = judge(&items, &found);
        assert!(outcomes.is_empty());
        let write = changes(&found, &due);
        assert_eq!(write.set["scsi0"], format!("{DISK},cache=writeback,iothread=1"));
        assert_eq!(write.set["cores"], "4");
        assert_eq!(write.delete, ["onboot".to_owned()].into());
        assert!(write.revert.is_empty());
    }

    #[test]
    fn what_never_ran_is_taken_back_without_a_trace() {
        let pending = format!("{DISK},cache=writeback");
        let items = items(&[("scsi0/cache", text("writeback"), Raw::Absent), ("cores", text("4"), text("2"))]);
        let items = with_keys(&items);
        let found = found(&[("scsi0", Some(DISK), Some(&pending)), ("cores", Some("2"), Some("4"))]);
        let write = changes(&found, &judge(&items, &found).0);
        assert_eq!(write.revert, ["cores".to_owned(), "scsi0".to_owned()].into());
        assert!(write.set.is_empty() && write.delete.is_empty());
    }

    #[test]
    fn somebody_elses_pending_sub_option_survives() {
        let pending = format!("{DISK},ssd=1");
        let items = items(&[("scsi0/cache", Raw::Absent, text("writeback"))]);
        let items = with_keys(&items);
        let found = found(&[("scsi0", Some(DISK), Some(&pending))]);
        let write = changes(&found, &judge(&items, &found).0);
        assert_eq!(write.set["scsi0"], format!("{DISK},ssd=1,cache=writeback"));
    }

    #[test]
    fn after_a_conflict_nothing_more_of_the_group_is_tried() {
        let items = items(&[
            ("cores", text("2"), text("4")),
            ("sockets", text("1"), text("2")),
            ("numa", text("0"), text("1")),
        ]);
        let items = with_keys(&items);
        let found = found(&[("cores", Some("2"), None), ("sockets", Some("3"), None)]);
        let (due, outcomes) = judge(&items, &found);
        assert_eq!(due.len(), 1);
        assert_eq!(outcomes, [(1, Outcome::Conflict { live: text("3") }), (2, Outcome::NotTried)]);
    }

    #[test]
    fn what_is_so_in_another_spelling_is_done() {
        let items = items(&[("scsi0/iothread", Raw::Absent, text("0")), ("tags", text("a"), text("a;b"))]);
        let items = with_keys(&items);
        let found = found(&[("scsi0", Some(DISK), None), ("tags", Some("B,a"), None)]);
        let (due, outcomes) = judge(&items, &found);
        assert!(due.is_empty());
        assert_eq!(outcomes, [(0, Outcome::Done), (1, Outcome::Done)]);
    }

    #[test]
    fn a_disk_that_went_is_named() {
        let items = items(&[("scsi5/cache", Raw::Absent, text("none"))]);
        let items = with_keys(&items);
        let (due, outcomes) = judge(&items, &found(&[]));
        assert!(due.is_empty());
        assert_eq!(outcomes, [(0, Outcome::Refused { message: "VM 107 has no `scsi5`".to_owned() })]);
    }
}
