//! Two toy kinds for rolling: parameters that a machine takes over when it boots or when its service is told, and virtual
//! machines of an API, whose options count from their next start.
//!
//! | key of `param` | what puts it in use |
//! |---|---|
//! | `boot.*` | a reboot |
//! | `image.*` | a reboot, and before it a new boot image |
//! | `restart.*` | a restart of the service |
//! | `reload.*` | a reload of the service |
//! | `live.*` | nothing; the file is enough |
//!
//! A machine that runs with a value of `bad` never becomes well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;
use tune_core::Address;
use tune_core::activation::{Activation, Verb};
use tune_core::contract::{Desired, DesiredItem, Effect, Impact, ItemImpact, Kind, Question};
use tune_core::item::{FileState, ItemKey, Raw};
use tune_core::path::AttributePath;
use tune_core::problem::{Code, Explanation, Problem};
use tune_core::reading::{ItemReading, Layer, Unreadable};
use tune_core::resource::Resource;
use tune_core::schema::{HostReference, KindSchema};
use tune_core::value::{Scalar, decode};
use tune_remote::{Evidence, Found, HostKind, Target};

use crate::world::{Knob, Machine, Rule};

/// The service that takes `restart.*` and `reload.*` over.
pub const SERVICE: &str = "app.service";
/// The keys of `param`.
pub const KEYS: [&str; 5] = ["boot.a", "image.a", "restart.a", "reload.a", "live.a"];
/// The options of a virtual machine.
pub const OPTIONS: [&str; 2] = ["cores", "numa"];
/// Something that neither kind knows.
pub const BAD: Code = Code("tune::param::bad");

/// Where a machine keeps what it uses.
pub(crate) const USED: &str = "/run/param";

/// The kind `param`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Param;

/// The kind `vm`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vm;

/// Parameters in files that a machine takes over.
#[derive(Debug, Deserialize, JsonSchema)]
struct Params {
    /// The host.
    host: HostReference,
    /// Values by key.
    values: BTreeMap<String, Scalar>,
}

/// Options of a virtual machine.
#[derive(Debug, Deserialize, JsonSchema)]
struct Options {
    /// The API.
    api: HostReference,
    /// The host that runs in it.
    guest: HostReference,
    /// Its name for the API.
    id: String,
    /// Values by option.
    values: BTreeMap<String, Scalar>,
}

/// Returns a machine with every parameter that the kind knows.
pub fn machine(name: &str) -> Machine {
    let mut machine = Machine::new(name);
    machine.values = KEYS.map(|key| (used(key), Knob::new("old", Rule::Any))).into();
    machine
}

/// Gives a parameter a value that is in use already, as somebody did before `tune` came.
pub fn preset(machine: &mut Machine, key: &str, value: &str) {
    if let Raw::File(file) = file(key, value) {
        machine.files.insert(path(key), file);
    }
    if let Some(knob) = machine.values.get_mut(&used(key)) {
        value.clone_into(&mut knob.value);
    }
    if key == "image.a" {
        machine.image = Some(value.to_owned());
    }
}

/// Returns the value that a machine uses.
pub fn in_use<'m>(machine: &'m Machine, key: &str) -> Option<&'m str> {
    machine.values.get(&used(key)).map(|knob| knob.value.as_str())
}

/// Returns the value of an option that a virtual machine was started with.
pub fn started_with<'m>(api: &'m Machine, key: &str) -> Option<&'m str> {
    api.values.get(&format!("/run/vm/{key}")).map(|knob| knob.value.as_str())
}

/// Adds a virtual machine to the machine that stands for an API.
pub fn add_vm(api: &mut Machine, id: &str, node: &str) {
    for option in OPTIONS {
        api.values.insert(format!("/vm/{id}/{option}"), Knob::new("old", Rule::Any));
        api.values.insert(format!("/run/vm/{id}/{option}"), Knob::new("old", Rule::Any));
    }
    api.values.insert(format!("/node/{id}"), Knob::new(node, Rule::Any));
}

/// Makes what is configured for a virtual machine count, as its start does.
pub(crate) fn start_vm(api: &mut Machine, id: &str) {
    for option in OPTIONS {
        let configured = api.values.get(&format!("/vm/{id}/{option}")).map(|knob| knob.value.clone());
        let running = api.values.get_mut(&format!("/run/vm/{id}/{option}"));
        if let (Some(configured), Some(running)) = (configured, running) {
            running.value = configured;
        }
    }
}

/// Returns the form of a parameter's file.
pub fn file(key: &str, value: &str) -> Raw {
    Raw::File(FileState::public(format!("{key} = {value}\n")))
}

/// Returns the path under which a machine keeps the value of a parameter that it uses.
pub(crate) fn used(key: &str) -> String {
    format!("{USED}/{}", key.replace('.', "/"))
}

/// Returns the value that a parameter's file has; `None` where there is no file.
pub fn value_of(raw: &Raw) -> Option<String> {
    let Raw::File(file) = raw else { return None };
    let text = String::from_utf8_lossy(&file.content).into_owned();
    Some(text.split_once('=')?.1.trim().to_owned())
}

fn mistake(text: impl Into<String>) -> Vec<Problem> {
    vec![Problem::new(BAD, AttributePath::default(), text.into(), "")]
}

fn host(reference: &HostReference) -> Result<Address, Vec<Problem>> {
    reference.0.parse().map_err(|_| mistake("not a host"))
}

impl Kind for Param {
    fn schema(&self) -> &KindSchema {
        static SCHEMA: LazyLock<KindSchema> = LazyLock::new(|| KindSchema::of::<Params>("param"));
        &SCHEMA
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn desired(&self, resource: &Resource) -> Result<Desired, Vec<Problem>> {
        let params: Params = decode(&resource.attributes).map_err(|error| mistake(error.to_string()))?;
        let items = params.values.iter().map(|(key, value)| DesiredItem {
            key: key.as_str().into(),
            path: AttributePath::attribute("values").key(key),
            want: file(key, &value.0),
        });
        Ok(Desired { host: host(&params.host)?, guest: None, items: items.collect() })
    }

    fn canonical(&self, _: &ItemKey, raw: &Raw) -> Raw {
        raw.clone()
    }

    /// A file that is absent means the value of the factory.
    fn impact(&self, question: &Question<'_>) -> Impact {
        let items = question.desired.items.iter().map(|item| {
            let wanted = value_of(&item.want).unwrap_or_else(|| "old".to_owned());
            let found = question.reading.items.get(&item.key).and_then(|found| found.as_ref().ok());
            let is_used = found.is_some_and(|found| found.running.value.as_deref() == Some(wanted.as_str()));
            let activations = if is_used { BTreeSet::new() } else { activations(&item.key) };
            let effect = if activations_exist(&item.key) { Effect::Activation } else { Effect::AtOnce };
            (item.key.clone(), ItemImpact { effect, activations, ..ItemImpact::default() })
        });
        Impact { items: items.collect(), ..Impact::default() }
    }
}

pub(crate) fn path(key: &str) -> String {
    format!("/etc/param.d/{key}.conf")
}

fn activations_exist(key: &ItemKey) -> bool {
    !key.0.starts_with("live.")
}

fn activations(key: &ItemKey) -> BTreeSet<Activation> {
    let reboot = Activation::machine(Verb::Reboot);
    match key.0.split('.').next() {
        Some("boot") => [reboot].into(),
        Some("image") => [reboot, Activation::machine(Verb::BootImage)].into(),
        Some("restart") => [Activation::of(Verb::Restart, SERVICE)].into(),
        Some("reload") => [Activation::of(Verb::Reload, SERVICE)].into(),
        _ => BTreeSet::new(),
    }
}

impl HostKind for Param {
    fn target(&self, key: &ItemKey) -> Option<Target> {
        KEYS.contains(&key.0.as_str()).then(|| Target::File { path: path(&key.0) })
    }

    fn evidence(&self) -> &'static [&'static str] {
        &["/run/param/*/*"]
    }

    fn layers(&self, key: &ItemKey, found: &Found, evidence: &Evidence) -> Result<ItemReading, Unreadable> {
        let layer = |value: Option<String>| Layer { value, source: None };
        let configured = layer(value_of(&found.raw));
        let running = if activations_exist(key) {
            layer(evidence.files.get(&used(&key.0)).map(|text| text.trim().to_owned()))
        } else {
            layer(Some(value_of(&found.raw).unwrap_or_else(|| "old".to_owned())))
        };
        let next_start = configured.clone();
        Ok(ItemReading { raw: found.raw.clone(), running, configured, next_start, writable: true })
    }
}

impl Kind for Vm {
    fn schema(&self) -> &KindSchema {
        static SCHEMA: LazyLock<KindSchema> = LazyLock::new(|| KindSchema::of::<Options>("vm"));
        &SCHEMA
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn desired(&self, resource: &Resource) -> Result<Desired, Vec<Problem>> {
        let options: Options = decode(&resource.attributes).map_err(|error| mistake(error.to_string()))?;
        let items = options.values.iter().map(|(option, value)| DesiredItem {
            key: ItemKey(format!("{}/{option}", options.id)),
            path: AttributePath::attribute("values").key(option),
            want: Raw::Text(value.0.clone()),
        });
        Ok(Desired { host: host(&options.api)?, guest: Some(host(&options.guest)?), items: items.collect() })
    }

    fn canonical(&self, _: &ItemKey, raw: &Raw) -> Raw {
        raw.clone()
    }

    fn impact(&self, question: &Question<'_>) -> Impact {
        let items = question.desired.items.iter().map(|item| {
            let found = question.reading.items.get(&item.key).and_then(|found| found.as_ref().ok());
            let running = found.and_then(|found| found.running.value.clone()).map(Raw::Text);
            let cycle = Activation::of(Verb::PowerCycle, item.key.0.split('/').next().unwrap_or_default());
            let activations = if running.as_ref() == Some(&item.want) { BTreeSet::new() } else { [cycle].into() };
            (item.key.clone(), ItemImpact { effect: Effect::Activation, activations, ..ItemImpact::default() })
        });
        let evidence = &question.reading.evidence;
        let id = question.desired.items.first().and_then(|item| item.key.0.split('/').next());
        let runs_on = id.and_then(|id| evidence.get(&format!("/node/{id}")));
        Impact {
            items: items.collect(),
            runs_on: runs_on.map(|name| Address::new("host", name.trim())),
            ..Impact::default()
        }
    }
}

impl HostKind for Vm {
    fn target(&self, key: &ItemKey) -> Option<Target> {
        let (_, option) = key.0.split_once('/')?;
        OPTIONS.contains(&option).then(|| Target::Value { path: format!("/vm/{key}") })
    }

    fn evidence(&self) -> &'static [&'static str] {
        &["/run/vm/*/*", "/node/*"]
    }

    fn layers(&self, key: &ItemKey, found: &Found, evidence: &Evidence) -> Result<ItemReading, Unreadable> {
        let configured = match &found.raw {
            Raw::Text(text) => Layer { value: Some(text.clone()), source: None },
            _ => Layer::default(),
        };
        let running = evidence.files.get(&format!("/run/vm/{key}")).map(|text| text.trim().to_owned());
        let next_start = configured.clone();
        let running = Layer { value: running, source: None };
        Ok(ItemReading { raw: found.raw.clone(), running, configured, next_start, writable: true })
    }
}
