//! Forgets what is older, or more, than the history may be.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::histories::Histories;
use crate::persist::persist;
use crate::port::{Answers, Clock, Listing, StoreError};

/// How many histories are forgotten before others get a turn.
const BATCH_MAX: usize = 64;

/// How long, and how much, history is kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// How long after its end a deliberation is kept, in milliseconds.
    pub history_ms: u64,
    /// How many bytes the store may hold before those that ended first are forgotten earlier.
    pub bytes_max: u64,
    /// How often this is looked after, in milliseconds.
    pub every_ms: u64,
}

/// Forgets ended deliberations.
pub struct Janitor {
    histories: Arc<Histories>,
    answers: Arc<dyn Answers>,
    clock: Arc<dyn Clock>,
    retention: Retention,
}

impl Janitor {
    /// A janitor that keeps what `retention` says.
    #[must_use]
    pub fn new(
        histories: Arc<Histories>,
        answers: Arc<dyn Answers>,
        clock: Arc<dyn Clock>,
        retention: Retention,
    ) -> Janitor {
        Janitor { histories, answers, clock, retention }
    }

    /// Works until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.again_and_again()).await;
    }

    async fn again_and_again(&self) {
        loop {
            // At once, or a process that never lives that long would never forget.
            while persist(&*self.clock, "forgetting old deliberations", || self.once()).await == BATCH_MAX {}
            self.clock.sleep_until(self.clock.now().plus_ms(self.retention.every_ms)).await;
        }
    }

    /// Forgets a batch; gives how many there were.
    async fn once(&self) -> Result<usize, StoreError> {
        let ended_before =
            fleet_deliberation::Timestamp(self.clock.now().0.saturating_sub(self.retention.history_ms));
        let listing =
            Listing::Expired { ended_before, bytes_max: self.retention.bytes_max, limit: BATCH_MAX };
        let expired = self.histories.store().histories(listing).await?;
        for info in &expired {
            // The history goes last: what is interrupted is then listed again.
            if let Some(id) = info.id.as_deliberation() {
                self.answers.forget(&id).await?;
                self.histories.evict(&id);
            }
            self.histories.store().forget(&info.id).await?;
        }
        Ok(expired.len())
    }
}
