//! The way from dispatcher to worker. A hint: what is lost here is put back by the sweep.

use async_trait::async_trait;
use fleet_deliberation::{JobId, Priority, Timestamp};

use super::StoreError;

/// The right to do a job, until it is given back or runs out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The job to do.
    pub job: JobId,
    /// Which attempt this is; the first is 1. A lease that ran out or was cut off by a crash counts.
    pub attempt: u32,
    /// Tells this lease from others of the same job.
    pub token: u64,
}

/// Hands jobs to workers.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Offers jobs. A job that waits or is leased already is left as it is.
    async fn put(&self, jobs: &[JobId], priority: Priority) -> Result<(), StoreError>;

    /// Leases up to `slots` jobs (at least 1); waits until there is one. Those of a higher priority come
    /// first; among equals deliberations take turns, and those of one come in the order they were put. A job
    /// is leased to one worker at a time, until the lease is finished, released, or has run out: then
    /// the job comes again, as a further attempt.
    async fn lease(&self, slots: usize) -> Result<Vec<Lease>, StoreError>;

    /// Says that the work goes on, so that the lease does not run out. `Conflict` if it already has.
    async fn beat(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Gives a job back to be tried again, not before a moment. Nothing happens if the lease ran out.
    async fn release(&self, lease: &Lease, not_before: Timestamp) -> Result<(), StoreError>;

    /// Ends a job: it is not offered again unless it is put again. Nothing happens if the lease ran out.
    async fn finish(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Returns once the attempt that `lease` is outlives the process. Without it that takes a moment, in which a crash
    /// may forget it.
    async fn counted(&self, lease: &Lease) -> Result<(), StoreError> {
        let _ = lease;
        Ok(())
    }

    /// How often a worker should beat, in milliseconds.
    fn beat_ms(&self) -> u64;
}
