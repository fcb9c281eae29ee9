//! The laws of a promise: whatever decides what an apply does is part of it, a difference is named, and one changed byte
//! of the file is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use tune_core::activation::{Activation, Verb as Does};
use tune_core::contract::{Effect, Kinds};
use tune_core::item::{Change, FileState, HostId, ItemId, ItemKey, Raw};
use tune_core::path::AttributePath;
use tune_core::plan::{
    Adopted, Guest, ItemPlan, Member, Owed, Place, PlannedActivation, PlannedHost, ResourcePlan, Stage, Step, Turn,
    Wave,
};
use tune_core::problem::Advice;
use tune_core::reading::{Layer, Unreadable};
use tune_core::resource::{Become, Consent, Host, SshDestination, Transport};
use tune_core::rollout::{Cap, Check, OnFailure, Query, Rollout};

use super::*;

const CODE: tune_core::problem::Code = tune_core::problem::Code("tune::toy::code");

fn key() -> Key {
    Key::new([7; 32])
}

fn text(text: &str) -> Raw {
    Raw::Text(text.to_owned())
}

fn layer(value: &str) -> Layer {
    Layer { value: Some(value.to_owned()), source: None }
}

fn address(kind: &str) -> Address {
    Address::new(kind, "a")
}

fn item() -> ItemPlan {
    ItemPlan {
        id: ItemId { host: HostId("1".to_owned()), kind: "toy".to_owned(), key: ItemKey("k".to_owned()) },
        path: AttributePath::default(),
        step: Step::Write(Change { before: text("1"), after: text("2") }),
        live: Some(text("1")),
        applied: None,
        adopt: Some(Adopted::Read { raw: text("1"), next_boot: None }),
        running: layer("1"),
        next_start: layer("1"),
        effect: Effect::AtOnce,
        activations: BTreeSet::new(),
        may_cut_connection: false,
        reversible: true,
        accepted: BTreeMap::new(),
    }
}

fn plan() -> Plan {
    let host = Host {
        name: "a".to_owned(),
        address: address("host"),
        transport: Transport::Ssh(SshDestination { address: "a".to_owned(), user: None, port: None, config: None }),
        become_: Become::No,
    };
    let planned_host = PlannedHost {
        host,
        machine_id: Some("m".to_owned()),
        host_keys: BTreeSet::from(["k".to_owned()]),
        hostname: "a".to_owned(),
        uid: 0,
        boot_id: Some("b".to_owned()),
        waits_for_boot: Vec::new(),
        epoch: 0,
    };
    let resource = ResourcePlan {
        host: HostId("1".to_owned()),
        configured: true,
        depends_on: BTreeSet::new(),
        prevent_revert: false,
        guest: None,
        accept: BTreeSet::new(),
        outdated: false,
        renamed_from: BTreeSet::new(),
        items: vec![item()],
    };
    let batches = BTreeMap::from([(HostId("1".to_owned()), vec![address("toy")])]);
    let activation = PlannedActivation {
        host: HostId("1".to_owned()),
        activation: Activation::machine(Does::Reboot),
        resources: BTreeSet::from([address("toy")]),
        forecast: None,
    };
    let member = Member {
        host: address("host"),
        waves: vec![Wave { batches: batches.clone() }],
        activations: vec![activation],
        down: BTreeSet::from([address("host")]),
        reasons: Vec::new(),
    };
    let rollout = Rollout::new(address("rollout"), vec![address("host")]);
    let probe = Query { address: address("toy"), attributes: BTreeMap::new() };
    Plan {
        operation: Operation::Apply,
        lineage: "l".to_owned(),
        serial: 3,
        resources: BTreeMap::from([(address("toy"), resource)]),
        hosts: BTreeMap::from([(HostId("1".to_owned()), planned_host)]),
        guests: BTreeMap::new(),
        stages: vec![
            Stage::Quiet(Wave { batches }),
            Stage::Turn(Turn { rollout: Some(address("rollout")), is_canary: false, members: vec![member] }),
        ],
        rollouts: BTreeMap::from([(address("rollout"), rollout)]),
        checks: BTreeMap::from([(address("check"), Check { address: address("check"), probes: vec![probe] })]),
        problems: Vec::new(),
        advice: Vec::new(),
        owed: Vec::new(),
    }
}

/// What a plan is made from, by value.
#[derive(Clone)]
struct From {
    tune: &'static str,
    selection: Selection,
    files: BTreeMap<String, String>,
    variables: BTreeMap<&'static str, Value>,
    providers: BTreeMap<Address, Provider>,
}

fn from() -> From {
    let provider = Provider {
        address: address("provider"),
        attributes: BTreeMap::from([("token".to_owned(), Value::String("hunter2".to_owned()))]),
    };
    From {
        tune: "0.1.0",
        selection: Selection::default(),
        files: BTreeMap::from([("main.tune.hcl".to_owned(), "00".to_owned())]),
        variables: BTreeMap::from([("password", Value::String("hunter2".to_owned()))]),
        providers: BTreeMap::from([(address("provider"), provider)]),
    }
}

fn promise(plan: &Plan, from: &From) -> Promise {
    let variables = from.variables.iter().map(|(name, value)| (*name, value)).collect();
    let From { tune, selection, files, providers, .. } = from;
    let origin = Origin { tune, selection, files, variables: &variables, providers };
    content::promise(&Kinds::new(), plan, &origin, &key())
}

fn saved() -> SavedPlan {
    let shown = Shown { text: "\u{1b}[1mplan\u{1b}[0m\n".to_owned(), json: serde_json::json!({ "a": [1, null] }) };
    SavedPlan { promise: promise(&plan(), &from()), shown }
}

/// Returns what is said of a plan that `change` made of the promised one.
fn said(change: impl FnOnce(&mut Plan)) -> Vec<String> {
    let mut now = plan();
    change(&mut now);
    promise(&plan(), &from()).differences(&promise(&now, &from()))
}

fn said_of_item(change: impl FnOnce(&mut ItemPlan)) -> Vec<String> {
    said(|plan| change(&mut plan.resources.get_mut(&address("toy")).unwrap().items[0]))
}

#[test]
fn a_kept_promise_has_no_difference() {
    assert!(said(|_| {}).is_empty());
    // The configuration may lie in another folder when its plan is applied.
    let in_folder = |folder: &str| {
        let mut plan = plan();
        for host in plan.hosts.values_mut() {
            let Transport::Ssh(to) = &mut host.host.transport else { panic!("by ssh") };
            to.config = Some(format!("{folder}/ssh_config"));
        }
        promise(&plan, &from())
    };
    assert_eq!(in_folder("/a"), in_folder("/b"));
    // What only explains a plan may be said in other words.
    let advice = Advice { code: CODE, path: AttributePath::default(), text: "free memory: 3 GiB".to_owned() };
    assert!(said(|plan| plan.advice.push((address("toy"), advice))).is_empty());
    let reason = |plan: &mut Plan| {
        let Stage::Turn(turn) = &mut plan.stages[1] else { panic!("a turn") };
        turn.members[0].reasons.push("because".to_owned());
    };
    assert!(said(reason).is_empty());
    assert!(said(|plan| plan.hosts.values_mut().for_each(|host| host.boot_id = None)).is_empty());
}

#[test]
fn what_moved_in_an_item_is_named_with_its_value() {
    let one = |change: fn(&mut ItemPlan)| {
        let said = said_of_item(change);
        assert_eq!(said.len(), 1, "{said:?}");
        said.into_iter().next().unwrap()
    };
    assert_eq!(one(|item| item.live = None), "`k` of `toy.a` was , and cannot be read now");
    let write = |item: &mut ItemPlan| item.step = Step::Keep;
    assert_eq!(one(write), "`k` of `toy.a` was planned as `write`, and would be `keep` now");
    for change in [
        (|item| item.live = Some(text("5"))) as fn(&mut ItemPlan),
        |item| item.live = Some(Raw::File(FileState::public("1"))),
        |item| item.running = layer("5"),
        |item| item.next_start = Layer { source: Some("/etc/x:3".to_owned()), ..layer("1") },
        |item| {
            item.step = Step::Unreadable(Unreadable { code: CODE, message: String::new(), help: None });
        },
    ] {
        assert!(one(change).starts_with("`k` of `toy.a` was read as another one"), "{}", one(change));
    }
    for change in [
        (|item| item.step = Step::Write(Change { before: text("1"), after: text("3") })) as fn(&mut ItemPlan),
        |item| item.applied = Some(text("1")),
        |item| item.adopt = None,
        |item| item.adopt = Some(Adopted::Recovered(None)),
        |item| item.effect = Effect::NextBoot,
        |item| {
            item.activations.insert(Activation::of(Does::Restart, "x"));
        },
        |item| item.may_cut_connection = true,
        |item| item.reversible = false,
        |item| {
            item.accepted.insert(Consent::Outage, String::new());
        },
    ] {
        assert!(one(change).starts_with("`k` of `toy.a` would be changed in another way"), "{}", one(change));
    }
    assert_eq!(
        said_of_item(|item| item.id.key = ItemKey("other".to_owned())),
        ["`k` of `toy.a` is not there any more", "`other` of `toy.a` is new"]
    );
}

#[test]
fn what_moved_in_a_resource_a_host_or_the_order_is_named() {
    let resource = |change: fn(&mut ResourcePlan)| said(|plan| plan.resources.values_mut().for_each(change));
    for change in [
        (|it| it.configured = false) as fn(&mut ResourcePlan),
        |it| {
            it.depends_on.insert(address("other"));
        },
        |it| it.prevent_revert = true,
        |it| it.guest = Some(address("host")),
        |it| {
            it.accept.insert(Consent::Outage);
        },
        |it| it.outdated = true,
        |it| {
            it.renamed_from.insert(address("other"));
        },
    ] {
        assert_eq!(resource(change), ["`toy.a` has other dependencies, consents or items"]);
    }
    assert_eq!(resource(|it| it.host = HostId("2".to_owned())), ["`toy.a` is on another machine"]);
    assert_eq!(said(|plan| plan.resources.clear()), ["`toy.a` is not there any more"]);
    let host = |change: fn(&mut PlannedHost)| said(|plan| plan.hosts.values_mut().for_each(change)).join("; ");
    assert_eq!(host(|host| host.machine_id = None), "`host.a` is another machine");
    assert_eq!(host(|host| host.host_keys.clear()), "`host.a` is another machine");
    for change in [
        (|host| host.uid = 1) as fn(&mut PlannedHost),
        |host| host.host.transport = Transport::Local,
        |host| host.host.become_ = Become::Sudo,
    ] {
        assert_eq!(host(change), "`host.a` is reached in another way, or as another user");
    }
    assert!(host(|host| host.waits_for_boot.push("a newer kernel".to_owned())).contains("next boot of `host.a`"));
    let member = |change: fn(&mut Member)| {
        said(|plan| {
            let Stage::Turn(turn) = &mut plan.stages[1] else { panic!("a turn") };
            turn.members.iter_mut().for_each(change);
        })
    };
    let rollout = |change: fn(&mut Rollout)| said(|plan| plan.rollouts.values_mut().for_each(change));
    let orders = [
        said(|plan| plan.stages.reverse()),
        said(|plan| plan.stages.truncate(1)),
        member(|member| member.waves.clear()),
        member(|member| member.down.clear()),
        member(|member| member.activations.clear()),
        member(|member| member.activations[0].activation.verb = Does::PowerCycle),
        member(|member| member.host = address("other")),
        rollout(|rollout| rollout.last = rollout.members.iter().cloned().collect()),
        rollout(|rollout| rollout.members.clear()),
        rollout(|rollout| rollout.max_unavailable = Cap::Percent(1)),
        rollout(|rollout| rollout.canary = Some(1)),
        rollout(|rollout| rollout.gates.push(address("check"))),
        rollout(|rollout| rollout.settle = Duration::from_millis(1)),
        rollout(|rollout| rollout.timeout = Duration::ZERO),
        rollout(|rollout| rollout.soak = Duration::MAX),
        rollout(|rollout| rollout.on_failure = OnFailure::Halt),
        rollout(|rollout| {
            rollout.accept.insert(Consent::Outage);
        }),
        said(|plan| plan.checks.values_mut().for_each(|check| check.probes.clear())),
        said(|plan| {
            let guest = |place| Guest {
                host: address("host"),
                told_by: HostId("1".to_owned()),
                items: [].into(),
                place,
                carriers: None,
            };
            plan.guests.insert(address("toy"), guest(Place::Elsewhere));
        }),
        said(|plan| {
            let (address, host) = (address("toy"), address("host"));
            plan.owed.push(Owed { address, host, items: Vec::new(), reason: String::new() });
        }),
    ];
    for (number, said) in orders.iter().enumerate() {
        assert!(said.len() == 1 && said[0].starts_with("the order has changed"), "{number}: {said:?}");
    }
}

#[test]
fn what_moved_in_the_origin_is_named() {
    let said = |change: fn(&mut From)| {
        let mut now = from();
        change(&mut now);
        promise(&plan(), &from()).differences(&promise(&plan(), &now)).join("; ")
    };
    assert_eq!(said(|from| from.tune = "0.2.0"), "it was saved by tune 0.1.0, and this is tune 0.2.0");
    assert_eq!(said(|from| from.files.values_mut().for_each(|sum| sum.push('1'))), "`main.tune.hcl` was changed");
    assert_eq!(said(|from| from.files.clear()), "`main.tune.hcl` is not there any more");
    assert_eq!(
        said(|from| {
            from.files.insert("b".to_owned(), String::new());
        }),
        "`b` is new"
    );
    let other = |from: &mut From| {
        from.variables.insert("password", Value::String("hunter3".to_owned()));
    };
    assert_eq!(said(other), "`var.password` has another value");
    let kind = |from: &mut From| {
        from.variables.insert("password", Value::Bool(true));
    };
    assert_eq!(said(kind), "`var.password` has another value");
    let token = |from: &mut From| from.providers.values_mut().for_each(|block| block.attributes.clear());
    assert_eq!(said(token), "`provider.a` says something else");
    for change in [
        (|from| from.selection.target.push(address("toy"))) as fn(&mut From),
        |from| from.selection.exclude.push(address("toy")),
        |from| {
            from.selection.skip_gates.insert(address("check"));
        },
        |from| from.selection.allow_self = true,
    ] {
        assert_eq!(said(change), "it was saved with other options");
    }
    let state = |change: fn(&mut Plan)| super::tests::said(change).join("; ");
    assert_eq!(state(|plan| plan.serial = 4), "the state moved on: it had serial 3, and has 4 now");
    assert_eq!(state(|plan| plan.lineage.clear()), "it was saved for another state");
    let first = promise(&Plan { lineage: String::new(), serial: 0, ..plan() }, &from());
    let later = first.differences(&promise(&plan(), &from()));
    assert_eq!(later, ["the state moved on: it had serial 0, and has 3 now"]);
}

#[test]
fn what_was_asked_for_is_asked_for_again() {
    let selection = Selection {
        target: vec![address("toy").with_name("x\"y")],
        exclude: vec![address("other")],
        skip_gates: BTreeSet::from([address("check")]),
        allow_self: true,
        ..Selection::default()
    };
    for operation in [Operation::Apply, Operation::Destroy, Operation::RefreshOnly] {
        let plan = Plan { operation: operation.clone(), ..plan() };
        let promise = promise(&plan, &From { selection: selection.clone(), ..from() });
        let saved = SavedPlan { promise, ..saved() };
        let again = parse(&print(&saved, &key()), &key()).unwrap();
        assert_eq!((again.promise.operation(), again.promise.selection()), (operation, selection.clone()));
        assert_eq!(again, saved);
    }
}

#[test]
fn no_secret_and_nothing_of_the_moment_is_in_the_file() {
    let file = print(&saved(), &key());
    let text = String::from_utf8(file.clone()).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(file, print(&saved(), &key()), "saved twice");
    // The same secret twice does not show.
    let twice = From { variables: BTreeMap::from([("a", Value::Bool(true)), ("b", Value::Bool(true))]), ..from() };
    let promise = promise(&plan(), &twice);
    assert_ne!(promise.variables["a"], promise.variables["b"]);
}

#[test]
fn version_1_is_written_and_read_as_ever() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/local/golden/saved-plan.v1");
    current(&golden, &print(&saved(), &key()));
    assert_eq!(read(&golden, &key()).unwrap(), saved());
}

#[test]
fn the_schema_is_current() {
    let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    current(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/saved-plan.json"), schema.as_bytes());
}

/// Fails unless a file is as the program would write it now.
fn current(path: &Path, expected: &[u8]) {
    if std::env::var_os("TUNE_REGENERATE").is_some() {
        fs::write(path, expected).unwrap();
    }
    let found = fs::read(path).unwrap_or_default();
    assert!(found == expected, "{} is stale: run the tests once with TUNE_REGENERATE=1", path.display());
}

/// Returns why bytes are no saved plan.
fn refused(bytes: &[u8]) -> String {
    parse(bytes, &key()).unwrap_err().to_string()
}

#[test]
fn every_changed_or_missing_byte_is_refused() {
    let file = print(&saved(), &key());
    for place in 0..file.len() {
        for flip in [1, 0x20, 0x80, 0xff] {
            let mut changed = file.clone();
            changed[place] ^= flip;
            assert!(parse(&changed, &key()).is_err(), "byte {place} ^ {flip}");
        }
        assert!(parse(&file[..place], &key()).is_err(), "cut off at {place}");
    }
    for more in [b"\n".as_slice(), b" ", b"{}", &file] {
        assert!(refused(&[&file, more].concat()).contains("its seal is broken"));
    }
}

#[test]
fn what_is_no_saved_plan_is_refused_in_words() {
    for junk in [
        b"".as_slice(),
        b"\n",
        b"{}",
        b"tune-plan",
        b"tune-plan \n",
        b"tune-plan 1\n",
        b"tune-plan x y\n{}",
        &[0; 4096],
    ] {
        assert_eq!(refused(junk), "it is no plan that `tune plan -out` saved", "{}", junk.escape_ascii());
    }
    assert!(refused(b"tune-plan 2 anything\n").contains("version 2 of its format"));
    let other = print(&saved(), &Key::new([8; 32]));
    assert_eq!(refused(&other), "it was saved with the key of another state");
    assert!(refused(&seal(b"{}", &key())).starts_with("what it says makes no sense: missing field"));
    let address = String::from_utf8(print(&saved(), &key())).unwrap();
    let body = address
        .split_once('\n')
        .unwrap()
        .1
        .replace("\"operation\": \"apply\"", "\"operation\": \"apply\", \"target\": [\"%\"]");
    assert_eq!(refused(&seal(body.as_bytes(), &key())), "what it says makes no sense: `%` is not an address");
    let deep = "[".repeat(100_000);
    assert!(refused(&seal(deep.as_bytes(), &key())).starts_with("what it says makes no sense"));
}

#[test]
fn a_file_is_written_over_a_saved_plan_only_and_read_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("mine"), "precious").unwrap();
    fs::write(path("empty"), "").unwrap();
    assert!(matches!(write(&path("mine"), &saved(), &key()), Err(SavedPlanError::InTheWay)));
    assert_eq!(fs::read_to_string(path("mine")).unwrap(), "precious");
    for name in ["empty", "new", "new"] {
        write(&path(name), &saved(), &key()).unwrap();
        assert_eq!(read(&path(name), &key()).unwrap(), saved());
    }
    let huge = fs::File::create(path("huge")).unwrap();
    huge.set_len(LARGEST + 1).unwrap();
    assert!(matches!(read(&path("huge"), &key()), Err(SavedPlanError::TooLarge)));
    assert!(matches!(read(Path::new("/dev/zero"), &key()), Err(SavedPlanError::Other)));
    assert!(matches!(read(&path("none"), &key()), Err(SavedPlanError::Store(_))));
    assert!(matches!(read(folder.path(), &key()), Err(SavedPlanError::Store(_))));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(parse(&bytes, &key()).is_err());
        prop_assert!(parse(&seal(&bytes, &key()), &key()).is_err());
    }

    #[test]
    fn what_is_saved_is_read_again(
        names in proptest::collection::btree_map("\\PC{0,12}", "\\PC{0,12}", 0..5),
        live in "\\PC{0,12}",
        shown in ".{0,40}",
        serial in any::<u64>(),
    ) {
        let mut promise = promise(&plan(), &From { files: names, ..from() });
        promise.state.serial = serial;
        promise.resources.values_mut().for_each(|resource| resource.items[0].live = Some(live.clone()));
        let saved = SavedPlan { promise, shown: Shown { text: shown, json: Json::Null } };
        let again = parse(&print(&saved, &key()), &key()).unwrap();
        prop_assert!(saved.promise.differences(&again.promise).is_empty());
        prop_assert_eq!(again, saved);
    }

    /// A promise differs exactly where differences are named.
    #[test]
    fn differences_are_named_exactly_where_there_are_some(one in any_promise(), other in any_promise()) {
        prop_assert_eq!(one.differences(&other).is_empty(), one == other);
        prop_assert_eq!(other.differences(&one).is_empty(), one == other);
    }
}

/// Promises that are often the same, and otherwise differ in a few places.
fn any_promise() -> impl Strategy<Value = Promise> {
    let digest = || prop_oneof![9 => Just("0"), 1 => Just("1")];
    let parts = proptest::collection::vec(digest(), 12);
    (parts, 3_u64..4, any::<Option<bool>>()).prop_map(|(parts, serial, flags)| {
        let mut promise = promise(&plan(), &from());
        promise.state.serial = serial;
        promise.order.allow_self = flags == Some(true) && parts[0] == "1";
        let mut parts = parts.into_iter();
        let mut next = || parts.next().unwrap_or("0").to_owned();
        for sum in promise.files.values_mut().chain(promise.variables.values_mut()) {
            *sum = next();
        }
        for machine in promise.hosts.values_mut() {
            (machine.identity, machine.reached, machine.waits_for_boot) = (next(), next(), next());
        }
        for resource in promise.resources.values_mut() {
            (resource.host, resource.terms) = (next(), next());
            for item in &mut resource.items {
                (item.label, item.reading, item.change) = (next(), next(), next());
            }
        }
        promise.course = next();
        promise
    })
}
