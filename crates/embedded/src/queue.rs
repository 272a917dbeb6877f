//! Which jobs wait, which are leased, and what time does to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fleet_deliberation::{JobId, Priority, Timestamp};
use fleet_orchestrator::port::Lease;

use crate::attempts::Attempts;
use crate::turns::Turns;

/// The index of jobs.
pub(crate) struct Queue {
    lease_ms: u64,
    now: Timestamp,
    tokens: u64,
    jobs: HashMap<Arc<JobId>, Job>,
    ready: Turns,
    /// What becomes ready by itself: delayed jobs, and leased ones when their lease runs out. The number
    /// keeps apart those of the same moment.
    later: BTreeMap<(Timestamp, u64), Arc<JobId>>,
}

struct Job {
    priority: Priority,
    state: State,
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
            self.make_ready(job, None);
        }
    }

    /// When something becomes ready by itself.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.later.first_key_value().map(|((moment, _), _)| *moment)
    }

    pub(crate) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(crate) fn put(&mut self, job: &JobId, priority: Priority) {
        if !self.jobs.contains_key(job) {
            self.make_ready(Arc::new(job.clone()), Some(priority));
        }
    }

    pub(crate) fn lease(&mut self, slots: usize, attempts: &Attempts) -> Vec<Lease> {
        let mut leases = Vec::new();
        while leases.len() < slots
            && let Some(job) = self.ready.pop()
        {
            leases.push(self.lease_one(job, attempts));
        }
        leases
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
            self.make_ready(job, None);
        } else {
            let key = self.later_key(not_before);
            self.set(&job, State::Delayed);
            self.later.insert(key, job);
        }
    }

    pub(crate) fn finish(&mut self, lease: &Lease, attempts: &Attempts) {
        if self.take(lease).is_some() {
            self.jobs.remove(&lease.job);
            attempts.finish(&lease.job.to_string().into());
        }
    }

    fn lease_one(&mut self, job: Arc<JobId>, attempts: &Attempts) -> Lease {
        let attempt = attempts.begin(&job.to_string().into());
        let until = self.later_key(self.now.plus_ms(self.lease_ms));
        let lease = Lease { job: JobId::clone(&job), attempt, token: until.1 };
        self.set(&job, State::Leased { token: lease.token, until });
        self.later.insert(until, job);
        lease
    }

    /// A job that is new comes with its priority; one that was there keeps its own.
    fn make_ready(&mut self, job: Arc<JobId>, priority: Option<Priority>) {
        let known = self.jobs.get(&job).map(|known| known.priority);
        let priority = known.or(priority).unwrap_or_default();
        self.jobs.insert(Arc::clone(&job), Job { priority, state: State::Ready });
        self.ready.push(job, priority);
    }

    fn set(&mut self, job: &Arc<JobId>, state: State) {
        if let Some(known) = self.jobs.get_mut(job) {
            known.state = state;
        }
    }

    fn later_key(&mut self, moment: Timestamp) -> (Timestamp, u64) {
        self.tokens += 1;
        (moment, self.tokens)
    }

    /// The state of a job while this lease of it holds.
    fn leased(&mut self, lease: &Lease) -> Option<&mut State> {
        let state = &mut self.jobs.get_mut(&lease.job)?.state;
        matches!(state, State::Leased { token, .. } if *token == lease.token).then_some(state)
    }

    /// Takes a leased job away from its lease.
    fn take(&mut self, lease: &Lease) -> Option<Arc<JobId>> {
        let Some(State::Leased { until, .. }) = self.leased(lease) else { return None };
        let until = *until;
        self.later.remove(&until)
    }
}
