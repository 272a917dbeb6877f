//! Nothing a proposal holds makes the suite fall over, or go on for ever.

use std::time::{Duration, Instant};

use fleet_checks::{INLINE_BYTES_MAX, PROPOSAL_BYTES_MAX, TIME_MS_MAX};
use fleet_deliberation::{CheckKind, CheckOutcome, Role, Severity, Task};
use fleet_orchestrator::port::{CheckRequest, Checker};
use proptest::prelude::*;

use crate::{lint, suite};

/// The bound itself, and what an unoptimised build on a busy machine may need to notice it.
const TIME: Duration = Duration::from_millis(TIME_MS_MAX + 8_000);

const TAGS: [&str; 17] = [
    "python",
    "rust",
    "js",
    "ts",
    "tsx",
    "go",
    "java",
    "c",
    "cpp",
    "bash",
    "hcl",
    "sql",
    "dockerfile",
    "yaml",
    "json",
    "toml",
    "diff",
];

#[test]
fn what_repeats_without_end_takes_no_time() {
    for text in [
        "<<",
        "<<A ",
        "{{",
        "\"{{",
        "[[",
        "#if\n",
        "()",
        "VALUES ()",
        "(a",
        "A(b) ",
        "a;",
        "await ",
        "async () => await (",
        "if x {\n",
        "&a [*a, ",
        "- &a *a\n",
        "a: ",
        "? ",
        "RUN <<A\n",
        "XUN\n",
        "--- a\n+++ b\n",
        "@@ -1 +1 @@\n",
        "case x in a) ",
        "$(",
        "`",
        "${",
        "'\\''",
        "$a$",
        "/*",
        "name=",
        "\n{\n",
    ] {
        for tag in TAGS {
            let begun = Instant::now();
            let _ = lint(&format!("```{tag} {text}\n{}\n```", text.repeat(5_000 / text.len())));
            assert!(begun.elapsed() < TIME, "{tag} {text:?} took {:?}", begun.elapsed());
        }
    }
}

#[test]
fn deep_nesting_neither_overflows_the_stack_nor_takes_for_ever() {
    for open in ["(", "[", "{", "-", "lambda: ", "a.", "{ let x = "] {
        for tag in TAGS {
            let begun = Instant::now();
            let result = lint(&format!(
                "```{tag}\n{}\n```",
                open.repeat(if matches!(tag, "python" | "rust") { 100_000 } else { 10_000 })
            ));
            assert!(!matches!(tag, "python" | "rust") || result.outcome != CheckOutcome::Skipped);
            assert!(begun.elapsed() < TIME, "{tag} {open:?} took {:?}", begun.elapsed());
        }
    }
}

#[test]
fn deep_nesting_that_is_closed_passes() {
    let deep = format!("x = {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(lint(&format!("```python\n{deep}\n```")).outcome, CheckOutcome::Pass);
    assert_eq!(lint(&format!("```rust\n{deep};\n```")).outcome, CheckOutcome::Pass);
}

#[test]
fn many_list_markers_and_fences_take_no_time() {
    for text in ["- ", "1. ", "```\n", "```py\n", "~~~ rust\nx(\n~~~\n", "> ", "\t", "- ```py\n"] {
        let begun = Instant::now();
        let _ = lint(&text.repeat(50_000));
        assert!(begun.elapsed() < TIME, "{text:?} took {:?}", begun.elapsed());
    }
}

#[test]
fn a_proposal_that_is_too_long_is_not_read_and_not_passed() {
    let result = lint(&format!("```python\nx\n```\n{}", " ".repeat(PROPOSAL_BYTES_MAX)));
    assert_eq!(result.outcome, CheckOutcome::Error);
    assert!(result.message.contains(&PROPOSAL_BYTES_MAX.to_string()), "{}", result.message);
}

#[tokio::test]
async fn long_and_short_proposals_are_checked_alike() {
    for lines in [1, INLINE_BYTES_MAX] {
        let proposal = format!("```python\n{}y = (\n```", "x = 1\n".repeat(lines));
        let (task, role) = (Task::default(), Role::new("DEV").expect("a role"));
        let request = CheckRequest { proposal: &proposal, task: &task, role: &role, timeout_ms: 60_000 };
        let report = suite().check(request).await;
        assert_eq!(report.checks[&CheckKind::Lint].faults, lint(&proposal).faults);
        assert_eq!(report.checks[&CheckKind::Lint].outcome, CheckOutcome::Fail);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        let _ = lint(&text);
    }

    #[test]
    fn any_block_is_answered_with_places_inside_the_text(
        tag in "python|rust|pycon|js|ts|tsx|go|java|c|cpp|bash|hcl|sql|dockerfile|yaml|json|jsonc|toml|diff",
        code in r#"([ \t]{0,5}(def|fn|if|else|try|SELECT|FROM|RUN|<<A|[*&]a|- |@@ -1 [+]1 @@|--- a|[+]{3} b|>>>|\.\.\.|print|x|ä|1|\(|\)|\{|\}|\[|:|;|,|'|"|`|#|//|=|->|\\| ){0,8}\r?\n){0,12}"#,
        closed in any::<bool>(),
    ) {
        let text = format!("- a\n  ```{tag}\n{code}{}", if closed { "  ```" } else { "" });
        let result = lint(&text);
        for fault in &result.faults {
            let line = text.lines().nth(fault.line as usize - 1).expect("the line is there");
            prop_assert!((1..=line.chars().count() + 1).contains(&(fault.column as usize)), "{fault:?}");
        }
        let fails = result.faults.iter().any(|fault| fault.severity != Severity::Low);
        prop_assert_eq!(result.outcome == CheckOutcome::Fail, fails);
    }
}

#[test]
fn no_time_left_is_an_error_and_no_pass() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (task, role) = (Task::default(), Role::new("DEV").expect("a role"));
    for length in [1, INLINE_BYTES_MAX] {
        let proposal = format!("```python\n{}\n```", "x = 1\n".repeat(length));
        let request = CheckRequest { proposal: &proposal, task: &task, role: &role, timeout_ms: 0 };
        let report = runtime.block_on(suite().check(request));
        for kind in [CheckKind::Policy, CheckKind::Lint] {
            let result = &report.checks[&kind];
            assert_eq!(result.outcome, CheckOutcome::Error, "{}", result.message);
            assert!(result.message.contains(" 0 ms"), "{}", result.message);
        }
    }
}
