//! One call in the line of those who wait.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use fleet_deliberation::Timestamp;

use super::gate::{Gate, NoPlace};
use super::line::Came;
use super::place::Place;
use super::standing::End;

/// A place in the line; dropped, it is given up, and so is what was granted and not taken.
pub(super) struct Wait<'a> {
    gate: &'a Arc<Gate>,
    ticket: u64,
}

impl<'a> Wait<'a> {
    pub(super) const fn new(gate: &'a Arc<Gate>, ticket: u64) -> Wait<'a> {
        Wait { gate, ticket }
    }

    /// When to look at the line if nobody calls before.
    pub(super) fn looks_at(&self, deadline: Timestamp) -> Timestamp {
        self.gate.lock().keeps_time(self.ticket).map_or(deadline, |at| at.min(deadline))
    }

    /// What has come of the wait; `None` if the time to look at the line is another than `until`.
    pub(super) async fn came(&self, until: Timestamp, deadline: Timestamp) -> Option<Result<Place, NoPlace>> {
        poll_fn(|context| {
            let mut line = self.gate.lock();
            let looks_at = line.keeps_time(self.ticket).map_or(deadline, |at| at.min(deadline));
            let Some(waiter) = line.waiter(self.ticket) else { return Poll::Ready(None) };
            if waiter.waits() {
                if looks_at < until {
                    return Poll::Ready(None);
                }
                waiter.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(match line.leave(self.ticket) {
                Some(Came::Granted(grant)) => Some(Ok(Place::new(Arc::clone(self.gate), grant))),
                Some(Came::Refused(reasons)) => Some(Err(NoPlace::Unusable(reasons))),
                Some(Came::Nothing) | None => None,
            })
        })
        .await
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.gate.change(|line, now| {
            if let Some(Came::Granted(grant)) = line.leave(self.ticket) {
                line.give_back(&grant, End::never_begun(), now, 0.0);
            }
        });
    }
}
