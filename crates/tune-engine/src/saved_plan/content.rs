//! What a plan promises: every part of it that decides what an apply does, as digests and as words. What only explains a
//! plan is not promised: advice, reasons, forecasts.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use tune_core::Address;
use tune_core::contract::{Effect, Kinds};
use tune_core::item::{HostId, ItemKey, Raw};
use tune_core::plan::{
    Adopted, Guest, ItemPlan, Member, Operation, Owed, Place, Plan, PlannedActivation, PlannedHost, ResourcePlan,
    Stage, Step, Turn, Wave,
};
use tune_core::reading::Layer;
use tune_core::resource::{Become, Consent, Provider, Transport};
use tune_core::rollout::{Cap, Check, OnFailure, Query, Rollout};

use super::{Item, Machine, Made, Order, Origin, Promise, Resource, Verb};
use crate::recording::to_json;
use crate::store::Key;
use crate::store::mirror::RawText;

pub(super) fn promise(kinds: &Kinds, plan: &Plan, origin: &Origin<'_>, key: &Key) -> Promise {
    let digest = |purpose: &str, content: &Json| key.digest(purpose, content.to_string().as_bytes());
    // The name is part of it, so that two things with one secret do not show that they are alike.
    let files = origin.files.iter().map(|(name, sum)| (name.clone(), digest("file", &json!([name, sum]))));
    let variables = origin.variables.iter();
    let variables =
        variables.map(|(name, value)| ((*name).to_owned(), digest("variable", &json!([name, to_json(value)]))));
    let providers = origin.providers.iter();
    let providers =
        providers.map(|(name, block)| (name.to_string(), digest("provider", &provider(&name.to_string(), block))));
    let resources = plan.resources.iter().map(|(name, resource)| {
        let items = resource.items.iter().map(|it| item(kinds, name, it, &digest)).collect();
        let host = resource.host.to_string();
        (name.to_string(), Resource { host, terms: digest("terms", &terms(name, resource)), items })
    });
    Promise {
        tune: origin.tune.to_owned(),
        order: order(plan, origin),
        state: Made { lineage: plan.lineage.clone(), serial: plan.serial },
        files: files.collect(),
        variables: variables.collect(),
        providers: providers.collect(),
        hosts: plan.hosts.iter().map(|(id, host)| (id.to_string(), machine(id, host, &digest))).collect(),
        resources: resources.collect(),
        course: digest("course", &course(plan)),
    }
}

fn order(plan: &Plan, origin: &Origin<'_>) -> Order {
    let selection = origin.selection;
    Order {
        operation: match plan.operation {
            Operation::Destroy => Verb::Destroy,
            Operation::RefreshOnly => Verb::RefreshOnly,
            Operation::Apply | Operation::Rollback { .. } => Verb::Apply,
        },
        target: names(&selection.target),
        exclude: names(&selection.exclude),
        skip_gate: names(&selection.skip_gates),
        allow_self: selection.allow_self,
    }
}

fn provider(name: &str, block: &Provider) -> Json {
    let attributes: BTreeMap<&String, Json> =
        block.attributes.iter().map(|(name, value)| (name, to_json(value))).collect();
    json!([name, attributes])
}

fn machine(id: &HostId, planned: &PlannedHost, digest: &dyn Fn(&str, &Json) -> String) -> Machine {
    let id = &id.0;
    let PlannedHost { host, machine_id, host_keys, uid, waits_for_boot, hostname: _, boot_id: _, epoch: _ } = planned;
    let become_ = match host.become_ {
        Become::No => "no",
        Become::Sudo => "sudo",
    };
    Machine {
        address: host.address.to_string(),
        identity: digest("identity", &json!([id, machine_id, host_keys])),
        reached: digest("reached", &json!([id, transport(&host.transport), become_, uid])),
        waits_for_boot: digest("waits_for_boot", &json!([id, waits_for_boot])),
    }
}

fn transport(transport: &Transport) -> Json {
    match transport {
        Transport::Local => json!("local"),
        // Where a file of ssh lies depends on where the configuration does, which may be elsewhere by then.
        Transport::Ssh(to) => json!(["ssh", to.address, to.user, to.port, to.config.is_some()]),
        Transport::Api(api) => json!(["api", api.provider, api.endpoint]),
    }
}

fn terms(name: &Address, resource: &ResourcePlan) -> Json {
    let ResourcePlan { host, configured, depends_on, prevent_revert, guest, accept, outdated, renamed_from, items: _ } =
        resource;
    json!([
        name.to_string(),
        host.0,
        configured,
        names(depends_on),
        prevent_revert,
        guest.as_ref().map(ToString::to_string),
        words(accept),
        outdated,
        names(renamed_from),
    ])
}

fn item(kinds: &Kinds, owner: &Address, item: &ItemPlan, digest: &dyn Fn(&str, &Json) -> String) -> Item {
    let kind = kinds.get(item.id.kind.as_str());
    let show = |raw: &Raw| kind.map_or_else(String::new, |kind| kind.show(&item.id.key, raw));
    let name = json!([owner.to_string(), item.id.host.0, item.id.kind, item.id.key.0]);
    Item {
        key: item.id.key.0.clone(),
        label: kind.map_or_else(|| item.id.key.0.clone(), |kind| kind.label(&item.id.key)),
        step: step(&item.step).to_owned(),
        live: item.live.as_ref().map(show),
        after: item.step.change().map(|change| show(&change.after)),
        reading: digest("reading", &json!([name, reading(item)])),
        change: digest("change", &json!([name, change(item)])),
    }
}

/// What is done, as a word.
fn step(step: &Step) -> &'static str {
    match step {
        Step::Keep => "keep",
        Step::Record => "record",
        Step::Write(_) => "write",
        Step::Revert(_) => "revert",
        Step::Forget => "forget",
        Step::Conflict { .. } => "conflict",
        Step::Unreadable(_) => "unreadable",
    }
}

fn reading(item: &ItemPlan) -> Json {
    let why = match &item.step {
        Step::Unreadable(why) => Some(why.code.0),
        _ => None,
    };
    json!([item.live.as_ref().map(raw), layer(&item.running), layer(&item.next_start), why])
}

fn change(item: &ItemPlan) -> Json {
    let ItemPlan {
        step: doing,
        applied,
        adopt,
        effect,
        activations,
        may_cut_connection,
        reversible,
        accepted,
        id: _,
        path: _,
        live: _,
        running: _,
        next_start: _,
    } = item;
    let original = match doing {
        Step::Conflict { original } => Some(raw(original)),
        _ => None,
    };
    let effect = match effect {
        Effect::AtOnce => "at_once",
        Effect::NextBoot => "next_boot",
        Effect::Activation => "activation",
    };
    let activations: Vec<(&str, &str)> =
        activations.iter().map(|activation| (activation.verb.word(), activation.subject.as_str())).collect();
    json!([
        step(doing),
        doing.change().map(|change| [raw(&change.before), raw(&change.after)]),
        original,
        applied.as_ref().map(raw),
        adopt.as_ref().map(adopted),
        effect,
        activations,
        may_cut_connection,
        reversible,
        words(accepted.keys()),
    ])
}

fn adopted(adopted: &Adopted) -> Json {
    match adopted {
        Adopted::Read { raw: found, next_boot } => json!(["read", raw(found), next_boot]),
        Adopted::Recovered(original) => json!(["recovered", original.as_ref().map(raw)]),
    }
}

/// Everything is taken apart, here and above, so that what is added to a plan must be thought of.
fn course(plan: &Plan) -> Json {
    let Plan {
        stages,
        rollouts,
        checks,
        guests,
        owed,
        operation: _,
        lineage: _,
        serial: _,
        resources: _,
        hosts: _,
        problems: _,
        advice: _,
    } = plan;
    let stages: Vec<Json> = stages.iter().map(stage).collect();
    let rollouts: Vec<Json> = rollouts.values().map(rollout).collect();
    let checks: Vec<Json> = checks.values().map(check).collect();
    let guests: Vec<Json> = guests.iter().map(|(told, it)| guest(told, it)).collect();
    let owed = owed.iter().map(|Owed { address, host, items, reason: _ }| {
        let items: Vec<Json> = items.iter().map(|item| json!([item.host.0, item.kind, item.key.0])).collect();
        json!([address.to_string(), host.to_string(), items])
    });
    json!([stages, rollouts, checks, guests, owed.collect::<Vec<_>>()])
}

fn stage(stage: &Stage) -> Json {
    let Turn { rollout, is_canary, members } = match stage {
        Stage::Quiet(quiet) => return json!(["quiet", wave(quiet)]),
        Stage::Turn(turn) => turn,
    };
    let members: Vec<Json> = members.iter().map(member).collect();
    json!(["turn", rollout.as_ref().map(ToString::to_string), is_canary, members])
}

fn member(member: &Member) -> Json {
    let Member { host, waves, activations, down, reasons: _ } = member;
    let waves: Vec<Json> = waves.iter().map(wave).collect();
    let activations = activations.iter().map(|planned| {
        let PlannedActivation { host, activation, resources, forecast: _ } = planned;
        json!([host.0, activation.verb.word(), activation.subject, names(resources)])
    });
    json!([host.to_string(), waves, activations.collect::<Vec<_>>(), names(down)])
}

fn wave(wave: &Wave) -> Json {
    wave.batches.iter().map(|(host, resources)| json!([host.0, names(resources)])).collect()
}

fn rollout(rollout: &Rollout) -> Json {
    let Rollout {
        address,
        members,
        last,
        last_depends_on,
        max_unavailable,
        canary,
        gates,
        settle,
        timeout,
        soak,
        on_failure,
        accept,
    } = rollout;
    let on_failure = match on_failure {
        OnFailure::RevertMember => "revert_member",
        OnFailure::RevertRun => "revert_run",
        OnFailure::Halt => "halt",
    };
    let cap = match max_unavailable {
        Cap::Count(count) => json!(["count", count]),
        Cap::Percent(percent) => json!(["percent", percent]),
    };
    let times: Vec<[u64; 2]> =
        [settle, timeout, soak].iter().map(|time| [time.as_secs(), u64::from(time.subsec_nanos())]).collect();
    let asked: Vec<Json> = last_depends_on.iter().map(query).collect();
    json!([
        address.to_string(),
        names(members),
        names(last),
        asked,
        cap,
        canary,
        names(gates),
        times,
        on_failure,
        words(accept),
    ])
}

fn check(check: &Check) -> Json {
    let probes: Vec<Json> = check.probes.iter().map(query).collect();
    json!([check.address.to_string(), probes])
}

fn query(query: &Query) -> Json {
    let attributes: BTreeMap<&String, Json> =
        query.attributes.iter().map(|(name, value)| (name, to_json(value))).collect();
    json!([query.address.to_string(), attributes])
}

fn guest(told: &Address, guest: &Guest) -> Json {
    let Guest { host, told_by, items, place, carriers } = guest;
    let place = match place {
        Place::On(host) => json!(["on", host.to_string()]),
        Place::Elsewhere => json!("elsewhere"),
        Place::Unknown(_) => json!("unknown"),
    };
    let items: Vec<&String> = items.iter().map(|ItemKey(key)| key).collect();
    json!([told.to_string(), host.to_string(), told_by.0, items, place, carriers.as_ref().map(names)])
}

fn raw(raw: &Raw) -> Json {
    serde_json::to_value(RawText::from(raw)).expect("a restorable form has no failing parts")
}

fn layer(layer: &Layer) -> Json {
    json!([layer.value, layer.source])
}

fn names<'a>(addresses: impl IntoIterator<Item = &'a Address>) -> Vec<String> {
    addresses.into_iter().map(ToString::to_string).collect()
}

fn words<'a>(consents: impl IntoIterator<Item = &'a Consent>) -> Vec<&'static str> {
    consents.into_iter().map(|consent| consent.word()).collect()
}
