//! How the checks of every version came out.

use std::collections::BTreeMap;

use fleet_deliberation::{
    CheckKind, CheckOutcome, CheckReport, CheckResult, Lane, Severity, Tally, Version, check_job,
};
use serde::Serialize;

use crate::past::Past;

/// The checks of one version of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckRow {
    /// Whose proposal.
    pub agent_id: String,
    /// The version: the round in which it was written.
    pub version: u32,
    /// What became of the version.
    pub state: InForce,
    /// How each check came out, by its name; one that is not there was not run. `None` while they run.
    pub checks: Option<BTreeMap<&'static str, CheckCell>>,
    /// What they hold against the version, by check.
    pub faults: Vec<FaultShown>,
}

/// What became of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InForce {
    /// It is the one that counts.
    InForce,
    /// A later one took its place.
    Replaced,
    /// It did not take the place of the one before, or has not yet.
    NotTaken,
}

/// How one check came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckCell {
    /// `pass`, `fail`, `error` or `skipped`.
    pub outcome: &'static str,
    /// How many faults it found.
    pub faults: u32,
    /// How many of them are of high severity.
    pub high: u32,
    /// How many tests there were.
    pub tests: u32,
    /// How many of them passed.
    pub tests_passed: u32,
    /// What was looked at, or why it was not; empty where the report is not kept.
    pub message: String,
    /// Tools and versions.
    pub tools: Vec<String>,
    /// Milliseconds it took.
    pub duration_ms: u64,
    /// What it was shut in by, where something ran.
    pub sandbox: Option<String>,
    /// How what ran ended, where something ran and ended by itself.
    pub exit_code: Option<i32>,
    /// The names of the tests that did not pass, as far as they are kept.
    pub tests_failed: Vec<String>,
}

/// One thing a check holds against a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultShown {
    /// Its id, such as `lint/1`, as reviewers are told it.
    pub id: String,
    /// The rule or policy it goes against.
    pub rule: String,
    /// `high`, `medium` or `low`.
    pub severity: &'static str,
    /// The language of the part.
    pub language: String,
    /// Line in the proposal, from 1; 0 where it is in none, as that of a test that failed.
    pub line: u32,
    /// Column in characters, from 1; 0 where the line is.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// The line it is about, shortened.
    pub excerpt: String,
    /// The tools of the check that found it.
    pub tools: Vec<String>,
}

pub(super) fn rows(past: &Past) -> Vec<CheckRow> {
    let lanes = past.state.lanes.iter();
    lanes.flat_map(|lane| lane.versions.iter().map(move |version| row(past, lane, version))).collect()
}

/// The sandboxes in which something ran, each with how many checks ran in it.
pub(super) fn sandboxes(past: &Past) -> BTreeMap<String, u32> {
    let mut sandboxes = BTreeMap::new();
    for lane in &past.state.lanes {
        for version in &lane.versions {
            let results = counted(past, lane, version).map(|report| report.checks.values());
            for run in results.into_iter().flatten().filter_map(|result| result.run.as_ref()) {
                *sandboxes.entry(run.sandbox.clone()).or_default() += 1;
            }
        }
    }
    sandboxes
}

fn row(past: &Past, lane: &Lane, version: &Version) -> CheckRow {
    let state = match lane.current() {
        Some(current) if current.round == version.round => InForce::InForce,
        _ if version.accepted => InForce::Replaced,
        _ => InForce::NotTaken,
    };
    let report = counted(past, lane, version);
    let cells = version.checks.as_ref().map(|summary| {
        let cell = |(kind, tally): (CheckKind, Tally)| {
            (kind.as_str(), cell(&tally, report.and_then(|report| report.checks.get(&kind))))
        };
        summary.iter().map(cell).collect()
    });
    CheckRow {
        agent_id: lane.author.to_string(),
        version: version.round,
        state,
        checks: cells,
        faults: report.map(faults).unwrap_or_default(),
    }
}

/// The report of a version, if it counted: one that came after its time did not.
fn counted<'a>(past: &'a Past, lane: &Lane, version: &Version) -> Option<&'a CheckReport> {
    version.checks.as_ref().filter(|summary| !summary.is_empty())?;
    past.answer(&check_job(past.id(), &lane.author, version.round)).and_then(|answer| answer.checks())
}

fn cell(tally: &Tally, result: Option<&CheckResult>) -> CheckCell {
    let run = result.and_then(|result| result.run.as_ref());
    let failed = result.map(|result| result.tests.iter().filter(|test| !test.passed));
    CheckCell {
        outcome: outcome(tally.outcome),
        faults: tally.faults,
        high: tally.high(),
        tests: tally.tests,
        tests_passed: tally.tests_passed,
        message: result.map(|result| result.message.clone()).unwrap_or_default(),
        tools: result.map(|result| result.tools.clone()).unwrap_or_default(),
        duration_ms: result.map_or(0, |result| result.duration_ms),
        sandbox: run.map(|run| run.sandbox.clone()),
        exit_code: run.and_then(|run| run.exit_code),
        tests_failed: failed.into_iter().flatten().map(|test| test.name.clone()).collect(),
    }
}

fn faults(report: &CheckReport) -> Vec<FaultShown> {
    let numbered = report.checks.iter().flat_map(|(kind, result)| {
        (1..).zip(&result.faults).map(move |(n, fault)| FaultShown {
            id: format!("{}/{n}", kind.as_str()),
            rule: fault.rule.clone(),
            severity: severity(fault.severity),
            language: fault.language.clone(),
            line: fault.line,
            column: fault.column,
            message: fault.message.clone(),
            excerpt: fault.excerpt.clone(),
            tools: result.tools.clone(),
        })
    });
    numbered.collect()
}

pub(super) const fn outcome(outcome: CheckOutcome) -> &'static str {
    match outcome {
        CheckOutcome::Pass => "pass",
        CheckOutcome::Fail => "fail",
        CheckOutcome::Error => "error",
        CheckOutcome::Skipped => "skipped",
    }
}

pub(super) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
    }
}
