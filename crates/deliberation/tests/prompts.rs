//! What agents are told, and in which order.
#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::Council;
use fleet_deliberation::{
    CheckKind, CheckOutcome, CheckReport, CheckResult, Event, Fault, Finding, Opened, Review, Role, Severity,
    Submission, Task, decide, prompts,
};

fn opened(role: &str) -> Arc<Opened> {
    let task = Task {
        description: "Write a queue".into(),
        rubric: "Short beats long".into(),
        requirements: vec!["no locks".into(), "no allocation".into()],
        metadata: [("language".to_owned(), "Rust".to_owned())].into(),
    };
    let council = Council { task, ..Council::of(["a", "b", "c"]) };
    let submission = Submission { role: Role::new(role).unwrap(), ..council.submission() };
    let command = fleet_deliberation::Command::Submit { submission: Box::new(submission), at: common::AT };
    match decide(None, command).unwrap().remove(0) {
        Event::Opened(opened) => opened,
        other => panic!("not opened: {other:?}"),
    }
}

fn failed_report() -> CheckReport {
    let fault = Fault {
        rule: "syntax".into(),
        severity: Severity::High,
        language: "python".into(),
        line: 7,
        column: 3,
        message: "missing `)`".into(),
        excerpt: "print(1".into(),
    };
    let lint =
        CheckResult { faults: vec![fault], ..CheckResult::new(CheckOutcome::Fail, "1 fault in 1 block") };
    CheckReport { checks: [(CheckKind::Lint, lint)].into(), ..CheckReport::default() }
}

#[test]
fn what_a_council_shares_stands_first_and_what_differs_last() {
    let opened = opened("DEV");
    let plain = prompts::propose(&opened, 0);
    for seat in 1..64 {
        let other = prompts::propose(&opened, seat);
        assert_eq!(other.system, plain.system);
        assert!(other.user.starts_with(&plain.user), "seat {seat} shares the whole plain prompt");
        assert!(other.user.len() > plain.user.len(), "seat {seat} is asked for another approach");
    }
    let critique = prompts::critique(&opened, "TEXT", &failed_report());
    let revise = prompts::revise(&opened, "TEXT", &failed_report(), None);
    let shared = "# Task\n\nWrite a queue\n\n# Further context\n\n- language: Rust\n";
    for prompt in [&plain, &critique, &revise] {
        assert_eq!(prompt.system, plain.system);
        assert!(prompt.user.starts_with(shared), "{}", prompt.user);
    }
}

#[test]
fn each_agent_in_diversity_mode_has_an_approach_of_its_own() {
    let opened = opened("DEV");
    let prompts: BTreeSet<String> = (0..64).map(|seat| prompts::propose(&opened, seat).user).collect();
    assert_eq!(prompts.len(), 64);
}

#[test]
fn rubric_then_requirements_follow_the_role() {
    let system = prompts::propose(&opened("DEV"), 0).system;
    let at = |text: &str| system.find(text).unwrap_or_else(|| panic!("{text:?} is missing in {system}"));
    assert!(at("clean, maintainable and tested code") < at("Short beats long"));
    assert!(at("Short beats long") < at("- no locks\n- no allocation"));
}

#[test]
fn every_role_has_its_own_words_and_an_unknown_one_general_ones() {
    let words = [
        ("DEV", "clean, maintainable"),
        ("QA", "edge cases"),
        ("ARCHITECT", "scalability"),
        ("DEVOPS", "CI/CD"),
        ("DATA", "pipelines"),
        ("SECURITY", "expert in the role SECURITY"),
    ];
    for (role, word) in words {
        assert!(prompts::propose(&opened(role), 0).system.contains(word), "{role}");
    }
}

#[test]
fn an_answer_is_told_what_it_must_contain() {
    let user = prompts::propose(&opened("DEV"), 0).user;
    for part in ["analysis", "approach", "implementation", "challenges"] {
        assert!(user.contains(part), "{part}");
    }
}

#[test]
fn a_reviewer_sees_the_proposal_its_check_results_and_what_was_not_run() {
    let user = prompts::critique(&opened("DEV"), "THE PROPOSAL", &failed_report()).user;
    assert!(user.contains("<proposal>\nTHE PROPOSAL\n</proposal>"));
    assert!(
        user.contains(
            "- lint: FAIL. 1 fault in 1 block\n  - lint/1, line 7, column 3: missing `)`: `print(1`"
        )
    );
    assert!(user.contains("- policy: not run") && user.contains("- dryrun: not run"));
    assert!(user.contains("\"score\"") && user.contains("\"findings\""));
}

#[test]
fn an_author_sees_the_findings_with_their_evidence() {
    let finding = Finding::new(Severity::High, "pop()", "races", "two readers");
    let review = Review { score: 0.4, findings: vec![finding], summary: "Close.".into() };
    let user = prompts::revise(&opened("DEV"), "MINE", &failed_report(), Some(&review)).user;
    assert!(user.contains("Close.\n\n- [high] pop(): races (evidence: two readers)"), "{user}");
    let without = prompts::revise(&opened("DEV"), "MINE", &failed_report(), None).user;
    assert!(!without.contains("colleague's review") && without.contains("missing `)`"));
}
