//! The way into a host, which may have rebooted by itself since somebody last went in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::inside::Inside;
use super::machine;

/// Leads to the boot of a host that is running now.
#[derive(Debug, Default)]
pub(super) struct Entrance {
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    inside: Option<Arc<Inside>>,
    /// The supervisor that starts a host again when it has rebooted; hosts of the `sshd` tier have none.
    supervisor: Option<u32>,
}

impl Entrance {
    /// Opens the way: the host is up.
    pub(super) fn open(&self, inside: Inside, supervisor: Option<u32>) {
        *self.now() = Now { inside: Some(Arc::new(inside)), supervisor };
    }

    /// Closes the way: the host is down, and nothing here holds its namespaces any more.
    pub(super) fn close(&self) {
        *self.now() = Now::default();
    }

    /// Returns the inside of the host as it is now; none while it is off, or between two boots, up to where its own values
    /// are in place.
    pub(super) fn inside(&self) -> Option<Arc<Inside>> {
        let mut now = self.now();
        if let Some(supervisor) = now.supervisor
            && !now.inside.as_ref().is_some_and(|inside| inside.is_running())
        {
            // A container that is only being set up has not got its own root yet, and must not be taken for the host.
            let found = machine::inside_of(supervisor).ok().flatten();
            now.inside = found.filter(machine::has_booted).map(Arc::new);
        }
        now.inside.clone()
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
