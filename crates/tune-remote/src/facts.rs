//! What is true of a machine as a whole, from the files of a survey.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};
use tune_core::contract::ConnectionError;
use tune_core::ledger::Ledger;
use tune_core::reading::Facts;

use crate::boot;
use crate::error::{LEDGER, not_sent};
use crate::ledger;
use crate::script::read::STATUS;
use crate::survey::{Survey, Type};

/// Where all ledgers of a host are.
const LEDGERS: &str = "/var/lib/tune";

/// Returns the facts. A ledger that cannot be understood is an error: without it nobody knows what is managed there.
pub(crate) fn facts(host: &str, survey: &Survey) -> Result<Facts, ConnectionError> {
    let line = |path: &str| text(survey, path).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let kernel = line("/proc/sys/kernel/osrelease").unwrap_or_default();
    let container = container(survey);
    Ok(Facts {
        waits_for_boot: boot::waits_for_boot(survey, &kernel, container.is_some()),
        machine_id: line("/etc/machine-id")
            .or_else(|| line("/var/lib/dbus/machine-id"))
            .filter(|id| id != "uninitialized"),
        boot_id: line("/proc/sys/kernel/random/boot_id"),
        host_keys: host_keys(survey),
        hostname: line("/proc/sys/kernel/hostname").unwrap_or_default(),
        kernel,
        uid: uid(survey).unwrap_or(u32::MAX),
        container,
        memory_kib: text(survey, "/proc/meminfo").and_then(|text| memory(&text)),
        swap_active: text(survey, "/proc/swaps").map(|text| text.lines().count() > 1),
        ledgers: ledgers(host, survey)?,
    })
}

fn text(survey: &Survey, path: &str) -> Option<String> {
    survey.content(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// The fingerprints as ssh prints them, of the public keys that the machine shows.
fn host_keys(survey: &Survey) -> BTreeSet<String> {
    let keys = survey.marks.get("mark:/etc/ssh/ssh_host_*_key.pub").into_iter().flatten();
    keys.filter_map(|path| text(survey, path)).filter_map(|key| fingerprint(&key)).collect()
}

fn fingerprint(key: &str) -> Option<String> {
    let blob = STANDARD.decode(key.split_whitespace().nth(1)?).ok()?;
    Some(format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob))))
}

/// The effective user of the process that read the files.
fn uid(survey: &Survey) -> Option<u32> {
    let status = text(survey, STATUS)?;
    status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().nth(1)?.parse().ok()
}

fn container(survey: &Survey) -> Option<String> {
    if let Some(kind) = text(survey, "/run/systemd/container").map(|text| text.trim().to_owned()) {
        return Some(if kind.is_empty() { "container".to_owned() } else { kind });
    }
    let exists =
        |path: &str| survey.paths.get(path).is_some_and(|seen| seen.kind != Type::Absent && seen.kind != Type::Hidden);
    if exists("/run/.containerenv") {
        return Some("podman".to_owned());
    }
    if exists("/.dockerenv") {
        return Some("docker".to_owned());
    }
    let environment = survey.content("/proc/1/environ")?;
    let kind = environment.split(|&byte| byte == 0).find_map(|entry| entry.strip_prefix(b"container="))?;
    Some(String::from_utf8_lossy(kind).into_owned()).filter(|kind| !kind.is_empty())
}

fn memory(meminfo: &str) -> Option<u64> {
    meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.split_whitespace().next()?.parse().ok()
}

fn ledgers(host: &str, survey: &Survey) -> Result<Option<Vec<Ledger>>, ConnectionError> {
    let Some(all) = survey.paths.get(LEDGERS) else { return Ok(None) };
    match all.kind {
        Type::Absent => return Ok(Some(Vec::new())),
        Type::Directory if all.readable => {}
        _ => return Ok(None),
    }
    let mut ledgers = Vec::new();
    for path in survey.marks.get("mark:/var/lib/tune/*/ledger.json").into_iter().flatten() {
        match survey.paths.get(path).map(|seen| (seen.kind, seen.content.as_ref())) {
            Some((Type::File, Some(Ok(json)))) => ledgers.push(ledger::from_json(json).map_err(|error| {
                not_sent(
                    LEDGER,
                    format!("the ledger `{path}` on `{host}` cannot be read: {error}"),
                    "Use the program that wrote it, or put everything back with the `undo.sh` beside it.",
                )
            })?),
            Some((Type::Absent, _)) => {}
            // Somebody else's: the user may not look.
            _ => return Ok(None),
        }
    }
    Ok(Some(ledgers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_one_that_ssh_prints() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl github";
        assert_eq!(fingerprint(key).as_deref(), Some("SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"));
        assert_eq!(fingerprint("ssh-ed25519 !!!"), None);
        assert_eq!(fingerprint(""), None);
    }

    #[test]
    fn memory_is_found() {
        assert_eq!(memory("MemFree: 1 kB\nMemTotal:       24 kB\n"), Some(24));
        assert_eq!(memory(""), None);
    }
}
