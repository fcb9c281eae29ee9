//! What the evidence says about the host: which files and which command line decide the next load, whether the module
//! is loaded from the boot image, and whether that image has seen the files. This module draws no conclusion for a
//! parameter.

use std::borrow::Cow;

use tune_core::item::ItemKey;
use tune_core::reading::Facts;
use tune_remote::Evidence;

use crate::drop_in;
use crate::load::{self, COMMAND_LINE, Load, Place, Set};
use crate::name::{Name, ZFS};

/// Every file that is looked at beside the items themselves.
pub(crate) const EVIDENCE: &[&str] = &[
    "/etc/modprobe.d/*.conf",
    "/run/modprobe.d/*.conf",
    "/usr/local/lib/modprobe.d/*.conf",
    "/usr/lib/modprobe.d/*.conf",
    "/lib/modprobe.d/*.conf",
    COMMAND_LINE,
    KERNEL,
    MOUNTS,
    "/usr/share/initramfs-tools/hooks/zfs",
    "/etc/initramfs-tools/hooks/zfs",
    "/usr/lib/dracut/modules.d/90zfs/module-setup.sh",
    "/etc/initramfs-tools/modules",
    "/etc/dracut.conf",
    "/etc/dracut.conf.d/*.conf",
    "/usr/lib/dracut/dracut.conf.d/*.conf",
    "/etc/mkinitcpio.conf",
    crate::known::ARCSTATS,
    "/sys/module/zfs/parameters/zfs_dirty_data_max_max",
];

/// Every file of which only the time counts: boot images as the usual tools name them, and what they copy.
pub(crate) const TIMES: &[&str] = &[
    "/boot/initrd.img-*",
    "/boot/initramfs-*",
    "/boot/*/*/initrd",
    "/boot/efi/*/*/initrd",
    "/efi/*/*/initrd",
    "/boot/EFI/Linux/*.efi",
    "/boot/efi/EFI/Linux/*.efi",
    "/efi/EFI/Linux/*.efi",
    "/etc/modprobe.d/*.conf",
];

const MOUNTS: &str = "/proc/self/mountinfo";
const KERNEL: &str = "/proc/sys/kernel/osrelease";

/// Scripts that put ZFS into a boot image.
const ZFS_HOOKS: &[&str] = &[
    "/usr/share/initramfs-tools/hooks/zfs",
    "/etc/initramfs-tools/hooks/zfs",
    "/usr/lib/dracut/modules.d/90zfs/module-setup.sh",
];

/// Lists of what else goes into one.
const IMAGE_LISTS: &[&str] = &["/etc/initramfs-tools/", "/etc/dracut.conf", "/usr/lib/dracut/", "/etc/mkinitcpio.conf"];

/// Words in the names of images that are not built anew with the others.
const KEPT_IMAGES: &[&str] = &["rescue", "fallback", ".old", ".bak", ".dpkg"];

/// Targets of links by which a configuration manager generates `/etc`.
const STORES: &[&str] = &["/nix/store/", "/etc/static/", "/gnu/store/"];

/// What is known about the machine, apart from the parameters themselves.
#[derive(Debug)]
pub(crate) struct Machine<'a> {
    pub(crate) evidence: Cow<'a, Evidence>,
    pub(crate) facts: &'a Facts,
}

impl Machine<'_> {
    /// Returns the kind of container that shares the kernel's modules with a machine. WSL is a machine of its own.
    pub(crate) fn container(&self) -> Option<&str> {
        self.facts.container.as_deref().filter(|kind| *kind != "wsl")
    }

    /// Returns what the module would be given with one of the files replaced: `None` stands for a removed one.
    pub(crate) fn load_with<'b>(&'b self, replaced: impl IntoIterator<Item = (&'b str, Option<&'b str>)>) -> Load {
        let replaced: Vec<_> = replaced.into_iter().collect();
        let others = files(&self.evidence).filter(|(path, _)| replaced.iter().all(|(other, _)| path != other));
        let ours = replaced.iter().filter_map(|(path, text)| Some((*path, (*text)?)));
        Load::of(others.chain(ours), command_line(&self.evidence))
    }

    /// Returns the boot image that the next boot would take: that of the running kernel, or else the newest. With the
    /// time at which it was made.
    pub(crate) fn boot_image(&self) -> Option<(&str, i64)> {
        let kernel = self.evidence.files.get(KERNEL).map_or(self.facts.kernel.as_str(), |text| text.trim());
        let images = self.evidence.times.iter().filter(|(path, _)| {
            let name = path.rsplit('/').next().unwrap_or_default();
            (path.starts_with("/boot/") || path.starts_with("/efi/"))
                && !KEPT_IMAGES.iter().any(|kept| name.contains(kept))
        });
        let of_kernel = |path: &str| !kernel.is_empty() && path.split(['/', ' ']).any(|part| is_of(part, kernel));
        let (running, others): (Vec<_>, Vec<_>) = images.partition(|(path, _)| of_kernel(path));
        let best = if running.is_empty() { others } else { running };
        best.into_iter().max_by_key(|(_, time)| **time).map(|(path, time)| (path.as_str(), *time))
    }

    /// Returns whether the module may be loaded out of the boot image, with the copy of modprobe.d that is in there.
    ///
    /// For ZFS there is evidence. What else is in an image cannot be told without unpacking it, and building one anew
    /// interrupts nothing, so any other module counts as in it.
    pub(crate) fn is_in_boot_image(&self, module: &str) -> bool {
        if self.boot_image().is_none() {
            return false;
        }
        module != ZFS || self.root_is_zfs() || self.has_zfs_hook() || self.image_lists_zfs()
    }

    fn root_is_zfs(&self) -> bool {
        let mounts = self.evidence.files.get(MOUNTS).map(String::as_str).unwrap_or_default();
        let of_root = |line: &str| {
            let (fields, rest) = line.split_once(" - ")?;
            (fields.split(' ').nth(4)? == "/").then(|| rest.starts_with("zfs "))
        };
        // Of two mounts on one point the later one is seen.
        let words = || command_line(&self.evidence).split_whitespace();
        mounts.lines().filter_map(of_root).next_back() == Some(true)
            || words().any(|word| word.starts_with("root=ZFS=") || word.starts_with("root=zfs:") || word == "boot=zfs")
    }

    fn has_zfs_hook(&self) -> bool {
        let is_there =
            |hook: &&str| self.evidence.files.contains_key(*hook) || self.evidence.unreadable.contains_key(*hook);
        ZFS_HOOKS.iter().any(is_there)
    }

    fn image_lists_zfs(&self) -> bool {
        let lists =
            self.evidence.files.iter().filter(|(path, _)| IMAGE_LISTS.iter().any(|list| path.starts_with(list)));
        let mut lines =
            lists.filter(|(path, _)| !ZFS_HOOKS.contains(&path.as_str())).flat_map(|(_, text)| text.lines());
        lines.any(|line| {
            let line = line.trim();
            !line.starts_with('#')
                && line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == ZFS)
        })
    }

    /// Returns whether the boot image is older than a file that it copies.
    pub(crate) fn boot_image_lacks(&self, path: &str) -> bool {
        let changed = self.evidence.times.get(path);
        matches!((self.boot_image(), changed), (Some((_, made)), Some(changed)) if made < *changed)
    }

    /// Returns what a parameter would be set to at the next load if nothing is changed. Nothing is known where a file
    /// cannot be read, or where the value stands in a file that the boot image has not seen.
    pub(crate) fn next_load(&self, name: &Name) -> Option<Set> {
        let set = load(&self.evidence)?.outcome(name)?;
        let is_stale = |path: &str| self.is_in_boot_image(&name.module) && self.boot_image_lacks(path);
        (!matches!(&set.place, Place::File { path, .. } if is_stale(path))).then_some(set)
    }

    /// Returns what a parameter is now, where it was read as evidence.
    pub(crate) fn running(&self, name: &Name) -> Option<&str> {
        self.evidence.files.get(&name.path()).map(|text| text.strip_suffix('\n').unwrap_or(text))
    }

    /// Returns whether the module is there as one that was loaded; one that is built into the kernel is not.
    pub(crate) fn is_loaded(&self, name: &Name) -> bool {
        self.evidence.files.contains_key(&name.state_path())
    }

    /// Returns what the statistics of ZFS say of a field.
    pub(crate) fn arcstat(&self, field: &str) -> Option<i128> {
        let table = self.evidence.files.get(crate::known::ARCSTATS)?;
        let words: Vec<&str> = table.split_ascii_whitespace().collect();
        words.windows(3).find(|words| words[0] == field)?[2].parse().ok()
    }

    /// Returns whether the parameter's file is the kernel's own, and not one that somebody mounted over it.
    pub(crate) fn is_kernels_own(&self, path: &str) -> bool {
        let Some(mounts) = self.evidence.files.get(MOUNTS) else { return true };
        let above = mounts.lines().filter_map(|line| {
            let (fields, rest) = line.split_once(" - ")?;
            let point = fields.split(' ').nth(4)?;
            let below = path.strip_prefix(point)?;
            let covers = point == "/" || below.is_empty() || below.starts_with('/');
            covers.then(|| (point.len(), rest.split(' ').next().unwrap_or_default()))
        });
        above.max_by_key(|(length, _)| *length).is_none_or(|(_, kind)| kind == "sysfs")
    }
}

/// Whether a part of a path names the kernel: `initrd.img-6.1.0`, `initramfs-6.1.0.img`, `6.1.0`, `debian-6.1.0.efi`.
fn is_of(part: &str, kernel: &str) -> bool {
    let part = part.strip_suffix(".img").or_else(|| part.strip_suffix(".efi")).unwrap_or(part);
    part.strip_suffix(kernel).is_some_and(|before| before.is_empty() || before.ends_with('-'))
}

/// Returns the files that may say something about a load.
///
/// A link that leads nowhere takes part too: it hides files of its name in other directories.
pub(crate) fn files(evidence: &Evidence) -> impl Iterator<Item = (&str, &str)> + Clone {
    let found = evidence.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    let dangling = evidence.links.keys().filter(|path| !evidence.files.contains_key(*path));
    found.chain(dangling.map(|path| (path.as_str(), ""))).filter(|(path, _)| load::counts(path))
}

/// Returns the kernel's command line.
pub(crate) fn command_line(evidence: &Evidence) -> &str {
    evidence.files.get(COMMAND_LINE).map(String::as_str).unwrap_or_default()
}

/// Returns what the module would be given if nothing is changed; nothing is known, if a file cannot be read.
pub(crate) fn load(evidence: &Evidence) -> Option<Load> {
    unreadable(evidence).is_none().then(|| Load::of(files(evidence), command_line(evidence)))
}

/// Returns what our own files say, of whichever resource.
pub(crate) fn ours(evidence: &Evidence) -> Load {
    let ours = files(evidence).filter(|(path, text)| path.starts_with("/etc/modprobe.d/") && drop_in::is_ours(text));
    Load::of(ours, "")
}

/// Returns a file that takes part in a load but could not be read.
pub(crate) fn unreadable(evidence: &Evidence) -> Option<&str> {
    let counts = |path: &&String| load::counts(path) || *path == COMMAND_LINE;
    evidence.unreadable.keys().find(counts).map(String::as_str)
}

/// Returns a file of `/etc/modprobe.d` that a configuration manager generates.
pub(crate) fn generated(evidence: &Evidence) -> Option<&str> {
    let is_generated = |(path, to): &(&String, &String)| {
        path.starts_with("/etc/modprobe.d/") && STORES.iter().any(|store| to.starts_with(store))
    };
    evidence.links.iter().find(is_generated).map(|(path, _)| path.as_str())
}

/// Returns the files that are read because of one item: what tells whether its module is there, and what it is now.
pub(crate) fn beside(key: &ItemKey) -> Vec<String> {
    match Name::of(key).or_else(|| drop_in::single_name(key)) {
        Some(name) => vec![name.path(), name.state_path()],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "/boot/initrd.img-6.1.0-42-amd64";

    fn machine<'a>(facts: &'a Facts, files: &[(&str, &str)], times: &[(&str, i64)]) -> Machine<'a> {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let times = times.iter().map(|(path, time)| ((*path).to_owned(), *time)).collect();
        Machine { evidence: Cow::Owned(Evidence { files, times, ..Evidence::default() }), facts }
    }

    fn facts() -> Facts {
        Facts { kernel: "6.1.0-42-amd64".to_owned(), ..Facts::default() }
    }

    #[test]
    fn the_boot_image_is_the_running_kernels() {
        let facts = facts();
        for (times, expect) in [
            (&[(DEBIAN, 5), ("/boot/initrd.img-6.1.0-43-amd64", 9)][..], Some(DEBIAN)),
            (&[("/boot/initramfs-6.1.0-42-amd64.img", 5)], Some("/boot/initramfs-6.1.0-42-amd64.img")),
            (
                &[("/boot/abc/6.1.0-42-amd64/initrd", 5), ("/boot/abc/7/initrd", 6)],
                Some("/boot/abc/6.1.0-42-amd64/initrd"),
            ),
            (&[("/efi/EFI/Linux/debian-6.1.0-42-amd64.efi", 5)], Some("/efi/EFI/Linux/debian-6.1.0-42-amd64.efi")),
            (
                &[("/boot/initramfs-linux.img", 5), ("/boot/initramfs-linux-fallback.img", 6)],
                Some("/boot/initramfs-linux.img"),
            ),
            (&[("/boot/initramfs-0-rescue-abc.img", 5), ("/etc/modprobe.d/a.conf", 9)], None),
            (&[("/boot/initrd.img-16.1.0-42-amd64", 5)], Some("/boot/initrd.img-16.1.0-42-amd64")),
        ] {
            assert_eq!(machine(&facts, &[], times).boot_image().map(|(path, _)| path), expect, "{times:?}");
        }
    }

    #[test]
    fn zfs_is_in_the_boot_image_where_something_says_so() {
        let facts = facts();
        let mounts = |kind: &str| {
            format!("24 1 0:5 / / rw,relatime shared:1 - {kind} rpool/ROOT rw\n25 24 0:6 / /tank rw - zfs tank rw\n")
        };
        let check = |path: &str, text: &str| machine(&facts, &[(path, text)], &[(DEBIAN, 5)]).is_in_boot_image("zfs");
        assert!(check(MOUNTS, &mounts("zfs")) && !check(MOUNTS, &mounts("ext4")));
        assert!(check(COMMAND_LINE, "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n") && !check(COMMAND_LINE, "root=/dev/sda1"));
        assert!(check("/usr/share/initramfs-tools/hooks/zfs", "") && !check("/etc/x", ""));
        assert!(
            check("/etc/initramfs-tools/modules", "# x\nzfs\n") && !check("/etc/initramfs-tools/modules", "# zfs\n")
        );
        assert!(
            check("/etc/dracut.conf.d/a.conf", "add_drivers+=\" zfs \"") && !check("/etc/dracut.conf.d/a.conf", "zfsx")
        );
        assert!(!machine(&facts, &[(MOUNTS, &mounts("zfs"))], &[]).is_in_boot_image("zfs"), "there is no image");
        assert!(machine(&facts, &[], &[(DEBIAN, 5)]).is_in_boot_image("nvme"));
    }

    #[test]
    fn an_image_lacks_what_was_written_after_it() {
        let facts = facts();
        let lacks = |time| {
            machine(&facts, &[], &[(DEBIAN, 5), ("/etc/modprobe.d/a.conf", time)])
                .boot_image_lacks("/etc/modprobe.d/a.conf")
        };
        assert_eq!([lacks(4), lacks(5), lacks(6)], [false, false, true]);
        assert!(!machine(&facts, &[], &[(DEBIAN, 5)]).boot_image_lacks("/etc/modprobe.d/a.conf"));
    }

    #[test]
    fn mounts_over_parameters_are_seen() {
        let facts = facts();
        let mounts = "30 1 0:5 / / rw - overlay overlay rw\n31 30 0:6 / /sys ro shared:3 - sysfs sysfs rw\n\
                      33 31 0:7 / /sys/module rw - tmpfs tmpfs rw\n";
        let own = |text: &str| machine(&facts, &[(MOUNTS, text)], &[]).is_kernels_own("/sys/module/zfs/parameters/x");
        assert!(!own(mounts) && own(mounts.split("33 ").next().unwrap()));
        assert!(machine(&facts, &[], &[]).is_kernels_own("/sys/module/x"));
    }

    #[test]
    fn statistics_are_read_by_field() {
        let facts = facts();
        let table = "13 1 0x01 147 39984 4 5\nname type data\nc 4 100\nc_min 4 33554432\nc_max 4 8589934592\n";
        let machine = machine(&facts, &[(crate::known::ARCSTATS, table)], &[]);
        assert_eq!(
            (machine.arcstat("c_max"), machine.arcstat("c"), machine.arcstat("none")),
            (Some(8 << 30), Some(100), None)
        );
    }
}
