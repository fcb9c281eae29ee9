//! Files that are written where a person says: as a whole or not at all, and never in the place of anything but a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::store::StoreError;
use crate::store::export::write_atomically;

/// Fails if a file cannot be put here: something is there that is no regular file, such as a folder or a device, which
/// writing would replace.
pub fn check(path: &Path) -> Result<PathBuf, StoreError> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let refused = |kind: io::ErrorKind| StoreError::Io { what: "write", path: path.clone(), source: kind.into() };
    match fs::metadata(&path) {
        Ok(found) if found.is_dir() => Err(refused(io::ErrorKind::IsADirectory)),
        Ok(found) if !found.is_file() => {
            let source = io::Error::other("it is a device, a pipe or a socket");
            Err(StoreError::Io { what: "write", path, source })
        }
        _ if path.file_name().is_none() => Err(refused(io::ErrorKind::IsADirectory)),
        _ => Ok(path),
    }
}

/// Writes a file that only its owner may read, in the place of one that is there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_atomically(&check(path)?, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    #[test]
    fn only_a_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        write(&path("new"), b"1").unwrap();
        write(&path("new"), b"2").unwrap();
        assert_eq!(fs::read(path("new")).unwrap(), b"2");
        assert_eq!(fs::metadata(path("new")).unwrap().permissions().mode() & 0o777, 0o600);
        let _listener = UnixListener::bind(path("socket")).unwrap();
        std::os::unix::fs::symlink("socket", path("link")).unwrap();
        for refused in [path("socket"), path("link"), folder.path().to_owned(), path("none/x"), "/".into()] {
            assert!(write(&refused, b"3").is_err(), "{}", refused.display());
        }
        assert!(check(Path::new("/dev/null")).is_err());
        assert!(!fs::symlink_metadata(path("socket")).unwrap().is_file());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
