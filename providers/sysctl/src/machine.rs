//! What the evidence says about the machine: how it boots, what is mounted, which modules it loads, and which files
//! take part at the next boot. This module draws no conclusion for a setting.

use tune_core::item::{ItemKey, Raw};
use tune_core::reading::Layer;
use tune_remote::Evidence;

use crate::boot::{self, Boot, Outcome, Program};
use crate::drop_in;
use crate::pairs;

/// Every file that is looked at beside the parameters themselves.
pub(crate) const EVIDENCE: &[&str] = &[
    "/etc/sysctl.d/*.conf",
    "/run/sysctl.d/*.conf",
    "/usr/local/lib/sysctl.d/*.conf",
    "/usr/lib/sysctl.d/*.conf",
    "/lib/sysctl.d/*.conf",
    "/etc/sysctl.conf",
    "/etc/modules",
    "/etc/modules-load.d/*.conf",
    "/run/modules-load.d/*.conf",
    "/usr/local/lib/modules-load.d/*.conf",
    "/usr/lib/modules-load.d/*.conf",
    INIT,
    MOUNTS,
    KUBELET_STATE,
    "/proc/sys/vm/dirty_ratio",
    "/proc/sys/vm/dirty_bytes",
    "/proc/sys/vm/dirty_background_ratio",
    "/proc/sys/vm/dirty_background_bytes",
];

const INIT: &str = "/proc/1/comm";
const MOUNTS: &str = "/proc/self/mountinfo";
/// Every kubelet keeps this file, and nothing secret is in it.
const KUBELET_STATE: &str = "/var/lib/kubelet/cpu_manager_state";

/// What process 1 is called where something other than systemd boots the machine. Any other name is that of a
/// container's main program, for which the rules of systemd are as good as any.
const OTHER_INITS: &[&str] = &["init", "openrc-init", "runit", "s6-svscan", "dinit", "finit", "busybox", "procd"];

/// Targets of links by which a configuration manager generates `/etc`.
const STORES: &[&str] = &["/nix/store/", "/etc/static/", "/gnu/store/"];

/// Returns the program that sets parameters at boot.
pub(crate) fn boot_program(evidence: &Evidence) -> Program {
    if other_init(evidence).is_some() { Program::Procps } else { Program::Systemd }
}

/// Returns what process 1 is called, where it is an init system other than systemd.
pub(crate) fn other_init(evidence: &Evidence) -> Option<&str> {
    let name = evidence.files.get(INIT)?.trim();
    OTHER_INITS.contains(&name).then_some(name)
}

/// Returns whether pods run on this machine.
pub(crate) fn runs_pods(evidence: &Evidence) -> bool {
    evidence.files.contains_key(KUBELET_STATE) || evidence.unreadable.contains_key(KUBELET_STATE)
}

/// Returns whether a file tells the boot to load the module. The two spellings of a module's name are the same.
pub(crate) fn loads_module(evidence: &Evidence, module: &str) -> bool {
    let plain = |name: &str| name.replace('-', "_");
    let lists = evidence.files.iter().filter(|(path, _)| path.contains("/modules-load.d/") || *path == "/etc/modules");
    lists.flat_map(|(_, text)| text.lines()).any(|line| {
        let line = line.trim();
        !line.starts_with(['#', ';']) && line.split_whitespace().next().is_some_and(|name| plain(name) == plain(module))
    })
}

/// Returns whether the parameter's file is the kernel's own, and not one that somebody mounted over it.
pub(crate) fn is_kernels_own(evidence: &Evidence, proc_path: &str) -> bool {
    let Some(mounts) = evidence.files.get(MOUNTS) else { return true };
    let above = mounts.lines().filter_map(|line| {
        let (fields, rest) = line.split_once(" - ")?;
        let point = fields.split(' ').nth(4)?;
        let below = proc_path.strip_prefix(point)?;
        let covers = point == "/" || below.is_empty() || below.starts_with('/');
        covers.then(|| (point.len(), rest.split(' ').next().unwrap_or_default()))
    });
    // Of two mounts on one point the later one is seen.
    above.max_by_key(|(length, _)| *length).is_none_or(|(_, kind)| kind == "proc")
}

/// Returns a file of `/etc/sysctl.d` that a configuration manager generates.
pub(crate) fn generated(evidence: &Evidence) -> Option<&str> {
    let is_generated = |(path, to): &(&String, &String)| {
        path.starts_with("/etc/sysctl.d/") && STORES.iter().any(|store| to.starts_with(store))
    };
    evidence.links.iter().find(is_generated).map(|(path, _)| path.as_str())
}

/// Returns the live value of a parameter that was read as evidence.
pub(crate) fn live<'a>(evidence: &'a Evidence, proc_path: &str) -> Option<&'a str> {
    evidence.files.get(proc_path).map(|text| text.trim())
}

/// Returns the files that take part in a boot, with one of them replaced.
///
/// A link that leads nowhere takes part too: it hides files of its name in other directories.
pub(crate) fn files<'a>(
    evidence: &'a Evidence,
    replaced: Option<(&'a str, &'a str)>,
) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
    let found = evidence.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    let dangling = evidence.links.keys().filter(|path| !evidence.files.contains_key(*path));
    found
        .chain(dangling.map(|path| (path.as_str(), "")))
        .filter(move |(path, _)| replaced.is_none_or(|(other, _)| *path != other))
        .chain(replaced)
}

/// Returns a file that takes part in a boot but could not be read.
pub(crate) fn unreadable(evidence: &Evidence) -> Option<&str> {
    evidence.unreadable.keys().find(|path| boot::counts(path)).map(String::as_str)
}

/// Returns what the next boot would make of an item's setting if nothing is changed; nothing, if a file that takes part
/// cannot be read.
pub(crate) fn next_boot(evidence: &Evidence, item: &ItemKey, show: impl Fn(&Raw) -> String) -> Layer {
    if unreadable(evidence).is_some() {
        return Layer::default();
    }
    let kernel_default = |source| Layer { value: Some("kernel default".to_owned()), source };
    let boot = Boot::of(boot_program(evidence), files(evidence, None));
    match boot.outcome(&pairs::names_of(item)) {
        Outcome::KernelDefault => kernel_default(None),
        Outcome::Excluded(source) => kernel_default(Some(source)),
        Outcome::Set(set) => {
            Layer { value: Some(show(&raw_of(item, &set.name, &set.value))), source: Some(set.source()) }
        }
    }
}

/// Returns what a file of ours, of whichever resource, sets the item's setting to.
pub(crate) fn configured(evidence: &Evidence, item: &ItemKey, show: impl Fn(&Raw) -> String) -> Layer {
    let ours =
        files(evidence, None).filter(|(path, text)| path.starts_with("/etc/sysctl.d/") && drop_in::is_ours(text));
    match Boot::of(Program::Systemd, ours).outcome(&pairs::names_of(item)) {
        Outcome::Set(set) => {
            Layer { value: Some(show(&raw_of(item, &set.name, &set.value))), source: Some(set.source()) }
        }
        Outcome::KernelDefault | Outcome::Excluded(_) => Layer::default(),
    }
}

/// The restorable form of an item whose setting has this value under this name.
fn raw_of(item: &ItemKey, name: &str, value: &str) -> Raw {
    Raw::Text(if pairs::pair_of(item).is_some() { format!("{name}={value}") } else { value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn evidence(files: &[(&str, &str)]) -> Evidence {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Evidence { files, ..Evidence::default() }
    }

    #[test]
    fn process_one_tells_how_the_machine_boots() {
        for (name, expect) in
            [("systemd\n", Program::Systemd), ("init\n", Program::Procps), ("sleep\n", Program::Systemd)]
        {
            assert_eq!(boot_program(&evidence(&[(INIT, name)])), expect, "{name}");
        }
        assert_eq!(boot_program(&Evidence::default()), Program::Systemd);
    }

    #[test]
    fn mounts_over_parameters_are_seen() {
        let mounts = "30 1 0:5 / / rw - overlay overlay rw\n\
                      31 30 0:6 / /proc rw,nosuid shared:3 - proc proc rw\n\
                      32 31 0:6 /sys /proc/sys ro - proc proc rw\n\
                      33 32 0:7 / /proc/sys/vm rw - tmpfs tmpfs rw\n";
        let evidence = evidence(&[(MOUNTS, mounts)]);
        assert!(!is_kernels_own(&evidence, "/proc/sys/vm/swappiness"));
        assert!(is_kernels_own(&evidence, "/proc/sys/kernel/panic"));
        assert!(is_kernels_own(&evidence, "/proc/sys/vmx/y"));
        assert!(is_kernels_own(&Evidence::default(), "/proc/sys/vm/swappiness"));
    }

    #[test]
    fn modules_are_found_in_either_spelling() {
        let evidence = evidence(&[
            ("/etc/modules-load.d/k8s.conf", "# nf_conntrack\nbr-netfilter\n"),
            ("/etc/modules", "overlay"),
            ("/etc/sysctl.d/a.conf", "ip_vs"),
        ]);
        assert!(loads_module(&evidence, "br_netfilter") && loads_module(&evidence, "overlay"));
        assert!(!loads_module(&evidence, "nf_conntrack") && !loads_module(&evidence, "ip_vs"));
    }

    #[test]
    fn a_generated_etc_is_noticed() {
        let linked = |to: &str| Evidence {
            links: BTreeMap::from([("/etc/sysctl.d/60-nixos.conf".to_owned(), to.to_owned())]),
            ..Evidence::default()
        };
        assert!(generated(&linked("/etc/static/sysctl.d/60-nixos.conf")).is_some());
        assert!(generated(&linked("../sysctl.conf")).is_none());
    }

    #[test]
    fn a_link_to_nowhere_hides_other_files() {
        let mut evidence = evidence(&[("/usr/lib/sysctl.d/50-x.conf", "vm.swappiness = 1")]);
        let key = ItemKey::from("vm.swappiness");
        let show = |raw: &Raw| format!("{raw:?}");
        assert_eq!(next_boot(&evidence, &key, show).source.unwrap(), "/usr/lib/sysctl.d/50-x.conf:1");
        evidence.links.insert("/etc/sysctl.d/50-x.conf".to_owned(), "/nowhere".to_owned());
        assert_eq!(next_boot(&evidence, &key, show).value.unwrap(), "kernel default");
    }
}
