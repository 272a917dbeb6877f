//! Turns stored events into offered jobs. Decides nothing.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use fleet_deliberation::{JobId, Priority, jobs_after};
use tokio_util::sync::CancellationToken;

use crate::histories::{Histories, decode};
use crate::persist::persist;
use crate::port::{Clock, JobQueue, Position, StoreError, Stored};
use crate::{Coordinator, Councils, Scope, chain};

/// How many records are taken at once.
const BATCH_MAX: usize = 512;

/// Follows the log and offers the jobs that its events ask for. It keeps no place of its own: what it
/// missed, the sweep puts back.
pub struct Dispatcher {
    histories: Arc<Histories>,
    councils: Arc<Councils>,
    queue: Arc<dyn JobQueue>,
    clock: Arc<dyn Clock>,
    scope: Scope,
}

impl Dispatcher {
    /// A dispatcher from the coordinator's histories in `scope` to `queue`.
    #[must_use]
    pub fn new(
        coordinator: Arc<Coordinator>,
        queue: Arc<dyn JobQueue>,
        clock: Arc<dyn Clock>,
        scope: Scope,
    ) -> Dispatcher {
        let (histories, councils) = (Arc::clone(coordinator.histories()), Arc::clone(coordinator.councils()));
        Dispatcher { histories, councils, queue, clock, scope }
    }

    /// Works on the records behind `from` until told to stop.
    pub async fn run(self, from: Position, stop: CancellationToken) {
        stop.run_until_cancelled(self.follow(from)).await;
    }

    async fn follow(&self, mut place: Position) {
        loop {
            let tail = || self.histories.store().tail(place, BATCH_MAX);
            let records = persist(&*self.clock, "reading the log for new jobs", tail).await;
            place = records.last().map_or(place, |stored| stored.position);
            let mut offers: BTreeMap<Reverse<Priority>, Vec<JobId>> = BTreeMap::new();
            for stored in &records {
                self.learn(stored).await;
                let (priority, jobs) = self.jobs_of(stored);
                offers.entry(Reverse(priority)).or_default().extend(jobs);
            }
            for (Reverse(priority), jobs) in offers {
                if !jobs.is_empty() {
                    persist(&*self.clock, "offering jobs", || self.queue.put(&jobs, priority)).await;
                }
            }
        }
    }

    /// What others decided about councils is to be known here, too.
    async fn learn(&self, stored: &Stored) {
        let learn = || self.councils.learn(stored);
        let learned = persist(&*self.clock, "reading the history of a council", || async {
            match learn().await {
                Err(error @ StoreError::Corrupt(..)) => Ok(Err(error)),
                other => other.map(Ok),
            }
        });
        if let Err(error) = learned.await {
            tracing::error!(history = %stored.history, error = chain(&error), "a council cannot be read");
        }
    }

    fn jobs_of(&self, stored: &Stored) -> (Priority, Vec<JobId>) {
        let nothing = (Priority::default(), Vec::new());
        // The record that ends a history asks for nothing.
        let id = stored.history.as_deliberation().filter(|_| !stored.entry.ends);
        let Some(id) = id.filter(|id| self.scope.holds(id)) else { return nothing };
        match decode(stored) {
            Ok(record) => {
                // Before the jobs are offered, or a worker would have to read what they are about.
                self.histories.learn(&id, stored, &record);
                // What is not in memory any more is offered as most are: the queue is a hint.
                let known = self.histories.in_memory(&id);
                let priority = known.map(|known| known.state.submission().priority).unwrap_or_default();
                (priority, record.events.iter().flat_map(|event| jobs_after(&id, event)).collect())
            }
            Err(error) => {
                tracing::error!(deliberation.id = %id, error = chain(&error), "a record cannot be read");
                nothing
            }
        }
    }
}
