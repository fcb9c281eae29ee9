//! What random programs and sweeps once found, told one by one, each with the fault that it took.

use std::sync::Arc;

use tune_core::item::Raw;
use tune_core::plan::{Operation, Selection};
use tune_core::state::{Original, RunResult};
use tune_testkit::audit::{self, Named};
use tune_testkit::faults::{Call, Fate, Fault, Faults, ItemFault, Moment};
use tune_testkit::fleet::{Ended, Fleet, Home, Outcome};
use tune_testkit::laws::{destroy, lawful, recover};
use tune_testkit::setting::{self, Setting};
use tune_testkit::store::{Content, Disk};
use tune_testkit::world::World;

struct Story {
    fleet: Fleet,
    disk: Disk,
    named: Named,
}

impl Story {
    fn new() -> Self {
        let world = World::new([Arc::new(Setting) as Arc<_>], &Faults::default());
        for name in ["doe", "elk"] {
            world.add(name, setting::machine(name));
        }
        let disk = Disk::default();
        let mut fleet = Fleet::new(world, Home::Memory(disk.clone()));
        for name in ["doe", "elk"] {
            fleet.host(name);
        }
        Self { fleet, disk, named: Named::default() }
    }

    fn run(&mut self, operation: &Operation, faults: &[(Call, usize, Fault)]) -> Ended {
        let armed = faults.iter().map(|(call, nth, fault)| (Moment { call: call.clone(), nth: *nth }, *fault));
        self.fleet.faults().arm(armed);
        let ended = self.fleet.run(operation, &Selection::default());
        assert_eq!(self.fleet.faults().waiting(), [], "the story has no such call: {ended:?}");
        self.fleet.faults().arm([]);
        self.named.hear(&ended);
        ended
    }

    fn apply(&mut self) -> RunResult {
        let ended = self.run(&Operation::Apply, &[]);
        assert!(ended.report().is_some(), "it did not run: {ended:?}");
        ended.report().expect("it was just seen").result
    }

    fn live(&self, host: &str, key: &str) -> Raw {
        self.fleet.world.live(host, "setting", &setting::item_key(key))
    }

    /// Everything comes to a good end.
    fn end(mut self) {
        assert_eq!(recover(&self.fleet, &mut self.named), Ok(()));
        assert_eq!(audit::disagreements(&self.fleet), Vec::<String>::new());
        self.fleet.resources.clear();
        assert_eq!(lawful(&self.fleet).and_then(|()| destroy(&self.fleet, &mut self.named)), Ok(()));
    }
}

fn text(text: &str) -> Raw {
    Raw::Text(text.to_owned())
}

#[test]
fn two_resources_of_one_host_are_settled_together() {
    let mut story = Story::new();
    story.fleet.setting("one", "doe", &[("plain.a", "10")], &[]);
    story.fleet.setting("two", "doe", &[("plain.c", "auto")], &[]);
    assert_eq!(story.apply(), RunResult::Done);
    story.end();
}

#[test]
fn a_resource_that_moves_is_put_back_where_it_was() {
    let mut story = Story::new();
    story.fleet.setting("one", "doe", &[("clamp.a", "50")], &[]);
    assert_eq!(story.apply(), RunResult::Done);
    story.fleet.setting("one", "elk", &[("clamp.a", "5")], &[]);
    assert_eq!(story.apply(), RunResult::Done);
    assert_eq!((story.live("doe", "clamp.a"), story.live("elk", "clamp.a")), (text("20"), text("5")));
    story.end();
}

#[test]
fn a_value_that_cuts_the_host_off_does_not_survive_a_reboot() {
    let mut story = Story::new();
    story.fleet.setting("one", "doe", &[("net.door", "shut")], &[]);
    let ended = story.run(&Operation::Apply, &[(Call::Apply("doe".to_owned()), 0, Fault::Reboot { after: 4 })]);
    assert!(ended.report().is_some_and(|report| report.result == RunResult::Undone), "{ended:?}");
    assert_eq!(story.live("doe", "net.door"), text("open"));
    story.end();
}

#[test]
fn a_fence_that_waited_for_the_cut_puts_it_back() {
    let mut story = Story::new();
    story.fleet.setting("one", "doe", &[("net.door", "shut")], &[]);
    let fault = Fault::Lost { after: 2, then: Fate::GoesOn { calls: 2 } };
    let ended = story.run(&Operation::Apply, &[(Call::Apply("doe".to_owned()), 0, fault)]);
    assert!(ended.report().is_some_and(|report| report.result == RunResult::Undone), "{ended:?}");
    assert_eq!(story.live("doe", "net.door"), text("open"));
    story.end();
}

#[test]
fn a_write_that_could_not_be_read_back_is_looked_at() {
    let mut story = Story::new();
    story.fleet.setting("one", "doe", &[("plain.a", "10")], &[]);
    let fault = Fault::Item { index: 0, how: ItemFault::FailsAfterEffect };
    let ended = story.run(&Operation::Apply, &[(Call::Apply("doe".to_owned()), 0, fault)]);
    let report = ended.report().unwrap();
    assert!(matches!(report.result, RunResult::Done | RunResult::Undone), "{ended:?}");
    story.end();
}

#[test]
fn a_ledger_that_was_not_tidied_says_nothing_of_what_changed_since() {
    let mut story = Story::new();
    story.fleet.setting("one", "doe", &[("plain.a", "60"), ("strict.a", "500")], &[]);
    // One value is so already, the other is refused: there is nothing to undo but the record, and the ledger to tidy.
    let tidy = (Call::Apply("doe".to_owned()), 1, Fault::DiskFull);
    let ended = story.run(&Operation::Apply, &[tidy]);
    assert!(ended.report().is_some(), "{ended:?}");
    recover(&story.fleet, &mut story.named).unwrap();
    story.fleet.world.drift("doe", "setting", &"plain.a".into(), &text("33"));
    story.fleet.setting("one", "doe", &[("plain.a", "10")], &[]);
    story.apply();
    let (state, _) = story.fleet.remembered();
    let machine = story.fleet.world.machine("doe");
    let id = audit::id(&state, &machine, "setting", &"plain.a".into()).unwrap();
    let known = matches!(&state.items[&id].original, Original::Known { raw, .. } if *raw == text("33"));
    assert!(known, "{:?}", state.items[&id]);
    story.end();
}

#[test]
fn a_run_that_ended_without_a_word_is_tidied_by_the_next() {
    let mut story = Story::new();
    story.fleet.setting("one", "doe", &[("strict.a", "500")], &[]);
    let journal = |nth, after| (Call::Journal, nth, Fault::Killed { after, then: Fate::Dies });
    // Killed when the outcome is durable and the ledger is not tidied.
    assert!(matches!(story.run(&Operation::Apply, &[journal(2, 1)]).outcome, Outcome::Killed));
    story.fleet.world.change("doe", |machine| machine.away = true);
    // Killed when the end of the run is durable and nobody was told that doe is away.
    assert!(matches!(story.run(&Operation::Apply, &[journal(0, 1)]).outcome, Outcome::Killed));
    story.fleet.world.change("doe", |machine| machine.away = false);
    story.end();
}

#[test]
fn a_rebuilt_state_is_not_shut_out_by_runs_that_left_no_ledger() {
    let mut story = Story::new();
    story.fleet.setting("one", "elk", &[("plain.a", "10")], &[]);
    story.fleet.setting("two", "doe", &[("strict.a", "500")], &[]);
    for _ in 0..3 {
        assert_ne!(story.apply(), RunResult::Done);
    }
    let state = story.fleet.rebuild().unwrap();
    story.disk.put(Content { sequence: story.disk.content().sequence, ..Content::default() });
    assert!(story.fleet.open().replace(state).is_ok());
    let killed = (Call::Apply("doe".to_owned()), 0, Fault::Killed { after: 1, then: Fate::Dies });
    assert!(matches!(story.run(&Operation::Apply, &[killed]).outcome, Outcome::Killed));
    story.end();
}
