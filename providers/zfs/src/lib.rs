//! The provider for kernel modules and first of all for ZFS: kind `zfs_module`.
//!
//! It is pure. It says which parameters and which files a resource wants ([`desired`]), what a host's texts mean for the
//! next load of the module ([`load`], [`machine`]), and what a change would do ([`impact`], [`advice`]). How a host is
//! reached, and how a boot image is built or a host rebooted, is `tune-remote`'s business.
//!
//! A resource's items are one per parameter that can be set while the module runs, one file in `/etc/modprobe.d` with all
//! of those, and one file for each parameter that the module takes only when it is loaded. Read [`known`] for what is
//! known of single parameters.

mod advice;
mod attributes;
mod codes;
mod conf;
mod desired;
mod drop_in;
mod impact;
mod known;
mod load;
mod machine;
mod name;
mod value;

use std::borrow::Cow;
use std::sync::Arc;

use tune_core::contract::{Desired, Impact, Kind, Question};
use tune_core::item::{ItemKey, Raw};
use tune_core::problem::{Explanation, Problem};
use tune_core::reading::{Facts, ItemReading, Layer, Reading, Unreadable};
use tune_core::resource::Resource;
use tune_core::schema::KindSchema;
use tune_remote::{Evidence, Found, HostKind, Target};

use crate::load::Set;
use crate::machine::Machine;
use crate::name::Name;

/// The kind `zfs_module`.
#[derive(Debug)]
pub struct ZfsModule {
    schema: KindSchema,
}

/// Returns the kind, for a program's list of kinds.
pub fn kind() -> Arc<ZfsModule> {
    Arc::new(ZfsModule { schema: KindSchema::of::<attributes::Attributes>("zfs_module") })
}

impl Kind for ZfsModule {
    fn schema(&self) -> &KindSchema {
        &self.schema
    }

    fn explanations(&self) -> &'static [Explanation] {
        codes::EXPLANATIONS
    }

    fn desired(&self, resource: &Resource) -> Result<Desired, Vec<Problem>> {
        desired::desired(resource)
    }

    fn canonical(&self, _: &ItemKey, raw: &Raw) -> Raw {
        canonical(raw)
    }

    fn impact(&self, question: &Question<'_>) -> Impact {
        impact::impact(question)
    }

    fn marked_by(&self, key: &ItemKey, reading: &Reading) -> Option<ItemKey> {
        match reading.items.get(key) {
            Some(Ok(ItemReading { raw: Raw::File(state), .. })) => {
                drop_in::is_ours(&String::from_utf8_lossy(&state.content)).then(|| key.clone())
            }
            // The source is a file of ours and the line in it.
            Some(Ok(found)) => {
                let (file, _line) = found.configured.source.as_ref()?.rsplit_once(':')?;
                Some(ItemKey::from(file))
            }
            Some(Err(_)) | None => None,
        }
    }

    fn show(&self, key: &ItemKey, raw: &Raw) -> String {
        show(key, raw)
    }

    fn label(&self, key: &ItemKey) -> String {
        Name::of(key).map_or_else(|| key.0.clone(), |name| name.shown())
    }
}

impl HostKind for ZfsModule {
    fn target(&self, key: &ItemKey) -> Option<Target> {
        if let Some(path) = drop_in::path(key) {
            return Some(Target::File { path: path.to_owned() });
        }
        let name = Name::of(key)?;
        let path = name.path();
        Some(match known::reported(&name) {
            Some(known) => Target::Reported { path, table: known::ARCSTATS.to_owned(), field: known.field.to_owned() },
            None => Target::Value { path },
        })
    }

    fn evidence(&self) -> &'static [&'static str] {
        machine::EVIDENCE
    }

    fn times(&self) -> &'static [&'static str] {
        machine::TIMES
    }

    fn beside(&self, key: &ItemKey) -> Vec<String> {
        machine::beside(key)
    }

    fn layers(&self, key: &ItemKey, found: &Found, evidence: &Evidence) -> Result<ItemReading, Unreadable> {
        if drop_in::path(key).is_some() {
            return file_layers(key, found, evidence);
        }
        // Of a menu such as `cycle [fastest] original` only what is chosen can be written back.
        let raw = match &found.raw {
            Raw::Text(text) => Raw::Text(value::chosen(text).unwrap_or(text).to_owned()),
            raw => raw.clone(),
        };
        let name = Name::of(key);
        let next = name.as_ref().and_then(|name| next_load(name, evidence));
        let configured = name.as_ref().and_then(|name| machine::ours(evidence).outcome(name));
        Ok(ItemReading {
            running: Layer { value: (raw != Raw::Absent).then(|| show(key, &raw)), source: None },
            configured: layer(configured),
            next_start: layer(next),
            writable: found.writable,
            raw,
        })
    }
}

fn file_layers(key: &ItemKey, found: &Found, evidence: &Evidence) -> Result<ItemReading, Unreadable> {
    if let Some(link) = machine::generated(evidence) {
        return Err(Unreadable {
            code: codes::GENERATED_ETC,
            message: format!("`{link}` is generated from a store, and so would be every file beside it"),
            help: Some("set the parameters in the system's own configuration".to_owned()),
        });
    }
    let raw = found.raw.clone();
    let value = (raw != Raw::Absent).then(|| show(key, &raw));
    let file = Layer { source: value.is_some().then(|| key.0.clone()), value };
    // A file for a single parameter speaks of that parameter.
    let single = drop_in::single_name(key);
    let running = single.as_ref().and_then(|name| evidence.files.get(&name.path()));
    Ok(ItemReading {
        raw,
        running: Layer { value: running.map(|text| value::canonical(text)), source: None },
        next_start: match &single {
            Some(name) => layer(next_load(name, evidence)),
            None => file.clone(),
        },
        configured: file,
        writable: found.writable,
    })
}

fn next_load(name: &Name, evidence: &Evidence) -> Option<Set> {
    // The evidence names the kernel too, which is all that a reading needs of the facts.
    let facts = Facts::default();
    Machine { evidence: Cow::Borrowed(evidence), facts: &facts }.next_load(name)
}

fn layer(set: Option<Set>) -> Layer {
    match set {
        Some(set) => Layer { value: Some(value::canonical_input(&set.value)), source: Some(set.place.to_string()) },
        None => Layer::default(),
    }
}

/// The canonical form of an item of this kind.
fn canonical(raw: &Raw) -> Raw {
    match raw {
        Raw::Text(text) => Raw::Text(value::canonical(text)),
        Raw::Absent | Raw::File(_) => raw.clone(),
    }
}

/// An item's form as a person reads it; of a file for a single parameter, what it says.
fn show(key: &ItemKey, raw: &Raw) -> String {
    match raw {
        Raw::Absent => "absent".to_owned(),
        Raw::Text(text) => value::canonical(text),
        Raw::File(file) => drop_in::single_name(key)
            .and_then(|name| drop_in::value_in(raw, &name))
            .unwrap_or_else(|| format!("{} bytes, mode {:04o}", file.content.len(), file.mode)),
    }
}

#[cfg(test)]
mod tests;
