//! An update as a line of JSON, for programs. The keys are the names of the wire.

use fleet_api::v1 as wire;
use fleet_deliberation::CheckKind;
use serde::Serialize;

#[derive(Serialize)]
struct Line<'a> {
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_ms: Option<i64>,
    task_id: &'a str,
    status: &'a str,
    progress_percent: i32,
    current_step: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    current_agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    partial_result: Option<Partial<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    writing: Option<Writing<'a>>,
}

#[derive(Serialize)]
struct Partial<'a> {
    proposal: Option<Proposal<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Checks<'a>>,
    #[serde(flatten)]
    ranked: Option<Ranked<'a>>,
}

#[derive(Serialize)]
struct Proposal<'a> {
    author_id: &'a str,
    author_role: &'a str,
    content: &'a str,
    created_at_ms: i64,
    revisions: &'a [String],
}

/// What only the verdict gives.
#[derive(Serialize)]
struct Ranked<'a> {
    score: f64,
    rank: i32,
    basis: &'a str,
}

/// A check that was not run is not there, but for the tests given with a task: their message says why they were not.
#[derive(Serialize)]
struct Checks<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Check<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lint: Option<Check<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dryrun: Option<Check<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tests: Option<Check<'a>>,
    all_passed: bool,
}

#[derive(Serialize)]
struct Check<'a> {
    passed: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    violations: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    errors: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    output: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
}

impl Check<'_> {
    fn new(passed: bool) -> Self {
        Check { passed, violations: &[], errors: &[], output: "", message: "" }
    }
}

#[derive(Serialize)]
struct Writing<'a> {
    job_id: &'a str,
    attempt: i32,
    delta: &'a str,
    tokens: i64,
    reasoning: bool,
    left_out: i64,
}

/// The line for `update`, with its end.
pub(super) fn of(update: &wire::DeliberationUpdate) -> anyhow::Result<String> {
    let line = Line {
        sequence: update.sequence,
        at_ms: Some(update.at_ms).filter(|ms| *ms > 0),
        task_id: &update.task_id,
        status: &update.status,
        progress_percent: update.progress_percent,
        current_step: &update.current_step,
        current_agent: &update.current_agent,
        partial_result: update.partial_result.as_ref().map(partial),
        writing: update.writing.as_ref().map(writing),
    };
    Ok(serde_json::to_string(&line)? + "\n")
}

fn partial(result: &wire::DeliberationResult) -> Partial<'_> {
    let proposal = result.proposal.as_ref().map(|proposal| Proposal {
        author_id: &proposal.author_id,
        author_role: &proposal.author_role,
        content: &proposal.content,
        created_at_ms: proposal.created_at_ms,
        revisions: &proposal.revisions,
    });
    let ranked = Ranked { score: result.score, rank: result.rank, basis: &result.basis };
    let checks = result.checks.as_ref().map(checks);
    Partial { proposal, checks, ranked: (result.rank > 0).then_some(ranked) }
}

fn checks(suite: &wire::CheckSuite) -> Checks<'_> {
    let policy = suite.policy.as_ref().map(|policy| Check {
        violations: &policy.violations,
        message: &policy.message,
        ..Check::new(policy.passed)
    });
    let lint = suite.lint.as_ref().map(|lint| Check { errors: &lint.errors, ..Check::new(lint.passed) });
    let dryrun = suite.dryrun.as_ref().map(|dryrun| Check {
        output: &dryrun.output,
        message: &dryrun.message,
        ..Check::new(dryrun.passed)
    });
    let tests = suite.additional_checks.iter().find(|check| check.check_type == CheckKind::Tests.as_str());
    let tests = tests.map(|check| Check { message: &check.message, ..Check::new(check.passed) });
    Checks { policy, lint, dryrun, tests, all_passed: suite.all_passed }
}

fn writing(writing: &wire::Writing) -> Writing<'_> {
    Writing {
        job_id: &writing.job_id,
        attempt: writing.attempt,
        delta: &writing.delta,
        tokens: writing.tokens,
        reasoning: writing.reasoning,
        left_out: writing.left_out,
    }
}
