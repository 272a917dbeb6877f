//! The leases that this process holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::job_state::JobState;

/// A lease, and the sequence of the message by which it holds.
pub(crate) struct Held {
    pub(crate) state: JobState,
    pub(crate) sequence: u64,
}

/// Leases by their tokens. What is done with one is done in turn, for each moves it on.
#[derive(Default)]
pub(crate) struct HeldLeases(Mutex<HashMap<u64, Arc<tokio::sync::Mutex<Held>>>>);

impl HeldLeases {
    pub(crate) fn add(&self, token: u64, held: Held) {
        self.all().insert(token, Arc::new(tokio::sync::Mutex::new(held)));
    }

    pub(crate) fn get(&self, token: u64) -> Option<Arc<tokio::sync::Mutex<Held>>> {
        self.all().get(&token).cloned()
    }

    pub(crate) fn remove(&self, token: u64) {
        self.all().remove(&token);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<u64, Arc<tokio::sync::Mutex<Held>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
