//! Runs the binary on a folder of its own, with a home of its own and nothing of this process's environment. No host but
//! the machine itself is reached, and nothing is ever applied to that.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A folder with a configuration.
#[derive(Debug)]
pub(crate) struct Project {
    folder: TempDir,
    home: TempDir,
    variables: Vec<(String, String)>,
}

/// A run that has ended. How it ended must be said before anything else of it can be looked at.
#[derive(Debug)]
#[must_use = "how a run ended must be looked at"]
pub(crate) struct Ended {
    run: String,
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// What a run has said.
#[derive(Debug)]
pub(crate) struct Said {
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

/// A host that is this machine, for tests that only look.
pub(crate) const THIS: &str = "host \"this\" {\n  connection = \"local\"\n}\n\n";

/// Every file below a folder with its bytes, every folder without.
pub(crate) type Listing = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// Returns the folder of all crates.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

impl Project {
    /// A folder without files.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), home: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// A folder with one file.
    pub(crate) fn new(text: &str) -> Self {
        Self::empty().file("main.tune.hcl", text)
    }

    /// The same with one more file.
    pub(crate) fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// The same with one more environment variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where the configuration lies.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Everything that the binary could have left behind: in the folder and in the home.
    pub(crate) fn listing(&self) -> Listing {
        let mut all = Listing::new();
        list(self.folder.path(), &mut all);
        list(self.home.path(), &mut all);
        all
    }

    /// A command that runs the binary in the folder; its options are still to come.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tune"));
        command.current_dir(self.path()).env_clear().env("HOME", self.home.path()).env("TMPDIR", self.home.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the binary to its end, with nobody to ask.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command();
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        Ended {
            run: format!("tune {}", arguments.join(" ")),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// Fails unless the run ended with this code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Said {
        let Self { run, stdout, stderr, .. } = self;
        assert!(self.code == Some(code), "{run}: {:?} and not {code}\n{stdout}\n{stderr}", self.code);
        // Whoever reads a pipe gets no colours, whatever the test.
        assert!(!stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'), "{run}: {stdout}\n{stderr}");
        Said { stdout, stderr }
    }
}

fn list(folder: &Path, all: &mut Listing) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, all);
            all.insert(path, None);
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            all.insert(path, Some(bytes));
        }
    }
}
