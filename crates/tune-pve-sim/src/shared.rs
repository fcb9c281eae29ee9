//! What the servers, the control handle and the passing of time share: the cluster behind a lock.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::faults::{Fault, RequestInfo};
use crate::world::{Power, World};

/// Called when a machine goes up or down.
pub(crate) type PowerHook = Box<dyn Fn(u32, Power) + Send + Sync>;

/// What tests do to requests and learn about them.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) faults: Vec<Fault>,
    pub(crate) latency: Duration,
    pub(crate) requests: Vec<RequestInfo>,
}

pub(crate) struct Shared {
    world: Mutex<World>,
    pub(crate) clock: Clock,
    traffic: Mutex<Traffic>,
    wake: Notify,
    hooks: Vec<PowerHook>,
    /// Whether `POST /_control` is answered.
    pub(crate) control: bool,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(world: World, clock: Clock, hooks: Vec<PowerHook>, control: bool) -> Arc<Self> {
        let (world, traffic) = (Mutex::new(world), Mutex::default());
        Arc::new(Shared { world, clock, traffic, wake: Notify::new(), hooks, control })
    }

    /// Does something to the cluster as it is now.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let result = {
            let mut world = self.lock();
            world.advance(self.clock.now());
            act(&mut world)
        };
        self.wake.notify_one();
        result
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        // A panic of one request must not take the others down; the state is as good as that request left it.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Faults, delays and the list of requests.
    pub(crate) fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets everything happen at its time and calls the hooks, as long as it is polled.
    pub(crate) async fn run(&self) {
        loop {
            let (due, power) = {
                let mut world = self.lock();
                world.advance(self.clock.now());
                (world.next_due(), std::mem::take(&mut world.power))
            };
            for (vmid, power) in power {
                for hook in &self.hooks {
                    hook(vmid, power);
                }
            }
            match due {
                Some(due) => tokio::select! {
                    () = self.clock.sleep_until(due) => {}
                    () = self.wake.notified() => {}
                },
                None => self.wake.notified().await,
            }
        }
    }
}
