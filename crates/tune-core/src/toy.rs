//! A kind without a system behind it, and machines made of a map: enough to test what planning and the journal promise.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Address;
use crate::activation::{Activation, Verb};
use crate::contract::{Desired, DesiredItem, Effect, Impact, ItemImpact, Kind, Kinds, Pending, Question, ReadRequest};
use crate::item::{HostId, ItemKey, Raw};
use crate::journal::{Event, Header, Intent, Progress, StepOutcome, conclude};
use crate::ledger::Ledger;
use crate::path::AttributePath;
use crate::plan::{Matching, Mistake, Operation, Plan, Request, Rolling, Selection, lookups, matching, plan, wanted};
use crate::problem::{Explanation, Problem};
use crate::reading::{Facts, HostReading, ItemReading, Layer, Reading, Snapshot, Unreachable, Unreadable};
use crate::resource::{Become, Consent, Host, Lifecycle, Resource, Transport};
use crate::rollout::{Check, Query, Rollout};
use crate::schema::KindSchema;
use crate::source::{Reach, Source, Sources};
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
        let guest = resource.attributes.get("guest").map(|guest| guest.as_str().unwrap().parse().unwrap());
        Ok(Desired { host, guest, items: settings.iter().map(item).collect() })
    }

    fn canonical(&self, _: &ItemKey, raw: &Raw) -> Raw {
        match raw {
            Raw::Text(text) => Raw::Text(text.trim().to_owned()),
            other => other.clone(),
        }
    }

    /// Whoever wants `danger` must consent. A key such as `reboot.x` or `restart.x` names the activation that it needs
    /// until the machine runs what is wanted. The machine on which a guest runs stands in the evidence.
    fn impact(&self, question: &Question<'_>) -> Impact {
        let judged = |item: &DesiredItem| {
            let mut judged = ItemImpact::default();
            if item.want == Raw::Text("danger".to_owned()) {
                judged.needs.insert(Consent::DataLoss, "this would lose data".to_owned());
            }
            let verb = Verb::ALL.into_iter().find(|(_, word)| item.key.0.split('.').next() == Some(word));
            let found = question.reading.items.get(&item.key).and_then(|found| found.as_ref().ok());
            let runs = found.and_then(|found| found.running.value.clone());
            if let Some((verb, _)) = verb.filter(|_| runs != Some(format!("{:?}", item.want))) {
                let subject = if verb.interrupts() && verb < Verb::Reboot { "unit" } else { "" };
                judged.activations.insert(Activation::of(verb, subject));
                judged.effect = Effect::Activation;
            }
            (item.key.clone(), judged)
        };
        let runs_on = question.reading.evidence.get("runs_on").map(|host| host.parse().unwrap());
        let carriers = question.reading.evidence.get("carriers");
        let carriers = carriers.map(|hosts| hosts.split(' ').map(|host| host.parse().unwrap()).collect());
        Impact { items: question.desired.items.iter().map(judged).collect(), runs_on, carriers, ..Impact::default() }
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
    pub(crate) rollouts: BTreeMap<Address, Rollout>,
    pub(crate) checks: BTreeMap<Address, Check>,
    /// The boot id of the machine that runs `tune`.
    pub(crate) controller: Option<String>,
}

/// A source that knows who votes; nobody asks it while planning.
#[derive(Debug)]
struct Votes(KindSchema);

impl Source for Votes {
    fn schema(&self) -> &KindSchema {
        &self.0
    }

    fn answer(&self) -> &KindSchema {
        &self.0
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn look<'a>(&'a self, _: &'a Query, _: &'a dyn Reach) -> Pending<'a, Result<Value, Unreadable>> {
        Box::pin(async { Ok(Value::Null) })
    }

    fn knows_quorum(&self) -> bool {
        true
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) items: BTreeMap<ItemKey, Raw>,
    pub(crate) ledgers: Vec<Ledger>,
    pub(crate) is_away: bool,
    /// What it runs, where that is not what its items say.
    pub(crate) running: BTreeMap<ItemKey, Raw>,
    /// The machine under it, as its items tell.
    pub(crate) runs_on: Option<Address>,
    /// The hosts that can carry it, where it says so.
    pub(crate) carriers: Vec<Address>,
    /// What waits for a boot of it.
    pub(crate) waits_for_boot: Vec<String>,
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
            let host = Host {
                name: (*name).to_owned(),
                address: host(name),
                transport: Transport::Local,
                become_: Become::No,
            };
            (host.address.clone(), host)
        };
        Self {
            machines: names.iter().map(|name| (self::host(name), Machine::default())).collect(),
            hosts: names.iter().map(host).collect(),
            resources: BTreeMap::new(),
            state: State::default(),
            runs: Vec::new(),
            rollouts: BTreeMap::new(),
            checks: BTreeMap::new(),
            controller: None,
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

    /// Makes a rollout of hosts, in this order, with a gate that knows who votes where `votes` says so.
    pub(crate) fn roll(&mut self, name: &str, members: &[&str], votes: bool) -> &mut Rollout {
        let address = Address::new("rollout", name);
        let mut rollout = Rollout::new(address.clone(), members.iter().map(|member| host(member)).collect());
        if votes {
            let check = Address::new("check", name);
            let probe = Query { address: Address::new("votes", "now"), attributes: BTreeMap::new() };
            self.checks.insert(check.clone(), Check { address: check.clone(), probes: vec![probe] });
            rollout.gates.push(check);
        }
        self.rollouts.insert(address.clone(), rollout);
        self.rollouts.get_mut(&address).unwrap()
    }

    pub(crate) fn plan(&self, operation: &Operation, selection: &Selection) -> Plan {
        self.try_plan(operation, selection).unwrap()
    }

    pub(crate) fn try_plan(&self, operation: &Operation, selection: &Selection) -> Result<Plan, Vec<Mistake>> {
        let kinds = kinds();
        let sources = Sources::from([("votes", Arc::new(Votes(KindSchema::of::<Attributes>("votes"))) as _)]);
        let request = Request {
            operation,
            kinds: &kinds,
            hosts: &self.hosts,
            resources: &self.resources,
            state: &self.state,
            runs: &self.runs,
            selection,
            rolling: Rolling {
                rollouts: &self.rollouts,
                checks: &self.checks,
                sources: &sources,
                controller: self.controller.as_deref(),
            },
        };
        let mut wanted = wanted(&request)?;
        loop {
            let first = self.read(&request, &matching(&request, &wanted, &Snapshot::new()), &wanted);
            let matching = matching(&request, &wanted, &first);
            let plan = plan(&request, &wanted, &matching, &self.read(&request, &matching, &wanted));
            if !wanted.ask_more(&request, &plan) {
                return Ok(plan);
            }
        }
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
        let asked = lookups(request, wanted, matching).into_iter();
        asked.map(|(name, asked)| (name.clone(), self.answer(&name, &asked))).collect()
    }

    /// What machines answer, by whatever id they are asked.
    pub(crate) fn answers(
        &self,
        asked: impl Iterator<Item = (HostId, Address, ReadRequest)>,
    ) -> BTreeMap<HostId, HostReading> {
        asked.filter_map(|(id, name, request)| Some((id, self.answer(&name, &request).ok()?))).collect()
    }

    fn answer(&self, name: &Address, asked: &ReadRequest) -> Result<HostReading, Unreachable> {
        let away = || Unreachable { code: crate::problem::Code("toy::away"), message: "away".to_owned(), help: None };
        let machine = self.machines.get(name).filter(|machine| !machine.is_away).ok_or_else(away)?;
        let readings = asked.lookups.iter().map(|lookup| machine.reading(&lookup.keys)).collect();
        Ok(HostReading { facts: machine.facts(name), readings })
    }
}

impl Machine {
    fn reading(&self, keys: &std::collections::BTreeSet<ItemKey>) -> Reading {
        let items = keys.iter().map(|key| {
            let raw = self.items.get(key).cloned().unwrap_or(Raw::Absent);
            let layer = |raw: &Raw| Layer { value: Some(format!("{raw:?}")), source: None };
            let running = layer(self.running.get(key).unwrap_or(&raw));
            let (configured, next_start) = (layer(&raw), layer(&raw));
            (key.clone(), Ok(ItemReading { raw, running, configured, next_start, writable: true }))
        });
        let mark = self.is_marked.then(|| ("mark".to_owned(), String::new()));
        let under = self.runs_on.as_ref().map(|on| ("runs_on".to_owned(), on.to_string()));
        let carriers: Vec<String> = self.carriers.iter().map(ToString::to_string).collect();
        let carriers = (!carriers.is_empty()).then(|| ("carriers".to_owned(), carriers.join(" ")));
        let evidence = mark.into_iter().chain(under).chain(carriers).collect();
        Reading { items: items.collect(), evidence: Arc::new(evidence) }
    }

    fn facts(&self, name: &Address) -> Facts {
        let of_its_own = Facts {
            machine_id: Some(format!("id of {name}")),
            boot_id: Some(format!("boot of {name}")),
            hostname: name.name.clone(),
            ledgers: Some(self.ledgers.clone()),
            waits_for_boot: self.waits_for_boot.clone(),
            ..Facts::default()
        };
        match &self.signs {
            None => of_its_own,
            Some(signs) => Facts {
                machine_id: Some(signs.machine.to_owned()),
                boot_id: Some(signs.boot.to_owned()),
                host_keys: std::collections::BTreeSet::from([signs.key.to_owned()]),
                ..of_its_own
            },
        }
    }
}
