//! The rules the check suite keeps.

mod bounds;
mod code;
mod data;
mod python;
mod report;
mod rust;

use fleet_checks::Suite;
use fleet_deliberation::{CheckKind, CheckOutcome, CheckResult};

fn lint(proposal: &str) -> CheckResult {
    Suite.run(proposal).checks.remove(&CheckKind::Lint).expect("the suite has a syntax check")
}

/// Expects of each code that its first fault is at this line and column, with this message or beginning.
fn wrong(tag: &str, table: &[(&str, u32, u32, &str)]) {
    for (code, line, column, message) in table {
        let result = lint(&format!("```{tag}\n{code}\n```\n"));
        assert_eq!(result.outcome, CheckOutcome::Fail, "{code:?}: {}", result.message);
        let first = &result.faults[0];
        assert_eq!((first.line - 1, first.column), (*line, *column), "{code:?}: {}", first.message);
        assert!(first.message.starts_with(message), "{code:?}: {}", first.message);
    }
}

/// Expects of each code that something is held against it, by the rule.
fn refused(tag: &str, rule: &str, table: &[&str]) {
    for code in table {
        let result = lint(&format!("```{tag}\n{code}\n```\n"));
        assert_eq!(result.outcome, CheckOutcome::Fail, "{code:?}: {}", result.message);
        assert!(result.faults.iter().any(|fault| fault.rule == rule), "{code:?}: {:?}", result.faults);
    }
}

/// Expects of each code that nothing is held against it.
fn right(tag: &str, table: &[&str]) {
    for code in table {
        let result = lint(&format!("```{tag}\n{code}\n```\n"));
        assert_eq!(result.outcome, CheckOutcome::Pass, "{code:?}: {:?} {}", result.faults, result.message);
    }
}
