//! Histories on one stream: a subject for each, in which the server says who appends.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_trait::async_trait;
use fleet_deliberation::Digest;
use fleet_orchestrator::port::{
    Entry, EventStore, HistoryId, HistoryInfo, Listing, Position, Sequence, StoreError, Stored,
};
use lru::LruCache;
use tokio::sync::Mutex;

use crate::error::readable;
use crate::histories::Histories;
use crate::link::Link;
use crate::message::{AT, DIGEST, ENDS, Message, OPENS};
use crate::names::Names;
use crate::place::Placed;
use crate::read::LIMIT_MAX;
use crate::wakes::Wakes;

/// The share of the log, in percent, above which no deliberation is opened: what was accepted has room to end.
const OPENS_PERCENT: u64 = 80;
/// For how long the size of the log is believed.
const SIZE_BELIEVED: Duration = Duration::from_secs(1);
/// What is left free of the log when it counts as full, in bytes: the largest message there is by default.
const FREE_BYTES: u64 = 1024 * 1024;
/// Of how many records is kept in mind whether they end their history.
const ENDINGS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

pub(crate) struct JetStreamEventStore {
    link: Link,
    names: Arc<Names>,
    wakes: Wakes,
    /// Whether a record ends its history, by its subject and its sequence. What is written does not change.
    endings: SyncMutex<LruCache<(String, u64), bool>>,
    size: Mutex<Option<(Instant, Size)>>,
    histories: Histories,
}

#[derive(Clone, Copy)]
struct Size {
    bytes: u64,
    bytes_max: Option<u64>,
}

impl JetStreamEventStore {
    pub(crate) fn new(link: Link, names: Arc<Names>, wakes: Wakes) -> JetStreamEventStore {
        let histories = Histories::new(link.clone(), Arc::clone(&names));
        let endings = SyncMutex::new(LruCache::new(ENDINGS_MAX));
        JetStreamEventStore { link, names, wakes, endings, size: Mutex::new(None), histories }
    }

    /// Whether the record at `sequence` of a history is there and ends it.
    async fn ends(&self, subject: &str, sequence: u64) -> Result<bool, StoreError> {
        let key = (subject.to_owned(), sequence);
        if let Some(ends) = self.endings.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(*ends);
        }
        let found = self.link.first_behind(self.names.log, subject, sequence.saturating_sub(1)).await?;
        // If it is not there the server refuses the append by itself.
        let Some(record) = found.filter(|record| record.sequence == sequence) else { return Ok(false) };
        let ends = record.header(ENDS).is_some();
        self.learn(subject, sequence, ends);
        Ok(ends)
    }

    fn learn(&self, subject: &str, sequence: u64, ends: bool) {
        let key = (subject.to_owned(), sequence);
        self.endings.lock().unwrap_or_else(PoisonError::into_inner).put(key, ends);
    }

    fn stored(&self, record: Message) -> Result<Stored, StoreError> {
        record.check()?;
        let history = self.names.history_on(&record.subject);
        let history = history.ok_or_else(|| record.corrupt("it is on no subject of a history".into()))?;
        let ends = record.header(ENDS).is_some();
        self.learn(&record.subject, record.sequence, ends);
        Ok(Stored {
            position: Position(record.sequence),
            history,
            sequence: Sequence(record.sequence),
            entry: Entry { at: record.at()?, ends, body: record.body },
        })
    }

    /// How large the log is, and was not longer ago than is believed.
    async fn size(&self) -> Result<Size, StoreError> {
        let mut known = self.link.within(self.size.lock()).await?;
        if let Some((at, size)) = *known
            && at.elapsed() < SIZE_BELIEVED
        {
            return Ok(size);
        }
        let state = self.link.state(self.names.log).await?;
        let size = Size { bytes: state.state.bytes, bytes_max: state.bytes_max };
        *known = Some((Instant::now(), size));
        Ok(size)
    }
}

#[async_trait]
impl EventStore for JetStreamEventStore {
    async fn append(
        &self,
        history: &HistoryId,
        after: Sequence,
        entry: Entry,
    ) -> Result<Sequence, StoreError> {
        let subject = self.names.history(history);
        let mut headers = HeaderMap::new();
        headers.insert(AT, entry.at.0.to_string());
        headers.insert(DIGEST, Digest::of(&entry.body).to_string());
        if after.0 == 0 {
            let Size { bytes, bytes_max } = self.size().await?;
            let full = bytes_max.is_some_and(|max| bytes >= max / 100 * OPENS_PERCENT);
            if full && history.as_deliberation().is_some() {
                return Err(StoreError::Full);
            }
            headers.insert(OPENS, "1");
        } else if self.ends(&subject, after.0).await? {
            return Err(StoreError::Conflict);
        }
        if entry.ends {
            headers.insert(ENDS, "1");
        }
        match self.link.place(self.names.log, &subject, after.0, headers, entry.body).await? {
            Placed::At(sequence) => {
                self.learn(&subject, sequence, entry.ends);
                Ok(Sequence(sequence))
            }
            Placed::Elsewhere => Err(StoreError::Conflict),
        }
    }

    async fn read(&self, history: &HistoryId, after: Sequence) -> Result<Vec<Stored>, StoreError> {
        let subject = self.names.history(history);
        let mut found: Vec<Stored> = Vec::new();
        // Where it ends is asked of the leader: a replica may not have the last records yet.
        let Some(last) = self.link.last(self.names.log, &subject).await? else { return Ok(found) };
        let mut place = after.0;
        while place < last.sequence {
            let records = self.link.behind(self.names.log, &subject, place, LIMIT_MAX).await?;
            if records.is_empty() {
                let next = self.link.first_behind(self.names.log, &subject, place).await?;
                // None: it was forgotten meanwhile. Else the leader has what the replica lacks.
                let Some(next) = next else { break };
                place = next.sequence;
                found.push(self.stored(next)?);
                continue;
            }
            for record in records {
                place = record.sequence;
                found.push(self.stored(record)?);
            }
        }
        Ok(found)
    }

    async fn histories(&self, listing: Listing) -> Result<Vec<HistoryInfo>, StoreError> {
        self.histories.list(listing).await
    }

    async fn end(&self) -> Result<Position, StoreError> {
        Ok(Position(self.link.state(self.names.log).await?.state.last_sequence))
    }

    async fn tail(&self, after: Position, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let (mut after, mut found) = (after.0, Vec::new());
        while found.is_empty() {
            let records = self.wakes.tail(&self.link, self.names.log, ">", after, limit).await?;
            after = records.last().map_or(after, |record| record.sequence);
            // What nobody can read is for whoever reads its history, and must not hold up all others.
            found = records.into_iter().filter_map(|record| readable(self.stored(record))).collect();
        }
        Ok(found)
    }

    async fn writable(&self) -> Result<(), StoreError> {
        let state = self.link.state(self.names.log).await?;
        if state.bytes_max.is_some_and(|max| state.state.bytes + FREE_BYTES > max) {
            return Err(StoreError::Full);
        }
        self.link.probe(&self.names).await
    }

    async fn forget(&self, history: &HistoryId) -> Result<(), StoreError> {
        let subject = self.names.history(history);
        let Some(last) = self.link.last(self.names.log, &subject).await? else { return Ok(()) };
        if last.header(ENDS).is_none() {
            return Err(StoreError::Conflict);
        }
        // Not behind its end: someone else may have forgotten it, and it may have been opened again.
        self.link.purge(self.names.log, subject, Some(last.sequence)).await?;
        self.histories.forget(history, last.sequence).await;
        Ok(())
    }
}
