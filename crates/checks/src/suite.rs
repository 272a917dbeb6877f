//! The suite: which checks there are, within which bounds they run, and what they report.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use fleet_deliberation::{CheckKind, CheckOutcome, CheckReport, CheckResult, Role, Sketch, Task};
use fleet_orchestrator::chain;
use fleet_orchestrator::port::{CheckRequest, Checker};

use crate::bound::Bound;
use crate::lint::lint;
use crate::policy::Policies;
use crate::sketch::sketch;

/// The longest proposal that is checked, in bytes.
pub const PROPOSAL_BYTES_MAX: usize = 1024 * 1024;
/// The longest proposal that is checked without leaving the thread, in bytes.
pub const INLINE_BYTES_MAX: usize = 2 * 1024;
/// The most faults a report lists.
pub const FAULTS_MAX: usize = 50;
/// The longest a proposal's syntax check may take, in milliseconds.
pub const TIME_MS_MAX: u64 = 2_000;

/// The check suite. Cloning shares its policies.
#[derive(Debug, Clone)]
pub struct Suite {
    policies: Policies,
}

#[async_trait]
impl Checker for Suite {
    async fn check(&self, request: CheckRequest<'_>) -> CheckReport {
        let proposal = request.proposal;
        let bound = Bound::new(Duration::from_millis(request.timeout_ms));
        if proposal.len() <= INLINE_BYTES_MAX || proposal.len() > PROPOSAL_BYTES_MAX {
            return self.run_for(proposal, Some(request.task), Some(request.role), bound);
        }
        let (suite, proposal) = (self.clone(), proposal.to_owned());
        let (task, role) = (request.task.clone(), request.role.clone());
        let checks =
            tokio::task::spawn_blocking(move || suite.run_for(&proposal, Some(&task), Some(&role), bound));
        checks.await.unwrap_or_else(|error| {
            tracing::error!(error = chain(&error), "the check suite did not come to its end");
            let broken =
                |what| CheckResult::new(CheckOutcome::Error, format!("{what} broke off; the log says why"));
            report(broken("the policy check"), broken("the syntax check"), Sketch::default())
        })
    }
}

impl Suite {
    /// A suite with these policies.
    #[must_use]
    pub fn new(policies: Policies) -> Suite {
        Suite { policies }
    }

    /// Runs what needs no sandbox on this thread, for no task in particular.
    #[must_use]
    pub fn run(&self, proposal: &str) -> CheckReport {
        self.run_for(proposal, None, None, Bound::new(Duration::MAX))
    }

    fn run_for(&self, proposal: &str, task: Option<&Task>, role: Option<&Role>, bound: Bound) -> CheckReport {
        let policy = self.policies.check_within(proposal, task, role, bound.left());
        let lint = lint(proposal, bound.left().min(Duration::from_millis(TIME_MS_MAX)));
        report(policy, lint, sketch(proposal))
    }
}

fn report(policy: CheckResult, lint: CheckResult, sketch: Sketch) -> CheckReport {
    let not_run = |what| CheckResult::new(CheckOutcome::Skipped, what);
    CheckReport {
        sketch,
        checks: BTreeMap::from([
            (CheckKind::Policy, policy),
            (CheckKind::Lint, lint),
            (CheckKind::DryRun, not_run("not run: this version does not run code")),
        ]),
    }
}
