//! Who is served, in which order, and who is turned away.

use fleet_deliberation::{FailureKind, Priority, Timestamp};
use fleet_orchestrator::port::ModelError;

use super::tools::{Caller, TestClock, ask, call, gate, settle};
use crate::openai::{Blame, Failed, Sight};
use crate::pool::breaker::{FAULTS_TO_OPEN, PAUSE_MS};
use crate::pool::gate::NoPlace;
use crate::pool::standing::Unusable;

fn failed(blame: Blame, retry_after_ms: Option<u64>) -> Failed {
    let error = ModelError { kind: FailureKind::Connection, message: "x".into(), retry_after_ms };
    Failed { error, blame }
}

/// Ends the call of `caller` with a fault.
fn fail(caller: &mut Caller, failed: Failed) {
    caller.came.take().expect("it has ended").expect("it has a place").end(&Err(failed));
}

fn break_server(gate: &std::sync::Arc<crate::pool::Gate>, server: usize) {
    for n in 0..FAULTS_TO_OPEN {
        fail(&mut call(gate, ask(&format!("b{n}"), &[server])), failed(Blame::Server, None));
    }
}

/// Who of `callers` gets the place of `first` when it ends, and of that one, and so on.
fn order(first: Caller, callers: &mut [(&str, Caller)]) -> Vec<String> {
    let (mut served, mut last) = (Vec::new(), Some(first));
    while let Some(caller) = last.take() {
        drop(caller);
        settle(callers.iter_mut().map(|(_, caller)| caller));
        if let Some((name, caller)) = callers.iter_mut().find(|(_, caller)| caller.server().is_some()) {
            served.push((*name).to_owned());
            last = Some(std::mem::replace(caller, Caller::gone()));
        }
    }
    served
}

#[test]
fn the_important_go_first_then_those_with_the_least_under_way_then_who_came_first() {
    let clock = TestClock::default();
    let gate = gate(&clock, &[(1, 0), (0, 0)]);
    // Two calls of `busy` are under way elsewhere.
    let _busy = [call(&gate, ask("busy", &[1])), call(&gate, ask("busy", &[1]))];
    let first = call(&gate, ask("x", &[0]));
    let wait = |name: &str, priority| call(&gate, crate::pool::line::Ask { priority, ..ask(name, &[0]) });
    let mut callers = [
        ("low", wait("l", Priority::Low)),
        ("busy", wait("busy", Priority::Normal)),
        ("a1", wait("a", Priority::Normal)),
        ("a2", wait("a", Priority::Normal)),
        ("high and busy", wait("busy", Priority::High)),
        ("b1", wait("b", Priority::Normal)),
    ];
    assert!(callers.iter().all(|(_, caller)| caller.waits()));
    assert_eq!(order(first, &mut callers), ["high and busy", "a1", "a2", "b1", "busy", "low"]);
}

#[test]
fn deliberations_take_turns_while_their_calls_go_on() {
    let gate = gate(&TestClock::default(), &[(4, 0)]);
    let holders: Vec<_> = (0..4).map(|n| call(&gate, ask(&format!("h{n}"), &[0]))).collect();
    let mut callers: Vec<_> =
        ["a", "a", "a", "a", "b", "b", "c"].map(|name| call(&gate, ask(name, &[0]))).into();
    drop(holders);
    settle(&mut callers);
    let served: Vec<bool> = callers.iter().map(|caller| !caller.waits()).collect();
    // One each, and the fourth place to whoever came first of those with one.
    assert_eq!(served, [true, true, false, false, true, false, true]);
}

#[test]
fn who_comes_later_does_not_overtake() {
    let gate = gate(&TestClock::default(), &[(1, 0)]);
    let holder = call(&gate, ask("a", &[0]));
    let mut waiting = call(&gate, ask("b", &[0]));
    drop(holder);
    // The place is free and `b` was woken, but not polled yet.
    let late = call(&gate, ask("c", &[0]));
    settle([&mut waiting]);
    assert!(waiting.server().is_some() && late.waits());
}

#[test]
fn a_call_waits_for_any_of_its_servers_and_for_no_other() {
    let gate = gate(&TestClock::default(), &[(1, 0), (1, 0), (1, 0)]);
    let mut holders: Vec<_> = (0..3).map(|at| call(&gate, ask("x", &[at]))).collect();
    let mut waiting = call(&gate, ask("a", &[0, 2]));
    drop(holders.remove(1));
    settle([&mut waiting]);
    assert!(waiting.waits());
    drop(holders.pop());
    settle([&mut waiting]);
    assert_eq!(waiting.server(), Some(2));
}

#[test]
fn nobody_waits_for_servers_that_cannot_be_used() {
    let clock = TestClock::default();
    let gate = gate(&clock, &[(1, 0), (1, 0)]);
    break_server(&gate, 0);
    let refused = |caller: &Caller| match &caller.came {
        Some(Err(NoPlace::Unusable(reasons))) => reasons.clone(),
        _ => panic!("it is refused at once"),
    };
    let expected = vec![(
        0,
        Unusable::Broken { until: Timestamp(PAUSE_MS), last: Some((FailureKind::Connection, "x".into())) },
    )];
    assert_eq!(refused(&call(&gate, ask("a", &[0]))), expected);
    // The other server is asked as long as it can be; when it is not, those who wait are told.
    let mut holder = call(&gate, ask("a", &[0, 1]));
    assert_eq!(holder.server(), Some(1));
    let mut waiting = call(&gate, ask("b", &[0, 1]));
    assert!(waiting.waits());
    fail(&mut holder, failed(Blame::Answered, Some(700)));
    settle([&mut waiting]);
    assert_eq!(refused(&waiting), [expected[0].clone(), (1, Unusable::LeftAlone(Timestamp(700)))]);
    clock.advance(700);
    assert_eq!(call(&gate, ask("c", &[0, 1])).server(), Some(1));
}

#[test]
fn what_a_look_finds_keeps_calls_off_or_lets_them_in() {
    let clock = TestClock::default();
    let gate = gate(&clock, &[(0, 0), (0, 0)]);
    gate.saw(0, Sight::Loading("x".into()));
    assert_eq!(call(&gate, ask("a", &[0, 1])).server(), Some(1));
    gate.saw(1, Sight::Down("x".into()));
    assert!(matches!(call(&gate, ask("a", &[0, 1])).came, Some(Err(NoPlace::Unusable(_)))));
    gate.saw(0, Sight::Up { models: None, but: None });
    assert_eq!(call(&gate, ask("a", &[0, 1])).server(), Some(0));
    // A server that does not list the model is asked after one that does.
    gate.saw(0, Sight::Up { models: Some(vec!["other".into()]), but: None });
    gate.saw(1, Sight::Up { models: Some(vec!["m".into()]), but: None });
    assert_eq!(call(&gate, ask("a", &[0, 1])).server(), Some(1));
    assert_eq!(call(&gate, ask("a", &[0])).server(), Some(0));
}

#[test]
fn one_call_tries_a_server_that_was_broken() {
    let clock = TestClock::default();
    let gate = gate(&clock, &[(0, 0)]);
    break_server(&gate, 0);
    clock.advance(PAUSE_MS);
    let trial = call(&gate, ask("a", &[0]));
    assert_eq!(trial.server(), Some(0));
    let second = call(&gate, ask("a", &[0]));
    assert!(
        matches!(&second.came, Some(Err(NoPlace::Unusable(r))) if matches!(r[0].1, Unusable::OnTrial { .. }))
    );
    // Given up, it has shown nothing: the next one tries.
    drop(trial);
    let mut trial = call(&gate, ask("a", &[0]));
    fail(&mut trial, failed(Blame::Answered, None));
    assert!((0..3).all(|_| call(&gate, ask("a", &[0])).server().is_some()));
}

#[test]
fn a_place_at_once_is_one_that_nobody_waits_for() {
    let clock = TestClock::default();
    let gate = gate(&clock, &[(1, 0), (1, 600), (0, 0)]);
    assert_eq!(gate.place_at_once(&ask("a", &[1, 0])).map(|place| place.server()), Some(1));
    let _holder = call(&gate, ask("a", &[0]));
    assert!(gate.place_at_once(&ask("a", &[0])).is_none());
    assert!(gate.place_at_once(&ask("a", &[])).is_none());
    // Someone waits for tokens of 1, so that a place there is not free for others.
    let large = |tokens| crate::pool::line::Ask { tokens, ..ask("a", &[1]) };
    let mut spent = call(&gate, large(600));
    if let Some(Ok(place)) = &mut spent.came {
        place.begin();
    }
    drop(spent);
    let waiting = call(&gate, large(10));
    assert!(waiting.waits() && gate.place_at_once(&ask("a", &[1])).is_none());
    break_server(&gate, 2);
    assert!(gate.place_at_once(&ask("a", &[2])).is_none());
    clock.advance(PAUSE_MS);
    assert!(gate.place_at_once(&ask("a", &[2])).is_none(), "a trial is not made beside another call");
}
