//! The leases that this process holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::job_state::JobState;

/// From how many leases on those that ran out are looked for.
const LEASES_MIN: usize = 1_024;

/// A lease, and the sequence of the message by which it holds.
pub(crate) struct Held {
    pub(crate) state: JobState,
    pub(crate) sequence: u64,
}

/// Leases by their tokens. What is done with one is done in turn, for each moves it on.
#[derive(Default)]
pub(crate) struct HeldLeases(Mutex<Leases>);

#[derive(Default)]
struct Leases {
    held: HashMap<u64, Arc<tokio::sync::Mutex<Held>>>,
    /// How many there were when those that ran out had been dropped the last time.
    kept: usize,
}

impl HeldLeases {
    /// Adds a lease. Whenever they are twice as many as before, those that do not hold any more are dropped: their
    /// workers never said anything.
    pub(crate) fn add(&self, token: u64, held: Held, holds: impl Fn(&Held) -> bool) {
        let mut leases = self.leases();
        if leases.held.len() >= LEASES_MIN.max(2 * leases.kept) {
            // One that cannot be looked at is in use right now.
            leases.held.retain(|_, held| held.try_lock().map_or(true, |held| holds(&held)));
            leases.kept = leases.held.len();
        }
        leases.held.insert(token, Arc::new(tokio::sync::Mutex::new(held)));
    }

    pub(crate) fn get(&self, token: u64) -> Option<Arc<tokio::sync::Mutex<Held>>> {
        self.leases().held.get(&token).cloned()
    }

    pub(crate) fn remove(&self, token: u64) {
        self.leases().held.remove(&token);
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use fleet_deliberation::{JobId, Priority};

    use super::*;
    use crate::job_state::Is;

    #[test]
    fn leases_that_ran_out_do_not_pile_up() {
        let leases = HeldLeases::default();
        let job: JobId = "a/0/propose/x".parse().expect("a job");
        for token in 0..100_000 {
            let state = JobState { job: job.clone(), priority: Priority::Normal, attempt: 1, is: Is::Leased };
            leases.add(token, Held { state, sequence: token }, |held| held.sequence >= 99_500);
        }
        assert!(leases.leases().held.len() <= 2 * LEASES_MIN);
        assert!((99_500..100_000).all(|token| leases.get(token).is_some()));
    }
}
