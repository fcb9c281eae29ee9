//! The source `host_facts`: what a machine is.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tune_core::contract::{Pending, ReadRequest};
use tune_core::problem::{Explanation, Problem};
use tune_core::reading::Unreadable;
use tune_core::rollout::Query;
use tune_core::schema::{HostReference, KindSchema};
use tune_core::source::{Reach, Source};
use tune_core::value::Value;
use tune_source::{TimeLimit, connection, of_connection};

const TIMEOUT: Duration = Duration::from_secs(20);
const UPTIME: &str = "/proc/uptime";
const ONLINE: &str = "/sys/devices/system/cpu/online";
const RELEASES: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];

/// A machine: its names, its system, its memory and processors.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(title = "host_facts")]
#[serde(deny_unknown_fields)]
struct Attributes {
    /// The host.
    host: HostReference,
    /// How long the host may take to list its files; `20s` if it is left out.
    timeout: Option<String>,
}

/// What a machine is.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(title = "host_facts")]
struct Answer {
    /// Its own name for itself.
    hostname: String,
    /// The kernel's release: `6.1.0-28-amd64`.
    kernel: String,
    /// `/etc/machine-id`.
    machine_id: Option<String>,
    /// Names this boot; another boot has another one.
    boot_id: Option<String>,
    /// The sort of container that it is; `null` on a machine or in a virtual machine.
    container: Option<String>,
    /// Memory in KiB.
    memory_kib: Option<u64>,
    /// Whether any swap is in use.
    swap_active: Option<bool>,
    /// How many processors are in use.
    cpus: Option<u64>,
    /// For how many seconds it has been up.
    uptime_seconds: Option<u64>,
    /// `ID` of os-release: `debian`.
    os_id: Option<String>,
    /// `VERSION_ID` of os-release: `12`.
    os_version: Option<String>,
    /// `PRETTY_NAME` of os-release: `Debian GNU/Linux 12 (bookworm)`.
    os_name: Option<String>,
    /// What a reboot would activate, as phrases: `the newer kernel 6.1.0-30-amd64`.
    waits_for_boot: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct HostFacts {
    schema: KindSchema,
    answer: KindSchema,
}

impl HostFacts {
    pub(crate) fn new() -> Self {
        Self { schema: KindSchema::of::<Attributes>("host_facts"), answer: KindSchema::of::<Answer>("host_facts") }
    }
}

impl Source for HostFacts {
    fn schema(&self) -> &KindSchema {
        &self.schema
    }

    fn answer(&self) -> &KindSchema {
        &self.answer
    }

    fn explanations(&self) -> &'static [Explanation] {
        &[]
    }

    fn check(&self, attributes: &BTreeMap<String, Value>) -> Vec<Problem> {
        TimeLimit::check(attributes, "timeout").into_iter().collect()
    }

    fn look<'a>(&'a self, query: &'a Query, reach: &'a dyn Reach) -> Pending<'a, Result<Value, Unreadable>> {
        Box::pin(async move {
            let block: Attributes = tune_source::block(&query.attributes)?;
            let asked = connection(reach, &block.host).await?;
            let facts = asked.connection.read(&ReadRequest::default()).await.map_err(of_connection)?.facts;
            // Each line with the name of its file; a file that is missing is left out.
            let words = ["grep", "-sH", "", UPTIME, ONLINE, RELEASES[0], RELEASES[1]];
            let deadline = TimeLimit::of(block.timeout.as_deref(), TIMEOUT);
            let output = crate::run(&*asked.connection, &words, deadline).await.map_err(of_connection)?;
            let more = parse(&String::from_utf8_lossy(&output.output));
            Ok(tune_source::answer(&Answer {
                hostname: facts.hostname,
                kernel: facts.kernel,
                machine_id: facts.machine_id,
                boot_id: facts.boot_id,
                container: facts.container,
                memory_kib: facts.memory_kib,
                swap_active: facts.swap_active,
                waits_for_boot: facts.waits_for_boot,
                ..more
            }))
        })
    }
}

fn parse(text: &str) -> Answer {
    let lines = |file: &'static str| text.lines().filter_map(move |line| line.strip_prefix(file)?.strip_prefix(':'));
    // The file below /usr counts only where there is none below /etc.
    let release = RELEASES.into_iter().find(|file| lines(file).next().is_some()).unwrap_or(RELEASES[0]);
    let entry = |name: &str| {
        let value = lines(release).find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(unquoted(value.trim())).filter(|value| !value.is_empty())
    };
    Answer {
        cpus: lines(ONLINE).next().and_then(count),
        uptime_seconds: lines(UPTIME).next().and_then(|line| line.split(['.', ' ']).next()?.parse().ok()),
        os_id: entry("ID"),
        os_version: entry("VERSION_ID"),
        os_name: entry("PRETTY_NAME"),
        ..Answer::default()
    }
}

/// Counts a list such as `0-3,5,8-9`.
fn count(ranges: &str) -> Option<u64> {
    ranges.trim().split(',').try_fold(0_u64, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

/// Removes the quotes of a shell around a value, and its escapes.
fn unquoted(value: &str) -> String {
    if let Some(inner) = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')) {
        return inner.to_owned();
    }
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    let mut text = String::new();
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        text.push(if c == '\\' { characters.next().unwrap_or('\\') } else { c });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_names() {
        let text = "/proc/uptime:1234.56 2000.00\n/sys/devices/system/cpu/online:0-1,4\n\
                    /etc/os-release:PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n/etc/os-release:ID=debian\n\
                    /etc/os-release:VERSION_ID=\"12\"\n/usr/lib/os-release:ID=other\n";
        let answer = parse(text);
        assert_eq!((answer.uptime_seconds, answer.cpus), (Some(1234), Some(3)));
        assert_eq!((answer.os_id.as_deref(), answer.os_version.as_deref()), (Some("debian"), Some("12")));
        assert_eq!(answer.os_name.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        let answer = parse("/usr/lib/os-release:ID='it\"s'\n/sys/devices/system/cpu/online:x\n/proc/uptime:\n");
        assert_eq!((answer.os_id.as_deref(), answer.cpus, answer.uptime_seconds), (Some("it\"s"), None, None));
        assert_eq!(parse("").os_name, None);
    }

    #[test]
    fn processors_are_counted() {
        assert_eq!(["0", "0-1", "0-3,5,8-9"].map(count), [Some(1), Some(2), Some(7)]);
        assert_eq!(["", "1-0", "a", "0-18446744073709551615"].map(count), [None; 4]);
    }

    #[test]
    fn values_lose_their_quotes() {
        assert_eq!(
            ["a", "\"a b\"", "'a\"b'", "\"a\\\"b\\$\"", "\"", "a\\"].map(unquoted),
            ["a", "a b", "a\"b", "a\"b$", "\"", "a\\"]
        );
    }
}
