//! The provider that `docs/writing-a-provider.md` shows. It is compiled here and kept to the contract, and the guide may
//! show nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use tune_core::contract::{Connection, Connector, Desired, DesiredItem, Effect, Impact, ItemImpact, Kind, Question};
use tune_core::item::{FileState, ItemKey, Raw};
use tune_core::path::AttributePath;
use tune_core::problem::{Code, Explanation, Problem};
use tune_core::reading::{ItemReading, Layer, Reading, Unreadable};
use tune_core::resource::{Become, Host, Resource, Transport};
use tune_core::schema::{HostReference, KindSchema};
use tune_core::value::decode;
use tune_remote::{Evidence, Found, HostKind, Target};
use tune_testkit::contract::{Fixture, Sample};
use tune_testkit::faults::Faults;
use tune_testkit::fleet::host_address;
use tune_testkit::world::{Knob, Machine, Rule, World};

/// How far a host reads ahead on one block device: set now, and again whenever the device appears.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[schemars(title = "read_ahead")]
#[serde(deny_unknown_fields)]
struct Attributes {
    /// The host that the device is in.
    host: HostReference,
    /// The device's name below `/sys/block`, for example `sda`.
    device: String,
    /// How many kilobytes are read ahead.
    kilobytes: u32,
}

/// The kind `read_ahead`.
#[derive(Debug)]
pub struct ReadAhead {
    schema: KindSchema,
}

/// Returns the kind, for a program's list of kinds.
pub fn kind() -> Arc<ReadAhead> {
    Arc::new(ReadAhead { schema: KindSchema::of::<Attributes>("read_ahead") })
}

const BAD_DEVICE: Code = Code("tune::read_ahead::bad_device");
const NO_DEVICE: Code = Code("tune::read_ahead::no_device");
const FOREIGN_FILE: Code = Code("tune::read_ahead::foreign_file");

const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        code: BAD_DEVICE,
        title: "`device` is not the name of a block device",
        text: "A name such as `sda` or `nvme0n1` is wanted, without `/dev/`. `lsblk -d` lists the names.",
    },
    Explanation {
        code: NO_DEVICE,
        title: "the host has no such block device",
        text: "Names follow the order in which devices are found, so a disk may have another name on another host.",
    },
    Explanation {
        code: FOREIGN_FILE,
        title: "somebody else's file stands where our udev rule would be",
        text: "It was not written by `tune`, so it is left alone. Move its rule elsewhere and remove it.",
    },
];

/// What marks a file as ours.
const MARK: &str = "# Managed by tune: edits are lost.\n";

/// The udev rule's item, beside the device's own, whose key is the device's name.
fn rule_key(device: &str) -> ItemKey {
    ItemKey(format!("/etc/udev/rules.d/99-zz-tune-{device}.rules"))
}

fn is_device(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric())
}

fn is_ours(raw: &Raw) -> bool {
    matches!(raw, Raw::File(file) if file.content.starts_with(MARK.as_bytes()))
}

impl Kind for ReadAhead {
    fn schema(&self) -> &KindSchema {
        &self.schema
    }

    fn explanations(&self) -> &'static [Explanation] {
        EXPLANATIONS
    }

    fn desired(&self, resource: &Resource) -> Result<Desired, Vec<Problem>> {
        let attributes: Attributes = decode(&resource.attributes)
            .map_err(|error| vec![Problem::new(BAD_DEVICE, AttributePath::default(), error.to_string(), "")])?;
        let (Ok(host), true) = (attributes.host.0.parse(), is_device(&attributes.device)) else {
            let message = format!("`{}` is not the name of a block device", attributes.device);
            let problem =
                Problem::new(BAD_DEVICE, AttributePath::attribute("device"), message, "letters and digits only")
                    .with_help("write it as `lsblk -d` shows it");
            return Err(vec![problem]);
        };
        let (device, kilobytes) = (attributes.device, attributes.kilobytes);
        let rule = format!(
            "{MARK}ACTION==\"add|change\", KERNEL==\"{device}\", ATTR{{queue/read_ahead_kb}}=\"{kilobytes}\"\n"
        );
        let path = AttributePath::attribute("kilobytes");
        let file = DesiredItem { key: rule_key(&device), path: path.clone(), want: Raw::File(FileState::public(rule)) };
        let value = DesiredItem { key: ItemKey(device), path, want: Raw::Text(kilobytes.to_string()) };
        Ok(Desired { host, guest: None, items: vec![value, file] })
    }

    fn canonical(&self, _: &ItemKey, raw: &Raw) -> Raw {
        match raw {
            Raw::Text(text) => Raw::Text(text.trim().to_owned()),
            Raw::Absent | Raw::File(_) => raw.clone(),
        }
    }

    fn impact(&self, question: &Question<'_>) -> Impact {
        let mut impact = Impact::default();
        for item in &question.desired.items {
            let Some(Ok(found)) = question.reading.items.get(&item.key) else { continue };
            let path = item.path.clone();
            if let Raw::Text(_) = item.want {
                if found.raw == Raw::Absent {
                    let message = format!("there is no block device `{}`", item.key);
                    impact.problems.push(Problem::new(NO_DEVICE, path, message, "not below `/sys/block`"));
                }
                continue;
            }
            let at_boot = ItemImpact { effect: Effect::NextBoot, ..ItemImpact::default() };
            impact.items.insert(item.key.clone(), at_boot);
            if found.raw != Raw::Absent && !is_ours(&found.raw) && !question.recorded.contains(&item.key) {
                let message = format!("`{}` is somebody else's file", item.key);
                impact.problems.push(Problem::new(FOREIGN_FILE, path, message, "not written by `tune`"));
            }
        }
        impact
    }

    fn marked_by(&self, key: &ItemKey, reading: &Reading) -> Option<ItemKey> {
        let rule = if key.0.starts_with('/') { key.clone() } else { rule_key(&key.0) };
        matches!(reading.items.get(&rule), Some(Ok(found)) if is_ours(&found.raw)).then_some(rule)
    }

    fn label(&self, key: &ItemKey) -> String {
        if key.0.starts_with('/') { key.0.clone() } else { format!("{} read_ahead_kb", key.0) }
    }
}

impl HostKind for ReadAhead {
    fn target(&self, key: &ItemKey) -> Option<Target> {
        if is_device(&key.0) {
            return Some(Target::Value { path: format!("/sys/block/{key}/queue/read_ahead_kb") });
        }
        let device = key.0.strip_prefix("/etc/udev/rules.d/99-zz-tune-")?.strip_suffix(".rules")?;
        is_device(device).then(|| Target::File { path: key.0.clone() })
    }

    fn evidence(&self) -> &'static [&'static str] {
        &["/etc/udev/rules.d/99-zz-tune-*.rules"]
    }

    fn layers(&self, key: &ItemKey, found: &Found, evidence: &Evidence) -> Result<ItemReading, Unreadable> {
        let rule = rule_key(&key.0).0;
        let at_boot = evidence.files.get(&rule).and_then(|text| text.rsplit('"').nth(1));
        let configured = Layer { value: at_boot.map(str::to_owned), source: at_boot.map(|_| rule) };
        let value = (found.raw != Raw::Absent).then(|| self.show(key, &found.raw));
        Ok(ItemReading {
            raw: found.raw.clone(),
            running: Layer { value, source: None },
            next_start: configured.clone(),
            configured,
            writable: found.writable,
        })
    }
}

struct InMemory(World);

impl InMemory {
    fn new() -> Self {
        let world = World::new([kind() as Arc<dyn HostKind>], &Faults::default());
        let mut machine = Machine::new("local");
        for device in ["sda", "sdb"] {
            machine.values.insert(format!("/sys/block/{device}/queue/read_ahead_kb"), Knob::new("128", Rule::Any));
        }
        world.add("local", machine);
        Self(world)
    }
}

impl Fixture for InMemory {
    fn kind(&self) -> Arc<dyn Kind> {
        kind()
    }

    fn connection(&self) -> Arc<dyn Connection> {
        let host = Host {
            name: "local".to_owned(),
            address: host_address("local"),
            transport: Transport::Local,
            become_: Become::No,
        };
        self.0.connect(&host)
    }

    fn samples(&self) -> Vec<Sample> {
        let text = |text: &str| Raw::Text(text.to_owned());
        let file = |text: &str| Raw::File(FileState::public(text));
        vec![
            Sample { key: "sda".into(), after: text("256"), foreign: text("64"), spellings: vec![text(" 256")] },
            Sample { key: "sdb".into(), after: text("512"), foreign: text("64"), spellings: vec![] },
            Sample { key: rule_key("sda"), after: file(MARK), foreign: file("#"), spellings: vec![] },
        ]
    }

    fn write_by_hand(&self, key: &ItemKey, raw: &Raw) {
        self.0.drift("local", "read_ahead", key, raw);
    }

    fn everything(&self) -> BTreeMap<String, String> {
        let machine = self.0.machine("local");
        let values = machine.values.into_iter().map(|(path, knob)| (path, knob.value));
        let files = machine.files.into_iter().map(|(path, file)| (path, format!("{file:?}")));
        let ledgers = machine.ledgers.into_iter().map(|(lineage, ledger)| (lineage, format!("{ledger:?}")));
        values.chain(files).chain(ledgers).collect()
    }
}

tune_testkit::contract!(InMemory::new());

#[test]
fn the_guide_shows_this_provider() {
    let guide = include_str!("../../../docs/writing-a-provider.md");
    let shown: Vec<&str> = guide.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(shown.len() > 10, "the guide shows code: {} pieces", shown.len());
    for piece in shown {
        assert!(include_str!("guide.rs").contains(piece), "the guide shows what is not the code:\n{piece}");
    }
    let methods = ["schema", "explanations", "desired", "canonical", "impact", "marked_by", "show", "label"];
    for method in methods.into_iter().chain(["target", "evidence", "layers"]) {
        assert!(guide.contains(&format!("### `{method}`")), "the guide forgets `{method}`");
    }
}
