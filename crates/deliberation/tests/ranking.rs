//! What decides between proposals, without judges: checks, tests, findings, and last the seat.

mod common;

use common::{Council, check, history, verdict};
use fleet_deliberation::{
    AgentId, CheckKind,
    CheckOutcome::{self, Fail, Pass, Skipped},
    CheckSummary, JobKind, Sketch, Standing, Tally, Verdict,
};

#[test]
fn without_rounds_the_checks_decide() {
    let council = Council::of(["a", "b"]);
    let so_far =
        history(&council, [council.text("a", 0), council.checked("a", 0, Fail, 1), council.text("b", 0)]);
    let events = check(&so_far, council.checked("b", 0, Pass, 0), &["checked", "ended"]);
    let verdict = verdict(&events);
    assert_eq!(verdict.winner().unwrap().author.as_str(), "b");
    assert_eq!(verdict.winner().unwrap().basis, "checks passed (v0)");
}

#[test]
fn with_nothing_checked_and_nobody_asked_the_basis_is_none_and_the_earlier_seat_wins() {
    let council = Council::of(["a", "b"]);
    let so_far =
        history(&council, [council.text("b", 0), council.checked("b", 0, Skipped, 0), council.text("a", 0)]);
    let events = check(&so_far, council.checked("a", 0, Skipped, 0), &["checked", "ended"]);
    let verdict = verdict(&events);
    let ranked: Vec<_> =
        verdict.ranking.iter().map(|r| (r.author.as_str(), r.rank, r.basis.as_str())).collect();
    assert_eq!(ranked, [("a", 1, "none"), ("b", 2, "none")]);
    assert!(verdict.ranking.iter().all(|ranked| ranked.score == 0.0));
}

#[test]
fn a_failed_check_cannot_win_over_a_passed_one_whatever_peers_say() {
    let council = Council::of(["a", "b"]).rounds(1);
    let events = history(
        &council,
        [
            council.text("a", 0),
            council.checked("a", 0, Fail, 2),
            council.text("b", 0),
            council.checked("b", 0, Pass, 0),
            council.reviewed("a", 1, 1.0, 0),
            council.failed("a", 1, JobKind::Revise),
            council.reviewed("b", 1, 0.0, 0),
        ],
    );
    let verdict = verdict(&events);
    assert_eq!(verdict.winner().unwrap().author.as_str(), "b");
    assert!(verdict.why.contains("passed its checks"), "{}", verdict.why);
}

fn verdict_over(proposals: &[(&'static str, CheckSummary, Sketch)]) -> Verdict {
    let council = Council { agents: proposals.iter().map(|(name, ..)| *name).collect(), ..Council::of([]) };
    let proposed = proposals.iter().flat_map(|(name, summary, sketch)| {
        [council.text(name, 0), council.checked_with(name, 0, summary.clone(), sketch.clone())]
    });
    let events = history(&council, proposed);
    verdict(&events).clone()
}

fn summary(checks: &[(CheckKind, Tally)]) -> CheckSummary {
    checks.iter().copied().collect()
}

fn tests_passed(passed: u32, of: u32) -> (CheckKind, Tally) {
    let failed = of - passed;
    let outcome = if failed == 0 { Pass } else { Fail };
    let tally =
        Tally { faults: failed, high: Some(failed), tests: of, tests_passed: passed, ..Tally::of(outcome) };
    (CheckKind::Tests, tally)
}

#[test]
fn where_every_proposal_fails_a_check_that_decides_nobody_wins() {
    let failed =
        |high| summary(&[(CheckKind::Lint, Tally { faults: high, high: Some(high), ..Tally::of(Fail) })]);
    let verdict = verdict_over(&[("a", failed(2), Sketch::default()), ("b", failed(1), Sketch::default())]);
    assert_eq!(verdict.winner(), None);
    assert_eq!(verdict.ranking[0].author.as_str(), "a");
    let why = "no proposal is acceptable: each of the 2 failed a check that decides; the best effort, of a, failed lint";
    assert_eq!(verdict.why, why);
}

#[test]
fn a_run_that_fails_weighs_but_does_not_decide() {
    let lint = (CheckKind::Lint, Tally::of(Pass));
    let failed = (CheckKind::DryRun, Tally { faults: 1, high: Some(1), ..Tally::of(Fail) });
    let ran = (CheckKind::DryRun, Tally::of(Pass));
    let verdict = verdict_over(&[
        ("a", summary(&[lint, failed]), Sketch::default()),
        ("b", summary(&[lint, ran]), Sketch::default()),
    ]);
    assert_eq!(verdict.winner().unwrap().author.as_str(), "b");
    assert_eq!(verdict.ranking[1].standing, Standing::Passed);
    assert_eq!(verdict.ranking[1].basis, "1 of 2 checks passed (v0)");
    assert_eq!(
        verdict.why,
        "it passed its checks; the next, a, passed the checks that decide; of its checks 2 passed and 0 failed, of the \
         next's 1 passed and 1 failed"
    );
}

#[test]
fn the_tests_of_the_task_decide_before_everything_but_the_standing() {
    let lint = (CheckKind::Lint, Tally::of(Pass));
    let verdict = verdict_over(&[
        ("a", summary(&[lint, tests_passed(3, 4)]), Sketch::default()),
        ("b", summary(&[lint]), Sketch::default()),
        ("c", summary(&[lint, tests_passed(4, 4)]), Sketch::default()),
    ]);
    let order: Vec<&str> = verdict.ranking.iter().map(|ranked| ranked.author.as_str()).collect();
    assert_eq!(order, ["c", "b", "a"]);
    assert_eq!(verdict.ranking[0].basis, "checks passed (v0) + 4 of 4 tests passed");
    assert_eq!(verdict.ranking[1].basis, "checks passed (v0) + no test counts for it");
    assert_eq!(verdict.ranking[2].basis, "tests failed (v0) + 3 of 4 tests passed");
}

#[test]
fn what_decides_and_gave_no_result_is_said_and_is_no_pass() {
    let lint = (CheckKind::Lint, Tally::of(Pass));
    let not_run = (CheckKind::Tests, Tally::of(CheckOutcome::Skipped));
    let broken = (CheckKind::Policy, Tally::of(CheckOutcome::Error));
    let verdict = verdict_over(&[("a", summary(&[broken, lint, not_run]), Sketch::default())]);
    assert_eq!(verdict.ranking[0].basis, "other checks passed (v0) + policy and tests gave no result");
    let said =
        "it is the only proposal, and it passed its other checks, while policy and tests gave no result";
    assert_eq!(verdict.why, said);
}

#[test]
fn a_check_that_comes_to_fail_badly_as_well_never_helps() {
    let failed = |high| Tally { faults: 1, high: Some(high), ..Tally::of(Fail) };
    let policy = (CheckKind::Policy, failed(1));
    let rank = |of_lint: Tally| {
        let a = summary(&[policy, (CheckKind::Lint, of_lint)]);
        let verdict =
            verdict_over(&[("a", a, Sketch::default()), ("b", summary(&[policy]), Sketch::default())]);
        verdict.ranking.iter().position(|ranked| ranked.author.as_str() == "a")
    };
    assert_eq!((rank(failed(0)), rank(failed(1))), (Some(1), Some(1)));
}

#[test]
fn a_failed_given_test_decides_whatever_the_faults_say() {
    let tests = Tally { tests: 2, tests_passed: 1, ..Tally::of(Fail) };
    let spoilt = summary(&[(CheckKind::Lint, Tally::of(Pass)), (CheckKind::Tests, tests)]);
    assert_eq!(spoilt.standing(), Standing::Failed);
}

#[test]
fn a_proposal_that_is_nearly_another_says_so() {
    let lint = || summary(&[(CheckKind::Lint, Tally::of(Pass))]);
    let verdict = verdict_over(&[
        ("a", lint(), Sketch::of(0..1000)),
        ("b", lint(), Sketch::of(5000..6000)),
        ("c", lint(), Sketch::of(1..1001)),
    ]);
    let like: Vec<Option<&str>> =
        verdict.ranking.iter().map(|ranked| ranked.like.as_ref().map(AgentId::as_str)).collect();
    assert_eq!(like, [None, None, Some("a")]);
    assert!(verdict.ranking[2].basis.ends_with("nearly the same as a"), "{}", verdict.ranking[2].basis);
}
