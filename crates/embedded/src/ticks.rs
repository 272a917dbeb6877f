//! Progress on its way to whoever watches.

use fleet_orchestrator::port::{Progress, Tick};
use tokio::sync::broadcast;

/// The most ticks a watcher may lag behind; beyond that it loses the oldest.
pub const TICKS_MAX: usize = 4096;

/// Shows ticks to all who watch at the moment.
#[derive(Debug, Clone)]
pub struct Ticks {
    ticks: broadcast::Sender<Tick>,
}

impl Ticks {
    /// Ticks that nobody watches yet.
    #[must_use]
    pub fn new() -> Ticks {
        Ticks { ticks: broadcast::Sender::new(TICKS_MAX) }
    }

    /// Watches from now on.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Tick> {
        self.ticks.subscribe()
    }
}

impl Default for Ticks {
    fn default() -> Ticks {
        Ticks::new()
    }
}

impl Progress for Ticks {
    fn tick(&self, tick: Tick) {
        // An error only says that nobody watches.
        _ = self.ticks.send(tick);
    }
}
