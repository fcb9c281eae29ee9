//! The folder of the configuration as `tune-config` sees it: read-only, and closed. Nothing outside it can be read,
//! whatever a path or a symbolic link says, because a configuration may come from somebody else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tune_config::{FileError, Files};

/// One file of a configuration is never larger than this.
const LARGEST: u64 = 16 << 20;

/// A folder on disk.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Without symbolic links, so that a prefix test says whether a path is inside.
    root: PathBuf,
}

impl Folder {
    /// Opens a folder, or says why it cannot be.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let root = path.canonicalize()?;
        if !root.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { root })
    }

    /// Returns where a path leads, which must be in the folder.
    fn inside(&self, path: &str) -> Result<PathBuf, FileError> {
        let found = self.root.join(path).canonicalize().map_err(|error| unreadable(&error))?;
        if found.starts_with(&self.root) { Ok(found) } else { Err(FileError::Outside) }
    }

    /// Returns the folder without symbolic links.
    pub(crate) fn path(&self) -> &Path {
        &self.root
    }
}

impl Files for Folder {
    fn list(&self) -> Result<Vec<String>, FileError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(|error| unreadable(&error))? {
            let entry = entry.map_err(|error| unreadable(&error))?;
            // A name that is no text cannot be one of ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if entry.path().is_file() || entry.path().is_symlink() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn read(&self, path: &str) -> Result<String, FileError> {
        String::from_utf8(self.bytes(path)?).map_err(|_| FileError::NotText)
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let found = self.inside(path)?;
        // A pipe or a device would be waited for without end.
        let metadata = fs::metadata(&found).map_err(|error| unreadable(&error))?;
        if !metadata.is_file() {
            return Err(FileError::Unreadable("it is not a regular file".to_owned()));
        }
        if metadata.len() > LARGEST {
            return Err(FileError::Unreadable(format!("it is larger than {} MiB", LARGEST >> 20)));
        }
        fs::read(&found).map_err(|error| unreadable(&error))
    }

    fn entries(&self, folder: &str) -> Result<Vec<String>, FileError> {
        let found = self.inside(folder)?;
        let mut names = Vec::new();
        for entry in fs::read_dir(&found).map_err(|error| unreadable(&error))? {
            let entry = entry.map_err(|error| unreadable(&error))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // A link that leads nowhere, or out of the folder, is as good as none.
            let Ok(target) = entry.path().canonicalize() else { continue };
            let is_ours = found == self.root && name == ".tune";
            if is_ours || !target.starts_with(&self.root) {
                continue;
            }
            if target.is_dir() {
                names.push(format!("{name}/"));
            } else if target.is_file() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}

fn unreadable(error: &io::Error) -> FileError {
    match error.kind() {
        io::ErrorKind::NotFound => FileError::NotFound,
        kind => FileError::Unreadable(kind.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(folder: &Folder, path: &str, expect: Result<&str, FileError>) {
        assert_eq!(folder.read(path), expect.map(str::to_owned), "{path}");
    }

    #[test]
    fn nothing_outside_the_folder_can_be_read() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("inner");
        fs::create_dir_all(inner.join("below")).unwrap();
        fs::write(outer.path().join("secret"), "s").unwrap();
        fs::write(inner.join("below/text"), "t").unwrap();
        fs::write(inner.join("bytes"), [0xff]).unwrap();
        std::os::unix::fs::symlink("../secret", inner.join("escape")).unwrap();
        std::os::unix::fs::symlink("..", inner.join("up")).unwrap();
        std::os::unix::fs::symlink("below/text", inner.join("link")).unwrap();
        let folder = Folder::open(&inner).unwrap();
        check(&folder, "below/text", Ok("t"));
        check(&folder, "link", Ok("t"));
        check(&folder, "escape", Err(FileError::Outside));
        check(&folder, "up/secret", Err(FileError::Outside));
        check(&folder, "../secret", Err(FileError::Outside));
        check(&folder, "/etc/hostname", Err(FileError::Outside));
        check(&folder, "bytes", Err(FileError::NotText));
        check(&folder, "none", Err(FileError::NotFound));
        check(&folder, "below", Err(FileError::Unreadable("it is not a regular file".to_owned())));
    }

    #[test]
    fn a_neighbour_with_a_longer_name_is_outside() {
        let outer = tempfile::tempdir().unwrap();
        fs::create_dir_all(outer.path().join("a")).unwrap();
        fs::create_dir_all(outer.path().join("ab")).unwrap();
        fs::write(outer.path().join("ab/secret"), "s").unwrap();
        std::os::unix::fs::symlink("../ab/secret", outer.path().join("a/escape")).unwrap();
        check(&Folder::open(&outer.path().join("a")).unwrap(), "escape", Err(FileError::Outside));
    }

    #[test]
    fn entries_stay_in_the_folder() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("inner");
        fs::create_dir_all(inner.join("below")).unwrap();
        fs::create_dir_all(inner.join(".tune")).unwrap();
        fs::write(outer.path().join("secret"), "s").unwrap();
        fs::write(inner.join("text"), "t").unwrap();
        fs::write(inner.join("below/bytes"), [0xff]).unwrap();
        std::os::unix::fs::symlink("..", inner.join("up")).unwrap();
        std::os::unix::fs::symlink("../secret", inner.join("escape")).unwrap();
        std::os::unix::fs::symlink("below", inner.join("link")).unwrap();
        let folder = Folder::open(&inner).unwrap();
        assert_eq!(folder.entries("").unwrap(), ["below/", "link/", "text"]);
        assert_eq!(folder.entries("below").unwrap(), ["bytes"]);
        assert_eq!(folder.entries("up"), Err(FileError::Outside));
        assert_eq!(folder.entries("none"), Err(FileError::NotFound));
        assert_eq!(folder.bytes("below/bytes").unwrap(), [0xff]);
        assert_eq!(folder.bytes("escape"), Err(FileError::Outside));
    }

    #[test]
    fn only_files_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.tune.hcl"), "").unwrap();
        fs::write(folder.path().join("a.tune.hcl"), "").unwrap();
        fs::create_dir(folder.path().join("c.tune.hcl")).unwrap();
        assert_eq!(Folder::open(folder.path()).unwrap().list().unwrap(), ["a.tune.hcl", "b.tune.hcl"]);
    }
}
