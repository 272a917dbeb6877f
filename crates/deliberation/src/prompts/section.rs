//! Parts of a prompt whose length nobody fixed, kept to a bound: check results, and what a peer found.

use std::fmt::Write as _;

use crate::{CheckKind, CheckOutcome, CheckReport, Finding, Review, Severity};

/// The most bytes of the check results of one proposal in a prompt.
pub const RESULTS_BYTES_MAX: usize = 8 << 10;
/// The most bytes of a peer's review in a prompt.
pub const REVIEW_BYTES_MAX: usize = 8 << 10;

/// How many failed tests are named.
const TESTS_SHOWN: usize = 20;
/// Room for the id that a finding has where it may be cited: `A/finding/1234 `.
const ID_BYTES: usize = 16;

const LEFT_OUT: &str = "- (what follows is left out: it is too long)\n";
const FENCE: &str = "```\n";

/// Lines up to a bound. The first one that does not fit, and all behind it, are left out, and a note says so.
struct Section {
    text: String,
    bytes_max: usize,
    /// Bytes that are counted and not written.
    kept_free: usize,
    is_cut: bool,
}

impl Section {
    fn new(bytes_max: usize) -> Section {
        Section { text: String::new(), bytes_max, kept_free: LEFT_OUT.len(), is_cut: false }
    }

    /// Adds a line, or several that belong together. Says whether they are there.
    fn add(&mut self, lines: &str) -> bool {
        self.is_cut |= self.text.len() + self.kept_free + lines.len() > self.bytes_max;
        if !self.is_cut {
            self.text.push_str(lines);
        }
        !self.is_cut
    }

    fn finish(mut self) -> String {
        if self.is_cut {
            self.text.push_str(LEFT_OUT);
        }
        self.text
    }
}

/// The check results of a proposal as prompts show them.
pub(super) struct Results {
    pub(super) text: String,
    /// The ids of what is shown and may be cited: `lint` for a check that came to an end, `lint/1` for what it found.
    pub(super) ids: Vec<String>,
}

pub(super) fn results(checks: &CheckReport) -> Results {
    let mut section = Section::new(RESULTS_BYTES_MAX);
    let mut ids = Vec::new();
    for kind in CheckKind::ALL {
        let name = kind.as_str();
        let Some(result) = checks.checks.get(&kind) else {
            section.add(&format!("- {name}: not run\n"));
            continue;
        };
        let outcome = match result.outcome {
            CheckOutcome::Pass => "pass",
            CheckOutcome::Fail => "FAIL",
            CheckOutcome::Error => "gave no result",
            CheckOutcome::Skipped => "not run",
        };
        let shown = section.add(&format!("- {name}: {outcome}. {}\n", result.message));
        if shown && matches!(result.outcome, CheckOutcome::Pass | CheckOutcome::Fail) {
            ids.push(name.to_owned());
        }
        for (n, fault) in (1..).zip(&result.faults) {
            let place = match fault.line {
                0 => String::new(),
                line => format!(", line {line}, column {}", fault.column),
            };
            let excerpt =
                if fault.excerpt.is_empty() { String::new() } else { format!(": `{}`", fault.excerpt) };
            let id = format!("{name}/{n}");
            if section.add(&format!("  - {id}{place}: {}{excerpt}\n", fault.message)) {
                ids.push(id);
            }
        }
        let failed = result.tests.iter().filter(|test| !test.passed).map(|test| test.name.as_str());
        let failed: Vec<&str> = failed.take(TESTS_SHOWN).collect();
        if !failed.is_empty() {
            section.add(&format!("  - failed: {}\n", failed.join(", ")));
        }
        if let Some(run) = result.run.as_ref().filter(|run| !run.output.is_empty()) {
            output(&mut section, run.output.trim_end());
        }
    }
    Results { text: section.finish(), ids }
}

/// What code wrote, in a fence that is closed also where it does not fit.
fn output(section: &mut Section, output: &str) {
    // A line break before it, too.
    section.kept_free += FENCE.len() + 1;
    let begun = section.add("  - what it wrote:\n\n```text\n");
    for line in output.split_inclusive('\n') {
        section.add(line);
    }
    section.kept_free -= FENCE.len() + 1;
    if begun {
        if !section.text.ends_with('\n') {
            section.text.push('\n');
        }
        section.text.push_str(FENCE);
    }
}

/// A peer's findings as prompts show them, with ids under `label` where they may be cited.
pub(super) struct Findings {
    pub(super) text: String,
    /// How many are shown.
    pub(super) shown: usize,
}

pub(super) fn findings(review: &Review, with_summary: bool, label: Option<char>) -> Findings {
    let mut section = Section::new(REVIEW_BYTES_MAX);
    // Counted also where it is not shown, so that every prompt shows the same findings.
    let summary = if review.summary.is_empty() { String::new() } else { format!("{}\n\n", review.summary) };
    if with_summary {
        section.add(&summary);
    } else {
        section.is_cut = section.kept_free + summary.len() > section.bytes_max;
        section.kept_free += summary.len();
    }
    let mut shown = 0;
    for (n, found) in (1..).zip(&review.findings) {
        let id = label.map(|label| format!("{label}/finding/{n} ")).unwrap_or_default();
        let free = ID_BYTES.saturating_sub(id.len());
        section.kept_free += free;
        if !section.add(&(id + &finding(found))) {
            break;
        }
        shown += 1;
    }
    Findings { text: section.finish(), shown }
}

fn finding(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
    };
    let mut line = format!("- [{severity}] ");
    if !finding.location.is_empty() {
        let _ = write!(line, "{}: ", finding.location);
    }
    line.push_str(&finding.claim);
    if !finding.evidence.is_empty() {
        let _ = write!(line, " (evidence: {})", finding.evidence);
    }
    line.push('\n');
    line
}

/// The bytes that check results take up in a prompt: at most [`RESULTS_BYTES_MAX`].
#[must_use]
pub fn results_bytes(checks: &CheckReport) -> usize {
    results(checks).text.len()
}

/// The bytes that a review takes up in a prompt, the ids of its findings included: at most [`REVIEW_BYTES_MAX`].
#[must_use]
pub fn review_bytes(review: &Review) -> usize {
    let Findings { text, shown } = findings(review, true, None);
    text.len() + shown * ID_BYTES
}
