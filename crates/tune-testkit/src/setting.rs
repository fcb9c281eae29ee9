//! The toy kind: values of an imaginary kernel and the one file that keeps them over a boot. It has every difficulty that
//! a real kind on hosts has, and nothing else: pairs, clamps, refusals, consent, a door that shuts the host off.
//!
//! | key | what is special |
//! |---|---|
//! | `plain.*` | nothing |
//! | `clamp.*` | numbers outside 0 to 100 are silently brought into the range |
//! | `strict.*` | what is no number from 0 to 100 is refused |
//! | `pair.ratio`, `pair.bytes` | writing one zeroes the other: one item |
//! | `size.*` | a lower value than the live one needs the consent `decrease` |
//! | `net.door` | `shut` cuts the connection |

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;
use tune_core::contract::{Desired, DesiredItem, Effect, Impact, ItemImpact, Kind, Question};
use tune_core::item::{FileState, ItemKey, Raw};
use tune_core::path::AttributePath;
use tune_core::problem::{Advice, Code, Explanation, Problem};
use tune_core::reading::{ItemReading, Layer, Reading, Unreadable};
use tune_core::resource::{Consent, Resource};
use tune_core::schema::{HostReference, KindSchema};
use tune_core::value::{Scalar, decode};
use tune_remote::{Evidence, Found, HostKind, Target};

use crate::world::{Knob, Machine, Rule};

/// The kind `setting`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Setting;

/// A key that this kernel does not have, or both halves of the pair.
pub const BAD_KEY: Code = Code("tune::setting::bad_key");
/// A later file decides the next boot.
pub const OVERRIDDEN: Code = Code("tune::setting::overridden");
/// Somebody else's file is where ours should be.
pub const FOREIGN_FILE: Code = Code("tune::setting::foreign_file");

/// Values of the imaginary kernel.
#[derive(Debug, Deserialize, JsonSchema)]
struct Attributes {
    /// The host.
    host: HostReference,
    /// Values by key.
    settings: BTreeMap<String, Scalar>,
    /// The name of the file that keeps them over a boot, without directory and `.conf`.
    file: Option<String>,
}

const MARK: &str = "# written by tune\n";
const DIRECTORY: &str = "/etc/setting.d";
const ROOT: &str = "/proc/setting";
const PAIR: (&str, &str) = ("pair.ratio", "pair.bytes");

/// Returns a machine with every value that the kind knows.
pub fn machine(name: &str) -> Machine {
    let zeroes = |other: &str| Rule::Zeroes(path(other));
    let knobs = [
        ("plain.a", Knob::new("60", Rule::Any)),
        ("plain.b", Knob::new("4096\t87380", Rule::Any)),
        ("plain.c", Knob::new("on", Rule::Any)),
        ("clamp.a", Knob::new("20", Rule::Clamp(0, 100))),
        ("strict.a", Knob::new("30", Rule::Number(0, 100))),
        (PAIR.0, Knob::new("20", zeroes(PAIR.1))),
        (PAIR.1, Knob::new("0", zeroes(PAIR.0))),
        ("size.a", Knob::new("1000", Rule::Any)),
        ("net.door", Knob::new("open", Rule::Door)),
    ];
    let mut machine = Machine::new(name);
    machine.values = knobs.map(|(key, knob)| (path(key), knob)).into();
    machine
}

/// Returns the key of the file item of a name.
pub fn file_key(name: &str) -> ItemKey {
    ItemKey(format!("{DIRECTORY}/{name}.conf"))
}

/// Returns the item that stands for a setting's key.
pub fn item_key(key: &str) -> ItemKey {
    if key == PAIR.0 || key == PAIR.1 { pair_key() } else { ItemKey(key.to_owned()) }
}

fn pair_key() -> ItemKey {
    ItemKey(format!("{}|{}", PAIR.0, PAIR.1))
}

fn path(key: &str) -> String {
    format!("{ROOT}/{}", key.replace('.', "/"))
}

fn words(text: &str) -> String {
    let word = |word: &str| word.parse::<i64>().map_or_else(|_| word.to_owned(), |number| number.to_string());
    text.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

impl Kind for Setting {
    fn schema(&self) -> &KindSchema {
        static SCHEMA: LazyLock<KindSchema> = LazyLock::new(|| KindSchema::of::<Attributes>("setting"));
        &SCHEMA
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn desired(&self, resource: &Resource) -> Result<Desired, Vec<Problem>> {
        let whole = AttributePath::attribute("settings");
        let attributes: Attributes = decode(&resource.attributes)
            .map_err(|error| vec![Problem::new(BAD_KEY, whole.clone(), error.to_string(), "")])?;
        let kernel = machine("any").values;
        let mut problems = Vec::new();
        let mut items: Vec<DesiredItem> = Vec::new();
        for (key, value) in &attributes.settings {
            let place = whole.clone().key(key);
            if !kernel.contains_key(&path(key)) {
                problems.push(Problem::new(BAD_KEY, place, format!("there is no `{key}`"), "not a key of this kernel"));
                continue;
            }
            let item = item_key(key);
            if items.iter().any(|other| other.key == item) {
                let message = format!("`{}` and `{}` exclude each other", PAIR.0, PAIR.1);
                problems.push(Problem::new(BAD_KEY, place, message, "the second half"));
                continue;
            }
            let text = if item == pair_key() { format!("{key}={}", words(&value.0)) } else { words(&value.0) };
            items.push(DesiredItem { key: item, path: place, want: Raw::Text(text) });
        }
        if let Some(file) = &attributes.file {
            let lines = attributes.settings.iter().map(|(key, value)| format!("{key} = {}\n", words(&value.0)));
            let content = std::iter::once(MARK.to_owned()).chain(lines).collect::<String>();
            let want = Raw::File(FileState::public(content));
            items.push(DesiredItem { key: file_key(file), path: AttributePath::attribute("file"), want });
        }
        let host = attributes.host.0.parse();
        match host {
            Ok(host) if problems.is_empty() => Ok(Desired { host, guest: None, items }),
            Ok(_) => Err(problems),
            Err(_) => Err(vec![Problem::new(BAD_KEY, AttributePath::attribute("host"), "not a host", "")]),
        }
    }

    fn canonical(&self, _: &ItemKey, raw: &Raw) -> Raw {
        match raw {
            Raw::Text(text) => match text.split_once('=') {
                Some((half, value)) => Raw::Text(format!("{half}={}", words(value))),
                None => Raw::Text(words(text)),
            },
            Raw::Absent | Raw::File(_) => raw.clone(),
        }
    }

    fn impact(&self, question: &Question<'_>) -> Impact {
        let mut impact = Impact::default();
        for item in &question.desired.items {
            let Some(Ok(found)) = question.reading.items.get(&item.key) else { continue };
            let mut judged = ItemImpact { may_cut_connection: item.key.0 == "net.door", ..ItemImpact::default() };
            if item.key.0.starts_with('/') {
                judged.effect = Effect::NextBoot;
                if found.raw != Raw::Absent && !question.recorded.contains(&item.key) && found.raw != item.want {
                    let message = format!("`{}` is somebody else's", item.key);
                    impact.problems.push(Problem::new(FOREIGN_FILE, item.path.clone(), message, ""));
                }
            } else if let (Raw::Text(live), Raw::Text(want)) = (&found.raw, &item.want) {
                let lower = matches!((live.parse::<i64>(), want.parse::<i64>()), (Ok(live), Ok(want)) if want < live);
                if item.key.0.starts_with("size.") && lower {
                    judged.needs.insert(Consent::Decrease, format!("`{}` would fall from {live} to {want}", item.key));
                }
                impact.advice.extend(overridden(question, item, want));
            }
            impact.items.insert(item.key.clone(), judged);
        }
        impact
    }

    fn marked_by(&self, key: &ItemKey, reading: &Reading) -> Option<ItemKey> {
        let is_ours = matches!(
            reading.items.get(key),
            Some(Ok(ItemReading { raw: Raw::File(file), .. })) if file.content.starts_with(MARK.as_bytes())
        );
        is_ours.then(|| key.clone())
    }
}

/// Says which later file decides the next boot, where our own file would not.
fn overridden(question: &Question<'_>, item: &DesiredItem, want: &str) -> Option<Advice> {
    let ours = question.desired.items.iter().find(|item| item.key.0.starts_with('/'))?;
    let evidence = Evidence::from_texts(&question.reading.evidence);
    let (value, source) = next_boot(&item.key, &evidence)?;
    (source.as_str() > ours.key.0.as_str() && value != want).then(|| Advice {
        code: OVERRIDDEN,
        path: item.path.clone(),
        text: format!("{source} sets `{}` to {value} after our file.", item.key),
    })
}

/// Returns what files make of an item at a boot, and which one does.
fn next_boot(key: &ItemKey, evidence: &Evidence) -> Option<(String, String)> {
    let mut decided = None;
    for (path, text) in &evidence.files {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.split_once('=') else { continue };
            let (name, value) = (name.trim(), words(value));
            if name == key.0 {
                decided = Some((value, path.clone()));
            } else if *key == pair_key() && item_key(name) == *key {
                decided = Some((format!("{name}={value}"), path.clone()));
            }
        }
    }
    decided
}

impl HostKind for Setting {
    fn target(&self, key: &ItemKey) -> Option<Target> {
        if *key == pair_key() {
            let half = |key: &str| (key.to_owned(), path(key));
            return Some(Target::Either { first: half(PAIR.0), second: half(PAIR.1) });
        }
        if key.0.starts_with('/') {
            return Some(Target::File { path: key.0.clone() });
        }
        Some(Target::Value { path: path(&key.0) })
    }

    fn evidence(&self) -> &'static [&'static str] {
        &["/etc/setting.d/*.conf"]
    }

    fn layers(&self, key: &ItemKey, found: &Found, evidence: &Evidence) -> Result<ItemReading, Unreadable> {
        let running = match self.canonical(key, &found.raw) {
            Raw::Text(text) => Layer { value: Some(text), source: None },
            Raw::File(file) => Layer { value: Some(format!("{} bytes", file.content.len())), source: None },
            Raw::Absent => Layer::default(),
        };
        let next_start = if key.0.starts_with('/') {
            running.clone()
        } else {
            next_boot(key, evidence)
                .map_or_else(Layer::default, |(value, source)| Layer { value: Some(value), source: Some(source) })
        };
        let configured = next_start.clone();
        Ok(ItemReading { raw: found.raw.clone(), running, configured, next_start, writable: found.writable })
    }
}
