//! A budget is never exceeded, whatever attempts really cost: checked against the prompts that are really built.

#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "tests")]

mod common;

use std::collections::BTreeMap;

use common::{AT, Council};
use fleet_deliberation::prompts::{self, Exhibit};
use fleet_deliberation::{
    ATTEMPTS_MAX, Answer, Budget, CheckKind, CheckOutcome, CheckReport, CheckResult, Choice, Chosen, Command,
    Contestant, Deliberation, Failure, FailureKind, Fault, Finding, Generation, JobId, JobKind, Judgement,
    Outcome, Preference, Prices, Review, Severity, Sketch, Task, Timestamp, Trial, Usage, Work, decide,
    evolve, replay,
};
use proptest::prelude::*;

/// Chance, fixed by a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n.max(1)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn text(&mut self, bytes_max: u64) -> String {
        let bytes = if self.one_in(4) { bytes_max } else { self.below(bytes_max) + 1 };
        "wörd\n".chars().cycle().take(usize::try_from(bytes).unwrap()).collect()
    }

    fn report(&mut self) -> CheckReport {
        let mut checks = BTreeMap::new();
        for kind in CheckKind::ALL {
            if self.one_in(4) {
                continue;
            }
            let outcome = [CheckOutcome::Pass, CheckOutcome::Fail, CheckOutcome::Error];
            let outcome = outcome[usize::try_from(self.below(3)).unwrap()];
            let mut result = CheckResult::new(outcome, self.text(40));
            let faults = if self.one_in(3) { self.below(300) } else { self.below(3) };
            let long = if self.one_in(8) { 9_000 } else { 30 };
            result.faults = (0..faults)
                .map(|_| Fault {
                    rule: "r".into(),
                    severity: Severity::Low,
                    language: "l".into(),
                    line: u32::MAX,
                    column: 1,
                    message: self.text(long),
                    excerpt: String::new(),
                })
                .collect();
            checks.insert(kind, result);
        }
        CheckReport { checks, sketch: Sketch::default() }
    }

    fn review(&mut self) -> Review {
        let findings = if self.one_in(3) { self.below(50) } else { self.below(3) };
        let long = if self.one_in(4) { 4_096 } else { 10 };
        let finding = |dice: &mut Dice| Finding::new(Severity::High, dice.text(long), dice.text(long), "x");
        let findings = (0..findings).map(|_| finding(self)).collect();
        Review { score: 0.5, findings, summary: if self.one_in(2) { self.text(long) } else { String::new() } }
    }
}

/// Tokens of prompts and of answers.
type Tokens = (u64, u64);

/// What really is: the answers there are, and what was really paid for.
struct World {
    dice: Dice,
    council: Council,
    hedged: bool,
    answers: BTreeMap<JobId, Outcome>,
    paid: Tokens,
}

impl World {
    /// The real prompt of a job that is awaited, with what a server is sent beside it; `None` where no model does it.
    fn prompt_bytes(&self, state: &Deliberation, job: &JobId) -> Option<u64> {
        let opened = &state.opened;
        let assignment = state.assignment(job).unwrap();
        let text = |job: &JobId| match &self.answers[job] {
            Outcome::Text(generation) => generation.text.as_str(),
            other => panic!("{other:?}"),
        };
        let empty = CheckReport::default();
        let checks = |job: &JobId| match self.answers.get(job) {
            Some(Outcome::Checks(report)) => report,
            _ => &empty,
        };
        let review = |job: &JobId| match self.answers.get(job) {
            Some(Outcome::Review { review, .. }) => Some(review),
            _ => None,
        };
        let exhibit = |contestant: &Contestant| {
            let (text, checks) = (text(&contestant.text), checks(&contestant.checks));
            (text, checks, contestant.review.as_ref().and_then(review))
        };
        let bytes = match &assignment.work {
            Work::Check { .. } | Work::Trial { .. } => return None,
            Work::Test { candidates } => {
                let blind = |(text, checks, _)| Exhibit { text, checks, review: None };
                let exhibits: Vec<Exhibit<'_>> = candidates.iter().map(exhibit).map(blind).collect();
                prompts::write_tests(opened, &exhibits).bytes()
            }
            Work::Propose => prompts::propose(opened, assignment.seat.unwrap()).bytes(),
            Work::Critique { text: written, checks: of } => {
                prompts::critique(opened, text(written), checks(of)).bytes()
            }
            Work::Revise { text: written, checks: of, review: by } => {
                prompts::revise(opened, text(written), checks(of), review(by)).bytes()
            }
            Work::Judge { pair } => {
                let [a, b] = pair.each_ref().map(exhibit);
                let blind = |(text, checks, _)| Exhibit { text, checks, review: None };
                prompts::judge(opened, [blind(a), blind(b)]).bytes()
            }
            Work::Select { candidates } => {
                let exhibits: Vec<Exhibit<'_>> = candidates
                    .iter()
                    .map(exhibit)
                    .map(|(text, checks, review)| Exhibit { text, checks, review })
                    .collect();
                let ids: usize = prompts::citable(&exhibits).iter().map(|id| id.len() + 3).sum();
                prompts::select(opened, &exhibits).bytes() + ids
            }
        };
        Some(bytes as u64)
    }

    /// The most one call may really take, and how many an attempt may make.
    fn worst(&self, state: &Deliberation, job: &JobId) -> Option<(Tokens, u64)> {
        let bytes = self.prompt_bytes(state, job)?;
        let has_schema = matches!(job.kind, JobKind::Critique | JobKind::Judge | JobKind::Select);
        let calls = if has_schema { 2 } else { 1 } * if self.hedged { 2 } else { 1 };
        // What servers add of their own: marks, and the schema.
        let added = if has_schema { 1_000 } else { 200 };
        Some(((bytes + added, 10), calls))
    }

    fn pay(&mut self, (prompt, completion): Tokens, calls: u64) {
        self.paid.0 += prompt * calls;
        self.paid.1 += completion * calls;
    }

    /// Attempts at a job, each with its real cost; the answer is what they leave.
    fn attempts(&mut self, state: &Deliberation, job: &JobId, outcome: Outcome, at: Timestamp) -> Answer {
        let attempt = 1 + u32::try_from(self.dice.below(ATTEMPTS_MAX.into())).unwrap();
        let mut answer = Answer { job: job.clone(), attempt, started_at: at, ended_at: at, outcome };
        let Some((call, calls)) = self.worst(state, job) else { return answer };
        for _ in 1..attempt {
            let calls = self.dice.below(calls + 1);
            self.pay(call, calls);
        }
        let used = (self.dice.below(call.0 + 1), self.dice.below(call.1 + 1));
        let estimated = self.dice.one_in(4);
        let beside = if self.dice.one_in(3) { calls - 1 } else { 0 };
        let told = |used: Tokens| match estimated {
            true => Usage { prompt_tokens: 1, completion_tokens: 1, estimated },
            false => Usage { prompt_tokens: used.0, completion_tokens: used.1, estimated },
        };
        match &mut answer.outcome {
            Outcome::Text(generation)
            | Outcome::Review { generation, .. }
            | Outcome::Judgement { generation, .. }
            | Outcome::Choice { generation, .. } => {
                generation.usage = told(used);
                generation.calls_unknown = u32::try_from(beside).unwrap();
                self.pay(used, 1);
                self.pay(call, beside);
            }
            Outcome::Failed(failure) => {
                failure.attempts = attempt;
                match failure.kind {
                    FailureKind::NotFound => self.pay(call, calls - 1),
                    FailureKind::Unreadable => {
                        failure.usage = told(used);
                        self.pay(used, 1);
                        self.pay(call, calls - 1);
                    }
                    _ => self.pay(call, calls),
                }
            }
            Outcome::Checks(_) | Outcome::Trial(_) => {}
        }
        answer
    }

    fn outcome(&mut self, state: &Deliberation, job: &JobId) -> Outcome {
        if self.dice.one_in(8) {
            let kinds = [FailureKind::NotFound, FailureKind::Timeout, FailureKind::Unreadable];
            let kind = kinds[usize::try_from(self.dice.below(3)).unwrap()];
            return Outcome::Failed(Failure::new(kind, "x", 1));
        }
        let generation = Generation { text: self.dice.text(3_000), ..Generation::default() };
        match job.kind {
            JobKind::Propose | JobKind::Revise | JobKind::Test => Outcome::Text(generation),
            JobKind::Trial => Outcome::Trial(Trial([("a/x".to_owned(), self.dice.one_in(2))].into())),
            JobKind::Check => Outcome::Checks(self.dice.report()),
            JobKind::Critique => Outcome::Review { review: self.dice.review(), generation },
            JobKind::Judge => {
                let judgement = Judgement { preference: Preference::Neither, reason: String::new() };
                Outcome::Judgement { judgement, generation }
            }
            JobKind::Select => {
                let author = state.choosing.as_ref().unwrap().candidates[0].clone();
                let chosen = Chosen { author, cites: vec!["a/lint".into()] };
                Outcome::Choice { choice: Choice { chosen, reason: String::new() }, generation }
            }
        }
    }

    /// Somebody was at work on these jobs to their very last attempt, and nobody will know.
    fn pay_whole(&mut self, state: &Deliberation, jobs: &[JobId]) {
        for job in jobs {
            if let Some((call, calls)) = self.worst(state, job) {
                self.pay(call, calls * u64::from(ATTEMPTS_MAX));
            }
        }
    }

    /// What is under way may still take all it can.
    fn may_come_to(&self, state: &Deliberation) -> Tokens {
        let awaited = state.outstanding().filter_map(|(job, _)| self.worst(state, &job));
        awaited.fold(self.paid, |(prompt, completion), ((p, c), calls)| {
            let calls = calls * u64::from(ATTEMPTS_MAX);
            (prompt + p * calls, completion + c * calls)
        })
    }

    fn keeps(&self, state: &Deliberation) -> Result<(), TestCaseError> {
        let Budget { tokens, money_micros } = self.council.budget;
        let (prompt, completion) = self.may_come_to(state);
        let sum = prompt + completion;
        prop_assert!(tokens.is_none_or(|tokens| sum <= tokens), "{sum} of {tokens:?}: {:?}", state.lanes);
        let Prices { prompt: of_prompt, completion: of_completion } = self.council.prices.unwrap();
        let money =
            u128::from(prompt) * u128::from(of_prompt) + u128::from(completion) * u128::from(of_completion);
        let within = money_micros.is_none_or(|bound| money <= u128::from(bound) * 1_000_000);
        prop_assert!(within, "{money} of {money_micros:?} millions");
        Ok(())
    }
}

/// Lives a deliberation to its end; gives what was left out.
fn live(seed: u64, tokens: u64) -> Result<usize, TestCaseError> {
    let mut dice = Dice(seed);
    let names = ["a", "b", "c", "d"];
    let agents = 1 + usize::try_from(dice.below(4)).unwrap();
    let prices = Prices { prompt: 1 + dice.below(10_000_000), completion: 1 + dice.below(10_000_000) };
    let budget = match dice.below(3) {
        0 => Budget { tokens: Some(tokens), money_micros: None },
        1 => Budget { tokens: None, money_micros: Some(tokens * prices.prompt / 1_000_000) },
        _ => Budget { tokens: Some(tokens), money_micros: Some(tokens * prices.completion / 1_000_000) },
    };
    let task = Task { description: dice.text(2_000), rubric: dice.text(300), ..Task::default() };
    let council = Council { agents: names[..agents].into(), task, budget, ..Council::of([]) };
    let council = Council { prices: Some(prices), hedged: dice.one_in(3), ..council };
    let rounds = u32::try_from(dice.below(3)).unwrap();
    let council = council
        .rounds(rounds)
        .selecting(1 + 2 * u32::from(dice.one_in(2)), 3, dice.one_in(2))
        .testing(u32::try_from(dice.below(3)).unwrap());
    let hedged = council.hedged;
    let submitted = council.submit();
    let mut world = World { dice, council, hedged, answers: BTreeMap::new(), paid: (0, 0) };
    let Ok(events) = decide(None, submitted) else { return Ok(0) };
    let mut state = replay(&events).unwrap();
    let mut now = AT;
    world.keeps(&state)?;
    while state.ended.is_none() {
        let jobs: Vec<JobId> = state.outstanding().map(|(job, _)| job).collect();
        let next = state.next_deadline().unwrap();
        let over = state.outstanding().filter(|(_, window)| window.until <= next);
        let over: Vec<JobId> = over.map(|(job, _)| job).collect();
        let command = match world.dice.below(40) {
            0 => {
                world.pay_whole(&state, &jobs);
                Command::Cancel { reason: String::new(), at: now }
            }
            1..4 => {
                now = next;
                let over = if now >= state.opened.deadline_at { &jobs } else { &over };
                world.pay_whole(&state, over);
                // What comes too late is found all the same by whoever looks for it.
                for job in over {
                    if world.dice.one_in(2) && !matches!(job.kind, JobKind::Propose | JobKind::Revise) {
                        let outcome = world.outcome(&state, job);
                        world.answers.insert(job.clone(), outcome);
                    }
                }
                if world.dice.one_in(3) { Command::Renew { at: now } } else { Command::Expire { at: now } }
            }
            _ => {
                let job = &jobs[usize::try_from(world.dice.below(jobs.len() as u64)).unwrap()];
                let outcome = match world.answers.get(job) {
                    Some(late) => late.clone(),
                    None => world.outcome(&state, job),
                };
                let answer = world.attempts(&state, job, outcome, now);
                world.answers.insert(job.clone(), answer.outcome.clone());
                answer.taken(now)
            }
        };
        let more = decide(Some(&state), command).unwrap();
        state = more.iter().fold(Some(state), evolve).unwrap();
        world.keeps(&state)?;
    }
    Ok(state.purse.unwrap().dropped.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn what_was_really_paid_stays_within_the_budget(seed in any::<u64>(), size in 12u32..22, more in 0u64..1 << 12) {
        live(seed, (1 << size) + more)?;
    }
}

#[test]
fn the_property_is_tried_with_budgets_that_leave_something_out_and_with_some_that_do_not() {
    let dropped: Vec<usize> = (0..200).map(|seed| live(seed, 400_000).unwrap()).collect();
    assert!(dropped.contains(&0) && dropped.iter().any(|dropped| *dropped > 1));
}
