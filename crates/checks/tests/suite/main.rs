//! The rules the check suite keeps.

mod bounds;
mod code;
mod data;
mod python;
mod report;
mod rust;

use std::sync::LazyLock;

use fleet_checks::{Policies, Suite};
use fleet_deliberation::{CheckKind, CheckOutcome, CheckResult};

/// The suite with the policies that are built in.
fn suite() -> Suite {
    static SUITE: LazyLock<Suite> =
        LazyLock::new(|| Suite::new(Policies::load(None).expect("what is built in is sound")));
    SUITE.clone()
}

fn lint(proposal: &str) -> CheckResult {
    suite().run(proposal).checks.remove(&CheckKind::Lint).expect("the suite has a syntax check")
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
