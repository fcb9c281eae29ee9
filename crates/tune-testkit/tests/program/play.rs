//! Plays a program: does each action, looks after each command whether everything still holds, and at the end lets every
//! machine come back and destroys everything.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use tune_core::Address;
use tune_core::item::{FileState, Raw};
use tune_core::plan::{OTHER_MACHINE, Operation, Selection};
use tune_core::resource::Consent;
use tune_core::state::RunResult;
use tune_engine::EngineError;
use tune_testkit::audit::{self, Named};
use tune_testkit::faults::{Fault, Faults, Moment};
use tune_testkit::fleet::{Ended, Fleet, Home, Outcome};
use tune_testkit::laws::{destroy, ensure, lawful, recover};
use tune_testkit::setting::{self, Setting};
use tune_testkit::store::{Content, Disk};
use tune_testkit::world::World;

use crate::action::{Action, HOSTS, RESOURCES};

/// What came of a program.
pub(crate) struct Played {
    pub(crate) result: Result<(), String>,
    pub(crate) events: BTreeSet<&'static str>,
    pub(crate) commands: usize,
    /// Everything that commands said, for comparison.
    pub(crate) trace: String,
}

/// Plays a program; `aloud` tells its story on the way.
pub(crate) fn play(program: &[Action], aloud: bool) -> Played {
    let mut player = Player::new(aloud);
    let mut result = Ok(());
    for action in program {
        result = player.act(action).map_err(|what| format!("at {action:?}: {what}"));
        if result.is_err() {
            break;
        }
    }
    let result = result.and_then(|()| player.end().map_err(|what| format!("at the end: {what}")));
    let result = result.map_err(|what| format!("{what}\n{}", player.trace));
    Played { result, events: player.fleet.faults().events(), commands: player.commands, trace: player.trace }
}

struct Player {
    fleet: Fleet,
    /// Everything that commands named so far.
    named: Named,
    disk: Disk,
    faults: Vec<(Moment, Fault)>,
    commands: usize,
    aloud: bool,
    trace: String,
}

impl Player {
    fn new(aloud: bool) -> Self {
        let world = World::new([Arc::new(Setting) as Arc<_>], &Faults::default());
        for name in HOSTS {
            world.add(name, setting::machine(name));
        }
        world.drift("doe", "setting", &"plain.c".into(), &Raw::Text("off".to_owned()));
        let disk = Disk::default();
        let mut fleet = Fleet::new(world, Home::Memory(disk.clone()));
        for name in HOSTS {
            fleet.host(name);
        }
        Self { fleet, named: Named::default(), disk, faults: Vec::new(), commands: 0, aloud, trace: String::new() }
    }

    fn act(&mut self, action: &Action) -> Result<(), String> {
        let world = self.fleet.world.clone();
        self.say(&format!("{action:?}"));
        match action {
            Action::Write { resource, host, settings, depends_on } => {
                self.write(*resource, *host, settings, *depends_on);
            }
            Action::Remove { resource } => {
                self.fleet.resources.remove(&address(*resource));
            }
            Action::Rename { from, to } => self.rename(*from, *to),
            Action::Apply { target } => return self.run(&Operation::Apply, &selection(*target)),
            Action::Destroy { target } => return self.run(&Operation::Destroy, &selection(*target)),
            Action::RollBack { back, through } => {
                let (state, _) = self.fleet.remembered();
                let run = state.last_run.saturating_sub(*back);
                return self.run(&Operation::Rollback { run, through: *through }, &Selection::default());
            }
            Action::Refresh => return self.run(&Operation::RefreshOnly, &Selection::default()),
            Action::Drift { host, key, value } => {
                let item = setting::item_key(key);
                let text = if key.starts_with("pair.") { format!("{key}={value}") } else { (*value).to_owned() };
                // A person would not shut himself out, and cannot write what the kernel refuses.
                if !matches!((*key, *value), ("net.door", "shut") | ("strict.a", "500")) {
                    world.drift(HOSTS[*host], "setting", &item, &Raw::Text(text));
                }
            }
            Action::Edit { host, resource, delete } => {
                let key = setting::file_key(RESOURCES[*resource]);
                let file = Raw::File(FileState::public("# mine\nplain.a = 77\n"));
                world.drift(HOSTS[*host], "setting", &key, &if *delete { Raw::Absent } else { file });
            }
            Action::Reboot { host } => world.reboot(HOSTS[*host]),
            Action::Away { host } => world.change(HOSTS[*host], |machine| machine.away = true),
            Action::Back { host } => world.change(HOSTS[*host], |machine| machine.away = false),
            Action::Impostor { host } => return self.impostor(HOSTS[*host]),
            Action::Pass => world.pass(),
            Action::Fault(moment, fault) => self.faults.push((moment.clone(), *fault)),
            Action::LoseState => return self.lose_state(),
        }
        lawful(&self.fleet)
    }

    fn write(&mut self, resource: usize, host: usize, settings: &[(&str, &str)], depends_on: Option<usize>) {
        let depends_on: Vec<&str> = depends_on.map(|number| RESOURCES[number]).into_iter().collect();
        self.fleet.setting(RESOURCES[resource], HOSTS[host], settings, &depends_on);
        // Half of the resources accept the decreases that they may bring.
        if let Some(resource) = self.fleet.resources.get_mut(&address(resource)).filter(|_| resource.is_multiple_of(2))
        {
            resource.lifecycle.accept.insert(Consent::Decrease);
        }
    }

    fn rename(&mut self, from: usize, to: usize) {
        let Some(mut resource) = self.fleet.resources.remove(&address(from)) else { return };
        resource.address = address(to);
        resource.depends_on.clear();
        self.fleet.resources.insert(address(to), resource);
    }

    /// Runs one command with the faults that wait, and looks at everything when its process is gone.
    fn run(&mut self, operation: &Operation, selection: &Selection) -> Result<(), String> {
        self.commands += 1;
        let faults = std::mem::take(&mut self.faults);
        let undisturbed = faults.is_empty();
        self.fleet.faults().arm(faults);
        let runs = self.disk.content().runs.len();
        let ended = self.fleet.run(operation, selection);
        self.fleet.faults().arm([]);
        if matches!(ended.outcome, Outcome::Killed) && self.disk.content().runs.len() > runs {
            // A run ended, and its process died before it could say which ledgers it left untidy.
            self.named.warnings.extend(HOSTS.iter().map(|name| format!("`host.{name}`")));
        }
        self.hear(&ended, operation);
        lawful(&self.fleet)?;
        if self.fleet.open().open_run().is_some() {
            return Ok(());
        }
        let disagreements = audit::disagreements(&self.fleet);
        ensure(disagreements.is_empty(), || format!("state and world disagree: {disagreements:#?}\nafter {ended:?}"))?;
        let done = ended.report().is_some_and(|report| report.result == RunResult::Done);
        if done && undisturbed && *operation == Operation::Apply && *selection == Selection::default() {
            return self.nothing_is_left(&ended);
        }
        Ok(())
    }

    /// A plan right after a successful apply is empty.
    fn nothing_is_left(&self, ended: &Ended) -> Result<(), String> {
        let Outcome::Ran { report, .. } = &ended.outcome else { return Ok(()) };
        if !report.conflicts.is_empty() || !report.owed.is_empty() || !report.unread.is_empty() {
            return Ok(());
        }
        match self.fleet.plan(&Operation::Apply, &Selection::default()) {
            Ok(plan) => ensure(!plan.has_work(), || format!("the plan after an apply is not empty: {plan:?}")),
            Err(mistakes) => Err(format!("there is no plan after an apply: {mistakes:?}")),
        }
    }

    fn hear(&mut self, ended: &Ended, operation: &Operation) {
        self.say(&format!("  {ended:?}"));
        let faults = self.fleet.faults().clone();
        let mut named = Named::default();
        named.hear(ended);
        self.named.hear(ended);
        for (happened, event) in [
            (!named.conflicts.is_empty(), "a conflict was named"),
            (!named.owed.is_empty(), "a revert was owed"),
            (!named.stuck.is_empty(), "a resource was stuck"),
        ] {
            if happened {
                faults.happened(event);
            }
        }
        if ended.settled.is_some() && !matches!(ended.outcome, Outcome::Open) {
            faults.happened("an open run was settled");
        }
        match &ended.outcome {
            Outcome::Killed => {}
            Outcome::Open => faults.happened("an open run could not be settled yet"),
            Outcome::NoPlan(_) => faults.happened("a plan was refused"),
            Outcome::Failed(EngineError::Mistakes(mistakes)) => {
                faults.happened("a plan was refused");
                if mistakes.iter().any(|mistake| mistake.problem.code == OTHER_MACHINE) {
                    faults.happened("another machine was refused");
                }
            }
            Outcome::Failed(_) => faults.happened("a run broke off"),
            Outcome::Ran { report, .. } => {
                faults.happened(match report.result {
                    RunResult::Done => "a run was done",
                    RunResult::Undone => "a run was undone",
                    RunResult::Partial => "a run was partly done",
                    RunResult::Paused => "a run was paused",
                    RunResult::Stuck => "a run was stuck",
                });
                if report.result == RunResult::Done && matches!(operation, Operation::Rollback { .. }) {
                    faults.happened("a rollback was done");
                }
            }
        }
    }

    /// Another machine answers under a host's address for one apply: it must be left alone.
    fn impostor(&mut self, name: &str) -> Result<(), String> {
        let world = self.fleet.world.clone();
        let (state, _) = self.fleet.remembered();
        let known = state.hosts.values().any(|host| host.address.name == name);
        let open = self.fleet.open().open_run().is_some();
        // Only a machine that was adopted can be told from another one.
        if !known || open {
            return Ok(());
        }
        let mut stranger = setting::machine("stranger");
        stranger.boots = 77;
        world.add("stranger", stranger.clone());
        world.route(name, "stranger");
        let ran = self.run(&Operation::Apply, &Selection::default());
        world.route(name, name);
        ran?;
        let now = world.machine("stranger");
        world.remove("stranger");
        ensure(now.values == stranger.values && now.files == stranger.files && now.ledgers.is_empty(), || {
            format!("another machine was written to: {now:?}")
        })
    }

    /// The state is gone. A new one is rebuilt from the hosts, if all of them answer; nothing is adopted anew before.
    fn lose_state(&mut self) -> Result<(), String> {
        let before = self.disk.content();
        if before.state.lineage.is_empty() || !before.journal.is_empty() {
            return Ok(());
        }
        let Ok(state) = self.fleet.rebuild() else { return Ok(()) };
        self.disk.put(Content { sequence: before.sequence, ..Content::default() });
        let mut store = self.fleet.open();
        let replaced = store.replace(state);
        ensure(replaced.is_ok(), || "the rebuilt state cannot be stored".to_owned())?;
        self.fleet.faults().happened("a state was rebuilt from hosts");
        let disagreements = audit::disagreements(&self.fleet);
        ensure(disagreements.is_empty(), || format!("the rebuilt state and the world disagree: {disagreements:#?}"))
    }

    /// Everything comes back, and everything is put back.
    fn end(&mut self) -> Result<(), String> {
        for name in HOSTS {
            self.fleet.world.change(name, |machine| machine.away = false);
        }
        self.fleet.faults().arm([]);
        recover(&self.fleet, &mut self.named)?;
        self.fleet.world.pass();
        lawful(&self.fleet)?;
        // Mistakes in a configuration stop every command; without one, the record alone says what to put back.
        self.fleet.resources.clear();
        destroy(&self.fleet, &mut self.named)
    }

    fn say(&mut self, what: &str) {
        let _ = writeln!(self.trace, "{what}");
        if self.aloud {
            aloud(what);
        }
    }
}

#[expect(clippy::print_stderr, reason = "a story is asked for")]
fn aloud(what: &str) {
    eprintln!("{what}");
}

fn address(resource: usize) -> Address {
    Address::new("setting", RESOURCES[resource])
}

fn selection(target: Option<usize>) -> Selection {
    Selection { target: target.map(address).into_iter().collect(), ..Selection::default() }
}
