//! One process at a time: a lock on `.tune/lock` for the life of the process, and in that file who holds it. The
//! system lets go of the lock when its holder dies, so a dead holder's record is no obstacle.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::StoreError;

/// How often a lock that is held is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The user's name.
    pub user: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// What it does: `apply`.
    pub command: String,
    /// Since when, in RFC 3339.
    pub since: String,
}

impl Holder {
    /// Returns this process as a holder.
    pub fn this_process(command: &str, since: String) -> Self {
        // Behind sudo the person is who called it.
        let names = ["SUDO_USER", "USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
        let uid = rustix::process::getuid().as_raw();
        let user = names.into_iter().find(|name| !name.is_empty()).or_else(|| login(uid));
        let host = hostname::get().map(|name| name.to_string_lossy().into_owned());
        Self {
            user: user.unwrap_or_else(|| format!("uid {uid}")),
            host: host.unwrap_or_else(|_| "localhost".to_owned()),
            pid: std::process::id(),
            command: command.to_owned(),
            since,
        }
    }

    /// Returns who runs this process: `user@machine`.
    pub fn by(&self) -> String {
        format!("{}@{}", self.user, self.host)
    }
}

/// The login name of a user, for programs that were started without an environment, as CI does.
fn login(uid: u32) -> Option<String> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    accounts.lines().find_map(|account| {
        let mut fields = account.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    })
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, pid, command, since } = self;
        write!(f, "{user}@{host}, process {pid}, which runs `{command}` since {since}")
    }
}

/// The lock; it is let go when this is dropped, or when the process ends in any way.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock in a folder, waiting for another holder as long as `wait`.
    pub(super) fn take(folder: &Path, holder: &Holder, wait: Duration) -> Result<Self, StoreError> {
        let path = file_in(folder);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = file.map_err(|source| StoreError::Io { what: "open", path: path.clone(), source })?;
        let until = Instant::now() + wait;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(PAUSE.min(wait)),
                Err(TryLockError::WouldBlock) => return Err(locked(&mut file)),
                Err(TryLockError::Error(source)) => return Err(StoreError::Io { what: "lock", path, source }),
            }
        }
        let record = serde_json::to_string(holder).expect("a holder is plain text");
        let written = empty(&mut file).and_then(|()| file.write_all(record.as_bytes()));
        written.map_err(|source| StoreError::Io { what: "write", path, source })?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A record that stays is no obstacle, so a failure here is none either.
        let _ = empty(&mut self.file);
    }
}

/// Removes the record that a dead holder left, and refuses while the holder lives. Returns the one that was removed.
pub(super) fn unlock(folder: &Path) -> Result<Option<Holder>, StoreError> {
    let path = file_in(folder);
    let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::Io { what: "open", path, source }),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(locked(&mut file)),
        Err(TryLockError::Error(source)) => return Err(StoreError::Io { what: "lock", path, source }),
    }
    let holder = read(&mut file);
    empty(&mut file).map_err(|source| StoreError::Io { what: "write", path, source })?;
    Ok(holder)
}

fn file_in(folder: &Path) -> PathBuf {
    folder.join("lock")
}

fn locked(file: &mut File) -> StoreError {
    let holder = read(file).map_or_else(|| "another process".to_owned(), |holder| holder.to_string());
    StoreError::Locked { holder }
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn empty(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(user: &str) -> Holder {
        Holder {
            user: user.to_owned(),
            host: "desk".to_owned(),
            pid: 7,
            command: "apply".to_owned(),
            since: "2026-11-20T17:00:00Z".to_owned(),
        }
    }

    #[test]
    fn the_second_one_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path(), &holder("ann"), Duration::ZERO).unwrap();
        let expected = "the state is locked by ann@desk, process 7, which runs `apply` since 2026-11-20T17:00:00Z";
        let refused = Lock::take(folder.path(), &holder("bob"), Duration::from_millis(1)).unwrap_err();
        assert_eq!(refused.to_string(), expected);
        assert_eq!(unlock(folder.path()).unwrap_err().to_string(), expected);
        drop(lock);
        assert_eq!(unlock(folder.path()).unwrap(), None);
        Lock::take(folder.path(), &holder("bob"), Duration::ZERO).unwrap();
    }

    #[test]
    fn what_a_dead_holder_left_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(file_in(folder.path()), serde_json::to_string(&holder("dead")).unwrap()).unwrap();
        drop(Lock::take(folder.path(), &holder("ann"), Duration::ZERO).unwrap());
        std::fs::write(file_in(folder.path()), serde_json::to_string(&holder("dead")).unwrap()).unwrap();
        assert_eq!(unlock(folder.path()).unwrap(), Some(holder("dead")));
        assert_eq!(unlock(folder.path()).unwrap(), None);
    }

    #[test]
    fn without_a_folder_there_is_nothing_to_unlock() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(unlock(&folder.path().join("missing")).unwrap(), None);
    }
}
