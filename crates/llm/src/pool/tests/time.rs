//! Waiting for a free place, for tokens, and until it is too late.

use fleet_deliberation::{Generation, Timestamp, Usage};

use super::tools::{Caller, TestClock, ask, call, gate, settle};
use crate::openai::Failed;
use crate::pool::gate::NoPlace;
use crate::pool::line::Ask;

fn wants(tokens: u64, deliberation: &str) -> Ask {
    Ask { tokens, ..ask(deliberation, &[0]) }
}

/// Ends the call of `caller` with an answer of so many tokens.
fn answer(mut caller: Caller, tokens: u64) {
    let generation = Generation {
        text: "x".into(),
        reasoning: String::new(),
        model: "m".into(),
        temperature: 0.0,
        usage: Usage { prompt_tokens: tokens, completion_tokens: 0, estimated: false },
        truncated: false,
        first_token_ms: 0,
        calls_unknown: 0,
    };
    let mut place = caller.came.take().expect("it has ended").expect("it has a place");
    place.begin();
    place.end(&Ok::<_, Failed>(generation));
}

#[test]
fn the_wait_ends_when_the_job_has_no_more_time() {
    let clock = TestClock::default();
    let gate = gate(&clock, &[(1, 0)]);
    let _holder = call(&gate, ask("a", &[0]));
    let mut late = Caller::new(&gate, ask("b", &[0]), Timestamp(500));
    settle([&mut late]);
    clock.advance(499);
    settle([&mut late]);
    assert!(late.waits());
    clock.advance(1);
    settle([&mut late]);
    assert!(matches!(late.came, Some(Err(NoPlace::TooLate { waited_ms: 500 }))));
    assert_eq!(gate.status(0).waiting, 0);
}

#[test]
fn tokens_are_set_aside_before_a_call_and_settled_after_it() {
    let clock = TestClock::default();
    let gate = gate(&clock, &[(0, 600)]);
    let left = || gate.status(0).tokens_left;
    let first = call(&gate, wants(500, "a"));
    assert_eq!(left(), Some(100));
    let mut second = call(&gate, wants(300, "a"));
    assert!(second.waits());
    answer(first, 200);
    settle([&mut second]);
    assert!(!second.waits());
    assert_eq!(left(), Some(100));
    // A call that was begun and given up may have taken all it could; one that never began took nothing.
    drop(second);
    assert_eq!(left(), Some(400));
    let mut third = call(&gate, wants(300, "a"));
    if let Some(Ok(place)) = &mut third.came {
        place.begin();
    }
    drop(third);
    assert_eq!(left(), Some(100));
}

#[test]
fn who_waits_for_tokens_is_served_when_they_are_there_and_is_not_overtaken() {
    let clock = TestClock::default();
    let gate = gate(&clock, &[(0, 600)]);
    let spent = call(&gate, wants(600, "a"));
    let mut large = call(&gate, wants(300, "a"));
    let mut small = call(&gate, wants(10, "a"));
    clock.advance(29_000);
    settle([&mut large, &mut small]);
    assert!(large.waits() && small.waits());
    clock.advance(1_001);
    settle([&mut large, &mut small]);
    assert!(!large.waits() && small.waits());
    clock.advance(1_001);
    settle([&mut large, &mut small]);
    assert!(!small.waits());
    drop(spent);
}

#[test]
fn when_the_one_who_keeps_the_time_goes_another_keeps_it() {
    let clock = TestClock::default();
    let gate = gate(&clock, &[(0, 600)]);
    let spent = call(&gate, wants(600, "a"));
    let large = call(&gate, wants(600, "b"));
    let (mut small, mut other) = (call(&gate, wants(10, "b")), call(&gate, wants(20, "b")));
    drop(large);
    settle([&mut small, &mut other]);
    clock.advance(1_001);
    settle([&mut small, &mut other]);
    assert!(!small.waits() && other.waits());
    clock.advance(2_000);
    settle([&mut small, &mut other]);
    assert!(!other.waits());
    drop(spent);
}

#[test]
fn what_can_never_fit_is_refused_at_once() {
    let gate = gate(&TestClock::default(), &[(0, 600), (0, 900)]);
    assert!(matches!(call(&gate, wants(601, "a")).came, Some(Err(NoPlace::TooLarge))));
    // Where one of the servers can take it, that one does.
    let both = Ask { tokens: 700, ..ask("a", &[0, 1]) };
    assert_eq!(call(&gate, both).server(), Some(1));
}

#[test]
fn so_many_may_wait_and_no_more() {
    let gate = gate(&TestClock::default(), &[(1, 0)]);
    let _holder = call(&gate, ask("a", &[0]));
    let waiting: Vec<Caller> = (0..crate::WAITING_MAX).map(|_| call(&gate, ask("a", &[0]))).collect();
    assert!(waiting.iter().all(Caller::waits));
    assert!(matches!(call(&gate, ask("a", &[0])).came, Some(Err(NoPlace::TooMany))));
}
