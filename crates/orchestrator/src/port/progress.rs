//! What a watcher sees of jobs while they are done. Not kept.

use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use fleet_deliberation::{AgentId, DeliberationId, JobId};

/// How far a job has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// The job.
    pub job: JobId,
    /// Who does it.
    pub agent: AgentId,
    /// Which attempt this is; the first is 1.
    pub attempt: u32,
    /// Tokens written so far.
    pub tokens: u64,
    /// True while the model is still reasoning before its answer.
    pub reasoning: bool,
    /// What was written since the tick before of the same attempt: of the answer, or of the reasoning.
    pub text: Box<str>,
}

/// Takes ticks.
pub trait Progress: Send + Sync {
    /// Whether anybody watches a deliberation; ticks of others need not be made.
    fn is_watched(&self, deliberation: &DeliberationId) -> bool;

    /// Shows a tick to whoever watches its deliberation. Never waits; who does not keep up loses the oldest.
    fn tick(&self, tick: Tick);
}

/// Lets ticks be watched.
pub trait Watching: Send + Sync {
    /// Watches the ticks of a deliberation from now on, for as long as the watch is kept.
    fn watch(&self, deliberation: &DeliberationId) -> Box<dyn TickWatch>;
}

/// The ticks of one deliberation as one watcher sees them.
#[async_trait]
pub trait TickWatch: Send {
    /// What has come since the last time; waits until there is something. Dropping the future loses nothing.
    async fn seen(&mut self) -> Seen;
}

/// Ticks that came since the last time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The ticks, oldest first.
    pub ticks: Vec<Arc<Tick>>,
    /// How many came before these, and were lost because nobody looked in time.
    pub left_out: u64,
}

/// Shows ticks to nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn is_watched(&self, _: &DeliberationId) -> bool {
        false
    }

    fn tick(&self, _: Tick) {}
}

impl Watching for NoProgress {
    fn watch(&self, _: &DeliberationId) -> Box<dyn TickWatch> {
        Box::new(NoProgress)
    }
}

#[async_trait]
impl TickWatch for NoProgress {
    async fn seen(&mut self) -> Seen {
        pending().await
    }
}
