//! What is said while hosts are read and written: on a terminal a few lines that are redrawn, elsewhere one plain line
//! per event that matters. What must be known afterwards is in the report.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tune_core::Address;
use tune_core::text;
use tune_engine::Watch;
use tune_engine::watch::RunEvent;

use crate::paint;
use crate::terminal::{self, Stream};

/// Lines that may be redrawn at once; more would not fit on a small terminal.
const MOST_LINES: usize = 10;

/// Shows what happens, as it happens.
#[derive(Debug)]
pub(crate) struct Progress {
    stream: Stream,
    live: bool,
    shown: Mutex<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    /// How many lines of the terminal are redrawn with the next event.
    lines: usize,
    reading: BTreeSet<Address>,
    asked: usize,
    running: BTreeMap<Address, Running>,
}

/// A resource under way.
#[derive(Debug)]
struct Running {
    host: Address,
    since: Instant,
    remark: String,
}

impl Progress {
    /// Returns a progress that redraws only where a person watches. A command whose standard output is its result
    /// says what it does on standard error.
    pub(crate) fn on(stream: Stream) -> Self {
        Self { stream, live: terminal::is_watched(stream), shown: Mutex::default() }
    }

    /// Draws again, because time has passed.
    pub(crate) fn tick(&self) {
        if self.live {
            self.draw("", |_| ());
        }
    }

    /// Takes away what would be redrawn, so that something else can be printed.
    pub(crate) fn clear(&self) {
        self.draw("", |shown| {
            shown.reading.clear();
            shown.running.clear();
        });
    }

    /// Changes what is shown, after a line that stays.
    fn draw(&self, line: &str, change: impl FnOnce(&mut Shown)) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut shown);
        let mut output = String::new();
        if shown.lines > 0 {
            let _ = write!(output, "\u{1b}[{}A\u{1b}[J", shown.lines);
        }
        output.push_str(line);
        let drawn = if self.live { shown.live_lines(terminal::width()) } else { Vec::new() };
        for line in &drawn {
            output.push_str(line);
            output.push('\n');
        }
        shown.lines = drawn.len();
        match self.stream {
            Stream::Error => terminal::complain(&output),
            // Nobody is left to tell when standard output fails in the middle of a run; the report says how it ended.
            Stream::Output => drop(terminal::print(&output)),
        }
    }

    fn line(sign: &str, resource: &Address, remark: &str) -> String {
        let remark = if remark.is_empty() { String::new() } else { format!("  {}", text::visible(remark, 300)) };
        format!("  {sign} {resource}{remark}\n")
    }
}

impl Watch for Progress {
    fn event(&self, event: RunEvent) {
        match event {
            RunEvent::Reading { hosts } => self.draw("", |shown| {
                shown.asked = hosts.len();
                shown.reading = hosts.into_iter().collect();
            }),
            RunEvent::HostRead { host, error: _ } => self.draw("", |shown| {
                shown.reading.remove(&host);
            }),
            RunEvent::Retrying { host, reason } => {
                let line = format!("  {} {host}  {}, trying again\n", paint::notable("…"), text::visible(&reason, 300));
                self.draw(&line, |_| ());
            }
            RunEvent::Begun { number, waves: _ } => {
                self.draw(&format!("\n{}\n\n", paint::strong(format!("Run {number}"))), |_| ());
            }
            RunEvent::Settling { number, command } => {
                let command = text::visible(&command, 100);
                let line = format!("Run {number} ({command}) was interrupted; finding out what became of it\n");
                self.draw(&paint::strong(line), |_| ());
            }
            RunEvent::WaveBegun { wave: _, resources } => self.draw("", |shown| {
                for (host, resource) in resources {
                    shown.running.insert(resource, Running { host, since: Instant::now(), remark: String::new() });
                }
            }),
            RunEvent::Fencing { host, reason } => {
                let reason = text::visible(&reason, 300);
                let line = format!("  {} {host}  {reason}; waiting until it can be looked at\n", paint::notable("…"));
                self.draw(&line, |shown| {
                    for running in shown.running.values_mut().filter(|running| running.host == host) {
                        "waiting until the host can be looked at".clone_into(&mut running.remark);
                    }
                });
            }
            RunEvent::Done { resource } => {
                self.draw(&Self::line(&paint::added("✔"), &resource, ""), |shown| {
                    shown.running.remove(&resource);
                });
            }
            RunEvent::PuttingBack { resource, reason } => {
                self.draw(&Self::line(&paint::removed("✘"), &resource, &reason), |shown| {
                    if let Some(running) = shown.running.get_mut(&resource) {
                        "putting it back".clone_into(&mut running.remark);
                    }
                });
            }
            RunEvent::PutBack { resource } => {
                self.draw(&Self::line(&paint::changed("↺"), &resource, "as it was before"), |shown| {
                    shown.running.remove(&resource);
                });
            }
            RunEvent::Stuck { resource } => {
                self.draw(&Self::line(&paint::removed("✘"), &resource, "stuck"), |shown| {
                    shown.running.remove(&resource);
                });
            }
            RunEvent::Unknown { resource } => {
                self.draw(&Self::line(&paint::removed("?"), &resource, "not known"), |shown| {
                    shown.running.remove(&resource);
                });
            }
            RunEvent::Ended { .. } => self.clear(),
            _ => {}
        }
    }
}

impl Shown {
    fn live_lines(&self, screen: usize) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.reading.is_empty() {
            let read = self.asked.saturating_sub(self.reading.len());
            let waiting = self.reading.first().map(ToString::to_string).unwrap_or_default();
            lines.push(format!("  ◐ reading hosts  {read} of {}, waiting for {waiting}", self.asked));
        }
        for (resource, running) in self.running.iter().take(MOST_LINES) {
            let seconds = running.since.elapsed().as_secs();
            let time = if seconds > 0 { format!("  {seconds} s") } else { String::new() };
            let remark = if running.remark.is_empty() { String::new() } else { format!("  {}", running.remark) };
            lines.push(format!("  ◐ {resource}{remark}{time}"));
        }
        if self.running.len() > MOST_LINES {
            lines.push(format!("  ◐ … and {} more", self.running.len() - MOST_LINES));
        }
        // A line that the terminal wraps would be counted as one and leave its rest behind.
        lines.iter().map(|line| crate::render::columns::shortened(line, screen.saturating_sub(1))).collect()
    }
}
