//! Everything that will happen. A plan is complete: an apply has nothing left to decide.
//!
//! Planning goes `wanted` (what the configuration claims) → `lookups` (what to read) → `matching` (which recorded
//! machine answered) → `plan` (compare, judge, order). All of it is pure.

mod codes;
mod compare;
mod matching;
mod member;
mod order;
mod schedule;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

pub use codes::*;
pub use compare::plan;
pub use matching::{Asked, Matching, lookups, matching};
pub use member::{Judgement, Side, judge_member, member_lookups};
pub use wanted::{Wanted, desired, wanted};

use crate::activation::{Activation, Verb};
use crate::address::Address;
use crate::contract::{Effect, Kinds};
use crate::item::{Change, HostId, ItemId, ItemKey, Raw};
use crate::path::AttributePath;
use crate::problem::{Advice, Problem, Stops};
use crate::reading::{Layer, Unreadable};
use crate::resource::{Consent, Host, Resource};
use crate::rollout::{Check, Rollout};
use crate::source::Sources;
use crate::state::{Original, RunRecord, State};

/// Where desired values come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// From the configuration.
    Apply,
    /// From the recorded originals.
    Destroy,
    /// From the live systems: what is there is accepted as last applied. Originals stay.
    RefreshOnly,
    /// From what one run recorded as `before`.
    Rollback {
        /// The run that is undone, and with `through` every later run that touched the same items.
        run: u64,
        /// Whether later runs may be undone with it.
        through: bool,
    },
}

/// Which part of everything is meant, and what may be overridden.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Only these and what they depend on; empty means all.
    pub target: Vec<Address>,
    /// Not these, nor what depends on them.
    pub exclude: Vec<Address>,
    /// Reverts go ahead here although somebody else changed the value.
    pub overwrite_drift: Vec<Address>,
    /// Items whose original is unknown are left as they are and forgotten, where their revert would be refused.
    pub keep_unknown: bool,
    /// Checks that no rollout waits for in this run.
    pub skip_gates: BTreeSet<Address>,
    /// Whether the machine that runs `tune` may be interrupted, last of all.
    pub allow_self: bool,
}

/// Everything that planning starts from, apart from what is read.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Where desired values come from.
    pub operation: &'a Operation,
    /// The kinds that are known.
    pub kinds: &'a Kinds,
    /// The configuration's hosts.
    pub hosts: &'a BTreeMap<Address, Host>,
    /// The configuration's resources.
    pub resources: &'a BTreeMap<Address, Resource>,
    /// What is remembered.
    pub state: &'a State,
    /// Finished runs, for a rollback.
    pub runs: &'a [RunRecord],
    /// Which part is meant.
    pub selection: &'a Selection,
    /// How hosts are taken one after another, and what is asked of the world meanwhile.
    pub rolling: Rolling<'a>,
}

/// What the order of disruptive work starts from.
#[derive(Debug, Clone, Copy)]
pub struct Rolling<'a> {
    /// The configuration's rollouts.
    pub rollouts: &'a BTreeMap<Address, Rollout>,
    /// The configuration's checks.
    pub checks: &'a BTreeMap<Address, Check>,
    /// The kinds of sources that are known.
    pub sources: &'a Sources,
    /// The boot id of the machine that runs `tune`.
    pub controller: Option<&'a str>,
}

impl Rolling<'static> {
    /// Returns what a configuration without rollouts starts from.
    pub fn none() -> Self {
        static ROLLOUTS: BTreeMap<Address, Rollout> = BTreeMap::new();
        static CHECKS: BTreeMap<Address, Check> = BTreeMap::new();
        static SOURCES: Sources = Sources::new();
        Self { rollouts: &ROLLOUTS, checks: &CHECKS, sources: &SOURCES, controller: None }
    }
}

/// Everything that will happen, in order, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Where the desired values came from.
    pub operation: Operation,
    /// The state that it was made for; empty before the first apply.
    pub lineage: String,
    /// That state's serial: once the state has moved on, the plan is out of date.
    pub serial: u64,
    /// Every selected resource, sorted by address; those without work as well.
    pub resources: BTreeMap<Address, ResourcePlan>,
    /// The machines that resources live on.
    pub hosts: BTreeMap<HostId, PlannedHost>,
    /// Where guests run, by the resource that tells; those of resources that the plan does not concern as well, where a
    /// machine goes down.
    pub guests: BTreeMap<Address, Guest>,
    /// What runs when: stages follow one another.
    pub stages: Vec<Stage>,
    /// The rollouts that have turns in `stages`, or members that another's turn takes down or may by then.
    pub rollouts: BTreeMap<Address, Rollout>,
    /// The checks that those rollouts wait for.
    pub checks: BTreeMap<Address, Check>,
    /// What must be mended before an apply may start; some of it makes the plan itself a failure.
    pub problems: Vec<Mistake>,
    /// What is true and useful.
    pub advice: Vec<(Address, Advice)>,
    /// Reverts that wait for a machine that is away.
    pub owed: Vec<Owed>,
}

/// What happens to one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourcePlan {
    /// The machine that it lives on.
    pub host: HostId,
    /// Whether the configuration still has it.
    pub configured: bool,
    /// Settled before this one.
    pub depends_on: BTreeSet<Address>,
    /// Whether reverting it is to be refused from now on.
    pub prevent_revert: bool,
    /// The host that is down while the resource is activated, where that is not `host`.
    pub guest: Option<Address>,
    /// The dangers that the user accepted for it.
    pub accept: BTreeSet<Consent>,
    /// Whether what is remembered of the resource itself is out of date: its dependencies or `prevent_revert`.
    pub outdated: bool,
    /// The names that its items were recorded under, where the configuration renamed the resource.
    pub renamed_from: BTreeSet<Address>,
    /// Its items, in the order in which they are written.
    pub items: Vec<ItemPlan>,
}

/// A virtual machine that is a host of its own. It goes down with the machine that it runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The host that it is.
    pub host: Address,
    /// The API or machine that tells where it runs.
    pub told_by: HostId,
    /// What to ask for to hear it again.
    pub items: BTreeSet<ItemKey>,
    /// Where it runs.
    pub place: Place,
    /// The hosts that can carry it, wherever it moves. Where that is not known, every host may.
    pub carriers: Option<BTreeSet<Address>>,
}

/// Where a guest runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On this host.
    On(Address),
    /// On none of the hosts that the configuration knows.
    Elsewhere,
    /// Nobody could tell, and why.
    Unknown(String),
}

/// What happens to one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemPlan {
    /// The item.
    pub id: ItemId,
    /// The attribute that asks for it; the block itself when nothing asks for it any more.
    pub path: AttributePath,
    /// What is done.
    pub step: Step,
    /// The restorable form that was found; `None` where it could not be read.
    pub live: Option<Raw>,
    /// What was last applied, where the item is recorded.
    pub applied: Option<Raw>,
    /// The original to record, for an item that is not recorded yet. Its run and time are filled in when it is.
    pub adopt: Option<Adopted>,
    /// What the system uses now, and where the next boot takes its value from.
    pub running: Layer,
    /// What the next boot would yield if nothing is changed.
    pub next_start: Layer,
    /// When a write takes effect.
    pub effect: Effect,
    /// What must still be done before the running system uses the value; also for an item that is written already.
    pub activations: BTreeSet<Activation>,
    /// Whether a write may cut the connection.
    pub may_cut_connection: bool,
    /// Whether an undo can restore what was there.
    pub reversible: bool,
    /// Dangers of this write that the user accepted, each with a sentence that says what would happen.
    pub accepted: BTreeMap<Consent, String>,
}

impl ItemPlan {
    /// Returns the default that is in force where nothing is set, as the system shows it: the next start takes it, and a
    /// written value replaces it.
    pub fn default_in_force(&self) -> Option<&str> {
        let is_unset =
            self.step.change().map_or(self.live.as_ref(), |change| Some(&change.before)) == Some(&Raw::Absent);
        let makes_file = self.step.change().is_some_and(|change| matches!(change.after, Raw::File(_)));
        self.next_start.value.as_deref().filter(|_| is_unset && !makes_file)
    }

    /// Returns whether a write makes something that was not there, not even as a default.
    pub fn creates(&self) -> bool {
        let is_new = matches!(&self.step, Step::Write(change) if change.before == Raw::Absent);
        is_new && self.default_in_force().is_none()
    }

    /// Returns whether something that was there becomes managed now.
    pub fn imports(&self) -> bool {
        self.adopt.is_some() && (self.live != Some(Raw::Absent) || self.default_in_force().is_some())
    }
}

/// The original of an item that becomes managed now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adopted {
    /// What was read just now.
    Read {
        /// The restorable form.
        raw: Raw,
        /// What the next boot would have yielded, with its source.
        next_boot: Option<String>,
    },
    /// What the host's own ledger says, because the state lost it; `None` if the ledger does not know either.
    Recovered(Option<Raw>),
}

impl Adopted {
    /// Returns the original as the state keeps it.
    pub fn into_original(self, run: u64, time: &str) -> Original {
        match self {
            Self::Read { raw, next_boot } => Original::Known { raw, next_boot, run, time: time.to_owned() },
            Self::Recovered(Some(raw)) => Original::Known { raw, next_boot: None, run, time: time.to_owned() },
            Self::Recovered(None) => Original::Unknown,
        }
    }
}

/// What is done with one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is so, and it is recorded.
    Keep,
    /// It is so already; only the record is made or brought up to date.
    Record,
    /// The desired value is written.
    Write(Change),
    /// The value from before is put back. After a destroy or a removal the record is dropped, after a rollback it
    /// stays.
    Revert(Change),
    /// What was there before is there already; only the record is dropped.
    Forget,
    /// Somebody else changed it since it was last applied, so putting back what was there would overwrite their
    /// change. It is left alone and named.
    Conflict {
        /// What would have been put back.
        original: Raw,
    },
    /// It could not be read.
    Unreadable(Unreadable),
}

impl Step {
    /// Returns what is written, if anything is.
    pub fn change(&self) -> Option<&Change> {
        match self {
            Self::Write(change) | Self::Revert(change) => Some(change),
            _ => None,
        }
    }
}

/// One machine in a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedHost {
    /// How it is reached now.
    pub host: Host,
    /// Its `/etc/machine-id`, as read now.
    pub machine_id: Option<String>,
    /// Fingerprints of its ssh host keys, as read now.
    pub host_keys: BTreeSet<String>,
    /// Its name for itself.
    pub hostname: String,
    /// The user that commands run as; only root can apply.
    pub uid: u32,
    /// The kernel's id of this boot, as read now.
    pub boot_id: Option<String>,
    /// What a reboot would activate that `tune` did not write, as phrases.
    pub waits_for_boot: Vec<String>,
    /// The highest run that its ledgers of this state name.
    pub epoch: u64,
}

/// A part of a plan that is brought to its end before the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Changes that interrupt nothing, on hosts of no rollout, side by side.
    Quiet(Wave),
    /// Members that are taken together: a batch of a rollout, or a single host of none that is interrupted.
    Turn(Turn),
}

/// Members that are taken together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The rollout; `None` for the implicit one of rule 36, which takes strictly one host at a time.
    pub rollout: Option<Address>,
    /// Whether it is the first batch of its rollout, taken to see whether the change is good.
    pub is_canary: bool,
    /// The members, side by side.
    pub members: Vec<Member>,
}

/// Everything that is done to one member while it is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The host.
    pub host: Address,
    /// Its own changes, made just before its activations.
    pub waves: Vec<Wave>,
    /// What makes them run, each once, in order.
    pub activations: Vec<PlannedActivation>,
    /// Every host that is down meanwhile, itself included; empty where nothing is interrupted.
    pub down: BTreeSet<Address>,
    /// Why it stands where it does, as phrases: `leads etcd, so it goes last`.
    pub reasons: Vec<String>,
}

/// One activation in a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedActivation {
    /// The machine or API that does it.
    pub host: HostId,
    /// What is done.
    pub activation: Activation,
    /// The resources that need it.
    pub resources: BTreeSet<Address>,
    /// How long the same took in earlier runs.
    pub forecast: Option<Forecast>,
}

/// How long an interruption took before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// The median, in seconds.
    pub seconds: u64,
    /// Of so many.
    pub runs: usize,
}

/// Steps that may run together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wave {
    /// Per machine, the resources that are settled in this wave, in order.
    pub batches: BTreeMap<HostId, Vec<Address>>,
}

/// Something that forbids the apply, at its place in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The resource or host.
    pub address: Address,
    /// What is wrong.
    pub problem: Problem,
    /// A second place that has to do with it.
    pub related: Option<Related>,
}

/// A second place in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// The resource or host.
    pub address: Address,
    /// Where in its block.
    pub path: AttributePath,
    /// What it has to do with the mistake.
    pub label: String,
}

/// A revert that cannot be made now, because its machine is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The resource.
    pub address: Address,
    /// The machine's name when it was last seen.
    pub host: Address,
    /// The items that wait.
    pub items: Vec<ItemId>,
    /// Why it could not be reached.
    pub reason: String,
}

/// How many resources a plan concerns, in Terraform's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Resources that become managed.
    pub import: usize,
    /// Resources of which nothing existed.
    pub add: usize,
    /// Resources that are written.
    pub change: usize,
    /// Resources that are put back, wholly or in part.
    pub revert: usize,
    /// Items that were left alone because somebody else changed them.
    pub conflicts: usize,
    /// Resources of which nothing is written, and what is configured is put into effect.
    pub activate: usize,
    /// Writes that cannot be undone.
    pub irreversible: usize,
}

impl Plan {
    /// Returns the problems that make the plan itself a failure.
    pub fn failures(&self) -> impl Iterator<Item = &Mistake> {
        self.problems.iter().filter(|mistake| mistake.problem.stops == Stops::Planning)
    }

    /// Returns the problems that only stop an apply by this user, here and now.
    pub fn obstacles(&self) -> impl Iterator<Item = &Mistake> {
        self.problems.iter().filter(|mistake| mistake.problem.stops == Stops::Applying)
    }

    /// Returns whether an apply would write something to a live system or record something new.
    pub fn has_changes(&self) -> bool {
        self.resources.values().any(ResourcePlan::has_changes)
    }

    /// Returns every wave, in the order in which they run.
    pub fn waves(&self) -> impl Iterator<Item = &Wave> {
        self.stages.iter().flat_map(Stage::waves)
    }

    /// Returns every member of every turn, in order.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.stages.iter().flat_map(|stage| match stage {
            Stage::Quiet(_) => &[],
            Stage::Turn(turn) => turn.members.as_slice(),
        })
    }

    /// Returns whether a whole machine goes down, so that guests may go with it.
    pub fn takes_machines_down(&self) -> bool {
        let activations = self.resources.values().flat_map(|it| &it.items).flat_map(|item| &item.activations);
        activations.into_iter().any(|activation| activation.verb >= Verb::Reboot)
    }

    /// Returns whether an apply has anything to do, renames in the state included.
    pub fn has_work(&self) -> bool {
        self.resources.values().any(ResourcePlan::has_work)
    }

    /// Counts resources by what happens to them. Nothing happens to one that is held.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for resource in self.resources.values().filter(|resource| !resource.is_held()) {
            let writes = || resource.items.iter().filter_map(|item| item.step.change().map(|change| (item, change)));
            let adopts = resource.items.iter().any(ItemPlan::imports);
            let reverts = resource.items.iter().any(|item| matches!(item.step, Step::Revert(_) | Step::Forget));
            let written = resource.items.iter().any(|item| matches!(item.step, Step::Write(_)));
            let creates_all = resource.items.iter().all(ItemPlan::creates);
            summary.import += usize::from(adopts);
            match (written, reverts) {
                (true, _) if creates_all => summary.add += 1,
                (true, _) => summary.change += 1,
                (false, true) => summary.revert += 1,
                (false, false) => summary.activate += usize::from(resource.needs_activation()),
            }
            summary.conflicts +=
                resource.items.iter().filter(|item| matches!(item.step, Step::Conflict { .. })).count();
            summary.irreversible += writes().filter(|(item, _)| !item.reversible).count();
        }
        summary
    }
}

impl Stage {
    /// Returns the waves of the stage, in order.
    pub fn waves(&self) -> Box<dyn Iterator<Item = &Wave> + '_> {
        match self {
            Self::Quiet(wave) => Box::new(std::iter::once(wave)),
            Self::Turn(turn) => Box::new(turn.members.iter().flat_map(|member| &member.waves)),
        }
    }
}

impl Member {
    /// Returns whether it goes down as a whole machine, with every guest that runs on it.
    pub fn is_machine(&self) -> bool {
        self.activations.iter().any(|planned| planned.activation.verb >= Verb::Reboot)
    }
}

impl ResourcePlan {
    /// Returns whether anything is written or newly recorded.
    pub fn has_changes(&self) -> bool {
        self.items
            .iter()
            .any(|item| item.step.change().is_some() || matches!(item.step, Step::Forget) || item.adopt.is_some())
            || self.needs_activation()
    }

    /// Returns whether there is anything to do, bringing the record up to date included.
    pub fn has_work(&self) -> bool {
        let works =
            |item: &ItemPlan| matches!(item.step, Step::Record | Step::Write(_) | Step::Revert(_) | Step::Forget);
        self.outdated || self.items.iter().any(works) || self.needs_activation()
    }

    /// Returns whether nothing is written, because an item that is wanted cannot be read: the resource would stay half done.
    pub fn is_held(&self) -> bool {
        self.configured && self.items.iter().any(|item| matches!(item.step, Step::Unreadable(_)))
    }

    /// Returns whether something is away for a while before the values are in use.
    pub fn interrupts(&self) -> bool {
        self.items.iter().flat_map(|item| &item.activations).any(|activation| activation.verb.interrupts())
    }

    /// Returns whether something must be activated: what is written now, or what is configured and not in effect.
    pub fn needs_activation(&self) -> bool {
        self.items.iter().any(|item| !item.activations.is_empty())
    }
}
