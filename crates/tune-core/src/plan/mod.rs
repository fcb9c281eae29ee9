//! Everything that will happen. A plan is complete: an apply has nothing left to decide.
//!
//! Planning goes `wanted` (what the configuration claims) → `lookups` (what to read) → `matching` (which recorded
//! machine answered) → `plan` (compare, judge, order). All of it is pure.

mod compare;
mod matching;
mod member;
mod order;
mod schedule;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

pub use compare::plan;
pub use matching::{Asked, Matching, lookups, matching};
pub use member::{Judgement, Side, judge_member, member_lookups};
pub use wanted::{Wanted, desired, wanted};

use crate::activation::Activation;
use crate::address::Address;
use crate::contract::{Effect, Kinds};
use crate::item::{Change, HostId, ItemId, Raw};
use crate::path::AttributePath;
use crate::problem::{Advice, Code, Explanation, Problem, Stops};
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
    /// What runs when: stages follow one another.
    pub stages: Vec<Stage>,
    /// The rollouts that have turns in `stages`.
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
    /// The host that this guest runs on now, as read.
    pub runs_on: Option<Address>,
    /// The dangers that the user accepted for it.
    pub accept: BTreeSet<Consent>,
    /// Whether what is remembered of the resource itself is out of date: its dependencies or `prevent_revert`.
    pub outdated: bool,
    /// The names that its items were recorded under, where the configuration renamed the resource.
    pub renamed_from: BTreeSet<Address>,
    /// Its items, in the order in which they are written.
    pub items: Vec<ItemPlan>,
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

    /// Returns whether an apply has anything to do, renames in the state included.
    pub fn has_work(&self) -> bool {
        self.resources.values().any(ResourcePlan::has_work)
    }

    /// Counts resources by what happens to them.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for resource in self.resources.values() {
            let writes = || resource.items.iter().filter_map(|item| item.step.change().map(|change| (item, change)));
            let adopts = resource.items.iter().any(|item| item.adopt.is_some() && item.live != Some(Raw::Absent));
            let reverts = resource.items.iter().any(|item| matches!(item.step, Step::Revert(_) | Step::Forget));
            let written = resource.items.iter().any(|item| matches!(item.step, Step::Write(_)));
            let creates_all = resource.items.iter().all(|item| match &item.step {
                Step::Write(change) => change.before == Raw::Absent,
                _ => false,
            });
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

    /// Returns whether something is away for a while before the values are in use.
    pub fn interrupts(&self) -> bool {
        self.items.iter().flat_map(|item| &item.activations).any(|activation| activation.verb.interrupts())
    }

    /// Returns whether something must be activated: what is written now, or what is configured and not in effect.
    pub fn needs_activation(&self) -> bool {
        self.items.iter().any(|item| !item.activations.is_empty())
    }
}

/// Two resources want the same item.
pub const CLAIMED_TWICE: Code = Code("tune::plan::claimed_twice");
/// Another state manages the item.
pub const CLAIMED: Code = Code("tune::plan::claimed_by_another_state");
/// Two `host` blocks are one machine.
pub const SAME_MACHINE: Code = Code("tune::plan::same_machine");
/// Another machine answers under a known address.
pub const OTHER_MACHINE: Code = Code("tune::plan::other_machine");
/// A danger that the user has not accepted.
pub const CONSENT: Code = Code("tune::plan::consent");
/// A revert that `prevent_revert` forbids.
pub const PREVENTED: Code = Code("tune::plan::prevent_revert");
/// A revert whose original is not known.
pub const UNKNOWN_ORIGINAL: Code = Code("tune::plan::unknown_original");
/// The run that should be rolled back does not exist or cannot be.
pub const NO_SUCH_RUN: Code = Code("tune::plan::no_such_run");
/// Later runs changed what should be rolled back.
pub const LATER_RUNS: Code = Code("tune::plan::later_runs");
/// Only root can apply.
pub const NOT_ROOT: Code = Code("tune::plan::not_root");
/// The hosts have seen runs that the state does not know.
pub const STALE_STATE: Code = Code("tune::plan::stale_state");
/// Nothing of that name exists.
pub const NO_SUCH_ADDRESS: Code = Code("tune::plan::no_such_address");

/// A group would lose more members than it can spare.
pub const OUTAGE: Code = Code("tune::plan::outage");
/// A boot would activate what somebody else left pending.
pub const FOREIGN_PENDING: Code = Code("tune::plan::foreign_pending");
/// The machine that runs `tune` would be interrupted.
pub const OWN_MACHINE: Code = Code("tune::plan::own_machine");
/// Members of a rollout wait for each other.
pub const ROLLING_CYCLE: Code = Code("tune::plan::rolling_cycle");
/// A host is a member of two rollouts.
pub const TWO_ROLLOUTS: Code = Code("tune::plan::two_rollouts");

/// The manual entries of the codes above.
pub const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        code: CLAIMED_TWICE,
        title: "two resources manage the same thing",
        text: "Each setting, and each file that `tune` writes, may be managed by one resource only: with two, every \
               apply of the one would undo the other. Remove the setting from one of the two resources. The two halves \
               of a pair (`vm.dirty_ratio` and `vm.dirty_bytes`) count as one setting, because the kernel clears one \
               when the other is written.",
    },
    Explanation {
        code: CLAIMED,
        title: "another state manages this setting on this host",
        text: "The host carries a ledger of another `tune` state that manages the same setting. Two configurations \
               that manage one setting would undo each other's work and record each other's values as originals. \
               Revert it there (`tune destroy -target …` in the other configuration), or, if that state was lost, \
               rebuild it from the hosts' ledgers with `tune state import -from-hosts`.",
    },
    Explanation {
        code: SAME_MACHINE,
        title: "two host blocks are the same machine",
        text: "Both hosts answered with the same machine id and the same boot id, so they are one machine written \
               twice. It would be counted as two failure domains and changed twice. Keep one of the two blocks.",
    },
    Explanation {
        code: OTHER_MACHINE,
        title: "another machine answers under this address",
        text: "A host is recognised by its machine id and its ssh host keys, recorded when it was adopted. Both are \
               different now: an address was given to another machine, or the machine was installed anew. Nothing is \
               written to it. If it was reinstalled, its old originals mean nothing any more: `tune state rm` forgets \
               the resources on it (and prints their originals first); then apply adopts the new machine.",
    },
    Explanation {
        code: CONSENT,
        title: "a change needs your consent",
        text: "The change is dangerous in a way that a reviewer should see in the configuration. Add the word that the \
               message names to `lifecycle { accept = [...] }` of the resource, or change the value.",
    },
    Explanation {
        code: PREVENTED,
        title: "`prevent_revert` forbids putting this back",
        text: "The resource has, or had when it was last applied, `lifecycle { prevent_revert = true }`, so neither \
               `tune destroy` nor removing it from the configuration puts its originals back. Set it to false and \
               apply once, or leave the resource out with `-exclude`, or forget it with `tune state rm`.",
    },
    Explanation {
        code: UNKNOWN_ORIGINAL,
        title: "what was there before is not known",
        text: "`tune` wrote this value before, but neither the state nor the host's ledger knows what was there first. \
               Taking today's value for the original would be wrong. `-unknown=keep` leaves the live value as it is \
               and forgets the item.",
    },
    Explanation {
        code: NO_SUCH_RUN,
        title: "there is no such run to roll back",
        text: "`tune history` lists the runs that are recorded, with their numbers.",
    },
    Explanation {
        code: LATER_RUNS,
        title: "later runs changed the same settings",
        text: "Rolling back one run restores what was there before it; a later run that changed the same setting \
               would be undone silently. Roll the later run back first, or give `-through` to undo them together.",
    },
    Explanation {
        code: NOT_ROOT,
        title: "only root can apply on this host",
        text: "Commands on this host run as an ordinary user. Reading works, with gaps; writing kernel parameters, \
               system files and the host's ledger needs root. Log in as root (`user = \"root\"`) or set \
               `become = \"sudo\"` for the host.",
    },
    Explanation {
        code: STALE_STATE,
        title: "the state is older than what the hosts have seen",
        text: "A host's ledger names a later run of this state than the state itself knows, so an older copy of the \
               state was put back, or somebody else ran `tune` with another copy. Going on would use outdated \
               originals. Bring the newest copy (`tune state import FILE`), or rebuild it from the ledgers with \
               `tune state import -from-hosts`.",
    },
    Explanation {
        code: NO_SUCH_ADDRESS,
        title: "an option names a resource that does not exist",
        text: "`-target`, `-exclude` and `-overwrite-drift` take addresses of resources in the configuration or in \
               the state, such as `sysctl.etcd` for all instances or `sysctl.etcd[\"pve\"]` for one. \
               `tune state list` prints those of the state.",
    },
    Explanation {
        code: OUTAGE,
        title: "a group would lose more members than it can spare",
        text: "Members that must agree (etcd, for example) go on working only while more than half of them do: of three \
               one may be down, of two or one none. Where a gate of the rollout knows who votes, that limit holds \
               whatever `max_unavailable` says; otherwise `max_unavailable` is the limit. The machines that go down with \
               a hypervisor count too. A short outage is accepted with `lifecycle { accept = [\"outage\"] }` in the \
               rollout; the members still go one after another.",
    },
    Explanation {
        code: FOREIGN_PENDING,
        title: "a boot would activate somebody else's pending change",
        text: "The machine has changes that nobody activated yet and that `tune` did not make: a newer kernel, an edited \
               unit, a pending option. The reboot or power cycle that this plan needs would activate them too, and if \
               one of them is bad it would look as if this change were. Activate them by hand first, or accept them with \
               `lifecycle { accept = [\"foreign_pending\"] }` in the resource or the rollout.",
    },
    Explanation {
        code: OWN_MACHINE,
        title: "the machine that runs tune would be interrupted",
        text: "`tune` would cut itself off in the middle of the run, and nobody would watch whether the machine comes \
               back. Run it from another machine. With `-allow-self` the machine goes last of all; the next \
               `tune apply` then finds out what became of it.",
    },
    Explanation {
        code: ROLLING_CYCLE,
        title: "the order of the members contradicts the order of the resources",
        text: "Everything that concerns one member of a rollout is done in one turn: its changes, then its restart, then \
               its gates. When a resource of the first member depends on one of the second, and the second waits for \
               the first because it comes later in the rollout, no order satisfies both. Remove the dependency, or put \
               the members in the other order. Guests also wait for the hypervisor that they run on.",
    },
    Explanation {
        code: TWO_ROLLOUTS,
        title: "a host is a member of two rollouts",
        text: "The turn of a host belongs to one rollout, with its order, its gates and what is done when it fails. Two \
               rollouts would contradict each other. Put the host into one of them.",
    },
    Explanation {
        code: crate::contract::NOT_A_HOST,
        title: "a host was asked for, and an API was given",
        text: "Commands, reboots and ports belong to machines that are reached by ssh or locally. Name a `host` there, \
               not a `provider`.",
    },
];
