//! What a check suite says of one version of a proposal.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

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
}

/// How a check came out. Only `Pass` is a pass.
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
}

/// One thing a check holds against a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The language of the part, as the tool names it.
    pub language: String,
    /// Line of the fault in the proposal's Markdown, from 1.
    pub line: u32,
    /// Column of the fault in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// The line it is about, shortened.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}: {}", self.language, self.line, self.column, self.message)
    }
}

/// The whole suite over one version of a proposal. A check that is missing was not run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CheckReport {
    /// What each check gave.
    pub checks: BTreeMap<CheckKind, CheckResult>,
}

/// What the rules need of a report: how each check came out and how many faults it found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CheckSummary(pub BTreeMap<CheckKind, Tally>);

/// How one check came out, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How it came out.
    pub outcome: CheckOutcome,
    /// How many faults it found.
    #[serde(default)]
    pub faults: u32,
}

impl CheckReport {
    /// The report in short.
    #[must_use]
    pub fn summary(&self) -> CheckSummary {
        let tally = |result: &CheckResult| Tally {
            outcome: result.outcome,
            faults: u32::try_from(result.faults.len()).unwrap_or(u32::MAX),
        };
        CheckSummary(self.checks.iter().map(|(kind, result)| (*kind, tally(result))).collect())
    }

    /// Every fault of every check, in the order of the checks.
    pub fn faults(&self) -> impl Iterator<Item = (CheckKind, &Fault)> {
        self.checks.iter().flat_map(|(kind, result)| result.faults.iter().map(|fault| (*kind, fault)))
    }
}

/// Where a version stands by its checks alone. The order is the order of merit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// At least one check failed.
    Failed,
    /// No check failed, and none passed.
    Unchecked,
    /// At least one check passed, and none failed.
    Passed,
}

impl CheckSummary {
    /// Where a version with this summary stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let any = |outcome| self.0.values().any(|tally| tally.outcome == outcome);
        if any(CheckOutcome::Fail) {
            Standing::Failed
        } else if any(CheckOutcome::Pass) {
            Standing::Passed
        } else {
            Standing::Unchecked
        }
    }

    /// How many faults were found in all.
    #[must_use]
    pub fn faults(&self) -> u32 {
        self.0.values().map(|tally| tally.faults).fold(0, u32::saturating_add)
    }

    /// Whether a version with this summary may replace one with `old`: it stands no lower, and where
    /// both failed it has no more faults.
    #[must_use]
    pub fn not_worse_than(&self, old: &CheckSummary) -> bool {
        let rank = |summary: &CheckSummary| (summary.standing(), std::cmp::Reverse(summary.faults()));
        rank(self) >= rank(old)
    }
}
