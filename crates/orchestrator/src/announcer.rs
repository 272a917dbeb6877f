//! Tells the world how deliberations ended, once each.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::announcement;
use crate::histories::Histories;
use crate::persist::persist;
use crate::port::{Announcement, Announcements, Answers, Clock, Position, StoreError, Stored};
use crate::{chain, view};

/// How many records are taken at once.
const BATCH_MAX: usize = 512;
/// The bytes of announcements from which on they are published before more are made: each holds the texts of
/// all results.
const BATCH_BYTES: usize = 1024 * 1024;

/// Follows the log and announces every end, in the order of the log.
pub struct Announcer {
    histories: Arc<Histories>,
    answers: Arc<dyn Answers>,
    announcements: Arc<dyn Announcements>,
    clock: Arc<dyn Clock>,
}

impl Announcer {
    /// An announcer of the ends in `histories`.
    #[must_use]
    pub fn new(
        histories: Arc<Histories>,
        answers: Arc<dyn Answers>,
        announcements: Arc<dyn Announcements>,
        clock: Arc<dyn Clock>,
    ) -> Announcer {
        Announcer { histories, answers, announcements, clock }
    }

    /// Works on until told to stop, from the last end that was announced.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.follow()).await;
    }

    async fn follow(&self) {
        let from = || self.announcements.published_to();
        let mut place = persist(&*self.clock, "reading what was announced", from).await;
        loop {
            let tail = || self.histories.store().tail(place, BATCH_MAX);
            let records = persist(&*self.clock, "reading the log for ends", tail).await;
            place = records.last().map_or(place, |stored| stored.position);
            let ends = records.iter().filter(|stored| stored.entry.ends);
            let mut announcements = Vec::new();
            let mut bytes = 0;
            for stored in ends {
                let announcement =
                    persist(&*self.clock, "reading a result to announce", || self.of(stored)).await;
                let Some(announcement) = announcement else { continue };
                bytes += announcement.body.len();
                announcements.push((announcement, stored.position));
                if bytes >= BATCH_BYTES {
                    self.publish(&announcements).await;
                    announcements.clear();
                    bytes = 0;
                }
            }
            self.publish(&announcements).await;
        }
    }

    async fn publish(&self, announcements: &[(Announcement, Position)]) {
        if !announcements.is_empty() {
            persist(&*self.clock, "announcing", || self.announcements.publish(announcements)).await;
        }
    }

    async fn of(&self, stored: &Stored) -> Result<Option<Announcement>, StoreError> {
        let Some(id) = stored.history.as_deliberation() else { return Ok(None) };
        let announced = async {
            let mut loaded = self.histories.load(&id).await?;
            if loaded.as_ref().is_some_and(|loaded| loaded.sequence < stored.sequence) {
                loaded = self.histories.refresh(&id).await?;
            }
            let Some(loaded) = loaded else { return Ok(None) };
            view::of(&loaded.state, &*self.answers).await.map(Some)
        };
        match announced.await {
            Ok(view) => Ok(view.as_ref().and_then(announcement::of)),
            // What cannot be read now will not be readable later, and must not hold up the others.
            Err(error @ StoreError::Corrupt(..)) => {
                tracing::error!(deliberation.id = %id, error = chain(&error), "an end cannot be announced");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
