//! What a report says, against values worked out by hand.

use std::collections::BTreeMap;

use fleet_evaluation::{
    Arm, Cell, Outcome, Proposal, Report, Revisions, Score, Setup, Share, Task, markdown, read_tasks,
};
use proptest::prelude::*;
use serde_json::json;

fn tasks(n: usize) -> Vec<Task> {
    let line = |n| {
        json!({"id": format!("t{n}"), "language": "c", "description": "x", "hidden_tests": "x",
               "keywords": ["alpha", "beta"]})
        .to_string()
    };
    read_tasks(&(0..n).map(line).collect::<Vec<_>>().join("\n")).expect("they are well-formed")
}

fn setup(arms: &[Arm]) -> Setup {
    Setup {
        file: "tasks.jsonl".into(),
        models: "a model".into(),
        simulated: None,
        seed: 1,
        repetitions: 1,
        arms: arms.to_vec(),
    }
}

fn cell(task: usize, arm: Arm) -> Cell {
    Cell { rates: None, task, repetition: 1, arm }
}

fn proposal(text: &str, tests: &[bool]) -> Proposal {
    Proposal { text: text.into(), score: Score::Ran(tests.to_vec()), in_force: true }
}

/// An outcome whose first proposal won.
fn won(proposals: Vec<Proposal>) -> Outcome {
    Outcome { proposals, winner: Some(0), tokens: 100, samples: 1, ..Outcome::default() }
}

const RIGHT: &[bool] = &[true, true];
const WRONG: &[bool] = &[true, false];

#[test]
fn shares_regret_and_differences_are_those_worked_out_by_hand() {
    let (right, wrong) = (|| proposal("alpha", RIGHT), || proposal("beta", WRONG));
    // One call solves one of four. The council solves two, and has a third that it did not choose.
    let outcomes = BTreeMap::from([
        (cell(0, Arm::One), won(vec![right()])),
        (cell(1, Arm::One), won(vec![wrong()])),
        (cell(2, Arm::One), won(vec![wrong()])),
        (cell(3, Arm::One), won(vec![wrong()])),
        (cell(0, Arm::Council), won(vec![right(), wrong()])),
        (cell(1, Arm::Council), won(vec![right(), right()])),
        (cell(2, Arm::Council), won(vec![wrong(), right()])),
        (cell(3, Arm::Council), won(vec![wrong(), wrong()])),
    ]);
    let report = Report::of(setup(&[Arm::One, Arm::Council]), &tasks(4), &outcomes);
    let [one, council] = &report.arms[..] else { panic!("two arms") };
    assert_eq!((one.solved.mean, one.available, one.regret.mean), (0.25, 0.25, 0.0));
    assert_eq!((council.solved.mean, council.available, council.regret.mean), (0.5, 0.75, 0.25));
    // Four draws of one in four, as the statistics have it.
    assert_eq!((one.solved.low, one.solved.high), (0.0, 0.75));
    let [difference] = &report.differences[..] else { panic!("one difference") };
    assert_eq!((difference.arm, difference.minus, difference.solved.mean), (Arm::Council, Arm::One, 0.25));
    assert_eq!((difference.solved.low, difference.solved.high), (0.0, 0.75));
    // Half of two by text: (2 + 1 + 2 + 1) / 8; likewise by behaviour.
    assert_eq!((council.distinct_texts, council.distinct_behaviours), (Some(0.75), Some(0.75)));
    assert_eq!((one.distinct_texts, one.keywords), (None, Some(0.5)));
    assert_eq!(report.solved["t2"], BTreeMap::from([("one", 0.0), ("council", 0.0)]));
}

#[test]
fn a_task_counts_once_however_often_it_was_run() {
    let mut outcomes = BTreeMap::new();
    for repetition in 1..=3 {
        let of = |task| Cell { repetition, ..cell(task, Arm::One) };
        outcomes.insert(of(0), won(vec![proposal("x", RIGHT)]));
        if repetition == 1 {
            outcomes.insert(of(1), won(vec![proposal("x", WRONG)]));
        }
    }
    assert_eq!(Report::of(setup(&[Arm::One]), &tasks(2), &outcomes).arms[0].solved.mean, 0.5);
}

#[test]
fn texts_differ_in_more_than_case_and_white_space_and_only_those_in_force_count() {
    let replaced = Proposal { in_force: false, ..proposal("another", WRONG) };
    let outcome = won(vec![proposal("A  b\n", RIGHT), proposal("a B", WRONG), replaced]);
    assert_eq!((outcome.distinct_texts(), outcome.distinct_behaviours()), (Some(0.5), Some(1.0)));
    assert_eq!(won(vec![proposal("x", RIGHT)]).distinct_texts(), None);
}

#[test]
fn a_version_that_was_refused_was_available_all_the_same() {
    let refused = Proposal { in_force: false, ..proposal("better", RIGHT) };
    let outcome = won(vec![proposal("worse", WRONG), refused]);
    assert_eq!((outcome.solved(), outcome.available()), (Ok(false), Ok(true)));
}

#[test]
fn a_task_whose_tests_did_not_run_counts_in_no_arm_and_is_named() {
    let not_run = Proposal { score: Score::NotRun("no sandbox".into()), ..proposal("x", &[]) };
    let outcomes = BTreeMap::from([
        (cell(0, Arm::One), won(vec![proposal("x", RIGHT)])),
        (cell(0, Arm::Council), won(vec![not_run])),
        (cell(1, Arm::One), won(vec![proposal("x", RIGHT)])),
        (cell(1, Arm::Council), won(vec![proposal("x", RIGHT)])),
    ]);
    let report = Report::of(setup(&[Arm::One, Arm::Council]), &tasks(2), &outcomes);
    assert_eq!((report.tasks, report.arms[0].solved.mean), (1, 1.0));
    assert_eq!((report.unscored[0].task.as_str(), report.unscored[0].reason.as_str()), ("t0", "no sandbox"));
    assert!(markdown(&report).contains("- t0: no sandbox"));
}

#[test]
fn no_winner_no_tests_and_no_verdict_are_not_solved() {
    let none = Outcome { winner: None, ..won(vec![proposal("x", WRONG)]) };
    let failed = Outcome { failure: Some("its time was up".into()), ..Outcome::default() };
    let untested = won(vec![proposal("x", &[])]);
    assert_eq!([&none, &failed, &untested].map(Outcome::solved), [Ok(false); 3]);
    let outcomes = BTreeMap::from([(cell(0, Arm::One), none), (cell(1, Arm::One), failed)]);
    let report = Report::of(setup(&[Arm::One]), &tasks(2), &outcomes);
    assert_eq!(report.arms[0].none_acceptable, 1);
    assert_eq!(report.arms[0].failures, BTreeMap::from([("its time was up".to_owned(), 1)]));
    assert_eq!(report.arms[0].keywords, None);
}

#[test]
fn revisions_and_judgements_are_counted_over_all_runs() {
    let with = |accepted, written, judged| Outcome {
        revisions: Revisions { accepted, written },
        judged,
        ..won(vec![proposal("x", RIGHT)])
    };
    let outcomes = BTreeMap::from([
        (cell(0, Arm::Judged), with(1, 3, Some((2, 3)))),
        (cell(1, Arm::Judged), with(2, 2, Some((1, 1)))),
    ]);
    let report = Report::of(setup(&[Arm::Judged]), &tasks(2), &outcomes);
    assert_eq!(report.arms[0].revisions, Share { n: 3, of: 5 });
    assert_eq!(report.arms[0].judges_consistent, Some(Share { n: 3, of: 4 }));
    let text = markdown(&report);
    assert!(
        text.contains("| revisions accepted | 3 of 5 |") && text.contains("| judges consistent | 3 of 4 |")
    );
}

#[test]
fn nothing_scored_is_no_share() {
    let report = Report::of(setup(&[Arm::One]), &tasks(1), &BTreeMap::new());
    assert!(report.arms.is_empty() && report.differences.is_empty());
    assert!(markdown(&report).contains("no task could be scored"));
}

#[test]
fn outcomes_of_other_rates_do_not_count() {
    let other = Cell { rates: Some("p=0.1".parse().expect("rates")), ..cell(0, Arm::One) };
    let outcomes = BTreeMap::from([
        (cell(0, Arm::One), won(vec![proposal("x", RIGHT)])),
        (other, won(vec![proposal("x", WRONG)])),
    ]);
    assert_eq!(Report::of(setup(&[Arm::One]), &tasks(1), &outcomes).arms[0].solved.mean, 1.0);
}

proptest! {
    // Each case is ten thousand resamples of several values.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn regret_is_never_negative_and_identical_arms_differ_by_nothing(
        passed in proptest::collection::vec((any::<bool>(), any::<bool>(), 0_usize..2), 1..12),
    ) {
        let tests = |right| if right { RIGHT } else { WRONG };
        let mut outcomes = BTreeMap::new();
        for (task, (first, second, winner)) in passed.iter().enumerate() {
            let proposals = vec![proposal("a", tests(*first)), proposal("b", tests(*second))];
            for arm in [Arm::Best, Arm::Council] {
                let outcome = Outcome { winner: Some(*winner), ..won(proposals.clone()) };
                outcomes.insert(cell(task, arm), outcome);
            }
        }
        let report = Report::of(setup(&[Arm::Best, Arm::Council]), &tasks(passed.len()), &outcomes);
        for arm in &report.arms {
            prop_assert!(arm.regret.low >= 0.0 && arm.available >= arm.solved.mean);
            prop_assert!((arm.available - arm.solved.mean - arm.regret.mean).abs() < 1e-9);
        }
        let difference = report.differences[0].solved;
        prop_assert!(difference.low <= 0.0 && difference.high >= 0.0);
    }
}
