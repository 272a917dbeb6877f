//! Announcements in the same file as everything else, for whoever asks for them later.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use fleet_orchestrator::port::{Announcement, Announcements, Clock, Position, StoreError};

use crate::write::{Write, Writes};
use crate::writer::Shared;

pub(crate) struct SqliteAnnouncements {
    pub(crate) writes: Writes,
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Announcements for SqliteAnnouncements {
    async fn publish(&self, announcements: &[(Announcement, Position)]) -> Result<(), StoreError> {
        let (at, announcements) = (self.clock.now(), announcements.to_vec());
        self.writes.ask(|done| Write::Publish { announcements, at, done }).await
    }

    async fn published_to(&self) -> Result<Position, StoreError> {
        Ok(Position(self.shared.published.load(Ordering::Acquire)))
    }
}
