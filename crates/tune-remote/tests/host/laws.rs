//! Laws over random batches: what every kind on hosts may rely on.

use proptest::prelude::*;
use proptest::sample::select;
use tune_core::contract::{Batch, Outcome};
use tune_core::item::Raw;

use crate::ground::{Ground, Shell, batch, file, inverse, text};

/// Where the random items live.
const VALUES: [&str; 3] = ["value:/proc/sys/vm/a", "value:/proc/sys/vm/b", "value:/proc/sys/vm/c"];
const PAIR: &str = "either:/proc/sys/vm/ratio:/proc/sys/vm/bytes";
const FILES: [&str; 3] = ["file:/etc/sysctl.d/a.conf", "file:/etc/new/b.conf", "file:/etc/c"];

type Changes = Vec<(&'static str, Raw, Raw)>;

fn value() -> impl Strategy<Value = Raw> {
    prop_oneof!["[0-9]{1,6}", "[0-9]{1,3}\t[0-9]{1,3}", "[ -~é]{1,12}"].prop_map(Raw::Text)
}

fn content() -> impl Strategy<Value = Raw> {
    let bytes =
        prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), "\\PC{0,40}\n?".prop_map(String::into_bytes)];
    prop_oneof![
        Just(Raw::Absent),
        (bytes, select(vec![0o644, 0o600, 0o400, 0o755, 0o640])).prop_map(|(bytes, mode)| file(bytes, mode))
    ]
}

fn pair() -> impl Strategy<Value = (Raw, Raw)> {
    (select(vec!["one", "other"]), 1u32..99, 1u32..99)
        .prop_map(|(name, before, after)| (text(&format!("{name}={before}")), text(&format!("{name}={after}"))))
}

fn changes() -> impl Strategy<Value = Changes> {
    let values = VALUES.map(|key| (value(), value()).prop_map(move |(before, after)| (key, before, after)));
    let files = FILES.map(|key| (content(), content()).prop_map(move |(before, after)| (key, before, after)));
    let pair = pair().prop_map(|(before, after)| (PAIR, before, after));
    (values, files, pair)
        .prop_map(|(values, files, pair)| values.into_iter().chain(files).chain([pair]).collect::<Vec<_>>())
        .prop_shuffle()
        .prop_flat_map(|all| {
            let count = all.len();
            (Just(all), 1..=count).prop_map(|(all, count)| all[..count].to_vec())
        })
}

/// Makes the world that a batch begins with.
fn prepare(ground: &Ground, changes: &Changes) {
    for (key, before, _) in changes {
        let (kind, path) = key.split_once(':').unwrap();
        match before {
            Raw::Text(value) if kind == "value" => ground.write(path, format!("{value}\n")),
            Raw::Text(value) => {
                let (ratio, bytes) = match value.split_once('=').unwrap() {
                    ("one", value) => (value, "0"),
                    (_, value) => ("0", value),
                };
                ground.write("/proc/sys/vm/ratio", format!("{ratio}\n"));
                ground.write("/proc/sys/vm/bytes", format!("{bytes}\n"));
            }
            Raw::File(file) => ground.put_file(path, file),
            Raw::Absent => {}
        }
    }
}

fn done(batch: &Batch) -> Vec<Outcome> {
    vec![Outcome::Done; batch.items.len()]
}

fn same(live: &Raw, want: &Raw) -> bool {
    match (live, want) {
        (Raw::Text(live), Raw::Text(want)) => live.split_whitespace().eq(want.split_whitespace()),
        (live, want) => live == want,
    }
}

fn cases() -> ProptestConfig {
    let cases = std::env::var("TUNE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn apply_gives_after_and_its_inverse_gives_before(changes in changes()) {
        for shell in Shell::all() {
            let ground = Ground::new(shell);
            prepare(&ground, &changes);
            let world = ground.snapshot();
            let there = batch(1, 1, &changes);
            prop_assert_eq!(ground.apply(&there).unwrap(), done(&there), "{:?}", shell);
            let keys: Vec<&str> = changes.iter().map(|(key, _, _)| *key).collect();
            let reading = ground.read(&keys);
            for (key, _, after) in &changes {
                // Reading many at once gives what reading one gives.
                let item = reading.readings[0].items[&(*key).into()].clone().unwrap();
                prop_assert!(same(&item.raw, after), "{:?} {} {:?}", shell, key, item.raw);
                prop_assert_eq!(&ground.item(key).unwrap(), &item);
            }
            let tuned = ground.snapshot();
            let mut again = there.clone();
            again.epoch.sequence = 2;
            prop_assert_eq!(ground.apply(&again).unwrap(), done(&there));
            let but_epoch = |mut snapshot: std::collections::BTreeMap<String, String>| {
                snapshot.remove("var/lib/tune/3f1c-test/epoch");
                snapshot
            };
            prop_assert_eq!(but_epoch(ground.snapshot()), but_epoch(tuned));
            prop_assert_eq!(ground.apply(&inverse(&there, 3)).unwrap(), done(&there), "{:?}", shell);
            prop_assert_eq!(ground.snapshot(), world, "{:?}", shell);
        }
    }

    #[test]
    fn undo_puts_back_any_beginning_of_a_batch(changes in changes(), cut in 0usize..8) {
        for shell in Shell::all() {
            let ground = Ground::new(shell);
            prepare(&ground, &changes);
            let world = ground.snapshot();
            let mut part = batch(1, 1, &changes);
            // An item that cannot be written stops the one group that all belong to.
            let cut = cut.min(changes.len());
            let mut wall = part.items[0].clone();
            wall.key = "nonsense".into();
            part.items.insert(cut, wall);
            for item in &mut part.items {
                item.group = 0;
            }
            let outcomes = ground.apply(&part).unwrap();
            prop_assert_eq!(&outcomes[..cut], &done(&part)[..cut], "{:?}", shell);
            prop_assert!(outcomes[cut + 1..].iter().all(|outcome| *outcome == Outcome::NotTried));
            let undone = ground.undo(&[]);
            prop_assert_eq!(undone.status.code(), Some(0), "{:?} {}", shell, String::from_utf8_lossy(&undone.stdout));
            prop_assert_eq!(ground.snapshot(), world, "{:?}", shell);
        }
    }
}
