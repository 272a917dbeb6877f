//! Jobs in memory; how often each was tried, on disk.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use fleet_deliberation::{JobId, Priority, Timestamp};
use fleet_orchestrator::port::{Clock, JobQueue, Lease, StoreError};
use tokio::sync::Notify;

use crate::queue::Queue;
use crate::write::{Write, Writes};
use crate::writer::Shared;

/// The queue. It holds ids only, no more than there are jobs of deliberations that were admitted, and is
/// empty after a start: the log says which jobs are to be put.
pub(crate) struct MemoryJobQueue {
    queue: Mutex<Queue>,
    /// Something can be leased, or can be sooner than those who wait believe.
    changed: Notify,
    writes: Writes,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    lease_ms: u64,
}

impl MemoryJobQueue {
    pub(crate) fn new(writes: Writes, shared: Arc<Shared>, clock: Arc<dyn Clock>, lease_ms: u64) -> Self {
        let queue = Mutex::new(Queue::new(lease_ms));
        MemoryJobQueue { queue, changed: Notify::new(), writes, shared, clock, lease_ms }
    }

    /// The queue as it is now, which is when leases may have run out.
    fn now(&self) -> MutexGuard<'_, Queue> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.advance(self.clock.now());
        queue
    }

    /// Does something to the queue and wakes those who wait, if it matters to them.
    fn change<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.now();
        let before = queue.next_at();
        let result = change(&mut queue);
        let sooner = match (before, queue.next_at()) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(before), Some(after)) => after < before,
        };
        let matters = sooner || queue.is_ready();
        drop(queue);
        if matters {
            self.changed.notify_waiters();
        }
        result
    }
}

#[async_trait]
impl JobQueue for MemoryJobQueue {
    async fn put(&self, jobs: &[JobId], priority: Priority) -> Result<(), StoreError> {
        self.change(|queue| jobs.iter().for_each(|job| queue.put(job, priority)));
        Ok(())
    }

    async fn lease(&self, slots: usize) -> Result<Vec<Lease>, StoreError> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Listen before looking, or a job put in between is missed.
            changed.as_mut().enable();
            // One look for both, or a job that is due in between is neither leased nor waited for.
            let (leases, next_at) = self.change(|queue| {
                let leases = queue.lease(slots.max(1), &self.shared.attempts);
                (leases, queue.next_at())
            });
            if !leases.is_empty() {
                if self.shared.asleep.load(Ordering::SeqCst) {
                    self.writes.nudge();
                }
                return Ok(leases);
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = self.until(next_at) => {}
            }
        }
    }

    async fn beat(&self, lease: &Lease) -> Result<(), StoreError> {
        if self.now().beat(lease) { Ok(()) } else { Err(StoreError::Conflict) }
    }

    async fn release(&self, lease: &Lease, not_before: Timestamp) -> Result<(), StoreError> {
        self.change(|queue| queue.release(lease, not_before));
        Ok(())
    }

    async fn finish(&self, lease: &Lease) -> Result<(), StoreError> {
        self.now().finish(lease, &self.shared.attempts);
        Ok(())
    }

    async fn counted(&self, _: &Lease) -> Result<(), StoreError> {
        // Every commit takes along the counts there are.
        self.writes.ask(|done| Write::Probe { done }).await
    }

    fn beat_ms(&self) -> u64 {
        self.lease_ms / 3
    }
}

impl MemoryJobQueue {
    async fn until(&self, moment: Option<Timestamp>) {
        match moment {
            Some(moment) => self.clock.sleep_until(moment).await,
            None => std::future::pending().await,
        }
    }
}
