//! What a check suite says of one version of a proposal.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Severity, Sketch};

/// The most tests of which a report keeps the outcome.
pub const TESTS_MAX: usize = 200;

/// The checks of a suite, in the order in which they are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// Rules about what a proposal may contain.
    Policy,
    /// Syntax and style of the code in it.
    Lint,
    /// What happens when the code is run.
    DryRun,
    /// The tests given with the task, run against the code.
    Tests,
}

impl CheckKind {
    /// Every check, in the order in which they are reported.
    pub const ALL: [CheckKind; 4] = [CheckKind::Policy, CheckKind::Lint, CheckKind::DryRun, CheckKind::Tests];

    /// The check's name: on the wire, in prompts, and in the ids of what it found.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            CheckKind::Policy => "policy",
            CheckKind::Lint => "lint",
            CheckKind::DryRun => "dryrun",
            CheckKind::Tests => "tests",
        }
    }

    /// Whether a proposal that fails it badly can not win over one that does not. Code may fail to run for
    /// want of what surrounds it, so a dry run weighs, but does not decide.
    #[must_use]
    pub const fn is_hard(self) -> bool {
        match self {
            CheckKind::Policy | CheckKind::Lint | CheckKind::Tests => true,
            CheckKind::DryRun => false,
        }
    }
}

/// How a check came out. Only `Pass` is a pass. It fails when it holds something of high or medium severity
/// against the proposal; what is of low severity is advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// It looked at something and found nothing against it.
    Pass,
    /// It found something against the proposal.
    Fail,
    /// It could not come to its end.
    Error,
    /// It was not run.
    Skipped,
}

/// What one check found, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// How it came out.
    pub outcome: CheckOutcome,
    /// What was looked at, or why it was not: one sentence.
    pub message: String,
    /// What the check holds against the proposal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// Tool and version, such as `tree-sitter-python 0.25`; empty when none ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// Milliseconds it took.
    #[serde(default)]
    pub duration_ms: u64,
    /// How the code ended and what it wrote, where it was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// The tests that were run, in their order; at most [`TESTS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<TestOutcome>,
}

impl CheckResult {
    /// A result that holds nothing against the proposal.
    #[must_use]
    pub fn new(outcome: CheckOutcome, message: impl Into<String>) -> CheckResult {
        CheckResult {
            outcome,
            message: message.into(),
            faults: Vec::new(),
            tools: Vec::new(),
            duration_ms: 0,
            run: None,
            tests: Vec::new(),
        }
    }
}

/// A run of code, shut in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The exit status; `None` when it was ended by a signal or by its bounds.
    pub exit_code: Option<i32>,
    /// The end of what it wrote to its outputs.
    pub output: String,
    /// What it was shut in by, such as `bubblewrap 0.8.0`.
    pub sandbox: String,
}

/// How one test came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestOutcome {
    /// The test's name.
    pub name: String,
    /// Whether it passed.
    pub passed: bool,
}

/// One thing a check holds against a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What it goes against, such as `syntax`, or the id of a policy. Empty in reports of the first form.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// How much it matters.
    #[serde(default = "high", skip_serializing_if = "is_high")]
    pub severity: Severity,
    /// The language of the part, as the tool names it.
    pub language: String,
    /// Line of the fault in the proposal's Markdown, from 1; 0 where it is in none of them, as that of a test that
    /// failed.
    pub line: u32,
    /// Column of the fault in characters, from 1; 0 where the line is.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// The line it is about, shortened.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
}

const fn high() -> Severity {
    Severity::High
}

const fn is_high(severity: &Severity) -> bool {
    matches!(severity, Severity::High)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.language, self.message),
            line => write!(f, "{} {line}:{}: {}", self.language, self.column, self.message),
        }
    }
}

/// The whole suite over one version of a proposal. A check that is missing was not run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CheckReport {
    /// What each check gave.
    pub checks: BTreeMap<CheckKind, CheckResult>,
    /// What tells whether two proposals are nearly the same.
    #[serde(default, skip_serializing_if = "Sketch::is_empty")]
    pub sketch: Sketch,
}

/// What the rules need of a report: how each check came out and how many faults it found. Ten thousand
/// deliberations keep some each, so it takes no more room than it must.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "BTreeMap<CheckKind, Tally>", into = "BTreeMap<CheckKind, Tally>")]
pub struct CheckSummary(Box<[(CheckKind, Tally)]>);

impl FromIterator<(CheckKind, Tally)> for CheckSummary {
    fn from_iter<T: IntoIterator<Item = (CheckKind, Tally)>>(tallies: T) -> CheckSummary {
        tallies.into_iter().collect::<BTreeMap<_, _>>().into()
    }
}

impl From<BTreeMap<CheckKind, Tally>> for CheckSummary {
    fn from(tallies: BTreeMap<CheckKind, Tally>) -> CheckSummary {
        CheckSummary(tallies.into_iter().collect())
    }
}

impl From<CheckSummary> for BTreeMap<CheckKind, Tally> {
    fn from(summary: CheckSummary) -> BTreeMap<CheckKind, Tally> {
        summary.0.into_iter().collect()
    }
}

/// How one check came out, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How it came out.
    pub outcome: CheckOutcome,
    /// How many faults it found.
    #[serde(default)]
    pub faults: u32,
    /// How many of them are of high severity; all of them in records of the first forms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<u32>,
    /// How many tests there were.
    #[serde(default, skip_serializing_if = "zero")]
    pub tests: u32,
    /// How many of them passed.
    #[serde(default, skip_serializing_if = "zero")]
    pub tests_passed: u32,
    /// Whether code was run for it, whatever came of that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ran: bool,
}

const fn zero(n: &u32) -> bool {
    *n == 0
}

impl Tally {
    /// A check that found nothing, or was not run.
    #[must_use]
    pub const fn of(outcome: CheckOutcome) -> Tally {
        Tally { outcome, faults: 0, high: Some(0), tests: 0, tests_passed: 0, ran: false }
    }

    /// How many faults are of high severity.
    #[must_use]
    pub fn high(&self) -> u32 {
        self.high.unwrap_or(self.faults)
    }
}

impl CheckReport {
    /// The report in short.
    #[must_use]
    pub fn summary(&self) -> CheckSummary {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let tally = |result: &CheckResult| Tally {
            outcome: result.outcome,
            faults: count(result.faults.len()),
            high: Some(count(result.faults.iter().filter(|fault| is_high(&fault.severity)).count())),
            tests: count(result.tests.len()),
            tests_passed: count(result.tests.iter().filter(|test| test.passed).count()),
            ran: result.run.is_some(),
        };
        self.checks.iter().map(|(kind, result)| (*kind, tally(result))).collect()
    }
}

/// Where a version stands by its checks alone. The order is the order of merit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// A hard check failed badly.
    Failed,
    /// No hard check failed badly, and none passed.
    Unchecked,
    /// At least one check passed, and no hard one failed badly.
    Passed,
}

impl CheckSummary {
    /// Every check that came to an end, in the order of the checks.
    pub fn iter(&self) -> impl Iterator<Item = (CheckKind, Tally)> {
        self.0.iter().copied()
    }

    /// How one check came out.
    #[must_use]
    pub fn get(&self, kind: CheckKind) -> Option<Tally> {
        self.iter().find(|(known, _)| *known == kind).map(|(_, tally)| tally)
    }

    /// Whether no check came to an end.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where a version with this summary stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        if self.hard_failures().next().is_some() {
            Standing::Failed
        } else if self.iter().any(|(_, tally)| tally.outcome == CheckOutcome::Pass) {
            Standing::Passed
        } else {
            Standing::Unchecked
        }
    }

    /// The hard checks that failed with something of high severity.
    pub fn hard_failures(&self) -> impl Iterator<Item = CheckKind> {
        let failed = |(kind, tally): &(CheckKind, Tally)| kind.is_hard() && fails_badly(*kind, tally);
        self.iter().filter(failed).map(|(kind, _)| kind)
    }

    /// Whether any check failed, a hard one or not.
    #[must_use]
    pub fn any_failed(&self) -> bool {
        self.iter().any(|(_, tally)| tally.outcome == CheckOutcome::Fail)
    }

    /// Whether a version with this summary may replace one with `old`: it stands no lower, and no hard check came out
    /// worse.
    #[must_use]
    pub fn not_worse_than(&self, old: &CheckSummary) -> bool {
        let hard = CheckKind::ALL.into_iter().filter(|kind| kind.is_hard());
        self.standing() >= old.standing()
            && hard.into_iter().all(|kind| merit(kind, self.get(kind)) >= merit(kind, old.get(kind)))
    }
}

/// Whether a check failed with something of high severity. A given test that fails always is.
fn fails_badly(kind: CheckKind, tally: &Tally) -> bool {
    let tests = kind == CheckKind::Tests && tally.tests_passed < tally.tests;
    tally.outcome == CheckOutcome::Fail && (tally.high() > 0 || tests)
}

/// How good a hard check's outcome is: what failed badly, by its tests and then its faults, below what gave
/// no result, below what found only what is of less than high severity.
fn merit(kind: CheckKind, tally: Option<Tally>) -> (u8, u32, Reverse<u32>) {
    let tally = tally.unwrap_or(Tally::of(CheckOutcome::Skipped));
    let rank = match tally.outcome {
        CheckOutcome::Fail if fails_badly(kind, &tally) => 0,
        CheckOutcome::Error | CheckOutcome::Skipped => 1,
        CheckOutcome::Pass | CheckOutcome::Fail => 2,
    };
    (rank, tally.tests_passed, Reverse(tally.high()))
}
