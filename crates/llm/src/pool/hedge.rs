//! A second call beside one that is slow to begin its answer: whichever begins first goes on alone.

use std::sync::atomic::{AtomicU32, Ordering};

use fleet_deliberation::Generation;
use fleet_orchestrator::port::ModelError;
use tokio::sync::Notify;

use super::attempt::Attempt;
use super::no_place::NotReached;
use super::place::Place;
use crate::openai::{Blame, Failed};

/// Which of the calls of an attempt has begun its answer first.
#[derive(Default)]
pub(super) struct Race {
    /// Its number; 0 while there is none.
    ahead: AtomicU32,
    begun: Notify,
}

impl Race {
    /// Whether the call `nth`, which has begun its answer, is the one that goes on.
    pub(super) fn is_ahead(&self, nth: u32) -> bool {
        match self.ahead.compare_exchange(0, nth, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                self.begun.notify_one();
                true
            }
            Err(ahead) => ahead == nth,
        }
    }

    fn ahead(&self) -> u32 {
        self.ahead.load(Ordering::Acquire)
    }
}

/// What has come of one call, or of two.
pub(super) enum Came {
    Answer(Generation),
    Fault(ModelError),
    NotReached(NotReached),
}

impl From<(usize, Result<Generation, Failed>)> for Came {
    fn from((at, result): (usize, Result<Generation, Failed>)) -> Came {
        match result {
            Ok(generation) => Came::Answer(generation),
            Err(Failed { error, blame: Blame::NotReached }) => Came::NotReached(vec![(at, error)]),
            Err(failed) => Came::Fault(failed.error),
        }
    }
}

impl Attempt<'_> {
    /// Makes a call at `place`, and perhaps a second one elsewhere if the first is slow.
    pub(super) async fn call_or_two(&mut self, place: Place) -> Came {
        let race = Race::default();
        let (at, nth) = (place.server(), self.next_call());
        let first = self.call(place, nth, false, &race);
        if self.pool.hedge_after_ms == 0 || self.hedged {
            return first.await.into();
        }
        // On the heap, for the one that loses is to be dropped before the other has ended.
        let mut first = Box::pin(first);
        let clock = &self.pool.world.clock;
        let slow_at = clock.now().plus_ms(self.pool.hedge_after_ms);
        tokio::select! {
            biased;
            done = &mut first => return done.into(),
            () = race.begun.notified() => return first.await.into(),
            () = clock.sleep_until(slow_at) => {}
        }
        let Some(place) = self.place_elsewhere(at) else { return first.await.into() };
        self.hedged = true;
        let hedge = self.next_call();
        self.pool.hedges.fetch_add(1, Ordering::Relaxed);
        let mut second = Box::pin(self.call(place, hedge, true, &race));
        let ended = tokio::select! {
            biased;
            () = race.begun.notified() => None,
            done = &mut first => Some((nth, done)),
            done = &mut second => Some((hedge, done)),
        };
        self.count_win(&race, hedge);
        match (ended, race.ahead()) {
            (Some((ended, done)), ahead) if ended == ahead => done.into(),
            // It failed before either had begun an answer, and leaves it to the other.
            (Some((ended, done)), 0) if ended == nth => {
                let other = second.await;
                self.count_win(&race, hedge);
                either(done.into(), other.into())
            }
            (Some((_, done)), 0) => either(first.await.into(), done.into()),
            (_, ahead) if ahead == hedge => {
                drop(first);
                second.await.into()
            }
            _ => {
                drop(second);
                first.await.into()
            }
        }
    }

    fn count_win(&self, race: &Race, hedge: u32) {
        if race.ahead() == hedge {
            self.pool.hedges_won.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A place at another server than `at`, if one is free and nobody waits for it.
    fn place_elsewhere(&self, at: usize) -> Option<Place> {
        let mut ask = self.ask.clone();
        ask.servers.retain(|server| *server != at);
        self.pool.servers.gate.place_at_once(&ask)
    }
}

/// What counts of two calls of which at least one gave no answer: an answer, else a fault, else both.
fn either(first: Came, second: Came) -> Came {
    match (first, second) {
        (answer @ Came::Answer(_), _) | (_, answer @ Came::Answer(_)) => answer,
        (Came::NotReached(mut one), Came::NotReached(other)) => {
            one.extend(other);
            Came::NotReached(one)
        }
        (Came::NotReached(_), fault) | (fault, _) => fault,
    }
}
