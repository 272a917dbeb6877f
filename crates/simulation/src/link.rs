//! The ports as one life of one process has them: every operation may be late, refused, doubled, lost,
//! or the last one.

mod queue;
mod stores;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use fleet_orchestrator::Ports;
use fleet_orchestrator::port::{NoObserver, StoreError};

use crate::world::{State, Topic, World};

/// The ports of one life of one process.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) world: World,
    pub(crate) process: usize,
    pub(crate) life: u64,
}

/// What happens to an operation.
enum Fate {
    Well,
    Refused,
    Unacknowledged,
    CrashBefore,
    CrashAfter,
}

impl Link {
    /// The ports, all by this link.
    pub(crate) fn ports(&self) -> Ports {
        let (link, clock) = (Arc::new(self.clone()), Arc::new(self.world.clone()));
        Ports {
            events: Arc::clone(&link) as _,
            answers: Arc::clone(&link) as _,
            queue: Arc::clone(&link) as _,
            announcements: link as _,
            clock: Arc::clone(&clock) as _,
            entropy: clock as _,
            observer: Arc::new(NoObserver),
        }
    }

    pub(crate) fn alive(&self, state: &State) -> bool {
        state.lives[self.process] == self.life
    }

    /// Does an operation, as well as the faults let it.
    async fn operate<T: Send>(
        &self,
        name: &str,
        effect: impl FnOnce(&mut State) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        let (fate, there, back) = {
            let mut state = self.world.lock();
            let faults = state.faults;
            let rng = &mut state.rng;
            let fate = match () {
                () if rng.chance(faults.refused) => Fate::Refused,
                () if rng.chance(faults.unacknowledged) => Fate::Unacknowledged,
                () if rng.chance(faults.crash) && rng.chance(500) => Fate::CrashBefore,
                () if rng.chance(faults.crash) => Fate::CrashAfter,
                () => Fate::Well,
            };
            (fate, rng.below(faults.delay_ms + 1), rng.below(faults.delay_ms + 1))
        };
        self.world.pause(there).await;
        let result = {
            let mut state = self.world.lock();
            let process = self.process;
            let now = state.now;
            let done = if !self.alive(&state) {
                // It was under way when its process died: it may still arrive.
                if state.rng.chance(500) {
                    let _ = effect(&mut state);
                }
                Err(unavailable("the process is dead"))
            } else {
                match fate {
                    Fate::Refused => Err(unavailable("refused")),
                    Fate::CrashBefore => {
                        state.crash(process);
                        Err(unavailable("crashed before"))
                    }
                    Fate::CrashAfter => {
                        let _ = effect(&mut state);
                        state.crash(process);
                        Err(unavailable("crashed after"))
                    }
                    Fate::Unacknowledged => effect(&mut state).and(Err(unavailable("acknowledgement lost"))),
                    Fate::Well => effect(&mut state),
                }
            };
            let outcome = match &done {
                Ok(_) => "ok".to_owned(),
                Err(error) => fleet_orchestrator::chain(error),
            };
            state.trace.note(now, &format!("{process} {name}: {outcome}"));
            done
        };
        self.world.pause(back).await;
        result
    }

    /// Waits until `look` finds something about `topic`.
    async fn wait<T: Send>(&self, topic: Topic, mut look: impl FnMut(&mut State) -> Option<T> + Send) -> T {
        poll_fn(|context| {
            let mut state = self.world.lock();
            match look(&mut state) {
                Some(found) => Poll::Ready(found),
                None => {
                    state.waiting.entry(topic).or_default().push(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

fn unavailable(why: &'static str) -> StoreError {
    StoreError::Unavailable(why.into())
}
