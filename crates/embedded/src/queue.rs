//! Which jobs wait, which are leased, and what time does to them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use fleet_deliberation::{JobId, Timestamp};
use fleet_orchestrator::port::Lease;

use crate::attempts::Attempts;

/// The index of jobs.
pub(crate) struct Queue {
    lease_ms: u64,
    now: Timestamp,
    tokens: u64,
    jobs: HashMap<Arc<JobId>, State>,
    /// First come first served.
    ready: VecDeque<Arc<JobId>>,
    /// What becomes ready by itself: delayed jobs, and leased ones when their lease runs out. The number
    /// keeps apart those of the same moment.
    later: BTreeMap<(Timestamp, u64), Arc<JobId>>,
}

enum State {
    Ready,
    Delayed,
    Leased { token: u64, until: (Timestamp, u64) },
}

impl Queue {
    pub(crate) fn new(lease_ms: u64) -> Queue {
        Queue {
            lease_ms,
            now: Timestamp(0),
            tokens: 0,
            jobs: HashMap::new(),
            ready: VecDeque::new(),
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
            self.make_ready(job);
        }
    }

    /// When something becomes ready by itself.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.later.first_key_value().map(|((moment, _), _)| *moment)
    }

    pub(crate) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(crate) fn put(&mut self, job: &JobId) {
        if !self.jobs.contains_key(job) {
            self.make_ready(Arc::new(job.clone()));
        }
    }

    pub(crate) fn lease(&mut self, slots: usize, attempts: &Attempts) -> Vec<Lease> {
        let taken = slots.min(self.ready.len());
        let jobs: Vec<Arc<JobId>> = self.ready.drain(..taken).collect();
        jobs.into_iter().map(|job| self.lease_one(job, attempts)).collect()
    }

    /// False when the lease has run out.
    pub(crate) fn beat(&mut self, lease: &Lease) -> bool {
        let next = self.later_key(self.now.plus_ms(self.lease_ms));
        let Some(State::Leased { until, .. }) = self.leased(lease) else { return false };
        let old = std::mem::replace(until, next);
        if let Some(job) = self.later.remove(&old) {
            self.later.insert(next, job);
        }
        true
    }

    pub(crate) fn release(&mut self, lease: &Lease, not_before: Timestamp) {
        let Some(job) = self.take(lease) else { return };
        if not_before <= self.now {
            self.make_ready(job);
        } else {
            let key = self.later_key(not_before);
            self.jobs.insert(Arc::clone(&job), State::Delayed);
            self.later.insert(key, job);
        }
    }

    pub(crate) fn finish(&mut self, lease: &Lease, attempts: &Attempts) {
        if self.take(lease).is_some() {
            attempts.finish(&lease.job.to_string().into());
        }
    }

    fn lease_one(&mut self, job: Arc<JobId>, attempts: &Attempts) -> Lease {
        let attempt = attempts.begin(&job.to_string().into());
        let until = self.later_key(self.now.plus_ms(self.lease_ms));
        let lease = Lease { job: JobId::clone(&job), attempt, token: until.1 };
        self.jobs.insert(Arc::clone(&job), State::Leased { token: lease.token, until });
        self.later.insert(until, job);
        lease
    }

    fn make_ready(&mut self, job: Arc<JobId>) {
        self.jobs.insert(Arc::clone(&job), State::Ready);
        self.ready.push_back(job);
    }

    fn later_key(&mut self, moment: Timestamp) -> (Timestamp, u64) {
        self.tokens += 1;
        (moment, self.tokens)
    }

    /// The state of a job while this lease of it holds.
    fn leased(&mut self, lease: &Lease) -> Option<&mut State> {
        let state = self.jobs.get_mut(&lease.job)?;
        matches!(state, State::Leased { token, .. } if *token == lease.token).then_some(state)
    }

    /// Takes a leased job out of everything.
    fn take(&mut self, lease: &Lease) -> Option<Arc<JobId>> {
        let Some(State::Leased { until, .. }) = self.leased(lease) else { return None };
        let until = *until;
        self.jobs.remove(&lease.job);
        self.later.remove(&until)
    }
}
