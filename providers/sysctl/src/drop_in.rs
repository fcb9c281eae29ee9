//! The one file in `/etc/sysctl.d` that a resource owns: its name and its content.

use tune_core::item::{FileState, ItemKey, Raw};

/// The directory that beats all others at boot.
const DIRECTORY: &str = "/etc/sysctl.d/";

/// What marks a file as ours. It names nothing that can change, so a rename of the resource changes no file.
const MARK: &str = "# Managed by tune: edits are lost. Change the configuration instead.";

/// Names that distributions and well-known programs ship, in any of the directories.
const TAKEN: &[&str] = &[
    "10-apparmor.conf",
    "10-bufferbloat.conf",
    "10-console-messages.conf",
    "10-default-yama-scope.conf",
    "10-ipv6-privacy.conf",
    "10-kernel-hardening.conf",
    "10-magic-sysrq.conf",
    "10-map-count.conf",
    "10-network-security.conf",
    "10-ptrace.conf",
    "10-zeropage.conf",
    "30-lxd-inotify.conf",
    "50-coredump.conf",
    "50-default.conf",
    "50-libkcapi-optmem_max.conf",
    "50-pid-max.conf",
    "50-redhat.conf",
    "60-nixos.conf",
    "99-cloudimg-ipv6.conf",
    "99-kubernetes-cri.conf",
    "99-protect-links.conf",
    "99-sysctl.conf",
    "99-zfs.conf",
    "protect-links.conf",
    "pve.conf",
    "pve-firewall.conf",
    "sysctl.conf",
];

/// Returns the file name for a resource that does not choose one.
pub(crate) fn default_name(resource: &str) -> String {
    format!("99-zz-tune-{resource}.conf")
}

/// Returns the file as an item, or why its name cannot be used.
pub(crate) fn item(name: &str) -> Result<ItemKey, String> {
    let complaint = if name.contains('/') {
        "a file name is wanted, not a path: the file is always in `/etc/sysctl.d`"
    } else if name.starts_with('.') {
        "a file whose name starts with a dot is not read at boot"
    } else if name.strip_suffix(".conf").is_none() {
        "only files whose names end in `.conf` are read at boot"
    } else if !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+')) {
        "a name is made of letters, digits and `.` `_` `-` `@` `+`"
    } else if name.len() > 200 {
        "the name is longer than 200 bytes"
    } else if TAKEN.contains(&name) {
        "a distribution ships a file of this name, which ours would hide or replace"
    } else {
        return Ok(ItemKey(format!("{DIRECTORY}{name}")));
    };
    Err(complaint.to_owned())
}

/// Returns the path of the file that an item stands for, if it stands for one.
pub(crate) fn path(item: &ItemKey) -> Option<&str> {
    item.0.strip_prefix(DIRECTORY).map(|_| item.0.as_str())
}

/// Returns the file with these lines, in order.
pub(crate) fn file<'a>(settings: impl Iterator<Item = (&'a str, &'a str)>) -> Raw {
    let lines = settings.map(|(name, value)| format!("{name} = {value}\n"));
    let text: Vec<String> = std::iter::once(format!("{MARK}\n")).chain(lines).collect();
    Raw::File(FileState::public(text.concat()))
}

/// Returns whether a file's text says that it is ours.
pub(crate) fn is_ours(text: &str) -> bool {
    text.lines().next() == Some(MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_free() {
        for (name, expect) in [
            ("99-zz-tune-etcd.conf", ""),
            ("zz_late@home+1.conf", ""),
            ("a/b.conf", "a file name is wanted"),
            ("../x.conf", "a file name is wanted"),
            ("", "only files"),
            (".conf", "a file whose name starts with a dot"),
            ("etcd", "only files"),
            ("etcd.conf.bak", "only files"),
            ("e tcd.conf", "a name is made of"),
            ("e\u{1b}tcd.conf", "a name is made of"),
            ("99-sysctl.conf", "a distribution ships"),
            (&format!("{}.conf", "x".repeat(200)), "the name is longer"),
        ] {
            match item(name) {
                Ok(key) => assert_eq!((key.0, expect), (format!("/etc/sysctl.d/{name}"), "")),
                Err(complaint) => assert!(!expect.is_empty() && complaint.starts_with(expect), "{name}: {complaint}"),
            }
        }
    }

    #[test]
    fn a_file_of_ours_is_recognised() {
        let raw = file([("vm.swappiness", "10"), ("vm.dirty_ratio", "5")].into_iter());
        let Raw::File(state) = &raw else { panic!("a file") };
        let text = String::from_utf8(state.content.clone()).unwrap();
        assert_eq!(
            text,
            "# Managed by tune: edits are lost. Change the configuration instead.\nvm.swappiness = 10\nvm.dirty_ratio \
             = 5\n"
        );
        assert_eq!((state.mode, state.uid, state.gid), (0o644, 0, 0));
        assert!(is_ours(&text) && !is_ours("vm.swappiness = 10\n") && !is_ours(""));
        assert_eq!(crate::conf::lines(&text).len(), 2);
    }
}
