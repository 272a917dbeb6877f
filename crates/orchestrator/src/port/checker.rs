//! The check suite behind whatever tools it uses.

use async_trait::async_trait;
use fleet_deliberation::{CheckReport, Role, Task};

/// What is to be checked, and what it answers.
#[derive(Debug, Clone, Copy)]
pub struct CheckRequest<'a> {
    /// The proposal's Markdown.
    pub proposal: &'a str,
    /// The task it answers; may bring tests.
    pub task: &'a Task,
    /// The role of the council it comes from.
    pub role: &'a Role,
    /// Milliseconds until the report is of no use any more.
    pub timeout_ms: u64,
}

/// Checks proposals.
#[async_trait]
pub trait Checker: Send + Sync {
    /// Runs every check of the suite over a proposal. Never fails: a check that could not run is reported as
    /// such. Ends within the request's time.
    async fn check(&self, request: CheckRequest<'_>) -> CheckReport;
}
