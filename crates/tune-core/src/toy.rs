//! A kind without a system behind it, and machines made of a map: enough to test what planning and the journal promise.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Address;
use crate::contract::{Desired, DesiredItem, Impact, ItemImpact, Kind, Kinds, Question};
use crate::item::{HostId, ItemKey, Raw};
use crate::journal::{Event, Header, Intent, Progress, StepOutcome, conclude};
use crate::ledger::Ledger;
use crate::path::AttributePath;
use crate::plan::{Matching, Mistake, Operation, Plan, Request, Rolling, Selection, lookups, matching, plan, wanted};
use crate::problem::{Explanation, Problem};
use crate::reading::{Facts, HostReading, ItemReading, Layer, Reading, Snapshot, Unreachable};
use crate::resource::{Become, Consent, Host, Lifecycle, Resource, Transport};
use crate::schema::KindSchema;
use crate::state::{HostRecord, ResourceRecord, RunRecord, RunResult, State};
use crate::value::Value;

/// A setting that is a text; spaces around it mean nothing.
#[derive(Debug)]
pub(crate) struct Toy(KindSchema);

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Attributes {
    host: String,
    settings: BTreeMap<String, String>,
}

impl Kind for Toy {
    fn schema(&self) -> &KindSchema {
        &self.0
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn desired(&self, resource: &Resource) -> Result<Desired, Vec<Problem>> {
        let host = resource.attributes["host"].as_str().unwrap().parse().unwrap();
        let Value::Map(settings) = &resource.attributes["settings"] else { return Err(Vec::new()) };
        let item = |(key, value): (&String, &Value)| DesiredItem {
            key: ItemKey(key.clone()),
            path: AttributePath::attribute("settings").key(key),
            want: Raw::Text(value.as_str().unwrap().to_owned()),
        };
        Ok(Desired { host, guest: None, items: settings.iter().map(item).collect() })
    }

    fn canonical(&self, _: &ItemKey, raw: &Raw) -> Raw {
        match raw {
            Raw::Text(text) => Raw::Text(text.trim().to_owned()),
            other => other.clone(),
        }
    }

    /// Whoever wants `danger` must consent.
    fn impact(&self, question: &Question<'_>) -> Impact {
        let is_dangerous = |item: &&DesiredItem| item.want == Raw::Text("danger".to_owned());
        let judged = |item: &DesiredItem| {
            let needs = BTreeMap::from([(Consent::DataLoss, "this would lose data".to_owned())]);
            (item.key.clone(), ItemImpact { needs, ..ItemImpact::default() })
        };
        let items = question.desired.items.iter().filter(is_dangerous).map(judged).collect();
        Impact { items, ..Impact::default() }
    }

    fn marked_by(&self, _: &ItemKey, reading: &Reading) -> Option<ItemKey> {
        reading.evidence.contains_key("mark").then(|| ItemKey::from("mark"))
    }
}

pub(crate) fn kinds() -> Kinds {
    BTreeMap::from([("toy", Arc::new(Toy(KindSchema::of::<Attributes>("toy"))) as Arc<dyn Kind>)])
}

/// Machines, what is configured for them, and what is remembered.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    pub(crate) machines: BTreeMap<Address, Machine>,
    pub(crate) hosts: BTreeMap<Address, Host>,
    pub(crate) resources: BTreeMap<Address, Resource>,
    pub(crate) state: State,
    pub(crate) runs: Vec<RunRecord>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) items: BTreeMap<ItemKey, Raw>,
    pub(crate) ledgers: Vec<Ledger>,
    pub(crate) is_away: bool,
    /// Whether everything on it carries our mark.
    pub(crate) is_marked: bool,
    /// Signs by which it is known, where they are not those that its name gives it.
    pub(crate) signs: Option<Signs>,
}

/// What a machine is recognised by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Signs {
    pub(crate) machine: &'static str,
    pub(crate) boot: &'static str,
    pub(crate) key: &'static str,
}

pub(crate) fn host(name: &str) -> Address {
    Address::new("host", name)
}

pub(crate) fn toy(name: &str) -> Address {
    Address::new("toy", name)
}

impl Fleet {
    pub(crate) fn of(names: &[&str]) -> Self {
        let host = |name: &&str| {
            let host = Host { address: host(name), transport: Transport::Local, become_: Become::No };
            (host.address.clone(), host)
        };
        Self {
            machines: names.iter().map(|name| (self::host(name), Machine::default())).collect(),
            hosts: names.iter().map(host).collect(),
            resources: BTreeMap::new(),
            state: State::default(),
            runs: Vec::new(),
        }
    }

    pub(crate) fn set(&mut self, name: &str, key: &str, value: &str) {
        self.machines.get_mut(&host(name)).unwrap().items.insert(key.into(), Raw::Text(value.to_owned()));
    }

    pub(crate) fn live(&self, name: &str, key: &str) -> Raw {
        self.machines[&host(name)].items.get(&key.into()).cloned().unwrap_or(Raw::Absent)
    }

    pub(crate) fn want(&mut self, name: &str, on: &str, settings: &[(&str, &str)]) -> &mut Resource {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
        let resource = Resource {
            address: toy(name),
            attributes: BTreeMap::from([
                ("host".to_owned(), Value::String(host(on).to_string())),
                ("settings".to_owned(), Value::Map(settings)),
            ]),
            provider: None,
            depends_on: std::collections::BTreeSet::new(),
            lifecycle: Lifecycle::default(),
        };
        self.resources.insert(toy(name), resource);
        self.resources.get_mut(&toy(name)).unwrap()
    }

    pub(crate) fn plan(&self, operation: &Operation, selection: &Selection) -> Plan {
        self.try_plan(operation, selection).unwrap()
    }

    pub(crate) fn try_plan(&self, operation: &Operation, selection: &Selection) -> Result<Plan, Vec<Mistake>> {
        let kinds = kinds();
        let request = Request {
            operation,
            kinds: &kinds,
            hosts: &self.hosts,
            resources: &self.resources,
            state: &self.state,
            runs: &self.runs,
            selection,
            rolling: Rolling::none(),
        };
        let wanted = wanted(&request)?;
        let first = self.read(&request, &matching(&request, &wanted, &Snapshot::new()), &wanted);
        let matching = matching(&request, &wanted, &first);
        Ok(plan(&request, &wanted, &matching, &self.read(&request, &matching, &wanted)))
    }

    pub(crate) fn apply(&mut self) -> Plan {
        self.execute(&Operation::Apply, &Selection::default())
    }

    /// Plans, and does exactly that; everything succeeds.
    pub(crate) fn execute(&mut self, operation: &Operation, selection: &Selection) -> Plan {
        let plan = self.plan(operation, selection);
        let events = self.events(&plan);
        let mut progress = Progress::begun(self.header(&plan));
        for event in &events {
            progress.take(event).unwrap();
        }
        for (_, intent) in progress.done() {
            let name = &plan.hosts[&intent.id.host].host.address;
            let items = &mut self.machines.get_mut(name).unwrap().items;
            assert_eq!(items.get(&intent.id.key).unwrap_or(&Raw::Absent), &intent.change.before, "compare-and-set");
            match &intent.change.after {
                Raw::Absent => items.remove(&intent.id.key),
                after => items.insert(intent.id.key.clone(), after.clone()),
            };
        }
        self.state = conclude(&self.state, &progress);
        self.runs.push(RunRecord {
            number: progress.header.run,
            command: "apply".to_owned(),
            by: String::new(),
            started: String::new(),
            finished: String::new(),
            result: RunResult::Done,
            changes: progress.changes(),
            activations: progress.activated(),
        });
        plan
    }

    pub(crate) fn header(&self, plan: &Plan) -> Header {
        let host = |(id, planned): (&HostId, &crate::plan::PlannedHost)| {
            let record = HostRecord {
                address: planned.host.address.clone(),
                transport: planned.host.transport.clone(),
                become_: planned.host.become_,
                machine_id: planned.machine_id.clone(),
                host_keys: planned.host_keys.clone(),
            };
            (id.clone(), record)
        };
        let resource = |(address, planned): (&Address, &crate::plan::ResourcePlan)| {
            let record = ResourceRecord {
                host: planned.host.clone(),
                depends_on: planned.depends_on.clone(),
                prevent_revert: planned.prevent_revert,
                guest: planned.guest.clone(),
            };
            (address.clone(), record)
        };
        Header {
            run: self.state.last_run + 1,
            command: "apply".to_owned(),
            by: "tester".to_owned(),
            started: "2026-11-20T17:00:00Z".to_owned(),
            lineage: "toys".to_owned(),
            hosts: plan.hosts.iter().map(host).collect(),
            resources: plan.resources.iter().filter(|(_, planned)| planned.has_work()).map(resource).collect(),
        }
    }

    /// The journal of a run in which everything succeeds, without its beginning.
    pub(crate) fn events(&self, plan: &Plan) -> Vec<Event> {
        let header = self.header(plan);
        let addresses = plan.waves().flat_map(|wave| wave.batches.values()).flatten();
        let intents = addresses.flat_map(|address| {
            let items = plan.resources[address].items.iter();
            items.filter_map(|item| Intent::of(&plan.operation, &header, address, item)).collect::<Vec<_>>()
        });
        let steps = (1..).zip(intents).flat_map(|(step, intent)| {
            [Event::Intend { step, intent: Box::new(intent) }, Event::Settle { step, outcome: StepOutcome::Done }]
        });
        steps.chain([Event::End(RunResult::Done)]).collect()
    }

    fn read(&self, request: &Request<'_>, matching: &Matching, wanted: &crate::plan::Wanted) -> Snapshot {
        let mut snapshot = Snapshot::new();
        for (name, asked) in lookups(request, wanted, matching) {
            let reading = |keys: std::collections::BTreeSet<ItemKey>| {
                let items = keys.into_iter().map(|key| {
                    let raw = self.machines[&name].items.get(&key).cloned().unwrap_or(Raw::Absent);
                    let layer = || Layer { value: Some(format!("{raw:?}")), source: None };
                    let (running, configured, next_start) = (layer(), layer(), layer());
                    (key, Ok(ItemReading { raw, running, configured, next_start, writable: true }))
                });
                let mark = self.machines[&name].is_marked.then(|| ("mark".to_owned(), String::new()));
                Reading { items: items.collect(), evidence: Arc::new(mark.into_iter().collect()) }
            };
            let facts = || {
                let machine = &self.machines[&name];
                let of_its_own = Facts {
                    machine_id: Some(format!("id of {name}")),
                    boot_id: Some(format!("boot of {name}")),
                    hostname: name.name.clone(),
                    ledgers: Some(machine.ledgers.clone()),
                    ..Facts::default()
                };
                match &machine.signs {
                    None => of_its_own,
                    Some(signs) => Facts {
                        machine_id: Some(signs.machine.to_owned()),
                        boot_id: Some(signs.boot.to_owned()),
                        host_keys: std::collections::BTreeSet::from([signs.key.to_owned()]),
                        ..of_its_own
                    },
                }
            };
            let away = Unreachable { code: crate::problem::Code("toy::away"), message: "away".to_owned(), help: None };
            let answer = match self.machines.get(&name) {
                Some(machine) if !machine.is_away => Ok(HostReading {
                    facts: facts(),
                    readings: asked.lookups.into_iter().map(|lookup| reading(lookup.keys)).collect(),
                }),
                _ => Err(away),
            };
            snapshot.insert(name, answer);
        }
        snapshot
    }
}
