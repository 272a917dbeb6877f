//! How all jobs stand, as far as this process has heard, and what time does to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fleet_deliberation::{JobId, Priority, Timestamp};

use crate::job_state::{Is, JobState};
use crate::turns::Turns;

/// The index of jobs. It takes some 500 bytes a job that is not done.
pub(crate) struct Jobs {
    lease_ms: u64,
    now: Timestamp,
    jobs: HashMap<Arc<JobId>, Known>,
    ready: Turns,
    /// What becomes ready by itself: delayed jobs, and leased ones when nothing was heard of their worker for as
    /// long as a lease lasts. The sequence keeps apart those of the same moment.
    later: BTreeMap<(Timestamp, u64), Arc<JobId>>,
}

struct Known {
    sequence: u64,
    priority: Priority,
    attempt: u32,
    is: Stands,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    Ready,
    /// Someone of this process is about to lease it.
    Picked,
    Later(Timestamp),
}

/// A job that is about to be leased, as it stands.
#[derive(Debug, Clone)]
pub(crate) struct Picked {
    pub(crate) state: JobState,
    /// The sequence of the message that says so.
    pub(crate) sequence: u64,
}

impl Jobs {
    pub(crate) fn new(lease_ms: u64) -> Jobs {
        Jobs {
            lease_ms,
            now: Timestamp(0),
            jobs: HashMap::new(),
            ready: Turns::default(),
            later: BTreeMap::new(),
        }
    }

    /// Time goes on: what was to wait until now is ready.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.now = now;
        while let Some(next) = self.later.first_entry()
            && next.key().0 <= now
        {
            let job = next.remove();
            self.make_ready(&job);
        }
    }

    /// When something becomes ready by itself.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.later.first_key_value().map(|((moment, _), _)| *moment)
    }

    /// Takes in how a job stands, unless something newer is known.
    pub(crate) fn take(&mut self, sequence: u64, state: JobState) {
        let JobState { job, priority, attempt, is } = state;
        let job = match self.jobs.get_key_value(&job) {
            Some((_, known)) if known.sequence >= sequence => return,
            Some((job, _)) => Arc::clone(job),
            None => Arc::new(job),
        };
        self.remove(&job);
        let moment = match is {
            Is::Done => return,
            Is::Waiting => None,
            Is::Delayed { not_before } => Some(not_before).filter(|moment| *moment > self.now),
            // By the time at which it is heard of: clocks of different machines are not compared.
            Is::Leased => Some(self.now.plus_ms(self.lease_ms)),
        };
        let known = Known { sequence, priority, attempt, is: Stands::Ready };
        self.jobs.insert(Arc::clone(&job), known);
        match moment {
            None => self.make_ready(&job),
            Some(moment) => {
                self.set(&job, Stands::Later(moment));
                self.later.insert((moment, sequence), job);
            }
        }
    }

    /// Up to `slots` jobs to be leased next. Nobody else of this process gets them until they are put back.
    pub(crate) fn pick(&mut self, slots: usize) -> Vec<Picked> {
        let mut picked = Vec::new();
        while picked.len() < slots {
            let jobs = &self.jobs;
            let holds = |(job, sequence): &(Arc<JobId>, u64)| {
                jobs.get(job).is_some_and(|known| known.sequence == *sequence && known.is == Stands::Ready)
            };
            let Some(job) = self.ready.pop(holds) else { break };
            let Some(known) = self.jobs.get_mut(&job) else { break };
            known.is = Stands::Picked;
            let Known { sequence, priority, attempt, .. } = *known;
            let state = JobState { job: JobId::clone(&job), priority, attempt, is: Is::Waiting };
            picked.push(Picked { state, sequence });
        }
        picked
    }

    /// A job that was picked was not leased, and nothing was heard of it since.
    pub(crate) fn put_back(&mut self, picked: &Picked) {
        let Some((job, known)) = self.jobs.get_key_value(&picked.state.job) else { return };
        if known.sequence == picked.sequence && known.is == Stands::Picked {
            let job = Arc::clone(job);
            self.make_ready(&job);
        }
    }

    /// There is no such job any more.
    pub(crate) fn gone(&mut self, picked: &Picked) {
        let known = self.jobs.get_key_value(&picked.state.job);
        if let Some((job, _)) = known.filter(|(_, known)| known.sequence == picked.sequence) {
            let job = Arc::clone(job);
            self.remove(&job);
        }
    }

    /// Whether a job still stands as the message with this sequence says.
    pub(crate) fn is_at(&self, job: &JobId, sequence: u64) -> bool {
        self.jobs.get(job).is_some_and(|known| known.sequence == sequence)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Jobs { now: self.now, ..Jobs::new(self.lease_ms) };
    }

    fn make_ready(&mut self, job: &Arc<JobId>) {
        if let Some(known) = self.jobs.get_mut(job) {
            known.is = Stands::Ready;
            self.ready.push((Arc::clone(job), known.sequence), known.priority);
        }
    }

    fn set(&mut self, job: &Arc<JobId>, is: Stands) {
        if let Some(known) = self.jobs.get_mut(job) {
            known.is = is;
        }
    }

    fn remove(&mut self, job: &Arc<JobId>) {
        if let Some(Known { sequence, is: Stands::Later(moment), .. }) = self.jobs.remove(job) {
            self.later.remove(&(moment, sequence));
        }
    }
}
