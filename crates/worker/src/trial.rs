//! A trial: a proposal under the tests that others wrote.

use fleet_deliberation::{
    AgentId, Assignment, CheckKind, Deliberation, Failure, FailureKind, JobId, Outcome, TESTS,
    TRIAL_TESTS_MAX, Trial,
};
use fleet_orchestrator::port::{CheckRequest, Lease};

use crate::Parts;
use crate::fetched::find;
use crate::work::Fault;

/// What is kept of a trial's time to record what came of it.
const SAVED_MS: u64 = 500;

/// Runs the tests of each writer against a proposal. Those that could not be run are not there.
pub(crate) async fn trial(
    parts: &Parts,
    state: &Deliberation,
    assignment: &Assignment,
    lease: &Lease,
    proposal: &str,
    tests: &[(AgentId, JobId)],
) -> Result<Outcome, Fault> {
    let submission = state.submission();
    let mut trial = Trial::default();
    let mut why_not = String::new();
    for (nth, (writer, job)) in tests.iter().enumerate() {
        let answer = find(parts, job).await?;
        let Some(written) = answer.as_ref().and_then(|answer| answer.text()) else { continue };
        let left_ms = assignment.window.until.ms_since(parts.clock.now()).saturating_sub(SAVED_MS);
        let mut task = submission.task.clone();
        task.metadata.insert(TESTS.into(), written.text.clone());
        let request = CheckRequest {
            proposal,
            task: &task,
            role: &submission.role,
            // Each writer has its share of the time, so that one that hangs leaves the others theirs.
            timeout_ms: (left_ms / (tests.len() - nth) as u64).max(1),
        };
        let report = parts.checker.check(request).await;
        let Some(result) = report.checks.get(&CheckKind::Tests) else {
            "no test was run".clone_into(&mut why_not);
            continue;
        };
        if result.tests.is_empty() {
            why_not.clone_from(&result.message);
        }
        // Each writer has its share of the room.
        let share = (TRIAL_TESTS_MAX / tests.len().max(1)).max(1);
        for test in result.tests.iter().take(share) {
            trial.0.insert(format!("{writer}/{}", test.name), test.passed);
        }
    }
    if trial.0.is_empty() {
        let message = format!("no test by others could be run: {why_not}");
        return Ok(Outcome::Failed(Failure::new(FailureKind::Unreadable, message, lease.attempt)));
    }
    Ok(Outcome::Trial(trial))
}
