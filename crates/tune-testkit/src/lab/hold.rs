//! Effects that arrive late: a file whose writers wait. Meant for tests that kill the writer's client in between.

use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use super::inside::Inside;

/// A file of a host that cannot be opened for writing until this value is dropped or released; then the writers that
/// wait go on, and what they write arrives. It can be read all the while.
///
/// The kernel lets writers through after 45 seconds by itself.
#[derive(Debug)]
#[must_use = "writers wait only as long as this lives"]
pub struct Hold {
    child: Child,
    words: Receiver<String>,
}

impl Hold {
    pub(super) fn on(inside: &Inside, path: &str) -> io::Result<Hold> {
        let mut child = Command::new("perl")
            .args(["-e", include_str!("hold.pl")])
            .arg(inside.path(path))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("no pipe from the holder"))?;
        let (sender, words) = mpsc::channel();
        thread::spawn(move || {
            for word in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(word);
            }
        });
        let granted = words.recv_timeout(Duration::from_secs(10)).is_ok_and(|word| word == "held");
        let mut hold = Hold { child, words };
        if granted {
            return Ok(hold);
        }
        hold.end();
        let mut why = String::new();
        if let Some(mut stderr) = hold.child.stderr.take() {
            io::Read::read_to_string(&mut stderr, &mut why)?;
        }
        Err(io::Error::other(format!("cannot hold `{path}`: {}", why.trim_end())))
    }

    /// Waits until somebody waits to write, and returns whether that happened before the deadline.
    pub fn wait_for_writer(&self, deadline: Duration) -> bool {
        self.words.recv_timeout(deadline).is_ok()
    }

    /// Lets the writers go on.
    pub fn release(self) {}

    fn end(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.end();
    }
}
