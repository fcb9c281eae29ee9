//! The source `systemd_unit`: the state of a service on one or more hosts.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tune_core::contract::Pending;
use tune_core::path::AttributePath;
use tune_core::problem::{Code, Explanation, Problem};
use tune_core::reading::Unreadable;
use tune_core::rollout::Query;
use tune_core::schema::{HostReference, KindSchema};
use tune_core::source::{Reach, Source};
use tune_core::text::visible;
use tune_core::value::Value;
use tune_source::{TimeLimit, attribute, bad_block, connection, host_name, of_connection, unreadable, within};

const TIMEOUT: Duration = Duration::from_secs(20);

/// What is asked, by names that every release since 2016 has.
const PROPERTIES: &str =
    "--property=Id,LoadState,ActiveState,SubState,Result,NRestarts,UnitFileState,StateChangeTimestamp,InvocationID";

const NO_SYSTEMD: Code = Code("tune::systemd_unit::no_systemd");

const EXPLANATIONS: &[Explanation] = &[Explanation {
    code: NO_SYSTEMD,
    title: "a host does not tell the state of a unit",
    text: "`systemctl show` failed there. Either the machine was not booted with systemd, as many containers are not, or \
           systemd does not answer at the moment, as for a short time while a machine boots or shuts down.",
}];

/// A unit of systemd on one or more hosts: whether it runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(title = "systemd_unit")]
#[serde(deny_unknown_fields)]
struct Attributes {
    /// The host.
    host: Option<HostReference>,
    /// The hosts, where there are several. Not together with `host`.
    hosts: Option<Vec<HostReference>>,
    /// The unit: `etcd.service`. Without a suffix a service is meant.
    unit: String,
    /// How long a host may take for its answer; `20s` if it is left out.
    timeout: Option<String>,
}

/// A unit on each of the hosts.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "systemd_unit")]
struct Answer {
    /// Whether it is active on every host.
    active: bool,
    /// What each host says, in the order of the block.
    units: Vec<Unit>,
}

/// A unit on one host.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
struct Unit {
    /// The name of the host.
    host: String,
    /// Why the host told nothing; then the other attributes are `null`.
    error: Option<String>,
    /// Whether its file was found: `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    load_state: Option<String>,
    /// `active`, `reloading`, `inactive`, `failed`, `activating` or `deactivating`.
    active_state: Option<String>,
    /// The finer state, which depends on the sort of unit: `running`, `exited`, `auto-restart`.
    sub_state: Option<String>,
    /// How it ended the last time: `success`, `exit-code`, `signal`, `timeout`, `oom-kill`, `start-limit-hit`.
    result: Option<String>,
    /// How many times systemd has restarted it by itself since it was last started by hand.
    restarts: Option<u64>,
    /// When it came into this state, in UTC: `2026-11-20T20:21:51Z`; `null` if it never left its first state since boot.
    since: Option<String>,
    /// Whether the boot starts it: `enabled`, `disabled`, `static`, `masked`, `generated`; `null` without a file.
    enabled: Option<String>,
    /// Names this start of it; another start has another one.
    invocation_id: Option<String>,
}

#[derive(Debug)]
pub(crate) struct SystemdUnit {
    schema: KindSchema,
    answer: KindSchema,
}

impl SystemdUnit {
    pub(crate) fn new() -> Self {
        let (schema, answer) = (KindSchema::of::<Attributes>("systemd_unit"), KindSchema::of::<Answer>("systemd_unit"));
        Self { schema, answer }
    }
}

impl Source for SystemdUnit {
    fn schema(&self) -> &KindSchema {
        &self.schema
    }

    fn answer(&self) -> &KindSchema {
        &self.answer
    }

    fn explanations(&self) -> &'static [Explanation] {
        EXPLANATIONS
    }

    fn check(&self, attributes: &BTreeMap<String, Value>) -> Vec<Problem> {
        let mut problems: Vec<Problem> = TimeLimit::check(attributes, "timeout").into_iter().collect();
        problems.extend(tune_source::check_hosts(attributes));
        if let Some(unit) = attribute(attributes, "unit")
            && !is_unit(unit)
        {
            let message = "`unit` is not the name of a unit";
            let help = "write it like `etcd.service`, as `systemctl list-units` shows it";
            problems.push(bad_block(AttributePath::attribute("unit"), message, "no unit can have this name", help));
        }
        problems
    }

    fn look<'a>(&'a self, query: &'a Query, reach: &'a dyn Reach) -> Pending<'a, Result<Value, Unreadable>> {
        Box::pin(async move {
            let block: Attributes = tune_source::block(&query.attributes)?;
            let timeout = TimeLimit::of(block.timeout.as_deref(), TIMEOUT);
            let hosts: Vec<HostReference> = block.host.into_iter().chain(block.hosts.unwrap_or_default()).collect();
            let asked = join_all(hosts.iter().map(|host| async {
                let name = host_name(reach, host).0;
                let unit =
                    within(timeout, &format!("`{}`", visible(&name, 200)), on_host(host, &block.unit, timeout, reach))
                        .await;
                (name, unit)
            }))
            .await;
            // Where nobody answers nothing is known, which is different from a unit that does not run.
            if let [(_, Err(first)), rest @ ..] = asked.as_slice()
                && rest.iter().all(|(_, unit)| unit.is_err())
            {
                return Err(first.clone());
            }
            let units: Vec<Unit> = asked
                .into_iter()
                .map(|(host, unit)| match unit {
                    Ok(unit) => Unit { host, ..unit },
                    Err(error) => Unit { host, error: Some(error.message), ..Unit::default() },
                })
                .collect();
            let active = units.iter().all(|unit| unit.active_state.as_deref() == Some("active"));
            Ok(tune_source::answer(&Answer { active, units }))
        })
    }
}

/// Letters, digits and `:-_.\@`, as systemd has it; at most 255 characters.
fn is_unit(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    !name.is_empty() && name.len() <= 255 && !name.starts_with('-') && name.chars().all(plain)
}

async fn on_host(host: &HostReference, unit: &str, timeout: Duration, reach: &dyn Reach) -> Result<Unit, Unreadable> {
    let asked = connection(reach, host).await?;
    // Times are written in the zone and the language of whoever asks.
    let words = ["env", "LC_ALL=C", "TZ=UTC", "systemctl", "show", PROPERTIES, "--", unit];
    let output = crate::run(&*asked.connection, &words, timeout).await.map_err(of_connection)?;
    if output.status != 0 {
        let complaint = String::from_utf8_lossy(&output.complaint);
        let first = complaint.lines().next().unwrap_or_default();
        let message = format!(
            "`systemctl show` on `{}` failed with {}: {}",
            visible(&asked.name.0, 200),
            output.status,
            visible(first, 200)
        );
        return Err(unreadable(NO_SYSTEMD, message, "See whether systemd runs there: `systemctl is-system-running`."));
    }
    parse(&String::from_utf8_lossy(&output.output)).ok_or_else(|| {
        let message = format!("`systemctl show` on `{}` prints no state", visible(&asked.name.0, 200));
        unreadable(NO_SYSTEMD, message, "Run `systemctl show` there by hand.")
    })
}

/// Reads lines `NAME=VALUE`; an empty value is none.
fn parse(text: &str) -> Option<Unit> {
    let all: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let value = |name: &str| all.get(name).filter(|value| !value.is_empty()).map(|value| (*value).to_owned());
    let active_state = value("ActiveState")?;
    Some(Unit {
        load_state: value("LoadState"),
        active_state: Some(active_state),
        sub_state: value("SubState"),
        result: value("Result"),
        restarts: value("NRestarts").and_then(|text| text.parse().ok()),
        since: value("StateChangeTimestamp").and_then(|text| since(&text)),
        enabled: value("UnitFileState"),
        invocation_id: value("InvocationID"),
        ..Unit::default()
    })
}

/// Turns `Fri 2026-11-20 20:21:51 UTC` into `2026-11-20T20:21:51Z`.
fn since(text: &str) -> Option<String> {
    let mut words = text.split(' ').skip(1);
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    let shaped = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(a, b)| if b == b'0' { a.is_ascii_digit() } else { a == b })
    };
    (shaped(date, "0000-00-00") && shaped(time, "00:00:00") && zone == "UTC").then(|| format!("{date}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemctl_prints_is_read() {
        // Of systemd 252.
        let text = "Result=success\nNRestarts=2\nId=ssh.service\nLoadState=loaded\nActiveState=active\nSubState=running\n\
                    UnitFileState=enabled\nStateChangeTimestamp=Fri 2026-11-20 20:21:51 UTC\n\
                    InvocationID=0c5d2bfa74a14bd0a6b1e3d3d6a5f3f2\n";
        let unit = parse(text).unwrap();
        assert_eq!(unit.active_state.as_deref(), Some("active"));
        assert_eq!((unit.restarts, unit.since.as_deref()), (Some(2), Some("2026-11-20T20:21:51Z")));
        assert_eq!(unit.enabled.as_deref(), Some("enabled"));
    }

    #[test]
    fn a_unit_that_does_not_exist_is_inactive_and_not_found() {
        let text = "Id=none.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\nUnitFileState=\n\
                    StateChangeTimestamp=\nInvocationID=\nNRestarts=[not set]\n";
        let unit = parse(text).unwrap();
        assert_eq!((unit.load_state.as_deref(), unit.active_state.as_deref()), (Some("not-found"), Some("inactive")));
        assert_eq!((unit.since, unit.enabled, unit.restarts, unit.invocation_id), (None, None, None, None));
    }

    #[test]
    fn what_is_no_state_is_none() {
        for text in ["", "ActiveState=\n", "Failed to connect to bus\n", "=\n", "<html>"] {
            assert_eq!(parse(text), None, "{text}");
        }
        for text in ["n/a", "", "Fri 2026-11-20 20:21:51 CET", "Fri 20-11-2026 20:21:51 UTC", "x y z UTC"] {
            assert_eq!(since(text), None, "{text}");
        }
    }

    #[test]
    fn names_of_units_are_checked() {
        assert!(["etcd", "getty@tty1.service", "a\\x2db.mount"].into_iter().all(is_unit));
        assert!(!["", "-M", "a b", "a;b", "a/b", "é"].into_iter().any(is_unit));
    }
}
