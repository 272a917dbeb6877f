//! The queue, as a link reaches it: in an order of chance, and not always once.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use async_trait::async_trait;
use fleet_deliberation::{JobId, Priority, Timestamp};
use fleet_orchestrator::port::{JobQueue, Lease, StoreError};

use super::Link;
use crate::invariants;
use crate::world::{Queued, State, Topic};

/// How long a lease lasts, in milliseconds.
const LEASE_MS: u64 = 5_000;

#[async_trait]
impl JobQueue for Link {
    async fn put(&self, jobs: &[JobId], _: Priority) -> Result<(), StoreError> {
        self.operate(&format!("put {} jobs", jobs.len()), |state| {
            for job in jobs {
                if !state.rng.chance(state.faults.job_lost) {
                    state.queue.jobs.entry(job.clone()).or_insert(Queued::Ready);
                }
            }
            state.wake(Topic::Queue);
            Ok(())
        })
        .await
    }

    async fn lease(&self, slots: usize) -> Result<Vec<Lease>, StoreError> {
        loop {
            let next_due = {
                let state = self.world.lock();
                let due = state.queue.jobs.values().map(|queued| match queued {
                    Queued::Ready => state.now,
                    Queued::Delayed(moment) | Queued::Leased { until: moment, .. } => *moment,
                });
                due.min().unwrap_or(Timestamp(u64::MAX))
            };
            let mut first = true;
            let changed = self.wait(Topic::Queue, |_| (!std::mem::take(&mut first)).then_some(()));
            if next_due > self.world.lock().now {
                race(changed, self.world.until(next_due)).await;
            }
            let leases = self.operate("lease", |state| Ok(lease(state, slots))).await?;
            if !leases.is_empty() {
                return Ok(leases);
            }
        }
    }

    async fn beat(&self, held: &Lease) -> Result<(), StoreError> {
        self.operate(&format!("beat {}", held.job), |state| {
            let until = state.now.plus_ms(LEASE_MS);
            match state.queue.jobs.get_mut(&held.job) {
                Some(Queued::Leased { token, until: old }) if *token == held.token => {
                    *old = until;
                    Ok(())
                }
                _ => Err(StoreError::Conflict),
            }
        })
        .await
    }

    async fn release(&self, held: &Lease, not_before: Timestamp) -> Result<(), StoreError> {
        self.operate(&format!("release {}", held.job), |state| {
            if holds(state, held) {
                state.queue.jobs.insert(held.job.clone(), Queued::Delayed(not_before));
                state.wake(Topic::Queue);
            }
            Ok(())
        })
        .await
    }

    async fn finish(&self, held: &Lease) -> Result<(), StoreError> {
        self.operate(&format!("finish {}", held.job), |state| {
            if holds(state, held) {
                state.queue.jobs.remove(&held.job);
                state.queue.attempts.remove(&held.job);
            }
            Ok(())
        })
        .await
    }

    fn beat_ms(&self) -> u64 {
        LEASE_MS / 3
    }
}

fn holds(state: &State, held: &Lease) -> bool {
    matches!(state.queue.jobs.get(&held.job), Some(Queued::Leased { token, .. }) if *token == held.token)
}

/// Leases jobs in an order of chance.
fn lease(state: &mut State, slots: usize) -> Vec<Lease> {
    let now = state.now;
    let mut free: Vec<JobId> = Vec::new();
    for (job, queued) in &state.queue.jobs {
        let doubled = state.rng.chance(state.faults.job_doubled);
        match queued {
            Queued::Ready => free.push(job.clone()),
            Queued::Delayed(moment) if *moment <= now => free.push(job.clone()),
            Queued::Leased { until, .. } if *until <= now || doubled => free.push(job.clone()),
            Queued::Delayed(_) | Queued::Leased { .. } => {}
        }
    }
    let mut leases = Vec::new();
    while leases.len() < slots && !free.is_empty() {
        let at = usize::try_from(state.rng.below(free.len() as u64)).unwrap_or(0);
        let job = free.swap_remove(at);
        if matches!(state.queue.jobs.get(&job), Some(Queued::Leased { .. })) {
            state.doubled.insert(job.clone());
        }
        invariants::leased(state, &job);
        let attempts = state.queue.attempts.entry(job.clone()).or_default();
        *attempts += 1;
        state.queue.tokens += 1;
        let token = state.queue.tokens;
        leases.push(Lease { job: job.clone(), attempt: *attempts, token });
        state.queue.jobs.insert(job, Queued::Leased { token, until: now.plus_ms(LEASE_MS) });
    }
    leases
}

/// Waits for the first of two.
async fn race(a: impl Future<Output = ()> + Send, b: impl Future<Output = ()> + Send) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|context| match (a.as_mut().poll(context), b.as_mut().poll(context)) {
        (Poll::Pending, Poll::Pending) => Poll::Pending,
        _ => Poll::Ready(()),
    })
    .await;
}
