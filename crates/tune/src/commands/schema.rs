//! `tune schema`.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use serde_json::{Value as Json, json};
use tune_core::source::Use;

use crate::exit::{Exit, Failure};
use crate::kinds;
use crate::render::diagnostic::Notice;
use crate::terminal;

/// The version of the document. A higher second number only adds fields.
const FORMAT: &str = "1.0";

/// Prints what a configuration may write, as JSON: the attributes of every kind of resource, of source and of provider.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Only this kind of resource, source or provider, for example `sysctl`.
    kind: Option<String>,
}

impl Schema {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let (mut resources, mut sources, mut providers) = (resources(), sources(), providers());
        if let Some(kind) = &self.kind {
            let names: Vec<&str> = resources.keys().chain(sources.keys()).chain(providers.keys()).copied().collect();
            if !names.contains(&kind.as_str()) {
                return Err(unknown(kind, &names));
            }
            resources.retain(|name, _| name == kind);
            sources.retain(|name, _| name == kind);
            providers.retain(|name, _| name == kind);
        }
        let document = json!({
            "format_version": FORMAT,
            "resources": resources,
            "sources": sources,
            "providers": providers,
        });
        terminal::print(&format!("{document:#}\n"))?;
        Ok(Exit::Done)
    }
}

/// Returns the JSON Schema of every kind of resource.
fn resources() -> BTreeMap<&'static str, Json> {
    kinds::all()
        .into_iter()
        .map(|(name, kind)| {
            let schema = kind.schema();
            (name, json!({ "provider": schema.provider, "attributes": schema.json }))
        })
        .collect()
}

/// Returns two JSON Schemas for every kind of source: what its block takes, and what it answers.
fn sources() -> BTreeMap<&'static str, Json> {
    kinds::sources(Path::new("."))
        .into_iter()
        .map(|(name, source)| {
            let blocks = match source.usable() {
                Use::Anywhere => ["data", "probe"].as_slice(),
                Use::Probe => ["probe"].as_slice(),
            };
            (name, json!({ "blocks": blocks, "attributes": source.schema().json, "answer": source.answer().json }))
        })
        .collect()
}

/// Returns the JSON Schema of every kind of `provider` block.
fn providers() -> BTreeMap<&'static str, Json> {
    kinds::providers().into_iter().map(|schema| (schema.kind, json!({ "attributes": schema.json }))).collect()
}

fn unknown(kind: &str, names: &[&str]) -> Failure {
    let shown = tune_core::text::visible(kind, 100);
    let notice = Notice::error(format!("there is no kind of resource, source or provider `{shown}`"));
    let distance = |name: &&&str| strsim::damerau_levenshtein(name, kind);
    let nearest = names.iter().min_by_key(distance).filter(|name| distance(name) * 3 <= kind.len().max(3));
    Failure::new(notice.help(match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("write one of {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_what_is_published() {
        let published = |name: &str| -> Json {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema").join(name);
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
        };
        for (name, schema) in resources() {
            assert_eq!(schema["attributes"], published(&format!("{name}.json")), "{name}");
        }
        let (sources, mut compared) = (sources(), 0);
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/source")).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            let file = published(&format!("source/{name}"));
            let schema = &sources[name.trim_end_matches(".json")];
            assert_eq!((&schema["attributes"], &schema["answer"]), (&file["attributes"], &file["answer"]), "{name}");
            compared += 1;
        }
        assert!(compared > 0);
    }

    #[test]
    fn a_kind_that_is_none_is_refused_with_a_proposal() {
        let help = |kind: &str| unknown(kind, &["sysctl", "tcp"]).notices[0].help.clone().unwrap();
        assert_eq!(help("sysctk"), "did you mean `sysctl`?");
        assert_eq!(help("something"), "write one of `sysctl`, `tcp`");
    }
}
