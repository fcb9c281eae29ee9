//! The file system that the booted hosts share, built once on a machine and kept in a cache directory.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{kernel, users};

/// Where the built file system is kept, instead of [`CACHE`].
pub const CACHE_VARIABLE: &str = "TUNE_LAB_CACHE";

const CACHE: &str = "/var/cache/tune-lab";

/// Part of the cached directory's name: to be raised when what is built changes.
const VERSION: &str = "bookworm-4";

/// Returns the directory of the built file system, after building it if need be.
pub(super) fn image() -> io::Result<PathBuf> {
    let cache = env::var_os(CACHE_VARIABLE).map_or_else(|| PathBuf::from(CACHE), PathBuf::from);
    fs::create_dir_all(&cache)?;
    let done = cache.join(VERSION);
    // One build at a time; whoever waited for it finds it done.
    let lock = File::create(cache.join("lock"))?;
    lock.lock()?;
    if !done.exists() {
        let partial = cache.join(format!("{VERSION}.partial"));
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        build(&partial, &cache.join(format!("{VERSION}.log")))?;
        fs::rename(&partial, &done)?;
    }
    Ok(done)
}

fn build(root: &Path, log: &Path) -> io::Result<()> {
    let output = File::create(log)?;
    let status = Command::new("timeout")
        .args(["1800", "sh", "-c", include_str!("image.sh"), "image.sh"])
        .arg(root)
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stderr(output.try_clone()?)
        .stdout(output)
        .status()?;
    if !status.success() {
        let words = fs::read_to_string(log)?;
        let last = words.trim_end().lines().next_back().unwrap_or_default();
        let log = log.display();
        return Err(io::Error::other(format!(
            "the file system of booted hosts was not built ({status}, {log}): {last}"
        )));
    }
    users::add(root)?;
    kernel::write_vm(&root.join("usr/lib/tune-lab/vm"))
}
