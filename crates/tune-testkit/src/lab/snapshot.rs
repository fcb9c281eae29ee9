//! A comparable picture of everything on a host that a test wants to find as it was. Reads only; follows no symlink.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use super::inside::Inside;

/// The files that belong in the picture: every place of sysctl.d, the administrator's modprobe.d, and what `tune` keeps
/// on a host.
const TREES: [&str; 7] = [
    "/etc/modprobe.d",
    "/etc/sysctl.conf",
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/lib/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/var/lib/tune",
];

/// The values of the kernel that are a host's own.
const NET: [&str; 2] = ["/proc/sys/net/core", "/proc/sys/net/ipv4"];

/// What was found: path to mode, owner and bytes (or target), and /proc/sys path to value.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot {
    entries: BTreeMap<String, String>,
}

impl Snapshot {
    pub(super) fn take(inside: &Inside) -> io::Result<Snapshot> {
        let mut entries = BTreeMap::new();
        for tree in TREES {
            walk(inside, tree, &mut entries)?;
        }
        // Modules that the lab gave the host; any other would be this machine's.
        if inside.path("/etc/tune-lab/modules").exists() {
            walk(inside, "/sys/module", &mut entries)?;
        }
        for entry in fs::read_dir(inside.path("/proc/sys/vm"))? {
            let entry = entry?;
            let key = format!("/proc/sys/vm/{}", entry.file_name().to_string_lossy());
            entries.insert(key, bytes(&fs::read(entry.path())?));
        }
        // These depend on who reads, not on the path that is read, so it is done by a process in the host's network.
        let output = inside.in_network("grep").args(["-rs", ""]).args(NET).output()?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            if let Some((path, value)) = line.split_once(':') {
                let known: &mut String = entries.entry(path.to_owned()).or_default();
                known.push_str(value);
                known.push('\n');
            }
        }
        Ok(Snapshot { entries })
    }

    /// Returns what is known of one path, if it exists: its type, mode, owner and bytes, or a kernel value.
    pub fn of(&self, path: &str) -> Option<&str> {
        self.entries.get(path).map(String::as_str)
    }

    /// Returns one line for each path that differs in `later`, with both pictures of it.
    pub fn differences(&self, later: &Snapshot) -> Vec<String> {
        let paths = self.entries.keys().chain(later.entries.keys().filter(|path| !self.entries.contains_key(*path)));
        let absent = "absent";
        let mut lines: Vec<String> = paths
            .filter(|path| self.of(path) != later.of(path))
            .map(|path| {
                format!("{path}: was {}, is {}", self.of(path).unwrap_or(absent), later.of(path).unwrap_or(absent))
            })
            .collect();
        lines.sort();
        lines
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.entries).finish()
    }
}

fn walk(inside: &Inside, path: &str, entries: &mut BTreeMap<String, String>) -> io::Result<()> {
    let real = inside.path(path);
    let Some(metadata) = present(fs::symlink_metadata(&real))? else {
        return Ok(());
    };
    let owner = format!("{:o} {}:{}", metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
    let kind = metadata.file_type();
    let picture = if kind.is_symlink() {
        format!("link to {}", fs::read_link(&real)?.display())
    } else if kind.is_dir() {
        for name in names(&real)? {
            walk(inside, &format!("{path}/{name}"), entries)?;
        }
        format!("directory {owner}")
    } else if kind.is_fifo() {
        format!("fifo {owner}")
    } else {
        // Gone between the listing and now: something is at work there, and the next look will tell.
        let Some(content) = present(fs::read(&real))? else {
            return Ok(());
        };
        format!("file {owner} {}", bytes(&content))
    };
    entries.insert(path.to_owned(), picture);
    Ok(())
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn bytes(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
