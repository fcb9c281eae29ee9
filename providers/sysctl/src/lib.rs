//! The provider for kernel parameters: kind `sysctl`.
//!
//! It is pure. It says which parameters and which file a resource wants ([`desired`]), what a reading means for the
//! running kernel and for the next boot ([`machine`], [`boot`]), and what a change would do ([`impact`], [`advice`]).
//! How a host is reached and how anything is written is `tune-remote`'s business.
//!
//! A resource's items are one per parameter, one per pair such as `vm.dirty_ratio` and `vm.dirty_bytes`, and one file
//! in `/etc/sysctl.d`. Read [`known`] for what is known of single parameters.

mod advice;
mod attributes;
mod boot;
mod codes;
mod conf;
mod desired;
mod drop_in;
mod glob;
mod impact;
mod key;
mod known;
mod machine;
mod pairs;
mod value;

use std::sync::Arc;

use tune_core::contract::{Desired, Impact, Kind, Question};
use tune_core::item::{ItemKey, Raw};
use tune_core::problem::{Explanation, Problem};
use tune_core::reading::{ItemReading, Layer, Reading, Unreadable};
use tune_core::resource::Resource;
use tune_core::schema::KindSchema;
use tune_remote::{Evidence, Found, HostKind, Target};

use crate::key::Key;

/// The kind `sysctl`.
#[derive(Debug)]
pub struct Sysctl {
    schema: KindSchema,
}

/// Returns the kind, for a program's list of kinds.
pub fn kind() -> Arc<Sysctl> {
    Arc::new(Sysctl { schema: KindSchema::of::<attributes::Attributes>("sysctl") })
}

impl Kind for Sysctl {
    fn schema(&self) -> &KindSchema {
        &self.schema
    }

    fn explanations(&self) -> &'static [Explanation] {
        codes::EXPLANATIONS
    }

    fn desired(&self, resource: &Resource) -> Result<Desired, Vec<Problem>> {
        desired::desired(resource)
    }

    fn canonical(&self, key: &ItemKey, raw: &Raw) -> Raw {
        canonical(key, raw)
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
        pairs::pair_of(key).map_or_else(|| key.0.clone(), |pair| pair.first.to_owned())
    }
}

impl HostKind for Sysctl {
    fn target(&self, key: &ItemKey) -> Option<Target> {
        if let Some(path) = drop_in::path(key) {
            let name = path.rsplit('/').next().unwrap_or_default();
            return (drop_in::item(name).ok().as_ref() == Some(key)).then(|| Target::File { path: path.to_owned() });
        }
        let half = |name: &str| Some((name.to_owned(), Key::parse(name).ok()?.proc_path()));
        if let Some(pair) = pairs::pair_of(key) {
            return Some(Target::Either { first: half(pair.first)?, second: half(pair.second)? });
        }
        half(&key.0).map(|(_, path)| Target::Value { path })
    }

    fn evidence(&self) -> &'static [&'static str] {
        machine::EVIDENCE
    }

    fn layers(&self, key: &ItemKey, found: &Found, evidence: &Evidence) -> Result<ItemReading, Unreadable> {
        let raw = found.raw.clone();
        if let Some(path) = drop_in::path(key) {
            if let Some(link) = machine::generated(evidence) {
                return Err(Unreadable {
                    code: codes::GENERATED_ETC,
                    message: format!("`{link}` is generated from a store, and so would be every file beside it"),
                    help: Some("set the parameters in the system's own configuration".to_owned()),
                });
            }
            let value = (raw != Raw::Absent).then(|| show(key, &raw));
            let layer = Layer { source: value.is_some().then(|| path.to_owned()), value };
            return Ok(ItemReading {
                raw,
                running: Layer::default(),
                configured: layer.clone(),
                next_start: layer,
                writable: found.writable,
            });
        }
        let shown = |raw: &Raw| show(key, raw);
        Ok(ItemReading {
            running: Layer { value: (raw != Raw::Absent).then(|| shown(&raw)), source: None },
            configured: machine::configured(evidence, key, shown),
            next_start: machine::next_boot(evidence, key, shown),
            writable: found.writable,
            raw,
        })
    }
}

/// The canonical form of an item of this kind.
fn canonical(key: &ItemKey, raw: &Raw) -> Raw {
    let Raw::Text(text) = raw else { return raw.clone() };
    if pairs::pair_of(key).is_none() {
        return Raw::Text(value::canonical(&key.0, text));
    }
    match pairs::half(raw) {
        Some((name, value)) => Raw::Text(format!("{}={}", name.trim(), value::canonical(name.trim(), value))),
        None => raw.clone(),
    }
}

/// An item's form as a person reads it. A pair goes by the name of its first half, which is 0 while the second is used.
fn show(key: &ItemKey, raw: &Raw) -> String {
    let form = canonical(key, raw);
    match &form {
        Raw::Absent => "absent".to_owned(),
        Raw::File(file) => format!("{} bytes, mode {:04o}", file.content.len(), file.mode),
        Raw::Text(text) => match (pairs::pair_of(key), pairs::half(&form)) {
            (Some(pair), Some((name, value))) if name == pair.second => format!("0 ({name} = {value})"),
            (Some(_), Some((_, value))) => value.to_owned(),
            _ => text.clone(),
        },
    }
}

#[cfg(test)]
mod tests;
