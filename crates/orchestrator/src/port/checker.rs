//! The check suite behind whatever tools it uses.

use async_trait::async_trait;
use fleet_deliberation::CheckReport;

/// Checks proposals.
#[async_trait]
pub trait Checker: Send + Sync {
    /// Runs every check of the suite over a proposal's Markdown. Never fails: a check that could not
    /// run is reported as such.
    async fn check(&self, proposal: &str) -> CheckReport;
}
