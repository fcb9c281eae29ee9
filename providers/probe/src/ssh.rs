//! The source `ssh`: what a program on a host prints. For probes only, because a person wrote it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tune_core::contract::Pending;
use tune_core::path::AttributePath;
use tune_core::problem::{Explanation, Problem};
use tune_core::reading::Unreadable;
use tune_core::rollout::Query;
use tune_core::schema::{HostReference, KindSchema};
use tune_core::source::{Command, Reach, Source, Use};
use tune_core::value::Value;
use tune_source::{TimeLimit, bad_block, check_number, connection, of_connection};

const TIMEOUT: Duration = Duration::from_secs(30);
const LIMIT: u64 = 64 * 1024;
const GREATEST_LIMIT: u64 = 1024 * 1024;

/// A program on a host: how it ended, and what it printed.
///
/// It runs with the privileges that the host block gives. It must change nothing: it is run again and again while a
/// rollout waits.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(title = "ssh")]
#[serde(deny_unknown_fields)]
struct Attributes {
    /// The host.
    host: HostReference,
    /// The program and its arguments, each a text of its own: `["zpool", "status", "-x"]`. There is no shell between, so
    /// nothing needs quotes; where one is wanted, run it: `["sh", "-c", "a | b"]`.
    command: Vec<String>,
    /// What the program reads from its standard input; nothing if it is left out.
    input: Option<String>,
    /// After how long it is ended, which is an error; `30s` if it is left out.
    timeout: Option<String>,
    /// How much it may print, in bytes; more is an error. 65536 if it is left out, and at most 1048576.
    limit: Option<usize>,
}

/// What a program printed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "ssh")]
struct Answer {
    /// The code with which it ended; by a signal, 128 and the signal's number. 0 means success.
    status: i32,
    /// What it printed, without the line breaks at the end. Bytes that are not UTF-8 are replaced by `�`.
    output: String,
    /// What it complained of, in the same form.
    error_output: String,
    /// How long it took, in milliseconds, the way to the host and back included.
    duration_ms: u64,
}

#[derive(Debug)]
pub(crate) struct Ssh {
    schema: KindSchema,
    answer: KindSchema,
}

impl Ssh {
    pub(crate) fn new() -> Self {
        Self { schema: KindSchema::of::<Attributes>("ssh"), answer: KindSchema::of::<Answer>("ssh") }
    }
}

impl Source for Ssh {
    fn schema(&self) -> &KindSchema {
        &self.schema
    }

    fn answer(&self) -> &KindSchema {
        &self.answer
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn usable(&self) -> Use {
        Use::Probe
    }

    fn check(&self, attributes: &BTreeMap<String, Value>) -> Vec<Problem> {
        let mut problems: Vec<Problem> = TimeLimit::check(attributes, "timeout").into_iter().collect();
        problems.extend(check_number(attributes, "limit", 1..=GREATEST_LIMIT));
        let words = match attributes.get("command") {
            Some(Value::List(words)) => words.as_slice(),
            _ => &[],
        };
        let path = AttributePath::attribute("command");
        let program = words.first().and_then(Value::as_str).unwrap_or_default();
        if program.is_empty() || program.starts_with('-') {
            let message = "`command` names no program";
            let help = "write the program and its arguments as a list of texts";
            problems.push(bad_block(path.clone(), message, "its first text is not the name of a program", help));
        }
        let has_nul = |word: &Value| word.as_str().is_some_and(|word| word.contains('\0'));
        if let Some(at) = words.iter().position(has_nul) {
            let message = "no argument of a program can hold the character NUL";
            problems.push(bad_block(path.index(at), message, "holds NUL", "give it through `input`"));
        }
        problems
    }

    fn look<'a>(&'a self, query: &'a Query, reach: &'a dyn Reach) -> Pending<'a, Result<Value, Unreadable>> {
        Box::pin(async move {
            let block: Attributes = tune_source::block(&query.attributes)?;
            let asked = connection(reach, &block.host).await?;
            let command = Command {
                words: block.command,
                input: block.input.unwrap_or_default().into_bytes(),
                deadline: TimeLimit::of(block.timeout.as_deref(), TIMEOUT),
                output_limit: block.limit.unwrap_or(usize::try_from(LIMIT).unwrap_or(usize::MAX)),
            };
            let begin = Instant::now();
            let output = asked.connection.command(&command).await.map_err(of_connection)?;
            Ok(tune_source::answer(&Answer {
                status: output.status,
                output: text(&output.output),
                error_output: text(&output.complaint),
                duration_ms: crate::millis(begin),
            }))
        })
    }
}

/// Returns the text as a shell's `$(…)` would give it.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches(['\n', '\r']).to_owned()
}
