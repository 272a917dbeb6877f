//! What a watcher sees of jobs while they are done. Not kept.

use fleet_deliberation::{AgentId, JobId};

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
}

/// Takes ticks.
pub trait Progress: Send + Sync {
    /// Shows a tick to whoever watches. Never waits; ticks may be lost.
    fn tick(&self, tick: Tick);
}

/// Shows ticks to nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn tick(&self, _: Tick) {}
}
