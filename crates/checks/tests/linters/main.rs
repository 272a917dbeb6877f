//! The linters of the machine: what they add to the lint check, and what they never change.

mod fake;
mod real;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use fleet_checks::{Linters, Policies, RunBounds, Runs, Suite, Surroundings};
use fleet_deliberation::{CheckKind, CheckOutcome, CheckResult, Role, Severity, Task};
use fleet_orchestrator::port::{CheckRequest, Checker};
use fleet_sandbox::{Choice, Sandbox};

static POLICIES: LazyLock<Policies> =
    LazyLock::new(|| Policies::load(None).expect("what is built in is sound"));

/// Long enough for a busy machine.
const TIMEOUT_MS: u64 = 120_000;

fn runs(choice: Choice) -> Runs {
    let sandbox = Sandbox::new(choice).with_helper(env!("CARGO_BIN_EXE_fleet-checks"));
    let at_once = NonZeroUsize::new(2).expect("two");
    Runs::new(sandbox, RunBounds { at_once, ..RunBounds::default() }, Surroundings::default())
}

/// What runs no code of the proposal: only linters are started.
fn suite(choice: Choice, path: impl Into<OsString>) -> Suite {
    Suite::new(POLICIES.clone()).with_linters(Linters::on_path(runs(choice), path))
}

/// Where `tests/setup.sh` puts what the tests need.
fn installed() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin");
    for tool in ["ruff", "shellcheck", "hadolint", "yamllint", "biome"] {
        assert!(folder.join(tool).exists(), "{tool} is not in {}; run tests/setup.sh", folder.display());
    }
    folder
}

async fn lint_within(suite: &Suite, proposal: &str, timeout_ms: u64) -> CheckResult {
    let (task, role) = (Task::default(), Role::new("DEV").expect("a role"));
    let mut report = suite.check(CheckRequest { proposal, task: &task, role: &role, timeout_ms }).await;
    report.checks.remove(&CheckKind::Lint).expect("lint is always reported")
}

/// What the lint check says with the real linters.
async fn lint(proposal: &str) -> CheckResult {
    lint_within(&suite(Choice::Auto, installed()), proposal, TIMEOUT_MS).await
}

/// What it says without any.
fn alone(proposal: &str) -> CheckResult {
    let mut report = Suite::new(POLICIES.clone()).run(proposal);
    report.checks.remove(&CheckKind::Lint).expect("lint is always reported")
}

/// A block in a proposal; its first line is line 4 of it.
fn block(tag: &str, code: &str) -> String {
    format!("Here.\n\n```{tag}\n{code}\n```\n")
}

/// The lines at which each rule found something.
fn rules(result: &CheckResult) -> BTreeMap<&str, Vec<u32>> {
    let mut rules: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for fault in &result.faults {
        rules.entry(&fault.rule).or_default().push(fault.line);
    }
    rules
}

fn assert_advice_only(result: &CheckResult) {
    assert_eq!(result.outcome, CheckOutcome::Pass, "{}", result.message);
    assert!(result.faults.iter().all(|fault| fault.severity == Severity::Low), "{:?}", result.faults);
}
