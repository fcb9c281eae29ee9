//! A plan as JSON: stable, versioned, and with Terraform's field names wherever they fit, so that tools that know
//! Terraform's plans understand it. What only `tune` knows stands under the key `tune`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use tune_core::address::{Address, InstanceKey};
use tune_core::contract::{Effect, Kinds};
use tune_core::item::{ItemId, Raw};
use tune_core::plan::{Adopted, ItemPlan, Mistake, Operation, Plan, PlannedActivation, ResourcePlan, Stage, Step};
use tune_core::text;
use tune_engine::store::local::OpenRun;

/// The version of this format. A higher second number only adds fields.
pub(crate) const FORMAT: &str = "1.0";

/// Everything that an apply would do.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "A plan of tune")]
pub(crate) struct PlanDocument {
    /// The version of this format: `1.x` for all documents that a reader of `1.0` understands.
    format_version: &'static str,
    /// The program that made the plan.
    tune_version: &'static str,
    /// Every selected resource, those without changes as well, sorted by address.
    resource_changes: Vec<ResourceChange>,
    /// Whether an apply has anything to do and nothing forbids it.
    applyable: bool,
    /// Whether everything could be read, so that nothing is missing here.
    complete: bool,
    /// Whether something forbids an apply.
    errored: bool,
    /// What Terraform has no word for.
    tune: Whole,
}

/// What happens to one resource.
#[derive(Debug, Serialize, JsonSchema)]
struct ResourceChange {
    /// Its name in the configuration.
    address: String,
    /// The name under which it was recorded, where the configuration renamed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_address: Option<String>,
    /// Always `managed`.
    mode: &'static str,
    /// Its kind.
    #[serde(rename = "type")]
    kind: String,
    /// The block's name.
    name: String,
    /// Its key under `for_each` or its position under `count`.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<Index>,
    /// What changes.
    change: Change,
    /// Why it is put back, in Terraform's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    action_reason: Option<&'static str>,
    /// What Terraform has no word for.
    tune: Resource,
}

/// A key or a position.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Index {
    /// Under `for_each`.
    Key(String),
    /// Under `count`.
    Position(u64),
}

/// From what to what.
#[derive(Debug, Serialize, JsonSchema)]
struct Change {
    /// `["no-op"]`, `["create"]`, `["update"]`, `["delete"]` for a revert, or `["forget"]`.
    actions: [&'static str; 1],
    /// What was found, by item; `null` for an item that does not exist.
    before: BTreeMap<String, Option<Content>>,
    /// What is there afterwards, by item.
    after: BTreeMap<String, Option<Content>>,
    /// Present when the resource becomes managed although it existed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    importing: Option<Importing>,
}

/// What becomes managed.
#[derive(Debug, Serialize, JsonSchema)]
struct Importing {
    /// The host that it was found on.
    id: String,
}

/// The content of an item.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Content {
    /// A value.
    Value(String),
    /// A file.
    File {
        /// Its bytes, those that are no text replaced by `U+FFFD`.
        content: String,
        /// Its permissions, in octal.
        mode: String,
        /// Its numeric owner.
        uid: u32,
        /// Its numeric group.
        gid: u32,
    },
}

/// What is special about one resource.
#[derive(Debug, Serialize, JsonSchema)]
struct Resource {
    /// The host that it lives on.
    host: String,
    /// Resources that are settled before it.
    depends_on: Vec<String>,
    /// Its items, in the order in which they are written.
    items: Vec<Item>,
}

/// What happens to one item.
#[derive(Debug, Serialize, JsonSchema)]
struct Item {
    /// What it is called.
    label: String,
    /// The attribute that asks for it.
    #[serde(skip_serializing_if = "String::is_empty")]
    attribute: String,
    /// What is done: `keep`, `record`, `write`, `revert`, `forget`, `conflict` or `unreadable`.
    step: &'static str,
    /// When it takes effect: `at_once`, `next_boot` or, after its activations, `activation`.
    effect: &'static str,
    /// Whether it can be undone.
    reversible: bool,
    /// Whether it may cut the connection.
    may_cut_connection: bool,
    /// What was last applied, where it is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_applied: Option<Content>,
    /// What the next boot would yield if nothing is changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_boot: Option<NextBoot>,
    /// Where its original comes from, when it becomes managed: `read`, `ledger` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<&'static str>,
    /// Dangers that the user accepted, each with what would happen.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    accepted: BTreeMap<&'static str, String>,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Message>,
}

/// A layer of an item.
#[derive(Debug, Serialize, JsonSchema)]
struct NextBoot {
    /// The value.
    value: String,
    /// Where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

/// Something that a person must be told.
#[derive(Debug, Serialize, JsonSchema)]
struct Message {
    /// The stable code; `tune explain` says more.
    code: String,
    /// What it is about.
    #[serde(skip_serializing_if = "String::is_empty")]
    address: String,
    /// What is true.
    #[serde(rename = "message")]
    text: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

/// What is special about the plan as a whole.
#[derive(Debug, Serialize, JsonSchema)]
struct Whole {
    /// Where the desired values come from: `apply`, `destroy`, `refresh-only`, `rollback`.
    operation: &'static str,
    /// The run that had begun when the plan was made; an apply settles it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    open_run: Option<u64>,
    /// The run that is rolled back.
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback: Option<u64>,
    /// The counts of the last line.
    summary: Summary,
    /// What runs when: waves follow one another, hosts of one wave run side by side. The waves of members that are taken
    /// together stand one after another here.
    waves: Vec<BTreeMap<String, Vec<String>>>,
    /// What interrupts something: turns follow one another, the members of one turn are taken together.
    turns: Vec<Turn>,
    /// What forbids an apply.
    problems: Vec<Message>,
    /// What is true and useful.
    advice: Vec<Message>,
    /// Reverts that wait for a host that is away.
    owed: Vec<Owed>,
}

/// Members that are taken together.
#[derive(Debug, Serialize, JsonSchema)]
struct Turn {
    /// The rollout; missing for hosts of none, which are taken strictly one at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<String>,
    /// The members.
    members: Vec<Member>,
}

/// One member.
#[derive(Debug, Serialize, JsonSchema)]
struct Member {
    /// The host.
    host: String,
    /// Its resources that are settled just before its activations.
    resources: Vec<String>,
    /// What is done then, in order.
    activations: Vec<Activation>,
    /// Every host that is down meanwhile.
    down: Vec<String>,
    /// Why it stands where it does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

/// What makes a configured change run.
#[derive(Debug, Serialize, JsonSchema)]
struct Activation {
    /// `boot_image`, `reload`, `restart`, `reboot` or `power_cycle`.
    verb: &'static str,
    /// To what, where that is not the whole machine.
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    /// How long the same took in earlier runs, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_before: Option<u64>,
}

/// How many resources the plan concerns.
#[derive(Debug, Serialize, JsonSchema)]
struct Summary {
    /// Resources that become managed.
    import: usize,
    /// Resources of which nothing existed.
    add: usize,
    /// Resources that are written.
    change: usize,
    /// Resources that are put back, wholly or in part.
    revert: usize,
    /// Items that were left alone because somebody else changed them.
    conflicts: usize,
    /// Resources of which nothing is written, and what is configured is put into effect.
    activate: usize,
    /// Writes that cannot be undone.
    irreversible: usize,
}

/// A revert that waits.
#[derive(Debug, Serialize, JsonSchema)]
struct Owed {
    /// The resource.
    address: String,
    /// The host.
    host: String,
    /// The items that wait.
    items: Vec<String>,
    /// Why the host could not be reached.
    reason: String,
}

/// Returns the plan as a document, ready to be written.
pub(crate) fn document(plan: &Plan, kinds: &Kinds, open_run: Option<&OpenRun>) -> PlanDocument {
    let unreadable = |resource: &ResourcePlan| resource.items.iter().any(|i| matches!(i.step, Step::Unreadable(_)));
    let counts = plan.summary();
    let (operation, rollback) = match plan.operation {
        Operation::Apply => ("apply", None),
        Operation::Destroy => ("destroy", None),
        Operation::RefreshOnly => ("refresh-only", None),
        Operation::Rollback { run, .. } => ("rollback", Some(run)),
    };
    PlanDocument {
        format_version: FORMAT,
        tune_version: env!("CARGO_PKG_VERSION"),
        resource_changes: plan.resources.iter().map(|(address, r)| resource(plan, kinds, address, r)).collect(),
        applyable: plan.has_work() && plan.problems.is_empty(),
        complete: plan.owed.is_empty() && !plan.resources.values().any(unreadable),
        errored: plan.failures().next().is_some(),
        tune: Whole {
            operation,
            open_run: open_run.map(|run| run.number),
            rollback,
            summary: Summary {
                import: counts.import,
                add: counts.add,
                change: counts.change,
                revert: counts.revert,
                conflicts: counts.conflicts,
                activate: counts.activate,
                irreversible: counts.irreversible,
            },
            waves: plan
                .waves()
                .map(|wave| {
                    wave.batches
                        .iter()
                        .map(|(id, addresses)| {
                            let host =
                                plan.hosts.get(id).map_or_else(|| id.to_string(), |host| host.host.address.to_string());
                            (host, addresses.iter().map(ToString::to_string).collect())
                        })
                        .collect()
                })
                .collect(),
            turns: plan.stages.iter().filter_map(turn).collect(),
            problems: plan.problems.iter().map(problem).collect(),
            advice: plan
                .advice
                .iter()
                .map(|(address, advice)| Message {
                    code: advice.code.to_string(),
                    address: address.to_string(),
                    text: advice.text.clone(),
                    help: None,
                })
                .collect(),
            owed: plan
                .owed
                .iter()
                .map(|owed| Owed {
                    address: owed.address.to_string(),
                    host: owed.host.to_string(),
                    items: owed.items.iter().map(|id| label(kinds, id)).collect(),
                    reason: owed.reason.clone(),
                })
                .collect(),
        },
    }
}

fn turn(stage: &Stage) -> Option<Turn> {
    let Stage::Turn(turn) = stage else { return None };
    let activation = |planned: &PlannedActivation| Activation {
        verb: planned.activation.verb.word(),
        subject: planned.activation.subject.clone(),
        seconds_before: planned.forecast.map(|forecast| forecast.seconds),
    };
    let member = |member: &tune_core::plan::Member| Member {
        host: member.host.to_string(),
        resources: member
            .waves
            .iter()
            .flat_map(|wave| wave.batches.values())
            .flatten()
            .map(ToString::to_string)
            .collect(),
        activations: member.activations.iter().map(activation).collect(),
        down: member.down.iter().map(ToString::to_string).collect(),
        reasons: member.reasons.clone(),
    };
    Some(Turn {
        rollout: turn.rollout.as_ref().map(ToString::to_string),
        members: turn.members.iter().map(member).collect(),
    })
}

fn resource(plan: &Plan, kinds: &Kinds, address: &Address, resource: &ResourcePlan) -> ResourceChange {
    let host = plan.hosts.get(&resource.host).map(|planned| planned.host.address.to_string()).unwrap_or_default();
    let steps = || resource.items.iter().map(|item| &item.step);
    let changes = || steps().filter_map(Step::change);
    let action = if steps().any(|step| matches!(step, Step::Write(_))) {
        if resource.items.iter().all(ItemPlan::creates) { "create" } else { "update" }
    } else if changes().next().is_some() {
        if resource.configured { "update" } else { "delete" }
    } else if steps().any(|step| matches!(step, Step::Forget)) {
        "forget"
    } else {
        "no-op"
    };
    let importing = resource.items.iter().any(ItemPlan::imports);
    let after = |item: &ItemPlan| item.step.change().map_or_else(|| item.live.clone(), |c| Some(c.after.clone()));
    let by_label = |of: &dyn Fn(&ItemPlan) -> Option<Raw>| {
        let shown = |item: &ItemPlan| of(item).and_then(|raw| content(kinds, &item.id, &raw));
        resource.items.iter().map(|item| (label(kinds, &item.id), shown(item))).collect()
    };
    ResourceChange {
        address: address.to_string(),
        previous_address: resource.renamed_from.first().map(ToString::to_string),
        mode: "managed",
        kind: address.kind.clone(),
        name: address.name.clone(),
        index: match &address.key {
            InstanceKey::Single => None,
            InstanceKey::Index(position) => Some(Index::Position(*position)),
            InstanceKey::Name(key) => Some(Index::Key(key.clone())),
        },
        change: Change {
            actions: [action],
            before: by_label(&|item| item.live.clone()),
            after: by_label(&after),
            importing: importing.then(|| Importing { id: host.clone() }),
        },
        action_reason: (action == "delete" && plan.operation == Operation::Apply)
            .then_some("delete_because_no_resource_config"),
        tune: Resource {
            host,
            depends_on: resource.depends_on.iter().map(ToString::to_string).collect(),
            items: resource.items.iter().map(|planned| item(kinds, planned)).collect(),
        },
    }
}

fn item(kinds: &Kinds, item: &ItemPlan) -> Item {
    Item {
        label: label(kinds, &item.id),
        attribute: item.path.to_string(),
        step: match item.step {
            Step::Keep => "keep",
            Step::Record => "record",
            Step::Write(_) => "write",
            Step::Revert(_) => "revert",
            Step::Forget => "forget",
            Step::Conflict { .. } => "conflict",
            Step::Unreadable(_) => "unreadable",
        },
        effect: match item.effect {
            Effect::AtOnce => "at_once",
            Effect::NextBoot => "next_boot",
            Effect::Activation => "activation",
        },
        reversible: item.reversible,
        may_cut_connection: item.may_cut_connection,
        last_applied: item.applied.as_ref().and_then(|raw| content(kinds, &item.id, raw)),
        next_boot: item
            .next_start
            .value
            .clone()
            .map(|value| NextBoot { value, source: item.next_start.source.clone() }),
        original: item.adopt.as_ref().map(|adopt| match adopt {
            Adopted::Read { .. } => "read",
            Adopted::Recovered(Some(_)) => "ledger",
            Adopted::Recovered(None) => "unknown",
        }),
        accepted: item.accepted.iter().map(|(consent, danger)| (consent.word(), danger.clone())).collect(),
        error: match &item.step {
            Step::Unreadable(why) => Some(Message {
                code: why.code.to_string(),
                address: String::new(),
                text: why.message.clone(),
                help: why.help.clone(),
            }),
            _ => None,
        },
    }
}

fn problem(mistake: &Mistake) -> Message {
    Message {
        code: mistake.problem.code.to_string(),
        address: mistake.address.to_string(),
        text: mistake.problem.message.clone(),
        help: mistake.problem.help.clone(),
    }
}

/// `None` for what does not exist, which JSON writes as `null`.
fn content(kinds: &Kinds, id: &ItemId, raw: &Raw) -> Option<Content> {
    match raw {
        Raw::Absent => None,
        Raw::Text(value) => {
            let kind = kinds.get(id.kind.as_str());
            Some(Content::Value(kind.map_or_else(|| value.clone(), |kind| kind.show(&id.key, raw))))
        }
        Raw::File(file) => Some(Content::File {
            content: String::from_utf8_lossy(&file.content).into_owned(),
            mode: format!("{:04o}", file.mode),
            uid: file.uid,
            gid: file.gid,
        }),
    }
}

fn label(kinds: &Kinds, id: &ItemId) -> String {
    kinds.get(id.kind.as_str()).map_or_else(|| text::visible(&id.key.0, 300), |kind| kind.label(&id.key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::{Fixture, new_file, write};

    #[test]
    fn terraform_names_for_what_terraform_knows() {
        let fixture = Fixture::new(Operation::Apply).on(
            "etcd",
            "pve",
            vec![write("vm.swappiness", "60", "10"), new_file("/etc/x.conf")],
        );
        let document = document(&fixture.plan, fixture.context().kinds, None);
        let json = serde_json::to_value(&document).unwrap();
        let change = &json["resource_changes"][0];
        assert_eq!(change["address"], "sysctl.etcd[\"pve\"]");
        assert_eq!((&change["type"], &change["index"]), (&"sysctl".into(), &"pve".into()));
        assert_eq!(change["change"]["actions"][0], "update");
        assert_eq!(change["change"]["before"]["vm.swappiness"], "60");
        assert_eq!(change["change"]["after"]["vm.swappiness"], "10");
        assert_eq!(change["change"]["before"]["/etc/x.conf"], serde_json::Value::Null);
        assert_eq!(change["change"]["after"]["/etc/x.conf"]["mode"], "0644");
        assert_eq!(change["change"]["importing"]["id"], "host.k3s[\"pve\"]");
        assert_eq!(json["applyable"], true);
        assert_eq!(json["tune"]["summary"]["change"], 1);
        assert_eq!(json["tune"]["waves"][0]["host.k3s[\"pve\"]"][0], "sysctl.etcd[\"pve\"]");
    }

    #[test]
    fn the_schema_is_current() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/plan.json");
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(PlanDocument)).unwrap() + "\n";
        if std::env::var_os("TUNE_REGENERATE").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == schema, "schema/plan.json is out of date; run the tests with TUNE_REGENERATE=1");
    }
}
