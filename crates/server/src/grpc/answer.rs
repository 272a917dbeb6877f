//! What clients are answered, to the wire.

use std::collections::HashMap;

use fleet_api::v1 as wire;
use fleet_deliberation::{
    CheckKind, CheckOutcome, CheckReport, CheckResult, Deliberation, Fault, Phase, Severity, Status,
    Timestamp,
};
use fleet_orchestrator::{Accepted, ResultView, View, announcement};

/// The most characters of a description in a listing.
const SHORT_CHARS_MAX: usize = 120;

pub(crate) fn submitted(accepted: &Accepted, now: Timestamp) -> wire::DeliberateResponse {
    wire::DeliberateResponse {
        results: Vec::new(),
        winner_id: String::new(),
        duration_ms: 0,
        metadata: Some(metadata(accepted.id.as_str(), HashMap::new(), now)),
        task_id: accepted.id.to_string(),
        status: "SUBMITTED".into(),
        agent_ids: accepted.agents.iter().map(ToString::to_string).collect(),
    }
}

pub(crate) fn deliberated(view: &View, now: Timestamp) -> wire::DeliberateResponse {
    let result = result(view, false, now);
    let status = match view.state.status() {
        Status::Pending => "PENDING",
        Status::InProgress => "IN_PROGRESS",
        Status::Completed => "COMPLETED",
        Status::Failed => "FAILED",
        Status::TimedOut => "TIMEOUT",
    };
    wire::DeliberateResponse {
        results: result.results,
        winner_id: result.winner_id,
        duration_ms: result.duration_ms,
        metadata: result.metadata,
        task_id: result.task_id,
        status: status.into(),
        agent_ids: view.state.lanes.iter().map(|lane| lane.author.to_string()).collect(),
    }
}

pub(crate) fn result(view: &View, with_event: bool, now: Timestamp) -> wire::GetDeliberationResultResponse {
    let state = &view.state;
    let until = state.ended.as_ref().map_or(now, |ended| ended.at);
    wire::GetDeliberationResultResponse {
        task_id: state.id().to_string(),
        status: status(state).into(),
        results: view.results.iter().map(|result| ranked(state, result)).collect(),
        winner_id: view.winner().map(ToString::to_string).unwrap_or_default(),
        duration_ms: signed(until.ms_since(state.opened.at)),
        error_message: announcement::error_message(state),
        metadata: Some(metadata(state.id().as_str(), tags(view), now)),
        event: announcement::outcome(view).filter(|_| with_event).map(|o| o.to_json()).unwrap_or_default(),
    }
}

pub(crate) fn cancelled(state: &Deliberation) -> wire::CancelDeliberationResponse {
    let message = match &state.ended {
        Some(fleet_deliberation::Ended { ending: fleet_deliberation::Ending::Cancelled { .. }, .. }) => {
            format!("deliberation {} is cancelled", state.id())
        }
        _ => format!("deliberation {} had ended before; it stays as it was", state.id()),
    };
    wire::CancelDeliberationResponse { status: status(state).into(), message }
}

pub(crate) fn info(state: &Deliberation) -> wire::DeliberationInfo {
    wire::DeliberationInfo {
        task_id: state.id().to_string(),
        role: state.submission().role.to_string(),
        status: status(state).into(),
        created_at_ms: signed(state.opened.at.0),
        ended_at_ms: state.ended.as_ref().map_or(0, |ended| signed(ended.at.0)),
        task_description: state.submission().task.description.chars().take(SHORT_CHARS_MAX).collect(),
        winner_id: state.winner().map(ToString::to_string).unwrap_or_default(),
        error_type: announcement::error_type(state).unwrap_or_default().into(),
    }
}

fn status(state: &Deliberation) -> wire::DeliberationStatus {
    match state.status() {
        Status::Pending => wire::DeliberationStatus::Pending,
        Status::InProgress => wire::DeliberationStatus::InProgress,
        Status::Completed => wire::DeliberationStatus::Completed,
        Status::Failed => wire::DeliberationStatus::Failed,
        Status::TimedOut => wire::DeliberationStatus::Timeout,
    }
}

/// What a deliberation is busy with, in the words of the wire.
pub(super) const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Generating => "generating",
        Phase::Reviewing => "reviewing",
        Phase::Scoring => "scoring",
        Phase::Complete => "complete",
    }
}

/// Counts of jobs, tokens spent, and what it is busy with.
fn tags(view: &View) -> HashMap<String, String> {
    let state = &view.state;
    let mut tags: HashMap<String, String> = [
        ("pending", state.outstanding().count().to_string()),
        ("completed", state.jobs.completed.to_string()),
        ("failed", state.jobs.failed.to_string()),
        ("phase", phase(state.phase()).to_owned()),
        ("prompt_tokens", state.usage.prompt_tokens.to_string()),
        ("completion_tokens", state.usage.completion_tokens.to_string()),
        ("tokens_estimated", state.usage.estimated.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    if let Some(purse) = &state.purse {
        let left_out: Vec<String> = purse.dropped.iter().map(|dropped| dropped.what.to_string()).collect();
        tags.insert("tokens_spent".to_owned(), purse.spent.tokens.to_string());
        tags.insert("left_out".to_owned(), left_out.join("; "));
    }
    let error = announcement::error_message(state);
    if !error.is_empty() {
        tags.insert("error".to_owned(), error);
    }
    if let Some(why) = view.why() {
        tags.insert("why".to_owned(), why.to_owned());
    }
    tags
}

fn metadata(id: &str, tags: HashMap<String, String>, now: Timestamp) -> wire::OrchestratorMetadata {
    wire::OrchestratorMetadata {
        orchestrator_version: env!("CARGO_PKG_VERSION").into(),
        timestamp_ms: signed(now.0),
        execution_id: id.into(),
        tags,
    }
}

fn ranked(state: &Deliberation, result: &ResultView) -> wire::DeliberationResult {
    wire::DeliberationResult {
        proposal: Some(wire::Proposal {
            author_id: result.ranked.author.to_string(),
            author_role: state.submission().role.to_string(),
            content: result.generation.text.clone(),
            created_at_ms: signed(result.created_at.0),
            revisions: result.earlier.clone(),
        }),
        checks: Some(checks(result.checks.as_ref())),
        score: result.ranked.score,
        rank: i32::try_from(result.ranked.rank).unwrap_or(i32::MAX),
        basis: result.ranked.basis.clone(),
    }
}

/// The suite on the wire: the message of a check that was not run stays unset.
pub(super) fn checks(report: Option<&CheckReport>) -> wire::CheckSuite {
    let ran = |kind| {
        let result = report.and_then(|report| report.checks.get(&kind))?;
        let passed = match result.outcome {
            CheckOutcome::Pass => true,
            CheckOutcome::Fail => false,
            CheckOutcome::Error | CheckOutcome::Skipped => return None,
        };
        Some((result, passed, result.faults.iter().map(Fault::to_string).collect::<Vec<_>>()))
    };
    let policy = ran(CheckKind::Policy).map(|(result, passed, violations)| wire::PolicyResult {
        passed,
        violations,
        message: result.message.clone(),
    });
    let lint = ran(CheckKind::Lint).map(|(result, passed, _)| {
        let (advice, errors): (Vec<&Fault>, Vec<&Fault>) =
            result.faults.iter().partition(|fault| fault.severity == Severity::Low);
        wire::LintResult {
            passed,
            error_count: whole(errors.len()),
            warning_count: whole(advice.len()),
            errors: errors.into_iter().map(Fault::to_string).collect(),
        }
    });
    let dryrun = ran(CheckKind::DryRun).map(|(result, passed, output)| wire::DryRunResult {
        passed,
        output: result.run.as_ref().map_or_else(|| output.join("\n"), |run| run.output.clone()),
        exit_code: result.run.as_ref().and_then(|run| run.exit_code).unwrap_or(i32::from(!passed)),
        message: result.message.clone(),
    });
    let given = report.and_then(|report| report.checks.get(&CheckKind::Tests));
    let all_passed = policy.as_ref().is_some_and(|check| check.passed)
        && lint.as_ref().is_some_and(|check| check.passed)
        && dryrun.as_ref().is_some_and(|check| check.passed)
        && given.is_none_or(|given| given.outcome == CheckOutcome::Pass);
    wire::CheckSuite {
        policy,
        lint,
        dryrun,
        additional_checks: given.map(given_tests).into_iter().collect(),
        all_passed,
    }
}

/// How the tests given with a task came out; where they were not run, the message says so and why.
fn given_tests(result: &CheckResult) -> wire::CheckResult {
    let passed = result.tests.iter().filter(|test| test.passed).count();
    let share = if result.tests.is_empty() { 0.0 } else { passed as f64 / result.tests.len() as f64 };
    let word = |passed| if passed { "passed" } else { "failed" };
    let details = result.tests.iter().map(|test| (test.name.clone(), word(test.passed).to_owned()));
    wire::CheckResult {
        check_type: CheckKind::Tests.as_str().into(),
        passed: result.outcome == CheckOutcome::Pass,
        score: share,
        message: match result.outcome {
            CheckOutcome::Pass | CheckOutcome::Fail => result.message.clone(),
            CheckOutcome::Error => format!("error: {}", result.message),
            CheckOutcome::Skipped => format!("skipped: {}", result.message),
        },
        details: details.collect(),
    }
}

fn whole(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

pub(crate) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_tests_that_were_not_run_are_there_and_say_why_and_other_checks_are_not() {
        let skipped = || CheckResult::new(CheckOutcome::Skipped, "not run: running code is turned off");
        let checks = [(CheckKind::DryRun, skipped()), (CheckKind::Tests, skipped())].into_iter().collect();
        let suite = super::checks(Some(&CheckReport { checks, ..CheckReport::default() }));
        assert_eq!(suite.dryrun, None);
        let tests = &suite.additional_checks[0];
        assert_eq!((tests.check_type.as_str(), tests.passed, suite.all_passed), ("tests", false, false));
        assert_eq!(tests.message, "skipped: not run: running code is turned off");
    }
}
