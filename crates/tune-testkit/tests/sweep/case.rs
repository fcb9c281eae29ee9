//! One case of the sweep: a scenario, the faults of its process, and those of the process that comes after.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tempfile::TempDir;
use tune_core::item::{ItemKey, Raw};
use tune_core::plan::{Operation, Plan, Selection};
use tune_core::state::RunResult;
use tune_engine::EngineError;
use tune_testkit::audit::{self, Known, Named};
use tune_testkit::faults::{self, Fault, Moment, Seen};
use tune_testkit::fleet::{Ended, Fleet, Home, Outcome};
use tune_testkit::laws::{destroy, ensure, lawful, nothing_comes_late, recover};
use tune_testkit::setting::FOREIGN_FILE;
use tune_testkit::store::Disk;
use tune_testkit::world::Writer;

use crate::scenario::Scenario;

/// What is tried.
#[derive(Debug)]
pub(crate) struct Case {
    scenario: &'static Scenario,
    first: Vec<(Moment, Fault)>,
    second: Vec<(Moment, Fault)>,
    in_folder: bool,
}

/// What was tried in all, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    stride: usize,
    offered: usize,
    cases: BTreeMap<&'static str, usize>,
    faults: BTreeSet<&'static str>,
    failures: Vec<String>,
}

impl Tally {
    /// Tries one in so many cases.
    pub(crate) fn of_one_in(stride: usize) -> Self {
        Self { stride, ..Self::default() }
    }

    /// Tries a case, if it is its turn.
    pub(crate) fn run(&mut self, case: &Case) {
        self.offered += 1;
        if !self.offered.is_multiple_of(self.stride) {
            return;
        }
        *self.cases.entry(case.scenario.name).or_default() += 1;
        self.faults.extend(case.first.iter().chain(&case.second).map(|(_, fault)| faults::name(fault)));
        if let Err(failure) = case.check() {
            let Case { scenario, first, second, .. } = case;
            self.failures.push(format!("{}, {first:?}, then {second:?}:\n{failure}", scenario.name));
        }
    }

    /// Says what was run, and fails if anything did not hold.
    pub(crate) fn report(self, name: &str) {
        let all: usize = self.cases.values().sum();
        let cases: String =
            self.cases.iter().fold(String::new(), |text, (scenario, cases)| format!("{text}\n  {cases:5} {scenario}"));
        say(&format!("{name}: {all} cases of {}, {} kinds of fault{cases}", self.offered, self.faults.len()));
        let shown = self.failures.iter().take(8).map(String::as_str).collect::<Vec<_>>().join("\n\n");
        assert!(self.failures.is_empty(), "{} of {all} cases failed:\n\n{shown}", self.failures.len());
    }
}

#[expect(clippy::print_stderr, reason = "what was tried is worth seeing where tests run unattended")]
fn say(what: &str) {
    eprintln!("{what}");
}

/// A place in the world, and what is there.
type Places = BTreeMap<(String, String, ItemKey), Raw>;

impl Case {
    pub(crate) fn new(scenario: &'static Scenario, first: &[(Moment, Fault)], second: &[(Moment, Fault)]) -> Self {
        Self { scenario, first: first.to_vec(), second: second.to_vec(), in_folder: false }
    }

    /// Returns the case with the real store, in a folder of its own.
    pub(crate) fn in_folder(self) -> Self {
        Self { in_folder: true, ..self }
    }

    fn fleet(&self) -> Fleet {
        let folder = || Arc::new(TempDir::with_prefix("tune-sweep-").expect("a folder can be made"));
        self.scenario.fleet(if self.in_folder { Home::Folder(folder()) } else { Home::Memory(Disk::default()) })
    }

    /// Returns the calls of the first process.
    pub(crate) fn trace(&self) -> Vec<Seen> {
        let fleet = self.fleet();
        self.strike(&fleet, &self.first);
        fleet.faults().trace()
    }

    /// Returns the calls of the process after it.
    pub(crate) fn second_trace(&self) -> Vec<Seen> {
        let fleet = self.fleet();
        self.strike(&fleet, &self.first);
        self.strike(&fleet, &self.second);
        fleet.faults().trace()
    }

    fn strike(&self, fleet: &Fleet, faults: &[(Moment, Fault)]) -> Ended {
        fleet.faults().arm(faults.iter().cloned());
        fleet.run(&self.scenario.operation, &Selection::default())
    }

    fn check(&self) -> Result<(), String> {
        let fleet = self.fleet();
        let plan = fleet.plan(&self.scenario.operation, &Selection::default()).map_err(|error| format!("{error:?}"))?;
        let (before, wanted) = both_sides(&fleet, &plan);
        let mut named = Named::default();
        let ended = self.strike(&fleet, &self.first);
        let waiting = fleet.faults().waiting();
        ensure(waiting.is_empty(), || format!("no such call, so nothing was tried: {waiting:?}"))?;
        named.hear(&ended);
        if !self.second.is_empty() {
            let ended = self.strike(&fleet, &self.second);
            named.hear(&ended);
        }
        fleet.faults().arm([]);
        result_is_true(&fleet, &ended, &before, &wanted).map_err(|what| format!("{what}\n{ended:?}"))?;
        recover(&fleet, &mut named)?;
        as_before_or_as_wanted(&fleet, &plan, &before, &wanted, &named)
            .and_then(|()| nothing_comes_late(&fleet))
            .and_then(|()| self.again(&fleet, &wanted, &mut named))
            .and_then(|()| destroy(&fleet, &mut named.clone()))
            .map_err(|what| format!("{what}\nthe run: {ended:?}\n{named:?}"))
    }

    /// The same command again, without faults, does what is left; then there is nothing to do.
    fn again(&self, fleet: &Fleet, wanted: &Places, told: &mut Named) -> Result<(), String> {
        let operation = &self.scenario.operation;
        if *operation != Operation::Apply {
            return Ok(());
        }
        let ended = fleet.run(operation, &Selection::default());
        if self.somebody_took_the_place_of_a_file(&ended) {
            return Ok(());
        }
        let mut named = Named::default();
        named.hear(&ended);
        told.hear(&ended);
        let done = ended.report().is_some_and(|report| match report.result {
            RunResult::Done => true,
            RunResult::Partial => !named.conflicts.is_empty(),
            RunResult::Undone | RunResult::Stuck | RunResult::Paused => false,
        });
        let cannot =
            wanted.iter().any(|((_, _, key), raw)| key.0 == "net.door" && *raw == Raw::Text("shut".to_owned()));
        ensure(done || cannot, || format!("the second apply failed: {ended:?}"))?;
        lawful(fleet)?;
        let (state, _) = fleet.remembered();
        for Found { place, raw, writer } in places(fleet) {
            let Some(want) = wanted.get(&place) else { continue };
            let is_so = fleet.world.same(&place.1, &place.2, &raw, want);
            let conflict = writer != Writer::Tune && named.conflicts.iter().any(|id| id.key == place.2);
            // What was let go of is nobody's business any more.
            let id = audit::id(&state, &fleet.world.machine(&place.0), &place.1, &place.2);
            if writer == Writer::Hand && id.is_none_or(|id| !state.items.contains_key(&id)) {
                continue;
            }
            ensure(is_so || conflict || cannot, || {
                format!("{place:?} is {raw:?} after the second apply, but {want:?} is wanted")
            })?;
        }
        if cannot || !named.conflicts.is_empty() {
            return Ok(());
        }
        let plan = fleet.plan(operation, &Selection::default()).map_err(|error| format!("{error:?}"))?;
        ensure(!plan.has_work(), || format!("the plan after the second apply is not empty: {plan:?}"))
    }
}

impl Case {
    /// A file that somebody made where ours should be is theirs: no apply may replace it.
    fn somebody_took_the_place_of_a_file(&self, ended: &Ended) -> bool {
        let drifted = self.first.iter().chain(&self.second).any(|(_, fault)| *fault == Fault::Drift);
        let Outcome::Failed(EngineError::Mistakes(mistakes)) = &ended.outcome else { return false };
        drifted && mistakes.iter().all(|mistake| mistake.problem.code == FOREIGN_FILE)
    }
}

/// Says what is there before and after the plan, for every item of it.
fn both_sides(fleet: &Fleet, plan: &Plan) -> (Places, Places) {
    let machines = fleet.world.machines();
    let mut sides = (Places::new(), Places::new());
    for item in plan.resources.values().flat_map(|resource| &resource.items) {
        let machine_id = plan.hosts[&item.id.host].machine_id.as_ref();
        let (name, _) =
            machines.iter().find(|(_, machine)| Some(&machine.machine_id) == machine_id).expect("it is there");
        let place = (name.clone(), item.id.kind.clone(), item.id.key.clone());
        let live = item.live.clone().expect("everything can be read");
        sides.1.insert(place.clone(), item.step.change().map_or(live.clone(), |change| change.after.clone()));
        sides.0.insert(place, live);
    }
    sides
}

/// One place of the world with what is there and who put it there.
struct Found {
    place: (String, String, ItemKey),
    raw: Raw,
    writer: Writer,
}

fn places(fleet: &Fleet) -> Vec<Found> {
    let place = |Known { machine, kind, key, origin, live }: Known| Found {
        place: (machine, kind, key),
        raw: live,
        writer: origin.writer,
    };
    audit::items(fleet).into_iter().map(place).collect()
}

/// What a finished run says of itself is so, as far as nobody else interfered.
fn result_is_true(fleet: &Fleet, ended: &Ended, before: &Places, wanted: &Places) -> Result<(), String> {
    let Some(report) = ended.report() else { return Ok(()) };
    let side = match report.result {
        RunResult::Done => wanted,
        RunResult::Undone => before,
        RunResult::Partial | RunResult::Stuck | RunResult::Paused => return Ok(()),
    };
    for Found { place, raw, writer } in places(fleet) {
        let is_so = side.get(&place).is_none_or(|side| fleet.world.same(&place.1, &place.2, &raw, side));
        ensure(is_so || writer == Writer::Hand, || {
            format!("the run says {:?}, but {place:?} is {raw:?}", report.result)
        })?;
    }
    Ok(())
}

/// A process that was killed after its last word was durable leaves it in the state: the run ended as stuck, and the next
/// plan shows that the item is not what was last applied.
fn stuck_on_record(fleet: &Fleet, place: &(String, String, ItemKey), live: &Raw) -> bool {
    let (state, runs) = fleet.remembered();
    let is_stuck = runs.last().is_some_and(|run| run.result == RunResult::Stuck);
    let id = audit::id(&state, &fleet.world.machine(&place.0), &place.1, &place.2);
    let record = id.and_then(|id| state.items.get(&id).cloned());
    is_stuck && record.is_some_and(|record| record.applied != *live)
}

/// Every item is as before or as wanted, a resource's items together; or it is named, or somebody else changed it.
fn as_before_or_as_wanted(
    fleet: &Fleet,
    plan: &Plan,
    before: &Places,
    wanted: &Places,
    named: &Named,
) -> Result<(), String> {
    let machines = fleet.world.machines();
    let places = places(fleet);
    for (owner, resource) in &plan.resources {
        let machine_id = plan.hosts[&resource.host].machine_id.as_ref();
        let mut halves = BTreeSet::new();
        let mut is_whole = true;
        for Found { place, raw, writer } in &places {
            let is_there = machine_id == Some(&machines[&place.0].machine_id);
            if !is_there || !resource.items.iter().any(|item| item.id.key == place.2) {
                continue;
            }
            let is = |side: &Places| fleet.world.same(&place.1, &place.2, raw, &side[place]);
            let (is_before, is_wanted) = (is(before), is(wanted));
            let is_named = named.stuck.iter().chain(&named.conflicts).any(|id| id.key == place.2)
                || stuck_on_record(fleet, place, raw);
            ensure(is_before || is_wanted || is_named || *writer == Writer::Hand, || {
                let (before, wanted) = (&before[place], &wanted[place]);
                format!("{place:?} is {raw:?}, neither {before:?} nor {wanted:?}, and is not named")
            })?;
            is_whole &= !is_named && *writer != Writer::Hand;
            if is_before != is_wanted {
                halves.insert(is_wanted);
            }
        }
        // What is named, or somebody else's, need not be whole.
        ensure(!is_whole || halves.len() < 2, || format!("`{owner}` is half done: {:?}", audit::items(fleet)))?;
    }
    let disagreements = audit::disagreements(fleet);
    ensure(disagreements.is_empty(), || format!("state and world disagree: {disagreements:#?}"))
}
