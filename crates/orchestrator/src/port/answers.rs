//! What came of jobs: recorded once, the first record wins.

use async_trait::async_trait;
use std::sync::Arc;

use fleet_deliberation::{Answer, DeliberationId, JobId};

use super::{Position, StoreError};

/// What recording an answer did.
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    /// The answer is the one that counts.
    First,
    /// Another answer was there before, and counts.
    Already,
}

/// Keeps answers.
#[async_trait]
pub trait Answers: Send + Sync {
    /// Records an answer unless its job has one. When this returns `Ok`, an answer to the job is
    /// durable, this one or the one that was there. After an error it may be there or not.
    async fn record(&self, answer: Answer) -> Result<Recorded, StoreError>;

    /// The recorded answer of a job.
    async fn find(&self, job: &JobId) -> Result<Option<Arc<Answer>>, StoreError>;

    /// The place of the answer recorded last.
    async fn end(&self) -> Result<Position, StoreError>;

    /// Up to `limit` answers behind `after`, in the order they were recorded, each with its place;
    /// waits until there is one.
    async fn tail(&self, after: Position, limit: usize) -> Result<Vec<(Position, Arc<Answer>)>, StoreError>;

    /// Forgets the answers of a deliberation for good.
    async fn forget(&self, deliberation: &DeliberationId) -> Result<(), StoreError>;
}
