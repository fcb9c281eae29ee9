//! What the journal promises: any prefix of a legal one is legal, a look settles what it left open, and the state
//! after it is what the live values say.

use proptest::prelude::*;

use super::*;
use crate::activation::Verb;
use crate::plan::{Operation, Selection};
use crate::toy::{Fleet, kinds};

const STARTED: StepStatus = StepStatus::Started;
const UNDOING: StepStatus = StepStatus::Undoing;

fn text(value: &str) -> Raw {
    Raw::Text(value.to_owned())
}

/// A fleet, the header of its next run, and that run's intents.
fn a_run(keys: usize) -> (Fleet, Header, Vec<Intent>) {
    let mut fleet = Fleet::of(&["a"]);
    let names: Vec<String> = (0..keys).map(|key| format!("k{key}")).collect();
    for name in &names {
        fleet.set("a", name, "60");
    }
    fleet.want("t", "a", &names.iter().map(|name| (name.as_str(), "10")).collect::<Vec<_>>());
    let plan = fleet.plan(&Operation::Apply, &Selection::default());
    let header = fleet.header(&plan);
    let intents = fleet.events(&plan).into_iter().filter_map(|event| match event {
        Event::Intend { intent, .. } => Some(*intent),
        _ => None,
    });
    let intents = intents.collect();
    (fleet, header, intents)
}

fn outcomes(status: &StepStatus) -> Vec<StepOutcome> {
    let stuck = StepOutcome::Stuck { live: Some(text("7")), message: String::new() };
    match status {
        StepStatus::Started => vec![StepOutcome::Done, StepOutcome::NotDone { message: String::new() }, stuck],
        StepStatus::Undoing => vec![StepOutcome::Undone, StepOutcome::Done, stuck],
        StepStatus::Settled(_) => Vec::new(),
    }
}

/// Every event that may follow, by the promise in words.
fn next(progress: &Progress, intents: &[Intent]) -> Vec<Event> {
    let mut events = vec![Event::End(RunResult::Done)];
    if let Some(intent) = intents.get(progress.steps.len()) {
        let step = progress.steps.len() as StepNumber + 1;
        events.push(Event::Intend { step, intent: Box::new(intent.clone()) });
    }
    for (step, (_, status)) in &progress.steps {
        events.extend(outcomes(status).into_iter().map(|outcome| Event::Settle { step: *step, outcome }));
        if *status == StepStatus::Settled(StepOutcome::Done) {
            events.push(Event::Undo { step: *step });
        }
    }
    events
}

/// A legal journal, chosen by numbers.
fn journal(choices: &[usize]) -> (Fleet, Vec<Event>) {
    let (fleet, header, intents) = a_run(4);
    let mut progress = Progress::begun(header.clone());
    let mut events = vec![Event::Begin(header)];
    for choice in choices {
        let possible = next(&progress, &intents);
        let event = possible[choice % possible.len()].clone();
        progress.take(&event).unwrap();
        let is_end = matches!(event, Event::End(_));
        events.push(event);
        if is_end {
            break;
        }
    }
    (fleet, events)
}

#[test]
fn a_fenced_look_settles_by_the_table() {
    let kinds = kinds();
    let (_, _, intents) = a_run(1);
    let [intent] = &intents[..] else { panic!("one key, one intent") };
    let judged = |status: &StepStatus, live: &str| judge(&*kinds["toy"], intent, status, &text(live)).unwrap();
    assert_eq!(judged(&STARTED, " 10 "), StepOutcome::Done);
    assert!(matches!(judged(&STARTED, "60"), StepOutcome::NotDone { .. }));
    assert!(matches!(judged(&STARTED, "7"), StepOutcome::Stuck { live: Some(live), .. } if live == text("7")));
    assert_eq!(judged(&UNDOING, "60"), StepOutcome::Undone);
    assert_eq!(judged(&UNDOING, "10"), StepOutcome::Done);
    assert!(matches!(judged(&UNDOING, "7"), StepOutcome::Stuck { .. }));
    assert_eq!(judge(&*kinds["toy"], intent, &StepStatus::Settled(StepOutcome::Done), &text("7")), None);
}

#[test]
fn a_step_that_writes_nothing_is_never_stuck() {
    let kinds = kinds();
    let (_, _, mut intents) = a_run(1);
    intents[0].change.after = text("60");
    let judged = |status: &StepStatus, live: &str| judge(&*kinds["toy"], &intents[0], status, &text(live)).unwrap();
    assert_eq!(judged(&STARTED, "60"), StepOutcome::Done);
    assert!(matches!(judged(&STARTED, "7"), StepOutcome::NotDone { .. }));
    assert_eq!(judged(&UNDOING, "7"), StepOutcome::Undone);
}

#[test]
fn a_stuck_item_keeps_its_original_and_what_could_be_ours() {
    let (fleet, header, intents) = a_run(2);
    let stuck = |live: Option<&str>| StepOutcome::Stuck { live: live.map(text), message: String::new() };
    let settled = |intent: &Intent, outcome: StepOutcome| (intent.clone(), StepStatus::Settled(outcome));
    let progress = Progress {
        steps: BTreeMap::from([
            (1, settled(&intents[0], stuck(Some("7")))),
            (2, settled(&intents[1], StepOutcome::Undone)),
        ]),
        end: Some(RunResult::Stuck),
        ..Progress::begun(header.clone())
    };
    let state = conclude(&fleet.state, &progress);
    assert_eq!(state.items.len(), 1);
    assert_eq!(state.items[&intents[0].id].applied, text("10"));
    assert!(matches!(&state.items[&intents[0].id].original, Original::Known { raw, .. } if *raw == text("60")));

    // The next run finds it recorded; where its undo failed, ours is what is there.
    let mut again = intents[0].clone();
    again.change = Change { before: text("10"), after: text("20") };
    again.purpose = Purpose::Manage { adopt: None };
    for (live, applied) in [(Some("20"), "20"), (Some("10"), "10"), (Some("7"), "20"), (None, "20")] {
        let steps = BTreeMap::from([(1, settled(&again, stuck(live)))]);
        let progress = Progress { steps, end: Some(RunResult::Stuck), ..Progress::begun(header.clone()) };
        assert_eq!(conclude(&state, &progress).items[&again.id].applied, text(applied), "{live:?}");
    }
}

/// What a run leaves recorded of one item: its intent, with what the journal says after it.
fn left(purpose: Purpose, events: &[Event]) -> Option<Record> {
    let (fleet, header, mut intents) = a_run(1);
    let mut intent = intents.remove(0);
    let verbs = [Verb::BootImage, Verb::Reboot];
    intent.needs = verbs.map(Activation::machine).into();
    let mut before = fleet.state.clone();
    if purpose == Purpose::Release {
        intent.change = intent.change.inverse();
        let original = Original::Known { raw: text("60"), next_boot: None, run: 1, time: String::new() };
        let record = Record {
            owner: intent.owner.clone(),
            original,
            applied: text("10"),
            rolled_back_in: None,
            owes: BTreeSet::new(),
        };
        before.items.insert(intent.id.clone(), record);
        intent.purpose = purpose;
    }
    let mut progress = Progress::begun(header);
    let id = intent.id.clone();
    progress.take(&Event::Intend { step: 1, intent: Box::new(intent) }).unwrap();
    for event in events {
        progress.take(event).unwrap();
    }
    conclude(&before, &progress).items.remove(&id)
}

#[test]
fn what_is_back_and_not_in_effect_stays_recorded() {
    let done = Event::Settle { step: 1, outcome: StepOutcome::Done };
    let ordered = |number, verb| Event::Activate {
        number,
        host: HostId("id of host.a".to_owned()),
        activation: Activation::machine(verb),
        mark: String::new(),
        resources: BTreeSet::from([crate::toy::toy("t")]),
    };
    let (order, image) = (|number| ordered(number, Verb::Reboot), ordered(1, Verb::BootImage));
    let back = |number| Event::Activated { number, outcome: ActivationOutcome::Back(9) };
    let never = |number| Event::Activated { number, outcome: ActivationOutcome::Failed { message: String::new() } };
    let released = |events: &[Event]| left(Purpose::Release, events).map(|record| record.applied);
    let owed = |purpose, events: &[Event]| -> Vec<Verb> {
        left(purpose, events).unwrap().owes.iter().map(|activation| activation.verb).collect()
    };
    assert_eq!(released(std::slice::from_ref(&done)), Some(text("60")), "killed before the reboot was ordered");
    assert_eq!(released(&[done.clone(), order(1)]), Some(text("60")), "killed while it was waited for");
    assert_eq!(released(&[done.clone(), order(1), never(1)]), Some(text("60")));
    let built = [done.clone(), image, back(1)];
    assert_eq!(released(&built), Some(text("60")), "killed between the boot image and the reboot");
    assert_eq!(released(&[&built[..], &[order(2), back(2)]].concat()), None, "in effect, so let go of");
    assert_eq!(owed(Purpose::Release, std::slice::from_ref(&done)), [Verb::BootImage, Verb::Reboot]);
    assert_eq!(owed(Purpose::Release, &built), [Verb::Reboot], "the image need not be built again");
    assert_eq!(released(&[order(1), back(1), done.clone()]), Some(text("60")), "another reboot, before it");

    let managed = |events: &[Event]| left(Purpose::Manage { adopt: None }, events).map(|record| record.applied);
    let undo = [Event::Undo { step: 1 }, Event::Settle { step: 1, outcome: StepOutcome::Undone }];
    let undone = |first: &[Event], then: &[Event]| managed(&[first, &undo, then].concat());
    assert_eq!(undone(std::slice::from_ref(&done), &[]), None, "nothing had come into effect");
    assert_eq!(
        undone(&[done.clone(), order(1), back(1)], &[]),
        Some(text("60")),
        "killed before it was put into effect"
    );
    assert_eq!(undone(&[done.clone(), order(1), back(1)], &[order(2), back(2)]), None);
    let image = |number| ordered(number, Verb::BootImage);
    let booted = [done.clone(), image(1), back(1), order(2), back(2)];
    let then = [image(3), back(3)];
    assert_eq!(undone(&booted, &then), Some(text("60")), "it still runs with what the earlier boot made of it");
    let managed = Purpose::Manage { adopt: None };
    assert_eq!(owed(managed, &[&booted[..], &undo, &then].concat()), [Verb::Reboot]);
}

#[test]
fn damage_is_named_by_its_place() {
    let (_, mut events) = journal(&[1, 1, 2, 2, 1]);
    assert_eq!(replay(&[]), Err(Disorder { run: 0, entry: 0 }));
    assert_eq!(replay(&events[1..]), Err(Disorder { run: 0, entry: 0 }));
    events.insert(1, Event::Undo { step: 1 });
    assert_eq!(replay(&events), Err(Disorder { run: 1, entry: 1 }));
}

proptest! {
    #[test]
    fn any_prefix_of_a_journal_is_legal(choices in proptest::collection::vec(1..1000_usize, 0..40)) {
        let (_, events) = journal(&choices);
        let mut progress: Option<Progress> = None;
        for length in 1..=events.len() {
            let replayed = replay(&events[..length]).unwrap();
            if let Some(before) = &mut progress {
                before.take(&events[length - 1]).unwrap();
                prop_assert_eq!(&*before, &replayed);
            }
            progress = Some(replayed);
        }
    }

    #[test]
    fn what_is_not_legal_is_refused_and_changes_nothing(
        choices in proptest::collection::vec(1..1000_usize, 0..20),
        step in 0..6_u64,
        which in 0..7_usize,
    ) {
        let (_, events) = journal(&choices);
        let progress = replay(&events).unwrap();
        let (_, header, intents) = a_run(4);
        let event = match which {
            0 => Event::Begin(header),
            1 => Event::Undo { step },
            2 => Event::Intend { step, intent: Box::new(intents[0].clone()) },
            3 => Event::Settle { step, outcome: StepOutcome::Done },
            4 => Event::Settle { step, outcome: StepOutcome::Undone },
            5 => Event::Settle { step, outcome: StepOutcome::NotDone { message: String::new() } },
            _ => Event::End(RunResult::Done),
        };
        let is_legal = progress.end.is_none() && next(&progress, &intents).iter().any(|legal| match (legal, &event) {
            (Event::Intend { .. }, Event::Intend { step, .. }) => *step > progress.steps.len() as u64,
            (legal, event) => legal == event,
        });
        let mut taken = progress.clone();
        prop_assert_eq!(taken.take(&event).is_some(), is_legal, "{:?}", event);
        if !is_legal {
            prop_assert_eq!(taken, progress);
        }
    }

    #[test]
    fn a_look_settles_everything(choices in proptest::collection::vec(1..1000_usize, 0..40), live in 0..3_usize) {
        let kinds = kinds();
        let (fleet, mut events) = journal(&choices);
        events.retain(|event| !matches!(event, Event::End(_)));
        let mut progress = replay(&events).unwrap();
        let live = text(["60", "10", "7"][live]);
        let open: Vec<StepNumber> = progress.unsettled().map(|(step, _)| step).collect();
        for step in open {
            let (intent, status) = &progress.steps[&step];
            let outcome = judge(&*kinds["toy"], intent, status, &live).unwrap();
            progress.take(&Event::Settle { step, outcome }).unwrap();
        }
        prop_assert_eq!(progress.unsettled().count(), 0);
        let state = conclude(&fleet.state, &progress);
        for (intent, status) in progress.steps.values() {
            let recorded = state.items.get(&intent.id);
            match status {
                StepStatus::Settled(StepOutcome::Done) => prop_assert_eq!(&recorded.unwrap().applied, &intent.change.after),
                StepStatus::Settled(StepOutcome::Stuck { .. }) => prop_assert!(recorded.is_some()),
                _ => prop_assert!(recorded.is_none()),
            }
        }
        prop_assert_eq!((state.serial, state.last_run), (fleet.state.serial + 1, progress.header.run));
    }
}
