//! Histories on SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use fleet_deliberation::Digest;
use fleet_orchestrator::port::{
    Entry, EventStore, HistoryId, HistoryInfo, Listing, Position, Sequence, StoreError, Stored,
};

use crate::queries;
use crate::reader::Reader;
use crate::write::{Write, Writes};
use crate::writer::Shared;

pub(crate) struct SqliteEventStore {
    pub(crate) writes: Writes,
    pub(crate) reader: Reader,
    pub(crate) shared: Arc<Shared>,
}

#[async_trait]
impl EventStore for SqliteEventStore {
    async fn append(
        &self,
        history: &HistoryId,
        after: Sequence,
        entry: Entry,
    ) -> Result<Sequence, StoreError> {
        let history = history.clone();
        // Here and not in the writer, which has the work of all.
        let digest = Digest::of(&entry.body);
        self.writes.ask(|done| Write::Append { history, after, entry, digest, done }).await
    }

    async fn read(&self, history: &HistoryId, after: Sequence) -> Result<Vec<Stored>, StoreError> {
        let history = history.clone();
        self.reader.point(move |connection| queries::read(connection, &history, after)).await
    }

    async fn histories(&self, listing: Listing) -> Result<Vec<HistoryInfo>, StoreError> {
        self.reader.scan(move |connection| queries::histories(connection, listing)).await
    }

    async fn end(&self) -> Result<Position, StoreError> {
        Ok(Position(self.shared.records.end()))
    }

    async fn tail(&self, after: Position, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let found = self.shared.records.tail(after.0, limit, &self.reader, queries::records_behind).await?;
        Ok(found.into_iter().map(|(_, stored)| stored).collect())
    }

    async fn writable(&self) -> Result<(), StoreError> {
        self.writes.ask(|done| Write::Probe { done }).await
    }

    async fn forget(&self, history: &HistoryId) -> Result<(), StoreError> {
        let history = history.clone();
        self.writes.ask(|done| Write::ForgetHistory { history, done }).await
    }
}
