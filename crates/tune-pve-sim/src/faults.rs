//! Faults and delays that tests and labs ask for: requests whose connection breaks before or after their effect, answers that
//! are not the API's, and tasks that fail.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::random::Random;
use crate::world::World;

/// A request as far as a fault needs to know it.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    /// `GET`, `PUT`, …
    pub method: String,
    /// The path behind the formatter, such as `/nodes/pve1/qemu/100/config`.
    pub path: String,
    /// How many requests this cluster has had before.
    pub number: u64,
}

impl RequestInfo {
    /// The machine that the path names.
    pub fn vmid(&self) -> Option<u32> {
        let mut parts = self.path.split('/').skip_while(|part| *part != "qemu");
        parts.nth(1)?.parse().ok()
    }
}

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// The connection breaks, and nothing has happened.
    LostBefore,
    /// The request takes effect, and the connection breaks without an answer.
    LostAfter,
    /// The answer is 596 although the request takes effect, as when a proxied call takes too long; it takes effect this much
    /// later than the answer.
    Proxy596 {
        /// From the answer to the effect.
        later: Duration,
    },
    /// An answer with a status and a reason, and nothing has happened.
    Status {
        /// Such as 500, 595 or 599.
        code: u16,
        /// The reason phrase.
        reason: String,
    },
    /// An HTML page from something in between, and nothing has happened.
    Html,
    /// The answer comes this much later.
    Delay(Duration),
}

type Filter = Arc<dyn Fn(&RequestInfo) -> bool + Send + Sync>;

/// A rule that decides which requests something goes wrong with.
#[derive(Clone)]
pub struct Fault {
    kind: FaultKind,
    method: Option<String>,
    path: String,
    chance: f64,
    times: Option<u32>,
    filter: Option<Filter>,
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault").field("kind", &self.kind).field("path", &self.path).finish_non_exhaustive()
    }
}

impl Fault {
    /// Something that goes wrong with every request.
    pub fn new(kind: FaultKind) -> Self {
        Fault { kind, method: None, path: String::new(), chance: 1.0, times: None, filter: None }
    }

    /// Only requests with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only requests with this text in their path.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        part.clone_into(&mut self.path);
        self
    }

    /// Only with this probability, from 0 to 1, drawn from the cluster's seed.
    #[must_use]
    pub fn chance(mut self, chance: f64) -> Self {
        self.chance = chance;
        self
    }

    /// Only so many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Only requests that a function picks.
    #[must_use]
    pub fn when(mut self, filter: impl Fn(&RequestInfo) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(filter));
        self
    }

    fn strikes(&mut self, request: &RequestInfo, random: &Random) -> bool {
        let fits = self.times != Some(0)
            && self.method.as_ref().is_none_or(|method| *method == request.method)
            && request.path.contains(&self.path)
            && self.filter.as_ref().is_none_or(|filter| filter(request))
            && (self.chance >= 1.0 || random.chance(self.chance));
        if fits && let Some(times) = &mut self.times {
            *times -= 1;
        }
        fits
    }
}

/// The first fault that strikes a request.
pub(crate) fn strike(faults: &mut [Fault], request: &RequestInfo, random: &Random) -> Option<FaultKind> {
    faults.iter_mut().find_map(|fault| fault.strikes(request, random).then(|| fault.kind.clone()))
}

/// Tasks that fail before they have done anything.
#[derive(Clone, Debug)]
pub struct TaskFault {
    kind: String,
    vmid: Option<u32>,
    message: String,
    chance: f64,
    times: Option<u32>,
}

impl TaskFault {
    /// All tasks of a kind, such as `qmstart`, end with `message`.
    pub fn new(kind: &str, message: &str) -> Self {
        TaskFault { kind: kind.to_owned(), vmid: None, message: message.to_owned(), chance: 1.0, times: None }
    }

    /// Only tasks of this machine.
    #[must_use]
    pub fn vmid(mut self, vmid: u32) -> Self {
        self.vmid = Some(vmid);
        self
    }

    /// Only with this probability.
    #[must_use]
    pub fn chance(mut self, chance: f64) -> Self {
        self.chance = chance;
        self
    }

    /// Only so many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}

impl World {
    /// The text with which a task is to fail.
    pub(crate) fn injected_failure(&mut self, kind: &str, vmid: u32) -> Option<String> {
        let random = &self.random;
        let fault = self.task_faults.iter_mut().find(|fault| {
            fault.kind == kind
                && fault.vmid.is_none_or(|wanted| wanted == vmid)
                && fault.times != Some(0)
                && (fault.chance >= 1.0 || random.chance(fault.chance))
        })?;
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        Some(fault.message.clone())
    }
}
