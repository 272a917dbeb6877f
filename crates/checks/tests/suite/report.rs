//! What a report says, and what it never claims.

use std::fmt::Write as _;

use fleet_checks::FAULTS_MAX;
use fleet_deliberation::{CheckKind, CheckOutcome, Standing};

use crate::{lint, suite};

#[test]
fn a_check_that_did_not_run_says_why_and_never_passes() {
    let report = suite().run("```python\nx = 1\n```");
    let result = &report.checks[&CheckKind::DryRun];
    assert_eq!(result.outcome, CheckOutcome::Skipped);
    assert!(result.message.starts_with("not run: "), "{}", result.message);
    for kind in [CheckKind::Policy, CheckKind::Lint] {
        assert_eq!(report.checks[&kind].outcome, CheckOutcome::Pass);
    }
}

#[test]
fn nothing_in_a_known_language_is_no_pass() {
    for (proposal, seen) in [
        ("Only words.", "the proposal has no fenced code"),
        ("", "the proposal has no fenced code"),
        ("```js\nx(\n```\n```\ny\n```\n~~~Go\nz\n~~~", "seen: go, js, no language"),
        ("```python\n```", "seen: python without code"),
        ("```rust\n// later\n\n```", "seen: rust without code"),
    ] {
        let result = lint(proposal);
        assert_eq!(result.outcome, CheckOutcome::Skipped, "{proposal:?}");
        assert!(result.message.starts_with("not run: ") && result.message.ends_with(seen), "{result:?}");
        assert!(result.tools.is_empty());
        // Policies look at blocks in other languages, too.
        let report = suite().run(proposal);
        let standing = match report.checks[&CheckKind::Policy].outcome {
            CheckOutcome::Pass => Standing::Passed,
            _ => Standing::Unchecked,
        };
        assert_eq!(report.summary().standing(), standing);
    }
}

#[test]
fn it_says_what_it_looked_at_and_with_what() {
    let result = lint("```py\nx = 1\n```\n```rs\nfn f() {}\n```\n```Python3 title=\"a\"\ny\n```");
    assert_eq!(result.message, "3 code blocks read (2 python, 1 rust): no syntax errors");
    assert_eq!(result.tools, ["tree-sitter-python 0.25", "tree-sitter-rust 0.24"]);
}

#[test]
fn one_wrong_block_among_right_ones_fails() {
    let result = lint("```py\nx = 1\n```\n```rust\nfn f( {}\n```");
    assert_eq!(result.outcome, CheckOutcome::Fail);
    assert_eq!(result.message, "2 code blocks read (1 python, 1 rust): 1 syntax error");
    assert_eq!(result.faults[0].language, "rust");
}

#[test]
fn a_fault_stands_where_it_stands_in_the_markdown() {
    let proposal = "# Answer\n\n1. First:\n\n   ```python\n   def f()\n       pass\n   ```\n";
    let fault = &lint(proposal).faults[0];
    assert_eq!((fault.line, fault.column, fault.excerpt.as_str()), (6, 11, "def f()"));
    let fault = &lint("> a\n\n```py\n>>> f()\n1\n>>> f(]\n```").faults[0];
    assert_eq!((fault.line, fault.excerpt.as_str()), (6, "f(]"));
}

#[test]
fn an_open_fence_is_read_to_the_end_and_named() {
    let cut = lint("Text.\n```python\ndef f(n):\n    return (n");
    assert_eq!(cut.outcome, CheckOutcome::Fail);
    assert!(cut.message.ends_with("the fence at line 2 is never closed, so its code runs to the end"));
    let whole = lint("```rust\nfn f() {}");
    assert_eq!(whole.outcome, CheckOutcome::Pass);
    assert!(whole.message.contains("the fence at line 1 is never closed"), "{}", whole.message);
}

#[test]
fn faults_are_listed_up_to_a_bound_and_counted_beyond() {
    let mut proposal = String::from("```python\n");
    for n in 0..FAULTS_MAX + 7 {
        writeln!(proposal, "x{n} = 5 5").expect("a string takes it");
    }
    let result = lint(&(proposal + "```"));
    assert_eq!(result.faults.len(), FAULTS_MAX);
    assert!(result.message.ends_with("57 syntax errors, the first 50 listed, 7 more"), "{}", result.message);
}

#[test]
fn excerpts_and_messages_are_short() {
    let fault = lint(&format!("```py\nx = {}ä 5\n```", "1 + ".repeat(500))).faults.remove(0);
    assert!(fault.excerpt.chars().count() <= 121 && fault.excerpt.ends_with('…'));
    assert!(fault.message.chars().count() <= 80, "{}", fault.message);
}
