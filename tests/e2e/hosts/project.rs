//! A configuration in a folder of its own, and the binary that works on it. Knows nothing of what the binary says.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tune_testkit::lab::{Lab, SSH_CONFIG_VARIABLE};

/// A run that takes longer than this hangs.
const LONGEST_RUN: Duration = Duration::from_mins(4);

/// A folder with a configuration. The binary is run with nothing of this process's environment but the programs' paths.
pub(super) struct Project {
    folder: TempDir,
    /// Its home and its temporary files: nobody else's, so that what is left there is seen.
    home: TempDir,
    ssh_config: PathBuf,
    variables: Vec<(String, String)>,
}

/// A run that has ended. How it ended must be said before anything else of it can be looked at.
#[derive(Debug)]
#[must_use = "how a run ended must be looked at"]
pub(super) struct Ended {
    /// The exit code; none when a signal ended it.
    code: Option<i32>,
    output: Output,
}

/// What a run has said.
#[derive(Debug)]
pub(super) struct Output {
    /// What was run, and how it ended.
    run: String,
    /// Standard output.
    pub(super) stdout: String,
    /// Standard error.
    pub(super) stderr: String,
}

/// A run that goes on in the background. Killed when it is dropped.
#[derive(Debug)]
pub(super) struct Running {
    arguments: String,
    child: Child,
    stdin: Option<ChildStdin>,
    streams: [Stream; 2],
}

/// What a stream has said so far.
#[derive(Debug)]
struct Stream {
    said: Arc<Mutex<Vec<u8>>>,
    ended: Receiver<()>,
}

impl Project {
    /// A configuration of one file, for the hosts of a lab.
    pub(super) fn new(lab: &Lab, text: &str) -> Project {
        let project = Project {
            folder: tempfile::tempdir().unwrap(),
            home: tempfile::tempdir().unwrap(),
            ssh_config: lab.ssh_config().to_owned(),
            variables: Vec::new(),
        };
        project.edit(text);
        project
    }

    /// Sets a variable of the environment of every later run.
    pub(super) fn with_variable(mut self, name: &str, value: &str) -> Project {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Replaces the configuration.
    pub(super) fn edit(&self, text: &str) {
        self.write("main.tune.hcl", text);
    }

    pub(super) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(path), bytes).unwrap();
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Returns every file of the folder, by path: what a command that must write nothing leaves as it was.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files(self.folder.path())
    }

    /// Returns every temporary file that runs have left behind.
    pub(super) fn left_behind(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files(self.home.path())
    }

    /// Runs the binary to its end. The arguments stand between spaces.
    pub(super) fn run(&self, arguments: &str) -> Ended {
        self.start(arguments).wait()
    }

    /// Runs `plan -detailed-exitcode`.
    pub(super) fn plan(&self) -> Ended {
        self.run("plan -detailed-exitcode")
    }

    /// Runs `apply` without asking.
    pub(super) fn apply(&self) -> Ended {
        self.run("apply -auto-approve")
    }

    /// Runs `destroy` without asking.
    pub(super) fn destroy(&self) -> Ended {
        self.run("destroy -auto-approve")
    }

    /// Starts the binary.
    pub(super) fn start(&self, arguments: &str) -> Running {
        Running::start(self.command(arguments), arguments)
    }

    /// Starts the binary on a terminal of its own, where it may ask. What it says is all on standard output.
    pub(super) fn start_on_terminal(&self, arguments: &str) -> Running {
        let inner = self.command(arguments);
        let words = [inner.get_program()].into_iter().chain(inner.get_args());
        let line: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
        let mut command = Command::new("script");
        command.args(["-qefc", &line.join(" "), "/dev/null"]);
        command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TERM", "xterm").env("SHELL", "/bin/sh");
        Running::start(command, arguments)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tune"));
        command.arg(format!("-chdir={}", self.folder.path().display()));
        command.args(arguments.split_whitespace());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.home.path()).env("USER", "tester");
        command.env("TMPDIR", self.home.path()).env("XDG_RUNTIME_DIR", self.home.path());
        command.env(SSH_CONFIG_VARIABLE, &self.ssh_config);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.home.path());
        command
    }
}

impl Ended {
    /// Fails unless the run ended with this code.
    #[track_caller]
    pub(super) fn code(self, code: i32) -> Output {
        assert_eq!(self.code, Some(code), "{}", self.output.shown());
        self.output
    }

    /// Fails unless the run ended with one of these codes, where more than one end is right.
    #[track_caller]
    pub(super) fn one_of(self, codes: &[i32]) -> (i32, Output) {
        let code = self.code.filter(|code| codes.contains(code));
        assert!(code.is_some(), "not one of {codes:?}: {}", self.output.shown());
        (code.unwrap(), self.output)
    }
}

impl Output {
    /// Fails unless standard output or standard error holds this text. Runs of white space count as one space, and the bar
    /// on the left of a message that goes on is none of its words.
    #[track_caller]
    pub(super) fn says(self, text: &str) -> Output {
        let text = words(text);
        let said = words(&self.stdout).contains(&text) || words(&self.stderr).contains(&text);
        assert!(said, "`{text}` is not said\n{}", self.shown());
        self
    }

    /// Fails if this text is said.
    #[track_caller]
    pub(super) fn never_says(self, text: &str) -> Output {
        let said = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(!said, "`{text}` is said\n{}", self.shown());
        self
    }

    fn shown(&self) -> String {
        format!(
            "{}
--- stdout
{}--- stderr
{}---",
            self.run, self.stdout, self.stderr
        )
    }
}

impl Running {
    fn start(mut command: Command, arguments: &str) -> Running {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let streams = [Stream::of(child.stdout.take().unwrap()), Stream::of(child.stderr.take().unwrap())];
        Running { arguments: arguments.to_owned(), child, stdin, streams }
    }

    /// Types a line.
    pub(super) fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Waits until a text was said.
    #[track_caller]
    pub(super) fn wait_for(&self, text: &str) {
        let start = Instant::now();
        while !self.said().contains(text) {
            assert!(start.elapsed() < super::SOON, "`{text}` is not said within {:?}:\n{}", super::SOON, self.said());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns what was said so far.
    pub(super) fn said(&self) -> String {
        self.streams.iter().map(Stream::text).collect()
    }

    /// Sends Ctrl-C.
    pub(super) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Ends it as `kill -9` does, and returns when it is gone.
    pub(super) fn kill(mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    /// Returns whether it has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    #[track_caller]
    pub(super) fn wait(mut self) -> Ended {
        // Nothing more is typed.
        drop(self.stdin.take());
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < LONGEST_RUN, "`tune {}` hangs:\n{}", self.arguments, self.said());
            thread::sleep(Duration::from_millis(5));
        };
        for stream in &self.streams {
            let ended = stream.ended.recv_timeout(super::SOON);
            assert!(ended.is_ok(), "`tune {}` ended, but something holds its output open", self.arguments);
        }
        let [stdout, stderr] = [self.streams[0].text(), self.streams[1].text()];
        let run = format!("`tune {}` ended with {status}", self.arguments);
        Ended { code: status.code(), output: Output { run, stdout, stderr } }
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        // It may have ended just now, which is no mistake of the test.
        let _ = kill_process(id, signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Stream {
    fn of(mut pipe: impl Read + Send + 'static) -> Stream {
        let said = Arc::new(Mutex::new(Vec::new()));
        let (sender, ended) = mpsc::channel();
        let heard = Arc::clone(&said);
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
            }
            let _ = sender.send(());
        });
        Stream { said, ended }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files.insert(path.clone(), Vec::new());
                waiting.push(path);
            } else {
                let bytes = fs::read(&path).unwrap_or_default();
                files.insert(path, bytes);
            }
        }
    }
    files
}
