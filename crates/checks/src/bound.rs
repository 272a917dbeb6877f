//! How long something may take, and when that is over.

use std::time::{Duration, Instant};

/// A time from its making on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// All of it.
    pub(crate) time: Duration,
    begun: Instant,
}

impl Bound {
    pub(crate) fn new(time: Duration) -> Bound {
        Bound { time, begun: Instant::now() }
    }

    /// What is left of it; zero when it is over.
    pub(crate) fn left(&self) -> Duration {
        self.time.saturating_sub(self.begun.elapsed())
    }
}
