//! Each rule as a history, a command, and the events it leads to.

mod common;

use common::{AT, Council, check, ending, history, verdict};
use fleet_deliberation::{
    CheckOutcome::{Fail, Pass, Skipped},
    Command, Ending, Event, FailureKind, FindingCounts, JobKind, Rejection, Status, Task, Timestamp, decide,
    evolve, jobs_after,
};

#[test]
fn a_submission_opens_and_asks_every_agent_for_a_proposal() {
    let council = Council::of(["a", "b"]).rounds(1);
    let events = decide(None, council.submit()).unwrap();
    check(&[], council.submit(), &["opened"]);
    let jobs: Vec<String> = jobs_after(&council.id(), &events[0]).iter().map(ToString::to_string).collect();
    assert_eq!(jobs, ["t/0/propose/a", "t/0/propose/b"]);
}

#[test]
fn the_same_submission_twice_is_one() {
    let council = Council::of(["a"]);
    check(&history(&council, []), council.submit(), &[]);
}

#[test]
fn other_content_under_the_same_id_is_refused() {
    let council = Council::of(["a"]);
    let known = history(&council, []);
    let other = Council { fingerprint: "other", ..Council::of(["a"]) };
    let state = fleet_deliberation::replay(&known);
    assert_eq!(decide(state.as_ref(), other.submit()), Err(Rejection::OtherContent(council.id())));
}

#[test]
fn a_bound_is_named_in_the_refusal() {
    type Spoil = fn(&mut Council);
    let cases: [(&str, Spoil); 7] = [
        ("task_description", |c| c.task.description = " \n".into()),
        ("task_description", |c| c.task.description = "x".repeat(300_000)),
        ("constraints.rubric", |c| c.task.rubric = "x".repeat(70_000)),
        ("constraints.requirements", |c| c.task.requirements = vec!["r".into(); 201]),
        ("rounds", |c| c.rounds = 11),
        ("constraints.timeout_seconds", |c| c.timeout_ms = 0),
        ("num_agents", |c| c.agents.clear()),
    ];
    for (name, spoil) in cases {
        let mut council = Council::of(["a"]);
        spoil(&mut council);
        match decide(None, council.submit()) {
            Err(Rejection::Malformed { field, reason }) => {
                assert_eq!(field, name);
                assert!(
                    reason.contains(|c: char| c.is_ascii_digit()) || reason.contains("is empty"),
                    "{reason}"
                );
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_proposal_is_checked_as_soon_as_it_is_there() {
    let council = Council::of(["a", "b"]);
    check(&history(&council, []), council.text("a", 0), &["proposed"]);
    let events =
        decide(fleet_deliberation::replay(&history(&council, [])).as_ref(), council.text("a", 0)).unwrap();
    assert_eq!(jobs_after(&council.id(), &events[0])[0].to_string(), "t/0/check/a");
}

#[test]
fn the_ring_forms_when_no_proposal_is_awaited_any_more() {
    let council = Council::of(["a", "b"]).rounds(1);
    let so_far = history(&council, [council.text("a", 0), council.checked("a", 0, Pass, 0)]);
    check(&so_far, council.text("b", 0), &["proposed", "ring_formed", "review_requested"]);
}

#[test]
fn each_agent_reviews_the_next_ones_proposal() {
    let council = Council::of(["a", "b", "c"]).rounds(1);
    let mut commands = vec![];
    for agent in ["a", "b", "c"] {
        commands.push(council.text(agent, 0));
        commands.push(council.checked(agent, 0, Pass, 0));
    }
    let events = history(&council, commands);
    let pairs: Vec<(String, String)> = events
        .iter()
        .filter_map(|event| match event {
            Event::ReviewRequested { author, reviewer, .. } => {
                Some((reviewer.to_string(), author.to_string()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(pairs, [("c", "a"), ("a", "b"), ("b", "c")].map(|(r, a)| (r.to_owned(), a.to_owned())));
}

#[test]
fn an_agent_without_a_proposal_is_passed_by_in_the_ring() {
    let council = Council::of(["a", "b", "c"]).rounds(1);
    let events = history(
        &council,
        [
            council.text("a", 0),
            council.failed("b", 0, JobKind::Propose),
            council.text("c", 0),
            council.checked("c", 0, Pass, 0),
        ],
    );
    let reviewer = events.iter().find_map(|event| match event {
        Event::ReviewRequested { reviewer, .. } => Some(reviewer.to_string()),
        _ => None,
    });
    assert_eq!(reviewer.as_deref(), Some("a"));
}

#[test]
fn no_findings_and_no_failed_check_leave_nothing_to_revise() {
    let council = reviewed_council();
    let so_far = history(&council, both_proposed(&council));
    check(&so_far, council.reviewed("a", 1, 0.9, 0), &["reviewed", "nothing_to_revise"]);
}

#[test]
fn findings_ask_for_a_revision() {
    let council = reviewed_council();
    let so_far = history(&council, both_proposed(&council));
    check(&so_far, council.reviewed("a", 1, 0.9, 2), &["reviewed", "revision_requested"]);
}

#[test]
fn findings_without_evidence_are_advice_and_ask_for_nothing() {
    let council = reviewed_council();
    let so_far = history(&council, both_proposed(&council));
    let advice = FindingCounts { advice: 3, ..FindingCounts::default() };
    let command = council.reviewed_with("a", 1, 0.4, advice);
    check(&so_far, command, &["reviewed", "nothing_to_revise"]);
}

/// The verdict over proposals whose checks came out like this, without reviews.

#[test]
fn a_revision_that_fails_does_not_replace_what_could_not_be_checked() {
    let council = reviewed_council();
    let mut commands = both_proposed(&council);
    commands[1] = council.failed("a", 0, JobKind::Check);
    commands.extend([council.reviewed("a", 1, 0.5, 1), council.text("a", 1)]);
    let so_far = history(&council, commands);
    check(&so_far, council.checked("a", 1, Fail, 3), &["checked", "revision_refused"]);
    check(&so_far, council.checked("a", 1, Skipped, 0), &["checked", "revision_accepted"]);
}

#[test]
fn a_failed_review_leaves_the_check_as_feedback() {
    let council = reviewed_council();
    let mut commands = both_proposed(&council);
    commands[1] = council.checked("a", 0, Fail, 1);
    let so_far = history(&council, commands);
    let command = council.failed("a", 1, JobKind::Critique);
    check(&so_far, command, &["review_failed", "revision_requested"]);
}

#[test]
fn a_revision_with_checks_that_are_not_worse_replaces_the_proposal() {
    for (old, new, event) in [
        ((Pass, 0), (Pass, 0), "revision_accepted"),
        ((Pass, 0), (Fail, 1), "revision_refused"),
        ((Pass, 0), (Skipped, 0), "revision_refused"),
        ((Fail, 3), (Fail, 2), "revision_accepted"),
        ((Fail, 2), (Fail, 3), "revision_refused"),
        ((Fail, 2), (Skipped, 0), "revision_accepted"),
        ((Skipped, 0), (Fail, 1), "revision_refused"),
    ] {
        let council = reviewed_council();
        let mut commands = both_proposed(&council);
        commands[1] = council.checked("a", 0, old.0, old.1);
        commands.extend([council.reviewed("a", 1, 0.5, 1), council.text("a", 1)]);
        let so_far = history(&council, commands);
        check(&so_far, council.checked("a", 1, new.0, new.1), &["checked", event]);
    }
}

#[test]
fn a_score_names_the_version_it_judged() {
    let council = Council::of(["a", "b"]).rounds(2);
    let mut commands = both_proposed(&council);
    commands.extend([
        council.reviewed("a", 1, 0.5, 1),
        council.text("a", 1),
        council.checked("a", 1, Pass, 0),
        council.reviewed("a", 2, 0.8, 0),
        council.reviewed("b", 1, 0.7, 0),
        council.reviewed("b", 2, 0.7, 0),
    ]);
    let events = history(&council, commands);
    let verdict = verdict(&events);
    let a = &verdict.ranking[0];
    assert_eq!((a.author.as_str(), a.version), ("a", 1));
    let peers = a.peers.unwrap();
    assert_eq!((peers.version, peers.scores, peers.mean), (1, 1, 0.8));
    assert_eq!(a.basis, "checks passed (v1) + 1 peer score (v1)");
}

#[test]
fn a_silent_peer_neither_rewards_nor_punishes() {
    let council = Council::of(["a", "b", "c"]).rounds(1);
    let mut commands = vec![];
    for agent in ["a", "b", "c"] {
        commands.extend([council.text(agent, 0), council.checked(agent, 0, Pass, 0)]);
    }
    commands.extend([
        council.reviewed("a", 1, 0.9, 0),
        council.failed("b", 1, JobKind::Critique),
        council.reviewed("c", 1, 0.3, 0),
    ]);
    let events = history(&council, commands);
    let verdict = verdict(&events);
    let order: Vec<&str> = verdict.ranking.iter().map(|ranked| ranked.author.as_str()).collect();
    assert_eq!(order, ["a", "b", "c"]);
}

#[test]
fn fewer_than_the_quorum_end_it_as_soon_as_that_is_known() {
    let council = Council { quorum: 2, ..Council::of(["a", "b", "c"]) };
    let so_far = history(&council, [council.failed("a", 0, JobKind::Propose)]);
    let command = council.failed("b", 0, JobKind::Propose);
    let events = check(&so_far, command, &["author_failed", "ended"]);
    assert!(matches!(ending(&events), Ending::NoQuorum { answered: 0, quorum: 2 }));
}

#[test]
fn one_silent_agent_delays_and_does_not_decide() {
    let council = Council::of(["a", "b"]).rounds(1);
    let so_far = history(&council, [council.text("a", 0), council.checked("a", 0, Pass, 0)]);
    let window = fleet_deliberation::replay(&so_far).unwrap().next_deadline().unwrap();
    let state = fleet_deliberation::replay(&so_far);
    assert_eq!(decide(state.as_ref(), Command::Expire { at: Timestamp(window.0 - 1) }), Ok(vec![]));
    let expected = ["author_failed", "ring_formed", "nothing_to_revise", "ended"];
    let events = check(&so_far, Command::Expire { at: window }, &expected);
    assert!(
        matches!(&events[0], Event::AuthorFailed { failure, .. } if failure.kind == FailureKind::Deadline)
    );
    assert!(matches!(ending(&events), Ending::Completed(_)));
}

#[test]
fn time_that_passed_while_nobody_worked_is_given_anew() {
    let council = Council::of(["a", "b"]).rounds(1);
    let so_far = history(&council, [council.text("a", 0), council.checked("a", 0, Pass, 0)]);
    let state = fleet_deliberation::replay(&so_far);
    let window = state.as_ref().unwrap().next_deadline().unwrap();
    let renew = |at| Command::Renew { at };
    assert_eq!(decide(state.as_ref(), renew(Timestamp(window.0 - 1))), Ok(vec![]));
    let events = check(&so_far, renew(window.plus_ms(10)), &["renewed"]);
    assert_eq!(jobs_after(&council.id(), &events[0])[0].to_string(), "t/0/propose/b");
    let known = [so_far, events].concat();
    let next = fleet_deliberation::replay(&known).unwrap().next_deadline().unwrap();
    assert!(next > window.plus_ms(10) && next < AT.plus_ms(council.timeout_ms));
    let too_late = AT.plus_ms(council.timeout_ms);
    let events = check(&known, renew(too_late), &["ended"]);
    assert_eq!(*ending(&events), Ending::TimedOut);
}

#[test]
fn tokens_spent_on_a_failure_count() {
    let council = reviewed_council();
    let mut commands = both_proposed(&council);
    commands.push(Command::Take {
        job: council.job("a", 1, JobKind::Critique),
        report: fleet_deliberation::Report::Failed(fleet_deliberation::Failure {
            usage: fleet_deliberation::Usage { prompt_tokens: 7, completion_tokens: 5, estimated: false },
            ..fleet_deliberation::Failure::new(FailureKind::Unreadable, "no score", 1)
        }),
        effort: common::ONCE,
        at: AT,
    });
    let usage = fleet_deliberation::replay(&history(&council, commands)).unwrap().usage;
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (27, 45));
}

#[test]
fn when_its_time_is_up_it_ends_as_timeout() {
    let council = Council::of(["a"]);
    let so_far = history(&council, []);
    let at = AT.plus_ms(council.timeout_ms);
    let events = check(&so_far, Command::Expire { at }, &["ended"]);
    assert_eq!(*ending(&events), Ending::TimedOut);
}

#[test]
fn all_windows_end_before_the_deadline() {
    let council = Council::of(["a", "b"]).rounds(3);
    let mut known = history(&council, []);
    let mut rounds = 0;
    while let Some(at) = fleet_deliberation::replay(&known).unwrap().next_deadline() {
        assert!(at < AT.plus_ms(council.timeout_ms), "nothing is left to write the verdict");
        let state = fleet_deliberation::replay(&known);
        let command = match fleet_deliberation::replay(&known).unwrap().outstanding().next().unwrap().0 {
            job if job.round == 0 => Command::Take { job, report: common::text(), effort: common::ONCE, at },
            _ => Command::Expire { at },
        };
        let command = match command {
            Command::Take { job, at, .. } if job.kind == JobKind::Check => {
                Command::Take { job, report: common::report(Pass, 0), effort: common::ONCE, at }
            }
            other => other,
        };
        known.extend(decide(state.as_ref(), command).unwrap());
        rounds += 1;
        assert!(rounds < 100);
    }
    assert_eq!(fleet_deliberation::replay(&known).unwrap().status(), Status::Completed);
}

#[test]
fn cancelled_is_cancelled_once() {
    let council = Council::of(["a"]);
    let so_far = history(&council, []);
    let cancel = || Command::Cancel { reason: "enough".into(), at: AT };
    let events = check(&so_far, cancel(), &["ended"]);
    let known = [so_far, events].concat();
    assert_eq!(fleet_deliberation::replay(&known).unwrap().status(), Status::Failed);
    check(&known, cancel(), &[]);
    check(&known, council.text("a", 0), &[]);
}

#[test]
fn an_answer_that_comes_twice_or_too_late_changes_nothing() {
    let council = Council::of(["a", "b"]);
    let so_far = history(&council, [council.text("a", 0)]);
    check(&so_far, council.text("a", 0), &[]);
    check(&so_far, council.text("nobody", 0), &[]);
    check(&so_far, council.text("b", 3), &[]);
}

#[test]
fn a_score_out_of_bounds_is_no_review() {
    for score in [f64::NAN, f64::INFINITY, -0.1, 1.1] {
        let council = reviewed_council();
        let so_far = history(&council, both_proposed(&council));
        let command = council.reviewed("a", 1, score, 1);
        check(&so_far, command, &["review_failed", "nothing_to_revise"]);
    }
}

#[test]
fn one_agent_alone_revises_what_its_check_shows() {
    let council = Council::of(["a"]).rounds(1);
    let so_far = history(&council, [council.text("a", 0)]);
    let expected = ["checked", "revision_requested"];
    check(&so_far, council.checked("a", 0, Fail, 1), &expected);
    check(&so_far, council.checked("a", 0, Pass, 0), &["checked", "nothing_to_revise", "ended"]);
}

#[test]
fn the_history_alone_gives_the_state() {
    let council = reviewed_council();
    let events = history(&council, both_proposed(&council));
    let folded = events.iter().fold(None, evolve);
    assert_eq!(folded, fleet_deliberation::replay(&events));
}

fn reviewed_council() -> Council {
    Council::of(["a", "b"]).rounds(1)
}

fn both_proposed(council: &Council) -> Vec<Command> {
    vec![
        council.text("a", 0),
        council.checked("a", 0, Pass, 0),
        council.text("b", 0),
        council.checked("b", 0, Pass, 0),
    ]
}

#[test]
fn the_task_may_say_more_than_its_description() {
    let task = Task { rubric: "r".into(), requirements: vec!["q".into()], ..Council::of(["a"]).task };
    check(&[], Council { task, ..Council::of(["a"]) }.submit(), &["opened"]);
}
