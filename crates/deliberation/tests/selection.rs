//! How near ties are told apart: judged, chosen among, and never by more than the evidence allows.

#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "tests")]

mod common;

use common::{AT, Council, check, history};
use fleet_deliberation::{
    AgentId, CheckOutcome, Command, Ending, Event, FailureKind, JobId, JobKind, Preference, Sketch, Verdict,
    Work, replay,
};
use proptest::prelude::*;

use CheckOutcome::{Fail, Pass};
use Preference::{First, Neither, Second};

fn council() -> Council {
    Council::of(["a", "b", "c"])
}

/// All have proposed; the checks of all but the last have come out, as they did in `outcomes`.
fn but_one(council: &Council, outcomes: &[CheckOutcome]) -> (Vec<Event>, Command) {
    let mut commands: Vec<Command> = council.agents.iter().map(|agent| council.text(agent, 0)).collect();
    for (agent, outcome) in council.agents.iter().zip(outcomes) {
        commands.push(council.checked(agent, 0, *outcome, 1));
    }
    let last = commands.pop().unwrap();
    (history(council, commands), last)
}

/// The history of a council whose proposals all pass, and then `commands`.
fn tied(council: &Council, commands: impl IntoIterator<Item = Command>) -> Vec<Event> {
    let (mut events, last) = but_one(council, &vec![Pass; council.agents.len()]);
    for command in std::iter::once(last).chain(commands) {
        let state = replay(&events);
        events.extend(fleet_deliberation::decide(state.as_ref(), command).unwrap());
    }
    events
}

fn verdict(events: &[Event]) -> Verdict {
    match replay(events).unwrap().ended.unwrap().ending {
        Ending::Completed(verdict) => verdict.as_ref().clone(),
        other => panic!("{other:?}"),
    }
}

fn order(verdict: &Verdict) -> Vec<&str> {
    verdict.ranking.iter().map(|ranked| ranked.author.as_str()).collect()
}

fn judgements(events: &[Event]) -> Vec<JobId> {
    replay(events).unwrap().outstanding().map(|(job, _)| job).collect()
}

#[test]
fn near_ties_are_judged_in_both_orders_by_a_panel_and_nothing_else_is() {
    let council = council().selecting(1, 2, false);
    let (events, last) = but_one(&council, &[Pass, Pass, Fail]);
    let opened = check(&events, last, &["checked", "judging_opened"]);
    let Event::JudgingOpened { comparisons, .. } = &opened[1] else { panic!("{opened:?}") };
    let seen: Vec<(&str, &str)> = comparisons.iter().map(|c| (c.first.as_str(), c.second.as_str())).collect();
    assert_eq!(seen, [("a", "b"), ("b", "a")]);
    assert!(
        comparisons.iter().all(|c| c.judges == [AgentId::new("c").unwrap()]),
        "not an author of the pair"
    );
}

#[test]
fn what_evidence_tells_apart_is_not_judged() {
    let council = council().selecting(3, 3, true);
    let (events, last) = but_one(&council, &[Pass, Fail, Fail]);
    check(&events, last, &["checked", "ended"]);
    let (events, last) = but_one(&council, &[Fail, Fail, Fail]);
    let ended = check(&events, last, &["checked", "ended"]);
    assert!(
        matches!(&ended[1], Event::Ended { ending: Ending::Completed(verdict), .. } if verdict.winner().is_none())
    );
}

#[test]
fn a_panel_is_odd_and_prefers_families_and_those_who_did_not_write_the_pair() {
    let mut events = vec![];
    let council = Council::of(["a", "b", "c", "d"]).selecting(9, 2, false);
    let mut submission = council.submission();
    for (member, model) in
        submission.members.iter_mut().zip(["Qwen/Qwen3-4B", "Qwen2.5-7B", "qwen-x", "mistral"])
    {
        member.profile.model = model.into();
    }
    let submit = Command::Submit { submission: Box::new(submission), at: AT };
    events.extend(fleet_deliberation::decide(None, submit).unwrap());
    for agent in ["a", "b", "c", "d"] {
        for command in [council.text(agent, 0), council.checked(agent, 0, Pass, 0)] {
            events.extend(fleet_deliberation::decide(replay(&events).as_ref(), command).unwrap());
        }
    }
    let Some(Event::JudgingOpened { comparisons, .. }) = events.last() else { panic!("{events:?}") };
    let judges: Vec<&str> = comparisons[0].judges.iter().map(AgentId::as_str).collect();
    assert_eq!(judges, ["c", "d", "a"], "of four agents three; an author last, and each family first once");
}

#[test]
fn a_panel_of_one_mind_decides_and_its_strength_is_told() {
    let council = Council::of(["a", "b", "c", "d", "e"]).selecting(3, 2, true);
    let judges = ["c", "d", "e"];
    let votes =
        judges.iter().flat_map(|judge| [council.judged(judge, 0, Second), council.judged(judge, 1, First)]);
    let verdict = verdict(&tied(&council, votes));
    assert_eq!(order(&verdict), ["b", "a", "c", "d", "e"]);
    let tiebreak = verdict.tiebreak.as_ref().unwrap();
    assert_eq!(tiebreak.strengths[0].author.as_str(), "b");
    assert_eq!((tiebreak.strengths[0].wins, tiebreak.strengths[0].losses), (3, 0));
    assert_eq!(tiebreak.architect, None, "nobody is asked to choose what is settled");
    assert!(
        verdict.why.contains("of 2 near ties judges prefer it: 0.88 ± 0.17 against 0.12 of a"),
        "{}",
        verdict.why
    );
}

#[test]
fn a_judge_who_prefers_a_place_counts_as_a_tie_and_the_evidence_s_order_stays() {
    let council = Council::of(["a", "b", "c", "d", "e"]).selecting(3, 2, false);
    let votes = ["c", "d", "e"]
        .iter()
        .flat_map(|judge| [council.judged(judge, 0, First), council.judged(judge, 1, First)]);
    let verdict = verdict(&tied(&council, votes));
    assert_eq!(order(&verdict)[..2], ["a", "b"]);
    let votes = verdict.tiebreak.as_ref().unwrap().votes.unwrap();
    assert_eq!((votes.asked, votes.failed, votes.seen, votes.inconsistent), (6, 0, 3, 3));
}

#[test]
fn an_architect_chooses_among_what_judges_leave_and_both_orders_are_kept() {
    let council = council().selecting(1, 2, true);
    let split = [council.judged("c", 0, Neither), council.judged("c", 1, Neither)];
    let events = tied(&council, split);
    let jobs = judgements(&events);
    assert_eq!(jobs.iter().map(ToString::to_string).collect::<Vec<_>>(), ["t/0/select/s"]);
    let state = replay(&events).unwrap();
    let assignment = state.assignment(&jobs[0]).unwrap();
    assert_eq!(state.member(&assignment).unwrap().agent.as_str(), "s");
    let Work::Select { candidates } = assignment.work else { panic!("{assignment:?}") };
    assert_eq!(candidates.len(), 2);
    let ended = check(&events, council.chosen("b", &["b/lint"]), &["selected", "ended"]);
    let Event::Ended { ending: Ending::Completed(verdict), .. } = &ended[1] else { panic!("{ended:?}") };
    assert_eq!(order(verdict), ["b", "a", "c"]);
    let computed: Vec<&str> =
        verdict.tiebreak.as_ref().unwrap().computed.iter().map(AgentId::as_str).collect();
    assert_eq!(computed, ["a", "b"]);
    assert_eq!(
        verdict.why,
        "it passed its checks; s chose it among 2 near ties, citing b/lint; the computed order had a first"
    );
}

#[test]
fn without_judges_an_architect_chooses_at_once() {
    let council = council().selecting(0, 3, true);
    let (events, last) = but_one(&council, &[Pass, Pass, Pass]);
    check(&events, last, &["checked", "selection_requested"]);
}

#[test]
fn a_choice_that_fails_or_does_not_fit_leaves_the_computed_order_and_says_so() {
    let council = council().selecting(0, 2, true);
    let events = tied(&council, []);
    let refused = "the choice is none of the candidates, or cites nothing";
    for (command, why) in [
        (council.failed("s", 0, JobKind::Select), "500"),
        (council.chosen("c", &["c/lint"]), refused),
        (council.chosen("b", &[]), refused),
    ] {
        let ended = check(&events, command, &["selection_failed", "ended"]);
        let Event::Ended { ending: Ending::Completed(verdict), .. } = &ended[1] else { panic!("{ended:?}") };
        assert_eq!(order(verdict)[0], "a");
        assert!(
            verdict.why.ends_with(&format!("the architect was to choose and gave no choice: {why}")),
            "{}",
            verdict.why
        );
    }
}

#[test]
fn judges_and_architects_who_stay_silent_delay_and_do_not_decide() {
    let council = council().selecting(1, 2, true);
    let events = tied(&council, []);
    let until = replay(&events).unwrap().next_deadline().unwrap();
    let more = check(
        &events,
        Command::Expire { at: until },
        &["judgement_failed", "judgement_failed", "selection_requested"],
    );
    let Event::JudgementFailed { failure, .. } = &more[0] else { panic!("{more:?}") };
    assert_eq!(failure.kind, FailureKind::Deadline);
    let events = [events, more].concat();
    let until = replay(&events).unwrap().next_deadline().unwrap();
    check(&events, Command::Expire { at: until }, &["selection_failed", "ended"]);
}

#[test]
fn a_late_or_a_second_judgement_changes_nothing() {
    let council = council().selecting(1, 2, false);
    let events = tied(&council, [council.judged("c", 0, First)]);
    check(&events, council.judged("c", 0, Second), &[]);
    check(&events, council.judged("b", 1, Second), &[]);
    check(&events, council.judged("c", 7, Second), &[]);
    check(&events, council.chosen("a", &["a/lint"]), &[]);
}

#[test]
fn judgements_whose_time_was_over_while_nobody_worked_get_new_time() {
    let council = council().selecting(1, 2, false);
    let events = tied(&council, []);
    let at = replay(&events).unwrap().next_deadline().unwrap();
    let renewed = check(&events, Command::Renew { at }, &["renewed", "renewed"]);
    let state = replay(&[events, renewed].concat()).unwrap();
    assert!(state.outstanding().count() == 2 && state.next_deadline().unwrap() > at);
}

#[test]
fn what_is_nearly_the_same_is_not_compared_with_itself() {
    let council = council().selecting(1, 3, false);
    let same = || Sketch::of(1..100).of_whole(1);
    let summary = || match common::report(Pass, 0) {
        fleet_deliberation::Report::Checks { summary, .. } => summary,
        other => panic!("{other:?}"),
    };
    let mut commands: Vec<Command> = council.agents.iter().map(|agent| council.text(agent, 0)).collect();
    commands.extend(["a", "b"].map(|agent| council.checked_with(agent, 0, summary(), same())));
    commands.push(council.checked_with("c", 0, summary(), Sketch::of(1000..1100)));
    let events = history(&council, commands);
    let Some(Event::JudgingOpened { comparisons, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!((comparisons.len(), comparisons[0].second.as_str()), (2, "c"));
}

/// A council of which `a` and `c` propose the same, as near ties with `b`; peers prefer `a`, then `b`, and find so much
/// in what `c` proposed.
fn with_a_copy(council: &Council, findings: u32) -> Vec<Event> {
    let summary = || match common::report(Pass, 0) {
        fleet_deliberation::Report::Checks { summary, .. } => summary,
        other => panic!("{other:?}"),
    };
    let sketches = [("a", 1..100), ("b", 1000..1100), ("c", 1..100)];
    let mut commands: Vec<Command> = council.agents.iter().map(|agent| council.text(agent, 0)).collect();
    commands.extend(sketches.map(|(agent, of)| {
        let sketch = Sketch::of(of.clone()).of_whole(of.start.into());
        council.checked_with(agent, 0, summary(), sketch)
    }));
    let scores = [("a", 0.9, 0), ("b", 0.6, 0), ("c", 0.3, findings)];
    commands.extend(scores.map(|(agent, score, findings)| council.reviewed(agent, 1, score, findings)));
    history(council, commands)
}

fn judged(council: &Council, preferences: [Preference; 2]) -> Verdict {
    let mut events = with_a_copy(council, 0);
    for (comparison, preference) in (0..).zip(preferences) {
        let state = replay(&events).unwrap();
        let judges: Vec<AgentId> = state.judging.unwrap().comparisons[comparison as usize].judges.clone();
        for judge in judges {
            let command = council.judged(judge.as_str(), comparison, preference);
            events.extend(fleet_deliberation::decide(replay(&events).as_ref(), command).unwrap());
        }
    }
    verdict(&events)
}

#[test]
fn a_copy_stands_right_behind_its_twin_whichever_of_the_near_ties_judges_prefer() {
    let council = council().rounds(1).selecting(1, 2, false);
    assert_eq!(order(&judged(&council, [First, Second])), ["a", "c", "b"]);
    let verdict = judged(&council, [Second, First]);
    assert_eq!(order(&verdict), ["b", "a", "c"]);
    assert_eq!(verdict.ranking[2].like.as_ref().map(AgentId::as_str), Some("a"));
}

#[test]
fn a_copy_stands_right_behind_the_one_that_an_architect_chose_and_in_its_place_where_nobody_did() {
    let council = council().rounds(1).selecting(0, 2, true);
    let ended = |command| {
        let mut events = with_a_copy(&council, 0);
        events.extend(fleet_deliberation::decide(replay(&events).as_ref(), command).unwrap());
        verdict(&events)
    };
    assert_eq!(order(&ended(council.chosen("a", &["a/lint"]))), ["a", "c", "b"]);
    assert_eq!(
        order(&ended(council.failed("s", 0, JobKind::Select))),
        ["a", "b", "c"],
        "as the evidence has it"
    );
}

#[test]
fn where_nothing_told_near_ties_apart_all_stay_in_the_order_of_the_evidence() {
    let council = Council::of(["a", "b", "c", "d"]).rounds(1).selecting(1, 2, false);
    let summary = || match common::report(Pass, 0) {
        fleet_deliberation::Report::Checks { summary, .. } => summary,
        other => panic!("{other:?}"),
    };
    let mut commands: Vec<Command> = council.agents.iter().map(|agent| council.text(agent, 0)).collect();
    // The last is the second over again.
    let sketches = [("a", 0), ("b", 1_000), ("c", 2_000), ("d", 1_000)];
    commands.extend(sketches.map(|(agent, from)| {
        let sketch = Sketch::of(from..from + 100).of_whole(from.into());
        council.checked_with(agent, 0, summary(), sketch)
    }));
    let scores = [("a", 0.9), ("b", 0.8), ("c", 0.7), ("d", 0.6)];
    commands.extend(scores.map(|(agent, score)| council.reviewed(agent, 1, score, 0)));
    let mut events = history(&council, commands);
    let judging = replay(&events).unwrap().judging.unwrap();
    for (n, comparison) in (0..).zip(&judging.comparisons) {
        for judge in &comparison.judges {
            let failed = council.failed(judge.as_str(), n, JobKind::Judge);
            events.extend(fleet_deliberation::decide(replay(&events).as_ref(), failed).unwrap());
        }
    }
    let verdict = verdict(&events);
    assert_eq!(order(&verdict), ["a", "b", "c", "d"]);
    assert!(!verdict.tiebreak.unwrap().told_apart());
}

#[test]
fn a_copy_that_peers_found_more_against_stays_behind() {
    let council = council().rounds(1).selecting(0, 2, true);
    let mut events = with_a_copy(&council, 2);
    for command in [council.failed("c", 1, JobKind::Revise), council.chosen("a", &["a/lint"])] {
        events.extend(fleet_deliberation::decide(replay(&events).as_ref(), command).unwrap());
    }
    assert_eq!(order(&verdict(&events)), ["a", "b", "c"]);
}

#[test]
fn agents_write_tests_where_the_task_brings_none_and_nobody_is_tried_by_its_own() {
    let council = council().testing(2);
    let (events, last) = but_one(&council, &[Pass, Pass, Pass]);
    let asked = check(&events, last, &["checked", "tests_requested"]);
    let events = [events, asked].concat();
    let written = check(&events, council.wrote_tests("a"), &["tests_written"]);
    let events = [events, written].concat();
    let begun = check(&events, council.wrote_tests("b"), &["tests_written", "trials_requested"]);
    let state = replay(&[events, begun].concat()).unwrap();
    let writers = |author: &str| {
        let work = state.assignment(&council.job(author, 0, JobKind::Trial)).unwrap().work;
        let Work::Trial { tests, .. } = work else { panic!("{work:?}") };
        tests.into_iter().map(|(writer, _)| writer.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(writers("a"), ["b"]);
    assert_eq!(writers("c"), ["a", "b"]);
}

/// How a check came out, and whether code was run for it.
fn dry_run(outcome: CheckOutcome, ran: bool) -> fleet_deliberation::CheckSummary {
    use fleet_deliberation::{CheckKind, Tally};
    [(CheckKind::Lint, Tally::of(Pass)), (CheckKind::DryRun, Tally { ran, ..Tally::of(outcome) })]
        .into_iter()
        .collect()
}

#[test]
fn nobody_is_asked_for_tests_where_no_code_was_run_and_the_log_says_so() {
    let council = council().testing(2);
    let after = |runs: [(CheckOutcome, bool); 3]| {
        let texts = council.agents.iter().map(|agent| council.text(agent, 0));
        let checks = council.agents.iter().zip(runs).map(|(agent, (outcome, ran))| {
            council.checked_with(agent, 0, dry_run(outcome, ran), Sketch::default())
        });
        let events = history(&council, texts.chain(checks));
        let kinds = events.iter().map(Event::kind).filter(|kind| kind.starts_with("tests"));
        kinds.map(str::to_owned).collect::<Vec<_>>()
    };
    use CheckOutcome::{Error, Skipped};
    assert_eq!(after([(Skipped, false); 3]), ["tests_skipped"]);
    assert_eq!(
        after([(Skipped, false), (Skipped, true), (Skipped, false)]),
        ["tests_requested"],
        "an excerpt ran"
    );
    assert_eq!(
        after([(Skipped, false), (Error, false), (Skipped, false)]),
        ["tests_requested"],
        "it might run"
    );
    assert_eq!(after([(Pass, true); 3]), ["tests_requested"]);
    assert_eq!(after([(Pass, false); 3]), ["tests_skipped"], "manifests alone");
}

#[test]
fn what_passes_the_tests_by_others_wins_and_a_larger_group_wins_over_a_smaller_one() {
    let council = Council::of(["a", "b", "c"]).testing(1);
    let tests = |first, second| [("c/first", first), ("c/second", second)];
    let tried = |a: [bool; 2], b: [bool; 2], c: [bool; 2]| {
        verdict(&tied(
            &council,
            [
                council.wrote_tests("a"),
                council.tried("a", &tests(a[0], a[1])),
                council.tried("b", &tests(b[0], b[1])),
                council.tried("c", &tests(c[0], c[1])),
            ],
        ))
    };
    let verdict = tried([false, false], [true, true], [true, false]);
    assert_eq!(order(&verdict), ["b", "c", "a"]);
    assert!(verdict.why.contains("2 of 2 tests by others passed, as no other"), "{}", verdict.why);
    // Half of the tests each: the two that agree come first.
    let verdict = tried([true, false], [false, true], [false, true]);
    assert_eq!(order(&verdict), ["b", "c", "a"]);
    assert!(
        verdict.ranking[0].basis.contains("1 of 2 tests by others passed, as 1 other does"),
        "{verdict:?}"
    );
}

#[test]
fn tests_that_do_not_come_or_do_not_run_leave_the_order_as_it_was() {
    let council = council().testing(2);
    let none = [council.failed("a", 0, JobKind::Test), council.failed("b", 0, JobKind::Test)];
    assert_eq!(order(&verdict(&tied(&council, none))), ["a", "b", "c"]);
    let not_run = ["a", "b", "c"].map(|author| council.failed(author, 0, JobKind::Trial));
    let commands = [council.wrote_tests("a"), council.wrote_tests("b")].into_iter().chain(not_run);
    let verdict = verdict(&tied(&council, commands));
    assert_eq!(order(&verdict), ["a", "b", "c"]);
    assert!(verdict.ranking.iter().all(|ranked| !ranked.basis.contains("tests")), "{verdict:?}");
}

#[test]
fn a_task_that_brings_tests_asks_for_none() {
    let mut council = council().testing(2);
    council.task.metadata.insert("tests".into(), "assert 1".into());
    let (events, last) = but_one(&council, &[Pass, Pass, Pass]);
    check(&events, last, &["checked", "ended"]);
}

proptest! {
    #[test]
    fn more_against_a_proposal_never_makes_it_a_near_tie(
        weights in prop::collection::vec(0u32..4, 2..=5), victim in 0usize..5, more in 1u32..3
    ) {
        let victim = victim % weights.len();
        let names = ["a", "b", "c", "d", "e"];
        let near = |weights: &[u32]| {
            let council = Council { agents: names[..weights.len()].into(), rounds: 1, ..Council::of([]) };
            let council = council.selecting(0, 3, true);
            let mut commands: Vec<Command> = vec![];
            for name in &council.agents {
                commands.extend([council.text(name, 0), council.checked(name, 0, Pass, 0)]);
            }
            for (name, weight) in council.agents.iter().zip(weights) {
                let findings = fleet_deliberation::FindingCounts { low: *weight, ..Default::default() };
                commands.push(council.reviewed_with(name, 1, 0.5, findings));
            }
            // Those who were asked for a revision give none.
            let mut events = history(&council, commands);
            for name in &council.agents {
                let failed = council.failed(name, 1, JobKind::Revise);
                events.extend(fleet_deliberation::decide(replay(&events).as_ref(), failed).unwrap());
            }
            let state = replay(&events).unwrap();
            let candidates = state.choosing.map_or(vec![], |choosing| choosing.candidates);
            candidates.iter().any(|author| author.as_str() == names[victim])
        };
        let mut spoilt = weights.clone();
        spoilt[victim] += more;
        let least = *weights.iter().min().unwrap();
        // The first one is a near tie of itself, and may lose or find others by what is held against it.
        prop_assert!(!near(&spoilt) || near(&weights) || weights[victim] == least);
    }
}
