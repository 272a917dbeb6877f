//! Proposals whose code is really run, in the sandbox that works here.

mod cheats;
mod dry;
mod given;
mod shared;

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use fleet_checks::{Policies, RunBounds, Runs, Suite};
use fleet_deliberation::{CheckKind, CheckReport, CheckResult, Role, TESTS, Task};
use fleet_orchestrator::port::{CheckRequest, Checker};
use fleet_sandbox::{Choice, Sandbox};

static POLICIES: LazyLock<Policies> =
    LazyLock::new(|| Policies::load(None).expect("what is built in is sound"));

/// Long enough for a busy machine.
const BOUNDS: RunBounds =
    RunBounds { at_once: NonZeroUsize::new(2).expect("two"), dry_run_ms: 20_000, tests_ms: 40_000 };

fn suite(choice: Choice, bounds: RunBounds) -> Suite {
    let sandbox = Sandbox::new(choice).with_helper(env!("CARGO_BIN_EXE_fleet-checks"));
    Suite::new(POLICIES.clone()).with_runs(Runs::new(sandbox, bounds))
}

async fn report(suite: &Suite, proposal: &str, tests: Option<&str>, timeout_ms: u64) -> CheckReport {
    let mut task = Task::default();
    if let Some(tests) = tests {
        task.metadata.insert(TESTS.to_owned(), tests.to_owned());
    }
    let role = Role::new("DEV").expect("a role");
    suite.check(CheckRequest { proposal, task: &task, role: &role, timeout_ms }).await
}

/// What a dry run makes of a proposal.
async fn dry(proposal: &str) -> CheckResult {
    let mut report = report(&suite(Choice::Auto, BOUNDS), proposal, None, 120_000).await;
    assert!(!report.checks.contains_key(&CheckKind::Tests), "there are no tests");
    report.checks.remove(&CheckKind::DryRun).expect("a dry run is always reported")
}

/// What the tests of a task make of a code.
async fn given(tag: &str, code: &str, tests: &str) -> CheckResult {
    given_within(tag, code, tests, BOUNDS).await
}

async fn given_within(tag: &str, code: &str, tests: &str, bounds: RunBounds) -> CheckResult {
    let proposal = format!("Here it is.\n\n```{tag}\n{code}\n```\n");
    let mut report = report(&suite(Choice::Auto, bounds), &proposal, Some(tests), 120_000).await;
    report.checks.remove(&CheckKind::Tests).expect("the tests are reported")
}

/// The tests by name, `-` before those that failed.
fn outcomes(result: &CheckResult) -> Vec<String> {
    let mark = |test: &fleet_deliberation::TestOutcome| if test.passed { "" } else { "-" };
    result.tests.iter().map(|test| format!("{}{}", mark(test), test.name)).collect()
}
