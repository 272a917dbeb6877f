//! Who is told what happens, to count it and to trace it. Decides nothing and holds nothing up.

use std::sync::Arc;

use fleet_deliberation::{AgentId, Deliberation, Generation, JobId, Outcome, Submission, Timestamp};

use super::{ModelError, ModelRequest};

/// Is told what happens. No method waits or fails; each is called on the path of the work.
pub trait Observer: Send + Sync {
    /// A deliberation was accepted, and its first record is durable.
    fn accepted(&self, _submission: &Submission) {}

    /// A submission was refused, for one of few reasons such as `busy` or `malformed`.
    fn refused(&self, _reason: &'static str) {}

    /// A deliberation has ended. Told once, where that was decided.
    fn ended(&self, _state: &Deliberation) {}

    /// An attempt at a job has come to its end.
    fn attempted(&self, _attempted: &Attempted<'_>) {}

    /// A call of a model has come to its end, or was given up.
    fn called(&self, _called: &Called<'_>) {}
}

/// An attempt at a job.
#[derive(Debug, Clone, Copy)]
pub struct Attempted<'a> {
    /// The deliberation it is for, as it stood when the attempt began.
    pub state: &'a Deliberation,
    /// The job.
    pub job: &'a JobId,
    /// Which attempt it was; the first is 1.
    pub attempt: u32,
    /// Who did it.
    pub agent: &'a AgentId,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What came of it: an outcome that is recorded, or a fault after which it is tried again.
    pub came_of_it: Result<&'a Outcome, &'a ModelError>,
}

/// A call of a model at one server.
#[derive(Debug, Clone, Copy)]
pub struct Called<'a> {
    /// What was asked.
    pub request: &'a ModelRequest,
    /// The server as messages name it, without anything secret.
    pub server: &'a str,
    /// Which call within the attempt it was, from 1: others were made when a server could not be reached,
    /// or beside one that was slow.
    pub nth: u32,
    /// Whether it was made beside one that was slow.
    pub hedge: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What came of it; `None` when it was given up because nobody wanted the answer any more.
    pub came_of_it: Option<Result<&'a Generation, &'a ModelError>>,
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl Observer for NoObserver {}

/// Tells several.
#[derive(Clone, Default)]
pub struct Observers(pub Vec<Arc<dyn Observer>>);

impl Observer for Observers {
    fn accepted(&self, submission: &Submission) {
        self.0.iter().for_each(|observer| observer.accepted(submission));
    }

    fn refused(&self, reason: &'static str) {
        self.0.iter().for_each(|observer| observer.refused(reason));
    }

    fn ended(&self, state: &Deliberation) {
        self.0.iter().for_each(|observer| observer.ended(state));
    }

    fn attempted(&self, attempted: &Attempted<'_>) {
        self.0.iter().for_each(|observer| observer.attempted(attempted));
    }

    fn called(&self, called: &Called<'_>) {
        self.0.iter().for_each(|observer| observer.called(called));
    }
}
