//! What a report says, and what it never claims.

use std::fmt::Write as _;

use fleet_checks::FAULTS_MAX;
use fleet_deliberation::{CheckKind, CheckOutcome, Severity, Standing};

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
        ("```lisp\n(x\n```\n```\ny\n```\n~~~Css\nz\n~~~", "seen: css, lisp, no language"),
        ("```console\n$ ls\n```\n```sh\n$ ls\n```", "seen: bash (a transcript), console"),
        ("```yaml title=\"templates/a.yaml\"\na: {{ b }}\n```", "seen: yaml (a template)"),
        ("```yaml\na: {{ b }}\n```\n```yaml\n{% if a %}\n```", "seen: yaml (a template)"),
        ("```json\n```\n```sql\n-- later\n```", "seen: json without code, sql without code"),
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
    let manifest = lint("```yaml\napiVersion: v1\nkind: Namespace\n```\n```sh\n$ ls\n```");
    assert_eq!(
        manifest.message,
        "1 code block read (1 yaml; 1 Kubernetes manifest): no syntax errors; not read: bash (a transcript)"
    );
    assert_eq!(manifest.tools, ["granit-parser 2.1", "kubernetes schema 1.37.0"]);
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
fn advice_alone_fails_nothing() {
    let hunk = "--- a/x\n+++ b/x\n@@ -1,5 +1,2 @@\n a\n+b\n";
    let result = lint(&format!("```diff\n{hunk}```\n```py\nx = 1\n```"));
    assert_eq!(result.outcome, CheckOutcome::Pass);
    assert_eq!((result.faults[0].rule.as_str(), result.faults[0].severity), ("diff", Severity::Low));
    assert!(result.message.ends_with("; and 1 of advice"), "{}", result.message);
    let both = lint(&format!("```diff\n{hunk}```\n```py\nx = (\n```"));
    assert_eq!(both.outcome, CheckOutcome::Fail);
    assert!(both.message.contains(": 1 syntax error;"), "{}", both.message);
}

#[test]
fn every_fault_has_its_rule_and_its_place() {
    for (proposal, rule, line, column) in [
        ("```go\nfunc f( {\n}\n```", "syntax", 2, 8),
        ("```json\n{\n  \"a\": 1,\n}\n```", "data", 3, 9),
        ("  ```yaml\n  a: 1\n  ä: 2\n  ä: 3\n  ```", "data", 4, 3),
        ("```toml\na = b\n```", "data", 2, 5),
        ("```yaml\napiVersion: v1\nkind: Pod\nspec:\n  container: []\n```", "manifest", 5, 3),
        ("```yml\n    a:\n      - b\n  c: 1\n  c: 2\n```", "data", 5, 3),
    ] {
        let result = lint(proposal);
        assert_eq!(result.outcome, CheckOutcome::Fail, "{proposal}: {}", result.message);
        let fault = &result.faults[0];
        assert_eq!((fault.rule.as_str(), fault.line, fault.column), (rule, line, column), "{fault:?}");
    }
}

#[test]
fn the_new_files_of_a_diff_are_read_and_what_it_removes_is_not() {
    let bad = "```diff\n--- /dev/null\n+++ b/a.py\n@@ -0,0 +1,2 @@\n+def f():\n+    print 1\n```";
    let fault = lint(bad).faults.remove(0);
    assert_eq!((fault.language.as_str(), fault.line, fault.column), ("python", 6, 6));
    let removed = "```diff\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-print 1\n+print(1)\n```";
    assert_eq!(lint(removed).outcome, CheckOutcome::Skipped);
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

#[test]
fn a_report_tells_whether_two_proposals_are_nearly_the_same() {
    let sketch = |proposal: &str| suite().run(proposal).sketch;
    let proposal = sketch("First.\n```python\ndef f(a, b):\n    return [a, b]\n```");
    assert!(proposal.is_near(&sketch("Second.\n```py\n\ndef f(a, b):\n\n  return [ a, b ]  # both\n```")));
    assert!(!proposal.is_near(&sketch("First.\n```python\ndef f(*all):\n    return list(all)[:2]\n```")));
}
