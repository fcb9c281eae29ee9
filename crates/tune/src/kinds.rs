//! The list of providers. A new kind is one line here and one in `Cargo.toml`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tune_core::contract::{Kind, Kinds};
use tune_core::problem::Explanation;
use tune_core::schema::KindSchema;
use tune_core::source::Sources;
use tune_remote::HostKind;

/// Returns every kind whose items live on hosts, by name.
pub(crate) fn on_hosts() -> BTreeMap<&'static str, Arc<dyn HostKind>> {
    let kinds: [Arc<dyn HostKind>; 2] = [tune_sysctl::kind(), tune_zfs::kind()];
    kinds.into_iter().map(|kind| (kind.schema().kind, kind)).collect()
}

/// Returns every kind, by name.
pub(crate) fn all() -> Kinds {
    let mut all: Kinds = on_hosts().into_iter().map(|(name, kind)| (name, kind as Arc<dyn Kind>)).collect();
    let in_apis = [tune_proxmox::kind()];
    all.extend(in_apis.into_iter().map(|kind| (kind.schema().kind, kind)));
    all
}

/// Returns what each kind of `provider` block takes.
pub(crate) fn providers() -> Vec<&'static KindSchema> {
    vec![tune_proxmox::provider_schema()]
}

/// Returns every kind of source, by name; files that they are told of lie below `folder`, the configuration's.
pub(crate) fn sources(folder: &Path) -> Sources {
    let lists = [tune_etcd::sources(folder), tune_probe::sources(folder), tune_k3s::sources(), tune_proxmox::sources()];
    lists.into_iter().flatten().map(|source| (source.schema().kind, source)).collect()
}

/// Returns the manual entries of every code that this program knows, sorted by code.
pub(crate) fn explanations() -> Vec<Explanation> {
    let fixed = [
        tune_config::EXPLANATIONS,
        tune_core::plan::EXPLANATIONS,
        tune_engine::EXPLANATIONS,
        tune_remote::EXPLANATIONS,
        tune_source::EXPLANATIONS,
    ];
    let mut all: Vec<Explanation> = fixed.into_iter().flatten().copied().collect();
    all.extend(self::all().values().flat_map(|kind| kind.explanations()));
    all.extend(sources(Path::new(".")).values().flat_map(|source| source.explanations()));
    all.sort_by_key(|explanation| explanation.code);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_once() {
        let codes: Vec<_> = explanations().into_iter().map(|explanation| explanation.code).collect();
        let mut once = codes.clone();
        once.dedup();
        assert_eq!(codes, once);
        assert!(codes.iter().all(|code| code.0.starts_with("tune::")), "{codes:?}");
    }
}
