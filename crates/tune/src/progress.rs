//! What is said while hosts are read and written: on a terminal a few lines that are redrawn, elsewhere one plain line
//! per event that matters. What must be known afterwards is in the report.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tune_core::Address;
use tune_core::plan::Plan;
use tune_core::text;
use tune_engine::Watch;
use tune_engine::watch::{Phase, RunEvent};

use crate::paint;
use crate::render::members;
use crate::render::order::duration;
use crate::terminal::{self, Stream};

/// Lines that may be redrawn at once; more would not fit on a small terminal.
const MOST_LINES: usize = 10;
/// Members that are shown before their turn.
const MOST_AHEAD: usize = 5;

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
    members: BTreeMap<Address, Taken>,
    /// Who is still to be taken, in order.
    ahead: Vec<Address>,
    /// What was last said about each member, so that it is not said with every look.
    said: BTreeMap<Address, String>,
    /// Why each host was last tried again.
    retried: BTreeMap<Address, String>,
}

/// A member under way.
#[derive(Debug)]
struct Taken {
    since: Instant,
    /// Since when its time runs: its activation.
    activated: Option<Instant>,
    within: Duration,
    /// What is done so far, with a sign each.
    steps: Vec<String>,
    /// What is happening or waited for.
    remark: String,
    /// Why it is still waited for.
    because: String,
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

    /// Takes notice of the members that a plan will take one after another.
    pub(crate) fn expect(&self, plan: &Plan) {
        self.draw("", |shown| shown.ahead = plan.members().map(|member| member.host.clone()).collect());
    }

    /// Says something that is no part of what happens on hosts, for example that a signal was heard.
    pub(crate) fn tell(&self, text: &str) {
        if self.live {
            self.draw(text, |_| ());
        } else {
            terminal::complain(text);
        }
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
            shown.members.clear();
            shown.ahead.clear();
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
            RunEvent::HostRead { host, error } => self.draw("", |shown| {
                shown.reading.remove(&host);
                if error.is_none() {
                    shown.retried.remove(&host);
                }
            }),
            RunEvent::Retrying { host, reason } => self.retrying(host, &reason),
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
                // What is put back with its member has no reason of its own, and the member's is said.
                let line = Self::line(&paint::removed("✘"), &resource, &reason);
                self.draw(if reason.is_empty() { "" } else { &line }, |shown| {
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
            RunEvent::Asking { queries } => self.draw("", |shown| {
                shown.asked = queries.len();
                shown.reading = queries.into_iter().collect();
            }),
            RunEvent::Answered { query, error: _ } => self.draw("", |shown| {
                shown.reading.remove(&query);
            }),
            rolling => self.rolling(rolling),
        }
    }
}

/// What happens to members.
impl Progress {
    /// A host does not answer yet. Of a member under way that is nothing special, and its own line says it where that is
    /// redrawn; otherwise it is said once, however often it is tried.
    fn retrying(&self, host: Address, reason: &str) {
        let reason = text::visible(reason, 300);
        let line = format!("  {} {host}  {reason}, trying again\n", paint::notable("…"));
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = shown.members.get_mut(&host).filter(|_| self.live);
        let is_told = taken.map(|taken| taken.because.clone_from(&reason)).is_some();
        let is_new = shown.retried.insert(host, reason.clone()) != Some(reason);
        drop(shown);
        self.draw(if is_new && !is_told { &line } else { "" }, |_| ());
    }

    fn rolling(&self, event: RunEvent) {
        match event {
            RunEvent::Moved { rollout, order } => {
                self.draw("", |shown| shown.reorder(&order));
                let order = order.iter().map(Address::to_string).collect::<Vec<_>>().join(", ");
                self.say("…", &rollout, &format!("the facts changed; what is left goes in this order: {order}"));
            }
            RunEvent::Holding { members: hosts, reason, gates, within } => {
                let because: Vec<String> = gates.iter().flat_map(members::reasons).collect();
                let because = if because.is_empty() { String::new() } else { format!(" ({})", because.join("; ")) };
                let within = duration(Duration::from_secs(within));
                for host in hosts {
                    self.say("◐", &host, &format!("not begun yet: {reason}{because}; waiting at most {within}"));
                }
            }
            RunEvent::MemberBegun { member, within, .. } => {
                let taken = Taken {
                    since: Instant::now(),
                    activated: None,
                    within: Duration::from_secs(within),
                    steps: Vec::new(),
                    remark: "looking at the facts again".to_owned(),
                    because: String::new(),
                };
                let line = if self.live { String::new() } else { Self::line("◐", &member, "begun") };
                self.draw(&line, |shown| {
                    shown.ahead.retain(|ahead| *ahead != member);
                    shown.members.insert(member, taken);
                });
            }
            RunEvent::Member { member, phase } => self.phase(&member, phase),
            RunEvent::MemberDone { member } => self.settled(&paint::added("✔"), &member, ""),
            RunEvent::MemberPuttingBack { member, trouble } => {
                let line = Self::line(&paint::removed("✘"), &member, &format!("{}; putting it back", trouble.reason));
                self.draw(&line, |shown| {
                    if let Some(taken) = shown.members.get_mut(&member) {
                        taken.steps.clear();
                        "putting it back".clone_into(&mut taken.remark);
                        taken.because.clear();
                    }
                });
            }
            RunEvent::MemberPutBack { member, is_green } => {
                let remark = if is_green { "as it was before" } else { "as it was before; its gates do not pass yet" };
                self.settled(&paint::changed("↺"), &member, remark);
            }
            RunEvent::MemberFailed { member, trouble } => {
                self.settled(&paint::removed("✘"), &member, &trouble.reason);
            }
            RunEvent::Soaking { rollout, seconds, until } => {
                let rest = duration(Duration::from_secs(seconds));
                self.say("◐", &rollout, &format!("rests for {rest} before the next batch, until {until}"));
            }
            RunEvent::Paused { rollout, until } => {
                self.say("◐", &rollout, &format!("rests until {until}; the next apply goes on from there"));
            }
            RunEvent::Recovering { host, activation } => {
                self.say("…", &host, &format!("was ordered a {activation} by the interrupted run; looking for it"));
            }
            _ => {}
        }
    }

    /// A line that stays.
    fn say(&self, sign: &str, about: &Address, remark: &str) {
        self.draw(&Self::line(&paint::notable(sign), about, remark), |_| ());
    }

    /// A member came to its end.
    fn settled(&self, sign: &str, member: &Address, remark: &str) {
        let taken = self.shown.lock().unwrap_or_else(PoisonError::into_inner).members.remove(member);
        let mut words: Vec<String> = taken.as_ref().map(|taken| taken.steps.clone()).unwrap_or_default();
        words.extend((!remark.is_empty()).then(|| remark.to_owned()));
        let time = taken.map(|taken| format!("  {}", duration(taken.since.elapsed()))).unwrap_or_default();
        self.draw(&Self::line(sign, member, &format!("{}{time}", words.join(", "))), |shown| {
            shown.said.remove(member);
        });
    }

    fn phase(&self, member: &Address, phase: Phase) {
        // What comes next says so, with everything that was done.
        let is_settled = phase == Phase::Settled;
        if matches!(phase, Phase::Back { .. } | Phase::Verified) {
            self.draw("", |shown| drop(shown.retried.remove(member)));
        }
        let mut because = String::new();
        let (step, remark) = match phase {
            Phase::Journal => (None, "writing its changes".to_owned()),
            Phase::Ordered { activation } => (None, format!("{activation} ordered")),
            Phase::Waiting { activation, on } => {
                let (on, why) = on.split_once(" (").unwrap_or((&on, ""));
                because = text::visible(why.strip_suffix(')').unwrap_or(why), 200);
                (None, format!("{activation}: waiting for {}", text::visible(on, 200)))
            }
            Phase::Back { activation, seconds, mark: _ } => {
                let took = duration(Duration::from_secs(seconds));
                (Some(format!("{activation} {took}")), format!("back from its {activation} after {took}"))
            }
            Phase::Verifying => (None, "reading back what runs".to_owned()),
            Phase::Verified => (Some("verified".to_owned()), "verified".to_owned()),
            Phase::Gate { failing } if failing.is_empty() => (None, "its gates pass, and must for a while".to_owned()),
            Phase::Gate { failing } => {
                let names: Vec<String> = failing.iter().map(|gate| gate.check.to_string()).collect();
                let reasons: Vec<String> = failing.iter().flat_map(members::reasons).collect();
                because = reasons.join("; ");
                (None, format!("waiting for {}", names.join(", ")))
            }
            Phase::Settled => (Some("gates hold".to_owned()), "done".to_owned()),
            Phase::Undoing => (None, "putting its values back".to_owned()),
            Phase::Held { reason } => {
                because = text::visible(&reason, 200);
                (None, "must not go down yet to be put back".to_owned())
            }
            Phase::Unreachable { reason } => {
                because = text::visible(&reason, 200);
                (None, "cannot be reached".to_owned())
            }
        };
        let news = {
            let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            let said = format!("{remark}: {because}");
            let said = said.strip_suffix(": ").unwrap_or(&said).to_owned();
            (shown.said.insert(member.clone(), said.clone()).as_ref() != Some(&said)).then_some(said)
        };
        // Who watches sees the line change; elsewhere each change is a line of its own.
        let news = news.filter(|_| !self.live && !is_settled);
        let line = news.map(|said| Self::line("◐", member, &said)).unwrap_or_default();
        self.draw(&line, |shown| {
            let Some(taken) = shown.members.get_mut(member) else { return };
            if remark.ends_with("ordered") {
                taken.activated = Some(Instant::now());
            }
            taken.steps.extend(step);
            (taken.remark, taken.because) = (remark, because);
        });
    }
}

impl Shown {
    /// Puts members of one rollout into their new order, in the places that they have among all.
    fn reorder(&mut self, order: &[Address]) {
        let mut order = order.iter();
        let moved: BTreeSet<Address> = order.clone().cloned().collect();
        for place in self.ahead.iter_mut().filter(|member| moved.contains(*member)) {
            if let Some(next) = order.next() {
                place.clone_from(next);
            }
        }
    }

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
        for (member, taken) in self.members.iter().take(MOST_LINES) {
            let time = match taken.activated {
                Some(activated) => format!("{} of {}", duration(activated.elapsed()), duration(taken.within)),
                None => duration(taken.since.elapsed()),
            };
            lines.push(format!("  ◐ {member}  {}  {time}", taken.remark));
            if !taken.steps.is_empty() {
                let steps: Vec<String> = taken.steps.iter().map(|step| format!("✔ {step}")).collect();
                lines.push(format!("      {}", steps.join("   ")));
            }
            if !taken.because.is_empty() {
                lines.push(format!("      {}", taken.because));
            }
        }
        if self.running.len() > MOST_LINES {
            lines.push(format!("  ◐ … and {} more", self.running.len() - MOST_LINES));
        }
        lines.extend(self.ahead.iter().take(MOST_AHEAD).map(|member| format!("  ○ {member}")));
        if self.ahead.len() > MOST_AHEAD {
            lines.push(format!("  ○ … and {} more", self.ahead.len() - MOST_AHEAD));
        }
        // A line that the terminal wraps would be counted as one and leave its rest behind.
        lines.iter().map(|line| crate::render::columns::shortened(line, screen.saturating_sub(1))).collect()
    }
}
