//! Jobs that are ready: the most important first, and deliberations of the same priority in turns.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use fleet_deliberation::{DeliberationId, JobId, Priority};

/// The jobs that can be leased at once.
#[derive(Default)]
pub(crate) struct Turns {
    by_priority: BTreeMap<Reverse<Priority>, Round>,
}

/// Deliberations of one priority. Who was served goes to the end of the row.
#[derive(Default)]
struct Round {
    row: VecDeque<DeliberationId>,
    /// Never an empty list.
    jobs: HashMap<DeliberationId, VecDeque<Arc<JobId>>>,
}

impl Turns {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_priority.is_empty()
    }

    pub(crate) fn push(&mut self, job: Arc<JobId>, priority: Priority) {
        let round = self.by_priority.entry(Reverse(priority)).or_default();
        let jobs = round.jobs.entry(job.deliberation.clone()).or_default();
        if jobs.is_empty() {
            round.row.push_back(job.deliberation.clone());
        }
        jobs.push_back(job);
    }

    pub(crate) fn pop(&mut self) -> Option<Arc<JobId>> {
        let mut first = self.by_priority.first_entry()?;
        let round = first.get_mut();
        let deliberation = round.row.pop_front()?;
        let jobs = round.jobs.get_mut(&deliberation)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            round.jobs.remove(&deliberation);
        } else {
            round.row.push_back(deliberation);
        }
        if round.row.is_empty() {
            first.remove();
        }
        job
    }
}
