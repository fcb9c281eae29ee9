//! What the journal keeps as an index is what it would find by going through all of its steps.

use proptest::prelude::*;
use tune_core::item::{Change, ItemKey, Raw};
use tune_core::journal::Purpose;
use tune_core::state::{Original, Record, RunRecord};

use super::*;
use crate::store::Committed;

/// A store that only remembers what it began with.
#[derive(Debug, Default)]
struct Shelf(State);

impl Store for Shelf {
    fn state(&self) -> &State {
        &self.0
    }

    fn runs(&self) -> &[RunRecord] {
        &[]
    }

    fn open_run(&self) -> Option<&[Event]> {
        None
    }

    fn next_sequence(&mut self) -> u64 {
        1
    }

    fn append(&mut self, _: &[Event]) -> Result<(), StoreError> {
        Ok(())
    }

    fn commit(&mut self, _: State, _: RunRecord) -> Result<Committed, StoreError> {
        unreachable!("no run ends here")
    }

    fn replace(&mut self, _: State) -> Result<Committed, StoreError> {
        unreachable!("no run ends here")
    }
}

fn host(name: u8) -> HostId {
    HostId(format!("host-{}", name % 2))
}

fn id(name: u8) -> ItemId {
    ItemId { host: host(name), kind: "toy".to_owned(), key: ItemKey(format!("key-{}", name % 6)) }
}

fn owner(name: u8) -> Address {
    Address::new("toy", &format!("owner{}", name % 3))
}

fn text(value: u8) -> Raw {
    Raw::Text((value % 3).to_string())
}

fn original(value: u8) -> Original {
    Original::Known { raw: text(value), next_boot: None, run: 1, time: "then".to_owned() }
}

fn recorded() -> impl Strategy<Value = State> {
    proptest::collection::vec((0u8..6, any::<u8>()), 0..5).prop_map(|items| {
        let record = |(name, value): (u8, u8)| {
            let (original, applied) = (original(value), text(value / 3));
            (id(name), Record { owner: owner(value), original, applied, rolled_back_in: None, owes: BTreeSet::new() })
        };
        State { items: items.into_iter().map(record).collect(), ..State::default() }
    })
}

fn intent() -> impl Strategy<Value = Intent> {
    (0u8..6, any::<u8>(), 0u8..4).prop_map(|(name, value, purpose)| Intent {
        id: id(name),
        owner: owner(value),
        change: Change { before: text(value / 3), after: text(value / 9) },
        purpose: match purpose {
            0 => Purpose::Release,
            1 => Purpose::RollBack,
            2 => Purpose::Manage { adopt: None },
            _ => Purpose::Manage { adopt: Some(original(value)) },
        },
        needs: BTreeSet::new(),
    })
}

fn outcome() -> impl Strategy<Value = StepOutcome> {
    let message = || "why".to_owned();
    prop_oneof![
        5 => Just(StepOutcome::Done),
        1 => Just(StepOutcome::NotDone { message: message() }),
        1 => Just(StepOutcome::Undone),
        1 => Just(StepOutcome::Stuck { live: None, message: message() }),
    ]
}

/// What may happen to a journal; where it cannot follow what is there, nothing happens.
fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        intent().prop_map(|intent| Event::Intend { step: 0, intent: Box::new(intent) }),
        (1u64..9, outcome()).prop_map(|(step, outcome)| Event::Settle { step, outcome }),
        (1u64..9).prop_map(|step| Event::Undo { step }),
    ]
}

fn header() -> Header {
    Header {
        run: 2,
        command: "apply".to_owned(),
        by: "me@here".to_owned(),
        started: "now".to_owned(),
        lineage: "a-state".to_owned(),
        hosts: BTreeMap::new(),
        resources: BTreeMap::new(),
    }
}

proptest! {
    #[test]
    fn an_index_says_what_a_look_at_every_step_says(
        state in recorded(),
        events in proptest::collection::vec(event(), 0..24),
        sent in proptest::collection::btree_set(1u64..9, 0..4),
    ) {
        let mut shelf = Shelf(state.clone());
        let mut journal = Journal::begun(&mut shelf, header());
        for event in events {
            match event {
                Event::Intend { intent, .. } => {
                    journal.intend(*intent);
                }
                event if journal.progress.clone().take(&event).is_some() => journal.note(event),
                _ => {}
            }
        }
        let mut shelf = Shelf(state);
        let afresh = Journal::resumed(&mut shelf, journal.progress.clone());
        for host in [host(0), host(1)] {
            let on: Vec<StepNumber> = journal.on(&host).map(|(step, _)| step).collect();
            let sent: Vec<StepNumber> = on.iter().copied().filter(|step| sent.contains(step)).collect();
            prop_assert_eq!(journal.ledgers(&host, &sent), afresh.ledgers(&host, &sent));
            let open = journal.on(&host).any(|(_, (_, status))| !matches!(status, StepStatus::Settled(_)));
            prop_assert_eq!(journal.is_in_doubt(&host), open);
        }
        for (intent, status) in journal.progress.steps.values() {
            let fine = matches!(status, StepStatus::Started | StepStatus::Settled(StepOutcome::Done));
            prop_assert!(fine || journal.is_amiss(&intent.owner));
        }
    }
}
