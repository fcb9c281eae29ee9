//! The provider for virtual machines of Proxmox VE: kind `proxmox_vm`.
//!
//! Its pure half says which options a resource wants ([`desired`]), when a change takes effect ([`forecast`]), what does
//! not go together ([`combinations`]) and what a change would do ([`impact`], [`advice`]). What the options are is data
//! in [`table`].
//!
//! A resource's items are one per managed option, or per sub-option of a property string such as a disk's line.
//!
//! Its other half talks to the API: [`http`] and [`api`] make calls, [`survey`] reads, [`write`] writes and puts back what
//! went wrong half-way, [`power`] sees power cycles through. Waiting is bounded and happens only where the API does
//! something in its own time; everything else is the engine's business.

mod advice;
mod api;
mod attributes;
mod clock;
mod codes;
mod combinations;
mod connection;
mod connector;
mod desired;
mod dial;
mod failure;
mod forecast;
mod http;
mod impact;
mod key;
mod login;
mod pause;
mod permissions;
mod power;
mod property;
mod settings;
mod sources;
mod stored;
mod survey;
mod table;
mod tls;
mod value;
mod vm;
mod write;

pub use connector::{ProxmoxConnector, connector, connector_through};
pub use dial::{Dial, Stream};
pub use sources::sources;

use std::sync::{Arc, LazyLock};

use tune_core::contract::{Desired, Impact, Kind, Question};
use tune_core::item::{ItemKey, Raw};
use tune_core::problem::{Explanation, Problem};
use tune_core::resource::Resource;
use tune_core::schema::KindSchema;

use crate::key::Key;

/// The kind `proxmox_vm`.
#[derive(Debug)]
pub struct ProxmoxVm {
    schema: KindSchema,
    clusters: vm::LastCluster,
}

/// Returns the kind, for a program's list of kinds.
pub fn kind() -> Arc<dyn Kind> {
    Arc::new(ProxmoxVm { schema: attributes::schema(), clusters: vm::LastCluster::default() })
}

/// Returns what a `provider "proxmox"` block takes.
pub fn provider_schema() -> &'static KindSchema {
    static SCHEMA: LazyLock<KindSchema> = LazyLock::new(settings::schema);
    &SCHEMA
}

impl Kind for ProxmoxVm {
    fn schema(&self) -> &KindSchema {
        &self.schema
    }

    fn explanations(&self) -> &'static [Explanation] {
        &codes::EXPLANATIONS
    }

    fn desired(&self, resource: &Resource) -> Result<Desired, Vec<Problem>> {
        desired::desired(resource)
    }

    fn canonical(&self, key: &ItemKey, raw: &Raw) -> Raw {
        canonical(key, raw)
    }

    fn impact(&self, question: &Question<'_>) -> Impact {
        impact::impact(question, &self.clusters)
    }

    fn show(&self, key: &ItemKey, raw: &Raw) -> String {
        show(key, raw)
    }

    fn label(&self, key: &ItemKey) -> String {
        Key::parse(key).map_or_else(|| key.0.clone(), |key| key.label())
    }
}

/// The canonical form of an item: absence is its default, where it has one.
fn canonical(key: &ItemKey, raw: &Raw) -> Raw {
    let Some(row) = Key::parse(key).and_then(|key| key.row()) else { return raw.clone() };
    match raw {
        Raw::Absent => row.default.map_or(Raw::Absent, |default| Raw::Text(default.to_owned())),
        Raw::Text(text) => Raw::Text(value::canonical(row.of, text)),
        Raw::File(_) => raw.clone(),
    }
}

/// An item's form as a person reads it.
fn show(key: &ItemKey, raw: &Raw) -> String {
    let row = Key::parse(key).and_then(|key| key.row());
    match (raw, row) {
        (Raw::Absent, Some(row)) if row.name == "cache" => "none (default)".to_owned(),
        (Raw::Absent, Some(row)) if row.default.is_some() => {
            format!("{} (default)", word(row, row.default.unwrap_or_default()))
        }
        (Raw::Absent | Raw::File(_), _) => "absent".to_owned(),
        (Raw::Text(text), Some(row)) => word(row, &value::canonical(row.of, text)),
        (Raw::Text(text), None) => text.clone(),
    }
}

/// A bool is shown as a configuration writes it.
fn word(row: &table::Row, text: &str) -> String {
    match (row.of, text) {
        (table::Type::Bool, "1") => "true".to_owned(),
        (table::Type::Bool, "0") => "false".to_owned(),
        _ => text.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests;
