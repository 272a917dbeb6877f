//! Places are neither lost nor made up, whatever is cancelled and when.

use std::sync::Arc;

use fleet_deliberation::{FailureKind, Priority};
use fleet_orchestrator::port::{Clock as _, ModelError};
use proptest::prelude::*;

use super::tools::{Caller, TestClock, ask, gate, settle};
use crate::openai::{Blame, Failed, Sight};
use crate::pool::Gate;
use crate::pool::line::Ask;

#[derive(Debug, Clone)]
enum Step {
    Ask {
        deliberation: u8,
        priority: u8,
        tokens: u64,
        servers: u8,
        patience_ms: u64,
    },
    /// A call is dropped, wherever it stands: not yet polled, waiting, woken, with a place.
    Drop(usize),
    /// A call is made at the place it has.
    Begin(usize),
    Fail {
        caller: usize,
        blame: u8,
        retry_after_ms: u64,
    },
    Poll(usize),
    PollAll,
    Advance(u64),
    Saw {
        server: usize,
        what: u8,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u8..4, 0u8..3, 0u64..700, 1u8..8, 0u64..90_000).prop_map(
            |(deliberation, priority, tokens, servers, patience_ms)| Step::Ask {
                deliberation, priority, tokens, servers, patience_ms
            }
        ),
        3 => any::<usize>().prop_map(Step::Drop),
        2 => any::<usize>().prop_map(Step::Begin),
        3 => (any::<usize>(), 0u8..4, 0u64..3_000).prop_map(
            |(caller, blame, retry_after_ms)| Step::Fail { caller, blame, retry_after_ms }
        ),
        3 => any::<usize>().prop_map(Step::Poll),
        2 => Just(Step::PollAll),
        2 => (0u64..20_000).prop_map(Step::Advance),
        1 => (0usize..3, 0u8..4).prop_map(|(server, what)| Step::Saw { server, what }),
    ];
    proptest::collection::vec(step, 1..120)
}

fn take(step: &Step, gate: &Arc<Gate>, clock: &TestClock, callers: &mut Vec<Caller>) {
    let pick = |callers: &Vec<Caller>, n: usize| (!callers.is_empty()).then(|| n % callers.len().max(1));
    match step {
        Step::Ask { deliberation, priority, tokens, servers, patience_ms } => {
            let servers: Vec<usize> = (0..3).filter(|at| servers & (1 << at) != 0).collect();
            let priority = [Priority::Low, Priority::Normal, Priority::High][usize::from(*priority)];
            let ask = Ask { priority, tokens: *tokens, ..ask(&format!("d{deliberation}"), &servers) };
            callers.push(Caller::new(gate, ask, clock.now().plus_ms(*patience_ms)));
        }
        Step::Drop(n) => {
            if let Some(at) = pick(callers, *n) {
                callers.swap_remove(at);
            }
        }
        Step::Begin(n) => {
            if let Some(at) = pick(callers, *n)
                && let Some(Ok(place)) = &mut callers[at].came
            {
                place.begin();
            }
        }
        Step::Fail { caller, blame, retry_after_ms } => {
            if let Some(at) = pick(callers, *caller)
                && let Some(Ok(place)) = callers[at].came.take()
            {
                let blame = [Blame::NotReached, Blame::Server, Blame::Answered, Blame::OutOfTime]
                    [usize::from(*blame)];
                let retry_after_ms = (*retry_after_ms > 1_500).then_some(*retry_after_ms);
                let error = ModelError { kind: FailureKind::Server, message: "x".into(), retry_after_ms };
                place.end(&Err(Failed { error, blame }));
            }
        }
        Step::Poll(n) => {
            if let Some(at) = pick(callers, *n) {
                callers[at].poll();
            }
        }
        Step::PollAll => settle(callers),
        Step::Advance(ms) => clock.advance(*ms),
        Step::Saw { server, what } => gate.saw(*server, sight(*what)),
    }
}

fn sight(what: u8) -> Sight {
    match what {
        0 => Sight::Down("x".into()),
        1 => Sight::Loading("x".into()),
        2 => Sight::Silent("x".into()),
        _ => Sight::Up { models: None, but: None },
    }
}

proptest! {
    #[test]
    fn places_are_neither_lost_nor_made_up(steps in steps()) {
        let clock = TestClock::default();
        let bounds = [(1, 0), (2, 600), (3, 0)];
        let gate = gate(&clock, &bounds);
        let mut callers = Vec::new();
        for step in &steps {
            take(step, &gate, &clock, &mut callers);
            let books = gate.books();
            prop_assert_eq!(books.by_server.iter().sum::<u32>(), books.by_deliberation);
            for (at, (calls_max, _)) in bounds.iter().enumerate() {
                let held = callers.iter().filter(|caller| caller.server() == Some(at)).count();
                let granted = books.granted.iter().filter(|server| **server == at).count();
                prop_assert_eq!(books.by_server[at] as usize, held + granted, "at {} after {:?}", at, step);
                prop_assert!(books.by_server[at] <= *calls_max);
            }
            if matches!(step, Step::PollAll) {
                prop_assert!(books.granted.is_empty());
                prop_assert_eq!(books.waiting, callers.iter().filter(|caller| caller.waits()).count());
                prop_assert!(!gate.would_serve(), "nobody waits for what is there, and time is kept");
            }
        }
        // Whoever waits is served or turned away in the end, without anything but time passing.
        callers.retain(|caller| caller.came.is_none());
        for _ in 0..400 {
            settle(&mut callers);
            callers.iter_mut().for_each(|caller| drop(caller.came.take()));
            clock.advance(500);
        }
        settle(&mut callers);
        prop_assert!(callers.iter().all(|caller| !caller.waits()));
        drop(callers);
        let books = gate.books();
        prop_assert_eq!((books.by_server, books.deliberations, books.waiting), (vec![0, 0, 0], 0, 0));
    }
}
