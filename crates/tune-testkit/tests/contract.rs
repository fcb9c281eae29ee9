//! The toy kind keeps the contract over the world.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::contract::{Connection, Connector, Kind};
use tune_core::item::{FileState, ItemKey, Raw};
use tune_core::resource::{Become, Host, Transport};
use tune_testkit::contract::{Fixture, Sample};
use tune_testkit::faults::Faults;
use tune_testkit::fleet::host_address;
use tune_testkit::setting::{self, Setting};
use tune_testkit::world::World;

struct Toy(World);

impl Toy {
    fn new() -> Self {
        let world = World::new([Arc::new(Setting) as Arc<_>], &Faults::default());
        world.add("local", setting::machine("local"));
        Self(world)
    }
}

impl Fixture for Toy {
    fn kind(&self) -> Arc<dyn Kind> {
        Arc::new(Setting)
    }

    fn connection(&self) -> Arc<dyn Connection> {
        let host = Host {
            name: "local".to_owned(),
            address: host_address("local"),
            transport: Transport::Local,
            become_: Become::No,
        };
        self.0.connect(&host)
    }

    fn samples(&self) -> Vec<Sample> {
        let text = |text: &str| Raw::Text(text.to_owned());
        let file = |text: &str| Raw::File(FileState { mode: 0o600, ..FileState::public(text) });
        let sample = |key: ItemKey, after: &Raw, foreign: &Raw, spellings: &[Raw]| Sample {
            key,
            after: after.clone(),
            foreign: foreign.clone(),
            spellings: spellings.to_vec(),
        };
        vec![
            sample("plain.a".into(), &text("10"), &text("11"), &[text("010"), text(" 10")]),
            sample("plain.b".into(), &text("1 2"), &text("1 3"), &[text("1\t2"), text("1  02")]),
            sample(setting::item_key("pair.bytes"), &text("pair.bytes=4096"), &text("pair.ratio=9"), &[]),
            sample(setting::file_key("new"), &file("a = 1\n"), &file("a = 2\n"), &[]),
        ]
    }

    fn write_by_hand(&self, key: &ItemKey, raw: &Raw) {
        self.0.drift("local", "setting", key, raw);
    }

    fn everything(&self) -> BTreeMap<String, String> {
        let machine = self.0.machine("local");
        let values = machine.values.into_iter().map(|(path, knob)| (path, knob.value));
        let files = machine.files.into_iter().map(|(path, file)| (path, format!("{file:?}")));
        let ledgers = machine.ledgers.into_iter().map(|(lineage, ledger)| (lineage, format!("{ledger:?}")));
        values.chain(files).chain(ledgers).collect()
    }
}

tune_testkit::contract!(Toy::new());

/// Every clause can fail: for each there is a provider that is wrong in just that way.
mod wrong {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use tune_core::contract::{Batch, Desired, Impact, Outcome, Pending, Question, ReadRequest};
    use tune_core::contract::{ConnectionError, Kind};
    use tune_core::problem::{Explanation, Problem};
    use tune_core::reading::HostReading;
    use tune_core::resource::Resource;
    use tune_core::schema::KindSchema;
    use tune_testkit::contract;

    use super::*;

    /// What is wrong with a provider.
    #[derive(Debug, Clone, Copy)]
    enum How {
        /// Its canonical form never comes to rest.
        Restless,
        /// It takes different values for the same.
        Indifferent,
        /// It reads only the first of several items.
        Hasty,
        /// It writes when it reads.
        Meddling,
        /// It says that it wrote, and did not.
        Idle,
        /// It writes again what is so already.
        Stubborn,
        /// It leaves an empty file where none was.
        Littering,
        /// It writes over whatever is there.
        Careless,
        /// It goes on after a failed item.
        Reckless,
        /// It lets everything through its fence.
        Open,
    }

    #[derive(Debug, Clone)]
    struct Wrong(World, How);

    #[test]
    fn every_clause_can_fail() {
        type Clause = fn(&dyn Fixture);
        let clauses: [(&str, Clause, How); 11] = [
            ("canonical_is_idempotent", contract::canonical_is_idempotent, How::Restless),
            ("canonical_decides_equality", contract::canonical_decides_equality, How::Indifferent),
            ("a_batch_reads_as_single_reads", contract::a_batch_reads_as_single_reads, How::Hasty),
            ("reading_writes_nothing", contract::reading_writes_nothing, How::Meddling),
            ("apply_then_read_gives_after", contract::apply_then_read_gives_after, How::Idle),
            ("applying_twice_is_applying_once", contract::applying_twice_is_applying_once, How::Stubborn),
            ("the_inverse_gives_before", contract::the_inverse_gives_before, How::Littering),
            ("a_foreign_value_is_refused", contract::a_foreign_value_is_refused, How::Careless),
            ("a_failed_item_stops_its_own_group_only", contract::a_failed_item_stops_its_own_group_only, How::Reckless),
            ("equal_halves_write_nothing", contract::equal_halves_write_nothing, How::Careless),
            ("a_fence_shuts_out_what_was_sent_before", contract::a_fence_shuts_out_what_was_sent_before, How::Open),
        ];
        for (name, clause, how) in clauses {
            let fixture = Wrong(Toy::new().0, how);
            assert!(catch_unwind(AssertUnwindSafe(|| clause(&fixture))).is_err(), "{name} accepts a {how:?} provider");
        }
    }

    impl Fixture for Wrong {
        fn kind(&self) -> Arc<dyn Kind> {
            Arc::new(self.clone())
        }

        fn connection(&self) -> Arc<dyn Connection> {
            Arc::new(self.clone())
        }

        fn samples(&self) -> Vec<Sample> {
            Toy(self.0.clone()).samples()
        }

        fn write_by_hand(&self, key: &ItemKey, raw: &Raw) {
            Toy(self.0.clone()).write_by_hand(key, raw);
        }

        fn everything(&self) -> BTreeMap<String, String> {
            Toy(self.0.clone()).everything()
        }
    }

    impl Kind for Wrong {
        fn schema(&self) -> &KindSchema {
            Setting.schema()
        }

        fn explanations(&self) -> &'static [Explanation] {
            &[]
        }

        fn desired(&self, resource: &Resource) -> Result<Desired, Vec<Problem>> {
            Setting.desired(resource)
        }

        fn canonical(&self, key: &ItemKey, raw: &Raw) -> Raw {
            match (self.1, raw) {
                (How::Restless, Raw::Text(text)) => Raw::Text(format!("{text}!")),
                (How::Indifferent, _) => Raw::Absent,
                _ => Setting.canonical(key, raw),
            }
        }

        fn impact(&self, question: &Question<'_>) -> Impact {
            Setting.impact(question)
        }
    }

    impl Connection for Wrong {
        fn read<'a>(&'a self, request: &'a ReadRequest) -> Pending<'a, Result<HostReading, ConnectionError>> {
            let mut request = request.clone();
            match self.1 {
                How::Hasty => request.lookups.iter_mut().for_each(|lookup| {
                    lookup.keys = lookup.keys.iter().take(1).cloned().collect();
                }),
                How::Meddling => self.0.drift("local", "setting", &"plain.c".into(), &Raw::Text("read".to_owned())),
                How::Open => request.fence = None,
                _ => {}
            }
            Box::pin(async move { Toy(self.0.clone()).connection().read(&request).await })
        }

        fn apply<'a>(&'a self, batch: &'a Batch) -> Pending<'a, Result<Vec<Outcome>, ConnectionError>> {
            let mut batch = batch.clone();
            let items = batch.items.len();
            let live = |key: &ItemKey| self.0.live("local", "setting", key);
            match self.1 {
                How::Idle => return Box::pin(async move { Ok(vec![Outcome::Done; items]) }),
                How::Careless => batch.items.iter_mut().for_each(|item| item.change.before = live(&item.key)),
                How::Reckless => batch.items.iter_mut().enumerate().for_each(|(index, item)| item.group = index),
                How::Littering => batch.items.iter_mut().for_each(|item| {
                    if item.change.after == Raw::Absent {
                        item.change.after = Raw::File(FileState::public(""));
                    }
                }),
                How::Stubborn => batch.items.iter_mut().for_each(|item| {
                    if item.key.0.starts_with('/') && live(&item.key) != Raw::Absent {
                        let again = Raw::File(FileState::public("a = 1\na = 1\n"));
                        self.0.drift("local", "setting", &item.key, &again);
                        item.change = tune_core::item::Change { before: again.clone(), after: again };
                    }
                }),
                _ => {}
            }
            Box::pin(async move { Toy(self.0.clone()).connection().apply(&batch).await })
        }

        fn confirm<'a>(&'a self, _: &'a Batch) -> Pending<'a, Result<(), ConnectionError>> {
            Box::pin(async { Ok(()) })
        }

        fn close(&self) -> Pending<'_, ()> {
            Box::pin(async {})
        }
    }
}
