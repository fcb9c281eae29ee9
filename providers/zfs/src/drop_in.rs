//! The files in `/etc/modprobe.d` that are ours: one with all parameters of a resource that can also be set while the
//! module runs, and one for each parameter that the module takes only when it is loaded.

use tune_core::item::{FileState, ItemKey, Raw};

use crate::conf;
use crate::load::Load;
use crate::name::Name;

/// The directory that beats all others.
const DIRECTORY: &str = "/etc/modprobe.d/";

/// What marks a file as ours. It names nothing that can change, so a rename of the resource changes no file.
const MARK: &str = "# Managed by tune: edits are lost. Change the configuration instead.";

/// How the names of files for single parameters begin. No resource's name has a full stop in it.
const SINGLE: &str = "zz-tune.";

/// Names that distributions and well-known programs ship, in any of the directories.
const TAKEN: &[&str] = &[
    "aliases.conf",
    "alsa-base.conf",
    "amd64-microcode-blacklist.conf",
    "blacklist.conf",
    "blacklist-ath_pci.conf",
    "blacklist-firewire.conf",
    "blacklist-framebuffer.conf",
    "blacklist-rare-network.conf",
    "dist-blacklist.conf",
    "dkms.conf",
    "fbdev-blacklist.conf",
    "intel-microcode-blacklist.conf",
    "iwlwifi.conf",
    "kvm.conf",
    "lockd.conf",
    "mdadm.conf",
    "mlx4.conf",
    "nixos.conf",
    "nvidia.conf",
    "pve-blacklist.conf",
    "systemd.conf",
    "tuned.conf",
    "vfio.conf",
    "zfs.conf",
];

/// Returns the file name for a resource that does not choose one.
pub(crate) fn default_name(resource: &str) -> String {
    format!("zz-tune-{resource}.conf")
}

/// Returns the file as an item, or why its name cannot be used.
pub(crate) fn item(name: &str) -> Result<ItemKey, String> {
    let complaint = if name.contains('/') {
        "a file name is wanted, not a path: the file is always in `/etc/modprobe.d`"
    } else if name.starts_with('.') {
        "a file whose name starts with a dot is not read"
    } else if name.strip_suffix(".conf").is_none() {
        "only files whose names end in `.conf` are read"
    } else if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+')) {
        "a name is made of letters, digits and `.` `_` `-` `@` `+`"
    } else if name.len() > 200 {
        "the name is longer than 200 bytes"
    } else if name.starts_with(SINGLE) {
        "such names are for the files of single parameters"
    } else if TAKEN.contains(&name) {
        "a distribution ships a file of this name, which ours would hide or replace"
    } else {
        return Ok(ItemKey(format!("{DIRECTORY}{name}")));
    };
    Err(complaint.to_owned())
}

/// Returns the file for one parameter that the module takes only when it is loaded.
pub(crate) fn single(name: &Name) -> ItemKey {
    ItemKey(format!("{DIRECTORY}{SINGLE}{}.{}.conf", name.module, name.parameter))
}

/// Returns the parameter that a file is for, if it is for a single one.
pub(crate) fn single_name(item: &ItemKey) -> Option<Name> {
    let stem = item.0.strip_prefix(DIRECTORY)?.strip_prefix(SINGLE)?.strip_suffix(".conf")?;
    Name::of(&ItemKey::from(stem))
}

/// Returns the path of the file that an item stands for, if it stands for one.
pub(crate) fn path(item: &ItemKey) -> Option<&str> {
    if single_name(item).is_some() {
        return Some(&item.0);
    }
    let name = item.0.strip_prefix(DIRECTORY)?;
    (self::item(name).ok().as_ref() == Some(item)).then_some(&item.0)
}

/// Returns the file with these parameters, in order.
pub(crate) fn file<'a>(parameters: impl Iterator<Item = (&'a Name, &'a str)>) -> Raw {
    let lines = parameters.map(|(name, value)| format!("options {} {}={value}\n", name.module, name.parameter));
    let text: Vec<String> = std::iter::once(format!("{MARK}\n")).chain(lines).collect();
    Raw::File(FileState::public(text.concat()))
}

/// Returns whether a file's text says that it is ours.
pub(crate) fn is_ours(text: &str) -> bool {
    text.lines().next() == Some(MARK)
}

/// Returns the text of a file, nothing for an absent one.
pub(crate) fn text(raw: &Raw) -> Option<String> {
    match raw {
        Raw::File(state) => Some(String::from_utf8_lossy(&state.content).into_owned()),
        Raw::Absent | Raw::Text(_) => None,
    }
}

/// Returns what a file by itself gives a parameter.
pub(crate) fn value_in(raw: &Raw, name: &Name) -> Option<String> {
    let text = text(raw)?;
    // Any name that counts will do: there is no other file.
    let set = Load::of([("/etc/modprobe.d/x.conf", text.as_str())], "").outcome(name)?;
    Some(set.value)
}

/// Returns the modules that a file has options for.
pub(crate) fn modules(raw: &Raw) -> Vec<String> {
    let mut modules: Vec<String> =
        text(raw).map(|text| conf::lines(&text)).unwrap_or_default().into_iter().map(|line| line.module).collect();
    modules.sort();
    modules.dedup();
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_free() {
        for (name, expect) in [
            ("zz-tune-txg.conf", ""),
            ("zz_late@home+1.conf", ""),
            ("a/b.conf", "a file name is wanted"),
            ("../x.conf", "a file name is wanted"),
            ("", "only files"),
            (".conf", "a file whose name starts with a dot"),
            ("txg", "only files"),
            ("txg.conf.bak", "only files"),
            ("t xg.conf", "a name is made of"),
            ("t\u{1b}xg.conf", "a name is made of"),
            ("té.conf", "a name is made of"),
            ("zfs.conf", "a distribution ships"),
            ("zz-tune.zfs.x.conf", "such names are for"),
            (&format!("{}.conf", "x".repeat(200)), "the name is longer"),
        ] {
            match item(name) {
                Ok(key) => assert_eq!((path(&key), expect), (Some(&*format!("/etc/modprobe.d/{name}")), "")),
                Err(complaint) => assert!(!expect.is_empty() && complaint.starts_with(expect), "{name}: {complaint}"),
            }
        }
    }

    #[test]
    fn a_single_parameter_is_read_back_from_its_file_name() {
        let name = Name::new("nvme-core", "io_timeout").unwrap();
        let key = single(&name);
        assert_eq!(key.0, "/etc/modprobe.d/zz-tune.nvme_core.io_timeout.conf");
        assert_eq!((single_name(&key), path(&key)), (Some(name), Some(key.0.as_str())));
        for key in ["/etc/modprobe.d/zz-tune.zfs.conf", "/etc/modprobe.d/zz-tune.a-b.c.conf", "zz-tune.zfs.x.conf"] {
            assert_eq!((single_name(&key.into()), path(&key.into())), (None, None), "{key}");
        }
    }

    #[test]
    fn a_file_of_ours_is_recognised_and_read_back() {
        let timeout = Name::new("zfs", "zfs_txg_timeout").unwrap();
        let other = Name::new("spl", "spl_hostid").unwrap();
        let raw = file([(&timeout, "3"), (&other, "0x7")].into_iter());
        let text = text(&raw).unwrap();
        assert_eq!(
            text,
            "# Managed by tune: edits are lost. Change the configuration instead.\noptions zfs zfs_txg_timeout=3\n\
             options spl spl_hostid=0x7\n"
        );
        assert!(is_ours(&text) && !is_ours("options zfs zfs_txg_timeout=3\n") && !is_ours(""));
        assert_eq!(value_in(&raw, &timeout).as_deref(), Some("3"));
        assert_eq!(value_in(&raw, &Name::new("zfs", "spl_hostid").unwrap()), None);
        assert_eq!(value_in(&Raw::Absent, &timeout), None);
        assert_eq!(modules(&raw), ["spl", "zfs"]);
    }
}
