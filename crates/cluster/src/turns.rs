//! Jobs that can be leased: the most important first, and deliberations of the same priority in turns.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use fleet_deliberation::{DeliberationId, JobId, Priority};

/// A job as it stood when it became ready, by the sequence of the message that says so. The same job may be there
/// several times; at most one of them still holds.
pub(crate) type Ready = (Arc<JobId>, u64);

/// What is ready.
#[derive(Default)]
pub(crate) struct Turns {
    by_priority: BTreeMap<Reverse<Priority>, Round>,
}

/// Deliberations of one priority. Who was served goes to the end of the row.
#[derive(Default)]
struct Round {
    row: VecDeque<DeliberationId>,
    /// Never an empty list.
    jobs: HashMap<DeliberationId, VecDeque<Ready>>,
}

impl Turns {
    pub(crate) fn push(&mut self, ready: Ready, priority: Priority) {
        let round = self.by_priority.entry(Reverse(priority)).or_default();
        let deliberation = &ready.0.deliberation;
        let jobs = round.jobs.entry(deliberation.clone()).or_default();
        if jobs.is_empty() {
            round.row.push_back(deliberation.clone());
        }
        jobs.push_back(ready);
    }

    /// The next job that `holds`. What does not is dropped, and takes nobody's turn.
    pub(crate) fn pop(&mut self, holds: impl Fn(&Ready) -> bool) -> Option<Arc<JobId>> {
        while let Some(mut first) = self.by_priority.first_entry() {
            let found = first.get_mut().pop(&holds);
            if first.get().row.is_empty() {
                first.remove();
            }
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

impl Round {
    fn pop(&mut self, holds: &impl Fn(&Ready) -> bool) -> Option<Arc<JobId>> {
        while let Some(deliberation) = self.row.pop_front() {
            let Some(jobs) = self.jobs.get_mut(&deliberation) else { continue };
            let found = std::iter::from_fn(|| jobs.pop_front()).find(holds);
            if jobs.is_empty() {
                self.jobs.remove(&deliberation);
            } else {
                self.row.push_back(deliberation);
            }
            if let Some((job, _)) = found {
                return Some(job);
            }
        }
        None
    }
}
