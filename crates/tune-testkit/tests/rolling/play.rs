//! Plays a story: does each action, looks after each command whether what it says is so, and at the end lets every machine
//! come back, applies until nothing is left to do, and destroys everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use tune_core::Address;
use tune_core::item::{ItemKey, Raw};
use tune_core::plan::{ItemPlan, Operation, Plan, ResourcePlan, Selection};
use tune_core::state::RunResult;
use tune_engine::{EngineError, MemberOutcome, Report, ResourceOutcome};
use tune_testkit::audit;
use tune_testkit::faults::{Fault, Faults, Moment, Seen};
use tune_testkit::fleet::{Ended, Fleet, Outcome};
use tune_testkit::laws::{ensure, lawful};
use tune_testkit::param;
use tune_testkit::world::{Machine, Origin, Writer};

use crate::action::Action;
use crate::build::{API, Blueprint, id, options, params};

/// What came of a story.
pub(crate) struct Played {
    pub(crate) result: Result<(), String>,
    pub(crate) counts: BTreeMap<&'static str, usize>,
    pub(crate) commands: usize,
    /// Steps that were written and activations that were ordered, over all recorded runs.
    pub(crate) steps: usize,
    pub(crate) activations: usize,
    /// How much time passed in the world.
    pub(crate) time: Duration,
    /// Everything that commands said, for comparison.
    pub(crate) trace: String,
    /// Every call of the first command.
    pub(crate) calls: Vec<Seen>,
}

/// What the configuration wants: by machine or guest, by key.
type Wants = BTreeMap<String, BTreeMap<&'static str, String>>;

/// Two layers of one item: what is configured and what is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spot {
    raw: Raw,
    used: Option<String>,
}

/// Every item of the world, by machine, kind and key.
type Spots = BTreeMap<(String, &'static str, String), Spot>;

/// Plays a story; `aloud` tells it on the way.
pub(crate) fn play(blueprint: &Blueprint, story: &[Action], aloud: bool) -> Played {
    let mut player = Player::new(blueprint, aloud);
    let mut result = Ok(());
    for action in story {
        result = player.act(action).map_err(|what| format!("at {action:?}: {what}"));
        if result.is_err() {
            break;
        }
    }
    let result = result.and_then(|()| player.end().map_err(|what| format!("at the end: {what}")));
    let result = result.map_err(|what| format!("{what}\n{}", player.trace));
    let (_, runs) = player.fleet.remembered();
    Played {
        result,
        counts: player.fleet.faults().counts(),
        commands: player.commands,
        steps: runs.iter().map(|run| run.changes.len()).sum(),
        activations: runs.iter().map(|run| run.activations.len()).sum(),
        time: player.fleet.world.time(),
        trace: player.trace,
        calls: player.calls.unwrap_or_default(),
    }
}

struct Player<'b> {
    blueprint: &'b Blueprint,
    fleet: Fleet,
    params: Wants,
    options: Wants,
    faults: Vec<(Moment, Fault)>,
    happens: Vec<(Duration, tune_testkit::world::Happening)>,
    first: Spots,
    commands: usize,
    aloud: bool,
    trace: String,
    calls: Option<Vec<Seen>>,
}

impl<'b> Player<'b> {
    fn new(blueprint: &'b Blueprint, aloud: bool) -> Self {
        let fleet = blueprint.build();
        let mut player = Self {
            blueprint,
            params: Wants::new(),
            options: Wants::new(),
            faults: Vec::new(),
            happens: Vec::new(),
            first: spots(&fleet, blueprint),
            fleet,
            commands: 0,
            aloud,
            trace: String::new(),
            calls: None,
        };
        // Every guest is in the configuration, which tells where it runs.
        for guest in blueprint.guests.keys() {
            player.options.entry(guest.clone()).or_default().insert("numa", "old".to_owned());
        }
        player
    }

    fn act(&mut self, action: &Action) -> Result<(), String> {
        self.say(&format!("{action:?}"));
        match action {
            Action::Want { machines, key, value } => {
                for name in machines {
                    self.params.entry(name.clone()).or_default().insert(key, (*value).to_owned());
                }
            }
            Action::Option { guests, option, value } => {
                for name in guests {
                    self.options.entry(name.clone()).or_default().insert(option, (*value).to_owned());
                }
            }
            Action::Unwant { machines, key } => {
                for name in machines {
                    if let Some(values) = self.params.get_mut(name) {
                        values.remove(key);
                    }
                }
            }
            Action::Apply(part) => return self.run(&Operation::Apply, part),
            Action::Destroy(part) => return self.run(&Operation::Destroy, part),
            Action::RollBack(back) => {
                let (state, _) = self.fleet.remembered();
                let run = state.last_run.saturating_sub(*back);
                return self.run(&Operation::Rollback { run, through: true }, &[]);
            }
            Action::Fault(moment, fault) => self.faults.push((moment.clone(), *fault)),
            Action::Happens(delay, happening) => self.happens.push((*delay, happening.clone())),
            Action::Stop(times) => self.fleet.stops.clone_from(times),
            Action::Sleep(time) => self.fleet.sleep(*time),
            Action::Heal => {
                self.fleet.world.heal();
                self.fleet.sleep(Duration::from_mins(5));
            }
        }
        lawful(&self.fleet)
    }

    /// Writes the configuration anew.
    fn configure(&mut self) {
        self.fleet.resources.clear();
        let wanted = |wants: &Wants| wants.clone().into_iter().filter(|(_, values)| !values.is_empty());
        for (name, values) in wanted(&self.params) {
            let resource = params(&name, &values);
            self.fleet.resources.insert(resource.address.clone(), resource);
        }
        for (name, values) in wanted(&self.options) {
            let resource = options(&name, &values);
            self.fleet.resources.insert(resource.address.clone(), resource);
        }
    }

    /// The part of everything that these machines are: what they set, and not what is set for them elsewhere.
    fn part(&self, machines: &[String]) -> Selection {
        let (state, _) = self.fleet.remembered();
        let names = machines.iter().map(|name| Address::new("param", name));
        let is_there = |name: &Address| self.fleet.resources.contains_key(name) || state.resources.contains_key(name);
        Selection { target: names.filter(is_there).collect(), ..Selection::default() }
    }

    fn run(&mut self, operation: &Operation, part: &[String]) -> Result<(), String> {
        self.configure();
        let selection = self.part(part);
        if !part.is_empty() {
            if selection.target.is_empty() {
                self.fleet.faults().happened("a part was nothing");
                return Ok(());
            }
            self.fleet.faults().happened("a command for a part");
        }
        self.commands += 1;
        self.fleet.faults().arm(std::mem::take(&mut self.faults));
        for (delay, happening) in std::mem::take(&mut self.happens) {
            self.fleet.world.after(delay, happening);
        }
        let _ = self.fleet.world.touched();
        let before = spots(&self.fleet, self.blueprint);
        let ended = self.fleet.run(operation, &selection);
        let calls = self.fleet.faults().trace();
        self.calls.get_or_insert(calls);
        self.fleet.faults().arm([]);
        self.fleet.stops.clear();
        note(self.fleet.faults(), &ended);
        self.say(&heard(&ended));
        lawful(&self.fleet).map_err(|what| format!("{what}\n{}", heard(&ended)))?;
        let touched = self.fleet.world.touched();
        self.is_true(&ended, &before, &touched).map_err(|what| format!("{what}\n{}", heard(&ended)))
    }

    /// What a command says of its members is so, as far as nobody else interfered, and everything else is named.
    fn is_true(&self, ended: &Ended, before: &Spots, touched: &BTreeSet<String>) -> Result<(), String> {
        let Outcome::Ran { plan, report } = &ended.outcome else { return Ok(()) };
        if ended.settled.is_some() {
            // What the settling of another run did is not in this report.
            return Ok(());
        }
        if !report.open {
            let disagreements = audit::disagreements(&self.fleet);
            ensure(disagreements.is_empty(), || format!("state and world disagree: {disagreements:#?}"))?;
        }
        let now = spots(&self.fleet, self.blueprint);
        for (address, resource) in plan.resources.iter().filter(|(_, resource)| resource.has_work()) {
            let host = member_of(plan, resource);
            let is_touched = touched.contains(&host.name);
            let side = |wanted: bool| {
                resource.items.iter().all(|item| {
                    let place = place(plan, item);
                    let by_hand = self.is_by_hand(&place);
                    let is = if wanted { wanted_spot(item, &place, before) } else { before[&place].clone() };
                    by_hand || now[&place].raw == is.raw && (is_touched || now[&place].used == is.used)
                })
            };
            let (is_old, is_new) = (side(false), side(true));
            let outcome = report.resources.get(address);
            let member = report.members.iter().find(|member| member.host == host).map(|member| &member.outcome);
            let holds = match (outcome, member) {
                (Some(ResourceOutcome::Done { .. }), None | Some(MemberOutcome::Done { .. })) => is_new,
                // It is told that it is not as it should be.
                (Some(ResourceOutcome::Stuck { .. } | ResourceOutcome::Unknown { .. }), _)
                | (_, Some(MemberOutcome::Failed { .. } | MemberOutcome::Down { .. })) => true,
                (_, Some(MemberOutcome::PutBack { .. }))
                | (Some(ResourceOutcome::NotStarted(_) | ResourceOutcome::PutBack { .. }), _) => is_old,
                _ => false,
            };
            ensure(holds, || {
                let found: Vec<_> =
                    resource.items.iter().map(|item| (place(plan, item), &now[&place(plan, item)])).collect();
                format!(
                    "`{address}` is said to be {outcome:?} and {host} {member:?}; is as before: {is_old}, as wanted: {is_new}; {found:?}"
                )
            })?;
        }
        if report.result == RunResult::Done {
            ensure(report.is_complete(), || "a run is done and not complete".to_owned())?;
        }
        Ok(())
    }

    fn is_by_hand(&self, place: &(String, &'static str, String)) -> bool {
        self.origin(place).is_some_and(|origin| origin.writer == Writer::Hand)
    }

    fn origin(&self, (name, kind, key): &(String, &'static str, String)) -> Option<Origin> {
        self.fleet.world.origins(name).get(&((*kind).to_owned(), ItemKey(key.clone()))).cloned()
    }

    /// Nothing more goes wrong: an apply comes to its end, another has nothing to do, and a destroy gives everything back.
    fn end(&mut self) -> Result<(), String> {
        self.say("the end begins");
        self.faults.clear();
        self.happens.clear();
        self.fleet.stops.clear();
        // Nobody pauses for a soak any more.
        self.fleet.wait = Duration::from_hours(1);
        for values in self.params.values_mut().chain(self.options.values_mut()) {
            values.values_mut().filter(|value| *value == "bad").for_each(|value| "v1".clone_into(value));
        }
        self.fleet.world.heal();
        self.complete(&Operation::Apply)?;
        let plan = self.fleet.plan(&Operation::Apply, &Selection::default());
        let plan = plan.map_err(|mistakes| format!("no plan after the apply: {mistakes:?}"))?;
        ensure(!plan.has_work(), || format!("there is still work: {:?}", plan.stages))?;
        let now = spots(&self.fleet, self.blueprint);
        for (address, resource) in &plan.resources {
            for item in &resource.items {
                let place = place(&plan, item);
                let wanted = wanted_spot(item, &place, &now);
                ensure(now[&place] == wanted, || format!("`{address}` is {:?} and not {wanted:?}", now[&place]))?;
            }
        }
        for (name, machine) in self.fleet.world.machines() {
            for (key, value) in self.params.get(&name).into_iter().flatten() {
                let is = param::in_use(&machine, key).is_some_and(|used| used == value) || *key == "live.a";
                ensure(is, || format!("{key} on {name} is not {value}"))?;
            }
        }
        self.complete(&Operation::Destroy)?;
        let remains = audit::remains(&self.fleet, &audit::Named::default());
        ensure(remains.is_empty(), || format!("after the destroy: {remains:#?}"))?;
        let now = spots(&self.fleet, self.blueprint);
        for (place, first) in &self.first {
            let base = self.origin(place).map_or(first.raw.clone(), |origin| origin.base);
            // Where a person changed what is not managed, that is what comes back, and some boot puts it in use.
            let is_first = base == first.raw && now[place].used != first.used;
            let is_back = now[place].raw == base && !is_first;
            let theirs = self.is_by_hand(place) && now[place].raw != base;
            ensure(is_back || theirs, || format!("{place:?} is {:?} and was {first:?}", now[place]))?;
        }
        let (state, _) = self.fleet.remembered();
        ensure(state.items.is_empty() && state.resources.is_empty(), || format!("the state still holds {state:?}"))?;
        lawful(&self.fleet)
    }

    /// Gives a command again and again, as a person does who reads what it says.
    fn complete(&mut self, operation: &Operation) -> Result<(), String> {
        self.configure();
        let mut last = String::new();
        for _ in 0..12 {
            self.commands += 1;
            self.fleet.world.heal();
            self.fleet.sleep(Duration::from_mins(10));
            let mut selection = Selection::default();
            let groups = self.fleet.world.groups();
            let is_bad = |name: &String| self.fleet.world.is_badly_set(name);
            if self.blueprint.machines().iter().any(is_bad) {
                // A gate that a bad value keeps red is left out until it is cured.
                selection.skip_gates = self.fleet.checks.keys().cloned().collect();
                for name in groups.keys() {
                    self.fleet.world.change_group(name, |group| group.accepts_outage = true);
                }
            }
            let ended = self.fleet.run(operation, &selection);
            for (name, group) in groups {
                self.fleet.world.change_group(&name, |now| now.accepts_outage = group.accepts_outage);
            }
            last = heard(&ended);
            self.say(&last.clone());
            lawful(&self.fleet).map_err(|what| format!("{what}\n{last}"))?;
            match &ended.outcome {
                Outcome::Ran { report, .. } if report.is_complete() && !report.open => return Ok(()),
                Outcome::Ran { report, .. } if !report.conflicts.is_empty() => {
                    // Whoever looked at the conflicts overwrites them.
                    self.overwrite(operation)?;
                    return Ok(());
                }
                Outcome::NoPlan(_) | Outcome::Failed(EngineError::Mistakes(_)) => self.accept_outage(),
                _ => {}
            }
        }
        Err(format!("nothing goes wrong any more, and still it does not come to its end: {last}"))
    }

    fn overwrite(&mut self, operation: &Operation) -> Result<(), String> {
        let (state, _) = self.fleet.remembered();
        let overwrite_drift = state.resources.keys().cloned().collect();
        self.fleet.world.may_overwrite(true);
        let ended = self.fleet.run(operation, &Selection { overwrite_drift, ..Selection::default() });
        let is_complete = ended.report().is_some_and(Report::is_complete);
        ensure(is_complete, || format!("conflicts cannot be overwritten: {}", heard(&ended)))
    }

    /// The user reads that a group would be out for a while, and accepts it.
    fn accept_outage(&mut self) {
        self.fleet.faults().happened("an outage was accepted");
        for rule in self.fleet.rollouts.values_mut() {
            rule.accept.insert(tune_core::resource::Consent::Outage);
            self.fleet.world.change_group(&rule.address.name, |group| group.accepts_outage = true);
        }
    }

    fn say(&mut self, what: &str) {
        let time = self.fleet.world.time();
        let _ = writeln!(self.trace, "[{:>8.1}] {what}", time.as_secs_f64());
        if self.aloud {
            eprintln!("[{:>8.1}] {what}", time.as_secs_f64());
        }
    }
}

/// The host whose turn a resource belongs to.
fn member_of(plan: &Plan, resource: &ResourcePlan) -> Address {
    resource.guest.clone().unwrap_or_else(|| plan.hosts[&resource.host].host.address.clone())
}

fn place(plan: &Plan, item: &ItemPlan) -> (String, &'static str, String) {
    let name = plan.hosts[&item.id.host].host.address.name.clone();
    let kind = if item.id.kind == "vm" { "vm" } else { "param" };
    (name, kind, item.id.key.0.clone())
}

/// What an item is after its step.
fn wanted_spot(item: &ItemPlan, place: &(String, &'static str, String), before: &Spots) -> Spot {
    let raw = item.step.change().map(|change| change.after.clone()).or(item.live.clone());
    let raw = raw.unwrap_or_else(|| before[place].raw.clone());
    let used = match &raw {
        Raw::Text(text) => Some(text.clone()),
        Raw::File(_) => param::value_of(&raw),
        Raw::Absent => Some("old".to_owned()),
    };
    let used = used.filter(|_| place.2 != "live.a");
    Spot { raw, used }
}

fn spots(fleet: &Fleet, blueprint: &Blueprint) -> Spots {
    let machines = fleet.world.machines();
    let mut spots = Spots::new();
    for name in blueprint.machines() {
        for key in param::KEYS {
            let raw = fleet.world.live(&name, "param", &key.into());
            // Nothing has to use a value whose file is enough.
            let used = param::in_use(&machines[&name], key).filter(|_| key != "live.a").map(str::to_owned);
            spots.insert((name.clone(), "param", key.to_owned()), Spot { raw, used });
        }
    }
    let api: &Machine = &machines[API];
    for guest in blueprint.guests.keys() {
        for option in param::OPTIONS {
            let key = format!("{}/{option}", id(guest));
            let raw = fleet.world.live(API, "vm", &ItemKey(key.clone()));
            let used = param::started_with(api, &key).map(str::to_owned);
            spots.insert((API.to_owned(), "vm", key), Spot { raw, used });
        }
    }
    spots
}

fn note(faults: &Faults, ended: &Ended) {
    if let Some(settled) = &ended.settled {
        faults.happened(if settled.report.open { "an open run stayed open" } else { "an open run was settled" });
    }
    faults.happened(match &ended.outcome {
        Outcome::Killed => "a process was killed",
        Outcome::Open => "a command waited for an open run",
        Outcome::NoPlan(_) => "a plan was refused",
        Outcome::Failed(EngineError::Gates { .. }) => "gates were red before the start",
        Outcome::Failed(EngineError::Mistakes(_)) => "a plan had mistakes",
        Outcome::Failed(_) => "a run broke off",
        Outcome::Ran { report, .. } => match report.result {
            RunResult::Done => "a run was done",
            RunResult::Undone => "a run was undone",
            RunResult::Partial => "a run was partly done",
            RunResult::Paused => "a run was paused",
            RunResult::Stuck => "a run was stuck",
        },
    });
    let Outcome::Ran { report, .. } = &ended.outcome else { return };
    for member in &report.members {
        faults.happened(match &member.outcome {
            MemberOutcome::Done { .. } => "a member was done",
            MemberOutcome::PutBack { .. } => "a member was put back",
            MemberOutcome::Failed { .. } => "a member failed",
            MemberOutcome::Down { .. } => "a member was down",
            MemberOutcome::Untouched => "a member was untouched",
        });
    }
}

/// What a person reads.
fn heard(ended: &Ended) -> String {
    let mut text = String::new();
    if let Some(settled) = &ended.settled {
        let _ = write!(text, "settled: {}; ", told(&settled.report));
    }
    match &ended.outcome {
        Outcome::Ran { report, .. } => text.push_str(&told(report)),
        Outcome::NoPlan(mistakes) | Outcome::Failed(EngineError::Mistakes(mistakes)) => {
            let messages: Vec<&String> = mistakes.iter().map(|mistake| &mistake.problem.message).collect();
            let _ = write!(text, "refused: {messages:?}");
        }
        other => {
            let _ = write!(text, "{other:?}");
        }
    }
    text
}

fn told(report: &Report) -> String {
    let resources = report.resources.iter().filter(|(_, outcome)| !matches!(outcome, ResourceOutcome::Done { .. }));
    let members = report.members.iter().map(|member| format!("{} {:?}", member.host.name, member.outcome));
    format!(
        "{:?}{}; members {:#?}; resources not done {:?}; halted {:?}; away {:?}; resting {:?}; owed {}; conflicts {}; warnings {:?}",
        report.result,
        if report.open { " (open)" } else { "" },
        members.collect::<Vec<_>>(),
        resources.collect::<Vec<_>>(),
        report.halted,
        report.away,
        report.resting,
        report.owed.len(),
        report.conflicts.len(),
        report.warnings,
    )
}
