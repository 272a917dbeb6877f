//! What always holds, whatever happens to a deliberation and in whatever order.

#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "tests")]

mod common;

use common::{AT, Council};
use fleet_deliberation::{
    AgentId, CheckKind, CheckOutcome, CheckSummary, Chosen, Command, Decision, Deliberation, Ending, Event,
    Failure, FailureKind, FindingCounts, JobId, JobKind, Phase, Preference, Record, Report, Sketch, Standing,
    Status, Tally, Trial, Usage, decide, evolve, jobs_after, replay,
};
use proptest::prelude::*;

/// Something that happens: which outstanding job is answered, and how; or time goes by.
#[derive(Debug, Clone)]
enum Happening {
    Answer { which: usize, how: How, twice: bool },
    Time { ms: u64 },
}

#[derive(Debug, Clone, Copy)]
struct How {
    fails: bool,
    outcome: CheckOutcome,
    faults: u32,
    score: f64,
}

fn happening() -> impl Strategy<Value = Happening> {
    let outcome = prop_oneof![
        Just(CheckOutcome::Pass),
        Just(CheckOutcome::Fail),
        Just(CheckOutcome::Error),
        Just(CheckOutcome::Skipped),
    ];
    let how = (prop::bool::weighted(0.15), outcome, 0u32..4, 0.0f64..=1.0)
        .prop_map(|(fails, outcome, faults, score)| How { fails, outcome, faults, score });
    prop_oneof![
        9 => (any::<prop::sample::Index>(), how, any::<bool>())
            .prop_map(|(which, how, twice)| Happening::Answer { which: which.index(64), how, twice }),
        1 => (0u64..20_000).prop_map(|ms| Happening::Time { ms }),
    ]
}

fn answer(job: &JobId, how: How, at: fleet_deliberation::Timestamp) -> Command {
    let failure = || Failure::new(FailureKind::Server, "500", 3);
    let report = match job.kind {
        _ if how.fails => Report::Failed(failure()),
        JobKind::Propose | JobKind::Revise => common::text(),
        JobKind::Check => common::report(how.outcome, how.faults),
        JobKind::Test => common::text(),
        JobKind::Trial => {
            let tests = (0..4).map(|n| (format!("a/{n}"), n < how.faults as usize)).collect();
            Report::Trial { trial: Trial(tests) }
        }
        JobKind::Judge => {
            let preference = match how.faults {
                0 => Preference::First,
                1 => Preference::Second,
                _ => Preference::Neither,
            };
            Report::Judgement { preference, usage: Usage::default() }
        }
        JobKind::Select => {
            let names = ["a", "b", "c", "d", "e"];
            let author = AgentId::new(names[how.faults as usize]).unwrap();
            Report::Choice {
                chosen: Chosen { author, cites: vec!["a/lint".into()] },
                usage: Usage::default(),
            }
        }
        JobKind::Critique => {
            let findings = FindingCounts { medium: how.faults, ..FindingCounts::default() };
            Report::Review { score: how.score, findings, usage: Usage::default() }
        }
    };
    Command::Take { job: job.clone(), report, effort: common::ONCE, at }
}

/// Lets `happenings` happen, and then time go by until the end.
fn lived(agents: usize, rounds: u32, happenings: &[Happening]) -> (Vec<Command>, Vec<Event>, Deliberation) {
    let names = ["a", "b", "c", "d", "e"];
    let council = Council { agents: names[..agents].into(), rounds, ..Council::of([]) };
    let mut council = council.selecting(if agents > 3 { 3 } else { 1 }, 3, rounds > 0);
    council.selection.test_writers = rounds % 3;
    let mut commands = vec![council.submit()];
    let mut events = decide(None, council.submit()).unwrap();
    let mut state = replay(&events).unwrap();
    let mut now = AT;
    let mut happenings = happenings.iter();
    while state.ended.is_none() {
        let outstanding: Vec<JobId> = state.outstanding().map(|(job, _)| job).collect();
        let happens = match happenings.next() {
            Some(Happening::Answer { which, how, twice }) => {
                let command = answer(&outstanding[which % outstanding.len()], *how, now);
                if *twice { vec![command.clone(), command] } else { vec![command] }
            }
            Some(Happening::Time { ms }) => {
                now = now.plus_ms(*ms);
                vec![Command::Expire { at: now }]
            }
            None => {
                now = state.next_deadline().unwrap().max(now);
                vec![Command::Expire { at: now }]
            }
        };
        for command in happens {
            let more = decide(Some(&state), command.clone()).unwrap();
            state = more.iter().fold(Some(state), evolve).unwrap();
            events.extend(more);
            commands.push(command);
        }
    }
    (commands, events, state)
}

/// What is known of a proposal.
#[derive(Debug, Clone)]
struct Known {
    checks: [(CheckOutcome, u32); 3],
    tests: u32,
    tests_passed: u32,
    findings: FindingCounts,
}

fn known() -> impl Strategy<Value = Known> {
    let check = || {
        prop_oneof![
            Just((CheckOutcome::Pass, 0)),
            Just((CheckOutcome::Skipped, 0)),
            Just((CheckOutcome::Error, 0)),
            (0u32..3).prop_map(|high| (CheckOutcome::Fail, high)),
        ]
    };
    let findings = (0u32..3, 0u32..3, 0u32..3, 0u32..3)
        .prop_map(|(high, medium, low, advice)| FindingCounts { high, medium, low, advice });
    (check(), check(), check(), 0u32..=4, findings).prop_map(
        |(policy, lint, dry_run, tests_passed, findings)| Known {
            checks: [policy, lint, dry_run],
            tests: 4,
            tests_passed,
            findings,
        },
    )
}

impl Known {
    fn summary(&self) -> CheckSummary {
        let kinds = [CheckKind::Policy, CheckKind::Lint, CheckKind::DryRun];
        let checks = kinds.into_iter().zip(self.checks).map(|(kind, (outcome, high))| {
            (kind, Tally { faults: high + 1, high: Some(high), ..Tally::of(outcome) })
        });
        let failed = self.tests - self.tests_passed;
        let outcome = if failed == 0 { CheckOutcome::Pass } else { CheckOutcome::Fail };
        let tests = Tally {
            faults: failed,
            high: Some(failed),
            tests: self.tests,
            tests_passed: self.tests_passed,
            ..Tally::of(outcome)
        };
        checks.chain([(CheckKind::Tests, tests)]).collect()
    }

    /// Puts one thing more against it.
    fn spoil(&mut self, how: usize) {
        match how {
            0..3 => {
                let (outcome, high) = self.checks[how];
                self.checks[how] =
                    (CheckOutcome::Fail, if outcome == CheckOutcome::Fail { high + 1 } else { 0 });
            }
            3 => self.tests_passed = self.tests_passed.saturating_sub(1),
            4 => self.findings.low += 1,
            _ => self.findings.high += 1,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_deliberation_ends_once_and_replays(
        agents in 1usize..=5, rounds in 0u32..=3, happenings in prop::collection::vec(happening(), 0..80)
    ) {
        let (_, events, state) = lived(agents, rounds, &happenings);
        let ends = events.iter().filter(|event| matches!(event, Event::Ended { .. })).count();
        prop_assert_eq!(ends, 1);
        prop_assert_eq!(events.last().map(Event::kind), Some("ended"));
        prop_assert_eq!(replay(&events), Some(state));
    }

    #[test]
    fn jobs_are_asked_for_once_and_only_awaited_ones_count(
        agents in 1usize..=5, rounds in 0u32..=3, happenings in prop::collection::vec(happening(), 0..80)
    ) {
        let (_, events, state) = lived(agents, rounds, &happenings);
        let id = state.id().clone();
        let jobs: Vec<JobId> = events.iter().flat_map(|event| jobs_after(&id, event)).collect();
        let mut distinct = jobs.clone();
        distinct.sort();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), jobs.len());
        // Whatever is asked for is awaited right after, with an assignment to do it by.
        let mut so_far = None;
        for event in &events {
            so_far = evolve(so_far, event);
            let known = so_far.as_ref().unwrap();
            for job in jobs_after(&id, event) {
                prop_assert!(known.assignment(&job).is_some(), "{} is asked for and not awaited", job);
            }
            for (job, _) in known.outstanding() {
                prop_assert!(jobs.contains(&job), "{} is awaited and was not asked for", job);
            }
        }
    }

    #[test]
    fn a_deliberation_never_goes_back_to_an_earlier_phase_and_scores_before_a_verdict(
        agents in 1usize..=5, rounds in 0u32..=3, happenings in prop::collection::vec(happening(), 0..120)
    ) {
        let (_, events, state) = lived(agents, rounds, &happenings);
        let mut phases = vec![];
        let mut so_far = None;
        for event in &events {
            so_far = evolve(so_far, event);
            phases.push(so_far.as_ref().unwrap().phase());
        }
        prop_assert!(phases.is_sorted(), "{:?}", phases);
        prop_assert_eq!(phases[0], Phase::Generating);
        prop_assert_eq!(phases.iter().filter(|phase| **phase == Phase::Complete).count(), 1);
        prop_assert!(state.status() != Status::Completed || phases.contains(&Phase::Scoring), "{:?}", phases);
    }

    #[test]
    fn one_decision_over_many_commands_is_the_same_as_many_decisions(
        agents in 1usize..=4, rounds in 0u32..=2, happenings in prop::collection::vec(happening(), 0..60)
    ) {
        let (commands, events, _) = lived(agents, rounds, &happenings);
        let mut decision = Decision::default();
        for command in commands {
            decision.take(command).unwrap();
        }
        prop_assert_eq!(decision.events, events);
    }

    #[test]
    fn a_verdict_ranks_every_proposal_by_its_rule(
        agents in 1usize..=5, rounds in 0u32..=3, happenings in prop::collection::vec(happening(), 20..120)
    ) {
        let (_, _, state) = lived(agents, rounds, &happenings);
        let Some(Ending::Completed(verdict)) = state.ended.as_ref().map(|ended| ended.ending.clone()) else {
            prop_assert_ne!(state.status(), Status::Completed);
            return Ok(());
        };
        prop_assert_eq!(verdict.ranking.len(), state.answered() as usize);
        for (place, ranked) in (1..).zip(&verdict.ranking) {
            prop_assert_eq!(ranked.rank, place);
            prop_assert!((0.0..=1.0).contains(&ranked.score));
        }
        for pair in verdict.ranking.windows(2) {
            prop_assert!(pair[0].standing >= pair[1].standing);
            prop_assert!(pair[0].score >= pair[1].score);
        }
        let passed = verdict.ranking.iter().any(|ranked| ranked.standing == Standing::Passed);
        prop_assert!(!passed || verdict.winner().unwrap().standing == Standing::Passed);
    }

    #[test]
    fn a_recorded_verdict_is_recomputed_from_what_came_before_it(
        agents in 1usize..=5, rounds in 0u32..=3, happenings in prop::collection::vec(happening(), 20..120)
    ) {
        let (_, events, state) = lived(agents, rounds, &happenings);
        let before = replay(events.iter().take_while(|event| !matches!(event, Event::Ended { .. }))).unwrap();
        if let Some(Ending::Completed(verdict)) = state.ended.as_ref().map(|ended| &ended.ending) {
            prop_assert_eq!(&before.verdict(), &**verdict);
            prop_assert_eq!(&state.verdict(), &**verdict, "its end does not change it");
        }
    }

    #[test]
    fn evidence_against_a_proposal_never_raises_its_rank(
        agents in 2usize..=5, outcomes in prop::collection::vec(0usize..3, 5), victim in 0usize..5
    ) {
        let victim = victim % agents;
        let names = ["a", "b", "c", "d", "e"];
        let rank = |spoilt: bool| {
            let council = Council { agents: names[..agents].into(), ..Council::of([]) };
            let mut commands = vec![];
            for (seat, name) in council.agents.iter().enumerate() {
                let outcome = [CheckOutcome::Pass, CheckOutcome::Skipped, CheckOutcome::Fail][outcomes[seat]];
                let outcome = if spoilt && seat == victim { CheckOutcome::Fail } else { outcome };
                commands.extend([council.text(name, 0), council.checked(name, 0, outcome, 1)]);
            }
            let state = replay(&common::history(&council, commands)).unwrap();
            let verdict = state.verdict();
            verdict.ranking.iter().find(|ranked| ranked.author.as_str() == names[victim]).unwrap().rank
        };
        prop_assert!(rank(true) >= rank(false));
    }

    #[test]
    fn more_against_a_proposal_never_raises_its_rank(
        proposals in prop::collection::vec(known(), 2..=5), victim in 0usize..5, how in 0usize..6
    ) {
        let victim = victim % proposals.len();
        let place = |proposals: &[Known]| {
            let names = ["a", "b", "c", "d", "e"];
            let council = Council { agents: names[..proposals.len()].into(), rounds: 1, ..Council::of([]) };
            let mut commands = vec![];
            for (name, known) in names.iter().zip(proposals) {
                let checks = known.summary();
                commands.extend([council.text(name, 0), council.checked_with(name, 0, checks, Sketch::default())]);
            }
            for (name, known) in names.iter().zip(proposals) {
                commands.push(council.reviewed_with(name, 1, 0.5, known.findings));
            }
            let verdict = replay(&common::history(&council, commands)).unwrap().verdict();
            let ranked = verdict.ranking.iter().find(|ranked| ranked.author.as_str() == names[victim]).unwrap();
            (ranked.rank, verdict.winner().is_some_and(|winner| winner.author.as_str() == names[victim]))
        };
        let mut spoilt = proposals.clone();
        spoilt[victim].spoil(how);
        let (before, after) = (place(&proposals), place(&spoilt));
        prop_assert!(after.0 >= before.0, "{before:?} {after:?}");
        prop_assert!(before.1 || !after.1, "it wins only since there is more against it");
    }

    #[test]
    fn the_order_in_which_answers_arrive_does_not_matter(
        proposals in prop::collection::vec(known(), 2..=5), keys in prop::collection::vec(any::<u32>(), 15)
    ) {
        let names = ["a", "b", "c", "d", "e"];
        let council = Council { agents: names[..proposals.len()].into(), rounds: 1, ..Council::of([]) };
        let verdict = |keys: &[u32]| {
            let mut order: Vec<usize> = (0..proposals.len()).collect();
            order.sort_by_key(|seat| keys[*seat]);
            let mut commands = vec![];
            for seat in &order {
                let checks = proposals[*seat].summary();
                let name = names[*seat];
                commands.extend([council.text(name, 0), council.checked_with(name, 0, checks, Sketch::default())]);
            }
            order.sort_by_key(|seat| keys[5 + *seat]);
            for seat in order {
                commands.push(council.reviewed_with(names[seat], 1, 0.5, proposals[seat].findings));
            }
            replay(&common::history(&council, commands)).unwrap().verdict()
        };
        prop_assert_eq!(verdict(&[0; 15]), verdict(&keys));
    }

    #[test]
    fn records_read_back_as_they_were_written(
        agents in 1usize..=3, rounds in 0u32..=2, happenings in prop::collection::vec(happening(), 0..60)
    ) {
        let (_, events, _) = lived(agents, rounds, &happenings);
        let record = Record::new(AT, fleet_deliberation::Digest::of(b"before"), events);
        let bytes = record.encode();
        let back = Record::decode(&bytes).unwrap();
        prop_assert_eq!(back.encode(), bytes);
        prop_assert_eq!(back, record);
    }

    #[test]
    fn no_bytes_make_a_record_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = <Record>::decode(&bytes);
    }

    #[test]
    fn a_job_id_reads_back_whatever_its_parts_are(
        deliberation in "[^\\s\\p{C}]{1,40}", subject in "[^\\s\\p{C}]{1,40}", round in any::<u32>()
    ) {
        let job = JobId {
            deliberation: fleet_deliberation::DeliberationId::new(&deliberation).unwrap(),
            round,
            kind: JobKind::Critique,
            subject: fleet_deliberation::AgentId::new(&subject).unwrap(),
        };
        let text = job.to_string();
        prop_assert_eq!(text.matches('/').count(), 3);
        prop_assert_eq!(text.parse::<JobId>().unwrap(), job);
    }
}
