//! Values that the tests of the store share.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::Address;
use tune_core::item::{Change, FileState, HostId, ItemId, ItemKey, Raw};
use tune_core::journal::{Event, Header, Intent, Purpose, StepOutcome};
use tune_core::resource::{Become, SshDestination, Transport};
use tune_core::state::{HostRecord, Original, Record, ResourceRecord, RunChange, RunRecord, RunResult, State};
use tune_engine::local::Holder;

pub(crate) fn holder() -> Holder {
    Holder {
        user: "tester".to_owned(),
        host: "desk".to_owned(),
        pid: 1,
        command: "apply".to_owned(),
        since: "2026-11-20T17:00:00Z".to_owned(),
    }
}

pub(crate) fn owner() -> Address {
    Address::new("sysctl", "etcd").with_name("pve")
}

pub(crate) fn item(number: u64) -> ItemId {
    ItemId { host: HostId("machine".to_owned()), kind: "sysctl".to_owned(), key: ItemKey(format!("vm.key{number}")) }
}

pub(crate) fn host() -> HostRecord {
    HostRecord {
        address: Address::new("host", "k3s").with_name("pve"),
        transport: Transport::Ssh(SshDestination {
            address: "pve.maas".to_owned(),
            user: Some("root".to_owned()),
            port: None,
            config: None,
        }),
        become_: Become::Sudo,
        machine_id: Some("machine".to_owned()),
        host_keys: BTreeSet::from(["SHA256:abc".to_owned()]),
    }
}

/// A state with items that carry the run's number.
pub(crate) fn with_items(run: u64, items: u64) -> State {
    let record = |number: u64| Record {
        owner: owner(),
        original: Original::Known {
            raw: Raw::Text("60".to_owned()),
            next_boot: Some("60 (kernel default)".to_owned()),
            run: 1,
            time: "2026-11-20T17:00:00Z".to_owned(),
        },
        applied: Raw::Text(format!("{run} {number}")),
        rolled_back_in: None,
        owes: BTreeSet::new(),
    };
    State {
        soaks: BTreeMap::from([(Address::new("rollout", "k3s"), "2026-11-21T17:00:00Z".to_owned())]),
        lineage: "lineage".to_owned(),
        serial: run,
        last_run: run,
        hosts: BTreeMap::from([(HostId("machine".to_owned()), host())]),
        items: (1..=items).map(|number| (item(number), record(number))).collect(),
        resources: BTreeMap::from([(
            owner(),
            ResourceRecord {
                host: HostId("machine".to_owned()),
                depends_on: BTreeSet::from([Address::new("sysctl", "base")]),
                prevent_revert: true,
                guest: Some(Address::new("host", "guest")),
            },
        )]),
    }
}

/// The state after a number of runs, each of which changed every item.
pub(crate) fn state_after(runs: u64) -> State {
    if runs == 0 { State::default() } else { with_items(runs, 3) }
}

pub(crate) fn begin(run: u64) -> Event {
    Event::Begin(Header {
        run,
        command: "apply".to_owned(),
        by: "tester@desk".to_owned(),
        started: "2026-11-20T17:00:00Z".to_owned(),
        lineage: "lineage".to_owned(),
        hosts: BTreeMap::from([(HostId("machine".to_owned()), host())]),
        resources: with_items(run, 1).resources,
    })
}

pub(crate) fn change(step: u64, run: u64) -> Event {
    let after = FileState::public(vec![0xff, u8::try_from(run % 256).unwrap()]);
    Event::Intend {
        step,
        intent: Box::new(Intent {
            id: item(step),
            owner: owner(),
            change: Change { before: Raw::Absent, after: Raw::File(after) },
            purpose: Purpose::Manage { adopt: Some(Original::Unknown) },
            needs: BTreeSet::new(),
        }),
    }
}

pub(crate) fn settle(step: u64) -> Event {
    Event::Settle { step, outcome: StepOutcome::Done }
}

pub(crate) fn run_record(number: u64) -> RunRecord {
    let change = Change { before: Raw::Text("60".to_owned()), after: Raw::Absent };
    RunRecord {
        activations: Vec::new(),
        number,
        command: "apply".to_owned(),
        by: "tester@desk".to_owned(),
        started: "2026-11-20T17:00:00Z".to_owned(),
        finished: "2026-11-20T17:00:09Z".to_owned(),
        result: RunResult::Done,
        changes: BTreeMap::from([(item(1), RunChange { owner: owner(), change })]),
    }
}
