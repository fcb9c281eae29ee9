//! Files below the configuration's folder: certificates and keys.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use tune_core::path::AttributePath;
use tune_core::problem::Problem;
use tune_core::reading::Unreadable;
use tune_core::text::visible;
use tune_core::value::Value;

use crate::codes::{BAD_FILE, BAD_PATH};
use crate::unreadable;

/// The most that is read of a file of certificates or keys.
const LIMIT: u64 = 1 << 20;

/// The folder of the configuration; the only one whose files a source reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// Returns the folder.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Returns what is wrong with the path in the attribute `name`, as far as its text tells.
    pub fn check(attributes: &BTreeMap<String, Value>, name: &str) -> Option<Problem> {
        let path = crate::attribute(attributes, name)?;
        if stays_below(path) {
            return None;
        }
        let message = format!("`{name}` is not a path below the configuration's folder");
        let problem = Problem::new(BAD_PATH, AttributePath::attribute(name), message, "leads out of the folder");
        Some(problem.with_help("copy the file into the folder and write its path from there"))
    }

    /// Returns what a file holds. Errors name the path and never show the content.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, Unreadable> {
        let shown = visible(path, 200);
        let cannot = |error: &std::io::Error| {
            let message = format!("`{shown}` cannot be read: {}", error.kind());
            unreadable(BAD_FILE, message, "Check the path, which starts at the configuration's folder.")
        };
        let root = self.0.canonicalize().map_err(|error| cannot(&error))?;
        let real = root.join(path).canonicalize().map_err(|error| cannot(&error))?;
        if !stays_below(path) || !real.starts_with(&root) {
            let message = format!("`{shown}` leads out of the configuration's folder");
            return Err(unreadable(BAD_PATH, message, "Copy the file into the folder."));
        }
        if !real.is_file() {
            return Err(unreadable(BAD_FILE, format!("`{shown}` is not a file"), "Name a file in PEM form."));
        }
        let mut content = Vec::new();
        let file = fs::File::open(&real).map_err(|error| cannot(&error))?;
        file.take(LIMIT + 1).read_to_end(&mut content).map_err(|error| cannot(&error))?;
        if content.len() as u64 > LIMIT {
            let message = format!("`{shown}` is larger than {LIMIT} bytes");
            return Err(unreadable(BAD_FILE, message, "Name a file of certificates or keys in PEM form."));
        }
        Ok(content)
    }
}

fn stays_below(path: &str) -> bool {
    let parts = Path::new(path).components();
    !path.is_empty()
        && !path.contains('\0')
        && parts.into_iter().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_below_the_folder_are_read() {
        let outside = tempfile::tempdir().unwrap();
        let inside = outside.path().join("inside");
        fs::create_dir_all(inside.join("tls")).unwrap();
        fs::write(outside.path().join("secret"), "outside").unwrap();
        fs::write(inside.join("tls/ca.pem"), "inside").unwrap();
        std::os::unix::fs::symlink("../secret", inside.join("link")).unwrap();
        std::os::unix::fs::symlink("tls/ca.pem", inside.join("good")).unwrap();
        let folder = Folder::new(&inside);
        assert_eq!(folder.read("tls/ca.pem").unwrap(), b"inside");
        assert_eq!(folder.read("./good").unwrap(), b"inside");
        let code = |path: &str| folder.read(path).unwrap_err().code;
        let absolute = inside.join("tls/ca.pem").display().to_string();
        assert_eq!([code("../secret"), code("link"), code(&absolute)], [BAD_PATH; 3]);
        assert_eq!([code("tls"), code("none"), code("")], [BAD_FILE, BAD_FILE, BAD_PATH]);
        fs::write(inside.join("big"), vec![0; 2 << 20]).unwrap();
        assert_eq!(code("big"), BAD_FILE);
    }

    #[test]
    fn a_path_that_leads_out_is_a_mistake_of_the_configuration() {
        let check = |path: &str| {
            Folder::check(&BTreeMap::from([("ca_file".to_owned(), Value::from(path))]), "ca_file").is_some()
        };
        assert_eq!(["a.pem", "./a/b.pem"].map(check), [false; 2]);
        assert_eq!(["/etc/a.pem", "../a.pem", "a/../../b", "", "a\0b"].map(check), [true; 5]);
    }
}
