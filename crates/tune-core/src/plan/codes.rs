//! What a plan can be refused for: the codes and their manual entries.

use crate::problem::{Code, Explanation};

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

/// It is not known what a guest runs on, and a machine goes down that it may run on.
pub const UNKNOWN_PLACE: Code = Code("tune::plan::unknown_place");
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
        code: UNKNOWN_PLACE,
        title: "what a guest runs on is not known",
        text: "A reboot or a power cycle takes down the guests that run on the machine, so `tune` asks where each guest of \
               the configuration runs, also where a plan concerns only a part (`-target`, `rollback`, `destroy`). One could \
               not be asked, and it or what runs on it is a member of a rollout: for all that is known, its group would \
               lose too many members. Mend what keeps it from being read, or accept a short outage of the group with \
               `lifecycle { accept = [\"outage\"] }` in its rollout.",
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
