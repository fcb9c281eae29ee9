//! What the engine does with time, with people in a hurry, and with states that are given up or lost. Every fault at
//! every step is tried elsewhere, on the test kit's fleet; here each test is one bad day.
#![expect(clippy::unwrap_used, reason = "a broken test ends and says why")]

mod fake;

use std::collections::BTreeMap;
use std::time::Duration;

use fake::{Fake, Happening, Memory, host, setting, text};
use tokio::time::Instant;
use tune_core::contract::Sent;
use tune_core::item::Raw;
use tune_core::journal::Event;
use tune_core::plan::Operation;
use tune_core::state::{Original, RunResult};
use tune_engine::rebuild::RebuildError;
use tune_engine::report::NotStarted;
use tune_engine::{Conduct, EngineError, ResourceOutcome, Silent, Stop, Store as _};

#[tokio::test(start_paused = true)]
async fn a_run_is_recorded_and_the_next_plan_is_empty() {
    let fake = Fake::of(&["a", "b"]);
    fake.set("a", "x", "60");
    let mut memory = Memory::default();
    let wants = [setting("one", "a", &[("x", "10"), ("y", "1")]), setting("two", "b", &[("x", "10")])];
    let report = fake.apply(&mut memory, &wants).await.unwrap();
    assert_eq!((report.number, report.result), (Some(1), RunResult::Done));
    assert_eq!(report.resources[&setting("one", "a", &[]).address], ResourceOutcome::Done { written: 2, recorded: 0 });
    assert_eq!((fake.live("a", "x"), fake.live("b", "x")), (text("10"), text("10")));
    assert_eq!(memory.runs().len(), 1);
    let ledger = fake.ledger("a").unwrap();
    assert_eq!((ledger.epoch, ledger.writer.as_str(), ledger.entries.size()), (1, "me@here", 2));

    let again = fake.apply(&mut memory, &wants).await.unwrap();
    assert_eq!((again.number, again.result, memory.runs().len()), (None, RunResult::Done, 1));
    let back = fake.run(&mut memory, &wants, &Operation::Destroy, &Stop::default()).await.unwrap();
    assert_eq!(back.result, RunResult::Done);
    assert_eq!((fake.live("a", "x"), fake.live("a", "y"), fake.ledger("a")), (text("60"), Raw::Absent, None));
    assert!(memory.state().items.is_empty() && memory.state().hosts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn all_intents_of_a_wave_share_one_flush() {
    let fake = Fake::of(&["a", "b", "c"]);
    let mut memory = Memory::default();
    let wants = ["a", "b", "c"].map(|on| setting(on, on, &[("x", "1"), ("y", "2")]));
    fake.apply(&mut memory, &wants).await.unwrap();
    assert_eq!(memory.flushes(), 3, "the beginning, the intents, and the outcomes with the end");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_hangs_is_given_up_at_the_deadline() {
    let fake = Fake::of(&["a", "b"]);
    fake.will("a", Happening::Hangs);
    let mut memory = Memory::default();
    let began = Instant::now();
    let wants = [setting("one", "a", &[("x", "1")]), setting("two", "b", &[("x", "1")])];
    let Err(EngineError::Mistakes(mistakes)) = fake.apply(&mut memory, &wants).await else {
        unreachable!("a host that cannot be read forbids the apply")
    };
    assert!(mistakes[0].problem.message.contains("`host.a` did not answer within 60 seconds"), "{mistakes:?}");
    assert_eq!(began.elapsed().as_secs(), 60);
    assert_eq!((fake.live("b", "x"), memory.flushes()), (Raw::Absent, 0));
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_is_waited_out() {
    let fake = Fake::of(&["a"]);
    let mut memory = Memory::default();
    fake.will("a", Happening::Away(Sent::No));
    fake.will("a", Happening::Away(Sent::No));
    fake.will("a", Happening::Answers);
    fake.will("a", Happening::Away(Sent::No));
    fake.will("a", Happening::Answers);
    let report = fake.apply(&mut memory, &[setting("one", "a", &[("x", "1")])]).await.unwrap();
    assert_eq!(report.result, RunResult::Done);
    assert_eq!(fake.log("a"), ["read away", "read away", "read", "apply away", "apply 1.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_went_away_is_not_written_to_blindly() {
    let fake = Fake::of(&["a", "b"]);
    let mut memory = Memory::default();
    fake.will("a", Happening::Answers);
    fake.will("a", Happening::WritesAndIsSilent);
    let wants = [setting("one", "a", &[("x", "1")]), setting("two", "b", &[("x", "1")])];
    let report = fake.apply(&mut memory, &wants).await.unwrap();
    assert_eq!(report.result, RunResult::Done, "the look behind the fence shows that it took effect");
    // The ledger on the host still covers both outcomes, so it is brought up to date.
    assert_eq!(fake.log("a"), ["read", "apply 1.1", "fence 1.2", "apply 1.3"]);
    assert_eq!(fake.ledger("a").unwrap().entries.values().next().unwrap().ours, [text("1")]);
}

#[tokio::test(start_paused = true)]
async fn without_a_fence_nothing_is_known_and_the_next_run_settles_it() {
    let fake = Fake::of(&["a", "b"]);
    let mut memory = Memory::default();
    fake.will("a", Happening::Answers);
    fake.will("a", Happening::Away(Sent::Perhaps));
    fake.is_away("a", true);
    let mut after = setting("after", "a", &[("y", "1")]);
    after.depends_on.insert(setting("two", "b", &[]).address);
    let wants = [setting("one", "a", &[("x", "1")]), setting("two", "b", &[("x", "1")]), after.clone()];
    let began = Instant::now();
    let report = fake.apply(&mut memory, &wants).await.unwrap();
    assert!(began.elapsed() >= Duration::from_mins(2), "the host is waited for");
    assert!(report.open && report.result == RunResult::Stuck);
    let unknown = &report.resources[&wants[0].address];
    assert!(matches!(unknown, ResourceOutcome::Unknown { host: away, .. } if *away == host("a")), "{unknown:?}");
    assert_eq!(report.resources[&wants[1].address], ResourceOutcome::Done { written: 1, recorded: 0 });
    assert_eq!(
        report.resources[&after.address],
        ResourceOutcome::NotStarted(NotStarted::HostInDoubt(host("a"))),
        "nothing more is sent to a host in doubt"
    );

    let refused = fake.apply(&mut memory, &wants).await;
    assert!(matches!(refused, Err(EngineError::OpenRun { number: 1 })));
    let settled = fake.engine().settle(&mut memory, &Silent).await.unwrap().unwrap();
    assert!(settled.report.open && memory.open_run().is_some());

    fake.is_away("a", false);
    let settled = fake.engine().settle(&mut memory, &Silent).await.unwrap().unwrap();
    assert_eq!((settled.command.as_str(), settled.report.result), ("test", RunResult::Partial));
    assert!(matches!(settled.report.resources[&wants[0].address], ResourceOutcome::PutBack { undone: 0, .. }));
    assert_eq!((memory.open_run(), memory.state().items.len(), memory.state().last_run), (None, 1, 1));
    assert!(fake.engine().settle(&mut memory, &Silent).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn forgetting_a_host_that_never_comes_back_ends_its_run() {
    let fake = Fake::of(&["a", "b"]);
    let mut memory = Memory::default();
    let wants = [setting("one", "a", &[("x", "1")]), setting("two", "b", &[("x", "1")])];
    fake.will("a", Happening::Answers);
    fake.will("a", Happening::Away(Sent::Perhaps));
    fake.is_away("a", true);
    assert!(fake.apply(&mut memory, &wants).await.unwrap().open);

    let two = [wants[1].address.clone()];
    let refused = fake.engine().forget(&mut memory, &two, "me@here", &Silent).await;
    assert!(matches!(refused, Err(EngineError::OpenRun { number: 1 })), "the run still waits for the other one");
    let one = [wants[0].address.clone()];
    let forgotten = fake.engine().forget(&mut memory, &one, "me@here", &Silent).await.unwrap();
    assert_eq!(forgotten.ended_run, Some(1));
    assert_eq!(forgotten.items.values().map(|record| &record.owner).collect::<Vec<_>>(), [&wants[0].address]);
    let state = memory.state();
    let folder = format!("delete `/var/lib/tune/{}` on the host", state.lineage);
    assert!(forgotten.warnings[0].contains(&folder), "{:?}", forgotten.warnings);
    assert_eq!(state.items.values().map(|record| &record.owner).collect::<Vec<_>>(), [&wants[1].address]);
    let commands: Vec<&str> = memory.runs().iter().map(|run| run.command.as_str()).collect();
    assert_eq!(commands, ["test", "state rm setting.one"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_leaves_the_ledger_and_keeps_its_value() {
    let fake = Fake::of(&["a"]);
    let mut memory = Memory::default();
    let wants = [setting("one", "a", &[("x", "1")]), setting("two", "a", &[("y", "1")])];
    fake.apply(&mut memory, &wants).await.unwrap();
    let one = [wants[0].address.clone()];
    let forgotten = fake.engine().forget(&mut memory, &one, "me@here", &Silent).await.unwrap();
    assert_eq!((forgotten.warnings.len(), forgotten.ended_run), (0, None));
    assert_eq!((fake.live("a", "x"), fake.ledger("a").unwrap().entries.size()), (text("1"), 1));
    let both = [wants[0].address.clone(), wants[1].address.clone()];
    fake.engine().forget(&mut memory, &both, "me@here", &Silent).await.unwrap();
    assert_eq!((fake.ledger("a"), memory.state().last_run), (None, 3));
    assert_eq!(fake.engine().forget(&mut memory, &both, "me@here", &Silent).await.unwrap().items, BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn the_first_ctrl_c_finishes_the_wave_and_the_second_does_not_wait() {
    let fake = Fake::of(&["a", "b"]);
    let mut memory = Memory::default();
    let mut later = setting("later", "b", &[("x", "1")]);
    later.depends_on.insert(setting("first", "a", &[]).address);
    let wants = [setting("first", "a", &[("x", "1")]), later.clone()];
    fake.will("a", Happening::Answers);
    fake.will("a", Happening::Slow(Duration::from_secs(20)));
    let stop = Stop::default();
    let (report, ()) = tokio::join!(fake.run(&mut memory, &wants, &Operation::Apply, &stop), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        stop.ask();
    });
    let report = report.unwrap();
    assert_eq!(report.result, RunResult::Partial);
    assert_eq!(report.resources[&wants[0].address], ResourceOutcome::Done { written: 1, recorded: 0 });
    assert_eq!(report.resources[&later.address], ResourceOutcome::NotStarted(NotStarted::Stopped));

    fake.will("b", Happening::Answers);
    fake.will("b", Happening::Hangs);
    let (stop, began) = (Stop::default(), Instant::now());
    let (report, ()) = tokio::join!(fake.run(&mut memory, &wants, &Operation::Apply, &stop), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        stop.ask();
        stop.ask();
    });
    let report = report.unwrap();
    assert_eq!(began.elapsed().as_secs(), 5);
    assert!(report.open, "what was sent may still take effect");
    assert!(matches!(report.resources[&later.address], ResourceOutcome::Unknown { .. }));
    let settled = fake.engine().settle(&mut memory, &Silent).await.unwrap().unwrap();
    assert_eq!(settled.report.result, RunResult::Undone);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_cuts_the_connection_is_confirmed_or_put_back() {
    let fake = Fake::of(&["a"]);
    let mut memory = Memory::default();
    let wants = [setting("one", "a", &[("cut", "1"), ("later", "1")])];
    fake.apply(&mut memory, &wants).await.unwrap();
    // What outlives a boot is sent only after the cut is confirmed.
    assert_eq!(fake.log("a"), ["read", "apply 1.1 armed", "confirm", "apply 1.2"]);

    let wants = [setting("one", "a", &[("cut", "2"), ("later", "2")])];
    fake.clear_log("a");
    fake.will("a", Happening::Answers);
    fake.will("a", Happening::Answers);
    fake.will("a", Happening::Away(Sent::No));
    fake.will("a", Happening::Answers);
    let report = fake.apply(&mut memory, &wants).await.unwrap();
    assert_eq!(report.result, RunResult::Done, "a confirmation may be tried again");
    assert_eq!(fake.log("a"), ["read", "apply 2.3 armed", "confirm away", "confirm", "apply 2.4"]);

    let wants = [setting("one", "a", &[("cut", "3"), ("later", "3")])];
    fake.clear_log("a");
    fake.will("a", Happening::Answers);
    fake.will("a", Happening::Answers);
    fake.will("a", Happening::Hangs);
    let report = fake.apply(&mut memory, &wants).await.unwrap();
    assert_eq!(report.result, RunResult::Undone);
    assert_eq!((fake.live("a", "cut"), fake.live("a", "later")), (text("2"), text("2")));
    assert_eq!(fake.log("a")[..3], ["read", "apply 3.5 armed", "confirm hangs"]);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_written_stops_the_run_before_anything_is_sent() {
    let fake = Fake::of(&["a"]);
    let wants = [setting("one", "a", &[("x", "1")])];
    let mut memory = Memory::default();
    memory.fails_after(1);
    let Err(EngineError::Interrupted { report, .. }) = fake.apply(&mut memory, &wants).await else {
        unreachable!("the intents cannot be written")
    };
    assert!(report.open);
    assert_eq!((fake.log("a"), fake.live("a", "x")), (vec!["read".to_owned()], Raw::Absent));
    memory.works_again();
    let settled = fake.engine().settle(&mut memory, &Silent).await.unwrap().unwrap();
    assert_eq!(settled.report.result, RunResult::Undone);
    assert_eq!(
        settled.report.resources[&wants[0].address],
        ResourceOutcome::NotStarted(NotStarted::Interrupted),
        "{settled:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_outdated_plan_is_refused() {
    let fake = Fake::of(&["a"]);
    let mut memory = Memory::default();
    let wants = [setting("one", "a", &[("x", "1")])];
    let plan = fake.plan(&memory, &wants, &Operation::Apply).await.unwrap();
    fake.apply(&mut memory, &wants).await.unwrap();
    let engine = fake.engine();
    let refused = engine.run(&mut memory, &plan, &Conduct::none(), "apply", "me@here", &Silent, &Stop::default()).await;
    assert!(matches!(refused, Err(EngineError::Stale { planned: 0, now: 1 })));
}

#[tokio::test(start_paused = true)]
async fn one_connection_serves_a_plan_and_its_run() {
    let fake = Fake::of(&["a"]);
    let memory = &mut Memory::default();
    let wants = [setting("one", "a", &[("x", "1")])];
    let engine = fake.engine();
    let plan = fake.plan_with(&engine, memory, &wants, &Operation::Apply).await.unwrap();
    engine.run(memory, &plan, &Conduct::none(), "apply", "me@here", &Silent, &Stop::default()).await.unwrap();
    assert_eq!(fake.connections(), 1);
    engine.close().await;
    assert_eq!(fake.closed(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_state_is_rebuilt_from_the_ledgers() {
    let fake = Fake::of(&["a", "b"]);
    fake.set("a", "x", "60");
    let mut memory = Memory::default();
    let wants = [setting("one", "a", &[("x", "10")]), setting("two", "b", &[("x", "10")])];
    fake.apply(&mut memory, &wants).await.unwrap();
    let engine = fake.engine();
    let rebuilt = engine.rebuild(&fake.hosts(), None, &Silent).await.unwrap();
    let known = memory.state();
    assert_eq!((&rebuilt.lineage, rebuilt.last_run, &rebuilt.hosts), (&known.lineage, 101, &known.hosts));
    for (id, record) in &known.items {
        let again = &rebuilt.items[id];
        let (Original::Known { raw: was, .. }, Original::Known { raw: is, .. }) = (&record.original, &again.original)
        else {
            unreachable!("both originals are known")
        };
        assert_eq!((was, &record.applied, &record.owner), (is, &again.applied, &again.owner));
    }
    let mut memory = Memory::of(rebuilt);
    let back = fake.run(&mut memory, &wants, &Operation::Destroy, &Stop::default()).await.unwrap();
    assert_eq!((back.result, fake.live("a", "x"), fake.live("b", "x")), (RunResult::Done, text("60"), Raw::Absent));

    assert_eq!(fake.engine().rebuild(&fake.hosts(), None, &Silent).await, Err(RebuildError::Nothing));
    fake.is_away("b", true);
    let refused = fake.engine().rebuild(&fake.hosts(), None, &Silent).await;
    assert!(matches!(refused, Err(RebuildError::Unreachable { host: away, .. }) if away == host("b")));
}

#[tokio::test(start_paused = true)]
async fn several_states_are_not_mixed_in_a_rebuild() {
    let fake = Fake::of(&["a", "b"]);
    let (mut one, mut other) = (Memory::default(), Memory::default());
    fake.apply(&mut one, &[setting("one", "a", &[("x", "1")])]).await.unwrap();
    fake.apply(&mut other, &[setting("two", "b", &[("x", "1")])]).await.unwrap();
    let engine = fake.engine();
    let refused = engine.rebuild(&fake.hosts(), None, &Silent).await;
    let Err(RebuildError::SeveralLineages { lineages }) = refused else { unreachable!("there are two states") };
    assert_eq!(lineages[&one.state().lineage], [host("a")]);
    let chosen = engine.rebuild(&fake.hosts(), Some(&other.state().lineage), &Silent).await.unwrap();
    assert_eq!(chosen.items.keys().collect::<Vec<_>>(), other.state().items.keys().collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn settling_undoes_a_resource_that_was_changed_in_part() {
    let fake = Fake::of(&["a"]);
    fake.set("a", "x", "60");
    let mut memory = Memory::default();
    let wants = [setting("one", "a", &[("x", "10"), ("y", "1")])];
    fake.will("a", Happening::Answers);
    fake.will("a", Happening::WritesOneAndDies);
    fake.is_away("a", true);
    assert!(fake.apply(&mut memory, &wants).await.unwrap().open);
    assert_eq!((fake.live("a", "x"), fake.live("a", "y")), (text("10"), Raw::Absent));
    fake.is_away("a", false);
    let settled = fake.engine().settle(&mut memory, &Silent).await.unwrap().unwrap();
    assert_eq!(settled.report.result, RunResult::Undone);
    assert!(matches!(settled.report.resources[&wants[0].address], ResourceOutcome::PutBack { undone: 1, .. }));
    assert_eq!((fake.live("a", "x"), fake.ledger("a")), (text("60"), None));
    assert!(memory.state().items.is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_machine_under_the_address_settles_nothing() {
    let fake = Fake::of(&["a"]);
    let mut memory = Memory::default();
    let wants = [setting("one", "a", &[("x", "1")])];
    fake.will("a", Happening::Answers);
    fake.will("a", Happening::Away(Sent::Perhaps));
    fake.is_away("a", true);
    assert!(fake.apply(&mut memory, &wants).await.unwrap().open);
    fake.is_away("a", false);
    fake.reinstall("a");
    let settled = fake.engine().settle(&mut memory, &Silent).await.unwrap().unwrap();
    assert!(settled.report.open);
    let ResourceOutcome::Unknown { reason, .. } = &settled.report.resources[&wants[0].address] else {
        unreachable!("nothing is known")
    };
    assert_eq!(reason, "another machine answers as `host.a`");
    assert!(matches!(memory.open_run(), Some([Event::Begin(_), ..])));
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_fails_on_its_new_host_stays_on_the_old_one() {
    let fake = Fake::of(&["a", "b"]);
    fake.set("a", "x", "60");
    let mut memory = Memory::default();
    fake.apply(&mut memory, &[setting("one", "a", &[("x", "10")])]).await.unwrap();
    fake.will("b", Happening::Answers);
    fake.will("b", Happening::Refuses);
    let moved = [setting("one", "b", &[("x", "10")])];
    let report = fake.apply(&mut memory, &moved).await.unwrap();
    assert_eq!(report.result, RunResult::Undone);
    let ResourceOutcome::PutBack { failures, undone: 1 } = &report.resources[&moved[0].address] else {
        unreachable!("it failed: {report:?}")
    };
    assert_eq!(failures[0].message, "the kernel says no");
    assert_eq!((fake.live("a", "x"), fake.live("b", "x")), (text("10"), Raw::Absent));
    assert_eq!((fake.ledger("a").unwrap().entries.size(), fake.ledger("b")), (1, None));
    let owners = |memory: &Memory| memory.state().items.keys().map(|id| id.host.0.clone()).collect::<Vec<_>>();
    assert_eq!(owners(&memory), ["id of a"]);

    assert_eq!(fake.apply(&mut memory, &moved).await.unwrap().result, RunResult::Done);
    assert_eq!((fake.live("a", "x"), fake.live("b", "x")), (text("60"), text("10")));
    assert_eq!(owners(&memory), ["id of b"]);
}
