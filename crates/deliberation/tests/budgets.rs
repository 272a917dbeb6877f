//! What a deliberation may cost: what is left out for it, in which order, and that it is never exceeded.

#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "tests")]

mod common;

use common::{AT, Council, ONCE, check, history};
use fleet_deliberation::{
    Budget, CheckOutcome::Pass, Command, Cost, Cut, Deliberation, Dropped, Effort, Event, Failure,
    FailureKind, Grouped, JobKind, Member, Preference, Prices, Profile, Rejection, Report, Usage, decide,
    replay,
};

fn council() -> Council {
    Council::of(["a", "b", "c"]).rounds(1).selecting(3, 2, true)
}

fn purse(events: &[Event]) -> fleet_deliberation::Purse {
    *replay(events).unwrap().purse.unwrap()
}

fn spent(events: &[Event]) -> Cost {
    purse(events).spent
}

/// What the proposals of so many agents may take at most.
fn of_proposals(agents: usize) -> u64 {
    let council = Council { agents: ["a", "b", "c"][..agents].into(), ..council() };
    let council = Council { quorum: agents as u32, ..council }.tokens(0);
    match decide(None, council.submit()).unwrap_err() {
        Rejection::Malformed { field, reason } => {
            assert_eq!(field, "budget_tokens");
            let number = reason.rsplit("up to ").next().unwrap().trim_end_matches(" tokens").replace(',', "");
            number.parse().unwrap_or_else(|_| panic!("{reason}"))
        }
        other => panic!("{other:?}"),
    }
}

/// All have proposed, and every check passes; what is left is to be reviewed.
fn proposed(council: &Council) -> Vec<Command> {
    let texts = council.agents.iter().map(|agent| council.text(agent, 0));
    let checks = council.agents.iter().map(|agent| council.checked(agent, 0, Pass, 0));
    texts.chain(checks).collect()
}

fn cuts(events: &[Event]) -> Vec<Cut> {
    let cut = |event: &Event| match event {
        Event::Dropped { what, .. } => Some(what.clone()),
        _ => None,
    };
    events.iter().filter_map(cut).collect()
}

#[test]
fn without_a_budget_nothing_is_settled() {
    let council = council();
    let events = history(&council, proposed(&council));
    assert!(events.iter().all(|event| !["settled", "dropped"].contains(&event.kind())));
    assert_eq!(replay(&events).unwrap().purse, None);
}

#[test]
fn agents_are_left_out_from_the_last_seat_on_and_below_the_quorum_the_task_is_refused() {
    let (one, two) = (of_proposals(1), of_proposals(2));
    assert!(two > 2 * one, "the second agent is told more than the first");
    let council = Council { quorum: 2, ..council().tokens(two) };
    let opened = check(&[], council.submit(), &["opened", "dropped"]);
    let [Cut::Agents { left_out }] = &cuts(&opened)[..] else { panic!("{opened:?}") };
    assert_eq!(left_out.iter().map(|agent| agent.as_str()).collect::<Vec<_>>(), ["c"]);
    assert_eq!(replay(&opened).unwrap().lanes.len(), 2);
    let less = Council { quorum: 2, ..common::Council::of(["a", "b", "c"]).tokens(two - 1) };
    match decide(None, less.submit()) {
        Err(Rejection::Malformed { field, reason }) => {
            assert_eq!(field, "budget_tokens");
            assert!(reason.contains(&format!("up to {} tokens", Grouped(two))), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unknown_price_is_refused_by_name_and_is_not_zero() {
    let money = Budget { money_micros: Some(1 << 40), tokens: None };
    let prices = Some(Prices { prompt: 1, completion: 1 });
    let refused = |council: Council| match decide(None, council.submit()) {
        Err(Rejection::Malformed { field, reason }) => format!("{field} {reason}"),
        other => panic!("{other:?}"),
    };
    let unpriced = Council { budget: money, ..council() };
    let reason = refused(unpriced);
    assert!(reason.starts_with("budget_money") && reason.contains(" a costs is not known"), "{reason}");
    let mut architect = Council { budget: money, prices, ..council() }.selecting(1, 2, true);
    let free = Profile::new("unpriced", "m", 0.7, 10);
    architect.selection.architect =
        Some(Member { agent: fleet_deliberation::AgentId::new("s").unwrap(), profile: free });
    let reason = refused(architect);
    assert!(reason.contains(" s costs") && reason.contains("unpriced"), "{reason}");
    let priced = Council { budget: money, prices, ..council() }.selecting(1, 2, true);
    assert!(decide(None, priced.submit()).is_ok());
}

#[test]
fn review_is_left_out_for_all_or_for_none() {
    // What is used is known, so nearly all of it is there when the ring forms.
    let all = |tokens: u64| {
        let council = council().tokens(tokens);
        history(&council, proposed(&council))
    };
    let least = of_proposals(3);
    let dropped = all(least);
    assert_eq!(cuts(&dropped)[0], Cut::Review { round: 1, author: None });
    assert!(dropped.iter().all(|event| event.kind() != "review_requested"));
    let Dropped { needed, left, .. } = &purse(&dropped).dropped[0];
    let enough = least + needed.tokens - left.tokens.unwrap();
    let reviewed = all(enough).iter().filter(|event| event.kind() == "review_requested").count();
    assert_eq!(reviewed, 3);
    let dropped = all(enough - 1);
    assert_eq!(cuts(&dropped)[0], Cut::Review { round: 1, author: None }, "one token less");
}

#[test]
fn a_panel_shrinks_to_one_judge_then_to_none_and_the_choice_goes_last() {
    let run = |tokens: u64| {
        let council = Council { rounds: 0, ..council().tokens(tokens) };
        history(&council, proposed(&council))
    };
    let judges = |events: &[Event]| {
        events.iter().find_map(|event| match event {
            Event::JudgingOpened { comparisons, .. } => Some(comparisons[0].judges.len()),
            _ => None,
        })
    };
    let asks = |events: &[Event]| events.iter().any(|event| event.kind() == "selection_requested");
    let steps = (of_proposals(3)..600_000).step_by(500).map(|tokens| {
        let events = run(tokens);
        (judges(&events).unwrap_or(0), asks(&events) || judges(&events).is_some())
    });
    let mut steps: Vec<_> = steps.collect();
    steps.dedup();
    assert_eq!(steps, [(0, false), (0, true), (1, true), (3, true)]);
}

#[test]
fn what_a_server_counts_is_spent_and_what_nobody_counts_is_taken_at_its_worst() {
    let big = council().tokens(10_000_000);
    let opened = history(&big, []);
    let cost = |command: Command| {
        let state = replay(&opened).unwrap();
        let events: Vec<Event> =
            opened.iter().cloned().chain(decide(Some(&state), command).unwrap()).collect();
        spent(&events).tokens
    };
    let took = |report: Report, effort: Effort| {
        cost(Command::Take { job: big.job("a", 0, JobKind::Propose), report, effort, at: AT })
    };
    let failed = |kind, attempts| {
        let effort = Effort { attempts, calls_unknown: 0, bytes: 0 };
        took(Report::Failed(Failure::new(kind, "x", attempts)), effort)
    };
    let attempts = |attempts| took(common::text(), Effort { attempts, ..ONCE });
    assert_eq!(attempts(1), 30);
    let worst = attempts(2) - 30;
    assert_eq!(attempts(3), 30 + 2 * worst, "what failed before may have cost as much as it could");
    assert_eq!(of_proposals(1), 3 * worst);
    assert_eq!(took(common::text(), Effort { calls_unknown: 1, ..ONCE }), 30 + worst);
    let estimated = Usage { prompt_tokens: 1, completion_tokens: 1, estimated: true };
    assert_eq!(took(Report::Text { usage: estimated }, ONCE), worst, "an estimate may be too low");
    assert_eq!(failed(FailureKind::Unauthorized, 1), 0, "a refusal is free");
    assert_eq!(failed(FailureKind::BadRequest, 3), 2 * worst);
    assert_eq!(failed(FailureKind::Timeout, 3), 3 * worst);
    assert_eq!(failed(FailureKind::WorkerLost, 3), 3 * worst);
    assert_eq!(failed(FailureKind::Deadline, 0), 3 * worst);
    let reviewed = big.reviewed("a", 1, 0.5, 0);
    assert_eq!(cost(reviewed), 0, "what nobody waits for costs nothing that was not counted");
}

#[test]
fn what_is_under_way_at_the_end_counts_whole() {
    let council = council().tokens(10_000_000);
    let cancel = Command::Cancel { reason: String::new(), at: AT };
    let events = history(&council, [council.text("a", 0), cancel]);
    let two = of_proposals(3) - of_proposals(1);
    assert_eq!(spent(&events).tokens, 30 + two);
    let given_up = history(&council, [Command::Expire { at: AT.plus_ms(60_000) }]);
    assert_eq!(spent(&given_up).tokens, of_proposals(3));
}

#[test]
fn a_step_is_given_new_time_only_if_it_may_be_paid_for_twice() {
    let renew = Command::Renew { at: AT.plus_ms(50_000) };
    let rich = council().tokens(2 * of_proposals(3));
    let renewed = check(&history(&rich, []), renew.clone(), &["settled", "renewed"].repeat(3));
    assert!(renewed.iter().all(|event| event.kind() != "author_failed"));
    let poor = council().tokens(2 * of_proposals(3) - 1);
    let kinds = ["settled", "renewed", "settled", "renewed", "author_failed", "settled"];
    check(&history(&poor, []), renew, &kinds);
}

#[test]
fn a_later_round_is_left_out_for_the_proposal_it_does_not_fit() {
    let run = |tokens: u64| {
        let council = Council { rounds: 2, ..council().tokens(tokens) };
        let long = |command: Command| match command {
            Command::Take { job, report, at, .. } if job.kind == JobKind::Propose => {
                Command::Take { job, report, effort: Effort { bytes: 100_000, ..ONCE }, at }
            }
            other => other,
        };
        let mut commands: Vec<Command> = proposed(&council).into_iter().map(long).collect();
        // What fails counts at its worst.
        commands.extend(council.agents.iter().map(|agent| council.failed(agent, 1, JobKind::Critique)));
        cuts(&history(&council, commands))
    };
    let later = |cut: &&Cut| matches!(cut, Cut::Review { round: 2, author: Some(_) });
    let counts = (2_500_000..5_000_000).step_by(20_000).map(|n| run(n).iter().filter(later).count());
    let counts: std::collections::BTreeSet<usize> = counts.collect();
    assert!(counts.contains(&0) && (1..3).any(|n| counts.contains(&n)), "{counts:?}");
}

#[test]
fn a_history_with_a_budget_reads_back_whole() {
    let council = council().tokens(600_000);
    let mut commands = proposed(&council);
    commands.extend(council.agents.iter().map(|agent| council.reviewed(agent, 1, 0.5, 0)));
    commands.push(council.judged("c", 0, Preference::First));
    let events = history(&council, commands);
    let record = fleet_deliberation::Record::new(AT, fleet_deliberation::Digest::default(), events.clone());
    let back = fleet_deliberation::Record::decode(&record.encode()).unwrap();
    assert_eq!(replay(&back.events), replay(&events));
    let state: Deliberation = replay(&events).unwrap();
    assert!(state.purse.unwrap().spent.tokens > 0);
}
