//! The suite: which checks there are, in which order they are reported, and within which bounds they run.
//!
//! Policies and syntax are read in the process; beside that the code is run, by itself and against the task's tests.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use fleet_deliberation::{CheckKind, CheckOutcome, CheckReport, CheckResult, Role, Sketch, Task};
use fleet_orchestrator::chain;
use fleet_orchestrator::port::{CheckRequest, Checker};

use crate::bound::Bound;
use crate::lint::{Linted, Sound, lint};
use crate::linters::Linters;
use crate::policy::Policies;
use crate::run::Runs;
use crate::sketch::sketch;

/// The longest proposal that is checked, in bytes.
pub const PROPOSAL_BYTES_MAX: usize = 1024 * 1024;
/// The longest proposal that is checked without leaving the thread, in bytes.
pub const INLINE_BYTES_MAX: usize = 2 * 1024;
/// The most faults a report lists.
pub const FAULTS_MAX: usize = 50;
/// The longest a proposal's syntax check may take, in milliseconds.
pub const TIME_MS_MAX: u64 = 2_000;

/// The longest text of tests, in bytes.
pub const TESTS_BYTES_MAX: usize = 256 * 1024;

/// The check suite. Cloning shares all it works with.
#[derive(Debug, Clone)]
pub struct Suite {
    policies: Policies,
    runs: Option<Runs>,
    linters: Option<Linters>,
}

#[async_trait]
impl Checker for Suite {
    async fn check(&self, request: CheckRequest<'_>) -> CheckReport {
        let bound = Bound::new(Duration::from_millis(request.timeout_ms));
        let (mut report, ran) = tokio::join!(self.read(request, bound), self.ran(request, bound));
        report.checks.extend(ran);
        report
    }
}

impl Suite {
    /// A suite with these policies, that runs nothing.
    #[must_use]
    pub fn new(policies: Policies) -> Suite {
        Suite { policies, runs: None, linters: None }
    }

    /// Runs the code of proposals, too.
    #[must_use]
    pub fn with_runs(self, runs: Runs) -> Suite {
        Suite { runs: Some(runs), ..self }
    }

    /// Has what reads without a fault looked at by the linters of this machine, too.
    #[must_use]
    pub fn with_linters(self, linters: Linters) -> Suite {
        Suite { linters: Some(linters), ..self }
    }

    /// Does what needs no sandbox on this thread, for no task in particular.
    #[must_use]
    pub fn run(&self, proposal: &str) -> CheckReport {
        let (mut report, _) = self.read_here(proposal, None, None, Bound::new(Duration::MAX));
        report.checks.insert(CheckKind::DryRun, not_run());
        report
    }

    /// The checks that do not run the proposal's code.
    async fn read(&self, request: CheckRequest<'_>, bound: Bound) -> CheckReport {
        let (mut report, sound) = self.read_off(request, bound).await;
        if let (Some(linters), Some(lint)) = (&self.linters, report.checks.get_mut(&CheckKind::Lint)) {
            linters.look(lint, &sound, bound).await;
        }
        report
    }

    /// Those that need nothing but the proposal; a long one is read off the thread.
    async fn read_off(&self, request: CheckRequest<'_>, bound: Bound) -> (CheckReport, Vec<Sound>) {
        let proposal = request.proposal;
        if proposal.len() <= INLINE_BYTES_MAX || proposal.len() > PROPOSAL_BYTES_MAX {
            return self.read_here(proposal, Some(request.task), Some(request.role), bound);
        }
        let (suite, proposal) = (self.clone(), proposal.to_owned());
        let (task, role) = (request.task.clone(), request.role.clone());
        let checks =
            tokio::task::spawn_blocking(move || suite.read_here(&proposal, Some(&task), Some(&role), bound));
        checks.await.unwrap_or_else(|error| {
            tracing::error!(error = chain(&error), "the check suite did not come to its end");
            let broken =
                |what| CheckResult::new(CheckOutcome::Error, format!("{what} broke off; the log says why"));
            let report = report(broken("the policy check"), broken("the syntax check"), Sketch::default());
            (report, Vec::new())
        })
    }

    fn read_here(
        &self,
        proposal: &str,
        task: Option<&Task>,
        role: Option<&Role>,
        bound: Bound,
    ) -> (CheckReport, Vec<Sound>) {
        let policy = self.policies.check_within(proposal, task, role, bound.left());
        let Linted { result, sound } = lint(proposal, bound.left().min(Duration::from_millis(TIME_MS_MAX)));
        (report(policy, result, sketch(proposal)), sound)
    }

    /// The checks that run the proposal's code: by itself, and against the task's tests where it has some.
    async fn ran(&self, request: CheckRequest<'_>, bound: Bound) -> Vec<(CheckKind, CheckResult)> {
        let tests = request.task.tests();
        let both = |result: CheckResult| {
            let tests = tests.map(|_| (CheckKind::Tests, result.clone()));
            [(CheckKind::DryRun, result)].into_iter().chain(tests).collect()
        };
        let Some(runs) = &self.runs else { return both(not_run()) };
        for (what, text, most) in [
            ("the proposal has", request.proposal, PROPOSAL_BYTES_MAX),
            ("the tests given with the task have", tests.unwrap_or_default(), TESTS_BYTES_MAX),
        ] {
            if text.len() > most {
                let bytes = text.len();
                let message = format!("{what} {bytes} bytes; more than {most} are not read");
                return both(CheckResult::new(CheckOutcome::Error, message));
            }
        }
        let given = async {
            match tests {
                Some(text) => Some((CheckKind::Tests, runs.tests(request.proposal, text, bound).await)),
                None => None,
            }
        };
        let (dry, given) = tokio::join!(runs.dry_run(request.proposal, bound), given);
        [(CheckKind::DryRun, dry)].into_iter().chain(given).collect()
    }
}

fn report(policy: CheckResult, lint: CheckResult, sketch: Sketch) -> CheckReport {
    let checks = BTreeMap::from([(CheckKind::Policy, policy), (CheckKind::Lint, lint)]);
    CheckReport { sketch, checks }
}

fn not_run() -> CheckResult {
    CheckResult::new(CheckOutcome::Skipped, "not run: running code is turned off")
}
