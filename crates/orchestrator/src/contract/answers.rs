//! What answers promise.

use std::collections::BTreeMap;
use std::sync::Arc;

use fleet_deliberation::{
    Answer, CheckKind, CheckOutcome, CheckReport, CheckResult, Failure, FailureKind, Fault, Finding,
    Generation, JobId, JobKind, Outcome, Review, Run, Severity, Sketch, TestOutcome, Usage,
};
use tokio::task::JoinSet;

use super::sample::{answer, deliberation, job, jobs};
use super::wait::{soon, waits};
use crate::port::{Answers, Position, Recorded};

/// Calls a macro with the name of each rule.
#[macro_export]
macro_rules! each_rule_of_answers {
    ($rule:ident) => {
        $rule!(the_first_answer_recorded_counts);
        $rule!(of_answers_recorded_at_once_exactly_one_counts);
        $rule!(an_answer_is_found_by_its_whole_job);
        $rule!(every_kind_of_answer_is_given_back_as_it_was);
        $rule!(numbers_are_given_back_exactly);
        $rule!(answers_are_followed_in_the_order_they_were_recorded);
        $rule!(a_tail_of_answers_waits_for_the_next);
        $rule!(a_tail_of_answers_leaves_nothing_out_while_many_record);
        $rule!(forgotten_answers_are_gone_for_good);
        $rule!(an_answer_nobody_waits_for_is_there_whole_or_not_at_all);
    };
}

async fn record(answers: &dyn Answers, answer: Answer) -> Recorded {
    soon(answers.record(answer)).await.expect("records")
}

async fn find(answers: &dyn Answers, job: &JobId) -> Option<Answer> {
    soon(answers.find(job)).await.expect("finds").map(|answer| Answer::clone(&answer))
}

/// Follows the answers until `count` came, `limit` at a time.
async fn follow(answers: &dyn Answers, mut after: Position, count: usize, limit: usize) -> Vec<Arc<Answer>> {
    let mut followed = Vec::new();
    while followed.len() < count {
        let found = soon(answers.tail(after, limit)).await.expect("tails");
        assert!((1..=limit).contains(&found.len()), "{} of at most {limit} came", found.len());
        for (position, answer) in found {
            assert!(position > after, "positions rise");
            after = position;
            followed.push(answer);
        }
    }
    followed
}

/// The first record wins, whatever comes after it, and can be found from then on.
pub async fn the_first_answer_recorded_counts(answers: Arc<dyn Answers>) {
    let job = job("a", "x");
    assert_eq!(find(&*answers, &job).await, None);
    let first = answer(job.clone(), "first");
    assert_eq!(record(&*answers, first.clone()).await, Recorded::First);
    assert_eq!(find(&*answers, &job).await.as_ref(), Some(&first));
    assert_eq!(record(&*answers, answer(job.clone(), "second")).await, Recorded::Already);
    assert_eq!(record(&*answers, first.clone()).await, Recorded::Already);
    assert_eq!(find(&*answers, &job).await, Some(first));
    assert_eq!(follow(&*answers, Position::default(), 1, 10).await.len(), 1);
}

/// Of many that record an answer to one job, one is told that its answer counts, and it does.
pub async fn of_answers_recorded_at_once_exactly_one_counts(answers: Arc<dyn Answers>) {
    for job in jobs("a", 10) {
        let mut racers = JoinSet::new();
        for racer in 0..24 {
            let (answers, answer) = (Arc::clone(&answers), answer(job.clone(), &racer.to_string()));
            racers.spawn(async move {
                let recorded = answers.record(answer.clone()).await.expect("records");
                let found = answers.find(&answer.job).await.expect("finds").expect("is there by now");
                (recorded, answer, found)
            });
        }
        let raced = soon(racers.join_all()).await;
        let winners: Vec<_> = raced.iter().filter(|(recorded, ..)| *recorded == Recorded::First).collect();
        assert_eq!(winners.len(), 1);
        for (_, _, found) in &raced {
            assert_eq!(**found, winners[0].1, "everyone finds the one that counts");
        }
    }
}

/// Jobs that differ in any one part have answers of their own.
pub async fn an_answer_is_found_by_its_whole_job(answers: Arc<dyn Answers>) {
    let plain = job("a", "x");
    let others = [
        plain.clone(),
        JobId { round: 1, ..plain.clone() },
        JobId { round: 10, ..plain.clone() },
        JobId { kind: JobKind::Check, ..plain.clone() },
        JobId { kind: JobKind::Critique, ..plain.clone() },
        JobId { kind: JobKind::Revise, ..plain.clone() },
        job("a", "y"),
        job("a", "X"),
        job("a", "x.>"),
        job("a/b", "x"),
        job("a", "b/x"),
        job("a%2Fb", "x"),
        job("ä", "*"),
    ];
    for (n, job) in others.iter().enumerate() {
        assert_eq!(find(&*answers, job).await, None, "{job}");
        assert_eq!(record(&*answers, answer(job.clone(), &n.to_string())).await, Recorded::First, "{job}");
    }
    for (n, job) in others.iter().enumerate() {
        assert_eq!(find(&*answers, job).await, Some(answer(job.clone(), &n.to_string())), "{job}");
    }
}

/// Whatever an answer holds comes back, found or followed.
pub async fn every_kind_of_answer_is_given_back_as_it_was(answers: Arc<dyn Answers>) {
    let generation = Generation {
        text: "```python\nprint(\"\u{0}\\ \u{1f980} \u{2028}\")\n```\r\n".into(),
        reasoning: "x".repeat(300_000),
        model: "Qwen/Qwen3-0.6B".into(),
        temperature: 0.7 * 1.3,
        usage: Usage { prompt_tokens: u64::MAX, completion_tokens: 0, estimated: true },
        truncated: true,
        first_token_ms: 7,
        calls_unknown: 1,
    };
    let finding = Finding::new(Severity::High, "line 3", "does not end", "");
    let review = Review { score: 1.0 / 3.0, findings: vec![finding], summary: "No.".into() };
    let fault = Fault {
        rule: "syntax".into(),
        severity: Severity::Medium,
        language: "python".into(),
        line: 3,
        column: 14,
        message: "syntax error".into(),
        excerpt: "def f(:".into(),
    };
    let lint = CheckResult {
        outcome: CheckOutcome::Fail,
        message: "1 block of Python".into(),
        faults: vec![fault],
        tools: vec!["tree-sitter-python 0.25".into()],
        duration_ms: 2,
        run: Some(Run {
            exit_code: Some(1),
            output: "\u{0}\u{fffd}".into(),
            sandbox: "bubblewrap 0.8.0".into(),
        }),
        tests: vec![TestOutcome { name: "sorts".into(), passed: false }],
    };
    let outcomes = [
        Outcome::Text(generation.clone()),
        Outcome::Review { review, generation },
        Outcome::Checks(CheckReport {
            checks: BTreeMap::from([(CheckKind::Lint, lint)]),
            sketch: Sketch::of([1, 2, 3]),
        }),
        Outcome::Failed(Failure::new(FailureKind::WorkerLost, "died", 3)),
    ];
    let given: Vec<Answer> = outcomes
        .into_iter()
        .zip(jobs("a", 4))
        .map(|(outcome, job)| Answer { outcome, ..answer(job, "") })
        .collect();
    for answer in &given {
        record(&*answers, answer.clone()).await;
        assert_eq!(find(&*answers, &answer.job).await.as_ref(), Some(answer));
    }
    let followed = follow(&*answers, Position::default(), 4, 10).await;
    assert!(followed.iter().map(|answer| &**answer).eq(&given));
}

/// A score decides between proposals, so it must be the same number for whoever reads it, whenever.
pub async fn numbers_are_given_back_exactly(answers: Arc<dyn Answers>) {
    let mut bits: u64 = 1;
    for job in jobs("a", 200) {
        // Fractions of no particular form (a xorshift of the one before).
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        let score = (bits >> 11) as f64 / (1u64 << 53) as f64;
        let review = Review { score, findings: Vec::new(), summary: String::new() };
        let outcome = Outcome::Review { review, generation: Generation::default() };
        let answer = Answer { outcome, ..answer(job, "") };
        record(&*answers, answer.clone()).await;
        assert_eq!(find(&*answers, &answer.job).await, Some(answer));
    }
}

/// Answers come in the order they were recorded, from any place on; one that lost does not come.
pub async fn answers_are_followed_in_the_order_they_were_recorded(answers: Arc<dyn Answers>) {
    assert_eq!(soon(answers.end()).await.expect("ends"), Position::default());
    let jobs = jobs("a", 5);
    let order = [3, 0, 4, 1, 2];
    for n in order {
        record(&*answers, answer(jobs[n].clone(), "first")).await;
        record(&*answers, answer(jobs[3].clone(), "lost")).await;
    }
    for limit in [1, 2, 100] {
        let followed = follow(&*answers, Position::default(), 5, limit).await;
        let expected: Vec<Answer> = order.iter().map(|n| answer(jobs[*n].clone(), "first")).collect();
        assert!(followed.iter().map(|answer| &**answer).eq(&expected));
    }
    let all = soon(answers.tail(Position::default(), 10)).await.expect("tails");
    assert_eq!(soon(answers.end()).await.expect("ends"), all[4].0);
    assert_eq!(soon(answers.tail(all[2].0, 10)).await.expect("tails").len(), 2);
}

/// Where there is no answer yet a tail waits; one that was recorded already does not wake it.
pub async fn a_tail_of_answers_waits_for_the_next(answers: Arc<dyn Answers>) {
    let mut tail = Box::pin(answers.tail(Position::default(), 10));
    waits(&mut tail).await;
    record(&*answers, answer(job("a", "x"), "first")).await;
    assert_eq!(soon(tail).await.expect("tails").len(), 1);
    let end = soon(answers.end()).await.expect("ends");
    let mut tail = Box::pin(answers.tail(end, 10));
    record(&*answers, answer(job("a", "x"), "second")).await;
    waits(&mut tail).await;
    record(&*answers, answer(job("a", "y"), "next")).await;
    let next = soon(tail).await.expect("tails");
    assert_eq!(*next[0].1, answer(job("a", "y"), "next"));
}

/// A follower gets each answer once while many record, and finds it where it got it.
pub async fn a_tail_of_answers_leaves_nothing_out_while_many_record(answers: Arc<dyn Answers>) {
    const WORKERS: usize = 16;
    const JOBS: usize = 30;
    let follower = {
        let answers = Arc::clone(&answers);
        tokio::spawn(async move { follow(&*answers, Position::default(), WORKERS * JOBS, 7).await })
    };
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let answers = Arc::clone(&answers);
        workers.spawn(async move {
            for job in jobs(&format!("d-{worker}"), JOBS) {
                assert_eq!(record(&*answers, answer(job.clone(), "yes")).await, Recorded::First);
                assert!(find(&*answers, &job).await.is_some());
            }
        });
    }
    soon(workers.join_all()).await;
    let mut followed: Vec<JobId> =
        soon(follower).await.expect("follows").iter().map(|answer| answer.job.clone()).collect();
    followed.sort_unstable();
    followed.dedup();
    assert_eq!(followed.len(), WORKERS * JOBS);
}

/// All answers of the deliberation go, and no others; new ones may come, at places of their own.
pub async fn forgotten_answers_are_gone_for_good(answers: Arc<dyn Answers>) {
    for name in ["a", "a/b", "b", "a"] {
        for job in jobs(name, 3) {
            record(&*answers, answer(job, "old")).await;
        }
    }
    let end = soon(answers.end()).await.expect("ends");
    soon(answers.forget(&deliberation("b"))).await.expect("forgets");
    soon(answers.forget(&deliberation("a"))).await.expect("forgets");
    soon(answers.forget(&deliberation("a"))).await.expect("is not there any more");
    for job in jobs("a", 3).iter().chain(&jobs("b", 3)) {
        assert_eq!(find(&*answers, job).await, None);
    }
    for answer in follow(&*answers, Position::default(), 3, 10).await {
        assert_eq!(answer.job.deliberation, deliberation("a/b"));
        assert!(find(&*answers, &answer.job).await.is_some());
    }
    assert_eq!(record(&*answers, answer(job("a", "x"), "new")).await, Recorded::First);
    let (position, answer) = soon(answers.tail(end, 10)).await.expect("tails").remove(0);
    assert!(position > end && answer.job == job("a", "x"));
}

/// Giving up on recording does not break an answer in two.
pub async fn an_answer_nobody_waits_for_is_there_whole_or_not_at_all(answers: Arc<dyn Answers>) {
    for job in jobs("a", 20) {
        let mut dropped = Box::pin(answers.record(answer(job.clone(), "dropped")));
        // Looked at once, so that it has begun, and dropped.
        _ = futures_util::poll!(&mut dropped);
        drop(dropped);
        let counts = match record(&*answers, answer(job.clone(), "kept")).await {
            Recorded::First => "kept",
            Recorded::Already => "dropped",
        };
        assert_eq!(find(&*answers, &job).await, Some(answer(job, counts)));
    }
}
