//! Whole configurations, from text to what comes out. Each area has one `check`.

mod broken;
mod expression;
mod instances;
mod property;
mod secret;
mod span;
mod variables;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use tune_core::schema::{HostReference, KindSchema};
use tune_core::value::Scalar;

use crate::{Configuration, Diagnostics, Inputs, load, resolve};

/// A kind as providers have them.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Sysctl {
    /// Where.
    host: HostReference,
    /// What.
    settings: BTreeMap<String, Scalar>,
    /// The file's name.
    drop_in: Option<String>,
    /// A number.
    level: Option<u32>,
    /// Words.
    tags: Option<Vec<String>>,
    /// Others.
    peers: Option<Vec<HostReference>>,
}

fn kind() -> KindSchema {
    KindSchema::of::<Sysctl>("sysctl")
}

fn folder(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// Resolves several files with inputs.
pub(crate) fn resolve_files(files: &[(&str, &str)], inputs: &Inputs) -> Result<Configuration, Diagnostics> {
    let (files, kind) = (folder(files), kind());
    resolve(&load(&files, &[&kind], "0.1.0"), inputs)
}

/// Resolves one file.
fn resolve_text(hcl: &str) -> Result<Configuration, Diagnostics> {
    resolve_files(&[("main.tune.hcl", hcl)], &Inputs::default())
}

/// Shows mistakes as `code «marked text» message`, one per line, without the code's common start.
fn shown(diagnostics: &Diagnostics) -> String {
    let lines = diagnostics.list.iter().map(|diagnostic| {
        let code = diagnostic.code.0.trim_start_matches("tune::config::");
        let marked = diagnostic.span().map_or_else(|| "-", |span| diagnostics.sources.marked(span));
        format!("{code} «{}» {}", marked.replace('\n', "⏎"), diagnostic.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the mistakes in one file.
fn mistakes(hcl: &str) -> Diagnostics {
    resolve_text(hcl).expect_err("the configuration should have been refused")
}

fn good(hcl: &str) -> Configuration {
    resolve_text(hcl).unwrap_or_else(|diagnostics| {
        let labels: Vec<_> = diagnostics.list.iter().map(|d| &d.labels).collect();
        panic!("refused:\n{}\n{labels:?}", shown(&diagnostics))
    })
}
