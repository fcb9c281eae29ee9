//! Whole configurations, from text to what comes out. Each area has one `check`.

mod block;
mod broken;
mod conditions;
mod data;
mod expression;
mod instances;
mod modules;
pub(crate) mod property;
mod rolling;
mod secret;
mod span;
mod test_files;
mod variables;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use tune_core::reading::Unreadable;
use tune_core::schema::{Attribute, HostReference, KindSchema, Type};
use tune_core::source::Use;
use tune_core::value::Scalar;
use tune_core::{Address, Value};

use crate::{Configuration, Diagnostics, Inputs, Resolved, SourceSchema, Vocabulary, load, resolve};

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

/// A kind behind an API.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Vm {
    number: u32,
    guest: Option<HostReference>,
    /// Blocks by name.
    #[schemars(extend("x-tune-block" = true))]
    disk: Option<BTreeMap<String, String>>,
    /// Blocks without a name.
    #[schemars(extend("x-tune-block" = true))]
    tag: Option<Vec<String>>,
    /// One block.
    #[schemars(extend("x-tune-block" = true))]
    agent: Option<String>,
    limits: Option<String>,
}

/// Where the API is.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Cloud {
    endpoint: String,
    #[schemars(extend("x-tune-secret" = true))]
    token: Option<String>,
    node_hosts: Option<BTreeMap<String, HostReference>>,
}

#[derive(JsonSchema)]
struct Bare {}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Etcd {
    hosts: Vec<HostReference>,
    port: Option<u32>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct EtcdAnswer {
    leader: Option<String>,
    voters: u32,
    healthy_voters: u32,
    members: Vec<String>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Ssh {
    host: HostReference,
    command: Vec<String>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct SshAnswer {
    output: String,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Nodes {
    pool: Option<String>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct NodesAnswer {
    names: Vec<String>,
}

/// Everything that the configurations here may name.
struct Words {
    kinds: Vec<KindSchema>,
    providers: Vec<KindSchema>,
    sources: Vec<(KindSchema, KindSchema, Use)>,
}

impl Words {
    fn new() -> Self {
        let attribute = |of_type: Type| Attribute {
            of_type,
            required: false,
            doc: String::new(),
            is_block: false,
            is_secret: false,
        };
        let object = |fields: &[(&str, Type)]| {
            Type::Object(fields.iter().map(|(name, of)| ((*name).to_owned(), attribute(of.clone()))).collect())
        };
        let mut vm = KindSchema { provider: Some("cloud"), ..KindSchema::of::<Vm>("vm") };
        let limit = object(&[("read", Type::Integer), ("write", Type::Integer)]);
        let Type::Object(mut disk) = object(&[("cache", Type::String), ("limit", limit.clone())]) else {
            unreachable!("an object was made")
        };
        disk.get_mut("limit").expect("it was put in").is_block = true;
        let mut set = |name: &str, of_type: Type| vm.attributes.get_mut(name).expect("it exists").of_type = of_type;
        set("disk", Type::Map(Box::new(Type::Object(disk))));
        set("tag", Type::List(Box::new(object(&[("name", Type::String)]))));
        set("agent", object(&[("on", Type::Bool)]));
        set("limits", limit);
        let source = |schema: KindSchema, answer: KindSchema, usable| (schema, answer, usable);
        Self {
            kinds: vec![kind(), vm],
            providers: vec![KindSchema::of::<Cloud>("cloud"), KindSchema::of::<Bare>("bare")],
            sources: vec![
                source(KindSchema::of::<Etcd>("etcd"), KindSchema::of::<EtcdAnswer>("etcd"), Use::Anywhere),
                source(KindSchema::of::<Ssh>("ssh"), KindSchema::of::<SshAnswer>("ssh"), Use::Probe),
                source(
                    KindSchema { provider: Some("cloud"), ..KindSchema::of::<Nodes>("nodes") },
                    KindSchema::of::<NodesAnswer>("nodes"),
                    Use::Anywhere,
                ),
            ],
        }
    }

    fn vocabulary(&self) -> Vocabulary<'_> {
        Vocabulary {
            kinds: self.kinds.iter().collect(),
            providers: self.providers.iter().collect(),
            sources: self
                .sources
                .iter()
                .map(|(schema, answer, usable)| SourceSchema { schema, answer, usable: *usable })
                .collect(),
        }
    }
}

fn folder(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// Resolves several files with inputs.
pub(crate) fn resolve_files(files: &[(&str, &str)], inputs: &Inputs) -> Result<Configuration, Diagnostics> {
    let (files, words) = (folder(files), Words::new());
    match resolve(&load(&files, &words.vocabulary(), "0.1.0"), inputs, &BTreeMap::new())? {
        Resolved::Ready(configuration) => Ok(*configuration),
        Resolved::Needs(needs) => panic!("nothing here is to be read: {needs:?}"),
    }
}

/// Resolves one file.
fn resolve_text(hcl: &str) -> Result<Configuration, Diagnostics> {
    resolve_files(&[("main.tune.hcl", hcl)], &Inputs::default())
}

/// What was read, as [`resolve`] takes it.
type Answers = BTreeMap<Address, Result<Value, Unreadable>>;

/// Resolves one file level by level, answering from `known`. Gives the questions of each level as well; a question that
/// has no answer in `known` is a mistake of the test.
fn resolve_with(hcl: &str, known: &Answers) -> (Vec<Vec<String>>, Result<Configuration, Diagnostics>) {
    resolve_all(&[("main.tune.hcl", hcl)], known)
}

/// Does what [`resolve_with`] does for several files.
fn resolve_all(files: &[(&str, &str)], known: &Answers) -> (Vec<Vec<String>>, Result<Configuration, Diagnostics>) {
    let (files, words) = (folder(files), Words::new());
    let vocabulary = words.vocabulary();
    let module = load(&files, &vocabulary, "0.1.0");
    let (mut answers, mut levels) = (Answers::new(), Vec::new());
    loop {
        let needs = match resolve(&module, &Inputs::default(), &answers) {
            Ok(Resolved::Needs(needs)) => needs,
            Ok(Resolved::Ready(configuration)) => return (levels, Ok(*configuration)),
            Err(mistakes) => return (levels, Err(mistakes)),
        };
        let mut level = Vec::new();
        for query in &needs.queries {
            level.push(format!("{} {}", query.address, Value::Map(query.attributes.clone())));
            let hosts = query.attributes.values().flat_map(|value| match value {
                Value::List(items) => items.clone(),
                value => vec![value.clone()],
            });
            for host in hosts.filter_map(|value| value.as_str()?.parse::<Address>().ok()) {
                assert!(needs.hosts.contains_key(&host) || needs.providers.contains_key(&host), "{host} is not known");
            }
            let answer = known.get(&query.address).unwrap_or_else(|| panic!("{} is not answered", query.address));
            assert!(answers.insert(query.address.clone(), answer.clone()).is_none(), "{} again", query.address);
        }
        levels.push(level);
    }
}

/// What comes of the first level of a configuration, whatever that is.
fn first_level(files: &[(&str, &str)]) -> String {
    let (files, words) = (folder(files), Words::new());
    let vocabulary = words.vocabulary();
    match resolve(&load(&files, &vocabulary, "0.1.0"), &Inputs::default(), &BTreeMap::new()) {
        Ok(resolved) => format!("{resolved:?}"),
        Err(mistakes) => format!("{mistakes:?}"),
    }
}

/// Returns a value that is written as HCL.
fn value_of(hcl: &str) -> Value {
    good(&format!("output \"x\" {{\n  value = {hcl}\n}}\n")).outputs["x"].value.clone()
}

/// Returns answers that are written as HCL.
fn answers(pairs: &[(&str, &str)]) -> Answers {
    let parsed = |address: &str| address.parse().expect("an address");
    pairs.iter().map(|(address, hcl)| (parsed(address), Ok(value_of(hcl)))).collect()
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
