//! The suite: which checks there are, within which bounds they run, and what they report.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use fleet_deliberation::{CheckKind, CheckOutcome, CheckReport, CheckResult, Sketch};
use fleet_orchestrator::chain;
use fleet_orchestrator::port::{CheckRequest, Checker};

use crate::lint::lint;

/// The longest proposal that is checked, in bytes.
pub const PROPOSAL_BYTES_MAX: usize = 1024 * 1024;
/// The longest proposal that is checked without leaving the thread, in bytes.
pub const INLINE_BYTES_MAX: usize = 8 * 1024;
/// The most faults a report lists.
pub const FAULTS_MAX: usize = 50;
/// The longest a proposal's syntax check may take, in milliseconds.
pub const TIME_MS_MAX: u64 = 2_000;

/// The check suite. Holds nothing: it can be made wherever one is needed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Suite;

#[async_trait]
impl Checker for Suite {
    async fn check(&self, request: CheckRequest<'_>) -> CheckReport {
        let proposal = request.proposal;
        if proposal.len() <= INLINE_BYTES_MAX || proposal.len() > PROPOSAL_BYTES_MAX {
            return self.run(proposal);
        }
        let proposal = proposal.to_owned();
        tokio::task::spawn_blocking(move || Suite.run(&proposal)).await.unwrap_or_else(|error| {
            tracing::error!(error = chain(&error), "the check suite did not come to its end");
            report(CheckResult::new(CheckOutcome::Error, "the syntax check broke off; the log says why"))
        })
    }
}

impl Suite {
    /// Runs the suite on this thread.
    #[must_use]
    pub fn run(&self, proposal: &str) -> CheckReport {
        let started = Instant::now();
        let mut lint = lint(proposal, started + Duration::from_millis(TIME_MS_MAX));
        lint.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        report(lint)
    }
}

fn report(lint: CheckResult) -> CheckReport {
    let not_run = |what| CheckResult::new(CheckOutcome::Skipped, what);
    CheckReport {
        sketch: Sketch::default(),
        checks: BTreeMap::from([
            (CheckKind::Policy, not_run("not run: this version has no policy check")),
            (CheckKind::Lint, lint),
            (CheckKind::DryRun, not_run("not run: this version does not run code")),
        ]),
    }
}
