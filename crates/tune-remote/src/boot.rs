//! What waits for the next boot although `tune` did not write it: a newer kernel, upgraded packages.
//!
//! Only what costs nothing beside the survey of a read: names of directories and two small files. Which unit files were
//! edited since systemd read them is not among it; that question costs a request for each unit.

use std::cmp::Ordering;

use tune_core::text::visible;

use crate::survey::{Survey, Type};

/// Where an installed kernel keeps its modules. The directory of a removed one may stay, but not this part of it.
pub(crate) const KERNELS: &str = "/lib/modules/*/kernel";
/// Debian's note that something wants a reboot.
pub(crate) const REQUIRED: &str = "/run/reboot-required";
/// The packages that want it, one in a line.
pub(crate) const PACKAGES: &str = "/run/reboot-required.pkgs";

/// How many packages are named.
const NAMED: usize = 5;

/// Returns what a reboot would activate, as phrases. `kernel` is the release that runs.
pub(crate) fn waits_for_boot(survey: &Survey, kernel: &str, container: bool) -> Vec<String> {
    let mut waits = Vec::new();
    // A container runs the kernel of its machine, whatever is installed in it.
    if !container && let Some(newer) = newer_kernel(&installed(survey), kernel) {
        waits.push(format!("the newer kernel {}", visible(newer, 80)));
    }
    if survey.paths.get(REQUIRED).is_some_and(|seen| seen.kind == Type::File) {
        let text = survey.content(PACKAGES).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        waits.extend(packages(text.as_deref().unwrap_or_default(), container));
    }
    waits
}

fn installed(survey: &Survey) -> Vec<&str> {
    let paths = survey.marks.get(&format!("mark:{KERNELS}")).into_iter().flatten();
    paths
        .filter(|path| survey.paths.get(*path).is_some_and(|seen| seen.kind == Type::Directory))
        .filter_map(|path| path.strip_suffix("/kernel")?.rsplit('/').next())
        .collect()
}

/// Returns the newest of the installed kernels that is newer than the one that runs.
fn newer_kernel<'a>(installed: &[&'a str], running: &str) -> Option<&'a str> {
    let running = version(running);
    if running.is_empty() {
        return None;
    }
    let newest = installed.iter().max_by(|a, b| version(a).cmp(&version(b)).then_with(|| a.cmp(b)))?;
    (version(newest).cmp(&running) == Ordering::Greater).then_some(newest)
}

/// Returns the numbers of a kernel's release up to the first word, `6.1.0-30-amd64` giving 6, 1, 0, 30: kernels that differ
/// only behind them are built otherwise, and neither is the newer one.
fn version(release: &str) -> Vec<u64> {
    release.split(['.', '-', '+', '_']).map_while(|part| part.parse().ok()).collect()
}

/// Returns the phrase about the packages of a note, each once.
fn packages(text: &str, container: bool) -> Option<String> {
    let mut names: Vec<&str> = text.split_whitespace().collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Some(format!("something that asked for a reboot ({REQUIRED})"));
    }
    if container {
        names.retain(|name| !name.starts_with("linux-"));
    }
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| visible(name, 60)).collect();
    let more = names.len().saturating_sub(NAMED);
    match (shown.as_slice(), more) {
        ([], _) => None,
        ([one], _) => Some(format!("the upgraded package {one}")),
        (_, 0) => Some(format!("the upgraded packages {}", shown.join(", "))),
        _ => Some(format!("the upgraded packages {} and {more} more", shown.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_newest_kernel_counts_and_only_when_it_is_newer() {
        let debian = ["6.1.0-9-amd64", "6.1.0-30-amd64", "6.1.0-30-cloud-amd64"];
        assert_eq!(newer_kernel(&debian, "6.1.0-9-amd64"), Some("6.1.0-30-cloud-amd64"));
        for (installed, running, newer) in [
            (&["6.1.0-9-amd64", "6.1.0-30-amd64"][..], "6.1.0-30-amd64", None),
            (&["6.1.0-30-rt-amd64"], "6.1.0-30-amd64", None),
            (&["6.8.12-4-pve", "6.8.12-10-pve"], "6.8.12-4-pve", Some("6.8.12-10-pve")),
            (&["5.14.0-427.13.1.el9.x86_64"], "5.14.0-427.el9.x86_64", Some("5.14.0-427.13.1.el9.x86_64")),
            (&["6.6.3-0-lts"], "6.6.10-0-lts", None),
            (&["extramodules", "*"], "6.6.10-arch1-1", None),
            (&["6.6.11-arch1-1"], "", None),
            (&[], "6.6.10", None),
        ] {
            assert_eq!(newer_kernel(installed, running), newer, "{installed:?} {running}");
        }
    }

    #[test]
    fn packages_are_named_once_and_not_without_end() {
        let phrase = |text: &str| packages(text, false).unwrap();
        assert_eq!(phrase("libc6\n"), "the upgraded package libc6");
        assert_eq!(phrase("libc6\ndbus\nlibc6\n"), "the upgraded packages dbus, libc6");
        assert_eq!(phrase("a b c d e f g"), "the upgraded packages a, b, c, d, e and 2 more");
        assert_eq!(phrase("\u{1b}[31m"), "the upgraded package ␛[31m");
        assert_eq!(phrase(" \n"), "something that asked for a reboot (/run/reboot-required)");
        assert_eq!(packages("linux-image-6.1.0-30-amd64\nlinux-base\n", true), None);
        assert_eq!(packages("linux-base\ndbus\n", true).as_deref(), Some("the upgraded package dbus"));
    }

    proptest! {
        /// Nothing that is installed is newer than the newest.
        #[test]
        fn nothing_is_newer_than_the_newest(kernels in proptest::collection::vec("[0-9]{1,3}\\.[0-9]{1,3}-[0-9]{1,3}(-[a-z]{1,3})?", 1..6)) {
            let names: Vec<&str> = kernels.iter().map(String::as_str).collect();
            for running in &names {
                let newest = newer_kernel(&names, running).unwrap_or(running);
                prop_assert_eq!(newer_kernel(&names, newest), None);
            }
        }
    }
}
