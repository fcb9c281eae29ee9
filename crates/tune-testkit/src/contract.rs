//! The contract that every provider passes. A provider brings a [`Fixture`]: a target of its own, with items that may be
//! written; [`contract!`](crate::contract) makes one test of each clause, each on a fresh fixture.
//!
//! It does not test what a value means. That is the provider's own business.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tune_core::contract::{Batch, BatchItem, Connection, Epoch, Fence, Kind, Lookup, Outcome, ReadRequest, Sent};
use tune_core::item::{Change, ItemKey, Raw};
use tune_core::ledger::{Ledger, LedgerEntry};
use tune_core::reading::{HostReading, Reading};

/// A target on which one kind can be read and written.
pub trait Fixture {
    /// The kind.
    fn kind(&self) -> Arc<dyn Kind>;

    /// A connection to the target.
    fn connection(&self) -> Arc<dyn Connection>;

    /// Items that exist on the target, or can be made to. At least two, in the order in which the kind writes them.
    fn samples(&self) -> Vec<Sample>;

    /// Makes an item as somebody else would.
    fn write_by_hand(&self, key: &ItemKey, raw: &Raw);

    /// Everything on the target that a write can change, as texts by name, `tune`'s own files included.
    fn everything(&self) -> BTreeMap<String, String>;
}

/// One item that the contract is tried with.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The item.
    pub key: ItemKey,
    /// A form that it does not have now, and can be given.
    pub after: Raw,
    /// A third form, which somebody else may give it.
    pub foreign: Raw,
    /// Other spellings of `after`: equal in effect.
    pub spellings: Vec<Raw>,
}

/// Makes one test of each clause of the contract, each with the fixture that the expression makes.
#[macro_export]
macro_rules! contract {
    ($fixture:expr) => {
        $crate::contract!(@ $fixture;
            canonical_is_idempotent, canonical_decides_equality, a_batch_reads_as_single_reads, reading_writes_nothing,
            apply_then_read_gives_after, applying_twice_is_applying_once, the_inverse_gives_before,
            a_foreign_value_is_refused, a_failed_item_stops_its_own_group_only, equal_halves_write_nothing,
            a_fence_shuts_out_what_was_sent_before
        );
    };
    (@ $fixture:expr; $($clause:ident),*) => {
        $(
            #[test]
            fn $clause() {
                $crate::contract::$clause(&$fixture);
            }
        )*
    };
}

/// The canonical form of a canonical form is itself.
pub fn canonical_is_idempotent(fixture: &dyn Fixture) {
    let kind = fixture.kind();
    for sample in fixture.samples() {
        let forms = [&sample.after, &sample.foreign, &Raw::Absent];
        for raw in forms.into_iter().chain(&sample.spellings).chain(&[read_one(fixture, &sample.key)]) {
            let once = kind.canonical(&sample.key, raw);
            assert_eq!(kind.canonical(&sample.key, &once), once, "the canonical form of {raw:?} has another one");
        }
    }
}

/// Spellings of one value share a canonical form, different values do not.
pub fn canonical_decides_equality(fixture: &dyn Fixture) {
    let kind = fixture.kind();
    for sample in fixture.samples() {
        let canonical = |raw: &Raw| kind.canonical(&sample.key, raw);
        for spelling in &sample.spellings {
            assert_eq!(canonical(spelling), canonical(&sample.after), "of `{}`", sample.key);
        }
        let before = read_one(fixture, &sample.key);
        assert_ne!(canonical(&before), canonical(&sample.after), "`{}` is no sample: nothing would change", sample.key);
        assert_ne!(canonical(&sample.foreign), canonical(&sample.after), "`{}` is no sample", sample.key);
        assert_ne!(canonical(&sample.foreign), canonical(&before), "`{}` is no sample", sample.key);
    }
}

/// Reading everything at once finds what reading one by one finds.
pub fn a_batch_reads_as_single_reads(fixture: &dyn Fixture) {
    let keys: BTreeSet<ItemKey> = fixture.samples().into_iter().map(|sample| sample.key).collect();
    let all = read(fixture, &keys, None);
    assert_eq!(all.items.len(), keys.len());
    for key in keys {
        let one = read(fixture, &BTreeSet::from([key.clone()]), None);
        assert_eq!(all.items[&key], one.items[&key]);
        let among = |(name, text): (&String, &String)| all.evidence.get(name) == Some(text);
        assert!(one.evidence.iter().all(among), "what is read because of one item is read with others too");
    }
}

/// A read leaves no trace.
pub fn reading_writes_nothing(fixture: &dyn Fixture) {
    let before = fixture.everything();
    for sample in fixture.samples() {
        read_one(fixture, &sample.key);
    }
    assert_eq!(fixture.everything(), before);
}

/// What was written is there, and every item says so.
pub fn apply_then_read_gives_after(fixture: &dyn Fixture) {
    let changes = changes(fixture);
    assert_eq!(apply(fixture, 1, &changes, Some(())), done(&changes));
    for (key, change) in &changes {
        assert_same(fixture, key, &change.after);
    }
}

/// The same batch again finds everything done, and changes nothing.
pub fn applying_twice_is_applying_once(fixture: &dyn Fixture) {
    let changes = changes(fixture);
    assert_eq!(apply(fixture, 1, &changes, Some(())), done(&changes));
    let once = fixture.everything();
    assert_eq!(apply(fixture, 1, &changes, Some(())), done(&changes));
    assert_eq!(fixture.everything(), once);
}

/// The inverse puts everything back as it was, absences included; without a ledger nothing of `tune` stays.
pub fn the_inverse_gives_before(fixture: &dyn Fixture) {
    let first = fixture.everything();
    let changes = changes(fixture);
    assert_eq!(apply(fixture, 1, &changes, Some(())), done(&changes));
    assert_ne!(fixture.everything(), first);
    let inverse: Changes = changes.into_iter().rev().map(|(key, change)| (key, change.inverse())).collect();
    assert_eq!(apply(fixture, 2, &inverse, None), done(&inverse));
    for (key, change) in &inverse {
        assert_eq!(read_one(fixture, key), change.after, "`{key}` is not exactly as before");
    }
    assert_eq!(fixture.everything(), first);
}

/// What somebody else changed since the read is left alone, and shown.
pub fn a_foreign_value_is_refused(fixture: &dyn Fixture) {
    for (index, sample) in fixture.samples().into_iter().enumerate() {
        let change = Change { before: read_one(fixture, &sample.key), after: sample.after.clone() };
        fixture.write_by_hand(&sample.key, &sample.foreign);
        let found = read_one(fixture, &sample.key);
        let outcomes = apply(fixture, 1 + index as u64, &[(sample.key.clone(), change)], Some(()));
        assert_eq!(outcomes, [Outcome::Conflict { live: found.clone() }]);
        assert_eq!(read_one(fixture, &sample.key), found);
    }
}

/// After a conflict the rest of its group is not tried, and other groups go on.
pub fn a_failed_item_stops_its_own_group_only(fixture: &dyn Fixture) {
    let changes = changes(fixture);
    let first = fixture.samples().swap_remove(0);
    fixture.write_by_hand(&first.key, &first.foreign);
    let together = send(fixture, 1, &changes, |_| 0, Some(())).expect("the target answers");
    assert!(matches!(together[0], Outcome::Conflict { .. }), "{together:?}");
    assert!(together[1..].iter().all(|outcome| *outcome == Outcome::NotTried), "{together:?}");
    for (key, change) in &changes[1..] {
        assert_eq!(read_one(fixture, key), change.before);
    }
    let apart = send(fixture, 2, &changes, |index| index, Some(())).expect("the target answers");
    assert!(matches!(apart[0], Outcome::Conflict { .. }), "{apart:?}");
    assert!(apart[1..].iter().all(|outcome| *outcome == Outcome::Done), "{apart:?}");
}

/// A change whose halves are equal checks and records, but does not write.
pub fn equal_halves_write_nothing(fixture: &dyn Fixture) {
    let same = |sample: Sample| {
        let live = read_one(fixture, &sample.key);
        (sample.key, Change { before: live.clone(), after: live })
    };
    let changes: Changes = fixture.samples().into_iter().map(same).collect();
    let before = fixture.everything();
    assert_eq!(apply(fixture, 1, &changes, None), done(&changes));
    assert_eq!(fixture.everything(), before);
    let (key, foreign) = fixture.samples().into_iter().map(|sample| (sample.key, sample.foreign)).next().expect("one");
    fixture.write_by_hand(&key, &foreign);
    let outcomes = apply(fixture, 2, &changes[..1], None);
    assert!(matches!(outcomes[0], Outcome::Conflict { .. }), "{outcomes:?}");
}

/// Behind a fence, a batch that was made before it has no effect, and one that is made after it has.
pub fn a_fence_shuts_out_what_was_sent_before(fixture: &dyn Fixture) {
    let changes = changes(fixture);
    let keys: BTreeSet<ItemKey> = changes.iter().map(|(key, _)| key.clone()).collect();
    let epoch = Epoch { run: 2, sequence: SEQUENCE.fetch_add(1, Ordering::Relaxed) };
    read(fixture, &keys, Some(Fence { lineage: LINEAGE.to_owned(), epoch, patience: LONG }));
    let error = send(fixture, 1, &changes, |index| index, Some(())).expect_err("the batch is older than the fence");
    assert_eq!(error.sent, Sent::No, "{error}");
    for (key, change) in &changes {
        assert_eq!(read_one(fixture, key), change.before);
    }
    assert_eq!(apply(fixture, 3, &changes, Some(())), done(&changes));
}

type Changes = Vec<(ItemKey, Change)>;

/// A host takes no epoch twice, so no two batches of any test share one.
static SEQUENCE: AtomicU64 = AtomicU64::new(1);

const LINEAGE: &str = "contract";
const LONG: Duration = Duration::from_secs(20);

fn changes(fixture: &dyn Fixture) -> Changes {
    let change = |sample: Sample| {
        let before = read_one(fixture, &sample.key);
        (sample.key, Change { before, after: sample.after })
    };
    let changes: Changes = fixture.samples().into_iter().map(change).collect();
    assert!(changes.len() > 1, "a fixture needs at least two samples");
    changes
}

fn done(changes: &[(ItemKey, Change)]) -> Vec<Outcome> {
    vec![Outcome::Done; changes.len()]
}

fn read_one(fixture: &dyn Fixture, key: &ItemKey) -> Raw {
    let reading = read(fixture, &BTreeSet::from([key.clone()]), None);
    reading.items[key].as_ref().expect("the sample can be read").raw.clone()
}

fn assert_same(fixture: &dyn Fixture, key: &ItemKey, want: &Raw) {
    let (kind, live) = (fixture.kind(), read_one(fixture, key));
    assert_eq!(kind.canonical(key, &live), kind.canonical(key, want), "of `{key}`");
}

fn read(fixture: &dyn Fixture, keys: &BTreeSet<ItemKey>, fence: Option<Fence>) -> Reading {
    let kind = fixture.kind().schema().kind.to_owned();
    let request = ReadRequest { lookups: vec![Lookup { kind, keys: keys.clone() }], fence };
    let connection = fixture.connection();
    let answer = wait(async { connection.read(&request).await });
    let HostReading { mut readings, .. } = answer.expect("the target answers");
    assert_eq!(readings.len(), 1);
    readings.swap_remove(0)
}

/// Applies a batch in which every item is a resource of its own.
fn apply(fixture: &dyn Fixture, run: u64, changes: &[(ItemKey, Change)], ledger: Option<()>) -> Vec<Outcome> {
    send(fixture, run, changes, |index| index, ledger).expect("the target answers")
}

/// Sends a batch for run `run`; without `ledger` it is the last one, after which nothing is managed any more.
fn send(
    fixture: &dyn Fixture,
    run: u64,
    changes: &[(ItemKey, Change)],
    group: impl Fn(usize) -> usize,
    ledger: Option<()>,
) -> Result<Vec<Outcome>, tune_core::contract::ConnectionError> {
    let kind = fixture.kind().schema().kind.to_owned();
    let entry = |(key, change): &(ItemKey, Change)| {
        let entry = LedgerEntry {
            address: format!("{kind}.sample"),
            original: Some(change.before.clone()),
            ours: vec![change.before.clone(), change.after.clone()],
        };
        ((kind.clone(), key.clone()), entry)
    };
    let ours = Ledger {
        lineage: LINEAGE.to_owned(),
        epoch: run,
        writer: "me@here".to_owned(),
        host_id: "target".to_owned(),
        entries: changes.iter().map(entry).collect(),
    };
    let item = |(index, (key, change)): (usize, &(ItemKey, Change))| BatchItem {
        kind: kind.clone(),
        key: key.clone(),
        change: change.clone(),
        group: group(index),
    };
    let batch = Batch {
        lineage: LINEAGE.to_owned(),
        epoch: Epoch { run, sequence: SEQUENCE.fetch_add(1, Ordering::Relaxed) },
        items: changes.iter().enumerate().map(item).collect(),
        ledger_after: ledger.map(|()| ours.clone()),
        ledger: ours,
        deadline: LONG,
        restore_after: None,
    };
    let connection = fixture.connection();
    wait(async { connection.apply(&batch).await })
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(work)
}
